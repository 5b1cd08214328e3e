"""Bad input: every way a state database can be wrong gives a sentence, a hint and the right error."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection

from brekzsync.domain.keys import WantedId
from brekzsync.domain.ledger import Failure
from brekzsync.errors import (
    AccessDenied,
    BrekzsyncError,
    ConfigurationError,
    PermanentError,
    Unavailable,
)
from brekzsync.state.connection import Database
from brekzsync.state.database import State, open_state, upgrade
from tests.integration.state_rows import NOON, RUN, acknowledgement
from tests.services.mariadb import MariaDB

SECRET = "s3cret-pass"


def refusal(of: Callable[[], object]) -> BrekzsyncError:
    """The error it raises, with a sentence and a hint, and no password anywhere, causes included."""
    with pytest.raises(BrekzsyncError) as caught:
        of()
    error = caught.value
    assert error.message.endswith(".")
    assert error.hint.endswith((".", "`)."))
    assert SECRET not in "".join(traceback.format_exception(error))
    return error


def opening(url: str) -> BrekzsyncError:
    """What opening says; `db upgrade` says the same."""
    error, other = refusal(lambda: open_state(url, create=True)), refusal(lambda: upgrade(url))
    assert (type(other), other.code) == (type(error), error.code)
    return error


def said(error: BrekzsyncError) -> tuple[type[BrekzsyncError], str]:
    return type(error), error.code


# --- URLs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "",
        "state.db",
        f"nonsense://user:{SECRET}@host/db",
        f"mysql+nonsense://user:{SECRET}@host/db",
        f"mssql+pyodbc://user:{SECRET}@host/db",
        f"mysql://user:{SECRET}@host:port/db",
        "sqlite:///file:state.db?uri=true",
    ],
)
def test_a_url_that_names_no_state_database(url: str) -> None:
    assert said(opening(url)) == (ConfigurationError, "state_url")


def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    error = opening(f"postgresql+psycopg://user:{SECRET}@127.0.0.1/db")
    assert said(error) == (ConfigurationError, "state_driver_missing")
    assert "psycopg" in error.message


# --- SQLite files ----------------------------------------------------------------------------------------


def test_a_path_that_is_a_directory(tmp_path: Path) -> None:
    error = opening(f"sqlite:///{tmp_path}")
    assert said(error) == (ConfigurationError, "state_is_a_directory")
    assert str(tmp_path) in error.message


def test_a_path_through_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    error = opening(f"sqlite:///{tmp_path / 'file' / 'state.db'}")
    assert said(error) == (ConfigurationError, "state_not_a_directory")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("[shop]\ndatabase = 'sqlite:///shop.db'\n" * 50)
    error = opening(f"sqlite:///{tmp_path / 'state.db'}")
    assert said(error) == (ConfigurationError, "state_not_a_database")


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE ps_product (id_product INTEGER PRIMARY KEY)")
    connection.close()
    before = path.read_bytes()
    error = opening(f"sqlite:///{path}")
    assert said(error) == (ConfigurationError, "state_other_tables")
    assert path.read_bytes() == before


@contextmanager
def nobody() -> Iterator[None]:
    """Be a user without rights: root may write everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder everybody may enter (pytest's own are closed to others)."""
    folder = Path(tempfile.mkdtemp(prefix="brekzsync-state-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_a_directory_that_may_not_be_written(open_folder: Path) -> None:
    open_folder.chmod(0o555)
    with nobody():
        made_in_it = opening(f"sqlite:///{open_folder / 'state.db'}")
        below_it = opening(f"sqlite:///{open_folder / 'deep' / 'state.db'}")
    assert said(made_in_it) == said(below_it) == (AccessDenied, "state_not_writable")


def test_a_file_that_may_not_be_written(open_folder: Path) -> None:
    url = f"sqlite:///{open_folder / 'state.db'}"
    open_state(url, create=True).close()
    (open_folder / "state.db").chmod(0o444)
    open_folder.chmod(0o555)
    with nobody():
        error = refusal(lambda: open_state(url, create=False).runs.open("product", "exact", "", NOON))
    assert said(error) == (AccessDenied, "state_not_writable")


def test_a_file_that_may_not_be_read(open_folder: Path) -> None:
    url = f"sqlite:///{open_folder / 'state.db'}"
    open_state(url, create=True).close()
    (open_folder / "state.db").chmod(0)
    with nobody():
        assert said(opening(url)) == (AccessDenied, "state_not_writable")
    open_folder.chmod(0)
    with nobody():
        assert said(opening(url)) == (AccessDenied, "state_not_writable")


def test_a_lock_file_that_may_not_be_written(open_folder: Path) -> None:
    with open_state(f"sqlite:///{open_folder / 'state.db'}", create=True) as state:
        open_folder.chmod(0o555)

        def hold() -> None:
            with nobody(), state.locks.hold("product", "exact"):
                pass

        assert said(refusal(hold)) == (AccessDenied, "state_not_writable")


@pytest.fixture
def sqlite_state(tmp_path: Path) -> Iterator[State]:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}", create=True) as state:
        state.ledger("product", "exact").acknowledge(
            [acknowledgement((major, 0)) for major in range(5_000)], run_id=RUN, at=NOON
        )
        yield state


def test_a_damaged_file(sqlite_state: State, tmp_path: Path) -> None:
    sqlite_state.close()
    with (tmp_path / "state.db").open("r+b") as file:
        file.seek(16_384 * 10)
        file.write(b"\xff" * 16_384 * 40)
    with open_state(f"sqlite:///{tmp_path / 'state.db'}", create=False) as state:
        error = refusal(lambda: list(state.ledger("product", "exact").rows()))
    assert said(error) == (PermanentError, "state_corrupt")


def test_a_file_another_process_has_locked_for_too_long(sqlite_state: State, tmp_path: Path) -> None:
    with sqlite_state.database.read() as connection:
        connection.exec_driver_sql("PRAGMA busy_timeout = 100")
    other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    error = refusal(lambda: sqlite_state.runs.open("product", "exact", "", NOON))
    assert said(error) == (Unavailable, "state_busy")
    other.execute("ROLLBACK")
    other.close()
    sqlite_state.runs.open("product", "exact", "", NOON)


def test_a_full_disk_undoes_the_batch_and_leaves_the_rest(sqlite_state: State) -> None:
    with sqlite_state.database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    ledger = sqlite_state.ledger("product", "exact")
    batch = [acknowledgement((major, 0)) for major in range(5_000, 7_000)]
    error = refusal(lambda: ledger.acknowledge(batch, run_id=RUN, at=NOON))
    assert said(error) == (PermanentError, "state_disk_full")
    assert ledger.count() == 5_000


def test_a_file_that_may_not_grow_is_a_sentence_too(sqlite_state: State, tmp_path: Path) -> None:
    size = max(path.stat().st_size for path in tmp_path.iterdir())
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        batch = [acknowledgement((major, 0)) for major in range(5_000, 15_000)]
        error = refusal(
            lambda: sqlite_state.ledger("product", "exact").acknowledge(batch, run_id=RUN, at=NOON)
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert type(error) is PermanentError
    assert error.code in {"state_disk_full", "state_io"}


# --- MariaDB ---------------------------------------------------------------------------------------------


@pytest.fixture(params=["pymysql", "mysqldb"])
def driver(request: pytest.FixtureRequest) -> str:
    if request.param == "mysqldb":
        pytest.importorskip("MySQLdb")
    return str(request.param)


@pytest.fixture
def server(mariadb: MariaDB) -> MariaDB:
    mariadb.create_database("brekzsync")
    return mariadb


def test_a_wrong_password(server: MariaDB, driver: str) -> None:
    error = opening(server.url("brekzsync", driver, "somebody", SECRET))
    assert said(error) == (AccessDenied, "state_access_denied")


def test_a_user_without_rights_on_the_database(server: MariaDB, driver: str) -> None:
    server.execute("", f"CREATE OR REPLACE USER reader@'%' IDENTIFIED BY '{SECRET}'")
    without_any = opening(server.url("brekzsync", driver, "reader", SECRET))
    server.execute("", "GRANT SELECT ON brekzsync.* TO reader@'%'")
    reading_only = opening(server.url("brekzsync", driver, "reader", SECRET))
    assert said(without_any) == said(reading_only) == (AccessDenied, "state_access_denied")


def test_a_database_that_does_not_exist(server: MariaDB, driver: str) -> None:
    error = opening(server.url("no_such_database", driver))
    assert said(error) == (ConfigurationError, "state_missing")
    assert "no_such_database" in error.message


def test_a_url_without_a_database(server: MariaDB, driver: str) -> None:
    assert said(opening(server.url("", driver))) == (ConfigurationError, "state_missing")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-such-host.invalid:3306"])
def test_a_server_that_does_not_answer_is_tried_again_then_unavailable(driver: str, address: str) -> None:
    error = refusal(lambda: open_state(f"mysql+{driver}://user:{SECRET}@{address}/db", create=True))
    assert isinstance(error, Unavailable)
    assert (error.code, error.exit_code) == ("state_unavailable", 69)


def test_a_server_that_comes_back_in_time_is_no_trouble(
    server: MariaDB, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = server.url("brekzsync", driver)
    upgrade(url)
    server.stop()
    connects = Database._connect_once
    tries: list[int] = []

    def starting_meanwhile(database: Database) -> object:
        tries.append(1)
        if len(tries) == 2:
            server.start()
        return connects(database)

    monkeypatch.setattr(Database, "_connect_once", starting_meanwhile)
    open_state(url, create=False).close()
    assert len(tries) >= 2


def test_a_server_that_goes_away_in_the_middle(server: MariaDB, driver: str) -> None:
    with open_state(server.url("brekzsync", driver), create=True) as state:
        ledger = state.ledger("product", "exact")
        ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)

        def work(connection: Connection) -> None:
            server.kill()
            connection.exec_driver_sql("SELECT 1")

        error = refusal(lambda: state.database.write(work, durable=True))
        assert isinstance(error, Unavailable)
        assert isinstance(refusal(lambda: list(ledger.rows())), Unavailable)
        server.start()
        assert ledger.count() == 1


def test_a_server_database_with_tables_of_our_names(server: MariaDB) -> None:
    server.execute("brekzsync", "CREATE TABLE run (name INT)")
    error = opening(server.url("brekzsync"))
    assert said(error) == (ConfigurationError, "state_other_tables")
    assert server.execute("brekzsync", "SELECT * FROM run") == []


def test_text_a_column_cannot_hold_is_an_error_not_a_silent_cut(server: MariaDB, driver: str) -> None:
    with open_state(server.url("brekzsync", driver), create=True) as state:
        too_long = acknowledgement(code="x" * 300)
        error = refusal(lambda: state.ledger("product", "exact").acknowledge([too_long], run_id=RUN, at=NOON))
        assert said(error) == (PermanentError, "state_failed")
        assert state.ledger("product", "exact").count() == 0


# --- durability ------------------------------------------------------------------------------------------


def test_only_what_nobody_would_repeat_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[bool] = []
    write_once = Database._write_once

    def noting(database: Database, work: Callable[[Connection], object], durable: bool) -> object:
        def noted(connection: Connection) -> object:
            waits.append(connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2)
            return work(connection)

        return write_once(database, noted, durable)

    with open_state(f"sqlite:///{tmp_path / 'state.db'}", create=True) as state:
        ledger = state.ledger("product", "exact")
        ledger.request_force([(9, 9)], at=NOON)
        monkeypatch.setattr(Database, "_write_once", noting)
        run = state.runs.open("product", "exact", "", NOON)
        ledger.acknowledge([acknowledgement()], run_id=run.id, at=NOON)
        ledger.request_force([(1, 10)], at=NOON)
        ledger.record_failures([Failure(1, 10, "missing_price", "0")], run_id=run.id, at=NOON)
        state.exclusions.add(1, at=NOON)
        state.exclusions.end([WantedId(1, None)])
        state.runs.heartbeat(run, NOON)
        state.runs.finish(run, "done", at=NOON)
    assert waits == [True, False, True, False, True, True, False, True]
