"""The shop's orders as shipments see them: reference, states, parcels; some by their ids, within one snapshot."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Select, String, Table, bindparam, select

from brekzsync.domain.orders.mapping import your_ref_of
from brekzsync.domain.shipments import ShippedOrder
from brekzsync.domain.texts import normalise_code
from brekzsync.prestashop.connection import ShopDatabase, Snapshot, number, text
from brekzsync.prestashop.shops import check_tables

_AT_ONCE = 500


class ShipmentTables:
    """Only the columns that are read; they are the same from 1.7.6 to 9.1.

    Tables that ``metadata`` has already stay as they are there.
    """

    def __init__(self, prefix: str, metadata: MetaData | None = None) -> None:
        known = MetaData() if metadata is None else metadata

        def table(name: str, key: str, ids: Sequence[str], texts: Sequence[str] = ()) -> Table:
            if prefix + name in known.tables:
                return known.tables[prefix + name]
            columns = [Column(one, Integer) for one in ids]
            return Table(
                prefix + name,
                known,
                Column(key, Integer, primary_key=True, autoincrement=False),
                *columns,
                *(Column(one, String(64)) for one in texts),
            )

        self.orders = table("orders", "id_order", ["current_state"], ["reference"])
        self.order_history = table("order_history", "id_order_history", ["id_order", "id_order_state"])
        self.order_carrier = table("order_carrier", "id_order_carrier", ["id_order"], ["tracking_number"])
        self.order_state = table("order_state", "id_order_state", [])

    def all(self) -> list[Table]:
        """Every table."""
        return [self.orders, self.order_history, self.order_carrier, self.order_state]


_TABLES = cache(ShipmentTables)


class ShopShipments:
    """The orders of a PrestaShop, read in snapshots."""

    def __init__(self, database: ShopDatabase, table_prefix: str) -> None:
        self._database = database
        self._prefix = table_prefix
        self._is_checked = False

    @contextmanager
    def open(self) -> Iterator[OpenShipments]:
        """One consistent view. Raises ConfigurationError for tables that are not there."""
        tables = _TABLES(self._prefix)
        with self._database.snapshot() as snapshot:
            if not self._is_checked:  # a run opens it again and again
                check_tables(snapshot, tables, self._prefix)
                self._is_checked = True
            with snapshot.raw():
                yield OpenShipments(snapshot, tables)

    def dispose(self) -> None:
        """Close what is open."""
        self._database.dispose()


class OpenShipments:
    """The orders within one snapshot."""

    def __init__(self, snapshot: Snapshot, tables: ShipmentTables) -> None:
        self._snapshot = snapshot
        orders, history, parcel = tables.orders, tables.order_history, tables.order_carrier
        self._orders = _among(
            orders.c.id_order, select(orders.c.id_order, orders.c.reference, orders.c.current_state)
        )
        self._history = _among(history.c.id_order, select(history.c.id_order, history.c.id_order_state))
        self._parcels = _among(
            parcel.c.id_order,
            select(parcel.c.id_order, parcel.c.id_order_carrier, parcel.c.tracking_number),
        ).order_by(parcel.c.id_order_carrier)
        self._states = select(tables.order_state.c.id_order_state)

    def orders(self, ids: Collection[int]) -> dict[int, ShippedOrder]:
        """Those of these orders that exist, whatever their state and shop."""
        found: dict[int, ShippedOrder] = {}
        left = iter(sorted(set(ids)))
        while some := list(islice(left, _AT_ONCE)):
            found.update(self._page({"ids": some}))
        return found

    def states(self) -> set[int]:
        """Every order state, deleted ones too: orders may still be in them."""
        return {number(row[0]) for row in self._snapshot.rows(self._states)}

    def _page(self, ids: dict[str, Any]) -> Iterator[tuple[int, ShippedOrder]]:
        ever_in: defaultdict[int, set[int]] = defaultdict(set)
        for id_order, state in self._snapshot.rows(self._history, ids):
            ever_in[number(id_order)].add(number(state))
        parcels: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
        for id_order, parcel, tracking in self._snapshot.rows(self._parcels, ids):
            parcels[number(id_order)].append((number(parcel), text(tracking).strip()))
        for row in self._snapshot.rows(self._orders, ids):
            id_order = number(row[0])
            yield (
                id_order,
                ShippedOrder(
                    id_order,
                    normalise_code(your_ref_of(text(row[1]), id_order)),
                    number(row[2]),
                    frozenset(ever_in[id_order]),
                    tuple(parcels[id_order]),
                ),
            )


def _among(column: Column[Any], statement: Select[Any]) -> Select[Any]:
    return statement.where(column.in_(bindparam("ids", expanding=True, type_=Integer)))
