"""``products export``: bring the ERP to what the shop says, one version at a time.

read → judge → compare with what the ERP acknowledged → map → settle item codes → deliver → acknowledge.
Everything streams in key order; a batch is the most that is held at once. Deletions are recorded last,
after the whole source was read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from brekzsync.domain.eligibility import Criterion
from brekzsync.domain.fingerprints import Fingerprinter
from brekzsync.domain.items import Item
from brekzsync.domain.keys import BEFORE_ALL, ProductKey
from brekzsync.domain.ledger import Clearing, Failure, Unchanged
from brekzsync.domain.outcomes import FailedRecord, Tally
from brekzsync.domain.products import ItemMapper, Refusal
from brekzsync.flows.converge import merge_join
from brekzsync.flows.ports import (
    Delivery,
    Notes,
    ProductLedger,
    ProductSource,
    SourceRecord,
    Version,
)
from brekzsync.flows.products.delivery import Leases
from brekzsync.flows.products.judging import Judge
from brekzsync.flows.products.versions import Known, changed_code, newcomers, version_of
from brekzsync.flows.scratch import Scratch

BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What this run was asked for. ``ids`` narrows it to some products (no deletion is judged then) and
    ``keys`` further to some combinations of them; ``full`` ignores the ledger; ``limit`` stops delivering.
    ``page`` stops reading as well, at once when that many were delivered, and ``after`` goes on from there, up to
    and with ``until``: of what was read, everything is judged as in a whole run."""

    ids: Collection[int] | None = None
    keys: Collection[ProductKey] | None = None
    full: bool = False
    limit: int | None = None
    after: ProductKey = BEFORE_ALL
    until: ProductKey | None = None
    page: int | None = None


class Claims(Protocol):
    """Says which versions may not have the item code they want."""

    def refusals(self, versions: Sequence[Version]) -> dict[ProductKey, Refusal]: ...

    def close(self) -> None: ...


class ExportParts(NamedTuple):
    """What a run works with. ``layout`` is the digest of the document settings, ``now`` ms since epoch."""

    source: ProductSource
    ledger: ProductLedger
    notes: Notes
    delivery: Delivery
    mapper: ItemMapper
    claims: Claims
    judge: Judge
    leases: Leases | None
    layout: bytes
    now: int


