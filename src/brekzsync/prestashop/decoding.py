"""From raw records to resolved combinations; done only for records that changed."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from brekzsync.domain.products import Combination, Product
from brekzsync.domain.specific_prices import full_days, price_paid
from brekzsync.prestashop.connection import number, text
from brekzsync.prestashop.queries import Raw
from brekzsync.prestashop.records import SourceProduct, SourceRecord
from brekzsync.prestashop.reference_data import decimal, specific_price

_decimal = lru_cache(maxsize=4096)(decimal)  # prices, weights and rates repeat across a catalogue
_sum = lru_cache(maxsize=4096)(Decimal.__add__)
_ZERO = Decimal(0)


class Decoder:
    """Decodes records, each product once as long as its combinations come one after another.

    NULL and malformed numbers count as zero, bytes that are not UTF-8 become U+FFFD: the mapping says what
    is then missing, the run goes on.
    """

    def __init__(self) -> None:
        self._raw: SourceProduct | None = None
        self._product: Product | None = None

    def combination(self, record: SourceRecord) -> Combination:
        """The record's texts and numbers, with the price a visitor pays now."""
        product = self._product
        if record.product is not self._raw or product is None:
            product = self._product = _product(record.product)
            self._raw = record.product
        key, _, _, _, row, id_image, attributes, special = record
        reference, ean13, weight, price, impact = "", product.ean13, product.weight, product.price, _ZERO
        if row is not None:
            _, _, raw_reference, raw_ean13, raw_impact, raw_weight, _, _ = row
            reference, ean13, impact = text(raw_reference), text(raw_ean13), _decimal(raw_impact)
            own_weight = _decimal(raw_weight)
            weight = weight + own_weight if own_weight else weight
            price = _sum(price, impact) if impact else price
        paid, first, last = _NO_SPECIAL if special is None else _special(record, product, special, impact)
        return tuple.__new__(  # a third of what NamedTuple's own constructor costs
            Combination,
            (
                product,
                key[1],
                reference,
                ean13,
                tuple([text(value) for value in attributes]),
                price,
                paid,
                first,
                last,
                weight,
                int(id_image) if id_image else product.id_cover,
            ),
        )


_NO_SPECIAL = (None, "", "")


def _product(source: SourceProduct) -> Product:
    row = source.row
    return Product(
        number(row.id_product),
        text(row.reference),
        text(row.ean13),
        tuple([text(name) for name in source.names]),
        _decimal(row.price),
        None if source.rate is None else _decimal(source.rate),
        number(row.id_tax_rules_group),
        _decimal(row.weight),
        number(row.id_category_default),
        text(source.category),
        text(source.brand),
        number(source.cover),
    )


def _special(
    record: SourceRecord, product: Product, special: tuple[Raw, ...], impact: Decimal
) -> tuple[Decimal | None, str, str]:
    """The special price and its full days; none when it lasts less than one whole day."""
    rule = specific_price(special)
    days = full_days(rule.starts, rule.ends)
    if days is None:
        return _NO_SPECIAL
    paid = price_paid(
        rule,
        base=product.price,
        impact=impact,
        tax_rate=product.tax_rate or _ZERO,
        group_reduction=_decimal(record.product.group_reduction),
    )
    return paid, *days
