"""What the ERP holds, told of one code; and an ERP that does not answer."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from decimal import Decimal

import pytest

from brekzsync.domain.diagnosis import Change, ErpState
from brekzsync.domain.erp_items import ErpItem
from brekzsync.domain.items import Item
from brekzsync.errors import Unavailable
from brekzsync.flows.products.erp_evidence import ErpEvidence
from brekzsync.flows.scratch import Scratch

ITEM = Item("A-1", "Tas", "", "10.0000", "2", "21", *[""] * 9)
HELD = ErpItem("a-1", "Tas", Decimal(10), "2", None, "A", True)


class Erp:
    """Holds one item, or is away."""

    def __init__(self, held: ErpItem | None = HELD, *, is_away: bool = False) -> None:
        self.held = held
        self.is_away = is_away
        self.asked: list[set[str]] = []

    def some(self, codes: Collection[str]) -> dict[str, ErpItem]:
        self.asked.append(set(codes))
        self._answer()
        return {"A-1": self.held} if self.held and "A-1" in codes else {}

    def held_codes(self) -> Iterator[str]:
        yield "A-1"
        self._answer()
        yield "A-1"

    def _answer(self) -> None:
        if self.is_away:
            raise Unavailable("The ERP does not answer.", hint="Look whether it runs.")


def state(held: ErpItem | None, code: str = "A-1", item: Item = ITEM) -> ErpState:
    evidence = ErpEvidence(Erp(held))
    evidence.look_up([code])
    assert evidence.problem == ""
    return evidence.state(code, item)


@pytest.mark.parametrize(
    ("condition", "detail"),
    [
        ("A", "Exact has item a-1."),
        (None, "Exact has item a-1."),
        ("", "Exact has item a-1."),
        ("B", "Exact has item a-1 and it is blocked there (condition B)."),
        ("D", "Exact has item a-1 and it is discontinued there (condition D)."),
        ("E", "Exact has item a-1 and it is inactive there (condition E)."),
        ("F", "Exact has item a-1 and it is future there (condition F)."),
    ],
)
def test_an_item_is_told_with_its_condition(condition: str | None, detail: str) -> None:
    held = HELD._replace(condition=condition)
    assert state(held) == ErpState(True, detail, held, ())


def test_what_it_holds_otherwise_is_named() -> None:
    held = HELD._replace(description="Riem", price=Decimal(9), condition="B")
    assert state(held) == ErpState(
        True,
        "Exact has item a-1, with another description and price and it is blocked there (condition B).",
        held,
        (Change("description", "Riem", "Tas"), Change("price", "9", "10")),
    )


def test_three_differences_are_a_list() -> None:
    held = HELD._replace(description="Riem", price=Decimal(9), vat_code="1")
    assert state(held).detail == "Exact has item a-1, with another description, price and VAT code."


def test_what_it_lacks_and_what_has_no_code_is_not_present() -> None:
    assert state(None) == ErpState(False, "Exact has no item A-1.")
    assert state(HELD, code="") == ErpState(False, "Nothing to look for: it has no item code.")


def test_nobody_is_asked_for_nothing() -> None:
    erp = Erp()
    ErpEvidence(erp).look_up(["", ""])
    assert erp.asked == []


def test_an_erp_that_does_not_answer_is_asked_once() -> None:
    erp = Erp(is_away=True)
    evidence = ErpEvidence(erp)
    evidence.look_up(["A-1"])
    evidence.look_up(["B-1"])
    assert (evidence.problem, erp.asked) == ("The ERP does not answer.", [{"A-1"}])
    assert evidence.state("A-1", ITEM) == ErpState(None, "unknown: The ERP does not answer.")


def test_all_codes_are_read_or_it_is_told_why_not() -> None:
    scratch = Scratch()
    evidence = ErpEvidence(Erp())
    assert (evidence.read_codes(scratch), evidence.problem) == (True, "")
    assert scratch.run("SELECT code FROM held") == [("A-1",)]

    away = ErpEvidence(Erp(is_away=True))
    assert (away.read_codes(Scratch()), away.problem) == (False, "The ERP does not answer.")

    none = ErpEvidence(None)
    assert (none.read_codes(Scratch()), none.problem) == (
        False,
        "No ERP is configured: set database under [erp] to compare with it.",
    )
