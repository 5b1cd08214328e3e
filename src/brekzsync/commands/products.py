"""``brekzsync products``: send the shop's products to the ERP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from brekzsync.commands.ids import ids_argument
from brekzsync.commands.invocation import Invocation, pass_invocation
from brekzsync.commands.product_diagnose import diagnose
from brekzsync.commands.product_flags import exclude, exclusions, force_sync, include
from brekzsync.commands.target_runs import (
    TargetFailure,
    daily_summary,
    raise_failures,
    remembering,
    run_each,
    switch_if_off,
    tell_of_new_state,
)
from brekzsync.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from brekzsync.commands.product_reports import TargetReport
    from brekzsync.flows.products.run import ExportRequest
    from brekzsync.state.database import State

_LABEL = "products"  # what cron's lines begin with


@click.group(epilog="Example: brekzsync products export --dry-run")
def products() -> None:
    """Send products to the ERP."""


@products.command(epilog="Example: brekzsync products export --limit 100 --dry-run")
@ids_argument()
@click.option("--by", type=click.Choice(["reference", "ean13"]), help="IDs are references or EANs.")
@click.option(
    "--output",
    type=click.Path(path_type=str, file_okay=True),
    metavar="DIR",
    help="Folder for the documents [default: products.output].",
)
@click.option("--bulk", is_flag=True, help="One document for the whole run instead of one for each item.")
@click.option(
    "--limit", type=click.IntRange(min=0), metavar="N", help="Export at most N; the rest stays pending."
)
@click.option("--full", is_flag=True, help="Export everything eligible, whatever the ledger says.")
@click.option("--baseline", is_flag=True, help="Deliver nothing; take what the ERP holds as exported.")
@click.option("--target", metavar="NAME", help="Only this one of several targets.")
@click.option("-n", "--dry-run", is_flag=True, help="Count what would happen; write and send nothing.")
@pass_invocation
def export(
    invocation: Invocation,
    ids: tuple[str, ...],
    by: Any,
    output: str | None,
    bulk: bool,
    limit: int | None,
    full: bool,
    baseline: bool,
    target: str | None,
    dry_run: bool,
) -> int:
    """Write what changed since the ERP last acknowledged it as eExact documents.

    IDs are combination keys (12-34) or product ids (12: all its combinations); none means the whole
    catalogue. Running it again finishes what an interrupted run left.
    """
    if baseline and (bulk or limit is not None or full):
        raise click.UsageError("--baseline delivers nothing: it takes neither --bulk, --limit nor --full.")
    if by and not ids:
        raise click.UsageError("--by says what the IDs are: give at least one.")
    from brekzsync.commands.product_reports import document, show
    from brekzsync.flows.products.run import ExportRequest

    request = ExportRequest(
        ids=ids, by=by, limit=limit, full=full, bulk=bulk, baseline=baseline, dry_run=dry_run
    )
    reports, failures = _export_targets(invocation, request, output, target)
    for report in reports:
        show(invocation, report, request)
    if failures:
        done = document(reports, request) if reports else {}
        raise_failures(invocation, _LABEL, failures, done, "products export")
    code = 3 if any(report.tally.failed for report in reports) else 0
    invocation.console.document("products export", code == 0, document(reports, request))
    return code


def _export_targets(
    invocation: Invocation, request: ExportRequest, output: str | None, target: str | None
) -> tuple[list[TargetReport], list[TargetFailure]]:
    """Export to each target in turn, into ``output`` where one folder is named."""
    from pathlib import Path

    from brekzsync.bootstrap.state import state_of

    names = [target] if target else invocation.settings.target_names()
    if output and len(names) > 1:
        raise InvalidInput(
            f"--output is one folder, and there are {len(names)} targets ({', '.join(names)}).",
            hint="Name one with --target, or set [targets.<name>.products] output for each.",
        )
    folder = Path(output).absolute() if output else None
    with state_of(invocation.settings, writes=not request.dry_run) as state:
        if state.created:
            tell_of_new_state(
                invocation,
                "everything eligible counts as never exported",
                "brekzsync products export --baseline takes what the ERP holds as exported",
            )
        return run_each(
            invocation, names, lambda name: _export_target(invocation, request, state, name, folder)
        )


def _export_target(
    invocation: Invocation, request: ExportRequest, state: State, target: str, output: Path | None
) -> TargetReport:
    from brekzsync.bootstrap.products import product_run
    from brekzsync.commands.product_reports import TargetReport
    from brekzsync.flows.cron_report import new_failures
    from brekzsync.flows.products.run import FLOW, nothing_done

    runs, console = state.runs, invocation.console
    own = invocation.settings.for_target(target)
    off = switch_if_off(state, FLOW, target)
    if off and not request.dry_run:
        return TargetReport(target, output or own.products.output, nothing_done(), [], off)
    with product_run(invocation.settings, target, state, output) as run:
        outcome = remembering(
            invocation,
            runs,
            FLOW,
            target,
            lambda: run.execute(request, lambda total: console.progress(f"Products → {target}", total)),
        )
        lines = new_failures(_LABEL, target, outcome.tally)
        if console.is_cron and not request.dry_run:
            lines += daily_summary(runs, _LABEL, FLOW, target, outcome.run, outcome.tally, run.clock())
        return TargetReport(target, run.outbox_directory, outcome, lines, off)


products.add_command(diagnose)
products.add_command(force_sync)
products.add_command(exclude)
products.add_command(include)
products.add_command(exclusions)
