"""Why nothing is told at all, whatever waits: the configuration says too little, or another module tells it."""

from __future__ import annotations

from collections.abc import Iterable

from brekzsync.domain.order_status import Conflict, ShopSync, StatusRules, conflict
from brekzsync.errors import ConfigurationError


def refuse_unmapped(rules: StatusRules) -> None:
    """Raises ConfigurationError (``no_states_mapped``) where no order state means anything: silence would pass for
    health."""
    if rules.is_empty:
        raise ConfigurationError(
            "[marketplace] names no order state, so the marketplace would never be told of anything.",
            hint="Set shipped_states = [4] and its siblings to the states (id_order_state) that mean it;"
            " `brekzsync config check` compares them with the shop's.",
            code="no_states_mapped",
        )


def conflicts(
    shops: Iterable[ShopSync], *, allow_when_absent: bool, allow_module_sync: bool
) -> Iterable[Conflict]:
    """What stands in the way, shop by shop."""
    for shop in shops:
        found = conflict(shop, allow_when_absent=allow_when_absent, allow_module_sync=allow_module_sync)
        if found is not None:
            yield found


def refuse_conflicts(shops: Iterable[ShopSync], *, allow_when_absent: bool, allow_module_sync: bool) -> None:
    """Raises ConfigurationError with the code of the first conflict and the sentences of all: two that tell the
    marketplace tell it twice."""
    found = list(conflicts(shops, allow_when_absent=allow_when_absent, allow_module_sync=allow_module_sync))
    if found:
        hints = dict.fromkeys(one.hint for one in found)
        raise ConfigurationError(
            " ".join(one.message for one in found), hint=" ".join(hints), code=found[0].code
        )
