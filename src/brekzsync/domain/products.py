"""A combination as the shop holds it, and its mapping to the item the ERP is to hold."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import NamedTuple

from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.items import Item, join_translations
from brekzsync.domain.texts import clean

CODE_LENGTH = 30
DESCRIPTION_LENGTH = 60
TEXT_LENGTH = 255
GTIN_LENGTH = 20


class Product(NamedTuple):
    """What the combinations of a product share in the data shop; texts as the shop has them.

    ``names`` holds one entry per language, that of descriptions first.
    ``price`` is excl. tax in the data shop's currency; ``tax_rate`` a percentage, None where the shop has no
    rule for it; ``id_cover`` and ``id_category`` are 0 for none; ``weight`` is in the shop's unit.
    """

    id_product: int
    reference: str
    ean13: str
    names: tuple[str, ...]
    price: Decimal
    tax_rate: Decimal | None
    id_tax_rules_group: int
    weight: Decimal
    id_category: int
    category: str
    brand: str
    id_cover: int


class Combination(NamedTuple):
    """One sellable variant, resolved for the data shop; ``id_product_attribute`` 0 is the product itself.

    ``attributes`` are its attribute values joined, per language as ``Product.names``. ``price`` includes the
    combination's impact; ``special_*`` is set while a specific price applies; ``id_image`` falls back to the
    cover.
    """

    product: Product
    id_product_attribute: int
    reference: str
    ean13: str
    attributes: tuple[str, ...]
    price: Decimal
    special_price: Decimal | None
    special_from: str
    special_until: str
    weight: Decimal
    id_image: int

    @property
    def id_product(self) -> int:
        """The product's id."""
        return self.product.id_product

    @property
    def product_reference(self) -> str:
        """The product's own reference."""
        return self.product.reference


class Refusal(NamedTuple):
    """Why a combination cannot become an item: a stable reason and a sentence with the remedy."""

    reason: str
    message: str


Mapped = tuple[Item, frozenset[str]]
"""The item, and what was changed or left out on the way (stable codes)."""


class Examined(NamedTuple):
    """An item as far as it can be made (a field that is missing is blank), every reason why it cannot go, and
    what was changed or left out on the way."""

    item: Item
    refusals: tuple[Refusal, ...]
    warnings: frozenset[str]


class ItemRules(NamedTuple):
    """What the configuration decides about items.

    ``vat_codes`` maps ``21``, ``NL:21`` or ``NL:21:<id_tax_rules_group>`` (keys made by ``vat_key``) to the
    ERP's VAT code; ``tax_country`` is the data shop's ISO code; ``slots`` gives for each language slot of the
    ERP the place of its language in ``Product.names``.
    """

    code: CodeTemplate
    price_decimals: int
    allow_zero_price: bool
    special_prices: bool
    vat_codes: Mapping[str, str]
    tax_country: str
    slots: tuple[int, ...]


class _Shared(NamedTuple):
    """The part of an item that all combinations of a product have in common."""

    names: tuple[str, ...]
    vat_code: str
    tax_rate: str
    brand: str
    category_code: str
    category: str
    warnings: frozenset[str]


_NO_WARNINGS: frozenset[str] = frozenset()


def plain(number: Decimal) -> str:
    """A decimal as documents print it: no exponent, no trailing zeros."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def vat_key(key: str) -> str:
    """A key of ``exact_xml.vat_codes`` with its rate normalised: ``NL:21.000`` is ``NL:21``.

    Raises ValueError when the rate is not a number.
    """
    parts = [part.strip() for part in key.split(":")]
    position = 0 if len(parts) == 1 else 1
    try:
        parts[position] = plain(Decimal(parts[position]))
    except ArithmeticError:
        raise ValueError(f"{parts[position]!r} is not a tax rate") from None
    parts[0] = parts[0].upper()
    return ":".join(parts)


def vat_code(codes: Mapping[str, str], country: str, rate: str, id_tax_rules_group: int) -> str:
    """The ERP's VAT code of a rate (as ``plain`` prints it), the most exact key first; ``""`` when unmapped."""
    for key in (f"{country}:{rate}:{id_tax_rules_group}", f"{country}:{rate}", rate):
        if key in codes:
            return codes[key]
    return ""


