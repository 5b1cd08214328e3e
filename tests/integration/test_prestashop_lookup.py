"""What references and EANs name: the same on the genuine MariaDB shop and on an embedded one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import create_engine, text

from brekzsync.domain.keys import ProductKey, WantedId
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.shop import OpenShop, Shop, ShopOptions
from tests.exports import NOW
from tests.services.prestashop import PrestaShopDatabase
from tests.shops import make_shop


class Case(NamedTuple):
    """A shop in which product 1 and ``own`` have the reference Tas-7, and ``accented`` has Réf-Ünï."""

    shop: OpenShop
    own: ProductKey
    accented: ProductKey

    @property
    def both(self) -> set[ProductKey]:
        """What Tas-7 names: all combinations of product 1, and the one."""
        return self.shop.keys_of([WantedId(1, None)])[0] | {self.own}


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    if request.param == "sqlite":
        url, data_shop = f"sqlite:///{tmp_path / 'shop.db'}", "NL"
        make_shop(tmp_path / "shop.db", products=2, combinations=2)
        own, accented = (2, 21), (2, 22)
    else:
        genuine: PrestaShopDatabase = request.getfixturevalue("prestashop")
        url, data_shop = genuine.url(), "1"
        own, accented = (2, 9), (2, 10)
    _edit(url, own, accented)
    options = ShopOptions(
        table_prefix="ps_",
        data_shop=data_shop,
        language="",
        slots={},
        slots_wanted=False,
        exclude_column="",
    )
    opener = Shop(ShopDatabase(url), options)
    with opener.open(NOW) as opened:
        yield Case(opened, own, accented)
    opener.dispose()


def _edit(url: str, own: ProductKey, accented: ProductKey) -> None:
    combination = "UPDATE ps_product_attribute SET reference = '{}' WHERE id_product_attribute = {}"
    statements = (
        "UPDATE ps_product SET reference = '', ean13 = ''",
        "UPDATE ps_product_attribute SET reference = '', ean13 = ''",
        "UPDATE ps_product SET reference = 'Tas-7', ean13 = '2900000000007' WHERE id_product = 1",
        combination.format("tas-7  ", own[1]),
        combination.format("Réf-Ünï", accented[1]),
        # Left behind by a deletion: its product is gone.
        "INSERT INTO ps_product_attribute (id_product, id_product_attribute, reference, ean13)"
        " VALUES (9999, 99991, 'ORPHAN', '')",
    )
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


@pytest.mark.parametrize("typed", ["TAS-7", "tas-7", " Tas-7 "])
def test_a_reference_is_found_in_any_letter_case_and_with_blanks(case: Case, typed: str) -> None:
    assert case.shop.named_by("reference", [typed]) == {"TAS-7": {WantedId(1, None), WantedId(*case.own)}}
    assert case.shop.keys_by("reference", [typed]) == (case.both, [])


def test_letters_beyond_ascii_have_a_case_too(case: Case) -> None:
    assert case.shop.keys_by("reference", ["réf-ünÏ"]) == ({case.accented}, [])


def test_an_ean_is_found_likewise(case: Case) -> None:
    assert case.shop.named_by("ean13", ["2900000000007"]) == {"2900000000007": {WantedId(1, None)}}


def test_two_spellings_of_one_reference_both_name_it(case: Case) -> None:
    assert case.shop.keys_by("reference", ["tas-7", "TAS-7"]) == (case.both, [])


def test_what_nothing_has_is_unknown(case: Case) -> None:
    nothing = ["", "  ", "TAS", "ORPHAN", "Ref-Uni", "%"]
    assert case.shop.keys_by("reference", ["tas-7", *nothing]) == (case.both, nothing)
    assert case.shop.keys_by("ean13", ["", "tas-7"]) == (set(), ["", "tas-7"])
