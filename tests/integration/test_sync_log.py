"""The ledgers read as logs, on every kind of state database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import pytest

from brekzsync.domain.keys import WantedId, format_key
from brekzsync.domain.ledger import IN_DOUBT, Clearing, Failure, Serving
from brekzsync.domain.log_records import LogAttempt, LogKey, LogQuery, LogRow, LogStatus, told
from brekzsync.domain.sync_flows import LogType
from brekzsync.state import sync_log
from brekzsync.state.database import State
from brekzsync.state.ledger import Ledger
from brekzsync.state.record_history import RecordHistory
from brekzsync.state.served import Outcome
from brekzsync.state.sync_log import SyncLog
from tests.integration.state_rows import NOON, NOON_MS, RUN, acknowledgement, later, mark


@pytest.fixture
def log(state: State) -> SyncLog:
    return SyncLog(state.database)


def acknowledge(ledger: Ledger, *keys: tuple[int, int], minutes: float = 0, version: str = "first") -> None:
    ledger.acknowledge([acknowledgement(key, version) for key in keys], run_id=RUN, at=later(minutes=minutes))


def fail(ledger: Ledger, *keys: tuple[int, int], minutes: float = 0, message: str = "No price.") -> None:
    ledger.record_failures(
        [Failure(*key, "missing_price", message) for key in keys], run_id=RUN, at=later(minutes=minutes)
    )


def serve(ledger: Ledger, *keys: tuple[int, int], minutes: float = 0, version: str = "served") -> None:
    ledger.served.serve(
        [Serving(*key, mark(version), 0, None, "A-1", f"document of {version}") for key in keys],
        run_id=RUN,
        at=later(minutes=minutes),
        lease_until=later(minutes=minutes + 30),
    )


def reject(ledger: Ledger, key: tuple[int, int], minutes: float = 0) -> None:
    ledger.served.settle(
        [Outcome(*key, None, imported=False, message="Unknown VAT code")], at=later(minutes=minutes)
    )


def shown(rows: Sequence[LogRow]) -> list[tuple[str, str, str, str | None]]:
    """Target, key, status and reason of each row."""
    return [
        (
            row.target,
            format_key(row.entry.key),
            *told(row.entry, now=NOON_MS, in_flight=row.in_flight)[:2],
        )
        for row in rows
    ]


def keys(rows: Sequence[LogRow]) -> list[str]:
    return [format_key(row.entry.key) for row in rows]


def listed(log: SyncLog, **query: object) -> list[str]:
    """The keys of the first page; the stream agrees with it but for the order."""
    asked = LogQuery(**query)  # type: ignore[arg-type]
    page = log.page(asked, after=None, limit=100)
    assert page.next is None
    assert sorted(keys(list(log.stream(asked)))) == sorted(keys(page.rows))
    return keys(page.rows)


# --- order and pages ------------------------------------------------------------------------------------


def test_nothing_is_there_before_the_first_record(log: SyncLog) -> None:
    assert listed(log) == []
    assert log.targets() == set()


def test_the_last_updated_comes_first_and_ties_in_the_order_of_their_keys(
    log: SyncLog, ledger: Ledger
) -> None:
    acknowledge(ledger, (2, 0), (10, 0), (1, 5), (1, 12), minutes=1)
    fail(ledger, (3, 0), minutes=2)
    acknowledge(ledger, (4, 0))
    assert listed(log) == ["3-0", "1-5", "1-12", "2-0", "10-0", "4-0"]


def test_pages_hold_every_record_once(log: SyncLog, state: State) -> None:
    for number, target in enumerate(("exact", "belgium")):
        ledger = state.ledger("product", target)
        for minutes in (0, 1):
            acknowledge(ledger, *[(1, 1 + 10 * minutes + minor) for minor in range(4)], minutes=minutes)
        serve(ledger, (7, number), (8, 0), minutes=1)
    whole = log.page(LogQuery(), after=None, limit=100)
    assert (len(whole.rows), whole.next) == (20, None)
    for size in (1, 3, 7, 20):
        pages, after = [], None
        while True:
            page = log.page(LogQuery(), after=after, limit=size)
            pages += page.rows
            after = page.next
            if after is None:
                break
        assert pages == whole.rows


def test_the_stream_goes_by_target_and_key_however_long_it_is(
    log: SyncLog, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_log, "PAGE_ROWS", 3)
    for target in ("exact", "belgium"):
        ledger = state.ledger("product", target)
        acknowledge(ledger, *[(major, minor) for major in (1, 2, 9) for minor in (10, 11, 12)])
        serve(ledger, (1, 9), (3, 0), (12, 0), (1, 11))
    of_one = ["1-9", "1-10", "1-11", "1-12", "2-10", "2-11", "2-12", "3-0", "9-10", "9-11", "9-12", "12-0"]
    rows = list(log.stream(LogQuery()))
    assert [(row.target, key) for row, key in zip(rows, keys(rows), strict=True)] == [
        (target, key) for target in ("belgium", "exact") for key in of_one
    ]
    assert log.targets() == {"belgium", "exact"}


# --- what a record is told as -----------------------------------------------------------------------------


def test_a_record_handed_out_for_the_first_time_is_in_flight(log: SyncLog, ledger: Ledger) -> None:
    serve(ledger, (1, 10))
    serve(ledger, (1, 10), minutes=5, version="newer")
    (row,) = log.page(LogQuery(), after=None, limit=10).rows
    assert shown([row]) == [("exact", "1-10", "pending", "in_flight")]
    assert (row.document, row.entry.updated_at) == ("document of newer", NOON_MS + 300_000)
    assert row.entry.run_id == RUN


def test_status_filters_by_what_is_told_and_not_by_what_is_stored(log: SyncLog, ledger: Ledger) -> None:
    acknowledge(ledger, (1, 1), (1, 2), (1, 3), (1, 4))
    serve(ledger, (1, 2), (1, 9))  # a newer version of 1-2, the first of 1-9
    ledger.acknowledge(
        [acknowledgement((1, 3), "first", prior="first")._replace(fingerprint=IN_DOUBT)], run_id=RUN, at=NOON
    )
    ledger.clear([Clearing(1, 4, "deleted", mark("first"), 0)], run_id=RUN, at=NOON)
    ledger.record_pending([(1, 5)], at=NOON)
    fail(ledger, (1, 6))
    serve(ledger, (1, 7))
    reject(ledger, (1, 7))
    expected = {
        LogStatus.SYNCED: [("exact", "1-1", "synced", None), ("exact", "1-4", "synced", "deleted")],
        LogStatus.PENDING: [
            ("exact", "1-2", "pending", "in_flight"),
            ("exact", "1-3", "pending", "in_doubt"),
            ("exact", "1-5", "pending", "queued"),
            ("exact", "1-9", "pending", "in_flight"),
        ],
        LogStatus.FAILED: [
            ("exact", "1-6", "failed", "missing_price"),
            ("exact", "1-7", "failed", "rejected"),
        ],
    }
    for status, rows in expected.items():
        assert shown(list(log.stream(LogQuery(status=status)))) == rows
        assert sorted(shown(log.page(LogQuery(status=status), after=None, limit=10).rows)) == rows


def test_since_target_and_type_narrow(log: SyncLog, state: State, ledger: Ledger) -> None:
    acknowledge(ledger, (1, 1))
    acknowledge(ledger, (1, 2), minutes=10)
    acknowledge(state.ledger("product", "belgium"), (1, 3), minutes=20)
    serve(ledger, (1, 4), minutes=30)
    assert listed(log, since=NOON_MS + 600_000) == ["1-4", "1-3", "1-2"]
    assert listed(log, target="belgium") == ["1-3"]
    assert listed(log, target="nowhere") == []
    assert listed(log, log_type=LogType.PRODUCT, since=NOON_MS + 1) == ["1-4", "1-3", "1-2"]
    assert listed(log, log_type=LogType.ORDER) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("12-34", ["8-0", "12-34"]),
        (" 12-34 ", ["8-0", "12-34"]),
        ("12", ["5-0", "8-0", "12-34", "12-35"]),
        ("δένδρο", ["2-0"]),
        ("ΔΈΝΔΡΟ", ["2-0"]),
        ("café", ["3-0"]),
        ("100%", ["4-0"]),
        ("100", ["4-0", "5-0"]),
        ("missing_price", ["6-0", "8-0"]),
        ("geen PRIJS", ["6-0"]),
        ("on its way", ["7-0"]),
        ("nowhere", []),
    ],
)
def test_search_finds_a_key_or_any_part_of_what_is_told_in_any_letter_case(
    log: SyncLog, ledger: Ledger, text: str, found: list[str]
) -> None:
    fail(ledger, (8, 0), message="It has the code of 12-34.")
    documents = {
        (12, 34): "",
        (12, 35): "",
        (2, 0): "Δένδρο",
        (3, 0): "CAFÉ",
        (4, 0): "100% wol",
        (5, 0): "100g 2026-12-34",
    }
    rows = [acknowledgement(key)._replace(document=document) for key, document in documents.items()]
    ledger.acknowledge(sorted(rows), run_id=RUN, at=NOON)
    fail(ledger, (6, 0), message="Geen prijs.")
    ledger.served.serve(
        [Serving(7, 0, mark("x"), 0, None, "A", "what is On Its Way")],
        run_id=RUN,
        at=NOON,
        lease_until=NOON + timedelta(minutes=1),
    )
    assert listed(log, search=text) == found


# --- one record ---------------------------------------------------------------------------------------------


def test_a_record_is_found_in_every_target_and_a_product_by_all_its_keys(
    log: SyncLog, state: State, ledger: Ledger
) -> None:
    acknowledge(ledger, (1, 1), (1, 2), (2, 1))
    acknowledge(state.ledger("product", "belgium"), (1, 2))
    serve(ledger, (1, 7))
    assert shown(log.record(LogQuery(), WantedId(1, 2))) == [
        ("belgium", "1-2", "synced", None),
        ("exact", "1-2", "synced", None),
    ]
    assert keys(log.record(LogQuery(target="exact"), WantedId(1, None))) == ["1-1", "1-2", "1-7"]
    assert log.record(LogQuery(log_type=LogType.ORDER), WantedId(1, 2)) == []


def test_near_keys_are_of_the_same_product_or_else_the_same_combination(log: SyncLog, ledger: Ledger) -> None:
    acknowledge(ledger, (1, 1), (1, 2), (1, 3), (2, 77))
    assert log.near(LogQuery(), WantedId(1, 99), 2) == [(1, 1), (1, 2)]
    assert log.near(LogQuery(), WantedId(5, 77), 2) == [(2, 77)]
    assert log.near(LogQuery(), WantedId(77, None), 2) == [(2, 77)]
    assert log.near(LogQuery(), WantedId(5, 0), 2) == []


def test_behind_a_record_lie_its_attempts_and_what_was_handed_out(
    log: SyncLog, state: State, ledger: Ledger
) -> None:
    run = state.runs.open("product", "exact", "products export", NOON)
    for minutes, message in enumerate(("No price.", "No code.", "No code.", "No name.")):
        ledger.record_failures([Failure(1, 1, "missing", message)], run_id=run.id, at=later(minutes=minutes))
    fail(ledger, (1, 2))
    acknowledge(ledger, (1, 3))
    serve(ledger, (1, 1), minutes=9)
    (row,) = log.record(LogQuery(), WantedId(1, 1))
    history = RecordHistory(state.database)
    attempts = [
        LogAttempt(NOON_MS + minutes * 60_000, run.name, "failed", "missing", message)
        for minutes, message in ((3, "No name."), (1, "No code."), (0, "No price."))
    ]
    assert history.attempts(row, 20) == attempts
    assert history.attempts(row, 2) == attempts[:2]
    (waiting,) = history.handed_out(row)
    assert (waiting.fingerprint, waiting.served_at, waiting.rejected_at) == (
        mark("served"),
        NOON_MS + 540_000,
        None,
    )
    assert row.found_at == LogKey("product", "exact", 1, 1)


def test_the_run_that_delivered_is_named_while_it_is_remembered(
    log: SyncLog, state: State, ledger: Ledger
) -> None:
    run = state.runs.open("product", "exact", "products export", NOON)
    ledger.acknowledge([acknowledgement((1, 1))], run_id=run.id, at=NOON)
    ledger.acknowledge([acknowledgement((1, 2))], run_id=run.id + 9, at=NOON)
    history = RecordHistory(state.database)
    rows = log.record(LogQuery(), WantedId(1, None))
    assert [history.delivered_by(row.entry) for row in rows] == [run.name, None]
