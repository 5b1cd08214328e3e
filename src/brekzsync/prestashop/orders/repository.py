"""Orders and credit slips as a flow sees them: those that may be due, in key order, and some by their ids.

Absence is nothing here: what was once exported stays exported, so a snapshot may be read as far as needed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice

from sqlalchemy import select

from brekzsync.domain.orders.shop_orders import ShopOrder, ShopSlip
from brekzsync.errors import ConfigurationError
from brekzsync.prestashop.connection import ShopDatabase, Snapshot, number, text
from brekzsync.prestashop.orders.decoding import OrderDecoder, ShopContext
from brekzsync.prestashop.orders.pages import OrderPages
from brekzsync.prestashop.orders.queries import OrderQueries
from brekzsync.prestashop.orders.tables import order_tables
from brekzsync.prestashop.queries import Raw
from brekzsync.prestashop.shops import check_tables, read_data_shop, read_settings, time_zone_of
from brekzsync.prestashop.tables import shop_tables

_ORDER_TABLES, _SHOP_TABLES = cache(order_tables), cache(shop_tables)  # a service opens the shop all the time
_SETTINGS = ("PS_TIMEZONE", "PS_TAX_ADDRESS_TYPE")
STANDINGS = 5000
"""Orders asked for their state at a time."""
DETAILS = 500
"""Orders or slips read with all that belongs to them at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOptions:
    """``shops`` are names or ids, empty for all; states are ``id_order_state``. ``data_shop`` and ``language`` say
    which shop is at home."""

    table_prefix: str
    data_shop: str | int
    language: str
    ready_states: Sequence[int]
    dead_states: Sequence[int]
    shops: Sequence[str] = ()


class ShopOrders:
    """The orders of a PrestaShop, read in snapshots."""

    def __init__(self, database: ShopDatabase, options: OrderOptions) -> None:
        self._database = database
        self._options = options

    @contextmanager
    def open(self) -> Iterator[OpenOrders]:
        """One consistent view. Raises ConfigurationError for tables or shops that are not there."""
        prefix = self._options.table_prefix
        tables = _ORDER_TABLES(prefix)
        with self._database.snapshot() as snapshot:
            columns = check_tables(snapshot, tables, prefix)
            shops = shop_contexts(snapshot, prefix)
            chosen = chosen_shops(
                {id_shop: shop.name for id_shop, shop in shops.items()}, self._options.shops
            )
            home = read_data_shop(
                snapshot,
                _SHOP_TABLES(prefix),
                wanted=self._options.data_shop,
                language=self._options.language,
            )
            with snapshot.raw():
                queries = OrderQueries(tables, columns)
                yield OpenOrders(snapshot, queries, shops, chosen, self._options, home.country)

    def dispose(self) -> None:
        """Close what is open."""
        self._database.dispose()


