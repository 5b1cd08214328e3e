"""From what every round took to the rows of the table, with the limits of the specification's section 13."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from benchmarks.machine import DRIVERS
from benchmarks.measure import Measured, Memory
from benchmarks.product_export import SINGLE_FILES
from benchmarks.serving import WEBSERVICE_PRODUCTS, WEBSERVICE_REQUESTS
from benchmarks.webhooks import LEAST, LEAST_BESIDE_AN_EXPORT, MOST_LATENCY

MIB = 1024**2
# The limits are meant for this many combinations; with fewer, starting the process outweighs the work.
JUDGED_FROM = 100_000


class Verdict(StrEnum):
    """What a limit says; a measure printed for information only has none."""

    AIM = "aim met"
    OK = "ok"
    OVER = "over"
    UNDER = "under"

    @property
    def is_kept(self) -> bool:
        """Whether the limit is."""
        return self in (Verdict.AIM, Verdict.OK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Ours beside a reference, in seconds, MiB or how many a second. ``limit`` and ``aim`` are ratios (what the unit
    says where there is no reference), None where nothing is demanded; of how many a second they are the least."""

    group: str
    measure: str
    unit: str
    ours: float
    reference: float | None
    limit: float | None = None
    aim: float | None = None
    memory: Memory | None = None

    @property
    def is_rate(self) -> bool:
        """Whether more is better."""
        return self.unit == "/s"

    @property
    def ratio(self) -> float | None:
        return self.ours / self.reference if self.reference else None

    @property
    def verdict(self) -> Verdict | None:
        if self.limit is None:
            return None
        value = self.ours if self.ratio is None else self.ratio
        if self.is_rate:
            return Verdict.UNDER if value < self.limit else Verdict.OK
        if value > self.limit:
            return Verdict.OVER
        return Verdict.AIM if self.aim is not None and value <= self.aim else Verdict.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The runs of each case, by its name, and its peak memory."""

    runs: Mapping[str, Sequence[Measured]]
    memory: Mapping[str, Memory]

    def best(self, name: str) -> float:
        return min(measured.seconds for measured in self.runs[name])

    def spread(self, name: str) -> float:
        """How much longer the slowest round took than the best: 0.1 is 10 %."""
        return max(measured.seconds for measured in self.runs[name]) / self.best(name) - 1


def rows(
    figures: Figures,
    *,
    base: int,
    larger: int | None,
    single_files: int,
    swept: int,
    drivers: Sequence[str],
) -> list[Row]:
    """Every row there are figures for; the first driver is the judged one."""
    found = [
        *_catalogue_rows(figures, base, drivers),
        *_diagnosis_rows(figures, base, drivers[0]),
        _single_files_row(figures, single_files, drivers[0]),
        *_serving_rows(figures, base, drivers[0]),
        *_webhook_rows(figures, base),
        *_sweep_rows(figures, swept, drivers[0]),
    ]
    if larger is not None:
        found += _scale_rows(figures, base, larger, drivers[0])
    return found


def _catalogue_rows(figures: Figures, size: int, drivers: Sequence[str]) -> Iterator[Row]:
    for driver in drivers:
        is_judged = size >= JUDGED_FROM and driver == drivers[0]
        first = _against(figures, "export --full --bulk", f"first {driver} {size}", f"xml {size}")
        yield replace(first, limit=4.0, aim=3.0) if is_judged else first
        if is_judged and first.memory:
            peak = first.memory.judged / MIB
            yield Row(
                group=first.group, measure="  its memory", unit="MiB", ours=peak, reference=None, limit=96.0
            )
        yield _against(figures, "  ledger filled", f"again {driver} {size}", f"xml {size}")
        unchanged = _against(figures, "nothing changed", f"unchanged {driver} {size}", f"batch {size}")
        yield replace(unchanged, limit=2.5, aim=1.9) if is_judged else unchanged


def _diagnosis_rows(figures: Figures, size: int, driver: str) -> Iterator[Row]:
    """One combination after start-up; what is missing with its start-up, in the strictest reading; start-up itself."""
    group = f"{size:,} combinations, {DRIVERS[driver]}, an ERP with 99 of 100"
    judged = size >= JUDGED_FROM
    start = figures.best("diagnose start")
    one = Row(
        group=group,
        measure="diagnose one id",
        unit="s",
        ours=max(figures.best("diagnose one") - start, 0.0),
        reference=None,
        limit=0.5 if judged else None,
    )
    missing = Row(
        group=group,
        measure="diagnose --missing",
        unit="s",
        ours=figures.best("diagnose missing"),
        reference=figures.best("raw reads"),
        limit=2.0 if judged else None,
        memory=figures.memory.get("diagnose missing"),
    )
    starting = Row(
        group="any size",
        measure="brekzsync --help",
        unit="s",
        ours=figures.best("help"),
        reference=None,
        limit=0.1,
        aim=0.05,
    )
    yield from (one, missing, starting)


def _webhook_rows(figures: Figures, size: int) -> Iterator[Row]:
    """How many a second, alone and beside an export, which is one of that many combinations; and the slowest."""
    group = "webhooks on the disk before they are answered, eight clients"
    yield Row(
        group=group,
        measure="alone",
        unit="/s",
        ours=1 / figures.best("webhooks alone"),
        reference=None,
        limit=LEAST,
    )
    yield Row(
        group=group,
        measure="  99 of 100 within",
        unit="ms",
        ours=1000 * figures.best("webhooks latency"),
        reference=None,
        limit=1000 * MOST_LATENCY,
    )
    yield Row(
        group=group,
        measure="beside an export",
        unit="/s",
        ours=1 / figures.best("webhooks export"),
        reference=None,
        limit=LEAST_BESIDE_AN_EXPORT if size >= JUDGED_FROM else None,
    )


def _sweep_rows(figures: Figures, size: int, driver: str) -> Iterator[Row]:
    judged, memory = size >= JUDGED_FROM, figures.memory.get("stock sweep")
    row = Row(
        group=f"{size:,} items, {DRIVERS[driver]}, every hundredth figure differs",
        measure="stock sweep",
        unit="s",
        ours=figures.best("stock sweep"),
        reference=figures.best("raw stock"),
        memory=memory,
    )
    yield replace(row, limit=2.5, aim=1.8) if judged else row
    if judged and memory:
        peak = memory.judged / MIB
        yield Row(group=row.group, measure="  its memory", unit="MiB", ours=peak, reference=None, limit=160.0)


def _against(figures: Figures, measure: str, ours: str, reference: str) -> Row:
    _, driver, size = ours.split()
    return Row(
        group=f"{int(size):,} combinations, {DRIVERS[driver]}",
        measure=measure,
        unit="s",
        ours=figures.best(ours),
        reference=figures.best(reference),
        memory=figures.memory.get(ours),
    )


def _single_files_row(figures: Figures, size: int, driver: str) -> Row:
    row = Row(
        group=f"{size:,} combinations, {DRIVERS[driver]}",
        measure="export, single files",
        unit="s",
        ours=figures.best("single"),
        reference=figures.best("plain"),
        memory=figures.memory.get("single"),
    )
    return replace(row, limit=1.5) if size >= SINGLE_FILES else row


def _serving_rows(figures: Figures, size: int, driver: str) -> Iterator[Row]:
    """What a service answers, beside what PrestaShop's own does."""
    judged = size >= JUDGED_FROM
    for name, measure, reference, limit in (
        ("one", "GET product, 1 client", WEBSERVICE_REQUESTS, 10.0),
        ("eight", "8 clients, 2 workers", WEBSERVICE_REQUESTS, 15.0),
        ("bulk", "items by the 500", WEBSERVICE_PRODUCTS, 40.0),
    ):
        yield Row(
            group=f"{size:,} combinations, {DRIVERS[driver]}, served over HTTP",
            measure=measure,
            unit="/s",
            ours=1 / figures.best(f"serve {name} {size}"),
            reference=reference,
            limit=limit if judged else None,
        )
    yield _index_row(figures, size, driver)


