"""What ``doctor`` finds of an ERP: a SQLite administration, and what SQL Server would be asked."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType

import pytest
import sqlglot
from sqlalchemy import create_engine
from sqlalchemy.dialects import mssql
from sqlglot import expressions

from brekzsync.domain.findings import passed, skipped
from brekzsync.errors import AccessDenied, ConfigurationError, Unavailable
from brekzsync.exact.health import ErpHealth, write_permissions
from brekzsync.exact.tables import globe_tables
from tests import odbc

FREETDS = "mssql+pyodbc://reader:erp-secret@127.0.0.1/500?driver=FreeTDS&port=1&TDS_Version=7.4"


def administration(tmp_path: Path, *changes: str) -> str:
    """The URL of a file with every table, changed as told."""
    url = f"sqlite:///{tmp_path}/erp.db"
    engine = create_engine(url)
    globe_tables("sqlite").metadata.create_all(engine)
    engine.dispose()
    with closing(sqlite3.connect(tmp_path / "erp.db")) as erp:
        for change in changes:
            erp.execute(change)
        erp.commit()
    return url


def connected(url: str) -> ErpHealth:
    health = ErpHealth(url)
    health.connection()
    return health


def machine_with(monkeypatch: pytest.MonkeyPatch, *drivers: str) -> None:
    """A machine on which these ODBC drivers are installed."""
    module = ModuleType("pyodbc")
    vars(module)["drivers"] = lambda: list(drivers)
    monkeypatch.setitem(sys.modules, "pyodbc", module)


def test_an_administration_on_sqlite_passes_every_check(tmp_path: Path) -> None:
    findings = {check.name: check.look() for check in ErpHealth(administration(tmp_path)).checks()}

    connection = findings.pop("connection")
    assert connection.detail.startswith(f"The ERP {tmp_path}/erp.db answered in ")
    assert findings == {
        "driver": passed("SQLite, which Python brings along."),
        "tables": passed("All 6 tables can be read."),
        "may not write": skipped("A SQLite file has no logins; it is opened for reading only."),
    }


def test_columns_that_some_releases_lack_are_named_and_no_failure(tmp_path: Path) -> None:
    url = administration(
        tmp_path, "ALTER TABLE Items DROP COLUMN GTIN", "ALTER TABLE Items DROP COLUMN Description"
    )

    assert connected(url).tables() == passed(
        "All 6 tables can be read; Items lacks Description, GTIN, taken as unknown."
    )


def test_a_column_of_tracking_numbers_that_is_not_there_is_named(tmp_path: Path) -> None:
    url = administration(tmp_path, "ALTER TABLE orkrg DROP COLUMN freefield2")
    there, missing = (ErpHealth(url, tracking=f"orkrg.freefield{number}") for number in (1, 2))
    there.connection()
    missing.connection()

    assert there.tables() == passed("All 6 tables can be read.")
    with pytest.raises(ConfigurationError, match="has no column freefield2 in orkrg, which is to hold"):
        missing.tables()


def test_rowversions_which_nothing_reads_may_be_missing(tmp_path: Path) -> None:
    url = administration(
        tmp_path,
        'ALTER TABLE Items DROP COLUMN "timestamp"',
        "DROP TABLE gbkmut",
        "CREATE TABLE gbkmut (artcode, aantal, warehouse, datum, reknr, transtype)",
    )

    assert connected(url).tables() == passed("All 6 tables can be read.")


@pytest.mark.parametrize(
    ("change", "missing"),
    [
        ("DROP TABLE orhsrg", "table orhsrg"),
        ("ALTER TABLE gbkmut DROP COLUMN aantal", "column aantal in gbkmut"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, change: str, missing: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        connected(administration(tmp_path, change)).tables()

    assert raised.value.code == "not_an_administration"
    assert raised.value.message == (
        f"The ERP {tmp_path}/erp.db has no {missing}: it is not an administration of Exact Globe, or of a"
        " release that is not known."
    )


def test_a_driver_that_is_installed_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch, "FreeTDS", "Other")
    path = FREETDS.replace("driver=FreeTDS", "driver=/usr/lib/libtdsodbc.so")

    assert ErpHealth(FREETDS).driver() == passed("FreeTDS is installed.")
    assert ErpHealth(path).driver() == passed("/usr/lib/libtdsodbc.so is installed.")
    assert ErpHealth("mssql+pyodbc://reader:pw@globe").driver() == passed(
        "Installed ODBC drivers: FreeTDS, Other."
    )


def test_a_driver_that_is_not_installed_is_told_with_those_that_are(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch, "Other")

    with pytest.raises(ConfigurationError) as raised:
        ErpHealth(FREETDS).driver()

    assert raised.value.code == "driver_missing"
    assert raised.value.message == 'The ODBC driver "FreeTDS" is not installed; there are: Other.'


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModuleNotFoundError("No module named 'pyodbc'"), "driver_missing"),
        (ImportError("libodbc.so.2: cannot open shared object file"), "odbc_missing"),
    ],
)
def test_pyodbc_that_cannot_be_loaded_is_told(
    monkeypatch: pytest.MonkeyPatch, error: ImportError, code: str
) -> None:
    class Finder:
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            if name == "pyodbc":
                raise error

    monkeypatch.delitem(sys.modules, "pyodbc", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])

    with pytest.raises(ConfigurationError) as raised:
        ErpHealth(FREETDS).driver()

    assert raised.value.code == code


def test_a_server_that_is_away_is_unavailable_and_the_password_is_not_told() -> None:
    pyodbc = pytest.importorskip("pyodbc")
    if "FreeTDS" not in pyodbc.drivers():
        pytest.skip("the ODBC driver FreeTDS is not installed")

    with pytest.raises(Unavailable) as raised:
        ErpHealth(FREETDS).connection()

    assert "erp-secret" not in raised.value.message + raised.value.hint


# --- rights ------------------------------------------------------------------------------------------------


def test_rights_are_asked_in_the_servers_own_words() -> None:
    asked = str(write_permissions().compile(dialect=mssql.dialect(paramstyle="named")))

    assert " ".join(asked.split()) == (
        "SELECT HAS_PERMS_BY_NAME(:name, 'OBJECT', 'INSERT') AS [HAS_PERMS_BY_NAME_1],"
        " HAS_PERMS_BY_NAME(:name, 'OBJECT', 'UPDATE') AS [HAS_PERMS_BY_NAME_2],"
        " HAS_PERMS_BY_NAME(:name, 'OBJECT', 'DELETE') AS [HAS_PERMS_BY_NAME_3]"
    )
    assert isinstance(sqlglot.parse_one(asked.replace(":name", "@name"), read="tsql"), expressions.Select)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[ErpHealth, odbc.Server]]:
    """A SQL Server that we are connected to."""
    server = odbc.install(monkeypatch)
    health = ErpHealth(FREETDS)
    server.answer = lambda text: [("Microsoft SQL Server 2019 (RTM) - 15.0.2000.5\n\tSep 24 2019",)]
    assert health.connection().detail.endswith("ms (Microsoft SQL Server 2019 (RTM) - 15.0.2000.5).")
    server.sent.clear()
    yield health, server
    health.dispose()


def test_a_login_that_may_write_is_told_with_what_and_where(server: tuple[ErpHealth, odbc.Server]) -> None:
    health, answering = server
    answers = [(1, 0, 1), *[(0, 0, 0)] * 2, (0, 1, None), *[(0, 0, 0)] * 2]
    answering.answer = lambda text: [answers[len(answering.sent) - 1]]

    finding = health.write_rights()

    assert (finding.verdict, finding.detail) == (
        "warning",
        "The ERP's login may also write: INSERT, DELETE on dbo.Items; UPDATE on dbo.orsrg.",
    )
    tables = ("Items", "gbkmut", "orkrg", "orsrg", "orhkrg", "orhsrg")
    assert [sent.parameters for sent in answering.sent] == [[f"dbo.{name}"] * 3 for name in tables]


def test_a_login_that_may_only_read_passes(server: tuple[ErpHealth, odbc.Server]) -> None:
    health, answering = server
    answering.answer = lambda text: [(0, 0, 0)]

    assert health.write_rights() == passed("The login can write none of the tables.")


def test_tables_are_read_without_reading_a_row(server: tuple[ErpHealth, odbc.Server]) -> None:
    health, answering = server
    columns = [(column.name,) for column in globe_tables("mssql").items.c]
    answering.answer = lambda text: columns if "INFORMATION_SCHEMA" in text else []

    assert health.tables() == passed("All 6 tables can be read.")

    reads = [text for text in answering.texts() if "INFORMATION_SCHEMA" not in text]
    assert len(reads) == 6
    for text in reads:
        assert text.endswith("WHERE 0 = 1")
        assert isinstance(sqlglot.parse_one(text, read="tsql"), expressions.Select)


def test_a_table_the_login_may_not_read_is_named_with_the_grant(
    server: tuple[ErpHealth, odbc.Server],
) -> None:
    health, answering = server

    def answer(text: str) -> list[tuple[object, ...]]:
        if "gbkmut" in text:
            raise sys.modules["pyodbc"].Error("42000", "[42000] The SELECT permission was denied")
        return []

    answering.answer = answer

    with pytest.raises(AccessDenied) as raised:
        health.tables()

    assert (raised.value.message, raised.value.hint) == (
        "The ERP 500 on 127.0.0.1 does not let us read dbo.gbkmut.",
        "As an administrator of the server: GRANT SELECT ON dbo.gbkmut TO that login.",
    )
