"""What the logs tell of the documents of stock and shipments."""

from __future__ import annotations

from typing import Any

import pytest

from brekzsync.domain.ledger import LedgerEntry
from brekzsync.domain.log_documents import (
    json_fields,
    shipment_summary,
    shop_figures,
    status_summary,
    stock_summary,
)
from brekzsync.domain.log_records import LogRow, log_record, meaning
from brekzsync.domain.order_status import AcceptedStatus, StatusReason
from brekzsync.domain.shipments import Extent, Shipment
from brekzsync.domain.sync_flows import FLOWS, LogType
from brekzsync.flows.sync_logs import document_fields

STOCK = '{"code": "EEND", "shops": [{"name": "NL", "from": 3, "to": 5}, {"name": "BE", "from": 1, "to": 1}]}'
SHIPMENT = Shipment("KHWLILZLL-5", Extent.WHOLE, "3SBREK002", ("3SBREK001", "3SBREK002"), ("81", "90"))


def row(flow: str, document: str | None, **values: Any) -> LogRow:
    entry = LedgerEntry(
        key_major=12,
        key_minor=0,
        source_digest=None,
        fingerprint=b"a version".ljust(16, b"."),
        force_acknowledged=0,
        force_requested=0,
        status="synced",
        reason=None,
        next_attempt_at=None,
        different_at=None,
        run_id=7,
        code=None,
        attempts=0,
        created_at=1,
        synced_at=2,
        updated_at=3,
        message=None,
    )
    return LogRow(flow, "exact", entry._replace(**values), document, in_flight=False)


def test_stock_is_told_with_what_each_shops_figure_became() -> None:
    assert stock_summary(STOCK) == "EEND: NL 3 → 5, BE 1"
    assert shop_figures(json_fields(STOCK)) == [("NL", "3 → 5"), ("BE", "1")]
    assert stock_summary('{"code": "EEND", "shops": [{"name": "NL", "from": null, "to": 0}]}') == "EEND: NL 0"


def test_a_shipment_is_told_with_its_extent_state_and_tracking_number() -> None:
    assert shipment_summary(SHIPMENT.stored(4)) == "KHWLILZLL-5: whole, state 4, 3SBREK002"
    assert shipment_summary(SHIPMENT._replace(extent=Extent.PARTIAL, tracking="").stored(0)) == (
        "KHWLILZLL-5: partial"
    )


def test_an_order_status_is_told_with_its_names_and_what_was_accepted() -> None:
    told = AcceptedStatus("KHWLILZLL-5", "Amazon", "171-1", ("ship", "deliver"), "3SBREK001")
    assert status_summary(told.stored()) == "KHWLILZLL-5: Amazon 171-1, ship, deliver, 3SBREK001"
    assert status_summary(told._replace(operations=(), tracking="").stored()) == "KHWLILZLL-5: Amazon 171-1"
    record = log_record(row("order_status", told.stored()), now=9)
    assert (record.log_type, record.key, record.info) == (
        LogType.ORDER,
        "12",
        "KHWLILZLL-5: Amazon 171-1, ship, deliver, 3SBREK001",
    )


@pytest.mark.parametrize("reason", StatusReason)
@pytest.mark.parametrize("status", ["pending", "failed"])
def test_every_reason_of_an_order_status_has_a_sentence_of_its_own(status: str, reason: StatusReason) -> None:
    record = log_record(row("order_status", None, status=status, reason=str(reason)), now=9)
    assert (record.told.status, record.told.reason) == (status, reason)
    assert meaning(record.told) not in ("It waits for the next run.", f"It failed: {reason}.")


def test_what_waits_for_something_says_so_until_its_time_has_come() -> None:
    held = row("order_status", None, status="pending", reason="no_tracking_yet", next_attempt_at=99)
    failed = row("order_status", None, status="pending", reason="queued", next_attempt_at=99)
    assert [log_record(one, now=9).told.reason for one in (held, failed)] == [
        "no_tracking_yet",
        "waiting_to_retry",
    ]


@pytest.mark.parametrize("document", ["", "{", "[]", "5", '{"code": 5, "shops": 7}', '{"shops": [1, {}]}'])
def test_what_cannot_be_read_is_told_as_little_and_never_an_error(document: str) -> None:
    for flow in ("stock", "shipment", "order_status"):
        record = log_record(row(flow, document), now=9)
        assert record.info
        assert document_fields(record.flow, document) is None or json_fields(document)


def test_a_line_of_stock_is_known_by_its_combination_and_one_of_a_shipment_by_its_order() -> None:
    stock, shipment = (
        log_record(row(flow, document), now=9)
        for flow, document in (("stock", STOCK), ("shipment", SHIPMENT.stored(4)))
    )

    assert (stock.log_type, stock.key, stock.info) == (LogType.INVENTORY, "12-0", "EEND: NL 3 → 5, BE 1")
    assert (shipment.log_type, shipment.key) == (LogType.SHIPMENT, "12")
    assert log_record(row("stock", None), now=9).info == "12-0"


def test_an_item_that_kept_selling_waits_for_the_next_sweep() -> None:
    record = log_record(row("stock", STOCK, status="pending", reason="sold_meanwhile"), now=9)

    assert (record.told.status, record.told.reason) == ("pending", "sold_meanwhile")
    assert meaning(record.told).endswith("the next sweep compares it once more.")


def test_every_kind_of_record_has_a_flow_of_its_own() -> None:
    assert {flow.log_type for flow in FLOWS.values()} == set(LogType)
