"""Products and combinations a person excluded from the export."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, or_, select

from brekzsync.state.bulk import Key
from brekzsync.state.connection import Database
from brekzsync.state.tables import exclusion
from brekzsync.state.times import from_milliseconds, to_milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """One exclusion; ``id_product_attribute`` None covers the whole product, future combinations too."""

    id_product: int
    id_product_attribute: int | None
    reference: str | None
    reason: str
    by_whom: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusions:
    """All exclusions, by what they cover; ``references`` are normalised and name combinations only."""

    products: dict[int, Exclusion] = field(default_factory=dict)
    combinations: dict[Key, Exclusion] = field(default_factory=dict)
    references: dict[str, Exclusion] = field(default_factory=dict)

    def covering(self, key: Key, reference: str) -> Exclusion | None:
        """The exclusion that keeps this combination out, None when there is none."""
        return (
            self.products.get(key[0])
            or self.combinations.get(key)
            or self.references.get(reference.strip().upper())
        )


class ExclusionList:
    """The exclusions in the state database, the same for every target."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> Exclusions:
        """Every exclusion there is; the latest where two cover the same."""
        with self._database.read() as connection:
            rows = connection.execute(select(exclusion).order_by(exclusion.c.id)).all()
        exclusions = Exclusions()
        for one in map(_exclusion, rows):
            if one.id_product_attribute is None:
                exclusions.products[one.id_product] = one
                continue
            exclusions.combinations[(one.id_product, one.id_product_attribute)] = one
            if one.reference:
                exclusions.references[one.reference] = one
        return exclusions

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
        """Exclude a product or one combination; doing it again replaces reason, reference and time.

        The reference of a combination is remembered, so that the same one under a new id stays excluded.
        """
        remembered = reference.strip().upper() if id_product_attribute is not None else ""

        def work(connection: Connection) -> None:
            connection.execute(
                delete(exclusion).where(
                    exclusion.c.id_product == id_product,
                    exclusion.c.id_product_attribute.is_not_distinct_from(id_product_attribute),
                )
            )
            connection.execute(
                insert(exclusion).values(
                    id_product=id_product,
                    id_product_attribute=id_product_attribute,
                    reference=remembered or None,
                    reason=reason,
                    by_whom=by_whom,
                    created_at=to_milliseconds(at),
                )
            )

        self._database.write(work, durable=True)

    def remove(self, id_product: int, id_product_attribute: int | None = None, *, reference: str = "") -> int:
        """Clear exclusions, returning how many there were.

        A product clears its own and those of all its combinations. A combination clears its own and, given
        its reference, the one that reaches it under an earlier id; one of the whole product stays.
        """
        covered = exclusion.c.id_product == id_product
        if id_product_attribute is not None:
            covered = and_(covered, exclusion.c.id_product_attribute == id_product_attribute)
            remembered = reference.strip().upper()
            if remembered:
                covered = or_(covered, exclusion.c.reference == remembered)
        return self._database.write(
            lambda connection: connection.execute(delete(exclusion).where(covered)).rowcount, durable=True
        )


def _exclusion(row: Row[Any]) -> Exclusion:
    return Exclusion(
        id_product=row.id_product,
        id_product_attribute=row.id_product_attribute,
        reference=row.reference,
        reason=row.reason,
        by_whom=row.by_whom,
        created_at=from_milliseconds(row.created_at),
    )
