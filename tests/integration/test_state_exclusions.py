"""Exclusions: what a person keeps out of the export."""

from __future__ import annotations

from dataclasses import replace

import pytest

from brekzsync.domain.exclusions import Exclusion, Exclusions
from brekzsync.domain.keys import WantedId
from brekzsync.errors import BrekzsyncError
from brekzsync.state.database import State
from tests.integration.state_rows import NOON, later


def exclusion(
    id_product: int,
    id_product_attribute: int | None = None,
    reference: str | None = None,
    reason: str = "",
    hours: float = 0,
) -> Exclusion:
    return Exclusion(
        id_product=id_product,
        id_product_attribute=id_product_attribute,
        reference=reference,
        reason=reason,
        by_whom="ann",
        created_at=later(hours=hours),
    )


def test_products_combinations_and_references_are_told_apart(state: State) -> None:
    assert state.exclusions.all() == Exclusions()
    state.exclusions.add(1, reason="discontinued", by_whom="ann", at=NOON)
    state.exclusions.add(2, 20, reference=" demo-2 ", by_whom="ann", at=NOON)
    state.exclusions.add(3, 0, by_whom="ann", at=NOON)
    combination = exclusion(2, 20, "DEMO-2")
    assert state.exclusions.all() == Exclusions(
        products={1: exclusion(1, reason="discontinued")},
        combinations={(2, 20): combination, (3, 0): exclusion(3, 0)},
        references={"DEMO-2": combination},
    )


def test_what_covers_a_combination(state: State) -> None:
    state.exclusions.add(1, by_whom="ann", at=NOON)
    state.exclusions.add(2, 20, reference="demo-2", by_whom="ann", at=NOON)
    found = state.exclusions.all()
    assert found.covering((1, 999), "") == exclusion(1)
    assert found.covering((2, 20), "renamed") == exclusion(2, 20, "DEMO-2")
    assert found.covering((2, 21), " Demo-2") == exclusion(2, 20, "DEMO-2")
    assert found.covering((2, 21), "other") is None
    assert found.covering((2, 21), "") is None


def test_excluding_again_replaces(state: State) -> None:
    for hours, reason in ((0, "first"), (1, "second")):
        at = later(hours=hours)
        state.exclusions.add(1, reason=reason, by_whom="ann", at=at)
        state.exclusions.add(1, 10, reference=f"r{hours}", reason=reason, by_whom="ann", at=at)
    combination = exclusion(1, 10, "R1", "second", 1)
    assert state.exclusions.all() == Exclusions(
        products={1: exclusion(1, None, None, "second", 1)},
        combinations={(1, 10): combination},
        references={"R1": combination},
    )


def test_several_are_recorded_at_once_and_replace_what_was_there(state: State) -> None:
    state.exclusions.add(1, 10, reference="old", reason="first", by_whom="ann", at=NOON)
    many = [exclusion(1, 10, "NEW", "second", 1), exclusion(2), exclusion(2, 0, "TWO")]
    state.exclusions.record(many)
    state.exclusions.record([])
    found = state.exclusions.all()
    assert found.all() == many
    assert set(found.references) == {"NEW", "TWO"}


def test_ending_takes_off_just_what_is_named(state: State) -> None:
    whole, own, sibling, renamed = (
        exclusion(1),
        exclusion(1, 10, "DEMO"),
        exclusion(1, 11, "OTHER"),
        exclusion(2, 20, "DEMO"),
    )
    state.exclusions.record([whole, own, sibling, renamed])
    for _ in range(2):
        state.exclusions.end([whole.id, own.id, WantedId(9, None)], [renamed.id])
        assert state.exclusions.all().all() == [sibling, exclusion(2, 20)]
    assert list(state.exclusions.all().references) == ["OTHER"]


def test_a_list_that_cannot_be_written_whole_is_not_written_at_all(state: State) -> None:
    broken = replace(exclusion(2), reason=None)
    with pytest.raises(BrekzsyncError):
        state.exclusions.record([exclusion(1), broken])
    assert state.exclusions.all() == Exclusions()
