"""Stands in for pyodbc: takes what SQLAlchemy sends to a SQL Server and writes it down."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest

# What SQLAlchemy asks of every new server.
_GREETINGS = {
    "ProductVersion": [("16.0.1000.6",)],
    "schema_name()": [("dbo",)],
    "test max support": [("test max support",)],
    "transaction_isolation_level": [("READ COMMITTED",)],
    "sys.system_views": [("dm_exec_sessions",)],
    "fn_listextendedproperty": [],
}


@dataclass
class Sent:
    """A statement with its parameters and the ODBC types they were bound as."""

    text: str
    parameters: list[Any]
    types: list[Any]


@dataclass
class Server:
    """What was sent, greetings aside; ``answer`` makes rows of a statement's text."""

    sent: list[Sent] = field(default_factory=list)
    answer: Callable[[str], list[tuple[Any, ...]]] = lambda text: []
    connections: list[Connection] = field(default_factory=list)
    fetched: list[int] = field(default_factory=list)

    def texts(self) -> list[str]:
        return [" ".join(sent.text.split()) for sent in self.sent]


class Connection:
    """A ``pyodbc.Connection`` made of a connection string; ``timeout`` is that of statements."""

    def __init__(self, server: Server, string: str, **options: Any) -> None:
        self.server, self.string, self.options = server, string, options
        self.timeout = 0

    def cursor(self) -> Cursor:
        return Cursor(self.server)

    def getinfo(self, _what: int) -> str:
        return "a driver"

    def commit(self) -> None:
        raise AssertionError("nothing is ever written")

    def rollback(self) -> None: ...
    def close(self) -> None: ...
    def add_output_converter(self, _type: int, _convert: object) -> None: ...


class Cursor:
    """A ``pyodbc.Cursor`` whose answer has as many columns as its first row."""

    rowcount = -1

    def __init__(self, server: Server) -> None:
        self._server = server
        self._types: list[Any] = []
        self._rows: list[tuple[Any, ...]] = []
        self.description: list[Any] = []

    def setinputsizes(self, types: list[Any]) -> None:
        self._types = types

    def execute(self, text: str, *parameters: Any) -> None:
        given = parameters[0] if len(parameters) == 1 and isinstance(parameters[0], Sequence) else parameters
        for mark, rows in _GREETINGS.items():
            if mark in text:
                self._answer(rows, text)
                return
        self._server.sent.append(Sent(text, list(given), list(self._types)))
        self._answer(self._server.answer(text), text)

    def _answer(self, rows: list[tuple[Any, ...]], text: str) -> None:
        self._rows = list(rows)
        width = len(rows[0]) if rows else text.split(" FROM ")[0].split("\n")[0].count(",") + 1
        self.description = [(f"c{n}", None, None, None, None, None, None) for n in range(width)]

    def fetchone(self) -> tuple[Any, ...] | None:
        return self._rows.pop(0) if self._rows else None

    def fetchall(self) -> list[tuple[Any, ...]]:
        rows, self._rows = self._rows, []
        return rows

    def fetchmany(self, size: int = 1) -> list[tuple[Any, ...]]:
        self._server.fetched.append(size)
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def close(self) -> None: ...


def install(monkeypatch: pytest.MonkeyPatch) -> Server:
    """Put a server behind the name pyodbc."""
    server = Server()
    module = ModuleType("pyodbc")

    def connect(string: str, **options: Any) -> Connection:
        server.connections.append(Connection(server, string, **options))
        return server.connections[-1]

    errors = ("Error", "DatabaseError", "InterfaceError", "OperationalError", "ProgrammingError", "DataError")
    for name in (*errors, "IntegrityError", "InternalError", "NotSupportedError"):
        setattr(module, name, type(name, (Exception,), {}))
    for number, name in enumerate(("SQL_VARCHAR", "SQL_WVARCHAR", "SQL_DECIMAL", "SQL_DRIVER_NAME")):
        setattr(module, name, f"{name}" if number < 3 else number)
    module.Cursor = Cursor  # type: ignore[attr-defined]
    module.DATETIME = datetime  # type: ignore[attr-defined]
    module.paramstyle = "qmark"  # type: ignore[attr-defined]
    module.version = "5.5.0"  # type: ignore[attr-defined]
    module.pooling = True  # type: ignore[attr-defined]
    module.connect = connect  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "pyodbc", module)
    return server
