"""``inbox`` as people, programs and cron meet it, over the demo's shop and ERP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from brekzsync.bootstrap.inbox import open_the_inbox
from brekzsync.flows.inbox.comparing import StockOfTargets
from brekzsync.flows.inbox.ports import Compared
from brekzsync.state.inbox import Inbox, NewDelivery
from tests.demos import PROGRAM, Demos, FreshDemo, signals_kept
from tests.exports import NOW, Said

TOO_HIGH, TOO_LOW = "LL-NW-RD-L", "HB-ZW-S"  # in the shop, as demo/data/README.md tells


class Demo(FreshDemo):
    """A demo whose stock is kept in step, and into which webhooks come."""

    def inbox(self, *arguments: str) -> Said:
        return self.run("inbox", *arguments)

    def opened(self) -> Inbox:
        return open_the_inbox(self.settings)

    def come(self, *records: str, source: str = "warehouse", topic: str = "stock") -> None:
        with self.opened() as inbox:
            known = inbox.count("new").get(source, 0) + inbox.count("done").get(source, 0)
            inbox.store(
                [
                    NewDelivery(
                        source, f"msg_{known + number}", self.now, topic, record, f'{{"code": "{record}"}}'
                    )
                    for number, record in enumerate(records)
                ]
            )

    def kill(self, record: str) -> None:
        """It failed too often."""
        with self.opened() as inbox:
            waiting = next(
                one for one in inbox.waiting(self.now, 100, source="warehouse") if one.record == record
            )
            inbox.dead("warehouse", record, waiting.last_id, self.now, "The shop refused it.")

    def differing(self) -> list[str]:
        return [one["code"] for one in self.run("stock", "diff", "--json").document["items"] if one["delta"]]


@pytest.fixture
def demo(demos: Demos) -> Iterator[Demo]:
    with signals_kept():
        made = demos.fresh(Demo, columns=80)
        yield made


# --- process ----------------------------------------------------------------------------------------------


def test_a_webhook_brings_its_item_into_step_and_no_other(demo: Demo) -> None:
    before = demo.differing()
    demo.come(TOO_HIGH, TOO_HIGH, TOO_HIGH.lower())

    done = demo.inbox("process", "--json")

    assert done.code == 0
    assert done.document["counts"] == {
        "read": 2,
        "eligible": 2,
        "pending": 2,
        "delivered": 2,
        "unchanged": 0,
        "skipped": 0,
        "failed": 0,
    }
    assert (done.document["deliveries"], done.document["codes"]) == (3, 1)
    assert sorted(before) == sorted([*demo.differing(), TOO_HIGH])
    assert demo.inbox("process") == (0, "", "Inbox: nothing is due.\n")


def test_a_run_is_shown_as_a_table(demo: Demo) -> None:
    demo.come(TOO_HIGH, "NOBODY-KNOWS-IT")

    assert demo.inbox("process") == (
        0,
        "Inbox\n"
        "╭───────────┬──────────┬─────────┬──────┬────────┬──────┬──────╮\n"
        "│ Source    │ Webhooks │ Records │ Done │ Failed │ Dead │ Left │\n"
        "├───────────┼──────────┼─────────┼──────┼────────┼──────┼──────┤\n"
        "│ warehouse │        2 │       2 │    2 │      0 │    0 │    0 │\n"
        "╰───────────┴──────────┴─────────┴──────┴────────┴──────┴──────╯\n",
        "1 left alone: unknown item code.\n",
    )


def test_what_tells_no_item_has_everything_compared_once(demo: Demo) -> None:
    demo.come("", "8C6C4CF4-6EA7-4D9B-9E2C-3C3F6D1B7C11", source="exact", topic="StockPositions")

    done = demo.inbox("process", "--json").document

    assert (done["compared_everything"], done["codes"]) == (True, 0)
    assert demo.differing() == []
    demo.come("", source="exact", topic="StockPositions")
    again = demo.inbox("process", "--json").document
    assert (again["compared_everything"], again["reasons"]) == (False, {"queued": 1})
    assert again["everything_waits_until"] == "2026-11-21T12:30:00Z"


def test_a_guard_that_stops_it_is_told_and_mailed_once(demo: Demo) -> None:
    demo.sql("UPDATE ps_stock_available SET quantity = quantity + 7")
    demo.come("")

    stopped = demo.inbox("process", "--cron")
    assert stopped.code == 3
    assert "figures would change" in stopped.err
    demo.now += timedelta(minutes=5)
    assert demo.inbox("process", "--cron") == (0, "", "")
    with demo.opened() as inbox:
        assert inbox.backlog() == {"warehouse": 1}


def test_a_dry_run_writes_nothing_at_all(demo: Demo) -> None:
    demo.come(TOO_HIGH, "")
    before = demo.files()

    shown = demo.inbox("process", "--dry-run")

    assert shown.code == 0
    assert shown.out.startswith("Inbox (dry run: nothing written)\n")
    assert shown.err.endswith("Would compare everything.\nNext: the same command without --dry-run.\n")
    changed = {path for path, content in demo.files().items() if before.get(path) != content}
    assert not {path for path in changed if not path.endswith((".lock", "-wal"))}


def test_while_another_run_of_stock_is_at_work_nothing_is_lost(demo: Demo) -> None:
    demo.come(TOO_HIGH)
    with demo.state() as state, state.locks.hold("stock", "exact"):
        held = demo.inbox("process")
        silent = demo.inbox("process", "--cron")

    assert (held.code, silent) == (75, (75, "", ""))
    assert demo.inbox("process", "--json").document["counts"]["delivered"] == 1


def test_without_stock_in_the_configuration_webhooks_wait(demo: Demo) -> None:
    text = demo.config.read_text(encoding="utf-8")
    demo.config.write_text(
        re.sub(r"^\[stock\]\n(?:(?!\[).*\n)*", "", text, flags=re.MULTILINE), encoding="utf-8"
    )
    demo.come(TOO_HIGH)

    assert demo.inbox("process") == (
        0,
        "",
        "No stock is kept in step: [stock] is empty in the configuration, or the flow is switched off."
        " 1 webhook waits.\n",
    )


def test_while_the_flow_is_switched_off_webhooks_wait(demo: Demo) -> None:
    demo.come(TOO_HIGH)
    demo.run("flows", "disable", "stock", "--reason", "stocktaking")

    assert demo.inbox("process", "--json").document["counts"]["read"] == 0
    demo.run("flows", "enable", "stock")
    assert demo.inbox("process", "--json").document["counts"]["delivered"] == 1


def test_before_the_first_webhook_there_is_nothing_and_nothing_is_made(demo: Demo) -> None:
    before = set(demo.files())

    assert demo.inbox("process") == (0, "", "Nothing was received yet.\n")
    assert demo.inbox("process", "--cron") == (0, "", "")
    assert demo.inbox("list") == (0, "", "The inbox is empty.\n")
    assert demo.inbox("replay", "--dead") == (0, "", "Nothing is there to replay.\n")
    assert set(demo.files()) == before


# --- list, show, replay -----------------------------------------------------------------------------------


def test_the_list_shows_what_came_newest_first_a_page_at_a_time(demo: Demo) -> None:
    demo.come("A", "B", "C")

    first = demo.inbox("list", "--limit", "2")

    assert first == (
        0,
        "Inbox\n"
        "╭────┬──────────────────┬───────────┬────────┬────────╮\n"
        "│ Id │ Received (UTC)   │ Source    │ Record │ Status │\n"
        "├────┼──────────────────┼───────────┼────────┼────────┤\n"
        "│  3 │ 2026-11-21 12:00 │ warehouse │ C      │ new    │\n"
        "│  2 │ 2026-11-21 12:00 │ warehouse │ B      │ new    │\n"
        "╰────┴──────────────────┴───────────┴────────┴────────╯\n",
        f"More: {PROGRAM} inbox list --limit 2 --after 2\n",
    )
    last = demo.pasted(first.err.removeprefix("More: ").strip() + " --json").document
    assert [one["record"] for one in last["deliveries"]] == ["A"]
    assert last["next"] is None


def test_a_dead_one_is_listed_shown_and_replayed(demo: Demo) -> None:
    demo.come(TOO_HIGH, "B")
    demo.kill(TOO_HIGH)

    listed = demo.inbox("list", "--status", "dead", "--source", "warehouse", "--json").document
    assert listed == {
        "schema_version": 1,
        "command": "inbox list",
        "ok": True,
        "deliveries": [
            {
                "id": 1,
                "source": "warehouse",
                "delivery_id": "msg_0",
                "received_at": "2026-11-21T12:00:00Z",
                "topic": "stock",
                "record": TOO_HIGH,
                "status": "dead",
                "attempts": 1,
                "next_attempt_at": None,
                "processed_at": "2026-11-21T12:00:00Z",
                "error": "The shop refused it.",
            }
        ],
        "next": None,
    }
    shown = demo.inbox("show", "1")
    assert f"It failed too often. Try again: {PROGRAM} inbox replay 1" in " ".join(
        shown.out.replace("│", " ").split()
    )
    assert f'{{"code": "{TOO_HIGH}"}}' in shown.out
    assert demo.inbox("show", "1", "--json").document["delivery"]["body"] == f'{{"code": "{TOO_HIGH}"}}'

    assert demo.inbox("replay", "--dead", "-n") == (0, "", "Would let 1 webhook wait again.\n")
    assert demo.inbox("replay", "--dead", "--source", "till") == (0, "", "Nothing is there to replay.\n")
    assert demo.inbox("replay", "--dead") == (
        0,
        "",
        f"1 webhook waits again. Next: {PROGRAM} inbox process\n",
    )
    assert demo.inbox("process", "--json").document["counts"]["delivered"] == 2
    assert demo.inbox("replay", "1", "2", "--json").document["replayed"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "9"), "The inbox has no webhook 9."),
        (("replay", "1", "9"), "The inbox has no webhook 9."),
        (("replay",), "Say which: their IDs, or --dead for all that are dead."),
        (("replay", "1", "--dead"), "Say which: their IDs, or --dead for all that are dead."),
        (("replay", "1", "--source", "till"), "--source goes with --dead."),
        (("show", "x"), "Invalid value for 'ID': 'x' is not a valid integer range."),
        (("show", "0"), "Invalid value for 'ID': 0 is not in the range 1<=x<=9223372036854775807."),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_written(
    demo: Demo, arguments: tuple[str, ...], message: str
) -> None:
    demo.come("A")
    demo.inbox("process")

    refused = demo.inbox(*arguments, "--json")

    assert (refused.code, refused.document["error"]["message"]) == (2, message)
    with demo.opened() as inbox:
        assert inbox.backlog() == {}


# --- what cron is told ------------------------------------------------------------------------------------


def test_cron_is_told_of_a_record_that_died_once(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_stock: StockOfTargets, codes: Sequence[str], *, dry_run: bool) -> Compared:
        return Compared({code: "The shop refused it." for code in codes if code == TOO_HIGH}, {})

    monkeypatch.setattr(StockOfTargets, "update", refused)
    demo.configure("[inbox]\nattempts = 2\n")
    demo.come(TOO_HIGH, "B")

    assert demo.inbox("process", "--cron") == (3, "", ""), "it is tried again"
    demo.now += timedelta(minutes=1)
    assert demo.inbox("process", "--cron") == (
        3,
        f"inbox: 1 record failed too often and waits for a person.\n  warehouse {TOO_HIGH}: The shop refused it.\n",
        "",
    )
    demo.now += timedelta(minutes=5)
    assert demo.inbox("process", "--cron") == (0, "", "")
    assert demo.inbox("process").err == (
        "Inbox: nothing is due.\n"
        f"1 webhook dead: {PROGRAM} inbox list --status dead shows them, inbox replay --dead tries again.\n"
    )


def test_cron_is_told_of_a_flood_once(demo: Demo) -> None:
    demo.come("A")
    demo.inbox("process")
    demo.now += timedelta(minutes=5)
    with demo.opened() as inbox:
        inbox.marks.open("warehouse", "rate", demo.now - timedelta(minutes=1))

    told = demo.inbox("process", "--cron")
    demo.now += timedelta(minutes=5)

    assert told == (
        0,
        "inbox: warehouse was told to wait (too many at once) from 2026-11-21 12:04 UTC and still is; 0 webhooks"
        " were refused. Everything is compared once after that.\n",
        "",
    )
    assert demo.inbox("process", "--cron") == (0, "", "")


# --- where else it is told --------------------------------------------------------------------------------


def test_status_and_prune_know_the_inbox(demo: Demo) -> None:
    demo.come(TOO_HIGH, "B")
    demo.kill("B")

    assert demo.run("status", "--json").document["inbox"] == {
        "waiting": {"warehouse": 1},
        "dead": {"warehouse": 1},
    }
    assert (
        f"inbox: 1 webhook waiting to be processed, 1 dead: {PROGRAM} inbox list --status dead\n"
        in demo.run("status").out
    )
    demo.inbox("process")
    demo.now = NOW + timedelta(days=91)
    assert demo.run("logs", "prune", "--json").document["pruned"]["webhooks"] == 2
    assert demo.inbox("list") == (0, "", "The inbox is empty.\n")
