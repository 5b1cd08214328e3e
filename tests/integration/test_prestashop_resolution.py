"""What the documents say of the genuine shop is what PrestaShop's own rules give, in every data shop.

Two oracles, both SQL on the same database: ``resolve.sql``, which was checked row by row against PrestaShop's
price calculation, and ``FACTS`` below for texts, categories, brands, EANs and weights.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from tests.exports import CODE_AND_ID, NOW, Document, Installation, SpecialPrice, installation, number
from tests.services.prestashop import PrestaShopDatabase

ALWAYS = "0000-00-00 00:00:00"
OPEN_START = "2000-01-01"  # the schema wants a start in every price line
SLOTS = {"nl": 0, "fr": 1, "de": 2}
VAT_CODES = {"21": "2", "9": "1", "NL:21:5": "V", "BE:21.000": "B2", "DE:19": "D1", "DE:7": "D7"}


class DataShop(NamedTuple):
    """A shop of the test's PrestaShop, and what its configuration rows come to."""

    id: int
    name: str
    id_lang: int
    country: str
    currency: str
    zone: str

    @property
    def now(self) -> str:
        """Shop-local time as PrestaShop compares it."""
        return f"{NOW.astimezone(ZoneInfo(self.zone)):%Y-%m-%d %H:%M:00}"


NL = DataShop(1, "NL", 1, "NL", "EUR", "Europe/Amsterdam")
BE = DataShop(2, "BE", 2, "BE", "EUR", "Europe/London")
DE = DataShop(3, "DE", 3, "DE", "CHF", "Europe/Amsterdam")
SHOPS = [pytest.param(shop, id=shop.name) for shop in (NL, BE, DE)]

# Shop 2 has settings of its own, shop 3 inherits its group's; BE's clock is an hour behind.
SETTINGS = """
INSERT INTO ps_configuration (id_shop_group, id_shop, name, value, date_add, date_upd) VALUES
 (1, 2, 'PS_COUNTRY_DEFAULT', '3', NOW(), NOW()), (1, 2, 'PS_LANG_DEFAULT', '2', NOW(), NOW()),
 (1, 2, 'PS_TIMEZONE', 'Europe/London', NOW(), NOW()), (1, 2, 'PS_CURRENCY_DEFAULT', '1', NOW(), NOW()),
 (2, NULL, 'PS_COUNTRY_DEFAULT', '1', NOW(), NOW()), (2, NULL, 'PS_LANG_DEFAULT', '3', NOW(), NOW()),
 (2, 3, 'PS_CURRENCY_DEFAULT', '2', NOW(), NOW());
"""

ORGANISATION = """
UPDATE ps_shop SET name = 'NL' WHERE id_shop = 1;
INSERT INTO ps_shop_group SELECT 2, 'Rest', color, 0, 0, 0, 1, 0 FROM ps_shop_group WHERE id_shop_group = 1;
INSERT INTO ps_shop SELECT 2, 1, 'BE', color, id_category, theme_name, 1, 0 FROM ps_shop WHERE id_shop = 1;
INSERT INTO ps_shop SELECT 3, 2, 'DE', color, id_category, theme_name, 1, 0 FROM ps_shop WHERE id_shop = 1;
INSERT INTO ps_lang SELECT 2, 'Français', 1, 'fr', 'fr-fr', 'fr-FR', 'd/m/Y', 'd/m/Y', 0;
INSERT INTO ps_lang SELECT 3, 'Deutsch', 1, 'de', 'de-de', 'de-DE', 'd.m.Y', 'd.m.Y', 0;
INSERT INTO ps_currency SELECT 2, '', 'CHF', '756', 2, 0.95, 0, 1, 0, 0;
"""

