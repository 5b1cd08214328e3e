"""The connection to the shop's database: read-only work in one snapshot, errors in plain words.

Rows come as the raw values the driver received (bytes for text and numbers): 100,000 combinations are
read in a run of which a handful changed, and only those are worth decoding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from threading import Lock
from time import sleep
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    Connection,
    CursorResult,
    Dialect,
    Engine,
    MetaData,
    Select,
    Table,
    create_engine,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError

from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Unavailable
from brekzsync.logs import HIDDEN
from brekzsync.prestashop.questions import Question, Questions
from brekzsync.settings.database_urls import without_password

if TYPE_CHECKING:
    from brekzsync.prestashop.queries import Together

CONNECT_TIMEOUT = 10  # seconds
_FIRST_WAIT = 0.3  # seconds
READ_TIMEOUT = 120  # seconds one page may take; a page is a few thousand rows
RawRow = tuple[Any, ...]
Texts = dict[Any, Any]
"""Statements and what they are compiled to; those that are made anew for each snapshot do not belong in a kept one."""

_UNREACHABLE = {2002, 2003, 2005, 2006, 2013, 1040, 1053, 1205, 1213, 1927}
_DENIED = {1044, 1045, 1142, 1143, 1370, 1698}


# One question instead of one for each of thirty tables.
_SCHEMA = Table(
    "columns",
    MetaData(),
    *map(Column, ("table_schema", "table_name", "column_name")),
    schema="information_schema",
)
_COLUMNS = select(_SCHEMA.c.table_name, _SCHEMA.c.column_name).where(
    _SCHEMA.c.table_schema == func.database()
)


class ShopDatabase:
    """The shop's database, opened when first used.

    With ``keeps_connections`` one that was idle for long is tried before it is used again.
    """

    def __init__(
        self, url: str, *, connect_timeout: int = CONNECT_TIMEOUT, keeps_connections: bool = False
    ) -> None:
        self._configured = make_url(url)
        self._url = _read_only(self._configured)
        self._engine = _engine(self._url, connect_timeout, keeps_connections)
        self.dialect: Dialect = self._engine.dialect
        self.questions = Questions(self._connect_for_questions, self.driver_errors)

    @property
    def shown(self) -> str:
        """The URL as configured, without its password, for messages."""
        return without_password(self._configured.render_as_string(hide_password=False), HIDDEN)

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One consistent view of the shop for as long as the block lasts; never written to."""
        connection = self.connect()
        try:
            with self.errors():
                _begin_snapshot(connection)
            yield Snapshot(connection, self, {})
        finally:
            close(connection)

    @contextmanager
    def glance(self, texts: Texts) -> Iterator[Snapshot]:
        """A view in raw mode that begins when it is first needed: a question by ``rows_of_one`` needs none.

        ``texts`` keeps the statements' texts for the next glance with the same statements.
        """
        with ExitStack() as at_end:
            yield _Glance(self, texts, at_end)

    def connect(self) -> Connection:
        """A connection that the caller closes; trying again for a moment."""
        with self.errors():
            return _patiently(self._connect)

    def _connect_for_questions(self) -> Connection:
        connection = self.connect().execution_options(isolation_level="AUTOCOMMIT")
        _switch_to_raw(connection.dialect.driver, connection.connection.driver_connection)
        connection.detach()  # it never returns to those that convert
        return connection

    def dispose(self) -> None:
        """Close what is open."""
        self.questions.close()
        self._engine.dispose()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Translate a driver's error into one of ours."""
        try:
            yield
        except SQLAlchemyError as error:
            raise self._translated(error) from error

    @contextmanager
    def driver_errors(self) -> Iterator[None]:
        """``errors`` around work on the driver's own connection."""
        try:
            yield
        except self._engine.dialect.loaded_dbapi.Error as error:
            raise self._translated(error) from error

    def _connect(self) -> Connection:
        with self.errors():
            return self._engine.connect()

    def _translated(self, error: Exception) -> BrekzsyncError:
        original = error.orig if isinstance(error, DBAPIError) else error
        arguments: tuple[Any, ...] = getattr(original, "args", ())
        number = arguments[0] if arguments and isinstance(arguments[0], int) else None
        text = str(arguments[1] if number is not None and len(arguments) > 1 else original)
        return _shop_error(number, text, self.shown)


