"""An item as Exact's XML: every word of it, and against Exact's own schema whatever is blank."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from brekzsync.domain.items import Item, join_translations
from brekzsync.exact.eexact.items import ItemWriter, document, pretty
from brekzsync.exact.eexact.layout import CONDITIONS, FLAGS, Assortment, ItemLayout

YESTERDAY = date(2026, 11, 20)
LAYOUT = ItemLayout(currency="EUR", language_slots=(0, 2))
ITEM = Item(
    code="MUG-AUTUMN-BLUE",
    description="Autumn mug - Blue",
    translations=join_translations(["Herfstmok - Blauw", "Tasse d'automne - Bleu"]),
    price="9.9000",
    vat_code="2",
    tax_rate="21",
    weight="0.35",
    image="17.jpg",
    brand="Pottery & Sons",
    category_code="8",
    category="Mugs",
    gtin="8712345678906",
    special_price="7.9200",
    special_from="2026-11-01",
    special_until="2026-11-30",
)
BLANK = Item._make([""] * len(Item._fields))
BARE = BLANK._replace(code=ITEM.code, description=ITEM.description, price=ITEM.price)

HEAD = '<Item code="MUG-AUTUMN-BLUE" searchcode="MUG-AUTUMN-BL">'
NAMES = (
    "<Description>Autumn mug - Blue</Description>"
    '<MultiDescriptions><MultiDescription number="0">Herfstmok - Blauw</MultiDescription>'
    '<MultiDescription number="2">Tasse d\'automne - Bleu</MultiDescription></MultiDescriptions>'
)
SALES = (
    '<Sales><Price type="S"><Currency code="EUR"/><Value>9.9000</Value>'
    '<VAT code="2" type="V" vattype="E"><Description>VAT 21%</Description><Percentage>21</Percentage></VAT>'
    "</Price>"
)
TAIL = (
    "<Dimension><WeightNet>0.35</WeightNet></Dimension><Image><Name>17.jpg</Name></Image>"
    '<FreeFields><FreeTexts><FreeText number="1" label="Brand">Pottery &amp; Sons</FreeText></FreeTexts>'
    "</FreeFields>"
    '<ItemCategory number="1" code="8"><Description>Mugs</Description></ItemCategory>'
    "<GTIN>8712345678906</GTIN></Item>\n"
)


def price_line(value: str, availability: str, code: str = ITEM.code) -> str:
    return (
        f'<ItemPrice><Item code="{code}"/><PriceList code="SALESPRICE" type="S"/><Value>{value}</Value>'
        f'<Unit unit="pc"/><Factor>1</Factor><LineType>1</LineType>'
        f"<Availability>{availability}</Availability></ItemPrice>\n"
    )


# --- the element -----------------------------------------------------------------------------------------


def test_a_new_item_says_everything_in_the_order_of_the_schema() -> None:
    made = "<Condition>A</Condition><IsSalesItem>1</IsSalesItem><IsStockItem>1</IsStockItem>"

    assert ItemWriter(LAYOUT).element(ITEM) == f'{HEAD}{NAMES}{made}{SALES}<Unit unit="pc"/></Sales>{TAIL}'


def test_an_item_the_erp_has_leaves_status_flags_and_unit_to_the_erps_people() -> None:
    element = ItemWriter(LAYOUT).element(ITEM, previous=ITEM)

    assert element == f"{HEAD}{NAMES}<IsSalesItem>1</IsSalesItem>{SALES}</Sales>{TAIL}"


def test_status_flags_and_unit_are_always_said_where_we_own_them() -> None:
    layout = replace(
        LAYOUT,
        ownership="always",
        condition="F",
        assortment=Assortment(number=200, code="MUGS", description="Mugs & cups"),
        flags={"IsSalesItem": False, "IsStockItem": True, "IsPurchaseItem": False},
    )
    group = '<Assortment number="200" code="MUGS"><Description>Mugs &amp; cups</Description></Assortment>'
    flags = "<IsSalesItem>0</IsSalesItem><IsPurchaseItem>0</IsPurchaseItem><IsStockItem>1</IsStockItem>"
    said = f'{HEAD}{NAMES}{group}<Condition>F</Condition>{flags}{SALES}<Unit unit="pc"/></Sales>{TAIL}'

    assert ItemWriter(layout).element(ITEM, previous=ITEM) == said
    assert ItemWriter(layout).element(ITEM) == said


def test_what_was_never_filled_is_left_out() -> None:
    assert ItemWriter(LAYOUT).element(BARE, previous=BARE) == (
        f"{HEAD}<Description>Autumn mug - Blue</Description><IsSalesItem>1</IsSalesItem>"
        '<Sales><Price type="S"><Currency code="EUR"/><Value>9.9000</Value></Price></Sales></Item>\n'
    )


def test_what_was_filled_before_is_sent_empty_where_the_schema_has_room_for_nothing() -> None:
    assert ItemWriter(LAYOUT).element(BARE, previous=ITEM) == (
        f"{HEAD}<Description>Autumn mug - Blue</Description>"
        '<MultiDescriptions><MultiDescription number="0"></MultiDescription>'
        '<MultiDescription number="2"></MultiDescription></MultiDescriptions>'
        "<IsSalesItem>1</IsSalesItem>"
        '<Sales><Price type="S"><Currency code="EUR"/><Value>9.9000</Value></Price></Sales>'
        "<Image><Name></Name></Image>"
        '<FreeFields><FreeTexts><FreeText number="1" label="Brand"></FreeText></FreeTexts></FreeFields>'
        '<ItemCategory number="1" code=""><Description></Description></ItemCategory>'
        "<GTIN></GTIN></Item>\n"
    )


def test_a_tax_rate_without_a_vat_code_says_nothing_about_vat() -> None:
    element = ItemWriter(LAYOUT).element(ITEM._replace(vat_code=""), previous=ITEM)

    assert "<VAT" not in element
    assert "<Value>9.9000</Value></Price>" in element


def test_another_code_makes_a_new_item_in_the_erp_so_everything_is_said() -> None:
    renamed = BARE._replace(code="MUG-2")
    writer = ItemWriter(LAYOUT)

    assert writer.element(renamed, previous=ITEM) == writer.element(renamed)


def test_the_same_code_in_another_case_is_the_same_item() -> None:
    element = ItemWriter(LAYOUT).element(ITEM._replace(code="mug-autumn-blue"), previous=ITEM)

    assert "<Condition>" not in element


def test_an_embedded_image_travels_behind_its_name() -> None:
    element = ItemWriter(LAYOUT).element(ITEM, image_data=b"\xff\xd8 a picture \xff\xd9")

    data = element.partition("<Name>17.jpg</Name><BinaryData>")[2].partition("</BinaryData></Image>")[0]
    assert b64decode(data) == b"\xff\xd8 a picture \xff\xd9"


def test_signs_with_a_meaning_in_xml_are_escaped_and_the_search_code_is_cut_before_that() -> None:
    element = ItemWriter(LAYOUT).element(BARE._replace(code='<1234567890&"x', description="\"A\" < B & 'C'"))

    assert element.startswith(
        '<Item code="&lt;1234567890&amp;&quot;x" searchcode="&lt;1234567890&amp;&quot;">'
        "<Description>&quot;A&quot; &lt; B &amp; 'C'</Description>"
    )


@pytest.mark.parametrize("number", [0x00, 0x0B, 0x1F, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF], ids=hex)
def test_a_character_xml_forbids_is_never_written(number: int) -> None:
    character = chr(number)
    dirty = BARE._replace(code=f"A{character}B", description=f"Mug{character}", brand=f"{character}&")
    clean = BARE._replace(code="AB", description="Mug", brand="&")
    writer = ItemWriter(LAYOUT)

    assert writer.document(dirty, None, YESTERDAY) == writer.document(clean, None, YESTERDAY)


# --- the special price -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "availability"),
    [
        ("2026-11-01", "2026-11-30", "<DateStart>2026-11-01</DateStart><DateEnd>2026-11-30</DateEnd>"),
        ("2026-11-01", "", "<DateStart>2026-11-01</DateStart>"),
        ("", "2026-11-30", "<DateStart>2000-01-01</DateStart><DateEnd>2026-11-30</DateEnd>"),
        ("", "", "<DateStart>2000-01-01</DateStart>"),
    ],
)
def test_a_special_price_is_a_line_of_the_price_list_from_its_first_to_its_last_day(
    first: str, last: str, availability: str
) -> None:
    item = ITEM._replace(special_from=first, special_until=last)

    assert ItemWriter(LAYOUT).prices(item, None, YESTERDAY) == price_line("7.9200", availability)


@pytest.mark.parametrize(
    ("first", "start"),
    [
        ("2026-11-01", "2026-11-01"),
        ("2026-11-20", "2026-11-20"),
        ("2026-11-21", "2026-11-20"),  # a line may not end before it starts
        ("", "2000-01-01"),
    ],
)
def test_a_special_price_that_is_gone_gets_a_line_that_ended_yesterday(first: str, start: str) -> None:
    previous = ITEM._replace(special_from=first, code="OLD-CODE")
    closing = f"<DateStart>{start}</DateStart><DateEnd>2026-11-20</DateEnd>"

    # Under the code the line was sent with, even where the item has another one by now.
    assert ItemWriter(LAYOUT).prices(BARE, previous, YESTERDAY) == price_line("7.9200", closing, "OLD-CODE")


def test_no_special_price_before_and_none_now_is_no_line() -> None:
    assert ItemWriter(LAYOUT).prices(BARE, BARE, YESTERDAY) == ""
    assert ItemWriter(LAYOUT).prices(BARE, None, YESTERDAY) == ""


def test_special_prices_turned_off_are_neither_sent_nor_closed() -> None:
    writer = ItemWriter(replace(LAYOUT, special_price="none"))

    assert writer.prices(ITEM, None, YESTERDAY) == ""
    assert writer.prices(BARE, ITEM, YESTERDAY) == ""


# --- the document ------------------------------------------------------------------------------------------


def test_a_document_holds_the_item_and_behind_it_its_price_line() -> None:
    writer = ItemWriter(LAYOUT)
    start = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<eExact xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        ' xsi:noNamespaceSchemaLocation="eExact-Schema.xsd">\n<Items>\n'
    )
    element, line = writer.element(ITEM), writer.prices(ITEM, None, YESTERDAY)

    assert writer.document(ITEM, None, YESTERDAY).decode() == (
        f"{start}{element}</Items>\n<ItemPrices>\n{line}</ItemPrices>\n</eExact>\n"
    )
    assert document(element) == f"{start}{element}</Items>\n</eExact>\n"


def test_a_pretty_document_is_the_same_document_one_element_a_line() -> None:
    plain = ItemWriter(LAYOUT).document(ITEM._replace(description="Tasse d'été ☕"), None, YESTERDAY)

    shown = pretty(plain)

    assert etree.tostring(etree.fromstring(shown.encode(), _TRIMMING), method="c14n") == etree.tostring(
        etree.fromstring(plain, _TRIMMING), method="c14n"
    )
    assert "\n      <Description>Tasse d'été ☕</Description>\n" in shown


# --- any item ----------------------------------------------------------------------------------------------

_TRIMMING = etree.XMLParser(remove_blank_text=True)
_MARKS = "\t\r\n&<>\"'\u00a0\u2028]"
_LEGAL = st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
_WRITABLE = _LEGAL | st.sampled_from(_MARKS)
_TEXT = st.text(_WRITABLE, max_size=20)
_NUMBER = st.decimals(0, 10**6, places=4).map(str)
_DAY = st.dates(date(2001, 1, 1), date(2099, 1, 1)).map(date.isoformat)


def _maybe(strategy: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.just("") | strategy


ITEMS = st.builds(
    Item,
    code=st.text(_WRITABLE, min_size=1, max_size=30),
    description=_TEXT,
    translations=st.lists(_TEXT, max_size=3).map(join_translations),
    price=_maybe(_NUMBER),
    vat_code=_maybe(st.sampled_from(["2", "5I", "<&>"])),
    tax_rate=_maybe(st.sampled_from(["21", "5.5", "0"])),
    weight=_maybe(_NUMBER),
    image=_TEXT,
    brand=_TEXT,
    category_code=_maybe(st.sampled_from(["2", "17"])),
    category=_TEXT,
    gtin=_TEXT,
    special_price=_maybe(_NUMBER),
    special_from=_maybe(_DAY),
    special_until=_maybe(_DAY),
)
LAYOUTS = st.builds(
    ItemLayout,
    currency=st.sampled_from(["EUR", ""]),
    unit=_TEXT,
    special_price=st.sampled_from(["list", "none"]),
    special_price_list=_TEXT,
    category_class=st.integers(1, 10),
    brand_field=st.integers(1, 10),
    brand_label=_TEXT,
    language_slots=st.lists(st.integers(0, 4), unique=True, max_size=3).map(tuple),
    ownership=st.sampled_from(["create", "always"]),
    condition=st.sampled_from(CONDITIONS),
    assortment=st.none() | st.builds(Assortment, number=st.integers(1, 999), code=_TEXT, description=_TEXT),
    flags=st.dictionaries(st.sampled_from(FLAGS), st.booleans()),
)


@pytest.fixture(scope="module")
def schema(shared: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(shared / "data/exact/eExact-Schema.xsd"))


@pytest.mark.shared
@given(layout=LAYOUTS, item=ITEMS, previous=st.none() | ITEMS, image=st.none() | st.binary(max_size=8))
def test_the_document_of_any_item_follows_exacts_schema(
    schema: etree.XMLSchema, layout: ItemLayout, item: Item, previous: Item | None, image: bytes | None
) -> None:
    kept = previous and previous._replace(code=item.code)  # the ERP's item, not a new one
    content = ItemWriter(layout).document(item, kept, YESTERDAY, image)

    schema.assertValid(etree.fromstring(content))


@pytest.mark.shared
@given(layout=LAYOUTS, items=st.lists(st.tuples(ITEMS, st.none() | ITEMS), min_size=1, max_size=4))
def test_many_items_in_one_document_follow_exacts_schema(
    schema: etree.XMLSchema, layout: ItemLayout, items: list[tuple[Item, Item | None]]
) -> None:
    writer = ItemWriter(layout)
    elements = "".join(writer.element(item, previous) for item, previous in items)
    prices = "".join(writer.prices(item, previous, YESTERDAY) for item, previous in items)

    root = etree.fromstring(document(elements, prices).encode())

    schema.assertValid(root)
    assert [element.get("code") for element in root.find("Items")] == [item.code for item, _ in items]


@given(item=ITEMS, previous=st.none() | ITEMS)
def test_a_parser_reads_back_every_value_that_was_written(item: Item, previous: Item | None) -> None:
    layout = replace(LAYOUT, language_slots=(0, 1, 2))
    root = ElementTree.fromstring(ItemWriter(layout).document(item, previous, YESTERDAY))
    element, line = root[0][0], root.find("ItemPrices/ItemPrice")

    def text(path: str, start: ElementTree.Element | None = element) -> str:
        return (start.findtext(path) or "") if start is not None else ""

    names = {found.get("number"): found.text or "" for found in element.iter("MultiDescription")}
    category, vat = element.find("ItemCategory"), element.find("Sales/Price/VAT")
    wanted = item if item.price else item._replace(vat_code="")  # no price, no Sales around its VAT
    if not item.special_price:
        wanted, line = wanted._replace(special_from="", special_until=""), None
    read = Item(
        code=element.get("code", ""),
        description=text("Description"),
        translations=join_translations([names.get(str(slot), "") for slot in range(3)]),
        price=text("Sales/Price/Value"),
        vat_code=vat.get("code", "") if vat is not None else "",
        tax_rate=text("Sales/Price/VAT/Percentage"),
        weight=text("Dimension/WeightNet"),
        image=text("Image/Name"),
        brand=text("FreeFields/FreeTexts/FreeText"),
        category_code=category.get("code", "") if category is not None else "",
        category=text("ItemCategory/Description"),
        gtin=text("GTIN"),
        special_price=text("Value", line),
        special_from=text("Availability/DateStart", line).replace("2000-01-01", ""),
        special_until=text("Availability/DateEnd", line),
    )

    padded = [*item.translated(), "", "", ""][:3]
    assert read == wanted._replace(
        translations=join_translations(padded), tax_rate=wanted.tax_rate if wanted.vat_code else ""
    )
    assert element.get("searchcode") == item.code[:13]
