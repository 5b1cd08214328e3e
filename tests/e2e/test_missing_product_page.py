"""The page on what to do when a product is missing in Exact: every command of it prints what it shows, and the
reader finds the case."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.demos import Demos, FreshDemo
from tests.pages import steps, typed

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/how-to/a-product-is-missing-in-exact.md"


def test_every_command_prints_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(steps(PAGE.read_text(encoding="utf-8"))) > 30

    wrong = typed(PAGE, tmp_path, monkeypatch)

    assert not wrong, "\n\n".join(wrong)


def test_the_reason_of_everything_the_demo_keeps_back_leads_to_one_case_of_the_page(
    demos: Demos,
) -> None:
    said = demos.fresh(FreshDemo, columns=80).run("--json", "products", "diagnose", "--all")

    combinations = said.document["combinations"]
    kept_back = [one for one in combinations if one["verdict"] in ("blocked", "incomplete")]
    assert len(kept_back) == 16
    assert {one["key"]: cases(one["why"]) for one in kept_back if len(cases(one["why"])) != 1} == {}


def cases(why: str) -> list[str]:
    """The sections that the table "Which case is it?" names for what a card says."""
    table = PAGE.read_text(encoding="utf-8").partition("## Which case is it?")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+) \| \[(.+)\]\(#.+\) \|$", table, re.MULTILINE)
    assert len(rows) == 10
    return [case for said, case in rows if any(_says(why, phrase) for phrase in said.split(", "))]


def _says(why: str, phrase: str) -> bool:
    return re.search(".*".join(map(re.escape, phrase.split("…"))), why, re.IGNORECASE) is not None
