"""Webhooks are processed: which items are compared, what becomes of every delivery, whatever goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Event
from time import monotonic

import pytest

from brekzsync.domain.call_budget import Later
from brekzsync.domain.inbox_records import Meaning
from brekzsync.errors import (
    AccessDenied,
    BrekzsyncError,
    ConfigurationError,
    GuardStopped,
    LockHeld,
    PermanentError,
    Unavailable,
)
from brekzsync.flows.inbox.meanings import ExactKeys, ItemCodes
from brekzsync.flows.inbox.outcome import Failure, InboxOutcome, InboxRequest, InboxRules
from brekzsync.flows.inbox.ports import Compared, Meanings, Waiting
from brekzsync.flows.inbox.process import MANY, InboxProcess, worst_of
from brekzsync.state.inbox import Inbox, NewDelivery, open_inbox
from brekzsync.state.inbox_answers import InboxAnswers

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = "8C6C4CF4-6EA7-4D9B-9E2C-3C3F6D1B7C11"
MINUTE = timedelta(minutes=1)


@dataclass
class Stock:
    """Compares as it is told, and remembers what it was asked."""

    failed: dict[str, str] = field(default_factory=dict)
    poison: set[str] = field(default_factory=set)
    error: BrekzsyncError | None = None
    guard: bool = False
    swept_at: datetime | None = None
    not_written: int = 0
    meanwhile: Callable[[], object] = lambda: None
    updates: list[list[str]] = field(default_factory=list)
    sweeps: int = 0
    now: Callable[[], datetime] = lambda: NOON

    def update(self, codes: Sequence[str], *, dry_run: bool) -> Compared:
        if self.error:
            raise self.error
        if self.poison & set(codes):
            raise PermanentError("No statement can be made of it.")
        self.updates.append([*codes, *(["(dry)"] if dry_run else [])])
        self.meanwhile()
        failed = {code: why for code, why in self.failed.items() if code in codes}
        return Compared(failed, {"not_in_erp": 1} if "NOWHERE" in codes else {})

    def sweep(self) -> int:
        self.swept_at = self.now()
        if self.guard:
            raise GuardStopped("Too much would change.")
        self.meanwhile()
        self.sweeps += 1
        return self.not_written

    def last_sweep(self) -> datetime | None:
        return self.swept_at

    @property
    def compared(self) -> list[str]:
        """Every code, in the order it was compared."""
        return [code for codes in self.updates for code in codes]


@dataclass
class Online:
    """Exact Online's REST: knows items by their keys, or raises."""

    items: dict[str, str] = field(default_factory=dict)
    error: Exception | None = None
    division: int = 123456
    asked: list[str] = field(default_factory=list)

    def can_tell(self, topic: str) -> bool:
        return topic == "StockPositions"

    def item_code(self, topic: str, key: str) -> str | None:
        self.asked.append(key)
        if self.error:
            raise self.error
        return self.items.get(key)


@dataclass
class Desk:
    """An inbox, what came into it, and runs over it."""

    inbox: Inbox
    stock: Stock
    now: datetime = NOON
    online: Online | None = None
    meanings: dict[str, Meanings] = field(default_factory=dict)
    came: int = 0

    def come(
        self, source: str, *records: str, topic: str = "stock", division: int = 123456, times: int = 1
    ) -> None:
        body = json.dumps({"Content": {"Topic": topic, "Division": division}})
        deliveries = []
        for record in records * times:
            self.came += 1
            deliveries.append(NewDelivery(source, f"msg_{self.came}", self.now, topic, record, body))
        self.inbox.store(deliveries)

    def run(self, **asked: object) -> InboxOutcome:
        outcome = InboxOutcome()
        self.into(outcome, **asked)
        return outcome

    def into(self, outcome: InboxOutcome, **asked: object) -> None:
        process = InboxProcess(
            inbox=self.inbox,
            answers=InboxAnswers(self.inbox.database),
            stock=self.stock,
            meanings=self._meanings_of,
            rules=InboxRules(attempts=3, compare_all_every=30 * MINUTE),
            clock=lambda: self.now,
        )
        process.run(InboxRequest(**asked), outcome)  # type: ignore[arg-type]

    def _meanings_of(self, source: str) -> Meanings:
        if source in self.meanings:
            return self.meanings[source]
        return ExactKeys(self.inbox, self.online, lambda: self.now) if source == "exact" else ItemCodes()

    def standing(self) -> dict[str, list[str]]:
        """Of each status the records of the deliveries that have it, the first first."""
        found: dict[str, list[str]] = {}
        for one in reversed(self.inbox.list(limit=10_000)):
            found.setdefault(one.status, []).append(one.record)
        return found


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    inbox = open_inbox(database_url)
    assert inbox is not None
    stock = Stock()
    with inbox:
        made = Desk(inbox, stock)
        stock.now = lambda: made.now
        yield made


