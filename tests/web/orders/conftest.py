"""A demo whose orders and refunds are fetched, and a service over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from brekzsync.bootstrap import served_orders
from brekzsync.bootstrap.state import upgrade_state
from brekzsync.demo.folder import make_demo
from brekzsync.flows.orders import feed
from tests.exports import NOW, Installation
from tests.fetching import Kept
from tests.selling import Selling, selling
from tests.serving import TOKEN, Serving, serving_here


@pytest.fixture(scope="session")
def _demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("orders") / "demo"
    make_demo(folder, NOW)
    return folder


@pytest.fixture
def shop(tmp_path: Path, _demo: Path) -> Selling:
    """A demo with its state in SQLite."""
    shop = selling(tmp_path / "demo", _demo)
    shop.replace("[orders]", '[orders]\nchannel = "http"')
    with shop.config.open("a", encoding="utf-8") as file:
        file.write(f'\n[serve]\nexact_token = "{TOKEN}"\n')
    upgrade_state(shop.settings)
    return shop


@pytest.fixture
def anywhere(shop: Selling, database_url: str) -> Selling:
    """The demo with its state in SQLite, then in MariaDB."""
    shop.replace('database = "sqlite:///state.db"', f'database = "{database_url}"')
    upgrade_state(shop.settings)
    return shop


@pytest.fixture
def installed(shop: Selling, shared: Path) -> Installation:
    """What serves it."""
    return Kept(folder=shop.folder, schema=shared / "data/exact/eExact-Schema.xsd", sections={})


@pytest.fixture
def _asked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_READ_BACK_PAUSE", 0.0)
    monkeypatch.setattr(feed, "_WATCH_PAUSE", 0.0)
    monkeypatch.setattr(served_orders, "_ERP_PAUSE", 0.0)


@pytest.fixture
def service(installed: Installation, _asked_at_once: None) -> Iterator[Serving]:
    """A service over the demo; the ERP is asked whenever it may be."""
    with serving_here(installed) as started:
        yield started
