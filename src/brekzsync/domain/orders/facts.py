"""What the shop says about its orders, as far as the configuration has to name it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from decimal import Decimal
from typing import NamedTuple


class OrderState(NamedTuple):
    """An order state; a deleted one may still stand in old orders."""

    id_order_state: int
    name: str
    deleted: bool


class PaymentModule(NamedTuple):
    """A module customers pay through, or paid through: ``orders`` counts the recent ones."""

    name: str
    orders: int
    active: bool


class Carrier(NamedTuple):
    """A carrier over all its revisions; PrestaShop gives an edited carrier a new id and keeps ``id_reference``."""

    id_reference: int
    name: str
    orders: int
    active: bool


class OrderRate(NamedTuple):
    """A tax rate in percent of goods sold to a country (ISO code), and in how many recent orders."""

    country: str
    rate: Decimal
    id_tax_rules_group: int
    orders: int


class OrderFacts(NamedTuple):
    """None where the tables are not there, or not for this user; ``unreadable`` names those tables.

    ``recent`` is how many of the latest orders were looked at; ``countries`` are the ISO codes of all countries.
    """

    states: Sequence[OrderState] | None
    payment_modules: Sequence[PaymentModule] | None
    carriers: Sequence[Carrier] | None
    recent: int
    unreadable: Sequence[str]
    countries: Set[str] | None = None
    rates: Sequence[OrderRate] | None = None
