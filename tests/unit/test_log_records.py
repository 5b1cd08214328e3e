"""How a row of the ledger is told in the sync logs."""

from __future__ import annotations

from typing import Any

import pytest

from brekzsync.domain.items import Item
from brekzsync.domain.ledger import IN_DOUBT, LedgerEntry
from brekzsync.domain.log_records import (
    LogRow,
    LogStatus,
    PendingReason,
    Told,
    log_record,
    meaning,
    told,
)
from brekzsync.domain.sync_flows import LogType

NOW = 1_000_000
VERSION = b"a version".ljust(16, b".")


def row(status: str = "synced", reason: str | None = None, **values: Any) -> LedgerEntry:
    entry = LedgerEntry(
        key_major=12,
        key_minor=34,
        source_digest=None,
        fingerprint=VERSION,
        force_acknowledged=0,
        force_requested=0,
        status=status,
        reason=reason,
        next_attempt_at=None,
        different_at=None,
        run_id=7,
        code="A-1",
        attempts=0,
        created_at=1_000,
        synced_at=2_000,
        updated_at=3_000,
        message=None,
    )
    return entry._replace(**values)


@pytest.mark.parametrize(
    ("entry", "in_flight", "hold", "status", "reason"),
    [
        (row(), False, None, "synced", None),
        (row(), True, None, "pending", "in_flight"),
        (row(), False, PendingReason.FLOW_DISABLED, "synced", None),
        (row(fingerprint=IN_DOUBT), False, None, "pending", "in_doubt"),
        (row(fingerprint=None, reason="deleted"), False, None, "synced", "deleted"),
        (row(fingerprint=None, reason="became_not_excluded"), False, None, "synced", "became_not_excluded"),
        (row("pending"), False, None, "pending", "queued"),
        (row("pending", "queued"), False, None, "pending", "queued"),
        (row("pending", "queued"), True, None, "pending", "in_flight"),
        (row("pending", "queued", next_attempt_at=NOW + 1), False, None, "pending", "waiting_to_retry"),
        (row("pending", "queued", next_attempt_at=NOW), False, None, "pending", "queued"),
        (row("pending", "became_not_excluded"), False, None, "pending", "became_not_excluded"),
        (row("pending", "queued"), False, PendingReason.FLOW_DISABLED, "pending", "flow_disabled"),
        (row(fingerprint=IN_DOUBT), False, PendingReason.FLOW_DISABLED, "pending", "flow_disabled"),
        (row("pending", "queued"), False, PendingReason.NOT_CONFIGURED, "pending", "not_configured"),
        (row("pending", "queued"), True, PendingReason.FLOW_DISABLED, "pending", "in_flight"),
        (row("failed", "missing_price"), False, None, "failed", "missing_price"),
        (row("failed", "missing_price"), True, PendingReason.FLOW_DISABLED, "failed", "missing_price"),
        (row("failed", "rejected", next_attempt_at=NOW + 1), False, None, "failed", "rejected"),
        (row("failed", "missing_price", fingerprint=IN_DOUBT), False, None, "failed", "missing_price"),
    ],
)
def test_a_row_is_told_in_one_of_three_words_and_a_reason(
    entry: LedgerEntry, in_flight: bool, hold: PendingReason | None, status: str, reason: str | None
) -> None:
    found = told(entry, now=NOW, in_flight=in_flight, hold=hold)
    assert (found.status, found.reason) == (status, reason)
    assert meaning(found).endswith(".")


def test_a_failed_row_is_told_with_its_message_attempts_and_times() -> None:
    entry = row("failed", "rejected", message="Unknown VAT code", attempts=2, next_attempt_at=NOW + 5)
    assert told(entry, now=NOW) == Told(
        LogStatus.FAILED, "rejected", "Unknown VAT code", 2, 1_000, 2_000, 3_000, NOW + 5
    )


def test_nobody_is_told_that_a_record_in_doubt_was_synced_when_the_doubt_began() -> None:
    assert told(row(fingerprint=IN_DOUBT), now=NOW).synced_at is None


def test_info_is_the_item_as_the_target_has_it_or_else_the_key() -> None:
    item = Item(*["" for _ in Item._fields])._replace(code="LL-1", description="Looplijn")

    def info(document: str | None) -> str:
        record = log_record(LogRow("product", "exact", row(), document, in_flight=False), now=NOW)
        assert record[:1] + record[2:3] + record[4:] == (LogType.PRODUCT, "12-34", "exact", "product")
        return record.info

    assert info(item.stored()) == "LL-1: Looplijn"
    assert info(item._replace(description="").stored()) == "LL-1"
    assert info(None) == "12-34"