# --- what is compared -------------------------------------------------------------------------------------


def test_an_inbox_in_which_nothing_waits_makes_nobody_work(desk: Desk) -> None:
    outcome = desk.run()

    assert (outcome.counts()["read"], desk.stock.updates, desk.stock.sweeps) == (0, [], 0)


def test_ten_thousand_webhooks_for_one_item_are_one_job(desk: Desk) -> None:
    desk.come("warehouse", "DOG-1", times=10_000)

    outcome = desk.run()

    assert desk.stock.updates == [["DOG-1"]]
    assert (outcome.total("deliveries"), outcome.total("records"), outcome.total("done")) == (10_000, 1, 1)
    assert desk.inbox.count("done") == {"warehouse": 10_000}


def test_an_item_of_several_sources_is_compared_once(desk: Desk) -> None:
    desk.come("warehouse", "DOG-1", "CAT-1")
    desk.come("till", "dog-1 ")
    desk.come("exact", "DOG-1")

    outcome = desk.run()

    assert sorted(desk.stock.compared) == ["CAT-1", "DOG-1"]
    assert {one.source: one.done for one in outcome.sources.values()} == {
        "exact": 1,
        "till": 1,
        "warehouse": 2,
    }
    assert set(desk.standing()) == {"done"}


def test_items_are_compared_in_pages_of_five_hundred(desk: Desk) -> None:
    codes = [f"ITEM-{number:04}" for number in range(1_234)]
    desk.come("warehouse", *codes)

    desk.run()

    assert sorted(desk.stock.compared) == codes
    assert max(len(page) for page in desk.stock.updates) == 500
    assert desk.inbox.count("done") == {"warehouse": 1_234}


def test_what_comes_while_its_record_is_processed_is_processed_again(desk: Desk) -> None:
    desk.come("warehouse", "DOG-1")
    desk.stock.meanwhile = lambda: desk.come("warehouse", "DOG-1")

    desk.run()

    assert desk.standing() == {"done": ["DOG-1"], "new": ["DOG-1"]}
    desk.stock.meanwhile = lambda: None
    desk.run()
    assert desk.standing() == {"done": ["DOG-1", "DOG-1"]}
    assert desk.stock.updates == [["DOG-1"], ["DOG-1"]]


def test_a_code_that_nobody_knows_is_done_and_said(desk: Desk) -> None:
    desk.come("warehouse", "NOWHERE")

    outcome = desk.run()

    assert desk.standing() == {"done": ["NOWHERE"]}
    assert outcome.reasons() == {"not_in_erp": 1}


def test_a_limit_holds_over_all_sources_and_the_rest_waits(desk: Desk) -> None:
    desk.come("till", "A", "B")
    desk.come("warehouse", "C", "D")

    outcome = desk.run(limit=3)

    assert outcome.total("records") == len(desk.stock.compared) == 3
    assert len(desk.standing()["new"]) == 1


def test_a_dry_run_compares_and_writes_nothing(desk: Desk) -> None:
    desk.come("warehouse", "DOG-1", "BAD-1", "")
    desk.stock.failed = {"BAD-1": "No."}

    outcome = desk.run(dry_run=True)

    assert desk.stock.updates == [["BAD-1", "DOG-1", "(dry)"]]
    assert (desk.stock.sweeps, outcome.compared_all) == (0, True)
    assert (outcome.total("done"), outcome.total("failed")) == (2, 1)
    assert desk.standing() == {"new": ["DOG-1", "BAD-1", ""]}
    assert [one.attempts for one in desk.inbox.list()] == [0, 0, 0]


# --- sources beside one another ---------------------------------------------------------------------------


