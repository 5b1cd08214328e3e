"""An item as eExact XML: the ``Item`` element, its special price line, and the document around them.

Every document validates against Exact's own schema (facts/exact-globe.md section 1), whichever fields are
blank. A run writes 100,000 of these, so a writer prepares once what its layout says and fills the rest in by
hand, in schema order; ``xmltodict.unparse`` takes ten times as long and lets control characters through.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from brekzsync.domain.items import Item
from brekzsync.exact.eexact.layout import Assortment, ItemLayout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from brekzsync.exact.eexact.unread import Unread
    from brekzsync.exact.eexact.unsettled import Unsettled

DOCUMENT_START = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<eExact xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xsi:noNamespaceSchemaLocation="eExact-Schema.xsd">\n'
)
DOCUMENT_END = "</eExact>\n"
ITEMS_START, ITEMS_END = "<Items>\n", "</Items>\n"
PRICES_START, PRICES_END = "<ItemPrices>\n", "</ItemPrices>\n"

# The schema wants a DateStart in every Availability. A special price without a first day gets this one: long
# past, and always the same, because a price line is found again by its start when it changes or is closed.
OPEN_START = "2000-01-01"

_SEARCH_CODE_LENGTH = 13  # Items.SearchCode, facts/exact-globe.md 1.3
_BLANK = Item._make([""] * len(Item._fields))
_NOTHING = ("", "", "")
# Tab and line ends as references: a parser would turn them into blanks in an attribute. The rest of what is
# dropped here XML 1.0 forbids; the mapping has removed and counted it already.
_FORBIDDEN = [*({*range(0x20)} - {9, 10, 13}), *range(0xD800, 0xE000), 0xFFFE, 0xFFFF]
_DROPPED = dict.fromkeys(_FORBIDDEN)
_ESCAPES: dict[int, str | None] = _DROPPED | str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
)


def escape(text: str) -> str:
    """Text safe in an element and in a double-quoted attribute; characters XML forbids are dropped."""
    if not text.isprintable():
        return text.translate(_ESCAPES)
    if "&" in text or "<" in text or ">" in text or '"' in text:  # most fields of most items have none
        # Three times as fast as translating, for the brand with an ampersand in its name.
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return text


class ItemWriter:
    """Writes the items of one layout; all else it holds are caches, so threads may share it."""

    def __init__(self, layout: ItemLayout) -> None:
        self.layout = layout
        self._slots = [f'<MultiDescription number="{slot}">' for slot in layout.language_slots]
        self._sales_flag = f"<IsSalesItem>{layout.is_sales_item:d}</IsSalesItem>"
        self._flags = _status(layout) + self._sales_flag + _flags(layout)
        currency, unit = escape(layout.currency), f'<Unit unit="{escape(layout.unit)}"/>'
        self._price = f'<Sales><Price type="S"><Currency code="{currency}"/><Value>'
        self._created_unit = unit
        self._always = layout.ownership == "always"
        label = f' label="{escape(layout.brand_label)}"' if layout.brand_label else ""
        self._brand = f'<FreeFields><FreeTexts><FreeText number="{layout.brand_field}"{label}>'
        self._category = f'<ItemCategory number="{layout.category_class}" code="'
        self._list = f'"/><PriceList code="{escape(layout.special_price_list)}" type="S"/><Value>'
        self._line = f"</Value>{unit}<Factor>1</Factor><LineType>1</LineType><Availability><DateStart>"
        self._has_prices = layout.special_price == "list"
        # A catalogue has few rates, and few pairs of brand and category beside its many items.
        self._vat = lru_cache(maxsize=256)(self._write_vat)
        self._grouping = lru_cache(maxsize=4096)(self._write_grouping)

    def element(
        self,
        item: Item,
        previous: Item | None = None,
        image_data: bytes | None = None,
        *,
        creates: bool = False,
    ) -> str:
        """The ``Item`` element and a line end; ``previous`` is the last acknowledged version, if any.

        A field that was filled in ``previous`` and is blank now is sent empty where the schema has room for
        that (not in a number), else left out. Under another code the ERP makes a new item: all is written, as with
        ``creates``, for an item of which it is not known whether the ERP has ``previous``.
        """
        before = _BLANK if previous is None or _renamed(item, previous) else previous
        creates = creates or before is _BLANK or self._always
        code, description, image = escape(item.code), escape(item.description), ""
        # A cut through the middle of a reference would not be XML: cut first, then escape.
        search = code if code is item.code else escape(item.code.translate(_DROPPED)[:_SEARCH_CODE_LENGTH])
        if item.image or before.image:
            image = _image(item, image_data)
        weight = f"<Dimension><WeightNet>{item.weight}</WeightNet></Dimension>" if item.weight else ""
        gtin = f"<GTIN>{escape(item.gtin)}</GTIN>" if item.gtin or before.gtin else ""
        kept = (before.brand, before.category_code, before.category) if before is not _BLANK else _NOTHING
        return (
            f'<Item code="{code}" searchcode="{search[:_SEARCH_CODE_LENGTH] if search is code else search}">'
            f"{f'<Description>{description}</Description>' if description or before.description else ''}"
            f"{self._translations(item, description, before) if self._slots else ''}"
            f"{self._flags if creates else self._sales_flag}"
            f"{self._sales(item, creates) if item.price else ''}{weight}{image}"
            f"{self._grouping(item.brand, item.category_code, item.category, kept)}{gtin}</Item>\n"
        )

    def prices(self, item: Item, previous: Item | None, yesterday: date) -> str:
        """The item's ``ItemPrice`` line, or the one that closes the line of ``previous``, or ``""``.

        ``yesterday`` is the day before today in the data shop's time zone.
        """
        if not self._has_prices:
            return ""
        if item.special_price:
            return self._price_line(
                item, item.special_price, item.special_from or OPEN_START, item.special_until
            )
        if previous is None or not previous.special_price:
            return ""
        last = yesterday.isoformat()
        start = min(previous.special_from or OPEN_START, last)
        return self._price_line(previous, previous.special_price, start, last)

    def document(
        self,
        item: Item,
        previous: Item | None,
        yesterday: date,
        image_data: bytes | None = None,
        unread: Unread | Unsettled | None = None,
    ) -> bytes:
        """The complete document of one item; ``unread`` is the one it replaces, if nobody has read that, or those
        before it of which nobody knows what became."""
        return document(*self.parts(item, previous, yesterday, image_data, unread)).encode()

    def parts(
        self,
        item: Item,
        previous: Item | None,
        yesterday: date,
        image_data: bytes | None = None,
        unread: Unread | Unsettled | None = None,
    ) -> tuple[str, str]:
        """The ``Item`` element and the price lines of a document."""
        before = previous if unread is None else unread.before(previous, always=self._always)
        lines = self.prices(item, previous, yesterday)
        if unread is not None:
            lines = unread.lines(lines)
        creates = previous is None and before is not None
        return self.element(item, before, image_data, creates=creates), lines

    def unsettled(
        self, item: Item, previous: Item | None, earlier: Sequence[Item], yesterday: date
    ) -> Unsettled:
        """What a document of ``item`` has to mind of versions that went out and that the ERP may have or not."""
        from brekzsync.exact.eexact.unsettled import Unsettled  # only a service has them

        ended = () if item.special_price else (previous, *earlier)
        lines = {
            one.special_from: self.prices(item, one, yesterday) for one in ended if one and one.special_price
        }
        return Unsettled(item.code, tuple(earlier), "".join(lines.values()))

    def _price_line(self, item: Item, value: str, start: str, end: str) -> str:
        last = f"<DateEnd>{end}</DateEnd>" if end else ""
        return (
            f'<ItemPrice><Item code="{escape(item.code)}{self._list}{value}{self._line}{start}'
            f"</DateStart>{last}</Availability></ItemPrice>\n"
        )

    def _sales(self, item: Item, creates: bool) -> str:
        vat = self._vat(item.vat_code, item.tax_rate) if item.vat_code else ""
        unit = self._created_unit if creates else ""
        return f"{self._price}{item.price}</Value>{vat}</Price>{unit}</Sales>"

    def _write_vat(self, code: str, rate: str) -> str:
        """``vattype`` E because every price is sent excluding VAT, whatever the code is called."""
        content = f"<Description>VAT {rate}%</Description><Percentage>{rate}</Percentage>" if rate else ""
        return f'<VAT code="{escape(code)}" type="V" vattype="E">{content}</VAT>'

    def _translations(self, item: Item, description: str, before: Item) -> str:
        """``description`` is the item's, escaped: the language of the only slot is mostly its own."""
        if len(self._slots) == 1 and item.translations == item.description and description:
            return f"<MultiDescriptions>{self._slots[0]}{description}</MultiDescription></MultiDescriptions>"
        # A list may be shorter than the slots are many: no texts at all are stored as no list at all.
        known, missing = before.translated(), [""] * len(self._slots)
        parts = [
            f"{start}{escape(text)}</MultiDescription>"
            for start, text, former in zip(
                self._slots, item.translated() + missing, known + missing, strict=False
            )
            if text or former
        ]
        return f"<MultiDescriptions>{''.join(parts)}</MultiDescriptions>" if parts else ""

    def _write_grouping(
        self, brand: str, category_code: str, category: str, before: tuple[str, str, str]
    ) -> str:
        """Brand and main category; what is in ``before`` and blank now is written empty."""
        had_brand, had_code, had_category = before
        brand_text = category_text = ""
        if brand or had_brand:
            brand_text = f"{self._brand}{escape(brand)}</FreeText></FreeTexts></FreeFields>"
        if category_code or had_code or category:
            name = f"<Description>{escape(category)}</Description>" if category or had_category else ""
            category_text = f'{self._category}{escape(category_code)}">{name}</ItemCategory>'
        return brand_text + category_text


