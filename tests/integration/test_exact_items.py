"""The ERP on SQLite, as the demo's is, and the sentences for an ERP that cannot be read."""

from __future__ import annotations

import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Unavailable
from brekzsync.exact.connection import connect_erp, erp_errors, named
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.tables import globe_tables
from tests import odbc


@pytest.fixture
def erp(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """An administration's file, open for the test to fill."""
    with closing(sqlite3.connect(tmp_path / "erp.db")) as connection:
        connection.execute("CREATE TABLE Items (ItemCode TEXT, Condition TEXT)")
        connection.commit()
        yield connection


def fill(erp: sqlite3.Connection, codes: list[str | None]) -> None:
    erp.executemany("INSERT INTO Items (ItemCode) VALUES (?)", [(code,) for code in codes])
    erp.commit()


def url(tmp_path: Path, name: str = "erp.db") -> str:
    return f"sqlite:///{tmp_path / name}"


def test_codes_come_trimmed_and_in_upper_case(erp: sqlite3.Connection, tmp_path: Path) -> None:
    fill(erp, ["demo-1   ", " Ärmel-2", "DEMO-3", "", "   ", None])

    codes = ItemRepository(connect_erp(url(tmp_path))).held_codes()

    assert sorted(codes) == ["DEMO-1", "DEMO-3", "ÄRMEL-2"]


def test_more_codes_than_a_page_all_come(erp: sqlite3.Connection, tmp_path: Path) -> None:
    fill(erp, [f"C{number}" for number in range(4_500)])

    codes = list(ItemRepository(connect_erp(url(tmp_path))).held_codes())

    assert sorted(codes) == sorted(f"C{number}" for number in range(4_500))


def test_what_an_import_that_was_killed_left_half_done_is_undone(
    erp: sqlite3.Connection, tmp_path: Path
) -> None:
    fill(erp, ["A", "B"])
    killed = (
        "import os, sqlite3\n"
        "erp = sqlite3.connect('erp.db')\n"
        "erp.execute('PRAGMA synchronous = OFF')\n"
        "erp.execute('DELETE FROM Items')\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", killed], cwd=tmp_path, check=False)
    assert (tmp_path / "erp.db-journal").stat().st_size > 0

    assert sorted(ItemRepository(connect_erp(url(tmp_path))).held_codes()) == ["A", "B"]


def test_an_erp_without_items_holds_no_codes(erp: sqlite3.Connection, tmp_path: Path) -> None:
    assert list(ItemRepository(connect_erp(url(tmp_path))).held_codes()) == []


def test_the_erp_is_never_written(erp: sqlite3.Connection, tmp_path: Path) -> None:
    engine = connect_erp(url(tmp_path))

    with (
        pytest.raises(ConfigurationError, match="readonly"),
        erp_errors(engine.url),
        engine.connect() as writing,
    ):
        writing.exec_driver_sql("DELETE FROM Items")


def test_a_path_with_signs_of_an_address_is_opened_as_written(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "erp #1 50%?.db")) as connection:
        connection.execute("CREATE TABLE Items (ItemCode TEXT)")
        connection.execute("INSERT INTO Items VALUES ('A')")
        connection.commit()

    engine = connect_erp(str(make_url("sqlite://").set(database=str(tmp_path / "erp #1 50%?.db"))))

    assert list(ItemRepository(engine).held_codes()) == ["A"]


def test_a_file_that_does_not_exist_is_a_configuration_error_and_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        connect_erp(url(tmp_path, "none.db"))

    assert (
        raised.value.message
        == f"The ERP {tmp_path / 'none.db'} cannot be opened: unable to open database file."
    )
    assert raised.value.hint == "Correct database under [erp]."
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "erp.db").write_text("something else, and long enough to look at" * 100)

    with pytest.raises(ConfigurationError, match="file is not a database"):
        list(ItemRepository(connect_erp(url(tmp_path))).held_codes())


@pytest.mark.parametrize("table", ["Other (ItemCode TEXT)", "Items (Code TEXT)"])
def test_a_database_that_is_no_administration_is_a_configuration_error(tmp_path: Path, table: str) -> None:
    with closing(sqlite3.connect(tmp_path / "erp.db")) as connection:
        connection.execute(f"CREATE TABLE {table}")

    with pytest.raises(ConfigurationError) as raised:
        list(ItemRepository(connect_erp(url(tmp_path))).held_codes())

    assert raised.value.code == "not_an_administration"
    assert "has no table Items with an ItemCode" in raised.value.message


