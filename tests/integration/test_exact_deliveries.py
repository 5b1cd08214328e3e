"""What the ERP delivered of each order: its notes, tracking numbers, and how much is still to come."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from brekzsync.domain.erp_deliveries import DeliveryNote, ErpShipment
from brekzsync.errors import ConfigurationError
from brekzsync.exact.connection import connect_erp
from brekzsync.exact.deliveries import DeliveryRepository
from tests.services.erp import Administration
from tests.services.erp_rows import at, delivered, line, note, order

WHOLE = ErpShipment(
    "ABC-1", Decimal(3), Decimal(3), True, (DeliveryNote("4711", date(2026, 11, 3), "", Decimal(3)),)
)
IN_PARTS = ErpShipment(
    "ABC-2",
    Decimal(6),
    Decimal(4),
    False,
    (
        DeliveryNote("4712", date(2026, 11, 4), "", Decimal(1)),
        DeliveryNote("4713", date(2026, 11, 9), "", Decimal("3.5")),
    ),
)


@pytest.fixture
def delivered_orders(administration: Administration) -> DeliveryRepository:
    """One delivered whole, one in two parts with more to come, one that waits, and what is no sale."""
    administration.add(
        "orkrg",
        order("17", "abc-1 ", afgehandld=True, freefield1="3SABC1 "),
        order("18", "ABC-2", freefield1="3SABC2"),
        order("19", "ABC-3"),
        order("20", "ABC-4", ord_soort="B"),
        order("21", ""),
    )
    administration.add(
        "orsrg",
        line("17", "LEASH", 3, 3),
        line("17", None, 9, ar_soort="P"),
        line("18", "LEASH", 2, 2.5),
        line("18", "BOWL", 4, 2),
        line("18", "BACK", -1, -1),
        line("19", "LEASH", 1),
        line("20", "LEASH", 1, 1),
        line("21", "LEASH", 1, 1),
    )
    administration.add(
        "orhkrg",
        note("17", "4711", "ABC-1", ExternalNumber="T-4711"),
        note("18", "4712", "ABC-2", pakbon_dat=at(4), ExternalNumber=" T-4712"),
        note("18", "4713", "abc-2", pakbon_dat=at(9, 15)),
        note("19", "4714", "ABC-3"),
        note("20", "4715", "ABC-4", ord_soort="B"),
        note("21", "4716", ""),
    )
    administration.add(
        "orhsrg",
        delivered("17", "4711", "LEASH", 1),
        delivered("17", "4711", "LEASH", 2),
        delivered("18", "4712", "LEASH", 1),
        delivered("18", "4713", "LEASH", 1.5),
        delivered("18", "4713", "BOWL", 2),
        delivered("19", "4714", "LEASH", 0),
        delivered("20", "4715", "LEASH", 1),
        delivered("21", "4716", "LEASH", 1),
    )
    return DeliveryRepository(connect_erp(administration.url))


def in_order(found: Iterable[ErpShipment]) -> list[ErpShipment]:
    """Shipments and the notes of each, sorted."""
    return sorted(one._replace(notes=tuple(sorted(one.notes))) for one in found)


def test_every_order_with_a_delivery_note_is_told_once_with_how_far_it_is(
    delivered_orders: DeliveryRepository,
) -> None:
    """Half a leash too many does not make up for two bowls that are to come; what came back is no delivery."""
    assert in_order(delivered_orders.deliveries()) == [WHOLE, IN_PARTS]


def test_orders_with_a_note_since_a_day_are_told_with_all_their_notes(
    delivered_orders: DeliveryRepository,
) -> None:
    assert in_order(delivered_orders.deliveries(date(2026, 11, 9))) == [IN_PARTS]
    assert list(delivered_orders.deliveries(date(2026, 11, 10))) == []


def test_some_orders_are_told_of_by_reference_in_any_case(delivered_orders: DeliveryRepository) -> None:
    found = delivered_orders.of([" abc-1", "ABC-3", "ABC-4", "MISSING", ""])

    assert in_order(found) == [WHOLE]
    assert delivered_orders.of([]) == []


def test_tracking_numbers_are_read_from_the_note_or_the_order_as_configured(
    administration: Administration, delivered_orders: DeliveryRepository
) -> None:
    def numbers(column: str) -> list[list[str]]:
        found = DeliveryRepository(connect_erp(administration.url), column).deliveries()
        return [[one.tracking for one in shipment.notes] for shipment in in_order(found)]

    assert numbers("orhkrg.ExternalNumber") == [["T-4711"], ["T-4712", ""]]
    assert numbers("orhkrg.externalnumber") == [["T-4711"], ["T-4712", ""]]
    assert numbers("orkrg.freefield1") == [["3SABC1"], ["3SABC2", "3SABC2"]]
    assert numbers("orkrg.freefield2") == [[""], ["", ""]]


def test_a_column_of_the_administrations_own_can_hold_tracking_numbers(
    administration: Administration, delivered_orders: DeliveryRepository
) -> None:
    other = create_engine(administration.url)
    with other.begin() as writing:
        table = administration.tables.orhkrg.fullname
        writing.execute(text(f"ALTER TABLE {table} ADD Barcode_PNL varchar(30)"))
        writing.execute(text(f"UPDATE {table} SET Barcode_PNL = '3S1' WHERE pakbon_nr = '    4711'"))
    other.dispose()

    (found,) = DeliveryRepository(connect_erp(administration.url), "orhkrg.barcode_pnl").of(["ABC-1"])

    assert [one.tracking for one in found.notes] == ["3S1"]


@pytest.mark.parametrize("column", ["orkrg.Barcode", "orkrg.freefield5"])
def test_a_column_that_is_not_there_is_named(administration: Administration, column: str) -> None:
    other = create_engine(administration.url)
    with other.begin() as writing:
        writing.execute(text(f"ALTER TABLE {administration.tables.orkrg.fullname} DROP COLUMN freefield5"))
    other.dispose()
    deliveries = DeliveryRepository(connect_erp(administration.url), column)
    said = f"has no column {column.partition('.')[2]} in orkrg, which is to hold the tracking numbers"

    for ask in (
        lambda: list(deliveries.deliveries()),
        lambda: deliveries.of(["ABC-1"]),
        deliveries.check_tracking,
    ):
        with pytest.raises(ConfigurationError, match=said) as refused:
            ask()
        assert (
            refused.value.hint
            == "Correct tracking under [shipments], or leave it empty: then none are taken over."
        )


def test_free_fields_an_older_release_lacks_are_missed_only_where_they_are_asked_for(
    administration: Administration, delivered_orders: DeliveryRepository
) -> None:
    other = create_engine(administration.url)
    with other.begin() as writing:
        for table, column in (
            ("orkrg", "freefield1"),
            ("orhkrg", "ExternalNumber"),
            ("orhkrg", "freefield3"),
        ):
            fullname = getattr(administration.tables, table).fullname
            writing.execute(text(f"ALTER TABLE {fullname} DROP COLUMN {column}"))
    other.dispose()

    assert in_order(DeliveryRepository(connect_erp(administration.url)).deliveries()) == [WHOLE, IN_PARTS]


def test_of_an_order_that_was_put_away_the_notes_are_all_there_was(administration: Administration) -> None:
    administration.add("orhkrg", note("9", "4700", "OLD-1"), note("9", "4701", "OLD-1"))
    administration.add("orhsrg", delivered("9", "4700", "A", 2), delivered("9", "4701", "A", -1))

    (found,) = DeliveryRepository(connect_erp(administration.url)).deliveries()

    assert found[:4] == ("OLD-1", Decimal(1), Decimal(1), True)
    assert sorted(one.quantity for one in found.notes) == [Decimal(-1), Decimal(2)]


def test_two_orders_with_one_reference_are_one_delivery_which_waits_for_both(
    administration: Administration,
) -> None:
    administration.add("orkrg", order("17", "ABC-1", afgehandld=True), order("18", "ABC-1"))
    administration.add("orsrg", line("17", "A", 2, 2), line("18", "A", 1))
    administration.add("orhkrg", note("17", "4711", "ABC-1"))
    administration.add("orhsrg", delivered("17", "4711", "A", 2))

    (found,) = DeliveryRepository(connect_erp(administration.url)).deliveries()

    assert found[:4] == ("ABC-1", Decimal(3), Decimal(2), False)


def test_an_order_whose_goods_lines_are_gone_has_ordered_nothing(administration: Administration) -> None:
    administration.add("orkrg", order("17", "ABC-1", afgehandld=True))
    administration.add("orhkrg", note("17", "4711", "ABC-1", pakbon_dat=None))
    administration.add("orhsrg", delivered("17", "4711", "A", 2))

    assert DeliveryRepository(connect_erp(administration.url)).of(["ABC-1"]) == [
        ErpShipment("ABC-1", Decimal(0), Decimal(0), True, (DeliveryNote("4711", None, "", Decimal(2)),))
    ]


def test_many_deliveries_are_streamed_in_little_memory(tmp_path: Path) -> None:
    with Administration.created(f"sqlite:///{tmp_path / 'erp.db'}") as administration:
        tables, count = administration.tables, 6_000
        engine = create_engine(administration.url)
        with engine.begin() as writing:
            several = [str(number) for number in range(count)]
            writing.execute(tables.orkrg.insert(), [order(one, f"ABC-{one}") for one in several])
            writing.execute(tables.orsrg.insert(), [line(one, "A", 1, 1) for one in several])
            writing.execute(tables.orhkrg.insert(), [note(one, one, f"ABC-{one}") for one in several])
            writing.execute(tables.orhsrg.insert(), [delivered(one, one, "A", 1) for one in several])
        engine.dispose()
        deliveries = DeliveryRepository(connect_erp(administration.url), "orhkrg.ExternalNumber")
        next(iter(deliveries.deliveries()))
        tracemalloc.start()
        try:
            assert sum(1 for _ in deliveries.deliveries()) == count
            assert tracemalloc.get_traced_memory()[1] < 4_000_000
        finally:
            tracemalloc.stop()
