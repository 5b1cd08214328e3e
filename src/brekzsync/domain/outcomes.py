"""What became of the records of a run: counts, reasons, and a signature of what failed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.sync_flows import show_key

SAMPLE = 20


class FailedRecord(NamedTuple):
    """One record that could not go on; ``repeated`` when it failed the same way in the run before."""

    key: ProductKey
    reason: str
    message: str
    repeated: bool
    flow: str = "product"

    @property
    def shown(self) -> str:
        """The key as people read it."""
        return show_key(self.flow, self.key)


@dataclass(slots=True)
class Tally:
    """The counts of a run. read = eligible + skipped; eligible = pending + unchanged;
    pending = delivered + failed + left.

    ``reasons`` counts why records were skipped, failed, cleared or left; ``warnings`` what was changed or
    left out of records that did go on. ``failures`` is a sample: memory does not grow with what fails.
    """

    read: int = 0
    eligible: int = 0
    pending: int = 0
    delivered: int = 0
    unchanged: int = 0
    skipped: int = 0
    failed: int = 0
    left: int = 0
    new_failures: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    warnings: Counter[str] = field(default_factory=Counter)
    failures: list[FailedRecord] = field(default_factory=list)
    _signature: Any = field(default_factory=lambda: blake2b(digest_size=16))

    def fail(self, failure: FailedRecord) -> None:
        """Count a failed record; failures that are new come first in the sample."""
        self.failed += 1
        self.reasons[failure.reason] += 1
        self._signature.update(f"{failure.shown} {failure.reason}\n".encode())
        if not failure.repeated:
            self.new_failures += 1
        if len(self.failures) < SAMPLE:
            self.failures.append(failure)
        elif not failure.repeated:
            for position, kept in enumerate(self.failures):
                if kept.repeated:
                    self.failures[position] = failure
                    break

    def take_as_known(self, count: int) -> None:
        """A baseline took ``count`` pending records as exported: they are unchanged from now on, the rest is left."""
        self.pending -= count
        self.unchanged += count
        self.left = self.pending - self.failed - self.delivered
        if self.left:
            self.reasons["not_in_erp"] += self.left

    @property
    def signature(self) -> bytes | None:
        """Equal in two runs in which the same records failed for the same reasons; None when none did."""
        signature: bytes = self._signature.digest()
        return signature if self.failed else None

    def counts(self) -> dict[str, int]:
        """The counts others rely on, in their documented order."""
        names = ("read", "eligible", "pending", "delivered", "unchanged", "skipped", "failed")
        return {name: getattr(self, name) for name in names}

    def all_reasons(self) -> dict[str, int]:
        """Reasons and warnings together, the most frequent first."""
        return dict((self.reasons + self.warnings).most_common())
