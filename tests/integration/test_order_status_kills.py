"""A run cut off before any of its steps, with SIGKILL: the next ones finish it, and nothing is told twice.

A step is what leaves a trace: a statement that writes or a commit of the state, a question to the marketplace and the
moment its answer is there. Each run that is cut off is a process of its own; the marketplace goes on without it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from brekzsync.demo.local_service import Asked
from brekzsync.domain.marketplace import TaskStatus
from brekzsync.domain.order_status import Operation
from brekzsync.errors import LockHeld
from brekzsync.flows.order_status import send
from tests.exports import ROOT
from tests.marketplace_world import CANCELED, DELIVERED, PAID, REFUNDED, SHIPPED, MarketplaceWorld, Told
from tests.mortal_process import DIED, FINISHED, Process, in_a_process, start, step

SHIP, CANCEL, REFUND, DELIVER = Operation
HELD = 75
SYNCED = Told("synced", None, None)
WANTED = {101: [SHIP], 102: [SHIP, DELIVER], 103: [CANCEL], 104: [REFUND], 105: [SHIP]}
STATES = {101: SHIPPED, 102: DELIVERED, 103: CANCELED, 104: REFUNDED, 105: SHIPPED}


class Stepping:
    """A client whose every call is a step, and its answer another; it notes at which steps orders are sent."""

    def __init__(self, client: Any, notes: Path) -> None:
        self._client, self._notes = client, notes

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._client, name)

        def call(*arguments: Any) -> Any:
            at = step()
            if at and name == "submit":
                with self._notes.open("a") as notes:
                    notes.write(f"{at}\n")
            result = called(*arguments)
            result = list(result) if isinstance(result, Iterator) else result
            step()
            return result

        return call if name != "close" else called


@contextmanager
def begun(folder: Path) -> Iterator[MarketplaceWorld]:
    """Five orders, each of which asks for something; the first run has seen them, and its shipments are due."""
    folder.mkdir()
    with MarketplaceWorld.embedded(folder) as world:
        world.around_client = lambda client: Stepping(client, folder / "sent")  # type: ignore[assignment, misc]
        for id_order in STATES:
            world.add_order(id_order, PAID, tracking=f"3S{id_order}")
        world.push()
        yield world


def push_some(world: MarketplaceWorld) -> None:
    """Shipments and others, two orders a request."""
    send.AT_ONCE = 2
    world.push()


def check(world: MarketplaceWorld) -> None:
    world.check()


def come_into_states(world: MarketplaceWorld) -> None:
    for id_order, state in STATES.items():
        world.set_state(id_order, state)
    world.push(101, 102, 105)  # their shipments wait from now on
    world.after(minutes=6)


def assert_ends_well(world: MarketplaceWorld, because: object) -> None:
    """What further runs of cron make of it."""
    for _ in range(3):
        world.cron(minutes=6)
        assert_nothing_twice(world, because)
    assert world.accepted() == WANTED, because
    assert world.tasks() == {}, because
    assert world.known() == {id_order: frozenset(all_) for id_order, all_ in WANTED.items()}, because
    assert {id_order: world.told(id_order) for id_order in WANTED} == dict.fromkeys(WANTED, SYNCED), because


def assert_nothing_twice(world: MarketplaceWorld, because: object) -> None:
    taken = [(one.order, one.operation) for one in world.taken()]
    assert len(taken) == len(set(taken)), because


# --- cut off ----------------------------------------------------------------------------------------------------


def steps_of(folder: Path, work: Callable[[MarketplaceWorld], object], *, sent: bool) -> int:
    """How many an undisturbed run takes."""
    with begun(folder) as world:
        come_into_states(world)
        if sent:
            push_first(world)
        code, steps = in_a_process(partial(work, world))
        assert code == FINISHED
        assert_ends_well(world, "undisturbed")
    return steps


def push_first(world: MarketplaceWorld) -> None:
    """There are tickets to ask for."""
    world.push()
    world.after(minutes=5)


def kill_and_go_on(
    folder: Path, work: Callable[[MarketplaceWorld], object], ends_at: int, *, sent: bool = False
) -> tuple[int, bool]:
    """How many orders the killed run had told, and whether some were left between being claimed and being told of."""
    with begun(folder) as world:
        come_into_states(world)
        if sent:
            push_first(world)
        assert in_a_process(partial(work, world), ends_at)[0] == DIED, f"step {ends_at} was not reached"
        told = len(world.taken())
        is_unclear = any(task.status is TaskStatus.SENDING for task in world.tasks().values())
        assert_ends_well(world, ends_at)
    return told, is_unclear


def test_a_push_killed_here_and_there_is_finished_by_the_next_ones(tmp_path: Path) -> None:
    """Before the first request and behind it, between two, behind the last."""
    steps_of(tmp_path / "whole", push_some, sent=False)
    first, second, *_, last = map(int, (tmp_path / "whole/sent").read_text().split())
    left = [
        kill_and_go_on(tmp_path / str(at), push_some, at)
        for at in (first - 2, first, first + 1, second - 1, last + 1)
    ]
    assert left == [(0, False), (0, True), (2, True), (2, False), (5, True)]


def test_a_check_of_tickets_killed_here_and_there_is_finished_by_the_next_ones(tmp_path: Path) -> None:
    steps = steps_of(tmp_path / "whole", check, sent=True)
    for at in (steps // 2, steps - 6):
        kill_and_go_on(tmp_path / str(at), check, at, sent=True)


@pytest.mark.long
@pytest.mark.parametrize(("work", "sent"), [(push_some, False), (check, True)])
def test_a_run_killed_before_any_step_is_finished_by_the_next_ones(
    tmp_path: Path, work: Callable[[MarketplaceWorld], object], sent: bool
) -> None:
    steps = steps_of(tmp_path / "whole", work, sent=sent)
    left = [kill_and_go_on(tmp_path / str(at), work, at, sent=sent) for at in range(1, steps + 1)]
    if not sent:
        assert {told for told, _ in left} >= {0, 2, 3, 4, 5}
        assert sum(is_unclear for _, is_unclear in left) > 4


@pytest.mark.long
def test_runs_killed_again_and_again_come_to_their_end(tmp_path: Path) -> None:
    """Each gets a little further than the one before."""
    with begun(tmp_path / "world") as world:
        come_into_states(world)
        for ends_at in range(1, 400, 7):
            for work in (check, push_some):
                in_a_process(partial(work, world), ends_at)
                assert_nothing_twice(world, ends_at)
            world.after(minutes=3)
        assert_ends_well(world, "in the end")


# --- the program itself -------------------------------------------------------------------------------------------


def test_the_program_killed_while_the_marketplace_is_at_it_tells_nothing_twice(tmp_path: Path) -> None:
    """The marketplace carries out what it was asked for though nobody hears its answer; two minutes later the next
    run asks what became of it."""
    with MarketplaceWorld.embedded(tmp_path, datetime.now(UTC)) as world:
        world.set(shipped_delay="0s")
        for id_order in (101, 102):
            world.add_order(id_order, SHIPPED, tracking="3S")
        environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
        running: list[subprocess.Popen[bytes]] = []

        def kill(asked: Asked) -> None:
            if asked.method == "POST" and running[0].poll() is None:
                running[0].send_signal(signal.SIGKILL)
                running[0].wait(10)

        world.server.before_each = kill
        running[:] = [subprocess.Popen(world.command("orders", "push-status"), env=environment)]
        assert running[0].wait(60) == -signal.SIGKILL
        _await(lambda: len(world.taken()) == 2)

        assert world.cli("orders", "push-status").returncode == 0
        assert {task.status for task in world.tasks().values()} == {TaskStatus.SENDING}, (
            "it may still be at it"
        )
        world.after(minutes=3)
        world.push()
        world.check()
        assert world.accepted() == {101: [SHIP], 102: [SHIP]}
        assert len(world.posts()) == 1
        assert world.tasks() == {}


# --- two at once ------------------------------------------------------------------------------------------------


def pushing(world: MarketplaceWorld, *orders: int) -> int:
    """A run that says when another one is at work."""
    try:
        world.push(*orders)
    except LockHeld:
        return HELD
    return FINISHED


def test_a_second_run_while_the_first_one_sends_sends_nothing(tmp_path: Path) -> None:
    with begun(tmp_path / "world") as world:
        come_into_states(world)
        is_there, may_go_on = Event(), Event()

        def wait(asked: Asked) -> None:
            if asked.method == "POST":
                is_there.set()
                assert may_go_on.wait(30)

        world.server.before_each = wait
        first = start(partial(pushing, world))
        assert is_there.wait(30)
        others = [start(partial(pushing, world)), start(partial(pushing, world, 101))]
        assert [one.wait()[0] for one in others] == [HELD, HELD]
        may_go_on.set()
        assert first.wait()[0] == FINISHED
        assert_ends_well(world, "two at once")


def test_runs_that_start_at_once_tell_nothing_twice(tmp_path: Path) -> None:
    with begun(tmp_path / "world") as world:
        come_into_states(world)
        for _ in range(2):
            started: Sequence[Process] = [start(partial(pushing, world)) for _ in range(4)]
            codes = sorted(one.wait()[0] for one in started)
            assert codes[0] == FINISHED
            assert set(codes) <= {FINISHED, HELD}
            assert_nothing_twice(world, codes)
        assert_ends_well(world, "four at once")


class NoLock:
    """What a lock on a file system that forgets its locks is worth."""

    @contextmanager
    def hold(self, _flow: str, _target: str) -> Iterator[Any]:
        yield self

    def verify(self) -> None:
        """It seems to be there."""


def test_without_any_lock_two_runs_tell_nothing_twice_all_the_same(tmp_path: Path) -> None:
    """What is sent was claimed, by one of them alone."""
    with begun(tmp_path / "world") as world:
        come_into_states(world)
        world.adjust = lambda flow: replace(flow, locks=NoLock())

        def meet(asked: Asked) -> None:
            """All have read what is due before the first of them is answered."""
            if asked.method == "POST":
                time.sleep(0.2)

        world.server.before_each = meet
        started = [start(partial(pushing, world)) for _ in range(3)]
        assert [one.wait()[0] for one in started] == [FINISHED] * 3
        assert_nothing_twice(world, "no lock")
        world.server.before_each = lambda asked: None
        assert_ends_well(world, "no lock")


def _await(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.02)
