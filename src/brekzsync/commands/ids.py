"""The ids people type behind a command, completed by the shell from what the ledger knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from brekzsync.commands.invocation import Invocation

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def ids_argument(*, required: bool = False) -> Callable[[Decorated], Decorated]:
    """The argument ``ids``: combination keys or product ids, or what ``--by`` says they are."""
    metavar = "ID..." if required else "[ID]..."
    return click.argument(
        "ids", nargs=-1, required=required, metavar=metavar, shell_complete=complete_product_ids
    )


def complete_logged_keys(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Keys that begin so, of every flow or of those that ``--type`` names before them."""
    from brekzsync.domain.sync_flows import FLOWS

    log_type = ctx.params.get("log_type")
    flows = [flow.name for flow in FLOWS.values() if log_type in (None, flow.log_type)]
    return list(dict.fromkeys(key for flow in flows for key in _completed(flow, ctx, param, incomplete)))


def complete_order_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of orders that begin so and were not given yet."""
    return _completed("order", ctx, param, incomplete)


def complete_refund_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of refunds that begin so and were not given yet."""
    return _completed("refund", ctx, param, incomplete)


def complete_product_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Keys that begin so and were not given yet; for an argument that is not ``ids`` itself.

    References and EANs (``--by``) are in the shop, which may be too far to ask while somebody types.
    """
    return [] if ctx.params.get("by") else _completed("product", ctx, param, incomplete)


def _completed(flow: str, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """What cannot be read raises: cli.py keeps a shell's question from being answered with an error."""
    invocation = ctx.find_object(Invocation)
    if invocation is None:
        return []
    from brekzsync.bootstrap.known_ids import known_ids

    given = ctx.params.get(str(param.name)) or ()
    return [key for key in known_ids(incomplete, invocation.config, flow) if key not in given]
