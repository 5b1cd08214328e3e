"""The statements a page of the catalogue is read with, and the shape of their rows.

Every statement reads one range of products by an index. They are built once per run and differ only in
their parameters, so that SQLAlchemy compiles each of them once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    and_,
    bindparam,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from brekzsync.errors import ConfigurationError
from brekzsync.prestashop.tables import ShopTables

Raw = Any
"""A raw value: bytes from MySQL and MariaDB, bytes or int from SQLite, None for NULL."""


class ProductRow(NamedTuple):
    """A product, its row in the data shop (all None when it has none) and its name in the main language."""

    id_product: Raw
    reference: Raw
    ean13: Raw
    weight: Raw
    state: Raw
    id_manufacturer: Raw
    date_upd: Raw
    active: Raw
    price: Raw
    id_tax_rules_group: Raw
    id_category_default: Raw
    shop_date_upd: Raw
    excluded: Raw
    name: Raw


class CombinationRow(NamedTuple):
    """A combination and its row in the data shop; ``id_shop`` is None when it has none."""

    id_product: Raw
    id_product_attribute: Raw
    reference: Raw
    ean13: Raw
    price: Raw
    weight: Raw
    id_shop: Raw
    excluded: Raw


class SpecialRow(NamedTuple):
    """A specific price that may concern an anonymous visitor of the data shop."""

    id_product: Raw
    id_specific_price: Raw
    id_specific_price_rule: Raw
    id_product_attribute: Raw
    id_shop: Raw
    id_currency: Raw
    id_country: Raw
    id_group: Raw
    from_quantity: Raw
    price: Raw
    reduction: Raw
    reduction_type: Raw
    reduction_tax: Raw
    starts: Raw
    ends: Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What the statements are narrowed to. ``id_langs`` are the languages wanted beside the main one."""

    id_shop: int
    id_lang: int
    id_langs: tuple[int, ...]
    id_currency: int
    id_country: int
    id_group: int
    exclude_column: tuple[str, str] | None
    has_state: bool

    @property
    def languages(self) -> tuple[int, ...]:
        """Every language wanted, the main one first; texts come in this order."""
        return (self.id_lang, *self.id_langs)


class Together(NamedTuple):
    """Statements by name, and all of them as one. Each row of that begins with the place of the statement it is of."""

    statements: Mapping[str, Select[Any]]
    as_one: CompoundSelect[Any]

    def sorted_out(self, rows: Sequence[tuple[Raw, ...]]) -> dict[str, list[tuple[Raw, ...]]]:
        """What each statement gave, from what all of them gave together."""
        found: list[list[tuple[Raw, ...]]] = [[] for _ in self.statements]
        for row in rows:
            found[int(row[0])].append(row)
        return {
            name: [row[1 : 1 + len(statement.selected_columns)] for row in some] if some else some
            for (name, statement), some in zip(self.statements.items(), found, strict=True)
        }


