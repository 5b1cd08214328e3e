"""The demo's orders through the commands: each ends as the README beside the data says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lxml.etree import XMLSchema, fromstring

from brekzsync.demo.seed import data_file
from tests.demos import Demos, FreshDemo
from tests.exports import Said


class Demo(FreshDemo):
    """A demo whose orders are exported."""

    def export(self, what: str, *arguments: str) -> Said:
        return self.run("--json", what, "export", *arguments)

    def unread_of(self, what: str) -> set[str]:
        """The ids of the documents lying there."""
        folder = self.folder / f"demo/outbox/{what}"
        return {path.stem for path in folder.glob("*.xml")} - {"index"}

    def records(self, kind: str, status: str) -> dict[str, str]:
        """The reasons of records of one kind and status, by id."""
        listed = self.run("--json", "logs", "list", "--type", kind, "--status", status).document["records"]
        return {record["key"]: record["reason"] for record in listed}

    def import_all(self) -> None:
        """Play Exact's side."""
        assert self.run("demo", "import", "--dir", "demo").code == 0


@pytest.fixture
def demo(demos: Demos) -> Demo:
    return demos.fresh(Demo, columns=80)


def listed(kind: str, done: str) -> dict[str, str]:
    """What the README says of orders or refunds whose end begins so, by id."""
    rows = re.findall(rf"^\| [^|]+ \| ((?:{kind} \d+(?:, )?)+) \| ([^|]+) \|$", data_file("README.md"), re.M)
    return {
        number: said for keys, said in rows for number in re.findall(r"\d+", keys) if said.startswith(done)
    }


def valid(document: bytes, schema: XMLSchema) -> bool:
    return bool(schema.validate(fromstring(document)))


def test_the_first_export_of_orders_does_with_each_what_the_readme_says(demo: Demo) -> None:
    said = demo.export("orders")

    failed = {number: told.split("`")[1] for number, told in listed("order", "failed").items()}
    assert said.code == 3
    assert demo.unread_of("orders") == set(listed("order", "sent"))
    assert demo.records("order", "failed") == failed
    assert set(demo.records("order", "synced")) == set(listed("order", "found"))
    assert set(demo.records("order", "pending")) == set(listed("order", "sent"))
    assert said.document["reasons"] == {
        **dict.fromkeys(failed.values(), 1),
        "found_in_erp": len(listed("order", "found")),
    }
    every = {**listed("order", "sent"), **listed("order", "found"), **failed, **listed("order", "skipped")}
    assert len(every) == said.document["counts"]["read"] + len(listed("order", "skipped")) == 20


def test_what_was_sent_is_valid_and_in_exact_once_it_was_imported(demo: Demo, shared: Path) -> None:
    schema = XMLSchema(file=str(shared / "data/exact/eExact-Schema.xsd"))
    demo.export("orders")
    documents = [
        (demo.folder / f"demo/outbox/orders/{number}.xml").read_bytes() for number in listed("order", "sent")
    ]
    demo.import_all()

    demo.run("orders", "settle")

    assert all(valid(document, schema) for document in documents)
    assert demo.unread_of("orders") == set()
    assert set(demo.records("order", "synced")) == {*listed("order", "sent"), *listed("order", "found")}
    again = demo.export("orders").document
    assert (again["counts"]["delivered"], again["counts"]["unchanged"]) == (0, 10)


def test_refunds_wait_for_their_orders_and_then_end_as_the_readme_says(demo: Demo) -> None:
    waiting = {number: "order_not_in_erp" for number in listed("refund", "") if number != "1"}
    demo.export("orders")
    demo.export("refunds")

    assert demo.unread_of("refunds") == {"1"}
    assert demo.records("refund", "pending") == {"1": "in_flight"} | waiting

    demo.import_all()
    demo.run("orders", "settle")
    assert demo.export("refunds").code == 0

    assert demo.unread_of("refunds") == set(listed("refund", "sent")) - {"1"}
    demo.import_all()
    demo.run("refunds", "settle")
    assert set(demo.records("refund", "synced")) == set(listed("refund", "sent"))
    assert demo.records("refund", "pending") == {
        number: said.split("`")[1] for number, said in listed("refund", "pending").items()
    }


def test_what_the_data_leaves_out_on_purpose_can_be_mended_in_the_configuration(demo: Demo) -> None:
    demo.export("orders")
    demo.replace('9 = "1"\n', '9 = "1"\n"DE:7" = "D1"\n')
    demo.replace("payment_methods = {", 'payment_methods = { ps_cashondelivery = "C",')
    demo.replace("delivery_methods = {", 'delivery_methods = { 5 = "BIKE",')

    demo.export("orders")

    assert demo.unread_of("orders") == {*listed("order", "sent"), "71", "72", "76"}
    assert set(demo.records("order", "failed")) == set(listed("order", "failed")) - {"71", "72", "76"}
