"""What the reports of all runs that export have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brekzsync.console import Console
    from brekzsync.domain.outcomes import Tally


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
