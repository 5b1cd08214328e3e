"""Order statuses in the logs: whose they are, what they wait for, trying again, and what is never forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from brekzsync.domain.log_records import LogKey, LogQuery, LogRecord, LogStatus, log_record, meaning
from brekzsync.domain.marketplace import TaskEnd, TaskFailure, TaskHold, TaskStatus
from brekzsync.domain.order_status import AcceptedStatus, Operation, StatusReason
from brekzsync.flows.log_retry import RetryReport, retry
from brekzsync.flows.sync_logs import document_fields
from brekzsync.state.database import State
from brekzsync.state.ledger import Ledger
from brekzsync.state.pruning import Pruned, Pruning
from brekzsync.state.record_history import RecordHistory
from brekzsync.state.retries import Retries
from brekzsync.state.status_tasks import StatusTasks
from brekzsync.state.sync_log import SyncLog
from brekzsync.state.times import to_milliseconds
from tests.integration.state_rows import NOON_MS, RUN, attempts, entry, later
from tests.integration.test_status_tasks import (
    CANCEL,
    FLOW,
    LATER,
    SHIP,
    acknowledged,
    claim_of,
    failure,
    send,
    task,
)

SECOND = later(seconds=1)
SOON = to_milliseconds(SECOND)
YEARS_LATER = to_milliseconds(later(days=3_000))


@pytest.fixture
def tasks(state: State) -> StatusTasks:
    """No tasks."""
    return state.status_tasks(*FLOW)


@pytest.fixture
def ledger(state: State) -> Ledger:
    """What the marketplace accepted of each order: nothing."""
    return state.ledger(*FLOW)


def records(state: State, **query: Any) -> list[LogRecord]:
    found = SyncLog(state.database).stream(LogQuery(**query))
    return [log_record(row, now=SOON) for row in found]


def told(state: State, **query: Any) -> list[tuple[str, str, str, str | None]]:
    """Key, info, status and reason."""
    return [(one.key, one.info, one.told.status, one.told.reason) for one in records(state, **query)]


def retried(state: State, *words: str, dry_run: bool = False, **query: Any) -> RetryReport:
    database = state.database
    clock = lambda: SECOND  # noqa: E731
    return retry(SyncLog(database), Retries(database), LogQuery(**query), words, clock, dry_run=dry_run)


def released(report: RetryReport) -> list[int]:
    return [one.key_major for one in report.released]


def test_an_order_is_told_by_its_names_before_anything_was_accepted_and_by_what_was_afterwards(
    state: State, tasks: StatusTasks
) -> None:
    tasks.add([task()], at=NOON_MS)
    assert told(state) == [("5", "KHWLILZLL-5: Amazon 408-7654321-5", "pending", "queued")]
    tasks.claim([claim_of()], at=NOON_MS)
    assert told(state)[0][2:] == ("pending", "in_flight")
    document = AcceptedStatus("KHWLILZLL-5", "Amazon", "408-7654321-5", ("ship",), "3SBREK1").stored()
    tasks.finish([acknowledged(5, SHIP)._replace(document=document)], run_id=RUN, at=NOON_MS)
    assert told(state) == [("5", "KHWLILZLL-5: Amazon 408-7654321-5, ship, 3SBREK1", "synced", None)]
    assert document_fields("order_status", document) == {
        "order": "KHWLILZLL-5",
        "marketplace": "Amazon",
        "reference": "408-7654321-5",
        "operations": ["ship"],
        "tracking": "3SBREK1",
    }


def test_a_search_finds_what_the_marketplace_calls_an_order(state: State, tasks: StatusTasks) -> None:
    tasks.add([task(5), task(6)], at=NOON_MS)
    assert [one[0] for one in told(state, search="408-7654321-5")] == ["5"]
    assert [one[0] for one in told(state, search="amazon")] == ["5", "6"]
    assert [one[0] for one in told(state, search="LZLL-6")] == ["6"]


def test_what_an_order_waits_for_is_said_in_words_and_until_when(state: State, tasks: StatusTasks) -> None:
    tasks.add([task(5, not_before=LATER), task(6)], at=NOON_MS)
    tasks.hold([TaskHold(6, StatusReason.NO_TRACKING_YET, "", LATER)], at=NOON_MS)
    delayed, held = records(state)
    assert (delayed.told.reason, held.told.reason) == ("shipped_delay", "no_tracking_yet")
    assert delayed.told.next_attempt_at == held.told.next_attempt_at == LATER
    assert meaning(held.told) == "It waits for its tracking number."


def test_behind_a_line_stand_the_task_and_what_ended_before(state: State, tasks: StatusTasks) -> None:
    tasks.add([task(operation=CANCEL)], at=NOON_MS)
    tasks.end([TaskEnd(5, "left_before_sent", "cancel was not sent.")], run_id=RUN, at=NOON_MS)
    history = RecordHistory(state.database)
    (row,) = SyncLog(state.database).stream(LogQuery())
    assert told(state) == [("5", "KHWLILZLL-5: Amazon 408-7654321-5", "synced", "left_before_sent")]
    assert [(one.outcome, one.message) for one in history.attempts(row, 9)] == [
        ("ended", "cancel was not sent.")
    ]
    assert history.task(row) is None
    tasks.add([task()], at=NOON_MS)
    assert history.task(row) == task()


def test_what_failed_and_what_was_given_up_is_tried_again_by_the_next_run(
    state: State, tasks: StatusTasks, ledger: Ledger
) -> None:
    tasks.add([task(one) for one in (4, 5, 6)], at=NOON_MS)
    tasks.fail([failure(4), failure(5, retry_at=None)], run_id=RUN, at=NOON_MS)
    assert released(retried(state, dry_run=True)) == [4, 5]
    assert [one.status for one in tasks.due(SOON, after=0, limit=9)] == [TaskStatus.WAITING]
    report = retried(state)
    assert (released(report), report.failing, report.others) == ([4, 5], [], [])
    found = tasks.due(SOON, after=0, limit=9)
    assert [(one.id_order, one.attempts, one.not_before) for one in found] == [
        (4, 1, SOON),
        (5, 1, SOON),
        (6, 0, NOON_MS),
    ]
    for id_order in (4, 5):
        row = entry(ledger, (id_order, 0))
        assert (row.status, row.reason, row.next_attempt_at) == ("pending", "queued", None)
    assert retried(state).released == []


def test_one_given_up_again_is_to_be_told_again(state: State, tasks: StatusTasks) -> None:
    tasks.add([task()], at=NOON_MS)
    for _ in range(2):
        tasks.fail([failure(retry_at=None)], run_id=RUN, at=NOON_MS)
        assert tasks.tell(tasks.untold(9)) == 1
        retried(state, "5")


def test_only_a_named_order_is_reported_before_its_tracking_number_is_there(
    state: State, tasks: StatusTasks
) -> None:
    tasks.add([task(5), task(6, not_before=LATER)], at=NOON_MS)
    tasks.hold([TaskHold(5, "no_tracking_yet", "None yet.", LATER)], at=NOON_MS)
    assert retried(state).released == []
    assert tasks.due(SOON, after=0, limit=9) == []
    assert retried(state, "5", "6").released == [LogKey(*FLOW, 5, 0), LogKey(*FLOW, 6, 0)]
    assert [one.id_order for one in tasks.due(SOON, after=0, limit=9)] == [5, 6]


def test_what_the_marketplace_may_have_is_not_tried_again(state: State, tasks: StatusTasks) -> None:
    send(tasks, 5)
    tasks.add([task(6)], at=NOON_MS)
    tasks.claim([claim_of(6)], at=NOON_MS)
    before = list(tasks.rows())
    report = retried(state, "5", "6")
    assert (released(report), [row.entry.key[0] for row in report.others]) == ([], [5, 6])
    assert list(tasks.rows()) == before


def test_status_and_target_narrow(state: State, tasks: StatusTasks) -> None:
    tasks.add([task()], at=NOON_MS)
    tasks.fail([failure(retry_at=None)], run_id=RUN, at=NOON_MS)
    assert released(retried(state, status=LogStatus.PENDING)) == []
    assert released(retried(state, target="exact")) == []
    assert released(retried(state, status=LogStatus.FAILED, target="shoppingfeed")) == [5]


def test_of_an_operation_on_its_way_nothing_is_forgotten(
    state: State, tasks: StatusTasks, ledger: Ledger
) -> None:
    tasks.add([task(one) for one in (5, 6, 7, 8)], at=NOON_MS)
    for message in ("first", "second"):
        tasks.fail([TaskFailure(one, "refused", message, NOON_MS) for one in (5, 6)], run_id=RUN, at=NOON_MS)
    tasks.claim([claim_of(5), claim_of(6)], at=NOON_MS)
    tasks.finish([acknowledged(6, SHIP)], run_id=RUN, at=NOON_MS)
    ends = [TaskEnd(7, "left_before_sent", "Left."), TaskEnd(8, "fulfilled_by_channel", "Its own.")]
    tasks.end(ends, run_id=RUN, at=NOON_MS)
    assert len(attempts(state)) == 6
    pruning = Pruning(state.database)
    assert pruning.planned(YEARS_LATER) == Pruned(4, 0, 1, 0)
    assert pruning.prune(YEARS_LATER) == Pruned(4, 0, 1, 0)
    assert [one[:1] + one[4:] for one in attempts(state)] == [(5, "first"), (5, "second")]
    assert [row.key_major for row in ledger.rows()] == [5, 6, 8]
    assert [one.id_order for one in tasks.rows()] == [5]


def test_operations_have_names_the_state_keeps() -> None:
    assert max(len(one) for one in (*Operation, *TaskStatus)) <= 8
    assert max(map(len, StatusReason)) <= 64
