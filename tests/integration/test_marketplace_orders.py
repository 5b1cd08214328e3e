"""Marketplace orders as they are read: the same on the genuine MariaDB shop and on an embedded one.

The tables of the shoppingfeed module are made here as the module makes them (facts/shoppingfeed.md section 2.1).
"""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

import pytest
from sqlalchemy import Engine, Table, create_engine, text

from brekzsync import logs
from brekzsync.bootstrap.order_status import marketplace_orders, status_rules
from brekzsync.demo.folder import make_demo
from brekzsync.demo.seed import data_file, read
from brekzsync.domain.marketplace import Account, Identity, MarketplaceOrder, Parcel
from brekzsync.domain.order_status import Operation, ShopSync, can, conflict
from brekzsync.errors import ConfigurationError
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.shoppingfeed import repository
from brekzsync.prestashop.shoppingfeed.accounts import MarketplaceOptions
from brekzsync.prestashop.shoppingfeed.repository import MarketplaceOrders, OpenMarketplaceOrders
from brekzsync.prestashop.shoppingfeed.tables import MarketplaceTables
from brekzsync.prestashop.tables import ShopTables, shop_tables
from brekzsync.settings import Settings, load_settings
from tests.exports import NOW
from tests.services.prestashop import PrestaShopDatabase
from tests.shoppingfeed_tables import MODULE_TABLES
from tests.shops import make_shop

LENIENT = "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'"  # columns that are not read need no values
OPTIONS = MarketplaceOptions(table_prefix="ps_")
NO_DATE = "0000-00-00 00:00:00"
FIRST_RELEASE = (
    "CREATE TABLE ps_shoppingfeed_order (id_shoppingfeed_order INTEGER NOT NULL PRIMARY KEY,"
    " id_order_marketplace VARCHAR(50), name_marketplace VARCHAR(50) NOT NULL, id_order INTEGER NOT NULL)"
)
Result = TypeVar("Result")


