"""``config init``, ``check`` and ``show`` as people and programs meet them."""

from __future__ import annotations

import re
import sqlite3
import stat
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from brekzsync.settings.starter import starter
from tests.demos import Demos, FreshDemo, Program
from tests.services.prestashop import PrestaShopDatabase


@pytest.fixture
def run(program: Program, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("COLUMNS", "200")
    return program


@pytest.fixture
def demo(demos: Demos) -> Path:
    """The configuration of a demo of the test's own."""
    return demos.fresh(FreshDemo, columns=200).config


def configure(folder: Path, text: str) -> Path:
    file = folder / "brekzsync.toml"
    file.write_text(text, encoding="utf-8")
    return file


def shop_of(prestashop: PrestaShopDatabase, *more: str) -> str:
    return "\n".join(
        ['[shop]\ndata_shop = 1\ntable_prefix = "ps_"', f'database = "{prestashop.url()}"', *more, ""]
    )


def where(document: dict[str, Any], severity: str) -> list[str]:
    """The places of the findings of one severity."""
    return [f"[{one['section']}] {one['key']}" for one in document["findings"] if one["severity"] == severity]


# --- init ------------------------------------------------------------------------------------------------


def test_the_starter_file_is_written_for_its_owner_only_and_the_next_command_named(
    run: Program, tmp_path: Path
) -> None:
    assert run("config", "init") == (
        0,
        "Wrote brekzsync.toml, readable by its owner only.\n"
        "Fill in, the only keys without a # before them:\n"
        "  [shop] database   how to reach the shop's database\n"
        "  [shop] data_shop  the shop all product data is read from\n"
        "Next: brekzsync config check\n",
        "",
    )
    file = tmp_path / "brekzsync.toml"
    assert file.read_text(encoding="utf-8") == starter()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["brekzsync.toml"]


def test_a_file_that_is_there_is_never_written_over_without_force(run: Program, tmp_path: Path) -> None:
    file = configure(tmp_path, "# mine\n")

    refused = run("config", "init")
    kept = file.read_text(encoding="utf-8")
    forced = run("config", "init", "--force", "--json")

    assert refused == (
        2,
        "",
        "Error: brekzsync.toml is there already; nothing was written.\n"
        "Hint: `brekzsync --config brekzsync.toml config check` checks it as it is; --force replaces it.\n",
    )
    assert kept == "# mine\n"
    assert forced.document == {
        "schema_version": 1,
        "command": "config init",
        "ok": True,
        "dry_run": False,
        "file": str(file),
        "replaces": True,
        "next": "brekzsync config check",
    }
    assert file.read_text(encoding="utf-8") == starter()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_link_to_a_file_elsewhere_stays_one_when_forced(run: Program, tmp_path: Path) -> None:
    real = tmp_path / "real.toml"
    real.write_text("# mine\n", encoding="utf-8")
    (tmp_path / "brekzsync.toml").symlink_to(real)

    assert run("config", "init").code == 2
    assert run("config", "init", "--force").code == 0
    assert (tmp_path / "brekzsync.toml").is_symlink()
    assert real.read_text(encoding="utf-8") == starter()


def test_a_dry_run_writes_nothing_and_refuses_as_well(run: Program, tmp_path: Path) -> None:
    assert run("config", "init", "-n") == (0, "Would write brekzsync.toml. Nothing was written.\n", "")
    assert list(tmp_path.iterdir()) == []
    configure(tmp_path, "")
    assert run("config", "init", "-n").code == 2
    assert (
        run("config", "init", "-n", "--force").out == "Would replace brekzsync.toml. Nothing was written.\n"
    )


@pytest.mark.parametrize("way", ["argument", "option", "variable"])
def test_the_file_is_the_one_that_is_named(
    way: str, run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if way == "variable":
        monkeypatch.setenv("BREKZSYNC_CONFIG", "a shop.toml")
    words = {
        "argument": ["config", "init", "a shop.toml"],
        "option": ["--config", "a shop.toml", "config", "init"],
    }

    done = run(*words.get(way, ["config", "init"]))

    following = (
        "brekzsync config check" if way == "variable" else "brekzsync --config 'a shop.toml' config check"
    )
    assert (done.code, done.out.splitlines()[-1]) == (0, f"Next: {following}")
    assert [path.name for path in tmp_path.iterdir()] == ["a shop.toml"]


def test_a_place_that_cannot_take_a_file_is_told_with_the_remedy(run: Program, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    assert run("config", "init", "folder").err == (
        "Error: folder is a folder.\nHint: Name a file: brekzsync config init folder/brekzsync.toml\n"
    )
    assert run("config", "init", "none/b.toml") == (
        2,
        "",
        "Error: There is no folder none to write b.toml in.\nHint: Make it first: mkdir -p none\n",
    )


def test_without_any_file_the_offered_command_makes_the_one_that_was_looked_for(
    run: Program, tmp_path: Path
) -> None:
    missing = run("--config", "shop.toml", "products", "export")
    offered = missing.err.partition("`brekzsync ")[2].partition("`")[0]

    assert (missing.code, offered) == (78, "config init shop.toml")
    assert run(*offered.split()).code == 0
    assert run("--config", "shop.toml", "config", "show", "shop").code == 0


# --- check -----------------------------------------------------------------------------------------------


def test_the_demo_names_what_its_data_leaves_out_on_purpose(run: Program, demo: Path) -> None:
    done = run("--config", str(demo), "config", "check", "--json")

    assert done.code == 0
    assert done.document == {
        "schema_version": 1,
        "command": "config check",
        "ok": True,
        "file": str(demo),
        "findings": [
            {
                "severity": "warning",
                "section": "exact_xml",
                "key": "vat_codes",
                "message": "The tax rate 13 % has no VAT code: 1 product (such as 25-0) would be sent without VAT.",
                "remedy": 'Add 13 = "…" to vat_codes: Exact\'s VAT code for 13 % in NL.',
            },
            {
                "severity": "warning",
                "section": "orders",
                "key": "payment_methods",
                "message": "The payment module ps_cashondelivery (1 of the last 20 orders) has no payment method.",
                "remedy": 'Add ps_cashondelivery = "…" to payment_methods: Exact\'s code of one character.',
            },
            {
                "severity": "warning",
                "section": "orders",
                "key": "delivery_methods",
                "message": "The carrier Fietskoerier (1 of the last 20 orders) has no delivery method.",
                "remedy": 'Add 5 = "…" to delivery_methods: Exact\'s code of at most 5 characters.',
            },
            {
                "severity": "warning",
                "section": "exact_xml",
                "key": "vat_codes",
                "message": "The tax rate 7 % of DE (1 of the last 20 orders) has no VAT code: such orders fail.",
                "remedy": 'Add "DE:7" = "…" to vat_codes: Exact\'s VAT code for 7 % in DE.',
            },
        ],
        "not_checked": [],
    }


def test_with_the_lines_added_nothing_is_wrong(run: Program, demo: Path) -> None:
    text = demo.read_text(encoding="utf-8")
    for before, added in (
        ('9 = "1"\n', '13 = "3"\n"DE:7" = "D1"\n'),
        ("payment_methods = {", ' ps_cashondelivery = "C",'),
        ("delivery_methods = {", ' 5 = "BIKE",'),
    ):
        text = text.replace(before, before + added, 1)
    demo.write_text(text, encoding="utf-8")

    done = run("--config", str(demo), "config", "check")

    assert (done.code, done.out) == (0, f"{demo}: nothing is wrong.\n")


def without_orders(demo: Path) -> None:
    """The demo as somebody has it who exports products only."""
    before, orders, after = re.split(r"(?s)(\[orders\].*?)(?=\[state\])", demo.read_text(encoding="utf-8"))
    assert orders
    demo.write_text(f"{before}[orders]\n{after}", encoding="utf-8")


def test_products_that_are_not_exported_need_no_vat_code(run: Program, demo: Path) -> None:
    without_orders(demo)
    with closing(sqlite3.connect(demo.parent / "shop.db")) as shop:
        shop.execute("UPDATE ps_product_shop SET active = 0 WHERE id_product = 25")
        shop.commit()

    assert run("--config", str(demo), "config", "check", "--json").document["findings"] == []


def test_who_says_nothing_of_orders_hears_nothing_of_them(run: Program, demo: Path) -> None:
    without_orders(demo)

    document = run("--config", str(demo), "config", "check", "--json").document

    assert where(document, "warning") == ["[exact_xml] vat_codes"]
    assert document["not_checked"] == [
        {"what": "orders and refunds", "why": "[orders] says nothing, so none are exported"}
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "DELETE FROM Items WHERE ItemCode IN ('SHIPPING', 'REFUND')",
            [
                "[orders] shipping_item: Exact has no item SHIPPING: orders that need it would fail.",
                "[orders] refund_item: Exact has no item REFUND: orders that need it would fail.",
            ],
        ),
        ("UPDATE Items SET ItemCode = ' refund ' WHERE ItemCode = 'REFUND'", []),
    ],
)
def test_the_items_orders_are_booked_on_are_looked_for_in_exact(
    run: Program, demo: Path, change: str, told: list[str]
) -> None:
    with closing(sqlite3.connect(demo.parent / "erp.db")) as erp:
        erp.execute(change)
        erp.commit()

    done = run("--config", str(demo), "config", "check", "--json")

    found = [
        f"[{one['section']}] {one['key']}: {one['message']}"
        for one in done.document["findings"]
        if one["severity"] == "error"
    ]
    assert (done.code, found) == (78 if told else 0, told)


def without_stock(text: str) -> str:
    """The demo's configuration for somebody who writes no stock: that needs an ERP, and a target of its own."""
    kept, found = re.subn(r"\[stock\]\nwrite_via[^\n]*\n", "", text)
    assert found == 1
    return kept


@pytest.mark.parametrize(
    ("erp", "why"),
    [
        ("", "[erp] database is empty"),
        ("sqlite:///gone.db", "gone.db"),
    ],
)
def test_an_erp_that_cannot_be_asked_is_told_and_no_error(
    run: Program, demo: Path, erp: str, why: str
) -> None:
    text = without_stock(demo.read_text(encoding="utf-8")).replace("sqlite:///erp.db", erp)
    demo.write_text(text, encoding="utf-8")

    done = run("--config", str(demo), "config", "check", "--json")

    (left,) = done.document["not_checked"]
    assert (done.code, left["what"]) == (0, "whether Exact has the items of [orders]")
    assert why in left["why"]


def test_all_mistakes_of_a_file_are_findings_each_at_its_place(run: Program, tmp_path: Path) -> None:
    file = configure(
        tmp_path,
        '[shop]\ndata_shop = "NL"\ntable_perfix = "ps_"\n[prodcts]\noutput = "x"\n'
        '[orders]\nready_states = [2, "x"]\n[targets.be.exact_xml]\nunit = 5\ncurrency = "euro"\n',
    )

    done = run("config", "check", "--json")

    findings = done.document["findings"]
    assert (done.code, done.document["ok"]) == (78, False)
    assert [(one["severity"], one["section"], one["key"]) for one in findings] == [
        ("error", "shop", "database"),
        ("error", "shop", "table_perfix"),
        ("error", "orders", "ready_states"),
        ("error", "targets.be.exact_xml", "currency"),
        ("error", "prodcts", ""),
    ]
    assert findings[1]["message"] == "[shop] table_perfix is not a known key. Did you mean 'table_prefix'?"
    assert findings[1]["remedy"] == "Rename it to table_prefix, or remove it."
    assert done.document["not_checked"] == [{"what": "the shop", "why": "the errors must be mended first"}]
    assert done.document["error"] == {
        "code": "configuration",
        "message": f"The configuration {file} has 5 errors.",
        "hint": "Do what the table says, then check it again.",
    }


def test_a_file_that_is_no_toml_is_a_finding_that_names_the_line(run: Program, tmp_path: Path) -> None:
    configure(tmp_path, "[shop]\ndata_shop = NL\n")

    (finding,) = run("config", "check", "--json").document["findings"]

    assert (finding["severity"], "at line 2" in finding["message"]) == ("error", True)


def test_everything_the_shop_does_not_have_is_found_at_once(
    run: Program, prestashop: PrestaShopDatabase, tmp_path: Path
) -> None:
    configure(
        tmp_path,
        shop_of(
            prestashop,
            'language = "xx"',
            '[products]\nexclude_column = "product.nope"',
            '[exact_xml]\ncurrency = "USD"\nlanguage_slots = { qq = 1 }\nvat_codes = { 21 = "2", "US:0" = "0" }',
            '[orders]\nready_states = [2, 99]\nshops = ["Nowhere"]\nrounding_vat_code = "0"',
            *(f'{kind}_item = "X"' for kind in ("shipping", "wrapping", "discount", "refund", "rounding")),
            'payment_methods = { ps_checkpayment = "C", ps_wirepayment = "B" }',
            'delivery_methods = { 1 = "PICK", 2 = "PNL" }',
            "[marketplace]\nshipped_states = [77]",
        ),
    )

    done = run("config", "check", "--json")

    assert (done.code, where(done.document, "error")) == (
        78,
        [
            "[shop] language",
            "[exact_xml] language_slots",
            "[products] exclude_column",
            "[exact_xml] currency",
            "[orders] shops",
            "[orders] ready_states",
            "[marketplace] shipped_states",
        ],
    )
    assert where(done.document, "warning") == ["[orders] payment_methods"]  # cash on delivery
    assert [left["why"] for left in done.document["not_checked"]] == ["[erp] database is empty"]


def test_warnings_alone_are_shown_and_no_failure(
    run: Program, prestashop: PrestaShopDatabase, tmp_path: Path
) -> None:
    configure(tmp_path, shop_of(prestashop, '[orders]\nshipping_item = "S"'))

    done = run("config", "check")

    assert (done.code, done.err) == (
        0,
        "Not checked: whether Exact has the items of [orders]; [erp] database is empty.\n",
    )
    assert done.out.startswith("Warnings")
    assert 'Add 21 = "…" to vat_codes' in done.out
    assert 'Add ps_wirepayment = "…" to payment_methods' in done.out
    assert 'Add 2 = "…" to delivery_methods' in done.out


def test_each_target_is_checked_and_what_they_share_told_once(run: Program, demo: Path) -> None:
    with demo.open("a", encoding="utf-8") as file:
        file.write(
            '[targets.nl.products]\noutput = "nl"\n[targets.de.products]\noutput = "de"\n'
            '[targets.be.exact_xml]\nvat_codes = { 13 = "3" }\n'
        )

    document = run("--config", str(demo), "config", "check", "--json").document

    rates = [
        (one["section"], re.split(r" has| \(", one["message"])[0])
        for one in document["findings"]
        if one["key"] == "vat_codes"
    ]
    assert rates == [
        ("exact_xml", "The tax rate 13 %"),
        ("targets.be.exact_xml", "The tax rate 21 %"),
        ("targets.be.exact_xml", "The tax rate 9 %"),
        ("exact_xml", "The tax rate 7 % of DE"),
        ("targets.be.exact_xml", "The tax rate 21 % of NL"),
        ("targets.be.exact_xml", "The tax rate 21 % of BE"),
        ("targets.be.exact_xml", "The tax rate 7 % of DE"),
        ("targets.be.exact_xml", "The tax rate 19 % of DE"),
        ("targets.be.exact_xml", "The tax rate 9 % of NL"),
    ]


def test_orders_of_one_target_alone_are_checked_and_found_where_they_stand(run: Program, demo: Path) -> None:
    text = without_stock(demo.read_text(encoding="utf-8"))
    demo.write_text(
        text.replace("[orders]\n", "[targets.nl.orders]\nready_states = [2, 77]\n") + "[targets.de]\n"
        '[targets.de.products]\noutput = "de"\n',
        encoding="utf-8",
    )

    document = run("--config", str(demo), "config", "check", "--json").document

    found = [(one["severity"], one["section"], one["key"]) for one in document["findings"]]
    assert found == [
        ("warning", "exact_xml", "vat_codes"),
        ("error", "targets.nl.orders", "ready_states"),
        ("warning", "targets.nl.orders", "payment_methods"),
        ("warning", "targets.nl.orders", "delivery_methods"),
        ("warning", "exact_xml", "vat_codes"),
    ]
    assert document["not_checked"] == []


def test_a_shop_that_does_not_answer_ends_with_69_after_what_the_file_says(
    run: Program, tmp_path: Path
) -> None:
    marketplace = "[marketplace]\nshipped_states = [4]\ncanceled_states = [4]\n"
    configure(tmp_path, f'[shop]\ndatabase = "mysql://u:hush@127.0.0.1:1/p"\ndata_shop = 1\n{marketplace}')

    done = run("config", "check", "--json")

    assert (done.code, where(done.document, "error")) == (69, ["[marketplace] canceled_states"])
    assert done.document["error"]["code"] == "unavailable"
    assert done.document["not_checked"] == [{"what": "the shop", "why": "its database cannot be read now"}]
    assert "hush" not in done.out


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ('data_shop = "LU"', "[shop] data_shop"),
        ('data_shop = "NL"\ntable_prefix = "shop_"', "[shop] table_prefix"),
        ('data_shop = "NL"\ndatabase = "sqlite:///gone.db"', "[shop] database"),
    ],
)
def test_a_shop_that_cannot_be_read_as_configured_is_a_finding(
    run: Program, demo: Path, change: str, place: str
) -> None:
    database = "" if "database" in change else f'database = "sqlite:///{demo.parent}/shop.db"\n'
    demo.write_text(f"[shop]\n{database}{change}\n", encoding="utf-8")

    done = run("--config", str(demo), "config", "check", "--json")

    assert (done.code, where(done.document, "error")) == (78, [place])


