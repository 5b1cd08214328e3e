"""Item codes of the whole catalogue, kept for a few seconds: so that serving one item does not read them all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from threading import Lock
from time import monotonic

from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.keys import ProductKey
from brekzsync.domain.products import Refusal
from brekzsync.domain.texts import clean, normalise_code
from brekzsync.flows.ports import ProductLedger, ProductSource, SourceRecord, Version
from brekzsync.flows.products.item_code_claims import ItemCodeClaims
from brekzsync.flows.scratch import Scratch

_FRESH_FOR = 3.0  # seconds
_LATE = 3.0  # seconds; what is read anew may be so late for those who do not wait for it
_SHARE = 20  # reading the codes takes at most one part in so many of the time
_AT_ONCE = 500

Owner = tuple[int, int]
"""The ``hash`` of a normalised item code, and the id_product of a combination that has it."""


class CodeIndex:
    """Who has which code, as it was a few seconds ago. Threads may share it.

    A code that came to be shared within those seconds is noticed by the next question after them: until then an
    item may go out under it, as it may in the moment after any export. What the ERP knows by a code is asked of
    the ledger each time, never of this.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._scratch: Scratch | None = None
        self._stale_at = 0.0
        self._reading = Lock()
        self._asking = Lock()

    def owners(self, source: ProductSource, template: CodeTemplate, codes: Collection[str]) -> list[Owner]:
        """One for every combination, eligible or not, whose code has the hash of one of ``codes`` (normalised)."""
        self._refresh(source, template)
        hashes = sorted({hash(code) for code in codes})
        found: list[Owner] = []
        with self._asking:
            assert self._scratch is not None  # it was read before this
            for start in range(0, len(hashes), _AT_ONCE):
                some = hashes[start : start + _AT_ONCE]
                places = ", ".join("?" * len(some))
                found += self._scratch.run(f"SELECT hash, major FROM code WHERE hash IN ({places})", some)
        return found

    def close(self) -> None:
        """Forget it."""
        with self._asking:
            if self._scratch is not None:
                self._scratch.close()
            self._scratch, self._stale_at = None, 0.0

    def _refresh(self, source: ProductSource, template: CodeTemplate) -> None:
        if self._clock() < self._stale_at:
            return
        # While one reads, the others go on with what there is, if there is anything and it is not old.
        can_do = self._scratch is not None and self._clock() < self._stale_at + _LATE
        if not self._reading.acquire(blocking=not can_do):
            return
        try:
            if self._clock() < self._stale_at:
                return
            started = self._clock()
            fresh = _read(source, template)
            took = self._clock() - started
            with self._asking:
                if self._scratch is not None:
                    self._scratch.close()
                self._scratch = fresh
            self._stale_at = self._clock() + max(_FRESH_FOR, took * _SHARE)
        finally:
            self._reading.release()


def _read(source: ProductSource, template: CodeTemplate) -> Scratch:
    scratch = Scratch(any_thread=True)
    scratch.run("CREATE TABLE code (hash INTEGER, major INTEGER)")
    scratch.fill("INSERT INTO code VALUES (?, ?)", source.code_hashes(template))
    scratch.run("CREATE INDEX code_hash ON code (hash, major)")
    return scratch


class IndexedClaims:
    """Decides as ``ItemCodeClaims`` does, with the catalogue's codes from an index.

    ``siblings`` are combinations of the products in question, as they are now; the index may be behind on those.
    """

    def __init__(
        self,
        source: ProductSource,
        ledger: ProductLedger,
        template: CodeTemplate,
        is_eligible: Callable[[SourceRecord], bool],
        index: CodeIndex,
        siblings: Sequence[SourceRecord] = (),
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._template = template
        self._is_eligible = is_eligible
        self._index = index
        self._siblings = siblings

    def refusals(self, versions: Sequence[Version]) -> dict[ProductKey, Refusal]:
        """Those of ``versions`` (in key order) that may not have their code, and why."""
        if not versions:
            return {}
        owners = self._owners(versions)
        wanted, holders = (
            Counter(hashed for hashed, _ in owners),
            self._ledger.holders({one.code for one in versions}),
        )
        if all(
            wanted[hash(one.code)] == 1 and all(key == one.key for key in holders.get(one.code, ()))
            for one in versions
        ):
            return {}  # as nearly always
        return self._settled(versions, owners)

    def refusal(self, version: Version, holders: Sequence[ProductKey]) -> Refusal | None:
        """``refusals`` of one, where it is known already which records hold its code."""
        owners = self._owners([version])
        hashed = hash(version.code)
        if sum(1 for other, _ in owners if other == hashed) == 1 and all(
            key == version.key for key in holders
        ):
            return None
        return self._settled([version], owners).get(version.key)

    def close(self) -> None:
        """Nothing is kept."""

    def _settled(self, versions: Sequence[Version], owners: list[Owner]) -> dict[ProductKey, Refusal]:
        claims = ItemCodeClaims(
            self._source, self._ledger, self._template, self._is_eligible, scan=lambda _codes: owners
        )
        with closing(claims):
            return claims.refusals(versions)

    def _owners(self, versions: Sequence[Version]) -> list[Owner]:
        """Of products in question what they have now, of all others what the index knows."""
        fresh = {version.key: hash(version.code) for version in versions}
        fresh |= {one.key: hash(self._code(one)) for one in self._siblings if one.key not in fresh}
        wanted = {version.code for version in versions}
        indexed = Counter(self._index.owners(self._source, self._template, wanted))
        now = Counter((hashed, key[0]) for key, hashed in fresh.items())
        return list((indexed | now).elements())  # where both know, the greater count: rather looked at twice

    def _code(self, record: SourceRecord) -> str:
        return normalise_code(clean(self._template.render(self._source.combination(record)))[0])
