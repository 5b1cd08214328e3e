"""What the reports of all runs that export have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from brekzsync.commands.flow_reports import enabling, told
from brekzsync.commands.invocation import Invocation

if TYPE_CHECKING:
    from brekzsync.console import Console
    from brekzsync.domain.outcomes import Tally
    from brekzsync.domain.sync_flows import FlowSwitch


def counted(tally: Tally) -> dict[str, Any]:
    """What a tally adds to a document."""
    return {
        "counts": tally.counts(),
        "reasons": tally.all_reasons(),
        "warnings": dict(tally.warnings.most_common()),
        "failures": [
            {"key": failure.shown, "reason": failure.reason, "message": failure.message}
            for failure in tally.failures
        ],
    }


def together(each: Sequence[dict[str, Any]], *, sums: Sequence[str], lists: Sequence[str]) -> dict[str, Any]:
    """The documents of several targets as one: what can be added is, and each is under ``targets``."""
    whole: dict[str, Any] = {"run_id": None, "target": None, "dry_run": each[0]["dry_run"]}
    whole |= {"output": None, "indexed": None}
    for part in sums:
        whole[part] = {}
        for document in each:
            for name, count in document[part].items():
                whole[part][name] = whole[part].get(name, 0) + count
    for part in lists:
        whole[part] = [one for document in each for one in document[part]]
    if all("disabled" in document for document in each):
        whole["disabled"] = True
    if "baselined" in each[0]:
        whole["baselined"] = sum(document.get("baselined", 0) for document in each)
    return whole


def records_failed(counts: Mapping[str, int], noun: str, hint: str) -> dict[str, Any]:
    """What a document adds when records failed; ``noun`` is what one record is called."""
    failed, pending = counts["failed"], counts["pending"]
    if not failed:
        return {}
    what = noun if pending == 1 else f"{noun}s"
    return {
        "error": {
            "code": "records_failed",
            "message": f"{failed} of {pending} pending {what} failed.",
            "hint": hint,
        }
    }


class Reported(Protocol):
    """What every report of a run has; ``cron_lines`` is what cron should mail of it."""

    @property
    def target(self) -> str: ...
    @property
    def cron_lines(self) -> Sequence[str]: ...
    @property
    def switched_off(self) -> FlowSwitch | None: ...
    @property
    def is_configured(self) -> bool: ...


def is_to_be_shown(
    invocation: Invocation, title: str, report: Reported, flow: str, section: str, done: str, *, dry_run: bool
) -> bool:
    """Whether a person is to see what the run came to. Else all is said here: cron's lines, or why nothing ran;
    ``done`` is what a run of the flow does, ``section`` where it is configured."""
    console = invocation.console
    if console.is_cron:
        for text in report.cron_lines:
            console.cron_report(text)
    if console.is_silent:
        return False
    if not report.is_configured:
        console.notice(
            f"{title}: [{section}] is empty in the configuration, so nothing was {done}."
            f" {invocation.typed('config check')} says what to fill in once something stands there."
        )
        return False
    if report.switched_off and not dry_run:
        console.notice(
            f"{title}: switched off {told(report.switched_off)}; nothing was {done}, until:"
            f" {enabling(invocation, flow, report.target)}"
        )
        return False
    return True


def is_off(invocation: Invocation, report: Reported, flow: str) -> bool:
    """Whether what a dry run showed will not be done: then that is said instead of what comes next."""
    if report.switched_off:
        enable = enabling(invocation, flow, report.target)
        invocation.console.notice(
            f"Switched off {told(report.switched_off)}; a real run does nothing, until: {enable}"
        )
    return report.switched_off is not None


def show_failures(console: Console, tally: Tally, column: str) -> None:
    """The sample of what failed, with what to do; ``column`` heads the records."""
    if not tally.failures:
        return
    shown = len(tally.failures)
    more = f" (the first {shown} of {tally.failed})" if tally.failed > shown else ""
    console.table(
        f"Failed{more}",
        [column, "Reason", "What to do"],
        [(failure.shown, failure.reason, failure.message) for failure in tally.failures],
    )


def shown_path(path: Path) -> str:
    """A path as one would type it from here."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
