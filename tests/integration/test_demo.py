"""The demo folder: what `demo up` makes, and that every rule its README names is really in the shop."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from brekzsync.demo.seed import read, seed_shop

DATA = files("brekzsync.demo") / "data"
NOW = datetime(2026, 11, 21, 12, 15, tzinfo=UTC)


def _rules() -> dict[str, list[str]]:
    """Keys by rule, as the catalogue tells: a rule of a product is shown by each of its combinations."""
    rules: dict[str, list[str]] = {}
    for product in read("catalogue.toml")["product"]:
        combinations = product.get("combination", [{"id": 0}])
        for combination in combinations:
            for rule in [*product.get("shows", []), *combination.get("shows", [])]:
                rules.setdefault(rule, []).append(f"{product['id']}-{combination['id']}")
    return rules


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sqlite3.Connection]:
    path = tmp_path_factory.mktemp("demo") / "shop.db"
    seed_shop(path, NOW)
    connection = sqlite3.connect(path)
    connection.create_function("regexp", 2, lambda pattern, text: bool(re.search(pattern, text or "")))
    connection.executescript(VIEWS)
    yield connection
    connection.close()


# --- the rules, looked up in the shop ---------------------------------------------------------------------

# One row per combination as shop NL has it; special prices beside it, judged at NOW, 13:15 in the shop.
VIEWS = """
CREATE TEMP VIEW combination AS
SELECT p.id_product, coalesce(pa.id_product_attribute, 0) AS pa, p.state, p.date_upd,
       p.id_manufacturer AS brand,
       coalesce(pa.reference, '') AS own_code, coalesce(nullif(pa.reference, ''), p.reference, '') AS code,
       iif(pa.id_product_attribute IS NULL, p.ean13, pa.ean13) AS ean,
       ps.id_shop, pas.id_shop AS pa_shop, ps.active, ps.price AS base, pas.price AS impact,
       pas.weight AS weight_impact, ps.id_category_default AS category, ps.id_tax_rules_group AS tax_group,
       (SELECT t.rate + 0 FROM ps_tax_rule r JOIN ps_tax t USING (id_tax)
         WHERE r.id_tax_rules_group = ps.id_tax_rules_group AND r.id_country = 13) AS rate,
       (SELECT count(*) FROM ps_image i WHERE i.id_product = p.id_product) AS images,
       (SELECT id_image FROM ps_image_shop i
         WHERE i.id_product = p.id_product AND i.id_shop = 1 AND i.cover = 1) AS cover,
       (SELECT id_image FROM ps_product_attribute_image JOIN ps_image i USING (id_image)
         WHERE id_product_attribute = pa.id_product_attribute ORDER BY i.position LIMIT 1) AS own_image,
       (SELECT name FROM ps_product_lang l
         WHERE l.id_product = p.id_product AND l.id_shop = 1 AND l.id_lang = 1) AS dutch,
       (SELECT group_concat(name, '') FROM ps_product_lang l
         WHERE l.id_product = p.id_product AND l.id_shop = 1 AND l.id_lang > 1) AS other_names
FROM ps_product p
LEFT JOIN ps_product_attribute pa USING (id_product)
LEFT JOIN ps_product_shop ps ON ps.id_product = p.id_product AND ps.id_shop = 1
LEFT JOIN ps_product_attribute_shop pas
       ON pas.id_product_attribute = pa.id_product_attribute AND pas.id_shop = 1;

CREATE TEMP VIEW special AS
SELECT id_product, id_product_attribute AS pa, price + 0 AS fixed, reduction + 0 AS reduction, reduction_type,
       reduction_tax, "to" = '0000-00-00 00:00:00' AS endless,
       id_group IN (0, 1) AND id_shop IN (0, 1) AND from_quantity <= 1 AS for_a_visitor,
       "from" > '2026-11-21 13:15:00' AS future,
       "to" < '2026-11-21 13:15:00' AND "to" <> '0000-00-00 00:00:00' AS expired
