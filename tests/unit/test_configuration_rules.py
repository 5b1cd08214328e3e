"""What a configuration and its shop do not agree on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.orders.facts import Carrier, OrderFacts, OrderRate, OrderState, PaymentModule
from brekzsync.flows.configuration.marketplace import marketplace_in_itself
from brekzsync.flows.configuration.orders import (
    items_in_the_erp,
    order_mappings,
    order_rates,
    order_states,
    orders_in_themselves,
    orders_of_several,
)
from brekzsync.flows.configuration.rules import (
    Finding,
    Severity,
    ShopNames,
    UnmappedRate,
    against_the_shop,
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

    found = [
        *marketplace_in_itself(least),
        *against_the_shop(least, "exact", SHOP),
        *unknown_shops(least, SHOP),
    ]
    assert found + list(order_mappings(least, NOTHING)) == []


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
    named = settings(orders={"shops": ["nl", "2", "LU"]})

    assert [(one.section, one.message, one.remedy) for one in unknown_shops(named, SHOP)] == [
        ("orders", "LU is no shop of this PrestaShop.", "Name one of: NL (1), België (2)."),
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

    assert list(order_states(settings(orders={"ready_states": [2, 11, 12]}), facts)) == [
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
    assert list(order_states(settings(orders={"debtor": "customer"}), NOTHING._replace(states=STATES))) == []


def test_the_states_of_shipments_are_looked_for_where_the_file_speaks_of_shipments() -> None:
    facts = NOTHING._replace(states=STATES)
    states = {"shipped_state": 4, "partial_state": 0, "beyond_states": [4, 6]}

    assert list(order_states(settings(shipments=states), facts)) == [
        Finding(
            Severity.ERROR,
            "shipments",
            "shipped_state",
            "There is no order state 4 in this shop.",
            "Set shipped_state to one of: 2 Paid, 6 Canceled.",
        ),
        Finding(
            Severity.ERROR,
            "shipments",
            "beyond_states",
            "There is no order state 4 in this shop.",
            "Set beyond_states = [6] with what you meant added, of: 2 Paid, 6 Canceled.",
        ),
    ]
    assert list(order_states(settings(), facts)) == []


def test_the_states_of_orders_are_nobodys_business_where_the_file_says_nothing_of_orders() -> None:
    facts = NOTHING._replace(states=[])

    assert list(order_states(settings(), facts)) == []
    assert [one.key for one in order_states(settings(orders={"shops": []}), facts)] == [
        "ready_states",
        "dead_states",
    ]


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


# --- orders -----------------------------------------------------------------------------------------------

ITEMS = {
    "shipping_item": "SHIPPING",
    "wrapping_item": "WRAPPING",
    "discount_item": "DISCOUNT",
    "refund_item": "REFUND",
    "rounding_item": "ROUNDING",
}


def test_each_item_that_is_not_named_is_a_warning_that_says_who_needs_it() -> None:
    named = ITEMS | {"wrapping_item": "", "refund_item": ""}

    assert list(orders_in_themselves(settings(orders=named))) == [
        Finding(
            Severity.WARNING,
            "orders",
            "wrapping_item",
            "An order with gift wrapping would fail: no item is named to book it on.",
            'Set wrapping_item = "…": the code of an item in Exact.',
        ),
        Finding(
            Severity.WARNING,
            "orders",
            "refund_item",
            "A refund of a sum somebody typed would fail: no item is named to book it on.",
            'Set refund_item = "…": the code of an item in Exact.',
        ),
    ]


def test_a_collective_debtor_that_is_not_named_is_an_error() -> None:
    (found,) = orders_in_themselves(settings(orders=ITEMS | {"debtor": "collective"}))

    assert (found.severity, found.key) == (Severity.ERROR, "collective_debtor")
    assert not list(
        orders_in_themselves(settings(orders=ITEMS | {"debtor": "collective", "collective_debtor": "9"}))
    )


@pytest.mark.parametrize(
    ("orders", "key", "message"),
    [
        ({"ready_states": []}, "ready_states", "There are no ready states: no order is ever due."),
        (
            {"ready_states": [2, 6]},
            "dead_states",
            "Order state 6 stands in ready_states too: while an order is in it, it is not due.",
        ),
        (
            {"result_timeout": "30s"},
            "result_timeout",
            "An order whose import takes longer than 30s counts as lost and is sent again.",
        ),
    ],
)
def test_orders_that_never_go_or_go_too_soon_are_warned_of(
    orders: dict[str, Any], key: str, message: str
) -> None:
    (found,) = orders_in_themselves(settings(orders=ITEMS | orders))

    assert (found.severity, found.key, found.message) == (Severity.WARNING, key, message)


def test_an_item_the_erp_lacks_is_an_error_and_a_blocked_one_a_warning() -> None:
    active = ErpItem("shipping", None, None, None, None, "A", True)
    held = dict.fromkeys(("SHIPPING", "WRAPPING", "DISCOUNT"), active)
    held["ROUNDING"] = active._replace(condition="B")

    assert list(items_in_the_erp(settings(orders=ITEMS), "exact", held)) == [
        Finding(
            Severity.ERROR,
            "orders",
            "refund_item",
            "Exact has no item REFUND: orders that need it would fail.",
            "Make the item in Exact, or name one that is there.",
        ),
        Finding(
            Severity.WARNING,
            "orders",
            "rounding_item",
            "Exact has blocked the item ROUNDING: it may refuse orders that need it.",
            "Unblock the item in Exact, or name another.",
        ),
    ]


def test_with_two_targets_it_is_said_in_which_administration_an_item_is_missing() -> None:
    both = settings(orders={"shipping_item": "S"}, targets={"be": {"products": {"output": "be"}}, "nl": {}})

    (found,) = items_in_the_erp(both, "be", {})

    assert found.message == "Exact (be) has no item S: orders that need it would fail."


def test_a_rate_of_an_order_needs_a_code_of_its_own_country() -> None:
    own = settings(
        orders={"rounding_vat_code": "0"},
        exact_xml={"vat_codes": {"21": "2", "BE:21": "B2", "NL:9:4": "1"}},
    )
    rates = [
        OrderRate("NL", Decimal(21), 1, 5),
        OrderRate("BE", Decimal(21), 1, 4),
        OrderRate("DE", Decimal(21), 1, 3),
        OrderRate("NL", Decimal(9), 4, 2),
        OrderRate("NL", Decimal(9), 5, 1),
        OrderRate("NL", Decimal(9), 6, 2),
        OrderRate("", Decimal(21), 1, 1),
    ]

    found = list(order_rates(own, "exact", "NL", NOTHING._replace(rates=rates, recent=9)))

    assert found == [
        Finding(
            Severity.WARNING,
            "exact_xml",
            "vat_codes",
            "The tax rate 21 % of DE (3 of the last 9 orders) has no VAT code: such orders fail.",
            'Add "DE:21" = "…" to vat_codes: Exact\'s VAT code for 21 % in DE.',
        ),
        Finding(
            Severity.WARNING,
            "exact_xml",
            "vat_codes",
            "The tax rate 9 % of NL (2 of the last 9 orders) has no VAT code: such orders fail.",
            'Add "NL:9" = "…" to vat_codes: Exact\'s VAT code for 9 % in NL.',
        ),
    ]


@pytest.mark.parametrize(
    ("rounding", "codes", "severity"),
    [
        ("", {"21": "2"}, Severity.WARNING),
        ("", {"21": "2", "0": "0"}, None),
        ("", {"21": "2", "BE:0": "0"}, Severity.WARNING),
        ("0", {"21": "2"}, None),
        ("0", {"21": "2", "0.00": "0", "BE:0": "0"}, None),
        ("2", {"21": "2"}, Severity.ERROR),
    ],
)
def test_a_rounding_difference_needs_a_vat_code_without_vat(
    rounding: str, codes: dict[str, str], severity: Severity | None
) -> None:
    own = settings(orders={"rounding_vat_code": rounding}, exact_xml={"vat_codes": codes})

    found = [(one.severity, one.key) for one in order_rates(own, "exact", "NL", NOTHING)]

    assert found == ([(severity, "rounding_vat_code")] if severity else [])


def test_a_country_the_shop_does_not_have_and_a_module_without_condition_are_warnings() -> None:
    own = settings(
        orders={
            "countries": {"DE": "D", "UK": "GB"},
            "payment_methods": {"mollie": "B", "cash": "C"},
            "payment_conditions": {"mollie": "00"},
        }
    )
    modules = [PaymentModule("mollie", 1, True), PaymentModule("cash", 0, True)]
    facts = NOTHING._replace(payment_modules=modules, countries={"DE", "GB", "NL"}, recent=1)

    assert [(one.severity, one.key, one.message) for one in order_mappings(own, facts)] == [
        (
            Severity.WARNING,
            "payment_conditions",
            "The payment module cash (no recent orders) has no payment condition.",
        ),
        (Severity.WARNING, "countries", "The shop has no country UK."),
    ]


@pytest.mark.parametrize(
    ("first", "second", "is_told"),
    [([], [], True), (["NL"], [], True), (["NL"], ["nl ", "BE"], True), (["NL"], ["BE"], False)],
)
def test_orders_that_would_go_to_two_administrations_are_told_of(
    first: list[str], second: list[str], is_told: bool
) -> None:
    both = settings(
        targets={
            "be": {"products": {"output": "be"}, "orders": {"shops": first, "warehouse": "1"}},
            "nl": {"products": {"output": "nl"}, "orders": {"shops": second, "warehouse": "1"}},
        }
    )
    found = list(orders_of_several(both))

    assert [(one.severity, one.section, one.key) for one in found] == (
        [(Severity.WARNING, "targets.nl.orders", "shops")] if is_told else []
    )
    assert all("Orders go to be and to nl" in one.message for one in found)
