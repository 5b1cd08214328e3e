"""Items the ERP was given and never reported on: whether it has them, by reading it.

What it shows to have is settled as if it had said so. Anything else, also an ERP that does not answer, changes
nothing: the version is offered again when its lease is over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from threading import Lock
from time import monotonic
from typing import Any, Final, Protocol

from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.erp_prices import PriceLine
from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey
from brekzsync.domain.reading_back import has_arrived, price_line_matters
from brekzsync.errors import BrekzsyncError
from brekzsync.flows.results import Outcome

AT_ONCE: Final = 1_000  # versions
_PAUSE: Final = (
    30.0  # seconds from one reading to the next, in a process that is asked for pages all the time
)
_PAUSE_AFTER_FAILURE: Final = 300.0
_logger = logging.getLogger("brekzsync.products")


class Unreported(Protocol):
    """A version without a result; ``acknowledged`` is the document the target acknowledged before it."""

    @property
    def id(self) -> int: ...
    @property
    def key_major(self) -> int: ...
    @property
    def key_minor(self) -> int: ...
    @property
    def fingerprint(self) -> bytes: ...
    @property
    def force(self) -> int: ...
    @property
    def code(self) -> str | None: ...
    @property
    def document(self) -> str | None: ...
    @property
    def acknowledged(self) -> str | None: ...
    @property
    def is_forced(self) -> bool: ...


class UnreportedVersions(Protocol):
    """Versions handed out whose result is awaited."""

    def unreported(
        self, at: datetime, *, lease: timedelta | None, after: int, limit: int
    ) -> Sequence[Unreported]:
        """Those to look for, oldest first, with a greater id than ``after``: of which the lease is over or was
        renewed; all of them where there is no ``lease``."""

    def unsettled_documents(self, keys: Sequence[ProductKey]) -> Mapping[ProductKey, Sequence[str]]: ...

    def settle(self, outcomes: Sequence[Any], *, at: datetime) -> Any: ...


class ErpReading(Protocol):
    """The ERP, while it is read; the methods raise what its gateway raises."""

    def items(self, codes: Collection[str]) -> Mapping[str, ErpItem]:
        """Those of these normalised codes that it holds."""

    def special_prices(self, codes: Collection[str], today: date) -> Mapping[str, Sequence[PriceLine]] | None:
        """The lines of the special price list that hold today, by normalised code, ``starts`` None for no first
        day; None where price lists cannot be read."""


@dataclass(slots=True, kw_only=True)
class ReadingBack:
    """Looks for a page of versions at a time, in turn, so that those never found keep no other waiting.

    Threads may share it; one of them reads at a time. Without a ``lease`` versions are looked for as soon as they
    are out: right where nobody else reports on them.
    """

    served: UnreportedVersions
    open_erp: Callable[[], AbstractContextManager[ErpReading]]
    lease: timedelta | None
    _after: int = 0
    _not_before: float = 0.0
    _turn: Lock = field(default_factory=Lock)

    def all(self, now: datetime) -> int:
        """Look for all of them once; how many are settled. An ERP that does not answer is a line of the log."""
        with self._turn:
            self._after = 0
            return self._logged(lambda: sum(self._pages(now)))

    def a_page(self, now: datetime) -> int:
        """Look for some of them, unless that was done a moment ago or is being done."""
        if monotonic() < self._not_before or not self._turn.acquire(blocking=False):
            return 0
        try:
            self._not_before = monotonic() + _PAUSE_AFTER_FAILURE
            settled = self._logged(lambda: self._page(now))
        finally:
            self._turn.release()
        return settled

    def _logged(self, read: Callable[[], int]) -> int:
        try:
            settled = read()
        except BrekzsyncError as error:
            _logger.warning("What was given to Exact cannot be read back: %s", error.message)
            return 0
        self._not_before = monotonic() + _PAUSE
        if settled:
            _logger.info("Reading Exact back shows that it has %s items it did not report on.", settled)
        return settled

    def _pages(self, now: datetime) -> Iterator[int]:
        yield self._page(now)
        while self._after:
            yield self._page(now)

    def _page(self, now: datetime) -> int:
        versions = self.served.unreported(now, lease=self.lease, after=self._after, limit=AT_ONCE)
        self._after = versions[-1].id if len(versions) == AT_ONCE else 0
        outcomes = self._found(versions, now.date()) if versions else []
        if outcomes:
            return len(self.served.settle(outcomes, at=now).acknowledged)
        return 0

    def _found(self, versions: Sequence[Unreported], today: date) -> list[Outcome]:
        """What the ERP shows to have: of each record the oldest such version."""
        cases = _cases(versions, self.served)
        with self.open_erp() as erp:
            held = erp.items({case.code for case in cases})
            priced = {case.code for case in cases if case.code in held and case.price_line_matters}
            lines = erp.special_prices(priced, today) if priced else {}
        found: dict[ProductKey, Outcome] = {}
        for case in cases:
            own = None if lines is None else lines.get(case.code, ())
            if case.key not in found and case.has_arrived(held.get(case.code), own):
                found[case.key] = Outcome(*case.key, case.identity, True, "", "")
        return list(found.values())


@dataclass(frozen=True, slots=True)
class _Case:
    """A version and what else is known of its record."""

    key: ProductKey
    identity: tuple[bytes, int]
    code: str
    served: Item
    before: Item | None
    others: Sequence[Item]
    is_forced: bool

    @property
    def price_line_matters(self) -> bool:
        return price_line_matters(self.served, self.before, self.others)

    def has_arrived(self, held: ErpItem | None, lines: Sequence[PriceLine] | None) -> bool:
        return has_arrived(self.served, self.before, self.others, held, lines, is_forced=self.is_forced)


def _cases(versions: Sequence[Unreported], served: UnreportedVersions) -> list[_Case]:
    keys = list(dict.fromkeys((one.key_major, one.key_minor) for one in versions))
    unsettled = served.unsettled_documents(keys)
    cases = []
    for one in versions:
        if not one.code or one.document is None:
            continue
        key = (one.key_major, one.key_minor)
        others = [document for document in unsettled.get(key, ()) if document != one.document]
        before = None if one.acknowledged is None else Item.from_stored(one.acknowledged)
        cases.append(
            _Case(
                key,
                (one.fingerprint, one.force),
                one.code,
                Item.from_stored(one.document),
                before,
                [Item.from_stored(document) for document in others],
                one.is_forced,
            )
        )
    return cases