# Every shop its own prices, activity, categories, tax groups, covers, impacts and texts.
DIFFERENCES = """
UPDATE ps_product_shop SET price = price + id_shop * 0.123456 + id_product / 7,
  active = NOT (id_product = 6 + id_shop), id_category_default = 3 + MOD(id_product + id_shop, 5),
  id_tax_rules_group = MOD(id_product + id_shop, 6);
DELETE FROM ps_product_shop WHERE (id_product, id_shop) IN ((19, 2), (2, 3));
DELETE FROM ps_product_attribute_shop WHERE (id_product, id_shop) IN ((19, 2), (2, 3))
  OR (id_product_attribute, id_shop) IN ((1, 1), (13, 2), (14, 2), (24, 3));
UPDATE ps_product_attribute_shop SET default_on = NULL,
  price = (MOD(id_product_attribute, 5) - 1.0) * 1.237 * id_shop,
  weight = MOD(id_product_attribute, 3) * 0.0125;
UPDATE ps_product SET ean13 = CONCAT('871', LPAD(id_product, 10, '0')), state = (id_product <> 12),
  id_manufacturer = MOD(id_product, 3), weight = weight * MOD(id_product, 4), price = 1, active = 1;
UPDATE ps_product_attribute SET
  ean13 = IF(MOD(id_product_attribute, 4), CONCAT('400', id_product_attribute), ''),
  reference = IF(MOD(id_product_attribute, 6), reference, '');
UPDATE ps_image_shop SET cover = NULL WHERE id_shop = 2 AND id_product IN (9, 10, 11);
UPDATE ps_image_shop SET cover = 1 WHERE id_shop = 2 AND id_image IN (10, 12, 14);
UPDATE ps_image_shop SET cover = NULL WHERE id_shop = 3 AND id_product = 6;
UPDATE ps_image SET position = 3 - position WHERE id_product = 1;
INSERT IGNORE INTO ps_product_attribute_image VALUES (1, 1), (2, 2), (22, 9), (22, 10);
UPDATE ps_tax_rules_group SET active = 0 WHERE id_tax_rules_group = 4;
UPDATE ps_tax SET active = 0 WHERE id_tax = 2;
INSERT INTO ps_tax VALUES (101, 9.000, 1, 0), (102, 7.000, 1, 0), (103, 5.500, 1, 0);
UPDATE ps_tax_rule SET id_tax = 101 WHERE id_tax_rules_group = 2 AND id_country = 13;
UPDATE ps_tax_rule SET id_tax = 102 WHERE id_tax_rules_group = 2 AND id_country = 1;
UPDATE ps_tax_rule SET id_tax = 103 WHERE id_tax_rules_group = 3 AND id_country = 3;
INSERT INTO ps_tax_rule
  (id_tax_rules_group, id_country, id_state, zipcode_from, zipcode_to, id_tax, behavior, description)
  VALUES (1, 13, 7, '0', '0', 103, 1, ''), (1, 13, 0, '1000', '1999', 103, 1, '');
INSERT INTO ps_attribute_lang SELECT id_attribute, 2, CONCAT(name, ' fr')
  FROM ps_attribute_lang WHERE id_lang = 1;
INSERT INTO ps_attribute_lang SELECT id_attribute, 3, IF(MOD(id_attribute, 2), CONCAT(name, ' de'), '')
  FROM ps_attribute_lang WHERE id_lang = 1;
UPDATE ps_attribute_group SET position = 3 - position;
UPDATE ps_product_lang SET name = CONCAT(name, ELT(id_lang, '', ' française', ' deutsche'), ' ', id_shop);
UPDATE ps_product_lang SET name = '' WHERE id_product = 3 AND id_lang <> 1;
UPDATE ps_product_lang SET name = '   ' WHERE id_product = 4 AND id_lang = 3 AND id_shop = 3;
UPDATE ps_category_lang SET name = CONCAT(name, ELT(id_lang, '', ' fr', ' de'), ' ', id_shop);
UPDATE ps_category_lang SET name = '' WHERE id_category = 6 AND id_lang <> 1;
"""

