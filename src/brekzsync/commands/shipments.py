"""``brekzsync shipments``: what the ERP delivered becomes order states and tracking numbers of the shop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from brekzsync.commands.ids import complete_shipment_ids, order_ids
from brekzsync.commands.invocation import Invocation, pass_invocation
from brekzsync.commands.target_runs import (
    daily_summary,
    raise_failures,
    remembering,
    run_each,
    switch_if_off,
    tell_of_new_state,
)

if TYPE_CHECKING:
    from brekzsync.commands.shipment_reports import ShipmentReport
    from brekzsync.flows.shipments.run import ShipmentRequest
    from brekzsync.state.database import State

COMMAND = "shipments import"


@click.group(epilog="Example: brekzsync shipments import --dry-run")
def shipments() -> None:
    """Tell the shop what the ERP delivered."""


@shipments.command("import", epilog="Example: brekzsync shipments import --dry-run")
@click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=complete_shipment_ids)
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Import at most N; the rest waits.")
@click.option("--baseline", is_flag=True, help="Write nothing to the shop; take what is there as imported.")
@click.option("--force", is_flag=True, help="A first run imports all that is due.")
@click.option("--target", metavar="NAME", help="Only this one of several targets.")
@click.option("-n", "--dry-run", is_flag=True, help="Count what would happen; write nothing.")
@pass_invocation
def import_shipments(
    invocation: Invocation,
    /,
    *,
    ids: tuple[str, ...],
    limit: int | None,
    baseline: bool,
    force: bool,
    target: str | None,
    dry_run: bool,
) -> int:
    """Bring orders that the ERP delivered to their state, and write their tracking numbers.

    IDs are order ids of the shop; none means everything delivered. Both are written through the shop's webservice. An
    order is never moved back, and a tracking number that a person typed stays.
    """
    if baseline and (limit is not None or force):
        raise click.UsageError("--baseline writes nothing to the shop: it takes neither --limit nor --force.")
    from brekzsync.bootstrap.state import state_of
    from brekzsync.commands.shipment_reports import document, show
    from brekzsync.flows.shipments.run import ShipmentRequest

    request = ShipmentRequest(
        ids=order_ids(ids, "order"), limit=limit, baseline=baseline, force=force, dry_run=dry_run
    )
    names = [target] if target else invocation.settings.target_names()
    with state_of(invocation.settings, writes=not dry_run) as state:
        if state.created:
            tell_of_new_state(
                invocation,
                "no shipment counts as imported",
                f"brekzsync {COMMAND} --baseline takes what is delivered as imported",
            )
        reports, failures = run_each(
            invocation, names, lambda name: _import_target(invocation, request, state, name)
        )
    for report in reports:
        show(invocation, report, request)
    if failures:
        done = document(reports, request) if reports else {}
        raise_failures(invocation, "Shipments", failures, done, COMMAND)
    code = 3 if any(report.tally.failed for report in reports) else 0
    invocation.console.document(COMMAND, code == 0, document(reports, request))
    return code


def _import_target(
    invocation: Invocation, request: ShipmentRequest, state: State, target: str
) -> ShipmentReport:
    from brekzsync.bootstrap.shipments import shipment_flow
    from brekzsync.commands.shipment_reports import LABEL, ShipmentReport
    from brekzsync.flows.cron_report import new_failures
    from brekzsync.flows.shipments.importing import FLOW
    from brekzsync.flows.shipments.run import nothing_done

    console = invocation.console
    if not invocation.settings.for_target(target).shipments.is_in_use:
        return ShipmentReport(target, nothing_done(), [], is_configured=False)
    off = switch_if_off(state, FLOW, target)
    if off and not request.dry_run:
        return ShipmentReport(target, nothing_done(), [], off)

    def run() -> ShipmentReport:
        with shipment_flow(invocation.settings, target, state) as flow:
            outcome = flow.execute(
                request, lambda total: console.progress(f"{LABEL.capitalize()} ← {target}", total)
            )
            lines = new_failures(LABEL, target, outcome.tally)
            if console.is_cron and not request.dry_run:
                now = flow.clock()
                lines += daily_summary(state.runs, LABEL, FLOW, target, outcome.run, outcome.tally, now)
            return ShipmentReport(target, outcome, lines, off)

    return remembering(invocation, state.runs, FLOW, target, run, command=COMMAND)
