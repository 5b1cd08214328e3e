"""`products export` to an outbox, with `acknowledge = "result"`: the ERP itself tells what it has taken in."""

from __future__ import annotations

import pytest

from tests.demos import Demos, FreshDemo


@pytest.fixture
def demo(demos: Demos) -> FreshDemo:
    made = demos.fresh(FreshDemo, columns=100)
    made.replace("[products]", '[products]\nacknowledge = "result"')
    return made


def statuses(demo: FreshDemo) -> dict[str, str]:
    """The status of every record that can be exported."""
    records = demo.run("--json", "logs", "list", "--limit", "100").document["records"]
    return {one["key"]: one["status"] for one in records if one["status"] != "failed"}


def test_what_exact_imported_is_in_sync_from_the_next_run_on(demo: FreshDemo) -> None:
    demo.run("products", "export")
    assert set(statuses(demo).values()) == {"pending"}
    demo.program("demo", "import")

    demo.run("products", "export")

    assert set(statuses(demo).values()) == {"synced"}
    assert demo.unread == set()


def test_what_lies_there_unread_and_what_was_thrown_away_is_not(demo: FreshDemo) -> None:
    """6-602 is new to the ERP; of 1-101 it happens to hold what the shop says."""
    demo.run("products", "export", "6-602", "1-101", "17-0")
    (demo.outbox / "items/17-0.xml").unlink()

    demo.run("products", "export", "6-602", "1-101", "17-0")

    assert statuses(demo) == {"6-602": "pending", "1-101": "synced", "17-0": "pending"}


def test_a_special_price_that_ended_is_settled_when_its_line_is_closed(demo: FreshDemo) -> None:
    demo.run("products", "export", "17-0")
    demo.program("demo", "import")
    demo.run("products", "export", "17-0")
    demo.sql("DELETE FROM ps_specific_price WHERE id_product = 17")

    demo.run("products", "export", "17-0")
    demo.run("products", "export", "17-0")
    assert statuses(demo)["17-0"] == "pending"
    demo.program("demo", "import")
    demo.run("products", "export", "17-0")

    assert statuses(demo)["17-0"] == "synced"


def test_without_an_erp_or_with_one_that_is_away_nothing_changes(demo: FreshDemo) -> None:
    demo.run("products", "export", "1-101")
    demo.replace('"sqlite:///erp.db"', '"sqlite:///gone.db"')

    away = demo.run("products", "export", "1-101")
    assert (away.code, statuses(demo)["1-101"]) == (0, "pending")

    demo.replace('database = "sqlite:///gone.db"', "")
    none = demo.run("products", "export", "1-101")
    assert (none.code, statuses(demo)["1-101"]) == (0, "pending")


def test_a_dry_run_settles_nothing(demo: FreshDemo) -> None:
    demo.run("products", "export", "1-101")

    demo.run("products", "export", "--dry-run")

    assert statuses(demo)["1-101"] == "pending"