FACTS = """
SELECT p.id_product, COALESCE(pa.id_product_attribute, 0),
  CONCAT(COALESCE(NULLIF(pa.reference, ''), p.reference), '-', COALESCE(pa.id_product_attribute, 0)),
  ps.price + COALESCE(pas.price, 0), p.weight + COALESCE(pas.weight, 0),
  IF(pa.id_product_attribute IS NULL, p.ean13, pa.ean13), COALESCE(m.name, ''), ps.id_category_default,
  COALESCE(NULLIF(c.name, ''), c1.name), ps.id_tax_rules_group
FROM ps_product p
  JOIN ps_product_shop ps ON ps.id_product = p.id_product AND ps.id_shop = @shop AND ps.active = 1
  LEFT JOIN ps_product_attribute pa ON pa.id_product = p.id_product
  LEFT JOIN ps_product_attribute_shop pas
    ON pas.id_product_attribute = pa.id_product_attribute AND pas.id_shop = @shop
  LEFT JOIN ps_manufacturer m ON m.id_manufacturer = p.id_manufacturer
  LEFT JOIN ps_category_lang c
    ON (c.id_category, c.id_shop, c.id_lang) = (ps.id_category_default, @shop, @lang)
  LEFT JOIN ps_category_lang c1
    ON (c1.id_category, c1.id_shop, c1.id_lang) = (ps.id_category_default, @shop, 1)
WHERE p.state = 1 AND (pa.id_product_attribute IS NULL OR pas.id_product_attribute IS NOT NULL)
  AND NOT EXISTS (
    SELECT 1 FROM ps_pack k WHERE k.id_product_item = p.id_product
      AND k.id_product_attribute_item IN (0, COALESCE(pa.id_product_attribute, 0)))
"""

# An empty text falls back to the shop's own language, and that to Dutch, the only other one left here.
TEXTS = """
SELECT p.id_product, COALESCE(pa.id_product_attribute, 0), l.id_lang,
  TRIM(CONCAT_WS(' ', COALESCE(NULLIF(TRIM(n.name), ''), NULLIF(TRIM(d.name), ''), f.name),
    (SELECT GROUP_CONCAT(COALESCE(NULLIF(t.name, ''), NULLIF(td.name, ''), tf.name)
                         ORDER BY g.position, a.position, a.id_attribute SEPARATOR ' ')
     FROM ps_product_attribute_combination k JOIN ps_attribute a ON a.id_attribute = k.id_attribute
       JOIN ps_attribute_group g ON g.id_attribute_group = a.id_attribute_group
       LEFT JOIN ps_attribute_lang t ON t.id_attribute = a.id_attribute AND t.id_lang = l.id_lang
       LEFT JOIN ps_attribute_lang td ON td.id_attribute = a.id_attribute AND td.id_lang = @lang
       LEFT JOIN ps_attribute_lang tf ON tf.id_attribute = a.id_attribute AND tf.id_lang = 1
     WHERE k.id_product_attribute = pa.id_product_attribute)))
FROM ps_product p CROSS JOIN ps_lang l
  LEFT JOIN ps_product_attribute pa ON pa.id_product = p.id_product
  LEFT JOIN ps_product_lang n ON (n.id_product, n.id_shop, n.id_lang) = (p.id_product, @shop, l.id_lang)
  LEFT JOIN ps_product_lang d ON (d.id_product, d.id_shop, d.id_lang) = (p.id_product, @shop, @lang)
  LEFT JOIN ps_product_lang f ON (f.id_product, f.id_shop, f.id_lang) = (p.id_product, @shop, 1)
"""

WEIGHTS = {"id_shop": "2", "id_country": "4", "id_currency": "8", "id_group": "16"}


class Resolved(NamedTuple):
    """A row of ``resolve.sql``: what PrestaShop itself would say."""

    tax_rate: Decimal
    full: Decimal
    reduction: Decimal | None
    reduction_type: str | None
    reduction_includes_tax: bool
    id_image: int | None
    starts: str
    ends: str


