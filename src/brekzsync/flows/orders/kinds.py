"""The two kinds of record that become sales orders of the ERP: orders, and the credit slips of orders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from brekzsync.domain.orders.mapping import AcknowledgedCode, MappedOrder, map_order, your_ref
from brekzsync.domain.orders.refunds import map_slip
from brekzsync.domain.orders.rules import OrderRules
from brekzsync.domain.orders.shop_orders import ShopOrder, ShopSlip
from brekzsync.domain.orders.stored import digest_of_order, digest_of_slip
from brekzsync.domain.products import Refusal

Record = TypeVar("Record")


class OrderSource(Protocol):
    """The shop's orders within one snapshot; ids ascend."""

    def due_ids(self, after: int = 0) -> Iterator[int]: ...

    def due_among(self, ids: Collection[int]) -> set[int]: ...

    def some(self, ids: Collection[int]) -> Iterator[ShopOrder]: ...

    def slip_ids(self, after: int = 0) -> Iterator[int]: ...

    def slips_among(self, ids: Collection[int]) -> set[int]: ...

    def some_slips(self, ids: Collection[int]) -> Iterator[ShopSlip]: ...

    def states(self, ids: Collection[int]) -> dict[int, int]: ...

    def why_not_due(self, id_order: int) -> str | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[Record]):
    """What differs between orders and refunds. ``topic`` is what indexes call it, ``noun`` what people do."""

    flow: str
    topic: str
    noun: str
    command: str
    due_ids: Callable[[OrderSource, int], Iterator[int]]
    due_among: Callable[[OrderSource, Collection[int]], set[int]]
    read: Callable[[OrderSource, Collection[int]], Iterator[Record]]
    id_of: Callable[[Record], int]
    order_of: Callable[[Record], ShopOrder]
    digest: Callable[[Record], bytes]
    map: Callable[[Record, OrderRules, AcknowledgedCode], MappedOrder | tuple[Refusal, ...]]
    your_ref: Callable[[Record], str]

    @property
    def is_refund(self) -> bool:
        """Whether its records come after their order."""
        return self is REFUNDS


ORDERS: Kind[Any] = Kind(
    flow="order",
    topic="Orders",
    noun="order",
    command="orders export",
    due_ids=lambda shop, after: shop.due_ids(after),
    due_among=lambda shop, ids: shop.due_among(ids),
    read=lambda shop, ids: shop.some(ids),
    id_of=lambda order: int(order.id_order),
    order_of=lambda order: order,
    digest=digest_of_order,
    map=map_order,
    your_ref=your_ref,
)
REFUNDS: Kind[Any] = Kind(
    flow="refund",
    topic="Refunds",
    noun="refund",
    command="refunds export",
    due_ids=lambda shop, after: shop.slip_ids(after),
    due_among=lambda shop, ids: shop.slips_among(ids),
    read=lambda shop, ids: shop.some_slips(ids),
    id_of=lambda slip: int(slip.id_order_slip),
    order_of=lambda slip: slip.order,
    digest=digest_of_slip,
    map=map_slip,
    your_ref=lambda slip: f"{your_ref(slip.order)}-R{slip.id_order_slip}",
)
KINDS = {kind.flow: kind for kind in (ORDERS, REFUNDS)}
"""By flow."""
