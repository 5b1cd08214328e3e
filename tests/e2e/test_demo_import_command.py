"""`brekzsync demo import`: what lies in the demo's outbox reaches the demo's ERP, and is gone from the outbox."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from brekzsync.exact.connection import connect_erp
from brekzsync.exact.items import ItemRepository
from brekzsync.exact.orders import OrderRepository
from tests.demos import Demos, FreshDemo

ORDER = """<eExact><Accounts><Account code="W42"><Name>Sanne</Name></Account></Accounts>
<Orders><Order type="V"><YourRef>{reference}</YourRef><OrderedBy><Debtor code="{debtor}"/></OrderedBy>
<OrderLine><Item code="EEND"/><Quantity>{quantity}</Quantity></OrderLine></Order></Orders></eExact>"""


class ImportingDemo(FreshDemo):
    def lay(self, place: str, content: str) -> None:
        """Put a document into the outbox and list it where it belongs."""
        path = self.outbox / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        entries = "".join(f'<Entry href="{one.name}"/>' for one in sorted(path.parent.glob("*-*.xml")))
        (path.parent / "index.xml").write_text(f"<Index>{entries}</Index>", encoding="utf-8")

    def held(self, *codes: str) -> set[str]:
        return set(ItemRepository(self._erp()).some(codes))

    def orders(self, reference: str) -> int:
        return len(OrderRepository(self._erp()).by_docnumber([reference]).get(reference, []))

    def _erp(self) -> Engine:
        return connect_erp(f"sqlite:///{self.folder / 'demo/erp.db'}")


@pytest.fixture
def demo(demos: Demos) -> ImportingDemo:
    return demos.fresh(ImportingDemo, columns=100)


def test_what_was_exported_is_imported_and_gone(demo: ImportingDemo) -> None:
    demo.run("products", "export", "1-101", "17-0", "7")

    looked = demo.program("demo", "import", "--dry-run")
    assert (looked.code, looked.rows) == (
        0,
        [
            ["Document", "Holds"],
            ["items/1-101.xml", "1 Items"],
            ["items/7-0.xml", "1 Items"],
            ["items/17-0.xml", "1 Items, 1 ItemPrices"],
        ],
    )
    assert demo.held("ZS-BERK") == set()
    done = demo.program("demo", "import")

    assert (done.code, done.rows) == (
        0,
        [
            ["Document", "Topic", "Record", "Exact says"],
            ["items/1-101.xml", "Items", "LL-NW-RD-M", "Updated"],
            ["items/7-0.xml", "Items", "EEND", "Updated"],
            ["items/17-0.xml", "Items", "ZS-BERK", "Created"],
            ["items/17-0.xml", "ItemPrices", "ZS-BERK", "Created"],
        ],
    )
    assert done.out.endswith("3 documents, records: 4 imported. They are in demo/erp.db.\n")
    assert (demo.held("ZS-BERK"), demo.unread) == ({"ZS-BERK"}, set())
    assert demo.program("demo", "import") == (0, "Nothing lies unread in demo/outbox.\n", "")


def test_a_bulk_document_is_imported_as_a_whole(demo: ImportingDemo) -> None:
    demo.run("products", "export", "--bulk")

    done = demo.program("--json", "demo", "import")

    assert (done.code, done.document["counts"]) == (0, {"imported": 35, "rejected": 0})
    assert list(demo.outbox.glob("items-*")) == []
    assert demo.held("ZS-BERK", "POP-KOT") == {"ZS-BERK", "POP-KOT"}


def test_orders_and_refunds_come_after_the_items_and_one_may_be_rejected(demo: ImportingDemo) -> None:
    demo.run("products", "export", "7")
    demo.lay("orders/1-0.xml", ORDER.format(reference="AAAA-1", debtor="W42", quantity=1))
    demo.lay("orders/2-0.xml", ORDER.format(reference="AAAA-2", debtor="W43", quantity=1))
    demo.lay("refunds/5-0.xml", ORDER.format(reference="AAAA-1-R5", debtor="W42", quantity=-1))

    done = demo.program("--json", "demo", "import")

    assert done.code == 3
    assert [(one["document"], one["topic"], one["status"]) for one in done.document["records"]] == [
        ("items/7-0.xml", "Items", "imported"),
        ("orders/1-0.xml", "Accounts", "imported"),
        ("orders/1-0.xml", "Orders", "imported"),
        ("orders/2-0.xml", "Accounts", "imported"),
        ("orders/2-0.xml", "Orders", "rejected"),
        ("refunds/5-0.xml", "Accounts", "imported"),
        ("refunds/5-0.xml", "Orders", "imported"),
    ]
    assert done.document["records"][4]["message"] == "Invalid reference: Debtor W43"
    assert done.document["ok"] is False
    assert done.document["error"] == {
        "code": "records_failed",
        "message": "The ERP rejected 1 of 7 records.",
        "hint": "Each message says what it lacks.",
    }
    assert [demo.orders(one) for one in ("AAAA-1", "AAAA-2", "AAAA-1-R5")] == [1, 0, 1]


def test_an_import_that_broke_off_is_finished_and_no_order_is_there_twice(demo: ImportingDemo) -> None:
    order = ORDER.format(reference="AAAA-1", debtor="W42", quantity=1)
    demo.lay("orders/1-0.xml", order)
    demo.program("demo", "import")
    for name, content in (("1-0", order), ("2-0", order.replace("AAAA-1", "AAAA-2"))):
        left = demo.folder / f"demo/importing/orders/{name}.xml"
        left.parent.mkdir(parents=True, exist_ok=True)
        left.write_text(content, encoding="utf-8")

    done = demo.program("--json", "demo", "import")

    assert [one["message"] for one in done.document["records"] if one["topic"] == "Orders"] == [
        "There already",
        "Created",
    ]
    assert (demo.orders("AAAA-1"), demo.orders("AAAA-2")) == (1, 1)
    assert not (demo.folder / "demo/importing").exists()


def test_a_document_that_is_no_xml_is_told_and_the_index_leads_nowhere_else(
    demo: ImportingDemo, tmp_path: Path
) -> None:
    demo.lay("7-0.xml", "<eExact>")
    index = demo.outbox / "index.xml"
    index.write_text(index.read_text().replace("</Index>", '<Entry href="../erp.db"/></Index>'))

    done = demo.program("--json", "demo", "import")

    assert (done.code, [one["document"] for one in done.document["records"]]) == (3, ["7-0.xml"])
    assert done.document["records"][0]["message"].startswith("It is not XML: ")
    assert demo.orders("none") == 0


def test_a_folder_without_a_demo_is_refused(demo: ImportingDemo) -> None:
    (demo.folder / "other").mkdir()

    done = demo.program("--json", "demo", "import", "--dir", "other")

    assert (done.code, done.document["error"]["code"]) == (2, "no_demo")
    assert demo.program("demo", "import", "-n", "--dir", "nowhere").err == (
        "Error: There is no demo in nowhere.\nHint: Make one: brekzsync demo up --dir FOLDER\n"
    )
