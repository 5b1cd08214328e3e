"""Documents of many go round the catalogue: each goes on where the one before ended, and nothing is passed over."""

from __future__ import annotations

from tests.serving import Serving
from tests.web.conftest import Served, raise_price


def test_small_documents_hold_everything_once(service: Serving) -> None:
    codes = [entry["code"] for entry in service.index()]

    fetched = []
    while some := service.bulk("?limit=3"):
        assert len(some) <= 3
        fetched += [document.code for document in some]

    assert sorted(fetched) == sorted(codes)
    assert service.index() == []


def test_what_changes_behind_is_in_the_document_in_which_the_round_ends(
    served: Served, service: Serving
) -> None:
    everything = service.index()
    (first,) = service.bulk("?limit=1")
    assert first.code == everything[0]["code"]
    raise_price(served, everything[0]["id"])
    product = everything[0]["id"].split("-")[0]
    again = [one["code"] for one in everything if one["id"].split("-")[0] == product]

    rest = service.bulk()

    codes = [document.code for document in rest]
    assert codes[-1] == first.code
    assert sorted(codes) == sorted([one["code"] for one in everything])
    assert set(again) <= set(codes)
    assert service.bulk() == []


def test_a_look_at_the_next_document_does_not_go_on(service: Serving) -> None:
    service.bulk("?limit=2")
    look = service.bulk("?limit=2&preview=1")
    assert service.bulk("?limit=2&preview=1") == look
    assert service.bulk("?limit=2") == look


def test_a_round_is_one_run_that_counts_both_its_parts(served: Served, service: Serving) -> None:
    count = len(service.index())
    service.bulk("?limit=2")

    assert len(service.bulk()) == count - 2

    with served.installation.state() as state:
        latest = state.runs.latest("product", "exact")
    assert latest is not None
    assert latest.counts["delivered"] == count - 2
    assert latest.counts["pending"] == count - 2 + latest.reasons["in_flight"] + latest.counts["failed"]
    assert latest.reasons["in_flight"] == 2
