"""Item codes: how one is made of a combination, and who may have it when several want it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from brekzsync.domain.item_codes import FIELDS, CodeTemplate, rightful_holder
from brekzsync.domain.keys import ProductKey


@dataclass(frozen=True, kw_only=True)
class Source:
    id_product: int = 12
    id_product_attribute: int = 34
    reference: str = "TAS-R"
    product_reference: str = "TAS"
    ean13: str = "8712345678906"


@pytest.mark.parametrize(
    ("template", "fields", "code"),
    [
        ("reference", {}, "TAS-R"),
        ("reference", {"reference": "  TAS-R\t"}, "TAS-R"),
        ("reference", {"reference": ""}, "TAS"),
        ("reference", {"reference": "   "}, "TAS"),
        ("reference", {"reference": "", "product_reference": " "}, ""),
        ("{product_reference}", {}, "TAS"),
        ("ean13", {}, "8712345678906"),
        ("ean13", {"ean13": " "}, ""),
        ("key", {}, "12-34"),
        ("key", {"id_product_attribute": 0}, "12-0"),
        ("{key}", {}, "12-34"),
        ("{reference}-{id_product_attribute}", {}, "TAS-R-34"),
        ("{reference}-{id_product_attribute}", {"reference": ""}, "TAS-34"),
        ("{reference}-{ean13}", {"ean13": ""}, ""),
        ("NL-{id_product}", {}, "NL-12"),
        ("{{{id_product}}}", {}, "{12}"),
        ("{reference}/{reference}", {}, "TAS-R/TAS-R"),
    ],
)
def test_a_template_is_filled_in_or_blank_when_any_text_it_needs_is(
    template: str, fields: dict[str, Any], code: str
) -> None:
    assert CodeTemplate(template).render(Source(**fields)) == code


def test_markup_in_a_reference_is_no_template_of_its_own() -> None:
    source = Source(reference="{ean13}{0}%s")
    assert CodeTemplate("{reference}-{id_product}").render(source) == "{ean13}{0}%s-12"


def test_filling_in_values_gives_the_same_code_as_rendering() -> None:
    template = CodeTemplate("{reference}-{id_product_attribute}")
    assert template.fields == ["reference", "id_product_attribute"]
    assert template.fill(["TAS-R", "34"]) == template.render(Source())


@pytest.mark.parametrize("template", ["", "SAME", "{{reference}}"])
def test_a_template_without_a_field_would_give_every_combination_one_code(template: str) -> None:
    with pytest.raises(ValueError, match="the same code: name a field"):
        CodeTemplate(template)


@pytest.mark.parametrize(
    "template",
    ["{nonsense}", "{}", "{0}", "{reference!r}", "{reference:>9}", "{reference.strip}", "{reference"],
)
def test_a_template_nobody_can_fill_in_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=f"known: {', '.join(FIELDS)}|expected '}}'"):
        CodeTemplate(template)


@pytest.mark.parametrize(
    ("template", "wants"),
    [
        ("reference", "reference"),
        ("{reference}-{ean13}", "reference and ean13"),
        ("{product_reference}-{id_product_attribute}", "product_reference"),
        ("key", "the id"),
    ],
)
def test_it_says_what_a_person_can_fill_in(template: str, wants: str) -> None:
    assert CodeTemplate(template).wants == wants


@pytest.mark.parametrize(
    ("claimants", "acknowledged", "holder"),
    [
        ([(1, 0)], [], (1, 0)),
        ([(1, 0), (2, 0)], [], None),
        ([(1, 0), (2, 0)], [(2, 0)], (2, 0)),
        ([(1, 0)], [(2, 0)], (2, 0)),
        ([(1, 0)], [(3, 0), (2, 9), (2, 10)], (2, 9)),
        ([], [], None),
    ],
)
def test_whom_the_erp_knows_by_a_code_keeps_it_and_several_newcomers_block_each_other(
    claimants: list[ProductKey], acknowledged: list[ProductKey], holder: ProductKey | None
) -> None:
    assert rightful_holder(claimants, acknowledged) == holder


@pytest.mark.parametrize(
    ("template", "apart"),
    [
        ("key", True),
        ("{reference}-{id_product_attribute}", True),
        ("{ean13}.{id_product_attribute}", True),
        ("{id_product}-{id_product_attribute}", True),
        ("reference", False),
        ("ean13", False),
        ("{id_product}{id_product_attribute}", False),  # 1 and 23, 12 and 3
        ("{reference}1{id_product_attribute}", False),
        ("{reference} {id_product_attribute}", False),  # a blank may be folded away
        ("{id_product_attribute}-{reference}", False),
        ("{reference}-{id_product_attribute}X", False),
    ],
)
def test_only_a_code_that_ends_with_the_id_tells_combinations_apart(template: str, apart: bool) -> None:
    assert CodeTemplate(template).tells_combinations_apart is apart
