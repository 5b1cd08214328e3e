"""The shop's stock and what was ordered of it, in snapshots.

A whole catalogue is read in ranges of products, as raw values: memory does not grow with it, and a million rows
take seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Select

from brekzsync.domain.keys import BEFORE_ALL, ProductKey
from brekzsync.domain.orders.mapping import your_ref_of
from brekzsync.domain.shop_stock import Level, OrderedLine, Place, Since
from brekzsync.domain.texts import normalise_code
from brekzsync.prestashop.ahead import ahead
from brekzsync.prestashop.connection import RawRow, ShopDatabase, Snapshot, number, text
from brekzsync.prestashop.orders.repository import chosen_shops, shop_contexts
from brekzsync.prestashop.orders.tables import order_tables
from brekzsync.prestashop.queries import Raw
from brekzsync.prestashop.shops import check_tables, read_data_shop, read_settings
from brekzsync.prestashop.stock.places import Shops, find_places, read_shops
from brekzsync.prestashop.stock.queries import OrderedQueries, StockQueries
from brekzsync.prestashop.stock.tables import stock_tables
from brekzsync.prestashop.tables import ShopTables, shop_tables

_SHOP, _ORDERS, _STOCK = cache(shop_tables), cache(order_tables), cache(stock_tables)
PAGE_PRODUCTS = 2000
PAGE_ORDERS = 5000
IDS = 500
"""Products asked for at a time."""
_PACK_DEFAULT = "PS_PACK_STOCK_TYPE"
_AS_THE_SHOP_SAYS = 3
_TAKES_COMPONENTS_ALONG = (1, 2)  # components only, or both
_LONGEST_ID = 11  # digits and one; no id of a shop has more
_LOOK_AHEAD = timedelta(hours=3)  # further than any clock was set back


@dataclass(frozen=True, slots=True, kw_only=True)
class StockOptions:
    """``shops`` are names or ids of what is written, or names of groups that share; empty for the data shop.
    ``order_shops`` are those whose orders count, empty for all; ``dead_states`` are ``id_order_state``."""

    table_prefix: str
    data_shop: str | int
    language: str
    dead_states: Collection[int]
    shops: Collection[str] = ()
    order_shops: Sequence[str] = ()


class _Facts(NamedTuple):
    """What is read once: shops come and go less often than stock is looked at."""

    shops: Shops
    places: Sequence[Place]
    zones: Mapping[int, ZoneInfo]
    chosen: Collection[int]
    pack_defaults: Mapping[int, int]


class ShopStockRepository:
    """The stock of a PrestaShop; everything raises ConfigurationError for tables or shops that are not there."""

    def __init__(self, database: ShopDatabase, options: StockOptions) -> None:
        self._database = database
        self._options = options

    @property
    def places(self) -> Sequence[Place]:
        """Where stock stands, in the order it is configured in."""
        return self._facts.places

    @contextmanager
    def open(self) -> Iterator[OpenShopStock]:
        """One consistent view."""
        facts = self._facts
        with self._database.snapshot() as snapshot, snapshot.raw():
            yield OpenShopStock(snapshot, self._queries, facts, set(self._options.dead_states))

    @cached_property
    def _queries(self) -> tuple[StockQueries, OrderedQueries]:
        prefix = self._options.table_prefix
        return StockQueries(_STOCK(prefix), self.places), OrderedQueries(_ORDERS(prefix))

    @cached_property
    def _facts(self) -> _Facts:
        options, prefix = self._options, self._options.table_prefix
        with self._database.snapshot() as snapshot:
            tables, stock = _SHOP(prefix), _STOCK(prefix)
            check_tables(snapshot, tables, prefix)
            check_tables(snapshot, stock, prefix)
            shops = read_shops(snapshot, tables, stock)
            home = read_data_shop(snapshot, tables, wanted=options.data_shop, language=options.language)
            places = find_places(shops, options.shops, home.id_shop)
            contexts = shop_contexts(snapshot, prefix)
            names = {id_shop: shop.name for id_shop, shop in contexts.items()}
            return _Facts(
                shops,
                places,
                {id_shop: shop.time_zone for id_shop, shop in contexts.items()},
                chosen_shops(names, options.order_shops),
                _pack_defaults(snapshot, tables, shops, places),
            )


def _pack_defaults(
    snapshot: Snapshot, tables: ShopTables, shops: Shops, places: Sequence[Place]
) -> dict[int, int]:
    """How each shop that sells from one of the places counts packs that do not say it themselves."""
    return {
        id_shop: int(
            read_settings(
                snapshot, tables, id_shop, shops.shops[id_shop].id_shop_group, (_PACK_DEFAULT,)
            ).get(_PACK_DEFAULT)
            or 0
        )
        for place in places
        for id_shop in shops.at(place)
    }


class OpenShopStock:
    """The stock within one snapshot in raw mode."""

    def __init__(
        self,
        snapshot: Snapshot,
        queries: tuple[StockQueries, OrderedQueries],
        facts: _Facts,
        dead_states: Collection[int],
    ) -> None:
        self._snapshot = snapshot
        self._stock, self._ordered = queries
        self._facts = facts
        self._dead = dead_states
        self._places = {place[1:]: index for index, place in enumerate(facts.places)}

    def levels(
        self, after: ProductKey = BEFORE_ALL, *, unsifted: bool = False
    ) -> Iterator[tuple[ProductKey, Sequence[int | None]]]:
        """The quantity at each place of every combination that has a row at one, in key order; ``unsifted`` also those
        of totals and of what no longer exists."""
        with closing(ahead(self._level_rows(after[0] - 1, unsifted))) as pages:
            for rows in pages:
                page = self._alone(rows) if len(self._places) == 1 else self._side_by_side(rows)
                if page and page[0][0] <= after:
                    page = [one for one in page if one[0] > after]
                yield from page

    def some(self, keys: Collection[ProductKey]) -> dict[ProductKey, Sequence[Level | None]]:
        """The rows of these combinations, by key; those without any row are missing."""
        wanted = set(keys)
        found: dict[ProductKey, list[Level | None]] = {}
        statements = (self._stock.simple_among, self._stock.combinations_among)
        for rows in self._of_products(keys, *statements):
            for row in rows:
                key = (int(row[0]), int(row[1]))
                if key in wanted:
                    levels = found.setdefault(key, [None] * len(self._places))
                    level = Level(int(row[3]), number(row[2]), number(row[4]) != 0, number(row[5]))
                    levels[self._place(row[6:])] = level
        return dict(found)

    def ordered_since(self, since: Since) -> Iterator[OrderedLine]:
        """The lines of every order that may have to reach the ERP and is not dead."""
        counts = self._counts(since)
        earliest = {"since": counts.earliest}
        first = self._snapshot.rows(self._ordered.first_since, earliest)[0][0]
        if first is not None:
            for span in self._spans(self._ordered.bound_after, int(first) - 1, PAGE_ORDERS):
                rows = self._snapshot.rows(self._ordered.lines_between, span | earliest)
                yield from map(_line, filter(counts, rows))
        for some in _pieces(since.older):
            rows = self._snapshot.rows(self._ordered.lines_among, {"orders": some})
            yield from map(_line, filter(counts.is_older, rows))

    def ordered_of(self, keys: Collection[ProductKey], since: Since) -> Sequence[OrderedLine]:
        """Those of these combinations, in no order."""
        wanted, counts = set(keys), self._counts(since)
        found = self._of_products(keys, self._ordered.lines_of, since=counts.earliest)
        lines = [_line(row) for rows in found for row in rows if counts(row)]
        for some in _pieces(since.older):
            found = self._of_products(keys, self._ordered.lines_of_among, orders=some)
            lines += [_line(row) for rows in found for row in rows if counts.is_older(row)]
        return [line for line in lines if line.key in wanted]

    def ours(self, references: Collection[str]) -> set[str]:
        """Those of these normalised references that are the ``YourRef`` of an order of the shop, dead ones too."""
        named = {one: one.rpartition("-")[2] for one in references}
        ids = sorted({int(tail) for tail in named.values() if tail.isdecimal() and len(tail) < _LONGEST_ID})
        found = set()
        for start in range(0, len(ids), IDS):
            rows = self._snapshot.rows(self._ordered.references_among, {"ids": ids[start : start + IDS]})
            found |= {
                normalise_code(your_ref_of(text(reference), int(id_order))) for id_order, reference in rows
            }
        return found & named.keys()

    def being_placed(self, since: datetime) -> set[int]:
        """Orders begun since then by any shop's clock, and without a state: PrestaShop adds an order first, then lowers
        each quantity before it adds the line, and gives the order its state in the end."""
        earliest = {"since": self._counts(Since(since)).earliest}
        return {number(row[0]) for row in self._snapshot.rows(self._ordered.without_state, earliest)}

    def newest_order(self) -> int:
        """The highest ``id_order``; 0 where there are no orders."""
        return number(self._snapshot.rows(self._ordered.newest)[0][0])

    def pack_conflicts(self) -> set[ProductKey]:
        """Packs that take their components along in one of the shops, and those components."""
        conflicts: set[ProductKey] = set()
        for row in self._snapshot.rows(self._stock.packs(), {"shops": sorted(self._facts.pack_defaults)}):
            if self._takes_components_along(*row[3:]):
                conflicts |= {(number(row[0]), -1), (number(row[1]), number(row[2]) or -1)}
        return conflicts

    def _takes_components_along(self, product_says: Raw, id_shop: Raw, shop_says: Raw) -> bool:
        """A product that a shop lacks counts as the product says, in any of the shops."""
        defaults = self._facts.pack_defaults
        kind = product_says if id_shop is None or shop_says is None else shop_says
        if kind is not None and number(kind) != _AS_THE_SHOP_SAYS:
            return number(kind) in _TAKES_COMPONENTS_ALONG
        kinds = defaults.values() if id_shop is None else [defaults[number(id_shop)]]
        return any(one in _TAKES_COMPONENTS_ALONG for one in kinds)

    def _level_rows(self, after: int, unsifted: bool) -> Iterator[Sequence[RawRow]]:
        """Those of so many products at a time; of one, the combinations' in no order."""
        for span in self._spans(self._stock.bound_after, after, PAGE_PRODUCTS):
            if unsifted:
                yield self._snapshot.rows(self._stock.rows_between, span)
                continue
            simple = self._snapshot.rows(self._stock.simple_between, span)
            yield [*simple, *self._snapshot.rows(self._stock.combinations_between, span)]

    def _alone(self, rows: Sequence[RawRow]) -> list[tuple[ProductKey, Sequence[int | None]]]:
        """The rows of the only place, which differ by their keys."""
        if not rows:
            return []
        # Column by column: a million rows take a third of the time.
        products, combinations, quantities = zip(*rows, strict=True)
        keys = zip(map(int, products), map(int, combinations), strict=True)
        levels = zip(int(quantity or 0) for quantity in quantities)
        return sorted(zip(keys, levels, strict=True))

    def _side_by_side(self, rows: Sequence[RawRow]) -> list[tuple[ProductKey, Sequence[int | None]]]:
        found: dict[ProductKey, list[int | None]] = {}
        for row in rows:
            levels = found.setdefault((int(row[0]), int(row[1])), [None] * len(self._places))
            levels[self._place(row[3:])] = number(row[2])
        return sorted(found.items())

    def _place(self, ids: RawRow) -> int:
        """Which place a row is of; it does not say so where there is only one."""
        return self._places[number(ids[0]), number(ids[1])] if ids else 0

    def _spans(self, bound_after: Select[Any], after: int, page: int) -> Iterator[dict[str, int]]:
        """Ranges of so many ids each."""
        while bound := self._snapshot.rows(bound_after, {"after": after, "page": page})[0][0]:
            yield {"after": after, "bound": int(bound)}
            after = int(bound)

    def _of_products(
        self, keys: Collection[ProductKey], *statements: Select[Any], **given: Any
    ) -> Iterator[Sequence[RawRow]]:
        ids = sorted({key[0] for key in keys})
        for start in range(0, len(ids), IDS):
            for statement in statements:
                yield self._snapshot.rows(statement, {"ids": ids[start : start + IDS], **given})

    def _counts(self, since: Since) -> _Counts:
        return _Counts(since, self._facts, self._dead)


