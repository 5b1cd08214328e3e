"""``products diagnose`` on the demo: every rule of the shop has its verdict, and every remedy works as printed."""

from __future__ import annotations

import io
import re
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from brekzsync.state.served import Outcome
from tests.demos import PROGRAM, TWO_TARGETS, Demos, FreshDemo
from tests.exports import NOW, Said

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "src/brekzsync/demo/data/README.md"
WRITTEN_AS_PLAIN = f"{PROGRAM} "
EXCLUDED_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2} UTC")


class Demo(FreshDemo):
    """A demo that is asked about."""

    def diagnose(self, *words: str) -> Said:
        return self.run("products", "diagnose", *words, "--json")

    def one(self, key: str) -> dict[str, Any]:
        """The diagnosis of one combination."""
        (found,) = self.diagnose(key).document["combinations"]
        return dict(found)

    def verdict(self, key: str) -> tuple[str, str]:
        """(verdict, why)."""
        found = self.one(key)
        return found["verdict"], found["why"]

    def export(self, *words: str) -> dict[str, Any]:
        return self.run("products", "export", *words, "--json").document


@pytest.fixture
def demo(demos: Demos) -> Demo:
    return demos.fresh(Demo, columns=80)


def by_key(said: Said) -> dict[str, dict[str, Any]]:
    """The combinations of a document."""
    return {one["key"]: one for one in said.document["combinations"]}


# --- every rule of the demo --------------------------------------------------------------------------------

NEVER = "The ERP never acknowledged it."
NO_PRICE = (
    "The price excl. tax is 0: set a price above zero in the data shop"
    " (or products.allow_zero_price for free items)."
)
NO_CODE = "The item code is empty: fill in reference of the combination or its product."
NO_NAME = "The product has no name in any language: give it a name in the data shop."
TOO_LONG = (
    "The item code 'NESTKAST-KOOLMEES-EIKENHOUT-NATUREL-32MM' has 40 characters; Exact Globe takes 30:"
    " shorten reference."
)
IN_PACK = 'It is a component of bundle 4 "Puppypakket Eerste Week".'
UNPACK = (
    "Take it out of pack 4 in the shop's back office, or let components be sold on their own:"
    ' bundle_components = "export" under [products].'
)
SOLD_ON_THEIR_OWN = (
    '[products]\noutput = "outbox"',
    '[products]\noutput = "outbox"\nbundle_components = "export"',
)
FREE_ITEMS = ('[products]\noutput = "outbox"', '[products]\noutput = "outbox"\nallow_zero_price = true')


class Stopped(NamedTuple):
    """What keeps a combination of the demo back: the reasons, why in a line, what the remedy says besides the
    export, and what a person then does: in the shop (statements), or in the configuration (old, new)."""

    reasons: tuple[str, ...]
    why: str
    remedy: str
    in_the_shop: tuple[str, ...] = ()
    in_the_configuration: tuple[str, str] | None = None


