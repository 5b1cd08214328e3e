"""An id that names nothing: what its writer may have meant, or what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from brekzsync.domain.diagnosis import Step
from brekzsync.domain.keys import ProductKey, WantedId, format_key, parse_id
from brekzsync.domain.ledger import LedgerEntry
from brekzsync.domain.moments import moment_of
from brekzsync.domain.texts import normalise_code
from brekzsync.flows.products.wanted import By, KnowsIds

_SHOWN = 5
_NAMES: Mapping[By, str] = {"reference": "reference", "ean13": "EAN"}


class KnowsOwners(KnowsIds, Protocol):
    """The shop within one snapshot."""

    def products_of_combinations(self, ids: Collection[int]) -> Mapping[int, int]:
        """The id_product of each id_product_attribute that exists."""


class Remembers(Protocol):
    """The ledger, which also knows what the shop no longer has."""

    def rows_of(self, key_major: int) -> Sequence[LedgerEntry]:
        """Every row of one product, in key order."""

    def holders(self, codes: Collection[str]) -> Mapping[str, Sequence[ProductKey]]:
        """Who holds these item codes in the acknowledged versions."""


def near(shop: KnowsOwners, ledger: Remembers, word: str, by: By | None) -> tuple[str, list[Step]]:
    """A sentence on ``word``, of which the shop has nothing, and the step that leads on, if one does."""
    if by:
        return _near_value(shop, ledger, word, by)
    wanted = parse_id(word)
    for look in (_own_combinations, _deleted, _another_owner):
        if found := look(shop, ledger, wanted):
            return found
    if found := _value(shop, word):
        return found
    return f"The shop has no product {wanted.id_product}, and the ERP was never sent one.", []


Answer = tuple[str, list[Step]] | None


def _own_combinations(shop: KnowsOwners, ledger: Remembers, wanted: WantedId) -> Answer:
    """The product is there, the combination is not one of its own."""
    if wanted.id_product_attribute is None:
        return None
    keys = sorted(shop.keys_of([WantedId(wanted.id_product, None)])[0])
    if not keys:
        return None
    if found := _another_owner(shop, ledger, wanted):
        return found
    gone = _remembered(ledger, wanted)
    shown = ", ".join(format_key(key) for key in keys[:_SHOWN])
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"{gone}Product {wanted.id_product} has {shown}{more}.", [_ask(str(wanted.id_product))]


def _another_owner(shop: KnowsOwners, ledger: Remembers, wanted: WantedId) -> Answer:
    """A combination's own id, given alone or with the wrong product's."""
    own = wanted.id_product if wanted.id_product_attribute is None else wanted.id_product_attribute
    owner = shop.products_of_combinations([own]).get(own)
    if (
        owner is None or not shop.keys_of([WantedId(owner, own)])[0]
    ):  # a deleted product may leave rows behind
        return None
    key = format_key((owner, own))
    if wanted.id_product_attribute is not None:
        return f"Combination {own} belongs to product {owner}: {key}.", [_ask(key)]
    return f"{own} is not a product; it is a combination of product {owner}: {key}.", [_ask(key)]


def _deleted(shop: KnowsOwners, ledger: Remembers, wanted: WantedId) -> Answer:
    gone = _remembered(ledger, wanted)
    return (gone.rstrip(), []) if gone else None


def _value(shop: KnowsOwners, word: str) -> Answer:
    """A reference or an EAN that looks like an id."""
    for by, name in _NAMES.items():
        if keys := sorted(shop.keys_by(by, [word])[0]):
            key = format_key(keys[0])
            return f"No id of the shop reads {word}, but it is the {name} of {key}.", [_ask(key)]
    return None


def _remembered(ledger: Remembers, wanted: WantedId) -> str:
    rows = [
        row
        for row in ledger.rows_of(wanted.id_product)
        if wanted.id_product_attribute in (None, row.key_minor)
    ]
    if not rows:
        return ""
    row = rows[0]
    was = f" as {row.code}" if row.code else ""
    when = f", last acknowledged{was} on {moment_of(row.synced_at)}" if row.synced_at is not None else ""
    return f"{format_key(row.key)} is no longer in the shop: it was deleted{when}. "


def _near_value(shop: KnowsOwners, ledger: Remembers, word: str, by: By) -> tuple[str, list[Step]]:
    other: By = "ean13" if by == "reference" else "reference"
    keys = sorted(shop.keys_by(other, [word])[0])
    if keys:
        key = format_key(keys[0])
        return f"No {_NAMES[by]} reads {word}, but it is the {_NAMES[other]} of {key}.", [_ask(key)]
    held = ledger.holders([normalise_code(word)]).get(normalise_code(word), ())
    if held:
        key = format_key(held[0])
        now = "which has another one now or is gone"
        return f"No {_NAMES[by]} in the shop reads {word}; the ERP knows {key} by it, {now}.", [_ask(key)]
    return f"Nothing in the shop has the {_NAMES[by]} {word}, and the ERP was never sent it.", []


def _ask(word: str) -> Step:
    return Step("", f"products diagnose {word}", of_target=False)
