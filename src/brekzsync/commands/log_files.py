"""The logs as a file: CSV or JSON, of any length, flat in memory."""

from __future__ import annotations

import csv
import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path
from typing import IO, TYPE_CHECKING

from brekzsync.commands.log_reports import record_document
from brekzsync.errors import PermanentError

if TYPE_CHECKING:
    from brekzsync.domain.log_records import LogRecord

COLUMNS = (
    *("type", "info", "key", "status", "reason", "message", "attempts"),
    *("created_at", "synced_at", "updated_at", "next_attempt_at", "target", "flow"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_rows(records: Iterable[LogRecord]) -> Iterator[str]:
    """The header, then a row for each record, without its line end; a value may hold line ends of its own."""
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="")
    writer.writerow(COLUMNS)
    yield buffer.getvalue()
    for record in records:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow([_harmless(value) for value in record_document(record).values()])
        yield buffer.getvalue()


def _harmless(value: object) -> object:
    """A text from the shop or the ERP must neither be run as a formula nor steer a terminal."""
    from brekzsync.console import printable

    if not isinstance(value, str):
        return value
    return printable(f"'{value}" if value.startswith(_FORMULA) else value)


def written(records: Iterable[LogRecord], form: str, path: Path) -> int:
    """Write the export beside ``path`` and put it in its place; how many records it has.

    Raises PermanentError when it cannot be written; what was there before stays then. A device or a pipe is
    never replaced by a file: it is written to.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        with _translated(path), path.open("w", encoding="utf-8", newline="") as stream:
            return _write(records, form, stream)
    part = path.with_name(f".{path.name}.part")
    try:
        with _translated(path):
            with part.open("w", encoding="utf-8", newline="") as file:
                count = _write(records, form, file)
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    return count


def _write(records: Iterable[LogRecord], form: str, file: IO[str]) -> int:
    return _write_csv(records, file) if form == "csv" else _write_json(records, file)


def _write_csv(records: Iterable[LogRecord], file: IO[str]) -> int:
    count = -1  # the header is none
    for count, row in enumerate(csv_rows(records)):  # noqa: B007
        file.write(f"{row}\n")
    return count


def _write_json(records: Iterable[LogRecord], file: IO[str]) -> int:
    """The same document as ``--json`` has on stdout."""
    from brekzsync.console import LongDocument

    count = 0
    with LongDocument("logs export", "records", file.writelines) as document:
        for count, record in enumerate(records, start=1):  # noqa: B007
            document.add(record_document(record))
        document.finish(True, {})
    return count


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        raise PermanentError(
            f"Cannot write {path}: {(error.strerror or str(error)).lower()}.",
            hint="Free some space there." if full else "Name a file this user can write with --output FILE.",
            code="disk_full" if full else "output_unusable",
        ) from error
