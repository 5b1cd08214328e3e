"""Claims: what went out once does not go out again before it is known what became of it."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context

import pytest

from brekzsync.domain.ledger import Failure, Serving
from brekzsync.state.claims import Claim, Claims
from brekzsync.state.database import State, open_state
from brekzsync.state.ledger import Ledger
from brekzsync.state.served import REJECTION_DELAYS, Outcome, Settled
from tests.integration.state_rows import NOON, NOON_MS, RUN, acknowledgement, attempts, entry, later, mark

KEY = (12, 0)
OTHER = (13, 0)
NOT_TAKEN = datetime(9999, 1, 1, tzinfo=UTC)
PROCESSES = 8
RECORDS = [(id_order, 0) for id_order in range(1, 201)]


@pytest.fixture
def ledger(state: State) -> Ledger:
    """An empty ledger of orders."""
    return state.ledger("order", "exact")


@pytest.fixture
def claims(ledger: Ledger) -> Claims:
    return ledger.claims


def serving(version: str = "first", key: tuple[int, int] = KEY) -> Serving:
    return Serving(*key, mark(version), 0, mark("row " + version), "KHWLI-12", f"document of {version}")


def made(one: Serving, claimed_by: str | None = None, at: datetime = NOON) -> Claim:
    return Claim(**one._asdict(), claimed_by=claimed_by, run_id=RUN, served_at=at, lease_until=later(hours=1))


def claim(
    claims: Claims, *batch: Serving, by: str | None = None, at: datetime = NOON
) -> dict[tuple[int, int], Claim]:
    return claims.claim(batch, claimed_by=by, run_id=RUN, at=at, lease_until=later(hours=1))


def imported(version: str | None = None, key: tuple[int, int] = KEY) -> Outcome:
    return Outcome(*key, None if version is None else (mark(version), 0), imported=True)


def rejected(version: str | None = None) -> Outcome:
    return Outcome(*KEY, None if version is None else (mark(version), 0), imported=False, message="No debtor")


def standing(ledger: Ledger, key: tuple[int, int] = KEY) -> tuple[str, str | None, str | None, int | None]:
    found = entry(ledger, key)
    return found.status, found.reason, found.message, found.next_attempt_at


def test_a_claim_is_granted_once_and_the_ledger_says_that_it_is_in_flight(
    ledger: Ledger, claims: Claims
) -> None:
    assert claim(claims, serving(), serving(key=OTHER)) == {
        KEY: made(serving()),
        OTHER: made(serving(key=OTHER)),
    }
    assert claim(claims, serving("second"), at=later(days=30)) == {}
    assert list(claims.open()) == [made(serving()), made(serving(key=OTHER))]
    assert list(claims.open(KEY)) == [made(serving(key=OTHER))]
    assert claims.of([KEY, (99, 0)]) == {KEY: made(serving())}
    assert standing(ledger) == ("pending", "in_flight", None, None)
    assert entry(ledger, KEY).fingerprint is None


def test_the_same_reader_gets_its_claim_again_as_it_was_made(claims: Claims) -> None:
    claim(claims, serving(), by="a")
    again = claim(claims, serving("second"), by="a", at=later(minutes=5))
    assert again == {KEY: made(serving(), "a")}
    assert claim(claims, serving(), by="b") == claim(claims, serving()) == {}


def test_the_lease_of_a_claim_begins_anew_when_its_reader_gets_it_again(claims: Claims) -> None:
    claim(claims, serving(), by="a")
    again = claims.claim(
        [serving()], claimed_by="a", run_id=None, at=later(hours=5), lease_until=later(hours=6)
    )
    assert again == {KEY: made(serving(), "a")._replace(lease_until=later(hours=6))} == claims.of([KEY])


def test_asking_again_begins_the_lease_anew(claims: Claims) -> None:
    claim(claims, serving(), by="a")
    terms = {"run_id": RUN, "at": later(hours=2), "lease_until": later(hours=3)}
    again = claims.claim([serving()], claimed_by="a", **terms)
    assert again[KEY].lease_until == claims.of([KEY])[KEY].lease_until == later(hours=3)
    assert claims.release([KEY], at=later(hours=2), over_by=later(hours=2)) == []


def test_readers_without_a_name_are_not_the_same(claims: Claims) -> None:
    claim(claims, serving())
    assert claim(claims, serving()) == {}


def test_what_the_target_has_is_never_claimed(ledger: Ledger, claims: Claims) -> None:
    ledger.acknowledge([acknowledgement(KEY)], run_id=RUN, at=NOON)
    before = entry(ledger, KEY)
    assert claim(claims, serving(), by="a") == {}
    assert entry(ledger, KEY) == before


def test_a_claim_clears_the_failure_of_before(ledger: Ledger, claims: Claims) -> None:
    ledger.record_failures(
        [Failure(*KEY, "unknown_country", "No such country", NOON_MS)], run_id=RUN, at=NOON
    )
    claim(claims, serving())
    assert standing(ledger) == ("pending", "in_flight", None, None)


def test_an_import_is_acknowledged_as_it_was_claimed_and_ends_the_claim(
    ledger: Ledger, claims: Claims
) -> None:
    claim(claims, serving())
    assert claims.settle([imported()], at=later(minutes=9)) == Settled([KEY], [], [])
    found = entry(ledger, KEY)
    assert (found.fingerprint, found.status, found.reason) == (mark("first"), "synced", None)
    assert (found.code, found.run_id) == ("KHWLI-12", RUN)
    assert ledger.documents([KEY]) == {KEY: "document of first"}
    assert list(claims.open()) == []
    assert claim(claims, serving("second")) == {}
    assert claims.settle([imported()], at=later(minutes=10)) == Settled([], [], [KEY])
    assert entry(ledger, KEY) == found


def test_a_rejected_order_waits_longer_each_time_and_may_be_claimed_again(
    state: State, ledger: Ledger, claims: Claims
) -> None:
    for at, delay in enumerate(REJECTION_DELAYS[:3]):
        now = later(days=at)
        assert claim(claims, serving(), at=now) == {KEY: made(serving(), at=now)}
        assert claims.settle([rejected("first")], at=now) == Settled([], [KEY], [])
        retry_at = NOON_MS + at * 86_400_000 + int(delay.total_seconds() * 1000)
        assert standing(ledger) == ("failed", "rejected", "No debtor", retry_at)
        assert claims.settle([rejected("first")], at=now) == Settled([], [], [KEY])
    assert len(attempts(state)) == 3


def test_a_released_order_may_be_claimed_again(ledger: Ledger, claims: Claims) -> None:
    claim(claims, serving(), serving(key=OTHER))
    claims.fail([Failure(*KEY, "outcome_unknown", "Nobody knows")], run_id=RUN, at=NOON)
    assert claims.release([OTHER, KEY, (99, 0)], at=later(hours=1)) == [KEY, OTHER]
    assert claims.release([KEY], at=later(hours=1)) == []
    assert standing(ledger) == ("pending", "queued", None, None)
    assert ledger.rows_for([(99, 0)]) == []
    second = serving("second")
    assert claim(claims, second, at=later(hours=1)) == {KEY: made(second, at=later(hours=1))}


def test_who_looked_before_a_lease_was_renewed_releases_nothing(claims: Claims) -> None:
    claim(claims, serving(), serving(key=OTHER))
    claims.start_clock([OTHER], lease_until=later(hours=3))
    assert claims.release([KEY, OTHER], at=later(hours=2), over_by=later(hours=2)) == [KEY]
    assert [one.key for one in claims.open()] == [OTHER]
    assert claims.release([OTHER], at=later(hours=2)) == [OTHER]


def test_who_looked_earlier_does_not_end_a_claim_made_or_renewed_since(claims: Claims) -> None:
    claim(claims, serving(), serving(key=OTHER))
    looked_at = later(minutes=59)
    assert claims.release([KEY, OTHER], at=later(hours=2), over_by=looked_at) == []
    claims.start_clock([OTHER], lease_until=later(hours=3))
    assert claims.release([KEY, OTHER], at=later(hours=2), over_by=later(hours=1)) == [KEY]


@pytest.mark.parametrize("again", [None, "first", "second"])
def test_a_late_import_of_what_was_released_ends_every_claim_of_the_order(
    ledger: Ledger, claims: Claims, again: str | None
) -> None:
    claim(claims, serving())
    claims.release([KEY], at=later(hours=1))
    if again is not None:
        assert KEY in claim(claims, serving(again), at=later(hours=1))
    assert claims.settle([imported("first")], at=later(hours=2)) == Settled([KEY], [], [])
    assert entry(ledger, KEY).fingerprint == mark("first")
    assert list(claims.open()) == []
    # The second document may be rejected now, as a duplicate: the order is there all the same.
    assert claims.settle([rejected("second")], at=later(hours=3)) == Settled([], [], [KEY])
    assert entry(ledger, KEY).status == "synced"


def test_a_late_import_counts_although_the_version_was_rejected_in_the_same_breath(
    ledger: Ledger, claims: Claims
) -> None:
    claim(claims, serving())
    settled = claims.settle([rejected("first"), imported("first"), imported("first")], at=NOON)
    assert settled == Settled([KEY], [KEY], [KEY])
    assert entry(ledger, KEY).status == "synced"


def test_what_is_released_is_not_what_a_result_without_a_version_speaks_of(claims: Claims) -> None:
    claim(claims, serving())
    claims.release([KEY], at=NOON)
    assert claims.settle([imported()], at=NOON) == Settled([], [], [KEY])
    assert claims.settle([rejected("first")], at=NOON) == Settled([], [], [KEY])


def test_a_result_for_a_version_that_was_never_claimed_settles_nothing(claims: Claims) -> None:
    claim(claims, serving())
    assert claims.settle([imported("second"), rejected("second")], at=NOON).unknown == [KEY, KEY]
    assert list(claims.open()) == [made(serving())]


def test_the_clock_starts_for_claims_alone(ledger: Ledger, claims: Claims) -> None:
    for key in (KEY, OTHER):
        one = serving(key=key)
        claims.claim([one], claimed_by=None, run_id=RUN, at=NOON, lease_until=NOT_TAKEN)
    assert {one.lease_until for one in claims.open()} == {NOT_TAKEN}
    claims.release([OTHER], at=NOON)
    claims.start_clock([KEY, OTHER, (99, 0)], lease_until=later(hours=3))
    assert [one.lease_until for one in claims.open()] == [later(hours=3)]
    assert [one.key_major for one in ledger.served.leased(later(hours=2))] == [KEY[0]]


def test_only_what_the_target_has_nothing_of_fails(ledger: Ledger, claims: Claims) -> None:
    claim(claims, serving())
    ledger.acknowledge([acknowledgement(OTHER)], run_id=RUN, at=NOON)
    failures = [Failure(*key, "outcome_unknown", "Nobody knows") for key in (KEY, OTHER, (14, 0))]
    assert claims.fail(failures, run_id=RUN, at=NOON) == 2
    assert (
        standing(ledger) == standing(ledger, (14, 0)) == ("failed", "outcome_unknown", "Nobody knows", None)
    )
    assert entry(ledger, OTHER).status == "synced"
    assert list(claims.open()) == [made(serving())]


def test_many_claims_are_read_and_changed_piece_by_piece(ledger: Ledger, claims: Claims) -> None:
    keys = [(id_order, 0) for id_order in range(1, 1002)]
    assert list(claim(claims, *(serving(key=key) for key in keys))) == keys
    assert [one.key for one in claims.open()] == keys
    assert list(claims.of(keys)) == keys
    claims.start_clock(keys, lease_until=NOON)
    assert {one.lease_until for one in claims.open()} == {NOON}
    assert claims.release(keys[:500], at=NOON) == keys[:500]
    assert len(claims.settle([imported(key=key) for key in keys], at=NOON).acknowledged) == 501
    assert (ledger.count(), list(claims.open())) == (501, [])


def test_claims_of_another_target_are_others(state: State, claims: Claims) -> None:
    claim(claims, serving())
    belgium = state.ledger("order", "belgium").claims
    assert (list(belgium.open()), belgium.of([KEY])) == ([], {})
    assert claim(belgium, serving()) == {KEY: made(serving())}


def _claim_all(url: str, reader: str) -> list[int]:
    """Claim every record, a few at a time and from another place in the row for each reader."""
    granted: list[int] = []
    with open_state(url, create=False) as state:
        claims = state.ledger("order", "exact").claims
        turn = int(reader) * 25
        records = RECORDS[turn:] + RECORDS[:turn]
        for start in range(0, len(records), 10):
            batch = [serving(key=key) for key in records[start : start + 10]]
            granted += [
                key[0]
                for key, claim in claims.claim(
                    batch, claimed_by=reader, run_id=None, at=NOON, lease_until=NOON
                ).items()
                if claim.claimed_by == reader
            ]
    return granted


def test_of_many_processes_that_claim_the_same_records_each_is_granted_to_one(state_url: str) -> None:
    with open_state(state_url, create=True):
        pass
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as processes:
        started = [processes.submit(_claim_all, state_url, str(reader)) for reader in range(PROCESSES)]
        granted = [one.result(timeout=100) for one in started]
    assert sorted(id_order for one in granted for id_order in one) == [major for major, _ in RECORDS]
    with open_state(state_url, create=False) as state:
        holders = {one.key_major: one.claimed_by for one in state.ledger("order", "exact").claims.open()}
    assert holders == {id_order: str(reader) for reader, one in enumerate(granted) for id_order in one}
