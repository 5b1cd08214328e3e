"""How runs of ``stock sweep``, ``stock diff`` and ``stock update`` are shown: for people, as JSON, as a file."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal
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
from brekzsync.commands.times import ago, stamp
from brekzsync.domain.keys import format_key
from brekzsync.domain.stock import MEANINGS
from brekzsync.errors import ConfigurationError
from brekzsync.state.times import from_milliseconds

if TYPE_CHECKING:
    from pathlib import Path

    from brekzsync.console import Console
    from brekzsync.domain.outcomes import Tally
    from brekzsync.domain.stock import Finding
    from brekzsync.domain.sync_flows import FlowSwitch
    from brekzsync.flows.stock.figures import Figure
    from brekzsync.flows.stock.ports import LeftAlone
    from brekzsync.flows.stock.run import StockOutcome

FLOW = "stock"
_SHOWN = 20
_OF_A_KIND = 5
_MEANT_FOR_SPREADSHEETS = "=+-@\t\r"


class StockReport(NamedTuple):
    """The outcome of one target's run; ``cron_lines`` is what cron should mail of it."""

    target: str
    outcome: StockOutcome
    cron_lines: list[str]
    switched_off: FlowSwitch | None = None
    is_configured: bool = True

    @property
    def tally(self) -> Tally:
        """The run's counts."""
        return self.outcome.tally


def nothing_done() -> StockOutcome:
    """The outcome where nothing ran."""
    from brekzsync.domain.outcomes import Tally
    from brekzsync.flows.frame import OpenRun
    from brekzsync.flows.stock.run import StockOutcome

    return StockOutcome(OpenRun(0, ""), Tally())


# --- JSON ------------------------------------------------------------------------------------------------------


def document(reports: Sequence[StockReport], *, dry_run: bool, asked_for: bool) -> dict[str, Any]:
    """The run as JSON; with several targets their sums, and each of them under ``targets``."""
    each = [_target_document(report, dry_run=dry_run, asked_for=asked_for) for report in reports]
    if len(each) == 1:
        return each[0]
    lists = ("differences", "findings", "failures")
    whole = together(each, sums=("counts", "reasons", "warnings"), lists=lists)
    errors = [one["error"] for one in each if "error" in one]
    return whole | ({"error": errors[0]} if errors else {}) | {"targets": each}


def _target_document(report: StockReport, *, dry_run: bool, asked_for: bool) -> dict[str, Any]:
    outcome = report.outcome
    found: dict[str, Any] = {
        "run_id": outcome.run.name or None,
        "target": report.target,
        "dry_run": dry_run,
        **counted(report.tally),
        "output": None,
        "indexed": None,
        "differences": [_figure(one) for one in outcome.differences],
        "findings": [_left(one) for one in outcome.left],
    }
    if outcome.census is not None:
        found["census"] = outcome.census._asdict()
    if report.switched_off:
        found["disabled"] = True
    if not report.is_configured:
        found["configured"] = False
    hint = "Each failure names what to mend; the next sweep takes them along."
    error = records_failed(found["counts"], "item", hint)
    if not error and asked_for and outcome.left:
        error = {
            "error": {
                "code": "left_alone",
                "message": f"{_counted(len(outcome.left), 'item')} could not be compared.",
                "hint": "`findings` says why.",
            }
        }
    return found | error


def diff_document(reports: Sequence[StockReport], codes: Sequence[str]) -> tuple[bool, dict[str, Any]]:
    """Whether nothing differs (nor is unknown, of what was asked for), and the comparison as JSON."""
    each = [_diff(report, codes) for report in reports]
    differing = sum(report.tally.pending or len(report.outcome.differences) for report in reports)
    left = sum(len(report.outcome.left) for report in reports) if codes else 0
    found = each[0] if len(each) == 1 else {"targets": each}
    if not (differing or left):
        return True, found
    parts = [f"{_counted(differing, 'item')} differ{'s' if differing == 1 else ''}"] if differing else []
    parts += [f"{_counted(left, 'item')} cannot be compared"] if left else []
    error = {
        "code": "differences_found",
        "message": f"{' and '.join(parts)}.",
        "hint": "`brekzsync stock update CODE` or `brekzsync stock sweep` writes the ERP's figures.",
    }
    return False, found | {"error": error}


def _diff(report: StockReport, codes: Sequence[str]) -> dict[str, Any]:
    outcome = report.outcome
    found: dict[str, Any] = {"target": report.target}
    if not codes:
        found |= counted(report.tally)
        found["census"] = outcome.census._asdict() if outcome.census else None
    figures = outcome.figures if codes else outcome.differences
    found["items"] = [_figure(one) | _age(outcome, one) for one in figures]
    found["findings"] = [_left(one) for one in outcome.left]
    return found


