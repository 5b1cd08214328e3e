"""Raw rows and their digests: each column that matters moves one, and no driver or page size does.

A record is decoded only when its digest moved, so a column the digest forgot would be a change nobody
notices; and a digest that moves by itself would only cost time. Both are looked at, column by column.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pymysql
import pytest
from sqlalchemy.engine import make_url

from brekzsync.demo.seed import seed_shop
from brekzsync.domain.eligibility import Standing
from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.items import Item
from brekzsync.domain.keys import format_key
from brekzsync.domain.products import ItemMapper, ItemRules, Refusal
from brekzsync.domain.texts import normalise_code
from brekzsync.prestashop import products
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.products import Catalogue
from brekzsync.prestashop.shop import Shop, ShopOptions
from brekzsync.prestashop.tables import shop_tables
from tests.exports import NOW
from tests.services.mariadb import MariaDB

TEMPLATE = CodeTemplate("{reference}")
OPTIONS = ShopOptions(
    table_prefix="ps_",
    data_shop="NL",
    language="",
    slots={"nl": 0, "en": 3},
    slots_wanted=True,
    exclude_column="",
)


class Seen(NamedTuple):
    """All a run gets to know of one combination; ``item`` is a reason when it cannot be one."""

    digest: bytes
    standing: Standing
    resaved: bytes
    item: Item | str
    special: Any


@contextmanager
def catalogue_of(url: str, *, salt: bytes = b"salt", options: ShopOptions = OPTIONS) -> Iterator[Catalogue]:
    database = ShopDatabase(url)
    try:
        with Shop(database, options).open(NOW) as opened:
            yield opened.catalogue(salt)
    finally:
        database.dispose()


def seen(url: str, **reading: Any) -> dict[str, Seen]:
    """The whole catalogue, in its order."""
    with catalogue_of(url, **reading) as catalogue:
        return all_of(catalogue)


def all_of(catalogue: Catalogue) -> dict[str, Seen]:
    rules = ItemRules(TEMPLATE, 4, False, True, {"21": "2", "9": "1", "19": "3"}, "NL", (0, 1))
    mapper, found = ItemMapper(rules), {}
    for record in catalogue.stream():
        combination = catalogue.combination(record)
        mapped = mapper.map(combination)
        item = mapped.reason if isinstance(mapped, Refusal) else mapped[0]
        found[format_key(record.key)] = Seen(
            record.digest, record.standing, record.resaved, item, combination.special_price
        )
    return found


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's shop, whole."""
    path = tmp_path_factory.mktemp("demo") / "shop.db"
    seed_shop(path, NOW)
    return path


KEPT = (1, 4, 6, 7, 17)
ADDED = """
INSERT INTO ps_product_group_reduction_cache (id_product, id_group, reduction) VALUES (17, 1, '0.1');
INSERT INTO ps_specific_price_priority (id_specific_price_priority, id_product, priority)
  VALUES (1, 17, 'id_shop;id_currency;id_country;id_group');
INSERT INTO ps_specific_price SELECT 2, 0, 0, 17, 1, 0, 0, 0, 0, 0, '-1.000000', 1, '0.300000', 1, 'percentage',
  '0000-00-00 00:00:00', '0000-00-00 00:00:00';
INSERT INTO ps_specific_price SELECT 3, 0, 0, 17, 0, 0, 0, 1, 0, 0, '-1.000000', 1, '0.400000', 1, 'percentage',
  '0000-00-00 00:00:00', '0000-00-00 00:00:00';
"""


@pytest.fixture(scope="module")
def small(demo: Path) -> Path:
    """A few of its products, with more than one specific price and a group's reduction."""
    path = demo.with_name("small.db")
    shutil.copy(demo, path)
    with closing(sqlite3.connect(path)) as shop:
        for table in ("product", "product_shop", "product_lang", "image", "image_shop", "specific_price"):
            shop.execute(f"DELETE FROM ps_{table} WHERE id_product NOT IN {KEPT}")
        shop.execute(f"DELETE FROM ps_product_attribute WHERE id_product NOT IN {KEPT}")
        shop.executescript(ADDED)
    return path


