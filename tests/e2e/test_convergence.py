"""Whatever happens to shop, clock, runs and reader: in the end the ERP has what the shop says.

Each seed is a story of its own: random edits, clock jumps, kinds of runs, a reader that comes at random moments,
runs killed at random steps. What is checked after every run is in ``tests/killable.py``; whenever a run has come
through undisturbed, the ledger is held against a fresh export of the same shop into an empty state.

``BREKZSYNC_SEEDS="7 8"`` tells other stories, or those of a failure again.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from brekzsync.demo.seed import seed_shop
from tests.exports import NOW, Installation, installation
from tests.killable import KILLED, Ended, Key, Stepper, differences, killable, says, stepper
from tests.services.mariadb import MariaDB
from tests.shops import NO_LIMIT, keys_of, special_price

ZONE = ZoneInfo("Europe/Amsterdam")
CONFLICTS = {"duplicate_item_code", "item_code_changed"}
STEPS = 350  # of the longest runs; a number beyond a run's last step lets it come through
Row = tuple[Any, ...]


class Shop:
    """The demo shop in the hands of careless people."""

    def __init__(self, path: Path, chance: random.Random) -> None:
        seed_shop(path, NOW)
        self._path = path
        self._chance = chance
        self._fresh = 10_000

    def edit(self, now: datetime) -> str:
        """One random edit; what it was."""
        edits: list[Callable[[sqlite3.Connection, datetime], None]] = [
            getattr(self, name) for name in sorted(vars(Shop)) if name.startswith("_edit_")
        ]
        edit = self._chance.choice(edits)
        with closing(sqlite3.connect(self._path)) as shop, shop:
            edit(shop, now)
        return edit.__name__.removeprefix("_edit_")

    def back_up(self) -> None:
        """Keep the shop as it is."""
        shutil.copy(self._path, self._path.with_suffix(".backup"))

    def restore(self) -> None:
        """Make it what it was: whatever was delivered of it since is delivered once more, as it was before."""
        shutil.copy(self._path.with_suffix(".backup"), self._path)

    def keys(self) -> list[Key]:
        """Every combination there is."""
        return list(keys_of(self._path))

    def reference(self, key: Key) -> str:
        """A combination's own reference, else its product's."""
        with closing(sqlite3.connect(self._path)) as shop:
            rows = shop.execute(
                "SELECT reference FROM ps_product_attribute WHERE id_product_attribute = ?"
                " UNION ALL SELECT reference FROM ps_product WHERE id_product = ?",
                (key[1], key[0]),
            )
            return next((text for (text,) in rows if (text or "").strip()), "")

    def settle_conflict(self, key: Key) -> None:
        """Give a combination a code that nobody else has or had."""
        table, column, number = "ps_product", "id_product", key[0]
        if key[1]:
            table, column, number = "ps_product_attribute", "id_product_attribute", key[1]
        with closing(sqlite3.connect(self._path)) as shop, shop:
            shop.execute(
                f"UPDATE {table} SET reference = ? WHERE {column} = ?", (f"S-{self._next()}", number)
            )

    def _next(self) -> int:
        self._fresh += 1
        return self._fresh

    def _one(self, shop: sqlite3.Connection, query: str) -> Row:
        rows = shop.execute(query).fetchall()
        return self._chance.choice(rows) if rows else (None,) * 3

    def _product(self, shop: sqlite3.Connection) -> int:
        number: int = self._one(shop, "SELECT id_product FROM ps_product ORDER BY id_product")[0]
        return number

    def _combination(self, shop: sqlite3.Connection) -> tuple[int, int]:
        found = self._one(
            shop, "SELECT id_product, id_product_attribute FROM ps_product_attribute ORDER BY 2"
        )
        return found[0], found[1]

    def _code(self, shop: sqlite3.Connection) -> str:
        """Somebody else's reference more often than not, an empty one, a new one."""
        taken = self._one(
            shop,
            "SELECT reference FROM ps_product_attribute UNION SELECT reference FROM ps_product ORDER BY 1",
        )[0]
        code: str = self._chance.choice([taken, taken, f" {str(taken).lower()}", "", f"N-{self._next()}"])
        return code

    # --- what people do -----------------------------------------------------------------------------------

    def _edit_price(self, shop: sqlite3.Connection, _now: datetime) -> None:
        price = self._chance.choice(["0.000000", "12.345650", f"{self._chance.randrange(1, 90)}.990000"])
        shop.execute(
            "UPDATE ps_product_shop SET price = ? WHERE id_product = ?", (price, self._product(shop))
        )

    def _edit_impact(self, shop: sqlite3.Connection, _now: datetime) -> None:
        _, number = self._combination(shop)
        impact = f"{self._chance.randrange(-3, 9)}.500000"
        shop.execute(
            "UPDATE ps_product_attribute_shop SET price = ? WHERE id_product_attribute = ?", (impact, number)
        )

    def _edit_ean(self, shop: sqlite3.Connection, _now: datetime) -> None:
        ean = self._chance.choice(["", f"29{self._chance.randrange(10**10):010}"])
        shop.execute("UPDATE ps_product SET ean13 = ? WHERE id_product = ?", (ean, self._product(shop)))
        _, number = self._combination(shop)
        shop.execute(
            "UPDATE ps_product_attribute SET ean13 = ? WHERE id_product_attribute = ?", (ean, number)
        )

    def _edit_reference(self, shop: sqlite3.Connection, _now: datetime) -> None:
        code, (_, number) = self._code(shop), self._combination(shop)
        shop.execute(
            "UPDATE ps_product_attribute SET reference = ? WHERE id_product_attribute = ?", (code, number)
        )

    def _edit_product_reference(self, shop: sqlite3.Connection, _now: datetime) -> None:
        shop.execute(
            "UPDATE ps_product SET reference = ? WHERE id_product = ?",
            (self._code(shop), self._product(shop)),
        )

    def _edit_name(self, shop: sqlite3.Connection, _now: datetime) -> None:
        name = self._chance.choice(
            ["", "Mand\x01 & <bak>", "Zitzak " * 12, f"Kussen {self._next()}", "犬の家"]
        )
        shop.execute("UPDATE ps_product_lang SET name = ? WHERE id_product = ?", (name, self._product(shop)))

    def _edit_brand(self, shop: sqlite3.Connection, _now: datetime) -> None:
        number, name = self._chance.randrange(5), f"Merk {self._next()}"
        shop.execute("UPDATE ps_manufacturer SET name = ? WHERE id_manufacturer = ?", (name, number))

    def _edit_brand_of_product(self, shop: sqlite3.Connection, _now: datetime) -> None:
        number = self._chance.randrange(5)
        product = self._product(shop)
        shop.execute("UPDATE ps_product SET id_manufacturer = ? WHERE id_product = ?", (number, product))

    def _edit_category(self, shop: sqlite3.Connection, _now: datetime) -> None:
        number = self._one(shop, "SELECT DISTINCT id_category FROM ps_category_lang ORDER BY 1")[0]
        name = f"Groep {self._next()}"
        shop.execute("UPDATE ps_category_lang SET name = ? WHERE id_category = ?", (name, number))

    def _edit_category_of_product(self, shop: sqlite3.Connection, _now: datetime) -> None:
        number = self._one(shop, "SELECT DISTINCT id_category FROM ps_category_lang ORDER BY 1")[0]
        product = self._product(shop)
        shop.execute(
            "UPDATE ps_product_shop SET id_category_default = ? WHERE id_product = ?", (number, product)
        )

    def _edit_tax(self, shop: sqlite3.Connection, _now: datetime) -> None:
        number, rate = (
            self._one(shop, "SELECT id_tax FROM ps_tax ORDER BY 1")[0],
            self._chance.choice(["9", "13", "21"]),
        )
        shop.execute("UPDATE ps_tax SET rate = ? WHERE id_tax = ?", (f"{rate}.000", number))

    def _edit_tax_of_product(self, shop: sqlite3.Connection, _now: datetime) -> None:
        group, product = self._chance.randrange(4), self._product(shop)
        shop.execute(
            "UPDATE ps_product_shop SET id_tax_rules_group = ? WHERE id_product = ?", (group, product)
        )

    def _edit_cover(self, shop: sqlite3.Connection, _now: datetime) -> None:
        image, product, _ = self._one(shop, "SELECT id_image, id_product, 0 FROM ps_image ORDER BY 1")
        shop.execute("UPDATE ps_image_shop SET cover = NULL WHERE id_product = ? AND id_shop = 1", (product,))
        shop.execute("UPDATE ps_image_shop SET cover = 1 WHERE id_image = ? AND id_shop = 1", (image,))

    def _edit_image_of_combination(self, shop: sqlite3.Connection, _now: datetime) -> None:
        image, product, _ = self._one(shop, "SELECT id_image, id_product, 0 FROM ps_image ORDER BY 1")
        of = f"SELECT id_product_attribute FROM ps_product_attribute WHERE id_product = {product} ORDER BY 1"
        if (number := self._one(shop, of)[0]) is not None:
            shop.execute("INSERT OR IGNORE INTO ps_product_attribute_image VALUES (?, ?)", (number, image))

    def _edit_special_price(self, shop: sqlite3.Connection, now: datetime) -> None:
        product, number = self._combination(shop)
        local = now.astimezone(ZONE)
        limits = [
            NO_LIMIT,
            NO_LIMIT,
            *(
                f"{local + timedelta(hours=self._chance.randrange(-60, 60)):%Y-%m-%d %H:%M:%S}"
                for _ in range(2)
            ),
        ]
        first, last = self._chance.sample(limits, 2)
        reduction = f"0.{self._chance.randrange(1, 9)}00000"
        columns = {"from": first, "to": last, "reduction": reduction}
        if self._chance.random() < 0.5:
            columns["id_product_attribute"] = number
        shop.execute(*special_price(self._next(), product, **columns))

    def _edit_no_special_price(self, shop: sqlite3.Connection, _now: datetime) -> None:
        number = self._one(shop, "SELECT id_specific_price FROM ps_specific_price ORDER BY 1")[0]
        shop.execute("DELETE FROM ps_specific_price WHERE id_specific_price = ?", (number,))

    def _edit_activity(self, shop: sqlite3.Connection, _now: datetime) -> None:
        active, product = self._chance.choice([0, 1, 1]), self._product(shop)
        shop.execute("UPDATE ps_product_shop SET active = ? WHERE id_product = ?", (active, product))

    def _edit_draft(self, shop: sqlite3.Connection, _now: datetime) -> None:
        state, product = self._chance.choice([0, 1, 1]), self._product(shop)
        shop.execute("UPDATE ps_product SET state = ? WHERE id_product = ?", (state, product))

    def _edit_weight(self, shop: sqlite3.Connection, _now: datetime) -> None:
        weight, product = f"0.{self._chance.randrange(10)}00000", self._product(shop)
        shop.execute("UPDATE ps_product SET weight = ? WHERE id_product = ?", (weight, product))

    def _edit_saved_again(self, shop: sqlite3.Connection, now: datetime) -> None:
        saved = f"{now.astimezone(ZONE):%Y-%m-%d %H:%M:%S}"
        shop.execute("UPDATE ps_product SET date_upd = ? WHERE id_product = ?", (saved, self._product(shop)))

    def _edit_deleted_product(self, shop: sqlite3.Connection, _now: datetime) -> None:
        if shop.execute("SELECT COUNT(*) FROM ps_product").fetchone()[0] < 12:
            return
        product = self._product(shop)
        for table in ("ps_product", "ps_product_shop", "ps_product_lang", "ps_product_attribute"):
            shop.execute(f"DELETE FROM {table} WHERE id_product = ?", (product,))

    def _edit_deleted_combination(self, shop: sqlite3.Connection, _now: datetime) -> None:
        _, number = self._combination(shop)
        for table in ("ps_product_attribute", "ps_product_attribute_shop"):
            shop.execute(f"DELETE FROM {table} WHERE id_product_attribute = ?", (number,))

    def _edit_recreated_combination(self, shop: sqlite3.Connection, _now: datetime) -> None:
        _, old = self._combination(shop)
        new = self._next()
        tables = ("ps_product_attribute", "ps_product_attribute_shop", "ps_product_attribute_combination")
        for table in tables:
            shop.execute(
                f"UPDATE {table} SET id_product_attribute = ? WHERE id_product_attribute = ?", (new, old)
            )

    def _edit_new_combination(self, shop: sqlite3.Connection, _now: datetime) -> None:
        """Of a product that may have been a simple one."""
        product, number = self._product(shop), self._next()
        shop.execute(
            "INSERT INTO ps_product_attribute (id_product_attribute, id_product, reference, ean13)"
            " VALUES (?, ?, ?, '')",
            (number, product, self._code(shop)),
        )
        shop.execute(
            "INSERT INTO ps_product_attribute_shop (id_product, id_product_attribute, id_shop, price, weight)"
            " VALUES (?, ?, 1, '1.000000', '0.000000')",
            (product, number),
        )

    def _edit_new_product(self, shop: sqlite3.Connection, _now: datetime) -> None:
        number, code = self._next(), self._code(shop)
        shop.execute(
            "INSERT INTO ps_product (id_product, id_manufacturer, reference, ean13, weight, state, date_upd)"
            " VALUES (?, 1, ?, '', '0', 1, '2026-11-20 10:00:00')",
            (number, code),
        )
        shop.execute(
            "INSERT INTO ps_product_shop (id_product, id_shop, id_category_default, id_tax_rules_group, price,"
            " active, date_upd) VALUES (?, 1, 10, 1, '9.990000', 1, '2026-11-20 10:00:00')",
            (number,),
        )
        shop.execute(
            "INSERT INTO ps_product_lang (id_product, id_shop, id_lang, name) VALUES (?, 1, 1, ?)",
            (number, f"Nieuw {number}"),
        )

    def _edit_pack(self, shop: sqlite3.Connection, _now: datetime) -> None:
        pack, (product, number) = self._product(shop), self._combination(shop)
        shop.execute(
            "INSERT OR IGNORE INTO ps_pack VALUES (?, ?, ?)",
            (pack, product, self._chance.choice([0, number])),
        )

    def _edit_no_pack(self, shop: sqlite3.Connection, _now: datetime) -> None:
        pack = self._one(shop, "SELECT id_product_pack FROM ps_pack ORDER BY 1")[0]
        shop.execute("DELETE FROM ps_pack WHERE id_product_pack = ?", (pack,))


