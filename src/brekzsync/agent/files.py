"""Files that are there whole or not at all, also after a power cut, and a lock that ends with its holder."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

PART = ".part"


def write_aside(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``: written under another name, on the disk, and only then renamed."""
    part = path.with_name(path.name + PART)
    with open(part, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    sync_folder(path.parent)


def write_json(path: Path, content: Any) -> None:
    write_aside(path, json.dumps(content, indent=1).encode())


def remove(path: Path) -> None:
    """Delete a file; one that is gone already is fine, one that somebody holds open (Windows) stays."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Put the folder's list of names on the disk; Windows does so by itself and cannot be asked."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


class Locked(Exception):
    """Another process holds the lock."""


def lock(file: IO[bytes]) -> None:
    """Lock an open file until it is closed.

    Raises Locked at once where another process holds it.
    """
    try:
        if sys.platform == "win32":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        raise Locked from None


def lock_with_children(file: IO[bytes]) -> None:
    """Lock a file that a child writes to until that child, too, has ended: see ``is_held_by_a_child``.

    Not on Windows: a lock there would keep the child from writing, and is not needed.
    """
    if sys.platform != "win32":
        lock(file)


def is_held_by_a_child(path: Path) -> bool:
    """Whether a process whose output goes to ``path`` still runs, though the one that started it is gone.

    On POSIX it inherited the lock on the file; on Windows a file somebody has open cannot be renamed.
    """
    try:
        if sys.platform == "win32":
            aside = path.with_name(path.name + PART)
            os.replace(path, aside)
            os.replace(aside, path)
        else:
            with open(path, "rb") as file:
                lock(file)
    except FileNotFoundError:
        return False
    except (Locked, PermissionError):
        return True
    return False
