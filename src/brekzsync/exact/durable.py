"""Files that appear whole or not at all, and the sentence for when the disk says no."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from brekzsync.errors import BrekzsyncError, ConfigurationError, PermanentError

PART = ".part"  # hidden and suffixed: no reader's pattern for documents matches an unfinished one

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}
_CHOICES = "--output DIR, or output under [products]"


@contextmanager
def translated(path: str | Path, *, setting: bool = False, choices: str = _CHOICES) -> Iterator[None]:
    """Turn an ``OSError`` about ``path`` into an error with a sentence and a remedy.

    ``setting`` says that nothing was written yet and the configured folder itself cannot serve; ``choices`` are the
    places where another one can be named.
    """
    try:
        yield
    except OSError as error:
        raise _explained(error, path, setting, choices) from error


def part_of(path: str) -> str:
    """Where the file is written before it is renamed into place."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}{PART}")


def write_whole(path: str, content: bytes) -> None:
    """Write a file durably: whatever happens, ``path`` holds all of it or what it held before.

    The rename itself is durable once ``sync_folder`` has returned.
    """
    part = part_of(path)
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
        try:
            write_all(descriptor, content)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(part)
        raise


def write_all(descriptor: int, content: bytes) -> None:
    """``os.write`` may take less than it was given, and says why only when asked again."""
    written = os.write(descriptor, content)
    while written < len(content):
        written += os.write(descriptor, content[written:])


def sync_folder(folder: str | Path) -> None:
    """Make the names in a folder as durable as the files they name."""
    if os.name == "nt":  # Windows opens no folders, and journals their names by itself
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _explained(error: OSError, path: str | Path, setting: bool, choices: str) -> BrekzsyncError:
    reason = (error.strerror or str(error)).lower()
    if error.errno == errno.EEXIST:
        reason = "it is a file, not a folder"
    message = f"Cannot write {path}: {reason}."
    if error.errno in _FULL:
        return PermanentError(
            message,
            hint="Free some space there and run the same command again: what was not delivered comes again.",
            code="disk_full",
        )
    kind = ConfigurationError if setting else PermanentError
    hint = f"Choose another folder: {choices}."
    if error.errno in _REFUSED:
        hint = f"Give this user read and write access to it. {hint}"
    return kind(message, hint=hint, code="output_unusable")
