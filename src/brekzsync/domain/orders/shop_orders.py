"""An order and a credit slip as the shop holds them: what the mapping to the ERP starts from.

Amounts are in the order's currency, exactly as the shop stored them (up to six decimals); rates are
percentages; moments are aware UTC, ``ordered_on`` is the day the shop's own clock showed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple


class Amount(NamedTuple):
    """An amount without and with tax."""

    excl: Decimal
    incl: Decimal

    @property
    def tax(self) -> Decimal:
        """The tax in it."""
        return self.incl - self.excl

    def plus(self, other: Amount) -> Amount:
        """Both sides added."""
        return Amount(self.excl + other.excl, self.incl + other.incl)

    def minus(self, other: Amount) -> Amount:
        """Both sides subtracted."""
        return Amount(self.excl - other.excl, self.incl - other.incl)


NOTHING = Amount(Decimal(0), Decimal(0))


class Tax(NamedTuple):
    """What a VAT code is looked up by beside the country; ``id_tax_rules_group`` 0 is none, or not known."""

    rate: Decimal
    id_tax_rules_group: int = 0


class ShopAddress(NamedTuple):
    """An address; ``country`` is the ISO code, ``""`` where the shop does not know the country any more."""

    company: str
    first_name: str
    last_name: str
    line1: str
    line2: str
    postal_code: str
    city: str
    id_country: int
    country: str
    phone: str
    mobile: str
    vat_number: str


class ShopCustomer(NamedTuple):
    """Who ordered; ``language`` is the ISO code of the order's language."""

    id_customer: int
    company: str
    first_name: str
    last_name: str
    email: str
    language: str


class ShopCarrier(NamedTuple):
    """The order's carrier; ``id_reference`` stays the same when a carrier is edited. ``id_reference`` 0: gone."""

    id_reference: int
    name: str


class ShopOrderLine(NamedTuple):
    """One product of an order, after its own reductions; ``total`` is for all pieces."""

    id_order_detail: int
    id_product: int
    id_product_attribute: int
    reference: str
    name: str
    quantity: int
    total: Amount
    tax: Tax


class ShopDiscount(NamedTuple):
    """A cart rule of an order: ``value`` is what it took off, positive.

    ``id_product`` is the one product it is for, 0 when it is for all.
    """

    name: str
    value: Amount
    free_shipping: bool
    id_product: int


class ShopOrder(NamedTuple):
    """One order. ``delivery``, ``invoice``, ``customer`` are None where the shop has lost the row;
    ``carrier`` None where the order has none; ``tax_address`` is the one its taxes were taken by."""

    id_order: int
    reference: str
    id_shop: int
    current_state: int
    ordered_at: datetime | None
    ordered_on: date | None
    updated_at: datetime | None
    currency: str
    payment_module: str
    carrier: ShopCarrier | None
    customer: ShopCustomer | None
    delivery: ShopAddress | None
    invoice: ShopAddress | None
    tax_address: Literal["delivery", "invoice"]
    lines: Sequence[ShopOrderLine]
    discounts: Sequence[ShopDiscount]
    discounted: Amount
    shipping: Amount
    shipping_rate: Decimal
    wrapping: Amount
    paid: Amount


class ShopSlipLine(NamedTuple):
    """What a slip gives back of one order line; ``quantity`` 0 is money without goods."""

    id_order_detail: int
    quantity: int
    total: Amount


class ShopSlip(NamedTuple):
    """A credit slip (``ps_order_slip``) and its order.

    ``products`` is the slip's own total, None in slips of old releases that did not keep one. ``amount``
    is what the shop stored as the refunded sum, ``kind`` its ``order_slip_type``: 0 product prices, 1 those
    less the order's vouchers, 2 an amount somebody typed, or any slip with shipping.
    """

    id_order_slip: int
    order: ShopOrder
    created_at: datetime | None
    created_on: date | None
    lines: Sequence[ShopSlipLine]
    products: Amount | None
    shipping: Amount
    amount: Decimal
    kind: int
