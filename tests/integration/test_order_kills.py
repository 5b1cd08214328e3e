"""A run of ``orders export`` cut off at each of its steps, runs at once, and what its outbox does."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from brekzsync.demo.folder import make_demo
from brekzsync.domain.ledger import Serving
from brekzsync.errors import ConfigurationError, LockHeld
from brekzsync.exact.order_outbox import OrderEntry, OrderOutbox
from brekzsync.state.database import open_state
from tests.exports import NOW
from tests.killable import KILLED, Stepper, stepper
from tests.mortal import Killed, mortal
from tests.selling import FIRST_SENT, Selling, selling

LATER = timedelta(minutes=90)
STEPS = 62  # of a first run; asserted


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untouched") / "demo"
    make_demo(folder, NOW)
    return folder


@pytest.fixture
def shop(tmp_path: Path, untouched: Path) -> Selling:
    return selling(tmp_path / "demo", untouched)


# --- every step ---------------------------------------------------------------------------------------------


def assert_exactly_once(shop: Selling) -> None:
    """What is due ends in Exact, once, with two more runs."""
    shop.imports()
    for _ in range(2):
        shop.export()
        shop.imports()
        shop.after(hours=1.5)
    shop.export()
    in_exact = shop.in_exact()
    assert set(in_exact.values()) == {1}
    assert {int(reference.rpartition("-")[2]) for reference in in_exact} == {41, 52, *FIRST_SENT}
    assert shop.told(*FIRST_SENT) == [("synced", None, True)] * len(FIRST_SENT)
    assert (shop.claims(), shop.lying()) == ({}, [])
    assert list((shop.folder / "outbox/orders").glob(".*")) == []


def claimed(shop: Selling) -> set[int]:
    """What is claimed at this moment, whoever writes."""
    with closing(sqlite3.connect(shop.folder / "state.db")) as state:
        rows = state.execute(
            "SELECT key_major FROM served JOIN scope ON scope.id = scope_id"
            " WHERE flow = 'order' AND rejected_at IS NULL"
        )
        return {row[0] for row in rows}


def test_a_document_is_seen_only_once_its_claim_is_on_disk(shop: Selling) -> None:
    def look(_step: int) -> None:
        lying = set(shop.lying())
        assert lying <= (claimed(shop) if lying else set())

    with mortal(watch=look) as life:
        shop.export()

    assert life.steps == STEPS
    assert shop.lying() == FIRST_SENT


@pytest.mark.parametrize("step", range(1, STEPS + 1, 4))
def test_a_run_cut_off_is_finished_by_the_next(shop: Selling, step: int) -> None:
    with mortal(step):
        shop.export()
    assert_exactly_once(shop)


@pytest.mark.long
@pytest.mark.parametrize("step", range(1, STEPS + 1))
@pytest.mark.parametrize("is_read", [False, True])
def test_a_run_cut_off_anywhere_is_finished_by_the_next(shop: Selling, step: int, is_read: bool) -> None:
    with mortal(step):
        shop.export()
    if is_read:
        shop.imports()
    assert_exactly_once(shop)


@pytest.mark.parametrize("step", range(1, 46, 4))
def test_a_run_that_settles_cut_off_is_finished_by_the_next(shop: Selling, step: int) -> None:
    shop.export()
    shop.imports(61, 62)
    shop.take(63)
    shop.export()
    shop.after(hours=2)
    with mortal(step):
        shop.export()
    assert_exactly_once(shop)


def test_what_was_claimed_and_not_shown_is_shown_though_somebody_looked_in_between(shop: Selling) -> None:
    cut_before_showing(shop)
    shop.look()
    assert set(shop.claims()) == set(FIRST_SENT)
    shop.after(hours=2).look()

    shop.export()

    assert shop.lying() == FIRST_SENT


def cut_before_showing(shop: Selling) -> None:
    def look(_step: int) -> None:
        if (shop.folder / "state.db").exists() and claimed(shop):
            raise Killed

    with mortal(watch=look):
        shop.export()
    assert (set(shop.claims()), shop.lying()) == (set(FIRST_SENT), [])


# --- a real process, killed by the kernel -------------------------------------------------------------------


@pytest.mark.long
def test_a_process_killed_before_any_of_its_steps_leaves_nothing_out_and_nothing_twice(
    tmp_path: Path, untouched: Path
) -> None:
    with stepper() as steps:
        undisturbed = selling(tmp_path / "first", untouched)
        assert process(undisturbed, steps, None) == 3
        notes = (undisturbed.folder / "seen/diary").read_text(encoding="utf-8").split()
        most = int(notes[-1])
        assert most > STEPS
        for step in range(1, most + 1):
            shop = selling(tmp_path / str(step), untouched)
            assert process(shop, steps, step) == KILLED
            if step % 2:
                shop.imports()
            assert process(shop, steps, None) in (0, 3)
            assert_exactly_once(shop)


def process(shop: Selling, steps: Stepper, kill: int | None) -> int:
    seen = shop.folder / "seen"
    seen.mkdir(exist_ok=True)
    answer = steps.run(
        {
            "words": ["--config", str(shop.config), "orders", "export", "--json"],
            "folder": str(shop.folder),
            "environment": {"PATH": "/usr/bin:/bin", "HOME": str(shop.folder)},
            "outbox": str(shop.folder / "outbox"),
            "seen": str(seen),
            "out": str(shop.folder / "stdout"),
            "err": str(shop.folder / "stderr"),
            "now": shop.now.isoformat(),
            "number": 1,
            "kill": kill,
            "kill_writer": None,
            "visits": {},
            "batch": None,
            "drift": 0,
        }
    )
    assert "Traceback" not in (shop.folder / "stderr").read_text(encoding="utf-8")
    return int(answer["code"])


# --- at once ------------------------------------------------------------------------------------------------


def test_runs_and_readers_at_once_claim_each_order_once(shop: Selling) -> None:
    """Two runs, of which one waits its turn, and three who fetch over HTTP."""
    numbers = list(range(100, 130))
    shop.copy_order(68, *numbers)
    shop.export(41)
    granted: dict[str, set[int]] = {}
    start = threading.Barrier(5)

    def run(name: str) -> None:
        start.wait()
        while True:
            try:
                run_of = selling_at(shop).export()
            except LockHeld:
                continue
            granted[name] = {run_of.tally.delivered}
            return

    def fetch(name: str) -> None:
        start.wait()
        with open_state(f"sqlite:///{shop.folder / 'state.db'}", create=False) as state:
            claims = state.ledger("order", "exact").claims
            mine = set()
            for number in numbers:
                one = Serving(
                    number, 0, name.encode().ljust(16), 0, b"d" * 16, f"COPY{number}-{number}", "{}"
                )
                until = NOW + LATER
                mine |= {
                    key[0]
                    for key in claims.claim([one], claimed_by=name, run_id=None, at=NOW, lease_until=until)
                }
            granted[name] = mine

    workers = [threading.Thread(target=run, args=(name,)) for name in ("run 1", "run 2")]
    workers += [threading.Thread(target=fetch, args=(name,)) for name in ("a", "b", "c")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    over_http = [granted[name] for name in ("a", "b", "c")]
    lying = set(shop.lying()) & set(numbers)
    assert sum(map(len, over_http)) + len(lying) == len(numbers)
    assert set().union(*over_http, lying) == set(numbers)
    assert {claim.claimed_by for claim in shop.claims().values()} <= {None, "a", "b", "c"}


def selling_at(shop: Selling) -> Selling:
    """The same installation for another thread."""
    return Selling(folder=shop.folder, now=shop.now)


# --- the outbox ---------------------------------------------------------------------------------------------


@pytest.fixture
def outbox(tmp_path: Path) -> OrderOutbox:
    made = OrderOutbox(tmp_path / "orders", "Orders")
    made.prepare()
    return made


def names(outbox: OrderOutbox) -> list[str]:
    return sorted(path.name for path in outbox.directory.iterdir())


def test_what_is_staged_nobody_sees(outbox: OrderOutbox) -> None:
    outbox.stage([(12, b"<a/>"), (7, b"<b/>")])

    assert (list(outbox.unread()), outbox.staged()) == ([], [7, 12])
    assert outbox.lies_unread(12), "no reader took it: a run is about to show it"
    outbox.show([12])
    outbox.discard([7, 99])

    assert (names(outbox), outbox.staged()) == (["12.xml"], [])
    assert (outbox.directory / "12.xml").read_bytes() == b"<a/>"


def test_what_is_withdrawn_is_gone_and_so_is_what_a_reader_took(outbox: OrderOutbox) -> None:
    outbox.stage([(12, b"<a/>")])
    outbox.show([12])
    assert outbox.lies_unread(12)
    outbox.withdraw([12, 13])

    assert not outbox.lies_unread(12)
    OrderOutbox(outbox.directory / "nowhere", "Orders").withdraw([12])


def test_what_cannot_be_looked_for_counts_as_untaken(tmp_path: Path) -> None:
    """A folder nobody may look into, in a form that also holds for root: two links that lead to each other."""
    (tmp_path / "orders").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere").symlink_to(tmp_path / "orders")

    assert OrderOutbox(tmp_path / "orders", "Orders").lies_unread(12)
    assert not OrderOutbox(tmp_path / "nowhere", "Orders").lies_unread(12)


def test_a_document_staged_again_is_the_newer_one(outbox: OrderOutbox) -> None:
    outbox.stage([(12, b"<a>much longer</a>")])
    outbox.stage([(12, b"<b/>")])
    outbox.show([12])

    assert (outbox.directory / "12.xml").read_bytes() == b"<b/>"


def test_the_index_lists_what_lies_there_by_number_and_nothing_else(outbox: OrderOutbox) -> None:
    outbox.stage([(number, b"<a/>") for number in (100, 9, 12, 13)])
    outbox.show([100, 9, 12])
    for name in ("012.xml", "12.xml.tmp", "notes.xml", ".hidden.xml"):
        (outbox.directory / name).write_text("")
    entry = OrderEntry("REF-9", "2026-11-21T12:00:00Z", "abc-0")

    listed = outbox.write_index(
        lambda ids: {9: entry} if 9 in ids else {}, datetime(2026, 11, 21, tzinfo=UTC)
    )

    index = (outbox.directory / "index.xml").read_text(encoding="utf-8")
    assert listed == 3
    assert [part.split('"')[0] for part in index.split(' id="')[1:]] == ["9", "12", "100"]
    assert 'topic="Orders"' in index
    assert 'code="REF-9"' in index


def test_a_folder_that_cannot_be_made_is_the_settings_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError) as refused:
        OrderOutbox(tmp_path / "file/orders", "Orders").prepare()
    assert refused.value.hint == "Choose another folder: output under [orders], or under [products]."
