"""Folders brekzsync writes to or reads from, and the room on their disks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from brekzsync.domain.findings import Finding, passed, warning
from brekzsync.errors import AccessDenied, ConfigurationError

LEAST_FREE: Final = 2**30
LEAST_SHARE: Final = 0.05


class Usage(NamedTuple):
    """Bytes of a disk, as ``shutil.disk_usage`` counts them."""

    total: int
    used: int
    free: int


def writable(folder: Path, setting: str) -> Finding:
    """This user can put files into the folder, or make it; ``setting`` is what names it."""
    there = _nearest(folder)
    if not there.is_dir():
        raise ConfigurationError(
            f"{there} is not a folder.", hint=f"Correct {setting}.", code="output_unusable"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        what = f"{folder} may not be written" if there == folder else f"{folder} cannot be made in {there}"
        raise AccessDenied(
            f"{what} by this user.",
            hint=f"Let the user who runs brekzsync own it, or change {setting}.",
        )
    return passed(
        f"{folder} can be written." if there == folder else f"{folder} will be made when first used."
    )


def readable(folder: Path, setting: str, consequence: str) -> Finding:
    """This user can look into the folder; ``consequence`` says what happens where it cannot."""
    if not folder.is_dir():
        return warning(f"{folder} is not there: {consequence}.", f"Correct {setting}.")
    if not os.access(folder, os.R_OK | os.X_OK):
        return warning(
            f"{folder} may not be read by this user: {consequence}.",
            f"Let the user who runs brekzsync read it, or change {setting}.",
        )
    return passed(f"{folder} can be read.")


def space(folder: Path, usage: Callable[[Path], tuple[int, int, int]] = shutil.disk_usage) -> Finding:
    """Enough room where the folder is, or will be."""
    total, _, free = usage(_nearest(folder))
    if not total:  # a file system without a size, such as a network drive's that does not say
        return passed(f"{folder} lies where room cannot be measured.")
    share = free / total
    text = f"{_amount(free)} free of {_amount(total)}"
    if free < LEAST_FREE or share < LEAST_SHARE:
        return warning(
            f"Only {text} where {folder} lies.",
            "Free some: a full disk stops a run in the middle, and the next one finishes it.",
        )
    return passed(f"{text} where {folder} lies.")


def _nearest(folder: Path) -> Path:
    """The folder, or the part of its path that exists."""
    for there in (folder, *folder.parents):
        try:
            if there.exists():
                return there
        except PermissionError:
            continue
    return Path("/")


def _amount(count: int) -> str:
    """Bytes in the unit a person would take."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if amount >= 10 or unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"
