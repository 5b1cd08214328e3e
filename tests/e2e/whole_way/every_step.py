"""Killing at every step of one job: a module for each job, so that they run beside one another."""

from __future__ import annotations

import pytest

from tests.e2e.whole_way.conftest import ON_MARIADB, Whole
from tests.exact_side import EVERYTHING, JOBS, NOBODY, Plan

# Where it matters to whom: who is killed while others are at their own work is missed at their next request only.
VICTIMS = {
    "serve": {"way", "serve"},
    "agent": {"way", "agent", "asimport"},
    "asimport": {"way", "asimport"},  # which is not at work on the way: only the connection is cut
    "everything": {"way", "serve", "agent", "asimport"},
}
# The agent and AsImport know nothing of the databases beyond serve.
WHO_WHERE = [
    *(("demo", who) for who in VICTIMS),
    *(pytest.param("fixtures", who, marks=ON_MARIADB) for who in ("serve", "everything")),
]


def kill_at_every_step(whole: Whole, job: str, who: str) -> None:
    """Nothing is lost, nothing comes twice."""
    for one in JOBS:
        whole.something_happens(one)
        whole.way.brings(one)
    assert whole.killed(job, NOBODY) == ""
    steps = whole.way.fate.of_the_first_run()
    assert len(steps) > 40
    victims = EVERYTHING if who == "everything" else {who}
    for at, step in enumerate(steps, 1):
        if step.split()[0] in VICTIMS[who]:
            assert whole.killed(job, Plan(at, victims)), (at, step, whole.way.fate.steps)
