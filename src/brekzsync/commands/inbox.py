"""``brekzsync inbox``: the webhooks that were received."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import click

from brekzsync.commands.invocation import Invocation, pass_invocation
from brekzsync.errors import InvalidInput

if TYPE_CHECKING:
    from brekzsync.commands.inbox_reports import ProcessReport
    from brekzsync.flows.inbox.outcome import InboxRequest
    from brekzsync.state.database import State
    from brekzsync.state.inbox import Inbox

STATUSES = ("new", "done", "dead")
_MOST = 2**63 - 1


@click.group(epilog="Example: brekzsync inbox list --status dead")
def inbox() -> None:
    """Process the webhooks that were received, and look them up."""


@inbox.command(epilog="Example: brekzsync inbox process --dry-run")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Take on at most N records.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@pass_invocation
def process(invocation: Invocation, limit: int | None, dry_run: bool) -> int:
    """Compare the items that webhooks were about, and repair what differs.

    All that came for an item is one job. What tells no item is answered by comparing everything, no more often
    than [inbox] compare_all_every; so is a time in which a source was told to wait. What fails is tried again
    after 1m, 5m, 30m, 2h, 5h, then every 10h; after [inbox] attempts it is dead, and waits for a person.
    """
    from brekzsync.bootstrap.inbox import existing_inbox
    from brekzsync.bootstrap.inbox_process import stock_targets
    from brekzsync.bootstrap.state import state_of
    from brekzsync.commands.inbox_reports import show_idle, show_processed
    from brekzsync.flows.inbox.outcome import InboxRequest

    request = InboxRequest(limit, dry_run)
    opened = existing_inbox(invocation.settings, read_only=dry_run)
    if opened is None:
        return show_idle(invocation, request, "Nothing was received yet.")
    with opened, state_of(invocation.settings, writes=not dry_run) as state:
        targets = stock_targets(invocation.settings, state)
        if not targets:
            waiting = sum(opened.backlog().values())
            return show_idle(
                invocation,
                request,
                f"No stock is kept in step: [stock] is empty in the configuration, or the flow is switched off."
                f" {waiting} {'webhook waits' if waiting == 1 else 'webhooks wait'}.",
            )
        report = _processed(invocation, request, state, opened, targets)
    return show_processed(invocation, report, request)


def _processed(
    invocation: Invocation, request: InboxRequest, state: State, opened: Inbox, targets: list[str]
) -> ProcessReport:
    from brekzsync.bootstrap.inbox_process import COMMAND, FLOW, TARGET, inbox_run
    from brekzsync.commands.inbox_reports import ProcessReport
    from brekzsync.commands.target_runs import remembering
    from brekzsync.flows.inbox.outcome import InboxOutcome

    console, outcome = invocation.console, InboxOutcome()
    before = state.runs.previous(FLOW, TARGET)
    settings = invocation.settings

    def progress(total: int | None) -> AbstractContextManager[Callable[[int], None]]:
        return console.progress("Stock", total)

    with inbox_run(settings, state, opened, targets, request, progress) as execute:
        remembering(invocation, state.runs, FLOW, TARGET, lambda: execute(outcome), command=COMMAND)
    since = None if before is None else before.started_at
    sheds = [one for one in opened.marks.newest(20) if since is None or one.opened_at >= since]
    known = frozenset() if before is None else frozenset(before.reasons)
    return ProcessReport(outcome, sum(opened.count("dead").values()), sheds, known)


@inbox.command("list", epilog="Example: brekzsync inbox list --status dead")
@click.option("--status", type=click.Choice(STATUSES), help="Only webhooks of this status.")
@click.option("--source", metavar="NAME", help="Only those of this source.")
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, metavar="N", help="At most N."
)
@click.option("--after", type=click.IntRange(1), metavar="ID", help="The page behind this: what `next` said.")
@pass_invocation
def list_deliveries(
    invocation: Invocation, status: str | None, source: str | None, limit: int, after: int | None
) -> None:
    """List webhooks, the newest first.

    new: it waits to be processed, or to be tried again. done: what it was about was compared after it came.
    dead: that failed too often, and a person must look; `inbox replay` lets it try again.
    """
    from brekzsync.bootstrap.inbox import existing_inbox
    from brekzsync.commands.inbox_details import list_document, show_list

    opened = existing_inbox(invocation.settings)
    if opened is None:
        found, more = [], False
    else:
        with opened:
            found = opened.list(status, source, limit + 1, after)
        found, more = found[:limit], len(found) > limit
    typed = [("--status", status), ("--source", source), ("--limit", None if limit == 50 else str(limit))]
    filters = [word for name, value in typed if value for word in (name, value)]
    show_list(invocation, found, filters, more=more)
    invocation.console.document("inbox list", True, list_document(found, more=more))


@inbox.command(epilog="Example: brekzsync inbox show 1")
@click.argument("delivery_id", metavar="ID", type=click.IntRange(1, _MOST))
@pass_invocation
def show(invocation: Invocation, delivery_id: int) -> None:
    """Show one webhook as it came, and what became of it. ID is what `inbox list` shows."""
    from brekzsync.bootstrap.inbox import existing_inbox
    from brekzsync.commands.inbox_details import delivery_document, show_delivery

    opened = existing_inbox(invocation.settings)
    found = None
    if opened is not None:
        with opened:
            found = opened.show(delivery_id)
    if found is None:
        raise _unknown(invocation, [delivery_id])
    show_delivery(invocation, found)
    document = delivery_document(found) | {"body": found.body}
    invocation.console.document("inbox show", True, {"delivery": document})


@inbox.command(epilog="Example: brekzsync inbox replay --dead --dry-run")
@click.argument("ids", nargs=-1, metavar="[ID]...", type=click.IntRange(1, _MOST))
@click.option("--dead", is_flag=True, help="All that are dead.")
@click.option("--source", metavar="NAME", help="With --dead: only those of this source.")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be replayed; write nothing.")
@pass_invocation
def replay(
    invocation: Invocation, ids: tuple[int, ...], dead: bool, source: str | None, dry_run: bool
) -> None:
    """Let webhooks wait again, as if they had just come; the next `inbox process` takes them.

    Safe to repeat: what they are about is compared, and written only where it differs.
    """
    if bool(ids) == dead:
        raise click.UsageError("Say which: their IDs, or --dead for all that are dead.")
    if source is not None and not dead:
        raise click.UsageError("--source goes with --dead.")
    from brekzsync.bootstrap.inbox import existing_inbox
    from brekzsync.commands.inbox_details import show_replayed

    opened = existing_inbox(invocation.settings, read_only=dry_run)
    if opened is None:
        if ids:
            raise _unknown(invocation, list(ids))
        count = 0
    else:
        with opened:
            count = _replayed(invocation, opened, ids, source, dry_run=dry_run)
    show_replayed(invocation, count, dry_run=dry_run)
    invocation.console.document("inbox replay", True, {"dry_run": dry_run, "replayed": count})


def _replayed(
    invocation: Invocation, opened: Inbox, ids: tuple[int, ...], source: str | None, *, dry_run: bool
) -> int:
    wanted = sorted(set(ids))
    unknown = [one for one in wanted if opened.show(one) is None]
    if unknown:
        raise _unknown(invocation, unknown)
    if wanted:
        return len(wanted) if dry_run else opened.replay(wanted)
    if dry_run:
        return sum(count for name, count in opened.count("dead").items() if source in (None, name))
    return opened.replay(dead=True, source=source)


def _unknown(invocation: Invocation, ids: list[int]) -> InvalidInput:
    shown = ", ".join(str(one) for one in ids)
    return InvalidInput(
        f"The inbox has no webhook {shown}.",
        hint=f"`{invocation.typed('inbox list')}` shows what it has; old ones are pruned.",
        code="unknown_id",
    )
