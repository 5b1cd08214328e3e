"""An id that names nothing: what was meant, or what became of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pytest

from brekzsync.domain.keys import ProductKey, WantedId
from brekzsync.domain.ledger import LedgerEntry
from brekzsync.domain.texts import normalise_code
from brekzsync.errors import InvalidInput
from brekzsync.flows.products.near_ids import near
from brekzsync.flows.products.wanted import By, find, named

SENT = 1_795_262_400_000
SENT_AT = "2026-11-21 12:00 UTC"


@dataclass
class Shop:
    """Combinations with their references and EANs; ``orphans`` are rows of products that are gone."""

    keys: list[ProductKey] = field(default_factory=lambda: [(1, 11), (1, 12), (2, 0), (3, 21)])
    references: dict[str, ProductKey] = field(default_factory=dict)
    eans: dict[str, ProductKey] = field(default_factory=dict)
    orphans: dict[int, int] = field(default_factory=dict)

    def keys_of(self, wanted: Sequence[WantedId]) -> tuple[set[ProductKey], list[WantedId]]:
        named_ = {
            one: {key for key in self.keys if one in (WantedId(*key), WantedId(key[0], None))}
            for one in wanted
        }
        return set().union(*named_.values()), [one for one in wanted if not named_[one]]

    def keys_by(self, by: By, values: Sequence[str]) -> tuple[set[ProductKey], list[str]]:
        known = self.references if by == "reference" else self.eans
        found = {value: known.get(normalise_code(value)) for value in values}
        return {key for key in found.values() if key}, [value for value in values if not found[value]]

    def products_of_combinations(self, ids: Collection[int]) -> dict[int, int]:
        owners = {minor: major for major, minor in self.keys if minor} | self.orphans
        return {one: owners[one] for one in ids if one in owners}


class Ledger:
    """What was sent once."""

    def __init__(self, *rows: tuple[ProductKey, str | None]) -> None:
        self.rows = [
            LedgerEntry(
                *key, b"d", b"f" if code else None, 0, 0, "synced", None, None, None, 1, code, 0, 0,
                SENT if code else None, 0, None,
            )
            for key, code in rows
        ]  # fmt: skip

    def rows_of(self, key_major: int) -> list[LedgerEntry]:
        return [row for row in self.rows if row.key_major == key_major]

    def holders(self, codes: Collection[str]) -> dict[str, list[ProductKey]]:
        return {code: keys for code in codes if (keys := [row.key for row in self.rows if row.code == code])}


def told(
    word: str, by: By | None = None, *, shop: Shop | None = None, ledger: Ledger | None = None
) -> tuple[str, str]:
    """The sentence, and the command that leads on."""
    sentence, steps = near(shop or Shop(), ledger or Ledger(), word, by)
    assert len(steps) <= 1
    assert all(step.text == "" and not step.of_target for step in steps)
    return sentence, steps[0].command if steps else ""


@pytest.mark.parametrize(
    ("word", "sentence", "command"),
    [
        ("99", "The shop has no product 99, and the ERP was never sent one.", ""),
        ("99-1", "The shop has no product 99, and the ERP was never sent one.", ""),
        ("1-99", "Product 1 has 1-11, 1-12.", "products diagnose 1"),
        ("2-99", "Product 2 has 2-0.", "products diagnose 2"),
        ("1-21", "Combination 21 belongs to product 3: 3-21.", "products diagnose 3-21"),
        ("99-21", "Combination 21 belongs to product 3: 3-21.", "products diagnose 3-21"),
        ("21", "21 is not a product; it is a combination of product 3: 3-21.", "products diagnose 3-21"),
    ],
)
def test_what_is_near(word: str, sentence: str, command: str) -> None:
    assert told(word) == (sentence, command)


def test_of_many_combinations_the_first_are_told() -> None:
    shop = Shop([(1, number) for number in range(1, 9)])
    assert told("1-99", shop=shop)[0] == "Product 1 has 1-1, 1-2, 1-3, 1-4, 1-5 and 3 more."


@pytest.mark.parametrize(
    ("word", "sentence", "command"),
    [
        ("7", f"7-0 is no longer in the shop: it was deleted, last acknowledged as EEND on {SENT_AT}.", ""),
        ("7-0", f"7-0 is no longer in the shop: it was deleted, last acknowledged as EEND on {SENT_AT}.", ""),
        ("8", "8-81 is no longer in the shop: it was deleted.", ""),
        (
            "1-13",
            f"1-13 is no longer in the shop: it was deleted, last acknowledged as TAS on {SENT_AT}."
            " Product 1 has 1-11, 1-12.",
            "products diagnose 1",
        ),
        ("21", f"21-0 is no longer in the shop: it was deleted, last acknowledged as OUD on {SENT_AT}.", ""),
    ],
)
def test_what_was_sent_once_is_remembered(word: str, sentence: str, command: str) -> None:
    ledger = Ledger(((7, 0), "EEND"), ((8, 81), None), ((1, 13), "TAS"), ((21, 0), "OUD"))
    assert told(word, ledger=ledger) == (sentence, command)


def test_rows_that_a_deleted_product_left_behind_lead_nowhere() -> None:
    shop = Shop(orphans={555: 777})
    for word in ("777-555", "555", "99-555"):
        assert told(word, shop=shop)[1] == ""
    assert told("1-555", shop=shop) == ("Product 1 has 1-11, 1-12.", "products diagnose 1")


@pytest.mark.parametrize(
    ("shop", "sentence"),
    [
        (Shop(references={"0042": (2, 0)}), "No id of the shop reads 0042, but it is the reference of 2-0."),
        (Shop(eans={"0042": (2, 0)}), "No id of the shop reads 0042, but it is the EAN of 2-0."),
    ],
)
def test_a_reference_or_ean_that_looks_like_an_id_is_found_as_it_was_typed(shop: Shop, sentence: str) -> None:
    (word,) = find(shop, ["0042"], None).unknown
    assert told(word, shop=shop) == (sentence, "products diagnose 2-0")


@pytest.mark.parametrize(
    ("word", "by", "sentence", "command"),
    [
        ("eend", "ean13", "No EAN reads eend, but it is the reference of 2-0.", "products diagnose 2-0"),
        ("29", "reference", "No reference reads 29, but it is the EAN of 1-11.", "products diagnose 1-11"),
        ("x", "ean13", "Nothing in the shop has the EAN x, and the ERP was never sent it.", ""),
        (
            "oud ",
            "reference",
            "No reference in the shop reads oud ; the ERP knows 3-21 by it, which has another one now or is gone.",
            "products diagnose 3-21",
        ),
    ],
)
def test_a_reference_or_ean_nothing_has(word: str, by: By, sentence: str, command: str) -> None:
    shop = Shop(references={"EEND": (2, 0)}, eans={"29": (1, 11)})
    assert told(word, by, shop=shop, ledger=Ledger(((3, 21), "OUD"))) == (sentence, command)


# --- the words themselves ----------------------------------------------------------------------------------


def test_a_word_that_is_no_id_may_be_a_reference_then_an_ean() -> None:
    shop = Shop(references={"EEND": (2, 0)}, eans={"2900000100015": (1, 11)})
    assert named(shop, ["3", "eend", "2900000100015"], None) == ({(3, 21), (2, 0), (1, 11)}, [])
    assert named(shop, ["99"], None) == (set(), ["99"])
    with pytest.raises(InvalidInput) as refused:
        named(shop, ["3", "nothing"], None)
    assert refused.value.code == "malformed_id"


def test_an_unknown_id_is_told_once_however_often_it_was_typed() -> None:
    assert find(Shop(), ["99", " 99", "099", "1-99"], None).unknown == ["99", "1-99"]
