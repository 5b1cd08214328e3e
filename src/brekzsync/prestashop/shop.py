"""The shop repository as a flow sees it: open a snapshot, get the catalogue of the data shop."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from time import monotonic
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from brekzsync.domain.diagnosis import Presence
from brekzsync.domain.keys import ProductKey, WantedId, sorted_ids
from brekzsync.domain.texts import normalise_code
from brekzsync.errors import ConfigurationError
from brekzsync.prestashop import evidence
from brekzsync.prestashop.connection import ShopDatabase, Snapshot, Texts
from brekzsync.prestashop.lookup import By, existing_keys, find_by
from brekzsync.prestashop.pages import PageReader
from brekzsync.prestashop.products import PAGE_PRODUCTS, Catalogue
from brekzsync.prestashop.queries import CatalogueQueries, Scope, parse_exclude_column
from brekzsync.prestashop.reference_data import ReferenceData, read_reference_data
from brekzsync.prestashop.shops import DataShop, check_tables, read_data_shop
from brekzsync.prestashop.tables import shop_tables


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopOptions:
    """What the configuration says of the shop.

    ``slots`` are the numbers of the ERP's language slots by ISO code; unless ``slots_wanted`` those of
    languages the shop does not have are left out.
    """

    table_prefix: str
    data_shop: str | int
    language: str
    slots: Mapping[str, int]
    slots_wanted: bool
    exclude_column: str


_FRESH_FOR, _LATE = 3.0, 1.0  # seconds; and what is read anew may be so late for those who do not wait for it


class Organisation(NamedTuple):
    """The data shop, how its products are asked for, and the ERP's language slots."""

    queries: CatalogueQueries
    data_shop: DataShop
    slots: Mapping[str, int]

    def means(self, other: Organisation) -> bool:
        """Whether the same is asked and answered for both."""
        return (self.queries.scope, self.data_shop, self.slots) == (
            other.queries.scope,
            other.data_shop,
            other.slots,
        )


class Settled(NamedTuple):
    """What changes seldom, kept for a moment."""

    organisation: Organisation
    reference: ReferenceData
    texts: Texts
    stale_at: float


class Shop:
    """A PrestaShop, read in snapshots."""

    def __init__(self, database: ShopDatabase, options: ShopOptions) -> None:
        self._database = database
        self._options = options
        self._tables = shop_tables(options.table_prefix)
        self._settled: Settled | None = None
        self._settling = Lock()

    @contextmanager
    def open(self, now: datetime) -> Iterator[OpenShop]:
        """One consistent view at ``now`` (aware: it decides which special prices apply)."""
        with self._database.snapshot() as snapshot:
            organisation = self._organisation(snapshot)
            with snapshot.raw():
                yield OpenShop(snapshot, *organisation, now)

    @contextmanager
    def glance(self, now: datetime) -> Iterator[OpenShop]:
        """One consistent view of products; what the shop's settings and organisation say may be some seconds old.

        For a look at a few products: reading the rest anew would take ten times as long as they do.
        """
        settled = self._up_to_date(now)
        with self._database.glance(settled.texts) as snapshot:
            yield OpenShop(snapshot, *settled.organisation, now, settled.reference)

    def _up_to_date(self, now: datetime) -> Settled:
        """What was read not long ago; while one thread reads it anew, the others go on with what there is."""
        settled = self._settled
        if settled is not None and monotonic() <= settled.stale_at:
            return settled
        can_do = settled is not None and monotonic() <= settled.stale_at + _LATE
        if not self._settling.acquire(blocking=not can_do):
            assert settled is not None
            return settled
        try:
            settled = self._settled
            if settled is None or monotonic() > settled.stale_at:
                settled = self._settled = self._settle(now, settled)
            return settled
        finally:
            self._settling.release()

    def _settle(self, now: datetime, last: Settled | None) -> Settled:
        with self._database.snapshot() as snapshot:
            organisation, texts = self._organisation(snapshot), Texts()
            if last is not None and organisation.means(last.organisation):
                organisation, texts = last.organisation, last.texts  # with all that was made of it
            with snapshot.raw():
                reference = OpenShop(snapshot, *organisation, now).reference_data()
        return Settled(organisation, reference, texts, monotonic() + _FRESH_FOR)

    def _organisation(self, snapshot: Snapshot) -> Organisation:
        columns = check_tables(snapshot, self._tables, self._options.table_prefix)
        data_shop = read_data_shop(
            snapshot, self._tables, wanted=self._options.data_shop, language=self._options.language
        )
        slots = self._slots(data_shop)
        scope = self._scope(data_shop, columns, list(slots))
        return Organisation(CatalogueQueries(self._tables, scope), data_shop, slots)

    def ping(self) -> None:
        """Raises what is wrong when products cannot be read."""
        with self._database.snapshot() as snapshot:
            snapshot.rows(select(self._tables.product.c.id_product).limit(1))

    def dispose(self) -> None:
        """Close what is open."""
        self._database.dispose()

    def _slots(self, shop: DataShop) -> dict[str, int]:
        options = self._options
        for iso in options.slots if options.slots_wanted else ():
            if iso.lower() not in shop.languages:
                raise ConfigurationError(
                    f"[exact_xml] language_slots names the language {iso!r}, which this PrestaShop does not have.",
                    hint=f"Its languages are: {', '.join(sorted(shop.languages))}.",
                )
        return {iso.lower(): slot for iso, slot in options.slots.items() if iso.lower() in shop.languages}

    def _scope(self, shop: DataShop, columns: Mapping[str, set[str]], languages: Sequence[str]) -> Scope:
        prefix = self._options.table_prefix
        return Scope(
            id_shop=shop.id_shop,
            id_lang=shop.id_lang,
            id_langs=tuple(sorted({shop.languages[iso] for iso in languages} - {shop.id_lang})),
            id_currency=shop.id_currency,
            id_country=shop.id_country,
            id_group=shop.id_group,
            exclude_column=parse_exclude_column(self._options.exclude_column, dict(columns), prefix),
            has_state="state" in columns[prefix + "product"],
        )