@dataclass
class Slow:
    """A source whose records take until another source is done."""

    until: Event

    def of(self, waiting: Waiting) -> Meaning:
        assert self.until.wait(20)
        return Meaning(waiting.record)


def test_a_slow_source_keeps_no_other_waiting(desk: Desk) -> None:
    is_done = Event()
    desk.meanings["slow"] = Slow(is_done)
    desk.come("slow", "A")
    desk.come("quick", *(f"ITEM-{number}" for number in range(500)))
    desk.stock.meanwhile = is_done.set

    began = monotonic()
    desk.run()

    assert monotonic() - began < 15
    assert [len(page) for page in desk.stock.updates] == [500, 1]


def test_what_breaks_in_one_source_is_told_and_the_other_threads_end(desk: Desk) -> None:
    class Broken:
        def of(self, waiting: Waiting) -> Meaning:
            raise ZeroDivisionError

    desk.meanings["broken"] = Broken()
    desk.come("broken", "A")
    desk.come("quick", *(f"ITEM-{number}" for number in range(3_000)))

    with pytest.raises(ZeroDivisionError):
        desk.run()


# --- failures ---------------------------------------------------------------------------------------------


def test_a_record_that_fails_is_tried_again_after_growing_delays_and_is_dead_in_the_end(desk: Desk) -> None:
    desk.come("warehouse", "BAD-1", "DOG-1")
    desk.stock.failed = {"BAD-1": "The shop refused it."}

    first = desk.run()
    assert first.failures == [Failure("warehouse", "BAD-1", "The shop refused it.", NOON + MINUTE)]
    assert desk.run().total("records") == 0, "not before its time"
    desk.now = NOON + MINUTE
    assert desk.run().failures[0].again_at == desk.now + 5 * MINUTE
    desk.now += 5 * MINUTE
    last = desk.run()

    assert last.failures == [Failure("warehouse", "BAD-1", "The shop refused it.", None)]
    assert (last.total("dead"), last.counts()["failed"]) == (1, 1)
    assert desk.standing() == {"dead": ["BAD-1"], "done": ["DOG-1"]}
    dead = desk.inbox.list("dead")[0]
    assert (dead.attempts, dead.error) == (3, "The shop refused it.")
    desk.now += timedelta(days=2)
    assert desk.run().total("records") == 0


def test_what_is_replayed_is_tried_as_if_it_had_just_come(desk: Desk) -> None:
    desk.come("warehouse", "BAD-1")
    desk.stock.failed = {"BAD-1": "No."}
    for minutes in (0, 1, 10):
        desk.now = NOON + minutes * MINUTE
        desk.run()
    desk.inbox.replay(dead=True)
    desk.stock.failed = {}

    desk.run()

    assert desk.standing() == {"done": ["BAD-1"]}


def test_one_item_that_cannot_be_compared_at_all_is_found_among_the_others(desk: Desk) -> None:
    desk.come("warehouse", "A", "B", "POISON", "C", "D")
    desk.stock.poison = {"POISON"}

    outcome = desk.run()

    assert desk.standing() == {"done": ["A", "B", "C", "D"], "new": ["POISON"]}
    assert outcome.failures[0].message == "No statement can be made of it."


@pytest.mark.parametrize(
    "error",
    [LockHeld("A sweep."), Unavailable("The shop is away."), AccessDenied("No."), ConfigurationError("No.")],
)
def test_what_is_not_the_fault_of_a_record_costs_it_no_attempt(desk: Desk, error: BrekzsyncError) -> None:
    desk.come("warehouse", "A", "B")
    desk.stock.error = error

    with pytest.raises(type(error)):
        desk.run()

    assert [(one.status, one.attempts, one.next_attempt_at) for one in desk.inbox.list()] == [
        ("new", 0, None),
        ("new", 0, None),
    ]
    desk.stock.error = None
    desk.run()
    assert set(desk.standing()) == {"done"}


def test_a_run_that_breaks_off_tells_what_it_did(desk: Desk) -> None:
    desk.come("warehouse", *(f"ITEM-{number:04}" for number in range(600)))

    def break_off() -> None:
        desk.stock.error = Unavailable("The shop is away.")

    desk.stock.meanwhile = break_off
    outcome = InboxOutcome()

    with pytest.raises(Unavailable):
        desk.into(outcome)

    assert (outcome.total("done"), desk.inbox.count("done"), desk.inbox.count("new")) == (
        500,
        {"warehouse": 500},
        {"warehouse": 100},
    )


