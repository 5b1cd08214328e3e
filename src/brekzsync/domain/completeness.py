"""Which fields of an item are there: the three it cannot go without, and those that are left blank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from brekzsync.domain.products import Combination, Examined, Refusal, plain

_FIELD_OF_REASON = {
    "missing_item_code": "item_code",
    "item_code_too_long": "item_code",
    "duplicate_item_code": "item_code",
    "missing_description": "description",
    "missing_price": "price",
}


class FieldState(NamedTuple):
    """One field of an item. ``note`` says what is wrong with it, or what became of it on the way."""

    name: str
    required: bool
    value: str
    note: str = ""
    usable: bool = True

    @property
    def status(self) -> Literal["ok", "missing"]:
        """``missing`` also when there is a value that the ERP cannot take."""
        return "ok" if self.value and self.usable else "missing"


def fields_of(
    combination: Combination, examined: Examined, refusals: tuple[Refusal, ...]
) -> tuple[FieldState, ...]:
    """Every field by its name, required ones first; ``refusals`` are all the reasons found, wherever."""
    item, wrong = examined.item, {_FIELD_OF_REASON.get(one.reason, ""): one.message for one in refusals}
    price = plain(combination.price) if "price" in wrong else item.price
    required = {"item_code": item.code, "description": item.description, "price": price}
    category = f"{item.category} ({item.category_code})" if item.category_code else item.category
    optional = {
        "category": category,
        "brand": item.brand,
        "special_price": _special(item.special_price, item.special_from, item.special_until),
        "image": item.image,
        "tax_rate": f"{item.tax_rate} (VAT code {item.vat_code})" if item.vat_code else "",
        "ean13": item.gtin,
        "weight": item.weight,
    }
    notes = _notes(combination, examined)
    return (
        *(
            FieldState(name, True, value, wrong.get(name, notes.get(name, "")), name not in wrong)
            for name, value in required.items()
        ),
        *(FieldState(name, False, value, notes.get(name, "")) for name, value in optional.items()),
    )


def _special(price: str, first: str, last: str) -> str:
    if not price:
        return ""
    days = f"from {first}" if first else ""
    until = f"until {last}" if last else ""
    return " ".join(part for part in (price, days, until) if part)


def _notes(combination: Combination, examined: Examined) -> Mapping[str, str]:
    notes = {}
    if "description_cut" in examined.warnings:
        notes["description"] = "cut at 60 characters"
    if "unmapped_tax_rate" in examined.warnings:
        rate = combination.product.tax_rate
        notes["tax_rate"] = (
            f"{plain(rate) if rate is not None else ''} % has no VAT code ([exact_xml.vat_codes])"
        )
    return notes
