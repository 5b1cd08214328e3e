"""Orders and refunds for who fetches them: an index of what is due, one document, one document for many.

It is ``orders export`` with another delivery: what is handed out is claimed on disk before its first byte can be
seen, and the document is the claim's. Who names itself gets its own claims again, nobody else does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from threading import Lock
from time import monotonic
from typing import Any, Final, NamedTuple

from brekzsync.domain.erp_orders import ErpOrder
from brekzsync.domain.keys import BEFORE_ALL
from brekzsync.domain.ledger import LedgerEntry, Serving
from brekzsync.domain.orders.sales_orders import SalesOrder
from brekzsync.domain.orders.stored import StoredOrder
from brekzsync.domain.sync_flows import FlowSwitch
from brekzsync.errors import BrekzsyncError
from brekzsync.flows.frame import OpenRun, recorded, refuse_unknown_past
from brekzsync.flows.orders.delivery import Listing
from brekzsync.flows.orders.export import ExportOptions, OrderExport
from brekzsync.flows.orders.kinds import OrderSource
from brekzsync.flows.orders.parts import Delivery, ExportParts
from brekzsync.flows.orders.ports import Claim, Erp, Key, OrderVersion
from brekzsync.flows.orders.run import OrderFlow
from brekzsync.flows.orders.settlement import ReadBack

_READ_BACK_PAUSE: Final = 30.0  # seconds, in a process that is asked for pages all the time
_WATCH_PAUSE: Final = 300.0  # seconds; it maps everything that went out in a month
_logger = logging.getLogger("brekzsync.orders")


class Index(NamedTuple):
    """A page of what is due; ``stopped_at`` is where the next page goes on, None when there is none."""

    generated: datetime
    versions: Sequence[OrderVersion]
    stopped_at: Key | None


class Document(NamedTuple):
    """One order as it is handed out; ``fingerprint`` and ``force`` tell its version."""

    content: bytes
    fingerprint: bytes
    force: int


class Withheld(NamedTuple):
    """Why an order that exists is not handed out."""

    reason: str
    message: str


class Now:
    """Says once in a while that it is time."""

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._again_at = 0.0
        self._lock = Lock()

    def is_due(self) -> bool:
        """Whether it is; then not again for the pause."""
        with self._lock:
            if monotonic() < self._again_at:
                return False
            self._again_at = monotonic() + self._pause
            return True


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFeed:
    """Everything the feed of one kind and target needs; ``bootstrap/served_orders.py`` puts it together.

    Threads may share it. ``document_of`` makes the document of several orders, each with its debtor's account.
    """

    flow: OrderFlow
    switch: Callable[[], FlowSwitch | None]
    document_of: Callable[[Sequence[SalesOrder]], bytes]
    reading_back: Now = field(default_factory=lambda: Now(_READ_BACK_PAUSE))
    watching: Now = field(default_factory=lambda: Now(_WATCH_PAUSE))

    def index(self, *, after: Key, limit: int, preview: bool) -> Index:
        """What is due after a key, at most ``limit`` of it; what is claimed or in the ERP is left out."""
        listing, now = Listing(), self.flow.clock()
        with self._recorded("", preview) as opened:
            erp = self.flow.ask_erp()
            read_back = self._read_back(erp, opened)
            stopped_at = self._walk(
                opened, erp, listing, ExportOptions(after=after, page=limit, read_back=read_back)
            )
        return Index(now, listing.versions, stopped_at)

    def bulk(self, *, limit: int, claimed_by: str | None, preview: bool) -> bytes | None:
        """One document of what is due, at most ``limit`` orders, claimed; None when nothing is.

        A reader who names itself and has claims without a result gets those again, and no others.
        """
        with self._recorded(".xml", preview) as opened:
            erp = self.flow.ask_erp()
            read_back = self._read_back(erp, opened)
            if opened is not None and claimed_by is not None:
                held = self._held_by(claimed_by, limit)
                again = self._again(held, claimed_by, erp) if held else []
                if again:
                    return self.document_of([_order(claim) for claim in again])
            listing, claiming = Listing(), self._claiming(claimed_by, opened)
            delivery = listing if opened is None else claiming
            try:
                self._walk(opened, erp, delivery, ExportOptions(page=limit, read_back=read_back))
            except BrekzsyncError as error:
                if not claiming.granted:
                    raise
                # What is claimed must be shown: nobody else is ever given it.
                _logger.warning("%ss.xml is cut short: %s", self.flow.kind.noun, error.message)
        orders = [one.order for one in listing.versions] or [_order(one) for one in claiming.in_order()]
        return self.document_of(orders) if orders else None

    def one(self, id_: int, *, claimed_by: str | None, preview: bool) -> Document | Withheld | None:
        """An order's document, claimed; None for an id the shop does not have.

        A preview says what it would say now, also of what went out already.
        """
        flow = self.flow
        erp = flow.ask_erp()
        if not preview and (out := self._out(id_, claimed_by, erp)) is not None:
            return out
        listing, claiming = Listing(), self._claiming(claimed_by, None)
        opened = OpenRun(0, "")
        with flow.open_shop() as shop:
            if not preview:
                self._refuse_unknown_past(shop, erp)
            delivery = listing if preview else claiming
            parts = flow.parts(shop, erp, delivery, opened, is_dry=preview)
            export = OrderExport(_as_if_new(parts) if preview else parts, ExportOptions(ids=frozenset({id_})))
            export.run()
            for version in listing.versions:
                return Document(flow.document_of(version.order), version.fingerprint, version.force)
            for own in claiming.in_order():
                return self._document(own)
            return self._why_not(shop, id_, export)

    def _out(self, id_: int, claimed_by: str | None, erp: Erp) -> Document | Withheld | None:
        """Of what went out already, without looking into the shop; None for what did not."""
        flow, key = self.flow, (id_, 0)
        claim = flow.claims.of([key]).get(key)
        if claim is not None and claimed_by is not None and claim.claimed_by == claimed_by:
            for own in self._again([claim], claimed_by, erp):
                return self._document(own)
        row = next(iter(flow.ledger.rows_for([key])), None)
        if row is not None and row.fingerprint is not None:
            return self._exported(id_)
        if claim is None:
            return None
        if row is not None and row.status == "failed":
            return Withheld(row.reason or "failed", row.message or "Nobody knows what became of it.")
        return self._in_flight(id_)

    # --- parts ------------------------------------------------------------------------------------------------

    @contextmanager
    def _recorded(self, what: str, preview: bool) -> Iterator[OpenRun | None]:
        """A look at everything is a run, on record as those of the command are; it needs no lock."""
        flow = self.flow
        if preview:
            yield None
            return
        command = f"serve: GET /exact/{flow.kind.noun}s{what}"
        with recorded(
            flow.runs, flow=flow.kind.flow, target=flow.target, command=command, clock=flow.clock
        ) as opened:
            yield opened

    def _read_back(self, erp: Erp, opened: OpenRun | None) -> ReadBack:
        if opened is None or not self.reading_back.is_due():
            return ReadBack.nothing()
        came_to = self.flow.settlement.read_back(erp, run_id=opened.id)
        if erp.is_configured and erp.trouble:
            _logger.warning("Exact cannot be asked which %ss it has: %s", self.flow.kind.noun, erp.trouble)
        return came_to

    def _walk(
        self, opened: OpenRun | None, erp: Erp, delivery: Delivery, options: ExportOptions
    ) -> Key | None:
        flow = self.flow
        with flow.open_shop() as shop:
            self._refuse_unknown_past(shop, erp)
            is_dry = opened is None
            parts = flow.parts(shop, erp, delivery, opened or OpenRun(0, ""), is_dry=is_dry)
            export = OrderExport(parts, options)
            try:
                export.run()
                if not is_dry:
                    is_first = options.after == BEFORE_ALL
                    changed_too = is_first and self.watching.is_due()
                    flow.watch(shop, parts, export, is_dry=False, changed_too=changed_too)
            finally:
                if opened is not None:
                    opened.counts, opened.reasons = export.tally.counts(), export.tally.all_reasons()
                    opened.failures = export.tally.signature
        return export.stopped_at

    def _refuse_unknown_past(self, shop: OrderSource, erp: Erp) -> None:
        flow = self.flow
        if not flow.has_no_past():
            return
        refuse_unknown_past(
            ledger_is_empty=True,
            due=flow.count_due(shop),
            limit=flow.first_run_limit,
            confirmed=False,
            flow=flow.kind.command,
            hint=f"Run `brekzsync {flow.kind.command} --baseline` (take what is there as known), or raise"
            " [orders] first_run_limit to have all of it delivered.",
        )
        flow.refuse_blind_start(erp, confirmed=False)

    def _claiming(self, claimed_by: str | None, opened: OpenRun | None) -> _Claiming:
        return _Claiming(self.flow, claimed_by, None if opened is None else opened.id)

    def _held_by(self, claimed_by: str, limit: int) -> list[Claim]:
        return list(islice((one for one in self.flow.claims.open() if one.claimed_by == claimed_by), limit))

    def _again(self, held: Sequence[Claim], claimed_by: str, erp: Erp) -> list[Claim]:
        """A reader's claims once more, with a lease that begins now; not those the ERP turns out to have."""
        there = self.flow.settlement.settle_those_there(held, erp)
        claiming = self._claiming(claimed_by, None)
        left = [claim for claim in held if claim.key not in there]
        claiming.claim([_serving(claim) for claim in left])
        return claiming.in_order()

    def _document(self, claim: Claim) -> Document:
        return Document(self.flow.document_of(_order(claim)), claim.fingerprint, claim.force)

    def _why_not(self, shop: OrderSource, id_: int, export: OrderExport) -> Withheld | None:
        """What kept a record from going out; None for one there is not."""
        kind, tally = self.flow.kind, export.tally
        name = f"{kind.noun.capitalize()} {id_}"
        if tally.failures:
            return Withheld(tally.failures[0].reason, tally.failures[0].message)
        row = next(iter(self.flow.ledger.rows_for([(id_, 0)])), None)
        if tally.unchanged or (row is not None and row.fingerprint is not None):
            return Withheld(
                "already_exported", f"Exact has {kind.noun} {id_}; it is never sent a second time."
            )
        if "waiting_to_retry" in tally.reasons:
            return Withheld("waiting_to_retry", f"{name} waits before it is tried again.{_words(row)}")
        if "order_not_in_erp" in tally.reasons:
            return Withheld("order_not_in_erp", f"{name} waits for its order, which Exact does not have yet.")
        if "in_flight" in tally.reasons:
            return self._in_flight(id_)
        if next(kind.read(shop, [id_]), None) is None:
            return None
        why = None if kind.is_refund else shop.why_not_due(id_)
        return Withheld("not_due", why or f"{name} is of a shop that [orders] shops leaves out.")

    def _exported(self, id_: int) -> Withheld:
        noun = self.flow.kind.noun
        return Withheld("already_exported", f"Exact has {noun} {id_}; it is never sent a second time.")

    def _in_flight(self, id_: int) -> Withheld:
        name = f"{self.flow.kind.noun.capitalize()} {id_}"
        return Withheld("in_flight", f"{name} is on its way to Exact: another reader has its document.")