STOPPED = {
    "2-202": Stopped(
        ("not_excluded",),
        "It was excluded by purchasing on TIME: Recalled by the maker: the buckle opens under load.",
        f"Include it again. {WRITTEN_AS_PLAIN}products include 2-202",
    ),
    "2-204": Stopped(
        ("not_excluded",),
        "Its reference HB-ZW-L was excluded as 2-203 by purchasing on TIME:"
        " Sold on request only, not through the ERP.",
        f"Include it again. {WRITTEN_AS_PLAIN}products include 2-204",
    ),
    "3-0": Stopped(
        ("not_excluded",),
        "Product 3 was excluded whole by logistics on TIME: Delivered by the maker directly.",
        f"Include product 3 again. {WRITTEN_AS_PLAIN}products include 3",
    ),
    "5-501": Stopped(
        ("not_bundle_component",), IN_PACK, UNPACK, ("DELETE FROM ps_pack WHERE id_product_item = 5",)
    ),
    "5-502": Stopped(("not_bundle_component",), IN_PACK, UNPACK, in_the_configuration=SOLD_ON_THEIR_OWN),
    "6-601": Stopped(
        ("not_bundle_component",), IN_PACK, UNPACK, ("DELETE FROM ps_pack WHERE id_product_item = 6",)
    ),
    "8-0": Stopped(
        ("active_in_data_shop",),
        "It is not active in shop NL; it is active in BE and DE.",
        "Switch product 8 on in shop NL in the back office.",
        ("UPDATE ps_product_shop SET active = 1 WHERE id_product = 8 AND id_shop = 1",),
    ),
    "9-0": Stopped(
        ("active_in_data_shop",),
        "It is a draft: never saved in the back office (ps_product.state is 0).",
        "Save product 9 in the shop's back office, so that it is no longer a draft.",
        ("UPDATE ps_product SET state = 1 WHERE id_product = 9",),
    ),
    "10-0": Stopped(
        ("active_in_data_shop",),
        "It is not in shop NL; it is active in BE and DE.",
        "Add 10-0 to shop NL in the back office (multistore, product page).",
        (
            "INSERT INTO ps_product_shop SELECT id_product, 1, id_category_default, id_tax_rules_group, price,"
            " active, date_upd, pack_stock_type FROM ps_product_shop WHERE id_product = 10 AND id_shop = 2",
            "INSERT INTO ps_product_lang SELECT id_product, 1, id_lang, name FROM ps_product_lang"
            " WHERE id_product = 10 AND id_shop = 2",
        ),
    ),
    "11-1102": Stopped(
        ("active_in_data_shop",),
        "It is not in shop NL; it is active in BE.",
        "Add 11-1102 to shop NL in the back office (multistore, product page).",
        (
            "INSERT INTO ps_product_attribute_shop SELECT id_product, id_product_attribute, 1, price, weight"
            " FROM ps_product_attribute_shop WHERE id_product_attribute = 1102 AND id_shop = 2",
        ),
    ),
    "12-0": Stopped(("missing_price",), NO_PRICE, NO_PRICE, in_the_configuration=FREE_ITEMS),
    "13-1301": Stopped(
        ("missing_item_code",),
        NO_CODE,
        NO_CODE,
        ("UPDATE ps_product_attribute SET reference = 'KT-R' WHERE id_product_attribute = 1301",),
    ),
    "15-0": Stopped(
        ("missing_description",),
        NO_NAME,
        NO_NAME,
        ("UPDATE ps_product_lang SET name = 'Kattenkruid' WHERE id_product = 15 AND id_shop = 1",),
    ),
    "34-0": Stopped(
        ("item_code_too_long",),
        TOO_LONG,
        TOO_LONG,
        ("UPDATE ps_product SET reference = 'NESTKAST-KOOLMEES' WHERE id_product = 34",),
    ),
    "35-3501": Stopped(
        ("duplicate_item_code",),
        "Item code 'KAUWBOT-S' is also that of 36-0: give each combination a code of its own.",
        "Item code 'KAUWBOT-S' is also that of 36-0: give each combination a code of its own.",
        ("UPDATE ps_product_attribute SET reference = 'KAUWBOT-R' WHERE id_product_attribute = 3501",),
    ),
    "36-0": Stopped(
        ("duplicate_item_code",),
        "Item code 'kauwbot-s' is also that of 35-3501: give each combination a code of its own.",
        "Item code 'kauwbot-s' is also that of 35-3501: give each combination a code of its own.",
        ("UPDATE ps_product SET reference = 'KAUWBOT-KIP' WHERE id_product = 36",),
    ),
}
VERDICTS = {"sent": "pending", "skipped": "blocked", "failed": "incomplete"}
FIELD = {
    "missing_price": "price",
    "missing_item_code": "item_code",
    "missing_description": "description",
    "item_code_too_long": "item_code",
    "duplicate_item_code": "item_code",
}


def documented() -> dict[str, tuple[str, str]]:
    """What the demo's README says of each key: the verdict it must have, and the reason, if it names one."""
    rows = re.findall(r"^\| [^|]+ \| ([0-9][^|]*) \| (\w+)(?:: `(\w+)`)?", README.read_text("utf-8"), re.M)
    return {key: (VERDICTS[what], why) for keys, what, why in rows for key in keys.split(", ")}


def timeless(text: str) -> str:
    return EXCLUDED_AT.sub("TIME", text)


def reasons(one: dict[str, Any]) -> set[str]:
    """The criteria that fail, and the fields that are missing."""
    return {state["code"] for state in one["criteria"] if not state["passed"]} | {
        field["name"] for field in one["fields"] if field["required"] and field["status"] == "missing"
    }


def named(stopped: Stopped) -> set[str]:
    """As ``reasons``. A product that is not in the shop has neither name nor price there."""
    absent = (
        {"description", "price"}
        if stopped.why.startswith("It is not in shop NL; it is active in BE and")
        else set()
    )
    return {FIELD.get(reason, reason) for reason in stopped.reasons} | absent


def test_every_rule_of_the_demo_has_its_verdict_and_reason(demo: Demo) -> None:
    said = demo.diagnose("--all")
    rules = documented()
    found = {key: (one["verdict"], reasons(one)) for key, one in by_key(said).items()}
    assert said.code == 4
    assert len(rules) > 40
    assert set(STOPPED) == {key for key, (verdict, _) in rules.items() if verdict != "pending"}
    assert {key: reason for key, (_, reason) in rules.items() if reason and key not in STOPPED} == {}
    assert {key: STOPPED[key].reasons for key, (_, reason) in rules.items() if reason} == {
        key: (reason,) for key, (_, reason) in rules.items() if reason
    }
    assert {key: found[key] for key in rules} == {
        key: (verdict, named(STOPPED[key]) if key in STOPPED else set())
        for key, (verdict, _) in rules.items()
    }
    assert {verdict for key, (verdict, _) in found.items() if key not in rules} == {"pending"}


def test_a_run_does_with_each_what_its_diagnosis_says(demo: Demo) -> None:
    found = {key: one["verdict"] for key, one in by_key(demo.diagnose("--all")).items()}
    done = demo.export()
    said = {verdict: {key for key in found if found[key] == verdict} for verdict in set(found.values())}
    assert {path.stem for path in (demo.outbox / "items").iterdir()} == said["pending"]
    assert {failure["key"] for failure in done["failures"]} == said["incomplete"]
    assert done["counts"]["skipped"] == len(said["blocked"])
    after = {key: one["verdict"] for key, one in by_key(demo.diagnose("--all")).items()}
    assert after == {key: verdict.replace("pending", "in_sync") for key, verdict in found.items()}


