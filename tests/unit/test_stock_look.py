"""Both sides of a look, walked in pieces of the same codes."""

from __future__ import annotations

from itertools import chain
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.flows.converge import OutOfOrder
from brekzsync.flows.stock import look

SORTED = st.lists(st.sampled_from("ABCDEFGHIJ"), max_size=40).map(
    lambda codes: [(code, number) for number, code in enumerate(sorted(codes))]
)


@given(theirs=SORTED, mine=SORTED, chunk=st.integers(1, 5))
def test_pieces_hold_everything_and_no_code_is_in_two_of_them(
    theirs: list[tuple[str, int]], mine: list[tuple[str, int]], chunk: int
) -> None:
    with patch.object(look, "_CHUNK", chunk):
        pieces = list(look._side_by_side(theirs, mine))

    assert list(chain.from_iterable(rows for rows, _ in pieces)) == theirs
    assert list(chain.from_iterable(owners for _, owners in pieces)) == mine
    codes = [{row[0] for row in (*rows, *owners)} for rows, owners in pieces]
    assert sum(map(len, codes)) == len(set().union(*codes))


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_rows_that_come_out_of_order_are_not_compared(chunk: int) -> None:
    with patch.object(look, "_CHUNK", chunk), pytest.raises(OutOfOrder) as failed:
        list(look._side_by_side([("A",), ("C",), ("B",), ("D",)], []))
    assert "'B' came after 'C'" in failed.value.message


@pytest.mark.parametrize("keys", [[(1, 0), (1, 0)], [(2, 0), (1, 5)]])
@pytest.mark.parametrize("chunk", [1, 2])
def test_so_it_is_with_keys(keys: list[tuple[int, int]], chunk: int) -> None:
    with patch.object(look, "_CHUNK", chunk), pytest.raises(OutOfOrder):
        list(look._ascending([(key, "code") for key in keys], "catalogue"))
