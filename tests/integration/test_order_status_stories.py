"""Whatever happens on the way, in whatever order: the marketplace has each operation once, or a reason is on record.

A story is what people in the shop, the marketplace, the network and the power supply do around the runs. Told by
hypothesis, it keeps to what these can do. One thing nobody could find out is left out: an answer that is lost, of an
operation that neither a ticket nor the order's status shows for minutes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from brekzsync.bootstrap.order_status import status_rules
from brekzsync.demo.local_service import Fault, Reply
from brekzsync.demo.marketplace.answers import problem
from brekzsync.demo.marketplace.server import limited
from brekzsync.domain.marketplace import Notice, StatusTask, TaskStatus, Ticket
from brekzsync.domain.order_status import Operation, StatusReason
from brekzsync.errors import AccessDenied, Unavailable
from brekzsync.flows.order_status.ports import MarketplaceShop, OpenMarketplaceShop
from brekzsync.flows.order_status.run import StatusOutcome
from tests.marketplace_world import (
    CANCELED,
    DELIVERED,
    FEED,
    OTHER_STORE,
    PAID,
    PREPARED,
    REFUNDED,
    SHIPPED,
    MarketplaceWorld,
)
from tests.mortal import Life, mortal

QUICK = [Phase.explicit, Phase.generate]  # a story takes a while: making it shorter is a person's work
DELAY, TRACKING_WAIT = timedelta(minutes=5), timedelta(hours=24)
DONE_IN = {Operation.SHIP: "shipped", Operation.CANCEL: "cancelled", Operation.REFUND: "refunded"}
OVER = ("failed", "canceled")
ORDERS: dict[int, dict[str, Any]] = {
    101: {"channel": "Leroy Merlin"},
    102: {"channel": "Amazon"},  # takes no refunds
    103: {"channel": "Leroy Merlin", "feed_id": None},  # imported by the old module
    104: {"channel": "Cdiscount", "reference": "MP-101"},  # another channel's number may be the same
    105: {"channel": "Bol", "token": 2, "store": OTHER_STORE},
    106: {"channel": "Leroy Merlin", "token": 0},  # of which account, nobody could tell
}
NAMELESS = 106
UNKNOWN: Any = (None, frozenset(), None)
AMONG = {"some": (101, 104), "others": (102, 103, 105), "all": tuple(ORDERS)}


class Watched:
    """A run's client: its calls and their ends are steps, and what it sends is looked at."""

    def __init__(self, client: Any, story: Story) -> None:
        self._client, self._story = client, story

    def __getattr__(self, name: str) -> Any:
        called = getattr(self._client, name)

        def call(*arguments: Any) -> Any:
            self._story.life.step()
            result = called(*arguments)
            result = list(result) if isinstance(result, Iterator) else result
            self._story.life.step()
            return result

        return call if name != "close" else called

    def submit(self, store_id: int, operation: Operation, notices: Sequence[Notice]) -> Any:
        self._story.look_at(operation, notices)
        return self.__getattr__("submit")(store_id, operation, notices)

    def tickets(self, store_id: int, batch_id: str) -> list[Ticket]:
        """A batch may be listed late, and its tickets more than once."""
        found: list[Ticket] = self.__getattr__("tickets")(store_id, batch_id)
        if self._story.hidden > 0:
            self._story.hidden -= 1
            return []
        return found[::-1] + found if self._story.lists_twice else found


class Reading:
    """The shop; what it shows when it is opened is remembered."""

    def __init__(self, shop: MarketplaceShop, story: Story) -> None:
        self._shop, self._story = shop, story

    @contextmanager
    def open(self) -> Iterator[OpenMarketplaceShop]:
        with self._shop.open() as opened:
            opened.some([101])  # from here on it shows what was there now
            self._story.seen = dict(self._story.states), dict(self._story.numbers)
            yield opened


