"""One whole ``orders export`` or ``refunds export``: settle what is out, hand over what is due, tell what changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from brekzsync.domain.ledger import Failure
from brekzsync.domain.orders.rules import OrderRules
from brekzsync.domain.outcomes import Tally
from brekzsync.domain.sync_flows import PARTIAL_RUN
from brekzsync.errors import InvalidInput, Unavailable
from brekzsync.flows.frame import Locks, OpenRun, Runs, milliseconds, refuse_unknown_past, run
from brekzsync.flows.ledger_notes import LedgerNotes, NoNotes
from brekzsync.flows.orders.baseline import Baseline
from brekzsync.flows.orders.delivery import DocumentOf, FileDelivery, OrderFolder, Preview
from brekzsync.flows.orders.export import ExportOptions, OrderExport
from brekzsync.flows.orders.kinds import Kind, OrderSource
from brekzsync.flows.orders.parts import Delivery, ExportParts
from brekzsync.flows.orders.ports import Claims, Erp, Key, KnownItems, OrderLedger, OrderVersion
from brekzsync.flows.orders.settlement import ReadBack, Settlement, Unread
from brekzsync.flows.orders.watch import Noticed, Watch, as_before
from brekzsync.flows.ports import Clock

_LOOKED_UP_AT_ONCE = 500
Progress = Callable[[int | None], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What a person or cron asked for; ``ids`` are ``id_order`` or ``id_order_slip``."""

    ids: tuple[int, ...] = ()
    limit: int | None = None
    baseline: bool = False
    force: bool = False
    dry_run: bool = False


class OrderOutcome(NamedTuple):
    """What came of it. ``baselined`` counts records taken as known, ``indexed`` what lies unread in the outbox,
    ``not_due`` says of records that were asked for why they do not go, ``erp_trouble`` why a configured ERP could
    not be asked."""

    run: OpenRun
    tally: Tally
    read_back: ReadBack
    noticed: Sequence[Noticed]
    baselined: int
    indexed: int | None
    not_due: Sequence[str] = ()
    erp_trouble: str = ""


def nothing_done() -> OrderOutcome:
    """The outcome of a run that did not take place: no name, all counts 0."""
    return OrderOutcome(OpenRun(0, ""), Tally(), ReadBack.nothing(), (), 0, None)


