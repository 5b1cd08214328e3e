"""The shop's stock and what was ordered, as they are read: the same on the genuine schema and on an embedded shop."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from brekzsync.domain.shop_stock import Change, Level, OrderedLine, Outcome, Place, Since
from brekzsync.errors import ConfigurationError, Unavailable
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.stock import repository as shop_stock
from brekzsync.prestashop.stock.database_writer import DatabaseStockWriter
from brekzsync.prestashop.stock.repository import ShopStockRepository, StockOptions
from tests.integration.test_prestashop_versions import MISSING, ROWS, VERSIONS
from tests.services.mariadb import MariaDB
from tests.services.prestashop import PrestaShopDatabase
from tests.stock_shops import StockShop

STOCK = """
ALTER TABLE PREFIX_shop_group ADD COLUMN IF NOT EXISTS share_stock TINYINT(1) NOT NULL DEFAULT 0;
INSERT INTO PREFIX_stock_available
  (id_stock_available, id_product, id_product_attribute, id_shop, id_shop_group, quantity) VALUES
  (1, 1, 0, 1, 0, 10), (2, 1, 11, 1, 0, 4), (3, 1, 12, 1, 0, 6), (4, 2, 0, 1, 0, 7);
INSERT INTO PREFIX_orders (id_order, reference, id_shop, current_state, date_add) VALUES
  (5, 'ABC', 1, 2, '2026-11-20 12:00:00');
INSERT INTO PREFIX_order_detail (id_order_detail, id_order, product_id, product_attribute_id, product_quantity)
  VALUES (50, 5, 2, 0, 3);
