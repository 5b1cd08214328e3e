"""The repair of some items: read both sides afresh, in the order that errs low, and write what differs.

Shop rows and the shop's orders come first, in one snapshot, then the ERP: which of these orders it has, what it still
has to deliver, what lies there. A sale after the snapshot moves the row, and the guarded write does nothing; an order
that reaches the ERP between two of these steps is counted twice, never not at all; so is a delivery. In two snapshots
an order that is canceled between them would hide the next sale: the row would seem not to have moved.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from brekzsync.domain.erp_stock import StockQuantity
from brekzsync.domain.keys import ProductKey
from brekzsync.domain.shop_stock import Level, Since, Written
from brekzsync.domain.stock import ErpStockItem, Finding, Parts, quantity_for_shop, why_left_alone
from brekzsync.domain.texts import normalise_code
from brekzsync.flows.ports import Clock
from brekzsync.flows.stock.figures import Figure, PlaceRules, Policy
from brekzsync.flows.stock.ports import ErpStock, LeftAlone, OrderedLine, ShopStock

Owners = Mapping[str, Sequence[ProductKey]]
"""The combinations that have each item code."""
_PLACED_WITHIN = timedelta(minutes=10)
_PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
"""Seconds; placing an order takes about one."""


class RepairParts(NamedTuple):
    """What a repair works with. ``since`` says which orders go to the ERP, None where none do."""

    shop: ShopStock
    erp: ErpStock
    policy: Policy
    since: Since | None
    today: date
    clock: Clock
    pause: Callable[[float], object] = time.sleep


class Looked(NamedTuple):
    """What some items are now: figures in the order of the codes, and what is left alone. ``newest_order`` is the last
    one the shop had then."""

    figures: list[Figure]
    left: list[LeftAlone]
    newest_order: int


class _FromShop(NamedTuple):
    """What the shop says of some combinations."""

    levels: Mapping[ProductKey, Sequence[Level | None]]
    ordered: Sequence[OrderedLine]
    packs: Collection[ProductKey]
    newest_order: int


class _FromErp(NamedTuple):
    """What the ERP says of some items; quantities by code and warehouse."""

    items: Mapping[str, ErpStockItem]
    present: Collection[str]
    open_sales: Mapping[str, Mapping[str, Decimal]]
    on_hand: Mapping[str, Mapping[str, Decimal]]


class Repair:
    """Reads and compares; writing is up to the run."""

    def __init__(self, parts: RepairParts) -> None:
        self._parts = parts
        self._packs: set[ProductKey] | None = None
        self._waited_for: Counter[int] = Counter()

    def look_at(self, owners: Owners) -> Looked:
        """Both sides of some hundred codes, now. Raises what the shop and the ERP raise."""
        keys = {key for some in owners.values() for key in some}
        shop = self._ask_shop(keys)
        erp = self._ask_erp(list(owners), {line.reference for line in shop.ordered})
        unreceived: dict[ProductKey, int] = defaultdict(int)
        for line in shop.ordered:
            if line.reference not in erp.present:
                unreceived[line.key] += line.quantity
        looked = Looked([], [], shop.newest_order)
        for code, some in owners.items():
            reason = self._why_left(code, some, shop, erp)
            if reason is not None:
                named: Sequence[ProductKey | None] = some or (None,)
                looked.left.extend(LeftAlone(reason, code, key) for key in named)
                continue
            for place in self._parts.policy.places:
                figure = self._figure(code, some[0], place, shop, erp, unreceived)
                if figure.finding is None:
                    looked.figures.append(figure)
                else:
                    looked.left.append(LeftAlone(figure.finding, code, some[0]))
        return looked

    def is_overtaken(self, looked: Looked) -> bool:
        """Whether something was ordered since. As much may have come back meanwhile: no row seems to have moved."""
        if self._parts.since is None:
            return False
        with self._parts.shop.open() as shop:
            return shop.newest_order() != looked.newest_order

    def _ask_shop(self, keys: Collection[ProductKey]) -> _FromShop:
        """What it says at a moment when no order is being placed: a quantity is lowered before the order's line is
        there. An order that is still without a state after all pauses was abandoned, and is not waited for again."""
        for pause in _PAUSES:
            found, placing = self._shop_now(keys)
            if all(self._waited_for[id_order] >= len(_PAUSES) for id_order in placing):
                return found
            self._waited_for.update(placing)
            self._parts.pause(pause)
        return self._shop_now(keys)[0]

    def _shop_now(self, keys: Collection[ProductKey]) -> tuple[_FromShop, set[int]]:
        """One snapshot, and the orders that are being placed in it."""
        parts = self._parts
        with parts.shop.open() as shop:
            levels = shop.some(keys)
            if self._packs is None:
                self._packs = shop.pack_conflicts()
            if parts.since is None:
                return _FromShop(levels, (), self._packs, 0), set()
            ordered = shop.ordered_of(keys, parts.since)
            found = _FromShop(levels, ordered, self._packs, shop.newest_order())
            return found, shop.being_placed(parts.clock() - _PLACED_WITHIN)

    def _ask_erp(self, codes: Sequence[str], references: Collection[str]) -> _FromErp:
        parts, warehouses = self._parts, self._parts.policy.warehouses
        items = {item.code: item for item in parts.erp.stock_items(codes)}
        present = parts.erp.present(references) if references else set()
        sales = (
            self._sales_of_ours(codes)
            if parts.policy.of_ours_only
            else parts.erp.open_sales(warehouses, codes)
        )
        open_sales = _by_warehouse(sales)
        on_hand = _by_warehouse(parts.erp.on_hand(parts.today, warehouses, codes))
        return _FromErp(items, present, open_sales, on_hand)

    def _sales_of_ours(self, codes: Sequence[str]) -> Iterable[StockQuantity]:
        rows = list(self._parts.erp.open_sales_by_order(self._parts.policy.warehouses, codes))
        with self._parts.shop.open() as shop:
            mine = shop.ours({normalise_code(reference) for reference, _ in rows if reference})
        return [sold for reference, sold in rows if normalise_code(reference) in mine]

    def _why_left(
        self, code: str, keys: Sequence[ProductKey], shop: _FromShop, erp: _FromErp
    ) -> Finding | None:
        item = erp.items.get(code)
        if item is None:
            return Finding.NOT_IN_ERP if keys else Finding.UNKNOWN
        reason = why_left_alone(item)
        if reason is not None or not keys:
            return reason or Finding.NOT_IN_SHOP
        if len(keys) > 1:
            return Finding.DUPLICATE_CODE
        key = keys[0]
        if key in shop.packs or (key[0], -1) in shop.packs:
            return Finding.PACK
        levels = shop.levels.get(key, ())
        return Finding.DEPENDS_ON_STOCK if any(one and one.depends_on_stock for one in levels) else None

    def _figure(
        self,
        code: str,
        key: ProductKey,
        place: PlaceRules,
        shop: _FromShop,
        erp: _FromErp,
        unreceived: Mapping[ProductKey, int],
    ) -> Figure:
        parts = Parts(
            _sum(erp.on_hand.get(code, {}), place.warehouses),
            _sum(erp.open_sales.get(code, {}), place.warehouses),
            unreceived.get(key, 0),
            self._parts.policy.margin,
        )
        levels = shop.levels.get(key, ())
        level = levels[place.number] if place.number < len(levels) else None
        wanted = quantity_for_shop(parts, place.rules)
        if level is None:
            return Figure(code, key, place, 0, None, parts, wanted)
        held = level.id_stock_available, level.quantity
        return Figure(code, key, place, *held, parts, wanted, level.reserved)


def outcomes_by_key(results: Iterable[Written]) -> dict[ProductKey, list[Written]]:
    """What became of each record at all its places."""
    found: dict[ProductKey, list[Written]] = {}
    for one in results:
        found.setdefault(one.change.key, []).append(one)
    return found


def _by_warehouse(rows: Iterable[StockQuantity]) -> dict[str, dict[str, Decimal]]:
    found: dict[str, dict[str, Decimal]] = {}
    for row in rows:
        own = found.setdefault(row.code, {})
        own[row.warehouse] = own.get(row.warehouse, Decimal(0)) + row.quantity
    return found


def _sum(quantities: Mapping[str, Decimal], warehouses: Collection[str]) -> Decimal:
    return sum(
        (many for name, many in quantities.items() if not warehouses or name in warehouses), Decimal(0)
    )
