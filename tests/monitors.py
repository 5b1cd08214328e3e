"""A monitoring service of a test's own: hears calls, and answers as it is told."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from time import monotonic, sleep


class Monitor:
    """Answers every GET with the first of ``statuses`` left, the last again and again; ``released`` holds it up."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.statuses = [200]
        self.location = ""
        self.released = Event()
        self.released.set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def wait_for(self, heard: list[str]) -> None:
        """Until exactly this was heard."""
        give_up = monotonic() + 10
        while self.heard != heard and monotonic() < give_up:
            sleep(0.01)
        assert self.heard == heard

    def close(self) -> None:
        self.released.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(monitor) -> type[BaseHTTPRequestHandler]:  # noqa: N805
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                monitor.heard.append(self.path)
                status = monitor.statuses.pop(0) if len(monitor.statuses) > 1 else monitor.statuses[0]
                monitor.released.wait()
                self.send_response(status)
                if monitor.location:
                    self.send_header("Location", monitor.location)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"OK")

            def log_message(self, *_: object) -> None:
                pass

        return Handler
