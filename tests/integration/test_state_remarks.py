"""What is said of records the target has, and which of them it has had for how long."""

from __future__ import annotations

import pytest

from brekzsync.domain.ledger import Failure, Remark, Unchanged
from brekzsync.state import ledger as module
from brekzsync.state.ledger import Ledger
from tests.integration.state_rows import NOON, RUN, acknowledgement, entry, later, mark

KEY = (1, 10)
CHANGED = Remark(*KEY, "changed_after_export", "The shop changed it: lines.")


@pytest.fixture
def exported(ledger: Ledger) -> Ledger:
    ledger.acknowledge([acknowledgement()], run_id=RUN, at=NOON)
    return ledger


def test_a_remark_leaves_the_record_synced_and_its_version_alone(exported: Ledger) -> None:
    before = entry(exported)
    assert exported.remark([CHANGED], at=later(hours=1)) == 1
    assert entry(exported) == before._replace(
        reason=CHANGED.reason, message=CHANGED.message, updated_at=before.updated_at + 3_600_000
    )


def test_the_same_remark_again_changes_nothing_and_another_does(exported: Ledger) -> None:
    exported.remark([CHANGED], at=NOON)
    before = entry(exported)
    assert exported.remark([CHANGED], at=later(hours=1)) == 0
    assert entry(exported) == before
    for other in (CHANGED._replace(message="The shop changed it."), CHANGED._replace(reason="canceled")):
        assert exported.remark([other], at=later(hours=2)) == 1
        assert (entry(exported).reason, entry(exported).message) == (other.reason, other.message)


def test_nothing_is_remarked_of_what_the_target_has_not_got(ledger: Ledger) -> None:
    ledger.record_failures([Failure(*KEY, "unknown_country", "No such country")], run_id=RUN, at=NOON)
    before = entry(ledger)
    assert ledger.remark([CHANGED, CHANGED._replace(key_major=99)], at=NOON) == 0
    assert (entry(ledger), ledger.rows_for([(99, 10)])) == (before, [])


def test_a_record_that_is_as_it_was_again_loses_its_remark(exported: Ledger) -> None:
    before = entry(exported)
    exported.remark([CHANGED], at=later(hours=1))
    as_before = Unchanged(*KEY, mark("first"), 0, mark("row first"))
    exported.record_unchanged([as_before], at=later(hours=2))
    assert entry(exported) == before._replace(updated_at=before.updated_at + 7_200_000)


def test_what_is_acknowledged_anew_loses_its_remark(exported: Ledger) -> None:
    exported.remark([CHANGED], at=NOON)
    exported.acknowledge([acknowledgement(version="second", prior="first")], run_id=RUN, at=NOON)
    assert (entry(exported).reason, entry(exported).message) == (None, None)


def test_what_the_target_has_had_for_longer_is_left_out(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE_ROWS", 3)
    assert list(ledger.acknowledged_since(NOON)) == []
    for minor in range(10):
        ledger.acknowledge([acknowledgement((1 + minor % 2, minor))], run_id=RUN, at=later(minutes=minor))
    ledger.record_failures(
        [Failure(3, 0, "unknown_country", "No such country")], run_id=RUN, at=later(days=1)
    )
    found = list(ledger.acknowledged_since(later(minutes=2)))
    assert [row.key for row in found] == [(1, 2), (1, 4), (1, 6), (1, 8), (2, 3), (2, 5), (2, 7), (2, 9)]
    assert found[0] == entry(ledger, (1, 2))
