"""Against a real control socket: a Unix socket server that speaks newline-delimited JSON-RPC."""

import http.client as http_client
import json
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingUnixStreamServer
from time import monotonic
from typing import Any, cast

import pytest
from example_host import EXAMPLES, INSTALLED, refused, run, served

from animus_routes.host import Plugin

TRANSPORT = [sys.executable, str(EXAMPLES / "transport_http.py")]
ACCEPT_S = 0.075  # how soon after the answer a host expects the port to take connections
WAIT_S = 5.0


class Daemon(ThreadingUnixStreamServer):
    """Answers as the daemon's control socket does; `hang` is never answered."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.asked: list[dict[str, Any]] = []
        super().__init__(str(path), ControlHandler)


class ControlHandler(StreamRequestHandler):
    def handle(self) -> None:
        for line in self.rfile:
            frame = json.loads(line)
            cast("Daemon", self.server).asked.append(frame)
            answer = self.answer(frame)
            if answer is not None:
                news = {"jsonrpc": "2.0", "method": "daemon/event", "params": {}}
                frames = [news, {"jsonrpc": "2.0", "id": frame["id"], **answer}]
                self.wfile.write("".join(json.dumps(f) + "\n" for f in frames).encode())

    @staticmethod
    def answer(frame: dict[str, Any]) -> dict[str, Any] | None:
        if frame["method"] == "hang":
            return None
        if frame["method"] == "nope":
            return {"error": {"code": -32601, "message": "unknown method"}}
        return {"result": {"method": frame["method"], "params": frame["params"]}}


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    with Daemon(tmp_path / "control.sock") as daemon:
        thread = threading.Thread(target=daemon.serve_forever, args=(0.02,))
        thread.start()
        yield daemon
        daemon.shutdown()
        thread.join(WAIT_S)


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Plugin]:
    with served(TRANSPORT, tmp_path) as plugin:
        yield plugin


def start(plugin: Plugin, folder: Path, **more: Any) -> str:
    """Start on a port of the system's choice; the address it says it has."""
    config = {
        "control_socket_path": str(folder / "control.sock"),
        "project_root": str(folder),
        "bind_addr": "127.0.0.1:0",
        **more,
    }
    info: dict[str, str] = plugin.call("transport/start", config)
    assert info["started_at"].endswith("Z")
    return info["bound_addr"]


def http(
    address: str, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any]:
    connection = http_connection(address)
    with closing(connection):
        text = body if isinstance(body, str | None) else json.dumps(body)
        connection.request(method, path, text, headers)
        answer = connection.getresponse()
        content = answer.read().decode()
        is_json = answer.headers.get_content_type() == "application/json"
        return answer.status, json.loads(content) if is_json and content else content


def http_connection(address: str) -> http_client.HTTPConnection:
    return http_client.HTTPConnection(address, timeout=WAIT_S)


def test_the_manifest_names_both_kinds(tmp_path: Path) -> None:
    code, document, _ = run([*TRANSPORT, "--manifest"], tmp_path, env=INSTALLED)
    manifest = json.loads(document)
    assert code == 0
    assert (manifest["plugin_kind"], manifest["plugin_kinds"]) == ("transport_backend", ["web_ui"])
    assert {"transport/start", "transport/shutdown", "transport/schema", "web_ui"} <= set(
        manifest["capabilities"]
    )


def test_the_schema_says_what_is_served(plugin: Plugin) -> None:
    schema = plugin.call("transport/schema")
    assert schema["kinds"] == ["http", "json-rpc"]
    assert schema["default_port"] == 8090


def test_the_port_takes_connections_as_soon_as_start_has_answered(
    plugin: Plugin, daemon: Daemon, tmp_path: Path
) -> None:
    address = start(plugin, tmp_path)
    host, _, port = address.rpartition(":")
    began = monotonic()
    socket.create_connection((host, int(port)), timeout=ACCEPT_S).close()
    assert monotonic() - began < ACCEPT_S
    assert port != "0"


def test_a_request_goes_to_the_socket_and_its_answer_comes_back(
    plugin: Plugin, daemon: Daemon, tmp_path: Path
) -> None:
    address = start(plugin, tmp_path)
    request = {"jsonrpc": "2.0", "id": "mine", "method": "subject/list", "params": {"limit": 2}}
    status, answer = http(address, "POST", "/rpc", request)
    assert status == 200
    assert answer == {
        "jsonrpc": "2.0",
        "id": "mine",
        "result": {"method": "subject/list", "params": {"limit": 2}},
    }


