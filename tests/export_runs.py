"""A run of the product export over a catalogue and a ledger in memory, and the target it delivers to.

The ledger keeps what a run notes, so that the next one begins where it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from brekzsync.domain.exclusions import Exclusions
from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey, format_key
from brekzsync.domain.ledger import Acknowledgement
from brekzsync.domain.outcomes import Tally
from brekzsync.domain.products import ItemMapper
from brekzsync.errors import PermanentError
from brekzsync.flows.frame import OpenRun
from brekzsync.flows.ledger_notes import LedgerNotes
from brekzsync.flows.ports import Version
from brekzsync.flows.products.delivery import Leases
from brekzsync.flows.products.export import ExportOptions, ExportParts, ProductExport
from brekzsync.flows.products.item_code_claims import ItemCodeClaims
from brekzsync.flows.products.judging import Judge
from tests.catalogues import RULES, Memory, Shop

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Target:
    """Takes versions and acknowledges them; ``breaks_at`` is the batch it cannot take."""

    def __init__(self, ledger: Memory, breaks_at: int = -1) -> None:
        self.ledger = ledger
        self.breaks_at = breaks_at
        self.batches: list[list[str]] = []
        self.previous: dict[str, str] = {}
        self.versions: dict[str, Version] = {}
        self.is_finished = False

    def deliver(self, versions: Sequence[Version], previous: dict[ProductKey, Item]) -> int:
        assert versions
        if len(self.batches) == self.breaks_at:
            raise PermanentError("the disk is full")
        self.batches.append([format_key(version.key) for version in versions])
        self.previous |= {format_key(key): item.code for key, item in previous.items()}
        self.versions |= {format_key(version.key): version for version in versions}
        rows = [Acknowledgement._make(version[: len(Acknowledgement._fields)]) for version in versions]
        return self.ledger.acknowledge(rows, run_id=1, at=NOW)

    def finish(self) -> None:
        if len(self.batches) == self.breaks_at:
            raise PermanentError("the disk is full")
        self.is_finished = True

    @property
    def delivered(self) -> list[str]:
        """The keys it took, in order."""
        return [key for batch in self.batches for key in batch]


class Ran(NamedTuple):
    """What one run did: its counts, the target with what it was given, the keys whose files were withdrawn."""

    tally: Tally
    target: Target
    withdrawn: list[ProductKey]

    @property
    def counts(self) -> tuple[int, ...]:
        """read, eligible, pending, delivered, unchanged, skipped, failed"""
        return tuple(self.tally.counts().values())

    @property
    def failed(self) -> dict[str, str]:
        """The reason of each failed record."""
        return {failure.shown: failure.reason for failure in self.tally.failures}


def export(
    shop: Shop,
    ledger: Memory,
    *,
    exclusions: Exclusions | None = None,
    target: Target | None = None,
    layout: bytes = b"layout",
    progress: list[int] | None = None,
    leases: Leases | None = None,
    **options: Any,
) -> Ran:
    """One run; the ledger keeps what it notes."""
    withdrawn: list[ProductKey] = []
    target = target or Target(ledger)
    judge = Judge(shop, exclusions or Exclusions(), bundle_components_too=False)
    parts = ExportParts(
        source=shop,
        ledger=ledger,
        notes=LedgerNotes(ledger, OpenRun(1, "run"), at=NOW, cleared=withdrawn.extend),
        delivery=target,
        mapper=ItemMapper(RULES),
        claims=ItemCodeClaims(shop, ledger, RULES.code, judge.is_eligible),
        judge=judge,
        leases=leases,
        layout=layout,
        now=1_000,
    )
    run = ProductExport(parts, ExportOptions(**options))
    if progress is not None:
        run.on_progress(progress.append)
    return Ran(run.run(), target, withdrawn)
