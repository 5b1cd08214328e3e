"""A connection that may write stock: short transactions, locks that are not waited for long, errors in plain words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Unavailable
from brekzsync.logs import HIDDEN
from brekzsync.settings.database_urls import without_password

CONNECT_TIMEOUT = 10  # seconds
ANSWER_TIMEOUT = 60  # seconds for one statement
LOCK_TIMEOUT = 5  # seconds; a visitor's order comes first, and is done by then
_DENIED = {1044, 1045, 1142, 1143, 1227, 1370, 1698}
_READ_ONLY = {1290, 1792, 1836}
_WRONG_DATABASE = {1049, 1054, 1146}
_BUSY = {1205, 1213, 3572}


class Busy(Exception):
    """Somebody else holds what was to be written, or was in the way; nothing was written."""


class StockDatabase:
    """The shop's database with an account that may write; opened when first used."""

    def __init__(self, url: str, table_prefix: str) -> None:
        self._url = make_url(url)
        self._prefix = table_prefix
        self._engine = _engine(self._url)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction, committed at the end of the block.

        Raises Busy where a lock is not to be had, and AccessDenied, ConfigurationError, Unavailable.
        """
        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            raise self._translated(error) from error

    def dispose(self) -> None:
        """Close what is open."""
        self._engine.dispose()

    def _translated(self, error: SQLAlchemyError) -> BrekzsyncError | Busy:
        original = error.orig if isinstance(error, DBAPIError) else error
        arguments: tuple[Any, ...] = getattr(original, "args", ())
        code = arguments[0] if arguments and isinstance(arguments[0], int) else None
        text = str(arguments[1] if code is not None and len(arguments) > 1 else original)
        shown = without_password(self._url.render_as_string(hide_password=False), HIDDEN)
        if code in _BUSY or "database is locked" in text:
            return Busy(text)
        if code in _DENIED:
            return AccessDenied(
                f"The shop's database does not let us write stock: {text}.", hint=self._grants(shown)
            )
        if code in _READ_ONLY or "readonly database" in text:
            return AccessDenied(
                f"The shop's database is read-only: {text}.",
                hint=f"Let [stock] database ({shown}) name the server that the shop itself writes to.",
            )
        if code in _WRONG_DATABASE or "no such" in text or "unable to open database file" in text:
            return ConfigurationError(
                f"The shop's database is not the PrestaShop it should be: {text}.",
                hint=f"Check [stock] database ({shown}) and [shop] table_prefix.",
            )
        return Unavailable(
            f"Writing stock into the shop's database failed: {text}.",
            hint=f"Check the server of [stock] database ({shown}); what is left is written by the next run.",
        )

    def _grants(self, shown: str) -> str:
        database, user = self._url.database or "", self._url.username or "brekzsync"
        table = f"`{database}`.`{self._prefix}stock_available`"
        return (
            f"Check user and password of [stock] database ({shown}), and let its administrator run:"
            f" GRANT SELECT, UPDATE ON {table} TO '{user}'@'…'; (with movement_employee also"
            f" GRANT INSERT ON `{database}`.`{self._prefix}stock_mvt`)."
        )


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    arguments: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT, "read_timeout": ANSWER_TIMEOUT}
    if url.get_driver_name() == "pymysql":
        arguments["write_timeout"] = ANSWER_TIMEOUT
    if "charset" not in url.query:
        url = url.update_query_dict({"charset": "utf8mb4"})
    try:
        engine = create_engine(
            url, connect_args=arguments, isolation_level="REPEATABLE READ", pool_pre_ping=True, pool_size=1
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(
            f"[stock] database asks for the driver {url.get_driver_name()!r}, which is not installed.",
            hint="Write mysql://user:password@host/database: the fastest installed driver is then taken.",
            code="driver_missing",
        ) from error
    event.listen(engine, "connect", _wait_briefly)
    return engine


def _sqlite(url: URL) -> Engine:
    if url.database and not url.database.startswith("file:"):
        # SQLite would create a missing file.
        url = url.set(database=f"file:{url.database}", query={"mode": "rw", "uri": "true"})
    engine = create_engine(url, connect_args={"timeout": LOCK_TIMEOUT})

    def leave_transactions_to_us(connection: Any, _record: object) -> None:
        connection.isolation_level = None

    event.listen(engine, "connect", leave_transactions_to_us)
    # What is read is read with the write lock in hand: nobody writes between it and the update.
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _wait_briefly(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {LOCK_TIMEOUT}")
