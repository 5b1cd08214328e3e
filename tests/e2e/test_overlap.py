"""Two exports at once: one works, the other says so and leaves everything alone, also from another host."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from brekzsync.state.database import open_state
from brekzsync.state.runs import Run
from tests.exports import Installation, Said, installation
from tests.shops import make_shop

PRODUCTS = 2_000
EXPORT = ("products", "export")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop whose export takes long enough to be met at work."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    make_shop(path, products=PRODUCTS)
    return path


@pytest.fixture
def here(tmp_path: Path, shared: Path, shop: Path, database_url: str) -> Installation:
    """brekzsync with its state in SQLite, then in MariaDB."""
    (tmp_path / "here").mkdir()
    made = installation(tmp_path / "here", shared, f"sqlite:///{shop}", item_code="reference")
    made.set("state", database=database_url)
    return made


@pytest.fixture
def there(here: Installation, tmp_path: Path) -> Installation:
    """Another installation that shares the state, as on another host."""
    (tmp_path / "there").mkdir()
    return replace(here, folder=tmp_path / "there")


def start(installed: Installation, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        installed.command(*EXPORT),
        cwd=installed.folder,
        env=installed.process_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def end(process: subprocess.Popen[str]) -> Said:
    out, err = process.communicate(timeout=60)
    return Said(process.returncode, out, err)


@contextmanager
def at_work(installed: Installation, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A run that stands still in the middle of its work."""
    process = start(installed, *words)
    try:
        give_up = time.monotonic() + 30
        while not any(installed.outbox.rglob("*.xml*")) and time.monotonic() < give_up:
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGSTOP)
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


def last_run(installed: Installation) -> Run:
    with open_state(str(installed.sections["state"]["database"]), create=False) as state:
        run = state.runs.previous("product", "exact")
        assert run is not None
        return run


def test_the_second_of_two_exports_is_refused_and_the_first_is_not_disturbed(
    here: Installation, there: Installation
) -> None:
    with at_work(here) as first:
        said = there.cli(*EXPORT)
        silent = there.cli(*EXPORT, "--cron")
        in_json = there.cli(*EXPORT, "--json")
        preview = there.cli(*EXPORT, "--dry-run", "--json")
        assert not there.outbox.exists()
        os.killpg(first.pid, signal.SIGCONT)
        ended = end(first)

    assert (said.code, said.out, said.traceback) == (75, "", False)
    assert 'Error: Another run of the flow "product" to "exact" is at work (run ' in said.err
    assert "Hint: Wait for it to end" in said.err
    assert (silent.code, silent.out, silent.err) == (75, "", "")
    assert (in_json.code, in_json.err, in_json.document["ok"]) == (75, "", False)
    assert in_json.document["command"] == "products export"
    assert in_json.document["error"]["code"] == "lock_held"
    assert in_json.document["error"]["hint"]
    assert (preview.code, preview.document["dry_run"]) == (0, True)
    assert ended.code == 0, ended.err
    assert (last_run(here).status, last_run(here).counts["delivered"]) == ("done", PRODUCTS)
    after = there.cli(*EXPORT, "--json")
    assert (after.code, after.document["counts"]["unchanged"]) == (0, PRODUCTS)


def test_of_two_exports_started_together_one_delivers_everything_once(
    here: Installation, there: Installation
) -> None:
    here.cli("db", "upgrade")
    both = [end(process) for process in [start(here, "--json"), start(there, "--json")]]

    assert sorted(said.code for said in both) == [0, 75]
    assert len(here.unread() | there.unread()) == len(here.unread()) + len(there.unread()) == PRODUCTS
    assert not all([here.unread(), there.unread()])


def test_a_killed_export_frees_its_lock_at_once_and_the_next_finishes_its_work(
    here: Installation, there: Installation
) -> None:
    with at_work(here) as first:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
        done_before = len(here.unread())
        said = there.cli(*EXPORT, "--json")

    assert said.code == 0, said.err
    assert len(here.unread() | there.unread()) == PRODUCTS
    assert done_before < PRODUCTS
    with (
        open_state(str(here.sections["state"]["database"]), create=False) as state,
        state.database.read() as connection,
    ):
        runs = connection.exec_driver_sql("SELECT status, error_code FROM run ORDER BY id").all()
    assert [tuple(run) for run in runs] == [("failed", "killed"), ("done", None)]
