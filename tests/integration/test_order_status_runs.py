"""Which orders are told to the marketplace, when, through which account and with what: whole runs on a real shop."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from brekzsync.demo.marketplace.server import DemoOrder
from brekzsync.domain.marketplace import TaskStatus
from brekzsync.domain.order_status import Operation
from brekzsync.errors import ConfigurationError, InvalidInput
from brekzsync.flows.order_status.book import FLOW
from brekzsync.flows.order_status.ports import MarketplaceShop, OpenMarketplaceShop
from brekzsync.flows.order_status.run import TARGET, StatusFlow, StatusOutcome
from tests.integration.state_rows import attempts
from tests.marketplace_world import (
    CANCELED,
    DELIVERED,
    FEED,
    OTHER_STORE,
    PAID,
    PREPARED,
    REFUNDED,
    SHIPPED,
    STORE,
    MarketplaceWorld,
    Told,
    by_operation,
)
from tests.services.prestashop import PrestaShopDatabase

SHIP, CANCEL, REFUND, DELIVER = Operation
OWN_SHIPPED, COMPLETED = 21, 20  # states of the shop's own


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MarketplaceWorld]:
    with MarketplaceWorld.embedded(tmp_path) as world:
        yield world


def told(world: MarketplaceWorld, id_order: int) -> tuple[str, str | None]:
    """Status and reason the ledger has of an order."""
    found = world.told(id_order)
    assert found is not None
    return found.status, found.reason


def counts(outcome: StatusOutcome) -> dict[str, int]:
    """What a run counted, without what it did not."""
    return {name: count for name, count in outcome.tally.counts().items() if count}


class ShopThatGoesOn:
    """Something happens in it after the orders were looked at, before they are read to be sent."""

    def __init__(self, shop: MarketplaceShop, happens: Callable[[], None]) -> None:
        self._shop = shop
        self._happens = iter([lambda: None, lambda: None, happens])

    @contextmanager
    def open(self) -> Iterator[OpenMarketplaceShop]:
        next(self._happens, lambda: None)()
        with self._shop.open() as opened:
            yield opened


def ship(world: MarketplaceWorld, id_order: int = 101) -> dict[str, Any]:
    """Run until the shipment of an order is taken; what was told."""
    world.push()
    world.after(minutes=5).push()
    (taken,) = world.taken(id_order)
    return dict(taken.payload)


# --- what is told -------------------------------------------------------------------------------------------


def test_each_of_several_states_means_its_operation(world: MarketplaceWorld) -> None:
    world.set(
        shipped_states=[SHIPPED, OWN_SHIPPED], canceled_states=[CANCELED, 22], refunded_states=[REFUNDED]
    )
    states = [SHIPPED, OWN_SHIPPED, CANCELED, 22, REFUNDED, DELIVERED, PAID, PREPARED]
    for id_order, state in enumerate(states, start=101):
        world.add_order(id_order, state, tracking="3S1")
    for _ in range(4):
        world.cron(minutes=5)

    assert world.accepted() == {
        101: [SHIP],
        102: [SHIP],
        103: [CANCEL],
        104: [CANCEL],
        105: [REFUND],
        106: [SHIP, DELIVER],
    }


@contextmanager
def commits() -> Iterator[Counter[str]]:
    """How many transactions end meanwhile, in whatever database."""
    counted: Counter[str] = Counter()

    def count(_connection: Any) -> None:
        counted["commits"] += 1

    event.listen(Engine, "commit", count)
    try:
        yield counted
    finally:
        event.remove(Engine, "commit", count)


def test_a_hundred_orders_that_wait_or_end_are_written_together(world: MarketplaceWorld) -> None:
    ids = world.add_orders(100, SHIPPED)
    world.push(force=True)
    with commits() as waiting:
        held = world.after(minutes=6).push()
    for one in ids:
        world.set_state(one, PREPARED)
    with commits() as ending:
        ended = world.push()

    assert dict(held.waiting) == {"no_tracking_yet": 100}
    assert (ended.tally.skipped, world.tasks()) == (100, {})
    assert max(waiting["commits"], ending["commits"]) < 15


def test_the_logs_keep_the_tracking_number_when_more_is_told(world: MarketplaceWorld) -> None:
    world.add_order(101, DELIVERED, tracking="3S1")
    for _ in range(5):
        world.cron(minutes=5)

    assert world.accepted() == {101: [SHIP, DELIVER]}
    with world.state() as state:
        document = json.loads(state.ledger(FLOW, TARGET).documents([(101, 0)])[101, 0])
    assert (document["operations"], document["tracking"]) == (["ship", "deliver"], "3S1")


def test_a_delivery_is_told_only_where_it_is_configured(world: MarketplaceWorld) -> None:
    world.set(delivered_states=None)
    world.add_order(101, DELIVERED, tracking="3S1")
    for _ in range(4):
        world.cron(minutes=5)

    assert world.accepted() == {101: [SHIP]}


def test_what_counts_is_the_state_an_order_is_in_now(world: MarketplaceWorld) -> None:
    world.add_order(101, SHIPPED, tracking="3S1")
    world.push()
    world.after(minutes=2).set_state(101, CANCELED)
    world.push()
    world.after(minutes=10).cron()

    assert [one.operation for one in world.taken()] == [CANCEL]


def test_an_order_of_no_marketplace_is_nobodys_business(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)
    world.sql("DELETE FROM ps_shoppingfeed_order")

    assert counts(world.push()) == {}
    assert world.server.requests == []


def test_a_shipment_waits_for_its_delay_and_nothing_else_does(world: MarketplaceWorld) -> None:
    for id_order, state in ((101, SHIPPED), (102, CANCELED), (103, REFUNDED)):
        world.add_order(id_order, state, tracking="3S1")
    first = world.push()
    waiting = told(world, 101)
    before = world.after(minutes=4, seconds=59).push()
    after = world.after(seconds=1).push()

    assert (dict(first.sent), dict(first.waiting)) == ({CANCEL: 1, REFUND: 1}, {"shipped_delay": 1})
    assert waiting == ("pending", "shipped_delay")
    assert (dict(before.sent), dict(before.waiting)) == ({}, {"shipped_delay": 1, "in_flight": 2})
    assert dict(after.sent) == {SHIP: 1}


def test_the_delay_is_that_of_the_configuration(world: MarketplaceWorld) -> None:
    world.set(shipped_delay="0m")
    world.add_order(101, SHIPPED, tracking="3S1")

    assert dict(world.push().sent) == {SHIP: 1}


def test_an_order_that_left_its_state_before_it_was_sent_is_not_told_and_the_logs_say_so(
    world: MarketplaceWorld,
) -> None:
    world.add_order(101, SHIPPED, tracking="3S1")
    world.push()
    world.set_state(101, PREPARED)
    outcome = world.after(minutes=5).push()

    sentence = "ship was not sent: the order went on to state 3 before."
    assert outcome.passed_over[-1:] == (f"Order 101: {sentence}",)
    assert (world.taken(), world.tasks()) == ([], {})
    with world.state() as state:
        assert [(key, reason, words) for key, _, _, reason, words in attempts(state)] == [
            (101, "left_before_sent", sentence)
        ]
    assert told(world, 101) == ("synced", "left_before_sent")


def test_one_that_leaves_it_between_detection_and_sending_is_not_told(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)
    world.add_order(102, CANCELED)
    shops: list[ShopThatGoesOn] = []

    def adjust(flow: StatusFlow) -> StatusFlow:
        shops.append(ShopThatGoesOn(flow.shop, lambda: world.set_state(101, PREPARED)))
        return replace(flow, shop=shops[-1])

    world.adjust = adjust
    world.push()

    assert by_operation(world.taken()) == {CANCEL: [102]}
    assert told(world, 101) == ("synced", "left_before_sent")


def test_an_order_that_is_gone_ends_its_task(world: MarketplaceWorld) -> None:
    world.add_order(101, SHIPPED, tracking="3S1")
    world.push()
    world.sql("DELETE FROM ps_orders")
    world.after(minutes=5).push()

    assert (world.taken(), world.tasks()) == ([], {})
    assert told(world, 101) == ("synced", "order_gone")


# --- tracking -----------------------------------------------------------------------------------------------


def test_the_number_is_read_when_it_is_sent(world: MarketplaceWorld) -> None:
    world.add_order(101, SHIPPED, tracking="TYPED WRONG")
    world.push()
    world.set_tracking(101, "3SBREK1")
    world.after(minutes=5).push()

    assert [one.payload["trackingNumber"] for one in world.taken()] == ["3SBREK1"]


def test_of_several_parcels_all_numbers_are_told(world: MarketplaceWorld) -> None:
    world.add_order(101, SHIPPED)
    for number in ("3S1", "", "3S2", "3S1"):
        world.add_parcel(101, number)

    payload = ship(world)
    assert (payload["carrier"], payload["trackingNumber"]) == ("PostNL", "3S1,3S2")
    assert payload["trackingLink"] == "https://track.example.com/?nr=3S1"


def test_or_the_first_alone(world: MarketplaceWorld) -> None:
    world.set(parcels="first")
    world.add_order(101, SHIPPED)
    for number in ("3S1", "3S2"):
        world.add_parcel(101, number)

    assert ship(world)["trackingNumber"] == "3S1"


def test_without_a_number_it_is_sent_in_the_end_with_the_carrier_alone(world: MarketplaceWorld) -> None:
    world.behave(needs_tracking=False)
    world.add_order(101, SHIPPED, tracking="")
    world.push()
    waiting = world.after(minutes=5).push()
    still = world.after(hours=23, minutes=59).push()
    sent = world.after(minutes=1).push()

    assert (dict(waiting.waiting), dict(still.waiting)) == ({"no_tracking_yet": 1}, {"no_tracking_yet": 1})
    assert (
        "waits for a tracking number, for 24.0 h at most, and is then sent without" in waiting.passed_over[0]
    )
    assert sent.tally.warnings == {"sent_without_tracking": 1}
    (taken,) = world.taken()
    told_of = [taken.payload[name] for name in ("carrier", "trackingNumber", "trackingLink")]
    assert told_of == ["PostNL", "", ""]


def test_or_it_fails_then_unsent_until_somebody_types_the_number(world: MarketplaceWorld) -> None:
    world.set(without_tracking="fail", tracking_wait="2h")
    world.add_order(101, SHIPPED, tracking="")
    world.push()
    world.after(hours=2, minutes=4).push()
    waiting = told(world, 101)
    failing = world.after(minutes=1).push()
    for _ in range(20):
        world.after(hours=8).push()
    failed = told(world, 101)
    world.set_tracking(101, "3S1")
    world.cron(hours=8)
    world.cron(minutes=5)

    assert waiting == ("pending", "no_tracking_yet")
    assert counts(failing)["failed"] == 1
    assert failed == ("failed", "no_tracking")
    assert world.mailbox is not None
    assert len(world.mailbox.mails) == 1
    assert world.known() == {101: {SHIP}}


# --- conflicts ----------------------------------------------------------------------------------------------


def refused(world: MarketplaceWorld) -> str:
    """With which code both commands refuse; nothing is asked of the marketplace."""
    world.add_order(101, CANCELED)
    codes = set()
    for run in (world.push, world.check):
        with pytest.raises(ConfigurationError) as raised:
            run()
        assert (raised.value.exit_code, bool(raised.value.hint)) == (78, True)
        codes.add(raised.value.code)
    assert world.server.requests == []
    with world.state() as state:
        run_on_record = state.runs.latest("order_status", "shoppingfeed")
    (code,) = codes
    assert run_on_record is not None
    assert (run_on_record.status, run_on_record.error_code) == ("failed", code)
    return code


def test_nothing_runs_where_the_old_module_was_never_installed(world: MarketplaceWorld) -> None:
    world.set(conflict="refuse")
    assert refused(world) == "old_module_absent"


@pytest.mark.parametrize("setting", ["SHOPPING_FLUX_STATUS_SHIPPED", "SHOPPING_FLUX_STATUS_CANCELED"])
@pytest.mark.parametrize("policy", ["refuse", "allow_when_absent"])
def test_nothing_runs_while_the_old_module_synchronises(
    world: MarketplaceWorld, setting: str, policy: str
) -> None:
    world.set(conflict=policy)
    world.add_module("shoppingfluxexport")
    world.set_value(setting, "checked")
    assert refused(world) == "other_module_syncs"


def test_nothing_runs_while_the_module_synchronises_by_itself(world: MarketplaceWorld) -> None:
    world.add_module("shoppingfeed")
    world.set_value("SHOPPINGFEED_ORDER_SYNC_ENABLED", "1")
    assert refused(world) == "module_syncs"
    world.set(allow_module_sync=True)
    assert dict(world.push().sent) == {CANCEL: 1}


@pytest.mark.parametrize("is_active", [0, 1])
def test_an_old_module_that_does_not_synchronise_is_in_nobodys_way(
    world: MarketplaceWorld, is_active: int
) -> None:
    world.set(conflict="refuse")
    world.add_module("shoppingfluxexport", active=is_active)
    world.set_value("SHOPPING_FLUX_STATUS_SHIPPED", "checked" if not is_active else "")
    world.add_order(101, CANCELED)
    assert dict(world.push().sent) == {CANCEL: 1}


def test_a_conflict_of_a_shop_that_does_not_count_is_none(world: MarketplaceWorld) -> None:
    world.add_module("shoppingfluxexport", shops=(1, 2))
    world.add_account(2, shop=2)
    world.set_value("SHOPPING_FLUX_STATUS_CANCELED", "checked", shop=2)
    world.add_order(102, CANCELED)
    with pytest.raises(ConfigurationError) as raised:
        world.push()
    world.set(shops=["NL"])

    assert "in shop BE" in raised.value.message
    assert "NL" not in raised.value.message
    assert dict(world.push().sent) == {CANCEL: 1}


# --- accounts -----------------------------------------------------------------------------------------------


def test_every_shop_and_account_has_its_own_store_and_token(world: MarketplaceWorld) -> None:
    world.add_account(2, shop=2)
    world.add_order(101, CANCELED)
    world.add_order(102, CANCELED, shop=2, token=2, store=OTHER_STORE)
    world.add_order(103, REFUNDED, shop=2, token=0, store=OTHER_STORE)
    world.push()
    world.check()

    assert world.known() == {101: {CANCEL}, 102: {CANCEL}, 103: {REFUND}}
    assert {path for path, _ in world.posts()} == {
        f"/v1/store/{STORE}/order/cancel",
        f"/v1/store/{OTHER_STORE}/order/cancel",
        f"/v1/store/{OTHER_STORE}/order/refund",
    }


def test_ids_kept_as_text_are_the_same_ids(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)
    world.sql("UPDATE ps_shoppingfeed_token SET shoppingfeed_store_id = '1276'")
    world.sql(
        "UPDATE ps_shoppingfeed_order SET id_internal_shoppingfeed = ' 05101 ', id_shoppingfeed_token = '1'"
    )
    world.push()
    world.check()

    assert world.known() == {101: {CANCEL}}
    assert [one.payload["id"] for one in world.taken()] == [FEED + 101]


def test_a_configured_token_stands_for_those_of_the_shop(world: MarketplaceWorld) -> None:
    world.sql("UPDATE ps_shoppingfeed_token SET content = 'an old one'")
    world.set(token="demo-token")
    world.add_order(101, CANCELED)

    assert dict(world.push().sent) == {CANCEL: 1}


def test_a_configured_token_is_enough_where_the_shop_keeps_none(world: MarketplaceWorld) -> None:
    world.sql("DELETE FROM ps_shoppingfeed_token")
    world.set(token="demo-token", store_id=STORE)
    world.add_order(101, CANCELED, token=0)
    world.add_order(102, CANCELED, token=7)  # of a row there was once
    world.push()
    world.check()

    assert world.known() == {101: {CANCEL}, 102: {CANCEL}}


def test_an_order_whose_account_is_gone_waits_for_it(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED, token=2, store=OTHER_STORE)
    world.add_order(102, CANCELED)
    for _ in range(12):
        world.cron(hours=8)
    failed = told(world, 101)
    world.add_account(2)
    world.cron(hours=8)
    world.cron(minutes=5)

    assert failed == ("failed", "no_marketplace_account")
    assert world.known() == {101: {CANCEL}, 102: {CANCEL}}


def test_the_answers_of_an_account_that_is_gone_keep_nobody_waiting(world: MarketplaceWorld) -> None:
    world.add_account(2)
    world.add_order(101, CANCELED, token=2, store=OTHER_STORE)
    world.add_order(102, CANCELED)
    world.push()
    world.sql("DELETE FROM ps_shoppingfeed_token WHERE id_shoppingfeed_token = 2")
    outcome = world.check()
    afterwards = world.known()
    world.add_account(3)  # the same store under another id
    world.check()

    assert [warning.split(",")[0] for warning in outcome.warnings] == ["The marketplace account 2 is gone"]
    assert afterwards == {102: {CANCEL}}
    assert world.known() == {101: {CANCEL}, 102: {CANCEL}}


# --- what is not told ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "payment"), [("Amazon FBA", "-"), ("Amazon", "AFN"), ("Clogistique", "-")]
)
def test_what_the_channel_sends_by_itself_is_skipped(
    world: MarketplaceWorld, channel: str, payment: str
) -> None:
    world.add_order(101, SHIPPED, tracking="3S1", channel=channel, payment=payment)
    outcome = world.push()

    assert (counts(outcome), dict(outcome.tally.reasons)) == (
        {"read": 1, "skipped": 1},
        {"fulfilled_by_channel": 1},
    )
    assert world.tasks() == {}


def test_the_marketplace_itself_is_asked_what_it_sends(world: MarketplaceWorld) -> None:
    for id_order, sender in ((101, "channel"), (102, "store")):
        world.add_order(id_order, SHIPPED, tracking="3S1", fulfilled_by=sender)
    world.push()
    world.after(minutes=5).push()
    asked = world.gets()[f"/v1/store/{STORE}/order"]
    world.cron(minutes=5)

    assert by_operation(world.taken()) == {SHIP: [102]}
    assert told(world, 101) == ("synced", "fulfilled_by_channel")
    assert (asked, world.gets()[f"/v1/store/{STORE}/order"]) == (1, 1)
    assert world.tasks() == {}


def test_an_operation_the_channel_does_not_take_fails_unsent_until_the_configuration_says_otherwise(
    world: MarketplaceWorld,
) -> None:
    world.add_order(101, CANCELED, channel="ManoMano")
    world.push()
    task = world.tasks()[101]
    for _ in range(3):
        again = world.after(days=1).push()
    failed, posted = told(world, 101), world.posts()
    world.set(channel_operations={"Mano Mano": ["ship", "cancel"]})
    world.push()

    assert failed == ("failed", "operation_not_of_channel")
    assert (task.status, posted) == (TaskStatus.DEAD, [])
    assert [failure.repeated for failure in again.tally.failures] == [True]
    assert len(world.posts()) == 1


# --- how a run is asked for ---------------------------------------------------------------------------------


def test_a_first_run_with_many_due_orders_asks_what_they_are(world: MarketplaceWorld) -> None:
    world.set(first_run_limit=3)
    ids = world.add_orders(4, CANCELED)
    with pytest.raises(ConfigurationError) as raised:
        world.push()
    baseline = world.push(baseline=True)
    world.set_state(101, REFUNDED)
    world.add_order(200, CANCELED)
    world.push()
    world.check()

    assert raised.value.code == "needs_baseline"
    assert (baseline.baselined, counts(baseline)) == (4, {"read": 4, "eligible": 4, "unchanged": 4})
    assert by_operation(world.taken()) == {CANCEL: [200], REFUND: [101]}
    assert world.known()[101] == {CANCEL, REFUND}
    assert set(world.known()) == {*ids, 200}


def test_a_baseline_that_found_nothing_was_one_all_the_same(world: MarketplaceWorld) -> None:
    world.set(first_run_limit=3)
    assert world.push(baseline=True).baselined == 0
    world.add_orders(4, CANCELED)

    assert dict(world.push().sent) == {CANCEL: 4}


def test_or_is_told_to_send_them_all(world: MarketplaceWorld) -> None:
    world.set(first_run_limit=3)
    world.add_orders(4, CANCELED)

    assert dict(world.push(force=True).sent) == {CANCEL: 4}


def test_a_lost_state_is_not_taken_for_a_first_run(world: MarketplaceWorld) -> None:
    world.set(first_run_limit=3)
    world.add_orders(4, CANCELED)
    world.push(force=True)
    world.check()
    world.lose_state()

    with pytest.raises(ConfigurationError) as raised:
        world.push()
    assert raised.value.code == "needs_baseline"
    assert len(world.taken()) == 4


def test_after_a_baseline_what_changes_is_told(world: MarketplaceWorld) -> None:
    world.add_order(101, PAID, tracking="3S1")
    world.add_order(102, SHIPPED, tracking="3S1", on_marketplace=False)
    world.server.add([DemoOrder(FEED + 102, "MP-102", "Leroy Merlin", status="shipped")])
    world.push(baseline=True)
    for id_order, state in ((101, SHIPPED), (102, DELIVERED)):
        world.set_state(id_order, state)
    for _ in range(3):
        world.cron(minutes=5)

    assert world.accepted() == {101: [SHIP], 102: [DELIVER]}


def test_one_order_can_be_told_alone(world: MarketplaceWorld) -> None:
    world.add_orders(3, CANCELED)
    world.sql(
        "INSERT INTO ps_orders (id_order, id_shop, current_state, reference) VALUES (900, 1, 6, 'SHOP')"
    )
    outcome = world.push(102, 900)

    assert by_operation(world.taken()) == {CANCEL: [102]}
    assert outcome.passed_over == ("Order 900 is no order of a marketplace that counts here.",)
    with pytest.raises(InvalidInput) as raised:
        world.push(101, 999)
    assert raised.value.code == "unknown_id"
    assert len(world.taken()) == 1


def test_a_dry_run_counts_the_same_and_neither_writes_nor_sends(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)
    world.push()
    for id_order, state in ((102, CANCELED), (103, SHIPPED), (104, REFUNDED), (105, PREPARED)):
        world.add_order(id_order, state, tracking="3S1")
    asked, before = len(world.posts()), world.tasks()
    dry = world.push(dry_run=True)
    looked = world.check(dry_run=True)
    unchanged = (len(world.posts()), world.tasks()) == (asked, before)
    real = world.push()

    assert unchanged
    assert (dict(dry.sent), dict(dry.waiting)) == (dict(real.sent), dict(real.waiting))
    assert counts(dry) == counts(real)
    assert dict(dry.sent) == {CANCEL: 1, REFUND: 1}
    assert counts(looked) == {"read": 1, "eligible": 1, "pending": 1, "delivered": 1}
    assert world.known() == {}


def test_the_configuration_can_make_every_run_a_dry_one(world: MarketplaceWorld) -> None:
    world.set(dry_run=True)
    world.add_order(101, CANCELED)
    outcome = world.push()
    world.check()
    world.push(baseline=True)

    assert dict(outcome.sent) == {CANCEL: 1}
    assert outcome.run.name.endswith("-preview")
    assert (world.posts(), world.tasks(), world.known()) == ([], {}, {})


def test_on_the_genuine_shop_all_of_it_is_the_same(tmp_path: Path, prestashop: PrestaShopDatabase) -> None:
    with MarketplaceWorld.genuine(tmp_path, prestashop) as world:
        for id_order, state in (
            (101, SHIPPED),
            (102, DELIVERED),
            (103, CANCELED),
            (104, REFUNDED),
            (105, PAID),
        ):
            world.add_order(id_order, state, tracking="3S é/1" if state == SHIPPED else "3S1")
        for _ in range(4):
            world.cron(minutes=5)

        assert world.accepted() == {101: [SHIP], 102: [SHIP, DELIVER], 103: [CANCEL], 104: [REFUND]}
        assert world.tasks() == {}
        links = {
            one.order - FEED: one.payload["trackingLink"] for one in world.taken() if one.operation is SHIP
        }
        assert links[101] == "https://track.example.com/?nr=3S%20%C3%A9%2F1"
        with world.state() as state:
            documents = state.ledger(FLOW, TARGET).documents([(101, 0)])
        assert json.loads(documents[101, 0]) == {
            "order": "REF101",
            "marketplace": "Leroy Merlin",
            "reference": "MP-101",
            "operations": ["ship"],
            "tracking": "3S é/1",
        }
        assert world.told(101) == Told("synced", None, None)
