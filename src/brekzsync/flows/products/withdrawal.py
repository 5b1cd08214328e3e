"""Take back what lies unread of combinations that were excluded just now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from brekzsync.domain.keys import ProductKey, WantedId
from brekzsync.errors import BrekzsyncError, Interrupted
from brekzsync.flows.products.run import ExportRequest, ProductRun


class UnreadDocuments(Protocol):
    """The outbox, to look into."""

    def unread_item(self, key: ProductKey) -> object | None: ...

    def unread_bulk_with(self, keys: Collection[ProductKey]) -> list[str]:
        """The names of the bulk documents that hold one of these."""


class Withdrawal(NamedTuple):
    """What became of it in one target's outbox.

    ``documents`` were taken away (a dry run: would be); ``bulks`` hold one of the items and stay as they are;
    ``problem`` is what kept the run from doing it, so that the next one will.
    """

    target: str
    documents: int
    bulks: tuple[str, ...]
    problem: BrekzsyncError | None = None


def withdraw(
    run: ProductRun,
    outbox: UnreadDocuments,
    ids: Sequence[WantedId],
    keys: Collection[ProductKey],
    *,
    dry_run: bool,
) -> Withdrawal:
    """Let the export itself look at these: it ends their acknowledgement and withdraws what lies unread."""
    lying: list[ProductKey] = []
    bulks: tuple[str, ...] = ()
    problem = None
    try:
        bulks = tuple(outbox.unread_bulk_with(keys))
        lying = [key for key in keys if outbox.unread_item(key) is not None]
        if dry_run:
            return Withdrawal(run.target, len(lying), bulks)
        # Where nothing was ever written, no outbox is made for it.
        if run.outbox_directory.exists() or run.ledger.rows_for(keys):
            run.execute(ExportRequest(ids=tuple(one.shown for one in ids)), _unwatched)
    except Interrupted:
        raise
    except BrekzsyncError as error:
        problem = error
    left = sum(outbox.unread_item(key) is not None for key in lying)
    return Withdrawal(run.target, len(lying) - left, bulks, problem)


@contextmanager
def _unwatched(_total: int | None) -> Iterator[Callable[[int], None]]:
    yield lambda _count: None
