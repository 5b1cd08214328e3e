"""One run of the agent's job against a shop over HTTP and an AsImport that is a process."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from brekzsync.agent.asimport import AsImport
from brekzsync.agent.configuration import load
from brekzsync.agent.feed import Feed
from brekzsync.agent.jobs import Job, Outcome
from brekzsync.agent.results import recognisers_of
from brekzsync.agent.workfolder import WorkFolder
from tests.agents import FakeExact, FakeShop, document_of, serving, wait_until


@dataclass
class Bench:
    shop: FakeShop
    exact: FakeExact
    kill: threading.Event
    stop: threading.Event

    def run(self, **settings: object) -> Outcome:
        return self.job(**settings).run(self.stop)

    def job(self, **settings: object) -> Job:
        configuration = load(self.exact.configure(self.shop, **settings))  # type: ignore[arg-type]
        importing = configuration.importing
        return Job(
            configuration.jobs[0],
            self.folder,
            Feed(configuration.shop, configuration.jobs[0].path),
            AsImport(importing, self.kill),
            recognisers_of(importing.recognisers, configuration.source.parent),
            logging.getLogger("tests.agent"),
        )

    @property
    def folder(self) -> WorkFolder:
        return WorkFolder(self.exact.folder / "work", "products")

    def backlog(self) -> list[int]:
        """Unposted results, open batches, refused results."""
        return list(self.folder.backlog().values())

    def claims(self) -> list[str]:
        """The words of the batches under way."""
        return [batch.claim for batch in self.folder.batches()]

    def messages(self) -> list[tuple[str, str]]:
        return [(one["status"], one["message"]) for one in self.shop.results]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with serving(FakeShop()) as shop:
        yield Bench(shop, FakeExact(tmp_path / "exact folder"), threading.Event(), threading.Event())


# --- what AsImport does ------------------------------------------------------------------------------------


def test_what_is_pending_is_fetched_imported_and_told(bench: Bench) -> None:
    bench.shop.page = 2
    bench.shop.offer("A", "B & C", "D", "É")

    outcome = bench.run()

    assert outcome == Outcome(ending="done", counts={"offered": 4, "imported": 4})
    assert bench.exact.took() == ["A", "B & C", "D", "É"]
    assert bench.exact.calls() == [["Items", [code]] for code in ("A", "B & C", "D", "É")]
    assert bench.shop.results[0] == {
        "id": "1-1",
        "version": "v0-1-1",
        "status": "imported",
        "message": "Updated",
    }
    assert (bench.shop.pending, bench.backlog()) == ([], [0, 0, 0])
    assert list((bench.exact.folder / "work/products/documents").iterdir()) == []
    assert bench.run() == Outcome(ending="done", counts={"offered": 0})


def test_one_call_may_take_a_batch_and_each_record_has_its_own_result(bench: Bench) -> None:
    bench.exact.behaves("succeed", reject=["B"])
    bench.shop.offer("A", "B", "C")
    bench.shop.offer("P", price=True)

    outcome = bench.run(batch=3)

    assert outcome.counts == {"offered": 4, "imported": 3, "rejected": 1}
    assert bench.exact.calls() == [["Items", ["A", "B", "C"]], ["Items", ["P"]], ["ItemPrices", ["P"]]]
    assert bench.shop.statuses() == {"A": "imported", "B": "rejected", "C": "imported", "P": "imported"}
    assert bench.messages()[1] == ("rejected", "Invalid reference: Assortment 999")


def test_a_price_that_is_rejected_rejects_the_record(bench: Bench) -> None:
    bench.shop.offer("P", price=True)
    recogniser = bench.exact.folder / "prices.py"
    recogniser.write_text(
        "def recognise(log):\n    return [('p', b'ItemPrices' not in log, 'No such list')]\n",
        encoding="utf-8",
    )

    bench.run(recognisers='["prices.py"]')

    assert bench.messages() == [("rejected", "No such list")]


def test_an_import_that_crashes_is_handed_over_since_nobody_knows_what_it_did(bench: Bench) -> None:
    bench.exact.behaves("crash")
    bench.shop.offer("A")

    assert bench.run().counts == {"offered": 1, "handed_over": 1}
    assert bench.messages() == [("handed_over", "AsImport ended with code 3. It left no log.")]


@pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX does")
def test_nothing_is_imported_on_top_of_an_import_that_was_killed(bench: Bench) -> None:
    bench.exact.behaves("killed")
    bench.shop.offer("P", price=True)

    assert bench.run().counts == {"offered": 1, "handed_over": 1}
    assert bench.exact.calls() == [["Items", ["P"]]]
    assert bench.messages() == [("handed_over", "AsImport ended with code -9. It left no log.")]


def test_an_import_that_lies_is_not_believed(bench: Bench) -> None:
    bench.exact.behaves("lie")
    bench.shop.offer("A")

    bench.run()

    assert bench.messages() == [
        ("handed_over", "AsImport ended with code 0. Nothing in its log tells what became of this record.")
    ]


def test_the_log_is_believed_more_than_the_exit_code(bench: Bench) -> None:
    bench.exact.behaves("succeed", reject=["B"], code=7)
    bench.shop.offer("A", "B")

    bench.run()

    assert bench.shop.statuses() == {"A": "imported", "B": "rejected"}


def test_a_log_nobody_can_read_is_passed_on_with_its_last_lines(bench: Bench) -> None:
    bench.exact.behaves("plain")
    bench.shop.offer("A")

    bench.run()

    said = "AsImport ended with code 0. Its log ends with: Importing... | Item group 7 was not found"
    assert bench.messages() == [("handed_over", said)]


def test_a_log_of_an_earlier_import_is_not_taken_for_this_ones(bench: Bench) -> None:
    (bench.exact.folder / "last.xml").write_text(
        '<eExact><Messages><Message type="2"><Topic><DataKey code="A"/></Topic></Message></Messages></eExact>'
    )
    bench.exact.behaves("silent")
    bench.shop.offer("A")

    bench.run(log="*.xml")

    assert bench.shop.statuses() == {"A": "handed_over"}


@pytest.mark.skipif(sys.platform == "win32", reason="looks processes up as POSIX does")
def test_an_import_that_hangs_is_ended_with_all_it_started(bench: Bench) -> None:
    bench.exact.behaves("hang")
    bench.shop.offer("A")

    outcome = bench.run(time_limit="1s")

    assert outcome.counts == {"offered": 1, "handed_over": 1}
    [(_, message)] = bench.messages()
    assert message.startswith("AsImport did not end within 1 seconds and was stopped")
    pids = [int(pid) for pid in (bench.exact.folder / "hanging.pids").read_text().split()]
    wait_until(lambda: not any(_is_alive(pid) for pid in pids), "both processes are gone")


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_without_the_program_nothing_is_fetched(bench: Bench) -> None:
    bench.shop.offer("A")

    outcome = bench.run(program="/nowhere/AsImport.exe")

    assert outcome.ending == "importer_missing"
    assert "/nowhere/AsImport.exe is not there" in outcome.message
    assert bench.shop.requests == []


def test_a_program_that_cannot_be_started_leaves_the_record_to_the_next_run(bench: Bench) -> None:
    broken = bench.exact.folder / "AsImport"
    broken.write_text("no program")
    broken.chmod(0o755)
    bench.shop.offer("A")

    assert bench.run(program=str(broken)).ending == "importer_missing"
    assert (bench.shop.results, bench.backlog()) == ([], [0, 1, 0])

    assert bench.run().counts == {"imported": 1, "offered": 0}
    assert bench.exact.took() == ["A"]


# --- what the shop does ------------------------------------------------------------------------------------


def test_results_wait_on_disk_while_the_shop_is_away_and_nothing_is_fetched_before_they_are_posted(
    bench: Bench,
) -> None:
    bench.shop.offer("A", "B")
    bench.shop.misbehave = lambda method, path: (503, b"maintenance") if method == "POST" else None

    outcome = bench.run()
    assert (outcome.ending, outcome.message) == ("shop_away", "503 Service Unavailable")
    assert (bench.exact.took(), bench.backlog()) == (["A"], [1, 0, 0])
    bench.run()
    assert (bench.exact.took(), bench.backlog()) == (["A"], [1, 0, 0])

    bench.shop.misbehave = lambda method, path: None
    assert bench.run().ending == "done"
    assert bench.shop.statuses() == {"A": "imported", "B": "imported"}
    assert [request.split("?")[0] for request in bench.shop.requests[-4:]] == [
        "POST /exact/products/results",
        "GET /exact/products",
        "GET /exact/products/1-2",
        "POST /exact/products/results",
    ]


def test_a_shop_that_is_not_there_at_all_is_away(bench: Bench) -> None:
    bench.shop.url = "http://127.0.0.1:9/exact"

    outcome = bench.run()

    assert outcome.ending == "shop_away"
    assert outcome.message.startswith("http://127.0.0.1:9/exact does not answer: ")


def test_results_the_shop_will_never_take_are_put_aside(bench: Bench) -> None:
    bench.shop.offer("A", "B")
    bench.shop.misbehave = lambda method, path: (400, b"{}") if method == "POST" else None

    assert bench.run().ending == "done"
    assert bench.backlog() == [0, 0, 2]


@pytest.mark.parametrize(
    ("status", "body", "ending", "message"),
    [
        (401, b'<Error code="x"><Message>No.</Message><Hint>Set it.</Hint></Error>', "shop_refused",
         "401 Unauthorized, x: No.: Set it."),
        (403, b"", "shop_refused", "403 Forbidden"),
        (302, b"", "shop_refused", "302 Found"),
        (409, b'<Error code="other_channel"><Message>No.</Message></Error>', "shop_refused",
         "409 Conflict, other_channel: No."),
        (409, b'<Error code="flow_disabled"><Message>An switched it off.</Message></Error>', "switched_off",
         "409 Conflict, flow_disabled: An switched it off."),
        (500, b"oops", "shop_away", "500 Internal Server Error"),
        (200, b"<html><body>Welcome</body></html>", "shop_refused", None),
        (200, b"<Index", "shop_away", None),
        (200, b'<!DOCTYPE Index [<!ENTITY a "a">]><Index>&a;</Index>', "shop_away", None),
    ],
)  # fmt: skip
def test_what_the_shop_answers_instead_of_an_index_is_told(
    bench: Bench, status: int, body: bytes, ending: str, message: str | None
) -> None:
    bench.shop.misbehave = lambda method, path: (status, body)

    outcome = bench.run()

    assert outcome.ending == ending
    assert message in (None, outcome.message)


def test_an_index_that_leads_elsewhere_is_not_followed_with_the_token(bench: Bench) -> None:
    elsewhere = b'<Index more="0"><Entry id="1" code="A" version="v" href="http://127.0.0.2/1"/></Index>'
    bench.shop.misbehave = lambda method, path: (200, elsewhere)

    assert bench.run().ending == "shop_refused"
    assert len(bench.shop.requests) == 1


def test_a_record_that_is_no_longer_offered_and_one_the_shop_cannot_make_are_passed_over(
    bench: Bench,
) -> None:
    bench.shop.offer("A", "B", "C")
    answers = {
        "/exact/products/1-1": (409, b'<Error code="blocked"/>'),
        "/exact/products/1-2": (200, b"<eExact><Items>"),
    }
    bench.shop.misbehave = lambda method, path: answers.get(path)

    outcome = bench.run(batch=3)

    assert outcome.counts == {"offered": 3, "not_offered": 1, "broken": 1, "imported": 1}
    assert (outcome.ending, bench.exact.took(), bench.backlog()) == ("done", ["C"], [0, 0, 0])


def test_a_shop_that_can_make_none_of_its_documents_is_away_and_asked_again_later(bench: Bench) -> None:
    bench.shop.offer("A", "B", "C", "D")
    bench.shop.misbehave = lambda method, path: (500, b"") if "1-" in path else None

    assert bench.run().ending == "shop_away"

    bench.shop.misbehave = lambda method, path: None
    assert bench.run().ending == "done"
    assert sorted(bench.exact.took()) == ["A", "B", "C", "D"]


def test_a_result_for_a_version_the_shop_does_not_wait_for_is_noted(bench: Bench) -> None:
    bench.shop.offer("A")

    def resaved(method: str, path: str) -> None:
        if method == "POST" and "1-1" in bench.shop.records:
            bench.shop.records["1-1"].version = "another"

    bench.shop.misbehave = resaved

    assert bench.run().counts == {"offered": 1, "imported": 1, "unknown_to_shop": 1}
    assert bench.backlog() == [0, 0, 0]


def test_a_document_that_did_not_arrive_is_asked_for_again_by_the_same_word(bench: Bench) -> None:
    """An order is given to one reader only: asked for by another word it would be somebody else's."""
    bench.shop.claims = True
    bench.shop.offer("A", "B")

    def lost_on_the_way(method: str, path: str) -> tuple[int, bytes] | None:
        if path.endswith("1-2"):
            bench.shop.records["1-2"].is_leased = True
            bench.shop.records["1-2"].claimed_by = bench.claims()[0]
            return 502, b""
        return None

    bench.shop.misbehave = lost_on_the_way
    assert bench.run(batch=3).ending == "shop_away"
    assert bench.shop.records["1-1"].claimed_by == bench.claims()[0]
    assert re.fullmatch("[0-9a-f]{32}", bench.claims()[0])

    bench.shop.misbehave = lambda method, path: None
    assert bench.run().counts == {"imported": 2, "offered": 0}
    assert (bench.exact.took(), bench.backlog()) == (["A", "B"], [0, 0, 0])


