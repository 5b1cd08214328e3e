"""How the logs are shown: as tables for people, as JSON for programs."""

from __future__ import annotations

import shlex
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from brekzsync.commands.invocation import Invocation
from brekzsync.commands.times import stamp

if TYPE_CHECKING:
    from brekzsync.console import Console, Tone
    from brekzsync.domain.log_records import LogKey, LogRecord, LogRow, Told
    from brekzsync.flows.log_retry import RetryReport
    from brekzsync.flows.sync_logs import Page
    from brekzsync.state.pruning import Pruned

TONES: dict[str, Tone] = {"synced": "good", "pending": "neutral", "failed": "bad"}
_WIDE = 120
_VERY_WIDE = 160


def at(milliseconds: int | None) -> datetime | None:
    """A time as the state keeps it."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def record_document(record: LogRecord) -> dict[str, Any]:
    """A record as JSON and CSV hold it; the keys and their order are a contract."""
    told = record.told
    return {
        "type": str(record.log_type),
        "info": record.info,
        "key": record.key,
        "status": str(told.status),
        "reason": told.reason,
        "message": told.message,
        "attempts": told.attempts,
        "created_at": stamp(at(told.created_at)),
        "synced_at": stamp(at(told.synced_at)),
        "updated_at": stamp(at(told.updated_at)),
        "next_attempt_at": stamp(at(told.next_attempt_at)),
        "target": record.target,
        "flow": record.flow,
    }


def status_text(told: Told) -> str:
    """``failed: missing_price``."""
    return f"{told.status}: {told.reason}" if told.reason else str(told.status)


def tone(told: Told) -> Tone:
    """A message on what is in sync is something to look at."""
    return "neutral" if told.status == "synced" and told.message else TONES[told.status]


def named(flow: str, key: str) -> str:
    """A record in a sentence: ``12-34`` is a product, but ``order 12`` and ``stock 12-34``."""
    return key if flow == "product" else f"{flow.replace('_', ' ')} {key}"


def minute(milliseconds: int | None) -> str:
    """UTC to the minute, for a column that says so."""
    moment = at(milliseconds)
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def show_page(invocation: Invocation, page: Page, filters: list[str], *, is_first: bool) -> None:
    """A table as wide as the terminal allows, and how to go on; ``filters`` are the options as typed."""
    console = invocation.console
    if not page.records:
        console.notice(
            "Nothing in the logs fits that."
            if filters or not is_first
            else "The logs are empty: a record comes into them when it is first sent or fails."
        )
        return
    mixed = "--target" not in filters and len(invocation.settings.target_names()) > 1
    columns = _columns(page.records, shutil.get_terminal_size().columns, targets_are_mixed=mixed)
    rows = [[columns[name](record) for name in columns] for record in page.records]
    tones = {status_text(record.told): tone(record.told) for record in page.records}
    console.table("Sync logs", list(columns), rows, tones=tones)
    if page.next is not None:
        console.notice(
            f"More: {invocation.typed(shlex.join(['logs', 'list', *filters, '--after', page.next]))}"
        )
    troubled = next((record for record in page.records if record.told.message), None)
    if troubled is not None:
        console.notice(f"All about one: {invocation.typed(_showing(troubled))}")


def _showing(record: LogRecord) -> str:
    its_type = "" if record.flow == "product" else f" --type {record.log_type}"
    return f"logs show {record.key}{its_type}"


def _columns(records: list[LogRecord], width: int, *, targets_are_mixed: bool) -> dict[str, Any]:
    """Headings and what stands under them; a page of one target may be followed by one of another."""
    columns: dict[str, Any] = {}
    if len({record.log_type for record in records}) > 1:
        columns["Type"] = lambda record: record.log_type
    if targets_are_mixed or len({record.target for record in records}) > 1:
        columns["Target"] = lambda record: record.target
    columns["Key"] = lambda record: record.key
    columns["Info"] = lambda record: "" if record.info == record.key else record.info
    columns["Status"] = lambda record: status_text(record.told)
    if width >= _VERY_WIDE:
        columns["Created (UTC)"] = lambda record: minute(record.told.created_at)
    if width >= _WIDE:
        columns["Synced (UTC)"] = lambda record: minute(record.told.synced_at)
    columns["Updated (UTC)"] = lambda record: minute(record.told.updated_at)
    if width >= _WIDE and any(record.told.message for record in records):
        columns["Message"] = lambda record: record.told.message
    return columns


def retry_document(report: RetryReport) -> dict[str, Any]:
    """``to_mend`` is a sample of ``to_mend_count``."""
    return {
        "retried": [_place(key) for key in report.released],
        "to_mend_count": report.failing_count,
        "to_mend": [_state_of(row) | {"message": row.entry.message} for row in report.failing],
        "others": [_state_of(row) for row in report.others],
    }


def _place(key: LogKey) -> dict[str, str]:
    return {"key": shown_key(key), "target": key.target, "flow": key.flow}


def _state_of(row: LogRow) -> dict[str, Any]:
    return _place(row.found_at) | {"status": row.entry.status, "reason": row.entry.reason}


def shown_key(key: LogKey) -> str:
    """The key as people read it."""
    from brekzsync.domain.sync_flows import show_key

    return show_key(key.flow, (key.key_major, key.key_minor))


def show_retry(invocation: Invocation, report: RetryReport, *, dry_run: bool) -> None:
    """What waits no longer, what must be mended, and what there was nothing to do about."""
    console, count = invocation.console, len(report.released)
    keys = [*report.released, *(row.found_at for row in (*report.failing, *report.others))]
    several = len({key.target for key in keys}) > 1

    def told(key: LogKey) -> str:
        name = named(key.flow, shown_key(key))
        return f"{name} → {key.target}" if several else name

    if count:
        shown = ", ".join(told(key) for key in report.released[:20])
        more = f" and {count - 20} more" if count > 20 else ""
        done = "Would let the next run try" if dry_run else "The next run tries"
        console.notice(f"{done} {'this' if count == 1 else 'these'} again: {shown}{more}.")
    else:
        console.notice("Nothing waits for its next attempt.")
    for row in report.others:
        console.notice(f"{told(row.found_at)}: nothing to retry, it is {row.entry.status}.")
    if report.failing:
        hidden = report.failing_count - len(report.failing)
        more = f" (the first {len(report.failing)} of {report.failing_count})" if hidden else ""
        console.table(
            f"Tried by every run, and failing by their own data: mend these{more}",
            ["Key", "Reason", "What to do"],
            [(told(row.found_at), row.entry.reason, row.entry.message) for row in report.failing],
        )
    commands = {_command_of(key.flow) for key in report.released}
    for command in sorted(commands):
        console.notice(f"Next: {invocation.typed(command)}")


def _command_of(flow: str) -> str:
    from brekzsync.domain.sync_flows import FLOWS

    return FLOWS[flow].command


def show_pruned(console: Console, pruned: Pruned, webhooks: int, age: str, *, dry_run: bool) -> None:
    """One sentence."""
    kinds = (
        (pruned.attempts, "attempt", "attempts"),
        (pruned.rejected_versions, "rejected version", "rejected versions"),
        (pruned.deleted_records, "row of a record that is gone", "rows of records that are gone"),
        (pruned.runs, "run", "runs"),
        (webhooks, "webhook", "webhooks"),
    )
    parts = [f"{count} {one if count == 1 else many}" for count, one, many in kinds if count]
    if not parts:
        console.notice(f"Nothing older than {age} is there to forget.")
        return
    listed = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
    console.notice(f"{'Would forget' if dry_run else 'Forgot'} {listed} older than {age}.")
