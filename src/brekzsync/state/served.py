"""Versions handed out whose result is still to come (``acknowledge = "result"``).

What a result acknowledges is the version that was served, never what the record is by then.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, Row, bindparam, or_, select, tuple_

from brekzsync.domain.keys import BEFORE_ALL
from brekzsync.domain.ledger import Serving
from brekzsync.state import ledger_writes as writes
from brekzsync.state.bulk import Batch, Key, PreparedSelect, fetched
from brekzsync.state.connection import Cursor, Database
from brekzsync.state.scopes import Scope
from brekzsync.state.tables import ledger, served
from brekzsync.state.times import to_milliseconds
from brekzsync.state.unreported import Unreported, unreported

REJECTION_DELAYS: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
    timedelta(hours=24),
)
_PAGE_ROWS: Final = 2_000
_NO_ID_IS_GREATER: Final = 2**62
_SETTLED_AT_ONCE: Final = 200


Identity = tuple[bytes, int]
"""What tells the versions of a record apart: fingerprint and force."""


class Lease(NamedTuple):
    """A version that was handed out and is not to be offered again yet; another one of its record may be."""

    key_major: int
    key_minor: int
    fingerprint: bytes
    force: int


class Leased(NamedTuple):
    """A lease, and what the version was made of: as long as that is the same, so is the version."""

    key_major: int
    key_minor: int
    fingerprint: bytes
    force: int
    source_digest: bytes | None


class Outcome(NamedTuple):
    """What the target says of a version; without one it speaks of the oldest unsettled of that record."""

    key_major: int
    key_minor: int
    version: Identity | None
    imported: bool
    reason: str = "rejected"
    message: str = ""


class Settled(NamedTuple):
    """What a list of outcomes came to; ``unknown`` are records of which no such version waits."""

    acknowledged: list[Key]
    rejected: list[Key]
    unknown: list[Key]


class Served:
    """The unsettled versions of one flow and target. Needs no flow lock; ``at`` is an aware time."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope

    def serve(
        self, batch: Sequence[Serving], *, run_id: int | None, at: datetime, lease_until: datetime
    ) -> None:
        """Remember what is handed out; a version served again is the newest again, with a new lease."""
        if not batch:
            return
        scope_id = self._scope.id()
        times = (run_id, to_milliseconds(at), to_milliseconds(lease_until))
        rows = [(scope_id, *row, *times) for row in batch]

        def work(cursor: Cursor) -> None:
            forget, hand_out = _statements(cursor.dialect.name, cursor.dialect.identifier_preparer.quote)
            if forget:
                cursor.driver.executemany(forget, [row[: len(_IDENTITY)] for row in rows])
            cursor.driver.executemany(hand_out, rows)

        self._database.tell(work)

    def leased(self, at: datetime, after: Key = BEFORE_ALL) -> Iterator[Leased]:
        """Versions not to be offered at ``at``, in key order: served or rejected not long ago.

        Only of records with a greater key than ``after``.
        """
        scope_id = self._scope.find()
        last: tuple[int, int, int] = (*after, _NO_ID_IS_GREATER)
        moment = to_milliseconds(at)
        while scope_id is not None:
            with self._database.read() as connection:
                page = list(fetched(connection.execute(_LEASED, _after(scope_id, moment, last)).cursor))
            yield from (Leased._make(row[1:]) for row in page)
            if len(page) < _PAGE_ROWS:
                return
            last = (page[-1][1], page[-1][2], page[-1][0])

    def unsettled_documents(self, keys: Sequence[Key]) -> dict[Key, list[str]]:
        """What was handed out of these records and has no result yet, oldest first: the target may have it."""
        scope_id = self._scope.find()
        found: dict[Key, list[str]] = {}
        wanted, majors = set(keys), sorted({key[0] for key in keys})

        def work(cursor: Cursor) -> None:
            found.clear()
            for start in range(0, len(majors), _SETTLED_AT_ONCE):
                some = majors[start : start + _SETTLED_AT_ONCE]
                some += some[-1:] * (_SETTLED_AT_ONCE - len(some))  # the statement's text is always the same
                given = {f"major_{number}": major for number, major in enumerate(some)}
                for major, minor, document in _documents.rows(cursor, given | {"scope": scope_id}):
                    if document is not None and (major, minor) in wanted:
                        found.setdefault((major, minor), []).append(document)

        if scope_id is not None:
            self._database.ask(work)
        return found

    def versions_of_codes(self, codes: Collection[str]) -> dict[str, Lease]:
        """The oldest version without a result that went out under each of these normalised item codes."""
        scope_id = self._scope.find()
        found: dict[str, Lease] = {}
        if scope_id is None:
            return found
        wanted = sorted(set(codes))
        with self._database.read() as connection:
            for start in range(0, len(wanted), _SETTLED_AT_ONCE):
                given = {"scope": scope_id, "codes": wanted[start : start + _SETTLED_AT_ONCE]}
                for code, *version in connection.execute(_OF_CODES, given):
                    found.setdefault(code, Lease._make(version))
        return found

    def unreported(
        self, at: datetime, *, lease: timedelta | None, after: int, limit: int
    ) -> list[Unreported]:
        """Versions to be looked for in the target, oldest first, with a greater id than ``after``: of which the
        lease is over, or longer than ``lease``, so that it was renewed; without one all of them."""
        scope_id = self._scope.find()
        if scope_id is None:
            return []
        moment = to_milliseconds(at)
        with self._database.read() as connection:
            return unreported(connection, scope_id, at=moment, lease=lease, after=after, limit=limit)

    def renew(self, versions: Sequence[tuple[Key, Identity | None]], *, lease_until: datetime) -> list[bool]:
        """Keep versions in flight that the target has taken in and not decided on; which of them wait for a result.

        Without an identity the oldest that waits of that record is meant.
        """
        until = to_milliseconds(lease_until)
        renewed: list[bool] = []
        for start in range(0, len(versions), _SETTLED_AT_ONCE):
            some = versions[start : start + _SETTLED_AT_ONCE]
            work = functools.partial(_renew, scope_id=self._scope.id(), versions=some, until=until)
            renewed += self._database.write(work, durable=False)
        return renewed

    def awaiting_result(self, keys: Sequence[Key]) -> set[Lease]:
        """The versions of these records that were handed out and have no result yet."""
        scope_id = self._scope.find()
        if scope_id is None:
            return set()
        with self._database.read() as connection:
            if connection.scalar(_ANYTHING, {"scope": scope_id}) is None:
                return set()  # the usual case with files: nothing was ever handed out
            return {
                Lease._make(row)
                for start in range(0, len(keys), _SETTLED_AT_ONCE)
                for row in connection.execute(
                    _AWAITING, {"scope": scope_id, "keys": list(keys[start : start + _SETTLED_AT_ONCE])}
                )
            }

    def settle(self, outcomes: Sequence[Outcome], *, at: datetime) -> Settled:
        """Acknowledge what was imported; what was rejected fails and waits, longer each time.

        Safe to repeat: a version settled once is unknown afterwards. A version served before a settled one of
        the same record is superseded with it.
        """
        settled = Settled([], [], [])
        for start in range(0, len(outcomes), _SETTLED_AT_ONCE):
            work = functools.partial(
                self._settle,
                scope_id=self._scope.id(),
                outcomes=outcomes[start : start + _SETTLED_AT_ONCE],
                at=to_milliseconds(at),
            )
            for whole, part in zip(settled, self._database.write(work, durable=False), strict=True):
                whole.extend(part)
        return settled

    def _settle(self, connection: Connection, scope_id: int, outcomes: Sequence[Outcome], at: int) -> Settled:
        settled = Settled([], [], [])
        waiting = _waiting(connection, scope_id, [(one.key_major, one.key_minor) for one in outcomes])
        for outcome in outcomes:
            key = (outcome.key_major, outcome.key_minor)
            version = _served_version(waiting.get(key, []), outcome.version)
            if version is None:
                settled.unknown.append(key)
            elif outcome.imported:
                acknowledge_version(connection, scope_id, version, at)
                waiting[key] = [row for row in waiting[key] if row.id > version.id]
                settled.acknowledged.append(key)
            else:
                reject_version(connection, scope_id, version, outcome, at)
                waiting[key] = [row for row in waiting[key] if row.id != version.id]
                settled.rejected.append(key)
        return settled