class ItemMapper:
    """Turns combinations into items by ``ItemRules``; made for combinations that come product by product."""

    def __init__(self, rules: ItemRules) -> None:
        self._rules = rules
        self._quantum = Decimal(1).scaleb(-rules.price_decimals)
        # A catalogue has few rates, brands and categories beside its many products.
        self._vat = lru_cache(maxsize=256)(self._vat_of)
        self._grouping = lru_cache(maxsize=4096)(_grouping)
        self._product: Product | None = None
        self._shared = _Shared((), "", "", "", "", "", _NO_WARNINGS)

    def map(self, combination: Combination) -> Mapped | Refusal:
        """The item, or why there can be none."""
        shared = self._shared_by(combination.product)
        warnings: list[str] = []
        code = _text(self._rules.code.render(combination), warnings)
        if not code or len(code) > CODE_LENGTH:
            return _code_refusal(code, self._rules.code)
        if not shared.names[0]:
            return _NO_NAME
        price = self._amount(combination.price)
        if not self._is_price(combination.price, price):
            return _price_refusal(combination.price)
        item = self._item(combination, shared, code, price, warnings)
        return item, shared.warnings.union(warnings) if warnings else shared.warnings

    def examine(self, combination: Combination) -> Examined:
        """The item as far as it can be made, and everything that stands in its way, not only the first."""
        shared = self._shared_by(combination.product)
        warnings: list[str] = []
        code = _text(self._rules.code.render(combination), warnings)
        price = self._amount(combination.price)
        refusals = []
        if not code or len(code) > CODE_LENGTH:
            refusals.append(_code_refusal(code, self._rules.code))
        if not shared.names[0]:
            refusals.append(_NO_NAME)
        if not self._is_price(combination.price, price):
            refusals.append(_price_refusal(combination.price))
        item = self._item(combination, shared, code, price, warnings)
        return Examined(item, tuple(refusals), shared.warnings.union(warnings))

    def _shared_by(self, product: Product) -> _Shared:
        if product is not self._product:
            self._product, self._shared = product, self._share(product)
        return self._shared

    def _is_price(self, price: Decimal, amount: str) -> bool:
        return price >= 0 and (bool(amount.strip("0.")) or self._rules.allow_zero_price)

    def _item(
        self, combination: Combination, shared: _Shared, code: str, price: str, warnings: list[str]
    ) -> Item:
        descriptions = [
            _description(name, attributes, warnings) if attributes or len(name) > DESCRIPTION_LENGTH else name
            for name, attributes in zip(shared.names, combination.attributes, strict=True)
        ]
        special = combination.special_price
        fields = (
            code,
            descriptions[0],
            join_translations([descriptions[place] for place in self._rules.slots]),
            price,
            shared.vat_code,
            shared.tax_rate,
            plain(combination.weight) if combination.weight > 0 else "",
            f"{combination.id_image}.jpg" if combination.id_image else "",
            shared.brand,
            shared.category_code,
            shared.category,
            _text(combination.ean13, warnings)[:GTIN_LENGTH],
            *(_NO_SPECIAL if special is None else self._special(combination, special, price)),
        )
        return tuple.__new__(Item, fields)  # half of what its own constructor costs

    def _share(self, product: Product) -> _Shared:
        warnings: list[str] = []
        names = tuple([_text(name, warnings) for name in product.names])
        brand, category, removed = self._grouping(product.brand, product.category)
        if removed:
            warnings.append("control_characters_removed")
        vat_code, tax_rate = self._vat(product.tax_rate, product.id_tax_rules_group)
        if tax_rate and not vat_code:
            warnings.append("unmapped_tax_rate")
            tax_rate = ""  # the document leaves VAT out, and is compared as it is
        id_category = str(product.id_category) if product.id_category else ""
        reported = frozenset(warnings) if warnings else _NO_WARNINGS
        return _Shared(names, vat_code, tax_rate, brand, id_category, category, reported)

    def _special(self, combination: Combination, special: Decimal, price: str) -> tuple[str, str, str]:
        amount = self._amount(special)
        if not self._rules.special_prices or amount == price:  # without any effect, it is no special price
            return _NO_SPECIAL
        return amount, combination.special_from, combination.special_until

    def _amount(self, amount: Decimal) -> str:
        return str(amount.quantize(self._quantum, ROUND_HALF_UP))

    def _vat_of(self, rate: Decimal | None, id_tax_rules_group: int) -> tuple[str, str]:
        """The ERP's VAT code (``""`` when unmapped) and the rate as text (``""`` when there is none)."""
        if rate is None:
            return "", ""
        text = plain(rate)
        return vat_code(self._rules.vat_codes, self._rules.tax_country, text, id_tax_rules_group), text


_NO_SPECIAL = ("", "", "")


def _text(text: str, warnings: list[str]) -> str:
    if text.isprintable() and "  " not in text:  # as in ``clean``, without its call: nearly every text
        return text.strip()
    cleaned, removed = clean(text)
    if removed:
        warnings.append("control_characters_removed")
    return cleaned


def _description(name: str, attributes: str, warnings: list[str]) -> str:
    values = _text(attributes, warnings)
    text = f"{name} {values}" if name and values else name
    if len(text) <= DESCRIPTION_LENGTH:
        return text
    warnings.append("description_cut")
    return text[:DESCRIPTION_LENGTH].rstrip()


def _grouping(brand: str, category: str) -> tuple[str, str, int]:
    """Brand and category as Exact takes them, and how many forbidden characters they had."""
    brand, removed_here = clean(brand)
    category, removed_there = clean(category)
    return brand[:TEXT_LENGTH], category[:DESCRIPTION_LENGTH], removed_here + removed_there


_NO_NAME = Refusal(
    "missing_description",
    "The product has no name in any language: give it a name in the data shop.",
)


def _price_refusal(price: Decimal) -> Refusal:
    return Refusal(
        "missing_price",
        f"The price excl. tax is {plain(price)}: set a price above zero in the data shop"
        " (or products.allow_zero_price for free items).",
    )


def _code_refusal(code: str, template: CodeTemplate) -> Refusal:
    if not code:
        return Refusal(
            "missing_item_code",
            f"The item code is empty: fill in {template.wants} of the combination or its product.",
        )
    return Refusal(
        "item_code_too_long",
        f"The item code {code!r} has {len(code)} characters; Exact Globe takes {CODE_LENGTH}:"
        f" shorten {template.wants}.",
    )
