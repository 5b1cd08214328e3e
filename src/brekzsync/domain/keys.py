"""Keys of sellable combinations: two integers inside, ``12-34`` for people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

ProductKey = tuple[int, int]
"""``(id_product, id_product_attribute)``; the second is 0 for a product without combinations."""

BEFORE_ALL: ProductKey = (-1, -1)
"""Less than every key."""

_PATTERN = re.compile(r"(?P<product>[0-9]{1,10})(?:-(?P<combination>[0-9]{1,10}))?", re.ASCII)


class WantedId(NamedTuple):
    """An id as a person typed it: a whole product when ``id_product_attribute`` is None."""

    id_product: int
    id_product_attribute: int | None

    @property
    def shown(self) -> str:
        """As people write it: ``12`` or ``12-34``."""
        if self.id_product_attribute is None:
            return str(self.id_product)
        return format_key((self.id_product, self.id_product_attribute))


def sorted_ids(ids: Iterable[WantedId]) -> list[WantedId]:
    """Each id once, a product before its combinations."""
    return sorted(
        set(ids),
        key=lambda one: (one[0], -1 if one.id_product_attribute is None else one.id_product_attribute),
    )


def format_key(key: ProductKey) -> str:
    """``(12, 34)`` as ``12-34``."""
    return f"{key[0]}-{key[1]}"


def is_id(text: str) -> bool:
    """Whether ``parse_id`` reads it."""
    return _PATTERN.fullmatch(text.strip()) is not None


def parse_id(text: str) -> WantedId:
    """Read ``12-34`` or ``12``. Raises ValueError with a sentence for anything else."""
    match = _PATTERN.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is not an id: give a combination key such as 12-34 or a product id such as 12"
        )
    combination = match["combination"]
    return WantedId(int(match["product"]), None if combination is None else int(combination))
