"""Writes order states and tracking numbers, through the webservice only: PrestaShop's own work hangs on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from time import sleep
from typing import Final, NamedTuple

from brekzsync.errors import RecordError, Unavailable
from brekzsync.prestashop.webservice import Doubt, Refused, Unclear, Webservice

_TRACKING = re.compile(r"[~:#,%&_=()\[\].? +\-@/a-zA-Z0-9]{1,64}", re.ASCII)  # OrderCarrier's own rule
_REASON: Final = "webservice_refused"
_ATTEMPTS: Final = 2
_LOOKS: Final = 3
PAUSE: Final = 1.0  # seconds before each look at what a broken request has done


class OrderCarrier(NamedTuple):
    """How an order, or a part of it, was sent; ``number`` is its tracking number, empty when there is none."""

    id_order_carrier: int
    number: str


class OrderWriter:
    """Orders of any shop.

    Methods raise RecordError (``webservice_refused``) with the shop's words when it will not do this one, Unavailable
    when it does not answer or, after looks, nobody can tell whether it did this one, and AccessDenied and
    ConfigurationError when no order can be written.
    """

    def __init__(self, webservice: Webservice, *, pause: float = PAUSE) -> None:
        self._webservice = webservice
        self._pause = pause

    def close(self) -> None:
        """Close the connection to the shop."""
        self._webservice.close()

    def state_of(self, id_order: int) -> int:
        """The order's state now (``id_order_state``)."""
        try:
            return int(self._webservice.row("orders", id_order)["current_state"])
        except Refused as refused:
            if refused.status == 404:
                raise RecordError(_REASON, f"The shop has no order {id_order}.") from None
            raise _refused(f"The shop does not tell of order {id_order}", refused.words) from None

    def set_state(self, id_order: int, id_state: int, send_email: bool = False) -> None:
        """Give the order a state, and its customer the state's mail where ``send_email``.

        Not for an order that is in that state: PrestaShop would write it down once more (W10d). When this returns
        the state is there; a mail that could not be sent is no failure (X13e).
        """
        row = {"id_order": str(id_order), "id_order_state": str(id_state)}
        parameters = {"sendemail": "1"} if send_email else {}
        self._clearly(
            f"set order {id_order} to state {id_state}",
            lambda: self._webservice.create("order_histories", row, parameters),
            lambda: self.state_of(id_order) == id_state,
        )

    def tracking(self, id_order: int) -> list[OrderCarrier]:
        """The order's carriers, oldest first; usually one."""
        try:
            rows = self._webservice.rows("order_carriers", {"id_order": id_order})
        except Refused as refused:
            raise _refused(f"The shop does not tell how order {id_order} was sent", refused.words) from None
        return sorted(OrderCarrier(int(row["id"]), row.get("tracking_number", "")) for row in rows)

    def set_tracking(self, id_order_carrier: int, number: str) -> None:
        """Give a row of ``tracking`` this number, whatever stands there. Safe to repeat."""
        if not _TRACKING.fullmatch(number):
            raise RecordError(
                _REASON,
                f"The shop takes no tracking number such as {number[:80]!r}: 1 to 64 letters, digits and common"
                " signs. Correct it in Exact.",
            )
        self._clearly(
            f"take the tracking number {number}",
            lambda: self._replace_number(id_order_carrier, number),
            lambda: self._carrier(id_order_carrier)["tracking_number"] == number,
        )

    def _replace_number(self, id_order_carrier: int, number: str) -> None:
        """Everything is sent back as it was read: PUT resets what is left out, ``date_add`` to now."""
        row = {**self._carrier(id_order_carrier), "tracking_number": number}
        self._webservice.replace("order_carriers", row)

    def _carrier(self, id_order_carrier: int) -> Mapping[str, str]:
        try:
            return self._webservice.row("order_carriers", id_order_carrier)
        except Refused as refused:
            what = f"The shop does not tell of order carrier {id_order_carrier}"
            raise _refused(what, refused.words) from None

    def _clearly(self, what: str, write: Callable[[], object], is_done: Callable[[], bool]) -> None:
        """Write, and look whenever it is not clear what came of it; what a connection lost is sent once more."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                write()
            except Refused as refused:
                raise _refused(f"The shop did not {what}", refused.words) from None
            except Unclear as unclear:
                if self._turns_out(is_done, unclear.doubt):
                    return
                if unclear.doubt is Doubt.FAILED:
                    raise _refused(f"The shop did not {what}", unclear.words) from None
                # After a timeout the shop may still be at it: another request would do it twice.
                if unclear.doubt is Doubt.TIMED_OUT or attempt == _ATTEMPTS:
                    raise Unavailable(
                        f"It is not clear whether the shop did {what}: {unclear.words}.",
                        hint="The next run looks again before it does anything.",
                        code="webservice_unclear",
                    ) from None
            else:
                return

    def _turns_out(self, is_done: Callable[[], bool], doubt: Doubt) -> bool:
        """Whether it was done after all; where the shop may be at it still, after a while."""
        if doubt is Doubt.FAILED:
            return is_done()
        for _ in range(_LOOKS):
            sleep(self._pause)
            if is_done():
                return True
        return False


def _refused(what: str, words: str) -> RecordError:
    return RecordError(_REASON, f"{what}: {words}.")
