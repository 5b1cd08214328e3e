"""What people keep out of the export: products, single combinations, and the references those had."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from brekzsync.domain.diagnosis import Flag
from brekzsync.domain.keys import ProductKey, WantedId, sorted_ids
from brekzsync.domain.texts import normalise_code


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """One exclusion; ``id_product_attribute`` None covers the whole product, future combinations too.

    ``reference`` is normalised and only a combination's: whatever else has it is kept out as well.
    """

    id_product: int
    id_product_attribute: int | None
    reference: str | None
    reason: str
    by_whom: str
    created_at: datetime

    @property
    def id(self) -> WantedId:
        """The product or combination it was made for."""
        return WantedId(self.id_product, self.id_product_attribute)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusions:
    """All exclusions, by what they cover; ``references`` are normalised and name combinations only."""

    products: dict[int, Exclusion] = field(default_factory=dict)
    combinations: dict[ProductKey, Exclusion] = field(default_factory=dict)
    references: dict[str, Exclusion] = field(default_factory=dict)

    @classmethod
    def of(cls, exclusions: Iterable[Exclusion]) -> Exclusions:
        """Sorted out; the last one where two cover the same."""
        found = cls()
        for one in exclusions:
            if one.id_product_attribute is None:
                found.products[one.id_product] = one
                continue
            found.combinations[(one.id_product, one.id_product_attribute)] = one
            if one.reference:
                found.references[one.reference] = one
        return found

    def all(self) -> list[Exclusion]:
        """Every exclusion, in the order of ids, a product's own before those of its combinations."""
        every = {one.id: one for one in (*self.products.values(), *self.combinations.values())}
        return [every[wanted] for wanted in sorted_ids(every)]

    def of_id(self, wanted: WantedId) -> Exclusion | None:
        """The exclusion made for just this product or combination."""
        if wanted.id_product_attribute is None:
            return self.products.get(wanted.id_product)
        return self.combinations.get((wanted.id_product, wanted.id_product_attribute))

    def covering(self, key: ProductKey, reference: str) -> Exclusion | None:
        """The exclusion that keeps this combination out, None when there is none."""
        return (
            self.products.get(key[0])
            or self.combinations.get(key)
            or self.references.get(normalise_code(reference))
        )


def flag_of(exclusion: Exclusion, key: ProductKey) -> Flag:
    """It as the evidence on one combination it covers; its reference is told where that is what covers it."""
    by_reference = exclusion.id not in (WantedId(key[0], None), WantedId(*key))
    return Flag(
        exclusion.id.shown,
        exclusion.reference if by_reference else None,
        exclusion.reason,
        exclusion.by_whom,
        exclusion.created_at,
    )
