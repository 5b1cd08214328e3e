"""The measures of ``products diagnose``: one combination, and what an ERP with 99 of 100 items lacks."""

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

from sqlalchemy import make_url

from benchmarks.catalogue import Catalogue
from benchmarks.measure import Measured, run
from benchmarks.product_export import Case, plain_environment

MISSING_OF = 100
_ROWS_AT_ONCE = 2000
_BLOCKERS_FOUND = 4  # PrestaShop's own products repeat their references

CONFIGURATION = """\
[shop]
database = "{url}"
data_shop = 1

[erp]
database = "sqlite:///erp.db"

[products]
item_code = "reference"

[exact_xml.vat_codes]
21 = "2"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """An installation that exported everything, beside an ERP that lost every hundredth item."""

    catalogue: Catalogue
    driver: str
    folder: Path

    @classmethod
    def prepared(cls, catalogue: Catalogue, driver: str, parent: Path) -> Diagnosis:
        folder = parent / "diagnosis"
        folder.mkdir()
        text = CONFIGURATION.format(url=catalogue.url(driver))
        (folder / "brekzsync.toml").write_text(text, encoding="utf-8")
        made = cls(catalogue=catalogue, driver=driver, folder=folder)
        made._brekzsync("export", "--bulk", accepted=(0, 3))
        made._fill_erp()
        run([_program(), "demo", "up", "--dir", folder / "demo"], folder=folder, environ=plain_environment())
        return made

    def start(self, watch: bool = False) -> Measured:
        """The same question to the demo's few products: what starting the program takes."""
        command: list[str | Path] = [_program(), "--config", "demo/brekzsync.toml"]
        command += ["products", "diagnose", "1-101"]
        return run(command, folder=self.folder, environ=plain_environment(), watch=watch)

    def one(self, watch: bool = False) -> Measured:
        """A combination that is pending and shares its item code: everybody else's has to be looked at."""
        return self._brekzsync("diagnose", "1-1", accepted=(_BLOCKERS_FOUND,), watch=watch)

    def missing(self, watch: bool = False) -> Measured:
        """Every eligible combination the ERP lacks, as JSON."""
        return self._brekzsync("diagnose", "--missing", "--json", accepted=(0, _BLOCKERS_FOUND), watch=watch)

    def raw_reads(self, _watch: bool = False) -> Measured:
        """The reference query and the ERP's items through the same drivers, and nothing done with them."""
        query = self.catalogue.reference_query.read_text(encoding="utf-8").strip().rstrip(";")
        started = time.perf_counter()
        with closing(self._connected()) as shop, closing(shop.cursor()) as cursor:
            cursor.execute(query)
            while cursor.fetchmany(_ROWS_AT_ONCE):
                pass
        with closing(sqlite3.connect(self.folder / "erp.db")) as erp:
            rows = erp.execute("SELECT ItemCode, Description, SalesPackagePrice, Condition FROM Items")
            while rows.fetchmany(_ROWS_AT_ONCE):
                pass
        return Measured(seconds=time.perf_counter() - started)

    def _connected(self) -> Any:
        module = "MySQLdb" if self.driver == "mysqldb" else "pymysql"
        url = make_url(self.catalogue.url(self.driver))
        return import_module(module).connect(
            host=url.host,
            port=url.port,
            user=url.username,
            database=url.database,
            charset="utf8mb4",
            cursorclass=import_module(f"{module}.cursors").SSCursor,
        )

    def _brekzsync(self, *words: str, accepted: tuple[int, ...], watch: bool = False) -> Measured:
        command: list[str | Path] = [_program(), "--config", "brekzsync.toml", "products", *words]
        return run(command, folder=self.folder, environ=plain_environment(), watch=watch, accepted=accepted)

    def _fill_erp(self) -> None:
        """What the ledger says the ERP got, but for every hundredth item."""
        with (
            closing(sqlite3.connect(self.folder / "brekzsync-state.db")) as state,
            closing(sqlite3.connect(self.folder / "erp.db")) as erp,
        ):
            erp.execute(
                "CREATE TABLE Items (ItemCode VARCHAR(30) PRIMARY KEY, GLAccountDistribution CHAR(9), IsSalesItem BIT,"
                " Type CHAR(1), Condition CHAR(1), sysmodified DATETIME, timestamp INTEGER,"
                " Description VARCHAR(60), SalesPackagePrice FLOAT)"
            )
            codes = state.execute(
                "SELECT code FROM ledger WHERE code IS NOT NULL ORDER BY key_major, key_minor"
            )
            erp.executemany(
                "INSERT INTO Items VALUES (?, '     3000', 1, 'S', 'A', NULL, ?, 'Item', 1.0)",
                ((code, number) for number, (code,) in enumerate(codes) if number % MISSING_OF),
            )
            erp.commit()


def diagnosis_cases(catalogue: Catalogue, driver: str, folder: Path) -> Iterator[Case]:
    """One combination, everything missing, and what they are compared with."""
    diagnosis = Diagnosis.prepared(catalogue, driver, folder)
    yield Case(name="diagnose start", run=diagnosis.start, has_memory=False)
    yield Case(name="diagnose one", run=diagnosis.one, has_memory=False)
    yield Case(name="raw reads", run=diagnosis.raw_reads, has_memory=False)
    yield Case(name="diagnose missing", run=diagnosis.missing)


def help_case(folder: Path) -> Case:
    """What every command has to wait for."""

    def help_text(_watch: bool) -> Measured:
        return run([_program(), "--help"], folder=folder, environ=plain_environment())

    return Case(name="help", run=help_text, has_memory=False)


def _program() -> Path:
    return Path(sys.executable).with_name("brekzsync")
