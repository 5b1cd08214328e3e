"""The statements that change the ledger, each written once for all databases (see ``bulk.py``).

``acknowledge`` and ``clear`` are compare-and-set: they touch a row only while the version it acknowledges is
the one the writer compared with. None of them ever lowers ``force_requested`` or raises it, except
``request_force``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    String,
    Text,
    and_,
    case,
    func,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    update,
)
from sqlalchemy.sql.dml import UpdateBase

from brekzsync.domain.ledger import IN_DOUBT
from brekzsync.state.bulk import Batch, Shape, Statement, Values, constant, insert_missing
from brekzsync.state.tables import DIGEST, attempt, ledger, served

_KEY: Final[dict[str, Any]] = {"key_major": BigInteger, "key_minor": BigInteger}
_VERSION: Final[dict[str, Any]] = {"fingerprint": DIGEST, "force": Integer, "source_digest": DIGEST}
_PRIOR: Final[dict[str, Any]] = {"prior_fingerprint": DIGEST, "prior_force": Integer}

ACKNOWLEDGEMENT: Final = Shape(
    "acknowledgement",
    _KEY | _VERSION | {"code": String(255), "document": Text} | _PRIOR | {"known": Boolean},
)
FAILURE: Final = Shape(
    "failure", _KEY | {"reason": String(64), "message": Text, "next_attempt_at": BigInteger}
)
CLEARING: Final = Shape("clearing", _KEY | {"reason": String(64)} | _PRIOR)
UNCHANGED: Final = Shape("unchanged", _KEY | _VERSION)
KEY: Final = Shape("record", _KEY)
REMARK: Final = Shape("remark", _KEY | {"reason": String(64), "message": Text})
HOLD: Final = Shape(
    "hold",
    _KEY | {"reason": String(64), "message": Text, "next_attempt_at": BigInteger, "document": Text},
)

_ZERO: Final[ColumnElement[Any]] = literal_column("0")
_QUEUED: Final[ColumnElement[Any]] = literal_column("'queued'")


def _this_row(row: Values) -> ColumnElement[bool]:
    return and_(
        ledger.c.scope_id == constant("scope"),
        ledger.c.key_major == row("key_major"),
        ledger.c.key_minor == row("key_minor"),
    )


def _still_prior(row: Values) -> ColumnElement[bool]:
    return and_(
        ledger.c.fingerprint.is_not_distinct_from(row("prior_fingerprint")),
        ledger.c.force_acknowledged == row("prior_force"),
    )


def _no_trouble() -> dict[str, Any]:
    return {"message": null(), "attempts": _ZERO, "next_attempt_at": null(), "different_at": null()}


def _acknowledge_new(dialect: Dialect, row: Values) -> UpdateBase:
    return insert_missing(
        dialect,
        ledger,
        {
            "scope_id": constant("scope"),
            "key_major": row("key_major"),
            "key_minor": row("key_minor"),
            "fingerprint": row("fingerprint"),
            "force_acknowledged": row("force"),
            "force_requested": row("force"),
            "status": literal_column("'synced'"),
            "source_digest": row("source_digest"),
            "code": row("code"),
            "document": row("document"),
            "attempts": _ZERO,
            "run_id": constant("run"),
            "created_at": constant("at"),
            "synced_at": constant("at"),
            "updated_at": constant("at"),
        },
    )


def _acknowledge_same_code(dialect: Dialect, row: Values) -> UpdateBase:
    """Nearly all of them: leaving the code alone spares its index two changes a row."""
    same_code = ledger.c.code.is_not_distinct_from(row("code"))
    return update(ledger).where(_this_row(row), _still_prior(row), same_code).values(_acknowledged(row))


def _acknowledge_new_code(dialect: Dialect, row: Values) -> UpdateBase:
    new_code = ledger.c.code.is_distinct_from(row("code"))
    values = _acknowledged(row) | {"code": row("code")}
    return update(ledger).where(_this_row(row), _still_prior(row), new_code).values(values)


def _acknowledged(row: Values) -> dict[str, Any]:
    # No value reads a column that is itself assigned: MariaDB gives those in no certain order.
    force_waits = ledger.c.force_requested > row("force")
    begins_doubt = row("fingerprint") == literal(IN_DOUBT, DIGEST)
    return {
        "fingerprint": row("fingerprint"),
        "force_acknowledged": row("force"),
        "source_digest": row("source_digest"),
        "document": row("document"),
        "status": case((force_waits, literal_column("'pending'")), else_=literal_column("'synced'")),
        "reason": case((force_waits, _QUEUED), else_=null()),
        "run_id": constant("run"),
        # Doubt is no news from the target: what it acknowledged last stays told.
        "synced_at": case((begins_doubt, ledger.c.synced_at), else_=constant("at")),
        "updated_at": constant("at"),
        **_no_trouble(),
    }


def _is_acknowledged(row: Values) -> ColumnElement[bool]:
    return and_(
        _this_row(row),
        ledger.c.fingerprint == row("fingerprint"),
        ledger.c.force_acknowledged == row("force"),
    )


def _refresh_digest(dialect: Dialect, row: Values) -> UpdateBase:
    return update(ledger).where(_is_acknowledged(row)).values(source_digest=row("source_digest"))


def _end_trouble(dialect: Dialect, row: Values) -> UpdateBase:
    return (
        update(ledger)
        .where(
            _is_acknowledged(row),
            ledger.c.force_requested <= row("force"),
            or_(ledger.c.status != "synced", ledger.c.reason.is_not(None)),
        )
        .values(status=literal_column("'synced'"), reason=null(), updated_at=constant("at"), **_no_trouble())
    )


def _ensure_row(dialect: Dialect, row: Values) -> UpdateBase:
    return insert_missing(
        dialect,
        ledger,
        {
            "scope_id": constant("scope"),
            "key_major": row("key_major"),
            "key_minor": row("key_minor"),
            "force_acknowledged": _ZERO,
            "force_requested": _ZERO,
            "status": literal_column("'pending'"),
            "attempts": _ZERO,
            "created_at": constant("at"),
            "updated_at": constant("at"),
        },
    )


def _record_attempt(dialect: Dialect, row: Values) -> UpdateBase:
    """Keep the failure unless the record last failed with the very same words."""
    same = select(literal(1)).where(
        _this_row(row),
        ledger.c.status == "failed",
        ledger.c.reason.is_not_distinct_from(row("reason")),
        ledger.c.message.is_not_distinct_from(row("message")),
    )
    values = {
        "scope_id": constant("scope"),
        "key_major": row("key_major"),
        "key_minor": row("key_minor"),
        "run_id": constant("run"),
        "at": constant("at"),
        "outcome": literal_column("'failed'"),
        "reason": row("reason"),
        "message": row("message"),
    }
    return insert(attempt).from_select(list(values), select(*values.values()).where(~same.exists()))


def _fail(dialect: Dialect, row: Values) -> UpdateBase:
    return (
        update(ledger)
        .where(_this_row(row))
        .values(
            status=literal_column("'failed'"),
            reason=row("reason"),
            message=row("message"),
            attempts=ledger.c.attempts + 1,
            next_attempt_at=row("next_attempt_at"),
            different_at=func.coalesce(ledger.c.different_at, constant("at")),
            updated_at=constant("at"),
        )
    )


def _record_pending(dialect: Dialect, row: Values) -> UpdateBase:
    reason = constant("reason", String(64))
    return (
        update(ledger)
        .where(
            _this_row(row),
            or_(ledger.c.status != "pending", ledger.c.reason.is_distinct_from(reason)),
        )
        .values(
            status=literal_column("'pending'"),
            reason=reason,
            message=null(),
            different_at=func.coalesce(ledger.c.different_at, constant("at")),
            updated_at=constant("at"),
        )
    )


def _wait(dialect: Dialect, row: Values) -> UpdateBase:
    """It waits for this reason from now on, whatever held it back before; never one the target has."""
    return (
        update(ledger)
        .where(_this_row(row), ledger.c.fingerprint.is_(None))
        .values(
            status=literal_column("'pending'"),
            reason=constant("reason", String(64)),
            message=null(),
            next_attempt_at=null(),
            different_at=func.coalesce(ledger.c.different_at, constant("at")),
            updated_at=constant("at"),
        )
    )


def _wait_until(dialect: Dialect, row: Values) -> UpdateBase:
    """Says when, and no more: what waits for the same as before is no news."""
    until = row("next_attempt_at")
    return (
        update(ledger)
        .where(_this_row(row), ledger.c.next_attempt_at.is_distinct_from(until))
        .values(next_attempt_at=until)
    )


def _hold(dialect: Dialect, row: Values) -> UpdateBase:
    news = or_(
        ledger.c.status != "pending",
        ledger.c.reason.is_distinct_from(row("reason")),
        ledger.c.message.is_distinct_from(row("message")),
    )
    return (
        update(ledger)
        .where(_this_row(row), news)
        .values(
            status=literal_column("'pending'"),
            reason=row("reason"),
            message=row("message"),
            different_at=func.coalesce(ledger.c.different_at, constant("at")),
            updated_at=constant("at"),
        )
    )


def _describe(dialect: Dialect, row: Values) -> UpdateBase:
    return (
        update(ledger).where(_this_row(row), ledger.c.fingerprint.is_(None)).values(document=row("document"))
    )


def _record_end(dialect: Dialect, row: Values) -> UpdateBase:
    values = {
        "scope_id": constant("scope"),
        "key_major": row("key_major"),
        "key_minor": row("key_minor"),
        "run_id": constant("run"),
        "at": constant("at"),
        "outcome": literal_column("'ended'"),
        "reason": row("reason"),
        "message": row("message"),
    }
    return insert(attempt).from_select(list(values), select(*values.values()))


def _remark(dialect: Dialect, row: Values) -> UpdateBase:
    news = or_(
        ledger.c.reason.is_distinct_from(row("reason")), ledger.c.message.is_distinct_from(row("message"))
    )
    return (
        update(ledger)
        .where(_this_row(row), ledger.c.fingerprint.is_not(None), ledger.c.status == "synced", news)
        .values(reason=row("reason"), message=row("message"), updated_at=constant("at"))
    )


def _clear(dialect: Dialect, row: Values) -> UpdateBase:
    # A force that waits outlives what was acknowledged, unless the record itself is gone.
    still_wanted = and_(ledger.c.force_requested > ledger.c.force_acknowledged, row("reason") != "deleted")
    return (
        update(ledger)
        .where(_this_row(row), _still_prior(row))
        .values(
            fingerprint=null(),
            source_digest=null(),
            code=null(),
            document=null(),
            status=case((still_wanted, literal_column("'pending'")), else_=literal_column("'synced'")),
            reason=row("reason"),
            run_id=constant("run"),
            updated_at=constant("at"),
            **_no_trouble(),
        )
    )


def force_waits() -> ColumnElement[bool]:
    """Whether a force was asked for and no version with it has been handed out yet.

    One that is on its way or whose result is awaited does not count: acknowledging it answers the force it
    was made for, and would silently answer a later one with it.
    """
    handed_out = (
        select(literal(1))
        .where(
            served.c.scope_id == ledger.c.scope_id,
            served.c.key_major == ledger.c.key_major,
            served.c.key_minor == ledger.c.key_minor,
            served.c.force >= ledger.c.force_requested,
        )
        .correlate(ledger)
    )
    return and_(
        ledger.c.force_requested > ledger.c.force_acknowledged,
        ledger.c.fingerprint.is_distinct_from(IN_DOUBT),
        ~handed_out.exists(),
    )


def _request_force(dialect: Dialect, row: Values) -> UpdateBase:
    return (
        update(ledger)
        .where(_this_row(row), ~force_waits())
        .values(
            force_requested=ledger.c.force_requested + 1,
            status=literal_column("'pending'"),
            reason=_QUEUED,
            next_attempt_at=null(),
            different_at=func.coalesce(ledger.c.different_at, constant("at")),
            updated_at=constant("at"),
        )
    )


acknowledge_new: Final = Statement(_acknowledge_new)
acknowledge_same_code: Final = Statement(_acknowledge_same_code)
acknowledge_new_code: Final = Statement(_acknowledge_new_code)
refresh_digest: Final = Statement(_refresh_digest)
end_trouble: Final = Statement(_end_trouble)
ensure_row: Final = Statement(_ensure_row)
record_attempt: Final = Statement(_record_attempt)
fail: Final = Statement(_fail)
record_pending: Final = Statement(_record_pending)
record_waiting: Final = Statement(_wait)
wait_until: Final = Statement(_wait_until)
hold: Final = Statement(_hold)
describe: Final = Statement(_describe)
record_end: Final = Statement(_record_end)
remark: Final = Statement(_remark)
clear: Final = Statement(_clear)
request_force: Final = Statement(_request_force)


def acknowledge(
    connection: Connection, new: Sequence[tuple[Any, ...]], known: Sequence[tuple[Any, ...]], **given: Any
) -> int:
    """Record acknowledgements, compare-and-set; ``new`` are those whose row did not exist when compared."""
    taken = Batch(connection, ACKNOWLEDGEMENT, new).run(acknowledge_new, **given)
    if taken < len(new):  # somebody made a row meanwhile: a force, a failure, another run
        known = [*new, *known]
    rows = Batch(connection, ACKNOWLEDGEMENT, known)
    same = rows.run(acknowledge_same_code, **given)
    return taken + same + (rows.run(acknowledge_new_code, **given) if same < len(known) else 0)