class Shop(NamedTuple):
    """A shop with the module's tables, empty but for one active token of shop 1."""

    url: str
    engine: Engine
    tables: MarketplaceTables
    own: ShopTables

    def read(
        self, read: Callable[[OpenMarketplaceOrders], Result], options: MarketplaceOptions = OPTIONS
    ) -> Result:
        """What ``read`` finds in one snapshot."""
        orders = MarketplaceOrders(ShopDatabase(self.url), options)
        try:
            with orders.open() as opened:
                return read(opened)
        finally:
            orders.dispose()

    def orders(self, after: int = 0, options: MarketplaceOptions = OPTIONS) -> list[MarketplaceOrder]:
        return self.read(lambda opened: list(opened.orders(after)), options)

    def accounts(self, options: MarketplaceOptions = OPTIONS) -> Sequence[Account]:
        return self.read(lambda opened: opened.accounts(), options)

    def syncs(self, options: MarketplaceOptions = OPTIONS) -> Sequence[ShopSync]:
        return self.read(lambda opened: opened.syncs(), options)

    def change(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def add(self, table: Table, *rows: dict[str, object]) -> None:
        with self.engine.begin() as connection:
            if self.engine.dialect.name != "sqlite":
                connection.execute(text(LENIENT))
            connection.execute(table.insert(), rows)

    def add_order(
        self, id_order: int, *, shop: int = 1, state: int = 4, added: str = NO_DATE, **kept: object
    ) -> None:
        """An order of the shop, with what the module keeps of it."""
        self.add(
            self.tables.orders,
            {
                "id_order": id_order,
                "id_shop": shop,
                "current_state": state,
                "reference": f"REF{id_order}",
                "date_add": added,
            },
        )
        self.keep(id_order, **kept)

    def keep(self, id_order: int, **kept: object) -> None:
        """A row of the module's."""
        row = {
            "id_shoppingfeed_order": 10_000 - id_order,  # orders are imported in no order
            "id_order": id_order,
            "id_internal_shoppingfeed": str(5000 + id_order),
            "id_order_marketplace": f"MP-{id_order}",
            "name_marketplace": "bol.com",
            "id_shoppingfeed_token": 1,
            "payment_method": "-",
            "date_marketplace_creation": None,
        }
        self.add(self.tables.marketplace_order, row | kept)

    def add_shop(self, id_shop: int, name: str, *, active: int = 1, deleted: int = 0) -> None:
        """Another shop, in the group of the first."""
        self.change(f"DELETE FROM ps_shop WHERE id_shop = {id_shop}")
        row = {"id_shop": id_shop, "id_shop_group": 1, "name": name, "active": active, "deleted": deleted}
        self.add(self.own.shop, row)

    def add_token(
        self, id_token: int, shop: int, content: str | None, store: int | None, active: int = 1
    ) -> None:
        """An account the module knows."""
        self.add(
            self.tables.token,
            {
                "id_shoppingfeed_token": id_token,
                "id_shop": shop,
                "content": content,
                "active": active,
                "shoppingfeed_store_id": store,
            },
        )

    def set(self, name: str, value: str | None, shop: int | None = None, group: int | None = None) -> None:
        """A setting of a shop, of a group, or of all shops."""
        place = f"id_shop {_is(shop)} AND id_shop_group {_is(group)}"
        self.change(f"DELETE FROM ps_configuration WHERE name = '{name}' AND {place}")
        with self.engine.connect() as connection:
            last = connection.execute(text("SELECT MAX(id_configuration) FROM ps_configuration")).scalar_one()
        row = {
            "id_configuration": last + 1,
            "id_shop_group": group,
            "id_shop": shop,
            "name": name,
            "value": value,
        }
        self.add(self.own.configuration, row)

    def add_module(self, id_module: int, name: str, *shops: int, active: int = 1) -> None:
        """An installed module, enabled in these shops."""
        self.add(self.tables.module, {"id_module": id_module, "name": name, "active": active})
        for shop in shops:
            self.add(self.tables.module_shop, {"id_module": id_module, "id_shop": shop})


def _is(number: int | None) -> str:
    return "IS NULL" if number is None else f"= {number}"


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """A shop without the module."""
    tables, own = MarketplaceTables("ps_"), shop_tables("ps_")
    if request.param == "sqlite":
        make_shop(tmp_path / "shop.db", products=1)
        url = f"sqlite:///{tmp_path / 'shop.db'}"
    else:
        genuine: PrestaShopDatabase = request.getfixturevalue("prestashop")
        url = genuine.url()
    shop = Shop(url, create_engine(url), tables, own)
    if request.param == "sqlite":
        tables.orders.metadata.create_all(shop.engine, tables=tables.all())
    shop.change("UPDATE ps_shop SET name = 'NL' WHERE id_shop = 1", "DELETE FROM ps_shop WHERE id_shop > 1")
    shop.change("DELETE FROM ps_configuration WHERE name IN ('PS_TIMEZONE', 'PS_SHOP_NAME')")
    yield shop
    # The genuine shop is put back more quickly when its tables are those it had.
    shop.change("DROP TABLE IF EXISTS ps_shoppingfeed_order", "DROP TABLE IF EXISTS ps_shoppingfeed_token")
    shop.engine.dispose()


@pytest.fixture
def shop(bare: Shop) -> Shop:
    if bare.engine.dialect.name == "sqlite":
        bare.tables.orders.metadata.create_all(bare.engine)
    else:
        bare.change(*MODULE_TABLES)
    bare.add_token(1, 1, "t0ken", 1276)
    return bare


def milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)


# --- orders --------------------------------------------------------------------------------------------


def test_an_order_is_read_with_what_both_sides_know_it_by(shop: Shop) -> None:
    shop.set("PS_TIMEZONE", "Europe/Amsterdam")
    shop.add_order(
        101,
        id_internal_shoppingfeed="5678",
        id_order_marketplace=" 4003-É ",
        name_marketplace="Amazon ",
        payment_method="Amazon FBA",
        date_marketplace_creation="2026-07-01 00:30:00",
        added="2026-07-02 09:00:00",
    )

    assert shop.orders() == [
        MarketplaceOrder(
            id_order=101,
            id_shop=1,
            shop_reference="REF101",
            state=4,
            identity=Identity(5678, "4003-É", "Amazon"),
            id_token=1,
            payment_method="Amazon FBA",
            created_at=milliseconds("2026-06-30 22:30:00"),
        )
    ]


