"""What still keeps combinations out, as commands tell it that change something about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from brekzsync.commands.invocation import Invocation
    from brekzsync.domain.diagnosis import Step
    from brekzsync.domain.keys import ProductKey
    from brekzsync.domain.products import Refusal
    from brekzsync.flows.products.still_blocked import Blocked

FEW = 5
_WARNINGS = 20


def shown(key: ProductKey) -> str:
    return f"{key[0]}-{key[1]}"


def listed_words(words: Sequence[str]) -> str:
    more = f" and {len(words) - FEW} more" if len(words) > FEW else ""
    return ", ".join(words[:FEW]) + more


def step_told(invocation: Invocation, step: Step) -> str:
    return f"{step.text.rstrip('.')}: {invocation.typed(step.command)}" if step.command else step.text


def show_table(
    invocation: Invocation, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]
) -> None:
    """What a command did; with -q only what is wrong is told."""
    if invocation.console.verbosity >= 0:
        invocation.console.table(title, columns, rows)


def criteria_document(blocked: Blocked | None) -> list[dict[str, str]]:
    return [{"code": one.code, "detail": one.detail} for one in blocked.criteria] if blocked else []


def remedies_document(blocked: Blocked | None) -> list[dict[str, str | None]]:
    """Commands without the program's name, which stands before them with its own options."""
    steps = blocked.steps if blocked else ()
    return [{"text": step.text, "command": step.command or None} for step in steps]


def warn_of_blocked(
    invocation: Invocation,
    blocked: Mapping[ProductKey, Blocked],
    refusals: Mapping[ProductKey, Sequence[Refusal]] | None = None,
) -> None:
    """Warn of every criterion in the way, with every remedy; combinations with the same are told together."""
    alike: dict[str, list[str]] = {}
    for key in sorted({*blocked, *(refusals or ())}):
        its = blocked.get(key)
        evidence = [criterion.detail for criterion in its.criteria] if its else []
        missing = [refusal.message for refusal in (refusals or {}).get(key, ())]
        steps = [step_told(invocation, step) for step in its.steps] if its else []
        alike.setdefault(" ".join([*evidence, *missing, *steps]), []).append(shown(key))
    told = list(alike.items())
    for text, keys in told[:_WARNINGS]:
        invocation.console.warning(f"{listed_words(keys)} cannot go yet. {text}")
    rest = sum(len(keys) for _, keys in told[_WARNINGS:])
    if rest:
        invocation.console.warning(f"{rest} more cannot go yet; `brekzsync products diagnose` tells why.")
