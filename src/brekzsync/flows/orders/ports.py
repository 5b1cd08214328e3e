"""What the flows of orders need of the outside, as Protocols; ``bootstrap/orders.py`` chooses who fulfils them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

from brekzsync.domain.erp_orders import ErpOrder
from brekzsync.domain.keys import BEFORE_ALL, ProductKey
from brekzsync.domain.ledger import (
    Acknowledgement,
    Clearing,
    Failure,
    LedgerEntry,
    LedgerRow,
    Remark,
    Serving,
    Unchanged,
)
from brekzsync.domain.orders.sales_orders import SalesOrder

Key = ProductKey
"""``(id_order, 0)`` or ``(id_order_slip, 0)``."""

NOT_TAKEN = datetime(9999, 1, 1, tzinfo=UTC)
"""The lease of a claim whose document nobody has taken yet: its absence in the ERP says nothing."""


class OrderVersion(NamedTuple):
    """An order ready to go; begins with the fields of ``domain.ledger.Serving``."""

    key_major: int
    key_minor: int
    fingerprint: bytes
    force: int
    source_digest: bytes
    code: str
    document: str
    different_at: int
    order: SalesOrder

    @property
    def key(self) -> Key:
        """The record's key."""
        return self[:2]

    @property
    def serving(self) -> Serving:
        """What the state keeps of it."""
        return Serving._make(self[: len(Serving._fields)])


class Claim(Protocol):
    """A version that went out and whose result is awaited."""

    @property
    def key(self) -> Key: ...
    @property
    def fingerprint(self) -> bytes: ...
    @property
    def force(self) -> int: ...
    @property
    def source_digest(self) -> bytes | None: ...
    @property
    def code(self) -> str | None: ...
    @property
    def document(self) -> str | None: ...
    @property
    def claimed_by(self) -> str | None: ...
    @property
    def served_at(self) -> datetime: ...
    @property
    def lease_until(self) -> datetime: ...


class Outcome(NamedTuple):
    """What is settled, as the state takes it."""

    key_major: int
    key_minor: int
    version: tuple[bytes, int] | None
    imported: bool
    reason: str = ""
    message: str = ""


class Settled(Protocol):
    """What a list of outcomes came to."""

    @property
    def acknowledged(self) -> Sequence[Key]: ...
    @property
    def rejected(self) -> Sequence[Key]: ...
    @property
    def unknown(self) -> Collection[Key]: ...


class Claims(Protocol):
    """The claims of one flow and target (``state/claims.py``)."""

    def claim(
        self,
        batch: Sequence[Serving],
        *,
        claimed_by: str | None,
        run_id: int | None,
        at: datetime,
        lease_until: datetime,
    ) -> Mapping[Key, Claim]: ...

    def open(self, after: Key = BEFORE_ALL) -> Iterator[Claim]: ...

    def of(self, keys: Collection[Key]) -> Mapping[Key, Claim]: ...

    def start_clock(self, keys: Collection[Key], *, lease_until: datetime) -> Any: ...

    def release(
        self, keys: Collection[Key], *, at: datetime, over_by: datetime | None = None
    ) -> Sequence[Key]: ...

    def fail(self, batch: Sequence[Failure], *, run_id: int, at: datetime) -> int: ...

    def settle(self, outcomes: Sequence[Any], *, at: datetime) -> Settled: ...


class OrderLedger(Protocol):
    """The ledger of one flow and target."""

    def rows(self, after: Key = BEFORE_ALL) -> Iterator[LedgerRow]: ...

    def rows_for(self, keys: Iterable[Key]) -> Sequence[LedgerEntry]: ...

    def documents(self, keys: Iterable[Key]) -> Mapping[Key, str]: ...

    def acknowledged_since(self, at: datetime) -> Iterator[LedgerEntry]: ...

    def is_empty(self) -> bool: ...

    def acknowledge(self, batch: Sequence[Acknowledgement], *, run_id: int, at: datetime) -> int: ...

    def record_failures(self, batch: Sequence[Failure], *, run_id: int, at: datetime) -> int: ...

    def record_pending(self, batch: Sequence[Key], *, at: datetime, reason: str = ...) -> int: ...

    def record_unchanged(self, batch: Sequence[Unchanged], *, at: datetime) -> int: ...

    def remark(self, batch: Sequence[Remark], *, at: datetime) -> int: ...

    def clear(self, batch: Sequence[Clearing], *, run_id: int, at: datetime) -> int: ...


class KnownItems(Protocol):
    """What the ERP acknowledged of products."""

    def documents(self, keys: Iterable[Key]) -> Mapping[Key, str]: ...


class Erp(Protocol):
    """The ERP, asked as far as it answers."""

    def orders(self, references: Collection[str]) -> Mapping[str, Sequence[ErpOrder]] | None:
        """The sales orders with these references; None when it cannot be asked."""

    def lacking(self, codes: Collection[str]) -> set[str] | None:
        """Which of these item codes it does not have; None when it cannot be asked."""

    @property
    def is_configured(self) -> bool: ...

    @property
    def trouble(self) -> str:
        """Why it cannot be asked, as a clause; ``""`` while it answers."""
