"""What a target last acknowledged of each record: the memory every flow compares with.

A version is (fingerprint, force): a record is in sync when the ledger acknowledges its fingerprint and
``force_acknowledged`` equals ``force_requested``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, func, or_, select, tuple_

from brekzsync.domain.keys import BEFORE_ALL
from brekzsync.domain.ledger import (
    Acknowledgement,
    Clearing,
    Failure,
    LedgerEntry,
    LedgerRow,
    Remark,
    Unchanged,
)
from brekzsync.state import ledger_writes as writes
from brekzsync.state.bulk import BATCH_ROWS, Batch, Key, KeyedSelect, PreparedSelect, fetched
from brekzsync.state.claims import Claims
from brekzsync.state.connection import Cursor, Database
from brekzsync.state.scopes import Scope
from brekzsync.state.served import DOCUMENTS_OF_ONE, Served
from brekzsync.state.staged import take_in
from brekzsync.state.staging import is_whole, staged_batches
from brekzsync.state.tables import ledger
from brekzsync.state.times import to_milliseconds

PAGE_ROWS: Final = 4_000
_CODES: Final = 500
_KEYS: Final = 400


_ROW_COLUMNS: Final = [ledger.c[name] for name in LedgerRow._fields]
_entries: Final = KeyedSelect(ledger, [ledger.c[name] for name in LedgerEntry._fields[2:]])
_documents: Final = KeyedSelect(ledger, [ledger.c.fingerprint, ledger.c.document])
_codes_between: Final = select(ledger.c.key_major, ledger.c.key_minor, ledger.c.code).where(
    ledger.c.scope_id == bindparam("scope"),
    ledger.c.key_major.between(bindparam("first", type_=BigInteger), bindparam("last", type_=BigInteger)),
    ledger.c.code.is_not(None),
)
# MariaDB reads a range of its index for this predicate, and all of it for a comparison of row values.
_page: Final = (
    select(*_ROW_COLUMNS)
    .where(
        ledger.c.scope_id == bindparam("scope"),
        ledger.c.key_major >= bindparam("from_major", type_=BigInteger),
        or_(
            ledger.c.key_major > bindparam("after_major", type_=BigInteger),
            ledger.c.key_minor > bindparam("after_minor", type_=BigInteger),
        ),
    )
    .order_by(ledger.c.key_major, ledger.c.key_minor)
    .limit(bindparam("page_rows"))
)
_acknowledged_since: Final = (
    select(*(ledger.c[name] for name in LedgerEntry._fields))
    .where(
        ledger.c.scope_id == bindparam("scope"),
        ledger.c.key_major >= bindparam("from_major", type_=BigInteger),
        or_(
            ledger.c.key_major > bindparam("after_major", type_=BigInteger),
            ledger.c.key_minor > bindparam("after_minor", type_=BigInteger),
        ),
        ledger.c.synced_at >= bindparam("since", type_=BigInteger),
        ledger.c.fingerprint.is_not(None),
    )
    .order_by(ledger.c.key_major, ledger.c.key_minor)
    .limit(bindparam("page_rows"))
)


_of_one: Final = (
    ledger.c.scope_id == bindparam("scope"),
    ledger.c.key_major == bindparam("major", type_=BigInteger),
    ledger.c.key_minor == bindparam("minor", type_=BigInteger),
)
_row_of_one: Final = PreparedSelect(
    select(*(ledger.c[name] for name in LedgerEntry._fields), ledger.c.document).where(*_of_one)
)
_unsettled_of_one: Final = PreparedSelect(DOCUMENTS_OF_ONE)
_holders: Final = PreparedSelect(
    select(ledger.c.code, ledger.c.key_major, ledger.c.key_minor).where(
        ledger.c.scope_id == bindparam("scope"),
        # What is not acknowledged has no code; asking for more than the index holds made SQLite read all.
        ledger.c.code.in_([bindparam(f"code_{number}") for number in range(_CODES)]),
    )
)
_holders_of_one: Final = PreparedSelect(
    select(ledger.c.key_major, ledger.c.key_minor).where(
        ledger.c.scope_id == bindparam("scope"), ledger.c.code == bindparam("code")
    )
)


class Standing(NamedTuple):
    """One record's row and acknowledged document, what was handed out of it without a result yet, oldest first, and
    which records hold the item code in question."""

    entry: LedgerEntry | None
    document: str | None
    unsettled: list[str]
    holders: list[Key]


class Ledger:
    """The ledger of one flow and target. Every batch is one short transaction; no flow lock is needed.

    Within a batch each key stands once. ``at`` is an aware time. Methods that write return how many rows
    took effect.
    """

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope
        self.served = Served(database, scope)
        self.claims = Claims(database, scope)

    def rows(self, after: Key = BEFORE_ALL) -> Iterator[LedgerRow]:
        """Every row with a greater key than ``after``, in key order, flat in memory.

        Pages are read in transactions of their own: a row behind the reader may change meanwhile, and one
        ahead of it is seen as it is when its page is read. Writing to the ledger while reading is fine.
        """
        scope_id = self._scope.find()
        major, minor = after
        make = LedgerRow._make
        while scope_id is not None:
            page = self._page(scope_id, major, minor)
            yield from map(make, page)
            if len(page) < PAGE_ROWS:
                return
            major, minor = page[-1][0], page[-1][1]

    def rows_for(self, keys: Iterable[Key]) -> list[LedgerEntry]:
        """The rows of the given keys that exist, in key order; up to a few thousand keys."""
        return [LedgerEntry._make(row) for row in self._keyed(_entries, keys)]

    def acknowledged_since(self, at: datetime) -> Iterator[LedgerEntry]:
        """What the target has had since ``at`` and not for longer, in key order, flat in memory."""
        scope_id = self._scope.find()
        given = {"scope": scope_id, "since": to_milliseconds(at), "page_rows": PAGE_ROWS}
        major, minor = BEFORE_ALL
        while scope_id is not None:
            after = {"from_major": major, "after_major": major, "after_minor": minor}
            with self._database.read() as connection:
                page = list(fetched(connection.execute(_acknowledged_since, given | after).cursor))
            yield from map(LedgerEntry._make, page)
            if len(page) < PAGE_ROWS:
                return
            major, minor = page[-1][:2]

    def standing(self, key: Key, code: str) -> Standing:
        """All the state holds of one record that is about to go out under a normalised item code."""
        scope_id = self._scope.find()
        if scope_id is None:
            return Standing(None, None, [], [])
        given = {"scope": scope_id, "major": key[0], "minor": key[1]}

        def work(cursor: Cursor) -> Standing:
            rows = _row_of_one.rows(cursor, given)
            unsettled = [document for (document,) in _unsettled_of_one.rows(cursor, given) if document]
            holders = [
                (major, minor)
                for major, minor in _holders_of_one.rows(cursor, {"scope": scope_id, "code": code})
            ]
            if not rows:
                return Standing(None, None, unsettled, holders)
            entry = LedgerEntry._make(rows[0][:-1])
            return Standing(entry, rows[0][-1] if entry.fingerprint is not None else None, unsettled, holders)

        return self._database.ask(work)

    def rows_of(self, key_major: int) -> list[LedgerEntry]:
        """Every row of one product, in key order."""
        scope_id = self._scope.find()
        statement = (
            select(*(ledger.c[name] for name in LedgerEntry._fields))
            .where(ledger.c.scope_id == scope_id, ledger.c.key_major == key_major)
            .order_by(ledger.c.key_minor)
        )
        with self._database.read() as connection:
            return [LedgerEntry._make(row) for row in connection.execute(statement)]

    def codes_between(self, first: Key, last: Key) -> dict[Key, str]:
        """The acknowledged item codes of the records in a range of keys, both ends included."""
        scope_id = self._scope.find()
        if scope_id is None:
            return {}
        with self._database.read() as connection:
            given = {"scope": scope_id, "first": first[0], "last": last[0]}
            rows = fetched(connection.execute(_codes_between, given).cursor)
            return {(major, minor): code for major, minor, code in rows if first <= (major, minor) <= last}

    def documents(self, keys: Iterable[Key]) -> dict[Key, str]:
        """The acknowledged documents of the given keys that have one; up to a few thousand keys."""
        rows = self._keyed(_documents, keys)
        return {(row[0], row[1]): row[3] for row in rows if row[2] is not None and row[3] is not None}

    def holders(self, codes: Collection[str]) -> dict[str, list[Key]]:
        """Which records hold these normalised item codes by what the target acknowledged, in key order."""
        scope_id = self._scope.find()
        holders: dict[str, list[Key]] = {}
        if scope_id is None:
            return holders

        def work(cursor: Cursor) -> None:
            holders.clear()
            for some in _pieces(sorted(set(codes)), _CODES):
                some += some[-1:] * (_CODES - len(some))  # the statement's text is always the same
                given = {f"code_{number}": code for number, code in enumerate(some)}
                for code, major, minor in _holders.rows(cursor, given | {"scope": scope_id}):
                    holders.setdefault(code, []).append((major, minor))

        self._database.ask(work)
        return {code: sorted(keys) for code, keys in holders.items()}

    def acknowledge(self, batch: Sequence[Acknowledgement], *, run_id: int, at: datetime) -> int:
        """Record what the target has now, where the ledger still holds the version it was compared with.

        A row that another writer changed meanwhile stays as that writer left it: the next comparison sees
        the difference and delivers again. A force requested meanwhile stays requested. Repeating a batch
        changes nothing.
        """

        def work(connection: Connection, batch: Sequence[Acknowledgement], given: dict[str, Any]) -> int:
            new = [row for row in batch if not row.known]
            known = [row for row in batch if row.known] if new else batch
            return writes.acknowledge(connection, new, known, **given)

        return self._write(batch, work, run_id=run_id, at=at)

    def acknowledge_staged(self, path: Path, *, run_id: int, at: datetime) -> int:
        """``acknowledge`` for everything in a staged file (``staging.py``); safe to repeat."""
        if not is_whole(path):
            return 0
        if self._database.backend != "sqlite":
            return sum(self.acknowledge(batch, run_id=run_id, at=at) for batch in staged_batches(path))
        given = {"scope": self._scope.id(), "run": run_id, "at": to_milliseconds(at)}
        return take_in(self._database, path, given)

    def record_unchanged(self, batch: Sequence[Unchanged], *, at: datetime) -> int:
        """A record that failed, waited or was told apart only by its source digest is in sync again."""

        def work(connection: Connection, batch: Sequence[Unchanged], given: dict[str, Any]) -> int:
            rows = Batch(connection, writes.UNCHANGED, batch)
            rows.run(writes.end_trouble, **given)
            return rows.run(writes.refresh_digest, **given)

        return self._write(batch, work, run_id=None, at=at)

    def record_failures(self, batch: Sequence[Failure], *, run_id: int, at: datetime) -> int:
        """Mark records failed; what the target acknowledged stays, and so does a force."""

        def work(connection: Connection, batch: Sequence[Failure], given: dict[str, Any]) -> int:
            rows = Batch(connection, writes.FAILURE, batch)
            rows.run(writes.record_attempt, **given)
            rows.run(writes.ensure_row, **given)
            return rows.run(writes.fail, **given)

        return self._write(batch, work, run_id=run_id, at=at)

    def record_pending(self, batch: Sequence[Key], *, at: datetime, reason: str = "queued") -> int:
        """Mark records that differ and were left for a later run; those already marked so stay untouched."""

        def work(connection: Connection, batch: Sequence[Key], given: dict[str, Any]) -> int:
            rows = Batch(connection, writes.KEY, batch)
            rows.run(writes.ensure_row, **given)
            return rows.run(writes.record_pending, reason=reason, **given)

        return self._write(batch, work, run_id=None, at=at)

    def remark(self, batch: Sequence[Remark], *, at: datetime) -> int:
        """Say something of records that the target has; a remark that stands already changes nothing.

        ``record_unchanged`` takes it back, and so does acknowledging the record again.
        """

        def work(connection: Connection, batch: Sequence[Remark], given: dict[str, Any]) -> int:
            return Batch(connection, writes.REMARK, batch).run(writes.remark, **given)

        return self._write(batch, work, run_id=None, at=at)

    def clear(self, batch: Sequence[Clearing], *, run_id: int, at: datetime) -> int:
        """Forget what was acknowledged, compare-and-set like ``acknowledge``; rows never seen stay unseen."""

        def work(connection: Connection, batch: Sequence[Clearing], given: dict[str, Any]) -> int:
            return Batch(connection, writes.CLEARING, batch).run(writes.clear, **given)

        return self._write(batch, work, run_id=run_id, at=at)

    def request_force(self, keys: Collection[Key], *, at: datetime) -> int:
        """Have these records delivered whatever the ledger says; all of them or, on an error, none.

        A force that waits already is left as it is, so asking again changes nothing.
        """
        given = {"scope": self._scope.id(), "at": to_milliseconds(at)} if keys else {}

        def work(connection: Connection) -> int:
            raised = 0
            for piece in _pieces(sorted(set(keys)), BATCH_ROWS):
                rows = Batch(connection, writes.KEY, piece)
                rows.run(writes.ensure_row, **given)
                raised += rows.run(writes.request_force, **given)
            return raised

        return self._database.write(work, durable=True) if keys else 0

    def forced(self, keys: Iterable[Key]) -> set[Key]:
        """Those of ``keys`` whose force waits already: ``request_force`` would leave them alone."""
        scope_id = self._scope.find()
        found: set[Key] = set()
        if scope_id is None:
            return found
        statement = select(ledger.c.key_major, ledger.c.key_minor).where(
            ledger.c.scope_id == scope_id, writes.force_waits()
        )
        with self._database.read() as connection:
            for some in _pieces(sorted(set(keys)), _KEYS):
                chosen = tuple_(ledger.c.key_major, ledger.c.key_minor).in_(some)
                found.update((row[0], row[1]) for row in connection.execute(statement.where(chosen)))
        return found

    def is_empty(self) -> bool:
        """Whether nothing was ever acknowledged here: a new ledger, or a lost one."""
        return not self._any(ledger.c.synced_at.is_not(None))

    def count(self) -> int:
        """How many records hold an acknowledged version."""
        statement = select(func.count()).select_from(ledger)
        scope_id = self._scope.find()
        with self._database.read() as connection:
            counted = connection.scalar(
                statement.where(ledger.c.scope_id == scope_id, ledger.c.fingerprint.is_not(None))
            )
        return counted or 0

    def _any(self, condition: Any) -> bool:
        scope_id = self._scope.find()
        with self._database.read() as connection:
            found = select(ledger.c.key_major).where(ledger.c.scope_id == scope_id, condition).limit(1)
            return scope_id is not None and connection.scalar(found) is not None

    def _page(self, scope_id: int, major: int, minor: int) -> list[tuple[Any, ...]]:
        values = {
            "scope": scope_id,
            "from_major": major,
            "after_major": major,
            "after_minor": minor,
            "page_rows": PAGE_ROWS,
        }
        with self._database.read() as connection:
            # The driver's own tuples: making SQLAlchemy rows of them costs as much as reading them.
            return list(fetched(connection.execute(_page, values).cursor))

    def _keyed(self, statement: KeyedSelect, keys: Iterable[Key]) -> list[tuple[Any, ...]]:
        scope_id = self._scope.find()
        if scope_id is None:
            return []
        with self._database.read() as connection:
            return list(statement.rows(connection, scope_id, keys))

    def _write(
        self,
        batch: Sequence[Any],
        work: Callable[..., int],
        *,
        run_id: int | None,
        at: datetime,
        durable: bool = False,
    ) -> int:
        """Run ``work`` over pieces of the batch, each in a transaction of its own."""
        given = {"scope": self._scope.id(), "run": run_id, "at": to_milliseconds(at)} if batch else {}
        written = 0
        for piece in _pieces(batch, BATCH_ROWS):
            written += self._database.write(
                functools.partial(work, batch=piece, given=given), durable=durable
            )
        return written


def _pieces(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    iterator = iter(items)
    while piece := list(islice(iterator, size)):
        yield piece
