"""An export works on every genuine schema from PrestaShop 1.7.6 to 9.1, under a prefix of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.exports import NOW, Document, SpecialPrice, installation
from tests.services.mariadb import MariaDB

PREFIX = "winkel_"
VERSIONS = ["v1.7.6.9", "v1.7.7.8", "v1.7.8.11", "v8.0.5", "v8.1.7", "v8.2.1", "v9.1.0"]

# Made elsewhere than in the schema files before 9.1: only what a shop cannot do without.
MISSING = """
CREATE TABLE IF NOT EXISTS PREFIX_shop (id_shop INT PRIMARY KEY, id_shop_group INT NOT NULL,
  name VARCHAR(64) NOT NULL, active TINYINT(1) NOT NULL, deleted TINYINT(1) NOT NULL);
CREATE TABLE IF NOT EXISTS PREFIX_shop_group (id_shop_group INT PRIMARY KEY, name VARCHAR(64) NOT NULL);
CREATE TABLE IF NOT EXISTS PREFIX_lang (id_lang INT PRIMARY KEY, name VARCHAR(32) NOT NULL,
  active TINYINT(1) NOT NULL, iso_code VARCHAR(2) NOT NULL);
CREATE TABLE IF NOT EXISTS PREFIX_attribute (id_attribute INT PRIMARY KEY, id_attribute_group INT NOT NULL,
  position INT NOT NULL);
CREATE TABLE IF NOT EXISTS PREFIX_attribute_group (id_attribute_group INT PRIMARY KEY, position INT NOT NULL);
CREATE TABLE IF NOT EXISTS PREFIX_attribute_lang (id_attribute INT, id_lang INT, name VARCHAR(128) NOT NULL,
  PRIMARY KEY (id_attribute, id_lang));
"""

ROWS = """
INSERT INTO PREFIX_shop_group (id_shop_group, name) VALUES (1, 'G');
INSERT INTO PREFIX_shop (id_shop, id_shop_group, name, active, deleted) VALUES (1, 1, 'NL', 1, 0);
INSERT INTO PREFIX_lang (id_lang, name, active, iso_code) VALUES (1, 'Nederlands', 1, 'nl');
INSERT INTO PREFIX_currency (id_currency, iso_code) VALUES (1, 'EUR');
INSERT INTO PREFIX_country (id_country, iso_code) VALUES (13, 'NL');
INSERT INTO PREFIX_group (id_group, reduction) VALUES (1, 0);
INSERT INTO PREFIX_configuration (name, value) VALUES ('PS_LANG_DEFAULT', '1'), ('PS_CURRENCY_DEFAULT', '1'),
  ('PS_COUNTRY_DEFAULT', '13'), ('PS_TIMEZONE', 'Europe/Amsterdam');
INSERT INTO PREFIX_tax (id_tax, rate, active) VALUES (1, 21, 1);
INSERT INTO PREFIX_tax_rules_group (id_tax_rules_group, name, active) VALUES (1, 'NL', 1);
INSERT INTO PREFIX_tax_rule
  (id_tax_rule, id_tax_rules_group, id_country, id_state, zipcode_from, zipcode_to, id_tax)
  VALUES (1, 1, 13, 0, '0', '0', 1);
INSERT INTO PREFIX_manufacturer (id_manufacturer, name) VALUES (4, 'Merk');
INSERT INTO PREFIX_category_lang (id_category, id_shop, id_lang, name) VALUES (8, 1, 1, 'Tassen');
INSERT INTO PREFIX_attribute_group (id_attribute_group, position) VALUES (1, 0);
INSERT INTO PREFIX_attribute (id_attribute, id_attribute_group, position) VALUES (1, 1, 0), (2, 1, 1);
INSERT INTO PREFIX_attribute_lang (id_attribute, id_lang, name) VALUES (1, 1, 'Rood'), (2, 1, 'Blauw');
INSERT INTO PREFIX_product (id_product, id_manufacturer, reference, ean13, weight, date_upd) VALUES
  (1, 4, 'TAS', '', 0.5, '2026-11-20 10:00:00'), (2, 0, 'LOS', '8712345678906', 0, '2026-11-20 10:00:00');
INSERT INTO PREFIX_product_shop (id_product, id_shop, id_category_default, id_tax_rules_group, price, active)
  VALUES (1, 1, 8, 1, 10, 1), (2, 1, 8, 0, 5, 1);
INSERT INTO PREFIX_product_lang (id_product, id_shop, id_lang, name) VALUES
  (1, 1, 1, 'Tas é'), (2, 1, 1, 'Los');
