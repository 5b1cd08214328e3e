"""The demo's AsImport: what a document does to the demo's ERP, and what its log says, read by both who read logs."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import pytest
from lxml import etree
from sqlalchemy import Engine

from brekzsync.agent.results import messages
from brekzsync.demo.asimport import main
from brekzsync.demo.erp import seed_erp
from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.erp_orders import ErpOrder
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.eexact.messages import Message, read_messages
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.orders import OrderRepository
from brekzsync.exact.prices import PriceListRepository

NOW = datetime(2026, 11, 21, 12, 15, tzinfo=UTC)
Import = Callable[..., list[Message]]
KNOWN = '<Account code="W42" type="C"><Name>Sanne de Vries</Name></Account>'


@pytest.fixture
def erp(tmp_path: Path) -> Path:
    path = tmp_path / "erp.db"
    seed_erp(path, NOW)
    return path


@pytest.fixture
def engine(erp: Path) -> Engine:
    return connect_erp(f"sqlite:///{erp}")


@pytest.fixture
def imported(erp: Path, tmp_path: Path) -> Import:
    """Imports a topic of ``<eExact>…</eExact>``; what the log says."""

    def run(content: str, topic: str) -> list[Message]:
        document, log = tmp_path / "document.xml", tmp_path / "log.xml"
        document.write_text(f"<eExact>{content}</eExact>", encoding="utf-8")
        assert main([str(document), topic, "--erp", str(erp), "--log", str(log), "--server", "GLOBE"]) == 0
        content_of_log = log.read_bytes()
        told = read_messages(content_of_log)
        read = messages(content_of_log)
        assert read is not None
        named = [(one.code, one.is_imported, one.text) for one in told if one.code]
        assert named == [tuple(one) for one in read]
        return told

    return run


def item(code: str, more: str = "", description: str = "Halsband", price: str = "10.5") -> str:
    name = f"<Description>{description}</Description>" if description else ""
    value = f'<Sales><Price type="S"><Value>{price}</Value><VAT code="1"/></Price></Sales>'
    return f"<Item code={quoteattr(code)}>{name}<IsSalesItem>1</IsSalesItem>{value}{more}</Item>"


def items(*elements: str) -> str:
    return f"<Items>{''.join(elements)}</Items>"


def order(reference: str, *lines: tuple[str, int], debtor: str = "W42", kind: str = "V") -> str:
    written = "".join(
        f"<OrderLine><Item code={quoteattr(code)}/><Quantity>{quantity}</Quantity></OrderLine>"
        for code, quantity in lines
    )
    by = f'<OrderedBy><Debtor code="{debtor}"/></OrderedBy>'
    return f'<Orders><Order type="{kind}"><YourRef>{reference}</YourRef>{by}{written}</Order></Orders>'


def accounts(*elements: str) -> str:
    return f"<Accounts>{''.join(elements)}</Accounts>"


def rows(erp: Path, statement: str) -> list[Any]:
    with closing(sqlite3.connect(erp)) as connection:
        return connection.execute(statement).fetchall()


# --- items --------------------------------------------------------------------------------------------------


def test_a_new_item_is_created_and_a_known_one_updated_whatever_its_spelling(
    imported: Import, engine: Engine
) -> None:
    told = imported(items(item("NIEUW-1"), item("EEND", "<GTIN/>", description="Eend")), "items")

    assert told == [Message("Items", "NIEUW-1", True, "Created"), Message("Items", "EEND", True, "Updated")]
    held = ItemRepository(engine).some(["NIEUW-1", "EEND"])
    assert held == {
        "NIEUW-1": ErpItem("NIEUW-1", "Halsband", Decimal("10.5"), "1", "", "A", True),
        "EEND": ErpItem("eend", "Eend", Decimal("10.5"), "1", "", "A", True),
    }


def test_what_a_document_does_not_say_stays_as_it_is(imported: Import, engine: Engine) -> None:
    before = ItemRepository(engine).some(["LL-NW-RD-M"])["LL-NW-RD-M"]

    imported('<Items><Item code="LL-NW-RD-M"><IsSalesItem>0</IsSalesItem></Item></Items>', "Items")

    after = ItemRepository(engine).some(["LL-NW-RD-M"])["LL-NW-RD-M"]
    assert after == before._replace(is_sales_item=False)


def test_one_record_that_is_refused_does_not_keep_the_others_out(imported: Import, engine: Engine) -> None:
    told = imported(
        items(item("A", description=""), item("B" * 31), item("C", price="ten"), item(""), item("D")), "Items"
    )

    assert told == [
        Message("Items", "A", False, "Mandatory: Description"),
        Message("Items", "B" * 31, False, f"Code {'B' * 31} is longer than 30 characters"),
        Message("Items", "C", False, "Not a number: Value 'ten'"),
        Message("Items", "", False, "Mandatory: code"),
        Message("Items", "D", True, "Created"),
    ]
    assert set(ItemRepository(engine).some(["A", "B" * 31, "C", "D"])) == {"D"}


def test_what_the_code_page_lacks_becomes_a_question_mark_and_what_is_too_long_is_cut(
    imported: Import, engine: Engine
) -> None:
    told = imported(items(item("A", description="Кот € 🐾"), item("B", description="x" * 61)), "Items")

    assert [one.text for one in told] == ["Created", "Created; Description was cut to 60 characters"]
    held = ItemRepository(engine).some(["A", "B"])
    assert [held["A"].description, held["B"].description] == ["??? € ??", "x" * 60]


def test_a_price_line_is_known_again_by_its_first_day(imported: Import, engine: Engine) -> None:
    def line(value: str, end: str, code: str = "eend") -> str:
        days = f"<DateStart>2026-11-01</DateStart><DateEnd>{end}</DateEnd>"
        return (
            f'<ItemPrices><ItemPrice><Item code="{code}"/><PriceList code="SALESPRICE" type="S"/>'
            f'<Value>{value}</Value><Unit unit="pc"/><Factor>1</Factor>'
            f"<Availability>{days}</Availability></ItemPrice></ItemPrices>"
        )

    assert imported(line("5.50", "2026-12-31"), "ItemPrices") == [
        Message("ItemPrices", "eend", True, "Created")
    ]
    prices = PriceListRepository(engine)
    (found,) = prices.valid_on(date(2026, 11, 21), ["EEND"])
    assert (found.code, found.price_list, found.price) == ("EEND", "SALESPRICE", Decimal("5.5"))

    assert imported(line("5.50", "2026-11-20"), "ItemPrices")[0].text == "Updated"
    assert list(prices.valid_on(date(2026, 11, 21), ["EEND"])) == []
    assert imported(line("5.50", "2026-11-20", "NONE"), "ItemPrices") == [
        Message("ItemPrices", "NONE", False, "Invalid reference: Item NONE")
    ]


# --- orders -------------------------------------------------------------------------------------------------


def test_an_order_of_a_new_debtor_is_found_by_its_reference(
    imported: Import, engine: Engine, erp: Path
) -> None:
    content = accounts(KNOWN) + order("XKBKNABJK-7", ("EEND", 2), ("ll-nw-rd-m", 1))

    assert imported(content, "Accounts") == [Message("Accounts", "W42", True, "Created")]
    assert imported(content, "Orders") == [Message("Orders", "XKBKNABJK-7", True, "Created")]

    (found,) = OrderRepository(engine).by_docnumber(["XKBKNABJK-7"])["XKBKNABJK-7"]
    zero = Decimal("0.000")
    assert found == ErpOrder("230024", "XKBKNABJK-7", False, True, Decimal(3), zero, zero)
    assert rows(
        erp, "SELECT ordernr, artcode, magcode, esr_aantal FROM orsrg WHERE ordernr = '  230024'"
    ) == [
        ("  230024", "eend   ", "1   ", 2.0),
        ("  230024", "LL-NW-RD-M", "1   ", 1.0),
    ]
    assert rows(erp, "SELECT cmp_code, debnr FROM cicmpy WHERE cmp_name = 'Sanne de Vries'") == [
        ("                 W42", "   W42")
    ]


def test_an_order_that_is_imported_twice_is_there_twice(imported: Import, engine: Engine) -> None:
    content = accounts(KNOWN) + order("XKBKNABJK-7", ("EEND", 2))
    imported(content, "Accounts")
    imported(content, "Orders")

    assert imported(content, "Accounts")[0].text == "Updated"
    assert imported(content, "Orders")[0].text == "Created"
    assert len(OrderRepository(engine).by_docnumber(["XKBKNABJK-7"])["XKBKNABJK-7"]) == 2


def test_a_refund_has_negative_quantities(imported: Import, engine: Engine) -> None:
    imported(accounts(KNOWN), "Accounts")

    imported(order("XKBKNABJK-7-R3", ("EEND", -2)), "Orders")

    (found,) = OrderRepository(engine).by_docnumber(["XKBKNABJK-7-R3"])["XKBKNABJK-7-R3"]
    assert found.ordered == -2


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (order("R-1", ("EEND", 1), ("NONE", 1)), "Invalid reference: Item NONE"),
        (order("R-1", ("EEND", 1), debtor="W1"), "Invalid reference: Debtor W1"),
        (order("R-1", ("EEND", 1), kind="I"), "Invalid type: I"),
        (order("", ("EEND", 1)), "Mandatory: YourRef"),
        (order("R" * 31, ("EEND", 1)), f"YourRef {'R' * 31} is longer than 30 characters"),
    ],
)
def test_an_order_is_taken_whole_or_not_at_all(imported: Import, erp: Path, refused: str, words: str) -> None:
    imported(accounts(KNOWN), "Accounts")
    before = rows(erp, "SELECT count(*) FROM orkrg"), rows(erp, "SELECT count(*) FROM orsrg")

    (told,) = imported(refused, "Orders")

    assert (told.is_imported, told.text) == (False, words)
    assert (rows(erp, "SELECT count(*) FROM orkrg"), rows(erp, "SELECT count(*) FROM orsrg")) == before


# --- the program --------------------------------------------------------------------------------------------


def test_the_log_is_as_exacts_schema_has_it(imported: Import, tmp_path: Path, shared: Path) -> None:
    schema = etree.XMLSchema(etree.parse(str(shared / "data/exact/eExact-Schema.xsd")))

    for content in (items(item('A & "B"'), item("B", description="")), ""):
        imported(content, "Items")
        assert schema.validate(etree.parse(str(tmp_path / "log.xml"))), schema.error_log.last_error


def test_a_topic_the_document_lacks_is_no_error(imported: Import) -> None:
    assert imported(items(item("A")), "ORDERS") == []


def test_it_runs_as_a_program_and_says_in_a_line_what_it_cannot_read(erp: Path, tmp_path: Path) -> None:
    document, log = tmp_path / "document.xml", tmp_path / "log.xml"
    command = [sys.executable, "-m", "brekzsync.demo.asimport", str(document), "Items", "--log", str(log)]

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run([*command, *arguments], capture_output=True, text=True)
        return done.returncode, done.stderr

    assert run("--erp", str(erp)) == (1, f"{document}: No such file or directory.\n")
    document.write_text("<eExact><Items>")
    assert run("--erp", str(erp)) == (1, f"{document} is not XML: no element found: line 1, column 15.\n")
    document.write_text(f"<eExact>{items(item('A'))}</eExact>")
    nowhere = tmp_path / "other.db"
    assert run("--erp", str(nowhere)) == (1, f"{nowhere}: there is no such file.\n")
    assert not log.exists()
    assert run("--erp", str(erp), "--database", "001") == (0, "")
    assert [one.text for one in read_messages(log.read_bytes())] == ["Created"]
