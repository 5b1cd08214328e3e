"""``orders push-status`` and ``tickets check`` as people, programs and cron meet them: tables, documents, silence."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any

import pytest

from brekzsync.demo.marketplace.server import Behaviour, DemoMarketplace, DemoOrder, Fault
from brekzsync.domain.order_status import Operation
from tests.demos import PROGRAM, Demos, FreshDemo
from tests.exports import Said

SILENCE = ("", "")
SHIPPED, CANCELED_ON_MANOMANO, PAID, DELIVERED = 64, 52, 61, 41
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MODULE = (
    "DROP TABLE IF EXISTS ps_shoppingfeed_order",
    "DROP TABLE IF EXISTS ps_shoppingfeed_token",
    "CREATE TABLE ps_shoppingfeed_order (id_shoppingfeed_order INTEGER PRIMARY KEY, id_order INTEGER UNIQUE,"
    " id_shoppingfeed_token INTEGER, id_internal_shoppingfeed, id_order_marketplace, name_marketplace,"
    " payment_method, date_marketplace_creation)",
    "CREATE TABLE ps_shoppingfeed_token (id_shoppingfeed_token INTEGER PRIMARY KEY, id_shop, active,"
    " shoppingfeed_store_id, content)",
    "CREATE TABLE IF NOT EXISTS ps_module_shop (id_module INTEGER, id_shop INTEGER)",
    "INSERT INTO ps_shoppingfeed_token VALUES (1, 1, 1, 1276, 'demo-token')",
)
OTHER_MODULES = (
    "DELETE FROM ps_module WHERE name LIKE 'shopping%'",
    "DELETE FROM ps_module_shop WHERE id_module IN (90, 91)",
    "INSERT INTO ps_module (id_module, active, name) VALUES (90, 1, 'shoppingfluxexport'), (91, 1, 'shoppingfeed')",
    "INSERT INTO ps_module_shop (id_module, id_shop) VALUES (90, 1), (91, 1)",
)
ORDERS = (
    (SHIPPED, 9064, "AMZ-64", "amazon"),
    (CANCELED_ON_MANOMANO, 9052, "MM-52", "ManoMano"),
    (PAID, 9061, "CD-61", "Cdiscount"),
    (DELIVERED, 9041, "CD-41", "Cdiscount"),
)


class Demo(FreshDemo):
    """A demo with four orders of marketplaces: shipped with a tracking number, canceled on one that takes no
    cancellations, paid, and delivered without a number."""

    def push(self, *arguments: str) -> Said:
        return self.run("orders", "push-status", *arguments)

    def check(self, *arguments: str) -> Said:
        return self.run("tickets", "check", *arguments)

    def document(self, *arguments: str) -> dict[str, Any]:
        said = self.run("--json", *arguments)
        document: dict[str, Any] = json.loads(said.out)
        return document | {"exit": said.code}

    def pushed(self, *arguments: str) -> dict[str, Any]:
        return self.document("orders", "push-status", *arguments)

    def checked(self, *arguments: str) -> dict[str, Any]:
        return self.document("tickets", "check", *arguments)

    def prepare(self) -> None:
        """The module, its orders and its neighbours."""
        self.sql(*MODULE, *OTHER_MODULES)
        with suppress(sqlite3.OperationalError):  # the column may be there
            self.sql("ALTER TABLE ps_carrier ADD COLUMN url VARCHAR(255)")
        for id_order, feed_id, reference, channel in ORDERS:
            self.sql(
                "INSERT INTO ps_shoppingfeed_order VALUES"
                f" ({id_order}, {id_order}, 1, '{feed_id}', '{reference}', '{channel}', '-', '2026-11-20 09:00:00')"
            )
        self.sql(
            "UPDATE ps_order_carrier SET tracking_number = ''",
            f"UPDATE ps_order_carrier SET tracking_number = '3S 1' WHERE id_order = {SHIPPED}",
            "UPDATE ps_carrier SET url = 'https://post.example/@'",
        )
        for id_order, state in ((SHIPPED, 4), (CANCELED_ON_MANOMANO, 6), (PAID, 2), (DELIVERED, 5)):
            self.sql(f"UPDATE ps_orders SET current_state = {state} WHERE id_order = {id_order}")

    def unconfigured(self) -> None:
        """Nobody says anything of the marketplace."""
        text = self.config.read_text(encoding="utf-8")
        section = re.compile(r"^\[marketplace\]\n(?:(?!\[).*\n)*", re.MULTILINE)
        self.config.write_text(section.sub("", text), encoding="utf-8")

    def map_states(self, text: str, address: str = "http://127.0.0.1:1") -> None:
        """Let [marketplace] say this."""
        self.unconfigured()
        self.configure(f'\n[marketplace]\nbase_url = "{address}"\n{text}\n')

    def module_syncs(self, *, on: bool) -> None:
        """The shoppingfeed module's own synchronisation."""
        self.sql("DELETE FROM ps_configuration WHERE name = 'SHOPPINGFEED_ORDER_SYNC_ENABLED'")
        if on:
            with closing(sqlite3.connect(self.folder / "demo/shop.db")) as connection, connection:
                connection.execute(
                    "INSERT INTO ps_configuration (id_configuration, name, value)"
                    " VALUES ((SELECT MAX(id_configuration) + 1 FROM ps_configuration), ?, '1')",
                    ("SHOPPINGFEED_ORDER_SYNC_ENABLED",),
                )