class Story:
    """One seed's events. ``export`` and its like say what they do, so that a failure reads as a story."""

    def __init__(
        self, folder: Path, shared: Path, steps: Stepper, seed: int, state: str | None = None
    ) -> None:
        self.chance = random.Random(seed)
        self.now = NOW
        self.told = [f"seed {seed}"]
        self._folder, self._shared, self._steps = folder, shared, steps
        folder.mkdir()
        self.shop = Shop(folder / "shop.db", self.chance)
        self.subject = killable(self._installation(folder, state), steps)
        self._fresh_exports = 0

    def _installation(self, folder: Path, state: str | None = None) -> Installation:
        database = f"sqlite:///{self._folder / 'shop.db'}"
        made = installation(folder, self._shared, database, item_code="reference")
        if state:
            made.set("state", database=state)
        return made

    def live(self) -> None:
        """Something happens in the shop, or to brekzsync's state, or to the clock."""
        what = self.chance.random()
        if what < 0.75:
            self.told.append(self.shop.edit(self.now))
        elif what < 0.85:
            self._exclude_or_include()
        elif what < 0.95:
            self._force()
        else:
            self.now += timedelta(minutes=self.chance.choice([5, 90, 1500, 20_000, -60, -2000]))
            self.told.append(f"it is {self.now:%F %T}")

    def _exclude_or_include(self) -> None:
        if not self.subject.runs_known:
            return
        major, minor = self.chance.choice(self.shop.keys())
        number = self.chance.choice([None, minor, minor])
        with self.subject.state() as state:
            if self.chance.random() < 0.5:
                state.exclusions.add(
                    major, number, reference=self.shop.reference((major, minor)), at=self.now
                )
                self.told.append(f"excluded {major}-{number}")
            else:
                state.exclusions.end([one.id for one in state.exclusions.all().all()[:2]])
                self.told.append("included two again")

    def _force(self) -> None:
        if not self.subject.runs_known:
            return
        keys = [*self.shop.keys(), (4711, 0)]
        chosen = self.chance.sample(keys, self.chance.randrange(1, 4))
        with self.subject.state() as state:
            state.ledger("product", "exact").request_force(chosen, at=self.now)
        self.told.append(f"forced {chosen}")

    def disturb(self) -> Ended:
        """A run of any kind, that may be killed, with a reader about."""
        chance = self.chance
        words = list(chance.choice([(), (), ("--bulk",), ("--full",), ("--full", "--bulk")]))
        if chance.random() < 0.3:
            words += ["--limit", str(chance.randrange(12))]
        if chance.random() < 0.2:
            keys = chance.sample(self.shop.keys(), 3)
            words += [chance.choice([f"{key[0]}", f"{key[0]}-{key[1]}"]) for key in keys]
        most = chance.choice([20, 60, STEPS])
        kill = chance.randrange(1, most) if chance.random() < 0.6 else None
        kill_writer = chance.randrange(1, 60) if "--bulk" in words and chance.random() < 0.4 else None
        visits = {chance.randrange(1, most): chance.choice([1, 5, 999]) for _ in range(chance.randrange(3))}
        drift = chance.choice([0, 0, 0.7, 3600, -3600])
        self.told.append(
            f"{words} killed at {kill}, writer at {kill_writer}, read at {visits}, drift {drift}"
        )
        ended = self.subject.export(
            *words,
            at=self.now,
            kill=kill,
            kill_writer=kill_writer,
            visits=visits,
            batch=chance.choice([3, 7, 1000]),
            drift=drift,
        )
        self.told.append(f"  → {ended.code} {dict(ended.document.get('counts', {}))}")
        assert ended.code in (0, 3, KILLED) or ended.document["error"]["code"] == "writer_vanished", ended
        if chance.random() < 0.5:
            self.subject.read(chance.choice([1, 7, 999]))
        return ended

    def come_to_rest(self) -> dict[Key, str]:
        """Undisturbed runs until nothing is left; the ledger is what the shop says. Gives what fails, and why."""
        words = self.chance.choice([(), ("--bulk",)])
        # A forced item lets go of its code; whoever waits for that code gets it in the run after.
        for _ in range(4):
            ended = self.subject.export(*words, at=self.now)
            assert ended.finished, ended
            if not ended.delivered:
                break
        assert not ended.delivered, "a run with nothing changed exports again and again"
        self.told.append("at rest")
        return self._assert_as_the_shop_says()

    def _assert_as_the_shop_says(self) -> dict[Key, str]:
        expected, refused = self._fresh()
        rows = self.subject.ledger()
        assert {key for key, row in rows.items() if row.item} <= set(expected) | set(refused)
        failing = {key: str(row.reason) for key, row in rows.items() if row.status == "failed"}
        # A force of what may not go waits for the day it may.
        waiting = {key for key, row in rows.items() if row.status == "pending"}
        assert not waiting & {*expected, *refused}
        assert not any(rows[key].item for key in waiting)
        kept = [row.item.code.upper() for key, row in rows.items() if row.item]
        for key, reason in refused.items():
            in_sync = key in rows and rows[key].status == "synced"
            assert failing.get(key) == reason or reason in CONFLICTS, (key, reason)
            assert not in_sync or reason in CONFLICTS
        for key, item in expected.items():
            if failing.get(key) in CONFLICTS:
                held = rows[key].item
                assert item.code.upper() in kept or (held and held.code.upper() != item.code.upper()), key
            else:
                assert (rows[key].status, rows[key].item) == ("synced", item)
        return failing

    def _fresh(self) -> tuple[dict[Key, Any], dict[Key, str]]:
        """The same shop exported into an empty state: its items, and why there is none of some."""
        self._fresh_exports += 1
        folder = self._folder / f"fresh-{self._fresh_exports}"
        folder.mkdir()
        fresh = killable(self._installation(folder), self._steps)
        with self.subject.state() as state:
            exclusions = state.exclusions.all()
        with fresh.state(create=True) as state:
            state.exclusions.record(exclusions.all())
        assert fresh.export(at=self.now).finished
        rows = fresh.ledger()
        return fresh.items(), {key: str(row.reason) for key, row in rows.items() if row.status == "failed"}

    def end(self) -> None:
        """People settle every conflict of codes; then the ledger and the ERP are exactly what the shop says."""
        for _ in range(3):
            failing = self.come_to_rest() | self._fresh()[1]
            conflicts = [key for key, reason in failing.items() if reason in CONFLICTS]
            for key in conflicts:
                self.shop.settle_conflict(key)
            with self.subject.state() as state:
                state.ledger("product", "exact").request_force(conflicts, at=self.now)
            self.told.append(f"settled {conflicts}")
            if not conflicts:
                break
        assert not conflicts
        expected, refused = self._fresh()
        assert differences(self.subject.items(), expected) == []
        rows = self.subject.ledger().items()
        assert {key: row.reason for key, row in rows if row.status == "failed"} == refused
        self.subject.read()
        for key, item in expected.items():
            has = self.subject.erp[key]
            # What a run showed and did not live to acknowledge is delivered again, unless the shop went back to
            # what was acknowledged before (tests/integration/test_kill_matrix.py shows it).
            assert says(has.document, item) or has.number in self.subject.cut_off, (key, item, has)


