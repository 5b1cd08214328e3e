"""``stock sweep``, ``stock diff``, ``stock update`` as people, programs and cron meet them."""

from __future__ import annotations

import csv
import sqlite3
from contextlib import closing
from typing import Any
from unittest.mock import ANY

import pytest

from tests.demos import Demos, FreshDemo
from tests.exports import Said

SILENCE = ("", "")
DIFFERENT = {"HB-ZW-S": (12, 15), "KRABMAT": (3, 0), "LL-NW-RD-L": (14, 12)}
"""What the demo's shop shows and its ERP has."""


class Demo(FreshDemo):
    """A demo and its stock."""

    def stock(self, *arguments: str) -> Said:
        return self.run("stock", *arguments)

    def shown(self) -> dict[int, int]:
        """What the data shop shows, by product and combination."""
        with closing(sqlite3.connect(self.folder / "demo/shop.db")) as shop:
            return dict(
                shop.execute(
                    "SELECT id_product * 10000 + id_product_attribute, quantity FROM ps_stock_available"
                    " WHERE id_shop = 1"
                )
            )


@pytest.fixture
def demo(demos: Demos) -> Demo:
    return demos.fresh(Demo, columns=80)


def differences(document: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {one["code"]: (one["shop_quantity"], one["erp_quantity"]) for one in document["differences"]}


def test_a_sweep_writes_what_differs_and_the_next_has_nothing_to_do(demo: Demo) -> None:
    first = demo.stock("sweep", "--json")
    assert (first.code, differences(first.document)) == (0, DIFFERENT)
    assert first.document["counts"] == {
        "read": 47,
        "eligible": 12,
        "pending": 3,
        "delivered": 3,
        "unchanged": 9,
        "skipped": 35,
        "failed": 0,
    }
    assert first.document["census"] == {"erp_items": 14, "compared": 12, "changing": 3, "becoming_zero": 1}
    assert first.document["reasons"] == {
        "not_in_erp": 32,
        "no_item_code": 1,
        "pack_conflict": 1,
        "no_stock_row": 1,
    }

    again = demo.stock("sweep", "--json")
    assert (again.code, differences(again.document), again.document["counts"]["delivered"]) == (0, {}, 0)
    logged = demo.run("logs", "list", "--type", "inventory", "--json").document["records"]
    assert {one["info"]: one["status"] for one in logged} == {
        f"{code}: NL {before} → {after}": "synced" for code, (before, after) in DIFFERENT.items()
    }


def test_a_dry_run_shows_the_same_and_writes_nothing(demo: Demo) -> None:
    before = demo.shown()
    planned = demo.stock("sweep", "--dry-run", "--json").document
    assert demo.shown() == before
    done = demo.stock("sweep", "--json").document
    for name in ("counts", "reasons", "differences", "findings", "census"):
        assert planned[name] == done[name]
    assert (planned["dry_run"], planned["run_id"]) == (True, ANY)


def test_people_see_both_figures_and_what_is_left_alone(demo: Demo) -> None:
    said = demo.stock("sweep", "--dry-run")
    assert said.code == 0
    assert "│ HB-ZW-S    │ 2-201 │    12 │  15 │ +3    │ 15 on hand │" in said.out
    assert "Left alone (8 of 35; --findings FILE lists all)" in said.out
    assert all(len(line) <= 80 for line in said.out.splitlines())
    assert said.err == "Next: the same command without --dry-run writes them.\n"


def test_too_many_changes_are_not_written_until_somebody_says_so(demo: Demo) -> None:
    before = demo.shown()
    refused = demo.stock("sweep", "--max-change", "20%", "--json")
    assert (refused.code, refused.document["error"]["code"]) == (3, "guard_stopped")
    assert refused.document["error"]["message"] == (
        "3 of 12 figures would change, which is more than 20 % of them. No figure was written."
    )
    assert demo.shown() == before
    forced = demo.stock("sweep", "--max-change", "20%", "--force", "--json")
    assert (forced.code, forced.document["counts"]["delivered"]) == (0, 3)


def test_an_erp_that_lost_most_of_its_items_is_not_believed(demo: Demo) -> None:
    assert demo.stock("sweep").code == 0
    demo.sql("DELETE FROM Items WHERE ItemCode NOT IN ('HB-ZW-S', 'KRABMAT')", database="erp")
    said = demo.stock("sweep", "--json")
    assert (said.code, said.document["error"]["message"]) == (
        3,
        "The ERP gave only 2 of the 14 items for sale of the last time. No figure was written.",
    )


@pytest.mark.parametrize("share", ["lots", "-3%", "130%"])
def test_a_share_that_is_none_is_told(demo: Demo, share: str) -> None:
    said = demo.stock("sweep", f"--max-change={share}")
    assert (said.code, said.out) == (2, "")
    assert "--max-change" in said.err


def test_every_item_that_is_left_alone_can_be_listed_in_a_file(demo: Demo) -> None:
    demo.sql("UPDATE ps_product_attribute SET reference = '=1+1' WHERE id_product_attribute = 1101")
    path = demo.folder / "left.csv"
    assert demo.stock("sweep", "--dry-run", "--findings", str(path)).code == 0
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["item_code", "key", "finding", "meaning"]
    assert len(rows) == 36
    assert ["'=1+1", "11-1101", "not_in_erp", "the ERP has no item with this code"] in rows


def test_a_file_that_cannot_be_written_is_told_before_anything_is_done(demo: Demo) -> None:
    before = demo.shown()
    said = demo.stock("sweep", "--findings", str(demo.folder / "no/such/left.csv"))
    assert (said.code, demo.shown()) == (78, before)
    assert "--findings" in said.err


# --- diff and update ---------------------------------------------------------------------------------------------


def test_a_diff_shows_what_each_figure_is_made_of_and_how_old_it_is(demo: Demo) -> None:
    demo.sql("UPDATE ps_stock_available SET reserved_quantity = 2 WHERE id_product = 7 AND id_shop = 1")
    assert "25 on hand, 3 sold, (2" in demo.stock("diff", "EEND").out
    said = demo.stock("diff", "eend", " hb-zw-s ", "--json")
    eend, halsband = said.document["items"]
    assert said.code == 4
    assert eend == {
        "code": "EEND",
        "key": "7-0",
        "shop": "NL",
        "shop_quantity": 22,
        "erp_quantity": 22,
        "delta": 0,
        "parts": {"on_hand": 25, "open_sales": 3, "reserved": 2, "unreceived": 0, "margin": 0},
        "written_at": None,
        "moved_on": ANY,
    }
    assert (halsband["shop_quantity"], halsband["erp_quantity"], halsband["delta"]) == (12, 15, 3)
    assert said.document["error"]["code"] == "differences_found"

    assert demo.stock("update", "HB-ZW-S").code == 0
    after = demo.stock("diff", "HB-ZW-S", "--json")
    assert (after.code, after.document["ok"], after.document["items"][0]["written_at"]) == (0, True, ANY)
    assert after.document["items"][0]["written_at"] is not None


def test_what_was_sent_and_is_not_imported_yet_is_not_put_back_on_sale(demo: Demo) -> None:
    codes = ["LL-NW-RD-M", "LL-NW-BL-M", "EEND", "HB-ZW-S"]

    def figures() -> dict[str, dict[str, Any]]:
        return {one["code"]: one for one in demo.stock("diff", *codes, "--json").document["items"]}

    untouched = figures()
    assert demo.run("orders", "export", "--force").code == 3  # some of the demo's cannot go, on purpose
    sent = figures()
    assert demo.program("demo", "import").code == 0
    imported = figures()

    for code in codes:
        before, out, there = (figures[code]["parts"] for figures in (untouched, sent, imported))
        assert sent[code]["erp_quantity"] == imported[code]["erp_quantity"] < untouched[code]["erp_quantity"]
        assert before["unreceived"] == 0
        # What could not go is on its way still; the rest waits in the ERP.
        assert out["unreceived"] - there["unreceived"] == there["open_sales"] - before["open_sales"] > 0


def test_a_diff_of_everything_writes_nothing_and_ends_with_4_until_nothing_differs(demo: Demo) -> None:
    before = demo.shown()
    said = demo.stock("diff", "--json")
    found = {one["code"]: (one["shop_quantity"], one["erp_quantity"]) for one in said.document["items"]}
    assert (said.code, found, demo.shown()) == (4, DIFFERENT, before)
    assert demo.stock("sweep").code == 0
    assert demo.stock("diff").code == 0


def test_an_update_writes_exactly_what_it_was_asked_for(demo: Demo) -> None:
    said = demo.stock("update", "krabmat", "EEND", "--json")
    assert (said.code, differences(said.document)) == (0, {"KRABMAT": (3, 0)})
    assert said.document["counts"]["delivered"] == 1
    assert set(differences(demo.stock("sweep", "--dry-run", "--json").document)) == {"HB-ZW-S", "LL-NW-RD-L"}


def test_an_update_of_an_unknown_code_writes_nothing_at_all(demo: Demo) -> None:
    before = demo.shown()
    said = demo.stock("update", "KRABMAT", "GIBTSNICHT", "--json")
    assert (said.code, said.document["error"]["code"], demo.shown()) == (2, "unknown_id", before)
    assert "GIBTSNICHT" in said.document["error"]["message"]
    assert demo.stock("diff", "GIBTSNICHT").code == 4


def test_an_item_that_is_asked_for_and_cannot_be_compared_is_a_failure(demo: Demo) -> None:
    said = demo.stock("update", "PAKKET-PUPPY", "--json")
    assert (said.code, said.document["error"]["code"]) == (3, "left_alone")
    assert [one["finding"] for one in said.document["findings"]] == ["pack_conflict"]


# --- configuration, switches, cron --------------------------------------------------------------------------------


def test_without_an_erp_there_is_nothing_to_compare_with(demo: Demo) -> None:
    text = demo.config.read_text(encoding="utf-8").replace("sqlite:///erp.db", "")
    demo.config.write_text(text, encoding="utf-8")
    for command in (["sweep"], ["diff"], ["update", "EEND"]):
        said = demo.stock(*command, "--json")
        assert (said.code, said.document["error"]["code"]) == (78, "erp_not_configured")


def test_a_flow_that_is_switched_off_writes_nothing(demo: Demo) -> None:
    before = demo.shown()
    assert demo.run("flows", "disable", "stock", "--reason", "stocktaking").code == 0
    said = demo.stock("sweep", "--json")
    assert (said.code, said.document["disabled"], demo.shown()) == (0, True, before)
    assert demo.stock("diff", "EEND").code == 0


def test_a_shop_that_is_not_written_is_named_with_those_that_are(demo: Demo) -> None:
    said = demo.stock("sweep", "--shop", "BE", "--json")
    assert (said.code, said.document["error"]["code"]) == (78, "unknown_shop")
    assert "NL (1)" in said.document["error"]["message"]
    assert demo.stock("sweep", "--shop", "1").code == 0


def test_cron_hears_nothing_of_a_night_in_which_all_went_well(demo: Demo) -> None:
    first = demo.run("stock", "sweep", "--cron")
    assert (first.code, first.out, first.err) == (0, *SILENCE)
    demo.sql("UPDATE Items SET IsSalesItem = 0", database="erp")
    refused = demo.run("stock", "sweep", "--cron")
    assert (refused.code, "no items for sale" in refused.err) == (3, True)
    again = demo.run("stock", "sweep", "--cron")
    assert (again.code, again.out, again.err) == (3, *SILENCE)


def test_cron_does_nothing_where_nothing_is_said_of_stock(demo: Demo) -> None:
    text = demo.config.read_text(encoding="utf-8")
    start = text.index("[stock]")
    demo.config.write_text(text[:start] + text[text.index("\n\n", start) :], encoding="utf-8")
    before = demo.shown()
    said = demo.run("stock", "sweep", "--cron")
    assert (said.code, said.out, said.err, demo.shown()) == (0, *SILENCE, before)
