"""The process that writes the bulk document: what it hands back, and what is left when it or the run dies."""

from __future__ import annotations

import base64
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from brekzsync.bulk_writer import BulkOrder, BulkWriter
from brekzsync.domain.items import Item
from brekzsync.domain.ledger import Acknowledgement, Clearing, Failure
from brekzsync.errors import PermanentError
from brekzsync.exact.eexact.layout import ItemLayout
from brekzsync.exact.outbox import Outbox
from brekzsync.state import staged
from brekzsync.state.database import State
from brekzsync.state.ledger import Ledger
from brekzsync.state.staging import StagedFile, staged_batches
from tests.exports import Installation, installation
from tests.integration.state_rows import NOON, NOON_MS, RUN, acknowledgement, later, mark
from tests.shops import make_shop

RUN_NAME = "20261121T120000Z-4f2a9c"
LAYOUT = ItemLayout(currency="EUR", flags={"IsSalesItem": True})
BLANK = Item(*[""] * len(Item._fields))
Row = tuple[Any, ...]


def order(outbox: Path) -> BulkOrder:
    return BulkOrder(outbox, RUN_NAME, LAYOUT, date(2026, 11, 20))


def row(number: int, *, before: Item | None = None, image: bytes | None = None) -> Row:
    """One version as the run sends it."""
    picture = f"{number}.jpg" if image else ""
    item = BLANK._replace(code=f"P-{number}", description="Mand <" * 8, price="9.9900", image=picture)
    acknowledged = acknowledgement((number, 0), code=item.code)._replace(document=item.stored())
    return (*acknowledged, NOON_MS, before and before.stored(), image)


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    """A prepared folder."""
    Outbox(tmp_path / "outbox").prepare()
    return tmp_path / "outbox"


def files(outbox: Path) -> list[str]:
    """What lies in the folder, hidden or not."""
    return sorted(str(path.relative_to(outbox)) for path in outbox.rglob("*") if path.is_file())


def wait_for(reached: Callable[[], bool], seconds: float = 30) -> bool:
    """Whether it came true in time."""
    give_up = time.monotonic() + seconds
    while not reached() and time.monotonic() < give_up:
        time.sleep(0.002)
    return reached()


# --- what it hands back ----------------------------------------------------------------------------------------


def test_the_document_its_entries_and_its_acknowledgements_are_there_when_it_is_finished(
    outbox: Path, shared: Path
) -> None:
    rows = [row(number) for number in range(1, 2501)]
    with BulkWriter(order(outbox)) as writer:
        for start in range(0, 2500, 1000):
            writer.send(rows[start : start + 1000])
        assert not (outbox / f"items-{RUN_NAME}.xml").exists()
        path = writer.finish()
        assert path is not None

    assert [one for batch in staged_batches(path) for one in batch] == [
        Acknowledgement(*sent[:10]) for sent in rows
    ]
    path.unlink()
    assert files(outbox) == [f".items-{RUN_NAME}.entries", f"items-{RUN_NAME}.xml"]
    root = etree.parse(outbox / f"items-{RUN_NAME}.xml").getroot()
    schema = etree.XMLSchema(etree.parse(shared / "data/exact/eExact-Schema.xsd"))
    assert schema.validate(root), schema.error_log
    assert [item.get("code") for item in root.iter("Item")] == [f"P-{number}" for number in range(1, 2501)]
    entries = (outbox / f".items-{RUN_NAME}.entries").read_text().splitlines()
    assert [etree.fromstring(line).get("id") for line in entries] == [f"{n}-0" for n in range(1, 2501)]
    assert entries[0] == (
        f'<Entry id="1-0" code="P-1" modified="2026-11-21T12:00:00Z" version="{mark("first").hex()}.0"'
        f' href="items-{RUN_NAME}.xml"/>'
    )


def test_what_was_filled_before_is_sent_empty_and_its_special_price_is_closed(outbox: Path) -> None:
    before = BLANK._replace(code="P-1", brand="Noorderstaart", special_price="5.0000", price="9.9900")
    with BulkWriter(order(outbox)) as writer:
        writer.send([row(1, before=before), row(2)])
        assert writer.finish()

    root = etree.parse(outbox / f"items-{RUN_NAME}.xml").getroot()
    assert [text.text for text in root.iter("FreeText")] == [None]
    assert [
        (line.find("Item").get("code"), line.findtext(".//DateEnd")) for line in root.iter("ItemPrice")
    ] == [("P-1", "2026-11-20")]