def test_every_remedy_of_what_is_pending_is_the_export_that_sends_it(demo: Demo) -> None:
    for key, one in by_key(demo.diagnose("--all")).items():
        if one["verdict"] == "pending":
            command = f"{WRITTEN_AS_PLAIN}products export {key}"
            assert (one["why"], one["remedy"], one["commands"]) == (
                NEVER,
                f"The next run sends it; to send it at once: {command}",
                [command],
            )


@pytest.mark.parametrize("key", STOPPED)
def test_following_the_remedy_sends_the_item(demo: Demo, key: str) -> None:
    stopped, one = STOPPED[key], demo.one(key)
    send = f"{WRITTEN_AS_PLAIN}products export {key}"
    assert timeless(one["why"]) == stopped.why
    assert one["remedy"] == f"{stopped.remedy} The next run sends it; to send it at once: {send}"

    demo.sql(*stopped.in_the_shop)
    if stopped.in_the_configuration:
        demo.replace(*stopped.in_the_configuration)
    assert one["commands"][-1] == send
    for command in one["commands"]:
        assert demo.pasted(command).code == 0
    assert key in demo.unread
    assert demo.verdict(key)[0] == "in_sync"


def test_all_that_stands_in_the_way_is_told_at_once_and_not_only_the_first(demo: Demo) -> None:
    demo.sql(
        "INSERT INTO ps_pack VALUES (4, 3, 0)",
        "UPDATE ps_product_shop SET active = 0, price = '0' WHERE id_product = 3",
        "UPDATE ps_product SET reference = '' WHERE id_product = 3",
        "UPDATE ps_product_lang SET name = '' WHERE id_product = 3",
    )
    one = demo.one("3")
    assert one["verdict"] == "blocked"
    assert reasons(one) == {
        *("not_excluded", "not_bundle_component", "active_in_data_shop"),
        *("item_code", "description", "price"),
    }
    assert timeless(one["why"]) == (
        "Product 3 was excluded whole by logistics on TIME: Delivered by the maker directly."
        f" {IN_PACK} It is not active in shop NL; it is active in no other shop."
    )
    demo.sql(
        "DELETE FROM ps_pack WHERE id_product_item = 3",
        "UPDATE ps_product_shop SET active = 1, price = '9' WHERE id_product = 3",
        "UPDATE ps_product SET reference = 'KH' WHERE id_product = 3",
        "UPDATE ps_product_lang SET name = 'Hok' WHERE id_product = 3",
    )
    assert [demo.pasted(command).code for command in one["commands"]] == [0, 0]
    assert "3-0" in demo.unread


def test_a_draft_that_is_switched_off_too_has_two_remedies(demo: Demo) -> None:
    demo.sql("UPDATE ps_product_shop SET active = 0 WHERE id_product = 9")
    one = demo.one("9")
    assert one["why"] == (
        "It is a draft: never saved in the back office (ps_product.state is 0)."
        " It is not active in shop NL; it is active in no other shop."
    )
    assert one["remedy"].startswith(
        "Save product 9 in the shop's back office, so that it is no longer a draft."
        " Switch product 9 on in shop NL in the back office."
    )


def test_a_column_of_the_shop_that_excludes_is_named_with_its_remedy(demo: Demo) -> None:
    demo.sql(
        "ALTER TABLE ps_product ADD COLUMN no_erp INTEGER DEFAULT 0",
        "UPDATE ps_product SET no_erp = 1 WHERE id_product IN (3, 7)",
    )
    demo.replace('output = "outbox"', 'output = "outbox"\nexclude_column = "product.no_erp"')
    found = by_key(demo.diagnose("3", "7"))
    assert found["7-0"]["why"] == "The shop's column product.no_erp excludes it."
    assert found["7-0"]["remedy"].startswith("Clear product.no_erp of 7-0 in the shop. The next run")
    assert timeless(found["3-0"]["why"]).endswith(
        "Delivered by the maker directly. The shop's column product.no_erp excludes it."
    )
    assert found["3-0"]["remedy"].startswith(
        f"Include product 3 again. {WRITTEN_AS_PLAIN}products include 3 Clear product.no_erp of 3-0 in the shop."
    )
    demo.sql("UPDATE ps_product SET no_erp = 0")
    assert [demo.pasted(command).code for command in found["3-0"]["commands"]] == [0, 0]
    assert "3-0" in demo.unread


# --- the document ------------------------------------------------------------------------------------------


