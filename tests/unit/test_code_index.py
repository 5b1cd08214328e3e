"""The catalogue's item codes, kept for a moment: what is asked of them, and how old they may be."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from brekzsync.domain.item_codes import CodeTemplate
from brekzsync.flows.products.code_index import CodeIndex

TEMPLATE = CodeTemplate("reference")


@dataclass
class Codes:
    """A catalogue that only has codes."""

    codes: list[tuple[str, int]]
    reads: int = 0
    now: float = 100.0
    seconds_a_read: float = 0.0
    index: CodeIndex = field(init=False)

    def __post_init__(self) -> None:
        self.index = CodeIndex(clock=lambda: self.now)

    def code_hashes(self, _template: CodeTemplate, among: Any = None) -> Any:
        self.reads += 1
        self.now += self.seconds_a_read
        return iter([(hash(code), major) for code, major in self.codes])

    def owners(self, *codes: str) -> list[int]:
        found = self.index.owners(self, TEMPLATE, codes)  # type: ignore[arg-type]
        return sorted(major for _, major in found)


def test_every_owner_of_a_code_is_found_as_often_as_it_has_it() -> None:
    catalogue = Codes([("A", 1), ("A", 1), ("A", 2), ("B", 3)])

    assert (catalogue.owners("A"), catalogue.owners("B", "C"), catalogue.owners()) == ([1, 1, 2], [3], [])


def test_the_codes_are_read_again_only_after_a_while() -> None:
    catalogue = Codes([("A", 1)])
    catalogue.owners("A")
    catalogue.codes.append(("A", 2))

    assert catalogue.owners("A") == [1]
    catalogue.now += 4
    assert catalogue.owners("A") == [1, 2]
    assert catalogue.reads == 2


def test_a_catalogue_that_takes_long_to_read_is_read_less_often() -> None:
    catalogue = Codes([("A", 1)], seconds_a_read=2)
    catalogue.owners("A")
    catalogue.now += 30

    catalogue.owners("A")

    assert catalogue.reads == 1


def test_thousands_of_codes_can_be_asked_for() -> None:
    catalogue = Codes([(str(number), number) for number in range(3000)])

    assert catalogue.owners(*(str(number) for number in range(3000))) == list(range(3000))
