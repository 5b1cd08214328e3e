"""Whether the ERP's database can be read as brekzsync reads it, and whether its login can do no more."""

from __future__ import annotations

from collections.abc import Callable, Collection
from time import perf_counter
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Select,
    String,
    Table,
    bindparam,
    false,
    func,
    literal_column,
    make_url,
    select,
)

from brekzsync.domain.findings import Check, Finding, passed, skipped, warning
from brekzsync.errors import AccessDenied, ConfigurationError
from brekzsync.exact.columns import missing_columns
from brekzsync.exact.connection import connect_erp, erp_errors, named
from brekzsync.exact.deliveries import DeliveryRepository
from brekzsync.exact.tables import globe_tables, is_optional

TIMEOUT = 4.0  # seconds; asked twice, so that a dead host is known to be dead within ten
_WRITING = ("INSERT", "UPDATE", "DELETE")
# Declared for the demo's file and for what reads by rowversion one day; nothing does yet.
_UNREAD = frozenset({"ID", "sysmodified", "timestamp"})


class ErpHealth:
    """The checks of one administration's database; ``dispose`` when they are done."""

    def __init__(self, url: str, target: str = "", tracking: str = "") -> None:
        """``tracking`` is the column that tracking numbers are read from, as ``orkrg.freefield1``, if any."""
        self._url = url
        self._target = target
        self._tracking = tracking
        self._address = make_url(url)
        self._is_file = self._address.get_backend_name() == "sqlite"
        self._tables = globe_tables(self._address.get_backend_name())
        self._engine: Engine | None = None

    def checks(self) -> list[Check]:
        """Driver, connection, tables, rights."""
        looks: dict[str, tuple[Callable[[], Finding], tuple[str, ...]]] = {
            "driver": (self.driver, ()),
            "connection": (self.connection, ("driver",)),
            "tables": (self.tables, ("connection",)),
            "may not write": (self.write_rights, ("connection", "tables")),
        }
        return [
            Check(system="erp", name=name, look=look, needs=needs, target=self._target)
            for name, (look, needs) in looks.items()
        ]

    def dispose(self) -> None:
        """Close what is open."""
        if self._engine is not None:
            self._engine.dispose()

    def driver(self) -> Finding:
        """The ODBC driver the URL names is installed."""
        if self._is_file:
            return passed("SQLite, which Python brings along.")
        if self._address.get_driver_name() != "pyodbc":
            return passed(f"{self._address.get_driver_name()}, by its own way to the server.")
        wanted = str(self._address.query.get("driver", ""))
        installed = _odbc_drivers()
        if not wanted:  # a DSN, or a whole connection string, names it elsewhere
            return passed(f"Installed ODBC drivers: {', '.join(installed) or 'none'}.")
        if wanted in installed or wanted.startswith("/"):
            return passed(f"{wanted} is installed.")
        raise ConfigurationError(
            f'The ODBC driver "{wanted}" is not installed; there are: {", ".join(installed) or "none"}.',
            hint="Install it (on Debian FreeTDS is `apt install tdsodbc`), or name one of these in the URL under"
            " [erp]: ?driver=...",
            code="driver_missing",
        )

    def connection(self) -> Finding:
        """The server answers and lets us in."""
        begun = perf_counter()
        self._engine = connect_erp(self._url, TIMEOUT, attempts=2)
        with erp_errors(self._engine.url), self._engine.connect() as connection:
            number = str(connection.scalar(_version(is_file=self._is_file)))
        took = round((perf_counter() - begun) * 1000)
        server = f"SQLite {number}" if self._is_file else number.partition("\n")[0].strip()
        return passed(f"{_capital(named(self._address))} answered in {took} ms ({server}).")

    def tables(self) -> Finding:
        """Every table and column that stock, orders and items are read from may be read."""
        with self._connected() as connection:
            for table in self._tables.everywhere():
                self._read_nothing_of(connection, table)
            with erp_errors(self._address):
                lacking = sorted(missing_columns(connection, self._tables.items) - _UNREAD)
        if self._tracking and self._engine is not None:
            DeliveryRepository(self._engine, self._tracking).check_tracking()
        count = len(self._tables.everywhere())
        if not lacking:
            return passed(f"All {count} tables can be read.")
        return passed(f"All {count} tables can be read; Items lacks {', '.join(lacking)}, taken as unknown.")

    def write_rights(self) -> Finding:
        """What the ERP is to hold reaches it as documents; its login has no use for more than reading."""
        if self._is_file:
            return skipped("A SQLite file has no logins; it is opened for reading only.")
        with self._connected() as connection, erp_errors(self._address):
            rights = writable_tables(connection, [table.fullname for table in self._tables.everywhere()])
        if not rights:
            return passed("The login can write none of the tables.")
        return warning(
            f"The ERP's login may also write: {'; '.join(rights)}.",
            "Take it out of db_owner and db_datawriter (ALTER ROLE ... DROP MEMBER ...); db_datareader is enough.",
        )

    def _connected(self) -> Connection:
        assert self._engine is not None  # "connection" went before
        with erp_errors(self._engine.url):
            return self._engine.connect()

    def _read_nothing_of(self, connection: Connection, table: Table) -> None:
        needed = [column for column in table.c if not is_optional(column) and column.name not in _UNREAD]
        try:
            with erp_errors(self._address):
                connection.execute(select(*needed).where(false())).close()
        except AccessDenied as error:
            raise AccessDenied(
                f"{_capital(named(self._address))} does not let us read {table.fullname}.",
                hint=f"As an administrator of the server: GRANT SELECT ON {table.fullname} TO that login.",
            ) from error
        except ConfigurationError as error:
            missing = self._missing(connection, table, [column.name for column in needed])
            raise ConfigurationError(
                f"{_capital(named(self._address))} has no {missing}: it is not an administration of Exact Globe,"
                " or of a release that is not known.",
                hint="Correct database under [erp]: the name of the administration's database.",
                code="not_an_administration",
            ) from error

    def _missing(self, connection: Connection, table: Table, needed: Collection[str]) -> str:
        with erp_errors(self._address):
            missing = missing_columns(connection, table)
        lacking = [name for name in needed if name in missing]
        if not lacking or len(missing) == len(table.c):
            return f"table {table.name}"
        return f"column {', '.join(lacking)} in {table.name}"


