"""What ``[marketplace]`` does not say, or says twice, finding by finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from brekzsync.domain.order_status import plain
from brekzsync.flows.configuration.rules import (
    Finding,
    Severity,
    ShopNames,
    listed,
    shops_that_are_not_there,
)
from brekzsync.settings import Settings
from brekzsync.settings.marketplace import MarketplaceSettings
from brekzsync.settings.toml_text import toml_value

_OPERATIONS: Final = ("shipped_states", "canceled_states", "refunded_states", "delivered_states")
_SECTION: Final = "marketplace"


def marketplace_in_itself(settings: Settings) -> Iterator[Finding]:
    """Everything that neither shop nor marketplace need be asked for; nothing where the file says nothing of it."""
    marketplace = settings.marketplace
    if not marketplace.is_in_use:
        return
    yield from _told_twice(marketplace)
    if not any(getattr(marketplace, key) for key in (*_OPERATIONS, "implies_shipped")):
        yield _finding(
            Severity.ERROR,
            "shipped_states",
            "No order state is reported to the marketplace, so no run begins.",
            "Set shipped_states = [4] to the states (id_order_state) that mean shipped, and its siblings.",
        )
    else:
        yield from _never_shipped(marketplace)
    yield from _one_channel_twice(marketplace.channel_operations)
    if marketplace.dry_run:
        yield _finding(
            Severity.WARNING,
            "dry_run",
            "The marketplace is never told of anything: every run only says what it would send.",
            "Remove dry_run once what `brekzsync orders push-status` shows is right.",
        )


def marketplace_shops(settings: Settings, shop: ShopNames) -> Iterator[Finding]:
    """Shops whose orders should count and that do not exist."""
    return shops_that_are_not_there(_SECTION, settings.marketplace.shops, shop)


def _told_twice(marketplace: MarketplaceSettings) -> Iterator[Finding]:
    """One state is one thing; and a canceled order was not shipped."""
    told: dict[int, str] = {}
    for key in _OPERATIONS:
        for state in dict.fromkeys(getattr(marketplace, key)):
            other = told.setdefault(state, key)
            if other != key:
                yield _finding(
                    Severity.ERROR,
                    key,
                    f"Order state {state} stands in {other} and in {key}: one state is reported as one thing.",
                    f"Take {state} out of one of the two.",
                )
    if both := _shared(marketplace.implies_shipped, marketplace.canceled_states):
        yield _finding(
            Severity.ERROR,
            "implies_shipped",
            f"Order state {listed(both)} stands in canceled_states too: an order that is canceled would be reported as"
            " shipped first, and can then not be canceled any more.",
            f"Take {listed(both)} out of implies_shipped.",
        )


def _never_shipped(marketplace: MarketplaceSettings) -> Iterator[Finding]:
    """Lists that make a shipment go unreported."""
    implied = marketplace.implies_shipped
    if implied and not marketplace.shipped_states:
        yield _finding(
            Severity.WARNING,
            "shipped_states",
            f"Only order state {listed([str(state) for state in implied])}, which implies shipped, reports a shipment:"
            " an order is not reported while it is shipped and no more.",
            "Set shipped_states = [4] to the states (id_order_state) that mean shipped.",
        )
    missing = [state for state in marketplace.delivered_states if state not in implied]
    if missing:
        yield _finding(
            Severity.WARNING,
            "implies_shipped",
            f"An order that comes to order state {listed([str(state) for state in missing])} before its shipment was"
            " reported is only ever reported as delivered.",
            f"Set implies_shipped = {toml_value([*implied, *missing])}.",
        )


def _one_channel_twice(operations: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """Channels are compared by letters and digits alone, and the first that fits counts."""
    first: dict[str, str] = {}
    for name in operations:
        other = first.setdefault(plain(name), name)
        if other != name:
            yield _finding(
                Severity.WARNING,
                "channel_operations",
                f'"{name}" and "{other}" are the same channel: only what "{other}" takes counts.',
                f'Remove "{name}", or put both together.',
            )


def _shared(one: Sequence[int], other: Sequence[int]) -> list[str]:
    return [str(state) for state in dict.fromkeys(one) if state in other]


def _finding(severity: Severity, key: str, message: str, remedy: str) -> Finding:
    return Finding(severity, _SECTION, key, message, remedy)
