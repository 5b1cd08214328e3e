"""The ledger: what a target acknowledged, and nothing else, on every database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from brekzsync.domain.ledger import IN_DOUBT, Clearing, Failure, LedgerEntry, LedgerRow, Unchanged
from brekzsync.errors import BrekzsyncError
from brekzsync.state import ledger as ledger_module
from brekzsync.state.database import State, open_state
from brekzsync.state.ledger import Ledger
from tests.integration.state_rows import (
    NOON,
    NOON_MS,
    RUN,
    acknowledgement,
    attempts,
    entry,
    later,
    mark,
)
from tests.services.mariadb import MariaDB


def test_an_acknowledged_record_is_remembered_whole(ledger: Ledger) -> None:
    assert ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON) == 1
    assert ledger.rows_for([(1, 10), (9, 9)]) == [
        LedgerEntry(
            key_major=1,
            key_minor=10,
            source_digest=mark("row first"),
            fingerprint=mark("first"),
            force_acknowledged=0,
            force_requested=0,
            status="synced",
            reason=None,
            next_attempt_at=None,
            different_at=None,
            run_id=RUN,
            code="A-1",
            attempts=0,
            created_at=NOON_MS,
            synced_at=NOON_MS,
            updated_at=NOON_MS,
            message=None,
        )
    ]
    assert ledger.documents([(1, 10), (9, 9)]) == {(1, 10): "document of first"}
    assert list(ledger.rows()) == [
        LedgerRow(1, 10, mark("row first"), mark("first"), 0, 0, "synced", None, None, None, RUN)
    ]


def test_a_new_version_replaces_the_one_it_was_compared_with(ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    second = acknowledgement(version="second", prior="first", code="A-2")
    assert ledger.acknowledge([second], run_id=8, at=later(hours=1)) == 1
    found = entry(ledger)
    assert (found.fingerprint, found.code, found.run_id) == (mark("second"), "A-2", 8)
    assert (found.created_at, found.synced_at) == (NOON_MS, NOON_MS + 3_600_000)
    assert ledger.documents([(1, 10)]) == {(1, 10): "document of second"}


def test_a_writer_that_compared_with_an_older_version_changes_nothing(ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    ledger.acknowledge([acknowledgement(version="second", prior="first")], run_id=8, at=later(hours=1))
    before = entry(ledger)
    late = acknowledgement(version="late", prior="first")
    never_seen = acknowledgement(version="late")
    assert ledger.acknowledge([late], run_id=9, at=later(hours=2)) == 0
    assert ledger.acknowledge([never_seen], run_id=9, at=later(hours=2)) == 0
    assert entry(ledger) == before


def test_repeating_an_acknowledgement_changes_nothing(ledger: Ledger) -> None:
    for _ in range(2):
        ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    before = entry(ledger)
    change = acknowledgement(version="second", prior="first")
    assert [ledger.acknowledge([change], run_id=8, at=later(hours=1)) for _ in range(2)] == [1, 0]
    assert before.fingerprint == mark("first")
    assert entry(ledger).fingerprint == mark("second")


def test_delivering_the_very_same_version_again_counts_once(ledger: Ledger) -> None:
    keys = [(1, 10), (1, 11)]
    ledger.acknowledge([acknowledgement(key) for key in keys], run_id=RUN, at=NOON)
    again = [acknowledgement(key, prior="first") for key in keys]
    again[1] = again[1]._replace(code="A-2")
    assert ledger.acknowledge(again, run_id=8, at=later(hours=1)) == 2
    assert [(row.run_id, row.code) for row in ledger.rows_for(keys)] == [(8, "A-1"), (8, "A-2")]


def test_a_batch_of_new_changed_and_overtaken_records_keeps_them_apart(ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement((1, n)) for n in (1, 2)], run_id=RUN, at=NOON)
    batch = [
        acknowledgement((1, 1), "second", prior="first"),
        acknowledgement((1, 2), "second", prior="something else"),
        acknowledgement((1, 3), "second"),
    ]
    assert ledger.acknowledge(batch, run_id=8, at=later(hours=1)) == 2
    found = {row.key_minor: row.fingerprint for row in ledger.rows()}
    assert found == {1: mark("second"), 2: mark("first"), 3: mark("second")}


def test_a_force_requested_while_the_record_is_delivered_survives(ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    ledger.request_force([(1, 10)], at=later(minutes=1))
    # The run compared before the force came.
    ledger.acknowledge([acknowledgement(version="second", prior="first")], run_id=8, at=later(minutes=2))
    found = entry(ledger)
    assert (found.force_acknowledged, found.force_requested) == (0, 1)
    assert (found.status, found.reason) == ("pending", "queued")
    forced = acknowledgement(version="second", prior="second", force=1)
    assert ledger.acknowledge([forced], run_id=9, at=later(minutes=3)) == 1
    found = entry(ledger)
    assert (found.force_acknowledged, found.force_requested, found.status) == (1, 1, "synced")


def test_an_acknowledgement_of_an_earlier_force_never_undoes_a_later_one(ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    ledger.request_force([(1, 10)], at=NOON)
    ledger.acknowledge([acknowledgement(prior="first", force=1)], run_id=8, at=NOON)
    before = entry(ledger)
    assert ledger.acknowledge([acknowledgement(version="late", prior="first")], run_id=9, at=NOON) == 0
    assert entry(ledger) == before


def test_a_record_forced_before_it_was_ever_seen_is_acknowledged_with_the_force_left(ledger: Ledger) -> None:
    # The run read the ledger, then the force made the row, then the run acknowledged.
    assert ledger.request_force([(1, 10), (1, 10)], at=NOON) == 1
    assert ledger.acknowledge([acknowledgement(known=False)], run_id=RUN, at=NOON) == 1
    found = entry(ledger)
    assert (found.fingerprint, found.force_acknowledged, found.force_requested) == (mark("first"), 0, 1)
    assert found.status == "pending"


def test_forcing_twice_before_it_is_delivered_asks_once(ledger: Ledger) -> None:
    asked = [ledger.request_force([(1, 10)], at=later(hours=hours)) for hours in (0, 1)]
    found = entry(ledger)
    assert (asked, ledger.forced([(1, 10), (1, 11)])) == ([1, 0], {(1, 10)})
    assert (found.force_requested, found.different_at, found.updated_at) == (1, NOON_MS, NOON_MS)
    assert ledger.is_empty()


def test_forcing_what_was_forced_and_delivered_asks_again(ledger: Ledger) -> None:
    for force in (1, 2):
        assert ledger.request_force([(1, 10)], at=NOON) == 1
        prior = "first" if force > 1 else None
        row = acknowledgement(force=force, prior=prior, prior_force=force - 1, known=True)
        assert ledger.acknowledge([row], run_id=RUN, at=NOON) == 1
        assert ledger.forced([(1, 10)]) == set()


def test_a_force_asked_for_while_the_forced_version_is_on_its_way_is_one_more(ledger: Ledger) -> None:
    ledger.request_force([(1, 10)], at=NOON)
    on_its_way = acknowledgement(known=True)._replace(fingerprint=IN_DOUBT)
    ledger.acknowledge([on_its_way], run_id=RUN, at=NOON)
    assert ledger.forced([(1, 10)]) == set()
    assert ledger.request_force([(1, 10)], at=NOON) == 1
    delivered = acknowledgement(force=1, known=True)._replace(prior_fingerprint=IN_DOUBT)
    ledger.acknowledge([delivered], run_id=RUN, at=NOON)
    found = entry(ledger)
    assert (found.force_acknowledged, found.force_requested, found.status) == (1, 2, "pending")


def test_many_are_forced_at_once_or_not_at_all(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "BATCH_ROWS", 2)
    keys = [(1, number) for number in range(5)]
    assert ledger.request_force(keys[:3], at=NOON) == 3
    assert ledger.forced(keys) == set(keys[:3])
    assert ledger.request_force(keys, at=NOON) == 2
    with pytest.raises((BrekzsyncError, OverflowError)):
        ledger.request_force([*((2, number) for number in range(5)), (3, 2**70)], at=NOON)
    assert ledger.forced([*keys, (2, 0)]) == set(keys)


@pytest.mark.parametrize(("reason", "status"), [("became_not_excluded", "pending"), ("deleted", "synced")])
def test_a_force_outlives_what_was_acknowledged_but_not_the_record(
    ledger: Ledger, reason: str, status: str
) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    ledger.request_force([(1, 10)], at=NOON)
    ledger.clear([Clearing(1, 10, reason, mark("first"), 0)], run_id=8, at=NOON)
    found = entry(ledger)
    assert (found.fingerprint, found.status, found.reason, found.force_requested) == (None, status, reason, 1)


def test_a_failure_keeps_the_acknowledged_version_and_counts_attempts(state: State, ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    retry_at = NOON_MS + 60_000
    failure = Failure(1, 10, "missing_price", "The price is 0.", retry_at)
    unseen = Failure(2, 0, "missing_item_code", "There is no reference.")
    for hour in (1, 2):
        assert ledger.record_failures([failure, unseen], run_id=8, at=later(hours=hour)) == 2
    found = entry(ledger)
    assert (found.fingerprint, found.code, found.run_id) == (mark("first"), "A-1", RUN)
    assert (found.status, found.reason, found.message) == ("failed", "missing_price", "The price is 0.")
    assert (found.attempts, found.next_attempt_at) == (2, retry_at)
    assert (found.different_at, found.updated_at) == (NOON_MS + 3_600_000, NOON_MS + 7_200_000)
    other = entry(ledger, (2, 0))
    assert (other.status, other.attempts) == ("failed", 2)
    assert (other.fingerprint, other.next_attempt_at) == (None, None)
    assert attempts(state) == [
        (1, 10, 8, "missing_price", "The price is 0."),
        (2, 0, 8, "missing_item_code", "There is no reference."),
    ]


def test_a_failure_in_other_words_is_an_attempt_of_its_own(state: State, ledger: Ledger) -> None:
    for run, message in ((1, "held by 3-0"), (2, "held by 3-0"), (3, "held by 4-0")):
        failure = Failure(1, 10, "duplicate_item_code", message)
        ledger.record_failures([failure], run_id=run, at=NOON)
    assert attempts(state) == [
        (1, 10, 1, "duplicate_item_code", "held by 3-0"),
        (1, 10, 3, "duplicate_item_code", "held by 4-0"),
    ]


def test_an_acknowledgement_ends_the_trouble_but_not_its_history(state: State, ledger: Ledger) -> None:
    ledger.record_failures([Failure(1, 10, "missing_price", "0", NOON_MS)], run_id=1, at=NOON)
    assert ledger.acknowledge([acknowledgement(known=True)], run_id=2, at=NOON) == 1
    found = entry(ledger)
    assert (found.status, found.reason, found.message) == ("synced", None, None)
    assert (found.attempts, found.next_attempt_at, found.different_at) == (0, None, None)
    assert len(attempts(state)) == 1


def test_a_record_that_is_again_as_acknowledged_is_in_sync(ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    ledger.record_failures([Failure(1, 10, "missing_price", "0")], run_id=8, at=later(hours=1))
    unchanged = Unchanged(1, 10, mark("first"), 0, mark("other row"))
    assert ledger.record_unchanged([unchanged], at=later(hours=2)) == 1
    found = entry(ledger)
    assert (found.status, found.reason, found.attempts, found.different_at) == ("synced", None, 0, None)
    assert (found.source_digest, found.updated_at) == (mark("other row"), NOON_MS + 7_200_000)
    assert found.synced_at == NOON_MS


def test_a_moved_source_row_alone_is_no_news(ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    before = entry(ledger)
    ledger.record_unchanged([Unchanged(1, 10, mark("first"), 0, mark("other row"))], at=later(hours=2))
    assert entry(ledger) == before._replace(source_digest=mark("other row"))


@pytest.mark.parametrize("seen", ["another version", "a force"])
def test_a_record_is_not_called_unchanged_by_one_who_missed_something(ledger: Ledger, seen: str) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    if seen == "a force":
        ledger.request_force([(1, 10)], at=NOON)
    else:
        ledger.record_failures([Failure(1, 10, "missing_price", "0")], run_id=8, at=NOON)
        ledger.acknowledge([acknowledgement(version="second", prior="first")], run_id=8, at=NOON)
        ledger.record_pending([(1, 10)], at=NOON)
    before = entry(ledger)
    ledger.record_unchanged([Unchanged(1, 10, mark("first"), 0, mark("row first"))], at=later(hours=2))
    assert entry(ledger) == before


def test_a_record_left_for_later_keeps_when_it_was_first_seen_different(ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    counts = [ledger.record_pending([(1, 10), (1, 11)], at=later(hours=hour)) for hour in (1, 2)]
    assert counts == [2, 0]
    seen = NOON_MS + 3_600_000
    assert [
        (row.key_minor, row.status, row.reason, row.different_at, row.updated_at, row.fingerprint)
        for row in ledger.rows_for([(1, 10), (1, 11)])
    ] == [
        (10, "pending", "queued", seen, seen, mark("first")),
        (11, "pending", "queued", seen, seen, None),
    ]


def test_a_cleared_record_is_pending_when_it_comes_back(ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    assert ledger.clear([Clearing(1, 10, "deleted", mark("first"), 0)], run_id=8, at=later(hours=1)) == 1
    found = entry(ledger)
    assert (found.status, found.reason, found.run_id) == ("synced", "deleted", 8)
    assert (found.fingerprint, found.source_digest, found.code) == (None, None, None)
    assert ledger.documents([(1, 10)]) == {}
    assert ledger.holders(["A-1"]) == {}
    assert (ledger.count(), ledger.is_empty()) == (0, False)
    assert ledger.acknowledge([acknowledgement(known=True)], run_id=9, at=later(hours=2)) == 1
    assert entry(ledger).reason is None


def test_a_record_that_is_withdrawn_keeps_when_the_target_last_had_it(ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    doubtful = acknowledgement(prior="first")._replace(fingerprint=IN_DOUBT)
    ledger.acknowledge([doubtful], run_id=8, at=later(hours=1))
    ledger.clear([Clearing(1, 10, "became_not_excluded", IN_DOUBT, 0)], run_id=8, at=later(hours=1))
    found = entry(ledger)
    assert (found.synced_at, found.updated_at) == (NOON_MS, NOON_MS + 3_600_000)


def test_clearing_spares_a_version_acknowledged_meanwhile_and_any_force(ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    ledger.request_force([(1, 10)], at=NOON)
    overtaken = Clearing(1, 10, "deleted", mark("earlier"), 0)
    never_seen = Clearing(5, 5, "deleted", None, 0)
    assert ledger.clear([overtaken, never_seen], run_id=8, at=NOON) == 0
    assert [row.key for row in ledger.rows()] == [(1, 10)]
    ledger.clear([Clearing(1, 10, "deleted", mark("first"), 0)], run_id=8, at=NOON)
    assert entry(ledger).force_requested == 1


def test_item_codes_lead_to_their_acknowledged_holders(ledger: Ledger) -> None:
    codes = {(1, 10): "A", (1, 9): "A", (2, 0): "Ä", (3, 0): "B", (4, 0): "a"}
    ledger.acknowledge([acknowledgement(key, code=code) for key, code in codes.items()], run_id=RUN, at=NOON)
    assert ledger.holders(["A", "Ä", "NONE"]) == {"A": [(1, 9), (1, 10)], "Ä": [(2, 0)]}
    assert ledger.holders([]) == {}


def test_rows_come_in_key_order_across_pages(ledger: Ledger) -> None:
    keys = [(major, minor) for major in range(1, 4) for minor in range(3_000)]
    ledger.acknowledge([acknowledgement(key) for key in reversed(keys)], run_id=RUN, at=NOON)
    assert [row.key for row in ledger.rows()] == keys
    assert ledger.count() == len(keys)


def test_keys_asked_for_may_be_many_and_scattered(ledger: Ledger) -> None:
    keys = [(major, minor) for major in range(900) for minor in range(3)]
    ledger.acknowledge([acknowledgement(key, f"{key}") for key in keys], run_id=RUN, at=NOON)
    wanted = keys[::2]
    assert [row.key for row in ledger.rows_for([*reversed(wanted), (5_000, 0)])] == wanted
    assert ledger.documents(wanted) == {key: f"document of {key}" for key in wanted}


def test_the_ledger_may_be_written_while_it_is_read(ledger: Ledger) -> None:
    keys = [(major, 0) for major in range(9_000)]
    ledger.acknowledge([acknowledgement(key) for key in keys], run_id=RUN, at=NOON)
    seen = []
    for row in ledger.rows():
        seen.append(row.key)
        if len(seen) % 3_000 == 0:
            batch = [acknowledgement(key, "second", prior="first") for key in seen[-3_000:]]
            ledger.acknowledge(batch, run_id=8, at=NOON)
    assert seen == keys
    assert {row.fingerprint for row in ledger.rows()} == {mark("second")}


def test_flows_and_targets_do_not_see_each_other(state: State, ledger: Ledger) -> None:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    for other in (state.ledger("product", "belgium"), state.ledger("order", "exact")):
        assert (list(other.rows()), other.is_empty(), other.count()) == ([], True, 0)
        assert (other.rows_for([(1, 10)]), other.documents([(1, 10)]), other.holders(["A-1"])) == ([], {}, {})
        other.acknowledge([acknowledgement(version="theirs")], run_id=8, at=NOON)
        assert entry(other).fingerprint == mark("theirs")
    assert entry(ledger).fingerprint == mark("first")


def test_a_ledger_of_failures_and_forces_only_counts_as_empty(ledger: Ledger) -> None:
    assert ledger.is_empty()
    ledger.record_failures([Failure(1, 10, "missing_price", "0")], run_id=1, at=NOON)
    ledger.request_force([(1, 11)], at=NOON)
    assert ledger.is_empty()
    ledger.acknowledge([acknowledgement((1, 12))], run_id=1, at=NOON)
    assert not ledger.is_empty()


def test_any_text_comes_back_as_it_was(ledger: Ledger) -> None:
    text = "Ünïcödé 犬 🐕 \x1f\x1e 'quoted' \"twice\" 100% :name ? %s \\ \n"
    odd = acknowledgement()._replace(fingerprint=bytes(16), source_digest=b"\x00" * 15 + b" ")
    ledger.acknowledge([odd._replace(document=text)], run_id=RUN, at=NOON)
    assert ledger.documents([(1, 10)]) == {(1, 10): text}
    assert entry(ledger).fingerprint == bytes(16)
    assert entry(ledger).source_digest == b"\x00" * 15 + b" "


def test_an_empty_batch_is_nothing(ledger: Ledger) -> None:
    assert ledger.acknowledge([], run_id=RUN, at=NOON) == 0
    assert ledger.request_force([], at=NOON) == 0
    assert list(ledger.rows()) == []


def test_a_batch_costs_a_server_what_the_batch_holds_not_what_the_ledger_holds(mariadb: MariaDB) -> None:
    mariadb.create_database("brekzsync")
    keys = [(major, 0) for major in range(20_000)]
    with open_state(mariadb.url("brekzsync"), create=True) as state:
        ledger = state.ledger("product", "exact")
        ledger.acknowledge([acknowledgement(key) for key in keys], run_id=RUN, at=NOON)
        some, second = keys[9_000:9_100], mark("second")
        changed = [acknowledgement(key, "second", prior="first", code="A-2") for key in some]
        failed = [Failure(*key, "missing_price", "0") for key in some]
        unchanged = [Unchanged(*key, second, 0, None) for key in some]
        cleared = [Clearing(*key, "deleted", second, 0) for key in some]
        writes: list[Callable[[], int]] = [
            lambda: ledger.acknowledge(changed, run_id=8, at=NOON),
            lambda: ledger.record_failures(failed, run_id=8, at=NOON),
            lambda: ledger.record_unchanged(unchanged, at=NOON),
            lambda: ledger.record_pending(some, at=NOON),
            lambda: ledger.request_force(some, at=NOON),
            lambda: ledger.clear(cleared, run_id=8, at=NOON),
        ]
        for write in writes:
            before = _rows_touched(state)
            assert write() == len(some)
            assert _rows_touched(state) - before < 40 * len(some), "of 20,000 rows"


def _rows_touched(state: State) -> int:
    """How many rows the server read for the one connection the pool has so far."""
    with state.database.read() as connection:
        counters = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'").all()
    return sum(int(value) for _name, value in counters)
