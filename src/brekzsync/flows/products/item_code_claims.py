"""Several combinations with one item code: found over the whole catalogue, settled by the rules.

The whole catalogue's codes are read once, and only when something is to be delivered; their hashes go to
a temporary database, so that memory stays flat. What shares a hash is then read exactly.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from brekzsync.domain.item_codes import CodeTemplate, rightful_holder
from brekzsync.domain.keys import ProductKey, format_key
from brekzsync.domain.products import Refusal
from brekzsync.domain.texts import clean, normalise_code
from brekzsync.flows.ports import ProductLedger, ProductSource, SourceRecord, Version
from brekzsync.flows.scratch import Scratch

_SAMPLE = 4  # claimants named in a message, and one to leave out
_CHUNK = 1000
_REMEMBERED = 10_000  # verdicts kept; beyond, they are judged again, so that memory stays flat


Scan = Callable[[Collection[str]], Iterable[tuple[int, int]]]


class Claim(NamedTuple):
    """Who wants one item code: the rightful holder if any, a few of the claimants, and how many there are."""

    holder: ProductKey | None
    sample: tuple[ProductKey, ...]
    wanting: int


class ItemCodeClaims:
    """Decides, batch by batch, who may have the item code it wants.

    ``scan`` gives ``hash`` and id_product of every combination whose code a batch may want; it is asked once,
    with the codes of the first batch, and looks at the whole catalogue unless told better.
    """

    def __init__(
        self,
        source: ProductSource,
        ledger: ProductLedger,
        template: CodeTemplate,
        is_eligible: Callable[[SourceRecord], bool],
        *,
        scan: Scan | None = None,
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._template = template
        self._is_eligible = is_eligible
        self._scan: Scan = scan or (lambda _codes: source.code_hashes(template))
        self._scratch: Scratch | None = None
        self._claims: dict[str, Claim] = {}

    def refusals(self, versions: Sequence[Version]) -> dict[ProductKey, Refusal]:
        """Those of ``versions`` (in key order) that may not have their code, and why."""
        if not versions:
            return {}
        holders = self._ledger.holders({version.code for version in versions})
        self._scan_once(versions)
        shared = self._shared_hashes(versions[0].key_major, versions[-1].key_major)
        if not shared and not holders:
            return {}
        contested = [
            version
            for version in versions
            if hash(version.code) in shared
            or any(key != version.key for key in holders.get(version.code, ()))
        ]
        self._settle(contested, holders)
        return {
            version.key: _refusal(version, claim)
            for version in contested
            if (claim := self._claims[version.code]).holder != version.key
        }

    def close(self) -> None:
        """Drop the temporary database."""
        if self._scratch is not None:
            self._scratch.close()

    def _shared_hashes(self, first: int, last: int) -> set[int]:
        """The hashes that occur more than once in the catalogue, of the products in a range."""
        assert self._scratch is not None  # _scan_once came first
        rows = self._scratch.run(
            "SELECT DISTINCT hash FROM shared WHERE major BETWEEN ? AND ?", (first, last)
        )
        return {row[0] for row in rows}

    def _scan_once(self, versions: Sequence[Version]) -> None:
        if self._scratch is not None:
            return
        self._scratch = scratch = Scratch()
        scratch.run("CREATE TABLE code (hash INTEGER, major INTEGER)")
        scratch.fill("INSERT INTO code VALUES (?, ?)", self._scan({version.code for version in versions}))
        scratch.run(
            "CREATE TABLE shared AS SELECT * FROM code"
            " WHERE hash IN (SELECT hash FROM code GROUP BY hash HAVING COUNT(*) > 1)"
        )
        scratch.run("DROP TABLE code")
        scratch.run("CREATE INDEX shared_hash ON shared (hash, major)")
        scratch.run("CREATE INDEX shared_major ON shared (major, hash)")

    def _settle(self, versions: Sequence[Version], holders: Mapping[str, Sequence[ProductKey]]) -> None:
        """Judge the codes of ``versions`` that were not judged before."""
        if len(self._claims) > _REMEMBERED:
            self._claims.clear()
        codes = {version.code for version in versions} - self._claims.keys()
        if not codes:
            return
        acknowledged = {key for code in codes for key in holders.get(code, ())}
        own = {version.key for version in versions if version.code in codes}
        wanting: dict[str, list[ProductKey]] = {code: [] for code in codes}
        counts: Counter[str] = Counter()
        alive = set()
        for record in self._records(codes, {key[0] for key in acknowledged | own}):
            if not self._is_eligible(record):
                continue
            if record.key in acknowledged:
                alive.add(record.key)
            code = normalise_code(clean(self._template.render(self._source.combination(record)))[0])
            if code in codes:
                counts[code] += 1
                if len(wanting[code]) < _SAMPLE:
                    wanting[code].append(record.key)
        for code in codes:
            living = [key for key in holders.get(code, ()) if key in alive]
            claimants = wanting[code]
            self._claims[code] = Claim(rightful_holder(claimants, living), tuple(claimants), counts[code])

    def _records(self, codes: Collection[str], also: Collection[int]) -> Iterator[SourceRecord]:
        """Every combination that may want one of ``codes``, and those of the products ``also``."""
        scratch = self._scratch
        assert scratch is not None  # _scan_once came first
        scratch.run("CREATE TEMPORARY TABLE IF NOT EXISTS wanted (major INTEGER PRIMARY KEY)")
        scratch.run("DELETE FROM wanted")
        scratch.fill("INSERT OR IGNORE INTO wanted VALUES (?)", ((major,) for major in also))
        scratch.fill(
            "INSERT OR IGNORE INTO wanted SELECT major FROM shared WHERE hash = ?",
            ((hash(code),) for code in codes),
        )
        rows = scratch.stream("SELECT major FROM wanted ORDER BY major")
        while chunk := [row[0] for row in islice(rows, _CHUNK)]:
            yield from self._source.some(chunk)


def _refusal(version: Version, claim: Claim) -> Refusal:
    code = version.item.code
    if claim.holder is not None:
        return Refusal(
            "duplicate_item_code",
            f"Item code {code!r} belongs to combination {format_key(claim.holder)}, which the ERP knows by it:"
            f" give {format_key(version.key)} a code of its own.",
        )
    others = [key for key in claim.sample if key != version.key][: _SAMPLE - 1]
    more = claim.wanting - 1 - len(others)
    shown = ", ".join(map(format_key, others)) + (f" and {more} more" if more > 0 else "")
    return Refusal(
        "duplicate_item_code",
        f"Item code {code!r} is also that of {shown}: give each combination a code of its own.",
    )
