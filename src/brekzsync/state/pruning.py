"""What the state forgets when it has grown old; never what a target acknowledged.

Forgotten are failed attempts, ended runs, rejected versions whose waiting is over, and the rows of records
deleted long ago, or canceled before they were sent. What is still needed stays, however old it is:

- the newest attempt of a record that is failed now, which says since when;
- of every flow and target the newest ended run (cron compares with it), the newest successful one (``status``
  tells its age), the newest that printed a summary (the next is due a day later), the first one and the newest
  whole baseline (which say since when the flow takes care of what comes);
- a run that is named by a ledger row, a version handed out or an attempt that stays;
- the row of a deleted record while a force or a version handed out belongs to it;
- every claim, and every version without a result;
- of an operation on its way to the marketplace everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    func,
    not_,
    or_,
    select,
)

from brekzsync.domain.order_status import StatusReason
from brekzsync.domain.sync_flows import PARTIAL_RUN
from brekzsync.state.connection import Database
from brekzsync.state.runs import WAS_BASELINE
from brekzsync.state.tables import attempt, ledger, run, served, status_task

BATCH_ROWS: Final = 500
# And nothing of them was acknowledged, or it has ended. One that the channel sends itself stays: that is why it is not
# told again.
_GONE: Final = ("deleted", "no_longer_due", StatusReason.LEFT_BEFORE_SENT, StatusReason.ORDER_GONE)


class Pruned(NamedTuple):
    """How many rows of each kind were forgotten, or would be."""

    attempts: int
    rejected_versions: int
    deleted_records: int
    runs: int


class Pruning:
    """Every batch is one short transaction: no run waits for it, and it may be stopped anywhere."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def prune(self, before: int) -> Pruned:
        """Forget what is older than ``before`` (milliseconds); safe to repeat."""
        return Pruned(*(self._forget(kind, before) for kind in _KINDS))

    def planned(self, before: int) -> Pruned:
        """What ``prune`` would forget, nothing being written; runs named only by attempts that would go are
        not counted."""
        with self._database.read() as connection:
            return Pruned(*(_count(connection, kind, before) for kind in _KINDS))

    def _forget(self, kind: _Kind, before: int) -> int:
        forgotten = 0
        while keys := self._some(kind, before):
            count = self._delete(kind, keys, before)
            if not count:  # all of them came back to life meanwhile
                break
            forgotten += count
        return forgotten

    def _some(self, kind: _Kind, before: int) -> list[dict[str, int]]:
        statement = select(*kind.key).where(kind.may_go(before)).order_by(*kind.key).limit(BATCH_ROWS)
        with self._database.read() as connection:
            return [
                {f"the_{name}": value for name, value in row.items()}
                for row in connection.execute(statement).mappings()
            ]

    def _delete(self, kind: _Kind, keys: Sequence[dict[str, int]], before: int) -> int:
        this_row = [column == bindparam(f"the_{column.name}") for column in kind.key]
        statement = delete(kind.table).where(*this_row, kind.still_may_go(before))
        return self._database.write(
            lambda connection: connection.execute(statement, keys).rowcount, durable=False
        )


class _Kind(NamedTuple):
    """What may go from one table. Between being found and being deleted a row may come back to life, which
    ``still_may_go`` sees in the row's own columns and those of other tables."""

    table: Table
    key: tuple[Column[Any], ...]
    may_go: Callable[[int], ColumnElement[bool]]
    still_may_go: Callable[[int], ColumnElement[bool]]


def _count(connection: Connection, kind: _Kind, before: int) -> int:
    return connection.scalar(select(func.count()).select_from(kind.table).where(kind.may_go(before))) or 0


def _old_attempt(before: int) -> ColumnElement[bool]:
    newer = attempt.alias("newer")
    is_newest = not_(_same_record(attempt, newer).where(newer.c.id > attempt.c.id).exists())
    has_failed = _same_record(attempt, ledger).where(ledger.c.status == "failed").exists()
    is_open = _same_record(attempt, status_task).exists()
    return and_(attempt.c.at < before, not_(and_(has_failed, is_newest)), not_(is_open))


def _old_rejection(before: int) -> ColumnElement[bool]:
    return and_(served.c.rejected_at < before, served.c.lease_until < before)


def _old_deletion(before: int) -> ColumnElement[bool]:
    return and_(
        ledger.c.fingerprint.is_(None),
        ledger.c.status == "synced",
        or_(*(ledger.c.reason == reason for reason in _GONE)),  # many rows at once take no list
        ledger.c.updated_at < before,
        ledger.c.force_requested == ledger.c.force_acknowledged,
        not_(_same_record(ledger, served).exists()),
        not_(_same_record(ledger, status_task).exists()),
    )


def _old_run(before: int) -> ColumnElement[bool]:
    of_whole_flow = not_(run.c.command.endswith(PARTIAL_RUN, autoescape=True))
    kept = (
        _newest_run(run.c.status != "running"),
        _newest_run(and_(run.c.status == "done", of_whole_flow)),
        _newest_run(run.c.summarised_at.is_not(None)),
        _newest_run(WAS_BASELINE),
        select(func.min(run.c.id)).group_by(run.c.flow, run.c.target).correlate(None),
        *(select(table.c.run_id).where(table.c.run_id.is_not(None)) for table in (ledger, served, attempt)),
    )
    return and_(
        run.c.status != "running", run.c.finished_at < before, *(run.c.id.not_in(ids) for ids in kept)
    )


def _newest_run(condition: ColumnElement[bool]) -> Select[Any]:
    """The newest such run of every flow and target."""
    return select(func.max(run.c.id)).where(condition).group_by(run.c.flow, run.c.target).correlate(None)


def _same_record(one: Table, other: Any) -> Select[Any]:
    """Rows of ``other`` on the record a row of ``one`` is about."""
    keys = ("scope_id", "key_major", "key_minor")
    return select(other.c.scope_id).where(*(other.c[name] == one.c[name] for name in keys)).correlate(one)


_KINDS: Final = (
    _Kind(attempt, (attempt.c.id,), _old_attempt, lambda before: attempt.c.at < before),
    _Kind(served, (served.c.id,), _old_rejection, _old_rejection),
    _Kind(ledger, (ledger.c.scope_id, ledger.c.key_major, ledger.c.key_minor), _old_deletion, _old_deletion),
    # Nothing begins to name a run that ended long ago.
    _Kind(run, (run.c.id,), _old_run, lambda before: run.c.finished_at < before),
)