class Story:
    """A shop, a marketplace, and what happens to them; each method is something that happens."""

    def __init__(self, world: MarketplaceWorld) -> None:
        self.world = world
        self.life: Life = Life(None, lambda _step: None)
        self.rules = status_rules(world.settings)
        self.states = dict.fromkeys(ORDERS, PAID)
        self.since: dict[int, datetime] = {}  # an order asks for a shipment, as far as runs could see
        self.numbers = {id_order: f"3S{id_order}" for id_order in ORDERS}
        self.seen = dict(self.states), dict(self.numbers)  # when a run last looked
        self.meanwhile: tuple[int, int, int] | None = None
        self.ticketless: set[int] = set()
        self.is_mended = False
        self.hidden = 0
        self.lists_twice = False
        world.around_client = lambda client: Watched(client, self)  # type: ignore[assignment, return-value]
        world.adjust = lambda flow: replace(flow, shop=Reading(flow.shop, self))
        world.add_account(2)
        for id_order, values in ORDERS.items():
            world.add_order(id_order, PAID, tracking=self.numbers[id_order], **values)

    # --- runs ---------------------------------------------------------------------------------------------

    def cron(self, minutes: int, ends_at: int | None) -> None:
        self.wait(minutes)
        self.check_tickets(None)
        self.push(ends_at)

    def push(self, ends_at: int | None) -> None:
        planned = self.meanwhile
        if (
            self._run(self.world.push, ends_at) and self.meanwhile == planned
        ):  # nothing changed behind its back
            self._check_nothing_is_forgotten()

    def check_tickets(self, ends_at: int | None) -> None:
        self._run(self.world.check, ends_at)

    def _run(self, run: Callable[[], StatusOutcome], ends_at: int | None) -> bool:
        """Whether it came to its end."""
        is_whole = False
        with mortal(ends_at, self._happens) as life, suppress(Unavailable, AccessDenied):
            self.life = life
            run()
            is_whole = True
        self.check()
        return is_whole

    def _happens(self, step: int) -> None:
        """While a run is at work."""
        if self.meanwhile is not None and self.meanwhile[0] <= step:
            _, id_order, state = self.meanwhile
            self.meanwhile = None
            self.state(id_order, state)

    # --- the shop -----------------------------------------------------------------------------------------

    def state(self, id_order: int, state: int) -> None:
        if Operation.SHIP in self.rules.wanted(state):
            self.since.setdefault(id_order, self.world.now)
        self.states[id_order] = state
        self.world.set_state(id_order, state)

    def during(self, step: int, id_order: int, state: int) -> None:
        """The state changes in the midst of a run."""
        self.meanwhile = step, id_order, state

    def tracking(self, id_order: int, number: str) -> None:
        self.numbers[id_order] = number
        self.world.set_tracking(id_order, number)

    def mend(self) -> None:
        """Somebody says which account the order came through."""
        self.is_mended = True
        name = "UPDATE ps_shoppingfeed_order SET id_shoppingfeed_token = 1 WHERE id_order = :one"
        self.world.sql(name, one=NAMELESS)

    def wait(self, minutes: int) -> None:
        self.world.after(minutes=minutes)

    # --- the marketplace, the network, the mail -------------------------------------------------------------

    def fault(self, fault: Fault | Reply, method: str, times: int) -> None:
        self.world.server.plan(fault, method, "/v1/store", times)

    def behaves(self, how: str, whom: str) -> None:
        ids = [FEED + id_order for id_order in AMONG[whom]]
        words = dict.fromkeys(ids, "The marketplace says no.")
        match how:
            case "plainly":
                self.world.behave()
            case "slowly":
                self.world.behave(ticket_delay=600.0)
            case "late":
                self.hidden = 3
            case "without ids":
                self.world.behave(names_ids=False)
            case "without tickets":
                self.ticketless |= set(AMONG[whom])
                self.world.behave(without_ticket=ids)
            case "canceling":
                self.world.behave(canceling=ids)
            case _:  # failing, ignoring, refusing
                self.world.behave(**{how: words})

    def listing(self, twice: bool) -> None:
        self.lists_twice = twice

    def mail(self, works: bool) -> None:
        assert self.world.mailbox is not None
        self.world.mailbox.error = None if works else Unavailable("The mail server does not answer.")

    # --- what must hold -------------------------------------------------------------------------------------

    def look_at(self, operation: Operation, notices: Sequence[Notice]) -> None:
        """Of what is about to be sent, beside what the shop showed when the run looked last."""
        states, numbers = self.seen
        assert len(notices) <= 100
        for notice in notices:
            id_order = notice.id_order
            assert operation in self.rules.wanted(states[id_order]), "the order has left that state"
            if operation is Operation.SHIP:
                waited = self.world.now - self.since[id_order]
                assert waited >= DELAY, "a shipment goes after a while"
                assert notice.tracking.number == numbers[id_order], "an old tracking number"
                assert notice.tracking.number or waited >= DELAY + TRACKING_WAIT, "no tracking number"

    def check(self) -> None:
        """After every run."""
        taken = self.world.taken()
        counts = Counter((one.order - FEED, one.operation) for one in taken if one.state not in OVER)
        twice = {key for key, count in counts.items() if count > 1}
        # A delivery is shown by its ticket alone: where there never is one, it can but be repeated.
        twice -= {(id_order, Operation.DELIVER) for id_order in self.ticketless}
        assert twice == set(), "the marketplace was told twice"
        if not (self.world.folder / "state.db").exists():
            return
        did = {(one.order - FEED, one.operation) for one in taken if one.state == "succeed"}
        known = {(id_order, operation) for id_order, all_ in self.world.known().items() for operation in all_}
        assert known <= did, "acknowledged, and the marketplace did not do it"

    def _check_nothing_is_forgotten(self) -> None:
        """After a run that saw every order: what one asks for is known there, or there is a task and a reason."""
        records = self.world.records()
        for id_order, state in self.states.items():
            told, known, task = records.get(id_order, UNKNOWN)
            if set(self.rules.wanted(state)) - known:
                assert task is not None, (id_order, state)
                assert told is not None, (id_order, state)
                assert (told.status in ("pending", "failed"), bool(told.reason)) == (True, True), told

    def end_well(self) -> None:
        """Everything works again for long enough."""
        self.world.behave()
        self.hidden, self.lists_twice, self.meanwhile = 0, False, None
        self.mail(works=True)
        for _ in range(40):
            self.cron(25 * 60, None)
            tasks = self.world.tasks()
            if all(task.status is TaskStatus.DEAD or self._waits(task) for task in tasks.values()):
                break
        self.cron(25 * 60, None)
        self._check_all_told()

    def _check_all_told(self) -> None:
        records = self.world.records()
        for id_order, state in self.states.items():
            told, known, task = records.get(id_order, UNKNOWN)
            missing = set(self.rules.wanted(state)) - known
            if missing:
                assert task is not None, (id_order, state)
                assert told is not None, (id_order, state)
                assert task.operation in missing, task
                assert task.status is TaskStatus.DEAD or self._waits(task), task
                assert (told.status, told.reason, bool(told.message)) == ("failed", task.reason, True)
                assert task.is_told, "nobody was told that it is given up"
            else:
                assert task is None, "it is over"
                assert told is None or told.status not in ("pending", "failed"), told

    def _waits(self, task: StatusTask) -> bool:
        """For a person, with what nothing but a person could mend."""
        return (task.id_order, task.reason) == (NAMELESS, StatusReason.NO_ACCOUNT) and not self.is_mended


