"""How the ERP's figures become what a shop may sell, and which items are left alone.

Every figure of the ERP is taken so that a sale, an order on its way or a delivery seen half makes the result too
low, never too high: what a shop shows too little of is mended by the next look, what it sold too much of is not.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Literal, NamedTuple

LARGEST, SMALLEST = 2**31 - 1, -(2**31)
"""What ``ps_stock_available.quantity`` can hold."""


class Parts(NamedTuple):
    """What a shop's figure of one item is made of, in pieces.

    ``open_sales`` is what the ERP's open orders still have to deliver, as far as it counts; ``unreceived`` what lines
    of shop orders ask for that the ERP has not got.
    """

    on_hand: Decimal | int
    open_sales: Decimal | int
    unreceived: int
    margin: int

    @property
    def free(self) -> Decimal | int:
        """What is left to sell; negative where more was sold than there is."""
        return self.on_hand - self.open_sales - self.unreceived - self.margin


class StockRules(NamedTuple):
    """What the configuration says of quantities: ``share`` of what is free goes to a shop."""

    share: Decimal
    fractions: Literal["floor", "half_up", "refuse"]
    negatives: Literal["zero", "keep"]


class Finding(StrEnum):
    """Why an item is left alone; stable codes."""

    UNKNOWN = "unknown_item_code"
    NOT_IN_SHOP = "not_in_shop"
    NOT_IN_ERP = "not_in_erp"
    NO_CODE = "no_item_code"
    DUPLICATE_CODE = "duplicate_item_code"
    NOT_A_STOCK_ITEM = "not_a_stock_item"
    NOT_FOR_SALE = "not_for_sale"
    KIT = "exploded_kit"
    PACK = "pack_conflict"
    NO_STOCK_ROW = "no_stock_row"
    DEPENDS_ON_STOCK = "depends_on_stock"
    FRACTION = "fractional_stock"
    TOO_LARGE = "stock_out_of_range"


MEANINGS = {
    Finding.UNKNOWN: "neither the shop nor the ERP knows this code",
    Finding.NOT_IN_SHOP: "the ERP sells it, and no product of the shop has this code",
    Finding.NOT_IN_ERP: "the ERP has no item with this code",
    Finding.NO_CODE: "it has no item code, so nothing in the ERP can be told to be it",
    Finding.DUPLICATE_CODE: "several products of the shop have this code: give each one of its own",
    Finding.NOT_A_STOCK_ITEM: "the ERP keeps no stock of it (IsStockItem)",
    Finding.NOT_FOR_SALE: "the ERP does not sell it (IsSalesItem, Type)",
    Finding.KIT: "the ERP takes it apart into components when it is sold, so it has no stock of its own",
    Finding.PACK: "the shop computes a pack's stock and that of its components by itself (pack_stock_type)",
    Finding.NO_STOCK_ROW: "the shop has no stock row for it: save the product once in its back office",
    Finding.DEPENDS_ON_STOCK: "the shop takes its quantity from its own warehouses (advanced stock management)",
    Finding.FRACTION: 'the ERP holds part of a piece, which [stock] fractions = "refuse" does not round',
    Finding.TOO_LARGE: "the ERP's figure is beyond what a shop can hold",
}


class ErpStockItem(NamedTuple):
    """What the ERP says of an item as far as stock goes; None where this administration has no such column.

    ``kind`` is ``Items.Type``: S standard, B bulk, P phantom and others (facts/exact-globe.md section 1.2).
    """

    code: str
    is_sales_item: bool | int | None
    is_stock_item: bool | int | None
    is_exploded: bool | int | None
    kind: str


def why_left_alone(item: ErpStockItem) -> Finding | None:
    """Why an item of the ERP is no source of stock; None when it is one."""
    if item.is_exploded or item.kind == "P":
        return Finding.KIT
    if not item.is_sales_item or item.kind not in ("S", "B"):
        return Finding.NOT_FOR_SALE
    if item.is_stock_item is not None and not item.is_stock_item:
        return Finding.NOT_A_STOCK_ITEM
    return None


def quantity_for_shop(parts: Parts, rules: StockRules) -> int | Finding:
    """The whole pieces a shop may show, or why there is no such figure."""
    free = parts.free
    if rules.share == 1 and type(free) is int:  # nearly every item of a large catalogue
        pieces = free
    else:
        free = Decimal(free)
        if rules.fractions == "refuse" and free != free.to_integral_value():
            return Finding.FRACTION
        rounding = ROUND_HALF_UP if rules.fractions == "half_up" else ROUND_FLOOR
        pieces = int((free * rules.share).to_integral_value(rounding=rounding))
    if pieces < 0 and rules.negatives == "zero":
        return 0
    return pieces if SMALLEST <= pieces <= LARGEST else Finding.TOO_LARGE


class Census(NamedTuple):
    """What a look at everything found: items of the ERP, compared figures, those that would change, become zero."""

    erp_items: int
    compared: int
    changing: int
    becoming_zero: int


def why_implausible(census: Census, max_change: Decimal, erp_items_before: int | None) -> str | None:
    """Why nothing should be written after such a look, as a sentence; None when all is plausible.

    ``erp_items_before`` is what the last whole look saw.
    """
    if not census.erp_items:
        return "The ERP gave no items for sale at all."
    if erp_items_before and census.erp_items * 2 < erp_items_before:
        return (
            f"The ERP gave only {census.erp_items} of the {erp_items_before} items for sale of the last time."
        )
    most = max_change * census.compared
    for count, what in ((census.changing, "would change"), (census.becoming_zero, "would become zero")):
        if count > most:
            percent = f"{(max_change * 100).normalize():f} %"
            return f"{count} of {census.compared} figures {what}, which is more than {percent} of them."
    return None
