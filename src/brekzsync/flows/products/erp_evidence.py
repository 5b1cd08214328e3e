"""What the ERP holds, for a diagnosis: asked in batches, and an ERP that does not answer is evidence too."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

from brekzsync.domain.diagnosis import ErpState, erp_differences, listed
from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey
from brekzsync.errors import BrekzsyncError
from brekzsync.flows.scratch import Scratch

_CONDITIONS = {"B": "blocked", "D": "discontinued", "E": "inactive", "F": "future"}


_PAGE = 2000  # codes handed to the temporary database at once


class ErpItems(Protocol):
    """The items of the ERP; every method may raise what the ERP's gateway raises."""

    def some(self, codes: Collection[str]) -> Mapping[str, ErpItem]:
        """Those of these normalised codes that it holds."""

    def held_codes(self) -> Iterator[str]:
        """Every item code, normalised, in no order."""


class ErpEvidence:
    """Answers for one diagnosis. ``problem`` says why the ERP could not be asked, ``""`` while it can."""

    def __init__(self, items: ErpItems | None) -> None:
        self._items = items
        self._held: Mapping[str, ErpItem] = {}
        self._codes: Scratch | None = None
        self.problem = "" if items else "No ERP is configured: set database under [erp] to compare with it."

    def look_up(self, codes: Iterable[str]) -> None:
        """Ask for what ``state`` will be asked about."""
        if self._items is None or self.problem:
            return
        wanted = self._possible({code for code in codes if code})
        try:
            self._held = self._items.some(wanted) if wanted else {}
        except BrekzsyncError as error:
            self.problem = error.message

    def read_codes(self, scratch: Scratch) -> bool:
        """Put every code the ERP holds into a new table ``held``; False where the ERP cannot be asked."""
        if self._items is None:
            return False
        scratch.run("CREATE TABLE held (code TEXT PRIMARY KEY) WITHOUT ROWID")
        try:
            codes = self._items.held_codes()
            while page := list(islice(codes, _PAGE)):
                scratch.run("INSERT OR IGNORE INTO held SELECT value FROM json_each(?)", (json.dumps(page),))
        except BrekzsyncError as error:
            self.problem = error.message
            return False
        self._codes = scratch
        return True

    def _possible(self, codes: set[str]) -> set[str]:
        """Those the ERP may have: where all its codes are at hand, it need not be asked for others."""
        if self._codes is None:
            return codes
        listed = json.dumps(list(codes))
        rows = self._codes.run(
            "SELECT code FROM held WHERE code IN (SELECT value FROM json_each(?))", (listed,)
        )
        return {row[0] for row in rows}

    def state(self, code: str, expected: Item) -> ErpState:
        """What the ERP holds under ``code`` (normalised), compared with what it should hold."""
        if self.problem:
            return ErpState(None, f"unknown: {self.problem}")
        if not code:
            return ErpState(False, "Nothing to look for: it has no item code.")
        held = self._held.get(code)
        if held is None:
            return ErpState(False, f"Exact has no item {code}.")
        differences = erp_differences(held, expected)
        return ErpState(True, _told(held, [change.field for change in differences]), held, differences)


def _told(held: ErpItem, different: Sequence[str]) -> str:
    condition = _CONDITIONS.get(held.condition or "A")
    state = f" and it is {condition} there (condition {held.condition})" if condition else ""
    other = f", with another {listed(different)}" if different else ""
    return f"Exact has item {held.code}{other}{state}."


class KnownCodes(Protocol):
    """What the ledger holds of item codes."""

    def codes_between(self, first: ProductKey, last: ProductKey) -> Mapping[ProductKey, str]:
        """The acknowledged codes (normalised) of the records in a range of keys, both ends included."""

    def holders(self, codes: Collection[str]) -> Mapping[str, Sequence[ProductKey]]:
        """Who holds these item codes in the acknowledged versions."""


class Missing:
    """The combinations the ERP lacks, found in one narrow read of the shop: no item has their code (table
    ``held``), or the one that has it is another combination's.

    They are kept in ``scratch`` too, so that memory stays flat however many they are.
    """

    def __init__(
        self, scratch: Scratch, pages: Iterator[Sequence[tuple[ProductKey, str]]], known: KnownCodes
    ) -> None:
        self._scratch = scratch
        self._known = known
        scratch.run(
            "CREATE TABLE missing (major INTEGER, minor INTEGER, code TEXT, PRIMARY KEY (major, minor))"
            " WITHOUT ROWID"
        )
        for page in pages:
            missing = [*self._not_held(page), *self._somebody_elses(page)]
            scratch.fill("INSERT OR IGNORE INTO missing VALUES (?, ?, ?)", missing)

    def has(self, key: ProductKey) -> bool:
        """Whether it is one of them."""
        return bool(self._scratch.run("SELECT 1 FROM missing WHERE (major, minor) = (?, ?)", key))

    def products(self, size: int) -> Iterator[list[int]]:
        """The products they belong to, in order, ``size`` at a time."""
        after = -1
        statement = "SELECT DISTINCT major FROM missing WHERE major > ? ORDER BY major LIMIT ?"
        while some := [row[0] for row in self._scratch.run(statement, (after, size))]:
            yield some
            after = some[-1]

    def hashes(self) -> Iterator[tuple[int, int]]:
        """``hash`` and id_product of those that have an item code."""
        rows = self._scratch.stream("SELECT code, major FROM missing WHERE code <> ''")
        return ((hash(code), major) for code, major in rows)

    def _not_held(self, page: Sequence[tuple[ProductKey, str]]) -> list[tuple[int, int, str]]:
        """A page is asked for in one question: one for each code costs more than reading the shop."""
        codes = json.dumps([code for _, code in page])
        rows = self._scratch.run(
            "SELECT key FROM json_each(?) WHERE value NOT IN (SELECT code FROM held)", (codes,)
        )
        return [(*page[row[0]][0], page[row[0]][1]) for row in rows]

    def _somebody_elses(self, page: Sequence[tuple[ProductKey, str]]) -> list[tuple[int, int, str]]:
        known = self._known.codes_between(page[0][0], page[-1][0])
        unsure = [(key, code) for key, code in page if code and known.get(key) != code]
        holders = self._known.holders({code for _, code in unsure}) if unsure else {}
        return [(*key, code) for key, code in unsure if any(other != key for other in holders.get(code, ()))]
