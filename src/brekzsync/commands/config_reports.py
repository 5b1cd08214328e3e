"""How the commands of ``brekzsync config`` are shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brekzsync.console import Console
    from brekzsync.errors import BrekzsyncError
    from brekzsync.flows.configuration.report import CheckReport
    from brekzsync.flows.configuration.rules import Finding
    from brekzsync.settings.effective import Table


def show_written(console: Console, path: Path, following: str, *, replaces: bool, dry_run: bool) -> None:
    """What was written, what to fill in, and the next thing to type."""
    if dry_run:
        console.output(f"Would {'replace' if replaces else 'write'} {path}. Nothing was written.")
        return
    console.output(f"{'Replaced' if replaces else 'Wrote'} {path}, readable by its owner only.")
    console.output("Fill in, the only keys without a # before them:")
    console.output("  [shop] database   how to reach the shop's database")
    console.output("  [shop] data_shop  the shop all product data is read from")
    console.output(f"Next: {following}")


def show_check(console: Console, report: CheckReport, source: Path) -> None:
    """A table of errors and one of warnings, then what was not looked at."""
    from brekzsync.flows.configuration.rules import Severity

    for severity in Severity:
        if findings := report.of(severity):
            title = f"{severity.capitalize()}s"
            console.table(title, ["Where", "What is wrong", "What to do"], [_row(one) for one in findings])
    if not report.findings:
        console.output(f"{source}: nothing is wrong{' in the file itself' if report.failure else ''}.")
    for what, why in report.not_checked:
        console.notice(f"Not checked: {what}; {why}.")


def _row(finding: Finding) -> tuple[str, str, str]:
    section = f"[{finding.section}]" if finding.section else ""
    return f"{section} {finding.key}".strip(), finding.message, finding.remedy


def check_document(report: CheckReport, source: Path, error: BrekzsyncError | None) -> dict[str, Any]:
    """The check as JSON."""
    from brekzsync.console import failure

    document: dict[str, Any] = {
        "file": str(source),
        "findings": [finding._asdict() for finding in report.findings],
        "not_checked": [part._asdict() for part in report.not_checked],
    }
    return document | ({"error": failure(error)} if error is not None else {})


def show_document(tables: list[Table], source: Path, target: str | None) -> dict[str, Any]:
    """The configuration as JSON: ``configuration`` and, in the same shape, ``origins``."""
    document: dict[str, Any] = {"file": str(source), "target": target, "configuration": {}, "origins": {}}
    for table in tables:
        values, origins = document["configuration"], document["origins"]
        for part in table.name.split("."):
            values, origins = values.setdefault(part, {}), origins.setdefault(part, {})
        for value in table.values:
            values[value.key] = value.value
            origins[value.key] = {"origin": value.origin, "source": value.source or None}
    return document
