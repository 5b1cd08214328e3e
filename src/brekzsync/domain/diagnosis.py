"""Why a combination is, or is not, on its way to the ERP: criteria with evidence, one verdict, one remedy.

Everything here is a sentence made of facts gathered elsewhere (``flows/products/diagnosis.py``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from brekzsync.domain.completeness import FieldState
from brekzsync.domain.eligibility import Criterion, Standing
from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.items import Item
from brekzsync.domain.moments import moment
from brekzsync.domain.texts import clean


class Verdict(StrEnum):
    """What it comes to; the stable codes."""

    PENDING = "pending"
    IN_SYNC = "in_sync"
    BLOCKED = "blocked"
    INCOMPLETE = "incomplete"
    UNKNOWN = "unknown"


class CriterionState(NamedTuple):
    """One of the four criteria, with the evidence as a sentence."""

    code: Criterion
    passed: bool
    detail: str


class Change(NamedTuple):
    """A field that differs between two versions; ``""`` for blank."""

    field: str
    before: str
    after: str


class Step(NamedTuple):
    """One thing to do: a sentence for a person, or a command of brekzsync (its words without the program).

    ``of_target`` says that the command takes ``--target``: where there are several targets, what is to be done
    for one must not be done to the others.
    """

    text: str
    command: str = ""
    of_target: bool = True


class SyncState(NamedTuple):
    """What the ledger says, as the sync logs tell it; times are aware, UTC.

    ``next_attempt_at`` is only given while it is still to come.
    """

    status: str | None = None
    reason: str | None = None
    message: str | None = None
    attempts: int = 0
    synced_at: datetime | None = None
    next_attempt_at: datetime | None = None


class ErpState(NamedTuple):
    """What the ERP holds; ``present`` is None while that is not known."""

    present: bool | None
    detail: str
    item: ErpItem | None = None
    differences: tuple[Change, ...] = ()

    @property
    def is_behind(self) -> bool:
        """Whether it is known not to hold what it should."""
        return self.present is False or bool(self.differences)


class Flag(NamedTuple):
    """A person's exclusion that covers a combination; ``covers`` is the id it was given for ("3", "2-202")."""

    covers: str
    reference: str | None
    reason: str
    by_whom: str
    at: datetime


class Bundle(NamedTuple):
    """A pack that holds the combination."""

    id_product: int
    name: str


class Presence(NamedTuple):
    """The names of the shops a combination is in, and of those among them where its product is active."""

    shops: tuple[str, ...]
    active_in: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All that is known of one combination, or of one id that names none (then nearly all of it is empty)."""

    key: str
    name: str
    item_code: str
    verdict: Verdict
    why: str
    criteria: tuple[CriterionState, ...]
    fields: tuple[FieldState, ...]
    changes: tuple[Change, ...]
    sync: SyncState
    erp: ErpState
    steps: tuple[Step, ...]
    is_acknowledged: bool = False


# --- the criteria ----------------------------------------------------------------------------------------


def not_excluded(standing: Standing, flag: Flag | None, column: str) -> CriterionState:
    """``column`` is ``products.exclude_column``."""
    found = []
    if flag is not None:
        found.append(_flagged(flag))
    if standing.excluded_by_column:
        found.append(f"The shop's column {column} excludes it.")
    return CriterionState(Criterion.NOT_EXCLUDED, not found, " ".join(found) or "Nobody excluded it.")


def _flagged(flag: Flag) -> str:
    what = f"Product {flag.covers} was excluded whole" if "-" not in flag.covers else "It was excluded"
    if flag.reference:
        what = f"Its reference {flag.reference} was excluded as {flag.covers}"
    by = f" by {flag.by_whom}" if flag.by_whom else ""
    reason = flag.reason.strip().removesuffix(".")
    return f"{what}{by} on {moment(flag.at)}{': ' + reason if reason else ''}."


def not_bundle_component(
    standing: Standing, bundles: Sequence[Bundle], *, exported_too: bool
) -> CriterionState:
    """``exported_too`` is whether the rule is turned off."""
    code = Criterion.NOT_BUNDLE_COMPONENT
    if not standing.bundles:
        return CriterionState(code, True, "No bundle holds it.")
    names = listed([f'{one.id_product} "{one.name}"' if one.name else str(one.id_product) for one in bundles])
    sentence = f"It is a component of bundle{'s' if len(bundles) > 1 else ''} {names}"
    if exported_too:
        return CriterionState(code, True, f'{sentence}; bundle_components = "export" lets it pass.')
    return CriterionState(code, False, f"{sentence}.")


def active_in_data_shop(standing: Standing, presence: Presence, data_shop: str) -> CriterionState:
    """Names the shops where it *is* active."""
    found = []
    if not standing.finished:
        found.append("It is a draft: never saved in the back office (ps_product.state is 0).")
    elsewhere = [name for name in presence.active_in if name != data_shop]
    other = f"it is active in {listed(elsewhere)}" if elsewhere else "it is active in no other shop"
    if not standing.in_data_shop:
        found.append(f"It is not in shop {data_shop}; {other}.")
    elif not standing.active:
        found.append(f"It is not active in shop {data_shop}; {other}.")
    return CriterionState(
        Criterion.ACTIVE_IN_DATA_SHOP, not found, " ".join(found) or f"It is active in shop {data_shop}."
    )


# --- what changed ----------------------------------------------------------------------------------------

_FIELD_NAMES = {"code": "item_code", "gtin": "ean13", "vat_code": "VAT code", "image": "image"}


def changes(before: Item, after: Item) -> tuple[Change, ...]:
    """Field by field, what ``after`` says differently."""
    return tuple(
        Change(_FIELD_NAMES.get(field, field), _readable(old), _readable(new))
        for field, old, new in zip(Item._fields, before, after, strict=True)
        if old != new
    )


def erp_differences(held: ErpItem, item: Item) -> tuple[Change, ...]:
    """Field by field, what the ERP holds differently from ``item``; fields it does not tell are passed over."""
    price = Decimal(item.price) if item.price else None
    pairs = [
        ("description", held.description, item.description),
        ("price", held.price, price),
        ("VAT code", held.vat_code, item.vat_code),
        ("ean13", held.gtin, item.gtin),
    ]
    return tuple(
        Change(field, _plainly(theirs), _plainly(ours))
        for field, theirs, ours in pairs
        if theirs is not None and ours not in (None, "") and not _same(theirs, ours)
    )


def _same(theirs: object, ours: object) -> bool:
    """Whether the ERP holds what it was sent: a character that its code page lacks became ``?`` there."""
    if not isinstance(theirs, str) or not isinstance(ours, str):
        return theirs == ours
    # One beyond the first 65,536 is two to SQL Server, and becomes two of them.
    sent = "".join(letter if letter <= "\uffff" else letter * 2 for letter in ours)
    return len(theirs) == len(sent) and all(
        held == letter or (held == "?" and not letter.isascii())
        for held, letter in zip(theirs, sent, strict=True)
    )


def _readable(value: str) -> str:
    """Descriptions of several languages are kept with a control character between them."""
    return clean(value.replace("\x1e", " / "))[0]


def _plainly(value: object) -> str:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value or "")


# --- words -----------------------------------------------------------------------------------------------


def listed(names: Sequence[str]) -> str:
    """``4, 5 and 6``."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
