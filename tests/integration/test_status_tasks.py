"""The operations on their way to the marketplace: what may become of one, and what the ledger says meanwhile."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from time import process_time
from typing import Any

import pytest

from brekzsync.domain.ledger import Acknowledgement
from brekzsync.domain.marketplace import (
    Batch,
    Identity,
    StatusTask,
    TaskAccepted,
    TaskClaim,
    TaskEnd,
    TaskFailure,
    TaskHold,
    TaskStatus,
)
from brekzsync.domain.order_status import Operation, accepted_fingerprint, accepted_of
from brekzsync.state import status_tasks as module
from brekzsync.state.database import State, open_state
from brekzsync.state.ledger import Ledger
from brekzsync.state.status_tasks import StatusTasks
from tests.integration.state_rows import NOON_MS, RUN, attempts, entry

FLOW = ("order_status", "shoppingfeed")
MINUTE = 60_000
LATER = NOON_MS + 10 * MINUTE
WAITING, SENDING, SENT, DEAD = TaskStatus
SHIP, CANCEL, REFUND, DELIVER = Operation
PROCESSES = 3
ORDERS = range(1, 81)


@pytest.fixture
def tasks(state: State) -> StatusTasks:
    """No tasks."""
    return state.status_tasks(*FLOW)


@pytest.fixture
def ledger(state: State) -> Ledger:
    """What the marketplace accepted of each order: nothing."""
    return state.ledger(*FLOW)


def task(id_order: int = 5, operation: Operation = SHIP, **values: Any) -> StatusTask:
    identity = Identity(1_000_000_000_000 + id_order, f"408-7654321-{id_order}", "Amazon")
    made = StatusTask(id_order, operation, WAITING, NOON_MS, NOON_MS, 0, f"KHWLILZLL-{id_order}", identity)
    return made._replace(**values)


def claim_of(id_order: int = 5, operation: Operation = SHIP, tracking: str = "3SBREK1") -> TaskClaim:
    return TaskClaim(id_order, operation, 3, 1276, tracking)


def claimed(one: StatusTask, at: int = NOON_MS, tracking: str = "3SBREK1") -> StatusTask:
    return one._replace(status=SENDING, id_account=3, store_id=1276, sent_at=at, tracking=tracking)


def sent(one: StatusTask, batch: str | None = "b-1", ticket: str | None = None) -> StatusTask:
    return claimed(one)._replace(status=SENT, batch_id=batch, ticket=ticket)


def send(tasks: StatusTasks, *ids: int, batch: str | None = "b-1", operation: Operation = SHIP) -> None:
    """Bring these to the marketplace."""
    tasks.add([task(one, operation) for one in ids], at=NOON_MS)
    assert tasks.claim([claim_of(one, operation) for one in ids], at=NOON_MS) == len(ids)
    assert tasks.accept([TaskAccepted(one, batch, None) for one in ids], at=NOON_MS) == len(ids)


def acknowledged(
    id_order: int = 5, *operations: Operation, prior: tuple[Operation, ...] = ()
) -> Acknowledgement:
    return Acknowledgement(
        id_order,
        0,
        fingerprint=accepted_fingerprint({*operations, *prior}),
        force=0,
        source_digest=None,
        code=None,
        document=f"document of {id_order}",
        prior_fingerprint=accepted_fingerprint(prior) if prior else None,
        prior_force=0,
        known=True,
    )


def failure(id_order: int = 5, message: str = "No such parcel", retry_at: int | None = LATER) -> TaskFailure:
    return TaskFailure(id_order, "ticket_failed", message, retry_at)


def said(ledger: Ledger, id_order: int = 5) -> tuple[str, str | None, str | None, int | None]:
    """What the ledger says of an order: status, reason, message, next attempt."""
    found = entry(ledger, (id_order, 0))
    return found.status, found.reason, found.message, found.next_attempt_at


def due(tasks: StatusTasks, at: int = LATER, after: int = 0, limit: int = 100) -> list[int]:
    return [one.id_order for one in tasks.due(at, after=after, limit=limit)]


def test_a_new_task_is_kept_as_it_was_given_and_the_ledger_says_that_it_is_queued(
    tasks: StatusTasks, ledger: Ledger
) -> None:
    given = task()._replace(identity=Identity(None, "Bestellung „Ü“ 7", "Réal"))
    assert tasks.add([given, task(4, CANCEL)], at=NOON_MS) == 2
    assert tasks.some([5, 99]) == {5: given}
    assert list(tasks.rows()) == [task(4, CANCEL), given]
    assert list(tasks.rows(4)) == [given]
    assert said(ledger) == ("pending", "queued", None, None)
    assert ledger.is_empty()


def test_of_one_that_waits_for_its_time_the_ledger_says_so_and_until_when(
    tasks: StatusTasks, ledger: Ledger
) -> None:
    tasks.add([task(not_before=LATER)], at=NOON_MS)
    assert said(ledger) == ("pending", "shipped_delay", None, LATER)
    tasks.claim([claim_of()], at=LATER)
    assert said(ledger) == ("pending", "in_flight", None, None)


def test_nothing_is_there_before_the_first_task(tasks: StatusTasks) -> None:
    assert (list(tasks.rows()), dict(tasks.some([5])), due(tasks)) == ([], {}, [])
    assert (list(tasks.batches()), list(tasks.untold(9))) == ([], [])
    assert tasks.add([], at=NOON_MS) == tasks.release([], at=NOON_MS) == 0


def test_another_operation_takes_the_place_of_one_that_waits_or_was_given_up(
    tasks: StatusTasks, ledger: Ledger
) -> None:
    tasks.add([task(4), task(5)], at=NOON_MS)
    tasks.fail([failure(5, retry_at=None)], run_id=RUN, at=NOON_MS)
    assert tasks.add([task(4, CANCEL), task(5, REFUND)], at=LATER) == 2
    assert list(tasks.rows()) == [task(4, CANCEL), task(5, REFUND)]
    assert said(ledger) == ("pending", "queued", None, None)


def test_nothing_takes_the_place_of_what_the_marketplace_may_have(tasks: StatusTasks, ledger: Ledger) -> None:
    tasks.add([task(4)], at=NOON_MS)
    tasks.claim([claim_of(4)], at=NOON_MS)
    send(tasks, 5)
    before = [entry(ledger, (one, 0)) for one in (4, 5)]
    assert tasks.add([task(4, CANCEL), task(5, CANCEL)], at=LATER) == 0
    assert list(tasks.rows()) == [claimed(task(4)), sent(task(5))]
    assert [entry(ledger, (one, 0)) for one in (4, 5)] == before


def test_a_task_that_is_put_off_says_why_and_is_due_when_its_time_has_come(
    tasks: StatusTasks, ledger: Ledger
) -> None:
    tasks.add([task(5), task(6)], at=NOON_MS)
    hold = TaskHold(5, "no_tracking_yet", "It has no tracking number yet.", LATER)
    assert tasks.hold([hold, hold._replace(id_order=7)], at=NOON_MS) == 1
    assert said(ledger) == ("pending", "no_tracking_yet", "It has no tracking number yet.", LATER)
    assert (due(tasks, LATER - 1), due(tasks, LATER)) == ([6], [5, 6])
    assert tasks.some([5])[5] == task(5, not_before=LATER)


def test_waiting_on_for_the_same_is_no_news(tasks: StatusTasks, ledger: Ledger) -> None:
    tasks.add([task()], at=NOON_MS)
    hold = TaskHold(5, "no_tracking_yet", "None yet.", LATER)
    tasks.hold([hold], at=NOON_MS)
    tasks.hold([hold._replace(until=LATER + MINUTE)], at=NOON_MS + 1)
    assert entry(ledger, (5, 0)).updated_at == NOON_MS
    assert said(ledger)[3] == LATER + MINUTE


def test_what_is_on_its_way_is_not_put_off(tasks: StatusTasks, ledger: Ledger) -> None:
    tasks.add([task()], at=NOON_MS)
    tasks.claim([claim_of()], at=NOON_MS)
    assert tasks.hold([TaskHold(5, "no_tracking_yet", "None yet.", LATER)], at=NOON_MS) == 0
    assert said(ledger) == ("pending", "in_flight", None, None)


def test_a_claim_is_granted_once_and_only_for_the_operation_that_waits(
    tasks: StatusTasks, ledger: Ledger
) -> None:
    tasks.add([task(4), task(5, CANCEL)], at=NOON_MS)
    assert tasks.claim([claim_of(4), claim_of(5), claim_of(6)], at=LATER) == 1
    assert tasks.claim([claim_of(4)], at=LATER + 1) == 0
    assert list(tasks.rows()) == [claimed(task(4), LATER), task(5, CANCEL)]
    assert (said(ledger, 4)[1], said(ledger, 5)[1]) == ("in_flight", "queued")


def test_what_certainly_did_not_arrive_waits_again_and_no_attempt_is_counted(
    tasks: StatusTasks, ledger: Ledger
) -> None:
    tasks.add([task()], at=NOON_MS)
    tasks.claim([claim_of()], at=NOON_MS)
    assert tasks.release([5, 6], at=LATER) == 1
    assert tasks.release([5], at=LATER) == 0
    (released,) = tasks.rows()
    assert (released.status, released.attempts, released.not_before) == (WAITING, 0, NOON_MS)
    assert said(ledger) == ("pending", "queued", None, None)
    assert due(tasks) == [5]


def test_only_what_was_being_sent_is_sent_or_released(tasks: StatusTasks) -> None:
    tasks.add([task(4)], at=NOON_MS)
    send(tasks, 5)
    assert tasks.accept([TaskAccepted(4, "b-2", None), TaskAccepted(5, "b-2", None)], at=LATER) == 0
    assert tasks.release([4, 5], at=LATER) == 0
    assert list(tasks.rows()) == [task(4), sent(task(5))]


def test_the_batch_and_the_tickets_of_what_was_sent_are_kept(tasks: StatusTasks, ledger: Ledger) -> None:
    send(tasks, 4, 5)
    assert tasks.note_tickets([(5, "t-5"), (6, "t-6")]) == 1
    assert tasks.note_tickets([(5, "t-5")]) == 0
    assert list(tasks.rows()) == [sent(task(4)), sent(task(5), ticket="t-5")]
    assert said(ledger) == ("pending", "in_flight", None, None)


def test_what_was_accepted_is_acknowledged_and_its_task_is_gone(tasks: StatusTasks, ledger: Ledger) -> None:
    send(tasks, 5)
    assert tasks.finish([acknowledged(5, SHIP)], run_id=RUN, at=LATER) == 1
    found = entry(ledger, (5, 0))
    assert (found.status, found.reason, found.run_id, found.synced_at) == ("synced", None, RUN, LATER)
    assert accepted_of(found.fingerprint) == {SHIP}
    assert ledger.documents([(5, 0)]) == {(5, 0): "document of 5"}
    assert list(tasks.rows()) == []


def test_what_is_accepted_without_a_task_is_acknowledged_as_well(tasks: StatusTasks, ledger: Ledger) -> None:
    assert tasks.finish([acknowledged(5, SHIP)._replace(known=False)], run_id=RUN, at=NOON_MS) == 0
    assert accepted_of(entry(ledger, (5, 0)).fingerprint) == {SHIP}


def test_a_result_that_comes_twice_does_not_end_the_task_of_the_next_operation(
    tasks: StatusTasks, ledger: Ledger
) -> None:
    send(tasks, 5)
    tasks.finish([acknowledged(5, SHIP)], run_id=RUN, at=LATER)
    send(tasks, 5, operation=DELIVER, batch="b-2")
    assert tasks.finish([acknowledged(5, SHIP)], run_id=RUN, at=LATER) == 0
    assert [one.operation for one in tasks.rows()] == [DELIVER]
    assert tasks.finish([acknowledged(5, DELIVER, prior=(SHIP,))], run_id=RUN, at=LATER) == 1
    assert accepted_of(entry(ledger, (5, 0)).fingerprint) == {SHIP, DELIVER}


def test_a_failure_waits_for_its_next_attempt_and_in_the_end_it_is_given_up(
    state: State, tasks: StatusTasks, ledger: Ledger
) -> None:
    send(tasks, 5)
    tasks.note_tickets([(5, "t-5")])
    assert tasks.fail([failure()], run_id=RUN, at=NOON_MS) == 1
    (failed,) = tasks.rows()
    assert failed == sent(task(), None, "t-5")._replace(
        status=WAITING,
        not_before=LATER,
        attempts=1,
        reason="ticket_failed",
        message="No such parcel",
        is_told=False,
    )
    assert said(ledger) == ("failed", "ticket_failed", "No such parcel", LATER)
    assert (due(tasks, LATER - 1), due(tasks, LATER)) == ([], [5])
    assert tasks.fail([failure(retry_at=None)], run_id=RUN, at=LATER) == 1
    (given_up,) = tasks.rows()
    assert (given_up.status, given_up.attempts, due(tasks, LATER * 2)) == (DEAD, 2, [])
    assert said(ledger) == ("failed", "ticket_failed", "No such parcel", None)
    assert entry(ledger, (5, 0)).attempts == 2
    assert attempts(state) == [(5, 0, RUN, "ticket_failed", "No such parcel")]
    assert tasks.fail([failure()], run_id=RUN, at=LATER) == 0
    assert list(tasks.rows()) == [given_up]


def test_what_was_accepted_before_stays_known_when_the_next_operation_fails(
    tasks: StatusTasks, ledger: Ledger
) -> None:
    send(tasks, 5)
    tasks.finish([acknowledged(5, SHIP)], run_id=RUN, at=NOON_MS)
    tasks.add([task(operation=DELIVER)], at=NOON_MS)
    tasks.fail([failure()], run_id=RUN, at=NOON_MS)
    found = entry(ledger, (5, 0))
    assert (found.status, accepted_of(found.fingerprint)) == ("failed", {SHIP})


def test_people_are_told_of_a_failure_once_and_again_when_it_becomes_another(tasks: StatusTasks) -> None:
    tasks.add([task(4), task(5)], at=NOON_MS)

    def untold(*failures: TaskFailure) -> list[int]:
        tasks.fail(failures, run_id=RUN, at=NOON_MS)
        return [one.id_order for one in tasks.untold(9)]

    assert untold(failure(4), failure(5)) == [4, 5]
    assert [one.id_order for one in tasks.untold(1)] == [4]
    assert tasks.tell(tasks.untold(9)) == 2
    assert untold(failure(4), failure(5, "Already shipped")) == [5]
    assert tasks.tell(tasks.untold(9)) == 1
    assert untold(failure(4, retry_at=None), failure(5, "Already shipped")) == [4]


def test_a_failure_that_came_meanwhile_is_not_taken_for_told(tasks: StatusTasks) -> None:
    tasks.add([task()], at=NOON_MS)
    tasks.fail([failure()], run_id=RUN, at=NOON_MS)
    in_the_mail = tasks.untold(9)
    tasks.fail([failure()], run_id=RUN, at=NOON_MS)
    assert tasks.tell(in_the_mail) == 0
    assert tasks.tell(tasks.untold(9)) == 1
    assert tasks.tell(in_the_mail) == 0


def test_what_ends_before_anything_was_accepted_leaves_nothing_but_a_line(
    state: State, tasks: StatusTasks, ledger: Ledger
) -> None:
    tasks.add([task()], at=NOON_MS)
    tasks.fail([failure(retry_at=None)], run_id=RUN, at=NOON_MS)
    end = TaskEnd(5, "left_before_sent", "ship was not sent.")
    assert tasks.end([end, end._replace(id_order=6)], run_id=RUN, at=LATER) == 1
    assert said(ledger) == ("synced", "left_before_sent", None, None)
    assert (entry(ledger, (5, 0)).fingerprint, entry(ledger, (5, 0)).attempts) == (None, 0)
    assert attempts(state)[-1] == (5, 0, RUN, "left_before_sent", "ship was not sent.")
    assert (list(tasks.rows()), ledger.is_empty()) == ([], True)


def test_what_ends_after_something_was_accepted_goes_back_to_that(tasks: StatusTasks, ledger: Ledger) -> None:
    send(tasks, 5)
    tasks.finish([acknowledged(5, SHIP)], run_id=RUN, at=NOON_MS)
    tasks.add([task(operation=CANCEL)], at=NOON_MS)
    tasks.end([TaskEnd(5, "left_before_sent", "cancel was not sent.")], run_id=RUN, at=LATER)
    assert said(ledger) == ("synced", "left_before_sent", "cancel was not sent.", None)
    assert accepted_of(entry(ledger, (5, 0)).fingerprint) == {SHIP}


def test_what_the_marketplace_may_have_does_not_end(tasks: StatusTasks, ledger: Ledger) -> None:
    tasks.add([task(4)], at=NOON_MS)
    tasks.claim([claim_of(4)], at=NOON_MS)
    send(tasks, 5)
    ends = [TaskEnd(one, "order_gone", "It is gone.") for one in (4, 5)]
    assert tasks.end(ends, run_id=RUN, at=LATER) == 0
    assert (len(list(tasks.rows())), said(ledger)[1]) == (2, "in_flight")


def test_pages_of_due_and_of_unclear_tasks_go_by_the_order_and_behind_the_last(tasks: StatusTasks) -> None:
    tasks.add([task(one, not_before=LATER if one == 3 else NOON_MS) for one in range(1, 7)], at=NOON_MS)
    assert (due(tasks, NOON_MS, limit=2), due(tasks, NOON_MS, after=2)) == ([1, 2], [4, 5, 6])
    tasks.claim([claim_of(one) for one in (1, 4, 6)], at=NOON_MS)
    tasks.claim([claim_of(5)], at=LATER)

    def unclear(after: int, limit: int = 9) -> list[int]:
        return [one.id_order for one in tasks.unclear(sent_before=LATER, after=after, limit=limit)]

    assert (unclear(0), unclear(1), unclear(0, 2), unclear(6)) == ([1, 4, 6], [4, 6], [1, 4], [])
    assert due(tasks) == [2, 3]


def test_every_batch_with_tasks_that_are_awaited_is_given_once(
    tasks: StatusTasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCHES_AT_ONCE", 2)
    for first, name in enumerate(("b-3", "b-1", "b-2", "B-1", "b-4")):
        send(tasks, first * 2 + 1, first * 2 + 2, batch=name)
    send(tasks, 99, batch=None)
    tasks.finish([acknowledged(9, SHIP), acknowledged(10, SHIP)], run_id=RUN, at=NOON_MS)
    tasks.fail([failure(3)], run_id=RUN, at=NOON_MS)
    assert [one.batch_id for one in tasks.batches()] == ["B-1", "b-1", "b-2", "b-3"]
    assert [one.id_order for one in tasks.of_batch(Batch(3, 1276, "b-1"))] == [4]
    assert tasks.of_batch(Batch(3, 1277, "b-1")) == []


def test_tasks_of_another_target_are_others(state: State, tasks: StatusTasks) -> None:
    other = state.status_tasks("order_status", "other")
    tasks.add([task()], at=NOON_MS)
    assert (list(other.rows()), due(other), other.claim([claim_of()], at=NOON_MS)) == ([], [], 0)
    other.add([task(operation=CANCEL)], at=NOON_MS)
    assert list(tasks.rows()) == [task()]


def test_reading_goes_on_while_tasks_are_written(tasks: StatusTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAGE_ROWS", 3)
    tasks.add([task(one) for one in range(1, 9)], at=NOON_MS)
    seen = []
    for one in tasks.rows():
        seen.append(one.id_order)
        tasks.claim([claim_of(one.id_order)], at=NOON_MS)
    assert seen == list(range(1, 9))


def test_ten_thousand_orders_are_taken_down_at_once(tasks: StatusTasks, ledger: Ledger) -> None:
    many = [task(one) for one in range(1, 10_001)]
    begun = process_time()
    assert tasks.add(many, at=NOON_MS) == 10_000
    took = process_time() - begun
    assert list(tasks.rows()) == many
    assert sum(1 for row in ledger.rows() if row.reason == "queued") == 10_000
    assert took < 3, f"{took:.2f} s"  # mostly a tenth of that


def _claim_all(url: str) -> list[int]:
    """Send whatever is due, one by one, as a run without a lock would; gives what it may send."""
    with open_state(url, create=False) as state:
        tasks = state.status_tasks(*FLOW)
        due_now = tasks.due(LATER, after=0, limit=1000)
        mine = []
        for one in due_now:
            if tasks.claim([claim_of(one.id_order)], at=NOON_MS):
                mine.append(one.id_order)
        return mine


def test_of_several_processes_that_send_at_once_one_sends_each(state_url: str) -> None:
    with open_state(state_url, create=True) as state:
        state.status_tasks(*FLOW).add([task(one) for one in ORDERS], at=NOON_MS)
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as processes:
        granted = [*processes.map(_claim_all, [state_url] * PROCESSES, timeout=100)]
    assert sorted(one for some in granted for one in some) == list(ORDERS)


def _fail_and_send(url: str, rounds: int) -> int:
    """Claim and fail again and again; says how many attempts counted."""
    counted = 0
    with open_state(url, create=False) as state:
        tasks = state.status_tasks(*FLOW)
        for _ in range(rounds):
            if tasks.claim([claim_of()], at=NOON_MS):
                counted += tasks.fail([failure(retry_at=NOON_MS)], run_id=RUN, at=NOON_MS)
    return counted


def test_no_attempt_is_lost_between_processes(state_url: str) -> None:
    with open_state(state_url, create=True) as state:
        state.status_tasks(*FLOW).add([task()], at=NOON_MS)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as processes:
        counted = sum(processes.map(_fail_and_send, [state_url] * 2, [15] * 2, timeout=100))
    with open_state(state_url, create=False) as state:
        (found,) = state.status_tasks(*FLOW).rows()
        assert found.attempts == counted == entry(state.ledger(*FLOW), (5, 0)).attempts
