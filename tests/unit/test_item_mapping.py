"""Each rule of the item table: what a combination of the shop becomes in the ERP, or why it cannot."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.items import Item
from brekzsync.domain.products import Combination, ItemMapper, ItemRules, Mapped, Product, Refusal, vat_key

PRODUCT = Product(
    id_product=12,
    reference="TAS",
    ean13="8700000000001",
    names=("Tas",),
    price=Decimal("10.000000"),
    tax_rate=Decimal("21.000"),
    id_tax_rules_group=7,
    weight=Decimal("0.500000"),
    id_category=8,
    category="Tassen",
    brand="Merk",
    id_cover=30,
)
COMBINATION = Combination(
    product=PRODUCT,
    id_product_attribute=34,
    reference="TAS-R",
    ean13="8712345678906",
    attributes=("Rood",),
    price=Decimal("12.000000"),
    special_price=None,
    special_from="",
    special_until="",
    weight=Decimal("0.750000"),
    id_image=31,
)
ITEM = Item(
    code="TAS-R",
    description="Tas Rood",
    translations="",
    price="12.0000",
    vat_code="2",
    tax_rate="21",
    weight="0.75",
    image="31.jpg",
    brand="Merk",
    category_code="8",
    category="Tassen",
    gtin="8712345678906",
    special_price="",
    special_from="",
    special_until="",
)


def rules(**changed: Any) -> ItemRules:
    default = ItemRules(
        code=CodeTemplate(changed.pop("item_code", "reference")),
        price_decimals=4,
        allow_zero_price=False,
        special_prices=True,
        vat_codes={"21": "2"},
        tax_country="NL",
        slots=(),
    )
    return default._replace(**changed)


def combination(product: dict[str, Any] | None = None, **fields: Any) -> Combination:
    return COMBINATION._replace(product=PRODUCT._replace(**(product or {})), **fields)


def mapped(
    product: dict[str, Any] | None = None, with_rules: ItemRules | None = None, **fields: Any
) -> Mapped:
    result = ItemMapper(with_rules or rules()).map(combination(product, **fields))
    assert not isinstance(result, Refusal), result
    return result


def item(*arguments: Any, **fields: Any) -> Item:
    return mapped(*arguments, **fields)[0]


def warnings(*arguments: Any, **fields: Any) -> set[str]:
    return set(mapped(*arguments, **fields)[1])


def refusal(
    product: dict[str, Any] | None = None, with_rules: ItemRules | None = None, **fields: Any
) -> Refusal:
    result = ItemMapper(with_rules or rules()).map(combination(product, **fields))
    assert isinstance(result, Refusal), result
    return result


def test_a_combination_becomes_an_item() -> None:
    assert mapped() == (ITEM, frozenset())


def test_a_product_without_combinations_is_one_item_under_its_own_reference() -> None:
    simple = item(id_product_attribute=0, reference="", attributes=("",))
    assert simple == ITEM._replace(code="TAS", description="Tas")


def test_combinations_of_several_products_do_not_take_over_what_others_share() -> None:
    mapper = ItemMapper(rules())
    other = PRODUCT._replace(names=("Riem",), brand="Ander", category="Riemen", tax_rate=None)
    results = [mapper.map(COMBINATION._replace(product=product)) for product in (PRODUCT, other, PRODUCT)]
    changed = ITEM._replace(
        description="Riem Rood", brand="Ander", category="Riemen", vat_code="", tax_rate=""
    )
    assert results == [(ITEM, frozenset()), (changed, frozenset()), (ITEM, frozenset())]


# --- item code ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "code"),
    [
        ("reference", "TAS-R"),
        ("ean13", "8712345678906"),
        ("key", "12-34"),
        ("{product_reference}-{id_product_attribute}", "TAS-34"),
    ],
)
def test_the_code_is_made_as_configured(template: str, code: str) -> None:
    assert item(with_rules=rules(item_code=template)).code == code


@pytest.mark.parametrize(
    ("reference", "code", "warned"),
    [
        ("R" * 30, "R" * 30, set()),
        ("tas-r", "tas-r", set()),  # sent as it is written; compared normalised
        (" TAS-R ", "TAS-R", set()),
        ("TAS  R", "TAS R", set()),
        ("TAS\x0b-R", "TAS-R", {"control_characters_removed"}),
        ("é" * 30, "é" * 30, set()),
    ],
)
def test_a_code_of_thirty_characters_is_taken(reference: str, code: str, warned: set[str]) -> None:
    assert (item(reference=reference).code, warnings(reference=reference)) == (code, warned)


def test_a_longer_code_is_refused_and_never_cut() -> None:
    assert refusal(reference="R" * 31) == Refusal(
        "item_code_too_long",
        f"The item code '{'R' * 31}' has 31 characters; Exact Globe takes 30: shorten reference.",
    )


@pytest.mark.parametrize("blank", ["", "  ", "\x01"])
def test_without_a_code_it_says_what_to_fill_in(blank: str) -> None:
    assert refusal({"reference": blank}, reference=blank) == Refusal(
        "missing_item_code", "The item code is empty: fill in reference of the combination or its product."
    )


def test_an_ean_as_code_is_the_combinations_own() -> None:
    assert refusal(with_rules=rules(item_code="ean13"), ean13="").reason == "missing_item_code"


# --- description -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "attributes", "description", "warned"),
    [
        ("Tas", "", "Tas", set()),
        ("Tas", "Rood L", "Tas Rood L", set()),
        ("  Tas   groot ", " Rood ", "Tas groot Rood", set()),
        ("n" * 60, "", "n" * 60, set()),
        ("n" * 61, "", "n" * 60, {"description_cut"}),
        ("n" * 58, "R", "n" * 58 + " R", set()),
        ("n" * 59, "R", "n" * 59, {"description_cut"}),
        ("n" * 55, "Rood", "n" * 55 + " Rood", set()),
        ("n" * 55, "Roods", "n" * 55 + " Rood", {"description_cut"}),
        ("Tas\x01", "Ro\x02od", "Tas Rood", {"control_characters_removed"}),
        ("招财猫 🐾", "", "招财猫 🐾", set()),
        ("🐾" * 61, "", "🐾" * 60, {"description_cut"}),
    ],
)
def test_a_description_is_the_name_and_the_attributes_cut_at_sixty_characters(
    name: str, attributes: str, description: str, warned: set[str]
) -> None:
    made, told = mapped({"names": (name,)}, attributes=(attributes,))
    assert (made.description, set(told)) == (description, warned)


@pytest.mark.parametrize("attributes", [" ", "\x01"])
def test_attributes_without_a_visible_character_add_nothing(attributes: str) -> None:
    assert item({"names": ("Tas",)}, attributes=(attributes,)).description == "Tas"


@pytest.mark.parametrize("name", ["", "   ", "\x01\x02"])
def test_without_a_name_there_is_no_item(name: str) -> None:
    assert refusal({"names": (name,)}).reason == "missing_description"


def test_translations_follow_the_slots_and_may_repeat_or_leave_out_languages() -> None:
    product = {"names": ("Tas", "Sac", "Bag")}
    made = item(product, rules(slots=(2, 0, 2)), attributes=("Rood", "Rouge", ""))
    assert (made.description, made.translated()) == ("Tas Rood", ["Bag", "Tas Rood", "Bag"])


def test_a_translation_is_cut_and_cleaned_like_the_description() -> None:
    made, told = mapped({"names": ("Tas", "s" * 70)}, rules(slots=(1,)), attributes=("", "\x01"))
    assert made.translated() == ["s" * 60]
    assert told == {"description_cut", "control_characters_removed"}


# --- price -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("price", "decimals", "shown"),
    [
        ("12.345650", 4, "12.3457"),
        ("12.345649", 4, "12.3456"),
        ("12.345750", 4, "12.3458"),
        ("0.00005", 4, "0.0001"),
        ("12.5", 0, "13"),
        ("13.5", 0, "14"),
        ("12.499999", 0, "12"),
        ("0.5", 0, "1"),
        ("12.345", 2, "12.35"),
        ("12.355", 2, "12.36"),
        ("12.25", 1, "12.3"),
        ("12.0005", 3, "12.001"),
        ("12.000005", 5, "12.00001"),
        ("0.000001", 6, "0.000001"),
        ("99999999999999.999999", 6, "99999999999999.999999"),
        ("99999999999999.999999", 2, "100000000000000.00"),
        ("1E+3", 2, "1000.00"),
    ],
)
def test_a_price_is_rounded_half_up(price: str, decimals: int, shown: str) -> None:
    assert item(price=Decimal(price), with_rules=rules(price_decimals=decimals)).price == shown


@given(st.decimals("0.000001", 10**12, places=6), st.integers(0, 6))
def test_every_price_is_what_half_up_says_and_is_written_without_exponent(
    price: Decimal, decimals: int
) -> None:
    rounded = price.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    result = ItemMapper(rules(price_decimals=decimals)).map(combination(price=price))
    if rounded == 0:
        assert isinstance(result, Refusal)
    else:
        assert not isinstance(result, Refusal)
        assert result[0].price == f"{rounded:f}"


@pytest.mark.parametrize(
    ("price", "decimals"), [("0", 4), ("0", 6), ("0", 0), ("0.00004", 4), ("0.49", 0), ("-1", 4)]
)
def test_a_price_of_nothing_or_less_is_missing(price: str, decimals: int) -> None:
    refused = refusal(price=Decimal(price), with_rules=rules(price_decimals=decimals))
    assert refused.reason == "missing_price"
    assert f"is {price}:" in refused.message


@pytest.mark.parametrize(("price", "shown"), [("0", "0.0000"), ("0.00001", "0.0000")])
def test_free_items_go_out_where_that_is_allowed(price: str, shown: str) -> None:
    assert item(price=Decimal(price), with_rules=rules(allow_zero_price=True)).price == shown


def test_a_price_below_zero_never_does() -> None:
    refused = refusal(price=Decimal("-0.01"), with_rules=rules(allow_zero_price=True))
    assert refused.reason == "missing_price"


# --- tax ---------------------------------------------------------------------------------------------------

ALL_KEYS = {
    "NL:21:7": "group",
    "NL:21": "country",
    "21": "rate",
    "BE:21": "other",
    "NL:21:8": "other",
    "9": "low",
}


@pytest.mark.parametrize(
    ("keys", "vat_code"),
    [
        (["NL:21:7", "NL:21", "21", "BE:21", "NL:21:8", "9"], "group"),
        (["NL:21", "21", "BE:21", "NL:21:8", "9"], "country"),
        (["21", "BE:21", "NL:21:8", "9"], "rate"),
    ],
)
def test_the_most_specific_vat_code_is_taken(keys: list[str], vat_code: str) -> None:
    made, told = mapped(with_rules=rules(vat_codes={key: ALL_KEYS[key] for key in keys}))
    assert (made.vat_code, made.tax_rate, told) == (vat_code, "21", frozenset())


def test_without_any_of_them_the_tax_is_left_out_with_a_warning() -> None:
    made, told = mapped(with_rules=rules(vat_codes={"BE:21": "other", "NL:21:8": "other", "9": "low"}))
    assert (made.vat_code, made.tax_rate, told) == ("", "", {"unmapped_tax_rate"})


@pytest.mark.parametrize(
    ("key", "rate"),
    [
        ("21", "21.000"),
        ("21.000", "21"),
        ("21.0", "21.00"),
        ("NL:5.5", "5.500"),
        ("0", "0.000"),
        ("100", "1E+2"),
    ],
)
def test_rates_are_compared_as_decimals(key: str, rate: str) -> None:
    made = item({"tax_rate": Decimal(rate)}, rules(vat_codes={vat_key(key): "X"}))
    assert (made.vat_code, Decimal(made.tax_rate)) == ("X", Decimal(rate))


def test_a_product_without_tax_has_no_vat_and_no_warning() -> None:
    made, told = mapped({"tax_rate": None, "id_tax_rules_group": 0})
    assert (made.vat_code, made.tax_rate, told) == ("", "", frozenset())


@pytest.mark.parametrize(
    ("key", "normalised"),
    [("21.000", "21"), (" nl : 21.50 : 7 ", "NL:21.5:7"), ("NL:021", "NL:21"), ("0.00", "0"), ("100", "100")],
)
def test_a_key_of_vat_codes_is_normalised(key: str, normalised: str) -> None:
    assert vat_key(key) == normalised


@pytest.mark.parametrize("key", ["", "NL", "NL:", "NL:high", "21%"])
def test_a_key_without_a_rate_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is not a tax rate"):
        vat_key(key)


# --- special price -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("special", "sent"),
    [
        ("9.999950", ("10.0000", "2026-11-01", "2026-11-30")),
        ("0", ("0.0000", "2026-11-01", "2026-11-30")),
        ("13", ("13.0000", "2026-11-01", "2026-11-30")),
        ("12", ("", "", "")),
        ("11.99996", ("", "", "")),  # the same once rounded
        ("11.9999", ("11.9999", "2026-11-01", "2026-11-30")),
    ],
)
def test_a_special_price_is_sent_when_it_is_another_than_the_regular_one(
    special: str, sent: tuple[str, str, str]
) -> None:
    made = item(special_price=Decimal(special), special_from="2026-11-01", special_until="2026-11-30")
    assert (made.special_price, made.special_from, made.special_until) == sent


def test_special_prices_can_be_turned_off() -> None:
    made = item(with_rules=rules(special_prices=False), special_price=Decimal(9), special_from="2026-11-01")
    assert made == ITEM


# --- what may be blank -------------------------------------------------------------------------------------


def test_optional_fields_may_all_be_blank_and_block_nothing() -> None:
    bare = mapped(
        {"tax_rate": None, "id_category": 0, "category": "", "brand": ""},
        ean13="",
        weight=Decimal(0),
        id_image=0,
    )
    blank = dict.fromkeys(
        ["vat_code", "tax_rate", "weight", "image", "brand", "category_code", "category", "gtin"], ""
    )
    assert bare == (ITEM._replace(**blank), frozenset())


@pytest.mark.parametrize(
    ("weight", "shown"),
    [
        ("0.750000", "0.75"),
        ("10.000000", "10"),
        ("0.000001", "0.000001"),
        ("0", ""),
        ("-1", ""),
        ("1E+2", "100"),
    ],
)
def test_a_weight_is_a_plain_decimal_above_zero(weight: str, shown: str) -> None:
    assert item(weight=Decimal(weight)).weight == shown


def test_an_image_goes_by_its_id() -> None:
    assert (item(id_image=123456).image, item(id_image=0).image) == ("123456.jpg", "")


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({"brand": "b" * 300}, {"brand": "b" * 255}),
        ({"brand": " Mer\x07k  A "}, {"brand": "Merk A"}),
        ({"category": "c" * 61}, {"category": "c" * 60}),
        ({"category": "Tas\x1fsen"}, {"category": "Tassen"}),
        ({"category": ""}, {"category": ""}),
    ],
)
def test_brand_and_category_are_cleaned_and_kept_within_their_lengths(
    fields: dict[str, str], changed: dict[str, str]
) -> None:
    made, told = mapped(fields)
    removed = any(ord(character) < 32 for text in fields.values() for character in text)
    assert made == ITEM._replace(**changed)
    assert told == ({"control_characters_removed"} if removed else set())


def test_an_ean_is_cleaned_and_kept_within_its_length() -> None:
    made, told = mapped(ean13="\x01 123456789012345678901")
    assert (made.gtin, told) == ("12345678901234567890", {"control_characters_removed"})


anything = st.text(st.characters(codec=None, categories=None), max_size=80)


@given(*[anything] * 6, st.decimals(-1, 10**9, places=6))
def test_whatever_the_shop_holds_an_item_has_only_what_exact_takes(
    reference: str, name: str, attributes: str, ean: str, brand: str, category: str, price: Decimal
) -> None:
    product = {"names": (name,), "brand": brand, "category": category, "reference": ""}
    result = ItemMapper(rules(slots=(0,))).map(
        combination(product, reference=reference, attributes=(attributes,), ean13=ean, price=price)
    )
    if isinstance(result, Refusal):
        assert result.reason in (
            "missing_item_code",
            "item_code_too_long",
            "missing_description",
            "missing_price",
        )
        return
    made = result[0]
    lengths = {"code": 30, "description": 60, "brand": 255, "category": 60, "gtin": 20}
    assert all(len(getattr(made, field)) <= length for field, length in lengths.items())
    assert Item.from_stored(made.stored()) == made
    assert made.code
    assert made.description