# --- Exact Online -----------------------------------------------------------------------------------------


def test_a_key_is_asked_for_its_item(desk: Desk) -> None:
    desk.online = Online({KEY: "dog-1"})
    desk.come("exact", KEY, topic="StockPositions", times=3)
    desk.come("exact", "CAT-1", topic="StockPositions")

    desk.run()

    assert sorted(desk.stock.compared) == ["CAT-1", "DOG-1"]
    assert desk.online.asked == [KEY]
    assert set(desk.standing()) == {"done"}


def test_what_has_nothing_to_do_with_stock_is_done_without_a_question(desk: Desk) -> None:
    desk.online = Online()
    desk.come("exact", KEY, topic="Accounts")

    outcome = desk.run()

    assert (desk.online.asked, desk.stock.updates, desk.stock.sweeps) == ([], [], 0)
    assert desk.standing() == {"done": [KEY]}
    assert (outcome.counts()["skipped"], outcome.reasons()) == (1, {"not_about_stock": 1})


@pytest.mark.parametrize(
    ("online", "topic", "division"),
    [
        (None, "StockPositions", 123456),
        (Online(), "StockPositions", 123456),
        (Online({KEY: "X"}), "GoodsDeliveries", 123456),
        (Online({KEY: "X"}), "StockPositions", 999),
        (Online(error=AccessDenied("The token ran out.")), "StockPositions", 123456),
        (Online(error=PermanentError("HTTP 400.")), "StockPositions", 123456),
        (Online(error=Later("Tomorrow", NOON + timedelta(hours=9))), "StockPositions", 123456),
    ],
    ids=[
        "not configured",
        "gone",
        "another topic",
        "another division",
        "refused",
        "not understood",
        "tomorrow",
    ],
)
def test_a_key_nobody_can_tell_is_answered_by_comparing_everything(
    desk: Desk, online: Online | None, topic: str, division: int
) -> None:
    desk.online = online
    desk.come("exact", KEY, topic=topic, division=division, times=2)

    outcome = desk.run()

    assert (desk.stock.updates, desk.stock.sweeps, outcome.compared_all) == ([], 1, True)
    assert desk.standing() == {"done": [KEY, KEY]}
    assert (outcome.total("done"), outcome.total("left")) == (1, 0)
    wrong = online.error if online and isinstance(online.error, BrekzsyncError) else None
    assert outcome.troubles == ([wrong] if wrong else [])


def test_limits_leave_the_rest_for_the_next_run_and_are_asked_about_once(desk: Desk) -> None:
    desk.online = Online(error=Later("Exact Online may be asked again at 12:01 UTC", NOON + MINUTE))
    desk.come("exact", *(KEY[:-1] + digit for digit in "ABCDEF"), topic="StockPositions")

    outcome = desk.run()

    assert len(desk.online.asked) == 1
    assert (outcome.total("left"), desk.stock.sweeps, outcome.troubles) == (6, 0, [])
    assert outcome.of("exact").later == "Exact Online may be asked again at 12:01 UTC"
    assert len(desk.standing()["new"]) == 6


def test_more_keys_than_can_be_asked_about_soon_are_answered_by_comparing_everything(desk: Desk) -> None:
    desk.online = Online(error=Later("Exact Online may be asked again at 12:01 UTC", NOON + MINUTE))
    keys = [f"{number:08x}-0000-0000-0000-000000000000" for number in range(MANY + 1)]
    desk.come("exact", *keys, topic="StockPositions")

    desk.run()

    assert (desk.stock.sweeps, desk.inbox.count("done")) == (1, {"exact": MANY + 1})


def test_an_api_that_is_away_leaves_its_records_and_keeps_no_other_source_back(desk: Desk) -> None:
    desk.online = Online(error=Unavailable("HTTP 503."))
    desk.come("exact", KEY, "A" + KEY[1:], topic="StockPositions")
    desk.come("warehouse", "DOG-1")

    outcome = desk.run()

    assert desk.stock.compared == ["DOG-1"]
    assert len(desk.online.asked) == 1, "every question it does not answer counts against the app"
    assert sorted(desk.standing()["new"]) == sorted([KEY, "A" + KEY[1:]])
    assert worst_of(outcome.troubles) is desk.online.error


