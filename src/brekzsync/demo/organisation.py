"""The demo shop's rows that are not products: shops, settings, languages, taxes, categories, attributes."""

from __future__ import annotations

from brekzsync.demo.rows import ShopRows


def add_organisation(rows: ShopRows) -> None:
    """Everything of ``data/shop.toml``."""
    _add_shops(rows)
    _add_configuration(rows)
    _add_taxes(rows)
    _add_categories(rows)
    _add_attributes(rows)
    for brand in rows.organisation["brand"]:
        rows.add(rows.tables.manufacturer, id_manufacturer=brand["id"], name=brand["name"])


def _add_shops(rows: ShopRows) -> None:
    given, tables = rows.organisation, rows.tables
    group = given["shop_group"]["id"]
    rows.add(tables.shop_group, id_shop_group=group, name=given["shop_group"]["name"])
    for shop in given["shop"]:
        rows.add(tables.shop, id_shop=shop["id"], id_shop_group=group, name=shop["name"], active=1, deleted=0)
    for country in given["country"]:
        rows.add(tables.country, id_country=country["id"], iso_code=country["iso_code"])
    for language in given["language"]:
        name, iso_code = language["name"], language["iso_code"]
        rows.add(tables.lang, id_lang=language["id"], name=name, iso_code=iso_code, active=1)
    rows.add(tables.currency, id_currency=given["currency"]["id"], iso_code=given["currency"]["iso_code"])
    for customers in given["customer_group"]:
        rows.add(tables.group, id_group=customers["id"], reduction=customers["reduction"])


def _add_configuration(rows: ShopRows) -> None:
    """Settings for all shops (both ids NULL), then those a shop has for itself."""
    given = rows.organisation
    first = given["shop"][0]
    shared = {
        **given["configuration"],
        "PS_TIMEZONE": given["timezone"],
        "PS_CURRENCY_DEFAULT": given["currency"]["id"],
        "PS_LANG_DEFAULT": rows.language_ids[first["language"]],
        "PS_COUNTRY_DEFAULT": first["country"],
    }
    add_settings(rows, shared, id_shop_group=None, id_shop=None)
    for shop in given["shop"]:
        own = {
            "PS_LANG_DEFAULT": rows.language_ids[shop["language"]],
            "PS_COUNTRY_DEFAULT": shop["country"],
        }
        add_settings(rows, own, id_shop_group=given["shop_group"]["id"], id_shop=shop["id"])


def add_settings(
    rows: ShopRows, settings: dict[str, object], *, id_shop_group: int | None, id_shop: int | None
) -> None:
    """Rows of ``ps_configuration``; for all shops both ids are None."""
    table = rows.tables.configuration
    for name, value in settings.items():
        rows.add(
            table,
            id_configuration=rows.next_id(table),
            id_shop_group=id_shop_group,
            id_shop=id_shop,
            name=name,
            value=str(value),
        )


def _add_taxes(rows: ShopRows) -> None:
    tables = rows.tables
    countries = {shop["name"]: shop["country"] for shop in rows.organisation["shop"]}
    taxes: dict[str, int] = {}
    for group in rows.organisation["tax_group"]:
        rows.add(tables.tax_rules_group, id_tax_rules_group=group["id"], name=group["name"], active=1)
        for shop, rate in group["rates"].items():
            if rate not in taxes:
                taxes[rate] = rows.next_id(tables.tax)
                rows.add(tables.tax, id_tax=taxes[rate], rate=rate, active=1)
            rows.add(
                tables.tax_rule,
                id_tax_rule=rows.next_id(tables.tax_rule),
                id_tax_rules_group=group["id"],
                id_country=countries[shop],
                id_state=0,
                zipcode_from="0",
                zipcode_to="0",
                id_tax=taxes[rate],
            )


def _add_categories(rows: ShopRows) -> None:
    table = rows.tables.category_lang
    for category in rows.organisation["category"]:
        for id_shop in rows.shop_ids.values():
            for id_lang, name in rows.texts(category["name"]):
                rows.add(table, id_category=category["id"], id_shop=id_shop, id_lang=id_lang, name=name)


def _add_attributes(rows: ShopRows) -> None:
    tables = rows.tables
    for group in rows.organisation["attribute_group"]:
        rows.add(tables.attribute_group, id_attribute_group=group["id"], position=group["position"])
        for position, value in enumerate(group["values"]):
            rows.add(
                tables.attribute,
                id_attribute=value["id"],
                id_attribute_group=group["id"],
                position=position,
            )
            for id_lang, name in rows.texts(value["name"]):
                rows.add(tables.attribute_lang, id_attribute=value["id"], id_lang=id_lang, name=name)