class ProductExport:
    """One run over the catalogue (or a part of it); ``stopped_at`` is the last key of a page that came full.

    ``tally`` is that of another part, for a page that both of them fill.
    """

    def __init__(self, parts: ExportParts, options: ExportOptions, tally: Tally | None = None) -> None:
        self._parts = parts
        self._options = options
        self._advance: Callable[[int], None] = lambda _count: None
        self._batch: list[Version] = []
        self._fingerprinter = Fingerprinter(parts.layout)
        self.tally = Tally() if tally is None else tally
        self.stopped_at: ProductKey | None = None

    def on_progress(self, advance: Callable[[int], None]) -> None:
        """Tell ``advance`` of every batch read."""
        self._advance = advance

    def run(self) -> Tally:
        """Do it. Raises what the source, the ledger or the delivery raise; what was delivered stays so."""
        gone = Scratch()
        gone.run("CREATE TABLE gone (major INTEGER, minor INTEGER, fingerprint BLOB, force INTEGER)")
        try:
            self._converge(gone)
            self._flush()
            self._parts.delivery.finish()
            self._record_gone(gone)
            self._parts.notes.flush()
        finally:
            gone.close()
            self._parts.claims.close()
        return self.tally

    def _converge(self, gone: Scratch) -> None:
        until = self._options.until
        for record, known in self._pairs():
            if until is not None and _key(record, known) > until:
                return
            if record is None:
                if known is not None and _is_live(known):
                    gone.run(
                        "INSERT INTO gone VALUES (?, ?, ?, ?)",
                        (*known.key, known.fingerprint, known.force_acknowledged),
                    )
                continue
            self._one(record, known)
            if self.tally.read % BATCH == 0:
                self._advance(BATCH)
            if self._options.page is not None and self.tally.delivered >= self._options.page:
                self.stopped_at = record.key
                return

    def _pairs(self) -> Iterator[tuple[SourceRecord | None, Known | None]]:
        source, ledger = self._parts.source, self._parts.ledger
        if self._options.ids is None:
            after = self._options.after
            return merge_join(source.stream(after), ledger.rows(after))
        return self._some_pairs(self._options.ids, self._options.keys)

    def _some_pairs(
        self, ids: Collection[int], keys: Collection[ProductKey] | None
    ) -> Iterator[tuple[SourceRecord | None, Known | None]]:
        records = [record for record in self._parts.source.some(ids) if keys is None or record.key in keys]
        known = self._parts.ledger.rows_for([record.key for record in records])
        return ((record, row) for record, row in merge_join(records, known) if record is not None)

    def _one(self, record: SourceRecord, known: Known | None) -> None:
        tally = self.tally
        tally.read += 1
        failed = self._parts.judge.blockers(record)
        if failed:
            self._skip(record, known, failed[0])
            return
        tally.eligible += 1
        asked = self._options.full or (known is not None and known.force_requested > known.force_acknowledged)
        if known is not None and known.source_digest == record.digest and not asked:
            tally.unchanged += 1
            if known.status != "synced":  # it changed, failed, and was changed back
                self._note_unchanged(record, known)
            return
        leases = self._parts.leases
        if leases is not None and leases.holds(
            record.key, record.digest, known.force_requested if known else 0
        ):
            tally.pending += 1
            self._leave_to_who_is_at_work(1)
            return
        self._changed(record, known, asked)

    def _skip(self, record: SourceRecord, known: Known | None, criterion: Criterion) -> None:
        self.tally.skipped += 1
        self.tally.reasons[criterion] += 1
        if known is not None and _is_live(known) and not _waits_for_its_turn(known):
            self.tally.reasons[f"became_{criterion}"] += 1
            self._parts.notes.clear(
                Clearing(*record.key, f"became_{criterion}", known.fingerprint, known.force_acknowledged)
            )
        elif self._parts.leases is not None:  # handed out before, perhaps, and no result came yet
            self._parts.notes.withdraw(record.key)

    def _note_unchanged(self, record: SourceRecord, known: Known) -> None:
        assert known.fingerprint is not None
        self._parts.notes.unchanged(
            Unchanged(*record.key, known.fingerprint, known.force_acknowledged, record.digest)
        )

    def _changed(self, record: SourceRecord, known: Known | None, asked: bool) -> None:
        mapped = self._parts.mapper.map(self._parts.source.combination(record))
        if isinstance(mapped, Refusal):
            self.tally.pending += 1
            self._fail(record.key, mapped, known.reason if known else None)
            return
        item, warnings = mapped
        document = item.stored()
        print_ = self._fingerprinter.of(document, record.resaved)
        if known is not None and known.fingerprint == print_ and not asked:
            self.tally.unchanged += 1
            self._note_unchanged(record, known)
            return
        self.tally.pending += 1
        if warnings:
            self.tally.warnings.update(warnings)
        self._batch.append(version_of(record, known, item, document, print_, self._parts.now))
        if len(self._batch) >= self._room():
            self._flush()

    def _room(self) -> int:
        """How many to gather: never more than a page still takes."""
        page = self._options.page
        return BATCH if page is None else min(BATCH, page - self.tally.delivered)

    def _flush(self) -> None:
        """Settle, deliver and acknowledge what has been gathered."""
        batch, self._batch = self._batch, []
        previous = self._previous(batch)
        contenders = (
            [version for version in batch if self._may_keep_code(version, previous)] if previous else batch
        )
        refusals = self._parts.claims.refusals(newcomers(contenders, previous))
        if refusals:
            for version in contenders:
                if version.key in refusals:
                    self._fail(version.key, refusals[version.key], version.repeated_reason)
            contenders = [version for version in contenders if version.key not in refusals]
        leases = self._parts.leases
        ready = self._within_limit(contenders if leases is None else self._not_at_work(leases, contenders))
        if ready:
            self.tally.delivered += self._parts.delivery.deliver(ready, previous)
        self._parts.notes.flush()

    def _not_at_work(self, leases: Leases, versions: list[Version]) -> list[Version]:
        """Those nobody is at work on; the others were served, and their results are awaited."""
        free = leases.free(versions)
        if len(free) < len(versions):
            self._leave_to_who_is_at_work(len(versions) - len(free))
        return free

    def _leave_to_who_is_at_work(self, count: int) -> None:
        self.tally.left += count
        self.tally.reasons["in_flight"] += count

    def _previous(self, batch: Collection[Version]) -> dict[ProductKey, Item]:
        acknowledged = [version.key for version in batch if version.prior_fingerprint is not None]
        documents = self._parts.ledger.documents(acknowledged) if acknowledged else {}
        return {key: Item.from_stored(document) for key, document in documents.items()}

    def _may_keep_code(self, version: Version, previous: dict[ProductKey, Item]) -> bool:
        refusal = changed_code(version, previous.get(version.key))
        if refusal is not None:
            self._fail(version.key, refusal, version.repeated_reason)
        return refusal is None

    def _within_limit(self, ready: list[Version]) -> list[Version]:
        if self._options.limit is None:
            return ready
        room = max(self._options.limit - self.tally.delivered, 0)
        for version in ready[room:]:
            self.tally.left += 1
            self.tally.reasons["queued"] += 1
            self._parts.notes.leave(version.key)
        return ready[:room]

    def _fail(self, key: ProductKey, refusal: Refusal, before: str | None) -> None:
        self.tally.fail(FailedRecord(key, refusal.reason, refusal.message, repeated=before == refusal.reason))
        self._parts.notes.fail(Failure(*key, refusal.reason, refusal.message))

    def _record_gone(self, gone: Scratch) -> None:
        """Only now, after a complete read, is absence a deletion."""
        for major, minor, prior_fingerprint, prior_force in gone.stream("SELECT * FROM gone"):
            self.tally.reasons["deleted"] += 1
            self._parts.notes.clear(Clearing(major, minor, "deleted", prior_fingerprint, prior_force))


def _key(record: SourceRecord | None, known: Known | None) -> ProductKey:
    """Of a pair, of which at least one is there."""
    either = record or known
    assert either is not None
    return either.key


def _is_live(known: Known) -> bool:
    """Whether the ledger still holds something of the record that an end of it would change."""
    return known.fingerprint is not None or known.status != "synced"


def _waits_for_its_turn(known: Known) -> bool:
    """Whether all there is of an ineligible record is a force: it goes out once nothing blocks it any more."""
    forced = known.force_requested > known.force_acknowledged
    return forced and known.fingerprint is None and known.status == "pending"
