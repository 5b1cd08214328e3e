"""What the ERP delivered and the shop was not told of yet: its stream compared with the ledger.

The ERP is read to its end before the shop is touched: an answer that broke off changes nothing, and no statement of
the ERP's stays open while the shop's webservice is written to. What differs waits in a scratch database.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, TypeVar

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.ledger import LedgerEntry, Unchanged
from brekzsync.domain.outcomes import Tally
from brekzsync.domain.shipments import ErpShipment, Shipment, ShipmentReason, id_order_of, shipment_of
from brekzsync.flows.ports import Clock
from brekzsync.flows.scratch import Scratch
from brekzsync.flows.shipments.ports import ShipmentLedger

_COMPARED = 500
Item = TypeVar("Item")


class Waiting(NamedTuple):
    """A shipment that may be of the order its reference names."""

    id_order: int
    shipment: Shipment


@dataclass(slots=True, kw_only=True)
class Differing:
    """Compares; ``tally`` counts what was read, skipped and unchanged. ``is_dry`` writes nothing down."""

    ledger: ShipmentLedger
    clock: Clock
    tally: Tally
    is_dry: bool
    _scratch: Scratch = field(default_factory=Scratch)

    def __post_init__(self) -> None:
        self._scratch.run("CREATE TABLE waiting (id_order INTEGER, your_ref TEXT, document TEXT)")

    def close(self) -> None:
        """Forget what waits."""
        self._scratch.close()

    def compare(self, shipments: Iterable[ErpShipment]) -> None:
        """Read to the end and keep what differs from what is acknowledged."""
        for batch in batches(shipments, _COMPARED):
            self.tally.read += len(batch)
            differing = self._differing(batch)
            rows = [(one.id_order, one.shipment.your_ref, one.shipment.stored(0)) for one in differing]
            self._scratch.fill("INSERT INTO waiting VALUES (?, ?, ?)", rows)

    def waiting(self, size: int) -> Iterator[list[Waiting]]:
        """What differs, by ``id_order``, in pages."""
        rows = self._scratch.stream("SELECT id_order, document FROM waiting ORDER BY id_order, your_ref")
        for page in batches(rows, size):
            found = [(id_order, Shipment.from_stored(document)) for id_order, document in page]
            yield [Waiting(id_order, shipment) for id_order, shipment in found if shipment is not None]

    def _differing(self, batch: Sequence[ErpShipment]) -> list[Waiting]:
        found = list(self._ours(batch))
        rows = {row.key_major: row for row in self.ledger.rows_for(keys(one.id_order for one in found))}
        differing, mended = [], []
        for one in found:
            row = rows.get(one.id_order)
            if row is None or not _is_acknowledged(row, one.shipment):
                differing.append(one)
                continue
            self.tally.eligible += 1
            self.tally.unchanged += 1
            if row.status != "synced" and row.fingerprint is not None:
                mended.append(Unchanged(*row.key, row.fingerprint, row.force_acknowledged, row.source_digest))
        if mended and not self.is_dry:
            self.ledger.record_unchanged(mended, at=self.clock())
        return differing

    def _ours(self, batch: Iterable[ErpShipment]) -> Iterator[Waiting]:
        """Shipments whose reference names an ``id_order``; the others are of no order of the shop."""
        for erp in batch:
            id_order, shipment = id_order_of(erp.reference), shipment_of(erp)
            if id_order is not None and shipment is not None:
                yield Waiting(id_order, shipment)
                continue
            is_ours = id_order is not None
            reason = ShipmentReason.NOT_DELIVERED if is_ours else ShipmentReason.NOT_OUR_ORDER
            self.tally.skipped += 1
            self.tally.reasons[reason] += 1


def _is_acknowledged(row: LedgerEntry, shipment: Shipment) -> bool:
    return row.fingerprint == shipment.fingerprint() and row.force_requested <= row.force_acknowledged


def keys(ids: Iterable[int]) -> list[ProductKey]:
    """The ledger's keys of orders."""
    return [(id_order, 0) for id_order in sorted(set(ids))]


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """``items`` in lists of ``size``."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
