"""Exclusions: what a person keeps out of the export."""

from __future__ import annotations

from brekzsync.state.database import State
from brekzsync.state.exclusions import Exclusion, Exclusions
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


def test_including_a_combination_reaches_its_reference_under_an_earlier_id(state: State) -> None:
    state.exclusions.add(1, by_whom="ann", at=NOON)
    state.exclusions.add(1, 10, reference="demo", by_whom="ann", at=NOON)
    state.exclusions.add(1, 11, reference="other", by_whom="ann", at=NOON)
    assert state.exclusions.remove(1, 12, reference="Demo ") == 1
    assert state.exclusions.remove(1, 12, reference="Demo ") == 0
    left = state.exclusions.all()
    assert (list(left.products), list(left.combinations)) == ([1], [(1, 11)])


def test_including_a_product_includes_all_its_combinations(state: State) -> None:
    state.exclusions.add(1, by_whom="ann", at=NOON)
    state.exclusions.add(1, 10, reference="demo", by_whom="ann", at=NOON)
    state.exclusions.add(2, by_whom="ann", at=NOON)
    assert state.exclusions.remove(1) == 2
    assert state.exclusions.all() == Exclusions(products={2: exclusion(2)})
