"""Where the logs are read from, and the statements that do it.

A record handed out for the first time has no row in its ledger before the result comes: until then it is told
from the versions served. So there are two places, each with its own idea of when a record was updated and what
its status is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    Column,
    ColumnElement,
    Select,
    Table,
    and_,
    case,
    false,
    func,
    not_,
    or_,
    select,
    true,
)

from brekzsync.domain.keys import WantedId, is_id, parse_id
from brekzsync.domain.ledger import IN_DOUBT, LedgerEntry
from brekzsync.domain.log_records import LogQuery, LogStatus
from brekzsync.domain.sync_flows import FLOWS
from brekzsync.state.bulk import Key
from brekzsync.state.tables import ledger, served

Scopes = Mapping[int, tuple[str, str]]
"""Flow and target by their number."""


class LogPosition(NamedTuple):
    """Where a page ended: the next one goes on behind it."""

    updated_at: int
    scope_id: int
    key_major: int
    key_minor: int


class Place(NamedTuple):
    """One of the two tables a record may be found in."""

    table: Table
    identity: tuple[Column[Any], ...]
    updated_at: Column[Any]
    columns: Sequence[ColumnElement[Any]]
    counts: ColumnElement[bool]  # which of its rows are records
    statuses: dict[LogStatus, ColumnElement[bool]]
    told_in: Sequence[ColumnElement[Any]]  # what a search looks through
    keys_in: Sequence[ColumnElement[Any]]  # the same, of a text that is a combination's key
    entry: Callable[[Sequence[Any]], tuple[LedgerEntry, str | None, bool]]


_other: Final = served.alias("other")
_waits: Final = select(served.c.id).where(
    served.c.scope_id == ledger.c.scope_id,
    served.c.key_major == ledger.c.key_major,
    served.c.key_minor == ledger.c.key_minor,
    served.c.rejected_at.is_(None),
)
_in_flight: Final = _waits.correlate(ledger).exists()
_in_doubt: Final = ledger.c.fingerprint.is_not_distinct_from(IN_DOUBT)


def _told_of(column: str) -> ColumnElement[Any]:
    """As the target has it; of what it has nothing of, as it was handed out, in one of its versions, or whose it is.

    Not in the newest: asked for the greatest id, MariaDB goes through all that was ever handed out.
    """
    handed_out = select(func.max(served.c[column])).where(
        served.c.scope_id == ledger.c.scope_id,
        served.c.key_major == ledger.c.key_major,
        served.c.key_minor == ledger.c.key_minor,
    )
    nothing = ledger.c.fingerprint.is_(None)
    unsettled = handed_out.correlate(ledger).scalar_subquery()
    return case((nothing, func.coalesce(unsettled, ledger.c[column])), else_=ledger.c[column])


_document: Final = _told_of("document")
_code: Final = _told_of("code")
_unsettled: Final = or_(_in_doubt, _in_flight)
_known: Final = (
    select(ledger.c.scope_id)
    .where(
        ledger.c.scope_id == served.c.scope_id,
        ledger.c.key_major == served.c.key_major,
        ledger.c.key_minor == served.c.key_minor,
    )
    .correlate(served)
)
_newer: Final = (
    select(_other.c.id)
    .where(
        _other.c.scope_id == served.c.scope_id,
        _other.c.key_major == served.c.key_major,
        _other.c.key_minor == served.c.key_minor,
        _other.c.rejected_at.is_(None),
        _other.c.id > served.c.id,
    )
    .correlate(served)
)


def _of_ledger(values: Sequence[Any]) -> tuple[LedgerEntry, str | None, bool]:
    *fields, document, in_flight = values
    return LedgerEntry._make(fields), document, bool(in_flight)


def _of_served(values: Sequence[Any]) -> tuple[LedgerEntry, str | None, bool]:
    """The row the ledger will have once the first result is there."""
    major, minor, force, run_id, served_at, document = values
    entry = LedgerEntry(
        key_major=major,
        key_minor=minor,
        source_digest=None,
        fingerprint=None,
        force_acknowledged=0,
        force_requested=force,
        status=LogStatus.PENDING,
        reason=None,
        next_attempt_at=None,
        different_at=served_at,
        run_id=run_id,
        code=None,
        attempts=0,
        created_at=served_at,
        synced_at=None,
        updated_at=served_at,
        message=None,
    )
    return entry, document, True


PLACES: Final = (
    Place(
        table=ledger,
        identity=(ledger.c.scope_id, ledger.c.key_major, ledger.c.key_minor),
        updated_at=ledger.c.updated_at,
        columns=[
            *(ledger.c[name] for name in LedgerEntry._fields),
            _document.label("told_document"),
            _in_flight.label("in_flight"),
        ],
        counts=true(),
        statuses={
            LogStatus.FAILED: ledger.c.status == "failed",
            LogStatus.PENDING: or_(
                ledger.c.status == "pending", and_(ledger.c.status == "synced", _unsettled)
            ),
            LogStatus.SYNCED: and_(ledger.c.status == "synced", not_(_unsettled)),
        },
        told_in=(_document, ledger.c.message, ledger.c.reason),
        keys_in=(_code, ledger.c.message),
        entry=_of_ledger,
    ),
    Place(
        table=served,
        identity=(served.c.id,),
        updated_at=served.c.served_at,
        columns=[
            served.c[name] for name in ("key_major", "key_minor", "force", "run_id", "served_at", "document")
        ],
        counts=and_(served.c.rejected_at.is_(None), not_(_known.exists()), not_(_newer.exists())),
        statuses={LogStatus.PENDING: true()},
        told_in=(served.c.document,),
        keys_in=(served.c.code,),
        entry=_of_served,
    ),
)


def _matching(place: Place, query: LogQuery, scopes: Scopes) -> ColumnElement[bool]:
    conditions = [place.table.c.scope_id.in_(scopes), place.counts]
    if query.status is not None:
        conditions.append(place.statuses.get(query.status, false()))
    if query.since is not None:
        conditions.append(place.updated_at >= query.since)
    if query.search:
        conditions.append(_mentions(place, query.search, scopes))
    return and_(*conditions)


def _mentions(place: Place, text: str, scopes: Scopes) -> ColumnElement[bool]:
    """Whether the record's key is this text, or what is told of the record holds it.

    12-34 may be in an item code or in a message about another record, but within a document it is mostly
    part of a date.
    """
    wanted = parse_id(text) if is_id(text) else None
    is_key = wanted is not None and wanted.id_product_attribute is not None
    columns = place.keys_in if is_key else place.told_in
    looks = [func.lower(column).contains(text.strip().lower(), autoescape=True) for column in columns]
    return or_(*looks) if wanted is None else or_(_is(place, wanted, scopes), *looks)


def _is(place: Place, wanted: WantedId, scopes: Scopes) -> ColumnElement[bool]:
    """One number is a product or an order, two are a combination and nothing else."""
    same_first: ColumnElement[bool] = place.table.c.key_major == wanted.id_product
    if wanted.id_product_attribute is None:
        return same_first
    of_combinations = place.table.c.scope_id.in_(with_combinations(scopes))
    return and_(same_first, place.table.c.key_minor == wanted.id_product_attribute, of_combinations)


def with_combinations(scopes: Scopes) -> list[int]:
    """Those whose records are combinations."""
    return [number for number, (flow, _) in scopes.items() if FLOWS[flow].has_combinations]


def counted(place: Place, status: LogStatus, scopes: Scopes) -> Select[Any]:
    """How many records of a place have this status."""
    return (
        select(func.count()).select_from(place.table).where(_matching(place, LogQuery(status=status), scopes))
    )


def latest(
    place: Place, query: LogQuery, scopes: Scopes, after: LogPosition | None, limit: int
) -> Select[Any]:
    """Finds the rows first and reads the rest of them then: the whole ledger is looked through, and most of a
    row is the document."""
    key = (place.table.c.scope_id, place.table.c.key_major, place.table.c.key_minor)
    order = (place.updated_at.desc(), *key)
    chosen = select(*place.identity).where(_matching(place, query, scopes)).order_by(*order).limit(limit)
    if after is not None:
        chosen = chosen.where(_behind(place.updated_at, key, after))
    some = chosen.subquery("chosen")
    same = and_(*(column == some.c[column.name] for column in place.identity))
    return select(place.table.c.scope_id, *place.columns).join_from(place.table, some, same).order_by(*order)


def _behind(updated_at: Column[Any], key: tuple[Column[Any], ...], after: LogPosition) -> ColumnElement[bool]:
    scope_id, major, minor = key
    return or_(
        updated_at < after.updated_at,
        and_(
            updated_at == after.updated_at,
            or_(
                scope_id > after.scope_id,
                and_(
                    scope_id == after.scope_id,
                    or_(
                        major > after.key_major,
                        and_(major == after.key_major, minor > after.key_minor),
                    ),
                ),
            ),
        ),
    )


def following(place: Place, query: LogQuery, scopes: Scopes, after: Key, limit: int) -> Select[Any]:
    """The next page in key order; the condition is one MariaDB reads as a range of its index."""
    major, minor = place.table.c.key_major, place.table.c.key_minor
    return (
        select(place.table.c.scope_id, *place.columns)
        .where(
            _matching(place, query, scopes),
            major >= after[0],
            or_(major > after[0], minor > after[1]),
        )
        .order_by(major, minor)
        .limit(limit)
    )


def under(place: Place, query: LogQuery, scopes: Scopes, wanted: WantedId) -> Select[Any]:
    return (
        select(place.table.c.scope_id, *place.columns)
        .where(_matching(place, query, scopes), _is(place, wanted, scopes))
        .order_by(place.table.c.key_major, place.table.c.key_minor)
    )
