"""A diagnosis and a run agree: over any catalogue, ledger and exclusions, each says what the other does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.domain.diagnosis import Diagnosis, Presence
from brekzsync.domain.eligibility import CLEAR, Standing
from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.exclusions import Exclusion, Exclusions
from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.domain.keys import ProductKey, WantedId, format_key
from brekzsync.domain.ledger import IN_DOUBT, LedgerEntry
from brekzsync.domain.products import ItemMapper
from brekzsync.domain.texts import clean, normalise_code
from brekzsync.errors import Unavailable
from brekzsync.flows.products import diagnosis as product_diagnosis
from brekzsync.flows.products.delivery import Leases
from brekzsync.flows.products.diagnosis import ProductDiagnosis
from brekzsync.flows.products.run import ItemMapping
from brekzsync.flows.products.wanted import By
from brekzsync.state.served import Lease, Leased
from tests.catalogues import RULES, Memory, Row, Shop, combination
from tests.export_runs import NOW, Ran, export

LAYOUT = b"layout"


class OpenShop:
    """A catalogue in memory as a diagnosis sees a shop."""

    data_shop_name = "NL"

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self.keys = sorted((one.id_product, one.id_product_attribute) for one in shop.combinations)

    def catalogue(self, salt: bytes) -> OpenShop:
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._shop, name)

    def codes(self, template: CodeTemplate) -> Iterator[Sequence[tuple[ProductKey, str]]]:
        records = list(self._shop.stream())
        for start in range(0, len(records), 2):
            yield [
                (record.key, normalise_code(clean(template.render(record.content))[0]))
                for record in records[start : start + 2]
            ]

    def presence(self, keys: Collection[ProductKey]) -> dict[ProductKey, Presence]:
        return {key: Presence(("NL", "BE"), ("BE",)) for key in keys}

    def product_names(self, ids: Collection[int]) -> dict[int, str]:
        return {one: f"Pakket {one}" for one in ids}

    def keys_of(self, wanted: Sequence[WantedId]) -> tuple[set[ProductKey], list[WantedId]]:
        named = {
            one: {key for key in self.keys if one in (WantedId(*key), WantedId(key[0], None))}
            for one in wanted
        }
        return set().union(*named.values()), [one for one in wanted if not named[one]]

    def keys_by(self, by: By, values: Sequence[str]) -> tuple[set[ProductKey], list[str]]:
        return set(), list(values)

    def products_of_combinations(self, ids: Collection[int]) -> dict[int, int]:
        return {}


class Ledger(Memory):
    """The ledger, which also finds the rows of a product; what was acknowledged was so at some time."""

    def __init__(self) -> None:
        super().__init__()
        self.next_attempts: dict[ProductKey, int] = {}

    def rows_for(self, keys: Iterable[ProductKey]) -> Sequence[LedgerEntry]:
        return [
            row._replace(
                synced_at=None if row.fingerprint is None else 1_000,
                next_attempt_at=self.next_attempts.get(row.key),
            )
            for row in Memory.rows_for(self, keys)
        ]

    def codes_between(self, first: ProductKey, last: ProductKey) -> dict[ProductKey, str]:
        return {key: row.code for key, row in self.by_key.items() if first <= key <= last and row.code}

    def rows_of(self, key_major: int) -> Sequence[LedgerEntry]:
        return self.rows_for(key for key in self.by_key if key[0] == key_major)


@dataclass
class Erp:
    """An ERP that holds these codes; ``breaks_after`` questions it is away."""

    codes: set[str] = field(default_factory=set)
    breaks_after: int = 1_000
    asked: list[set[str]] = field(default_factory=list)

    def some(self, codes: Collection[str]) -> dict[str, ErpItem]:
        self._ask(set(codes))
        return {
            code: ErpItem(code, None, None, None, None, None, None) for code in codes if code in self.codes
        }

    def held_codes(self) -> Iterator[str]:
        self._ask(set())
        yield from self.codes

    def _ask(self, codes: set[str]) -> None:
        self.asked.append(codes)
        if len(self.asked) > self.breaks_after:
            raise Unavailable("The ERP does not answer.", hint="Look whether it runs.")


def diagnosis(
    shop: Shop, ledger: Ledger, *, exclusions: Exclusions | None = None, erp: Erp | None = None, **parts: Any
) -> ProductDiagnosis:
    @contextmanager
    def opened(_now: datetime) -> Iterator[OpenShop]:
        yield OpenShop(shop)

    mapping = ItemMapping(ItemMapper(RULES), RULES.code, cast(Any, None), LAYOUT, b"")
    whole: dict[str, Any] = {
        "clock": lambda: NOW,
        "open_shop": opened,
        "mapping": lambda _opened: mapping,
        "ledger": ledger,
        "in_flight": lambda _keys: set(),
        "exclusions": lambda: exclusions or Exclusions(),
        "erp": erp,
        "unread": lambda _keys: {},
        "exclude_column": "product.no_erp",
        "bundle_components_too": False,
        "sends_files": True,
        "flow_is_on": True,
    }
    return ProductDiagnosis(**whole | parts)


def everything(shop: Shop, ledger: Ledger, **parts: Any) -> dict[ProductKey, Diagnosis]:
    """Every combination's diagnosis."""
    with diagnosis(shop, ledger, **parts).open() as opened:
        return by_key(opened.all())


