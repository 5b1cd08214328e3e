"""Fingerprints: equal exactly when the target would receive the same and nobody saved the product again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.fingerprints import Fingerprinter
from brekzsync.domain.items import Item

ITEM = Item("A-1", "Tas", "", "10.0000", "2", "21", "0.5", "1.jpg", "Merk", "8", "Tassen", "871", "", "", "")


def test_a_fingerprint_is_128_bits_and_the_same_every_time() -> None:
    one, other = Fingerprinter(b"layout"), Fingerprinter(b"layout")
    assert one.of("item", b"saved") == one.of("item", b"saved") == other.of("item", b"saved")
    assert len(one.of("item", b"saved")) == 16


def test_every_field_the_re_save_and_the_layout_make_another_one() -> None:
    fingerprinter = Fingerprinter(b"layout")
    items = [ITEM, *(ITEM._replace(**{field: "other"}) for field in Item._fields)]
    prints = [fingerprinter.of(item.stored(), b"saved") for item in items]
    prints += [fingerprinter.of(ITEM.stored(), b"again"), Fingerprinter(b"other").of(ITEM.stored(), b"saved")]
    assert len(set(prints)) == len(Item._fields) + 3


def test_texts_that_are_no_unicode_have_one_as_well() -> None:
    assert len(Fingerprinter(b"").of("\ud800", b"")) == 16


def test_a_value_cannot_slip_into_the_next_field() -> None:
    fingerprinter = Fingerprinter(b"layout")
    moved = ITEM._replace(code="A", description="-1Tas")
    assert fingerprinter.of(moved.stored(), b"") != fingerprinter.of(ITEM.stored(), b"")


printable = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xD7FF), max_size=8)


@given(st.lists(printable, min_size=len(Item._fields), max_size=len(Item._fields)).map(Item._make))
def test_an_item_is_remembered_as_it_was(item: Item) -> None:
    assert Item.from_stored(item.stored()) == item


def test_an_item_remembered_by_another_release_has_blank_new_fields_and_no_old_ones() -> None:
    assert Item.from_stored("A-1\x1fTas") == Item("A-1", "Tas", *[""] * (len(Item._fields) - 2))
    assert Item.from_stored(ITEM.stored() + "\x1fgone") == ITEM
