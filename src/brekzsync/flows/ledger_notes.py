"""What a run found about records it did not deliver, written to the ledger in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.ledger import IN_DOUBT, Acknowledgement, Clearing, Failure, Unchanged
from brekzsync.flows.frame import OpenRun

_BATCH = 2000


class NotesLedger(Protocol):
    """The ledger's side; each call is one short transaction (or a few, for a long batch)."""

    def acknowledge(self, batch: Sequence[Acknowledgement], *, run_id: int, at: datetime) -> int: ...

    def record_failures(self, batch: Sequence[Failure], *, run_id: int, at: datetime) -> int: ...

    def record_pending(self, batch: Sequence[ProductKey], *, at: datetime) -> int: ...

    def record_unchanged(self, batch: Sequence[Unchanged], *, at: datetime) -> int: ...

    def clear(self, batch: Sequence[Clearing], *, run_id: int, at: datetime) -> int: ...


class LedgerNotes:
    """Gathers and writes; ``cleared`` is told of keys of which nothing unread may lie there any more."""

    def __init__(
        self,
        ledger: NotesLedger,
        run: OpenRun,
        *,
        at: datetime,
        cleared: Callable[[Sequence[ProductKey]], object],
    ) -> None:
        self._ledger = ledger
        self._run = run
        self._at = at
        self._cleared = cleared
        self._failures: list[Failure] = []
        self._clearings: list[Clearing] = []
        self._left: list[ProductKey] = []
        self._withdrawn: list[ProductKey] = []
        self._unchanged: list[Unchanged] = []

    def fail(self, failure: Failure) -> None:
        """The record could not go on; its acknowledged version stays."""
        self._failures.append(failure)
        if len(self._failures) >= _BATCH:
            self.flush()

    def clear(self, clearing: Clearing) -> None:
        """The record is gone or no longer eligible: its acknowledgement ends."""
        self._clearings.append(clearing)
        if len(self._clearings) >= _BATCH:
            self.flush()

    def leave(self, key: ProductKey) -> None:
        """The record is pending and was left for a later run."""
        self._left.append(key)
        if len(self._left) >= _BATCH:
            self.flush()

    def withdraw(self, key: ProductKey) -> None:
        """The record may not go, and nothing of it was acknowledged."""
        self._withdrawn.append(key)
        if len(self._withdrawn) >= _BATCH:
            self.flush()

    def unchanged(self, unchanged: Unchanged) -> None:
        """The record is as acknowledged although its row moved, or is again after it failed."""
        self._unchanged.append(unchanged)
        if len(self._unchanged) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        ledger, at = self._ledger, self._at
        if self._failures or self._clearings or self._left or self._unchanged or self._withdrawn:
            self._run.verify_lock()
        if self._failures:
            ledger.record_failures(self._failures, run_id=self._run.id, at=at)
        if self._clearings:
            self._clear()
        if self._left:
            ledger.record_pending(self._left, at=at)
        if self._unchanged:
            ledger.record_unchanged(self._unchanged, at=at)
        if self._withdrawn:
            self._cleared(self._withdrawn)
        self._failures, self._clearings, self._left, self._unchanged, self._withdrawn = [], [], [], [], []

    def _clear(self) -> None:
        """In doubt, withdrawn, cleared: killed on the way, the record is neither in sync nor forgotten."""
        doubtful = [_in_doubt(one) for one in self._clearings if one.prior_fingerprint is not None]
        if doubtful:
            self._ledger.acknowledge(doubtful, run_id=self._run.id, at=self._at)
        self._cleared([(one.key_major, one.key_minor) for one in self._clearings])
        clearings = [
            one if one.prior_fingerprint is None else one._replace(prior_fingerprint=IN_DOUBT)
            for one in self._clearings
        ]
        self._ledger.clear(clearings, run_id=self._run.id, at=self._at)


def _in_doubt(clearing: Clearing) -> Acknowledgement:
    return Acknowledgement(
        clearing.key_major,
        clearing.key_minor,
        fingerprint=IN_DOUBT,
        force=clearing.prior_force,
        source_digest=None,
        code=None,
        document=None,
        prior_fingerprint=clearing.prior_fingerprint,
        prior_force=clearing.prior_force,
        known=True,
    )


class NoNotes:
    """A dry run's notes: none."""

    def fail(self, failure: Failure) -> None: ...

    def clear(self, clearing: Clearing) -> None: ...

    def leave(self, key: ProductKey) -> None: ...

    def withdraw(self, key: ProductKey) -> None: ...

    def unchanged(self, unchanged: Unchanged) -> None: ...

    def flush(self) -> None: ...
