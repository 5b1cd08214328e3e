"""The outbox on real files: whole or not there, whoever kills, fills, forbids or deletes what."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

import brekzsync
from brekzsync.errors import ConfigurationError, PermanentError
from brekzsync.exact.outbox import IndexEntry, Key, Outbox

NOW = datetime(2026, 11, 21, 12, 15, tzinfo=UTC)
SEEN = "2026-11-21T11:58:12Z"
RUN = "20261121T121500Z-4f2a9c"
SOURCE = str(Path(brekzsync.__path__[0]).parent)


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    outbox = Outbox(tmp_path / "outbox")
    outbox.prepare()
    return outbox


def entry(key: Key, code: str = "") -> IndexEntry:
    return IndexEntry(*key, code or f"CODE-{key[0]}-{key[1]}", SEEN, "ab12.0")


def from_ledger(keys: Sequence[Key]) -> Iterable[IndexEntry]:
    return [entry(key) for key in keys]


def files(folder: Path) -> list[str]:
    """Every file below, hidden ones too."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def entries(outbox: Outbox) -> list[tuple[str, ...]]:
    root = ElementTree.parse(outbox.directory / "index.xml").getroot()
    assert root.attrib == {
        "topic": "Items",
        "generated": "2026-11-21T12:15:00Z",
        "count": str(len(root)),
        "more": "0",
        "next": "",
    }
    names = ("id", "code", "modified", "version", "href")
    return [tuple(found.attrib[name] for name in names) for found in root]


def listed(outbox: Outbox) -> list[tuple[str, str]]:
    return [(found[0], found[-1]) for found in entries(outbox)]


def write_bulk(outbox: Outbox, run: str, *keys: Key) -> str:
    with outbox.open_bulk(run) as bulk:
        for key in keys:
            bulk.add(f"<Item code='{key}'/>\n", "", entry(key).line(bulk.name))
        bulk.commit()
    return bulk.name


# --- one file per item -------------------------------------------------------------------------------------


def test_an_outbox_that_is_only_named_creates_nothing(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")

    assert (list(outbox.unread_items()), outbox.unread_bulk(), outbox.withdraw([(1, 0)])) == ([], [], 0)
    assert list(tmp_path.iterdir()) == []


def test_every_item_gets_a_file_and_a_newer_version_replaces_an_unread_one(outbox: Outbox) -> None:
    outbox.write_items([((1, 0), b"first"), ((2, 7), b"second")])
    outbox.write_items([((2, 7), b"newer")])

    assert files(outbox.directory) == ["items/1-0.xml", "items/2-7.xml"]
    assert (outbox.items_directory / "1-0.xml").read_bytes() == b"first"
    assert (outbox.items_directory / "2-7.xml").read_bytes() == b"newer"


def test_a_large_batch_written_by_many_hands_is_complete(outbox: Outbox) -> None:
    batch = [((number, 1), b"document %d" % number) for number in range(500)]

    outbox.write_items(batch)

    assert sorted(outbox.unread_items()) == [key for key, _ in batch]
    for (number, _), content in batch:
        assert (outbox.items_directory / f"{number}-1.xml").read_bytes() == content


def test_withdrawing_takes_unread_items_away_and_minds_none_that_were_read(outbox: Outbox) -> None:
    outbox.write_items([((1, 0), b"a"), ((2, 0), b"b"), ((3, 0), b"c")])

    assert outbox.withdraw([(1, 0), (3, 0), (9, 9)]) == 2
    assert list(outbox.unread_items()) == [(2, 0)]


def test_preparing_clears_away_what_a_killed_run_left_and_nothing_else(outbox: Outbox) -> None:
    name = write_bulk(outbox, RUN, (5, 0))
    outbox.write_items([((1, 0), b"whole")])
    left = [".items-20261120T000000Z-aaaaaa.xml.part", ".items-20261120T000000Z-aaaaaa.entries"]
    for path in [*left, ".index.xml.part", "items/.2-0.xml.part"]:
        (outbox.directory / path).write_bytes(b"half")
    (outbox.directory / "notes.txt").write_bytes(b"somebody's")

    outbox.prepare()

    assert files(outbox.directory) == [
        f".{name.removesuffix('.xml')}.entries",
        name,
        "items/1-0.xml",
        "notes.txt",
    ]


# --- one file per run --------------------------------------------------------------------------------------


def test_a_bulk_file_holds_all_items_then_all_their_price_lines(outbox: Outbox) -> None:
    with outbox.open_bulk(RUN) as bulk:
        bulk.add("<Item code='A'/>\n", "<ItemPrice a='1'/>\n", entry((1, 0)).line(bulk.name))
        bulk.add("<Item code='B'/>\n", "", entry((2, 0)).line(bulk.name))
        bulk.add("<Item code='é'/>\n", "<ItemPrice c='1'/>\n", entry((3, 0)).line(bulk.name))
        path = bulk.commit()

    assert path == outbox.directory / f"items-{RUN}.xml"
    assert path.read_text(encoding="utf-8") == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<eExact xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xsi:noNamespaceSchemaLocation="eExact-Schema.xsd">\n'
        "<Items>\n<Item code='A'/>\n<Item code='B'/>\n<Item code='é'/>\n</Items>\n"
        "<ItemPrices>\n<ItemPrice a='1'/>\n<ItemPrice c='1'/>\n</ItemPrices>\n</eExact>\n"
    )


