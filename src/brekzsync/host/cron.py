"""Whether cron of this machine runs brekzsync's scripts: where it is told to, and why it might not do it.

What Debian's cron takes and what it silently ignores: cron(8), "Debian-specific" and "/etc/cron.d".
"""

from __future__ import annotations

import pwd
import re
import shlex
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from brekzsync.domain.findings import Finding, passed, warning

_HOW_TO: Final = "docs/how-to/cron.md"
_ASSIGNMENT: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.*?)\s*")
_VARIABLE: Final = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_SHELLS: Final = ("sh", "dash", "bash")
_EXECUTABLE: Final = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
_TAKEN_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


def crontab_of_this_user() -> str:
    """What ``crontab -l`` prints; nothing where there is no crontab, or no cron."""
    try:
        done = subprocess.run(
            ["crontab", "-l"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=5,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CronPlaces:
    """Where entries may stand; ``owner`` is the user cron wants its drop-ins to belong to."""

    drop_ins: Path = Path("/etc/cron.d")
    system: Path = Path("/etc/crontab")
    own: Callable[[], str] = crontab_of_this_user
    owner: int = 0


class Entry(NamedTuple):
    """A line of a crontab that runs the script; ``user`` is empty in a user's own crontab.

    ``problems`` are reasons why cron does not run it, as sentences that begin with the place.
    """

    place: str
    schedule: str
    user: str
    problems: tuple[str, ...]


def look_for(script: str, places: CronPlaces) -> Finding:
    """Whether an entry runs the script of that name."""
    entries = list(_entries(script, places))
    for entry in entries:
        if not entry.problems:
            whose = f" as {entry.user}" if entry.user else ""
            return passed(f'{entry.place} runs {script} at "{entry.schedule}"{whose}.')
    if entries:
        return warning(
            " ".join(problem for entry in entries for problem in entry.problems),
            f"Correct the entry; {_HOW_TO} shows a whole one.",
        )
    return warning(
        f"Nothing runs {script}: neither {places.drop_ins}, {places.system} nor this user's crontab names it.",
        f"Copy scripts/cron/cron.d/brekzsync to {places.drop_ins} ({_HOW_TO}). If another user's crontab or"
        " another scheduler runs it, all is well.",
    )


def _entries(script: str, places: CronPlaces) -> Iterator[Entry]:
    try:
        drop_ins = sorted(path for path in places.drop_ins.iterdir() if path.is_file())
    except OSError:
        drop_ins = []
    for path in drop_ins:
        if found := list(_in_text(_read(path), script, str(path), has_user=True)):
            ignored = tuple(_why_ignored(path, places.owner))
            yield from (entry._replace(problems=ignored + entry.problems) for entry in found)
    yield from _in_text(_read(places.system), script, str(places.system), has_user=True)
    yield from _in_text(places.own(), script, "This user's crontab", has_user=False)


def _in_text(content: str, script: str, place: str, *, has_user: bool) -> Iterator[Entry]:
    variables: dict[str, str] = {}
    for line in content.splitlines():
        if assigned := _ASSIGNMENT.fullmatch(line):
            variables[assigned[1]] = _unquoted(assigned[2])
        elif script in line and not line.lstrip().startswith("#"):
            schedule, rest = _split(line, 1 if line.lstrip().startswith("@") else 5)
            user, command = _split(rest, 1) if has_user else ("", rest)
            problems = (*_of_user(user, place), *_of_script(command, script, variables, place))
            yield Entry(place, schedule, user, problems)


def _why_ignored(path: Path, owner: int) -> Iterator[str]:
    """Cron says nothing of a drop-in it does not take, but in its log."""
    if not _TAKEN_NAME.fullmatch(path.name):
        yield f"{path} is ignored by cron: its name may hold letters, digits, - and _ only, no dot."
    state = path.stat()
    if state.st_uid != owner:
        yield f"{path} is ignored by cron: it must belong to root (chown root: {path})."
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        yield f"{path} is ignored by cron: others than its owner may write it (chmod 644 {path})."


def _of_user(user: str, place: str) -> Iterator[str]:
    if not user:
        return
    try:
        pwd.getpwnam(user)
    except KeyError:
        yield f"{place} names the user {user}, who does not exist."


def _of_script(command: str, script: str, variables: dict[str, str], place: str) -> Iterator[str]:
    """Nothing where the path cannot be told from the line alone."""
    filled = _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], match[0]), command)
    try:
        words = shlex.split(filled, comments=True)
    except ValueError:
        return
    index = next((number for number, word in enumerate(words) if Path(word).name == script), None)
    if index is None:
        return
    path = Path(words[index])
    if not path.is_absolute() or "$" in str(path):
        return
    is_read_by_shell = index > 0 and Path(words[index - 1]).name in _SHELLS
    try:
        if not path.is_file():
            yield f"{place} runs {path}, which does not exist."
        elif not is_read_by_shell and not path.stat().st_mode & _EXECUTABLE:
            yield f"{place} runs {path}, which is not executable (chmod +x {path})."
    except PermissionError:
        return


def _split(text: str, count: int) -> tuple[str, str]:
    """The first so many words, and the rest."""
    words = text.split(None, count)
    return " ".join(words[:count]), words[count] if len(words) > count else ""


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
