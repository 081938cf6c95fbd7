"""A chat completions endpoint on the loopback whose answers a test writes while they are read."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

PATIENCE_S = 20.0


class Exchange:
    """One request; the test, on its own thread, writes the answer."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers["content-length"])
        self.path = handler.path
        self.headers = handler.headers
        self.body: dict[str, Any] = json.loads(handler.rfile.read(length))
        self.over = threading.Event()
        self._out = handler.wfile
        self._socket: socket.socket = handler.connection
        self._started = False

    def refuse(self, status: int, body: bytes, **headers: str) -> None:
        """Answer without a stream."""
        fields = {"content-length": str(len(body)), "connection": "close", **headers}
        self._head(status, fields)
        self._out.write(body)
        self.over.set()

    def raw(self, data: bytes) -> None:
        """One HTTP chunk of the event stream, on the wire when this returns."""
        if not self._started:
            self._started = True
            fields = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
            self._head(200, fields)
        self._out.write(b"%x\r\n%s\r\n" % (len(data), data))

    def chunk(self, value: dict[str, Any]) -> None:
        self.raw(b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n")

    def delta(self, **fields: Any) -> None:
        self.chunk({"choices": [{"index": 0, "delta": fields, "finish_reason": None}]})

    def say(self, text: str) -> None:
        self.delta(content=text)

    def end(self, reason: str = "stop", usage: dict[str, Any] | None = None) -> None:
        """The last chunks and the end of the body."""
        self.chunk({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
        if usage is not None:
            self.chunk({"choices": [], "usage": usage})
        self.raw(b"data: [DONE]\n\n")
        self._out.write(b"0\r\n\r\n")
        self.over.set()

    def break_off(self) -> None:
        """Close the connection in the middle."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self.over.set()

    def wait_closed(self) -> bool:
        """Did the client close the connection?"""
        self._socket.settimeout(PATIENCE_S)
        try:
            closed = self._socket.recv(1) == b""
        except ConnectionResetError:
            closed = True
        self.over.set()
        return closed

    def _head(self, status: int, fields: dict[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} x", *(f"{name}: {value}" for name, value in fields.items())]
        self._out.write("\r\n".join([*lines, "", ""]).encode())


class Endpoint:
    """What was asked, in order; `respond` answers in place of the test if it is set."""

    def __init__(self, port: int) -> None:
        self.base = f"http://127.0.0.1:{port}/v1"
        self.asked: Queue[Exchange] = Queue()
        self.respond: Callable[[Exchange], object] | None = None

    def next(self) -> Exchange:
        return self.asked.get(timeout=PATIENCE_S)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what some tests are about."""


@contextmanager
def chat_endpoint() -> Iterator[Endpoint]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            exchange = Exchange(self)
            if endpoint.respond is not None:
                endpoint.respond(exchange)
            else:
                endpoint.asked.put(exchange)
                exchange.over.wait(PATIENCE_S)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    server = _Server(("127.0.0.1", 0), Handler)
    endpoint = Endpoint(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join(PATIENCE_S)
        server.socket.close()
