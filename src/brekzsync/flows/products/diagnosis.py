"""``products diagnose``: why each combination is, or is not, on its way to the ERP.

It asks the same questions as ``products export``, of the same parts, and so gives the export's own answers;
beside them it gathers the evidence people want to see. Nothing is written. Everything streams: a chunk of
combinations is the most that is held at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Protocol

from brekzsync.domain.diagnosis import Diagnosis, ErpState, Presence, SyncState
from brekzsync.domain.exclusions import Exclusions, flag_of
from brekzsync.domain.fingerprints import Fingerprinter
from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.keys import ProductKey
from brekzsync.domain.ledger import LedgerEntry
from brekzsync.domain.log_records import LogStatus, PendingReason, told
from brekzsync.domain.products import Refusal
from brekzsync.domain.texts import normalise_code
from brekzsync.domain.verdicts import Case, Policy, diagnose, unknown
from brekzsync.flows.frame import milliseconds
from brekzsync.flows.ports import Clock, ProductLedger, ProductSource, SourceRecord, Version
from brekzsync.flows.products.case_evidence import (
    Known,
    Seen,
    ServedVersion,
    ShopEvidence,
    TellsOfProducts,
    code_in_erp,
)
from brekzsync.flows.products.erp_evidence import ErpEvidence, ErpItems, KnownCodes, Missing
from brekzsync.flows.products.item_code_claims import ItemCodeClaims, Scan
from brekzsync.flows.products.judging import Judge
from brekzsync.flows.products.near_ids import KnowsOwners, Remembers, near
from brekzsync.flows.products.run import ItemMapping
from brekzsync.flows.products.versions import changed_code, newcomers, version_of
from brekzsync.flows.products.wanted import By, named
from brekzsync.flows.scratch import Scratch

CHUNK = 1000
"""Combinations looked at together."""

_NOWHERE = Presence((), ())


class DiagnosedSource(ProductSource, Protocol):
    """The catalogue, which also tells every item code in one narrow read."""

    def codes(self, template: CodeTemplate) -> Iterator[Sequence[tuple[ProductKey, str]]]:
        """The normalised item code of every combination, in pages, in key order."""


class DiagnosedShop(KnowsOwners, TellsOfProducts, Protocol):
    """The shop within one snapshot."""

    @property
    def data_shop_name(self) -> str: ...

    def catalogue(self, salt: bytes) -> DiagnosedSource: ...


class DiagnosedLedger(ProductLedger, Remembers, KnownCodes, Protocol):
    """The ledger of this flow and target, to read."""

    def holders(self, codes: Collection[str]) -> dict[str, list[ProductKey]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductDiagnosis:
    """Everything a diagnosis of one target needs; ``bootstrap/product_diagnosis.py`` puts it together.

    ``erp`` is None where none is configured; ``in_flight`` gives the versions of some keys whose result is awaited;
    ``unread`` names the document in the outbox of each of some keys, of those that have one.
    """

    clock: Clock
    open_shop: Callable[[datetime], AbstractContextManager[DiagnosedShop]]
    mapping: Callable[[DiagnosedShop], ItemMapping]
    ledger: DiagnosedLedger
    in_flight: Callable[[Collection[ProductKey]], Collection[ServedVersion]]
    exclusions: Callable[[], Exclusions]
    erp: ErpItems | None
    unread: Callable[[Collection[ProductKey]], Mapping[ProductKey, str]]
    exclude_column: str
    bundle_components_too: bool
    sends_files: bool
    flow_is_on: bool

    @contextmanager
    def open(self) -> Iterator[OpenDiagnosis]:
        """Look at one snapshot of the shop. Raises what the shop and the state raise."""
        now = self.clock()
        with self.open_shop(now) as shop:
            yield OpenDiagnosis(self, shop, milliseconds(now))


class OpenDiagnosis:
    """Diagnoses, one after the other, within one snapshot of the shop."""

    def __init__(self, parts: ProductDiagnosis, shop: DiagnosedShop, now: int) -> None:
        self._parts = parts
        self._shop = shop
        self._now = now
        self._mapping = parts.mapping(shop)
        self._fingerprinter = Fingerprinter(self._mapping.layout)
        self._source = shop.catalogue(self._mapping.salt)
        self._exclusions = parts.exclusions()
        self._judge = Judge(self._source, self._exclusions, bundle_components_too=parts.bundle_components_too)
        self._policy = Policy(
            data_shop=shop.data_shop_name,
            exclude_column=parts.exclude_column,
            bundle_components_too=parts.bundle_components_too,
            sends_files=parts.sends_files,
            flow_is_on=parts.flow_is_on,
        )
        self.erp = ErpEvidence(parts.erp)

    def named(self, words: Sequence[str], by: By | None) -> Iterator[Diagnosis]:
        """What these words name, in key order, and then those that name nothing.

        Raises InvalidInput for a word that can be neither an id nor a reference or EAN of the shop.
        """
        found = named(self._shop, words, by)
        ids = {key[0] for key in found.keys}
        records = (record for record in self._source.some(ids) if record.key in found.keys)
        yield from self._explained(records, None if len(found.keys) > CHUNK else self._owners_of)
        for word in found.unknown:
            yield unknown(word, *near(self._shop, self._parts.ledger, word, by))

    def all(self) -> Iterator[Diagnosis]:
        """Every combination of the shop, in key order."""
        yield from self._explained(self._source.stream())

    def missing(self) -> Iterator[Diagnosis]:
        """Every eligible combination that the ERP does not have, in key order.

        Where the ERP cannot be asked, those it never acknowledged; ``erp.problem`` then says why.
        """
        with closing(Scratch()) as scratch:
            if not self.erp.read_codes(scratch):
                yield from (one for one in self._explained(self._eligible()) if not one.is_acknowledged)
                return
            missing = Missing(scratch, self._source.codes(self._mapping.template), self._parts.ledger)
            records = (
                record
                for some in missing.products(CHUNK)
                for record in self._source.some(some)
                if missing.has(record.key) and self._judge.is_eligible(record)
            )
            # Whoever shares a code that the ERP lacks is missing too: no second read of all codes is needed.
            for one in self._explained(records, lambda _codes: missing.hashes()):
                if not one.erp.present:  # the ERP may know it by the code it was acknowledged with
                    yield one

    def _eligible(self) -> Iterator[SourceRecord]:
        return (record for record in self._source.stream() if self._judge.is_eligible(record))

    def _owners_of(self, codes: Collection[str]) -> Iterator[tuple[int, int]]:
        return self._source.code_hashes(self._mapping.template, codes)

    def _explained(self, records: Iterable[SourceRecord], scan: Scan | None = None) -> Iterator[Diagnosis]:
        claims = ItemCodeClaims(
            self._source, self._parts.ledger, self._mapping.template, self._judge.is_eligible, scan=scan
        )
        records = iter(records)
        with closing(claims):
            while chunk := list(islice(records, CHUNK)):
                for case in self._cases(chunk, claims):
                    yield diagnose(case, self._policy)

    def _cases(self, records: Sequence[SourceRecord], claims: ItemCodeClaims) -> Iterator[Case]:
        seen = [self._look(record) for record in records]
        keys = [one.key for one in seen]
        known = Known(self._parts.ledger, self._parts.in_flight(keys), keys)
        versions = {
            one.key: version_of(
                one.record, known.entries.get(one.key), one.examined.item, one.document, one.print, self._now
            )
            for one in seen
        }
        contenders = [
            versions[one.key]
            for one in seen
            if not one.failed and not one.examined.refusals and known.differs(one)
        ]
        duplicates = claims.refusals(newcomers(contenders, known.items))
        taken = self._parts.ledger.holders({versions[key].code for key in duplicates}) if duplicates else {}
        evidence = ShopEvidence(self._shop, seen)
        self.erp.look_up(code_in_erp(one, known) for one in seen)
        anothers = {
            key for key in duplicates if any(other != key for other in taken.get(versions[key].code, ()))
        }
        erp = {one.key: self._erp_state(one, known, is_anothers=one.key in anothers) for one in seen}
        # Only where the ERP does not hold what it acknowledged is it of interest what it has not read yet.
        lacking = {one.key for one in seen if not known.differs(one) and erp[one.key].is_behind}
        unread = self._parts.unread(lacking) if lacking else {}
        for one in seen:
            yield self._case(
                one,
                known,
                versions[one.key],
                duplicates.get(one.key),
                evidence,
                erp[one.key],
                unread.get(one.key, ""),
            )

    def _look(self, record: SourceRecord) -> Seen:
        combination = self._source.combination(record)
        examined = self._mapping.mapper.examine(combination)
        document = examined.item.stored()
        exclusion = self._exclusions.covering(record.key, self._source.reference(record))
        return Seen(
            record,
            combination,
            examined,
            document,
            self._fingerprinter.of(document, record.resaved),
            self._judge.blockers(record),
            flag_of(exclusion, record.key) if exclusion is not None else None,
        )

    def _case(
        self,
        one: Seen,
        known: Known,
        version: Version,
        duplicate: Refusal | None,
        evidence: ShopEvidence,
        erp: ErpState,
        unread: str,
    ) -> Case:
        key = one.key
        entry, before, differs = known.entries.get(key), known.items.get(key), known.differs(one)
        held_code = changed_code(version, before) if differs and not one.examined.refusals else None
        stopped = bool(one.failed or one.examined.refusals or duplicate or held_code)
        return Case(
            key=key,
            combination=one.combination,
            examined=one.examined,
            standing=one.record.standing,
            failed=one.failed,
            flag=one.flag,
            bundles=evidence.bundles(one),
            presence=evidence.presence.get(key, _NOWHERE),
            entry=entry,
            before=before,
            differs=differs,
            duplicate=None if held_code else duplicate,
            held_code=held_code,
            sync=self._sync(entry, differs, stopped, in_flight=known.is_in_flight(version)),
            erp=erp,
            unread=unread,
        )

    def _erp_state(self, one: Seen, known: Known, *, is_anothers: bool) -> ErpState:
        code, before = code_in_erp(one, known), known.items.get(one.key)
        expected = before if before is not None and not known.differs(one) else one.examined.item
        state = self.erp.state(code, expected)
        if state.present and is_anothers and code == normalise_code(one.examined.item.code):
            return ErpState(False, f"Exact has no item of its own; {code} is that of another combination.")
        return state

    def _sync(self, entry: LedgerEntry | None, differs: bool, stopped: bool, *, in_flight: bool) -> SyncState:
        """What the logs say of the record, and of one that no run has looked at yet what a run would say."""
        hold = None if self._parts.flow_is_on else PendingReason.FLOW_DISABLED
        if entry is None:
            if stopped and not in_flight:
                return SyncState()
            reason = PendingReason.IN_FLIGHT if in_flight else hold or PendingReason.QUEUED
            return SyncState(LogStatus.PENDING, reason)
        log = told(entry, now=self._now, in_flight=in_flight, hold=hold)
        status, reason_told = log.status, log.reason
        if status is LogStatus.SYNCED and differs and not stopped:  # it changed since the last run
            status, reason_told = LogStatus.PENDING, hold or PendingReason.QUEUED
        return SyncState(
            status,
            reason_told,
            log.message,
            log.attempts,
            _moment(log.synced_at),
            _moment(log.next_attempt_at if (log.next_attempt_at or 0) > self._now else None),
        )


def _moment(milliseconds_: int | None) -> datetime | None:
    return None if milliseconds_ is None else datetime.fromtimestamp(milliseconds_ / 1000, UTC)
