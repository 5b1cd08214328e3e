"""The first export of the demo does with every key what the README beside the demo's data says."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from brekzsync.demo.seed import read
from tests.exports import brekzsync

ROOT = Path(__file__).resolve().parents[2]

README = ROOT / "src/brekzsync/demo/data/README.md"

Export = tuple[dict[str, Any], Path]


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Export:
    """The JSON document of the first export, and the folder of its items."""
    folder = tmp_path_factory.mktemp("demo")

    made = brekzsync(folder, "demo", "up")
    assert made.code == 0, made.err
    done = brekzsync(folder, "--config", "demo/brekzsync.toml", "products", "export", "--json")
    assert done.code == 3, done.err
    return done.document, folder / "demo/outbox/items"


def test_the_first_export_sends_everything_eligible_and_complete(export: Export) -> None:
    document, items = export

    assert document["counts"] == {
        "read": 47,
        "eligible": 37,
        "pending": 37,
        "delivered": 31,
        "unchanged": 0,
        "skipped": 10,
        "failed": 6,
    }
    unsent = {key for outcome, key in _outcomes() if outcome in ("skipped", "failed")}
    assert {path.stem for path in items.iterdir()} == _keys() - unsent


def test_the_reasons_are_those_the_readme_names(export: Export) -> None:
    named = Counter(reason for reason, _ in _outcomes(r"failed: `(\w+)`|warning `(\w+)`"))

    assert {reason: export[0]["reasons"].get(reason, 0) for reason in named} == named


def _outcomes(pattern: str = r"(sent|skipped|failed)") -> list[tuple[str, str]]:
    """(what the README says happens, key) for every key of every rule."""
    table = re.findall(r"^\| .+? \| ([\d, -]+) \| (.+) \|$", README.read_text(encoding="utf-8"), re.MULTILINE)
    return [
        (found.group(found.lastindex or 0), key)
        for keys, outcome in table
        if (found := re.search(pattern, outcome))
        for key in keys.split(", ")
    ]


def _keys() -> set[str]:
    """Every combination of the demo's catalogue."""
    return {
        f"{product['id']}-{combination['id']}"
        for product in read("catalogue.toml")["product"]
        for combination in product.get("combination", [{"id": 0}])
    }


ITEM = "Items/Item"
SPECIAL = "ItemPrices/ItemPrice/Value"
ENDS = "ItemPrices/ItemPrice/Availability/DateEnd"
BRAND = f"{ITEM}/FreeFields/FreeTexts/FreeText"


@pytest.mark.parametrize(
    ("key", "path", "text"),
    [
        ("1-101", f"{ITEM}/Description", "Looplijn Noordwind Rood M"),
        ("1-101", f"{ITEM}/Image/Name", "12.jpg"),
        ("1-102", f"{ITEM}/Image/Name", "12.jpg"),
        ("1-103", f"{ITEM}/Image/Name", "11.jpg"),
        ("1-102", f"{ITEM}/Sales/Price/Value", "18.4876"),
        ("1-102", f"{ITEM}/Dimension/WeightNet", "0.22"),
        ("1-103", f"{ITEM}/GTIN", "2900000100039"),
        ("1-104", f"{ITEM}/GTIN", None),
        ("16-0", f"{ITEM}/Description", "Griffoir Rivage"),
        ("17-0", SPECIAL, "7.9008"),
        ("17-0", ENDS, None),
        ("18-0", SPECIAL, "49.5455"),
        ("19-1901", SPECIAL, "14.5000"),
        ("19-1902", SPECIAL, None),
        ("20-0", SPECIAL, None),
        ("21-0", SPECIAL, None),
        ("22-0", SPECIAL, None),
        ("23-0", SPECIAL, "11.2045"),
        ("24-0", f"{ITEM}/Sales/Price/VAT/Percentage", "9"),
        ("25-0", f"{ITEM}/Sales/Price/VAT", None),
        ("26-0", f"{ITEM}/Sales/Price/VAT", None),
        ("26-0", f"{ITEM}/Image", None),
        ("26-0", BRAND, None),
        ("26-0", f"{ITEM}/ItemCategory", None),
        ("27-0", f"{ITEM}/Description", "Σκύλος και γάτα (poster)"),
        ("28-0", f"{ITEM}/Description", "Матрёшка «Кот»"),
        ("29-0", f"{ITEM}/Description", "招财猫 小号"),
        ("30-0", f"{ITEM}/Description", "Speelbal 🐾 stuiter"),
        ("31-0", f"{ITEM}/Description", "Vlooienkam fijn"),
        ("32-0", f"{ITEM}/Description", 'Krabpaal <"XL"> Kat & Co ]]>'),
        ("33-0", f"{ITEM}/Description", "Orthopedisch hondenbed met afneembare wasbare hoes voor oude"),
        ("37-0", BRAND, None),
    ],
)
def test_the_item_of_the_key_says_so(export: Export, key: str, path: str, text: str | None) -> None:
    document = ElementTree.parse(export[1] / f"{key}.xml")

    assert document.findtext(path) == text
