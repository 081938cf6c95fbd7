"""A messaging service on the loopback, whose answers a test decides on while a sender waits."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

PATIENCE_S = 20.0
Message = dict[str, Any]


class Arrival:
    """A message that arrived, and has no answer yet."""

    def __init__(self, body: Message, key: str, token: str | None) -> None:
        self.body, self.key, self.token = body, key, token
        self.answered = threading.Event()
        self.status, self.answer = 200, b""

    def reply(self, status: int = 200, **answer: Any) -> None:
        self.status, self.answer = status, json.dumps(answer).encode()
        self.answered.set()


class Provider:
    """What it was sent, in that order, and what it says of messages by their ids."""

    def __init__(self, port: int) -> None:
        self.arrivals: Queue[Arrival] = Queue()
        self.seen: list[str] = []
        self.statuses: dict[str, str] = {}
        self.taking = True  # takes what comes with an id of its own
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                key, token = self.headers["idempotency-key"], self.headers["authorization"]
                arrival = Arrival(body, key, token)
                provider.seen.append(body["delivery_id"])
                if provider.taking:
                    arrival.reply(id=f"p-{len(provider.seen)}")
                provider.arrivals.put(arrival)
                if arrival.answered.wait(PATIENCE_S):
                    self.answer(arrival.status, arrival.answer)

            def do_GET(self) -> None:
                found = provider.statuses.get(self.path.rpartition("/")[2])
                self.answer(200 if found else 404, json.dumps({"status": found}).encode())

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing is said."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """A sender was killed before its answer."""

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/messages"

    def next(self) -> Arrival:
        return self.arrivals.get(timeout=PATIENCE_S)


@contextmanager
def provider(port: int = 0) -> Iterator[Provider]:
    found = Provider(port)
    threading.Thread(target=found.server.serve_forever, args=[0.01], daemon=True).start()
    try:
        yield found
    finally:
        found.server.shutdown()
        found.server.server_close()
