"""``products force-sync``: have combinations sent once more, whatever the ledger says of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from brekzsync.domain.exclusions import Exclusions
from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey
from brekzsync.domain.products import Refusal
from brekzsync.domain.texts import normalise_code
from brekzsync.flows.ports import Clock, ProductLedger, ProductSource, Version
from brekzsync.flows.products.item_code_claims import ItemCodeClaims
from brekzsync.flows.products.judging import Judge
from brekzsync.flows.products.run import ItemMapping
from brekzsync.flows.products.still_blocked import Blocked, BlockingRules, EvidenceShop, still_blocked
from brekzsync.flows.products.versions import newcomers, version_of
from brekzsync.flows.products.wanted import By, wanted_keys

_FEW = 1000
"""So many item codes are looked for one by one; for more the whole catalogue's are read at once."""


class ForcedLedger(ProductLedger, Protocol):
    """The ledger of this flow and target."""

    def forced(self, keys: Iterable[ProductKey]) -> set[ProductKey]:
        """Those whose force waits already."""

    def request_force(self, keys: Collection[ProductKey], *, at: datetime) -> int:
        """One transaction for all; a force that waits already is left as it is."""


class Forced(NamedTuple):
    """What forcing one combination comes to.

    ``waits_already``: it was asked for before and has not been sent since. ``earlier_code`` is what the ERP
    knows the item by, where that is another code: it gets a second item. ``blocked`` and ``refusals`` are what
    keeps it from being sent until it is mended.
    """

    key: ProductKey
    item_code: str
    waits_already: bool
    earlier_code: str
    blocked: Blocked | None
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceSync:
    """Everything forcing for one target needs; ``bootstrap/product_flags.py`` puts it together."""

    target: str
    sends_files: bool
    flow_is_on: bool
    clock: Clock
    ledger: ForcedLedger
    exclusions: Callable[[], Exclusions]
    open_shop: Callable[[datetime], AbstractContextManager[EvidenceShop]]
    mapping: Callable[[EvidenceShop], ItemMapping]
    rules: BlockingRules

    def plan(self, words: Sequence[str], by: By | None) -> list[Forced]:
        """What it would come to, in key order. Raises InvalidInput when any word names nothing."""
        with self.open_shop(self.clock()) as shop:
            keys = wanted_keys(shop, words, by, "nothing was forced")
            mapping = self.mapping(shop)
            source = shop.catalogue(mapping.salt)
            records = [record for record in source.some({key[0] for key in keys}) if record.key in keys]
            exclusions = self.exclusions()
            blocked = still_blocked(shop, source, records, exclusions, self.rules)
            examined = {record.key: mapping.mapper.examine(source.combination(record)) for record in records}
            # What is not in the data shop has neither name nor price there: that says nothing new.
            elsewhere = {record.key for record in records if not record.standing.in_data_shop}
            documents = self.ledger.documents(keys)
            ready = [
                version_of(record, None, examined[record.key].item, "", b"", 0)
                for record in records
                if record.key not in blocked and not examined[record.key].refusals
            ]
            duplicates = self._duplicates(source, mapping, exclusions, ready, documents)
        waiting = self.ledger.forced(keys)
        return [
            Forced(
                key,
                one.item.code,
                key in waiting,
                _earlier_code(documents.get(key), one.item.code),
                blocked.get(key),
                () if key in elsewhere else (*one.refusals, *duplicates.get(key, ())),
            )
            for key, one in examined.items()
        ]

    def _duplicates(
        self,
        source: ProductSource,
        mapping: ItemMapping,
        exclusions: Exclusions,
        ready: Sequence[Version],
        documents: Mapping[ProductKey, str],
    ) -> dict[ProductKey, tuple[Refusal]]:
        """Those whose item code is another's: a run refuses it, forced or not."""
        judge = Judge(source, exclusions, bundle_components_too=self.rules.bundle_components_too)
        claims = ItemCodeClaims(
            source,
            self.ledger,
            mapping.template,
            judge.is_eligible,
            scan=None if len(ready) > _FEW else lambda codes: source.code_hashes(mapping.template, codes),
        )
        before = {key: Item.from_stored(document) for key, document in documents.items()}
        with closing(claims):
            return {key: (one,) for key, one in claims.refusals(newcomers(ready, before)).items()}

    def carry_out(self, plan: Sequence[Forced]) -> None:
        """Ask for it; repeating it changes nothing until something was sent."""
        self.ledger.request_force([one.key for one in plan], at=self.clock())


def _earlier_code(document: str | None, code: str) -> str:
    before = Item.from_stored(document).code if document is not None else code
    return before if normalise_code(before) != normalise_code(code) else ""
