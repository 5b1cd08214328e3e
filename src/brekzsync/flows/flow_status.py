"""Ask the state how a flow is: its switch, its runs, its lock, its backlog."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from brekzsync.domain.sync_flows import FlowSwitch, SyncFlow
from brekzsync.flows.health import FlowHealth, RecordedRun


class Run(RecordedRun, Protocol):
    """A run of the state's record."""

    @property
    def if_dead(self) -> RecordedRun:
        """The same run, told as one that was killed."""


class Runs(Protocol):
    """The record of runs."""

    def latest(self, flow: str, target: str) -> Run | None: ...

    def last_success(self, flow: str, target: str, *, command: str = "") -> Run | None: ...


class Locks(Protocol):
    """The locks of the flows."""

    def is_held(self, flow: str, target: str) -> bool: ...


class Switches(Protocol):
    """Which flows are switched on."""

    def find(self, flow: str, target: str) -> FlowSwitch | None: ...


class SyncLog(Protocol):
    """The ledgers as the logs tell them."""

    def backlog(self, flow: str, target: str) -> Mapping[str, int]: ...


class FlowState(Protocol):
    """The state database."""

    @property
    def runs(self) -> Runs: ...
    @property
    def locks(self) -> Locks: ...
    @property
    def switches(self) -> Switches: ...
    @property
    def sync_log(self) -> SyncLog: ...


def health(
    state: FlowState,
    flow: SyncFlow,
    target: str,
    *,
    is_configured: bool = True,
    overdue_after: timedelta,
    now: datetime,
) -> FlowHealth:
    """How this flow to this target is; nothing is written and no lock is taken from anyone."""
    last_run, is_at_work = _last_run(state, flow.name, target)
    success = state.runs.last_success(flow.name, target, command=flow.command if flow.own_target else "")
    return FlowHealth(
        flow=flow,
        target=target,
        is_configured=is_configured,
        switch=state.switches.find(flow.name, target),
        last_run=last_run,
        last_success_at=None if success is None else success.finished_at,
        is_at_work=is_at_work,
        backlog=state.sync_log.backlog(flow.name, target),
        overdue_after=overdue_after,
        now=now,
    )


def _last_run(state: FlowState, flow: str, target: str) -> tuple[RecordedRun | None, bool]:
    """The run that started last, and whether its lock is held.

    A run on record as running whose lock is free was killed, or has ended since it was read: so it is read
    again.
    """
    run = state.runs.latest(flow, target)
    is_held = state.locks.is_held(flow, target)
    if is_held or run is None or run.status != "running":
        return run, is_held
    again = state.runs.latest(flow, target)
    if again is None or again.status != "running":
        return again, False
    if again.name != run.name:  # another one has begun
        return again, True
    return again.if_dead, False