class Snapshot:
    """Reads within one snapshot; threads take turns."""

    def __init__(self, connection: Connection, database: ShopDatabase, texts: Texts) -> None:
        self._connection = connection
        self._database = database
        self._texts = texts
        self._one_at_a_time = Lock()  # the reader of the next page and a look-up share the connection

    @property
    def compares_exactly(self) -> bool:
        """Whether texts differ by letter case and trailing blanks, as on SQLite; a shop's server ignores both."""
        return self._connection.dialect.name == "sqlite"

    def rows(self, statement: Select[Any], parameters: Mapping[str, Any] | None = None) -> Sequence[RawRow]:
        """All rows as plain tuples of raw values (see ``text``). Raises Unavailable and its siblings."""
        with self._one_at_a_time, self._database.errors():
            result = self._execute(statement, parameters or {})
            cursor = result.cursor  # plain tuples: SQLAlchemy's Row costs more than the row itself
            rows = cursor.fetchall() if cursor is not None else ()
            result.close()
            return rows

    def rows_of_one(self, asked: Together, id_product: int) -> dict[str, list[RawRow]]:
        """``rows`` of several statements about one product, in any order; raw mode only.

        A server is asked them as one: that takes half the time of eight small questions, asked together.
        """
        if self._database.dialect.name not in ("mysql", "mariadb"):
            given = {"id_product": id_product}
            return {name: list(self.rows(one, given)) for name, one in asked.statements.items()}
        if asked.as_one not in self._texts:
            self._texts[asked.as_one] = Question.made_of(asked.as_one, self._database.dialect)
        return asked.sorted_out(self._database.questions.ask(self._texts[asked.as_one], id_product))

    def _execute(self, statement: Select[Any], parameters: Mapping[str, Any]) -> CursorResult[Any]:
        """A page's statements are run hundreds of times: each is made into text once, if it has one text."""
        if statement not in self._texts:
            compiled = statement.compile(dialect=self._connection.dialect)
            has_lists = bool(compiled.post_compile_params)  # its text depends on the lists' lengths
            self._texts[statement] = None if has_lists else compiled
        text = self._texts[statement]
        if text is None:
            return self._connection.execute(statement, parameters)
        given = text.construct_params(dict(parameters))
        ordered = tuple(given[name] for name in text.positiontup) if text.positiontup else given
        return self._connection.exec_driver_sql(str(text), ordered)

    def table_columns(self, names: Sequence[str]) -> dict[str, set[str]]:
        """The columns of those of ``names`` that exist (lower-cased names)."""
        if self._connection.dialect.name in ("mysql", "mariadb"):
            columns = _COLUMNS.where(_SCHEMA.c.table_name.in_(list(names)))
            found: dict[str, set[str]] = {}
            for table, column in self.rows(columns):
                found.setdefault(str(table), set()).add(str(column).lower())
            return found
        with self._database.errors():
            inspector = inspect(self._connection)
            present = set(inspector.get_table_names())
            return {
                name: {column["name"].lower() for column in inspector.get_columns(name)}
                for name in names
                if name in present
            }

    def table_names(self) -> list[str]:
        """Every table of the database, to tell a wrong prefix from a wrong database."""
        with self._database.errors():
            return inspect(self._connection).get_table_names()

    @contextmanager
    def raw(self) -> Iterator[None]:
        """Rows as raw bytes within the block; outside it, as the driver converts them."""
        connection = self._connection.connection.driver_connection
        restore = _switch_to_raw(self._connection.dialect.driver, connection)
        try:
            yield
        finally:
            restore()


class _Glance(Snapshot):
    """A snapshot in raw mode that begins with the first question that needs one."""

    def __init__(self, database: ShopDatabase, texts: Texts, at_end: ExitStack) -> None:
        self._database = database
        self._texts = texts
        self._at_end = at_end
        self._one_at_a_time = Lock()

    @cached_property
    def _connection(self) -> Connection:  # type: ignore[override]  # made when it is first asked for
        connection = self._database.connect()
        self._at_end.callback(close, connection)
        self._at_end.callback(
            _switch_to_raw(connection.dialect.driver, connection.connection.driver_connection)
        )
        return connection


def text(value: Any) -> str:
    """A raw value as text; NULL is ``""``; bytes that are not UTF-8 become U+FFFD."""
    if value.__class__ is bytes:
        return str(value, "utf-8", "replace")
    return "" if value is None else str(value)


def number(value: bytes | str | int | None) -> int:
    """A raw value as an integer; NULL is 0."""
    return int(value) if value else 0


