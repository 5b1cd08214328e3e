"""Which versions are looked for in the target because it said nothing of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from brekzsync.domain.ledger import Clearing, Serving
from brekzsync.state.database import open_state
from brekzsync.state.ledger import Ledger
from brekzsync.state.served import Outcome

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LEASE = timedelta(minutes=30)
LATER = NOW + timedelta(minutes=1)


def version(major: int, print_: int, force: int = 0) -> Serving:
    return Serving(major, 0, bytes([print_]) * 16, force, b"", f"CODE-{major}", f"document {print_}")


def serve(ledger: Ledger, *versions: Serving, at: datetime = NOW) -> None:
    ledger.served.serve(versions, run_id=None, at=at, lease_until=at + LEASE)


def found(
    ledger: Ledger, at: datetime, lease: timedelta | None = LEASE, after: int = 0, limit: int = 100
) -> list[tuple[int, str | None, str | None, bool]]:
    versions = ledger.served.unreported(at, lease=lease, after=after, limit=limit)
    assert [one.id for one in versions] == sorted(one.id for one in versions)
    assert all(one.code == f"CODE-{one.key_major}" for one in versions)
    return [(one.key_major, one.document, one.acknowledged, one.is_forced) for one in versions]


def test_a_version_is_looked_for_when_its_lease_is_over_or_was_renewed(database_url: str) -> None:
    with open_state(database_url, create=True) as state:
        ledger = state.ledger("product", "exact")
        assert found(ledger, NOW) == []
        serve(ledger, version(2, 1), version(1, 2), version(3, 3))
        state.ledger("product", "other").served.serve(
            [version(4, 4)], run_id=None, at=NOW, lease_until=NOW + LEASE
        )

        assert found(ledger, LATER) == []
        ledger.served.renew([((1, 0), None)], lease_until=LATER + LEASE)
        assert found(ledger, LATER) == [(1, "document 2", None, False)]
        ledger.served.settle([Outcome(3, 0, None, False)], at=LATER)
        assert [one[0] for one in found(ledger, NOW + LEASE)] == [2, 1]
        assert [one[0] for one in found(ledger, LATER, lease=None)] == [2, 1]


def test_they_come_in_pages(database_url: str) -> None:
    with open_state(database_url, create=True) as state:
        ledger = state.ledger("product", "exact")
        serve(ledger, *(version(major, major) for major in (5, 4, 3)))

        first = ledger.served.unreported(NOW, lease=None, after=0, limit=2)

        assert [one.key_major for one in first] == [5, 4]
        assert [one[0] for one in found(ledger, NOW, None, after=first[-1].id)] == [3]


def test_what_was_acknowledged_before_is_told_and_a_force_it_did_not_answer(database_url: str) -> None:
    with open_state(database_url, create=True) as state:
        ledger = state.ledger("product", "exact")
        serve(ledger, version(1, 1), version(2, 2))
        ledger.served.settle([Outcome(1, 0, None, True), Outcome(2, 0, None, True)], at=NOW)
        serve(ledger, version(1, 3), version(2, 2, force=1))

        assert found(ledger, NOW, None) == [
            (1, "document 3", "document 1", False),
            (2, "document 2", "document 2", True),
        ]


def test_what_was_cleared_is_not_looked_for_since_the_target_may_have_it_from_before(
    database_url: str,
) -> None:
    with open_state(database_url, create=True) as state:
        ledger = state.ledger("product", "exact")
        serve(ledger, version(1, 1))
        ledger.served.settle([Outcome(1, 0, None, True)], at=NOW)
        ledger.clear([Clearing(1, 0, "deleted", version(1, 1).fingerprint, 0)], run_id=1, at=NOW)
        serve(ledger, version(1, 3))

        assert found(ledger, NOW, None) == []
