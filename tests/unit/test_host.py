"""What this machine offers: cron entries, folders, room on the disks."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from brekzsync.domain.findings import Finding, passed
from brekzsync.errors import AccessDenied, ConfigurationError
from brekzsync.host.cron import CronPlaces, look_for
from brekzsync.host.folders import readable, space, writable

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "cron_every_05_mins.sh"
USER = pwd.getpwuid(os.getuid()).pw_name
GIB = 2**30


@dataclass
class Machine:
    """A machine's cron under a folder of the test's own, with brekzsync's script installed."""

    folder: Path
    own: str = ""
    owner: int = field(default_factory=os.getuid)

    def __post_init__(self) -> None:
        (self.folder / "cron.d").mkdir()
        self.script = self.folder / SCRIPT
        self.script.write_text("#!/bin/sh\n")
        self.script.chmod(0o755)

    def drop_in(self, content: str, name: str = "brekzsync", mode: int = 0o644) -> Path:
        path = self.folder / "cron.d" / name
        path.write_text(content)
        path.chmod(mode)
        return path

    def look(self) -> Finding:
        places = CronPlaces(
            drop_ins=self.folder / "cron.d",
            system=self.folder / "crontab",
            own=lambda: self.own,
            owner=self.owner,
        )
        return look_for(SCRIPT, places)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# --- cron --------------------------------------------------------------------------------------------------


def test_a_drop_in_that_runs_the_script_is_found(machine: Machine) -> None:
    path = machine.drop_in(
        f'# {SCRIPT}\nCHECKOUT="{machine.folder}"\n\n*/5 * * * *  {USER}  "$CHECKOUT"/{SCRIPT} # often\n'
    )

    assert machine.look() == passed(f'{path} runs {SCRIPT} at "*/5 * * * *" as {USER}.')


def test_the_drop_in_that_ships_is_found_once_its_paths_fit(machine: Machine) -> None:
    shipped = (ROOT / "scripts/cron/cron.d/brekzsync").read_text()
    fitted = shipped.replace("CHECKOUT=/opt/brekzsync", f"CHECKOUT={ROOT}")
    path = machine.drop_in(fitted.replace("*  brekzsync ", f"*  {USER} "))

    assert machine.look() == passed(f'{path} runs {SCRIPT} at "*/5 * * * *" as {USER}.')


def test_the_system_crontab_and_a_users_own_count_as_well(machine: Machine) -> None:
    machine.own = f"@hourly {machine.script}\n"
    assert machine.look() == passed(f'This user\'s crontab runs {SCRIPT} at "@hourly".')

    (machine.folder / "crontab").write_text(f"1 2 * * * {USER} {machine.script}\n")
    assert machine.look() == passed(f'{machine.folder}/crontab runs {SCRIPT} at "1 2 * * *" as {USER}.')


def test_a_machine_without_an_entry_is_told_how_to_get_one(machine: Machine) -> None:
    machine.own = f"# */5 * * * * {machine.script}\n"

    finding = machine.look()

    assert (finding.verdict, finding.detail) == (
        "warning",
        f"Nothing runs {SCRIPT}: neither {machine.folder}/cron.d, {machine.folder}/crontab nor this user's"
        " crontab names it.",
    )
    assert finding.remedy.startswith("Copy scripts/cron/cron.d/brekzsync to ")


@pytest.mark.parametrize(
    ("name", "mode", "why"),
    [
        (
            "brekzsync.cron",
            0o644,
            "is ignored by cron: its name may hold letters, digits, - and _ only, no dot.",
        ),
        ("brekzsync", 0o664, "is ignored by cron: others than its owner may write it (chmod 644 {path})."),
    ],
)
def test_a_drop_in_that_cron_ignores_is_told_with_why(
    machine: Machine, name: str, mode: int, why: str
) -> None:
    path = machine.drop_in(f"*/5 * * * * {USER} {machine.script}\n", name, mode)

    finding = machine.look()

    assert (finding.verdict, finding.detail) == ("warning", f"{path} {why.format(path=path)}")


def test_a_drop_in_of_another_owner_is_ignored_by_cron(machine: Machine) -> None:
    path = machine.drop_in(f"*/5 * * * * {USER} {machine.script}\n")
    machine.owner += 1

    assert machine.look().detail == f"{path} is ignored by cron: it must belong to root (chown root: {path})."


