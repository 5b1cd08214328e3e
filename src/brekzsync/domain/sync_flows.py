"""The flows there are: one direction of one kind of record each. What lists, switches or reports on them asks here."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from brekzsync.domain.keys import ProductKey, format_key


class LogType(StrEnum):
    """The kinds of record people look for in the sync logs."""

    INVENTORY = "inventory"
    PRODUCT = "product"
    ORDER = "order"
    REFUND = "refund"
    SHIPMENT = "shipment"


class SyncFlow(NamedTuple):
    """``name`` is what the state keeps and people type, ``command`` what runs it, ``done`` what became of a record.

    Without combinations a key is one number for people, and the second one inside is 0. One that may be left
    unused is missed by nobody before its first run. ``own_target`` is where it goes whatever targets are configured;
    of such a flow only runs of ``command`` itself say that it works, those of others look what became of records.
    """

    name: str
    log_type: LogType
    command: str
    label: str
    has_combinations: bool = False
    may_be_unused: bool = False
    done: str = "exported"
    own_target: str = ""


FLOWS = {
    flow.name: flow
    for flow in (
        SyncFlow("product", LogType.PRODUCT, "products export", "Products → ERP", has_combinations=True),
        SyncFlow("order", LogType.ORDER, "orders export", "Orders → ERP", may_be_unused=True),
        SyncFlow("refund", LogType.REFUND, "refunds export", "Refunds → ERP", may_be_unused=True),
        SyncFlow(
            "stock",
            LogType.INVENTORY,
            "stock sweep",
            "Stock → shop",
            has_combinations=True,
            may_be_unused=True,
            done="written",
        ),
        SyncFlow(
            "shipment",
            LogType.SHIPMENT,
            "shipments import",
            "Shipments → shop",
            may_be_unused=True,
            done="imported",
        ),
        SyncFlow(
            "order_status",
            LogType.ORDER,
            "orders push-status",
            "Order statuses → marketplace",
            may_be_unused=True,
            done="told",
            own_target="shoppingfeed",
        ),
    )
}
"""By name, in the order people read them."""

PARTIAL_RUN = " ID..."
"""Ends the recorded command of a run over chosen records: it says nothing of the flow as a whole."""


def show_key(flow: str, key: ProductKey) -> str:
    """A record's key as people write it: ``12-34`` of a product, ``12`` of an order."""
    known = FLOWS.get(flow)
    return format_key(key) if known is not None and known.has_combinations else str(key[0])


class FlowSwitch(NamedTuple):
    """That a person switched a flow on or off for one target; one without a switch is on."""

    flow: str
    target: str
    is_enabled: bool
    by_whom: str
    reason: str
    at: datetime
