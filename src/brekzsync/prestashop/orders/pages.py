"""Some orders or credit slips with everything that belongs to them: a few narrow reads, put together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Select

from brekzsync.domain.orders.shop_orders import ShopOrder, ShopSlip
from brekzsync.prestashop.connection import RawRow, Snapshot, number
from brekzsync.prestashop.orders.decoding import OrderDecoder, OrderParts
from brekzsync.prestashop.orders.queries import AddressRow, LineRow, OrderQueries, OrderRow, Raw, SlipRow
from brekzsync.prestashop.reference_data import decimal


class OrderPages:
    """Reads within one snapshot in raw mode."""

    def __init__(self, snapshot: Snapshot, queries: OrderQueries, decoder: OrderDecoder) -> None:
        self._snapshot = snapshot
        self._queries = queries
        self._decoder = decoder

    def orders(self, ids: Sequence[int]) -> Iterator[ShopOrder]:
        """These orders as far as they exist, in key order."""
        rows = sorted(map(OrderRow._make, self._rows(self._queries.orders, ids)), key=lambda row: int(row[0]))
        parts = self._parts(rows)
        return (self._decoder.order(row, parts) for row in rows)

    def slips(self, ids: Sequence[int]) -> Iterator[ShopSlip]:
        """These slips as far as they and their orders exist, in key order."""
        slips = [SlipRow._make(row) for row in self._rows(self._queries.slips, ids)]
        orders = {order.id_order: order for order in self.orders(sorted({number(row[1]) for row in slips}))}
        lines = _grouped(self._rows(self._queries.slip_lines, [number(row[0]) for row in slips]))
        for row in slips:
            order = orders.get(number(row.id_order))
            if order is not None:
                yield self._decoder.slip(row, order, lines.get(number(row.id_order_slip), []))

    def _parts(self, orders: Sequence[OrderRow]) -> OrderParts:
        ids = [number(row.id_order) for row in orders]
        lines = [LineRow._make(row) for row in self._rows(self._queries.lines, ids)]
        addresses = {number(row.id_address_delivery) for row in orders}
        addresses |= {number(row.id_address_invoice) for row in orders}
        return OrderParts(
            lines=_grouped(lines),
            rates=self._rates(lines),
            discounts=_grouped(self._rows(self._queries.discounts, ids)),
            addresses={
                number(row[0]): AddressRow._make(row)
                for row in self._rows(self._queries.addresses, sorted(addresses))
            },
            customers=self._by_id(self._queries.customers, {number(row.id_customer) for row in orders}),
            carriers=self._by_id(self._queries.carriers, {number(row.id_carrier) for row in orders}),
        )

    def _rates(self, lines: Sequence[LineRow]) -> dict[int, Any]:
        """The rates of lines that do not say their own: old releases kept them with the taxes only."""
        silent = [number(line.id_order_detail) for line in lines if not decimal(line.tax_rate)]
        rates: dict[int, Any] = {}
        for id_order_detail, rate in self._rows(self._queries.line_rates, silent):
            rates[number(id_order_detail)] = rates.get(number(id_order_detail), 0) + decimal(rate)
        return rates

    def _by_id(self, statement: Select[Any], ids: set[int]) -> dict[int, RawRow]:
        return {number(row[0]): row for row in self._rows(statement, sorted(ids - {0}))}

    def _rows(self, statement: Select[Any], ids: Sequence[int]) -> Sequence[RawRow]:
        return self._snapshot.rows(statement, {"ids": list(ids)}) if ids else ()


def _grouped(rows: Sequence[tuple[Raw, ...]]) -> dict[int, list[Any]]:
    """Rows by the id they start with."""
    groups: dict[int, list[Any]] = {}
    for row in rows:
        groups.setdefault(number(row[0]), []).append(row)
    return groups
