"""Acknowledgements waiting for the document that carries them, in a file of their own.

Written by the process that writes the document (standard library only: that process stays small), taken into
the ledger when the document is in place (``Ledger.acknowledge_staged``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from brekzsync.domain.ledger import Acknowledgement

STAGED_TABLE: Final = "acknowledgement"
_BATCH: Final = 2_000
_FIELDS: Final = ", ".join(Acknowledgement._fields)
_PLACES: Final = ", ".join("?" for _ in Acknowledgement._fields)


class StagedFile:
    """A file of acknowledgements; nothing in it is worth keeping after a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1024"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.execute(
            f"CREATE TABLE IF NOT EXISTS {STAGED_TABLE} (number INTEGER PRIMARY KEY, {_FIELDS})"
        )

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add rows with the fields of ``Acknowledgement``, in key order."""
        self._connection.execute("BEGIN")
        self._connection.executemany(f"INSERT INTO {STAGED_TABLE} ({_FIELDS}) VALUES ({_PLACES})", rows)
        self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close it; the file stays."""
        self._connection.close()


def staged_batches(path: Path) -> Iterator[list[Acknowledgement]]:
    """What a staged file holds, in batches, in the order it was added."""
    connection = sqlite3.connect(path)
    try:
        cursor = connection.execute(f"SELECT {_FIELDS} FROM {STAGED_TABLE} ORDER BY number")
        while rows := cursor.fetchmany(_BATCH):
            yield [Acknowledgement(*row)._replace(known=bool(row[-1])) for row in rows]
    finally:
        connection.close()