class _Claiming:
    """A delivery to one reader: what it is granted is on its way."""

    def __init__(self, flow: OrderFlow, claimed_by: str | None, run_id: int | None) -> None:
        self._flow = flow
        self._claimed_by = claimed_by
        self._run_id = run_id
        self.granted: dict[Key, Claim] = {}

    def deliver(self, versions: Sequence[OrderVersion]) -> Collection[Key]:
        return self.claim([one.serving for one in versions])

    def claim(self, batch: Sequence[Serving]) -> Collection[Key]:
        now = self._flow.clock()
        granted = self._flow.claims.claim(
            batch,
            claimed_by=self._claimed_by,
            run_id=self._run_id,
            at=now,
            lease_until=now + self._flow.settlement.timeout,
        )
        self.granted |= granted
        return granted.keys()

    def in_order(self) -> list[Claim]:
        """What was granted, in key order."""
        return [self.granted[key] for key in sorted(self.granted)]


class _Nothing:
    """A state that knows nothing, and an ERP asked for items only: for what a record would say now."""

    is_configured, trouble = False, ""

    def __init__(self, erp: Erp) -> None:
        self._erp = erp

    def rows_for(self, _keys: Any) -> Sequence[LedgerEntry]:
        return ()

    def of(self, _keys: Any) -> Mapping[Key, Claim]:
        return {}

    def orders(self, _references: Collection[str]) -> Mapping[str, Sequence[ErpOrder]] | None:
        return None

    def lacking(self, codes: Collection[str]) -> set[str] | None:
        return self._erp.lacking(codes)


def _as_if_new(parts: ExportParts) -> ExportParts:
    nothing: Any = _Nothing(parts.erp)
    return replace(parts, ledger=nothing, claims=nothing, erp=nothing)


def _order(claim: Claim) -> SalesOrder:
    return StoredOrder.from_stored(claim.document or "{}").order


def _serving(claim: Claim) -> Serving:
    return Serving(
        *claim.key, claim.fingerprint, claim.force, claim.source_digest, claim.code, claim.document
    )


def _words(row: LedgerEntry | None) -> str:
    return f" {row.message}" if row is not None and row.message else ""
