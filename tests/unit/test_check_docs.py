from __future__ import annotations

from pathlib import Path

import click
import pytest

from scripts import check_docs


@click.group()
@click.option("--config")
@click.option("-v", "--verbose", count=True)
def program() -> None: ...


@program.group()
def products() -> None: ...


@products.command()
@click.argument("ids", nargs=-1)
@click.option("--limit", type=int)
@click.option("--dry-run", "-n", is_flag=True)
def export(ids: tuple[str, ...], limit: int, dry_run: bool) -> None: ...


@program.command()
def doctor() -> None: ...


@pytest.mark.parametrize(
    "quoted",
    [
        "brekzsync products export",
        "brekzsync --config demo/brekzsync.toml products export 12-34 --limit=5 -n",
        "brekzsync products export [ID…] [--limit N] [--dry-run]",
        "brekzsync products …",
        "brekzsync -v doctor",
        "brekzsync doctor --config here.toml",
        "brekzsync --help",
    ],
)
def test_a_command_that_exists_is_understood(quoted: str) -> None:
    assert check_docs.misunderstanding(quoted, program) == ""


@pytest.mark.parametrize(
    ("quoted", "problem"),
    [
        ("brekzsync products sell", "brekzsync products has no command sell"),
        ("brekzsync products export --fast", "brekzsync products export has no option --fast"),
        ("brekzsync --limit 3 products export", "brekzsync has no option --limit"),
        ("brekzsync doctor now", "brekzsync doctor takes no now"),
    ],
)
def test_a_command_that_does_not_exist_is_named(quoted: str, problem: str) -> None:
    assert check_docs.misunderstanding(quoted, program) == problem


def test_commands_are_found_in_blocks_and_in_sentences_but_not_their_output() -> None:
    page = """Type `brekzsync doctor`, not `brekzsync` alone, nor `make demo`.

```sh
$ brekzsync products export | less
BREKZSYNC_CONFIG=a.toml .venv/bin/brekzsync doctor   # looks everywhere
3 exported by brekzsync today
```
"""
    assert list(check_docs.quoted_commands(page)) == [
        (1, "brekzsync doctor"),
        (4, "brekzsync products export"),
        (5, ".venv/bin/brekzsync doctor"),
    ]


def test_a_link_must_lead_to_a_file_and_a_heading_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "rules.md").write_text("# Rules\n## Who pays, and when?\n", encoding="utf-8")
    readme = tmp_path / "README.md"
    readme.write_text(
        "[a](docs/rules.md) [b](docs/rules.md#who-pays-and-when) [c](https://example.org/x)\n"
        "[d](docs/gone.md)\n"
        "[e](docs/rules.md#who-sells) ![f](picture.svg)\n"
        "```\n[g](in/a/block.md)\n```\n"
        "[h](../elsewhere.md)\n",
        encoding="utf-8",
    )
    (tmp_path.parent / "elsewhere.md").touch()
    assert list(check_docs.broken_links(readme, tmp_path)) == [
        (2, "the link docs/gone.md leads nowhere"),
        (3, "the link docs/rules.md#who-sells names a heading that is not there"),
        (3, "the link picture.svg leads nowhere"),
        (7, "the link ../elsewhere.md leads nowhere"),
    ]


def test_an_exit_code_the_table_lacks_and_one_too_many_are_named(tmp_path: Path) -> None:
    table = (check_docs.ROOT / check_docs.EXIT_CODES).read_text(encoding="utf-8")
    page = tmp_path / check_docs.EXIT_CODES
    page.parent.mkdir(parents=True)
    page.write_text(table.replace("| 75 | `lock_held` |", "| 76 | `lock_held` |"), encoding="utf-8")
    assert list(check_docs.wrong_exit_codes(tmp_path)) == [
        "75 (lock_held) is missing",
        "76 stands for nothing in errors.py",
    ]


def test_the_table_of_exit_codes_is_the_code_s() -> None:
    assert list(check_docs.wrong_exit_codes(check_docs.ROOT)) == []
