"""What many products refer to, read once a run: brands, categories, tax rates, attribute values, rules.

These tables grow with the organisation of a shop, not with its catalogue, so they are kept in memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, and_, or_, select

from brekzsync.domain.specific_prices import ZERO_DATE, SpecificPrice, Visitor, applying, priority_weights
from brekzsync.prestashop.connection import RawRow, Snapshot, number, text
from brekzsync.prestashop.queries import Raw, Scope, SpecialRow, specials
from brekzsync.prestashop.tables import ShopTables


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeName:
    """An attribute value's place in a description, and its name per language (main one first)."""

    order: tuple[int, int, int]
    names: tuple[bytes, ...]


@dataclass(slots=True, kw_only=True)
class ReferenceData:
    """Lookups by raw id. ``rates`` are percentages; a missing rules group means no tax."""

    brands: Mapping[Raw, bytes]
    categories: Mapping[Raw, bytes]
    rates: Mapping[Raw, bytes]
    attribute_names: Mapping[Raw, AttributeName]
    group_reduction: bytes
    visitor: Visitor
    catalogue_wide_prices: list[SpecificPrice]
    _weights: dict[str, int]
    _own_weights: dict[int, dict[str, int]]
    _rows: dict[int, RawRow] = field(default_factory=dict)

    def applying(self, rows: list[RawRow], id_product: Raw, id_product_attribute: int) -> RawRow | None:
        """The raw row of the specific price that applies to a combination now, or None."""
        candidates = [*map(specific_price, rows), *self.catalogue_wide_prices]
        weights = self._own_weights.get(int(id_product), self._weights)
        chosen = applying(candidates, id_product_attribute, self.visitor, weights)
        if chosen is None:
            return None
        for row in rows:
            if int(row[1]) == chosen.id_specific_price:
                return row
        return self._rows[chosen.id_specific_price]


def read_reference_data(
    snapshot: Snapshot, tables: ShopTables, scope: Scope, visitor: Visitor, priorities: str
) -> ReferenceData:
    """Read them all, within ``snapshot`` in raw mode."""
    wide = snapshot.rows(specials(tables, scope, lambda column: column == 0))
    group = snapshot.rows(select(tables.group.c.reduction).where(tables.group.c.id_group == scope.id_group))
    own = tables.specific_price_priority
    return ReferenceData(
        brands=_names(snapshot, select(tables.manufacturer.c.id_manufacturer, tables.manufacturer.c.name)),
        categories=_categories(snapshot, tables, scope),
        rates=_rates(snapshot, tables, scope),
        attribute_names=_attribute_names(snapshot, tables, scope),
        group_reduction=_fraction(group[0][0]) if group else b"",
        visitor=visitor,
        catalogue_wide_prices=[specific_price(row) for row in wide],
        _weights=priority_weights(priorities),
        _own_weights={
            int(row[0]): priority_weights(text(row[1]))
            for row in snapshot.rows(select(own.c.id_product, own.c.priority))
        },
        _rows={int(row[1]): row for row in wide},
    )


@lru_cache(maxsize=4096)  # all combinations of a product look at the same few
def specific_price(row: RawRow) -> SpecificPrice:
    """A raw row decoded."""
    raw = SpecialRow._make(row)
    return SpecificPrice(
        id_specific_price=number(raw.id_specific_price),
        id_specific_price_rule=number(raw.id_specific_price_rule),
        id_product_attribute=number(raw.id_product_attribute),
        id_shop=number(raw.id_shop),
        id_currency=number(raw.id_currency),
        id_country=number(raw.id_country),
        id_group=number(raw.id_group),
        from_quantity=number(raw.from_quantity),
        price=decimal(raw.price, Decimal(-1)),
        reduction=decimal(raw.reduction),
        reduction_type=text(raw.reduction_type),
        reduction_includes_tax=number(raw.reduction_tax) == 1,
        starts=_moment(raw.starts),
        ends=_moment(raw.ends),
    )


