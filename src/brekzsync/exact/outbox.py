"""The folder Exact's side reads from: documents appear in it whole, and the reader deletes what it imported.

``items/<key>.xml`` per item or ``items-<run>.xml`` per run, and ``index.xml`` over what lies there. One run
at a time writes (the flow's lock sees to it); the reader may delete any file at any moment.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Thread

from brekzsync.exact.bulk import BulkFile, entries_path
from brekzsync.exact.durable import PART, part_of, sync_folder, translated, write_whole
from brekzsync.exact.eexact.unread import Unread
from brekzsync.exact.index import EntriesOf, IndexEntry, Key, write_index

__all__ = ["BulkFile", "EntriesOf", "IndexEntry", "Key", "Outbox"]

# A disk answers one writer's fsync after the other; several writers share a journal commit (docs/decisions).
_WRITERS = 8
_FEW = 16  # below this, starting threads costs more than it saves

_ITEM_FILE = re.compile(r"(0|[1-9][0-9]{0,17})-(0|[1-9][0-9]{0,17})\.xml")
_STAGED = re.compile(r"\.(items-[\w-]+\.xml)\.acknowledgements")
_BULK_FILE = re.compile(r"items-([0-9]{8}T[0-9]{6}Z)-[\w-]+\.xml")
_STAMP = "%Y%m%dT%H%M%SZ"


class Outbox:
    """``directory`` is touched by nothing but the methods, so naming it creates nothing."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.items_directory = directory / "items"

    def prepare(self) -> None:
        """Make the folders and clear away what a killed run left unfinished; safe to repeat.

        Raises ``ConfigurationError`` where this user cannot read and write them.
        """
        for folder in (self.directory, self.items_directory):
            with translated(folder, setting=True):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
                for name in _names(folder):
                    if name.startswith(".") and self._is_left_over(name):
                        (folder / name).unlink(missing_ok=True)

    def write_items(self, batch: Sequence[tuple[Key, bytes]]) -> None:
        """Write one document per item, replacing unread older ones; durable when this returns.

        After an error those already in place are whole, and nothing half written is left.
        """
        if not batch:
            return
        with translated(self.items_directory):
            if len(batch) < _FEW:
                self._write_share(batch, Event())
            else:
                self._write_together(batch)
            sync_folder(self.items_directory)

    def open_bulk(self, run: str) -> BulkFile:
        """The one document of this run, to be filled and committed; ``run`` is ``20261121T121500Z-<id>``.

        Readers take the files in the order of their names, so the name's time is raised where an unread one
        bears a later or the same second: a clock that stepped back must not make new documents look old.
        """
        name = f"items-{run}.xml"
        if not _BULK_FILE.fullmatch(name):
            raise ValueError(f"{run!r} is no run name: the index would not find its file")
        newest = max(self.unread_bulk(), default="")
        if match := _BULK_FILE.fullmatch(newest):
            following = datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC) + timedelta(seconds=1)
            name = max(name, f"items-{following.strftime(_STAMP)}-{run.partition('-')[2]}.xml")
        return BulkFile(self.directory / name, self._withdraw_superseded)

    def shown_bulk(self) -> list[Path]:
        """Acknowledgements of bulk documents that were shown, left by a run that died before it took them in.

        While a document's part is still there it was never shown, and its acknowledgements are removed.
        """
        shown = []
        with translated(self.directory, setting=True):
            for name in sorted(_names(self.directory)):
                if not (match := _STAGED.fullmatch(name)):
                    continue
                if os.path.exists(part_of(str(self.directory / match[1]))):
                    (self.directory / name).unlink(missing_ok=True)
                else:
                    # What the dead writer may not have come to: older item files must not be imported after it.
                    self._withdraw_superseded(entries_path(self.directory / match[1]))
                    shown.append(self.directory / name)
        return shown

    def withdraw(self, keys: Iterable[Key]) -> int:
        """Take unread item files away; how many were still there. A folder that is not there has none."""
        withdrawn = 0
        with translated(self.items_directory):
            for key in keys:
                try:
                    os.unlink(self._path_of(key))
                except FileNotFoundError:
                    continue
                withdrawn += 1
            if withdrawn:
                sync_folder(self.items_directory)
        return withdrawn

    def unread_item(self, key: Key) -> Path | None:
        """The file of an item that lies there unread, if one does."""
        path = Path(self._path_of(key))
        try:
            return path if path.is_file() else None
        except OSError:  # a folder this user may not look into: nothing is known of it
            return None

    def where_unread(self, keys: Collection[Key]) -> dict[Key, Path]:
        """Where the newest unread document of each of these items lies, of those that have one.

        A folder this user may not look into tells of none.
        """
        with suppress(OSError):
            found = {key: path for key in keys if (path := self.unread_item(key))}
            for name in reversed(self.unread_bulk()):  # an item file is newer than any bulk file beside it
                for key in self._held_by(name, set(keys) - found.keys()):
                    found[key] = self.directory / name
            return found
        return {}

    def _held_by(self, name: str, keys: Collection[Key]) -> set[Key]:
        if not keys:
            return set()
        with (
            suppress(FileNotFoundError),
            open(entries_path(self.directory / name), encoding="utf-8") as lines,
        ):
            return {key for line in lines if (key := _key_of(line)) in keys}
        return set()

    def unread_document(self, key: Key) -> Unread | None:
        """The document of an item that lies there unread, if one does."""
        with translated(self.items_directory):
            try:
                with open(self._path_of(key), encoding="utf-8") as file:
                    return Unread(file.read())
            except (FileNotFoundError, NotADirectoryError):
                return None

    def unread_items(self) -> Iterator[Key]:
        """The keys of the item files lying there, in no order."""
        for name in _names(self.items_directory):
            if match := _ITEM_FILE.fullmatch(name):
                yield int(match[1]), int(match[2])

    def unread_bulk(self) -> list[str]:
        """The names of the bulk files lying there, oldest first."""
        return sorted(name for name in _names(self.directory) if _BULK_FILE.fullmatch(name))

    def unread_bulk_with(self, keys: Collection[Key]) -> list[str]:
        """The unread bulk files that hold one of these items, oldest first; one whose entries are lost may."""
        with translated(self.directory, setting=True):
            return [name for name in self.unread_bulk() if self._may_hold(name, keys)]

    def _may_hold(self, name: str, keys: Collection[Key]) -> bool:
        try:
            with open(entries_path(self.directory / name), encoding="utf-8") as lines:
                return any(_key_of(line) in keys for line in lines)
        except FileNotFoundError:
            return True

    def write_index(self, entries_of: EntriesOf, generated: datetime) -> int:
        """List in ``index.xml`` what lies there now, and return how many entries that is."""
        return write_index(
            self.directory,
            items=self.unread_items(),
            bulks=[(name, entries_path(self.directory / name)) for name in self.unread_bulk()],
            entries_of=entries_of,
            generated=generated,
        )

    def _path_of(self, key: Key) -> str:
        return f"{self.items_directory}/{key[0]}-{key[1]}.xml"

    def _is_left_over(self, name: str) -> bool:
        if name.endswith(PART):
            return True
        # The entries of a bulk file outlive it: the reader deletes only what it sees.
        return name.endswith(".entries") and not (self.directory / f"{name[1:-8]}.xml").exists()

    def _write_share(self, share: Sequence[tuple[Key, bytes]], stopped: Event) -> None:
        for key, content in share:
            if stopped.is_set():
                return
            write_whole(self._path_of(key), content)

    def _write_together(self, batch: Sequence[tuple[Key, bytes]]) -> None:
        stopped = Event()
        failures: list[BaseException] = []

        def write(share: Sequence[tuple[Key, bytes]]) -> None:
            try:
                self._write_share(share, stopped)
            except BaseException as error:
                stopped.set()
                failures.append(error)

        writers: list[Thread] = []
        try:
            for number in range(_WRITERS):
                writer = Thread(target=write, args=(batch[number::_WRITERS],))
                writer.start()
                writers.append(writer)
            for writer in writers:
                writer.join()
        finally:
            # Also when a signal interrupts the waiting: no writer may outlive this call.
            stopped.set()
            for writer in writers:
                writer.join()
        if failures:
            raise failures[0]

    def _withdraw_superseded(self, entries: Path) -> None:
        """Remove unread item files whose item the new bulk file holds: what lies there is the newest."""
        if next(self.unread_items(), None) is None:
            return
        with suppress(FileNotFoundError), open(entries, encoding="utf-8") as lines:
            self.withdraw(_key_of(line) for line in lines)


def _key_of(line: str) -> Key:
    major, _, minor = line.split('"', 2)[1].partition("-")
    return int(major), int(minor)


def _names(folder: Path) -> Iterator[str]:
    """The names in a folder, one at a time; none where there is no such folder."""
    try:
        with os.scandir(folder) as found:
            for entry in found:
                yield entry.name
    except FileNotFoundError:
        return
