"""One product, asked for by one question, is what the whole catalogue says of it: to the byte, so that a version
served by itself is the version of the next run."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest

from brekzsync.bootstrap.products import shop_options
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.records import SourceRecord
from brekzsync.prestashop.shop import Shop
from brekzsync.settings import Settings
from tests.exports import NOW, Installation, installation
from tests.services.prestashop import PrestaShopDatabase

SALT = b"salt"
ODD = """
INSERT INTO ps_lang SELECT 2, 'Français', 1, 'fr', 'fr', locale, date_format_lite, date_format_full, 0
  FROM ps_lang WHERE id_lang = 1;
INSERT INTO ps_product_lang (id_product, id_shop, id_lang, name, link_rewrite)
  SELECT id_product, 1, 2, CONCAT('é ', name), '' FROM ps_product_lang WHERE id_lang = 1;
UPDATE ps_product_lang SET name = '' WHERE id_lang = 1 AND id_product = 3;
UPDATE ps_product_lang SET name = 'Größe "€" 100%' WHERE id_product = 4;
UPDATE ps_product SET date_upd = '0000-00-00 00:00:00', weight = 1.234567 WHERE id_product = 5;
UPDATE ps_product_attribute_shop SET price = -0.15 WHERE id_product = 1;
ALTER TABLE ps_product_attribute ADD COLUMN hidden TINYINT NULL;
ALTER TABLE ps_specific_price MODIFY reduction DECIMAL(17,2) NOT NULL;
ALTER TABLE ps_product CONVERT TO CHARACTER SET latin1;
ALTER TABLE ps_product_attribute CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
UPDATE ps_product_attribute SET hidden = 1 WHERE id_product = 2 LIMIT 1;
INSERT INTO ps_product_group_reduction_cache VALUES (6, 1, 0.15);
INSERT INTO ps_pack VALUES (7, 1, 2, 3), (8, 2, 0, 1);
INSERT INTO ps_specific_price (id_product, id_product_attribute, price, from_quantity, reduction, reduction_tax,
  reduction_type, `from`, `to`) VALUES
  (1, 0, -1, 1, 0.2, 1, 'percentage', '0000-00-00 00:00:00', '2030-01-01 00:00:00'),
  (1, 3, 9.5, 1, 0, 1, 'amount', '0000-00-00 00:00:00', '0000-00-00 00:00:00'),
  (9, 0, 3, 5, 0, 1, 'amount', '0000-00-00 00:00:00', '0000-00-00 00:00:00');
"""


@pytest.fixture
def odd(prestashop: PrestaShopDatabase) -> PrestaShopDatabase:
    """PrestaShop's own shop, with what a question of many tables might blur."""
    prestashop.execute("SET sql_mode = ''; " + ODD)
    return prestashop


def shop_of(settings: Settings) -> Shop:
    database = ShopDatabase(settings.shop.database.get_secret_value(), keeps_connections=True)
    return Shop(database, shop_options(settings))


def asked_singly(shop: Shop, ids: list[int]) -> list[list[SourceRecord]]:
    found = []
    for id_product in ids:
        with shop.glance(NOW) as glance:
            found.append(glance.catalogue(SALT).one(id_product))
    return found


def streamed(shop: Shop) -> list[list[SourceRecord]]:
    with shop.open(NOW) as opened:
        records = opened.catalogue(SALT).stream()
        return [list(own) for _, own in groupby(records, key=lambda record: record.key[0])]


def configured(folder: Path, shared: Path, url: str, **languages: int) -> Installation:
    made = installation(folder, shared, url)
    made.set("products", exclude_column="product_attribute.hidden")
    if languages:
        made.set("exact_xml", language_slots=languages)
    return made


@pytest.mark.mariadb
def test_a_product_by_itself_is_what_the_catalogue_says_of_it(
    tmp_path: Path, shared: Path, odd: PrestaShopDatabase
) -> None:
    for number, (driver, languages) in enumerate(
        [("mysqldb", {}), ("mysqldb", {"fr": 1}), ("pymysql", {"nl": 0, "fr": 1})]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        shop = shop_of(configured(folder, shared, odd.url(driver), **languages).settings)
        expected = streamed(shop)
        assert len(expected) > 15
        assert asked_singly(shop, [own[0].key[0] for own in expected]) == expected
        assert asked_singly(shop, [0, 10_000]) == [[], []]
        shop.dispose()


def test_and_so_it_is_in_an_embedded_shop(tmp_path: Path, shared: Path) -> None:
    from brekzsync.demo.folder import make_demo

    make_demo(tmp_path / "demo", NOW)
    made = installation(tmp_path, shared, f"sqlite:///{tmp_path / 'demo/shop.db'}")
    made.set("shop", data_shop="NL")
    shop = shop_of(made.settings)
    expected = streamed(shop)
    assert asked_singly(shop, [own[0].key[0] for own in expected]) == expected
    shop.dispose()


@pytest.mark.mariadb
@pytest.mark.parametrize("driver", ["mysqldb", "pymysql"])
def test_a_connection_that_was_closed_meanwhile_is_replaced(
    tmp_path: Path, shared: Path, prestashop: PrestaShopDatabase, driver: str
) -> None:
    shop = shop_of(installation(tmp_path, shared, prestashop.url(driver)).settings)
    before = asked_singly(shop, [1])
    others = "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND db = DATABASE()"
    for (number,) in prestashop.execute(others):
        prestashop.execute(f"KILL {number}")
    assert asked_singly(shop, [1]) == before
    shop.dispose()
