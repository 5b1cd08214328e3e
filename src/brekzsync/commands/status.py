"""``brekzsync status``: how every flow is."""

from __future__ import annotations

import click

from brekzsync.commands.invocation import Invocation, pass_invocation


@click.command(epilog="Example: brekzsync status")
@pass_invocation
def status(invocation: Invocation) -> int:
    """Show when each flow last ran, how that ended, what waits, and which run is at work.

    Exit code 3 when a flow that is switched on is overdue: none of its runs came to an end within
    overdue_after of [products], [orders], [stock], [shipments] or [marketplace]. A flow but that of products
    which nobody ever used, or which the configuration does not speak of, is not missed. Writes nothing; the shop
    and the ERP are not asked.
    """
    from brekzsync.bootstrap.flows import flow_health
    from brekzsync.bootstrap.inbox_looks import inbox_backlog
    from brekzsync.commands.inbox_reports import backlog_document, show_backlog
    from brekzsync.commands.status_report import document, overdue_error, show

    flows = flow_health(invocation.settings)
    inbox = inbox_backlog(invocation.settings)
    error = overdue_error(invocation, flows)
    console = invocation.console
    if console.verbosity >= 0:
        show(invocation, flows)
        show_backlog(invocation, inbox)
    if error and not console.is_json:
        console.error(error)
    console.document("status", error is None, {**document(flows, error), **backlog_document(inbox)})
    return 3 if error else 0
