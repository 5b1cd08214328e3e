"""The ERP as the flows of orders ask it: an answer, or the knowledge that there is none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic
from typing import Protocol, TypeVar

from brekzsync.domain.erp_orders import ErpOrder
from brekzsync.domain.texts import normalise_code
from brekzsync.errors import BrekzsyncError

Answer = TypeVar("Answer")


class ErpOrders(Protocol):
    """The ERP's sales orders."""

    def by_docnumber(self, references: Collection[str]) -> Mapping[str, Sequence[ErpOrder]]: ...


class ErpItems(Protocol):
    """The ERP's items."""

    def some(self, codes: Collection[str]) -> Mapping[str, object]:
        """By normalised code."""


class AskedErp:
    """Asks until it fails once: an ERP that is away is not waited for again and again within a run.

    ``failed_at`` is by the monotonic clock.
    """

    def __init__(self, orders: ErpOrders | None, items: ErpItems | None) -> None:
        self._orders = orders
        self._items = items
        self.is_configured = orders is not None
        self.trouble = "" if orders else "no ERP is configured ([erp] database)"
        self.failed_at: float | None = None

    @classmethod
    def away(cls, error: BrekzsyncError) -> AskedErp:
        """One that did not let us in; it is not asked anything."""
        erp = cls(None, None)
        erp.is_configured = True
        erp._note(error)
        return erp

    def orders(self, references: Collection[str]) -> Mapping[str, Sequence[ErpOrder]] | None:
        """The sales orders with these references; None when it cannot be asked."""
        asked = self._orders
        return None if asked is None else self._answer(lambda: asked.by_docnumber(references))

    def lacking(self, codes: Collection[str]) -> set[str] | None:
        """Which of these item codes it does not have, as given; None when it cannot be asked."""
        asked = self._items
        found = None if asked is None else self._answer(lambda: asked.some(codes))
        return None if found is None else {code for code in codes if normalise_code(code) not in found}

    def _answer(self, ask: Callable[[], Answer]) -> Answer | None:
        if self.trouble:
            return None
        try:
            return ask()
        except BrekzsyncError as error:
            self._note(error)
            return None

    def _note(self, error: BrekzsyncError) -> None:
        self.trouble, self.failed_at = error.message.rstrip("."), monotonic()
