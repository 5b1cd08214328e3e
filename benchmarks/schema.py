"""The tables of a PrestaShop 8.2 that a products export reads, in their genuine widths and with their keys.

Written in a short notation from which the ``CREATE TABLE`` statements are made: one line a column or key.
Rows as wide as a shop's, and the keys a shop has (and the ones it lacks), decide what a query costs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

PREFIX = "ps_"

# Short names for the column types that come again and again.
TYPES = {
    "id": "INT UNSIGNED NOT NULL",
    "serial": "INT UNSIGNED NOT NULL AUTO_INCREMENT",
    "maybe_id": "INT UNSIGNED DEFAULT NULL",
    "flag": "TINYINT(1) NOT NULL DEFAULT 0",
    "flag_on": "TINYINT(1) NOT NULL DEFAULT 1",
    "maybe_flag": "TINYINT(1) UNSIGNED DEFAULT NULL",
    "count": "INT NOT NULL DEFAULT 0",
    "one": "INT UNSIGNED NOT NULL DEFAULT 1",
    "maybe_count": "INT DEFAULT NULL",
    "money": "DECIMAL(20,6) NOT NULL DEFAULT 0",
    "ecotax": "DECIMAL(17,6) NOT NULL DEFAULT 0",
    "moment": "DATETIME NOT NULL",
    "maybe_day": "DATE DEFAULT NULL",
    "prose": "MEDIUMTEXT DEFAULT NULL",
    "condition": "ENUM('new','used','refurbished') NOT NULL DEFAULT 'new'",
    "visibility": "ENUM('both','catalog','search','none') NOT NULL DEFAULT 'both'",
    "redirect": "ENUM('','404','410','301-product','302-product','301-category','302-category',"
    "'200-displayed','404-displayed','410-displayed','default') NOT NULL DEFAULT 'default'",
    "kind": "ENUM('standard','pack','virtual','combinations','') NOT NULL DEFAULT ''",
    "reduction": "ENUM('amount','percentage') NOT NULL",
}

# What a product and its row per shop have in common.
_OFFER = """
    on_sale flag | online_only flag | ecotax ecotax | minimal_quantity one | low_stock_threshold maybe_count
    low_stock_alert flag | price money | wholesale_price money | unity 255? | unit_price money
    unit_price_ratio money | additional_shipping_cost money | customizable flag | uploadable_files flag
    text_fields flag | active flag | redirect_type redirect | id_type_redirected count
    available_for_order flag_on | available_date maybe_day | show_condition flag | condition condition
    show_price flag_on | indexed flag | visibility visibility | cache_default_attribute maybe_id
    advanced_stock_management flag | date_add moment | date_upd moment | pack_stock_type one
"""
# What a combination and its row per shop have in common.
_COMBINATION = """
    wholesale_price money | price money | ecotax ecotax | weight money | unit_price_impact money
    default_on maybe_flag | minimal_quantity one | low_stock_threshold maybe_count | low_stock_alert flag
    available_date maybe_day
