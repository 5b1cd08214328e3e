"""A sales order as the ERP holds it."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple


class ErpOrder(NamedTuple):
    """An order of ``orkrg`` with the sums of its goods lines, in pieces, rounded to 3 decimals.

    ``number`` is the ERP's own, trimmed; ``reference`` what the ERP keeps as YourRef (``docnumber``), trimmed.
    """

    number: str
    reference: str
    is_completed: bool
    is_authorised: bool
    ordered: Decimal
    delivered: Decimal
    invoiced: Decimal
