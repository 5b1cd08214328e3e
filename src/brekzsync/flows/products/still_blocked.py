"""What keeps combinations from being exported right now, for commands that change something about them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple, Protocol

from brekzsync.domain.diagnosis import (
    Bundle,
    CriterionState,
    Flag,
    Presence,
    Step,
    active_in_data_shop,
    not_bundle_component,
    not_excluded,
)
from brekzsync.domain.eligibility import Criterion
from brekzsync.domain.exclusions import Exclusions, flag_of
from brekzsync.domain.keys import ProductKey, format_key
from brekzsync.domain.remedies import unblocking
from brekzsync.flows.ports import ProductSource, SourceRecord
from brekzsync.flows.products.judging import Judge
from brekzsync.flows.products.wanted import KnowsIds

_NOWHERE = Presence((), ())


class EvidenceShop(KnowsIds, Protocol):
    """The shop within one snapshot."""

    @property
    def data_shop_name(self) -> str: ...

    def catalogue(self, salt: bytes) -> ProductSource: ...

    def presence(self, keys: Collection[ProductKey]) -> Mapping[ProductKey, Presence]: ...

    def product_names(self, ids: Collection[int]) -> Mapping[int, str]: ...


class BlockingRules(NamedTuple):
    """What the configuration says: ``products.exclude_column``, and whether the bundle rule is turned off."""

    exclude_column: str
    bundle_components_too: bool


class Blocked(NamedTuple):
    """The criteria a combination fails, with their evidence, and the steps that end that."""

    criteria: tuple[CriterionState, ...]
    steps: tuple[Step, ...]


def still_blocked(
    shop: EvidenceShop,
    source: ProductSource,
    records: Iterable[SourceRecord],
    exclusions: Exclusions,
    rules: BlockingRules,
) -> dict[ProductKey, Blocked]:
    """Those of ``records`` that some criterion keeps back, in their order."""
    judge = Judge(source, exclusions, bundle_components_too=rules.bundle_components_too)
    failed = [(record, found) for record in records if (found := judge.blockers(record))]
    packs = {pack for record, _ in failed for pack in record.standing.bundles}
    names = shop.product_names(packs) if packs else {}
    inactive = [record.key for record, found in failed if Criterion.ACTIVE_IN_DATA_SHOP in found]
    presence = shop.presence(inactive) if inactive else {}
    blocked = {}
    for record, found in failed:
        exclusion = exclusions.covering(record.key, source.reference(record))
        flag = None if exclusion is None else flag_of(exclusion, record.key)
        bundles = [Bundle(pack, names.get(pack, "")) for pack in record.standing.bundles]
        places = presence.get(record.key, _NOWHERE)
        blocked[record.key] = _explained(record, found, flag, bundles, places, rules, shop.data_shop_name)
    return blocked


def _explained(
    record: SourceRecord,
    failed: list[Criterion],
    flag: Flag | None,
    bundles: list[Bundle],
    presence: Presence,
    rules: BlockingRules,
    data_shop: str,
) -> Blocked:
    standing, column = record.standing, rules.exclude_column
    criteria = (
        not_excluded(standing, flag, column),
        not_bundle_component(standing, bundles, exported_too=rules.bundle_components_too),
        active_in_data_shop(standing, presence, data_shop),
    )
    steps = unblocking(
        format_key(record.key),
        failed,
        standing,
        flag=flag,
        column=column,
        bundles=bundles,
        data_shop=data_shop,
    )
    return Blocked(tuple(one for one in criteria if not one.passed), tuple(steps))
