"""Bodies sent piece by piece: compressed where the client takes it, and told of when they were sent whole."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from brekzsync.web.errors import XML

PIECE = 64 * 1024
_FAST = 1  # a tenth of the time of the usual level, for a fifth more bytes
_WORTH_IT = 1400  # bytes; what fits into one packet is not compressed


class SentWhole(Response):
    """A body of known pieces; ``when_whole`` is called when the last of it was handed to the network and the client
    was still there, ``at_end`` always."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        *,
        length: int,
        gzip: bool,
        headers: Mapping[str, str] | None = None,
        when_whole: Callable[[], Awaitable[object]] | None = None,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._pieces = pieces
        self._when_whole = when_whole
        self._at_end = at_end
        self._is_compressed = gzip and length >= _WORTH_IT
        form = {"Content-Encoding": "gzip"} if self._is_compressed else {"Content-Length": str(length)}
        super().__init__(media_type=XML, headers={"Vary": "Accept-Encoding", **form, **(headers or {})})
        if self._is_compressed:
            del self.headers["content-length"]  # that of the body it was made with, which is none

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            last = b""  # held back, so that most bodies are one message
            if scope["method"] != "HEAD":
                for piece in _compressed(self._pieces) if self._is_compressed else self._pieces:
                    if last:
                        await send({"type": "http.response.body", "body": last, "more_body": True})
                    last = piece
            if self._when_whole is not None:
                await send({"type": "http.response.body", "body": last, "more_body": True})
                last = b""
                if not await _is_gone(receive):
                    await self._when_whole()
            await send({"type": "http.response.body", "body": last})
        finally:
            self._at_end()


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(_FAST, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    for piece in pieces:
        packed = packer.compress(piece)
        if packed:
            yield packed
    yield packer.flush()


async def _is_gone(receive: Receive) -> bool:
    """Whether the client went away, asked without waiting."""
    while True:
        message = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        if not message.done():
            message.cancel()
            return False
        if message.result()["type"] == "http.disconnect":
            return True
