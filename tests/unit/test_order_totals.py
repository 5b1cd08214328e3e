"""Whatever a shop sold, and however it rounds: the document comes to the shop's totals, or does not go."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from brekzsync.domain.orders.mapping import MappedOrder, map_order
from brekzsync.domain.orders.refunds import map_slip, refunded
from brekzsync.domain.orders.sales_orders import LineKind, SalesOrder
from brekzsync.domain.orders.shop_orders import Amount, ShopDiscount, ShopOrder, ShopSlip
from tests.shop_orders import (
    IN_TOTAL,
    MODES,
    PER_LINE,
    PER_PIECE,
    RULES,
    ZERO,
    Bought,
    Rounding,
    order_of,
    slip_of,
    stored,
)

RATES = {"NL": (Decimal(21), Decimal(9), ZERO), "BE": (Decimal(21), Decimal(6), ZERO)}
CODES = {
    ("NL", 21): "2",
    ("NL", 9): "1",
    ("NL", 0): "0",
    ("BE", 21): "B2",
    ("BE", 6): "B1",
    ("BE", 0): "B0",
}
FIVE_CENTS = Decimal("0.05")


class Sold(NamedTuple):
    """An order, the country of its taxes, how it was rounded, and what it charged excl. tax per rate."""

    order: ShopOrder
    country: str
    rounding: Rounding
    per_rate: Mapping[Decimal, Decimal]


def prices(most: int) -> st.SearchStrategy[Decimal]:
    """Prices as a shop has them: typed without tax, or with tax and six decimals left of that."""
    typed = st.integers(1, most * 100).map(lambda cents: Decimal(cents) / 100)
    return typed | st.integers(1, most * 1_000_000).map(lambda parts: Decimal(parts) / 1_000_000)


@st.composite
def sold(draw: st.DrawFn, *, gentle: bool = False) -> Sold:
    """``gentle`` orders are those of an ordinary shop: few lines, rounded half up and not per piece."""
    country = draw(st.sampled_from(["NL", "BE"]))
    rates = st.sampled_from(RATES[country])
    types = (PER_LINE, IN_TOTAL) if gentle else (PER_PIECE, PER_LINE, IN_TOTAL)
    modes = (ROUND_HALF_UP,) if gentle else MODES
    rounding = Rounding(draw(st.sampled_from(types)), draw(st.sampled_from(modes)))
    quantity = st.integers(1, 4 if gentle else 60)
    lines = st.builds(Bought, prices(200), quantity, rates, st.just("LL-NW-RD-M"))
    bought = draw(st.lists(lines, min_size=1, max_size=3 if gentle else 6))
    shipping = draw(st.just(ZERO) | st.integers(1, 2000).map(lambda cents: Decimal(cents) / 100))
    wrapping = draw(st.just(ZERO) | st.integers(1, 500).map(lambda cents: Decimal(cents) / 100))
    rate = bought[0].rate
    plain = order_of(
        bought,
        rounding=rounding,
        shipping=shipping,
        shipping_rate=rate,
        wrapping=wrapping,
        wrapping_rate=rate,
        country=country,
    )
    per_rate = _per_rate(plain)
    per_rate[rate] = per_rate.get(rate, ZERO) + shipping + wrapping
    discounts = []
    for _ in range(draw(st.integers(0, 1 if gentle else 2))):
        discount, shares = draw(_discounts(plain, rate, rounding))
        if any(one.free_shipping for one in discounts) and discount.free_shipping:
            continue
        discounts.append(discount)
        for its_rate, share in shares.items():
            per_rate[its_rate] -= share
    order = order_of(
        bought,
        rounding=rounding,
        shipping=shipping,
        shipping_rate=rate,
        wrapping=wrapping,
        wrapping_rate=rate,
        discounts=discounts,
        country=country,
    )
    return Sold(order, country, rounding, per_rate)


def _per_rate(order: ShopOrder) -> dict[Decimal, Decimal]:
    found: dict[Decimal, Decimal] = {}
    for line in order.lines:
        found[line.tax.rate] = found.get(line.tax.rate, ZERO) + line.total.excl
    return found


@st.composite
def _discounts(
    draw: st.DrawFn, order: ShopOrder, shipping_rate: Decimal, rounding: Rounding
) -> tuple[ShopDiscount, dict[Decimal, Decimal]]:
    """A cart rule and how it divides: a share of all, of one product, an amount with tax, free shipping."""
    whole = Amount(
        sum((line.total.excl for line in order.lines), ZERO),
        sum((line.total.incl for line in order.lines), ZERO),
    )
    kinds = ["percentage", "amount", "product", *(["shipping"] if order.shipping.excl else [])]
    kind = draw(st.sampled_from(kinds))
    if kind == "shipping":
        rule = ShopDiscount("Free shipping", order.shipping, free_shipping=True, id_product=0)
        return rule, {shipping_rate: order.shipping.excl}
    share = Decimal(draw(st.integers(1, 45))) / 100
    if kind == "product":
        line = draw(st.sampled_from(order.lines))
        value = _rounded(Amount(line.total.excl * share, line.total.incl * share), rounding)
        rule = ShopDiscount("One product", value, free_shipping=False, id_product=line.id_product)
        return rule, {line.tax.rate: value.excl}
    if kind == "amount":
        incl = rounding.cents(whole.incl * share)
        value = Amount(rounding.cents(incl * whole.excl / whole.incl), incl) if whole.incl else whole
    else:
        value = _rounded(Amount(whole.excl * share, whole.incl * share), rounding)
    rule = ShopDiscount("Welcome", value, free_shipping=False, id_product=0)
    parts = _per_rate(order)
    return rule, {rate: value.excl * part / whole.excl for rate, part in parts.items()} if whole.excl else {}


def _rounded(amount: Amount, rounding: Rounding) -> Amount:
    """A discount is rounded like a line, and with taxes rounded in total not at all."""
    if rounding.type == IN_TOTAL:
        return Amount(stored(amount.excl), stored(amount.incl))
    return Amount(rounding.cents(amount.excl), rounding.cents(amount.incl))


def globe(order: SalesOrder) -> tuple[dict[str, Decimal], Decimal]:
    """Globe's arithmetic, told again: VAT per code of the summed lines, half up."""
    sums: dict[str, list[Decimal]] = {}
    for line in order.lines:
        own = sums.setdefault(line.vat_code, [ZERO, line.rate])
        own[0] += line.price * line.quantity
        assert own[1] == line.rate
    excl = {code: half_up(amount) for code, (amount, _) in sums.items()}
    vat = [half_up(amount * rate / 100) for amount, rate in sums.values()]
    return excl, sum(excl.values(), ZERO) + sum(vat, ZERO)


