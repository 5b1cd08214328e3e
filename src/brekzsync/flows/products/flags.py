"""``products exclude`` and ``include``: what people keep out of the export, and let in again.

Every id is looked up before anything is written, and what is written is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple, Protocol

from brekzsync.domain.exclusions import Exclusion, Exclusions
from brekzsync.domain.keys import ProductKey, WantedId, sorted_ids
from brekzsync.domain.texts import normalise_code
from brekzsync.errors import InvalidInput
from brekzsync.flows.ports import Clock, ProductSource
from brekzsync.flows.products.still_blocked import Blocked, BlockingRules, EvidenceShop, still_blocked
from brekzsync.flows.products.wanted import By, parsed, refuse_unknown


class FlagShop(EvidenceShop, Protocol):
    """The shop within one snapshot."""

    def named_by(self, by: By, values: Sequence[str]) -> Mapping[str, set[WantedId]]:
        """The products and combinations that have each of these references or EANs, by the value normalised."""


class ExclusionList(Protocol):
    """The exclusions in the state."""

    def all(self) -> Exclusions: ...

    def record(self, exclusions: Sequence[Exclusion]) -> None:
        """One transaction; what is there for the same id is replaced."""

    def end(self, ended: Collection[WantedId], nameless: Collection[WantedId] = ()) -> None:
        """One transaction; those made for ``nameless`` only lose their reference."""


class Wish(NamedTuple):
    """What a person typed, who it is, and why."""

    words: Sequence[str]
    by: By | None
    reason: str = ""
    by_whom: str = ""


class Excluded(NamedTuple):
    """What excluding one id comes to.

    ``before`` is the exclusion there was of the same id; ``keys`` are the combinations there are now;
    ``shared_with`` have the same reference, which is why it is not remembered.
    """

    exclusion: Exclusion
    before: Exclusion | None
    keys: tuple[ProductKey, ...]
    shared_with: tuple[WantedId, ...]

    @property
    def is_new(self) -> bool:
        """Whether anything is written for it."""
        return self.exclusion != self.before


class Included(NamedTuple):
    """What including one id comes to.

    ``ended`` are the exclusions that kept it out (none: nobody excluded it); ``narrowed`` those of others that
    did so by its reference, and cover only their own combination from now on.
    """

    id: WantedId
    ended: tuple[Exclusion, ...]
    narrowed: tuple[Exclusion, ...]

    @property
    def was_excluded(self) -> bool:
        """Whether anything is written for it."""
        return bool(self.ended or self.narrowed)


class Inclusion(NamedTuple):
    """What including comes to, and what keeps some of the combinations out all the same."""

    ids: list[Included]
    blocked: Mapping[ProductKey, Blocked]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFlags:
    """Everything the two need; ``bootstrap/product_flags.py`` puts it together."""

    clock: Clock
    exclusions: ExclusionList
    open_shop: Callable[[datetime], AbstractContextManager[FlagShop]]
    rules: BlockingRules

    def exclude(self, wish: Wish, *, dry_run: bool) -> list[Excluded]:
        """Keep them out from now on. What is excluded already stays as it is, unless another reason is given."""
        now = self.clock()
        with self.open_shop(now) as shop:
            ids, unknown = _ids(shop, wish)
            refuse_unknown(_shown(unknown), wish.by, "nothing was excluded")
            named = _Named(shop, ids)
        listed = self.exclusions.all()
        excluded = [_excluded(one, named, listed, wish, now) for one in ids]
        if not dry_run:
            self.exclusions.record([one.exclusion for one in excluded if one.is_new])
        return excluded

    def include(self, wish: Wish, *, dry_run: bool) -> Inclusion:
        """Let them in again, also those the shop no longer has.

        Raises InvalidInput (``product_excluded``) for a combination whose whole product is excluded.
        """
        listed = self.exclusions.all()
        with self.open_shop(self.clock()) as shop:
            found, unknown = _ids(shop, wish)
            gone, unknown = _remembered(listed, unknown)
            refuse_unknown(_shown(unknown), wish.by, "nothing was included")
            ids = sorted_ids([*found, *gone])
            _refuse_part_of_excluded(ids, listed)
            named = _Named(shop, found)
            included = [_included(one, named, listed, shop) for one in ids]
            left = _without(listed, included)
            blocked = still_blocked(shop, named.source, named.records.values(), left, self.rules)
        if not dry_run:
            self.exclusions.end(
                {row.id for one in included for row in one.ended},
                {row.id for one in included for row in one.narrowed},
            )
        return Inclusion(included, blocked)


# --- looking up ------------------------------------------------------------------------------------------


class _Named:
    """What the shop has of some products, and the references of the combinations that were named."""

    def __init__(self, shop: FlagShop, ids: Sequence[WantedId]) -> None:
        self.ids = ids
        self.source: ProductSource = shop.catalogue(b"")
        siblings = list(self.source.some({one.id_product for one in ids}))
        self.references = {one.key: normalise_code(self.source.reference(one)) for one in siblings}
        self.records = {one.key: one for one in siblings if self.is_named(one.key)}
        own = {self.references[key] for key in self.records if WantedId(*key) in ids}
        self._holders = shop.named_by("reference", sorted(own)) if own else {}

    def is_named(self, key: ProductKey) -> bool:
        """Whether it is one of the ids, or one of their combinations."""
        return WantedId(key[0], None) in self.ids or WantedId(*key) in self.ids

    def keys(self, one: WantedId) -> tuple[ProductKey, ...]:
        """The combinations an id stands for."""
        return tuple(
            key
            for key in self.records
            if key[0] == one.id_product and one.id_product_attribute in (None, key[1])
        )

    def sharing(self, key: ProductKey) -> list[WantedId]:
        """What else has the reference of this combination and was not named with it.

        Another combination of its product has it also where it has none of its own and takes the product's.
        """
        reference = self.references[key]
        siblings = {
            WantedId(*other)
            for other, value in self.references.items()
            if other[0] == key[0] and value == reference
        }
        elsewhere = {one for one in self._holders.get(reference, ()) if one.id_product != key[0]}
        return [one for one in sorted_ids(siblings | elsewhere) if not self._is_named(one)]

    def _is_named(self, one: WantedId) -> bool:
        return one in self.ids or WantedId(one.id_product, None) in self.ids


def _ids(shop: FlagShop, wish: Wish) -> tuple[list[WantedId], list[WantedId | str]]:
    """What the words name, a product as such, and those that name nothing."""
    if wish.by:
        named = shop.named_by(wish.by, wish.words)
        nothing: list[WantedId | str] = [word for word in wish.words if normalise_code(word) not in named]
        return sorted_ids(one for ids in named.values() for one in ids), nothing
    ids = [parsed(word) for word in wish.words]
    _, unknown = shop.keys_of(ids)
    return sorted_ids(one for one in ids if one not in unknown), list(unknown)


def _shown(unknown: Iterable[WantedId | str]) -> list[str]:
    return [one.shown if isinstance(one, WantedId) else one for one in unknown]


# --- excluding -------------------------------------------------------------------------------------------


def _excluded(one: WantedId, named: _Named, listed: Exclusions, wish: Wish, now: datetime) -> Excluded:
    before, keys = listed.of_id(one), named.keys(one)
    reference, shared = None, []
    if one.id_product_attribute is not None:
        (key,) = keys
        reference = named.references[key] or None
        shared = [other for other in named.sharing(key) if not _is_listed(other, listed)]
        if before is not None and before.reference == reference:
            shared = []  # it is remembered already, and what else has it came later
        elif shared:
            reference = None
    exclusion = Exclusion(
        id_product=one.id_product,
        id_product_attribute=one.id_product_attribute,
        reference=reference,
        reason=wish.reason,
        by_whom=wish.by_whom,
        created_at=now,
    )
    if before is not None and wish.reason in ("", before.reason):
        exclusion = replace(before, reference=reference)
    return Excluded(exclusion, before, keys, tuple(shared))


def _is_listed(one: WantedId, listed: Exclusions) -> bool:
    return listed.of_id(one) is not None or one.id_product in listed.products


# --- including -------------------------------------------------------------------------------------------


def _remembered(
    listed: Exclusions, unknown: Iterable[WantedId | str]
) -> tuple[list[WantedId], list[WantedId | str]]:
    """Those of ``unknown`` that the list has though the shop has not, and the rest."""
    known: list[WantedId] = []
    rest: list[WantedId | str] = []
    for word in unknown:
        if isinstance(word, WantedId):
            of_it = [word] if _rows(listed, word) else []
        else:
            row = listed.references.get(normalise_code(word))
            of_it = [row.id] if row is not None else []
        known += of_it
        rest += [] if of_it else [word]
    return known, rest


def _rows(listed: Exclusions, one: WantedId) -> list[Exclusion]:
    """The exclusions of a combination, or of a product and its combinations."""
    return [row for row in listed.all() if one in (row.id, WantedId(row.id_product, None))]


def _refuse_part_of_excluded(ids: Sequence[WantedId], listed: Exclusions) -> None:
    parts = [
        one
        for one in ids
        if one.id_product_attribute is not None
        and one.id_product in listed.products
        and WantedId(one.id_product, None) not in ids
    ]
    if parts:
        products = " ".join(dict.fromkeys(str(one.id_product) for one in parts))
        shown = ", ".join(one.shown for one in parts)
        why = (
            "is excluded because its whole product is"
            if len(parts) == 1
            else "are excluded with their whole product"
        )
        raise InvalidInput(
            f"{shown} {why}; nothing was included.",
            hint=f"Include the product, then exclude what is to stay out: brekzsync products include {products}",
            code="product_excluded",
        )


def _included(one: WantedId, named: _Named, listed: Exclusions, shop: FlagShop) -> Included:
    own = _rows(listed, one)
    references = {named.references[key] for key in named.keys(one)} - {""}
    others = [row for row in listed.all() if row.reference in references and row not in own]
    _, gone = shop.keys_of([row.id for row in others])
    return Included(
        one,
        (*own, *(row for row in others if row.id in gone)),
        tuple(row for row in others if row.id not in gone),
    )


def _without(listed: Exclusions, included: Sequence[Included]) -> Exclusions:
    """The list as it is afterwards."""
    ended = {row.id for one in included for row in one.ended}
    narrowed = {row.id for one in included for row in one.narrowed}
    left = [row for row in listed.all() if row.id not in ended]
    return Exclusions.of(replace(row, reference=None) if row.id in narrowed else row for row in left)