def test_the_document_is_this(demo: Demo) -> None:
    said = demo.diagnose("12", "25", "999")
    send = f"{WRITTEN_AS_PLAIN}products export 12-0"
    document = said.document
    card, unknown = document["combinations"][0], document["combinations"][2]
    assert said.code == 4
    assert {name: value for name, value in document.items() if name != "combinations"} == {
        "schema_version": 1,
        "command": "products diagnose",
        "ok": False,
        "counts": {"incomplete": 1, "pending": 1, "unknown": 1},
        "erp_problems": [],
        "error": {
            "code": "blockers_found",
            "message": "2 of 3 combinations cannot go to the ERP yet.",
            "hint": "Each one's remedy says what to do.",
        },
    }
    assert card == {
        "key": "12-0",
        "target": "exact",
        "item_code": "HOOIRUIF",
        "description": "Hooiruif",
        "verdict": "incomplete",
        "why": NO_PRICE,
        "criteria": [
            {"code": "not_excluded", "passed": True, "detail": "Nobody excluded it."},
            {"code": "not_bundle_component", "passed": True, "detail": "No bundle holds it."},
            {"code": "updated", "passed": True, "detail": NEVER},
            {"code": "active_in_data_shop", "passed": True, "detail": "It is active in shop NL."},
        ],
        "fields": [
            field("item_code", "HOOIRUIF"),
            field("description", "Hooiruif"),
            field("price", "0", "missing", NO_PRICE),
            field("category", "Knaagdieren (13)"),
            field("brand", ""),
            field("special_price", ""),
            field("image", ""),
            field("tax_rate", "21 (VAT code 2)"),
            field("ean13", ""),
            field("weight", "0.3"),
        ],
        "changes": [],
        "sync": {
            "status": None,
            "reason": None,
            "message": None,
            "attempts": 0,
            "synced_at": None,
            "next_attempt_at": None,
        },
        "erp": {"present": False, "detail": "Exact has no item HOOIRUIF.", "differences": []},
        "remedy": f"{NO_PRICE} The next run sends it; to send it at once: {send}",
        "commands": [send],
    }
    assert document["combinations"][1]["fields"][7]["note"] == "13 % has no VAT code ([exact_xml.vat_codes])"
    assert list(unknown) == list(card)
    assert (unknown["key"], unknown["verdict"], unknown["criteria"], unknown["erp"]["present"]) == (
        "999",
        "unknown",
        [],
        None,
    )


def field(name: str, value: str, status: str = "", note: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "required": name in ("item_code", "description", "price"),
        "status": status or ("ok" if value else "missing"),
        "value": value,
        "note": note,
    }


@pytest.mark.parametrize(
    ("words", "code"), [(["1"], 0), (["1", "12"], 4), (["2-202"], 4), (["999"], 4), (["--missing"], 0)]
)
def test_the_exit_code_says_whether_something_is_stopped(demo: Demo, words: list[str], code: int) -> None:
    if words == ["--missing"]:
        demo.sql("UPDATE ps_product_shop SET active = 0 WHERE id_product IN (12, 13, 15, 34, 35, 36)")
    said = demo.diagnose(*words)
    assert (said.code, said.document["ok"]) == (code, code == 0)
    assert demo.run("products", "diagnose", *words).code == code
    assert demo.run("--cron", "products", "diagnose", *words) == (code, "", "")


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        ([], 2, "usage"),
        (["1", "--all"], 2, "usage"),
        (["--all", "--missing"], 2, "usage"),
        (["--by", "reference", "--all"], 2, "usage"),
        (["--limit", "0", "--all"], 2, "usage"),
        (["1", "x"], 2, "malformed_id"),
        (["1", ""], 2, "malformed_id"),
        (["1", "--target", "nowhere"], 78, "unknown_target"),
    ],
)
def test_what_cannot_be_asked_is_an_error_document(
    demo: Demo, words: list[str], code: int, error: str
) -> None:
    said = demo.diagnose(*words)
    problem = said.document.pop("error")
    assert (said.code, problem["code"]) == (code, error)
    assert (said.document["ok"], "combinations" in said.document) == (False, False)
    assert all(problem.values())


def test_nothing_is_written(demo: Demo) -> None:
    demo.export("1")
    before = demo.files()
    demo.diagnose("--all")
    demo.diagnose("--missing")
    demo.run("products", "diagnose", "1-101", "999")
    assert demo.files() == before


# --- what was typed ----------------------------------------------------------------------------------------


def test_a_product_stands_for_all_its_combinations_and_a_word_for_a_reference_or_ean(demo: Demo) -> None:
    words = ["1", "1-101", "eend", "2900000100213", "ll-nw-bl-l"]
    said = demo.diagnose(*words)
    assert list(by_key(said)) == ["1-101", "1-102", "1-103", "1-104", "7-0", "16-0"]


@pytest.mark.parametrize(
    ("by", "word", "keys"),
    [
        ("reference", " eend ", ["7-0"]),
        ("reference", "KAUWBOT-S", ["35-3501", "36-0"]),
        ("reference", "LL-NW", ["1-101", "1-102", "1-103", "1-104"]),
        ("ean13", "2900000100015", ["1-101"]),
    ],
)
def test_by_says_what_the_words_are(demo: Demo, by: str, word: str, keys: list[str]) -> None:
    assert list(by_key(demo.diagnose("--by", by, word))) == keys


UNKNOWN = [
    ("999", "The shop has no product 999, and the ERP was never sent one.", None),
    ("202", "202 is not a product; it is a combination of product 2: 2-202.", "2-202"),
    ("1-999", "Product 1 has 1-101, 1-102, 1-103, 1-104.", "1"),
    ("1-0", "Product 1 has 1-101, 1-102, 1-103, 1-104.", "1"),
    ("1-202", "Combination 202 belongs to product 2: 2-202.", "2-202"),
    ("999-202", "Combination 202 belongs to product 2: 2-202.", "2-202"),
    ("7-701", "Product 7 has 7-0.", "7"),
]


