"""How runs of ``shipments import`` are shown: for people, as JSON, as lines for cron's mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from brekzsync.commands.invocation import Invocation
from brekzsync.commands.run_reports import (
    counted,
    is_off,
    is_to_be_shown,
    records_failed,
    show_failures,
    together,
)

if TYPE_CHECKING:
    from brekzsync.domain.outcomes import Tally
    from brekzsync.domain.sync_flows import FlowSwitch
    from brekzsync.flows.shipments.run import ShipmentOutcome, ShipmentRequest

LABEL = "shipments"
_COMMAND = "shipments import"


class ShipmentReport(NamedTuple):
    """The outcome of one target's run; ``cron_lines`` is what cron should mail of it.

    ``switched_off`` says that the flow is: then nothing ran, unless it was a dry run; without a word about shipments
    in the configuration nothing ran either.
    """

    target: str
    outcome: ShipmentOutcome
    cron_lines: list[str]
    switched_off: FlowSwitch | None = None
    is_configured: bool = True

    @property
    def tally(self) -> Tally:
        """The run's counts."""
        return self.outcome.tally


def document(reports: list[ShipmentReport], request: ShipmentRequest) -> dict[str, Any]:
    """The run as JSON; with several targets their sums, and each of them under ``targets``."""
    each = [_target_document(report, request) for report in reports]
    if len(each) == 1:
        return each[0]
    whole = together(each, sums=("counts", "reasons", "warnings"), lists=("failures",))
    return whole | _error(whole["counts"]) | {"targets": each}


def _target_document(report: ShipmentReport, request: ShipmentRequest) -> dict[str, Any]:
    document: dict[str, Any] = {
        "run_id": report.outcome.run.name or None,
        "target": report.target,
        "dry_run": request.dry_run,
        **counted(report.tally),
        "output": None,
    }
    if report.switched_off:
        document["disabled"] = True
    if not report.is_configured:
        document["configured"] = False
    if request.baseline:
        document["baselined"] = report.outcome.baselined
    return document | _error(document["counts"])


def _error(counts: Mapping[str, int]) -> dict[str, Any]:
    return records_failed(
        counts, "shipment", "Each failure names what to mend; the next run takes them along."
    )


def show(invocation: Invocation, report: ShipmentReport, request: ShipmentRequest) -> None:
    """What a run came to, for a terminal or for cron's mail."""
    console, title = invocation.console, _title(report, request)
    did = "read or written"
    if not is_to_be_shown(invocation, title, report, "shipment", "shipments", did, dry_run=request.dry_run):
        return
    if console.verbosity >= 0:
        console.table(title, ["Shipments", "Count"], _rows(report, request))
    show_failures(console, report.tally, "Order")
    if is_off(invocation, report, "shipment"):
        return
    for line in _closing(invocation, report, request):
        console.notice(line)


def _title(report: ShipmentReport, request: ShipmentRequest) -> str:
    what = f"{'Baseline of shipments' if request.baseline else 'Shipments'} ← {report.target}"
    return f"{what}{' (dry run: nothing written)' if request.dry_run else ''}"


def _rows(report: ShipmentReport, request: ShipmentRequest) -> list[tuple[str, int]]:
    """Every count, the reasons under the count they belong to."""
    tally = report.tally
    rows = [("Of orders of the shop", tally.eligible)]
    if request.baseline:
        taken = "would be taken" if request.dry_run else "taken"
        before = tally.unchanged - report.outcome.baselined
        rows += [("  in the shop already", before), (f"  {taken} as imported", report.outcome.baselined)]
    else:
        rows += [("  in the shop already", tally.unchanged), ("  pending", tally.pending)]
        rows += [("    would be imported" if request.dry_run else "    imported", tally.delivered)]
        rows += [("    failed", tally.failed)]
        failed = dict.fromkeys(failure.reason for failure in tally.failures)
        rows += [(f"      {_words(reason)}", tally.reasons[reason]) for reason in failed]
        if tally.left:
            rows += [("    left for the next run", tally.left)]
    rows += [(_words(reason), tally.reasons[reason]) for reason in _SKIPPED if tally.reasons[reason]]
    rows += [(f"Warning: {_words(warning)}", count) for warning, count in tally.warnings.most_common()]
    return rows


_SKIPPED = ("not_our_order", "not_delivered", "order_is_dead")
_WORDS = {
    "not_our_order": "Of no order of the shop",
    "not_delivered": "Not delivered",
    "order_is_dead": "Of orders the shop canceled",
    "tracking_differs": "another tracking number was typed into the shop",
    "no_carrier": "the order has no carrier for its tracking number",
    "state_is_beyond": "the shop is further already",
    "state_was_left": "the shop moved it on before",
}


def _words(reason: str) -> str:
    return _WORDS.get(reason, reason.replace("_", " "))


def _closing(invocation: Invocation, report: ShipmentReport, request: ShipmentRequest) -> list[str]:
    """What was passed over, where a person asked for it, and the next thing to type."""
    tally, command = report.tally, invocation.typed(_COMMAND)
    lines = list(report.outcome.passed_over) if request.ids else []
    if request.dry_run and (tally.delivered or report.outcome.baselined):
        lines.append("Next: the same command without --dry-run writes them.")
    elif tally.failures:
        lines.append(f"Next: mend what failed, then: {command} {tally.failures[0].shown}")
    elif tally.left:
        lines.append(f"Next: {command}, for what --limit left.")
    elif tally.warnings:
        logs = invocation.typed("logs list --type shipment")
        lines.append(f"Next: {logs} says of which orders the warnings are.")
    elif not (tally.delivered or request.baseline or request.ids):
        lines.append("Nothing to do: the shop knows of everything the ERP delivered.")
    return lines
