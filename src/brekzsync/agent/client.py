"""The shop's side of the conversation: connect, authenticate, ask; never longer than the time given."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias

from brekzsync.agent.protocol import (
    MAX_REPLY,
    Message,
    ProtocolError,
    agent_proof,
    client_mac,
    decode,
    encode,
    is_same,
    new_nonce,
)

_BLOCK: Final = 64 * 1024
Doubt: TypeAlias = Literal["secret_refused", "secret_needed", "no_secret_there", "impostor"]


class AgentUnreachable(Exception):
    """Nobody listens there, or the answer did not come in time."""


class NotAnAgent(Exception):
    """Who answers does not speak the protocol."""


class AgentDistrusts(Exception):
    """The secrets do not fit; ``doubt`` tells how."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(doubt)
        self.doubt = doubt


class AgentClient:
    """A connection to an agent; ``seconds`` is for the whole of it. Not to be shared by threads."""

    def __init__(self, host: str, port: int, secret: str = "", seconds: float = 10.0) -> None:
        self._deadline = time.monotonic() + seconds
        self._buffer = b""
        try:
            self._socket = socket.create_connection((host, port), timeout=seconds)
        except (OSError, UnicodeError) as error:
            raise AgentUnreachable(_words(error)) from None
        try:
            if secret:
                self._authenticate(secret)
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> AgentClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def ask(self, verb: str, **fields: Any) -> Message:
        """The reply to one request.

        Raises ProtocolError with the agent's own code, AgentUnreachable, NotAnAgent, AgentDistrusts.
        """
        try:
            self._socket.settimeout(self._time_left())
            self._socket.sendall(encode({"verb": verb, **fields}))
            reply = decode(self._read_line())
        except OSError as error:
            raise AgentUnreachable(_words(error)) from None
        except ProtocolError:
            raise NotAnAgent("it did not answer with a JSON object") from None
        if reply.get("ok") is True:
            return reply
        refused = reply.get("error")
        if not isinstance(refused, dict):
            raise NotAnAgent("its answer has no `ok`")
        code = str(refused.get("code", ""))
        if code == "authentication_required":
            raise AgentDistrusts("secret_needed")
        if code == "authentication_failed":
            raise AgentDistrusts("secret_refused")
        raise ProtocolError(code, str(refused.get("message", "")))

    def _authenticate(self, secret: str) -> None:
        challenge = self.ask("challenge")
        if challenge.get("authentication") != "hmac-sha256":
            raise AgentDistrusts("no_secret_there")
        nonce, client_nonce = str(challenge.get("nonce", "")), new_nonce()
        mac = client_mac(secret, nonce, client_nonce)
        reply = self.ask("authenticate", client_nonce=client_nonce, mac=mac)
        if not is_same(agent_proof(secret, nonce, client_nonce), reply.get("proof")):
            raise AgentDistrusts("impostor")

    def _read_line(self) -> bytes:
        while b"\n" not in self._buffer:
            if len(self._buffer) > MAX_REPLY:
                raise NotAnAgent("its answer has no end")
            self._socket.settimeout(self._time_left())
            block = self._socket.recv(_BLOCK)
            if not block:
                raise AgentUnreachable("it closed the connection")
            self._buffer += block
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _time_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise AgentUnreachable("it did not answer in time")
        return left


def _words(error: OSError | UnicodeError) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer in time"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
