"""Which shop the data is read from, and what that shop's settings say: language, country, currency, time.

A setting is inherited shop > shop group > all shops; an absent row inherits (observed on 8.2.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Table, select

from brekzsync.domain.specific_prices import DEFAULT_PRIORITIES, Visitor
from brekzsync.errors import ConfigurationError
from brekzsync.prestashop.connection import Snapshot, number
from brekzsync.prestashop.tables import ShopTables

_SETTINGS = (
    "PS_LANG_DEFAULT",
    "PS_COUNTRY_DEFAULT",
    "PS_CURRENCY_DEFAULT",
    "PS_TIMEZONE",
    "PS_UNIDENTIFIED_GROUP",
    "PS_SPECIFIC_PRICE_PRIORITIES",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataShop:
    """The data shop and its settings. ``shops`` names every shop by id; ``languages`` maps ISO to id."""

    id_shop: int
    name: str
    shops: Mapping[int, str]
    languages: Mapping[str, int]
    id_lang: int
    language: str
    id_country: int
    country: str
    id_currency: int
    currency: str
    id_group: int
    time_zone: ZoneInfo
    priorities: str

    def visitor(self, now: datetime) -> Visitor:
        """The anonymous visitor whose prices are exported, at ``now`` (aware)."""
        local = now.astimezone(self.time_zone)
        return Visitor(
            self.id_shop,
            self.id_currency,
            self.id_country,
            self.id_group,
            local.strftime("%Y-%m-%d %H:%M:00"),  # minute precision, as PrestaShop compares
        )


class Tables(Protocol):
    """Tables of a shop, with the columns that are read."""

    def all(self) -> list[Table]: ...


def check_tables(snapshot: Snapshot, tables: Tables, prefix: str) -> dict[str, set[str]]:
    """The columns of every table brekzsync reads, by full table name.

    Raises ConfigurationError naming what is missing, and the prefix that would fit if there is one.
    """
    wanted = [table.name for table in tables.all()]
    present = snapshot.table_columns(wanted)
    missing = [name for name in wanted if name not in present]
    if missing:
        raise _missing_tables(snapshot.table_names(), missing, prefix)
    lacking = [
        f"{table.name}.{column.name}"
        for table in tables.all()
        for column in table.columns
        if column.name.lower() not in present[table.name] and column.name not in OPTIONAL_COLUMNS
    ]
    if lacking:
        raise ConfigurationError(
            f"The shop's tables lack columns brekzsync reads: {', '.join(lacking)}.",
            hint="PrestaShop 1.7.6 to 9.1 is supported; is this another program's database?",
        )
    return present


OPTIONAL_COLUMNS = frozenset({"state"})
"""Columns of ``tables.py`` that some shop may lack; a query takes the neutral value instead."""


def _missing_tables(names: Sequence[str], missing: Sequence[str], prefix: str) -> ConfigurationError:
    suffix = "product_attribute_shop"
    others = [name.removesuffix(suffix) for name in names if name.endswith(suffix)]
    if len(missing) > 3 and others and prefix not in others:
        return ConfigurationError(
            f"No PrestaShop tables begin with {prefix!r} in the shop's database.",
            hint=f'Set [shop] table_prefix = "{others[0]}".',
        )
    return ConfigurationError(
        f"The shop's database lacks {', '.join(missing[:5])}{' …' if len(missing) > 5 else ''}.",
        hint="Check [shop] database and table_prefix, and that its user has SELECT on all of the shop's tables:"
        " a table one may not read looks like one that is missing.",
    )


def read_data_shop(
    snapshot: Snapshot, tables: ShopTables, *, wanted: str | int, language: str = ""
) -> DataShop:
    """The data shop by name or id. Raises ConfigurationError when it, its language or its time zone is unknown."""
    shop = tables.shop
    rows = snapshot.rows(
        select(shop.c.id_shop, shop.c.name, shop.c.id_shop_group)
        .where(shop.c.deleted == 0)
        .order_by(shop.c.id_shop)
    )
    shops = {int(row[0]): str(row[1]) for row in rows}
    id_shop = _find_shop(shops, wanted)
    id_shop_group = next(number(row[2]) for row in rows if int(row[0]) == id_shop)
    settings = read_settings(snapshot, tables, id_shop, id_shop_group)
    languages = _pairs(snapshot, tables.lang.c.iso_code, tables.lang.c.id_lang)
    id_lang = _find_language(languages, language, int(settings.get("PS_LANG_DEFAULT") or 0))
    id_country = int(settings.get("PS_COUNTRY_DEFAULT") or 0)
    id_currency = int(settings.get("PS_CURRENCY_DEFAULT") or 0)
    countries = _pairs(snapshot, tables.country.c.id_country, tables.country.c.iso_code)
    currencies = _pairs(snapshot, tables.currency.c.id_currency, tables.currency.c.iso_code)
    return DataShop(
        id_shop=id_shop,
        name=shops[id_shop],
        shops=shops,
        languages={str(iso).lower(): int(number) for iso, number in languages.items()},
        id_lang=id_lang,
        language=next((str(iso).lower() for iso, number in languages.items() if int(number) == id_lang), ""),
        id_country=id_country,
        country=str(countries.get(id_country, "")).upper(),
        id_currency=id_currency,
        currency=str(currencies.get(id_currency, "")).upper(),
        id_group=int(settings.get("PS_UNIDENTIFIED_GROUP") or 1),
        time_zone=time_zone_of(settings.get("PS_TIMEZONE") or "UTC"),
        priorities=settings.get("PS_SPECIFIC_PRICE_PRIORITIES") or DEFAULT_PRIORITIES,
    )


def _find_shop(shops: Mapping[int, str], wanted: str | int) -> int:
    text = str(wanted).strip()
    for id_shop, name in shops.items():
        if name.strip().casefold() == text.casefold():
            return id_shop
    if text.isdecimal() and int(text) in shops:
        return int(text)
    known = ", ".join(f"{name!r} ({id_shop})" for id_shop, name in shops.items()) or "none"
    raise ConfigurationError(
        f"[shop] data_shop = {text!r} is not a shop of this PrestaShop.",
        hint=f"Set data_shop to the name or id of one of: {known}.",
    )


def _find_language(languages: Mapping[Any, Any], wanted: str, default: int) -> int:
    if not wanted:
        return default
    for iso, id_lang in languages.items():
        if str(iso).lower() == wanted.lower():
            return int(id_lang)
    raise ConfigurationError(
        f"[shop] language = {wanted!r} is not installed in this PrestaShop.",
        hint=f"Set language to one of: {', '.join(sorted(str(iso) for iso in languages))}.",
    )


def time_zone_of(name: str) -> ZoneInfo:
    """PS_TIMEZONE as a zone; raises ConfigurationError where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ConfigurationError(
            f"The shop's PS_TIMEZONE {name!r} is not a time zone this machine knows.",
            hint="Install the system's tzdata package, or correct the time zone in the shop's settings.",
        ) from None


def read_settings(
    snapshot: Snapshot,
    tables: ShopTables,
    id_shop: int,
    id_shop_group: int,
    names: Sequence[str] = _SETTINGS,
) -> dict[str, str]:
    """What these settings are for one shop; one that is set nowhere is missing."""
    table = tables.configuration
    rows = snapshot.rows(
        select(table.c.name, table.c.value, table.c.id_shop, table.c.id_shop_group).where(
            table.c.name.in_(names)
        )
    )
    found: dict[str, tuple[int, str]] = {}
    for name, value, shop, group in rows:
        rank = 2 if shop == id_shop else 1 if not shop and group == id_shop_group else 0
        applies = rank > 0 or (not shop and not group)
        if applies and value is not None and rank >= found.get(str(name), (0, ""))[0]:
            found[str(name)] = (rank, str(value))
    return {name: value for name, (_, value) in found.items()}


def _pairs(snapshot: Snapshot, first: Any, second: Any) -> dict[Any, Any]:
    return dict(snapshot.rows(select(first, second)))