def test_a_shopping_feed_id_is_a_number_or_unknown(shop: Shop) -> None:
    kept = (None, "", "0", "SF-12", "-5", " 5678 ", "0042")
    for id_order, feed_id in enumerate(kept, 101):
        shop.add_order(id_order, id_internal_shoppingfeed=feed_id)

    assert [order.identity.feed_id for order in shop.orders()] == [None] * 5 + [5678, 42]


def test_what_the_module_left_empty_is_empty(shop: Shop) -> None:
    shop.add_order(
        101,
        id_internal_shoppingfeed=None,
        id_order_marketplace=None,
        name_marketplace="",
        id_shoppingfeed_token=None,
    )

    assert shop.orders() == [
        MarketplaceOrder(101, 1, "REF101", 4, Identity(None, "", ""), 0, "-", created_at=0),
    ]


def test_an_order_was_placed_on_the_marketplace_else_in_the_shop(shop: Shop) -> None:
    shop.set("PS_TIMEZONE", "Europe/Amsterdam")
    shop.add_order(101, date_marketplace_creation="2026-01-10 12:00:00", added="2026-01-11 12:00:00")
    shop.add_order(102, date_marketplace_creation=None, added="2026-07-11 12:00:00")
    shop.add_order(103, date_marketplace_creation=NO_DATE, added="2026-07-11 12:00:00")
    shop.add_order(104, date_marketplace_creation=None, added=NO_DATE)

    assert [order.created_at for order in shop.orders()] == [
        milliseconds("2026-01-10 11:00:00"),
        milliseconds("2026-07-11 10:00:00"),
        milliseconds("2026-07-11 10:00:00"),
        0,
    ]


def test_dates_are_by_the_clock_of_the_orders_shop(shop: Shop) -> None:
    shop.set("PS_TIMEZONE", "Europe/Amsterdam")
    shop.add_shop(2, "PT")
    shop.set("PS_TIMEZONE", "Europe/Lisbon", shop=2, group=1)
    shop.add_token(2, 2, "other", 5678)
    shop.add_order(101, added="2026-07-11 12:00:00")
    shop.add_order(102, shop=2, added="2026-07-11 12:00:00")

    assert [order.created_at for order in shop.orders()] == [
        milliseconds("2026-07-11 10:00:00"),
        milliseconds("2026-07-11 11:00:00"),
    ]


