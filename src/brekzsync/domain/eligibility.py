"""Which combinations may be exported: the four criteria, and what each one says.

``updated`` is the fourth criterion; it is the comparison with the ledger itself (``flows/converge.py``).
The other three are judged here, from facts gathered elsewhere.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Criterion(StrEnum):
    """The stable codes, in the order people read them."""

    NOT_EXCLUDED = "not_excluded"
    NOT_BUNDLE_COMPONENT = "not_bundle_component"
    UPDATED = "updated"
    ACTIVE_IN_DATA_SHOP = "active_in_data_shop"


class Standing(NamedTuple):
    """What the shop says of one combination.

    ``bundles`` are the ids of the packs that hold it; ``in_data_shop`` whether it is associated with the
    data shop at all; ``active`` is ``ps_product_shop.active``; ``finished`` is ``ps_product.state``.
    """

    excluded_by_column: bool
    bundles: tuple[int, ...]
    in_data_shop: bool
    active: bool
    finished: bool


CLEAR = Standing(excluded_by_column=False, bundles=(), in_data_shop=True, active=True, finished=True)
"""Nothing stands in the way; the standing of nearly every combination, shared to be compared by identity."""


def blockers(
    standing: Standing, *, excluded: bool = False, bundle_components_too: bool = False
) -> list[Criterion]:
    """Every criterion that fails, in the order of ``Criterion``; empty when the combination is eligible.

    ``excluded`` is whether a person flagged it; ``bundle_components_too`` turns the bundle rule off.
    """
    failed = []
    if excluded or standing.excluded_by_column:
        failed.append(Criterion.NOT_EXCLUDED)
    if standing.bundles and not bundle_components_too:
        failed.append(Criterion.NOT_BUNDLE_COMPONENT)
    if not (standing.in_data_shop and standing.active and standing.finished):
        failed.append(Criterion.ACTIVE_IN_DATA_SHOP)
    return failed
