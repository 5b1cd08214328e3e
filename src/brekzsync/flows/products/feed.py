"""Products for who fetches them: an index of what is pending, one document, one document for many.

It asks the same questions as ``products export``, of the same parts (``ProductExport`` itself runs under the index
and the bulk document), and so gives the export's own answers. A version is noted as served before anybody can see
it; what is acknowledged later is that version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from brekzsync.domain.fingerprints import Fingerprinter
from brekzsync.domain.items import Item
from brekzsync.domain.keys import BEFORE_ALL, ProductKey, format_key
from brekzsync.domain.ledger import LedgerEntry, Serving
from brekzsync.domain.outcomes import Tally
from brekzsync.domain.products import Refusal
from brekzsync.domain.sync_flows import FlowSwitch
from brekzsync.domain.texts import normalise_code
from brekzsync.flows.frame import OpenRun, Runs, milliseconds, recorded
from brekzsync.flows.ledger_notes import LedgerNotes, NoNotes, NotesLedger
from brekzsync.flows.ports import Clock, Delivery, ProductLedger, ProductSource, SourceRecord, Version
from brekzsync.flows.products.code_index import CodeIndex, IndexedClaims
from brekzsync.flows.products.delivery import Images, Leased, Leases
from brekzsync.flows.products.export import ExportOptions, ExportParts, ProductExport
from brekzsync.flows.products.feed_documents import SERVED, BulkDocument, Listing, Writing, minding
from brekzsync.flows.products.judging import Exclusions, Judge
from brekzsync.flows.products.run import FLOW, ItemMapping
from brekzsync.flows.products.versions import changed_code, newcomers, version_of

_LEAST_AT_ONCE, _MOST_AT_ONCE = 100, 1000  # products read together


class Imported(NamedTuple):
    """That the target has a version; begins with what tells it apart, as the state's outcomes do."""

    key_major: int
    key_minor: int
    version: tuple[bytes, int]
    imported: bool = True
    reason: str = ""
    message: str = ""


class FeedSource(ProductSource, Protocol):
    """The catalogue, which also reads one product quickly."""

    def one(self, id_product: int) -> Sequence[SourceRecord]:
        """The combinations of one product in key order; none when it does not exist."""


class FeedShop(Protocol):
    """The shop within one snapshot."""

    @property
    def time_zone(self) -> ZoneInfo: ...

    def catalogue(self, salt: bytes, at_once: int = ...) -> FeedSource: ...


class Standing(Protocol):
    """What the state holds of one record: its row and acknowledged document, what was handed out of it without a
    result yet, and which records hold an item code."""

    @property
    def entry(self) -> LedgerEntry | None: ...
    @property
    def document(self) -> str | None: ...
    @property
    def unsettled(self) -> Sequence[str]: ...
    @property
    def holders(self) -> Sequence[ProductKey]: ...


class FeedLedger(ProductLedger, NotesLedger, Protocol):
    """The ledger of this flow and target."""

    def standing(self, key: ProductKey, code: str) -> Standing: ...


class FeedServed(Protocol):
    """Versions handed out whose result is awaited."""

    def serve(
        self, batch: Sequence[Serving], *, run_id: int | None, at: datetime, lease_until: datetime
    ) -> None: ...

    def leased(self, at: datetime, after: ProductKey = BEFORE_ALL) -> Iterator[Leased]: ...

    def unsettled_documents(self, keys: Sequence[ProductKey]) -> Mapping[ProductKey, Sequence[str]]: ...

    def settle(self, outcomes: Sequence[Any], *, at: datetime) -> Any: ...


class Index(NamedTuple):
    """A page of what is pending; ``stopped_at`` is where the next page goes on, None when there is none."""

    generated: datetime
    versions: Sequence[Version]
    stopped_at: ProductKey | None


class Document(NamedTuple):
    """One item as it is served."""

    version: Version
    content: bytes


class Found(NamedTuple):
    """A version that may go out, the acknowledged item, and what went out before without a result yet."""

    version: Version
    previous: Item | None
    unsettled: Sequence[str]


class Withheld(NamedTuple):
    """Why an item that exists is not served: a criterion, or what a run would have failed it for."""

    reason: str
    message: str


