"""The agent's configuration file, its log readers, and what it imports."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from brekzsync.agent.configuration import BadConfiguration, load
from brekzsync.agent.results import LogMessage, Verdict, messages, recognised, recognisers_of, verdicts
from brekzsync.agent.schedule import JobThread
from brekzsync.agent.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
SMALLEST = """
[shop]
url = "https://shop.example.com/exact/"
token = "t"
[import]
command = ['C:\\bin\\AsImport.exe', '-URL{file}', '-T{topic}']
[jobs.products]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agent.toml"


def problems(file: Path, text: str) -> list[str]:
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadConfiguration) as bad:
        load(file)
    return bad.value.problems


def test_the_smallest_file_listens_on_loopback_only(file: Path) -> None:
    file.write_text(SMALLEST, encoding="utf-8")

    read = load(file)

    assert (read.host, read.port, read.secret, read.work) == ("127.0.0.1", 6666, "", file.parent / "work")
    assert (read.shop.url, read.importing.time_limit) == ("https://shop.example.com/exact", 600)
    assert [(job.name, job.path, job.topics, job.every, job.batch) for job in read.jobs] == [
        ("products", "products", ("Items", "ItemPrices"), 300, 1)
    ]


def test_secrets_are_shown_by_nothing_that_prints_a_configuration(file: Path) -> None:
    file.write_text(SMALLEST.replace('"t"', '"hidden-token"'), encoding="utf-8")

    assert "hidden-token" not in repr(load(file))


def test_secrets_may_come_from_a_file_or_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file.parent / "token").write_text("from a file\n", encoding="utf-8")
    file.write_text(SMALLEST.replace('token = "t"', 'token_file = "token"'), encoding="utf-8")
    assert load(file).shop.token == "from a file"

    monkeypatch.setenv("BREKZSYNC_SHOP_TOKEN", "from the environment")
    assert load(file).shop.token == "from the environment"


def test_all_mistakes_are_told_at_once(file: Path) -> None:
    assert problems(
        file,
        """
[agent]
host = "0.0.0.0"
port = 70000
prot = 1
[shop]
url = "shop.example.com"
[import]
command = ["AsImport.exe", "{fiel}"]
[jobs.products]
every = "often"
batch = true
[jobs.things]
[shops]
""",
    ) == [
        "[shops] is no table of this file.",
        "[agent] port must be a whole number from 1 to 65535.",
        "[shop] url must be an address such as https://shop.example.com/exact.",
        "[shop] token must be set, or token_file, or $BREKZSYNC_SHOP_TOKEN.",
        "[import] uses {fiel}; there are {file}, {topic}, {server}, {database}, {name}.",
        "[import] command must hold {file}, or AsImport would not know what to read.",
        '[jobs.products] every must be a duration such as 30s, 5m or 1h, or "off".',
        "[jobs.products] batch must be a whole number from 1 to 500.",
        '[jobs.things] topics must name what is imported, such as ["Items"].',
        "[agent] secret must be set to listen on 0.0.0.0: without one only 127.0.0.1 is safe.",
        "[agent] has no key prot; it has host, log, port, secret, secret_file, work.",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[shop", "It is not TOML: "),
        (SMALLEST.replace("[jobs.products]", ""), "There is no job: add a table [jobs.products]."),
        (SMALLEST.replace("[jobs.products]", "[jobs]\nproducts = 1"), "[jobs.products] must be a table"),
        (SMALLEST.replace("[jobs.products]", "jobs = 1"), "[import] has no key jobs"),
        (SMALLEST + "[agent]\nsecret = 'short'", "[agent] secret must have at least 16 characters."),
        (SMALLEST.replace('"t"', '"é"'), "[shop] token may hold printable ASCII characters only."),
        (SMALLEST.replace('token = "t"', 'token_file = "no"'), "[shop] token_file cannot be read"),
        (
            SMALLEST.replace("[import]", "[import]\ntime_limit = '0s'"),
            "[import] time_limit must be a duration",
        ),
    ],
)
def test_a_mistake_is_a_sentence(file: Path, text: str, problem: str) -> None:
    assert any(one.startswith(problem) for one in problems(file, text))


def test_a_file_that_is_not_there_is_one(file: Path) -> None:
    with pytest.raises(BadConfiguration, match="There is no such file"):
        load(file)


