"""``brekzsync db``: the state database."""

from __future__ import annotations

import click

from brekzsync.commands.invocation import Invocation, pass_invocation


@click.group(epilog="Example: brekzsync db upgrade")
def db() -> None:
    """Look after brekzsync's own database."""


@db.command(epilog="Example: brekzsync db upgrade")
@pass_invocation
def upgrade(invocation: Invocation) -> None:
    """Create the state database, or bring it to the schema of this release.

    Safe to repeat. SQLite state is also upgraded by any other command; MariaDB and PostgreSQL only by this.
    """
    from brekzsync.bootstrap import upgrade_state

    result = upgrade_state(invocation.settings)
    console = invocation.console
    if result.before == result.after:
        console.notice(f"{result.url_shown} is up to date ({result.after}).")
    elif result.before is None:
        console.notice(f"Created the state in {result.url_shown} ({result.after}).")
    else:
        console.notice(f"Upgraded {result.url_shown} from {result.before} to {result.after}.")
    console.document(
        "db upgrade", True, {"database": result.url_shown, "before": result.before, "after": result.after}
    )
