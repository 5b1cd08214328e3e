"""Runs of the stock flow, and of the orders that go before it, on a world of ``tests/stock_world.py``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from brekzsync.bootstrap.orders import order_flow
from brekzsync.bootstrap.state import state_of
from brekzsync.bootstrap.stock import stock_flow
from brekzsync.flows.orders.kinds import ORDERS
from brekzsync.flows.orders.run import OrderOutcome, OrderRequest
from brekzsync.flows.stock.ports import LeftAlone
from brekzsync.flows.stock.run import StockFlow, StockOutcome, StockRequest
from brekzsync.settings import Settings, load_settings
from brekzsync.state.database import State
from tests.exports import Said, brekzsync
from tests.stock_world import Key, World, code_of

SILENT = lambda _total: nullcontext(lambda _count: None)  # noqa: E731


@dataclass(slots=True)
class Stock:
    """The runs of one world, under its clock. ``written`` and ``shop`` are the lines of ``[stock]`` and ``[shop]``."""

    world: World
    written: str = 'write_via = "database"'
    more: str = ""
    shop: str = ""
    adjust: Callable[[StockFlow], StockFlow] = field(default=lambda flow: flow)

    @property
    def settings(self) -> Settings:
        """The configuration, written anew."""
        return load_settings(self.world.configure(self.written, self.more, self.shop), {})

    @contextmanager
    def state(self) -> Iterator[State]:
        with state_of(self.settings) as opened:
            yield opened

    @contextmanager
    def flow(self, *, only: str = "", writes: bool = True) -> Iterator[StockFlow]:
        """A run's parts; nobody waits for long."""
        settings, world = self.settings, self.world
        with (
            state_of(settings, writes=writes) as state,
            stock_flow(settings, "exact", state, only=only) as flow,
        ):
            yield self.adjust(
                replace(
                    flow,
                    clock=lambda: world.now,
                    today=lambda: world.now.date(),
                    pause=lambda _seconds: None,
                )
            )

    def sweep(self, *, only: str = "", max_change: str = "1", **request: Any) -> StockOutcome:
        """``stock sweep``; the guard is off unless a test says otherwise."""
        wanted = StockRequest(max_change=Decimal(max_change), **request)
        with self.flow(only=only, writes=not wanted.dry_run) as flow:
            return flow.sweep(wanted, SILENT)

    def left_alone(self) -> list[LeftAlone]:
        """What a sweep that writes nothing leaves alone, all of it."""
        found: list[LeftAlone] = []
        self.sweep(dry_run=True, force=True, left_alone=found.append)
        return found

    def update(self, *keys: Key, dry_run: bool = False) -> StockOutcome:
        """``stock update``."""
        with self.flow(writes=not dry_run) as flow:
            return flow.update([code_of(key) for key in keys], dry_run=dry_run)

    def diff(self, *codes: str) -> StockOutcome:
        """``stock diff``."""
        with self.flow(writes=False) as flow:
            return flow.diff(codes)

    def export_orders(self, **options: Any) -> OrderOutcome:
        """``orders export``; what goes lies in the outbox."""
        world = self.world
        with self.state() as state, order_flow(self.settings, "exact", state, ORDERS) as flow:
            clock = lambda: world.now  # noqa: E731
            own = replace(flow, clock=clock, settlement=replace(flow.settlement, clock=clock))
            return own.execute(OrderRequest(**options), SILENT)

    def begin_orders(self) -> None:
        """From now on orders go to Exact; the ledger of none is lost."""
        self.export_orders(baseline=True)

    def cli(self, *words: str) -> Said:
        """The program itself, in a process of its own, with the real clock."""
        return brekzsync(self.world.folder, "--config", str(self.settings_file), *words)

    @property
    def settings_file(self) -> str:
        """The configuration, written anew."""
        return str(self.world.configure(self.written, self.more, self.shop))
