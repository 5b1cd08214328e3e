"""What processing webhooks needs of the outside; ``bootstrap/inbox_process.py`` chooses who fulfils it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from brekzsync.domain.inbox_records import Meaning


class Waiting(Protocol):
    """The deliveries of one record that wait: one job, however many there are."""

    @property
    def source(self) -> str: ...
    @property
    def record(self) -> str:
        """An item code, Exact's key, or nothing where neither could be told."""

    @property
    def count(self) -> int: ...
    @property
    def last_id(self) -> int: ...
    @property
    def attempts(self) -> int:
        """How often it was tried in vain."""

    @property
    def topic(self) -> str:
        """What its sender says the last of them is about."""


class Delivery(Protocol):
    """One webhook as it came."""

    @property
    def body(self) -> str: ...


class Shed(Protocol):
    """A time in which a source was told to wait: nobody knows what it had to say."""

    @property
    def id(self) -> int: ...
    @property
    def source(self) -> str: ...
    @property
    def opened_at(self) -> datetime: ...
    @property
    def closed_at(self) -> datetime | None: ...


class Inbox(Protocol):
    """The webhooks that were received. Times are aware."""

    def sources(self) -> Sequence[str]:
        """Those of which something waits."""

    def waiting(
        self, now: datetime, limit_records: int, *, source: str, after: str | None
    ) -> Sequence[Waiting]:
        """Records of a source that are due, by record, behind ``after``; None: from the first, which may be ""."""

    def show(self, delivery_id: int) -> Delivery | None: ...

    def failed(
        self, source: str, record: str, up_to_id: int, at: datetime, next_attempt_at: datetime, error: str
    ) -> object: ...

    def dead(self, source: str, record: str, up_to_id: int, at: datetime, error: str) -> object: ...

    def sheds(self) -> Sequence[Shed]:
        """Those that are open, and those after which nothing was compared yet."""

    def compared(self, shed_id: int, at: datetime) -> object: ...


class Answers(Protocol):
    """Says of deliveries that they are done; those that came later are not."""

    def done(self, jobs: Sequence[Waiting], at: datetime) -> object:
        """Each record was compared, after its last delivery was seen."""

    def everything(self, source: str, up_to_id: int, at: datetime) -> object:
        """Everything was, after that delivery was seen: all that the source had to say is done."""


class Compared(NamedTuple):
    """What comparing some items came to: by code, why some could not be brought into step; by finding, how many
    are left alone. All others are in step."""

    failed: Mapping[str, str]
    left_alone: Mapping[str, int]


class Stock(Protocol):
    """The stock of all targets.

    Every method raises LockHeld where another run is at work, GuardStopped where a guard stopped it, Unavailable,
    AccessDenied, ConfigurationError; nothing is lost then.
    """

    def update(self, codes: Sequence[str], *, dry_run: bool) -> Compared:
        """Compare these items and repair what differs."""

    def sweep(self) -> int:
        """Compare every item and repair what differs; how many figures could not be written."""

    def last_sweep(self) -> datetime | None:
        """When every target's last comparison of everything began, however it ended; None where one has had none."""


class Meanings(Protocol):
    """Tells what the records of one source are about; each source has its own, used by one thread."""

    def of(self, waiting: Waiting) -> Meaning:
        """Raises Later, and whatever the outside that is asked raises; the next record may still be told."""
