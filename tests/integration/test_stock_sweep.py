"""Stock as ``stock sweep``, ``diff`` and ``update`` keep it: both sides real, sentence by sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from brekzsync.domain.stock import Finding, Parts
from brekzsync.errors import BrekzsyncError, GuardStopped, InvalidInput, LockHeld
from brekzsync.flows.stock.run import StockOutcome
from tests.demos import Program
from tests.exports import NOW, Said
from tests.services.prestashop import PrestaShopDatabase
from tests.stock_runs import Stock
from tests.stock_world import World, code_of


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """An embedded world where ten of everything lie there and are shown."""
    with World.embedded(tmp_path_factory.mktemp("untouched"), NOW, products=3, combinations=2) as world:
        _stocked(world)
        world.dispose()
        yield world


@pytest.fixture
def small(tmp_path: Path, untouched: World) -> Iterator[Stock]:
    """A copy of it."""
    with untouched.copied(tmp_path) as world:
        yield Stock(world)


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def stock(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stock]:
    """The same on each backend."""
    if request.param == "sqlite":
        yield request.getfixturevalue("small")
        return
    genuine: PrestaShopDatabase = request.getfixturevalue("prestashop")
    with World.genuine(tmp_path, genuine, NOW) as world:
        yield _stocked(world)


def _stocked(world: World) -> Stock:
    for key in world.keys:
        world.receive(code_of(key), 10)
        world.show(key, 10)
    made = Stock(world)
    made.begin_orders()
    world.now += timedelta(minutes=1)
    return made


def counts(outcome: StockOutcome) -> tuple[int, ...]:
    """read, eligible, pending, delivered, unchanged, skipped, failed"""
    return tuple(outcome.tally.counts().values())


def changes(outcome: StockOutcome) -> list[tuple[str, int | None, object]]:
    return [(one.code, one.before, one.wanted) for one in outcome.differences]


# --- what is compared ---------------------------------------------------------------------------------------


def test_a_sweep_writes_what_differs_and_nothing_else(stock: Stock) -> None:
    world = stock.world
    first, second, *_, last = world.keys
    world.receive(code_of(first), 5)
    world.show(second, 12)
    world.receive(code_of(last), -10)
    many = len(world.keys)

    outcome = stock.sweep()

    assert counts(outcome) == (many, many, 3, 3, many - 3, 0, 0)
    assert changes(outcome) == [
        (code_of(last), 10, 0),
        (code_of(first), 10, 15),
        (code_of(second), 12, 10),
    ]
    assert world.all_shown() == world.all_settled()
    again = stock.sweep()
    assert (counts(again), changes(again)) == ((many, many, 0, 0, many, 0, 0), [])


def test_totals_are_the_sum_of_their_combinations_afterwards(small: Stock) -> None:
    world = small.world
    composite = [key for key in world.keys if key[1]]
    world.receive(code_of(composite[0]), 7)

    small.sweep()

    shown = world.all_shown()
    assert world.totals() == {
        product: sum(quantity for key, quantity in shown.items() if key[0] == product)
        for product in {key[0] for key in composite}
    }


def test_a_dry_run_shows_the_same_and_writes_nothing(small: Stock) -> None:
    world = small.world
    world.receive(code_of(world.keys[0]), 5)
    before = world.all_shown()

    dry = small.sweep(dry_run=True)
    after = world.all_shown()
    real = small.sweep()

    assert after == before
    assert (counts(dry), changes(dry)) == (counts(real), changes(real))


def test_an_item_that_never_moved_has_nothing(small: Stock) -> None:
    world = small.world
    key = world.keys[0]
    world.erp_sql("DELETE FROM gbkmut WHERE artcode = ?", code_of(key))

    outcome = small.sweep()

    assert changes(outcome) == [(code_of(key), 10, 0)]
    assert world.shown(key) == 0


def test_movements_of_tomorrow_and_of_other_accounts_do_not_count(small: Stock) -> None:
    world = small.world
    code = code_of(world.keys[0])
    world.receive(code, 50, days=1)
    for kind, account in (("B", "     3000"), ("N", "     7000"), ("V", "     3000")):
        world.erp_sql(
            "INSERT INTO gbkmut (artcode, aantal, warehouse, datum, reknr, transtype)"
            " VALUES (?, 9, '1', '2026-01-01', ?, ?)",
            code,
            account,
            kind,
        )

    assert changes(small.sweep()) == []
    world.now += timedelta(days=1)
    assert changes(small.sweep()) == [(code, 10, 60)]


# --- what is sold -------------------------------------------------------------------------------------------


def test_an_order_counts_once_wherever_it_is(stock: Stock) -> None:
    """From the sale to the delivery note, cleared away or not, the figure stays what the sale made it."""
    world = stock.world
    key = world.keys[0]
    sale = world.sell({key: 3})

    def nothing_differs() -> None:
        assert (world.shown(key), counts(stock.sweep())[2]) == (7, 0)

    nothing_differs()
    world.pay(sale)
    nothing_differs()
    world.now += timedelta(minutes=1)
    assert stock.export_orders().tally.delivered == 1
    nothing_differs()
    taken = world.take()
    nothing_differs()
    assert world.import_(taken) == ["Created"]
    nothing_differs()
    world.deliver(sale, {key: 1})
    nothing_differs()
    world.deliver(sale)
    nothing_differs()
    world.archive(sale)
    nothing_differs()
    assert world.free(key) == 7


def test_an_unpaid_order_counts_and_a_dead_one_does_not(small: Stock) -> None:
    world = small.world
    unpaid, dead, error = world.keys[:3]
    world.sell({unpaid: 2})
    world.cancel(world.sell({dead: 2}))
    world.sell({error: 2}, state=8)  # [orders] dead_states; PrestaShop takes nothing off for such an order
    for key in (unpaid, dead, error):
        world.show(key, 1)

    small.sweep()

    assert [world.shown(key) for key in (unpaid, dead, error)] == [8, 10, 10]


def test_what_the_ledger_says_of_an_order_does_not_count(small: Stock) -> None:
    """Taken as delivered by a baseline, it still has not reached the ERP."""
    world = small.world
    key = world.keys[0]
    world.pay(world.sell({key: 4}))
    with small.state() as state:
        ledger = state.ledger("order", "exact")
        assert not list(ledger.rows_for([(101, 0)]))
    small.export_orders()

    world.show(key, 10)
    small.sweep()

    assert world.shown(key) == 6


def test_orders_from_before_the_orders_flow_began_do_not_count(small: Stock) -> None:
    world = small.world
    old, new = world.keys[:2]
    world.now -= timedelta(hours=4)
    world.sell({old: 3})
    world.now += timedelta(hours=4, minutes=1)
    world.sell({new: 3})

    small.sweep()

    assert (world.shown(old), world.shown(new)) == (10, 7)


def test_without_the_orders_flow_nothing_is_unreceived(small: Stock) -> None:
    world = small.world
    key = world.keys[0]
    world.sell({key: 3})
    with small.state() as state:
        state.switches.set("order", ["exact"], enabled=False, at=world.now)

    small.sweep()

    assert world.shown(key) == 10


def test_reserved_quantities_are_not_taken_off_again(small: Stock) -> None:
    world = small.world
    world.shop_sql("UPDATE ps_stock_available SET reserved_quantity = 5, physical_quantity = 15")

    assert changes(small.sweep()) == []


def test_orders_that_come_by_telephone_count_as_sellable_and_not_as_on_hand(small: Stock) -> None:
    world = small.world
    key, other = world.keys[:2]
    world.phone(code_of(key), 4)
    sale = world.sell({other: 2})
    world.enter(sale)

    small.written = 'write_via = "database"\nquantity = "on_hand"'
    assert changes(small.sweep()) == []
    small.written = 'write_via = "database"\nquantity = "sellable"'
    assert changes(small.sweep()) == [(code_of(key), 10, 6)]


# --- figures ------------------------------------------------------------------------------------------------


def test_margin_and_share_are_taken_off_and_parts_of_a_piece_cut(small: Stock) -> None:
    world = small.world
    small.written = 'write_via = "database"\nshops = { NL = { share = "50%" } }'
    small.more = ""
    world.receive(code_of(world.keys[0]), 1)

    outcome = small.sweep()

    assert world.shown(world.keys[0]) == 5
    assert {figure.wanted for figure in outcome.differences} == {5}


@pytest.mark.parametrize(
    ("fractions", "shown"),
    [("floor", 10), ("half_up", 11), ("refuse", 10)],
    ids=["floor", "half up", "refuse"],
)
def test_parts_of_a_piece(small: Stock, fractions: str, shown: int) -> None:
    world = small.world
    key = world.keys[0]
    world.erp_sql("UPDATE gbkmut SET aantal = 10.5 WHERE artcode = ?", code_of(key))
    small.written = f'write_via = "database"\nfractions = "{fractions}"'

    outcome = small.sweep()

    assert world.shown(key) == shown
    assert outcome.findings == (Counter({Finding.FRACTION: 1}) if fractions == "refuse" else Counter())


@pytest.mark.parametrize(("negatives", "shown"), [("zero", 0), ("keep", -2)])
def test_more_sold_than_there_is(small: Stock, negatives: str, shown: int) -> None:
    world = small.world
    key = world.keys[0]
    world.phone(code_of(key), 12)
    small.written = f'write_via = "database"\nnegatives = "{negatives}"'

    small.sweep()

    assert world.shown(key) == shown


def test_only_the_warehouses_that_feed_a_shop_count(small: Stock) -> None:
    world = small.world
    key = world.keys[0]
    world.receive(code_of(key), 5, warehouse="2")
    small.written = 'write_via = "database"\nshops = { NL = { warehouses = ["1"] } }'
    assert changes(small.sweep()) == []
    small.written = 'write_via = "database"\nshops = { NL = { warehouses = ["2", "1"] } }'
    assert changes(small.sweep()) == [(code_of(key), 10, 15)]


def test_each_shop_is_fed_from_its_own_warehouses(small: Stock) -> None:
    world = small.world
    key = world.keys[0]
    for one in world.keys:
        world.add_stock_row(one, 0, (2, 0))
    world.receive(code_of(key), 7, warehouse="2")
    small.written = (
        'write_via = "database"\nshops = { NL = { warehouses = ["1"] }, BE = { warehouses = ["2"] } }'
    )

    outcome = small.sweep()

    assert changes(outcome) == [(code_of(key), 0, 7)]
    world.place = (2, 0)
    assert (world.shown(key), world.totals()[key[0]]) == (7, 7)
    world.receive(code_of(key), 1, warehouse="2")
    world.receive(code_of(key), 1, warehouse="1")
    small.sweep(only="NL")
    assert world.shown(key) == 7
    world.place = (1, 0)
    assert world.shown(key) == 11


def test_a_group_that_shares_has_one_stock(small: Stock) -> None:
    world = small.world
    key = world.keys[0]
    ((group,),) = world.shop_sql("SELECT id_shop_group FROM ps_shop WHERE id_shop = 1")
    world.shop_sql("UPDATE ps_shop_group SET share_stock = 1 WHERE id_shop_group = :id", id=group)
    for one in world.keys:
        world.show(one, 0)
        world.add_stock_row(one, 10, (0, group))
    world.receive(code_of(key), 2)

    assert changes(small.sweep()) == [(code_of(key), 10, 12)]

    assert set(world.all_shown().values()) == {0}, "the rows of the shop itself"
    world.place = (0, group)
    assert world.shown(key) == 12


def test_negative_quantities_of_the_shop_are_figures_like_others(small: Stock) -> None:
    key = small.world.keys[0]
    small.world.show(key, -3)

    assert changes(small.sweep()) == [(code_of(key), -3, 10)]


# --- what is left alone -------------------------------------------------------------------------------------


def test_what_cannot_be_compared_is_counted_listed_and_never_written(small: Stock) -> None:
    world = small.world
    keys = dict(zip("abcdef", world.keys, strict=True))
    codes = {name: code_of(key) for name, key in keys.items()}
    world.erp_sql("DELETE FROM Items WHERE ItemCode = ?", codes["a"])
    world.erp_sql("UPDATE Items SET IsStockItem = 0 WHERE ItemCode = ?", codes["b"])
    world.erp_sql("UPDATE Items SET Type = 'P' WHERE ItemCode = ?", codes["c"])
    world.erp_sql("UPDATE Items SET IsSalesItem = 0 WHERE ItemCode = ?", codes["d"])
    world.shop_sql(
        "UPDATE ps_stock_available SET depends_on_stock = 1 WHERE id_product_attribute = :e", e=keys["e"][1]
    )
    world.shop_sql("DELETE FROM ps_stock_available WHERE id_product_attribute = :f", f=keys["f"][1])
    world.add_item("ONLY-IN-ERP")
    world.add_item("NOT-SOLD", IsSalesItem=0)
    for key in list(keys.values())[:5]:
        world.show(key, 1)

    left = small.left_alone()
    outcome = small.sweep()

    expected = {
        (Finding.NOT_IN_ERP, codes["a"], keys["a"]),
        (Finding.NOT_A_STOCK_ITEM, codes["b"], keys["b"]),
        (Finding.KIT, codes["c"], keys["c"]),
        (Finding.NOT_FOR_SALE, codes["d"], keys["d"]),
        (Finding.DEPENDS_ON_STOCK, codes["e"], keys["e"]),
        (Finding.NO_STOCK_ROW, codes["f"], keys["f"]),
        (Finding.NOT_IN_SHOP, "ONLY-IN-ERP", None),
    }
    assert set(left) == expected
    assert set(outcome.left) == expected
    assert outcome.findings == Counter(one[0] for one in expected)
    assert outcome.tally.delivered == 0
    assert set(world.all_shown().values()) == {1}


def test_two_products_of_one_code_are_left_alone(small: Stock) -> None:
    world = small.world
    one, other = world.keys[:2]
    world.shop_sql("UPDATE ps_product_attribute SET reference = 'SAME'")
    world.add_item("SAME")
    world.receive("SAME", 3)
    world.item_code = "reference"

    assert small.sweep().findings[Finding.DUPLICATE_CODE] == len(world.keys)
    assert {world.shown(one), world.shown(other)} == {10}


def test_packs_that_the_shop_computes_are_left_alone_with_their_components(small: Stock) -> None:
    world = small.world
    pack, component, *_ = sorted({key[0] for key in world.keys})
    world.shop_sql(
        "INSERT INTO ps_pack (id_product_pack, id_product_item, id_product_attribute_item)"
        " VALUES (:pack, :item, 0)",
        pack=pack,
        item=component,
    )
    for kind, expected in ((1, 4), (2, 4), (0, 0)):
        world.shop_sql(
            "UPDATE ps_product SET pack_stock_type = :kind WHERE id_product = :id", kind=kind, id=pack
        )
        world.shop_sql(
            "UPDATE ps_product_shop SET pack_stock_type = :kind WHERE id_product = :id", kind=kind, id=pack
        )
        assert small.sweep(dry_run=True).findings.get(Finding.PACK, 0) == expected, kind


def test_orphan_rows_and_rows_of_other_shops_are_not_looked_at(stock: Stock) -> None:
    world = stock.world
    world.add_stock_row((9_999, 0), 5)
    world.add_stock_row((9_998, 9_997), 5)
    world.add_stock_row(world.keys[0], 3, (7, 0))

    outcome = stock.sweep()

    assert (counts(outcome)[0], outcome.findings, changes(outcome)) == (len(world.keys), Counter(), [])


# --- the guard ----------------------------------------------------------------------------------------------


def test_too_much_change_stops_before_the_first_write(small: Stock) -> None:
    world = small.world
    for key in world.keys[: len(world.keys) // 2]:
        world.receive(code_of(key), 1)
    before = world.all_shown()

    with pytest.raises(GuardStopped, match="30 %"):
        small.sweep(max_change="0.3")
    assert world.all_shown() == before
    with small.state() as state:
        latest = state.runs.latest("stock", "exact")
    assert latest is not None
    assert (latest.status, latest.error_code) == ("failed", "guard_stopped")

    small.sweep(max_change="0.3", force=True)
    assert world.all_shown() == world.all_settled()


def test_exactly_so_much_change_is_let_through(small: Stock) -> None:
    world = small.world
    for key in world.keys[:3]:
        world.receive(code_of(key), 1)

    assert small.sweep(max_change="0.5").tally.delivered == 3


def test_an_erp_that_gives_little_stops_it(small: Stock) -> None:
    world = small.world
    small.sweep()
    for key in world.keys[:4]:
        world.erp_sql("DELETE FROM Items WHERE ItemCode = ?", code_of(key))

    with pytest.raises(GuardStopped, match="only 2 of the 6 items for sale of the last time"):
        small.sweep()
    world.erp_sql("DELETE FROM Items")
    with pytest.raises(GuardStopped, match="no items for sale at all"):
        small.sweep()


def test_an_erp_without_movements_stops_it(small: Stock) -> None:
    """Everything would become zero."""
    small.world.erp_sql("DELETE FROM gbkmut")

    with pytest.raises(GuardStopped, match="6 of 6 figures would change"):
        small.sweep(max_change="0.3")


# --- what is not there --------------------------------------------------------------------------------------


def test_an_erp_that_is_away_changes_nothing(small: Stock) -> None:
    world = small.world
    world.show(world.keys[0], 3)
    world.erp_file.rename(world.folder / "away.db")

    with pytest.raises(BrekzsyncError):
        small.sweep()
    assert world.shown(world.keys[0]) == 3
    world.erp_file.unlink(missing_ok=True)
    (world.folder / "away.db").rename(world.erp_file)
    assert small.sweep().tally.delivered == 1


def test_two_runs_do_not_overlap(small: Stock) -> None:
    with small.state() as state, state.locks.hold("stock", "exact"):
        with pytest.raises(LockHeld):
            small.sweep()
        with pytest.raises(LockHeld):
            small.update(small.world.keys[0])
        assert small.sweep(dry_run=True).tally.failed == 0
        assert len(small.diff(code_of(small.world.keys[0])).figures) == 1


# --- diff and update ----------------------------------------------------------------------------------------


def test_diff_says_what_a_figure_is_made_of(stock: Stock) -> None:
    world = stock.world
    key = world.keys[0]
    world.phone(code_of(key), 1)
    world.sell({key: 2})
    world.show(key, 5)

    outcome = stock.diff(code_of(key))

    (figure,) = outcome.figures
    assert figure.parts == Parts(Decimal(10), Decimal(1), 2, 0)
    assert (figure.before, figure.wanted, figure.delta) == (5, 7, 2)
    assert outcome.last_moved == {code_of(key): world.now.date()}
    assert world.shown(key) == 5


def test_update_repairs_exactly_what_it_is_told(small: Stock) -> None:
    world = small.world
    wanted, other = world.keys[:2]
    for key in (wanted, other):
        world.show(key, 1)

    outcome = small.update(wanted)

    assert counts(outcome) == (1, 1, 1, 1, 0, 0, 0)
    assert (world.shown(wanted), world.shown(other)) == (10, 1)


def test_an_unknown_code_is_told_before_anything_is_written(small: Stock) -> None:
    world = small.world
    world.show(world.keys[0], 1)

    with small.flow() as flow, pytest.raises(InvalidInput, match="NOWHERE"):
        flow.update([code_of(world.keys[0]), "NOWHERE"])

    assert world.shown(world.keys[0]) == 1


def test_the_exit_codes(small: Stock, capsys: pytest.CaptureFixture[str]) -> None:
    world = small.world

    def run(*words: str) -> Said:
        return Program(capsys)("--config", small.settings_file, *words)

    code = code_of(world.keys[0])
    world.now = world.now.__class__.now(world.now.tzinfo)  # the program has a clock of its own
    assert run("stock", "diff", code).code == 0
    world.show(world.keys[0], 1)
    assert run("stock", "diff", code).code == 4
    assert run("stock", "diff").code == 4
    assert run("stock", "update", "NOWHERE").code == 2
    assert run("stock", "update", code).code == 0
    assert run("stock", "diff").code == 0
    world.erp_sql("DELETE FROM gbkmut")
    said = run("--json", "stock", "sweep")
    assert (said.code, said.document["error"]["code"]) == (3, "guard_stopped")
    assert world.shown(world.keys[0]) == 10


# --- the sync log -------------------------------------------------------------------------------------------


def test_what_was_written_is_in_the_sync_log(small: Stock) -> None:
    world = small.world
    key = world.keys[0]
    world.show(key, 4)
    small.sweep()

    with small.state() as state:
        (row,) = state.ledger("stock", "exact").rows_for([key])

    assert (row.status, row.reason, row.code) == ("synced", None, code_of(key))