class OpenOrders:
    """The orders within one snapshot; ``home_country`` is the data shop's ISO code."""

    def __init__(
        self,
        snapshot: Snapshot,
        queries: OrderQueries,
        shops: dict[int, ShopContext],
        chosen: Collection[int],
        options: OrderOptions,
        home_country: str,
    ) -> None:
        self.home_country = home_country
        self._snapshot = snapshot
        self._queries = queries
        self._chosen = chosen
        self._options = options
        names = {
            what: {number(row[0]): text(row[1]).strip().upper() for row in snapshot.rows(statement)}
            for what, statement in queries.names.items()
        }
        self._pages = OrderPages(snapshot, queries, OrderDecoder(shops, **names))

    def due_ids(self, after: int = 0) -> Iterator[int]:
        """``id_order`` of the orders that are due by their states, ascending, above ``after``.

        Their history ever held a ready state, and their state now is no dead one.
        """
        dead, ready = set(self._options.dead_states), list(self._options.ready_states)
        page = {"after": after, "page": STANDINGS}
        while rows := self._snapshot.rows(self._queries.standings_after, page):
            first, last = int(rows[0][0]), int(rows[-1][0])
            span = {"first": first, "last": last, "ids": ready}
            was_ready = {number(row[0]) for row in self._snapshot.rows(self._queries.ever_in, span)}
            for id_order, id_shop, state in rows:
                if number(id_order) in was_ready and number(state) not in dead and self._takes(id_shop):
                    yield number(id_order)
            page["after"] = last

    def due_among(self, ids: Collection[int]) -> set[int]:
        """Those of these orders that are due."""
        return {
            id_order for id_order in ids if self._shop_states(id_order) and not self.why_not_due(id_order)
        }

    def why_not_due(self, id_order: int) -> str | None:
        """Why an order is not due, as a sentence; None when it is, or does not exist."""
        standing = self._shop_states(id_order)
        if standing is None:
            return None
        id_shop, state = standing
        if number(state) in self._options.dead_states:
            return f"Order {id_order} is in state {state}, one of [orders] dead_states."
        if not self._takes(id_shop):
            return f"Order {id_order} is of shop {id_shop}, which [orders] shops leaves out."
        span = {"first": id_order, "last": id_order, "ids": list(self._options.ready_states)}
        if not self._snapshot.rows(self._queries.ever_in, span):
            ready = ", ".join(map(str, self._options.ready_states))
            return f"Order {id_order} was never in a state of [orders] ready_states ({ready}); it is in state {state}."
        return None

    def states(self, ids: Collection[int]) -> dict[int, int]:
        """The current states of these orders, of those that exist."""
        return {
            number(id_order): number(state)
            for batch in _batches(ids)
            for id_order, state in self._snapshot.rows(self._queries.states, {"ids": batch})
        }

    def _shop_states(self, id_order: int) -> tuple[Raw, Raw] | None:
        """The shop of an order and its state; None when it does not exist."""
        rows = self._snapshot.rows(self._queries.standings_after, {"after": id_order - 1, "page": 1})
        return next(((row[1], row[2]) for row in rows if number(row[0]) == id_order), None)

    def due(self, after: int = 0) -> Iterator[ShopOrder]:
        """The due orders themselves, in key order."""
        ids = self.due_ids(after)
        while some := list(islice(ids, DETAILS)):
            yield from self.some(some)

    def some(self, ids: Collection[int]) -> Iterator[ShopOrder]:
        """These orders as far as they exist, in key order, whatever their state and shop."""
        for batch in _batches(ids):
            yield from self._pages.orders(batch)

    def slip_ids(self, after: int = 0) -> Iterator[int]:
        """``id_order_slip`` of every credit slip of the chosen shops, ascending, whatever its order's state."""
        page = {"after": after, "page": STANDINGS}
        while rows := self._snapshot.rows(self._queries.slips_after, page):
            yield from (number(row[0]) for row in rows if self._takes(row[1]))
            page["after"] = int(rows[-1][0])

    def slips_among(self, ids: Collection[int]) -> set[int]:
        """Those of these credit slips that exist and are of the chosen shops."""
        found: set[int] = set()
        for one in ids:
            rows = self._snapshot.rows(self._queries.slips_after, {"after": one - 1, "page": 1})
            found.update(number(row[0]) for row in rows if number(row[0]) == one and self._takes(row[1]))
        return found

    def slips(self, after: int = 0) -> Iterator[ShopSlip]:
        """Those slips themselves with their orders, in key order."""
        ids = self.slip_ids(after)
        while some := list(islice(ids, DETAILS)):
            yield from self.some_slips(some)

    def some_slips(self, ids: Collection[int]) -> Iterator[ShopSlip]:
        """These slips as far as they and their orders exist, in key order."""
        for batch in _batches(ids):
            yield from self._pages.slips(batch)

    def _takes(self, id_shop: Raw) -> bool:
        return not self._chosen or number(id_shop) in self._chosen


def _batches(ids: Collection[int]) -> Iterator[list[int]]:
    ordered = iter(sorted(set(ids)))
    while batch := list(islice(ordered, DETAILS)):
        yield batch


def shop_contexts(snapshot: Snapshot, prefix: str) -> dict[int, ShopContext]:
    """Every shop, deleted ones too: their orders are still there."""
    tables = _SHOP_TABLES(prefix)
    shop = tables.shop
    contexts = {}
    for id_shop, name, id_shop_group in snapshot.rows(
        select(shop.c.id_shop, shop.c.name, shop.c.id_shop_group).order_by(shop.c.id_shop)
    ):
        settings = read_settings(snapshot, tables, number(id_shop), number(id_shop_group), _SETTINGS)
        by_invoice = settings.get("PS_TAX_ADDRESS_TYPE") == "id_address_invoice"
        contexts[number(id_shop)] = ShopContext(
            name=text(name),
            time_zone=time_zone_of(settings.get("PS_TIMEZONE") or "UTC"),
            tax_address="invoice" if by_invoice else "delivery",
        )
    return contexts


def chosen_shops(names: dict[int, str], wanted: Sequence[str], setting: str = "[orders] shops") -> set[int]:
    """The ids of the shops that ``setting`` names. Raises ConfigurationError for one that is no shop."""
    ids = set()
    for one in wanted:
        own = [
            id_shop for id_shop, name in names.items() if name.strip().casefold() == one.strip().casefold()
        ]
        if not own and one.strip().isdecimal() and int(one) in names:
            own = [int(one)]
        if not own:
            known = ", ".join(f"{name!r} ({id_shop})" for id_shop, name in names.items()) or "none"
            raise ConfigurationError(
                f"{setting} names {one!r}, which is not a shop of this PrestaShop.",
                hint=f"Name shops by name or id: {known}.",
            )
        ids.update(own)
    return ids
