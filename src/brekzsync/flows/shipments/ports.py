"""What ``shipments import`` needs of the outside, as Protocols; ``bootstrap/shipments.py`` chooses who fulfils them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

from brekzsync.domain.keys import BEFORE_ALL, ProductKey
from brekzsync.domain.ledger import (
    Acknowledgement,
    Clearing,
    Failure,
    LedgerEntry,
    LedgerRow,
    Remark,
    Unchanged,
)
from brekzsync.domain.shipments import ErpShipment, ShippedOrder


class ErpDeliveries(Protocol):
    """The ERP's deliveries, complete or an error."""

    def deliveries(self) -> Iterator[ErpShipment]:
        """What was delivered of every order with a delivery note, each reference once; flat in memory."""

    def of(self, references: Collection[str]) -> Iterable[ErpShipment]:
        """The same of the orders with these references."""


class OpenOrders(Protocol):
    """The shop's orders within one snapshot."""

    def orders(self, ids: Collection[int]) -> Mapping[int, ShippedOrder]:
        """Those of them that exist."""

    def states(self) -> Collection[int]:
        """The order states the shop has (``id_order_state``)."""


class ShopOrders(Protocol):
    """The shop, read in snapshots."""

    def open(self) -> AbstractContextManager[OpenOrders]: ...


UNCLEAR = "webservice_unclear"


class OrderWriter(Protocol):
    """Writes order states and tracking numbers, through the shop's webservice.

    What a request may have done before it broke is looked up before anything is repeated. Raises RecordError for this
    order (``tracking_number_refused``, or any other reason), and Unavailable, AccessDenied, ConfigurationError when no
    order can be written; Unavailable with the code ``UNCLEAR`` when the shop answers, and may still be at what it was
    asked for.
    """

    def state_of(self, id_order: int) -> int: ...

    def set_state(self, id_order: int, id_state: int, send_email: bool) -> None:
        """Not for an order that is in that state."""

    def tracking(self, id_order: int) -> Sequence[tuple[int, str]]:
        """(``id_order_carrier``, number) of each parcel of the order, oldest first."""

    def set_tracking(self, id_order_carrier: int, number: str) -> None: ...


class ShipmentLedger(Protocol):
    """What the shop was told of each order's deliveries; keys are (``id_order``, 0)."""

    def is_empty(self) -> bool: ...

    def rows(self, after: ProductKey = BEFORE_ALL) -> Iterator[LedgerRow]: ...

    def rows_for(self, keys: Iterable[ProductKey]) -> Sequence[LedgerEntry]: ...

    def documents(self, keys: Iterable[ProductKey]) -> Mapping[ProductKey, str]: ...

    def acknowledge(self, batch: Sequence[Acknowledgement], *, run_id: int, at: datetime) -> int: ...

    def record_failures(self, batch: Sequence[Failure], *, run_id: int, at: datetime) -> int: ...

    def record_pending(self, batch: Sequence[ProductKey], *, at: datetime, reason: str = ...) -> int: ...

    def record_unchanged(self, batch: Sequence[Unchanged], *, at: datetime) -> int: ...

    def remark(self, batch: Sequence[Remark], *, at: datetime) -> int: ...

    def clear(self, batch: Sequence[Clearing], *, run_id: int, at: datetime) -> int: ...
