"""What a ledger row takes on disk, with documents as long as real ones."""

from __future__ import annotations

import random
import resource
from pathlib import Path

import pytest

from brekzsync.domain.ledger import Acknowledgement
from brekzsync.state.database import open_state
from tests.integration.state_rows import NOON, RUN

BATCH = 2_000


@pytest.mark.parametrize("rows", [100_000, pytest.param(1_000_000, marks=pytest.mark.long)])
@pytest.mark.parametrize("codes", ["in key order", "at random"])
def test_a_row_takes_at_most_400_bytes_and_memory_stays_flat(tmp_path: Path, rows: int, codes: str) -> None:
    chance = random.Random(1)

    def delivered(number: int) -> Acknowledgement:
        code = f"P{number // 2}-{number % 2}" if codes == "in key order" else f"{chance.randrange(10**9)}"
        return Acknowledgement(
            key_major=1_000 + number // 2,
            key_minor=10_000 + number,
            fingerprint=chance.randbytes(16),
            force=0,
            source_digest=chance.randbytes(16),
            code=code,
            document="x" * chance.randrange(160, 240),
            prior_fingerprint=None,
            prior_force=0,
            known=False,
        )

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open_state(f"sqlite:///{tmp_path / 'state.db'}", create=True) as state:
        ledger = state.ledger("product", "exact")
        for first in range(0, rows, BATCH):
            ledger.acknowledge([delivered(first + n) for n in range(BATCH)], run_id=RUN, at=NOON)
        assert sum(1 for _ in ledger.rows()) == rows
    assert (tmp_path / "state.db").stat().st_size <= 400 * rows
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before <= 24 * 1024
