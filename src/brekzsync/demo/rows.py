"""The demo shop's rows while they are being put together, and the ids its data files refer to by name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table

from brekzsync.prestashop.stock.tables import stock_tables
from brekzsync.prestashop.tables import ShopTables, shop_tables

Record = Mapping[str, Any]  # one table of a TOML file


class ShopRows:
    """Rows by table, in order of insertion. ``organisation`` is ``data/shop.toml``."""

    def __init__(self, organisation: Record, now: datetime) -> None:
        self.organisation = organisation
        self.tables: ShopTables = shop_tables("ps_")
        self.stock_tables = stock_tables("ps_", self.tables.metadata)
        self.by_table: defaultdict[Table, list[dict[str, Any]]] = defaultdict(list)
        local_now = now.astimezone(ZoneInfo(organisation["timezone"]))
        self.now = f"{local_now:%Y-%m-%d %H:%M:%S}"
        self.today = local_now.date()
        self.last_saved = f"{local_now - timedelta(days=30):%Y-%m-%d %H:%M:%S}"

    def add(self, table: Table, **values: object) -> None:
        """One row; every row of a table must name the same columns."""
        self.by_table[table].append(values)

    def next_id(self, table: Table) -> int:
        """The id of the row about to be added."""
        return len(self.by_table[table]) + 1

    def moment(self, days_ago: int, time: str) -> str:
        """A time of day some days ago; one of today that is still to come is now."""
        moment = f"{self.today - timedelta(days=days_ago)} {time}"
        return min(moment, self.now)

    def shop_language(self, shop: str) -> str:
        """The ISO code of the language a shop speaks."""
        return next(str(one["language"]) for one in self.organisation["shop"] if one["name"] == shop)

    def attribute_name(self, key: str, language: str) -> str:
        """The name of an attribute's value."""
        groups: list[Record] = self.organisation["attribute_group"]
        return next(
            str(value["name"][language])
            for group in groups
            for value in group["values"]
            if value["key"] == key
        )

    def texts(self, names: Record) -> Iterable[tuple[int, str]]:
        """(id_lang, text) for every language; empty where there is none, as a shop holds it."""
        for language in self.organisation["language"]:
            yield language["id"], names.get(language["iso_code"], "")

    @cached_property
    def shop_ids(self) -> dict[str, int]:
        return {shop["name"]: shop["id"] for shop in self.organisation["shop"]}

    @cached_property
    def language_ids(self) -> dict[str, int]:
        return {language["iso_code"]: language["id"] for language in self.organisation["language"]}

    @cached_property
    def brand_ids(self) -> dict[str, int]:
        return _ids(self.organisation["brand"])

    @cached_property
    def category_ids(self) -> dict[str, int]:
        return _ids(self.organisation["category"])

    @cached_property
    def tax_group_ids(self) -> dict[str, int]:
        return {"none": 0, **_ids(self.organisation["tax_group"])}

    @cached_property
    def attribute_ids(self) -> dict[str, int]:
        groups: list[Record] = self.organisation["attribute_group"]
        return {key: number for group in groups for key, number in _ids(group["values"]).items()}


def _ids(records: Iterable[Record]) -> dict[str, int]:
    return {record["key"]: record["id"] for record in records}
