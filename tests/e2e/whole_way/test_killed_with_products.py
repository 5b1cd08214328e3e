"""Whoever is killed at whatever step, a product that is on its way arrives, once."""

from __future__ import annotations

import pytest

from tests.e2e.whole_way.conftest import Whole
from tests.e2e.whole_way.every_step import WHO_WHERE, kill_at_every_step


@pytest.mark.long
@pytest.mark.parametrize(("whole", "who"), WHO_WHERE, indirect=["whole"])
def test_killed_at_any_step_products_arrive_once(whole: Whole, who: str) -> None:
    kill_at_every_step(whole, "products", who)
