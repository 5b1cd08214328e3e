"""``brekzsync logs``: what became of every record, what to try again, and what to forget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from brekzsync.commands.ids import complete_logged_keys
from brekzsync.commands.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from datetime import timedelta

    from brekzsync.console import Console
    from brekzsync.domain.log_records import LogQuery, LogRecord

TYPES = ("inventory", "product", "order", "refund", "shipment")
STATUSES = ("pending", "synced", "failed")

Command = TypeVar("Command", bound=Callable[..., Any])


@click.group(epilog="Example: brekzsync logs list --status failed")
def logs() -> None:
    """Look up what became of every record."""


def _duration(ctx: click.Context, param: click.Parameter, value: str | None) -> timedelta | None:
    if value is None or ctx.resilient_parsing:
        return None
    from brekzsync.settings.durations import parse_duration

    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", ctx, param) from None


def _of_kind(command: Command) -> Command:
    """The filters every command takes."""
    command = click.option("--target", metavar="NAME", help="Only this one of several targets.")(command)
    return click.option("--type", "log_type", type=click.Choice(TYPES), help="Only this kind of record.")(
        command
    )


def _filtered(command: Command) -> Command:
    """The filters of what lists records."""
    command = click.option(
        "--search",
        metavar="TEXT",
        help="Only what holds this: a key, or any part of the item (code, EAN, …), order or message.",
    )(command)
    command = click.option(
        "--since", metavar="AGE", callback=_duration, help="Only what was updated since: 30m, 2h, 7d."
    )(command)
    command = click.option("--status", type=click.Choice(STATUSES), help="Only records of this status.")(
        command
    )
    return _of_kind(command)


@logs.command("list", epilog="Example: brekzsync logs list --type product --since 2h")
@_filtered
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, metavar="N", help="At most N."
)
@click.option("--after", "cursor", metavar="CURSOR", help="The page behind this: what `next` said.")
@pass_invocation
def list_records(invocation: Invocation, /, limit: int, cursor: str | None, **filters: Any) -> None:
    """List records, last updated first, with what became of each.

    pending: it waits, and the reason says for what. synced: the target acknowledged it. failed: the reason
    and message say what to mend.
    """
    from brekzsync.bootstrap.logs import sync_logs
    from brekzsync.commands.log_reports import record_document, show_page

    query = _query(**filters)
    with sync_logs(invocation.settings, query.target) as opened:
        page = opened.page(query, cursor, limit)
    filters_typed = _words(filters, limit=None if limit == 50 else limit)
    show_page(invocation, page, filters_typed, is_first=cursor is None)
    document = {"records": [record_document(record) for record in page.records], "next": page.next}
    invocation.console.document("logs list", True, document)


@logs.command(epilog="Example: brekzsync logs show 1-101")
@click.argument("key", metavar="KEY", shell_complete=complete_logged_keys)
@_of_kind
@pass_invocation
def show(invocation: Invocation, /, key: str, **filters: Any) -> None:
    """Show everything about one record.

    Its status, the version that was acknowledged, those handed out, and the attempts that failed. KEY is a
    combination key (12-34), a product id (12: all its combinations), or the id of an order or a refund (12).
    All that fit are shown, a product beside its stock, an order beside its shipment; --type says which is meant.
    """
    from brekzsync.bootstrap.logs import sync_logs
    from brekzsync.commands.log_details import details_document, show_details

    query = _query(**filters)
    with sync_logs(invocation.settings, query.target) as opened:
        found = opened.details(query, key)
    for details in found:
        show_details(invocation.console, details)
    invocation.console.document("logs show", True, {"records": [details_document(one) for one in found]})


@logs.command(epilog="Example: brekzsync logs retry --status failed --dry-run")
@click.argument("keys", nargs=-1, metavar="[KEY]...", shell_complete=complete_logged_keys)
@click.option("--status", type=click.Choice(("pending", "failed")), help="Only records of this status.")
@_of_kind
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be retried; write nothing.")
@pass_invocation
def retry(invocation: Invocation, /, keys: tuple[str, ...], dry_run: bool, **filters: Any) -> None:
    """Let the next run try again what was rejected and waits.

    KEYs are combination keys (12-34), product ids or ids of orders, refunds and shipments (12: all that fit, or
    what --type says); none means all that failed and wait, and order statuses that were given up. A record that
    fails by its own data is tried by every run: it needs mending, and is shown with what to mend.
    """
    from brekzsync.bootstrap.logs import retry_records
    from brekzsync.commands.log_reports import retry_document, show_retry

    report = retry_records(invocation.settings, _query(**filters), keys, dry_run=dry_run)
    show_retry(invocation, report, dry_run=dry_run)
    invocation.console.document("logs retry", True, {"dry_run": dry_run, **retry_document(report)})


@logs.command(epilog="Example: brekzsync logs export --status failed")
@click.option("--format", "form", type=click.Choice(("csv", "json")), help="[default: csv; json with --json]")
@_filtered
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write it there [default: stdout]."
)
@pass_invocation
def export(invocation: Invocation, /, form: str | None, output: Path | None, **filters: Any) -> None:
    """Export records, in the order of their keys, as CSV or JSON.

    A file appears whole or not at all. Values a spreadsheet would take for a formula begin with '.
    """
    from brekzsync.bootstrap.logs import sync_logs
    from brekzsync.commands.log_files import written

    console = invocation.console
    output = None if output == Path("-") else output
    form = form or ("json" if console.is_json else "csv")
    if console.is_json and form == "csv" and output is None:
        raise click.UsageError("--json has one document on stdout: give CSV a file with --output.")
    query = _query(**filters)
    with sync_logs(invocation.settings, query.target) as opened:
        if output is None:
            _print(console, opened.stream(query), form)
            return
        count = written(opened.stream(query), form, output)
    console.notice(f"Wrote {count} {'record' if count == 1 else 'records'} to {output}.")
    console.document("logs export", True, {"output": str(output), "format": form, "exported": count})


def _print(console: Console, records: Iterator[LogRecord], form: str) -> None:
    """JSON asked for on stdout is the document of ``--json``, also where that was not given."""
    from brekzsync.commands.log_files import csv_rows
    from brekzsync.commands.log_reports import record_document

    if form == "csv":
        for row in csv_rows(records):
            console.output(row)
        return
    console.is_json = True
    with console.long_document("logs export", "records") as document:
        for record in records:
            document.add(record_document(record))
        document.finish(True, {})


@logs.command(epilog="Example: brekzsync logs prune --older-than 90d --dry-run")
@click.option(
    "--older-than", metavar="AGE", callback=_duration, help="Forget what is older [default: log.keep]."
)
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be forgotten; write nothing.")
@pass_invocation
def prune(invocation: Invocation, older_than: timedelta | None, dry_run: bool) -> None:
    """Forget old attempts, old runs, old webhooks, and records deleted long ago.

    Never what a target acknowledged, nor the last run of a flow, nor a webhook that waits.
    """
    from brekzsync.bootstrap.inbox_looks import prune_inbox
    from brekzsync.bootstrap.logs import prune_logs, since
    from brekzsync.commands.log_reports import show_pruned
    from brekzsync.settings.durations import format_duration

    age = invocation.settings.log.keep if older_than is None else older_than
    pruned = prune_logs(invocation.settings, age, dry_run=dry_run)
    webhooks = prune_inbox(invocation.settings, since(age), dry_run=dry_run)
    show_pruned(invocation.console, pruned, webhooks, format_duration(age), dry_run=dry_run)
    forgotten = {**pruned._asdict(), "webhooks": webhooks}
    document = {"dry_run": dry_run, "older_than": format_duration(age), "pruned": forgotten}
    invocation.console.document("logs prune", True, document)


def _query(
    log_type: str | None = None,
    target: str | None = None,
    status: str | None = None,
    since: timedelta | None = None,
    search: str | None = None,
) -> LogQuery:
    from brekzsync.bootstrap.logs import since as moment_since
    from brekzsync.domain.log_records import LogQuery, LogStatus
    from brekzsync.domain.sync_flows import LogType

    return LogQuery(
        log_type=LogType(log_type) if log_type else None,
        target=target,
        status=LogStatus(status) if status else None,
        since=None if since is None else moment_since(since),
        search=search or None,
    )


def _words(filters: dict[str, Any], *, limit: int | None) -> list[str]:
    """The filters as they would be typed again."""
    from brekzsync.settings.durations import format_duration

    given = {"type" if name == "log_type" else name: value for name, value in filters.items()}
    if given.get("since") is not None:
        given["since"] = format_duration(given["since"])
    given["limit"] = limit
    return [word for name, value in given.items() if value for word in (f"--{name}", str(value))]