STATES = """
shipped_states = [4]
canceled_states = [6]
delivered_states = [5]
implies_shipped = [5]
"""


@pytest.fixture
def marketplace() -> Iterator[DemoMarketplace]:
    """It knows the shop's orders."""
    orders = [DemoOrder(feed_id, reference, channel) for _, feed_id, reference, channel in ORDERS]
    with DemoMarketplace(orders) as server:
        yield server


@pytest.fixture
def demo(demos: Demos, marketplace: DemoMarketplace) -> Demo:
    made = demos.fresh(Demo, columns=80)
    made.prepare()
    made.map_states(STATES, marketplace.url)
    return made


def counts(*numbers: int) -> dict[str, int]:
    names = ("read", "eligible", "pending", "delivered", "unchanged", "skipped", "failed")
    return dict(zip(names, numbers, strict=True))


NOTHING = counts(0, 0, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("command", "example"),
    [
        (["orders", "push-status"], "orders push-status --dry-run"),
        (["tickets"], "tickets check --dry-run"),
        (["tickets", "check"], "tickets check --dry-run"),
    ],
)
def test_help_ends_with_an_example_that_works(demo: Demo, command: list[str], example: str) -> None:
    helped = demo.run(*command, "--help")

    assert (helped.code, helped.err) == (0, "")
    assert helped.out.rstrip().splitlines()[-1].strip() == f"Example: brekzsync {example}"
    demo.sql(f"DELETE FROM ps_shoppingfeed_order WHERE id_order = {CANCELED_ON_MANOMANO}")
    assert demo.run(*example.split()).code == 0


# --- the life of a task -----------------------------------------------------------------------------------------


def test_a_person_is_shown_what_waits_what_went_and_what_to_mend(demo: Demo) -> None:
    demo.push()
    demo.now += 6 * MINUTE
    said = demo.push()

    assert said.code == 3
    assert said.out.splitlines() == [
        "Order statuses → shoppingfeed",
        "╭─────────────────────────────────────┬───────╮",
        "│ Orders                              │ Count │",
        "├─────────────────────────────────────┼───────┤",
        "│ Marketplace orders                  │     4 │",
        "│   in a state that is told           │     3 │",
        "│     told already                    │     0 │",
        "│     pending                         │     3 │",
        "│       sent                          │     1 │",
        "│         as shipped                  │     1 │",
        "│       failed                        │     1 │",
        "│         nothing the channel takes   │     1 │",
        "│       waiting for a tracking number │     1 │",
        "│   in a state that is not told       │     1 │",
        "╰─────────────────────────────────────┴───────╯",
        "Failed",
        "╭───────┬──────────────────────────┬───────────────────────────────────────────╮",
        "│ Order │ Reason                   │ What to do                                │",
        "├───────┼──────────────────────────┼───────────────────────────────────────────┤",
        *[line for line in said.out.splitlines() if line.startswith(("│ 52 ", "│       │   "))],
        "╰───────┴──────────────────────────┴───────────────────────────────────────────╯",
    ]
    retry = f"{PROGRAM} logs retry {CANCELED_ON_MANOMANO} --type order"
    assert said.err.splitlines() == [
        f"Next: mend what failed, then: {retry}",
        "What was not given up is tried again by itself.",
    ]
    assert demo.pasted(retry).code == 0