class CatalogueQueries:
    """The page's statements; ``between`` reads a range of products, ``among`` a list of them, ``of_one`` one."""

    def __init__(self, tables: ShopTables, scope: Scope) -> None:
        self.tables = tables
        self.scope = scope
        products = self._products()
        id_product = tables.product.c.id_product
        self.products_after = products.where(id_product > bindparam("after", type_=Integer)).limit(
            bindparam("page", type_=Integer)
        )
        self.some_products = products.where(_among(id_product))
        self.codes_between = self._codes()
        without = tables.product_attribute.c.id_product_attribute.is_(None)
        self.codes_without_combinations = self.codes_between.where(without)
        following = (
            select(id_product)
            .where(id_product > bindparam("after", type_=Integer))
            .order_by(id_product)
            .limit(bindparam("page", type_=Integer))
            .subquery()
        )
        self.bound_after = select(func.max(following.c.id_product))
        self.between = self._statements(_between)
        self.among = self._statements(_among)
        of_one = {"products": products.where(_only(id_product))} | self._statements(_only)
        if not scope.id_langs:
            del of_one["names"]
        self.of_one = _together(of_one)
        lang = tables.product_lang
        self.names_of_some = (
            select(lang.c.id_product, lang.c.id_lang, lang.c.name)
            .where(_among(lang.c.id_product), lang.c.id_shop == scope.id_shop)
            .order_by(lang.c.id_product, lang.c.id_lang)
        )

    def _products(self) -> Select[Any]:
        tables, scope = self.tables, self.scope
        product, shop, lang = tables.product, tables.product_shop, tables.product_lang
        excluded = self._excluded(product.name.removesuffix("product"), "product", product)
        return (
            select(
                product.c.id_product,
                product.c.reference,
                product.c.ean13,
                product.c.weight,
                product.c.state if scope.has_state else literal(1),
                product.c.id_manufacturer,
                product.c.date_upd,
                shop.c.active,
                shop.c.price,
                shop.c.id_tax_rules_group,
                shop.c.id_category_default,
                shop.c.date_upd.label("shop_date_upd"),
                excluded,
                lang.c.name,
            )
            .select_from(product)
            .outerjoin(shop, and_(shop.c.id_product == product.c.id_product, shop.c.id_shop == scope.id_shop))
            .outerjoin(
                lang,
                and_(
                    lang.c.id_product == product.c.id_product,
                    lang.c.id_shop == scope.id_shop,
                    lang.c.id_lang == scope.id_lang,
                ),
            )
            .order_by(product.c.id_product)
        )

    def owners_of_codes(self, name: str) -> Select[Any]:
        """id_product and ``name`` (``table.column``) of every row in which cleaning and upper-casing may give one
        of ``:codes``: those that give it plainly, and all with anything that cleaning would touch."""
        table, _, column = name.partition(".")
        value = getattr(self.tables, table).c[column]
        plain = func.upper(func.trim(value)).in_(bindparam("codes", expanding=True))
        odd = or_(value.regexp_match("[^ -~]"), value.like("%  %"))
        return select(getattr(self.tables, table).c.id_product, value).where(or_(plain, odd))

    def _codes(self) -> Select[Any]:
        """What item codes are made of, for a range of products; several rows each."""
        product, combination = self.tables.product, self.tables.product_attribute
        return (
            select(
                product.c.id_product,
                combination.c.id_product_attribute,
                combination.c.reference,
                product.c.reference.label("product_reference"),
                combination.c.ean13,
                product.c.ean13.label("product_ean13"),
            )
            .select_from(product)
            .outerjoin(combination, combination.c.id_product == product.c.id_product)
            .where(
                product.c.id_product > bindparam("after", type_=Integer),
                product.c.id_product <= bindparam("bound", type_=Integer),
            )
        )

    def _excluded(self, prefix: str, name: str, table: Any) -> ColumnElement[Any]:
        if self.scope.exclude_column and self.scope.exclude_column[0] in (name, prefix + name):
            column = self.scope.exclude_column[1]
            return table.c[column] if column in table.c else _undeclared(table, column)
        return literal(0)

    def _statements(self, products: _Narrow) -> dict[str, Select[Any]]:
        return {
            "combinations": self._combinations(products),
            "names": self._names(products),
            "covers": self._covers(products),
            "images": self._images(products),
            "attributes": self._attributes(products),
            "specials": specials(self.tables, self.scope, products),
            "packs": self._packs(products),
            "group_reductions": self._group_reductions(products),
        }

    def _combinations(self, products: _Narrow) -> Select[Any]:
        combination, shop = self.tables.product_attribute, self.tables.product_attribute_shop
        prefix = combination.name.removesuffix("product_attribute")
        return (
            select(
                combination.c.id_product,
                combination.c.id_product_attribute,
                combination.c.reference,
                combination.c.ean13,
                shop.c.price,
                shop.c.weight,
                shop.c.id_shop,
                self._excluded(prefix, "product_attribute", combination),
            )
            .select_from(combination)
            .outerjoin(
                shop,
                and_(
                    shop.c.id_product_attribute == combination.c.id_product_attribute,
                    shop.c.id_shop == self.scope.id_shop,
                ),
            )
            .where(products(combination.c.id_product))
            .order_by(combination.c.id_product, combination.c.id_product_attribute)
        )

    def _names(self, products: _Narrow) -> Select[Any]:
        lang = self.tables.product_lang
        return select(lang.c.id_product, lang.c.id_lang, lang.c.name).where(
            products(lang.c.id_product),
            lang.c.id_shop == self.scope.id_shop,
            or_(*(lang.c.id_lang == id_lang for id_lang in self.scope.id_langs), false()),
        )

    def _covers(self, products: _Narrow) -> Select[Any]:
        cover = self.tables.image_shop
        return select(cover.c.id_product, cover.c.id_image).where(
            products(cover.c.id_product), cover.c.id_shop == self.scope.id_shop, cover.c.cover == 1
        )

    def _images(self, products: _Narrow) -> Select[Any]:
        image, link = self.tables.image, self.tables.product_attribute_image
        return (
            select(link.c.id_product_attribute, link.c.id_image, image.c.position)
            .select_from(image)
            .join(link, link.c.id_image == image.c.id_image)
            .where(products(image.c.id_product))
        )

    def _attributes(self, products: _Narrow) -> Select[Any]:
        combination, link = self.tables.product_attribute, self.tables.product_attribute_combination
        return (
            select(link.c.id_product_attribute, link.c.id_attribute)
            .select_from(combination)
            .join(link, link.c.id_product_attribute == combination.c.id_product_attribute)
            .where(products(combination.c.id_product))
        )

    def _packs(self, products: _Narrow) -> Select[Any]:
        pack, product = self.tables.pack, self.tables.product
        return (
            select(pack.c.id_product_item, pack.c.id_product_attribute_item, pack.c.id_product_pack)
            .select_from(pack)
            .join(product, product.c.id_product == pack.c.id_product_pack)  # a deleted pack leaves its rows
            .where(products(pack.c.id_product_item))
        )

    def _group_reductions(self, products: _Narrow) -> Select[Any]:
        cache = self.tables.product_group_reduction_cache
        return select(cache.c.id_product, cache.c.reduction).where(
            products(cache.c.id_product), cache.c.id_group == self.scope.id_group
        )


