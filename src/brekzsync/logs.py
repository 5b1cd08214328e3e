"""The log: one line per event with the run's id, secrets taken out before anything is written."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from pathlib import Path

from brekzsync.errors import ConfigurationError

ROOT = "brekzsync"
HIDDEN = "***"

_SECRET_WORD = (
    r"(?:[\w-]{0,40}(?:password|passwd|passphrase|pwd|secret|token"
    r"|api[_-]?key|ws[_-]?key|webservice[_-]?key))"
)
_PATTERNS = (
    # scheme://user:password@host; the last @ before a / ends the password
    (
        re.compile(r"(?P<keep>\b[a-z][\w+.-]{0,30}://[^\s:/@]*:)[^\s/]*(?=@)", re.IGNORECASE),
        rf"\g<keep>{HIDDEN}",
    ),
    (re.compile(r"(?P<keep>\b(?:Bearer|Basic)\s+)[\w.~+/=-]{4,}", re.IGNORECASE), rf"\g<keep>{HIDDEN}"),
    (
        re.compile(rf"(?P<keep>[\"']{_SECRET_WORD}[\"']\s*:\s*)(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE),
        rf"\g<keep>{HIDDEN}",
    ),
    (
        re.compile(
            rf"(?P<keep>\b{_SECRET_WORD}\s*=\s*)(?:\{{[^}}]*\}}|\"[^\"]*\"|'[^']*'|[^\s;&,'\")]+)",
            re.IGNORECASE,
        ),
        rf"\g<keep>{HIDDEN}",
    ),
)
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_CONTROLS |= {0x0A: "\\n", 0x09: "\t"}
_SHORTEST_KNOWN_SECRET = 4  # a shorter one would blot out ordinary words

_known_secrets: list[str] = []
_run_id = "-"


def hide(secrets: Iterable[str]) -> None:
    """Remember secrets of the configuration, which are then taken out wherever they appear."""
    known = {*_known_secrets, *(secret for secret in secrets if len(secret) >= _SHORTEST_KNOWN_SECRET)}
    _known_secrets[:] = sorted(known, key=len, reverse=True)


def redact(text: str) -> str:
    """The text without passwords, tokens and keys, known ones and what looks like one."""
    for secret in _known_secrets:
        text = text.replace(secret, HIDDEN)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text


def set_run(name: str) -> None:
    """The run every line from now on belongs to, in this process and all its threads."""
    global _run_id
    _run_id = name


def configure(file: Path | None = None, level: str = "INFO", verbosity: int = 0) -> None:
    """Log to ``file`` and, from ``-v`` on, to stderr; called again, it replaces what was set up.

    Tracebacks go to the file only.
    """
    logger = logging.getLogger(ROOT)
    for handler in logger.handlers[:]:
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    logger.setLevel(level)
    if file is not None:
        handler = _open(file)
        handler.setFormatter(LineFormatter())
        handler.setLevel(level)
        logger.addHandler(handler)
    if verbosity > 0:
        talk = logging.StreamHandler()
        talk.setFormatter(LineFormatter(tracebacks=False))
        talk.setLevel(logging.DEBUG if verbosity > 1 else logging.INFO)
        logger.addHandler(talk)
        logger.setLevel(min(logger.level, talk.level))


class LineFormatter(logging.Formatter):
    """UTC time, level, run, logger, message; a message stays on one line whatever data it quotes."""

    def __init__(self, *, tracebacks: bool = True) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%SZ")
        self.converter = time.gmtime
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        """The finished line, redacted last so that nothing is added after it."""
        message = record.getMessage().translate(_CONTROLS)
        moment = self.formatTime(record, self.datefmt)
        line = f"{moment} {record.levelname:<7} {_run_id} {record.name}: {message}"
        if self._tracebacks and record.exc_info and record.exc_info[0] is not None:
            trace = self.formatException(record.exc_info)
            line += "\n" + "\n".join(part.translate(_CONTROLS) for part in trace.splitlines())
        return redact(line).encode("utf-8", "backslashreplace").decode("utf-8")


def _open(file: Path) -> logging.Handler:
    from logging.handlers import WatchedFileHandler  # logrotate may move the file away; 5 ms to import

    try:
        return WatchedFileHandler(file, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"Cannot write the log file {file}: {error.strerror}.",
            hint="Create its folder and let the user brekzsync runs as write there, or change [log] file.",
        ) from error