@pytest.mark.parametrize(("word", "why", "ask"), UNKNOWN)
def test_an_unknown_id_tells_what_is_near(demo: Demo, word: str, why: str, ask: str | None) -> None:
    one = demo.one(word)
    commands = [f"{WRITTEN_AS_PLAIN}products diagnose {ask}"] if ask else []
    assert (one["key"], one["verdict"], one["why"], one["commands"]) == (word, "unknown", why, commands)
    assert [demo.pasted(command).code in (0, 4) for command in commands] == [True] * len(commands)


def test_a_number_that_is_no_id_may_be_a_reference_or_an_ean(demo: Demo) -> None:
    demo.sql("UPDATE ps_product SET reference = '00411' WHERE id_product = 7")
    one = demo.one("00411")
    assert (one["verdict"], one["why"], one["commands"]) == (
        "unknown",
        "No id of the shop reads 00411, but it is the reference of 7-0.",
        [f"{WRITTEN_AS_PLAIN}products diagnose 7-0"],
    )


@pytest.mark.parametrize(
    ("by", "word", "why", "ask"),
    [
        ("ean13", "EEND", "No EAN reads EEND, but it is the reference of 7-0.", "7-0"),
        (
            "reference",
            "2900000100015",
            "No reference reads 2900000100015, but it is the EAN of 1-101.",
            "1-101",
        ),
        (
            "reference",
            "NIETS",
            "Nothing in the shop has the reference NIETS, and the ERP was never sent it.",
            None,
        ),
    ],
)
def test_an_unknown_reference_or_ean_tells_what_is_near(
    demo: Demo, by: str, word: str, why: str, ask: str | None
) -> None:
    (one,) = demo.diagnose("--by", by, word).document["combinations"]
    commands = [f"{WRITTEN_AS_PLAIN}products diagnose {ask}"] if ask else []
    assert (one["key"], one["verdict"], one["why"], one["commands"]) == (word, "unknown", why, commands)


def test_a_deleted_combination_is_remembered_by_its_id_and_its_reference(demo: Demo) -> None:
    demo.export("1", "7")
    demo.sql(
        "DELETE FROM ps_product_attribute WHERE id_product_attribute = 104",
        "DELETE FROM ps_product_attribute_shop WHERE id_product_attribute = 104",
        "DELETE FROM ps_product WHERE id_product = 7",
    )
    gone = "is no longer in the shop: it was deleted, last acknowledged as"
    assert demo.verdict("7") == ("unknown", f"7-0 {gone} EEND on 2026-11-21 12:00 UTC.")
    assert demo.verdict("1-104") == (
        "unknown",
        f"1-104 {gone} LL-NW-BL-L on 2026-11-21 12:00 UTC. Product 1 has 1-101, 1-102, 1-103.",
    )
    (by_reference,) = demo.diagnose("--by", "reference", "eend").document["combinations"]
    assert by_reference["why"] == (
        "No reference in the shop reads eend; the ERP knows 7-0 by it, which has another one now or is gone."
    )

    demo.export()  # which records the deletion
    assert demo.verdict("7")[1].startswith("7-0 is no longer in the shop: it was deleted, last acknowledged")


def test_standard_input_gives_one_word_a_line(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = "\ufeff1-101\r\n\n  EEND \n16"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed.encode())))
    assert list(by_key(demo.diagnose("-", "24"))) == ["1-101", "7-0", "16-0", "24-0"]


def test_empty_standard_input_is_no_question(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\n")))
    said = demo.diagnose("-")
    assert (said.code, said.document["error"]["code"]) == (2, "no_ids")


# --- what the ERP lacks ------------------------------------------------------------------------------------

IN_THE_ERP = {
    *("1-101", "1-102", "1-103", "2-201", "4-0", "7-0"),
    *("16-0", "18-0", "22-0", "23-0", "24-0", "28-0"),
}


def eligible(demo: Demo) -> set[str]:
    return {key for key, one in by_key(demo.diagnose("--all")).items() if one["verdict"] != "blocked"}


def test_missing_is_every_eligible_combination_the_erp_does_not_have(demo: Demo) -> None:
    said = demo.diagnose("--missing")
    assert set(by_key(said)) == eligible(demo) - IN_THE_ERP
    assert {one["erp"]["present"] for one in by_key(said).values()} == {False}

    demo.export()  # sent is not imported
    assert set(by_key(demo.diagnose("--missing"))) == set(by_key(said))

    demo.sql("UPDATE Items SET ItemCode = 'LL-NW-BL-L' WHERE ItemCode = 'VERZENDKOSTEN'", database="erp")
    assert set(by_key(said)) - set(by_key(demo.diagnose("--missing"))) == {"1-104"}


def test_the_erp_is_asked_for_the_code_it_was_sent(demo: Demo) -> None:
    demo.export("7")
    demo.sql("UPDATE ps_product SET reference = 'EEND-2' WHERE id_product = 7")
    assert "7-0" not in by_key(demo.diagnose("--missing"))
    assert demo.one("7")["erp"]["detail"] == "Exact has item eend."


def closed_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "No ERP is configured: set database under [erp] to compare with it."),
        ("sqlite:///nowhere/erp.db", "cannot be opened"),
        ("mssql+pyodbc://reader:secret@127.0.0.1:{port}/500?driver={driver}", ""),
    ],
)
def test_an_erp_that_cannot_be_asked_is_told_and_the_ledger_answers(
    demo: Demo, url: str, reason: str
) -> None:
    if url.startswith("mssql"):
        pyodbc = pytest.importorskip("pyodbc")
        url = url.format(port=closed_port(), driver=(pyodbc.drivers() or ["none"])[0])
    demo.export("1")
    demo.replace('database = "sqlite:///erp.db"', f'database = "{url}"')
    said = demo.diagnose("--missing")
    (problem,) = said.document["erp_problems"]
    found = by_key(said)
    assert reason in problem
    assert "secret" not in problem
    assert set(found) == eligible(demo) - {"1-101", "1-102", "1-103", "1-104"}
    assert {(one["erp"]["present"], one["erp"]["detail"]) for one in found.values()} == {
        (None, f"unknown: {problem}")
    }
    told = demo.run("products", "diagnose", "1-101")
    assert (told.code, told.err) == (0, f"Warning: What the ERP holds is not known. {problem}\n")


