"""The state database, the clock, the process: what every command begins with."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from brekzsync.errors import ConfigurationError
from brekzsync.logs import HIDDEN
from brekzsync.settings.database_urls import without_password
from brekzsync.state.database import State, open_state, planned_upgrade, upgrade

if TYPE_CHECKING:
    from brekzsync.settings import Settings


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


def spare_the_garbage_collector() -> None:
    """A run makes millions of tuples without cycles: looking for cycles among them took a quarter of its time."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


class UpgradeResult(NamedTuple):
    """The state database as messages name it, its schema before (None: there was none) and after."""

    url_shown: str
    before: str | None
    after: str


def upgrade_state(settings: Settings, *, dry_run: bool = False) -> UpgradeResult:
    """Create the state database or bring it to this release's schema; with ``dry_run`` only say so."""
    url = settings.state.database.get_secret_value()
    done = planned_upgrade(url) if dry_run else upgrade(url)
    return UpgradeResult(without_password(url, HIDDEN), *done)


@contextmanager
def state_of(settings: Settings, *, writes: bool = True) -> Iterator[State]:
    """The state database; without ``writes`` a missing one is taken as empty and nothing is created."""
    url = settings.state.database.get_secret_value()
    state = open_state(url, create=True) if writes else open_state(url, create=False, missing_ok=True)
    try:
        yield state
    finally:
        state.close()


@contextmanager
def state_if_any(settings: Settings, *, writes: bool) -> Iterator[State]:
    """The state database; a missing one is taken as empty and not created, while ``writes`` go to one that is."""
    url = settings.state.database.get_secret_value()
    try:
        state = open_state(url, create=False, read_only=not writes)
    except ConfigurationError as error:
        if error.code != "state_missing":
            raise
        state = open_state(url, create=False, missing_ok=True)
    with state:
        yield state


@contextmanager
def existing_state(settings: Settings, *, writes: bool) -> Iterator[State]:
    """The state database, for commands that make no sense without one: a missing one is ``state_missing``."""
    url = settings.state.database.get_secret_value()
    with open_state(url, create=False, read_only=not writes) as state:
        yield state