FROM ps_specific_price;

CREATE TEMP VIEW current AS SELECT * FROM special WHERE for_a_visitor AND NOT future AND NOT expired;
CREATE TEMP VIEW pack AS
SELECT id_product_item AS item, id_product_attribute_item AS pa,
       id_product_pack IN (SELECT id_product FROM ps_product) AS alive
FROM ps_pack;
"""

# What makes a combination (c) show the rule.
WHERE: dict[str, str] = {
    "several images": "images > 2",
    "own image instead of the cover": "own_image <> cover",
    "price impact": "impact > 0",
    "weight impact": "weight_impact > 0",
    "cover image": "own_image IS NULL AND cover IS NOT NULL",
    "missing EAN": "coalesce(ean, '') = ''",
    "bundle": "id_product IN (SELECT id_product_pack FROM ps_pack)",
    "bundle component, whole product": "id_product IN (SELECT item FROM pack WHERE pa = 0 AND alive)",
    "bundle component, one combination": "c.pa IN (SELECT pa FROM pack WHERE pa > 0 AND alive)",
    "beside a bundle component": "id_product IN (SELECT item FROM pack WHERE pack.pa NOT IN (0, c.pa))",
    "component of a bundle that is gone": "id_product IN (SELECT item FROM pack WHERE NOT alive)",
    "simple product": "pa = 0",
    "inactive in NL, active in BE and DE": """active = 0 AND 2 =
        (SELECT sum(active) FROM ps_product_shop s WHERE s.id_product = c.id_product AND s.id_shop > 1)""",
    "draft": "state = 0",
    "not in shop NL": "id_shop IS NULL AND id_product IN (SELECT id_product FROM ps_product_shop)",
    "combination not in shop NL": "pa > 0 AND id_shop = 1 AND pa_shop IS NULL",
    "missing price": "base + coalesce(impact, 0) <= 0",
    "missing item code": "code = ''",
    "item code of the product": "pa > 0 AND own_code = '' AND code <> ''",
    "missing description": "dutch || other_names = ''",
    "empty Dutch name": "dutch = '' AND other_names <> ''",
    "special price, percentage without end": """id_product IN
        (SELECT id_product FROM current WHERE reduction_type = 'percentage' AND endless)""",
    "special price, amount including tax, for some weeks": """id_product IN
        (SELECT id_product FROM current WHERE reduction > 1 AND reduction_tax = 1 AND NOT endless)""",
    "special price, fixed for one combination": "pa IN (SELECT pa FROM current WHERE pa > 0 AND fixed > 0)",
    "future special price": "id_product IN (SELECT id_product FROM special WHERE future)",
    "expired special price": "id_product IN (SELECT id_product FROM special WHERE expired)",
    "special price of another group, shop or quantity": """id_product NOT IN (SELECT id_product FROM current)
        AND id_product IN (SELECT id_product FROM special WHERE NOT for_a_visitor)""",
    "two special prices, the shop's own wins": """id_product IN
        (SELECT id_product FROM current GROUP BY id_product HAVING count(*) = 2)""",
    "reduced tax rate": "rate = 9",
    "tax rate without a VAT code": "rate NOT IN (21, 9)",
    "no tax": "tax_group = 0",
    "no image": "images = 0",
    "no brand": "brand = 0",
    "no category": "category = 0",
    "duplicate item code": """upper(trim(code)) IN (SELECT upper(trim(code)) FROM combination
        WHERE code <> '' GROUP BY 1 HAVING count(*) > 1)""",
    "item code over 30 characters": "length(code) > 30",
    "name over 60 characters": "length(dutch) > 60",
    "Greek name": "dutch REGEXP '[α-ω]'",
    "Cyrillic name": "dutch REGEXP '[а-я]'",
    "Chinese name": "dutch REGEXP '[一-龥]'",
    "emoji in the name": "dutch REGEXP '[\U0001f300-\U0001faff]'",
    "control characters in the name": "dutch REGEXP '[\x01-\x08\x0b\x0c]'",
    "markup characters in the name": "dutch REGEXP '<\".*>.*&'",
    "zero date and a brand that is gone": """date_upd = '0000-00-00 00:00:00' AND brand > 0
        AND brand NOT IN (SELECT id_manufacturer FROM ps_manufacturer)""",
}
# Rules that many more combinations fulfil than the one the README names.
COMMON = {
    "simple product",
    "price impact",
    "weight impact",
    "cover image",
    "missing EAN",
    "no image",
    "no brand",
    "no category",
    "reduced tax rate",
    "special price, percentage without end",
}
EXCLUDED = {"excluded combination", "excluded, then recreated under a new id", "excluded product"}


def test_every_rule_of_the_catalogue_is_looked_for() -> None:
    assert set(_rules()) == set(WHERE) | EXCLUDED


@pytest.mark.parametrize("rule", WHERE)
def test_the_rule_is_shown_by_the_keys_that_name_it(shop: sqlite3.Connection, rule: str) -> None:
    rows = shop.execute(
        f"SELECT id_product, pa FROM combination c WHERE {WHERE[rule]} ORDER BY id_product, pa"
    )
    found = [f"{product}-{combination}" for product, combination in rows]

    if rule in COMMON:
        assert set(_rules()[rule]) <= set(found)
    else:
        assert found == _rules()[rule]


def test_the_readme_beside_the_data_lists_exactly_these_rules_and_keys() -> None:
    rows = re.findall(
        r"^\| (.+?) \| ([\d, -]+) \| .+ \|$", DATA.joinpath("README.md").read_text("utf-8"), re.M
    )

    assert {rule: keys.split(", ") for rule, keys in rows} == _rules()
    assert len(rows) == len(_rules())


def test_the_catalogue_has_some_forty_combinations_with_valid_eans_of_their_own(
    shop: sqlite3.Connection,
) -> None:
    eans = [ean for (ean,) in shop.execute("SELECT ean FROM combination")]
    given = [ean for ean in eans if ean]

    assert 40 <= len(eans) <= 50
    assert len(set(given)) == len(given)
    assert all(re.fullmatch(r"2\d{12}", ean) for ean in given)
    assert all(sum(int(digit) * (1, 3)[i % 2] for i, digit in enumerate(ean)) % 10 == 0 for ean in given)


def test_each_shop_has_its_own_country_and_language_and_the_data_shop_its_own_prices(
    shop: sqlite3.Connection,
) -> None:
    rows = shop.execute(
        "SELECT s.name, c.value, l.iso_code FROM ps_shop s"
        " JOIN ps_configuration c ON c.id_shop = s.id_shop AND c.name = 'PS_COUNTRY_DEFAULT'"
        " JOIN ps_configuration d ON d.id_shop = s.id_shop AND d.name = 'PS_LANG_DEFAULT'"
        " JOIN ps_lang l ON l.id_lang = CAST(d.value AS INTEGER) ORDER BY s.id_shop"
    )
    prices = shop.execute("SELECT price FROM ps_product_shop WHERE id_product = 1 ORDER BY id_shop")

    assert rows.fetchall() == [("NL", "13", "nl"), ("BE", "3", "fr"), ("DE", "1", "de")]
    assert [price for (price,) in prices] == ["16.487603", "18.140496", "16.487603"]


def test_special_prices_are_valid_around_the_moment_of_seeding_in_the_shops_own_time(tmp_path: Path) -> None:
    """Late in the evening, UTC, it is already the next day in the shop."""
    seed_shop(tmp_path / "shop.db", datetime(2026, 3, 31, 22, 30, tzinfo=UTC))
    connection = sqlite3.connect(tmp_path / "shop.db")
    days = connection.execute('SELECT "from", "to" FROM ps_specific_price WHERE id_product = 18').fetchone()
    connection.close()

    assert days == ("2026-03-22 00:00:00", "2026-04-21 23:59:59")
