"""What Exact says became of items, what is withheld from it, and versions nobody told the end of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from tests.exports import Document
from tests.serving import Serving, serving_here
from tests.web.conftest import Served, raise_price


@pytest.fixture
def served(demo: Served) -> Served:
    """The demo alone: none of this depends on the shop's database."""
    return demo


def messages(form: str, *said: tuple[str, int, str]) -> bytes:
    """eExact messages: (code, type, text)."""
    lines = "".join(
        f'<Message type="{kind}"><Topic code="Items" node="Item">'
        + (f'<DataKey code="{code}">{code}</DataKey>' if form == "schema" else f'<Data keyAlt="{code}"/>')
        + f"</Topic><Date>2026-11-21</Date><Description>{text}</Description></Message>"
        for code, kind, text in said
    )
    return f'<?xml version="1.0" encoding="utf-8"?><eExact><Messages>{lines}</Messages></eExact>'.encode()


def post_xml(service: Serving, content: bytes) -> Any:
    answer = service.client.post(
        "/exact/products/results", content=content, headers={"Content-Type": "text/xml"}
    )
    assert answer.status_code == 200, answer.text
    return etree.fromstring(answer.content)


@pytest.mark.parametrize("form", ["schema", "online"])
def test_messages_of_exact_settle_by_item_code(served: Served, service: Serving, form: str) -> None:
    codes = {key: service.fetch(key).code for key in (served.key, served.other)}

    root = post_xml(
        service,
        messages(
            form,
            (codes[served.key].lower(), 1, "Imported with a warning"),
            (codes[served.other], 0, "Invalid reference: Assortment 999"),
            ("NEVER-HEARD-OF", 2, "Updated"),
        ),
    )

    assert [tuple(one.attrib[name] for name in ("id", "status", "outcome")) for one in root] == [
        (served.key, "imported", "settled"),
        (served.other, "rejected", "settled"),
        ("", "imported", "unknown"),
    ]
    assert service.is_synced(served.key)
    assert service.row(served.other) == ("failed", "rejected", "Invalid reference: Assortment 999")


def test_the_samples_of_exact_are_read(service: Serving, shared: Path) -> None:
    for sample in sorted((shared / "data/exact/samples").glob("messages_*.xml")):
        root = post_xml(service, sample.read_bytes())
        assert [one.get("outcome") for one in root] == ["unknown", "unknown"]


def test_a_rejected_record_is_told_in_the_logs_and_comes_again_later(
    served: Served, service: Serving
) -> None:
    service.fetch(served.key)

    service.report({"id": served.key, "status": "rejected", "message": "Geblokkeerd: assortiment 999"})

    assert service.row(served.key) == ("failed", "rejected", "Geblokkeerd: assortiment 999")
    assert served.key not in service.pending()
    said = served.installation.cli("--json", "logs", "list", "--status", "failed")
    (told,) = [one for one in said.document["records"] if one["key"] == served.key]
    assert (told["message"], told["attempts"]) == ("Geblokkeerd: assortiment 999", 1)
    assert served.installation.cli("logs", "retry", served.key).code == 0
    assert served.key in service.pending()


def test_a_rejected_record_that_changes_comes_at_once(served: Served, service: Serving) -> None:
    service.fetch(served.key)
    service.report({"id": served.key, "status": "rejected", "message": "no"})

    raise_price(served, served.key)

    assert served.key in service.pending()


def test_what_was_handed_over_stays_on_its_way(served: Served, service: Serving) -> None:
    service.fetch(served.key)

    told = service.report({"id": served.key, "status": "handed_over"})

    assert (told["in_flight"], told["results"][0]["outcome"]) == (1, "in_flight")
    assert served.key not in service.pending()
    assert not service.is_synced(served.key)
    assert service.report({"id": served.key, "status": "imported"})["settled"] == 1


