"""Orders and refunds in ``logs``, as people and programs meet them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from brekzsync.domain.ledger import Failure, Remark, Serving
from brekzsync.domain.orders.mapping import MappedOrder, map_order
from brekzsync.domain.orders.stored import StoredOrder, fingerprint_of
from brekzsync.flows.orders.ports import NOT_TAKEN
from brekzsync.state.ledger import Ledger
from brekzsync.state.served import Outcome
from tests.demos import PROGRAM, Demos, FreshDemo
from tests.exports import NOW, Said
from tests.shop_orders import RULES, Bought, order_of

NOON = "2026-11-21T12:00:00Z"
ONE = "2026-11-21T13:00:00Z"
REF = "XKBKNABJK-7"
INFO = f"{REF}: Sanne de Vries, EUR 29.90"
BED = Bought(Decimal("12.3554"), 2, Decimal(21), "BED")
MAPPED = map_order(order_of([BED]), RULES)
assert isinstance(MAPPED, MappedOrder)
DOCUMENT = StoredOrder(MAPPED.order, 42).stored()
VERSION = Serving(7, 0, fingerprint_of(DOCUMENT), 0, None, REF, DOCUMENT)


class Demo(FreshDemo):
    """A demo whose state the tests write into."""

    def logs(self, *arguments: str) -> Said:
        return self.run("logs", *arguments)

    def claim(self, flow: str = "order", *, taken: bool = True) -> None:
        lease_until = self.now + timedelta(hours=1) if taken else NOT_TAKEN
        with self.state() as state:
            claims = state.ledger(flow, "exact").claims
            claims.claim([VERSION], claimed_by="x", run_id=None, at=self.now, lease_until=lease_until)

    def settle(self, flow: str = "order", *, imported: bool) -> None:
        outcome = Outcome(7, 0, None, imported=imported, message="Debtor unknown")
        with self.state() as state:
            state.ledger(flow, "exact").claims.settle([outcome], at=self.now)

    def fail(self, flow: str = "order", reason: str = "unknown_country") -> None:
        with self.state() as state:
            ledger: Ledger = state.ledger(flow, "exact")
            ledger.record_failures([Failure(7, 0, reason, "Mend it.")], run_id=1, at=self.now)


@pytest.fixture
def demo(demos: Demos) -> Demo:
    return demos.fresh(Demo, columns=80)


def test_orders_are_listed_beside_products_by_one_number(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    demo.run("products", "export", "12")
    demo.claim()
    demo.fail("refund")
    listed = demo.logs("list")
    assert [row[:4] for row in listed.rows] == [
        ["Type", "Key", "Info", "Status"],
        ["product", "12-0", "", "failed: missing_price"],
        ["order", "7", INFO, "pending: in_flight"],
        ["refund", "7", "", "failed: unknown_country"],
    ]
    assert listed.err == f"All about one: {PROGRAM} logs show 12-0\n"
    alone = demo.logs("list", "--type", "refund")
    assert alone.err == f"All about one: {PROGRAM} logs show 7 --type refund\n"
    (record,) = demo.logs("list", "--type", "order", "--json").document["records"]
    assert record == {
        "type": "order",
        "info": INFO,
        "key": "7",
        "status": "pending",
        "reason": "in_flight",
        "message": None,
        "attempts": 0,
        "created_at": NOON,
        "synced_at": None,
        "updated_at": NOON,
        "next_attempt_at": None,
        "target": "exact",
        "flow": "order",
    }
    exported = demo.logs("export", "--type", "order").out.splitlines()
    assert exported[1].startswith(f'order,"{INFO}",7,pending,in_flight,')


def test_show_tells_what_is_on_its_way(demo: Demo) -> None:
    demo.claim()
    said = demo.logs("show", "7")
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert {len(line) for line in lines} == {80}
    assert lines[0].startswith("╭─  order 7 → exact  pending: in_flight  ─")
    assert [line.strip("│").rstrip() for line in lines[1:-1]] == [
        " It was handed out, and its result is awaited.",
        "",
        " Record",
        f"   Info    {INFO}",
        "   Type    order",
        "   Created 2026-11-21 12:00 UTC",
        "   Updated 2026-11-21 12:00 UTC",
        "",
        " Handed out and not acknowledged",
        " – 2026-11-21 12:00 result awaited, looked up in the ERP; its absence counts",
        "                    from 2026-11-21 13:00 on",
        "",
        " What was handed out",
        f"   your ref        {REF}",
        "   description     Order 7",
        "   date            2026-11-21",
        "   currency        EUR",
        "   debtor          42",
        "   deliver to      Sanne de Vries, Dorpsstraat 5 b, 3511 AB, Utrecht, NL,",
        "                   0301234567, sanne@example.com",
        "   invoice to      Sanne de Vries, Dorpsstraat 5 b, 3511 AB, Utrecht, NL,",
        "                   0301234567, sanne@example.com",
        "   payment method  B",
        "   delivery method PNL",
        "   debtor is new   yes",
        "   total incl      29.90",
        "",
        " Its lines, prices excl. tax",
        "   2 × BED Product 1, 12.3550 each, VAT code 2",
    ]


def test_show_as_json_says_when_the_absence_of_an_order_counts(demo: Demo) -> None:
    demo.claim(taken=False)
    (record,) = demo.logs("show", "7", "--json").document["records"]
    (handed_out,) = record["handed_out"]
    document = handed_out.pop("document")
    assert (document["your_ref"], document["total_incl"], record["acknowledged"]) == (REF, "29.90", None)
    version = f"{VERSION.fingerprint.hex()}.0"
    waiting = {
        "version": version,
        "run": None,
        "served_at": NOON,
        "offered_again_at": None,
        "rejected_at": None,
        "looked_up_at": None,
    }
    assert handed_out == waiting
    assert "lies in the outbox" in demo.logs("show", "7").out
    with demo.state() as state:
        state.ledger("order", "exact").claims.start_clock([(7, 0)], lease_until=NOW + timedelta(hours=1))
    (handed_out,) = demo.logs("show", "7", "--json").document["records"][0]["handed_out"]
    assert {name: handed_out[name] for name in waiting} == waiting | {"looked_up_at": ONE}


def test_show_tells_what_exact_has_and_what_the_shop_did_since(demo: Demo) -> None:
    demo.claim()
    demo.settle(imported=True)
    message = "The shop canceled it (state 6), after it was exported: cancel it in Exact by hand."
    with demo.state() as state:
        state.ledger("order", "exact").remark([Remark(7, 0, "canceled_after_export", message)], at=NOW)
    (record,) = demo.logs("show", "7", "--json").document["records"]
    assert (record["status"], record["reason"], record["message"]) == (
        "synced",
        "canceled_after_export",
        message,
    )
    assert (record["acknowledged"]["your_ref"], record["handed_out"]) == (REF, [])
    shown = demo.logs("show", "7").out
    assert "The shop canceled it (state 6), after it was exported" in shown
    assert "What exact acknowledged" in shown
    assert "What was handed out" not in shown


@pytest.mark.parametrize(("became", "told"), [("released", "given back"), ("rejected", "rejected")])
def test_show_tells_a_claim_that_was_given_back_from_one_that_was_rejected(
    demo: Demo, became: str, told: str
) -> None:
    demo.claim()
    if became == "rejected":
        demo.settle(imported=False)
    else:
        with demo.state() as state:
            state.ledger("order", "exact").claims.release([(7, 0)], at=NOW)
    assert f"✗ 2026-11-21 12:00 {'not in the ERP: ' * (became == 'released')}{told}" in (
        demo.logs("show", "7").out
    )


def test_one_number_shows_all_that_fit_and_the_type_says_which(demo: Demo) -> None:
    demo.run("products", "export", "7")
    demo.fail("order")
    demo.fail("refund")

    def shown(*arguments: str) -> list[tuple[str, str]]:
        records = demo.logs("show", *arguments, "--json").document["records"]
        return [(record["type"], record["key"]) for record in records]

    assert shown("7") == [("order", "7"), ("product", "7-0"), ("refund", "7")]
    assert shown("7-0") == shown("7", "--type", "product") == [("product", "7-0")]
    assert shown("7", "--type", "refund") == [("refund", "7")]


@pytest.mark.parametrize("command", ["show", "retry"])
def test_a_key_that_cannot_be_an_orders_is_said(demo: Demo, command: str) -> None:
    said = demo.logs(command, "7-0", "--type", "order", "--json")
    assert (said.code, said.document["error"]["code"]) == (2, "malformed_id")
    assert said.document["error"]["message"] == "'7-0' is not an id of orders: give a number such as 12."


def test_an_order_the_logs_do_not_know_is_looked_for_by_its_own_command(demo: Demo) -> None:
    for flow in ("order", "refund"):
        said = demo.logs("show", "999", "--type", flow)
        assert said == (
            2,
            "",
            "Error: The logs hold nothing under 999; there is nothing to show.\n"
            f"Hint: `brekzsync {flow}s export 999 --dry-run` tells why it was never sent.\n",
        )


def test_retry_lets_a_rejected_order_go_at_once_and_no_claim(demo: Demo) -> None:
    demo.claim()
    demo.settle(imported=False)
    demo.claim("refund")
    demo.fail("refund", "outcome_unknown")
    said = demo.logs("retry", "7")
    assert said.err.splitlines() == [
        "The next run tries this again: order 7.",
        f"Next: {PROGRAM} orders export",
    ]
    assert said.rows[1] == ["refund 7", "outcome_unknown", "Mend it."]
    with demo.state() as state:
        (row,) = state.ledger("order", "exact").rows_for([(7, 0)])
        assert (row.status, row.reason, row.next_attempt_at) == ("pending", "queued", None)
        assert [one.key for one in state.ledger("refund", "exact").claims.open()] == [(7, 0)]
    demo.claim()
    with demo.state() as state:
        assert [one.key for one in state.ledger("order", "exact").claims.open()] == [(7, 0)]
