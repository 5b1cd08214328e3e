"""Which criteria keep a combination back: every one that fails is named, never only the first."""

from __future__ import annotations

from itertools import product

import pytest

from brekzsync.domain.eligibility import CLEAR, Criterion, Standing, blockers

NOT_EXCLUDED, NOT_BUNDLE_COMPONENT = Criterion.NOT_EXCLUDED, Criterion.NOT_BUNDLE_COMPONENT
ACTIVE = Criterion.ACTIVE_IN_DATA_SHOP


@pytest.mark.parametrize(
    ("standing", "failed"),
    [
        (CLEAR, []),
        (CLEAR._replace(excluded_by_column=True), [NOT_EXCLUDED]),
        (CLEAR._replace(bundles=(4,)), [NOT_BUNDLE_COMPONENT]),
        (CLEAR._replace(in_data_shop=False), [ACTIVE]),
        (CLEAR._replace(active=False), [ACTIVE]),
        (CLEAR._replace(finished=False), [ACTIVE]),
        (Standing(True, (4, 5), False, False, False), [NOT_EXCLUDED, NOT_BUNDLE_COMPONENT, ACTIVE]),
    ],
)
def test_what_the_shop_says_keeps_it_back(standing: Standing, failed: list[Criterion]) -> None:
    assert blockers(standing) == failed


def test_a_person_may_keep_it_back_too() -> None:
    assert blockers(CLEAR, excluded=True) == [NOT_EXCLUDED]


def test_the_bundle_rule_can_be_turned_off_and_no_other() -> None:
    standing = Standing(True, (4,), True, False, True)
    assert blockers(standing, bundle_components_too=True) == [NOT_EXCLUDED, ACTIVE]


def test_nothing_but_a_clear_standing_passes() -> None:
    standings = [Standing(*facts) for facts in product([False, True], [(), (1,)], *[[False, True]] * 3)]
    assert [standing for standing in standings if not blockers(standing)] == [CLEAR]
