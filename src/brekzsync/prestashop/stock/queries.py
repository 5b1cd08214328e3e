"""The statements stock and what was ordered are read with.

Whole streams go by ranges of ids, so that nothing is sorted or joined over the whole catalogue; a stock row counts
when what it is of exists, and is no total: ``id_product_attribute`` 0 of a product with combinations
(facts/prestashop.md section 2, K13).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, String, and_, bindparam, exists, func, or_, select

from brekzsync.domain.shop_stock import Place
from brekzsync.prestashop.orders.tables import OrderTables
from brekzsync.prestashop.stock.tables import StockTables


class StockQueries:
    """Over the rows of ``places``. Those of levels give both ids and the quantity first."""

    def __init__(self, tables: StockTables, places: Sequence[Place]) -> None:
        self._tables = tables
        self._place = or_(*(_at(tables, place) for place in places))
        product = tables.product.c.id_product
        self.bound_after = _bound_after(product)
        row = tables.stock_available.c
        places_too = () if len(places) == 1 else (row.id_shop, row.id_shop_group)
        levels = (row.id_product, row.id_product_attribute, row.quantity, *places_too)
        span = and_(row.id_product > _given("after"), row.id_product <= _given("bound"))
        self.rows_between = select(*levels).where(self._place, span)
        self.simple_between = self._of_simple(*levels).where(span)
        self.combinations_between = self._of_combinations(*levels).where(span)
        own = (row.id_stock_available, row.depends_on_stock, row.reserved_quantity)
        rows = (*levels[:3], *own, *places_too)
        among = row.id_product.in_(_given("ids", expanding=True))
        self.simple_among = self._of_simple(*rows).where(among)
        self.combinations_among = self._of_combinations(*rows).where(among)

    def packs(self) -> Select[Any]:
        """Every pack's components, with its own way of counting and that of each of ``:shops`` that has it."""
        pack, product, own = self._tables.pack.c, self._tables.product, self._tables.product_shop
        in_shop = and_(
            own.c.id_product == product.c.id_product, own.c.id_shop.in_(_given("shops", expanding=True))
        )
        return (
            select(
                pack.id_product_pack,
                pack.id_product_item,
                pack.id_product_attribute_item,
                product.c.pack_stock_type,
                own.c.id_shop,
                own.c.pack_stock_type.label("shop_pack_stock_type"),
            )
            .select_from(self._tables.pack)
            .join(product, product.c.id_product == pack.id_product_pack)
            .outerjoin(own, in_shop)
        )

    def _of_simple(self, *columns: ColumnElement[Any]) -> Select[Any]:
        row, product = self._tables.stock_available, self._tables.product
        combination = self._tables.product_attribute.c
        return (
            select(*columns)
            .select_from(row)
            .join(product, product.c.id_product == row.c.id_product)
            .where(
                self._place,
                row.c.id_product_attribute == 0,
                ~exists().where(combination.id_product == row.c.id_product),
            )
        )

    def _of_combinations(self, *columns: ColumnElement[Any]) -> Select[Any]:
        row, product = self._tables.stock_available, self._tables.product
        combination = self._tables.product_attribute
        its_own = and_(
            combination.c.id_product_attribute == row.c.id_product_attribute,
            combination.c.id_product == row.c.id_product,
        )
        return (
            select(*columns)
            .select_from(row)
            .join(combination, its_own)
            .join(product, product.c.id_product == row.c.id_product)
            .where(self._place, row.c.id_product_attribute > 0)
        )


class OrderedQueries:
    """What was ordered: lines with what tells whether their order counts."""

    def __init__(self, tables: OrderTables) -> None:
        orders, line = tables.orders, tables.order_detail
        every = (
            select(
                orders.c.id_order,
                orders.c.reference,
                orders.c.id_shop,
                orders.c.current_state,
                orders.c.date_add,
                line.c.product_id,
                line.c.product_attribute_id,
                line.c.product_quantity,
            )
            .select_from(orders)
            .join(line, line.c.id_order == orders.c.id_order)
        )
        of_products = line.c.product_id.in_(_given("ids", expanding=True))
        self.lines_among = every.where(orders.c.id_order.in_(_given("orders", expanding=True)))
        self.lines_of_among = self.lines_among.where(of_products)
        lines = every.where(orders.c.date_add >= bindparam("since", type_=String))
        self.first_since = select(func.min(orders.c.id_order)).where(
            orders.c.date_add >= bindparam("since", type_=String)
        )
        self.bound_after = _bound_after(orders.c.id_order)
        span = and_(orders.c.id_order > _given("after"), orders.c.id_order <= _given("bound"))
        self.lines_between = lines.where(span).order_by(orders.c.id_order)
        self.lines_of = lines.where(of_products)
        self.without_state = select(orders.c.id_order).where(
            orders.c.current_state == 0, orders.c.date_add >= bindparam("since", type_=String)
        )
        self.newest = select(func.max(orders.c.id_order))
        self.references_among = select(orders.c.id_order, orders.c.reference).where(
            orders.c.id_order.in_(_given("ids", expanding=True))
        )


def _at(tables: StockTables, place: Place) -> ColumnElement[bool]:
    row = tables.stock_available.c
    return and_(row.id_shop == place.id_shop, row.id_shop_group == place.id_shop_group)


def _bound_after(column: ColumnElement[int]) -> Select[Any]:
    """The last of the next ``:page`` ids after ``:after``; NULL where there are none."""
    following = (
        select(column.label("id")).where(column > _given("after")).order_by(column).limit(_given("page"))
    ).subquery()
    return select(func.max(following.c.id))


def _given(name: str, *, expanding: bool = False) -> Any:
    return bindparam(name, type_=Integer, expanding=expanding)