class Bench(NamedTuple):
    """One database that each test changes and finds as it was: statements are compiled once for all."""

    path: Path
    shop: Shop

    def connect(self) -> sqlite3.Connection:
        """To write; nothing here outlives the test."""
        connection = sqlite3.connect(self.path)
        connection.executescript("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")
        return connection

    def seen(self) -> dict[str, Seen]:
        with self.shop.open(NOW) as opened:
            return all_of(opened.catalogue(b"salt"))


@pytest.fixture(scope="module")
def _bench(small: Path) -> Iterator[Bench]:
    path = small.with_name("bench.db")
    path.touch()
    shop = Shop(ShopDatabase(f"sqlite:///{path}"), OPTIONS)
    yield Bench(path, shop)
    shop.dispose()


@pytest.fixture
def bench(_bench: Bench, small: Path) -> Bench:
    with closing(sqlite3.connect(small)) as source, closing(_bench.connect()) as target:
        source.backup(target)
    return _bench


@pytest.fixture(scope="module")
def before(small: Path) -> dict[str, Seen]:
    return seen(f"sqlite:///{small}")


def test_the_small_shop_has_one_of_everything(before: dict[str, Seen]) -> None:
    assert list(before) == ["1-101", "1-102", "1-103", "1-104", "4-0", "6-601", "6-602", "7-0", "17-0"]
    assert before["6-601"].standing.bundles == (4,)
    item = before["17-0"].item
    assert isinstance(item, Item)
    assert (item.price, item.special_price) == ("9.8760", "6.2219")  # less 30 %, then less 10 %


# --- column by column --------------------------------------------------------------------------------------

P1 = "1-101 1-102 1-103 1-104"
P6 = "6-601 6-602"
ALL = f"{P1} 4-0 {P6} 7-0 17-0"
DOGS = f"{P1} 4-0 {P6} 7-0"
SPECIAL = "UPDATE ps_specific_price SET {} WHERE id_specific_price = 2"

