"""Whether the ERP shows that it has taken in an item it was given, where nothing else tells.

What can be read there (description, price, VAT code, GTIN, price lines) is a part of what a document says. So it is
not enough that the ERP holds what was sent: it has to hold something that it would not hold without this import.
Exact imports an item as a whole or not at all, so one field that changed vouches for the others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from typing import Final

from brekzsync.domain.diagnosis import erp_differences
from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.erp_prices import PriceLine
from brekzsync.domain.items import Item

_READ_AS_TEXT: Final = ("description", "vat_code", "gtin")
_SPECIAL: Final = ("special_price", "special_from", "special_until")
_NEVER_HELD: Final = "\0"
_NO_SPECIAL = ("", "", "")


def has_arrived(
    served: Item,
    before: Item | None,
    others: Sequence[Item],
    held: ErpItem | None,
    lines: Collection[PriceLine] | None,
    *,
    is_forced: bool,
) -> bool:
    """Whether ``held`` and its price ``lines`` show that ``served`` was imported.

    ``before`` is what the ERP acknowledged last, ``others`` what else of the record was given to it without a
    result. ``lines`` are those of the special price list that hold today, ``starts`` None for no first day; None where
    price lists cannot be read. A forced version is to be imported whatever the ERP holds.
    """
    if held is None or erp_differences(held, served):
        return False
    if before is None:
        is_proven = not is_forced
    elif _without_special(before) == _without_special(served) and not is_forced:
        is_proven = True  # the item says nothing new; if its price line does, that has to be there
    else:
        is_proven = _shows_a_change(held, before, served)
    return is_proven and _has_its_price_line(served, [before, *others], lines)


def price_line_matters(served: Item, before: Item | None, others: Sequence[Item]) -> bool:
    """Whether ``has_arrived`` has to look at price lines."""
    specials = {_special(one) for one in (served, before, *others)}
    return len(specials) > 1


def _shows_a_change(held: ErpItem, before: Item, served: Item) -> bool:
    """Whether the ERP holds otherwise than before what it was to change."""
    # A blank field is not compared: where there was none before and one was sent, finding one is a change.
    filled = {
        name: _NEVER_HELD for name in _READ_AS_TEXT if getattr(served, name) and not getattr(before, name)
    }
    return bool(erp_differences(held, before._replace(**filled)))


def _has_its_price_line(
    served: Item, earlier: Sequence[Item | None], lines: Collection[PriceLine] | None
) -> bool:
    specials = {_special(one) for one in earlier} - {_special(served)}
    if not specials:
        return True
    if lines is None:
        return False
    if served.special_price:
        wanted = (Decimal(served.special_price), _day(served.special_from), _day(served.special_until))
        return any((line.price, line.starts, line.ends) == wanted for line in lines)
    ended = {_day(start) for price, start, _ in specials if price}
    return not any(line.starts in ended for line in lines)


def _special(item: Item | None) -> tuple[str, str, str]:
    if item is None or not item.special_price:
        return _NO_SPECIAL
    return item.special_price, item.special_from, item.special_until


def _without_special(item: Item) -> Item:
    return item._replace(**dict.fromkeys(_SPECIAL, ""))


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None
