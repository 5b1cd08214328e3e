"""How runs of ``orders export`` and ``refunds export`` are shown: for people, as JSON, as lines for cron's mail."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from brekzsync.commands.invocation import Invocation
from brekzsync.commands.run_reports import (
    counted,
    is_off,
    is_to_be_shown,
    records_failed,
    show_failures,
    shown_path,
    together,
)

if TYPE_CHECKING:
    from brekzsync.domain.outcomes import Tally
    from brekzsync.domain.sync_flows import FlowSwitch
    from brekzsync.flows.orders.kinds import Kind
    from brekzsync.flows.orders.run import OrderOutcome, OrderRequest


class OrderReport(NamedTuple):
    """The outcome of one target's run; ``cron_lines`` is what cron should mail of it.

    ``output`` is None where documents are fetched. ``switched_off`` says that the flow is: then nothing ran,
    unless it was a dry run; without a word about orders in the configuration nothing ran either.
    """

    kind: Kind[Any]
    target: str
    output: Path | None
    outcome: OrderOutcome
    cron_lines: list[str]
    switched_off: FlowSwitch | None = None
    is_configured: bool = True

    @property
    def tally(self) -> Tally:
        """The run's counts."""
        return self.outcome.tally


def document(reports: list[OrderReport], request: OrderRequest) -> dict[str, Any]:
    """The run as JSON; with several targets their sums, and each of them under ``targets``."""
    each = [_target_document(report, request) for report in reports]
    if len(each) == 1:
        return each[0]
    lists = ("noticed", "failures")
    whole = together(each, sums=("counts", "reasons", "warnings", "read_back"), lists=lists)
    return whole | _error(whole["counts"], reports[0].kind) | {"targets": each}


def _target_document(report: OrderReport, request: OrderRequest) -> dict[str, Any]:
    outcome = report.outcome
    document: dict[str, Any] = {
        "run_id": outcome.run.name or None,
        "target": report.target,
        "dry_run": request.dry_run,
        **counted(report.tally),
        "read_back": {name: len(keys) for name, keys in outcome.read_back.told().items()},
        "erp_trouble": outcome.erp_trouble or None,
        "output": None if report.output is None else str(report.output),
        "indexed": outcome.indexed,
        "noticed": [
            {"key": str(one.key[0]), "reason": one.reason, "message": one.message, "new": one.is_new}
            for one in outcome.noticed
        ],
    }
    if report.switched_off:
        document["disabled"] = True
    if not report.is_configured:
        document["configured"] = False
    if request.baseline:
        document["baselined"] = outcome.baselined
    return document | _error(document["counts"], report.kind)


def _error(counts: Mapping[str, int], kind: Kind[Any]) -> dict[str, Any]:
    hint = "Each failure names what to mend; the next run takes them along."
    return records_failed(counts, kind.noun, hint)


def show(invocation: Invocation, report: OrderReport, request: OrderRequest) -> None:
    console, flow = invocation.console, report.kind.flow
    title, did = _title(report, request), "read or sent"
    if not is_to_be_shown(invocation, title, report, flow, "orders", did, dry_run=request.dry_run):
        return
    if console.verbosity >= 0:
        console.table(title, [f"{report.kind.noun.capitalize()}s", "Count"], _rows(report, request))
    show_failures(console, report.tally, "Id")
    if report.outcome.erp_trouble:
        console.warning(f"Exact could not be asked what it has: {report.outcome.erp_trouble}.")
    if new := [one for one in report.outcome.noticed if one.is_new]:
        console.table(
            "Changed after export",
            ["Id", "Reason", "What to do"],
            [(str(one.key[0]), one.reason, one.message) for one in new],
        )
    if is_off(invocation, report, flow):
        return
    for line in _closing(invocation, report, request):
        console.notice(line)


def _after_failures(invocation: Invocation, report: OrderReport, command: str) -> str:
    """What is mended goes by itself; what nobody knows of waits for a person."""
    failures = report.tally.failures
    mendable = next((one for one in failures if one.reason != "outcome_unknown"), None)
    if mendable is not None:
        return f"Next: mend what failed, then: {command} {mendable.shown}"
    settle = invocation.typed(f"{report.kind.noun}s settle {failures[0].shown}")
    return f"Next: look whether Exact has it, then: {settle} --sent, or --resend."