def test_a_bulk_file_without_prices_has_no_empty_topic(outbox: Outbox) -> None:
    name = write_bulk(outbox, RUN, (1, 0))

    assert [topic.tag for topic in ElementTree.parse(outbox.directory / name).getroot()] == ["Items"]


def test_a_bulk_file_larger_than_every_buffer_is_complete(outbox: Outbox) -> None:
    padding = "x" * 2000
    with outbox.open_bulk(RUN) as bulk:
        for number in range(40_000):
            bulk.add(
                f"<Item code='{number}'>{padding}</Item>\n", f"<ItemPrice n='{number}'/>\n", "<Entry/>\n"
            )
        path = bulk.commit()

    assert path is not None
    items, prices = ElementTree.parse(path).getroot()
    assert [item.get("code") for item in items] == [str(number) for number in range(40_000)]
    assert [line.get("n") for line in prices] == [str(number) for number in range(40_000)]
    assert outbox.write_index(from_ledger, NOW) == 40_000


def test_bulk_files_tell_which_of_them_hold_an_item(outbox: Outbox) -> None:
    first = write_bulk(outbox, "20261121T121500Z-aaaaaa", (1, 0), (12, 3))
    second = write_bulk(outbox, "20261121T121600Z-bbbbbb", (1, 0))
    holding = [outbox.unread_bulk_with([key]) for key in ((1, 0), (12, 3), (2, 3), (12, 0))]
    assert holding == [[first, second], [first], [], []]
    (outbox.directory / f".{second.removesuffix('.xml')}.entries").unlink()
    assert outbox.unread_bulk_with([(2, 3)]) == [second]  # nobody knows what is in it
    (outbox.directory / first).unlink()
    assert outbox.unread_bulk_with([(12, 3)]) == [second]


def test_a_run_without_items_makes_no_bulk_file(outbox: Outbox) -> None:
    with outbox.open_bulk(RUN) as bulk:
        assert bulk.commit() is None

    assert files(outbox.directory) == []


def test_a_run_that_fails_leaves_nothing_of_its_bulk_file(outbox: Outbox) -> None:
    def run() -> None:
        with outbox.open_bulk(RUN) as bulk:
            bulk.add("<Item/>\n" * 100_000, "", entry((1, 0)).line(bulk.name))
            raise RuntimeError("the shop went away")

    with pytest.raises(RuntimeError, match="the shop went away"):
        run()

    assert files(outbox.directory) == []


def test_a_bulk_file_replaces_unread_item_files_of_the_items_it_holds(outbox: Outbox) -> None:
    outbox.write_items([((1, 0), b"old"), ((2, 0), b"still the newest"), ((3, 0), b"old")])

    write_bulk(outbox, RUN, (1, 0), (3, 0), (4, 0))

    assert list(outbox.unread_items()) == [(2, 0)]


@pytest.mark.parametrize("later", ["20261121T121500Z-000000", "20251121T121500Z-ffffff"])
def test_a_newer_bulk_file_sorts_behind_an_unread_one_whatever_the_time(outbox: Outbox, later: str) -> None:
    first = write_bulk(outbox, RUN, (1, 0))
    second = write_bulk(outbox, later, (1, 0))

    assert outbox.unread_bulk() == [first, second]
    assert second == f"items-20261121T121501Z-{later[-6:]}.xml"


