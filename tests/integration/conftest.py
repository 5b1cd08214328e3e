"""What the tests of the state database share: one opened on each backend, and short ways to say things."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from brekzsync.state.database import State, open_state
from brekzsync.state.ledger import Ledger


@pytest.fixture
def state_url(database_url: str) -> str:
    """Where a state database may be made: SQLite, then MariaDB; nothing is there yet."""
    return database_url


@pytest.fixture
def state(state_url: str) -> Iterator[State]:
    """A new state database."""
    with open_state(state_url, create=True) as opened:
        yield opened


@pytest.fixture
def ledger(state: State) -> Ledger:
    """An empty ledger of products."""
    return state.ledger("product", "exact")
