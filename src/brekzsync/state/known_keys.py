"""Keys of the ledger by how they begin, for a shell that completes one: read-only, quick, or not at all.

Plain ``sqlite3`` in place of SQLAlchemy, whose import alone takes longer than a person pressing TAB waits.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.sync_flows import FLOWS, show_key

MOST: Final = 200
_SECONDS: Final = 0.05
_DIGITS: Final = 10  # of an id, as domain/keys.py reads them
_STEPS_BETWEEN_LOOKS: Final = 1_000

_SCOPES = "SELECT id FROM scope WHERE flow = ?"
_KEYS = """
    SELECT key_major, key_minor FROM ledger
    WHERE scope_id = ? AND key_major BETWEEN ? AND ? AND key_minor BETWEEN ? AND ?
    ORDER BY key_major, key_minor LIMIT ?
"""
_IDS = """
    SELECT DISTINCT key_major FROM ledger
    WHERE scope_id = ? AND key_major BETWEEN ? AND ? ORDER BY key_major LIMIT ?
"""

Range = tuple[int, int]


def beginning_with(text: str, file: Path, flow: str) -> list[str]:
    """The keys of a flow, of all its targets, that begin with ``text``, in key order.

    More combinations than ``MOST``: the product ids alone; more than that many of these too: none. Never a part
    of them, which a shell would take for all and complete to what they happen to have in common. Raises
    sqlite3.Error when the file is no state, is locked, or does not answer within 50 ms.
    """
    match = re.fullmatch(r"([0-9]{0,10})(?:(?<=[0-9])(-)([0-9]{0,10}))?", text, re.ASCII)
    if match is None:
        return []
    majors = list(_ranges(match[1])) if not match[2] else [(int(match[1]), int(match[1]))]
    minors = list(_ranges(match[3] or ""))
    connection = sqlite3.connect(_address(file), uri=True, timeout=0)
    try:
        give_up = time.monotonic() + _SECONDS
        connection.set_progress_handler(lambda: time.monotonic() > give_up, _STEPS_BETWEEN_LOOKS)
        scopes = [scope for (scope,) in connection.execute(_SCOPES, (flow,))]
        if FLOWS[flow].has_combinations:
            keys = _keys(connection, scopes, majors, minors)
            if len(keys) <= MOST:
                return [show_key(flow, key) for key in sorted(keys)]
        ids = set() if match[2] else _ids(connection, scopes, majors)
        return [str(one) for one in sorted(ids)] if len(ids) <= MOST else []
    finally:
        connection.close()


def _address(file: Path) -> str:
    """As an unchanging file while nobody writes, since any other reader leaves a -wal and a -shm behind.

    They would belong to whoever pressed TAB, and the user that cron runs as could not write to them.
    """
    is_in_use = file.with_name(f"{file.name}-wal").exists()
    return f"{file.absolute().as_uri()}?{'mode=ro' if is_in_use else 'immutable=1'}"


def _ranges(beginning: str) -> Iterator[Range]:
    """The numbers whose decimal digits begin so: 12 → 12, 120 to 129, 1200 to 1299, …"""
    if not beginning:
        yield 0, 10**_DIGITS - 1
    elif beginning.startswith("0"):  # no number but 0 itself does
        if beginning == "0":
            yield 0, 0
    else:
        first = int(beginning)
        for zeros in range(_DIGITS + 1 - len(beginning)):
            yield first * 10**zeros, (first + 1) * 10**zeros - 1


def _keys(
    connection: sqlite3.Connection, scopes: list[int], majors: list[Range], minors: list[Range]
) -> set[ProductKey]:
    found: set[ProductKey] = set()
    for scope in scopes:
        for major in majors:
            for minor in minors:
                if len(found) <= MOST:
                    found.update(connection.execute(_KEYS, (scope, *major, *minor, MOST + 1)))
    return found


def _ids(connection: sqlite3.Connection, scopes: list[int], majors: list[Range]) -> set[int]:
    found: set[int] = set()
    for scope in scopes:
        for major in majors:
            found.update(one for (one,) in connection.execute(_IDS, (scope, *major, MOST + 1)))
    return found
