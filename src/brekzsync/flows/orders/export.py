"""``orders export`` and ``refunds export`` converging: what is due and not in the ERP goes out, once.

Two streams in key order, what is due and what the ledger remembers, are walked side by side. What neither
acknowledges nor claims is mapped, compared with the ERP where one answers, and handed to the delivery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from brekzsync.domain.keys import BEFORE_ALL
from brekzsync.domain.ledger import Clearing, Failure, LedgerRow
from brekzsync.domain.outcomes import FailedRecord, Tally
from brekzsync.flows.converge import merge_join
from brekzsync.flows.orders.parts import ExportParts
from brekzsync.flows.orders.ports import Claim, Key
from brekzsync.flows.orders.preparing import Preparing
from brekzsync.flows.orders.settlement import UNKNOWN, ReadBack
from brekzsync.flows.orders.watch import CANCELED

BATCH = 200
"""Records read, mapped and looked up in the ERP together."""
_NOTED_AT_ONCE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """``ids`` None: everything that is due. ``page`` stops after so many were taken, ``limit`` leaves the rest.

    ``read_back`` is what was found of claims just now; a dry run has not written it down.
    """

    ids: frozenset[int] | None = None
    read_back: ReadBack = field(default_factory=ReadBack.nothing)
    after: Key = BEFORE_ALL
    limit: int | None = None
    page: int | None = None


class _Due(NamedTuple):
    id: int

    @property
    def key(self) -> Key:
        return (self.id, 0)


class _Candidate(NamedTuple):
    key: Key
    row: LedgerRow | None


class OrderExport:
    """One walk; ``tally`` tells what came of it, ``stopped_at`` where a page ended."""

    def __init__(self, parts: ExportParts, options: ExportOptions) -> None:
        self._parts = parts
        self._options = options
        self._taken = 0
        self._left: dict[str, list[Key]] = {}
        self._advance: Callable[[int], None] = lambda _count: None
        self.tally = Tally()
        self._preparing = Preparing(parts, self.tally, self._fail, self._wait_for_order)
        self.stopped_at: Key | None = None
        self.revived: list[LedgerRow] = []
        """Exported records that were known as canceled and are due again."""
        self.not_due: list[str] = []
        """Why records that were asked for do not go, a sentence each."""
        self.ended: list[LedgerRow] = []
        """Exported records that are no longer due and not known as canceled, for who watches them."""

    def on_progress(self, advance: Callable[[int], None]) -> None:
        """Have every batch told."""
        self._advance = advance

    def run(self) -> None:
        """Walk to the end, or to the end of the page. What was done when it fails stays done."""
        try:
            batch: list[_Candidate] = []
            for candidate in self._candidates():
                batch.append(candidate)
                if len(batch) >= self._room():
                    self._deliver(batch)
                    batch = []
                    if self._is_page_full():
                        self.stopped_at = candidate.key
                        return
            self._deliver(batch)
        finally:
            self._flush()

    def _room(self) -> int:
        """How many candidates are worth reading before the page is full."""
        page = self._options.page
        return BATCH if page is None else max(1, min(BATCH, page - self._taken))

    def _is_page_full(self) -> bool:
        return self._options.page is not None and self._taken >= self._options.page

    def _candidates(self) -> Iterator[_Candidate]:
        claimed = self._claimed()
        settled, released = set(self._options.read_back.settled), set(self._options.read_back.released)
        for due, row in self._pairs():
            if due is None:
                if row is not None:
                    self._no_longer_due(row, claimed)
                continue
            self.tally.read += 1
            self.tally.eligible += 1
            if due.key in settled or (row is not None and row.fingerprint is not None):
                self.tally.unchanged += 1
                if row is not None and row.reason == CANCELED:
                    self.revived.append(row)
                continue
            self.tally.pending += 1
            if claimed(due.key) and due.key not in released:
                self._in_flight(due.key, row)
            elif (
                row is not None and row.next_attempt_at is not None and row.next_attempt_at > self._parts.now
            ):
                self._leave(due.key, "waiting_to_retry", is_noted=True)
            elif self._options.limit is not None and self._taken >= self._options.limit:
                self._leave(due.key, "queued")
            else:
                yield _Candidate(due.key, row)

    def _pairs(self) -> Iterator[tuple[_Due | None, LedgerRow | None]]:
        options, parts = self._options, self._parts
        if options.ids is not None:
            due = parts.kind.due_among(parts.shop, options.ids)
            for one in sorted(options.ids - due):
                self._is_not_due(one)
            rows = {row.key: row for row in parts.ledger.rows_for([(one, 0) for one in sorted(due)])}
            for one in sorted(due):
                entry = rows.get((one, 0))
                yield _Due(one), None if entry is None else LedgerRow._make(entry[: len(LedgerRow._fields)])
            return
        ids = parts.kind.due_ids(parts.shop, max(options.after[0], 0))
        yield from merge_join(map(_Due, ids), parts.ledger.rows(options.after))

    def _is_not_due(self, id_: int) -> None:
        kind, shop = self._parts.kind, self._parts.shop
        self.tally.read += 1
        self.tally.skipped += 1
        self.tally.reasons[NOT_DUE] += 1
        why = None if kind.is_refund else shop.why_not_due(id_)
        name = f"{kind.noun.capitalize()} {id_}"
        self.not_due.append(why or f"{name} is of a shop that [orders] shops leaves out.")

    def _claimed(self) -> Callable[[Key], bool]:
        """Tells of keys, asked for in their order, whether a version of the record is on its way."""
        if self._options.ids is None:
            return _Claimed(self._parts.claims.open(self._options.after)).holds
        open_ones = self._parts.claims.of([(one, 0) for one in self._options.ids])
        return lambda key: key in open_ones

    def _no_longer_due(self, row: LedgerRow, claimed: Callable[[Key], bool]) -> None:
        """Exported: somebody else looks at it. Not exported: it was canceled before it went, and is let go."""
        if row.fingerprint is not None:
            if row.reason != CANCELED:
                self.ended.append(row)
        elif not claimed(row.key) and row.reason != NO_LONGER_DUE:
            self.tally.reasons[NO_LONGER_DUE] += 1
            self._parts.notes.clear(Clearing(*row.key, NO_LONGER_DUE, None, row.force_acknowledged))

    def _in_flight(self, key: Key, row: LedgerRow | None) -> None:
        is_new = key in self._options.read_back.newly_unknown
        if is_new or (row is not None and row.status == "failed"):
            kind = self._parts.kind
            message = _UNKNOWN_OUTCOME.format(key=key[0], flow=kind.flow, noun=kind.noun)
            self.tally.fail(FailedRecord(key, UNKNOWN, message, not is_new, kind.flow))
        else:
            self._leave(key, "in_flight", is_noted=True)

    def _wait_for_order(self, key: Key) -> None:
        self._leave(key, "order_not_in_erp")

    def _leave(self, key: Key, reason: str, *, is_noted: bool = False) -> None:
        self.tally.left += 1
        self.tally.reasons[reason] += 1
        if is_noted:
            return
        keys = self._left.setdefault(reason, [])
        keys.append(key)
        if len(keys) >= _NOTED_AT_ONCE:
            self._parts.wait(self._left.pop(reason), reason)

    # --- one batch ------------------------------------------------------------------------------------------

    def _deliver(self, batch: Sequence[_Candidate]) -> None:
        if not batch:
            return
        versions = self._preparing.versions({one.key: one.row for one in batch})
        limit = self._options.limit
        if limit is not None:
            for one in versions[limit - self._taken :]:
                self._leave(one.key, "queued")
            versions = versions[: limit - self._taken]
        taken = self._parts.delivery.deliver(versions) if versions else ()
        for one in versions:
            if one.key in taken:
                self._taken += 1
                self.tally.delivered += 1
            else:
                self._leave(one.key, "in_flight", is_noted=True)
        self._advance(len(batch))

    def _fail(self, key: Key, row: LedgerRow | None, reason: str, message: str) -> None:
        repeated = row is not None and row.status == "failed" and row.reason == reason
        self.tally.fail(FailedRecord(key, reason, message, repeated, self._parts.kind.flow))
        self._parts.notes.fail(Failure(*key, reason, message))

    def _flush(self) -> None:
        self._parts.notes.flush()
        for reason, keys in self._left.items():
            self._parts.wait(keys, reason)
        self._left = {}


NO_LONGER_DUE, NOT_DUE = "no_longer_due", "not_due"
_UNKNOWN_OUTCOME = (
    "Nobody knows what became of it: `brekzsync logs show {key} --type {flow}` says what to look for in Exact,"
    " then `brekzsync {noun}s settle {key} --sent` or `--resend`."
)


class _Claimed:
    """Claims in key order, asked for in key order."""

    def __init__(self, claims: Iterator[Claim]) -> None:
        self._claims = claims
        self._next = next(claims, None)

    def holds(self, key: Key) -> bool:
        """Whether the record is claimed; keys must ascend."""
        while self._next is not None and self._next.key < key:
            self._next = next(self._claims, None)
        return self._next is not None and self._next.key == key
