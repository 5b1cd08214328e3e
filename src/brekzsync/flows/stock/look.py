"""The look at everything: which figures of the whole catalogue differ from the ERP's, and what cannot be compared.

It only finds suspects: what it reads is minutes old in the end, so each of them is read again before anything is
written (``repair.py``). So it does not matter in which order the two sides are read here, and a large ERP is read at
the same time as the shop. Both are walked side by side in the order of item codes, sorted by a temporary database
where they are not; memory stays flat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import date
from decimal import Decimal
from itertools import chain
from operator import add
from typing import Any, NamedTuple

from brekzsync.domain.keys import ProductKey
from brekzsync.domain.stock import Census, ErpStockItem, Finding, Parts, quantity_for_shop, why_left_alone
from brekzsync.domain.texts import normalise_code
from brekzsync.flows.scratch import Scratch
from brekzsync.flows.stock.figures import Policy
from brekzsync.flows.stock.ports import Codes, ErpStock, LeftAlone, LevelRow, LevelsAside, ShopStock, Since
from brekzsync.flows.stock.side_by_side import CHUNK, ascending_pages, grouped, of_several, side_by_side

MANY = 50_000
"""Combinations of a shop from which on the ERP is read beside it: a process is started for it."""
_PLAIN = frozenset(
    (True, is_stock, is_exploded, kind)
    for is_stock in (True, None)
    for is_exploded in (False, None)
    for kind in ("S", "B")
)
"""For sale, stocked, exploded and type, of the items that are compared (``why_left_alone``)."""
_NOWHERE: tuple[None] = (None,)


class LookParts(NamedTuple):
    """What a look works with. ``since`` says which orders go to the ERP, None where none do."""

    shop: ShopStock
    erp: ErpStock
    codes: Codes
    policy: Policy
    since: Since | None
    today: date


class Look:
    """One look; ``left_alone`` is told of every item that is not compared, ``advance`` of what was read.

    ``unsettled`` are records that failed or waited the last time: they are suspects whatever they show.
    """

    def __init__(
        self,
        parts: LookParts,
        unsettled: Iterable[ProductKey],
        left_alone: Callable[[LeftAlone], None],
        advance: Callable[[int], None],
    ) -> None:
        self._parts = parts
        self._tell = left_alone
        self._advance = advance
        self._scratch = Scratch()
        self._aside: LevelsAside | None = None
        self._scratch.run(
            "CREATE TABLE unsettled (major INTEGER, minor INTEGER, PRIMARY KEY (major, minor)) WITHOUT ROWID"
        )
        self._scratch.fill("INSERT INTO unsettled VALUES (?, ?)", unsettled)
        places = parts.policy.places
        plain = [one.number == 0 and one.rules.share == 1 and one.rules.negatives == "zero" for one in places]
        self._is_plain = plain == [True]
        self.left = 0
        self.keys_compared = 0
        self.keys_changing = 0

    def close(self) -> None:
        """Drop what was found."""
        if self._aside is not None:
            self._aside.close()
        self._scratch.close()

    def run(self) -> Census:
        """Read both sides and compare them. Raises what reading them raises; nothing is known then."""
        self._read_shop()
        self._read_orders()
        self._read_erp()
        return self._compare()

    def suspects(self) -> Iterator[tuple[str, ProductKey]]:
        """Item code and combination of every figure that differs, by code."""
        for code, major, minor in self._scratch.stream(
            "SELECT code, major, minor FROM suspect ORDER BY code"
        ):
            yield code, (major, minor)

    # --- reading ---------------------------------------------------------------------------------------------

    def _read_shop(self) -> None:
        self._scratch.run(
            "CREATE TABLE shop (code TEXT, major INTEGER, minor INTEGER, is_pack INTEGER, levels)"
        )
        with self._parts.shop.open() as shop:
            packs = shop.pack_conflicts()
            pages = self._shop_pages(shop.levels(unsifted=True), packs)
            self._scratch.fill("INSERT INTO shop VALUES (?, ?, ?, ?, ?)", chain.from_iterable(pages))

    def _shop_pages(
        self, levels: Iterator[tuple[ProductKey, Sequence[int | None]]], packs: set[ProductKey]
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Every combination with its code and what it shows; what has a level and no product is passed over."""
        level_pages = ascending_pages(levels, "shop's stock")
        level_page: Sequence[Any] = next(level_pages, ())
        shown: dict[ProductKey, Sequence[int | None]] = dict(level_page)
        number = 0
        for page in ascending_pages(self._parts.codes.stream(), "catalogue"):
            last = page[-1][0]
            while level_page and level_page[-1][0] < last:
                level_page = next(level_pages, ())
                shown.update(level_page)
            yield self._shop_rows(page, shown, packs)
            if len(shown) > 4 * CHUNK:  # what has a level and is no combination
                shown = {key: own for key, own in shown.items() if key > last}
            self._advance(len(page))
            number += len(page)
            if number >= MANY and self._aside is None:
                self._aside = self._parts.erp.levels_aside(self._parts.today, self._parts.policy.warehouses)

    def _shop_rows(
        self,
        page: Sequence[tuple[ProductKey, str]],
        shown: dict[ProductKey, Sequence[int | None]],
        packs: set[ProductKey],
    ) -> list[tuple[Any, ...]]:
        for key, code in page:
            if not code:
                self._leave(Finding.NO_CODE, "", key)
        own_of = shown.pop
        if len(self._parts.shop.places) == 1:
            found = [(code, *key, 0, own_of(key, _NOWHERE)[0]) for key, code in page if code]
        else:
            found = [(code, *key, 0, _shown(own_of(key, _NOWHERE))) for key, code in page if code]
        if packs:
            found = [
                (code, major, minor, int((major, minor) in packs or (major, -1) in packs), own)
                for code, major, minor, _, own in found
            ]
        return found

    def _read_orders(self) -> None:
        scratch, since = self._scratch, self._parts.since
        scratch.run("CREATE TABLE ordered (reference TEXT, major INTEGER, minor INTEGER, quantity INTEGER)")
        if since is None:
            return
        with self._parts.shop.open() as shop:
            scratch.fill(
                "INSERT INTO ordered VALUES (?, ?, ?, ?)",
                (
                    (normalise_code(line.reference), *line.key, line.quantity)
                    for line in shop.ordered_since(since)
                ),
            )

    def _read_erp(self) -> None:
        """Which references it has before what is to be delivered, and that with what lies there."""
        scratch, parts = self._scratch, self._parts
        scratch.run("CREATE TABLE present (reference TEXT PRIMARY KEY) WITHOUT ROWID")
        if scratch.run("SELECT 1 FROM ordered LIMIT 1"):
            scratch.fill(
                "INSERT OR IGNORE INTO present VALUES (?)", ((one,) for one in parts.erp.references())
            )
        scratch.run(
            "CREATE TABLE unreceived AS SELECT major, minor, SUM(quantity) AS quantity FROM ordered"
            " WHERE reference NOT IN (SELECT reference FROM present) GROUP BY major, minor"
        )
        scratch.run("CREATE INDEX unreceived_key ON unreceived (major, minor)")

    def _erp_levels(self) -> tuple[Iterator[LevelRow], bool]:
        """All levels, and whether in the order of codes."""
        parts = self._parts
        if self._aside is not None:
            return self._aside.rows()
        by_code = parts.erp.levels_by_code(parts.today, parts.policy.warehouses)
        if by_code is not None:
            return by_code, True
        return parts.erp.levels(parts.today, parts.policy.warehouses), False

    def _erp_rows(self, levels: Iterable[LevelRow]) -> Iterator[tuple[Any, ...]]:
        ours = self._parts.policy.of_ours_only
        for row in levels:
            if not ours:
                yield *row[:6], _stored(row[6]), _stored(row[7])
            elif row[4] is not None:
                yield *row[:6], _stored(row[6]), 0
        if ours:
            yield from self._open_sales_of_ours()

    def _open_sales_of_ours(self) -> Iterator[tuple[Any, ...]]:
        """Rows like the others, with nothing but what our own orders still wait for."""
        parts = self._parts
        with parts.shop.open() as shop:
            rows = parts.erp.open_sales_by_order(parts.policy.warehouses)
            while some := [row for row, _ in zip(rows, range(CHUNK), strict=False)]:
                mine = shop.ours({reference for reference, _ in some if reference})
                for reference, sold in some:
                    if reference in mine:
                        yield sold.code, None, None, None, None, sold.warehouse, 0, _stored(sold.quantity)

    # --- comparing -------------------------------------------------------------------------------------------

    def _compare(self) -> Census:
        self._scratch.run("CREATE TABLE suspect (code TEXT, major INTEGER, minor INTEGER)")
        with closing(_Suspects(self._scratch)) as suspects:
            return self._walk(suspects)

    def _walk(self, suspects: _Suspects) -> Census:
        census = Census(0, 0, 0, 0)
        for rows, owners in side_by_side(self._erp_by_code(), self._shop_by_code()):
            if self._is_plain:
                equal = self._plainly_equal(rows, owners)
                self.keys_compared += len(equal)
                census = _added(census, Census(len(equal), len(equal), 0, 0))
                if len(equal) == len(rows) == len(owners):
                    continue
                rows = [row for row in rows if row[0] not in equal]
                owners = [owner for owner in owners if owner[0] not in equal]
            census = _added(census, self._compared(rows, owners, suspects))
        return census

    def _plainly_equal(self, rows: Sequence[tuple[Any, ...]], owners: Sequence[tuple[Any, ...]]) -> set[str]:
        """The codes of which nothing is special and nothing differs: nearly all of a large catalogue. What is not plain
        is looked at in full."""
        margin, equal = self._parts.policy.margin, set()
        owner_of = {owner[0]: owner for owner in owners}
        for row in rows:
            code, _, _, _, _, _, on_hand, open_sales = row
            owner = owner_of.get(code)
            if owner is None or row[1:5] not in _PLAIN:
                continue
            _, _, _, is_pack, shows, unreceived, unsettled = owner
            if on_hand.__class__ is int and open_sales.__class__ is int and not is_pack and unsettled is None:
                wanted = on_hand - open_sales - unreceived - margin
                if shows == (wanted if wanted > 0 else 0):
                    equal.add(code)
        return equal - of_several(rows) - of_several(owners)

    def _compared(
        self, rows: Sequence[tuple[Any, ...]], owners: Sequence[tuple[Any, ...]], suspects: _Suspects
    ) -> Census:
        """Both sides by code, as the merge join of keys elsewhere."""
        erp_items = compared = changing = zero = 0
        shop_groups = grouped(owners)
        mine = next(shop_groups, None)
        for group in grouped(rows):
            code = group[0][0]
            while mine is not None and mine[0][0] < code:
                self._not_in_erp(mine)
                mine = next(shop_groups, None)
            its: Sequence[tuple[Any, ...]] = ()
            if mine is not None and mine[0][0] == code:
                its, mine = mine, next(shop_groups, None)
            figures = self._figures(code, group, its)
            if figures is None:
                continue
            erp_items += 1
            compared += len(figures)
            self.keys_compared += bool(figures)
            differing = [wanted for before, wanted in figures if before != wanted]
            changing += len(differing)
            zero += differing.count(0)
            self.keys_changing += bool(differing)
            if differing or (figures and its[0][6] is not None):
                suspects.add(code, (its[0][1], its[0][2]))
        while mine is not None:
            self._not_in_erp(mine)
            mine = next(shop_groups, None)
        return Census(erp_items, compared, changing, zero)

    def _shop_by_code(self) -> Iterator[tuple[Any, ...]]:
        joined = "shop LEFT JOIN unreceived USING (major, minor) LEFT JOIN unsettled USING (major, minor)"
        more = "COALESCE(quantity, 0), unsettled.major"
        if not any(self._scratch.run(f"SELECT 1 FROM {one} LIMIT 1") for one in ("unreceived", "unsettled")):
            joined, more = "shop", "0, NULL"  # a million look-ups less
        return self._scratch.stream(
            f"SELECT code, shop.major, shop.minor, is_pack, levels, {more} FROM {joined}"
            " ORDER BY code, shop.major, shop.minor"
        )

    def _erp_by_code(self) -> Iterator[tuple[Any, ...]]:
        """As the ERP sorts them, or through the temporary database where it cannot."""
        levels, is_sorted = self._erp_levels()
        if is_sorted and not self._parts.policy.of_ours_only:
            return levels
        self._scratch.run(
            "CREATE TABLE erp (code TEXT, sales, stock, exploded, kind TEXT, warehouse TEXT, on_hand, open_sales)"
        )
        self._scratch.fill("INSERT INTO erp VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._erp_rows(levels))
        return self._scratch.stream("SELECT * FROM erp ORDER BY code, kind IS NULL")

    def _not_in_erp(self, rows: Sequence[tuple[Any, ...]]) -> None:
        for row in rows:
            self._leave(Finding.NOT_IN_ERP, row[0], row[1:3])

    def _figures(
        self, code: str, rows: Sequence[tuple[Any, ...]], owners: Sequence[tuple[Any, ...]]
    ) -> list[tuple[int, int]] | None:
        """What is shown and what may be, at each place; None for an item of the ERP that is no source of stock."""
        if rows[0][4] is None:  # only open orders name it: the ERP has no such item
            self._not_in_erp(owners)
            return None
        reason = why_left_alone(ErpStockItem(code, *rows[0][1:5]))
        if reason is not None:
            for owner in owners:
                self._leave(reason, code, owner[1:3])
            return None
        if not owners:
            self._leave(Finding.NOT_IN_SHOP, code, None)
            return []
        if len(owners) > 1 or owners[0][3]:
            for owner in owners:
                self._leave(Finding.DUPLICATE_CODE if len(owners) > 1 else Finding.PACK, code, owner[1:3])
            return []
        return self._at_places(code, rows, owners[0])

    def _at_places(
        self, code: str, rows: Sequence[tuple[Any, ...]], owner: tuple[Any, ...]
    ) -> list[tuple[int, int]]:
        levels, unreceived = _levels(owner[4]), owner[5]
        policy, figures = self._parts.policy, []
        for place in policy.places:
            on_hand: Decimal | int = 0
            open_sales: Decimal | int = 0
            for row in rows:
                if not place.warehouses or row[5] in place.warehouses:
                    on_hand += _number(row[6])
                    open_sales += _number(row[7])
            parts = Parts(on_hand, open_sales, unreceived, policy.margin)
            wanted = quantity_for_shop(parts, place.rules)
            before = levels[place.number] if place.number < len(levels) else None
            if isinstance(wanted, Finding):
                self._leave(wanted, code, owner[1:3])
            elif before is None and wanted:
                self._leave(Finding.NO_STOCK_ROW, code, owner[1:3])
            else:
                figures.append((before or 0, wanted))
        return figures

    def _leave(self, finding: Finding, code: str, key: ProductKey | None) -> None:
        self.left += 1
        self._tell(LeftAlone(finding, code, key))


class _Suspects:
    """Written in batches: one by one would be one transaction each, while both sides are being read."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._some: list[tuple[Any, ...]] = []

    def add(self, code: str, key: ProductKey) -> None:
        self._some.append((code, *key))
        if len(self._some) >= CHUNK:
            self.close()

    def close(self) -> None:
        self._scratch.fill("INSERT INTO suspect VALUES (?, ?, ?)", self._some)
        self._some.clear()


def _added(one: Census, other: Census) -> Census:
    return Census(*map(add, one, other))


def _shown(levels: Sequence[int | None]) -> Any:
    """In one column; that of one place needs no text."""
    if len(levels) == 1:
        return levels[0]
    return " ".join("-" if level is None else str(level) for level in levels)


def _levels(stored: Any) -> Sequence[int | None]:
    if isinstance(stored, str):
        return [None if one == "-" else int(one) for one in stored.split()]
    return (stored,)


def _stored(quantity: Decimal | int) -> int | str:
    """SQLite has no decimals: what is no whole number is kept as its digits."""
    return quantity if type(quantity) is int else str(quantity)


def _number(stored: Decimal | int | str) -> Decimal | int:
    return stored if type(stored) is int else Decimal(stored)