"""

TABLES = {
    "product": f"""
        id_product serial | id_supplier maybe_id | id_manufacturer maybe_id | id_category_default maybe_id
        id_shop_default one | id_tax_rules_group id | ean13 13? | isbn 32? | upc 12? | mpn 40?
        quantity count | reference 64? | supplier_reference 64? | location 255 | width money
        height money | depth money | weight money | out_of_stock one
        additional_delivery_times flag_on | quantity_discount flag
        cache_is_pack flag | cache_has_attachments flag | is_virtual flag | state one | product_type kind
        {_OFFER}
        PRIMARY id_product | KEY reference | KEY supplier_reference | KEY id_supplier
        KEY id_manufacturer id_product | KEY id_category_default | KEY indexed | KEY date_add
        KEY state date_upd
    """,
    "product_shop": f"""
        id_product id | id_shop id | id_category_default maybe_id | id_tax_rules_group id {_OFFER}
        PRIMARY id_product id_shop | KEY id_category_default | KEY date_add active visibility
        KEY indexed active id_product
    """,
    "product_lang": """
        id_product id | id_shop one | id_lang id | description prose | description_short prose
        link_rewrite 128 | meta_description 512? | meta_keywords 255? | meta_title 128? | name 128
        available_now 255? | available_later 255? | delivery_in_stock 255? | delivery_out_stock 255?
        PRIMARY id_product id_shop id_lang | KEY id_lang | KEY name
    """,
    "product_attribute": f"""
        id_product_attribute serial | id_product id | reference 64? | supplier_reference 64? | ean13 13?
        isbn 32? | upc 12? | mpn 40? {_COMBINATION}
        PRIMARY id_product_attribute | UNIQUE id_product default_on | KEY id_product | KEY reference
        KEY supplier_reference | KEY id_product_attribute id_product
    """,
    "product_attribute_shop": f"""
        id_product id | id_product_attribute id | id_shop id {_COMBINATION}
        PRIMARY id_product_attribute id_shop | UNIQUE id_product id_shop default_on
    """,
    "product_attribute_combination": """
        id_attribute id | id_product_attribute id
        PRIMARY id_attribute id_product_attribute | KEY id_product_attribute
    """,
    "product_attribute_image": """
        id_product_attribute id | id_image id | PRIMARY id_product_attribute id_image | KEY id_image
    """,
    "attribute": """
        id_attribute serial | id_attribute_group id | color 32 | position count
        PRIMARY id_attribute | KEY id_attribute_group
    """,
    "attribute_lang": """
        id_attribute id | id_lang id | name 128 | PRIMARY id_attribute id_lang
        KEY id_attribute | KEY id_lang
    """,
    "attribute_group": """
        id_attribute_group serial | is_color_group flag | group_type 255 | position count
        PRIMARY id_attribute_group
    """,
    "image": """
        id_image serial | id_product id | position count | cover maybe_flag
        PRIMARY id_image | UNIQUE id_product cover | UNIQUE id_image id_product cover | KEY id_product
    """,
    "image_shop": """
        id_product id | id_image id | id_shop id | cover maybe_flag
        PRIMARY id_image id_shop | UNIQUE id_product id_shop cover | KEY id_shop
    """,
    "manufacturer": """
        id_manufacturer serial | name 64 | date_add moment | date_upd moment | active flag
        PRIMARY id_manufacturer
    """,
    "category_lang": """
        id_category id | id_shop one | id_lang id | name 128 | description prose
        additional_description prose | link_rewrite 128 | meta_title 255? | meta_keywords 255?
        meta_description 512? | PRIMARY id_category id_shop id_lang | KEY name
    """,
    "pack": """
        id_product_pack id | id_product_item id | id_product_attribute_item id | quantity one
        PRIMARY id_product_pack id_product_item id_product_attribute_item
        KEY id_product_item id_product_attribute_item
    """,
    "tax": "id_tax serial | rate DECIMAL(10,3) | active flag_on | deleted flag | PRIMARY id_tax",
    "tax_rule": """
        id_tax_rule serial | id_tax_rules_group id | id_country id | id_state id | zipcode_from 12
        zipcode_to 12 | id_tax id | behavior count | description 100
        PRIMARY id_tax_rule | KEY id_tax_rules_group | KEY id_tax
        KEY id_tax_rules_group id_country id_state zipcode_from
    """,
    "tax_rules_group": """
        id_tax_rules_group serial | name 50 | active flag_on | deleted flag | date_add moment
        date_upd moment | PRIMARY id_tax_rules_group
    """,
    "specific_price": """
        id_specific_price serial | id_specific_price_rule id | id_cart id | id_product id | id_shop one
        id_shop_group id | id_currency id | id_country id | id_group id | id_customer id
        id_product_attribute id | price money | from_quantity one | reduction money | reduction_tax flag_on
        reduction_type reduction | from moment | to moment
        PRIMARY id_specific_price
        UNIQUE id_product id_product_attribute id_customer id_cart from to id_shop id_shop_group id_currency \
            id_country id_group from_quantity id_specific_price_rule
        KEY id_product id_shop id_currency id_country id_group id_customer from_quantity from to
        KEY from_quantity | KEY id_specific_price_rule | KEY id_cart | KEY id_product_attribute
        KEY id_shop | KEY id_customer | KEY from | KEY to
    """,
    "specific_price_priority": """
        id_specific_price_priority serial | id_product id | priority 80
        PRIMARY id_specific_price_priority id_product | UNIQUE id_product
    """,
    "product_group_reduction_cache": """
        id_product id | id_group id | reduction DECIMAL(5,4) | PRIMARY id_product id_group
    """,
    "configuration": """
        id_configuration serial | id_shop_group maybe_id | id_shop maybe_id | name 254 | value prose
        date_add moment | date_upd moment
        PRIMARY id_configuration | KEY name | KEY id_shop | KEY id_shop_group
    """,
    "shop": """
        id_shop serial | id_shop_group id | name 64 | color 50 | id_category id | theme_name 255
        active flag_on | deleted flag | PRIMARY id_shop | KEY id_shop_group
    """,
    "shop_group": """
        id_shop_group serial | name 64 | color 50 | share_customer flag | share_order flag | share_stock flag
        active flag_on | deleted flag | PRIMARY id_shop_group
    """,
    "lang": """
        id_lang serial | name 32 | active flag_on | iso_code 2 | language_code 5 | locale 5
        date_format_lite 32 | date_format_full 32 | is_rtl flag | PRIMARY id_lang
    """,
    "currency": """
        id_currency serial | name 64 | iso_code 3 | numeric_iso_code 3? | precision one
        conversion_rate DECIMAL(13,6) | deleted flag | active flag_on | unofficial flag | modified flag
        PRIMARY id_currency | KEY iso_code
    """,
    "country": """
        id_country serial | id_zone id | id_currency id | iso_code 3 | call_prefix count | active flag
        contains_states flag | need_identification_number flag | need_zip_code flag_on | zip_code_format 12
        display_tax_label flag_on | PRIMARY id_country | KEY iso_code | KEY id_zone
    """,
    "group": """
        id_group serial | reduction DECIMAL(5,2) | price_display_method flag | show_prices flag_on
        date_add moment | date_upd moment | PRIMARY id_group
    """,
}


def ddl() -> str:
    """The statements that create every table."""
    return "".join(
        f"CREATE TABLE `{PREFIX}{name}` ({', '.join(_parts(lines))}) ENGINE=InnoDB;\n"
        for name, lines in TABLES.items()
    )


def _parts(lines: str) -> Iterator[str]:
    for entry in re.split(r"[|\n]", lines):
        words = entry.split()
        if not words:
            continue
        first, *rest = words
        match first:
            case "PRIMARY":
                yield f"PRIMARY KEY ({_quoted(rest)})"
            case "UNIQUE" | "KEY":
                yield f"{first.replace('UNIQUE', 'UNIQUE KEY')} ({_quoted(rest)})"
            case _:
                yield f"`{first}` {_type(rest[0])}"


def _quoted(columns: list[str]) -> str:
    return ", ".join(f"`{column}`" for column in columns)


def _type(notation: str) -> str:
    """A short name, a length of text (``64``; ``64?`` may be NULL) or a decimal's own SQL."""
    if text := re.fullmatch(r"(\d+)(\??)", notation):
        return f"VARCHAR({text[1]}) " + ("DEFAULT NULL" if text[2] else "NOT NULL DEFAULT ''")
    return TYPES.get(notation) or f"{notation} NOT NULL DEFAULT 0"
