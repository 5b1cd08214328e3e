"""Each kind of change in the shop is exported by the next run, alone, although no timestamp moved.

And what a run does beside: deletions, item codes, limits, baselines, dry runs, targets, leases.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from brekzsync.domain.keys import WantedId
from brekzsync.errors import ConfigurationError, InvalidInput
from brekzsync.prestashop.tables import shop_tables
from brekzsync.state.served import Outcome
from tests.exports import NOW, Installation, SpecialPrice, installation
from tests.services.prestashop import PrestaShopDatabase

LATER = NOW + timedelta(minutes=5)
TIMESTAMPS = "(SELECT MAX(date_upd) FROM ps_product), (SELECT MAX(date_upd) FROM ps_product_shop)"
ELIGIBLE = """
SELECT CONCAT(p.id_product, '-', COALESCE(a.id_product_attribute, 0)) FROM ps_product p
  LEFT JOIN ps_product_attribute a ON a.id_product = p.id_product
WHERE NOT EXISTS (SELECT 1 FROM ps_pack k WHERE k.id_product_item = p.id_product
  AND k.id_product_attribute_item IN (0, COALESCE(a.id_product_attribute, 0)))
"""


@pytest.fixture
def shop(prestashop: PrestaShopDatabase) -> PrestaShopDatabase:
    """The fixture shop with a little more to change, and no special price yet."""
    prestashop.execute(
        "DELETE FROM ps_specific_price;"
        "INSERT INTO ps_image (id_image, id_product, position, cover) VALUES (90, 6, 2, NULL);"
        "INSERT INTO ps_image_shop (id_product, id_image, id_shop, cover) VALUES (6, 90, 1, NULL);"
        "UPDATE ps_product_attribute_shop SET default_on = NULL;"
        "UPDATE ps_product SET ean13 = '8711111111111' WHERE id_product = 19"
    )
    return prestashop


@pytest.fixture
def installed(shop: PrestaShopDatabase, shared: Path, tmp_path: Path) -> Installation:
    """brekzsync on that shop, nothing exported yet."""
    made = installation(tmp_path, shared, shop.url(driver=""))
    made.set("exact_xml", vat_codes={"21": "2", "22": "3", "9": "1"})
    return made


@pytest.fixture(scope="module")
def first_state() -> list[bytes]:
    """The state database after the first export: the same for every test, so it is made once."""
    return []


@pytest.fixture
def settled(installed: Installation, first_state: list[bytes]) -> Installation:
    """The same, with everything exported and read."""
    path = installed.folder / "state.db"
    if first_state:
        path.write_bytes(first_state[0])
    else:
        assert len(installed.export().keys) == 45
        first_state.append(path.read_bytes())
    return installed


def special(*values: str, **columns: str) -> str:
    """SQL that adds a specific price of 20% off; ``values`` are its id, product and combination."""
    row = {
        "id_specific_price": values[0],
        "id_product": values[1],
        "id_product_attribute": values[2],
        "id_specific_price_rule": "0",
        "id_cart": "0",
        "id_shop": "0",
        "id_shop_group": "0",
        "id_currency": "0",
        "id_country": "0",
        "id_group": "0",
        "id_customer": "0",
        "price": "-1",
        "from_quantity": "1",
        "reduction": "0.2",
        "reduction_tax": "1",
        "reduction_type": "'percentage'",
        "`from`": "'0000-00-00 00:00:00'",
        "`to`": "'0000-00-00 00:00:00'",
    } | columns
    return f"INSERT INTO ps_specific_price ({', '.join(row)}) VALUES ({', '.join(row.values())})"


# --- what changed is exported, alone ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One kind of change. ``where`` says which products (``p``) and combinations (``a``) it is about,
    ``before`` is done before everything is exported, ``says`` is what each document says afterwards.
    """

    id: str
    sql: str = ""
    where: str
    before: str = ""
    wait: timedelta = timedelta(minutes=5)
    says: dict[str, str] | None = None


BRAND = "p.id_manufacturer = 1"
OFFER = special("9", "9", "0", **{"`to`": "'2026-11-21 13:04:59'"})

