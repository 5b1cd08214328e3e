"""Acknowledgements waiting for the document that carries them, in a file of their own.

Written by the process that writes the document (standard library only: that process stays small), taken into
the ledger when the document is in place (``Ledger.acknowledge_staged``).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from brekzsync.domain.ledger import Acknowledgement
from brekzsync.errors import PermanentError

STAGED_TABLE: Final = "acknowledgement"
_BATCH: Final = 2_000
_FIELDS: Final = ", ".join(Acknowledgement._fields)
_PLACES: Final = ", ".join("?" for _ in Acknowledgement._fields)


class StagedFile:
    """A file of acknowledgements; nothing in it is worth keeping after a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _explained(path):
            self._connection = sqlite3.connect(path, isolation_level=None)
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -1024"):
                self._connection.execute(f"PRAGMA {pragma}")
            self._connection.execute(
                f"CREATE TABLE IF NOT EXISTS {STAGED_TABLE} (number INTEGER PRIMARY KEY, {_FIELDS})"
            )

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add rows with the fields of ``Acknowledgement``, in key order. Raises PermanentError (a full disk)."""
        with _explained(self.path):
            self._connection.execute("BEGIN")
            self._connection.executemany(f"INSERT INTO {STAGED_TABLE} ({_FIELDS}) VALUES ({_PLACES})", rows)
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close it; the file stays."""
        self._connection.close()


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise PermanentError(
            f"Cannot write {path}: {error}.",
            hint="Free some space there and run the same command again; nothing was acknowledged.",
            code="disk_full" if "full" in str(error) or "I/O" in str(error) else "output_unusable",
        ) from error


def is_whole(path: Path) -> bool:
    """Whether a staged file can be read: a power cut may have taken part of it.

    What stood in one that cannot is delivered again; it must never keep a run from going on.
    """
    try:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"SELECT COUNT(*) FROM {STAGED_TABLE}").fetchone()
            return bool(connection.execute("PRAGMA quick_check").fetchone() == ("ok",))
    except sqlite3.Error:
        return False


def staged_batches(path: Path) -> Iterator[list[Acknowledgement]]:
    """What a staged file holds, in batches, in the order it was added."""
    if not is_whole(path):
        return
    connection = sqlite3.connect(path)
    try:
        cursor = connection.execute(f"SELECT {_FIELDS} FROM {STAGED_TABLE} ORDER BY number")
        while rows := cursor.fetchmany(_BATCH):
            yield [Acknowledgement(*row)._replace(known=bool(row[-1])) for row in rows]
    finally:
        connection.close()
