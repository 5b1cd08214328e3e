"""Switch a flow off or on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import NamedTuple, Protocol

from brekzsync.domain.sync_flows import FLOWS, FlowSwitch, SyncFlow
from brekzsync.errors import InvalidInput


class Switches(Protocol):
    """The switches in the state."""

    def all(self) -> dict[tuple[str, str], FlowSwitch]: ...

    def set(
        self, flow: str, targets: Sequence[str], *, enabled: bool, by_whom: str, reason: str, at: datetime
    ) -> list[str]: ...


class Wish(NamedTuple):
    """How a flow is to be, for which targets, who says so and why."""

    flow: SyncFlow
    targets: Sequence[str]
    enabled: bool
    by_whom: str
    reason: str


class Switched(NamedTuple):
    """What became of one target: whether it changed, how it is switched now, and whether a run is at work."""

    target: str
    changed: bool
    switch: FlowSwitch | None
    is_at_work: bool


def flow_named(word: str) -> SyncFlow:
    """The flow of this name. Raises InvalidInput (``unknown_flow``), with the nearest name there is."""
    if word in FLOWS:
        return FLOWS[word]
    near = get_close_matches(word.lower(), FLOWS, n=1)
    raise InvalidInput(
        f'There is no flow "{word}".' + (f' Did you mean "{near[0]}"?' if near else ""),
        hint=f"The flows are {', '.join(FLOWS)}; `brekzsync flows list` shows how they are switched.",
        code="unknown_flow",
    )


def switch(
    switches: Switches,
    is_at_work: Callable[[str, str], bool],
    wish: Wish,
    *,
    at: datetime,
    dry_run: bool = False,
) -> list[Switched]:
    """Have it as wished for, all targets in one transaction; a target that is so already stays untouched.

    A run at work is not stopped: it goes on to its end.
    """
    flow = wish.flow.name
    if dry_run:
        known = switches.all()
        changed = [target for target in wish.targets if _is_on(known.get((flow, target))) is not wish.enabled]
    else:
        changed = switches.set(
            flow, wish.targets, enabled=wish.enabled, by_whom=wish.by_whom, reason=wish.reason, at=at
        )
        known = switches.all()
    return [
        Switched(target, target in changed, known.get((flow, target)), is_at_work(flow, target))
        for target in wish.targets
    ]


def _is_on(known: FlowSwitch | None) -> bool:
    return known is None or known.is_enabled
