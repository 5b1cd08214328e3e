"""What happens in a shop arrives in Exact, whoever is killed on the way."""

from __future__ import annotations

import pytest

from tests.e2e.whole_way.conftest import Whole
from tests.exact_side import EVERYTHING, JOBS, Plan
from tests.exports import Said, brekzsync

SOME_STEPS: dict[str, list[tuple[str, str, set[str]]]] = {
    "demo": [
        ("orders", "agent after start of AsImport", {"agent"}),
        ("refunds", "serve before insert into served", {"serve"}),
        ("products", "agent before start of AsImport", EVERYTHING),
    ],
    "fixtures": [
        ("orders", "asimport before log", {"asimport"}),
        ("orders", "way results answered", EVERYTHING),
    ],
}


def test_what_happens_in_the_shop_arrives_in_exact_whoever_is_killed(whole: Whole) -> None:
    way = whole.way

    def by_hand(*words: str) -> Said:
        said = brekzsync(way.folder, "--config", "brekzsync.toml", *words)
        assert said.code == 0, said
        return said

    for job in JOBS:  # one after the other: an order needs its items, a refund its order
        whole.something_happens(job)
        by_hand("agent", "start", job)
        way.ended(job)
    told = by_hand("--json", "orders", "settle").document["records"]
    assert [(one["type"], one["settled"], one["waiting"]) for one in told] == [
        ("order", [], 0),
        ("refund", [], 0),
    ]
    whole.is_in_step()
    # All other steps: the test below.
    for job, at, victims in SOME_STEPS[whole.shop]:
        assert whole.killed(job, Plan(at, victims)) == at


@pytest.mark.long
def test_killed_while_all_of_it_is_on_its_way_nothing_is_lost_and_nothing_comes_twice(whole: Whole) -> None:
    for job in JOBS:
        whole.something_happens(job)
        whole.way.brings(job)

    for at in range(1, 200, 7):
        for job in ("refunds", "orders", "products"):  # the refund is of the order before
            whole.something_happens(job)
        struck = whole.way.brings(*JOBS, plan=Plan(at, EVERYTHING))
        whole.is_in_step(at, struck)
