"""The ways orders reach the ERP: a document each in the outbox, or (baseline, dry run) not at all.

A claim is on disk before its document can be seen, and the document before its claim: a crash in between leaves a
staged document that the next run shows or throws away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import Protocol

from brekzsync.domain.ledger import Acknowledgement
from brekzsync.domain.orders.sales_orders import SalesOrder
from brekzsync.flows.frame import OpenRun
from brekzsync.flows.orders.ports import NOT_TAKEN, Claims, Key, OrderVersion

DocumentOf = Callable[[SalesOrder], bytes]
"""The complete eExact document of an order, with its debtor's account before it where it has one."""


class OrderFolder(Protocol):
    """Takes documents; what is staged nobody sees."""

    def stage(self, batch: Iterable[tuple[int, bytes]]) -> None: ...

    def show(self, ids: Iterable[int]) -> None: ...

    def discard(self, ids: Iterable[int]) -> None: ...

    def staged(self) -> Sequence[int]: ...


class FileDelivery:
    """A document each: staged, claimed, shown."""

    def __init__(
        self,
        folder: OrderFolder,
        document_of: DocumentOf,
        claims: Claims,
        run: OpenRun,
        clock: Callable[[], datetime],
    ) -> None:
        self._folder = folder
        self._document_of = document_of
        self._claims = claims
        self._run = run
        self._clock = clock

    def finish_earlier(self) -> None:
        """Show what a killed run staged and claimed; nobody has seen it yet."""
        staged = self._folder.staged()
        claims = self._claims.of([(one, 0) for one in staged])
        claimed = [key[0] for key, claim in claims.items() if claim.lease_until >= NOT_TAKEN]
        self._folder.show(claimed)
        self._folder.discard(set(staged) - set(claimed))

    def deliver(self, versions: Sequence[OrderVersion]) -> Collection[Key]:
        """The keys of those that lie there now; another reader's claims keep the rest."""
        self._run.verify_lock()
        self._folder.stage((one.key_major, self._document_of(one.order)) for one in versions)
        granted = self._claims.claim(
            [one.serving for one in versions],
            claimed_by=None,
            run_id=self._run.id,
            at=self._clock(),
            lease_until=NOT_TAKEN,
        )
        self._folder.show(key[0] for key in granted)
        self._folder.discard(one.key_major for one in versions if one.key not in granted)
        return granted.keys()


class Preview:
    """A dry run: everything would go."""

    def deliver(self, versions: Sequence[OrderVersion]) -> Collection[Key]:
        return {one.key for one in versions}


class Listing:
    """What the index lists: nothing leaves, nothing is claimed."""

    def __init__(self) -> None:
        self.versions: list[OrderVersion] = []

    def deliver(self, versions: Sequence[OrderVersion]) -> Collection[Key]:
        self.versions += versions
        return {one.key for one in versions}


def acknowledgement(version: OrderVersion, *, known: bool, prior_force: int) -> Acknowledgement:
    """That the ERP has a version it had nothing of before."""
    return Acknowledgement(
        *version.key,
        version.fingerprint,
        version.force,
        version.source_digest,
        version.code,
        version.document,
        None,
        prior_force,
        known,
    )
