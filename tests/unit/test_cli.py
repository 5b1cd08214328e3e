"""The program as it is called: real processes, with a throw-away noun for what no command does yet."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from brekzsync import cli, errors

NOT_FOR_HELP = (
    "sqlalchemy",
    "pyodbc",
    "pydantic",
    "fastapi",
    "rich",
    "tenacity",
    "httpx2",
    "logging",
    "asyncio",
)

# Registers a noun whose commands end in every way a command can, then runs the program.
THROWAWAY = """
import sys, types, time
import click
from brekzsync import cli, errors
from brekzsync.commands.invocation import pass_invocation

@click.group()
def attempt(): "Try."

@attempt.command()
@pass_invocation
def fine(invocation):
    invocation.console.output("a result")
    invocation.console.notice("a notice")

@attempt.command()
@click.argument("code", type=int)
@click.pass_context
def leave(ctx, code):
    ctx.exit(code)

@attempt.command()
@pass_invocation
def partly(invocation):
    invocation.console.document("attempt partly", False, {"counts": {"failed": 1}})
    return 3

@attempt.command()
@click.argument("name")
@click.option("--known", is_flag=True)
@pass_invocation
def fail(invocation, name, known):
    invocation.is_known_failure = known
    kinds = {
        "permanent": errors.PermanentError("It broke.", hint="Mend it."),
        "input": errors.InvalidInput("It broke.", hint="Mend it."),
        "guard": errors.GuardStopped("It broke.", hint="Mend it."),
        "unavailable": errors.Unavailable("It broke.", hint="Mend it."),
        "lock": errors.LockHeld("It broke.", hint="Mend it."),
        "access": errors.AccessDenied("mysql://u:hunter2@h/d broke.", hint="Not PWD=hunter2;"),
        "configuration": errors.ConfigurationError("It broke.", hint="Mend it."),
        "bug": ZeroDivisionError("mysql://u:hunter2@h/d\\nSELECT everything"),
        "interrupt": KeyboardInterrupt(),
        "abort": click.Abort(),
    }
    raise kinds[name]

@attempt.command()
@pass_invocation
def configured(invocation):
    invocation.settings
    raise ZeroDivisionError("gone")

@attempt.command()
def wait():
    print("waiting", flush=True)
    time.sleep(30)

@attempt.command()
@pass_invocation
def pour(invocation):
    for _ in range(100_000):
        invocation.console.output("x" * 80)

