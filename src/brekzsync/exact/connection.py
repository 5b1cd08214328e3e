"""The way into the ERP: SQL Server through ODBC, or a SQLite file with the same tables.

Read only: what the ERP is to hold reaches it as eExact documents. pyodbc is imported for an
``mssql+pyodbc`` URL and for nothing else.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Unavailable

_SETTING = "Correct database under [erp]"
_ATTEMPTS = 3
_ITEMS = "table Items with an ItemCode"


def connect_erp(url: str, timeout: float = 30.0, attempts: int = _ATTEMPTS) -> Engine:
    """An engine that has answered once; ``timeout`` in seconds, for logging in and for every statement.

    Raises ``ConfigurationError``, ``AccessDenied``, or, after retries, ``Unavailable``.
    """
    import tenacity

    engine = _engine(url, timeout)

    @tenacity.retry(
        retry=tenacity.retry_if_exception_type(Unavailable),
        stop=tenacity.stop_after_attempt(attempts),
        wait=tenacity.wait_random_exponential(multiplier=0.2, max=2),
        reraise=True,
    )
    def answer() -> None:
        with erp_errors(engine.url), engine.connect():
            pass

    answer()
    return engine


@contextmanager
def erp_errors(url: URL, needed: str = _ITEMS) -> Iterator[None]:
    """Turn what a driver raises into the errors of the house, naming the ERP without its password.

    ``needed`` continues "the ERP has no …" where a table or column that is read is not there.
    """
    try:
        yield
    except DBAPIError as error:
        raise _explained(error, named(url), needed) from error


def named(url: URL) -> str:
    """The ERP as a sentence may name it; nothing of an ODBC connection string, which holds the password."""
    if "odbc_connect" in url.query:
        return "the ERP of the configured ODBC connection string"
    return f"the ERP {url.database}" + (f" on {url.host}" if url.host else "")


def _engine(url: str, timeout: float) -> Engine:
    try:
        address = make_url(url)
        if address.get_backend_name() == "sqlite":
            return _sqlite_engine(address, timeout)
        connect_args = {"timeout": max(1, round(timeout))}
        engine = create_engine(_for_odbc(address), connect_args=connect_args, pool_size=2)
    except (ArgumentError, NoSuchModuleError) as error:
        raise ConfigurationError(
            "The ERP's database URL cannot be understood.",
            hint=f"{_SETTING}: mssql+pyodbc://user:password@host/database?driver=..., or sqlite:///file.",
        ) from error
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"The ERP's database URL asks for the Python module {error.name}, which is not installed.",
            hint=f"Install it (pip install {error.name}), or {_SETTING.lower()}.",
            code="driver_missing",
        ) from error
    except ImportError as error:  # pyodbc is there, the system's libodbc is not
        raise ConfigurationError(
            f"pyodbc cannot be loaded: {error}.",
            hint="Install the system's ODBC library and a SQL Server driver; on Debian: "
            "apt install unixodbc tdsodbc.",
            code="odbc_missing",
        ) from error

    @event.listens_for(engine, "connect")
    def limit_statements(connection: Any, _record: Any) -> None:
        # The argument above limits the login only (facts/exact-globe.md section 9).
        connection.timeout = max(1, round(timeout))

    return engine


def _for_odbc(address: URL) -> URL:
    """The URL as its ODBC driver wants it: FreeTDS takes ``host:1433`` for a name (facts, section 9)."""
    if address.drivername not in ("mssql", "mssql+pyodbc"):
        return address
    driver = address.query.get("driver", "")
    named_otherwise = "odbc_connect" in address.query or "dsn" in address.query or not address.database
    if not driver and not named_otherwise:
        raise ConfigurationError(
            f"The URL of {named(address)} names no ODBC driver.",
            hint="List the installed ones with odbcinst -q -d and name one: ?driver=...",
            code="driver_missing",
        )
    if address.port and str(driver).lower() == "freetds":
        return address.set(port=None).update_query_dict({"port": str(address.port)})
    return address


def _sqlite_engine(address: URL, timeout: float) -> Engine:
    if not address.database:
        raise ConfigurationError("The ERP's database URL names no file.", hint=f"{_SETTING}: sqlite:///file.")
    # Never created: an empty file would be an ERP that holds nothing. Not mode=ro either: what an import that was
    # killed has left half done is undone by whoever opens the file next, if he may.
    uri = f"file:{quote(address.database)}?mode=rw"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=timeout, check_same_thread=False)
        connection.execute("PRAGMA query_only = ON")
        return connection

    return create_engine(address, creator=connect)


def _explained(error: DBAPIError, erp: str, needed: str) -> BrekzsyncError:
    """Judge by SQLSTATE, whose classes are the same everywhere; native codes differ between servers."""
    cause = error.orig
    text = str(cause)
    if isinstance(cause, sqlite3.Error):
        return _explained_sqlite(text, erp, needed)
    state = str(cause.args[0]) if cause is not None and cause.args else ""
    if state.startswith("28"):
        return AccessDenied(
            f"{_capital(erp)} refused the login.",
            hint=f"{_SETTING}: user and password, or the user's rights.",
        )
    if state == "IM002" or "file not found" in text:
        return ConfigurationError(
            f"The ODBC driver named in the URL of {erp} is not installed.",
            hint="List the installed ones with odbcinst -q -d and name one: ?driver=...",
            code="driver_missing",
        )
    if state.startswith(("42S", "S0002")):
        return _not_an_administration(erp, needed)
    if state == "42000":
        return AccessDenied(
            f"{_capital(erp)} refused a read.",
            hint="Give the user SELECT on the tables of the administration.",
        )
    return Unavailable(
        f"{_capital(erp)} does not answer (SQLSTATE {state or 'unknown'}).",
        hint="Check that the server runs and can be reached from here, then run the same command again.",
    )


def _explained_sqlite(text: str, erp: str, needed: str) -> BrekzsyncError:
    if "no such" in text:
        return _not_an_administration(erp, needed)
    if "locked" in text or "busy" in text:
        return Unavailable(f"{_capital(erp)} is locked by another program.", hint="Try again later.")
    return ConfigurationError(f"{_capital(erp)} cannot be opened: {text}.", hint=f"{_SETTING}.")


def _not_an_administration(erp: str, needed: str) -> BrekzsyncError:
    return ConfigurationError(
        f"{_capital(erp)} has no {needed}: it is not an administration of Exact Globe.",
        hint=f"{_SETTING}: the name of the administration's database.",
        code="not_an_administration",
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
