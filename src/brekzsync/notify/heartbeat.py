"""Calls that tell a monitoring service how a command does, so that silence is noticed elsewhere.

The address alone says that it succeeded, with ``/start`` added that it began, with ``/3`` that it ended with exit
code 3: what healthchecks.io and its like understand.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from time import sleep
from urllib.parse import urlsplit

import httpx2

TIMEOUT = 5.0  # seconds to connect, and again for the answer
LIMIT = 12.0  # seconds a call may take in all, whatever hangs
_ATTEMPTS = 2


class Heartbeat:
    """The calls for one run of one command. None raises: each returns what went wrong, as a sentence, or nothing."""

    def __init__(self, url: str, command: str, *, pause: float = 1.0) -> None:
        self._url = url
        self._command = command
        self._pause = pause

    def began(self) -> str:
        """Tell that the command began."""
        return self._call("start")

    def ended(self, exit_code: int) -> str:
        """Tell how it ended."""
        return self._call(str(exit_code) if exit_code else "")

    def _call(self, word: str) -> str:
        trouble = _within(LIMIT, lambda: self._asked(word))
        # The address itself is not told: whoever knows it can call it.
        return trouble and f"The heartbeat of `{self._command}` was not heard: {self._host} {trouble}."

    def _asked(self, word: str) -> str:
        """Once more after what may pass; what was wrong, or nothing."""
        trouble = ""
        for attempt in range(_ATTEMPTS):
            if attempt:
                sleep(self._pause)
            try:
                status = self._status(_longer(self._url, word))
            except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeError):
                return "is no address that can be called"
            except httpx2.TimeoutException:
                trouble = "did not answer in time"
                continue
            except httpx2.HTTPError as error:
                trouble = f"cannot be reached ({error})"
                continue
            if status < 300:
                return ""
            trouble = f"answered HTTP {status}"
            if status < 500 and status != 429:
                break
        return trouble

    def _status(self, url: str) -> int:
        with (
            httpx2.Client(
                timeout=TIMEOUT, follow_redirects=True, headers={"User-Agent": "brekzsync"}
            ) as client,
            client.stream("GET", url) as answer,  # what else it says is not read
        ):
            return answer.status_code

    @property
    def _host(self) -> str:
        try:
            return urlsplit(self._url).hostname or "its address"
        except ValueError:
            return "its address"


def _longer(url: str, word: str) -> str:
    """The address with a word added to its path; what follows a question mark stays behind it."""
    if not word:
        return url
    path, mark, query = url.partition("?")
    return f"{path.rstrip('/')}/{word}{mark}{query}"


def _within(limit: float, ask: Callable[[], str]) -> str:
    """In a thread that is left behind: looking up a name has no timeout of its own."""
    said: list[str] = []

    def work() -> None:
        try:
            said.append(ask())
        except Exception as error:  # whatever it is, a run does not end because of it
            said.append(f"could not be called ({type(error).__name__})")

    thread = Thread(target=work, daemon=True)
    thread.start()
    thread.join(limit)
    return said[0] if said else "did not answer in time"
