"""What is read of an administration: the same on SQLite and, where there is one to spare, on SQL Server."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.dialects import sqlite

from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.erp_orders import ErpOrder
from brekzsync.domain.erp_prices import PriceLine, PriceTier
from brekzsync.domain.erp_stock import StockLevel, StockQuantity
from brekzsync.errors import ConfigurationError
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.orders import OrderRepository
from brekzsync.exact.prices import PriceListRepository
from brekzsync.exact.stock import StockRepository
from brekzsync.exact.stock_statements import ALL, levels, on_hand, sellable
from tests.services.erp import Administration, NotEmpty
from tests.services.erp_rows import at, entry, item, line, order

TODAY = date(2026, 11, 21)


@pytest.fixture
def engine(administration: Administration) -> Engine:
    return connect_erp(administration.url)


# --- items ------------------------------------------------------------------------------------------------


LEASH = {"Description": "Leash ", "SalesPackagePrice": 16.48765, "SalesVatCode": "2", "GTIN": "2900000100015"}


def test_an_item_is_found_by_its_code_in_any_case_and_with_any_blanks(
    administration: Administration, engine: Engine
) -> None:
    administration.add("items", item("Leash-1 ", **LEASH), item("BOWL"), item("ANOTHER"))

    found = ItemRepository(engine).some([" leash-1", "BOWL  ", "MISSING", ""])

    assert found == {
        "LEASH-1": ErpItem("Leash-1", "Leash", Decimal("16.4877"), "2", "2900000100015", "A", True),
        "BOWL": ErpItem("BOWL", "", None, "", "", "A", True),
    }


def test_a_code_with_letters_beyond_ascii_is_found(administration: Administration, engine: Engine) -> None:
    administration.add("items", item("ärmel-ß"), item("ÜBER"))

    assert set(ItemRepository(engine).some(["ÄRMEL-ß", "über"])) == {"ÄRMEL-SS", "ÜBER"}


def test_more_items_than_one_question_takes_are_all_found(
    administration: Administration, engine: Engine
) -> None:
    codes = [f"C{number}" for number in range(1_100)]
    administration.add("items", *(item(code) for code in codes))

    assert set(ItemRepository(engine).some(codes)) == set(codes)


def test_every_item_is_streamed_with_what_the_erp_says_of_it(
    administration: Administration, engine: Engine
) -> None:
    administration.add(
        "items",
        item("A", **LEASH),
        item("b  ", Condition="B", IsSalesItem=False, SalesPackagePrice=0.1 + 0.2),
        item("C", Condition=None, IsSalesItem=None),
        item(" "),
    )

    streamed = sorted(ItemRepository(engine).stream())

    assert streamed == [
        ErpItem("A", "Leash", Decimal("16.4877"), "2", "2900000100015", "A", True),
        ErpItem("C", "", None, "", "", "", None),
        ErpItem("b", "", Decimal("0.3000"), "", "", "B", False),
    ]
    assert [one.is_blocked for one in streamed] == [False, False, True]


def test_columns_an_administration_lacks_are_unknown_and_not_empty(
    administration: Administration, engine: Engine
) -> None:
    administration.add("items", item("A", **LEASH))
    other = create_engine(administration.url)
    with other.begin() as writing:
        for column in ("GTIN", "Description", "SalesPackagePrice", "SalesVatCode"):
            writing.execute(text(f"ALTER TABLE Items DROP COLUMN {column}"))
    other.dispose()

    assert ItemRepository(engine).some(["a"]) == {"A": ErpItem("A", None, None, None, None, "A", True)}
    assert list(ItemRepository(engine).stream()) == [ErpItem("A", None, None, None, None, "A", True)]


# --- orders -----------------------------------------------------------------------------------------------


def test_orders_are_found_by_our_reference_with_how_far_they_are(
    administration: Administration, engine: Engine
) -> None:
    administration.add(
        "orkrg",
        order("17", "ABC-1", afgehandld=True),
        order("18", "abc-2 ", fiattering="N"),
        order("19", "ABC-3"),
    )
    administration.add(
        "orsrg",
        line("17", "A", 0.1, 0.1, aant_fakt=0.1),
        line("17", "B", 0.2, 0.2),
        line("17", None, 9, ar_soort="P"),
        line("18", "A", 4, 1),
        line("19", "A", 1),
    )

    found = OrderRepository(engine).by_docnumber(["ABC-1", "ABC-2", "ABC-4"])

    assert found == {
        "ABC-1": [ErpOrder("17", "ABC-1", True, True, Decimal("0.300"), Decimal("0.300"), Decimal("0.100"))],
        "ABC-2": [ErpOrder("18", "abc-2", False, False, Decimal(4), Decimal(1), Decimal(0))],
    }


def test_a_reference_typed_twice_has_two_orders(administration: Administration, engine: Engine) -> None:
    administration.add("orkrg", order("17", "ABC-1"), order("9", "ABC-1"))

    found = OrderRepository(engine).by_docnumber(["ABC-1"])

    assert [one.number for one in found["ABC-1"]] == ["9", "17"]


def test_an_order_without_goods_is_there_and_a_purchase_is_none_of_ours(
    administration: Administration, engine: Engine
) -> None:
    administration.add("orkrg", order("17", "ABC-1"), order("18", "ABC-2", ord_soort="B"))
    administration.add("orsrg", line("17", None, 1, ar_soort="P"), line("18", "A", 1))

    found = OrderRepository(engine).by_docnumber(["ABC-1", "ABC-2"])

    assert found == {"ABC-1": [ErpOrder("17", "ABC-1", False, True, Decimal(0), Decimal(0), Decimal(0))]}


# --- stock ------------------------------------------------------------------------------------------------


@pytest.fixture
def stocked(administration: Administration, engine: Engine) -> StockRepository:
    """Leashes in two warehouses, half of what counts not counting, and bowls that were never there."""
    administration.add(
        "items",
        item("leash  "),
        item("BOWL"),
        item("SERVICE", IsSalesItem=False),
        item("LABOUR", Type="L"),
        item("UNTOUCHED"),
    )
    administration.add(
        "gbkmut",
        entry("LEASH", 10),
        entry("LEASH", 0.1, transtype="C"),
        entry("LEASH", 0.2, transtype="P", datum=at(21, 23)),
        entry("LEASH", -3, transtype="X", datum=at(21)),
        entry("LEASH", 5, warehouse="   2"),
        entry("LEASH", 100, transtype="B"),
        entry("LEASH", 100, datum=at(22)),
        entry("LEASH", 100, reknr="     8000"),
        entry("SERVICE", 7),
        entry("LABOUR", 7),
    )
    administration.add(
        "orkrg",
        order("17", "A-1"),
        order("18", "A-2", afgehandld=True),
        order("19", "A-3", ord_soort="B"),
    )
    administration.add(
        "orsrg",
        line("17", "Leash", 4, 1),
        line("17", "LEASH", 2, 5),
        line("17", "LEASH", 9, ar_soort="P"),
        line("17", None, 9),
        line("17", "BOWL", 1, magcode="2"),
        line("18", "LEASH", 9),
        line("19", "LEASH", 9),
    )
    return StockRepository(engine)


def test_on_hand_is_what_was_moved_on_the_items_stock_account_up_to_today(stocked: StockRepository) -> None:
    assert sorted(stocked.on_hand(TODAY)) == [
        StockQuantity("LABOUR", "1", Decimal(7)),
        StockQuantity("LEASH", "1", Decimal("7.300")),
        StockQuantity("LEASH", "2", Decimal(5)),
        StockQuantity("SERVICE", "1", Decimal(7)),
    ]
    assert StockQuantity("LEASH", "1", Decimal("107.3")) in stocked.on_hand(date(2026, 11, 22))


def test_open_sales_are_what_sales_orders_still_have_to_deliver(stocked: StockRepository) -> None:
    assert sorted(stocked.open_sales()) == [
        StockQuantity("BOWL", "2", Decimal(1)),
        StockQuantity("LEASH", "1", Decimal(3)),
    ]


def test_sellable_is_told_of_items_for_sale_also_where_only_one_side_knows_them(
    stocked: StockRepository,
) -> None:
    levels = sorted(stocked.sellable(TODAY))

    assert levels == [
        StockLevel("BOWL", "2", Decimal(0), Decimal(1)),
        StockLevel("LEASH", "1", Decimal("7.300"), Decimal(3)),
        StockLevel("LEASH", "2", Decimal(5), Decimal(0)),
    ]
    assert [level.sellable for level in levels] == [Decimal(-1), Decimal("4.300"), Decimal(5)]


def test_stock_is_narrowed_to_warehouses_however_their_codes_are_padded(stocked: StockRepository) -> None:
    assert [*stocked.on_hand(TODAY, ["2"])] == [StockQuantity("LEASH", "2", Decimal(5))]
    assert [*stocked.open_sales(["2"])] == [StockQuantity("BOWL", "2", Decimal(1))]
    assert sorted(stocked.sellable(TODAY, ["2", "3"])) == [
        StockLevel("BOWL", "2", Decimal(0), Decimal(1)),
        StockLevel("LEASH", "2", Decimal(5), Decimal(0)),
    ]


def test_a_file_whose_columns_have_no_type_may_hold_numbers_where_text_belongs(tmp_path: Path) -> None:
    path = tmp_path / "erp.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute(
            "CREATE TABLE Items (ItemCode, Description, SalesPackagePrice, GTIN, Condition, IsSalesItem)"
        )
        made.execute("INSERT INTO Items VALUES (1001, 7, '12,50', 8710000000017, NULL, '0')")
        made.commit()
    items = ItemRepository(connect_erp(f"sqlite:///{path}"))

    assert [*items.held_codes()] == ["1001"]
    assert items.some(["1001"]) == {
        "1001": ErpItem("1001", "7", None, None, "8710000000017", "", is_sales_item=False)
    }


def test_a_warehouse_is_found_in_a_file_whose_columns_have_no_width(tmp_path: Path) -> None:
    with Administration.created(f"sqlite:///{tmp_path / 'erp.db'}") as administration:
        administration.add("items", item("LEASH"))
        administration.add(
            "gbkmut", entry("LEASH", 1, warehouse="  mag"), entry("LEASH", 2, warehouse="MAG  ")
        )
        found = [*StockRepository(connect_erp(administration.url)).on_hand(TODAY, ["Mag"])]
    assert sum(row.quantity for row in found) == 3


def test_sqlite_looks_movements_up_by_code_instead_of_comparing_each_with_every_item(tmp_path: Path) -> None:
    """A million movements of a hundred thousand items are seconds, not hours; also in a file without our indexes."""
    with Administration.created(f"sqlite:///{tmp_path / 'erp.db'}") as administration:
        tables = administration.tables
        with closing(sqlite3.connect(tmp_path / "erp.db")) as connection:
            for name in ("Items_code", "gbkmut_code", "orsrg_code"):
                connection.execute(f"DROP INDEX {name}")
        for statement in (on_hand(tables), sellable(tables, ()), levels(tables, (), (), ALL)):
            compiled = statement.params(tomorrow=TODAY).compile(
                dialect=sqlite.dialect(), compile_kwargs={"render_postcompile": True}
            )
            with closing(sqlite3.connect(tmp_path / "erp.db")) as connection:
                plan = [
                    row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {compiled}", ["2026-11-22"])
                ]

            assert "SCAN gbkmut" in plan
            assert "SEARCH items USING AUTOMATIC COVERING INDEX (code=? AND account=?)" in plan
            once = {"SCAN items", "SCAN stock", "SCAN for_sale"} & set(plan)
            assert once in (set(), {"SCAN stock"})  # each of its rows then looked up among the items


# --- price lists ------------------------------------------------------------------------------------------


def price_line(code: str, price: float, **fields: Any) -> dict[str, Any]:
    return {
        "prijslijst": "SALESPRICE",
        "artcode": code,
        "LineType": 1,
        "prijs83": price,
        "kort_pbn": "N",
        "unitcode": "pc",
        "unitfactor": 1,
        **fields,
    }


def test_price_lines_of_sales_lists_are_told_on_the_days_they_hold(
    administration: Administration, engine: Engine
) -> None:
    administration.add(
        "stfoms",
        {"prijslijst": "SALESPRICE", "type": "S", "valcode": "EUR"},
        {"prijslijst": "PURCHASE", "type": "P", "valcode": "EUR"},
    )
    administration.add(
        "staffl",
        price_line("leash ", 12.34567, aantal1=1, bedr1=11.5, aantal2=0, bedr2=0),
        price_line("LEASH", 9, validfrom=at(21, 12), validto=at(21)),
        price_line("LEASH", 8, validfrom=at(22)),
        price_line("LEASH", 7, validto=at(20)),
        price_line("LEASH", 6, AccountID="6F9619FF-8B86-D011-B42D-00C04FC964FF"),
        price_line("LEASH", 5, LineType=2),
        price_line("LEASH", 4, prijslijst="PURCHASE"),
        price_line("BOWL", 3),
    )

    lines = sorted(PriceListRepository(engine).valid_on(TODAY, ["Leash"]), key=lambda found: found.price)

    assert lines == [
        PriceLine(
            *("SALESPRICE", "LEASH", Decimal(9), "N", (), "pc", Decimal(1)),
            *(date(2026, 11, 21), date(2026, 11, 21), "EUR"),
        ),
        PriceLine(
            *("SALESPRICE", "LEASH", Decimal("12.3457"), "N", (PriceTier(Decimal(1), Decimal("11.5")),)),
            *("pc", Decimal(1), None, None, "EUR"),
        ),
    ]


# --- what is not there ------------------------------------------------------------------------------------


def test_tables_that_are_not_there_are_named_in_a_sentence(administration: Administration) -> None:
    other = create_engine(administration.url)
    administration.tables.metadata.drop_all(other)
    other.dispose()
    engine = connect_erp(administration.url)

    with pytest.raises(ConfigurationError, match="has no price lists \\(tables staffl and stfoms\\)"):
        list(PriceListRepository(engine).valid_on(TODAY, ["A"]))
    with pytest.raises(ConfigurationError, match="has no tables orkrg and orsrg"):
        OrderRepository(engine).by_docnumber(["A"])
    with pytest.raises(ConfigurationError, match="has no tables Items, gbkmut, orkrg and orsrg"):
        list(StockRepository(engine).sellable(TODAY))
    with pytest.raises(ConfigurationError, match="has no table Items with an ItemCode"):
        ItemRepository(engine).some(["A"])


def test_a_test_never_takes_a_database_that_may_be_somebodys_administration(
    administration: Administration,
) -> None:
    with pytest.raises(NotEmpty, match=r"holds Items, gbkmut, .*: give it an empty one"):
        Administration.created(administration.url).__enter__()
