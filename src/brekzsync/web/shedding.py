"""Refuses a source that floods, and only that one.

What comes is counted here, in each process; whether a source is refused stands in the inbox, read and written about
once a second beside the requests. A source is refused only once that is on the disk: whoever is told to come
again later is certain to be compared as a whole afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Event, Lock, Thread
from time import monotonic
from uuid import uuid4

from brekzsync.domain.shedding import Flood, FloodLimits, LastMinute
from brekzsync.errors import BrekzsyncError
from brekzsync.state.inbox import Inbox, Shed
from brekzsync.web.errors import Problem

_BEAT = 1.0  # seconds
_BELIEVED = 3.0  # seconds: older marks refuse nobody
_ALL_HAVE_HEARD = timedelta(
    seconds=5
)  # after that nobody refuses by a mark that began to close; more than _BELIEVED
_PACE_IS_OLD = timedelta(seconds=5)
_SHARE_WORTH_SAYING = 100  # below a hundredth of the limit, other processes need not know
_logger = logging.getLogger("brekzsync.web")


class Shedding:
    """The gate of one process. ``knock`` belongs to the event loop, ``beat`` to a thread of its own."""

    def __init__(
        self,
        limits: FloodLimits,
        inbox: Callable[[], Inbox],
        clock: Callable[[], datetime],
        seconds: Callable[[], float] = monotonic,
    ) -> None:
        self._limits = limits
        self._inbox = inbox
        self._clock = clock
        self._seconds = seconds
        self._worker = uuid4().hex
        self._lock = Lock()
        self._minutes: dict[str, LastMinute] = {}
        self._others: Mapping[str, int] = {}
        self._backlog: Mapping[str, int] = {}
        self._open: dict[str, Shed] = {}
        self._read_at = 0.0
        self._count_backlog_at = 0.0
        self._refused: dict[int, int] = {}
        self._wake, self._ends = Event(), Event()
        self._closing = False
        self._trouble = ""
        self._thread: Thread | None = None

    def knock(self, source: str) -> None:
        """Count one webhook whose signature is right. Raises Problem 429 while its source is refused."""
        with self._lock:
            minute = self._minutes.get(source)
            if minute is None:
                minute = self._minutes[source] = LastMinute()
            now = self._seconds()
            count = minute.add(int(now))
            mark = self._open.get(source)
            if mark is None or now - self._read_at > _BELIEVED:
                if count == 1 or count + self._others.get(source, 0) > self._limits.per_minute:
                    self._wake.set()
                return
            self._refused[mark.id] = self._refused.get(mark.id, 0) + 1
        raise Problem(
            429,
            "flood",
            "Too many webhooks came from this source; everything is compared when that is over.",
            "Wait as long as Retry-After says.",
            {"Retry-After": str(self._limits.retry_after(self._clock() - mark.opened_at))},
        )

    # --- about once a second ------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look."""
        self._thread = Thread(target=self._run, name="shedding", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Write down what was counted, and end."""
        self._ends.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._ends.is_set():
            self._wake.clear()
            self._try(self.beat)
            self._wake.wait(None if self._is_quiet() else _BEAT)
            self._ends.wait(_BEAT / 10)  # however often it is woken
        self._try(self._say_goodbye)

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
            self._trouble = ""
        except BrekzsyncError as error:
            if error.message != self._trouble:
                _logger.warning("floods are not looked for: %s", error.message)
            self._trouble = error.message

    def beat(self) -> None:
        """Look, open and close marks, write down what was refused."""
        inbox, now = self._inbox(), self._clock()
        mine = self._mine()
        loud = {source: count for source, count in mine.items() if self._is_worth_saying(count)}
        if loud:
            inbox.marks.note_pace(self._worker, now, loud)
        self._others = inbox.marks.pace_of_others(self._worker, now - _PACE_IS_OLD)
        self._count_backlog(inbox)
        self._write_refused(inbox)
        read_at, known = self._seconds(), inbox.marks.under_way()
        if self._decide(inbox, known, mine, now):
            read_at, known = self._seconds(), inbox.marks.under_way()
        with self._lock:
            self._open = {mark.source: mark for mark in known if mark.closing_at is None}
            self._read_at = read_at
            self._closing = any(mark.closing_at for mark in known)

    def _decide(self, inbox: Inbox, known: Sequence[Shed], mine: Mapping[str, int], now: datetime) -> bool:
        """Open and close marks; whether any changed, by us or by another process meanwhile."""
        open_ones = {mark.source: mark for mark in known if mark.closing_at is None}
        changed = False
        for source in {*mine, *open_ones}:
            last_minute = mine.get(source, 0) + self._others.get(source, 0)
            backlog = self._backlog.get(source, 0)
            mark = open_ones.get(source)
            if mark is None:
                changed |= self._open_mark(inbox, source, self._limits.flood(last_minute, backlog), now)
            elif self._limits.is_over(now - mark.opened_at, last_minute, backlog):
                changed |= self._begin_to_close(inbox, mark, now)
        if any(mark.closing_at for mark in known):
            changed |= inbox.marks.close(now - _ALL_HAVE_HEARD, now) > 0
        return changed

    def _open_mark(self, inbox: Inbox, source: str, reason: Flood | None, now: datetime) -> bool:
        if reason is None:
            return False
        if inbox.marks.open(source, reason, now):
            _logger.warning("webhooks of %s are a flood (%s): it is told to wait", source, reason)
        return True

    def _begin_to_close(self, inbox: Inbox, mark: Shed, now: datetime) -> bool:
        with self._lock:
            self._open.pop(mark.source, None)
        if inbox.marks.begin_to_close(mark.id, now):
            _logger.warning("webhooks of %s are taken again", mark.source)
        return True

    def _count_backlog(self, inbox: Inbox) -> None:
        """A large one takes a while to count; that may not be all that is done."""
        started = self._seconds()
        if started >= self._count_backlog_at:
            self._backlog = inbox.backlog()
            self._count_backlog_at = self._seconds() + 10 * (self._seconds() - started)

    def _mine(self) -> dict[str, int]:
        second = int(self._seconds())
        with self._lock:
            counts = {source: minute.count(second) for source, minute in self._minutes.items()}
            for source, count in counts.items():
                if not count:
                    del self._minutes[source]
        return {source: count for source, count in counts.items() if count}

    def _write_refused(self, inbox: Inbox) -> None:
        with self._lock:
            refused, self._refused = self._refused, {}
        for shed_id, count in refused.items():
            inbox.marks.refused(shed_id, count)

    def _is_worth_saying(self, count: int) -> bool:
        return count * _SHARE_WORTH_SAYING >= self._limits.per_minute

    def _is_quiet(self) -> bool:
        with self._lock:
            return not (self._minutes or self._open or self._closing or self._refused)

    def _say_goodbye(self) -> None:
        inbox = self._inbox()
        self._write_refused(inbox)
        inbox.marks.forget_pace(self._worker, self._clock() - timedelta(minutes=10))
