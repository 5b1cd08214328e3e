"""The item as the ERP is to hold it: what is compared, remembered and written.

An ``Item`` says exactly what the eExact document of a combination would say, as text, in document
order. It is what the fingerprint is taken of and what the ledger keeps of the last acknowledged version.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

_SEPARATOR = "\x1f"  # a control character XML 1.0 forbids, so no cleaned value can hold it
_LIST_SEPARATOR = "\x1e"


class Item(NamedTuple):
    """One item, every field text and ``""`` where blank (a NamedTuple: 100,000 are made in a run).

    ``price``, ``special_price``, ``weight`` are plain decimals with a point, as the document prints them;
    ``tax_rate`` a percentage; ``special_from`` and ``special_until`` are ISO dates (first and last full
    shop-local day); ``translations`` one description per configured language slot, see ``translate``.
    """

    code: str
    description: str
    translations: str
    price: str
    vat_code: str
    tax_rate: str
    weight: str
    image: str
    brand: str
    category_code: str
    category: str
    gtin: str
    special_price: str
    special_from: str
    special_until: str

    def stored(self) -> str:
        """The form the ledger keeps; ``from_stored`` is its inverse."""
        return _SEPARATOR.join(self)

    @classmethod
    def from_stored(cls, text: str) -> Item:
        """Rebuild an item; fields a later release added are blank, fields it dropped are ignored."""
        values = text.split(_SEPARATOR)
        width = len(cls._fields)
        return cls._make((values + [""] * width)[:width])

    def translated(self) -> list[str]:
        """The descriptions in the order of the configured language slots."""
        return self.translations.split(_LIST_SEPARATOR) if self.translations else []


def join_translations(descriptions: list[str]) -> str:
    """Descriptions in the order of the configured language slots, as ``Item.translations`` keeps them."""
    return _LIST_SEPARATOR.join(descriptions)


def version_text(fingerprint: bytes, force: int) -> str:
    """The identity of a version as indexes and headers give it."""
    return f"{fingerprint.hex()}.{force}"


@lru_cache(maxsize=64)
def moment_text(milliseconds: int) -> str:
    """A time kept as ms since epoch, as indexes give it: ISO 8601, UTC, whole seconds."""
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
