"""Whether the state database can be worked with. Looks only: nothing is created, migrated or kept."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Final

from sqlalchemy import Connection, Table, column, false, func, insert, select, table

from brekzsync.domain.findings import Check, Finding, passed, warning
from brekzsync.errors import ConfigurationError, Unavailable
from brekzsync.state import schema
from brekzsync.state.connection import Database, in_memory, parse_url
from brekzsync.state.tables import metadata, version

_BUSY_MILLISECONDS: Final = 2000
_NAMES: Final = {"sqlite": "SQLite", "mariadb": "MariaDB or MySQL", "postgresql": "PostgreSQL"}
_SQLITE_VERSION: Final = select(func.sqlite_version())
_VERSION: Final = select(func.version())


class StateHealth:
    """The checks of one state database; ``dispose`` when they are done."""

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self._opened: list[Database] = []

    def checks(self) -> list[Check]:
        """In the order a person would look: is it there, is it this release's, can we write."""
        looks = {
            "connection": (self.connection, ()),
            "schema": (self.schema, ("connection",)),
            "writable": (self.writable, ("connection", "schema")),
            "storage": (self.storage, ("connection",)),
        }
        return [
            Check(system="state", name=name, look=look, needs=needs) for name, (look, needs) in looks.items()
        ]

    def dispose(self) -> None:
        """Close what is open."""
        for database in self._opened:
            database.close()

    def connection(self) -> Finding:
        """It exists and answers."""
        if in_memory(self._url):
            raise ConfigurationError(
                "The state is kept in memory: it is gone after every command, and everything is sent again.",
                hint='Name a file: [state] database = "sqlite:///state.db".',
            )
        database = self._database(read_only=True)
        if database.backend == "sqlite":
            _check_file(Path(self._url.database or ""), database.name)
        begun = perf_counter()
        # On a server, `writing` asks once; `read` would wait twenty seconds for one that is away.
        opening = database.read() if database.backend == "sqlite" else database.writing(durable=False)
        with opening as connection:
            number = connection.scalar(_SQLITE_VERSION if database.backend == "sqlite" else _VERSION)
        took = round((perf_counter() - begun) * 1000)
        return passed(f"{database.name} answered in {took} ms ({_server(database.backend, str(number))}).")

    def schema(self) -> Finding:
        """Its tables are those of this release."""
        database = self._database(read_only=True)
        found = schema.current(database)
        if found is None:
            raise ConfigurationError(
                f"{database.name} holds no brekzsync state yet.",
                hint="Run `brekzsync db upgrade` to create it; if it was lost, put its backup back first.",
                code="state_missing",
            )
        schema.check_not_newer(database, found)
        if found == schema.HEAD:
            return passed(f"Schema {found}, the newest.")
        text = f"Schema {found}; this release needs {schema.HEAD}."
        if database.backend == "sqlite":
            return warning(
                f"{text} The next command that writes brings it up.", "Run `brekzsync db upgrade`."
            )
        raise ConfigurationError(text, hint="Run `brekzsync db upgrade`.", code="state_outdated")

    def writable(self) -> Finding:
        """This user may add, change and delete rows of every table; tried on no rows, and rolled back."""
        is_ours = schema.current(self._database(read_only=True)) == schema.HEAD
        tables = metadata.sorted_tables if is_ours else [version]
        try:
            self._try_writing(tables)
        except Unavailable as error:
            if error.code != "state_busy":
                raise
            return passed("Another command is writing to it just now.")
        return passed("This user may write to every table.")

    def storage(self) -> Finding:
        """Readers do not wait for writers, and what is undone is undone."""
        database = self._database(read_only=True)
        with database.read() as connection:
            if database.backend == "sqlite":
                return _journal(str(connection.exec_driver_sql("PRAGMA journal_mode").scalar()))
            if database.backend == "mariadb":
                return _engines(connection)
        return passed("PostgreSQL's tables always take part in transactions.")

    def _try_writing(self, tables: list[Table]) -> None:
        database = self._database(read_only=False)
        with database.writing(durable=False) as connection:
            if database.backend == "sqlite":
                connection.connection.cursor().execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
            with connection.begin() as transaction:
                for one in tables:
                    _write_nothing(connection, one)
                transaction.rollback()

    def _database(self, *, read_only: bool) -> Database:
        for database in self._opened:
            if database.read_only == read_only:
                return database
        self._opened.append(Database(self._url, read_only=read_only))
        return self._opened[-1]


def _check_file(path: Path, name: str) -> None:
    """Opening a file that is not there would make one."""
    try:
        is_there = path.is_dir() or (path.exists() and path.stat().st_size > 0)
    except PermissionError:
        return  # opening it says so better
    if not is_there:
        raise ConfigurationError(
            f"{name} does not exist yet.",
            hint="Run `brekzsync db upgrade` to create it; if it was lost, put its backup back first.",
            code="state_missing",
        )


def _server(backend: str, number: str) -> str:
    """MariaDB and PostgreSQL say their name with the version, MySQL and SQLite do not."""
    number = " ".join(number.split()[:2]) if backend == "postgresql" else number
    return number if number[:1].isalpha() else f"{_NAMES[backend]} {number}"


def _write_nothing(connection: Connection, one: Table) -> None:
    first = next(iter(one.columns))
    connection.execute(one.delete().where(false()))
    connection.execute(one.update().where(false()).values({first: first}))
    connection.execute(insert(one).from_select(list(one.columns), select(one).where(false())))


def _journal(mode: str) -> Finding:
    if mode == "wal":
        return passed("Journal mode wal: readers and a writer do not wait for each other.")
    return warning(
        f"Journal mode {mode}: a command that reads has to wait for one that writes.",
        "The next command that writes sets it to wal. If it stays, the file lies on a disk that cannot do it,"
        " such as a network drive: put it on a local one.",
    )


def _engines(connection: Connection) -> Finding:
    tables = table(
        "tables", *map(column, ("table_schema", "table_name", "engine")), schema="information_schema"
    )
    others = connection.scalars(
        select(tables.c.table_name)
        .where(tables.c.table_schema == func.database(), tables.c.engine != "InnoDB")
        .where(tables.c.table_name.in_(list(metadata.tables)))
        .order_by(tables.c.table_name)
    ).all()
    if not others:
        return passed("Every table is InnoDB: what is undone is undone.")
    return warning(
        f"Not InnoDB, so that a run broken off is not undone: {', '.join(map(str, others))}.",
        f"For each of them: ALTER TABLE {others[0]} ENGINE = InnoDB;",
    )
