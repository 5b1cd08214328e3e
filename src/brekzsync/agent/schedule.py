"""When jobs run: each in a thread of its own, one run at a time, periodically with jitter, or when asked."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from brekzsync.agent.jobs import Job, Outcome
from brekzsync.agent.protocol import ProtocolError

_JITTER: Final = 0.1
_MOST_BACKOFF: Final = 3600.0
_FIRST_RUN_WITHIN: Final = 10.0
# A run that somebody stopped, or that came to its end, is followed by the next one in its turn.
_WELL: Final = ("done", "stopped", "switched_off")


class JobThread:
    """A job, when it runs next, and what is known of it."""

    def __init__(self, job: Job, logger: logging.Logger, chance: Callable[[], float] = random.random) -> None:
        self.job = job
        self._log = logger
        self._chance = chance
        self._lock = threading.Condition()
        self._stop = threading.Event()
        self._is_ending = False
        self._requested_by: str | None = None
        self._running_since: datetime | None = None
        self._failures = 0
        self._next_at: float | None = None
        self._last: dict[str, Any] | None = None
        self._last_done_at: str | None = None
        self._thread = threading.Thread(target=self._live, name=job.plan.name, daemon=True)

    def begin(self) -> None:
        """Start the schedule; the first run comes within seconds, for what an earlier agent left."""
        if self.job.plan.every is not None:
            self._next_at = time.monotonic() + min(self.job.plan.every, _FIRST_RUN_WITHIN) * self._chance()
        self._thread.start()

    def end(self) -> None:
        """Ask the run at work, if any, to stop, and begin no other."""
        with self._lock:
            self._is_ending = True
            self._stop.set()
            self._lock.notify()

    def join(self, seconds: float) -> bool:
        """Wait for the thread; whether it has ended."""
        if self._thread.ident is not None:
            self._thread.join(max(seconds, 0))
        return not self._thread.is_alive()

    def start(self) -> None:
        """Run now. Raises ProtocolError (``already_running``, ``stopping``)."""
        with self._lock:
            if self._is_ending:
                raise ProtocolError("stopping", "The agent is being stopped.")
            if self._running_since is not None or self._requested_by is not None:
                since = f" since {stamp(self._running_since)}" if self._running_since else ""
                raise ProtocolError("already_running", f"{self.job.plan.name} is at work{since}.")
            self._requested_by = "request"
            self._lock.notify()

    def stop(self) -> bool:
        """Ask the run at work to end after the document at hand; whether there was one."""
        with self._lock:
            is_at_work = self._running_since is not None or self._requested_by is not None
            if is_at_work:
                self._stop.set()
            return is_at_work

    def status(self) -> dict[str, Any]:
        """What `status` says of this job."""
        backlog = self.job.folder.backlog()
        with self._lock:
            return {
                "job": self.job.plan.name,
                "running": self._running_since is not None or self._requested_by is not None,
                "since": stamp(self._running_since),
                "stopping": self._running_since is not None and self._stop.is_set(),
                "next_run_in_seconds": self._seconds_to_next(),
                "last_run": self._last,
                "last_done_at": self._last_done_at,
                "failures_in_a_row": self._failures,
                "backlog": backlog,
            }

    def _seconds_to_next(self) -> int | None:
        if self._next_at is None or self._running_since is not None:
            return None
        return max(int(self._next_at - time.monotonic()), 0)

    # --- the thread -----------------------------------------------------------------------------------------

    def _live(self) -> None:
        while self._wait_for_turn():
            started = datetime.now(UTC)
            outcome = self.job.run(self._stop)
            self._note(started, outcome)

    def _wait_for_turn(self) -> bool:
        """Sleep until a run is due or asked for; False when the agent ends."""
        with self._lock:
            while not self._is_ending:
                left = None if self._next_at is None else self._next_at - time.monotonic()
                if self._requested_by is not None or (left is not None and left <= 0):
                    self._requested_by = None
                    self._running_since = datetime.now(UTC)
                    return True
                self._lock.wait(left)
            return False

    def _note(self, started: datetime, outcome: Outcome) -> None:
        ended = datetime.now(UTC)
        is_well = outcome.ending in _WELL
        level = logging.INFO if is_well else logging.WARNING
        counted = ", ".join(f"{count} {name}" for name, count in outcome.counts.items()) or "nothing to do"
        ended_as = f"run ended: {outcome.ending}, {counted}. {outcome.message}"
        self._log.log(level, "%s", ended_as.rstrip())
        with self._lock:
            self._failures = 0 if is_well else self._failures + 1
            self._last = {
                "started_at": stamp(started),
                "ended_at": stamp(ended),
                "outcome": outcome.ending,
                "message": outcome.message,
                "counts": outcome.counts,
            }
            if outcome.ending == "done":
                self._last_done_at = stamp(ended)
            self._running_since = None
            if not self._is_ending:
                self._stop.clear()
            pause = self._pause()
            self._next_at = None if pause is None else time.monotonic() + pause

    def _pause(self) -> float | None:
        """Seconds to the next run: longer with each failure in a row; None: only when asked."""
        every = self.job.plan.every
        if every is None:
            return None
        pause = min(every * float(2 ** min(self._failures, 16)), max(_MOST_BACKOFF, every))
        return pause * (1 + _JITTER * (2 * self._chance() - 1))


def stamp(at: datetime | None) -> str | None:
    """ISO 8601, UTC, whole seconds; null stays null."""
    return None if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
