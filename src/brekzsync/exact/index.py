"""The outbox's table of contents: one ``Entry`` for every item that lies there unread.

Bulk files come first, oldest first, then the item files in key order: whoever imports in the order of the
index ends with the newest version of every item.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, NamedTuple

from brekzsync.exact.durable import part_of, sync_folder, translated
from brekzsync.exact.eexact.items import escape

Key = tuple[int, int]

_BATCH = 2000
_END = b"</Index>\n"
_COUNT_DIGITS = 12


class IndexEntry(NamedTuple):
    """What the ledger knows of one unread item; ``modified`` is ISO 8601 UTC, when first seen different."""

    key_major: int
    key_minor: int
    code: str
    modified: str
    version: str

    def line(self, href: str) -> str:
        """The ``Entry`` element and its line end; ``href`` is relative to the index."""
        return index_line(f"{self.key_major}-{self.key_minor}", self.code, self.modified, self.version, href)


def index_line(id_: str, code: str, modified: str, version: str, href: str) -> str:
    """An ``Entry`` element and its line end; ``href`` is relative to the index."""
    if not code.isprintable() or "&" in code or "<" in code or ">" in code or '"' in code:
        code = escape(code)
    return f'<Entry id="{id_}" code="{code}" modified="{modified}" version="{version}" href="{href}"/>\n'


EntriesOf = Callable[[Sequence[Key]], Iterable[IndexEntry]]


def write_index(
    folder: Path,
    *,
    items: Iterable[Key],
    bulks: Iterable[tuple[str, Path]],
    entries_of: EntriesOf,
    generated: datetime,
) -> int:
    """Write ``folder/index.xml`` whole and return how many entries it holds.

    ``items`` are the keys of ``items/*.xml`` in any order, ``bulks`` the name of each bulk file, oldest
    first, and the file with its entries. ``entries_of`` is asked for at most 2,000 keys at a time.
    """
    path = str(folder / "index.xml")
    part = part_of(path)
    with translated(path):
        try:
            with open(part, "wb") as target:
                count = _fill(target, folder, items, bulks, entries_of, generated)
                target.flush()
                os.fsync(target.fileno())
            os.replace(part, path)
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
        sync_folder(folder)
    return count


def _fill(
    target: BinaryIO,
    folder: Path,
    items: Iterable[Key],
    bulks: Iterable[tuple[str, Path]],
    entries_of: EntriesOf,
    generated: datetime,
) -> int:
    start = _start(generated, 0)
    target.write(start)
    count = sum(_copy_bulk(target, folder / name, entries) for name, entries in bulks)
    for keys in _in_order(items):
        lines = _item_lines(folder, keys, entries_of)
        target.write("".join(lines).encode())
        count += len(lines)
    target.write(_END)
    # How many there are is known last but stands first; blanks keep the place for it.
    target.seek(0)
    target.write(_start(generated, count))
    return count


def page_of_index(
    lines: Sequence[str], *, generated: datetime, following: str = "", topic: str = "Items"
) -> bytes:
    """A page of an index of ``index_line``s; ``following`` asks for the next one, ``""`` when there is none."""
    return (_head(generated, len(lines), following, topic=topic) + "".join(lines)).encode() + _END


def _start(generated: datetime, count: int) -> bytes:
    return _head(generated, count, blanks=" " * (_COUNT_DIGITS - len(str(count)))).encode()


def _head(
    generated: datetime, count: int, following: str = "", blanks: str = "", topic: str = "Items"
) -> str:
    moment = generated.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Index topic="{topic}" generated="{moment}" count="{count}" more="{1 if following else 0}"'
        f' next="{following}"{blanks}>\n'
    )


def _copy_bulk(target: BinaryIO, bulk: Path, entries: Path) -> int:
    """Append a bulk file's own entry lines; without them (a file somebody put back) it still gets one."""
    try:
        with open(entries, "rb") as lines:
            copyfileobj(lines, target, 1 << 20)
            lines.seek(0)
            return sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b""))
    except FileNotFoundError:
        line = _line_of_stranger(bulk, "", bulk.name)
        target.write(line.encode())
        return 1 if line else 0


def _item_lines(folder: Path, keys: Sequence[Key], entries_of: EntriesOf) -> list[str]:
    known = {entry[:2]: entry for entry in entries_of(keys)}
    lines = []
    for key in keys:
        href = f"items/{key[0]}-{key[1]}.xml"
        entry = known.get(key)
        lines.append(
            entry.line(href) if entry else _line_of_stranger(folder / href, f"{key[0]}-{key[1]}", href)
        )
    return [line for line in lines if line]


def _line_of_stranger(path: Path, key: str, href: str) -> str:
    """The entry of a file the ledger does not know, as after its loss; none once the reader has taken it."""
    try:
        changed = datetime.fromtimestamp(int(path.stat().st_mtime), UTC)
    except FileNotFoundError:
        return ""
    modified = changed.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f'<Entry id="{key}" code="" modified="{modified}" version="" href="{escape(href)}"/>\n'


def _in_order(keys: Iterable[Key]) -> Iterator[list[Key]]:
    """The keys sorted, in batches, through a temporary database file: a million take little memory."""
    try:
        with closing(sqlite3.connect("")) as shelf:
            shelf.execute("PRAGMA journal_mode = OFF")
            shelf.execute("CREATE TABLE unread (major, minor, PRIMARY KEY (major, minor)) WITHOUT ROWID")
            shelf.executemany("INSERT OR IGNORE INTO unread VALUES (?, ?)", keys)
            rows = shelf.execute("SELECT major, minor FROM unread ORDER BY major, minor")
            while batch := rows.fetchmany(_BATCH):
                yield batch
    except sqlite3.Error as error:
        raise OSError(None, f"the temporary folder cannot hold its sort order ({error})") from error
