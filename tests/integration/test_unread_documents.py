"""A newer version that replaces an unread document says again what only that one said."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from brekzsync.demo.folder import make_demo
from brekzsync.domain.items import Item
from brekzsync.exact.eexact.items import ItemWriter
from brekzsync.exact.eexact.layout import ItemLayout
from brekzsync.exact.eexact.unread import Unread
from brekzsync.exact.outbox import Outbox

YESTERDAY = date(2026, 3, 14)
BLANK = Item._make([""] * len(Item._fields))
FIRST = BLANK._replace(
    code="A-1", description="Tas", price="9.0000", brand="Merk", category_code="3", category="Tassen",
    gtin="8712345678906", image="5.jpg", special_price="8.0000",
)  # fmt: skip


def writer(ownership: str = "create") -> ItemWriter:
    return ItemWriter(ItemLayout(currency="EUR", ownership=ownership))  # type: ignore[arg-type]


def replaced(made: ItemWriter, *versions: Item) -> str:
    """The document that lies there after each version replaced the one before, unread."""
    previous, unread = None, None
    for version in versions:
        text = made.document(version, previous, YESTERDAY, None, unread).decode()
        previous, unread = version, Unread(text)
    return text


def test_an_item_that_is_still_new_to_the_erp_stays_new() -> None:
    changed = FIRST._replace(price="7.0000")
    made = writer()
    assert replaced(made, FIRST, changed) == made.document(changed, None, YESTERDAY).decode()


def test_a_price_line_that_was_to_be_closed_is_still_closed() -> None:
    ended = FIRST._replace(special_price="")
    text = replaced(writer(), FIRST, ended, ended._replace(price="7.0000"))
    assert "<DateEnd>2026-03-14</DateEnd>" in text
    assert "<Value>7.0000</Value>" in text


@pytest.mark.parametrize("ownership", ["create", "always"])
def test_a_field_that_was_to_be_emptied_is_still_emptied(ownership: str) -> None:
    made = writer(ownership)
    emptied = FIRST._replace(brand="", gtin="", image="", category="", category_code="", special_price="")
    read = made.document(emptied, FIRST, YESTERDAY).decode()  # FIRST was taken, this one lies there

    again = emptied._replace(price="7.0000")
    text = made.document(again, emptied, YESTERDAY, None, Unread(read)).decode()

    assert text == read.replace("<Value>9.0000</Value>", "<Value>7.0000</Value>", 1)
    for empty in ("<GTIN></GTIN>", "<Name></Name>", 'label="Brand"></FreeText>', 'code=""'):
        assert empty in text


def test_a_document_that_was_taken_has_no_say(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    outbox.prepare()
    assert outbox.unread_document((1, 0)) is None
    outbox.write_items([((1, 0), writer().document(FIRST, None, YESTERDAY))])
    unread = outbox.unread_document((1, 0))
    assert unread is not None
    assert unread.before(FIRST, always=False) is None
    (tmp_path / "items" / "1-0.xml").unlink()
    assert outbox.unread_document((1, 0)) is None


@pytest.mark.parametrize("bulk", [False, True], ids=["files", "bulk"])
def test_an_unread_new_item_that_changes_arrives_as_new(tmp_path: Path, bulk: bool) -> None:
    demo = tmp_path / "demo"
    make_demo(demo, datetime.now(UTC))
    export(demo)
    with closing(sqlite3.connect(demo / "shop.db")) as shop:
        shop.execute("UPDATE ps_product_shop SET price = '99.000000' WHERE id_product = 24")
        shop.commit()

    export(demo, *(["--bulk"] if bulk else []))

    (path,) = demo.glob("outbox/items-*.xml") if bulk else [demo / "outbox/items/24-0.xml"]
    (item,) = ElementTree.parse(path).iterfind("Items/Item")
    assert (item.findtext("Sales/Price/Value"), item.findtext("Condition")) == ("99.0000", "A")
    assert (demo / "outbox/items/24-0.xml").exists() is not bulk


def export(demo: Path, *options: str) -> None:
    command = [
        sys.executable,
        "-m",
        "brekzsync",
        "--config",
        str(demo / "brekzsync.toml"),
        "products",
        "export",
    ]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr  # the demo holds records that fail on purpose
