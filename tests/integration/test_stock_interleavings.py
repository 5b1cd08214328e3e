"""Whatever happens between two steps of a repair: it never shows more than is free, and the next sweep finds the rest.

Many items go through one run, each with a story of its own and in each possible distribution over the run's steps,
since items do not know of each other. What is free comes from ``tests/stock_world.py``, which asks neither system.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import chain, combinations, combinations_with_replacement, groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brekzsync.bootstrap.state import state_of
from brekzsync.bootstrap.stock import stock_flow
from brekzsync.demo.local_service import Asked
from brekzsync.demo.webservice.server import DemoWebservice
from brekzsync.domain.shop_stock import Written
from brekzsync.flows.stock.run import StockFlow, StockRequest
from brekzsync.settings import load_settings
from tests.exports import NOW
from tests.stock_runs import Stock
from tests.stock_steps import watched
from tests.stock_world import Key, Sale, World, code_of

LYING = 10
PAGE = ["open", "stock_items", "present", "open_sales", "on_hand", "write"]
GAPS = len(PAGE) + 1  # before each of them, and after the last
EVERYTHING = StockRequest(max_change=Decimal(1))
Step = Callable[[], object]


# --- stories ------------------------------------------------------------------------------------------------


class Story(NamedTuple):
    """What happens to one item, in this order; ``before`` lies back already when the run begins."""

    world: World
    key: Key
    steps: Sequence[Step]


class Tale:
    """Builds the steps of one item's story; orders are named by their place."""

    def __init__(self, world: World, key: Key) -> None:
        self.world = world
        self.key = key
        self.orders: dict[str, Sale] = {}
        self._at_work: dict[str, Iterator[Any]] = {}

    def step(self, word: str) -> Step:
        """``X.drop``: the step of this name of order X."""
        name, _, what = word.partition(".")
        return lambda: getattr(self, f"_{what}")(name)

    def happened(self, words: str) -> None:
        """What is past when the run begins."""
        for word in words.split():
            self.step(word)()

    # The steps of a sale: the order, the quantity that drops, the line, the state.

    def _order(self, name: str) -> None:
        self._at_work[name] = self.world.selling({self.key: 1})
        self.orders[name] = next(self._at_work[name])

    def _next(self, name: str) -> None:
        next(self._at_work[name])

    _drop = _line = _state = _next

    def _sold(self, name: str) -> None:
        self.orders[name] = self.world.sell({self.key: 1})

    def _paid(self, name: str) -> None:
        self.world.pay(self.orders[name])

    def _restock(self, name: str) -> None:
        self._at_work[name] = self.world.canceling(self.orders[name])
        next(self._at_work[name])

    _dead = _next

    def _canceled(self, name: str) -> None:
        self.world.cancel(self.orders[name])

    def _entered(self, name: str) -> None:
        self.world.enter(self.orders[name])

    def _delivered(self, name: str) -> None:
        self.world.deliver(self.orders[name])

    def _archived(self, name: str) -> None:
        self.world.archive(self.orders[name])

    def _back(self, name: str) -> None:
        self.world.receive(code_of(self.key), 1)

    def _reinjected(self, name: str) -> None:
        self.world.reinject(self.key, 1)


WHOLE_SALE = "X.order X.drop X.line X.state"
CANCELED = "X.restock X.dead"
STORIES = {
    "an order on its way": ("", "X.sold X.paid X.entered X.delivered"),
    "an order canceled at once": ("", "X.sold X.restock X.dead"),
    "an order canceled on its way to the ERP": ("", "X.sold X.canceled X.entered"),
    "an order canceled when the ERP has it": ("", "X.sold X.entered X.restock X.dead"),
    "a sale, step by step": ("", WHOLE_SALE),
    "a known order goes on": ("X.sold", "X.entered X.delivered X.archived"),
    "an order the ERP has is canceled, another one comes": ("X.sold X.entered", "X.restock X.dead Y.sold"),
    "one goes before another one comes": ("X.sold", "X.restock X.dead Y.sold"),
    "one comes before another one goes": ("X.sold", "Y.sold X.restock X.dead"),
    "one comes while another one goes": ("X.sold", "X.restock Y.sold X.dead"),
}
RETURNS = {
    "goods come back and are sold again": (
        "X.sold X.entered X.delivered",
        "X.back X.reinjected Y.sold",
    ),
    "goods are sold, others come back": ("X.sold X.entered X.delivered", "X.back Y.sold X.reinjected"),
}
LONG_STORIES = {
    "all of an order": ("", f"{WHOLE_SALE} X.paid X.entered X.delivered"),
    "all of a canceled order": ("", f"{WHOLE_SALE} {CANCELED}"),
    "all of an order canceled on its way": ("", f"{WHOLE_SALE} {CANCELED} X.entered"),
    "all of an order canceled in the ERP": ("", f"{WHOLE_SALE} X.entered {CANCELED}"),
}


