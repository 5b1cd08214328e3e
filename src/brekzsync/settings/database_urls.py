"""Database URLs as the configuration gives them, made ready for SQLAlchemy without importing it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote_plus, unquote, unquote_plus

_URL = re.compile(
    r"(?P<backend>[a-z]\w*)(?:\+(?P<driver>\w+))?://"
    r"(?:[^@/]*(?:@[^@/]*)*@)?(?P<host>\[[^\]]*\]|[^/?:@]*)(?::(?P<port>[^/?]*))?(?:/(?P<database>[^?]*))?(?:\?.*)?",
    re.DOTALL,
)
_PASSWORD = re.compile(r"(://[^:@/]*:)[^/]*(?=@)")
_SECRET_PART = re.compile(
    r"([^=]*(?:pass|pwd|secret|token|key|odbc_connect)[^=]*=).*", re.IGNORECASE | re.DOTALL
)
_SECRET_VALUE = re.compile(r"\??[^=]*(?:pass|pwd|secret|token)[^=]*=(.*)", re.IGNORECASE | re.DOTALL)
# Within an ODBC connection string a value that holds a semicolon stands in braces, where }} means }.
_ODBC_SECRET = re.compile(r"\b(?:pwd|password)\s*=\s*(?:\{((?:[^}]|\}\})*)\}|([^;]*))", re.IGNORECASE)
_KNOWN = re.compile(r"(?:sqlite|mysql|mariadb|postgresql|mssql)(?:\+\w+)?://")
_SERVER_BACKENDS = ("mysql", "mariadb", "postgresql")


def resolve_url(url: str, backends: tuple[str, ...], folder: Path | None) -> str:
    """Check the parts SQLAlchemy would stumble over later, choose a driver, anchor a relative SQLite path.

    ``folder`` is where relative SQLite paths start; ``None`` leaves them as they are. Raises ``ValueError``
    with a sentence that never repeats the URL, which holds a password.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError(f"must be a database URL, such as {_example(backends[0])}")
    backend = match["backend"]
    if backend not in backends:
        known = ", ".join(f"{name}://" for name in backends)
        raise ValueError(f"must start with one of {known}, not {backend}://")
    if match["port"] and not match["port"].isdecimal():
        raise ValueError(
            "has a port that is not a number; write an @, / or : inside the password as %40, %2F or %3A"
        )
    if backend == "sqlite":
        return _anchored(url, folder)
    if backend in _SERVER_BACKENDS and not match["database"]:
        raise ValueError("must end with the name of the database, such as " + _example(backend))
    if backend in ("mysql", "mariadb") and match["driver"] is None:
        return f"mysql+{fastest_mysql_driver()}{url[len(backend) :]}"
    return url


def without_password(url: str, hidden: str) -> str:
    """A URL to be shown: ``hidden`` instead of its password and of a query's values that may hold one."""
    masked = _PASSWORD.sub(lambda match: match[1] + hidden, url)
    address, question, query = masked.partition("?")
    parts = [_SECRET_PART.sub(lambda match: match[1] + hidden, part) for part in query.split("&")]
    return address + question + "&".join(parts)


def is_database_url(text: str) -> bool:
    """Whether a secret is a database URL, of which only parts are secret, and no token that holds ``://``."""
    return _KNOWN.match(text) is not None


def passwords_in(url: str) -> Iterator[str]:
    """What a URL holds that nobody may read, as written and as meant, wherever in the URL it stands."""
    if match := _PASSWORD.search(url):
        written = url[match.end(1) : match.end()]
        yield from (written, unquote(written))
    for part in url.partition("?")[2].split("&"):
        if match := _SECRET_VALUE.fullmatch(part):
            yield from (match[1], unquote_plus(match[1]))
        elif part.lower().startswith("odbc_connect="):
            for braced, bare in _ODBC_SECRET.findall(unquote_plus(part)):
                meant = braced or bare.strip()
                yield from (quote_plus(meant), meant, meant.replace("}}", "}"))


def fastest_mysql_driver() -> str:
    """mysqlclient (extra ``fast``) where it is installed, else PyMySQL; looked up, not imported."""
    return "mysqldb" if find_spec("MySQLdb") is not None else "pymysql"


def _anchored(url: str, folder: Path | None) -> str:
    """A SQLite URL with its path made absolute; ``sqlite://`` and ``:memory:`` stay in memory."""
    head, _, path = url.partition("://")
    path, question, query = path.partition("?")
    if not path.startswith("/"):
        if path:
            raise ValueError("needs three slashes before a SQLite path, such as sqlite:///shop.db")
        return url
    path = path[1:]
    scheme = "file:" if path.startswith("file:") else ""
    path = path.removeprefix("file:")
    if folder is None or path in ("", ":memory:") or Path(path).is_absolute():
        return url
    return f"{head}:///{scheme}{(folder / path).as_posix()}{question}{query}"


def _example(backend: str) -> str:
    examples = {
        "sqlite": "sqlite:///shop.db",
        "mssql": "mssql+pyodbc://user:password@host/500?driver=ODBC+Driver+18+for+SQL+Server",
    }
    return examples.get(backend, f"{backend}://user:password@host/database")
