"""PrestaShop's precedence of specific prices, what a visitor then pays, and on which full days."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.specific_prices import (
    DEFAULT_PRIORITIES,
    ZERO_DATE,
    SpecificPrice,
    Visitor,
    applying,
    full_days,
    price_paid,
    priority_weights,
)

NOW = "2026-11-21 13:00:00"
VISITOR = Visitor(id_shop=1, id_currency=2, id_country=13, id_group=5, now=NOW)
WEIGHTS = priority_weights("id_group;id_currency;id_country;id_shop")
COMBINATION = 34

RULE = SpecificPrice(
    id_specific_price=1,
    id_specific_price_rule=0,
    id_product_attribute=0,
    id_shop=0,
    id_currency=0,
    id_country=0,
    id_group=0,
    from_quantity=1,
    price=Decimal(-1),
    reduction=Decimal("0.10"),
    reduction_type="percentage",
    reduction_includes_tax=True,
    starts=ZERO_DATE,
    ends=ZERO_DATE,
)


def rule(number: int, **fields: Any) -> SpecificPrice:
    return RULE._replace(id_specific_price=number, **fields)


def chosen(*rules: SpecificPrice, weights: dict[str, int] = WEIGHTS) -> int | None:
    """The number of the rule that applies, whichever order they are read in."""
    forth, back = (applying(some, COMBINATION, VISITOR, weights) for some in (rules, rules[::-1]))
    assert forth == back
    return forth.id_specific_price if forth else None


# --- which rows may apply at all ---------------------------------------------------------------------------


def test_without_rules_none_applies() -> None:
    assert chosen() is None


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"id_product_attribute": COMBINATION},
        {"id_shop": 1, "id_currency": 2, "id_country": 13, "id_group": 5},
        {"from_quantity": 0},
    ],
)
def test_a_rule_for_everybody_or_for_this_visitor_applies(fields: dict[str, int]) -> None:
    assert chosen(rule(7, **fields)) == 7


@pytest.mark.parametrize(
    "fields",
    [
        {"id_product_attribute": 35},
        {"id_shop": 2},
        {"id_currency": 1},
        {"id_country": 8},
        {"id_group": 1},
        {"from_quantity": 2},
        {"from_quantity": 10},
    ],
)
def test_a_rule_for_somebody_or_something_else_does_not(fields: dict[str, int]) -> None:
    assert chosen(rule(7, **fields)) is None


@pytest.mark.parametrize(
    ("starts", "ends", "applies"),
    [
        (ZERO_DATE, ZERO_DATE, True),
        (NOW, ZERO_DATE, True),
        ("2026-11-21 13:00:01", ZERO_DATE, False),
        ("2026-11-21 13:01:00", ZERO_DATE, False),
        (ZERO_DATE, NOW, True),
        (ZERO_DATE, "2026-11-21 13:00:59", True),
        (ZERO_DATE, "2026-11-21 12:59:59", False),
        (NOW, NOW, True),
        ("2026-11-21 13:01:00", "2026-11-21 12:59:00", False),
        ("2026-00-00 00:00:00", ZERO_DATE, True),
        ("1970-01-01 00:00:00", "9999-12-31 23:59:59", True),
    ],
)
def test_it_applies_from_its_first_minute_through_its_last(starts: str, ends: str, applies: bool) -> None:
    assert (chosen(rule(7, starts=starts, ends=ends)) == 7) is applies


# --- which of several --------------------------------------------------------------------------------------

EARLIER, LATER = "2026-11-01 00:00:00", "2026-11-02 00:00:00"
SOON, LATE = "2026-12-01 00:00:00", "2026-12-02 00:00:00"


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        # each criterion beats everything below it
        ({"id_product_attribute": COMBINATION, "from_quantity": 0}, {"from_quantity": 1}),
        ({"id_product_attribute": COMBINATION, "id_specific_price_rule": 9}, {"id_specific_price_rule": 0}),
        ({"id_product_attribute": COMBINATION}, {"id_group": 5, "id_shop": 1}),
        ({"from_quantity": 1, "id_specific_price_rule": 9}, {"from_quantity": 0}),
        ({"from_quantity": 1}, {"from_quantity": 0, "id_group": 5}),
        ({"id_specific_price_rule": 0}, {"id_specific_price_rule": 9, "id_group": 5}),
        ({"id_specific_price_rule": 8}, {"id_specific_price_rule": 9, "id_group": 5}),
        ({"id_group": 5}, {"id_currency": 2, "id_country": 13, "id_shop": 1}),
        ({"id_currency": 2}, {"id_country": 13, "id_shop": 1}),
        ({"id_country": 13}, {"id_shop": 1}),
        ({"id_shop": 1}, {"ends": LATE}),
        ({"ends": LATE}, {"ends": SOON, "starts": LATER}),
        ({"ends": SOON}, {"ends": ZERO_DATE, "starts": LATER}),
        ({"starts": LATER}, {"starts": EARLIER}),
        ({"starts": EARLIER}, {"starts": ZERO_DATE}),
    ],
)
def test_the_more_specific_rule_wins(winner: dict[str, Any], loser: dict[str, Any]) -> None:
    assert chosen(rule(1, **loser), rule(2, **winner)) == 2
    assert chosen(rule(2, **loser), rule(1, **winner)) == 1


def test_of_rules_that_tie_in_everything_the_oldest_is_taken() -> None:
    assert chosen(rule(3), rule(2), rule(4)) == 2


@pytest.mark.parametrize(
    ("priorities", "weights"),
    [
        (
            "id_group;id_currency;id_country;id_shop",
            {"id_group": 16, "id_currency": 8, "id_country": 4, "id_shop": 2},
        ),
        (DEFAULT_PRIORITIES, {"id_shop": 16, "id_currency": 8, "id_country": 4, "id_group": 2}),
        ("id_country;id_shop", {"id_country": 4, "id_shop": 2}),
        ("id_shop;;nonsense;id_group", {"id_shop": 4, "id_group": 2}),
        ("", {}),
    ],
)
def test_the_first_priority_weighs_more_than_all_others_together(
    priorities: str, weights: dict[str, int]
) -> None:
    assert priority_weights(priorities) == weights


def test_the_priorities_decide_between_a_groups_rule_and_a_shops() -> None:
    rules = rule(1, id_group=5), rule(2, id_shop=1)
    assert chosen(*rules, weights=priority_weights("id_group;id_shop")) == 1
    assert chosen(*rules, weights=priority_weights("id_shop;id_group")) == 2


# --- the same, as the documented ORDER BY says it -----------------------------------------------------------

few_dates = st.sampled_from(
    [
        ZERO_DATE,
        "2026-11-20 00:00:00",
        "2026-11-21 12:59:59",
        NOW,
        "2026-11-21 13:00:01",
        "2026-12-01 00:00:00",
    ]
)


def _one_of(*values: int) -> st.SearchStrategy[int]:
    return st.sampled_from(values)


rules_at_random = st.lists(
    st.builds(
        RULE._replace,
        id_specific_price_rule=_one_of(0, 0, 3, 4),
        id_product_attribute=_one_of(0, 0, COMBINATION, 35),
        id_shop=_one_of(0, 1, 2),
        id_currency=_one_of(0, 2, 3),
        id_country=_one_of(0, 13, 8),
        id_group=_one_of(0, 5, 1),
        from_quantity=_one_of(0, 1, 1, 2),
        starts=few_dates,
        ends=few_dates,
    ),
    max_size=12,
).map(lambda rules: [one._replace(id_specific_price=place) for place, one in enumerate(rules, 1)])
orders = st.permutations(["id_group", "id_currency", "id_country", "id_shop"])


def naively(rules: list[SpecificPrice], priorities: list[str]) -> SpecificPrice | None:
    """WHERE and ORDER BY of PrestaShop's query, criterion by criterion; equal rows by their id."""
    powers = {field: 2 ** (4 - place) for place, field in enumerate(priorities)}

    def applies(one: SpecificPrice) -> bool:
        concerned = all(getattr(one, field) in (0, getattr(VISITOR, field)) for field in powers)
        begun = one.starts == ZERO_DATE or one.starts <= NOW
        lasts = one.ends == ZERO_DATE or one.ends >= NOW
        quantity = one.from_quantity if one.from_quantity > 1 else 0
        return (
            concerned and begun and lasts and quantity <= 1 and one.id_product_attribute in (0, COMBINATION)
        )

    def score(one: SpecificPrice) -> int:
        return sum(power for field, power in powers.items() if getattr(one, field) == getattr(VISITOR, field))

    def compared(left: SpecificPrice, right: SpecificPrice) -> int:
        criteria: list[tuple[Any, Any, str]] = [
            (left.id_product_attribute, right.id_product_attribute, "desc"),
            (left.from_quantity, right.from_quantity, "desc"),
            (left.id_specific_price_rule, right.id_specific_price_rule, "asc"),
            (score(left), score(right), "desc"),
            (left.ends, right.ends, "desc"),
            (left.starts, right.starts, "desc"),
            (left.id_specific_price, right.id_specific_price, "asc"),
        ]
        for mine, other, direction in criteria:
            if mine != other:
                return -1 if (mine < other) == (direction == "asc") else 1
        return 0

    ordered = sorted(filter(applies, rules), key=cmp_to_key(compared))
    return ordered[0] if ordered else None