module = types.ModuleType("throwaway")
module.attempt = attempt
sys.modules["throwaway"] = module
cli.NOUNS["attempt"] = cli.Noun("throwaway:attempt", "Try.")
sys.exit(cli.main())
"""

# The package under test is found from any working folder, installed or not.
# Unbuffered output would hide what happens to a pipe that closes while something is still buffered.
INHERITED = {
    name: value
    for name, value in os.environ.items()
    if not name.startswith("BREKZSYNC") and name != "PYTHONUNBUFFERED"
}
ENVIRON = {**INHERITED, "PYTHONPATH": str(Path(cli.__file__).parents[1]), "COLUMNS": "100"}

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def program(tmp_path: Path) -> Path:
    file = tmp_path / "program.py"
    file.write_text(THROWAWAY)
    return file


@pytest.fixture
def run(program: Path, tmp_path: Path) -> Run:
    def run_program(*arguments: str, real: bool = False, **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "brekzsync"] if real else [sys.executable, str(program)]
        return subprocess.run(
            [*command, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env={**ENVIRON, **environ},
            timeout=30,
            check=False,
        )

    return run_program


def outcome(done: subprocess.CompletedProcess[str]) -> tuple[int, str, str]:
    return done.returncode, done.stdout, done.stderr


# --- help ----------------------------------------------------------------------------------------------


def test_help_shows_the_nouns_and_ends_with_an_example(run: Run) -> None:
    done = run("--help", real=True)
    assert done.returncode == 0
    assert done.stderr == ""
    assert re.search("^  products  +Send products to the ERP.$", done.stdout, re.MULTILINE)
    assert re.search("^  db  +Look after brekzsync's own database.$", done.stdout, re.MULTILINE)
    assert done.stdout.splitlines()[-1] == "  Example: brekzsync products export --dry-run"


def test_help_loads_nothing_heavy_and_no_command(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['brekzsync', '--help']\n"
        "from brekzsync.cli import main\nmain()\n"
        f"heavy = [name for name in {NOT_FOR_HELP} if name in sys.modules]\n"
        "ours = sorted(name for name in sys.modules if name.startswith('brekzsync'))\n"
        "print(heavy, ours)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=ENVIRON,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == (
        "[] ['brekzsync', 'brekzsync.cli', 'brekzsync.commands', 'brekzsync.commands.invocation', "
        "'brekzsync.errors']"
    )


def test_every_command_of_db_ends_its_help_with_an_example(run: Run) -> None:
    for words in (["db"], ["db", "upgrade"]):
        help_text = run(*words, "--help", real=True).stdout
        assert help_text.splitlines()[-1].startswith("  Example: brekzsync db")


def test_global_options_are_in_the_help_of_every_command(run: Run) -> None:
    help_text = run("attempt", "fine", "--help").stdout
    for option in ("--config FILE", "-v, --verbose", "-q, --quiet", "--json", "--cron", "--no-color"):
        assert option in help_text


def test_the_program_alone_shows_its_help_as_a_usage_error(run: Run) -> None:
    done = run(real=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "Commands:\n" in done.stderr


def test_the_version_is_shown(run: Run) -> None:
    done = run("--version", real=True)
    assert done.returncode == 0
    assert done.stdout.startswith("brekzsync ")


# --- the command line ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["prodcts"], "No such command 'prodcts'. Did you mean 'products'?", "`brekzsync --help`"),
        (["xyzzy"], "No such command 'xyzzy'. The commands are products, ", "`brekzsync --help`"),
        (["db", "upgrade", "--nope"], "No such option", "`brekzsync db upgrade --help`"),
        (
            ["db", "upgrade", "surplus"],
            "Got unexpected extra argument (surplus)",
            "`brekzsync db upgrade --help`",
        ),
        (["--nope"], "No such option", "`brekzsync --help`"),
        (["db"], None, None),
    ],
)
def test_a_wrong_line_is_a_usage_error(
    run: Run, arguments: list[str], message: str | None, hint: str
) -> None:
    plain = run(*arguments, real="xyzzy" not in arguments)
    assert (plain.returncode, plain.stdout) == (2, "")
    if message is not None:
        assert plain.stderr.startswith(f"Error: {message}")
        assert f"Hint: {hint} shows what it takes.\n" in plain.stderr

    as_json = run(*arguments, "--json", real=True)
    assert (as_json.returncode, as_json.stderr) == (2, "")
    document = json.loads(as_json.stdout)
    assert (document["schema_version"], document["ok"]) == (1, False)
    assert document["error"]["code"] == "usage"
    assert document["error"]["message"]


def test_a_usage_error_names_the_command_in_json(run: Run) -> None:
    done = run("--json", "db", "upgrade", "surplus", real=True)
    assert json.loads(done.stdout) == {
        "schema_version": 1,
        "command": "db upgrade",
        "ok": False,
        "error": {
            "code": "usage",
            "message": "Got unexpected extra argument (surplus)",
            "hint": "`brekzsync db upgrade --help` shows what it takes.",
        },
    }


@pytest.mark.parametrize(
    "arguments",
    [["-q", "attempt", "fine"], ["attempt", "-q", "fine"], ["attempt", "fine", "-q"]],
)
def test_a_global_option_may_stand_anywhere(run: Run, arguments: list[str]) -> None:
    assert outcome(run(*arguments)) == (0, "a result\n", "")


def test_without_options_results_and_notices_part(run: Run) -> None:
    assert outcome(run("attempt", "fine")) == (0, "a result\n", "a notice\n")


def test_the_config_option_nearest_to_the_command_wins(run: Run, tmp_path: Path) -> None:
    done = run("--config", "first.toml", "attempt", "configured", "--config", "second.toml")
    assert outcome(done) == (
        78,
        "",
        f"Error: There is no configuration. Looked for: {tmp_path}/second.toml.\n"
        "Hint: Write a starter file with `brekzsync config init second.toml`, "
        "or try the demo with `brekzsync demo up`.\n",
    )


def test_db_upgrade_without_a_configuration_says_where_it_looked(run: Run, tmp_path: Path) -> None:
    done = run("--json", "attempt", "configured", BREKZSYNC_CONFIG=str(tmp_path / "gone.toml"))
    assert done.returncode == 78
    assert json.loads(done.stdout)["error"]["code"] == "no_configuration"


# --- how a command ends --------------------------------------------------------------------------------

CODES = {
    "permanent": (1, "failed"),
    "input": (2, "invalid_input"),
    "guard": (3, "guard_stopped"),
    "unavailable": (69, "unavailable"),
    "lock": (75, "lock_held"),
    "configuration": (78, "configuration"),
}


@pytest.mark.parametrize("name", CODES)
def test_each_error_has_its_exit_code_and_is_told_once(run: Run, name: str) -> None:
    number, code = CODES[name]
    assert outcome(run("attempt", "fail", name)) == (number, "", "Error: It broke.\nHint: Mend it.\n")

    as_json = run("attempt", "fail", name, "--json")
    assert (as_json.returncode, as_json.stderr) == (number, "")
    assert json.loads(as_json.stdout) == {
        "schema_version": 1,
        "command": "attempt fail",
        "ok": False,
        "error": {"code": code, "message": "It broke.", "hint": "Mend it."},
    }


def test_secrets_are_taken_out_of_messages_and_hints(run: Run) -> None:
    assert outcome(run("attempt", "fail", "access")) == (
        77,
        "",
        "Error: mysql://u:***@h/d broke.\nHint: Not PWD=***;\n",
    )


@pytest.mark.parametrize("name", ["interrupt", "abort"])
def test_ctrl_c_is_130(run: Run, name: str) -> None:
    done = run("attempt", "fail", name)
    assert done.returncode == 130
    assert "Error: Interrupted before the run was complete.\n" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unexpected_error_is_a_sentence_and_never_a_traceback(run: Run) -> None:
    assert outcome(run("-vv", "attempt", "fail", "bug")) == (
        1,
        "",
        "Error: Unexpected ZeroDivisionError: mysql://u:***@h/d.\n"
        "Hint: Set [log] file to keep the details; this is a fault in brekzsync: please report it.\n",
    )


def test_the_traceback_of_an_unexpected_error_is_in_the_log_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "brekzsync.toml").write_text(
        '[shop]\ndatabase = "sqlite:///s.db"\ndata_shop = 1\n[log]\nfile = "log"\n'
    )
    done = run("-v", "attempt", "configured")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Hint: The log file has the details;" in done.stderr
    assert "ZeroDivisionError: gone" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("code", [0, 3, 4])
def test_a_command_may_choose_its_exit_code(run: Run, code: int) -> None:
    assert outcome(run("attempt", "leave", str(code))) == (code, "", "")
    as_json = run("attempt", "leave", str(code), "--json")
    assert as_json.returncode == code
    assert json.loads(as_json.stdout) == {
        "schema_version": 1,
        "command": "attempt leave",
        "ok": code == 0,
    }


def test_a_document_the_command_wrote_is_the_only_one(run: Run) -> None:
    done = run("attempt", "partly", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["counts"] == {"failed": 1}


@pytest.mark.parametrize(
    ("arguments", "code", "silent"),
    [
        (["lock"], 75, True),
        (["unavailable", "--known"], 69, True),
        (["unavailable"], 69, False),
        (["bug"], 1, False),
    ],
)
def test_cron_is_told_of_a_failure_only_when_it_is_new(
    run: Run, arguments: list[str], code: int, silent: bool
) -> None:
    done = run("--cron", "attempt", "fail", *arguments)
    assert done.returncode == code
    assert (done.stdout + done.stderr == "") is silent


def test_cron_hears_nothing_when_all_is_well(run: Run) -> None:
    assert outcome(run("--cron", "attempt", "fine")) == (0, "", "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_signal_ends_the_run_politely(
    program: Path, tmp_path: Path, number: signal.Signals, code: int, as_json: bool
) -> None:
    arguments = [sys.executable, str(program), "attempt", "wait", *(["--json"] if as_json else [])]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=ENVIRON
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=10)
    assert process.returncode == code
    assert "Traceback" not in err
    if as_json:
        assert json.loads(out)["error"]["code"] == "interrupted"
    else:
        assert "Hint: Run the same command again: it finishes what is left.\n" in err


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="there is no /dev/full")
def test_a_full_disk_behind_the_output_is_told(program: Path, tmp_path: Path) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, str(program), "attempt", "fine", "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=ENVIRON,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        "Error: There is no space left where the output, or a temporary file, goes.\n"
        "Hint: Make room there, then run the same command again.\n"
    )


def test_a_reader_that_goes_away_is_no_traceback(program: Path, tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, str(program), "attempt", "pour"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=ENVIRON,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(timeout=10) == 1
    assert said == ""


def test_a_reader_that_was_never_there_is_no_traceback(program: Path, tmp_path: Path) -> None:
    """What little there is to say is only handed over at the end."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, str(program), "-q", "attempt", "fine"],
            stdout=writing,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=ENVIRON,
            timeout=30,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_every_error_class_has_an_exit_code_of_the_contract() -> None:
    contract = {1, 2, 3, 4, 69, 75, 77, 78, 130, 143}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    for kind in kinds:
        error = (
            kind(15)
            if kind is errors.Interrupted
            else kind("m", "m")
            if kind is errors.RecordError
            else kind("m")
        )
        assert cli.exit_code(error) in contract
    assert cli.exit_code(click.UsageError("m")) == 2
    assert cli.exit_code(OSError()) == 1