def test_the_method_may_stand_in_the_path(plugin: Plugin, daemon: Daemon, tmp_path: Path) -> None:
    address = start(plugin, tmp_path)
    _, answer = http(address, "POST", "/rpc/daemon/status", {"verbose": True})
    assert answer["result"] == {"method": "daemon/status", "params": {"verbose": True}}
    _, answer = http(address, "POST", "/rpc/daemon/status")
    assert answer["result"]["params"] == {}


def test_an_error_of_the_daemon_is_passed_on_with_a_status_that_fits(
    plugin: Plugin, daemon: Daemon, tmp_path: Path
) -> None:
    status, answer = http(start(plugin, tmp_path), "POST", "/rpc", {"method": "nope", "id": 7})
    assert (status, answer["id"], answer["error"]["code"]) == (404, 7, -32601)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [("{", 400, -32700), ("[]", 400, -32600), ('{"method": 7}', 400, -32600), ("7", 400, -32600)],
)
def test_a_body_that_is_no_request_never_reaches_the_daemon(
    body: str, status: int, code: int, plugin: Plugin, daemon: Daemon, tmp_path: Path
) -> None:
    found, answer = http(start(plugin, tmp_path), "POST", "/rpc", body)
    assert (found, answer["error"]["code"]) == (status, code)
    assert daemon.asked == []


def test_a_daemon_that_is_away_or_silent_is_an_answer_too(plugin: Plugin, tmp_path: Path) -> None:
    address = start(plugin, tmp_path)
    status, answer = http(address, "POST", "/rpc", {"method": "daemon/status", "id": 1})
    assert (status, answer["id"], answer["error"]["code"]) == (502, 1, -32603)
    assert http(address, "GET", "/healthz")[0] == 503


def test_a_daemon_that_hangs_ends_in_a_timeout(
    plugin: Plugin, daemon: Daemon, tmp_path: Path
) -> None:
    address = start(plugin, tmp_path, config={"timeout_s": 0.1})
    assert http(address, "POST", "/rpc", {"method": "hang"})[0] == 504


def test_healthz_says_what_is_served_since_when(
    plugin: Plugin, daemon: Daemon, tmp_path: Path
) -> None:
    address = start(plugin, tmp_path)
    status, found = http(address, "GET", "/healthz")
    assert (status, found["bound_addr"], found["daemon"]) == (200, address, True)


def test_a_token_guards_the_bridge(daemon: Daemon, tmp_path: Path) -> None:
    with served(TRANSPORT, tmp_path, env={"ANIMUS_HTTP_TOKEN": "s3cret"}) as plugin:
        address = start(plugin, tmp_path, config={"auth_token_env": "ANIMUS_HTTP_TOKEN"})
        request = {"method": "daemon/status"}
        assert http(address, "POST", "/rpc", request)[0] == 401
        assert http(address, "POST", "/rpc", request, Authorization="Bearer no")[0] == 401
        assert http(address, "POST", "/rpc", request, Authorization="Bearer s3cret")[0] == 200


def test_a_page_of_another_site_cannot_call_the_daemon(
    plugin: Plugin, daemon: Daemon, tmp_path: Path
) -> None:
    address = start(plugin, tmp_path)
    request = {"method": "daemon/status"}
    assert http(address, "POST", "/rpc", request, Origin="http://evil.example")[0] == 403
    rebound = {"Origin": "http://evil.example", "Host": "evil.example"}
    assert http(address, "POST", "/rpc", request, **rebound)[0] == 403
    assert http(address, "POST", "/rpc", request, Origin=f"http://{address}")[0] == 200
    assert len(daemon.asked) == 1


SERVED = [("GET", "/"), ("GET", "/healthz"), ("POST", "/rpc"), ("POST", "/rpc/daemon/status")]
OTHERS = [("HEAD", "/"), ("OPTIONS", "/rpc"), ("PUT", "/healthz"), ("GET", "/none"), ("GET", "//")]
FOREIGN = [
    *("pages.example", "localhost.pages.example", "127.0.0.1.pages.example", "xlocalhost"),
    *("pages.localhost", "localhost.", "127.0.0.10", "1127.0.0.1", "[::1].pages.example", "[::12]"),
    *("x@127.0.0.1", "127.0.0.1@pages.example", "127.0.0.1:x", "127.0.0.1, pages.example"),
    *("pages.example:x", "[pages.example", "", " ", "\xff"),
]


def test_nothing_is_served_under_a_foreign_name(
    plugin: Plugin, daemon: Daemon, tmp_path: Path
) -> None:
    address = start(plugin, tmp_path)
    port = address.rpartition(":")[2]
    for name in (*FOREIGN, *(f"{name}:{port}" for name in FOREIGN if name.strip())):
        for method, path in (*SERVED, *OTHERS):
            status, answer = http(address, method, path, Host=name)
            assert (name, method, path, status) == (name, method, path, 403)
            if method != "HEAD":
                assert answer["error"]["message"] == "only names of the loopback are served"
    assert daemon.asked == []