CHANGES = [
    Change(
        id="EAN of a combination",
        sql="UPDATE ps_product_attribute SET ean13 = '8712345678906' WHERE id_product_attribute = 3",
        where="a.id_product_attribute = 3",
        says={"gtin": "8712345678906"},
    ),
    Change(
        id="EAN of a simple product",
        sql="UPDATE ps_product SET ean13 = '8712345678906' WHERE id_product = 6",
        where="p.id_product = 6",
        says={"gtin": "8712345678906"},
    ),
    Change(
        id="EAN removed",
        sql="UPDATE ps_product SET ean13 = NULL WHERE id_product = 19",
        where="p.id_product = 19",
        says={"gtin": ""},
    ),
    Change(
        id="price impact",
        sql="UPDATE ps_product_attribute_shop SET price = 1.5 WHERE id_product_attribute = 2",
        where="a.id_product_attribute = 2",
        says={"price": "25.4"},
    ),
    Change(
        id="product price",
        sql="UPDATE ps_product_shop SET price = 19.123449 WHERE id_product = 9",
        where="p.id_product = 9",
        says={"price": "19.1234"},
    ),
    Change(
        id="special price of a product added",
        sql=special("9", "9", "0"),
        where="p.id_product = 9",
        says={"special": "15.12"},
    ),
    Change(
        id="special price of a combination added",
        sql=special("9", "9", "22"),
        where="a.id_product_attribute = 22",
        says={"special": "15.12"},
    ),
    Change(
        id="special price for the whole catalogue added",
        sql=special("9", "0", "0"),
        where="TRUE",
    ),
    Change(
        id="special price lowered",
        before=special("9", "6", "0"),
        sql="UPDATE ps_specific_price SET reduction = 0.5",
        where="p.id_product = 6",
        says={"special": "5.95"},
    ),
    Change(
        id="special price ends on another day",
        before=special("9", "6", "0"),
        sql="UPDATE ps_specific_price SET `to` = '2026-12-24 23:59:59'",
        where="p.id_product = 6",
    ),
    Change(
        id="special price starts as the clock moves on",
        before=special("9", "6", "0", **{"`from`": "'2026-11-21 13:05:00'"}),
        where="p.id_product = 6",
        says={"special": "9.52"},
    ),
    Change(
        id="special price of a combination starts as the clock moves on",
        before=special("9", "9", "23", **{"`from`": "'2026-11-22 00:00:00'"}),
        wait=timedelta(hours=11),
        where="a.id_product_attribute = 23",
        says={"special": "15.12"},
    ),
    Change(
        id="special price ends as the clock moves on",
        before=special("9", "6", "0", **{"`to`": "'2026-11-21 13:04:59'"}),
        where="p.id_product = 6",
    ),
    Change(
        id="priorities of special prices",
        before=special("8", "6", "0", id_shop="1", reduction="0.1")
        + ";"
        + special("9", "6", "0", id_country="13"),
        sql="UPDATE ps_configuration SET value = 'id_shop;id_group;id_currency;id_country'"
        " WHERE name = 'PS_SPECIFIC_PRICE_PRIORITIES'",
        where="p.id_product = 6",
        says={"special": "10.71"},
    ),
    Change(
        id="priorities of one product's special prices",
        before=special("8", "6", "0", id_shop="1", reduction="0.1")
        + ";"
        + special("9", "6", "0", id_country="13"),
        sql="INSERT INTO ps_specific_price_priority (id_product, priority) VALUES (6, 'id_shop;id_country')",
        where="p.id_product = 6",
        says={"special": "10.71"},
    ),
    Change(
        id="reduction of the default group, where a special price applies",
        before=special("9", "6", "0"),
        sql="UPDATE ps_group SET reduction = 10 WHERE id_group = 1",
        where="p.id_product = 6",
        says={"special": "8.568"},
    ),
    Change(
        id="brand renamed",
        sql="UPDATE ps_manufacturer SET name = 'Studio & Zonen' WHERE id_manufacturer = 1",
        where=BRAND,
        says={"brand": "Studio & Zonen"},
    ),
    Change(
        id="brand removed from a product",
        sql="UPDATE ps_product SET id_manufacturer = 0 WHERE id_product = 6",
        where="p.id_product = 6",
        says={"brand": ""},
    ),
    Change(
        id="category renamed",
        sql="UPDATE ps_category_lang SET name = 'Heren' WHERE id_category = 4",
        where="p.id_category_default = 4",
        says={"category": "Heren"},
    ),
    Change(
        id="main category moved",
        sql="UPDATE ps_product_shop SET id_category_default = 3 WHERE id_product = 9",
        where="p.id_product = 9",
        says={"category": "Clothes", "category_code": "3"},
    ),
    Change(
        id="tax rate, as PrestaShop changes it: a new tax, the old one deleted, rules re-pointed",
        before="UPDATE ps_product_shop SET id_tax_rules_group = 2 WHERE id_product IN (6, 9)",
        sql="UPDATE ps_tax SET deleted = 1 WHERE id_tax = 2;"
        "INSERT INTO ps_tax (id_tax, rate, active, deleted) VALUES (99, 22, 1, 0);"
        "UPDATE ps_tax_rule SET id_tax = 99 WHERE id_tax = 2",
        where="p.id_product IN (6, 9)",
        says={"vat_code": "3", "tax_rate": "22"},
    ),
    Change(
        id="other tax rules for a product",
        sql="UPDATE ps_product_shop SET id_tax_rules_group = 3 WHERE id_product = 6",
        where="p.id_product = 6",
        says={"vat_code": "1", "tax_rate": "9"},
    ),
    Change(
        id="cover moved",
        sql="UPDATE ps_image_shop SET cover = NULL WHERE id_product = 6;"
        "UPDATE ps_image_shop SET cover = 1 WHERE id_image = 90",
        where="p.id_product = 6",
        says={"image": "90.jpg"},
    ),
    Change(
        id="image of a combination",
        sql="UPDATE ps_product_attribute_image SET id_image = 1 WHERE id_product_attribute = 3",
        where="a.id_product_attribute = 3",
        says={"image": "1.jpg"},
    ),
    Change(
        id="attribute value renamed",
        sql="UPDATE ps_attribute_lang SET name = 'Wit' WHERE id_attribute = 8",
        where="EXISTS (SELECT 1 FROM ps_product_attribute_combination k"
        " WHERE k.id_attribute = 8 AND k.id_product_attribute = a.id_product_attribute)",
    ),
    Change(
        id="attributes in another order",
        sql="UPDATE ps_attribute_group SET position = 9 WHERE id_attribute_group = 1",
        where="p.id_product = 1",
    ),
    Change(
        id="product renamed",
        sql="UPDATE ps_product_lang SET name = 'Mok' WHERE id_product = 6",
        where="p.id_product = 6",
        says={"description": "Mok"},
    ),
    Change(
        id="weight of a product",
        sql="UPDATE ps_product SET weight = 1.25 WHERE id_product = 9",
        where="p.id_product = 9",
        says={"weight": "1.25"},
    ),
    Change(
        id="weight of a combination",
        sql="UPDATE ps_product_attribute_shop SET weight = 0.05 WHERE id_product_attribute = 22",
        where="a.id_product_attribute = 22",
        says={"weight": "0.35"},
    ),
    Change(
        id="combination added",
        before="DELETE FROM ps_product_attribute_shop WHERE id_product_attribute = 23",
        sql="INSERT INTO ps_product_attribute_shop (id_product, id_product_attribute, id_shop)"
        " VALUES (9, 23, 1)",
        where="a.id_product_attribute = 23",
    ),
    Change(
        id="saved again, only the product's date moved",
        sql="UPDATE ps_product SET date_upd = '2026-11-21 12:30:00' WHERE id_product = 9",
        where="p.id_product = 9",
    ),
    Change(
        id="saved again, only the data shop's date moved",
        sql="UPDATE ps_product_shop SET date_upd = '2026-11-21 12:30:00' WHERE id_product = 6",
        where="p.id_product = 6",
    ),
    Change(
        id="saved again by a clock that went back",
        sql="UPDATE ps_product SET date_upd = '2020-01-01 00:00:00' WHERE id_product = 6",
        where="p.id_product = 6",
    ),
]


