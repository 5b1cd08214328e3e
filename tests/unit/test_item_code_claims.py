"""Several combinations with one item code: who may have it, judged over the whole catalogue in flat memory."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.eligibility import CLEAR
from brekzsync.domain.fingerprints import Fingerprinter
from brekzsync.domain.items import Item
from brekzsync.domain.keys import ProductKey, format_key
from brekzsync.domain.products import ItemMapper, Refusal
from brekzsync.domain.texts import normalise_code
from brekzsync.flows.ports import Version
from brekzsync.flows.products import item_code_claims
from brekzsync.flows.products.item_code_claims import ItemCodeClaims
from tests.catalogues import RULES, Memory, Record, Shop, coded

INACTIVE = CLEAR._replace(active=False)


def claims_of(shop: Shop, ledger: Memory) -> ItemCodeClaims:
    return ItemCodeClaims(shop, ledger, RULES.code, is_eligible)


def is_eligible(record: object) -> bool:
    return getattr(record, "standing", None) is CLEAR


def version(record: Record) -> Version:
    mapped = ItemMapper(RULES).map(record.content)
    assert not isinstance(mapped, Refusal)
    item: Item = mapped[0]
    fingerprint = Fingerprinter(b"").of(item.stored(), b"")
    code = normalise_code(item.code)
    return Version(
        *record.key, fingerprint, 0, record.digest, code, item.stored(), None, 0, False, 1, item, None
    )


def refused(
    shop: Shop, ledger: Memory | None = None, wanting: list[ProductKey] | None = None
) -> dict[str, str]:
    """The sentence for each combination that may not have its code; ``wanting`` is the batch, else all."""
    records = [record for record in shop.stream() if is_eligible(record)]
    batch = [version(record) for record in records if wanting is None or record.key in wanting]
    claims = claims_of(shop, ledger or Memory())
    try:
        refusals = claims.refusals(batch)
    finally:
        claims.close()
    assert {refusal.reason for refusal in refusals.values()} <= {"duplicate_item_code"}
    return {format_key(key): refusal.message for key, refusal in refusals.items()}


def belongs_to(holder: str, code: str, wanting: str) -> str:
    return (
        f"Item code {code!r} belongs to combination {holder}, which the ERP knows by it:"
        f" give {wanting} a code of its own."
    )


def also_of(others: str, code: str) -> str:
    return f"Item code {code!r} is also that of {others}: give each combination a code of its own."


# --- nobody is in the way ----------------------------------------------------------------------------------


def test_a_run_with_nothing_to_deliver_does_not_even_look() -> None:
    shop = Shop(coded({(1, 0): "A", (2, 0): "A"}))
    claims = claims_of(shop, Memory())
    assert (claims.refusals([]), shop.scans) == ({}, 0)
    claims.close()


def test_codes_of_their_own_are_all_granted_without_decoding_anything() -> None:
    shop = Shop(coded({(1, 0): "A", (1, 2): "B", (2, 0): "C"}))
    assert (refused(shop), shop.scans, shop.decoded) == ({}, 1, 0)


def test_a_record_that_holds_its_code_keeps_it() -> None:
    ledger = Memory()
    ledger.hold((1, 0), "A")
    assert refused(Shop(coded({(1, 0): "A"})), ledger) == {}


def test_the_catalogue_is_read_once_for_all_batches() -> None:
    shop = Shop(coded({(number, 0): "A" for number in range(1, 9)}))
    claims = claims_of(shop, Memory())
    for record in shop.stream():
        assert record.key in claims.refusals([version(record)])
    assert shop.scans == 1
    claims.close()


# --- several want one --------------------------------------------------------------------------------------


def test_new_duplicates_block_each_other_and_name_each_other() -> None:
    shop = Shop(coded({(1, 0): "A", (2, 3): "a", (2, 4): " A ", (3, 0): "B"}))
    assert refused(shop) == {
        "1-0": also_of("2-3, 2-4", "A"),
        "2-3": also_of("1-0, 2-4", "a"),
        "2-4": also_of("1-0, 2-3", "A"),
    }


def test_of_many_duplicates_a_few_are_named() -> None:
    shop = Shop(coded({(number, 0): "A" for number in range(1, 8)}))
    told = refused(shop)
    assert told["1-0"] == also_of("2-0, 3-0, 4-0 and 3 more", "A")
    assert told["7-0"] == also_of("1-0, 2-0, 3-0 and 3 more", "A")
    assert len(told) == 7


def test_a_duplicate_outside_the_batch_counts_as_well() -> None:
    shop = Shop(coded({(1, 0): "A", (9, 0): "A"}))
    assert refused(shop, wanting=[(9, 0)]) == {"9-0": also_of("1-0", "A")}


def test_a_duplicate_that_is_not_eligible_does_not() -> None:
    shop = Shop(coded({(1, 0): "A", (9, 0): "A"}), standings={(1, 0): INACTIVE})
    assert refused(shop) == {}


@pytest.mark.parametrize("other", ["A\x01-B", "a-b\x0b", "A-B\ufffe"])
def test_codes_that_are_equal_once_cleaned_are_duplicates(other: str) -> None:
    shop = Shop(coded({(1, 0): "A-B", (2, 0): other}))
    assert set(refused(shop)) == {"1-0", "2-0"}


def test_codes_that_differ_only_in_folded_white_space_are_duplicates() -> None:
    shop = Shop(coded({(1, 0): "A B", (2, 0): "A  B"}))
    assert set(refused(shop)) == {"1-0", "2-0"}


def test_a_letter_that_has_two_capitals_is_compared_as_them() -> None:
    shop = Shop(coded({(1, 0): "straße", (2, 0): "STRASSE"}))
    assert set(refused(shop)) == {"1-0", "2-0"}


def test_codes_of_one_hash_that_are_not_equal_do_not_disturb_each_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def same(_code: str) -> int:
        return 1

    monkeypatch.setattr(item_code_claims, "hash", same, raising=False)
    monkeypatch.setattr(Shop, "hash", staticmethod(same))
    shop = Shop(coded({(1, 0): "A", (2, 0): "B", (3, 0): "C", (4, 0): "C"}))
    assert refused(shop) == {"3-0": also_of("4-0", "C"), "4-0": also_of("3-0", "C")}


# --- the ERP knows somebody by it --------------------------------------------------------------------------


def test_the_acknowledged_holder_keeps_its_code_whatever_its_place() -> None:
    ledger = Memory()
    ledger.hold((2, 0), "A")
    shop = Shop(coded({(1, 0): "A", (2, 0): "A", (3, 0): "a"}))
    assert refused(shop, ledger) == {
        "1-0": belongs_to("2-0", "A", "1-0"),
        "3-0": belongs_to("2-0", "a", "3-0"),
    }


def test_also_when_only_newcomers_are_in_the_batch() -> None:
    ledger = Memory()
    ledger.hold((2, 0), "A")
    shop = Shop(coded({(2, 0): "A", (3, 0): "A"}))
    assert refused(shop, ledger, [(3, 0)]) == {"3-0": belongs_to("2-0", "A", "3-0")}


@pytest.mark.parametrize("gone", ["deleted", "inactive"])
def test_a_holder_that_is_gone_gives_its_code_up(gone: str) -> None:
    ledger = Memory()
    ledger.hold((1, 0), "A")
    shop = Shop(coded({(1, 0): "A", (9, 0): "A"}), standings={(1, 0): INACTIVE})
    if gone == "deleted":
        shop.remove((1, 0))
    assert refused(shop, ledger) == {}


def test_the_code_of_a_gone_holder_goes_to_nobody_when_several_want_it() -> None:
    ledger = Memory()
    ledger.hold((1, 0), "A")
    shop = Shop(coded({(8, 0): "A", (9, 0): "A"}))
    assert set(refused(shop, ledger)) == {"8-0", "9-0"}


def test_a_product_turned_to_combinations_hands_its_code_to_one_of_them() -> None:
    ledger = Memory()
    ledger.hold((1, 0), "A")
    assert refused(Shop(coded({(1, 5): "A", (1, 6): "B"})), ledger) == {}


def test_a_cleaned_code_takes_over_from_a_gone_holder_too() -> None:
    ledger = Memory()
    ledger.hold((1, 0), "AB")
    assert refused(Shop(coded({(9, 0): "A\x01B"})), ledger) == {}


def test_a_code_stays_with_its_holder_though_the_shop_gave_that_another() -> None:
    ledger = Memory()
    ledger.hold((1, 0), "A")
    shop = Shop(coded({(1, 0): "NEW", (9, 0): "A"}))
    assert refused(shop, ledger) == {"9-0": belongs_to("1-0", "A", "9-0")}


def test_of_two_the_erp_knows_by_one_code_the_first_keeps_it() -> None:
    ledger = Memory()
    ledger.hold((1, 0), "A")
    ledger.hold((2, 0), "A")
    shop = Shop(coded({(1, 0): "A", (2, 0): "A"}))
    assert refused(shop, ledger) == {"2-0": belongs_to("1-0", "A", "2-0")}


# --- the rule itself, at random ----------------------------------------------------------------------------

few_keys = st.tuples(st.integers(1, 4), st.integers(0, 2))
few_codes = st.sampled_from(["A", "a", "B", "b ", "C"])


@given(
    st.dictionaries(few_keys, few_codes, max_size=8),
    st.dictionaries(few_keys, few_codes, max_size=4),
    st.sets(few_keys, max_size=3),
    st.integers(1, 4),
)
def test_who_is_refused_is_what_the_rule_says(
    codes: dict[ProductKey, str], held: dict[ProductKey, str], inactive: set[ProductKey], size: int
) -> None:
    shop, ledger = Shop(coded(codes), standings=dict.fromkeys(inactive, INACTIVE)), Memory()
    for key, code in held.items():
        ledger.hold(key, code)
    alive = [record for record in shop.stream() if is_eligible(record)]
    expected = set()
    for record in alive:
        code = normalise_code(codes[record.key])
        wanting = [other.key for other in alive if normalise_code(codes[other.key]) == code]
        holding = sorted(
            other.key for other in alive if other.key in held and normalise_code(held[other.key]) == code
        )
        if (holding and holding[0] != record.key) or (not holding and len(wanting) > 1):
            expected.add(record.key)
    claims = claims_of(shop, ledger)
    found: set[ProductKey] = set()
    for start in range(0, len(alive), size):
        found |= claims.refusals([version(record) for record in alive[start : start + size]]).keys()
    claims.close()
    assert found == expected


# --- memory ------------------------------------------------------------------------------------------------


def test_thousands_of_duplicates_of_one_code_keep_a_handful_in_memory() -> None:
    shop = Shop(coded({(1, number): "A" for number in range(3000)}))
    claims = claims_of(shop, Memory())
    refusals = claims.refusals([version(record) for record in list(shop.stream())[:10]])
    claim = claims._claims["A"]
    assert (len(refusals), claim.wanting, len(claim.sample), len(claims._claims)) == (10, 3000, 4, 1)
    claims.close()


def test_verdicts_are_forgotten_before_they_grow_and_come_out_the_same_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(item_code_claims, "_REMEMBERED", 10)
    shop = Shop(coded({(number, half): f"A{number}" for number in range(60) for half in (1, 2)}))
    claims = claims_of(shop, Memory())
    versions = [version(record) for record in shop.stream()]
    for start in range(0, 120, 6):
        assert len(claims.refusals(versions[start : start + 6])) == 6
        assert len(claims._claims) <= 10 + 6
    assert len(claims.refusals(versions[:6])) == 6
    claims.close()
