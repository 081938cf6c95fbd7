"""What comes by HTTP: a listener for webhooks on this machine's own address.

    with listening(receive, port=8787) as port:
        ...

    def receive(delivery: Delivery) -> int:
        if not is_signed(SCHEMES["github"], [secret], delivery.headers, delivery.body):
            return 401
        return 204

It listens on 127.0.0.1 unless told otherwise: TLS and the way from outside are a proxy's. A sender has so many
seconds for a whole request, so much room, and so many can be served at once; the rest is refused. What is
refused is not logged, since anybody can send it.
"""

from __future__ import annotations

import io
import sys
import traceback
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_WR
from threading import BoundedSemaphore, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Generator, Mapping

__all__ = ["Delivery", "listening"]

AT_ONCE: Final = 16
LOOK_S: Final = 0.1  # how soon the listener ends
LONGEST_LINE: Final = 1024
DRAIN_S: Final = 1.0
DRAIN_BYTES: Final = 65536
WAIT_S: Final = "5"  # when too many send at once


class Delivery(NamedTuple):
    """One request.

    Attributes:
        method: Such as `POST`.
        path: Without the query.
        query: As it came.
        headers: Names in lower case; of a repeated one, the last.
        body: As it came, which is what signatures are of.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


class _Refused(Exception):  # noqa: N818 - what happened
    """The request cannot be one; its status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@contextmanager
def listening(
    receive: Callable[[Delivery], int],
    *,
    port: int,
    host: str = "127.0.0.1",
    most_bytes: int = 25 * 1024 * 1024,
    patience_s: float = 10.0,
) -> Generator[int, None, None]:
    """Serve while the block runs; gives the port, which is another one if 0 was asked for.

    Args:
        receive: Called on a thread of its own with each request that is whole; returns the status of the
            answer, which senders want within a few seconds. What it raises is a 500, and on stderr.
        port: To listen on.
        host: Whose address.
        most_bytes: Of a body; 413 above.
        patience_s: For a whole request to arrive; 408 after that.

    Raises:
        OSError: The port cannot be listened on, by another process's doing perhaps.
    """
    server = _Server((host, port), _Handler)
    server.receive, server.most_bytes, server.patience_s = receive, most_bytes, patience_s
    thread = Thread(target=server.serve_forever, args=(LOOK_S,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    receive: Callable[[Delivery], int]
    most_bytes: int
    patience_s: float

    def __init__(self, *arguments: Any) -> None:
        self.free = BoundedSemaphore(AT_ONCE)
        super().__init__(*arguments)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        """Of a sender that goes away, nothing is said."""
        if not isinstance(sys.exception(), OSError):
            traceback.print_exc()


class _Late(Exception):  # noqa: N818 - what happened
    """The sender's time is over; not a TimeoutError, which the library would answer with nothing."""


class _Bounded(io.RawIOBase):
    """What a sender has written, as long as its time lasts."""

    def __init__(self, connection: socket.socket, end: float) -> None:
        self._connection, self.end = connection, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.end - monotonic()
        if left <= 0:
            raise _Late
        self._connection.settimeout(left)
        try:
            return self._connection.recv_into(buffer)
        except TimeoutError:
            raise _Late from None


class _Handler(BaseHTTPRequestHandler):
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "animus-routes", ""

    def setup(self) -> None:
        super().setup()
        self._sent = _Bounded(self.connection, monotonic() + self.server.patience_s)
        self.rfile = io.BufferedReader(self._sent)

    def handle_one_request(self) -> None:
        if not self.server.free.acquire(blocking=False):
            self._answer_raw(503)
            self._drain()
            return
        try:
            super().handle_one_request()
        except _Late:
            self._answer_raw(408)
        finally:
            self.close_connection = True
            self.server.free.release()

    def __getattr__(self, name: str) -> Any:
        """Every method is handled; which of them are meant is for `receive`."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        try:
            place = self._place()
            body = self._body()
        except _Refused as refusal:
            self._answer(refusal.status)
            self._drain()
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        delivery = Delivery(self.command, place.path, place.query, headers, body)
        try:
            status = self.server.receive(delivery)
        except Exception:  # noqa: BLE001 - of the author: the listener goes on
            traceback.print_exc()
            status = 500
        self._answer(status)

    def _place(self) -> SplitResult:
        try:
            return urlsplit(self.path)
        except ValueError:
            raise _Refused(400) from None

    def _body(self) -> bytes:
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise _Refused(415)
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(self._chunks())
        told = self.headers.get("content-length", "0").strip()
        if "transfer-encoding" in self.headers or not (told.isascii() and told.isdigit()):
            raise _Refused(400)
        if len(told) > len(str(sys.maxsize)) or int(told) > self.server.most_bytes:
            raise _Refused(413)
        return self._exactly(int(told))

    def _chunks(self) -> Generator[bytes, None, None]:
        """The parts of a body whose length nobody has told."""
        total = 0
        while True:
            line = self.rfile.readline(LONGEST_LINE).partition(b";")[0].strip()
            try:
                size = int(line, 16)
            except ValueError:
                raise _Refused(400) from None
            total += size
            if size < 0 or total > self.server.most_bytes:
                raise _Refused(400 if size < 0 else 413)
            if size == 0:
                return
            yield self._exactly(size)
            self.rfile.readline(LONGEST_LINE)

    def _exactly(self, size: int) -> bytes:
        body = self.rfile.read(size)
        if len(body) < size:
            raise _Refused(400)
        return body

    def _drain(self) -> None:
        """Take what is on its way still, or the sender would see a broken connection, not the answer."""
        self._sent.end = min(self._sent.end, monotonic() + DRAIN_S)
        left = self.server.most_bytes
        with suppress(OSError, _Late):
            self.connection.shutdown(SHUT_WR)
            while left > 0 and (piece := self.rfile.read1(DRAIN_BYTES)):
                left -= len(piece)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.send_header("connection", "close")
        if status == 503:
            self.send_header("retry-after", WAIT_S)
        self.end_headers()

    def _answer_raw(self, status: int) -> None:
        """Before a request was read."""
        self.close_connection = True
        phrase = HTTPStatus(status).phrase
        text = f"HTTP/1.1 {status} {phrase}\r\ncontent-length: 0\r\nretry-after: {WAIT_S}\r\nconnection: close\r\n\r\n"
        with suppress(OSError):
            self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's word
        """Nothing: anybody can send anything here."""
