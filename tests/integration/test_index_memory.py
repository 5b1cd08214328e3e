"""A service lists a million pending items page by page, and takes no more memory than after the first hundred pages."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from brekzsync.bootstrap.state import upgrade_state
from tests.exports import installation
from tests.serving import TOKEN, Serving, serving
from tests.shops import make_shop

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process takes"),
]

PRODUCTS, COMBINATIONS, PAGE = 500_000, 2, 5_000
RATIO = 1.1


def test_a_million_entries_over_all_pages_take_no_more_memory_than_the_first(
    tmp_path: Path, shared: Path
) -> None:
    make_shop(tmp_path / "shop.db", products=PRODUCTS, combinations=COMBINATIONS)
    made = installation(
        tmp_path, shared, "sqlite:///shop.db", channel="http", item_code="{reference}-{id_product_attribute}"
    )
    made.set("serve", exact_token=TOKEN)
    upgrade_state(made.settings)
    listed, peaks = 0, []
    with serving(made) as service:
        following: str | None = ""
        while following is not None:
            count, following = page(service, following)
            listed += count
            peaks.append(peak(service))
    assert listed == PRODUCTS * COMBINATIONS
    assert len(peaks) >= listed // PAGE
    early, late = peaks[len(peaks) // 10], peaks[-1]
    assert late <= RATIO * early, f"{early / 2**20:.1f} MiB, then {late / 2**20:.1f} MiB"


def page(service: Serving, following: str) -> tuple[int, str | None]:
    """How many entries a page has, and what asks for the one after it."""
    answer = service.get(f"products?limit={PAGE}&next={following}")
    assert answer.status_code == 200, answer.text
    found = re.search(r'count="(\d+)" more="([01])"(?: next="([^"]*)")?', answer.text[:500])
    assert found is not None, answer.text[:500]
    return int(found[1]), found[3] if found[2] == "1" else None


def peak(service: Serving) -> int:
    """The most the service's process has taken until now."""
    assert service.process is not None
    status = Path(f"/proc/{service.process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024