orders = st.sampled_from(list(ORDERS))
ends = st.one_of(st.none(), st.none(), st.integers(1, 60))
Event = tuple[Any, ...]


def event(name: str, *arguments: Any) -> Any:
    return st.tuples(st.just(name), *arguments)


states = st.sampled_from([SHIPPED, SHIPPED, DELIVERED, CANCELED, REFUNDED, PREPARED, PAID])
faults = st.one_of(
    event(
        "fault",
        st.sampled_from([Fault.DROP_BEFORE, Fault.DROP_AFTER, Fault.ERROR_BEFORE, Fault.ERROR_AFTER]),
        st.just("POST"),
        st.integers(1, 4),
    ),
    event(
        "fault",
        st.sampled_from(
            [Fault.BUSY, Fault.GARBLED_AFTER, problem(403), problem(400), limited(1.5), limited(90)]
        ),
        st.just("POST"),
        st.integers(1, 5),
    ),
    event(
        "fault",
        st.sampled_from([Fault.DROP_BEFORE, Fault.BUSY, limited(1.5), problem(403)]),
        st.just("GET"),
        st.integers(1, 5),
    ),
)
others = st.one_of(
    event("behaves", st.sampled_from(["plainly", "slowly", "late", "without ids"]), st.just("all")),
    event(
        "behaves",
        st.sampled_from(["without tickets", "canceling", "failing", "ignoring", "refusing"]),
        st.sampled_from(list(AMONG)),
    ),
    event("during", st.integers(1, 20), orders, states),
    event("during", st.integers(5, 14), orders, states),
    event("tracking", orders, st.sampled_from(["", "", "3S 2/É", "3S3"])),
    event("push", ends),
    event("check_tickets", ends),
    event("wait", st.sampled_from([2, 65, 400, 1500])),
    event("mend"),
    event("listing", st.booleans()),
    event("mail", st.booleans()),
)
CHAPTERS = st.tuples(
    st.lists(event("state", orders, states), min_size=1, max_size=4),
    st.lists(st.one_of(faults, others), max_size=2),
    st.lists(event("cron", st.sampled_from([1, 3, 6, 6, 30]), ends), min_size=1, max_size=3),
)
"""What changes in the shop, what goes wrong, and what cron does."""
Chapter = tuple[list[Event], list[Event], list[Event]]


