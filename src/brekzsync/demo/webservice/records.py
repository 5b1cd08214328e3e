"""What the demo's webservice does with the records of a shop's database, as PrestaShop 8.2 was seen doing it.

Source: facts/prestashop.md sections 1 to 3. Only what stock and shipments need: what else a change of state does in
PrestaShop (invoices, payments, stock of cancelled orders) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Column, Connection, Engine, MetaData, Table, func, inspect, select

Row = Mapping[str, str]
_LARGEST, _SMALLEST = 2**31 - 1, -(2**31)
_TRACKING = re.compile(r"[~:#,%&_=()\[\].? +\-@/a-zA-Z0-9]*", re.ASCII)
_LONGEST_TRACKING = 64


class ShopRefuses(Exception):
    """An answer other than the one wanted. Without a code the body is empty; ``is_html`` as a PHP that died."""

    def __init__(self, status: int, code: int = 0, message: str = "", *, is_html: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.errors = [(code, message)] if code else []
        self.is_html = is_html


class Resource(NamedTuple):
    """A table as the webservice shows it. ``required`` are the fields PUT insists on."""

    name: str
    element: str
    table: str
    fields: tuple[str, ...]
    methods: tuple[str, ...] = ("GET",)
    required: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        return f"id_{self.element}"

    def column(self, field: str) -> str:
        """The column of a field."""
        return self.key if field == "id" else field


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


RESOURCES = {
    resource.name: resource
    for resource in (
        Resource("products", "product", "product", _names("id reference ean13 active price state")),
        Resource("shops", "shop", "shop", _names("id id_shop_group name active deleted")),
        Resource(
            "stock_availables",
            "stock_available",
            "stock_available",
            _names(
                "id id_product id_product_attribute id_shop id_shop_group quantity depends_on_stock out_of_stock"
                " location"
            ),
            methods=("GET", "PUT", "PATCH"),
            required=_names("id_product id_product_attribute quantity depends_on_stock out_of_stock"),
        ),
        Resource(
            "orders",
            "order",
            "orders",
            _names(
                "id id_address_delivery id_address_invoice id_currency id_lang id_customer id_carrier"
                " current_state module date_add date_upd id_shop reference"
            ),
            methods=("GET", "PATCH"),
        ),
        Resource(
            "order_histories",
            "order_history",
            "order_history",
            _names("id id_employee id_order_state id_order date_add"),
            methods=("GET", "POST"),
        ),
        Resource(
            "order_carriers",
            "order_carrier",
            "order_carrier",
            _names(
                "id id_order id_carrier id_order_invoice weight shipping_cost_tax_excl shipping_cost_tax_incl"
                " tracking_number date_add"
            ),
            methods=("GET", "PUT", "PATCH"),
            required=("id_order", "id_carrier"),
        ),
    )
}


class Records:
    """The records of one shop; every call is a transaction."""

    def __init__(self, engine: Engine, prefix: str, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._prefix = prefix
        self._clock = clock
        self._known: dict[str, Table] = {}

    def is_shop(self, id_shop: str) -> bool:
        """Whether there is such a shop."""
        with self._engine.connect() as connection:
            return bool(self._select(connection, RESOURCES["shops"], {"id": id_shop}))

    def listed(self, resource: Resource, filters: Mapping[str, str], id_shop: str) -> list[Row]:
        """The records with these values, whatever the shop; but products of this shop."""
        for field in filters:
            if field not in resource.fields:
                raise ShopRefuses(500, 32, "This filter does not exist.")
        with self._engine.connect() as connection:
            rows = self._select(connection, resource, filters)
            if resource.name == "products":
                rows = [row for row in rows if self._of_shop(connection, row["id"], id_shop)]
            return rows

    def one(self, resource: Resource, record: str, id_shop: str) -> Row:
        """One record, as seen from a shop."""
        with self._engine.connect() as connection:
            rows = self._select(connection, resource, {"id": record})
            if not rows:
                raise ShopRefuses(404)
            own = rows[0].get("id_shop") if resource.name == "stock_availables" else ""
            is_foreign = own not in ("", "0", id_shop) or (
                resource.name == "products" and not self._of_shop(connection, record, id_shop)
            )
            if is_foreign:
                name = "".join(part.capitalize() for part in resource.element.split("_"))
                raise ShopRefuses(404, 131, f"This {name} ({record}) does not exists on this shop")
            return rows[0]

    def changed(self, resource: Resource, given: Row, id_shop: str, *, whole: bool) -> Row:
        """PUT (``whole``: what is not given is emptied) or PATCH of a record, and what it then is."""
        if "id" not in given:
            raise ShopRefuses(400, 90, "id is required when modifying a resource")
        with self._engine.begin() as connection:
            before = self._select(connection, resource, {"id": given["id"]})
            if not before:
                raise ShopRefuses(404, 92, "Invalid ID")
            own = before[0].get("id_shop", "0") if resource.name == "stock_availables" else "0"
            if own not in ("0", id_shop):
                raise ShopRefuses(400, 90, "id is required when modifying a resource")
            for field in resource.required if whole else ():
                if field not in given:
                    raise ShopRefuses(400, 41, f'parameter "{field}" required')
            _check(resource, given)
            if resource.name == "orders":
                self._change_order(connection, given)
            else:
                self._store(connection, resource, given, whole=whole)
            after = self._select(connection, resource, {"id": given["id"]})[0]
            if resource.name == "stock_availables":
                self._sum_up(connection, after)
            return after

    def add_state(self, given: Row) -> Row:
        """POST of an order history: the order's state changes with it. Unknown ones end PHP (82, 50c)."""
        with self._engine.begin() as connection:
            return self._add_state(connection, given.get("id_order", ""), given.get("id_order_state", ""))

    def _change_order(self, connection: Connection, given: Row) -> None:
        if "current_state" in given:
            self._add_state(connection, given["id"], given["current_state"])
        if "shipping_number" in given:
            carriers = self._table("order_carrier", connection)
            newest = select(func.max(carriers.c.id_order_carrier)).where(
                carriers.c.id_order == int(given["id"])
            )
            last = connection.scalar(newest)
            connection.execute(
                carriers.update()
                .where(carriers.c.id_order_carrier == last)
                .values(tracking_number=given["shipping_number"])
            )
            self._update_order(connection, given["id"], {})

    def _add_state(self, connection: Connection, id_order: str, id_state: str) -> Row:
        states = self._table("order_state", connection)
        known = connection.scalar(select(states.c.id_order_state).where(states.c.id_order_state == id_state))
        if known is None or not self._select(connection, RESOURCES["orders"], {"id": id_order}):
            raise ShopRefuses(500, is_html=True)
        history = self._table("order_history", connection)
        values = {"id_employee": 0, "id_order_state": id_state, "id_order": id_order, "date_add": self._now()}
        stored = {name: value for name, value in values.items() if name in history.c}
        number = connection.execute(history.insert().values(stored)).lastrowid
        self._update_order(connection, id_order, {"current_state": int(id_state)})
        return {"id": str(number), **{name: str(value) for name, value in values.items()}, "id_employee": ""}

    def _update_order(self, connection: Connection, id_order: str, values: Mapping[str, object]) -> None:
        orders = self._table("orders", connection)
        connection.execute(
            orders.update().where(orders.c.id_order == int(id_order)).values(**values, date_upd=self._now())
        )

    def _store(self, connection: Connection, resource: Resource, given: Row, *, whole: bool) -> None:
        table = self._table(resource.table, connection)
        values: dict[str, str] = {}
        for field in resource.fields[1:]:
            if field in given:
                values[field] = given[field]
            elif whole and field in table.c:
                values[field] = {"date_add": self._now(), "location": "", "tracking_number": ""}.get(
                    field, "0"
                )
        connection.execute(table.update().where(table.c[resource.key] == int(given["id"])).values(values))

    def _sum_up(self, connection: Connection, row: Row) -> None:
        """The total of a product with combinations, after one of them was written (W9)."""
        if row["id_product_attribute"] == "0":
            return
        stock = self._table("stock_available", connection)
        siblings = [stock.c[name] == int(row[name]) for name in ("id_product", "id_shop", "id_shop_group")]
        total = select(func.sum(stock.c.quantity)).where(*siblings, stock.c.id_product_attribute != 0)
        connection.execute(
            stock.update()
            .where(*siblings, stock.c.id_product_attribute == 0)
            .values(quantity=connection.scalar(total))
        )

    def _of_shop(self, connection: Connection, id_product: str, id_shop: str) -> bool:
        shops = self._table("product_shop", connection)
        found = select(shops.c.id_product).where(
            shops.c.id_product == int(id_product), shops.c.id_shop == int(id_shop)
        )
        return connection.scalar(found) is not None

    def _select(self, connection: Connection, resource: Resource, filters: Mapping[str, str]) -> list[Row]:
        table = self._table(resource.table, connection)
        shown = [field for field in resource.fields if resource.column(field) in table.c]
        conditions = []
        for field, value in filters.items():
            wanted = value.strip("[]").split("|")
            if not all(one.isdecimal() for one in wanted):
                return []
            conditions.append(table.c[resource.column(field)].in_([int(one) for one in wanted]))
        columns = [table.c[resource.column(field)] for field in shown]
        rows = connection.execute(select(*columns).where(*conditions).order_by(columns[0]))
        return [dict(zip(shown, map(_shown, row), strict=True)) for row in rows]

    def _table(self, name: str, connection: Connection) -> Table:
        """With the columns this shop has: a small one lacks most."""
        if name not in self._known:
            columns = inspect(connection).get_columns(self._prefix + name)
            found = [Column[Any](column["name"]) for column in columns]
            self._known[name] = Table(self._prefix + name, MetaData(), *found)
        return self._known[name]

    def _now(self) -> str:
        """The shop's local time."""
        with self._engine.connect() as connection:
            settings = self._table("configuration", connection)
            zone = connection.scalar(select(settings.c.value).where(settings.c.name == "PS_TIMEZONE"))
        return f"{self._clock().astimezone(ZoneInfo(zone or 'UTC')):%Y-%m-%d %H:%M:%S}"


def _check(resource: Resource, given: Row) -> None:
    """PrestaShop's validation of what is written here."""
    quantity = given.get("quantity")
    if resource.name == "stock_availables" and quantity is not None:
        number = int(quantity) if re.fullmatch(r"-?[0-9]+", quantity) else None
        if number is None or not _SMALLEST <= number <= _LARGEST:
            between = f"It must be between {_SMALLEST} and {_LARGEST}."
            what = f"The range of property StockAvailable-&gt;quantity is currently {number or 0}. {between}"
            raise ShopRefuses(400, 85, f'Validation error: "{what}"')
    tracking = given.get("tracking_number", "")
    if not _TRACKING.fullmatch(tracking) or len(tracking) > _LONGEST_TRACKING:
        what = "Property OrderCarrier-&gt;tracking_number is not valid"
        raise ShopRefuses(400, 85, f'Validation error: "{what}"')


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return str(value)
