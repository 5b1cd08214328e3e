"""What ``[orders]`` does not say, or says of things that neither shop nor ERP have, finding by finding.

An order that names what has no code in Exact fails when it comes; these findings tell of it before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.orders.facts import Carrier, OrderFacts, OrderState, PaymentModule
from brekzsync.domain.orders.rules import OrderRules, folded
from brekzsync.domain.orders.shop_orders import Tax
from brekzsync.domain.products import plain, vat_key
from brekzsync.domain.texts import normalise_code
from brekzsync.flows.configuration.rules import Finding, Severity, listed, place
from brekzsync.settings import Settings
from brekzsync.settings.durations import format_duration
from brekzsync.settings.toml_text import toml_key, toml_value

STATE_KEYS = {
    "orders": ("ready_states", "dead_states"),
    "shipments": ("shipped_state", "partial_state", "beyond_states"),
    "marketplace": (
        "shipped_states",
        "canceled_states",
        "refunded_states",
        "delivered_states",
        "implies_shipped",
    ),
}
"""The keys that hold ids of order states; one alone may be 0 for none."""

ITEM_KEYS = {
    "shipping_item": "An order with shipping costs",
    "wrapping_item": "An order with gift wrapping",
    "discount_item": "An order with a discount",
    "refund_item": "A refund of a sum somebody typed",
    "rounding_item": "An order with a rounding difference",
}
"""The items that lines without a product are booked on, and who needs each."""
_SHORTEST_IMPORT: Final = timedelta(minutes=5)


# --- what neither shop nor ERP need be asked for ------------------------------------------------------------


def orders_in_themselves(settings: Settings) -> Iterator[Finding]:
    """What every configuration of orders has to say."""
    orders = settings.orders
    for key, who in ITEM_KEYS.items():
        if not getattr(orders, key):
            yield Finding(
                Severity.WARNING,
                "orders",
                key,
                f"{who} would fail: no item is named to book it on.",
                f'Set {key} = "…": the code of an item in Exact.',
            )
    if orders.debtor == "collective" and not orders.collective_debtor:
        yield Finding(
            Severity.ERROR,
            "orders",
            "collective_debtor",
            "All customers share one debtor, and none is named: every order would fail.",
            'Set collective_debtor = "…", or debtor = "customer".',
        )
    yield from _never_due(settings)
    if orders.result_timeout < _SHORTEST_IMPORT:
        yield Finding(
            Severity.WARNING,
            "orders",
            "result_timeout",
            f"An order whose import takes longer than {format_duration(orders.result_timeout)} counts as lost"
            " and is sent again.",
            "Set result_timeout to longer than an import ever takes: an hour, say.",
        )


def _never_due(settings: Settings) -> Iterator[Finding]:
    ready, dead = settings.orders.ready_states, settings.orders.dead_states
    if not ready:
        yield Finding(
            Severity.WARNING,
            "orders",
            "ready_states",
            "There are no ready states: no order is ever due.",
            "Set ready_states = [2], say: the states of orders that are paid.",
        )
    if both := [str(state) for state in ready if state in dead]:
        yield Finding(
            Severity.WARNING,
            "orders",
            "dead_states",
            f"Order state {listed(both)} stands in ready_states too: while an order is in it, it is not due.",
            f"Take {listed(both)} out of one of the two.",
        )


def orders_of_several(settings: Settings) -> Iterator[Finding]:
    """That the same orders go to more than one administration, which is seldom what is meant."""
    taken: dict[str, set[str]] = {}
    for target in settings.target_names():
        orders = settings.for_target(target).orders
        if orders.is_in_use:
            taken[target] = {shop.strip().casefold() for shop in orders.shops}
    for target, shops in list(taken.items())[1:]:
        before = [other for other in taken if other != target]
        if shared := [one for one in before if not shops or not taken[one] or shops & taken[one]]:
            yield Finding(
                Severity.WARNING,
                f"targets.{target}.orders",
                "shops",
                f"Orders go to {listed(shared)} and to {target}: each that is due is sent to every one of them.",
                "Divide the shops among the targets: shops = [...] in [targets.<name>.orders] of each.",
            )
            return


# --- the shop -----------------------------------------------------------------------------------------------


def order_states(settings: Settings, facts: OrderFacts) -> Iterator[Finding]:
    """States that do not exist; those of orders and shipments only where the file speaks of them."""
    unused = {name for name in ("orders", "shipments") if not getattr(settings, name).is_in_use}
    for section, keys in STATE_KEYS.items():
        if facts.states is not None and section not in unused:
            yield from _states(settings, section, keys, facts.states)


def _states(
    settings: Settings, section: str, keys: Sequence[str], states: Sequence[OrderState]
) -> Iterator[Finding]:
    """A deleted state may be named: old orders are in it still, or were."""
    known = {state.id_order_state for state in states}
    current = listed([f"{state.id_order_state} {state.name}" for state in states if not state.deleted])
    table = getattr(settings, section)
    for key in keys:
        value: list[int] | int = getattr(table, key)
        wanted = value if isinstance(value, list) else [value] if value else []
        missing = [str(state) for state in wanted if state not in known]
        if missing:
            plural = f"are no order states {listed(missing)}"
            told = f"is no order state {missing[0]}" if len(missing) == 1 else plural
            left = toml_value([state for state in wanted if state in known])
            remedy = f"Set {key} = {left} with what you meant added, of: {current}."
            yield Finding(
                # What the file does not say is no mistake of its writer.
                Severity.ERROR if key in table.model_fields_set else Severity.WARNING,
                section,
                key,
                f"There {told} in this shop.",
                remedy if isinstance(value, list) else f"Set {key} to one of: {current}.",
            )


def order_mappings(settings: Settings, facts: OrderFacts) -> Iterator[Finding]:
    """Payment modules and carriers without a code, countries the shop does not have."""
    orders = settings.orders
    methods = {folded(name) for name in orders.payment_methods}
    conditions = {folded(name) for name in orders.payment_conditions}
    for module in facts.payment_modules or ():
        if folded(module.name) not in methods:
            yield _unmapped_payment(module, facts.recent, "payment_method", "one character")
        if conditions and folded(module.name) not in conditions:
            yield _unmapped_payment(module, facts.recent, "payment_condition", "at most 2 characters")
    carriers = {folded(name) for name in orders.delivery_methods}
    for carrier in facts.carriers or ():
        if not carriers & {str(carrier.id_reference), folded(carrier.name)}:
            yield _unmapped_carrier(carrier, facts.recent)
    for country in orders.countries:
        if facts.countries is not None and country not in facts.countries:
            yield Finding(
                Severity.WARNING,
                "orders",
                "countries",
                f"The shop has no country {country}.",
                "Use the shop's own two-letter code (International > Locations), or remove it.",
            )


def order_rates(settings: Settings, target: str, home_country: str, facts: OrderFacts) -> Iterator[Finding]:
    """Tax rates of recent orders without a VAT code; and that nothing is booked without VAT under a code with."""
    own = settings.for_target(target)
    codes = {vat_key(key): code for key, code in own.exact_xml.vat_codes.items()}
    without = own.orders.rounding_vat_code
    rules = OrderRules(items={}, vat_codes=codes, home_country=home_country, rounding_vat_code=without)
    section = place(settings, target, "exact_xml", "vat_codes")
    unmapped: dict[tuple[str, str], int] = {}  # whichever tax rules group it comes from
    for rate in facts.rates or ():
        if rate.country and not rules.vat_code(rate.country, Tax(rate.rate, rate.id_tax_rules_group)):
            which = rate.country, plain(rate.rate)
            unmapped[which] = max(rate.orders, unmapped.get(which, 0))
    for (country, shown), orders in unmapped.items():
        yield _unmapped_rate(section, country, shown, f"{orders} of the last {facts.recent} orders")
    taxed = [key for key, code in codes.items() if code == without and not _is_zero(key)]
    if without and taxed:
        yield Finding(
            Severity.ERROR,
            "orders",
            "rounding_vat_code",
            f"Rounding differences are booked without VAT, and {without} is the VAT code of {listed(taxed)}.",
            'Set rounding_vat_code = "…" to a code without VAT.',
        )
    elif not rules.code_without_vat(home_country):
        yield Finding(
            Severity.WARNING,
            "orders",
            "rounding_vat_code",
            "An order whose VAT is rounded otherwise in Exact would fail: no VAT code without VAT is named.",
            'Set rounding_vat_code = "…" to a code without VAT.',
        )


def _is_zero(key: str) -> bool:
    rate = key.split(":")[1] if ":" in key else key
    return not float(rate)


def _unmapped_rate(section: str, country: str, rate: str, use: str) -> Finding:
    return Finding(
        Severity.WARNING,
        section,
        "vat_codes",
        f"The tax rate {rate} % of {country} ({use}) has no VAT code: such orders fail.",
        f'Add {toml_key(f"{country}:{rate}")} = "…" to vat_codes: Exact\'s VAT code for {rate} % in {country}.',
    )


def _unmapped_payment(module: PaymentModule, recent: int, what: str, length: str) -> Finding:
    told = what.replace("_", " ")
    return Finding(
        Severity.WARNING,
        "orders",
        f"{what}s",
        f"The payment module {module.name} ({_use(module.orders, recent, module.active)}) has no {told}.",
        f'Add {toml_key(module.name)} = "…" to {what}s: Exact\'s code of {length}.',
    )


def _unmapped_carrier(carrier: Carrier, recent: int) -> Finding:
    # PrestaShop's own way to say it
    name = carrier.name if carrier.name not in ("", "0") else "the shop's own"
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


# --- the ERP ------------------------------------------------------------------------------------------------


def line_items(settings: Settings) -> dict[str, str]:
    """The item codes of the lines that are no products, by their keys."""
    return {key: getattr(settings.orders, key) for key in ITEM_KEYS if getattr(settings.orders, key)}


def items_in_the_erp(settings: Settings, target: str, held: Mapping[str, ErpItem]) -> Iterator[Finding]:
    """Items that orders are booked on and that the ERP (of this target) lacks, or does not sell."""
    erp = f"Exact ({target})" if len(settings.target_names()) > 1 else "Exact"
    for key, code in line_items(settings).items():
        item = held.get(normalise_code(code))
        if item is None:
            yield Finding(
                Severity.ERROR,
                "orders",
                key,
                f"{erp} has no item {code}: orders that need it would fail.",
                "Make the item in Exact, or name one that is there.",
            )
        elif item.is_blocked:
            yield Finding(
                Severity.WARNING,
                "orders",
                key,
                f"{erp} has blocked the item {code}: it may refuse orders that need it.",
                "Unblock the item in Exact, or name another.",
            )