def _figure(one: Figure) -> dict[str, Any]:
    parts = one.parts
    return {
        "code": one.code,
        "key": format_key(one.key),
        "shop": one.place.place.name,
        "shop_quantity": one.before,
        "erp_quantity": one.wanted,
        "delta": one.delta,
        "parts": {
            "on_hand": _number(parts.on_hand),
            "open_sales": _number(parts.open_sales),
            "reserved": one.reserved,
            "unreceived": parts.unreceived,
            "margin": parts.margin,
        },
    }


def _age(outcome: StockOutcome, one: Figure) -> dict[str, Any]:
    entry, moved = outcome.entries.get(one.key), outcome.last_moved.get(one.code)
    written = (
        from_milliseconds(entry.synced_at) if entry is not None and entry.synced_at is not None else None
    )
    return {"written_at": stamp(written), "moved_on": None if moved is None else moved.isoformat()}


def _left(one: LeftAlone) -> dict[str, Any]:
    return {
        "code": one.code,
        "key": None if one.key is None else format_key(one.key),
        "finding": one.finding.value,
        "message": MEANINGS[one.finding],
    }


def _number(quantity: Decimal | int) -> float | int:
    return int(quantity) if quantity == int(quantity) else float(quantity)


# --- people ----------------------------------------------------------------------------------------------------


def show(invocation: Invocation, report: StockReport, command: str, *, dry_run: bool) -> None:
    console = invocation.console
    title = f"Stock ← {report.target}{' (dry run: nothing written)' if dry_run else ''}"
    if not is_to_be_shown(invocation, title, report, FLOW, "stock", "read or written", dry_run=dry_run):
        return
    if console.verbosity >= 0:
        console.table(title, ["Items", "Count"], _rows(report, dry_run=dry_run))
    _show_differences(invocation, report.outcome, "Would be written" if dry_run else "Differed")
    _show_left(invocation, report.outcome)
    show_failures(console, report.tally, "Item")
    if not is_off(invocation, report, FLOW):
        console.notice(_closing(invocation, report, command, dry_run=dry_run))


def show_diff(invocation: Invocation, report: StockReport, codes: Sequence[str]) -> None:
    console, outcome = invocation.console, report.outcome
    if not codes:
        console.table(f"Stock ← {report.target}", ["Items", "Count"], _rows(report, dry_run=True))
        _show_differences(invocation, outcome, "Differs")
        _show_left(invocation, outcome)
        if not outcome.differences:
            console.notice("Nothing differs: the shop shows what the ERP has.")
        else:
            console.notice(f"Next: {invocation.typed('stock sweep')} writes the ERP's figures.")
        return
    if outcome.figures:
        _show_figures(console, f"Stock ← {report.target}", outcome.figures)
        for line in _ages(outcome):
            console.notice(line)
    _show_left(invocation, outcome)
    if outcome.differences:
        differing = " ".join(dict.fromkeys(one.code for one in outcome.differences))
        console.notice(f"Next: {invocation.typed(f'stock update {differing}')}")


_COLUMNS = ("Item", "Key", "Shows", "ERP", "Delta", "Made of")


def _show_figures(console: Console, title: str, figures: Sequence[Figure]) -> None:
    """A row for each; the place only where there are several."""
    several = len({one.place.place.name for one in figures}) > 1
    columns = [*_COLUMNS[:2], "Shop", *_COLUMNS[2:]] if several else list(_COLUMNS)
    rows = []
    for one in figures:
        place = [one.place.place.name] if several else []
        delta = f"{one.delta:+d}" if one.delta else "="
        rows.append([one.code, format_key(one.key), *place, one.before, one.wanted, delta, _made_of(one)])
    console.table(title, columns, rows)


def _made_of(one: Figure) -> str:
    """What the ERP's figure is made of, as far as it is anything."""
    parts = one.parts
    taken = ((parts.open_sales, "sold"), (parts.unreceived, "not received"), (parts.margin, "kept back"))
    words = [f"{_number(parts.on_hand)} on hand"]
    words += [f"{_number(many)} {what}" for many, what in taken if many]
    words += [f"({one.reserved} reserved in the shop)"] if one.reserved else []
    if one.place.rules.share != 1:
        words.append(f"of that {one.place.rules.share * 100:f}".rstrip("0").rstrip(".") + " %")
    return ", ".join(words)


