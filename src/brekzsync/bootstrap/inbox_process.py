"""The inbox: what processes the webhooks that were received, and what shows them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

from brekzsync.bootstrap.inbox import EXACT
from brekzsync.bootstrap.state import utc_now
from brekzsync.domain.call_budget import Later
from brekzsync.exact.online import QUESTIONS, ExactOnline
from brekzsync.flows.frame import run
from brekzsync.flows.inbox.comparing import OpenFlow, StockOfTargets
from brekzsync.flows.inbox.meanings import ExactKeys, ItemCodes
from brekzsync.flows.inbox.outcome import InboxOutcome, InboxRequest, InboxRules
from brekzsync.flows.inbox.ports import Meanings
from brekzsync.flows.inbox.process import InboxProcess
from brekzsync.flows.stock.journal import FLOW as STOCK
from brekzsync.state.call_counts import CallCounts
from brekzsync.state.inbox_answers import InboxAnswers

if TYPE_CHECKING:
    from brekzsync.flows.stock.run import Progress
    from brekzsync.settings import Settings
    from brekzsync.state.database import State
    from brekzsync.state.inbox import Inbox

FLOW: Final = "inbox"
TARGET: Final = "stock"
"""Whatever target it is for: the deliveries are the same."""
COMMAND: Final = "inbox process"


def stock_targets(settings: Settings, state: State) -> list[str]:
    """Targets whose stock is kept in step: configured, and not switched off."""
    return [
        name
        for name in settings.target_names()
        if settings.for_target(name).stock.is_in_use and state.switches.is_enabled(STOCK, name)
    ]


@contextmanager
def inbox_run(
    settings: Settings,
    state: State,
    inbox: Inbox,
    targets: list[str],
    request: InboxRequest,
    progress: Progress,
) -> Iterator[Callable[[InboxOutcome], None]]:
    """What processes the inbox for these targets: one run at a time, on record unless it is a dry one."""
    with ExitStack() as opened:
        stock = _stock(settings, state, targets, progress)
        opened.callback(stock.close)
        meanings = partial(_meanings, settings, inbox, opened, is_dry=request.dry_run)
        rules = InboxRules(settings.inbox.attempts, settings.inbox.compare_all_every)
        process = InboxProcess(
            inbox=inbox,
            answers=InboxAnswers(inbox.database),
            stock=stock,
            meanings=meanings,
            rules=rules,
            clock=utc_now,
        )

        def execute(outcome: InboxOutcome) -> None:
            if request.dry_run:
                process.run(request, outcome)
                return
            with run(
                state.locks, state.runs, flow=FLOW, target=TARGET, command=COMMAND, clock=utc_now
            ) as opened_run:
                outcome.run_name = opened_run.name
                try:
                    process.run(request, outcome)
                finally:
                    opened_run.counts, opened_run.reasons = outcome.counts(), outcome.reasons()

        yield execute


def _stock(settings: Settings, state: State, targets: list[str], progress: Progress) -> StockOfTargets:
    from brekzsync.bootstrap.stock import stock_flow

    flows: dict[str, OpenFlow] = {name: partial(stock_flow, settings, name, state) for name in targets}
    max_change = {name: settings.for_target(name).stock.max_change for name in targets}
    return StockOfTargets(flows, max_change, state.runs, progress)


def _meanings(settings: Settings, inbox: Inbox, opened: ExitStack, source: str, *, is_dry: bool) -> Meanings:
    """``opened`` closes what is opened for it."""
    if source != EXACT:
        return ItemCodes()
    own = settings.exact_online
    token = own.access_token.get_secret_value().strip()
    if own.division is None or not token:
        return ExactKeys(inbox, None, utc_now)
    if is_dry:
        return ExactKeys(inbox, _NotAsked(own.division), utc_now)
    counts = CallCounts(inbox.database, f"exact-online-{own.division}")
    online = ExactOnline(own.url, own.division, token, counts, utc_now)
    opened.callback(online.close)
    return ExactKeys(inbox, online, utc_now)


class _NotAsked:
    """Exact Online in a dry run: a call would be counted, and counting is writing."""

    def __init__(self, division: int) -> None:
        self.division = division

    def can_tell(self, topic: str) -> bool:
        return topic in QUESTIONS

    def item_code(self, topic: str, key: str) -> str | None:
        """Raises Later."""
        raise Later("a dry run does not ask Exact Online which items its keys mean", utc_now())
