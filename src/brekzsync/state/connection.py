"""The connection to the state database: transactions, durability, retries, and no driver's exception.

How SQLite is set up, and why:

- WAL: a reader (the web service, a second command) never waits for an export, nor the export for it.
- 16 KiB pages: a ledger row is some 300 bytes and a run writes rows in key order, so bigger pages mean fewer
  of them through the WAL (a fifth faster than 4 KiB at 100,000 rows, at the same size a row).
- 4 MiB of page cache a connection, and one connection at work at a time: the whole process may take 96 MiB,
  and the kernel caches the file too.
- ``synchronous`` per transaction, see ``Database.write``.
"""

from __future__ import annotations

import random
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import sleep
from typing import Any, Final, NamedTuple, TypeVar

from sqlalchemy import Connection, Dialect, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from brekzsync.errors import ConfigurationError
from brekzsync.state.translation import NothingDone, describe, translate

Result = TypeVar("Result")

BUSY_SECONDS: Final = 30
_CONNECT_SECONDS: Final = 5
_ANSWER_SECONDS: Final = 120  # PyMySQL waits for ever unless told
_WRITES: Final = "brekzsync_writes"
_DURABLE: Final = "brekzsync_durable"


def parse_url(text: str) -> URL:
    """The URL of ``[state] database``; an error does not repeat it, it may hold a password."""
    hint = "Write it as sqlite:///state.db or mysql://user:password@host/database."
    try:
        url = make_url(text)
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise ConfigurationError(
            "`[state] database` is not a database URL brekzsync knows.", hint=hint, code="state_url"
        ) from error
    if url.get_backend_name() not in {"sqlite", "mysql", "mariadb", "postgresql"}:
        raise ConfigurationError(
            f"`[state] database` cannot be kept in {url.get_backend_name()}.", hint=hint, code="state_url"
        )
    if url.get_backend_name() == "sqlite" and (url.database or "").startswith("file:"):
        raise ConfigurationError(
            "`[state] database` gives an SQLite URI, which is not supported.", hint=hint, code="state_url"
        )
    return url


def in_memory(url: URL) -> bool:
    """Whether the database vanishes with the process."""
    return url.get_backend_name() == "sqlite" and url.database in {None, "", ":memory:"}


class Cursor(NamedTuple):
    """The driver's own cursor within a transaction; SQLAlchemy over it costs more than a small statement does."""

    driver: Any
    dialect: Dialect


