"""How a task lies in its row, and how tasks are found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, String, bindparam, select

from brekzsync.domain.marketplace import Identity, StatusTask, TaskStatus
from brekzsync.domain.order_status import Operation
from brekzsync.state.bulk import KeyedSelect
from brekzsync.state.tables import status_task

COLUMNS: Final = (
    *("key_major", "key_minor", "operation", "status", "seen_at", "not_before", "attempts", "shop_reference"),
    *(
        "feed_id",
        "reference",
        "channel",
        "id_account",
        "store_id",
        "batch_id",
        "ticket",
        "sent_at",
        "tracking",
    ),
    *("reason", "message", "is_told"),
)
"""In the order of a task's fields."""

_PLACES: Final = {name: place for place, name in enumerate(COLUMNS)}
_IDENTITY: Final = slice(_PLACES["feed_id"], _PLACES["id_account"])
BATCHES_AT_ONCE: Final = 200
_keyed: Final = KeyedSelect(status_task, [status_task.c[name] for name in COLUMNS[2:]])


def task_of(row: Sequence[Any]) -> StatusTask:
    """The task in a row of ``COLUMNS``."""
    return StatusTask._make(
        (
            row[0],
            Operation(row[2]),
            TaskStatus(row[3]),
            *row[4 : _IDENTITY.start],
            Identity._make(row[_IDENTITY]),
            *row[_IDENTITY.stop : -1],
            bool(row[-1]),
        )
    )


def row_of(task: StatusTask) -> tuple[Any, ...]:
    """A task as a row of ``COLUMNS``."""
    status, operation = task.status.value, task.operation.value
    return (*task.key, operation, status, *task[3:7], *task.identity, *task[8:-1], int(task.is_told))


def some_tasks(connection: Connection, scope_id: int, ids: Iterable[int]) -> dict[int, StatusTask]:
    """The tasks of these orders, of those that have one, in their order; up to a few thousand."""
    rows = _keyed.rows(connection, scope_id, [(one, 0) for one in ids])
    return {row[0]: task_of(row) for row in rows}


def _moment(name: str) -> ColumnElement[int]:
    return bindparam(name, type_=BigInteger)


def _ordered(*conditions: ColumnElement[bool]) -> Select[Any]:
    columns = [status_task.c[name] for name in COLUMNS]
    of_scope = select(*columns).where(status_task.c.scope_id == bindparam("scope"), *conditions)
    return of_scope.order_by(status_task.c.key_major)


def _of_status(status: TaskStatus) -> ColumnElement[bool]:
    return status_task.c.status == status.value


_behind: Final = status_task.c.key_major > _moment("after")
# Only what was sent has a batch; said here, it lets the index be read in the order of the keys.
_unsent: Final = status_task.c.batch_id.is_(None)

ALL: Final = _ordered(_behind).limit(bindparam("limit"))
DUE: Final = _ordered(
    _of_status(TaskStatus.WAITING), _unsent, _behind, status_task.c.not_before <= _moment("moment")
).limit(bindparam("limit"))
UNCLEAR: Final = _ordered(
    _of_status(TaskStatus.SENDING), _unsent, _behind, status_task.c.sent_at < _moment("moment")
).limit(bindparam("limit"))
UNTOLD: Final = _ordered(status_task.c.is_told == 0).limit(bindparam("limit"))
OF_BATCH: Final = _ordered(
    _of_status(TaskStatus.SENT),
    status_task.c.batch_id == bindparam("batch_id", type_=String),
    status_task.c.store_id == _moment("store_id"),
    status_task.c.id_account == _moment("id_account"),
)
BATCH_IDS: Final = (
    select(status_task.c.batch_id)
    .where(
        status_task.c.scope_id == bindparam("scope"),
        _of_status(TaskStatus.SENT),
        status_task.c.batch_id > bindparam("after", type_=String),
    )
    .distinct()
    .order_by(status_task.c.batch_id)
    .limit(BATCHES_AT_ONCE)
)
BATCHES_OF: Final = (
    select(status_task.c.id_account, status_task.c.store_id, status_task.c.batch_id)
    .where(
        status_task.c.scope_id == bindparam("scope"),
        _of_status(TaskStatus.SENT),
        status_task.c.batch_id.in_(bindparam("ids", expanding=True)),
    )
    .distinct()
    .order_by(status_task.c.batch_id, status_task.c.store_id, status_task.c.id_account)
)
