"""``brekzsync products diagnose``: why a product is, or is not, on its way to the ERP."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from brekzsync.commands.ids import ids_argument
from brekzsync.commands.invocation import Invocation, pass_invocation
from brekzsync.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from brekzsync.commands.diagnosis_reports import Found
    from brekzsync.console import LongDocument
    from brekzsync.domain.diagnosis import Diagnosis
    from brekzsync.flows.products.diagnosis import OpenDiagnosis
    from brekzsync.state.database import State

BLOCKERS_FOUND = 4
SHOWN = 100


class Question(NamedTuple):
    """What a person wants to know: some words, or everything, or what the ERP lacks."""

    words: tuple[str, ...]
    by: Any
    missing: bool

    def answers(self, opened: OpenDiagnosis) -> Iterator[Diagnosis]:
        if self.words:
            return opened.named(self.words, self.by)
        return opened.missing() if self.missing else opened.all()


@click.command(epilog="Example: brekzsync products diagnose 2-202 12")
@ids_argument()
@click.option("--by", type=click.Choice(["reference", "ean13"]), help="IDs are references or EANs, not keys.")
@click.option("--missing", is_flag=True, help="Every eligible combination that the ERP does not have.")
@click.option("--all", "everything", is_flag=True, help="Every combination of the shop.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=SHOWN,
    metavar="N",
    help=f"Rows of the table at most [default: {SHOWN}]; --json always has all.",
)
@click.option("--target", metavar="NAME", help="Only for this one of several targets.")
@pass_invocation
def diagnose(
    invocation: Invocation,
    ids: tuple[str, ...],
    by: str | None,
    missing: bool,
    everything: bool,
    limit: int,
    target: str | None,
) -> int:
    """Tell why a product is, or is not, on its way to the ERP, and what to do about it.

    IDs are combination keys (12-34), product ids (12: all its combinations), references or EANs; "-" reads
    them from standard input, one a line. Shows the four criteria with their evidence, the fields, what
    changed since the ERP acknowledged it, what the ERP holds, and the remedy. Writes nothing.

    Ends with 4 when something is blocked, incomplete or unknown.
    """
    if (bool(ids), missing, everything).count(True) != 1:
        raise click.UsageError("Give IDs, or --missing, or --all.")
    if by and not ids:
        raise click.UsageError("--by says what the IDs are: give at least one.")
    question = Question(_with_standard_input(ids), by, missing)
    found = _ask(invocation, question, target, limit)
    blocked = sum(found.counts[verdict] for verdict in ("blocked", "incomplete", "unknown"))
    return BLOCKERS_FOUND if blocked else 0


def _with_standard_input(ids: tuple[str, ...]) -> tuple[str, ...]:
    if "-" not in ids:
        return ids
    # Bytes that are no text name nothing, and are shown as such.
    lines = [line.strip() for line in sys.stdin.buffer.read().decode("utf-8-sig", "replace").splitlines()]
    words = tuple(word for word in ids if word != "-") + tuple(line for line in lines if line)
    if not words:
        raise InvalidInput("There was no id on standard input.", hint="Give one a line.", code="no_ids")
    return words


def _ask(invocation: Invocation, question: Question, target: str | None, limit: int) -> Found:
    from brekzsync.bootstrap.state import state_of
    from brekzsync.commands.diagnosis_reports import Found, show

    settings = invocation.settings
    names = settings.target_names()
    nothing = "Nothing is missing." if question.missing else "The shop has no combinations."
    found = Found(limit=limit, by_target=len(names) > 1, nothing=nothing)
    with (
        invocation.console.long_document("products diagnose", "combinations") as document,
        state_of(settings, writes=False) as state,
    ):
        if state.is_missing:
            invocation.console.warning(
                "The state database does not exist: what the ERP acknowledged and who excluded what is not known."
                " If it was lost, put its backup back first."
            )
        for name in [target] if target else names:
            _ask_target(invocation, question, state, name, found, document)
        show(invocation, found)
        document.finish(*found.document())
    return found


def _ask_target(
    invocation: Invocation,
    question: Question,
    state: State,
    target: str,
    found: Found,
    document: LongDocument,
) -> None:
    from brekzsync.bootstrap.product_diagnosis import product_diagnosis
    from brekzsync.commands.diagnosis_reports import combination_document

    console = invocation.console
    with (
        product_diagnosis(invocation.settings, target, state) as diagnosis,
        console.progress(f"Looking at products → {target}") as advance,
        diagnosis.open() as opened,
    ):
        for one in question.answers(opened):
            found.add(target, one)
            document.add(combination_document(invocation, target, one, by_target=found.by_target))
            advance(1)
        if opened.erp.problem:
            found.problems.append(
                f"{target}: {opened.erp.problem}" if found.by_target else opened.erp.problem
            )
