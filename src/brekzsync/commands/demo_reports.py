"""How `brekzsync demo import` is shown: as a table, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from brekzsync.console import Console
    from brekzsync.demo.outbox_import import ImportedRecord, Unread

_REJECTED = "Rejected"


def show_unread(console: Console, directory: Path, unread: Sequence[Unread]) -> None:
    """What a dry run found."""
    if not unread:
        console.output(f"Nothing lies unread in {directory / 'outbox'}.")
        return
    rows = [(one.document, _listed(one.records)) for one in unread]
    console.table("Would be imported", ["Document", "Holds"], rows)


def unread_document(directory: Path, unread: Sequence[Unread]) -> dict[str, Any]:
    """The same as JSON."""
    found = [{"document": one.document, "records": one.records} for one in unread]
    return {"dry_run": True, "directory": str(directory), "documents": found}


def show_import(console: Console, directory: Path, told: Sequence[ImportedRecord]) -> None:
    """A line for each record, and what they add up to."""
    if not told:
        console.output(f"Nothing lies unread in {directory / 'outbox'}.")
        return
    rows = [(one.document, one.told.topic, one.told.code, _words(one)) for one in told]
    console.table("Imported into the demo's ERP", ["Document", "Topic", "Record", "Exact says"], rows)
    console.output(
        f"{_documents(told)}, records: {_listed(_counts(told))}. They are in {directory / 'erp.db'}."
    )


def import_document(directory: Path, told: Sequence[ImportedRecord]) -> dict[str, Any]:
    """The same as JSON."""
    counts = _counts(told)
    records = [
        {
            "document": one.document,
            "topic": one.told.topic,
            "code": one.told.code,
            "status": "imported" if one.told.is_imported else "rejected",
            "message": one.told.words,
        }
        for one in told
    ]
    document: dict[str, Any] = {
        "dry_run": False,
        "directory": str(directory),
        "counts": counts,
        "records": records,
    }
    if rejected := counts["rejected"]:
        document["error"] = {
            "code": "records_failed",
            "message": f"The ERP rejected {rejected} of {len(told)} {'record' if len(told) == 1 else 'records'}.",
            "hint": "Each message says what it lacks.",
        }
    return document


def _words(one: ImportedRecord) -> str:
    return one.told.words if one.told.is_imported else f"{_REJECTED}: {one.told.words}"


def _counts(told: Sequence[ImportedRecord]) -> dict[str, int]:
    counted = Counter("imported" if one.told.is_imported else "rejected" for one in told)
    return {name: counted[name] for name in ("imported", "rejected")}


def _documents(told: Sequence[ImportedRecord]) -> str:
    count = len({one.document for one in told})
    return f"{count} {'document' if count == 1 else 'documents'}"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count)
