"""The merge join of source and ledger: what it pairs, when it stops, and that it never reads ahead."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice, pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.keys import ProductKey
from brekzsync.flows.converge import OutOfOrder, ascending, merge_join


class Record(NamedTuple):
    key: ProductKey
    side: str


keys = st.tuples(st.integers(0, 6), st.integers(0, 6))
key_sets = st.sets(keys)
Pairs = list[tuple[Record | None, Record | None]]


def records(some: object, side: str) -> Iterator[Record]:
    return (Record(key, side) for key in some)  # type: ignore[attr-defined]


def until_it_stops(source: list[ProductKey], ledger: list[ProductKey]) -> tuple[Pairs, OutOfOrder | None]:
    pairs: Pairs = []
    try:
        for pair in merge_join(records(source, "source"), records(ledger, "ledger")):
            pairs.append(pair)
    except OutOfOrder as error:
        return pairs, error
    return pairs, None


def pairs_of(source: set[ProductKey], ledger: set[ProductKey]) -> Pairs:
    """What set theory says, in key order."""
    return [
        (
            Record(key, "source") if key in source else None,
            Record(key, "ledger") if key in ledger else None,
        )
        for key in sorted(source | ledger)
    ]


@given(key_sets, key_sets)
def test_every_key_of_either_side_is_paired_once_in_key_order(
    source: set[ProductKey], ledger: set[ProductKey]
) -> None:
    assert until_it_stops(sorted(source), sorted(ledger)) == (pairs_of(source, ledger), None)


def test_two_empty_sides_have_no_pairs() -> None:
    assert list(merge_join([], [])) == []


def test_keys_are_two_integers_and_no_text() -> None:
    source = [(2, 9), (2, 10), (10, 0)]
    assert until_it_stops(source, [(2, 10)]) == (pairs_of(set(source), {(2, 10)}), None)


def is_ascending(some: list[ProductKey]) -> bool:
    return all(before < after for before, after in pairwise(some))


def ascending_start(some: list[ProductKey]) -> list[ProductKey]:
    return next((some[:end] for end in range(len(some), 0, -1) if is_ascending(some[:end])), [])


@given(st.lists(keys, max_size=8), st.lists(keys, max_size=8))
def test_a_key_out_of_order_on_either_side_stops_it_before_anything_later(
    source: list[ProductKey], ledger: list[ProductKey]
) -> None:
    pairs, error = until_it_stops(source, ledger)
    in_order = is_ascending(source) and is_ascending(ledger)
    assert (error is None) is in_order
    whole = pairs_of(set(ascending_start(source)), set(ascending_start(ledger)))
    if in_order:
        assert pairs == whole
        return
    # What came before is right, and a key beyond the last trusted one of the broken side was not judged.
    assert pairs == whole[: len(pairs)]
    ends = [
        start[-1]
        for start, some in ((ascending_start(source), source), (ascending_start(ledger), ledger))
        if len(start) < len(some)
    ]
    assert all((one or other).key <= max(ends) for one, other in pairs if one or other)


@pytest.mark.parametrize(
    ("source", "ledger", "sentence"),
    [
        ([(1, 0), (1, 0)], [], "The source gave 1-0 after 1-0"),
        ([(1, 2), (1, 1)], [], "The source gave 1-1 after 1-2"),
        ([], [(9, 0), (10, 0), (2, 5)], "The ledger gave 2-5 after 10-0"),
        ([(1, 0), (11, 0)], [(9, 0), (9, 0)], "The ledger gave 9-0 after 9-0"),
        ([(-1, -1)], [], "The source gave -1--1 after -1--1"),
    ],
)
def test_it_says_which_side_gave_what(
    source: list[ProductKey], ledger: list[ProductKey], sentence: str
) -> None:
    _, error = until_it_stops(source, ledger)
    assert error is not None
    assert (error.message.partition(":")[0], error.code, error.exit_code) == (sentence, "out_of_order", 1)
    assert "nothing was judged deleted" in error.message


def test_endless_streams_are_read_as_far_as_is_asked_and_no_further() -> None:
    read = {"source": 0, "ledger": 0}

    def endless(side: str, step: int) -> Iterator[Record]:
        for number in count(0, step):
            read[side] += 1
            yield Record((number, 0), side)

    joined = merge_join(endless("source", 2), endless("ledger", 3))
    assert read == {"source": 0, "ledger": 0}
    shown = [(one and one.key[0], other and other.key[0]) for one, other in islice(joined, 5)]
    assert shown == [(0, 0), (2, None), (None, 3), (4, None), (6, 6)]
    assert read["source"] <= 5
    assert read["ledger"] <= 5


def test_a_source_that_breaks_off_leaves_the_rest_of_the_ledger_unjudged() -> None:
    def breaking() -> Iterator[Record]:
        yield Record((2, 0), "source")
        raise ConnectionError

    joined = merge_join(breaking(), records([(1, 0), (2, 0), (3, 0)], "ledger"))
    assert [next(joined)[1], next(joined)[1]] == list(records([(1, 0), (2, 0)], "ledger"))
    with pytest.raises(ConnectionError):
        next(joined)


def test_ascending_gives_each_record_with_its_key() -> None:
    some = [Record((1, 0), "source"), Record((1, 1), "source")]
    assert list(ascending(some, "source")) == [(one, one.key) for one in some]