def test_the_same_result_twice_and_one_for_what_was_never_served_change_nothing(
    served: Served, service: Serving
) -> None:
    service.fetch(served.key)
    results = [
        {"id": served.key, "status": "imported"},
        {"id": served.key, "status": "imported"},
        {"id": served.other, "status": "imported"},
        {"id": "999999-9", "status": "rejected"},
        {"id": "no key at all", "status": "imported"},
        {"id": served.key, "status": "imported", "version": "not a version"},
    ]

    told = service.report(*results)

    assert [one["outcome"] for one in told["results"]] == ["settled", *["unknown"] * 5]
    assert [one["id"] for one in told["results"]] == [one["id"] for one in results]
    assert service.is_synced(served.key)
    assert not service.is_synced(served.other)


def test_a_result_that_comes_after_that_of_a_newer_version_is_too_late(
    served: Served, service: Serving
) -> None:
    older = service.get(f"products/{served.key}").headers["x-version"]
    raise_price(served, served.key)
    newer = service.get(f"products/{served.key}").headers["x-version"]
    assert newer != older

    told = [
        service.report({"id": served.key, "version": version, "status": status})["results"][0]["outcome"]
        for version, status in ((newer, "imported"), (older, "rejected"))
    ]

    assert told == ["settled", "unknown"]
    assert service.row(served.key)[0] == "synced"
    assert served.key not in service.pending()


def test_results_of_several_versions_of_a_record_are_taken_in_their_order(
    served: Served, service: Serving
) -> None:
    older = service.get(f"products/{served.key}").headers["x-version"]
    raise_price(served, served.key)
    newer = service.get(f"products/{served.key}").headers["x-version"]

    told = service.report(
        {"id": served.key, "version": older, "status": "rejected", "message": "the old one"},
        {"id": served.key, "version": newer, "status": "imported"},
    )

    assert told["settled"] == 2
    assert service.row(served.key)[0] == "synced"


# --- what is withheld --------------------------------------------------------------------------------------


def problem(answer: Any) -> tuple[int, str]:
    """The status and the code of an XML error."""
    root = etree.fromstring(answer.content)
    assert root.tag == "Error"
    assert root.findtext("Message")
    return answer.status_code, root.get("code")


def test_an_inactive_product_is_withheld_and_its_acknowledgement_ends(
    served: Served, service: Serving
) -> None:
    service.import_(served.key)
    served.sql(f"UPDATE ps_product_shop SET active = 0 WHERE id_product = {served.key.split('-')[0]}")

    assert problem(service.get(f"products/{served.key}")) == (409, "active_in_data_shop")
    service.index()
    assert service.row(served.key)[:2] == ("synced", "became_active_in_data_shop")
    assert not service.is_synced(served.key)


def test_a_deleted_product_is_unknown_and_its_acknowledgement_ends(served: Served, service: Serving) -> None:
    service.import_(served.key)
    for table in ("ps_product", "ps_product_shop", "ps_product_attribute"):
        served.sql(f"DELETE FROM {table} WHERE id_product = {served.key.split('-')[0]}")

    assert problem(service.get(f"products/{served.key}")) == (404, "unknown_key")
    service.index("?limit=1&next=")
    service.index()
    assert service.row(served.key)[:2] == ("synced", "deleted")


def test_a_product_without_a_name_is_withheld(served: Served, service: Serving) -> None:
    served.sql(f"UPDATE ps_product_lang SET name = '' WHERE id_product = {served.key.split('-')[0]}")
    served.sql("DELETE FROM ps_product_attribute_combination")

    assert problem(service.get(f"products/{served.key}")) == (409, "missing_description")


def test_two_combinations_with_one_code_are_both_withheld_and_a_holder_is_not(demo: Served) -> None:
    demo.sql("UPDATE ps_product_attribute SET reference = 'SAME' WHERE id_product_attribute = 102")
    with serving_here(demo.installation) as service:
        service.import_("1-102")
        demo.sql("UPDATE ps_product_attribute SET reference = ' same' WHERE id_product_attribute = 103")

        assert problem(service.get("products/1-103")) == (409, "duplicate_item_code")
        assert service.fetch("1-102", "?preview=1").code == "SAME"
        service.index()
        assert service.row("1-103")[:2] == ("failed", "duplicate_item_code")


