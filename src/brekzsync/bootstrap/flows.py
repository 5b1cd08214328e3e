"""Flows: how they are switched and how they are, for the targets of this configuration."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from brekzsync.bootstrap.state import existing_state, utc_now
from brekzsync.domain.sync_flows import FLOWS, FlowSwitch, SyncFlow
from brekzsync.errors import ConfigurationError
from brekzsync.flows.flow_status import health
from brekzsync.flows.flow_switching import Switched, Wish, switch
from brekzsync.flows.health import FlowHealth

if TYPE_CHECKING:
    from brekzsync.settings import Settings


class _Section(Protocol):
    """The part of the configuration that speaks of a flow."""

    @property
    def is_in_use(self) -> bool: ...
    @property
    def overdue_after(self) -> timedelta: ...


_SECTIONS: Final[dict[str, Callable[[Settings], _Section]]] = {
    "product": lambda settings: settings.products,
    "order": lambda settings: settings.orders,
    "refund": lambda settings: settings.orders,
    "stock": lambda settings: settings.stock,
    "shipment": lambda settings: settings.shipments,
    "order_status": lambda settings: settings.marketplace,
}


class ListedFlow(NamedTuple):
    """A flow to one target, and how a person last switched it."""

    flow: SyncFlow
    target: str
    switch: FlowSwitch | None


def targets_for(settings: Settings, flow: SyncFlow) -> list[str]:
    """Where a flow goes: to all configured targets, or to the one of its own."""
    return [flow.own_target] if flow.own_target else settings.target_names()


def targets_of(settings: Settings, flow: SyncFlow, named: str | None) -> list[str]:
    """All targets of a flow, or the one ``named``. Raises ConfigurationError (``unknown_target``)."""
    if named is None or named == flow.own_target:
        return targets_for(settings, flow)
    if flow.own_target:
        raise ConfigurationError(
            f"{flow.name} goes to {flow.own_target} alone, whatever targets are configured.",
            hint="Leave --target out.",
            code="unknown_target",
        )
    settings.for_target(named)
    return [named]


def is_configured(settings: Settings, flow: str, target: str) -> bool:
    """Whether there is such a target, and the configuration says anything of this flow to it."""
    named = FLOWS[flow]
    return target in targets_for(settings, named) and _section(settings, named, target).is_in_use


def _section(settings: Settings, flow: SyncFlow, target: str) -> _Section:
    return _SECTIONS[flow.name](settings if flow.own_target else settings.for_target(target))


def list_flows(settings: Settings) -> list[ListedFlow]:
    """Every flow to every configured target."""
    with existing_state(settings, writes=False) as state:
        known = state.switches.all()
    return [
        ListedFlow(flow, target, known.get((flow.name, target)))
        for flow in FLOWS.values()
        for target in targets_for(settings, flow)
    ]


def switch_flow(settings: Settings, wish: Wish, *, dry_run: bool) -> list[Switched]:
    """Switch a flow as wished for; with ``dry_run`` only say what would change.

    Raises ConfigurationError when order statuses are to be switched on while another module tells them too.
    """
    if wish.enabled and wish.flow.name == "order_status" and settings.marketplace.is_in_use:
        # The gateways of shop and marketplace, which nothing else here needs.
        from brekzsync.bootstrap.marketplace_checks import refuse_other_modules

        refuse_other_modules(settings)
    with existing_state(settings, writes=not dry_run) as state:
        return switch(state.switches, state.locks.is_held, wish, at=utc_now(), dry_run=dry_run)


def flow_health(settings: Settings) -> list[FlowHealth]:
    """How every flow to every configured target is now."""
    with existing_state(settings, writes=False) as state:
        now = utc_now()
        return [
            health(
                state,
                flow,
                target,
                is_configured=is_configured(settings, flow.name, target),
                overdue_after=_section(settings, flow, target).overdue_after,
                now=now,
            )
            for flow in FLOWS.values()
            for target in targets_for(settings, flow)
        ]
