"""What the demo's orders and credit slips come to, computed as PrestaShop stores it.

Its default settings: prices of six decimals, rounded half up once per line (``PS_ROUND_TYPE`` 2), as in its
``OrderDetail``, ``CartRule`` and ``OrderSlip::create``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from brekzsync.demo.rows import Record

_CENT, _STORED = Decimal("0.01"), Decimal("0.000001")


class Money(NamedTuple):
    """An amount without and with tax, as the shop stores it."""

    excl: Decimal
    incl: Decimal

    def columns(self, name: str) -> dict[str, str]:
        """Two columns, as the digits of DECIMAL(20,6)."""
        return {
            f"{name}_tax_excl": digits(self.excl),
            f"{name}_tax_incl": digits(self.incl),
        }


NOTHING = Money(Decimal(0), Decimal(0))


class Line(NamedTuple):
    """One line of an order; ``price`` is that of one piece, excl. tax, and ``rate`` a percentage."""

    price: Decimal
    quantity: int
    rate: Decimal

    @property
    def total(self) -> Money:
        """All pieces."""
        return taxed(self.price * self.quantity, self.rate)


class Totals(NamedTuple):
    """An order's amounts; ``discounts`` are those of its cart rules, in their order."""

    shipping: Money
    wrapping: Money
    discounts: Sequence[Money]
    paid: Money


def order_totals(order: Record, lines: Sequence[Line], standard_rate: Decimal) -> Totals:
    """What the order comes to; shipping and wrapping are taxed at the country's standard rate."""
    products = total(line.total for line in lines)
    shipping = taxed(Decimal(order.get("shipping", 0)), standard_rate)
    wrapping = taxed(Decimal(order.get("wrapping", 0)), standard_rate)
    discounts = [_discount(one, products, shipping) for one in order.get("discounts", [])]
    taken = total(discounts)
    more = Decimal(order.get("paid_more", 0))
    paid = total([products, shipping, wrapping])
    return Totals(shipping, wrapping, discounts, Money(paid.excl - taken.excl, paid.incl - taken.incl + more))


def taxed(excl: Decimal, rate: Decimal) -> Money:
    """Both sides rounded on their own, as PrestaShop does it."""
    return Money(_cents(excl), _cents(excl * (1 + rate / 100)))


def digits(amount: Decimal) -> str:
    """As a DECIMAL(20,6) column keeps it."""
    return str(amount.quantize(_STORED))


def total(amounts: Iterable[Money]) -> Money:
    """All of them together."""
    excl, incl = NOTHING
    for one in amounts:
        excl, incl = excl + one.excl, incl + one.incl
    return Money(excl, incl)


def _discount(discount: Record, products: Money, shipping: Money) -> Money:
    if discount.get("free_shipping"):
        return shipping
    share = Decimal(discount["percent"]) / 100
    return Money(_cents(products.excl * share), _cents(products.incl * share))


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(_CENT, ROUND_HALF_UP)
