"""``brekzsync orders push-status``: tell the marketplace what became of its orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from brekzsync.commands.ids import complete_status_ids, order_ids
from brekzsync.commands.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from brekzsync.commands.order_status_runs import Progress
    from brekzsync.flows.order_status.run import StatusFlow, StatusOutcome


@click.command("push-status", epilog="Example: brekzsync orders push-status --dry-run")
@click.option(
    "--order",
    "orders",
    multiple=True,
    metavar="ID",
    shell_complete=complete_status_ids,
    help="Only this order of the shop; may be given several times.",
)
@click.option("--baseline", is_flag=True, help="Send nothing; take what is there as told.")
@click.option("--force", is_flag=True, help="A first run tells all that is due.")
@click.option("-n", "--dry-run", is_flag=True, help="Count what would happen; send and write nothing.")
@pass_invocation
def push_status(
    invocation: Invocation, orders: tuple[str, ...], baseline: bool, force: bool, dry_run: bool
) -> int:
    """Tell the marketplace which of its orders were shipped, canceled, refunded or delivered.

    Every order's state now is compared with what the marketplace accepted of it. A shipment waits
    [marketplace] shipped_delay first, then for its tracking number. `brekzsync tickets check` tells later what the
    marketplace made of it.
    """
    if baseline and force:
        raise click.UsageError("--baseline sends nothing: it does not take --force.")
    from brekzsync.commands.order_status_reports import PUSH, Asked
    from brekzsync.commands.order_status_runs import run

    asked = Asked(PUSH, order_ids(orders, "order"), baseline, dry_run)

    def execute(flow: StatusFlow, progress: Progress) -> StatusOutcome:
        from brekzsync.flows.order_status.run import PushRequest

        is_dry = dry_run or invocation.settings.marketplace.dry_run
        request = PushRequest(orders=asked.orders, baseline=baseline, force=force, dry_run=is_dry)
        return flow.push(request, progress)

    return run(invocation, asked, execute)