@given(rules_at_random, orders)
def test_the_rule_is_the_first_of_prestashops_own_order(
    rules: list[SpecificPrice], priorities: list[str]
) -> None:
    expected = naively(rules, priorities)
    assert applying(rules, COMBINATION, VISITOR, priority_weights(";".join(priorities))) == expected


# --- what is then paid -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "paid"),
    [
        # base 100, impact 10, tax 25 %
        ({"reduction": "0.20"}, "88"),
        ({"reduction": "1"}, "0"),
        ({"reduction": "0"}, "110"),
        ({"reduction_type": "amount", "reduction": "12.5", "reduction_includes_tax": True}, "100"),
        ({"reduction_type": "amount", "reduction": "12.5", "reduction_includes_tax": False}, "97.5"),
        ({"price": "40", "reduction": "0"}, "50"),
        ({"price": "40", "reduction": "0.5"}, "25"),
        ({"price": "40", "reduction": "0", "id_product_attribute": COMBINATION}, "40"),
        ({"price": "40", "reduction": "0.25", "id_product_attribute": COMBINATION}, "30"),
        ({"price": "0", "reduction": "0"}, "10"),
        ({"price": "0", "reduction": "0", "id_product_attribute": COMBINATION}, "0"),
        ({"price": "-1", "reduction": "0.10", "id_product_attribute": COMBINATION}, "99"),
        ({"price": "-0.01", "reduction": "0"}, "110"),
        ({"price": "40", "reduction_type": "amount", "reduction": "12.5"}, "40"),
        ({"reduction_type": "amount", "reduction": "500"}, "0"),
        ({"reduction": "1.5"}, "0"),
    ],
)
def test_a_visitor_pays(fields: dict[str, Any], paid: str) -> None:
    decimals = {name: Decimal(fields[name]) for name in ("price", "reduction") if name in fields}
    assert price_paid(
        rule(1, **(fields | decimals)), base=Decimal(100), impact=Decimal(10), tax_rate=Decimal(25)
    ) == Decimal(paid)


