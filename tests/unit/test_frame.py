"""The frame around a run: its lock, its record, and how both end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from brekzsync.errors import ConfigurationError, Interrupted, LockHeld, Unavailable
from brekzsync.flows.frame import milliseconds, refuse_unknown_past, run
from brekzsync.state.runs import RunHandle

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Ticking:
    """A clock on which every look takes a second."""

    def __init__(self) -> None:
        self.now = START - timedelta(seconds=1)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


class Locks:
    def __init__(self, *, held: bool = False) -> None:
        self.held = held
        self.log: list[str] = []

    @contextmanager
    def hold(self, flow: str, target: str) -> Iterator[Any]:
        if self.held:
            raise LockHeld("Another run is at work.")
        self.log.append(f"locked {flow} {target}")
        try:
            yield self
        finally:
            self.log.append("unlocked")

    def verify(self) -> None:
        self.log.append("verified")


class Runs:
    """Notes what is recorded, in the log it shares with the lock."""

    def __init__(self, locks: Locks, *, gone: bool = False) -> None:
        self.log = locks.log
        self.gone = gone
        self.finished: dict[str, Any] = {}

    def open(self, flow: str, target: str, command: str, at: datetime) -> RunHandle:
        self.log.append(f"opened {command}")
        return RunHandle(7, "20261121T120000Z-abc")

    def mark_dead(self, flow: str, target: str, at: datetime) -> int:
        self.log.append("marked the dead")
        return 1

    def had_baseline(self, flow: str, target: str) -> bool:
        return False

    def finish(self, handle: RunHandle, status: str, **found: Any) -> None:
        if self.gone:
            raise Unavailable("The state went away.")
        self.log.append(status)
        self.finished = {"id": handle.id, "status": status, **found}


def framed(locks: Locks, runs: Runs) -> Any:
    return run(locks, runs, flow="product", target="exact", command="products export", clock=Ticking())


def ended(error: BaseException | None) -> dict[str, Any]:
    """What was recorded of a run that ended so."""
    locks = Locks()
    runs = Runs(locks)
    with suppress(*([] if error is None else [type(error)])), framed(locks, runs) as opened:
        opened.counts, opened.reasons = {"read": 3}, {"deleted": 1}
        opened.failures = b"f" * 16
        if error is not None:
            raise error
    assert locks.log[-1] == "unlocked"
    return runs.finished


def test_a_run_marks_the_dead_only_with_the_lock_in_hand_and_is_closed_before_it_lets_go() -> None:
    locks = Locks()
    with framed(locks, Runs(locks)) as opened:
        opened.verify_lock()
        assert (opened.id, opened.name) == (7, "20261121T120000Z-abc")
    assert locks.log == [
        "locked product exact",
        "marked the dead",
        "opened products export",
        "verified",
        "done",
        "unlocked",
    ]


@pytest.mark.parametrize(
    ("error", "status", "code", "message"),
    [
        (None, "done", None, None),
        (Unavailable("The shop is down."), "failed", "unavailable", "The shop is down."),
        (
            ConfigurationError("No such shop.", code="no_shop"),
            "failed",
            "no_shop",
            "No such shop.",
        ),
        (ZeroDivisionError("x"), "failed", "unexpected", None),
        (Interrupted(15), "interrupted", "interrupted", "Interrupted before the run was complete."),
        (KeyboardInterrupt(), "interrupted", "interrupted", None),
    ],
    ids=["done", "failed", "own code", "unexpected", "SIGTERM", "Ctrl-C"],
)
def test_however_it_ends_what_it_found_is_on_record(
    error: BaseException | None, status: str, code: str | None, message: str | None
) -> None:
    assert ended(error) == {
        "id": 7,
        "status": status,
        "at": START + timedelta(seconds=1),
        "counts": {"read": 3},
        "reasons": {"deleted": 1},
        "output": None,
        "failures": b"f" * 16,
        "error_code": code,
        "error_message": message,
    }


def test_while_another_run_is_at_work_nothing_is_recorded() -> None:
    locks = Locks(held=True)
    with pytest.raises(LockHeld), framed(locks, Runs(locks)):
        pytest.fail("must not run")
    assert locks.log == []


def test_a_state_that_went_away_does_not_hide_what_went_wrong_before() -> None:
    locks = Locks()
    with pytest.raises(Unavailable, match="The shop is down"), framed(locks, Runs(locks, gone=True)):
        raise Unavailable("The shop is down.")


def test_a_run_whose_end_cannot_be_recorded_has_failed() -> None:
    locks = Locks()
    with pytest.raises(Unavailable, match="The state went away"), framed(locks, Runs(locks, gone=True)):
        pass
    assert locks.log[-1] == "unlocked"


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=30))])
def test_times_are_kept_as_milliseconds_of_utc(zone: timezone) -> None:
    assert milliseconds(START.astimezone(zone) + timedelta(milliseconds=7)) == 1_795_262_400_007


@pytest.mark.parametrize(
    ("empty", "due", "confirmed", "refused"),
    [
        (True, 51, False, True),
        (True, 50, False, False),
        (True, 51, True, False),
        (False, 10_000, False, False),
        (True, 0, False, False),
    ],
)
def test_a_new_or_lost_ledger_is_never_taken_for_nothing_was_ever_sent(
    empty: bool, due: int, confirmed: bool, refused: bool
) -> None:
    arguments: dict[str, Any] = {"ledger_is_empty": empty, "due": due, "limit": 50, "confirmed": confirmed}
    if not refused:
        refuse_unknown_past(**arguments, flow="orders")
        return
    with pytest.raises(ConfigurationError) as caught:
        refuse_unknown_past(**arguments, flow="orders")
    assert (caught.value.code, caught.value.exit_code) == ("needs_baseline", 78)
    assert "The ledger of orders is empty and more than 50 records are due" in caught.value.message
    assert "--baseline" in caught.value.hint
    assert "--force" in caught.value.hint
