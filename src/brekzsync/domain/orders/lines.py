"""From charges to a document's lines, balanced to the shop's totals, or every reason why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from brekzsync.domain.orders.charges import Charge, cents
from brekzsync.domain.orders.reasons import OrderReason
from brekzsync.domain.orders.rules import OrderRules
from brekzsync.domain.orders.sales_orders import LineKind, SalesOrderLine
from brekzsync.domain.orders.shop_orders import Amount, Tax
from brekzsync.domain.orders.totals import globe_totals, sums_by_code, totals_refusal
from brekzsync.domain.products import CODE_LENGTH, DESCRIPTION_LENGTH, Refusal, plain
from brekzsync.domain.texts import clean

_UNMAPPED = "?"  # before the rate: in place of a VAT code, so that the totals can be told all the same
_NO_VAT = _UNMAPPED + "0"


class Bill(NamedTuple):
    """What a document is to charge: ``total`` is the shop's, ``name`` what people call the record.

    ``country`` is where its taxes are due, ``""`` where that is unknown (and refused by others).
    """

    name: str
    country: str
    charges: Sequence[Charge]
    total: Amount


class BilledLines(NamedTuple):
    """Lines that come to the bill's total exactly, or refusals, and what was changed on the way."""

    lines: tuple[SalesOrderLine, ...]
    refusals: tuple[Refusal, ...]
    warnings: frozenset[str]


def bill_lines(bill: Bill, rules: OrderRules) -> BilledLines:
    """The document's lines; all refusals are told, also where others stand beside them."""
    return _Biller(bill, rules).lines()


def signed(amount: Decimal, form: str) -> int:
    """The quantity of a line that is no product: -1 for a negative one, unless its price is to be negative."""
    return -1 if amount < 0 and form == "negative_quantity" else 1


