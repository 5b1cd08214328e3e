"""What a configuration and the shop it is for do not agree on, finding by finding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from enum import StrEnum
from typing import NamedTuple

from brekzsync.settings import Settings
from brekzsync.settings.toml_text import toml_key, toml_value


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
            f"Set language_slots = {{ {example} = 0 }}; the shop's languages: {listed(sorted(shop.languages))}.",
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
    """Shops that are named for orders and do not exist; those of stock are looked for as a sweep does."""
    return shops_that_are_not_there("orders", settings.orders.shops, shop)


def shops_that_are_not_there(section: str, named: Sequence[str], shop: ShopNames) -> Iterator[Finding]:
    """Of the shops that ``shops`` of a section names, by name or id, those that do not exist."""
    known = {name.strip().casefold() for name in shop.shops.values()} | {str(number) for number in shop.shops}
    missing = [name for name in named if name.strip().casefold() not in known]
    if missing:
        exist = listed([f"{name} ({number})" for number, name in shop.shops.items()])
        yield Finding(
            Severity.ERROR,
            section,
            "shops",
            f"{listed(missing)} {'is no shop' if len(missing) == 1 else 'are no shops'} of this PrestaShop.",
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


def listed(words: Sequence[str]) -> str:
    """Words in a row, as a sentence takes them."""
    return ", ".join(words) or "none"
