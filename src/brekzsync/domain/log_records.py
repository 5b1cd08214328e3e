"""The sync logs: how a row of the ledger is told to people, in one of three words and a reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from brekzsync.domain.eligibility import Criterion
from brekzsync.domain.items import Item
from brekzsync.domain.ledger import IN_DOUBT, LedgerEntry
from brekzsync.domain.log_documents import shipment_summary, status_summary, stock_summary
from brekzsync.domain.order_status import StatusReason
from brekzsync.domain.orders.summaries import summary
from brekzsync.domain.sync_flows import FLOWS, LogType, show_key


class LogStatus(StrEnum):
    """What people filter by."""

    PENDING = "pending"
    SYNCED = "synced"
    FAILED = "failed"


SALES_ORDERS = frozenset({"order", "refund"})
"""Flows whose records are sales orders for the target, and go out once."""

FOR_THE_SHOP = frozenset({"stock", "shipment"})
"""Flows whose records the shop is given."""

ORDER_STATUS = "order_status"
"""The flow whose records are orders the marketplace is told of; its tasks stand beside the ledger."""


class PendingReason(StrEnum):
    """Why a record waits."""

    QUEUED = "queued"
    IN_FLIGHT = "in_flight"
    WAITING_TO_RETRY = "waiting_to_retry"
    IN_DOUBT = "in_doubt"
    FLOW_DISABLED = "flow_disabled"
    NOT_CONFIGURED = "not_configured"


class Told(NamedTuple):
    """A row as it is told. Times are milliseconds since the epoch, UTC, as in the row."""

    status: LogStatus
    reason: str | None
    message: str | None
    attempts: int
    created_at: int
    synced_at: int | None
    updated_at: int
    next_attempt_at: int | None


def told(row: LedgerEntry, *, now: int, in_flight: bool = False, hold: PendingReason | None = None) -> Told:
    """Tell a row at the moment ``now`` (milliseconds).

    ``in_flight`` says that a version of it was handed out and no result came yet, ``hold`` what keeps the
    whole flow from running. A failed record stays failed while it waits for its next attempt: what the ERP
    said is what people look for. A cleared record is synced, for the reason it was cleared.
    """
    status, reason = LogStatus(row.status), row.reason
    doubtful = row.fingerprint == IN_DOUBT
    if status is not LogStatus.FAILED and in_flight:
        status, reason = LogStatus.PENDING, PendingReason.IN_FLIGHT
    elif status is LogStatus.PENDING or (status is LogStatus.SYNCED and doubtful):
        status, reason = LogStatus.PENDING, hold or _waits_for(row, now)
    return Told(
        status,
        reason,
        row.message,
        row.attempts,
        row.created_at,
        None if doubtful else row.synced_at,  # it was written when the doubt began, not when anything arrived
        row.updated_at,
        row.next_attempt_at,
    )


def _waits_for(row: LedgerEntry, now: int) -> str:
    if row.status == LogStatus.SYNCED:
        return PendingReason.IN_DOUBT
    if row.reason in _WAITS_BY_NAME:
        return row.reason
    if row.next_attempt_at is not None and row.next_attempt_at > now:
        return PendingReason.WAITING_TO_RETRY
    return row.reason or PendingReason.QUEUED


_WAITS_BY_NAME = (StatusReason.SHIPPED_DELAY, StatusReason.NO_TRACKING_YET, StatusReason.UNCLEAR)
"""What it waits for says more than that its time is to come."""

_MEANS: dict[str, str] = {
    PendingReason.QUEUED: "It differs from what was acknowledged; the next run takes it along.",
    PendingReason.IN_FLIGHT: "It was handed out, and its result is awaited.",
    PendingReason.WAITING_TO_RETRY: "It is offered again when its time has come.",
    PendingReason.IN_DOUBT: "A run broke off while it was on its way; the next run sends it again.",
    PendingReason.FLOW_DISABLED: "Its flow is switched off.",
    PendingReason.NOT_CONFIGURED: "The configuration does not speak of its target, or of its flow.",
    StatusReason.SHIPPED_DELAY: "It waits a little for its tracking number before the marketplace is told.",
    StatusReason.NO_TRACKING_YET: "It waits for its tracking number.",
    StatusReason.UNCLEAR: "It was sent and the answer was lost; it is looked up before anything is sent again.",
    StatusReason.LEFT_BEFORE_SENT: "The order left that state before the marketplace was told; nothing was sent.",
    StatusReason.ORDER_GONE: "It is no order of the marketplace any more; nothing was sent.",
    StatusReason.FULFILLED_BY_CHANNEL: "The marketplace sends it itself and is told nothing.",
    StatusReason.NO_TRACKING: "It has no tracking number, and is not reported without one.",
    StatusReason.NOT_OF_CHANNEL: "Its channel does not take this operation: do it in the marketplace's own pages.",
    StatusReason.NO_IDENTITY: "The shop does not know what it is called at the marketplace.",
    StatusReason.NO_ACCOUNT: "No active account of its shop is there to tell the marketplace with.",
    StatusReason.REFUSED: "The marketplace refused it.",
    StatusReason.IGNORED: "The marketplace does not know this order.",
    StatusReason.TICKET_FAILED: "The marketplace took it, and could not carry it out.",
    StatusReason.TICKET_CANCELED: "The marketplace took it, and canceled it.",
    StatusReason.TICKET_LOST: "The marketplace took it, and nothing tells what became of it.",
    "order_not_in_erp": "Its order is not in the ERP yet; it goes once that is.",
    "no_longer_due": "The shop canceled it before it was sent; it goes when it is due again.",
    "changed_after_export": "The target has it; the shop changed it since then.",
    "canceled_after_export": "The target has it; the shop canceled it since then.",
    "outcome_unknown": "It was handed out, and nobody knows what became of it.",
    "sold_meanwhile": "It was sold again and again while it was written; the next sweep compares it once more.",
    "deleted": "It was deleted in the shop; what was acknowledged of it ended.",
    f"became_{Criterion.NOT_EXCLUDED}": "It was excluded; what was acknowledged of it ended.",
    f"became_{Criterion.NOT_BUNDLE_COMPONENT}": "It became part of a bundle; what was acknowledged of it ended.",
    f"became_{Criterion.ACTIVE_IN_DATA_SHOP}": "It is no longer active in the data shop; what was acknowledged ended.",
}


def meaning(told: Told, who: str = "The target") -> str:
    """A sentence on a record: what is the matter with it, what it waits for, or that all is well; ``who`` has it."""
    if told.status is LogStatus.PENDING:
        return _MEANS.get(told.reason or "", "It waits for the next run.")
    otherwise = f"It failed: {told.reason}." if told.status is LogStatus.FAILED else f"{who} has it."
    return told.message or _MEANS.get(told.reason or "", otherwise)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which records are looked for. ``since`` is in milliseconds; ``search`` is any part of a key, of the
    acknowledged version or of a message, in any letter case; None looks at everything."""

    log_type: LogType | None = None
    target: str | None = None
    status: LogStatus | None = None
    since: int | None = None
    search: str | None = None


