"""What a configuration and the shop it is for do not agree on, finding by finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from brekzsync.domain.orders.facts import Carrier, OrderFacts, OrderState, PaymentModule
from brekzsync.settings import Settings
from brekzsync.settings.toml_text import toml_key, toml_value

STATE_KEYS = {
    "orders": ("ready_states", "dead_states"),
    "marketplace": (
        "shipped_states",
        "canceled_states",
        "refunded_states",
        "delivered_states",
        "implies_shipped",
    ),
}
"""The keys that hold ids of order states."""

_OPERATIONS = ("shipped_states", "canceled_states", "refunded_states", "delivered_states")


class Severity(StrEnum):
    """An error keeps a run from working or makes it send what is wrong; a warning leaves something out."""

    ERROR = "error"
    WARNING = "warning"


class Finding(NamedTuple):
    """One thing to change: where, what is wrong, and the line to write there."""

    severity: Severity
    section: str
    key: str
    message: str
    remedy: str


class ShopNames(NamedTuple):
    """What the data shop is, and every shop's name by id."""

    data_shop: str
    currency: str
    country: str
    languages: Set[str]
    shops: Mapping[int, str]


class UnmappedRate(NamedTuple):
    """A tax rate without VAT code, and how many products that would be exported have it."""

    rate: str
    products: int
    example: str


def place(settings: Settings, target: str, section: str, key: str) -> str:
    """The table a target's value stands in: its own where it sets the key, else the general one."""
    own = getattr(settings.targets.get(target), section, None)
    return f"targets.{target}.{section}" if own is not None and key in own.model_fields_set else section


# --- what the shop need not be asked for --------------------------------------------------------------------


def in_itself(settings: Settings) -> Iterator[Finding]:
    """Contradictions within the file."""
    marketplace = settings.marketplace
    told: dict[int, str] = {}
    for key in _OPERATIONS:
        for state in getattr(marketplace, key):
            other = told.setdefault(state, key)
            if other != key:
                yield Finding(
                    Severity.ERROR,
                    "marketplace",
                    key,
                    f"Order state {state} stands in {other} and in {key}: one state is reported as one thing.",
                    f"Take {state} out of one of the two.",
                )
    if marketplace.model_fields_set and not any(getattr(marketplace, key) for key in _OPERATIONS):
        yield Finding(
            Severity.WARNING,
            "marketplace",
            "shipped_states",
            "No order state is reported to the marketplace.",
            "Set shipped_states = [4] to the states (id_order_state) that mean shipped, and its siblings.",
        )
    yield from _fed_twice(settings)


def _fed_twice(settings: Settings) -> Iterator[Finding]:
    """Two shops that may each sell all of one warehouse sell it twice."""
    owners: dict[str, str] = {}
    for name, shop in settings.stock.shops.items():
        if shop.share < Decimal(1):
            continue
        for warehouse in shop.warehouses or settings.erp.warehouses or ["*"]:
            owner = owners.setdefault(warehouse, name)
            if owner != name:
                what = "all warehouses" if warehouse == "*" else f"warehouse {warehouse}"
                yield Finding(
                    Severity.WARNING,
                    "stock",
                    "shops",
                    f"{owner} and {name} are both fed all of {what}: what is there once can be sold twice.",
                    f'Give each a share, as in {toml_key(name)} = {{ warehouses = ["1"], share = "50%" }}.',
                )


# --- the shop itself ----------------------------------------------------------------------------------------


def against_the_shop(settings: Settings, target: str, shop: ShopNames) -> Iterator[Finding]:
    """Currency, country and language slots of one target."""
    own = settings.for_target(target).exact_xml
    yield from _currency(own.currency, place(settings, target, "exact_xml", "currency"), shop)
    if not shop.country:
        yield Finding(
            Severity.WARNING,
            "shop",
            "data_shop",
            f"{shop.data_shop} has no default country (PS_COUNTRY_DEFAULT), so no product has a tax rate.",
            "Choose the country in the shop: International > Localization.",
        )
    # Slots the file itself names are refused one by one when the shop is opened.
    if "language_slots" not in own.model_fields_set and not shop.languages & own.language_slots.keys():
        example = next(iter(sorted(shop.languages)), "nl")
        yield Finding(
            Severity.WARNING,
            place(settings, target, "exact_xml", "language_slots"),
            "language_slots",
            f"The shop has none of the languages of the description slots ({', '.join(own.language_slots)}).",
            f"Set language_slots = {{ {example} = 0 }}; the shop's languages: {_listed(sorted(shop.languages))}.",
        )


