"""A sales order as the ERP is to hold it: what its document says, line by line."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple


class LineKind(StrEnum):
    """What a line is for; all but products are booked on configured items."""

    PRODUCT = "product"
    SHIPPING = "shipping"
    WRAPPING = "wrapping"
    DISCOUNT = "discount"
    REFUND = "refund"
    ROUNDING = "rounding"


class SalesOrderLine(NamedTuple):
    """``price`` is excl. tax for one piece, rounded as the document prints it; ``rate`` belongs to ``vat_code``."""

    kind: LineKind
    item_code: str
    description: str
    quantity: int
    price: Decimal
    vat_code: str
    rate: Decimal

    @property
    def amount(self) -> Decimal:
        """Excl. tax for all pieces."""
        return self.price * self.quantity


class PostalAddress(NamedTuple):
    """An address in the ERP's lengths and with its country code; ``""`` where blank."""

    name: str
    line1: str
    line2: str
    line3: str
    postal_code: str
    city: str
    country: str
    phone: str
    email: str


class Account(NamedTuple):
    """A customer as the ERP's debtor, for a document that comes before its first order."""

    code: str
    name: str
    first_name: str
    last_name: str
    phone: str
    email: str
    language: str
    currency: str
    vat_number: str
    visit: PostalAddress
    delivery: PostalAddress
    invoice: PostalAddress


class SalesOrder(NamedTuple):
    """An order of type V, every field as the document prints it and ``""`` where it is left out.

    ``account`` is what the debtor's own document would say; None for a collective debtor.
    """

    your_ref: str
    description: str
    date: str
    currency: str
    debtor: str
    deliver_to: PostalAddress
    invoice_to: PostalAddress
    warehouse: str
    payment_method: str
    payment_condition: str
    delivery_method: str
    costcenter: str
    selection: str
    lines: tuple[SalesOrderLine, ...]
    account: Account | None
