"""The ids people type behind a command, completed by the shell from what the ledger knows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from brekzsync.commands.invocation import Invocation
from brekzsync.errors import InvalidInput

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
_MOST = 10**10  # as many digits as an id has


def ids_argument(*, required: bool = False) -> Callable[[Decorated], Decorated]:
    """The argument ``ids``: combination keys or product ids, or what ``--by`` says they are."""
    metavar = "ID..." if required else "[ID]..."
    return click.argument(
        "ids", nargs=-1, required=required, metavar=metavar, shell_complete=complete_product_ids
    )


def order_ids(words: tuple[str, ...], noun: str) -> tuple[int, ...]:
    """The ids as numbers; ``noun`` says of what. Raises InvalidInput (``malformed_id``)."""
    for word in words:
        if not (word.isascii() and word.isdecimal() and len(word) < 20 and 0 < int(word) < _MOST):
            raise InvalidInput(
                f"{word!r} is not an id of {noun}s: give a number such as 12.",
                hint=f"The shop's back office shows the ids of its {noun}s.",
                code="malformed_id",
            )
    return tuple(sorted({int(word) for word in words}))


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


def complete_shipment_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of orders with a shipment that begin so and were not given yet."""
    return _completed("shipment", ctx, param, incomplete)


def complete_status_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids of marketplace orders that begin so and were not given yet."""
    return _completed("order_status", ctx, param, incomplete)


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
