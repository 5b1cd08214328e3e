"""From the words a person typed to combinations of the shop; a word that names nothing is told, not passed over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, get_args

from brekzsync.domain.keys import ProductKey, WantedId, is_id, parse_id
from brekzsync.errors import InvalidInput

By = Literal["reference", "ean13"]


class KnowsIds(Protocol):
    """The shop within one snapshot."""

    def keys_of(self, wanted: Sequence[WantedId]) -> tuple[set[ProductKey], list[WantedId]]:
        """The combinations these ids name, and the ids that name none."""

    def keys_by(self, by: By, values: Sequence[str]) -> tuple[set[ProductKey], list[str]]:
        """The combinations with these references or EANs, and the values nothing has."""


class Found(NamedTuple):
    """The combinations that were named, and the words that name nothing, as they were typed."""

    keys: set[ProductKey]
    unknown: list[str]


def find(shop: KnowsIds, words: Sequence[str], by: By | None) -> Found:
    """Look the words up. Raises InvalidInput (``malformed_id``) for one that cannot be an id."""
    if by:
        return Found(*shop.keys_by(by, words))
    wanted: dict[WantedId, str] = {}
    for word in words:
        wanted.setdefault(parsed(word), word.strip())
    keys, unknown = shop.keys_of(list(wanted))
    return Found(keys, [wanted[one] for one in unknown])


def named(shop: KnowsIds, words: Sequence[str], by: By | None) -> Found:
    """As ``find``, but a word that cannot be an id may also be a reference or an EAN of the shop."""
    if by:
        return find(shop, words, by)
    ids = [word for word in words if is_id(word)]
    keys, unknown = find(shop, ids, None) if ids else (set(), [])
    others = [word for word in words if not is_id(word)]
    for way in get_args(By):
        if others:
            more, others = shop.keys_by(way, others)
            keys = keys | more
    if others:
        parsed(others[0])  # says what an id looks like
    return Found(keys, unknown)


def wanted_keys(shop: KnowsIds, words: Sequence[str], by: By | None, consequence: str) -> set[ProductKey]:
    """As ``find``, but a word that names nothing stops everything; ``consequence`` ends the sentence."""
    keys, unknown = find(shop, words, by)
    refuse_unknown(unknown, by, consequence)
    return keys


def refuse_unknown(unknown: Sequence[str], by: By | None, consequence: str) -> None:
    """Raises InvalidInput (``unknown_id``) when there is any; ``consequence`` ends the sentence."""
    if unknown:
        what = by or ("id" if len(unknown) == 1 else "ids")
        raise InvalidInput(
            f"The shop has no product or combination with {what} {', '.join(unknown)}; {consequence}.",
            hint="Give keys such as 12-34, product ids such as 12, or --by reference / --by ean13 with those.",
            code="unknown_id",
        )


def parsed(text: str) -> WantedId:
    """A word as an id. Raises InvalidInput (``malformed_id``)."""
    try:
        return parse_id(text)
    except ValueError as error:
        raise InvalidInput(
            f"{error}.",
            hint="With --by reference or --by ean13 the words are references or EANs.",
            code="malformed_id",
        ) from None
