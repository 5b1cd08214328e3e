"""``shipments`` as people, programs and cron meet it: tables, documents, silence, exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from brekzsync.demo.webservice.server import DemoWebservice
from tests.demos import TWO_TARGETS, Demos, FreshDemo
from tests.exports import Said
from tests.shipping import KEY

SILENCE = ("", "")
PROGRAM = "brekzsync --config demo/brekzsync.toml"
IN_USE = '\n[shipments]\ntracking = "orhkrg.ExternalNumber"\n'


class Demo(FreshDemo):
    """A demo that delivered one order whole, with a number, and whose shop is further with another."""

    def imports(self, *arguments: str) -> Said:
        return self.run("shipments", "import", *arguments)

    def cron(self, *arguments: str) -> Said:
        return self.imports("--cron", *arguments)

    def deliver(self, number: str = "3SBREK001") -> None:
        """Exact delivers the rest of order 52."""
        self.sql(
            "UPDATE orsrg SET aant_gelev = esr_aantal WHERE ordernr LIKE '%230023'",
            f"UPDATE orhkrg SET ExternalNumber = '{number}' WHERE docnumber LIKE '%-52'",
            "UPDATE orhkrg SET ExternalNumber = NULL WHERE docnumber LIKE '%-41'",
            database="erp",
        )

    def unconfigured(self) -> None:
        """Nobody says anything of shipments."""
        text = self.config.read_text(encoding="utf-8")
        self.config.write_text(re.sub(r"\n\[shipments\][^\[]*", "\n", text), encoding="utf-8")

    def document(self, *arguments: str) -> dict[str, Any]:
        said = self.imports("--json", *arguments)
        document: dict[str, Any] = json.loads(said.out)
        return document | {"exit": said.code}


@pytest.fixture
def demo(demos: Demos, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    made = demos.fresh(Demo, columns=80)
    made.unconfigured()
    made.configure(IN_USE)
    made.deliver()
    with DemoWebservice(f"sqlite:///{made.folder / 'demo/shop.db'}", key=KEY) as webservice:
        monkeypatch.setenv("BREKZSYNC_SHOP__WEBSERVICE_URL", webservice.address)
        monkeypatch.setenv("BREKZSYNC_SHOP__WEBSERVICE_KEY", KEY)
        yield made


def counts(*numbers: int) -> dict[str, int]:
    names = ("read", "eligible", "pending", "delivered", "unchanged", "skipped", "failed")
    return dict(zip(names, numbers, strict=True))


@pytest.mark.parametrize("command", [["shipments"], ["shipments", "import"]])
def test_help_ends_with_an_example_that_works(demo: Demo, command: list[str]) -> None:
    helped = demo.run(*command, "--help")

    assert (helped.code, helped.err) == (0, "")
    example = "Example: brekzsync shipments import --dry-run"
    assert helped.out.rstrip().splitlines()[-1].strip() == example
    assert demo.run(*example.removeprefix("Example: brekzsync ").split()).code == 0


def test_a_person_is_shown_what_went_and_what_to_look_at(demo: Demo) -> None:
    said = demo.imports()

    assert (said.code, said.err.splitlines()[-1]) == (
        0,
        f"Next: {PROGRAM} logs list --type shipment says of which orders the warnings are.",
    )
    assert said.out.splitlines() == [
        "Shipments ← exact",
        "╭──────────────────────────────────────┬───────╮",
        "│ Shipments                            │ Count │",
        "├──────────────────────────────────────┼───────┤",
        "│ Of orders of the shop                │     2 │",
        "│   in the shop already                │     0 │",
        "│   pending                            │     2 │",
        "│     imported                         │     2 │",
        "│     failed                           │     0 │",
        "│ Warning: the shop is further already │     1 │",
        "╰──────────────────────────────────────┴───────╯",
    ]
    assert demo.imports().err.splitlines()[-1] == (
        "Nothing to do: the shop knows of everything the ERP delivered."
    )


def test_what_failed_is_told_with_what_to_do_and_mended_by_the_command_given(demo: Demo) -> None:
    demo.deliver("3S&<x>")
    said = demo.imports()

    command = f"{PROGRAM} shipments import 52"
    assert (said.code, said.err.splitlines()[-1]) == (3, f"Next: mend what failed, then: {command}")
    assert said.out.splitlines()[-8:] == [
        "Failed",
        "╭───────┬─────────────────────────┬────────────────────────────────────────────╮",
        "│ Order │ Reason                  │ What to do                                 │",
        "├───────┼─────────────────────────┼────────────────────────────────────────────┤",
        "│ 52    │ tracking_number_refused │ The tracking number 3S&<x> has characters  │",
        "│       │                         │ that the shop does not take. Correct it in │",
        "│       │                         │ Exact, or type another into the shop.      │",
        "╰───────┴─────────────────────────┴────────────────────────────────────────────╯",
    ]
    demo.deliver("3S1")
    assert demo.pasted(command).code == 0


def test_a_dry_run_says_what_would_happen_and_the_run_does_that(demo: Demo) -> None:
    looked, done, again = demo.document("-n"), demo.document(), demo.document()

    assert (looked["counts"], looked["dry_run"]) == (counts(2, 2, 2, 2, 0, 0, 0), True)
    assert (done["counts"], done["warnings"]) == (looked["counts"], {"state_is_beyond": 1})
    assert again["counts"] == counts(2, 2, 0, 0, 2, 0, 0)
    assert {"exit": 0, "ok": True, "command": "shipments import", "target": "exact"}.items() <= done.items()
    assert done["output"] is None


def test_ids_are_orders_and_why_one_does_not_go_is_said(demo: Demo) -> None:
    said = demo.imports("61", "52")

    assert said.code == 0
    assert said.err.splitlines()[-1] == "Order 61 (QMXPLTRWE-61) has no delivery in the ERP."
    for word, code in (("x", "malformed_id"), ("0", "malformed_id"), ("999", "unknown_id")):
        wrong = demo.document("52", word)
        assert (wrong["exit"], wrong["error"]["code"]) == (2, code)


def test_a_baseline_takes_what_is_there(demo: Demo) -> None:
    said = demo.imports("--baseline")

    assert said.code == 0
    assert [line for line in said.out.splitlines() if "taken" in line] == [
        "│   taken as imported   │     2 │"
    ]
    assert demo.document()["counts"] == counts(2, 2, 0, 0, 2, 0, 0)
    assert demo.imports("--baseline", "--force").code == 2


def test_an_empty_ledger_and_much_to_do_need_a_word(demo: Demo) -> None:
    demo.configure("first_run_limit = 1\n")

    assert [demo.document(*words)["exit"] for words in ((), ("-n",), ("--force",))] == [78, 78, 0]


# --- when it does not run -------------------------------------------------------------------------------------


def test_without_a_word_in_the_configuration_nothing_is_done(demo: Demo) -> None:
    demo.unconfigured()
    said = demo.imports()

    assert (said.code, said.out) == (0, "")
    assert "[shipments] is empty in the configuration, so nothing was read or written." in said.err
    assert (demo.document()["configured"], demo.document()["counts"]) == (False, counts(0, 0, 0, 0, 0, 0, 0))
    assert demo.cron()[1:] == SILENCE


def test_a_flow_that_is_off_does_nothing_and_says_how_to_switch_it_on(demo: Demo) -> None:
    demo.imports("--limit", "0")
    assert demo.run("flows", "disable", "shipment", "--reason", "stocktaking").code == 0
    said = demo.imports()

    assert (said.code, said.out) == (0, "")
    command = said.err.rpartition("until: ")[2].strip()
    assert demo.document()["disabled"] is True
    assert demo.document("-n")["counts"]["delivered"] == 2
    assert demo.pasted(command).code == 0
    assert demo.document()["counts"]["delivered"] == 2


def test_a_webservice_nobody_configured_is_a_matter_of_configuration(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREKZSYNC_SHOP__WEBSERVICE_KEY", "")
    document = demo.document()

    assert (document["exit"], document["error"]["code"]) == (78, "webservice_not_configured")
    assert document["error"]["message"].endswith("and [shop] webservice_key is empty.")
    assert demo.document("-n")["exit"] == 0


def test_a_column_for_numbers_that_is_not_there_is_named(demo: Demo) -> None:
    demo.replace("orhkrg.ExternalNumber", "orkrg.elsewhere")
    document = demo.document()

    assert (document["exit"], document["error"]["code"]) == (78, "tracking_column_missing")


def test_an_erp_that_is_away_changes_nothing(demo: Demo) -> None:
    (demo.folder / "demo/erp.db").unlink()

    assert demo.document()["exit"] in (69, 78)


# --- cron -----------------------------------------------------------------------------------------------------


def test_cron_is_silent_until_something_new_fails_and_says_so_once(demo: Demo) -> None:
    demo.imports("--limit", "0")
    demo.deliver("3S&<x>")
    first, second = demo.cron(), demo.cron()

    assert (first.code, second.code, second[1:]) == (3, 3, SILENCE)
    assert (first.out + first.err).splitlines()[0] == "shipments → exact: 1 newly failed, 1 in all."
    demo.deliver("3S1")
    assert demo.cron() == (0, *SILENCE)
    demo.now += timedelta(days=1)
    summary = demo.cron()
    assert "shipments" in summary.out + summary.err


def test_cron_says_an_error_once(demo: Demo) -> None:
    demo.imports("--limit", "0")
    demo.replace("orhkrg.ExternalNumber", "orkrg.elsewhere")
    first, second = demo.cron(), demo.cron()

    assert (first.code, second.code) == (78, 78)
    assert "elsewhere" in first.out + first.err
    assert second[1:] == SILENCE


# --- more than one target -------------------------------------------------------------------------------------


def test_several_targets_are_imported_in_turn(demo: Demo) -> None:
    demo.configure(TWO_TARGETS)
    document = demo.document()

    assert (document["exit"], document["counts"]) == (0, counts(4, 4, 4, 4, 0, 0, 0))
    assert [one["target"] for one in document["targets"]] == ["first", "second"]
    assert demo.document("--target", "second")["counts"] == counts(2, 2, 0, 0, 2, 0, 0)


# --- the logs -------------------------------------------------------------------------------------------------


def test_the_logs_tell_of_shipments(demo: Demo) -> None:
    demo.imports()
    said = demo.run("--json", "logs", "list", "--type", "shipment")
    records = {one["key"]: one for one in json.loads(said.out)["records"]}

    assert {key: (one["status"], one["reason"]) for key, one in records.items()} == {
        "41": ("synced", "state_is_beyond"),
        "52": ("synced", None),
    }
    assert "ASDFGHJKL-52" in records["52"]["info"]
    assert "state 4, 3SBREK001" in records["52"]["info"]
    assert "state" not in records["41"]["info"], "nothing was moved"
