"""What the flows need of the outside, as Protocols; ``bootstrap/`` chooses who fulfils them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from brekzsync.domain.eligibility import Standing
from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.items import Item
from brekzsync.domain.keys import BEFORE_ALL, ProductKey
from brekzsync.domain.ledger import Clearing, Failure, LedgerEntry, LedgerRow, Unchanged
from brekzsync.domain.products import Combination

Clock = Callable[[], datetime]
"""Gives the time, aware, in UTC."""


class SourceRecord(Protocol):
    """One combination of the shop, undecoded. Equal digests mean equal items and re-save marks."""

    @property
    def key(self) -> ProductKey: ...
    @property
    def digest(self) -> bytes: ...
    @property
    def standing(self) -> Standing: ...
    @property
    def resaved(self) -> bytes: ...


class ProductSource(Protocol):
    """The shop's catalogue within one snapshot."""

    def stream(self, after: ProductKey = BEFORE_ALL) -> Iterator[SourceRecord]:
        """Every combination with a greater key than ``after`` in key order. Raises Unavailable when the shop
        goes away."""

    def some(self, ids: Collection[int]) -> Iterator[SourceRecord]:
        """The combinations of these products in key order."""

    def code_hashes(
        self, template: CodeTemplate, among: Collection[str] | None = None
    ) -> Iterator[tuple[int, int]]:
        """``hash`` of the normalised item code and id_product of every combination, eligible or not, whose code
        another could have too; with ``among``, at least of those that have one of these codes."""

    def combination(self, record: SourceRecord) -> Combination:
        """A record decoded and resolved."""

    def reference(self, record: SourceRecord) -> str:
        """The combination's reference, else its product's."""


class Version(NamedTuple):
    """One version of an item to deliver; its identity is ``fingerprint`` and ``force``.

    It begins with the fields of ``domain.ledger.Acknowledgement``; ``different_at`` says when it was first
    seen different (ms since epoch, UTC), ``repeated_reason`` how the record failed before, if it did.
    """

    key_major: int
    key_minor: int
    fingerprint: bytes
    force: int
    source_digest: bytes
    code: str
    document: str
    prior_fingerprint: bytes | None
    prior_force: int
    known: bool
    different_at: int
    item: Item
    repeated_reason: str | None

    @property
    def key(self) -> ProductKey:
        """The record's key."""
        return self[:2]


ROW_FIELDS = Version._fields.index("different_at") + 1
"""The fields of a version that its document and its acknowledgement are made of."""


class Delivery(Protocol):
    """Takes versions to where the target gets them, and acknowledges what has arrived."""

    def deliver(self, versions: Sequence[Version], previous: dict[ProductKey, Item]) -> int:
        """Hand over a batch and say how many it took; ``previous`` holds the acknowledged items of those
        that have one. What was not taken stays pending."""

    def finish(self) -> None:
        """Everything was read: complete what was staged."""


class Notes(Protocol):
    """Takes what a run found about records it did not deliver; a dry run has one that forgets it."""

    def fail(self, failure: Failure) -> None:
        """The record could not go on; its acknowledged version stays."""

    def clear(self, clearing: Clearing) -> None:
        """The record is gone or no longer eligible: its acknowledgement ends."""

    def leave(self, key: ProductKey) -> None:
        """The record is pending and was left for a later run."""

    def withdraw(self, key: ProductKey) -> None:
        """The record may not go, and nothing of it was acknowledged; a version of it may lie unread all the same."""

    def unchanged(self, unchanged: Unchanged) -> None:
        """The record is as acknowledged although its row moved, or is again after it failed."""

    def flush(self) -> None:
        """Write what was gathered."""


class ProductLedger(Protocol):
    """The ledger of one flow and target, to read."""

    def rows(self, after: ProductKey = BEFORE_ALL) -> Iterator[LedgerRow]:
        """All rows with a greater key than ``after`` in key order."""

    def rows_for(self, keys: Iterable[ProductKey]) -> Sequence[LedgerEntry]:
        """The rows of these keys in key order."""

    def documents(self, keys: Iterable[ProductKey]) -> dict[ProductKey, str]:
        """Acknowledged documents."""

    def holders(self, codes: Collection[str]) -> dict[str, list[ProductKey]]:
        """Who holds these item codes in the acknowledged versions."""
