"""What the ERP says became of records it fetched, taken in one by one: items, orders, refunds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.texts import clean, normalise_code
from brekzsync.flows.ports import Clock

MESSAGE_LENGTH = 2000
"""Characters of the ERP's words that are kept."""


class Verdict(StrEnum):
    """What a result says."""

    IMPORTED = "imported"
    REJECTED = "rejected"
    HANDED_OVER = "handed_over"


class Taken(StrEnum):
    """What came of a result: ``unknown`` when no such version waits, as when it was said before."""

    SETTLED = "settled"
    IN_FLIGHT = "in_flight"
    UNKNOWN = "unknown"


Identity = tuple[bytes, int]


class Result(NamedTuple):
    """One result; without a version the oldest unsettled one of the record is meant, and without a key the record
    that was served under ``code``."""

    key: ProductKey | None
    version: Identity | None
    verdict: Verdict
    message: str = ""
    code: str = ""


class Told(NamedTuple):
    """A result, for which record it was taken (None: nobody knows), and what came of it."""

    result: Result
    key: ProductKey | None
    taken: Taken


class Outcome(NamedTuple):
    """What is settled, as the state takes it."""

    key_major: int
    key_minor: int
    version: Identity | None
    imported: bool
    reason: str
    message: str


class SettledKeys(Protocol):
    """What a list of outcomes came to."""

    @property
    def unknown(self) -> Collection[ProductKey]: ...


class HandedOut(Protocol):
    """A version handed out."""

    @property
    def key_major(self) -> int: ...
    @property
    def key_minor(self) -> int: ...
    @property
    def fingerprint(self) -> bytes: ...
    @property
    def force(self) -> int: ...


class WaitingVersions(Protocol):
    """Versions handed out whose result is awaited."""

    def settle(self, outcomes: Sequence[Any], *, at: datetime) -> SettledKeys: ...

    def renew(
        self, versions: Sequence[tuple[ProductKey, Identity | None]], *, lease_until: datetime
    ) -> Sequence[bool]: ...

    def versions_of_codes(self, codes: Collection[str]) -> Mapping[str, HandedOut]: ...


class Results:
    """Takes the results of one flow and target in; needs no flow lock, and is safe to repeat."""

    def __init__(self, served: WaitingVersions, clock: Clock, lease: timedelta) -> None:
        self._served = served
        self._clock = clock
        self._lease = lease

    def take(self, results: Sequence[Result]) -> list[Told]:
        """In their order; several results of one record are taken one after the other."""
        found = self._served.versions_of_codes(
            {normalise_code(one.code) for one in results if one.key is None and one.code}
        )
        told: list[Told | None] = [None] * len(results)
        for places in _rounds([_addressed(result, found) for result in results], told):
            self._round(places, told)
        return [one for one in told if one is not None]

    def _round(self, places: Mapping[int, Result], told: list[Told | None]) -> None:
        """Results of different records."""
        now = self._clock()
        decided = {at: one for at, one in places.items() if one.verdict is not Verdict.HANDED_OVER}
        waiting = {at: one for at, one in places.items() if one.verdict is Verdict.HANDED_OVER}
        unknown = (
            set(self._served.settle([_outcome(one) for one in decided.values()], at=now).unknown)
            if decided
            else set()
        )
        for at, one in decided.items():
            told[at] = Told(one, one.key, Taken.UNKNOWN if one.key in unknown else Taken.SETTLED)
        versions = [(one.key, one.version) for one in waiting.values() if one.key is not None]
        renewed = self._served.renew(versions, lease_until=now + self._lease) if versions else ()
        for (at, one), is_known in zip(waiting.items(), renewed, strict=True):
            told[at] = Told(one, one.key, Taken.IN_FLIGHT if is_known else Taken.UNKNOWN)


def _addressed(result: Result, found: Mapping[str, HandedOut]) -> Result:
    """The result with its record's key, as far as its code tells; a code belongs to the version that went out
    under it."""
    version = found.get(normalise_code(result.code)) if result.key is None and result.code else None
    if version is None:
        return result
    return result._replace(
        key=(version.key_major, version.key_minor), version=(version.fingerprint, version.force)
    )


def _rounds(results: Sequence[Result], told: list[Told | None]) -> Iterator[dict[int, Result]]:
    """Results by place, in pieces that name each record once; what names none is told at once."""
    left = dict(enumerate(results))
    for at, one in enumerate(results):
        if one.key is None:
            told[at] = Told(left.pop(at), None, Taken.UNKNOWN)
    while left:
        seen: set[ProductKey | None] = set()
        piece = {}
        for at, one in left.items():
            if one.key not in seen:
                seen.add(one.key)
                piece[at] = one
        for at in piece:
            del left[at]
        yield piece


def _outcome(result: Result) -> Outcome:
    assert result.key is not None  # who names none does not come here
    words = clean(result.message)[0][:MESSAGE_LENGTH]
    is_imported = result.verdict is Verdict.IMPORTED
    message = "" if is_imported else words or "Exact rejected it without a word."
    return Outcome(*result.key, result.version, is_imported, "rejected", message)
