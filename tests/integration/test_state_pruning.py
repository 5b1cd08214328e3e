"""What the state forgets, and what stays however old it is."""

from __future__ import annotations

from datetime import datetime

import pytest

from brekzsync.domain.ledger import Clearing, Failure, Serving
from brekzsync.domain.sync_flows import PARTIAL_RUN
from brekzsync.state import pruning
from brekzsync.state.database import State
from brekzsync.state.ledger import Ledger
from brekzsync.state.pruning import Pruned, Pruning
from brekzsync.state.runs import RunHandle
from brekzsync.state.served import Outcome
from brekzsync.state.times import to_milliseconds
from tests.integration.state_rows import NOON, RUN, acknowledgement, attempts, later, mark

LONG_AGO = later(days=-100)
BEFORE = to_milliseconds(later(days=-90))
NOTHING = Pruned(0, 0, 0, 0)


@pytest.fixture
def prune(state: State) -> Pruning:
    return Pruning(state.database)


def delete(ledger: Ledger, key: tuple[int, int], at: datetime = LONG_AGO) -> None:
    """Deliver a record, and have it deleted from the shop."""
    ledger.acknowledge([acknowledgement(key)], run_id=RUN, at=at)
    ledger.clear([Clearing(*key, "deleted", mark("first"), 0)], run_id=RUN, at=at)


def fail(ledger: Ledger, key: tuple[int, int], message: str, at: datetime = LONG_AGO) -> None:
    ledger.record_failures([Failure(*key, "missing_price", message)], run_id=RUN, at=at)


def runs(state: State) -> list[int]:
    with state.database.read() as connection:
        return [row[0] for row in connection.exec_driver_sql("SELECT id FROM run ORDER BY id")]


def run(state: State, at: datetime = LONG_AGO, *, status: str = "done", **of: str) -> RunHandle:
    """A run that ended at once."""
    handle = state.runs.open(of.get("flow", "product"), "exact", of.get("command", "products export"), at)
    if status != "running":
        state.runs.finish(handle, status, at=at)  # type: ignore[arg-type]
    return handle


def test_an_empty_state_has_nothing_to_forget(prune: Pruning) -> None:
    assert prune.planned(BEFORE) == prune.prune(BEFORE) == NOTHING


def test_what_a_target_acknowledged_is_never_forgotten(prune: Pruning, ledger: Ledger) -> None:
    keys = [(1, minor) for minor in range(5)]
    ledger.acknowledge([acknowledgement(key) for key in keys], run_id=RUN, at=LONG_AGO)
    ledger.clear([Clearing(1, 0, "became_not_excluded", mark("first"), 0)], run_id=RUN, at=LONG_AGO)
    ledger.record_pending([(2, 0)], at=LONG_AGO)
    before = list(ledger.rows())
    assert prune.prune(BEFORE) == NOTHING
    assert list(ledger.rows()) == before


