"""Every source tells what its records are about in a thread of its own: a slow one keeps no other waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import Final, NamedTuple

from brekzsync.domain.call_budget import Later
from brekzsync.domain.inbox_records import Meaning
from brekzsync.errors import BrekzsyncError
from brekzsync.flows.inbox.ports import Inbox, Meanings, Waiting

PAGE: Final = 500  # records that are worked on together
_READ: Final = 4 * PAGE
_LOOK: Final = 0.5  # seconds without a word before the run is let look at what it has
_PATIENCE: Final = 2.0  # seconds for a thread that is in the middle of a question when the run breaks off


class Told(NamedTuple):
    """What a record is about, or why that cannot be told now."""

    waiting: Waiting
    meaning: Meaning | Later | BrekzsyncError


class Allowance:
    """How many records a run may take on, all sources together; None: as many as there are."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit
        self._lock = Lock()

    def page(self, read: Callable[[int], Sequence[Waiting]]) -> Sequence[Waiting]:
        """What ``read`` gives for as many as may still be taken on; with a limit one source reads at a time."""
        if self._left is None:
            return read(_READ)
        with self._lock:
            size = min(_READ, self._left)
            found = read(size) if size else ()
            self._left -= len(found)
            return found


class _Failed(NamedTuple):
    error: BaseException


_Message = Told | _Failed | None  # None: a source has come to its end


class _Source:
    """One source's thread."""

    def __init__(
        self,
        name: str,
        inbox: Inbox,
        meanings: Meanings,
        now: datetime,
        allowance: Allowance,
        told: Queue[_Message],
        stop: Event,
    ) -> None:
        self._name = name
        self._inbox = inbox
        self._meanings = meanings
        self._now = now
        self._allowance = allowance
        self._told = told
        self._stop = stop
        self.thread = Thread(target=self._run, name=f"inbox-{name}", daemon=True)

    def _run(self) -> None:
        try:
            self._tell_all()
        except BaseException as error:  # whatever it is, the run must know
            self._put(_Failed(error))
        self._put(None)

    def _tell_all(self) -> None:
        after: str | None = None
        while not self._stop.is_set() and (page := self._allowance.page(partial(self._read, after))):
            for waiting in page:
                if not self._put(Told(waiting, self._meaning(waiting))):
                    return
            after = page[-1].record

    def _read(self, after: str | None, size: int) -> Sequence[Waiting]:
        return self._inbox.waiting(self._now, size, source=self._name, after=after)

    def _meaning(self, waiting: Waiting) -> Meaning | Later | BrekzsyncError:
        try:
            return self._meanings.of(waiting)
        except (Later, BrekzsyncError) as reason:
            return reason

    def _put(self, message: _Message) -> bool:
        while not self._stop.is_set():
            try:
                self._told.put(message, timeout=0.1)
                return True
            except Full:
                continue
        return False


@contextmanager
def asked(
    inbox: Inbox,
    sources: Sequence[str],
    meanings: Callable[[str], Meanings],
    now: datetime,
    limit: int | None,
) -> Iterator[Iterator[Told | None]]:
    """What the records that are due at ``now`` are about, as it is told; None now and then while nothing is.

    Raises in the caller what went wrong in a thread, beyond a record. The threads end with the block.
    """
    told: Queue[_Message] = Queue(2 * PAGE)
    stop, allowance = Event(), Allowance(limit)
    threads = [_Source(name, inbox, meanings(name), now, allowance, told, stop).thread for name in sources]
    for thread in threads:
        thread.start()
    try:
        yield _until_all_ended(told, len(threads))
    finally:
        stop.set()
        for thread in threads:
            thread.join(_PATIENCE)


def _until_all_ended(told: Queue[_Message], count: int) -> Iterator[Told | None]:
    while count:
        try:
            message = told.get(timeout=_LOOK)
        except Empty:
            yield None
            continue
        if message is None:
            count -= 1
        elif isinstance(message, _Failed):
            raise message.error
        else:
            yield message
