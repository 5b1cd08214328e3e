"""The demo's AsImport: ``python -m brekzsync.demo.asimport FILE TOPIC --erp erp.db --log log.xml``.

An agent can be given this command where a real one has AsImport.exe. Its log is an eExact document of ``Messages``
(facts/exact-globe.md 3.2).
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from brekzsync.agent.untrusted_xml import NotXml, read_xml
from brekzsync.demo.exact_import import TOPICS, ExactImport, ImportMessage, open_erp
from brekzsync.exact.eexact.items import DOCUMENT_END, DOCUMENT_START, escape

_NOTHING_IMPORTED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Import one topic of a file; the exit code says only whether the file and the ERP could be read."""
    options = _parser().parse_args(arguments)
    now = datetime.now(UTC)
    topic = next(name for name in TOPICS if name.lower() == options.topic.lower())
    try:
        document = read_xml(options.file.read_bytes())
        importing = ExactImport(open_erp(options.erp), now)
        told = list(importing.topic(document, topic))
        _write(options.log, messages_document(told, now.date()))
    except NotXml as error:
        return _say(f"{options.file} is not XML: {error}.")
    except OSError as error:
        return _say(f"{error.filename or options.file}: {error.strerror or error}.")
    except DBAPIError as error:
        return _say(f"The ERP {options.erp} cannot be written to: {error.orig}.")
    return 0


def messages_document(told: Iterable[ImportMessage], today: date) -> str:
    """What became of records, as Exact writes such things."""
    return f"{DOCUMENT_START}<Messages>\n{''.join(_message(one, today) for one in told)}</Messages>\n{DOCUMENT_END}"


def _message(told: ImportMessage, today: date) -> str:
    key = f'<DataKey code="{escape(told.code)}">{escape(told.code)}</DataKey>' if told.code else ""
    return (
        f'<Message type="{told.kind}"><Topic code="{told.topic}" node="{told.node}">{key}</Topic>'
        f"<Date>{today.isoformat()}</Date><Description>{escape(told.words)}</Description></Message>\n"
    )


def _write(path: Path, text: str) -> None:
    """Whole or not at all: who reads half a log would take the rest for not imported."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="asimport", description="Import one topic into the demo's ERP.")
    parser.add_argument("file", type=Path, metavar="FILE", help="an eExact document")
    parser.add_argument("topic", type=_topic, metavar="TOPIC", help=", ".join(TOPICS))
    parser.add_argument("--erp", type=Path, required=True, metavar="ERP.db", help="the demo's ERP")
    parser.add_argument("--log", type=Path, required=True, metavar="LOG", help="what became of each record")
    for name in ("--server", "--database"):
        parser.add_argument(name, help="as AsImport takes it; the demo has one ERP and does not look at it")
    return parser


def _topic(name: str) -> str:
    if name.lower() not in {topic.lower() for topic in TOPICS}:
        raise argparse.ArgumentTypeError(f"{name} is none of {', '.join(TOPICS)}")
    return name


def _say(sentence: str) -> int:
    sys.stderr.write(f"{sentence}\n")
    return _NOTHING_IMPORTED


if __name__ == "__main__":
    sys.exit(main())
