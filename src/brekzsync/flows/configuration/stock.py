"""What ``[stock]`` and ``[shipments]`` lack or contradict, finding by finding."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final

from brekzsync.flows.configuration.rules import Finding, Severity, listed
from brekzsync.settings import Settings
from brekzsync.settings.durations import format_percentage
from brekzsync.settings.toml_text import toml_key

_ALL: Final = ""
"""Stands for all warehouses there are."""


# --- stock --------------------------------------------------------------------------------------------------


def stock_in_itself(settings: Settings) -> Iterator[Finding]:
    """What one target's stock has to say; nothing where the configuration says nothing of stock."""
    stock = settings.stock
    if not stock.is_in_use:
        return
    yield from _no_erp(settings, "Stock is")
    if stock.write_via == "webservice":
        yield from _no_webservice(
            settings, 'Stock is written through the shop\'s webservice (write_via = "webservice")'
        )
        yield from _of_the_database_alone(settings)
    yield from _fed_twice(settings)
    if not settings.orders.is_in_use:
        yield Finding(
            Severity.WARNING,
            "stock",
            "quantity",
            "[orders] says nothing, so what the shop sold and Exact does not know yet is not subtracted: a sweep can"
            " offer it once more.",
            "Have brekzsync export the orders, or sweep only after whatever does has brought all of them to Exact.",
        )
    if stock.max_change >= 1:
        yield Finding(
            Severity.WARNING,
            "stock",
            "max_change",
            f"A sweep may change {format_percentage(stock.max_change)} of the items: nothing stops one that an ERP"
            " half restored, or the wrong administration, makes go wrong.",
            'Set max_change = "30%"; a sweep that has to change more takes --max-change or --force.',
        )


def _of_the_database_alone(settings: Settings) -> Iterator[Finding]:
    """Keys that mean nothing for the webservice."""
    for key in ("database", "movement_employee"):
        if key in settings.stock.model_fields_set:
            yield Finding(
                Severity.WARNING,
                "stock",
                key,
                f'{key} does nothing while write_via = "webservice".',
                f'Remove {key}, or set write_via = "database".',
            )


def _no_erp(settings: Settings, what: str) -> Iterator[Finding]:
    if not settings.erp.database.get_secret_value():
        yield Finding(
            Severity.ERROR,
            "erp",
            "database",
            f"{what} read from Exact, and no database of it is named.",
            "Set database under [erp] to the SQLAlchemy URL of the administration.",
        )


def _no_webservice(settings: Settings, what: str) -> Iterator[Finding]:
    shop = settings.shop
    for key, value, remedy in (
        ("webservice_url", shop.webservice_url, 'Set webservice_url = "https://shop.example/api".'),
        (
            "webservice_key",
            shop.webservice_key.get_secret_value(),
            "Make a key in the shop (Advanced Parameters > Webservice) and set it, or name a file that holds it in"
            " BREKZSYNC_SHOP__WEBSERVICE_KEY_FILE.",
        ),
    ):
        if not value:
            yield Finding(Severity.ERROR, "shop", key, f"{what}, and {key} is empty.", remedy)


def _fed_twice(settings: Settings) -> Iterator[Finding]:
    """Shops that may together sell more than all of a warehouse sell some of it twice."""
    shops = {
        name: ({code.strip().upper() for code in shop.warehouses or settings.erp.warehouses}, shop.share)
        for name, shop in settings.stock.shops.items()
    }
    named = sorted(set().union(*(codes for codes, _ in shops.values()))) or [_ALL]
    for warehouse in named:
        fed = {name: share for name, (codes, share) in shops.items() if not codes or warehouse in codes}
        total = sum(fed.values(), Decimal(0))
        if len(fed) > 1 and total > 1:
            what = f"warehouse {warehouse}" if warehouse else "every warehouse"
            yield Finding(
                Severity.WARNING,
                "stock",
                "shops",
                f"{_and(list(fed))} together are fed {format_percentage(total)} of {what}: what is there once can be"
                " sold twice.",
                f'Give each a share, as in {toml_key(next(iter(fed)))} = {{ share = "50%" }}.',
            )
            return


def stock_of_several(places: Mapping[str, Mapping[str, object]]) -> Iterator[Finding]:
    """That two targets write the same shop, which a run refuses; ``places`` are those of each target, by name, told
    apart by their value."""
    for number, (target, own) in enumerate(places.items()):
        for other in list(places)[:number]:
            shared = [name for name, place in own.items() if place in places[other].values()]
            if shared:
                yield Finding(
                    Severity.ERROR,
                    f"targets.{target}.stock",
                    "shops",
                    f"The stock of {other} and that of {target} would both be written to {_and(shared)}: neither sweep"
                    " begins.",
                    "Divide the shops among the targets, as in shops = { NL = {} } in [targets.<name>.stock] of each.",
                )


def still_warehouses(
    settings: Settings, own: Settings, target: str, moved: Collection[str]
) -> Iterator[Finding]:
    """Warehouses that ``own`` names and that nothing was ever moved in; ``moved`` are the others."""
    erp = f"Exact ({target})" if len(settings.target_names()) > 1 else "Exact"
    known = {code.strip().upper() for code in moved}
    for section, key, codes in named_warehouses(own):
        missing = [code for code in codes if code.strip().upper() not in known]
        if missing:
            which = f"warehouse{'s' if len(missing) > 1 else ''} {listed(missing)}"
            yield Finding(
                Severity.WARNING,
                section,
                key,
                f"{erp} never moved anything in {which}: nothing there is for sale.",
                "Name warehouses by their codes in Exact, or none for all of them.",
            )


def named_warehouses(settings: Settings) -> list[tuple[str, str, list[str]]]:
    """Section, key and codes of every list of warehouses that stock is taken from."""
    if not settings.stock.is_in_use:
        return []
    of_shops = list(dict.fromkeys(code for shop in settings.stock.shops.values() for code in shop.warehouses))
    lists = [("erp", "warehouses", list(settings.erp.warehouses)), ("stock", "shops", of_shops)]
    return [found for found in lists if found[2]]


# --- shipments ----------------------------------------------------------------------------------------------


def shipments_in_themselves(settings: Settings) -> Iterator[Finding]:
    """What one target's shipments have to say; nothing where the configuration says nothing of them."""
    shipments = settings.shipments
    if not shipments.is_in_use:
        return
    yield from _no_erp(settings, "Shipments are")
    yield from _no_webservice(settings, "Order states are written through the shop's webservice")
    partial = shipments.partial_state
    if partial and partial in shipments.beyond_states:
        yield Finding(
            Severity.ERROR,
            "shipments",
            "partial_state",
            f"Order state {partial} stands in beyond_states too: an order that was delivered in part would never be"
            " shipped.",
            f"Take {partial} out of beyond_states, or set partial_state to another.",
        )
    elif partial == shipments.shipped_state:
        yield Finding(
            Severity.WARNING,
            "shipments",
            "partial_state",
            f"An order that was delivered in part counts as shipped at once: both are order state {partial}.",
            "Set partial_state = 0, or a state of its own.",
        )
    for key in ("shipped_state", "partial_state"):
        state = getattr(shipments, key)
        if state and state in settings.orders.dead_states:
            yield Finding(
                Severity.ERROR,
                "shipments",
                key,
                f"Order state {state} stands in [orders] dead_states: a delivered order would count as canceled.",
                f"Take {state} out of one of the two.",
            )


def _and(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
