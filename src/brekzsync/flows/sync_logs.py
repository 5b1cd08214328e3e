"""Reading the sync logs: a page of records, all of them, or everything about one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey, WantedId, format_key, parse_id
from brekzsync.domain.ledger import LedgerEntry
from brekzsync.domain.log_documents import json_fields
from brekzsync.domain.log_records import (
    FOR_THE_SHOP,
    ORDER_STATUS,
    SALES_ORDERS,
    HandedOut,
    LogAttempt,
    LogQuery,
    LogRecord,
    LogRow,
    PendingReason,
    log_record,
)
from brekzsync.domain.marketplace import StatusTask
from brekzsync.domain.orders.summaries import order_fields
from brekzsync.domain.sync_flows import FLOWS, LogType, SyncFlow
from brekzsync.errors import InvalidInput
from brekzsync.flows.frame import milliseconds
from brekzsync.flows.ports import Clock

Hold = Callable[[str, str], PendingReason | None]
"""What keeps a flow to a target from running, if anything does."""

Position = tuple[int, int, int, int]
"""Where a page ended: the time of the last record's update, its ledger's number, its key."""

ATTEMPTS_SHOWN = 20
_NEAR = 5
_WHOLE_NUMBERS = {flow.log_type for flow in FLOWS.values() if not flow.has_combinations}
"""The kinds of record whose key is one number."""


def _told(flow: SyncFlow) -> str:
    return "sent" if flow.done == "exported" else flow.done


_TELLS = (
    dict.fromkeys((None, *LogType), "`brekzsync products diagnose {}` tells why it was never sent.")
    | {
        flow.log_type: f"`brekzsync {flow.command} {{}} --dry-run` tells why it was never {_told(flow)}."
        for flow in FLOWS.values()
        if not flow.has_combinations and flow.name != ORDER_STATUS
    }
    | {LogType.INVENTORY: "Nothing was ever written for it; `brekzsync stock diff` compares it now."}
)
"""Where to look for a record the logs do not know, with its key put in."""
_CURSOR = re.compile(r"([0-9]{1,16})\.([0-9]{1,9})\.([0-9]{1,10})\.([0-9]{1,10})", re.ASCII)


class RowPage(Protocol):
    """Rows, last updated first."""

    @property
    def rows(self) -> list[LogRow]: ...
    @property
    def next(self) -> Position | None: ...


class LogStore(Protocol):
    """The ledgers of all flows and targets."""

    def page(self, query: LogQuery, *, after: Position | None, limit: int) -> RowPage: ...

    def stream(self, query: LogQuery) -> Iterator[LogRow]: ...

    def record(self, query: LogQuery, wanted: WantedId) -> list[LogRow]: ...

    def near(self, query: LogQuery, wanted: WantedId, limit: int) -> list[ProductKey]: ...


class History(Protocol):
    """What lies behind a record."""

    def attempts(self, row: LogRow, limit: int) -> list[LogAttempt]: ...

    def handed_out(self, row: LogRow) -> list[HandedOut]: ...

    def task(self, row: LogRow) -> StatusTask | None:
        """The operation of an order that is on its way to the marketplace."""

    def delivered_by(self, entry: LedgerEntry) -> str | None: ...


class Page(NamedTuple):
    """Records, last updated first; ``next`` is the cursor of the page after, None when there is none."""

    records: list[LogRecord]
    next: str | None


class RecordDetails(NamedTuple):
    """Everything about one record. ``acknowledged`` are the fields of the version the target acknowledged that
    are not blank; ``run`` the name of the run that delivered it, or ended it; ``task`` what is on its way to the
    marketplace."""

    record: LogRecord
    entry: LedgerEntry
    acknowledged: dict[str, Any] | None
    run: str | None
    attempts: list[LogAttempt]
    handed_out: list[HandedOut]
    task: StatusTask | None = None


class SyncLogs:
    """The logs as people read them, at the moment of ``clock``."""

    def __init__(self, store: LogStore, history: History, hold: Hold, clock: Clock) -> None:
        self._store = store
        self._history = history
        self._hold = hold
        self._clock = clock

    def page(self, query: LogQuery, cursor: str | None, limit: int) -> Page:
        """``limit`` records behind ``cursor``. Raises InvalidInput (``malformed_cursor``)."""
        found = self._store.page(query, after=None if cursor is None else _position(cursor), limit=limit)
        following = None if found.next is None else ".".join(map(str, found.next))
        return Page(list(self._told(found.rows)), following)

    def stream(self, query: LogQuery) -> Iterator[LogRecord]:
        """Every record, flow by flow in key order, flat in memory."""
        return self._told(self._store.stream(query))

    def details(self, query: LogQuery, word: str) -> list[RecordDetails]:
        """All there is about a key, or about each key of a product. Raises InvalidInput for one not there."""
        return [self._details(row) for row in rows_of(self._store, query, [word], "there is nothing to show")]

    def _details(self, row: LogRow) -> RecordDetails:
        (record,) = self._told([row])
        has_it = row.entry.fingerprint is not None
        return RecordDetails(
            record=record,
            entry=row.entry,
            acknowledged=document_fields(row.flow, row.document) if has_it else None,
            run=self._history.delivered_by(row.entry),
            attempts=self._history.attempts(row, ATTEMPTS_SHOWN),
            handed_out=self._history.handed_out(row),
            task=self._history.task(row) if row.flow == ORDER_STATUS else None,
        )

    def _told(self, rows: Iterator[LogRow] | Sequence[LogRow]) -> Iterator[LogRecord]:
        now = milliseconds(self._clock())
        holds: dict[tuple[str, str], PendingReason | None] = {}
        for row in rows:
            names = (row.flow, row.target)
            if names not in holds:
                holds[names] = self._hold(*names)
            yield log_record(row, now=now, hold=holds[names])


def document_fields(flow: str, document: str | None) -> dict[str, Any] | None:
    """What a document of the state says, but for blank fields; None without one, or one that cannot be read."""
    if document is None:
        return None
    if flow in SALES_ORDERS:
        return order_fields(document)
    if flow in FOR_THE_SHOP or flow == ORDER_STATUS:
        return json_fields(document) or None
    item = Item.from_stored(document)
    fields = {name: value for name, value in item._asdict().items() if value}
    return fields | ({"translations": item.translated()} if item.translations else {})


def rows_of(store: LogStore, query: LogQuery, words: Sequence[str], consequence: str) -> list[LogRow]:
    """The rows under these keys; ``consequence`` ends the sentence on what is not there.

    Raises InvalidInput (``malformed_id``, ``unknown_id``) before anything is done to any of them.
    """
    found: dict[object, LogRow] = {}
    unknown: list[tuple[str, list[ProductKey]]] = []
    for word in words:
        wanted = _wanted(word, query.log_type)
        rows = store.record(query, wanted)
        found.update((row.found_at, row) for row in rows)
        if not rows:
            unknown.append((word.strip(), store.near(query, wanted, _NEAR)))
    if unknown:
        raise _unknown(unknown, consequence, query.log_type)
    return list(found.values())


def _wanted(word: str, log_type: LogType | None) -> WantedId:
    try:
        wanted = parse_id(word)
        if log_type in _WHOLE_NUMBERS and wanted.id_product_attribute is not None:
            raise ValueError(f"{word.strip()!r} is not an id of {log_type}s: give a number such as 12")
        return wanted
    except ValueError as error:
        raise InvalidInput(
            f"{error}.",
            hint="`brekzsync logs list --search TEXT` finds records by code, description, EAN or message.",
            code="malformed_id",
        ) from None


def _unknown(
    unknown: Sequence[tuple[str, Sequence[ProductKey]]], consequence: str, log_type: LogType | None
) -> InvalidInput:
    words = ", ".join(word for word, _ in unknown)
    near = list(dict.fromkeys(format_key(key) for _, keys in unknown for key in keys))
    hint = _TELLS[log_type].format(unknown[0][0])
    if near:
        hint = f"Near it: {', '.join(near[:_NEAR])}. {hint}"
    return InvalidInput(
        f"The logs hold nothing under {words}; {consequence}.",
        hint=hint,
        code="unknown_id",
    )


def _position(cursor: str) -> Position:
    match = _CURSOR.fullmatch(cursor.strip())
    if match is None:
        raise InvalidInput(
            f"{cursor!r} is not a cursor.",
            hint="--after takes what the page before gave as `next`.",
            code="malformed_cursor",
        )
    updated_at, scope_id, major, minor = map(int, match.groups())
    return updated_at, scope_id, major, minor
