"""PrestaShop's specific prices: which one applies, what a visitor then pays, on which full days.

The precedence is PrestaShop's own (facts: observed on 8.2.1, every row checked against its price
calculation): the most specific combination first, then quantity, then hand-made before catalogue rules,
then the configured priorities, then the latest end and start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

ZERO_DATE = "0000-00-00 00:00:00"
PRIORITY_FIELDS = ("id_shop", "id_currency", "id_country", "id_group")
DEFAULT_PRIORITIES = "id_shop;id_currency;id_country;id_group"
_MIDNIGHT = "00:00:00"
_LAST_MINUTE = "23:59:00"


class SpecificPrice(NamedTuple):
    """One row of ``ps_specific_price``. ``starts`` and ``ends`` are shop-local ``YYYY-MM-DD HH:MM:SS``."""

    id_specific_price: int
    id_specific_price_rule: int
    id_product_attribute: int
    id_shop: int
    id_currency: int
    id_country: int
    id_group: int
    from_quantity: int
    price: Decimal
    reduction: Decimal
    reduction_type: str
    reduction_includes_tax: bool
    starts: str
    ends: str


class Visitor(NamedTuple):
    """For whom prices are resolved: an anonymous visitor of the data shop, buying one piece.

    ``now`` is shop-local time at minute precision, as PrestaShop compares it.
    """

    id_shop: int
    id_currency: int
    id_country: int
    id_group: int
    now: str


def priority_weights(priorities: str) -> dict[str, int]:
    """Weights from ``PS_SPECIFIC_PRICE_PRIORITIES`` (``a;b;c;d``, the first heaviest)."""
    fields = [field for field in priorities.split(";") if field in PRIORITY_FIELDS]
    return {field: 2 ** (position + 1) for position, field in enumerate(reversed(fields))}


def applying(
    candidates: Iterable[SpecificPrice],
    id_product_attribute: int,
    visitor: Visitor,
    weights: Mapping[str, int],
) -> SpecificPrice | None:
    """The specific price PrestaShop would use now, or None."""
    chosen = [
        rule
        for rule in candidates
        if rule.id_product_attribute in (0, id_product_attribute)
        and rule.from_quantity <= 1
        and _concerns(rule, visitor)
        and (rule.starts == ZERO_DATE or visitor.now >= rule.starts)
        and (rule.ends == ZERO_DATE or visitor.now <= rule.ends)
    ]
    if not chosen:
        return None
    # Descending text keys cannot be negated: sort in two stable passes, the weaker criteria first.
    chosen.sort(key=lambda rule: rule.id_specific_price)
    chosen.sort(key=lambda rule: (rule.ends, rule.starts), reverse=True)
    return min(
        chosen,
        key=lambda rule: (
            -rule.id_product_attribute,
            -rule.from_quantity,
            rule.id_specific_price_rule,
            -_score(rule, visitor, weights),
        ),
    )


def _concerns(rule: SpecificPrice, visitor: Visitor) -> bool:
    return (
        rule.id_shop in (0, visitor.id_shop)
        and rule.id_currency in (0, visitor.id_currency)
        and rule.id_country in (0, visitor.id_country)
        and rule.id_group in (0, visitor.id_group)
    )


def _score(rule: SpecificPrice, visitor: Visitor, weights: Mapping[str, int]) -> int:
    return sum(weight for field, weight in weights.items() if getattr(rule, field) == getattr(visitor, field))


def price_paid(
    rule: SpecificPrice,
    *,
    base: Decimal,
    impact: Decimal,
    tax_rate: Decimal,
    group_reduction: Decimal = Decimal(0),
) -> Decimal:
    """What one piece costs excl. tax under ``rule``; never below zero.

    ``base`` and ``impact`` are excl. tax, ``tax_rate`` a percentage, ``group_reduction`` a fraction that
    PrestaShop takes off after the rule. A fixed price replaces the base, and the impact too when the
    rule names the combination.
    """
    fixed = rule.price >= 0
    price = rule.price if fixed else base
    if not (fixed and rule.id_product_attribute):
        price += impact
    if rule.reduction_type == "amount":
        off = rule.reduction
        price -= off / (1 + tax_rate / 100) if rule.reduction_includes_tax else off
    else:
        price -= price * rule.reduction
    price -= price * group_reduction
    return max(price, Decimal(0))


def full_days(starts: str, ends: str) -> tuple[str, str] | None:
    """First and last full shop-local day as ISO dates, ``""`` where open; None when no full day is left.

    A day of which only a part has the special price is left to the regular one: the ERP knows days only,
    and a day too many would sell below the price the shop asks. MySQL also keeps days that are none, such as
    2026-00-00: a price that began on one is open at that end, one that ends on one has no full day to name.
    """
    first, last = "", ""
    if not _is_day(ends[:10]) and ends != ZERO_DATE:
        return None
    if starts != ZERO_DATE and _is_day(starts[:10]):
        first = starts[:10] if starts[11:] <= _MIDNIGHT else _shifted(starts[:10], 1)
    if ends != ZERO_DATE:
        last = ends[:10] if ends[11:] >= _LAST_MINUTE else _shifted(ends[:10], -1)
    if first and last and first > last:
        return None
    return first, last


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _shifted(day: str, days: int) -> str:
    return (date.fromisoformat(day) + timedelta(days=days)).isoformat()
