"""What to do about it: the steps that bring a combination into the ERP, in the order to take them."""

from __future__ import annotations

from collections.abc import Sequence

from brekzsync.domain.diagnosis import Bundle, ErpState, Flag, Step, SyncState, listed
from brekzsync.domain.eligibility import Criterion, Standing
from brekzsync.domain.moments import moment
from brekzsync.domain.products import Refusal


def unblocking(
    key: str,
    failed: Sequence[Criterion],
    standing: Standing,
    *,
    flag: Flag | None,
    column: str,
    bundles: Sequence[Bundle],
    data_shop: str,
) -> list[Step]:
    """One step for every criterion in ``failed``, and two where both a person and a column exclude it."""
    steps = []
    for criterion in failed:
        match criterion:
            case Criterion.NOT_EXCLUDED:
                if flag is not None:
                    steps.append(_including(key, flag))
                if standing.excluded_by_column:
                    steps.append(Step(f"Clear {column} of {key} in the shop."))
            case Criterion.NOT_BUNDLE_COMPONENT:
                packs = listed([str(bundle.id_product) for bundle in bundles])
                steps.append(
                    Step(
                        f"Take it out of pack{'s' if len(bundles) > 1 else ''} {packs} in the shop's back office,"
                        ' or let components be sold on their own: bundle_components = "export" under [products].'
                    )
                )
            case Criterion.ACTIVE_IN_DATA_SHOP:
                steps += _activating(key, standing, data_shop)
            case Criterion.UPDATED:
                pass  # what the ERP has needs no remedy
    return steps


def _including(key: str, flag: Flag) -> Step:
    whole = "-" not in flag.covers
    text = f"Include product {flag.covers} again." if whole else "Include it again."
    return Step(text, f"products include {flag.covers if whole else key}", of_target=False)


def _activating(key: str, standing: Standing, data_shop: str) -> list[Step]:
    id_product = key.partition("-")[0]
    steps = []
    if not standing.finished:
        draft = f"Save product {id_product} in the shop's back office, so that it is no longer a draft."
        steps.append(Step(draft))
    if not standing.in_data_shop:
        steps.append(Step(f"Add {key} to shop {data_shop} in the back office (multistore, product page)."))
    elif not standing.active:
        steps.append(Step(f"Switch product {id_product} on in shop {data_shop} in the back office."))
    return steps


def mending(refusals: Sequence[Refusal]) -> list[Step]:
    """What a person has to fill in; the refusals' own sentences say it."""
    return [Step(refusal.message) for refusal in refusals]


def sending(key: str, *, flow_is_on: bool, sends_files: bool) -> list[Step]:
    """The last steps of nearly every remedy."""
    steps = [] if flow_is_on else [Step("Switch the flow on again.", "flows enable product")]
    if sends_files:
        return [*steps, Step("The next run sends it; to send it at once:", f"products export {key}")]
    return [*steps, Step("Exact gets it with its next pull (brekzsync serve).")]


def awaiting(key: str, sync: SyncState, *, flow_is_on: bool, sends_files: bool) -> list[Step]:
    """For what is pending."""
    if sync.reason == "in_flight":
        return [Step("Exact has been given it; its result is awaited, and it is offered again without one.")]
    steps = []
    if sync.next_attempt_at is not None:
        text = f"It is tried again after {moment(sync.next_attempt_at)}; to try at once:"
        steps.append(Step(text, f"logs retry {key}"))
    return [*steps, *sending(key, flow_is_on=flow_is_on, sends_files=sends_files)]


def despite_changed_code(key: str, refusal: Refusal, *, flow_is_on: bool, sends_files: bool) -> list[Step]:
    """For an item code that changed in the shop."""
    force = Step(
        f"{refusal.message} To let Exact get the new code as a new item:", f"products force-sync {key}"
    )
    return [force, *sending(key, flow_is_on=flow_is_on, sends_files=sends_files)]


def in_the_erp(key: str, erp: ErpState, unread: str, *, flow_is_on: bool, sends_files: bool) -> list[Step]:
    """For what the ledger has in sync: nothing, unless the ERP does not hold it as acknowledged.

    ``unread`` names the document that still lies in the outbox, if one does.
    """
    if erp.present is None:
        return []
    steps = []
    if erp.item and erp.item.is_blocked:
        steps.append(Step("Set the item's condition to active in Exact Globe."))
    if erp.present and not erp.differences:
        return steps
    if unread:
        return [*steps, Step(f"Let Exact import {unread}: it lies there unread.")]
    what = (
        "Exact acknowledged it and holds it differently" if erp.present else "Exact was sent it and lacks it"
    )
    force = Step(f"{what}: send it again.", f"products force-sync {key}")
    return [*steps, force, *sending(key, flow_is_on=flow_is_on, sends_files=sends_files)]
