"""What a configuration of stock, shipments and webhooks lacks or contradicts."""

from __future__ import annotations

from typing import Any

import pytest

from brekzsync.flows.configuration.inbox import inbox_in_itself
from brekzsync.flows.configuration.rules import Finding, Severity
from brekzsync.flows.configuration.stock import (
    named_warehouses,
    shipments_in_themselves,
    still_warehouses,
    stock_in_itself,
    stock_of_several,
)
from brekzsync.settings import Settings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
COMPLETE: dict[str, Any] = {
    "erp": {"database": "sqlite:///erp.db"},
    "orders": {"shipping_item": "S"},
    "stock": {"quantity": "sellable"},
    "shipments": {"shipped_state": 4},
}
WEBSERVICE = {"webservice_url": "https://shop.example/api", "webservice_key": "K"}


def settings(*, webservice: bool = True, **sections: Any) -> Settings:
    shop = {"database": "sqlite:///shop.db", "data_shop": "NL"} | (WEBSERVICE if webservice else {})
    return Settings.model_validate({"shop": shop, **sections})


def complete(*, webservice: bool = True, **sections: Any) -> Settings:
    """What stock and shipments need, and what a test adds to it."""
    return settings(webservice=webservice, **(COMPLETE | sections))


def told(findings: Any) -> list[tuple[str, str, str]]:
    return [(str(one.severity), one.section, one.key) for one in findings]


def everything(own: Settings) -> list[Finding]:
    return [*stock_in_itself(own), *shipments_in_themselves(own), *inbox_in_itself(own)]


def test_a_file_that_says_nothing_of_them_has_nothing_to_be_told() -> None:
    assert everything(settings(webservice=False)) == []


def test_a_file_that_says_what_is_needed_has_nothing_to_be_told() -> None:
    assert everything(complete()) == []


def test_a_webservice_without_address_and_key_is_an_error_for_each() -> None:
    found = everything(complete(webservice=False))

    assert told(found) == 2 * [("error", "shop", "webservice_url"), ("error", "shop", "webservice_key")]
    assert found[0].message == (
        'Stock is written through the shop\'s webservice (write_via = "webservice"), and webservice_url is empty.'
    )
    assert (
        found[2].message
        == "Order states are written through the shop's webservice, and webservice_url is empty."
    )


def test_stock_written_into_the_database_needs_no_webservice() -> None:
    own = complete(webservice=False, stock={"write_via": "database"}, shipments={})

    assert everything(own) == []


def test_keys_of_the_database_writer_do_nothing_for_the_webservice() -> None:
    writer = {"database": "sqlite:///shop.db", "movement_employee": 1}

    assert told(stock_in_itself(complete(stock=writer))) == [
        ("warning", "stock", "database"),
        ("warning", "stock", "movement_employee"),
    ]
    assert not list(stock_in_itself(complete(stock=writer | {"write_via": "database"})))


def test_without_an_erp_there_is_nothing_to_read_stock_and_shipments_from() -> None:
    assert told(everything(complete(erp={}))) == 2 * [("error", "erp", "database")]


def test_stock_without_orders_is_warned_of() -> None:
    (found,) = stock_in_itself(complete(orders={}))

    assert (found.severity, found.key) == (Severity.WARNING, "quantity")
    assert "a sweep can offer it once more" in found.message


def test_a_guard_that_never_stops_is_warned_of() -> None:
    (found,) = stock_in_itself(complete(stock={"max_change": "100%"}))

    assert found.message.startswith("A sweep may change 100% of the items: ")


@pytest.mark.parametrize(
    ("shops", "message"),
    [
        (
            {"NL": {"warehouses": ["1"]}, "BE": {"warehouses": ["2", "1"]}},
            "NL and BE together are fed 200% of warehouse 1: what is there once can be sold twice.",
        ),
        (
            {
                "NL": {"warehouses": ["a"]},
                "BE": {"warehouses": ["A"], "share": "5%"},
                "DE": {"warehouses": []},
            },
            "NL, BE and DE together are fed 205% of warehouse A: what is there once can be sold twice.",
        ),
        (
            {"NL": {}, "BE": {"share": "1%"}},
            "NL and BE together are fed 101% of every warehouse: what is there",
        ),
        ({"NL": {"share": "60%"}, "BE": {"share": "40%"}}, ""),
        ({"NL": {"warehouses": ["1"]}, "BE": {"warehouses": ["2"]}}, ""),
        ({"NL": {}}, ""),
    ],
)
def test_shops_fed_more_than_all_of_a_warehouse_are_warned_of(shops: dict[str, Any], message: str) -> None:
    found = list(stock_in_itself(complete(stock={"shops": shops})))

    assert len(found) == bool(message)
    assert all(one.message.startswith(message) and one.key == "shops" for one in found)


