"""What the sync logs are told of stock: what was written, what could not be, what waits."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Protocol

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.ledger import Acknowledgement, Failure, LedgerEntry, LedgerRow
from brekzsync.domain.outcomes import FailedRecord
from brekzsync.domain.shop_stock import Outcome, Written
from brekzsync.domain.stock import MEANINGS
from brekzsync.flows.stock.figures import Figure
from brekzsync.flows.stock.ports import LeftAlone

FLOW = "stock"
SOLD_MEANWHILE = "sold_meanwhile"


class StockLedger(Protocol):
    """The ledger of stock of one target."""

    def rows(self) -> Iterator[LedgerRow]: ...

    def rows_for(self, keys: Sequence[ProductKey]) -> Sequence[LedgerEntry]: ...

    def acknowledge(self, batch: Sequence[Acknowledgement], *, run_id: int, at: datetime) -> int: ...

    def record_failures(self, batch: Sequence[Failure], *, run_id: int, at: datetime) -> int: ...

    def record_pending(self, batch: Sequence[ProductKey], *, at: datetime, reason: str = "queued") -> int: ...


class Journal:
    """Writes the ledger of stock, a page at a time."""

    def __init__(self, ledger: StockLedger, run_id: int) -> None:
        self._ledger = ledger
        self._run_id = run_id

    def unsettled(self) -> Iterator[ProductKey]:
        """What failed or waited, in key order."""
        return (row.key for row in self._ledger.rows() if row.status != "synced")

    def note(
        self,
        figures: Mapping[ProductKey, Sequence[Figure]],
        results: Mapping[ProductKey, Sequence[Written]],
        left: Sequence[LeftAlone],
        at: datetime,
    ) -> list[FailedRecord]:
        """Record a page; gives what failed. ``figures`` are those last read, ``results`` the last of each record."""
        known = {row.key: row for row in self._ledger.rows_for(sorted({*figures, *_keys(left)}))}
        failures = {key: failure for key, some in results.items() if (failure := _failure(key, some))}
        waiting = [
            key
            for key, some in results.items()
            if key not in failures and any(one.outcome is Outcome.MOVED for one in some)
        ]
        acknowledged = [
            _acknowledgement(key, some, results.get(key, ()), known.get(key))
            for key, some in figures.items()
            if key not in failures and key not in waiting and _is_news(results.get(key, ()), known.get(key))
        ]
        failed = list(failures.values()) + [
            _left(one) for one in left if one.key in known and known[one.key].status != "synced"
        ]
        if acknowledged:
            self._ledger.acknowledge(acknowledged, run_id=self._run_id, at=at)
        if waiting:
            self._ledger.record_pending(waiting, at=at, reason=SOLD_MEANWHILE)
        if failed:
            self._ledger.record_failures(failed, run_id=self._run_id, at=at)
        return [_told(failure, known.get(key)) for key, failure in failures.items()]


def _told(failure: Failure, row: LedgerEntry | None) -> FailedRecord:
    repeated = row is not None and (row.status, row.reason) == ("failed", failure.reason)
    key = (failure.key_major, failure.key_minor)
    return FailedRecord(key, failure.reason, failure.message, repeated, FLOW)


def _is_news(results: Sequence[Written], row: LedgerEntry | None) -> bool:
    """Written now, or equal again after it failed or waited."""
    return bool(results) or (row is not None and row.status != "synced")


def _failure(key: ProductKey, results: Sequence[Written]) -> Failure | None:
    failed = [one for one in results if one.outcome is Outcome.FAILED]
    return Failure(*key, failed[0].reason, failed[0].message) if failed else None


def _left(one: LeftAlone) -> Failure:
    assert one.key is not None
    return Failure(*one.key, one.finding.value, f"It is left alone: {MEANINGS[one.finding]}.")


def _keys(left: Sequence[LeftAlone]) -> set[ProductKey]:
    return {one.key for one in left if one.key is not None}


def _acknowledgement(
    key: ProductKey, figures: Sequence[Figure], results: Sequence[Written], row: LedgerEntry | None
) -> Acknowledgement:
    """The figures the shop shows now, and what it showed before."""
    before = {one.change.place: one.change.before for one in results}
    shops = [
        {"name": one.place.place.name, "from": before.get(one.place.number, one.before), "to": one.wanted}
        for one in figures
    ]
    document = json.dumps({"code": figures[0].code, "shops": shops}, ensure_ascii=False)
    says = repr([figures[0].code, *((one["name"], one["to"]) for one in shops)])
    return Acknowledgement(
        *key,
        blake2b(says.encode(), digest_size=16).digest(),
        row.force_requested if row else 0,
        None,
        figures[0].code,
        document,
        row.fingerprint if row else None,
        row.force_acknowledged if row else 0,
        row is not None,
    )
