"""What the register of flows says."""

from __future__ import annotations

import pytest

from brekzsync.domain.sync_flows import FLOWS, show_key


@pytest.mark.parametrize(
    ("flow", "shown"), [("product", "12-0"), ("order", "12"), ("refund", "12"), ("debtor", "12")]
)
def test_a_key_is_shown_as_people_write_it(flow: str, shown: str) -> None:
    assert show_key(flow, (12, 0)) == shown


def test_only_products_are_missed_before_their_first_run() -> None:
    assert [flow.name for flow in FLOWS.values() if not flow.may_be_unused] == ["product"]