def test_the_warehouses_of_the_erp_count_where_a_shop_names_none() -> None:
    shops = {"NL": {}, "BE": {"warehouses": ["2"]}}
    own = complete(stock={"shops": shops}, erp={"database": "sqlite:///erp.db", "warehouses": ["1"]})

    assert list(stock_in_itself(own)) == []
    assert named_warehouses(own) == [("erp", "warehouses", ["1"]), ("stock", "shops", ["2"])]


def test_a_warehouse_nothing_was_ever_moved_in_is_warned_of() -> None:
    shops = {"NL": {"warehouses": ["1", "x1", "9", "8"]}}
    own = complete(stock={"shops": shops})

    assert list(still_warehouses(own, own, "exact", {"1", "X1"})) == [
        Finding(
            Severity.WARNING,
            "stock",
            "shops",
            "Exact never moved anything in warehouses 9, 8: nothing there is for sale.",
            "Name warehouses by their codes in Exact, or none for all of them.",
        )
    ]
    assert list(still_warehouses(own, own, "exact", {"1", "X1", "8", "9"})) == []


def test_warehouses_are_nobodys_business_without_stock() -> None:
    assert named_warehouses(settings(erp={"warehouses": ["1"]})) == []


def test_two_targets_that_write_one_shop_are_an_error_whatever_they_call_it() -> None:
    places = {"nl": {"NL": (1, 0), "BE": (2, 0)}, "be": {"2": (2, 0)}, "de": {"DE": (0, 3)}}

    (found,) = stock_of_several(places)

    assert (found.severity, found.section, found.key) == (Severity.ERROR, "targets.be.stock", "shops")
    assert found.message == (
        "The stock of nl and that of be would both be written to 2: neither sweep begins."
    )


@pytest.mark.parametrize(
    ("shipments", "expected"),
    [
        ({"partial_state": 9, "beyond_states": [4, 9]}, ("error", "shipments", "partial_state")),
        ({"partial_state": 4, "beyond_states": []}, ("warning", "shipments", "partial_state")),
        ({"shipped_state": 6}, ("error", "shipments", "shipped_state")),
        ({"partial_state": 8, "beyond_states": [4]}, ("error", "shipments", "partial_state")),
        ({"partial_state": 9}, None),
    ],
)
def test_states_of_shipments_that_contradict_each_other_are_told(
    shipments: dict[str, Any], expected: tuple[str, str, str] | None
) -> None:
    found = told(shipments_in_themselves(complete(shipments=shipments)))

    assert found == ([expected] if expected else [])


# --- webhooks ---------------------------------------------------------------------------------------------


def test_webhooks_that_lead_to_nothing_are_warned_of() -> None:
    (found,) = inbox_in_itself(settings(inbox={"sources": {"ware": {"secrets": [SECRET]}}}))

    assert (found.severity, found.section, found.key) == (Severity.WARNING, "inbox", "sources")


@pytest.mark.parametrize(
    ("secrets", "messages"),
    [
        (["secret!"], ['Its secret cannot be used: it must be "whsec_" and base64.']),
        (
            [SECRET, "whsec_", "whsec_!"],
            [
                "Its secret 2 cannot be used: it must stand for at least 16 bytes.",
                'Its secret 3 cannot be used: it must be "whsec_" and base64.',
            ],
        ),
    ],
)
def test_a_secret_that_no_signature_can_be_right_for_is_an_error_and_not_shown(
    secrets: list[str], messages: list[str]
) -> None:
    found = list(inbox_in_itself(complete(inbox={"sources": {"ware": {"secrets": secrets}}})))

    assert [one.message for one in found] == messages
    assert told(found) == len(messages) * [("error", "inbox.sources.ware", "secrets")]


@pytest.mark.parametrize("name", ["my ware/house", "exact"])
def test_a_source_whose_name_cannot_stand_in_its_address_is_an_error(name: str) -> None:
    (found,) = inbox_in_itself(complete(inbox={"sources": {name: {"secrets": [SECRET]}}}))

    assert (found.severity, found.key) == (Severity.ERROR, "sources")


def test_webhooks_of_exact_online_without_its_api_are_warned_of_and_half_an_access_is_an_error() -> None:
    inbox = {"exact_secret": "S"}

    assert told(inbox_in_itself(complete(inbox=inbox))) == [("warning", "exact_online", "access_token")]
    half = complete(inbox=inbox, exact_online={"division": 1})
    assert told(inbox_in_itself(half)) == [("error", "exact_online", "access_token")]
    other = complete(exact_online={"access_token": "T"})
    assert told(inbox_in_itself(other)) == [("error", "exact_online", "division")]
    whole = complete(inbox=inbox, exact_online={"division": 1, "access_token": "T"})
    assert not list(inbox_in_itself(whole))


def test_secrets_of_sources_are_known_to_whoever_must_not_show_them() -> None:
    own = complete(inbox={"sources": {"ware": {"secrets": [SECRET, "whsec_b3RoZXI="]}}})

    assert {SECRET, "whsec_b3RoZXI="} <= set(own.secrets())
