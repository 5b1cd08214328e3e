"""When a flow counts as overdue, told from its switch, its runs and its lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from brekzsync.domain.sync_flows import FLOWS, FlowSwitch
from brekzsync.flows.flow_status import health
from brekzsync.flows.health import FlowHealth, Overdue

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A recorded run."""

    name: str = "run"
    command: str = "products export"
    host: str = "here"
    status: str = "done"
    started_at: datetime = NOW
    finished_at: datetime | None = NOW
    error_code: str | None = None
    error_message: str | None = None
    counts: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def if_dead(self) -> Run:
        return Run(name=self.name, status="failed", error_code="killed")


def flow(**given: Any) -> FlowHealth:
    whole: dict[str, Any] = {
        "flow": FLOWS["product"],
        "target": "exact",
        "switch": None,
        "last_run": None,
        "last_success_at": None,
        "is_at_work": False,
        "backlog": {"pending": 0, "failed": 0},
        "overdue_after": HOUR,
        "now": NOW,
    }
    return FlowHealth(**whole | given)


def switched(enabled: bool, before: timedelta) -> FlowSwitch:
    return FlowSwitch("product", "exact", enabled, "ann", "", NOW - before)


def running(since: timedelta) -> Run:
    return Run(status="running", started_at=NOW - since, finished_at=None)


LONG_AGO = {"last_success_at": NOW - 2 * HOUR}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, Overdue.NEVER),
        ({"last_success_at": NOW - HOUR}, None),
        ({"last_success_at": NOW - HOUR - timedelta(seconds=1)}, Overdue.SILENT),
        ({"last_success_at": NOW + HOUR}, None),  # the clock was set back
        ({"switch": switched(False, HOUR)}, None),
        (LONG_AGO | {"switch": switched(False, HOUR)}, None),
        (LONG_AGO | {"switch": switched(True, HOUR)}, None),
        (LONG_AGO | {"switch": switched(True, 2 * HOUR)}, Overdue.SILENT),
        ({"switch": switched(True, MINUTE)}, Overdue.NEVER),
        ({"is_at_work": True, "last_run": running(HOUR)}, None),
        (LONG_AGO | {"is_at_work": True, "last_run": running(MINUTE)}, None),
        ({"is_at_work": True, "last_run": running(HOUR + MINUTE)}, Overdue.STUCK),
        (LONG_AGO | {"is_at_work": True, "last_run": None}, None),  # it has the lock and is not on record yet
        (LONG_AGO | {"is_at_work": True, "last_run": Run()}, None),
        ({"is_at_work": True, "last_run": running(2 * HOUR), "switch": switched(False, HOUR)}, None),
        (LONG_AGO | {"last_run": Run(status="failed", error_code="killed")}, Overdue.SILENT),
    ],
)
def test_a_flow_is_overdue_when_it_is_on_and_was_silent_for_too_long(
    given: dict[str, Any], expected: Overdue | None
) -> None:
    assert flow(**given).overdue is expected


class State:
    """A state whose lock and record of runs change between one look and the next."""

    def __init__(self, *, latest: list[Run | None], held: bool) -> None:
        self._latest = latest
        self._held = held
        self.asked_of: list[str] = []
        self.runs = self.locks = self.switches = self

    def latest(self, flow: str, target: str) -> Run | None:
        return self._latest.pop(0)

    def last_success(self, flow: str, target: str, *, command: str = "") -> Run | None:
        self.asked_of.append(command)
        return None

    def is_held(self, flow: str, target: str) -> bool:
        return self._held

    def find(self, flow: str, target: str) -> FlowSwitch | None:
        return None

    @property
    def sync_log(self) -> State:
        return self

    def backlog(self, flow: str, target: str) -> dict[str, int]:
        return {"pending": 1, "failed": 2}


def test_a_flow_with_a_target_of_its_own_is_known_to_work_by_its_own_command() -> None:
    state = State(latest=[None, None], held=False)
    for name in ("product", "order_status"):
        health(state, FLOWS[name], "any", overdue_after=HOUR, now=NOW)

    assert state.asked_of == ["", "orders push-status"]


AT_WORK = Run(name="first", status="running", finished_at=None)


@pytest.mark.parametrize(
    ("latest", "held", "told"),
    [
        ([None], False, (None, None, False)),
        ([AT_WORK], True, ("first", "running", True)),
        ([AT_WORK, AT_WORK], False, ("first", "failed", False)),
        ([AT_WORK, Run(name="first")], False, ("first", "done", False)),
        ([AT_WORK, Run(name="second", status="running")], False, ("second", "running", True)),
        ([Run(name="first", status="failed")], False, ("first", "failed", False)),
    ],
)
def test_a_run_is_only_called_killed_when_it_did_not_end_while_we_looked(
    latest: list[Run | None], held: bool, told: tuple[str | None, str | None, bool]
) -> None:
    state = State(latest=latest, held=held)
    found = health(state, FLOWS["product"], "exact", overdue_after=HOUR, now=NOW)
    run = found.last_run
    assert (run and run.name, run and run.status, found.is_at_work) == told
    assert found.backlog == {"pending": 1, "failed": 2}