def test_a_record_another_reader_has_is_not_offered(bench: Bench) -> None:
    bench.shop.offer("A", "B")
    answers = {"/exact/products/1-1": (409, b'<Error code="in_flight"/>')}
    bench.shop.misbehave = lambda method, path: answers.get(path)

    assert bench.run().counts == {"offered": 2, "not_offered": 1, "imported": 1}
    assert (bench.exact.took(), bench.backlog()) == (["B"], [0, 0, 0])


def test_every_batch_has_a_word_of_its_own(bench: Bench) -> None:
    bench.shop.offer("A", "B")
    asked: list[str] = []
    bench.shop.misbehave = lambda method, path: asked.extend(bench.claims()) if "1-" in path else None

    bench.run()

    assert len(set(asked)) == 2


# --- stopping ----------------------------------------------------------------------------------------------


def test_a_run_that_is_stopped_ends_after_the_document_at_hand(bench: Bench) -> None:
    bench.shop.offer("A", "B")
    bench.shop.misbehave = lambda method, path: bench.stop.set() if method == "POST" else None

    assert bench.run() == Outcome(
        ending="stopped", message="It was asked to stop.", counts={"offered": 2, "imported": 1}
    )
    assert bench.shop.statuses() == {"A": "imported"}


def test_an_agent_that_must_end_ends_the_import_and_says_that_nobody_knows(bench: Bench) -> None:
    bench.exact.behaves("hang")
    bench.shop.offer("A")
    threading.Timer(0.5, bench.kill.set).start()
    began = time.monotonic()

    bench.run()

    assert time.monotonic() - began < 10
    assert bench.messages()[0][1].startswith("The agent was stopped while AsImport was at work")


