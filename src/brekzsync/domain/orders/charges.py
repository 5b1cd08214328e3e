"""What a shop charged, by tax rate: product lines, shipping, wrapping, discounts.

PrestaShop keeps one amount without and one with tax for shipping, wrapping and each discount, not the rates
in between. They are found the way it computed them (``Order::getProductTaxesDetails`` of PrestaShop): the
first division over rates whose tax is the one the shop stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from brekzsync.domain.orders.sales_orders import LineKind
from brekzsync.domain.orders.shop_orders import Amount, ShopDiscount, ShopOrder, Tax

CENT = Decimal("0.01")
_ZERO = Decimal(0)
Shares = Mapping[Tax, Decimal]
"""An amount excl. tax divided over taxes."""
_NOMINAL: Shares = {}


class Charge(NamedTuple):
    """``amount`` is excl. tax for all ``quantity`` pieces and has the sign it has for the customer's bill.

    ``code`` is the item's own for a product, ``""`` for all else.
    """

    kind: LineKind
    code: str
    description: str
    quantity: int
    amount: Decimal
    tax: Tax


def cents(amount: Decimal) -> Decimal:
    """Rounded to whole cents, half away from zero, as Globe and PrestaShop's default do."""
    return amount.quantize(CENT, ROUND_HALF_UP)


def divided(excl: Decimal, weights: Shares) -> dict[Tax, Decimal]:
    """``excl`` in proportion to ``weights``; the heaviest takes what division leaves over."""
    whole = sum(weights.values(), _ZERO)
    if not whole:
        return {}
    shares = {tax: excl * weight / whole for tax, weight in weights.items() if weight}
    heaviest = max(shares, key=lambda tax: abs(shares[tax]))
    shares[heaviest] += excl - sum(shares.values(), _ZERO)
    return shares


def fits(amount: Amount, shares: Shares, ratios: Shares) -> bool:
    """Whether these shares carry the tax the shop stored, to the cent that each of them may be rounded by.

    ``ratios`` is the tax in one of each, where the shop's own rounding makes it another than the rate says.
    """
    return bool(shares) and abs(_tax_of(shares, ratios) - amount.tax) <= CENT * len(shares)


def weights_of(order: ShopOrder, id_product: int = 0) -> dict[Tax, Decimal]:
    """What the order's products (or one of them) come to per tax."""
    weights: dict[Tax, Decimal] = {}
    for line in order.lines:
        if not id_product or line.id_product == id_product:
            weights[line.tax] = weights.get(line.tax, _ZERO) + line.total.excl
    return weights


def ratios_of(order: ShopOrder, id_product: int = 0) -> dict[Tax, Decimal]:
    """The tax in one of each, as the lines have it: rounded per piece, fifty pieces may carry much more."""
    taxes: dict[Tax, Decimal] = {}
    for line in order.lines:
        if not id_product or line.id_product == id_product:
            taxes[line.tax] = taxes.get(line.tax, _ZERO) + line.total.tax
    return {tax: taxes[tax] / weight for tax, weight in weights_of(order, id_product).items() if weight}


def shipping_shares(order: ShopOrder, shipping: Amount) -> Shares:
    """Shipping costs per tax: the carrier's rate, a rate of the products, or those of all products on average
    (PS_ATCP_SHIPWRAP). Where none explains the tax it is the carrier's, and the totals will not agree."""
    return _first_that_fits(shipping, _for_all([Tax(order.shipping_rate)], order, shipping.excl))


def wrapping_shares(order: ShopOrder, known_rates: Sequence[Decimal]) -> Shares:
    """Gift wrapping per tax; its rate is not kept with the order, so ``known_rates`` are tried last."""
    singles = [Tax(line.tax.rate) for line in order.lines] + [Tax(order.shipping_rate)]
    options = [*_for_all(singles, order, order.wrapping.excl)]
    options += [{Tax(rate): order.wrapping.excl} for rate in known_rates]
    return _first_that_fits(order.wrapping, iter(options))


def discounts(order: ShopOrder) -> Iterator[tuple[str, Shares]]:
    """Each discount's name and shares (positive); what the order took off beyond its cart rules comes last."""
    rest = order.discounted
    for discount in order.discounts:
        rest = rest.minus(discount.value)
        if discount.value.excl or discount.value.incl:
            yield discount.name, _discount_shares(order, discount)
    if abs(rest.incl) >= CENT or abs(rest.excl) >= CENT:
        unnamed = ShopDiscount("", rest, free_shipping=False, id_product=0)
        yield "", _discount_shares(order, unnamed)


def _discount_shares(order: ShopOrder, discount: ShopDiscount) -> Shares:
    products = weights_of(order)
    freight = dict(shipping_shares(order, order.shipping)) if order.shipping.excl else {}
    everything = _added(products, freight)
    excl, ratios = discount.value.excl, ratios_of(order)
    if discount.id_product:
        own = divided(excl, weights_of(order, discount.id_product))
        if fits(discount.value, own, ratios_of(order, discount.id_product)):
            return own

    def options() -> Iterator[Shares]:
        if discount.free_shipping:
            yield _added(freight, divided(excl - order.shipping.excl, products))
        yield divided(excl, products)
        yield divided(excl, everything)
        for tax in everything:
            yield {tax: excl}
        yield _leaning(discount.value, everything, ratios)

    return _first_that_fits(discount.value, options(), ratios)


def _for_all(singles: Sequence[Tax], order: ShopOrder, excl: Decimal) -> Iterator[Shares]:
    products = weights_of(order)
    rates = dict.fromkeys([*singles, *(Tax(tax.rate) for tax in products)])
    for tax in rates:
        yield {tax: excl}
    yield divided(excl, products)


def _first_that_fits(amount: Amount, options: Iterator[Shares], ratios: Shares = _NOMINAL) -> Shares:
    """The first that explains the tax, else the first at all: the totals tell what is wrong then."""
    first: Shares | None = None
    for shares in options:
        if fits(amount, shares, ratios):
            return shares
        if first is None and shares:
            first = shares
    return first or {Tax(_ZERO): amount.excl}


def _leaning(amount: Amount, weights: Shares, ratios: Shares) -> Shares:
    """In proportion, then moved between the lowest and the highest rates until the tax is the stored one.

    With two rates there is one such division; no share grows beyond what it is taken off of.
    """
    if amount.excl <= 0:
        return {}
    shares = divided(amount.excl, weights)
    missing = amount.tax - _tax_of(shares, ratios)
    givers = sorted(shares, key=lambda tax: _ratio(tax, ratios), reverse=missing < 0)
    for taker in reversed(givers):
        for giver in givers:
            gap = abs(_ratio(taker, ratios) - _ratio(giver, ratios))
            if not gap:
                break
            room = max(weights[taker] - shares[taker], _ZERO)
            moved = min(shares[giver], room, abs(missing) / gap)
            shares[giver] -= moved
            shares[taker] += moved
            missing -= (moved * gap).copy_sign(missing)
    return {tax: share for tax, share in shares.items() if share}


def _ratio(tax: Tax, ratios: Shares) -> Decimal:
    return ratios.get(tax, tax.rate / 100)


def _tax_of(shares: Shares, ratios: Shares) -> Decimal:
    return sum((share * _ratio(tax, ratios) for tax, share in shares.items()), _ZERO)


def _added(first: Shares, second: Shares) -> dict[Tax, Decimal]:
    taxes = dict.fromkeys([*first, *second])
    return {tax: first.get(tax, _ZERO) + second.get(tax, _ZERO) for tax in taxes}
