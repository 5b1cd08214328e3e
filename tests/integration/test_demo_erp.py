"""The demo's ERP: that it differs from the demo's shop where the README beside its data says so."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from math import floor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine

from brekzsync.demo.erp import seed_erp
from brekzsync.demo.seed import data_file, exclusions, read, seed_shop
from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.erp_orders import ErpOrder
from brekzsync.domain.erp_stock import StockLevel
from brekzsync.domain.keys import format_key
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.orders import OrderRepository
from brekzsync.exact.stock import StockRepository
from brekzsync.prestashop.connection import ShopDatabase
from brekzsync.prestashop.stock.repository import ShopStockRepository, StockOptions

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
        StockLevel("BORSTEL", "1", Decimal(60), Decimal(0)),
        StockLevel("EEND", "1", Decimal(25), Decimal(3)),
        StockLevel("FM-POLDER", "1", Decimal(11), Decimal(0)),
        StockLevel("HB-ZW-M", "1", Decimal(6), Decimal(0)),
        StockLevel("HB-ZW-S", "1", Decimal(15), Decimal(0)),
        StockLevel("KRABMAT", "1", Decimal(0), Decimal(0)),
        StockLevel("LL-NW-BL-M", "1", Decimal(30), Decimal(0)),
        StockLevel("LL-NW-RD-L", "1", Decimal(12), Decimal(0)),
        StockLevel("LL-NW-RD-M", "1", Decimal(34), Decimal(2)),
        StockLevel("LL-NW-RD-M", "2", Decimal(5), Decimal(0)),
        StockLevel("PAKKET-PUPPY", "1", Decimal(5), Decimal(0)),
        StockLevel("POP-KOT", "1", Decimal(8), Decimal(0)),
        StockLevel("TUNNEL", "1", Decimal(5), Decimal(0)),
        StockLevel("ZAAD-KAN", "1", Decimal("7.500"), Decimal(0)),
    ]
    assert OrderRepository(engine).by_docnumber(["QWERTZUIO-41", "ASDFGHJKL-52"]) == {
        "QWERTZUIO-41": [ErpOrder("230017", "QWERTZUIO-41", True, True, Decimal(6), Decimal(6), Decimal(6))],
        "ASDFGHJKL-52": [ErpOrder("230023", "ASDFGHJKL-52", False, True, Decimal(6), Decimal(1), Decimal(0))],
    }


class Stock(NamedTuple):
    """What the shop shows of an item, None where it has no row, and what the ERP has left to sell."""

    shop: int | None
    erp: Decimal
    sold: Decimal
    moved: bool
    is_pack: bool


# What makes a figure what the README says; nothing else may be amiss.
STOCK: dict[str, Callable[[Stock], bool]] = {
    "as the ERP has it": lambda one: one.shop == one.erp and one.moved and not one.is_pack,
    "too many in the shop": lambda one: one.shop is not None and one.shop > one.erp > 0,
    "too few in the shop": lambda one: one.shop is not None and one.shop < one.erp,
    "less what is sold and not delivered": lambda one: one.shop == one.erp and one.sold > 0,
    "never on hand": lambda one: one.shop == one.erp == 0 and not one.moved,
    "sold out in the ERP": lambda one: one.shop is not None and one.shop > one.erp == 0 and one.moved,
    "part of a piece": lambda one: one.shop == floor(one.erp) < one.erp,
    "without a stock row in the shop": lambda one: one.shop is None and one.erp > 0,
    "a pack": lambda one: one.is_pack,
}
STOCKED = [item for item in read("erp.toml")["item"] if "stock_shows" in item]


@pytest.fixture(scope="module")
def stock(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stock]:
    """By key, of every item that is kept in stock."""
    path = tmp_path_factory.mktemp("demo") / "shop.db"
    seed_shop(path, NOW)
    options = StockOptions(table_prefix="ps_", data_shop="NL", language="", dead_states=[6])
    database = ShopDatabase(f"sqlite:///{path}")
    with ShopStockRepository(database, options).open() as shop:
        shown = {format_key(key): quantities[0] for key, quantities in shop.levels()}
        packs = {id_product for id_product, _ in shop.pack_conflicts()}
    database.dispose()
    levels: dict[str, list[StockLevel]] = {}
    for level in StockRepository(engine).sellable(TODAY):
        levels.setdefault(level.code, []).append(level)
    found = {}
    for item in STOCKED:
        own = levels.get(item["code"].strip().upper(), [])
        found[item["key"]] = Stock(
            shown.get(item["key"]),
            sum((level.sellable for level in own), Decimal(0)),
            sum((level.open_sales for level in own), Decimal(0)),
            bool(own),
            int(item["key"].partition("-")[0]) in packs,
        )
    return found


@pytest.mark.parametrize("item", STOCKED, ids=lambda item: item["code"])
def test_the_stock_is_in_the_shop_what_it_shows(stock: dict[str, Stock], item: dict[str, Any]) -> None:
    assert STOCK[item["stock_shows"]](stock[item["key"]])


def test_the_readme_lists_exactly_this_stock(stock: dict[str, Stock]) -> None:
    row = re.compile(
        r"^\| ([^|]+) \| `([\d-]+)` \| (?:shows )?(\d+|none) \| has (\d+(?:\.\d+)?)[^|]* \| ([^|]+) \|$", re.M
    )
    rows = row.findall(data_file("README.md"))

    assert sorted((shows, key, shop) for shows, key, shop, _, _ in rows) == sorted(
        (item["stock_shows"], item["key"], "none" if shop is None else str(shop))
        for item in STOCKED
        for shop in [stock[item["key"]].shop]
    )
    for _, key, _, on_hand, sweep in rows:
        one = stock[key]
        assert Decimal(on_hand) == one.erp + one.sold
        if sweep.startswith("writes"):
            assert sweep == f"writes {one.erp.normalize():f}"
        else:
            assert sweep.startswith("finding" if one.shop is None or one.is_pack else "nothing")
    assert {shows for shows, *_ in rows} == set(STOCK)


def test_so_little_differs_that_a_first_sweep_goes_through(stock: dict[str, Stock]) -> None:
    compared = [one for one in stock.values() if one.shop is not None and not one.is_pack]

    differing = [one for one in compared if one.shop != floor(one.erp)]
    assert (len(compared), len(differing)) == (12, 3)


def test_items_without_a_story_are_kept_in_no_stock() -> None:
    assert all(item.get("stock") is False for item in read("erp.toml")["item"] if item not in STOCKED)


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