@pytest.mark.parametrize("change", [pytest.param(change, id=change.id) for change in CHANGES])
def test_a_change_is_exported_by_the_next_run_alone(
    request: pytest.FixtureRequest, installed: Installation, shop: PrestaShopDatabase, change: Change
) -> None:
    if change.before:
        shop.execute(change.before)
        installed.export()
    else:
        request.getfixturevalue("settled")
    about = {key for (key,) in shop.execute(f"{ELIGIBLE} AND {change.where}")}
    moments = shop.execute(f"SELECT {TIMESTAMPS}")
    if change.sql:
        shop.execute(change.sql)

    run = installed.export(NOW + change.wait)

    assert about
    assert run.keys == about
    assert run.tally.counts() | {"read": 0, "skipped": 0} == {
        "read": 0,
        "skipped": 0,
        "eligible": run.tally.eligible,
        "pending": len(about),
        "delivered": len(about),
        "unchanged": run.tally.eligible - len(about),
        "failed": 0,
    }
    for document in run.documents.values():
        for name, value in (change.says or {}).items():
            assert getattr(document, name) == value
    if "saved again" not in change.id:
        assert shop.execute(f"SELECT {TIMESTAMPS}") == moments
    assert installed.export(NOW + change.wait).keys == set()


NO_CHANGES = {
    "nothing at all": "SELECT 1",
    "stock": "UPDATE ps_stock_available SET quantity = quantity + 1",
    "the long description": "UPDATE ps_product_lang SET description = 'x'",
    "what ps_product says of the shop saved last": "UPDATE ps_product"
    " SET price = 1, id_category_default = 2, id_tax_rules_group = 4, active = 0",
    "an image that is not the cover": "INSERT INTO ps_image"
    " (id_image, id_product, position) VALUES (91, 6, 9);"
    "INSERT INTO ps_image_shop (id_product, id_image, id_shop) VALUES (6, 91, 1)",
    "another group's special price": special("9", "6", "0", id_group="3"),
    "a customer's special price": special("9", "6", "0", id_customer="1"),
    "a cart's special price": special("9", "6", "0", id_cart="1"),
    "another shop's special price": special("9", "6", "0", id_shop="2"),
    "another country's special price": special("9", "6", "0", id_country="3"),
    "another currency's special price": special("9", "6", "0", id_currency="2"),
    "a special price for two": special("9", "6", "0", from_quantity="2"),
    "a special price of next year": special("9", "6", "0", **{"`from`": "'2027-01-01 00:00:00'"}),
    "a special price of last year": special("9", "6", "0", **{"`to`": "'2025-12-31 23:59:59'"}),
    "a special price that takes nothing off": special("9", "6", "0", reduction="0"),
    "another country's tax": "UPDATE ps_tax_rule SET id_tax = 2 WHERE id_country = 3",
    "another shop's row": "INSERT INTO ps_product_shop"
    " (id_product, id_shop, id_tax_rules_group, active, price, date_add, date_upd)"
    " VALUES (6, 2, 1, 1, 99, NOW(), NOW())",
}


def test_what_no_document_says_is_no_change(settled: Installation, shop: PrestaShopDatabase) -> None:
    exported = {}
    for what, sql in NO_CHANGES.items():  # one after the other, in the same shop
        shop.execute(f"DELETE FROM ps_specific_price; {sql}")
        exported[what] = settled.export(LATER).keys

    assert exported == {what: set() for what in NO_CHANGES}


def test_a_special_price_that_ends_is_closed_by_a_line_that_ended_yesterday(
    installed: Installation, shop: PrestaShopDatabase
) -> None:
    ends = {"`to`": "'2026-11-30 23:59:59'", "`from`": "'2026-11-01 00:00:00'"}
    shop.execute(special("9", "6", "0", **ends))
    first = installed.export().documents["6-0"].specials
    shop.execute("DELETE FROM ps_specific_price")

    closed = installed.export(LATER).documents["6-0"].specials

    assert first == (SpecialPrice("demo_11-0", "9.52", "2026-11-01", "2026-11-30"),)
    assert closed == (SpecialPrice("demo_11-0", "9.52", "2026-11-01", "2026-11-20"),)


def test_a_new_setting_that_every_document_shows_exports_every_document(settled: Installation) -> None:
    settled.set("exact_xml", price_decimals=2)

    assert len(settled.export(LATER).keys) == 45
    assert settled.export(LATER).keys == set()


def test_a_change_that_is_taken_back_before_the_next_run_is_none(
    settled: Installation, shop: PrestaShopDatabase
) -> None:
    shop.execute("UPDATE ps_product_lang SET name = CONCAT(name, '!') WHERE id_product = 6")
    shop.execute("UPDATE ps_product_lang SET name = 'Mug The best is yet to come' WHERE id_product = 6")

    assert settled.export(LATER).keys == set()