# column: statement, keys whose digest alone moves, keys whose item moves too. A trailing letter says that
# the standing (s) or the mark of a re-save (r) moves as well.
CHANGES: list[tuple[str, str, str, str, str]] = [
    ("product.id_product", "DELETE FROM ps_product WHERE id_product = 7", "7-0", "", "gone"),
    ("product.id_manufacturer", "UPDATE ps_product SET id_manufacturer = 3 WHERE id_product = 1", "", P1, ""),
    ("product.reference", "UPDATE ps_product SET reference = 'X' WHERE id_product = 7", "", "7-0", ""),
    ("product.reference", "UPDATE ps_product SET reference = 'X' WHERE id_product = 1", P1, "", ""),
    ("product.ean13", "UPDATE ps_product SET ean13 = '' WHERE id_product = 7", "", "7-0", ""),
    ("product.ean13", "UPDATE ps_product SET ean13 = '1' WHERE id_product = 1", P1, "", ""),
    ("product.weight", "UPDATE ps_product SET weight = '9.000000' WHERE id_product = 1", "", P1, ""),
    ("product.state", "UPDATE ps_product SET state = 0 WHERE id_product = 7", "7-0", "", "s"),
    (
        "product.date_upd",
        "UPDATE ps_product SET date_upd = '2026-11-21 10:00:00' WHERE id_product = 1",
        P1,
        "",
        "r",
    ),
    (
        "product_shop.id_product",
        "UPDATE ps_product_shop SET id_product = 99 WHERE id_product = 7",
        "",
        "7-0",
        "sr",
    ),
    (
        "product_shop.id_shop",
        "DELETE FROM ps_product_shop WHERE id_product = 7 AND id_shop = 1",
        "",
        "7-0",
        "sr",
    ),
    ("product_shop.id_shop", "DELETE FROM ps_product_shop WHERE id_shop = 2", "", "", ""),
    (
        "product_shop.active",
        "UPDATE ps_product_shop SET active = 0 WHERE id_product = 7 AND id_shop = 1",
        "7-0",
        "",
        "s",
    ),
    ("product_shop.active", "UPDATE ps_product_shop SET active = 0 WHERE id_shop = 2", "", "", ""),
    ("product_shop.price", "UPDATE ps_product_shop SET price = '3.000000' WHERE id_product = 1", "", P1, ""),
    ("product_shop.price", "UPDATE ps_product_shop SET price = '3.000000' WHERE id_shop = 3", "", "", ""),
    (
        "product_shop.id_tax_rules_group",
        "UPDATE ps_product_shop SET id_tax_rules_group = 2 WHERE id_product = 7",
        "",
        "7-0",
        "",
    ),
    (
        "product_shop.id_category_default",
        "UPDATE ps_product_shop SET id_category_default = 11 WHERE id_product = 7",
        "",
        "7-0",
        "",
    ),
    (
        "product_shop.date_upd",
        "UPDATE ps_product_shop SET date_upd = '2026-11-21 10:00:00' WHERE id_product = 7",
        "7-0",
        "",
        "r",
    ),
    (
        "product_lang.name",
        "UPDATE ps_product_lang SET name = 'X' WHERE id_product = 7 AND id_lang = 1",
        "",
        "7-0",
        "",
    ),
    (
        "product_lang.name",
        "UPDATE ps_product_lang SET name = 'X' WHERE id_product = 7 AND id_lang = 4",
        "",
        "7-0",
        "",
    ),
    (
        "product_lang.name",
        "UPDATE ps_product_lang SET name = 'X' WHERE id_product = 7 AND id_lang = 2",
        "",
        "",
        "",
    ),
    ("product_lang.id_shop", "UPDATE ps_product_lang SET name = 'X' WHERE id_shop = 2", "", "", ""),
    (
        "product_lang.id_lang",
        "DELETE FROM ps_product_lang WHERE id_product = 7 AND id_lang = 4",
        "",
        "7-0",
        "",
    ),
    ("product_lang.id_product", "DELETE FROM ps_product_lang WHERE id_product = 7", "", "7-0", ""),
    (
        "product_attribute.id_product_attribute",
        "DELETE FROM ps_product_attribute WHERE id_product_attribute = 104",
        "1-104",
        "",
        "gone",
    ),
    (
        "product_attribute.reference",
        "UPDATE ps_product_attribute SET reference = 'X' WHERE id_product_attribute = 104",
        "",
        "1-104",
        "",
    ),
    (
        "product_attribute.ean13",
        "UPDATE ps_product_attribute SET ean13 = '1' WHERE id_product_attribute = 104",
        "",
        "1-104",
        "",
    ),
    (
        "product_attribute_shop.id_product_attribute",
        "DELETE FROM ps_product_attribute_shop WHERE id_product_attribute = 104",
        "",
        "1-104",
        "s",
    ),
    (
        "product_attribute_shop.id_shop",
        "DELETE FROM ps_product_attribute_shop WHERE id_product_attribute = 103 AND id_shop = 1",
        "1-103",
        "",
        "s",
    ),
    (
        "product_attribute_shop.price",
        "UPDATE ps_product_attribute_shop SET price = '-1.000000' WHERE id_product_attribute = 101",
        "",
        "1-101",
        "",
    ),
    (
        "product_attribute_shop.weight",
        "UPDATE ps_product_attribute_shop SET weight = '1.000000' WHERE id_product_attribute = 101",
        "",
        "1-101",
        "",
    ),
    (
        "product_attribute_combination.id_attribute",
        "UPDATE ps_product_attribute_combination SET id_attribute = 3 WHERE id_product_attribute = 101"
        " AND id_attribute = 1",
        "",
        "1-101",
        "",
    ),
    (
        "product_attribute_combination.id_product_attribute",
        "DELETE FROM ps_product_attribute_combination WHERE id_product_attribute = 101",
        "",
        "1-101",
        "",
    ),
    ("attribute.id_attribute", "DELETE FROM ps_attribute WHERE id_attribute = 4", "", "6-601", ""),
    (
        "attribute.id_attribute_group",
        "UPDATE ps_attribute SET id_attribute_group = 3 WHERE id_attribute = 1",
        "",
        "1-101 1-102",
        "",
    ),
    ("attribute.position", "UPDATE ps_attribute SET position = 9 WHERE id_attribute = 1", "", "", ""),
    (
        "attribute_group.position",
        "UPDATE ps_attribute_group SET position = 9 WHERE id_attribute_group = 1",
        "",
        P1,
        "",
    ),
    (
        "attribute_lang.name",
        "UPDATE ps_attribute_lang SET name = 'X' WHERE id_attribute = 4 AND id_lang = 1",
        "",
        "6-601",
        "",
    ),
    (
        "attribute_lang.name",
        "UPDATE ps_attribute_lang SET name = 'X' WHERE id_attribute = 4 AND id_lang = 4",
        "",
        "6-601",
        "",
    ),
    ("attribute_lang.id_lang", "UPDATE ps_attribute_lang SET name = 'X' WHERE id_lang = 3", "", "", ""),
    (
        "product_attribute_image.id_image",
        "UPDATE ps_product_attribute_image SET id_image = 11 WHERE id_product_attribute = 101",
        "",
        "1-101",
        "",
    ),
    (
        "product_attribute_image.id_product_attribute",
        "INSERT INTO ps_product_attribute_image VALUES (103, 13)",
        "",
        "1-103",
        "",
    ),
    ("image.position", "UPDATE ps_image SET position = 0 WHERE id_image = 13", "", "1-102", ""),
    ("image.id_image", "DELETE FROM ps_image WHERE id_image = 12", "", "1-101 1-102", ""),
    ("image_shop.id_image", "UPDATE ps_image_shop SET id_image = 72 WHERE id_product = 7", "", "7-0", ""),
    (
        "image_shop.cover",
        "UPDATE ps_image_shop SET cover = NULL WHERE id_product = 7 AND id_shop = 1",
        "",
        "7-0",
        "",
    ),
    (
        "image_shop.cover",
        "UPDATE ps_image_shop SET cover = NULL WHERE id_product = 1",
        "1-101 1-102",
        "1-103 1-104",
        "",
    ),
    ("image_shop.id_shop", "DELETE FROM ps_image_shop WHERE id_shop = 2", "", "", ""),
    ("manufacturer.name", "UPDATE ps_manufacturer SET name = 'X' WHERE id_manufacturer = 1", "", P1, ""),
    ("manufacturer.id_manufacturer", "DELETE FROM ps_manufacturer WHERE id_manufacturer = 2", "", P6, ""),
    (
        "category_lang.name",
        "UPDATE ps_category_lang SET name = 'X' WHERE id_category = 10 AND id_lang = 1",
        "",
        DOGS,
        "",
    ),
    ("category_lang.id_lang", "UPDATE ps_category_lang SET name = 'X' WHERE id_lang = 4", "", "", ""),
    ("category_lang.id_shop", "UPDATE ps_category_lang SET name = 'X' WHERE id_shop = 2", "", "", ""),
    ("category_lang.id_category", "DELETE FROM ps_category_lang WHERE id_category = 12", "", "17-0", ""),
    ("tax.rate", "UPDATE ps_tax SET rate = '19.000' WHERE id_tax = 1", "", ALL, ""),
    ("tax.active", "UPDATE ps_tax SET active = 0 WHERE id_tax = 1", "", ALL, ""),
    ("tax.id_tax", "UPDATE ps_tax SET rate = '1.000' WHERE id_tax = 2", "", "", ""),
    ("tax_rule.id_tax", "UPDATE ps_tax_rule SET id_tax = 2 WHERE id_tax_rule = 1", "", ALL, ""),
    ("tax_rule.id_country", "UPDATE ps_tax_rule SET id_country = 99 WHERE id_tax_rule = 1", "", ALL, ""),
    ("tax_rule.id_state", "UPDATE ps_tax_rule SET id_state = 5 WHERE id_tax_rule = 1", "", ALL, ""),
    (
        "tax_rule.zipcode_from",
        "UPDATE ps_tax_rule SET zipcode_from = '1000' WHERE id_tax_rule = 1",
        "",
        ALL,
        "",
    ),
    ("tax_rule.zipcode_to", "UPDATE ps_tax_rule SET zipcode_to = '1999' WHERE id_tax_rule = 1", "", ALL, ""),
    (
        "tax_rule.id_tax_rules_group",
        "UPDATE ps_tax_rule SET id_tax_rules_group = 9 WHERE id_tax_rule = 1",
        "",
        ALL,
        "",
    ),
    (
        "tax_rules_group.active",
        "UPDATE ps_tax_rules_group SET active = 0 WHERE id_tax_rules_group = 1",
        "",
        ALL,
        "",
    ),
    ("specific_price.id_specific_price_rule", SPECIAL.format("id_specific_price_rule = 4"), "", "17-0", ""),
    ("specific_price.id_cart", SPECIAL.format("id_cart = 4"), "", "17-0", ""),
    ("specific_price.id_product", SPECIAL.format("id_product = 7"), "", "7-0 17-0", ""),
    ("specific_price.id_product", SPECIAL.format("id_product = 0"), "17-0", f"{P1} 4-0 {P6} 7-0", ""),
    ("specific_price.id_shop", SPECIAL.format("id_shop = 2"), "", "17-0", ""),
    ("specific_price.id_currency", SPECIAL.format("id_currency = 2"), "", "17-0", ""),
    ("specific_price.id_country", SPECIAL.format("id_country = 1"), "", "17-0", ""),
    ("specific_price.id_group", SPECIAL.format("id_group = 4"), "", "17-0", ""),
    ("specific_price.id_customer", SPECIAL.format("id_customer = 4"), "", "17-0", ""),
    ("specific_price.id_product_attribute", SPECIAL.format("id_product_attribute = 4"), "", "17-0", ""),
    ("specific_price.price", SPECIAL.format("price = '5.000000'"), "", "17-0", ""),
    ("specific_price.from_quantity", SPECIAL.format("from_quantity = 2"), "", "17-0", ""),
    ("specific_price.reduction", SPECIAL.format("reduction = '0.500000'"), "", "17-0", ""),
    ("specific_price.reduction_tax", SPECIAL.format("reduction_tax = 0"), "17-0", "", ""),
    (
        "specific_price.reduction_tax",
        SPECIAL.format("reduction_type = 'amount', reduction_tax = 0"),
        "",
        "17-0",
        "",
    ),
    ("specific_price.reduction_type", SPECIAL.format("reduction_type = 'amount'"), "", "17-0", ""),
    ("specific_price.from", SPECIAL.format("\"from\" = '2026-11-30 00:00:00'"), "", "17-0", ""),
    ("specific_price.from", SPECIAL.format("\"from\" = '2026-11-01 00:00:00'"), "", "17-0", ""),
    ("specific_price.to", SPECIAL.format("\"to\" = '2026-11-30 23:59:59'"), "", "17-0", ""),
    ("specific_price.to", SPECIAL.format("\"to\" = '2026-11-20 23:59:59'"), "", "17-0", ""),
    (
        "specific_price_priority.priority",
        "UPDATE ps_specific_price_priority SET priority = 'id_group;id_shop'",
        "",
        "17-0",
        "",
    ),
    (
        "specific_price_priority.id_product",
        "UPDATE ps_specific_price_priority SET id_product = 7",
        "",
        "",
        "",
    ),
    (
        "product_group_reduction_cache.reduction",
        "UPDATE ps_product_group_reduction_cache SET reduction = '0.2'",
        "",
        "17-0",
        "",
    ),
    (
        "product_group_reduction_cache.id_group",
        "UPDATE ps_product_group_reduction_cache SET id_group = 4",
        "",
        "17-0",
        "",
    ),
    (
        "product_group_reduction_cache.id_product",
        "UPDATE ps_product_group_reduction_cache SET id_product = 7",
        "7-0",
        "17-0",
        "",
    ),
    (
        "group.reduction",
        "UPDATE ps_group SET reduction = '5.00' WHERE id_group = 1",
        f"{P1} 4-0 {P6} 7-0",
        "",
        "",
    ),
    ("group.id_group", "UPDATE ps_group SET reduction = '5.00' WHERE id_group = 2", "", "", ""),
    # Standing is judged anew in every run, so it need not be part of the digest.
    ("pack.id_product_pack", "UPDATE ps_pack SET id_product_pack = 999", "", "", "s: 6-601"),
    (
        "pack.id_product_item",
        "UPDATE ps_pack SET id_product_item = 7, id_product_attribute_item = 0 WHERE id_product_item = 6",
        "",
        "",
        "s: 6-601 7-0",
    ),
    (
        "pack.id_product_attribute_item",
        "UPDATE ps_pack SET id_product_attribute_item = 0",
        "",
        "",
        "s: 6-602",
    ),
]


