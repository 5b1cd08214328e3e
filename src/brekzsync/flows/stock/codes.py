"""By which item code the ERP knows each combination: the one it acknowledged, else the one it has now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.keys import ProductKey
from brekzsync.domain.ledger import LedgerEntry
from brekzsync.domain.texts import clean, normalise_code
from brekzsync.flows.ports import ProductSource, SourceRecord


class CodeSource(ProductSource, Protocol):
    """The shop's catalogue within one snapshot, with the codes of all of it."""

    def codes(self, template: CodeTemplate) -> Iterator[list[tuple[ProductKey, str]]]: ...


class AcknowledgedCodes(Protocol):
    """The ledger of products."""

    def codes_between(self, first: ProductKey, last: ProductKey) -> Mapping[ProductKey, str]: ...

    def rows_for(self, keys: Iterable[ProductKey]) -> Sequence[LedgerEntry]: ...

    def holders(self, codes: Collection[str]) -> Mapping[str, Sequence[ProductKey]]: ...


OpenCatalogue = Callable[[], AbstractContextManager[CodeSource]]
"""Gives the catalogue of the data shop in a snapshot of its own."""


class ItemCodes:
    """Fulfils ``ports.Codes``. Every question is asked of the shop anew."""

    def __init__(self, catalogue: OpenCatalogue, ledger: AcknowledgedCodes, template: CodeTemplate) -> None:
        self._catalogue = catalogue
        self._ledger = ledger
        self._template = template

    def stream(self) -> Iterator[tuple[ProductKey, str]]:
        """Every combination of the data shop in key order; an empty code for one without."""
        with self._catalogue() as catalogue:
            for page in catalogue.codes(self._template):
                if not page:
                    continue
                acknowledged = self._ledger.codes_between(page[0][0], page[-1][0])
                if acknowledged:
                    yield from ((key, acknowledged.get(key) or code) for key, code in page)
                else:
                    yield from page

    def of(self, keys: Collection[ProductKey]) -> dict[ProductKey, str]:
        """Those of these combinations that are in the data shop."""
        with self._catalogue() as catalogue:
            codes = self._codes(catalogue, {key[0] for key in keys})
        return {key: codes[key] for key in keys if key in codes}

    def holders(self, codes: Collection[str]) -> dict[str, list[ProductKey]]:
        """The combinations that have each of these codes; a code that nobody has is missing."""
        with self._catalogue() as catalogue:
            products = self._products_of(catalogue, set(codes))
            products |= {key[0] for keys in self._ledger.holders(codes).values() for key in keys}
            found: dict[str, list[ProductKey]] = {}
            for key, code in sorted(self._codes(catalogue, products).items()):
                if code in codes:
                    found.setdefault(code, []).append(key)
        return found

    def _products_of(self, catalogue: CodeSource, codes: Collection[str]) -> set[int]:
        """At least those with a combination that has one of these codes now."""
        if not self._template.columns:  # put together, so no index knows it
            pages = catalogue.codes(self._template)
            return {key[0] for page in pages for key, code in page if code in codes}
        hashes = {hash(code) for code in codes}
        found = catalogue.code_hashes(self._template, codes)
        return {id_product for code_hash, id_product in found if code_hash in hashes}

    def _codes(self, catalogue: CodeSource, products: Collection[int]) -> dict[ProductKey, str]:
        codes = {record.key: self._current(catalogue, record) for record in catalogue.some(sorted(products))}
        acknowledged = self._ledger.rows_for(sorted(codes))
        return codes | {row.key: row.code for row in acknowledged if row.code}

    def _current(self, catalogue: CodeSource, record: SourceRecord) -> str:
        return normalise_code(clean(self._template.render(catalogue.combination(record)))[0])
