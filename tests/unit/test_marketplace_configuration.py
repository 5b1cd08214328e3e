"""What a configuration of the marketplace lacks or contradicts, and what keeps it from being told anything."""

from __future__ import annotations

from typing import Any

import pytest

from brekzsync.bootstrap.flows import is_configured, targets_for, targets_of
from brekzsync.bootstrap.order_status import status_rules
from brekzsync.domain.order_status import ShopSync
from brekzsync.domain.sync_flows import FLOWS
from brekzsync.errors import ConfigurationError
from brekzsync.flows.configuration.marketplace import marketplace_in_itself, marketplace_shops
from brekzsync.flows.configuration.rules import Finding, Severity, ShopNames
from brekzsync.flows.order_status.refusals import refuse_conflicts, refuse_unmapped
from brekzsync.settings import Settings

COMPLETE: dict[str, Any] = {"shipped_states": [4], "delivered_states": [5], "implies_shipped": [5]}
TWO_TARGETS = {"nl": {"products": {"output": "nl"}}, "be": {"products": {"output": "be"}}}


def settings(marketplace: dict[str, Any] | None = None, **sections: Any) -> Settings:
    shop = {"database": "sqlite:///shop.db", "data_shop": "NL"}
    return Settings.model_validate({"shop": shop, "marketplace": marketplace or {}, **sections})


def told(marketplace: dict[str, Any]) -> list[tuple[str, str]]:
    found = list(marketplace_in_itself(settings(marketplace)))
    assert {one.section for one in found} <= {"marketplace"}
    return [(str(one.severity), one.key) for one in found]


@pytest.mark.parametrize("marketplace", [{}, COMPLETE, {"shipped_states": [4], "refunded_states": [7]}])
def test_nothing_is_told_of_a_file_that_says_nothing_or_all_there_is_to_say(
    marketplace: dict[str, Any],
) -> None:
    assert told(marketplace) == []


def test_a_state_that_means_two_things_to_the_marketplace_is_an_error() -> None:
    twice = settings({"shipped_states": [4], "refunded_states": [7, 4]})

    assert list(marketplace_in_itself(twice)) == [
        Finding(
            Severity.ERROR,
            "marketplace",
            "refunded_states",
            "Order state 4 stands in shipped_states and in refunded_states: one state is reported as one thing.",
            "Take 4 out of one of the two.",
        )
    ]


@pytest.mark.parametrize(
    ("marketplace", "found"),
    [
        ({"token": "T"}, [("error", "shipped_states")]),
        ({"implies_shipped": [5]}, [("warning", "shipped_states")]),
        ({"canceled_states": [6, 6]}, []),
        (
            {**COMPLETE, "canceled_states": [6, 5]},
            [("error", "delivered_states"), ("error", "implies_shipped")],
        ),
        ({**COMPLETE, "canceled_states": [6], "implies_shipped": [5, 6]}, [("error", "implies_shipped")]),
        ({"shipped_states": [4], "delivered_states": [5]}, [("warning", "implies_shipped")]),
        ({**COMPLETE, "refunded_states": [7], "implies_shipped": [5, 7]}, []),
        ({**COMPLETE, "dry_run": True}, [("warning", "dry_run")]),
        (
            {**COMPLETE, "channel_operations": {"ManoMano": ["ship"], "mano mano": ["cancel"]}},
            [("warning", "channel_operations")],
        ),
    ],
)
def test_what_keeps_an_order_from_being_told_as_it_should_is_found(
    marketplace: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    assert sorted(told(marketplace)) == sorted(found)


def test_the_remedy_for_deliveries_that_do_not_imply_a_shipment_is_the_line_to_write() -> None:
    own = settings({"shipped_states": [4], "delivered_states": [5, 9], "implies_shipped": [9]})

    (found,) = marketplace_in_itself(own)

    assert found.remedy == "Set implies_shipped = [9, 5]."


def test_shops_whose_orders_should_count_and_that_are_not_there_are_an_error() -> None:
    shop = ShopNames("NL", "EUR", "NL", {"nl"}, {1: "NL", 2: "België"})

    (found,) = marketplace_shops(settings({"shops": ["nl", "2", "LU"]}), shop)

    assert (found.severity, found.section, found.key) == (Severity.ERROR, "marketplace", "shops")
    assert not list(marketplace_shops(settings({"shops": ["NL"]}), shop))


# --- what keeps it from running ---------------------------------------------------------------------------------


def test_no_mapped_state_is_refused_and_one_of_any_list_is_enough() -> None:
    with pytest.raises(ConfigurationError) as refused:
        refuse_unmapped(status_rules(settings({"token": "T"})))
    assert (refused.value.code, refused.value.exit_code) == ("no_states_mapped", 78)

    for key in (
        "shipped_states",
        "canceled_states",
        "refunded_states",
        "delivered_states",
        "implies_shipped",
    ):
        refuse_unmapped(status_rules(settings({key: [4]})))


FREE = ShopSync(id_shop=1, name="NL", old_module=True, old_sync=False, module_sync=False)


@pytest.mark.parametrize(
    ("shop", "allowed", "code"),
    [
        (FREE, {}, None),
        (FREE._replace(old_module=False, old_sync=True), {}, None),
        (FREE._replace(old_sync=True), {}, "other_module_syncs"),
        (FREE._replace(old_sync=True), {"allow_when_absent": True}, "other_module_syncs"),
        (FREE._replace(old_module=None), {}, "old_module_absent"),
        (FREE._replace(old_module=None, old_sync=True), {}, "old_module_absent"),
        (FREE._replace(old_module=None), {"allow_when_absent": True}, None),
        (FREE._replace(module_sync=True), {}, "module_syncs"),
        (FREE._replace(module_sync=True), {"allow_module_sync": True}, None),
    ],
)
def test_another_module_stands_in_the_way(shop: ShopSync, allowed: dict[str, bool], code: str | None) -> None:
    options = {"allow_when_absent": False, "allow_module_sync": False} | allowed
    if code is None:
        refuse_conflicts([FREE, shop], **options)
        return
    with pytest.raises(ConfigurationError) as refused:
        refuse_conflicts([FREE, shop], **options)
    assert refused.value.code == code


def test_every_shop_that_stands_in_the_way_is_named_and_each_remedy_once() -> None:
    shops = [FREE._replace(old_module=None, name=name) for name in ("NL", "BE")]

    with pytest.raises(ConfigurationError) as refused:
        refuse_conflicts(shops, allow_when_absent=False, allow_module_sync=False)

    assert refused.value.message == (
        "The module shoppingfluxexport is not installed in shop NL."
        " The module shoppingfluxexport is not installed in shop BE."
    )
    assert refused.value.hint.count("allow_when_absent") == 1


# --- where it goes ----------------------------------------------------------------------------------------------


def test_order_statuses_go_to_one_place_whatever_targets_there_are() -> None:
    own, flow = settings(COMPLETE, targets=TWO_TARGETS), FLOWS["order_status"]

    assert targets_for(own, flow) == targets_of(own, flow, None) == ["shoppingfeed"]
    assert targets_for(own, FLOWS["order"]) == ["nl", "be"]
    assert targets_of(own, FLOWS["order"], "be") == ["be"]
    assert is_configured(own, "order_status", "shoppingfeed")
    assert not is_configured(own, "order_status", "nl")
    assert not is_configured(settings(), "order_status", "shoppingfeed")
    for name in ("nl", "nowhere"):
        with pytest.raises(ConfigurationError) as refused:
            targets_of(own, flow, name)
        assert refused.value.code == "unknown_target"
