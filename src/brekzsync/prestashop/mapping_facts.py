"""Order states, payment modules, carriers, rates: what the configuration maps, as the shop has it now.

The tables are not among those of ``tables.py``: products do without them, and a user who may read products
only need not be able to read orders.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Column, ColumnElement, Integer, MetaData, Select, String, Table, and_, func, select

from brekzsync.domain.orders.facts import Carrier, OrderFacts, OrderRate, OrderState, PaymentModule
from brekzsync.prestashop.connection import RawRow, ShopDatabase, Snapshot, number, text
from brekzsync.prestashop.reference_data import decimal

RECENT_ORDERS = 10_000
"""By id, so that no clock matters and the primary key finds them."""

_PAYMENT_HOOK = "paymentOptions"  # what a payment module of PrestaShop 1.7 and later hangs on
_Column = partial(Column, nullable=False)


class MappingTables:
    """Only the columns that are read; they are the same from 1.7.6 to 9.1.

    Tables that ``metadata`` has already stay as they are there.
    """

    def __init__(self, prefix: str, metadata: MetaData | None = None) -> None:
        known = MetaData() if metadata is None else metadata

        def table(name: str, ids: Sequence[str], texts: Sequence[str] = ()) -> Table:
            if prefix + name in known.tables:
                return known.tables[prefix + name]
            columns = [_Column(column, Integer) for column in ids]
            return Table(prefix + name, known, *columns, *(_Column(column, String) for column in texts))

        self.order_state = table("order_state", ["id_order_state", "deleted"])
        self.order_state_lang = table("order_state_lang", ["id_order_state", "id_lang"], ["name"])
        self.orders = table(
            "orders",
            ["id_order", "id_carrier", "id_address_delivery", "id_address_invoice"],
            ["module"],
        )
        self.module = table("module", ["id_module", "active"], ["name"])
        self.hook = table("hook", ["id_hook"], ["name"])
        self.hook_module = table("hook_module", ["id_module", "id_hook"])
        self.carrier = table("carrier", ["id_carrier", "id_reference", "active", "deleted"], ["name"])
        self.country = table("country", ["id_country"], ["iso_code"])
        self.address = table("address", ["id_address", "id_country"])
        self.order_detail = table(
            "order_detail", ["id_order_detail", "id_order", "id_tax_rules_group"], ["tax_rate"]
        )
        self.order_detail_tax = table("order_detail_tax", ["id_order_detail", "id_tax"])
        self.tax = table("tax", ["id_tax"], ["rate"])
        self.configuration = table("configuration", [], ["name", "value"])

    def of_rates(self) -> list[Table]:
        """What the tax rates of orders are read from."""
        lines = [self.orders, self.order_detail, self.order_detail_tax, self.tax]
        return [*lines, self.address, self.country, self.configuration]


def read_order_facts(database: ShopDatabase, prefix: str, id_lang: int) -> OrderFacts:
    """All of it, state names in one language. What cannot be read is left out and named."""
    with database.snapshot() as snapshot:
        return _Reader(snapshot, MappingTables(prefix), id_lang).facts()


class _Reader:
    """Reads within one snapshot, only the tables that are there."""

    def __init__(self, snapshot: Snapshot, tables: MappingTables, id_lang: int) -> None:
        self._snapshot = snapshot
        self._tables = tables
        self._id_lang = id_lang
        self._wanted = [table.name for table in vars(tables).values()]
        self._present = snapshot.table_columns(self._wanted)

    def facts(self) -> OrderFacts:
        """What there is."""
        tables = self._tables
        has_orders = self._has(tables.orders)
        last = self._number(select(func.max(tables.orders.c.id_order))) if has_orders else 0
        recent = tables.orders.c.id_order > last - RECENT_ORDERS
        count = (
            self._number(select(func.count()).select_from(tables.orders).where(recent)) if has_orders else 0
        )
        pays = self._has(tables.orders, tables.module, tables.hook, tables.hook_module)
        return OrderFacts(
            states=list(self._states()) if self._has(tables.order_state, tables.order_state_lang) else None,
            payment_modules=self._payment_modules(recent) if pays else None,
            carriers=self._carriers(recent) if self._has(tables.orders, tables.carrier) else None,
            recent=count,
            unreadable=[name for name in self._wanted if name not in self._present],
            countries=self._countries() if self._has(tables.country) else None,
            rates=self._rates(recent) if self._has(*tables.of_rates()) else None,
        )

    def _has(self, *tables: Table) -> bool:
        return all(table.name in self._present for table in tables)

    def _states(self) -> Iterator[OrderState]:
        state, lang = self._tables.order_state, self._tables.order_state_lang
        own = and_(lang.c.id_order_state == state.c.id_order_state, lang.c.id_lang == self._id_lang)
        for row in self._rows(
            select(state.c.id_order_state, lang.c.name, state.c.deleted)
            .select_from(state)
            .outerjoin(lang, own)
            .order_by(state.c.id_order_state)
        ):
            yield OrderState(number(row[0]), text(row[1]), number(row[2]) == 1)

    def _payment_modules(self, recent: ColumnElement[bool]) -> list[PaymentModule]:
        """Those a customer can choose now, and those of recent orders."""
        orders, module = self._tables.orders, self._tables.module
        hook, hooked = self._tables.hook, self._tables.hook_module
        counts = {
            text(row[0]): number(row[1])
            for row in self._rows(
                select(orders.c.module, func.count()).where(recent).group_by(orders.c.module)
            )
        }
        active = {
            text(row[0])
            for row in self._rows(
                select(module.c.name)
                .distinct()
                .join(hooked, hooked.c.id_module == module.c.id_module)
                .join(hook, and_(hook.c.id_hook == hooked.c.id_hook, hook.c.name == _PAYMENT_HOOK))
                .where(module.c.active == 1)
            )
        }
        names = sorted((counts.keys() | active) - {""}, key=lambda name: (-counts.get(name, 0), name))
        return [PaymentModule(name, counts.get(name, 0), name in active) for name in names]

    def _carriers(self, recent: ColumnElement[bool]) -> list[Carrier]:
        """Those a customer can choose now, and those of recent orders; named as their latest revision is."""
        orders, carrier = self._tables.orders, self._tables.carrier
        counted = {
            number(row[0]): number(row[1])
            for row in self._rows(
                select(orders.c.id_carrier, func.count()).where(recent).group_by(orders.c.id_carrier)
            )
        }
        carriers: dict[int, Carrier] = {}
        for row in self._rows(
            select(
                carrier.c.id_carrier,
                carrier.c.id_reference,
                carrier.c.name,
                carrier.c.active,
                carrier.c.deleted,
            ).order_by(carrier.c.deleted.desc(), carrier.c.id_carrier)
        ):
            id_reference = number(row[1]) or number(row[0])
            before = carriers.get(id_reference)
            used = counted.get(number(row[0]), 0) + (before.orders if before else 0)
            chosen_now = number(row[3]) == 1 and number(row[4]) == 0
            carriers[id_reference] = Carrier(id_reference, text(row[2]).strip(), used, chosen_now)
        wanted = (one for one in carriers.values() if one.orders or one.active)
        return sorted(wanted, key=lambda one: (-one.orders, one.id_reference))

    def _countries(self) -> set[str]:
        """ISO codes, upper-case."""
        return {text(row[0]).strip().upper() for row in self._rows(select(self._tables.country.c.iso_code))}

    def _rates(self, recent: ColumnElement[bool]) -> list[OrderRate]:
        """The rates of lines of recent orders by the country taxes are due in; the most frequent first."""
        tables = self._tables
        orders, line, taxes, tax = tables.orders, tables.order_detail, tables.order_detail_tax, tables.tax
        by_invoice = select(tables.configuration.c.value).where(
            tables.configuration.c.name == "PS_TAX_ADDRESS_TYPE"
        )
        is_invoice = any(text(row[0]) == "id_address_invoice" for row in self._rows(by_invoice))
        address = orders.c.id_address_invoice if is_invoice else orders.c.id_address_delivery
        columns = (tables.country.c.iso_code, line.c.tax_rate, tax.c.rate, line.c.id_tax_rules_group)
        counted: Counter[tuple[str, Decimal, int]] = Counter()
        for iso, own, applied, group, count in self._rows(
            select(*columns, func.count(orders.c.id_order.distinct()))
            .select_from(orders)
            .join(tables.address, tables.address.c.id_address == address)
            .join(tables.country, tables.country.c.id_country == tables.address.c.id_country)
            .join(line, line.c.id_order == orders.c.id_order)
            .outerjoin(taxes, taxes.c.id_order_detail == line.c.id_order_detail)
            .outerjoin(tax, tax.c.id_tax == taxes.c.id_tax)
            .where(recent)
            .group_by(*columns)
        ):
            rate = (decimal(own) or decimal(applied)).normalize()
            counted[text(iso).strip().upper(), rate, number(group)] += number(count)
        rates = (OrderRate(*which, times) for which, times in counted.items())
        return sorted(rates, key=lambda one: (-one.orders, one))

    def _rows(self, statement: Select[Any]) -> Sequence[RawRow]:
        return self._snapshot.rows(statement)

    def _number(self, statement: Select[Any]) -> int:
        return number(self._rows(statement)[0][0])