def test_an_order_goes_from_shipped_to_told(demo: Demo, marketplace: DemoMarketplace) -> None:
    first = demo.pushed("--order", str(SHIPPED))
    demo.now += 6 * MINUTE
    second = demo.pushed("--order", str(SHIPPED))
    third = demo.pushed("--order", str(SHIPPED))
    checked = demo.checked()
    last = demo.pushed("--order", str(SHIPPED))

    assert [one["counts"] for one in (first, second, third, last)] == [
        counts(1, 1, 1, 0, 0, 0, 0),
        counts(1, 1, 1, 1, 0, 0, 0),
        counts(1, 1, 1, 0, 0, 0, 0),
        counts(1, 1, 0, 0, 1, 0, 0),
    ]
    assert [one["waiting"] for one in (first, second, third)] == [{"shipped_delay": 1}, {}, {"in_flight": 1}]
    assert (second["operations"], second["requests"]) == ({"ship": 1}, 1)
    assert checked["counts"] == counts(1, 1, 1, 1, 0, 0, 0)
    assert marketplace.accepted() == {9064: [Operation.SHIP]}


def test_the_document_of_a_run_is_whole(demo: Demo) -> None:
    document = demo.pushed()
    (failure,) = document.pop("failures")

    assert document.pop("run_id").startswith("20261121T120000Z-")
    assert document == {
        "schema_version": 1,
        "command": "orders push-status",
        "ok": False,
        "exit": 3,
        "target": "shoppingfeed",
        "dry_run": False,
        "counts": counts(4, 3, 3, 0, 0, 1, 1),
        "reasons": {"shipped_delay": 2, "operation_not_of_channel": 1, "state_not_mapped": 1},
        "warnings": {},
        "output": None,
        "operations": {},
        "waiting": {"shipped_delay": 2},
        "requests": 0,
        "notices": [],
        "error": {
            "code": "records_failed",
            "message": "1 of 3 pending orders failed.",
            "hint": "Each failure says what to mend; what was not given up is tried again by itself.",
        },
    }
    assert (failure["key"], failure["reason"]) == ("52", "operation_not_of_channel")


def test_why_an_order_does_not_go_is_said_where_somebody_asks_for_it(demo: Demo) -> None:
    said = demo.push("--order", str(PAID), "--order", "65")

    assert said.code == 0
    assert sorted(said.err.splitlines()) == [
        "Order 61: State 2 means nothing to the marketplace ([marketplace] lists of states).",
        "Order 65 is no order of a marketplace that counts here.",
    ]
    for word, code in (("x", "malformed_id"), ("0", "malformed_id"), ("999", "unknown_id")):
        wrong = demo.pushed("--order", word)
        assert (wrong["exit"], wrong["error"]["code"]) == (2, code)


def test_a_dry_run_asks_and_counts_and_changes_nothing(demo: Demo, marketplace: DemoMarketplace) -> None:
    demo.push()
    demo.now += 6 * MINUTE
    before = demo.files()
    looked, asked = demo.pushed("-n"), demo.push("-n")

    assert (looked["counts"], looked["dry_run"]) == (counts(4, 3, 3, 1, 0, 1, 1), True)
    assert asked.err.splitlines()[-1] == "Next: the same command without --dry-run sends them."
    assert ["would be sent", "1"] in asked.rows
    assert demo.files() == before
    assert [one for one in marketplace.requests if one[0] == "POST"] == []
    assert demo.pushed()["counts"] == looked["counts"]

    before = demo.files()
    assert demo.checked("-n")["counts"]["delivered"] == 1
    assert demo.check("-n").err.splitlines()[-1] == "Next: the same command without --dry-run settles them."
    assert demo.files() == before


def test_a_marketplace_that_is_still_at_it_is_asked_again(demo: Demo, marketplace: DemoMarketplace) -> None:
    marketplace.behaviour = Behaviour(ticket_looks=2)
    demo.push()
    demo.now += 6 * MINUTE
    demo.push()
    said = demo.check()

    assert said.err.splitlines()[-1] == "1 answer is still awaited: the next check looks again."
    assert ["sent, answer awaited", "1"] in said.rows
    demo.check()
    assert ["accepted by the marketplace", "1"] in demo.check().rows
    assert demo.check().err.startswith("Nothing to do: no answer is awaited. ")


