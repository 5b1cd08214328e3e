"""Stores webhooks in groups: whatever came while one group went to the disk is the next.

A commit that waits for the disk takes half a millisecond and more; a group of one would be a thousand a second at
best. A request is answered when its group is on the disk, never before.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Condition, Thread

from brekzsync.errors import BrekzsyncError
from brekzsync.state.inbox import Inbox, NewDelivery
from brekzsync.web.errors import Problem

MOST_UNDER_WAY = 2_000
MOST_OF_ONE = 500
"""Of one source: it may not take the places of all others."""
_GROUP = 500
_LINGER = 0.0005  # seconds
_logger = logging.getLogger("brekzsync.web")

Waiting = tuple[NewDelivery, "asyncio.Future[bool]"]


class OpenedLater:
    """The inbox, opened when it is first needed; while that fails, tried again each time."""

    def __init__(self, open_inbox: Callable[[], Inbox]) -> None:
        self._open = open_inbox
        self._inbox: Inbox | None = None
        self._condition = Condition()

    def get(self) -> Inbox:
        """Raises what opening it raises."""
        with self._condition:
            if self._inbox is None:
                self._inbox = self._open()
            return self._inbox

    def close(self) -> None:
        with self._condition:
            if self._inbox is not None:
                self._inbox.close()
                self._inbox = None


class GroupCommit:
    """One thread that stores what all requests of this process bring. ``put`` belongs to the event loop."""

    def __init__(self, inbox: OpenedLater) -> None:
        self._inbox = inbox
        self._queue: list[Waiting] = []
        self._under_way: Counter[str] = Counter()
        self._total = 0
        self._wake = Condition()
        self._ends = False
        self._thread: Thread | None = None

    async def store(self, delivery: NewDelivery) -> bool:
        """Whether it is new; it is on the disk then. Raises Problem 503 when it is not stored, or not for certain."""
        source = delivery.source
        if self._total >= MOST_UNDER_WAY or self._under_way[source] >= MOST_OF_ONE:
            raise Problem(
                503,
                "inbox_busy",
                "Too many webhooks are being stored.",
                "Send it again.",
                {"Retry-After": "1"},
            )
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._total += 1
        self._under_way[source] += 1
        try:
            with self._wake:
                self._queue.append((delivery, future))
                if len(self._queue) == 1:
                    self._wake.notify()
            if self._thread is None:
                self._start()
            return await future
        finally:
            self._total -= 1
            self._under_way[source] -= 1

    def _start(self) -> None:
        self._thread = Thread(target=self._run, name="inbox", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._queue and not self._ends:
                    self._wake.wait()
                if not self._queue:
                    return
                if len(self._queue) < self._total:
                    # Whoever was just answered is about to send the next: one commit for all costs half of two.
                    self._wake.wait(_LINGER)
                group, self._queue = self._queue[:_GROUP], self._queue[_GROUP:]
            self._store(group)

    def _store(self, group: Sequence[Waiting]) -> None:
        loop = group[0][1].get_loop()
        try:
            stored = self._inbox.get().store([delivery for delivery, _ in group])
        except Exception as error:
            problem = _not_stored(error)
            with suppress(RuntimeError):  # the loop has ended, and with it every request
                loop.call_soon_threadsafe(_fail, group, problem)
            return
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(_answer, group, stored)

    def close(self) -> None:
        """Store what waits, and end."""
        with self._wake:
            self._ends = True
            self._wake.notify()
        if self._thread is not None:
            self._thread.join()


def _answer(group: Sequence[Waiting], stored: Sequence[bool]) -> None:
    for (_, future), is_new in zip(group, stored, strict=True):
        if not future.done():  # whose request has ended
            future.set_result(is_new)


def _fail(group: Sequence[Waiting], problem: Problem) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(problem)


def _not_stored(error: Exception) -> Problem:
    """Always 503: what failed is ours, and the sender must come again."""
    if isinstance(error, BrekzsyncError):
        _logger.error("webhooks cannot be stored: %s", error.message)
    else:
        _logger.error("webhooks cannot be stored", exc_info=error)
    return Problem(
        503,
        "inbox_unavailable",
        "Webhooks cannot be stored at the moment.",
        "Send it again later; the log of the service says what is wrong.",
        {"Retry-After": "10"},
    )