def _rows(report: StockReport, *, dry_run: bool) -> list[tuple[str, int]]:
    tally = report.tally
    rows = [("Compared", tally.eligible), ("  equal", tally.unchanged), ("  different", tally.pending)]
    rows += [("    would be written" if dry_run else "    written", tally.delivered)]
    rows += [("    failed", tally.failed)] if tally.failed else []
    rows += [("    sold meanwhile, left for the next sweep", tally.left)] if tally.left else []
    rows += [("Left alone", sum(report.outcome.findings.values()))]
    rows += [
        (f"  {finding.value.replace('_', ' ')}", many)
        for finding, many in report.outcome.findings.most_common()
    ]
    return rows


def _show_differences(invocation: Invocation, outcome: StockOutcome, title: str) -> None:
    console, figures = invocation.console, outcome.differences
    if not figures:
        return
    shown = figures if console.verbosity > 0 else figures[:_SHOWN]
    count = max(outcome.tally.pending, len({one.key for one in figures}))
    more = f" (the {len(shown)} largest of {count})" if count > len(shown) else ""
    _show_figures(console, f"{title}{more}", shown)


def _show_left(invocation: Invocation, outcome: StockOutcome) -> None:
    """Some of each kind, the rarest first: that is where something may be wrong."""
    console, counts = invocation.console, outcome.findings
    if not outcome.left:
        return
    shown = [
        one
        for finding, _ in reversed(counts.most_common())
        for one in _some_of(outcome.left, finding, all_there_is=console.verbosity > 0)
    ]
    total = sum(counts.values())
    more = f" ({len(shown)} of {total}; --findings FILE lists all)" if total > len(shown) else ""
    rows = [
        (one.code or "-", "-" if one.key is None else format_key(one.key), MEANINGS[one.finding])
        for one in shown
    ]
    console.table(f"Left alone{more}", ["Item", "Key", "Why"], rows)


def _some_of(left: Sequence[LeftAlone], finding: Finding, *, all_there_is: bool) -> list[LeftAlone]:
    own = [one for one in left if one.finding is finding]
    return own if all_there_is else own[:_OF_A_KIND]


def _ages(outcome: StockOutcome) -> Iterator[str]:
    """How old each figure is, as far as anybody knows."""
    now = datetime.now(UTC)
    for code, one in {one.code: one for one in outcome.figures}.items():
        entry, moved = outcome.entries.get(one.key), outcome.last_moved.get(code)
        at = from_milliseconds(entry.synced_at) if entry is not None and entry.synced_at is not None else None
        written = "never written by us" if at is None else f"last written by us {ago(at, now)}"
        in_erp = (
            "never moved in the ERP" if moved is None else f"last moved in the ERP on {moved.isoformat()}"
        )
        yield f"{code}: {written}, {in_erp}."


def _closing(invocation: Invocation, report: StockReport, command: str, *, dry_run: bool) -> str:
    tally = report.tally
    if dry_run and tally.delivered:
        return "Next: the same command without --dry-run writes them."
    if tally.failed:
        return f"Next: mend what failed, then: {invocation.typed('stock sweep')}"
    if tally.left:
        return f"Next: {invocation.typed(command)}, for what was sold meanwhile."
    if tally.pending:
        return f"{_counted(tally.delivered, 'item')} repaired; `logs list --type inventory` shows them."
    if not tally.eligible:
        return "Nothing could be compared."
    return "Nothing to do: the shop shows what the ERP has."


# --- the file of what is left alone ------------------------------------------------------------------------------


@contextmanager
def findings_file(path: Path) -> Iterator[Callable[[LeftAlone], None]]:
    """A CSV file (UTF-8: item code, key, finding, what it means) that appears whole or not at all."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        file = aside.open("w", newline="", encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The findings cannot be written to {path}: {error.strerror}.",
            hint="Name a file in a folder that exists and may be written, with --findings.",
            code="cannot_write",
        ) from error
    try:
        with file:
            rows = csv.writer(file)
            rows.writerow(["item_code", "key", "finding", "meaning"])
            yield lambda one: rows.writerow(_csv_row(one))
        os.replace(aside, path)
    except BaseException:
        with suppress(OSError):
            aside.unlink()
        raise


def _csv_row(one: LeftAlone) -> list[str]:
    """A spreadsheet must not take a code for a formula."""
    code = f"'{one.code}" if one.code[:1] in _MEANT_FOR_SPREADSHEETS and one.code else one.code
    return [code, "" if one.key is None else format_key(one.key), one.finding.value, MEANINGS[one.finding]]


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
