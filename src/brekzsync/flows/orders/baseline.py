"""``--baseline``: what is due and was never handed over is taken as known, and its customers' debtors too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from brekzsync.domain.ledger import Acknowledgement
from brekzsync.domain.orders.mapping import MappedOrder
from brekzsync.domain.orders.rules import OrderRules
from brekzsync.domain.orders.stored import StoredOrder, fingerprint_of
from brekzsync.domain.outcomes import Tally
from brekzsync.domain.texts import normalise_code
from brekzsync.flows.frame import OpenRun
from brekzsync.flows.orders.kinds import Kind, OrderSource
from brekzsync.flows.orders.ports import Claims, Key, OrderLedger
from brekzsync.flows.orders.settlement import Settlement
from brekzsync.flows.ports import Clock

_BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Takes records as known; ``tally`` counts them."""

    kind: Kind[Any]
    shop: OrderSource
    ledger: OrderLedger
    claims: Claims
    settlement: Settlement
    rules: OrderRules
    clock: Clock
    tally: Tally = field(default_factory=Tally)

    def take(self, opened: OpenRun, ids: Sequence[int], *, is_dry: bool) -> int:
        """Take everything that is due, or these; how many were not known before."""
        count = 0
        due = iter(sorted(ids)) if ids else self.kind.due_ids(self.shop, 0)
        while some := list(islice(due, _BATCH)):
            count += self._take(opened, some, is_dry=is_dry)
        return count

    def _take(self, opened: OpenRun, ids: Sequence[int], *, is_dry: bool) -> int:
        keys = [(one, 0) for one in ids]
        rows = {(row.key_major, row.key_minor): row for row in self.ledger.rows_for(keys)}
        claimed = self.claims.of(keys)
        batch: list[Acknowledgement] = []
        debtors: dict[Key, str] = {}
        for record in self.kind.read(self.shop, ids):
            key = (self.kind.id_of(record), 0)
            row = rows.get(key)
            self.tally.read += 1
            self.tally.eligible += 1
            self.tally.unchanged += 1
            if key not in claimed and (row is None or row.fingerprint is None):
                force = None if row is None else row.force_acknowledged
                batch.append(self._known(key, record, force, debtors))
        if batch and not is_dry:
            opened.verify_lock()
            self.ledger.acknowledge(batch, run_id=opened.id, at=self.clock())
            self.settlement.acknowledge_debtors(debtors, self.clock())
        return len(batch)

    def _known(self, key: Key, record: Any, force: int | None, debtors: dict[Key, str]) -> Acknowledgement:
        """``force`` is that of its row in the ledger, None without one.

        It is not watched for changes (no digest of its source): what Exact has of it was not made by us.
        """
        document = self._document(record, debtors)
        return Acknowledgement(
            *key,
            fingerprint=fingerprint_of(document) if document else self.kind.digest(record),
            force=force or 0,
            source_digest=None,
            code=normalise_code(self.kind.your_ref(record)),
            document=document,
            prior_fingerprint=None,
            prior_force=force or 0,
            known=force is not None,
        )

    def _document(self, record: Any, debtors: dict[Key, str]) -> str | None:
        """What it would say, for who looks it up; what cannot be mapped is known all the same."""
        mapped = self.kind.map(record, self.rules, lambda _key: None)
        customer = self.kind.order_of(record).customer
        if not isinstance(mapped, MappedOrder) or customer is None:
            return None
        if mapped.order.account is not None:
            debtors[(customer.id_customer, 0)] = mapped.order.account.code
        return StoredOrder(mapped.order._replace(account=None), customer.id_customer).stored()
