"""A client that fetches orders and refunds as Exact's side would, over a demo."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
from lxml import etree

from tests.exports import Installation
from tests.selling import FAILING, FIRST_SENT, IN_EXACT, Selling
from tests.serving import Serving

DUE = [*IN_EXACT, *FIRST_SENT, *FAILING]


class Kept(Installation):
    """An installation whose configuration lies there."""

    @property
    def config(self) -> Path:
        return self.folder / "brekzsync.toml"


def ids(service: Serving, query: str = "", of: str = "orders") -> list[int]:
    """What the index lists."""
    return [int(entry["id"]) for entry in service.index(query, of)]


def fetch(service: Serving, id_: int, query: str = "", *, by: str = "", of: str = "orders") -> Any:
    """The document of one record, valid against Exact's schema."""
    answer = service.get(f"{of}/{id_}{query}", headers={"X-Claim": by} if by else {})
    assert answer.status_code == 200, answer.text
    return service.validated(answer.content)


def refused(answer: httpx2.Response) -> tuple[int, str]:
    """The status and the code of an XML error."""
    root = etree.fromstring(answer.content)
    assert root.tag == "Error"
    assert root.findtext("Message")
    return answer.status_code, root.get("code", "")


def refusal(service: Serving, id_: int, *, by: str = "", of: str = "orders") -> tuple[int, str]:
    return refused(service.get(f"{of}/{id_}", headers={"X-Claim": by} if by else {}))


def references(root: Any) -> list[str]:
    return [one.findtext("YourRef") for one in root.iterfind("Orders/Order")]


def accounts(root: Any) -> list[str]:
    return [one.get("code") for one in root.iterfind("Accounts/Account")]


def outcome(told: dict[str, Any]) -> list[str]:
    return [one["outcome"] for one in told["results"]]


def leases_end(shop: Selling) -> None:
    """Time passes until the absence of everything claimed counts."""
    with closing(sqlite3.connect(shop.folder / "state.db")) as state, state:
        state.execute("UPDATE served SET lease_until = 1 WHERE rejected_at IS NULL")


def time_left(shop: Selling, id_: int) -> timedelta:
    claim = shop.claims()[id_]
    return claim.lease_until - claim.served_at