_IDENTITY: Final = ("scope_id", "key_major", "key_minor", "fingerprint", "force")
_HANDED_OUT: Final = ("scope_id", *Serving._fields, "run_id", "served_at", "lease_until")  # identity first


@functools.cache
def _statements(backend: str, quote: Callable[[str], str]) -> tuple[str, str]:
    """What forgets a version, where handing it out again does not do so by itself, and what hands it out."""
    mark = "?" if backend == "sqlite" else "%s"
    columns, marks = ", ".join(map(quote, _HANDED_OUT)), ", ".join([mark] * len(_HANDED_OUT))
    into = f"INTO served ({columns}) VALUES ({marks})"
    if backend != "postgresql":
        return "", f"REPLACE {into}"
    return (
        f"DELETE FROM served WHERE {' AND '.join(f'{quote(name)} = %s' for name in _IDENTITY)}",
        f"INSERT {into}",
    )


_ANYTHING: Final = select(served.c.id).where(served.c.scope_id == bindparam("scope")).limit(1)

_AWAITING: Final = select(served.c.key_major, served.c.key_minor, served.c.fingerprint, served.c.force).where(
    served.c.scope_id == bindparam("scope"),
    served.c.rejected_at.is_(None),
    tuple_(served.c.key_major, served.c.key_minor).in_(bindparam("keys", expanding=True)),
)