def test_a_run_name_the_index_would_not_find_is_refused(outbox: Outbox) -> None:
    with pytest.raises(ValueError, match="'today' is no run name"):
        outbox.open_bulk("today")


# --- the index ---------------------------------------------------------------------------------------------


def test_the_index_lists_bulk_files_oldest_first_then_items_in_key_order(outbox: Outbox) -> None:
    newer = write_bulk(outbox, "20261121T121500Z-000000", (2, 1))
    older = write_bulk(Outbox(outbox.directory), "20261121T121600Z-000000", (30, 0))
    outbox.write_items([(key, b"x") for key in [(10, 2), (9, 0), (10, 10), (100, 0)]])

    assert outbox.write_index(from_ledger, NOW) == 6
    assert entries(outbox) == [
        ("2-1", "CODE-2-1", SEEN, "ab12.0", newer),
        ("30-0", "CODE-30-0", SEEN, "ab12.0", older),
        ("9-0", "CODE-9-0", SEEN, "ab12.0", "items/9-0.xml"),
        ("10-2", "CODE-10-2", SEEN, "ab12.0", "items/10-2.xml"),
        ("10-10", "CODE-10-10", SEEN, "ab12.0", "items/10-10.xml"),
        ("100-0", "CODE-100-0", SEEN, "ab12.0", "items/100-0.xml"),
    ]


def test_an_empty_outbox_has_an_index_of_nothing(outbox: Outbox) -> None:
    assert outbox.write_index(from_ledger, NOW) == 0
    assert entries(outbox) == []


def test_the_ledger_is_asked_in_batches_of_two_thousand_keys_in_order(outbox: Outbox) -> None:
    for number in range(4_500):
        (outbox.items_directory / f"{4_500 - number}-0.xml").touch()
    asked: list[list[Key]] = []

    def answer(keys: Sequence[Key]) -> Iterator[IndexEntry]:
        asked.append(list(keys))
        yield from from_ledger(keys)

    assert outbox.write_index(answer, NOW) == 4_500
    assert [len(keys) for keys in asked] == [2_000, 2_000, 500]
    assert [key for keys in asked for key in keys] == [(number, 0) for number in range(1, 4_501)]


def test_a_file_the_ledger_does_not_know_is_still_listed(outbox: Outbox) -> None:
    outbox.write_items([((1, 0), b"x")])
    name = write_bulk(outbox, RUN, (2, 0))
    (outbox.directory / f".{name.removesuffix('.xml')}.entries").unlink()
    for path in (outbox.directory / name, outbox.items_directory / "1-0.xml"):
        os.utime(path, (0, 0))

    outbox.write_index(lambda _keys: [], NOW)

    assert entries(outbox) == [
        ("", "", "1970-01-01T00:00:00Z", "", name),
        ("1-0", "", "1970-01-01T00:00:00Z", "", "items/1-0.xml"),
    ]


def test_a_code_with_signs_of_xml_reads_back_from_the_index(outbox: Outbox) -> None:
    outbox.write_items([((1, 0), b"x")])

    outbox.write_index(lambda keys: [entry(key, '<A&"B">') for key in keys], NOW)

    assert [found[1] for found in entries(outbox)] == ['<A&"B">']


def test_what_is_not_an_item_file_is_not_listed(outbox: Outbox) -> None:
    for name in ["readme.txt", "01-0.xml", "1-0.xml.bak", "1.xml", ".2-0.xml.part", f"{'9' * 30}-0.xml"]:
        (outbox.items_directory / name).touch()
    (outbox.directory / "items-list.xml").touch()

    assert outbox.write_index(from_ledger, NOW) == 0


def test_files_the_reader_deletes_at_any_moment_are_no_error(outbox: Outbox) -> None:
    outbox.write_items([((number, 0), b"x") for number in range(10)])
    name = write_bulk(outbox, RUN, (50, 0))

    def reader_is_quicker(keys: Sequence[Key]) -> Iterable[IndexEntry]:
        for path in outbox.items_directory.iterdir():
            path.unlink()
        (outbox.directory / name).unlink()
        return []

    assert outbox.write_index(reader_is_quicker, NOW) == 1  # the bulk file was there when it was looked at
    outbox.prepare()
    assert outbox.write_index(from_ledger, NOW) == 0
    assert files(outbox.directory) == ["index.xml"]


