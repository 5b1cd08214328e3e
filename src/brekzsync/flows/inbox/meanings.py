"""What the records of a source are about."""

from __future__ import annotations

from typing import Protocol

from brekzsync.domain.call_budget import Later
from brekzsync.domain.inbox_records import (
    EVERYTHING,
    NO_STOCK,
    Meaning,
    exact_division,
    is_about_stock,
    is_guid,
)
from brekzsync.domain.texts import normalise_code
from brekzsync.errors import BrekzsyncError
from brekzsync.flows.inbox.ports import Inbox, Waiting
from brekzsync.flows.ports import Clock


class ItemCodes:
    """A source that names items."""

    def of(self, waiting: Waiting) -> Meaning:
        """A webhook in which no item code was found may be about any item."""
        return Meaning(normalise_code(waiting.record)) if waiting.record.strip() else EVERYTHING


class Online(Protocol):
    """Exact Online's REST."""

    @property
    def division(self) -> int: ...

    def can_tell(self, topic: str) -> bool:
        """Whether a key of this topic leads to an item."""

    def item_code(self, topic: str, key: str) -> str | None:
        """None where there is nothing with this key (any more). Raises Later, or what went wrong."""


class ExactKeys:
    """Exact Online's webhooks, which hold a key and not what it stands for.

    What sends in its way beside Exact Globe may put the item code there. A key that leads to no item, as that of a
    stock position that was deleted, may have meant any. Once the API does not answer it is left alone for the run.
    """

    def __init__(self, inbox: Inbox, online: Online | None, clock: Clock) -> None:
        self._inbox = inbox
        self._online = online
        self._clock = clock
        self._later: Later | None = None
        self._trouble: BrekzsyncError | None = None

    def of(self, waiting: Waiting) -> Meaning:
        """Raises Later, and what the API raises."""
        if not is_guid(waiting.record):
            return ItemCodes().of(waiting)
        if not is_about_stock(waiting.topic):
            return NO_STOCK
        if self._online is None or not self._online.can_tell(waiting.topic):
            return EVERYTHING
        delivery = self._inbox.show(waiting.last_id)
        if delivery is None or exact_division(delivery.body) not in (None, self._online.division):
            return EVERYTHING
        code = self._asked(self._online, waiting)
        return Meaning(normalise_code(code)) if code else EVERYTHING

    def _asked(self, online: Online, waiting: Waiting) -> str | None:
        if self._trouble is not None:
            raise self._trouble
        if self._later is not None and self._clock() < self._later.at:
            raise self._later
        try:
            return online.item_code(waiting.topic, waiting.record)
        except Later as later:
            self._later = later
            raise
        except BrekzsyncError as error:
            self._trouble = error
            raise
