"""Item codes: how one is made of a combination, and who may have it when several want it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from string import Formatter
from typing import Protocol

from brekzsync.domain.keys import ProductKey

NAMED = {
    "reference": "{reference}",
    "ean13": "{ean13}",
    "key": "{id_product}-{id_product_attribute}",
}
"""The short names of ``products.item_code``; any other value is a template of its own."""

FIELDS = ("reference", "product_reference", "ean13", "id_product", "id_product_attribute", "key")
"""What a template may name; ``reference`` falls back to the product's."""


_SEPARATORS = tuple("-_./:#")


class CodeSource(Protocol):
    """What a code is made of; ``domain.products.Combination`` is one."""

    @property
    def id_product(self) -> int: ...
    @property
    def id_product_attribute(self) -> int: ...
    @property
    def reference(self) -> str: ...
    @property
    def product_reference(self) -> str: ...
    @property
    def ean13(self) -> str: ...


class CodeTemplate:
    """``products.item_code``, compiled. A code is blank when any text it needs is blank.

    ``reference`` falls back to the product's; a blank part never gives half a code, which another
    combination with the same blank part would share. Raises ValueError for an unknown field.
    """

    def __init__(self, value: str) -> None:
        self.template = NAMED.get(value, value)
        parts = list(Formatter().parse(self.template))
        self.fields = [field for _, field, _, _ in parts if field is not None]
        for field, spec, conversion in ((f, s, c) for _, f, s, c in parts if f is not None):
            if field not in FIELDS or spec or conversion:
                raise ValueError(f"{{{field}}} is not a field of item codes; known: {', '.join(FIELDS)}")
        if not self.fields:
            raise ValueError(
                f"{value!r} gives every combination the same code: name a field, e.g. {{reference}}"
            )
        literals = [literal.replace("{", "{{").replace("}", "}}") for literal, _, _, _ in parts]
        self._pattern = "".join(
            literal + ("{}" if field is not None else "")
            for literal, (_, field, _, _) in zip(literals, parts, strict=True)
        )
        self._is_bare = self.template == f"{{{self.fields[0]}}}"
        self._values = [_VALUES[field] for field in self.fields]

    def render(self, source: CodeSource) -> str:
        """The code of a combination."""
        return self.fill([value(source) for value in self._values])

    def fill(self, values: Sequence[str]) -> str:
        """The code with these values for ``fields``, in their order and already stripped."""
        if "" in values:
            return ""
        if self._is_bare:
            return values[0]
        return self._pattern.format(*values)

    def fill_all(self, columns: Sequence[Sequence[str]]) -> Sequence[str]:
        """``fill`` for many combinations, given each field's values."""
        if self._is_bare:
            return columns[0]
        if any("" in column for column in columns):
            return list(map(self.fill, zip(*columns, strict=True)))
        return list(map(self._pattern.format, *columns))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns a code stands in as it is (``table.column``); empty when it is put together.

        A combination's own column comes first, its product's follows.
        """
        return _COLUMNS.get(self.fields[0], ()) if self._is_bare else ()

    @property
    def tells_combinations_apart(self) -> bool:
        """Whether two combinations (products without any aside) can never have the same code.

        So it is when the code ends with their id and what stands before the id is certain not to be a digit.
        """
        literal, field, _, _ = list(Formatter().parse(self.template))[-1]
        if field == "key":  # a hyphen stands before the id in it
            return True
        return field == "id_product_attribute" and literal.endswith(_SEPARATORS)

    @property
    def wants(self) -> str:
        """The fields a person can fill in, for a sentence."""
        texts = [field for field in self.fields if field in ("reference", "product_reference", "ean13")]
        return " and ".join(texts) if texts else "the id"


def _reference(source: CodeSource) -> str:
    return source.reference.strip() or source.product_reference.strip()


_VALUES: dict[str, Callable[[CodeSource], str]] = {
    "reference": _reference,
    "product_reference": lambda source: source.product_reference.strip(),
    "ean13": lambda source: source.ean13.strip(),
    "id_product": lambda source: str(source.id_product),
    "id_product_attribute": lambda source: str(source.id_product_attribute),
    "key": lambda source: f"{source.id_product}-{source.id_product_attribute}",
}


_COLUMNS = {
    "reference": ("product_attribute.reference", "product.reference"),
    "product_reference": ("product.reference",),
    "ean13": ("product_attribute.ean13", "product.ean13"),
}


def rightful_holder(
    claimants: Collection[ProductKey], acknowledged: Collection[ProductKey]
) -> ProductKey | None:
    """Who keeps an item code that several want; None when nobody may have it.

    ``claimants`` are the eligible combinations whose current code it is; ``acknowledged`` those still
    eligible whose acknowledged version carries it (the ERP knows it as theirs). The ERP's holder comes
    first, so that a new duplicate never takes a healthy item away; without one, a single claimant gets
    it and several block each other.
    """
    if acknowledged:
        return min(acknowledged)
    if len(claimants) == 1:
        return next(iter(claimants))
    return None
