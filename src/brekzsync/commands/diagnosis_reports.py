"""How diagnoses are shown: a card for each of a few, a table of many, and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from shlex import quote
from typing import TYPE_CHECKING, Any

from brekzsync.commands.times import moment, stamp
from brekzsync.errors import BrekzsyncError

if TYPE_CHECKING:
    from brekzsync.commands.invocation import Invocation
    from brekzsync.console import CardBlock, Tone
    from brekzsync.domain.completeness import FieldState
    from brekzsync.domain.diagnosis import Diagnosis, ErpState, Step, SyncState

CARDS = 5
"""Up to so many are shown one by one."""

_TONES: Mapping[str, Tone] = {
    "in_sync": "good",
    "pending": "neutral",
    "blocked": "bad",
    "incomplete": "bad",
    "unknown": "bad",
}
_WORDS = {"in_sync": "in sync"}


@dataclass(slots=True, kw_only=True)
class Found:
    """What was found: counts by verdict, the first diagnoses with their targets, and what could not be asked.

    ``limit`` is how many rows a table has; ``by_target`` whether there are several targets to tell apart;
    ``nothing`` is what to say when nothing was found.
    """

    limit: int
    by_target: bool
    nothing: str
    counts: Counter[str] = field(default_factory=Counter)
    first: list[tuple[str, Diagnosis]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def add(self, target: str, one: Diagnosis) -> None:
        self.counts[one.verdict] += 1
        if len(self.first) < max(self.limit, CARDS):
            self.first.append((target, one))

    @property
    def total(self) -> int:
        return self.counts.total()

    def document(self) -> tuple[bool, dict[str, Any]]:
        """Whether all is well, and what JSON says beside the combinations."""
        from brekzsync.console import failure

        stopped = sum(self.counts[verdict] for verdict in ("blocked", "incomplete", "unknown"))
        rest: dict[str, Any] = {"counts": dict(self.counts), "erp_problems": self.problems}
        if stopped:
            error = BrekzsyncError(
                f"{stopped} of {_many(self.total)} cannot go to the ERP yet.",
                hint="Each one's remedy says what to do.",
                code="blockers_found",
            )
            rest["error"] = failure(error)
        return not stopped, rest


def _many(count: int) -> str:
    return f"{count} combination" if count == 1 else f"{count} combinations"


# --- for people ------------------------------------------------------------------------------------------


def show(invocation: Invocation, found: Found) -> None:
    console = invocation.console
    if console.is_silent:
        return
    for problem in found.problems:
        console.warning(f"What the ERP holds is not known. {problem}")
    if found.total <= CARDS:
        for target, one in found.first:
            _show_card(invocation, one, target if found.by_target else "")
    else:
        columns = ["Key", "Item code", "Verdict", "Why, and what to do"]
        rows = [
            [
                one.key,
                one.item_code,
                _word(one.verdict),
                _why_and_what(one, target if found.by_target else ""),
            ]
            for target, one in found.first[: found.limit]
        ]
        if found.by_target:
            columns = ["Target", *columns]
            rows = [[target, *row] for (target, _), row in zip(found.first, rows, strict=False)]
        console.table(
            "Products", columns, rows, tones={_word(verdict): tone for verdict, tone in _TONES.items()}
        )
    if found.total != 1:
        console.notice(_summary(found))


def _summary(found: Found) -> str:
    if not found.total:
        return found.nothing
    parts = ", ".join(f"{count} {_word(verdict)}" for verdict, count in found.counts.most_common())
    more = ""
    if found.total > max(found.limit, CARDS):
        more = f" The first {found.limit} are shown: --limit N shows more, --json all."
    return f"{_many(found.total)}: {parts}.{more}"


def _word(verdict: str) -> str:
    return _WORDS.get(verdict, verdict)


def _why_and_what(one: Diagnosis, target: str) -> str:
    command = next((_command(step, target) for step in one.steps if step.command), "")
    what = next((step.text for step in one.steps if not step.command), "")
    if command and not command.startswith("products export"):
        return f"{one.why}\n→ {command}"
    return f"{one.why}\n→ {what}" if what and what not in one.why else one.why


def _show_card(invocation: Invocation, one: Diagnosis, target: str) -> None:
    title = "  ".join(filter(None, (one.key, one.item_code, one.name, target and f"→ {target}")))
    blocks = list(_blocks(one))
    tone = "neutral" if one.verdict == "in_sync" and one.steps else _TONES[one.verdict]
    invocation.console.card(title, _word(one.verdict), tone, one.why, blocks)
    if not one.steps and one.criteria:
        invocation.console.output("Remedy: none needed.")
    for line in _remedy_lines(invocation, one.steps, target):
        invocation.console.output(line)


def _blocks(one: Diagnosis) -> Iterator[CardBlock]:
    if one.criteria:
        calm = one.verdict == "in_sync"  # then nothing is wrong with what did not change
        marks = {True: "good", False: "blank" if calm else "bad"}
        yield "Criteria", [(marks[state.passed], state.code, state.detail) for state in one.criteria]
    if one.fields:
        yield "Fields", [_field_row(field) for field in one.fields]
    if one.changes:
        yield "Changes", [("", change.field, _arrow(change.before, change.after)) for change in one.changes]
    if one.criteria:
        yield "Ledger", [("", "", sentence) for sentence in _sync_sentences(one.sync)]
        yield "Exact", list(_erp_rows(one.erp))


def _field_row(field: FieldState) -> tuple[str, str, str]:
    if field.status == "ok":
        return "good", field.name, f"{field.value} — {field.note}" if field.note else field.value
    if field.required:  # the card's first line says what is wrong with it
        return "bad", field.name, field.value or "missing"
    return "blank", field.name, f"blank — {field.note}" if field.note else "blank"


def _arrow(before: str, after: str) -> str:
    return f"{before or '(blank)'} → {after or '(blank)'}"


def _sync_sentences(sync: SyncState) -> list[str]:
    if sync.status is None:
        return ["No run has sent it."]
    sentences = [f"{sync.status.capitalize()}{f' ({sync.reason})' if sync.reason else ''}."]
    if sync.synced_at is not None:
        sentences[0] += f" Last acknowledged on {moment(sync.synced_at)}."
    if sync.message:
        tries = f" ({sync.attempts} attempts)" if sync.attempts > 1 else ""
        sentences.append(f"{sync.message}{tries}")
    if sync.next_attempt_at is not None:
        sentences.append(f"Next attempt after {moment(sync.next_attempt_at)}.")
    return sentences


def _erp_rows(erp: ErpState) -> Iterator[tuple[str, str, str]]:
    yield {True: "good", False: "bad", None: "blank"}[erp.present], "", erp.detail
    if erp.item is None:
        return
    expected = {change.field: change.after for change in erp.differences}
    for name, held in (
        ("description", erp.item.description),
        ("price", erp.item.price),
        ("VAT code", erp.item.vat_code),
        ("ean13", erp.item.gtin),
    ):
        if name in expected:
            yield "bad", name, f"{_shown(held)} in Exact, {expected[name]} expected"
        elif held not in (None, ""):
            yield "good", name, _shown(held)
    if erp.item.condition:
        yield "bad" if erp.item.is_blocked else "good", "condition", erp.item.condition


def _shown(held: object) -> str:
    return str(held) if held not in (None, "") else "(blank)"


def _command(step: Step, target: str) -> str:
    """Its words; ``target`` is given where there are several."""
    return f"{step.command} --target {quote(target)}" if target and step.of_target else step.command


def _remedy_lines(invocation: Invocation, steps: Sequence[Step], target: str) -> Iterator[str]:
    """Outside the card, where a command stays on one line and can be pasted."""
    for number, step in enumerate(steps, start=1):
        lead = "Remedy:" if len(steps) == 1 else f"Remedy {number}:"
        if step.text:
            yield f"{lead} {step.text}"
        if step.command:
            typed = invocation.typed(_command(step, target))
            yield f"    {typed}" if step.text else f"{lead} {typed}"


# --- for machines ----------------------------------------------------------------------------------------


def combination_document(
    invocation: Invocation, target: str, one: Diagnosis, *, by_target: bool
) -> dict[str, Any]:
    """One diagnosis as JSON; ``remedy`` is its steps in one line, ``commands`` those that can be run."""
    typed = [
        invocation.typed(_command(step, target if by_target else "")) if step.command else ""
        for step in one.steps
    ]
    return {
        "key": one.key,
        "target": target,
        "item_code": one.item_code,
        "description": one.name,
        "verdict": one.verdict,
        "why": one.why,
        "criteria": [
            {"code": state.code, "passed": state.passed, "detail": state.detail} for state in one.criteria
        ],
        "fields": [
            {
                "name": field.name,
                "required": field.required,
                "status": field.status,
                "value": field.value,
                "note": field.note,
            }
            for field in one.fields
        ],
        "changes": [change._asdict() for change in one.changes],
        "sync": {
            "status": one.sync.status,
            "reason": one.sync.reason,
            "message": one.sync.message,
            "attempts": one.sync.attempts,
            "synced_at": stamp(one.sync.synced_at),
            "next_attempt_at": stamp(one.sync.next_attempt_at),
        },
        "erp": _erp_document(one.erp),
        "remedy": " ".join(filter(None, chain(*zip((step.text for step in one.steps), typed, strict=True)))),
        "commands": [command for command in typed if command],
    }


def _erp_document(erp: ErpState) -> dict[str, Any]:
    document: dict[str, Any] = {"present": erp.present, "detail": erp.detail}
    if erp.item is not None:
        price = erp.item.price
        document |= {
            "description": erp.item.description,
            "price": None if price is None else str(price),
            "condition": erp.item.condition,
            "blocked": erp.item.is_blocked,
        }
    return document | {"differences": [change._asdict() for change in erp.differences]}