def by_key(found: Iterator[Diagnosis]) -> dict[ProductKey, Diagnosis]:
    listed = [(cast(ProductKey, tuple(map(int, one.key.split("-")))), one) for one in found]
    assert [key for key, _ in listed] == sorted({key for key, _ in listed})
    return dict(listed)


def verdicts(found: dict[ProductKey, Diagnosis]) -> dict[ProductKey, str]:
    return {key: str(one.verdict) for key, one in found.items()}


def excluded(*keys: tuple[int, int | None], reference: str | None = None) -> Exclusions:
    return Exclusions.of(
        Exclusion(
            id_product=major,
            id_product_attribute=minor,
            reference=reference,
            reason="recalled",
            by_whom="ann",
            created_at=NOW,
        )
        for major, minor in keys
    )


# --- any catalogue -----------------------------------------------------------------------------------------

KEYS: list[ProductKey] = [(1, 0), (2, 1), (2, 2), (3, 0), (4, 0), (4, 7)]
keys = st.sampled_from(KEYS)
codes = st.sampled_from([*"ABCDEFGH", "a ", "", "X" * 31])
standings = st.builds(
    Standing,
    excluded_by_column=st.sampled_from([False, False, False, True]),
    bundles=st.sampled_from([(), (), (), (9,)]),
    in_data_shop=st.sampled_from([True, True, True, False]),
    active=st.sampled_from([True, True, True, False]),
    finished=st.sampled_from([True, True, True, False]),
)
flags = st.builds(
    excluded,
    st.sampled_from([(1, None), (2, 1), (2, None), (4, 7)]),
    reference=st.sampled_from([None, None, "A", "B"]),
)
Change = Callable[["Past"], None]


@dataclass
class Past:
    """A shop, a ledger, and the exclusions, as things happen to them."""

    shop: Shop
    ledger: Ledger = field(default_factory=Ledger)
    exclusions: Exclusions = field(default_factory=Exclusions)

    def add(self, key: ProductKey, code: str, price: str, name: str) -> None:
        self.shop.remove(key)
        self.shop.combinations.append(combination(key, price=price, name=name)._replace(reference=code))

    def save(self, key: ProductKey) -> None:
        self.shop.saved[key] = self.shop.saved.get(key, b"") + b"."

    def doubt(self, key: ProductKey) -> None:
        """A run breaks off while another version of it is on its way."""
        row = self.ledger.by_key.get(key)
        if row is not None and row.fingerprint is not None:
            self.ledger.by_key[key] = replace(row, fingerprint=IN_DOUBT, source_digest=None)

    def run(self, **options: Any) -> Ran:
        return export(self.shop, self.ledger, exclusions=self.exclusions, layout=LAYOUT, **options)


