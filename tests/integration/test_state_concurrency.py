"""Acknowledging takes no flow lock: what several writers at once may and may not do to each other."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from threading import Barrier

import pytest

from brekzsync.domain.ledger import Serving
from brekzsync.state.database import State, open_state
from brekzsync.state.ledger import Ledger
from brekzsync.state.served import Outcome
from tests.integration.state_rows import NOON, RUN, acknowledgement, entry, mark

WRITERS = 6
KEYS = [(major, 0) for major in range(60)]


@pytest.mark.parametrize("known", [True, False])
def test_of_many_writers_who_saw_the_same_version_one_wins_each_record(ledger: Ledger, known: bool) -> None:
    prior = "first" if known else None
    if known:
        ledger.acknowledge([acknowledgement(key) for key in KEYS], run_id=RUN, at=NOON)
    start = Barrier(WRITERS)

    def write(writer: int) -> int:
        batch = [acknowledgement(key, f"by {writer}", prior=prior) for key in KEYS]
        random.Random(writer).shuffle(batch)  # other orders of locking, so that deadlocks are met
        start.wait(20)
        return sum(ledger.acknowledge(batch[at : at + 20], run_id=writer, at=NOON) for at in (0, 20, 40))

    with ThreadPoolExecutor(WRITERS) as threads:
        taken = list(threads.map(write, range(WRITERS)))
    rows = list(ledger.rows())
    winners = [row.run_id for row in rows]
    assert [row.fingerprint for row in rows] == [mark(f"by {winner}") for winner in winners]
    assert taken == [winners.count(writer) for writer in range(WRITERS)]
    assert sum(taken) == len(KEYS)


def _acknowledge_versions(url: str, rounds: int) -> int:
    """Deliver whatever is due, as a run does, again and again; says how often that took effect."""
    taken = 0
    with open_state(url, create=False) as state:
        ledger = state.ledger("product", "exact")
        for version in range(rounds):
            found = entry(ledger)
            batch = acknowledgement(
                version=f"{version}",
                force=found.force_requested,
                prior_force=found.force_acknowledged,
                known=True,
            )
            taken += ledger.acknowledge(
                [batch._replace(prior_fingerprint=found.fingerprint)], run_id=RUN, at=NOON
            )
    return taken


def _force(url: str, times: int) -> int:
    with open_state(url, create=False) as state:
        return sum(state.ledger("product", "exact").request_force([(1, 10)], at=NOON) for _ in range(times))


def test_no_force_is_lost_between_processes_that_acknowledge_and_force(state_url: str) -> None:
    with open_state(state_url, create=True) as state:
        state.ledger("product", "exact").acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    jobs: list[tuple[Callable[[str, int], int], int]] = [(_force, 40), (_acknowledge_versions, 60)] * 2
    with ProcessPoolExecutor(len(jobs), mp_context=get_context("spawn")) as processes:
        started: list[Future[int]] = [processes.submit(job, state_url, times) for job, times in jobs]
        results = [one.result(timeout=100) for one in started]
    with open_state(state_url, create=False) as state:
        found = entry(state.ledger("product", "exact"))
        # One that waits already is not raised again; every one that was raised is still known.
        assert found.force_requested == results[0] + results[2] > 0
        assert results[1] + results[3] > 0
        assert found.force_acknowledged <= found.force_requested
        waits = found.force_acknowledged < found.force_requested
        assert found.status == ("pending" if waits else "synced")


def test_many_threads_share_one_state(state: State) -> None:
    def deliver(target: int) -> int:
        ledger = state.ledger("product", f"target {target}")
        return ledger.acknowledge([acknowledgement(key) for key in KEYS], run_id=target, at=NOON)

    with ThreadPoolExecutor(WRITERS) as threads:
        assert list(threads.map(deliver, range(WRITERS))) == [len(KEYS)] * WRITERS
    for target in range(WRITERS):
        assert {row.run_id for row in state.ledger("product", f"target {target}").rows()} == {target}


def test_a_reader_of_pages_is_not_stopped_by_a_writer(state: State, state_url: str) -> None:
    ledger = state.ledger("product", "exact")
    ledger.acknowledge([acknowledgement(key) for key in KEYS], run_id=RUN, at=NOON)
    with open_state(state_url, create=False) as other:

        def read_meanwhile(_connection: object) -> int:
            return len(list(other.ledger("product", "exact").rows()))

        assert state.database.write(read_meanwhile, durable=True) == len(KEYS)


def test_one_result_reported_by_many_at_once_settles_each_version_once(ledger: Ledger) -> None:
    versions = [Serving(*key, mark("first"), 0, None, "A-1", "document") for key in KEYS]
    ledger.served.serve(versions, run_id=RUN, at=NOON, lease_until=NOON)
    outcomes = [Outcome(*key, None, imported=True) for key in KEYS]
    start = Barrier(WRITERS)

    def settle(_: int) -> int:
        start.wait(20)
        return len(ledger.served.settle(outcomes, at=NOON).acknowledged)

    with ThreadPoolExecutor(WRITERS) as threads:
        assert sorted(threads.map(settle, range(WRITERS))) == [0] * (WRITERS - 1) + [len(KEYS)]
    assert ledger.count() == len(KEYS)
