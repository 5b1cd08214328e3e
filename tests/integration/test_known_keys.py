"""What completion on TAB finds in the state: by how a key begins, quickly, and without leaving a trace."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from brekzsync.settings import load_settings
from brekzsync.settings.places import state_file
from brekzsync.state.database import open_state
from brekzsync.state.known_keys import MOST, beginning_with

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


def know(file: Path, keys: Iterable[tuple[int, int]], target: str = "exact", flow: str = "product") -> None:
    with open_state(f"sqlite:///{file}", create=True) as state:
        state.ledger(flow, target).request_force(list(keys), at=NOW)


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("", ["1-7", "1-70", "2-0", "12-3", "12-30", "120-0", "1200-4"]),
        ("1", ["1-7", "1-70", "12-3", "12-30", "120-0", "1200-4"]),
        ("12", ["12-3", "12-30", "120-0", "1200-4"]),
        ("120", ["120-0", "1200-4"]),
        ("1-", ["1-7", "1-70"]),
        ("1-7", ["1-7", "1-70"]),
        ("1-70", ["1-70"]),
        ("2-0", ["2-0"]),
        ("2-00", []),
        ("0", []),
        ("01", []),
        ("3", []),
        ("-", []),
        ("1-7-", []),
        ("x", []),
        ("12345678901", []),
    ],
)
def test_a_key_is_found_by_how_it_begins(file: Path, typed: str, keys: list[str]) -> None:
    know(file, [(1, 7), (1, 70), (2, 0), (12, 3), (12, 30), (120, 0), (1200, 4)])

    assert beginning_with(typed, file, "product") == keys


@pytest.mark.parametrize(
    ("typed", "keys"),
    [
        ("", ["1", "7", "12", "120"]),
        ("1", ["1", "12", "120"]),
        ("12", ["12", "120"]),
        ("12-", []),
        ("12-0", []),
        ("3", []),
    ],
)
def test_orders_have_one_number(file: Path, typed: str, keys: list[str]) -> None:
    know(file, [(7, 0), (1, 0), (120, 0), (12, 0)], flow="order")
    know(file, [(12, 3)])

    assert beginning_with(typed, file, "order") == keys


def test_too_many_orders_are_none(file: Path) -> None:
    know(file, [(id_order, 0) for id_order in range(1, MOST + 2)], flow="order")

    assert beginning_with("", file, "order") == []
    assert beginning_with("20", file, "order") == ["20", "200", "201"]


def test_keys_of_all_targets_are_found_once_and_other_flows_are_not(file: Path) -> None:
    know(file, [(1, 2), (1, 3)])
    know(file, [(1, 3), (1, 4)], target="belgium")
    know(file, [(1, 5)], flow="order")

    assert beginning_with("1", file, "product") == ["1-2", "1-3", "1-4"]


def test_too_many_keys_become_products_and_too_many_products_nothing(file: Path) -> None:
    """A part of them would be completed to what the part has in common."""
    know(file, [(product, minor) for product in range(1, MOST + 1) for minor in (1, 2)])

    assert beginning_with("", file, "product") == [str(product) for product in range(1, MOST + 1)]
    assert beginning_with("20", file, "product") == ["20-1", "20-2", "200-1", "200-2"]

    know(file, [(MOST + 1, 0)])

    assert beginning_with("", file, "product") == []


def test_more_combinations_of_one_product_than_can_be_shown_are_not_cut(file: Path) -> None:
    know(file, [(5, minor) for minor in range(1, MOST + 2)])

    assert beginning_with("5-", file, "product") == []
    assert beginning_with("5-20", file, "product") == ["5-20", "5-200", "5-201"]


def test_looking_leaves_no_file_behind(file: Path) -> None:
    """A -wal of the user who pressed TAB is one that the user of cron could not write to."""
    know(file, [(1, 2)])
    before = sorted(os.listdir(file.parent))

    assert beginning_with("1", file, "product") == ["1-2"]
    assert sorted(os.listdir(file.parent)) == before == ["state.db"]


def test_what_a_run_at_work_has_committed_is_found(file: Path) -> None:
    know(file, [(1, 2)])
    with open_state(f"sqlite:///{file}", create=False) as state:
        state.ledger("product", "exact").request_force([(1, 3)], at=NOW)

        assert beginning_with("1", file, "product") == ["1-2", "1-3"]


def test_a_lookup_that_takes_too_long_is_given_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    know(file, [(1, minor) for minor in range(20_000)])
    monkeypatch.setattr("brekzsync.state.known_keys._SECONDS", 0.0001)
    start = time.perf_counter()

    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        beginning_with("1-19999", file, "product")

    assert time.perf_counter() - start < 0.05


# --- which file it is ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "environ"),
    [
        ("", {}),
        ('database = "sqlite:///below/mine.db"', {}),
        ('database = "sqlite:////var/lib/mine.db?timeout=3"', {}),
        ('database = "sqlite:///mine.db"', {"BREKZSYNC_STATE__DATABASE": "sqlite:///other.db"}),
        ('database = "sqlite:///mine.db"', {"BREKZSYNC_STATE__DATABASE_FILE": "secret"}),
    ],
)
def test_the_state_is_looked_for_where_every_other_command_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, environ: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text("sqlite:///secret.db\n", encoding="utf-8")
    configuration = tmp_path / "brekzsync.toml"
    configuration.write_text(
        f'[shop]\ndatabase = "sqlite:///shop.db"\ndata_shop = 1\n[state]\n{written}\n', encoding="utf-8"
    )

    url = load_settings(None, environ).state.database.get_secret_value()

    assert state_file(None, environ) == Path(url.partition(":///")[2].partition("?")[0])
    assert state_file(configuration, environ) == state_file(None, environ)


@pytest.mark.parametrize("url", ["mysql://u:p@host/state", "sqlite://", "sqlite:///:memory:"])
def test_a_state_that_is_no_file_is_not_looked_into(tmp_path: Path, url: str) -> None:
    configuration = tmp_path / "brekzsync.toml"
    configuration.write_text(f'[state]\ndatabase = "{url}"\n', encoding="utf-8")

    assert state_file(configuration, {}) is None


def test_without_a_configuration_there_is_no_state(tmp_path: Path) -> None:
    assert state_file(tmp_path / "gone.toml", {}) is None
