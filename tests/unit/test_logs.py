from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brekzsync import logs
from brekzsync.errors import ConfigurationError


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(logs, "_known_secrets", [])
    monkeypatch.setattr(logs, "_run_id", "-")
    yield
    logs.configure()


def lines_of(file: Path) -> list[str]:
    return [
        re.sub(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", line) for line in file.read_text().splitlines()
    ]


def test_a_line_has_time_level_run_and_origin(tmp_path: Path) -> None:
    file = tmp_path / "log"
    logs.configure(file, "INFO")
    log = logging.getLogger("brekzsync.flows.frame")
    log.debug("unseen")
    log.info("before")
    logs.set_run("20261121T121500Z-4f2a9c")
    log.warning("during %d", 7)
    assert lines_of(file) == [
        "TIME INFO    - brekzsync.flows.frame: before",
        "TIME WARNING 20261121T121500Z-4f2a9c brekzsync.flows.frame: during 7",
    ]


def test_data_cannot_forge_a_line(tmp_path: Path) -> None:
    file = tmp_path / "log"
    logs.configure(file)
    logging.getLogger("brekzsync").info("name %s", "x\n2026-01-01 forged\x1b[2J\r\x85 \ud800")
    assert lines_of(file) == [r"TIME INFO    - brekzsync: name x\n2026-01-01 forged\x1b[2J\x0d\x85 \ud800"]


def test_a_traceback_reaches_the_file_without_its_secrets_and_not_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "log"
    logs.configure(file, verbosity=1)
    logs.hide(["s3cr3t-value"])
    try:
        raise ValueError("cannot reach mysql://u:hunter2@h/d with s3cr3t-value")
    except ValueError:
        logging.getLogger("brekzsync").exception("failed")
    text = file.read_text()
    assert "Traceback" in text
    assert "ValueError: cannot reach mysql://u:***@h/d with ***" in text
    assert "hunter2" not in text
    assert "s3cr3t" not in text
    said = capsys.readouterr().err
    assert "failed" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("mysql+pymysql://u:p@ss@h:3306/d", "mysql+pymysql://u:***@h:3306/d"),
        ("see https://shop.example/a:b@c", "see https://shop.example/a:b@c"),
        ("Authorization: Bearer abc.def-1", "Authorization: Bearer ***"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: Basic ***"),
        ("GET /exact/products?token=abc&limit=5", "GET /exact/products?token=***&limit=5"),
        ("/api/orders?ws_key=ABCDEF", "/api/orders?ws_key=***"),
        ("DRIVER=x;UID=sa;PWD={a;b};Server=s", "DRIVER=x;UID=sa;PWD=***;Server=s"),
        ("{'password': 'x y', \"api_key\": \"z\"}", "{'password': ***, \"api_key\": ***}"),
        ('exact_token = "abc def", port = 1', "exact_token = ***, port = 1"),
        ("12 tokens of 3 secrets", "12 tokens of 3 secrets"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, redacted: str) -> None:
    assert logs.redact(text) == redacted


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=4), st.text(), st.text())
def test_a_known_secret_never_passes(secret: str, before: str, after: str) -> None:
    logs._known_secrets.clear()
    logs.hide([secret])
    if secret not in logs.HIDDEN * 3:
        assert secret not in logs.redact(f"{before} {secret} {after}").replace(logs.HIDDEN, "\0")


def test_a_secret_of_a_few_letters_does_not_blot_out_words() -> None:
    logs.hide(["p", "", "abc"])
    assert logs.redact("a pipe abc") == "a pipe abc"


def test_a_log_file_that_cannot_be_written_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        logs.configure(tmp_path / "missing" / "log")
    assert caught.value.message == (
        f"Cannot write the log file {tmp_path}/missing/log: No such file or directory."
    )
    assert "[log] file" in caught.value.hint


def test_logrotate_may_move_the_file_away(tmp_path: Path) -> None:
    file = tmp_path / "log"
    logs.configure(file)
    log = logging.getLogger("brekzsync")
    log.info("one")
    file.rename(tmp_path / "log.1")
    log.info("two")
    assert [line[-3:] for line in lines_of(file)] == ["two"]


def test_configuring_again_replaces_what_was(tmp_path: Path) -> None:
    logs.configure(tmp_path / "one")
    logs.configure(tmp_path / "two", "ERROR")
    logging.getLogger("brekzsync").error("x")
    logging.getLogger("brekzsync").info("y")
    assert (tmp_path / "one").read_text() == ""
    assert len(lines_of(tmp_path / "two")) == 1
