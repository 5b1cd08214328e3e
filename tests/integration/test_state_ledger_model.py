"""Whatever writers do in whatever order, the ledger does what a few lines of Python say it does."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from brekzsync.domain.ledger import Clearing, Failure
from brekzsync.state.database import open_state
from tests.integration.state_rows import NOON, RUN, acknowledgement, mark

KEYS = st.sampled_from([(1, 10), (1, 11), (2, 0)])
VERSIONS = st.sampled_from(["first", "second", "third"])


@dataclass
class Known:
    version: str | None = None
    force: int = 0
    requested: int = 0


class LedgerOfManyWriters(RuleBasedStateMachine):
    """``views`` is what a slow writer read once, and may act upon much later."""

    def __init__(self) -> None:
        super().__init__()
        self.state = open_state("sqlite://", create=True)
        self.ledger = self.state.ledger("product", "exact")
        self.known: dict[tuple[int, int], Known] = {}
        self.views: dict[tuple[int, int], Known | None] = {}

    def teardown(self) -> None:
        self.state.close()

    @rule(key=KEYS)
    def look(self, key: tuple[int, int]) -> None:
        found = self.known.get(key)
        self.views[key] = None if found is None else Known(found.version, found.force, found.requested)

    @rule(key=KEYS, version=VERSIONS)
    def deliver_what_was_seen(self, key: tuple[int, int], version: str) -> None:
        seen = self.views.get(key)
        prior = seen or Known()
        row = acknowledgement(
            key,
            version,
            force=prior.requested,
            prior=prior.version,
            prior_force=prior.force,
            known=seen is not None,
        )
        taken = self.ledger.acknowledge([row], run_id=RUN, at=NOON)
        now = self.known.get(key)
        unmoved = now is None or (now.version, now.force) == (prior.version, prior.force)
        assert taken == unmoved
        if unmoved:
            requested = max(now.requested if now else 0, prior.requested)
            self.known[key] = Known(version, prior.requested, requested)

    @rule(key=KEYS)
    def clear_what_was_seen(self, key: tuple[int, int]) -> None:
        if (seen := self.views.get(key)) is None:
            return
        prior = None if seen.version is None else mark(seen.version)
        self.ledger.clear([Clearing(*key, "deleted", prior, seen.force)], run_id=RUN, at=NOON)
        now = self.known[key]
        if (now.version, now.force) == (seen.version, seen.force):
            now.version = None

    @rule(key=KEYS)
    def force(self, key: tuple[int, int]) -> None:
        known = self.known.setdefault(key, Known())
        raised = self.ledger.request_force([key], at=NOON)
        assert raised == (known.requested == known.force)
        known.requested += raised

    @rule(key=KEYS)
    def fail(self, key: tuple[int, int]) -> None:
        self.ledger.record_failures([Failure(*key, "missing_price", "0")], run_id=RUN, at=NOON)
        self.known.setdefault(key, Known())

    @rule(key=KEYS)
    def leave(self, key: tuple[int, int]) -> None:
        self.ledger.record_pending([key], at=NOON)
        self.known.setdefault(key, Known())

    @invariant()
    def the_ledger_says_the_same(self) -> None:
        found = {
            row.key: (row.fingerprint, row.force_acknowledged, row.force_requested)
            for row in self.ledger.rows()
        }
        assert found == {
            key: (None if known.version is None else mark(known.version), known.force, known.requested)
            for key, known in self.known.items()
        }
        documents = {
            key: f"document of {known.version}" for key, known in self.known.items() if known.version
        }
        assert self.ledger.documents(self.known) == documents


LedgerOfManyWriters.TestCase.settings = settings(stateful_step_count=25, deadline=None)
test_the_ledger_of_many_writers = LedgerOfManyWriters.TestCase
