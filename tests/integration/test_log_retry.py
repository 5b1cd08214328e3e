"""``logs retry``: what was rejected and waits is offered to the next run again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from brekzsync.domain.keys import format_key
from brekzsync.domain.ledger import Failure, Serving
from brekzsync.domain.log_records import LogKey, LogQuery, LogStatus
from brekzsync.errors import InvalidInput
from brekzsync.flows.log_retry import SAMPLE, RetryReport, retry
from brekzsync.state.database import State
from brekzsync.state.ledger import Ledger
from brekzsync.state.retries import Retries
from brekzsync.state.served import Outcome
from brekzsync.state.sync_log import SyncLog
from tests.integration.state_rows import NOON, NOON_MS, RUN, acknowledgement, entry, later, mark

SECOND = later(seconds=1)


def reject(ledger: Ledger, *keys: tuple[int, int], version: str = "first") -> None:
    """Hand them out and have them rejected, as the ERP does."""
    serving = [Serving(*key, mark(version), 0, None, "A-1", "document") for key in keys]
    ledger.served.serve(serving, run_id=RUN, at=NOON, lease_until=later(minutes=30))
    outcomes = [Outcome(*key, (mark(version), 0), imported=False, message="Unknown VAT code") for key in keys]
    ledger.served.settle(outcomes, at=NOON)


def fail(ledger: Ledger, *keys: tuple[int, int]) -> None:
    ledger.record_failures([Failure(*key, "missing_price", "No price.") for key in keys], run_id=RUN, at=NOON)


def retried(state: State, *words: str, dry_run: bool = False, **query: Any) -> RetryReport:
    asked = LogQuery(**query)
    return retry(
        SyncLog(state.database), Retries(state.database), asked, words, lambda: SECOND, dry_run=dry_run
    )


def keys(report: RetryReport) -> tuple[list[str], list[str], list[str]]:
    """Released, failing, others."""
    shown = [f"{one.key_major}-{one.key_minor}" for one in report.released]
    rows = [[format_key(row.entry.key) for row in rows] for rows in (report.failing, report.others)]
    return shown, rows[0], rows[1]


def test_all_that_wait_are_released_and_what_fails_by_its_own_data_is_told(
    state: State, ledger: Ledger
) -> None:
    reject(ledger, (1, 1), (2, 0))
    fail(ledger, (3, 0))
    ledger.acknowledge([acknowledgement((4, 0))], run_id=RUN, at=NOON)
    assert len(list(ledger.served.leased(SECOND))) == 2
    assert keys(retried(state)) == (["1-1", "2-0"], ["3-0"], [])
    assert list(ledger.served.leased(SECOND)) == []
    found = entry(ledger, (1, 1))
    assert (found.status, found.reason, found.next_attempt_at) == ("pending", "queued", None)
    assert (found.attempts, found.message, found.updated_at) == (1, "Unknown VAT code", NOON_MS + 1_000)
    assert (entry(ledger, (3, 0)).status, entry(ledger, (4, 0)).status) == ("failed", "synced")


def test_doing_it_again_changes_nothing(state: State, ledger: Ledger) -> None:
    reject(ledger, (1, 1))
    retried(state)
    before = entry(ledger, (1, 1))
    assert retried(state).released == []
    assert entry(ledger, (1, 1)) == before


def test_a_record_that_is_rejected_again_waits_longer_than_before(state: State, ledger: Ledger) -> None:
    reject(ledger, (1, 1))
    retried(state)
    reject(ledger, (1, 1))
    assert entry(ledger, (1, 1)).next_attempt_at == NOON_MS + 5 * 60_000


def test_a_dry_run_says_the_same_and_writes_nothing(state: State, ledger: Ledger) -> None:
    reject(ledger, (1, 1))
    before = entry(ledger, (1, 1))
    assert keys(retried(state, dry_run=True)) == (["1-1"], [], [])
    assert entry(ledger, (1, 1)) == before
    assert len(list(ledger.served.leased(SECOND))) == 1


def test_only_the_records_named_are_retried(state: State, ledger: Ledger) -> None:
    reject(ledger, (1, 1), (1, 2), (2, 0), (3, 0))
    fail(ledger, (4, 0))
    ledger.acknowledge([acknowledgement((5, 0))], run_id=RUN, at=NOON)
    assert keys(retried(state, "1", "3-0", "4-0", "5-0", "1-1")) == (["1-1", "1-2", "3-0"], ["4-0"], ["5-0"])
    assert entry(ledger, (2, 0)).status == "failed"


def test_a_key_that_is_not_there_stops_everything(state: State, ledger: Ledger) -> None:
    reject(ledger, (1, 1))
    with pytest.raises(
        InvalidInput, match=r"The logs hold nothing under 1-9, 77; nothing was retried\."
    ) as told:
        retried(state, "1-1", "1-9", "77")
    assert told.value.code == "unknown_id"
    assert told.value.hint.startswith("Near it: 1-1. ")
    with pytest.raises(InvalidInput, match="not an id"):
        retried(state, "1-1", "all")
    assert entry(ledger, (1, 1)).status == "failed"


def test_target_and_status_narrow(state: State, ledger: Ledger) -> None:
    belgium = state.ledger("product", "belgium")
    reject(ledger, (1, 1))
    reject(belgium, (1, 1))
    fail(belgium, (2, 0))
    assert keys(retried(state, status=LogStatus.PENDING)) == ([], [], [])
    report = retried(state, target="belgium", status=LogStatus.FAILED)
    assert report.released == [LogKey("product", "belgium", 1, 1)]
    assert keys(report)[1] == ["2-0"]
    assert entry(ledger, (1, 1)).status == "failed"
    assert retried(state).released == [LogKey("product", "exact", 1, 1)]


def test_what_is_with_the_target_stays_there(state: State, ledger: Ledger) -> None:
    """A newer version was handed out after an older one had been rejected."""
    reject(ledger, (1, 1))
    newer = Serving(1, 1, mark("newer"), 0, None, "A-1", "document")
    ledger.served.serve([newer], run_id=RUN, at=NOON, lease_until=NOON + timedelta(minutes=30))
    assert keys(retried(state)) == (["1-1"], [], [])
    assert [lease.fingerprint for lease in ledger.served.leased(SECOND)] == [mark("newer")]


def test_a_rejected_version_is_released_though_the_record_failed_otherwise_since(
    state: State, ledger: Ledger
) -> None:
    reject(ledger, (1, 1))
    fail(ledger, (1, 1))
    assert keys(retried(state)) == (["1-1"], [], [])
    assert list(ledger.served.leased(SECOND)) == []
    found = entry(ledger, (1, 1))
    assert (found.status, found.reason) == ("failed", "missing_price")


def test_of_many_that_fail_a_sample_is_told(state: State, ledger: Ledger) -> None:
    fail(ledger, *[(1, minor) for minor in range(30)])
    report = retried(state)
    assert (report.failing_count, len(report.failing)) == (30, SAMPLE)