happenings: st.SearchStrategy[Change] = st.one_of(
    st.builds(
        lambda *what: lambda past: past.add(*what),
        keys,
        codes,
        st.sampled_from(["10", "11", "0", "-1"]),
        st.sampled_from(["Tas", "Riem", ""]),
    ),
    st.builds(lambda key, one: lambda past: past.shop.standings.update({key: one}), keys, standings),
    st.builds(lambda key: lambda past: past.shop.remove(key), keys),
    st.builds(lambda key: lambda past: past.save(key), keys),
    st.builds(lambda key: lambda past: past.ledger.force(key), keys),
    st.builds(lambda key: lambda past: past.doubt(key), keys),
    st.builds(lambda some: lambda past: setattr(past, "exclusions", some), flags),
    st.just(lambda past: past.run()),
    st.just(lambda past: past.run(limit=1)),
    st.builds(lambda key: lambda past: past.run(ids={key[0]}, keys={key}), keys),
)


def after(first: dict[ProductKey, str], then: list[Change]) -> Past:
    """These codes were sent, as far as they could be; then all this happened."""
    past = Past(Shop([combination(key)._replace(reference=code) for key, code in first.items()]))
    past.run()
    for happens in then:
        happens(past)
    return past


@given(
    st.dictionaries(keys, codes, min_size=1),
    st.lists(happenings, max_size=8),
    st.sampled_from([1, 2, 1000]),
)
def test_a_run_does_what_the_diagnosis_says(
    first: dict[ProductKey, str], then: list[Change], chunk: int
) -> None:
    past = after(first, then)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(product_diagnosis, "CHUNK", chunk)
        found = everything(past.shop, past.ledger, exclusions=past.exclusions)
        with diagnosis(past.shop, past.ledger, exclusions=past.exclusions).open() as opened:
            alone = {key: next(opened.named([format_key(key)], None)) for key in found}
    assert alone == found

    ran = past.run()
    failed = {failure.key: failure for failure in ran.tally.failures}
    held = {key for key, failure in failed.items() if failure.reason == "item_code_changed"}
    said = {
        verdict: {key for key, one in found.items() if one.verdict == verdict}
        for verdict in ("pending", "in_sync", "blocked", "incomplete", "unknown")
    }
    assert {format_key(key) for key in said["pending"]} == set(ran.target.delivered)
    assert said["incomplete"] == failed.keys() - held
    assert held <= said["blocked"]
    assert (len(said["blocked"] - held), len(said["in_sync"]), len(said["unknown"])) == (
        ran.tally.skipped,
        ran.tally.unchanged,
        0,
    )
    for key, failure in failed.items():
        assert failure.message in found[key].why


def test_the_rest_of_a_diagnosis_is_the_runs_too() -> None:
    """What the property cannot see of a run: each criterion it would count."""
    shop = Shop(
        [combination((1, 0)), combination((2, 0)), combination((3, 0))],
        {(2, 0): CLEAR._replace(active=False, bundles=(9,)), (3, 0): CLEAR._replace(finished=False)},
    )
    found = everything(shop, Ledger(), exclusions=excluded((1, None)))
    assert {
        key: [state.code for state in one.criteria if not state.passed] for key, one in found.items()
    } == {
        (1, 0): ["not_excluded"],
        (2, 0): ["not_bundle_component", "active_in_data_shop"],
        (3, 0): ["active_in_data_shop"],
    }


# --- what lies between two runs ----------------------------------------------------------------------------


