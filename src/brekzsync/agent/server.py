"""Listens for the shop: one JSON line per request and reply, everything bounded (docs/reference/agent-protocol.md)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from brekzsync.agent.protocol import (
    MAX_REPLY,
    MAX_REQUEST,
    NONCE_SECONDS,
    PROTOCOL,
    Message,
    ProtocolError,
    agent_proof,
    client_mac,
    decode,
    encode,
    is_same,
    new_nonce,
    refusal,
)

Answer: TypeAlias = Callable[[Message], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much a client may take of the agent; seconds and counts."""

    connections: int = 64
    idle: float = 60.0
    idle_before_authenticated: float = 10.0
    writing: float = 10.0


BOUNDS: Final = Bounds()


@dataclass(eq=False, slots=True)
class _Connection:
    writer: asyncio.StreamWriter
    is_trusted: bool
    nonce: str | None = None
    nonce_until: float = 0.0
    is_busy: bool = False
    last_heard: float = field(default_factory=time.monotonic)


class AgentServer:
    """Answers requests; ``answers`` holds one function a verb, called from the event loop and quick."""

    def __init__(self, answers: Mapping[str, Answer], secret: str, bounds: Bounds = BOUNDS) -> None:
        self._answers = answers
        self._secret = secret
        self._bounds = bounds
        self._connections: set[_Connection] = set()

    async def listen(self, host: str, port: int) -> asyncio.Server:
        """Start listening. Raises OSError where the address is taken or not ours."""
        return await asyncio.start_server(
            self._serve, host, port, limit=MAX_REQUEST, backlog=128, reuse_address=None
        )

    def close_all(self) -> None:
        """Break every connection off."""
        for connection in self._connections:
            connection.writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._make_room()
        connection = _Connection(writer, is_trusted=not self._secret)
        self._connections.add(connection)
        try:
            while await self._one_request(reader, connection):
                pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or said nothing, or does not read: there is nobody to tell
        finally:
            self._connections.discard(connection)
            with contextlib.suppress(OSError, RuntimeError):
                writer.transport.abort() if connection.is_busy else writer.close()

    def _make_room(self) -> None:
        """Before a connection too many is taken in, the one that has been silent longest goes, strangers first."""
        while len(self._connections) >= self._bounds.connections:
            oldest = min(
                self._connections,
                key=lambda one: (one.is_busy, one.is_trusted and bool(self._secret), one.last_heard),
            )
            self._connections.discard(oldest)
            oldest.writer.transport.abort()

    async def _one_request(self, reader: asyncio.StreamReader, connection: _Connection) -> bool:
        """Read a line and answer it; whether the connection goes on."""
        bounds = self._bounds
        is_stranger = bool(self._secret) and not connection.is_trusted
        patience = bounds.idle_before_authenticated if is_stranger else bounds.idle
        try:
            line = await asyncio.wait_for(reader.readuntil(b"\n"), patience)
        except asyncio.LimitOverrunError:
            error = ProtocolError("line_too_long", f"A request may have {MAX_REQUEST} bytes.")
            await self._reply(connection, refusal(error))
            await self._discard(reader)
            return False
        connection.last_heard = time.monotonic()
        if not line.strip():
            return True
        reply, goes_on = self._answer(line, connection)
        await self._reply(connection, reply)
        return goes_on

    @staticmethod
    async def _discard(reader: asyncio.StreamReader) -> None:
        """Take in a little more of a line too long: closing on unread bytes would lose the reply to it."""
        with contextlib.suppress(TimeoutError, OSError):
            async with asyncio.timeout(1):
                for _ in range(64):
                    if not await reader.read(64 * 1024):
                        return

    async def _reply(self, connection: _Connection, reply: Mapping[str, Any]) -> None:
        line = encode(reply)
        if len(line) > MAX_REPLY:
            line = encode(refusal(ProtocolError("reply_too_long", "The reply is longer than a line may be.")))
        connection.is_busy = True
        connection.writer.write(line)
        # More than a buffer full waits until the client has read; one that never does is dropped.
        await asyncio.wait_for(connection.writer.drain(), self._bounds.writing)
        connection.is_busy = False

    def _answer(self, line: bytes, connection: _Connection) -> tuple[Mapping[str, Any], bool]:
        """The reply to a request, and whether the connection may go on."""
        try:
            request = decode(line)
            verb = request.get("verb")
            if verb == "challenge":
                return self._challenge(connection), True
            if verb == "authenticate":
                return self._authenticate(request, connection), True
            if not connection.is_trusted:
                raise ProtocolError("authentication_required", "Authenticate first: this agent has a secret.")
            answer = self._answers.get(verb) if isinstance(verb, str) else None
            if answer is None:
                known = ", ".join(["challenge", "authenticate", *self._answers])
                raise ProtocolError("unknown_verb", f"The verbs are {known}.")
            return {"ok": True, **answer(request)}, True
        except ProtocolError as error:
            return refusal(error), error.code not in ("bad_json", "authentication_failed")
        except Exception as error:
            return refusal(ProtocolError("unexpected", f"Unexpected {type(error).__name__}.")), True

    def _challenge(self, connection: _Connection) -> Message:
        if not self._secret:
            return {"ok": True, "protocol": PROTOCOL, "authentication": "none"}
        connection.nonce = new_nonce()
        connection.nonce_until = time.monotonic() + NONCE_SECONDS
        return {
            "ok": True,
            "protocol": PROTOCOL,
            "authentication": "hmac-sha256",
            "nonce": connection.nonce,
            "expires_in": NONCE_SECONDS,
        }

    def _authenticate(self, request: Message, connection: _Connection) -> Message:
        """Take the answer to the challenge of this very connection, once and in time."""
        nonce, connection.nonce = connection.nonce, None
        client_nonce, mac = request.get("client_nonce"), request.get("mac")
        if not self._secret:
            raise ProtocolError("authentication_failed", "This agent has no secret.")
        if nonce is None or time.monotonic() > connection.nonce_until:
            raise ProtocolError("authentication_failed", "There is no challenge to answer, or it is too old.")
        if not isinstance(client_nonce, str) or not 16 <= len(client_nonce) <= 128:
            raise ProtocolError("authentication_failed", "client_nonce must have 16 to 128 characters.")
        if not is_same(client_mac(self._secret, nonce, client_nonce), mac):
            raise ProtocolError("authentication_failed", "The secret is another one.")
        connection.is_trusted = True
        return {"ok": True, "proof": agent_proof(self._secret, nonce, client_nonce)}
