"""The counts of a run, its reasons, and the signature of what failed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.outcomes import SAMPLE, FailedRecord, Tally

failed_records = st.builds(
    FailedRecord,
    st.tuples(st.integers(1, 9), st.integers(0, 9)),
    st.sampled_from(["missing_price", "missing_item_code"]),
    st.text(max_size=3),
    st.booleans(),
    st.just("product"),
)


def tally_of(failures: list[FailedRecord]) -> Tally:
    tally = Tally()
    for failure in failures:
        tally.fail(failure)
    return tally


def failure(number: int, *, repeated: bool, reason: str = "missing_price") -> FailedRecord:
    return FailedRecord((number, 0), reason, "Set a price.", repeated)


def test_a_run_that_found_nothing_counts_nothing_and_has_no_signature() -> None:
    tally = Tally()
    assert tally.counts() == dict.fromkeys(
        ["read", "eligible", "pending", "delivered", "unchanged", "skipped", "failed"], 0
    )
    assert (tally.all_reasons(), tally.signature) == ({}, None)


def test_a_failure_is_counted_with_its_reason() -> None:
    tally = tally_of(
        [failure(1, repeated=False), failure(2, repeated=True), failure(3, repeated=False, reason="x")]
    )
    assert (tally.failed, tally.new_failures, dict(tally.reasons)) == (3, 2, {"missing_price": 2, "x": 1})
    assert [one.shown for one in tally.failures] == ["1-0", "2-0", "3-0"]


def test_reasons_and_warnings_are_shown_together_the_most_frequent_first() -> None:
    tally = tally_of([failure(1, repeated=False)])
    tally.warnings.update({"description_cut": 3})
    tally.reasons["not_excluded"] = 2
    assert list(tally.all_reasons().items()) == [
        ("description_cut", 3),
        ("not_excluded", 2),
        ("missing_price", 1),
    ]


@given(st.lists(failed_records, max_size=8), st.lists(failed_records, max_size=8))
def test_signatures_are_equal_exactly_when_the_same_records_failed_for_the_same_reasons(
    one: list[FailedRecord], other: list[FailedRecord]
) -> None:
    def what(failures: list[FailedRecord]) -> list[tuple[object, str]]:
        return [(failure.key, failure.reason) for failure in failures]

    assert (tally_of(one).signature == tally_of(other).signature) is (what(one) == what(other))


def test_the_signature_is_that_of_all_failures_also_beyond_the_sample() -> None:
    many = [failure(number, repeated=True) for number in range(SAMPLE + 5)]
    assert tally_of(many).signature != tally_of(many[:-1]).signature


def test_the_sample_keeps_new_failures_before_repeated_ones() -> None:
    old = [failure(number, repeated=True) for number in range(SAMPLE * 2)]
    new = [failure(number, repeated=False) for number in range(1000, 1000 + SAMPLE - 2)]
    tally = tally_of([*old, *new])
    assert (tally.failed, tally.new_failures, len(tally.failures)) == (SAMPLE * 3 - 2, SAMPLE - 2, SAMPLE)
    assert {one.key for one in tally.failures if not one.repeated} == {one.key for one in new}


@given(st.lists(failed_records, max_size=SAMPLE * 3))
def test_the_sample_is_bounded_and_holds_every_new_failure_there_is_room_for(
    failures: list[FailedRecord],
) -> None:
    tally = tally_of(failures)
    new = sum(not one.repeated for one in failures)
    assert len(tally.failures) == min(len(failures), SAMPLE)
    assert sum(not one.repeated for one in tally.failures) == min(new, SAMPLE)
    assert sum(tally.reasons.values()) == tally.failed == len(failures)


def test_what_a_baseline_takes_as_known_is_unchanged_and_the_rest_is_left() -> None:
    tally = Tally(read=12, eligible=10, skipped=2, pending=7, unchanged=3)
    tally.fail(FailedRecord((1, 0), "missing_price", "The price is 0.", repeated=False))

    tally.take_as_known(4)

    assert tally.counts() == {
        "read": 12, "eligible": 10, "pending": 3, "delivered": 0, "unchanged": 7, "skipped": 2, "failed": 1,
    }  # fmt: skip
    assert (tally.left, tally.reasons["not_in_erp"]) == (2, 2)