def _index_row(figures: Figures, size: int, driver: str) -> Row:
    name = f"serve index {size}"
    return Row(
        group=f"{size:,} combinations, {DRIVERS[driver]}, served over HTTP",
        measure="index, all pages",
        unit="s",
        ours=figures.best(name),
        reference=None,
        memory=figures.memory.get(name),
    )


def _scale_rows(figures: Figures, base: int, larger: int, driver: str) -> Iterator[Row]:
    small, large = f"first {driver} {base}", f"first {driver} {larger}"
    judged = base >= JUDGED_FROM
    time = replace(
        _against(figures, "export --full --bulk", large, small),
        group=f"{larger:,} combinations against {base:,}, {DRIVERS[driver]}",
    )
    yield replace(time, limit=11.0) if judged else time
    if large in figures.memory:
        peaks = figures.memory[large].judged / MIB, figures.memory[small].judged / MIB
        memory = replace(
            time, measure="  its memory", unit="MiB", ours=peaks[0], reference=peaks[1], memory=None
        )
        yield replace(memory, limit=1.2) if judged else memory
    yield _against(figures, "export --full --bulk", large, f"xml {larger}")
    yield _against(figures, "nothing changed", f"unchanged {driver} {larger}", f"batch {larger}")
    index = _index_row(figures, larger, driver)
    yield index
    before = figures.memory.get(f"serve index {base}")
    if index.memory and before:
        peaks = index.memory.judged / MIB, before.judged / MIB
        memory = replace(
            index, measure="  its memory", unit="MiB", ours=peaks[0], reference=peaks[1], memory=None
        )
        yield replace(memory, limit=1.2) if judged else memory
