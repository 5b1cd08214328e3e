"""Stock as a sweep asks for it: everything at once, then the items of a page; the same on both servers."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from brekzsync.domain.erp_stock import StockQuantity
from brekzsync.domain.stock import ErpStockItem
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.stock import StockRepository
from tests.services.erp import Administration
from tests.services.erp_rows import at, delivered, entry, item, line, note, order

TODAY = date(2026, 11, 21)
STOCKED = {"IsStockItem": True, "IsExplodeItem": False}


@pytest.fixture
def stock(administration: Administration) -> StockRepository:
    """Leashes here and there and partly sold, bowls that were only sold, mats of which nothing is known."""
    administration.add(
        "items",
        item("leash  ", **STOCKED),
        item("BOWL", **STOCKED),
        item("MAT", **STOCKED),
        item("SET", IsStockItem=False, IsExplodeItem=True, Type="P"),
        item("LABOUR", IsSalesItem=False, Type="L"),
        item(" "),
    )
    administration.add(
        "gbkmut",
        entry("LEASH", 10, datum=at(2)),
        entry("LEASH", -0.5, datum=at(20, 23)),
        entry("Leash", 4, warehouse="   2"),
        entry("LEASH", 100, datum=at(22)),
        entry("LEASH", 100, reknr="     8000", datum=at(21)),
        entry("LEASH", 100, transtype="B"),
        entry("LABOUR", 3, datum=at(5)),
    )
    administration.add(
        "orkrg",
        order("17", "abc-1 "),
        order("18", ""),
        order("19", "ABC-2", afgehandld=True),
        order("20", "PURCHASE", ord_soort="B"),
    )
    administration.add(
        "orsrg",
        line("17", "Leash", 4, 1),
        line("17", "LEASH", 2, unitfactor=6),
        line("17", "BOWL", 1, magcode="2", unitfactor=0),
        line("18", "LEASH", 1),
        line("19", "LEASH", 9),
        line("20", "LEASH", 9),
    )
    administration.add("orhkrg", note("16", "4711", "ABC-0"), note("19", "4712", "ABC-2"))
    administration.add("orhkrg", note("20", "4713", "RECEIPT", ord_soort="B"))
    administration.add("orhsrg", delivered("16", "4711", "LEASH", 1), delivered("19", "4712", "LEASH", 9))
    return StockRepository(connect_erp(administration.url))


def test_every_item_is_told_with_what_it_has_in_each_warehouse(stock: StockRepository) -> None:
    assert sorted(stock.levels(TODAY)) == [
        ("BOWL", True, True, False, "S", "2", 0, 1),
        ("LABOUR", False, None, None, "L", "1", 3, 0),
        ("LEASH", True, True, False, "S", "1", 0, 16),
        ("LEASH", True, True, False, "S", "1", Decimal("9.5"), 0),
        ("LEASH", True, True, False, "S", "2", 4, 0),
        ("MAT", True, True, False, "S", "", 0, 0),
        ("SET", True, False, True, "P", "", 0, 0),
    ]


def test_of_items_that_have_nothing_in_these_warehouses_the_rest_is_told(stock: StockRepository) -> None:
    assert sorted(row[0::5] + row[6:] for row in stock.levels(TODAY, ["2"])) == [
        ("BOWL", "2", 0, 1),
        ("LABOUR", "", 0, 0),
        ("LEASH", "2", 4, 0),
        ("MAT", "", 0, 0),
        ("SET", "", 0, 0),
    ]


def test_whole_quantities_are_ints_which_are_quick(stock: StockRepository) -> None:
    kinds = {(type(row[6]), type(row[7])) for row in stock.levels(TODAY)}

    assert kinds == {(int, int), (Decimal, int)}


def test_levels_say_what_the_other_answers_say_when_added_up(stock: StockRepository) -> None:
    added = {one.code: [Decimal(0), Decimal(0)] for one in stock.stock_items()}
    for one in stock.on_hand(TODAY):
        added[one.code][0] += one.quantity
    for one in stock.open_sales():
        added[one.code][1] += one.quantity

    levels = {code: [Decimal(0), Decimal(0)] for code in added}
    for code, *_, moved, sold in stock.levels(TODAY):
        levels[code][0] += moved
        levels[code][1] += sold

    assert levels == added


def test_what_the_erp_says_of_an_item_is_told_for_all_or_some(stock: StockRepository) -> None:
    everything = {one.code: one for one in stock.stock_items()}

    assert everything == {
        "LEASH": ErpStockItem("LEASH", True, True, False, "S"),
        "BOWL": ErpStockItem("BOWL", True, True, False, "S"),
        "MAT": ErpStockItem("MAT", True, True, False, "S"),
        "SET": ErpStockItem("SET", True, False, True, "P"),
        "LABOUR": ErpStockItem("LABOUR", False, None, None, "L"),
    }
    assert sorted(stock.stock_items(["leash", "SET", "MISSING"])) == [everything["LEASH"], everything["SET"]]
    assert list(stock.stock_items([])) == []


def test_the_items_of_a_page_are_told_of_and_no_others(stock: StockRepository) -> None:
    assert sorted(stock.on_hand(TODAY, codes=["leash", "BOWL"])) == [
        StockQuantity("LEASH", "1", Decimal("9.5")),
        StockQuantity("LEASH", "2", Decimal(4)),
    ]
    assert list(stock.on_hand(TODAY, ["2"], ["LEASH"])) == [StockQuantity("LEASH", "2", Decimal(4))]
    assert list(stock.open_sales(codes=["BOWL", "MAT"])) == [StockQuantity("BOWL", "2", Decimal(1))]
    assert list(stock.open_sales(["1"], ["BOWL"])) == []


def test_a_line_in_dozens_counts_its_pieces(stock: StockRepository) -> None:
    assert list(stock.open_sales(["1"])) == [StockQuantity("LEASH", "1", Decimal(3 + 2 * 6 + 1))]


def test_open_sales_are_told_by_order_also_of_one_without_a_reference(stock: StockRepository) -> None:
    assert sorted(stock.open_sales_by_order()) == [
        ("", StockQuantity("LEASH", "1", Decimal(1))),
        ("ABC-1", StockQuantity("BOWL", "2", Decimal(1))),
        ("ABC-1", StockQuantity("LEASH", "1", Decimal(15))),
    ]
    assert list(stock.open_sales_by_order(["2"], ["bowl"])) == [
        ("ABC-1", StockQuantity("BOWL", "2", Decimal(1)))
    ]


def test_a_reference_is_there_when_a_sales_order_or_a_delivery_note_has_it(stock: StockRepository) -> None:
    """Of an order the ERP has put away, only the note is left."""
    assert set(stock.references()) == {"ABC-0", "ABC-1", "ABC-2"}
    asked = ["abc-0", " ABC-1", "ABC-2", "ABC-3", "PURCHASE", "RECEIPT", ""]
    assert stock.present(asked) == {"abc-0", " ABC-1", "ABC-2"}
    assert stock.present([]) == set()


def test_the_newest_movement_is_one_that_moved_stock_and_is_not_to_come(stock: StockRepository) -> None:
    assert stock.last_moved(["leash", "LABOUR", "MAT", "MISSING"], TODAY) == {
        "LEASH": date(2026, 11, 20),
        "LABOUR": date(2026, 11, 5),
    }
    assert stock.last_moved(["leash"], date(2026, 11, 2)) == {"LEASH": date(2026, 11, 2)}


def test_more_items_than_one_statement_takes_are_all_told_of_once(administration: Administration) -> None:
    codes = [f"C{number}" for number in range(1_100)]
    administration.add("items", *(item(code) for code in codes))
    administration.add("gbkmut", *(entry(code, 1) for code in codes))
    stock = StockRepository(connect_erp(administration.url))

    assert sorted(one.code for one in stock.stock_items(codes)) == sorted(codes)
    assert sorted(stock.on_hand(TODAY, codes=codes)) == sorted(
        StockQuantity(code, "1", Decimal(1)) for code in codes
    )


def test_columns_an_older_release_lacks_are_unknown_and_a_line_is_in_pieces(
    administration: Administration, stock: StockRepository
) -> None:
    other = create_engine(administration.url)
    with other.begin() as writing:
        writing.execute(text("ALTER TABLE Items DROP COLUMN IsStockItem"))
        writing.execute(text("ALTER TABLE Items DROP COLUMN IsExplodeItem"))
        writing.execute(text("ALTER TABLE orsrg DROP COLUMN unitfactor"))
    other.dispose()

    assert ("SET", True, None, None, "P", "", 0, 0) in stock.levels(TODAY)
    assert list(stock.stock_items(["BOWL"])) == [ErpStockItem("BOWL", True, None, None, "S")]
    assert list(stock.open_sales(["1"])) == [StockQuantity("LEASH", "1", Decimal(3 + 2 + 1))]


def test_a_code_a_file_holds_in_two_spellings_counts_once(tmp_path: Path) -> None:
    """SQL Server cannot hold both; SQLite can, and stock must not seem to be twice what it is."""
    with Administration.created(f"sqlite:///{tmp_path}/erp.db") as administration:
        administration.add("items", item("Leash"), item("LEASH ", Type="B"))
        administration.add("gbkmut", entry("leash", 5))
        stock = StockRepository(connect_erp(administration.url))

        assert list(stock.levels(TODAY)) == [("LEASH", True, None, None, "B", "1", 5, 0)]
        assert list(stock.on_hand(TODAY)) == [StockQuantity("LEASH", "1", Decimal(5))]


def test_a_page_of_a_sqlite_erp_is_looked_up_and_not_searched_for(tmp_path: Path) -> None:
    with Administration.created(f"sqlite:///{tmp_path}/erp.db") as administration:
        engine = connect_erp(administration.url)
        assert _plan(engine, "gbkmut", "artcode").startswith("SEARCH gbkmut USING")
        assert _plan(engine, "orkrg", "docnumber").startswith("SEARCH orkrg USING")


def _plan(engine: Engine, table: str, column: str) -> str:
    with engine.connect() as connection:
        asked = f"SELECT * FROM {table} WHERE upper(trim({table}.{column})) IN ('A', 'B')"
        return str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}").one()[3])
