"""Runs in this process that are cut off before any of their steps, as by a kill.

A step is what leaves a trace outside the process: a file written, synced, renamed or removed in the outbox of
orders, a transaction of the state begun and another one ended. After the cut nothing more is let through, whatever
``finally`` still tries.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from brekzsync.exact import durable, order_outbox
from brekzsync.state.connection import Database

_CALLS = ("open", "write", "fsync", "replace", "unlink")


class Killed(BaseException):
    """The run is cut off here."""


class Life:
    """``steps`` counts those taken; before step ``ends_at`` it is over. ``watch`` is called before each of them
    and may raise Killed."""

    def __init__(self, ends_at: int | None, watch: Callable[[int], object]) -> None:
        self.steps = 0
        self._ends_at = ends_at
        self._watch = watch
        self._is_over = False

    def step(self) -> None:
        """One is about to be taken."""
        if self._is_over or (self._ends_at is not None and self.steps + 1 >= self._ends_at):
            self._is_over = True
            raise Killed
        self.steps += 1
        try:
            self._watch(self.steps)
        except Killed:
            self._is_over = True
            raise


class _Files:
    """``os`` with steps."""

    def __init__(self, life: Life) -> None:
        self._life = life

    def __getattr__(self, name: str) -> Any:
        found = getattr(os, name)
        return self._stepping(found) if name in _CALLS else found

    def _stepping(self, found: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            self._life.step()
            return found(*arguments, **named)

        return call


@contextmanager
def mortal(ends_at: int | None = None, watch: Callable[[int], object] = lambda _step: None) -> Iterator[Life]:
    """Runs of the block take steps; Killed ends the block, and is nobody else's business."""
    life = Life(ends_at, watch)
    write, files = Database.write, (durable.os, order_outbox.os)

    def writing(self: Database, work: Callable[[Any], Any], *, durable: bool) -> Any:
        life.step()
        done = write(self, work, durable=durable)
        life.step()
        return done

    Database.write = writing  # type: ignore[assignment, method-assign]
    durable.os = order_outbox.os = _Files(life)  # type: ignore[assignment]
    try:
        yield life
    except Killed:
        pass
    finally:
        Database.write = write  # type: ignore[method-assign]
        durable.os, order_outbox.os = files