def merged(one: str, other: str) -> Iterator[str]:
    """Every order in which two can go on beside each other."""
    first, second = one.split(), other.split()
    length = len(first) + len(second)
    for places in combinations(range(length), len(first)):
        mine, theirs = iter(first), iter(second)
        yield " ".join(next(mine) if place in places else next(theirs) for place in range(length))


# --- the run under observation ----------------------------------------------------------------------------------


class Interleaved:
    """Runs of one world, with stories told between the steps of their page."""

    def __init__(self, world: World, flow: StockFlow) -> None:
        self.world = world
        self._flow = replace(
            flow, clock=lambda: world.now, today=lambda: world.now.date(), pause=self._wait, page=10_000
        )
        self._steps: list[str] = []
        self._plan: dict[int, list[Step]] = {}
        self._begin = 10**9
        self._waits = 0
        self.too_much: dict[Key, tuple[int, int]] = {}

    def update(self, keys: Sequence[Key], plan: dict[int, list[Step]]) -> list[str]:
        """One run over these items; ``plan`` is what happens in each gap. The steps that were taken."""
        self._steps, self._plan, self._waits, self.too_much = [], plan, 0, {}
        watched(self._flow, self._tell, self._written).update([code_of(key) for key in keys])
        looks = self._steps[: self._steps.index("write")].count("stock_items")
        assert looks == 2, "all of it is one page, looked at before and again"
        return self._steps

    def find_page(self, keys: Sequence[Key]) -> None:
        """Learn where in a run the page is that is written."""
        steps = self.update(keys, {})
        end = steps.index("write") + 1
        assert steps[end - len(PAGE) : end] == PAGE, steps
        self._begin = end - len(PAGE)

    def sweep(self) -> None:
        """Everything is compared, and nothing happens."""
        self._plan = {}
        self._flow.sweep(EVERYTHING, lambda _total: nullcontext(lambda _count: None))

    def _tell(self, step: str) -> None:
        self._steps.append(step)
        gap = len(self._steps) - 1 - self._begin - self._waits
        for happen in self._plan.pop(gap, ()):
            happen()

    def _wait(self, _seconds: float) -> None:
        """Time passes: what was to happen next happens now, and the page begins anew."""
        self._waits += 1
        for happen in self._plan.pop(min(self._plan, default=-1), ()):
            happen()

    def _written(self, results: Sequence[Written]) -> None:
        for one in results:
            free = max(0, self.world.free(one.change.key))
            if one.change.after > free:
                self.too_much[one.change.key] = (one.change.after, free)


@contextmanager
def interleaved(world: World) -> Iterator[Interleaved]:
    """The world's runs, once its orders flow has begun; one order nobody touches is on its way."""
    configured = load_settings(world.configure(), {})
    with state_of(configured) as state:
        begin_orders(state, world)
        with stock_flow(configured, "exact", state) as flow:
            bystander, *keys = world.keys
            world.receive(code_of(bystander), LYING)
            world.sell({bystander: 1})
            runs = Interleaved(world, flow)
            runs.find_page([bystander, *_prepared(world, keys[:1])])
            yield runs


def begin_orders(state: Any, world: World) -> None:
    """The orders flow has come to the end of its first run."""
    handle = state.runs.open("order", "exact", "orders export", world.now)
    state.runs.finish(handle, "done", at=world.now, counts={}, reasons={}, output=None, failures=None,
                      error_code=None, error_message=None)  # fmt: skip


def _prepared(world: World, keys: Sequence[Key], off: int = -3) -> Sequence[Key]:
    """Ten pieces lie there, and the shop shows something else."""
    for key in keys:
        code = code_of(key)
        world.receive(code, LYING - world.settled(key))
        world.show(key, LYING + off)
    return keys


