"""Telling the marketplace: claimed first, sent once, and what cannot be told apart is looked up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from brekzsync.domain.marketplace import (
    Doubt,
    Ignored,
    Refused,
    StatusTask,
    Submission,
    TaskAccepted,
    TaskClaim,
    TaskStatus,
    Unclear,
)
from brekzsync.domain.order_status import Operation, StatusReason, plain
from brekzsync.errors import BrekzsyncError, ConfigurationError, Interrupted, Unavailable
from brekzsync.flows.order_status.accounts import Accounts, Way
from brekzsync.flows.order_status.book import Book
from brekzsync.flows.order_status.lookup import Found, Lookup
from brekzsync.flows.order_status.prepare import Preparing, Ready

PAGE: Final = 1000
AT_ONCE: Final = 100
"""Orders of one request, at most (facts/shoppingfeed.md section 1.5)."""
GRACE: Final = 120_000
"""How long (milliseconds) the marketplace may still be at a request whose answer was lost."""
_ROUNDS: Final = 3
_PAUSE: Final = 1.0  # seconds before a request that ended in an error is looked up, growing
Group = tuple[Way, Operation]


@dataclass(slots=True)
class Sending:
    """Sends what is due; ``requests`` counts the requests that carried orders."""

    accounts: Accounts
    preparing: Preparing
    lookup: Lookup
    book: Book
    advance: Callable[[int], None] = lambda _: None
    sleep: Callable[[float], None] = time.sleep
    requests: int = 0
    _kept: dict[Group, list[Ready]] = field(default_factory=dict)
    _open: dict[int, Ready] = field(default_factory=dict)
    _good_ways: set[Way] = field(default_factory=set)

    def due(self, ids: Sequence[int]) -> None:
        """Everything that is due in the state, or of these orders; page by page, flat in memory."""
        for page in self._pages(ids):
            self.take(page)
        self.end()

    def take(self, tasks: Sequence[StatusTask]) -> None:
        """A page of due tasks. What does not fill a request waits for those of its kind on the next page, no longer."""
        before = set(self._kept)
        for one in self.preparing.ready(tasks) if tasks else ():
            self._kept.setdefault(one.group, []).append(one)
        for group in list(self._kept):
            ready = self._kept.pop(group)
            whole = (
                len(ready) if group in before and len(ready) < AT_ONCE else len(ready) // AT_ONCE * AT_ONCE
            )
            for first in range(0, whole, AT_ONCE):
                self._send(group, ready[first : min(first + AT_ONCE, whole)])
            if ready[whole:]:
                self._kept[group] = ready[whole:]
        self.advance(len(tasks))

    def end(self) -> None:
        """What is left of every kind."""
        while self._kept:
            self._send(*self._kept.popitem())

    def settle(self) -> None:
        """Find out what became of what was sent and never answered, by this run or by one that was killed."""
        after = 0
        before = self.book.now() - GRACE
        while page := self.book.tasks.unclear(sent_before=before, after=after, limit=PAGE):
            for task in page:
                self._settle(task)
            after = page[-1].id_order

    def _pages(self, ids: Sequence[int]) -> Iterator[Sequence[StatusTask]]:
        if ids:
            now = self.book.now()
            some = self.book.tasks.some(ids).values()
            yield [task for task in some if task.status is TaskStatus.WAITING and task.not_before <= now]
            return
        after = 0
        while page := self.book.tasks.due(self.book.now(), after=after, limit=PAGE):
            yield page
            after = page[-1].id_order

    # --- one request ------------------------------------------------------------------------------------------

    def _send(self, group: Group, ready: Sequence[Ready]) -> None:
        """Claim them, so that nobody who comes after a kill repeats them blindly, and send them.

        What the marketplace certainly did not get when something stops the run is let go.
        """
        way, operation = group
        if self.book.is_dry:
            self.book.accept([TaskAccepted(one.task.id_order, None, None) for one in ready], operation)
            return
        claimed = self._claim(way, ready)
        self._open = {one.task.id_order: one for one in claimed}
        try:
            self._submit(way, operation, claimed)
        except Interrupted:  # it may have come after the request had left
            raise
        except BrekzsyncError:
            self.book.tasks.release(list(self._open), at=self.book.now())
            raise

    def _claim(self, way: Way, ready: Sequence[Ready]) -> list[Ready]:
        self.book.opened.verify_lock()
        now = self.book.now()
        claims = [
            TaskClaim(one.task.id_order, one.task.operation, *way, tracking=one.notice.tracking.number)
            for one in ready
        ]
        if self.book.tasks.claim(claims, at=now) < len(ready):
            # Somebody else is at some of them, which no lock should let happen. Whose is whose cannot be told for
            # certain: all are left as they are, and looked up before anybody sends them.
            self._leave(ready, "another run is at it as well")
            return []
        return [one._replace(task=_claimed(one.task, way, now)) for one in ready]

    def _submit(self, way: Way, operation: Operation, ready: Sequence[Ready], turn: int = 1) -> None:
        if not ready:
            return
        client = self.accounts.client(way)
        self.requests += 1
        try:
            submission = client.submit(way.store_id, operation, [one.notice for one in ready])
        except Refused as refused:
            self._divide(way, operation, ready, refused)
        except Unclear as unclear:
            self._look_up(way, operation, ready, unclear, turn)
        else:
            self._decided(ready)  # whatever happens from here on: the marketplace has had them
            self._good_ways.add(way)
            self._accepted(operation, ready, submission)

    def _divide(self, way: Way, operation: Operation, ready: Sequence[Ready], refused: Refused) -> None:
        """One that is refused must not keep the others back: find it by halves."""
        if refused.status == 404 and way not in self._good_ways:
            self._check_store(way)
        if len(ready) == 1:
            self._fail(
                [(ready[0], StatusReason.REFUSED, f"The marketplace refused {operation}: {refused.words}")]
            )
            return
        middle = len(ready) // 2
        self._submit(way, operation, ready[:middle])
        self._submit(way, operation, ready[middle:])

    def _check_store(self, way: Way) -> None:
        """Nothing is found in the store of somebody else, and no order is to blame for it."""
        stores = self.accounts.client(way).stores()
        if way.store_id not in stores:
            known = ", ".join(f"{number} ({name})" for number, name in stores.items()) or "none"
            raise ConfigurationError(
                f"The marketplace's token is not for store {way.store_id}.",
                hint=f"Its stores are {known}: correct [marketplace] store_id, or the shoppingfeed module's.",
                code="unknown_store",
            )
        self._good_ways.add(way)

    def _accepted(self, operation: Operation, ready: Sequence[Ready], submission: Submission) -> None:
        """Those the answer names were passed over; the batch is that of all others."""
        words = {one.task.id_order: _why_ignored(one, submission.ignored) for one in ready}
        taken = [one for one in ready if words[one.task.id_order] is None]
        if submission.batch_id is not None:
            accepted = [TaskAccepted(one.task.id_order, submission.batch_id, None) for one in taken]
            self.book.accept(accepted, operation)
        elif taken:
            self._leave(taken, "the marketplace answered without a batch")
        self._fail(
            [
                (
                    one,
                    StatusReason.IGNORED,
                    f"The marketplace ignored {operation}: {words[one.task.id_order]}",
                )
                for one in ready
                if words[one.task.id_order] is not None
            ]
        )

    def _look_up(
        self, way: Way, operation: Operation, ready: Sequence[Ready], unclear: Unclear, turn: int
    ) -> None:
        """After an error it is asked at once; after silence it may still be at it, and a later run asks."""
        self._leave(ready, unclear.words)
        if unclear.doubt is Doubt.LOST:
            raise Unavailable(
                f"The marketplace did not answer to {operation} of {len(ready)} orders: {unclear.words}",
                hint="They are looked up before anything is repeated; the next runs do so by themselves.",
                code="marketplace_unclear",
            )
        self.sleep(_PAUSE * turn)
        absent = [one for one in ready if not self._is_found(one.task)]
        if absent and turn == _ROUNDS:
            self.book.tasks.release([one.task.id_order for one in absent], at=self.book.now())
            raise Unavailable(
                f"The marketplace ended {operation} of {len(absent)} orders with an error {turn} times:"
                f" {unclear.words}",
                hint="Nothing of it was done; the next run tries again.",
            )
        self.book.waiting[StatusReason.UNCLEAR] -= len(ready)
        self._open.update({one.task.id_order: one for one in absent})
        self._submit(way, operation, absent, turn + 1)

    # --- what becomes of them -----------------------------------------------------------------------------------

    def _fail(self, failed: Sequence[tuple[Ready, str, str]]) -> None:
        if failed:
            rows = self.book.rows(one.task for one, _, _ in failed)
            self.book.fail([(one.task, reason, message) for one, reason, message in failed], rows)
            self._decided([one for one, _, _ in failed])

    def _leave(self, ready: Sequence[Ready], words: str) -> None:
        """Claimed they stay: nobody knows whether the marketplace has them."""
        for one in ready:
            self.book.wait(StatusReason.UNCLEAR, one.task.id_order, f"not known whether it arrived: {words}")
        self._decided(ready)

    def _decided(self, ready: Sequence[Ready]) -> None:
        for one in ready:
            self._open.pop(one.task.id_order, None)

    def _is_found(self, task: StatusTask) -> bool:
        """Whether the marketplace has it; then that is written down."""
        client = self.accounts.client(Way(task.id_account or 0, task.store_id or 0))
        answer = self.lookup.find(client, task.store_id or 0, task)
        if answer.found is Found.ACCEPTED and answer.accepted is not None:
            self.book.accept([answer.accepted], task.operation)
        elif answer.found is Found.DONE:
            self.book.tally.delivered += 1
            self.book.finish([task])
        return answer.found is not Found.ABSENT

    def _settle(self, task: StatusTask) -> None:
        """Of one that somebody claimed before: what is not there is free to be sent again."""
        way = Way(task.id_account or 0, task.store_id or 0)
        try:
            client = self.accounts.client(way)
        except ConfigurationError as error:  # of one account; the others' orders do not wait for it
            self.book.warnings.append(f"{error.message} {error.hint}")
            return
        answer = self.lookup.find(client, way.store_id, task)
        now = self.book.now()
        if answer.found is Found.ACCEPTED and answer.accepted is not None:
            self.book.tasks.accept([answer.accepted], at=now)
        elif answer.found is Found.DONE:
            self.book.finish([task])
        elif answer.found is Found.ABSENT:
            self.book.tasks.release([task.id_order], at=now)


def _claimed(task: StatusTask, way: Way, now: int) -> StatusTask:
    return task._replace(
        status=TaskStatus.SENDING, id_account=way.id_account, store_id=way.store_id, sent_at=now
    )


def _why_ignored(one: Ready, ignored: Sequence[Ignored]) -> str | None:
    """The words on this order, where the answer names it; None where it does not."""
    identity = one.notice.identity
    for entry in ignored:
        by_id = entry.feed_id is not None and entry.feed_id == identity.feed_id
        by_name = (
            entry.feed_id is None
            and (entry.reference or "") == identity.reference
            and plain(entry.channel or "") == plain(identity.channel)
        )
        if by_id or by_name:
            return entry.message or "it gave no reason."
    return None
