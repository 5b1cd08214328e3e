"""One request to Shopping Feed's API, and what becomes of it (facts/shoppingfeed.md section 1.9).

What only reads is tried again for a moment. What writes is sent again only when it certainly was not carried out: no
connection came about, or there were too many requests. Where that cannot be told it is Unclear, and whoever asked
looks before anything is repeated.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from math import ceil
from ssl import SSLContext
from typing import Any, Final, NamedTuple, Never, TypedDict
from urllib.parse import urlsplit

import httpx2

from brekzsync.domain.marketplace import Doubt, Refused, Unclear
from brekzsync.errors import AccessDenied, ConfigurationError, Unavailable
from brekzsync.marketplace.addresses import host, is_overheard, is_same_server, joined
from brekzsync.marketplace.answers import Resource, asked_wait, refusal, resource
from brekzsync.marketplace.patience import WHEN_LIMITED, Patience, TryAgain

CONNECT_TIMEOUT: Final = 5.0
READ_TIMEOUT: Final = 30.0
WHOLE_ANSWER: Final = 4  # read timeouts, for an answer that comes in drops
MAX_ANSWER: Final = 8 * 1024 * 1024
LONGEST_WAIT: Final = 60.0  # seconds in all, for one request
FIRST_WAIT: Final = 0.5
_REFUSALS: Final = (400, 404, 409, 410, 413, 422)
_YEAR: Final = 365 * 86400
_SETTING: Final = "[marketplace] base_url"
_log = logging.getLogger(__name__)


class _Request(NamedTuple):
    """``told`` is what a POST says; a GET says nothing."""

    path: str
    parameters: Mapping[str, str] | None = None
    told: Mapping[str, Any] | None = None

    @property
    def writes(self) -> bool:
        return self.told is not None

    def __str__(self) -> str:
        return f"{'POST' if self.writes else 'GET'} {urlsplit(self.path).path}"


class _Answer(NamedTuple):
    """``fault`` says why the content is not whole; the status was told before."""

    status: int
    headers: httpx2.Headers
    content: bytes
    fault: str = ""


class Options(TypedDict, total=False):
    """How patient a connection is, in seconds; ``sends`` is how often a request is sent at most, ``token_name`` says to
    people where the token stands."""

    read_timeout: float
    longest_wait: float
    first_wait: float
    sends: int
    token_name: str
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]


class Connection:
    """The API at an address, asked with one token; not for threads to share.

    Without a token none is sent. Raises ConfigurationError where the token could be overheard or is none.
    """

    def __init__(
        self,
        base_url: str,
        token: str,
        *,
        read_timeout: float = READ_TIMEOUT,
        longest_wait: float = LONGEST_WAIT,
        first_wait: float = FIRST_WAIT,
        sends: int = WHEN_LIMITED,
        token_name: str = "[marketplace] token",
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self._token = token.strip()
        self._token_name = token_name
        self._clock = clock
        self._longest_answer = read_timeout * WHOLE_ANSWER
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(read_timeout, connect=min(read_timeout, CONNECT_TIMEOUT)),
            # Redirects are not followed: the token is for this host alone.
            follow_redirects=False,
            headers=self._headers(),
            verify=_encryption(),
        )
        self._patience = Patience(first_wait=first_wait, longest_wait=longest_wait, sends=sends, sleep=sleep)

    def close(self) -> None:
        """Let go of its connections."""
        self._client.close()

    def read(self, path: str, parameters: Mapping[str, str] | None = None) -> Resource:
        """GET; ``path`` begins with a slash, or is an address that ``beyond`` gave.

        Raises Unavailable after its own patience, AccessDenied, ConfigurationError for what is not the API, Refused.
        """
        return self._ask(_Request(path, parameters))

    def write(self, path: str, told: Mapping[str, Any]) -> Resource:
        """POST. Raises what ``read`` does, each time certain that it was not carried out, or Unclear."""
        return self._ask(_Request(path, told=told))

    def beyond(self, path: str, href: str) -> str:
        """The address a link on a page means; ConfigurationError for one to a host that must not see the token."""
        if href.startswith("/") and not href.startswith("//"):
            return f"{self.base_url}{href}"
        address = joined(self._address(path), href)
        if not is_same_server(address, self.base_url):
            raise ConfigurationError(
                f"{self.base_url} names a next page at {host(address)}, where the token is not sent.",
                hint=f"If Shopping Feed's API is there, correct {_SETTING}.",
                code="foreign_link",
            )
        return address

    def _address(self, path: str) -> str:
        return f"{self.base_url}{path}" if path.startswith("/") else path

    def _headers(self) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": _user_agent()}
        if not self._token:
            return headers
        if is_overheard(self.base_url):
            raise ConfigurationError(
                f"The token is not sent to {self.base_url}: anybody on the way could read it.",
                hint=f"Let {_SETTING} begin with https://.",
                code="overheard",
            )
        if not (self._token.isascii() and self._token.isprintable()):
            raise ConfigurationError(
                f"{self._token_name} holds a character that no token has.",
                hint="Copy the API token from Shopping Feed's settings again, with nothing around it.",
            )
        return {**headers, "Authorization": f"Bearer {self._token}"}

    def _ask(self, request: _Request) -> Resource:
        return self._patience.ask(lambda: self._once(request))

    def _once(self, request: _Request) -> Resource:
        try:
            answer = self._exchange(request)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError, UnicodeError):
            raise ConfigurationError(
                f"{self.base_url} is no address that can be asked.", hint=f"Correct {_SETTING}."
            ) from None
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
            raise TryAgain(self._unavailable(_words(error))) from None
        except httpx2.HTTPError as error:
            if request.writes:
                raise Unclear(Doubt.LOST, f"{self.base_url} {_words(error)}.") from None
            raise TryAgain(self._unavailable(_words(error))) from None
        _log.debug("%s answered %s", request, answer.status)
        if not 200 <= answer.status < 300:
            self._refuse(request, answer)
        return self._read(request, answer)

    def _exchange(self, request: _Request) -> _Answer:
        """Raises whatever httpx2 does before the status is known; what goes wrong then is the answer's fault."""
        content = bytearray()
        deadline = time.monotonic() + self._longest_answer
        with self._client.stream(
            "POST" if request.writes else "GET",
            self._address(request.path),
            params=request.parameters,  # None leaves those of an address that a link gave
            json=request.told,
        ) as answer:
            self._client.cookies.clear()  # nobody is logged in here
            fault = ""
            try:
                for block in answer.iter_bytes():
                    content += block
                    if len(content) > MAX_ANSWER or time.monotonic() > deadline:
                        fault = "sent an answer without end"
                        break
            except httpx2.HTTPError as error:
                fault = f"broke off its answer ({_words(error)})"
            return _Answer(answer.status_code, answer.headers, bytes(content), fault)

    def _read(self, request: _Request, answer: _Answer) -> Resource:
        found = None if answer.fault else resource(answer.content)
        if found is not None and (answer.content.strip() or not request.writes):
            return found
        if request.writes:
            what = answer.fault or f"answered HTTP {answer.status} with something that cannot be read"
            raise Unclear(Doubt.FAILED, f"{self.base_url} {what}.")
        if answer.fault:
            raise TryAgain(self._unavailable(answer.fault))
        raise self._other_address("did not answer a JSON object")

    def _refuse(self, request: _Request, answer: _Answer) -> Never:
        status = answer.status
        said = refusal(answer.content)
        said = said.replace(self._token, "…") if self._token else said
        told = f"HTTP {status}: {said}" if said else f"HTTP {status}"
        if status in (401, 403):
            raise AccessDenied(
                f"{self.base_url} refused the token ({told}).",
                hint=f"Copy the API token from Shopping Feed's settings into {self._token_name}; that it may be used"
                " for this store is seen there too.",
            )
        if status == 429:
            raise self._limited(asked_wait(answer.headers, self._clock()))
        if status >= 500 or status == 408:
            if request.writes:
                raise Unclear(Doubt.FAILED, f"{self.base_url} answered {told}.")
            wait = asked_wait(answer.headers, self._clock())
            raise TryAgain(self._unavailable(f"answered {told}"), wait=wait)
        # A wrong address answers 404 to everything, with a page for people.
        is_page = status == 404 and not answer.fault and resource(answer.content) is None
        if status in _REFUSALS and not is_page:
            raise Refused(status, f"{said} (HTTP {status})" if said else f"HTTP {status} without a word")
        raise self._other_address(f"answered {told} to {request}")

    def _limited(self, wait: float | None) -> TryAgain:
        hint = "Run the same command again in a few minutes."
        if wait is not None:
            until = self._clock() + timedelta(seconds=min(ceil(wait), _YEAR))
            hint = f"Run the same command again after {until:%Y-%m-%d %H:%M:%S} UTC."
        error = Unavailable(
            f"{self.base_url} asks for fewer requests (HTTP 429).", hint=hint, code="rate_limited"
        )
        return TryAgain(error, sends=WHEN_LIMITED, wait=wait)

    def _unavailable(self, what: str) -> Unavailable:
        return Unavailable(
            f"{self.base_url} {what}.",
            hint="Check the network from here; Shopping Feed tells of outages on its pages.",
        )

    def _other_address(self, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self.base_url} {what}: it is not Shopping Feed's API.",
            hint=f"Correct {_SETTING}; it is normally https://api.shopping-feed.com.",
        )


@cache
def _encryption() -> SSLContext:
    """Shared: to read the certificates takes longer than a request."""
    return httpx2.create_ssl_context()


@cache
def _user_agent() -> str:
    """As the API's own client spells it, without the host's name."""
    try:
        own = version("brekzsync")
    except PackageNotFoundError:
        own = "0"
    return f"brekzsync/{own} (Python; {platform.python_version()})"


def _words(error: Exception) -> str:
    if isinstance(error, httpx2.TimeoutException):
        return "did not answer in time"
    if isinstance(error, httpx2.ConnectError):
        return f"cannot be reached ({error})"
    return f"did not answer ({str(error).rstrip('.') or type(error).__name__})"
