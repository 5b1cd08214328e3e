"""What an administration wants its item documents to say beside the shop's own values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from brekzsync.errors import ConfigurationError

# Children of Item in the order the schema demands (facts/exact-globe.md 1.2, rows 7 to 22).
FLAGS = (
    "IsSalesItem",
    "IsPurchaseItem",
    "IsSerialNumberItem",
    "IsBatchItem",
    "IsSubAssemblyItem",
    "IsAssembledItem",
    "IsStockItem",
    "IsBackOrderItem",
    "IsFractionAllowedItem",
    "IsPriceRegulationItem",
    "IsTextItem",
    "IsDiscountItem",
    "IsExplodeItem",
    "IsPrintItem",
    "IsOutsourcedItem",
    "RequiresApprovedSupplier",
)
CONDITIONS = ("A", "B", "D", "E", "F")  # active, blocked, discontinued, inactive, future

_DEFAULT_FLAGS: Mapping[str, bool] = MappingProxyType({"IsSalesItem": True, "IsStockItem": True})
# Raise it when a release writes other documents for the same item and layout: then, and only then, an
# upgrade sends the whole catalogue again.
_DOCUMENT_FORM = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Assortment:
    """The item group; ``description`` is needed only where the administration lacks the group."""

    number: int
    code: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLayout:
    """``[exact_xml]`` as the item writer needs it; raises ``ConfigurationError`` for what no schema allows.

    ``language_slots`` are the numbers of ``Item.translated()``, in its order. ``ownership`` "create" leaves
    status, assortment, sales unit and all flags but ``IsSalesItem`` to the ERP's people once an item exists.
    """

    currency: str
    unit: str = "pc"
    special_price: Literal["list", "none"] = "list"
    special_price_list: str = "SALESPRICE"
    category_class: int = 1
    brand_field: int = 1
    brand_label: str = "Brand"
    language_slots: tuple[int, ...] = ()
    ownership: Literal["create", "always"] = "create"
    condition: str = "A"
    assortment: Assortment | None = None
    flags: Mapping[str, bool] = field(default_factory=lambda: _DEFAULT_FLAGS)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.flags) - set(FLAGS))
        if unknown:
            raise ConfigurationError(
                f"[exact_xml] flags names {unknown[0]}, which an Exact item does not have.",
                hint=f"Use one of: {', '.join(FLAGS)}.",
            )
        if self.condition not in CONDITIONS:
            raise ConfigurationError(
                f"[exact_xml] condition is {self.condition!r}, which Exact does not know.",
                hint="Use A (active), B (blocked), D (discontinued), E (inactive) or F (future).",
            )

    @property
    def is_sales_item(self) -> bool:
        """The one flag every document carries."""
        return self.flags.get("IsSalesItem", True)

    def owned_flags(self) -> list[tuple[str, bool]]:
        """The configured flags that follow ``ownership``, in schema order."""
        return [(name, self.flags[name]) for name in FLAGS[1:] if name in self.flags]

    def digest(self) -> bytes:
        """16 bytes that change exactly when the document of an acknowledged item would say something else."""
        from hashlib import blake2b  # with OpenSSL behind it; the process that only writes has no use for it

        said: list[object] = [_DOCUMENT_FORM, self.currency, self.category_class, self.language_slots]
        said += [self.brand_field, self.brand_label, self.is_sales_item, self.special_price]
        if self.special_price == "list":
            said += [self.special_price_list, self.unit]
        if self.ownership == "always":
            group = self.assortment
            said += ["always", self.unit, self.condition, self.owned_flags()]
            said += [group and (group.number, group.code, group.description)]
        return blake2b(repr(said).encode("utf-8", "backslashreplace"), digest_size=16).digest()
