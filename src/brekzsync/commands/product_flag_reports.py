"""How forcing, excluding and including are shown: for people, and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from brekzsync.commands.blocked_reports import (
    FEW,
    criteria_document,
    listed_words,
    remedies_document,
    show_table,
    shown,
    warn_of_blocked,
)
from brekzsync.commands.times import moment, stamp

if TYPE_CHECKING:
    from brekzsync.commands.invocation import Invocation
    from brekzsync.domain.exclusions import Exclusion
    from brekzsync.flows.products.flags import Excluded, Included, Inclusion
    from brekzsync.flows.products.force_sync import Forced
    from brekzsync.flows.products.withdrawal import Withdrawal

Told = tuple[str, bool, Sequence["Forced"]]
"""A target, whether it gets files, and what was forced for it."""

# --- force-sync ------------------------------------------------------------------------------------------


def forced_document(told: Sequence[Told], *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "forced": [_one_forced(target, one) for target, _, plan in told for one in plan],
    }


def _one_forced(target: str, one: Forced) -> dict[str, Any]:
    return {
        "target": target,
        "key": shown(one.key),
        "item_code": one.item_code,
        "earlier_code": one.earlier_code or None,
        "already": one.waits_already,
        "blockers": criteria_document(one.blocked),
        "missing": [{"reason": refusal.reason, "message": refusal.message} for refusal in one.refusals],
        "remedies": remedies_document(one.blocked),
    }


def show_forced(
    invocation: Invocation, told: Sequence[Told], off: Sequence[str], *, only: str | None, dry_run: bool
) -> None:
    """``off`` are the targets whose flow is switched off, ``only`` the one that was asked for."""
    console = invocation.console
    for target, sends_files, plan in told:
        title = f"Force-sync → {target}{' (dry run: nothing written)' if dry_run else ''}"
        rows = [
            (shown(one.key), one.item_code, _fate(one, sends_files=sends_files, dry_run=dry_run))
            for one in plan
        ]
        show_table(invocation, title, ["Key", "Item code", "What happens"], rows)
    every = {one.key: one for _, _, plan in told for one in plan}
    warn_of_blocked(
        invocation,
        {key: one.blocked for key, one in every.items() if one.blocked},
        {key: one.refusals for key, one in every.items() if one.refusals},
    )
    for target in off:
        switching = invocation.typed(f"flows enable product --target {target}")
        console.warning(f"The flow product → {target} is switched off: nothing goes out until {switching}")
    if not dry_run and any(files and target not in off for target, files, _ in told):
        ready = [shown(one.key) for one in every.values() if not (one.blocked or one.refusals)]
        if ready:
            words = " ".join(ready) if len(ready) <= FEW else ""
            following = " ".join(filter(None, ("products export", words, only and f"--target {only}")))
            console.notice(f"Next: wait for cron, or send now: {invocation.typed(following)}")


def _fate(one: Forced, *, sends_files: bool, dry_run: bool) -> str:
    when = "with the next export" if sends_files else "with Exact's next pull"
    if one.blocked:
        when = "once nothing keeps it out any more"
    elif any(refusal.reason == "duplicate_item_code" for refusal in one.refusals):
        when = "once no other has its item code"
    elif one.refusals:
        when = "once it is complete"
    code = (
        f", under its new code: Exact keeps {one.earlier_code} as an item of its own"
        if one.earlier_code
        else ""
    )
    if one.waits_already:
        return f"Was asked for already: goes out {when}{code}."
    return f"{'Would go' if dry_run else 'Goes'} out {when}{code}."


# --- exclude ---------------------------------------------------------------------------------------------


def exclusion_document(one: Exclusion) -> dict[str, Any]:
    """An exclusion as JSON; ``key`` is a product's id where it covers the whole product."""
    return {
        "key": one.id.shown,
        "reference": one.reference,
        "by": one.by_whom,
        "at": stamp(one.created_at),
        "reason": one.reason,
    }


def excluded_document(
    excluded: Sequence[Excluded], withdrawals: Sequence[Withdrawal], *, dry_run: bool
) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "excluded": [
            {
                **exclusion_document(one.exclusion),
                "already": one.before is not None,
                "changed": one.is_new,
                "combinations": [shown(key) for key in one.keys],
                "reference_shared_with": [other.shown for other in one.shared_with],
            }
            for one in excluded
        ],
        "outboxes": [
            {
                "target": one.target,
                "withdrawn": one.documents,
                "bulk_documents": list(one.bulks),
                "postponed": one.problem.code if one.problem else None,
            }
            for one in withdrawals
        ],
    }


def show_excluded(invocation: Invocation, excluded: Sequence[Excluded], *, dry_run: bool) -> None:
    title = f"Excluded products{' (dry run: nothing written)' if dry_run else ''}"
    rows = [(one.exclusion.id.shown, _exclusion_told(one, dry_run=dry_run)) for one in excluded]
    show_table(invocation, title, ["Id", "What happens"], rows)


def _exclusion_told(one: Excluded, *, dry_run: bool) -> str:
    if not one.is_new:
        return f"Was excluded already{_who_and_why(one.exclusion)}."
    verb = "Would be kept" if dry_run else "Is kept"
    if one.before is not None:
        renamed = one.exclusion.reason != one.before.reason
        why = f" The reason {'would be' if dry_run else 'is'} now: {one.exclusion.reason}." if renamed else ""
        return f"Was excluded already{_who_and_why(one.before)}.{why} {_scope(one, verb)}"
    return _scope(one, verb)


