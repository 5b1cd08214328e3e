"""The catalogue as one stream of combinations in key order.

A page is a range of products, read by a few narrow indexed queries (``pages.py``), so that nothing is
sorted or joined over the whole catalogue and memory does not grow with it. While one page is worked on,
the next is read. Records stay undecoded: most are only compared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from hashlib import blake2b
from marshal import dumps
from typing import Any

from brekzsync.domain.eligibility import CLEAR, Standing
from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.keys import BEFORE_ALL, ProductKey
from brekzsync.domain.products import Combination
from brekzsync.domain.texts import clean
from brekzsync.prestashop.ahead import ahead
from brekzsync.prestashop.connection import RawRow, number, text
from brekzsync.prestashop.decoding import Decoder
from brekzsync.prestashop.pages import Page, PageReader
from brekzsync.prestashop.queries import CombinationRow, ProductRow, Raw
from brekzsync.prestashop.records import SourceProduct, SourceRecord
from brekzsync.prestashop.reference_data import ReferenceData

_CODE_COLUMNS: dict[str, Callable[[Sequence[RawRow]], list[str]]] = {
    "reference": lambda rows: [own or its for own, its in zip(_texts(rows, 2), _texts(rows, 3), strict=True)],
    "product_reference": lambda rows: _texts(rows, 3),
    "ean13": lambda rows: [text(row[5] if row[1] is None else row[4]).strip() for row in rows],
    "id_product": lambda rows: _decoded(rows, 0),
    "id_product_attribute": lambda rows: [one or "0" for one in _decoded(rows, 1)],
    "key": lambda rows: [f"{text(row[0])}-{text(row[1]) or '0'}" for row in rows],
}
"""The fields of an item code's template, from rows of ``PageReader.codes``."""

PAGE_PRODUCTS = 1000
PAGE_CODES = 2000  # products; their rows are narrow
_MARSHAL = 2  # the last marshal format without back references: equal rows always give equal bytes


_new = tuple.__new__  # a third of what NamedTuple's own constructor costs, 100,000 times a run
_ID, _ID_COMBINATION, _REFERENCE = 0, 1, 2
_YES: frozenset[Raw] = frozenset((b"1", 1))  # as MySQL's and SQLite's drivers give a flag
_NO: frozenset[Raw] = frozenset((b"0", 0, None))
_ID_SHOP, _EXCLUDED = CombinationRow._fields.index("id_shop"), CombinationRow._fields.index("excluded")