class _Counts:
    """Whether a line's order may have to reach the ERP; ``earliest`` is the first time that any shop writes."""

    def __init__(self, since: Since, facts: _Facts, dead: Collection[int]) -> None:
        self._bounds = {id_shop: _bound(since.start, zone) for id_shop, zone in facts.zones.items()}
        self.earliest = min(self._bounds.values(), default=_bound(since.start, ZoneInfo("UTC")))
        self._chosen = facts.chosen
        self._dead = dead

    def __call__(self, row: RawRow) -> bool:
        return self._goes_to_the_erp(row) and not self._is_before(row)

    def is_older(self, row: RawRow) -> bool:
        """Of an order that is known to be on its way: whether it counts, and not by its time already."""
        return self._goes_to_the_erp(row) and self._is_before(row)

    def _goes_to_the_erp(self, row: RawRow) -> bool:
        return number(row[3]) not in self._dead and (not self._chosen or number(row[2]) in self._chosen)

    def _is_before(self, row: RawRow) -> bool:
        return text(row[4]) < self._bounds.get(number(row[2]), self.earliest)


def _pieces(ids: Collection[int]) -> Iterator[list[int]]:
    ordered = sorted(ids)
    for start in range(0, len(ordered), IDS):
        yield ordered[start : start + IDS]


def _bound(since: datetime, zone: ZoneInfo) -> str:
    """The least a shop's clock showed at ``since`` or after it, as its tables write it.

    Clocks that are set back in autumn show an hour again: an order of that hour counts rather than not.
    """
    local, later = since.astimezone(zone), (since + _LOOK_AHEAD).astimezone(zone)
    before, after = local.utcoffset() or timedelta(), later.utcoffset() or timedelta()
    return f"{local - max(timedelta(), before - after):%Y-%m-%d %H:%M:%S}"


def _line(row: RawRow) -> OrderedLine:
    reference = your_ref_of(text(row[1]), int(row[0]))
    return OrderedLine(reference, (number(row[5]), number(row[6])), number(row[7]))
