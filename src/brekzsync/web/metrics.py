"""Figures for Prometheus: what was asked and how long it took, over all processes; what waits and what failed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from brekzsync.bootstrap.inbox_looks import InboxBacklog
from brekzsync.bootstrap.serve import Backlog

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where several processes keep their counts; Prometheus's client reads it when it is imported."""

_own = CollectorRegistry()
_requests = Counter(
    "brekzsync_http_requests_total", "Requests answered.", ["route", "method", "status"], registry=_own
)
_durations = Histogram(
    "brekzsync_http_request_seconds", "Seconds until a request was answered whole.", ["route"], registry=_own
)


_counter = lru_cache(maxsize=1024)(_requests.labels)
_stopwatch = lru_cache(maxsize=1024)(_durations.labels)


def note(route: str, method: str, status: int, seconds: float) -> None:
    """Count one request."""
    _counter(route, method, status).inc()
    _stopwatch(route).observe(seconds)


def exposition(backlog: Callable[[], Backlog], inbox: Callable[[], InboxBacklog | None]) -> bytes:
    """All figures as text. Raises what the state raises."""
    registry = CollectorRegistry()
    if os.environ.get(FOLDER_VARIABLE):
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library has no types for it
        counts = generate_latest(registry)
    else:
        counts = generate_latest(_own)
    waiting = CollectorRegistry()
    waiting.register(_Waiting(backlog()))
    waiting.register(_Inbox(inbox()))
    return counts + generate_latest(waiting)


class _Waiting:
    def __init__(self, backlog: Backlog) -> None:
        self._backlog = backlog

    def collect(self) -> Iterator[Metric]:
        gauge = GaugeMetricFamily(
            "brekzsync_backlog", "Records that wait or failed.", labels=["flow", "target", "status"]
        )
        for labels, count in sorted(self._backlog.items()):
            gauge.add_metric(labels, count)
        yield gauge


class _Inbox:
    def __init__(self, backlog: InboxBacklog | None) -> None:
        self._backlog = backlog

    def collect(self) -> Iterator[Metric]:
        gauge = GaugeMetricFamily(
            "brekzsync_inbox", "Webhooks that wait or are dead.", labels=["source", "status"]
        )
        counts = self._backlog or InboxBacklog({}, {})
        for source in sorted({*counts.waiting, *counts.dead}):
            gauge.add_metric((source, "waiting"), counts.waiting.get(source, 0))
            gauge.add_metric((source, "dead"), counts.dead.get(source, 0))
        yield gauge
