"""One whole ``orders push-status`` or ``tickets check``."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from brekzsync.domain.marketplace import Account
from brekzsync.domain.outcomes import Tally
from brekzsync.domain.sync_flows import PARTIAL_RUN
from brekzsync.errors import ConfigurationError
from brekzsync.flows.frame import Locks, OpenRun, Runs, refuse_unknown_past, run
from brekzsync.flows.order_status.accounts import Accounts
from brekzsync.flows.order_status.book import FLOW, Book
from brekzsync.flows.order_status.detect import Detection
from brekzsync.flows.order_status.lookup import Lookup
from brekzsync.flows.order_status.ports import (
    Marketplace,
    MarketplaceShop,
    Notifier,
    StatusLedger,
    StatusTasks,
)
from brekzsync.flows.order_status.prepare import Preparing
from brekzsync.flows.order_status.refusals import refuse_conflicts, refuse_unmapped
from brekzsync.flows.order_status.rules import PushRules
from brekzsync.flows.order_status.send import Sending
from brekzsync.flows.order_status.telling import tell
from brekzsync.flows.order_status.tickets import TicketCheck
from brekzsync.flows.ports import Clock

TARGET: Final = "shoppingfeed"
PUSH: Final = "orders push-status"
CHECK: Final = "tickets check"
Progress = Callable[[int | None], AbstractContextManager[Callable[[int], None]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PushRequest:
    """What a person or cron asked for; ``orders`` are ``id_order``, none means all."""

    orders: tuple[int, ...] = ()
    baseline: bool = False
    force: bool = False
    dry_run: bool = False


class StatusOutcome(NamedTuple):
    """What came of it: ``sent`` counts operations, ``waiting`` why orders wait, ``requests`` what carried orders;
    ``passed_over`` says of some orders why they were not told. ``is_mailed``: people were told of what failed."""

    run: OpenRun
    tally: Tally
    passed_over: tuple[str, ...] = ()
    baselined: int = 0
    waiting: Mapping[str, int] = {}
    sent: Mapping[str, int] = {}
    requests: int = 0
    warnings: tuple[str, ...] = ()
    is_mailed: bool = False


def nothing_done() -> StatusOutcome:
    """The outcome of a run that did not take place."""
    return StatusOutcome(OpenRun(0, ""), Tally())


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusFlow:
    """Everything both runs need; ``bootstrap/order_status.py`` puts it together.

    ``connect`` gives the client of a token; ``is_always_dry``: the configuration lets nothing be sent.
    """

    clock: Clock
    locks: Locks
    runs: Runs[Any]
    ledger: StatusLedger
    tasks: StatusTasks
    shop: MarketplaceShop
    connect: Callable[[str], Marketplace]
    rules: PushRules
    notifier: Notifier | None
    is_always_dry: bool
    pause: Callable[[float], None] = time.sleep

    def push(self, request: PushRequest, progress: Progress) -> StatusOutcome:
        """Tell the marketplace what it does not know yet. Raises what the shop, the marketplace or the state raise;
        what it accepted then is on record."""
        command = PUSH + (" --baseline" if request.baseline else "") + (PARTIAL_RUN if request.orders else "")
        with self._book(command, is_dry=request.dry_run) as book, self._accounts() as accounts:
            return self._push(request, book, accounts, progress)

    def check_tickets(self, dry_run: bool, progress: Progress) -> StatusOutcome:
        """Learn what became of what the marketplace took."""
        with self._book(CHECK, is_dry=dry_run) as book:
            with self._accounts() as accounts, progress(None) as advance:
                TicketCheck(accounts, Lookup(), book).run(advance)
            return self._outcome(book)

    # --- parts ------------------------------------------------------------------------------------------------

    def _push(
        self, request: PushRequest, book: Book, accounts: Accounts, progress: Progress
    ) -> StatusOutcome:
        lookup = Lookup()
        preparing = Preparing(self.shop, accounts, lookup, book)
        sending = Sending(accounts, preparing, lookup, book, sleep=self.pause)
        if not (book.is_dry or request.baseline):
            sending.settle()
        with progress(None) as advance:
            if request.baseline:
                return self._outcome(book, baselined=self._baseline(request, book, advance))
            self._detect(request, book, sending, advance)
        if not book.is_dry:
            with progress(None) as advance:
                sending.advance = advance
                sending.due(request.orders)
        sending.end()
        return self._outcome(book, requests=sending.requests)

    def _detect(
        self, request: PushRequest, book: Book, sending: Sending, advance: Callable[[int], None]
    ) -> None:
        with self.shop.open() as shop:
            detection = Detection(shop, book, sending.take if book.is_dry else _left_in_the_state)
            self._refuse_unknown_past(detection, request)
            detection.run(request.orders, advance)

    def _baseline(self, request: PushRequest, book: Book, advance: Callable[[int], None]) -> int:
        with self.shop.open() as shop:
            return Detection(shop, book, _left_in_the_state).baseline(request.orders, advance)

    def _refuse_unknown_past(self, detection: Detection, request: PushRequest) -> None:
        """Tasks are a past, too: the marketplace may have taken some, and its tickets are not decided yet."""
        is_empty = self.ledger.is_empty() and next(iter(self.tasks.rows()), None) is None
        is_empty = is_empty and not self.runs.had_baseline(FLOW, TARGET)
        most = self.rules.first_run_limit
        is_unsure = is_empty and not request.force
        refuse_unknown_past(
            ledger_is_empty=is_empty,
            due=detection.count_unseen(request.orders, most) if is_unsure else 0,
            limit=most,
            confirmed=request.force,
            flow=PUSH,
        )

    @contextmanager
    def _book(self, command: str, *, is_dry: bool) -> Iterator[Book]:
        """The books of a run that holds the lock and is on record; of a dry one neither."""
        is_dry = is_dry or self.is_always_dry
        if is_dry:
            preview = OpenRun(0, f"{self.clock():%Y%m%dT%H%M%SZ}-preview")
            yield self._new_book(preview, is_dry=True)
            return
        with run(
            self.locks, self.runs, flow=FLOW, target=TARGET, command=command, clock=self.clock
        ) as opened:
            book = self._new_book(opened, is_dry=False)
            try:
                yield book
            finally:
                book.close()

    def _new_book(self, opened: OpenRun, *, is_dry: bool) -> Book:
        return Book(
            tasks=self.tasks,
            ledger=self.ledger,
            rules=self.rules,
            opened=opened,
            clock=self.clock,
            is_dry=is_dry,
        )

    @contextmanager
    def _accounts(self) -> Iterator[Accounts]:
        """The accounts, unless another module stands in the way (raises ConfigurationError)."""
        accounts = Accounts(self._allowed_accounts(), self.connect)
        try:
            yield accounts
        finally:
            accounts.close()

    def _allowed_accounts(self) -> Sequence[Account]:
        refuse_unmapped(self.rules.states)
        with self.shop.open() as shop:
            refuse_conflicts(
                shop.syncs(),
                allow_when_absent=self.rules.allow_when_absent,
                allow_module_sync=self.rules.allow_module_sync,
            )
            accounts = shop.accounts()
        if not any(account.is_active for account in accounts):
            raise ConfigurationError(
                "The shop has no active account of the marketplace, so nobody could be told of anything.",
                hint="Activate one in the shoppingfeed module, or set [marketplace] token and store_id.",
                code="no_marketplace_account",
            )
        return accounts

    def _outcome(self, book: Book, *, baselined: int = 0, requests: int = 0) -> StatusOutcome:
        is_mailed = False if book.is_dry else tell(book, self.notifier)
        book.close()
        return StatusOutcome(
            book.opened,
            book.tally,
            tuple(book.passed_over),
            baselined,
            +book.waiting,
            +book.sent,
            requests,
            tuple(dict.fromkeys(book.warnings)),
            is_mailed,
        )


def _left_in_the_state(due: Sequence[Any]) -> None:
    """What is due stays where it is: it is sent from there."""