def _title(report: OrderReport, request: OrderRequest) -> str:
    what = f"{report.kind.noun.capitalize()}s"
    what = f"Baseline of {what.lower()}" if request.baseline else what
    return f"{what} → {report.target}{' (dry run: nothing written)' if request.dry_run else ''}"


def _rows(report: OrderReport, request: OrderRequest) -> list[tuple[str, int]]:
    """Every count, the reasons under the count they belong to."""
    tally, outcome = report.tally, report.outcome
    rows = [
        (label, len(keys))
        for label, keys in zip(_READ_BACK, outcome.read_back.told().values(), strict=True)
        if keys
    ]
    rows += [("Due", tally.eligible), ("  in the ERP already", tally.unchanged)]
    if tally.reasons["found_in_erp"]:
        rows += [("    found there just now", tally.reasons["found_in_erp"])]
    rows += [("  pending", tally.pending)]
    rows += [("    would be delivered" if request.dry_run else "    delivered", tally.delivered)]
    if request.baseline:
        taken = "would be taken" if request.dry_run else "taken"
        rows += [(f"    {taken} as delivered", outcome.baselined)]
    rows += [("    failed", tally.failed)]
    failed = {failure.reason for failure in tally.failures}
    rows += [
        (f"      {_words(reason)}", count)
        for reason, count in tally.reasons.most_common()
        if reason in failed and reason not in _WAITING
    ]
    rows += [(f"    {_words(reason)}", tally.reasons[reason]) for reason in _WAITING if tally.reasons[reason]]
    rows += [(_words(reason), tally.reasons[reason]) for reason in _ENDED if tally.reasons[reason]]
    rows += [(f"Warning: {_words(warning)}", count) for warning, count in tally.warnings.most_common()]
    return rows


_READ_BACK = (
    "Found in the ERP: settled",
    "Not in the ERP: sent again",
    "Nobody knows what became of them",
)
_WAITING = ("in_flight", "order_not_in_erp", "waiting_to_retry", "queued")
_ENDED = ("not_due", "no_longer_due")
_WORDS = {
    "in_flight": "out, result awaited",
    "order_not_in_erp": "order not in the ERP yet",
    "waiting_to_retry": "rejected, waiting to be tried again",
    "queued": "left for the next run",
    "not_due": "Not due",
    "no_longer_due": "No longer due before they went",
    "erp_not_asked": "the ERP could not be asked",
    "address_cut": "address cut to the ERP's lengths",
    "control_characters_removed": "control characters removed",
}


def _words(reason: str) -> str:
    return _WORDS.get(reason, reason.replace("_", " "))


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _closing(invocation: Invocation, report: OrderReport, request: OrderRequest) -> list[str]:
    """Where the files are, and the next thing to type."""
    tally, command = report.tally, invocation.typed(report.kind.command)
    lines = []
    if report.output is not None and not (request.dry_run or request.baseline):
        unread = report.outcome.indexed or 0
        lines.append(f"Documents: {shown_path(report.output)} ({unread} unread, listed in index.xml)")
    if request.dry_run and tally.delivered:
        lines.append("Next: the same command without --dry-run delivers them.")
    elif tally.failures:
        lines.append(_after_failures(invocation, report, command))
    elif tally.reasons["queued"]:
        lines.append(f"Next: {command}, for what --limit left.")
    elif tally.delivered:
        lines.append(f"Next: let Exact import them; {command} then finds them there.")
    elif tally.reasons["in_flight"]:
        awaited = _counted(tally.reasons["in_flight"], report.kind.noun)
        lines.append(f"Nothing new to send: the result of {awaited} is awaited.")
    elif tally.skipped:
        lines += report.outcome.not_due
    elif not request.baseline:
        lines.append("Nothing to do: the ERP has everything that may go.")
    return lines
