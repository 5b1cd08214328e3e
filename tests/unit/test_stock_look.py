"""Both sides of a look, walked in pieces of the same codes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from itertools import chain
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brekzsync.domain.shop_stock import Place
from brekzsync.domain.stock import StockRules
from brekzsync.flows.converge import OutOfOrder
from brekzsync.flows.stock import look, side_by_side
from brekzsync.flows.stock.figures import PlaceRules, Policy

SORTED = st.lists(st.sampled_from("ABCDEFGHIJ"), max_size=40).map(
    lambda codes: [(code, number) for number, code in enumerate(sorted(codes))]
)


@given(theirs=SORTED, mine=SORTED, chunk=st.integers(1, 5))
def test_pieces_hold_everything_and_no_code_is_in_two_of_them(
    theirs: list[tuple[str, int]], mine: list[tuple[str, int]], chunk: int
) -> None:
    with patch.object(side_by_side, "CHUNK", chunk):
        pieces = list(side_by_side.side_by_side(theirs, mine))

    assert list(chain.from_iterable(rows for rows, _ in pieces)) == theirs
    assert list(chain.from_iterable(owners for _, owners in pieces)) == mine
    codes = [{row[0] for row in (*rows, *owners)} for rows, owners in pieces]
    assert sum(map(len, codes)) == len(set().union(*codes))


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_rows_that_come_out_of_order_are_not_compared(chunk: int) -> None:
    with patch.object(side_by_side, "CHUNK", chunk), pytest.raises(OutOfOrder) as failed:
        list(side_by_side.side_by_side([("A",), ("C",), ("B",), ("D",)], []))
    assert "'B' came after 'C'" in failed.value.message


@pytest.mark.parametrize("keys", [[(1, 0), (1, 0)], [(2, 0), (1, 5)]])
@pytest.mark.parametrize("chunk", [1, 2])
def test_so_it_is_with_keys(keys: list[tuple[int, int]], chunk: int) -> None:
    with patch.object(side_by_side, "CHUNK", chunk), pytest.raises(OutOfOrder):
        list(side_by_side.ascending_pages([(key, "code") for key in keys], "catalogue"))


FEW = st.integers(-3, 3)
FLAGS = st.one_of(
    st.sampled_from([(True, True, None, "S"), (True, None, False, "B")]),
    st.tuples(*[st.sampled_from([True, False, None])] * 3, st.sampled_from(["S", "B", "P", "L", None])),
)
QUANTITIES = st.one_of(FEW, FEW, st.just(Decimal("1.5")))
ROWS = st.lists(st.tuples(st.sampled_from("ABCD"), FLAGS, QUANTITIES, st.integers(0, 1)), max_size=5).map(
    lambda rows: [
        (code, *flags, "1", on_hand, sold)
        for code, flags, on_hand, sold in sorted(rows, key=lambda row: row[0])
    ]
)
OWNERS = st.lists(
    st.tuples(st.sampled_from("ABCD"), st.just(1), FEW, st.just(0) | FEW, st.none() | FEW, st.integers(0, 1)),
    max_size=5,
).map(lambda owners: sorted(((*owner, None) for owner in owners), key=lambda owner: owner[0]))


@settings(max_examples=500)
@given(
    rows=ROWS,
    owners=OWNERS,
    margin=st.integers(0, 1),
    negatives=st.sampled_from(["zero", "keep"]),
    share=st.sampled_from([Decimal(1), Decimal("0.5")]),
)
def test_what_is_passed_over_as_plainly_equal_is_equal_when_it_is_looked_at_in_full(
    rows: Sequence[tuple[Any, ...]],
    owners: Sequence[tuple[Any, ...]],
    margin: int,
    negatives: Any,
    share: Decimal,
) -> None:
    place = PlaceRules(0, Place("NL", 1, 0), frozenset(), StockRules(share, "floor", negatives))
    nothing: Any = None
    parts = look.LookParts(
        nothing, nothing, nothing, Policy([place], margin, False), None, date(2026, 11, 21)
    )
    looking = look.Look(parts, [], lambda _one: None, lambda _count: None)
    try:
        for code in looking._plainly_equal(rows, owners) if looking._is_plain else ():
            figures = looking._figures(
                code, [row for row in rows if row[0] == code], [one for one in owners if one[0] == code]
            )
            assert figures is not None
            assert len(figures) == 1
            assert all(before == wanted for before, wanted in figures)
    finally:
        looking.close()