def test_orders_come_page_by_page_in_order_of_their_ids(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for id_order in (105, 101, 104, 103, 102):
        shop.add_order(id_order)
    monkeypatch.setattr(repository, "ORDERS", 2)

    assert [order.id_order for order in shop.orders()] == [101, 102, 103, 104, 105]
    assert [order.id_order for order in shop.orders(after=103)] == [104, 105]


def test_orders_that_came_from_no_marketplace_or_are_gone_are_not_there(shop: Shop) -> None:
    shop.add_order(101)
    shop.add_order(102)
    shop.add_order(103)
    shop.change("DELETE FROM ps_orders WHERE id_order = 103")
    shop.change("DELETE FROM ps_shoppingfeed_order WHERE id_order = 102")

    assert [order.id_order for order in shop.orders()] == [101]
    assert shop.read(lambda opened: opened.some([101, 102, 103]).keys()) == {101}
    assert shop.read(lambda opened: opened.exist([101, 102, 103])) == {101, 102}


def test_some_orders_are_read_as_all_are(shop: Shop) -> None:
    for id_order in range(101, 106):
        shop.add_order(id_order, state=id_order - 100)
    everything = {order.id_order: order for order in shop.orders()}

    some = shop.read(lambda opened: opened.some([104, 101, 999, 101]))

    assert some == {one: everything[one] for one in (101, 104)}


def test_thousands_of_orders_can_be_asked_for(shop: Shop) -> None:
    shop.add_order(101)

    assert shop.read(lambda opened: opened.some(range(1, 3000)).keys()) == {101}
    assert 101 in shop.read(lambda opened: opened.exist(range(1, 3000)))
    assert shop.read(lambda opened: (opened.some([]), opened.exist([]), opened.parcels([]))) == (
        {},
        set(),
        {},
    )


def test_a_second_row_of_an_order_counts_no_more_than_the_first(
    bare: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a key of the module's keeps it from writing two."""
    bare.change(FIRST_RELEASE)
    bare.add(bare.tables.orders, {"id_order": 101, "id_shop": 1, "current_state": 4, "reference": "A"})
    rows = (
        "INSERT INTO ps_shoppingfeed_order VALUES (7, 'second', 'bol.com', 101), (3, 'first', 'bol.com', 101)"
    )
    bare.change("CREATE INDEX id_order ON ps_shoppingfeed_order (id_order)", rows)
    chosen = MarketplaceOptions(table_prefix="ps_", token="t0ken")

    for page in (1, 2):
        monkeypatch.setattr(repository, "ORDERS", page)
        assert [order.identity.reference for order in bare.orders(options=chosen)] == ["first"]
    assert bare.read(lambda opened: opened.some([101])[101].identity.reference, chosen) == "first"


def test_the_first_release_of_the_module_knew_neither_ids_nor_tokens(bare: Shop) -> None:
    bare.change(FIRST_RELEASE)
    bare.add(bare.tables.orders, {"id_order": 101, "id_shop": 1, "current_state": 4, "reference": "A"})
    bare.change("INSERT INTO ps_shoppingfeed_order VALUES (1, 'MP-1', 'Cdiscount', 101)")
    options = MarketplaceOptions(table_prefix="ps_", token="t0ken", store_id=1276)

    identity = Identity(None, "MP-1", "Cdiscount")
    assert bare.orders(options=options) == [MarketplaceOrder(101, 1, "A", 4, identity, 0, "", 0)]
    assert bare.accounts(options) == [Account(id=0, id_shop=1, token="t0ken", store_id=1276)]
    assert (bare.orders(), bare.accounts()) == ([], [])


def test_a_shop_without_the_module_is_told_so(bare: Shop) -> None:
    with pytest.raises(ConfigurationError, match=r"shoppingfeed, .* is not installed") as raised:
        bare.orders()

    assert raised.value.code == "no_marketplace_orders"
    assert "Install it in the shop" in raised.value.hint


def test_a_wrong_prefix_is_told_as_such(shop: Shop) -> None:
    with pytest.raises(ConfigurationError) as raised:
        shop.orders(options=MarketplaceOptions(table_prefix="shop_"))

    assert raised.value.hint == 'Set [shop] table_prefix = "ps_".'


def test_a_great_many_orders_take_no_more_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repository, "ORDERS", 500)
    make_shop(tmp_path / "shop.db", products=1)
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    shop = Shop(url, create_engine(url), MarketplaceTables("ps_"), shop_tables("ps_"))
    shop.tables.orders.metadata.create_all(shop.engine)
    shop.add_token(1, 1, "t0ken", 1276)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)"
    shop.change(
        "INSERT INTO ps_orders (id_order, id_shop, current_state, reference, date_add)"
        f" {numbers} SELECT i, 1, 4, 'REF' || i, '2026-07-01 00:30:00' FROM n",
        "INSERT INTO ps_shoppingfeed_order (id_shoppingfeed_order, id_order, id_order_marketplace, name_marketplace)"
        f" {numbers} SELECT i, i, 'MP-' || i, 'bol.com' FROM n",
    )

    def peak(after: int) -> int:
        def count(opened: OpenMarketplaceOrders) -> int:
            return sum(1 for _ in opened.orders(after))

        assert shop.read(count) == 8000 - after
        return tracemalloc.get_traced_memory()[1]

    tracemalloc.start()
    try:
        few = peak(6500)
        tracemalloc.reset_peak()
        assert peak(0) < few + 300_000  # of 8,000 orders kept it would be megabytes
    finally:
        tracemalloc.stop()
    shop.engine.dispose()