def test_images_travel_along(outbox: Path) -> None:
    pictures = {number: bytes([number]) * 300_000 for number in range(1, 5)}
    with BulkWriter(order(outbox)) as writer:
        for number, picture in pictures.items():
            writer.send([row(number, image=picture)])
        assert writer.finish()

    root = etree.parse(outbox / f"items-{RUN_NAME}.xml", etree.XMLParser(huge_tree=True)).getroot()
    found = {
        image.findtext("Name"): base64.b64decode(image.findtext("BinaryData")) for image in root.iter("Image")
    }
    assert found == {f"{number}.jpg": picture for number, picture in pictures.items()}


def test_a_run_without_items_starts_no_process_and_leaves_nothing(outbox: Path) -> None:
    with BulkWriter(order(outbox)) as writer:
        assert writer.finish() is None
        assert writer._process is None
    assert files(outbox) == []


def test_a_run_that_fails_on_the_way_leaves_nothing(outbox: Path) -> None:
    with BulkWriter(order(outbox)) as writer:
        writer.send([row(number) for number in range(1, 5001)])
        wait_for(lambda: len(files(outbox)) > 2)
    assert files(outbox) == []


# --- the writer dies --------------------------------------------------------------------------------------------


def send_until_it_fails(writer: BulkWriter, rows: list[Row]) -> None:
    """The pipe takes some more after its reader is gone."""
    for _ in range(20):
        writer.send(rows)
    writer.finish()


@pytest.mark.parametrize("sent", [1, 3000], ids=["before its first write", "in the middle of the document"])
def test_a_writer_that_was_killed_is_an_error_and_what_it_left_is_cleared_away(
    outbox: Path, sent: int
) -> None:
    rows = [row(number) for number in range(1, sent + 1)]
    with BulkWriter(order(outbox)) as writer:
        writer.send(rows)
        assert writer._process is not None
        writer._process.kill()
        with pytest.raises(PermanentError) as failed:
            send_until_it_fails(writer, rows)
    assert (failed.value.code, failed.value.exit_code) == ("writer_vanished", 1)
    assert "nothing was acknowledged" in failed.value.message
    assert "Run the same command again" in failed.value.hint

    assert not [name for name in files(outbox) if not name.startswith(".")]
    Outbox(outbox).prepare()
    assert files(outbox) == []


def limit(writer: BulkWriter, size: int) -> None:
    """No file of the writer's grows beyond this from now on, as on a full disk."""
    assert writer._process is not None
    resource.prlimit(writer._process.pid, resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [4096, 200_000, 2_000_000], ids=["at once", "early", "in the middle"])
@pytest.mark.parametrize("images", [False, True], ids=["items", "images"])
def test_a_full_disk_reaches_the_run_as_what_it_is(outbox: Path, size: int, images: bool) -> None:
    picture = b"x" * 30_000 if images else None
    with BulkWriter(order(outbox)) as writer:
        writer.send([row(1, image=picture)])
        limit(writer, size)
        with pytest.raises(PermanentError) as failed:
            send_until_it_fails(writer, [row(number, image=picture) for number in range(2, 500)])
    assert failed.value.code == "disk_full", failed.value.message
    assert failed.value.message.startswith(f"Cannot write {outbox}/")
    assert "Free some space there and run the same command again" in failed.value.hint
    assert files(outbox) == []


def test_a_disk_that_is_full_only_at_the_end_is_told_as_well(outbox: Path) -> None:
    with BulkWriter(order(outbox)) as writer:
        writer.send([row(number) for number in range(1, 100)])
        limit(writer, 10_000)
        with pytest.raises(PermanentError) as failed:
            writer.finish()
    assert (failed.value.code, files(outbox)) == ("disk_full", [])


# --- the run dies -----------------------------------------------------------------------------------------------