"""  # shop_group is made elsewhere before 9.1, with this column since 1.5
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StockShop]:
    if request.param == "sqlite":
        made = StockShop.embedded(tmp_path / "shop.db")
    else:
        made = StockShop.genuine(request.getfixturevalue("prestashop"))
    yield made
    made.close()


def levels(repository: ShopStockRepository, *after: tuple[int, int]) -> list[tuple[object, list[int | None]]]:
    with repository.open() as opened:
        return [(key, list(quantities)) for key, quantities in opened.levels(*after)]


def ordered(repository: ShopStockRepository, since: datetime = LONG_AGO) -> list[OrderedLine]:
    with repository.open() as opened:
        return list(opened.ordered_since(Since(since)))


# --- quantities ----------------------------------------------------------------------------------------------


def test_every_combination_with_a_row_has_a_level_and_totals_have_none(shop: StockShop) -> None:
    shop.product(1)
    shop.stock((1, 0), 5)
    shop.product(2, 21, 22)
    shop.stock((2, 0), 10)
    shop.stock((2, 22), -3)
    shop.stock((2, 21), 13)
    assert levels(shop.repository()) == [((1, 0), [5]), ((2, 21), [13]), ((2, 22), [-3])]


def test_the_total_row_of_a_product_whose_combinations_have_no_rows_is_none_either(shop: StockShop) -> None:
    shop.product(2, 21)
    shop.stock((2, 0), 10)
    assert levels(shop.repository()) == []


def test_rows_of_what_is_gone_are_left_out(shop: StockShop) -> None:
    shop.product(1)
    shop.stock((1, 0), 5)
    shop.stock((1, 99), 7)  # of a combination that is gone
    shop.stock((8, 0), 1)  # of a product that is gone
    shop.stock((8, 81), 1)
    shop.run("INSERT INTO ps_product_attribute (id_product_attribute, id_product) VALUES (81, 8)")
    assert levels(shop.repository()) == [((1, 0), [5])]


def test_a_combinations_row_under_another_product_is_nothing(shop: StockShop) -> None:
    shop.product(1, 11)
    shop.product(2, 22)
    shop.stock((1, 22), 9)
    assert levels(shop.repository()) == []


def test_each_place_has_its_own_quantity_or_none(shop: StockShop) -> None:
    shop.product(1)
    shop.product(2)
    shop.stock((1, 0), 5, shop=1)
    shop.stock((1, 0), 6, shop=2)
    shop.stock((2, 0), 7, shop=3)
    assert levels(shop.repository("BE", "NL", "DE")) == [((1, 0), [6, 5, None]), ((2, 0), [None, None, 7])]
    assert levels(shop.repository("BE")) == [((1, 0), [6])]


def test_where_stock_is_shared_only_the_groups_rows_count(shop: StockShop) -> None:
    shop.product(1)
    shop.product(2)
    shop.stock((1, 0), 5, shop=1)
    shop.stock((2, 0), 4, shop=1)  # the group has no row of it yet
    shop.share_stock(1)
    shop.stock((1, 0), 9, shop=0, group=1)
    shop.stock((1, 0), 3, shop=3)
    assert levels(shop.repository()) == [((1, 0), [9])]
    assert levels(shop.repository("DE", "Benelux")) == [((1, 0), [3, 9])]


def test_levels_go_on_after_a_key(shop: StockShop) -> None:
    shop.product(1)
    shop.stock((1, 0), 1)
    shop.product(2, 21, 22)
    shop.stock((2, 21), 2)
    shop.stock((2, 22), 3)
    shop.product(3)
    shop.stock((3, 0), 4)
    assert levels(shop.repository(), (2, 21)) == [((2, 22), [3]), ((3, 0), [4])]
    assert levels(shop.repository(), (3, 0)) == []


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_leave_nothing_out_and_keep_the_order(
    shop: StockShop, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(shop_stock, "PAGE_PRODUCTS", size)
    expected: list[tuple[object, list[int | None]]] = []
    for product in (1, 2, 5, 9, 10, 100):
        combinations = (product * 10 + 2, product * 10 + 1) if product % 2 else ()
        shop.product(product, *combinations)
        for combination in sorted(combinations) or (0,):
            shop.stock((product, combination), product + combination)
            expected.append(((product, combination), [product + combination]))
    assert levels(shop.repository()) == expected
    assert levels(shop.repository("NL", "BE")) == [(key, [level[0], None]) for key, level in expected]


def test_the_rows_of_some_combinations_name_themselves(shop: StockShop) -> None:
    shop.product(1)
    shop.product(2, 21, 22)
    own = shop.stock((1, 0), -2, depends_on_stock=1)
    shop.stock((2, 0), 8)
    first = shop.stock((2, 21), 8)
    there = shop.stock((2, 21), 6, shop=2)
    shop.stock((3, 0), 1)
    with shop.repository("NL", "BE").open() as opened:
        found = opened.some([(1, 0), (2, 0), (2, 21), (2, 22), (3, 0), (4, 0)])
    assert found == {
        (1, 0): [Level(own, -2, True), None],
        (2, 21): [Level(first, 8, False), Level(there, 6, False)],
    }


def test_more_products_than_one_question_asks_for(shop: StockShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_stock, "IDS", 2)
    keys = [(number, 0) for number in range(1, 6)]
    for key in keys:
        shop.product(key[0])
        shop.stock(key, key[0])
        shop.order(key[0], {key: 1})
    with shop.repository().open() as opened:
        assert [level[0].quantity for level in opened.some(keys).values() if level[0]] == [1, 2, 3, 4, 5]
        assert sorted(opened.ordered_of(keys, Since(LONG_AGO))) == sorted(
            OrderedLine(f"REF{key[0]}-{key[0]}", key, 1) for key in keys
        )


def test_a_snapshot_does_not_see_what_is_sold_meanwhile(prestashop: PrestaShopDatabase) -> None:
    shop = StockShop.genuine(prestashop)
    shop.product(1)
    row = shop.stock((1, 0), 5)
    repository = shop.repository()
    with repository.open() as opened:
        shop.sell(row, 2)
        shop.order(1, {(1, 0): 2})
        assert list(opened.levels()) == [((1, 0), (5,))]
        assert list(opened.ordered_since(Since(LONG_AGO))) == []
    with repository.open() as opened:
        assert list(opened.levels()) == [((1, 0), (3,))]


# --- places --------------------------------------------------------------------------------------------------


def test_without_shops_it_is_the_data_shop(shop: StockShop) -> None:
    assert shop.repository().places == (Place("NL", 1, 0),)


def test_shops_are_named_by_name_or_id(shop: StockShop) -> None:
    assert shop.repository(" be", "3").places == (Place(" be", 2, 0), Place("3", 3, 0))


def test_a_shop_in_a_group_that_shares_stands_for_the_groups_rows(shop: StockShop) -> None:
    shop.share_stock(1)
    assert shop.repository().places == (Place("NL", 0, 1),)
    assert shop.repository("BE", "DE").places == (Place("BE", 0, 1), Place("DE", 3, 0))
    assert shop.repository("benelux").places == (Place("benelux", 0, 1),)


def test_two_shops_with_one_stock_are_refused(shop: StockShop) -> None:
    shop.share_stock(1)
    with pytest.raises(ConfigurationError) as refused:
        _ = shop.repository("NL", "Benelux").places
    assert refused.value.message == "[stock] shops names 'NL' and 'Benelux', which have one stock."


def test_a_name_twice_is_refused(shop: StockShop) -> None:
    with pytest.raises(ConfigurationError, match="'NL' and '1', which have one stock"):
        _ = shop.repository("NL", "1").places


@pytest.mark.parametrize("name", ["FR", "Benelux", "7"])
def test_an_unknown_name_is_refused_with_those_that_are_known(shop: StockShop, name: str) -> None:
    shop.share_stock(2)
    with pytest.raises(ConfigurationError) as refused:
        _ = shop.repository(name).places
    assert refused.value.message == (
        f"[stock] shops names {name!r}, which is no shop of this PrestaShop, nor a group that shares its stock."
    )
    assert refused.value.hint == (
        "Name shops by name or id: 'NL' (1), 'BE' (2), 'DE' (3); or a group: 'Elders'."
    )


def test_a_name_that_two_shops_have_is_refused(shop: StockShop) -> None:
    shop.run("UPDATE ps_shop SET name = 'BE' WHERE id_shop = 3")
    with pytest.raises(ConfigurationError) as refused:
        _ = shop.repository("BE").places
    assert refused.value.hint == "Name it by its id: 2, 3."


def test_a_deleted_shop_is_none(shop: StockShop) -> None:
    shop.run("UPDATE ps_shop SET deleted = 1 WHERE id_shop = 3")
    with pytest.raises(ConfigurationError, match="'DE'"):
        _ = shop.repository("DE").places


# --- what was ordered ----------------------------------------------------------------------------------------


def test_lines_of_orders_that_are_not_dead_are_ordered(shop: StockShop) -> None:
    shop.order(3, {(1, 0): 2, (2, 21): 1}, state=10)  # not paid yet
    shop.order(1, {(1, 0): 4})
    shop.order(2, {(1, 0): 8}, state=6)
    shop.order(4, {(1, 0): 8}, state=8)
    assert ordered(shop.repository()) == [
        OrderedLine("REF1-1", (1, 0), 4),
        OrderedLine("REF3-3", (1, 0), 2),
        OrderedLine("REF3-3", (2, 21), 1),
    ]


def test_a_line_without_combination_is_of_the_product(shop: StockShop) -> None:
    shop.order(1, {(1, 0): 4})
    shop.run("UPDATE ps_order_detail SET product_attribute_id = NULL")
    assert ordered(shop.repository()) == [OrderedLine("REF1-1", (1, 0), 4)]
    with shop.repository().open() as opened:
        assert opened.ordered_of([(1, 0)], Since(LONG_AGO)) == [OrderedLine("REF1-1", (1, 0), 4)]


def test_orders_of_other_shops_than_the_flow_takes_do_not_count(shop: StockShop) -> None:
    shop.order(1, {(1, 0): 1}, shop=1)
    shop.order(2, {(1, 0): 2}, shop=2)
    shop.order(3, {(1, 0): 3}, shop=3)
    taken = shop.repository(order_shops=["BE", "3"])
    assert [line.quantity for line in ordered(taken)] == [2, 3]
    with taken.open() as opened:
        assert sorted(line.quantity for line in opened.ordered_of([(1, 0)], Since(LONG_AGO))) == [2, 3]
    assert [line.quantity for line in ordered(shop.repository())] == [1, 2, 3]


def test_those_of_some_combinations(shop: StockShop) -> None:
    shop.order(1, {(2, 21): 1, (2, 22): 2, (3, 0): 3})
    shop.order(2, {(2, 21): 4}, state=6)
    shop.order(3, {(2, 21): 5}, date_add="2026-11-19 11:00:00")
    shop.order(4, {(2, 21): 6})
    with shop.repository().open() as opened:
        found = opened.ordered_of([(2, 21), (4, 0)], Since(datetime(2026, 11, 20, tzinfo=UTC)))
    assert sorted(found) == [OrderedLine("REF1-1", (2, 21), 1), OrderedLine("REF4-4", (2, 21), 6)]


def test_the_moment_the_flow_began_is_on_the_shops_clock(shop: StockShop) -> None:
    shop.order(1, {(1, 0): 1}, date_add="2026-11-20 12:59:59")
    shop.order(2, {(1, 0): 2}, date_add="2026-11-20 13:00:00")
    since = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # 13:00 in Amsterdam
    assert [line.quantity for line in ordered(shop.repository(), since)] == [2]


def test_each_shop_has_its_own_clock(shop: StockShop) -> None:
    shop.add("configuration", id_configuration=9001, id_shop=3, name="PS_TIMEZONE", value="America/New_York")
    for id_order, id_shop in ((1, 1), (2, 3)):
        shop.order(id_order, {(1, 0): id_order}, shop=id_shop, date_add="2026-11-20 08:00:00")
    since = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # 13:00 in Amsterdam, 07:00 in New York
    assert [line.quantity for line in ordered(shop.repository(), since)] == [2]


def test_orders_of_the_hour_that_comes_twice_in_autumn_count(shop: StockShop) -> None:
    shop.order(1, {(1, 0): 1}, date_add="2026-10-25 02:10:00")
    shop.order(2, {(1, 0): 2}, date_add="2026-10-25 01:20:00")
    first_time = datetime(
        2026, 10, 25, 0, 30, tzinfo=UTC
    )  # 02:30 for the first time; the order may be of 01:10
    assert [line.quantity for line in ordered(shop.repository(), first_time)] == [1]
    after_it = first_time + timedelta(hours=1)
    assert [line.quantity for line in ordered(shop.repository(), after_it)] == []


def test_pages_of_orders_leave_nothing_out(shop: StockShop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_stock, "PAGE_ORDERS", 2)
    for id_order in (1, 2, 3, 7, 8, 20, 21):
        day = 10 if id_order < 3 else 20
        shop.order(id_order, {(1, 0): id_order, (2, 0): 1}, date_add=f"2026-11-{day} 12:00:00")
    with shop.repository().open() as opened:
        lines = list(opened.ordered_since(Since(datetime(2026, 11, 15, tzinfo=UTC))))
        assert [line.reference for line in lines] == [
            f"REF{id_order}-{id_order}" for id_order in (3, 7, 8, 20, 21) for _ in range(2)
        ]


def test_references_of_orders_are_ours_dead_ones_and_those_of_other_shops_too(
    shop: StockShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shop_stock, "IDS", 2)
    shop.order(1, {(1, 0): 1}, state=6)
    shop.order(2, {}, shop=3)
    shop.order(3, {})
    shop.run("UPDATE ps_orders SET reference = ' a  B ' WHERE id_order = 2")
    foreign = {"REF1-2", "REF4-4", "REF1", "", "-", "REF1-", "REF1-9999999999999999999", "REF1-0001", "A-Ⅷ"}
    with shop.repository(order_shops=["NL"]).open() as opened:
        assert opened.ours({"REF1-1", "A B-2", "REF3-3", *foreign}) == {"REF1-1", "A B-2", "REF3-3"}
        assert opened.ours([]) == set()


def test_an_order_without_a_state_is_still_being_placed(shop: StockShop) -> None:
    shop.order(1, {(1, 0): 1}, state=0, date_add="2026-11-20 11:00:00")
    shop.order(2, {(1, 0): 1}, state=0)
    shop.order(3, {(1, 0): 1}, state=10)
    with shop.repository().open() as opened:
        assert opened.being_placed(datetime(2026, 11, 20, 10, 30, tzinfo=UTC)) == {2}
        assert opened.newest_order() == 3


def test_a_shop_without_orders(shop: StockShop) -> None:
    with shop.repository().open() as opened:
        assert opened.newest_order() == 0
        assert list(opened.ordered_since(Since(LONG_AGO))) == []


# --- packs ---------------------------------------------------------------------------------------------------


def add_pack(shop: StockShop, id_product: int, kind: int, *components: tuple[int, int]) -> None:
    shop.product(id_product, pack_stock_type=kind)
    for item, combination in components:
        ids = {"id_product_pack": id_product, "id_product_item": item}
        shop.add("pack", id_product_attribute_item=combination, **ids)


def conflicts(shop: StockShop, *shops: str) -> set[tuple[int, int]]:
    with shop.repository(*shops).open() as opened:
        return opened.pack_conflicts()


def test_a_pack_that_takes_its_components_along_is_left_alone_with_them(shop: StockShop) -> None:
    add_pack(shop, 10, 0, (1, 0))
    add_pack(shop, 11, 1, (2, 0), (3, 31))
    add_pack(shop, 12, 2, (4, 0))
    shop.add(
        "pack", id_product_pack=99, id_product_item=5, id_product_attribute_item=0
    )  # of a pack that is gone
    assert conflicts(shop) == {(11, -1), (2, -1), (3, 31), (12, -1), (4, -1)}


def test_a_pack_that_leaves_it_to_the_shop_counts_as_the_shop_says(shop: StockShop) -> None:
    add_pack(shop, 10, 3, (1, 0))
    shop.run("DELETE FROM ps_configuration WHERE name = 'PS_PACK_STOCK_TYPE'")
    assert conflicts(shop) == set()
    shop.add("configuration", id_configuration=9001, name="PS_PACK_STOCK_TYPE", value="0")
    assert conflicts(shop) == set()
    shop.add("configuration", id_configuration=9002, id_shop=2, name="PS_PACK_STOCK_TYPE", value="2")
    assert conflicts(shop) == set()
    assert conflicts(shop, "BE") == conflicts(shop, "NL", "BE") == {(10, -1), (1, -1)}
    shop.share_stock(1)
    assert conflicts(shop, "NL") == {(10, -1), (1, -1)}  # BE sells from the same rows


def test_a_shops_own_way_goes_before_the_products(shop: StockShop) -> None:
    add_pack(shop, 10, 2, (1, 0))
    for id_shop, kind in ((1, 0), (2, 1)):
        shop.add("product_shop", id_product=10, id_shop=id_shop, active=1, pack_stock_type=kind)
    assert conflicts(shop, "NL") == set()
    assert conflicts(shop, "BE") == {(10, -1), (1, -1)}
    assert conflicts(shop, "DE") == {(10, -1), (1, -1)}  # it lacks the product, which then speaks for itself


# --- what is not there ---------------------------------------------------------------------------------------


def test_a_wrong_prefix_is_told_as_everywhere(shop: StockShop) -> None:
    options = StockOptions(table_prefix="my_", data_shop=1, language="", dead_states=[])
    with (
        pytest.raises(ConfigurationError, match="my_"),
        ShopStockRepository(ShopDatabase(shop.url), options).open(),
    ):
        pass


def test_stock_needs_no_right_to_read_orders(shop: StockShop) -> None:
    shop.product(1)
    shop.stock((1, 0), 5)
    shop.run("DROP TABLE ps_order_detail")
    shop.run("DROP TABLE ps_orders")
    assert levels(shop.repository()) == [((1, 0), [5])]
    with pytest.raises(ConfigurationError, match="ps_orders"):
        ordered(shop.repository())


def test_a_server_that_is_gone_is_told_in_plain_words() -> None:
    url = "mysql+pymysql://root@127.0.0.1:1/none"
    options = StockOptions(table_prefix="ps_", data_shop=1, language="", dead_states=[])
    with pytest.raises(Unavailable, match="does not answer"):
        _ = ShopStockRepository(ShopDatabase(url, connect_timeout=1), options).places


@pytest.mark.parametrize("version", VERSIONS)
def test_stock_is_read_and_written_on_every_genuine_schema(
    mariadb: MariaDB, shared: Path, tmp_path: Path, version: str
) -> None:
    schema = (shared / f"data/prestashop/schemas/db_structure-{version}.sql").read_text(encoding="utf-8")
    placed = schema.replace("ENGINE_TYPE", "InnoDB").replace(" COLLATION;", ";")
    dump = tmp_path / "shop.sql"
    dump.write_text(
        f"SET sql_mode = '';{placed};{MISSING}{ROWS}{STOCK}".replace("PREFIX_", "winkel_"), "utf-8"
    )
    mariadb.create_database("winkel")
    mariadb.load("winkel", dump)
    url = mariadb.url("winkel")
    options = StockOptions(table_prefix="winkel_", data_shop=1, language="", dead_states=[6])
    database = ShopDatabase(url)
    repository = ShopStockRepository(database, options)
    writer = DatabaseStockWriter(url, "winkel_", repository.places, 0, lambda: LONG_AGO)

    assert levels(repository) == [((1, 11), [4]), ((1, 12), [6]), ((2, 0), [7])]
    written = list(writer.write([Change((1, 12), 0, 3, 6, 1)]))
    assert [one.outcome for one in written] == [Outcome.WRITTEN]
    assert levels(repository) == [((1, 11), [4]), ((1, 12), [1]), ((2, 0), [7])]
    assert mariadb.execute(
        "winkel", "SELECT quantity FROM winkel_stock_available WHERE id_stock_available = 1"
    ) == [(5,)]
    assert ordered(repository) == [OrderedLine("ABC-5", (2, 0), 3)]
    with repository.open() as opened:
        assert opened.pack_conflicts() == set()
    writer.close()
    database.dispose()


def test_an_older_order_counts_while_it_is_on_its_way(shop: StockShop) -> None:
    shop.product(1)
    for id_order, day in ((1, 1), (2, 2), (3, 20), (4, 3)):
        shop.order(id_order, {(1, 0): id_order}, date_add=f"2026-11-{day:02} 12:00:00")
    shop.order(5, {(1, 0): 5}, date_add="2026-11-04 12:00:00", state=6)
    since = Since(datetime(2026, 11, 15, tzinfo=UTC), frozenset({1, 3, 4, 5, 99}))
    with shop.repository().open() as opened:
        for found in (list(opened.ordered_since(since)), opened.ordered_of([(1, 0)], since)):
            assert sorted(line.quantity for line in found) == [1, 3, 4]