def resolved(
    shop: PrestaShopDatabase, oracle: str, data_shop: DataShop, weights: Mapping[str, str] = WEIGHTS
) -> dict[tuple[int, int], Resolved]:
    """Run the oracle for one data shop; ``weights`` are SQL, where the priorities are not the install's."""
    for name, weight in weights.items():
        ours = "@id_group" if name == "id_group" else f"v.{name}"
        old = f"IF(sp.{name}={ours},{WEIGHTS[name]},0)"
        assert oracle.count(old) == 1, f"the oracle no longer says {old}"
        oracle = oracle.replace(old, f"IF(sp.{name}={ours},{weight},0)")
    head, every = "SELECT w.id_shop shop,", "sh.active=1 AND sh.deleted=0"
    assert (oracle.count(head), oracle.count(every)) == (1, 1)
    oracle = oracle.replace(every, f"{every} AND sh.id_shop={data_shop.id}")
    # Dates as text: drivers have no datetime for a date of zeros.
    oracle = oracle.replace(head, f"{head} CAST(sp.`from` AS CHAR) starts, CAST(sp.`to` AS CHAR) ends,")
    rows = shop.execute(f"SET @now = '{data_shop.now}', @id_group = 1; {oracle}")
    return {
        (id_product, pa): Resolved(
            rate, full, reduction, kind, bool(with_tax), own or cover, starts or ALWAYS, ends or ALWAYS
        )
        for _, starts, ends, id_product, pa, _, rate, full, reduction, kind, with_tax, cover, own, _ in rows
    }


def expected(
    shop: PrestaShopDatabase, oracle: str, data_shop: DataShop, weights: Mapping[str, str] = WEIGHTS
) -> dict[str, Document]:
    """Every document the data shop is to give, by key."""
    given = f"SET @shop = {data_shop.id}, @lang = {data_shop.id_lang};"
    texts = {(major, minor, lang): _cut(text) for major, minor, lang, text in shop.execute(given + TEXTS)}
    prices = resolved(shop, oracle, data_shop, weights)
    documents = {}
    for major, minor, code, price, weight, ean13, brand, category, named, group in shop.execute(
        given + FACTS
    ):
        facts = prices[major, minor]
        rate = number(str(facts.tax_rate)) if facts.tax_rate else ""
        vat = vat_code(data_shop.country, rate, group)
        documents[f"{major}-{minor}"] = Document(
            code=code,
            description=texts[major, minor, data_shop.id_lang],
            translations=tuple(
                (str(slot), texts[major, minor, id_lang])
                for id_lang, slot in enumerate(SLOTS.values(), 1)
                if (major, minor, id_lang) in texts
            ),
            price=rounded(price),
            currency=data_shop.currency,
            vat_code=vat,
            tax_rate=rate if vat else "",
            weight=number(str(weight)) if weight else "",
            image=f"{facts.id_image}.jpg" if facts.id_image else "",
            brand=brand,
            category_code=str(category),
            category=named,
            gtin=ean13,
            specials=special_lines(code, price, facts),
        )
    return documents


def vat_code(country: str, rate: str, group: int) -> str:
    """The code the configuration gives a rate: the most precise key first."""
    codes = {key.replace(".000", ""): code for key, code in VAT_CODES.items()}
    keys = [f"{country}:{rate}:{group}", f"{country}:{rate}", rate]
    return next((codes[key] for key in keys if key in codes), "")


def special_lines(code: str, regular: Decimal, facts: Resolved) -> tuple[SpecialPrice, ...]:
    """What a visitor pays, on the full days it applies; no line where that is the regular price."""
    price = facts.full
    if facts.reduction is not None:
        if facts.reduction_type == "percentage":
            price -= price * facts.reduction
        elif facts.reduction_includes_tax:
            price -= facts.reduction / (1 + facts.tax_rate / 100)
        else:
            price -= facts.reduction
    paid = rounded(max(price, Decimal(0)))
    first = last = None
    if facts.starts != ALWAYS:
        starts = datetime.fromisoformat(facts.starts)
        first = starts.date() + timedelta(days=starts.time() > starts.min.time())
    if facts.ends != ALWAYS:  # a day whose last minute still counts is a full one
        last = (datetime.fromisoformat(facts.ends) + timedelta(minutes=1)).date() - timedelta(days=1)
    if paid == rounded(regular) or (first and last and first > last):
        return ()
    return (SpecialPrice(code, paid, str(first or OPEN_START), str(last or "")),)


