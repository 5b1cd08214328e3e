"""A staged file that a power cut spoilt keeps nobody from going on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from brekzsync.state.database import open_state
from brekzsync.state.staging import is_whole, staged_batches


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\x00" + bytes(4000)])
def test_a_spoilt_staged_file_acknowledges_nothing_and_stops_nothing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "staged"
    path.write_bytes(content)
    with open_state(f"sqlite:///{tmp_path / 'state.db'}", create=True) as state:
        taken = state.ledger("product", "exact").acknowledge_staged(path, run_id=1, at=datetime.now(UTC))
    assert (is_whole(path), taken, list(staged_batches(path))) == (False, 0, [])