def test_records_deleted_long_ago_are_forgotten(
    prune: Pruning, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BATCH_ROWS", 2)
    for minor in range(5):
        delete(ledger, (1, minor))
    delete(ledger, (2, 0), at=later(days=-89))
    assert prune.planned(BEFORE) == Pruned(0, 0, 5, 0)
    assert prune.prune(BEFORE) == Pruned(0, 0, 5, 0)
    assert [row.key for row in ledger.rows()] == [(2, 0)]
    assert prune.prune(BEFORE) == NOTHING


def test_a_deleted_record_stays_while_a_force_or_a_version_handed_out_belongs_to_it(
    prune: Pruning, ledger: Ledger
) -> None:
    for minor in range(3):
        delete(ledger, (1, minor))
    ledger.request_force([(1, 1)], at=LONG_AGO)
    serving = Serving(1, 2, mark("second"), 0, None, "A-1", "document")
    ledger.served.serve([serving], run_id=RUN, at=LONG_AGO, lease_until=LONG_AGO)
    assert prune.prune(BEFORE) == Pruned(0, 0, 1, 0)
    assert [row.key for row in ledger.rows()] == [(1, 1), (1, 2)]


def test_old_attempts_are_forgotten_but_for_the_last_of_a_record_that_is_failed(
    prune: Pruning, state: State, ledger: Ledger
) -> None:
    for message in ("first", "second"):
        fail(ledger, (1, 1), message)
        fail(ledger, (1, 2), message)
    ledger.acknowledge([acknowledgement((1, 2), known=True)], run_id=RUN, at=LONG_AGO)
    fail(ledger, (1, 3), "old")
    fail(ledger, (1, 3), "new", at=NOON)
    assert prune.planned(BEFORE).attempts == 4
    assert prune.prune(BEFORE) == Pruned(4, 0, 0, 0)
    assert [(*found[:2], found[4]) for found in attempts(state)] == [(1, 1, "second"), (1, 3, "new")]
    assert prune.prune(BEFORE) == NOTHING


def test_rejected_versions_are_forgotten_when_their_waiting_is_long_over(
    prune: Pruning, ledger: Ledger
) -> None:
    for minor in (1, 2):
        serving = Serving(1, minor, mark("first"), 0, None, "A-1", "document")
        ledger.served.serve([serving], run_id=RUN, at=LONG_AGO, lease_until=LONG_AGO)
    ledger.served.settle([Outcome(1, 1, None, imported=False)], at=LONG_AGO)
    assert prune.prune(BEFORE).rejected_versions == 1
    assert ledger.served.settle([Outcome(1, 2, None, imported=True)], at=NOON).acknowledged == [(1, 2)]


def test_of_old_runs_those_stay_that_somebody_still_asks_for(
    prune: Pruning, state: State, ledger: Ledger
) -> None:
    first = run(state, status="failed")
    forgotten = [run(state, command="products export --baseline").id, run(state).id]
    baseline = run(state, command="products export --baseline")
    forgotten += [run(state, command="products export --baseline", status="failed").id]
    delivered = run(state)
    ledger.acknowledge([acknowledgement((1, 1))], run_id=delivered.id, at=LONG_AGO)
    served_by = run(state)
    serving = Serving(1, 2, mark("first"), 0, None, "A-1", "document")
    ledger.served.serve([serving], run_id=served_by.id, at=LONG_AGO, lease_until=LONG_AGO)
    failed_in = run(state)
    ledger.record_failures([Failure(1, 3, "missing", "No price.")], run_id=failed_in.id, at=LONG_AGO)
    summarised = run(state)
    state.runs.summarise(summarised, LONG_AGO)
    successful = run(state)
    forgotten.append(run(state, command=f"products export{PARTIAL_RUN}").id)
    newest = run(state, status="interrupted")
    other_flow = run(state, flow="order")
    open_one = run(state, status="running")
    assert prune.planned(BEFORE) == Pruned(0, 0, 0, len(forgotten))
    assert prune.prune(BEFORE) == Pruned(0, 0, 0, len(forgotten))
    assert state.runs.began("product", "exact") == LONG_AGO
    kept = (
        first,
        baseline,
        delivered,
        served_by,
        failed_in,
        summarised,
        successful,
        newest,
        other_flow,
        open_one,
    )
    assert runs(state) == [one.id for one in kept]
    previous = state.runs.previous("product", "exact")
    assert previous is not None
    assert previous.id == newest.id
    assert state.runs.last_summary_at("product", "exact") == LONG_AGO


def test_young_runs_stay(prune: Pruning, state: State) -> None:
    young = [run(state, at=later(days=-89)).id for _ in range(3)]
    assert prune.prune(BEFORE) == NOTHING
    assert runs(state) == young


def test_a_record_that_came_back_while_it_was_about_to_be_forgotten_stays(
    prune: Pruning, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    delete(ledger, (1, 1))
    delete(ledger, (1, 2))
    find = Pruning._some

    def found_and_meanwhile(self: Pruning, kind: pruning._Kind, before: int) -> list[dict[str, int]]:
        keys = find(self, kind, before)
        again = acknowledgement((1, 1), "again", known=True)
        ledger.acknowledge([again], run_id=RUN, at=NOON)
        return keys

    monkeypatch.setattr(Pruning, "_some", found_and_meanwhile)
    assert prune.prune(BEFORE) == Pruned(0, 0, 1, 0)
    assert [row.key for row in ledger.rows()] == [(1, 1)]