def test_the_file_and_the_log_reader_of_the_page_work(file: Path) -> None:
    page = (ROOT / "docs/how-to/agent-on-windows.md").read_text(encoding="utf-8")
    toml, python = (page.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("toml", "python"))
    file.write_text(toml, encoding="utf-8")
    (file.parent / "token.txt").write_text("t", encoding="utf-8")
    (file.parent / "our_log.py").write_text(python, encoding="utf-8")

    assert [(job.name, job.batch) for job in load(file).jobs] == [
        ("products", 50),
        ("orders", 1),
        ("refunds", 1),
    ]
    [ours] = recognisers_of(["our_log.py"], file.parent)
    assert ours("IMPORT\nA;OK;é\nB;NO;No group".encode("cp1252")) == [
        ("A", True, "é"),
        ("B", False, "No group"),
    ]
    assert ours(b"other") is None


def test_the_page_names_every_key(file: Path) -> None:
    page = (ROOT / "docs/how-to/agent-on-windows.md").read_text(encoding="utf-8")
    told = problems(file, "[agent]\nx=1\n[shop]\nx=1\n[import]\nx=1\n[jobs.products]\nx=1\n")

    known = [one.partition("it has ")[2].rstrip(".").split(", ") for one in told if "has no key x" in one]
    assert len(known) == 4
    assert [key for keys in known for key in keys if f"`{key}" not in page and f"] {key}`" not in page] == []


# --- logs --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["messages_schema_form.xml", "messages_online_form.xml"])
def test_both_forms_of_messages_are_read(shared: Path, name: str) -> None:
    read = messages((shared / "data/exact/samples" / name).read_bytes())

    assert read is not None
    assert [(one.code, one.is_imported) for one in read] == [("NL-CRM-050", True), ("NL-OIL-100", False)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_logs_in_the_encodings_of_windows_are_read(encoding: str) -> None:
    told = '<Topic><DataKey code="É"/></Topic><Description>é  è</Description>'
    log = f'<eExact><Messages><Message type="0">{told}</Message></Messages></eExact>'

    assert messages(log.encode(encoding)) == [LogMessage("É", False, "é è")]


@pytest.mark.parametrize(
    "log",
    [
        b"",
        b"<eExact>",
        b"<eExact/>",
        b"<Messages/>",
        b"plain text",
        b'<!DOCTYPE eExact [<!ENTITY a "aaaa">]><eExact><Messages/></eExact>',
        '<!DOCTYPE eExact SYSTEM "file:///etc/passwd"><eExact><Messages/></eExact>'.encode("utf-16"),
        b"<eExact>" + b"<a>" * 100_000,
    ],
)
def test_what_is_no_messages_document_is_not_recognised(log: bytes) -> None:
    assert messages(log) is None


def test_any_word_against_a_record_rejects_it_and_one_in_an_unread_log_does_not_import_it() -> None:
    good, bad = LogMessage(" a ", True, "Updated"), LogMessage("A", False, "No such\ngroup")

    assert verdicts(["A", "B"], [[good]], "?") == [
        Verdict("imported", "Updated"),
        Verdict("handed_over", "?"),
    ]
    assert verdicts(["A"], [[good], [bad]], "?") == [Verdict("rejected", "No such group")]
    assert verdicts(["A"], [[good], None], "?") == [Verdict("handed_over", "?")]
    assert verdicts(["A"], [[bad], None], "?") == [Verdict("rejected", "No such group")]
    assert verdicts([""], [[good._replace(code="")]], "?") == [Verdict("handed_over", "?")]
    assert len(verdicts(["A"], [], "x" * 5000)[0].message) == 1000


def test_a_recogniser_that_breaks_recognises_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def recognise(log):\n    return [(1, 2)]\n", encoding="utf-8")

    assert recognised(b"x", recognisers_of(["mine.py", "messages"], tmp_path)) is None


# --- the program -------------------------------------------------------------------------------------------


def test_the_agent_imports_the_standard_library_and_itself_only() -> None:
    foreign = set()
    for path in (ROOT / "src/brekzsync/agent").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            foreign |= {name for name in names if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name for name in foreign if not name.startswith("brekzsync.agent.")} == set()


def test_its_version_is_the_projects() -> None:
    assert f'version = "{VERSION}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def test_the_pause_doubles_with_each_failure_up_to_an_hour_and_is_never_quite_the_same() -> None:
    class Plan:
        every, name = 300.0, "products"

    class Job:
        plan = Plan

    pauses = []
    for failures in (0, 1, 2, 3, 4, 50):
        for chance in (0.0, 1.0):
            thread = JobThread(Job, None, chance=lambda chance=chance: chance)  # type: ignore[arg-type, misc]
            thread._failures = failures
            pauses.append(round(thread._pause() or 0))
    assert pauses == [270, 330, 540, 660, 1080, 1320, 2160, 2640, 3240, 3960, 3240, 3960]
