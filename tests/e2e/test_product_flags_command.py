"""``products force-sync``, ``exclude``, ``include`` and ``exclusions``, as people and programs meet them."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from brekzsync.domain.exclusions import Exclusion
from tests.demos import Demos, FreshDemo
from tests.exports import NOW, Said

ROOT = Path(__file__).resolve().parents[2]
SINCE = "2026-11-21T12:00:00Z"
RECALLED = {
    "key": "2-202",
    "reference": "HB-ZW-M",
    "by": "purchasing",
    "at": SINCE,
    "reason": "Recalled by the maker: the buckle opens under load",
}
ON_REQUEST = {
    "key": "2-203",
    "reference": "HB-ZW-L",
    "by": "purchasing",
    "at": SINCE,
    "reason": "Sold on request only, not through the ERP",
}
DELIVERED_DIRECTLY = {
    "key": "3",
    "reference": None,
    "by": "logistics",
    "at": SINCE,
    "reason": "Delivered by the maker directly",
}


class Demo(FreshDemo):
    """A demo whose outbox somebody reads."""

    def products(self, *arguments: str) -> Said:
        return self.run("products", *arguments)

    def exported(self, *arguments: str) -> set[str]:
        """The keys of what a run left in the outbox, which is then emptied."""
        self.products("export", *arguments)
        return self.take()

    def ledger(self, *keys: tuple[int, int]) -> list[tuple[str, str | None, bool, int, int]]:
        """Status, reason, whether something is acknowledged, and the forces acknowledged and asked for."""
        with self.state() as opened:
            return [
                (
                    row.status,
                    row.reason,
                    row.fingerprint is not None,
                    row.force_acknowledged,
                    row.force_requested,
                )
                for row in opened.ledger("product", "exact").rows_for(keys)
            ]

    @property
    def listed(self) -> list[dict[str, Any]]:
        """What `products exclusions` lists."""
        exclusions: list[dict[str, Any]] = self.products("exclusions", "--json").document["exclusions"]
        return exclusions


@pytest.fixture
def demo(demos: Demos, monkeypatch: pytest.MonkeyPatch) -> Demo:
    monkeypatch.setenv("SUDO_USER", "ann")
    return demos.fresh(Demo, columns=140)


def table(said: Said) -> dict[str, str]:
    """The cells of a table by the first of their row, folded lines put together."""
    whole: dict[str, str] = {}
    last = ""
    for first, *rest in said.rows:
        last = first or last
        whole[last] = " ".join(filter(None, (whole.get(last, ""), *rest)))
    return whole


# --- force-sync --------------------------------------------------------------------------------------------


def test_what_is_forced_goes_out_once_more_though_nothing_changed(demo: Demo) -> None:
    demo.exported()
    said = demo.products("force-sync", "1-101", "7")
    assert (said.code, table(said)) == (
        0,
        {
            "Key": "Item code What happens",
            "1-101": "LL-NW-RD-M Goes out with the next export.",
            "7-0": "EEND Goes out with the next export.",
        },
    )
    assert said.err == (
        "Next: wait for cron, or send now: brekzsync --config demo/brekzsync.toml products export 1-101 7-0\n"
    )
    assert (demo.exported(), demo.exported()) == ({"1-101", "7-0"}, set())


def test_forcing_again_before_it_was_sent_changes_nothing(demo: Demo) -> None:
    demo.exported()
    documents = [demo.products("force-sync", "7-0", "--json").document for _ in range(2)]
    assert [one["forced"][0]["already"] for one in documents] == [False, True]
    assert demo.ledger((7, 0)) == [("pending", "queued", True, 0, 1)]
    assert table(demo.products("force-sync", "7-0"))["7-0"] == (
        "EEND Was asked for already: goes out with the next export."
    )


def test_a_dry_run_of_forcing_says_the_same_and_writes_nothing(demo: Demo) -> None:
    demo.exported()
    dry = demo.products("force-sync", "1", "12", "--json", "-n").document_beside_warnings
    told = demo.products("force-sync", "1-101", "-n")
    assert demo.ledger((1, 101)) == [("synced", None, True, 0, 0)]
    assert table(told)["1-101"] == "LL-NW-RD-M Would go out with the next export."
    assert "dry run: nothing written" in told.out
    assert told.err == ""
    real = demo.products("force-sync", "1", "12", "--json").document_beside_warnings
    assert (dry.pop("dry_run"), real.pop("dry_run"), dry) == (True, False, real)


def test_forcing_tells_everything_that_is_still_in_the_way_with_its_remedy(demo: Demo) -> None:
    demo.sql(
        "UPDATE ps_product_shop SET active = 0 WHERE id_product = 2 AND id_shop = 1",
        "INSERT INTO ps_pack (id_product_pack, id_product_item, id_product_attribute_item) VALUES (4, 2, 202)",
    )
    said = demo.products("force-sync", "2-202", "12", "--json")
    assert said.code == 0
    blocked, incomplete = said.document_beside_warnings["forced"]
    assert blocked == {
        "target": "exact",
        "key": "2-202",
        "item_code": "HB-ZW-M",
        "earlier_code": None,
        "already": False,
        "blockers": [
            {
                "code": "not_excluded",
                "detail": "It was excluded by purchasing on 2026-11-21 12:00 UTC: Recalled by the maker: the buckle"
                " opens under load.",
            },
            {
                "code": "not_bundle_component",
                "detail": 'It is a component of bundle 4 "Puppypakket Eerste Week".',
            },
            {
                "code": "active_in_data_shop",
                "detail": "It is not active in shop NL; it is active in BE and DE.",
            },
        ],
        "missing": [],
        "remedies": blocked["remedies"],
    }
    assert [step["command"] for step in blocked["remedies"]] == ["products include 2-202", None, None]
    assert (incomplete["key"], incomplete["blockers"]) == ("12-0", [])
    assert [one["reason"] for one in incomplete["missing"]] == ["missing_price"]
    first, second = said.err.splitlines()
    assert first.startswith("Warning: 2-202 cannot go yet. It was excluded by purchasing")
    assert "brekzsync --config demo/brekzsync.toml products include 2-202" in first
    assert second.startswith("Warning: 12-0 cannot go yet. The price excl. tax is 0")


def test_combinations_with_the_same_in_their_way_are_told_together(demo: Demo) -> None:
    demo.products("exclude", "1")
    said = demo.products("force-sync", "1")
    assert said.err.startswith("Warning: 1-101, 1-102, 1-103, 1-104 cannot go yet. Product 1 was excluded")


def test_of_what_is_not_in_the_data_shop_only_that_is_told(demo: Demo) -> None:
    (one,) = demo.products("force-sync", "10", "--json").document_beside_warnings["forced"]
    assert ([blocker["code"] for blocker in one["blockers"]], one["missing"]) == (["active_in_data_shop"], [])


def test_a_force_of_what_may_not_go_survives_until_it_may(demo: Demo) -> None:
    demo.exported()
    demo.products("force-sync", "2-202", "8-0")
    assert demo.exported() == set()
    assert demo.ledger((2, 202), (8, 0)) == [("pending", "queued", False, 0, 1)] * 2
    demo.products("include", "2-202")
    demo.sql("UPDATE ps_product_shop SET active = 1 WHERE id_product = 8")
    assert demo.exported() == {"2-202", "8-0"}
    assert demo.ledger((2, 202), (8, 0)) == [("synced", None, True, 1, 1)] * 2


def test_a_changed_code_is_let_through_and_said_to_be_a_second_item(demo: Demo) -> None:
    demo.exported()
    demo.sql("UPDATE ps_product SET reference = 'EEND-2' WHERE id_product = 7")
    assert demo.exported() == set()
    said = demo.products("force-sync", "7")
    assert table(said)["7-0"] == (
        "EEND-2 Goes out with the next export, under its new code: Exact keeps EEND as an item of its own."
    )
    assert demo.exported() == {"7-0"}


@pytest.mark.parametrize(
    ("ids", "code", "message"),
    [
        (["7", "999"], "unknown_id", "The shop has no product or combination with id 999; nothing was"),
        (["7", "seven"], "malformed_id", "'seven' is not an id"),
        (["--by", "reference", "EEND", " "], "unknown_id", "The shop has no product or combination with"),
    ],
)
@pytest.mark.parametrize("command", ["force-sync", "exclude", "include"])
def test_one_word_that_names_nothing_stops_all(
    demo: Demo, command: str, ids: list[str], code: str, message: str
) -> None:
    before = demo.listed
    said = demo.products(command, *ids, "--json")
    assert (said.code, said.document["ok"], said.document["error"]["code"]) == (2, False, code)
    assert said.document["error"]["message"].startswith(message)
    assert (demo.ledger((7, 0)), demo.listed) == ([], before)
    assert not demo.outbox.exists()


def test_several_targets_are_forced_together_or_one_alone(demo: Demo) -> None:
    demo.configure('[targets.first]\n[targets.second]\nproducts = { channel = "http" }\n')
    both = demo.products("force-sync", "7", "--json").document["forced"]
    one = demo.products("force-sync", "7", "--target", "second", "--json").document["forced"]
    assert [(each["target"], each["already"]) for each in (*both, *one)] == [
        ("first", False),
        ("second", False),
        ("second", True),
    ]
    told = demo.products("force-sync", "7", "--target", "second")
    assert table(told)["7-0"] == "EEND Was asked for already: goes out with Exact's next pull."
    assert demo.products("force-sync", "7", "--target", "third").code == 78


def test_forcing_for_one_target_goes_on_with_that_one(demo: Demo) -> None:
    demo.configure('[targets.first]\nproducts = { output = "first" }\n[targets.second]\n')
    said = demo.products("force-sync", "7", "--target", "second").err
    assert said.endswith("products export 7-0 --target second\n")


def test_what_has_the_item_code_of_another_is_not_said_to_go_out(demo: Demo) -> None:
    said = demo.products("force-sync", "36", "7")
    assert table(said) == {
        "Key": "Item code What happens",
        "7-0": "EEND Goes out with the next export.",
        "36-0": "kauwbot-s Goes out once no other has its item code.",
    }
    assert said.err.startswith(
        "Warning: 36-0 cannot go yet. Item code 'kauwbot-s' is also that of 35-3501: give each"
    )
    assert said.err.endswith("products export 7-0\n")


def test_forcing_while_the_flow_is_switched_off_says_so(demo: Demo) -> None:
    demo.run("flows", "disable", "product")
    said = demo.products("force-sync", "7")
    assert (said.code, said.err) == (
        0,
        "Warning: The flow product → exact is switched off: nothing goes out until brekzsync --config"
        " demo/brekzsync.toml flows enable product --target exact\n",
    )


# --- exclude -----------------------------------------------------------------------------------------------


def test_what_is_excluded_is_withdrawn_unread_and_stays_out(demo: Demo) -> None:
    demo.products("export")
    said = demo.products("exclude", "1", "2-201", "--reason", "  sold out ")
    assert (said.code, table(said)) == (
        0,
        {
            "Id": "What happens",
            "1": "Is kept out: 4 combinations, and all it will ever get.",
            "2-201": "Is kept out, and so is whatever else gets the reference HB-ZW-S.",
        },
    )
    assert said.err == (
        "Withdrew 5 unread documents from the outbox of exact.\n"
        "What Exact imported earlier stays there: block the item in Exact if it must go.\n"
    )
    assert not {key for key in demo.unread if key.startswith(("1-", "2-"))}
    assert "1-101" not in (demo.outbox / "index.xml").read_text(encoding="utf-8")
    assert demo.ledger((1, 101), (2, 201)) == [("synced", "became_not_excluded", False, 0, 0)] * 2
    assert demo.listed == [
        {"key": "1", "reference": None, "by": "ann", "at": SINCE, "reason": "sold out"},
        {"key": "2-201", "reference": "HB-ZW-S", "by": "ann", "at": SINCE, "reason": "sold out"},
        RECALLED,
        ON_REQUEST,
        DELIVERED_DIRECTLY,
    ]
    demo.take()
    demo.sql(
        "UPDATE ps_product_attribute SET id_product_attribute = 299 WHERE id_product_attribute = 201",
        "UPDATE ps_product_attribute_shop SET id_product_attribute = 299 WHERE id_product_attribute = 201",
        "UPDATE ps_product_attribute SET id_product_attribute = 199 WHERE id_product_attribute = 104",
        "UPDATE ps_product_attribute_shop SET id_product_attribute = 199 WHERE id_product_attribute = 104",
    )
    assert demo.exported("--full", "1", "2") == set()


def test_excluding_again_changes_nothing_but_another_reason_does(demo: Demo) -> None:
    said = demo.products("exclude", "2-202", "--who", "bob")
    assert table(said)["2-202"] == (
        "Was excluded already by purchasing on 2026-11-21 12:00 UTC: Recalled by the maker: the buckle opens under"
        " load."
    )
    again = demo.products("exclude", "2-202", "--who", "bob", "--reason", RECALLED["reason"], "--json")
    assert demo.listed == [RECALLED, ON_REQUEST, DELIVERED_DIRECTLY]
    (one,) = again.document["excluded"]
    assert one == {
        **RECALLED,
        "already": True,
        "changed": False,
        "combinations": ["2-202"],
        "reference_shared_with": [],
    }
    changed = demo.products("exclude", "2-202", "--who", "bob", "--reason", "melts")
    assert table(changed)["2-202"].endswith(
        "The reason is now: melts. Is kept out, and so is whatever else gets the reference HB-ZW-M."
    )
    assert demo.listed[0] == RECALLED | {"by": "bob", "reason": "melts"}


def test_excluding_again_under_a_new_reference_keeps_who_did_it_and_why(demo: Demo) -> None:
    demo.sql("UPDATE ps_product_attribute SET reference = 'HB-NEW' WHERE id_product_attribute = 202")
    demo.products("exclude", "2-202", "--who", "bob")
    assert demo.listed[0] == RECALLED | {"reference": "HB-NEW"}


def test_a_dry_run_of_excluding_says_the_same_and_writes_nothing(demo: Demo) -> None:
    demo.products("export")
    before, unread = demo.listed, demo.unread
    dry = demo.products("exclude", "1", "7-0", "-n", "--json").document
    told = demo.products("exclude", "7-0", "-n")
    assert (demo.listed, demo.unread) == (before, unread)
    assert table(told)["7-0"] == "Would be kept out, and so is whatever else gets the reference EEND."
    assert told.err == "Would withdraw 1 unread document from the outbox of exact.\n"
    real = demo.products("exclude", "1", "7-0", "--json").document
    assert (dry.pop("dry_run"), real.pop("dry_run"), dry) == (True, False, real)
    assert real["outboxes"] == [{"target": "exact", "withdrawn": 5, "bulk_documents": [], "postponed": None}]


def test_excluding_before_anything_was_exported_leaves_no_outbox(demo: Demo) -> None:
    assert demo.products("exclude", "7-0").code == 0
    assert not demo.outbox.exists()


def test_a_reference_others_have_is_not_remembered_lest_they_go_too(demo: Demo) -> None:
    demo.sql(
        "UPDATE ps_product_attribute SET reference = ' ll-nw-rd-m' WHERE id_product_attribute = 103",
        "UPDATE ps_product SET reference = 'LL-NW-BL-L' WHERE id_product = 7",
        "UPDATE ps_product_attribute SET reference = '' WHERE id_product_attribute IN (201, 204)",
    )
    said = demo.products("exclude", "1-101", "1-104", "2-201")
    assert table(said) == {
        "Id": "What happens",
        "1-101": "Is kept out by this id only: 1-103 has the same reference and would go with it.",
        "1-104": "Is kept out by this id only: 7 has the same reference and would go with it.",
        "2-201": "Is kept out by this id only: 2-204 has the same reference and would go with it.",
    }
    assert demo.exported("1", "2", "7") == {"1-102", "1-103", "2-204", "7-0"}


def test_a_reference_is_remembered_where_all_who_have_it_are_excluded(demo: Demo) -> None:
    demo.sql("UPDATE ps_product_attribute SET reference = 'SAME' WHERE id_product_attribute IN (101, 103)")
    demo.products("exclude", "1-101", "1-103")
    assert [(one["key"], one["reference"]) for one in demo.listed[:2]] == [
        ("1-101", "SAME"),
        ("1-103", "SAME"),
    ]
    included = demo.products("include", "1-101")
    assert "1-103 has the same reference and stays out by its own id." in table(included)["1-101"]
    assert [(one["key"], one["reference"]) for one in demo.listed[:1]] == [("1-103", None)]
    assert demo.exported("1") == {"1-101", "1-102", "1-104"}


def test_references_name_products_and_combinations_in_any_letter_case(demo: Demo) -> None:
    said = demo.products("exclude", "--by", "reference", " eend ", "ll-nw-rd-m", "LL-NW", "--json")
    assert [one["key"] for one in said.document["excluded"]] == ["1", "1-101", "7"]


def test_a_run_at_work_leaves_the_withdrawing_to_the_next(demo: Demo) -> None:
    demo.products("export")
    with demo.state() as state, state.locks.hold("product", "exact"):
        said = demo.products("exclude", "7-0")
        document = demo.products("exclude", "7-0", "--json").document
    assert said.code == 0
    assert said.err.startswith('Another run of the flow "product" to "exact" is at work')
    assert "The next one after it withdraws what lies unread." in said.err
    assert (document["ok"], document["outboxes"][0]["postponed"]) == (True, "lock_held")
    assert "7-0" in demo.unread
    demo.products("export")
    assert "7-0" not in demo.unread


def test_what_was_handed_out_and_has_no_result_yet_is_withdrawn_too(demo: Demo) -> None:
    demo.replace('output = "outbox"', 'output = "outbox"\nacknowledge = "result"')
    demo.products("export", "20", "17")
    assert "Withdrew 1 unread document" in demo.products("exclude", "20-0").err
    assert demo.unread == {"17-0"}
    said = demo.products("diagnose", "20", "--json").document["combinations"][0]
    assert (said["verdict"], said["sync"]["status"], said["sync"]["reason"]) == (
        "blocked",
        "pending",
        "in_flight",
    )
    assert "the result of 1 combination is awaited" in demo.products("export", "17").err
    demo.products("include", "20-0")
    demo.products("export", "20")  # nobody can be at work on what was withdrawn unread
    assert demo.unread == {"20-0", "17-0"}


def test_what_was_handed_out_and_then_deleted_in_the_shop_is_withdrawn(demo: Demo) -> None:
    demo.replace('output = "outbox"', 'output = "outbox"\nacknowledge = "result"')
    demo.products("export", "7", "16")
    demo.sql("DELETE FROM ps_product WHERE id_product = 7")
    demo.products("export", "16")
    assert "7-0" in demo.unread  # only a run over everything tells what is gone
    demo.products("export", "--dry-run")
    assert "7-0" in demo.unread
    demo.products("export")
    assert "7-0" not in demo.unread
    assert "16-0" in demo.unread
    assert 'id="7-0"' not in (demo.outbox / "index.xml").read_text(encoding="utf-8")


def test_an_outbox_that_cannot_be_used_does_not_undo_the_exclusion(demo: Demo) -> None:
    demo.products("export")
    shutil.rmtree(demo.outbox)
    demo.outbox.write_text("not a folder")
    said = demo.products("exclude", "7-0", "--json")
    document = said.document_beside_warnings
    assert (said.code, document["ok"], document["error"]["code"]) == (78, False, "output_unusable")
    assert "7-0" in [one["key"] for one in demo.listed]
    assert "The exclusion is recorded" in said.err


def test_an_unread_bulk_document_that_holds_it_is_warned_of(demo: Demo) -> None:
    demo.products("export", "--bulk", "7", "18")
    (bulk,) = (path.name for path in demo.outbox.glob("items-*.xml"))
    assert bulk in demo.products("exclude", "7-0").err
    assert bulk not in demo.products("exclude", "1").err


def test_a_name_the_state_cannot_keep_is_refused(demo: Demo) -> None:
    assert demo.products("exclude", "7-0", "--who", "x" * 101).code == 2


# --- include -----------------------------------------------------------------------------------------------


def test_what_is_included_is_pending_again(demo: Demo) -> None:
    demo.exported()
    said = demo.products("include", "2", "3", "7")
    assert said.code == 0
    assert table(said) == {
        "Id": "What happens",
        "2": "Is let in again. 2-202 was excluded by purchasing on 2026-11-21 12:00 UTC: Recalled by the maker: the"
        " buckle opens under load. 2-203 was excluded by purchasing on 2026-11-21 12:00 UTC: Sold on request only,"
        " not through the ERP.",
        "3": "Is let in again. It was excluded by logistics on 2026-11-21 12:00 UTC: Delivered by the maker directly.",
        "7": "Was not excluded.",
    }
    assert said.err == (
        "Next: wait for cron, or send now: brekzsync --config demo/brekzsync.toml products export\n"
    )
    assert demo.exported() == {"2-202", "2-204", "3-0"}
    assert table(demo.products("include", "2"))["2"] == "Was not excluded."


@pytest.mark.parametrize("words", [["2-204"], ["2-203"], ["--by", "reference", "hb-zw-l"]])
def test_a_recreated_combination_is_included_by_either_of_its_ids(demo: Demo, words: list[str]) -> None:
    demo.products("include", *words)
    assert demo.listed == [RECALLED, DELIVERED_DIRECTLY]
    assert demo.exported("2") == {"2-201", "2-204"}


def test_what_the_shop_no_longer_has_is_included_by_its_reference_too(demo: Demo) -> None:
    demo.sql("DELETE FROM ps_product_attribute WHERE id_product_attribute IN (202, 204)")
    demo.products("include", "--by", "reference", "HB-ZW-M")
    demo.sql("DELETE FROM ps_product WHERE id_product = 3")
    demo.products("include", "3")
    assert demo.listed == [ON_REQUEST]


def test_part_of_an_excluded_product_is_not_included_alone(demo: Demo) -> None:
    before = demo.listed
    said = demo.products("include", "2-202", "3-0")
    assert (said.code, said.err) == (
        2,
        "Error: 3-0 is excluded because its whole product is; nothing was included.\n"
        "Hint: Include the product, then exclude what is to stay out: brekzsync products include 3\n",
    )
    assert demo.listed == before
    assert demo.products("include", "3-0", "3").code == 0
    assert demo.listed == [RECALLED, ON_REQUEST]


def test_what_the_shop_s_column_keeps_out_is_warned_of(demo: Demo) -> None:
    demo.sql(
        "ALTER TABLE ps_product_attribute ADD COLUMN not_for_erp INTEGER NOT NULL DEFAULT 0",
        "UPDATE ps_product_attribute SET not_for_erp = 1 WHERE id_product_attribute = 202",
    )
    demo.replace("[products]\n", '[products]\nexclude_column = "product_attribute.not_for_erp"\n')
    said = demo.products("include", "2-202", "--json")
    assert said.code == 0
    assert said.document_beside_warnings["still_blocked"] == [
        {
            "key": "2-202",
            "blockers": [
                {
                    "code": "not_excluded",
                    "detail": "The shop's column product_attribute.not_for_erp excludes it.",
                }
            ],
            "remedies": [
                {"text": "Clear product_attribute.not_for_erp of 2-202 in the shop.", "command": None}
            ],
        }
    ]
    assert "product_attribute.not_for_erp" in demo.products("exclusions").err


def test_a_dry_run_of_including_says_the_same_and_writes_nothing(demo: Demo) -> None:
    before = demo.listed
    dry = demo.products("include", "2", "3", "-n", "--json").document
    assert table(demo.products("include", "3", "-n"))["3"].startswith(
        "Would be let in again. It was excluded"
    )
    assert demo.listed == before
    real = demo.products("include", "2", "3", "--json").document
    assert (dry.pop("dry_run"), real.pop("dry_run"), dry) == (True, False, real)


# --- the list ----------------------------------------------------------------------------------------------


def test_the_list_tells_who_when_and_why(demo: Demo) -> None:
    said = demo.products("exclusions")
    assert (said.code, said.err) == (0, "")
    assert table(said)["2-202"] == (
        "HB-ZW-M purchasing 2026-11-21 12:00 UTC Recalled by the maker: the buckle opens under load"
    )
    demo.products("include", "2", "3")
    assert demo.products("exclusions").out == "Nobody excluded anything.\n"


@pytest.mark.parametrize("command", [["force-sync", "7"], ["exclude", "7"], ["include", "3"], ["exclusions"]])
def test_a_state_that_is_not_there_is_not_made(demo: Demo, command: list[str]) -> None:
    demo.lose_state()
    said = demo.products(*command, "--json")
    assert (said.code, said.document["error"]["code"]) == (78, "state_missing")
    assert not (demo.folder / "demo/state.db").exists()


@pytest.mark.parametrize(
    "command", [["force-sync", "7"], ["exclude", "7-0"], ["include", "3"]], ids=lambda words: words[0]
)
def test_quiet_and_cron_are_silent(demo: Demo, command: list[str]) -> None:
    for option in ("-q", "--cron"):
        assert demo.products(*command, option) == (0, "", "")


def test_the_commands_of_the_how_to_page_do_what_it_says(demo: Demo) -> None:
    page = (ROOT / "docs/how-to/keep-a-product-out-of-exact.md").read_text(encoding="utf-8")
    commands = re.findall(r"^brekzsync --config demo/brekzsync.toml (.*)$", page, re.MULTILINE)
    demo.products("export")
    outboxes = []
    for command in commands:
        said = demo.run(*shlex.split(command))
        assert said.code == (3 if command == "products export" else 0), said
        outboxes.append(demo.unread)
    _, _, excluding, listing, including, exporting, forcing = outboxes
    assert {"2-201", "7-0", "18-0", "1-101"}.isdisjoint(excluding)
    assert excluding == listing == including == exporting - {"2-201", "7-0"}
    assert exporting == forcing
    assert demo.ledger((1, 101))[0][-2:] == (0, 1)


def test_a_person_without_a_name_may_exclude(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    demo.products("exclude", "7-0", "--who", "")
    with demo.state() as state:
        one = state.exclusions.all().combinations[(7, 0)]
    assert one == Exclusion(
        id_product=7,
        id_product_attribute=0,
        reference="EEND",
        reason="",
        by_whom="",
        created_at=NOW,
    )
