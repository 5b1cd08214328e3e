"""One whole ``products export``: hold the lock, open the shop, converge, list what lies in the outbox."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from zoneinfo import ZoneInfo

from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey, WantedId
from brekzsync.domain.ledger import IN_DOUBT, Acknowledgement, Serving
from brekzsync.domain.outcomes import Tally
from brekzsync.domain.products import ItemMapper
from brekzsync.domain.sync_flows import PARTIAL_RUN
from brekzsync.domain.texts import normalise_code
from brekzsync.errors import BrekzsyncError, PermanentError
from brekzsync.flows.frame import Locks, OpenRun, Runs, milliseconds, run
from brekzsync.flows.ledger_notes import LedgerNotes, NoNotes, NotesLedger
from brekzsync.flows.ports import Clock, Delivery, ProductLedger, ProductSource, Version
from brekzsync.flows.products.delivery import (
    Accept,
    AcceptStaged,
    Announce,
    BaselineDelivery,
    BulkDelivery,
    BulkWriter,
    DocumentWriter,
    FileDelivery,
    Images,
    ItemFolder,
    Lease,
    Leased,
    Leases,
    Preview,
)
from brekzsync.flows.products.export import ExportOptions, ExportParts, ProductExport
from brekzsync.flows.products.held_codes import HeldCodes
from brekzsync.flows.products.item_code_claims import ItemCodeClaims
from brekzsync.flows.products.judging import Exclusions, Judge
from brekzsync.flows.products.wanted import By, KnowsIds, wanted_keys

FLOW = "product"
_LOOKED_UP_AT_ONCE = 1000
Progress = Callable[[int | None], AbstractContextManager[Callable[[int], None]]]
"""Opens a progress bar for about so many records; what it yields is told of each batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What a person or cron asked for; ``ids`` as typed, ``by`` what they are if not ids."""

    ids: tuple[str, ...] = ()
    by: By | None = None
    limit: int | None = None
    full: bool = False
    bulk: bool = False
    baseline: bool = False
    dry_run: bool = False


class ExportOutcome(NamedTuple):
    """What came of it. ``baselined`` counts items taken as acknowledged without delivering them."""

    run: OpenRun
    tally: Tally
    baselined: int
    indexed: int | None


def nothing_done() -> ExportOutcome:
    """The outcome of a run that did not take place: no name, all counts 0."""
    return ExportOutcome(OpenRun(0, ""), Tally(), 0, None)


class OpenShop(KnowsIds, Protocol):
    """The shop within one snapshot."""

    @property
    def time_zone(self) -> ZoneInfo: ...

    def catalogue(self, salt: bytes) -> ProductSource: ...

    def size(self) -> int: ...


class ItemMapping(NamedTuple):
    """How combinations become documents, for one data shop and configuration.

    ``layout`` and ``salt`` are digests: of what every document says besides its item, and of everything in
    the configuration an item depends on.
    """

    mapper: ItemMapper
    template: CodeTemplate
    writer: DocumentWriter
    layout: bytes
    salt: bytes


class ExportOutbox(ItemFolder, Protocol):
    """Where the documents go."""

    @property
    def directory(self) -> Path: ...

    def prepare(self) -> None: ...

    def shown_bulk(self) -> list[Path]: ...

    def unread_item(self, key: ProductKey) -> object | None: ...

    def withdraw(self, keys: Collection[ProductKey]) -> int: ...

    def unread_items(self) -> Iterator[ProductKey]: ...


class ExportLedger(ProductLedger, NotesLedger, Protocol):
    """The ledger of this flow and target, to read and to write."""

    def acknowledge(self, batch: Sequence[Acknowledgement], *, run_id: int, at: datetime) -> int: ...

    def acknowledge_staged(self, path: Path, *, run_id: int, at: datetime) -> int: ...


class ServedVersions(Protocol):
    """Versions handed out whose result is awaited (``acknowledge = "result"``)."""

    def serve(
        self, batch: Sequence[Serving], *, run_id: int | None, at: datetime, lease_until: datetime
    ) -> None: ...

    def leased(self, at: datetime) -> Iterator[Leased]: ...

    def awaiting_result(self, keys: Sequence[ProductKey]) -> Collection[Lease]: ...

    def renew(
        self, versions: Sequence[tuple[ProductKey, tuple[bytes, int] | None]], *, lease_until: datetime
    ) -> object: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRun:
    """Everything a run of one target needs; ``bootstrap/products.py`` puts it together.

    ``read_back`` settles what the ERP has of what was handed out, where results are awaited.
    """

    target: str
    clock: Clock
    locks: Locks
    runs: Runs[Any]
    ledger: ExportLedger
    served: ServedVersions
    exclusions: Callable[[], Exclusions]
    open_shop: Callable[[datetime], AbstractContextManager[OpenShop]]
    mapping: Callable[[OpenShop], ItemMapping]
    outbox: ExportOutbox
    write_index: Callable[[datetime], int]
    bulk_writer: Callable[[str, ItemMapping, date], AbstractContextManager[BulkWriter]]
    staged_batches: Callable[[Path], Iterator[Sequence[Acknowledgement]]]
    images: Images
    lease: timedelta | None
    held_codes: Callable[[], Iterator[str]] | None
    bundle_components_too: bool
    read_back: Callable[[datetime], object]

    @property
    def outbox_directory(self) -> Path:
        """Where the documents lie."""
        return self.outbox.directory

    def execute(self, request: ExportRequest, progress: Progress) -> ExportOutcome:
        """Do it. Raises what the shop, the state or the outbox raise; what was delivered stays delivered."""
        if request.dry_run:
            now = self.clock()
            preview = OpenRun(0, f"{now:%Y%m%dT%H%M%SZ}-preview")
            return self._export(preview, request, progress)
        command = "products export" + "".join(f" --{name}" for name in _flags(request))
        command += PARTIAL_RUN if request.ids else ""
        with run(
            self.locks, self.runs, flow=FLOW, target=self.target, command=command, clock=self.clock
        ) as opened:
            return self._export(opened, request, progress)

    def _export(self, opened: OpenRun, request: ExportRequest, progress: Progress) -> ExportOutcome:
        now = self.clock()
        files = not (request.dry_run or request.baseline)
        with ExitStack() as stack:
            shop = stack.enter_context(self.open_shop(now))
            wanted = (
                wanted_keys(shop, request.ids, request.by, "nothing was exported") if request.ids else None
            )
            if files:
                self.read_back(now)
                self._take_in_shown(opened)
                self.outbox.prepare()
                opened.output = str(self.outbox.directory)
            mapping = self.mapping(shop)
            delivery = self._delivery(stack, opened, request, mapping, _yesterday(now, shop.time_zone))
            export = self._converging(opened, request, shop, mapping, delivery, wanted, milliseconds(now))
            advance = stack.enter_context(progress(None if wanted is not None else shop.size()))
            export.on_progress(advance)
            try:
                export.run()
                if files and wanted is None and self.lease is not None:
                    self._withdraw_of_deleted(opened, shop)
            except BaseException as error:
                with suppress(BrekzsyncError):  # what was delivered until then lies there and is listed
                    if files and isinstance(error, PermanentError) and error.code == "writer_vanished":
                        self._take_in_shown(opened)  # its document may be in place
                    if files:
                        self.write_index(now)
                raise
            finally:
                if self.images.missing:
                    export.tally.warnings["image_missing"] += self.images.missing
                if isinstance(delivery, BaselineDelivery):
                    export.tally.take_as_known(delivery.accepted)
                opened.counts, opened.reasons = export.tally.counts(), export.tally.all_reasons()
                opened.failures = export.tally.signature
        indexed = self.write_index(now) if files else None
        baselined = delivery.accepted if isinstance(delivery, BaselineDelivery) else 0
        return ExportOutcome(opened, export.tally, baselined, indexed)

    def _converging(
        self,
        opened: OpenRun,
        request: ExportRequest,
        shop: OpenShop,
        mapping: ItemMapping,
        delivery: Delivery,
        wanted: set[ProductKey] | None,
        now: int,
    ) -> ProductExport:
        source = shop.catalogue(mapping.salt)
        judge = Judge(source, self.exclusions(), bundle_components_too=self.bundle_components_too)
        notes = (
            NoNotes()
            if request.dry_run
            else LedgerNotes(self.ledger, opened, at=self.clock(), cleared=self._withdraw)
        )
        parts = ExportParts(
            source=source,
            ledger=self.ledger,
            notes=notes,
            delivery=delivery,
            mapper=mapping.mapper,
            claims=ItemCodeClaims(source, self.ledger, mapping.template, judge.is_eligible),
            judge=judge,
            leases=None
            if self.lease is None or request.baseline
            else Leases(self.served.leased(self.clock())),
            layout=mapping.layout,
            now=now,
        )
        options = ExportOptions(
            ids=None if wanted is None else {key[0] for key in wanted},
            keys=wanted,
            full=request.full,
            limit=request.limit,
        )
        return ProductExport(parts, options)

    def _delivery(
        self, stack: ExitStack, opened: OpenRun, request: ExportRequest, mapping: ItemMapping, yesterday: date
    ) -> Delivery:
        if request.baseline:
            held = stack.enter_context(HeldCodes(self.held_codes() if self.held_codes else None))
            return BaselineDelivery(
                _accept_nothing if request.dry_run else lambda some: self._acknowledge(opened, some), held
            )
        if request.dry_run:
            return Preview()
        if request.bulk:
            writer = stack.enter_context(self.bulk_writer(opened.name, mapping, yesterday))
            return BulkDelivery(writer, self.images, self._accepting_staged(opened))
        announce = self._announcing(opened)
        return FileDelivery(
            self.outbox, mapping.writer, self.images, yesterday, announce, self._accepting(opened)
        )

    def _withdraw_of_deleted(self, opened: OpenRun, shop: OpenShop) -> None:
        """Take away what lies unread of records the shop no longer has. One that was handed out and has no result
        yet is not in the ledger, so the comparison does not miss it."""
        lying = self.outbox.unread_items()
        while some := list(islice(lying, _LOOKED_UP_AT_ONCE)):
            there = shop.keys_of([WantedId(*key) for key in some])[0]
            if gone := set(some) - there:
                opened.verify_lock()
                self._withdraw(gone)

    def _withdraw(self, keys: Collection[ProductKey]) -> None:
        """Take unread documents away. Nobody is at work on what lay there: let in again, it goes out at once."""
        lying = [key for key in keys if self.lease and self.outbox.unread_item(key) is not None]
        self.outbox.withdraw(keys)
        if lying:
            waiting = self.served.awaiting_result(lying)
            versions = [((one.key_major, one.key_minor), (one.fingerprint, one.force)) for one in waiting]
            self.served.renew(versions, lease_until=self.clock())

    def _announcing(self, opened: OpenRun) -> Announce:
        """Put the acknowledged versions in doubt before others are shown in their place.

        A run that dies between showing and acknowledging would otherwise leave the ERP with a version the
        ledger knows nothing of, and a shop that went back to the one before would look in sync.
        """

        def announce(versions: Sequence[Version], previous: Mapping[ProductKey, Item]) -> None:
            opened.verify_lock()
            rows = [_in_doubt(version, previous.get(version.key)) for version in versions]
            self.ledger.acknowledge(rows, run_id=opened.id, at=self.clock())

        return announce if self.lease is None else lambda _versions, _previous: None

    def _take_in_shown(self, opened: OpenRun) -> None:
        """Bulk documents that a killed run showed and did not come to acknowledge."""
        for staged in self.outbox.shown_bulk():
            self._accepting_staged(opened)(staged)
            staged.unlink(missing_ok=True)

    def _accepting(self, opened: OpenRun) -> Accept:
        """Acknowledge what was delivered, or note it as served until its result comes."""
        if self.lease is not None:
            return self._serving(opened, self.lease)
        return lambda versions: self._acknowledge(opened, versions, announced=True)

    def _accepting_staged(self, opened: OpenRun) -> AcceptStaged:
        if self.lease is None:
            return lambda path: self._acknowledge_staged(opened, path)
        serve = self._serving(opened, self.lease)

        def accept(path: Path) -> None:
            for batch in self.staged_batches(path):
                serve(batch)

        return accept

    def _acknowledge(self, opened: OpenRun, versions: Sequence[Version], *, announced: bool = False) -> None:
        opened.verify_lock()
        rows = [Acknowledgement._make(version[:_ACKNOWLEDGED]) for version in versions]
        if announced:
            rows = [row._replace(prior_fingerprint=IN_DOUBT, known=True) for row in rows]
        self.ledger.acknowledge(rows, run_id=opened.id, at=self.clock())

    def _acknowledge_staged(self, opened: OpenRun, path: Path) -> None:
        opened.verify_lock()
        self.ledger.acknowledge_staged(path, run_id=opened.id, at=self.clock())

    def _serving(self, opened: OpenRun, lease: timedelta) -> Callable[[Sequence[Served]], None]:
        def accept(versions: Sequence[Served]) -> None:
            opened.verify_lock()
            now = self.clock()
            rows = [Serving._make(version[:_SERVED]) for version in versions]
            self.served.serve(rows, run_id=opened.id, at=now, lease_until=now + lease)

        return accept


def _in_doubt(version: Version, before: Item | None) -> Acknowledgement:
    """The row while ``version`` is on its way: what was acknowledged stays as its document, nothing is in sync."""
    item = version.item if before is None else before
    row = Acknowledgement._make(version[:_ACKNOWLEDGED])
    return row._replace(
        fingerprint=IN_DOUBT,
        force=version.prior_force,
        source_digest=None,
        code=normalise_code(item.code),
        document=item.stored(),
    )


Served = Version | Acknowledgement
_ACKNOWLEDGED = len(Acknowledgement._fields)
_SERVED = len(Serving._fields)


def _accept_nothing(_versions: Sequence[Version]) -> None:
    """A dry run of a baseline."""


def _yesterday(now: datetime, zone: ZoneInfo) -> date:
    return now.astimezone(zone).date() - timedelta(days=1)


def _flags(request: ExportRequest) -> list[str]:
    return [name for name in ("full", "bulk", "baseline") if getattr(request, name)]
