"""A shop and a ledger in memory, for rules that need neither database: what they hold is what a test says.

They speak the Protocols of ``flows/ports.py``, and the ledger writes as the real one does: by
compare-and-set on the version that was read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

from brekzsync.domain.eligibility import CLEAR, Standing
from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.items import Item
from brekzsync.domain.keys import BEFORE_ALL, ProductKey
from brekzsync.domain.ledger import Acknowledgement, Clearing, Failure, LedgerEntry, LedgerRow, Unchanged
from brekzsync.domain.products import Combination, ItemRules, Product
from brekzsync.domain.texts import clean, normalise_code

RULES = ItemRules(
    code=CodeTemplate("reference"),
    price_decimals=4,
    allow_zero_price=False,
    special_prices=True,
    vat_codes={"21": "2"},
    tax_country="NL",
    slots=(),
)


class Record(NamedTuple):
    """A combination as the shop gives it."""

    key: ProductKey
    digest: bytes
    standing: Standing
    resaved: bytes
    content: Combination


def combination(
    key: ProductKey, code: str = "", *, price: str = "10", name: str = "Tas", **fields: Any
) -> Combination:
    """A complete combination; its code is its own unless a test says otherwise."""
    product = Product(
        id_product=key[0],
        reference="",
        ean13="",
        names=(name,),
        price=Decimal(price),
        tax_rate=None,
        id_tax_rules_group=0,
        weight=Decimal(0),
        id_category=0,
        category="",
        brand="",
        id_cover=0,
    )
    whole = Combination(
        product=product,
        id_product_attribute=key[1],
        reference=code or f"C{key[0]}-{key[1]}",
        ean13="",
        attributes=("",),
        price=Decimal(price),
        special_price=None,
        special_from="",
        special_until="",
        weight=Decimal(0),
        id_image=0,
    )
    return whole._replace(**fields)


def coded(codes: dict[ProductKey, str]) -> list[Combination]:
    """Combinations with these codes."""
    return [combination(key, code) for key, code in codes.items()]


@dataclass(slots=True)
class Shop:
    """A catalogue; ``breaks_at`` is the key before which it goes away, as a server that is stopped."""

    combinations: list[Combination] = field(default_factory=list)
    standings: dict[ProductKey, Standing] = field(default_factory=dict)
    saved: dict[ProductKey, bytes] = field(default_factory=dict)
    breaks_at: ProductKey | None = None
    scans: int = 0
    decoded: int = 0

    def stream(self, after: ProductKey = BEFORE_ALL) -> Iterator[Record]:
        records = (self.record(one) for one in self.combinations)
        for record in sorted(records, key=lambda record: record.key):
            if record.key == self.breaks_at:
                raise ConnectionError("the shop went away")
            yield record

    def some(self, ids: Collection[int]) -> Iterator[Record]:
        assert len(set(ids)) == len(ids)
        return (record for record in self.stream() if record.key[0] in ids)

    def code_hashes(
        self, template: CodeTemplate, among: Collection[str] | None = None
    ) -> Iterator[tuple[int, int]]:
        self.scans += 1
        for one in self.combinations:
            code = clean(template.render(one))[0]
            if code:
                yield self.hash(normalise_code(code)), one.id_product

    def combination(self, record: Any) -> Combination:
        self.decoded += 1
        content: Combination = record.content
        return content

    def reference(self, record: Any) -> str:
        return str(record.content.reference)

    @staticmethod
    def hash(code: str) -> int:
        return hash(code)

    def record(self, one: Combination) -> Record:
        key = (one.id_product, one.id_product_attribute)
        saved = self.saved.get(key, b"")
        digest = blake2b(repr((one, saved)).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        return Record(key, digest, self.standings.get(key, CLEAR), saved, one)

    def change(self, key: ProductKey, **fields: Any) -> None:
        """Edit a combination."""
        place = [(one.id_product, one.id_product_attribute) for one in self.combinations].index(key)
        self.combinations[place] = self.combinations[place]._replace(**fields)

    def remove(self, key: ProductKey) -> None:
        """Delete a combination."""
        self.combinations = [
            one for one in self.combinations if (one.id_product, one.id_product_attribute) != key
        ]


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the ledger."""

    key: ProductKey
    fingerprint: bytes | None = None
    code: str | None = None
    document: str | None = None
    source_digest: bytes | None = None
    force_acknowledged: int = 0
    force_requested: int = 0
    status: str = "synced"
    reason: str | None = None
    different_at: int | None = None

    @property
    def entry(self) -> LedgerEntry:
        """It as the ledger gives it."""
        return LedgerEntry(
            *self.key,
            self.source_digest,
            self.fingerprint,
            self.force_acknowledged,
            self.force_requested,
            self.status,
            self.reason,
            None,
            self.different_at,
            1,
            self.code,
            0,
            0,
            None,
            0,
            None,
        )


