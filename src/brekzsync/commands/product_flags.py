"""``brekzsync products force-sync``, ``exclude``, ``include``, ``exclusions``: what people decide about a product."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TypeVar

import click

from brekzsync.commands.ids import ids_argument
from brekzsync.commands.invocation import Invocation, pass_invocation

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_LONGEST_NAME = 100  # what the state keeps


def _chosen(command: Decorated) -> Decorated:
    """What all that change something take."""
    for option in (
        click.option("-n", "--dry-run", is_flag=True, help="Only say what would happen; write nothing."),
        click.option("--by", type=click.Choice(["reference", "ean13"]), help="IDs are references or EANs."),
        ids_argument(required=True),
    ):
        command = option(command)
    return command


@click.command("force-sync", epilog="Example: brekzsync products force-sync 1-101")
@_chosen
@click.option("--target", metavar="NAME", help="Only for this one of several targets.")
@pass_invocation
def force_sync(
    invocation: Invocation, ids: tuple[str, ...], by: Any, target: str | None, dry_run: bool
) -> None:
    """Have products sent once more, whatever the ERP acknowledged.

    IDs are combination keys (12-34) or product ids (12: all its combinations). The next export sends them; a
    changed item code goes along, which otherwise is held back. What may not go yet is sent once it may. Asked
    again before it was sent, nothing changes.
    """
    from brekzsync.bootstrap.product_flags import force_sync as forcing
    from brekzsync.bootstrap.state import existing_state
    from brekzsync.commands.product_flag_reports import forced_document, show_forced

    settings, console = invocation.settings, invocation.console
    names = [target] if target else settings.target_names()
    with existing_state(settings, writes=not dry_run) as state, ExitStack() as stack:
        flows = [stack.enter_context(forcing(settings, name, state)) for name in names]
        plans = [(flow, flow.plan(ids, by)) for flow in flows]  # all ids are known before anything is written
        for flow, plan in plans:
            if not dry_run:
                flow.carry_out(plan)
    told = [(flow.target, flow.sends_files, plan) for flow, plan in plans]
    off = [flow.target for flow in flows if not flow.flow_is_on]
    show_forced(invocation, told, off, only=target, dry_run=dry_run)
    console.document("products force-sync", True, forced_document(told, dry_run=dry_run))


@click.command(epilog='Example: brekzsync products exclude 2-201 --reason "sold on request only"')
@_chosen
@click.option("--reason", default="", metavar="TEXT", help="Why, for whoever asks later.")
@click.option("--who", metavar="NAME", help="Who decided it [default: your login name].")
@pass_invocation
def exclude(
    invocation: Invocation, ids: tuple[str, ...], by: Any, reason: str, who: str | None, dry_run: bool
) -> None:
    """Keep products out of the ERP, and take back what it has not imported yet.

    A product id (12) covers the combinations it has and will have, a combination key (12-34) that one, and
    whatever comes with its reference under another id. Lasts until `products include`.
    """
    from brekzsync.bootstrap.product_flags import product_flags, withdraw_excluded
    from brekzsync.bootstrap.state import existing_state
    from brekzsync.commands.people import login_name
    from brekzsync.commands.product_flag_reports import excluded_document, finish_excluded, show_excluded
    from brekzsync.flows.products.flags import Wish

    if who and len(who) > _LONGEST_NAME:
        raise click.BadParameter(f"at most {_LONGEST_NAME} characters.", param_hint="--who")
    settings = invocation.settings
    wish = Wish(ids, by, reason.strip(), login_name()[:_LONGEST_NAME] if who is None else who.strip())
    with (
        existing_state(settings, writes=not dry_run) as state,
        product_flags(settings, state) as flags,
    ):
        excluded = flags.exclude(wish, dry_run=dry_run)
        show_excluded(invocation, excluded, dry_run=dry_run)
        keys = sorted({key for one in excluded for key in one.keys})
        withdrawals = withdraw_excluded(
            settings, state, [one.exclusion.id for one in excluded], keys, dry_run=dry_run
        )
    finish_excluded(
        invocation, withdrawals, excluded_document(excluded, withdrawals, dry_run=dry_run), dry_run=dry_run
    )


@click.command(epilog="Example: brekzsync products include 2-202")
@_chosen
@pass_invocation
def include(invocation: Invocation, ids: tuple[str, ...], by: Any, dry_run: bool) -> None:
    """Let excluded products into the ERP again; the next export sends them.

    IDs may also be ones that the shop no longer has and `products exclusions` lists. A product id includes all
    its combinations, those excluded one by one as well.
    """
    from brekzsync.bootstrap.product_flags import product_flags
    from brekzsync.bootstrap.state import existing_state
    from brekzsync.commands.product_flag_reports import included_document, show_included
    from brekzsync.flows.products.flags import Wish

    settings = invocation.settings
    with (
        existing_state(settings, writes=not dry_run) as state,
        product_flags(settings, state) as flags,
    ):
        inclusion = flags.include(Wish(ids, by), dry_run=dry_run)
    show_included(invocation, inclusion, dry_run=dry_run)
    invocation.console.document("products include", True, included_document(inclusion, dry_run=dry_run))


@click.command(epilog="Example: brekzsync products exclusions")
@pass_invocation
def exclusions(invocation: Invocation) -> None:
    """List what people keep out of the ERP: who, when and why."""
    from brekzsync.bootstrap.state import existing_state
    from brekzsync.commands.product_flag_reports import exclusion_document, show_exclusions

    settings = invocation.settings
    with existing_state(settings, writes=False) as state:
        listed = state.exclusions.all().all()
    show_exclusions(invocation, listed, settings.products.exclude_column)
    invocation.console.document(
        "products exclusions", True, {"exclusions": [exclusion_document(one) for one in listed]}
    )