def test_the_loopback_s_own_names_are_served(
    plugin: Plugin, daemon: Daemon, tmp_path: Path
) -> None:
    address = start(plugin, tmp_path)
    port = address.rpartition(":")[2]
    for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        for host in (name, f"{name}:{port}", f"{name}:80"):
            for method, path in SERVED:
                body = {"method": "daemon/status"} if method == "POST" else None
                assert http(address, method, path, body, Host=host)[0] == 200


def test_a_caller_of_http_1_0_names_no_host(plugin: Plugin, daemon: Daemon, tmp_path: Path) -> None:
    host, _, port = start(plugin, tmp_path).rpartition(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_S) as connection:
        connection.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert b" 200 OK\r\n" in connection.makefile("rb").readline()


def test_a_listener_with_a_token_has_any_name(daemon: Daemon, tmp_path: Path) -> None:
    with served(TRANSPORT, tmp_path, env={"ANIMUS_HTTP_TOKEN": "s3cret"}) as plugin:
        address = start(plugin, tmp_path, config={"auth_token_env": "ANIMUS_HTTP_TOKEN"})
        named = {"Host": "box.example"}
        assert http(address, "GET", "/healthz", **named)[0] == 200
        assert http(address, "GET", "/", **named)[0] == 200
        assert http(address, "POST", "/rpc/x", **named)[0] == 401
        assert http(address, "POST", "/rpc/x", Authorization="Bearer s3cret", **named)[0] == 200


def test_the_page_is_there_unless_it_is_not_wanted(
    plugin: Plugin, daemon: Daemon, tmp_path: Path
) -> None:
    status, page = http(start(plugin, tmp_path), "GET", "/")
    assert (status, str(tmp_path) in page) == (200, True)
    plugin.call("transport/shutdown")
    assert http(start(plugin, tmp_path, config={"ui": False}), "GET", "/")[0] == 404


def test_a_shutdown_frees_the_port_and_may_be_repeated(
    plugin: Plugin, daemon: Daemon, tmp_path: Path
) -> None:
    assert plugin.call("transport/shutdown") == {"shutdown": True}
    address = start(plugin, tmp_path)
    assert plugin.call("transport/shutdown") == {"shutdown": True}
    assert plugin.call("transport/shutdown") == {"shutdown": True}
    with pytest.raises(ConnectionRefusedError):
        http(address, "GET", "/healthz")
    assert start(plugin, tmp_path, bind_addr=address) == address


def test_a_start_that_is_repeated_gets_the_same_answer(
    plugin: Plugin, daemon: Daemon, tmp_path: Path
) -> None:
    assert start(plugin, tmp_path) == start(plugin, tmp_path)
    config = {"control_socket_path": "/other", "project_root": "/"}
    assert refused(plugin, "transport/start", config).code == -32602


def test_a_port_that_is_taken_is_an_error_of_its_own(plugin: Plugin, tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        config = {
            "control_socket_path": "x",
            "project_root": "x",
            "bind_addr": f"127.0.0.1:{taken.getsockname()[1]}",
        }
        error = refused(plugin, "transport/start", config)
    assert (error.code, error.data["category"]) == (-32603, "address_in_use")


@pytest.mark.parametrize(
    ("fields", "code", "category"),
    [
        ({"bind_addr": "nowhere"}, -32602, "invalid_request"),
        ({"bind_addr": "127.0.0.1:99999"}, -32602, "invalid_request"),
        ({"bind_addr": "0.0.0.0:0"}, -32603, "permission_denied"),
        ({"config": {"cors": True}}, -32602, "invalid_request"),
        ({"config": {"auth_token_env": "NOT_SET"}}, -32603, "unavailable"),
    ],
)
def test_a_start_that_makes_no_sense_is_refused(
    fields: dict[str, Any], code: int, category: str, plugin: Plugin
) -> None:
    config = {"control_socket_path": "x", "project_root": "x", **fields}
    error = refused(plugin, "transport/start", config)
    assert (error.code, error.data["category"]) == (code, category)


def test_the_process_ends_at_once_with_a_request_under_way(daemon: Daemon, tmp_path: Path) -> None:
    with served(TRANSPORT, tmp_path) as plugin:
        address = start(plugin, tmp_path)
        with closing(http_connection(address)) as connection:
            connection.request("POST", "/rpc", '{"method": "hang"}')
            plugin.close_stdin()
            assert plugin.wait(3) == 0
