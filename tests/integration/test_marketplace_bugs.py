"""The ways today's module goes wrong with order statuses, one by one, and what happens here instead.

Numbers are those of facts/shoppingfeed.md section 2.11.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from brekzsync.demo.marketplace.answers import problem
from brekzsync.demo.marketplace.server import Fault
from brekzsync.domain.marketplace import TaskStatus
from brekzsync.domain.order_status import Operation
from brekzsync.errors import AccessDenied, ConfigurationError, LockHeld, Unavailable
from tests.marketplace_world import (
    CANCELED,
    DELIVERED,
    FEED,
    OTHER_STORE,
    OTHER_TOKEN,
    PAID,
    REFUNDED,
    SHIPPED,
    STORE,
    MarketplaceWorld,
    Told,
)

SHIP, CANCEL, REFUND, DELIVER = Operation
COMPLETED = 20  # a state of the shop's own, which means nothing to the marketplace


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MarketplaceWorld]:
    with MarketplaceWorld.embedded(tmp_path) as world:
        yield world


def run_until_told(world: MarketplaceWorld, *, runs: int = 4) -> None:
    """As cron does, for long enough."""
    for _ in range(runs):
        world.cron(minutes=5)


def test_bug_01_a_shipment_is_told_though_the_order_went_on_within_the_delay(world: MarketplaceWorld) -> None:
    world.set(implies_shipped=[DELIVERED, COMPLETED])
    for id_order in (101, 102):
        world.add_order(id_order, SHIPPED, tracking="3S1")
    world.push()
    world.after(minutes=2).set_state(101, COMPLETED)
    world.set_state(102, DELIVERED)

    run_until_told(world)

    assert world.accepted() == {101: [SHIP], 102: [SHIP, DELIVER]}


def test_bug_01_a_cancellation_taken_back_is_not_told(world: MarketplaceWorld) -> None:
    world.server.plan(Fault.BUSY, "POST", times=3)
    world.add_order(101, CANCELED)
    with pytest.raises(Unavailable):
        world.push()
    world.set_state(101, PAID)

    run_until_told(world)

    assert world.taken() == []
    assert world.tasks() == {}


def test_bug_02_a_shipment_without_a_number_waits_for_it(world: MarketplaceWorld) -> None:
    world.add_order(101, SHIPPED, tracking="")
    run_until_told(world, runs=3)
    waiting = world.told(101)
    world.set_tracking(101, "3SBREK1")
    run_until_told(world, runs=2)

    assert waiting is not None
    assert (waiting.status, waiting.reason) == ("pending", "no_tracking_yet")
    assert [one.payload["trackingNumber"] for one in world.taken()] == ["3SBREK1"]
    assert world.known() == {101: {SHIP}}


def test_bug_03_number_and_link_are_of_the_same_parcel_and_fit_into_an_address(
    world: MarketplaceWorld,
) -> None:
    world.sql(
        "INSERT INTO ps_carrier (id_carrier, name, url) VALUES (9, 'DHL', 'https://dhl.example/@/of/@')"
    )
    world.add_order(101, SHIPPED)
    world.add_parcel(101, "", carrier=9)
    world.add_parcel(101, "3S 1/é&x", carrier=2)
    world.add_parcel(101, "JD2", carrier=9)
    world.add_parcel(101, "JD3", carrier=9)
    run_until_told(world, runs=2)

    (taken,) = world.taken()
    assert taken.payload == {
        "id": FEED + 101,
        "carrier": "PostNL",
        "trackingNumber": "3S 1/é&x,JD2,JD3",
        "trackingLink": "https://track.example.com/?nr=3S%201%2F%C3%A9%26x",
        "items": [],
        "warehouseId": None,
    }
    assert taken.state == "succeed"


@pytest.mark.parametrize("kept", [None, 0])
def test_bug_04_an_order_whose_feed_id_is_missing_is_named_by_reference_and_channel(
    world: MarketplaceWorld, kept: int | None
) -> None:
    world.add_order(101, SHIPPED, tracking="3S1")
    world.sql("UPDATE ps_shoppingfeed_order SET id_internal_shoppingfeed = :kept", kept=kept)
    run_until_told(world, runs=3)

    (taken,) = world.taken()
    assert "id" not in taken.payload
    assert (taken.payload["reference"], taken.payload["channelName"]) == ("MP-101", "Leroy Merlin")
    assert world.known() == {101: {SHIP}}


def test_bug_04_one_that_nobody_could_find_is_not_sent_and_says_so(world: MarketplaceWorld) -> None:
    world.add_order(101, SHIPPED, tracking="3S1", feed_id=None, reference="", on_marketplace=False)
    run_until_told(world, runs=3)

    told = world.told(101)
    assert world.posts() == []
    assert told is not None
    assert (told.status, told.reason) == ("failed", "no_marketplace_identity")


def test_bug_05_an_ignored_order_is_told_to_people_with_the_marketplaces_words(
    world: MarketplaceWorld,
) -> None:
    world.behave(ignoring={FEED + 101: "Order is locked"})
    for id_order in (101, 102):
        world.add_order(id_order, CANCELED)
    world.push()
    world.check()

    told = Told("failed", "ignored", "The marketplace ignored cancel: Order is locked")
    assert world.told(101) == told
    assert world.mailbox is not None
    assert [(one.id_order, one.message) for mail in world.mailbox.mails for one in mail] == [
        (101, told.message)
    ]
    assert world.known() == {102: {CANCEL}}


def test_bug_05_an_answer_of_an_error_ends_the_run_and_loses_nothing(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)
    world.server.plan(problem(403, "Service not authorized"), "POST")
    with pytest.raises(AccessDenied):
        world.push()
    world.server.plan(Fault.ERROR_BEFORE, "POST", times=3)
    with pytest.raises(Unavailable):
        world.push()
    run_until_told(world, runs=2)

    assert world.accepted() == {101: [CANCEL]}


@pytest.mark.parametrize("names_ids", [True, False], ids=["tickets name ids", "tickets name references"])
def test_bug_06_the_same_reference_on_two_channels_is_two_orders(
    world: MarketplaceWorld, names_ids: bool
) -> None:
    world.behave(names_ids=names_ids, failing={FEED + 102: "Not on this channel"})
    for id_order, channel in ((101, "Leroy Merlin"), (102, "Conforama")):
        world.add_order(id_order, CANCELED, channel=channel, reference="4711")
    world.push()
    world.check()

    assert world.known() == {101: {CANCEL}}
    assert world.told(102) == Told("failed", "ticket_failed", "Conforama refused cancel: Not on this channel")


def test_bug_07_an_order_without_an_account_goes_through_the_one_its_shop_has(
    world: MarketplaceWorld,
) -> None:
    world.add_order(101, CANCELED, token=None)
    world.add_order(102, CANCELED, token=0)
    run_until_told(world, runs=2)

    assert world.accepted() == {101: [CANCEL], 102: [CANCEL]}
    assert [path for path, _ in world.posts()] == [f"/v1/store/{STORE}/order/cancel"]


def test_bug_07_and_through_none_where_several_could_be_meant(world: MarketplaceWorld) -> None:
    world.add_account(2)
    world.add_order(101, CANCELED, token=0)
    world.add_order(102, CANCELED, token=2, store=OTHER_STORE)
    run_until_told(world, runs=2)

    told = world.told(101)
    assert told is not None
    assert (told.status, told.reason) == ("failed", "no_marketplace_account")
    assert [path for path, _ in world.posts()] == [f"/v1/store/{OTHER_STORE}/order/cancel"]
    assert world.known() == {102: {CANCEL}}


def test_bug_07_the_answer_is_asked_for_where_the_order_was_told(world: MarketplaceWorld) -> None:
    world.add_account(2, token=OTHER_TOKEN, store=OTHER_STORE)
    world.add_order(101, CANCELED, token=1)
    world.add_order(102, CANCELED, token=2, store=OTHER_STORE)
    world.push()
    world.check()

    assert world.known() == {101: {CANCEL}, 102: {CANCEL}}
    assert [world.gets()[f"/v1/store/{store}/ticket"] for store in (STORE, OTHER_STORE)] == [1, 1]


def test_bug_08_an_order_the_api_refuses_does_not_keep_the_others_back(world: MarketplaceWorld) -> None:
    ids = world.add_orders(100, CANCELED)
    world.behave(refusing={FEED + 142: "No such thing"})
    world.push(force=True)
    world.check()

    assert world.known() == {one: {CANCEL} for one in ids if one != 142}
    told = world.told(142)
    assert told is not None
    assert (told.status, told.reason) == ("failed", "refused")
    assert "No such thing" in (told.message or "")


def test_bug_09_nobody_asks_for_a_session_where_the_store_is_known(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)
    world.add_order(102, REFUNDED)
    run_until_told(world, runs=2)

    assert len(world.accepted()) == 2
    assert world.gets()["/v1/me"] == 0


def test_bug_09_and_once_a_run_where_it_is_not(world: MarketplaceWorld) -> None:
    world.sql("UPDATE ps_shoppingfeed_token SET shoppingfeed_store_id = NULL")
    for id_order, state in ((101, CANCELED), (102, REFUNDED), (103, CANCELED)):
        world.add_order(id_order, state)
    world.push()

    assert len(world.taken()) == 3
    assert world.gets()["/v1/me"] == 1


def test_bug_10_every_batch_is_watched(world: MarketplaceWorld) -> None:
    ids = world.add_orders(250, CANCELED)
    world.push(force=True)
    batches = {one.batch for one in world.taken()}
    world.check()

    assert len(batches) == 3
    assert world.known() == {one: {CANCEL} for one in ids}


def test_bug_11_a_refund_is_of_the_whole_order_and_told_once(world: MarketplaceWorld) -> None:
    world.add_order(101, REFUNDED)
    run_until_told(world, runs=2)
    world.set_state(101, PAID)  # another slip is made, and the order comes into the state again
    run_until_told(world, runs=2)
    world.set_state(101, REFUNDED)
    run_until_told(world, runs=2)

    (taken,) = world.taken()
    assert taken.payload == {"id": FEED + 101, "refund": {"shipping": True, "products": []}}


def test_bug_12_a_list_of_states_that_is_not_there_is_an_empty_one(world: MarketplaceWorld) -> None:
    world.marketplace = {"conflict": "allow_when_absent", "canceled_states": [CANCELED]}
    for id_order, state in ((101, CANCELED), (102, SHIPPED), (103, 0)):
        world.add_order(id_order, state, tracking="3S1")
    run_until_told(world, runs=3)

    assert world.accepted() == {101: [CANCEL]}


def test_bug_12_and_none_at_all_is_said(world: MarketplaceWorld) -> None:
    world.marketplace = {"conflict": "allow_when_absent"}
    world.add_order(101, CANCELED)

    with pytest.raises(ConfigurationError) as raised:
        world.push()
    assert (raised.value.code, raised.value.exit_code) == ("no_states_mapped", 78)


def test_bug_13_what_waits_is_not_forgotten_however_old_it_is(world: MarketplaceWorld) -> None:
    world.set(tracking_wait="60d")
    world.add_order(101, SHIPPED, tracking="")
    run_until_told(world, runs=2)
    world.after(days=45).push()
    world.set_tracking(101, "3S1")
    run_until_told(world, runs=2)

    assert world.accepted() == {101: [SHIP]}


def test_bug_14_an_order_has_one_operation_on_its_way(world: MarketplaceWorld) -> None:
    world.behave(ticket_delay=3600)
    world.add_order(101, SHIPPED, tracking="3S1")
    run_until_told(world, runs=2)
    world.set_state(101, REFUNDED)
    run_until_told(world, runs=2)
    (task,) = world.tasks().values()
    meanwhile = [one.operation for one in world.taken()]
    world.after(hours=1)
    run_until_told(world, runs=2)
    world.after(hours=1)
    run_until_told(world, runs=2)

    assert (task.operation, task.status) == (SHIP, TaskStatus.SENT)
    assert meanwhile == [SHIP]
    assert world.known() == {101: {SHIP, REFUND}}
    assert [one.operation for one in world.taken()] == [SHIP, REFUND]


def test_bug_14_a_state_that_comes_and_goes_is_told_once(world: MarketplaceWorld) -> None:
    world.add_order(101, SHIPPED, tracking="3S1")
    for state in (PAID, SHIPPED, COMPLETED, SHIPPED):
        world.push()
        world.after(minutes=1).set_state(101, state)
    run_until_told(world)

    assert [one.operation for one in world.taken()] == [SHIP]


def test_bug_15_settings_are_those_of_the_orders_shop(world: MarketplaceWorld) -> None:
    world.add_account(2, shop=2)
    world.add_order(101, CANCELED)
    world.add_order(102, CANCELED, shop=2, token=2, store=OTHER_STORE)
    world.set_value("SHOPPINGFEED_ORDER_SYNC_ENABLED", "1", shop=2)
    world.add_module("shoppingfeed", shops=(1, 2))

    with pytest.raises(ConfigurationError) as raised:
        world.push()
    world.set(shops=[1])
    world.push()
    world.check()

    assert raised.value.code == "module_syncs"
    assert world.known() == {101: {CANCEL}}


def test_bug_16_a_run_beside_another_says_so_and_one_that_failed_holds_nothing(
    world: MarketplaceWorld,
) -> None:
    world.add_order(101, CANCELED)
    with world.state() as state, state.locks.hold("order_status", "shoppingfeed"):
        for run in (world.push, world.check):
            with pytest.raises(LockHeld) as raised:
                run()
            assert raised.value.exit_code == 75
    world.server.plan(problem(403), "POST")
    with pytest.raises(AccessDenied):
        world.push()
    world.push()

    assert [one.operation for one in world.taken()] == [CANCEL]


def test_bug_17_a_ticket_that_is_not_listed_yet_is_waited_for(world: MarketplaceWorld) -> None:
    world.behave(hidden_looks=3)
    world.add_order(101, CANCELED)
    world.push()
    seen = []
    for _ in range(3):
        world.cron(minutes=5)
        seen.append(world.told(101))
    run_until_told(world, runs=3)

    assert seen == [Told("pending", "in_flight", None)] * 3
    assert world.mailbox is not None
    assert world.mailbox.mails == []
    assert world.known() == {101: {CANCEL}}
    assert len(world.taken()) == 1
