"""Whether a flow does its work: switched on, and never silent for too long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from brekzsync.domain.sync_flows import FlowSwitch, SyncFlow


class RecordedRun(Protocol):
    """A run as the state remembers it; ``status`` is running, done, failed or interrupted."""

    @property
    def name(self) -> str: ...
    @property
    def command(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def finished_at(self) -> datetime | None: ...
    @property
    def error_code(self) -> str | None: ...
    @property
    def error_message(self) -> str | None: ...
    @property
    def counts(self) -> dict[str, int]: ...
    @property
    def reasons(self) -> dict[str, int]: ...


class Overdue(StrEnum):
    """Why a flow counts as overdue."""

    NEVER = "never"  # no run of it ever came to its end
    SILENT = "silent"  # none has for too long
    STUCK = "stuck"  # the run at work has been at it for too long


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowHealth:
    """One flow and target as ``now`` finds them. ``backlog`` counts what waits and what failed.

    ``is_at_work`` is what the lock says; ``last_run`` is then the run that holds it, once it is on record.
    ``is_configured``: the configuration says anything of it.
    """

    flow: SyncFlow
    target: str
    switch: FlowSwitch | None
    last_run: RecordedRun | None
    last_success_at: datetime | None
    is_at_work: bool
    backlog: Mapping[str, int]
    overdue_after: timedelta
    now: datetime
    is_configured: bool = True

    @property
    def is_enabled(self) -> bool:
        return self.switch is None or self.switch.is_enabled

    @property
    def is_used(self) -> bool:
        """Whether anybody began with it."""
        return not self.flow.may_be_unused or self.last_run is not None or any(self.backlog.values())

    @property
    def run_at_work(self) -> RecordedRun | None:
        """The run that holds the lock, None when none does or it is not on record yet."""
        run = self.last_run
        return run if self.is_at_work and run is not None and run.status == "running" else None

    @property
    def age(self) -> timedelta | None:
        """How long ago a run last came to its end."""
        return None if self.last_success_at is None else self.now - self.last_success_at

    @property
    def overdue(self) -> Overdue | None:
        """Why it is overdue, None when it is not, or is switched off, not configured or not used at all.

        A run that failed for some records came to its end. A flow that was off until a moment ago has as
        long as any other to run again.
        """
        if not (self.is_enabled and self.is_configured and self.is_used):
            return None
        if self.is_at_work:
            run = self.run_at_work
            return Overdue.STUCK if run is not None and self._is_long_ago(run.started_at) else None
        if self.last_success_at is None:
            return Overdue.NEVER
        since = self.last_success_at if self.switch is None else max(self.last_success_at, self.switch.at)
        return Overdue.SILENT if self._is_long_ago(since) else None

    def _is_long_ago(self, at: datetime) -> bool:
        return self.now - at > self.overdue_after