def specials(tables: ShopTables, scope: Scope, products: _Narrow) -> Select[Any]:
    """The specific prices of some products that may concern an anonymous visitor buying one piece."""
    special = tables.specific_price
    columns = ("id_product", "id_specific_price", "id_specific_price_rule", "id_product_attribute")
    concerns = ("id_shop", "id_currency", "id_country", "id_group")
    rest = ("from_quantity", "price", "reduction", "reduction_type", "reduction_tax", "from", "to")
    return select(*(special.c[name] for name in columns + concerns + rest)).where(
        products(special.c.id_product),
        *(or_(special.c[name] == 0, special.c[name] == getattr(scope, name)) for name in concerns),
        special.c.id_customer == 0,
        special.c.id_cart == 0,
        special.c.from_quantity <= 1,
    )


_Narrow = Callable[[ColumnElement[int]], ColumnElement[bool]]


def _between(column: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(column >= bindparam("first", type_=Integer), column <= bindparam("last", type_=Integer))


def _only(column: ColumnElement[int]) -> ColumnElement[bool]:
    return column == bindparam("id_product", type_=Integer)


def _among(column: ColumnElement[int]) -> ColumnElement[bool]:
    return column.in_(bindparam("ids", expanding=True, type_=Integer))


def _together(statements: Mapping[str, Select[Any]]) -> Together:
    """Every value as text: of a number, a server would otherwise make one in the form of another statement's."""
    utf8: ColumnElement[Any] = literal_column("utf8mb4")
    width = max(len(one.selected_columns) for one in statements.values())
    parts = []
    for place, one in enumerate(statements.values()):
        columns = [func.convert(column.op("USING")(utf8)) for column in one.selected_columns]
        filling = [null()] * (width - len(columns))
        parts.append(one.with_only_columns(literal_column(str(place)), *columns, *filling).order_by(None))
    return Together(statements, union_all(*parts))


def _undeclared(table: Any, column: str) -> ColumnElement[Any]:
    from sqlalchemy import column as named

    return named(column, _selectable=table)


def parse_exclude_column(value: str, columns: dict[str, set[str]], prefix: str) -> tuple[str, str] | None:
    """``products.exclude_column`` as (table without prefix, column), checked against the schema.

    Raises ConfigurationError when it is not ``product.x`` or ``product_attribute.x`` or does not exist.
    """
    if not value:
        return None
    table, _, column = value.partition(".")
    table = table.removeprefix(prefix)
    if table not in ("product", "product_attribute") or not column:
        raise ConfigurationError(
            f"[products] exclude_column = {value!r} is not a column of product or product_attribute.",
            hint='Write exclude_column = "product_attribute.my_column" (or "product.my_column").',
        )
    if column.lower() not in columns[prefix + table]:
        raise ConfigurationError(
            f"[products] exclude_column = {value!r}: {prefix}{table} has no column {column!r}.",
            hint=f"Its columns are: {', '.join(sorted(columns[prefix + table]))}.",
        )
    return table, column


def grouped(rows: Sequence[tuple[Raw, ...]]) -> dict[Raw, list[tuple[Raw, ...]]]:
    """Rows by their first value, in the order they came."""
    groups: dict[Raw, list[tuple[Raw, ...]]] = {}
    for row in rows:
        groups.setdefault(row[0], []).append(row)
    return groups
