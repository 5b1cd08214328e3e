"""One whole ``shipments import``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from brekzsync.domain.outcomes import Tally
from brekzsync.domain.shipments import ErpShipment, ShipmentReason, ShipmentRules
from brekzsync.domain.sync_flows import PARTIAL_RUN
from brekzsync.domain.texts import normalise_code
from brekzsync.errors import InvalidInput
from brekzsync.flows.frame import Locks, OpenRun, Runs, refuse_unknown_past, run
from brekzsync.flows.ports import Clock
from brekzsync.flows.shipments.differing import Differing
from brekzsync.flows.shipments.importing import FLOW, LOOKED_UP, ShipmentImport
from brekzsync.flows.shipments.ports import ErpDeliveries, OrderWriter, ShipmentLedger, ShopOrders
from brekzsync.flows.shipments.writing import OrderShipping

COMMAND = "shipments import"
Progress = Callable[[int | None], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentRequest:
    """What a person or cron asked for; ``ids`` are ``id_order``."""

    ids: tuple[int, ...] = ()
    limit: int | None = None
    baseline: bool = False
    force: bool = False
    dry_run: bool = False


class ShipmentOutcome(NamedTuple):
    """What came of it. ``baselined`` counts shipments taken as known, ``passed_over`` says of some orders why they
    were left."""

    run: OpenRun
    tally: Tally
    baselined: int = 0
    passed_over: tuple[str, ...] = ()


def nothing_done() -> ShipmentOutcome:
    """The outcome of a run that did not take place."""
    return ShipmentOutcome(OpenRun(0, ""), Tally())


@dataclass(frozen=True, slots=True, kw_only=True)
class ShipmentFlow:
    """Everything a run of one target needs; ``bootstrap/shipments.py`` puts it together.

    ``connect_writer`` is called by runs that write only, and may raise what is wrong with the webservice.
    """

    target: str
    clock: Clock
    locks: Locks
    runs: Runs[Any]
    ledger: ShipmentLedger
    erp: ErpDeliveries
    shop: ShopOrders
    rules: ShipmentRules
    connect_writer: Callable[[], OrderWriter]
    send_email: bool
    first_run_limit: int

    def execute(self, request: ShipmentRequest, progress: Progress) -> ShipmentOutcome:
        """Do it. Raises what the shop, the ERP or the state raise; what is in the shop then is acknowledged."""
        if request.dry_run:
            preview = OpenRun(0, f"{self.clock():%Y%m%dT%H%M%SZ}-preview")
            return self._run(preview, request, progress)
        command = COMMAND + (" --baseline" if request.baseline else "") + (PARTIAL_RUN if request.ids else "")
        with run(
            self.locks, self.runs, flow=FLOW, target=self.target, command=command, clock=self.clock
        ) as opened:
            return self._run(opened, request, progress)

    def _run(self, opened: OpenRun, request: ShipmentRequest, progress: Progress) -> ShipmentOutcome:
        wanted = self._wanted(request)
        tally = Tally()
        with closing(
            Differing(ledger=self.ledger, clock=self.clock, tally=tally, is_dry=request.dry_run)
        ) as differing:
            walk = self._walk(opened, request, tally)
            try:
                differing.compare(self._found(wanted, walk) if request.ids else self.erp.deliveries())
                if not request.baseline:
                    self._refuse_unknown_past(walk, differing, request)
                with progress(None) as advance:
                    walk.run(differing.waiting(LOOKED_UP), advance)
                if not request.ids:
                    walk.end_trouble()
            finally:
                opened.counts, opened.reasons = tally.counts(), tally.all_reasons()
                opened.failures = tally.signature
        return ShipmentOutcome(opened, tally, walk.baselined, tuple(walk.passed_over))

    def _walk(self, opened: OpenRun, request: ShipmentRequest, tally: Tally) -> ShipmentImport:
        is_writing = not (request.dry_run or request.baseline)
        shipping = OrderShipping(
            rules=self.rules,
            writer=self.connect_writer() if is_writing else None,
            send_email=self.send_email,
            before_writing=opened.verify_lock,
        )
        return ShipmentImport(
            ledger=self.ledger,
            shop=self.shop,
            rules=self.rules,
            shipping=None if request.baseline else shipping,
            opened=opened,
            clock=self.clock,
            is_dry=request.dry_run,
            tally=tally,
            limit=request.limit,
        )

    def _refuse_unknown_past(
        self, walk: ShipmentImport, differing: Differing, request: ShipmentRequest
    ) -> None:
        is_empty = self.ledger.is_empty() and not self.runs.had_baseline(FLOW, self.target)
        most = self.first_run_limit
        is_unsure = is_empty and not request.force
        refuse_unknown_past(
            ledger_is_empty=is_empty,
            due=walk.count_due(differing.waiting(LOOKED_UP), most) if is_unsure else 0,
            limit=most,
            confirmed=request.force,
            flow=COMMAND,
        )

    def _wanted(self, request: ShipmentRequest) -> dict[str, int]:
        """The references of the orders asked for. Raises InvalidInput (``unknown_id``) for those the shop lacks."""
        if not request.ids:
            return {}
        with self.shop.open() as shop:
            orders = shop.orders(request.ids)
        unknown = [str(one) for one in request.ids if one not in orders]
        if unknown:
            raise InvalidInput(
                f"The shop has no order {', '.join(unknown)}; nothing was imported.",
                hint="Give ids of orders as the shop's back office shows them.",
                code="unknown_id",
            )
        return {order.your_ref: id_order for id_order, order in orders.items()}

    def _found(self, wanted: dict[str, int], walk: ShipmentImport) -> Iterable[ErpShipment]:
        """What the ERP has of the orders asked for; of the others it is said that it has nothing."""
        left = dict(wanted)
        for erp in self.erp.of(list(wanted)):
            left.pop(normalise_code(erp.reference), None)
            yield erp
        for your_ref, id_order in left.items():
            walk.tally.read += 1
            walk.tally.skipped += 1
            walk.tally.reasons[ShipmentReason.NOT_DELIVERED] += 1
            walk.passed_over.append(f"Order {id_order} ({your_ref}) has no delivery in the ERP.")
