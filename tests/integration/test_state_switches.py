"""Flows switched off and on, and what the state tells of a flow."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from brekzsync.domain.ledger import IN_DOUBT, Failure, Serving
from brekzsync.domain.sync_flows import PARTIAL_RUN, FlowSwitch
from brekzsync.errors import AccessDenied, ConfigurationError
from brekzsync.state.database import State, open_state
from brekzsync.state.ledger import Ledger
from tests.integration.state_rows import NOON, RUN, acknowledgement, later, mark


def test_a_flow_nobody_switched_is_on(state: State) -> None:
    assert state.switches.is_enabled("product", "exact")
    assert (state.switches.find("product", "exact"), state.switches.all()) == (None, {})
    assert state.switches.set("product", ["exact"], enabled=True, at=NOON) == []
    assert state.switches.all() == {}


def test_a_switch_says_who_when_and_why_and_is_for_its_flow_and_target_only(state: State) -> None:
    switches = state.switches
    why = "new prices in Exact: ± 2,5 % « à partir de lundi »"
    assert switches.set("product", ["be"], enabled=False, by_whom="ann", reason=why, at=NOON) == ["be"]
    expected = FlowSwitch("product", "be", False, "ann", why, NOON)
    assert switches.all() == {("product", "be"): expected}
    assert switches.find("product", "be") == expected
    on = [switches.is_enabled(*of) for of in (("product", "be"), ("product", "nl"), ("order", "be"))]
    assert on == [False, True, True]


def test_switching_again_changes_nothing_and_the_other_way_everything(state: State) -> None:
    switches = state.switches
    switches.set("product", ["be"], enabled=False, by_whom="ann", reason="stock", at=NOON)
    again = switches.set("product", ["nl", "be"], enabled=False, by_whom="bob", reason="", at=later(hours=1))
    assert again == ["nl"]
    assert switches.find("product", "be") == FlowSwitch("product", "be", False, "ann", "stock", NOON)
    on = switches.set("product", ["nl", "be"], enabled=True, by_whom="cy", at=later(hours=2))
    assert on == ["nl", "be"]
    assert switches.find("product", "be") == FlowSwitch("product", "be", True, "cy", "", later(hours=2))


def test_people_who_switch_at_once_do_not_meet_an_error(state: State) -> None:
    def switch(number: int) -> list[str]:
        return state.switches.set("product", ["a", "b"], enabled=bool(number % 2), at=later(hours=number))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(switch, range(8)))
    assert {found.is_enabled for found in state.switches.all().values()} <= {True, False}


def test_a_state_opened_to_read_refuses_to_switch_and_must_exist(state: State, state_url: str) -> None:
    with open_state(state_url, create=False, read_only=True) as reading:
        assert reading.switches.all() == {}
        with pytest.raises(AccessDenied):
            reading.switches.set("product", ["exact"], enabled=False, at=NOON)


def test_reading_does_not_take_a_missing_state_for_an_empty_one(state_url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        open_state(state_url, create=False, read_only=True)
    assert refused.value.code == "state_missing"
    assert list(tmp_path.iterdir()) == []


def test_the_backlog_is_what_the_logs_tell_as_pending_and_failed(state: State, ledger: Ledger) -> None:
    def backlog() -> dict[str, int]:
        return state.sync_log.backlog("product", "exact")

    assert backlog() == {"pending": 0, "failed": 0}
    ledger.acknowledge([acknowledgement((1, 0))], run_id=RUN, at=NOON)
    ledger.record_failures([Failure(2, 0, "missing_price", "No price.")], run_id=RUN, at=NOON)
    ledger.record_pending([(3, 0), (4, 0)], at=NOON)
    state.ledger("product", "belgium").record_pending([(5, 0)], at=NOON)
    assert backlog() == {"pending": 2, "failed": 1}
    # What a run that was killed left in doubt, and what was handed out without a result, waits too.
    ledger.acknowledge([acknowledgement((6, 0))._replace(fingerprint=IN_DOUBT)], run_id=RUN, at=NOON)
    ledger.served.serve(
        [Serving(7, 0, mark("first"), 0, None, "A-7", "document")],
        run_id=RUN,
        at=NOON,
        lease_until=NOON + timedelta(minutes=30),
    )
    assert backlog() == {"pending": 4, "failed": 1}


def test_a_success_is_a_run_of_the_whole_flow_that_came_to_its_end(state: State) -> None:
    runs = state.runs
    assert (runs.latest("product", "exact"), runs.last_success("product", "exact")) == (None, None)
    whole = runs.open("product", "exact", "products export --full", NOON)
    runs.finish(whole, "done", at=later(minutes=1), counts={"failed": 3}, failures=b"0123456789abcdef")
    for minutes, command, ending in (
        (10, "products export" + PARTIAL_RUN, "done"),
        (20, "products export", "failed"),
        (30, "products export", "interrupted"),
    ):
        handle = runs.open("product", "exact", command, later(minutes=minutes))
        runs.finish(handle, ending, at=later(minutes=minutes + 1))  # type: ignore[arg-type]
    other = runs.open("product", "belgium", "products export", later(minutes=40))
    runs.finish(other, "done", at=later(minutes=41))
    at_work = runs.open("product", "exact", "products export", later(minutes=50))
    success, latest = runs.last_success("product", "exact"), runs.latest("product", "exact")
    assert success is not None
    assert latest is not None
    assert (success.name, success.finished_at, latest.name) == (whole.name, later(minutes=1), at_work.name)
    assert (latest.status, latest.if_dead.status, latest.if_dead.error_code) == (
        "running",
        "failed",
        "killed",
    )


def test_a_look_at_a_lock_turns_no_run_away(state: State, state_url: str) -> None:
    give_up = time.monotonic() + 0.5

    def look() -> int:
        seen = 0
        with open_state(state_url, create=False, read_only=True) as looking:
            while time.monotonic() < give_up:
                seen += looking.locks.is_held("product", "exact")
                time.sleep(0.001)  # more often than people and monitoring do, not all the time
        return seen

    taken = 0
    with ThreadPoolExecutor(1) as threads:
        looks = threads.submit(look)
        while time.monotonic() < give_up:
            with state.locks.hold("product", "exact"):
                taken += 1
                time.sleep(0.005)  # or nobody might ever see it held
    assert taken > 3
    assert looks.result() > 0, "it did look while it was held"


def test_a_lock_nobody_ever_took_is_free_and_looking_makes_no_file(tmp_path: Path) -> None:
    with open_state(f"sqlite:///{tmp_path / 'state.db'}", create=True) as state:
        before = sorted(os.listdir(tmp_path))
        assert not state.locks.is_held("product", "exact")
        assert sorted(os.listdir(tmp_path)) == before
