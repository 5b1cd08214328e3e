"""The measure of ``stock sweep``: a whole catalogue against an ERP in which every hundredth figure is another."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url

from benchmarks.catalogue import Catalogue
from benchmarks.measure import Measured, RunFailed, run
from benchmarks.product_export import Case, plain_environment
from brekzsync.exact.tables import globe_tables

DIFFERING = 100  # every so manieth
_ROWS_AT_ONCE = 2000
_ACCOUNT = "     3000"

CONFIGURATION = """\
[shop]
database = "{url}"
data_shop = 1

[erp]
database = "sqlite:///erp.db"

[products]
# The catalogue repeats references across combinations.
item_code = "{{reference}}-{{id_product_attribute}}"

[stock]
write_via = "database"
"""

_SHOP_ROWS = """
SELECT p.id_product, a.id_product_attribute, a.reference, p.reference, s.quantity
FROM ps_product p
JOIN ps_product_attribute a ON a.id_product = p.id_product
JOIN ps_stock_available s ON s.id_product = p.id_product AND s.id_product_attribute = a.id_product_attribute
    AND s.id_shop = 1 AND s.id_shop_group = 0
"""
_ERP_ROWS = (
    "SELECT ItemCode, IsSalesItem, IsStockItem, Type FROM Items",
    "SELECT i.ItemCode, g.warehouse, SUM(g.aantal) FROM gbkmut AS g"
    " JOIN Items AS i ON i.ItemCode = g.artcode AND i.GLAccountDistribution = g.reknr"
    " WHERE g.transtype IN ('N', 'C', 'P', 'X') AND g.datum <= '2026-01-01' GROUP BY i.ItemCode, g.warehouse",
    "SELECT s.artcode, s.magcode, SUM(s.esr_aantal - s.aant_gelev) FROM orsrg AS s"
    " JOIN orkrg AS k ON k.ordernr = s.ordernr WHERE k.ord_soort = 'V' AND k.afgehandld = 0"
    " AND s.esr_aantal > s.aant_gelev GROUP BY s.artcode, s.magcode",
)
_UPDATE = "UPDATE ps_stock_available SET quantity = quantity + {step} WHERE id_product_attribute > 10000" + (
    f" AND id_product_attribute % {DIFFERING} = 0"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweeping:
    """A shop whose stock is as the ERP says, but for every hundredth item."""

    catalogue: Catalogue
    driver: str
    folder: Path

    @classmethod
    def prepared(cls, catalogue: Catalogue, driver: str, parent: Path) -> Sweeping:
        folder = parent / f"stock-{catalogue.combinations}"
        folder.mkdir()
        text = CONFIGURATION.format(url=catalogue.url(driver))
        (folder / "brekzsync.toml").write_text(text, encoding="utf-8")
        made = cls(catalogue=catalogue, driver=driver, folder=folder)
        made._fill_erp()
        run([_program(), "db", "upgrade"], folder=folder, environ=plain_environment())
        return made

    def sweep(self, watch: bool = False) -> Measured:
        """From figures that differ to figures that do not."""
        self._execute(_UPDATE.format(step=1))
        measured = run(
            [_program(), "stock", "sweep"], folder=self.folder, environ=plain_environment(), watch=watch
        )
        if wrong := self._count(
            "SELECT COUNT(*) FROM ps_stock_available s JOIN ps_product_attribute a"
            " USING (id_product_attribute) WHERE s.id_product_attribute > 10000"
            " AND s.quantity <> s.id_product_attribute % 97"
        ):
            raise RunFailed(f"stock sweep left {wrong:,} figures that differ.")
        return measured

    def raw(self, _watch: bool = False) -> Measured:
        """Both sides read through the drivers, nothing done with them, and as many figures changed at once."""
        started = time.perf_counter()
        with closing(self._connected("SSCursor")) as shop, closing(shop.cursor()) as cursor:
            cursor.execute(_SHOP_ROWS)
            while cursor.fetchmany(_ROWS_AT_ONCE):
                pass
        with closing(sqlite3.connect(self.folder / "erp.db")) as erp:
            for statement in _ERP_ROWS:
                rows = erp.execute(statement)
                while rows.fetchmany(_ROWS_AT_ONCE):
                    pass
        self._execute(_UPDATE.format(step=1))
        seconds = time.perf_counter() - started
        self._execute(_UPDATE.format(step=-1))
        return Measured(seconds=seconds)

    def _connected(self, cursor: str = "Cursor") -> Any:
        module = "MySQLdb" if self.driver == "mysqldb" else "pymysql"
        url = make_url(self.catalogue.url(self.driver))
        return import_module(module).connect(
            host=url.host,
            port=url.port,
            user=url.username,
            database=url.database,
            charset="utf8mb4",
            cursorclass=getattr(import_module(f"{module}.cursors"), cursor),
        )

    def _execute(self, statement: str) -> None:
        with closing(self._connected()) as shop, closing(shop.cursor()) as cursor:
            cursor.execute(statement)
            shop.commit()

    def _count(self, statement: str) -> int:
        with closing(self._connected()) as shop, closing(shop.cursor()) as cursor:
            cursor.execute(statement)
            return int(cursor.fetchone()[0])

    def _fill_erp(self) -> None:
        """What the shop shows, as movements on the items' stock account; with an index such as Globe has."""
        path = self.folder / "erp.db"
        engine = create_engine(f"sqlite:///{path}")
        tables = globe_tables("sqlite")
        tables.metadata.create_all(engine, tables=tables.everywhere())
        engine.dispose()
        with (
            closing(self._connected("SSCursor")) as shop,
            closing(shop.cursor()) as cursor,
            closing(sqlite3.connect(path)) as erp,
        ):
            cursor.execute(
                "SELECT a.reference, a.id_product_attribute FROM ps_product_attribute a"
                " WHERE a.id_product_attribute > 10000"
            )
            while rows := cursor.fetchmany(_ROWS_AT_ONCE):
                codes = [(f"{reference}-{number}".upper(), number % 97) for reference, number in rows]
                erp.executemany(
                    "INSERT INTO Items (ItemCode, Type, Condition, IsSalesItem, IsStockItem, GLAccountDistribution)"
                    f" VALUES (?, 'S', 'A', 1, 1, '{_ACCOUNT}')",
                    ((code,) for code, _ in codes),
                )
                erp.executemany(
                    "INSERT INTO gbkmut (artcode, aantal, warehouse, datum, reknr, transtype)"
                    f" VALUES (?, ?, '   1', '2025-01-01', '{_ACCOUNT}', 'N')",
                    ((code, float(many)) for code, many in codes),
                )
            erp.execute("CREATE INDEX IX_gbkmut_Items ON gbkmut (artcode, reknr, datum, transtype)")
            erp.commit()


def sweep_cases(catalogue: Catalogue, driver: str, folder: Path) -> Iterator[Case]:
    """The sweep, and what it is compared with."""
    sweeping = Sweeping.prepared(catalogue, driver, folder)
    yield Case(name="raw stock", run=sweeping.raw, has_memory=False)
    yield Case(name="stock sweep", run=sweeping.sweep)


def _program() -> Path:
    return Path(sys.executable).with_name("brekzsync")
