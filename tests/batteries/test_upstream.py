"""Refusals and silences of a real HTTP server, met with three clients, as named errors."""

import asyncio
import email.utils
import http.server
import json
import socket
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from animus_routes import (
    InvalidRequest,
    NotFound,
    PermissionDenied,
    QuotaExceeded,
    RpcError,
    Unavailable,
)
from animus_routes.batteries.upstream import failure, retry_after_s, upstream
from animus_routes.errors import ModelNotSupported, NamedError

WAIT_S = 5.0


class Server(http.server.ThreadingHTTPServer):
    """Answers every request as it was told last."""

    daemon_threads = True
    answer: tuple[int, dict[str, str], bytes] = (200, {}, b"fine")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/x"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        status, headers, body = self.server.answer
        if status == 0:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def listening() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(WAIT_S)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with listening() as found:
        yield found


def by_httpx(url: str) -> None:
    httpx.get(url, timeout=WAIT_S).raise_for_status()


def by_httpx_stream(url: str) -> None:
    with httpx.stream("GET", url, timeout=WAIT_S) as response:
        response.raise_for_status()


def by_async_httpx(url: str) -> None:
    async def get() -> None:
        async with httpx.AsyncClient(timeout=WAIT_S) as client:
            (await client.get(url)).raise_for_status()

    asyncio.run(get())


def by_urllib(url: str) -> None:
    with urllib.request.urlopen(url, timeout=WAIT_S) as response:
        response.read()


CLIENTS = [by_httpx, by_httpx_stream, by_async_httpx, by_urllib]


def met(client: Any, url: str) -> NamedError:
    with pytest.raises(NamedError) as caught, upstream("Tracker"):
        client(url)
    return caught.value


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequest),
        (401, PermissionDenied),
        (403, PermissionDenied),
        (404, NotFound),
        (409, InvalidRequest),
        (410, NotFound),
        (422, InvalidRequest),
        (429, QuotaExceeded),
        (500, Unavailable),
        (503, Unavailable),
        (529, Unavailable),
    ],
)
def test_a_status_is_a_named_error(
    client: Any, status: int, kind: type[RpcError], server: Server
) -> None:
    body = json.dumps({"message": "because\n of  that"}).encode()
    server.answer = status, {"retry-after": "7"} if status != 403 else {}, body
    error = met(client, server.url)
    assert type(error) is kind
    waits = kind in {Unavailable, QuotaExceeded}
    assert error.data.get("retry_after_s") == (7 if waits else None)
    said = "" if client is by_httpx_stream else ": because of that"
    assert error.message == f"Tracker answered {status}{said}" + ("; retry in 7 s" if waits else "")
    assert error.__cause__ is not None


@pytest.mark.parametrize("client", CLIENTS)
def test_no_answer_is_unavailable(client: Any, server: Server) -> None:
    server.answer = 0, {}, b""
    error = met(client, server.url)
    assert type(error) is Unavailable
    assert error.message.startswith("Tracker cannot be reached: ")


@pytest.mark.parametrize("client", CLIENTS)
def test_nobody_there_is_unavailable(client: Any) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    assert met(client, url).message.startswith("Tracker cannot be reached: ")


