"""``brekzsync db``: the state database."""

from __future__ import annotations

import click

from brekzsync.commands.invocation import Invocation, pass_invocation


@click.group(epilog="Example: brekzsync db upgrade")
def db() -> None:
    """Look after brekzsync's own database."""


@db.command(epilog="Example: brekzsync db upgrade")
@click.option("-n", "--dry-run", is_flag=True, help="Say what would be done; write nothing.")
@pass_invocation
def upgrade(invocation: Invocation, dry_run: bool) -> None:
    """Create the state database, or bring it to the schema of this release.

    Safe to repeat. SQLite state is also upgraded by any other command; MariaDB and PostgreSQL only by this.
    """
    from brekzsync.bootstrap.state import upgrade_state

    result = upgrade_state(invocation.settings, dry_run=dry_run)
    console = invocation.console
    if result.before == result.after:
        console.notice(f"{result.url_shown} is up to date ({result.after}).")
    elif result.before is None:
        done = "Would create" if dry_run else "Created"
        console.notice(f"{done} the state in {result.url_shown} ({result.after}).")
    else:
        done = "Would upgrade" if dry_run else "Upgraded"
        console.notice(f"{done} {result.url_shown} from {result.before} to {result.after}.")
    shown = {"database": result.url_shown, "dry_run": dry_run, "before": result.before, "after": result.after}
    console.document("db upgrade", True, shown)