def document(items: str, prices: str = "") -> str:
    """The document around one or more ``Item`` elements and any number of ``ItemPrice`` lines."""
    lines = f"{PRICES_START}{prices}{PRICES_END}" if prices else ""
    return f"{DOCUMENT_START}{ITEMS_START}{items}{ITEMS_END}{lines}{DOCUMENT_END}"


def pretty(content: bytes) -> str:
    """A document indented for a person to read; the same document to a machine."""
    from xml.etree import ElementTree  # a run never needs it

    root = ElementTree.fromstring(content)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _renamed(item: Item, previous: Item) -> bool:
    # The ERP compares codes case-insensitively and ignores blanks around them (SPEC.md section 3).
    return item.code != previous.code and item.code.strip().upper() != previous.code.strip().upper()


def _image(item: Item, data: bytes | None) -> str:
    binary = f"<BinaryData>{b64encode(data).decode()}</BinaryData>" if data and item.image else ""
    return f"<Image><Name>{escape(item.image)}</Name>{binary}</Image>"


def _status(layout: ItemLayout) -> str:
    group = _assortment(layout.assortment) if layout.assortment else ""
    return f"{group}<Condition>{layout.condition}</Condition>"


def _flags(layout: ItemLayout) -> str:
    return "".join(f"<{name}>{value:d}</{name}>" for name, value in layout.owned_flags())


def _assortment(group: Assortment) -> str:
    code = f' code="{escape(group.code)}"' if group.code else ""
    name = f"<Description>{escape(group.description)}</Description>" if group.description else ""
    return f'<Assortment number="{group.number}"{code}>{name}</Assortment>'
