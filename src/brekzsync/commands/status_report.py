"""How the state of the flows is shown: as a table with what needs attention below it, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from brekzsync.commands.flow_reports import enabling, switch_document, told
from brekzsync.commands.times import ago, moment, stamp
from brekzsync.domain.sync_flows import PARTIAL_RUN
from brekzsync.errors import BrekzsyncError

if TYPE_CHECKING:
    from brekzsync.commands.invocation import Invocation
    from brekzsync.flows.health import FlowHealth, RecordedRun

_COLUMNS = ("Flow", "Target", "Is", "Last run", "Last success", "Pending", "Failed")


def show(invocation: Invocation, flows: Sequence[FlowHealth]) -> None:
    console = invocation.console
    console.table("Flows", _COLUMNS, [_row(one) for one in flows])
    for one in flows:
        for line in _remarks(one, invocation):
            console.output(f"{_name(one)}: {line}")


def _row(one: FlowHealth) -> tuple[object, ...]:
    return (
        one.flow.name,
        one.target,
        _is(one),
        "never" if one.last_run is None else _told_run(one.last_run, one),
        "never" if one.last_success_at is None else ago(one.last_success_at, one.now),
        one.backlog["pending"],
        one.backlog["failed"],
    )


def _is(one: FlowHealth) -> str:
    words = ["on" if one.is_enabled else "off"]
    words += ["at work"] if one.is_at_work else []
    words += ["overdue"] if one.overdue else []
    if not one.is_used:
        words.append("not used")
    elif not one.is_configured:
        words.append("not configured")
    return ", ".join(words)


def _told_run(run: RecordedRun, one: FlowHealth) -> str:
    """When it began, whether it was for chosen records only, and how it ended."""
    when = ago(run.started_at, one.now) + (", chosen IDs" if run.command.endswith(PARTIAL_RUN) else "")
    if run.status == "running":
        return f"{when}: at work"
    ending = run.status if run.status != "failed" else f"failed ({run.error_code})"
    return f"{when}: {ending}" + (f", {run.counts['delivered']} {one.flow.done}" if run.counts else "")


def _remarks(one: FlowHealth, invocation: Invocation) -> list[str]:
    """What a table has no room for: who is at work, why it is off, what ended the last run."""
    lines = []
    if one.is_at_work:
        run = one.run_at_work
        who = "" if run is None else f" ({run.name} on {run.host}, since {moment(run.started_at)})"
        lines.append(f"a run is at work{who}.")
    if one.switch is not None and not one.is_enabled:
        enable = enabling(invocation, one.flow.name, one.target)
        lines.append(f"switched off {told(one.switch)}; switch it on: {enable}")
    if one.last_run is not None and one.last_run.error_message:
        lines.append(f"the last run ({one.last_run.name}) ended with: {one.last_run.error_message}")
    return lines


def _name(one: FlowHealth) -> str:
    return f"{one.flow.name} → {one.target}"


def overdue_error(invocation: Invocation, flows: Sequence[FlowHealth]) -> BrekzsyncError | None:
    """What exit code 3 is about, None when nothing is overdue."""
    overdue = [one for one in flows if one.overdue]
    if not overdue:
        return None
    return BrekzsyncError(
        " ".join(f"{_name(one)} is overdue: {_why(one)}." for one in overdue),
        hint=f"See what a run says: `{invocation.typed(overdue[0].flow.command)}`. If it is well, cron does not start"
        " it: look at its entry and its mail.",
        code="overdue",
    )


def _why(one: FlowHealth) -> str:
    from brekzsync.settings.durations import format_duration

    limit = f"more than the {format_duration(one.overdue_after)} it may take"
    if one.run_at_work is not None:
        return f"the run at work began {ago(one.run_at_work.started_at, one.now)}, {limit}"
    if one.last_success_at is None:
        return "no run of the whole flow ever came to its end"
    return f"its last whole run came to its end {ago(one.last_success_at, one.now)}, {limit}"


def document(flows: Sequence[FlowHealth], error: BrekzsyncError | None) -> dict[str, Any]:
    from brekzsync.console import failure

    overdue = [
        {"flow": one.flow.name, "target": one.target, "reason": str(one.overdue), "message": f"{_why(one)}."}
        for one in flows
        if one.overdue
    ]
    made: dict[str, Any] = {"flows": [_flow_document(one) for one in flows], "overdue": overdue}
    return made | ({"error": failure(error)} if error else {})


def _flow_document(one: FlowHealth) -> dict[str, Any]:
    at_work = one.run_at_work
    return {
        "flow": one.flow.name,
        "target": one.target,
        "command": one.flow.command,
        "used": one.is_used,
        "configured": one.is_configured,
        **switch_document(one.switch),
        "last_run": None if one.last_run is None else _run_document(one.last_run),
        "last_success_at": stamp(one.last_success_at),
        "age_seconds": None if one.age is None else int(one.age.total_seconds()),
        "backlog": dict(one.backlog),
        "lock": {
            "held": one.is_at_work,
            "run_id": None if at_work is None else at_work.name,
            "host": None if at_work is None else at_work.host,
            "since": None if at_work is None else stamp(at_work.started_at),
        },
        "overdue": one.overdue is not None,
        "overdue_after_seconds": int(one.overdue_after.total_seconds()),
    }


def _run_document(run: RecordedRun) -> dict[str, Any]:
    error = {"code": run.error_code, "message": run.error_message} if run.error_code else None
    return {
        "run_id": run.name,
        "command": run.command,
        "status": run.status,
        "started_at": stamp(run.started_at),
        "finished_at": stamp(run.finished_at),
        "counts": run.counts,
        "reasons": run.reasons,
        "error": error,
    }