def test_nothing_in_the_shop_or_beside_the_file_is_changed(run: Program, demo: Path) -> None:
    (demo.parent / "state.db").unlink()
    before = {path: path.read_bytes() for path in demo.parent.rglob("*") if path.is_file()}

    run("--config", str(demo), "config", "check")

    assert {path: path.read_bytes() for path in demo.parent.rglob("*") if path.is_file()} == before


def test_cron_hears_of_errors_only(run: Program, demo: Path) -> None:
    assert run("--config", str(demo), "config", "check", "--cron") == (0, "", "")
    text = demo.read_text(encoding="utf-8").replace("[orders]\n", '[orders]\nshops = ["LU"]\n')
    demo.write_text(text, encoding="utf-8")
    assert run("--config", str(demo), "config", "check", "--cron") == (
        78,
        "[orders] shops: LU is no shop of this PrestaShop. Name one of: NL (1), BE (2), DE (3).\n",
        f"Error: The configuration {demo} has 1 error.\nHint: Do what the table says, then check it again.\n",
    )


# --- show ------------------------------------------------------------------------------------------------


def test_what_is_in_effect_is_shown_with_where_it_comes_from(
    run: Program, demo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREKZSYNC_PRODUCTS__ALLOW_ZERO_PRICE", "true")

    done = run("--config", str(demo), "config", "show", "products")

    assert (done.code, done.err) == (0, "")
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert lines[:3] == [f"# {demo}", "", "[products]"]
    assert {
        'item_code = "reference" # default',
        f'output = "{demo.parent}/outbox" # file',
        "allow_zero_price = true # BREKZSYNC_PRODUCTS__ALLOW_ZERO_PRICE",
    } <= set(lines)
    assert tomllib.loads(done.out)["products"]["allow_zero_price"] is True


def test_the_whole_configuration_is_one_document(run: Program, demo: Path) -> None:
    document = run("--config", str(demo), "config", "show", "--json").document

    assert (document["file"], document["target"]) == (str(demo), None)
    assert document["configuration"]["exact_xml"]["vat_codes"]["21"] == "2"
    assert document["configuration"]["shop"]["image_dir"] is None
    assert document["origins"]["exact_xml"]["vat_codes"] == {"origin": "file", "source": None}
    assert document["origins"]["shop"]["image_dir"] == {"origin": "default", "source": None}


def test_a_password_is_not_shown(run: Program, tmp_path: Path) -> None:
    configure(
        tmp_path, '[shop]\ndatabase = "mysql://reader:hush@db/p"\ndata_shop = 1\nwebservice_key = "hush"\n'
    )

    shown = run("config", "show", "shop").out
    assert "://reader:***@db/p" in shown
    assert 'webservice_key = "***"' in shown
    assert "hush" not in shown + run("config", "show", "--json").out


def test_a_target_can_be_shown_by_its_table_and_as_its_runs_see_it(run: Program, demo: Path) -> None:
    with demo.open("a", encoding="utf-8") as file:
        file.write('[targets.be.exact_xml]\nunit = "stuk"\n')

    table = run("--config", str(demo), "config", "show", "targets.be")
    seen = run("--config", str(demo), "config", "show", "exact_xml", "--target", "be", "--json").document

    assert table.out == f'# {demo}\n\n[targets.be.exact_xml]\nunit = "stuk"  # file\n'
    assert seen["origins"]["exact_xml"]["unit"] == {"origin": "file", "source": "[targets.be.exact_xml]"}
    assert list(seen["configuration"]) == ["exact_xml"]


def test_a_misspelt_section_is_told_the_nearest(run: Program, demo: Path) -> None:
    assert run("--config", str(demo), "config", "show", "product") == (
        2,
        "",
        "Error: There is no section 'product' in the configuration.\nHint: Did you mean products?\n",
    )


def test_an_unknown_target_names_those_there_are(run: Program, demo: Path) -> None:
    done = run("--config", str(demo), "config", "show", "--target", "be", "--json")

    assert (done.code, done.document["error"]["code"]) == (78, "unknown_target")
