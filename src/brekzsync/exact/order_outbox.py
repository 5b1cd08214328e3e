"""The folders orders and refunds go to: a document lies there whole or not at all, and once.

``orders/<id>.xml`` for each order and ``orders/index.xml`` over what lies there; ``refunds/`` likewise. A document
is *staged* under a hidden name first and *shown* by renaming it, so that its claim can be on disk in between.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from brekzsync.exact.durable import part_of, sync_folder, translated, write_all, write_whole
from brekzsync.exact.index import index_line, page_of_index

_FILE = re.compile(r"([1-9][0-9]{0,17})\.xml")
_STAGED = re.compile(r"\.([1-9][0-9]{0,17})\.xml\.part")
_BATCH = 500
_translated = partial(translated, choices="output under [orders], or under [products]")


class OrderEntry(NamedTuple):
    """What an index says of one document; ``modified`` is ISO 8601 UTC, when it was first due."""

    code: str
    modified: str
    version: str


EntriesOf = Callable[[Sequence[int]], Mapping[int, OrderEntry]]


class OrderOutbox:
    """``directory`` is touched by nothing but the methods, so naming it creates nothing. One run at a time writes;
    the reader may delete any document at any moment."""

    def __init__(self, directory: Path, topic: str) -> None:
        self.directory = directory
        self._topic = topic

    def prepare(self) -> None:
        """Make the folder. Raises ConfigurationError where this user cannot read and write it."""
        with _translated(self.directory, setting=True):
            self.directory.mkdir(parents=True, exist_ok=True)
            if not os.access(self.directory, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    def stage(self, batch: Iterable[tuple[int, bytes]]) -> None:
        """Write documents durably where no reader looks."""
        with _translated(self.directory):
            for id_, content in batch:
                descriptor = os.open(self._staged(id_), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
                try:
                    write_all(descriptor, content)
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            sync_folder(self.directory)

    def show(self, ids: Iterable[int]) -> None:
        """Let readers see staged documents; durable when this returns."""
        with _translated(self.directory):
            for id_ in ids:
                os.replace(self._staged(id_), self._path(id_))
            sync_folder(self.directory)

    def discard(self, ids: Iterable[int]) -> None:
        """Take staged documents away again."""
        with _translated(self.directory):
            for id_ in ids:
                with suppress(FileNotFoundError):
                    os.unlink(self._staged(id_))

    def staged(self) -> list[int]:
        """The ids of what a killed run staged and did not show."""
        with _translated(self.directory):
            return sorted(int(match[1]) for name in self._names() if (match := _STAGED.fullmatch(name)))

    def lies_unread(self, id_: int) -> bool:
        """Whether nobody has taken a document yet; in a folder this user may not look into it counts as untaken.

        Nor has anybody taken what is still staged: a run is about to show it.
        """
        # In this order: a document is renamed from the first place to the second.
        return _may_lie_at(self._staged(id_)) or _may_lie_at(self._path(id_))

    def withdraw(self, ids: Iterable[int]) -> None:
        """Take documents away, those of them that lie there. A folder that is not there has none."""
        with _translated(self.directory):
            withdrawn = False
            for id_ in ids:
                with suppress(FileNotFoundError):
                    os.unlink(self._path(id_))
                    withdrawn = True
            if withdrawn:
                sync_folder(self.directory)

    def unread(self) -> Iterator[int]:
        """The ids of what lies there, in no order."""
        for name in self._names():
            if match := _FILE.fullmatch(name):
                yield int(match[1])

    def write_index(self, entries_of: EntriesOf, generated: datetime) -> int:
        """List in ``index.xml`` what lies there now, and return how many entries that is."""
        with _translated(self.directory):
            ids = iter(sorted(self.unread()))
            lines = []
            while some := list(islice(ids, _BATCH)):
                known = entries_of(some)
                for id_ in some:
                    entry = known.get(id_, OrderEntry("", "", ""))
                    lines.append(index_line(str(id_), *entry, f"{id_}.xml"))
            page = page_of_index(lines, generated=generated, topic=self._topic)
            write_whole(str(self.directory / "index.xml"), page)
            sync_folder(self.directory)
            return len(lines)

    def _names(self) -> Iterator[str]:
        try:
            with os.scandir(self.directory) as found:
                for entry in found:
                    yield entry.name
        except FileNotFoundError:
            return

    def _path(self, id_: int) -> str:
        return str(self.directory / f"{id_}.xml")

    def _staged(self, id_: int) -> str:
        return part_of(self._path(id_))


def _may_lie_at(path: str) -> bool:
    """Whether a file is there, or cannot be looked for (``os.path.lexists`` would say that it is not)."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True
