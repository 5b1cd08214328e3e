"""One page of the catalogue: the raw rows of a range of products, grouped for lookup."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from brekzsync.prestashop.connection import RawRow, Snapshot
from brekzsync.prestashop.queries import CatalogueQueries, ProductRow, Raw, grouped
from brekzsync.prestashop.reference_data import AttributeName, as_bytes


class Page(NamedTuple):
    """Lookups by raw id of product or combination; ``names`` holds only what the product row does not."""

    products: Sequence[RawRow]
    combinations: Sequence[RawRow]
    names: Mapping[Raw, dict[int, bytes]]
    covers: Mapping[Raw, bytes]
    images: Mapping[Raw, bytes]
    attributes: Mapping[Raw, tuple[bytes, ...]]
    specials: Mapping[Raw, list[RawRow]]
    packs: Mapping[Raw, list[RawRow]]
    group_reductions: Mapping[Raw, bytes]


Rows = Callable[[str], Sequence[RawRow]]

EMPTY_PAGE = Page((), (), {}, {}, {}, {}, {}, {}, {})


class PageReader:
    """Reads pages within one snapshot in raw mode."""

    def __init__(
        self, snapshot: Snapshot, queries: CatalogueQueries, attributes: Mapping[Raw, AttributeName]
    ) -> None:
        self._snapshot = snapshot
        self._queries = queries
        self._attributes = attributes

    def pages(self, first: int, size: int, after: int = -1) -> Iterator[Page]:
        """The products with a greater id than ``after``, ``first`` of them and then ``size`` at a time."""
        following, size = size, first
        while products := self._snapshot.rows(self._queries.products_after, {"after": after, "page": size}):
            after = int(products[-1][0])
            span = {"first": int(products[0][0]), "last": after}
            yield self._page(products, self._rows(self._queries.between, span))
            size = following

    def one(self, id_product: int) -> Page:
        """This product, if it exists; where the server can, by one question."""
        rows = self._snapshot.rows_of_one(self._queries.of_one, id_product)
        if not rows["products"]:
            return EMPTY_PAGE
        rows["combinations"].sort(key=_id_of_combination)
        return self._page(rows["products"], rows.__getitem__)

    def among(self, ids: Sequence[int]) -> Page:
        """These products, as far as they exist."""
        products = self._snapshot.rows(self._queries.some_products, {"ids": list(ids)})
        if not products:
            return EMPTY_PAGE
        return self._page(products, self._rows(self._queries.among, {"ids": list(ids)}))

    def codes(self, size: int, *, combinations: bool) -> Iterator[Sequence[RawRow]]:
        """What item codes are made of, over the whole catalogue, in chunks of ``size`` products.

        Without ``combinations`` only of the products that have none.
        """
        statement = self._queries.codes_between if combinations else self._queries.codes_without_combinations
        after = -1
        while bound := self._snapshot.rows(self._queries.bound_after, {"after": after, "page": size})[0][0]:
            yield self._snapshot.rows(statement, {"after": after, "bound": int(bound)})
            after = int(bound)

    def owners_of_codes(self, columns: Sequence[str], codes: Collection[str]) -> Iterator[RawRow]:
        """id_product and text of every row of these columns that may be one of ``codes`` (normalised)."""
        for name in columns:
            yield from self._snapshot.rows(self._queries.owners_of_codes(name), {"codes": sorted(codes)})

    def _rows(self, statements: Mapping[str, Any], span: Mapping[str, Any]) -> Rows:
        return lambda name: self._snapshot.rows(statements[name], span)

    def _page(self, products: Sequence[RawRow], rows: Rows) -> Page:
        """``rows`` reads what belongs to these products."""
        return Page(
            products,
            rows("combinations"),
            self._names(products, rows),
            {row[0]: as_bytes(row[1]) for row in rows("covers")},
            _first_images(rows("images")),
            self._attribute_texts(rows("attributes")),
            grouped(rows("specials")),
            grouped(rows("packs")),
            {row[0]: as_bytes(row[1]) for row in rows("group_reductions")},
        )

    def _names(self, products: Sequence[RawRow], rows: Rows) -> dict[Raw, dict[int, bytes]]:
        """Names beside the main language's: those of the slots, and any, for a product without."""
        names: dict[Raw, dict[int, bytes]] = {}
        found = list(rows("names")) if self._queries.scope.id_langs else []
        nameless = [int(row[0]) for row in products if not (row[_NAME] and row[_NAME].strip())]
        if nameless:
            found += self._snapshot.rows(self._queries.names_of_some, {"ids": nameless})
        for id_product, id_lang, name in found:
            names.setdefault(id_product, {})[int(id_lang)] = as_bytes(name)
        return names

    def _attribute_texts(self, rows: Sequence[RawRow]) -> dict[Raw, tuple[bytes, ...]]:
        """Per combination the values of its attributes, joined, one text per language."""
        chosen: dict[Raw, list[AttributeName]] = {}
        for id_product_attribute, id_attribute in rows:
            attribute = self._attributes.get(id_attribute)
            if attribute is not None:
                chosen.setdefault(id_product_attribute, []).append(attribute)
        texts = {}
        for id_product_attribute, attributes in chosen.items():
            attributes.sort(key=lambda attribute: attribute.order)
            per_language = zip(*(attribute.names for attribute in attributes), strict=True)
            texts[id_product_attribute] = tuple(b" ".join(filter(None, names)) for names in per_language)
        return texts


_NAME = ProductRow._fields.index("name")


def _id_of_combination(row: RawRow) -> int:
    return int(row[1])


def _first_images(rows: Sequence[RawRow]) -> dict[Raw, bytes]:
    """Each combination's image of the lowest position."""
    best: dict[Raw, tuple[int, int]] = {}
    for id_product_attribute, id_image, position in rows:
        place = (int(position or 0), int(id_image))
        if id_product_attribute not in best or place < best[id_product_attribute]:
            best[id_product_attribute] = place
    return {id_product_attribute: str(image).encode() for id_product_attribute, (_, image) in best.items()}
