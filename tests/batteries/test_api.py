"""A system behind HTTP that is asked politely, against a real server that counts."""

import http.server
import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from typing import Any, NamedTuple

import pytest
from msgspec import Struct

from animus_routes import InvalidRequest, NotFound, PermissionDenied, QuotaExceeded, Unavailable
from animus_routes.batteries import api as battery
from animus_routes.batteries.api import Answer, Api
from animus_routes.errors import NamedError

WAIT_S = 10.0


class Item(Struct):
    n: int


class Asked(NamedTuple):
    command: str
    path: str
    headers: Message


class Server(http.server.ThreadingHTTPServer):
    """Answers with what `answer` says; `asked` has what came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[Asked] = []
        self.bodies: list[Any] = []
        self.answer: Callable[[Any], tuple[int, dict[str, str], bytes]] = lambda _: (200, {}, b"{}")
        self.raw: Callable[[socket.socket], None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v3"

    def always(self, status: int, body: bytes = b"{}", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = lambda _: (status, named, body)


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(Asked(self.command, self.path, self.headers))
        text = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.bodies.append(json.loads(text) if text else None)
        if self.server.raw is not None:
            self.server.raw(self.connection)
            self.close_connection = True
            return
        status, headers, body = self.server.answer(self)
        if status == 304:
            body = b""
        self.send_response(status)
        for name, value in {"content-length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815

    def log_message(self, format: str, *args: Any) -> None: ...


@contextmanager
def listening() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(WAIT_S)


@pytest.fixture
def server() -> Iterator[Server]:
    with listening() as found:
        yield found


@pytest.fixture
def api(server: Server) -> Iterator[Api]:
    with Api("Tracker", f"{server.url}/", {"Authorization": "Bearer s3cret\n"}) as found:
        yield found


def raised(call: Callable[[], Any]) -> NamedError:
    with pytest.raises(NamedError) as caught:
        call()
    return caught.value


def test_an_answer_is_read_as_its_type_and_has_its_links(server: Server, api: Api) -> None:
    server.always(200, b'[{"n":1}]', link='<http://x/next?page=2>; rel="next"')
    found = api.get("/items", {"state": "open", "none": None, "labels": "a b,ü"}, type=list[Item])
    assert found.data == [Item(1)]
    assert found.links == {"next": "http://x/next?page=2"}
    asked = server.asked[0]
    assert asked.path == "/v3/items?state=open&labels=a+b%2C%C3%BC"
    assert asked.headers["authorization"] == "Bearer s3cret"


def test_what_is_sent_is_json_and_an_empty_answer_is_none(server: Server, api: Api) -> None:
    server.always(204, b"")
    assert api.post("/items", {"n": 1}).data is None
    assert api.delete("/items/1").data is None
    assert [one.command for one in server.asked] == ["POST", "DELETE"]
    assert server.bodies == [{"n": 1}, None]
    assert server.asked[0].headers["content-type"] == "application/json"


def test_what_has_not_changed_is_not_sent_again(server: Server, api: Api) -> None:
    def answer(asked: Any) -> tuple[int, dict[str, str], bytes]:
        if asked.headers["if-none-match"] == 'W/"1"':
            return 304, {"x-left": "7"}, b""
        return 200, {"etag": 'W/"1"', "x-left": "8", "link": '<http://x/2>; rel="next"'}, b'{"n":1}'

    server.answer = answer
    first, second = (api.get("/items/1", type=Item) for _ in range(2))
    assert (first.data, second.data) == (Item(1), Item(1))
    assert (first.status, second.status, second.headers["x-left"]) == (200, 304, "7")
    assert second.links == {"next": "http://x/2"}
    assert api.get("/items/2", type=Item).status == 200


def test_answers_that_are_remembered_are_bounded(
    server: Server, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(battery, "KEPT_BYTES", 40)
    server.always(200, b'{"n": 1}', etag='"x"')
    for n in (0, 1, 2, 2, 1, 0):
        api.get(f"/items/{n}")
    asked = [one.headers["if-none-match"] for one in server.asked]
    assert asked == [None, None, None, '"x"', '"x"', None]
    server.always(200, json.dumps([str(n * n) for n in range(99)]).encode(), etag='"x"')
    api.get("/large")
    api.get("/large")
    assert server.asked[-1].headers["if-none-match"] is None


@pytest.mark.parametrize(
    ("status", "headers", "body", "kind", "wait_s"),
    [
        (429, {"retry-after": "7"}, b"{}", QuotaExceeded, 7),
        (403, {}, b'{"message":"You have exceeded a secondary rate limit"}', QuotaExceeded, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "30"}, b"{}", QuotaExceeded, 30),
        (503, {"retry-after": "9"}, b"{}", Unavailable, 9),
        (500, {}, b"<html>", Unavailable, 1),
    ],
)
def test_after_a_refusal_for_a_limit_or_an_outage_nothing_is_asked(
    server: Server,
    api: Api,
    status: int,
    headers: dict[str, str],
    body: bytes,
    kind: type[NamedError],
    wait_s: int,
) -> None:
    server.answer = lambda _: (status, headers, body)
    first = raised(lambda: api.get("/items"))
    assert (type(first), first.data["retry_after_s"]) == (kind, wait_s)
    for _ in range(20):
        again = raised(lambda: api.post("/items", {}))
        assert type(again) is kind
        assert again.data["retry_after_s"] <= wait_s
        assert again.message.count("retry in") == 1
    assert len(server.asked) == 1
    assert "retry in" in (api.trouble() or "")


def test_pauses_double_and_end_with_the_first_answer(
    server: Server, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr(battery, "monotonic", lambda: clock[0])
    server.always(502, b"")
    told: list[int] = []
    for _ in range(8):
        told.append(raised(lambda: api.get("/items")).data["retry_after_s"])
        clock[0] += told[-1]
    assert told == [1, 2, 4, 8, 16, 32, 60, 60]
    server.always(200)
    assert api.trouble() is None
    api.get("/items")
    server.always(502, b"")
    assert raised(lambda: api.get("/items")).data["retry_after_s"] == 1


def test_calls_that_fail_together_are_one_failure(server: Server, api: Api) -> None:
    gate = threading.Barrier(4)

    def answer(_: Any) -> tuple[int, dict[str, str], bytes]:
        gate.wait(WAIT_S)
        return 500, {}, b""

    server.answer = answer
    found: list[NamedError] = []
    threads = [
        threading.Thread(target=lambda: found.append(raised(lambda: api.get("/items"))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert [error.data["retry_after_s"] for error in found] == [1] * 4


@pytest.mark.parametrize(
    ("status", "kind"), [(401, PermissionDenied), (404, NotFound), (422, InvalidRequest)]
)
def test_other_refusals_hold_nothing_up(
    server: Server, api: Api, status: int, kind: type[NamedError]
) -> None:
    server.always(status, b'{"message":"no","errors":[{"field":"title","code":"missing_field"}]}')
    error = raised(lambda: api.get("/items"))
    assert (type(error), error.data["status"]) == (kind, status)
    assert "no: title missing_field" in error.message
    server.always(200)
    assert api.get("/items").status == 200


def torn(connection: socket.socket) -> None:
    connection.sendall(b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"n": ')


def silent(connection: socket.socket) -> None:
    connection.settimeout(WAIT_S)
    connection.recv(1)


def dripping(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    end = time.monotonic() + WAIT_S
    try:
        while time.monotonic() < end:
            connection.sendall(b"1\r\n[\r\n")
            connection.settimeout(0.05)
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                pass
    except OSError:
        return


@pytest.mark.parametrize(
    ("raw", "patience_s", "said"),
    [
        (torn, WAIT_S, "cannot be reached"),
        (lambda _: None, WAIT_S, "cannot be reached"),
        (silent, 0.3, "did not answer in time"),
        (dripping, 0.3, "did not answer in time"),
    ],
)
def test_answers_that_are_torn_or_never_end_are_outages(
    server: Server, raw: Callable[[socket.socket], None], patience_s: float, said: str
) -> None:
    server.raw = raw
    with Api("Tracker", server.url, {"authorization": "s3cret"}, timeout_s=patience_s) as api:
        error = raised(lambda: api.get("/items"))
    assert isinstance(error, Unavailable)
    assert said in error.message
    assert "s3cret" not in repr(error.data) + error.message


@pytest.mark.parametrize("body", [b"", b"{", b'{"n": "x"}', b"<html>", b"\xff"])
def test_an_answer_of_another_kind_is_unavailable(server: Server, api: Api, body: bytes) -> None:
    server.always(200, body)
    assert "answered with something else" in raised(lambda: api.get("/i", type=Item)).message


def test_an_answer_larger_than_its_bound_is_not_read(
    server: Server, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(battery, "MOST_BYTES", 10)
    server.always(200, b'"aaaaaaaaaaaaa"')
    assert "more than 10 bytes" in raised(lambda: api.get("/items")).message


def test_a_system_says_what_its_answers_mean(server: Server) -> None:
    def judge(status: int, headers: Any, body: bytes) -> NamedError | None:
        return QuotaExceeded("too many", retry_after_s=30) if b"RATELIMITED" in body else None

    server.always(200, b'{"errors": [{"code": "RATELIMITED"}]}')
    with Api("Tracker", server.url, {}, judge=judge) as api:
        assert raised(lambda: api.post("/graphql", {})).data["retry_after_s"] == 30
        assert isinstance(raised(lambda: api.post("/graphql", {})), QuotaExceeded)
    assert len(server.asked) == 1


def test_a_call_that_is_sent_on_is_made_there(server: Server, api: Api) -> None:
    def answer(handler: Any) -> tuple[int, dict[str, str], bytes]:
        if handler.path == "/v3/new":
            return 201, {}, b'{"n": 7}'
        return (
            307,
            {"location": f"{server.url}/new" if handler.path == "/v3/old" else "/v3/on"},
            b"",
        )

    server.answer = answer
    for call in (api.post, api.patch, api.put, api.delete):
        assert call("/old", {"a": 1}, type=Item).data == Item(7)
    assert [one.command for one in server.asked[::2]] == ["POST", "PATCH", "PUT", "DELETE"]
    assert [one.command for one in server.asked[1::2]] == ["POST", "PATCH", "PUT", "DELETE"]
    assert server.bodies == [{"a": 1}] * 8
    assert "it is at" in raised(lambda: api.post("/round", {})).message
    server.always(307, location="http://localhost:1/v3/new")
    assert "it is at" in raised(lambda: api.post("/old", {})).message


def test_a_client_that_takes_long_to_make_does_not_use_up_the_time(
    server: Server, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    late, make = [0.0], httpx.Client
    monkeypatch.setattr(battery, "monotonic", lambda: time.monotonic() + late[0])

    def slow(**given: Any) -> httpx.Client:
        late[0] += 3600.0
        return make(**given)

    monkeypatch.setattr(httpx, "Client", slow)
    server.always(200, b'{"n": 1}')
    assert api.get("/items", type=Item, timeout_s=WAIT_S).data == Item(1)


def test_the_token_goes_nowhere_else(server: Server, api: Api) -> None:
    with listening() as other:
        server.always(302, location=f"{other.url}/stolen".replace("127.0.0.1", "localhost"))
        api.get("/items")
        assert other.asked[0].headers["authorization"] is None
        assert "it is at" in raised(lambda: api.post("/items", {})).message
        assert len(other.asked) == 1
        server.always(200)
        api.get(f"{other.url}/x")
        assert len(other.asked) == 1
    assert server.asked[-1].path.startswith("/v3/http:")


@pytest.mark.parametrize("value", ["s3c\nret", "gehéim"])
def test_a_header_that_cannot_be_one_is_refused_without_its_value(value: str) -> None:
    api = Api("Tracker", "http://127.0.0.1:1", {"authorization": value})
    error = raised(lambda: api.get("/"))
    assert isinstance(error, Unavailable)
    assert "`authorization`" in error.message
    assert value not in error.message
    assert api.trouble() == error.message
    for url in ("ftp://x", "", "http://"):
        assert "no http URL" in (Api("Tracker", url, {}).trouble() or "")
    assert isinstance(raised(lambda: Api("Tracker", "http://[x", {}).get("/")), Unavailable)


def test_without_httpx_it_says_what_is_missing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)
    assert "pip install httpx" in raised(lambda: api.get("/items")).message


def test_nobody_there_is_unavailable_and_a_closed_one_opens_again(server: Server, api: Api) -> None:
    api.get("/items")
    api.close()
    answer: Answer[Any] = api.get("/items")
    assert answer.status == 200
    with Api("Tracker", "http://127.0.0.1:1", {}) as nobody:
        assert "cannot be reached" in raised(lambda: nobody.get("/")).message
