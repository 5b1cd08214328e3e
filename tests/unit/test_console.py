from __future__ import annotations

import io
import json
import os
import pty
import select
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync import console as console_module
from brekzsync.console import Console, failure, printable
from brekzsync.errors import ConfigurationError

ENVIRON = {**os.environ, "PYTHONPATH": str(Path(console_module.__file__).parents[1])}
HOSTILE = "[red]x[/red] \x1b[2J\x9b2J \x07 \u202egnp \ud800"
HARMLESS = r"[red]x[/red] \x1b[2J\x9b2J \x07 \u202egnp ?"


class Terminal(io.StringIO):
    """Says it is a terminal, as a person's is."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def make(**options: object) -> tuple[Console, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    return Console(stdout=out, stderr=err, **options), out, err


def say_everything(console: Console) -> None:
    console.notice("a notice")
    console.detail("a detail")
    console.markup("[bold]{n}[/bold] items", n=3)
    console.warning("a warning")
    console.output("a result")
    console.table("Title", ["name"], [["value"]])
    console.panel("Document", "<Item/>")
    console.cron_report("a report")


def test_results_go_to_stdout_and_talk_to_stderr() -> None:
    console, out, err = make()
    say_everything(console)
    assert err.getvalue() == "a notice\n3 items\nWarning: a warning\n"
    assert [line.strip("│╭╮╰╯─ ") for line in out.getvalue().splitlines()] == [
        "a result", "Title", "", "name", "├───────┤", "value", "", "Document", "<Item/>", "",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said", "written"),
    [
        ({"verbosity": -1}, "Warning: a warning\n", True),
        ({"verbosity": 1}, "a notice\na detail\n3 items\nWarning: a warning\n", True),
        ({"is_json": True, "verbosity": 1}, "Warning: a warning\n", False),
        ({"is_json": True, "is_cron": True}, "", False),
    ],
)
def test_options_decide_what_is_said(options: dict[str, object], said: str, written: bool) -> None:
    console, out, err = make(**options)
    say_everything(console)
    assert err.getvalue() == said
    assert bool(out.getvalue()) is written


def test_under_cron_only_a_report_is_printed_and_cron_mails_it() -> None:
    console, out, err = make(is_cron=True, verbosity=2)
    say_everything(console)
    assert (out.getvalue(), err.getvalue()) == ("a report\n", "")


def test_an_error_is_a_sentence_and_a_hint_also_under_cron() -> None:
    console, out, err = make(is_cron=True)
    console.error(ConfigurationError("No [shop].", hint="Add it."))
    assert (out.getvalue(), err.getvalue()) == ("", "Error: No [shop].\nHint: Add it.\n")


def test_shop_data_is_never_markup_and_never_steers_the_terminal() -> None:
    console, out, err = make()
    console.notice(HOSTILE)
    console.warning(HOSTILE)
    console.markup("[bold]{name}[/bold]", name=HOSTILE)
    console.output(HOSTILE)
    console.table(HOSTILE, [HOSTILE], [[HOSTILE]])
    console.panel(HOSTILE, HOSTILE)
    assert err.getvalue() == f"{HARMLESS}\nWarning: {HARMLESS}\n{HARMLESS}\n"
    assert out.getvalue().count(HARMLESS) == 6


def test_a_terminal_gets_colours_around_the_same_harmless_text() -> None:
    out, err = Terminal(), Terminal()
    console = Console(stdout=out, stderr=err)
    console.warning(HOSTILE)
    console.notice(HOSTILE)
    assert HARMLESS in err.getvalue()
    assert "\x1b[2J" not in err.getvalue()


@pytest.mark.parametrize("how", ["option", "environment"])
def test_colours_can_be_turned_off(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    if how == "environment":
        monkeypatch.setenv("NO_COLOR", "1")
    out, err = Terminal(), Terminal()
    console = Console(stdout=out, stderr=err, color=how != "option")
    say_everything(console)
    console.error(ConfigurationError("Wrong.", hint="Right."))
    assert "\x1b" not in out.getvalue() + err.getvalue()


@given(st.text(st.characters(codec=None)))
def test_what_is_printable_holds_no_control_character(text: str) -> None:
    shown = printable(text)
    assert all(character.isprintable() or character in "\t\n" or ord(character) > 0x9F for character in shown)
    shown.encode("utf-8")


def test_numbers_stand_to_the_right_and_long_cells_are_folded_not_cut() -> None:
    console, out, _ = make()
    console.table("T", ["what", "count"], [["a" * 100, 7], ["b", 100000]])
    lines = out.getvalue().splitlines()
    assert sum(line.count("a") for line in lines[4:]) == 100
    assert "      7 │" in out.getvalue()


def test_a_table_without_rows_is_still_a_table() -> None:
    console, out, _ = make()
    console.table("Nothing", ["what"], [])
    assert "what" in out.getvalue()


def test_a_title_longer_than_its_table_is_not_folded() -> None:
    console, out, _ = make()
    console.table("What would be taken (dry run)", ["n"], [[7]])
    assert out.getvalue().splitlines()[:2] == ["What would be taken (dry run)", "╭───╮"]


# --- JSON ----------------------------------------------------------------------------------------------


def test_the_document_is_one_line_of_plain_ascii() -> None:
    console, out, err = make(is_json=True)
    console.document("products export", True, {"name": "Käse\x9b \ud800", "path": Path("/x")})
    assert out.getvalue().isascii()
    assert json.loads(out.getvalue()) == {
        "schema_version": 1,
        "command": "products export",
        "ok": True,
        "name": "Käse\x9b \ud800",
        "path": "/x",
    }
    assert err.getvalue() == ""


def test_a_second_document_is_a_fault() -> None:
    console, out, _ = make(is_json=True)
    console.document("a", True, {})
    with pytest.raises(RuntimeError, match="second JSON document"):
        console.document("a", True, {})
    assert out.getvalue().count("\n") == 1


def test_without_json_there_is_no_document() -> None:
    console, out, _ = make()
    console.document("a", True, {})
    assert out.getvalue() == ""
    assert not console.has_document


def test_a_failure_in_a_document_has_code_message_and_hint() -> None:
    error = ConfigurationError("m", hint="h", code="c")
    assert failure(error) == {"code": "c", "message": "m", "hint": "h"}


# --- progress ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"is_json": True}, {"is_cron": True}, {"verbosity": -1}])
def test_progress_is_invisible_unless_a_person_watches(options: dict[str, object]) -> None:
    watched = Terminal() if options else io.StringIO()
    console = Console(stdout=io.StringIO(), stderr=watched, **options)
    with console.progress("Reading", 10) as advance:
        advance(10)
    assert watched.getvalue() == ""


def read_all(leader: int) -> str:
    """Everything written so far; a terminal hands it over piecemeal."""
    drawn = b""
    while select.select([leader], [], [], 0.2)[0]:
        drawn += os.read(leader, 65536)
    return drawn.decode()


def test_progress_on_a_terminal_is_drawn_and_cleared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    leader, follower = pty.openpty()
    with os.fdopen(follower, "w") as stream:
        console = Console(stdout=io.StringIO(), stderr=stream)
        with console.progress("Reading [bold]", 2000) as advance:
            advance(1500)
            advance(500)
        stream.flush()
        drawn = read_all(leader)
    os.close(leader)
    assert "Reading [bold]" in drawn
    assert "2000/2000" in drawn
    assert drawn.endswith("\x1b[2K")


def test_an_old_locale_gets_escapes_instead_of_a_crash() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    console = Console(stdout=stream, stderr=io.StringIO())
    console.output("Käse")
    console.table("Käse", ["Größe"], [["Übung"]])
    console.flush()
    text = raw.getvalue().decode("ascii")
    assert text.startswith("K\\xe4se\n")
    assert "\\xdcbung" in text


def test_plain_talk_does_not_load_rich() -> None:
    program = (
        "import sys; from brekzsync.console import Console; from brekzsync.errors import PermanentError as E;"
        "c = Console(is_json=False); c.notice('n'); c.error(E('m', hint='h'));"
        "Console(is_json=True).document('c', True, {}); print('rich' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=ENVIRON
    )
    assert done.stdout.splitlines()[-1] == "False"
    assert done.stderr == "n\nError: m\nHint: h\n"


# --- cards -------------------------------------------------------------------------------------------------

BLOCKS = [
    (
        "Criteria",
        [("good", "active", "It is active."), ("bad", "price", "The price is 0, " + "and so on " * 12)],
    ),
    ("Exact", [("blank", "", "unknown")]),
    ("Ledger", [("", "", "No run has sent it.")]),
]


def card_on(stream: io.TextIOWrapper, monkeypatch: pytest.MonkeyPatch, width: int, **texts: str) -> list[str]:
    """The lines of a card."""
    monkeypatch.setenv("COLUMNS", str(width))
    given = {"title": "12-0  HOOIRUIF  Hooiruif", "badge": "blocked", "lead": "It is blocked."} | texts
    console = Console(stdout=stream, stderr=io.StringIO())
    console.card(given["title"], given["badge"], "bad", given["lead"], BLOCKS)
    stream.seek(0)
    return stream.read().splitlines()


def utf8() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8")


def test_a_card_is_a_frame_with_aligned_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert card_on(utf8(), monkeypatch, 60) == [
        "╭─  12-0  HOOIRUIF  Hooiruif  blocked  ────────────────────╮",
        "│ It is blocked.                                           │",
        "│                                                          │",
        "│ Criteria                                                 │",
        "│ ✓ active It is active.                                   │",
        "│ ✗ price  The price is 0, and so on and so on and so on   │",
        "│          and so on and so on and so on and so on and so  │",
        "│          on and so on and so on and so on and so on      │",
        "│                                                          │",
        "│ Exact                                                    │",
        "│ – unknown                                                │",
        "│                                                          │",
        "│ Ledger                                                   │",
        "│   No run has sent it.                                    │",
        "╰──────────────────────────────────────────────────────────╯",
    ]


@pytest.mark.parametrize("width", [40, 80, 160])
def test_a_card_fits_whatever_it_says(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines = card_on(utf8(), monkeypatch, width, title="12-0  " + "x" * 200, lead="y" * 300)
    assert {len(line) for line in lines} == {width}
    assert "blocked" in lines[0]


def test_a_card_on_a_stream_that_knows_ascii_only_has_plain_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    text = "\n".join(card_on(stream, monkeypatch, 60))
    assert "+ active It is active." in text
    assert "x price  The price is 0" in text
    assert "- unknown" in text


def test_what_a_card_quotes_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(card_on(utf8(), monkeypatch, 120, title=HOSTILE, badge=HOSTILE, lead=HOSTILE))
    assert text.count(HARMLESS) == 3
    assert "\x1b" not in text


@pytest.mark.parametrize("options", [{"is_json": True}, {"is_cron": True}])
def test_a_card_is_for_people(options: dict[str, bool]) -> None:
    console, out, err = make(**options)
    console.card("title", "badge", "good", "lead", BLOCKS)
    assert (out.getvalue(), err.getvalue()) == ("", "")


# --- long documents ----------------------------------------------------------------------------------------


def test_a_long_document_is_one_document_with_its_list_last() -> None:
    console, out, _ = make(is_json=True)
    with console.long_document("products diagnose", "combinations") as document:
        document.add({"key": "1-0", "name": "Käse"})
        document.add({"key": "2-0", "path": Path("/x")})
        assert out.getvalue() == ""
        document.finish(False, {"counts": {"pending": 2}})
    assert out.getvalue().isascii()
    assert json.loads(out.getvalue()) == {
        "schema_version": 1,
        "command": "products diagnose",
        "ok": False,
        "counts": {"pending": 2},
        "combinations": [{"key": "1-0", "name": "Käse"}, {"key": "2-0", "path": "/x"}],
    }
    assert out.getvalue().endswith("}\n")


def test_an_empty_list_is_a_list_too() -> None:
    console, out, _ = make(is_json=True)
    with console.long_document("c", "records") as document:
        document.finish(True, {})
    assert json.loads(out.getvalue()) == {"schema_version": 1, "command": "c", "ok": True, "records": []}


def test_a_failure_on_the_way_leaves_room_for_the_one_document() -> None:
    console, out, _ = make(is_json=True)
    with pytest.raises(ZeroDivisionError), console.long_document("c", "records") as document:  # noqa: PT012
        document.add({"key": "1-0"})
        raise ZeroDivisionError
    assert out.getvalue() == ""
    console.document("c", False, {"error": failure(ConfigurationError("broken", hint="mend it"))})
    assert json.loads(out.getvalue())["ok"] is False


def test_without_json_a_long_document_is_forgotten() -> None:
    console, out, _ = make()
    with console.long_document("c", "records") as document:
        document.add({"key": "1-0"})
        document.finish(True, {})
    assert out.getvalue() == ""


def test_a_long_document_is_not_held_in_memory() -> None:
    class Counting(io.StringIO):
        written = 0

        def write(self, text: str) -> int:
            self.written += len(text)
            return len(text)

    out = Counting()
    entry = {"text": "x" * 1000}
    tracemalloc.start()
    with Console(is_json=True, stdout=out, stderr=io.StringIO()).long_document("c", "records") as document:
        for _ in range(20_000):
            document.add(entry)
        document.finish(True, {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert out.written > 20_000_000
    assert peak < 4_000_000
