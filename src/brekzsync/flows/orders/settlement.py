"""What became of claims: said by a result, read back from the ERP, or decided by a person.

A claim is never ended by time alone. Once its lease is over, its absence in an ERP that answers says that it never
arrived, and it is offered again; while the ERP cannot be asked, it is told as ``outcome_unknown``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple, Protocol

from brekzsync.domain.ledger import Acknowledgement, Clearing, Failure, LedgerRow
from brekzsync.domain.orders.stored import StoredOrder, fingerprint_of
from brekzsync.domain.texts import normalise_code
from brekzsync.flows.orders.delivery import acknowledgement
from brekzsync.flows.orders.kinds import Kind
from brekzsync.flows.orders.ports import (
    NOT_TAKEN,
    Claim,
    Claims,
    Erp,
    Key,
    OrderLedger,
    OrderVersion,
    Outcome,
    Settled,
)
from brekzsync.flows.ports import Clock

_BATCH = 200
UNKNOWN = "outcome_unknown"
_REJECTED = "order_rejected"


class Served(NamedTuple):
    """The claims as results speak of them (``state/served.py``)."""

    renew: Callable[..., Sequence[bool]]
    versions_of_codes: Callable[[Collection[str]], Mapping[str, Any]]


class Unread(Protocol):
    """Documents that may still wait for their reader."""

    def lies_unread(self, id_: int) -> bool: ...

    def withdraw(self, ids: Iterable[int]) -> object:
        """Take documents away, those of them that lie there."""


class NoOutbox:
    """Over HTTP: who asked for a document has it."""

    def lies_unread(self, _id: int) -> bool:
        return False

    def withdraw(self, _ids: Iterable[int]) -> None:
        """Nothing lies anywhere."""


class ReadBack(NamedTuple):
    """What reading the ERP came to: records it has, records it lacks and that go again, records nobody knows of.

    ``newly_unknown`` are those of which nobody had said so before.
    """

    settled: list[Key]
    released: list[Key]
    unknown: list[Key]
    newly_unknown: list[Key]

    @classmethod
    def nothing(cls) -> ReadBack:
        """Nothing was out."""
        return cls([], [], [], [])

    def told(self) -> dict[str, list[Key]]:
        """What people are told of, by its name."""
        return {"settled": self.settled, "released": self.released, "unknown": self.unknown}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """Everything that ends claims of one kind and target. Needs no flow lock; safe to repeat."""

    kind: Kind[Any]
    claims: Claims
    served: Served
    ledger: OrderLedger
    debtors: OrderLedger
    clock: Clock
    timeout: timedelta
    outbox: Unread

    # --- results, as flows/results.py takes them ------------------------------------------------------------

    def settle(self, outcomes: Sequence[Any], *, at: datetime) -> Settled:
        """Take results in. The debtors of what was imported are in the ERP too; those of what was rejected may not."""
        rejected = self.claims.of([(one.key_major, one.key_minor) for one in outcomes if not one.imported])
        settled = self.claims.settle(outcomes, at=at)
        self.learn_debtors(settled.acknowledged, at)
        self._doubt_debtors([rejected[key] for key in settled.rejected if key in rejected], at)
        return settled

    def renew(self, versions: Sequence[Any], *, lease_until: datetime) -> Sequence[bool]:
        """The ERP was given these: their absence counts later."""
        return self.served.renew(versions, lease_until=lease_until)

    def versions_of_codes(self, codes: Collection[str]) -> Mapping[str, Any]:
        """The claims that went out under these references."""
        return self.served.versions_of_codes(codes)

    # --- reading back ---------------------------------------------------------------------------------------

    def read_back(self, erp: Erp, *, run_id: int, dry_run: bool = False) -> ReadBack:
        """Look every claim up in the ERP."""
        came_to = ReadBack.nothing()
        claims = iter(self.claims.open())
        while some := list(islice(claims, _BATCH)):
            part = self._read_back(some, erp, run_id, dry_run)
            for whole, found in zip(came_to, part, strict=True):
                whole.extend(found)
        return came_to

    def _read_back(self, some: Sequence[Claim], erp: Erp, run_id: int, dry_run: bool) -> ReadBack:
        now = self.clock()
        references = {claim.key: _reference(claim) for claim in some}
        found = erp.orders([one for one in references.values() if one])
        there = [claim for claim in some if found is not None and references[claim.key] in found]
        missing = [claim for claim in some if found is None or references[claim.key] not in found]
        rest = [claim for claim in missing if not self.outbox.lies_unread(claim.key[0])]
        fresh = [claim.key for claim in rest if claim.lease_until >= NOT_TAKEN]
        over = [claim for claim in rest if claim.lease_until <= now]
        lacking, doubtful = (over, []) if found is not None else ([], over)
        doubted = self._not_yet_doubted(doubtful)
        if not dry_run:
            if there:
                # What the ERP has must not be imported again by a reader that was killed before it deleted it.
                self.outbox.withdraw([claim.key[0] for claim in there])
                self.settle([_imported(claim) for claim in there], at=now)
            if fresh:
                self.claims.start_clock(fresh, lease_until=now + self.timeout)
            if lacking:
                self.claims.release([claim.key for claim in lacking], at=now, over_by=now)
            if doubted:
                self._doubt(doubted, references, erp.trouble, run_id, now)
        return ReadBack(*([claim.key for claim in part] for part in (there, lacking, doubtful, doubted)))

    def settle_those_there(self, claims: Sequence[Claim], erp: Erp) -> set[Key]:
        """Settle those of these claims that the ERP has, and no others; their keys."""
        references = {claim.key: _reference(claim) for claim in claims}
        found = erp.orders([one for one in references.values() if one]) or {}
        there = [claim for claim in claims if references[claim.key] in found]
        if there:
            self.settle([_imported(claim) for claim in there], at=self.clock())
        return {claim.key for claim in there}

    def _not_yet_doubted(self, claims: Sequence[Claim]) -> list[Claim]:
        """Those of which it is not said yet: nothing is new about the others."""
        known = {
            (row.key_major, row.key_minor)
            for row in self.ledger.rows_for([claim.key for claim in claims])
            if row.status == "failed" and row.reason == UNKNOWN
        }
        return [claim for claim in claims if claim.key not in known]

    def _doubt(
        self, claims: Sequence[Claim], references: Mapping[Key, str], trouble: str, run_id: int, now: datetime
    ) -> None:
        failures = [
            Failure(*claim.key, UNKNOWN, self._doubtful(claim, references[claim.key], trouble))
            for claim in claims
        ]
        self.claims.fail(failures, run_id=run_id, at=now)

    def _doubtful(self, claim: Claim, reference: str, trouble: str) -> str:
        return (
            f"It was handed out at {claim.served_at:%Y-%m-%d %H:%M} UTC, no result came, and the ERP cannot be asked:"
            f" {trouble}. Look for {reference} in Exact, then: brekzsync {self.kind.noun}s settle {claim.key[0]}"
            " --sent, or --resend."
        )

    # --- what is known to be there --------------------------------------------------------------------------

    def found(
        self, versions: Sequence[OrderVersion], rows: Sequence[LedgerRow | None], *, run_id: int
    ) -> None:
        """The ERP has these though the state did not know: they are never sent."""
        now = self.clock()
        self.outbox.withdraw([version.key[0] for version in versions])  # what lies there is of a lost state
        batch = [
            acknowledgement(version, known=row is not None, prior_force=row.force_acknowledged if row else 0)
            for version, row in zip(versions, rows, strict=True)
        ]
        self.ledger.acknowledge(batch, run_id=run_id, at=now)
        self.learn_debtors([version.key for version in versions], now)

    def learn_debtors(self, keys: Iterable[Key], at: datetime) -> None:
        """Remember the debtors whose accounts went along with these records.

        Killed before this, the next order of the debtor brings its account again, which changes nothing.
        """
        documents = self.ledger.documents(sorted(keys))
        batch = {}
        for document in documents.values():
            with suppress(ValueError):  # what another release wrote
                stored = StoredOrder.from_stored(document)
                if stored.id_customer and stored.order.account is not None:
                    batch[(stored.id_customer, 0)] = stored.order.account.code
        self.acknowledge_debtors(batch, at)

    def _doubt_debtors(self, rejected: Sequence[Claim], at: datetime) -> None:
        """Have the account go along when these go again: it may be what is missing, as where a baseline took a
        debtor as known that Exact knows by another code."""
        customers = {_customer(claim) for claim in rejected if _customer(claim)}
        rows = self.debtors.rows_for([(one, 0) for one in sorted(customers)])
        clearings = [
            Clearing(row.key_major, row.key_minor, _REJECTED, row.fingerprint, row.force_acknowledged)
            for row in rows
        ]
        if clearings:
            self.debtors.clear(clearings, run_id=0, at=at)

    def acknowledge_debtors(self, codes: Mapping[Key, str], at: datetime) -> None:
        """These debtors are in the ERP; by ``(id_customer, 0)``."""
        known = {(row.key_major, row.key_minor): row for row in self.debtors.rows_for(sorted(codes))}
        batch = []
        for key, code in sorted(codes.items()):
            row = known.get(key)
            if row is None or row.code != normalise_code(code):
                batch.append(_debtor(key, code, row))
        if batch:
            self.debtors.acknowledge(batch, run_id=0, at=at)

    def known_debtors(self, orders: Sequence[StoredOrder]) -> set[int]:
        """The customers among these whose debtor the ERP has."""
        wanted = {
            (one.id_customer, 0): normalise_code(one.order.account.code)
            for one in orders
            if one.id_customer and one.order.account is not None
        }
        rows = self.debtors.rows_for(sorted(wanted))
        return {row.key_major for row in rows if row.code == wanted[row.key_major, row.key_minor]}


def _debtor(key: Key, code: str, row: Any) -> Acknowledgement:
    return Acknowledgement(
        *key,
        fingerprint_of(code),
        0,
        None,
        normalise_code(code),
        None,
        None if row is None else row.fingerprint,
        0,
        row is not None,
    )


def _reference(claim: Claim) -> str:
    """The YourRef a claim went out under; ``""`` for what no release of ours wrote."""
    try:
        return StoredOrder.from_stored(claim.document or "").order.your_ref
    except ValueError:
        return ""


def _customer(claim: Claim) -> int:
    """Whose order it is; 0 when that is not known."""
    try:
        return StoredOrder.from_stored(claim.document or "").id_customer
    except ValueError:
        return 0


def _imported(claim: Claim) -> Outcome:
    return Outcome(*claim.key, (claim.fingerprint, claim.force), imported=True)
