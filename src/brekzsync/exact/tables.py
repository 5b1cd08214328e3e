"""The tables of an Exact Globe administration that are read, with the columns that are read; never reflected.

Reflection may change the case of names (facts/exact-globe.md section 9). A SQLite ERP has the same tables
without the schema. ``OPTIONAL`` marks a column that some administrations lack.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import (
    CHAR,
    Boolean,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    func,
)

OPTIONAL: Final = {"optional": True}

CODE_LENGTH: Final = 30
WAREHOUSE_LENGTH: Final = 4
FREE_LENGTH: Final = 75


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobeTables:
    """The administration's tables, one attribute each; ``metadata`` creates them for the demo's ERP."""

    dialect: str
    metadata: MetaData
    items: Table
    gbkmut: Table
    orkrg: Table
    orsrg: Table
    orhkrg: Table
    orhsrg: Table
    staffl: Table
    stfoms: Table

    def everywhere(self) -> list[Table]:
        """Those every administration of ours has, the demo's too; price lists are in real ones only."""
        return [self.items, self.gbkmut, self.orkrg, self.orsrg, self.orhkrg, self.orhsrg]


def is_optional(column: Column[Any]) -> bool:
    """Whether an administration may lack it and still be one (``columns.missing_columns`` asks which)."""
    return column.info == OPTIONAL


@cache
def globe_tables(dialect: str) -> GlobeTables:
    """The tables as ``dialect`` (``mssql`` or ``sqlite``) names them."""
    metadata = MetaData(schema="dbo" if dialect == "mssql" else None)

    def table(name: str, *columns: Column[Any]) -> Table:
        return Table(name, metadata, *columns)

    tables = GlobeTables(
        dialect=dialect,
        metadata=metadata,
        items=_items(table),
        gbkmut=_movements(table),
        **_orders(table),
        **_deliveries(table),
        **_price_lists(table),
    )
    if dialect == "sqlite":
        _index_codes(tables)
    return tables


def _index_codes(tables: GlobeTables) -> None:
    """What Globe's own indexes on these columns are for SQL Server, which compares codes without a function; so that
    a page of items of a SQLite ERP is looked up too."""
    for column in (tables.items.c.ItemCode, tables.gbkmut.c.artcode, tables.orsrg.c.artcode):
        Index(f"{column.table.name}_code", func.upper(func.trim(column)))
    for column in (tables.orkrg.c.docnumber, tables.orhkrg.c.docnumber):
        Index(f"{column.table.name}_reference", func.upper(func.trim(column)))


_Declare = Callable[..., Table]


def _number(name: str) -> Column[str]:
    """An order's or delivery note's number, right-aligned with blanks before it."""
    return Column(name, CHAR(8))


def _code(name: str) -> Column[str]:
    return Column(name, String(CODE_LENGTH))


def _warehouse(name: str) -> Column[str]:
    return Column(name, CHAR(WAREHOUSE_LENGTH))


def _changes() -> list[Column[Any]]:
    """When a row was last written; declared for what reads by rowversion one day, and for the demo."""
    return [Column("sysmodified", DateTime), Column("timestamp", LargeBinary(8))]


def _free_fields(count: int) -> list[Column[Any]]:
    """What an administration may use as it likes; read only where the configuration names one."""
    return [
        Column(f"freefield{number}", String(FREE_LENGTH), info=OPTIONAL) for number in range(1, count + 1)
    ]


def _items(table: _Declare) -> Table:
    return table(
        "Items",
        Column("ItemCode", String(CODE_LENGTH), primary_key=True),  # of either case, may end in blanks
        Column("Description", String(60), info=OPTIONAL),
        Column("Type", CHAR(1)),
        Column("Condition", CHAR(1)),
        Column("IsSalesItem", Boolean),
        Column("IsStockItem", Boolean, info=OPTIONAL),
        Column("IsExplodeItem", Boolean, info=OPTIONAL),  # a kit: taken apart when it is sold
        Column("SalesPackagePrice", Float, info=OPTIONAL),
        Column("SalesVatCode", String(3), info=OPTIONAL),
        Column("GTIN", String(20), info=OPTIONAL),  # newer releases only
        Column("GLAccountDistribution", CHAR(9)),
        *_changes(),
    )


def _movements(table: _Declare) -> Table:
    """The ledger of the books; those on an item's stock account move its stock."""
    return table(
        "gbkmut",
        Column("ID", Integer, primary_key=True),
        _code("artcode"),
        Column("aantal", Float),
        _warehouse("warehouse"),
        Column("datum", DateTime),
        Column("reknr", CHAR(9)),
        Column("transtype", CHAR(1)),
        Column("timestamp", LargeBinary(8)),
    )


def _orders(table: _Declare) -> dict[str, Table]:
    return {
        "orkrg": table(
            "orkrg",
            Column("ordernr", CHAR(8), primary_key=True),
            Column("ord_soort", CHAR(1)),
            Column("docnumber", String(30)),
            Column("afgehandld", Boolean),
            Column("fiattering", CHAR(1)),
            Column("ordbv_afgd", SmallInteger),
            *_free_fields(5),
            *_changes(),
        ),
        "orsrg": table(
            "orsrg",
            _number("ordernr"),
            Column("ar_soort", CHAR(1)),
            _code("artcode"),
            _warehouse("magcode"),
            Column("esr_aantal", Float),
            Column("aant_gelev", Float),
            Column("aant_fakt", Float),
            Column("unitfactor", Float, info=OPTIONAL),  # pieces in one of the line's unit
            Column("afldat", DateTime),
            *_changes(),
        ),
    }


def _deliveries(table: _Declare) -> dict[str, Table]:
    return {
        "orhkrg": table(
            "orhkrg",
            _number("ordernr"),
            Column("ord_soort", CHAR(1)),
            Column("docnumber", String(30)),
            _number("pakbon_nr"),
            Column("pakbon_dat", DateTime),
            Column("levwijze", String(3)),
            Column("colli", SmallInteger),
            *_free_fields(3),
            Column("ExternalNumber", String(FREE_LENGTH), info=OPTIONAL),
            Column("timestamp", LargeBinary(8)),
        ),
        "orhsrg": table(
            "orhsrg",
            _number("ordernr"),
            _number("pakbon_nr"),
            Column("regel", CHAR(4)),
            _code("artcode"),
            Column("aant_gelev", Float),
            _warehouse("magcode"),
        ),
    }


def _price_lists(table: _Declare) -> dict[str, Table]:
    return {
        "staffl": table(
            "staffl",
            Column("prijslijst", String(15)),
            _code("artcode"),
            Column("AccountID", String(36)),  # a price agreed with one customer
            Column("LineType", SmallInteger),
            Column("prijs83", Float),
            Column("kort_pbn", CHAR(1)),
            Column("aantal1", Float),
            Column("bedr1", Float),
            Column("aantal2", Float),
            Column("bedr2", Float),
            Column("validfrom", DateTime),
            Column("validto", DateTime),
            Column("unitcode", String(8)),
            Column("unitfactor", Float),
        ),
        "stfoms": table(
            "stfoms",
            Column("prijslijst", String(15), primary_key=True),
            Column("type", CHAR(1)),
            Column("valcode", String(3)),
        ),
    }