# --- what became of it -------------------------------------------------------------------------------------


def test_what_was_sent_is_in_sync_and_the_erp_is_compared_with_it(demo: Demo) -> None:
    demo.export()
    demo.take()
    acknowledged = "The ERP acknowledged it as it is on 2026-11-21 12:00 UTC."
    again = (
        "send it again. {0}products force-sync {1}"
        " The next run sends it; to send it at once: {0}products export {1}"
    )
    found = by_key(demo.diagnose("1", "2-201", "7", "16", "24"))
    assert {(one["verdict"], one["sync"]["status"]) for one in found.values()} == {("in_sync", "synced")}
    assert {
        key: (one["why"].removeprefix(acknowledged + " "), one["remedy"]) for key, one in found.items()
    } == {
        "1-101": ("Exact has item LL-NW-RD-M.", ""),
        "1-102": (
            "Exact has item LL-NW-RD-L, with another price.",
            "Exact acknowledged it and holds it differently: " + again.format(WRITTEN_AS_PLAIN, "1-102"),
        ),
        "1-103": (
            "Exact has item LL-NW-BL-M, with another description.",
            "Exact acknowledged it and holds it differently: " + again.format(WRITTEN_AS_PLAIN, "1-103"),
        ),
        "1-104": (
            "Exact has no item LL-NW-BL-L.",
            "Exact was sent it and lacks it: " + again.format(WRITTEN_AS_PLAIN, "1-104"),
        ),
        "2-201": (
            "Exact has item HB-ZW-S, with another ean13.",
            "Exact acknowledged it and holds it differently: " + again.format(WRITTEN_AS_PLAIN, "2-201"),
        ),
        "7-0": ("Exact has item eend.", ""),
        "16-0": (
            "Exact has item KRABMAT and it is blocked there (condition B).",
            "Set the item's condition to active in Exact Globe.",
        ),
        "24-0": (
            "Exact has item ZAAD-KAN, with another VAT code.",
            "Exact acknowledged it and holds it differently: " + again.format(WRITTEN_AS_PLAIN, "24-0"),
        ),
    }
    assert found["1-102"]["erp"]["differences"] == [{"field": "price", "before": "17.95", "after": "18.4876"}]
    for command in found["1-104"]["commands"]:
        assert demo.pasted(command).code == 0
    assert "1-104" in demo.unread


def test_what_the_erp_lacks_is_not_sent_again_while_its_document_lies_unread(demo: Demo) -> None:
    demo.export("1-104")
    one = demo.one("1-104")
    assert (one["verdict"], one["remedy"], one["commands"]) == (
        "in_sync",
        "Let Exact import demo/outbox/items/1-104.xml: it lies there unread.",
        [],
    )


def test_characters_the_erps_code_page_lacks_are_no_difference(demo: Demo) -> None:
    demo.export("28")
    demo.take()
    assert demo.one("28")["remedy"] == ""


def test_what_changed_is_told_field_by_field(demo: Demo) -> None:
    demo.export("1", "18")
    demo.sql(
        "UPDATE ps_product_shop SET price = '20.000000' WHERE id_product = 1 AND id_shop = 1",
        "UPDATE ps_product_attribute SET ean13 = '' WHERE id_product_attribute = 101",
        "UPDATE ps_product_lang SET name = 'Riem' WHERE id_product = 1 AND id_shop = 1 AND id_lang = 1",
        "DELETE FROM ps_specific_price WHERE id_product = 18",
    )
    found = by_key(demo.diagnose("1-101", "18"))
    first = found["1-101"]
    changes = {(change["field"], change["before"], change["after"]) for change in first["changes"]}
    assert first["verdict"] == "pending"
    assert ("price", "16.4876", "20.0000") in changes
    assert ("ean13", "2900000100015", "") in changes
    assert ("description", "Looplijn Noordwind Rood M", "Riem Rood M") in changes
    assert first["why"] == (
        "Changed since the ERP acknowledged it on 2026-11-21 12:00 UTC: description, translations, price, ean13."
    )
    assert first["sync"]["status"] == "pending"
    assert [change["field"] for change in found["18-0"]["changes"]] == [
        "special_price",
        "special_from",
        "special_until",
    ]
    assert re.search("price +16.4876 → 20.0000", demo.run("products", "diagnose", "1-101").out)
    assert demo.export("1-101")["counts"]["delivered"] == 1


