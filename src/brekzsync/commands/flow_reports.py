"""How switches are shown: for people, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from brekzsync.commands.times import moment, stamp

if TYPE_CHECKING:
    from brekzsync.bootstrap.flows import ListedFlow
    from brekzsync.commands.invocation import Invocation
    from brekzsync.console import Console
    from brekzsync.domain.sync_flows import FlowSwitch
    from brekzsync.flows.flow_switching import Switched, Wish


def switch_document(switch: FlowSwitch | None) -> dict[str, Any]:
    """A switch as part of a document; nulls for a flow nobody ever switched."""
    return {
        "enabled": switch is None or switch.is_enabled,
        "since": None if switch is None else stamp(switch.at),
        "by": None if switch is None else switch.by_whom,
        "reason": None if switch is None else switch.reason,
    }


def list_document(listed: Sequence[ListedFlow]) -> dict[str, Any]:
    return {
        "flows": [
            {
                "flow": one.flow.name,
                "target": one.target,
                **switch_document(one.switch),
                "command": one.flow.command,
            }
            for one in listed
        ]
    }


def show_list(console: Console, listed: Sequence[ListedFlow]) -> None:
    rows = [
        (
            one.flow.name,
            one.target,
            "on" if one.switch is None or one.switch.is_enabled else "off",
            "" if one.switch is None else moment(one.switch.at),
            "" if one.switch is None else one.switch.by_whom,
            "" if one.switch is None else one.switch.reason,
            one.flow.command,
        )
        for one in listed
    ]
    console.table("Flows", ["Flow", "Target", "Is", "Since", "By", "Why", "Command"], rows)


def switched_document(wish: Wish, switched: Sequence[Switched], *, dry_run: bool) -> dict[str, Any]:
    """What became of each target; ``since``, ``by`` and ``reason`` tell how it is switched now."""
    targets = [
        {
            "target": one.target,
            "changed": one.changed,
            **switch_document(one.switch),
            "at_work": one.is_at_work,
        }
        for one in switched
    ]
    return {"flow": wish.flow.name, "enabled": wish.enabled, "dry_run": dry_run, "targets": targets}


def show_switched(invocation: Invocation, wish: Wish, switched: Sequence[Switched], *, dry_run: bool) -> None:
    console = invocation.console
    for one in switched:
        console.notice(_sentence(wish, one, dry_run=dry_run))
        if one.is_at_work and one.changed and not wish.enabled:
            console.notice(f"A run to {one.target} is at work now: it goes on to its end.")
    if any(one.changed for one in switched) and not dry_run:
        console.notice(_following(wish, invocation))


def _sentence(wish: Wish, one: Switched, *, dry_run: bool) -> str:
    what, word = f"{wish.flow.name} → {one.target}", "on" if wish.enabled else "off"
    if not one.changed:
        return f"{what} is switched {word} already{f' ({told(one.switch)})' if one.switch else ''}."
    return f"{'Would switch' if dry_run else 'Switched'} {word} {what}."


def _following(wish: Wish, invocation: Invocation) -> str:
    if wish.enabled:
        what = "send what has waited" if wish.flow.done == "exported" else "run it now"
        return f"Next: wait for cron, or {what}: {invocation.typed(wish.flow.command)}"
    one = wish.targets[0] if len(wish.targets) == 1 else None
    until = enabling(invocation, wish.flow.name, one)
    return f"Its runs do nothing, and what waits stays pending, until: {until}"


def enabling(invocation: Invocation, flow: str, target: str | None) -> str:
    """The command that switches it on again; it names the target where there are others."""
    from brekzsync.bootstrap.flows import targets_for
    from brekzsync.domain.sync_flows import FLOWS

    several = target is not None and len(targets_for(invocation.settings, FLOWS[flow])) > 1
    return invocation.typed(f"flows enable {flow}{f' --target {target}' if several else ''}")


def told(switch: FlowSwitch) -> str:
    """Who switched it, when and why, for between brackets."""
    who = f"by {switch.by_whom}, " if switch.by_whom else ""
    why = f": {switch.reason}" if switch.reason else ""
    return f"{who}{moment(switch.at)}{why}"