def test_an_index_that_cannot_be_finished_leaves_the_former_one(outbox: Outbox) -> None:
    outbox.write_items([((1, 0), b"x")])
    outbox.write_index(from_ledger, NOW)
    outbox.write_items([((2, 0), b"x")])

    def ledger_goes_away(keys: Sequence[Key]) -> Iterable[IndexEntry]:
        raise RuntimeError("the state went away")

    with pytest.raises(RuntimeError):
        outbox.write_index(ledger_goes_away, NOW)

    assert listed(outbox) == [("1-0", "items/1-0.xml")]
    assert files(outbox.directory) == ["index.xml", "items/1-0.xml", "items/2-0.xml"]


# --- killed at every step ----------------------------------------------------------------------------------

# Dies by SIGKILL before the n-th call that touches the disk; ends well when there are fewer than n.
KILLED = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from brekzsync.exact.outbox import IndexEntry, Outbox

left = int(sys.argv[2])

def deadly(name):
    real = getattr(os, name)
    def call(*arguments, **options):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*arguments, **options)
    setattr(os, name, call)

for name in ("open", "write", "fsync", "close", "replace", "unlink"):
    deadly(name)

outbox = Outbox(Path(sys.argv[1]))
outbox.prepare()
"""
ITEMS_KILLED = """
outbox.write_items([((1, 0), b"new" * 1000), ((2, 0), b"new" * 1000)])
outbox.write_index(lambda keys: [IndexEntry(*key, "A", "", "new") for key in keys], datetime.now(UTC))
"""
BULK_KILLED = """
with outbox.open_bulk("20261121T121500Z-4f2a9c") as bulk:
    for key, price in (((1, 0), "<ItemPrice/>"), ((2, 0), "")):
        bulk.add("<Item/>" + "\\n" * 600_000, price, IndexEntry(*key, "A", "", "new").line(bulk.name))
    bulk.commit()
outbox.write_index(lambda keys: [IndexEntry(*key, "A", "", "old") for key in keys], datetime.now(UTC))
"""


def killed_at_every_step(program: str, folder: Path) -> Iterator[tuple[Path, bool]]:
    """A prepared outbox after each way to die, and at last after none; whether it survived."""
    for step in range(200):
        directory = folder / str(step)
        outbox = Outbox(directory)
        outbox.prepare()
        outbox.write_items([((1, 0), b"old")])
        outbox.write_index(from_ledger, NOW)
        ended = subprocess.run(
            [sys.executable, "-c", KILLED + program, str(directory), str(step)],
            env={**os.environ, "PYTHONPATH": SOURCE},
            check=False,
            capture_output=True,
            text=True,
        )
        assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
        yield directory, ended.returncode == 0
        if ended.returncode == 0:
            assert step > 10
            return
    raise AssertionError("it never ended")


def test_killed_at_any_step_item_files_are_whole_or_not_there(tmp_path: Path) -> None:
    for directory, survived in killed_at_every_step(ITEMS_KILLED, tmp_path):
        outbox = Outbox(directory)
        visible = {path.name: path.read_bytes() for path in outbox.items_directory.glob("[!.]*")}
        assert visible.keys() <= {"1-0.xml", "2-0.xml"}
        assert visible["1-0.xml"] in (b"old", b"new" * 1000)
        assert visible.get("2-0.xml") in (None, b"new" * 1000)
        assert ElementTree.parse(directory / "index.xml").getroot().get("topic") == "Items"
        outbox.prepare()
        assert files(directory) == ["index.xml", *(f"items/{name}" for name in sorted(visible))]
        if survived:
            assert visible == {"1-0.xml": b"new" * 1000, "2-0.xml": b"new" * 1000}


def test_killed_at_any_step_a_bulk_file_is_whole_and_indexed_or_not_there(tmp_path: Path) -> None:
    for directory, survived in killed_at_every_step(BULK_KILLED, tmp_path):
        outbox = Outbox(directory)
        outbox.prepare()
        outbox.write_index(from_ledger, NOW)
        name = f"items-{RUN}.xml"
        if outbox.unread_bulk() == [name]:
            assert [len(topic) for topic in ElementTree.parse(directory / name).getroot()] == [2, 1]
            assert listed(outbox)[:2] == [("1-0", name), ("2-0", name)]
        else:
            assert listed(outbox) == [("1-0", "items/1-0.xml")]
            assert files(directory) == ["index.xml", "items/1-0.xml"]
        if survived:
            assert listed(outbox) == [("1-0", name), ("2-0", name)]


# --- a disk that says no -----------------------------------------------------------------------------------

# No file may grow beyond 64 KiB: the same error path as a full disk, without needing one.
SMALL = """
import resource, sys
from pathlib import Path
from brekzsync.errors import PermanentError
from brekzsync.exact.outbox import Outbox
resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
outbox = Outbox(Path(sys.argv[1]))
outbox.prepare()
try:
    {action}
