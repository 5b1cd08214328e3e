"""One item at one place: what the shop shows, what it may show, and what that is made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.shop_stock import Change, Place
from brekzsync.domain.stock import Finding, Parts, StockRules


class PlaceRules(NamedTuple):
    """A place that is written, by its number among the shop's from 0; ``warehouses`` feed it, none means all."""

    number: int
    place: Place
    warehouses: frozenset[str]
    rules: StockRules


class Policy(NamedTuple):
    """How figures are made: ``of_ours_only`` counts only the shop's own orders among the ERP's open sales."""

    places: Sequence[PlaceRules]
    margin: int
    of_ours_only: bool

    @property
    def warehouses(self) -> frozenset[str]:
        """All that feed any place; none means all there are."""
        each = [one.warehouses for one in self.places]
        return frozenset().union(*each) if all(each) else frozenset()


class Figure(NamedTuple):
    """``wanted`` is what the shop may show, or why nobody can say; ``before`` is None where it has no stock row.
    ``reserved`` is the shop's own count of what is ordered and not sent: told, and part of no figure here."""

    code: str
    key: ProductKey
    place: PlaceRules
    id_stock_available: int
    before: int | None
    parts: Parts
    wanted: int | Finding
    reserved: int = 0

    @property
    def finding(self) -> Finding | None:
        """Why it is left alone."""
        if isinstance(self.wanted, Finding):
            return self.wanted
        return Finding.NO_STOCK_ROW if self.before is None and self.wanted else None

    @property
    def delta(self) -> int:
        """How many pieces are to be added; 0 also for what is left alone."""
        if self.finding is not None or self.before is None or isinstance(self.wanted, Finding):
            return 0
        return self.wanted - self.before

    def change(self) -> Change:
        """What is to be written; only of a figure with a ``delta``."""
        assert self.before is not None
        assert not isinstance(self.wanted, Finding)
        return Change(self.key, self.place.number, self.id_stock_available, self.before, self.wanted)
