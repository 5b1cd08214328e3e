"""How everything about one record is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from brekzsync.commands.log_reports import TONES, at, minute, record_document, status_text
from brekzsync.commands.times import moment, stamp

if TYPE_CHECKING:
    from brekzsync.console import CardBlock, Console
    from brekzsync.domain.items import Item
    from brekzsync.domain.log_records import HandedOut, LogAttempt
    from brekzsync.flows.sync_logs import RecordDetails


def details_document(details: RecordDetails) -> dict[str, Any]:
    """The record as ``logs list`` has it, and what lies behind."""
    entry = details.entry
    return record_document(details.record) | {
        "different_at": stamp(at(entry.different_at)),
        "run": details.run,
        "force_pending": entry.force_requested > entry.force_acknowledged,
        "acknowledged": None if details.item is None else _fields(details.item),
        "failed_attempts": [
            {"at": stamp(at(one.at)), "run": one.run, "reason": one.reason, "message": one.message}
            for one in details.attempts
        ],
        "handed_out": [_handed_out(one) for one in details.handed_out],
    }


def _handed_out(one: HandedOut) -> dict[str, Any]:
    return {
        "version": _version(one),
        "run": one.run,
        "served_at": stamp(at(one.served_at)),
        "offered_again_at": stamp(at(one.lease_until)),
        "rejected_at": stamp(at(one.rejected_at)),
    }


def _version(one: HandedOut) -> str:
    from brekzsync.domain.items import version_text

    return version_text(one.fingerprint, one.force)


def _fields(item: Item) -> dict[str, Any]:
    """Every field that is not blank."""
    fields = {name: value for name, value in item._asdict().items() if value}
    if item.translations:
        fields["translations"] = item.translated()
    return fields


def show_details(console: Console, details: RecordDetails) -> None:
    """One card: how it stands, when what happened, what the target has, what failed."""
    record, target = details.record, details.record.target
    blocks: list[CardBlock] = [("Record", _rows(_state(details)))]
    if details.item is not None:
        fields = [(name.replace("_", " "), _shown(value)) for name, value in _fields(details.item).items()]
        blocks.append((f"What {target} acknowledged", _rows(fields)))
    if details.handed_out:
        blocks.append(
            ("Handed out and not acknowledged", [_handed_out_row(one) for one in details.handed_out])
        )
    if details.attempts:
        blocks.append(("Failed attempts", [_attempt_row(one) for one in details.attempts]))
    title = f"{record.key} → {target}"
    console.card(title, status_text(record.told), TONES[record.told.status], _lead(details), blocks)


def _rows(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """The pairs that say something, without a mark."""
    return [("", name, text) for name, text in pairs if text]


def _attempt_row(one: LogAttempt) -> tuple[str, str, str]:
    return "bad", minute(one.at), ": ".join(filter(None, (one.reason, one.message)))


def _handed_out_row(one: HandedOut) -> tuple[str, str, str]:
    """When, and what of it."""
    if one.rejected_at is not None:
        return "bad", minute(one.served_at), f"rejected, offered again after {minute(one.lease_until)}"
    return "blank", minute(one.served_at), f"result awaited, offered again after {minute(one.lease_until)}"


def _shown(value: object) -> str:
    return " / ".join(map(str, value)) if isinstance(value, list) else str(value)


def _state(details: RecordDetails) -> list[tuple[str, str]]:
    told, entry, record = details.record.told, details.entry, details.record
    since = " since it was last acknowledged" if told.synced_at is not None else ""
    return [
        ("Info", "" if record.info == record.key else record.info),
        ("Type", str(record.log_type)),
        ("Created", _moment(told.created_at)),
        ("Synced", _moment(told.synced_at)),
        ("Updated", _moment(told.updated_at)),
        ("Attempts", f"{told.attempts} failed{since}" if told.attempts else ""),
        ("Next attempt", _moment(told.next_attempt_at)),
        ("Forced", "yes, not delivered yet" if entry.force_requested > entry.force_acknowledged else ""),
        ("Run", details.run or ""),
    ]


def _moment(milliseconds: int | None) -> str:
    when = at(milliseconds)
    return "" if when is None else moment(when)


def _lead(details: RecordDetails) -> str:
    """The sentence of the card: what failed, what it waits for, or that all is well."""
    from brekzsync.domain.log_records import meaning

    told = details.record.told
    if told.status == "failed":
        return told.message or str(told.reason)
    return meaning(told)
