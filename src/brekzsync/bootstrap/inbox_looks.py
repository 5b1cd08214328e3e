"""What others than ``inbox process`` ask of the inbox: how much waits there, and that it forgets what is old."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from brekzsync.bootstrap.inbox import existing_inbox

if TYPE_CHECKING:
    from brekzsync.settings import Settings


class InboxBacklog(NamedTuple):
    """How many deliveries of each source wait, and how many a person must look at."""

    waiting: dict[str, int]
    dead: dict[str, int]


def inbox_backlog(settings: Settings) -> InboxBacklog | None:
    """What waits; None where there is no inbox, because nothing ever came."""
    inbox = existing_inbox(settings)
    if inbox is None:
        return None
    with inbox:
        return InboxBacklog(inbox.backlog(), inbox.count("dead"))


def prune_inbox(settings: Settings, before: int, *, dry_run: bool) -> int:
    """Forget webhooks that were done, or dead, before then (milliseconds); how many."""
    inbox = existing_inbox(settings, read_only=dry_run)
    if inbox is None:
        return 0
    moment = datetime.fromtimestamp(max(before, 0) / 1000, UTC)
    with inbox:
        return inbox.planned_prune(moment) if dry_run else inbox.prune(moment)
