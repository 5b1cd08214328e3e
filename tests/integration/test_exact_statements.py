"""What SQL Server is sent, word for word, and that a T-SQL parser which is not SQLAlchemy's understands it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
import sqlglot
from sqlalchemy import Engine
from sqlglot import expressions

from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.erp_stock import StockQuantity
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.deliveries import DeliveryRepository
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.orders import OrderRepository
from brekzsync.exact.prices import PriceListRepository
from brekzsync.exact.stock import StockRepository
from brekzsync.exact.tables import globe_tables
from tests import odbc

URL = "mssql+pyodbc://reader:s3cret@erp.example/100?driver=FreeTDS"
TODAY = date(2026, 11, 21)
COLUMNS = "[INFORMATION_SCHEMA].[COLUMNS]"
NO_GTIN = [(column.name,) for column in globe_tables("mssql").items.c if column.name != "GTIN"]
# Of whichever table is asked for: order lines without a unit, and free fields of which one is named by hand.
THERE = [*NO_GTIN, ("freefield1",), ("externalnumber",), ("VRIJ_VELD",)]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> odbc.Server:
    """An administration of an older release, which has no GTIN."""
    server = odbc.install(monkeypatch)
    server.answer = lambda text: THERE if COLUMNS in text else []
    return server


FIELDS = (
    "SELECT dbo.[Items].[ItemCode], coalesce(dbo.[Items].[Description], '') AS [Description], "
    "dbo.[Items].[SalesPackagePrice] AS [SalesPackagePrice], "
    "coalesce(dbo.[Items].[SalesVatCode], '') AS [SalesVatCode], NULL AS [GTIN], "
    "coalesce(dbo.[Items].[Condition], '') AS [Condition], dbo.[Items].[IsSalesItem] AS [IsSalesItem] "
    "FROM dbo.[Items]"
)
ITEMS = (
    "(SELECT dbo.[Items].[ItemCode] AS code, dbo.[Items].[GLAccountDistribution] AS account "
    "FROM dbo.[Items]) AS items"
)
ON_HAND = (
    "SELECT items.code AS code, dbo.gbkmut.warehouse AS warehouse, sum(dbo.gbkmut.aantal) AS quantity "
    f"FROM dbo.gbkmut JOIN {ITEMS} ON items.code = dbo.gbkmut.artcode "
    "AND items.account = dbo.gbkmut.reknr "
    "WHERE dbo.gbkmut.transtype IN ('N', 'C', 'P', 'X') AND dbo.gbkmut.datum < ?{} "
    "GROUP BY items.code, dbo.gbkmut.warehouse"
)
OPEN_SALES_OF = (
    "SELECT {}dbo.orsrg.artcode AS code, dbo.orsrg.magcode AS warehouse, sum({}) AS quantity "
    "FROM dbo.orsrg JOIN dbo.orkrg ON dbo.orkrg.ordernr = dbo.orsrg.ordernr "
    "WHERE dbo.orkrg.ord_soort = 'V' AND dbo.orkrg.afgehandld = 0 AND dbo.orsrg.artcode IS NOT NULL "
    "AND (dbo.orsrg.ar_soort IS NULL OR dbo.orsrg.ar_soort != 'P') "
    "AND dbo.orsrg.esr_aantal > dbo.orsrg.aant_gelev{} GROUP BY {}dbo.orsrg.artcode, dbo.orsrg.magcode"
)
STILL = "dbo.orsrg.esr_aantal - dbo.orsrg.aant_gelev"
OPEN_SALES = OPEN_SALES_OF.format("", STILL, "{}", "")
STOCK_ITEMS = (
    "dbo.[Items].[IsSalesItem] AS [IsSalesItem], dbo.[Items].[IsStockItem] AS [IsStockItem], "
    "dbo.[Items].[IsExplodeItem] AS [IsExplodeItem], dbo.[Items].[Type] AS [Type] FROM dbo.[Items]"
)
BOTH = (
    "(SELECT moved.code AS code, moved.warehouse AS warehouse, moved.quantity AS moved, 0 AS sold "
    f"FROM ({ON_HAND.format('')}) AS moved "
    "UNION ALL SELECT sold.code AS code, sold.warehouse AS warehouse, 0 AS anon_1, "
    f"sold.quantity AS quantity FROM ({OPEN_SALES.format('')}) AS sold) AS stock"
)
DELIVERIES = (
    "SELECT notes.reference, notes.number, notes.day, notes.tracking, notes.quantity, progress.ordered, "
    "progress.delivered, progress.is_open "
    "FROM (SELECT dbo.orhkrg.docnumber AS reference, dbo.orhkrg.pakbon_nr AS number, "
    "max(dbo.orhkrg.pakbon_dat) AS day, {tracking} AS tracking, sum(dbo.orhsrg.aant_gelev) AS quantity "
    "FROM dbo.orhkrg JOIN dbo.orhsrg ON dbo.orhsrg.pakbon_nr = dbo.orhkrg.pakbon_nr "
    "AND dbo.orhsrg.ordernr = dbo.orhkrg.ordernr{joined} "
    "WHERE dbo.orhkrg.ord_soort = 'V' AND dbo.orhsrg.aant_gelev != 0 "
    "AND dbo.orhkrg.docnumber IS NOT NULL AND dbo.orhkrg.docnumber != ''{of_notes} "
    "GROUP BY dbo.orhkrg.docnumber, dbo.orhkrg.pakbon_nr) AS notes "
    "LEFT OUTER JOIN (SELECT dbo.orkrg.docnumber AS reference, sum(dbo.orsrg.esr_aantal) AS ordered, "
    "sum(CASE WHEN (dbo.orsrg.aant_gelev > dbo.orsrg.esr_aantal) THEN dbo.orsrg.esr_aantal "
    "ELSE dbo.orsrg.aant_gelev END) AS delivered, "
    "max(CASE WHEN (dbo.orkrg.afgehandld = 0) THEN 1 ELSE 0 END) AS is_open "
    "FROM dbo.orkrg LEFT OUTER JOIN dbo.orsrg ON dbo.orsrg.ordernr = dbo.orkrg.ordernr "
    "AND (dbo.orsrg.ar_soort IS NULL OR dbo.orsrg.ar_soort != 'P') AND dbo.orsrg.esr_aantal > 0 "
    "WHERE dbo.orkrg.ord_soort = 'V'{of_orders} GROUP BY dbo.orkrg.docnumber) AS progress "
    "ON progress.reference = notes.reference ORDER BY notes.reference"
)
LATE = (
    " IN (SELECT late.docnumber FROM dbo.orhkrg AS late WHERE late.ord_soort = 'V' AND late.pakbon_dat >= ?)"
)

Asked = Callable[[Engine], object]
STATEMENTS: dict[str, tuple[Asked, str]] = {
    "the codes": (
        lambda engine: list(ItemRepository(engine).held_codes()),
        "SELECT dbo.[Items].[ItemCode] FROM dbo.[Items]",
    ),
    "every item": (lambda engine: list(ItemRepository(engine).stream()), FIELDS),
    "some items": (
        lambda engine: ItemRepository(engine).some(["a", "b"]),
        f"{FIELDS} WHERE dbo.[Items].[ItemCode] IN (?, ?) ORDER BY dbo.[Items].[ItemCode]",
    ),
    "orders": (
        lambda engine: OrderRepository(engine).by_docnumber(["X-1"]),
        "SELECT dbo.orkrg.ordernr, dbo.orkrg.docnumber, dbo.orkrg.afgehandld AS afgehandld, "
        "dbo.orkrg.fiattering, sum(dbo.orsrg.esr_aantal) AS ordered, sum(dbo.orsrg.aant_gelev) AS delivered, "
        "sum(dbo.orsrg.aant_fakt) AS invoiced "
        "FROM dbo.orkrg LEFT OUTER JOIN dbo.orsrg ON dbo.orsrg.ordernr = dbo.orkrg.ordernr "
        "AND (dbo.orsrg.ar_soort IS NULL OR dbo.orsrg.ar_soort != 'P') "
        "WHERE dbo.orkrg.ord_soort = 'V' AND dbo.orkrg.docnumber IN (?) "
        "GROUP BY dbo.orkrg.ordernr, dbo.orkrg.docnumber, dbo.orkrg.afgehandld, dbo.orkrg.fiattering "
        "ORDER BY dbo.orkrg.ordernr",
    ),
    "price lists": (
        lambda engine: list(PriceListRepository(engine).valid_on(TODAY, ["A"])),
        "SELECT dbo.staffl.prijslijst, dbo.staffl.artcode, dbo.staffl.prijs83, dbo.staffl.kort_pbn, "
        "dbo.staffl.aantal1, dbo.staffl.bedr1, dbo.staffl.aantal2, dbo.staffl.bedr2, dbo.staffl.unitcode, "
        "dbo.staffl.unitfactor, dbo.staffl.validfrom AS validfrom, dbo.staffl.validto AS validto, "
        "dbo.stfoms.valcode "
        "FROM dbo.staffl JOIN dbo.stfoms ON dbo.stfoms.prijslijst = dbo.staffl.prijslijst "
        "AND dbo.stfoms.type = 'S' "
        "WHERE dbo.staffl.artcode IN (?) AND dbo.staffl.[LineType] = 1 AND dbo.staffl.[AccountID] IS NULL "
        "AND (dbo.staffl.validfrom IS NULL OR dbo.staffl.validfrom < ?) "
        "AND (dbo.staffl.validto IS NULL OR dbo.staffl.validto >= ?)",
    ),
    "on hand": (lambda engine: list(StockRepository(engine).on_hand(TODAY)), ON_HAND.format("")),
    "on hand in a warehouse": (
        lambda engine: list(StockRepository(engine).on_hand(TODAY, ["1"])),
        ON_HAND.format(" AND dbo.gbkmut.warehouse IN (?, ?, ?)"),
    ),
    "open sales": (lambda engine: list(StockRepository(engine).open_sales()), OPEN_SALES.format("")),
    "open sales of a warehouse": (
        lambda engine: list(StockRepository(engine).open_sales(["1"])),
        OPEN_SALES.format(" AND dbo.orsrg.magcode IN (?, ?, ?)"),
    ),
    "sellable": (
        lambda engine: list(StockRepository(engine).sellable(TODAY)),
        "SELECT for_sale.code, stock.warehouse, sum(stock.moved) AS on_hand, sum(stock.sold) AS open_sales "
        f"FROM {BOTH} JOIN (SELECT DISTINCT dbo.[Items].[ItemCode] AS code FROM dbo.[Items] "
        "WHERE dbo.[Items].[IsSalesItem] = 1 AND dbo.[Items].[Type] IN ('S', 'B')) AS for_sale "
        "ON for_sale.code = stock.code GROUP BY for_sale.code, stock.warehouse",
    ),
    "levels": (
        lambda engine: list(StockRepository(engine).levels(TODAY)),
        "SELECT held.code, held.[IsSalesItem], held.[IsStockItem], held.[IsExplodeItem], "
        "held.[Type], stock.warehouse, stock.moved, stock.sold "
        f"FROM (SELECT dbo.[Items].[ItemCode] AS code, {STOCK_ITEMS}) AS held "
        f"LEFT OUTER JOIN {BOTH} ON stock.code = held.code",
    ),
    "stock items": (
        lambda engine: list(StockRepository(engine).stock_items()),
        f"SELECT dbo.[Items].[ItemCode], {STOCK_ITEMS}",
    ),
    "some stock items": (
        lambda engine: list(StockRepository(engine).stock_items(["A"])),
        f"SELECT dbo.[Items].[ItemCode], {STOCK_ITEMS} WHERE dbo.[Items].[ItemCode] IN (?)",
    ),
    "on hand of some items": (
        lambda engine: list(StockRepository(engine).on_hand(TODAY, (), ["A", "B"])),
        ON_HAND.format(" AND dbo.gbkmut.artcode IN (?, ?)"),
    ),
    "newest movements": (
        lambda engine: StockRepository(engine).last_moved(["A"], TODAY),
        "SELECT items.code AS code, max(dbo.gbkmut.datum) AS newest "
        f"FROM dbo.gbkmut JOIN {ITEMS} ON items.code = dbo.gbkmut.artcode "
        "AND items.account = dbo.gbkmut.reknr "
        "WHERE dbo.gbkmut.transtype IN ('N', 'C', 'P', 'X') AND dbo.gbkmut.datum < ? "
        "AND dbo.gbkmut.artcode IN (?) GROUP BY items.code",
    ),
    "open sales of some items": (
        lambda engine: list(StockRepository(engine).open_sales(["1"], ["A"])),
        OPEN_SALES.format(" AND dbo.orsrg.magcode IN (?, ?, ?) AND dbo.orsrg.artcode IN (?)"),
    ),
    "open sales by order": (
        lambda engine: list(StockRepository(engine).open_sales_by_order()),
        OPEN_SALES_OF.format("dbo.orkrg.docnumber, ", STILL, "", "dbo.orkrg.docnumber, "),
    ),
    "references": (
        lambda engine: list(StockRepository(engine).references()),
        "SELECT dbo.orhkrg.docnumber FROM dbo.orhkrg WHERE dbo.orhkrg.ord_soort = 'V' "
        "AND dbo.orhkrg.docnumber IS NOT NULL AND dbo.orhkrg.docnumber != ''",
    ),
    "references that are there": (
        lambda engine: StockRepository(engine).present(["X-1", "X-2"]),
        "SELECT DISTINCT dbo.orhkrg.docnumber FROM dbo.orhkrg WHERE dbo.orhkrg.ord_soort = 'V' "
        "AND dbo.orhkrg.docnumber IN (?, ?)",
    ),
    "deliveries": (
        lambda engine: list(DeliveryRepository(engine).deliveries()),
        DELIVERIES.format(tracking="''", joined="", of_notes="", of_orders=""),
    ),
    "deliveries since a day": (
        lambda engine: list(DeliveryRepository(engine).deliveries(TODAY)),
        DELIVERIES.format(
            tracking="''",
            joined="",
            of_notes=f" AND dbo.orhkrg.docnumber{LATE}",
            of_orders=f" AND dbo.orkrg.docnumber{LATE}",
        ),
    ),
    "deliveries of some orders": (
        lambda engine: DeliveryRepository(engine, "orhkrg.ExternalNumber").of(["X-1", "X-2"]),
        DELIVERIES.format(
            tracking="max(dbo.orhkrg.[ExternalNumber])",
            joined="",
            of_notes=" AND dbo.orhkrg.docnumber IN (?, ?)",
            of_orders=" AND dbo.orkrg.docnumber IN (?, ?)",
        ),
    ),
    "deliveries with a number of the order": (
        lambda engine: list(DeliveryRepository(engine, "orkrg.Vrij_veld").deliveries()),
        DELIVERIES.format(
            tracking="max(dbo.orkrg.[Vrij_veld])",
            joined=" LEFT OUTER JOIN dbo.orkrg ON dbo.orkrg.ordernr = dbo.orhkrg.ordernr",
            of_notes="",
            of_orders="",
        ),
    ),
}


@pytest.mark.parametrize("asked", STATEMENTS)
def test_sql_server_is_sent_this(server: odbc.Server, asked: str) -> None:
    ask, text = STATEMENTS[asked]

    ask(connect_erp(URL))

    assert server.texts()[-1] == text


@pytest.mark.parametrize("asked", STATEMENTS)
def test_what_is_sent_is_one_plain_select_to_another_parser(server: odbc.Server, asked: str) -> None:
    STATEMENTS[asked][0](connect_erp(URL))

    for text in server.texts():
        (parsed,) = sqlglot.parse(text, read="tsql")
        assert isinstance(parsed, expressions.Select)
        assert not list(parsed.find_all(expressions.WithTableHint, expressions.Limit, expressions.Command))
        assert {table.name for table in parsed.find_all(expressions.Table)} - {
            *(table.name for table in globe_tables("mssql").metadata.tables.values()),
            "COLUMNS",
        } == set()


def test_which_columns_there_are_is_asked_once_per_connection(server: odbc.Server) -> None:
    items = ItemRepository(connect_erp(URL))

    items.some(["a"])
    list(items.stream())
    items.some(["b"])

    assert [text for text in server.texts() if COLUMNS in text] == [
        f"SELECT {COLUMNS}.[COLUMN_NAME] FROM {COLUMNS} "
        f"WHERE {COLUMNS}.[TABLE_SCHEMA] = ? AND {COLUMNS}.[TABLE_NAME] = ?"
    ]
    assert server.sent[0].parameters == ["dbo", "Items"]
    assert len(server.connections) == 1


def test_codes_are_sent_as_varchar_so_that_the_index_on_them_is_used(server: odbc.Server) -> None:
    ItemRepository(connect_erp(URL)).some([" demo-1 ", "Ärmel"])

    (sent,) = [one for one in server.sent if "IN (" in one.text]
    assert sent.parameters == ["DEMO-1", "ÄRMEL", "äRMEL"]
    assert {kind[0] for kind in sent.types} == {"SQL_VARCHAR"}


def test_many_codes_are_asked_for_in_batches_a_server_takes(server: odbc.Server) -> None:
    ItemRepository(connect_erp(URL)).some([f"C{number}" for number in range(1_201)])

    assert [len(one.parameters) for one in server.sent if "IN (" in one.text] == [500, 500, 201]


def test_a_line_in_another_unit_is_counted_in_pieces_where_the_release_says_how_many(
    server: odbc.Server,
) -> None:
    server.answer = lambda text: [("UnitFactor",)] if COLUMNS in text else []

    list(StockRepository(connect_erp(URL)).open_sales())

    pieces = "CASE WHEN (dbo.orsrg.unitfactor > 0) THEN dbo.orsrg.unitfactor ELSE 1 END"
    assert server.texts()[-1] == OPEN_SALES_OF.format("", f"({STILL}) * {pieces}", "", "")
    sqlglot.parse_one(server.texts()[-1], read="tsql")


def test_orders_are_asked_for_references_before_delivery_notes(server: odbc.Server) -> None:
    """One that is completed and put away in between is then found among the notes."""
    stock = StockRepository(connect_erp(URL))
    list(stock.references())
    stock.present(["X-1"])

    assert [text.partition(" FROM ")[2].partition(" ")[0] for text in server.texts()] == [
        "dbo.orkrg",
        "dbo.orhkrg",
    ] * 2


def test_a_thousand_items_are_asked_for_in_batches_and_each_answer_belongs_to_its_own(
    server: odbc.Server,
) -> None:
    """A collation may take two codes for one: a row that comes twice must not count twice."""
    server.answer = lambda text: THERE if COLUMNS in text else [("C1", "1", 5.0), ("C700", "1", 7.0)]
    stock = StockRepository(connect_erp(URL))

    found = list(stock.on_hand(TODAY, (), [f"C{number}" for number in range(1_000)]))

    assert found == [StockQuantity("C1", "1", Decimal(5)), StockQuantity("C700", "1", Decimal(7))]
    assert [len(one.parameters) for one in server.sent if " IN (?" in one.text] == [501, 501]
    assert list(stock.on_hand(TODAY, (), [])) == []


def test_nothing_asked_for_asks_nothing(server: odbc.Server) -> None:
    engine = connect_erp(URL)

    assert (ItemRepository(engine).some(["", "  "]), OrderRepository(engine).by_docnumber([])) == ({}, {})
    assert [one for one in server.sent if "IN (" in one.text] == []


def test_a_warehouse_is_asked_for_in_each_way_a_char_column_may_hold_it(server: odbc.Server) -> None:
    list(StockRepository(connect_erp(URL)).on_hand(TODAY, ["1", "910"]))

    assert [str(value) for value in server.sent[-1].parameters] == [
        "2026-11-22 00:00:00",
        *("1", "   1", "1   ", "910", " 910", "910 "),
    ]


def test_an_item_is_compared_again_when_it_comes_back(server: odbc.Server) -> None:
    """On its way to the ERP a character its code page lacks became a question mark."""
    row = ("?-1   ", "Dog  ", 0.1 + 0.2, "2  ", None, "B", True)
    server.answer = lambda text: NO_GTIN if COLUMNS in text else [row]
    items = ItemRepository(connect_erp(URL))

    assert items.some(["Σ-1"]) == {}
    assert items.some(["?-1"]) == {"?-1": ErpItem("?-1", "Dog", Decimal("0.3000"), "2", None, "B", True)}


def test_a_stream_is_fetched_page_by_page_and_the_time_of_a_statement_is_limited(server: odbc.Server) -> None:
    def answer(text: str) -> list[tuple[Any, ...]]:
        return NO_GTIN if COLUMNS in text else [(f"C{number}",) for number in range(5_000)]

    server.answer = answer
    codes: Iterator[str] = ItemRepository(connect_erp(URL, timeout=7)).held_codes()

    assert (next(codes), sum(server.fetched)) == ("C0", 2000)
    assert (sum(1 for _ in codes), max(server.fetched)) == (4_999, 2000)
    assert [(one.options["timeout"], one.timeout) for one in server.connections] == [(7, 7)]
