"""The record of runs."""

from __future__ import annotations

import socket
from itertools import count

from brekzsync.state.database import State
from brekzsync.state.runs import Run, Runs
from tests.integration.state_rows import NOON, later


def test_a_finished_run_is_remembered_whole(state: State) -> None:
    handle = state.runs.open("product", "exact", "products export", NOON)
    state.runs.finish(
        handle,
        "failed",
        at=later(minutes=5),
        counts={"read": 40, "failed": 2},
        reasons={"missing_price": 2},
        output="/var/spool/brekzsync",
        failures=b"0123456789abcdef",
        error_code="unavailable",
        error_message="The shop went away.",
    )
    assert state.runs.previous("product", "exact") == Run(
        id=handle.id,
        name=handle.name,
        flow="product",
        target="exact",
        command="products export",
        host=socket.gethostname(),
        status="failed",
        started_at=NOON,
        heartbeat_at=later(minutes=5),
        finished_at=later(minutes=5),
        error_code="unavailable",
        error_message="The shop went away.",
        counts={"read": 40, "failed": 2},
        reasons={"missing_price": 2},
        output="/var/spool/brekzsync",
        failures=b"0123456789abcdef",
    )


def test_names_begin_with_the_utc_time_and_end_with_the_given_token(state: State) -> None:
    numbers = count(1)
    runs = Runs(state.database, lambda: f"{next(numbers):06x}")
    names = [runs.open("product", "exact", "products export", NOON).name for _ in range(2)]
    assert names == ["20261121T120000Z-000001", "20261121T120000Z-000002"]


def test_the_previous_run_is_the_latest_that_ended_before_this_one(state: State) -> None:
    runs = state.runs
    first, second, third = (runs.open("product", "exact", f"{n}", later(hours=n)) for n in range(3))
    assert runs.previous("product", "exact") is None
    runs.finish(first, "done", at=later(hours=4))
    runs.finish(third, "done", at=later(hours=5))
    before_third = runs.previous("product", "exact", before=third)
    assert before_third is not None
    assert before_third.id == first.id
    latest, running = runs.previous("product", "exact"), runs.running("product", "exact")
    assert latest is not None
    assert running is not None
    assert (latest.id, running.id) == (third.id, second.id)
    assert runs.previous("product", "belgium") is None


def test_the_previous_run_of_a_command_is_not_one_of_another(state: State) -> None:
    runs = state.runs
    for command in ("orders export", "orders export ID...", "orders settle ID..."):
        runs.finish(runs.open("order", "exact", command, NOON), "done", at=NOON)

    found = [
        runs.previous("order", "exact", command=name) for name in ("orders export", "orders settle", "x")
    ]

    assert [run.command if run else None for run in found] == [
        "orders export ID...",
        "orders settle ID...",
        None,
    ]


def test_only_the_runs_of_this_flow_and_target_are_marked_dead(state: State) -> None:
    runs = state.runs
    dead = runs.open("product", "exact", "products export", NOON)
    runs.heartbeat(dead, later(minutes=3))
    others = [runs.open("product", "belgium", "", NOON), runs.open("order", "exact", "", NOON)]
    ended = runs.open("product", "exact", "products export", NOON)
    runs.finish(ended, "done", at=later(minutes=1))
    assert [runs.mark_dead("product", "exact", later(hours=1)) for _ in range(2)] == [1, 0]
    found = runs.previous("product", "exact", before=ended)
    assert found is not None
    assert (found.id, found.status, found.error_code) == (dead.id, "failed", "killed")
    assert (found.heartbeat_at, found.finished_at) == (later(minutes=3), later(hours=1))
    still = [runs.running("product", "belgium"), runs.running("order", "exact")]
    assert [run.id for run in still if run] == [other.id for other in others]


def test_the_last_summary_is_remembered_per_flow_and_target(state: State) -> None:
    runs = state.runs
    assert runs.last_summary_at("product", "exact") is None
    for hour in (1, 2):
        runs.summarise(runs.open("product", "exact", "", NOON), later(hours=hour))
    runs.open("product", "exact", "", later(hours=3))
    assert runs.last_summary_at("product", "exact") == later(hours=2)
    assert runs.last_summary_at("product", "belgium") is None
