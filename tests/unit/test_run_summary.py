"""The promise of tests/conftest.py: nobody takes a run for complete that skipped half of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import pytest

def test_uses_shared(shared): pass

@pytest.mark.shared
def test_is_marked(): pytest.skip("not today")

def test_needs_nothing(): pass
"""


def run(folder: Path, **environment: str) -> tuple[int, list[str]]:
    """A run of TESTS with this project's conftest: its exit code and its lines."""
    (folder / "test_some.py").write_text(TESTS)
    (folder / "empty.ini").write_text("[pytest]\n")
    options = ["-q", "-c", str(folder / "empty.ini"), "-p", "tests.conftest", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=ROOT,
        env={**{key: value for key, value in os.environ.items() if key != "BREKZSYNC_CI"}, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout.splitlines()


@pytest.fixture
def nowhere(tmp_path: Path) -> str:
    return str(tmp_path / "nowhere")


def test_the_last_lines_count_what_was_skipped_and_why(tmp_path: Path, nowhere: str) -> None:
    code, lines = run(tmp_path, BREKZSYNC_SHARED=nowhere)
    why = f"no third-party data: {nowhere} is not there (BREKZSYNC_SHARED names another place)"
    assert (code, lines[-5:]) == (
        0,
        [
            "shared tests skipped: 2",
            f"  1 x {why}",
            "  1 x not today",
            "mariadb tests skipped: 0",
            "erp tests skipped: 0",
        ],
    )


def test_in_the_build_a_skipped_shared_test_is_a_failure(tmp_path: Path, nowhere: str) -> None:
    code, lines = run(tmp_path, BREKZSYNC_SHARED=nowhere, BREKZSYNC_CI="1")
    assert code == 1
    assert "shared tests skipped: 2 (a failure here: BREKZSYNC_CI is set)" in lines
