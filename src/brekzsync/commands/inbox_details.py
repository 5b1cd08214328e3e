"""How webhooks are listed, shown and replayed."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from brekzsync.commands.inbox_reports import counted
from brekzsync.commands.invocation import Invocation
from brekzsync.commands.times import moment, stamp

if TYPE_CHECKING:
    from brekzsync.console import Tone
    from brekzsync.state.inbox import Delivery

_WIDE = 120
_TONES: dict[str, Tone] = {"new": "neutral", "done": "good", "dead": "bad"}


def delivery_document(one: Delivery) -> dict[str, Any]:
    """A webhook without its body."""
    return {
        "id": one.id,
        "source": one.source,
        "delivery_id": one.delivery_id,
        "received_at": stamp(one.received_at),
        "topic": one.topic,
        "record": one.record,
        "status": one.status,
        "attempts": one.attempts,
        "next_attempt_at": stamp(one.next_attempt_at),
        "processed_at": stamp(one.processed_at),
        "error": one.error,
    }


def list_document(found: Sequence[Delivery], *, more: bool) -> dict[str, Any]:
    return {
        "deliveries": [delivery_document(one) for one in found],
        "next": found[-1].id if more else None,
    }


def show_list(invocation: Invocation, found: Sequence[Delivery], filters: list[str], *, more: bool) -> None:
    """A table as wide as the terminal allows, and how to go on."""
    console = invocation.console
    if not found:
        console.notice("No webhook fits that." if filters else "The inbox is empty.")
        return
    wide = shutil.get_terminal_size().columns >= _WIDE
    columns: dict[str, Any] = {
        "Id": lambda one: one.id,
        "Received (UTC)": lambda one: f"{one.received_at:%Y-%m-%d %H:%M}",
        "Source": lambda one: one.source,
        "Record": lambda one: one.record,
        "Status": lambda one: one.status,
    }
    if wide:
        columns["Topic"] = lambda one: one.topic
        columns["Attempts"] = lambda one: one.attempts
    if any(one.error for one in found):
        columns["Error"] = lambda one: one.error or ""
    rows = [[column(one) for column in columns.values()] for one in found]
    console.table("Inbox", list(columns), rows, tones=_TONES)
    if more:
        words = shlex.join(["inbox", "list", *filters, "--after", str(found[-1].id)])
        console.notice(f"More: {invocation.typed(words)}")


def show_delivery(invocation: Invocation, one: Delivery) -> None:
    """One card: what it is, when what happened, and its body."""
    times = [
        ("Received", one.received_at),
        ("Processed", one.processed_at),
        ("Tried again", one.next_attempt_at),
    ]
    rows = [("", "Source", one.source), ("", "Id of its sender", one.delivery_id), ("", "Topic", one.topic)]
    rows += [("", "Record", one.record or "(none could be told)")]
    rows += [("", name, moment(at)) for name, at in times if at is not None]
    rows += [("", "Attempts", str(one.attempts))] if one.attempts else []
    rows += [("bad", "Error", one.error)] if one.error else []
    body = [("", "", line) for line in one.body.splitlines()] or [("", "", "(empty)")]
    lead = {
        "new": "It waits to be processed.",
        "done": "What it was about was compared after it came.",
        "dead": f"It failed too often. Try again: {invocation.typed(f'inbox replay {one.id}')}",
    }.get(one.status, "")
    invocation.console.card(
        f"Webhook {one.id}",
        one.status,
        _TONES.get(one.status, "neutral"),
        lead,
        [("Webhook", rows), ("Body", body)],
    )


def show_replayed(invocation: Invocation, count: int, *, dry_run: bool) -> None:
    console = invocation.console
    if not count:
        console.notice("Nothing is there to replay.")
    elif dry_run:
        console.notice(f"Would let {counted(count, 'webhook')} wait again.")
    else:
        waits = "waits" if count == 1 else "wait"
        console.notice(
            f"{counted(count, 'webhook')} {waits} again. Next: {invocation.typed('inbox process')}"
        )
