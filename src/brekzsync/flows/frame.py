"""The frame around every run: one at a time per flow and target, on record from its first to its last moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeVar

from brekzsync.errors import BrekzsyncError, ConfigurationError, Interrupted
from brekzsync.flows.ports import Clock


@dataclass(slots=True)
class OpenRun:
    """A run at work. What it found is filled in on the way and recorded at its end, however it ends."""

    id: int
    name: str
    verify_lock: Callable[[], None] = lambda: None
    counts: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    output: str | None = None
    failures: bytes | None = None


class RunHandle(Protocol):
    """What the state gives for an opened run."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...


Handle = TypeVar("Handle", bound=RunHandle)


class Runs(Protocol[Handle]):
    """The record of runs; times are aware."""

    def open(self, flow: str, target: str, command: str, at: datetime) -> Handle: ...

    def mark_dead(self, flow: str, target: str, at: datetime) -> int:
        """Runs still open though nobody holds their lock were killed: say so."""

    def had_baseline(self, flow: str, target: str) -> bool:
        """Whether somebody once had all there was taken as known, be it nothing."""

    def finish(
        self,
        handle: Handle,
        status: Literal["done", "failed", "interrupted"],
        *,
        at: datetime,
        counts: Mapping[str, int] | None,
        reasons: Mapping[str, int] | None,
        output: str | None,
        failures: bytes | None,
        error_code: str | None,
        error_message: str | None,
    ) -> None: ...


class HeldLock(Protocol):
    """A lock this process took."""

    def verify(self) -> None:
        """Raises Unavailable when it was lost, as with the session that held it."""


class Locks(Protocol):
    """Locks that hold across processes and hosts sharing the state, and end with their holder."""

    def hold(self, flow: str, target: str) -> AbstractContextManager[HeldLock]:
        """Raises LockHeld when another run has it."""


def milliseconds(moment: datetime) -> int:
    """An aware time as the state keeps it."""
    return int(moment.timestamp() * 1000)


@contextmanager
def run(
    locks: Locks, runs: Runs[Handle], *, flow: str, target: str, command: str, clock: Clock
) -> Iterator[OpenRun]:
    """Hold the flow's lock and keep its run on record. Raises LockHeld when another run is at work."""
    with locks.hold(flow, target) as lock:
        now = clock()
        runs.mark_dead(flow, target, now)
        with recorded(runs, flow=flow, target=target, command=command, clock=clock, at=now) as opened:
            opened.verify_lock = lock.verify
            yield opened


@contextmanager
def recorded(
    runs: Runs[Handle], *, flow: str, target: str, command: str, clock: Clock, at: datetime | None = None
) -> Iterator[OpenRun]:
    """Keep a run on record, from ``at`` or now on; without a lock, where others of its flow need not wait."""
    handle = runs.open(flow, target, command, at or clock())
    opened = OpenRun(handle.id, handle.name)
    try:
        yield opened
    except BaseException as error:
        _close(runs, handle, opened, clock, error)
        raise
    _close(runs, handle, opened, clock, None)


def error_code(error: BaseException) -> str:
    """The stable code of what ended a run, as it is recorded and compared with the run before."""
    if isinstance(error, BrekzsyncError):
        return error.code
    return Interrupted.default_code if isinstance(error, KeyboardInterrupt) else "unexpected"


def _close(
    runs: Runs[Handle], handle: Handle, opened: OpenRun, clock: Clock, error: BaseException | None
) -> None:
    interrupted = isinstance(error, Interrupted | KeyboardInterrupt)
    message = error.message if isinstance(error, BrekzsyncError) else None
    try:
        runs.finish(
            handle,
            "done" if error is None else "interrupted" if interrupted else "failed",
            at=clock(),
            counts=opened.counts,
            reasons=opened.reasons,
            output=opened.output,
            failures=opened.failures,
            error_code=None if error is None else error_code(error),
            error_message=message,
        )
    except BrekzsyncError:
        if error is None:  # the state went away: a failure of its own
            raise


BASELINE_OR_FORCE = (
    "Run it once with --baseline (deliver nothing, take what is there as known) or --force (deliver all)."
)


def refuse_unknown_past(
    *,
    ledger_is_empty: bool,
    due: int,
    limit: int,
    confirmed: bool,
    flow: str,
    hint: str = BASELINE_OR_FORCE,
) -> None:
    """A new or lost ledger is never taken for "nothing was ever sent".

    For flows whose records must not be delivered twice. Raises ConfigurationError (``needs_baseline``) when
    the ledger is empty, more than ``limit`` records are due, and nobody ``confirmed`` what to do. ``due`` need
    not be counted further than that.
    """
    if ledger_is_empty and due > limit and not confirmed:
        raise ConfigurationError(
            f"The ledger of {flow} is empty and more than {limit} records are due:"
            " is this a first run, or was the state lost?",
            hint=hint,
            code="needs_baseline",
        )
