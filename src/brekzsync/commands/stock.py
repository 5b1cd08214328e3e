"""``brekzsync stock``: what the shop shows against what the ERP has, and the repair of what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from brekzsync.commands.invocation import Invocation, pass_invocation
from brekzsync.commands.target_runs import (
    daily_summary,
    raise_failures,
    remembering,
    run_each,
    switch_if_off,
)

if TYPE_CHECKING:
    from brekzsync.commands.stock_reports import StockReport
    from brekzsync.flows.stock.ports import LeftAlone
    from brekzsync.flows.stock.run import StockFlow, StockOutcome
    from brekzsync.state.database import State

_LABEL = "stock"  # what cron's lines begin with
DIFFERENCES = 4

_shop = click.option(
    "--shop", "only", default="", metavar="ID", help="Only this one of the shops that are written."
)
_target = click.option("--target", metavar="NAME", help="Only this one of several targets.")


@click.group(epilog="Example: brekzsync stock diff")
def stock() -> None:
    """Keep the shop's stock in step with the ERP's."""


@stock.command(epilog="Example: brekzsync stock sweep --dry-run")
@click.option(
    "--max-change", metavar="PERCENT", help="Stop when more would change [default: stock.max_change]."
)
@click.option("--force", is_flag=True, help="Write although more would change.")
@_shop
@click.option(
    "--findings",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="List every item that is left alone in this CSV file.",
)
@_target
@click.option("-n", "--dry-run", is_flag=True, help="Show what differs; write nothing.")
@pass_invocation
def sweep(
    invocation: Invocation,
    max_change: str | None,
    force: bool,
    only: str,
    findings: str | None,
    target: str | None,
    dry_run: bool,
) -> int:
    """Compare the stock of every item with the ERP's, and write what differs.

    The whole catalogue is compared, whatever changed when, so nothing is missed. A run that was interrupted is
    finished by the next one. It stops before it writes when implausibly much would change.
    """
    share = _share(max_change)

    def run(flow: StockFlow, name: str) -> StockOutcome:
        from brekzsync.flows.stock.run import StockRequest

        configured = invocation.settings.for_target(name).stock.max_change
        with _listing(findings) as tell:
            request = StockRequest(
                max_change=configured if share is None else share,
                force=force,
                dry_run=dry_run,
                left_alone=tell,
            )
            return flow.sweep(request, lambda total: invocation.console.progress(f"Stock ← {name}", total))

    return _each(invocation, "stock sweep", target, only, run, dry_run=dry_run)


@stock.command(epilog="Example: brekzsync stock diff EEND")
@click.argument("codes", nargs=-1, metavar="[CODE]...")
@_shop
@_target
@pass_invocation
def diff(invocation: Invocation, codes: tuple[str, ...], only: str, target: str | None) -> int:
    """Show both sides' figures of these items, what they are made of, and the difference.

    CODEs are item codes; none means the whole catalogue. Writes nothing. Ends with 4 when something differs.
    """
    from brekzsync.bootstrap.state import state_of
    from brekzsync.bootstrap.stock import stock_flow
    from brekzsync.commands.stock_reports import StockReport, diff_document, show_diff
    from brekzsync.flows.stock.run import StockRequest

    wanted = _codes(codes)
    reports = []
    with state_of(invocation.settings, writes=False) as state:
        for name in [target] if target else invocation.settings.target_names():
            with stock_flow(invocation.settings, name, state, only=only) as flow:
                if wanted:
                    outcome = flow.diff(wanted)
                else:
                    everything = StockRequest(
                        max_change=invocation.settings.stock.max_change, force=True, dry_run=True
                    )
                    outcome = flow.sweep(
                        everything, lambda total: invocation.console.progress("Comparing stock", total)
                    )
                reports.append(StockReport(name, outcome, []))
    for report in reports:
        show_diff(invocation, report, wanted)
    ok, document = diff_document(reports, wanted)
    invocation.console.document("stock diff", ok, document)
    return 0 if ok else DIFFERENCES


@stock.command(epilog="Example: brekzsync stock update EEND --dry-run")
@click.argument("codes", nargs=-1, required=True, metavar="CODE...")
@_shop
@_target
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@pass_invocation
def update(
    invocation: Invocation, codes: tuple[str, ...], only: str, target: str | None, dry_run: bool
) -> int:
    """Write the ERP's figures of exactly these items, where they differ.

    CODEs are item codes. Nothing is written when neither side knows one of them.
    """
    wanted = _codes(codes)
    return _each(
        invocation,
        "stock update",
        target,
        only,
        lambda flow, _name: flow.update(wanted, dry_run=dry_run),
        dry_run=dry_run,
        asked_for=True,
    )


def _codes(words: tuple[str, ...]) -> list[str]:
    from brekzsync.domain.texts import normalise_code

    return list(dict.fromkeys(code for word in words if (code := normalise_code(word))))


def _share(text: str | None) -> Any:
    if text is None:
        return None
    from brekzsync.settings.durations import parse_percentage

    try:
        return parse_percentage(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}, such as 30%.", param_hint="--max-change") from None


def _each(
    invocation: Invocation,
    command: str,
    target: str | None,
    only: str,
    run: Callable[[StockFlow, str], StockOutcome],
    *,
    dry_run: bool,
    asked_for: bool = False,
) -> int:
    """Run for each target and report; ``asked_for``: an item that is left alone was named, so that it matters."""
    from brekzsync.bootstrap.state import state_of
    from brekzsync.commands.stock_reports import document, show

    settings = invocation.settings
    names = [target] if target else settings.target_names()
    with state_of(settings, writes=not dry_run) as state:
        reports, failures = run_each(
            invocation,
            names,
            lambda name: _target_report(invocation, state, name, command, only, run, dry_run=dry_run),
        )
    for report in reports:
        show(invocation, report, command, dry_run=dry_run)
    if failures:
        done = document(reports, dry_run=dry_run, asked_for=asked_for) if reports else {}
        raise_failures(invocation, _LABEL, failures, done, command)
    payload = document(reports, dry_run=dry_run, asked_for=asked_for)
    invocation.console.document(command, "error" not in payload, payload)
    return 3 if "error" in payload else 0


def _target_report(
    invocation: Invocation,
    state: State,
    target: str,
    command: str,
    only: str,
    run: Callable[[StockFlow, str], StockOutcome],
    *,
    dry_run: bool,
) -> StockReport:
    from brekzsync.bootstrap.stock import stock_flow
    from brekzsync.commands.stock_reports import StockReport, nothing_done
    from brekzsync.flows.cron_report import new_failures
    from brekzsync.flows.stock.journal import FLOW

    console = invocation.console
    if console.is_cron and not invocation.settings.for_target(target).stock.is_in_use:
        return StockReport(target, nothing_done(), [], is_configured=False)
    off = switch_if_off(state, FLOW, target)
    if off and not dry_run:
        return StockReport(target, nothing_done(), [], off)
    with stock_flow(invocation.settings, target, state, only=only) as flow:
        outcome = remembering(
            invocation, state.runs, FLOW, target, lambda: run(flow, target), command=command
        )
        lines = new_failures(_LABEL, target, outcome.tally)
        if console.is_cron and not dry_run:
            lines += daily_summary(state.runs, _LABEL, FLOW, target, outcome.run, outcome.tally, flow.clock())
        return StockReport(target, outcome, lines, off)


@contextmanager
def _listing(path: str | None) -> Iterator[Callable[[LeftAlone], None]]:
    """What writes every item that is left alone into a file, which appears when it is complete."""
    if path is None:
        yield lambda _one: None
        return
    from pathlib import Path

    from brekzsync.commands.stock_reports import findings_file

    with findings_file(Path(path)) as tell:
        yield tell
