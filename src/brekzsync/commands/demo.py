"""``brekzsync demo``: a small shop to try everything on."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from brekzsync.commands.invocation import Invocation, pass_invocation

if TYPE_CHECKING:
    from brekzsync.console import Console
    from brekzsync.demo.folder import Demo


Command = TypeVar("Command", bound=Callable[..., Any])


def _in_folder(what: str) -> Callable[[Command], Command]:
    """The option that names the demo's folder; ``what`` explains it."""
    return click.option(
        "--dir",
        "directory",
        type=click.Path(path_type=Path),
        default=Path("demo"),
        metavar="DIR",
        help=f"{what} [default: ./demo].",
    )


def _orders(option: str, name: str, what: str) -> Callable[[Command], Command]:
    """An option that names orders of the marketplace."""
    return click.option(option, name, multiple=True, metavar="ORDER", help=f"{what}.")


@click.group(epilog="Example: brekzsync demo up")
def demo() -> None:
    """Try brekzsync with a small shop, ERP and marketplace of its own."""


@demo.command(epilog="Example: brekzsync demo up --dir shop-to-try")
@_in_folder("Folder to make it in, new or empty or with an earlier demo")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be made.")
@pass_invocation
def up(invocation: Invocation, directory: Path, dry_run: bool) -> None:
    """Make a demo shop, with a configuration to go with it.

    Needs no configuration of its own. Repeated, it puts an earlier demo back to its beginning.
    """
    from brekzsync.demo.folder import make_demo

    made = make_demo(directory, datetime.now(UTC), dry_run=dry_run)
    following = f"brekzsync --config {shlex.quote(str(made.configuration))} products export"
    _show(invocation.console, made, following, dry_run=dry_run)
    invocation.console.document(
        "demo up",
        True,
        {
            "dry_run": dry_run,
            "directory": str(made.directory),
            "configuration": str(made.configuration),
            "shops": made.shops,
            "products": made.products,
            "combinations": made.combinations,
            "orders": made.orders,
            "refunds": made.refunds,
            "refreshed": made.refreshed,
            "kept_configuration": made.kept_configuration,
            "next": following,
        },
    )


@demo.command(name="import", epilog="Example: brekzsync demo import --dir demo")
@_in_folder("The demo's folder")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what lies there unread.")
@pass_invocation
def import_(invocation: Invocation, directory: Path, dry_run: bool) -> int:
    """Import what lies in the demo's outbox into the demo's ERP, as Exact would.

    Documents are taken in the order of the indexes and deleted once they are imported. Exit code 3 when the ERP
    rejected a record.
    """
    from brekzsync.commands.demo_reports import (
        import_document,
        show_import,
        show_unread,
        unread_document,
    )
    from brekzsync.demo.outbox_import import import_outbox, unread_documents

    if dry_run:
        unread = unread_documents(directory)
        show_unread(invocation.console, directory, unread)
        invocation.console.document("demo import", True, unread_document(directory, unread))
        return 0
    told = list(import_outbox(directory, datetime.now(UTC)))
    document = import_document(directory, told)
    show_import(invocation.console, directory, told)
    invocation.console.document("demo import", "error" not in document, document)
    return 3 if "error" in document else 0


@demo.command(epilog="Example: brekzsync demo webservice --port 8081")
@_in_folder("The demo's folder")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8081,
    metavar="P",
    help="Port; 0 is any free one [default: 8081].",
)
@pass_invocation
def webservice(invocation: Invocation, directory: Path, port: int) -> None:
    """Answer as the webservice of the demo's shop until it is told to stop.

    Stock and shipments are written through it. It takes the key that [shop] webservice_key of the demo's
    configuration holds, on this machine only.
    """
    from brekzsync.demo.local_service import until_told
    from brekzsync.demo.webservice.server import demo_webservice

    with demo_webservice(directory, port) as service:
        invocation.console.notice(f"The demo's webservice is at {service.address} until it is told to stop.")
        until_told()
    invocation.console.document("demo webservice", True, {"address": service.address})


@demo.command(epilog="Example: brekzsync demo marketplace --port 8082")
@_in_folder("The demo's folder")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8082,
    metavar="P",
    help="Port; 0 is any free one [default: 8082].",
)
@click.option(
    "--ticket-delay",
    type=click.FloatRange(0),
    default=5.0,
    metavar="S",
    help="Seconds until it has done what it took [default: 5].",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="Answer more than N requests a second with HTTP 429.",
)
@_orders("--fail", "failing", "Let what is asked for this order fail")
@_orders("--cancel", "canceling", "Cancel what is asked for it")
@_orders("--ignore", "ignoring", "Report it as ignored")
@pass_invocation
def marketplace(
    invocation: Invocation,
    directory: Path,
    port: int,
    ticket_delay: float,
    rate: float | None,
    failing: tuple[str, ...],
    canceling: tuple[str, ...],
    ignoring: tuple[str, ...],
) -> None:
    """Answer as the marketplace of the demo's orders until it is told to stop.

    Order statuses are sent to it, and it says what became of them, as Shopping Feed does. What it was told is kept
    until the next `demo up`. ORDER is an order's id or reference on the marketplace; repeat an option for several.
    """
    from brekzsync.demo.local_service import until_told
    from brekzsync.demo.marketplace.rules import Behaviour, named
    from brekzsync.demo.marketplace.server import demo_marketplace

    behaviour = Behaviour(
        ticket_delay=ticket_delay,
        requests_per_second=rate,
        failing=dict.fromkeys(named(failing), "Unable to update order."),
        canceling=named(canceling),
        ignoring=dict.fromkeys(named(ignoring), "Order not found"),
    )
    with demo_marketplace(directory, port, behaviour) as service:
        invocation.console.notice(f"The demo's marketplace is at {service.url} until it is told to stop.")
        until_told()
        accepted = service.accepted()
    invocation.console.document(
        "demo marketplace",
        True,
        {"address": service.url, "accepted": {str(order): told for order, told in accepted.items()}},
    )


def _show(console: Console, made: Demo, following: str, *, dry_run: bool) -> None:
    shop = (
        f"{len(made.shops)} shops ({', '.join(made.shops)}), {made.combinations} combinations,"
        f" {made.orders} orders"
    )
    if dry_run:
        there = "put back to its beginning" if made.refreshed else "made"
        console.output(f"A demo would be {there} in {made.directory}: {shop}. Nothing was written.")
        return
    if made.refreshed:
        console.output(f"The demo in {made.directory} is back at its beginning: {shop}, an empty outbox.")
    else:
        console.output(f"Made a demo in {made.directory}: {shop}.")
    for file, content in (
        ("shop.db", "the shop, as a PrestaShop would hold it"),
        ("erp.db", "the ERP, as an Exact Globe would hold it"),
        ("marketplace.db", "the marketplace, with what its customers ordered in the shop"),
        ("state.db", "what brekzsync remembers: a few exclusions, nothing sent yet"),
        ("brekzsync.toml", "the configuration"),
    ):
        kept = (
            " (yours, kept as you changed it)"
            if file == made.configuration.name and made.kept_configuration
            else ""
        )
        console.output(f"  {file:<16}{content}{kept}")
    console.output(f"Next: {following}")