Told = tuple[str, str, tuple[int, ...], int]
"""What is past, the steps, in which gap each of them happens, and by how much the shop is wrong before."""


def all_told(past: str, words: str, offs: Sequence[int]) -> Iterator[Told]:
    for off in offs:
        for gaps in combinations_with_replacement(range(GAPS), len(words.split())):
            yield past, words, gaps, off


def waits_of(told: Told) -> int:
    """How many pauses the run makes before an order is there whole that was begun before its first step."""
    _, words, gaps, _ = told
    when = dict(zip(words.split(), gaps, strict=True))
    begun = [name for name in ("X", "Y") if when.get(f"{name}.order") == 0]
    return max((when[f"{name}.state"] for name in begun), default=0)


def prove(world: World, told: Iterable[Told], *, hidden: bool = False) -> None:
    """Tell every story: nothing written was too much, and a sweep after it finds what is right.

    Those that make the run wait equally long are told together, for it waits for all of its page. A sale may be
    ``hidden`` from the write by as much that comes back: what is too much then is not left standing.
    """
    with interleaved(world) as runs:
        for _, some in groupby(sorted(told, key=waits_of), waits_of):
            while page := list(islice(some, len(world.keys) - 1)):
                _prove(world, runs, page, hidden=hidden)


def _prove(world: World, runs: Interleaved, page: Sequence[Told], *, hidden: bool) -> None:
    bystander, *keys = world.keys
    plan: dict[int, list[Step]] = {gap: [] for gap in range(GAPS)}
    story = dict(zip(keys, page, strict=False))
    for key, (past, words, gaps, off) in story.items():
        tale = Tale(world, key)
        world.receive(code_of(key), LYING - world.settled(key))
        tale.happened(past)
        world.show(key, world.settled(key) + off)
        for word, gap in zip(words.split(), gaps, strict=True):
            plan[gap].append(tale.step(word))
    runs.update([bystander, *story], plan)
    assert not plan, "everything has happened"
    found = _standing(world) if hidden else runs.too_much
    too_much = {story[key]: figures for key, figures in found.items()}
    assert not too_much, f"{len(too_much)} of {len(page)}: {list(too_much.items())[:3]}"
    runs.sweep()
    shown, wanted = world.all_shown(), world.all_settled()
    wrong = {story.get(key): (shown[key], wanted[key]) for key in wanted if shown[key] != wanted[key]}
    assert not wrong, f"{len(wrong)} of {len(page)} end wrong: {list(wrong.items())[:3]}"


def _standing(world: World) -> dict[Key, tuple[int, int]]:
    """What the shop shows though less is free."""
    free = {key: max(0, world.free(key)) for key in world.keys}
    return {key: (shown, free[key]) for key, shown in world.all_shown().items() if shown > free[key]}


# --- one item, exhaustively -----------------------------------------------------------------------------------


def test_a_repair_never_shows_more_than_is_free(world: World) -> None:
    prove(world, chain.from_iterable(all_told(*story, offs=[-3]) for story in STORIES.values()))