def rounded(amount: Decimal) -> str:
    """Half up to four decimals, as documents print it."""
    return number(str(amount.quantize(Decimal("0.0001"), ROUND_HALF_UP)))


def _cut(text: str) -> str:
    return text[:60].rstrip()


# --- the shop --------------------------------------------------------------------------------------------


@pytest.fixture
def oracle(shared: Path) -> str:
    """The text of the verified query."""
    return (shared / "data/prestashop/resolve.sql").read_text(encoding="utf-8").strip().removesuffix(";")


@pytest.fixture
def three_shops(prestashop: PrestaShopDatabase) -> PrestaShopDatabase:
    """The fixture shop made multi-shop: NL, BE and DE differ in everything a shop may differ in."""
    copies = "".join(
        copied(table, "id_shop = 1", f"id_shop = {id_shop}")
        for table in ("product_shop", "product_attribute_shop", "product_lang", "category_lang", "image_shop")
        for id_shop in (2, 3)
    )
    texts = "".join(
        copied(table, "id_lang = 1", f"id_lang = {id_lang}")
        for table in ("product_lang", "category_lang")
        for id_lang in (2, 3)
    )
    prestashop.execute(ORGANISATION + SETTINGS + copies + texts + DIFFERENCES)
    return prestashop


def copied(table: str, where: str, change: str) -> str:
    """SQL that copies rows of a table with one value changed, whatever other columns it has."""
    return (
        f"CREATE TEMPORARY TABLE copies AS SELECT * FROM ps_{table} WHERE {where};"
        f"UPDATE copies SET {change}; INSERT INTO ps_{table} SELECT * FROM copies;"
        "DROP TEMPORARY TABLE copies;"
    )


def connected(shop: PrestaShopDatabase, data_shop: DataShop, folder: Path, shared: Path) -> Installation:
    """brekzsync on one data shop, by name; every language and every rate goes to the ERP."""
    installed = installation(folder, shared, shop.url(driver=""), item_code=CODE_AND_ID)
    installed.set("shop", data_shop=data_shop.name)
    installed.set("exact_xml", language_slots=SLOTS, vat_codes=VAT_CODES)
    return installed


def add_rules(shop: PrestaShopDatabase, rules: Iterable[Mapping[str, Any]]) -> None:
    """Put specific prices into the shop; what a rule does not name concerns everybody, always, one piece."""
    neutral = {
        "id_specific_price_rule": 0,
        "id_cart": 0,
        "id_product": 0,
        "id_shop": 0,
        "id_shop_group": 0,
        "id_currency": 0,
        "id_country": 0,
        "id_group": 0,
        "id_customer": 0,
        "id_product_attribute": 0,
        "price": -1,
        "from_quantity": 1,
        "reduction": 0,
        "reduction_tax": 1,
        "reduction_type": "amount",
        "from": ALWAYS,
        "to": ALWAYS,
    }
    names = ", ".join(f"`{name}`" for name in neutral)
    rows = [list((neutral | rule).values()) for rule in rules]
    places = ", ".join([f"({', '.join(['%s'] * len(neutral))})"] * len(rows))
    shop.execute(
        f"INSERT IGNORE INTO ps_specific_price ({names}) VALUES {places}",
        [value for row in rows for value in row],
    )


def off(percent: int, **rest: Any) -> dict[str, Any]:
    """A rule that takes a percentage off."""
    return {"reduction": percent / 100, "reduction_type": "percentage"} | rest


# --- tests -----------------------------------------------------------------------------------------------


def test_the_fixture_shop_says_what_prestashop_would(
    prestashop: PrestaShopDatabase, oracle: str, shared: Path, tmp_path: Path
) -> None:
    installed = installation(tmp_path, shared, prestashop.url(driver=""))
    installed.set("shop", data_shop="Voorbeeldwinkel")
    installed.set("exact_xml", language_slots={"nl": 0}, vat_codes=VAT_CODES)

    documents = installed.export().documents

    assert len(documents) == 45
    assert documents == expected(prestashop, oracle, NL)
    assert installed.export().keys == set()