def test_what_awaits_its_result_is_pending_and_left_alone() -> None:
    shop, ledger = Shop([combination((1, 0)), combination((2, 0))]), Ledger()
    versions = export(shop, Memory(), layout=LAYOUT).target.versions
    served = [Lease(1, 0, versions["1-0"].fingerprint, 0), Lease(2, 0, b"an older version", 0)]
    found = everything(shop, ledger, in_flight=lambda _keys: served)
    assert {key: (one.verdict, one.sync.reason) for key, one in found.items()} == {
        (1, 0): ("pending", "in_flight"),
        (2, 0): ("pending", "queued"),
    }
    leases = Leases(Leased(*one, None) for one in served)
    ran = export(shop, ledger, layout=LAYOUT, leases=leases)
    assert (ran.target.delivered, ran.tally.left) == (["2-0"], 1)


def test_the_ledgers_words_are_told_as_they_are_and_no_run_is_made_up() -> None:
    shop, ledger = Shop([combination((1, 0)), combination((2, 0)), combination((3, 0))]), Ledger()
    export(shop, ledger, layout=LAYOUT)
    shop.change((2, 0), price=Decimal(12))
    shop.change((3, 0), price=Decimal(0))
    shop.combinations.append(combination((4, 0), price="0"))
    found = everything(shop, ledger)
    told = {key: (one.verdict, one.sync.status, one.sync.reason) for key, one in found.items()}
    assert told == {
        (1, 0): ("in_sync", "synced", None),
        (2, 0): ("pending", "pending", "queued"),
        (3, 0): ("incomplete", "synced", None),
        (4, 0): ("incomplete", None, None),
    }
    assert [change._asdict() for change in found[(2, 0)].changes] == [
        {"field": "price", "before": "10.0000", "after": "12.0000"}
    ]
    assert found[(3, 0)].changes == ()


@pytest.mark.parametrize(
    ("next_attempt", "commands"),
    [(1, ["logs retry 1-0", "products export 1-0"]), (0, ["products export 1-0"])],
)
def test_a_rejected_one_is_tried_again_at_its_time(next_attempt: int, commands: list[str]) -> None:
    shop, ledger = Shop([combination((1, 0))]), Ledger()
    ledger.by_key[(1, 0)] = Row((1, 0), status="failed", reason="rejected")
    ledger.next_attempts[(1, 0)] = int(NOW.timestamp() * 1000) + next_attempt
    (one,) = everything(shop, ledger).values()
    assert (one.verdict, one.sync.status, one.sync.reason) == ("pending", "failed", "rejected")
    assert (one.sync.next_attempt_at is not None) == bool(next_attempt)
    assert [step.command for step in one.steps] == commands


def test_two_that_the_erp_knows_by_one_code_both_have_it_and_a_third_has_not() -> None:
    shop = Shop([combination((1, 0), "A"), combination((2, 0), "A"), combination((3, 0), "A")])
    ledger = Ledger()
    ledger.hold((1, 0), "A")
    ledger.hold((2, 0), "A")
    found = everything(shop, ledger, erp=Erp({"A"}))
    assert [one.erp.present for one in found.values()] == [True, True, False]


@pytest.mark.parametrize("known", [True, False])
def test_of_a_flow_that_is_switched_off_everything_pending_says_so(known: bool) -> None:
    shop, ledger = Shop([combination((1, 0))]), Ledger()
    if known:
        ledger.by_key[(1, 0)] = Row((1, 0), status="pending", reason="queued")
    (one,) = everything(shop, ledger, flow_is_on=False).values()
    assert (one.verdict, one.sync.status, one.sync.reason) == ("pending", "pending", "flow_disabled")
    assert [step.command for step in one.steps] == ["flows enable product", "products export 1-0"]


# --- the ERP -----------------------------------------------------------------------------------------------


def missing(shop: Shop, ledger: Ledger, erp: Erp | None, **parts: Any) -> tuple[list[str], str]:
    """The keys that are missing, and why the ERP could not be asked."""
    with diagnosis(shop, ledger, erp=erp, **parts).open() as opened:
        return [one.key for one in opened.missing()], opened.erp.problem


