"""The demo's ERP: that it differs from the demo's shop where the README beside its data says so."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from brekzsync.demo.erp import seed_erp
from brekzsync.demo.seed import data_file, exclusions, read
from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.erp_orders import ErpOrder
from brekzsync.domain.erp_stock import StockLevel
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.orders import OrderRepository
from brekzsync.exact.stock import StockRepository

NOW = datetime(2026, 11, 21, 12, 15, tzinfo=UTC)
TODAY = date(2026, 11, 21)
Shown = tuple[ErpItem, dict[str, Any]]
LINE_ITEMS = [item for key, item in read("brekzsync.toml")["orders"].items() if key.endswith("_item")]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    path = tmp_path_factory.mktemp("demo") / "erp.db"
    seed_erp(path, NOW)
    return connect_erp(f"sqlite:///{path}")


def in_shop() -> dict[str, dict[str, Any]]:
    """Each combination of the demo's shop by key, with its product's fields where it has none of its own."""
    found = {}
    for product in read("catalogue.toml")["product"]:
        for combination in product.get("combination", [{"id": 0}]):
            own = {**product, **combination}
            impact = Decimal(combination.get("price", 0))
            own["price"] = (Decimal(product["price"]) + impact).quantize(Decimal("0.0001"))
            found[f"{product['id']}-{combination['id']}"] = own
    return found


def _is_in_step(item: ErpItem, shop: dict[str, Any]) -> bool:
    name = shop["name"].get("nl") or shop["name"]["fr"]
    return bool(
        (item.description or "").startswith(name)
        and item.price == shop["price"]
        and item.vat_code == {"reduced": "1"}.get(shop.get("tax", ""), "2")
        and item.gtin == shop.get("ean13", "")
        and item.condition == "A"
    )


# What makes the ERP's item and the shop's combination what the README says; nothing else may be amiss.
IS: dict[str, Callable[[ErpItem, dict[str, Any]], bool]] = {
    "as the shop says": _is_in_step,
    "another price": lambda item, shop: (
        item.price != shop["price"] and _is_in_step(item._replace(price=shop["price"]), shop)
    ),
    "another description": lambda item, shop: (
        item.price == shop["price"] and not _is_in_step(item, shop) and item.gtin == shop["ean13"]
    ),
    "without GTIN": lambda item, shop: (
        item.gtin == "" and _is_in_step(item._replace(gtin=shop["ean13"]), shop)
    ),
    "excluded after it was sent": _is_in_step,
    "code in lower case, with trailing blanks": lambda item, shop: (
        item.code == "eend" and shop["reference"] == "EEND" and _is_in_step(item, shop)
    ),
    "inactive, as in the shop": lambda item, shop: (
        item.condition == "E"
        and "NL" in shop["inactive_in"]
        and _is_in_step(item._replace(condition="A"), shop)
    ),
    "blocked": lambda item, shop: item.is_blocked is True and _is_in_step(item._replace(condition="A"), shop),
    "another VAT code": lambda item, shop: (
        item.vat_code == "2" and _is_in_step(item._replace(vat_code="1"), shop)
    ),
    "characters its code page lacks": lambda item, shop: (
        shop["name"]["nl"].encode("cp1252", "replace").decode("cp1252") == item.description
    ),
    "never in the shop": lambda item, shop: not shop,
    "for the lines of orders that are no products": lambda item, shop: (
        not shop and item.code in LINE_ITEMS and item.condition == "A"
    ),
}


@pytest.mark.parametrize("item", read("erp.toml")["item"], ids=lambda item: item["code"])
def test_the_item_is_in_the_erp_what_it_shows(engine: Engine, item: dict[str, Any]) -> None:
    code = item["code"].strip().upper()
    held = ItemRepository(engine).some([code])[code]

    assert IS[item["shows"]](held, in_shop().get(item.get("key", ""), {}))


def test_the_readme_lists_exactly_these_items() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([A-Z-]+), ([\d-]+|none) \| .+ \|$", data_file("README.md"), re.M)

    assert rows == [
        (item["shows"], item["code"].strip().upper(), item.get("key", "none"))
        for item in read("erp.toml")["item"]
    ]
    assert {shows for shows, _, _ in rows} == set(IS)


def test_an_item_of_the_erp_has_the_code_the_shop_gives_its_combination() -> None:
    shop = in_shop()
    keyed = [item for item in read("erp.toml")["item"] if "key" in item]

    assert [shop[item["key"]]["reference"] for item in keyed] == [
        item["code"].strip().upper() for item in keyed
    ]
    assert "2-202" in {exclusion["key"] for exclusion in exclusions()}


def test_stock_and_orders_are_what_the_readme_tells(engine: Engine) -> None:
    assert sorted(StockRepository(engine).sellable(TODAY)) == [
        StockLevel("EEND", "1", Decimal(25), Decimal(3)),
        StockLevel("LL-NW-RD-L", "1", Decimal(12), Decimal(0)),
        StockLevel("LL-NW-RD-M", "1", Decimal(34), Decimal(2)),
        StockLevel("LL-NW-RD-M", "2", Decimal(5), Decimal(0)),
        StockLevel("ZAAD-KAN", "1", Decimal("7.500"), Decimal(0)),
    ]
    assert OrderRepository(engine).by_docnumber(["QWERTZUIO-41", "ASDFGHJKL-52"]) == {
        "QWERTZUIO-41": [ErpOrder("230017", "QWERTZUIO-41", True, True, Decimal(6), Decimal(6), Decimal(6))],
        "ASDFGHJKL-52": [ErpOrder("230023", "ASDFGHJKL-52", False, True, Decimal(6), Decimal(1), Decimal(0))],
    }


def test_every_delivered_line_is_on_a_delivery_note(tmp_path: Path) -> None:
    seed_erp(tmp_path / "erp.db", NOW)
    erp = sqlite3.connect(tmp_path / "erp.db")
    notes = erp.execute(
        "SELECT trim(h.ordernr), trim(h.pakbon_nr), r.artcode, r.aant_gelev, date(h.pakbon_dat) FROM orhkrg h"
        " JOIN orhsrg r ON r.pakbon_nr = h.pakbon_nr AND r.ordernr = h.ordernr ORDER BY 1"
    ).fetchall()
    erp.close()

    assert notes == [
        ("230017", "4711", "LL-NW-RD-M", 6.0, "2026-11-16"),
        ("230023", "4719", "EEND", 1.0, "2026-11-21"),
    ]
