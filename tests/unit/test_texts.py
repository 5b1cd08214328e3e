"""Texts as a target can take them."""

from __future__ import annotations

import sys
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.texts import clean, normalise_code

# Surrogates included: a shop's column may hold anything once it is decoded with replacement or not at all.
any_text = st.text(st.characters(codec=None, categories=None), max_size=60)


def is_allowed(character: str) -> bool:
    """The Char production of XML 1.0."""
    code = ord(character)
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000


@given(any_text)
def test_what_is_cleaned_comes_back_from_an_xml_parser_as_it_went_in(text: str) -> None:
    cleaned, _ = clean(text)
    document = f"<t>{escape(cleaned)}</t>".encode()
    assert (ElementTree.fromstring(document).text or "") == cleaned


@given(any_text)
def test_only_what_is_forbidden_is_removed_and_counted(text: str) -> None:
    allowed = "".join(filter(is_allowed, text))
    assert clean(text) == (" ".join(allowed.split()), len(text) - len(allowed))


@given(any_text)
def test_a_clean_text_stays_as_it_is(text: str) -> None:
    cleaned, _ = clean(text)
    assert clean(cleaned) == (cleaned, 0)


def test_every_character_there_is_is_judged_as_xml_does() -> None:
    wrong = [
        hex(code)
        for code in [*range(0x3000), *range(0xD700, 0x10100), sys.maxunicode]
        if (clean(chr(code))[1] == 0) is not is_allowed(chr(code))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Tas", ("Tas", 0)),
        ("  Tas \t\r\n rood  ", ("Tas rood", 0)),
        ("Tas  rood", ("Tas rood", 0)),
        ("Tas\u00a0rood", ("Tas rood", 0)),
        ("Vlooien\u000bkam\u0001", ("Vlooienkam", 2)),
        ("\x00\x01", ("", 2)),
        ("a\ud800b\ufffe\uffff", ("ab", 3)),
        ("\U0001f43e", ("\U0001f43e", 0)),
        ("", ("", 0)),
    ],
)
def test_white_space_is_folded(text: str, cleaned: tuple[str, int]) -> None:
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("code", "normalised"), [(" ab-1 ", "AB-1"), ("straße", "STRASSE"), ("é", "É"), ("\tA b\n", "A B")]
)
def test_codes_are_compared_trimmed_and_upper_cased(code: str, normalised: str) -> None:
    assert normalise_code(code) == normalised == normalise_code(normalised)