def half_up(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def without_vat_rounding(order: SalesOrder) -> SalesOrder:
    """The order without the line that brings the total incl. tax right, which is booked without VAT."""
    lines = [line for line in order.lines if not (line.kind is LineKind.ROUNDING and not line.rate)]
    return order._replace(lines=tuple(lines))


def check_agrees(order: SalesOrder, country: str, per_rate: Mapping[Decimal, Decimal], incl: Decimal) -> None:
    excl, total = globe(order)
    assert total == half_up(incl)
    by_code, _ = globe(without_vat_rounding(order))
    for rate, amount in per_rate.items():
        # A cent is decided by the sixth decimal where a discount is divided.
        found = by_code.get(CODES[country, int(rate)], ZERO)
        assert abs(found - amount) <= Decimal("0.005001") or (not rate and abs(found - amount) <= FIVE_CENTS)
    assert {line.vat_code for line in order.lines} <= {
        code for (own, _), code in CODES.items() if own == country
    }
    rounding = [abs(line.amount) for line in order.lines if line.kind is LineKind.ROUNDING]
    # Each also brings its rate's sum to a whole cent.
    assert sum(rounding) <= FIVE_CENTS + Decimal("0.005") * len(rounding)
    assert set(excl) >= {CODES[country, int(rate)] for rate, amount in per_rate.items() if half_up(amount)}


@given(sold())
@settings(max_examples=300)
def test_a_document_comes_to_the_shops_totals_or_does_not_go(one: Sold) -> None:
    mapped = map_order(one.order, RULES)

    if isinstance(mapped, MappedOrder):
        check_agrees(mapped.order, one.country, one.per_rate, one.order.paid.incl)
    else:
        assert [refusal.reason for refusal in mapped] == ["totals_differ"]


@given(sold(gentle=True))
@settings(max_examples=200)
def test_the_orders_of_an_ordinary_shop_do_go(one: Sold) -> None:
    mapped = map_order(one.order, RULES)

    assert isinstance(mapped, MappedOrder), mapped
    check_agrees(mapped.order, one.country, one.per_rate, one.order.paid.incl)


class GivenBack(NamedTuple):
    """A credit slip, and the country of its order's taxes."""

    slip: ShopSlip
    country: str


@st.composite
def slips(draw: st.DrawFn, *, gentle: bool = False) -> GivenBack:
    """Whole and partial refunds, with and without shipping, less a voucher, or of an amount somebody typed."""
    one = draw(sold(gentle=gentle))
    prices_have_tax = draw(st.booleans())
    returned = {}
    for line in draw(st.lists(st.sampled_from(one.order.lines), unique=True)):
        quantity = draw(st.integers(1, line.quantity))
        paid = line.total.incl if prices_have_tax else line.total.excl
        part = Decimal(draw(st.sampled_from([100, 100, 75, 30]))) / 100  # goods may come back for less
        returned[line.id_order_detail] = (quantity, stored(paid / line.quantity * part))
    shipping = draw(st.sampled_from([ZERO, one.order.shipping.incl]))
    worth = sum((quantity * price for quantity, price in returned.values()), ZERO)
    kind = draw(st.sampled_from(["plain", "voucher", "typed"] if returned else ["typed"]))
    part = half_up(worth * draw(st.integers(10, 60)) / 100)
    slip = slip_of(
        one.order,
        returned,
        prices_have_tax=prices_have_tax,
        rounding=one.rounding,
        shipping=shipping,
        voucher=part if kind == "voucher" else ZERO,
        typed=Decimal(draw(st.integers(10, 5000))) / 100 if kind == "typed" else ZERO,
    )
    return GivenBack(slip, one.country)


def check_refund(order: SalesOrder, given_back: GivenBack) -> None:
    _, total = globe(order)
    assert total == -refunded(given_back.slip)
    for line in order.lines:
        assert line.kind in (LineKind.REFUND, LineKind.ROUNDING) or line.quantity < 0
        assert line.price >= 0
    own = {code for (country, _), code in CODES.items() if country == given_back.country}
    assert {line.vat_code for line in order.lines} <= own


@given(slips())
@settings(max_examples=300)
def test_a_refund_comes_to_what_was_given_back_or_does_not_go(given_back: GivenBack) -> None:
    mapped = map_slip(given_back.slip, RULES)

    if isinstance(mapped, MappedOrder):
        check_refund(mapped.order, given_back)
    else:
        assert {str(refusal.reason) for refusal in mapped} <= {"totals_differ", "no_lines"}


@given(slips(gentle=True))
@settings(max_examples=200)
def test_the_refunds_of_an_ordinary_shop_do_go(given_back: GivenBack) -> None:
    mapped = map_slip(given_back.slip, RULES)

    # A price of a fraction of a cent is given back as nothing.
    assume(refunded(given_back.slip) > FIVE_CENTS)
    assert isinstance(mapped, MappedOrder), mapped
    check_refund(mapped.order, given_back)
