"""One run over a catalogue and a ledger in memory: what it counts, delivers, notes, and leaves alone."""

from __future__ import annotations

from collections.abc import Collection
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.eligibility import CLEAR
from brekzsync.domain.exclusions import Exclusion, Exclusions
from brekzsync.domain.keys import BEFORE_ALL, ProductKey, format_key
from brekzsync.errors import PermanentError
from brekzsync.flows.converge import OutOfOrder
from brekzsync.flows.products import export as product_export
from brekzsync.flows.products.delivery import Leases
from brekzsync.state.served import Leased
from tests.catalogues import Memory, Record, Row, Shop, coded, combination
from tests.export_runs import NOW, Target, export

INACTIVE = CLEAR._replace(active=False)


def shop_of(*keys: ProductKey) -> Shop:
    return Shop([combination(key) for key in keys])


def status(ledger: Memory) -> dict[str, tuple[str, str | None, bool]]:
    """Status, reason, and whether a version is acknowledged, of every row."""
    return {
        format_key(row.key): (row.status, row.reason, row.fingerprint is not None)
        for row in ledger.by_key.values()
    }


@pytest.fixture
def three() -> tuple[Shop, Memory]:
    """Three combinations the target already has."""
    shop, ledger = shop_of((1, 0), (2, 1), (2, 2)), Memory()
    export(shop, ledger)
    ledger.log.clear()
    shop.decoded = 0
    return shop, ledger


# --- what is delivered -------------------------------------------------------------------------------------


def test_what_the_target_never_had_is_delivered_in_key_order() -> None:
    ledger = Memory()
    ran = export(shop_of((10, 0), (2, 10), (2, 9)), ledger)
    assert (ran.counts, ran.target.delivered) == ((3, 3, 3, 3, 0, 0, 0), ["2-9", "2-10", "10-0"])
    assert (ran.target.previous, ran.target.is_finished) == ({}, True)
    assert status(ledger) == dict.fromkeys(["2-9", "2-10", "10-0"], ("synced", None, True))


