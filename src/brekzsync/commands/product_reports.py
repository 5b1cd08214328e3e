"""How a run of ``products export`` is shown: as a table for people, as JSON, or as lines for cron's mail."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from brekzsync.commands.flow_reports import enabling, told
from brekzsync.commands.invocation import Invocation
from brekzsync.commands.run_reports import counted, records_failed, show_failures, shown_path, together

if TYPE_CHECKING:
    from brekzsync.domain.outcomes import Tally
    from brekzsync.domain.sync_flows import FlowSwitch
    from brekzsync.flows.products.run import ExportOutcome, ExportRequest


class TargetReport(NamedTuple):
    """The outcome of one target's run; ``cron_lines`` is what cron should mail of it.

    ``switched_off`` says that the flow is: then nothing ran, unless it was a dry run.
    """

    target: str
    output: Path
    outcome: ExportOutcome
    cron_lines: list[str]
    switched_off: FlowSwitch | None = None

    @property
    def tally(self) -> Tally:
        """The run's counts."""
        return self.outcome.tally


def document(reports: list[TargetReport], request: ExportRequest) -> dict[str, Any]:
    """The run as JSON; with several targets their sums, and each of them under ``targets``."""
    each = [_target_document(report, request) for report in reports]
    if len(each) == 1:
        return each[0]
    whole = together(each, sums=("counts", "reasons", "warnings"), lists=("failures",))
    return whole | _error(whole["counts"]) | {"targets": each}


def _target_document(report: TargetReport, request: ExportRequest) -> dict[str, Any]:
    document: dict[str, Any] = {
        "run_id": report.outcome.run.name or None,
        "target": report.target,
        "dry_run": request.dry_run,
        **counted(report.tally),
        "output": str(report.output),
        "indexed": report.outcome.indexed,
    }
    if report.switched_off:
        document["disabled"] = True
    if request.baseline:
        document["baselined"] = report.outcome.baselined
    return document | _error(document["counts"])


def _error(counts: Mapping[str, int]) -> dict[str, Any]:
    hint = "Each failure names the field to fill in; the next run takes them along."
    return records_failed(counts, "combination", hint)


def show(invocation: Invocation, report: TargetReport, request: ExportRequest) -> None:
    console = invocation.console
    if console.is_cron:
        for text in report.cron_lines:
            console.cron_report(text)
        return
    if console.is_json:
        return
    if report.switched_off and not request.dry_run:
        text = _off(report.switched_off, request, enabling(invocation, "product", report.target))
        console.notice(f"{_title(report, request)}: {text[0].lower()}{text[1:]}")
        return
    if console.verbosity >= 0:
        console.table(_title(report, request), ["Combinations", "Count"], _rows(report, request))
    show_failures(console, report.tally, "Key")
    if report.switched_off:
        console.notice(_off(report.switched_off, request, enabling(invocation, "product", report.target)))
        return
    for line in _closing(report, request, invocation.typed("products export")):
        console.notice(line)


def _title(report: TargetReport, request: ExportRequest) -> str:
    what = "Baseline of products" if request.baseline else "Products"
    return f"{what} → {report.target}{' (dry run: nothing written)' if request.dry_run else ''}"


def _rows(report: TargetReport, request: ExportRequest) -> list[tuple[str, int]]:
    """Every count, the reasons under the count they belong to."""
    tally = report.tally
    skipped = [(f"  {_words(reason)}", tally.reasons[reason]) for reason in _SKIPPED if tally.reasons[reason]]
    ended = [(_words(reason), count) for reason, count in tally.reasons.items() if reason in _ENDED]
    failed = [
        (f"      {_words(reason)}", count)
        for reason, count in tally.reasons.most_common()
        if reason not in {*_SKIPPED, *_ENDED, "queued", "in_flight", "not_in_erp"}
    ]
    rows = [("Read", tally.read), ("Skipped", tally.skipped), *skipped, ("Eligible", tally.eligible)]
    rows += [("  unchanged", tally.unchanged), ("  pending", tally.pending)]
    rows += [("    would be exported" if request.dry_run else "    exported", tally.delivered)]
    if request.baseline:
        rows += [("    taken as exported", report.outcome.baselined)]
    rows += [("    failed", tally.failed), *failed]
    if tally.left:
        rows += [("    left for the next run", tally.left)]
    rows += ended
    rows += [(f"Warning: {_words(warning)}", count) for warning, count in tally.warnings.most_common()]
    return rows


_SKIPPED = ("not_excluded", "not_bundle_component", "active_in_data_shop")
_ENDED = ("deleted", *(f"became_{criterion}" for criterion in _SKIPPED))
_WORDS = {
    "not_excluded": "excluded by a person or the shop's column",
    "not_bundle_component": "component of a bundle",
    "active_in_data_shop": "not active in the data shop",
    "deleted": "Deleted in the shop since exported",
    "became_not_excluded": "Excluded since exported",
    "became_not_bundle_component": "Became a bundle component since exported",
    "became_active_in_data_shop": "No longer active since exported",
    "unmapped_tax_rate": "tax rate without a VAT code, left out",
    "description_cut": "description cut at 60 characters",
    "control_characters_removed": "control characters removed",
    "image_missing": "image not found, its name alone was sent",
}


def _words(reason: str) -> str:
    return _WORDS.get(reason, reason.replace("_", " "))


def _off(switch: FlowSwitch, request: ExportRequest, enable: str) -> str:
    """That the flow is switched off; ``enable`` is the command that ends it."""
    what = "a real run does nothing" if request.dry_run else "nothing was read or sent"
    return f"Switched off {told(switch)}; {what}, until: {enable}"


def _closing(report: TargetReport, request: ExportRequest, export: str) -> list[str]:
    """Where the files are, and the next thing to type; ``export`` is the command as it was called."""
    tally = report.tally
    lines = []
    if not (request.dry_run or request.baseline):
        lines.append(
            f"Documents: {shown_path(report.output)} ({report.outcome.indexed or 0} unread, listed in index.xml)"
        )
    if request.dry_run and tally.delivered:
        lines.append("Next: the same command without --dry-run writes the documents.")
    elif tally.failures:
        lines.append(f"Next: mend what failed, then: {export} {tally.failures[0].shown}")
    elif tally.reasons["queued"]:
        lines.append(f"Next: {export}, for what --limit left.")
    elif tally.delivered:
        lines.append(f"Next: let Exact import them; {export} --dry-run shows what is left.")
    elif tally.reasons["in_flight"]:
        count = tally.reasons["in_flight"]
        lines.append(
            f"Nothing new to send: the result of {count} combination{'' if count == 1 else 's'} is awaited."
        )
    else:
        lines.append("Nothing to do: the ERP has everything.")
    return lines
