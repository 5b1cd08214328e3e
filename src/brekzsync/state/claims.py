"""Claims: versions that go out once and never again until it is known what became of them.

A claim is a version handed out without a result (``served.py``), of a record the target has nothing of. There is
one of a record at most, it is on disk before its document can be seen, and no time that passes ends it: a result
does, or somebody who knows that the target has not got it.

Whoever changes claims first locks their scope's row, so that one does so at a time.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, Row, and_, bindparam, insert, or_, select, tuple_

from brekzsync.domain.keys import BEFORE_ALL
from brekzsync.domain.ledger import Failure, Serving
from brekzsync.state import ledger_writes as writes
from brekzsync.state.bulk import Batch, Key
from brekzsync.state.connection import Database
from brekzsync.state.scopes import Scope, lock
from brekzsync.state.served import Outcome, Settled, acknowledge_version, reject_version
from brekzsync.state.tables import ledger, served
from brekzsync.state.times import from_milliseconds, to_milliseconds

_AT_ONCE: Final = 200


class Claim(NamedTuple):
    """A version that is out and has no result. Times are aware; at ``lease_until`` its absence in the target
    begins to tell that it never arrived."""

    key_major: int
    key_minor: int
    fingerprint: bytes
    force: int
    source_digest: bytes | None
    code: str | None
    document: str | None
    claimed_by: str | None
    run_id: int | None
    served_at: datetime
    lease_until: datetime

    @property
    def key(self) -> Key:
        """The record's key."""
        return self[:2]


