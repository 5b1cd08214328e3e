"""Whatever happens on the way, and in whatever order: Exact has each order once, or a reason is on record.

A story is what people, the shop, Exact's reader, the ERP's server and the power supply do around the runs. Told by
hypothesis, it keeps to what these can do: nobody says of an order what is not so, and Exact's reader imports within
``[orders] result_timeout`` what it has taken, or never.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from brekzsync.demo.folder import make_demo
from brekzsync.errors import Unavailable
from brekzsync.flows.orders.kinds import KINDS, Kind
from brekzsync.state.claims import Claim
from tests.exports import NOW
from tests.mortal import mortal
from tests.selling import FAILING, Selling, selling

TIMEOUT = timedelta(hours=1)
QUICK = [Phase.explicit, Phase.generate]  # a story takes a while: making it shorter is a person's work
SEEN = [61, 64, 65, 69, 70, 71]  # what happens, happens to these; the others come along
FLOWS = {"order": "orders", "refund": "refunds"}


class Taken(NamedTuple):
    """A document the reader holds and has not imported."""

    flow: str
    claim: Claim | None
    content: bytes
    at: datetime


class Story:
    """One installation and what happens to it; each method is something that happens."""

    def __init__(self, shop: Selling) -> None:
        self.shop = shop
        self.hand: list[Taken] = []
        self.imported: set[tuple[str, int]] = set()  # documents that were, and still lie there
        self.claims: list[tuple[str, Claim]] = []

    # --- runs --------------------------------------------------------------------------------------------

    def export(self, flow: str, limit: int | None, ends_at: int | None) -> None:
        with mortal(ends_at), suppress(Unavailable):  # a first run while the ERP is away
            self.shop.export(kind=KINDS[flow], limit=limit)

    def look(self, flow: str, ends_at: int | None) -> None:
        if self._has_state():
            with mortal(ends_at):
                self.shop.look(kind=KINDS[flow])

    # --- Exact's reader ----------------------------------------------------------------------------------

    def take(self, flow: str, most: int) -> None:
        claims = self._remember(flow)
        for id_ in self._fresh(flow)[:most]:
            (content,) = self.shop.take(id_, noun=FLOWS[flow])
            assert id_ in claims, "a document could be seen that nobody had claimed"
            self.hand.append(Taken(flow, claims[id_], content, self.shop.now))

    def import_one(self, which: int) -> None:
        if self.hand:
            self.shop.import_(self.hand.pop(which % len(self.hand)).content)

    def refuse_one(self, which: int) -> None:
        if self.hand:
            taken = self.hand.pop(which % len(self.hand))
            if taken.claim is not None:
                self.shop.post(taken.claim, "Exact said no", kind=KINDS[taken.flow])

    def lose_what_it_took(self) -> None:
        self.hand.clear()

    def die_before_deleting(self, flow: str) -> None:
        """Imported, and still there when the reader comes back; it knows what it imported."""
        for id_ in self._fresh(flow)[:1]:
            path = self._path(flow, id_)
            self.shop.import_(path.read_bytes())
            self.imported.add((str(path), path.stat().st_ino))

    def delete_what_was_imported(self) -> None:
        for name, inode in self.imported:
            if os.path.exists(name) and os.stat(name).st_ino == inode:
                os.unlink(name)
        self.imported.clear()

    # --- the ERP, results, people ------------------------------------------------------------------------

    def erp(self, is_away: bool) -> None:
        self.shop.erp_is_away = is_away

    def report_imported(self, which: int) -> None:
        """A result of now or of long ago, once more or for the first time."""
        known = [(flow, claim) for flow, claim in self.claims if _reference(claim) in self._in_exact(flow)]
        if known and self._has_state():
            flow, claim = known[which % len(known)]
            self.shop.post(claim, kind=KINDS[flow])

    def decide(self, flow: str, which: int) -> None:
        """A person looked into Exact, and at the reader."""
        claims = self._remember(flow)
        if not claims:
            return
        id_ = sorted(claims)[which % len(claims)]
        kind: Kind[Any] = KINDS[flow]
        if _reference(claims[id_]) in self._in_exact(flow):
            self.shop.settle(id_, as_="sent", kind=kind)
        elif not self._is_underway(flow, id_):
            self.shop.settle(id_, as_="resend", kind=kind)

    def wait(self, minutes: int) -> None:
        self.shop.after(minutes=minutes)
        self.hand = [one for one in self.hand if self.shop.now - one.at < TIMEOUT]

    def lose_state(self) -> None:
        """Nothing may be half way into Exact, and it must answer, for nothing else knows what it has."""
        self.hand.clear()
        self.shop.erp_is_away = False
        self.shop.lose_state()
        self.claims.clear()
        for flow in FLOWS:
            self.export(flow, None, None)

    # --- the shop ----------------------------------------------------------------------------------------

    def state(self, id_order: int, state: int) -> None:
        self.shop.state_of_order(id_order, state)

    def change(self, id_order: int) -> None:
        self.shop.move(id_order)

    # --- what must hold ----------------------------------------------------------------------------------

    def check(self) -> None:
        twice = {name: times for name, times in self.shop.in_exact().items() if times > 1}
        assert twice == {}, "Exact has an order twice"
        if not self._has_state():
            return
        for flow in FLOWS:
            with self.shop.state() as state:
                rows = [row for row in state.ledger(flow, "exact").rows() if row.fingerprint is not None]
                entries = state.ledger(flow, "exact").rows_for([row.key for row in rows])
            lacking = {row.key_major for row in entries} - {
                row.key_major for row in entries if row.code in self._in_exact(flow)
            }
            assert lacking == set(), "acknowledged, and Exact has not got it"
            self._remember(flow)

    def end_well(self) -> None:
        """Everything works again for a while."""
        self.erp(is_away=False)
        for _ in range(4):
            self.delete_what_was_imported()
            for flow in FLOWS:
                self.take(flow, 1000)
            while self.hand:
                self.import_one(0)
            for flow in FLOWS:
                self.export(flow, None, None)
                self.check()
            self.wait(25 * 60)
            if not (self.shop.claims() or self.shop.claims("refund")):
                break
        self._check_all_told()

    def _check_all_told(self) -> None:
        with self.shop.flow() as flow, flow.open_shop() as shop:
            due = list(flow.kind.due_ids(shop, 0))
        told = dict(zip(due, self.shop.told(*due), strict=True))
        waiting = {id_ for id_, (status, _, _) in told.items() if status == "pending"}
        assert waiting == set(), "nothing is in the way of these"
        assert {id_ for id_, (status, _, _) in told.items() if status == "failed"} <= set(FAILING)
        assert self.shop.lying() == self.shop.lying("refunds") == []
        refunds = self.shop.told(1, 2, 3, 4, 5, flow="refund")
        left = {reason for status, reason, _ in refunds if status != "synced"}
        assert left <= {"order_not_in_erp"}

    # --- what is there -----------------------------------------------------------------------------------

    def _has_state(self) -> bool:
        return (self.shop.folder / "state.db").exists()

    def _path(self, flow: str, id_: int) -> Path:
        return self.shop.folder / f"outbox/{FLOWS[flow]}/{id_}.xml"

    def _fresh(self, flow: str) -> list[int]:
        """What lies there and was not imported yet."""
        lying = [(id_, self._path(flow, id_)) for id_ in self.shop.lying(FLOWS[flow])]
        return [id_ for id_, path in lying if (str(path), path.stat().st_ino) not in self.imported]

    def _is_underway(self, flow: str, id_: int) -> bool:
        held = any(one.flow == flow and one.claim and one.claim.key_major == id_ for one in self.hand)
        return (
            held
            or self._path(flow, id_).exists()
            or self._path(flow, id_).with_name(f".{id_}.xml.part").exists()
        )

    def _in_exact(self, _flow: str) -> set[str]:
        return {reference.upper() for reference in self.shop.in_exact()}

    def _remember(self, flow: str) -> dict[int, Claim]:
        if not self._has_state():
            return {}
        claims = self.shop.claims(flow)
        known = {claim for _, claim in self.claims}
        self.claims += [(flow, claim) for claim in claims.values() if claim not in known]
        return claims


def _reference(claim: Claim) -> str:
    return claim.code or ""


flows = st.sampled_from(list(FLOWS))
which = st.integers(0, 20)
ends = st.one_of(st.none(), st.none(), st.integers(1, 70))
Event = Callable[[Story], None]


def event(name: str, *arguments: Any) -> Any:
    return st.tuples(st.just(name), *arguments)


exporting = event("export", flows, st.sampled_from([None, None, None, 0, 2]), ends)
EVENTS = st.one_of(
    exporting,
    exporting,
    exporting,
    event("look", flows, ends),
    event("take", flows, st.sampled_from([1, 3, 100])),
    event("take", st.just("order"), st.just(100)),
    event("import_one", which),
    event("import_one", which),
    event("refuse_one", which),
    event("lose_what_it_took"),
    event("die_before_deleting", flows),
    event("delete_what_was_imported"),
    event("erp", st.booleans()),
    event("report_imported", which),
    event("decide", flows, which),
    event("wait", st.sampled_from([5, 40, 70, 1500])),
    event("lose_state"),
    event("state", st.sampled_from(SEEN), st.sampled_from([2, 6])),
    event("change", st.sampled_from(SEEN)),
)


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("untouched") / "demo"
    make_demo(folder, NOW)
    return folder


def tell(events: list[tuple[Any, ...]], folder: Path, untouched: Path) -> None:
    """Let it all happen, then let everything work again."""
    story = Story(selling(folder / "demo", untouched))
    for name, *arguments in events:
        getattr(story, name)(*arguments)
        story.check()
    story.end_well()


@example(events=[("erp", True), ("export", "order", None, None), ("erp", False)])
@given(events=st.lists(EVENTS, max_size=14))
@settings(max_examples=int(os.environ.get("STORIES", "8")), phases=QUICK)
def test_each_order_ends_in_exact_once_or_with_a_reason(
    untouched: Path, tmp_path_factory: pytest.TempPathFactory, events: list[tuple[Any, ...]]
) -> None:
    tell(events, tmp_path_factory.mktemp("story"), untouched)


@pytest.mark.long
@given(events=st.lists(EVENTS, min_size=8, max_size=40))
@settings(max_examples=300, phases=QUICK)
def test_long_stories_end_as_well(
    untouched: Path, tmp_path_factory: pytest.TempPathFactory, events: list[tuple[Any, ...]]
) -> None:
    tell(events, tmp_path_factory.mktemp("story"), untouched)
