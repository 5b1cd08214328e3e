"""From a credit slip of the shop to a sales order with negative quantities.

What a slip came to is told by several columns that PrestaShop fills in several ways (read in its
``OrderSlip::create``): the products' prices, those less a voucher, or an amount somebody typed. Whatever
they do not explain line by line goes to the refund item.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from brekzsync.domain.orders.charges import CENT, Charge, cents, divided, shipping_shares
from brekzsync.domain.orders.lines import Bill, bill_lines
from brekzsync.domain.orders.mapping import AcknowledgedCode, MappedOrder, complete, item_code, your_ref
from brekzsync.domain.orders.parties import Parties
from brekzsync.domain.orders.rules import OrderRules
from brekzsync.domain.orders.sales_orders import LineKind
from brekzsync.domain.orders.shop_orders import NOTHING, Amount, ShopSlip, Tax
from brekzsync.domain.orders.totals import LIMIT
from brekzsync.domain.products import Refusal

_TYPED_AMOUNT = 2  # order_slip_type


def map_slip(
    slip: ShopSlip, rules: OrderRules, acknowledged: AcknowledgedCode = lambda _: None
) -> MappedOrder | tuple[Refusal, ...]:
    """The refund's sales order; all refusals, never only the first."""
    order = slip.order
    rules = replace(rules, discount_form="negative_quantity")  # as all that is given back
    parties = Parties(order, rules)
    charges = list(_charges(slip, acknowledged))
    given_back = refunded(slip)
    total = Amount(sum((charge.amount for charge in charges), Decimal(0)), -given_back)
    name = f"Refund {slip.id_order_slip}"
    billed = bill_lines(Bill(name, parties.tax_country(), charges, total), rules)
    reference = f"{your_ref(order)}-R{slip.id_order_slip}"
    return complete(order, rules, parties, billed, reference, name, slip.created_on, is_refund=True)


def refunded(slip: ShopSlip) -> Decimal:
    """What the customer gets back, incl. tax, in whole cents."""
    return cents(_products(slip) + slip.shipping.incl)


def _products(slip: ShopSlip) -> Decimal:
    """What the customer gets back beside shipping, incl. tax."""
    lines = _lines_total(slip)
    if slip.products is None:
        return slip.amount or lines.incl
    kept = (slip.products.excl, slip.products.incl)
    is_typed = all(abs(slip.amount - own) >= CENT for own in kept) or not slip.shipping.incl
    if slip.kind == _TYPED_AMOUNT and slip.amount and is_typed:
        return slip.amount
    # PrestaShop takes a voucher, which is incl. tax, off the total it computed last: that without tax where
    # the prices were typed with tax.
    voucher = lines.excl - slip.products.excl
    if slip.kind and voucher > LIMIT and abs(lines.incl - slip.products.incl) <= LIMIT:
        return slip.products.incl - voucher
    return slip.products.incl


def _lines_total(slip: ShopSlip) -> Amount:
    total = NOTHING
    for line in slip.lines:
        total = total.plus(line.total)
    return total


def _charges(slip: ShopSlip, acknowledged: AcknowledgedCode) -> Iterator[Charge]:
    """All amounts are negative, as the customer's bill has them; so are quantities, but of what is kept back."""
    ordered = {line.id_order_detail: line for line in slip.order.lines}
    returned: dict[Tax, Decimal] = {}
    goods = NOTHING
    for slip_line in slip.lines:
        line = ordered.get(slip_line.id_order_detail)
        if line is None or slip_line.quantity <= 0:
            continue  # money without goods, or a line the order has lost: part of the difference
        goods = goods.plus(slip_line.total)
        returned[line.tax] = returned.get(line.tax, Decimal(0)) + slip_line.total.incl
        code = item_code(line, acknowledged)
        excl = -slip_line.total.excl
        yield Charge(LineKind.PRODUCT, code, line.name, -slip_line.quantity, excl, line.tax)
    if slip.shipping.incl:
        name = slip.order.carrier.name if slip.order.carrier else ""
        for tax, amount in shipping_shares(slip.order, slip.shipping).items():
            yield Charge(LineKind.SHIPPING, "", name, -1, -amount, tax)
    yield from _difference(slip, _products(slip) - goods.incl, returned)


def _difference(slip: ShopSlip, incl: Decimal, returned: dict[Tax, Decimal]) -> Iterator[Charge]:
    """What is given back (or kept) beyond the returned goods' own prices, by their rates, else the order's."""
    if abs(incl) <= LIMIT and returned:  # a rounding difference, which has an item of its own
        return
    for tax, share in divided(incl, _weights(slip, returned)).items():
        excl = cents(share / (1 + tax.rate / 100))
        if excl:
            yield Charge(LineKind.REFUND, "", "", -1 if excl > 0 else 1, -excl, tax)


def _weights(slip: ShopSlip, returned: dict[Tax, Decimal]) -> dict[Tax, Decimal]:
    """What a difference is divided by; an order worth nothing may have money given back all the same."""
    if any(returned.values()):
        return returned
    weights: dict[Tax, Decimal] = {}
    for line in slip.order.lines:
        weights[line.tax] = weights.get(line.tax, Decimal(0)) + line.total.incl
    if any(weights.values()):
        return weights
    return dict.fromkeys(list(weights)[:1] or [Tax(slip.order.shipping_rate)], Decimal(1))