def test_the_groups_reduction_comes_after_the_rule() -> None:
    paid = price_paid(
        rule(1, reduction=Decimal("0.20")),
        base=Decimal(100),
        impact=Decimal(-50),
        tax_rate=Decimal(0),
        group_reduction=Decimal("0.05"),
    )
    assert paid == Decimal(38)


decimals = st.decimals(-1000, 1000, places=6)


@given(
    st.builds(
        RULE._replace,
        price=decimals,
        reduction=decimals,
        reduction_type=st.sampled_from(["amount", "percentage", ""]),
        reduction_includes_tax=st.booleans(),
        id_product_attribute=_one_of(0, COMBINATION),
    ),
    decimals,
    decimals,
    st.decimals(0, 100, places=3),
    st.decimals(0, 1, places=4),
)
def test_nobody_is_ever_paid_to_take_it(
    one: SpecificPrice, base: Decimal, impact: Decimal, rate: Decimal, group: Decimal
) -> None:
    assert price_paid(one, base=base, impact=impact, tax_rate=rate, group_reduction=group) >= 0


# --- on which days -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("starts", "ends", "days"),
    [
        (ZERO_DATE, ZERO_DATE, ("", "")),
        ("2026-11-21 00:00:00", ZERO_DATE, ("2026-11-21", "")),
        ("2026-11-21 00:00:01", ZERO_DATE, ("2026-11-22", "")),
        ("2026-11-21 23:59:59", ZERO_DATE, ("2026-11-22", "")),
        (ZERO_DATE, "2026-11-21 23:59:59", ("", "2026-11-21")),
        (ZERO_DATE, "2026-11-21 23:59:00", ("", "2026-11-21")),
        (ZERO_DATE, "2026-11-21 23:58:59", ("", "2026-11-20")),
        (ZERO_DATE, "2026-11-21 00:00:00", ("", "2026-11-20")),
        # months, years, leap days
        ("2026-11-30 08:00:00", "2026-12-01 08:00:00", None),
        ("2026-11-30 08:00:00", "2026-12-02 00:00:00", ("2026-12-01", "2026-12-01")),
        ("2026-12-31 08:00:00", ZERO_DATE, ("2027-01-01", "")),
        (ZERO_DATE, "2027-01-01 00:00:00", ("", "2026-12-31")),
        ("2028-02-28 12:00:00", "2028-03-01 00:00:00", ("2028-02-29", "2028-02-29")),
        ("2027-02-28 12:00:00", "2027-03-02 00:00:00", ("2027-03-01", "2027-03-01")),
        (ZERO_DATE, "2100-03-01 00:00:00", ("", "2100-02-28")),
        (ZERO_DATE, "9999-12-31 23:59:59", ("", "9999-12-31")),
        # the days on which clocks are changed are days like any other
        ("2026-03-29 00:00:00", "2026-03-29 23:59:59", ("2026-03-29", "2026-03-29")),
        ("2026-03-28 12:00:00", "2026-03-30 12:00:00", ("2026-03-29", "2026-03-29")),
        ("2026-10-25 00:00:00", "2026-10-25 23:59:59", ("2026-10-25", "2026-10-25")),
        ("2026-10-24 12:00:00", "2026-10-26 12:00:00", ("2026-10-25", "2026-10-25")),
        # less than a whole day
        ("2026-11-21 10:00:00", "2026-11-21 18:00:00", None),
        ("2026-11-21 00:00:00", "2026-11-21 18:00:00", None),
        ("2026-11-21 10:00:00", "2026-11-21 23:59:59", None),
        # days that are none
        ("2026-00-00 10:00:00", ZERO_DATE, ("", "")),
        ("2026-00-00 10:00:00", "2026-11-30 23:59:59", ("", "2026-11-30")),
        ("2026-11-21 00:00:00", "2027-02-00 10:00:00", None),
    ],
)
def test_only_full_days_have_the_special_price(starts: str, ends: str, days: tuple[str, str] | None) -> None:
    assert full_days(starts, ends) == days


moments = st.integers(0, 3 * 366 * 24 * 3600).map(
    lambda seconds: datetime.fromisoformat("2026-01-01") + timedelta(seconds=seconds)
)


@given(moments, st.integers(0, 10 * 24 * 3600))
def test_every_day_named_lies_wholly_within_the_price_and_the_days_beside_do_not(
    begins: datetime, seconds: int
) -> None:
    ends = begins + timedelta(seconds=seconds)

    def is_full(day: date) -> bool:
        midnight = datetime.combine(day, datetime.min.time())
        return begins <= midnight and ends >= midnight + timedelta(hours=23, minutes=59)

    days = [begins.date() + timedelta(days=after) for after in range(13)]
    full = [day.isoformat() for day in days if is_full(day)]
    assert full_days(str(begins), str(ends)) == ((full[0], full[-1]) if full else None)
