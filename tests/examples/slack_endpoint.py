"""Slack's Socket Mode on the loopback: addresses that are good for one connection, and envelopes."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any
from uuid import uuid4

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

TOKEN = "xapp-1-secret"
WAIT_S = 40.0
Answer = tuple[int, dict[str, str], dict[str, Any]]


class Workspace:
    """What a test says to a plugin, and what it answers.

    Attributes:
        base: Of the interface, for SLACK_API_BASE.
        answers: What the next requests for a connection are answered, instead of an address; the status 0
            is an answer that is no HTTP.
        opened_at: When each was asked for.
        sockets: Connections as they are made.
        hangs_up: Close each connection after its hello.
        refuses: The status that every handshake is answered with.
    """

    def __init__(self) -> None:
        self.base = ""
        self.address = ""
        self.answers: Queue[Answer] = Queue()
        self.opened_at: list[float] = []
        self.sockets: Queue[ServerConnection] = Queue()
        self.hangs_up = False
        self.refuses: int | None = None
        self._tickets: set[str] = set()
        self._acks: dict[str, threading.Event] = {}

    # What the plugin does -------------------------------------------------------------------------

    def open(self, authorization: str | None) -> Answer:
        self.opened_at.append(time.monotonic())
        if not self.answers.empty():
            return self.answers.get()
        if authorization != f"Bearer {TOKEN}":
            return 200, {}, {"ok": False, "error": "invalid_auth"}
        ticket = uuid4().hex
        self._tickets.add(ticket)
        return 200, {}, {"ok": True, "url": f"{self.address}/link/?ticket={ticket}"}

    def shake(self, socket: ServerConnection, _request: Request) -> Response | None:
        return None if self.refuses is None else socket.respond(self.refuses, "not now")

    def serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        ticket = socket.request.path.rpartition("=")[2]
        if ticket not in self._tickets:
            return
        self._tickets.remove(ticket)
        hello = {"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}}
        socket.send(json.dumps({**hello, "debug_info": {"approximate_connection_time": 18060}}))
        self.sockets.put(socket)
        if self.hangs_up:
            return
        with suppress(ConnectionClosed):
            for text in socket:
                said = json.loads(text)
                assert set(said) <= {"envelope_id", "payload"}
                self._acks[said["envelope_id"]].set()

    # What a test does -----------------------------------------------------------------------------

    def socket(self) -> ServerConnection:
        """The next connection that is made."""
        return self.sockets.get(timeout=WAIT_S)

    def send(
        self, socket: ServerConnection, payload: Any, kind: str = "events_api", **more: Any
    ) -> threading.Event:
        """Send an envelope; the event is set when it is confirmed."""
        name = str(uuid4())
        acked = self._acks[name] = threading.Event()
        envelope = {"type": kind, "envelope_id": name, "payload": payload, **more}
        socket.send(json.dumps({**envelope, "accepts_response_payload": False}))
        return acked

    def deliver(self, socket: ServerConnection, payload: Any, patience_s: float = WAIT_S) -> int:
        """Send an event until it is confirmed, as Slack does; how often it was sent."""
        for attempt in range(4):
            retry: dict[str, Any] = {
                "retry_attempt": attempt,
                "retry_reason": "timeout" if attempt else "",
            }
            if self.send(socket, payload, **retry).wait(patience_s):
                return attempt + 1
        raise AssertionError("it was never confirmed")

    def disconnect(self, socket: ServerConnection, reason: str) -> None:
        said = {"type": "disconnect", "reason": reason, "debug_info": {"host": "loopback"}}
        socket.send(json.dumps(said))


@contextmanager
def workspace() -> Iterator[Workspace]:
    found = Workspace()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            form = self.headers["content-type"] or ""
            right = (self.path, body) == ("/api/apps.connections.open", b"") and "form" in form
            given = found.open(self.headers["authorization"]) if right else (404, {}, {"ok": False})
            status, headers, answer = given
            if not status:
                self.wfile.write(b"HTTP/?\r\n\r\n")
                return
            text = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {"content-length": str(len(text)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    with serve(
        found.serve, "127.0.0.1", 0, close_timeout=0.2, process_request=found.shake
    ) as sockets:
        found.base = f"http://127.0.0.1:{http.server_address[1]}/api/"
        found.address = f"ws://127.0.0.1:{sockets.socket.getsockname()[1]}"
        threads = [
            threading.Thread(target=http.serve_forever, args=(0.05,)),
            threading.Thread(target=sockets.serve_forever),
        ]
        for thread in threads:
            thread.start()
        yield found
        http.shutdown()
        http.server_close()
        sockets.shutdown()
        for thread in threads:
            thread.join(WAIT_S)