# --- comparing everything ---------------------------------------------------------------------------------


def test_all_that_tells_no_item_becomes_one_comparison_of_everything(desk: Desk) -> None:
    desk.come("warehouse", "", times=50)
    desk.come("till", "")
    desk.come("exact", KEY, "A" + KEY[1:], topic="StockPositions")

    outcome = desk.run()

    assert desk.stock.sweeps == 1
    assert (outcome.total("records"), outcome.total("done")) == (4, 4)
    assert set(desk.standing()) == {"done"}


def test_everything_is_compared_no_more_often_than_configured(desk: Desk) -> None:
    desk.stock.swept_at = NOON - 10 * MINUTE
    desk.come("warehouse", "")

    outcome = desk.run()
    assert (desk.stock.sweeps, outcome.total("left")) == (0, 1)
    assert outcome.all_waits_until == NOON + 20 * MINUTE
    assert [one.attempts for one in desk.inbox.list("new")] == [0]

    desk.now = NOON + 20 * MINUTE
    assert desk.run().compared_all
    assert (desk.stock.sweeps, desk.standing()) == (1, {"done": [""]})


def test_what_comes_while_everything_is_compared_waits_for_the_next_time(desk: Desk) -> None:
    desk.come("warehouse", "")
    desk.stock.meanwhile = lambda: desk.come("warehouse", "")

    desk.run()

    assert desk.standing() == {"done": [""], "new": [""]}


def test_a_guard_that_stops_leaves_everything_as_it_was_and_says_so(desk: Desk) -> None:
    desk.come("warehouse", "", "DOG-1")
    desk.stock.guard = True

    outcome = desk.run()

    assert desk.standing() == {"new": [""], "done": ["DOG-1"]}
    assert isinstance(worst_of(outcome.troubles), GuardStopped)
    assert (outcome.compared_all, outcome.total("left")) == (False, 1)
    assert [one.attempts for one in desk.inbox.list("new")] == [0]
    desk.now += 5 * MINUTE
    assert desk.run().troubles == [], "it is not tried every five minutes"


def test_figures_that_could_not_be_written_are_counted(desk: Desk) -> None:
    desk.come("warehouse", "")
    desk.stock.not_written = 3

    assert desk.run().reasons() == {"figures_not_written": 3}


# --- floods -----------------------------------------------------------------------------------------------


def shed(desk: Desk, source: str = "till", *, closed: bool = True) -> None:
    """A source was told to wait five minutes ago, and until a minute ago."""
    marks = desk.inbox.marks
    marks.open(source, "rate", desk.now - 5 * MINUTE)
    if closed:
        marks.begin_to_close(marks.under_way()[0].id, desk.now - 2 * MINUTE)
        marks.close(desk.now - MINUTE, desk.now - MINUTE)


def test_after_a_flood_everything_is_compared_once(desk: Desk) -> None:
    shed(desk)
    desk.stock.swept_at = desk.now - 3 * MINUTE  # while it was closed to the source: it proves nothing

    outcome = desk.run()

    assert (desk.stock.sweeps, outcome.sheds_compared, list(desk.inbox.sheds())) == (1, 1, [])
    desk.now += timedelta(hours=2)
    desk.run()
    assert desk.stock.sweeps == 1


def test_a_flood_that_goes_on_is_waited_for(desk: Desk) -> None:
    shed(desk, closed=False)

    outcome = desk.run()

    assert (desk.stock.sweeps, outcome.sheds_open, len(desk.inbox.sheds())) == (0, 1, 1)


def test_a_flood_that_a_guard_keeps_from_being_settled_stays_and_is_tried_again_later(desk: Desk) -> None:
    shed(desk)
    desk.stock.guard = True

    outcome = desk.run()

    assert (outcome.sheds_waiting, len(desk.inbox.sheds())) == (1, 1)
    assert isinstance(outcome.trouble, GuardStopped)
    desk.stock.guard = False
    desk.now += 5 * MINUTE
    assert desk.run().sheds_waiting == 1, "not every five minutes"
    desk.now += 25 * MINUTE
    assert desk.run().sheds_compared == 1
