"""Products and combinations a person excluded from the export."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, insert, select, update

from brekzsync.domain.exclusions import Exclusion, Exclusions
from brekzsync.domain.keys import WantedId
from brekzsync.domain.texts import normalise_code
from brekzsync.state.connection import Database
from brekzsync.state.tables import exclusion
from brekzsync.state.times import from_milliseconds, to_milliseconds


class ExclusionList:
    """The exclusions in the state database, the same for every target."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Exclusions:
        """Every exclusion there is; the latest where two cover the same."""
        with self._database.read() as connection:
            rows = connection.execute(select(exclusion).order_by(exclusion.c.id)).all()
        return Exclusions.of(map(_exclusion, rows))

    def record(self, exclusions: Sequence[Exclusion]) -> None:
        """Put these on the list, all or none; one that is there for the same id is replaced."""

        def work(connection: Connection) -> None:
            for one in exclusions:
                connection.execute(delete(exclusion).where(_made_for(one.id)))
                connection.execute(insert(exclusion).values(_row(one)))

        if exclusions:
            self._database.write(work, durable=True)

    def end(self, ended: Collection[WantedId], nameless: Collection[WantedId] = ()) -> None:
        """Take those made for the ids ``ended`` off the list, all or none, and with them, of those made for
        ``nameless``, the reference: they cover nothing but their own combination any more. Safe to repeat."""

        def work(connection: Connection) -> None:
            for one in ended:
                connection.execute(delete(exclusion).where(_made_for(one)))
            for one in nameless:
                connection.execute(update(exclusion).where(_made_for(one)).values(reference=None))

        if ended or nameless:
            self._database.write(work, durable=True)

    def add(
        self,
        id_product: int,
        id_product_attribute: int | None = None,
        *,
        reference: str = "",
        reason: str = "",
        by_whom: str = "",
        at: datetime,
    ) -> None:
        """``record`` for one; ``reference`` as the shop has it."""
        remembered = normalise_code(reference) if id_product_attribute is not None else ""
        one = Exclusion(
            id_product=id_product,
            id_product_attribute=id_product_attribute,
            reference=remembered or None,
            reason=reason,
            by_whom=by_whom,
            created_at=at,
        )
        self.record([one])


def _made_for(wanted: WantedId) -> ColumnElement[bool]:
    return and_(
        exclusion.c.id_product == wanted.id_product,
        exclusion.c.id_product_attribute.is_not_distinct_from(wanted.id_product_attribute),
    )


def _row(one: Exclusion) -> dict[str, Any]:
    return {
        "id_product": one.id_product,
        "id_product_attribute": one.id_product_attribute,
        "reference": one.reference,
        "reason": one.reason,
        "by_whom": one.by_whom,
        "created_at": to_milliseconds(one.created_at),
    }


def _exclusion(row: Row[Any]) -> Exclusion:
    return Exclusion(
        id_product=row.id_product,
        id_product_attribute=row.id_product_attribute,
        reference=row.reference,
        reason=row.reason,
        by_whom=row.by_whom,
        created_at=from_milliseconds(row.created_at),
    )