_WAITS: Final = (served.c.scope_id == bindparam("scope"), served.c.rejected_at.is_(None))
_documents: Final = PreparedSelect(
    select(served.c.key_major, served.c.key_minor, served.c.document)
    .where(
        *_WAITS,
        served.c.key_major.in_(
            [bindparam(f"major_{number}", type_=BigInteger) for number in range(_SETTLED_AT_ONCE)]
        ),
    )
    .order_by(served.c.id)
)
DOCUMENTS_OF_ONE: Final = (
    select(served.c.document)
    .where(
        *_WAITS,
        served.c.key_major == bindparam("major", type_=BigInteger),
        served.c.key_minor == bindparam("minor", type_=BigInteger),
    )
    .order_by(served.c.id)
)
_OF_CODES: Final = (
    select(served.c.code, served.c.key_major, served.c.key_minor, served.c.fingerprint, served.c.force)
    .where(*_WAITS, served.c.code.in_(bindparam("codes", expanding=True)))
    .order_by(served.c.id)
)

_LEASED: Final = (
    select(served.c.id, *(served.c[name] for name in Leased._fields))
    .where(
        served.c.scope_id == bindparam("scope"),
        served.c.lease_until > bindparam("moment", type_=BigInteger),
        served.c.key_major >= bindparam("major", type_=BigInteger),
        or_(
            served.c.key_major > bindparam("major"),
            served.c.key_minor > bindparam("minor", type_=BigInteger),
            (served.c.key_minor == bindparam("minor")) & (served.c.id > bindparam("last", type_=BigInteger)),
        ),
    )
    .order_by(served.c.key_major, served.c.key_minor, served.c.id)
    .limit(_PAGE_ROWS)
)


def _after(scope_id: int, moment: int, after: tuple[int, int, int]) -> dict[str, int]:
    return {"scope": scope_id, "moment": moment, "major": after[0], "minor": after[1], "last": after[2]}


def _waiting(connection: Connection, scope_id: int, keys: Sequence[Key]) -> dict[Key, list[Row[Any]]]:
    """The unsettled versions of these records, oldest first; locked, so that one result settles each."""
    statement = (
        select(served)
        .where(
            served.c.scope_id == scope_id,
            served.c.rejected_at.is_(None),
            tuple_(served.c.key_major, served.c.key_minor).in_(sorted(set(keys))),
        )
        .order_by(served.c.id)
        .with_for_update()
    )
    waiting: dict[Key, list[Row[Any]]] = {}
    for row in connection.execute(statement):
        waiting.setdefault((row.key_major, row.key_minor), []).append(row)
    return waiting


def _renew(
    connection: Connection, scope_id: int, versions: Sequence[tuple[Key, Identity | None]], until: int
) -> list[bool]:
    waiting = _waiting(connection, scope_id, [key for key, _ in versions])
    meant = [_served_version(waiting.get(key, []), identity) for key, identity in versions]
    ids = [version.id for version in meant if version is not None]
    connection.execute(served.update().where(served.c.id.in_(ids)).values(lease_until=until))
    return [version is not None for version in meant]


def _served_version(waiting: Sequence[Row[Any]], version: Identity | None) -> Row[Any] | None:
    if version is None:
        return waiting[0] if waiting else None
    return next((row for row in waiting if (row.fingerprint, row.force) == version), None)


def _ledger_row(connection: Connection, scope_id: int, version: Row[Any]) -> Any:
    """What the ledger holds of this record now, locked; None without a row."""
    statement = select(ledger.c.fingerprint, ledger.c.force_acknowledged, ledger.c.attempts).where(
        ledger.c.scope_id == scope_id,
        ledger.c.key_major == version.key_major,
        ledger.c.key_minor == version.key_minor,
    )
    return connection.execute(statement.with_for_update()).one_or_none()


def acknowledge_version(connection: Connection, scope_id: int, version: Row[Any], at: int) -> None:
    """Record the served version, unless a later force was acknowledged meanwhile."""
    prior = _ledger_row(connection, scope_id, version)
    if prior is None or prior.force_acknowledged <= version.force:
        row = (
            version.key_major,
            version.key_minor,
            version.fingerprint,
            version.force,
            version.source_digest,
            version.code,
            version.document,
            prior.fingerprint if prior else None,
            prior.force_acknowledged if prior else 0,
            prior is not None,
        )
        new, known = ([], [row]) if prior else ([row], [])
        writes.acknowledge(connection, new, known, scope=scope_id, run=version.run_id, at=at)
    superseded = served.delete().where(
        served.c.scope_id == scope_id,
        served.c.key_major == version.key_major,
        served.c.key_minor == version.key_minor,
        served.c.id <= version.id,
    )
    connection.execute(superseded)


def reject_version(
    connection: Connection, scope_id: int, version: Row[Any], outcome: Outcome, at: int
) -> None:
    """Fail the record and keep the version out of index and bulk for a while; another version is offered."""
    row = _ledger_row(connection, scope_id, version)
    failed_before = row.attempts if row else 0
    delay = REJECTION_DELAYS[min(failed_before, len(REJECTION_DELAYS) - 1)]
    next_attempt_at = at + delay // timedelta(milliseconds=1)
    failure = (version.key_major, version.key_minor, outcome.reason, outcome.message, next_attempt_at)
    rows = Batch(connection, writes.FAILURE, [failure])
    for statement in (writes.record_attempt, writes.ensure_row, writes.fail):
        rows.run(statement, scope=scope_id, run=version.run_id, at=at)
    connection.execute(
        served.update().where(served.c.id == version.id).values(rejected_at=at, lease_until=next_attempt_at)
    )