INSERT INTO PREFIX_product_attribute (id_product_attribute, id_product, reference, ean13) VALUES
  (11, 1, 'TAS-R', '8711111111111'), (12, 1, '', '');
INSERT INTO PREFIX_product_attribute_shop (id_product, id_product_attribute, id_shop, price) VALUES
  (1, 11, 1, 2), (1, 12, 1, 0);
INSERT INTO PREFIX_product_attribute_combination (id_attribute, id_product_attribute) VALUES (1, 11), (2, 12);
INSERT INTO PREFIX_image (id_image, id_product, position) VALUES (30, 1, 1), (31, 1, 2);
INSERT INTO PREFIX_image_shop (id_product, id_image, id_shop, cover) VALUES (1, 30, 1, 1);
INSERT INTO PREFIX_product_attribute_image (id_product_attribute, id_image) VALUES (12, 31);
INSERT INTO PREFIX_specific_price
  (id_product, id_shop, price, from_quantity, reduction, reduction_type) VALUES
  (2, 0, -1, 1, 0.1, 'percentage');
"""

COMMON = Document("", "", (), "", "EUR", "", "", "", "", "", "8", "Tassen", "", ())
EXPECTED = {
    "1-11": COMMON._replace(
        code="TAS-R",
        description="Tas é Rood",
        translations=(("0", "Tas é Rood"),),
        price="12",
        vat_code="2",
        tax_rate="21",
        weight="0.5",
        image="30.jpg",
        brand="Merk",
        gtin="8711111111111",
    ),
    "1-12": COMMON._replace(
        code="TAS",
        description="Tas é Blauw",
        translations=(("0", "Tas é Blauw"),),
        price="10",
        vat_code="2",
        tax_rate="21",
        weight="0.5",
        image="31.jpg",
        brand="Merk",
    ),
    "2-0": COMMON._replace(
        code="LOS",
        description="Los",
        translations=(("0", "Los"),),
        price="5",
        gtin="8712345678906",
        specials=(SpecialPrice("LOS", "4.5", "2000-01-01", ""),),
    ),
}


# Two hundred tables take a while to make: first and last release in every run, the others in long ones.
@pytest.mark.parametrize(
    "version",
    [
        version if version in (VERSIONS[0], VERSIONS[-1]) else pytest.param(version, marks=pytest.mark.long)
        for version in VERSIONS
    ],
)
def test_an_export_works_on_the_genuine_schema(
    mariadb: MariaDB, shared: Path, tmp_path: Path, version: str
) -> None:
    schema = (shared / f"data/prestashop/schemas/db_structure-{version}.sql").read_text(encoding="utf-8")
    placed = schema.replace("ENGINE_TYPE", "InnoDB").replace(" COLLATION;", ";")
    lenient = "SET sql_mode = '';"  # a column the rows do not name takes whatever its type has
    script = lenient + f"{placed};{MISSING}{ROWS}".replace("PREFIX_", PREFIX)
    check_export(mariadb, script, PREFIX, shared, tmp_path)


def test_an_export_works_on_the_complete_schema_of_an_installed_shop(
    mariadb: MariaDB, shared: Path, tmp_path: Path
) -> None:
    schema = (shared / "data/prestashop/schema-8.2.1.sql").read_text(encoding="utf-8")
    assert "`ps_product`" in schema
    script = schema.replace("`ps_", f"`{PREFIX}") + "SET sql_mode = '';" + ROWS.replace("PREFIX_", PREFIX)
    check_export(mariadb, script, PREFIX, shared, tmp_path)


def test_every_schema_from_the_first_supported_release_on_is_tried(shared: Path) -> None:
    files = {path.stem for path in (shared / "data/prestashop/schemas").glob("*.sql")}

    assert files == {f"db_structure-{version}" for version in ["v1.6.1.24", *VERSIONS]}


def check_export(mariadb: MariaDB, script: str, prefix: str, shared: Path, folder: Path) -> None:
    """Load the script and export: every item says what its rows say, and a second run finds nothing new."""
    mariadb.create_database("versions")
    source = folder / "shop.sql"
    source.write_text(script, encoding="utf-8")
    mariadb.load("versions", source)
    installed = installation(folder, shared, mariadb.url("versions", driver=""), item_code="reference")
    installed.set("shop", table_prefix=prefix, data_shop="NL")

    first, second = installed.export(), installed.export(NOW)

    assert first.documents == EXPECTED
    assert (second.keys, second.tally.unchanged) == (set(), 3)