def test_a_changed_code_is_held_until_it_is_forced(served: Served, service: Serving) -> None:
    service.import_(served.key)
    minor = served.key.split("-")[1]
    served.sql(f"UPDATE ps_product_attribute SET reference = 'ANOTHER' WHERE id_product_attribute = {minor}")

    assert problem(service.get(f"products/{served.key}")) == (409, "item_code_changed")
    assert served.installation.cli("products", "force-sync", served.key).code == 0
    assert service.fetch(served.key).code.startswith("ANOTHER")


def test_an_excluded_product_is_withheld(served: Served, service: Serving) -> None:
    assert served.installation.cli("products", "exclude", served.key).code == 0

    assert problem(service.get(f"products/{served.key}")) == (409, "not_excluded")
    assert served.key not in service.pending()


def test_a_target_that_takes_files_is_served_nothing(demo: Served) -> None:
    demo.installation.set("products", channel="files")
    with serving_here(demo.installation) as service:
        for path in ("products", "products.xml", "products/1-101"):
            assert problem(service.get(path)) == (409, "other_channel")


def test_a_flow_that_is_switched_off_can_only_be_looked_at(demo: Served) -> None:
    assert demo.installation.cli("flows", "disable", "product", "--reason", "stock-taking").code == 0
    with serving_here(demo.installation) as service:
        for path in ("products", "products.xml", "products/1-101"):
            assert problem(service.get(path)) == (409, "flow_disabled")
            assert service.get(f"{path}?preview=1").status_code == 200


# --- versions that nobody has told the end of --------------------------------------------------------------


def test_what_an_unreported_version_said_is_taken_back_by_the_next(served: Served, service: Serving) -> None:
    """The ERP may have imported the first one: its special price and EAN must not stay for ever."""
    major, minor = served.key.split("-")
    served.sql(
        f"UPDATE ps_product_attribute SET ean13 = '2900000100015' WHERE id_product_attribute = {minor}"
    )
    served.sql(
        "INSERT INTO ps_specific_price (id_specific_price_rule, id_cart, id_product, id_shop, id_currency,"
        " id_country, id_group, id_customer, id_product_attribute, price, from_quantity, reduction,"
        f" reduction_tax, reduction_type, `from`, `to`) VALUES (0, 0, {major}, 0, 0, 0, 0, 0, {minor}, -1, 1,"
        " 1, 0, 'amount', '0000-00-00 00:00:00', '0000-00-00 00:00:00')"
    )
    first = until_special(service, served.key)
    served.sql(f"DELETE FROM ps_specific_price WHERE id_product = {major}")
    served.sql(f"UPDATE ps_product_attribute SET ean13 = '' WHERE id_product_attribute = {minor}")
    served.sql(f"UPDATE ps_product SET ean13 = '' WHERE id_product = {major}")

    second = service.get(f"products/{served.key}").content

    assert (first.gtin, len(first.specials)) == ("2900000100015", 1)
    assert b"<GTIN></GTIN>" in second
    assert b"<DateEnd>" in second
    assert b"<IsStockItem>" in second  # for an ERP that never got the first one
    service.validated(second)


def until_special(service: Serving, key: str) -> Document:
    document = service.fetch(key)
    assert document.specials, "the special price does not apply"
    return document


# --- several targets ---------------------------------------------------------------------------------------


def test_each_of_several_targets_fetches_for_itself(served: Served) -> None:
    for name in ("first", "second"):
        served.installation.set(f"targets.{name}.products", channel="http")
    with serving_here(served.installation) as service:
        assert problem(service.get("products")) == (400, "unknown_target")
        entries = service.index("?target=first&limit=2")
        assert service.get(entries[0]["href"]).status_code == 200
        posted = service.client.post(
            "/exact/products/results?target=first",
            json={"results": [{"id": entries[0]["id"], "status": "imported"}]},
        )

        assert posted.json()["settled"] == 1
        assert entries[0]["id"] not in {one["id"] for one in service.index("?target=first&preview=1")}
        assert entries[0]["id"] in {one["id"] for one in service.index("?target=second&preview=1")}