@pytest.mark.parametrize("wrong", ["", "not a url", "oracle+nothing://h/d", "sqlite://", "sqlite:///"])
def test_a_url_nobody_understands_is_a_configuration_error(wrong: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        connect_erp(wrong)

    assert "[erp]" in raised.value.hint


# --- SQL Server --------------------------------------------------------------------------------------------


def test_sql_server_has_its_items_in_dbo_and_sqlite_has_no_schema() -> None:
    assert globe_tables("mssql").items.fullname == "dbo.Items"
    assert globe_tables("sqlite").items.fullname == "Items"


@pytest.mark.parametrize(
    ("state", "kind", "part"),
    [
        ("28000", AccessDenied, "The ERP 100 on erp.example refused the login."),
        ("42000", AccessDenied, "The ERP 100 on erp.example refused a read."),
        ("42S02", ConfigurationError, "has no table Items"),
        (
            "IM002",
            ConfigurationError,
            "named in the URL of the ERP 100 on erp.example is not installed",
        ),
        ("08001", Unavailable, "The ERP 100 on erp.example does not answer (SQLSTATE 08001)."),
        ("HYT00", Unavailable, "does not answer (SQLSTATE HYT00)"),
    ],
)
def test_what_odbc_reports_becomes_a_sentence_without_the_password(
    state: str, kind: type[BrekzsyncError], part: str
) -> None:
    address = make_url("mssql+pyodbc://reader:s3cret@erp.example/100?driver=FreeTDS")
    cause = Exception(state, f"[{state}] [FreeTDS] something about s3cret")  # the shape of a pyodbc.Error

    with pytest.raises(kind) as raised, erp_errors(address):
        raise DBAPIError("SELECT 1", {}, cause)

    assert part in raised.value.message
    assert "s3cret" not in raised.value.message + raised.value.hint
    assert raised.value.hint


def test_an_odbc_connection_string_is_never_shown() -> None:
    address = make_url("mssql+pyodbc:///?odbc_connect=DRIVER%3DFreeTDS%3BPWD%3Ds3cret")

    assert named(address) == "the ERP of the configured ODBC connection string"


# Stands in for what a machine lacks: an import that fails the way the loader makes it fail.
LACKING = """
import sys
from importlib.abc import MetaPathFinder
class Lacking(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "pyodbc":
            raise {error}
sys.meta_path.insert(0, Lacking())
from brekzsync.errors import BrekzsyncError
from brekzsync.exact.connection import connect_erp
try:
    connect_erp("mssql+pyodbc://reader:s3cret@erp.example/100?driver=FreeTDS")
except BrekzsyncError as error:
    print(error.exit_code, error.code, error.message, error.hint, sep="\\n")
"""


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            "ImportError('libodbc.so.2: cannot open shared object file')",
            [
                "78",
                "odbc_missing",
                "pyodbc cannot be loaded: libodbc.so.2: cannot open shared object file.",
                "Install the system's ODBC library and a SQL Server driver; on Debian: "
                "apt install unixodbc tdsodbc.",
            ],
        ),
        (
            "ModuleNotFoundError('No module named pyodbc', name='pyodbc')",
            [
                "78",
                "driver_missing",
                "The ERP's database URL asks for the Python module pyodbc, which is not installed.",
                "Install it (pip install pyodbc), or correct database under [erp].",
            ],
        ),
    ],
)
def test_a_machine_without_odbc_is_told_what_to_install(error: str, said: list[str]) -> None:
    program = LACKING.format(error=error)

    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert ended.stdout.splitlines() == said


def test_pyodbc_is_not_loaded_for_a_sqlite_erp(erp: sqlite3.Connection, tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from brekzsync.exact.connection import connect_erp\n"
        f"connect_erp({url(tmp_path)!r})\n"
        "print('pyodbc' in sys.modules)"
    )

    ended = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert ended.stdout == "False\n"


def test_a_url_without_a_driver_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError) as raised:
        connect_erp("mssql+pyodbc://reader:s3cret@erp.example/100")

    assert raised.value.message == "The URL of the ERP 100 on erp.example names no ODBC driver."
    assert raised.value.code == "driver_missing"


def test_free_tds_is_given_the_port_as_it_understands_it(monkeypatch: pytest.MonkeyPatch) -> None:
    server = odbc.install(monkeypatch)

    connect_erp("mssql+pyodbc://reader:s3cret@erp.example:1433/100?driver=FreeTDS")
    connect_erp("mssql+pyodbc://reader:s3cret@erp.example:1433/100?driver=ODBC+Driver+18+for+SQL+Server")

    assert [connection.string for connection in server.connections] == [
        "DRIVER={FreeTDS};Server=erp.example;Database=100;UID=reader;PWD=s3cret;port=1433",
        "DRIVER={ODBC Driver 18 for SQL Server};Server=erp.example,1433;Database=100;UID=reader;PWD=s3cret",
    ]


# --- the real driver, without a server ---------------------------------------------------------------------


@pytest.fixture
def free_tds() -> str:
    """The beginning of a URL that FreeTDS is to open."""
    try:
        import pyodbc
    except ImportError as error:
        pytest.skip(f"no ODBC: {error}")
    if "FreeTDS" not in pyodbc.drivers():
        pytest.skip("no FreeTDS on this machine (apt install tdsodbc)")
    return "mssql+pyodbc://reader:s3cret@127.0.0.1:{port}/100?driver=FreeTDS&TDS_Version=7.4"


def test_a_server_that_refuses_connections_is_unavailable_after_some_attempts(free_tds: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = free_tds.format(port=unused.getsockname()[1])

        with pytest.raises(Unavailable) as raised:
            connect_erp(url, timeout=2)

    assert re.fullmatch(
        r"The ERP 100 on 127\.0\.0\.1 does not answer \(SQLSTATE 08\w+\)\.", raised.value.message
    )
    assert "s3cret" not in raised.value.message + raised.value.hint


def test_a_server_that_never_answers_is_given_up_in_time(free_tds: str) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()

        with pytest.raises(Unavailable):
            connect_erp(free_tds.format(port=silent.getsockname()[1]), timeout=1, attempts=1)

    assert time.monotonic() - started < 5


def test_a_driver_the_machine_lacks_is_named_as_missing(free_tds: str) -> None:
    url = free_tds.format(port=1).replace("driver=FreeTDS", "driver=Nobody+Made+This")

    with pytest.raises(ConfigurationError) as raised:
        connect_erp(url)

    assert raised.value.code == "driver_missing"
