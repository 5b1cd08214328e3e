"""The shop's webservice: one request, its answer, and what a refusal means (facts/prestashop.md section 3).

What only reads is tried again for a moment. What writes is sent again only when it certainly was not received;
where that cannot be told it is Unclear, and the caller looks before anything is repeated.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import urlsplit

import httpx2
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from brekzsync.agent.untrusted_xml import NotXml
from brekzsync.errors import AccessDenied, BrekzsyncError, ConfigurationError, Unavailable
from brekzsync.prestashop.webservice_xml import (
    Row,
    ShopError,
    all_rows,
    errors_in,
    methods_by_resource,
    one_row,
    parse,
    request_xml,
)

PARALLEL: Final = 4  # requests at a time; a shop has few workers, and they serve its visitors
CONNECT_TIMEOUT: Final = 5.0
READ_TIMEOUT: Final = 30.0
WHOLE_TIMEOUT: Final = 120.0  # of an answer that comes in drops
MAX_ANSWER: Final = 8 * 1024 * 1024
_ATTEMPTS: Final = 3
_FIRST_WAIT: Final = 0.3
_LONGEST_WAIT: Final = 5.0
_WHERE_KEYS_ARE: Final = "in the back office, Advanced Parameters > Webservice"
_DISABLED: Final = 22
_NOT_ALLOWED: Final = 26
_Meaning = TypeVar("_Meaning")


class Refused(Exception):
    """The shop's no to one request: another record may fare better. ``status`` 500 may have left parts behind."""

    def __init__(self, status: int, errors: Sequence[ShopError] = ()) -> None:
        self.status = status
        self.codes = frozenset(error.code for error in errors)
        said = "; ".join(error.message for error in errors)[:300]
        self.words = f"{said} (HTTP {status})" if said else f"HTTP {status} without a word"
        super().__init__(self.words)


class Doubt(StrEnum):
    """Why it is not known whether a request was carried out."""

    FAILED = "failed"  # the shop ended it with an error: it may have done it before
    TIMED_OUT = "timed out"  # it may still be at it
    LOST = "lost"  # the connection broke


class Unclear(Exception):
    """A request that writes may have been carried out or not."""

    def __init__(self, doubt: Doubt, words: str) -> None:
        super().__init__(words)
        self.doubt = doubt
        self.words = words


class Permissions(NamedTuple):
    """What the webservice says of itself: PrestaShop's version, and methods by resource that the key may use."""

    version: str
    methods: Mapping[str, frozenset[str]]


class _Answer(NamedTuple):
    status: int
    headers: httpx2.Headers
    content: bytes