@given(
    st.dictionaries(keys, codes, min_size=1),
    st.lists(happenings, max_size=8),
    st.sets(st.sampled_from("ABC")),
    st.sampled_from([1, 2, 1000]),
)
def test_missing_is_what_is_eligible_and_not_in_the_erp(
    first: dict[ProductKey, str], then: list[Change], held: set[str], chunk: int
) -> None:
    past = after(first, then)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(product_diagnosis, "CHUNK", chunk)
        parts: dict[str, Any] = {"exclusions": past.exclusions, "erp": Erp(held)}
        with diagnosis(past.shop, past.ledger, **parts).open() as opened:
            found = by_key(opened.missing())
        everything_ = everything(past.shop, past.ledger, **parts)
    eligible = {key: one for key, one in everything_.items() if not set(blocking(one)) - {"updated"}}
    assert found == {key: one for key, one in eligible.items() if not one.erp.present}


def blocking(one: Diagnosis) -> list[str]:
    return [state.code for state in one.criteria if not state.passed]


def test_an_item_that_is_another_combinations_is_none_of_its_own() -> None:
    shop, ledger = Shop([combination((1, 0), "A"), combination((2, 0), "a")]), Ledger()
    ledger.hold((1, 0), "A")
    found = everything(shop, ledger, erp=Erp({"A"}))
    assert {key: (one.erp.present, one.erp.detail) for key, one in found.items()} == {
        (1, 0): (True, "Exact has item A."),
        (2, 0): (False, "Exact has no item of its own; A is that of another combination."),
    }
    assert missing(shop, ledger, Erp({"A"})) == (["2-0"], "")


def test_who_wants_anothers_code_has_its_own_item_still() -> None:
    shop, ledger = Shop([combination((1, 0), "A"), combination((2, 0), "A")]), Ledger()
    ledger.hold((1, 0), "A")
    ledger.hold((2, 0), "B")
    found = everything(shop, ledger, erp=Erp({"A", "B"}))
    assert (found[(2, 0)].verdict, found[(2, 0)].erp.detail) == ("blocked", "Exact has item B.")
    assert missing(shop, ledger, Erp({"A", "B"})) == ([], "")


def test_what_the_erp_has_by_the_code_it_was_sent_is_not_missing() -> None:
    shop, ledger = Shop([combination((1, 0), "A")]), Ledger()
    export(shop, ledger, layout=LAYOUT)
    shop.change((1, 0), reference="B")
    assert missing(shop, ledger, Erp({"A"})) == ([], "")
    assert missing(shop, ledger, Erp({"C"})) == (["1-0"], "")


@pytest.mark.parametrize(
    ("erp", "problem"),
    [
        (None, "No ERP is configured: set database under [erp] to compare with it."),
        (Erp(breaks_after=0), "The ERP does not answer."),
    ],
)
def test_without_an_erp_what_was_never_acknowledged_is_missing(erp: Erp | None, problem: str) -> None:
    shop, ledger = Shop([combination((1, 0)), combination((2, 0)), combination((3, 0))]), Ledger()
    shop.standings[(3, 0)] = CLEAR._replace(active=False)
    export(shop, ledger, layout=LAYOUT, ids={1})
    assert missing(shop, ledger, erp) == (["2-0"], problem)


def test_an_erp_that_goes_away_half_way_is_told_and_the_rest_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(product_diagnosis, "CHUNK", 1)
    shop = Shop([combination((1, 0), "A"), combination((2, 0), "B"), combination((3, 0), "C")])
    erp = Erp({"A", "B", "C"}, breaks_after=1)
    with diagnosis(shop, Ledger(), erp=erp).open() as opened:
        present = [one.erp.present for one in opened.all()]
    assert (present, opened.erp.problem) == ([True, None, None], "The ERP does not answer.")
    assert erp.asked == [{"A"}, {"B"}]


def test_the_erp_is_asked_once_for_a_chunk() -> None:
    erp = Erp({"A"})
    everything(
        Shop([combination((1, 0), "A"), combination((2, 0), " a "), combination((3, 0), "")]),
        Ledger(),
        erp=erp,
    )
    assert erp.asked == [{"A", "C3-0"}]
