"""The starter file: all there is, once, and it loads."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from brekzsync.settings import load_settings
from brekzsync.settings.sections import Settings
from brekzsync.settings.starter import starter

COMMENTED_OUT = re.compile(r"^#(?=[a-z\[])", re.MULTILINE)
KEY = re.compile(r"#?([a-z_]+) = .*")
EXAMPLE = re.compile(r"# Example: ([a-z_]+ = .*)")


def sections() -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield name, field.annotation


def keys_of(text: str, pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """(table, match) of every line that fits, commented out or not."""
    table, found = "", []
    for line in text.splitlines():
        if heading := re.fullmatch(r"#?\[([\w.]+)\]", line):
            table = heading[1]
        elif match := pattern.fullmatch(line):
            found.append((table, match[1]))
    return found


def test_every_key_of_the_models_stands_in_it_once() -> None:
    written = Counter(one for one in keys_of(starter(), KEY) if not one[0].startswith("targets."))

    assert written == Counter((name, key) for name, model in sections() for key in model.model_fields)


def test_every_section_stands_in_it_once_with_the_tables_of_a_target() -> None:
    headings = re.findall(r"^#?\[([\w.]+)\]$", starter(), re.MULTILINE)

    general = [heading for heading in headings if "." not in heading]
    assert general == [name for name, _ in sections()]
    assert [heading for heading in headings if "." in heading] == [
        "targets.belgium.erp",
        "targets.belgium.exact_xml",
        "targets.belgium.products",
        "targets.belgium.orders",
        "targets.belgium.stock",
        "targets.belgium.shipments",
    ]


def test_only_what_must_be_filled_in_is_not_commented_out() -> None:
    given = {name: table for name, table in tomllib.loads(starter()).items() if table}

    assert given == {"shop": {"database": "mysql://brekzsync:secret@localhost/prestashop", "data_shop": "NL"}}


def test_it_loads_as_it_is(tmp_path: Path) -> None:
    assert load(tmp_path, starter()).target_names() == ["exact"]


def test_uncommented_as_a_whole_it_loads_and_says_what_is_so_without_it(tmp_path: Path) -> None:
    unset = "[shop]\n" + "\n".join(re.findall(r"^(?:database|data_shop) = .*$", starter(), re.MULTILINE))

    whole = load(tmp_path, COMMENTED_OUT.sub("", starter())).model_dump()
    defaults = load(tmp_path, unset).model_dump()

    assert list(whole.pop("targets")) == ["belgium"]
    assert defaults.pop("targets") == {}
    # TOML has no word for "not set": what is not set by default stands there with an example.
    not_set = [(name, key) for name, table in defaults.items() for key in table if table[key] is None]
    assert not_set
    for name, key in not_set:
        assert whole[name].pop(key) is not None
        del defaults[name][key]
    assert whole == defaults


@pytest.mark.parametrize(
    ("section", "line"), [pytest.param(*one, id=".".join(one)[:40]) for one in keys_of(starter(), EXAMPLE)]
)
def test_every_example_is_accepted(section: str, line: str, tmp_path: Path) -> None:
    shop = '[shop]\ndatabase = "sqlite:///shop.db"\ndata_shop = 1\n'
    heading = "" if section == "shop" else f"[{section}]\n"

    settings = load(tmp_path, f"{shop}{heading}{line}\n")

    assert line.partition(" = ")[0] in getattr(settings, section).model_fields_set


def test_no_line_is_too_long_for_a_terminal_beside_another() -> None:
    assert [line for line in starter().splitlines() if len(line) > 110] == []


def load(folder: Path, text: str) -> Settings:
    file = folder / "brekzsync.toml"
    file.write_text(text, encoding="utf-8")
    return load_settings(file, {})
