"""One document for a whole run: items streamed to disk, their price lines behind them."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from shutil import copyfileobj
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Self

from brekzsync.exact.durable import part_of, sync_folder, translated
from brekzsync.exact.eexact.items import (
    DOCUMENT_END,
    DOCUMENT_START,
    ITEMS_END,
    ITEMS_START,
    PRICES_END,
    PRICES_START,
)

_WAITING = 1 << 19  # characters joined before they are encoded and written; an embedded image is one such
# How much is written before the disk is made to take it and the cache to let go of it. A gigabyte left to the
# end takes twice as long, and pushes the shop's database out of the machine's memory.
_SETTLED = 1 << 26


class BulkFile:
    """``items-<run>.xml`` in the making; visible only after ``commit``, whole.

    Used as a context manager: left without ``commit`` nothing stays behind. The file is opened when there is
    something to write, so a run without items makes none. Beside it lie its index entries,
    ``.items-<run>.entries``. ``name`` is what entries give as their ``href``.
    """

    def __init__(self, path: Path, superseded: Callable[[Path], None]) -> None:
        self.name = path.name
        self.path = path
        self._superseded = superseded
        self._entries_path = entries_path(self.path)
        self._part = part_of(str(self.path))
        self._opened = ExitStack()
        self._files: tuple[IO[bytes], IO[bytes], IO[bytes]] | None = None
        self._items: list[str] = []
        self._prices: list[str] = []
        self._entries: list[str] = []
        self._waiting = 0
        self._unsettled = 0
        self._has_prices = False
        self._committed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._committed:
            self._discard()

    def add(self, item: str, price: str, entry: str) -> None:
        """Take an ``Item`` element, its ``ItemPrice`` line or ``""``, and its index line."""
        self._items.append(item)
        self._waiting += len(item)
        self._entries.append(entry)
        if price:
            self._prices.append(price)
        if self._waiting > _WAITING:
            self._flush()

    def commit(self, before_shown: Callable[[], object] = lambda: None) -> Path | None:
        """Make the document durable and visible; its path, or None when nothing was added.

        ``before_shown`` is called when the document is complete and nobody can see it yet.
        """
        self._flush()
        if self._files is None:
            return None
        document, prices, entries = self._files
        with translated(self.path):
            document.write(ITEMS_END.encode())
            if self._has_prices:
                document.write(PRICES_START.encode())
                prices.seek(0)
                copyfileobj(prices, document, 1 << 20)
                document.write(PRICES_END.encode())
            document.write(DOCUMENT_END.encode())
            # The entries first: a document that is there has them.
            for file in (entries, document):
                file.flush()
                os.fsync(file.fileno())
            self._opened.close()
            before_shown()
            os.replace(self._part, self.path)
            self._committed = True
            sync_folder(self.path.parent)
            self._superseded(self._entries_path)
        return self.path

    def _flush(self) -> None:
        if not self._items:
            return
        with translated(self.path):
            document, prices, entries = self._files or self._open()
            self._unsettled += document.write("".join(self._items).encode())
            if self._unsettled > _SETTLED:
                self._settle(document)
            entries.write("".join(self._entries).encode())
            if self._prices:
                prices.write("".join(self._prices).encode())
                self._has_prices = True
        self._items, self._prices, self._entries, self._waiting = [], [], [], 0

    def _open(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        document = self._opened.enter_context(open(self._part, "wb"))  # noqa: SIM115
        # Without a name where the system can: a killed run leaves no trace of it.
        prices = self._opened.enter_context(TemporaryFile(dir=self.path.parent))  # noqa: SIM115
        entries = self._opened.enter_context(open(self._entries_path, "wb"))  # noqa: SIM115
        document.write((DOCUMENT_START + ITEMS_START).encode())
        self._files = document, prices, entries
        return self._files

    def _settle(self, document: IO[bytes]) -> None:
        document.flush()
        os.fsync(document.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(document.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        self._unsettled = 0

    def _discard(self) -> None:
        with suppress(OSError):  # a full disk refuses what is still buffered
            self._opened.close()
        for path in (self._part, self._entries_path):
            with suppress(OSError):
                os.unlink(path)


def entries_path(bulk: Path) -> Path:
    """Where the index lines of a bulk file lie."""
    return bulk.with_name(f".{bulk.stem}.entries")