# --- what is left on disk ----------------------------------------------------------------------------------


def test_spoilt_files_of_the_work_folder_do_not_stop_it(bench: Bench) -> None:
    bench.folder.prepare()
    work = bench.exact.folder / "work/products"
    (work / "batches/0000000000000001.json").write_text("{")
    (work / "results/0000000000000002.json").write_text('{"results"')
    (work / "results/note.txt").write_text("of a person")
    (work / "documents/x.xml.part").write_text("half")
    bench.shop.offer("A")

    assert bench.run().counts == {"offered": 1, "imported": 1}
    assert bench.backlog() == [0, 0, 1]
    assert not (work / "documents/x.xml.part").exists()


def test_numbers_grow_also_when_the_clock_was_set_back(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = bench.folder
    folder.prepare()
    first = folder.open([])
    monkeypatch.setattr(time, "time_ns", lambda: 1)

    assert folder.open([]).number == first.number + 1
    assert bench.folder.open([]).number == first.number + 2


def test_an_import_that_a_killed_agent_left_at_work_is_waited_for(bench: Bench) -> None:
    """The second agent neither imports beside it nor again, and learns from its log how it ended."""
    bench.exact.behaves("slow", seconds=1.5)
    bench.shop.offer("A", "B")
    if (pid := os.fork()) == 0:
        bench.job().run(bench.stop)
        os._exit(0)
    wait_until(lambda: len(bench.exact.calls()) == 1, "AsImport is at work")
    os.kill(pid, 9)
    os.waitpid(pid, 0)

    waiting = bench.run()
    assert waiting.ending == "import_at_work"

    wait_until(lambda: bench.exact.took() == ["A"], "it ends")
    bench.exact.behaves("succeed")
    wait_until(lambda: bench.run().ending == "done", "the next run does the rest")
    assert bench.exact.took() == ["A", "B"]
    assert bench.shop.statuses() == {"A": "imported", "B": "imported"}


def test_documents_are_merged_in_the_order_their_topics_have() -> None:
    from brekzsync.agent.documents import merged

    orders = b"<eExact><Orders><Order n='1'/></Orders></eExact>"
    both = b"<eExact><Accounts><Account/></Accounts><Orders><Order n='2'/></Orders></eExact>"

    assert merged([orders]) == orders
    assert merged([orders, both]).endswith(
        b'<eExact><Accounts><Account /></Accounts><Orders><Order n="1" /><Order n="2" /></Orders></eExact>'
    )
    assert json.dumps(merged([document_of("€")]).decode()) == json.dumps(document_of("€").decode())


def test_an_account_that_several_orders_bring_is_merged_to_one_as_the_last_has_it() -> None:
    from brekzsync.agent.documents import merged, topics_in

    def order(number: int, *accounts: tuple[str, str]) -> bytes:
        given = "".join(f"<Account code='{code}'><Name>{name}</Name></Account>" for code, name in accounts)
        before = f"<Accounts>{given}</Accounts>" if accounts else ""
        return f"<eExact>{before}<Orders><Order n='{number}'/></Orders></eExact>".encode()

    whole = merged([order(1), order(2, ("W1", "Jan")), order(3, ("W2", "An")), order(4, ("w1 ", "Jan J"))])

    accounts = b'<Account code="w1 "><Name>Jan J</Name></Account><Account code="W2"><Name>An</Name></Account>'
    orders = b'<Order n="1" /><Order n="2" /><Order n="3" /><Order n="4" />'
    assert whole.endswith(
        b"<eExact><Accounts>" + accounts + b"</Accounts><Orders>" + orders + b"</Orders></eExact>"
    )
    assert topics_in(whole, ["Accounts", "Orders"]) == ["Accounts", "Orders"]