class _TryAgain(Exception):
    """It was certainly not done, or only read; ``error`` is what it comes to when trying again is no use."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Webservice:
    """The webservice at an address (``https://shop.example/api``); threads may share it.

    Every method raises Unavailable, AccessDenied and ConfigurationError when no request can succeed, and Refused.
    """

    def __init__(
        self, address: str, key: str, *, read_timeout: float = READ_TIMEOUT, first_wait: float = _FIRST_WAIT
    ) -> None:
        self.address = address.rstrip("/")
        self._client = httpx2.Client(
            auth=(key, ""),
            timeout=httpx2.Timeout(read_timeout, connect=CONNECT_TIMEOUT),
            limits=httpx2.Limits(max_connections=PARALLEL),
            # Redirects are not followed: the key is for this host alone, and an unknown shop redirects (X11).
            follow_redirects=False,
            headers={"Accept": "application/xml, text/xml"},
        )
        self._retrying = Retrying(
            retry=retry_if_exception_type(_TryAgain),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_random_exponential(multiplier=first_wait, max=_LONGEST_WAIT),
            reraise=True,
        )

    def close(self) -> None:
        """Close what is open."""
        self._client.close()

    def rows(self, resource: str, filters: Mapping[str, int]) -> Sequence[Row]:
        """Every record with these values, in no order; the shop's context does not matter."""
        parameters = {f"filter[{field}]": str(value) for field, value in filters.items()}
        return self._read(
            resource, "", parameters | {"display": "full"}, lambda root: all_rows(root, resource)
        )

    def row(self, resource: str, record: int) -> Row:
        """One record; Refused with 404 when there is none."""
        return self._read(resource, f"/{record}", {}, lambda root: one_row(root, resource))

    def replace(self, resource: str, row: Row, parameters: Mapping[str, str] | None = None) -> Row:
        """PUT a whole record, and what the shop then says it holds. Also raises Unclear."""
        return self._write("PUT", resource, f"/{int(row['id'])}", row, parameters or {})

    def create(self, resource: str, row: Row, parameters: Mapping[str, str] | None = None) -> Row:
        """POST a record. Also raises Unclear; to repeat it makes another record."""
        return self._write("POST", resource, "", row, parameters or {})

    def permissions(self) -> Permissions:
        """What the key may do; tried once only, by people who wait for it."""
        try:
            answer = self._once("GET", "", "/", {}, None)
        except _TryAgain as failed:
            raise failed.error from None
        methods = self._understood(answer, methods_by_resource)
        return Permissions(answer.headers.get("PSWS-Version", ""), methods)

    def _read(
        self, resource: str, path: str, parameters: Mapping[str, str], meaning: Callable[[Any], _Meaning]
    ) -> _Meaning:
        answer = self._patiently("GET", resource, path, parameters, None)
        return self._understood(answer, meaning)

    def _understood(self, answer: _Answer, meaning: Callable[[Any], _Meaning]) -> _Meaning:
        try:
            return meaning(parse(answer.content))
        except NotXml as error:
            raise self._no_webservice(f"answered something else than a webservice does: {error}") from None

    def _write(self, method: str, resource: str, path: str, row: Row, parameters: Mapping[str, str]) -> Row:
        answer = self._patiently(method, resource, path, parameters, request_xml(resource, row))
        try:
            return one_row(parse(answer.content), resource)
        except NotXml as error:
            raise Unclear(Doubt.FAILED, f"it answered HTTP {answer.status}, but {error}") from None

    def _patiently(
        self, method: str, resource: str, path: str, parameters: Mapping[str, str], body: bytes | None
    ) -> _Answer:
        try:
            return self._retrying(self._once, method, resource, path, parameters, body)
        except _TryAgain as last:
            raise last.error from None

    def _once(
        self, method: str, resource: str, path: str, parameters: Mapping[str, str], body: bytes | None
    ) -> _Answer:
        address = f"{self.address}/{resource}{path}" if resource else f"{self.address}{path}"
        try:
            answer = self._exchange(method, address, parameters, body)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
            raise _TryAgain(self._unreachable(error)) from None
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.LocalProtocolError) as error:
            raise self._no_webservice(f"cannot be asked ({error})") from None
        except httpx2.HTTPError as error:
            if method == "GET":
                raise _TryAgain(self._unreachable(error)) from None
            timed_out = isinstance(error, httpx2.TimeoutException)
            raise Unclear(Doubt.TIMED_OUT if timed_out else Doubt.LOST, _words(error)) from None
        self._judge(answer, method, resource)
        return answer

    def _exchange(
        self, method: str, address: str, parameters: Mapping[str, str], body: bytes | None
    ) -> _Answer:
        """Raises whatever httpx2 does; an answer without end is as one that does not come."""
        deadline = time.monotonic() + WHOLE_TIMEOUT
        headers = {"Content-Type": "application/xml"} if body is not None else None
        content = bytearray()
        with self._client.stream(
            method, address, params=dict(parameters), content=body, headers=headers
        ) as answer:
            self._client.cookies.clear()  # each answer begins a session of its own; none is wanted
            for block in answer.iter_bytes():
                content += block
                if len(content) > MAX_ANSWER or time.monotonic() > deadline:
                    raise httpx2.ReadTimeout("the answer has no end")
            return _Answer(answer.status_code, answer.headers, bytes(content))

    def _judge(self, answer: _Answer, method: str, resource: str) -> None:
        status = answer.status
        if 200 <= status < 300:
            return
        errors = errors_in(answer.content)
        codes = {error.code for error in errors or ()}
        if status in (401, 403):
            raise self._denied(status, codes, method, resource, answer)
        if status == 405:
            raise self._not_allowed(method, resource)
        if 300 <= status < 400:
            raise self._redirected(answer.headers.get("Location", ""))
        if status == 503 and _DISABLED in codes:
            raise Unavailable(
                f"The webservice at {self.address} is switched off.",
                hint=f"Switch it on {_WHERE_KEYS_ARE}.",
                code="webservice_disabled",
            )
        if status == 429 or status >= 500:
            raise self._failed(Refused(status, errors or ()), method)
        if errors is None and answer.content:
            raise self._no_webservice(f"answered HTTP {status} with something else than XML")
        raise Refused(status, errors or ())

    def _failed(self, refused: Refused, method: str) -> Exception:
        """An error of the shop's, or of what stands before it; of reading, 500 says no more than the record's."""
        if refused.status == 429:
            return _TryAgain(
                Unavailable(f"{self.address} asks for less haste ({refused.words}).", hint=_LATER)
            )
        if method != "GET":
            return Unclear(Doubt.FAILED, refused.words)
        if refused.status == 500:
            return refused if refused.codes else _TryAgain(refused)
        return _TryAgain(Unavailable(f"{self.address} cannot answer now ({refused.words}).", hint=_LATER))

    def _denied(
        self, status: int, codes: set[int], method: str, resource: str, answer: _Answer
    ) -> BrekzsyncError:
        if _NOT_ALLOWED in codes:
            return self._not_allowed(method, resource)
        if status == 401 and not codes and b"401 Unauthorized" in answer.content[:100]:
            return AccessDenied(
                f"No key arrived at the webservice at {self.address}.",
                hint="Apache: set `CGIPassAuth on` for the shop, else PHP does not see the Authorization header;"
                " and see that [shop] webservice_key is not empty.",
            )
        return AccessDenied(
            f"The webservice at {self.address} refused the key (HTTP {status}).",
            hint=f"Copy an active key, {_WHERE_KEYS_ARE}, into [shop] webservice_key.",
        )

    def _not_allowed(self, method: str, resource: str) -> AccessDenied:
        return AccessDenied(
            f"The key of the webservice at {self.address} may not {method} {resource or 'anything'}.",
            hint=f"Tick {method} of {resource or 'what is written'} for that key, {_WHERE_KEYS_ARE}.",
        )

    def _redirected(self, location: str) -> ConfigurationError:
        to, own = urlsplit(location), urlsplit(self.address)
        if to.netloc and (to.scheme, to.netloc) != (own.scheme, own.netloc):
            return self._no_webservice(f"redirects to {to.scheme}://{to.hostname}")
        return ConfigurationError(
            f"The webservice at {self.address} does not know the shop it was asked for: it redirects.",
            hint="See that [shop] webservice_url and [shop] database are of the same PrestaShop.",
            code="unknown_shop",
        )

    def _no_webservice(self, what: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self.address} {what}.",
            hint="Set [shop] webservice_url to the address of the webservice, such as https://shop.example/api.",
            code="no_webservice",
        )

    def _unreachable(self, error: httpx2.HTTPError) -> Unavailable:
        return Unavailable(f"The webservice at {self.address} does not answer: {_words(error)}.", hint=_LATER)


_LATER: Final = "Run the same command again when the shop answers; what was written stays written."


def _words(error: Exception) -> str:
    if isinstance(error, httpx2.ConnectTimeout):
        return "the connection timed out"
    if isinstance(error, httpx2.TimeoutException):
        return "it timed out"
    return str(error).rstrip(".") or type(error).__name__
