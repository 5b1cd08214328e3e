"""Totals as Globe computes them from a document's lines, and what is missing to the shop's.

Globe's arithmetic: per VAT code the lines are summed, and the VAT is taken of the sum, half up
(facts/exact-globe.md section 2.2: that Globe does so is common practice, and not verified).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from brekzsync.domain.orders.charges import CENT, cents
from brekzsync.domain.orders.reasons import OrderReason
from brekzsync.domain.orders.sales_orders import SalesOrderLine
from brekzsync.domain.products import Refusal

LIMIT = 5 * CENT
"""Up to this much goes to the rounding item."""


class GlobeTotals(NamedTuple):
    """``excl`` per VAT code in whole cents; ``incl`` of the whole document."""

    excl: Mapping[str, Decimal]
    incl: Decimal


def globe_totals(lines: Sequence[SalesOrderLine]) -> GlobeTotals:
    """What Globe makes of these lines."""
    sums = sums_by_code(lines)
    rates = {line.vat_code: line.rate for line in lines}
    excl = {code: cents(amount) for code, amount in sums.items()}
    vat = (cents(amount * rates[code] / 100) for code, amount in sums.items())
    return GlobeTotals(excl, sum(excl.values(), Decimal(0)) + sum(vat, Decimal(0)))


def sums_by_code(lines: Sequence[SalesOrderLine]) -> dict[str, Decimal]:
    """What the lines come to excl. tax per VAT code, before any rounding."""
    sums: dict[str, Decimal] = {}
    for line in lines:
        sums[line.vat_code] = sums.get(line.vat_code, Decimal(0)) + line.amount
    return sums


def totals_refusal(
    totals: GlobeTotals, excl: Decimal, incl: Decimal, rounding: Decimal, *, what: str
) -> Refusal | None:
    """Why a document may not go, if so; ``rounding`` is the sum of all differences without their signs.

    ``totals`` are those of the lines before anything was put on the rounding item; ``excl`` and ``incl``
    the shop's.
    """
    total = sum(totals.excl.values(), Decimal(0))
    if rounding <= LIMIT and abs(total - cents(excl)) <= LIMIT:
        return None
    return Refusal(
        OrderReason.TOTALS_DIFFER,
        f"The shop's total is {cents(excl)} excl. and {cents(incl)} incl. tax, the document comes to {total}"
        f" and {totals.incl} in Exact: look at the tax rates, shipping and discounts of {what} in the shop;"
        f" up to {LIMIT} would go to the rounding item.",
    )
