"""The gate against floods, over a real inbox and with clocks of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from brekzsync.domain.shedding import FloodLimits
from brekzsync.state.inbox import Inbox, NewDelivery, Shed, open_inbox
from brekzsync.web.errors import Problem
from brekzsync.web.shedding import Shedding

LIMITS = FloodLimits(per_minute=100, backlog=50, cool_down=timedelta(seconds=60))
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass(slots=True)
class Clock:
    """Goes on when the test says so."""

    passed: float = 1000.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed)

    def seconds(self) -> float:
        return self.passed


@dataclass(slots=True)
class Gates:
    """An inbox and the processes in front of it."""

    inbox: Inbox
    clock: Clock

    def process(self) -> Shedding:
        return Shedding(LIMITS, lambda: self.inbox, self.clock.now, self.clock.seconds)

    def sheds(self) -> list[Shed]:
        return list(self.inbox.sheds())


@pytest.fixture
def gates(database_url: str) -> Gates:
    inbox = open_inbox(database_url)
    assert inbox is not None
    return Gates(inbox, Clock())


def knock(gate: Shedding, times: int = 1, source: str = "one") -> list[int]:
    """How long it was told to wait, for each it was refused."""
    waits = []
    for _ in range(times):
        try:
            gate.knock(source)
        except Problem as problem:
            waits.append(int(problem.headers["Retry-After"]) if problem.status == 429 else -1)
    return waits


def test_a_source_is_refused_once_its_mark_is_written_and_no_sooner(gates: Gates) -> None:
    gate = gates.process()
    assert knock(gate, 500) == []
    gate.beat()
    assert knock(gate, 3) == [60, 60, 60]
    gate.beat()
    (shed,) = gates.sheds()
    assert (shed.source, shed.reason, shed.opened_at, shed.refused) == ("one", "rate", gates.clock.now(), 3)


def test_other_sources_are_not_refused(gates: Gates) -> None:
    gate = gates.process()
    knock(gate, 101)
    knock(gate, 100, "two")
    gate.beat()
    assert knock(gate) != []
    assert knock(gate, source="two") == []


def test_what_may_come_in_a_minute_may_come_every_minute(gates: Gates) -> None:
    gate = gates.process()
    for _ in range(5):
        assert knock(gate, 100) == []
        gate.beat()
        gates.clock.passed += 60
    assert gates.sheds() == []


def test_too_much_that_waits_is_a_flood_too(gates: Gates) -> None:
    gate = gates.process()
    waiting = [NewDelivery("one", f"{n}", gates.clock.now(), "", f"R{n}", "{}") for n in range(51)]
    gates.inbox.store(waiting)
    knock(gate)
    gate.beat()
    assert knock(gate) == [60]
    assert [shed.reason for shed in gates.sheds()] == ["backlog"]
    gates.clock.passed += 100
    gate.beat()
    assert knock(gate) == [60], "that much is still waiting"
    for number in range(26):
        gates.inbox.done("one", f"R{number}", 99, gates.clock.now())
    gates.clock.passed += 60
    gate.beat()
    assert knock(gate) == []


def test_it_is_taken_again_when_it_has_been_quiet_for_long_enough(gates: Gates) -> None:
    gate = gates.process()
    knock(gate, 101)
    gate.beat()
    for _ in range(59):
        gates.clock.passed += 1
        gate.beat()
        assert knock(gate)
    gates.clock.passed += 1
    gate.beat()
    assert knock(gate) != [], "in the last minute came more than half of what may come"
    gates.clock.passed += 30
    gate.beat()
    assert knock(gate) == []
    assert gates.sheds()[0].closed_at is None, "another process may not know yet"
    gates.clock.passed += 5
    gate.beat()
    assert gates.sheds()[0].closed_at == gates.clock.now()
    knock(gate, 101)
    gate.beat()
    assert [shed.closed_at is None for shed in gates.sheds()] == [False, True], (
        "a second flood is one of its own"
    )


def test_all_processes_count_together_and_refuse_together(gates: Gates) -> None:
    one, two = gates.process(), gates.process()
    assert knock(one, 60) + knock(two, 60) == []
    one.beat()
    two.beat()
    one.beat()
    assert knock(one) == [60]
    assert knock(two) == [60]
    assert len(gates.sheds()) == 1


def test_a_process_that_starts_anew_goes_on_refusing(gates: Gates) -> None:
    gate = gates.process()
    knock(gate, 101)
    gate.beat()
    another = gates.process()
    another.beat()
    gates.clock.passed += 1
    assert knock(another) == [59]


def test_a_process_that_starts_anew_closes_what_another_left_open(gates: Gates) -> None:
    gate = gates.process()
    knock(gate, 101)
    gate.beat()
    another = gates.process()
    for _ in range(3):
        gates.clock.passed += 60
        another.beat()
    assert gates.sheds()[0].closed_at is not None


def test_nobody_refuses_by_a_mark_it_has_not_looked_at_lately(gates: Gates) -> None:
    """Or it would refuse what comes after the comparison that makes up for what was refused."""
    gate, stuck = gates.process(), gates.process()
    knock(gate, 101)
    gate.beat()
    stuck.beat()
    gates.clock.passed += 3
    assert knock(stuck) != []
    gates.clock.passed += 0.5
    assert knock(stuck) == []


def test_it_runs_by_itself_and_says_what_it_counted_when_it_ends(
    gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = gates.process()
    gate.start()
    try:
        _until(lambda: knock(gate, 101) != [])
    finally:
        gate.close()
    (shed,) = gates.sheds()
    assert shed.refused > 0
    assert gates.inbox.marks.pace_of_others("", START) == {}


def _until(holds: Callable[[], bool]) -> None:
    from tests.serving import until

    until(holds, 10)
