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


def complete_product_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Keys that begin so and were not given yet; for an argument that is not ``ids`` itself.

    References and EANs (``--by``) are in the shop, which may be too far to ask while somebody types. What
    cannot be read raises: cli.py keeps a shell's question from being answered with an error.
    """
    invocation = ctx.find_object(Invocation)
    if invocation is None or ctx.params.get("by"):
        return []
    from brekzsync.bootstrap.known_ids import known_ids

    given = ctx.params.get(str(param.name)) or ()
    return [key for key in known_ids(incomplete, invocation.config, "product") if key not in given]
