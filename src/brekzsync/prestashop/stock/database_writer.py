"""Quantities written straight into ``stock_available``: fast, and never over what somebody else wrote meanwhile.

A batch is one short transaction. It locks the rows of its products, so that what it reads is what it writes over:
a sale comes before, and the change is MOVED, or after, and finds the new figure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from random import uniform
from time import sleep
from typing import NamedTuple

from sqlalchemy import Connection, and_, case, or_, select, update

from brekzsync.domain.shop_stock import Change, Outcome, Place, Written
from brekzsync.domain.stock import LARGEST, SMALLEST
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.stock.movements import Movements, read_movements
from brekzsync.prestashop.stock.tables import stock_tables
from brekzsync.prestashop.stock.writing import Busy, StockDatabase

BATCH = 500
TRIES = 4
_FIRST_WAIT = 0.1  # seconds


class _Row(NamedTuple):
    id_stock_available: int
    id_product: int
    id_product_attribute: int
    id_shop: int
    id_shop_group: int
    quantity: int
    depends_on_stock: int


class DatabaseStockWriter:
    """Writes with an account of its own. ``movement_employee`` 0 records no movements; ``clock`` gives aware times."""

    def __init__(
        self,
        url: str,
        table_prefix: str,
        places: Sequence[Place],
        movement_employee: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._url = url
        self._prefix = table_prefix
        self._places = places
        self._employee = movement_employee
        self._clock = clock
        self._database = StockDatabase(url, table_prefix)
        self._tables = stock_tables(table_prefix)
        self._movements: Movements | None = None

    def write(self, changes: Sequence[Change]) -> Iterator[Written]:
        """Write what can be written, in the order of keys; each batch is told of once it is there for good."""
        if self._employee and self._movements is None and changes:
            self._movements = self._read_movements()
        for batch in _batches(sorted(changes)):
            yield from self._patiently(batch)

    def close(self) -> None:
        """Close what is open."""
        self._database.dispose()

    def _patiently(self, batch: Sequence[Change]) -> list[Written]:
        """One batch, again where a lock was in the way: whoever waits for us need not wait for long."""
        for attempt in range(TRIES):
            if attempt:
                sleep(_FIRST_WAIT * 2**attempt * uniform(0.5, 1.5))
            try:
                with self._database.transaction() as connection:
                    return self._write(connection, batch)
            except Busy as busy:
                reason = str(busy)
        message = (
            f"The shop's database was busy with this row {TRIES} times ({reason}); the next run writes it."
        )
        return [Written(change, Outcome.FAILED, "shop_busy", message) for change in batch]

    def _write(self, connection: Connection, batch: Sequence[Change]) -> list[Written]:
        rows = self._locked(connection, batch)
        as_read = {row.id_stock_available: row for row in rows}
        due = [change for change in batch if self._stands(change, as_read.get(change.id_stock_available))]
        figures = {change.id_stock_available: (change.before, change.after) for change in due}
        self._update(connection, figures | _totals(rows, figures))
        if self._movements is not None and due:
            rows_of_them = list(self._movements.rows(due, self._clock()))
            connection.execute(self._tables.stock_mvt.insert(), rows_of_them)
        return [
            Written(change, Outcome.WRITTEN if change.id_stock_available in figures else Outcome.MOVED)
            for change in batch
        ]

    def _locked(self, connection: Connection, batch: Sequence[Change]) -> list[_Row]:
        """The rows of the batch's products at its places, as they are until the transaction ends."""
        row = self._tables.stock_available
        places = [self._places[place] for place in {change.place for change in batch}]
        statement = (
            select(*(row.c[name] for name in _Row._fields))
            .where(
                row.c.id_product.in_(sorted({change.key[0] for change in batch})),
                or_(
                    *(
                        and_(row.c.id_shop == place.id_shop, row.c.id_shop_group == place.id_shop_group)
                        for place in places
                    )
                ),
            )
            .order_by(row.c.id_product, row.c.id_product_attribute)
            .with_for_update()
        )
        return [_Row._make(one) for one in connection.execute(statement)]

    def _stands(self, change: Change, row: _Row | None) -> bool:
        """Whether the row is the one that was read, and holds what was read."""
        if row is None or row.depends_on_stock:
            return False
        is_same = change.key == (row.id_product, row.id_product_attribute) and self._places[change.place][
            1:
        ] == (row.id_shop, row.id_shop_group)
        return is_same and row.quantity == change.before

    def _update(self, connection: Connection, figures: Mapping[int, tuple[int, int]]) -> None:
        """From what stands there to what shall, by id; guarded once more, should a table know no locks."""
        changing = {one: pair for one, pair in figures.items() if pair[0] != pair[1]}
        if not changing:
            return
        row = self._tables.stock_available
        before = case({one: pair[0] for one, pair in changing.items()}, value=row.c.id_stock_available)
        after = case({one: pair[1] for one, pair in changing.items()}, value=row.c.id_stock_available)
        result = connection.execute(
            update(row)
            .where(row.c.id_stock_available.in_(list(changing)), row.c.quantity == before)
            .values(quantity=after)
        )
        if result.rowcount != len(changing):
            raise Busy("rows changed though they were locked")

    def _read_movements(self) -> Movements:
        database = ShopDatabase(self._url)
        try:
            return read_movements(database, self._prefix, self._places, self._employee, self._tables)
        finally:
            database.dispose()


def _totals(rows: Iterable[_Row], figures: Mapping[int, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """What becomes of the total row of each product of which a combination changes, by id.

    It is the sum of all combinations' rows, as PrestaShop makes it each time it writes one.
    """
    families: defaultdict[tuple[int, int, int], list[_Row]] = defaultdict(list)
    for row in rows:
        families[row.id_product, row.id_shop, row.id_shop_group].append(row)
    totals = {}
    for family in families.values():
        combinations = [row for row in family if row.id_product_attribute]
        if not any(row.id_stock_available in figures for row in combinations):
            continue
        total = sum(figures.get(row.id_stock_available, (0, row.quantity))[1] for row in combinations)
        for row in family:
            if not row.id_product_attribute and not row.depends_on_stock:
                totals[row.id_stock_available] = (row.quantity, min(max(total, SMALLEST), LARGEST))
    return totals


def _batches(changes: Sequence[Change]) -> Iterator[Sequence[Change]]:
    """Up to ``BATCH`` changes each, of whole products where they fit."""
    start = 0
    while start < len(changes):
        end = min(start + BATCH, len(changes))
        if end < len(changes):
            whole = end
            while whole > start and changes[whole - 1].key[0] == changes[end].key[0]:
                whole -= 1
            end = whole if whole > start else end
        yield changes[start:end]
        start = end
