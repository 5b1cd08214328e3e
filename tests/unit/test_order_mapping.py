"""What a sales order says of a shop's order, sentence by sentence, and every reason why one cannot go."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.orders.charges import cents
from brekzsync.domain.orders.mapping import MappedOrder, map_order
from brekzsync.domain.orders.rules import OrderRules
from brekzsync.domain.orders.sales_orders import PostalAddress, SalesOrder
from brekzsync.domain.orders.shop_orders import Amount, ShopCarrier, ShopDiscount, ShopOrder
from brekzsync.domain.orders.totals import globe_totals
from tests.shop_orders import HOME, IN_TOTAL, OFFICE, PER_PIECE, RULES, ZERO, Bought, Rounding, order_of

BED = Bought(Decimal("12.3554"), 2, Decimal(21), "BED")
FOOD = Bought(Decimal("4.50"), 3, Decimal(9), "FOOD")
ADDRESS = PostalAddress(
    name="Sanne de Vries",
    line1="Dorpsstraat 5 b",
    line2="",
    line3="",
    postal_code="3511 AB",
    city="Utrecht",
    country="NL",
    phone="0301234567",
    email="sanne@example.com",
)
SHIPPING = Decimal("4.09")


def mapped(order: ShopOrder, rules: OrderRules = RULES) -> SalesOrder:
    result = map_order(order, rules)
    assert isinstance(result, MappedOrder), result
    return result.order


def reasons(order: ShopOrder, rules: OrderRules = RULES) -> list[str]:
    result = map_order(order, rules)
    assert not isinstance(result, MappedOrder)
    assert all(refusal.message.endswith((".", "item.", "settings.")) for refusal in result)
    return [str(refusal.reason) for refusal in result]


def said(order: SalesOrder) -> list[tuple[str, str, int, str, str]]:
    return [
        (str(line.kind), line.item_code, line.quantity, str(line.price), line.vat_code)
        for line in order.lines
    ]


def off(name: str, excl: str, incl: str, *, free_shipping: bool = False, id_product: int = 0) -> ShopDiscount:
    return ShopDiscount(name, Amount(Decimal(excl), Decimal(incl)), free_shipping, id_product)


# --- the header ------------------------------------------------------------------------------------------


def test_the_header_says_who_ordered_what_and_how_it_is_paid_and_sent() -> None:
    rules = replace(
        RULES,
        debtor_prefix="W",
        payment_conditions={"ps_wirepayment": "14"},
        warehouse="1",
        costcenter="WEB",
        selection="WS",
    )

    order = mapped(order_of([BED], shipping=SHIPPING), rules)

    assert order._replace(lines=(), account=None) == SalesOrder(
        your_ref="XKBKNABJK-7",
        description="Order 7",
        date="2026-11-21",  # the shop's day; in UTC it was the 20th
        currency="EUR",
        debtor="W42",
        deliver_to=ADDRESS,
        invoice_to=ADDRESS,
        warehouse="1",
        payment_method="B",
        payment_condition="14",
        delivery_method="PNL",
        costcenter="WEB",
        selection="WS",
        lines=(),
        account=None,
    )


def test_a_reference_over_30_characters_is_refused_and_never_cut() -> None:
    fits = order_of([BED])._replace(reference="X" * 28)

    assert mapped(fits).your_ref == "X" * 28 + "-7"
    assert reasons(fits._replace(reference="X" * 29)) == ["your_ref_too_long"]


def test_a_company_is_the_addressee_and_the_person_is_not_lost() -> None:
    order = mapped(order_of([BED])._replace(delivery=OFFICE))

    assert order.deliver_to[:4] == ("De Vries & Zn", "Kade 1", "2e verdieping", "Sanne de Vries")
    assert order.invoice_to == ADDRESS


def test_what_is_longer_than_exact_takes_is_cut_and_told() -> None:
    long = HOME._replace(last_name="de Vries " * 10, line1="a" * 120, phone="", mobile="\x07" + "0" * 30)

    result = map_order(order_of([BED])._replace(delivery=long), RULES)

    assert isinstance(result, MappedOrder)
    assert result.warnings == {"address_cut", "control_characters_removed"}
    address = result.order.deliver_to
    assert (len(address.name), len(address.line1), address.phone) == (50, 100, "0" * 25)


def test_a_country_may_have_another_code_in_exact() -> None:
    order = mapped(order_of([BED], country="BE"), replace(RULES, countries={"BE": "B"}))

    assert order.deliver_to.country == "B"
    assert [line.vat_code for line in order.lines] == ["B2"]


def test_a_customer_is_a_debtor_with_an_account_of_its_own() -> None:
    order = order_of([BED])._replace(invoice=OFFICE)

    account = mapped(order).account

    assert account is not None
    assert account[:9] == (
        "42",
        "De Vries & Zn",
        "Sanne",
        "de Vries",
        "0301234567",
        "sanne@example.com",
        "NL",
        "EUR",
        "NL1B01",
    )
    assert account.delivery == ADDRESS
    assert account.invoice == account.visit == mapped(order).invoice_to


def test_all_customers_may_share_one_debtor_and_the_address_says_who_it_is() -> None:
    rules = replace(RULES, debtor="collective", collective_debtor="90000")

    order = mapped(order_of([BED])._replace(customer=None), rules)

    assert (order.debtor, order.account) == ("90000", None)
    assert order.deliver_to == ADDRESS._replace(email="")
    assert reasons(order_of([BED]), replace(rules, collective_debtor="")) == ["debtor_not_configured"]


def test_maps_go_by_the_carriers_reference_or_its_name_in_any_letter_case() -> None:
    order = order_of([BED])._replace(
        carrier=ShopCarrier(9, " Click & Collect "), payment_module="PS_WirePayment"
    )

    assert (
        mapped(order, replace(RULES, delivery_methods={"click & collect": "PICK"})).delivery_method == "PICK"
    )


def test_an_order_with_nothing_to_send_has_no_delivery_method() -> None:
    assert mapped(order_of([BED])._replace(carrier=None)).delivery_method == ""


# --- the lines -------------------------------------------------------------------------------------------


def test_every_amount_has_its_line_on_its_item() -> None:
    order = order_of(
        [BED, FOOD],
        shipping=SHIPPING,
        wrapping=Decimal("2.50"),
        wrapping_rate=Decimal(21),
        discounts=[off("Welcome", "3.82", "4.45")],
    )

    assert said(mapped(order)) == [
        ("product", "BED", 2, "12.3550", "2"),
        ("product", "FOOD", 3, "4.5000", "1"),
        ("wrapping", "WRAPPING", 1, "2.5000", "2"),
        ("shipping", "SHIPPING", 1, "4.0900", "2"),
        ("discount", "DISCOUNT", -1, "2.4704", "2"),
        ("discount", "DISCOUNT", -1, "1.3496", "1"),
        ("rounding", "ROUNDING", 1, "0.0300", "0"),
    ]


def test_a_discount_may_have_a_negative_price_instead() -> None:
    order = order_of([BED], discounts=[off("Welcome", "2.47", "2.99")])

    lines = said(mapped(order, replace(RULES, discount_form="negative_price")))

    assert lines[1] == ("discount", "DISCOUNT", 1, "-2.4700", "2")


def test_a_discount_for_one_product_is_of_that_products_rate() -> None:
    order = order_of([BED, FOOD], discounts=[off("Food", "1.35", "1.47", id_product=2)])

    assert ("discount", "DISCOUNT", -1, "1.3500", "1") in said(mapped(order))
    assert [str(line.kind) for line in mapped(order).lines].count("discount") == 1


def test_free_shipping_is_taken_off_at_the_carriers_rate() -> None:
    rule = off("Free shipping", "4.09", "4.95", free_shipping=True)

    lines = said(mapped(order_of([FOOD], shipping=SHIPPING, discounts=[rule])))

    assert lines[1:3] == [
        ("shipping", "SHIPPING", 1, "4.0900", "2"),
        ("discount", "DISCOUNT", -1, "4.0900", "2"),
    ]


def test_a_discount_is_divided_so_that_its_tax_is_the_shops() -> None:
    """Of 10.00, of which 2.00 at 21 % and 8.00 at 9 %, 1.14 is tax: in proportion it would be otherwise."""
    bought = [Bought(Decimal(50), 1, Decimal(21), "BED"), Bought(Decimal(50), 1, Decimal(9), "FOOD")]

    lines = said(mapped(order_of(bought, discounts=[off("A selection", "10.00", "11.14")])))

    assert [line[3:] for line in lines if line[0] == "discount"] == [("2.0000", "2"), ("8.0000", "1")]


def test_a_discount_follows_the_taxes_as_the_shop_rounded_them() -> None:
    """Half of 20 cans at 0.37 and 0.45 each, whose tax is 1.60 and not 1.55, and of food for 10.00."""
    cans, food = Bought(Decimal("0.3719"), 20, Decimal(21)), Bought(Decimal(10), 1, Decimal(9))
    order = order_of([cans, food], rounding=Rounding(PER_PIECE), discounts=[off("Half", "8.70", "9.95")])

    lines = said(mapped(order))

    assert [line[3:] for line in lines if line[0] == "discount"] == [("3.7000", "2"), ("5.0000", "1")]


def test_shares_of_a_discount_under_one_vat_code_are_one_line() -> None:
    order = order_of([BED, BED], discounts=[off("Welcome", "2.00", "2.42")])
    first, second = order.lines
    order = order._replace(lines=(first, second._replace(tax=second.tax._replace(id_tax_rules_group=99))))

    assert [line for line in said(mapped(order)) if line[0] == "discount"] == [
        ("discount", "DISCOUNT", -1, "2.0000", "2")
    ]


def test_what_was_taken_off_beyond_the_cart_rules_is_a_discount_too() -> None:
    order = order_of([BED], discounts=[off("Welcome", "2.00", "2.42")])._replace(discounts=())

    assert said(mapped(order))[1] == ("discount", "DISCOUNT", -1, "2.0000", "2")


def test_shipping_taxed_as_the_products_on_average_is_divided_over_their_rates() -> None:
    bought = [Bought(Decimal(50), 1, Decimal(21), "BED"), Bought(Decimal(50), 1, Decimal(9), "FOOD")]
    order = order_of(bought)
    shipping = Amount(Decimal("10.00"), Decimal("11.50"))
    order = order._replace(shipping=shipping, shipping_rate=Decimal(21), paid=order.paid.plus(shipping))

    lines = said(mapped(order))

    assert [line[3:] for line in lines if line[0] == "shipping"] == [("5.0000", "2"), ("5.0000", "1")]


def test_the_acknowledged_code_comes_before_the_reference_it_was_ordered_under() -> None:
    codes: dict[ProductKey, str] = {(1, 10): "BED-NEW"}

    result = map_order(order_of([BED, FOOD]), RULES, codes.get)

    assert isinstance(result, MappedOrder)
    assert [line.item_code for line in result.order.lines[:2]] == ["BED-NEW", "FOOD"]


# --- totals ----------------------------------------------------------------------------------------------


def test_a_cent_is_booked_on_the_rounding_item_without_vat() -> None:
    """Four lines of 0.37 are 0.45 each in the shop; 1.48 and 21 % of it are 1.79."""
    lines = said(mapped(order_of([Bought(Decimal("0.3719"), 1, Decimal(21), "PENNY")] * 4)))

    assert lines == [
        *[("product", "PENNY", 1, "0.3700", "2")] * 4,
        ("rounding", "ROUNDING", 1, "0.0100", "0"),
    ]


def test_lines_that_agree_need_no_rounding_item() -> None:
    order = order_of([Bought(Decimal("0.3333"), 1, Decimal(21), "PENNY")] * 4)

    assert said(mapped(order, replace(RULES, items={}))) == [("product", "PENNY", 1, "0.3300", "2")] * 4


def test_six_cents_are_too_many_and_both_totals_are_told() -> None:
    """60 pieces of 0.45, rounded each: 0.37 excl. tax, and 21 % of 22.20 is 4.66."""
    cans = Bought(Decimal("0.3719"), 60, Decimal(21), "CAN")

    result = map_order(order_of([cans], rounding=Rounding(PER_PIECE)), RULES)

    assert not isinstance(result, MappedOrder)
    (refusal,) = result
    assert refusal.reason == "totals_differ"
    assert "22.20 excl. and 27.00 incl. tax" in refusal.message
    assert "22.20 and 26.86 in Exact" in refusal.message


def test_a_fee_that_no_line_explains_keeps_the_order_back() -> None:
    order = order_of([BED])

    assert reasons(order._replace(paid=order.paid.plus(Amount(ZERO, Decimal(1))))) == ["totals_differ"]


def test_totals_without_tax_that_differ_keep_it_back_though_those_with_tax_agree() -> None:
    order = order_of([BED])

    assert reasons(order._replace(paid=order.paid.plus(Amount(Decimal(1), ZERO)))) == ["totals_differ"]


def test_rounding_needs_an_item_and_a_code_without_vat() -> None:
    order = order_of([Bought(Decimal("0.3719"), 1, Decimal(21), "PENNY")] * 4)
    items = {kind: code for kind, code in RULES.items.items() if kind != "rounding"}
    no_zero = {"21": "2"}

    assert reasons(order, replace(RULES, items=items)) == ["item_not_configured"]
    assert reasons(order, replace(RULES, vat_codes=no_zero)) == ["unmapped_tax_rate"]
    assert reasons(order, replace(RULES, rounding_vat_code="2")) == ["vat_code_of_two_rates"]
    lines = said(mapped(order, replace(RULES, vat_codes=no_zero, rounding_vat_code="N")))
    assert lines[4] == ("rounding", "ROUNDING", 1, "0.0100", "N")


def test_two_decimals_are_made_up_for_by_the_rounding_item_of_the_same_rate() -> None:
    order = order_of([Bought(Decimal("3.3333"), 3, Decimal(21), "BED")])

    lines = said(mapped(order, replace(RULES, price_decimals=0)))

    assert lines == [
        ("product", "BED", 3, "3.33", "2"),
        ("rounding", "ROUNDING", 1, "0.01", "2"),
    ]


def test_fractions_of_a_cent_on_both_sides_of_zero_come_to_whole_cents() -> None:
    """0.0078 less 0.002964 is nothing in cents; the document's prices make half a cent of it."""
    bought = Bought(Decimal("0.00195"), 4, Decimal(21))
    order = order_of([bought], rounding=Rounding(IN_TOTAL), discounts=[off("All", "0.002964", "0.003586")])

    totals = globe_totals(mapped(order).lines)

    assert (totals.excl["2"], totals.incl) == (ZERO, cents(order.paid.incl))


