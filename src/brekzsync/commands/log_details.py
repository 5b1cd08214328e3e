"""How everything about one record is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from brekzsync.commands.log_reports import at, minute, named, record_document, status_text, tone
from brekzsync.commands.log_tasks import moment_of, task_document, task_rows
from brekzsync.commands.times import stamp
from brekzsync.domain.log_documents import shop_figures
from brekzsync.domain.log_records import FOR_THE_SHOP, ORDER_STATUS, SALES_ORDERS

if TYPE_CHECKING:
    from brekzsync.console import CardBlock, Console
    from brekzsync.domain.log_records import HandedOut, LogAttempt
    from brekzsync.flows.sync_logs import RecordDetails


def details_document(details: RecordDetails) -> dict[str, Any]:
    """The record as ``logs list`` has it, and what lies behind."""
    entry = details.entry
    document = record_document(details.record) | {
        "different_at": stamp(at(entry.different_at)),
        "run": details.run,
        "force_pending": entry.force_requested > entry.force_acknowledged,
        "acknowledged": details.acknowledged,
        "failed_attempts": [_attempt(one) for one in details.attempts if one.outcome == "failed"],
        "handed_out": [_handed_out(one, details) for one in details.handed_out],
    }
    if details.record.flow == ORDER_STATUS:
        document["withdrawn"] = [_attempt(one) for one in details.attempts if one.outcome != "failed"]
        document["task"] = None if details.task is None else task_document(details.task)
    return document


def _attempt(one: LogAttempt) -> dict[str, Any]:
    return {"at": stamp(at(one.at)), "run": one.run, "reason": one.reason, "message": one.message}


def _handed_out(one: HandedOut, details: RecordDetails) -> dict[str, Any]:
    """A claim is never offered again by time alone: at most it is looked up then."""
    from brekzsync.flows.sync_logs import document_fields

    until = stamp(at(one.lease_until))
    told: dict[str, Any] = {
        "version": _version(one),
        "run": one.run,
        "served_at": stamp(at(one.served_at)),
        "offered_again_at": None if _is_claim(one, details) else until,
        "rejected_at": stamp(at(one.rejected_at)),
    }
    if details.record.flow in SALES_ORDERS:
        told["looked_up_at"] = until if _is_claim(one, details) and not _is_untaken(one) else None
        told["document"] = document_fields(details.record.flow, one.document)
    return told


def _is_claim(one: HandedOut, details: RecordDetails) -> bool:
    return details.record.flow in SALES_ORDERS and one.rejected_at is None


def _is_untaken(one: HandedOut) -> bool:
    """Whether its document lies where nobody has taken it from yet."""
    from brekzsync.flows.frame import milliseconds
    from brekzsync.flows.orders.ports import NOT_TAKEN

    return one.lease_until >= milliseconds(NOT_TAKEN)


def _version(one: HandedOut) -> str:
    from brekzsync.domain.items import version_text

    return version_text(one.fingerprint, one.force)


def show_details(console: Console, details: RecordDetails) -> None:
    """One card: how it stands, when what happened, what the target has, what failed."""
    record, target = details.record, details.record.target
    blocks: list[CardBlock] = [("Record", _rows(_state(details)))]
    if details.acknowledged is not None:
        blocks += _content(_title(details), details.acknowledged)
    if details.task is not None:
        blocks.append(("What the marketplace is to be told", _rows(task_rows(details.task))))
    if details.handed_out:
        rows = [_handed_out_row(one, details) for one in details.handed_out]
        blocks.append(("Handed out and not acknowledged", rows))
        if details.acknowledged is None and record.flow in SALES_ORDERS:
            blocks += _content("What was handed out", _newest_document(details))
    if details.attempts:
        is_all_failed = all(one.outcome == "failed" for one in details.attempts)
        heading = "Failed attempts" if is_all_failed else "What happened before"
        blocks.append((heading, [_attempt_row(one) for one in details.attempts]))
    title = f"{named(record.flow, record.key)} → {target}"
    console.card(title, status_text(record.told), tone(record.told), _lead(details), blocks)


def _newest_document(details: RecordDetails) -> dict[str, Any]:
    from brekzsync.flows.sync_logs import document_fields

    return document_fields(details.record.flow, details.handed_out[0].document) or {}


def _content(title: str, fields: dict[str, Any]) -> list[CardBlock]:
    """What a document says; the lines of an order, and the figures of shops, make a block of their own."""
    rest = {name: value for name, value in fields.items() if name not in ("lines", "shops")}
    blocks: list[CardBlock] = [
        (title, _rows([(name.replace("_", " "), _shown(value)) for name, value in rest.items()]))
    ]
    if "lines" in fields:
        blocks.append(("Its lines, prices excl. tax", [("", *_line(line)) for line in fields["lines"]]))
    if figures := shop_figures(fields):
        blocks.append(("What was written", [("", *figure) for figure in figures]))
    return blocks if rest else []


def _line(line: dict[str, Any]) -> tuple[str, str]:
    vat = f"VAT code {line['vat_code']}" if line.get("vat_code") else ""
    price = f"{line.get('price', '')} each"
    said = ", ".join(filter(None, (line.get("description"), price, vat)))
    return f"{line.get('quantity', '')} × {line.get('item_code', '')}", said


def _rows(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """The pairs that say something, without a mark."""
    return [("", name, text) for name, text in pairs if text]


def _attempt_row(one: LogAttempt) -> tuple[str, str, str]:
    mark = "bad" if one.outcome == "failed" else "blank"
    return mark, minute(one.at), ": ".join(filter(None, (one.reason, one.message)))


def _handed_out_row(one: HandedOut, details: RecordDetails) -> tuple[str, str, str]:
    """When, and what of it."""
    if details.record.flow in SALES_ORDERS:
        return "bad" if one.rejected_at is not None else "blank", minute(one.served_at), _claim(one)
    if one.rejected_at is not None:
        return "bad", minute(one.served_at), f"rejected, offered again after {minute(one.lease_until)}"
    return "blank", minute(one.served_at), f"result awaited, offered again after {minute(one.lease_until)}"


def _claim(one: HandedOut) -> str:
    """What became of an order that was handed out."""
    if one.rejected_at is not None:
        return "not in the ERP: given back" if one.lease_until == one.rejected_at else "rejected"
    if _is_untaken(one):
        return "result awaited, lies in the outbox"
    return f"result awaited, looked up in the ERP; its absence counts from {minute(one.lease_until)} on"


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(str(one) for one in value.values())
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " / ".join(map(str, value)) if isinstance(value, list) else str(value)


def _state(details: RecordDetails) -> list[tuple[str, str]]:
    told, entry, record = details.record.told, details.entry, details.record
    since = " since it was last acknowledged" if told.synced_at is not None else ""
    return [
        ("Info", "" if record.info == record.key else record.info),
        ("Type", str(record.log_type)),
        ("Created", moment_of(told.created_at)),
        ("Synced", moment_of(told.synced_at)),
        ("Updated", moment_of(told.updated_at)),
        ("Attempts", f"{told.attempts} failed{since}" if told.attempts else ""),
        ("Next attempt", moment_of(told.next_attempt_at)),
        ("Forced", "yes, not delivered yet" if entry.force_requested > entry.force_acknowledged else ""),
        ("Run", details.run or ""),
    ]


def _lead(details: RecordDetails) -> str:
    """The sentence of the card."""
    from brekzsync.domain.log_records import meaning

    return meaning(details.record.told, f"The {_receiver(details)}")


def _title(details: RecordDetails) -> str:
    if details.record.flow in FOR_THE_SHOP:
        return "What the shop was given"
    accepted = details.record.flow == ORDER_STATUS
    return "What the marketplace accepted" if accepted else f"What {details.record.target} acknowledged"


def _receiver(details: RecordDetails) -> str:
    if details.record.flow in FOR_THE_SHOP:
        return "shop"
    return "marketplace" if details.record.flow == ORDER_STATUS else "target"
