"""``brekzsync doctor``: is everything in place for the runs that nobody watches?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from brekzsync.commands.invocation import Invocation, pass_invocation
from brekzsync.errors import BrekzsyncError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from brekzsync.console import Tone
    from brekzsync.domain.findings import Check
    from brekzsync.flows.doctor import Result


@click.command(epilog="Example: brekzsync doctor")
@pass_invocation
def doctor(invocation: Invocation) -> int:
    """Try every connection, right, table and folder, and say what to do about each.

    Looks at the configuration, the state, the shop, the ERP, the marketplace, the outboxes, the clocks and the
    cron entries. Writes nothing. Ends with 0 when nothing failed, warnings or not. Run it as the user that cron
    runs brekzsync as: rights are that user's.
    """
    from brekzsync.bootstrap.doctor import examination, without_configuration

    try:
        settings = invocation.settings
    except ConfigurationError as error:
        return _report(invocation, _examined(invocation, without_configuration(error)))
    with examination(settings) as checks:
        return _report(invocation, _examined(invocation, checks))


def _examined(invocation: Invocation, checks: Sequence[Check]) -> list[Result]:
    from brekzsync.flows.doctor import examine

    with invocation.console.progress("Looking", len(checks)) as advance:
        return examine(checks, advance)


def _report(invocation: Invocation, results: list[Result]) -> int:
    """Show the results in the form that was asked for; the exit code."""
    from brekzsync.flows.doctor import worst

    console, failure = invocation.console, worst(results)
    rows = _rows(results, problems_only=console.verbosity < 0)
    if rows:
        console.table("Doctor", ["Check", "Result", "What was found"], rows, tones=_TONES)
    for line in _failed_lines(results):
        console.cron_report(line)
    if failure is None:
        console.notice(_summary(results))
    elif not console.is_silent:
        console.error(_together(results, failure))
    console.document("doctor", failure is None, _document(results, failure))
    return failure.exit_code if failure is not None else 0


_TONES: Mapping[str, Tone] = {"passed": "good", "WARNING": "neutral", "FAILED": "bad"}
_TITLES = {
    "configuration": "Configuration",
    "state": "State",
    "shop": "Shop",
    "erp": "ERP",
    "marketplace": "Marketplace",
    "mail": "Mail",
    "outbox": "Outbox",
    "cron": "Cron",
}


def _rows(results: Sequence[Result], *, problems_only: bool) -> list[tuple[str, str, str]]:
    """Each system's name, and its checks below it."""
    rows: list[tuple[str, str, str]] = []
    last = ""
    for result in results:
        if problems_only and result.verdict in ("passed", "skipped"):
            continue
        title = _title(result.check)
        if title != last:
            rows.append((title, "", ""))
            last = title
        rows.append((f"  {result.check.name}", _mark(result), _told(result)))
    return rows


def _title(check: Check) -> str:
    title = _TITLES[check.system]
    return f"{title} of {check.target}" if check.target else title


def _mark(result: Result) -> str:
    """In capitals what needs a person, so that it is found without colours."""
    verdict = str(result.verdict)
    return verdict.upper() if verdict in ("warning", "failed") else verdict


def _told(result: Result) -> str:
    from brekzsync.logs import redact

    return redact(result.detail + (f"\n→ {result.remedy}" if result.remedy else ""))


def _failed_lines(results: Sequence[Result]) -> list[str]:
    from brekzsync.logs import redact

    return [
        redact(
            f"doctor: {_title(result.check)}, {result.check.name}: {result.detail} {result.remedy}".rstrip()
        )
        for result in results
        if result.error is not None
    ]


def _summary(results: Sequence[Result]) -> str:
    from brekzsync.flows.doctor import counted

    counts = counted(results)
    warnings = "1 warning" if counts["warning"] == 1 else f"{counts['warning']} warnings"
    return f"Nothing failed: {counts['passed']} passed, {warnings}, {counts['skipped']} skipped."


def _together(results: Sequence[Result], failure: BrekzsyncError) -> BrekzsyncError:
    """All failures in a sentence; the remedy is that of the one to begin with."""
    from brekzsync.logs import redact

    names = [f"{_title(result.check)}, {result.check.name}" for result in results if result.error is not None]
    count = f"{len(names)} of {len(results)} checks"
    message = f"{count} failed: {'; '.join(names)}."
    return BrekzsyncError(message, hint=redact(failure.hint), code=failure.code)


def _document(results: Sequence[Result], failure: BrekzsyncError | None) -> dict[str, Any]:
    from brekzsync.console import failure as error_document
    from brekzsync.flows.doctor import counted
    from brekzsync.logs import redact

    document: dict[str, Any] = {
        "counts": counted(results),
        "checks": [
            {
                "system": result.check.system,
                "target": result.check.target or None,
                "name": result.check.name,
                "status": result.verdict.value,
                "detail": redact(result.detail),
                "remedy": redact(result.remedy),
            }
            for result in results
        ],
    }
    if failure is not None:
        document["error"] = error_document(_together(results, failure))
    return document
