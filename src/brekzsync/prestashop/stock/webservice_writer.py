"""Writes stock through the shop's webservice, so that PrestaShop's hooks run; one row, one request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import groupby
from threading import Event
from time import sleep
from typing import Final

from brekzsync.domain.shop_stock import Change, Outcome, Place, Written
from brekzsync.errors import BrekzsyncError, Unavailable
from brekzsync.prestashop.webservice import PARALLEL, Doubt, Refused, Unclear, Webservice
from brekzsync.prestashop.webservice_xml import Row

PAUSE: Final = 1.0  # seconds before the look at what a broken request has done
_OTHER_SHOP = {90, 131}  # how PUT refuses a row that is not of the request's shop (W9)
_MOST_TROUBLE: Final = 25  # unclear or broken answers in a row: the shop is ill, and each costs it time
_REFUSED, _UNCLEAR = "webservice_refused", "webservice_unclear"


class WebserviceStockWriter:
    """A StockWriter. ``places`` are those that changes index.

    A row is read right before it is written, and must hold what the change expects. The webservice knows no
    conditional write: a sale within the milliseconds between is overwritten, and the next sweep takes it off again.
    """

    def __init__(self, webservice: Webservice, places: Sequence[Place], *, pause: float = PAUSE) -> None:
        self._webservice = webservice
        self._places = places
        self._pause = pause

    def close(self) -> None:
        """Close the connection to the shop."""
        self._webservice.close()

    def write(self, changes: Sequence[Change]) -> Iterator[Written]:
        """In no order, each as soon as its product is done; what was begun is told of even when it raises."""
        stop, stopped_by = Event(), None
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="webservice") as pool:
            tasks = [pool.submit(self._of_product, own, stop) for own in _by_product(changes)]
            trouble = 0
            try:
                for task in as_completed(tasks):
                    done, error = task.result()
                    stopped_by = stopped_by or error
                    for written in done:
                        trouble = trouble + 1 if written.reason == _UNCLEAR else 0
                        yield written
                    if trouble >= _MOST_TROUBLE and not stopped_by:
                        stopped_by = _ill(trouble, done[-1].message)
                    if stopped_by:
                        stop.set()
            finally:
                stop.set()
        if stopped_by:
            raise stopped_by

    def _of_product(
        self, changes: Sequence[Change], stop: Event
    ) -> tuple[list[Written], BrekzsyncError | None]:
        """One after another: two at a time would each sum up a total without the other's figure."""
        done: list[Written] = []
        for change in changes:
            if stop.is_set():
                break
            try:
                done.append(self._written(change))
            except Refused as refused:
                done.append(_failed(change, f"The shop refused it: {refused.words}.", refused.status))
            except BrekzsyncError as error:
                stop.set()
                return done, error
        return done, None

    def _written(self, change: Change) -> Written:
        row = self._row(change)
        if row is None:
            return Written(
                change,
                Outcome.FAILED,
                "no_stock_row",
                "The shop has no such stock row: save the product once in its back office.",
            )
        if row["id"] != str(change.id_stock_available) or _quantity(row) != change.before:
            return Written(change, Outcome.MOVED)
        if row.get("depends_on_stock") == "1":
            message = "The shop takes the quantity from its own warehouses (advanced stock management)."
            return Written(change, Outcome.FAILED, "depends_on_stock", message)
        try:
            self._put(row, change)
        except Unclear as unclear:
            return self._looked_up(change, row, unclear)
        return self._verified(change)

    def _looked_up(self, change: Change, row: Row, unclear: Unclear) -> Written:
        """What came of a request that broke; one that a connection lost is sent once more, if it was not received."""
        if unclear.doubt is not Doubt.FAILED:
            sleep(self._pause)
        seen = self._verified(change)
        if seen.outcome is not Outcome.FAILED:
            return seen
        if unclear.doubt is Doubt.LOST:
            try:
                self._put(row, change)
            except Unclear as again:
                unclear = again
                seen = self._verified(change)
            else:
                return self._verified(change)
        if seen.outcome is not Outcome.FAILED:
            return seen
        message = f"The shop did not take {change.after}: {unclear.words}. The next sweep tries again."
        return Written(change, Outcome.FAILED, _UNCLEAR, message)

    def _verified(self, change: Change) -> Written:
        """What stands there now: FAILED when the old figure does, MOVED when somebody sold or set it since."""
        row = self._row(change)
        quantity = None if row is None else _quantity(row)
        if quantity == change.after:
            return Written(change, Outcome.WRITTEN)
        if quantity == change.before:
            message = (
                f"The shop still holds {change.before} though it was told {change.after}: look for a module."
            )
            return Written(change, Outcome.FAILED, _REFUSED, message)
        return Written(change, Outcome.MOVED)

    def _row(self, change: Change) -> Row | None:
        """The row of the change's combination and place; it has another id when it was made anew."""
        id_product, id_product_attribute = change.key
        place = self._places[change.place]
        rows = self._webservice.rows(
            "stock_availables", {"id_product": id_product, "id_product_attribute": id_product_attribute}
        )
        of_place = {"id_shop": str(place.id_shop), "id_shop_group": str(place.id_shop_group)}
        return next((row for row in rows if of_place.items() <= row.items()), None)

    def _put(self, row: Row, change: Change) -> None:
        """The row as it was read, with its new quantity: PUT resets what is left out."""
        contexts = _contexts(self._places[change.place])
        for nth, context in enumerate(contexts, start=1):
            try:
                self._webservice.replace("stock_availables", {**row, "quantity": str(change.after)}, context)
                return
            except Refused as refused:
                if nth == len(contexts) or not refused.codes & _OTHER_SHOP:
                    raise


def _contexts(place: Place) -> list[Mapping[str, str]]:
    """A shop's row is written in that shop (W9), a shared one without (W12), else in its own group."""
    if place.id_shop:
        return [{"id_shop": str(place.id_shop)}]
    return [{}, {"id_group_shop": str(place.id_shop_group)}]


def _by_product(changes: Sequence[Change]) -> list[list[Change]]:
    ordered = sorted(changes, key=lambda change: change.key)
    return [list(own) for _, own in groupby(ordered, key=lambda change: change.key[0])]


def _quantity(row: Row) -> int | None:
    try:
        return int(row["quantity"])
    except (KeyError, ValueError):
        return None


def _failed(change: Change, message: str, status: int) -> Written:
    return Written(change, Outcome.FAILED, _UNCLEAR if status >= 500 else _REFUSED, message)


def _ill(trouble: int, last: str) -> Unavailable:
    return Unavailable(
        f"The shop's webservice failed {trouble} times in a row. {last}",
        hint="Look into the shop's log; run the same command again when it works: it does what is left.",
    )