def test_what_was_saved_again_is_pending_without_a_change(demo: Demo) -> None:
    demo.export("7")
    demo.sql("UPDATE ps_product SET date_upd = '2026-11-21 13:30:00' WHERE id_product = 7")
    one = demo.one("7")
    assert (one["verdict"], one["changes"], one["why"]) == (
        "pending",
        [],
        "Saved again in the shop since 2026-11-21 12:00 UTC, or the document settings changed; no field differs.",
    )


def test_what_was_forced_is_pending_until_it_was_sent(demo: Demo) -> None:
    demo.export("7")
    assert demo.run("products", "force-sync", "7").code == 0
    assert demo.verdict("7") == (
        "pending",
        "force-sync asked for it: it is sent again whatever the ledger says.",
    )
    demo.export("7")
    assert demo.verdict("7")[0] == "in_sync"


def test_what_was_forced_and_is_blocked_stays_blocked_and_says_so(demo: Demo) -> None:
    demo.run("products", "force-sync", "2-202")
    demo.export()
    one = demo.one("2-202")
    assert one["verdict"] == "blocked"
    assert one["criteria"][2] == {
        "code": "updated",
        "passed": True,
        "detail": "force-sync asked for it, and the ERP has not acknowledged it yet.",
    }
    assert one["sync"]["status"] == "pending"


def test_what_became_excluded_says_when_its_acknowledgement_ended(demo: Demo) -> None:
    demo.export("7")
    demo.run("products", "exclude", "7", "--reason", "Out of range")
    demo.export()
    blocked = demo.one("7")
    assert (blocked["verdict"], blocked["sync"]["reason"]) == ("blocked", "became_not_excluded")
    assert blocked["criteria"][2]["detail"].startswith("The ERP acknowledged it once; that ended on")
    for command in blocked["commands"]:
        assert demo.pasted(command).code == 0
    assert "7-0" in demo.unread


def test_a_flow_that_is_switched_off_is_part_of_the_remedy(demo: Demo) -> None:
    demo.run("flows", "disable", "product")
    one = demo.one("7")
    assert (one["verdict"], one["sync"]["status"], one["sync"]["reason"]) == (
        "pending",
        "pending",
        "flow_disabled",
    )
    assert [command.removeprefix(WRITTEN_AS_PLAIN) for command in one["commands"]] == [
        "flows enable product",
        "products export 7-0",
    ]
    for command in one["commands"]:
        assert demo.pasted(command).code == 0
    assert "7-0" in demo.unread


def test_a_changed_item_code_is_held_until_it_is_forced(demo: Demo) -> None:
    demo.export("7")
    demo.take()
    demo.sql("UPDATE ps_product SET reference = 'EEND-2' WHERE id_product = 7")
    one = demo.one("7")
    assert one["verdict"] == "blocked"
    assert one["why"].startswith(
        "The item code was 'EEND' and is now 'EEND-2'; the ERP would get a second item"
    )
    assert [command.removeprefix(WRITTEN_AS_PLAIN) for command in one["commands"]] == [
        "products force-sync 7-0",
        "products export 7-0",
    ]
    assert demo.run("products", "export", "7").code == 3
    assert demo.one("7")["sync"]["reason"] == "item_code_changed"
    for command in one["commands"]:
        assert demo.pasted(command).code == 0
    assert "7-0" in demo.unread
    assert demo.verdict("7")[0] == "in_sync"


# --- results that are awaited ------------------------------------------------------------------------------


def settle(demo: Demo, key: tuple[int, int], *, imported: bool) -> None:
    """The result Exact gives, a minute after the run."""
    outcome = Outcome(*key, None, imported, message="" if imported else "Artikelgroep ontbreekt")
    with demo.state() as state:
        state.ledger("product", "exact").served.settle([outcome], at=NOW + timedelta(minutes=1))


def test_what_is_in_flight_waits_for_its_result(demo: Demo) -> None:
    demo.replace('output = "outbox"', 'output = "outbox"\nacknowledge = "result"')
    demo.export("7")
    one = demo.one("7")
    assert (one["verdict"], one["why"], one["sync"]["status"], one["sync"]["reason"]) == (
        "pending",
        NEVER,
        "pending",
        "in_flight",
    )
    assert (one["remedy"], one["commands"]) == (
        "Exact has been given it; its result is awaited, and it is offered again without one.",
        [],
    )
    settle(demo, (7, 0), imported=True)
    assert demo.verdict("7")[0] == "in_sync"


