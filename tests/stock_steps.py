"""A stock run whose every step is told of before it is taken, so that something else can happen there.

``watched`` wraps what a ``StockFlow`` reads and writes through. A step is one question to one of the systems: a
snapshot of the shop, a statement of the ERP, a page that is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from brekzsync.domain.shop_stock import Change, Outcome, Written
from brekzsync.flows.stock.run import StockFlow

ERP_STEPS = frozenset(
    ("stock_items", "present", "references", "open_sales", "open_sales_by_order", "on_hand", "levels")
)
Told = Callable[[str], object]
OnWritten = Callable[[Sequence[Written]], object]


class Watched:
    """``real``, telling of the calls of these names before they are made."""

    def __init__(self, real: Any, tell: Told, names: Iterable[str]) -> None:
        self._real = real
        self._tell = tell
        self._names = frozenset(names)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name not in self._names:
            return found

        def telling(*arguments: Any, **named: Any) -> Any:
            self._tell(name)
            return found(*arguments, **named)

        return telling


class WatchedWriter:
    """Tells before and after a page is written, and what came of it."""

    def __init__(self, real: Any, tell: Told, on_written: OnWritten) -> None:
        self._real = real
        self._tell = tell
        self._on_written = on_written

    def write(self, changes: Sequence[Change]) -> list[Written]:
        self._tell("write")
        results = list(self._real.write(changes))
        self._on_written([one for one in results if one.outcome is Outcome.WRITTEN])
        self._tell("written")
        return results

    def close(self) -> None:
        self._real.close()


def watched(flow: StockFlow, tell: Told, on_written: OnWritten = lambda _results: None) -> StockFlow:
    """The same flow, telling of its steps; ``on_written`` is given what was really written, at once."""
    return replace(
        flow,
        shop=Watched(flow.shop, tell, {"open"}),
        erp=Watched(flow.erp, tell, ERP_STEPS),
        open_writer=lambda: WatchedWriter(flow.open_writer(), tell, on_written),
    )