def tell(chapters: list[Chapter], folder: Path) -> None:
    """Let it all happen, then let everything work again."""
    with MarketplaceWorld.embedded(folder) as world:
        story = Story(world)
        for name, *arguments in chain.from_iterable(chain.from_iterable(chapters)):
            getattr(story, name)(*arguments)
        story.end_well()


ANSWERS_LOST: list[Chapter] = [
    ([("state", 101, SHIPPED)], [], [("cron", 1, None)]),
    ([("state", 103, CANCELED)], [("fault", Fault.DROP_AFTER, "POST", 2)], [("cron", 6, None)] * 2),
]
STATES_LEFT: list[Chapter] = [
    ([("state", 101, SHIPPED), ("state", 104, CANCELED)], [("during", 7, 104, PAID)], [("cron", 6, None)]),
    ([("state", 101, PREPARED), ("state", 102, DELIVERED)], [], [("cron", 6, 21), ("cron", 6, 33)]),
]


@example(chapters=ANSWERS_LOST)
@example(chapters=STATES_LEFT)
@given(chapters=st.lists(CHAPTERS, min_size=2, max_size=5))
@settings(max_examples=int(os.environ.get("STORIES", "6")), phases=QUICK)
def test_the_marketplace_is_told_once_or_a_reason_is_on_record(
    tmp_path_factory: pytest.TempPathFactory, chapters: list[Chapter]
) -> None:
    tell(chapters, tmp_path_factory.mktemp("story"))


@pytest.mark.long
@given(chapters=st.lists(CHAPTERS, min_size=4, max_size=14))
@settings(max_examples=150, phases=QUICK)
def test_long_stories_end_as_well(tmp_path_factory: pytest.TempPathFactory, chapters: list[Chapter]) -> None:
    tell(chapters, tmp_path_factory.mktemp("story"))
