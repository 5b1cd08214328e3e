"""Items that Exact fetched and did not report on: settled once the ERP shows to have them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import pytest

from brekzsync.demo.exact_import import TOPICS, ExactImport, open_erp
from brekzsync.flows.products import reading_back
from tests.exports import NOW
from tests.serving import Serving, serving_here, until
from tests.web.conftest import Served, raise_price

SPECIAL = "17-0"
NEW = "6-602"  # the demo's ERP lacks it


@dataclass(frozen=True, slots=True)
class Exact:
    """The demo's ERP, and the service it fetches from."""

    service: Serving
    erp: Path

    def fetch(self, key: str) -> bytes:
        answer = self.service.get(f"products/{key}")
        assert answer.status_code == 200, answer.text
        return answer.content

    def import_(self, document: bytes, *topics: str) -> None:
        """Have it in the ERP, all of it or some topics."""
        importing = ExactImport(open_erp(self.erp), NOW)
        root = ElementTree.fromstring(document)
        for topic in topics or TOPICS:
            assert all(told.is_imported for told in importing.topic(root, topic))

    def hand_over(self, *keys: str) -> None:
        told = self.service.report(*({"id": key, "status": "handed_over"} for key in keys))
        assert told["in_flight"] == len(keys)


@pytest.fixture
def served(demo_with_erp: Served) -> Served:
    """The demo alone: none of this depends on the shop's database."""
    return demo_with_erp


@pytest.fixture
def exact(served: Served) -> Iterator[Exact]:
    with serving_here(served.installation) as service:
        yield Exact(service, served.installation.folder / "erp.db")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_back, "_PAUSE", 0)
    monkeypatch.setattr(reading_back, "_PAUSE_AFTER_FAILURE", 0)


def test_what_was_handed_over_and_is_in_the_erp_is_settled(served: Served, exact: Exact) -> None:
    documents = [exact.fetch(key) for key in (NEW, served.other)]
    exact.import_(documents[0])
    exact.hand_over(NEW, served.other)

    pending = {entry["id"] for entry in exact.service.index()}

    assert not {NEW, served.other} & pending
    assert exact.service.is_synced(NEW)
    assert not exact.service.is_synced(served.other)
    raise_price(served, NEW)
    assert NEW in exact.service.pending()


def test_what_was_fetched_is_left_alone_until_its_lease_is_over(served: Served) -> None:
    served.installation.set("serve", lease="1s")
    with serving_here(served.installation) as service:
        exact = Exact(service, served.installation.folder / "erp.db")
        document = exact.fetch(NEW)
        exact.import_(document)
        service.index()
        assert not service.is_synced(NEW)

        until(lambda: service.index() and service.is_synced(NEW))


def test_what_is_not_in_the_erp_is_offered_again(served: Served) -> None:
    served.installation.set("serve", lease="1s")
    with serving_here(served.installation) as service:
        exact = Exact(service, served.installation.folder / "erp.db")
        exact.fetch(NEW)
        exact.hand_over(NEW)

        until(lambda: NEW in {entry["id"] for entry in service.index()})
        assert not service.is_synced(NEW)


def test_a_change_that_cannot_be_read_back_is_not_taken_for_imported(served: Served, exact: Exact) -> None:
    exact.import_(exact.fetch(NEW))
    exact.service.report({"id": NEW, "status": "imported"})
    served.sql("UPDATE ps_product SET weight = '9' WHERE id_product = 6")
    exact.fetch(NEW)
    exact.hand_over(NEW)

    exact.service.index()

    with served.installation.ledger() as ledger:
        assert len(ledger.served.unsettled_documents([(6, 602)])) == 1


def test_a_special_price_that_did_not_arrive_with_its_item_is_missed(exact: Exact) -> None:
    document = exact.fetch(SPECIAL)
    exact.import_(document, "Items")
    exact.hand_over(SPECIAL)
    exact.service.index()
    assert not exact.service.is_synced(SPECIAL)

    exact.import_(document, "ItemPrices")

    exact.service.index()
    assert exact.service.is_synced(SPECIAL)


def test_the_bulk_document_reads_back_too_and_a_preview_does_not(exact: Exact) -> None:
    exact.import_(exact.fetch(NEW))
    exact.hand_over(NEW)

    exact.service.get("products?preview=1")
    exact.service.get("products.xml?preview=1")
    assert not exact.service.is_synced(NEW)
    exact.service.bulk("?limit=1")
    assert exact.service.is_synced(NEW)


def test_an_erp_that_is_away_keeps_no_page_back(exact: Exact) -> None:
    exact.import_(exact.fetch(NEW))
    exact.hand_over(NEW)
    exact.erp.rename(exact.erp.with_suffix(".away"))

    assert exact.service.index()
    assert not exact.service.is_synced(NEW)

    exact.erp.with_suffix(".away").rename(exact.erp)
    exact.service.index()
    assert exact.service.is_synced(NEW)