RULES = [
    off(10, id_product=1),
    off(30, id_product=1, id_product_attribute=2),
    off(15, id_product=1, id_product_attribute=3, id_shop=2),
    {"id_product": 2, "reduction": 3, "reduction_tax": 1},
    {"id_product": 2, "id_product_attribute": 9, "reduction": 3, "reduction_tax": 0},
    {"id_product": 3, "price": "19.990000"},
    {"id_product": 3, "id_product_attribute": 15, "price": "17.123456"},
    {"id_product": 4, "price": "25.5", "reduction": "2.5", "reduction_tax": 0},
    {"id_product": 4, "id_product_attribute": 17, "price": "25.5", **off(50)},
    {"id_product": 5, "reduction": 10_000},
    off(11, id_product=6, id_group=1),
    off(12, id_product=6, id_currency=1),
    off(13, id_product=6, id_country=3),
    off(14, id_product=6, id_shop=2),
    off(15, id_product=6, id_group=2),
    off(16, id_product=6, id_group=3, id_product_attribute=0, id_country=3),
    off(17, id_product=8, id_specific_price_rule=1),
    off(18, id_product=8, id_specific_price_rule=2, id_group=1),
    off(19, id_product=9, id_cart=3),
    off(21, id_product=9, id_customer=1),
    off(22, id_product=9, from_quantity=2),
    off(23, id_product=9, from_quantity=0),
    off(24, id_product=9, id_product_attribute=22, from_quantity=1),
    # Shop-local now is 13:00 in NL and DE, 12:00 in BE.
    off(25, id_product=10, **{"from": "2026-11-21 13:01:00"}),
    off(26, id_product=10, id_product_attribute=24, **{"from": "2026-11-21 13:00:00"}),
    off(27, id_product=10, id_product_attribute=25, **{"from": "2026-11-21 12:00:00"}),
    off(28, id_product=11, **{"from": "2026-11-01 00:00:00", "to": "2026-11-30 23:59:59"}),
    off(
        29,
        id_product=11,
        id_product_attribute=26,
        **{"from": "2026-11-20 00:00:01", "to": "2026-11-21 13:00:00"},
    ),
    off(31, id_product=11, id_product_attribute=27, to="2026-11-21 12:59:59"),
    off(32, id_product=13, to="2026-11-20 23:59:59"),
    off(33, id_product=14, **{"from": "2026-11-21 00:00:00", "to": "2026-11-21 23:59:00"}),
    off(34, id_product=15, **{"from": "2026-11-02 09:00:00", "to": "2026-12-24 17:00:00"}),
    off(35, id_product=15, **{"from": "2026-11-03 00:00:00", "to": "2026-12-24 17:00:00"}),
    off(36, id_product=15, **{"from": "2026-11-01 00:00:00", "to": "2026-12-25 00:00:00"}),
    {"id_product": 16, "id_shop": 1, "price": "9.5"},
    {"id_product": 16, "id_shop": 3, "id_currency": 2, "price": "11.5"},
    off(37, id_product=16, id_product_attribute=28, id_shop=3, id_shop_group=9),
    off(4, id_shop=2),
    off(5, id_country=1),
    off(3, id_product_attribute=0, id_specific_price_rule=7),
]


@pytest.mark.parametrize("data_shop", SHOPS)
def test_every_combination_of_a_data_shop_says_what_prestashop_would(
    three_shops: PrestaShopDatabase, oracle: str, shared: Path, tmp_path: Path, data_shop: DataShop
) -> None:
    three_shops.execute("DELETE FROM ps_specific_price")
    add_rules(three_shops, RULES)
    installed = connected(three_shops, data_shop, tmp_path, shared)

    documents = installed.export().documents

    assert documents == expected(three_shops, oracle, data_shop)
    assert sum(bool(one.specials) for one in documents.values()) > 15
    assert installed.export().keys == set()