class _Biller:
    """One bill at work; refusals in the order they are met, each once."""

    def __init__(self, bill: Bill, rules: OrderRules) -> None:
        self._bill = bill
        self._rules = rules
        self._quantum = Decimal(1).scaleb(-max(2, rules.price_decimals))  # cents must be possible
        self._refusals: dict[Refusal, None] = {}
        self._warnings: set[str] = set()

    def lines(self) -> BilledLines:
        charges = self._merged()
        lines = [self._line(charge, code) for charge, code in charges]
        if not lines:
            self._refuse(OrderReason.NO_LINES, f"{self._bill.name} has no lines: it charges nothing.")
        self._check_codes(lines)
        lines += self._balanced(lines, charges)
        return BilledLines(tuple(lines), tuple(self._refusals), frozenset(self._warnings))

    def _merged(self) -> list[tuple[Charge, str]]:
        """The charges with their VAT codes; shares of one amount that fall under one code become one."""
        merged: dict[tuple[object, ...], tuple[Charge, str]] = {}
        for place, charge in enumerate(self._bill.charges):
            code = self._vat_code(charge.tax)
            own = place if charge.kind is LineKind.PRODUCT else charge.description
            key = (charge.kind, own, code, charge.tax.rate)
            if key in merged:
                charge = charge._replace(amount=merged[key][0].amount + charge.amount)
            merged[key] = charge, code
        return list(merged.values())

    def _vat_code(self, tax: Tax) -> str:
        code = self._rules.vat_code(self._bill.country, tax)
        if not code and self._bill.country:
            rate, country = plain(tax.rate), self._bill.country
            self._refuse(
                OrderReason.UNMAPPED_TAX_RATE,
                f"The tax rate {rate} % of {country} has no VAT code: add it to [exact_xml] vat_codes, as in"
                f' "{country}:{rate}" = "…".',
            )
        return code or _UNMAPPED + plain(tax.rate)

    def _line(self, charge: Charge, vat_code: str) -> SalesOrderLine:
        price = (charge.amount / charge.quantity).quantize(self._quantum, ROUND_HALF_UP)
        description = self._description(charge.description)
        item = self._product_code(charge, description) if charge.kind is LineKind.PRODUCT else ""
        item = item or self._item_of(charge.kind)
        return SalesOrderLine(
            charge.kind, item, description, charge.quantity, price, vat_code, charge.tax.rate
        )

    def _product_code(self, charge: Charge, description: str) -> str:
        code, _ = clean(charge.code)
        if not code:
            self._refuse(
                OrderReason.MISSING_ITEM_CODE,
                f"The line {description!r} has no item code: the shop keeps no reference with it, and the"
                " combination was never acknowledged: give it a reference in the order, or enter the order in Exact.",
            )
        elif len(code) > CODE_LENGTH:
            self._refuse(
                OrderReason.ITEM_CODE_TOO_LONG,
                f"The item code {code!r} of the line {description!r} has {len(code)} characters; Exact Globe takes"
                f" {CODE_LENGTH}: shorten the reference, and export the product.",
            )
        return code

    def _item_of(self, kind: LineKind) -> str:
        item = self._rules.items.get(kind, "")
        if not item and kind is not LineKind.PRODUCT:
            self._refuse(
                OrderReason.ITEM_NOT_CONFIGURED,
                f"{self._bill.name} has a line for {kind}, and no item to book it on: set [orders] {kind}_item.",
            )
        return item

    def _description(self, text: str) -> str:
        cleaned, removed = clean(text)
        if removed:
            self._warnings.add("control_characters_removed")
        if len(cleaned) > DESCRIPTION_LENGTH:
            self._warnings.add("description_cut")
        return cleaned[:DESCRIPTION_LENGTH].rstrip()

    def _check_codes(self, lines: Sequence[SalesOrderLine]) -> None:
        """Globe takes one rate per VAT code: two rates under one code would be billed as one of them."""
        rates: dict[str, Decimal] = {}
        for line in lines:
            rate = rates.setdefault(line.vat_code, line.rate)
            if rate != line.rate:
                self._refuse(
                    OrderReason.VAT_CODE_OF_TWO_RATES,
                    f"The VAT code {line.vat_code} stands for {plain(rate)} % and for {plain(line.rate)} %: give each"
                    " rate its own in [exact_xml] vat_codes.",
                )

    def _balanced(
        self, lines: Sequence[SalesOrderLine], charges: Sequence[tuple[Charge, str]]
    ) -> list[SalesOrderLine]:
        """The rounding lines that bring the document to the shop's total."""
        wanted: dict[str, Decimal] = {}
        for charge, code in charges:
            wanted[code] = wanted.get(code, Decimal(0)) + charge.amount
        rates = {line.vat_code: line.rate for line in lines}
        totals, sums = globe_totals(lines), sums_by_code(lines)
        # Prices are printed with fewer decimals than the shop counts with.
        missing = {code: cents(amount) - totals.excl[code] for code, amount in wanted.items()}
        rounding = [
            self._rounding(code, cents(wanted[code]) - sums[code], rates)
            for code, amount in missing.items()
            if amount
        ]
        rest = cents(self._bill.total.incl) - globe_totals([*lines, *rounding]).incl
        whole = sum((abs(amount) for amount in missing.values()), abs(rest))
        refusal = totals_refusal(totals, *self._bill.total, whole, what=self._bill.name.lower())
        if refusal:
            self._refusals[refusal] = None
            return []
        if rest:
            rounding.append(self._rest([*lines, *rounding], rest, rates))
        if rounding:
            self._item_of(LineKind.ROUNDING)
        return rounding

    def _rest(
        self, lines: Sequence[SalesOrderLine], rest: Decimal, rates: Mapping[str, Decimal]
    ) -> SalesOrderLine:
        """What only the taxes' rounding differs by, without VAT; the code's sum becomes whole cents."""
        code = self._without_vat(rates)
        before = sums_by_code(lines).get(code, Decimal(0))
        return self._rounding(code, cents(before) + rest - before, rates)

    def _rounding(self, code: str, amount: Decimal, rates: Mapping[str, Decimal]) -> SalesOrderLine:
        quantity = signed(amount, self._rules.discount_form)
        price = (amount / quantity).quantize(self._quantum)
        item = self._rules.items.get(LineKind.ROUNDING, "")
        rate = rates.get(code, Decimal(0))
        return SalesOrderLine(LineKind.ROUNDING, item, "", quantity, price, code, rate)

    def _without_vat(self, rates: Mapping[str, Decimal]) -> str:
        code = self._rules.code_without_vat(self._bill.country)
        if not code and self._bill.country:
            self._refuse(
                OrderReason.UNMAPPED_TAX_RATE,
                "A rounding difference is booked without VAT, and there is no code for that: set [orders]"
                " rounding_vat_code.",
            )
        elif rates.get(code):
            self._refuse(
                OrderReason.VAT_CODE_OF_TWO_RATES,
                f"A rounding difference is booked without VAT, and the VAT code {code} stands for"
                f" {plain(rates[code])} %: set [orders] rounding_vat_code to one without.",
            )
        return code or _NO_VAT

    def _refuse(self, reason: OrderReason, message: str) -> None:
        self._refusals[Refusal(reason, message)] = None
