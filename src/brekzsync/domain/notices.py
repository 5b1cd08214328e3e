"""What people are told of operations that the marketplace did not accept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedNotice:
    """One operation that failed, as people are told of it.

    ``shop_reference`` is the shop's own, ``reference`` the marketplace's; ``operation`` and ``reason`` are the codes of
    ``domain.order_status``. ``attempts`` counts this failure; ``retry_at`` (milliseconds, UTC) is when it is tried
    again, None when it was given up.
    """

    id_order: int
    shop_reference: str
    marketplace: str
    reference: str
    operation: str
    reason: str
    message: str
    attempts: int
    retry_at: int | None

    @property
    def is_dead(self) -> bool:
        """Whether it was given up, so that a person must look."""
        return self.retry_at is None


class NoticeGroup(NamedTuple):
    """The failures of one reason, in the order they came."""

    reason: str
    failures: tuple[FailedNotice, ...]


def grouped(failures: Sequence[FailedNotice]) -> tuple[NoticeGroup, ...]:
    """By reason, the most frequent first; of equally many the one that came first."""
    groups: dict[str, list[FailedNotice]] = {}
    for failure in failures:
        groups.setdefault(failure.reason, []).append(failure)
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return tuple(NoticeGroup(reason, tuple(some)) for reason, some in ordered)
