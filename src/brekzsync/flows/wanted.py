"""From the words a person typed to combinations of the shop; a word that names nothing is told, not passed over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from brekzsync.domain.keys import ProductKey, WantedId, format_key, parse_id
from brekzsync.errors import InvalidInput

By = Literal["reference", "ean13"]


class KnowsIds(Protocol):
    """The shop within one snapshot."""

    def keys_of(self, wanted: Sequence[WantedId]) -> tuple[set[ProductKey], list[WantedId]]:
        """The combinations these ids name, and the ids that name none."""

    def keys_by(self, by: By, values: Sequence[str]) -> tuple[set[ProductKey], list[str]]:
        """The combinations with these references or EANs, and the values nothing has."""


class Found(NamedTuple):
    """The combinations that were named, and the words that name nothing, as people write them."""

    keys: set[ProductKey]
    unknown: list[str]


def find(shop: KnowsIds, words: Sequence[str], by: By | None) -> Found:
    """Look the words up. Raises InvalidInput (``malformed_id``) for one that cannot be an id."""
    if by:
        return Found(*shop.keys_by(by, words))
    keys, unknown = shop.keys_of([_parsed(word) for word in words])
    return Found(keys, [_shown(one) for one in unknown])


def wanted_keys(shop: KnowsIds, words: Sequence[str], by: By | None, consequence: str) -> set[ProductKey]:
    """As ``find``, but a word that names nothing stops everything; ``consequence`` ends the sentence."""
    keys, unknown = find(shop, words, by)
    if unknown:
        what = by or ("id" if len(unknown) == 1 else "ids")
        raise InvalidInput(
            f"The shop has no product or combination with {what} {', '.join(unknown)}; {consequence}.",
            hint="Give keys such as 12-34, product ids such as 12, or --by reference / --by ean13 with those.",
            code="unknown_id",
        )
    return keys


def _parsed(text: str) -> WantedId:
    try:
        return parse_id(text)
    except ValueError as error:
        raise InvalidInput(
            f"{error}.",
            hint="With --by reference or --by ean13 the words are references or EANs.",
            code="malformed_id",
        ) from None


def _shown(one: WantedId) -> str:
    if one.id_product_attribute is None:
        return str(one.id_product)
    return format_key((one.id_product, one.id_product_attribute))
