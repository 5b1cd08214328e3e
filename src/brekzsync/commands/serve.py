"""``brekzsync serve``: let Exact fetch products, orders and refunds over HTTP."""

from __future__ import annotations

import click

from brekzsync.commands.invocation import Invocation, pass_invocation


@click.command(epilog="Example: brekzsync serve --port 8080")
@click.option("--host", metavar="H", help="Address to listen on [default: serve.host].")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="P",
    help="Port; 0 is any free one [default: serve.port].",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    metavar="N",
    help="Processes that answer [default: serve.workers].",
)
@pass_invocation
def serve(invocation: Invocation, host: str | None, port: int | None, workers: int | None) -> None:
    """Answer Exact's requests for products, orders and refunds until it is told to stop.

    SIGTERM or Ctrl-C stops it: what is being sent is finished, nothing new is taken, and the exit code is 0.
    The addresses it answers are in docs/reference/http.md.
    """
    from brekzsync.bootstrap.serve import check_before_listening
    from brekzsync.errors import ConfigurationError

    try:
        from brekzsync.web.running import Listening
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"`brekzsync serve` needs {error.name}, which is not installed.",
            hint="Run `pip install 'brekzsync[serve]'`.",
            code="extra_missing",
        ) from error

    settings = invocation.settings
    host = host or settings.serve.host
    check_before_listening(settings, host)
    with Listening(host, settings.serve.port if port is None else port) as listening:
        invocation.console.notice(f"Serving at {listening.address} until it is told to stop.")
        listening.serve(settings, workers or settings.serve.workers)
    invocation.console.document("serve", True, {"address": listening.address})