@pytest.mark.parametrize(
    ("column", "statement", "digests", "items", "more"),
    CHANGES,
    ids=[f"{number}-{change[0]}" for number, change in enumerate(CHANGES)],
)
def test_a_change_of_a_column_moves_what_it_should_and_nothing_else(
    bench: Bench,
    before: dict[str, Seen],
    column: str,
    statement: str,
    digests: str,
    items: str,
    more: str,
) -> None:
    with closing(bench.connect()) as shop:
        assert shop.execute(statement).rowcount > 0
        shop.commit()
    after = bench.seen()

    both = before.keys() & after.keys()

    def moved(part: str) -> set[str]:
        return {key for key in both if getattr(before[key], part) != getattr(after[key], part)}

    if more == "gone":
        assert (before.keys() - after.keys(), after.keys() - before.keys()) == (set(digests.split()), set())
        assert moved("digest") == moved("item") == set()
        return
    touched = set(f"{digests} {items}".split())
    standings = more.partition(": ")[2].split() or (touched if "s" in more else [])
    assert after.keys() == before.keys()
    assert (moved("digest"), moved("item")) == (touched, set(items.split()))
    assert (moved("standing"), moved("resaved")) == (set(standings), touched if "r" in more else set())


IDENTITIES = {
    "product_attribute.id_product",
    "product_attribute_shop.id_product",
    "attribute_group.id_attribute_group",
    "attribute_lang.id_attribute",
    "image.id_product",
    "image_shop.id_product",
    "tax_rule.id_tax_rule",
    "tax_rules_group.id_tax_rules_group",
    "tax_rules_group.name",
    "specific_price.id_specific_price",
    "specific_price_priority.id_specific_price_priority",
}
"""Columns that only join rows, or are declared for an embedded shop and never read."""
ORGANISATION = {"configuration", "shop", "shop_group", "lang", "currency", "country"}


