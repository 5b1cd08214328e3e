"""Which of the criteria keep a combination back, from the shop's facts and people's flags."""

from __future__ import annotations

from collections.abc import Sized
from typing import Protocol

from brekzsync.domain.eligibility import CLEAR, Criterion, blockers
from brekzsync.domain.keys import ProductKey
from brekzsync.flows.ports import ProductSource, SourceRecord


class Exclusions(Protocol):
    """Combinations and products people flagged."""

    @property
    def products(self) -> Sized: ...
    @property
    def combinations(self) -> Sized: ...
    @property
    def references(self) -> Sized: ...

    def covering(self, key: ProductKey, reference: str) -> object | None:
        """The flag that keeps this combination out, or None; the reference is compared normalised."""


class Judge:
    """Judges records of one source; ``bundle_components_too`` turns the bundle rule off."""

    def __init__(self, source: ProductSource, exclusions: Exclusions, *, bundle_components_too: bool) -> None:
        self._source = source
        self._exclusions = exclusions
        self._anything_flagged = any((exclusions.products, exclusions.combinations, exclusions.references))
        self._references_flagged = bool(exclusions.references)
        self._bundle_components_too = bundle_components_too

    def blockers(self, record: SourceRecord) -> list[Criterion]:
        """Every criterion that fails; empty when the record is eligible."""
        if record.standing is CLEAR and not self._anything_flagged:
            return []
        flagged = self._anything_flagged and (
            self._exclusions.covering(record.key, self._reference(record)) is not None
        )
        return blockers(record.standing, excluded=flagged, bundle_components_too=self._bundle_components_too)

    def is_eligible(self, record: SourceRecord) -> bool:
        """Whether nothing keeps it back."""
        return not self.blockers(record)

    def _reference(self, record: SourceRecord) -> str:
        return self._source.reference(record) if self._references_flagged else ""
