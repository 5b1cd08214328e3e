"""``brekzsync orders`` and ``brekzsync refunds``: send what customers bought and gave back to the ERP, once.

What the marketplace is told of orders, ``orders push-status``, is in ``order_status_push.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from brekzsync.commands.ids import complete_order_ids, complete_refund_ids, order_ids
from brekzsync.commands.invocation import Invocation, pass_invocation
from brekzsync.commands.order_status_push import push_status
from brekzsync.commands.target_runs import (
    daily_summary,
    raise_failures,
    remembering,
    run_each,
    switch_if_off,
    tell_of_new_state,
)
from brekzsync.errors import ConfigurationError

if TYPE_CHECKING:
    from brekzsync.commands.order_reports import OrderReport
    from brekzsync.flows.orders.kinds import Kind
    from brekzsync.flows.orders.run import OrderRequest
    from brekzsync.state.database import State

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@click.group(epilog="Example: brekzsync orders export --dry-run")
def orders() -> None:
    """Send orders to the ERP, each exactly once, and their statuses to the marketplace."""


orders.add_command(push_status)


@click.group(epilog="Example: brekzsync refunds export --dry-run")
def refunds() -> None:
    """Send refunds to the ERP, each exactly once."""


_EXPORTING = (
    click.option("-n", "--dry-run", is_flag=True, help="Count what would happen; write nothing."),
    click.option("--target", metavar="NAME", help="Only this one of several targets."),
    click.option("--force", is_flag=True, help="A first run delivers all that is due."),
    click.option("--baseline", is_flag=True, help="Deliver nothing; take what is due as delivered."),
    click.option(
        "--limit", type=click.IntRange(min=0), metavar="N", help="Deliver at most N; the rest waits."
    ),
)
_SETTLING = (
    click.option("-n", "--dry-run", is_flag=True, help="Only say what would happen; write nothing."),
    click.option("--target", metavar="NAME", help="Only this one of several targets."),
    click.option("--resend", is_flag=True, help="They are not in Exact: send them again."),
    click.option("--sent", is_flag=True, help="They are in Exact: never send them again."),
)


def _taking(
    options: Sequence[Callable[..., Any]], complete: Callable[..., list[str]]
) -> Callable[[Decorated], Decorated]:
    """What a command takes beside ids, which ``complete`` knows."""

    def decorate(command: Decorated) -> Decorated:
        ids = click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=complete)
        taken: Decorated = command
        for option in (*options, ids):
            taken = option(taken)
        return taken

    return decorate


@orders.command("export", epilog="Example: brekzsync orders export --limit 10 --dry-run")
@_taking(_EXPORTING, complete_order_ids)
@pass_invocation
def export_orders(invocation: Invocation, /, **asked: Any) -> int:
    """Write the orders that are due as eExact documents, and settle those that were delivered.

    IDs are order ids of the shop; none means all that is due. An order goes out once: it is claimed before its
    document can be seen, and sent again only when Exact says that it has not got it.
    """
    from brekzsync.flows.orders.kinds import ORDERS

    return _export(invocation, ORDERS, **asked)


@refunds.command("export", epilog="Example: brekzsync refunds export --dry-run")
@_taking(_EXPORTING, complete_refund_ids)
@pass_invocation
def export_refunds(invocation: Invocation, /, **asked: Any) -> int:
    """Write the credit slips whose orders are in the ERP as orders with negative quantities.

    IDs are ids of credit slips; none means all. A refund goes out once, like an order.
    """
    from brekzsync.flows.orders.kinds import REFUNDS

    return _export(invocation, REFUNDS, **asked)


def _export(
    invocation: Invocation,
    kind: Kind[Any],
    *,
    ids: tuple[str, ...],
    limit: int | None,
    baseline: bool,
    force: bool,
    target: str | None,
    dry_run: bool,
) -> int:
    if baseline and (limit is not None or force):
        raise click.UsageError("--baseline delivers nothing: it takes neither --limit nor --force.")
    from brekzsync.bootstrap.state import state_of
    from brekzsync.commands.order_reports import document, show
    from brekzsync.flows.orders.run import OrderRequest

    request = OrderRequest(
        ids=order_ids(ids, kind.noun), limit=limit, baseline=baseline, force=force, dry_run=dry_run
    )
    names = [target] if target else invocation.settings.target_names()
    with state_of(invocation.settings, writes=not dry_run) as state:
        if state.created:
            tell_of_new_state(
                invocation,
                f"no {kind.noun} counts as delivered",
                f"brekzsync {kind.command} --baseline takes what is due as delivered",
            )
        reports, failures = run_each(
            invocation, names, lambda name: _export_target(invocation, kind, request, state, name)
        )
    for report in reports:
        show(invocation, report, request)
    if failures:
        done = document(reports, request) if reports else {}
        raise_failures(invocation, f"{kind.noun}s", failures, done, kind.command)
    code = 3 if any(report.tally.failed for report in reports) else 0
    invocation.console.document(kind.command, code == 0, document(reports, request))
    return code


def _export_target(
    invocation: Invocation, kind: Kind[Any], request: OrderRequest, state: State, target: str
) -> OrderReport:
    from brekzsync.bootstrap.orders import order_channel, order_flow
    from brekzsync.commands.order_reports import OrderReport
    from brekzsync.flows.cron_report import new_failures, newly_noticed
    from brekzsync.flows.orders.run import nothing_done

    console, label = invocation.console, f"{kind.noun}s"
    if not invocation.settings.for_target(target).orders.is_in_use:
        return OrderReport(kind, target, None, nothing_done(), [], is_configured=False)
    off = switch_if_off(state, kind.flow, target)
    if off and not request.dry_run:
        return OrderReport(kind, target, None, nothing_done(), [], off)
    if order_channel(invocation.settings.for_target(target)) == "http" and not (
        request.dry_run or request.baseline
    ):
        raise ConfigurationError(
            f"Target {target} takes its {label} over HTTP ([orders] channel), so no files are written for it.",
            hint='Let Exact fetch them from `brekzsync serve`, or set [orders] channel = "files".',
            code="other_channel",
        )
    with order_flow(invocation.settings, target, state, kind) as flow:
        outcome = remembering(
            invocation,
            state.runs,
            kind.flow,
            target,
            lambda: flow.execute(
                request, lambda total: console.progress(f"{label.capitalize()} → {target}", total)
            ),
            command=kind.command,
        )
        lines = new_failures(label, target, outcome.tally)
        lines += newly_noticed(label, target, outcome.noticed)
        if console.is_cron and not request.dry_run:
            lines += daily_summary(
                state.runs, label, kind.flow, target, outcome.run, outcome.tally, flow.clock()
            )
        folder = flow.outbox.directory if flow.outbox else None
        return OrderReport(kind, target, folder, outcome, lines, off)


@orders.command("settle", epilog="Example: brekzsync orders settle")
@_taking(_SETTLING, complete_order_ids)
@pass_invocation
def settle_orders(invocation: Invocation, /, **asked: Any) -> int:
    """Find out what became of the orders that were delivered, or decide it.

    Without IDs every order and refund whose result is awaited is looked up in the ERP. With IDs (of orders of the
    shop) say --sent or --resend: you have looked into Exact.
    """
    from brekzsync.flows.orders.kinds import ORDERS, REFUNDS

    return _settle(invocation, (ORDERS, REFUNDS), **asked)


@refunds.command("settle", epilog="Example: brekzsync refunds settle")
@_taking(_SETTLING, complete_refund_ids)
@pass_invocation
def settle_refunds(invocation: Invocation, /, **asked: Any) -> int:
    """Find out what became of the refunds that were delivered, or decide it.

    As `orders settle`; IDs are ids of credit slips.
    """
    from brekzsync.flows.orders.kinds import REFUNDS

    return _settle(invocation, (REFUNDS,), **asked)


def _settle(
    invocation: Invocation,
    kinds: Sequence[Kind[Any]],
    *,
    ids: tuple[str, ...],
    sent: bool,
    resend: bool,
    target: str | None,
    dry_run: bool,
) -> int:
    """Ask the ERP about all of ``kinds``, or take a person's word for some records of the first."""
    if sent and resend:
        raise click.UsageError("--sent and --resend are opposites: give one.")
    if ids and not (sent or resend):
        raise click.UsageError("Say what became of them: --sent or --resend.")
    if not ids and (sent or resend):
        raise click.UsageError("Say of which: give their IDs.")
    from brekzsync.commands.order_settling import decide, read_back

    if not ids:
        return read_back(invocation, kinds, target, dry_run=dry_run)
    wanted = order_ids(ids, kinds[0].noun)
    return decide(invocation, kinds[0], wanted, "sent" if sent else "resend", target, dry_run=dry_run)
