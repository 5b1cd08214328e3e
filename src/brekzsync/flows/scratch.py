"""A temporary database for what a run must look up but should not hold in memory.

SQLite keeps it in a small cache and spills to an anonymous file that vanishes with the run.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_CACHE_KIB = 2048


class Scratch:
    """A private SQLite database without durability."""

    def __init__(self, *, any_thread: bool = False) -> None:
        # "" is a temporary on-disk database. Threads that share it take turns by themselves.
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=not any_thread)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
            self._connection.execute(f"PRAGMA {pragma}")

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Execute one statement and give its rows."""
        return self._connection.execute(statement, parameters).fetchall()

    def stream(self, statement: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """The rows of a statement, one by one."""
        return iter(self._connection.execute(statement, parameters))

    def fill(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        """Execute a statement for each row, in one transaction."""
        self._connection.execute("BEGIN")
        self._connection.executemany(statement, rows)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Drop it."""
        self._connection.close()
