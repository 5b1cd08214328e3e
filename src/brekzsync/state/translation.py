"""A database driver's exception as one of ours: a sentence, a remedy, and no password.

SQLite's codes: https://www.sqlite.org/rescode.html; MariaDB's: https://mariadb.com/kb/en/mariadb-error-codes/;
PostgreSQL's: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, PermanentError, Unavailable


class NothingDone(Unavailable):
    """The database could not be reached, or undid the whole transaction: repeating it is safe."""


_MARIADB_UNREACHED: Final = {1040, 1129, 1152, 1203, 2002, 2003, 2005}
_MARIADB_UNDONE: Final = {1205, 1213}
_MARIADB_LOST: Final = {1053, 1077, 1159, 1161, 1317, 1927, 1969, 2006, 2013, 2055, 3024, 4031}
_MARIADB_REFUSED: Final = {1044, 1045, 1095, 1130, 1142, 1143, 1227, 1290, 1370, 1410, 1698, 1792, 1836}
_MARIADB_FULL: Final = {1021, 1114}
_MARIADB_NO_DATABASE: Final = {1046, 1049}
_MARIADB_OTHER_TABLES: Final = {1050, 1054, 1146}
_MARIADB_LOGIN_UNKNOWN: Final = {1251, 2026, 2058, 2059, 2061}

_HINT_LATER = "The same command finishes the job later; `[state] database` says where the state is kept."
_HINT_DISK = "Free some space, then run the same command again."


def describe(url: URL) -> str:
    """The database in a sentence: a path, or a name and a host; never a user's password or a URL's query."""
    if url.get_backend_name() == "sqlite":
        return f"The state database {url.database or '(in memory)'}"
    port = f":{url.port}" if url.port else ""
    return f'The state database "{url.database or ""}" on {url.host or "localhost"}{port}'


def translate(error: Exception, url: URL, *, connecting: bool) -> BrekzsyncError:
    """The error to raise instead of a driver's.

    ``connecting`` says that nothing had been sent yet, so that what is unreachable may be tried again.
    """
    original = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if isinstance(original, sqlite3.Error):
        return _from_sqlite(original, url)
    state = getattr(original, "sqlstate", None)
    if url.get_backend_name() == "postgresql":
        return _from_postgresql(original, state, url, connecting=connecting)
    number = original.args[0] if original.args else None
    if isinstance(number, int):
        return _from_mariadb(number, original, url, connecting=connecting)
    return _unknown(original, url)


def _from_sqlite(error: sqlite3.Error, url: URL) -> BrekzsyncError:
    what = describe(url)
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return Unavailable(
            f"{what} was locked by another process for too long.",
            hint="Wait for the other command to end, then run the same command again.",
            code="state_busy",
        )
    if code == sqlite3.SQLITE_FULL:
        return _full(what)
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FORMAT}:
        return PermanentError(
            f"{what} is damaged ({error}).",
            hint="Put a backup of the file in its place, with no -wal and -shm file beside it.",
            code="state_corrupt",
        )
    if code == sqlite3.SQLITE_NOTADB:
        return ConfigurationError(
            f"{what} is not an SQLite database.",
            hint="Correct `[state] database`: the path holds some other file.",
            code="state_not_a_database",
        )
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH}:
        return _not_writable(what)
    if code == sqlite3.SQLITE_CANTOPEN:
        return _cannot_open(what, Path(url.database or "."))
    if code == sqlite3.SQLITE_IOERR:
        return PermanentError(
            f"{what} cannot be read or written ({error}).",
            hint="Look at the disk: `dmesg` and `df` say more.",
            code="state_io",
        )
    return _unknown(error, url)


def _cannot_open(what: str, path: Path) -> BrekzsyncError:
    if path.is_dir():
        return ConfigurationError(
            f"{what} is a directory.",
            hint="Let `[state] database` name a file in it, such as sqlite:///state.db.",
            code="state_is_a_directory",
        )
    return _not_writable(what)


def _not_writable(what: str) -> BrekzsyncError:
    return AccessDenied(
        f"{what} may not be written by this user.",
        hint="Let the user who runs brekzsync own the file and its directory (SQLite writes there too).",
        code="state_not_writable",
    )


def _full(what: str) -> BrekzsyncError:
    return PermanentError(
        f"{what} cannot grow: no space left on the device.", hint=_HINT_DISK, code="state_disk_full"
    )


def _refused(what: str, detail: object) -> BrekzsyncError:
    return AccessDenied(
        f"{what} refused us: {detail}.",
        hint="Check user, password and grants of `[state] database`: all rights on its own database.",
        code="state_access_denied",
    )


def _no_database(what: str) -> BrekzsyncError:
    return ConfigurationError(
        f"{what} does not exist.",
        hint="Create the empty database, then run `brekzsync db upgrade`; or correct `[state] database`.",
        code="state_missing",
    )


def _unavailable(what: str, detail: object, *, connecting: bool) -> BrekzsyncError:
    if connecting:
        return NothingDone(f"{what} does not answer: {detail}.", hint=_HINT_LATER, code="state_unavailable")
    return Unavailable(
        f"{what} went away in the middle of the work: {detail}.", hint=_HINT_LATER, code="state_unavailable"
    )


def _from_mariadb(number: int, error: BaseException, url: URL, *, connecting: bool) -> BrekzsyncError:
    what = describe(url)
    detail = _detail(error)
    if number in _MARIADB_UNDONE:
        return NothingDone(f"{what} is too busy: {detail}.", hint=_HINT_LATER, code="state_busy")
    if number in _MARIADB_UNREACHED or number in _MARIADB_LOST:
        return _unavailable(what, detail, connecting=connecting)
    if number in _MARIADB_REFUSED:
        return _refused(what, detail)
    if number in _MARIADB_NO_DATABASE:
        return _no_database(what)
    if number in _MARIADB_FULL:
        return _full(what)
    if number in _MARIADB_OTHER_TABLES:
        return ConfigurationError(
            f"{what} holds other tables than ours: {detail}.",
            hint="Give brekzsync a database of its own in `[state] database`, or run `brekzsync db upgrade`.",
            code="state_other_tables",
        )
    if number in _MARIADB_LOGIN_UNKNOWN:
        return ConfigurationError(
            f"{what} asks for a login or an encryption the driver does not know: {detail}.",
            hint="Use the other driver (mysql+mysqldb, mysql+pymysql), or mysql_native_password.",
            code="state_login",
        )
    return _unknown(error, url)


def _from_postgresql(
    error: BaseException, state: str | None, url: URL, *, connecting: bool
) -> BrekzsyncError:
    what = describe(url)
    detail = _detail(error)
    if state in {"28000", "28P01", "42501"} or "authentication failed" in detail:
        return _refused(what, detail)
    if state == "3D000" or (connecting and 'database "' in detail and "does not exist" in detail):
        return _no_database(what)
    if state in {"40001", "40P01", "55P03"}:
        return NothingDone(f"{what} is too busy: {detail}.", hint=_HINT_LATER, code="state_busy")
    if state == "53100":
        return _full(what)
    if connecting or (state or "")[:2] in {"08", "53", "57"}:
        return _unavailable(what, detail, connecting=connecting)
    return _unknown(error, url)


def _detail(error: BaseException) -> str:
    text = str(error.args[1]) if len(error.args) > 1 else str(error)
    return text.strip().splitlines()[0].rstrip(".") if text.strip() else type(error).__name__


def _unknown(error: BaseException, url: URL) -> BrekzsyncError:
    return PermanentError(
        f"{describe(url)} answered with an error: {_detail(error)}.",
        hint="Run `brekzsync db upgrade`; if it stays, report it with the log file.",
        code="state_failed",
    )