def test_a_sale_hidden_by_goods_that_come_back_is_found_at_once(world: World) -> None:
    prove(world, chain.from_iterable(all_told(*story, offs=[-3]) for story in RETURNS.values()), hidden=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.embedded(tmp_path_factory.mktemp("world"), NOW, products=1201) as made:
        yield made


@pytest.mark.long
@pytest.mark.parametrize("name", LONG_STORIES)
def test_a_repair_never_shows_more_than_is_free_step_by_step(world: World, name: str) -> None:
    prove(world, all_told(*LONG_STORIES[name], offs=[-3, 3]))


@pytest.mark.long
@pytest.mark.parametrize("past", ["X.sold", "X.sold X.entered"])
def test_one_order_goes_while_another_one_comes(world: World, past: str) -> None:
    step_by_step = merged("X.canceled", WHOLE_SALE.replace("X", "Y")), merged("X.restock X.dead", "Y.sold")
    prove(world, (told for words in chain(*step_by_step) for told in all_told(past, words, offs=[-3])))


# --- several at once ------------------------------------------------------------------------------------------

EVENTS = ("sell", "pay", "cancel", "enter", "deliver", "archive", "receive", "sweep")


class Several:
    """Random events of orders of several lines; those that cannot happen now do not."""

    def __init__(self, world: World) -> None:
        self.world = world

    def happen(self, what: str, which: int) -> None:
        """One of them; ``which`` chooses whatever it is about."""
        keys = self.world.keys
        if what == "sell":
            lines = {keys[which % len(keys)]: 1 + which % 2, keys[which // 3 % len(keys)]: 1}
            self.world.sell(lines)
        elif what == "receive":
            self.world.receive(code_of(keys[which % len(keys)]), 1 + which % 3)
        else:
            able = [sale for sale in self.world.sales if self._can(what, sale)]
            if able:
                getattr(self.world, what)(able[which % len(able)])

    def _can(self, what: str, sale: Sale) -> bool:
        if what in ("pay", "cancel"):
            return not sale.is_canceled and not sale.ordernr
        if what == "enter":
            return not sale.ordernr
        if what == "deliver":
            return bool(sale.ordernr) and not sale.is_closed
        return sale.is_closed  # cleared away


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World.embedded(tmp_path_factory.mktemp("few"), NOW, products=2, combinations=3) as made:
        for key in made.keys:
            made.receive(code_of(key), LYING)
            made.show(key, LYING - 3)
        made.dispose()
        yield made


_events = st.tuples(st.sampled_from(EVENTS[:-1]), st.integers(0, 40))


@given(
    before=st.lists(_events, max_size=4),
    meanwhile=st.lists(st.tuples(st.integers(0, 40), _events), min_size=1, max_size=8),
)
@settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_sweep_beside_anything(
    few: World,
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[str, int]],
    meanwhile: list[tuple[int, tuple[str, int]]],
) -> None:
    """At any step of the whole sweep: of its look, and of its pages of two."""
    with few.copied(tmp_path_factory.mktemp("some")) as world:
        stock, several = Stock(world), Several(world)
        stock.begin_orders()
        world.now += timedelta(minutes=1)
        for event in before:
            several.happen(*event)
        steps: list[str] = []
        plan = sorted(meanwhile, key=lambda one: one[0])

        def tell(step: str) -> None:
            steps.append(step)
            while plan and plan[0][0] < len(steps):
                several.happen(*plan.pop(0)[1])

        stock.adjust = lambda flow: watched(replace(flow, page=2), tell, proof.written)
        proof = Proof(world)
        stock.sweep()
        assert not proof.too_much

        stock.adjust = lambda flow: flow
        stock.sweep()
        assert world.all_shown() == world.all_settled()
        assert world.totals() == {
            product: sum(shown for key, shown in world.all_shown().items() if key[0] == product)
            for product in world.totals()
        }


class Proof:
    """Whether what was written was free then."""

    def __init__(self, world: World) -> None:
        self.too_much: dict[Key, tuple[int, int]] = {}
        self._world = world

    def written(self, results: Sequence[Written]) -> None:
        for one in results:
            free = max(0, self._world.free(one.change.key))
            if one.change.after > free:
                self.too_much[one.change.key] = (one.change.after, free)


# --- through the webservice -----------------------------------------------------------------------------------


def _configured(webservice: DemoWebservice) -> str:
    return f'webservice_url = "{webservice.address}"\nwebservice_key = "{webservice.key}"'


@pytest.mark.parametrize("moment", ["GET", "PUT"])
def test_a_sale_that_a_put_undoes_is_taken_off_again(tmp_path: Path, moment: str) -> None:
    """The webservice knows no condition: what is sold between its last look and its write is found right after."""
    with World.embedded(tmp_path, NOW, products=3) as world:
        for key in world.keys:
            world.receive(code_of(key), LYING)
            world.show(key, LYING - 3)
        with DemoWebservice(world.shop_url, key="K" * 32) as webservice:
            stock = Stock(world, written='write_via = "webservice"', shop=_configured(webservice))
            stock.begin_orders()
            world.now += timedelta(minutes=1)
            sold: list[str] = []

            def sell(asked: Asked) -> None:
                if asked.method == moment and len(sold) < 2:
                    sold.append(moment)
                    world.sell(dict.fromkeys(world.keys, 1))

            webservice.before_each = sell
            stock.sweep()
            webservice.before_each = lambda _asked: None

            assert len(sold) == 2
            assert _standing(world) == {}
            stock.sweep()
            assert world.all_shown() == world.all_settled()
