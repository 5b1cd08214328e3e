"""From an order of the shop to a sales order of the ERP (SPEC.md section 4), or every reason why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import NamedTuple

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.orders.charges import (
    Charge,
    Shares,
    discounts,
    shipping_shares,
    wrapping_shares,
)
from brekzsync.domain.orders.lines import Bill, BilledLines, bill_lines, signed
from brekzsync.domain.orders.parties import Parties
from brekzsync.domain.orders.reasons import OrderReason
from brekzsync.domain.orders.rules import OrderRules
from brekzsync.domain.orders.sales_orders import LineKind, SalesOrder
from brekzsync.domain.orders.shop_orders import ShopOrder, ShopOrderLine
from brekzsync.domain.products import Refusal
from brekzsync.domain.texts import clean

YOUR_REF_LENGTH = 30

AcknowledgedCode = Callable[[ProductKey], str | None]
"""The item code the ERP knows a combination by; None or ``""`` when it was never acknowledged."""


class MappedOrder(NamedTuple):
    """The sales order, and what was changed or left out on the way (stable codes)."""

    order: SalesOrder
    warnings: frozenset[str]


def map_order(
    order: ShopOrder, rules: OrderRules, acknowledged: AcknowledgedCode = lambda _: None
) -> MappedOrder | tuple[Refusal, ...]:
    """The sales order; all refusals, never only the first."""
    parties = Parties(order, rules)
    country = parties.tax_country()
    charges = list(_charges(order, rules, country, acknowledged))
    billed = bill_lines(Bill(f"Order {order.id_order}", country, charges, order.paid), rules)
    reference = your_ref(order)
    return complete(order, rules, parties, billed, reference, f"Order {order.id_order}", order.ordered_on)


def your_ref(order: ShopOrder) -> str:
    """What the ERP keeps as the order's ``docnumber``: ``{reference}-{id_order}``."""
    return your_ref_of(order.reference, order.id_order)


def your_ref_of(reference: str, id_order: int) -> str:
    """``your_ref`` of an order of which no more than this is known."""
    return f"{clean(reference)[0]}-{id_order}"


def complete(
    order: ShopOrder,
    rules: OrderRules,
    parties: Parties,
    billed: BilledLines,
    reference: str,
    description: str,
    day: date | None,
    *,
    is_refund: bool = False,
) -> MappedOrder | tuple[Refusal, ...]:
    """Header and lines together; nothing is delivered on a refund, so it names no delivery method."""
    debtor = parties.debtor()
    delivery = parties.address("delivery", order.delivery)
    invoice = parties.address("invoice", order.invoice)
    method, condition = parties.payment()
    delivery_method = "" if is_refund else parties.delivery_method()
    account = parties.account(debtor, delivery, invoice)
    refusals = [*_header_refusals(order, reference), *parties.refusals, *billed.refusals]
    if refusals:
        return tuple(dict.fromkeys(refusals))
    return MappedOrder(
        SalesOrder(
            your_ref=reference,
            description=description,
            date=day.isoformat() if day else "",
            currency=order.currency,
            debtor=debtor,
            deliver_to=delivery,
            invoice_to=invoice,
            warehouse=rules.warehouse,
            payment_method=method,
            payment_condition=condition,
            delivery_method=delivery_method,
            costcenter=rules.costcenter,
            selection=rules.selection,
            lines=billed.lines,
            account=account,
        ),
        billed.warnings | parties.warnings,
    )


def item_code(line: ShopOrderLine, acknowledged: AcknowledgedCode) -> str:
    """The code the ERP knows the line's combination by, else the reference it was ordered under."""
    return acknowledged((line.id_product, line.id_product_attribute)) or line.reference


def _header_refusals(order: ShopOrder, reference: str) -> Iterator[Refusal]:
    if len(reference) > YOUR_REF_LENGTH:
        yield Refusal(
            OrderReason.YOUR_REF_TOO_LONG,
            f"The reference {reference} has {len(reference)} characters; Exact Globe takes {YOUR_REF_LENGTH}, and"
            " cut it would no longer be found: shorten the order's reference in the shop.",
        )
    if not order.currency:
        yield Refusal(
            OrderReason.UNKNOWN_CURRENCY,
            f"The shop no longer has the currency of order {order.id_order}: restore it under International >"
            " Localization.",
        )


def _charges(
    order: ShopOrder, rules: OrderRules, country: str, acknowledged: AcknowledgedCode
) -> Iterator[Charge]:
    for line in order.lines:
        if line.quantity > 0 or line.total.excl:
            yield Charge(
                LineKind.PRODUCT,
                item_code(line, acknowledged),
                line.name,
                max(line.quantity, 1),
                line.total.excl,
                line.tax,
            )
    if order.wrapping.excl or order.wrapping.incl:
        yield from _shared(LineKind.WRAPPING, "", wrapping_shares(order, rules.known_rates(country)))
    if order.shipping.excl or order.shipping.incl:
        name = order.carrier.name if order.carrier else ""
        yield from _shared(LineKind.SHIPPING, name, shipping_shares(order, order.shipping))
    for name, shares in discounts(order):
        for tax, amount in shares.items():
            if amount:
                quantity = signed(-amount, rules.discount_form)
                yield Charge(LineKind.DISCOUNT, "", name, quantity, -amount, tax)


def _shared(kind: LineKind, name: str, shares: Shares) -> Iterator[Charge]:
    for tax, amount in shares.items():
        yield Charge(kind, "", name, 1, amount, tax)
