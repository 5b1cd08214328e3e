"""Versions that were handed out: kept in flight longer, found by their item code, told to the next version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from brekzsync.domain.ledger import Serving
from brekzsync.state.database import open_state
from brekzsync.state.ledger import Ledger
from brekzsync.state.served import Outcome

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LEASE = timedelta(minutes=30)


def version(major: int, print_: int, code: str = "A", minor: int = 0) -> Serving:
    return Serving(major, minor, bytes([print_]) * 16, 0, b"", code, f"document {print_}")


def serve(ledger: Ledger, *versions: Serving) -> None:
    ledger.served.serve(versions, run_id=None, at=NOW, lease_until=NOW + LEASE)


def in_flight(ledger: Ledger, at: datetime, after: tuple[int, int] = (-1, -1)) -> list[tuple[int, int]]:
    return [(lease.key_major, lease.key_minor) for lease in ledger.served.leased(at, after)]


def test_a_lease_that_is_renewed_lasts_longer(database_url: str) -> None:
    with open_state(database_url, create=True) as state:
        ledger = state.ledger("product", "exact")
        serve(ledger, version(1, 1), version(2, 2))

        renewed = ledger.served.renew(
            [((1, 0), None), ((2, 0), (b"?" * 16, 0)), ((3, 0), None)], lease_until=NOW + 2 * LEASE
        )

        assert renewed == [True, False, False]
        assert in_flight(ledger, NOW + LEASE * 1.5) == [(1, 0)]


def test_leases_are_told_from_a_key_on(database_url: str) -> None:
    with open_state(database_url, create=True) as state:
        ledger = state.ledger("product", "exact")
        serve(ledger, version(1, 1, minor=5), version(1, 2, minor=6), version(2, 3))

        assert in_flight(ledger, NOW, (1, 5)) == [(1, 6), (2, 0)]
        assert in_flight(ledger, NOW, (2, 0)) == []


def test_the_oldest_unsettled_version_is_found_by_its_code(database_url: str) -> None:
    with open_state(database_url, create=True) as state:
        ledger = state.ledger("product", "exact")
        serve(ledger, version(1, 1, "A"), version(2, 2, "B"))
        serve(ledger, version(1, 3, "A"))
        ledger.served.settle([Outcome(2, 0, None, False)], at=NOW)

        found = ledger.served.versions_of_codes(["A", "B", "C"])

        assert {code: tuple(one) for code, one in found.items()} == {"A": (1, 0, b"\1" * 16, 0)}


def test_all_the_state_holds_of_a_record_is_told_at_once(database_url: str) -> None:
    with open_state(database_url, create=True) as state:
        ledger = state.ledger("product", "exact")
        assert ledger.standing((1, 0), "A") == (None, None, [], [])
        serve(ledger, version(1, 1), version(2, 2))
        ledger.served.settle([Outcome(1, 0, None, True)], at=NOW)
        serve(ledger, version(1, 3))

        mine, other = ledger.standing((1, 0), "A"), ledger.standing((2, 0), "B")

        assert mine.entry is not None
        assert (mine.entry.fingerprint, mine.document) == (b"\1" * 16, "document 1")
        assert (mine.unsettled, mine.holders) == (["document 3"], [(1, 0)])
        assert (other.entry, other.document, other.unsettled, other.holders) == (
            None,
            None,
            ["document 2"],
            [],
        )
        assert ledger.served.unsettled_documents([(1, 0), (2, 0)]) == {
            (1, 0): ["document 3"],
            (2, 0): ["document 2"],
        }