def test_what_it_has_is_left_alone_and_not_even_decoded(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    ran = export(shop, ledger)
    assert (ran.counts, ran.target.delivered, ledger.log, shop.decoded) == ((3, 3, 0, 0, 3, 0, 0), [], [], 0)


def test_a_change_is_delivered_with_what_the_target_had_before(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    before = ledger.by_key[(2, 1)]
    shop.change((2, 1), ean13="871")
    ran = export(shop, ledger)
    version = ran.target.versions["2-1"]
    assert (ran.counts, ran.target.previous) == ((3, 3, 1, 1, 2, 0, 0), {"2-1": "C2-1"})
    assert (version.prior_fingerprint, version.prior_force, version.known) == (before.fingerprint, 0, True)
    assert (version.different_at, version.item.gtin) == (1_000, "871")


def test_a_re_save_is_an_update_though_the_item_is_the_same(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    shop.saved[(2, 2)] = b"2026-11-21 12:00:00"
    assert export(shop, ledger).target.delivered == ["2-2"]


def test_what_no_document_says_is_no_change_and_is_not_looked_at_again(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    shop.combinations[0] = shop.combinations[0]._replace(
        product=shop.combinations[0].product._replace(id_cover=99)
    )
    first, second = export(shop, ledger), export(shop, ledger)
    assert first.counts == second.counts == (3, 3, 0, 0, 3, 0, 0)
    assert ledger.log == [("unchanged", [(1, 0)])]


def test_another_layout_makes_every_decoded_document_another(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    for key in list(ledger.by_key):
        ledger.by_key[key] = Row(key, b"f" * 16, "X", ledger.by_key[key].document, b"other")
    ledger.by_key = {key: row for key, row in ledger.by_key.items() if key == (1, 0)}
    ran = export(shop, ledger, layout=b"another")
    assert ran.target.delivered == ["1-0", "2-1", "2-2"]


def test_a_forced_record_is_delivered_once_more(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    ledger.force((2, 1))
    first, second = export(shop, ledger), export(shop, ledger)
    assert (first.target.delivered, second.target.delivered) == (["2-1"], [])
    assert (first.target.versions["2-1"].force, ledger.by_key[(2, 1)].force_acknowledged) == (1, 1)


def test_full_delivers_everything_eligible(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    shop.standings[(2, 2)] = INACTIVE
    ran = export(shop, ledger, full=True)
    assert (ran.counts, ran.target.delivered) == ((3, 2, 2, 2, 0, 1, 0), ["1-0", "2-1"])


def test_ids_and_keys_narrow_a_run_and_nothing_outside_is_judged(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    shop.remove((1, 0))
    for key in ((2, 1), (2, 2)):
        shop.change(key, ean13="871")
    ran = export(shop, ledger, ids={2}, keys={(2, 2)})
    assert (ran.counts, ran.target.delivered, ran.tally.all_reasons()) == ((1, 1, 1, 1, 0, 0, 0), ["2-2"], {})
    assert status(ledger)["1-0"] == ("synced", None, True)


def test_batches_are_settled_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_export, "BATCH", 2)
    progress: list[int] = []
    ran = export(shop_of(*[(number, 0) for number in range(1, 6)]), Memory(), progress=progress)
    assert ran.target.batches == [["1-0", "2-0"], ["3-0", "4-0"], ["5-0"]]
    assert progress == [2, 2]


# --- what is not -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (INACTIVE, "active_in_data_shop"),
        (CLEAR._replace(bundles=(4,)), "not_bundle_component"),
        (CLEAR._replace(excluded_by_column=True, active=False), "not_excluded"),
    ],
)
def test_what_may_not_go_is_skipped_under_its_first_reason(standing: Any, reason: str) -> None:
    shop, ledger = shop_of((1, 0), (2, 0)), Memory()
    shop.standings[(1, 0)] = standing
    ran = export(shop, ledger)
    assert (ran.counts, ran.tally.all_reasons()) == ((2, 1, 1, 1, 0, 1, 0), {reason: 1})
    assert "1-0" not in status(ledger)


def test_a_person_excludes_combinations_products_and_references() -> None:
    flag = Exclusion(
        id_product=1, id_product_attribute=None, reference=None, reason="", by_whom="", created_at=NOW
    )
    exclusions = Exclusions(products={1: flag}, combinations={(2, 1): flag}, references={"C3-1": flag})
    shop = shop_of((1, 0), (2, 1), (2, 2), (3, 1), (3, 2))
    shop.change((3, 1), reference=" c3-1")
    ran = export(shop, Memory(), exclusions=exclusions)
    assert (ran.target.delivered, ran.tally.all_reasons()) == (["2-2", "3-2"], {"not_excluded": 3})


def test_a_force_of_what_was_never_sent_and_may_not_go_just_waits() -> None:
    shop, ledger = shop_of((1, 0)), Memory()
    shop.standings[(1, 0)] = INACTIVE
    ledger.force((1, 0))
    for _ in range(2):
        assert export(shop, ledger).tally.all_reasons() == {"active_in_data_shop": 1}
        assert (status(ledger), ledger.log) == ({"1-0": ("pending", "queued", False)}, [])
    shop.standings.clear()
    assert export(shop, ledger).target.delivered == ["1-0"]
    assert status(ledger) == {"1-0": ("synced", None, True)}


def test_a_forced_record_that_may_no_longer_go_is_cleared_once_and_waits(
    three: tuple[Shop, Memory],
) -> None:
    shop, ledger = three
    ledger.force((2, 1))
    shop.standings[(2, 1)] = INACTIVE
    first, second = export(shop, ledger), export(shop, ledger)
    assert [ran.tally.reasons["became_active_in_data_shop"] for ran in (first, second)] == [1, 0]
    assert status(ledger)["2-1"] == ("pending", "became_active_in_data_shop", False)
    shop.standings.clear()
    assert export(shop, ledger).target.delivered == ["2-1"]


def test_a_forced_record_that_failed_and_may_no_longer_go_is_no_failure() -> None:
    shop, ledger = shop_of((1, 0)), Memory()
    shop.change((1, 0), price=Decimal(0))
    ledger.force((1, 0))
    export(shop, ledger)
    shop.standings[(1, 0)] = INACTIVE
    assert export(shop, ledger).tally.reasons["became_active_in_data_shop"] == 1
    assert status(ledger) == {"1-0": ("pending", "became_active_in_data_shop", False)}


def test_a_force_of_what_is_gone_does_not_wait(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    ledger.force((9, 9))
    assert [export(shop, ledger).tally.reasons["deleted"] for _ in range(2)] == [1, 0]
    assert status(ledger)["9-9"] == ("synced", "deleted", False)


def test_what_may_no_longer_go_loses_its_acknowledgement_and_its_unread_file(
    three: tuple[Shop, Memory],
) -> None:
    shop, ledger = three
    shop.standings[(2, 1)] = INACTIVE
    ran = export(shop, ledger)
    assert ran.tally.all_reasons() == {"active_in_data_shop": 1, "became_active_in_data_shop": 1}
    assert ran.withdrawn == [(2, 1)]
    assert status(ledger)["2-1"] == ("synced", "became_active_in_data_shop", False)
    assert export(shop, ledger).tally.all_reasons() == {"active_in_data_shop": 1}
    shop.standings.clear()
    assert export(shop, ledger).target.delivered == ["2-1"]


def test_what_was_deleted_loses_its_acknowledgement_after_everything_else(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    shop.remove((1, 0))
    shop.change((2, 2), ean13="871")
    ran = export(shop, ledger)
    assert (ran.counts, ran.tally.all_reasons()) == ((2, 2, 1, 1, 1, 0, 0), {"deleted": 1})
    in_doubt = ("acknowledge", [(1, 0)])
    assert ledger.log == [("acknowledge", [(2, 2)]), in_doubt, ("clear", [(1, 0)])]
    assert (ran.withdrawn, status(ledger)["1-0"]) == ([(1, 0)], ("synced", "deleted", False))
    assert export(shop, ledger).tally.all_reasons() == {}


def test_a_record_without_what_the_erp_needs_fails_and_keeps_what_it_acknowledged(
    three: tuple[Shop, Memory],
) -> None:
    shop, ledger = three
    shop.change((2, 1), reference="")
    first, second = export(shop, ledger), export(shop, ledger)
    assert (first.counts, first.failed) == ((3, 3, 1, 0, 2, 0, 1), {"2-1": "missing_item_code"})
    assert (first.tally.new_failures, second.tally.new_failures, second.tally.failed) == (1, 0, 1)
    assert status(ledger)["2-1"] == ("failed", "missing_item_code", True)


def test_a_failure_that_was_changed_back_is_healthy_again(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    shop.change((2, 1), reference="")
    export(shop, ledger)
    shop.change((2, 1), reference="C2-1")
    assert export(shop, ledger).counts == (3, 3, 0, 0, 3, 0, 0)
    assert status(ledger)["2-1"] == ("synced", None, True)


def test_a_changed_code_is_held_until_forced(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    shop.change((2, 1), reference="NEW")
    held = export(shop, ledger)
    ledger.force((2, 1))
    assert held.failed == {"2-1": "item_code_changed"}
    assert "was 'C2-1' and is now 'NEW'" in held.tally.failures[0].message
    assert export(shop, ledger).target.delivered == ["2-1"]


def test_a_code_that_only_changed_its_case_is_no_other_code(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    shop.change((2, 1), reference=" c2-1 ")
    assert export(shop, ledger).target.delivered == ["2-1"]


def test_duplicates_fail_and_the_rest_goes() -> None:
    ran = export(Shop(coded({(1, 0): "A", (2, 0): "B", (3, 0): "a"})), Memory())
    assert (ran.counts, ran.target.delivered) == ((3, 3, 3, 1, 0, 0, 2), ["2-0"])
    assert ran.failed == {"1-0": "duplicate_item_code", "3-0": "duplicate_item_code"}


@pytest.mark.parametrize(
    ("limit", "delivered"), [(0, []), (1, ["1-0"]), (2, ["1-0", "2-0"]), (9, ["1-0", "2-0", "4-0"])]
)
def test_a_limit_leaves_the_rest_pending_and_failures_do_not_count(limit: int, delivered: list[str]) -> None:
    shop, ledger = shop_of((1, 0), (2, 0), (3, 0), (4, 0)), Memory()
    shop.change((3, 0), reference="")
    ran = export(shop, ledger, limit=limit)
    left = 3 - len(delivered)
    assert (ran.counts, ran.tally.left) == ((4, 4, 4, len(delivered), 0, 0, 1), left)
    assert ran.tally.all_reasons() == {"missing_item_code": 1} | ({"queued": left} if left else {})
    assert ran.target.delivered == delivered
    assert export(shop, ledger).tally.delivered == left


def test_a_version_somebody_is_at_work_on_is_left_and_another_of_the_same_record_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(product_export, "BATCH", 2)
    shop = shop_of((1, 0), (2, 0), (3, 0), (4, 0))
    versions = export(shop, Memory()).target.versions
    served = [Leased(*versions[key].key, versions[key].fingerprint, 0, None) for key in ("1-0", "2-0", "4-0")]
    shop.change((2, 0), ean13="871")
    ran = export(shop, Memory(), leases=Leases(iter(served)), limit=1)
    assert (ran.counts, ran.target.delivered) == ((4, 4, 4, 1, 0, 0, 0), ["2-0"])
    assert ran.tally.all_reasons() == {"in_flight": 2, "queued": 1}


def test_what_somebody_is_at_work_on_and_did_not_change_is_not_made_again() -> None:
    shop = shop_of((1, 0), (2, 0), (3, 0), (4, 0))
    versions = export(shop, Memory()).target.versions
    served = [
        Leased(*one.key, one.fingerprint, force, one.source_digest)
        for one, force in ((versions["1-0"], 0), (versions["2-0"], 1), (versions["3-0"], 0))
    ]
    served.insert(0, Leased(0, 7, b"of a product that is gone", 0, b"row"))
    shop.change((3, 0), ean13="871")
    shop.decoded = 0
    ran = export(shop, Memory(), leases=Leases(iter(served)))
    assert (ran.target.delivered, ran.tally.left, ran.counts[2]) == (["2-0", "3-0", "4-0"], 1, 4)
    assert shop.decoded == 3


def test_a_part_of_a_page_ends_with_a_key_and_counts_on() -> None:
    shop, ledger = shop_of((1, 0), (2, 0), (3, 0), (4, 0)), Memory()
    export(shop, ledger)
    shop.combinations = [one for one in shop.combinations if one.product.id_product in (2, 4)]
    ran = export(shop, ledger, until=(2, 5))
    assert (ran.counts[0], ran.tally.all_reasons()) == (1, {"deleted": 1})
    assert export(shop, ledger, after=(2, 5)).tally.all_reasons() == {"deleted": 1}


def test_what_was_left_keeps_the_moment_it_was_first_seen_different() -> None:
    shop, ledger = shop_of((1, 0)), Memory()
    export(shop, ledger, limit=0)
    assert export(shop, ledger).target.versions["1-0"].different_at == 1


def test_warnings_are_counted_by_item_and_block_nothing() -> None:
    shop = Shop([combination((number, 0), name="n\x01" * 70) for number in (1, 2)])
    ran = export(shop, Memory())
    assert dict(ran.tally.warnings) == {"description_cut": 2, "control_characters_removed": 2}
    assert ran.tally.delivered == 2


# --- when something goes wrong on the way --------------------------------------------------------------------


def test_a_read_that_breaks_off_marks_nothing_deleted_and_flushes_nothing_half(
    monkeypatch: pytest.MonkeyPatch, three: tuple[Shop, Memory]
) -> None:
    monkeypatch.setattr(product_export, "BATCH", 2)
    shop, ledger = three
    shop.remove((1, 0))
    shop.combinations += [combination((number, 0)) for number in (3, 4, 5, 6)]
    shop.change((2, 1), reference="")
    shop.breaks_at = (6, 0)
    target = Target(ledger)
    with pytest.raises(ConnectionError):
        export(shop, ledger, target=target)
    assert (target.batches, target.is_finished) == ([["3-0", "4-0"]], False)
    # The first batch and what was found until then is on record; 5-0 was gathered and is not.
    assert ledger.log == [("acknowledge", [(3, 0), (4, 0)]), ("fail", [(2, 1)])]
    assert status(ledger)["1-0"] == ("synced", None, True)

    shop.breaks_at = None
    ran = export(shop, ledger)
    assert (ran.target.delivered, ran.tally.reasons["deleted"]) == (["5-0", "6-0"], 1)


def test_a_delivery_that_fails_acknowledges_and_notes_nothing_of_its_batch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(product_export, "BATCH", 2)
    ledger = Memory()
    shop = shop_of(*[(number, 0) for number in range(1, 7)])
    shop.change((3, 0), reference="")
    target = Target(ledger, breaks_at=1)
    with pytest.raises(PermanentError):
        export(shop, ledger, target=target)
    assert set(status(ledger)) == {"1-0", "2-0"}
    assert export(shop, ledger).target.delivered == ["4-0", "5-0", "6-0"]


def test_a_delivery_that_cannot_be_completed_deletes_nothing(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three
    shop.remove((1, 0))
    shop.change((2, 2), ean13="871")
    with pytest.raises(PermanentError):
        export(shop, ledger, target=Target(ledger, breaks_at=1))
    assert ledger.log == [("acknowledge", [(2, 2)])]
    assert export(shop, ledger).tally.all_reasons() == {"deleted": 1}


def test_a_source_out_of_order_deletes_nothing(three: tuple[Shop, Memory]) -> None:
    shop, ledger = three

    class Disorderly(Shop):
        def stream(self, after: ProductKey = BEFORE_ALL) -> Any:
            records: list[Record] = [self.record(one) for one in self.combinations]
            return iter([records[2], records[0]])

    disorderly = Disorderly(shop.combinations)
    with pytest.raises(OutOfOrder):
        export(disorderly, ledger)
    assert ledger.log == []


# --- at random ---------------------------------------------------------------------------------------------

some_keys = st.sets(st.tuples(st.integers(1, 5), st.integers(0, 2)), max_size=10)


@given(some_keys, some_keys, some_keys, some_keys, some_keys, st.none() | st.integers(0, 5), st.booleans())
def test_the_counts_always_add_up_and_a_last_run_leaves_nothing(
    first: set[ProductKey],
    then: set[ProductKey],
    inactive: Collection[ProductKey],
    broken: Collection[ProductKey],
    doubled: Collection[ProductKey],
    limit: int | None,
    full: bool,
) -> None:
    ledger = Memory()
    export(shop_of(*first), ledger)
    shop = shop_of(*then)
    for key in then & set(broken):
        shop.change(key, reference="")
    for key in then & set(doubled):
        shop.change(key, reference="SAME")
    shop.standings = dict.fromkeys(inactive, INACTIVE)

    tally = export(shop, ledger, limit=limit, full=full).tally
    assert tally.read == len(then) == tally.eligible + tally.skipped
    assert tally.eligible == tally.pending + tally.unchanged
    assert tally.pending == tally.delivered + tally.failed + tally.left
    assert tally.reasons["deleted"] == len(first - then)
    assert limit is None or tally.delivered <= limit

    export(shop, ledger)
    again = export(shop, ledger).tally
    assert (again.delivered, again.left, again.reasons["deleted"]) == (0, 0, 0)
    held = {key for key, row in ledger.by_key.items() if row.fingerprint is not None}
    assert held <= then - set(inactive)