class OpenShop:
    """The shop within one snapshot.

    ``slots`` are the numbers of the ERP's language slots, ``slot_languages`` the place of each one's language
    among the texts of a product.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        queries: CatalogueQueries,
        data_shop: DataShop,
        slots: Mapping[str, int],
        now: datetime,
        reference: ReferenceData | None = None,
    ) -> None:
        self.slots = tuple(slots.values())
        self.slot_languages = tuple(queries.scope.languages.index(data_shop.languages[iso]) for iso in slots)
        self._snapshot = snapshot
        self._queries = queries
        self._now = now
        self._reference = reference
        self.data_shop = data_shop

    @property
    def time_zone(self) -> ZoneInfo:
        """The shop's own time zone."""
        return self.data_shop.time_zone

    @property
    def data_shop_name(self) -> str:
        """The data shop's name."""
        return self.data_shop.name

    def catalogue(self, salt: bytes, at_once: int = PAGE_PRODUCTS) -> Catalogue:
        """The data shop's combinations; ``salt`` and ``at_once`` see ``Catalogue``."""
        reference = self._reference or self.reference_data()
        reader = PageReader(self._snapshot, self._queries, reference.attribute_names)
        return Catalogue(reader, reference, self._queries.scope.languages, salt, at_once)

    def reference_data(self) -> ReferenceData:
        """What many products refer to, read now."""
        scope, shop = self._queries.scope, self.data_shop
        return read_reference_data(
            self._snapshot, self._queries.tables, scope, shop.visitor(self._now), shop.priorities
        )

    def keys_of(self, wanted: Sequence[WantedId]) -> tuple[set[ProductKey], list[WantedId]]:
        """The combinations these ids name, and the ids that name none."""
        own = existing_keys(self._snapshot, self._queries.tables, sorted({one.id_product for one in wanted}))
        keys: set[ProductKey] = set()
        unknown = []
        for one in wanted:
            combinations = own.get(one.id_product, set())
            if one.id_product_attribute is not None:
                combinations = combinations & {one.id_product_attribute}
            keys |= {(one.id_product, combination) for combination in combinations}
            if not combinations:
                unknown.append(one)
        return keys, unknown

    def keys_by(self, by: By, values: Sequence[str]) -> tuple[set[ProductKey], list[str]]:
        """The combinations with these references or EANs, and the values nothing has."""
        named = self.named_by(by, values)
        keys, _ = self.keys_of(sorted_ids(set().union(*named.values())))
        return keys, [value for value in values if normalise_code(value) not in named]

    def named_by(self, by: By, values: Sequence[str]) -> dict[str, set[WantedId]]:
        """The products and combinations that have each of these references or EANs, by the value normalised."""
        found = find_by(self._snapshot, self._queries.tables, by, values)
        _, orphans = self.keys_of(sorted_ids(set().union(*found.values())))
        return {value: alive for value, ids in found.items() if (alive := ids.difference(orphans))}

    def presence(self, keys: Collection[ProductKey]) -> dict[ProductKey, Presence]:
        """In which shops these combinations are, and where their products are active."""
        return evidence.presence(self._snapshot, self._queries.tables, self.data_shop.shops, keys)

    def product_names(self, ids: Collection[int]) -> dict[int, str]:
        """The names of these products, as far as they have one."""
        scope = self._queries.scope
        return evidence.product_names(self._snapshot, self._queries.tables, scope.id_shop, scope.id_lang, ids)

    def products_of_combinations(self, ids: Collection[int]) -> dict[int, int]:
        """The id_product of each id_product_attribute that exists."""
        return evidence.products_of_combinations(self._snapshot, self._queries.tables, ids)

    def size(self) -> int:
        """Roughly how many combinations there are, for a progress bar."""
        combination: Any = self._queries.tables.product_attribute
        return int(self._snapshot.rows(select(func.count()).select_from(combination))[0][0])
