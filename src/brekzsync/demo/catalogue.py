"""The demo shop's products: rows for each record of ``data/catalogue.toml``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from brekzsync.demo.rows import Record, ShopRows
from brekzsync.demo.stock import pack_stock_type

_ZERO_DATE = "0000-00-00 00:00:00"  # PrestaShop's "no limit"


def add_catalogue(rows: ShopRows, catalogue: Record) -> None:
    """Every product with what hangs on it."""
    for product in catalogue["product"]:
        shops = product.get("shops", list(rows.shop_ids))
        _add_product(rows, product, shops)
        _add_names(rows, product, shops)
        _add_images(rows, product, shops)
        for combination in product.get("combination", []):
            _add_combination(rows, product["id"], combination, combination.get("shops", shops))
        for special in product.get("special_price", []):
            _add_special_price(rows, product["id"], special)
        for item in product.get("pack_of", []):
            _add_pack(rows, product["id"], item)
    for orphan in catalogue["orphan_pack"]:
        _add_pack(rows, orphan["pack"], orphan["item"])


def _add_product(rows: ShopRows, product: Record, shops: Iterable[str]) -> None:
    saved = product.get("date_upd", rows.last_saved)
    rows.add(
        rows.tables.product,
        id_product=product["id"],
        id_manufacturer=rows.brand_ids[product["brand"]]
        if "brand" in product
        else product.get("id_brand", 0),
        reference=product.get("reference"),
        ean13=product.get("ean13"),
        weight=product.get("weight"),
        state=0 if product.get("draft") else 1,
        pack_stock_type=pack_stock_type(product),
        date_upd=saved,
    )
    for shop in shops:
        rows.add(
            rows.tables.product_shop,
            id_product=product["id"],
            id_shop=rows.shop_ids[shop],
            id_category_default=rows.category_ids[product["category"]] if "category" in product else 0,
            id_tax_rules_group=rows.tax_group_ids[product.get("tax", "standard")],
            price=product.get("price_in", {}).get(shop, product["price"]),
            active=0 if shop in product.get("inactive_in", []) else 1,
            pack_stock_type=pack_stock_type(product),
            date_upd=saved,
        )


def _add_names(rows: ShopRows, product: Record, shops: Iterable[str]) -> None:
    for shop in shops:
        for id_lang, name in rows.texts(product["name"]):
            rows.add(
                rows.tables.product_lang,
                id_product=product["id"],
                id_shop=rows.shop_ids[shop],
                id_lang=id_lang,
                name=name,
            )


def _add_images(rows: ShopRows, product: Record, shops: Iterable[str]) -> None:
    for position, image in enumerate(product.get("images", []), 1):
        rows.add(rows.tables.image, id_image=image, id_product=product["id"], position=position)
        for shop in shops:
            rows.add(
                rows.tables.image_shop,
                id_product=product["id"],
                id_image=image,
                id_shop=rows.shop_ids[shop],
                cover=1 if position == 1 else None,  # never 0: a unique key allows one per product and shop
            )


def _add_combination(rows: ShopRows, id_product: int, combination: Record, shops: Iterable[str]) -> None:
    number, tables = combination["id"], rows.tables
    rows.add(
        tables.product_attribute,
        id_product_attribute=number,
        id_product=id_product,
        reference=combination.get("reference", ""),
        ean13=combination.get("ean13", ""),
    )
    for shop in shops:
        rows.add(
            tables.product_attribute_shop,
            id_product=id_product,
            id_product_attribute=number,
            id_shop=rows.shop_ids[shop],
            price=combination.get("price", "0.000000"),
            weight=combination.get("weight", "0.000000"),
        )
    for value in combination["values"]:
        rows.add(
            tables.product_attribute_combination,
            id_attribute=rows.attribute_ids[value],
            id_product_attribute=number,
        )
    for image in combination.get("images", []):
        rows.add(tables.product_attribute_image, id_product_attribute=number, id_image=image)


def _add_special_price(rows: ShopRows, id_product: int, special: Record) -> None:
    table = rows.tables.specific_price
    days = {  # two column names are Python words
        "from": _day(rows, special.get("starts_in_days"), "00:00:00"),
        "to": _day(rows, special.get("ends_in_days"), "23:59:59"),
    }
    rows.add(
        table,
        id_specific_price=rows.next_id(table),
        id_specific_price_rule=0,
        id_cart=0,
        id_product=id_product,
        id_shop=rows.shop_ids[special["shop"]] if "shop" in special else 0,
        id_currency=0,
        id_country=0,
        id_group=special.get("group", 0),
        id_customer=0,
        id_product_attribute=special.get("combination", 0),
        price=special.get("price", "-1.000000"),
        from_quantity=special.get("from_quantity", 1),
        reduction=special.get("reduction", "0.000000"),
        reduction_tax=1,
        reduction_type=special.get("type", "amount"),
        **days,
    )


def _day(rows: ShopRows, days_from_now: int | None, time: str) -> str:
    if days_from_now is None:
        return _ZERO_DATE
    return f"{rows.today + timedelta(days=days_from_now)} {time}"


def _add_pack(rows: ShopRows, pack: int, item: str) -> None:
    """``item`` is "5" for a whole product, "6-601" for one combination of it."""
    product, _, combination = item.partition("-")
    rows.add(
        rows.tables.pack,
        id_product_pack=pack,
        id_product_item=int(product),
        id_product_attribute_item=int(combination or 0),
    )
