"""A whole run over small fakes: the lock is verified before every write, and what was delivered stays so."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from brekzsync.domain.exclusions import Exclusions
from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey, WantedId, format_key
from brekzsync.domain.products import ItemMapper
from brekzsync.errors import InvalidInput, LockHeld, PermanentError, Unavailable
from brekzsync.flows.products import export as product_export
from brekzsync.flows.products.run import ExportOutcome, ExportRequest, ItemMapping, ProductRun
from brekzsync.prestashop.images import NoImages
from brekzsync.state.runs import RunHandle
from tests.catalogues import RULES, Memory, Shop, combination

NOW = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)  # the next day in the shop


@dataclass
class Around:
    """Lock, runs, shop and outbox in one; ``log`` tells the order in which things happened."""

    source: Shop
    ledger: Memory = field(default_factory=Memory)
    log: list[str] = field(default_factory=list)
    lost_after: int = 1000
    full_after: int = 1000
    is_held: bool = False
    recorded: dict[str, Any] = field(default_factory=dict)
    yesterdays: set[date] = field(default_factory=set)

    time_zone = ZoneInfo("Europe/Amsterdam")
    directory = Path("outbox")

    # the lock and the runs

    @contextmanager
    def hold(self, flow: str, target: str) -> Iterator[Around]:
        if self.is_held:
            raise LockHeld("Another run is at work.")
        yield self

    def verify(self) -> None:
        if self.lost_after == 0:
            raise Unavailable("The lock was lost.", code="lock_lost")
        self.lost_after -= 1
        self.log.append("verified")

    def open(self, flow: str, target: str, command: str, at: datetime) -> RunHandle:
        self.log.append(f"{flow} → {target}: {command}")
        return RunHandle(1, "run")

    def mark_dead(self, flow: str, target: str, at: datetime) -> int:
        return 0

    def had_baseline(self, flow: str, target: str) -> bool:
        return False

    def finish(self, handle: RunHandle, status: str, **found: Any) -> None:
        self.recorded = {"status": status, **found}

    # the shop

    def catalogue(self, salt: bytes) -> Shop:
        return self.source

    def size(self) -> int:
        return len(self.source.combinations)

    def keys_of(self, wanted: Sequence[WantedId]) -> tuple[set[ProductKey], list[WantedId]]:
        keys = {record.key for record in self.source.stream()}
        found = {key for key in keys for one in wanted if key[0] == one.id_product}
        return found, [one for one in wanted if one.id_product not in {key[0] for key in keys}]

    def keys_by(self, by: str, values: Sequence[str]) -> tuple[set[ProductKey], list[str]]:
        return set(), list(values)

    # the outbox

    def prepare(self) -> None:
        self.log.append("prepared")

    def shown_bulk(self) -> list[Path]:
        return []

    def write_items(self, batch: Sequence[tuple[ProductKey, bytes]]) -> None:
        if self.full_after == 0:
            raise PermanentError("No space left.")
        self.full_after -= 1
        self.log.append("wrote " + " ".join(format_key(key) for key, _ in batch))

    def unread_document(self, key: ProductKey) -> None:
        """Nobody leaves anything unread here."""

    def withdraw(self, keys: Collection[ProductKey]) -> int:
        self.log.append("withdrew " + " ".join(map(format_key, keys)))
        return len(keys)

    def write_index(self, now: datetime) -> int:
        self.log.append("indexed")
        return 7

    def document(
        self,
        item: Item,
        previous: Item | None,
        yesterday: date,
        image_data: bytes | None = None,
        unread: Any = None,
    ) -> bytes:
        self.yesterdays.add(yesterday)
        return item.code.encode()

    # the run

    def execute(self, **request: Any) -> ExportOutcome:
        """Run; what the ledger was told joins the log."""
        around = self

        class Logged(Memory):
            def _note(self, what: str, batch: Sequence[Any]) -> None:
                around.log.append(f"{what} " + " ".join(format_key(one[:2]) for one in batch))

        ledger = Logged(self.ledger.by_key)
        anything: Any = self
        run = ProductRun(
            target="exact",
            clock=lambda: NOW,
            locks=anything,
            runs=anything,
            ledger=ledger,
            served=anything,
            exclusions=Exclusions,
            open_shop=lambda _now: nullcontext(anything),
            mapping=lambda _shop: ItemMapping(ItemMapper(RULES), RULES.code, anything, b"layout", b"salt"),
            outbox=anything,
            write_index=self.write_index,
            bulk_writer=lambda *_order: pytest.fail("no bulk"),
            staged_batches=lambda _path: iter(()),
            images=NoImages(),
            lease=None,
            held_codes=None,
            bundle_components_too=False,
            read_back=lambda _now: 0,
        )
        return run.execute(ExportRequest(**request), lambda _total: nullcontext(lambda _count: None))


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_export, "BATCH", 2)


@pytest.fixture
def around() -> Around:
    return Around(Shop([combination((number, 0)) for number in range(1, 6)]))


def test_each_batch_is_put_in_doubt_then_written_then_acknowledged(around: Around) -> None:
    outcome = around.execute()
    assert around.log == [
        "product → exact: products export",
        "prepared",
        *("verified", "acknowledge 1-0 2-0", "wrote 1-0 2-0", "verified", "acknowledge 1-0 2-0"),
        *("verified", "acknowledge 3-0 4-0", "wrote 3-0 4-0", "verified", "acknowledge 3-0 4-0"),
        *("verified", "acknowledge 5-0", "wrote 5-0", "verified", "acknowledge 5-0"),
        "indexed",
    ]
    assert (outcome.tally.delivered, outcome.baselined, outcome.indexed) == (5, 0, 7)
    assert around.recorded == {
        "status": "done",
        "at": NOW,
        "counts": outcome.tally.counts(),
        "reasons": {},
        "output": "outbox",
        "failures": None,
        "error_code": None,
        "error_message": None,
    }


def test_yesterday_is_that_of_the_shop(around: Around) -> None:
    around.execute()
    assert around.yesterdays == {date(2026, 11, 21)}


def test_a_lost_lock_stops_the_run_before_it_acknowledges_more(around: Around) -> None:
    around.lost_after = 3
    with pytest.raises(Unavailable) as lost:
        around.execute()
    assert lost.value.code == "lock_lost"
    assert around.log[2:] == [
        *("verified", "acknowledge 1-0 2-0", "wrote 1-0 2-0", "verified", "acknowledge 1-0 2-0"),
        *("verified", "acknowledge 3-0 4-0", "wrote 3-0 4-0", "indexed"),
    ]
    assert (around.recorded["status"], around.recorded["error_code"]) == ("failed", "lock_lost")
    assert around.recorded["counts"]["delivered"] == 2


def test_a_lost_lock_also_stops_it_before_it_notes_failures_and_clears_anything(around: Around) -> None:
    around.execute()
    around.log.clear()
    around.source.remove((1, 0))
    around.source.change((2, 0), reference="")
    around.lost_after = 0
    with pytest.raises(Unavailable):
        around.execute()
    assert around.log[2:] == ["indexed"]


def test_the_unread_file_goes_before_the_acknowledgement_it_belongs_to(around: Around) -> None:
    around.execute()
    around.log.clear()
    around.source.remove((1, 0))
    around.execute()
    assert around.log[2:] == ["verified", "acknowledge 1-0", "withdrew 1-0", "clear 1-0", "indexed"]


def test_a_full_disk_keeps_what_went_before_and_the_next_run_finishes(around: Around) -> None:
    around.full_after = 1
    with pytest.raises(PermanentError):
        around.execute()
    assert around.log[2:] == [
        *("verified", "acknowledge 1-0 2-0", "wrote 1-0 2-0", "verified", "acknowledge 1-0 2-0"),
        *("verified", "acknowledge 3-0 4-0", "indexed"),
    ]
    around.full_after, around.log = 1000, []
    assert around.execute().tally.delivered == 3


def test_while_the_lock_is_held_nothing_is_touched(around: Around) -> None:
    around.is_held = True
    with pytest.raises(LockHeld):
        around.execute()
    assert (around.log, around.recorded) == ([], {})


@pytest.mark.parametrize("request_", [{}, {"full": True}, {"ids": ("3",)}, {"baseline": True}, {"limit": 1}])
def test_a_dry_run_takes_no_lock_records_no_run_and_writes_nothing(
    around: Around, request_: dict[str, Any]
) -> None:
    around.is_held = True
    around.source.change((2, 0), reference="")
    preview = around.execute(dry_run=True, **request_)
    assert (around.log, around.recorded, around.ledger.by_key, preview.indexed) == ([], {}, {}, None)
    around.is_held = False
    done = around.execute(**request_)
    assert (preview.tally.counts(), preview.tally.all_reasons()) == (
        done.tally.counts(),
        done.tally.all_reasons(),
    )


def test_a_baseline_acknowledges_and_neither_writes_nor_lists_documents(around: Around) -> None:
    outcome = around.execute(baseline=True)
    assert around.log == [
        "product → exact: products export --baseline",
        *(
            "verified",
            "acknowledge 1-0 2-0",
            "verified",
            "acknowledge 3-0 4-0",
            "verified",
            "acknowledge 5-0",
        ),
    ]
    assert (outcome.baselined, outcome.tally.delivered, outcome.indexed) == (5, 0, None)


@pytest.mark.parametrize(
    ("ids", "by", "code", "named"),
    [
        (("99",), None, "unknown_id", "with id 99; nothing was exported"),
        (("98-1", "3", "99"), None, "unknown_id", "with ids 98-1, 99; nothing"),
        (("x",), None, "malformed_id", "'x' is not an id"),
        (("TAS",), "reference", "unknown_id", "with reference TAS;"),
    ],
)
def test_an_id_that_means_nothing_stops_it_before_anything_is_written(
    around: Around, ids: tuple[str, ...], by: Any, code: str, named: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        around.execute(ids=ids, by=by)
    assert (refused.value.code, refused.value.exit_code) == (code, 2)
    assert named in refused.value.message
    assert [line for line in around.log if line.startswith(("wrote", "acknowledge"))] == []
    assert around.ledger.by_key == {}


def test_the_command_is_recorded_with_what_it_was_asked(around: Around) -> None:
    around.execute(full=True, ids=("3",))
    assert around.log[0] == "product → exact: products export --full ID..."
