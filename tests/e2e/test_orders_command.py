"""``orders`` and ``refunds`` as people, programs and cron meet them: tables, documents, silence, exit codes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import ANY

import pytest

from tests.demos import TWO_TARGETS, Demos, FreshDemo
from tests.exports import Said

SILENCE = ("", "")


class Demo(FreshDemo):
    """A demo and its orders."""

    def export(self, *arguments: str) -> Said:
        return self.run("orders", "export", *arguments)

    def settle(self, *arguments: str) -> Said:
        return self.run("orders", "settle", *arguments)

    def cron(self, *arguments: str, noun: str = "orders") -> Said:
        return self.run(noun, "export", "--cron", *arguments)

    def imports(self) -> Said:
        """Exact imports what lies there."""
        said = self.program("demo", "import")
        assert said.code == 0, said
        return said

    @property
    def lying(self) -> list[str]:
        return sorted(path.stem for path in self.outbox.glob("orders/??.xml"))

    def lose(self, *names: str) -> None:
        """A reader takes documents, and that is the last of them."""
        for name in names:
            (self.outbox / f"orders/{name}.xml").unlink()

    def after(self, **time: float) -> None:
        self.now += timedelta(**time)

    def only(self, *ids: int) -> None:
        """No other orders."""
        self.sql(f"DELETE FROM ps_orders WHERE id_order NOT IN ({', '.join(map(str, ids))})")


@pytest.fixture
def demo(demos: Demos) -> Demo:
    return demos.fresh(Demo, columns=140)


@pytest.fixture
def narrow(demos: Demos) -> Demo:
    return demos.fresh(Demo, columns=80)


def counts(*numbers: int) -> dict[str, int]:
    names = ("read", "eligible", "pending", "delivered", "unchanged", "skipped", "failed")
    return dict(zip(names, numbers, strict=True))


# --- help ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "example"),
    [
        (["orders"], "Example: brekzsync orders export --dry-run"),
        (["orders", "export"], "Example: brekzsync orders export --limit 10 --dry-run"),
        (["orders", "settle"], "Example: brekzsync orders settle"),
        (["refunds"], "Example: brekzsync refunds export --dry-run"),
        (["refunds", "export"], "Example: brekzsync refunds export --dry-run"),
        (["refunds", "settle"], "Example: brekzsync refunds settle"),
    ],
)
def test_help_ends_with_an_example_that_works(demo: Demo, command: list[str], example: str) -> None:
    helped = demo.run(*command, "--help")

    assert (helped.code, helped.err) == (0, "")
    assert helped.out.rstrip().splitlines()[-1].strip() == example
    assert demo.run(*example.removeprefix("Example: brekzsync ").split()).code in (0, 3)


# --- a person at a terminal ---------------------------------------------------------------------------------


def test_a_person_is_shown_what_went_what_failed_and_what_to_type_next(narrow: Demo) -> None:
    narrow.only(41, 61, 62, 69, 72)
    said = narrow.export()

    assert (said.code, said.err) == (
        3,
        "Documents: demo/outbox/orders (2 unread, listed in index.xml)\n"
        "Next: mend what failed, then: brekzsync --config demo/brekzsync.toml orders export 72\n",
    )
    assert [line.rstrip() for line in said.out.splitlines()] == [
        "Orders → exact",
        "╭───────────────────────────────┬───────╮",
        "│ Orders                        │ Count │",
        "├───────────────────────────────┼───────┤",
        "│ Due                           │     4 │",
        "│   in the ERP already          │     1 │",
        "│     found there just now      │     1 │",
        "│   pending                     │     3 │",
        "│     delivered                 │     2 │",
        "│     failed                    │     1 │",
        "│       unmapped payment method │     1 │",
        "╰───────────────────────────────┴───────╯",
        "Failed",
        "╭────┬─────────────────────────┬───────────────────────────────────────────────╮",
        "│ Id │ Reason                  │ What to do                                    │",
        "├────┼─────────────────────────┼───────────────────────────────────────────────┤",
        "│ 72 │ unmapped_payment_method │ The payment module ps_cashondelivery has no   │",
        '│    │                         │ payment method: add ps_cashondelivery = "…"   │',
        "│    │                         │ to [orders] payment_methods.                  │",
        "╰────┴─────────────────────────┴───────────────────────────────────────────────╯",
    ]


def test_what_is_next_is_said_at_every_stage(demo: Demo) -> None:
    demo.only(61)

    def closing(*arguments: str) -> str:
        said = demo.export(*arguments)
        assert said.code == 0
        return said.err.splitlines()[-1]

    assert closing("-n") == "Next: the same command without --dry-run delivers them."
    assert closing("--limit", "0") == (
        "Next: brekzsync --config demo/brekzsync.toml orders export, for what --limit left."
    )
    assert closing() == (
        "Next: let Exact import them; brekzsync --config demo/brekzsync.toml orders export then finds them there."
    )
    assert closing() == "Nothing new to send: the result of 1 order is awaited."
    demo.imports()
    assert closing() == "Nothing to do: the ERP has everything that may go."


def test_what_was_asked_for_and_is_not_due_says_why(demo: Demo) -> None:
    said = demo.export("69", "70")

    assert said.code == 0
    assert said.err.splitlines()[1:] == [
        "Order 69 was never in a state of [orders] ready_states (2); it is in state 10.",
        "Order 70 is in state 6, one of [orders] dead_states.",
    ]


def test_what_changed_after_its_export_is_shown(demo: Demo) -> None:
    demo.only(61, 62)
    demo.export()
    demo.imports()
    demo.sql("UPDATE ps_orders SET current_state = 6 WHERE id_order = 62")
    demo.sql("UPDATE ps_address SET city = 'Delft' WHERE id_address = 21")

    said = demo.export()

    assert said.code == 0
    assert [row[:2] for row in said.rows if row[0] in ("61", "62")] == [
        ["62", "canceled_after_export"],
        ["61", "changed_after_export"],
    ]


@pytest.mark.parametrize("word", ["x", "0", "-1", "12-0", "1.5", "12345678901", "1" * 5000, "٣", "' OR 1=1"])
@pytest.mark.parametrize("command", [["orders", "export"], ["refunds", "export"]])
def test_what_is_no_id_is_told_as_such(demo: Demo, command: list[str], word: str) -> None:
    said = demo.run(*command, "--json", "--", word)

    assert (said.code, said.document["error"]["code"]) == (2, "malformed_id")


def test_an_unknown_id_exports_nothing(demo: Demo) -> None:
    said = demo.export("61", "9999", "--json")

    assert said.code == 2
    assert said.document["error"] == {
        "code": "unknown_id",
        "message": "The shop has no order 9999; nothing was exported.",
        "hint": "Give ids of orders as the shop's back office shows them.",
    }
    assert demo.lying == []


@pytest.mark.parametrize("options", [["--limit", "3"], ["--force"]])
def test_a_baseline_delivers_nothing_and_takes_no_such_options(demo: Demo, options: list[str]) -> None:
    said = demo.export("--baseline", *options)

    assert said.code == 2
    assert "--baseline delivers nothing: it takes neither --limit nor --force." in said.err


# --- JSON ---------------------------------------------------------------------------------------------------


def test_a_program_is_given_one_document(demo: Demo) -> None:
    demo.only(41, 61, 72)
    said = demo.export("--json")

    assert (said.code, said.document) == (
        3,
        {
            "schema_version": 1,
            "command": "orders export",
            "ok": False,
            "run_id": ANY,
            "target": "exact",
            "dry_run": False,
            "counts": counts(3, 3, 2, 1, 1, 0, 1),
            "reasons": {"found_in_erp": 1, "unmapped_payment_method": 1},
            "warnings": {},
            "read_back": {"settled": 0, "released": 0, "unknown": 0},
            "erp_trouble": None,
            "output": str(demo.outbox / "orders"),
            "indexed": 1,
            "noticed": [],
            "failures": [{"key": "72", "reason": "unmapped_payment_method", "message": ANY}],
            "error": {
                "code": "records_failed",
                "message": "1 of 2 pending orders failed.",
                "hint": "Each failure names what to mend; the next run takes them along.",
            },
        },
    )


def test_a_baseline_counts_what_it_took(demo: Demo) -> None:
    said = demo.export("--baseline", "--json")

    assert (said.code, said.document["baselined"], said.document["counts"]) == (
        0,
        18,
        counts(18, 18, 0, 0, 18, 0, 0),
    )


def test_several_targets_are_summed_and_listed(demo: Demo) -> None:
    demo.only(61)
    demo.configure(TWO_TARGETS)
    said = demo.export("--json")

    assert (said.code, said.document["counts"]) == (0, counts(2, 2, 2, 2, 0, 0, 0))
    assert [one["target"] for one in said.document["targets"]] == ["first", "second"]
    assert demo.export("--json", "--target", "first").document["counts"] == counts(1, 1, 1, 0, 0, 0, 0)


# --- what is in the way -------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", ["order", "refund"])
def test_a_flow_switched_off_does_nothing_and_says_so(demo: Demo, flow: str) -> None:
    demo.export("41")
    demo.run("flows", "disable", flow, "--reason", "stocktaking")
    said = demo.run(f"{flow}s", "export", "61" if flow == "order" else "1", "--json")

    assert said.code == 0
    assert (said.document["disabled"], said.document["run_id"]) == (True, None)
    assert said.document["counts"] == counts(0, 0, 0, 0, 0, 0, 0)
    assert demo.cron(noun=f"{flow}s")[1:] == SILENCE
    assert demo.run(f"{flow}s", "export", "-n", "--json").document["counts"]["delivered"] > 0
    assert demo.lying == []


def test_orders_that_are_fetched_over_http_are_not_written(demo: Demo) -> None:
    demo.replace("[orders]", '[orders]\nchannel = "http"')
    said = demo.export("--json")

    assert (said.code, said.document["error"]["code"]) == (78, "other_channel")
    assert demo.export("--json", "-n").document["counts"]["delivered"] == 8
    assert demo.export("--json", "--baseline").document["baselined"] == 18


def test_a_configuration_without_a_word_about_orders_sends_none(demo: Demo) -> None:
    text = demo.config.read_text(encoding="utf-8")
    before, _, after = text.partition("[orders]")
    demo.config.write_text(before + after[after.index("\n[") + 1 :], encoding="utf-8")

    for noun in ("orders", "refunds"):
        said = demo.run(noun, "export")
        assert (said.code, said.out) == (0, "")
        assert said.err.startswith(f"{noun.capitalize()} → exact: [orders] is empty in the configuration")
        document = demo.run(noun, "export", "--json").document
        assert (document["ok"], document["configured"], document["run_id"]) == (True, False, None)
        assert demo.cron(noun=noun) == (0, *SILENCE)
    assert demo.lying == []


def test_an_unknown_past_needs_a_word(demo: Demo) -> None:
    demo.replace("[orders]", "[orders]\nfirst_run_limit = 5")
    said = demo.export("61", "--json")

    assert (said.code, said.document["error"]["code"]) == (78, "needs_baseline")
    assert demo.lying == []
    assert demo.export("--force", "--json").document["counts"]["delivered"] == 8


# --- cron ---------------------------------------------------------------------------------------------------


def test_cron_hears_of_a_failure_once(demo: Demo) -> None:
    demo.only(61, 72, 73)
    first, second = demo.cron(), demo.cron()

    assert (first.code, first.err) == (3, "")
    assert first.out.splitlines()[:2] == [
        "orders → exact: 2 newly failed, 2 in all.",
        "  72  unmapped_payment_method: The payment module ps_cashondelivery has no payment method: add"
        ' ps_cashondelivery = "…" to [orders] payment_methods.',
    ]
    assert (second.code, *second[1:]) == (3, *SILENCE)


def test_cron_is_silent_while_all_is_well_and_says_so_once_a_day(demo: Demo) -> None:
    demo.only(61, 69)
    assert demo.cron() == Said(0, *SILENCE)
    demo.imports()
    assert demo.cron() == Said(0, *SILENCE)
    demo.after(days=1)

    assert demo.cron() == Said(
        0, "orders → exact: 1 read, 1 eligible, 1 unchanged, 0 exported in this run, 0 failing.\n", ""
    )
    assert demo.cron() == Said(0, *SILENCE)


def test_cron_hears_of_a_change_after_export_once(demo: Demo) -> None:
    demo.only(61)
    demo.export()
    demo.imports()
    demo.export()
    demo.sql("UPDATE ps_orders SET current_state = 6 WHERE id_order = 61")

    assert demo.cron() == Said(
        0,
        "orders → exact: 1 changed in the shop after they were exported.\n"
        "  61  The shop canceled it (state 6), after it was exported: cancel it in Exact by hand.\n",
        "",
    )
    assert demo.cron() == Said(0, *SILENCE)


def test_cron_hears_once_of_an_order_nobody_knows_about(demo: Demo) -> None:
    nobody_knows(demo)

    first, second = demo.cron(), demo.cron()

    assert (first.code, first.out) == (
        3,
        "orders → exact: 1 newly failed, 1 in all.\n"
        "  61  outcome_unknown: Nobody knows what became of it: `brekzsync logs show 61 --type order` says what to look"
        " for in Exact, then `brekzsync orders settle 61 --sent` or `--resend`.\n",
    )
    assert (second.code, *second[1:]) == (3, *SILENCE)


def test_cron_hears_it_once_also_where_it_looks_before_it_exports(demo: Demo) -> None:
    nobody_knows(demo)
    rounds = [[demo.settle("--cron"), demo.cron()] for _ in range(2)]

    assert [[said.code for said in both] for both in rounds] == [[3, 3]] * 2
    assert "".join(said.out for both in rounds for said in both) == (
        "orders → exact: Nobody knows what became of order 61: brekzsync --config demo/brekzsync.toml"
        " logs show 61 --type order\n"
    )


def test_cron_hears_once_of_a_shop_that_is_away_though_it_looks_in_between(demo: Demo) -> None:
    demo.only(61)
    demo.export()
    (demo.folder / "demo/shop.db").rename(demo.folder / "demo/away.db")

    rounds = [(demo.settle("--cron"), demo.cron()) for _ in range(3)]

    assert [settled for settled, _ in rounds] == [Said(0, *SILENCE)] * 3
    assert [exported.code for _, exported in rounds] == [rounds[0][1].code] * 3 != [0] * 3
    assert [bool(exported.out + exported.err) for _, exported in rounds] == [True, False, False]


def nobody_knows(demo: Demo) -> None:
    """Order 61 was taken, its time is over, and there is no ERP to ask."""
    demo.only(61)
    demo.export()
    demo.lose("61")
    demo.export()
    demo.after(hours=2)
    demo.replace('database = "sqlite:///erp.db"', "# none")


# --- what became of orders ----------------------------------------------------------------------------------


def test_settle_looks_everything_up(demo: Demo) -> None:
    demo.only(61, 62, 63)
    demo.export()
    demo.lose("62")
    demo.settle()
    demo.after(hours=2)
    demo.lose("63")
    demo.sql(
        "INSERT INTO orkrg (ordernr, ord_soort, docnumber, afgehandld, fiattering)"
        " VALUES ('  240001', 'V', 'QMXPLTRWE-61', 0, 'J')",
        database="erp",
    )

    said = demo.settle("--json")

    assert (said.code, said.document["records"]) == (
        0,
        [
            {
                "type": "order",
                "target": "exact",
                "settled": ["61"],
                "released": ["62"],
                "unknown": [],
                "waiting": 1,
            },
            {
                "type": "refund",
                "target": "exact",
                "settled": [],
                "released": [],
                "unknown": [],
                "waiting": 0,
            },
        ],
    )
    assert demo.lying == [], "what Exact has is taken out of the outbox"


def test_settle_says_of_what_nobody_knows(demo: Demo) -> None:
    nobody_knows(demo)

    said = demo.settle()
    document = demo.settle("--json")

    assert said.code == document.code == 3
    assert (
        "Nobody knows what became of order 61: brekzsync --config demo/brekzsync.toml logs show 61"
        in said.err
    )
    assert "outcome_unknown" in document.out
    shown = demo.run("logs", "show", "61", "--type", "order")
    assert "brekzsync orders settle 61 --sent, or --resend." in " ".join(shown.out.split())


def test_settle_before_anything_ran_has_nothing_to_do(demo: Demo) -> None:
    demo.lose_state()
    assert demo.settle("--json").code == 0
    assert not (demo.folder / "demo/state.db").exists()


@pytest.mark.parametrize("arguments", [["61"], ["--sent"], ["--resend"], ["61", "--sent", "--resend"]])
def test_settle_wants_ids_and_one_decision(demo: Demo, arguments: list[str]) -> None:
    assert demo.settle(*arguments).code == 2


def test_a_person_says_that_it_is_there(demo: Demo) -> None:
    nobody_knows(demo)

    dry = demo.settle("61", "--sent", "--dry-run")
    said = demo.settle("61", "--sent", "--json")

    assert (dry.code, dry.err) == (0, "Would: Order 61 counts as sent (QMXPLTRWE-61).\n")
    assert said.document["records"] == [
        {"id": "61", "became": "settled", "message": "Order 61 counts as sent (QMXPLTRWE-61)."}
    ]
    assert demo.export("--json").document["counts"] == counts(1, 1, 0, 0, 1, 0, 0)


def test_a_person_has_it_sent_again(demo: Demo) -> None:
    nobody_knows(demo)

    assert demo.settle("61", "--resend").err == "Order 61 is sent again by the next run.\n"
    assert demo.export("--json").document["counts"] == counts(1, 1, 1, 1, 0, 0, 0)
    assert demo.lying == ["61"]


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (lambda demo: demo.export(), "lies_unread"),
        (lambda demo: (demo.export(), demo.imports()), "in_erp"),
        (lambda demo: demo.only(62), "unknown_id"),
    ],
)
def test_what_may_be_in_exact_is_not_sent_again(demo: Demo, prepare: Any, code: str) -> None:
    demo.export("62")
    prepare(demo)
    said = demo.settle("61", "--resend", "--json")

    assert (said.code, said.document["error"]["code"]) == (2, code)


def test_with_several_targets_a_decision_needs_one(demo: Demo) -> None:
    demo.only(61)
    demo.configure(TWO_TARGETS)
    demo.export()

    said = demo.settle("61", "--sent")
    assert (said.code, "There are 2 targets: first, second." in said.err) == (2, True)
    assert demo.settle("61", "--sent", "--target", "second").code == 0
    assert [(demo.folder / f"demo/{name}/orders/61.xml").exists() for name in ("first", "second")] == [
        True,
        False,
    ]
