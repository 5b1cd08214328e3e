"""What the catalogue's stream is made of: combinations as the shop sent them, not yet decoded."""

from __future__ import annotations

from typing import NamedTuple

from brekzsync.domain.eligibility import Standing
from brekzsync.domain.keys import ProductKey
from brekzsync.prestashop.connection import RawRow
from brekzsync.prestashop.queries import ProductRow


class SourceProduct(NamedTuple):
    """What all combinations of a product share: its row and what it refers to, resolved to raw values.

    ``resaved`` holds both ``date_upd`` values: either one moving is a re-save, whichever way the clock stepped.
    """

    row: ProductRow
    names: tuple[bytes, ...]
    brand: bytes
    category: bytes
    rate: bytes | None
    cover: bytes
    group_reduction: bytes
    resaved: bytes


class SourceRecord(NamedTuple):
    """One combination, undecoded; ``row`` has the fields of ``CombinationRow`` and is None for a product
    without combinations. Equal digests (under one salt) mean equal items and re-save marks."""

    key: ProductKey
    digest: bytes
    standing: Standing
    product: SourceProduct
    row: RawRow | None
    id_image: bytes
    attributes: tuple[bytes, ...]
    special: RawRow | None

    @property
    def resaved(self) -> bytes:
        """What moves when somebody saves the product again."""
        return self.product.resaved