# --- parcels -------------------------------------------------------------------------------------------


def parcel(id_order_carrier: int, id_order: int, id_carrier: int, number: str) -> dict[str, object]:
    return {
        "id_order_carrier": id_order_carrier,
        "id_order": id_order,
        "id_carrier": id_carrier,
        "tracking_number": number,
    }


def test_every_parcel_comes_with_the_carrier_of_its_own(shop: Shop) -> None:
    shop.add(
        shop.tables.carrier,
        {"id_carrier": 901, "name": "PostNL ", "url": " http://postnl.example/@"},
        {"id_carrier": 902, "name": "DHL", "url": None},
    )
    shop.add_order(101)
    shop.add_order(102)
    shop.add_order(103)
    shop.add(
        shop.tables.order_carrier,
        parcel(914, 101, 901, " 3S2 "),
        parcel(912, 101, 901, "3S1"),
        parcel(911, 102, 902, ""),
        parcel(913, 101, 902, "JD1"),
        parcel(915, 102, 999, "LATER"),
    )

    assert shop.read(lambda opened: opened.parcels([103, 102, 101])) == {
        101: [
            Parcel("PostNL", "http://postnl.example/@", "3S1"),
            Parcel("DHL", "", "JD1"),
            Parcel("PostNL", "http://postnl.example/@", "3S2"),
        ],
        102: [Parcel("DHL", "", ""), Parcel("", "", "LATER")],
    }


def test_a_carrier_named_0_is_called_as_its_shop(shop: Shop) -> None:
    shop.add_shop(2, "BE")
    shop.add_token(2, 2, "other", 5678)
    shop.set("PS_SHOP_NAME", "Snuit & Zn; #1")
    shop.set("PS_SHOP_NAME", None, shop=2, group=1)
    shop.add(shop.tables.carrier, {"id_carrier": 901, "name": "0", "url": ""})
    shop.add_order(101)
    shop.add_order(102, shop=2)
    shop.add(shop.tables.order_carrier, parcel(911, 101, 901, "A"), parcel(912, 102, 901, "B"))

    assert shop.read(lambda opened: opened.parcels([101, 102])) == {
        101: [Parcel("Snuit & Zn 1", "", "A")],
        102: [Parcel("Snuit & Zn 1", "", "B")],
    }
    shop.set("PS_SHOP_NAME", "Chien", shop=2, group=1)
    assert shop.read(lambda opened: opened.parcels([102])) == {102: [Parcel("Chien", "", "B")]}


# --- accounts and shops --------------------------------------------------------------------------------


def test_an_account_is_a_token_with_its_store_and_its_shop(shop: Shop) -> None:
    shop.add_shop(2, "BE")
    shop.add_token(3, 2, " other ", 0)
    shop.add_token(2, 1, "old", None, active=0)
    shop.add_token(4, 2, None, 5678)

    assert shop.accounts() == [
        Account(id=1, id_shop=1, token="t0ken", store_id=1276),
        Account(id=2, id_shop=1, token="old", store_id=None, is_active=False),
        Account(id=3, id_shop=2, token="other", store_id=None),
        Account(id=4, id_shop=2, token="", store_id=5678, is_active=False),
    ]


def test_the_configured_token_takes_the_place_of_those_of_the_module(shop: Shop) -> None:
    shop.add_token(2, 1, "old", 0, active=0)

    assert shop.accounts(MarketplaceOptions(table_prefix="ps_", token=" mine ", store_id=77)) == [
        Account(id=1, id_shop=1, token="mine", store_id=1276),
        Account(id=2, id_shop=1, token="mine", store_id=77),
    ]


def test_without_tokens_of_the_module_the_configured_one_is_for_every_open_shop(shop: Shop) -> None:
    shop.change("DELETE FROM ps_shoppingfeed_token")
    shop.add_shop(2, "BE")
    shop.add_shop(3, "DE", active=0)
    shop.add_shop(4, "FR", deleted=1)
    configured = MarketplaceOptions(table_prefix="ps_", token="mine")

    assert shop.accounts(configured) == [
        Account(id=0, id_shop=1, token="mine", store_id=None),
        Account(id=0, id_shop=2, token="mine", store_id=None),
    ]
    only = MarketplaceOptions(table_prefix="ps_", token="mine", shops=["be"])
    assert shop.accounts(only) == [Account(id=0, id_shop=2, token="mine", store_id=None)]
    assert shop.accounts() == []


