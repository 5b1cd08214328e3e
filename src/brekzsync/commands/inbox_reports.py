"""How the inbox is shown: for people, as JSON, as lines for cron's mail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from brekzsync.commands.invocation import Invocation
from brekzsync.commands.times import moment, stamp

if TYPE_CHECKING:
    from brekzsync.bootstrap.inbox_looks import InboxBacklog
    from brekzsync.errors import BrekzsyncError
    from brekzsync.flows.inbox.outcome import Failure, InboxOutcome, InboxRequest, SourceReport
    from brekzsync.state.inbox import Shed


class ProcessReport(NamedTuple):
    """What a run came to; ``dead`` counts all dead webhooks there are, ``sheds`` are those that began since the run
    before, ``known`` are the reasons that run recorded."""

    outcome: InboxOutcome
    dead: int
    sheds: Sequence[Shed]
    known: frozenset[str]


# --- processing --------------------------------------------------------------------------------------------


def show_idle(invocation: Invocation, request: InboxRequest, why: str) -> int:
    """Nothing could be processed, and nothing is wrong."""
    from brekzsync.flows.inbox.outcome import InboxOutcome

    invocation.console.notice(why)
    document = _process_document(ProcessReport(InboxOutcome(), 0, (), frozenset()), request)
    invocation.console.document("inbox process", True, document)
    return 0


def show_processed(invocation: Invocation, report: ProcessReport, request: InboxRequest) -> int:
    """The exit code. Raises what stopped the asking of a source, or a guard, when all else is told."""
    from brekzsync.flows.inbox.process import worst_of

    console, outcome = invocation.console, report.outcome
    for line in _cron_lines(report):
        console.cron_report(line)
    if not console.is_silent:
        _show(invocation, report, request)
    trouble = worst_of(outcome.troubles)
    document = _process_document(report, request)
    if trouble is not None:
        _raise(invocation, trouble, report, document)
    failed = outcome.counts()["failed"] + outcome.not_written
    if failed:
        document["error"] = _records_failed(invocation, report)
    console.document("inbox process", not failed, document)
    return 3 if failed else 0


def _raise(
    invocation: Invocation, trouble: BrekzsyncError, report: ProcessReport, document: dict[str, Any]
) -> NoReturn:
    from brekzsync.console import failure

    invocation.is_known_failure = trouble.code in report.known
    invocation.console.document("inbox process", False, document | {"error": failure(trouble)})
    raise trouble


def _records_failed(invocation: Invocation, report: ProcessReport) -> dict[str, str]:
    outcome = report.outcome
    failed, dead = outcome.total("failed"), outcome.total("dead")
    parts = [f"{failed} records failed and are tried again"] if failed else []
    parts += [f"{dead} are dead"] if dead else []
    parts += [f"{outcome.not_written} figures could not be written"] if outcome.not_written else []
    return {
        "code": "records_failed",
        "message": f"{', '.join(parts)}.",
        "hint": f"`{invocation.typed('inbox list --status dead')}` shows what a person must look at.",
    }


def _process_document(report: ProcessReport, request: InboxRequest) -> dict[str, Any]:
    outcome = report.outcome
    return {
        "run_id": outcome.run_name,
        "dry_run": request.dry_run,
        "counts": outcome.counts(),
        "reasons": outcome.reasons(),
        "output": None,
        "deliveries": outcome.total("deliveries"),
        "codes": outcome.codes,
        "sources": [_source_document(one) for one in outcome.sources.values()],
        "failures": [_failure_document(one) for one in outcome.failures],
        "compared_everything": outcome.compared_all,
        "everything_waits_until": stamp(outcome.all_waits_until),
        "sheds": {
            "open": outcome.sheds_open,
            "waiting": outcome.sheds_waiting,
            "compared": outcome.sheds_compared,
        },
        "dead": report.dead,
    }


def _source_document(one: SourceReport) -> dict[str, Any]:
    from brekzsync.console import failure

    return {
        "source": one.source,
        "records": one.records,
        "deliveries": one.deliveries,
        "done": one.done,
        "compared_with_everything": one.with_all,
        "not_about_stock": one.not_stock,
        "failed": one.failed,
        "dead": one.dead,
        "left": one.left,
        "later": one.later or None,
        "error": None if one.trouble is None else failure(one.trouble),
    }


def _failure_document(one: Failure) -> dict[str, Any]:
    again = stamp(one.again_at)
    return {"source": one.source, "record": one.record, "message": one.message, "next_attempt_at": again}


def _cron_lines(report: ProcessReport) -> list[str]:
    """New dead letters and new floods; all else is told by the error a run ends with."""
    outcome, lines = report.outcome, []
    if dead := outcome.total("dead"):
        waits = "waits" if dead == 1 else "wait"
        lines.append(f"inbox: {counted(dead, 'record')} failed too often and {waits} for a person.")
        lines += [
            f"  {one.source} {one.record or '(no item named)'}: {one.message}"
            for one in outcome.failures
            if one.again_at is None
        ]
    lines += [f"inbox: {_told_shed(one)}" for one in reversed(report.sheds)]
    return lines


def _told_shed(one: Shed) -> str:
    why = "too many at once" if one.reason == "rate" else "too many unprocessed"
    until = "and still is" if one.closed_at is None else f"until {moment(one.closed_at)}"
    return (
        f"{one.source} was told to wait ({why}) from {moment(one.opened_at)} {until}; {one.refused} webhooks were"
        " refused. Everything is compared once after that."
    )


def _show(invocation: Invocation, report: ProcessReport, request: InboxRequest) -> None:
    console, outcome = invocation.console, report.outcome
    title = f"Inbox{' (dry run: nothing written)' if request.dry_run else ''}"
    if not outcome.sources:
        console.notice(f"{title}: nothing is due.")
    elif console.verbosity >= 0:
        columns = ["Source", "Webhooks", "Records", "Done", "Failed", "Dead", "Left"]
        rows = [
            (one.source, one.deliveries, one.records, one.done, one.failed, one.dead, one.left)
            for one in outcome.sources.values()
        ]
        console.table(title, columns, rows)
    if outcome.failures:
        console.table(
            "Failed",
            ["Source", "Record", "Again (UTC)", "What to do"],
            [
                (
                    one.source,
                    one.record,
                    f"{one.again_at:%m-%d %H:%M}" if one.again_at else "dead",
                    one.message,
                )
                for one in outcome.failures
            ],
        )
    for line in _remarks(invocation, report, request):
        console.notice(line)


def _remarks(invocation: Invocation, report: ProcessReport, request: InboxRequest) -> list[str]:
    outcome = report.outcome
    lines = [f"{one.source}: {one.later}." for one in outcome.sources.values() if one.later]
    lines += [
        f"{count} left alone: {name.replace('_', ' ')}." for name, count in outcome.left_alone.most_common()
    ]
    if outcome.compared_all:
        floods = f", {counted(outcome.sheds_compared, 'flood')} settled" if outcome.sheds_compared else ""
        lines.append(f"{'Would compare' if request.dry_run else 'Compared'} everything{floods}.")
    elif outcome.all_waits_until is not None:
        lines.append(
            f"Some tell no item: everything is compared at {moment(outcome.all_waits_until)} at the earliest"
            " ([inbox] compare_all_every)."
        )
    lines += [_told_shed(one) for one in report.sheds if one.closed_at is None]
    if report.dead:
        dead = invocation.typed("inbox list --status dead")
        lines.append(
            f"{counted(report.dead, 'webhook')} dead: {dead} shows them, inbox replay --dead tries again."
        )
    elif request.dry_run and outcome.total("done"):
        lines.append("Next: the same command without --dry-run.")
    return lines


# --- how much waits ----------------------------------------------------------------------------------------


def show_backlog(invocation: Invocation, backlog: InboxBacklog | None) -> None:
    """A line below the flows; none where nothing ever came."""
    if backlog is None:
        return
    dead = sum(backlog.dead.values())
    waiting = counted(sum(backlog.waiting.values()), "webhook")
    more = f", {dead} dead: {invocation.typed('inbox list --status dead')}" if dead else "."
    invocation.console.output(f"inbox: {waiting} waiting to be processed{more}")


def backlog_document(backlog: InboxBacklog | None) -> dict[str, Any]:
    """What the inbox adds to a document, where there is one."""
    return {} if backlog is None else {"inbox": backlog._asdict()}


def counted(count: int, noun: str) -> str:
    """``1 webhook``, ``2 webhooks``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
