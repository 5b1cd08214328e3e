"""Who a sales order is for: debtor, addresses, methods of payment and delivery."""

from __future__ import annotations

from collections.abc import Mapping

from brekzsync.domain.orders.reasons import OrderReason
from brekzsync.domain.orders.rules import OrderRules, folded
from brekzsync.domain.orders.sales_orders import Account, PostalAddress
from brekzsync.domain.orders.shop_orders import ShopAddress, ShopOrder
from brekzsync.domain.products import Refusal
from brekzsync.domain.texts import clean

# Lengths of orkrg and cicmpy, facts/exact-globe.md sections 2.1 and 2.2.
NAME_LENGTH = 50
LINE_LENGTH = 100
POSTAL_CODE_LENGTH = 20
PHONE_LENGTH = 25
EMAIL_LENGTH = 128
DEBTOR_LENGTH = 20

_NO_MODULE = '""'
NOWHERE = PostalAddress._make([""] * len(PostalAddress._fields))


class Parties:
    """The header's part of one order; gathers refusals and warnings as it is asked."""

    def __init__(self, order: ShopOrder, rules: OrderRules) -> None:
        self._order = order
        self._rules = rules
        self.refusals: list[Refusal] = []
        self.warnings: set[str] = set()

    def tax_country(self) -> str:
        """The ISO code of the country the order's taxes are due in; ``""`` (and refused elsewhere) when unknown."""
        address = getattr(self._order, self._order.tax_address)
        return address.country if address is not None else ""

    def address(self, kind: str, address: ShopAddress | None) -> PostalAddress:
        """The address as the ERP takes it; refused when it or its country is gone."""
        if address is None:
            self._refuse(
                OrderReason.UNKNOWN_ADDRESS,
                f"The shop no longer has the {kind} address of order {self._order.id_order}: choose one in the order.",
            )
            return NOWHERE
        if not address.country:
            self._refuse(
                OrderReason.UNKNOWN_COUNTRY,
                f"The {kind} address of order {self._order.id_order} is in a country the shop does not know"
                f" (id_country {address.id_country}): choose another in the address.",
            )
        person = f"{address.first_name} {address.last_name}"
        company = self._fit(address.company, NAME_LENGTH)
        customer = self._order.customer
        return PostalAddress(
            name=company or self._fit(person, NAME_LENGTH),
            line1=self._fit(address.line1, LINE_LENGTH),
            line2=self._fit(address.line2, LINE_LENGTH),
            line3=self._fit(person, LINE_LENGTH) if company else "",
            postal_code=self._fit(address.postal_code, POSTAL_CODE_LENGTH),
            city=self._fit(address.city, LINE_LENGTH),
            country=self._rules.countries.get(address.country, address.country),
            phone=self._fit(address.phone or address.mobile, PHONE_LENGTH),
            email=self._fit(customer.email, EMAIL_LENGTH) if customer else "",
        )

    def debtor(self) -> str:
        """The debtor's code: the customer's, or the one all share."""
        if self._rules.debtor == "collective":
            if not self._rules.collective_debtor:
                self._refuse(
                    OrderReason.DEBTOR_NOT_CONFIGURED,
                    'All customers share one debtor, and none is named: set [orders] collective_debtor = "…".',
                )
            return self._rules.collective_debtor
        if self._order.customer is None:
            self._refuse(
                OrderReason.UNKNOWN_CUSTOMER,
                f"The shop no longer has the customer of order {self._order.id_order}: enter it in Exact by hand.",
            )
            return ""
        code = f"{self._rules.debtor_prefix}{self._order.customer.id_customer}"
        if len(code) > DEBTOR_LENGTH:
            self._refuse(
                OrderReason.DEBTOR_CODE_TOO_LONG,
                f"The debtor code {code} has {len(code)} characters; Exact Globe takes {DEBTOR_LENGTH}:"
                " shorten [orders] debtor_prefix.",
            )
        return code

    def account(self, debtor: str, delivery: PostalAddress, invoice: PostalAddress) -> Account | None:
        """What the debtor's own document would say; none for a collective one."""
        customer = self._order.customer
        if self._rules.debtor == "collective" or customer is None:
            return None
        company = customer.company or (self._order.invoice.company if self._order.invoice else "")
        person = f"{customer.first_name} {customer.last_name}"
        return Account(
            code=debtor,
            name=self._fit(company, NAME_LENGTH) or self._fit(person, NAME_LENGTH) or debtor,
            first_name=self._fit(customer.first_name, NAME_LENGTH),
            last_name=self._fit(customer.last_name, NAME_LENGTH),
            phone=invoice.phone,
            email=self._fit(customer.email, EMAIL_LENGTH),
            language=customer.language.upper(),
            currency=self._order.currency,
            vat_number=self._fit(self._order.invoice.vat_number, POSTAL_CODE_LENGTH)
            if self._order.invoice
            else "",
            visit=invoice,
            delivery=delivery,
            invoice=invoice,
        )

    def payment(self) -> tuple[str, str]:
        """The payment method and condition; no conditions at all leave them to the debtor."""
        module = self._order.payment_module
        method = self._mapped(self._rules.payment_methods, module, "payment_method")
        conditions = self._rules.payment_conditions
        return method, self._mapped(conditions, module, "payment_condition") if conditions else ""

    def delivery_method(self) -> str:
        """The carrier's delivery method; an order without carrier (nothing to send) has none."""
        carrier = self._order.carrier
        if carrier is None:
            return ""
        methods = self._rules.delivery_methods
        for name in (str(carrier.id_reference), folded(carrier.name)):
            if carrier.id_reference and name in methods:
                return methods[name]
        if carrier.id_reference:
            told = (
                f"The carrier {carrier.name} has no delivery method: add"
                f' {carrier.id_reference} = "…" to [orders] delivery_methods.'
            )
        else:
            told = "The shop no longer has the order's carrier: choose another in the order."
        self._refuse(OrderReason.UNMAPPED_DELIVERY_METHOD, told)
        return ""

    def _mapped(self, methods: Mapping[str, str], module: str, what: str) -> str:
        code = methods.get(folded(module), "")
        if not code:
            named = f"The payment module {module} has" if module else "An order without payment module has"
            self._refuse(
                OrderReason(f"unmapped_{what}"),
                f'{named} no {what.replace("_", " ")}: add {module or _NO_MODULE} = "…" to [orders] {what}s.',
            )
        return code

    def _fit(self, text: str, length: int) -> str:
        cleaned, removed = clean(text)
        if removed:
            self.warnings.add("control_characters_removed")
        if len(cleaned) > length:
            self.warnings.add("address_cut")
        return cleaned[:length].rstrip()

    def _refuse(self, reason: OrderReason, message: str) -> None:
        self.refusals.append(Refusal(reason, message))