def test_what_exact_rejected_waits_for_its_next_attempt_or_is_tried_at_once(demo: Demo) -> None:
    demo.replace('output = "outbox"', 'output = "outbox"\nacknowledge = "result"')
    demo.export("7")
    demo.take()
    settle(demo, (7, 0), imported=False)
    one = demo.one("7")
    assert (one["verdict"], one["sync"]["status"], one["sync"]["message"]) == (
        "pending",
        "failed",
        "Artikelgroep ontbreekt",
    )
    assert one["remedy"].startswith("It is tried again after 2026-11-21 12:02 UTC; to try at once:")
    assert [command.removeprefix(WRITTEN_AS_PLAIN) for command in one["commands"]] == [
        "logs retry 7-0",
        "products export 7-0",
    ]
    for command in one["commands"]:
        assert demo.pasted(command).code == 0
    assert "7-0" in demo.unread


def test_a_state_that_is_lost_is_not_taken_for_nothing_was_ever_sent(demo: Demo) -> None:
    demo.export("7")
    demo.lose_state()
    said = demo.run("products", "diagnose", "7")
    assert (said.code, said.err.startswith("Warning: The state database does not exist: ")) == (0, True)


# --- several targets ---------------------------------------------------------------------------------------


def test_every_target_is_asked_and_named(demo: Demo) -> None:
    demo.configure(TWO_TARGETS)
    demo.run("products", "export", "7", "--target", "first")
    said = demo.diagnose("7")
    found = [(one["target"], one["verdict"]) for one in said.document["combinations"]]
    assert found == [("first", "in_sync"), ("second", "pending")]
    assert [one["target"] for one in demo.diagnose("7", "--target", "second").document["combinations"]] == [
        "second"
    ]
    told = demo.run("products", "diagnose", "7").out
    assert ("→ first" in told, "→ second" in told) == (True, True)


def test_a_remedy_speaks_of_its_own_target(demo: Demo) -> None:
    demo.configure(TWO_TARGETS)
    demo.run("flows", "disable", "product", "--target", "second")
    commands = {one["target"]: one["commands"] for one in demo.diagnose("7").document["combinations"]}
    assert commands == {
        "first": [f"{WRITTEN_AS_PLAIN}products export 7-0 --target first"],
        "second": [
            f"{WRITTEN_AS_PLAIN}flows enable product --target second",
            f"{WRITTEN_AS_PLAIN}products export 7-0 --target second",
        ],
    }
    for command in commands["second"]:
        assert demo.pasted(command).code == 0
    assert (demo.folder / "demo/second/items/7-0.xml").exists()
    assert not (demo.folder / "demo/first").exists()


# --- a person at a terminal --------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", ["80", "160"])
def test_a_few_are_shown_as_cards_that_fit(demo: Demo, monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    said = demo.run("products", "diagnose", "1-101", "2-202")
    framed = [line for line in said.out.splitlines() if line[0] in "╭│╰"]
    assert {len(line) for line in framed} == {int(columns)}
    assert said.out.count("╭─  1-101  LL-NW-RD-M  Looplijn Noordwind Rood M  pending") == 1
    assert said.out.count("╭─  2-202  HB-ZW-M  Halsband Zuidwester Grijs M  blocked") == 1
    assert said.out.endswith(
        "Remedy 1: Include it again.\n"
        f"    {WRITTEN_AS_PLAIN}products include 2-202\n"
        "Remedy 2: The next run sends it; to send it at once:\n"
        f"    {WRITTEN_AS_PLAIN}products export 2-202\n"
    )
    assert said.err == "2 combinations: 1 pending, 1 blocked.\n"


def test_many_are_a_table_with_what_to_do(demo: Demo) -> None:
    said = demo.run("products", "diagnose", "1", "2", "--limit", "5")
    rows = said.rows
    assert max(map(len, said.out.splitlines())) <= 80
    assert rows[0] == ["Key", "Item code", "Verdict", "Why, and what to do"]
    assert [row[0] for row in rows[1:] if row[0]] == ["1-101", "1-102", "1-103", "1-104", "2-201"]
    assert said.err == (
        "7 combinations: 5 pending, 2 blocked. The first 5 are shown: --limit N shows more, --json all.\n"
    )


def test_a_limit_cuts_no_cards(demo: Demo) -> None:
    said = demo.run("products", "diagnose", "1", "--limit", "1")
    assert said.out.count("╭─") == 4
    assert said.err == "4 combinations: 4 pending.\n"


def test_one_that_is_in_sync_needs_nothing(demo: Demo) -> None:
    demo.export("1-101")
    said = demo.run("products", "diagnose", "1-101")
    assert said.out.endswith("Remedy: none needed.\n")
    assert said.err == ""


def test_when_nothing_is_missing_that_is_said(demo: Demo) -> None:
    demo.sql("UPDATE ps_product_shop SET active = 0 WHERE id_product NOT IN (7, 16)")
    assert demo.run("products", "diagnose", "--missing") == (0, "", "Nothing is missing.\n")


def test_a_name_with_control_characters_does_no_harm(demo: Demo) -> None:
    demo.sql("UPDATE ps_product_lang SET name = char(27) || '[31mRood' || char(8238) WHERE id_product = 7")
    said = demo.run("products", "diagnose", "7")
    assert "\x1b" not in said.out
    assert "\u202e" not in said.out
