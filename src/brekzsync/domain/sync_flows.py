"""The flows there are: one direction of one kind of record each. What lists, switches or reports on them asks here."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class LogType(StrEnum):
    """The kinds of record people look for in the sync logs."""

    INVENTORY = "inventory"
    PRODUCT = "product"
    ORDER = "order"
    REFUND = "refund"
    SHIPMENT = "shipment"


class SyncFlow(NamedTuple):
    """``name`` is what the state keeps and people type, ``command`` what runs it."""

    name: str
    log_type: LogType
    command: str
    label: str


FLOWS = {
    flow.name: flow for flow in (SyncFlow("product", LogType.PRODUCT, "products export", "Products → ERP"),)
}
"""By name, in the order people read them."""

PARTIAL_RUN = " ID..."
"""Ends the recorded command of a run over chosen records: it says nothing of the flow as a whole."""


class FlowSwitch(NamedTuple):
    """That a person switched a flow on or off for one target; one without a switch is on."""

    flow: str
    target: str
    is_enabled: bool
    by_whom: str
    reason: str
    at: datetime