# --- VAT codes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codes", [{"21": "2"}, {"21": "2", "NL:21": "N2"}])
def test_a_foreign_rate_never_falls_back_to_a_bare_one(codes: dict[str, str]) -> None:
    assert reasons(order_of([BED], country="BE"), replace(RULES, vat_codes=codes)) == ["unmapped_tax_rate"]


def test_the_most_exact_vat_code_is_taken() -> None:
    codes = {"21": "2", "NL:21": "N2", "NL:21:21": "G2"}

    assert said(mapped(order_of([BED]), replace(RULES, vat_codes=codes)))[0][4] == "G2"


@pytest.mark.parametrize(("address", "code"), [("delivery", "2"), ("invoice", "B2")])
def test_taxes_go_by_the_address_the_shop_takes_them_by(address: str, code: str) -> None:
    order = order_of([BED])
    order = order._replace(invoice=HOME._replace(country="BE"), tax_address=address)  # type: ignore[arg-type]

    assert said(mapped(order))[0][4] == code


def test_two_rates_under_one_vat_code_are_refused() -> None:
    codes = {"21": "2", "9": "2", "0": "0"}

    assert "vat_code_of_two_rates" in reasons(order_of([BED, FOOD]), replace(RULES, vat_codes=codes))


# --- refusals --------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once() -> None:
    order = order_of([BED._replace(reference=""), FOOD._replace(reference="F" * 31)], shipping=SHIPPING)
    order = order._replace(
        reference="X" * 40,
        currency="",
        delivery=HOME._replace(country="", id_country=99),
        invoice=None,
        customer=None,
        payment_module="mollie",
        carrier=ShopCarrier(5, "Drone"),
        paid=order.paid.plus(Amount(Decimal(3), Decimal(3))),
    )

    assert reasons(order, replace(RULES, items={}, payment_conditions={"x": "1"})) == [
        "your_ref_too_long",
        "unknown_currency",
        "unknown_customer",
        "unknown_country",
        "unknown_address",
        "unmapped_payment_method",
        "unmapped_payment_condition",
        "unmapped_delivery_method",
        "missing_item_code",
        "item_code_too_long",
        "item_not_configured",
        "totals_differ",
    ]


def test_a_carrier_whose_row_is_gone_is_unmapped() -> None:
    order = order_of([BED])._replace(carrier=ShopCarrier(0, ""))

    assert reasons(order, replace(RULES, delivery_methods={"0": "X", "": "Y"})) == [
        "unmapped_delivery_method"
    ]


def test_a_debtor_code_of_more_than_20_characters_is_refused() -> None:
    assert reasons(order_of([BED]), replace(RULES, debtor_prefix="W" * 19)) == ["debtor_code_too_long"]


def test_an_order_that_charges_nothing_has_no_lines() -> None:
    assert reasons(order_of([])) == ["no_lines"]
