"""What the ERP has to show before an item nobody reported on counts as imported."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.erp_prices import PriceLine
from brekzsync.domain.items import Item
from brekzsync.domain.reading_back import has_arrived
from brekzsync.errors import Unavailable
from brekzsync.flows.products import reading_back
from brekzsync.flows.products.reading_back import ReadingBack

BEFORE = Item("A-1", "Tas", "", "10.0000", "2", "21", *[""] * 9)
HELD = ErpItem("a-1", "Tas", Decimal(10), "2", "", "A", True)
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FROM, UNTIL = "2026-11-01", "2026-12-31"


def arrived(
    served: Item,
    held: ErpItem | None = HELD,
    before: Item | None = BEFORE,
    others: Sequence[Item] = (),
    lines: Collection[PriceLine] | None = (),
    *,
    is_forced: bool = False,
) -> bool:
    return has_arrived(served, before, others, held, lines, is_forced=is_forced)


def line(price: str, starts: str = FROM, ends: str = UNTIL) -> PriceLine:
    days = [date.fromisoformat(day) if day else None for day in (starts, ends)]
    return PriceLine("SALESPRICE", "A-1", Decimal(price), "N", (), "pc", Decimal(1), *days, "EUR")


def special(price: str, starts: str = FROM, ends: str = UNTIL, *, of: Item = BEFORE) -> Item:
    return of._replace(special_price=price, special_from=starts, special_until=ends)


# --- the item -----------------------------------------------------------------------------------------------


def test_what_the_erp_lacks_or_holds_otherwise_has_not_arrived() -> None:
    dearer = BEFORE._replace(price="11.0000")

    assert not arrived(dearer, held=None)
    assert not arrived(dearer)
    assert not arrived(dearer, held=HELD._replace(price=Decimal(11), description="Tasje"))


@pytest.mark.parametrize(
    ("changed", "held"),
    [
        ({"price": "11.0000"}, {"price": Decimal(11)}),
        ({"description": "Tasje"}, {"description": "Tasje"}),
        ({"vat_code": "1"}, {"vat_code": "1"}),
        ({"gtin": "2900000100015"}, {"gtin": "2900000100015"}),
    ],
)
def test_a_change_that_shows_has_arrived_and_what_else_the_document_said_with_it(
    changed: dict[str, str], held: dict[str, Any]
) -> None:
    served = BEFORE._replace(**changed, brand="Noordwind")

    assert arrived(served, HELD._replace(**held))
    assert not arrived(served)


def test_a_change_that_does_not_show_may_not_have_arrived() -> None:
    assert not arrived(BEFORE._replace(brand="Noordwind"))
    assert not arrived(BEFORE._replace(gtin="2900000100015"), HELD._replace(gtin=None))


def test_a_new_item_that_is_there_has_arrived() -> None:
    assert arrived(BEFORE._replace(brand="Noordwind"), before=None)


def test_a_gtin_that_exacts_people_filled_in_proves_nothing() -> None:
    assert not arrived(BEFORE._replace(brand="Noordwind"), HELD._replace(gtin="2900000100015"))


def test_an_item_that_was_only_saved_again_has_nothing_to_bring() -> None:
    assert arrived(BEFORE)


def test_a_forced_version_has_arrived_only_if_it_shows() -> None:
    assert not arrived(BEFORE, is_forced=True)
    assert not arrived(BEFORE, before=None, is_forced=True)
    assert arrived(BEFORE._replace(price="11.0000"), HELD._replace(price=Decimal(11)), is_forced=True)


# --- its special price --------------------------------------------------------------------------------------


def test_a_new_special_price_has_to_be_in_the_price_list() -> None:
    served = special("8.5000")

    assert arrived(served, lines=[line("8.5")])
    for lines in ((), [line("9")], [line("8.5", ends="2026-12-30")], [line("8.5", starts="")], None):
        assert not arrived(served, lines=lines)
    assert arrived(special("8.5000", "", ""), lines=[line("8.5", "", "")])


def test_a_special_price_that_was_there_before_needs_no_look() -> None:
    before = special("8.5000")

    assert arrived(
        before._replace(price="11.0000"), HELD._replace(price=Decimal(11)), before=before, lines=None
    )


def test_a_special_price_that_ended_has_to_be_gone() -> None:
    before, dearer = special("8.5000"), BEFORE._replace(price="11.0000")
    held = HELD._replace(price=Decimal(11))

    assert arrived(dearer, held, before=before, lines=[line("7", starts="2026-11-05")])
    assert not arrived(dearer, held, before=before, lines=[line("8.5")])
    assert not arrived(dearer, held, before=before, lines=None)
    assert not arrived(dearer, held, others=[before], lines=[line("8.5")]), "it may have gone out unreported"


# --- reading ------------------------------------------------------------------------------------------------


class Version(NamedTuple):
    id: int
    key_major: int
    document: str | None
    acknowledged: str | None
    code: str | None = "A-1"
    key_minor: int = 0
    fingerprint: bytes = b""
    force: int = 0
    is_forced: bool = False


@dataclass
class Around:
    """Versions, and an ERP that holds one item or is away."""

    versions: list[Version]
    is_away: bool = False
    held: dict[str, ErpItem] = field(default_factory=lambda: {"A-1": HELD._replace(price=Decimal(11))})
    asked: list[tuple[int, set[str]]] = field(default_factory=list)
    settled: list[tuple[int, bytes]] = field(default_factory=list)

    def unreported(self, at: datetime, *, lease: timedelta | None, after: int, limit: int) -> list[Version]:
        self.asked.append((after, set()))
        return [one for one in self.versions if one.id > after][:limit]

    def unsettled_documents(self, keys: Sequence[tuple[int, int]]) -> Mapping[tuple[int, int], list[str]]:
        return {}

    def settle(self, outcomes: Sequence[Any], *, at: datetime) -> Any:
        self.settled += [(one.key_major, one.version[0]) for one in outcomes]
        assert all(one.imported for one in outcomes)
        return type("Settled", (), {"acknowledged": outcomes})

    @contextmanager
    def open_erp(self) -> Iterator[Around]:
        if self.is_away:
            raise Unavailable("The ERP does not answer.")
        yield self

    def items(self, codes: Collection[str]) -> dict[str, ErpItem]:
        self.asked[-1][1].update(codes)
        return self.held

    def special_prices(self, codes: Collection[str], today: date) -> dict[str, list[PriceLine]]:
        pytest.fail("no price line matters here")

    def reading(self) -> ReadingBack:
        return ReadingBack(served=self, open_erp=self.open_erp, lease=timedelta(minutes=30))


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_back, "AT_ONCE", 2)


DEARER = BEFORE._replace(price="11.0000").stored()


def version(id_: int, major: int, print_: bytes = b"1", document: str | None = DEARER) -> Version:
    return Version(id_, major, document, BEFORE.stored(), fingerprint=print_)


def test_all_of_them_are_looked_for_page_by_page() -> None:
    around = Around([version(3, 1), version(5, 2), version(8, 3)])

    assert around.reading().all(NOW) == 3
    assert around.asked == [(0, {"A-1"}), (5, {"A-1"})]
    assert around.settled == [(1, b"1"), (2, b"1"), (3, b"1")]


def test_of_two_versions_that_both_may_have_arrived_the_older_one_has() -> None:
    around = Around([version(3, 1, b"1"), version(5, 1, b"2")])

    around.reading().all(NOW)

    assert around.settled == [(1, b"1")]


def test_a_version_without_a_code_or_document_is_passed_over() -> None:
    around = Around([version(3, 1, document=None), version(5, 2)._replace(code=None)])

    assert around.reading().all(NOW) == 0


def test_pages_come_in_turn_and_not_too_often(monkeypatch: pytest.MonkeyPatch) -> None:
    around = Around([version(3, 1), version(5, 2), version(8, 3)])
    reading = around.reading()

    assert [reading.a_page(NOW) for _ in range(3)] == [2, 0, 0]

    monkeypatch.setattr(reading_back, "_PAUSE", 0)
    reading = around.reading()
    assert [reading.a_page(NOW) for _ in range(4)] == [2, 1, 2, 1]


def test_an_erp_that_is_away_is_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    around = Around([version(3, 1)], is_away=True)
    reading = around.reading()

    assert [reading.all(NOW), reading.all(NOW)] == [0, 0]
    assert reading.a_page(NOW) == 0
    assert caplog.messages == ["What was given to Exact cannot be read back: The ERP does not answer."] * 3
