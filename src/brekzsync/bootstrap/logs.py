"""The sync logs: what reads them, retries what they show, and prunes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from brekzsync.bootstrap.flows import is_configured
from brekzsync.bootstrap.state import existing_state, utc_now
from brekzsync.domain.log_records import LogQuery, PendingReason
from brekzsync.flows.frame import milliseconds
from brekzsync.flows.log_retry import RetryReport, retry
from brekzsync.flows.sync_logs import Hold, SyncLogs
from brekzsync.state.database import State
from brekzsync.state.pruning import Pruned, Pruning
from brekzsync.state.record_history import RecordHistory
from brekzsync.state.retries import Retries
from brekzsync.state.sync_log import SyncLog

if TYPE_CHECKING:
    from brekzsync.settings import Settings


@contextmanager
def sync_logs(settings: Settings, target: str | None) -> Iterator[SyncLogs]:
    """The logs, to read; ``target`` is checked to be one there is or was."""
    with existing_state(settings, writes=False) as state:
        store = state.sync_log
        _check_target(settings, store, target)
        yield SyncLogs(store, RecordHistory(state.database), hold_of(settings, state), utc_now)


def hold_of(settings: Settings, state: State) -> Hold:
    """Tells of a flow and target what keeps it from running."""

    def hold(flow: str, target: str) -> PendingReason | None:
        if not is_configured(settings, flow, target):
            return PendingReason.NOT_CONFIGURED
        return None if state.switches.is_enabled(flow, target) else PendingReason.FLOW_DISABLED

    return hold


def retry_records(settings: Settings, query: LogQuery, words: Sequence[str], *, dry_run: bool) -> RetryReport:
    """Let the next run try again what waits."""
    with existing_state(settings, writes=not dry_run) as state:
        store = state.sync_log
        _check_target(settings, store, query.target)
        return retry(store, Retries(state.database), query, words, utc_now, dry_run=dry_run)


def prune_logs(settings: Settings, older_than: timedelta, *, dry_run: bool) -> Pruned:
    """Forget what is older than that."""
    before = since(older_than)
    with existing_state(settings, writes=not dry_run) as state:
        pruning = Pruning(state.database)
        return pruning.planned(before) if dry_run else pruning.prune(before)


def since(age: timedelta) -> int:
    """The moment so long ago, in milliseconds, though it were before the calendar begins."""
    return milliseconds(utc_now()) - age // timedelta(milliseconds=1)


def _check_target(settings: Settings, store: SyncLog, target: str | None) -> None:
    """A target that was taken out of the configuration still has its logs."""
    if target is not None and target not in store.targets():
        settings.for_target(target)