def test_no_column_of_the_catalogue_is_forgotten_here() -> None:
    tables = [table for table in shop_tables("").all() if table.name not in ORGANISATION]
    columns = {f"{table.name}.{column.name}" for table in tables for column in table.columns}
    assert columns == {change[0] for change in CHANGES} | IDENTITIES


def test_the_salt_moves_every_digest_and_no_item(small: Path, before: dict[str, Seen]) -> None:
    after = seen(f"sqlite:///{small}", salt=b"other")
    assert not {one.digest for one in before.values()} & {one.digest for one in after.values()}
    assert [one[1:] for one in before.values()] == [one[1:] for one in after.values()]


def test_a_column_of_the_shops_own_may_exclude(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    shutil.copy(small, path)
    with closing(sqlite3.connect(path)) as shop:
        shop.executescript(
            "ALTER TABLE ps_product ADD COLUMN hidden INTEGER; UPDATE ps_product SET hidden = id_product = 7;"
            "ALTER TABLE ps_product_attribute ADD COLUMN hidden TEXT;"
            "UPDATE ps_product_attribute SET hidden = iif(id_product_attribute = 103, '1', '0');"
        )
    url = f"sqlite:///{path}"
    for column, key in (("product.hidden", "7-0"), ("ps_product_attribute.hidden", "1-103")):
        options = OPTIONS.__class__(**{**_fields(OPTIONS), "exclude_column": column})
        excluded = [
            name for name, one in seen(url, options=options).items() if one.standing.excluded_by_column
        ]
        assert excluded == [key]


def _fields(options: ShopOptions) -> dict[str, Any]:
    return {name: getattr(options, name) for name in ShopOptions.__slots__}


# --- pages -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 500])
def test_pages_of_any_size_give_the_same_stream(
    demo: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    whole = seen(f"sqlite:///{demo}")
    monkeypatch.setattr(products, "PAGE_PRODUCTS", size)
    monkeypatch.setattr(products, "PAGE_CODES", size)
    paged = seen(f"sqlite:///{demo}")
    assert list(paged.items()) == list(whole.items())


@pytest.mark.parametrize("size", [1, 3, 500])
@pytest.mark.parametrize("wanted", [[], [7], [17, 1, 6], [5, 999, 12345], list(range(1, 60))])
def test_some_products_are_the_stream_without_the_others(
    demo: Path, monkeypatch: pytest.MonkeyPatch, size: int, wanted: list[int]
) -> None:
    monkeypatch.setattr(products, "PAGE_PRODUCTS", size)
    with catalogue_of(f"sqlite:///{demo}") as catalogue:
        some = list(catalogue.some(wanted))
        assert some == [record for record in catalogue.stream() if record.key[0] in wanted]


def test_an_empty_shop_is_an_empty_stream(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "shop.db"
    shutil.copy(small, path)
    with closing(sqlite3.connect(path)) as shop:
        shop.execute("DELETE FROM ps_product")
        shop.commit()
    with catalogue_of(f"sqlite:///{path}") as catalogue:
        assert (list(catalogue.stream()), list(catalogue.code_hashes(TEMPLATE))) == ([], [])


@pytest.mark.parametrize("size", [1, 500])
@pytest.mark.parametrize(
    "template", ["reference", "ean13", "key", "{product_reference}/{id_product_attribute}"]
)
def test_the_hashes_are_those_of_the_codes_items_get(
    demo: Path, monkeypatch: pytest.MonkeyPatch, size: int, template: str
) -> None:
    monkeypatch.setattr(products, "PAGE_CODES", size)
    made = CodeTemplate(template)
    with catalogue_of(f"sqlite:///{demo}") as catalogue:
        codes = [
            (made.render(catalogue.combination(record)), record.key[0])
            for record in catalogue.stream()
            # Where the id ends the code, only products without combinations can share one.
            if record.key[1] == 0 or not made.tells_combinations_apart
        ]
        hashes = sorted(catalogue.code_hashes(made))
    assert hashes == sorted((hash(normalise_code(code)), product) for code, product in codes if code)


@pytest.mark.parametrize(
    "code",
    [
        "a b",
        " A\u000b B\t",
        "A\u00a0B",
        "A  B",
    ],
)
def test_codes_that_items_fold_to_one_have_one_hash(small: Path, tmp_path: Path, code: str) -> None:
    path = tmp_path / "shop.db"
    shutil.copy(small, path)
    with closing(sqlite3.connect(path)) as shop:
        shop.execute("UPDATE ps_product_attribute SET reference = 'A B' WHERE id_product = 1")
        shop.execute(
            "UPDATE ps_product_attribute SET reference = ? WHERE id_product_attribute = 102", (code,)
        )
        shop.commit()
    items = [one.item for key, one in seen(f"sqlite:///{path}").items() if key.startswith("1-")]
    assert {normalise_code(item.code) for item in items if isinstance(item, Item)} == {"A B"}
    with catalogue_of(f"sqlite:///{path}") as catalogue:
        assert {hashed for hashed, product in catalogue.code_hashes(TEMPLATE) if product == 1} == {
            hash("A B")
        }


# --- drivers -----------------------------------------------------------------------------------------------


def copy_to(server: MariaDB, path: Path, name: str) -> None:
    """The rows of a SQLite shop under the types a genuine shop has: DECIMAL, DATETIME, VARCHAR."""
    server.create_database(name)
    lengths = {32: "DECIMAL(20,6)", 19: "DATETIME"}
    with (
        closing(sqlite3.connect(path)) as source,
        closing(pymysql.connect(**_login(server, name), autocommit=True)) as target,
    ):
        cursor = target.cursor()
        cursor.execute("SET sql_mode = ''")  # dates of zeros
        for table in shop_tables("ps_").all():
            columns = [
                f"`{column.name}` " + lengths.get(length, f"VARCHAR({length or 255})")
                if (length := getattr(column.type, "length", -1)) != -1
                else f"`{column.name}` INT"
                for column in table.columns
            ]
            cursor.execute(f"CREATE TABLE `{table.name}` ({', '.join(columns)})")
            names = [column.name for column in table.columns]
            quoted = ", ".join(f'"{one}"' for one in names)
            rows = source.execute(f"SELECT {quoted} FROM {table.name}").fetchall()
            if rows:
                places = ", ".join(["%s"] * len(names))
                cursor.executemany(f"INSERT INTO `{table.name}` VALUES ({places})", rows)


def _login(server: MariaDB, name: str) -> dict[str, Any]:
    url = make_url(server.url(name))
    given = {"host": url.host, "port": url.port, "user": url.username, "password": url.password or ""}
    return {key: value for key, value in given.items() if value is not None} | {
        "database": name,
        "charset": "utf8mb4",
    }


def test_every_driver_gives_the_same_combinations_and_mysqls_the_same_digests(
    mariadb: MariaDB, demo: Path
) -> None:
    copy_to(mariadb, demo, "raw_rows")
    slow, fast = (seen(mariadb.url("raw_rows", driver=driver)) for driver in ("pymysql", "mysqldb"))
    embedded = seen(f"sqlite:///{demo}")
    assert list(slow.items()) == list(fast.items())
    # SQLite knows whole numbers as such, so its digests are others; what they stand for is the same.
    assert {key: one[1:] for key, one in slow.items()} == {key: one[1:] for key, one in embedded.items()}