def test_what_the_marketplace_refused_is_told_in_its_own_words(
    demo: Demo, marketplace: DemoMarketplace
) -> None:
    marketplace.behaviour = Behaviour(failing={9064: "Parcel unknown to the carrier"})
    demo.push()
    demo.now += 6 * MINUTE
    demo.push()
    document = demo.checked()

    assert (document["exit"], document["counts"]) == (3, counts(1, 1, 1, 0, 0, 0, 1))
    assert document["failures"][0]["message"].endswith("Parcel unknown to the carrier")
    assert document["error"]["message"] == "1 of 1 awaited order failed."


def test_a_baseline_takes_what_is_there_as_told(demo: Demo, marketplace: DemoMarketplace) -> None:
    said = demo.push("--baseline")

    assert said.code == 0
    assert said.rows[1:] == [
        ["Marketplace orders", "4"],
        ["in a state that is told", "3"],
        ["told already", "0"],
        ["taken as told", "3"],
        *said.rows[5:],
    ]
    assert demo.pushed()["counts"] == counts(4, 3, 0, 0, 3, 1, 0)
    assert marketplace.requests == []
    assert demo.push("--baseline", "--force").code == 2


def test_an_empty_ledger_and_much_to_do_need_a_word(demo: Demo, marketplace: DemoMarketplace) -> None:
    demo.map_states(f"{STATES}first_run_limit = 1", marketplace.url)

    refused = demo.pushed()
    assert (refused["exit"], refused["error"]["code"]) == (78, "needs_baseline")
    assert demo.pushed("--force")["exit"] == 3


# --- when it does not run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("orders", "push-status"), ("tickets", "check")])
def test_without_a_word_in_the_configuration_nothing_is_done(demo: Demo, words: tuple[str, ...]) -> None:
    demo.unconfigured()
    demo.lose_state()
    said = demo.run(*words)

    assert (said.code, said.out) == (0, "")
    assert "[marketplace] is empty in the configuration, so nothing was" in said.err
    document = demo.document(*words)
    assert (document["configured"], document["counts"], document["exit"]) == (False, NOTHING, 0)
    assert demo.run("--cron", *words) == (0, *SILENCE)
    assert not (demo.folder / "demo/state.db").exists()


@pytest.mark.parametrize("words", [("orders", "push-status"), ("tickets", "check")])
def test_a_configuration_that_maps_no_state_is_no_silence(demo: Demo, words: tuple[str, ...]) -> None:
    demo.map_states("")
    document = demo.document(*words)

    assert (document["exit"], document["error"]["code"]) == (78, "no_states_mapped")
    assert demo.document(*words, "-n")["error"]["code"] == "no_states_mapped"
    assert demo.run("--cron", *words) == (78, *SILENCE), "it was said"


CONFLICTS = {
    "other_module_syncs": (
        "INSERT INTO ps_configuration (id_configuration, name, value) VALUES (9001,"
        " 'SHOPPING_FLUX_STATUS_SHIPPED', 'checked')"
    ),
    "old_module_absent": "DELETE FROM ps_module WHERE id_module = 90",
    "module_syncs": (
        "INSERT INTO ps_configuration (id_configuration, name, value) VALUES (9001,"
        " 'SHOPPINGFEED_ORDER_SYNC_ENABLED', '1')"
    ),
}


@pytest.mark.parametrize("code", CONFLICTS)
def test_another_module_that_tells_the_marketplace_stops_everything(
    demo: Demo, marketplace: DemoMarketplace, code: str
) -> None:
    demo.sql(CONFLICTS[code])

    for words in (("orders", "push-status"), ("tickets", "check"), ("orders", "push-status", "-n")):
        document = demo.document(*words)
        assert (document["exit"], document["error"]["code"]) == (78, code), words
        assert document["error"]["hint"]
    assert demo.run("--cron", "orders", "push-status") == (78, *SILENCE), "it was said"
    assert marketplace.requests == []


