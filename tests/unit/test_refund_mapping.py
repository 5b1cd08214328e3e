"""What is given back, as a sales order with negative quantities."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from brekzsync.domain.orders.mapping import MappedOrder
from brekzsync.domain.orders.refunds import map_slip, refunded
from brekzsync.domain.orders.sales_orders import SalesOrder
from brekzsync.domain.orders.shop_orders import NOTHING, Amount, ShopOrder, ShopSlip, ShopSlipLine
from tests.shop_orders import RULES, Bought, order_of, slip_of

BED = Bought(Decimal("20.00"), 2, Decimal(21), "BED")
FOOD = Bought(Decimal("10.00"), 3, Decimal(9), "FOOD")
ORDER = order_of([BED, FOOD], shipping=Decimal("4.09"))


def mapped(slip: ShopSlip) -> SalesOrder:
    result = map_slip(slip, RULES)
    assert isinstance(result, MappedOrder), result
    return result.order


def said(slip: ShopSlip) -> list[tuple[str, str, int, str, str]]:
    return [
        (str(line.kind), line.item_code, line.quantity, str(line.price), line.vat_code)
        for line in mapped(slip).lines
    ]


def test_a_partial_refund_gives_back_the_pieces_that_came_back() -> None:
    slip = slip_of(ORDER, {1: (1, Decimal("24.20"))})

    order = mapped(slip)

    assert (order.your_ref, order.description, order.date) == ("XKBKNABJK-7-R3", "Refund 3", "2026-12-02")
    assert (order.debtor, order.payment_method, order.delivery_method) == ("42", "B", "")
    assert said(slip) == [("product", "BED", -1, "20.0000", "2")]


def test_shipping_is_given_back_on_its_item() -> None:
    slip = slip_of(ORDER, {2: (3, Decimal("10.90"))}, shipping=Decimal("4.95"))

    assert said(slip) == [
        ("product", "FOOD", -3, "10.0000", "1"),
        ("shipping", "SHIPPING", -1, "4.0900", "2"),
    ]


def test_a_piece_may_come_back_for_less() -> None:
    assert said(slip_of(ORDER, {1: (1, Decimal("12.10"))})) == [("product", "BED", -1, "10.0000", "2")]


def test_an_amount_somebody_typed_goes_to_the_refund_item_by_the_orders_rates() -> None:
    slip = slip_of(ORDER, {}, typed=Decimal("8.11"))

    # 48.40 of the order's products were at 21 %, 32.70 at 9 %.
    assert said(slip) == [("refund", "REFUND", -1, "4.0000", "2"), ("refund", "REFUND", -1, "3.0000", "1")]
    assert refunded(slip) == Decimal("8.11")


def test_what_was_typed_beside_returned_goods_is_kept_back_or_added_by_their_rates() -> None:
    returned = {1: (1, Decimal("24.20"))}

    assert said(slip_of(ORDER, returned, typed=Decimal("12.10"))) == [
        ("product", "BED", -1, "20.0000", "2"),
        ("refund", "REFUND", 1, "10.0000", "2"),
    ]
    assert said(slip_of(ORDER, returned, typed=Decimal("36.30")))[1] == (
        "refund",
        "REFUND",
        -1,
        "10.0000",
        "2",
    )


def test_a_typed_amount_may_happen_to_be_the_price_without_tax() -> None:
    slip = slip_of(ORDER, {1: (1, Decimal("24.20"))}, typed=Decimal("20.00"))

    assert refunded(slip) == Decimal("20.00")
    assert said(slip)[1] == ("refund", "REFUND", 1, "3.4700", "2")


def test_shipping_beside_goods_is_no_typed_amount() -> None:
    slip = slip_of(ORDER, {1: (1, Decimal("24.20"))}, shipping=Decimal("4.95"))

    assert (slip.kind, refunded(slip)) == (2, Decimal("29.15"))


def test_a_voucher_is_kept_back_whichever_total_the_shop_took_it_off() -> None:
    expected = [("product", "BED", -1, "20.0000", "2"), ("refund", "REFUND", 1, "5.0000", "2")]
    with_tax = slip_of(ORDER, {1: (1, Decimal("24.20"))}, voucher=Decimal("6.05"))
    without = slip_of(ORDER, {1: (1, Decimal("20.00"))}, prices_have_tax=False, voucher=Decimal("6.05"))

    assert with_tax.products == Amount(Decimal("13.95"), Decimal("24.20"))
    assert without.products == Amount(Decimal("20.00"), Decimal("18.15"))
    assert said(with_tax) == said(without) == expected


def test_money_without_goods_is_no_return_of_the_item() -> None:
    line = ShopSlipLine(1, 0, Amount(Decimal("5.00"), Decimal("6.05")))
    slip = slip_of(order_of([BED]), {})._replace(lines=(line,), products=line.total)

    assert said(slip) == [("refund", "REFUND", -1, "5.0000", "2")]


def test_slips_of_old_releases_kept_no_totals() -> None:
    line = ShopSlipLine(1, 1, Amount(Decimal("20.00"), Decimal("24.20")))
    slip = slip_of(ORDER, {})._replace(lines=(line,), products=None, amount=Decimal("24.20"))

    assert said(slip) == [("product", "BED", -1, "20.0000", "2")]


def test_negative_prices_for_discounts_are_none_for_refunds() -> None:
    slip = slip_of(ORDER, {}, typed=Decimal("8.11"))

    result = map_slip(slip, replace(RULES, discount_form="negative_price"))

    assert isinstance(result, MappedOrder)
    assert all(line.quantity < 0 < line.price for line in result.order.lines)


def test_a_refund_is_refused_for_the_same_reasons_and_for_its_own() -> None:
    order: ShopOrder = ORDER._replace(reference="X" * 26, payment_module="")
    slip = slip_of(order, {}, typed=Decimal("8.11"))

    result = map_slip(slip, replace(RULES, items={}))

    assert not isinstance(result, MappedOrder)
    assert [refusal.reason for refusal in result] == [
        "your_ref_too_long",
        "unmapped_payment_method",
        "item_not_configured",
    ]
    assert "[orders] refund_item" in result[2].message


def test_a_slip_of_nothing_is_refused() -> None:
    result = map_slip(slip_of(ORDER, {})._replace(products=NOTHING), RULES)

    assert not isinstance(result, MappedOrder)
    assert [refusal.reason for refusal in result] == ["no_lines"]
