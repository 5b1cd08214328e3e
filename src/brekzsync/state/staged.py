"""Taking staged acknowledgements into the ledger, set by set instead of row by row where SQLite can.

The same statements as for a batch (``ledger_writes.py``), over the staged file attached to the state's own
connection: a tenth of the Python, and a run's acknowledgements are written in a moment.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Column, Connection, Integer, MetaData, Table, bindparam, func, select

from brekzsync.state import ledger_writes as writes
from brekzsync.state.bulk import Statement
from brekzsync.state.connection import Database
from brekzsync.state.staging import STAGED_TABLE

_SCHEMA: Final = "staged"
_AT_ONCE: Final = 5_000  # rows a transaction; what it changes is held in memory until it ends
_table: Final = Table(
    STAGED_TABLE,
    MetaData(),
    Column("number", Integer, primary_key=True),
    *(Column(name, type_) for name, type_ in writes.ACKNOWLEDGEMENT.types.items()),
    schema=_SCHEMA,
)
_rows: Final = (
    select(*(_table.c[name] for name in writes.ACKNOWLEDGEMENT.types))
    .where(
        _table.c.number.between(bindparam("first"), bindparam("last")),
        _table.c.known.is_(bindparam("known")),
    )
    .subquery("staged_rows")
)


def take_in(database: Database, path: Path, given: dict[str, Any]) -> int:
    """Acknowledge everything in the file; how many took effect. Safe to repeat."""
    constants = {f"the_{name}": value for name, value in given.items()}
    with _attached(database, path) as connection:
        count = connection.scalar(select(func.max(_table.c.number))) or 0
        connection.rollback()
        return sum(
            _take_piece(connection, constants | {"first": first, "last": first + _AT_ONCE - 1})
            for first in range(1, count + 1, _AT_ONCE)
        )


def _take_piece(connection: Connection, given: dict[str, Any]) -> int:
    new, known = given | {"known": False}, given | {"known": True}
    with connection.begin():
        inserted = _run(connection, writes.acknowledge_new, new)
        updated = _update(connection, known)
        if inserted < _count(connection, new):  # somebody made a row meanwhile: compare-and-set decides
            updated += _update(connection, new)
        return inserted + updated


def _update(connection: Connection, given: dict[str, Any]) -> int:
    same = _run(connection, writes.acknowledge_same_code, given)
    if same == _count(connection, given):
        return same
    return same + _run(connection, writes.acknowledge_new_code, given)


def _count(connection: Connection, given: dict[str, Any]) -> int:
    return connection.scalar(select(func.count()).select_from(_rows), given) or 0


def _run(connection: Connection, statement: Statement, given: dict[str, Any]) -> int:
    return connection.execute(statement.over(_rows, connection.dialect), given).rowcount


@contextmanager
def _attached(database: Database, path: Path) -> Iterator[Connection]:
    with database.writing(durable=False) as connection:
        cursor = connection.connection.cursor()
        cursor.execute(f"ATTACH DATABASE ? AS {_SCHEMA}", (str(path),))
        try:
            yield connection
        finally:
            cursor.execute(f"DETACH DATABASE {_SCHEMA}")
            cursor.close()
