"""Order statuses in ``logs``, as people and programs meet them."""

from __future__ import annotations

import pytest

from brekzsync.domain.marketplace import (
    Identity,
    StatusTask,
    TaskAccepted,
    TaskClaim,
    TaskEnd,
    TaskFailure,
    TaskStatus,
)
from brekzsync.domain.order_status import Operation
from brekzsync.state.status_tasks import StatusTasks
from brekzsync.state.times import to_milliseconds
from tests.demos import Demos, FreshDemo
from tests.exports import Said

NOON = "2026-11-21T12:00:00Z"
WORDS = "Carrier code is not known."


class Demo(FreshDemo):
    """A demo in whose state an order is on its way to the marketplace."""

    def logs(self, *arguments: str) -> Said:
        return self.run("logs", *arguments)

    def send(self, tasks: StatusTasks, operation: Operation = Operation.SHIP) -> int:
        """Have the marketplace take an operation of order 5; says when."""
        now = to_milliseconds(self.now)
        identity = Identity(1042, "408-7654321-5", "Amazon")
        task = StatusTask(5, operation, TaskStatus.WAITING, now, now, 0, "KHWLILZLL-5", identity)
        tasks.add([task], at=now)
        tasks.claim([TaskClaim(5, operation, 3, 1276, "3SBREK1")], at=now)
        tasks.accept([TaskAccepted(5, "5f1c1d7e", "702135")], at=now)
        return now

    def give_up(self) -> None:
        with self.state() as state:
            tasks = state.status_tasks("order_status", "shoppingfeed")
            now = self.send(tasks)
            tasks.fail([TaskFailure(5, "ticket_failed", WORDS, None)], run_id=1, at=now)

    def withdraw(self) -> None:
        with self.state() as state:
            tasks = state.status_tasks("order_status", "shoppingfeed")
            end = TaskEnd(5, "left_before_sent", "The order went on to state 6.")
            tasks.end([end], run_id=1, at=to_milliseconds(self.now))


@pytest.fixture
def demo(demos: Demos) -> Demo:
    return demos.fresh(Demo, columns=80)


def test_all_about_one_that_was_given_up_says_what_was_sent_and_how_to_try_again(demo: Demo) -> None:
    demo.give_up()
    shown = demo.logs("show", "5", "--type", "order")
    lines = [" ".join(line.strip("│ ").split()) for line in shown.out.splitlines()]
    assert {len(line) for line in shown.out.splitlines()} == {80}
    assert "order status 5 → shoppingfeed failed: ticket_failed" in lines[0]
    assert lines[1] == WORDS
    block = lines[lines.index("What the marketplace is to be told") + 1 :]
    assert block[: block.index("")] == [
        "Operation ship: was given up",
        "Marketplace Amazon 408-7654321-5",
        "Its id there 1042",
        "Seen 2026-11-21 12:00 UTC",
        "Sent 2026-11-21 12:00 UTC",
        "Store 1276, account 3",
        "Ticket 702135",
        "Tracking 3SBREK1",
        "Try again brekzsync logs retry 5 --type order",
    ]
    retried = demo.logs("retry", "5", "--type", "order")
    assert (retried.code, "The next run tries this again: order status 5." in retried.err) == (0, True)
    assert "orders push-status" in retried.err


def test_a_program_gets_the_task_and_what_was_withdrawn(demo: Demo) -> None:
    demo.give_up()
    (record,) = demo.logs("show", "5", "--json").document["records"]
    assert (record["flow"], record["info"]) == ("order_status", "KHWLILZLL-5: Amazon 408-7654321-5")
    assert record["task"] == {
        "operation": "ship",
        "status": "dead",
        "order": "KHWLILZLL-5",
        "marketplace": "Amazon",
        "reference": "408-7654321-5",
        "marketplace_id": 1042,
        "seen_at": NOON,
        "not_before": NOON,
        "attempts": 1,
        "sent_at": NOON,
        "account": 3,
        "store": 1276,
        "batch": None,
        "ticket": "702135",
        "tracking": "3SBREK1",
    }
    failed = {"at": NOON, "run": None, "reason": "ticket_failed", "message": WORDS}
    assert (record["failed_attempts"], record["withdrawn"]) == ([failed], [])
    demo.withdraw()
    (record,) = demo.logs("show", "5", "--json").document["records"]
    ended = failed | {"reason": "left_before_sent", "message": "The order went on to state 6."}
    assert (record["task"], record["withdrawn"]) == (None, [ended])
    assert record["failed_attempts"] == [failed]