class OrderOutbox(OrderFolder, Unread, Protocol):
    """Where the documents go."""

    @property
    def directory(self) -> Path: ...

    def prepare(self) -> None: ...

    def unread(self) -> Iterator[int]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFlow:
    """Everything a run of one kind and target needs; ``bootstrap/orders.py`` puts it together.

    ``outbox`` is None where documents are fetched instead.
    """

    kind: Kind[Any]
    target: str
    clock: Clock
    locks: Locks
    runs: Runs[Any]
    ledger: OrderLedger
    orders: OrderLedger
    claims: Claims
    items: KnownItems
    settlement: Settlement
    open_shop: Callable[[], AbstractContextManager[OrderSource]]
    rules: Callable[[OrderSource], OrderRules]
    ask_erp: Callable[[], Erp]
    document_of: DocumentOf
    outbox: OrderOutbox | None
    write_index: Callable[[datetime], int]
    dead_states: frozenset[int]
    watched_for: timedelta
    first_run_limit: int

    def execute(self, request: OrderRequest, progress: Progress) -> OrderOutcome:
        """Do it. Raises what the shop, the state or the outbox raise; what was handed over stays so."""
        if request.dry_run:
            preview = OpenRun(0, f"{self.clock():%Y%m%dT%H%M%SZ}-preview")
            return self._run(preview, request, progress)
        command = self.kind.command + "".join(f" --{name}" for name in ("baseline",) if request.baseline)
        command += PARTIAL_RUN if request.ids else ""
        with run(
            self.locks,
            self.runs,
            flow=self.kind.flow,
            target=self.target,
            command=command,
            clock=self.clock,
        ) as opened:
            return self._run(opened, request, progress)

    def _run(self, opened: OpenRun, request: OrderRequest, progress: Progress) -> OrderOutcome:
        erp = self.ask_erp()
        with self.open_shop() as shop:
            self._refuse_unknown_ids(shop, request)
            if request.baseline:
                return self._baseline(opened, shop, request)
            delivery = self._delivery(opened, request)
            read_back = self.settlement.read_back(erp, run_id=opened.id, dry_run=request.dry_run)
            refuse_unknown_past(
                ledger_is_empty=self.has_no_past(),
                due=self.count_due(shop),
                limit=self.first_run_limit,
                confirmed=request.force,
                flow=self.kind.command,
            )
            self.refuse_blind_start(erp, confirmed=request.force)
            parts = self.parts(shop, erp, delivery, opened, is_dry=request.dry_run)
            ids = frozenset(request.ids) or None
            export = OrderExport(parts, ExportOptions(ids=ids, limit=request.limit, read_back=read_back))
            noticed: list[Noticed] = []
            with progress(None) as advance:
                export.on_progress(advance)
                try:
                    export.run()
                    if not (request.dry_run or request.ids):
                        self._withdraw_unclaimed(opened)
                    noticed = self._watch(shop, parts, export, request)
                finally:
                    _fill(opened, export.tally, self.outbox)
        indexed = None if request.dry_run or self.outbox is None else self.write_index(self.clock())
        trouble = erp.trouble if erp.is_configured else ""
        return OrderOutcome(opened, export.tally, read_back, noticed, 0, indexed, export.not_due, trouble)

    def _baseline(self, opened: OpenRun, shop: OrderSource, request: OrderRequest) -> OrderOutcome:
        baseline = Baseline(
            kind=self.kind,
            shop=shop,
            ledger=self.ledger,
            claims=self.claims,
            settlement=self.settlement,
            rules=self.rules(shop),
            clock=self.clock,
        )
        try:
            count = baseline.take(opened, request.ids, is_dry=request.dry_run)
        finally:
            _fill(opened, baseline.tally, None)
        return OrderOutcome(opened, baseline.tally, ReadBack.nothing(), (), count, None)

    def parts(
        self, shop: OrderSource, erp: Erp, delivery: Delivery, opened: OpenRun, *, is_dry: bool
    ) -> ExportParts:
        """What an export of this flow works with."""
        now = self.clock()
        notes = LedgerNotes(_Noted(self.ledger, self.claims), opened, at=now, cleared=_nothing_to_withdraw)

        def wait(keys: Sequence[Key], reason: str) -> None:
            if not is_dry:
                self.ledger.record_pending(keys, at=now, reason=reason)

        return ExportParts(
            kind=self.kind,
            shop=shop,
            ledger=self.ledger,
            claims=self.claims,
            items=self.items,
            known_debtors=self.settlement.known_debtors,
            is_settled=self.settled_orders,
            erp=erp,
            rules=self.rules(shop),
            notes=NoNotes() if is_dry else notes,
            wait=wait,
            found=_forget
            if is_dry
            else lambda versions, rows: self.settlement.found(versions, rows, run_id=opened.id),
            delivery=delivery,
            now=milliseconds(now),
        )

    def settled_orders(self, keys: Collection[Key]) -> Collection[Key]:
        """Those of these orders that the ERP has."""
        rows = self.orders.rows_for(sorted(keys))
        return {(row.key_major, row.key_minor) for row in rows if row.fingerprint is not None}

    def refuse_blind_start(self, erp: Erp, *, confirmed: bool) -> None:
        """With a lost ledger only the ERP knows what it has: raises Unavailable while it should answer and does not."""
        if not confirmed and erp.is_configured and self.has_no_past() and erp.orders(()) is None:
            raise Unavailable(
                f"The ledger of {self.kind.command} is empty, and the ERP cannot be asked what it has already:"
                f" {erp.trouble}.",
                hint="Nothing was sent; it goes once the ERP answers."
                + (" --force delivers all the same." if self.outbox is not None else ""),
                code="erp_not_asked",
            )

    def has_no_past(self) -> bool:
        """Whether nothing was ever handed over, nor taken as known: a new ledger, or a lost one."""
        is_empty = self.ledger.is_empty() and next(self.claims.open(), None) is None
        return is_empty and not self.runs.had_baseline(self.kind.flow, self.target)

    def count_due(self, shop: OrderSource) -> int:
        """How many records are due, counted as far as it matters."""
        return sum(1 for _ in islice(self.kind.due_ids(shop, 0), self.first_run_limit + 1))

    def _refuse_unknown_ids(self, shop: OrderSource, request: OrderRequest) -> None:
        known = {self.kind.id_of(record) for record in self.kind.read(shop, request.ids)}
        unknown = [str(one) for one in request.ids if one not in known]
        if unknown:
            raise InvalidInput(
                f"The shop has no {self.kind.noun} {', '.join(unknown)}; nothing was exported.",
                hint=f"Give ids of {self.kind.noun}s as the shop's back office shows them.",
                code="unknown_id",
            )

    def _delivery(self, opened: OpenRun, request: OrderRequest) -> Delivery:
        if request.dry_run or self.outbox is None:
            return Preview()
        self.outbox.prepare()
        delivery = FileDelivery(self.outbox, self.document_of, self.claims, opened, self.clock)
        delivery.finish_earlier()
        return delivery

    def _withdraw_unclaimed(self, opened: OpenRun) -> None:
        """Take away what lies there unread of a state that was lost: what is due of it was just made anew."""
        lying = self.outbox.unread() if self.outbox is not None else iter(())
        while some := list(islice(lying, _LOOKED_UP_AT_ONCE)):
            claimed = self.claims.of([(one, 0) for one in some])
            if self.outbox is not None and (gone := [one for one in some if (one, 0) not in claimed]):
                opened.verify_lock()
                self.outbox.withdraw(gone)

    def _watch(
        self, shop: OrderSource, parts: ExportParts, export: OrderExport, request: OrderRequest
    ) -> list[Noticed]:
        """Only a look at everything tells what is no longer there."""
        return [] if request.ids else self.watch(shop, parts, export, is_dry=request.dry_run)

    def watch(
        self,
        shop: OrderSource,
        parts: ExportParts,
        export: OrderExport,
        *,
        is_dry: bool,
        changed_too: bool = True,
    ) -> list[Noticed]:
        """Tell what the shop did after it was exported: canceled what the export walked over, ``changed_too`` what
        went not long ago."""
        watch = Watch(
            kind=self.kind,
            shop=shop,
            ledger=self.ledger,
            rules=parts.rules,
            items=self.items,
            dead_states=self.dead_states,
        )
        now = self.clock()
        revived = [as_before(row) for row in export.revived]
        if not is_dry:
            watch.note([], revived, now)
        changed, mended = watch.changed(now - self.watched_for) if changed_too else ([], [])
        noticed = watch.canceled(export.ended)
        canceled = {one.key for one in noticed}
        noticed += [one for one in changed if one.key not in canceled]
        if not is_dry:
            watch.note(noticed, mended, now)
        for one in noticed:
            export.tally.warnings[one.reason] += 1
        return noticed


@dataclass(frozen=True, slots=True)
class _Noted:
    """The ledger for notes: others settle claims meanwhile, and what the ERP has since is not failed."""

    ledger: OrderLedger
    claims: Claims

    def record_failures(self, batch: Sequence[Failure], *, run_id: int, at: datetime) -> int:
        return self.claims.fail(batch, run_id=run_id, at=at)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)


def _fill(opened: OpenRun, tally: Tally, outbox: OrderOutbox | None) -> None:
    opened.counts, opened.reasons = tally.counts(), tally.all_reasons()
    opened.failures = tally.signature
    opened.output = None if outbox is None else str(outbox.directory)


def _forget(_versions: Sequence[OrderVersion], _rows: Sequence[object]) -> None:
    """A dry run records nothing."""


def _nothing_to_withdraw(_keys: Sequence[Key]) -> None:
    """What was never handed over lies nowhere."""