# --- db upgrade ----------------------------------------------------------------------------------------

UPGRADE = """
import sys, types
from collections import namedtuple
from brekzsync import cli
Result = namedtuple("Result", "url_shown before after")
bootstrap = types.ModuleType("brekzsync.bootstrap.state")
bootstrap.upgrade_state = lambda settings, dry_run: Result("sqlite:///state.db", BEFORE, "0002")
sys.modules["brekzsync.bootstrap.state"] = bootstrap
sys.exit(cli.main(["db", "upgrade", *sys.argv[1:]]))
"""


@pytest.mark.parametrize(
    ("before", "sentence"),
    [
        (None, "Created the state in sqlite:///state.db (0002).\n"),
        ("0001", "Upgraded sqlite:///state.db from 0001 to 0002.\n"),
        ("0002", "sqlite:///state.db is up to date (0002).\n"),
    ],
)
def test_db_upgrade_tells_from_what_to_what(tmp_path: Path, before: str | None, sentence: str) -> None:
    (tmp_path / "brekzsync.toml").write_text('[shop]\ndatabase = "sqlite:///s.db"\ndata_shop = 1\n')

    def run_upgrade(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", UPGRADE.replace("BEFORE", repr(before)), *options]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=ENVIRON, check=False)

    assert outcome(run_upgrade()) == (0, "", sentence)
    assert outcome(run_upgrade("--cron")) == (0, "", "")
    as_json = run_upgrade("--json")
    assert (as_json.returncode, as_json.stderr) == (0, "")
    assert json.loads(as_json.stdout) == {
        "schema_version": 1,
        "command": "db upgrade",
        "ok": True,
        "database": "sqlite:///state.db",
        "dry_run": False,
        "before": before,
        "after": "0002",
    }


def test_a_dry_run_of_db_upgrade_says_what_it_would_do_and_does_not(tmp_path: Path) -> None:
    (tmp_path / "brekzsync.toml").write_text('[shop]\ndatabase = "sqlite:///s.db"\ndata_shop = 1\n')

    def run_upgrade(*options: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "brekzsync", "db", "upgrade", *options]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=ENVIRON, check=False)

    dry = run_upgrade("--dry-run")
    assert (dry.returncode, dry.stderr.partition(" ")[0]) == (0, "Would")
    assert [path.name for path in tmp_path.iterdir()] == ["brekzsync.toml"]
    assert run_upgrade().stderr.startswith("Created the state")
    assert "is up to date" in run_upgrade("--dry-run").stderr