# --- what ended is noticed, recorded, reported and not exported --------------------------------------------

ENDINGS = {
    "inactive": (
        "UPDATE ps_product_shop SET active = 0 WHERE id_product = 6",
        "became_active_in_data_shop",
        "UPDATE ps_product_shop SET active = 1 WHERE id_product = 6",
    ),
    "an unfinished draft": (
        "UPDATE ps_product SET state = 0 WHERE id_product = 6",
        "became_active_in_data_shop",
        "UPDATE ps_product SET state = 1 WHERE id_product = 6",
    ),
    "not in the data shop": (
        "UPDATE ps_product_shop SET id_shop = 7 WHERE id_product = 6",
        "became_active_in_data_shop",
        "UPDATE ps_product_shop SET id_shop = 1 WHERE id_product = 6",
    ),
    "a pack's component": (
        "INSERT INTO ps_pack VALUES (15, 6, 0, 1)",
        "became_not_bundle_component",
        "DELETE FROM ps_pack WHERE id_product_item = 6",
    ),
    "flagged in the shop's own column": (
        "UPDATE ps_product SET on_sale = 1 WHERE id_product = 6",
        "became_not_excluded",
        "UPDATE ps_product SET on_sale = 0 WHERE id_product = 6",
    ),
    "deleted": (
        "CREATE TABLE kept AS SELECT * FROM ps_product WHERE id_product = 6;"
        "DELETE FROM ps_product WHERE id_product = 6",
        "deleted",
        "INSERT INTO ps_product SELECT * FROM kept; DROP TABLE kept",
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_ended_record_is_reported_and_comes_back_when_it_does(
    installed: Installation, shop: PrestaShopDatabase, ending: str
) -> None:
    ends, reason, returns = ENDINGS[ending]
    installed.set("products", exclude_column="product.on_sale")
    installed.export()
    shop.execute(ends)

    run = installed.export(LATER)
    again = installed.export(LATER)
    remembered = installed.remembered((6, 0))
    shop.execute(returns)
    back = installed.export(LATER)

    assert (run.keys, run.tally.failed, run.tally.reasons[reason]) == (set(), 0, 1)
    assert (again.keys, again.tally.reasons[reason]) == (set(), 0)
    assert remembered == [("synced", reason, False)]
    assert back.keys == {"6-0"}
    assert installed.remembered((6, 0)) == [("synced", None, True)]


def test_a_combination_a_person_excludes_stays_out_until_included(
    settled: Installation, shop: PrestaShopDatabase
) -> None:
    with settled.state() as state:
        state.exclusions.add(9, 22, reference="demo_15", at=NOW)
        state.exclusions.add(2, at=NOW)
    shop.execute("UPDATE ps_product_attribute SET reference = 'other' WHERE id_product_attribute = 23")
    settled.force((9, 23))

    run = settled.export(LATER)

    assert run.keys == {"9-23"}
    assert run.tally.reasons == {
        "became_not_excluded": 5,
        "not_excluded": 5,
        "not_bundle_component": 2,
    }
    with settled.state() as state:
        state.exclusions.end([WantedId(2, None)])
    assert settled.export(LATER).keys == {"2-9", "2-10", "2-11", "2-12"}


def test_an_excluded_combination_recreated_under_a_new_id_stays_out(
    installed: Installation, shop: PrestaShopDatabase
) -> None:
    shop.execute("UPDATE ps_product_attribute SET reference = 'GONE' WHERE id_product_attribute = 22")
    with installed.state() as state:
        state.exclusions.add(9, 22, reference="GONE", at=NOW)
    installed.export()
    shop.execute(
        "UPDATE ps_product_attribute SET id_product_attribute = 922 WHERE id_product_attribute = 22;"
        "UPDATE ps_product_attribute_shop SET id_product_attribute = 922 WHERE id_product_attribute = 22"
    )

    run = installed.export(LATER)

    assert (run.keys, run.tally.reasons["not_excluded"], run.tally.reasons["deleted"]) == (set(), 1, 0)


def test_components_of_a_pack_that_was_deleted_are_free(
    settled: Installation, shop: PrestaShopDatabase
) -> None:
    shop.execute("DELETE FROM ps_product WHERE id_product = 15")

    run = settled.export(LATER)

    assert (run.keys, run.tally.reasons) == ({"5-19", "7-0"}, {"deleted": 1})


def test_components_go_out_where_the_bundle_rule_is_off(installed: Installation) -> None:
    installed.set("products", bundle_components="export")

    assert len(installed.export().keys) == 47


def test_a_combination_that_ended_takes_its_unread_file_along(
    installed: Installation, shop: PrestaShopDatabase
) -> None:
    installed.run()
    assert {"6-0", "8-0", "9-22", "9-23"} <= installed.unread()
    shop.execute(
        "UPDATE ps_product_shop SET active = 0 WHERE id_product = 6;"
        "DELETE FROM ps_product WHERE id_product = 8;"
        "DELETE FROM ps_product_attribute WHERE id_product_attribute = 22;"
        "UPDATE ps_product_lang SET name = 'New' WHERE id_product = 19"
    )

    installed.run(LATER)

    assert len(installed.unread()) == len(installed.indexed()) == 42
    assert installed.unread() & {"6-0", "8-0", "9-22"} == set()
    assert set(installed.indexed()) == installed.unread()


def test_a_newer_version_replaces_an_unread_older_one(
    installed: Installation, shop: PrestaShopDatabase
) -> None:
    installed.run()
    shop.execute("UPDATE ps_product_lang SET name = 'Mok' WHERE id_product = 6")
    installed.run(LATER)

    documents = installed.take()

    assert (len(documents), documents["6-0"].description) == (45, "Mok")


# --- item codes ------------------------------------------------------------------------------------------


@pytest.fixture
def coded(installed: Installation, shop: PrestaShopDatabase) -> Installation:
    """Item codes are references, and each combination has one of its own: C1 to C39, P6 and so on."""
    installed.set("products", item_code="reference")
    shop.execute(
        "UPDATE ps_product_attribute SET reference = CONCAT('C', id_product_attribute);"
        "UPDATE ps_product SET reference = CONCAT('P', id_product)"
    )
    return installed


def add_combination(id_product: int, id_product_attribute: int, reference: str) -> str:
    """SQL that adds a combination in the data shop."""
    return (
        "INSERT INTO ps_product_attribute (id_product_attribute, id_product, reference, supplier_reference)"
        f" VALUES ({id_product_attribute}, {id_product}, '{reference}', '');"
        "INSERT INTO ps_product_attribute_shop (id_product, id_product_attribute, id_shop)"
        f" VALUES ({id_product}, {id_product_attribute}, 1);"
    )


def test_new_duplicates_block_each_other_and_nobody_else(
    coded: Installation, shop: PrestaShopDatabase
) -> None:
    shop.execute(
        "UPDATE ps_product_attribute SET reference = 'same' WHERE id_product_attribute = 3;"
        "UPDATE ps_product_attribute SET reference = ' SAME ' WHERE id_product_attribute = 9;"
        "UPDATE ps_product SET reference = 'Same' WHERE id_product = 6"
    )
    run = coded.export()
    assert run.failed == dict.fromkeys(["1-3", "2-9", "6-0"], "duplicate_item_code")
    assert (len(run.keys), run.tally.delivered, run.tally.pending) == (42, 42, 45)
    assert "1-3, 2-9" in run.messages["6-0"]

    shop.execute("UPDATE ps_product_attribute SET reference = 'C9' WHERE id_product_attribute = 9")
    shop.execute("UPDATE ps_product_shop SET active = 0 WHERE id_product = 6")
    assert coded.export(LATER).keys == {"1-3", "2-9"}


def test_the_acknowledged_holder_keeps_its_code_and_stays_healthy(
    coded: Installation, shop: PrestaShopDatabase
) -> None:
    coded.export()
    shop.execute(
        add_combination(9, 40, "c22")
        + "UPDATE ps_product_attribute SET ean13 = '1' WHERE id_product_attribute = 22"
    )

    run = coded.export(LATER)

    assert (run.keys, run.failed) == ({"9-22"}, {"9-40": "duplicate_item_code"})
    assert "9-22" in run.messages["9-40"]
    assert coded.export(LATER).keys == set()


def test_a_recreated_combination_takes_over_its_code(coded: Installation, shop: PrestaShopDatabase) -> None:
    coded.export()
    shop.execute(
        "DELETE FROM ps_product_attribute WHERE id_product_attribute = 22;"
        "DELETE FROM ps_product_attribute_shop WHERE id_product_attribute = 22;"
        + add_combination(9, 40, "C22")
    )

    run = coded.export(LATER)

    assert (run.keys, run.tally.reasons["deleted"], run.tally.failed) == ({"9-40"}, 1, 0)
    assert run.documents["9-40"].code == "C22"


def test_combinations_take_over_the_code_of_the_simple_product_they_were(
    coded: Installation, shop: PrestaShopDatabase
) -> None:
    coded.export()
    shop.execute(add_combination(6, 40, ""))

    run = coded.export(LATER)

    assert (run.keys, run.tally.reasons["deleted"], run.documents["6-40"].code) == ({"6-40"}, 1, "P6")


def test_two_combinations_of_a_former_simple_product_cannot_share_its_code(
    coded: Installation, shop: PrestaShopDatabase
) -> None:
    coded.export()
    shop.execute(add_combination(6, 40, "") + add_combination(6, 41, ""))

    assert coded.export(LATER).failed == dict.fromkeys(["6-40", "6-41"], "duplicate_item_code")
    shop.execute("UPDATE ps_product_attribute SET reference = 'P6b' WHERE id_product_attribute = 41")
    assert {key: one.code for key, one in coded.export(LATER).documents.items()} == {
        "6-40": "P6",
        "6-41": "P6b",
    }


def test_a_code_whose_holder_is_no_longer_eligible_is_free(
    coded: Installation, shop: PrestaShopDatabase
) -> None:
    coded.export()
    shop.execute(
        "UPDATE ps_product_shop SET active = 0 WHERE id_product = 6;"
        "UPDATE ps_product_attribute SET reference = '' WHERE id_product_attribute = 22;"
        + add_combination(9, 40, "P6")
    )
    assert coded.export(LATER).keys == {"9-40"}

    shop.execute("UPDATE ps_product_shop SET active = 1 WHERE id_product = 6")
    assert coded.export(LATER).failed == {"6-0": "duplicate_item_code", "9-22": "item_code_changed"}


def test_a_changed_code_is_held_until_forced(coded: Installation, shop: PrestaShopDatabase) -> None:
    coded.export()
    shop.execute(
        "UPDATE ps_product_attribute SET reference = 'C3-NEW', ean13 = '1' WHERE id_product_attribute = 3;"
        "UPDATE ps_product_attribute SET reference = 'c4 ' WHERE id_product_attribute = 4"
    )

    held = coded.export(LATER)
    full = coded.export(LATER, full=True)
    assert (held.keys, held.failed) == ({"1-4"}, {"1-3": "item_code_changed"})
    assert "'C3'" in held.messages["1-3"]
    assert "'C3-NEW'" in held.messages["1-3"]
    assert (len(full.keys), full.failed) == (44, {"1-3": "item_code_changed"})
    assert coded.remembered((1, 3)) == [("failed", "item_code_changed", True)]

    coded.force((1, 3))
    forced = coded.export(LATER)
    assert {key: one.code for key, one in forced.documents.items()} == {"1-3": "C3-NEW"}
    assert coded.export(LATER).keys == set()


def test_a_code_changed_back_is_healthy_again(coded: Installation, shop: PrestaShopDatabase) -> None:
    coded.export()
    shop.execute("UPDATE ps_product_attribute SET reference = 'X' WHERE id_product_attribute = 3")
    coded.export(LATER)
    shop.execute("UPDATE ps_product_attribute SET reference = 'C3' WHERE id_product_attribute = 3")

    run = coded.export(LATER)

    assert (run.keys, run.tally.failed, run.tally.unchanged) == (set(), 0, 45)
    assert coded.remembered((1, 3)) == [("synced", None, True)]


def test_a_code_freed_by_a_forced_change_goes_to_who_wants_it(
    coded: Installation, shop: PrestaShopDatabase
) -> None:
    coded.export()
    shop.execute(
        "UPDATE ps_product_attribute SET reference = 'C22-OLD' WHERE id_product_attribute = 22;"
        + add_combination(9, 40, "C22")
    )
    coded.force((9, 22))

    keys = coded.export(LATER).keys | coded.export(LATER).keys

    assert keys == {"9-22", "9-40"}
    assert coded.export(LATER).tally.failed == 0


def test_without_a_required_field_a_record_is_not_sent(coded: Installation, shop: PrestaShopDatabase) -> None:
    long = "X" * 31
    shop.execute(
        "UPDATE ps_product_attribute SET reference = '' WHERE id_product_attribute = 22;"
        "UPDATE ps_product SET reference = '' WHERE id_product = 9;"
        "UPDATE ps_product_lang SET name = '' WHERE id_product = 6;"
        "UPDATE ps_product_shop SET price = 0 WHERE id_product = 8;"
        "UPDATE ps_product_attribute_shop SET price = -99 WHERE id_product_attribute = 3;"
        "UPDATE ps_product_attribute_shop SET price = 0.00004 - 23.9 WHERE id_product_attribute = 4;"
        f"UPDATE ps_product SET reference = '{long}' WHERE id_product = 19"
    )

    run = coded.export()

    assert run.failed == {
        "1-3": "missing_price",
        "1-4": "missing_price",
        "6-0": "missing_description",
        "8-0": "missing_price",
        "9-22": "missing_item_code",
        "19-0": "item_code_too_long",
    }
    assert len(run.keys) == 39
    coded.set("products", allow_zero_price=True)
    assert coded.export(LATER).keys == {"8-0", "1-4"}


def test_a_forced_record_goes_out_again_though_nothing_changed(settled: Installation) -> None:
    settled.force((6, 0), (9, 22))

    assert settled.export(LATER, dry_run=True).tally.pending == 2
    assert settled.export(LATER).keys == {"6-0", "9-22"}
    assert settled.export(LATER).keys == set()


# --- what a person may ask for ----------------------------------------------------------------------------


def test_a_limit_leaves_the_rest_for_the_next_run(installed: Installation) -> None:
    first = installed.export(limit=10)
    assert (len(first.keys), first.tally.pending, first.tally.left) == (10, 45, 35)
    assert first.tally.reasons["queued"] == 35
    assert installed.remembered((19, 0)) == [("pending", "queued", False)]

    assert len(installed.export(LATER, limit=0).keys) == 0
    rest = installed.export(LATER)
    assert (len(rest.keys), rest.keys & first.keys, rest.tally.left) == (35, set(), 0)


def test_full_exports_everything_eligible_again(settled: Installation) -> None:
    assert len(settled.export(LATER, full=True).keys) == 45
    assert settled.export(LATER).keys == set()


@pytest.mark.parametrize(
    ("ids", "by", "keys"),
    [
        (("1-3",), None, {"1-3"}),
        (("9",), None, {"9-22", "9-23"}),
        (("9-22", "6", "6-0"), None, {"9-22", "6-0"}),
        (("demo_15",), "reference", {"9-22", "9-23"}),
        ((" DEMO_11 ",), "reference", {"6-0"}),
        (("8711111111111",), "ean13", {"19-0"}),
        (("7",), None, set()),
    ],
)
def test_ids_narrow_a_run(installed: Installation, ids: tuple[str, ...], by: Any, keys: set[str]) -> None:
    run = installed.export(ids=ids, by=by)

    assert run.keys == keys
    assert len(installed.export(LATER).keys) == 45 - len(keys)


def test_a_narrowed_run_judges_nothing_else_deleted(settled: Installation, shop: PrestaShopDatabase) -> None:
    shop.execute("DELETE FROM ps_product WHERE id_product = 6")

    assert settled.export(LATER, ids=("9",)).tally.reasons["deleted"] == 0
    assert settled.export(LATER).tally.reasons["deleted"] == 1


@pytest.mark.parametrize(
    ("ids", "by", "code"),
    [
        (("6", "999"), None, "unknown_id"),
        (("9-1",), None, "unknown_id"),
        (("nothing",), "reference", "unknown_id"),
        (("six",), None, "malformed_id"),
        (("1-2-3",), None, "malformed_id"),
        (("-1",), None, "malformed_id"),
    ],
)
def test_an_unknown_or_malformed_id_writes_nothing(
    settled: Installation, ids: tuple[str, ...], by: Any, code: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        settled.run(LATER, ids=ids, by=by, full=True)

    assert (refused.value.code, settled.unread()) == (code, set())
    assert ids[-1] in refused.value.message


@pytest.mark.parametrize("bulk", [False, True], ids=["files", "bulk"])
def test_a_dry_run_counts_the_same_and_writes_nothing(installed: Installation, bulk: bool) -> None:
    dry = installed.run(dry_run=True, bulk=bulk)

    assert [path.name for path in installed.folder.iterdir()] == ["brekzsync.toml"]
    assert dry.tally.counts() == installed.run(bulk=bulk).tally.counts()


def test_a_dry_run_of_a_later_run_changes_neither_ledger_nor_outbox(
    settled: Installation, shop: PrestaShopDatabase
) -> None:
    settled.export()
    shop.execute(
        "UPDATE ps_product_lang SET name = 'Mok' WHERE id_product = 6;"
        "DELETE FROM ps_product WHERE id_product = 8;"
        "UPDATE ps_product_shop SET price = 0 WHERE id_product = 19"
    )
    state = sqlite3.connect(settled.folder / "state.db")
    before = list(state.iterdump())
    index = (settled.outbox / "index.xml").read_bytes()

    dry = settled.run(LATER, dry_run=True)

    assert list(state.iterdump()) == before
    assert (settled.unread(), (settled.outbox / "index.xml").read_bytes()) == (set(), index)
    assert dry.tally.counts() == settled.export(LATER).tally.counts()
    assert dry.tally.reasons == {"not_bundle_component": 2, "missing_price": 1, "deleted": 1}


def test_a_bulk_run_writes_one_document_that_says_the_same(
    installed: Installation, shared: Path, shop: PrestaShopDatabase, tmp_path: Path
) -> None:
    shop.execute(special("9", "9", "22"))
    other = tmp_path / "other"
    other.mkdir()
    separately = installation(other, shared, shop.url(driver=""))
    separately.sections["exact_xml"] = installed.sections["exact_xml"]

    bulk = installed.export(bulk=True)

    assert len(bulk.documents) == 45
    assert bulk.documents == separately.export().documents
    assert installed.export(LATER, bulk=True).keys == set()
    assert [path.name for path in installed.outbox.glob("*.xml")] == ["index.xml"]


def test_a_baseline_without_an_erp_takes_everything_as_exported(
    installed: Installation, shop: PrestaShopDatabase
) -> None:
    run = installed.export(baseline=True)
    assert (run.keys, run.outcome.baselined, installed.outbox.exists()) == (set(), 45, False)

    shop.execute("UPDATE ps_product_attribute SET ean13 = '1' WHERE id_product_attribute = 22")
    assert installed.export(LATER).keys == {"9-22"}


def test_a_baseline_takes_only_what_the_erp_holds(installed: Installation) -> None:
    with sqlite3.connect(installed.folder / "erp.db") as erp:
        erp.execute("CREATE TABLE Items (ItemCode VARCHAR(30))")
        erp.executemany("INSERT INTO Items VALUES (?)", [("demo_11-0",), (" DEMO_15-22  ",), ("OTHER",)])
    installed.set("erp", database="sqlite:///erp.db")

    dry = installed.run(baseline=True, dry_run=True)
    run = installed.export(baseline=True)

    assert (dry.baselined, run.outcome.baselined, run.keys) == (2, 2, set())
    assert run.outcome.tally.counts() == dry.tally.counts()
    counts, left = run.outcome.tally.counts(), run.outcome.tally.left
    assert (counts["unchanged"], counts["pending"], left) == (2, 43, 43)
    assert counts["pending"] == counts["delivered"] + counts["failed"] + left
    assert installed.export(LATER).keys == _all_keys() - {"6-0", "9-22"}


def _all_keys() -> set[str]:
    combinations = {1: 8, 2: 4, 3: 3, 4: 3, 5: 3, 9: 2, 10: 2, 11: 2, 16: 4, 17: 4, 18: 4}
    keys, minor = set(), 0
    for major in range(1, 20):
        for _ in range(combinations.get(major, 0)):
            minor += 1
            keys.add(f"{major}-{minor}")
        if major not in combinations:
            keys.add(f"{major}-0")
    return keys - {"5-19", "7-0"}


def test_a_baseline_with_an_erp_that_is_none_takes_nothing(installed: Installation) -> None:
    installed.set("erp", database="sqlite:///missing.db")

    with pytest.raises(ConfigurationError):
        installed.run(baseline=True)

    assert len(installed.export(LATER).keys) == 45


# --- targets and channels ---------------------------------------------------------------------------------


def test_every_target_has_a_ledger_and_an_outbox_of_its_own(
    installed: Installation, shop: PrestaShopDatabase
) -> None:
    installed.set("targets.nl.products", output="nl")
    installed.set("targets.be.products", output="be", item_code="key")
    assert len(installed.export(target="nl").keys) == 45
    shop.execute("UPDATE ps_product_lang SET name = 'Mok' WHERE id_product = 6")

    nl, be = installed.export(LATER, target="nl"), installed.export(LATER, target="be")

    assert (nl.keys, len(be.keys)) == ({"6-0"}, 45)
    assert (nl.documents["6-0"].code, be.documents["6-0"].code) == ("demo_11-0", "6-0")


def test_a_target_that_fetches_over_http_gets_no_files(installed: Installation) -> None:
    installed.set("products", channel="http")

    with pytest.raises(ConfigurationError) as refused:
        installed.run()

    assert (refused.value.code, refused.value.exit_code) == ("other_channel", 78)
    assert not installed.outbox.exists()


def test_with_results_a_served_version_waits_for_its_lease_and_is_then_served_again(
    installed: Installation, shop: PrestaShopDatabase
) -> None:
    installed.set("products", acknowledge="result")
    installed.set("serve", lease="30m")
    assert len(installed.export().keys) == 45

    waiting = installed.export(NOW + timedelta(minutes=29))
    assert (waiting.keys, waiting.tally.pending, waiting.tally.delivered) == (set(), 45, 0)
    shop.execute("UPDATE ps_product_lang SET name = 'Mok' WHERE id_product = 6")
    assert installed.export(NOW + timedelta(minutes=29)).keys == {"6-0"}
    assert len(installed.export(NOW + timedelta(minutes=31)).keys) == 44
    assert installed.export(NOW + timedelta(minutes=60)).keys == {"6-0"}


def test_with_results_an_imported_version_is_in_sync_and_a_rejected_one_comes_again_later(
    installed: Installation, shop: PrestaShopDatabase
) -> None:
    installed.set("products", acknowledge="result")
    installed.export()
    with installed.ledger() as ledger:
        keys = [tuple(map(int, key.split("-"))) for key in _all_keys() - {"6-0", "8-0"}]
        ledger.served.settle([Outcome(*key, None, imported=True) for key in keys], at=NOW)
        rejected = [Outcome(*key, None, imported=False, message="no") for key in ((6, 0), (8, 0))]
        ledger.served.settle(rejected, at=NOW)

    soon = installed.export(NOW + timedelta(seconds=59))
    shop.execute("UPDATE ps_product_lang SET name = 'Mok' WHERE id_product = 6")
    changed = installed.export(NOW + timedelta(seconds=59))
    later = installed.export(NOW + timedelta(seconds=61))

    assert (soon.keys, soon.tally.unchanged) == (set(), 43)
    assert (changed.keys, later.keys) == ({"6-0"}, {"8-0"})


def test_a_limit_passes_over_what_is_still_leased(installed: Installation) -> None:
    installed.set("products", acknowledge="result")

    first, second = installed.export(limit=10), installed.export(LATER, limit=10)

    assert (len(first.keys), len(second.keys), first.keys & second.keys) == (10, 10, set())


def test_a_force_of_an_ineligible_record_waits_until_it_is_eligible(
    settled: Installation, shop: PrestaShopDatabase
) -> None:
    shop.execute("UPDATE ps_product_shop SET active = 0 WHERE id_product = 6")
    settled.force((6, 0))
    assert settled.export(LATER).keys == set()
    shop.execute("UPDATE ps_product_shop SET active = 1 WHERE id_product = 6")

    assert settled.export(LATER).keys == {"6-0"}
    with settled.ledger() as ledger:
        (row,) = ledger.rows_for([(6, 0)])
    assert (row.force_requested, row.force_acknowledged) == (1, 1)


def test_a_column_of_the_shop_may_exclude_single_combinations(
    installed: Installation, shop: PrestaShopDatabase
) -> None:
    shop.execute(
        "ALTER TABLE ps_product_attribute ADD COLUMN keep_out TINYINT NULL;"
        "UPDATE ps_product_attribute SET keep_out = 1 WHERE id_product_attribute IN (1, 22)"
    )
    installed.set("products", exclude_column="product_attribute.keep_out")

    run = installed.export()

    assert (len(run.keys), run.keys & {"1-1", "9-22"}, run.tally.reasons["not_excluded"]) == (43, set(), 2)


@pytest.mark.parametrize(
    ("template", "codes"),
    [
        ("key", {"9-22": "9-22", "19-0": "19-0"}),
        ("ean13", {"9-22": "42", "19-0": "8711111111111"}),
        ("{id_product}/{ean13}", {"9-22": "9/42", "19-0": "19/8711111111111"}),
    ],
)
def test_item_codes_are_made_as_configured(
    installed: Installation, shop: PrestaShopDatabase, template: str, codes: dict[str, str]
) -> None:
    shop.execute("UPDATE ps_product_attribute SET ean13 = ' 42' WHERE id_product_attribute = 22")
    installed.set("products", item_code=template)

    run = installed.export(ids=("9-22", "9-23", "19"))

    assert {key: one.code for key, one in run.documents.items() if key != "9-23"} == codes
    assert run.failed == ({} if template == "key" else {"9-23": "missing_item_code"})


@pytest.mark.long
def test_a_null_in_any_column_that_is_read_stops_no_run(
    installed: Installation, shop: PrestaShopDatabase
) -> None:
    """Also where PrestaShop's own schema allows none: modules and imports alter tables."""
    keys = shop.execute(
        "SELECT table_name, column_name FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() AND index_name = 'PRIMARY'"
    )
    columns = shop.execute(
        "SELECT table_name, column_name, column_type FROM information_schema.columns"
        " WHERE table_schema = DATABASE()"
    )
    read = {(table.name, column.name) for table in shop_tables("ps_").all() for column in table.columns}
    crashed, tried = [], 0
    for table, column, kind in columns:
        if (table, column) not in read or (table, column) in keys:
            continue
        shop.execute(
            f"ALTER TABLE `{table}` MODIFY `{column}` {kind} NULL; CREATE TABLE kept AS SELECT * FROM `{table}`;"
            f"UPDATE `{table}` SET `{column}` = NULL"
        )
        try:
            installed.export(full=True)
        except ConfigurationError:  # a shop without a name, say, cannot be found
            pass
        except Exception as error:
            crashed.append(f"{table}.{column}: {error!r}")
        shop.execute(f"DELETE FROM `{table}`; INSERT INTO `{table}` SELECT * FROM kept; DROP TABLE kept")
        tried += 1
    assert crashed == []
    assert tried > 60
