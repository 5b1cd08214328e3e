"""Commands that a monitoring service hears of: calls when one begins and ends, for those ``[notify]`` names.

An outage there is a warning, which ``--cron`` does not show, and never changes the exit code.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from brekzsync.errors import LockHeld

if TYPE_CHECKING:
    from brekzsync.commands.invocation import Invocation
    from brekzsync.settings import Settings


def begin(invocation: Invocation, settings: Settings) -> None:
    """The running command has its configuration: tell that it begins, unless it only says what it would do."""
    context = click.get_current_context(silent=True)
    if context is not None and context.params.get("dry_run"):
        return
    from brekzsync.bootstrap.heartbeats import heartbeat_of

    invocation.heartbeat = heartbeat_of(settings, invocation.command)
    if invocation.heartbeat is not None:
        _tell(invocation, invocation.heartbeat.began())


def end(invocation: Invocation, exit_code: int) -> None:
    """Tell how the command ended. One that gave way tells nothing: the run it gave way to does."""
    heartbeat, invocation.heartbeat = invocation.heartbeat, None
    if heartbeat is None or exit_code == LockHeld.exit_code:
        return
    try:
        _tell(invocation, heartbeat.ended(exit_code))
    except (Exception, KeyboardInterrupt):  # nobody reads any more, or waits; what the run did stands
        return


def _tell(invocation: Invocation, trouble: str) -> None:
    if not trouble:
        return
    import logging

    logging.getLogger("brekzsync.notify").warning("%s", trouble)
    invocation.console.warning(trouble)


def command_names() -> list[str]:
    """Every command there is, as ``[notify] heartbeats`` names them; only while one runs. Imports all of them."""
    root = click.get_current_context().find_root()
    return list(_below(root.command, root, ""))


def _below(command: click.Command, context: click.Context, words: str) -> Iterator[str]:
    if not isinstance(command, click.Group):
        yield words
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is not None:
            yield from _below(found, context, f"{words} {name}".strip())
