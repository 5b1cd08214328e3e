"""Values are printed as TOML that reads back as the same values."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from brekzsync.settings.flows import StockShop
from brekzsync.settings.toml_text import toml_key, toml_value

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(TEXTS, VALUES)
def test_what_is_printed_is_read_back(key: str, value: Any) -> None:
    assert tomllib.loads(f"{toml_key(key)} = {toml_value(value)}") == {key: value}


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (timedelta(minutes=90), '"90m"'),
        (Decimal("0.125"), '"12.5%"'),
        (Path("outbox"), '"./outbox"'),
        (Path("/srv/outbox"), '"/srv/outbox"'),
        (SecretStr("hush"), '"hush"'),
        ({"21": "2", "5.5": "3", "NL:9": "1"}, '{ 21 = "2", "5.5" = "3", "NL:9" = "1" }'),
        ({}, "{}"),
        (StockShop(warehouses=["1"]), '{ warehouses = ["1"], share = "100%" }'),
    ],
)
def test_values_stand_as_people_write_them(value: object, printed: str) -> None:
    assert toml_value(value) == printed
