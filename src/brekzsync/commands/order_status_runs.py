"""A run that tells the marketplace of order statuses, or asks it: what both commands have in common around it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from brekzsync.commands.invocation import Invocation
from brekzsync.commands.order_status_reports import (
    FLOW,
    LABEL,
    PUSH,
    Asked,
    StatusReport,
    document,
    show,
    title,
)
from brekzsync.commands.target_runs import daily_summary, remembering, switch_if_off, tell_of_new_state

if TYPE_CHECKING:
    from brekzsync.domain.sync_flows import FlowSwitch
    from brekzsync.flows.order_status.run import StatusFlow, StatusOutcome
    from brekzsync.state.database import State

Progress = Callable[[int | None], AbstractContextManager[Callable[[int], None]]]


def run(
    invocation: Invocation, asked: Asked, execute: Callable[[StatusFlow, Progress], StatusOutcome]
) -> int:
    """Do it and show what it came to; the exit code."""

    if invocation.settings.marketplace.dry_run:
        asked = asked._replace(dry_run=True)
    report = _report(invocation, asked, execute)
    show(invocation, report)
    payload = document(report)
    invocation.console.document(asked.command, "error" not in payload, payload)
    return 3 if "error" in payload else 0


def _report(
    invocation: Invocation, asked: Asked, execute: Callable[[StatusFlow, Progress], StatusOutcome]
) -> StatusReport:
    from brekzsync.bootstrap.state import state_of
    from brekzsync.flows.order_status.run import nothing_done

    settings = invocation.settings
    if not settings.marketplace.is_in_use:
        return StatusReport(asked, nothing_done(), [], is_configured=False)
    with state_of(settings, writes=not asked.dry_run) as state:
        if state.created:
            tell_of_new_state(
                invocation,
                "the marketplace counts as told of nothing",
                f"brekzsync {PUSH} --baseline takes all orders as they are for told",
            )
        off = switch_if_off(state, FLOW.name, FLOW.own_target)
        if off and not asked.dry_run:
            return StatusReport(asked, nothing_done(), [], off)
        return _run(invocation, asked, state, off, execute)


def _run(
    invocation: Invocation,
    asked: Asked,
    state: State,
    off: FlowSwitch | None,
    execute: Callable[[StatusFlow, Progress], StatusOutcome],
) -> StatusReport:
    from brekzsync.bootstrap.order_status import order_status_flow

    console, settings = invocation.console, invocation.settings

    def work() -> StatusOutcome:
        with order_status_flow(settings, state) as flow:
            return execute(flow, lambda total: console.progress(title(asked), total))

    outcome = remembering(invocation, state.runs, FLOW.name, FLOW.own_target, work, command=asked.command)
    lines = _cron_lines(asked, state, outcome) if console.is_cron and not asked.dry_run else []
    return StatusReport(asked, outcome, lines, off, by_configuration=settings.marketplace.dry_run)


def _cron_lines(asked: Asked, state: State, outcome: StatusOutcome) -> list[str]:
    """What failed anew, unless people were mailed of it, and once a day that all goes on."""
    from brekzsync.bootstrap.state import utc_now
    from brekzsync.flows.cron_report import new_failures

    target, tally = FLOW.own_target, outcome.tally
    lines = [] if outcome.is_mailed else new_failures(LABEL, target, tally)
    if asked.command == PUSH:
        lines += daily_summary(state.runs, LABEL, FLOW.name, target, outcome.run, tally, utc_now())
    return lines
