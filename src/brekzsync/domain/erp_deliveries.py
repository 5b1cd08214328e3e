"""What the ERP delivered of an order."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import NamedTuple


class DeliveryNote(NamedTuple):
    """A delivery note of an order; ``number`` is the ERP's own, trimmed.

    ``quantity`` is what its lines delivered in all, negative when goods came back. ``tracking`` is empty where none is
    known or none is asked for.
    """

    number: str
    day: date | None
    tracking: str
    quantity: Decimal


class ErpShipment(NamedTuple):
    """What was delivered of the sales orders with one reference (``docnumber``, normalised); nearly always one order.

    ``ordered`` and ``delivered`` add up the goods lines that sell something, in the unit of each line; a line
    delivered beyond what was ordered does not make up for another. ``completed``: the ERP expects to deliver nothing
    more on any of them. Of orders it has put away only the notes are left, and count as all there was.
    """

    reference: str
    ordered: Decimal
    delivered: Decimal
    completed: bool
    notes: tuple[DeliveryNote, ...]