@pytest.mark.parametrize("code", CONFLICTS)
def test_the_flow_is_not_switched_on_beside_another_module(demo: Demo, code: str) -> None:
    assert demo.run("flows", "disable", "order_status").code == 0
    demo.sql(CONFLICTS[code])
    before = demo.files()

    for words in ((), ("-n",)):
        refused = demo.document("flows", "enable", "order_status", *words)
        assert (refused["exit"], refused["error"]["code"]) == (78, code)
    assert demo.files() == before
    assert demo.run("flows", "disable", "order_status").code == 0


def test_a_flow_that_is_off_does_nothing_and_says_how_to_switch_it_on(demo: Demo) -> None:
    demo.configure("[targets.nl.products]\noutput = 'nl'\n[targets.be.products]\noutput = 'be'\n")
    off = demo.run("flows", "disable", "order_status", "--reason", "moving house")
    assert off.err.splitlines()[0] == "Switched off order_status → shoppingfeed."

    for words in (("orders", "push-status"), ("tickets", "check")):
        said = demo.run(*words)
        assert (said.code, said.out) == (0, "")
        command = said.err.rpartition("until: ")[2].strip()
        assert command == f"{PROGRAM} flows enable order_status"
        assert demo.document(*words)["disabled"] is True
        assert demo.run("--cron", *words) == (0, *SILENCE)
    assert demo.pushed("-n")["counts"] == counts(4, 3, 3, 0, 0, 1, 1)
    assert demo.pasted(command).code == 0
    assert "disabled" not in demo.pushed()


def test_an_answer_that_was_lost_ends_the_run_and_the_next_looks_it_up(
    demo: Demo, marketplace: DemoMarketplace
) -> None:
    demo.push()
    demo.now += 6 * MINUTE
    marketplace.plan(Fault.DROP_AFTER, "POST")

    unclear = demo.pushed("--order", str(SHIPPED))
    demo.now += 60 * MINUTE
    settled = demo.pushed("--order", str(SHIPPED))

    assert (unclear["exit"], unclear["error"]["code"]) == (69, "marketplace_unclear")
    assert settled["counts"]["failed"] == 0
    demo.check()
    assert marketplace.accepted() == {9064: [Operation.SHIP]}


def test_a_configuration_may_make_every_run_a_dry_one(demo: Demo, marketplace: DemoMarketplace) -> None:
    demo.push()
    demo.now += 6 * MINUTE
    demo.map_states(f"{STATES}dry_run = true", marketplace.url)
    before = demo.files()

    said, document = demo.push(), demo.pushed()

    assert said.out.startswith("Order statuses → shoppingfeed (dry run: nothing sent)\n")
    assert said.err.splitlines()[-1] == (
        "[marketplace] dry_run is on: every run only says what it would do. Set it to false to have it done."
    )
    assert (document["dry_run"], document["counts"]["delivered"]) == (True, 1)
    assert demo.push("--cron")[1:] == SILENCE
    assert demo.check("--cron") == (0, *SILENCE)
    assert [one for one in marketplace.requests if one[0] == "POST"] == []
    assert demo.files() == before


# --- cron and status --------------------------------------------------------------------------------------------


def test_cron_is_silent_until_something_new_fails_and_says_so_once(demo: Demo) -> None:
    first, second = demo.push("--cron"), demo.push("--cron")

    assert (first.code, second.code, second[1:]) == (3, 3, SILENCE)
    assert first.out.splitlines()[0] == "order statuses → shoppingfeed: 1 newly failed, 1 in all."
    assert demo.check("--cron") == (0, *SILENCE)
    demo.now += DAY
    assert demo.check("--cron") == (0, *SILENCE)
    assert demo.push("--cron").out.startswith("order statuses → shoppingfeed: 4 read, ")