def writable_tables(connection: Connection, names: Collection[str]) -> list[str]:
    """Which of the tables the login may change, as ``INSERT, DELETE on dbo.Items``; roles are counted in."""
    found = []
    for name in names:
        answers = connection.execute(write_permissions(), {"name": name}).one()
        if rights := [right for right, answer in zip(_WRITING, answers, strict=True) if answer]:
            found.append(f"{', '.join(rights)} on {name}")
    return found


def write_permissions() -> Select[Any]:
    """The login's effective rights on the table ``name``: 1, 0, or NULL for one that is not there."""
    name = bindparam("name", type_=String)
    return select(
        *(
            func.HAS_PERMS_BY_NAME(name, literal_column("'OBJECT'"), literal_column(f"'{right}'"))
            for right in _WRITING
        )
    )


def _version(*, is_file: bool) -> Select[Any]:
    return select(func.sqlite_version() if is_file else literal_column("@@VERSION"))


def _odbc_drivers() -> list[str]:
    try:
        import pyodbc
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "The Python module pyodbc is not installed.",
            hint="Install it: pip install pyodbc.",
            code="driver_missing",
        ) from error
    except ImportError as error:
        raise ConfigurationError(
            f"pyodbc cannot be loaded: {error}.",
            hint="Install the system's ODBC library; on Debian: apt install unixodbc tdsodbc.",
            code="odbc_missing",
        ) from error
    return list(pyodbc.drivers())


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