def test_an_ignored_copy_beside_a_sound_entry_does_not_matter(machine: Machine) -> None:
    machine.drop_in(f"*/5 * * * * {USER} {machine.script}\n", "brekzsync.bak")
    machine.drop_in(f"*/5 * * * * {USER} {machine.script}\n", "brekzsync")

    assert machine.look().verdict == "passed"


def test_an_entry_for_a_user_or_a_script_that_is_not_there_is_told(machine: Machine) -> None:
    path = machine.drop_in(f"*/5 * * * * nobody-of-that-name /nowhere/{SCRIPT}\n")

    assert machine.look().detail == (
        f"{path} names the user nobody-of-that-name, who does not exist."
        f" {path} runs /nowhere/{SCRIPT}, which does not exist."
    )


def test_a_script_that_a_shell_is_told_to_read_need_not_be_executable(machine: Machine) -> None:
    path = machine.drop_in(f"*/5 * * * * {USER} /bin/sh {machine.script}\n")
    machine.script.chmod(0o644)

    assert machine.look() == passed(f'{path} runs {SCRIPT} at "*/5 * * * *" as {USER}.')


def test_a_script_that_may_not_be_executed_is_told(machine: Machine) -> None:
    path = machine.drop_in(f"*/5 * * * * {USER} {machine.script}\n")
    machine.script.chmod(0o644)

    assert machine.look().detail == (
        f"{path} runs {machine.script}, which is not executable (chmod +x {machine.script})."
    )


def test_a_command_whose_path_cannot_be_told_is_given_the_benefit_of_the_doubt(machine: Machine) -> None:
    machine.own = f"*/5 * * * * cd $SOMEWHERE && ./{SCRIPT}\n"

    assert machine.look().verdict == "passed"


# --- folders -----------------------------------------------------------------------------------------------


def test_a_folder_that_can_be_written_or_made_passes(tmp_path: Path) -> None:
    assert writable(tmp_path, "[products] output") == passed(f"{tmp_path} can be written.")
    later = tmp_path / "a/b"
    assert writable(later, "[products] output") == passed(f"{later} will be made when first used.")
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_a_folder_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("")

    with pytest.raises(ConfigurationError, match="outbox is not a folder") as raised:
        writable(tmp_path / "outbox/items", "[products] output")

    assert raised.value.hint == "Correct [products] output."


def test_a_folder_one_may_not_write_is_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere

    with pytest.raises(AccessDenied) as raised:
        writable(tmp_path, "[products] output")
    assert raised.value.message == f"{tmp_path} may not be written by this user."
    with pytest.raises(AccessDenied, match="cannot be made in"):
        writable(tmp_path / "later", "[products] output")


def test_a_folder_to_read_from_is_only_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    consequence = "items are sent without their image"
    assert readable(tmp_path, "[shop] image_dir", consequence) == passed(f"{tmp_path} can be read.")

    gone = readable(tmp_path / "p", "[shop] image_dir", consequence)
    assert (gone.verdict, gone.detail) == ("warning", f"{tmp_path}/p is not there: {consequence}.")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert readable(tmp_path, "[shop] image_dir", consequence).verdict == "warning"


@pytest.mark.parametrize(
    ("total", "free", "verdict", "text"),
    [
        (100 * GIB, 50 * GIB, "passed", "50 GiB free of 100 GiB where {folder} lies."),
        (100 * GIB, 4 * GIB, "warning", "Only 4.0 GiB free of 100 GiB where {folder} lies."),
        (4 * GIB, GIB - 1, "warning", "Only 1024 MiB free of 4.0 GiB where {folder} lies."),
        (4 * GIB, GIB, "passed", "1.0 GiB free of 4.0 GiB where {folder} lies."),
        (0, 0, "passed", "{folder} lies where room cannot be measured."),
    ],
)
def test_a_disk_is_full_when_little_or_a_small_part_is_free(
    tmp_path: Path, total: int, free: int, verdict: str, text: str
) -> None:
    asked: list[Path] = []

    def usage(path: Path) -> tuple[int, int, int]:
        asked.append(path)
        return total, total - free, free

    finding = space(tmp_path / "later", usage)

    assert (finding.verdict, finding.detail) == (verdict, text.format(folder=tmp_path / "later"))
    assert asked == [tmp_path]