def decimal(value: Raw, default: Decimal = Decimal(0)) -> Decimal:
    """A raw number as a Decimal; NULL and what is not a number give ``default``."""
    if value is None:
        return default
    try:
        return Decimal(text(value))
    except InvalidOperation:
        return default


def _moment(value: Raw) -> str:
    moment = text(value)
    if not moment or moment.startswith("0000-00-00"):
        return ZERO_DATE
    return moment if len(moment) > 10 else f"{moment} 00:00:00"


def _names(snapshot: Snapshot, statement: Select[Any]) -> dict[Raw, bytes]:
    return {row[0]: as_bytes(row[1]) for row in snapshot.rows(statement)}


def as_bytes(value: Raw) -> bytes:
    """A raw value as bytes, so that digests do not depend on the driver's types; NULL is empty."""
    if value is None:
        return b""
    return value if isinstance(value, bytes) else str(value).encode()


def _categories(snapshot: Snapshot, tables: ShopTables, scope: Scope) -> dict[Raw, bytes]:
    """Names in the data shop's main language, else in the first other language that has one."""
    lang = tables.category_lang
    rows = snapshot.rows(
        select(lang.c.id_category, lang.c.name, lang.c.id_lang)
        .where(lang.c.id_shop == scope.id_shop)
        .order_by(lang.c.id_category, lang.c.id_lang)
    )
    names: dict[Raw, bytes] = {}
    for id_category, name, id_lang in rows:
        named = as_bytes(name)
        if named and (int(id_lang) == scope.id_lang or id_category not in names):
            names[id_category] = named
    return names


def _rates(snapshot: Snapshot, tables: ShopTables, scope: Scope) -> dict[Raw, bytes]:
    """The rate per rules group for the data shop's country, without state or zip code."""
    rule, group, tax = tables.tax_rule, tables.tax_rules_group, tables.tax
    rows = snapshot.rows(
        select(rule.c.id_tax_rules_group, tax.c.rate)
        .select_from(rule)
        .join(group, and_(group.c.id_tax_rules_group == rule.c.id_tax_rules_group, group.c.active == 1))
        .join(tax, and_(tax.c.id_tax == rule.c.id_tax, tax.c.active == 1))
        .where(
            rule.c.id_country == scope.id_country,
            rule.c.id_state == 0,
            rule.c.zipcode_to == "0",
            or_(rule.c.zipcode_from == "0", rule.c.zipcode_from == ""),
        )
        .order_by(rule.c.id_tax_rules_group, rule.c.zipcode_from.desc(), rule.c.id_tax_rule)
    )
    rates: dict[Raw, bytes] = {}
    for id_tax_rules_group, rate in rows:
        rates.setdefault(id_tax_rules_group, as_bytes(rate))
    return rates


def _attribute_names(snapshot: Snapshot, tables: ShopTables, scope: Scope) -> dict[Raw, AttributeName]:
    attribute, group, lang = tables.attribute, tables.attribute_group, tables.attribute_lang
    orders = {
        row[0]: (number(row[1]), number(row[2]), number(row[0]))
        for row in snapshot.rows(
            select(attribute.c.id_attribute, group.c.position, attribute.c.position).join(
                group, group.c.id_attribute_group == attribute.c.id_attribute_group
            )
        )
    }
    names: dict[Raw, dict[int, bytes]] = {}
    for id_attribute, id_lang, name in snapshot.rows(
        select(lang.c.id_attribute, lang.c.id_lang, lang.c.name).order_by(lang.c.id_lang)
    ):
        names.setdefault(id_attribute, {})[int(id_lang)] = as_bytes(name)
    result = {}
    for id_attribute, order in orders.items():
        own = names.get(id_attribute, {})
        fallback = own.get(scope.id_lang) or next((name for name in own.values() if name), b"")
        result[id_attribute] = AttributeName(
            order=order, names=tuple(own.get(id_lang) or fallback for id_lang in scope.languages)
        )
    return result


def _fraction(percentage: Raw) -> bytes:
    """``ps_group.reduction`` is a percentage, the per-product reduction a fraction: keep fractions."""
    return as_bytes(str(decimal(percentage) / 100))
