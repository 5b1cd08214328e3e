"""The reference pages written by hand name what the code has, all of it and nothing else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from brekzsync.domain.eligibility import Criterion
from brekzsync.domain.order_status import StatusReason
from brekzsync.domain.orders.reasons import OrderReason
from brekzsync.domain.stock import Finding as StockFinding
from brekzsync.flows.order_status.detect import RETRY
from brekzsync.flows.orders.deciding import RESENT
from brekzsync.flows.orders.export import NO_LONGER_DUE
from brekzsync.flows.orders.settlement import UNKNOWN
from brekzsync.flows.orders.watch import CANCELED, CHANGED
from brekzsync.flows.stock.journal import SOLD_MEANWHILE
from brekzsync.settings.sections import Settings
from brekzsync.state.tables import metadata
from scripts import generate_reference

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs/reference"
SOURCE = ROOT / "src/brekzsync"
# The criterion that is the comparison itself: no record is skipped for it.
COMPARED = Criterion.UPDATED
UNMAPPED = "state_not_mapped"


def test_the_reasons_are_those_in_the_code() -> None:
    documented = {code for code, kind in _reasons() if kind != "warning"}

    skipped = {str(criterion) for criterion in Criterion if criterion is not COMPARED}
    ended = {"deleted"} | {f"became_{criterion}" for criterion in skipped}
    refused = set(_first_arguments("Refusal"))
    left = set(re.findall(r'tally\.reasons\["(\w+)"\]', _source(orders=False))) - {"deleted"}
    assert documented == skipped | ended | refused | left


def test_the_warnings_are_those_in_the_code() -> None:
    documented = {code for code, kind in _reasons() if kind == "warning"}

    assert documented == set(re.findall(r'warnings(?:\.append\(|\[)"(\w+)"', _source(orders=False)))


def test_the_reasons_of_orders_are_those_in_the_code() -> None:
    documented = {code for code, kind in _reasons("orders.md") if kind != "warning"}

    source = _source(orders=True)
    said = re.findall(r'(?:_fail|_leave)\([^"()]*(?:\([^()]*\))?[^"()]*"(\w+)"', source)
    said += re.findall(r'tally\.reasons\["(\w+)"\]', source)
    said += [str(RESENT), CHANGED, CANCELED, NO_LONGER_DUE, UNKNOWN]
    of_results = {"rejected", "needs_baseline"}
    assert documented == {*said, *(str(reason) for reason in OrderReason)} | of_results


def test_the_warnings_of_orders_are_those_in_the_code() -> None:
    documented = {code for code, kind in _reasons("orders.md") if kind == "warning"}

    assert documented == set(re.findall(r'warnings(?:\.add\(|\[)"(\w+)"', _source(orders=True)))


def test_the_reasons_of_order_statuses_are_those_in_the_code() -> None:
    documented = dict(_reasons("order-statuses.md"))
    source = "".join(
        path.read_text(encoding="utf-8") for path in sorted((SOURCE / "flows/order_status").glob("*.py"))
    )
    warnings = set(re.findall(r'warnings\["(\w+)"\]', source))

    assert {code for code, kind in documented.items() if kind == "warning"} == warnings
    said = {*map(str, StatusReason), RETRY, UNMAPPED}
    assert {code for code, kind in documented.items() if kind != "warning"} == said
    assert f'"{UNMAPPED}"' in source


def test_the_findings_and_reasons_of_stock_are_those_in_the_code() -> None:
    text = (REFERENCE / "stock.md").read_text(encoding="utf-8")
    findings, _, reasons = text.partition("## Findings")[2].partition("## Reasons")
    rows = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)

    assert rows.findall(findings) == sorted(map(str, StockFinding), key=rows.findall(findings).index)
    assert set(rows.findall(reasons)) == {SOLD_MEANWHILE, *_writers_reasons()}


def _writers_reasons() -> set[str]:
    """What a figure fails with, but for findings."""
    writers = [SOURCE / f"prestashop/stock/{name}_writer.py" for name in ("database", "webservice")]
    source = "".join(path.read_text(encoding="utf-8") for path in writers)
    said = re.findall(r'Outcome\.FAILED,\s+"(\w+)"', source) + re.findall(r'"(webservice_\w+)"', source)
    return set(said) - set(map(str, StockFinding)) - {"webservice_writer"}


def test_every_table_and_column_of_the_state_is_explained() -> None:
    text = (REFERENCE / "state.md").read_text(encoding="utf-8")
    documented = {
        name: set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE))
        for name, section in re.findall(
            r"^## `(\w+)`[^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
        )
    }

    assert documented == {
        table.name: {column.name for column in table.columns} for table in metadata.sorted_tables
    }


def test_every_code_an_error_may_carry_is_listed() -> None:
    text = (REFERENCE / "exit-codes.md").read_text(encoding="utf-8").partition("## More exact codes")[2]
    listed = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)

    # A document that tells of single records has no exception behind it.
    assert sorted(listed) == sorted({*_error_codes(), *_conflicts(), "records_failed", "outcome_unknown"})


def _conflicts() -> Iterator[str]:
    """A rule of the domain names them; who raises the error takes the code from there."""
    return _first_arguments("Conflict")


@pytest.mark.parametrize("section", sorted(Settings.model_fields))
def test_every_key_the_reference_explains_is_used(section: str) -> None:
    model = Settings.model_fields[section].annotation
    assert isinstance(model, type) or section == "targets"
    keys = generate_reference.used_keys(section, model) if section != "targets" else []  # type: ignore[arg-type]
    outside = "".join(
        path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py") if "settings" not in path.parts
    )

    # ``acknowledge`` is read through the property that fills in its default.
    unread = [key for key in keys if not re.search(rf"\.{key}(?:d_by)?\b", outside)]
    assert unread == []


def _reasons(page: str = "item-document.md") -> list[tuple[str, str]]:
    """(code, kind) of a page's table of reasons and warnings."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    table = text.partition("| code | kind |")[2]
    return re.findall(r"^\| `(\w+)` \| (\w+) \|", table, re.MULTILINE)


def _source(*, orders: bool) -> str:
    """That of the flows and rules of orders, or all the rest but what is told of them to the marketplace."""
    paths = (
        path
        for path in sorted(SOURCE.rglob("*.py"))
        if "order_status" not in path.parts
        and ("orders" in path.parts or path.stem.startswith("order")) == orders
    )
    return "".join(path.read_text(encoding="utf-8") for path in paths)


def _calls() -> Iterator[ast.Call]:
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield node


def _first_arguments(function: str) -> Iterator[str]:
    for call in _calls():
        if isinstance(call.func, ast.Name) and call.func.id == function and call.args:
            first = call.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def _error_codes() -> Iterator[str]:
    """What ``code=`` gives an error, beside the codes each kind of error has of itself."""
    for call in _calls():
        for keyword in call.keywords:
            if keyword.arg == "code":
                yield from _values(keyword.value)


def _values(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.IfExp):
        yield from _values(node.body)
        yield from _values(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
