"""Calls to a monitoring service, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from brekzsync.notify import heartbeat as module
from brekzsync.notify.heartbeat import Heartbeat
from tests.monitors import Monitor

COMMAND = "orders push-status"


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    made = Monitor()
    yield made
    made.close()


def heartbeat(url: str) -> Heartbeat:
    return Heartbeat(url, COMMAND, pause=0)


@pytest.mark.parametrize(
    ("path", "heard"),
    [
        ("/ping/1", ["/ping/1/start", "/ping/1", "/ping/1/3"]),
        ("/ping/1/", ["/ping/1/start", "/ping/1/", "/ping/1/3"]),
        ("/ping/1?create=1", ["/ping/1/start?create=1", "/ping/1?create=1", "/ping/1/3?create=1"]),
    ],
)
def test_beginning_success_and_failure_have_their_addresses(
    monitor: Monitor, path: str, heard: list[str]
) -> None:
    called = heartbeat(monitor.url + path)

    assert [called.began(), called.ended(0), called.ended(3)] == ["", "", ""]
    assert monitor.heard == heard


@pytest.mark.parametrize(
    ("statuses", "calls", "trouble"),
    [
        ([503, 200], 2, ""),
        ([503], 2, "answered HTTP 503"),
        ([429, 200], 2, ""),
        ([404], 1, "answered HTTP 404"),
        ([204], 1, ""),
    ],
)
def test_a_call_is_repeated_once_where_that_may_help(
    monitor: Monitor, statuses: list[int], calls: int, trouble: str
) -> None:
    monitor.statuses = statuses

    said = heartbeat(f"{monitor.url}/ping/secret").ended(0)

    assert said == (trouble and f"The heartbeat of `{COMMAND}` was not heard: 127.0.0.1 {trouble}.")
    assert len(monitor.heard) == calls


def test_a_service_that_moved_is_followed(monitor: Monitor) -> None:
    monitor.statuses = [302, 200]
    monitor.location = "/elsewhere"

    assert heartbeat(f"{monitor.url}/ping").ended(0) == ""
    assert monitor.heard == ["/ping", "/elsewhere"]


def test_a_service_that_hangs_is_given_up(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.1)
    monitor.released.clear()

    assert heartbeat(f"{monitor.url}/ping").began().endswith("127.0.0.1 did not answer in time.")
    assert len(monitor.heard) == 2


def test_nothing_takes_longer_than_the_limit(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIMIT", 0.1)
    monitor.released.clear()

    assert heartbeat(f"{monitor.url}/ping").began().endswith("127.0.0.1 did not answer in time.")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/ping", "http://no-such-host.invalid/", "http://[::1/x", "http://a..b/", "ftp://x/y"],
)
def test_an_address_that_is_none_is_a_sentence_and_no_error(url: str) -> None:
    said = heartbeat(url).ended(1)

    assert said.startswith(f"The heartbeat of `{COMMAND}` was not heard: ")
    assert "ping" not in said