class Catalogue:
    """Reads combinations of the data shop within one snapshot.

    ``salt`` (at most 64 bytes) stands for the configuration an item also depends on; it is part of every
    digest. ``at_once`` is how many products a stream reads together at first: fewer than usual for a reader who may
    have enough then.
    """

    def __init__(
        self,
        reader: PageReader,
        reference: ReferenceData,
        languages: tuple[int, ...],
        salt: bytes,
        at_once: int = PAGE_PRODUCTS,
    ) -> None:
        self._reader = reader
        self._reference = reference
        self._languages = languages
        self._keyed = blake2b(digest_size=16, key=salt)  # copied each time: keying costs as much as hashing
        self._no_attributes = (b"",) * len(languages)
        self._decoder = Decoder()
        self._at_once = at_once

    def stream(self, after: ProductKey = BEFORE_ALL) -> Iterator[SourceRecord]:
        """Every combination with a greater key than ``after``, in key order.

        Raises Unavailable when the shop goes away on the way.
        """
        pages = self._reader.pages(self._at_once, PAGE_PRODUCTS, after[0] - 1)
        if self._at_once < PAGE_PRODUCTS:
            first = next(pages, None)
            if first is None:
                return
            yield from (record for record in self._records(first) if record.key > after)
        with closing(ahead(pages)) as following:
            for page in following:
                if int(page.products[0][_ID]) > after[0]:
                    yield from self._records(page)
                else:
                    yield from (record for record in self._records(page) if record.key > after)

    def one(self, id_product: int) -> list[SourceRecord]:
        """The combinations of one product in key order; none when it does not exist."""
        return list(self._records(self._reader.one(id_product)))

    def some(self, ids: Collection[int]) -> Iterator[SourceRecord]:
        """The combinations of these products, in key order."""
        wanted = sorted(ids)
        for start in range(0, len(wanted), PAGE_PRODUCTS):
            yield from self._records(self._reader.among(wanted[start : start + PAGE_PRODUCTS]))

    def combination(self, record: SourceRecord) -> Combination:
        """The record decoded and resolved."""
        return self._decoder.combination(record)

    def reference(self, record: SourceRecord) -> str:
        """The combination's reference, else its product's."""
        own = text(record.row[_REFERENCE]).strip() if record.row is not None else ""
        return own or text(record.product.row.reference).strip()

    def code_hashes(
        self, template: CodeTemplate, among: Collection[str] | None = None
    ) -> Iterator[tuple[int, int]]:
        """``hash`` of the normalised item code and id_product of every combination, eligible or not, that has a
        code which another could have too; with ``among``, at least of those that have one of these codes.

        A hash is good within this process only.
        """
        if among is not None and (columns := template.columns):
            owners = self._reader.owners_of_codes(columns, among)
            yield from ((hash(_normalised(text(code))), int(id_product)) for id_product, code in owners)
            return
        for rows in ahead(self._reader.codes(PAGE_CODES, combinations=not template.tells_combinations_apart)):
            for row, code in zip(rows, _codes(template, rows), strict=True):
                if code:
                    yield hash(code), int(row[_ID])

    def codes(self, template: CodeTemplate) -> Iterator[list[tuple[ProductKey, str]]]:
        """The normalised item code (``""`` where it has none) of every combination, in pages, in key order."""
        for rows in ahead(self._reader.codes(PAGE_CODES, combinations=True)):
            keys = zip(
                (int(row[_ID]) for row in rows), (int(row[_ID_COMBINATION] or 0) for row in rows), strict=True
            )
            yield sorted(zip(keys, _codes(template, rows), strict=True))

    def _records(self, page: Page) -> Iterator[SourceRecord]:
        combinations, images, attributes = page.combinations, page.images, page.attributes
        no_attributes, wide = self._no_attributes, self._reference.catalogue_wide_prices
        position, count = 0, len(combinations)
        for raw in page.products:
            product, standing, digest = self._product(page, raw)
            raw_id, id_product = raw[_ID], int(raw[_ID])
            intricate = wide or raw_id in page.specials or raw_id in page.packs
            start = position
            while position < count and combinations[position][_ID] == raw_id:
                row = combinations[position]
                position += 1
                own = row[_ID_COMBINATION]
                key, special, its = (id_product, int(own)), None, standing
                if row[_ID_SHOP] is None or row[_EXCLUDED] not in _NO:
                    its = _own_standing(its, row)
                if intricate:
                    its, special = self._intricate(page, raw_id, key[1], its)
                image, texts = images.get(own, b""), attributes.get(own, no_attributes)
                mine = digest.copy()
                mine.update(dumps((row, image, texts, special), _MARSHAL))
                yield _new(SourceRecord, (key, mine.digest(), its, product, row, image, texts, special))
            if position == start:
                its, special = self._intricate(page, raw_id, 0, standing)
                digest.update(dumps(special, _MARSHAL))
                key = (id_product, 0)
                yield _new(
                    SourceRecord, (key, digest.digest(), its, product, None, b"", no_attributes, special)
                )

    def _intricate(
        self, page: Page, raw_id: Raw, id_product_attribute: int, standing: Standing
    ) -> tuple[Standing, RawRow | None]:
        """The standing with the packs that hold it, and the specific price that applies now."""
        packs, specials = page.packs.get(raw_id), page.specials.get(raw_id)
        if packs:
            standing = _with_packs(standing, packs, id_product_attribute)
        if not specials and not self._reference.catalogue_wide_prices:
            return standing, None
        return standing, self._reference.applying(specials or [], raw_id, id_product_attribute)

    def _product(self, page: Page, raw: RawRow) -> tuple[SourceProduct, Standing, Any]:
        """The product, how it stands, and the digest of what its combinations share."""
        reference = self._reference
        row = _new(ProductRow, raw)
        shared = (
            self._names(page, row),
            reference.brands.get(row.id_manufacturer, b""),
            reference.categories.get(row.id_category_default, b""),
            reference.rates.get(row.id_tax_rules_group),
            page.covers.get(row.id_product, b""),
            page.group_reductions.get(row.id_product, reference.group_reduction),
        )
        digest = self._keyed.copy()
        digest.update(dumps((raw, shared), _MARSHAL))
        resaved = dumps((row.date_upd, row.shop_date_upd), _MARSHAL)
        return _new(SourceProduct, (row, *shared, resaved)), _standing(row), digest

    def _names(self, page: Page, row: ProductRow) -> tuple[bytes, ...]:
        """One name per language; an empty one falls back to the main language's, then to any."""
        main: bytes = row.name or b""
        others = page.names.get(row.id_product)
        if others is None:
            return (main,) * len(self._languages)
        main = main if main.strip() else next((name for name in others.values() if name.strip()), b"")
        texts = [others.get(lang, b"") for lang in self._languages[1:]]
        return (main, *(text if text.strip() else main for text in texts))


def _normalised(code: str) -> str:
    """A code as it is compared: cleaned as in a document, upper-cased."""
    return clean(code)[0].upper()


def _codes(template: CodeTemplate, rows: Sequence[RawRow]) -> Sequence[str]:
    """The normalised code of each row of ``PageReader.codes``; nearly always there is nothing to clean in any."""
    codes = template.fill_all([_CODE_COLUMNS[field](rows) for field in template.fields])
    together = "".join(codes)
    if together.isprintable() and "  " not in together:
        return list(map(str.upper, map(str.strip, codes)))
    return list(map(_normalised, codes))


def _texts(rows: Sequence[RawRow], position: int) -> list[str]:
    """One column, stripped."""
    return list(map(str.strip, _decoded(rows, position)))


def _decoded(rows: Sequence[RawRow], position: int) -> list[str]:
    """One column; at once where it is all bytes, which costs a tenth."""
    values = [b"" if row[position] is None else row[position] for row in rows]
    try:
        found = str(b"\0".join(values), "utf-8").split("\0")
    except (TypeError, UnicodeDecodeError):
        found = []
    # Not all bytes, or a NUL among them, or no rows.
    return found if len(found) == len(values) else list(map(text, values))


def _standing(row: ProductRow) -> Standing:
    if row.active in _YES and row.state in _YES and row.excluded in _NO:  # nearly all
        return CLEAR
    active, finished, excluded = number(row.active) == 1, number(row.state) == 1, number(row.excluded) != 0
    return Standing(excluded, (), row.active is not None, active, finished)


def _own_standing(standing: Standing, row: RawRow) -> Standing:
    return standing._replace(
        excluded_by_column=standing.excluded_by_column or number(row[_EXCLUDED]) != 0,
        in_data_shop=standing.in_data_shop and row[_ID_SHOP] is not None,
    )


def _with_packs(standing: Standing, packs: list[RawRow], id_product_attribute: int) -> Standing:
    """A pack naming a combination holds that one; naming only the product, all of it."""
    holding = sorted({int(pack[2]) for pack in packs if int(pack[1]) in (0, id_product_attribute)})
    return standing._replace(bundles=tuple(holding)) if holding else standing
