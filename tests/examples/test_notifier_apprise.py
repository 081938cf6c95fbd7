"""Against a real HTTP server on the loopback, through apprise's own `json://` service."""

import json
import sqlite3
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any, cast

import pytest
from example_host import EXAMPLES, INSTALLED, run, served

from animus_routes import RpcError
from animus_routes.host import Plugin

NOTIFIER = [sys.executable, str(EXAMPLES / "notifier_apprise.py")]
WAIT_S = 10.0


class Service(ThreadingHTTPServer):
    """Takes notifications, fails the next `failing` of them, answers none while `gate` is shut."""

    daemon_threads = True

    def __init__(self) -> None:
        self.got: Queue[dict[str, Any]] = Queue()
        self.failing = 0
        self.gate = threading.Event()
        self.gate.set()
        super().__init__(("127.0.0.1", 0), Receiver)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.server_port}/hook"

    def next(self) -> dict[str, Any]:
        return self.got.get(timeout=WAIT_S)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        service = cast("Service", self.server)
        service.got.put(body)
        service.gate.wait(WAIT_S)
        service.failing -= 1
        self.send_response(503 if service.failing >= 0 else 200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as service:
        thread = threading.Thread(target=service.serve_forever, args=(0.02,))
        thread.start()
        yield service
        service.gate.set()
        service.shutdown()
        thread.join(WAIT_S)


def routes(folder: Path, text: str) -> None:
    (folder / ".animus").mkdir(exist_ok=True)
    (folder / ".animus" / "notifier.yaml").write_text(text, "utf-8")


def event(number: int = 1, event_type: str = "workflow_failed", **data: Any) -> dict[str, Any]:
    return {
        "event": {
            "schema": "animus.daemon-event.v1",
            "id": f"event-{number}",
            "seq": number,
            "timestamp": "2026-11-21T09:00:00Z",
            "event_type": event_type,
            "data": data or None,
        }
    }


def happened(result: dict[str, Any]) -> list[str]:
    return [
        e["event_type"].removeprefix("notification-delivery-") for e in result["lifecycle_events"]
    ]


def flushed(plugin: Plugin) -> list[str]:
    return happened(plugin.call("notifier/flush", {}))


@pytest.fixture
def plugin(tmp_path: Path, service: Service) -> Iterator[Plugin]:
    env = {"OPS_URL": service.url}
    routes(
        tmp_path,
        "routes:\n"
        "- {name: ops, events: ['workflow_*'], url_env: OPS_URL, type: failure,\n"
        "   title: '$event_type', body: 'run $run of ${project_root}: ${data}'}\n"
        "retry: {attempts: 3, first_s: 0, lease_s: 0.1}\n",
    )
    with served(NOTIFIER, tmp_path, env=env) as plugin:
        yield plugin


def test_the_manifest_needs_no_configuration(tmp_path: Path) -> None:
    code, document, errors = run([*NOTIFIER, "--manifest"], tmp_path, env=INSTALLED)
    manifest = json.loads(document)
    assert (code, errors) == (0, "")
    assert manifest["plugin_kind"] == "notifier"
    assert {"notifier/notify", "notifier/flush", "notifier/schema"} <= set(manifest["capabilities"])
    assert [e["name"] for e in manifest["env_required"] if e["sensitive"]] == ["ANIMUS_APPRISE_URL"]


def test_an_event_is_accepted_at_once_and_delivered_by_the_next_flush(
    plugin: Plugin, service: Service
) -> None:
    result = plugin.call("notifier/notify", event(run="r7"))
    assert (result["accepted"], result["delivered"]) == (True, 0)
    assert happened(result) == ["enqueued"]
    assert service.got.empty()
    assert flushed(plugin) == ["sent"]
    body = service.next()
    assert (body["title"], body["type"]) == ("workflow_failed", "failure")
    assert body["message"] == 'run r7 of ${project_root}: {"run":"r7"}'
    assert flushed(plugin) == []


def test_an_event_that_no_route_takes_is_not_accepted(plugin: Plugin) -> None:
    result = plugin.call("notifier/notify", event(event_type="task-state-change"))
    assert (result["accepted"], happened(result)) == (False, [])
    assert flushed(plugin) == []


def test_a_service_that_fails_gets_the_event_when_it_has_recovered(
    plugin: Plugin, service: Service
) -> None:
    service.failing = 2
    plugin.call("notifier/notify", event())
    flush = plugin.call("notifier/flush", {})
    assert happened(flush) == ["failed", "failed", "sent"]
    first, _, last = [e["data"] for e in flush["lifecycle_events"]]
    assert "503" in first["error"]
    assert (last["event_id"], last["connector"], last["attempts"]) == ("event-1", "ops", 3)


def test_a_delivery_that_failed_waits_before_it_is_tried_again(
    tmp_path: Path, service: Service
) -> None:
    routes(tmp_path, f"routes: [{{name: all, url: '{service.url}'}}]\nretry: {{first_s: 600}}\n")
    service.failing = 1
    with served(NOTIFIER, tmp_path) as plugin:
        plugin.call("notifier/notify", event())
        flush = plugin.call("notifier/flush", {})
        assert happened(flush) == ["failed"]
        assert flush["lifecycle_events"][0]["data"]["retry_in_s"] == 600
        assert flushed(plugin) == []


def test_an_event_is_given_up_after_the_configured_attempts(
    plugin: Plugin, service: Service
) -> None:
    service.failing = 100
    plugin.call("notifier/notify", event())
    assert flushed(plugin) == ["failed", "failed", "dead-lettered"]
    assert flushed(plugin) == []
    health = plugin.call("health/check")
    assert (health["status"], health["last_error"]) == ("degraded", "1 deliveries were given up")


def test_an_event_that_a_host_sends_again_is_delivered_once(
    plugin: Plugin, service: Service
) -> None:
    assert happened(plugin.call("notifier/notify", event())) == ["enqueued"]
    assert flushed(plugin) == ["sent"]
    again = plugin.call("notifier/notify", event())
    assert (again["accepted"], happened(again), flushed(plugin)) == (True, [], [])
    assert service.got.qsize() == 1


def test_events_are_accepted_while_a_slow_service_holds_a_flush_up(
    plugin: Plugin, service: Service
) -> None:
    plugin.call("notifier/notify", event())
    service.gate.clear()
    flush = plugin.request("notifier/flush", {})
    service.next()
    assert plugin.call("notifier/notify", event(2), timeout_s=2)["accepted"] is True
    service.gate.set()
    assert happened(plugin.reply(flush))[0] == "sent"


def test_an_accepted_event_survives_a_kill_before_its_delivery(
    tmp_path: Path, service: Service
) -> None:
    env = {"ANIMUS_APPRISE_URL": service.url}
    with served(NOTIFIER, tmp_path, env=env) as plugin:
        for number in range(5):
            assert plugin.call("notifier/notify", event(number))["accepted"] is True
        plugin.kill()
    assert service.got.empty()
    with served(NOTIFIER, tmp_path, env=env) as plugin:
        assert flushed(plugin) == ["sent"] * 5
    assert service.got.qsize() == 5


def test_a_delivery_that_a_kill_interrupts_is_made_again(tmp_path: Path, service: Service) -> None:
    routes(tmp_path, f"routes: [{{name: all, url: '{service.url}'}}]\nretry: {{lease_s: 0.05}}\n")
    with served(NOTIFIER, tmp_path) as plugin:
        plugin.call("notifier/notify", event())
        service.gate.clear()
        plugin.request("notifier/flush", {})
        service.next()
        plugin.kill()
    service.gate.set()
    with served(NOTIFIER, tmp_path) as plugin:
        assert flushed(plugin) == ["sent"]
    assert service.got.qsize() == 1


def test_two_processes_that_flush_at_once_deliver_each_event_once(
    tmp_path: Path, service: Service
) -> None:
    env = {"ANIMUS_APPRISE_URL": service.url}
    with served(NOTIFIER, tmp_path, env=env) as one, served(NOTIFIER, tmp_path, env=env) as two:
        for number in range(20):
            one.call("notifier/notify", event(number))
        requests = [(p, p.request("notifier/flush", {})) for p in (one, two)]
        counts = [len(happened(p.reply(request))) for p, request in requests]
    assert sum(counts) == service.got.qsize() == 20


def test_secrets_stay_out_of_the_outbox_and_out_of_reports(
    plugin: Plugin, service: Service, tmp_path: Path
) -> None:
    service.failing = 100
    plugin.call("notifier/notify", event())
    flush = json.dumps(plugin.call("notifier/flush", {}))
    with closing(sqlite3.connect(tmp_path / ".animus" / "notifier.sqlite3")) as db:
        kept = str(db.execute("SELECT * FROM outbox").fetchall())
    assert "/hook" not in flush + kept


def test_the_schema_names_the_connectors_and_a_missing_secret_shows_in_health(
    tmp_path: Path, plugin: Plugin
) -> None:
    assert plugin.call("notifier/schema") == {"connector_kinds": ["json"], "supports_flush": True}
    with served(NOTIFIER, tmp_path) as bare:
        health = bare.call("health/check")
        assert (health["status"], health["last_error"]) == ("degraded", "not set: OPS_URL")
        bare.call("notifier/notify", event(9))
        assert flushed(bare)[0] == "failed"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("routes: [{name: x, event: y}]", "unknown field `event`"),
        ("routes: [{name: x}, {name: x}]", "two routes are named 'x'"),
        ("routes: [", "while parsing"),
    ],
)
def test_a_file_of_routes_that_is_wrong_refuses_the_handshake(
    text: str, reason: str, tmp_path: Path
) -> None:
    routes(tmp_path, text)
    with (
        Plugin.start(NOTIFIER, cwd=tmp_path, env=INSTALLED) as plugin,
        pytest.raises(RpcError, match=reason),
    ):
        plugin.initialize()