def _scope(one: Excluded, verb: str) -> str:
    """What the exclusion covers from now on."""
    if one.exclusion.id_product_attribute is None:
        count = len(one.keys)
        return f"{verb} out: {count} combination{'' if count == 1 else 's'}, and all it will ever get."
    if one.exclusion.reference:
        return f"{verb} out, and so is whatever else gets the reference {one.exclusion.reference}."
    if one.shared_with:
        others = listed_words([other.shown for other in one.shared_with])
        have = "has" if len(one.shared_with) == 1 else "have"
        return f"{verb} out by this id only: {others} {have} the same reference and would go with it."
    return f"{verb} out by this id only: it has no reference."


def _who_and_why(one: Exclusion) -> str:
    who = f" by {one.by_whom}" if one.by_whom else ""
    return f"{who} on {moment(one.created_at)}{f': {one.reason}' if one.reason else ''}"


def finish_excluded(
    invocation: Invocation, withdrawals: Sequence[Withdrawal], document: Mapping[str, Any], *, dry_run: bool
) -> None:
    """Tell what became of unread documents; raises what kept a target's from being withdrawn.

    A run at work is no failure: what it leaves the next one withdraws.
    """
    from brekzsync.console import failure
    from brekzsync.errors import LockHeld

    console = invocation.console
    for one in withdrawals:
        _show_withdrawal(invocation, one, dry_run=dry_run)
    failed = [one.problem for one in withdrawals if one.problem and not isinstance(one.problem, LockHeld)]
    if failed:
        console.warning(
            "The exclusion is recorded, but unread documents were not withdrawn: the next export does it."
        )
        console.document("products exclude", False, {**document, "error": failure(failed[0])})
        raise failed[0]
    if not dry_run:
        console.notice("What Exact imported earlier stays there: block the item in Exact if it must go.")
    console.document("products exclude", True, document)


def _show_withdrawal(invocation: Invocation, one: Withdrawal, *, dry_run: bool) -> None:
    from brekzsync.errors import LockHeld

    console = invocation.console
    if one.documents:
        verb = "Would withdraw" if dry_run else "Withdrew"
        count = f"{one.documents} unread document{'' if one.documents == 1 else 's'}"
        console.notice(f"{verb} {count} from the outbox of {one.target}.")
    if isinstance(one.problem, LockHeld):
        console.notice(f"{one.problem.message} The next one after it withdraws what lies unread.")
    for bulk in one.bulks:
        console.warning(
            f"{bulk} lies unread in the outbox of {one.target} and may still hold it: import it only if that is"
            " all right, else delete it and send the rest again (brekzsync products export --full --bulk)."
        )


# --- include ---------------------------------------------------------------------------------------------


def included_document(inclusion: Inclusion, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "included": [
            {
                "key": one.id.shown,
                "was_excluded": one.was_excluded,
                "ended": [exclusion_document(row) for row in one.ended],
                "narrowed": [exclusion_document(row) for row in one.narrowed],
            }
            for one in inclusion.ids
        ],
        "still_blocked": [
            {
                "key": shown(key),
                "blockers": criteria_document(blocked),
                "remedies": remedies_document(blocked),
            }
            for key, blocked in inclusion.blocked.items()
        ],
    }


def show_included(invocation: Invocation, inclusion: Inclusion, *, dry_run: bool) -> None:
    title = f"Included products{' (dry run: nothing written)' if dry_run else ''}"
    rows = [(one.id.shown, _inclusion_told(one, dry_run=dry_run)) for one in inclusion.ids]
    show_table(invocation, title, ["Id", "What happens"], rows)
    warn_of_blocked(invocation, inclusion.blocked)
    if not dry_run and any(one.was_excluded for one in inclusion.ids):
        following = invocation.typed("products export")
        invocation.console.notice(f"Next: wait for cron, or send now: {following}")


def _inclusion_told(one: Included, *, dry_run: bool) -> str:
    if not one.was_excluded:
        return "Was not excluded."
    sentences = ["Would be let in again." if dry_run else "Is let in again."]
    sentences += [_ended(row, one) for row in one.ended]
    sentences += [
        f"{row.id.shown} has the same reference and stays out by its own id." for row in one.narrowed
    ]
    return " ".join(sentences)


def _ended(row: Exclusion, one: Included) -> str:
    what = "It" if row.id == one.id else row.id.shown
    return f"{what} was excluded{_who_and_why(row)}."


# --- exclusions ------------------------------------------------------------------------------------------


def show_exclusions(invocation: Invocation, listed: Sequence[Exclusion], column: str) -> None:
    console = invocation.console
    rows = [
        (one.id.shown, one.reference or "", one.by_whom, moment(one.created_at), one.reason) for one in listed
    ]
    if rows:
        console.table("Exclusions", ["Id", "Reference", "By", "Since", "Why"], rows)
    else:
        console.output("Nobody excluded anything.")
    if column:
        console.notice(f"The shop's column {column} keeps out more ([products] exclude_column).")
