"""One run of a flow at a time, and no lock that outlives its holder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from brekzsync.errors import LockHeld, Unavailable
from brekzsync.state.database import State, open_state
from tests.integration.state_rows import NOON, later
from tests.services.mariadb import MariaDB

HOLDER = """
import sys, time
from datetime import UTC, datetime
from brekzsync.state.database import open_state
state = open_state(sys.argv[1], create=False)
with state.locks.hold("product", "exact"):
    print(state.runs.open("product", "exact", "products export", datetime.now(UTC)).name, flush=True)
    time.sleep(120)
"""


@contextmanager
def holder(url: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that holds the lock and has a run open; gives that run's name."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", HOLDER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def held_by_someone(state: State) -> bool:
    try:
        with state.locks.hold("product", "exact"):
            return False
    except LockHeld:
        return True


def test_a_second_run_is_refused_and_told_who_is_at_work(state: State, state_url: str) -> None:
    with holder(state_url) as (_process, run):
        with pytest.raises(LockHeld) as refused, state.locks.hold("product", "exact"):
            pass
        assert refused.value.exit_code == 75
        assert f'the flow "product" to "exact" is at work (run {run} on ' in refused.value.message
        assert refused.value.hint


def test_whether_a_run_is_at_work_is_asked_of_the_lock_and_not_of_a_mark(
    state: State, state_url: str
) -> None:
    assert not state.locks.is_held("product", "exact")
    with holder(state_url) as (process, _run):
        assert [state.locks.is_held("product", target) for target in ("exact", "belgium")] == [True, False]
        process.kill()
        process.wait(10)
        give_up = time.monotonic() + 10
        while state.locks.is_held("product", "exact") and time.monotonic() < give_up:
            time.sleep(0.01)
        assert not state.locks.is_held("product", "exact")
        assert state.runs.running("product", "exact") is not None, "its mark is still there"


def test_looking_takes_no_lock_from_anyone(state: State, state_url: str) -> None:
    with (
        open_state(state_url, create=False, read_only=True) as other,
        state.locks.hold("product", "exact") as held,
    ):
        assert [one.locks.is_held("product", "exact") for one in (state, other)] == [True, True]
        assert held.still_held()
    assert not state.locks.is_held("product", "exact")


def test_a_holder_killed_with_sigkill_frees_the_lock_and_its_run_is_marked(
    state: State, state_url: str
) -> None:
    with holder(state_url) as (process, run):
        assert held_by_someone(state)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        give_up = time.monotonic() + 10
        while held_by_someone(state) and time.monotonic() < give_up:
            time.sleep(0.01)
        with state.locks.hold("product", "exact"):
            assert state.runs.mark_dead("product", "exact", later(hours=1)) == 1
        dead = state.runs.previous("product", "exact")
        assert dead is not None
        assert (dead.name, dead.status, dead.error_code) == (run, "failed", "killed")


def test_flows_and_targets_have_locks_of_their_own(state: State) -> None:
    with (
        state.locks.hold("product", "exact"),
        state.locks.hold("order", "exact"),
        state.locks.hold("product", "a/b c%é" + "犬" * 80),
        pytest.raises(LockHeld),
        state.locks.hold("product", "a/b c%é" + "犬" * 80),
    ):
        pass


def _fail_under_lock(state: State) -> None:
    with state.locks.hold("product", "exact") as held:
        held.verify()
        raise ZeroDivisionError


def test_a_lock_is_free_again_after_its_block_whatever_happened_in_it(state: State) -> None:
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            _fail_under_lock(state)
    assert not held_by_someone(state)


def test_a_lock_is_not_taken_twice_in_one_process(state: State) -> None:
    with state.locks.hold("product", "exact") as held:
        assert held_by_someone(state)
        assert held.still_held()


def test_two_openings_of_one_state_exclude_each_other(state: State, state_url: str) -> None:
    with open_state(state_url, create=False) as other, state.locks.hold("product", "exact"):
        assert held_by_someone(other)
    with open_state(state_url, create=False) as other:
        assert not held_by_someone(other)


def test_a_lock_file_removed_by_hand_counts_as_lost(tmp_path: Path) -> None:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}", create=True) as state:
        with state.locks.hold("product", "exact") as held:
            held.verify()
            (lock_file,) = tmp_path.glob("*.lock")
            lock_file.unlink()
            assert not held.still_held()
            with pytest.raises(Unavailable) as lost:
                held.verify()
        assert lost.value.code == "lock_lost"


def test_one_file_reached_by_two_paths_has_one_lock(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    with (
        open_state(f"sqlite:///{tmp_path / 'real' / 'state.db'}", create=True) as one,
        open_state(f"sqlite:///{tmp_path / 'link' / 'state.db'}", create=False) as other,
        one.locks.hold("product", "exact"),
    ):
        assert held_by_someone(other)


def test_what_a_leftover_lock_file_says_is_of_no_consequence(tmp_path: Path) -> None:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}", create=True) as state:
        with state.locks.hold("product", "exact"):
            (lock_file,) = tmp_path.glob("*.lock")
        lock_file.write_text(f"{os.getpid()}\n")
        assert not held_by_someone(state)


@pytest.fixture
def server_state(mariadb: MariaDB) -> Iterator[State]:
    mariadb.create_database("brekzsync")
    with open_state(mariadb.url("brekzsync"), create=True) as state:
        yield state


@pytest.mark.parametrize("driver", ["pymysql", "mysqldb"])
def test_a_lock_whose_connection_the_server_closed_is_lost_for_good(mariadb: MariaDB, driver: str) -> None:
    if driver == "mysqldb":
        pytest.importorskip("MySQLdb")
    mariadb.create_database("brekzsync")
    with (
        open_state(mariadb.url("brekzsync", driver), create=True) as state,
        state.locks.hold("product", "exact") as held,
    ):
        assert held.still_held()
        ((session,),) = mariadb.execute("", "SELECT IS_USED_LOCK('brekzsync:brekzsync:product-exact')")
        mariadb.execute("", f"KILL {session}")
        with pytest.raises(Unavailable) as lost:
            held.verify()
        assert lost.value.code == "lock_lost"
        assert not held_by_someone(state), "another host may go on"
        assert not held.still_held()


def test_a_server_that_restarts_takes_the_lock_with_it(mariadb: MariaDB, server_state: State) -> None:
    with server_state.locks.hold("product", "exact") as held:
        mariadb.kill()
        assert not held.still_held()
        mariadb.start()
        assert not held.still_held()
    assert not held_by_someone(server_state)


def test_two_databases_on_one_server_do_not_share_locks(mariadb: MariaDB, server_state: State) -> None:
    mariadb.create_database("brekzsync_other")
    with (
        open_state(mariadb.url("brekzsync_other"), create=True) as other,
        server_state.locks.hold("product", "exact"),
    ):
        assert not held_by_someone(other)


def test_a_held_lock_keeps_no_connection_from_the_others(server_state: State) -> None:
    with server_state.locks.hold("product", "exact") as held:
        for _ in range(20):
            server_state.runs.open("product", "exact", "products export", NOON)
        assert held.still_held()