def test_no_token_is_shown_or_logged(shop: Shop) -> None:
    (account,) = shop.accounts()

    assert "t0ken" not in repr(account)
    assert "mine" not in repr(MarketplaceOptions(table_prefix="ps_", token="mine"))
    assert logs.redact("the answer to t0ken") == "the answer to ***"


def test_the_shops_in_play_are_the_chosen_ones_else_those_with_an_active_token(shop: Shop) -> None:
    shop.add_shop(2, "BE")
    shop.add_shop(3, "DE")
    shop.add_token(2, 2, "other", 5678, active=0)
    for id_order, id_shop in ((101, 1), (102, 2), (103, 3)):
        shop.add_order(id_order, shop=id_shop)

    def found(*shops: str) -> list[tuple[int, int]]:
        options = MarketplaceOptions(table_prefix="ps_", shops=shops)
        orders, some, syncs = shop.read(
            lambda opened: (list(opened.orders()), opened.some([101, 102, 103]), opened.syncs()), options
        )
        assert list(some.values()) == orders
        assert [sync.id_shop for sync in syncs] == [order.id_shop for order in orders]
        return [(order.id_order, order.id_shop) for order in orders]

    assert found() == [(101, 1)]
    assert found(" be ", "3") == [(102, 2), (103, 3)]
    shop.change("UPDATE ps_shoppingfeed_token SET active = 1 WHERE id_shop = 2")
    assert found() == [(101, 1), (102, 2)]
    with pytest.raises(ConfigurationError, match=r"\[marketplace\] shops names 'LU', which is not a shop"):
        found("LU")


# --- other modules -------------------------------------------------------------------------------------

OLD, NEW = 901, 902


def test_a_shop_without_other_modules_has_nothing_in_the_way(shop: Shop) -> None:
    assert shop.syncs() == [ShopSync(1, "NL", old_module=None, old_sync=False, module_sync=False)]


def test_the_old_module_is_active_where_it_is_enabled(shop: Shop) -> None:
    shop.add_shop(2, "BE")
    shop.add_token(2, 2, "other", 5678)
    shop.add_module(OLD, "shoppingfluxexport", 2)

    assert [(sync.name, sync.old_module) for sync in shop.syncs()] == [("NL", False), ("BE", True)]
    shop.change(f"UPDATE ps_module SET active = 0 WHERE id_module = {OLD}")
    assert [(sync.name, sync.old_module) for sync in shop.syncs()] == [("NL", False), ("BE", False)]


@pytest.mark.parametrize("setting", ["SHOPPING_FLUX_STATUS_SHIPPED", "SHOPPING_FLUX_STATUS_CANCELED"])
def test_one_option_of_the_old_module_is_enough(shop: Shop, setting: str) -> None:
    for value, is_on in (("", False), (None, False), ("checked", True)):
        shop.set(setting, value)
        assert [sync.old_sync for sync in shop.syncs()] == [is_on]
    shop.set("SHOPPING_FLUX_SHIPPED", "4")  # an order state, no option
    shop.set(setting, "", shop=1, group=1)
    assert [sync.old_sync for sync in shop.syncs()] == [False]


def test_a_setting_of_a_shop_goes_before_its_groups_and_that_of_all_shops(shop: Shop) -> None:
    shop.add_shop(2, "BE")
    shop.add_token(2, 2, "other", 5678)
    shop.set("SHOPPING_FLUX_STATUS_SHIPPED", "checked")
    shop.set("SHOPPING_FLUX_STATUS_SHIPPED", "", group=1)
    shop.set("SHOPPING_FLUX_STATUS_SHIPPED", "checked", shop=2, group=1)

    assert [(sync.name, sync.old_sync) for sync in shop.syncs()] == [("NL", False), ("BE", True)]


