"""The orders that came from a marketplace, as the shoppingfeed module keeps them beside those of the shop.

Every statement reads a range or a list by an index: ``id_order`` is unique in the module's table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import Column, Integer, Select, bindparam, null, select

from brekzsync.domain.marketplace import Account, Identity, MarketplaceOrder, Parcel
from brekzsync.domain.order_status import ShopSync
from brekzsync.errors import ConfigurationError
from brekzsync.prestashop.connection import RawRow, ShopDatabase, Snapshot, number, text
from brekzsync.prestashop.orders.decoding import in_utc, local_time
from brekzsync.prestashop.shoppingfeed.accounts import MarketplaceOptions, SellingShop, read_accounts, whole
from brekzsync.prestashop.shoppingfeed.conflicts import read_syncs
from brekzsync.prestashop.shoppingfeed.tables import LATER, MarketplaceTables
from brekzsync.prestashop.shops import check_tables
from brekzsync.prestashop.tables import shop_tables

_TABLES, _SHOP_TABLES = cache(MarketplaceTables), cache(shop_tables)
ORDERS = 5000
"""Orders of one page."""
_AT_ONCE = 500
_SHOPS_OWN_CARRIER = "0"
_Columns = Mapping[str, set[str]]


class MarketplaceOrders:
    """The marketplace orders of a PrestaShop, read in snapshots."""

    def __init__(self, database: ShopDatabase, options: MarketplaceOptions) -> None:
        self._database = database
        self._options = options
        self._columns: _Columns | None = None

    @contextmanager
    def open(self) -> Iterator[OpenMarketplaceOrders]:
        """One consistent view. Raises ConfigurationError for tables or shops that are not there."""
        prefix = self._options.table_prefix
        tables = _TABLES(prefix)
        with self._database.snapshot() as snapshot:
            if self._columns is None:  # a run opens it again and again
                check_tables(snapshot, tables, prefix)
                self._columns = _module_columns(snapshot, tables)
            has = self._columns.get(tables.token.name, set())
            shops, accounts = read_accounts(snapshot, tables, _SHOP_TABLES(prefix), self._options, has)
            syncs = read_syncs(snapshot, tables, shops.values())
            with snapshot.raw():
                yield OpenMarketplaceOrders(
                    snapshot, _Statements(tables, self._columns), shops, accounts, syncs
                )

    def dispose(self) -> None:
        """Close what is open."""
        self._database.dispose()


class OpenMarketplaceOrders:
    """Those within one snapshot, of the shops in play: the chosen ones, else those that have an account."""

    def __init__(
        self,
        snapshot: Snapshot,
        statements: _Statements,
        shops: Mapping[int, SellingShop],
        accounts: Sequence[Account],
        syncs: Sequence[ShopSync],
    ) -> None:
        self._snapshot = snapshot
        self._statements = statements
        self._shops = shops
        self._accounts = accounts
        self._syncs = syncs

    def syncs(self) -> Sequence[ShopSync]:
        """What the modules of each shop in play do themselves, by ``id_shop``; none where no shop is."""
        return self._syncs

    def accounts(self) -> Sequence[Account]:
        """Every account, by id: inactive ones too, and those of shops not in play. One without any token is inactive.

        With a configured token and none of the module's, one with the id 0 for each shop in play.
        """
        return self._accounts

    def orders(self, after: int = 0) -> Iterator[MarketplaceOrder]:
        """Every marketplace order with a greater ``id_order``, ascending, flat in memory."""
        page = {"after": after, "page": ORDERS}
        while rows := self._snapshot.rows(self._statements.after, page):
            yield from self._decoded(rows, after)
            page["after"] = after = number(rows[-1][0])

    def some(self, ids: Collection[int]) -> dict[int, MarketplaceOrder]:
        """Those of these orders that are marketplace orders of the shops in play."""
        return {order.id_order: order for order in self._decoded(self._rows(self._statements.some, ids), 0)}

    def exist(self, ids: Collection[int]) -> set[int]:
        """Those of these orders that exist, of whatever shop and origin."""
        return {number(row[0]) for row in self._rows(self._statements.exist, ids)}

    def parcels(self, ids: Collection[int]) -> dict[int, list[Parcel]]:
        """The parcels of these orders, oldest first; an order without any is missing."""
        found: defaultdict[int, list[Parcel]] = defaultdict(list)
        for id_order, id_shop, name, url, tracking in self._rows(self._statements.parcels, ids):
            carrier = text(name).strip()
            if carrier == _SHOPS_OWN_CARRIER:
                shop = self._shops.get(number(id_shop))
                carrier = shop.own_carrier if shop else ""
            found[number(id_order)].append(Parcel(carrier, text(url).strip(), text(tracking).strip()))
        return dict(found)

    def _rows(self, statement: Select[Any], ids: Collection[int]) -> Iterator[RawRow]:
        left = iter(sorted(set(ids)))
        while some := list(islice(left, _AT_ONCE)):
            yield from self._snapshot.rows(statement, {"ids": some})

    def _decoded(self, rows: Iterable[RawRow], after: int) -> Iterator[MarketplaceOrder]:
        """Rows in the order of their ids, all greater than ``after``; of an order with two rows the first."""
        for row in rows:
            id_order, shop = number(row[0]), self._shops.get(number(row[1]))
            if shop is not None and id_order > after:
                after = id_order
                yield _order(id_order, shop, row)


class _Statements:
    """What is asked; ``columns`` are those the module's tables really have."""

    def __init__(self, tables: MarketplaceTables, columns: _Columns) -> None:
        orders, parcel, carrier = tables.orders.c, tables.order_carrier.c, tables.carrier.c
        kept, present = tables.marketplace_order.c, columns[tables.marketplace_order.name]

        def own(name: str) -> Any:
            return null().label(name) if name in LATER and name not in present else kept[name]

        read = (
            select(
                kept.id_order,
                orders.id_shop,
                orders.reference,
                orders.current_state,
                own("id_internal_shoppingfeed"),
                own("id_order_marketplace"),
                own("name_marketplace"),
                own("id_shoppingfeed_token"),
                own("payment_method"),
                own("date_marketplace_creation"),
                orders.date_add,
            )
            .select_from(tables.marketplace_order)
            .join(tables.orders, orders.id_order == kept.id_order)
            .order_by(kept.id_order)  # and by nothing more, or each page would sort all that are left
        )
        self.after = read.where(kept.id_order > bindparam("after", type_=Integer)).limit(
            bindparam("page", type_=Integer)
        )
        self.some = read.where(_among(kept.id_order))
        self.exist = select(orders.id_order).where(_among(orders.id_order))
        self.parcels = (
            select(parcel.id_order, orders.id_shop, carrier.name, carrier.url, parcel.tracking_number)
            .select_from(tables.order_carrier)
            .join(tables.orders, orders.id_order == parcel.id_order)
            .outerjoin(tables.carrier, carrier.id_carrier == parcel.id_carrier)
            .where(_among(parcel.id_order))
            .order_by(parcel.id_order, parcel.id_order_carrier)
        )