@pytest.mark.parametrize("client", [httpx.get, urllib.request.urlopen])
def test_silence_is_unavailable(client: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        error = met(lambda url: client(url, timeout=0.05), url)
    assert error.message == "Tracker did not answer in time"


def test_a_redirect_that_nobody_follows_is_unavailable(server: Server) -> None:
    server.answer = 302, {"location": "/elsewhere"}, b""
    assert type(met(by_httpx, server.url)) is Unavailable


def test_what_is_fine_and_what_is_another_s_passes(server: Server) -> None:
    server.answer = 200, {}, b"fine"
    with upstream("Tracker"):
        by_httpx(server.url)
    mine = NotFound("of my own")
    for error in (mine, KeyError("x"), ValueError("x"), FileNotFoundError("x"), PermissionError()):
        with pytest.raises(type(error)) as caught, upstream("Tracker"):
            raise error
        assert caught.value is error


NOW = 1_800_000_000.5


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "120"}, 120),
        ({"retry-after": "0.4"}, 1),
        ({"retry-after": "-5"}, 0),
        ({"retry-after": email.utils.formatdate(NOW + 30, usegmt=True)}, 30),
        ({"retry-after": email.utils.formatdate(NOW - 30, usegmt=True)}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 90)}, 90),
        ({"x-ratelimit-remaining": "3", "x-ratelimit-reset": str(int(NOW) + 90)}, None),
        ({"x-ratelimit-reset": str(int(NOW) + 90)}, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "15"}, 15),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2027-01-15T08:01:00Z"}, 60),
        (
            {
                "X-RateLimit-Requests-Remaining": "0",
                "X-RateLimit-Requests-Reset": str(int((NOW + 20) * 1000)),
                "X-RateLimit-Complexity-Remaining": "0",
                "X-RateLimit-Complexity-Reset": str(int((NOW + 40) * 1000)),
            },
            40,
        ),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, 360),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "20ms"}, 1),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "1h2m3.5s"}, 3724),
    ],
)
def test_when_to_come_back_is_read_in_every_spelling(
    headers: dict[str, str], seconds: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("animus_routes.batteries.upstream.time", lambda: NOW)
    assert retry_after_s(headers) == seconds


LIMIT = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "60"}


@pytest.mark.parametrize(
    ("status", "headers", "text", "kind"),
    [
        (403, LIMIT, "", QuotaExceeded),
        (403, {"retry-after": "60"}, "", QuotaExceeded),
        (403, {}, '{"message": "You have exceeded a secondary rate limit"}', QuotaExceeded),
        (403, {}, '{"message": "Resource not accessible"}', PermissionDenied),
        (400, {}, '{"errors": [{"extensions": {"code": "RATELIMITED"}}]}', QuotaExceeded),
        (400, LIMIT, '{"errors": [{"message": "bad"}]}', InvalidRequest),
    ],
)
def test_a_rate_limit_is_told_from_missing_rights(
    status: int, headers: dict[str, str], text: str, kind: type[RpcError]
) -> None:
    assert type(failure("Tracker", status, headers, text)) is kind


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"error": {"message": "inner"}}', ": inner"),
        ('{"errorMessages": ["one", "two"], "errors": {}}', ": one; two"),
        ('{"errors": [{"message": "of a list"}]}', ": of a list"),
        ("plain\ntext", ": plain text"),
        ("<html><body>Bad gateway</body></html>", ""),
        ("", ""),
        ("[1", ": [1"),
        ("x" * 1000, ": " + "x" * 300),
        (b"\xff", ": \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_what_the_answer_says_is_told_in_one_short_line(text: str | bytes, said: str) -> None:
    error = failure("Tracker", 500, {}, text)
    assert error is not None
    assert error.message == f"Tracker answered 500{said}"


def test_a_system_may_mean_something_else_by_a_status() -> None:
    found = failure("Models", 404, {}, "", {404: ModelNotSupported})
    assert type(found) is ModelNotSupported
    assert found.data == {"status": 404, "category": "model_not_supported"}
    assert failure("Models", 399) is None


@pytest.mark.parametrize("kind", [Unavailable, QuotaExceeded])
def test_an_author_s_own_error_says_when_to_come_back(kind: Any) -> None:
    error = kind("busy", {"a": 1}, retry_after_s=2.5)
    assert error.data == {"a": 1, "retry_after_s": 2.5, "category": kind.name}
    assert (error.message, str(error)) == ("busy; retry in 2.5 s", "busy; retry in 2.5 s (-32603)")
    assert kind("busy").data == {"category": kind.name}
    assert kind().message != ""


def test_jiras_refusals_name_the_fields() -> None:
    body = {"errorMessages": [], "errors": {"summary": "You must specify a summary."}}
    error = failure("Jira", 400, {}, json.dumps(body))
    assert error is not None
    assert error.message == "Jira answered 400: summary You must specify a summary."