except PermanentError as error:
    print(error.code, error.message, error.hint, sep="\\n")
"""
TOO_LARGE = {
    "one item": "outbox.write_items([((1, 0), b'x' * 100_000)])",
    "a batch": "outbox.write_items([((n, 0), b'x' * (100_000 if n == 77 else 9)) for n in range(2_000)])",
    "a bulk file": """
    with outbox.open_bulk("20261121T121500Z-4f2a9c") as bulk:
        for number in range(9):
            bulk.add("<Item/>" * 20_000, "", "<Entry/>")
        bulk.commit()
""",
    "an index": """
    [(outbox.items_directory / f"{n}-0.xml").touch() for n in range(2_000)]
    outbox.write_index(lambda keys: [], __import__("datetime").datetime.now(__import__("datetime").UTC))
""",
}


@pytest.mark.parametrize("action", TOO_LARGE.values(), ids=TOO_LARGE)
def test_a_write_that_fails_says_so_and_leaves_nothing_half_written(tmp_path: Path, action: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", SMALL.format(action=action.strip()), str(tmp_path / "outbox")],
        env={**os.environ, "PYTHONPATH": SOURCE},
        check=True,
        capture_output=True,
        text=True,
    )

    code, message, hint = ended.stdout.splitlines()
    assert code == "disk_full"
    assert message.startswith(f"Cannot write {tmp_path / 'outbox'}")
    assert "too large" in message
    assert "Free some space" in hint
    assert not [path for path in files(tmp_path) if "/." in path]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.name == "nt" or os.geteuid() != 0 or subprocess.run(mount, check=False).returncode != 0:
        pytest.skip("mounting a small disk takes root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_what_was_whole_and_nothing_else(tiny_disk: Path) -> None:
    outbox = Outbox(tiny_disk / "outbox")
    outbox.prepare()
    outbox.write_items([((1, 0), b"whole")])

    with pytest.raises(PermanentError, match="no space left on device") as raised:
        outbox.write_items([((number, 0), bytes(30_000)) for number in range(2, 100)])
    with pytest.raises(PermanentError, match="no space left on device"):
        write_bulk(outbox, RUN, *((number, 0) for number in range(10_000)))

    assert raised.value.exit_code == 1
    assert not [path for path in files(tiny_disk) if "/." in path]
    assert {path.stat().st_size for path in outbox.items_directory.iterdir()} == {5, 30_000}
    assert outbox.unread_bulk() == []


def test_an_output_that_is_a_file_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("not a folder")

    for directory in (tmp_path / "outbox", tmp_path / "outbox/below"):
        with pytest.raises(ConfigurationError) as raised:
            Outbox(directory).prepare()
        assert str(directory) in raised.value.message
        assert "folder" in raised.value.message or "not a directory" in raised.value.message
        assert "--output DIR" in raised.value.hint


REFUSED = """
import os, sys
from pathlib import Path
from brekzsync.errors import BrekzsyncError
from brekzsync.exact.outbox import Outbox
if os.geteuid() == 0:
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
try:
    Outbox(Path(sys.argv[1])).prepare()
except BrekzsyncError as error:
    print(error.exit_code, error.message, error.hint, sep="\\n")
"""


@pytest.mark.parametrize("mode", [0o555, 0o333, 0o000], ids=["unwritable", "unreadable", "closed"])
def test_a_folder_this_user_may_not_use_is_a_configuration_error(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "outbox"
    (folder / "items").mkdir(parents=True)
    for path in [*list(tmp_path.parents)[:2], tmp_path]:
        path.chmod(0o755)
    folder.chmod(mode)

    ended = subprocess.run(
        [sys.executable, "-c", REFUSED, str(folder)],
        env={**os.environ, "PYTHONPATH": SOURCE},
        check=True,
        capture_output=True,
        text=True,
    )

    assert ended.stdout.splitlines() == [
        "78",
        f"Cannot write {folder}: permission denied.",
        "Give this user read and write access to it. "
        "Choose another folder: --output DIR, or output under [products].",
    ]