class Database:
    """One state database. Safe to share between threads; every connection is a pooled one.

    ``read_only`` (dry runs) lets the database itself refuse every write.
    """

    def __init__(self, url: URL, *, read_only: bool = False) -> None:
        self.url = url
        self.name = describe(url)
        self.backend = "mariadb" if url.get_backend_name() == "mysql" else url.get_backend_name()
        self.read_only = read_only
        try:
            self.engine = _engine(url)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                f"The driver {error.name} for `[state] database` is not installed.",
                hint=f"Run `pip install {_PACKAGES.get(error.name or '', error.name)}`.",
                code="state_driver_missing",
            ) from error
        self.driver_error: type[Exception] = self.engine.dialect.loaded_dbapi.Error
        _prepare_connections(self.engine, self.backend, self)
        self._kept: deque[Connection] = deque()  # for ``ask`` and ``tell``; the last one used is the next
        self._keeps = self.backend == "sqlite" and not (read_only or in_memory(url))
        self._writes = Lock()

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One short reading transaction; keep it short, a long one holds back SQLite's checkpoints."""
        with self.connect() as connection, self.translated():
            yield connection

    def write(self, work: Callable[[Connection], Result], *, durable: bool) -> Result:
        """Run ``work`` in one transaction and commit it; any exception undoes all of it.

        ``work`` runs again from the start when the database could not be reached or undid the transaction
        itself (a deadlock), so it must not keep anything outside of it.

        ``durable=False`` lets SQLite commit without waiting for the disk. A power cut may then take back the
        last such commits, in order and whole, never in part. That is right for an acknowledgement, a failure
        or a served version: the next run compares again and delivers again. It is wrong for what nobody would
        repeat by themselves: a force, an exclusion, a claim, the record of a run. Those are written with
        ``durable=True``, which also makes all commits before them durable. A killed process loses neither.
        """
        return _patiently(lambda: self._write_once(work, durable))

    def ask(self, work: Callable[[Cursor], Result]) -> Result:
        """``read`` by the driver's cursor, for what is asked a thousand times a second; SQLite's stays open."""
        if self._keeps:
            return self._at_once("BEGIN", work)
        with self.read() as connection, connection.begin():
            return work(_cursor(connection))

    def tell(self, work: Callable[[Cursor], Result]) -> Result:
        """``write`` in the same way, with ``durable=False``."""
        if self._keeps:
            with self._turn():
                return self._at_once("BEGIN IMMEDIATE", work)
        return self.write(lambda connection: work(_cursor(connection)), durable=False)

    def _at_once(self, begin: str, work: Callable[[Cursor], Result]) -> Result:
        try:
            connection = self._kept.pop()
        except IndexError:
            connection = self._connection_to_keep()
        cursor = _cursor(connection)
        try:
            with self.translated():
                cursor.driver.execute(begin)
                result = work(cursor)
                cursor.driver.execute("COMMIT")
                cursor.driver.close()
        except BaseException:
            connection.close()  # undoes what was done
            raise
        self._kept.append(connection)
        return result

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Threads of one process take turns to write: SQLite lets who finds its lock taken sleep, for whole
        milliseconds. Who waits for long goes on to wait there, and is told of it in the end."""
        taken = self._keeps and self._writes.acquire(timeout=BUSY_SECONDS)
        try:
            yield
        finally:
            if taken:
                self._writes.release()

    def _connection_to_keep(self) -> Connection:
        connection = self._connect_once()
        connection.detach()
        with self.translated():
            # A thousand commits a second write the same few pages again and again: later, they are copied once.
            for pragma in ("synchronous = NORMAL", "wal_autocheckpoint = 4000"):
                _cursor(connection).driver.execute(f"PRAGMA {pragma}")
        return connection

    def prepare_file(self) -> None:
        """Give a new SQLite file its page size and WAL, which both outlive this connection.

        Only for a file without tables, or one of ours (a backup restored as text has lost the WAL).
        """
        with self._connect_once() as connection, self.translated():
            cursor = connection.connection.cursor()
            cursor.execute("PRAGMA page_size = 16384")
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.close()

    def close(self) -> None:
        """Close every connection; SQLite then folds its WAL into the file."""
        with self.translated():
            while self._kept:
                self._kept.pop().close()
            self.engine.dispose()

    @contextmanager
    def translated(self, *, connecting: bool = False) -> Iterator[None]:
        """Let no driver's exception pass; for use around work on a connection of one's own."""
        try:
            yield
        except (SQLAlchemyError, self.driver_error) as error:
            raise translate(error, self.url, connecting=connecting) from error

    def connect(self) -> Connection:
        """A connection that the caller closes; trying again for a while when the server does not answer."""
        if self.backend == "sqlite":  # there is no server to wait for
            return self._connect_once()
        return _patiently(self._connect_once)

    def _connect_once(self) -> Connection:
        try:
            with self.translated(connecting=True):
                return self.engine.connect()
        except RuntimeError as error:  # PyMySQL, when a login needs the package "cryptography"
            raise ConfigurationError(
                f"{self.name} cannot be logged in to: {error}.",
                hint="Install what it names, or use mysql+mysqldb.",
                code="state_login",
            ) from error

    @contextmanager
    def writing(self, *, durable: bool) -> Iterator[Connection]:
        """A connection whose transactions write, for who begins them by themselves; see ``write``."""
        with self._connect_once() as plain, self.translated():
            yield plain.execution_options(**{_WRITES: True, _DURABLE: durable})

    def _write_once(self, work: Callable[[Connection], Result], durable: bool) -> Result:
        with self._turn(), self.writing(durable=durable) as connection, connection.begin():
            return work(connection)


def _cursor(connection: Connection) -> Cursor:
    return Cursor(connection.connection.cursor(), connection.dialect)


def _patiently(action: Callable[[], Result]) -> Result:
    """The one policy for trying again: four times within twenty seconds, only when nothing was done."""
    try:
        return action()
    except NothingDone:
        sleep(random.uniform(0.05, 0.3))
    # Imports asyncio, which is needed only by who waits for a database.
    from tenacity import (
        Retrying,
        retry_if_exception_type,
        stop_after_attempt,
        stop_after_delay,
        wait_random_exponential,
    )

    retrying = Retrying(
        stop=stop_after_attempt(3) | stop_after_delay(20),
        wait=wait_random_exponential(multiplier=0.2, max=3),
        retry=retry_if_exception_type(NothingDone),
        reraise=True,
    )
    return retrying(action)


_PACKAGES: Final = {"MySQLdb": "'brekzsync[fast]'", "pymysql": "pymysql", "psycopg": "'psycopg[binary]'"}


def _engine(url: URL) -> Engine:
    if in_memory(url):
        return create_engine(
            url, hide_parameters=True, poolclass=StaticPool, connect_args={"check_same_thread": False}
        )
    if url.get_backend_name() == "sqlite":
        # The last connection used is the next one given: its page cache is warm and the others stay small.
        return create_engine(
            url, hide_parameters=True, pool_use_lifo=True, connect_args={"timeout": BUSY_SECONDS}
        )
    if url.get_backend_name() == "postgresql":
        return create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            isolation_level="READ COMMITTED",
            paramstyle="format",
            connect_args={"connect_timeout": _CONNECT_SECONDS},
        )
    return _mariadb_engine(url)


def _mariadb_engine(url: URL) -> Engine:
    defaults = {"charset": "utf8mb4"}
    if url.get_driver_name() == "mysqldb":
        defaults["binary_prefix"] = "true"  # otherwise the server checks a fingerprint for being UTF-8
    url = url.update_query_dict({name: value for name, value in defaults.items() if name not in url.query})
    arguments: dict[str, Any] = {
        "connect_timeout": _CONNECT_SECONDS,
        "read_timeout": _ANSWER_SECONDS,
        "write_timeout": _ANSWER_SECONDS,
        "init_command": "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'),"
        f" innodb_lock_wait_timeout = {BUSY_SECONDS}",
    }
    return create_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        paramstyle="format",  # bulk.py gives parameters by position
        isolation_level="READ COMMITTED",  # the default shows a long transaction old data
        connect_args={name: value for name, value in arguments.items() if name not in url.query},
    )


def _prepare_connections(engine: Engine, backend: str, database: Database) -> None:
    if backend == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", lambda connection: _begin_sqlite(connection, database))
    elif backend == "mariadb":
        event.listen(engine, "begin", lambda connection: _begin_mariadb(connection, database))


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin_sqlite
    for pragma in ("cache_size = -4096", "temp_store = MEMORY", "wal_autocheckpoint = 1000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection, database: Database) -> None:
    """A writer takes the write lock at once: upgrading a reader's later fails instead of waiting."""
    options = connection.get_execution_options()
    cursor = connection.connection.cursor()
    try:
        if database.read_only:
            cursor.execute("PRAGMA query_only = ON")
        if not options.get(_WRITES):
            cursor.execute("BEGIN")
            return
        level = "FULL" if options.get(_DURABLE) else "NORMAL"
        if connection.info.get("synchronous") != level:
            cursor.execute(f"PRAGMA synchronous = {level}")
            connection.info["synchronous"] = level
        cursor.execute("BEGIN IMMEDIATE")
    finally:
        cursor.close()


def _begin_mariadb(connection: Connection, database: Database) -> None:
    if database.read_only:
        connection.exec_driver_sql("START TRANSACTION READ ONLY")