def _order(id_order: int, shop: SellingShop, row: RawRow) -> MarketplaceOrder:
    _, _, reference, state, feed_id, own, channel, id_token, payment, placed, added = row
    created = in_utc(local_time(placed) or local_time(added), shop.time_zone)
    return MarketplaceOrder(
        id_order,
        shop.id_shop,
        text(reference).strip(),
        number(state),
        Identity(whole(feed_id) or None, text(own).strip(), text(channel).strip()),
        whole(id_token),
        text(payment).strip(),
        int(created.timestamp() * 1000) if created else 0,
    )


def _module_columns(snapshot: Snapshot, tables: MarketplaceTables) -> _Columns:
    """The columns of the module's tables, by their names; its first releases kept no tokens in a table.

    Raises ConfigurationError where there are no marketplace orders at all.
    """
    order = tables.marketplace_order.name
    columns = snapshot.table_columns([order, tables.token.name])
    if order not in columns:
        raise ConfigurationError(
            f"The shop has no table {order}: the module shoppingfeed, which brings in the marketplace's orders, is not"
            " installed.",
            hint="Install it in the shop, or remove [marketplace]; the user of [shop] database needs SELECT on its"
            " tables.",
            code="no_marketplace_orders",
        )
    return columns


def _among(column: Column[Any]) -> Any:
    return column.in_(bindparam("ids", expanding=True, type_=Integer))