@pytest.mark.parametrize("data_shop", SHOPS)
def test_two_hundred_rules_at_random_resolve_as_prestashop_resolves_them(
    three_shops: PrestaShopDatabase, oracle: str, shared: Path, tmp_path: Path, data_shop: DataShop
) -> None:
    add_rules(three_shops, random_rules(random.Random(data_shop.name)))
    installed = connected(three_shops, data_shop, tmp_path, shared)

    assert installed.export().documents == expected(three_shops, oracle, data_shop)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(25))
def test_many_more_rules_at_random(
    three_shops: PrestaShopDatabase, oracle: str, shared: Path, tmp_path: Path, seed: int
) -> None:
    add_rules(three_shops, random_rules(random.Random(seed)))
    for data_shop in (NL, BE, DE):
        folder = tmp_path / data_shop.name
        folder.mkdir()
        installed = connected(three_shops, data_shop, folder, shared)
        assert installed.export().documents == expected(three_shops, oracle, data_shop)


def random_rules(chance: random.Random) -> list[dict[str, Any]]:
    """Rules that overlap as much as rules can. No two start at once: nothing would order them."""
    combinations = [*range(1, 40)]
    rules = []
    for position in range(200):
        starts = NOW - timedelta(days=chance.choice([0, 1, 9, 40]), minutes=position + 1)
        ends = NOW + timedelta(hours=chance.choice([-20, -1, 0, 1, 30, 900]))
        rules.append(
            {
                "id_specific_price_rule": chance.choice([0, 0, 0, 1, 2]),
                "id_cart": chance.choice([0] * 9 + [4]),
                "id_customer": chance.choice([0] * 9 + [2]),
                "id_product": chance.choice([0, *range(1, 20), *range(1, 20)]),
                "id_product_attribute": chance.choice([0, 0, chance.choice(combinations)]),
                "id_shop": chance.choice([0, 0, 1, 2, 3]),
                "id_currency": chance.choice([0, 0, 1, 2]),
                "id_country": chance.choice([0, 0, 0, 1, 3, 13]),
                "id_group": chance.choice([0, 0, 1, 1, 2]),
                "price": chance.choice(["-1", "-1", f"{chance.uniform(1, 60):.6f}"]),
                "from_quantity": chance.choice([0, 1, 1, 1, 1, 2, 10]),
                "reduction": f"{chance.uniform(0, 0.9):.6f}",
                "reduction_type": chance.choice(["amount", "percentage", "percentage"]),
                "reduction_tax": chance.choice([0, 1]),
                "from": f"{starts:%Y-%m-%d %H:%M:%S}",
                "to": chance.choice([ALWAYS, f"{ends:%Y-%m-%d %H:%M:%S}"]),
            }
        )
    return rules


CONTEST = [
    off(10, id_product=6, id_shop=1),
    off(20, id_product=6, id_country=13),
    off(30, id_product=6, id_currency=1),
    off(40, id_product=6, id_group=1),
    off(50, id_product=6, id_country=13, id_shop=1),
]
PRIORITIES = {
    "id_group;id_currency;id_country;id_shop": ("40", WEIGHTS),
    "id_shop;id_currency;id_country;id_group": (
        "50",
        {"id_group": "2", "id_country": "4", "id_currency": "8", "id_shop": "16"},
    ),
    "id_currency;id_group;id_country;id_shop": (
        "30",
        {"id_shop": "2", "id_country": "4", "id_group": "8", "id_currency": "16"},
    ),
    "id_country;id_group;id_currency;id_shop": (
        "50",
        {"id_shop": "2", "id_currency": "4", "id_group": "8", "id_country": "16"},
    ),
}