def tell(story: Story, chapters: int) -> None:
    """All of one story."""
    try:
        for _ in range(chapters):
            story.shop.back_up()
            for _ in range(story.chance.randrange(12)):
                story.live()
            story.disturb()
            if story.chance.random() < 0.2:
                story.shop.restore()
                story.told.append("restored the shop of before")
            if story.chance.random() < 0.25:
                story.come_to_rest()
        story.end()
    except BaseException as error:
        error.add_note("\n".join(story.told))
        raise


@pytest.fixture(scope="module")
def steps() -> Iterator[Stepper]:
    with stepper() as started:
        yield started


def seeds(*own: int) -> list[int]:
    """Those of the environment, else our own."""
    return [int(text) for text in os.environ.get("BREKZSYNC_SEEDS", "").split()] or list(own)


@pytest.mark.parametrize("seed", seeds(1, 2))
def test_the_ledger_and_the_erp_come_to_what_the_shop_says(
    tmp_path: Path, shared: Path, steps: Stepper, seed: int
) -> None:
    tell(Story(tmp_path / "story", shared, steps, seed), chapters=10)


@pytest.mark.long
@pytest.mark.parametrize("seed", seeds(3, 4, *range(100, 106)))
def test_the_ledger_and_the_erp_come_to_what_the_shop_says_in_long_stories(
    tmp_path: Path, shared: Path, steps: Stepper, seed: int
) -> None:
    tell(Story(tmp_path / "story", shared, steps, seed), chapters=40)


@pytest.mark.long
@pytest.mark.parametrize("seed", seeds(200))
def test_it_does_so_with_a_state_in_mariadb(
    tmp_path: Path, shared: Path, steps: Stepper, mariadb: MariaDB, seed: int
) -> None:
    mariadb.create_database("brekzsync")
    state = mariadb.url("brekzsync")
    tell(Story(tmp_path / "story", shared, steps, seed, state), chapters=20)
