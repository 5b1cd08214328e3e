"""What a configuration and its shop do not agree on."""

from __future__ import annotations

from typing import Any

from brekzsync.domain.orders.facts import Carrier, OrderFacts, OrderState, PaymentModule
from brekzsync.flows.configuration_rules import (
    Finding,
    Severity,
    ShopNames,
    UnmappedRate,
    against_the_shop,
    in_itself,
    order_mappings,
    unknown_shops,
    unmapped_rates,
)
from brekzsync.settings import Settings

SHOP = ShopNames("NL", "EUR", "NL", {"nl", "fr"}, {1: "NL", 2: "België"})
STATES = [OrderState(2, "Paid", False), OrderState(6, "Canceled", False), OrderState(8, "Failed", True)]
NOTHING = OrderFacts(states=None, payment_modules=None, carriers=None, recent=0, unreadable=[])


def settings(**sections: Any) -> Settings:
    shop = {"database": "sqlite:///shop.db", "data_shop": "NL"}
    return Settings.model_validate({"shop": shop, **sections})


def test_a_file_that_says_the_least_contradicts_neither_itself_nor_its_shop() -> None:
    least = settings()

    found = [*in_itself(least), *against_the_shop(least, "exact", SHOP), *unknown_shops(least, SHOP)]
    assert found + list(order_mappings(least, NOTHING)) == []


def test_a_state_that_means_two_things_to_the_marketplace_is_an_error() -> None:
    twice = settings(marketplace={"shipped_states": [4], "delivered_states": [5, 4]})

    assert list(in_itself(twice)) == [
        Finding(
            Severity.ERROR,
            "marketplace",
            "delivered_states",
            "Order state 4 stands in shipped_states and in delivered_states: one state is reported as one thing.",
            "Take 4 out of one of the two.",
        )
    ]


def test_a_marketplace_that_is_told_nothing_is_a_warning() -> None:
    (found,) = in_itself(settings(marketplace={"token": "T"}))

    assert (found.severity, found.key) == (Severity.WARNING, "shipped_states")


def test_two_shops_that_may_sell_all_of_one_warehouse_are_a_warning() -> None:
    shops = {
        "NL": {"warehouses": ["1"]},
        "BE": {"warehouses": ["2", "1"]},
        "DE": {"warehouses": ["1"], "share": "50%"},
    }

    (found,) = in_itself(settings(stock={"shops": shops}))

    assert (found.severity, found.section, found.key) == (Severity.WARNING, "stock", "shops")
    assert found.message == (
        "NL and BE are both fed all of warehouse 1: what is there once can be sold twice."
    )


def test_prices_in_another_currency_than_the_shops_are_an_error_where_it_stands() -> None:
    of_target = settings(
        targets={"be": {"exact_xml": {"currency": "USD"}}, "nl": {"products": {"output": "nl"}}}
    )

    assert list(against_the_shop(of_target, "nl", SHOP)) == []
    assert list(against_the_shop(of_target, "be", SHOP)) == [
        Finding(
            Severity.ERROR,
            "targets.be.exact_xml",
            "currency",
            "Prices would be sent as USD; those of NL are in EUR.",
            'Set currency = "EUR", or remove the key.',
        )
    ]


def test_a_shop_without_currency_country_and_dutch_gets_a_finding_for_each() -> None:
    bare = ShopNames("FR", "", "", {"fr"}, {1: "FR"})

    found = [(one.severity, one.section, one.key) for one in against_the_shop(settings(), "exact", bare)]

    assert found == [
        (Severity.ERROR, "exact_xml", "currency"),
        (Severity.WARNING, "shop", "data_shop"),
        (Severity.WARNING, "exact_xml", "language_slots"),
    ]


def test_shops_that_do_not_exist_are_errors_and_ids_and_other_case_are_not() -> None:
    named = settings(orders={"shops": ["nl", "2", "LU"]}, stock={"shops": {"1": {}, "XX": {}}})

    assert [(one.section, one.message, one.remedy) for one in unknown_shops(named, SHOP)] == [
        ("orders", "LU is no shop of this PrestaShop.", "Name one of: NL (1), België (2)."),
        ("stock", "XX is no shop of this PrestaShop.", "Name one of: NL (1), België (2)."),
    ]


def test_a_rate_without_a_vat_code_comes_with_the_line_to_add() -> None:
    (found,) = unmapped_rates("exact_xml", "NL", [UnmappedRate("5.5", 1, "7-0")])

    assert found == Finding(
        Severity.WARNING,
        "exact_xml",
        "vat_codes",
        "The tax rate 5.5 % has no VAT code: 1 product (such as 7-0) would be sent without VAT.",
        'Add "5.5" = "…" to vat_codes: Exact\'s VAT code for 5.5 % in NL.',
    )


def test_a_state_the_file_names_is_an_error_and_one_of_the_defaults_a_warning() -> None:
    facts = NOTHING._replace(states=STATES[:2])

    assert list(order_mappings(settings(orders={"ready_states": [2, 11, 12]}), facts)) == [
        Finding(
            Severity.ERROR,
            "orders",
            "ready_states",
            "There are no order states 11, 12 in this shop.",
            "Set ready_states = [2] with what you meant added, of: 2 Paid, 6 Canceled.",
        ),
        Finding(
            Severity.WARNING,
            "orders",
            "dead_states",
            "There is no order state 8 in this shop.",
            "Set dead_states = [6] with what you meant added, of: 2 Paid, 6 Canceled.",
        ),
    ]


def test_a_deleted_state_may_be_named_because_old_orders_are_in_it() -> None:
    assert list(order_mappings(settings(), NOTHING._replace(states=STATES))) == []


def test_payment_modules_and_carriers_are_mapped_by_name_in_any_case_or_by_reference() -> None:
    modules = [PaymentModule("ps_wirepayment", 3, True), PaymentModule("mollie", 2, False)]
    carriers = [Carrier(7, "Post", 3, True), Carrier(8, "Pick up", 0, True), Carrier(9, "0", 2, False)]
    facts = NOTHING._replace(payment_modules=modules, carriers=carriers, recent=5)
    mapped = {"payment_methods": {"PS_WirePayment": "B"}, "delivery_methods": {"7": "PNL", "PICK UP": "PICK"}}

    assert list(order_mappings(settings(orders=mapped), facts)) == [
        Finding(
            Severity.WARNING,
            "orders",
            "payment_methods",
            "The payment module mollie (2 of the last 5 orders, no longer active) has no payment method.",
            'Add mollie = "…" to payment_methods: Exact\'s code of one character.',
        ),
        Finding(
            Severity.WARNING,
            "orders",
            "delivery_methods",
            "The carrier the shop's own (2 of the last 5 orders, no longer active) has no delivery method.",
            'Add 9 = "…" to delivery_methods: Exact\'s code of at most 5 characters.',
        ),
    ]
