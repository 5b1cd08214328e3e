"""Versions handed out whose result is still to come."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from brekzsync.domain.ledger import Serving
from brekzsync.state.database import State
from brekzsync.state.ledger import Ledger
from brekzsync.state.served import REJECTION_DELAYS, Leased, Outcome, Settled
from tests.integration.state_rows import NOON, NOON_MS, RUN, acknowledgement, attempts, entry, later, mark

KEY = (1, 10)


def serving(version: str = "first", key: tuple[int, int] = KEY, force: int = 0) -> Serving:
    return Serving(*key, mark(version), force, mark("row " + version), "A-1", f"document of {version}")


def serve(ledger: Ledger, *versions: Serving, at: datetime = NOON) -> None:
    ledger.served.serve(versions, run_id=RUN, at=at, lease_until=at + timedelta(minutes=30))


def imported(version: str | None = None, key: tuple[int, int] = KEY, force: int = 0) -> Outcome:
    return Outcome(*key, None if version is None else (mark(version), force), imported=True)


def rejected(version: str, message: str = "Unknown VAT code") -> Outcome:
    return Outcome(*KEY, (mark(version), 0), imported=False, message=message)


def lease(version: str, key: tuple[int, int] = KEY, force: int = 0) -> Leased:
    return Leased(*key, mark(version), force, mark("row " + version))


def test_a_served_version_is_leased_and_acknowledges_nothing(ledger: Ledger) -> None:
    serve(ledger, serving(key=(2, 0)), serving())
    assert list(ledger.served.leased(later(minutes=29))) == [lease("first"), lease("first", (2, 0))]
    assert list(ledger.served.leased(later(minutes=30))) == []
    assert list(ledger.rows()) == []


def test_an_imported_version_is_acknowledged_as_it_was_served(ledger: Ledger) -> None:
    serve(ledger, serving())
    settled = ledger.served.settle([imported("first")], at=later(minutes=1))
    assert settled == Settled(acknowledged=[KEY], rejected=[], unknown=[])
    found = entry(ledger)
    assert (found.fingerprint, found.status, found.run_id) == (mark("first"), "synced", RUN)
    assert (found.code, found.source_digest) == ("A-1", mark("row first"))
    assert ledger.documents([KEY]) == {KEY: "document of first"}
    assert list(ledger.served.leased(later(minutes=2))) == []


def test_a_result_that_comes_after_the_lease_still_counts(ledger: Ledger) -> None:
    serve(ledger, serving())
    assert ledger.served.settle([imported("first")], at=later(hours=9)).acknowledged == [KEY]


def test_without_a_version_the_oldest_unsettled_one_is_settled(ledger: Ledger) -> None:
    serve(ledger, serving("first"))
    serve(ledger, serving("second"), at=later(minutes=1))
    for version in ("first", "second"):
        assert ledger.served.settle([imported()], at=later(minutes=2)).acknowledged == [KEY]
        assert entry(ledger).fingerprint == mark(version)
    assert ledger.served.settle([imported()], at=later(minutes=3)).unknown == [KEY]


def test_a_later_result_for_a_superseded_version_changes_nothing(ledger: Ledger) -> None:
    serve(ledger, serving("first"))
    serve(ledger, serving("second"), at=later(minutes=1))
    ledger.served.settle([imported("second")], at=later(minutes=2))
    before = entry(ledger)
    settled = ledger.served.settle([imported("first")], at=later(minutes=3))
    assert settled == Settled(acknowledged=[], rejected=[], unknown=[KEY])
    assert entry(ledger) == before


def test_an_earlier_result_leaves_the_later_version_waiting(ledger: Ledger) -> None:
    serve(ledger, serving("first"))
    serve(ledger, serving("second"), at=later(minutes=1))
    ledger.served.settle([imported("first")], at=later(minutes=2))
    assert list(ledger.served.leased(later(minutes=3))) == [lease("second")]


def test_a_version_served_again_is_the_newest_again(ledger: Ledger) -> None:
    serve(ledger, serving("first"))
    serve(ledger, serving("second"), at=later(minutes=1))
    serve(ledger, serving("first"), at=later(minutes=2))
    assert ledger.served.settle([imported()], at=later(minutes=3)).acknowledged == [KEY]
    assert entry(ledger).fingerprint == mark("second")


def test_a_force_requested_after_serving_is_not_cleared(ledger: Ledger) -> None:
    serve(ledger, serving("first"))
    ledger.request_force([KEY], at=later(minutes=1))
    ledger.served.settle([imported("first")], at=later(minutes=2))
    found = entry(ledger)
    assert (found.force_acknowledged, found.force_requested, found.status) == (0, 1, "pending")


def test_a_force_requested_while_the_forced_version_is_served_is_one_more(ledger: Ledger) -> None:
    ledger.request_force([KEY], at=NOON)
    serve(ledger, serving("first", force=1))
    assert [ledger.request_force([KEY], at=NOON) for _ in range(2)] == [1, 0]
    ledger.served.settle([imported("first", force=1)], at=later(minutes=2))
    found = entry(ledger)
    assert (found.force_acknowledged, found.force_requested, found.status) == (1, 2, "pending")


def test_a_rejected_version_that_is_forced_is_offered_at_once_under_another_name(ledger: Ledger) -> None:
    ledger.request_force([KEY], at=NOON)
    serve(ledger, serving("first", force=1))
    ledger.served.settle([Outcome(*KEY, (mark("first"), 1), imported=False)], at=NOON)
    assert ledger.request_force([KEY], at=NOON) == 1
    found = entry(ledger)
    assert (found.force_requested, found.status, found.next_attempt_at) == (2, "pending", None)
    assert list(ledger.served.leased(NOON)) == [lease("first", force=1)]


def test_a_forced_delivery_acknowledged_meanwhile_is_not_undone(ledger: Ledger) -> None:
    serve(ledger, serving("first"))
    ledger.request_force([KEY], at=NOON)
    ledger.acknowledge([acknowledgement(version="second", force=1, known=True)], run_id=8, at=NOON)
    before = entry(ledger)
    ledger.served.settle([imported("first")], at=later(minutes=2))
    assert entry(ledger) == before


def test_the_same_fingerprint_forced_is_another_version(ledger: Ledger) -> None:
    serve(ledger, serving("first"), at=NOON)
    serve(ledger, serving("first", force=1), at=later(minutes=1))
    assert ledger.served.settle([imported("first", force=2)], at=NOON).unknown == [KEY]
    ledger.request_force([KEY], at=NOON)
    assert ledger.served.settle([imported("first", force=1)], at=NOON).acknowledged == [KEY]
    assert entry(ledger).force_acknowledged == 1


def test_a_rejected_version_waits_longer_each_time(state: State, ledger: Ledger) -> None:
    moment = NOON
    for number, delay in enumerate([*REJECTION_DELAYS, REJECTION_DELAYS[-1]], start=1):
        serve(ledger, serving("first"), at=moment)
        settled = ledger.served.settle([rejected("first")], at=moment)
        assert settled == Settled(acknowledged=[], rejected=[KEY], unknown=[])
        found = entry(ledger)
        assert (found.status, found.reason, found.message) == ("failed", "rejected", "Unknown VAT code")
        assert (found.attempts, found.fingerprint) == (number, None)
        moment += delay
        assert found.next_attempt_at == NOON_MS + (moment - NOON) // timedelta(milliseconds=1)
        assert list(ledger.served.leased(moment - timedelta(seconds=1))) == [lease("first")]
        assert list(ledger.served.leased(moment)) == []
    assert attempts(state) == [(1, 10, RUN, "rejected", "Unknown VAT code")]


def test_a_rejected_record_that_changed_is_offered_and_settled_at_once(ledger: Ledger) -> None:
    serve(ledger, serving("first"))
    ledger.served.settle([rejected("first")], at=NOON)
    assert lease("second") not in list(ledger.served.leased(NOON))
    serve(ledger, serving("second"), at=later(seconds=10))
    assert ledger.served.settle([imported()], at=later(seconds=20)).acknowledged == [KEY]
    found = entry(ledger)
    assert (found.fingerprint, found.status, found.attempts) == (mark("second"), "synced", 0)
    assert list(ledger.served.leased(later(seconds=30))) == []


def test_results_for_many_records_come_in_one_list(ledger: Ledger) -> None:
    keys = [(major, 0) for major in range(450)]
    serve(ledger, *[serving(key=key) for key in keys])
    outcomes = [imported("first", key) for key in keys] + [imported("first", (9_999, 0))]
    settled = ledger.served.settle([*outcomes, outcomes[0]], at=NOON)
    assert settled == Settled(acknowledged=keys, rejected=[], unknown=[(9_999, 0), (0, 0)])
    assert ledger.count() == len(keys)


def test_leases_come_in_key_order_across_pages(ledger: Ledger) -> None:
    keys = [(major, minor) for major in range(5) for minor in range(900)]
    serve(ledger, *[serving(key=key) for key in reversed(keys)])
    assert [(one.key_major, one.key_minor) for one in ledger.served.leased(NOON)] == keys


@pytest.mark.parametrize("outcomes", [[], [imported("first", (8, 8))]])
def test_results_for_what_was_never_served_change_nothing(ledger: Ledger, outcomes: list[Outcome]) -> None:
    settled = ledger.served.settle(outcomes, at=NOON)
    assert settled == Settled([], [], [(one.key_major, one.key_minor) for one in outcomes])
    assert list(ledger.rows()) == []