def test_the_modules_own_synchronisation_is_on_or_off(shop: Shop) -> None:
    shop.add_module(NEW, "shoppingfeed", 1)

    found = []
    for value in ("1", "true", "0", "", None):
        shop.set("SHOPPINGFEED_ORDER_SYNC_ENABLED", value)
        found += [sync.module_sync for sync in shop.syncs()]
    assert found == [True, True, False, False, False]


def test_a_disabled_module_synchronises_nothing(shop: Shop) -> None:
    shop.set("SHOPPINGFEED_ORDER_SYNC_ENABLED", "1")
    assert [sync.module_sync for sync in shop.syncs()] == [True]

    shop.add_module(NEW, "shoppingfeed")
    assert [sync.module_sync for sync in shop.syncs()] == [False]


# --- the demo's ----------------------------------------------------------------------------------------


class Sold(NamedTuple):
    """An order of the demo, with what its state asks for."""

    order: MarketplaceOrder
    wanted: tuple[Operation, ...]
    numbers: list[str]

    @property
    def is_able(self) -> bool:
        return all(can(self.order.identity.channel, operation, {}) for operation in self.wanted)


SHIP, CANCEL, REFUND, DELIVER = Operation
SHOWS: dict[str, Callable[[Sold], bool]] = {
    "delivered after it was shipped": lambda sold: sold.wanted == (SHIP, DELIVER) and sold.is_able,
    "shipped, with a tracking number": lambda sold: sold.wanted == (SHIP,) and all(sold.numbers),
    "canceled": lambda sold: sold.wanted == (CANCEL,) and sold.is_able,
    "imported by the old module": lambda sold: (
        sold.order.identity.feed_id is None
        and sold.order.identity.is_usable
        and sold.order.id_token == 0
        and sold.wanted == (SHIP,)
    ),
    "paid": lambda sold: sold.wanted == (),
    "shipped, without a tracking number": lambda sold: sold.wanted == (SHIP,) and not any(sold.numbers),
    "refunded, on a channel that takes no refunds": lambda sold: (
        sold.wanted == (REFUND,) and not sold.is_able
    ),
    "sent by the marketplace itself": lambda sold: (
        sold.wanted == (SHIP,) and sold.order.payment_method == "Amazon FBA"
    ),
}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(make_demo(tmp_path_factory.mktemp("sold") / "demo", NOW).configuration, {})


def test_the_readme_lists_exactly_the_demos_marketplace_orders() -> None:
    row = re.compile(r"^\| ([^|]+) \| `(\d+)` \| (\w+), (\S+) \| [^|]+ \|$", re.M)
    listed = row.findall(data_file("README.md"))

    assert listed == [
        (order["shows"], str(order["id"]), order["channel"], order["reference"])
        for order in read("marketplace.toml")["order"]
    ]
    assert [shows for shows, *_ in listed] == list(SHOWS)


def test_each_of_them_shows_what_it_is_there_for(demo: Settings) -> None:
    rules, orders = status_rules(demo), marketplace_orders(demo)
    with orders.open() as opened:
        found = {order.id_order: order for order in opened.orders()}
        parcels = opened.parcels(found)
    orders.dispose()

    given = {order["id"]: order for order in read("marketplace.toml")["order"]}
    assert list(found) == sorted(given)
    for id_order, order in found.items():
        numbers = [parcel.number for parcel in parcels[id_order]]
        assert SHOWS[given[id_order]["shows"]](Sold(order, rules.wanted(order.state), numbers)), order
    assert all(0 < order.created_at <= NOW.timestamp() * 1000 for order in found.values())


def test_nothing_stands_in_the_demos_way(demo: Settings) -> None:
    orders = marketplace_orders(demo)
    with orders.open() as opened:
        syncs, accounts = opened.syncs(), opened.accounts()
    orders.dispose()

    assert syncs == [ShopSync(1, "NL", old_module=True, old_sync=False, module_sync=False)]
    assert accounts == [Account(id=1, id_shop=1, token="demo-token", store_id=1276)]
    assert conflict(syncs[0], allow_when_absent=False, allow_module_sync=False) is None