def _currency(currency: str, section: str, shop: ShopNames) -> Iterator[Finding]:
    if not currency and not shop.currency:
        yield Finding(
            Severity.ERROR,
            section,
            "currency",
            f"{shop.data_shop} has no default currency (PS_CURRENCY_DEFAULT), and the file names none.",
            'Set currency = "EUR".',
        )
    elif currency and shop.currency and currency != shop.currency:
        yield Finding(
            Severity.ERROR,
            section,
            "currency",
            f"Prices would be sent as {currency}; those of {shop.data_shop} are in {shop.currency}.",
            f"Set currency = {toml_value(shop.currency)}, or remove the key.",
        )


def unknown_shops(settings: Settings, shop: ShopNames) -> Iterator[Finding]:
    """Shops that are named for orders or stock and do not exist."""
    known = {name.strip().casefold() for name in shop.shops.values()} | {str(number) for number in shop.shops}
    for section, names in (("orders", settings.orders.shops), ("stock", list(settings.stock.shops))):
        missing = [name for name in names if name.strip().casefold() not in known]
        if missing:
            exist = _listed([f"{name} ({number})" for number, name in shop.shops.items()])
            yield Finding(
                Severity.ERROR,
                section,
                "shops",
                f"{_listed(missing)} {'is no shop' if len(missing) == 1 else 'are no shops'} of this PrestaShop.",
                f"Name one of: {exist}.",
            )


def unmapped_rates(section: str, country: str, rates: Sequence[UnmappedRate]) -> Iterator[Finding]:
    """Tax rates whose products would be sent without VAT."""
    for rate, products, example in rates:
        count = "1 product" if products == 1 else f"{products} products"
        yield Finding(
            Severity.WARNING,
            section,
            "vat_codes",
            f"The tax rate {rate} % has no VAT code: {count} (such as {example}) would be sent without VAT.",
            f'Add {toml_key(rate)} = "…" to vat_codes: Exact\'s VAT code for {rate} % in {country or "the shop"}.',
        )


# --- orders -------------------------------------------------------------------------------------------------


def order_mappings(settings: Settings, facts: OrderFacts) -> Iterator[Finding]:
    """States that do not exist; payment modules and carriers without a code."""
    if facts.states is not None:
        yield from _states(settings, facts.states)
    methods = {name.strip().casefold() for name in settings.orders.payment_methods}
    for module in facts.payment_modules or ():
        if module.name.casefold() not in methods:
            yield _unmapped_payment(module, facts.recent)
    carriers = {name.strip().casefold() for name in settings.orders.delivery_methods}
    for carrier in facts.carriers or ():
        if not carriers & {str(carrier.id_reference), carrier.name.casefold()}:
            yield _unmapped_carrier(carrier, facts.recent)


def _states(settings: Settings, states: Sequence[OrderState]) -> Iterator[Finding]:
    """A deleted state may be named: old orders are in it still, or were."""
    known = {state.id_order_state for state in states}
    current = _listed([f"{state.id_order_state} {state.name}" for state in states if not state.deleted])
    for section, keys in STATE_KEYS.items():
        table = getattr(settings, section)
        for key in keys:
            wanted: list[int] = getattr(table, key)
            missing = [str(state) for state in wanted if state not in known]
            if missing:
                plural = f"are no order states {_listed(missing)}"
                told = f"is no order state {missing[0]}" if len(missing) == 1 else plural
                left = toml_value([state for state in wanted if state in known])
                yield Finding(
                    # What the file does not say is no mistake of its writer.
                    Severity.ERROR if key in table.model_fields_set else Severity.WARNING,
                    section,
                    key,
                    f"There {told} in this shop.",
                    f"Set {key} = {left} with what you meant added, of: {current}.",
                )


def _unmapped_payment(module: PaymentModule, recent: int) -> Finding:
    return Finding(
        Severity.WARNING,
        "orders",
        "payment_methods",
        f"The payment module {module.name} ({_use(module.orders, recent, module.active)}) has no payment method.",
        f'Add {toml_key(module.name)} = "…" to payment_methods: Exact\'s code of one character.',
    )


def _unmapped_carrier(carrier: Carrier, recent: int) -> Finding:
    name = (
        carrier.name if carrier.name not in ("", "0") else "the shop's own"
    )  # PrestaShop's own way to say it
    return Finding(
        Severity.WARNING,
        "orders",
        "delivery_methods",
        f"The carrier {name} ({_use(carrier.orders, recent, carrier.active)}) has no delivery method.",
        f'Add {carrier.id_reference} = "…" to delivery_methods: Exact\'s code of at most 5 characters.',
    )


def _use(orders: int, recent: int, active: bool) -> str:
    used = f"{orders} of the last {recent} orders" if orders else "no recent orders"
    return used if active else f"{used}, no longer active"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words) or "none"
