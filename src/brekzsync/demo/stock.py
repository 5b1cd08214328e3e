"""What the demo's shop shows of its stock: a row for each combination in each shop that has it, and their totals."""

from __future__ import annotations

from collections.abc import Iterable

from brekzsync.demo.rows import Record, ShopRows

_USUAL = 10
_AS_CONFIGURED = 3  # pack_stock_type


def add_stock(rows: ShopRows, catalogue: Record) -> None:
    """``stock`` of a product or combination is its quantity in each shop, or false where it has no row at all."""
    for product in catalogue["product"]:
        every_shop = product.get("shops", list(rows.shop_ids))
        combinations = product.get("combination", [])
        for shop in every_shop:
            own = [one for one in combinations if shop in one.get("shops", every_shop)]
            quantities = {one["id"]: one.get("stock", _USUAL) for one in own}
            total = sum(quantities.values()) if combinations else product.get("stock", _USUAL)
            _add_rows(rows, product["id"], shop, [(0, total), *quantities.items()])


def pack_stock_type(product: Record) -> int:
    """How a pack's stock is counted; what is no pack leaves it to the shop, as PrestaShop does."""
    return int(product.get("pack_stock_type", _AS_CONFIGURED))


def _add_rows(
    rows: ShopRows, id_product: int, shop: str, quantities: Iterable[tuple[int, int | bool]]
) -> None:
    table = rows.stock_tables.stock_available
    for id_product_attribute, quantity in quantities:
        if quantity is False:
            continue
        rows.add(
            table,
            id_stock_available=rows.next_id(table),
            id_product=id_product,
            id_product_attribute=id_product_attribute,
            id_shop=rows.shop_ids[shop],
            id_shop_group=0,
            quantity=quantity,
            out_of_stock=2,
        )