def test_status_and_the_list_of_flows_know_where_it_goes(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    demo.configure("[targets.nl.products]\noutput = 'nl'\n[targets.be.products]\noutput = 'be'\n")
    assert row_of(demo, "status")[:4] == ["order_status", "shoppingfeed", "on, not used", "never"]
    demo.push("--baseline")
    demo.sql("UPDATE ps_orders SET current_state = 4 WHERE id_order = 61")
    demo.push()
    assert row_of(demo, "status") == [
        "order_status",
        "shoppingfeed",
        "on",
        "just now: done, 0 told",
        "just now",
        "1",
        "0",
    ]
    assert row_of(demo, "flows", "list")[:3] == ["order_status", "shoppingfeed", "on"]
    for target in ("shoppingfeed", "nl"):
        said = demo.document("flows", "disable", "order_status", "-n", "--target", target)
        assert said["exit"] == (0 if target == "shoppingfeed" else 78)


def test_checking_tickets_is_no_sign_that_statuses_are_told(demo: Demo) -> None:
    demo.push()
    demo.now += 61 * MINUTE
    demo.check()

    document = demo.document("status")

    assert ("order_status", "silent") in [(one["flow"], one["reason"]) for one in document["overdue"]]
    one = next(flow for flow in document["flows"] if flow["flow"] == "order_status")
    assert (one["last_run"]["command"], one["overdue_after_seconds"]) == ("tickets check", 3600)


def row_of(demo: Demo, *words: str) -> list[str]:
    return next(row for row in demo.run(*words).rows if row[0] == "order_status")


# --- doctor and the configuration -------------------------------------------------------------------------------


def doctor(demo: Demo) -> dict[str, tuple[str, str]]:
    names = ("marketplace module", "other modules", "marketplace states", "accounts")
    checks = {one["name"]: one for one in demo.document("doctor")["checks"]}
    return {name: (checks[name]["status"], checks[name]["detail"]) for name in names}


def test_doctor_looks_at_the_module_its_accounts_and_its_neighbours(
    demo: Demo, marketplace: DemoMarketplace
) -> None:
    found = doctor(demo)

    assert {name: status for name, (status, _) in found.items()} == dict.fromkeys(found, "passed")
    assert found["marketplace module"][1] == (
        "The module shoppingfeed has 1 active account; its orders and their parcels can be read."
    )
    assert found["marketplace states"][1] == "All states that [marketplace] names are there: 4, 5, 6."
    assert found["accounts"][1].startswith(f"{marketplace.url} takes the token; store: ")


@pytest.mark.parametrize(
    ("change", "name", "status", "words"),
    [
        (CONFLICTS["module_syncs"], "other modules", "failed", "synchronises order statuses itself"),
        ("DROP TABLE ps_shoppingfeed_order", "marketplace module", "failed", "is not installed"),
        ("UPDATE ps_shoppingfeed_token SET active = 0", "marketplace module", "failed", "no active account"),
        (
            "UPDATE ps_shoppingfeed_token SET content = 'wrong'",
            "accounts",
            "failed",
            "Account 1 of the module",
        ),
        (
            "DELETE FROM ps_order_state WHERE id_order_state = 5",
            "marketplace states",
            "failed",
            "delivered_states",
        ),
    ],
)
def test_doctor_says_what_would_stop_a_run(
    demo: Demo, change: str, name: str, status: str, words: str
) -> None:
    demo.sql(change)

    found = doctor(demo)

    assert found[name][0] == status
    assert words in found[name][1]


def test_doctor_warns_of_accounts_while_no_state_means_anything(demo: Demo) -> None:
    warned = (
        "warning",
        "The module shoppingfeed has 1 active account, and [marketplace] names no order state: the"
        " marketplace is told of nothing.",
    )
    demo.map_states("")
    assert doctor(demo)["marketplace module"] == warned
    demo.unconfigured()
    assert doctor(demo)["marketplace module"] == warned
    demo.sql("DROP TABLE ps_shoppingfeed_order", "DROP TABLE ps_shoppingfeed_token")
    assert doctor(demo) == dict.fromkeys(
        doctor(demo), ("skipped", "Not configured: [marketplace] says nothing.")
    )


def test_doctor_takes_a_silent_marketplace_on_this_machine_for_the_demos(demo: Demo) -> None:
    demo.map_states(STATES, "http://127.0.0.1:1")

    assert doctor(demo)["accounts"][0] == "warning"


def test_shops_that_are_not_there_are_found_before_a_run(demo: Demo) -> None:
    demo.map_states(f'{STATES}shops = ["NL", "LU"]')

    document = demo.document("config", "check")

    (found,) = [one for one in document["findings"] if one["section"] == "marketplace"]
    assert (found["severity"], found["key"]) == ("error", "shops")
    assert found["message"] == "LU is no shop of this PrestaShop."
