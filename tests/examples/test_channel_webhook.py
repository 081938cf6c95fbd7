"""The channel example, as a process, against a provider on the loopback."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from animus_routes import RpcError
from animus_routes.host import PluginProcess, host_environment

ROOT = Path(__file__).resolve().parents[2]
CHANNEL = [sys.executable, str(ROOT / "examples" / "channel_webhook.py")]
SCOPE = {"tenant_id": "t-1", "connection_id": "wa-1"}
BASE: dict[str, Any] = {"schema": "animus.channel.v1", "scope": SCOPE}
MESSAGE: dict[str, Any] = {
    **BASE,
    "message_id": "m-1",
    "peer_id": "+1555",
    "occurred_at": "2026-11-25T12:00:00Z",
    "text": "Hello?",
}
SEND: dict[str, Any] = {**BASE, "delivery_id": "d-1", "peer_id": "+1555", "text": "Done."}
STATUS: dict[str, Any] = {**BASE, "delivery_id": "d-1"}


class Provider(ThreadingHTTPServer):
    """Takes messages, unless it is told what to answer instead."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Endpoint)
        self.got: list[dict[str, Any]] = []
        self.status: int | None = 200


class Endpoint(BaseHTTPRequestHandler):
    server: Provider  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(json.loads(body))
        if self.server.status is None:
            self.close_connection = True  # it hangs up, and nobody knows
            return
        answer = json.dumps({"id": f"p-{len(self.server.got)}"}).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(5)


def opened(folder: Path, provider: Provider) -> PluginProcess:
    url = f"http://127.0.0.1:{provider.server_address[1]}"
    extra = {"PYTHONPATH": str(ROOT), "CHANNEL_WEBHOOK_URL": url}
    plugin = PluginProcess.start(CHANNEL, cwd=folder, env=host_environment(extra=extra))
    plugin.initialize()
    return plugin


def test_a_message_is_sent_once_however_often_it_is_asked_for(
    tmp_path: Path, provider: Provider
) -> None:
    accepted = {**STATUS, "state": "accepted", "provider_message_id": "p-1"}
    for _ in range(2):
        with opened(tmp_path, provider) as plugin:
            assert plugin.call("channel/send", SEND) == accepted
            assert plugin.call("channel/send", SEND) == accepted
            assert plugin.call("channel/status", STATUS) == accepted
    assert provider.got == [{"to": "+1555", "text": "Done.", "key": "d-1"}]


@pytest.mark.parametrize(
    ("status", "found"),
    [(503, {"state": "failed", "error_code": "http_503"}), (None, {"state": "unknown"})],
)
def test_what_went_wrong_is_kept_and_not_sent_again(
    tmp_path: Path, provider: Provider, status: int | None, found: dict[str, Any]
) -> None:
    provider.status = status
    with opened(tmp_path, provider) as plugin:
        assert plugin.call("channel/send", SEND) == STATUS | found
        provider.status = 200
        assert plugin.call("channel/send", SEND) == STATUS | found
    assert len(provider.got) == 1


def test_what_came_in_is_taken_once_and_outlives_the_process(
    tmp_path: Path, provider: Provider
) -> None:
    for duplicate in (False, True):
        with opened(tmp_path, provider) as plugin:
            found = plugin.call("channel/receive", MESSAGE)
            assert found == {"schema": "animus.channel.v1", "duplicate": duplicate}
            plugin.kill()


@pytest.mark.parametrize(
    ("method", "first", "second"),
    [
        ("receive", MESSAGE, MESSAGE | {"text": "Other"}),
        ("send", SEND, SEND | {"peer_id": "+1666"}),
    ],
)
def test_another_message_of_the_same_id_is_a_conflict(
    tmp_path: Path, provider: Provider, method: str, first: Any, second: Any
) -> None:
    with opened(tmp_path, provider) as plugin:
        plugin.call(f"channel/{method}", first)
        with pytest.raises(RpcError, match="other content") as caught:
            plugin.call(f"channel/{method}", second)
    assert caught.value.code == -32602


def test_a_delivery_that_nobody_asked_for_is_not_found(tmp_path: Path, provider: Provider) -> None:
    with opened(tmp_path, provider) as plugin, pytest.raises(RpcError) as caught:
        plugin.call("channel/status", STATUS)
    assert caught.value.data["category"] == "not_found"
