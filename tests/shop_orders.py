"""Orders and credit slips as PrestaShop makes them: what was bought in, stored totals out.

The arithmetic is PrestaShop's own (``Cart``, ``OrderDetail``, ``OrderSlip::create``): taxes rounded per piece,
per line or in total, in the rounding mode of the shop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    Decimal,
)
from typing import NamedTuple

from brekzsync.domain.orders.rules import OrderRules
from brekzsync.domain.orders.sales_orders import LineKind
from brekzsync.domain.orders.shop_orders import (
    NOTHING,
    Amount,
    ShopAddress,
    ShopCarrier,
    ShopCustomer,
    ShopDiscount,
    ShopOrder,
    ShopOrderLine,
    ShopSlip,
    ShopSlipLine,
    Tax,
)

PER_PIECE, PER_LINE, IN_TOTAL = 1, 2, 3
MODES = (ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, ROUND_HALF_DOWN, ROUND_HALF_EVEN)
ZERO = Decimal(0)

HOME = ShopAddress(
    company="",
    first_name="Sanne",
    last_name="de Vries",
    line1="Dorpsstraat 5 b",
    line2="",
    postal_code="3511 AB",
    city="Utrecht",
    id_country=13,
    country="NL",
    phone="0301234567",
    mobile="0612345678",
    vat_number="",
)
OFFICE = HOME._replace(company="De Vries & Zn", line1="Kade 1", line2="2e verdieping", vat_number="NL1B01")
CUSTOMER = ShopCustomer(42, "", "Sanne", "de Vries", "sanne@example.com", "NL")
RULES = OrderRules(
    items={
        LineKind.SHIPPING: "SHIPPING",
        LineKind.WRAPPING: "WRAPPING",
        LineKind.DISCOUNT: "DISCOUNT",
        LineKind.REFUND: "REFUND",
        LineKind.ROUNDING: "ROUNDING",
    },
    vat_codes={"21": "2", "9": "1", "0": "0", "BE:21": "B2", "BE:6": "B1", "BE:0": "B0"},
    home_country="NL",
    payment_methods={"ps_wirepayment": "B"},
    delivery_methods={"2": "PNL"},
)


class Bought(NamedTuple):
    """``price`` is excl. tax for one piece, before rounding."""

    price: Decimal
    quantity: int
    rate: Decimal
    reference: str = "LL-NW-RD-M"


class Rounding(NamedTuple):
    """PS_ROUND_TYPE and PS_PRICE_ROUND_MODE."""

    type: int = PER_LINE
    mode: str = ROUND_HALF_UP

    def cents(self, amount: Decimal) -> Decimal:
        return amount.quantize(Decimal("0.01"), self.mode)

    def total(self, price: Decimal, quantity: int) -> Decimal:
        if self.type == PER_PIECE:
            return self.cents(price) * quantity
        if self.type == PER_LINE:
            return self.cents(price * quantity)
        return stored(price * quantity)


PRESTASHOPS_OWN = Rounding()
"""What an installation starts with."""


def stored(amount: Decimal) -> Decimal:
    """As a DECIMAL(20,6) column keeps it."""
    return amount.quantize(Decimal("0.000001"), ROUND_HALF_UP)


def with_tax(excl: Decimal, rate: Decimal) -> Decimal:
    return excl * (1 + rate / 100)


def line_of(number: int, bought: Bought, rounding: Rounding) -> ShopOrderLine:
    excl = rounding.total(bought.price, bought.quantity)
    incl = rounding.total(with_tax(bought.price, bought.rate), bought.quantity)
    return ShopOrderLine(
        id_order_detail=number,
        id_product=number,
        id_product_attribute=number * 10,
        reference=bought.reference,
        name=f"Product {number}",
        quantity=bought.quantity,
        total=Amount(excl, incl),
        tax=Tax(bought.rate, int(bought.rate)),
    )


def order_of(
    bought: Sequence[Bought],
    *,
    rounding: Rounding = PRESTASHOPS_OWN,
    shipping: Decimal = ZERO,
    shipping_rate: Decimal = Decimal(21),
    wrapping: Decimal = ZERO,
    wrapping_rate: Decimal = Decimal(21),
    discounts: Sequence[ShopDiscount] = (),
    country: str = "NL",
) -> ShopOrder:
    """Order 7 of customer 42, with the totals PrestaShop would store."""
    lines = tuple(line_of(number, one, rounding) for number, one in enumerate(bought, 1))
    products = Amount(
        rounding.cents(sum((line.total.excl for line in lines), ZERO)),
        rounding.cents(sum((line.total.incl for line in lines), ZERO)),
    )
    freight = Amount(shipping, rounding.cents(with_tax(shipping, shipping_rate)))
    paper = Amount(wrapping, rounding.cents(with_tax(wrapping, wrapping_rate)))
    taken = NOTHING
    for discount in discounts:
        taken = taken.plus(discount.value)
    paid = products.plus(freight).plus(paper).minus(taken)
    address = HOME._replace(country=country)
    return ShopOrder(
        id_order=7,
        reference="XKBKNABJK",
        id_shop=1,
        current_state=2,
        ordered_at=datetime(2026, 11, 20, 23, 30, tzinfo=UTC),
        ordered_on=date(2026, 11, 21),
        updated_at=datetime(2026, 11, 20, 23, 30, tzinfo=UTC),
        currency="EUR",
        payment_module="ps_wirepayment",
        carrier=ShopCarrier(2, "PostNL"),
        customer=CUSTOMER,
        delivery=address,
        invoice=address,
        tax_address="delivery",
        lines=lines,
        discounts=tuple(discounts),
        discounted=taken,
        shipping=freight,
        shipping_rate=shipping_rate if shipping else ZERO,
        wrapping=paper,
        paid=paid,
    )


def slip_of(
    order: ShopOrder,
    returned: Mapping[int, tuple[int, Decimal]],
    *,
    prices_have_tax: bool = True,
    rounding: Rounding = PRESTASHOPS_OWN,
    shipping: Decimal = ZERO,
    voucher: Decimal = ZERO,
    typed: Decimal = ZERO,
) -> ShopSlip:
    """Slip 3: per ``id_order_detail`` how many pieces at what price each (with or without tax).

    ``voucher`` is taken off as PrestaShop does it; ``typed`` is an amount somebody chose instead.
    """
    by_id = {line.id_order_detail: line for line in order.lines}
    lines, sums = [], NOTHING
    for id_order_detail, (quantity, price) in returned.items():
        factor = 1 + by_id[id_order_detail].tax.rate / 100
        other = price / factor if prices_have_tax else price * factor
        given = rounding.cents(price * quantity)
        own = stored(rounding.cents(other) * quantity if rounding.type == PER_PIECE else other * quantity)
        found = rounding.cents(own)
        total = Amount(found, given) if prices_have_tax else Amount(given, found)
        lines.append(ShopSlipLine(id_order_detail, quantity, total))
        sums = sums.plus(total)
    less = Amount(voucher, ZERO) if prices_have_tax else Amount(ZERO, voucher)
    products = sums.minus(less)
    untouched = products.incl if prices_have_tax else products.excl
    kind = 1 if voucher else 0
    if typed or shipping:
        kind = 2
    return ShopSlip(
        id_order_slip=3,
        order=order,
        created_at=datetime(2026, 12, 2, 10, 0, tzinfo=UTC),
        created_on=date(2026, 12, 2),
        lines=tuple(lines),
        products=products,
        shipping=Amount(rounding.cents(shipping / (1 + order.shipping_rate / 100)), shipping),
        amount=typed or untouched,
        kind=kind,
    )
