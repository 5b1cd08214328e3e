"""The inbox: what was stored is there, what waits is one job per record, what is done does not come again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync.errors import BrekzsyncError, ConfigurationError
from brekzsync.state.inbox import DEAD, DONE, NEW, Inbox, NewDelivery, open_inbox
from brekzsync.state.inbox_schema import LONGEST_ID, LONGEST_RECORD

NOW = datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def opened(url: str) -> Inbox:
    inbox = open_inbox(url)
    assert inbox is not None
    return inbox


@pytest.fixture
def inbox(database_url: str) -> Iterator[Inbox]:
    with opened(database_url) as inbox:
        yield inbox


def delivery(number: int, record: str = "A", source: str = "one", body: str = "{}") -> NewDelivery:
    return NewDelivery(source, f"id-{number}", NOW + timedelta(seconds=number), "stock", record, body)


def waiting(inbox: Inbox, now: datetime = NOW) -> list[tuple[str, str, int]]:
    return [(one.source, one.record, one.count) for one in inbox.waiting(now, 100)]


# --- receiving --------------------------------------------------------------------------------------------


def test_what_is_stored_is_there_word_for_word(inbox: Inbox) -> None:
    body = '{"naam": "één \U0001f415", "n": "\\u0000"}' + "x" * 200_000
    assert inbox.store([delivery(1, body=body)]) == [True]
    (listed,) = inbox.list()
    shown = inbox.show(listed.id)
    assert shown is not None
    assert shown == listed._replace(body=body)
    assert (shown.delivery_id, shown.received_at, shown.topic) == (
        "id-1",
        NOW + timedelta(seconds=1),
        "stock",
    )
    assert (shown.status, shown.attempts, shown.next_attempt_at, shown.processed_at) == (NEW, 0, None, None)


def test_an_id_that_was_sent_before_is_stored_once(inbox: Inbox) -> None:
    assert inbox.store([delivery(1), delivery(2)]) == [True, True]
    assert inbox.store([delivery(2), delivery(3), delivery(3), delivery(1, source="two")]) == [
        False,
        True,
        False,
        True,
    ]
    assert waiting(inbox) == [("one", "A", 3), ("two", "A", 1)]


def test_an_id_stays_known_when_it_was_processed(inbox: Inbox) -> None:
    inbox.store([delivery(1)])
    inbox.done("one", "A", inbox.list()[0].id, LATER)
    assert inbox.store([delivery(1)]) == [False]
    assert waiting(inbox) == []


def test_ids_differ_by_the_case_of_a_letter(inbox: Inbox) -> None:
    lower, upper = delivery(1)._replace(delivery_id="msg_a"), delivery(1)._replace(delivery_id="msg_A")
    assert inbox.store([lower, upper]) == [True, True]


def test_the_longest_names_fit(inbox: Inbox) -> None:
    record = "É" * LONGEST_RECORD
    assert inbox.store([delivery(1, record)._replace(delivery_id="x" * LONGEST_ID)]) == [True]
    assert waiting(inbox) == [("one", record, 1)]


def test_a_group_may_be_larger_than_a_server_takes_at_once(inbox: Inbox) -> None:
    body = "x" * 200_000
    assert inbox.store([delivery(number, body=body) for number in range(100)]) == [True] * 100
    assert inbox.store([delivery(number, body=body) for number in range(99, 200)]) == [False] + [True] * 100


def test_nothing_is_stored_of_nothing(inbox: Inbox) -> None:
    assert inbox.store([]) == []


def test_several_processes_store_each_delivery_once(database_url: str) -> None:
    def store(worker: int) -> int:
        with opened(database_url) as inbox:
            groups = [[delivery(group * 7 + place) for place in range(10)] for group in range(20)]
            return sum(sum(inbox.store(group)) for group in groups)

    with ThreadPoolExecutor(4) as workers:
        stored = sum(workers.map(store, range(4)))
    with opened(database_url) as inbox:
        assert stored == 143
        assert waiting(inbox) == [("one", "A", 143)]


def test_a_failed_group_is_stored_in_no_part(tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path / 'inbox.db'}") as inbox:
        with pytest.raises(BrekzsyncError, match="The inbox"):
            inbox.store([delivery(1), delivery(2)._replace(body=None)])  # type: ignore[arg-type]
        assert waiting(inbox) == []
        assert inbox.store([delivery(1)]) == [True]


def test_a_stored_group_is_on_the_disk_for_others_at_once(tmp_path: Path) -> None:
    file = tmp_path / "inbox.db"
    with opened(f"sqlite:///{file}") as inbox:
        inbox.store([delivery(1), delivery(2)])
        with sqlite3.connect(file) as other:
            assert other.execute("SELECT COUNT(*) FROM inbox_delivery").fetchone() == (2,)


# --- processing -------------------------------------------------------------------------------------------


def test_ten_thousand_deliveries_of_one_item_are_one_job(inbox: Inbox) -> None:
    for start in range(0, 10_000, 500):
        inbox.store([delivery(number) for number in range(start, start + 500)])
    inbox.store([delivery(-1, "B")])
    (a, b) = inbox.waiting(NOW, 100)
    assert (a.record, a.count, a.oldest, a.attempts, a.topic) == ("A", 10_000, NOW, 0, "stock")
    assert (b.record, b.count, b.first_id) == ("B", 1, b.last_id)
    assert inbox.done("one", "A", a.last_id, LATER) == 10_000
    assert waiting(inbox) == [("one", "B", 1)]
    assert inbox.backlog() == {"one": 1}
    assert inbox.count(DONE) == {"one": 10_000}


def test_who_waits_longest_comes_first(inbox: Inbox) -> None:
    inbox.store([delivery(1, "Z"), delivery(2, "A"), delivery(3, "Z"), delivery(4, "", "two")])
    assert waiting(inbox) == [("one", "Z", 2), ("one", "A", 1), ("two", "", 1)]
    assert [one.record for one in inbox.waiting(NOW, 2)] == ["Z", "A"]


def test_the_records_of_a_source_come_in_pages(inbox: Inbox) -> None:
    inbox.store([delivery(number, record) for number, record in enumerate(["C", "", "B", "A"])])
    inbox.store([delivery(1, "A", "two")])
    assert [one.record for one in inbox.waiting(NOW, 2, source="one")] == ["", "A"]
    assert [one.record for one in inbox.waiting(NOW, 9, source="one", after="A")] == ["B", "C"]
    assert inbox.sources() == ["one", "two"]


def test_what_comes_while_a_record_is_processed_waits_on(inbox: Inbox) -> None:
    inbox.store([delivery(1), delivery(2)])
    (seen,) = inbox.waiting(NOW, 10)
    inbox.store([delivery(3)])
    assert inbox.done("one", "A", seen.last_id, LATER) == 2
    assert waiting(inbox) == [("one", "A", 1)]


def test_a_record_that_failed_waits_with_all_that_came_of_it_meanwhile(inbox: Inbox) -> None:
    inbox.store([delivery(1), delivery(2), delivery(3, "B")])
    (seen, _) = inbox.waiting(NOW, 10)
    assert inbox.failed("one", "A", seen.last_id, NOW, LATER, "no answer") == 2
    inbox.store([delivery(4)])
    assert waiting(inbox) == [("one", "B", 1)]
    assert waiting(inbox, LATER) == [("one", "A", 3), ("one", "B", 1)]
    (a, _) = inbox.waiting(LATER, 10)
    assert a.attempts == 1
    tried = inbox.show(seen.first_id)
    assert tried is not None
    assert (tried.error, tried.next_attempt_at, tried.processed_at) == ("no answer", LATER, NOW)


def test_a_dead_record_is_tried_no_more_until_a_person_says_so(inbox: Inbox) -> None:
    inbox.store([delivery(1), delivery(2, "A", "two")])
    for source in ("one", "two"):
        assert inbox.dead(source, "A", 99, NOW, "refused") == 1
    assert waiting(inbox, LATER) == []
    assert inbox.count(DEAD) == {"one": 1, "two": 1}
    assert inbox.replay(dead=True, source="two") == 1
    assert waiting(inbox) == [("two", "A", 1)]
    (again,) = inbox.list(status=NEW)
    assert (again.attempts, again.error, again.processed_at) == (0, None, None)
    assert inbox.replay(dead=True) == 1


def test_a_comparison_that_succeeds_settles_what_died_before(inbox: Inbox) -> None:
    inbox.store([delivery(1)])
    inbox.dead("one", "A", 99, NOW, "refused")
    inbox.store([delivery(2)])
    assert inbox.done("one", "A", inbox.list()[0].id, LATER) == 2
    assert inbox.count(DONE) == {"one": 2}


def test_what_was_done_can_be_replayed(inbox: Inbox) -> None:
    inbox.store([delivery(number) for number in range(1000)])
    ids = [one.id for one in inbox.list(limit=1000)]
    inbox.done("one", "A", max(ids), LATER)
    assert inbox.replay([*ids, ids[0], 10**9]) == 1000
    assert waiting(inbox) == [("one", "A", 1000)]


def test_lists_are_narrowed_and_paged_the_newest_first(inbox: Inbox) -> None:
    inbox.store([delivery(number, source="one" if number % 2 else "two") for number in range(6)])
    newest = inbox.list(limit=2)
    assert [one.delivery_id for one in newest] == ["id-5", "id-4"]
    assert [one.delivery_id for one in inbox.list(after=newest[-1].id, source="one")] == ["id-3", "id-1"]
    assert inbox.list(status=DEAD) == []
    assert inbox.show(10**9) is None


# --- floods -----------------------------------------------------------------------------------------------


def test_a_flood_is_marked_once_and_settled_only_by_what_began_after_its_end(inbox: Inbox) -> None:
    marks = inbox.marks
    assert marks.open("one", "rate", NOW)
    assert not marks.open("one", "backlog", LATER)
    assert marks.open("two", "backlog", LATER)
    one, two = inbox.sheds()
    marks.refused(one.id, 3)
    marks.refused(one.id, 4)
    assert not inbox.compared(one.id, LATER), "it is open"
    assert marks.begin_to_close(one.id, LATER)
    assert not marks.begin_to_close(one.id, LATER)
    assert not inbox.compared(one.id, LATER), "another process may still refuse"
    assert marks.close(LATER - timedelta(seconds=1), LATER) == 0
    closed_at = LATER + timedelta(seconds=5)
    assert marks.close(LATER, closed_at) == 1
    assert not inbox.compared(one.id, LATER), "that began before it was closed"
    assert [(shed.source, shed.closed_at, shed.refused) for shed in inbox.sheds()] == [
        ("one", closed_at, 7),
        ("two", None, 0),
    ]
    assert inbox.compared(one.id, closed_at)
    assert not inbox.compared(one.id, closed_at)
    assert inbox.sheds() == [two]
    assert marks.open("one", "rate", closed_at), "it may flood again"


def test_processes_know_each_others_pace(inbox: Inbox) -> None:
    inbox.marks.note_pace("w1", NOW, {"one": 10, "two": 5})
    inbox.marks.note_pace("w1", LATER, {"one": 20})
    inbox.marks.note_pace("w2", LATER, {"one": 1})
    assert inbox.marks.pace_of_others("w3", LATER) == {"one": 21}
    assert inbox.marks.pace_of_others("w1", LATER) == {"one": 1}
    inbox.marks.forget_pace("w2", LATER)
    assert inbox.marks.pace_of_others("w3", NOW) == {"one": 20}


# --- keeping small ----------------------------------------------------------------------------------------


def test_what_is_settled_is_forgotten_when_it_is_old_and_what_waits_never(inbox: Inbox) -> None:
    inbox.store([delivery(number, record) for number, record in enumerate(["DONE", "DEAD", "NEW", "LATE"])])
    inbox.done("one", "DONE", 99, NOW)
    inbox.dead("one", "DEAD", 99, NOW, "x")
    inbox.failed("one", "NEW", 99, NOW, NOW, "x")
    inbox.done("one", "LATE", 99, LATER)
    inbox.marks.open("one", "rate", NOW)
    assert inbox.planned_prune(LATER) == 2
    assert inbox.prune(LATER) == 2
    assert [one.record for one in inbox.list()] == ["LATE", "NEW"]
    assert len(inbox.sheds()) == 1


# --- the file ---------------------------------------------------------------------------------------------


def test_it_is_opened_again_as_it_was_left(database_url: str) -> None:
    with opened(database_url) as inbox:
        inbox.store([delivery(1)])
    with opened(database_url) as inbox:
        assert waiting(inbox) == [("one", "A", 1)]


def test_several_may_make_it_at_once(database_url: str) -> None:
    def make(_: int) -> None:
        opened(database_url).close()

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(make, range(8)))


def test_one_that_is_not_there_is_made_only_when_asked_to(database_url: str) -> None:
    assert open_inbox(database_url, create=False) is None
    opened(database_url).close()
    existing = open_inbox(database_url, create=False, read_only=True)
    assert existing is not None
    with existing, pytest.raises(BrekzsyncError):
        existing.marks.open("one", "rate", NOW)


def test_one_of_a_later_release_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'inbox.db'}"
    opened(url).close()
    with sqlite3.connect(tmp_path / "inbox.db") as file:
        file.execute("UPDATE inbox_version SET version_num = 2")
    with pytest.raises(ConfigurationError, match="later brekzsync") as refused:
        open_inbox(url)
    assert refused.value.code == "inbox_newer"


# --- a model ----------------------------------------------------------------------------------------------

RECORDS = st.sampled_from(["", "A", "B"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("store"), RECORDS, st.integers(0, 9)),
        st.tuples(st.sampled_from(["done", "failed", "dead"]), RECORDS, st.integers(0, 12)),
        st.tuples(st.just("replay"), RECORDS, st.integers(0, 12)),
    ),
    max_size=25,
)


@given(steps=STEPS)
def test_whatever_happens_it_is_as_a_list_would_have_it(steps: list[tuple[str, str, int]]) -> None:
    with opened("sqlite://") as inbox:
        rows: dict[int, list[object]] = {}
        for what, record, number in steps:
            if what == "store":
                (is_new,) = inbox.store([delivery(number, record)])
                assert is_new == all(row[0] != number for row in rows.values())
                if is_new:
                    rows[inbox.list(limit=1)[0].id] = [number, record, NEW, 0]
            elif what == "replay":
                assert inbox.replay([number]) == (number in rows)
                if number in rows:
                    rows[number][2:] = [NEW, 0]
            else:
                _apply(inbox, rows, what, record, number)
        assert {
            one.id: [int(one.delivery_id[3:]), one.record, one.status, one.attempts] for one in inbox.list()
        } == rows


def _apply(inbox: Inbox, rows: dict[int, list[object]], what: str, record: str, up_to: int) -> None:
    hit = [row for key, row in rows.items() if key <= up_to and row[1] == record]
    if what == "done":
        inbox.done("one", record, up_to, LATER)
    elif what == "failed":
        inbox.failed("one", record, up_to, NOW, LATER, "x")
    else:
        inbox.dead("one", record, up_to, LATER, "x")
    for row in hit:
        if row[2] == NEW and what != "done":
            row[3] = int(str(row[3])) + 1
        if row[2] == NEW or (what == "done" and row[2] == DEAD):
            row[2] = {"done": DONE, "failed": NEW, "dead": DEAD}[what]
