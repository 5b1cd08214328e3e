"""What ``orders settle`` and ``refunds settle`` do and show."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from brekzsync.commands.invocation import Invocation

if TYPE_CHECKING:
    from brekzsync.flows.orders.deciding import Decided, Decision
    from brekzsync.flows.orders.kinds import Kind
    from brekzsync.flows.orders.settlement import ReadBack


class _Looked(NamedTuple):
    kind: Kind[Any]
    target: str
    came_to: ReadBack
    waiting: int


def read_back(
    invocation: Invocation, kinds: Sequence[Kind[Any]], target: str | None, *, dry_run: bool
) -> int:
    """Look everything that is out up in the ERP; exit code 3 when of something nobody knows what became."""
    from brekzsync.bootstrap.orders import order_flow
    from brekzsync.bootstrap.state import state_if_any
    from brekzsync.commands.target_runs import remembering
    from brekzsync.flows.orders.deciding import Deciding

    names = [target] if target else invocation.settings.target_names()
    looked = []
    # A state that does not exist yet is made by a run that sends something: here it is one with nothing in it.
    with state_if_any(invocation.settings, writes=not dry_run) as state:
        for name in names:
            for kind in kinds:
                with order_flow(invocation.settings, name, state, kind) as flow:
                    look = partial(Deciding(flow).read_back, dry_run=dry_run)
                    command = f"{kind.noun}s settle"
                    came_to = remembering(invocation, state.runs, kind.flow, name, look, command=command)
                    looked.append(_Looked(kind, name, came_to, sum(1 for _ in flow.claims.open())))
    unknown = sum(len(one.came_to.unknown) for one in looked)
    _show(invocation, looked, dry_run=dry_run)
    payload: dict[str, Any] = {"dry_run": dry_run, "records": [_document(one) for one in looked]}
    if unknown:
        payload["error"] = {
            "code": "outcome_unknown",
            "message": f"Nobody knows what became of {unknown} of them, and the ERP cannot be asked.",
            "hint": "`brekzsync logs list --status failed` names them.",
        }
    invocation.console.document(f"{kinds[0].noun}s settle", not unknown, payload)
    return 3 if unknown else 0


def _document(one: _Looked) -> dict[str, Any]:
    keys = {name: [str(key[0]) for key in found] for name, found in one.came_to.told().items()}
    return {"type": one.kind.flow, "target": one.target, **keys, "waiting": one.waiting}


def _show(invocation: Invocation, looked: Sequence[_Looked], *, dry_run: bool) -> None:
    console = invocation.console
    columns = ["What", "Target", "Found in the ERP", "Sent again", "Unknown", "Awaited"]
    rows = [
        (f"{one.kind.noun.capitalize()}s", one.target, *map(len, one.came_to.told().values()), one.waiting)
        for one in looked
    ]
    if console.verbosity >= 0:
        console.table(f"Looked up{' (dry run: nothing written)' if dry_run else ''}", columns, rows)
    for one in looked:
        for key in one.came_to.unknown:
            shown = invocation.typed(f"logs show {key[0]} --type {one.kind.flow}")
            told = f"Nobody knows what became of {one.kind.noun} {key[0]}: {shown}"
            console.warning(told)
            if key in one.came_to.newly_unknown:
                console.cron_report(f"{one.kind.noun}s → {one.target}: {told}")


def decide(
    invocation: Invocation,
    kind: Kind[Any],
    ids: tuple[int, ...],
    decision: Decision,
    target: str | None,
    *,
    dry_run: bool,
) -> int:
    """Take a person's word for what became of some records."""
    from brekzsync.bootstrap.orders import order_flow
    from brekzsync.bootstrap.state import existing_state
    from brekzsync.errors import InvalidInput
    from brekzsync.flows.orders.deciding import Deciding

    names = [target] if target else invocation.settings.target_names()
    if len(names) > 1:
        raise InvalidInput(
            f"There are {len(names)} targets: {', '.join(names)}.", hint="Name the one meant with --target."
        )
    with (
        existing_state(invocation.settings, writes=not dry_run) as state,
        order_flow(invocation.settings, names[0], state, kind) as flow,
    ):
        decided = Deciding(flow).decide(ids, decision, dry_run=dry_run)
    for one in decided:
        invocation.console.notice(f"{'Would: ' if dry_run else ''}{one.message}")
    invocation.console.document(
        f"{kind.noun}s settle", True, {"dry_run": dry_run, "records": [_decided(one) for one in decided]}
    )
    return 0


def _decided(one: Decided) -> dict[str, Any]:
    return {"id": str(one.id), "became": one.became.value, "message": one.message}