class LogRow(NamedTuple):
    """A row of any ledger. ``document`` is the version the target acknowledged, or was handed if none yet;
    ``in_flight``: a version of it was handed out and no result came yet."""

    flow: str
    target: str
    entry: LedgerEntry
    document: str | None
    in_flight: bool

    @property
    def found_at(self) -> LogKey:
        """Where it is found."""
        return LogKey(self.flow, self.target, *self.entry.key)


class LogKey(NamedTuple):
    """Where a record is found."""

    flow: str
    target: str
    key_major: int
    key_minor: int


class LogAttempt(NamedTuple):
    """One attempt that failed otherwise than the one before; ``run`` is its name, while it is remembered."""

    at: int
    run: str | None
    outcome: str
    reason: str | None
    message: str | None


class HandedOut(NamedTuple):
    """A version the target was given and has not acknowledged; it is not offered again before ``lease_until``."""

    fingerprint: bytes
    force: int
    document: str | None
    run: str | None
    served_at: int
    lease_until: int
    rejected_at: int | None


class LogRecord(NamedTuple):
    """One line of the logs."""

    log_type: LogType
    info: str
    key: str
    told: Told
    target: str
    flow: str


_SUMMARIES = {
    **dict.fromkeys(SALES_ORDERS, summary),
    "stock": stock_summary,
    "shipment": shipment_summary,
    ORDER_STATUS: status_summary,
}


def log_record(row: LogRow, *, now: int, hold: PendingReason | None = None) -> LogRecord:
    """A row as a line of the logs."""
    return LogRecord(
        log_type=FLOWS[row.flow].log_type,
        info=_info(row),
        key=show_key(row.flow, row.entry.key),
        told=told(row.entry, now=now, in_flight=row.in_flight, hold=hold),
        target=row.target,
        flow=row.flow,
    )


def _info(row: LogRow) -> str:
    """What the record is, as the target has it, else its key."""
    key = show_key(row.flow, row.entry.key)
    if row.document is None:
        return key
    told_of = _SUMMARIES.get(row.flow)
    if told_of is not None:
        return told_of(row.document) or key
    item = Item.from_stored(row.document)
    return ": ".join(part for part in (item.code, item.description) if part)
