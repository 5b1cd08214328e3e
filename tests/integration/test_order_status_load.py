"""Ten thousand orders told in one run: the requests are counted by the marketplace, the memory by the system."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import text

from brekzsync.demo.marketplace.server import DemoOrder
from tests.exports import ROOT
from tests.marketplace_world import CANCELED, FEED, PREPARED, SHIPPED, STORE, MarketplaceWorld

MANY = 10_000
# Memory is that of this process alone: what a child inherits from whoever started it is not counted.
CHILD = """
import atexit, sys
from pathlib import Path
from brekzsync.cli import main

def tell():
    lines = Path("/proc/self/status").read_text().splitlines()
    print(*(line for line in lines if line.startswith("VmHWM")), file=sys.stderr)

atexit.register(tell)
sys.exit(main(sys.argv[1:]))
"""


class Run(NamedTuple):
    """One command: what it told, and the most memory it took, in KiB."""

    told: dict[str, Any]
    peak: int


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MarketplaceWorld]:
    with MarketplaceWorld.embedded(tmp_path) as world:
        world.set(shipped_delay="0m")
        yield world


def fill(world: MarketplaceWorld, count: int, state: int = SHIPPED) -> None:
    """So many orders with a parcel each, in the shop and on the marketplace."""
    ids = range(1, count + 1)
    placed = f"{world.now:%Y-%m-%d %H:%M:%S}"
    with world.shop.begin() as connection:
        for statement in (
            "INSERT INTO ps_orders (id_order, id_shop, current_state, reference, date_add)"
            " VALUES (:id, 1, :state, 'REF' || :id, :placed)",
            "INSERT INTO ps_shoppingfeed_order (id_shoppingfeed_order, id_order, id_internal_shoppingfeed,"
            " id_order_marketplace, name_marketplace, id_shoppingfeed_token, payment_method,"
            " date_marketplace_creation) VALUES (:id, :id, :feed, 'MP-' || :id, 'Leroy Merlin', 1, '-', :placed)",
            "INSERT INTO ps_order_carrier (id_order_carrier, id_order, id_carrier, tracking_number)"
            " VALUES (:id, :id, 2, '3S' || :id)",
        ):
            rows = [{"id": one, "feed": FEED + one, "state": state, "placed": placed} for one in ids]
            connection.execute(text(statement), rows)
    world.server.add(DemoOrder(FEED + one, f"MP-{one}", "Leroy Merlin", STORE) for one in ids)


def run(world: MarketplaceWorld, *words: str) -> Run:
    """The program in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", CHILD, "--config", str(world.configure()), "--json", *words],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"VmHWM:\s+(\d+) kB", done.stderr)
    return Run(json.loads(done.stdout), int(found[1]) if found else 0)


@pytest.mark.long
@pytest.mark.parametrize("known", [False, True], ids=["with --force", "after --baseline"])
def test_ten_thousand_orders_are_sent_in_a_hundred_requests_and_one(
    world: MarketplaceWorld, known: bool
) -> None:
    fill(world, MANY, state=PREPARED if known else SHIPPED)
    if known:
        world.sql(f"UPDATE ps_orders SET current_state = {CANCELED} WHERE id_order = 1")
        run(world, "orders", "push-status", "--baseline")
        world.sql(f"UPDATE ps_orders SET current_state = {SHIPPED}")
    pushed = run(world, "orders", "push-status", *(() if known else ("--force",)))
    requests = len(world.server.requests)
    again = run(world, "orders", "push-status")
    run(world, "tickets", "check")

    assert requests <= 101
    assert pushed.told["operations"] == {"ship": MANY}
    assert (again.told["operations"], again.told["waiting"]) == ({}, {"in_flight": MANY})
    taken = world.taken()
    assert len(taken) == len({one.order for one in taken}) == MANY
    assert all(one.payload["trackingNumber"] == f"3S{one.order - FEED}" for one in taken)
    assert (world.tasks(), len(world.known())) == ({}, MANY)


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="the system tells no peak of memory")
def test_memory_does_not_grow_with_the_orders(tmp_path: Path) -> None:
    peaks = {}
    for count in (1_000, MANY):
        folder = tmp_path / str(count)
        folder.mkdir()
        with MarketplaceWorld.embedded(folder) as world:
            world.set(shipped_delay="0m")
            fill(world, count)
            peaks[count] = [
                run(world, *words).peak
                for words in (
                    ("orders", "push-status", "--force"),
                    ("orders", "push-status"),
                    ("tickets", "check"),
                )
            ]

    assert all(peaks[1_000])
    more = [many - few for few, many in zip(peaks[1_000], peaks[MANY], strict=True)]
    assert max(more) <= 16 * 1024, peaks  # a thousand orders do not fill a page of five thousand
