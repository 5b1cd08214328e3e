"""``brekzsync tickets``: what the marketplace made of what it was told."""

from __future__ import annotations

import click

from brekzsync.commands.invocation import Invocation, pass_invocation


@click.group(epilog="Example: brekzsync tickets check --dry-run")
def tickets() -> None:
    """Ask the marketplace what it made of order statuses."""


@tickets.command(epilog="Example: brekzsync tickets check --dry-run")
@click.option("-n", "--dry-run", is_flag=True, help="Ask, and count what would happen; write nothing.")
@pass_invocation
def check(invocation: Invocation, dry_run: bool) -> int:
    """Ask the marketplace for its tickets, and settle what was sent.

    Done: the order is in sync. Failed: told once, by mail where [notify] says so, and tried again later, up to
    [marketplace] attempts. Still at work, or in a state nobody knows: looked at again by the next check.
    """
    from brekzsync.commands.order_status_reports import CHECK, Asked
    from brekzsync.commands.order_status_runs import run

    is_dry = dry_run or invocation.settings.marketplace.dry_run
    return run(
        invocation,
        Asked(CHECK, dry_run=dry_run),
        lambda flow, progress: flow.check_tickets(is_dry, progress),
    )
