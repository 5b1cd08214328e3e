"""Exact Online's REST API: which item a key of it means.

Addresses and fields are those of facts/exact-globe.md section 7.4. Its limits hold for the app and the company,
whoever asks: what was spent is counted where all processes see it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import httpx2
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from brekzsync.domain.call_budget import CallBudget, Later
from brekzsync.errors import AccessDenied, ConfigurationError, PermanentError, Unavailable

Told = TypeVar("Told")

TIMEOUT: Final = httpx2.Timeout(30.0, connect=5.0)
MAX_BYTES: Final = 1024 * 1024
_SECTION: Final = "[exact_online]"
_log = logging.getLogger(__name__)


class _Question(NamedTuple):
    """Where a topic's key is asked, and the field that holds the item code."""

    address: str
    field: str


QUESTIONS: Final = {
    "StockPositions": _Question("sync/Inventory/StockPositions", "ItemCode"),
    "Items": _Question("sync/Logistics/Items", "Code"),
}


class Counts(Protocol):
    """Keeps the budget, one change at a time over all processes."""

    def change(self, work: Callable[[CallBudget], tuple[CallBudget, Told]]) -> Told: ...


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    content: bytes


class ExactOnline:
    """One division, asked with an access token that somebody else keeps fresh."""

    def __init__(
        self, url: str, division: int, access_token: str, counts: Counts, clock: Callable[[], datetime]
    ) -> None:
        self._base = f"{url.rstrip('/')}/{division}"
        self.division = division
        self._counts = counts
        self._clock = clock
        if not (access_token.isascii() and access_token.isprintable()):
            raise ConfigurationError(
                f"{_SECTION} access_token holds a character that no token has.",
                hint="Give the token alone, with nothing around it.",
            )
        headers = {"Authorization": f"Bearer {access_token}", "Accept": "application/json"}
        # Redirects are not followed: the token is for this host alone.
        self._client = httpx2.Client(timeout=TIMEOUT, follow_redirects=False, headers=headers)

    def can_tell(self, topic: str) -> bool:
        """Whether a key of this topic leads to an item."""
        return topic in QUESTIONS

    def item_code(self, topic: str, key: str) -> str | None:
        """The code of the item a key of this topic means; None when there is nothing with this key (any more).

        Raises Later when the limits do not allow a call now, AccessDenied, ConfigurationError, Unavailable, and
        PermanentError for an answer nobody understands.
        """
        question = QUESTIONS[topic]
        parameters = {"$filter": f"ID eq guid'{key.strip('{}').lower()}'", "$select": question.field}
        answer = self._get(question.address, parameters)
        rows = _rows(answer.content, self._base)
        code = str(rows[0].get(question.field) or "").strip() if rows else ""
        return code or None

    def close(self) -> None:
        """Let go of its connections."""
        self._client.close()

    def _get(self, address: str, parameters: Mapping[str, str]) -> _Answer:
        """One call within the limits, counted whatever becomes of it."""
        self._counts.change(lambda budget: self._take(budget, address))
        status = 0
        headers: Mapping[str, str] = {}
        try:
            answer = self._sent(f"{self._base}/{address}", parameters)
            status, headers = answer.status, answer.headers
        finally:
            now = self._now()
            self._counts.change(lambda budget: (budget.answered(now, address, status, headers), None))
        _log.debug("%s answered %s", address, status)
        self._judge(answer, address)
        return answer

    def _take(self, budget: CallBudget, address: str) -> tuple[CallBudget, None]:
        now = self._now()
        wait, why = budget.wait(now, address)
        if wait:
            raise self._later(now + wait, why)
        return budget.spent(now), None

    def _sent(self, url: str, parameters: Mapping[str, str]) -> _Answer:
        """Tried again only where no connection came about: nothing was asked then."""
        retrying = Retrying(
            stop=stop_after_attempt(3),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            retry=retry_if_exception_type(httpx2.ConnectError),
            reraise=True,
        )
        try:
            return retrying(self._once, url, parameters)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeError) as error:
            raise ConfigurationError(
                f"{self._base} is no address that can be asked.", hint=f"Correct {_SECTION} url."
            ) from error
        except httpx2.TimeoutException as error:
            raise self._unavailable("did not answer in time") from error
        except httpx2.HTTPError as error:
            raise self._unavailable(f"cannot be reached ({error})") from error

    def _once(self, url: str, parameters: Mapping[str, str]) -> _Answer:
        with self._client.stream("GET", url, params=dict(parameters)) as response:
            content = bytearray()
            for piece in response.iter_bytes():
                content += piece
                if len(content) > MAX_BYTES:
                    raise self._nonsense("answered more than a list of items can be")
            headers = {name.lower(): value for name, value in response.headers.items()}
            return _Answer(response.status_code, headers, bytes(content))

    def _judge(self, answer: _Answer, address: str) -> None:
        match answer.status:
            case 200:
                return
            case 401:
                raise AccessDenied(
                    f"{self._base} refused the access token (HTTP 401).",
                    hint=f"Tokens last ten minutes: see that whoever owns the app keeps {_SECTION} access_token fresh.",
                )
            case 403:
                raise AccessDenied(
                    f"{self._base} does not let this app read {address} (HTTP 403).",
                    hint="Give the app's user the right to read logistics in this division.",
                )
            case 429:
                now = self._now()
                wait, why = self._counts.change(lambda budget: (budget, budget.wait(now, address)))
                raise self._later(now + wait, why)
            case status if status >= 500 or status == 408:
                raise self._unavailable(f"answered HTTP {status}")
            case 404 | 301 | 302 | 303 | 307 | 308:
                raise ConfigurationError(
                    f"{self._base} knows no {address} (HTTP {answer.status}).",
                    hint=f"Correct {_SECTION} url and division.",
                    code="unknown_division",
                )
            case status:
                raise self._nonsense(f"answered HTTP {status} to {address}")

    def _later(self, until: int, why: str) -> Later:
        at = datetime.fromtimestamp(until / 1000, UTC)
        return Later(f"Exact Online may be asked again at {at:%H:%M} UTC ({why})", at)

    def _unavailable(self, what: str) -> Unavailable:
        return Unavailable(f"{self._base} {what}.", hint="What was to be asked waits for the next run.")

    def _nonsense(self, what: str) -> PermanentError:
        return PermanentError(
            f"{self._base} {what}.", hint=f"Correct {_SECTION} url if it is not Exact Online's."
        )

    def _now(self) -> int:
        return int(self._clock().timestamp() * 1000)


def _rows(content: bytes, base: str) -> list[Mapping[str, Any]]:
    """The rows of an OData answer, whose list may stand in ``d`` or in its ``results``."""
    try:
        found = json.loads(content)["d"]
        listed = found["results"] if isinstance(found, dict) else found
        if not all(isinstance(row, dict) for row in listed):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise PermanentError(
            f"{base} did not answer a list of items.", hint=f"Correct {_SECTION} url."
        ) from None
    return list(listed)
