"""Versions handed out of which the target has said nothing, to be looked for in the target itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Connection, bindparam, or_, select

from brekzsync.state.tables import ledger, served


class Unreported(NamedTuple):
    """A version without a result; ``acknowledged`` is the document the target acknowledged before it, None for
    nothing ever. ``is_forced``: a force was asked for that nothing acknowledged answers."""

    id: int
    key_major: int
    key_minor: int
    fingerprint: bytes
    force: int
    code: str | None
    document: str | None
    acknowledged: str | None
    is_forced: bool


_VERSIONS: Final = (
    select(
        served.c.id,
        served.c.key_major,
        served.c.key_minor,
        served.c.fingerprint,
        served.c.force,
        served.c.code,
        served.c.document,
        ledger.c.document.label("acknowledged"),
        ledger.c.force_acknowledged,
    )
    .select_from(
        served.outerjoin(
            ledger,
            (ledger.c.scope_id == served.c.scope_id)
            & (ledger.c.key_major == served.c.key_major)
            & (ledger.c.key_minor == served.c.key_minor),
        )
    )
    .where(
        served.c.scope_id == bindparam("scope"),
        served.c.id > bindparam("after", type_=BigInteger),
        served.c.rejected_at.is_(None),
        # What the target once had and what was then cleared is not known any more: nothing there is news of it.
        or_(ledger.c.synced_at.is_(None), ledger.c.fingerprint.is_not(None)),
    )
    .order_by(served.c.id)
    .limit(bindparam("most"))
)
# A lease is as long as it was when the version went out, until a hand-over renews it.
_OVER_OR_RENEWED: Final = _VERSIONS.where(
    or_(
        served.c.lease_until <= bindparam("moment", type_=BigInteger),
        served.c.lease_until - served.c.served_at > bindparam("lease", type_=BigInteger),
    )
)


def unreported(
    connection: Connection, scope_id: int, *, at: int, lease: timedelta | None, after: int, limit: int
) -> list[Unreported]:
    """Those of which the lease is over or was renewed, all of them without a ``lease``; by id, from ``after``."""
    given = {"scope": scope_id, "after": after, "most": limit}
    if lease is None:
        rows = connection.execute(_VERSIONS, given)
    else:
        given |= {"moment": at, "lease": lease // timedelta(milliseconds=1)}
        rows = connection.execute(_OVER_OR_RENEWED, given)
    return [Unreported(*row[:-1], row.force > (row.force_acknowledged or 0)) for row in rows]
