"""Every command says what it is for, and ends its help with an example that works as it stands on a fresh demo.

The example is what people copy first. It runs here behind ``--config demo/brekzsync.toml``, as text and as
JSON, and has to end as a command that did its work does: done (0), done but for some records (3), or with
differences found (4).
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from brekzsync import cli

WIDTH = 80
DONE = (0, 3, 4)
OPTION = ("--config", "demo/brekzsync.toml")

# Examples that cannot run here, each with the reason.
NOT_RUN: dict[str, str] = {
    "agent run --config agent.toml": "runs until it is told to stop; its tests are in test_agent_command.py",
    "demo webservice --port 8081": "runs until it is told to stop; its test is in test_demo_webservice_command.py",
    "demo marketplace --port 8082": "runs until it is told to stop; its test is in test_demo_marketplace_command.py",
    "serve --port 8080": "runs until it is told to stop; its tests are in tests/web",
    "inbox show 1": "nobody sends the demo webhooks; its tests are in test_inbox_command.py",
    "agent status": "the demo has no agent",
    "agent start products": "the demo has no agent",
    "agent stop products": "the demo has no agent",
}
# Commands that write the configuration, and so are not given one.
WITHOUT_CONFIGURATION = {"demo up", "config init"}
# What somebody who types the example has done before.
BEFORE: dict[str, str] = {"logs show": "products export 1-101"}


class Documented(NamedTuple):
    """A command of the tree; ``path`` is its words without the program's."""

    path: str
    command: click.Command
    context: click.Context

    @property
    def example(self) -> str:
        """What its help ends with, without the program's name; empty when that is no example."""
        found = re.fullmatch(r"Example: brekzsync (.+)", self.command.epilog or "")
        return found[1] if found else ""


def tree(command: click.Command, context: click.Context) -> Iterator[Documented]:
    yield Documented(context.command_path.partition(" ")[2], command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from tree(below, click.Context(below, info_name=name, parent=context, terminal_width=WIDTH))


ROOT = click.Context(cli.root, info_name=cli.PROGRAM, terminal_width=WIDTH, **cli.root.context_settings)
COMMANDS = {one.path: one for one in tree(cli.root, ROOT)}
EXAMPLES = sorted({one.example for one in COMMANDS.values()} - {""} - set(NOT_RUN))


def called_by(example: str) -> str:
    """The path of the command that an example calls."""
    words = shlex.split(example)
    return next(path for end in range(len(words), -1, -1) if (path := " ".join(words[:end])) in COMMANDS)


@pytest.fixture(scope="session")
def fresh_demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh") / "demo"
    assert cli.main(["demo", "up", "-q", "--dir", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_every_command_says_what_it_is_for(path: str) -> None:
    _, command, context = COMMANDS[path]

    text = command.get_help(context)

    assert command.help, "it says nothing"
    assert not [param.name for param in command.params if isinstance(param, click.Option) and not param.help]
    assert [line for line in text.splitlines() if len(line) > WIDTH] == []
    assert text.splitlines()[-1] == f"  {command.epilog}", "too long to be copied from a narrow terminal"


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_an_example_of_itself(path: str) -> None:
    called = called_by(COMMANDS[path].example)

    assert called == path or (isinstance(COMMANDS[path].command, click.Group) and called.startswith(path))
    assert not isinstance(COMMANDS[called].command, click.Group)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_works_on_a_fresh_demo(
    example: str,
    fresh_demo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = called_by(example)
    words = [*(() if path in WITHOUT_CONFIGURATION else OPTION), *shlex.split(example)]

    def run(name: str, *more: str) -> tuple[int, str, str]:
        folder = tmp_path / name
        shutil.copytree(fresh_demo, folder / "demo")
        monkeypatch.chdir(folder)
        if path in BEFORE:
            cli.main([*OPTION, *shlex.split(BEFORE[path])])
            capfd.readouterr()
        return cli.main([*words, *more]), *capfd.readouterr()

    code, out, err = run("text")
    assert code in DONE, err
    assert out + err != ""
    assert "Traceback" not in out + err

    code_of_json, out, err = run("json", "--json")
    document = json.loads(out)
    shown = {key: document[key] for key in ("schema_version", "command", "ok")}
    assert shown == {"schema_version": 1, "command": path, "ok": code == 0}
    assert code_of_json == code
    assert "Traceback" not in err


def test_the_tables_name_what_there_is() -> None:
    assert set(NOT_RUN) <= {one.example for one in COMMANDS.values()}
    assert {*WITHOUT_CONFIGURATION, *BEFORE} - set(COMMANDS) <= {"config init"}