VICTIM = """
import os, signal, sys, time
from pathlib import Path
from tests.integration.test_bulk_writer import BulkWriter, order, row
writer = BulkWriter(order(Path(sys.argv[1])))
writer.send([row(number) for number in range(1, 6001)])
if sys.argv[2] == "half a frame":
    writer._process.stdin.raw.write((10**6).to_bytes(8, "big") + b"half")
print(writer._process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def is_alive(pid: int) -> bool:
    """A process nobody waits for stays listed as a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("how", ["between frames", "half a frame"])
def test_a_writer_whose_run_was_killed_ends_by_itself_and_leaves_no_document(outbox: Path, how: str) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, str(outbox), how],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert wait_for(lambda: not is_alive(int(done.stdout)), seconds=5)
    assert files(outbox) == []
    assert "Traceback" not in done.stderr


# --- signals ----------------------------------------------------------------------------------------------------

PRODUCTS = 12_000


@pytest.fixture(scope="module")
def many_products(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop whose export takes a while."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    make_shop(path, products=PRODUCTS)
    return path


@pytest.fixture
def installed(many_products: Path, shared: Path, tmp_path: Path) -> Installation:
    return installation(tmp_path, shared, f"sqlite:///{many_products}", item_code="reference")


@pytest.mark.parametrize(
    ("number", "to_all", "code"),
    [(signal.SIGINT, True, 130), (signal.SIGTERM, False, 143), (signal.SIGTERM, True, 143)],
    ids=["Ctrl-C", "SIGTERM", "SIGTERM to all of its processes"],
)
def test_an_interrupted_bulk_run_says_so_and_leaves_nothing_half_written(
    installed: Installation, number: signal.Signals, to_all: bool, code: int
) -> None:
    process = subprocess.Popen(
        installed.command("products", "export", "--bulk", "--json"),
        cwd=installed.folder,
        env=installed.process_environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert wait_for(lambda: any(installed.outbox.glob(".items-*.xml.part")))
    (os.killpg if to_all else os.kill)(process.pid, number)
    out, err = process.communicate(timeout=30)

    assert (process.returncode, "Traceback" in err) == (code, False), err
    error = json.loads(out)["error"]
    assert (error["code"], "finishes what is left" in error["hint"]) == ("interrupted", True)
    assert not list(installed.outbox.glob("items-*"))
    with installed.state() as state:
        run = state.runs.previous("product", "exact")
        assert run is not None
        assert (run.status, run.error_code) == ("interrupted", "interrupted")
        assert state.ledger("product", "exact").count() == 0
    if not to_all or number == signal.SIGINT:
        assert [name for name in files(installed.outbox) if name != "index.xml"] == []
    assert installed.run(bulk=True).tally.delivered == PRODUCTS
    assert len(files(installed.outbox)) == len(["document", "entries", "index"])


# --- staged acknowledgements ------------------------------------------------------------------------------------

Deed = tuple[str, int, int]
deeds = st.lists(
    st.tuples(
        st.sampled_from(["acknowledge", "clear", "force", "fail", "leave"]),
        st.integers(1, 6),
        st.integers(0, 2),
    ),
    max_size=12,
)
wanted = st.dictionaries(st.integers(1, 6), st.tuples(st.integers(0, 2), st.booleans()), min_size=1)


def do(ledger: Ledger, deed: Deed, at: Any) -> None:
    """What some writer does to one record, by what the ledger holds of it then."""
    what, major, version = deed
    key = (major, 0)
    found = ledger.rows_for([key])
    prior = (found[0].fingerprint, found[0].force_acknowledged) if found else (None, 0)
    match what:
        case "acknowledge":
            force = found[0].force_requested if found else 0
            row = acknowledgement(key, f"v{version}", force=force, code=f"C-{version % 2}")
            row = row._replace(prior_fingerprint=prior[0], prior_force=prior[1], known=bool(found))
            ledger.acknowledge([row], run_id=1, at=at)
        case "clear":
            ledger.clear([Clearing(*key, "deleted", *prior)], run_id=2, at=at)
        case "force":
            ledger.request_force([key], at=at)
        case "fail":
            ledger.record_failures([Failure(*key, "missing_price", f"price {version}")], run_id=3, at=at)
        case "leave":
            ledger.record_pending([key], at=at)


def seen_by_a_run(ledger: Ledger, wanted: dict[int, tuple[int, bool]]) -> list[Acknowledgement]:
    """What a run that reads the ledger now will acknowledge later; some codes change on the way."""
    found = {row.key_major: row for row in ledger.rows_for([(major, 0) for major in wanted])}
    batch = []
    for major, (version, new_code) in sorted(wanted.items()):
        known = found.get(major)
        row = acknowledgement(
            (major, 0),
            f"v{version}",
            force=known.force_requested if known else 0,
            prior_force=known.force_acknowledged if known else 0,
            known=known is not None,
            code="NEW" if new_code else f"C-{version % 2}",
        )
        batch.append(row._replace(prior_fingerprint=known.fingerprint if known else None))
    return batch


def contents(state: State, ledger: Ledger) -> list[Row]:
    """All of the ledger's table that belongs to it."""
    with state.database.read() as connection:
        rows = connection.exec_driver_sql(
            f"SELECT * FROM ledger WHERE scope_id = {ledger._scope.id():d} ORDER BY key_major, key_minor"
        )
        return [tuple(row)[1:] for row in rows]


_targets = count()


@given(before=deeds, wanted=wanted, meanwhile=deeds, twice=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_staged_acknowledgements_do_what_row_by_row_ones_do(
    state: State,
    tmp_path_factory: pytest.TempPathFactory,
    before: list[Deed],
    wanted: dict[int, tuple[int, bool]],
    meanwhile: list[Deed],
    twice: bool,
) -> None:
    number = next(_targets)
    path = tmp_path_factory.mktemp("staged") / "acknowledgements"
    ledgers = [state.ledger("product", f"{way} {number}") for way in ("rows", "staged")]
    for ledger in ledgers:
        for deed in before:
            do(ledger, deed, NOON)
    batch, same = (seen_by_a_run(ledger, wanted) for ledger in ledgers)
    assert batch == same
    for ledger in ledgers:
        for deed in meanwhile:
            do(ledger, deed, later(minutes=1))
    file = StagedFile(path)
    file.add(batch[:2])
    file.add(batch[2:])
    file.close()

    rows, in_one = ledgers
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(staged, "_AT_ONCE", 2)  # so that a few records take several transactions
        for _ in range(1 + twice):
            taken = rows.acknowledge(batch, run_id=RUN, at=later(minutes=2))
            assert in_one.acknowledge_staged(path, run_id=RUN, at=later(minutes=2)) == taken
    assert contents(state, in_one) == contents(state, rows)


@pytest.mark.parametrize("meanwhile", ["force", "acknowledge", "clear"])
def test_what_changed_while_the_document_was_written_stays_as_it_is(
    state: State, ledger: Ledger, tmp_path: Path, meanwhile: str
) -> None:
    ledger.acknowledge([acknowledgement((1, 0)), acknowledgement((2, 0))], run_id=1, at=NOON)
    batch = [acknowledgement((major, 0), "second", prior="first") for major in (1, 2)]
    batch.append(acknowledgement((3, 0), "second"))
    for key in [(1, 0), (3, 0)]:
        do(ledger, (meanwhile, key[0], 7), later(minutes=1))
    file = StagedFile(tmp_path / "acknowledgements")
    file.add(batch)
    file.close()

    taken = ledger.acknowledge_staged(file.path, run_id=RUN, at=later(minutes=2))

    rows = {row.key_major: row for row in ledger.rows()}
    assert rows[2].fingerprint == mark("second")
    if meanwhile == "force":  # delivered, and asked for once more
        assert taken == 3
        assert [(rows[n].fingerprint, rows[n].status, rows[n].force_requested) for n in (1, 3)] == [
            (mark("second"), "pending", 1)
        ] * 2
    elif meanwhile == "acknowledge":
        assert taken == 1
        assert [rows[n].fingerprint for n in (1, 3)] == [mark("v7")] * 2
    else:
        assert taken == 2
        assert (rows[1].fingerprint, rows[1].reason) == (None, "deleted")
        assert rows[3].fingerprint == mark("second")