@dataclass(slots=True)
class Memory:
    """A ledger; ``log`` tells what was written, in order."""

    by_key: dict[ProductKey, Row] = field(default_factory=dict)
    log: list[tuple[str, list[ProductKey]]] = field(default_factory=list)

    def rows(self, after: ProductKey = BEFORE_ALL) -> Iterator[LedgerRow]:
        for row in sorted(self.by_key.values(), key=lambda row: row.key):
            yield LedgerRow._make(row.entry[: len(LedgerRow._fields)])

    def rows_for(self, keys: Iterable[ProductKey]) -> Sequence[LedgerEntry]:
        return [self.by_key[key].entry for key in sorted(set(keys)) if key in self.by_key]

    def documents(self, keys: Iterable[ProductKey]) -> dict[ProductKey, str]:
        rows = (self.by_key[key] for key in keys if key in self.by_key)
        return {row.key: row.document for row in rows if row.document is not None}

    def holders(self, codes: Collection[str]) -> dict[str, list[ProductKey]]:
        held: dict[str, list[ProductKey]] = {}
        for row in self.by_key.values():
            if row.fingerprint is not None and row.code in codes:
                held.setdefault(row.code, []).append(row.key)
        return held

    def hold(self, key: ProductKey, code: str) -> None:
        """The target acknowledged some version of this record under this code."""
        item = Item(code, "Tas", "", "1.0000", *[""] * 11)
        self.by_key[key] = Row(key, b"a" * 16, normalise_code(code), item.stored(), b"d" * 16)

    def force(self, key: ProductKey) -> None:
        """A person wants it again."""
        row = self.by_key.get(key, Row(key))
        self.by_key[key] = replace(
            row, force_requested=row.force_requested + 1, status="pending", reason="queued"
        )

    # --- writing ------------------------------------------------------------------------------------------

    def acknowledge(self, batch: Sequence[Acknowledgement], *, run_id: int, at: datetime) -> int:
        self._note("acknowledge", batch)
        for one in batch:
            row = self.by_key.get(one[:2], Row(one[:2]))
            if (row.fingerprint, row.force_acknowledged) == (one.prior_fingerprint, one.prior_force):
                self.by_key[row.key] = Row(
                    row.key,
                    one.fingerprint,
                    one.code,
                    one.document,
                    one.source_digest,
                    one.force,
                    row.force_requested,
                )
        return len(batch)

    def record_failures(self, batch: Sequence[Failure], *, run_id: int, at: datetime) -> int:
        self._note("fail", batch)
        for one in batch:
            row = self.by_key.get(one[:2], Row(one[:2]))
            self.by_key[row.key] = replace(row, status="failed", reason=one.reason)
        return len(batch)

    def record_pending(self, batch: Sequence[ProductKey], *, at: datetime) -> int:
        self._note("leave", batch)
        for key in batch:
            self.by_key[key] = replace(
                self.by_key.get(key, Row(key)), status="pending", reason="queued", different_at=1
            )
        return len(batch)

    def record_unchanged(self, batch: Sequence[Unchanged], *, at: datetime) -> int:
        self._note("unchanged", batch)
        for one in batch:
            row = self.by_key[one[:2]]
            self.by_key[row.key] = replace(row, status="synced", reason=None, source_digest=one.source_digest)
        return len(batch)

    def clear(self, batch: Sequence[Clearing], *, run_id: int, at: datetime) -> int:
        self._note("clear", batch)
        for one in batch:
            row = self.by_key[one[:2]]
            forced = row.force_requested > row.force_acknowledged
            if (row.fingerprint, row.force_acknowledged) == (one.prior_fingerprint, one.prior_force):
                self.by_key[row.key] = Row(
                    row.key,
                    force_acknowledged=row.force_acknowledged,
                    force_requested=row.force_requested,
                    status="pending" if forced and one.reason != "deleted" else "synced",
                    reason=one.reason,
                )
        return len(batch)

    def _note(self, what: str, batch: Sequence[Any]) -> None:
        self.log.append((what, [one[:2] for one in batch]))