class Claims:
    """The claims of one flow and target. Needs no flow lock; ``at`` is an aware time."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database = database
        self._scope = scope

    def claim(
        self,
        batch: Sequence[Serving],
        *,
        claimed_by: str | None,
        run_id: int | None,
        at: datetime,
        lease_until: datetime,
    ) -> dict[Key, Claim]:
        """The claims granted, durably and for all processes at once.

        Refused is a record that the target has, or that is claimed; the reader who gave a name, at most 64
        characters, gets the claim made under it again as it was made, its lease begun anew. Within a
        batch each key stands once.
        """
        granted: dict[Key, Claim] = {}
        terms = _Terms(claimed_by, run_id, at, lease_until)
        for some in _pieces(batch):
            work = functools.partial(_grant, scope_id=self._scope.id(), batch=some, terms=terms)
            granted |= self._database.write(work, durable=True)
        return granted

    def open(self, after: Key = BEFORE_ALL) -> Iterator[Claim]:
        """Every claim of a record with a greater key than ``after``, in key order, flat in memory."""
        scope_id = self._scope.find()
        major, minor = after
        while scope_id is not None:
            given = {"scope": scope_id, "from_major": major, "after_major": major, "after_minor": minor}
            with self._database.read() as connection:
                page = connection.execute(_OPEN, given).all()
            yield from map(_claim, page)
            if len(page) < _AT_ONCE:
                return
            major, minor = page[-1].key_major, page[-1].key_minor

    def of(self, keys: Iterable[Key]) -> dict[Key, Claim]:
        """The claims of these records, of those that have one."""
        scope_id = self._scope.find()
        found: dict[Key, Claim] = {}
        if scope_id is None:
            return found
        with self._database.read() as connection:
            for some in _pieces(sorted(set(keys))):
                rows = _versions(connection, scope_id, some)
                found |= {_key(row): _claim(row) for row in rows if row.rejected_at is None}
        return found

    def start_clock(self, keys: Iterable[Key], *, lease_until: datetime) -> None:
        """From then on the absence of these in the target counts; those without a claim are passed over."""
        until = to_milliseconds(lease_until)

        def work(connection: Connection, scope_id: int, some: Sequence[Key]) -> None:
            chosen = and_(_of_records(scope_id, some), served.c.rejected_at.is_(None))
            connection.execute(served.update().where(chosen).values(lease_until=until))

        for some in _pieces(sorted(set(keys))):
            # A power cut may take this back: then the clock starts again, later.
            self._database.write(functools.partial(work, scope_id=self._scope.id(), some=some), durable=False)

    def release(self, keys: Iterable[Key], *, at: datetime, over_by: datetime | None = None) -> list[Key]:
        """End the claims of these: the target has not got them, and they may be claimed again.

        With ``over_by`` only those whose lease was over then: who looked at that time knows nothing of a claim
        made or renewed since. Returns the records that had one, in key order.
        """
        over = None if over_by is None else to_milliseconds(over_by)
        released: list[Key] = []
        for some in _pieces(sorted(set(keys))):
            work = functools.partial(
                _release, scope_id=self._scope.id(), keys=some, at=to_milliseconds(at), over=over
            )
            released += self._database.write(work, durable=True)
        return released

    def fail(self, batch: Sequence[Failure], *, run_id: int, at: datetime) -> int:
        """Mark those failed that the target has nothing of, claimed or not; a claim stays.

        What was acknowledged since the caller looked is left as it is. Returns how many were marked.
        """
        failed = 0
        for some in _pieces(batch):
            given = {"run": run_id, "at": to_milliseconds(at)}
            work = functools.partial(_fail, scope_id=self._scope.id(), batch=some, given=given)
            failed += self._database.write(work, durable=False)
        return failed

    def settle(self, outcomes: Sequence[Outcome], *, at: datetime) -> Settled:
        """Acknowledge what was imported, which ends every claim of the record; what was rejected fails and
        waits, longer each time, and may then be claimed again.

        Safe to repeat: what is settled is unknown afterwards. An import that names its version also counts
        when its claim was released or rejected meanwhile.
        """
        settled = Settled([], [], [])
        for some in _pieces(outcomes):
            work = functools.partial(
                _settle, scope_id=self._scope.id(), outcomes=some, at=to_milliseconds(at)
            )
            for whole, part in zip(settled, self._database.write(work, durable=True), strict=True):
                whole.extend(part)
        return settled


class _Terms(NamedTuple):
    """What is said of all claims of a batch."""

    claimed_by: str | None
    run_id: int | None
    at: datetime
    lease_until: datetime

    def columns(self) -> dict[str, Any]:
        times = {"served_at": to_milliseconds(self.at), "lease_until": to_milliseconds(self.lease_until)}
        return {"claimed_by": self.claimed_by, "run_id": self.run_id, **times}

    def read_back(self) -> dict[str, Any]:
        """The columns as a claim gives them: times are kept to the millisecond."""
        columns = self.columns()
        return columns | {name: from_milliseconds(columns[name]) for name in ("served_at", "lease_until")}


_COLUMNS: Final = [served.c[name] for name in Claim._fields]
_OPEN: Final = (
    select(*_COLUMNS)
    .where(
        served.c.scope_id == bindparam("scope"),
        served.c.rejected_at.is_(None),
        served.c.key_major >= bindparam("from_major", type_=BigInteger),
        or_(
            served.c.key_major > bindparam("after_major", type_=BigInteger),
            served.c.key_minor > bindparam("after_minor", type_=BigInteger),
        ),
    )
    .order_by(served.c.key_major, served.c.key_minor)
    .limit(_AT_ONCE)
)


def _pieces(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def _key(row: Row[Any]) -> Key:
    return row.key_major, row.key_minor


def _claim(row: Row[Any]) -> Claim:
    claim = Claim._make(row._mapping[name] for name in Claim._fields)
    return claim._replace(
        served_at=from_milliseconds(row.served_at), lease_until=from_milliseconds(row.lease_until)
    )


def _of_records(scope_id: int, keys: Sequence[Key]) -> Any:
    return and_(served.c.scope_id == scope_id, tuple_(served.c.key_major, served.c.key_minor).in_(keys))


def _versions(connection: Connection, scope_id: int, keys: Sequence[Key]) -> list[Row[Any]]:
    """Everything handed out of these records and not acknowledged, oldest first."""
    statement = select(*_COLUMNS, served.c.id, served.c.scope_id, served.c.rejected_at)
    return [*connection.execute(statement.where(_of_records(scope_id, keys)).order_by(served.c.id))]


def _acknowledged(connection: Connection, scope_id: int, keys: Sequence[Key]) -> set[Key]:
    statement = select(ledger.c.key_major, ledger.c.key_minor).where(
        ledger.c.scope_id == scope_id,
        tuple_(ledger.c.key_major, ledger.c.key_minor).in_(keys),
        ledger.c.fingerprint.is_not(None),
    )
    return {(row.key_major, row.key_minor) for row in connection.execute(statement)}


def _grant(
    connection: Connection, scope_id: int, batch: Sequence[Serving], terms: _Terms
) -> dict[Key, Claim]:
    lock(connection, scope_id)
    keys = [one[:2] for one in batch]
    acknowledged = _acknowledged(connection, scope_id, keys)
    versions = _versions(connection, scope_id, keys)
    claims = {_key(row): _claim(row) for row in versions if row.rejected_at is None}
    wanted = [one for one in batch if one[:2] not in acknowledged and one[:2] not in claims]
    _make(connection, scope_id, wanted, versions, terms)
    own = [
        claim
        for claim in claims.values()
        if claim.key not in acknowledged and claim.claimed_by == terms.claimed_by is not None
    ]
    renewed = _renewed(connection, scope_id, own, terms)
    made = [Claim(**one._asdict(), **terms.read_back()) for one in wanted]
    return {claim.key: claim for claim in (*renewed, *made)}


def _make(
    connection: Connection,
    scope_id: int,
    wanted: Sequence[Serving],
    versions: Sequence[Row[Any]],
    terms: _Terms,
) -> None:
    if not wanted:
        return
    identities = {one[:4] for one in wanted}
    replaced = [row.id for row in versions if (*_key(row), row.fingerprint, row.force) in identities]
    if replaced:
        connection.execute(served.delete().where(served.c.id.in_(replaced)))
    columns = terms.columns() | {"scope_id": scope_id}
    connection.execute(insert(served), [one._asdict() | columns for one in wanted])
    _record(connection, scope_id, [one[:2] for one in wanted], "in_flight", to_milliseconds(terms.at))


def _renewed(
    connection: Connection, scope_id: int, claims: Sequence[Claim], terms: _Terms
) -> Sequence[Claim]:
    """The claims with a lease that begins now: their reader had not got them before."""
    if not claims:
        return claims
    chosen = and_(_of_records(scope_id, [claim.key for claim in claims]), served.c.rejected_at.is_(None))
    connection.execute(served.update().where(chosen).values(lease_until=terms.columns()["lease_until"]))
    return [claim._replace(lease_until=terms.read_back()["lease_until"]) for claim in claims]


def _record(connection: Connection, scope_id: int, keys: Sequence[Key], reason: str, at: int) -> None:
    """Let the ledger say that these wait, and for what."""
    rows = Batch(connection, writes.KEY, keys)
    rows.run(writes.ensure_row, scope=scope_id, at=at)
    rows.run(writes.record_waiting, scope=scope_id, reason=reason, at=at)


def _release(
    connection: Connection, scope_id: int, keys: Sequence[Key], at: int, over: int | None
) -> list[Key]:
    lock(connection, scope_id)
    claims = [
        row
        for row in _versions(connection, scope_id, keys)
        if row.rejected_at is None and (over is None or row.lease_until <= over)
    ]
    released = sorted({_key(row) for row in claims})
    ended = served.update().where(served.c.id.in_([row.id for row in claims]))
    connection.execute(ended.values(rejected_at=at, lease_until=at))
    _record(connection, scope_id, released, "queued", at)
    return released


def _fail(connection: Connection, scope_id: int, batch: Sequence[Failure], given: dict[str, Any]) -> int:
    lock(connection, scope_id)
    acknowledged = _acknowledged(connection, scope_id, [one[:2] for one in batch])
    rows = Batch(connection, writes.FAILURE, [one for one in batch if one[:2] not in acknowledged])
    for statement in (writes.record_attempt, writes.ensure_row):
        rows.run(statement, scope=scope_id, **given)
    return rows.run(writes.fail, scope=scope_id, **given)


def _settle(connection: Connection, scope_id: int, outcomes: Sequence[Outcome], at: int) -> Settled:
    lock(connection, scope_id)
    settled = Settled([], [], [])
    for outcome in outcomes:
        key = (outcome.key_major, outcome.key_minor)
        version = _meant(_versions(connection, scope_id, [key]), outcome)
        if version is None:
            settled.unknown.append(key)
        elif outcome.imported:
            acknowledge_version(connection, scope_id, version, at)
            connection.execute(served.delete().where(_of_records(scope_id, [key])))
            settled.acknowledged.append(key)
        elif _acknowledged(connection, scope_id, [key]):
            settled.unknown.append(key)
        else:
            reject_version(connection, scope_id, version, outcome, at)
            settled.rejected.append(key)
    return settled


def _meant(versions: Sequence[Row[Any]], outcome: Outcome) -> Row[Any] | None:
    """The version an outcome speaks of: the claim, or one that was given up and imported after all."""
    for row in versions:
        if outcome.version is None:
            is_meant = row.rejected_at is None
        else:
            is_same = (row.fingerprint, row.force) == outcome.version
            is_meant = is_same and (row.rejected_at is None or outcome.imported)
        if is_meant:
            return row
    return None
