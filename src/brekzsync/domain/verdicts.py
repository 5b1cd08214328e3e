"""From everything known of one combination to its verdict, the reason in one line, and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from brekzsync.domain import remedies
from brekzsync.domain.completeness import fields_of
from brekzsync.domain.diagnosis import (
    Bundle,
    Change,
    CriterionState,
    Diagnosis,
    ErpState,
    Flag,
    Presence,
    Step,
    SyncState,
    Verdict,
    active_in_data_shop,
    changes,
    not_bundle_component,
    not_excluded,
)
from brekzsync.domain.eligibility import Criterion, Standing
from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey, format_key
from brekzsync.domain.ledger import IN_DOUBT, LedgerEntry
from brekzsync.domain.moments import moment_of
from brekzsync.domain.products import Combination, Examined, Refusal

_TOLD_BY_THE_SHOP = ("missing_description", "missing_price")


class Policy(NamedTuple):
    """What the configuration and the switches say about all combinations of a target.

    ``exclude_column`` is ``products.exclude_column``; ``sends_files`` whether Exact gets files rather than pulls.
    """

    data_shop: str
    exclude_column: str
    bundle_components_too: bool
    sends_files: bool
    flow_is_on: bool


class Case(NamedTuple):
    """What was gathered about one combination.

    ``before`` is the acknowledged item, ``differs`` whether another version is due; ``duplicate`` and
    ``held_code`` are why its item code keeps it back; ``unread`` names its document in the outbox.
    """

    key: ProductKey
    combination: Combination
    examined: Examined
    standing: Standing
    failed: Sequence[Criterion]
    flag: Flag | None
    bundles: Sequence[Bundle]
    presence: Presence
    entry: LedgerEntry | None
    before: Item | None
    differs: bool
    duplicate: Refusal | None
    held_code: Refusal | None
    sync: SyncState
    erp: ErpState
    unread: str


def diagnose(case: Case, policy: Policy) -> Diagnosis:
    """All there is to say about one combination."""
    refusals = _refusals(case, policy.data_shop)
    changed = changes(case.before, case.examined.item) if case.before and not case.examined.refusals else ()
    criteria = (
        not_excluded(case.standing, case.flag, policy.exclude_column),
        not_bundle_component(case.standing, case.bundles, exported_too=policy.bundle_components_too),
        _updated(case, changed),
        active_in_data_shop(case.standing, case.presence, policy.data_shop),
    )
    verdict = _verdict(case, refusals)
    return Diagnosis(
        key=format_key(case.key),
        name=case.examined.item.description,
        item_code=case.examined.item.code,
        verdict=verdict,
        why=_why(verdict, case, criteria, refusals),
        criteria=criteria,
        fields=fields_of(case.combination, case.examined, refusals),
        changes=changed,
        sync=case.sync,
        erp=case.erp,
        steps=tuple(_steps(verdict, case, policy, refusals)),
        is_acknowledged=case.entry is not None and case.entry.fingerprint not in (None, IN_DOUBT),
    )


def _refusals(case: Case, data_shop: str) -> tuple[Refusal, ...]:
    """Every reason why there can be no item; what a shop it is not in does not tell may well be filled in."""
    found = case.examined.refusals + ((case.duplicate,) if case.duplicate else ())
    if case.standing.in_data_shop:
        return found
    return tuple(
        Refusal(one.reason, f"{data_shop} tells none: it is not in that shop.")
        if one.reason in _TOLD_BY_THE_SHOP
        else one
        for one in found
    )


def unknown(word: str, sentence: str, steps: Sequence[Step]) -> Diagnosis:
    """An id that names nothing."""
    return Diagnosis(
        key=word,
        name="",
        item_code="",
        verdict=Verdict.UNKNOWN,
        why=sentence,
        criteria=(),
        fields=(),
        changes=(),
        sync=SyncState(),
        erp=ErpState(None, "Not looked up: there is no such combination."),
        steps=tuple(steps),
    )


def _verdict(case: Case, refusals: Sequence[Refusal]) -> Verdict:
    if case.failed:
        return Verdict.BLOCKED
    if refusals:
        return Verdict.INCOMPLETE
    if case.held_code:
        return Verdict.BLOCKED
    return Verdict.PENDING if case.differs else Verdict.IN_SYNC


def _why(
    verdict: Verdict, case: Case, criteria: Sequence[CriterionState], refusals: Sequence[Refusal]
) -> str:
    """The reason in one line."""
    updated = criteria[2]
    match verdict:
        case Verdict.BLOCKED if case.failed:
            return " ".join(one.detail for one in criteria if one.code in case.failed)
        case Verdict.BLOCKED:
            return case.held_code.message if case.held_code else ""
        case Verdict.INCOMPLETE:
            return " ".join(refusal.message for refusal in refusals)
        case Verdict.IN_SYNC if case.erp.present is not None:
            return f"{updated.detail} {case.erp.detail}"
        case _:
            return updated.detail


def _steps(verdict: Verdict, case: Case, policy: Policy, refusals: Sequence[Refusal]) -> list[Step]:
    key, is_on, files = format_key(case.key), policy.flow_is_on, policy.sends_files
    if verdict is Verdict.IN_SYNC:
        return remedies.in_the_erp(key, case.erp, case.unread, flow_is_on=is_on, sends_files=files)
    steps = remedies.unblocking(
        key,
        case.failed,
        case.standing,
        flag=case.flag,
        column=policy.exclude_column,
        bundles=case.bundles,
        data_shop=policy.data_shop,
    )
    in_shop = case.standing.in_data_shop
    steps += remedies.mending([one for one in refusals if in_shop or one.reason not in _TOLD_BY_THE_SHOP])
    if case.held_code:
        force = remedies.despite_changed_code(key, case.held_code, flow_is_on=is_on, sends_files=files)
        return [*steps, *force]
    return [*steps, *remedies.awaiting(key, case.sync, flow_is_on=is_on, sends_files=files)]


def _updated(case: Case, changed: Sequence[Change]) -> CriterionState:
    return CriterionState(Criterion.UPDATED, case.differs, _what_differs(case, changed))


def _what_differs(case: Case, changed: Sequence[Change]) -> str:
    entry = case.entry
    if entry is None or entry.fingerprint is None:
        return _never(entry)
    since = moment_of(entry.synced_at) if entry.synced_at is not None else "an unknown time"
    if entry.force_requested > entry.force_acknowledged:
        return "force-sync asked for it: it is sent again whatever the ledger says."
    if entry.fingerprint == IN_DOUBT:
        return "A run broke off while it was on its way: it is sent again to be sure."
    if not case.differs:
        return f"The ERP acknowledged it as it is on {since}."
    if changed:
        names = ", ".join(dict.fromkeys(change.field for change in changed))
        return f"Changed since the ERP acknowledged it on {since}: {names}."
    if case.examined.refusals:
        return f"The shop's row changed since the ERP acknowledged it on {since}."
    return f"Saved again in the shop since {since}, or the document settings changed; no field differs."


def _never(entry: LedgerEntry | None) -> str:
    if entry is not None and entry.force_requested > entry.force_acknowledged:
        return "force-sync asked for it, and the ERP has not acknowledged it yet."
    if entry is not None and entry.reason and entry.status == "synced":
        return f"The ERP acknowledged it once; that ended on {moment_of(entry.updated_at)} ({entry.reason})."
    return "The ERP never acknowledged it."
