"""Exact fetches what changed, says what became of it, and fetches what is left."""

from __future__ import annotations

import gzip
import re

import pytest

from tests.serving import Serving
from tests.web.conftest import Served, raise_price


def test_everything_pending_is_fetched_reported_and_then_gone_from_the_index(service: Serving) -> None:
    entries = service.index()
    assert len(entries) > 10

    for entry in entries:
        answer = service.get(entry["href"])
        assert answer.headers["x-version"] == entry["version"]
        assert answer.headers["content-type"] == "text/xml; charset=utf-8"
        root = service.validated(answer.content)
        assert root.find("Items/Item").get("code") == entry["code"]
    assert service.index() == []  # on its way

    told = service.report(*({"id": one["id"], "status": "imported"} for one in entries))

    assert (told["settled"], told["unknown"]) == (len(entries), 0)
    assert all(service.is_synced(entry["id"]) for entry in entries)
    assert service.index() == []


def test_a_document_says_what_the_export_would_have_written(served: Served, service: Serving) -> None:
    fetched = {entry["id"]: service.fetch(entry["id"], "?preview=1") for entry in service.index()}
    installation = served.installation
    installation.set("products", channel="files")
    installation.set("state", database="sqlite:///other.db")

    assert installation.cli("db", "upgrade").code == 0
    installation.cli("products", "export")

    assert installation.take() == fetched


def test_a_changed_price_makes_the_product_pending_again(served: Served, service: Serving) -> None:
    service.import_(served.key)
    before = service.fetch(served.key, "?preview=1")
    assert served.key not in service.pending()

    raise_price(served, served.key)

    assert served.key in service.pending()
    assert float(service.fetch(served.key).price) == pytest.approx(float(before.price) + 1)


def test_what_is_acknowledged_is_the_version_that_was_served(served: Served, service: Serving) -> None:
    service.fetch(served.key)
    raise_price(served, served.key)

    told = service.report({"id": served.key, "status": "imported"})

    assert told["settled"] == 1
    assert served.key in service.pending()  # the new price was never fetched


def test_pages_follow_one_another_without_gap_or_repeat(service: Serving) -> None:
    everything = [entry["id"] for entry in service.index()]
    paged: list[str] = []
    following = ""
    for _ in range(len(everything)):
        page = service.page(f"?limit=3&next={following}")
        paged += [entry.get("id") for entry in page]
        assert len(page) <= 3
        following = page.get("next")
        assert (page.get("more") == "1") is bool(following)
        if not following:
            break

    assert paged == everything


def test_a_page_is_compressed_for_who_takes_it(service: Serving) -> None:
    plain = service.get("products", headers={"Accept-Encoding": "identity"})
    with service.client.stream("GET", "/exact/products", headers={"Accept-Encoding": "gzip"}) as answer:
        packed = b"".join(answer.iter_raw())

    assert "content-encoding" not in plain.headers
    assert answer.headers["content-encoding"] == "gzip"
    assert len(packed) < len(plain.content) / 3
    # The two were asked for one after the other, perhaps in different seconds.
    assert _timeless(gzip.decompress(packed)) == _timeless(plain.content)


def _timeless(page: bytes) -> bytes:
    return re.sub(rb' (?:generated|modified)="[^"]*"', b"", page)


@pytest.mark.parametrize("look", ["preview", "head", "range"])
def test_a_look_leaves_no_trace(served: Served, service: Serving, look: str) -> None:
    for path in (f"products/{served.key}", "products.xml", "products"):
        if look == "head":
            answer = service.client.head(f"/exact/{path}")
            assert answer.content == b""
        else:
            answer = service.get(
                path + ("?preview=1" if look == "preview" else ""),
                headers={"Range": "bytes=0-9"} if look == "range" else {},
            )
        assert answer.status_code == 200
        assert int(answer.headers.get("content-length", 1)) > 0

    assert served.key in service.pending()
    assert service.report({"id": served.key, "status": "imported"})["unknown"] == 1
    with served.installation.state() as state:
        latest = state.runs.latest("product", "exact")
    assert latest is None


def test_many_items_come_in_one_document(service: Serving) -> None:
    everything = service.index()

    first, second = service.bulk("?limit=5"), service.bulk(f"?limit={len(everything)}")

    codes = [document.code for document in first + second]
    assert codes == [entry["code"] for entry in everything]
    assert service.index() == []


def test_a_document_of_nothing_is_valid(service: Serving) -> None:
    while service.bulk():
        pass

    assert service.bulk() == []


def test_an_item_on_its_way_and_one_in_sync_can_be_fetched_directly(served: Served, service: Serving) -> None:
    once = service.fetch(served.key)
    again = service.fetch(served.key)
    service.report({"id": served.key, "status": "imported"})
    in_sync = service.fetch(served.key)

    assert once == again
    assert in_sync.code == once.code
