"""What an export of orders is made of; ``flows/orders/run.py`` puts it together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from brekzsync.domain.ledger import Clearing, Failure, LedgerRow
from brekzsync.domain.orders.rules import OrderRules
from brekzsync.domain.orders.stored import StoredOrder
from brekzsync.flows.orders.kinds import Kind, OrderSource
from brekzsync.flows.orders.ports import Claims, Erp, Key, KnownItems, OrderLedger, OrderVersion


class Notes(Protocol):
    """Takes what was found of records that did not go (``flows/ledger_notes.py``)."""

    def fail(self, failure: Failure) -> None: ...

    def clear(self, clearing: Clearing) -> None: ...

    def flush(self) -> None: ...


class Delivery(Protocol):
    """Takes versions to where the ERP gets them."""

    def deliver(self, versions: Sequence[OrderVersion]) -> Collection[Key]:
        """Hand over a batch; the keys of what it took. Another reader may hold the claim of the rest."""


Found = Callable[[Sequence[OrderVersion], Sequence[LedgerRow | None]], object]
"""Told of versions the ERP has though the state does not know, with the ledger's rows of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportParts:
    """What an export works with. ``wait`` notes records that stay pending, with the reason."""

    kind: Kind[Any]
    shop: OrderSource
    ledger: OrderLedger
    claims: Claims
    items: KnownItems
    known_debtors: Callable[[Sequence[StoredOrder]], Collection[int]]
    is_settled: Callable[[Collection[Key]], Collection[Key]]
    erp: Erp
    rules: OrderRules
    notes: Notes
    wait: Callable[[Sequence[Key], str], object]
    found: Found
    delivery: Delivery
    now: int