@pytest.mark.parametrize("priorities", PRIORITIES)
@pytest.mark.parametrize("scope", ["of the shop", "of the product"])
def test_the_configured_priorities_decide_between_rules(
    prestashop: PrestaShopDatabase, oracle: str, shared: Path, tmp_path: Path, priorities: str, scope: str
) -> None:
    add_rules(prestashop, CONTEST)
    percent, weights = PRIORITIES[priorities]
    if scope == "of the shop":
        prestashop.execute(
            "UPDATE ps_configuration SET value = %s WHERE name = 'PS_SPECIFIC_PRICE_PRIORITIES'", [priorities]
        )
    else:
        prestashop.execute(
            "INSERT INTO ps_specific_price_priority (id_product, priority) VALUES (6, %s), (1, 'id_shop')",
            [priorities],
        )
        weights = {
            name: f"IF(v.id_product = 6, {weight}, {WEIGHTS[name]})" for name, weight in weights.items()
        }
    installed = installation(tmp_path, shared, prestashop.url(driver=""))

    document = installed.export(ids=("6",)).documents["6-0"]

    assert Decimal(document.special) == Decimal(document.price) * (100 - int(percent)) / 100
    assert document.specials == expected(prestashop, oracle, NL, weights)["6-0"].specials


def test_the_default_groups_own_reduction_comes_after_the_special_price(
    prestashop: PrestaShopDatabase, shared: Path, tmp_path: Path
) -> None:
    prestashop.execute(
        "DELETE FROM ps_specific_price; UPDATE ps_group SET reduction = 10 WHERE id_group = 1;"
        "INSERT INTO ps_product_group_reduction_cache VALUES (8, 1, 0.25), (8, 2, 0.9), (6, 2, 0.9);"
        "UPDATE ps_product_shop SET price = 20 WHERE id_product IN (6, 8)"
    )
    add_rules(prestashop, [off(50, id_product=6), off(50, id_product=8)])
    installed = installation(tmp_path, shared, prestashop.url(driver=""))

    documents = installed.export(ids=("6", "8")).documents

    assert {key: (one.price, one.special) for key, one in documents.items()} == {
        "6-0": ("20", "9"),
        "8-0": ("20", "7.5"),
    }


def test_a_single_shops_settings_row_beats_its_groups_and_an_absent_one_inherits(
    three_shops: PrestaShopDatabase, shared: Path, tmp_path: Path
) -> None:
    three_shops.execute(
        "INSERT INTO ps_configuration (id_shop_group, id_shop, name, value, date_add, date_upd) VALUES"
        " (2, 3, 'PS_COUNTRY_DEFAULT', '13', NOW(), NOW());"
        "UPDATE ps_product_shop SET id_tax_rules_group = 1"
    )
    installed = connected(three_shops, DE, tmp_path, shared)

    document = installed.export(ids=("1-2",)).documents["1-2"]

    assert (document.vat_code, document.tax_rate, document.currency) == ("2", "21", "CHF")


@pytest.mark.parametrize("data_shop", [2, "2", "be", " BE "])
def test_the_data_shop_goes_by_name_or_id(
    three_shops: PrestaShopDatabase, shared: Path, tmp_path: Path, data_shop: object
) -> None:
    installed = connected(three_shops, BE, tmp_path, shared)
    by_name = installed.export().documents
    installed.set("shop", data_shop=data_shop)

    assert installed.export(full=True).documents == by_name


def test_the_language_of_descriptions_may_be_another_than_the_shops(
    three_shops: PrestaShopDatabase, shared: Path, tmp_path: Path
) -> None:
    installed = connected(three_shops, NL, tmp_path, shared)
    installed.set("shop", language="DE")
    installed.set("exact_xml", language_slots={"fr": 3})

    document = installed.export(ids=("6",)).documents["6-0"]

    assert (document.description, document.translations, document.category) == (
        "Mug The best is yet to come deutsche 1",
        (("3", "Mug The best is yet to come française 1"),),
        "Women de 1",
    )


def test_a_blank_translation_falls_back_to_the_shops_own_language(
    three_shops: PrestaShopDatabase, shared: Path, tmp_path: Path
) -> None:
    three_shops.execute(
        "UPDATE ps_product_lang SET name = '' WHERE id_product = 8 AND id_lang = 2;"
        "UPDATE ps_product_lang SET name = '  ' WHERE id_product = 8 AND id_lang = 3"
    )
    installed = connected(three_shops, NL, tmp_path, shared)

    document = installed.export(ids=("8",)).documents["8-0"]

    assert document.translations == tuple((str(slot), "Mug Today is a good day 1") for slot in range(3))