@dataclass(slots=True)
class Whereabouts:
    """The last key that the documents of many have come to. Threads may share it: the worst is another round."""

    key: ProductKey = BEFORE_ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFeed:
    """Everything the feed of one target needs; ``bootstrap/serve.py`` puts it together. Threads may share it.

    ``glance`` opens the shop for a look at one product; what many products refer to may then be some seconds old,
    and so may ``recent_exclusions``. ``read_back`` settles what the ERP has without having said so.
    """

    target: str
    clock: Clock
    runs: Runs[Any]
    ledger: FeedLedger
    served: FeedServed
    exclusions: Callable[[], Exclusions]
    recent_exclusions: Callable[[], Exclusions]
    switch: Callable[[], FlowSwitch | None]
    open_shop: Callable[[datetime], AbstractContextManager[FeedShop]]
    glance: Callable[[datetime], AbstractContextManager[FeedShop]]
    mapping: Callable[[FeedShop], ItemMapping]
    images: Callable[[], Images]
    codes: CodeIndex
    lease: timedelta
    acknowledges_delivery: bool
    bundle_components_too: bool
    read_back: Callable[[datetime], object]
    whereabouts: Whereabouts = field(default_factory=Whereabouts)

    def index(self, *, after: ProductKey, limit: int, preview: bool) -> Index:
        """What is pending after a key, at most ``limit`` of it; what is served and unsettled is left out."""
        listing = Listing()
        now = self.clock()
        if not preview:
            self.read_back(now)
        with self._recorded("serve: GET /exact/products", preview) as opened, self.open_shop(now) as shop:
            options = ExportOptions(after=after, page=limit)
            stopped_at = self._page(opened, shop, now, listing, options, Tally())
        return Index(now, listing.versions, stopped_at)

    def bulk(self, *, limit: int, preview: bool) -> BulkDocument:
        """One document of what is pending, at most ``limit`` items; noted as served when it is complete."""
        now = self.clock()
        if not preview:
            self.read_back(now)
        with (
            self._recorded("serve: GET /exact/products.xml", preview) as opened,
            self.glance(now) as shop,
        ):
            writing = Writing(self.mapping(shop).writer, self.images(), self.served, _yesterday(now, shop))
            try:
                came_to = self._round(opened, shop, now, writing, limit)
                if opened is not None:
                    self._serve(writing.document.versions, opened.id)
                    self.whereabouts.key = came_to
            except BaseException:
                writing.document.close()
                raise
        return writing.document

    def one(self, key: ProductKey, *, preview: bool) -> Document | Withheld | None:
        """An item's document, whether or not the target has it already; None for a key the shop does not have."""
        now = self.clock()
        with self.glance(now) as shop:
            mapping = self.mapping(shop)
            source = shop.catalogue(mapping.salt)
            records = source.one(key[0])
            record = next((record for record in records if record.key == key), None)
            if record is None:
                return None
            made = self._version(record, records, source, mapping, milliseconds(now))
            if isinstance(made, Withheld):
                return made
            version, previous, unsettled = made
            yesterday = _yesterday(now, shop)
        content = mapping.writer.document(
            version.item,
            previous,
            yesterday,
            self.images().load(version.item.image),
            minding(mapping.writer, version, previous, unsettled, yesterday),
        )
        if not preview:
            self._serve([Serving._make(version[:SERVED])], None)
        return Document(version, content)

    def delivered(self, versions: Sequence[Serving]) -> None:
        """The bodies were sent whole: where that is what acknowledges, they are acknowledged."""
        if self.acknowledges_delivery and versions:
            outcomes = [
                Imported(one.key_major, one.key_minor, (one.fingerprint, one.force)) for one in versions
            ]
            self.served.settle(outcomes, at=self.clock())

    def _recorded(self, command: str, preview: bool) -> AbstractContextManager[OpenRun | None]:
        """A look at everything is a run, on record as those of the command are; it needs no lock."""
        if preview:
            return nullcontext()
        return recorded(self.runs, flow=FLOW, target=self.target, command=command, clock=self.clock)

    def _round(
        self, opened: OpenRun | None, shop: FeedShop, now: datetime, delivery: Delivery, limit: int
    ) -> ProductKey:
        """All of what is pending or ``limit`` of it, from where the last document ended: from the first key on, each
        would pass again by everything that those before it have served. Where the next one goes on."""
        start, tally = self.whereabouts.key, Tally()
        options = ExportOptions(after=start, page=limit)
        came_to = self._page(opened, shop, now, delivery, options, tally)
        if came_to is None and start != BEFORE_ALL:
            options = ExportOptions(until=start, page=limit)
            came_to = self._page(opened, shop, now, delivery, options, tally)
        return came_to or BEFORE_ALL

    def _page(
        self,
        opened: OpenRun | None,
        shop: FeedShop,
        now: datetime,
        delivery: Delivery,
        options: ExportOptions,
        tally: Tally,
    ) -> ProductKey | None:
        mapping = self.mapping(shop)
        source = shop.catalogue(mapping.salt, _at_once(options.page or 0))
        judge = self._judge(source, self.exclusions())
        parts = ExportParts(
            source=source,
            ledger=self.ledger,
            notes=(
                NoNotes()
                if opened is None
                else LedgerNotes(self.ledger, opened, at=now, cleared=_nothing_lies_there)
            ),
            delivery=delivery,
            mapper=mapping.mapper,
            claims=IndexedClaims(source, self.ledger, mapping.template, judge.is_eligible, self.codes),
            judge=judge,
            leases=Leases(self.served.leased(now, options.after)),
            layout=mapping.layout,
            now=milliseconds(now),
        )
        export = ProductExport(parts, options, tally)
        try:
            export.run()
        finally:
            if opened is not None:
                _fill(opened, export.tally)
        return export.stopped_at

    def _version(
        self,
        record: SourceRecord,
        siblings: Sequence[SourceRecord],
        source: FeedSource,
        mapping: ItemMapping,
        now: int,
    ) -> Found | Withheld:
        """What a run would deliver of a record now."""
        key, judge = record.key, self._judge(source, self.recent_exclusions())
        failed = judge.blockers(record)
        if failed:
            return Withheld(
                failed[0], f"{format_key(key)} is not exported: {' and '.join(failed)} is not met."
            )
        mapped = mapping.mapper.map(source.combination(record))
        if isinstance(mapped, Refusal):
            return Withheld(*mapped)
        item, _ = mapped
        document = item.stored()
        print_ = Fingerprinter(mapping.layout).of(document, record.resaved)
        standing = self.ledger.standing(key, normalise_code(item.code))
        version = version_of(record, standing.entry, item, document, print_, now)
        previous = None if standing.document is None else Item.from_stored(standing.document)
        refusal = changed_code(version, previous)
        if refusal is None and newcomers([version], {} if previous is None else {key: previous}):
            claims = IndexedClaims(
                source, self.ledger, mapping.template, judge.is_eligible, self.codes, siblings
            )
            refusal = claims.refusal(version, standing.holders)
        return Withheld(*refusal) if refusal else Found(version, previous, standing.unsettled)

    def _judge(self, source: ProductSource, exclusions: Exclusions) -> Judge:
        return Judge(source, exclusions, bundle_components_too=self.bundle_components_too)

    def _serve(self, versions: Sequence[Serving], run_id: int | None) -> None:
        now = self.clock()
        self.served.serve(versions, run_id=run_id, at=now, lease_until=now + self.lease)


def _at_once(items: int) -> int:
    """How many products to read together for so many items: most have several combinations. A few more, because a
    page may begin in the middle of one."""
    return min(_MOST_AT_ONCE, max(_LEAST_AT_ONCE, items // 2 + items // 50))


def _nothing_lies_there(_keys: Sequence[ProductKey]) -> None:
    """Over HTTP there is no unread file to take away."""


def _yesterday(now: datetime, shop: FeedShop) -> date:
    return now.astimezone(shop.time_zone).date() - timedelta(days=1)


def _fill(opened: OpenRun, tally: Tally) -> None:
    opened.counts, opened.reasons = tally.counts(), tally.all_reasons()
    opened.failures = tally.signature
