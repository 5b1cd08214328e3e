"""``brekzsync config``: write, check and show the configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from brekzsync.commands.invocation import Invocation, pass_invocation
from brekzsync.errors import ConfigurationError, InvalidInput

if TYPE_CHECKING:
    from brekzsync.flows.configuration.report import CheckReport
    from brekzsync.settings.effective import Table


@click.group(epilog="Example: brekzsync config check")
def config() -> None:
    """Write, check and show the configuration."""


@config.command(epilog="Example: brekzsync config init my-shop.toml --dry-run")
@click.argument("file", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would be written.")
@pass_invocation
def init(invocation: Invocation, file: Path | None, force: bool, dry_run: bool) -> None:
    """Write a starter file with every key there is, explained.

    FILE is the one --config or $BREKZSYNC_CONFIG names, else ./brekzsync.toml. Only its owner may read it: it
    will hold a password.
    """
    from brekzsync.bootstrap.config import write_starter
    from brekzsync.commands.config_reports import show_written
    from brekzsync.settings.places import candidates

    path = file or candidates(invocation.config, os.environ)[0]
    replaces = write_starter(path, force=force, dry_run=dry_run)
    following = _check_of(path)
    show_written(invocation.console, path, following, replaces=replaces, dry_run=dry_run)
    written = {"dry_run": dry_run, "file": str(path.absolute()), "replaces": replaces, "next": following}
    invocation.console.document("config init", True, written)


def _check_of(path: Path) -> str:
    """The command that checks this file, with its name where it would not be found without."""
    from shlex import quote

    from brekzsync.settings.places import candidates

    found = candidates(None, os.environ)[0].absolute() == path.absolute()
    return "brekzsync config check" if found else f"brekzsync --config {quote(str(path))} config check"


@config.command(epilog="Example: brekzsync config check")
@pass_invocation
def check(invocation: Invocation) -> None:
    """Check the file, and in the shop and the ERP what it names.

    Changes nothing. Looks for unknown keys and values that do not fit, tax rates without a VAT code, shops,
    languages, currency and columns. Where [orders] says anything, also for order states and countries that do
    not exist, payment modules and carriers without a code, and items the ERP does not have.
    """
    from brekzsync.commands.config_reports import check_document, show_check
    from brekzsync.flows.configuration.rules import Severity

    report = _checked(invocation)
    source = _source(invocation)
    console = invocation.console
    show_check(console, report, source)
    errors = report.of(Severity.ERROR)
    for finding in errors:
        console.cron_report(f"[{finding.section}] {finding.key}: {finding.message} {finding.remedy}")
    error = report.failure
    if errors and error is None:
        count = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        error = ConfigurationError(
            f"The configuration {source} has {count}.", hint="Do what the table says, then check it again."
        )
    console.document("config check", error is None, check_document(report, source, error))
    if error is not None:
        raise error


def _checked(invocation: Invocation) -> CheckReport:
    """The report; mistakes of the file itself are findings too, and then the shop is not looked at."""
    from brekzsync.bootstrap.config import configuration_check
    from brekzsync.commands.heartbeats import command_names
    from brekzsync.flows.configuration.report import mistaken

    try:
        settings = invocation.settings
    except ConfigurationError as error:
        if error.code == "no_configuration":
            raise
        return mistaken(error)
    with configuration_check(settings, command_names) as prepared:
        return prepared.execute(
            lambda total: invocation.console.progress("Looking through the catalogue", total)
        )


def _source(invocation: Invocation) -> Path:
    """The file that is read: the first there is."""
    from brekzsync.settings.places import candidates

    places = [place.expanduser().absolute() for place in candidates(invocation.config, os.environ)]
    return next((place for place in places if place.exists()), places[0])


@config.command(epilog="Example: brekzsync config show products")
@click.argument("section", required=False, metavar="[SECTION]")
@click.option("--target", metavar="NAME", help="As it is for this one of several targets.")
@pass_invocation
def show(invocation: Invocation, section: str | None, target: str | None) -> None:
    """Show what is in effect, and where each value comes from.

    SECTION is one of its tables, such as products or targets.belgium. Secrets are hidden.
    """
    from brekzsync.commands.config_reports import show_document
    from brekzsync.settings.effective import effective, toml_lines

    settings = invocation.settings
    tables = effective(settings, target)
    if section is not None:
        tables = _narrowed(tables, section)
    console = invocation.console
    for line in [f"# {settings.source}", "", *toml_lines(tables)]:
        console.output(line)
    console.document("config show", True, show_document(tables, settings.source, target))


def _narrowed(tables: list[Table], section: str) -> list[Table]:
    """The tables of this name and those below it; Raises InvalidInput naming the nearest there is."""
    from brekzsync.settings.schema import nearest
    from brekzsync.settings.sections import Settings

    wanted = section.strip("[] ")
    chosen = [table for table in tables if table.name == wanted or table.name.startswith(f"{wanted}.")]
    if not chosen and wanted not in Settings.model_fields:
        known = [table.name for table in tables]
        meant = nearest(wanted, known)
        advice = f"Did you mean {meant}?" if meant else f"The sections are: {', '.join(known)}."
        raise InvalidInput(f"There is no section {wanted!r} in the configuration.", hint=advice)
    return chosen
