"""Failures nobody was told of yet, in one message."""

from __future__ import annotations

from collections.abc import Sequence

from brekzsync.domain.marketplace import StatusTask, TaskStatus
from brekzsync.domain.notices import FailedNotice
from brekzsync.errors import BrekzsyncError, Interrupted
from brekzsync.flows.order_status.book import Book
from brekzsync.flows.order_status.ports import Notifier

_MOST = 5000


def tell(book: Book, notifier: Notifier | None) -> bool:
    """Whether a message went out. One that could not is a warning, and the next run tells again.

    Without anybody to tell, the failures stand in the logs: they are not kept for whoever may come later.
    """
    failed = book.tasks.untold(_MOST)
    if not failed:
        return False
    if notifier is not None:
        try:
            notifier.tell(_notices(failed))
        except Interrupted:
            raise
        except BrekzsyncError as error:
            book.warnings.append(f"Nobody was told of what failed: {error.message} {error.hint}".rstrip())
            return False
    book.tasks.tell(failed)
    return notifier is not None


def _notices(failed: Sequence[StatusTask]) -> list[FailedNotice]:
    return [
        FailedNotice(
            id_order=task.id_order,
            shop_reference=task.shop_reference,
            marketplace=task.identity.channel,
            reference=task.identity.reference,
            operation=task.operation,
            reason=task.reason or "",
            message=task.message or "",
            attempts=task.attempts,
            retry_at=None if task.status is TaskStatus.DEAD else task.not_before,
        )
        for task in failed
    ]
