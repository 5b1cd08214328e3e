"""Keeps README.md and docs/ true: links lead somewhere, quoted commands exist, exit codes are the code's,
and the pages generated from the code are current."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

import click

from brekzsync import cli
from brekzsync.errors import BrekzsyncError, Interrupted
from scripts.generate_reference import generated, stale_pages

ROOT = Path(__file__).resolve().parents[1]
EXIT_CODES = "docs/reference/exit-codes.md"
# Codes no exception of errors.py stands for by itself: done, differences found, the two signals.
CODES_WITHOUT_ERROR = {0, 4, 130, 143}

FENCE = re.compile(r"^\s*(```|~~~)")
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\s*\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
INLINE_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
ASSIGNMENT = re.compile(r"^[A-Z_][A-Z0-9_]*=\S*\s+")
# What a command line may go on with after the command itself.
END_OF_COMMAND = re.compile(r"\s(?:\||\|\||&&|;|>|>>|<|2>|2>&1|#)(?:\s|$)")


def pages(root: Path) -> list[Path]:
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def root_command() -> click.Group:
    return next(found for found in vars(cli).values() if isinstance(found, click.Group))


def main(root: Path = ROOT) -> int:
    program = root_command()
    problems = [
        f"{page.relative_to(root)}:{number}: {problem}"
        for page in pages(root)
        for number, problem in [
            *broken_links(page, root),
            *unknown_commands(page.read_text(encoding="utf-8"), program),
        ]
    ]
    problems += [f"{EXIT_CODES}: {problem}" for problem in wrong_exit_codes(root)]
    problems += [
        f"{path}: is not what the code says now: run `make reference`"
        for path in stale_pages(root, generated())
    ]
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"Docs: {len(pages(root))} pages, links, commands and exit codes are right.")
    return 1 if problems else 0


# --- links -----------------------------------------------------------------------------------------------


def broken_links(page: Path, root: Path) -> Iterator[tuple[int, str]]:
    """Relative links whose file, folder or heading does not exist; other hosts' pages are not asked."""
    for number, line in prose(page.read_text(encoding="utf-8")):
        for target in LINK.findall(INLINE_CODE.sub("", line)):
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            path, _, anchor = unquote(target).partition("#")
            place = (page.parent / path).resolve() if path else page
            if not place.is_relative_to(root) or not place.exists():
                yield number, f"the link {target} leads nowhere"
            elif anchor and place.suffix == ".md" and anchor not in anchors(place):
                yield number, f"the link {target} names a heading that is not there"


def anchors(page: Path) -> set[str]:
    """A page's headings as the usual renderers turn them into anchors."""
    found: set[str] = set()
    for _, line in prose(page.read_text(encoding="utf-8")):
        if heading := HEADING.match(line):
            kept = re.sub(r"[^\w\- ]", "", heading[1].lower()).replace(" ", "-")
            repeats = sum(anchor == kept or anchor.startswith(f"{kept}-") for anchor in found)
            found.add(f"{kept}-{repeats}" if kept in found else kept)
    return found


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Lines outside of fenced blocks, numbered from 1."""
    return ((number, line) for number, line, fenced in lines_of(text) if not fenced)


def lines_of(text: str) -> Iterator[tuple[int, str, bool]]:
    fenced = False
    for number, line in enumerate(text.splitlines(), start=1):
        is_fence = bool(FENCE.match(line))
        yield number, line, fenced or is_fence
        fenced ^= is_fence


# --- commands --------------------------------------------------------------------------------------------


def unknown_commands(text: str, program: click.Command) -> Iterator[tuple[int, str]]:
    """Quoted ``brekzsync ...`` lines that the program would not understand."""
    for number, quoted in quoted_commands(text):
        problem = misunderstanding(quoted, program)
        if problem:
            yield number, f"`{quoted}`: {problem}"


def quoted_commands(text: str) -> Iterator[tuple[int, str]]:
    for number, line, fenced in lines_of(text):
        for candidate in [line] if fenced else INLINE_CODE.findall(line):
            command = candidate.strip().removeprefix("$ ").strip()
            while ASSIGNMENT.match(command):
                command = ASSIGNMENT.sub("", command, count=1)
            command = END_OF_COMMAND.split(command, maxsplit=1)[0].rstrip("\\").strip()
            first, _, rest = command.partition(" ")
            if first.rsplit("/", 1)[-1] == "brekzsync" and rest and not rest.startswith(("=", ":")):
                yield number, command


def misunderstanding(quoted: str, program: click.Command) -> str:
    """What is wrong with a command line, else ""; ``[ID…]``, ``<file>``, ``…`` are placeholders."""
    try:
        words = shlex.split(re.sub(r"[\[\]]", " ", quoted))[1:]
    except ValueError as error:
        return str(error)
    command = program
    context = click.Context(command, info_name="brekzsync", **command.context_settings)
    known = options_of(command, context)
    takes_arguments = False
    while words:
        word = words.pop(0)
        if word.startswith("-") and word != "-":
            name, _, attached = word.partition("=")
            if name not in known:
                return f"{context.command_path} has no option {name}"
            if not attached and not known[name] and words:
                words.pop(0)
        elif word in ("…", "..."):
            return ""
        elif isinstance(command, click.Group):
            found = command.get_command(context, word)
            if found is None:
                return f"{context.command_path} has no command {word}"
            command = found
            context = click.Context(command, info_name=word, parent=context)
            known |= options_of(command, context)
            takes_arguments = any(isinstance(one, click.Argument) for one in command.get_params(context))
        elif not takes_arguments:
            return f"{context.command_path} takes no {word}"
    return ""


def options_of(command: click.Command, context: click.Context) -> dict[str, bool]:
    """Each spelling of each option, and whether it is a flag (takes no value)."""
    return {
        spelling: bool(option.is_flag or option.count)
        for option in command.get_params(context)
        if isinstance(option, click.Option)
        for spelling in (*option.opts, *option.secondary_opts)
    }


# --- exit codes ------------------------------------------------------------------------------------------


def wrong_exit_codes(root: Path) -> Iterator[str]:
    """Where the table and ``errors.py`` differ: codes on one side only, or another name beside a code."""
    documented = dict(documented_exit_codes((root / EXIT_CODES).read_text(encoding="utf-8").splitlines()))
    meant: dict[int, set[str]] = {}
    for error in subclasses_of(BrekzsyncError):
        if error is not Interrupted:
            meant.setdefault(error.exit_code, set()).add(error.default_code)
    for code in sorted(set(meant) - set(documented)):
        yield f"{code} ({', '.join(sorted(meant[code]))}) is missing"
    for code in sorted(set(documented) - set(meant) - CODES_WITHOUT_ERROR):
        yield f"{code} stands for nothing in errors.py"
    for code in sorted(set(meant) & set(documented)):
        if missing := meant[code] - documented[code]:
            yield f"{code} does not name {', '.join(sorted(missing))}"
    for code in sorted(CODES_WITHOUT_ERROR - set(documented)):
        yield f"{code} is missing"


def documented_exit_codes(lines: Iterable[str]) -> Iterator[tuple[int, set[str]]]:
    for line in lines:
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) >= 3 and cells[0].isdigit():
            yield int(cells[0]), set(INLINE_CODE.findall(cells[1]))


def subclasses_of(base: type[BrekzsyncError]) -> Iterator[type[BrekzsyncError]]:
    yield base
    for child in base.__subclasses__():
        yield from subclasses_of(child)


if __name__ == "__main__":
    raise SystemExit(main())
