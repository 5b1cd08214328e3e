"""How an item is written as an eExact document."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from brekzsync.settings.fields import CurrencyCode, Section, matching

# The yes/no elements of Items/Item, in the schema's order (facts/exact-globe.md section 1.2).
ITEM_FLAGS = (
    "IsSalesItem",
    "IsPurchaseItem",
    "IsSerialNumberItem",
    "IsBatchItem",
    "IsSubAssemblyItem",
    "IsAssembledItem",
    "IsStockItem",
    "IsBackOrderItem",
    "IsFractionAllowedItem",
    "IsPriceRegulationItem",
    "IsTextItem",
    "IsDiscountItem",
    "IsExplodeItem",
    "IsPrintItem",
    "IsOutsourcedItem",
    "RequiresApprovedSupplier",
)
DEFAULT_FLAGS = {"IsSalesItem": True, "IsStockItem": True}

_VAT_KEY = re.compile(r"(?:(?P<country>[A-Z]{2}):)?(?P<rate>\d{1,3}(?:\.\d{1,3})?)(?::(?P<group>\d+))?")


def _name_unquoted_rate(value: object) -> object:
    """TOML reads an unquoted ``5.5 = "3"`` as a table 5 holding a 5; say so instead of "not a string"."""
    if isinstance(value, dict) and any(isinstance(entry, dict) for entry in value.values()):
        raise ValueError('needs quotes around a rate with a point: { "5.5" = "3" }')
    return value


def _check_vat_codes(codes: dict[str, str]) -> dict[str, str]:
    """Keys are ``21``, ``NL:21`` or ``NL:21:<id_tax_rules_group>``, no two of them the same rate."""
    seen: dict[tuple[str | None, Decimal, str | None], str] = {}
    for key in codes:
        match = _VAT_KEY.fullmatch(key)
        if match is None or (match["group"] and not match["country"]):
            raise ValueError(f'holds "{key}", which is not like 21, NL:21 or NL:21:<id_tax_rules_group>')
        identity = (match["country"], Decimal(match["rate"]), match["group"])
        if identity in seen:
            raise ValueError(f'gives the same rate twice, as "{seen[identity]}" and as "{key}"')
        seen[identity] = key
    return codes


def _check_slots(slots: dict[str, int]) -> dict[str, int]:
    for language, slot in slots.items():
        if not re.fullmatch(r"[A-Za-z]{2}", language):
            raise ValueError(f'holds "{language}", which is not a two-letter language code')
        if not 0 <= slot <= 4:
            raise ValueError(f'gives "{language}" slot {slot}; Exact has the slots 0 to 4')
    if len(set(slots.values())) < len(slots):
        raise ValueError("gives two languages the same slot")
    return {language.lower(): slot for language, slot in slots.items()}


def _check_flags(flags: dict[str, bool]) -> dict[str, bool]:
    """What is not named keeps its default; the result is in the schema's order."""
    for name in flags:
        if name not in ITEM_FLAGS:
            raise ValueError(f'holds "{name}"; the flags of an item are {", ".join(ITEM_FLAGS)}')
    given = {**DEFAULT_FLAGS, **flags}
    return {name: given[name] for name in ITEM_FLAGS if name in given}


ItemCode = Annotated[str, matching(r"\S(?:.{0,28}\S)?|", "must be an item code of at most 30 characters")]


class ExactXmlSettings(Section):
    """How an item is written as an eExact document."""

    currency: CurrencyCode = Field(
        default="", description="Currency of the prices; empty: the data shop's default.", examples=['"EUR"']
    )
    unit: str = Field(default="pc", min_length=1, max_length=8, description="Sales unit of the items.")
    price_decimals: int = Field(default=4, ge=0, le=6, description="Decimals prices are rounded to, half up.")
    special_price: Literal["list", "none"] = Field(
        default="list", description="Whether special prices are sent as a price list or not at all."
    )
    special_price_list: str = Field(
        default="SALESPRICE", min_length=1, description="Code of the price list that holds special prices."
    )
    vat_codes: Annotated[
        dict[str, str], BeforeValidator(_name_unquoted_rate), AfterValidator(_check_vat_codes)
    ] = Field(
        default={},
        description="Exact's VAT code per rate, country and rate, or country, rate and tax rules group.",
        examples=['{ "21" = "2", "9" = "1", "BE:21" = "B2" }'],
    )
    language_slots: Annotated[dict[str, int], AfterValidator(_check_slots)] = Field(
        default={"nl": 0},
        description="Exact's description slot per language.",
        examples=["{ nl = 0, de = 2 }"],
    )
    condition: Literal["A", "B", "D", "E", "F"] = Field(
        default="A",
        description="Status of a new item: A active, B blocked, D discontinued, E inactive, F future.",
    )
    assortment_number: int | None = Field(
        default=None,
        ge=0,
        description="Number of the assortment (item group) of a new item.",
        examples=["10"],
    )
    assortment_code: str = Field(default="", description="Code of that assortment.", examples=['"SHOP"'])
    assortment_description: str = Field(default="", description="Description of that assortment.")
    flags: Annotated[dict[str, bool], AfterValidator(_check_flags)] = Field(
        default=DEFAULT_FLAGS,
        description="Yes/no properties of an item; IsSalesItem and IsStockItem are on unless set to false.",
        examples=["{ IsPurchaseItem = true }"],
    )
    ownership: Literal["create", "always"] = Field(
        default="create",
        description="Whether status, assortment and flags (all but IsSalesItem) are sent only "
        "until first acknowledged, or always.",
    )
    category_class: int = Field(
        default=1, ge=1, le=10, description="Item class that holds the main category."
    )
    brand_field: int = Field(default=1, ge=1, le=10, description="Free text field that holds the brand.")
    embed_images: bool = Field(default=False, description="Send the cover image itself, not only its name.")
