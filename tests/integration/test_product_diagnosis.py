"""What a diagnosis tells of the genuine shop, spread over several shops: where it is sold, what holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from brekzsync.bootstrap.product_diagnosis import product_diagnosis
from brekzsync.bootstrap.state import state_of
from brekzsync.domain.diagnosis import Diagnosis
from brekzsync.flows.products.diagnosis import OpenDiagnosis
from tests.exports import Installation, installation
from tests.services.prestashop import PrestaShopDatabase

READER = "reader"
SECRET = "kijk mee"

# Three shops with the same products; shop 4 was deleted long ago.
SHOPS = """
UPDATE ps_shop SET name = 'NL' WHERE id_shop = 1;
INSERT INTO ps_shop SELECT 2, 1, 'BE', color, id_category, theme_name, 1, 0 FROM ps_shop WHERE id_shop = 1;
INSERT INTO ps_shop SELECT 3, 1, 'DE', color, id_category, theme_name, 1, 0 FROM ps_shop WHERE id_shop = 1;
INSERT INTO ps_shop SELECT 4, 1, 'Oud', color, id_category, theme_name, 0, 1 FROM ps_shop WHERE id_shop = 1;
INSERT INTO ps_lang SELECT 2, 'Français', 1, 'fr', 'fr-fr', 'fr-FR', 'd/m/Y', 'd/m/Y', 0;
"""
COPIED = {"ps_product_shop": "id_shop", "ps_product_attribute_shop": "id_shop", "ps_product_lang": "id_shop"}


@pytest.fixture
def shop(prestashop: PrestaShopDatabase) -> PrestaShopDatabase:
    prestashop.execute(SHOPS)
    for table, column in COPIED.items():
        columns = [row[0] for row in prestashop.execute(f"SHOW COLUMNS FROM {table}")]
        for id_shop in (2, 3, 4):
            values = ", ".join(str(id_shop) if name == column else f"`{name}`" for name in columns)
            prestashop.execute(f"INSERT INTO {table} SELECT {values} FROM {table} WHERE id_shop = 1")
    return prestashop


@pytest.fixture
def made(shop: PrestaShopDatabase, tmp_path: Path, shared: Path) -> Installation:
    """An installation whose user may read the shop and nothing else."""
    shop.execute(
        f"DROP USER IF EXISTS {READER}@'127.0.0.1';"
        f"CREATE USER {READER}@'127.0.0.1' IDENTIFIED BY '{SECRET}';"
        f"GRANT SELECT ON {shop.name}.* TO {READER}@'127.0.0.1'"
    )
    return installation(tmp_path, shared, shop.url(user=READER, password=SECRET))


@contextmanager
def opened(made: Installation) -> Iterator[OpenDiagnosis]:
    with (
        state_of(made.settings) as state,
        product_diagnosis(made.settings, "exact", state) as parts,
        parts.open() as found,
    ):
        yield found


def one(made: Installation, word: str) -> Diagnosis:
    with opened(made) as diagnosis:
        (found,) = diagnosis.named([word], None)
    return found


def told(made: Installation, word: str) -> tuple[str, str]:
    found = one(made, word)
    return str(found.verdict), found.why


def test_a_run_exports_what_is_pending_and_then_all_of_it_is_in_sync(
    made: Installation, shop: PrestaShopDatabase
) -> None:
    shop.execute("UPDATE ps_product_shop SET price = 0 WHERE id_product = 6 AND id_shop = 1")
    with opened(made) as diagnosis:
        before = {found.key: str(found.verdict) for found in diagnosis.all()}
    exported = made.export()
    with opened(made) as diagnosis:
        after = {found.key: str(found.verdict) for found in diagnosis.all()}
    assert set(before.values()) == {"pending", "blocked", "incomplete"}
    assert {key for key, verdict in before.items() if verdict == "pending"} == exported.keys
    assert (
        {key for key, verdict in before.items() if verdict == "incomplete"}
        == exported.failed.keys()
        == {"6-0"}
    )
    assert after == {key: verdict.replace("pending", "in_sync") for key, verdict in before.items()}


# --- where it is sold --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inactive_in", "why"),
    [
        ((1,), "It is not active in shop NL; it is active in BE and DE."),
        ((1, 3), "It is not active in shop NL; it is active in BE."),
        ((1, 2, 3), "It is not active in shop NL; it is active in no other shop."),
    ],
)
def test_the_shops_where_a_product_is_active_are_named_but_no_deleted_one(
    made: Installation, shop: PrestaShopDatabase, inactive_in: tuple[int, ...], why: str
) -> None:
    shop.execute(
        "UPDATE ps_product_shop SET active = 0"
        f" WHERE id_product = 6 AND id_shop IN ({', '.join(map(str, inactive_in))})"
    )
    assert told(made, "6") == ("blocked", why)


def test_a_combination_is_active_only_where_it_is_itself(
    made: Installation, shop: PrestaShopDatabase
) -> None:
    shop.execute(
        "DELETE FROM ps_product_attribute_shop WHERE id_product_attribute = 1 AND id_shop IN (1, 3);"
        "DELETE FROM ps_product_attribute_shop WHERE id_product_attribute = 2 AND id_shop = 1;"
        "UPDATE ps_product_shop SET active = 0 WHERE id_product = 1 AND id_shop = 2"
    )
    assert told(made, "1-1") == ("blocked", "It is not in shop NL; it is active in no other shop.")
    assert told(made, "1-2") == ("blocked", "It is not in shop NL; it is active in DE.")
    assert told(made, "1-3")[0] == "pending"


def test_another_data_shop_is_another_view(made: Installation, shop: PrestaShopDatabase) -> None:
    shop.execute("UPDATE ps_product_shop SET active = 0 WHERE id_product = 6 AND id_shop = 2")
    assert told(made, "6")[0] == "pending"
    made.set("shop", data_shop="BE")
    assert told(made, "6") == ("blocked", "It is not active in shop BE; it is active in NL and DE.")


# --- what holds it -----------------------------------------------------------------------------------------


def name_of_pack(shop: PrestaShopDatabase, *names: tuple[int, int, str]) -> None:
    for id_shop, id_lang, name in names:
        shop.execute(
            "INSERT INTO ps_product_lang (id_product, id_shop, id_lang, name, link_rewrite)"
            f" VALUES (15, {id_shop}, {id_lang}, '{name}', '') ON DUPLICATE KEY UPDATE name = '{name}'"
        )


def test_a_component_names_its_bundle_as_the_data_shop_does(
    made: Installation, shop: PrestaShopDatabase
) -> None:
    name_of_pack(shop, (1, 1, "Pakket"), (1, 2, "Coffret"), (2, 1, "Pakket BE"), (2, 2, "Coffret BE"))
    for data_shop, language, name in (
        ("NL", "nl", "Pakket"),
        ("NL", "fr", "Coffret"),
        ("BE", "nl", "Pakket BE"),
        ("BE", "fr", "Coffret BE"),
    ):
        made.set("shop", data_shop=data_shop, language=language)
        assert told(made, "5-19") == ("blocked", f'It is a component of bundle 15 "{name}".')
    assert told(made, "7") == ("blocked", 'It is a component of bundle 15 "Coffret BE".')
    assert told(made, "5-20")[0] == "pending"


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ([(1, 1, ""), (1, 2, "Coffret"), (2, 1, ""), (3, 1, "")], '15 "Coffret"'),
        ([(1, 1, "  "), (2, 1, "Pakket BE"), (3, 1, "")], '15 "Pakket BE"'),
        ([(1, 1, ""), (2, 1, ""), (3, 1, ""), (4, 1, "")], "15"),
    ],
)
def test_a_bundle_without_a_name_here_has_that_of_elsewhere(
    made: Installation, shop: PrestaShopDatabase, names: list[Any], shown: str
) -> None:
    name_of_pack(shop, *names)
    assert told(made, "7") == ("blocked", f"It is a component of bundle {shown}.")


def test_every_bundle_is_named(made: Installation, shop: PrestaShopDatabase) -> None:
    shop.execute("INSERT INTO ps_pack VALUES (16, 7, 0, 1)")
    found = one(made, "7")
    assert found.why.startswith("It is a component of bundles 15 ")
    assert " and 16 " in found.why
    assert found.steps[0].text.startswith("Take it out of packs 15 and 16 in the shop's back office")


# --- what is near ------------------------------------------------------------------------------------------


def test_an_unknown_id_finds_its_owner_but_not_that_of_orphaned_rows(
    made: Installation, shop: PrestaShopDatabase
) -> None:
    assert told(made, "19-1") == ("unknown", "Combination 1 belongs to product 1: 1-1.")
    shop.execute("DELETE FROM ps_product WHERE id_product = 5")
    assert told(made, "5-19") == ("unknown", "The shop has no product 5, and the ERP was never sent one.")


# --- one snapshot ------------------------------------------------------------------------------------------


def test_all_answers_are_of_one_moment(made: Installation, shop: PrestaShopDatabase) -> None:
    with opened(made) as diagnosis:
        (before,) = diagnosis.named(["6"], None)
        shop.execute(
            "UPDATE ps_product_shop SET active = 0 WHERE id_product IN (6, 8);"
            "UPDATE ps_product_lang SET name = 'Iets anders' WHERE id_product IN (6, 8)"
        )
        again, other = diagnosis.named(["6", "8"], None)
    assert again == before
    assert (str(other.verdict), other.name == "Iets anders") == ("pending", False)
    assert told(made, "8")[0] == "blocked"
