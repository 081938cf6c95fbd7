"""The listener for webhooks, over real sockets."""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from animus_routes.batteries import webhooks
from animus_routes.batteries.webhooks import Delivery, listening

WAIT_S = 10.0


class Taken:
    """What has come, and what is answered."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.status = 204
        self.came, self.hold = threading.Event(), threading.Event()
        self.hold.set()

    def __call__(self, delivery: Delivery) -> int:
        self.deliveries.append(delivery)
        self.came.set()
        assert self.hold.wait(WAIT_S)
        if delivery.path == "/bug":
            raise LookupError("a bug")
        return self.status


@contextmanager
def opened(taken: Taken, **options: Any) -> Iterator[int]:
    with listening(taken, port=0, **options) as port:
        yield port


def raw(port: int, *pieces: bytes) -> bytes:
    with closing(socket.create_connection(("127.0.0.1", port), WAIT_S)) as connection:
        for piece in pieces:
            connection.sendall(piece)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
        return answer


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def post(port: int, body: Any, path: str = "/hooks?x=1", **headers: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)) as connection:
        connection.request("POST", path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        return connection.getresponse().status


def test_a_delivery_comes_as_it_was_sent() -> None:
    taken = Taken()
    with opened(taken) as port:
        assert post(port, b'{"a": 1}\n', X_Sig="abc") == 204
        assert post(port, iter([b"ab", b"c" * 5000]), "/") == 204
        assert status_of(raw(port, b"GET / HTTP/1.0\r\n\r\n")) == 204
    first, second, third = taken.deliveries
    assert first[:3] == ("POST", "/hooks", "x=1")
    assert (first.headers["x-sig"], first.body) == ("abc", b'{"a": 1}\n')
    assert second.body == b"ab" + b"c" * 5000
    assert (third.method, third.body) == ("GET", b"")


@pytest.mark.parametrize(
    ("head", "body", "status"),
    [
        (b"content-length: 11", b"x" * 11, 413),
        (b"content-length: 999999999999999999999999", b"", 413),
        (b"content-length: -1", b"", 400),
        (b"content-length: x", b"", 400),
        (b"content-length: 5\r\ncontent-encoding: gzip", b"x" * 5, 415),
        (b"transfer-encoding: gzip", b"", 400),
        (b"transfer-encoding: chunked", b"b\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n", 413),
        (b"transfer-encoding: chunked", b"zz\r\n", 400),
        (b"transfer-encoding: chunked", b"-1\r\n", 400),
    ],
)
def test_what_cannot_be_taken_is_refused(head: bytes, body: bytes, status: int) -> None:
    taken = Taken()
    with opened(taken, most_bytes=10) as port:
        answer = raw(port, b"POST / HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n\r\n" + body)
    assert status_of(answer) == status
    assert taken.deliveries == []


def test_an_address_that_is_none_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    taken = Taken()
    with opened(taken) as port:
        assert status_of(raw(port, b"POST http://[::1/x HTTP/1.1\r\nhost: x\r\n\r\n")) == 400
    assert (taken.deliveries, capfd.readouterr().err) == ([], "")


@pytest.mark.parametrize(
    "piece", [b"", b"POST / HTTP/1.1\r\nhost", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nx"]
)
def test_a_slow_sender_is_given_up(piece: bytes) -> None:
    taken = Taken()
    with opened(taken, patience_s=0.2) as port:
        assert status_of(raw(port, piece)) == 408
        assert 204 in (post(port, b"x") for _ in range(20))  # one that is quick enough
    assert len(taken.deliveries) == 1


def test_more_than_can_be_served_at_once_are_told_to_come_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhooks, "AT_ONCE", 1)
    taken = Taken()
    taken.hold.clear()
    with opened(taken) as port:
        first = threading.Thread(target=post, args=(port, b"x"))
        first.start()
        try:
            assert taken.came.wait(WAIT_S)
            body = b"x" * 2**23  # more than waits in buffers
            answer = raw(port, b"POST / HTTP/1.0\r\ncontent-length: %d\r\n\r\n" % len(body), body)
            assert (status_of(answer), b"retry-after: 5" in answer) == (503, True)
        finally:
            taken.hold.set()
            first.join(WAIT_S)


def test_a_bug_is_a_500_and_the_listener_goes_on(capfd: pytest.CaptureFixture[str]) -> None:
    taken = Taken()
    with opened(taken) as port:
        assert post(port, b"x", "/bug") == 500
        assert post(port, b"x") == 204
    told = capfd.readouterr().err
    assert "LookupError: a bug" in told
    assert "POST" not in told


def test_a_port_that_is_taken_says_so_and_is_free_again_afterwards() -> None:
    taken = Taken()
    with opened(taken) as port, pytest.raises(OSError, match="in use"), listening(taken, port=port):
        pass
    with listening(taken, port=port) as again:
        assert again == port
        assert post(port, b"x") == 204


def test_senders_that_go_away_leave_nothing_on_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    taken = Taken()
    with opened(taken) as port:
        for piece in (b"", b"POST", b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nab"):
            with closing(socket.create_connection(("127.0.0.1", port), WAIT_S)) as connection:
                connection.sendall(piece)
        assert post(port, b"x") == 204
    assert capfd.readouterr().err == ""
    assert len(taken.deliveries) == 1
