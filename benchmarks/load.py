"""``python -m benchmarks.load``: clients that ask over and over, each on a connection of its own that stays open.

Plain sockets in one thread: a request costs this program a fifteenth of a millisecond, so that what is measured is
who answers. What to ask comes as JSON on standard input, what came of it goes as JSON to standard output.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from statistics import quantiles
from typing import Any

RECEIVED_AT_ONCE = 1 << 20
PATIENCE = 60.0


class Client:
    """One connection: asks, reads the answer to its end, asks again."""

    def __init__(self, host: str, port: int, requests: Iterator[bytes], counted: bytes) -> None:
        self.socket = socket.create_connection((host, port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests = requests
        self._counted = counted
        self._head, self._missing = b"", -1
        self._parts: list[bytes] = []
        self._asked_at = 0.0
        self.answers = self.items = 0
        self.latencies: list[float] = []

    def ask(self) -> None:
        """Send the next request."""
        self._head, self._missing, self._parts = b"", -1, []
        request = next(self._requests)
        self._asked_at = time.perf_counter()
        self.socket.sendall(request)

    def receive(self) -> bool:
        """Take what has come; whether the answer is whole. Fails when it is not a 200."""
        received = self.socket.recv(RECEIVED_AT_ONCE)
        if not received:
            raise SystemExit("The service closed the connection.")
        if self._missing < 0:
            self._head += received
            head, end, received = self._head.partition(b"\r\n\r\n")
            if not end:
                return False
            if not head.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"The service answered {head[:200]!r}.")
            self._missing = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        self._parts.append(received)
        self._missing -= len(received)
        if self._missing:
            return False
        self.latencies.append(time.perf_counter() - self._asked_at)
        self.answers += 1
        self.items += b"".join(self._parts).count(self._counted) if self._counted else 1
        return True


def main() -> None:
    asked: dict[str, Any] = json.load(sys.stdin)
    requests = cycle(list(_requests(asked)))
    counted = asked["counted"].encode()
    clients = [Client(asked["host"], asked["port"], requests, counted) for _ in range(asked["clients"])]
    _run(clients, asked["warm_up"])
    warm = sum(client.answers for client in clients), sum(client.items for client in clients)
    for client in clients:
        client.latencies.clear()
    busy, started = time.process_time(), time.perf_counter()
    _run(clients, asked["answers"])
    seconds = time.perf_counter() - started
    json.dump(
        {
            "seconds": seconds,
            "answers": sum(client.answers for client in clients) - warm[0],
            "items": sum(client.items for client in clients) - warm[1],
            "cpu_seconds": time.process_time() - busy,
            "p99_seconds": quantiles((one for client in clients for one in client.latencies), n=100)[98],
        },
        sys.stdout,
    )


def _requests(asked: dict[str, Any]) -> Iterator[bytes]:
    """A GET of each path, or where there are bodies a POST of each of them to the only path."""
    head = f"HTTP/1.1\r\nHost: {asked['host']}\r\nAuthorization: Bearer {asked['token']}\r\n"
    if "bodies" not in asked:
        for path in asked["paths"]:
            yield f"GET {path} {head}\r\n".encode()
        return
    (path,) = asked["paths"]
    for body in asked["bodies"]:
        sized = f"Content-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}"
        yield f"POST {path} {head}{sized}".encode()


def _run(clients: list[Client], answers: int) -> None:
    """Until so many answers have come; then nothing is under way."""
    selector, left = selectors.DefaultSelector(), answers
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.ask()
    under_way = len(clients)
    while under_way:
        ready = selector.select(PATIENCE)
        if not ready:
            raise SystemExit("The service does not answer.")
        for key, _ in ready:
            if key.data.receive():
                left -= 1
                if left >= under_way:
                    key.data.ask()
                else:
                    under_way -= 1
    selector.close()


if __name__ == "__main__":
    main()
