"""What the marketplace may answer to order statuses, and what becomes of the orders: over HTTP, run by run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from brekzsync.bootstrap.logs import retry_records
from brekzsync.demo.marketplace.answers import problem
from brekzsync.demo.marketplace.server import DemoOrder, Fault, limited
from brekzsync.domain.log_records import LogQuery
from brekzsync.domain.marketplace import Identity, Notice, TaskStatus, Tracking
from brekzsync.domain.order_status import Operation
from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Interrupted, Unavailable
from brekzsync.flows.order_status.run import StatusFlow
from tests.marketplace_world import (
    CANCELED,
    FEED,
    OTHER_STORE,
    PREPARED,
    REFUNDED,
    SHIPPED,
    STORE,
    Mailbox,
    MarketplaceWorld,
    Told,
    by_operation,
)

SHIP, CANCEL, REFUND, DELIVER = Operation
CANCELLATIONS = f"/v1/store/{STORE}/order/cancel"
TICKETS = f"/v1/store/{STORE}/ticket"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MarketplaceWorld]:
    with MarketplaceWorld.embedded(tmp_path) as world:
        yield world


def sizes(world: MarketplaceWorld) -> list[int]:
    """How many orders each request carried."""
    return [len(json.loads(asked.body)["order"]) for asked in world.server.asked if asked.method == "POST"]


def fails(world: MarketplaceWorld, kind: type[BrekzsyncError]) -> BrekzsyncError:
    """A push that ends with an error."""
    with pytest.raises(kind) as raised:
        world.push(force=True)
    return raised.value


def told(world: MarketplaceWorld, id_order: int = 101) -> Told:
    found = world.told(id_order)
    assert found is not None
    return found


def mails(world: MarketplaceWorld) -> list[list[tuple[int, str, int]]]:
    """What people were told: order, reason, attempts."""
    assert world.mailbox is not None
    return [[(one.id_order, one.reason, one.attempts) for one in mail] for mail in world.mailbox.mails]


# --- requests -----------------------------------------------------------------------------------------------


def test_a_request_carries_a_hundred_orders_of_one_operation_at_most(world: MarketplaceWorld) -> None:
    ids = world.add_orders(230, CANCELED)
    for id_order in ids[:30]:
        world.set_state(id_order, REFUNDED)
    outcome = world.push(force=True)

    assert sorted(sizes(world)) == [30, 100, 100]
    assert outcome.requests == 3
    assert dict(outcome.sent) == {CANCEL: 200, REFUND: 30}


def test_one_refused_order_of_a_hundred_is_found_by_halves(world: MarketplaceWorld) -> None:
    world.add_orders(100, CANCELED)
    world.behave(refusing={FEED + 150: "Order is locked"})
    outcome = world.push(force=True)

    assert outcome.requests == len(world.posts()) <= 15
    assert len({one.order for one in world.taken()}) == len(world.taken()) == 99
    assert told(world, 150).reason == "refused"
    assert "Order is locked" in (told(world, 150).message or "")


def test_an_ignored_order_fails_and_the_rest_of_its_batch_does_not(world: MarketplaceWorld) -> None:
    world.add_orders(3, CANCELED)
    world.behave(ignoring={"MP-102": "Order not eligible"})
    world.push()
    world.check()

    assert set(world.known()) == {101, 103}
    assert told(world, 102) == Told("failed", "ignored", "The marketplace ignored cancel: Order not eligible")
    assert len(world.posts()) == 1


def test_all_of_them_ignored_makes_no_batch(world: MarketplaceWorld) -> None:
    world.add_orders(2, CANCELED, on_marketplace=False)
    outcome = world.push()

    assert outcome.tally.failed == 2
    assert {told(world, one).reason for one in (101, 102)} == {"ignored"}
    assert {task.status for task in world.tasks().values()} == {TaskStatus.WAITING}


def test_an_old_order_that_is_ignored_is_known_by_its_reference(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED, feed_id=None)
    world.add_order(102, CANCELED, feed_id=None)
    world.behave(ignoring={"MP-102": "Order not eligible"})
    world.push()
    world.check()

    assert set(world.known()) == {101}
    assert told(world, 102).reason == "ignored"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_token_stops_the_run_and_loses_nothing(world: MarketplaceWorld, status: int) -> None:
    world.add_orders(150, CANCELED)
    world.server.plan(problem(status, "Service not authorized"), "POST")
    error = fails(world, AccessDenied)
    tasks = world.tasks().values()
    world.push()

    assert (error.exit_code, len(sizes(world))) == (77, 3)
    assert {(task.status, task.attempts) for task in tasks} == {(TaskStatus.WAITING, 0)}
    assert len(world.taken()) == len({one.order for one in world.taken()}) == 150


def test_a_token_refused_between_two_requests_keeps_what_was_taken(world: MarketplaceWorld) -> None:
    world.add_orders(150, CANCELED)

    def refuse_the_second(asked: Any) -> None:
        if asked.method == "POST":
            world.server.plan(problem(403), "POST")

    world.server.before_each = refuse_the_second
    fails(world, AccessDenied)
    statuses = [task.status for task in world.tasks().values()]
    world.server.before_each = lambda asked: None
    world.push()

    assert (statuses.count(TaskStatus.SENT), statuses.count(TaskStatus.WAITING)) == (100, 50)
    assert len(world.taken()) == 150


def test_too_many_requests_are_waited_for_as_long_as_is_asked(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)
    world.server.plan(limited(1.5), "POST", times=2)
    world.push()

    assert world.slept == [1.5, 1.5]
    assert [status for _, status in world.posts()] == [429, 429, 202]
    assert len(world.taken()) == 1


def test_and_not_for_hours(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)
    world.server.plan(limited(3600), "POST")
    error = fails(world, Unavailable)
    world.push()

    assert (error.code, error.exit_code) == ("rate_limited", 69)
    assert len(world.taken()) == 1


def test_an_unknown_store_is_a_setting_and_no_orders_fault(world: MarketplaceWorld) -> None:
    world.sql("UPDATE ps_shoppingfeed_token SET shoppingfeed_store_id = 4711")
    world.add_orders(20, CANCELED)
    error = fails(world, ConfigurationError)
    world.sql("UPDATE ps_shoppingfeed_token SET shoppingfeed_store_id = 1276")
    world.push()

    assert (error.code, error.exit_code) == ("unknown_store", 78)
    assert "1276" in error.hint
    assert len(sizes(world)) == 2
    assert len(world.taken()) == 20


# --- answers that were lost -----------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [Fault.HANG_AFTER, Fault.DROP_AFTER])
@pytest.mark.parametrize("feed_id", [0, None], ids=["by id", "by reference"])
def test_a_lost_answer_is_looked_up_and_nothing_is_sent_again(
    world: MarketplaceWorld, fault: Fault, feed_id: int | None
) -> None:
    world.read_timeout = 0.3
    world.add_order(101, CANCELED, feed_id=feed_id)
    world.server.plan(fault, "POST")
    error = fails(world, Unavailable)
    lost = told(world)
    soon = world.after(minutes=1).push()
    world.after(minutes=2).push()
    found = world.tasks()[101]
    world.check()

    assert error.code == "marketplace_unclear"
    assert (lost.status, lost.reason) == ("pending", "in_flight")
    assert (dict(soon.waiting), dict(soon.sent)) == ({"in_flight": 1}, {})
    assert (found.status, found.batch_id, found.ticket) == (TaskStatus.SENT, "batch1", "ticket1")
    assert sizes(world) == [1]
    assert world.known() == {101: {CANCEL}}


@pytest.mark.parametrize("fault", [Fault.HANG_BEFORE, Fault.DROP_BEFORE])
def test_a_request_that_never_arrived_is_sent_again(world: MarketplaceWorld, fault: Fault) -> None:
    world.read_timeout = 0.3
    world.add_orders(3, CANCELED)
    world.server.plan(fault, "POST")
    fails(world, Unavailable)
    for _ in range(2):
        world.cron(minutes=5)

    assert world.accepted() == {101: [CANCEL], 102: [CANCEL], 103: [CANCEL]}


def test_what_was_done_without_any_ticket_is_seen_by_the_order(world: MarketplaceWorld) -> None:
    world.behave(without_ticket={FEED + 101})
    world.add_order(101, CANCELED)
    world.server.plan(Fault.DROP_AFTER, "POST")
    fails(world, Unavailable)
    world.after(minutes=5).push()

    assert world.known() == {101: {CANCEL}}
    assert len(world.posts()) == 1


@pytest.mark.parametrize("fault", [Fault.ERROR_AFTER, Fault.GARBLED_AFTER])
def test_after_an_error_it_is_looked_up_in_the_same_run(world: MarketplaceWorld, fault: Fault) -> None:
    world.add_orders(2, CANCELED)
    world.server.plan(fault, "POST")
    outcome = world.push()
    world.check()

    assert len(world.posts()) == 1
    assert (dict(outcome.sent), dict(outcome.waiting)) == ({CANCEL: 2}, {})
    assert world.known() == {101: {CANCEL}, 102: {CANCEL}}


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.BUSY])
def test_and_sent_again_where_it_is_not_there(world: MarketplaceWorld, fault: Fault) -> None:
    world.add_orders(2, CANCELED)
    world.server.plan(fault, "POST", times=2)
    outcome = world.push()

    assert len(world.posts()) == 3
    assert (dict(outcome.sent), dict(outcome.waiting)) == ({CANCEL: 2}, {})
    assert len(world.taken()) == 2


def test_a_marketplace_that_is_down_is_left_alone_after_three_times(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)
    world.server.plan(Fault.BUSY, "POST", times=3)
    error = fails(world, Unavailable)
    task = world.tasks()[101]
    world.push()

    assert error.exit_code == 69
    assert (task.status, task.attempts) == (TaskStatus.WAITING, 0)
    assert len(world.taken()) == 1


def test_an_identity_that_is_mended_while_it_waits_finds_the_lost_answer(world: MarketplaceWorld) -> None:
    world.add_order(101, SHIPPED, tracking="3S1", reference="MP-WRONG")
    world.push()
    world.sql(
        "UPDATE ps_shoppingfeed_order SET id_order_marketplace = 'MP-101', id_internal_shoppingfeed = NULL"
    )
    world.server.add([DemoOrder(FEED + 500, "MP-101", "Leroy Merlin", STORE)])
    world.server.plan(Fault.DROP_AFTER, "POST")
    world.after(minutes=6)
    fails(world, Unavailable)
    world.after(minutes=5).push()
    world.check()

    assert len(world.posts()) == 1
    assert world.known() == {101: {SHIP}}


def test_being_told_to_stop_amid_a_request_repeats_nothing_blindly(world: MarketplaceWorld) -> None:
    """The request may have left before the signal came."""
    world.add_order(101, CANCELED)

    class Stopped:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

        def submit(self, *given: Any) -> Any:
            self._client.submit(*given)
            raise Interrupted(15)

    world.around_client = Stopped
    fails(world, Interrupted)
    left = world.tasks()[101]
    world.around_client = lambda client: client
    world.after(minutes=1).push()
    world.after(minutes=5).push()
    world.check()

    assert left.status is TaskStatus.SENDING
    assert len(world.posts()) == 1
    assert world.known() == {101: {CANCEL}}


def test_being_told_to_stop_ends_a_run_wherever_it_is(world: MarketplaceWorld) -> None:
    class Stopped:
        def __init__(self, client: Any) -> None:
            self._client = client

        def __getattr__(self, name: str) -> Any:
            return getattr(self._client, name)

        def fulfilled_by_channel(self, *_: Any) -> Any:
            raise Interrupted(15)

    world.add_order(101, CANCELED, on_marketplace=False)
    world.around_client = Stopped
    fails(world, Interrupted)
    posted = world.posts()
    world.around_client = lambda client: client
    world.mailbox = Mailbox(error=Interrupted(15))
    fails(world, Interrupted)

    assert posted == []
    assert told(world).reason == "ignored"


def test_a_state_that_is_away_when_the_answer_comes_has_nothing_sent_twice(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)

    class Away:
        def __init__(self, tasks: Any) -> None:
            self._tasks = tasks

        def __getattr__(self, name: str) -> Any:
            return getattr(self._tasks, name)

        def accept(self, *_: Any, **__: Any) -> int:
            raise Unavailable("The state went away.")

    def adjust(flow: StatusFlow) -> StatusFlow:
        return replace(flow, tasks=Away(flow.tasks))

    world.adjust = adjust
    fails(world, Unavailable)
    left = world.tasks()[101]
    world.adjust = lambda flow: flow
    world.after(minutes=5).push()
    world.check()

    assert left.status is TaskStatus.SENDING
    assert len(world.posts()) == 1
    assert world.known() == {101: {CANCEL}}


def test_an_account_that_went_away_with_a_lost_answer_keeps_nobody_waiting(world: MarketplaceWorld) -> None:
    world.add_account(2)
    world.add_order(101, CANCELED, token=2, store=OTHER_STORE)
    world.server.plan(Fault.DROP_AFTER, "POST")
    fails(world, Unavailable)
    world.sql("DELETE FROM ps_shoppingfeed_token WHERE id_shoppingfeed_token = 2")
    world.add_order(102, CANCELED)
    outcome = world.after(minutes=5).push()

    assert dict(outcome.sent) == {CANCEL: 1}
    assert any("account 2 is gone" in warning for warning in outcome.warnings)
    assert world.tasks()[101].status is TaskStatus.SENDING


# --- tickets ------------------------------------------------------------------------------------------------


def test_a_ticket_that_succeeded_ends_the_task(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)
    world.push()
    outcome = world.check()

    counted = {name: count for name, count in outcome.tally.counts().items() if count}
    assert counted == {"read": 1, "eligible": 1, "pending": 1, "delivered": 1}
    assert dict(outcome.sent) == {CANCEL: 1}
    assert (world.tasks(), told(world)) == ({}, Told("synced", None, None))


def test_tickets_are_read_over_all_pages(world: MarketplaceWorld) -> None:
    world.behave(largest_page=7)
    ids = world.add_orders(60, CANCELED)
    world.push(force=True)
    world.check()

    assert world.known() == {one: {CANCEL} for one in ids}
    assert world.gets()[TICKETS] == 9


def test_an_open_ticket_is_left_and_its_number_kept(world: MarketplaceWorld) -> None:
    world.behave(ticket_delay=600)
    world.add_order(101, CANCELED)
    world.push()
    batch = world.tasks()[101].batch_id
    outcome = world.after(minutes=1).check()
    task = world.tasks()[101]

    assert (task.status, batch, task.batch_id, task.ticket) == (
        TaskStatus.SENT,
        "batch1",
        "batch1",
        "ticket1",
    )
    assert dict(outcome.waiting) == {"in_flight": 1}
    assert outcome.passed_over == ("Order 101: cancel: ticket ticket1 is scheduled.",)
    world.after(minutes=10).check()
    assert world.known() == {101: {CANCEL}}


def test_a_state_of_a_ticket_that_nobody_knows_is_an_open_one(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)
    world.push()
    answer = {
        "_embedded": {
            "ticket": [{"id": "t-1", "batchId": "batch1", "state": "paused", "payload": {"id": 5101}}]
        }
    }
    world.server.plan(problem(200)._replace(status=200, content=json.dumps(answer).encode()), "GET", TICKETS)
    outcome = world.check()

    assert dict(outcome.waiting) == {"in_flight": 1}
    assert world.tasks()[101].ticket == "t-1"


def test_a_failure_is_told_once_and_tried_again_ever_later_until_somebody_must_look(
    world: MarketplaceWorld,
) -> None:
    world.set(attempts=4)
    world.behave(failing={FEED + 101: "Parcel unknown"})
    world.add_order(101, CANCELED)
    world.push()
    waits = []
    for _ in range(3):
        world.check()
        failed_at, task = world.now, world.tasks()[101]
        waits.append((task.not_before - failed_at.timestamp() * 1000) / 60_000)
        assert world.push().requests == 0
        world.now = datetime.fromtimestamp(task.not_before / 1000, UTC)
        world.push()
    world.check()
    dead = world.tasks()[101]
    for _ in range(3):
        last = world.cron(days=1)

    words = "Leroy Merlin refused cancel: Parcel unknown"
    assert waits == [5, 10, 20]
    assert (dead.status, dead.attempts) == (TaskStatus.DEAD, 4)
    assert told(world) == Told("failed", "ticket_failed", f"{words} Given up after 4 attempts.")
    assert len(world.taken()) == 4
    assert mails(world) == [[(101, "ticket_failed", 1)], [(101, "ticket_failed", 4)]]
    assert (last.tally.failed, last.tally.new_failures) == (1, 0)


def test_what_was_never_sent_counts_as_no_attempt(world: MarketplaceWorld) -> None:
    world.set(without_tracking="fail", tracking_wait="0m", attempts=2)
    world.behave(failing={FEED + 101: "Not now"}, failures=1)
    world.add_order(101, SHIPPED, tracking="")
    for _ in range(10):
        world.cron(hours=2)
    unsent, looked_at = world.tasks()[101], world.now
    world.set_tracking(101, "3S1")
    for _ in range(4):
        world.cron(hours=1)

    assert (unsent.reason, unsent.attempts, unsent.status) == ("no_tracking", 0, TaskStatus.WAITING)
    assert unsent.not_before <= looked_at.timestamp() * 1000 + 3_600_000
    assert [one.state for one in world.taken()] == ["failed", "succeed"]
    assert mails(world) == [[(101, "no_tracking", 0)], [(101, "ticket_failed", 1)]]


def test_a_person_has_what_was_given_up_tried_again(world: MarketplaceWorld) -> None:
    world.set(attempts=1)
    world.behave(failing={FEED + 101: "Parcel unknown"})
    world.add_order(101, CANCELED)
    world.push()
    world.check()
    assert world.tasks()[101].status is TaskStatus.DEAD
    world.behave()
    retry_records(world.settings, LogQuery(target="shoppingfeed"), ["101"], dry_run=False)
    world.now = max(world.now, datetime.now(UTC))
    world.cron(seconds=1)
    world.check()

    assert world.known() == {101: {CANCEL}}


def test_an_attempt_that_follows_at_once_is_not_taken_for_the_one_before(world: MarketplaceWorld) -> None:
    """Its answer is lost, and the ticket of the first one is only a minute old."""
    world.behave(failing={FEED + 101: "Parcel unknown"}, failures=1)
    world.add_order(101, CANCELED)
    world.push()
    world.check()
    with world.state() as state, state.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE status_task SET not_before = 0")
    world.server.plan(Fault.DROP_BEFORE, "POST")
    fails(world.after(seconds=30), Unavailable)
    world.after(minutes=3).push()
    world.check()

    assert [one.state for one in world.taken()] == ["failed", "succeed"]
    assert world.known() == {101: {CANCEL}}


def test_failures_of_one_run_are_in_one_mail_and_told_again_when_it_did_not_go_out(
    world: MarketplaceWorld,
) -> None:
    world.mailbox = Mailbox(error=Unavailable("No mail server."))
    world.behave(failing={"MP-101": "No", "MP-102": "Never"})
    world.add_orders(3, CANCELED)
    world.push()
    first = world.check()
    world.mailbox.error = None
    second, third = world.check(), world.check()

    assert [run.is_mailed for run in (first, second, third)] == [False, True, False]
    assert first.warnings == ("Nobody was told of what failed: No mail server.",)
    assert mails(world) == [[(101, "ticket_failed", 1), (102, "ticket_failed", 1)]]


@pytest.mark.parametrize(("policy", "expected"), [("failed", {}), ("done", {101: {CANCEL}})])
def test_a_canceled_ticket_is_what_the_configuration_says(
    world: MarketplaceWorld, policy: str, expected: dict[int, set[Operation]]
) -> None:
    world.set(canceled_tickets=policy)
    world.behave(canceling={FEED + 101})
    world.add_order(101, CANCELED)
    world.push()
    world.check()

    assert world.known() == expected
    if policy == "failed":
        words = "The marketplace canceled cancel of this order: Task refused"
        assert told(world) == Told("failed", "ticket_canceled", words)


def test_a_ticket_that_stays_away_is_looked_up_by_its_number(world: MarketplaceWorld) -> None:
    world.behave(ticket_delay=600)
    world.add_order(101, CANCELED)
    world.push()
    world.check()
    world.server.plan(_nothing(), "GET", TICKETS)
    world.after(hours=1).check()

    assert world.gets()[f"{TICKETS}/ticket1"] == 1
    assert world.known() == {101: {CANCEL}}


def test_or_by_its_order_or_seen_by_the_order_itself(world: MarketplaceWorld) -> None:
    world.behave(without_ticket={FEED + 102})
    world.add_orders(2, CANCELED)
    world.push()
    world.server.plan(_nothing(), "GET", TICKETS)
    soon = world.after(minutes=59).check()
    world.server.plan(_nothing(), "GET", TICKETS)
    world.after(minutes=1).check()

    assert dict(soon.waiting) == {"in_flight": 2}
    assert world.gets()[f"/v1/store/{STORE}/order/{FEED + 102}"] == 1
    assert world.known() == {101: {CANCEL}, 102: {CANCEL}}


def test_an_operation_without_ticket_and_effect_is_lost_and_tried_again(world: MarketplaceWorld) -> None:
    world.behave(without_ticket={FEED + 101}, ticket_delay=86_400)
    world.add_order(101, CANCELED)
    world.push()
    world.after(hours=1).check()
    lost = told(world)
    world.behave()
    for _ in range(2):
        world.cron(minutes=5)

    assert (lost.status, lost.reason) == ("failed", "ticket_lost")
    assert lost.message == (
        "The marketplace took cancel (batch batch1) and has no ticket of it; the order is waiting_shipment there."
    )
    assert world.known() == {101: {CANCEL}}


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_list_of_tickets_that_is_refused_is_no_end_of_the_world(
    world: MarketplaceWorld, status: int
) -> None:
    world.add_order(101, CANCELED)
    world.push()
    world.server.plan(problem(status, "No such filter"), "GET", "ticket", times=100)
    soon = world.check()
    world.after(hours=1).check()

    assert dict(soon.waiting) == {"in_flight": 1}
    assert world.known() == {101: {CANCEL}}  # as the order itself shows


def test_what_somebody_did_on_the_marketplace_meanwhile_is_not_sent_again(world: MarketplaceWorld) -> None:
    world.behave(failing={FEED + 101: "Not now"}, failures=1)
    world.add_order(101, SHIPPED, tracking="3S1")
    world.push()
    world.after(minutes=5).push()
    world.check()
    _tell(world, "ship", FEED + 101)
    outcome = world.after(minutes=5).push()

    assert len(world.taken()) == 2  # ours, and that person's
    assert (outcome.requests, outcome.tally.delivered) == (0, 1)
    assert world.known() == {101: {SHIP}}


def test_tickets_come_before_what_is_sent_and_may_come_twice(world: MarketplaceWorld) -> None:
    world.add_order(101, CANCELED)
    world.push()
    for _ in range(3):
        world.check()
        world.push()

    assert len(world.taken()) == 1
    assert world.known() == {101: {CANCEL}}


def test_a_failed_operation_whose_order_went_on_is_not_tried_again(world: MarketplaceWorld) -> None:
    world.behave(failing={FEED + 101: "Not now"})
    world.add_order(101, CANCELED)
    world.push()
    world.set_state(101, PREPARED)
    for _ in range(4):
        world.cron(hours=1)

    assert by_operation(world.taken()) == {CANCEL: [101]}
    assert (world.tasks(), told(world).status) == ({}, "synced")


@pytest.mark.parametrize("run", [MarketplaceWorld.push, MarketplaceWorld.check])
def test_without_anything_to_do_nothing_is_asked(
    world: MarketplaceWorld, run: Callable[[MarketplaceWorld], object]
) -> None:
    world.add_order(101, PREPARED)
    run(world)

    assert world.server.requests == []


def _nothing() -> Any:
    return problem(200)._replace(status=200, content=b'{"count": 0, "_embedded": {"ticket": []}}')


def _tell(world: MarketplaceWorld, operation: str, feed_id: int) -> None:
    """Somebody tells the marketplace by its own pages."""
    client = world.connect("demo-token")
    client.submit(
        STORE, Operation(operation), [Notice(0, Identity(feed_id, "", ""), Tracking("PostNL", "3S1"))]
    )
    client.close()
    world.server.finish()
