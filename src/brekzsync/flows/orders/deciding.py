"""``orders settle``: a person decides what became of orders, or has the ERP asked once more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal, NamedTuple

from brekzsync.domain.ledger import Acknowledgement, Clearing, LedgerEntry
from brekzsync.domain.orders.stored import fingerprint_of
from brekzsync.domain.texts import normalise_code
from brekzsync.errors import InvalidInput
from brekzsync.flows.frame import OpenRun, recorded
from brekzsync.flows.ledger_notes import NotesLedger
from brekzsync.flows.orders.kinds import OrderSource
from brekzsync.flows.orders.ports import Claim, Erp, Key, Outcome
from brekzsync.flows.orders.run import OrderFlow
from brekzsync.flows.orders.settlement import ReadBack

Decision = Literal["sent", "resend"]
RESENT = "sent_again"


class Became(StrEnum):
    """What a decision came to."""

    SETTLED = "settled"
    PENDING = "pending"
    UNCHANGED = "unchanged"


class Decided(NamedTuple):
    """One record; ``message`` says what happened, or why nothing did."""

    id: int
    became: Became
    message: str


@dataclass(frozen=True, slots=True)
class Deciding:
    """Decides over records of one flow. Needs no flow lock: claims change one at a time."""

    flow: OrderFlow

    def read_back(self, *, dry_run: bool) -> ReadBack:
        """Look every claim up in the ERP."""
        flow = self.flow
        if dry_run or next(flow.claims.open(), None) is None:
            return flow.settlement.read_back(flow.ask_erp(), run_id=0, dry_run=True)
        with self._recorded() as opened:
            return flow.settlement.read_back(flow.ask_erp(), run_id=opened.id)

    def decide(self, ids: Sequence[int], decision: Decision, *, dry_run: bool) -> list[Decided]:
        """Settle records as they were sent, or have them sent again; all of them are known, or none is touched.

        Raises InvalidInput for an unknown id, and for ``resend`` of what Exact has or may still take.
        """
        flow, erp = self.flow, self.flow.ask_erp()
        with flow.open_shop() as shop:
            cases = self._cases(shop, ids)
        found = erp.orders([case.reference for case in cases if case.reference])
        if decision == "resend":
            for case in cases:
                self._refuse_a_second(case, found, erp)
        if dry_run:
            return [
                self._sent(case, None) if decision == "sent" else self._again(case, None) for case in cases
            ]
        with self._recorded() as opened:
            act = self._sent if decision == "sent" else self._again
            return [act(case, opened) for case in cases]

    def _recorded(self) -> Any:
        flow = self.flow
        return recorded(
            flow.runs,
            flow=flow.kind.flow,
            target=flow.target,
            command=f"{flow.kind.noun}s settle ID...",
            clock=flow.clock,
        )

    def _cases(self, shop: OrderSource, ids: Sequence[int]) -> list[_Case]:
        flow, kind = self.flow, self.flow.kind
        keys = [(one, 0) for one in ids]
        records = {kind.id_of(record): record for record in kind.read(shop, ids)}
        rows = {row.key_major: row for row in flow.ledger.rows_for(keys)}
        claims = flow.claims.of(keys)
        unknown = [str(one) for one in ids if one not in records and one not in rows]
        if unknown:
            raise InvalidInput(
                f"There is no {kind.noun} {', '.join(unknown)}; nothing was changed.",
                hint=f"`brekzsync logs list --type {kind.flow}` shows those that wait.",
                code="unknown_id",
            )
        return [
            _Case(
                (one, 0),
                records.get(one),
                rows.get(one),
                claims.get((one, 0)),
                self._reference(records.get(one), rows.get(one)),
            )
            for one in dict.fromkeys(ids)
        ]

    def _reference(self, record: Any, row: LedgerEntry | None) -> str:
        if record is not None:
            return self.flow.kind.your_ref(record)
        return row.code or "" if row is not None else ""

    def _sent(self, case: _Case, opened: OpenRun | None) -> Decided:
        """It is in Exact: never send it (again)."""
        name = f"{self.flow.kind.noun.capitalize()} {case.key[0]}"
        if case.is_settled:
            return Decided(case.key[0], Became.UNCHANGED, f"{name} is settled already.")
        if opened is not None:
            now = self.flow.clock()
            if case.claim is not None:
                version = (case.claim.fingerprint, case.claim.force)
                self.flow.settlement.outbox.withdraw([case.key[0]])
                self.flow.settlement.settle([Outcome(*case.key, version, imported=True)], at=now)
            else:
                self.flow.ledger.acknowledge([self._known(case)], run_id=opened.id, at=now)
        return Decided(case.key[0], Became.SETTLED, f"{name} counts as sent ({case.reference}).")

    def _known(self, case: _Case) -> Acknowledgement:
        record, row = case.record, case.row
        digest = None if record is None else self.flow.kind.digest(record)
        force = row.force_acknowledged if row else 0
        fingerprint = digest or fingerprint_of(case.reference)
        code = normalise_code(case.reference)
        return Acknowledgement(
            *case.key, fingerprint, force, digest, code, None, None, force, row is not None
        )

    def _again(self, case: _Case, opened: OpenRun | None) -> Decided:
        """It is not in Exact: the next run sends it."""
        name = f"{self.flow.kind.noun.capitalize()} {case.key[0]}"
        if case.claim is None and not case.is_settled:
            return Decided(
                case.key[0], Became.UNCHANGED, f"{name} is not out; the next run sends it when it is due."
            )
        if opened is not None:
            now = self.flow.clock()
            if case.claim is not None:
                self.flow.claims.release([case.key], at=now)
            else:
                self._clear(self.flow.ledger, case, opened)
        return Decided(case.key[0], Became.PENDING, f"{name} is sent again by the next run.")

    def _clear(self, ledger: NotesLedger, case: _Case, opened: OpenRun) -> None:
        row, now = case.row, self.flow.clock()
        assert row is not None  # a settled record has one
        clearing = Clearing(*case.key, RESENT, row.fingerprint, row.force_acknowledged)
        ledger.clear([clearing], run_id=opened.id, at=now)
        ledger.record_pending([case.key], at=now)

    def _refuse_a_second(self, case: _Case, found: Any, erp: Erp) -> None:
        """Never a second order in Exact by our hand."""
        noun, id_ = self.flow.kind.noun, case.key[0]
        if found is not None and case.reference in found:
            number = found[case.reference][0].number
            raise InvalidInput(
                f"Exact has {noun} {id_} already: {case.reference} is its order {number}.",
                hint=f"`brekzsync {noun}s settle {id_} --sent` says so here.",
                code="in_erp",
            )
        if case.claim is not None and self.flow.settlement.outbox.lies_unread(id_):
            raise InvalidInput(
                f"The document of {noun} {id_} still lies in the outbox: Exact takes it from there.",
                hint="Let Exact import it, or delete the file first.",
                code="lies_unread",
            )
        if case.is_settled and found is None:
            raise InvalidInput(
                f"Exact acknowledged {noun} {id_}, and cannot be asked whether it still has it: {erp.trouble}.",
                hint="A second order would be made if it has: look there, and try again when the ERP answers.",
                code="erp_not_asked",
            )


class _Case(NamedTuple):
    """A record, and all that is known of it; ``record`` None when the shop has lost it."""

    key: Key
    record: Any
    row: LedgerEntry | None
    claim: Claim | None
    reference: str

    @property
    def is_settled(self) -> bool:
        """Whether the ERP acknowledged it."""
        return self.row is not None and self.row.fingerprint is not None
