"""The database of the inbox: the state's kind of connection, and one that makes many small groups durable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.engine import URL

from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError
from brekzsync.state.connection import Database, in_memory

_WORDS = {
    "The state database": "The inbox",
    "`[state] database`": "`[inbox] database`",
    ", then run `brekzsync db upgrade`": "",
    "Run `brekzsync db upgrade`; if it stays, report it": "If it stays, report it",
}


class InboxDatabase(Database):
    """A database whose errors speak of the inbox."""

    def __init__(self, url: URL, *, read_only: bool = False) -> None:
        super().__init__(url, read_only=read_only)
        self.name = _of_inbox(self.name)
        self._durable: Connection | None = None

    @property
    def keeps_a_connection(self) -> bool:
        """Whether ``insert_durably`` is for it."""
        return self._keeps

    @contextmanager
    def translated(self, *, connecting: bool = False) -> Iterator[None]:
        try:
            with super().translated(connecting=connecting):
                yield
        except BrekzsyncError as error:
            error.message, error.hint = _of_inbox(error.message), _of_inbox(error.hint)
            error.args = (error.message,)
            raise

    def insert_durably(self, statement: str, rows: Sequence[tuple[Any, ...]]) -> list[bool]:
        """Run an inserting statement for each row in one transaction that is on the disk when this returns;
        which of them inserted something. For one thread, and for a SQLite file: its connection stays open."""
        with self._turn():
            connection = self._durable or self._connect_durably()
            self._durable = None
            try:
                with self.translated():
                    driver = connection.connection.dbapi_connection
                    assert driver is not None
                    driver.execute("BEGIN IMMEDIATE")
                    inserted = [driver.execute(statement, row).rowcount == 1 for row in rows]
                    driver.execute("COMMIT")
            except BaseException:
                with suppress(BrekzsyncError), self.translated():
                    connection.close()  # undoes what was done
                raise
            self._durable = connection
            return inserted

    def prepare_file(self) -> None:
        """Smaller pages than the state's: a commit of a few webhooks writes every page it touches to the disk whole,
        and most of what it touches are pages of an index, one for each record."""
        with self._connect_once() as connection, self.translated():
            cursor = connection.connection.cursor()
            cursor.execute("PRAGMA page_size = 4096")
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.close()

    def _connect_durably(self) -> Connection:
        connection = self._connect_once()
        connection.detach()
        with self.translated():
            driver = connection.connection.dbapi_connection
            assert driver is not None
            # A thousand commits a second write the same few pages again and again: later, they are copied once.
            for pragma in ("synchronous = FULL", "wal_autocheckpoint = 4000"):
                driver.execute(f"PRAGMA {pragma}")
        return connection

    def close(self) -> None:
        with self._turn(), self.translated():
            if self._durable is not None:
                self._durable.close()
                self._durable = None
        super().close()


def make_directory(url: URL) -> None:
    """The folder of a SQLite file. Raises ConfigurationError or AccessDenied."""
    if url.get_backend_name() != "sqlite" or in_memory(url):
        return
    directory = Path(url.database or "").parent
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigurationError(
            f"The inbox cannot lie in {directory}: that is not a directory.",
            hint="Correct `[inbox] database`.",
            code="state_not_a_directory",
        ) from error
    except OSError as error:
        raise AccessDenied(
            f"The directory {directory} for the inbox cannot be made: {error.strerror}.",
            hint="Make it, and let the user who runs brekzsync own it.",
            code="state_not_writable",
        ) from error


def is_missing_file(url: URL) -> bool:
    """Whether it is a SQLite file that does not exist or holds nothing."""
    if url.get_backend_name() != "sqlite" or in_memory(url):
        return False
    path = Path(url.database or "")
    try:
        return not path.is_dir() and (not path.exists() or path.stat().st_size == 0)
    except PermissionError as error:
        raise AccessDenied(
            f"The inbox {path} may not be read by this user.",
            hint="Let the user who runs brekzsync own the file and the directory it lies in.",
            code="state_not_writable",
        ) from error


def _of_inbox(text: str) -> str:
    for state, inbox in _WORDS.items():
        text = text.replace(state, inbox)
    return text