def _read_only(url: URL) -> URL:
    """SQLite would create a missing file: open it read-only, so that a wrong path is an error."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database.startswith("file:"):
        return url
    return url.set(database=f"file:{url.database}", query={"mode": "ro", "uri": "true"})


def _engine(url: URL, connect_timeout: int, keeps_connections: bool) -> Engine:
    backend = url.get_backend_name()
    if backend == "sqlite":
        engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": connect_timeout})
        event.listen(engine, "connect", _raw_sqlite)
        return engine
    if backend not in ("mysql", "mariadb"):
        raise ConfigurationError(
            f"[shop] database is a {backend} URL; a PrestaShop database is MySQL or MariaDB.",
            hint="Write mysql://user:password@host/database.",
        )
    arguments: dict[str, Any] = {"connect_timeout": connect_timeout, "read_timeout": READ_TIMEOUT}
    if url.get_driver_name() == "pymysql":
        arguments["write_timeout"] = READ_TIMEOUT
    if "charset" not in url.query:
        url = url.update_query_dict({"charset": "utf8mb4"})
    try:
        return create_engine(
            url,
            connect_args=arguments,
            isolation_level="REPEATABLE READ",
            pool_pre_ping=keeps_connections,
            pool_use_lifo=True,
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise ConfigurationError(
            f"[shop] database asks for the driver {url.get_driver_name()!r}, which is not installed.",
            hint="Write mysql://user:password@host/database: the fastest installed driver is then taken.",
            code="driver_missing",
        ) from error


def _raw_sqlite(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA query_only = 1")


def _switch_to_raw(driver: str, connection: Any) -> Any:
    """Turn off the driver's conversions; gives the function that turns them on again."""
    if driver == "mysqldb":
        before = connection.converter
        connection.converter = {}
        return lambda: setattr(connection, "converter", before)
    if driver == "pymysql":
        decoders, unicode = connection.decoders, connection.use_unicode
        connection.decoders, connection.use_unicode = {}, False

        def restore() -> None:
            connection.decoders, connection.use_unicode = decoders, unicode

        return restore
    factory = connection.text_factory
    connection.text_factory = bytes
    return lambda: setattr(connection, "text_factory", factory)


def _patiently(connect: Callable[[], Connection]) -> Connection:
    """The one retry policy of the shop: a restart of the server is waited for, briefly."""
    try:
        return connect()
    except Unavailable:
        sleep(_FIRST_WAIT)
    # Imports asyncio, which a run that got its connection at once has no use for.
    from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

    retrying = Retrying(
        retry=retry_if_exception_type(Unavailable),
        stop=stop_after_attempt(2),
        wait=wait_random_exponential(multiplier=0.5, max=5),
        reraise=True,
    )
    connection: Connection = retrying(connect)
    return connection


def _begin_snapshot(connection: Connection) -> None:
    if connection.dialect.name in ("mysql", "mariadb"):
        connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")


def close(connection: Connection) -> None:
    """Give a connection back."""
    try:
        connection.close()
    except SQLAlchemyError:  # the server is gone; there is nothing left to close
        if not connection.closed:
            connection.invalidate()


def _shop_error(number: int | None, text: str, shown: str) -> BrekzsyncError:
    if number in _DENIED:
        return AccessDenied(
            f"The shop's database refused us: {text}.",
            hint=f"Check user, password and SELECT right of [shop] database ({shown}).",
        )
    if number == 1049 or "unable to open database file" in text:
        return ConfigurationError(
            f"The shop's database does not exist: {text}.",
            hint=f"Check the name or path at the end of [shop] database ({shown}).",
        )
    missing = re.search(r"no such (table|column): (\S+)|Table '([^']+)' doesn't exist|Unknown column", text)
    if number in (1146, 1054) or missing or "file is not a database" in text:
        return ConfigurationError(
            f"The shop's database is not the PrestaShop it should be: {text}.",
            hint="Check [shop] database and table_prefix.",
        )
    if number in _UNREACHABLE or "locked" in text or "timed out" in text.lower():
        return Unavailable(
            f"The shop's database does not answer: {text}.",
            hint=f"Check that the server of [shop] database ({shown}) is up; what is left is exported next run.",
        )
    return Unavailable(
        f"Reading the shop's database failed: {text}.",
        hint=f"Check the server of [shop] database ({shown}); what is left is exported next run.",
    )
