"""Orders and refunds in the logs: one number for a key, and told from what was handed out until it is acknowledged."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from brekzsync.domain.keys import WantedId
from brekzsync.domain.ledger import Clearing, Failure, Remark, Serving
from brekzsync.domain.log_records import LogQuery, LogRecord, LogRow, log_record
from brekzsync.domain.sync_flows import LogType
from brekzsync.state.database import State
from brekzsync.state.ledger import Ledger
from brekzsync.state.pruning import Pruned, Pruning
from brekzsync.state.served import Outcome
from brekzsync.state.sync_log import SyncLog
from brekzsync.state.times import to_milliseconds
from tests.integration.state_rows import NOON, NOON_MS, RUN, acknowledgement, later, mark

KEY = (12, 0)
DOCUMENT = '{"your_ref":"KHWLILZLL-12","deliver_to":{"name":"Anna de Vriés"},"currency":"EUR"}'
INFO = "KHWLILZLL-12: Anna de Vriés"


@pytest.fixture
def orders(state: State) -> Ledger:
    return state.ledger("order", "exact")


@pytest.fixture
def refunds(state: State) -> Ledger:
    return state.ledger("refund", "exact")


@pytest.fixture
def log(state: State) -> SyncLog:
    return SyncLog(state.database)


def claim(ledger: Ledger, key: tuple[int, int] = KEY, document: str = DOCUMENT) -> None:
    version = Serving(*key, mark("first"), 0, None, "KHWLILZLL-12", document)
    ledger.claims.claim([version], claimed_by=None, run_id=RUN, at=NOON, lease_until=later(hours=1))


def result(ledger: Ledger, *, imported: bool) -> None:
    outcome = Outcome(*KEY, (mark("first"), 0), imported=imported, message="No debtor")
    ledger.claims.settle([outcome], at=NOON)


def told(rows: Iterable[LogRow]) -> list[tuple[str, str, str, str, str | None]]:
    """Flow, key, info, status and reason."""
    records: list[LogRecord] = [log_record(row, now=NOON_MS) for row in rows]
    return [(one.flow, one.key, one.info, one.told.status, one.told.reason) for one in records]


def page(log: SyncLog, **query: object) -> list[tuple[str, str, str, str, str | None]]:
    asked = LogQuery(**query)  # type: ignore[arg-type]
    rows = told(log.page(asked, after=None, limit=100).rows)
    assert sorted(told(log.stream(asked))) == sorted(rows)
    return rows


def test_an_order_is_told_by_what_was_handed_out_until_it_is_acknowledged(
    orders: Ledger, log: SyncLog
) -> None:
    orders.record_failures([Failure(*KEY, "unknown_country", "No such country")], run_id=RUN, at=NOON)
    assert page(log) == [("order", "12", "12", "failed", "unknown_country")]
    claim(orders)
    assert page(log) == [("order", "12", INFO, "pending", "in_flight")]
    orders.claims.fail([Failure(*KEY, "outcome_unknown", "Nobody knows")], run_id=RUN, at=NOON)
    assert page(log) == [("order", "12", INFO, "failed", "outcome_unknown")]
    orders.claims.release([KEY], at=NOON)
    assert page(log) == [("order", "12", INFO, "pending", "queued")]
    claim(orders)
    result(orders, imported=False)
    assert page(log) == [("order", "12", INFO, "failed", "rejected")]
    claim(orders)
    result(orders, imported=True)
    assert page(log) == [("order", "12", INFO, "synced", None)]
    orders.remark([Remark(*KEY, "canceled_after_export", "Cancel it")], at=NOON)
    assert page(log) == [("order", "12", INFO, "synced", "canceled_after_export")]


def test_a_search_finds_an_order_that_is_on_its_way(orders: Ledger, refunds: Ledger, log: SyncLog) -> None:
    claim(orders)
    claim(refunds, (3, 0), DOCUMENT.replace("-12", "-12-R3"))
    on_its_way = [("order", "12", INFO, "pending", "in_flight")]
    for text in ("khwlilzll-12", "VRIÉS", "12"):
        assert [one[:2] for one in page(log, search=text)] == [("order", "12"), ("refund", "3")], text
    assert page(log, search="12", log_type=LogType.ORDER) == on_its_way
    assert page(log, search="nobody") == []
    result(orders, imported=True)
    assert page(log, search="vriés", log_type=LogType.ORDER) == [("order", "12", INFO, "synced", None)]


def test_one_number_is_a_product_or_an_order_and_two_are_a_combination(
    state: State, orders: Ledger, refunds: Ledger, log: SyncLog
) -> None:
    products = state.ledger("product", "exact")
    for ledger, key in ((products, (12, 5)), (products, (12, 0)), (orders, KEY), (refunds, KEY)):
        ledger.record_failures([Failure(*key, "missing", "…")], run_id=RUN, at=NOON)

    def under(*wanted: int | None, **query: object) -> list[tuple[str, str]]:
        rows = log.record(LogQuery(**query), WantedId(*wanted))  # type: ignore[arg-type]
        return [one[:2] for one in told(rows)]

    assert under(12, None) == [("order", "12"), ("product", "12-0"), ("product", "12-5"), ("refund", "12")]
    assert under(12, None, log_type=LogType.REFUND) == [("refund", "12")]
    assert under(12, 0) == [("product", "12-0")]
    assert under(12, 0, log_type=LogType.ORDER) == []
    assert [one[:2] for one in page(log, search="12-0")] == [("product", "12-0")]
    assert log.near(LogQuery(), WantedId(12, 9), 5) == [(12, 0), (12, 5)]
    assert log.near(LogQuery(log_type=LogType.ORDER), WantedId(13, None), 5) == []


def test_debtors_are_no_records_of_the_logs(state: State, log: SyncLog) -> None:
    state.ledger("debtor", "exact").acknowledge([acknowledgement((42, 0))], run_id=RUN, at=NOON)
    assert page(log) == []


def test_only_what_was_never_sent_is_ever_forgotten(state: State, orders: Ledger, log: SyncLog) -> None:
    debtors = state.ledger("debtor", "exact")
    debtors.acknowledge([acknowledgement((42, 0))], run_id=RUN, at=NOON)
    claim(orders)
    result(orders, imported=True)
    for id_order in (13, 14, 15, 16):
        claim(orders, (id_order, 0))
    orders.claims.fail([Failure(13, 0, "outcome_unknown", "Nobody knows")], run_id=RUN, at=NOON)
    orders.claims.release([(15, 0), (16, 0)], at=NOON)
    gone = Clearing(16, 0, "no_longer_due", None, 0)
    orders.clear([gone, gone._replace(key_major=14)], run_id=RUN, at=NOON)
    years_later = to_milliseconds(later(days=3_000))

    pruning = Pruning(state.database)
    assert pruning.prune(years_later) == Pruned(attempts=0, rejected_versions=2, deleted_records=1, runs=0)
    assert [one[1:5:2] for one in page(log)] == [
        ("12", "synced"),
        ("13", "failed"),
        ("14", "pending"),
        ("15", "pending"),
    ]
    assert [one.key[0] for one in orders.claims.open()] == [13, 14]
    assert (orders.count(), debtors.count()) == (1, 1)
