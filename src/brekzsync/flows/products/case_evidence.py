"""What is gathered about a chunk of combinations before anything is said of them: from the shop, from the state."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from brekzsync.domain.diagnosis import Bundle, Flag, Presence
from brekzsync.domain.eligibility import Criterion
from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey
from brekzsync.domain.products import Combination, Examined
from brekzsync.domain.texts import normalise_code
from brekzsync.flows.ports import ProductLedger, SourceRecord, Version

ServedVersion = tuple[int, int, bytes, int]
"""A version that was handed out: key, fingerprint, force."""


class Seen(NamedTuple):
    """A record with what the shop alone tells of it."""

    record: SourceRecord
    combination: Combination
    examined: Examined
    document: str
    print: bytes
    failed: Sequence[Criterion]
    flag: Flag | None

    @property
    def key(self) -> ProductKey:
        return self.record.key


class Known:
    """What the state holds of some combinations."""

    def __init__(
        self, ledger: ProductLedger, in_flight: Collection[ServedVersion], keys: Sequence[ProductKey]
    ) -> None:
        self.entries = {entry.key: entry for entry in ledger.rows_for(keys)}
        documents = ledger.documents(keys)
        self.items = {key: Item.from_stored(document) for key, document in documents.items()}
        self._in_flight = set(in_flight)

    def is_in_flight(self, version: Version) -> bool:
        """Whether just this version was handed out; an older one that still is keeps nothing back."""
        return (*version.key, version.fingerprint, version.force) in self._in_flight

    def differs(self, one: Seen) -> bool:
        """Whether a run would have something to deliver, were nothing in its way."""
        entry = self.entries.get(one.key)
        if entry is None or entry.fingerprint is None or entry.force_requested > entry.force_acknowledged:
            return True
        if one.examined.refusals:  # there is no item to compare: only the row tells
            return entry.source_digest != one.record.digest
        return entry.fingerprint != one.print


class TellsOfProducts(Protocol):
    """The shop within one snapshot."""

    def presence(self, keys: Collection[ProductKey]) -> Mapping[ProductKey, Presence]:
        """In which shops these combinations are, and where their products are active."""

    def product_names(self, ids: Collection[int]) -> Mapping[int, str]:
        """The names of these products, as far as they have one."""


class ShopEvidence:
    """What the shop tells beside the combinations, asked for those that need it only."""

    def __init__(self, shop: TellsOfProducts, seen: Sequence[Seen]) -> None:
        inactive = [one.key for one in seen if Criterion.ACTIVE_IN_DATA_SHOP in one.failed]
        packs = {pack for one in seen for pack in one.record.standing.bundles}
        self.presence = shop.presence(inactive) if inactive else {}
        self._names = shop.product_names(packs) if packs else {}

    def bundles(self, one: Seen) -> list[Bundle]:
        return [Bundle(pack, self._names.get(pack, "")) for pack in one.record.standing.bundles]


def code_in_erp(one: Seen, known: Known) -> str:
    """The code the ERP knows the item by, else the one it would get."""
    before = known.items.get(one.key)
    return normalise_code((before or one.examined.item).code)
