"""``brekzsync flows``: which flows run, and switching one off for a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from brekzsync.commands.invocation import Invocation, pass_invocation

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@click.group(epilog="Example: brekzsync flows list")
def flows() -> None:
    """Switch flows off and on."""


@flows.command("list", epilog="Example: brekzsync flows list")
@pass_invocation
def list_(invocation: Invocation) -> None:
    """Show every flow to every target: on or off, since when, who did it and why.

    A flow nobody ever switched is on.
    """
    from brekzsync.bootstrap.flows import list_flows
    from brekzsync.commands.flow_reports import list_document, show_list

    listed = list_flows(invocation.settings)
    show_list(invocation.console, listed)
    invocation.console.document("flows list", True, list_document(listed))


def _flow_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from brekzsync.domain.sync_flows import FLOWS

    return [name for name in FLOWS if name.startswith(incomplete)]


def _switching(command: Decorated) -> Decorated:
    """What ``enable`` and ``disable`` take."""
    for option in (
        click.option("-n", "--dry-run", is_flag=True, help="Only say what would change."),
        click.option("--reason", default="", metavar="TEXT", help="Why, for whoever reads `flows list`."),
        click.option("--target", metavar="NAME", help="Only for this one of several targets."),
        click.argument("flow", metavar="FLOW", shell_complete=_flow_names),
    ):
        command = option(command)
    return command


@flows.command(epilog="Example: brekzsync flows enable product")
@_switching
@pass_invocation
def enable(invocation: Invocation, flow: str, target: str | None, reason: str, dry_run: bool) -> None:
    """Let a flow run again; its next run sends what has waited.

    FLOW is a name from `brekzsync flows list`, such as product.
    """
    _switch(invocation, flow, target, reason, enabled=True, dry_run=dry_run)


@flows.command(epilog='Example: brekzsync flows disable product --reason "stock-taking until Monday"')
@_switching
@pass_invocation
def disable(invocation: Invocation, flow: str, target: str | None, reason: str, dry_run: bool) -> None:
    """Let a flow do nothing until it is enabled again; what waits stays pending.

    FLOW is a name from `brekzsync flows list`, such as product. Its runs end at once with exit code 0, those
    of cron without a word; dry runs still work. A run that is at work goes on to its end.
    """
    _switch(invocation, flow, target, reason, enabled=False, dry_run=dry_run)


def _switch(
    invocation: Invocation, flow: str, target: str | None, reason: str, *, enabled: bool, dry_run: bool
) -> None:
    from brekzsync.bootstrap.flows import switch_flow, targets_of
    from brekzsync.commands.flow_reports import show_switched, switched_document
    from brekzsync.commands.people import login_name
    from brekzsync.flows.flow_switching import Wish, flow_named

    named = flow_named(flow)
    wish = Wish(named, targets_of(invocation.settings, named, target), enabled, login_name(), reason)
    switched = switch_flow(invocation.settings, wish, dry_run=dry_run)
    show_switched(invocation, wish, switched, dry_run=dry_run)
    command = "flows enable" if enabled else "flows disable"
    invocation.console.document(command, True, switched_document(wish, switched, dry_run=dry_run))
