"""Keys as people type and read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.keys import WantedId, format_key, parse_id

ids = st.integers(0, 10**10 - 1)


@given(ids, ids)
def test_a_key_reads_back_as_what_was_written(product: int, combination: int) -> None:
    assert parse_id(format_key((product, combination))) == WantedId(product, combination)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("12", WantedId(12, None)),
        ("12-34", WantedId(12, 34)),
        ("12-0", WantedId(12, 0)),
        (" 12-34\n", WantedId(12, 34)),
        ("0012", WantedId(12, None)),
    ],
)
def test_an_id_is_a_product_or_one_of_its_combinations(text: str, wanted: WantedId) -> None:
    assert parse_id(text) == wanted


@pytest.mark.parametrize(
    "text",
    ["", "-", "-12", "12-", "12-34-56", "1.5", "+12", "12 34", "12 - 34", "abc", "0x12", "१२", "12345678901"],
)
def test_anything_else_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="give a combination key such as 12-34 or a product id such as 12"):
        parse_id(text)
