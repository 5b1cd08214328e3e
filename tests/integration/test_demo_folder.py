"""`brekzsync demo up`: what it makes, that it can be repeated, and what it leaves alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from filelock import FileLock

from brekzsync.demo.folder import make_demo
from brekzsync.demo.seed import data_file
from brekzsync.errors import InvalidInput, LockHeld, PermanentError
from brekzsync.settings import load_settings
from brekzsync.state.database import open_state
from tests.exports import brekzsync

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 21, 12, 15, tzinfo=UTC)


def _price(shop: Path) -> str:
    with closing(sqlite3.connect(shop)) as connection:
        query = "SELECT price FROM ps_product_shop WHERE id_product = 7 AND id_shop = 1"
        return str(connection.execute(query).fetchone()[0])


def _change_price(shop: Path) -> None:
    with closing(sqlite3.connect(shop)) as connection, connection:
        connection.execute("UPDATE ps_product_shop SET price = '99' WHERE id_product = 7")


def _visible(folder: Path) -> list[str]:
    """What a person sees, but for lock files: those stay once they were used."""
    names = {path.name for path in folder.iterdir() if path.suffix != ".lock"}
    return sorted(name for name in names if not name.startswith("."))


# --- making it --------------------------------------------------------------------------------------------


def test_demo_up_says_what_it_made_and_what_to_type_next(tmp_path: Path) -> None:
    assert brekzsync(tmp_path, "demo", "up") == (
        0,
        "Made a demo in demo: 3 shops (NL, BE, DE), 47 combinations, 20 orders.\n"
        "  shop.db         the shop, as a PrestaShop would hold it\n"
        "  erp.db          the ERP, as an Exact Globe would hold it\n"
        "  marketplace.db  the marketplace, with what its customers ordered in the shop\n"
        "  state.db        what brekzsync remembers: a few exclusions, nothing sent yet\n"
        "  brekzsync.toml  the configuration\n"
        "Next: brekzsync --config demo/brekzsync.toml products export\n",
        "",
    )
    assert _visible(tmp_path / "demo") == [
        "brekzsync.toml",
        "erp.db",
        "marketplace.db",
        "shop.db",
        "state.db",
    ]
    assert (tmp_path / "demo/brekzsync.toml").read_text(encoding="utf-8") == data_file("brekzsync.toml")


def test_demo_up_as_json_is_one_document(tmp_path: Path) -> None:
    said = brekzsync(tmp_path, "--json", "demo", "up", "--dir", "a shop")

    assert said.code == 0
    assert said.document == {
        "schema_version": 1,
        "command": "demo up",
        "ok": True,
        "dry_run": False,
        "directory": "a shop",
        "configuration": "a shop/brekzsync.toml",
        "shops": ["NL", "BE", "DE"],
        "products": 37,
        "combinations": 47,
        "orders": 20,
        "refunds": 5,
        "refreshed": False,
        "kept_configuration": False,
        "next": "brekzsync --config 'a shop/brekzsync.toml' products export",
    }


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    assert brekzsync(tmp_path, "demo", "up", "--dry-run") == (
        0,
        "A demo would be made in demo: 3 shops (NL, BE, DE), 47 combinations, 20 orders. Nothing was written.\n",
        "",
    )
    assert list(tmp_path.iterdir()) == []


def test_its_configuration_is_valid_and_stays_within_the_folder(tmp_path: Path) -> None:
    made = make_demo(tmp_path / "demo", NOW)

    settings = load_settings(made.configuration, {})

    assert settings.shop.database.get_secret_value() == f"sqlite:///{tmp_path}/demo/shop.db"
    assert settings.state.database.get_secret_value() == f"sqlite:///{tmp_path}/demo/state.db"
    assert settings.erp.database.get_secret_value() == f"sqlite:///{tmp_path}/demo/erp.db"
    assert settings.products.output == tmp_path / "demo/outbox"
    assert settings.shop.data_shop == "NL"
    assert settings.exact_xml.vat_codes == {"21": "2", "9": "1", "BE:21": "B2", "BE:6": "B1", "DE:19": "D2"}
    assert settings.exact_xml.language_slots == {"nl": 0}


def test_the_state_remembers_what_people_excluded_and_nothing_else(tmp_path: Path) -> None:
    make_demo(tmp_path / "demo", NOW)

    with closing(sqlite3.connect(tmp_path / "demo/state.db")) as state:
        exclusions = state.execute(
            "SELECT id_product, id_product_attribute, reference, by_whom FROM exclusion ORDER BY 1, 2"
        ).fetchall()
        sent = state.execute("SELECT count(*) FROM ledger").fetchone()

    assert exclusions == [
        (2, 202, "HB-ZW-M", "purchasing"),
        (2, 203, "HB-ZW-L", "purchasing"),
        (3, None, None, "logistics"),
    ]
    assert sent == (0,)


# --- repeating it -----------------------------------------------------------------------------------------


def test_a_second_demo_up_puts_everything_back_to_its_beginning_and_says_so(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    make_demo(demo, NOW)
    _change_price(demo / "shop.db")
    with closing(sqlite3.connect(demo / "erp.db")) as erp, erp:
        erp.execute("DELETE FROM Items")
    (demo / "outbox/items").mkdir(parents=True)
    (demo / "outbox/items/7-0.xml").write_text("<eExact/>", encoding="utf-8")

    code, output, errors = brekzsync(tmp_path, "demo", "up")

    assert (code, errors) == (0, "")
    assert output.startswith(
        "The demo in demo is back at its beginning: 3 shops (NL, BE, DE), 47 combinations, 20 orders,"
        " an empty outbox.\n"
    )
    assert _price(demo / "shop.db") == "6.570248"
    with closing(sqlite3.connect(demo / "erp.db")) as erp:
        assert erp.execute("SELECT count(*) FROM Items").fetchone() == (20,)
    assert _visible(demo) == ["brekzsync.toml", "erp.db", "marketplace.db", "shop.db", "state.db"]


def test_a_changed_configuration_is_kept_and_said_to_be(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    configuration = make_demo(demo, NOW).configuration
    changed = configuration.read_text(encoding="utf-8").replace('data_shop = "NL"', 'data_shop = "BE"')
    configuration.write_text(changed, encoding="utf-8")

    output = brekzsync(tmp_path, "demo", "up").out

    assert "  brekzsync.toml  the configuration (yours, kept as you changed it)\n" in output
    assert configuration.read_text(encoding="utf-8") == changed

    configuration.unlink()
    assert not make_demo(demo, NOW).kept_configuration
    assert configuration.read_text(encoding="utf-8") == data_file("brekzsync.toml")


def test_the_write_ahead_log_of_an_old_shop_does_not_reach_the_new_one(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    make_demo(demo, NOW)
    with closing(sqlite3.connect(demo / "shop.db")) as reader:
        reader.execute("PRAGMA journal_mode = WAL")
        reader.execute("SELECT count(*) FROM ps_shop").fetchone()
        _change_price(demo / "shop.db")
        assert (demo / "shop.db-wal").stat().st_size > 0

        make_demo(demo, NOW)

        assert _price(demo / "shop.db") == "6.570248"
        with closing(sqlite3.connect(demo / "shop.db")) as shop:
            assert shop.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_what_an_interrupted_demo_up_left_is_taken_over(tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    make_demo(demo, NOW)
    (demo / "state.db").unlink()
    (demo / "brekzsync.toml").unlink()
    (demo / ".building").mkdir()
    (demo / ".building/shop.db").write_bytes(b"half a shop")

    assert make_demo(demo, NOW).refreshed

    assert _visible(demo) == ["brekzsync.toml", "erp.db", "marketplace.db", "shop.db", "state.db"]
    assert not (demo / ".building").exists()


def test_a_failure_while_building_leaves_the_old_demo_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = tmp_path / "demo"
    make_demo(demo, NOW)
    _change_price(demo / "shop.db")

    def full_disk(path: Path, now: datetime) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("brekzsync.demo.folder._make_state", full_disk)
    with pytest.raises(PermanentError) as failure:
        make_demo(demo, NOW)

    assert failure.value.message == f"The demo cannot be made in {demo}: No space left on device."
    assert _price(demo / "shop.db") == "99"
    assert not (demo / ".building").exists()


# --- refusing ---------------------------------------------------------------------------------------------


def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo/shop.db").write_text("precious", encoding="utf-8")

    assert brekzsync(tmp_path, "demo", "up") == (
        2,
        "",
        "Error: demo holds something that is not a brekzsync demo.\n"
        "Hint: Name a new or empty folder: brekzsync demo up --dir FOLDER\n",
    )
    assert (tmp_path / "demo/shop.db").read_text(encoding="utf-8") == "precious"
    assert _visible(tmp_path / "demo") == ["shop.db"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("precious", encoding="utf-8")

    with pytest.raises(InvalidInput, match="is not a folder"):
        make_demo(tmp_path / "demo", NOW)

    assert (tmp_path / "demo").read_text(encoding="utf-8") == "precious"


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    assert make_demo(tmp_path, NOW).refreshed is False


@pytest.mark.parametrize(
    ("ours", "theirs", "named"),
    [
        ('"sqlite:///shop.db"', '"mysql://shop@localhost/prestashop"', r"\[shop\] database"),
        ('"sqlite:///erp.db"', '"mssql+pyodbc://reader@globe/500?driver=FreeTDS"', r"\[erp\] database"),
        ('"sqlite:///state.db"', '"sqlite:////var/lib/brekzsync/state.db"', r"\[state\] database"),
        ('"outbox"', '"/srv/exact"', r"\[products\] output"),
    ],
)
def test_a_demo_that_was_turned_to_a_real_shop_is_not_thrown_away(
    tmp_path: Path, ours: str, theirs: str, named: str
) -> None:
    configuration = make_demo(tmp_path, NOW).configuration
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(text.replace(ours, theirs, 1), encoding="utf-8")
    _change_price(tmp_path / "shop.db")

    with pytest.raises(InvalidInput, match=f"no longer the demo's: {named} was changed"):
        make_demo(tmp_path, NOW)

    assert _price(tmp_path / "shop.db") == "99"


def test_two_at_once_do_not_mix(tmp_path: Path) -> None:
    make_demo(tmp_path, NOW)

    with (
        FileLock(tmp_path / ".brekzsync-demo.lock"),
        pytest.raises(LockHeld, match="Another `brekzsync demo up`"),
    ):
        make_demo(tmp_path, NOW)


def test_nothing_is_replaced_under_a_run_that_is_at_work(tmp_path: Path) -> None:
    make_demo(tmp_path, NOW)
    _change_price(tmp_path / "shop.db")

    with (
        open_state(f"sqlite:///{tmp_path}/state.db", create=False) as state,
        state.locks.hold("product", "exact"),
        pytest.raises(LockHeld, match='Another run of the flow "product" to "exact" is at work'),
    ):
        make_demo(tmp_path, NOW)

    assert _price(tmp_path / "shop.db") == "99"


def test_a_damaged_state_is_no_obstacle(tmp_path: Path) -> None:
    make_demo(tmp_path, NOW)
    (tmp_path / "state.db").write_bytes(b"not a database at all" * 100)

    make_demo(tmp_path, NOW)

    open_state(f"sqlite:///{tmp_path}/state.db", create=False).close()


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(PermanentError) as failure:
        make_demo(tmp_path / "file/demo", NOW)

    assert failure.value.message == f"The demo cannot be made in {tmp_path}/file/demo: Not a directory."
