import json
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, refused, run, served
from message_provider import Provider, provider

from animus_routes.host import Plugin

CHANNEL = [sys.executable, str(EXAMPLES / "channel_webhook.py")]
SCHEMA = "animus.channel.v1"
SCOPE = {"tenant_id": "t-1", "connection_id": "wa-1"}
WAIT_S = 20.0


@pytest.fixture
def there() -> Iterator[Provider]:
    with provider() as found:
        yield found


@pytest.fixture
def plugin(tmp_path: Path, there: Provider) -> Iterator[Plugin]:
    connect(tmp_path, there.url)
    with opened(tmp_path) as started:
        yield started


def connect(project: Path, url: str, **more: Any) -> None:
    (project / ".animus").mkdir(exist_ok=True)
    connection = {**SCOPE, "url": url, "token": "secret", **more}
    text = json.dumps({"connections": [connection]})
    (project / ".animus" / "channels.json").write_text(text, "utf-8")


def opened(project: Path) -> Any:
    return served(CHANNEL, project)


def outgoing(delivery_id: str, text: str = "Done.", **more: Any) -> dict[str, Any]:
    fields = {"delivery_id": delivery_id, "peer_id": "+1555", "text": text}
    return {"schema": SCHEMA, "scope": SCOPE, **fields, **more}


def incoming(message_id: str, text: str = "Hi", **more: Any) -> dict[str, Any]:
    fields = {"message_id": message_id, "peer_id": "+1555", "text": text}
    at = {"occurred_at": "2026-11-25T12:00:00Z"}
    return {"schema": SCHEMA, "scope": SCOPE, **fields, **at, **more}


def send(plugin: Plugin, delivery_id: str, text: str = "Done.", **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = plugin.call("channel/send", outgoing(delivery_id, text, **more))
    return found


def status(plugin: Plugin, delivery_id: str) -> dict[str, Any]:
    params = {"schema": SCHEMA, "scope": SCOPE, "delivery_id": delivery_id}
    found: dict[str, Any] = plugin.call("channel/status", params)
    return found


def until(plugin: Plugin, delivery_id: str, *states: str) -> dict[str, Any]:
    """The delivery, once it is in one of these states."""
    end = time.monotonic() + WAIT_S
    while (found := status(plugin, delivery_id))["state"] not in states:
        assert time.monotonic() < end, found
    return found


def in_flight(plugin: Plugin, there: Provider, delivery_id: str) -> Callable[[], Any]:
    """Send a message that the provider has, and does not answer; what waits for the answer."""
    there.taking = False
    request = plugin.request("channel/send", outgoing(delivery_id))
    assert there.next().body["delivery_id"] == delivery_id
    return lambda: plugin.reply(request, WAIT_S)


def test_a_message_is_sent_as_the_protocol_has_it(plugin: Plugin, there: Provider) -> None:
    there.taking = False
    request = plugin.request("channel/send", outgoing("d-1"))
    arrival = there.next()
    arrival.reply(id="p-9")
    assert plugin.reply(request, WAIT_S) == {
        "schema": SCHEMA,
        "scope": SCOPE,
        "delivery_id": "d-1",
        "state": "accepted",
        "provider_message_id": "p-9",
    }
    assert arrival.body == {"delivery_id": "d-1", "to": "+1555", "text": "Done."}
    assert (arrival.key, arrival.token) == ("d-1", "Bearer secret")


def test_what_the_channel_can_do_is_said(plugin: Plugin) -> None:
    assert plugin.call("channel/schema", {}) == {
        "schema": SCHEMA,
        "providers": ["webhook"],
        "supports_text": True,
        "supports_media": False,
        "supports_templates": False,
        "supports_delivery_status": True,
        "supports_durable_receive": True,
    }


def test_a_received_message_survives_kill_minus_9(plugin: Plugin, tmp_path: Path) -> None:
    answer = {"schema": SCHEMA, "duplicate": False}
    assert plugin.call("channel/receive", incoming("m-1")) == answer
    plugin.kill()
    with opened(tmp_path) as other:
        assert other.call("channel/receive", incoming("m-1"))["duplicate"] is True
        assert other.call("channel/receive", incoming("m-2"))["duplicate"] is False


@pytest.mark.parametrize(
    "changed", [{"text": "Bye"}, {"peer_id": "+1556"}, {"occurred_at": "2026-11-25T12:00:01Z"}]
)
def test_another_message_under_a_known_id_is_a_conflict(
    plugin: Plugin, changed: dict[str, str]
) -> None:
    plugin.call("channel/receive", incoming("m-1"))
    problem = refused(plugin, "channel/receive", incoming("m-1", **changed))
    assert (problem.code, "'m-1'" in problem.message) == (-32602, True)
    assert plugin.call("channel/receive", incoming("m-1"))["duplicate"] is True


def test_ids_are_those_of_one_connection(plugin: Plugin, tmp_path: Path, there: Provider) -> None:
    two = [{**SCOPE, "url": there.url}, {**SCOPE, "connection_id": "wa-2", "url": there.url}]
    file = tmp_path / ".animus" / "channels.json"
    file.write_text(json.dumps({"connections": two}), "utf-8")
    other = {**SCOPE, "connection_id": "wa-2"}
    plugin.call("channel/receive", incoming("m-1"))
    found = plugin.call("channel/receive", incoming("m-1", "Other", scope=other))
    assert found["duplicate"] is False
    send(plugin, "d-1")
    assert send(plugin, "d-1", "Other", scope=other)["state"] == "accepted"
    assert there.seen == ["d-1", "d-1"]


@pytest.mark.parametrize("scope", [{**SCOPE, "tenant_id": "t-2"}, {**SCOPE, "connection_id": "x"}])
@pytest.mark.parametrize("method", ["receive", "send", "status"])
def test_a_scope_that_no_connection_has_is_refused(
    plugin: Plugin, method: str, scope: dict[str, str]
) -> None:
    params = {
        "receive": incoming("m-1"),
        "send": outgoing("d-1"),
        "status": {"schema": SCHEMA, "delivery_id": "d-1"},
    }
    problem = refused(plugin, f"channel/{method}", {**params[method], "scope": scope})
    assert problem.code == -32602
    assert problem.data["issues"][0]["path"] == "scope"


def test_a_repeated_send_sends_nothing_again(
    plugin: Plugin, there: Provider, tmp_path: Path
) -> None:
    first = send(plugin, "d-1")
    assert send(plugin, "d-1") == first
    with opened(tmp_path) as other:
        assert send(other, "d-1") == first
    assert there.seen == ["d-1"]


@pytest.mark.parametrize("changed", [{"text": "x"}, {"peer_id": "+1"}, {"reply_to": "m-1"}])
def test_another_message_under_a_sent_id_is_a_conflict(
    plugin: Plugin, there: Provider, changed: dict[str, str]
) -> None:
    send(plugin, "d-1")
    problem = refused(plugin, "channel/send", outgoing("d-1") | changed)
    assert (problem.code, "'d-1'" in problem.message) == (-32602, True)
    assert there.seen == ["d-1"]


def test_a_message_that_may_have_been_sent_is_never_sent_again(
    plugin: Plugin, there: Provider, tmp_path: Path
) -> None:
    in_flight(plugin, there, "d-1")
    plugin.kill()
    there.taking = True
    with opened(tmp_path) as other:
        found = until(other, "d-1", "unknown")
        assert found["error_code"] == "interrupted"
        assert send(other, "d-1")["state"] == "unknown"
        assert send(other, "d-2")["state"] == "accepted"
    assert there.seen == ["d-1", "d-2"]


def test_a_message_that_nobody_took_is_sent_by_the_next_process(
    plugin: Plugin, there: Provider, tmp_path: Path
) -> None:
    port = free_port()
    connect(tmp_path, f"http://127.0.0.1:{port}/messages")
    assert send(plugin, "d-1")["state"] == "queued"
    plugin.kill()
    with opened(tmp_path) as other, provider(port) as late:
        assert late.next().body["delivery_id"] == "d-1"
        assert until(other, "d-1", "accepted")["provider_message_id"] == "p-1"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_one_process_sends_what_all_record(plugin: Plugin, there: Provider, tmp_path: Path) -> None:
    send(plugin, "d-0")
    with opened(tmp_path) as second, opened(tmp_path) as third:
        asked = [
            (process, process.request("channel/send", outgoing(f"{name}-{number}")))
            for number in range(5)
            for name, process in (("b", second), ("c", third))
        ]
        assert {process.reply(one, WAIT_S)["state"] for process, one in asked} == {"accepted"}
        plugin.kill()
        assert send(third, "c-5")["state"] == "accepted"
    assert len(there.seen) == len(set(there.seen)) == 12


def test_messages_to_a_peer_leave_in_their_order_and_no_peer_waits_for_another(
    plugin: Plugin, there: Provider
) -> None:
    there.taking = False
    first = plugin.request("channel/send", outgoing("d-1"))
    arrival = there.next()
    second = plugin.request("channel/send", outgoing("d-2"))
    other = plugin.request("channel/send", outgoing("d-3", peer_id="+1556"))
    there.next().reply(id="p-3")
    assert plugin.reply(other, WAIT_S)["state"] == "accepted"
    assert there.seen == ["d-1", "d-3"]
    arrival.reply(id="p-1")
    assert plugin.reply(first, WAIT_S)["state"] == "accepted"
    there.next().reply(id="p-2")
    assert plugin.reply(second, WAIT_S)["state"] == "accepted"
    assert there.seen == ["d-1", "d-3", "d-2"]


@pytest.mark.parametrize(
    ("code", "state", "error"),
    [(400, "failed", "http_400"), (302, "failed", "http_302"), (500, "unknown", "http_500")],
)
def test_what_the_provider_refuses_is_told_without_its_words(
    plugin: Plugin, there: Provider, code: int, state: str, error: str
) -> None:
    waiting = in_flight_with(plugin, there, "d-1", code)
    found = waiting()
    assert (found["state"], found["error_code"]) == (state, error)
    assert "provider_message_id" not in found
    there.taking = True
    assert send(plugin, "d-1")["state"] == state
    assert there.seen == ["d-1"]


def in_flight_with(
    plugin: Plugin, there: Provider, delivery_id: str, code: int
) -> Callable[[], Any]:
    there.taking = False
    request = plugin.request("channel/send", outgoing(delivery_id))
    there.next().reply(code, id="p-1", error="token secret is wrong")
    return lambda: plugin.reply(request, WAIT_S)


def test_a_busy_provider_is_asked_again_and_the_state_does_not_go_back(
    plugin: Plugin, there: Provider
) -> None:
    assert in_flight_with(plugin, there, "d-1", 429)()["state"] == "sending"
    there.next().reply(id="p-2")
    assert until(plugin, "d-1", "accepted")["provider_message_id"] == "p-2"
    assert there.seen == ["d-1", "d-1"]


def test_a_delivery_gets_further_and_never_back(plugin: Plugin, there: Provider) -> None:
    sent = send(plugin, "d-1")
    for said, held in [
        ("accepted", "accepted"),
        ("delivered", "delivered"),
        ("accepted", "delivered"),
        ("nonsense", "delivered"),
        ("read", "read"),
        ("delivered", "read"),
    ]:
        there.statuses[sent["provider_message_id"]] = said
        found = status(plugin, "d-1")
        assert (found["state"], found["provider_message_id"]) == (held, "p-1")
        assert "error_code" not in found


def test_a_delivery_that_nobody_sent_is_not_found(plugin: Plugin) -> None:
    params = {"schema": SCHEMA, "scope": SCOPE, "delivery_id": "d-404"}
    assert "d-404" in refused(plugin, "channel/status", params).message


def test_a_peer_who_says_stop_gets_nothing_more_until_start(
    plugin: Plugin, there: Provider
) -> None:
    arrival_answer = in_flight(plugin, there, "d-1")
    queued = plugin.request("channel/send", outgoing("d-2"))
    plugin.call("channel/receive", incoming("m-1", " STOP "))
    found = plugin.reply(queued, WAIT_S)
    assert (found["state"], found["error_code"]) == ("failed", "opted_out")
    assert send(plugin, "d-3")["error_code"] == "opted_out"
    plugin.call("channel/receive", incoming("m-2", "start"))
    plugin.call("channel/receive", incoming("m-1", " STOP "))  # again, by a provider's retry
    there.taking = True
    assert send(plugin, "d-4", peer_id="+1556")["state"] == "accepted"
    assert there.seen == ["d-1", "d-4"]
    del arrival_answer


def test_a_person_takes_a_conversation_over(
    plugin: Plugin, there: Provider, tmp_path: Path
) -> None:
    assert run([*CHANNEL, "take", "t-1", "wa-1", "+1555"], tmp_path)[0] == 0
    assert send(plugin, "d-1")["error_code"] == "human_takeover"
    plugin.call("channel/receive", incoming("m-1", "start"))
    assert send(plugin, "d-2")["error_code"] == "human_takeover"
    assert run([*CHANNEL, "give", "t-1", "wa-1", "+1555"], tmp_path)[0] == 0
    assert send(plugin, "d-3")["state"] == "accepted"
    assert there.seen == ["d-3"]
    code, _, said = run([*CHANNEL, "take", "t-2", "wa-1", "+1555"], tmp_path)
    assert (code, "no connection" in said) == (1, True)


def test_a_ping_leaves_nothing_behind(tmp_path: Path) -> None:
    with opened(tmp_path) as plugin:
        assert plugin.call("$/ping") is not None
        assert refused(plugin, "channel/send", outgoing("d-1")).code == -32602
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_connections_that_cannot_be_read_is_named(plugin: Plugin, tmp_path: Path) -> None:
    assert plugin.call("health/check")["status"] == "healthy"
    connect(tmp_path, "ftp://example.com")
    assert plugin.call("health/check")["status"] == "unhealthy"
    assert "channels.json" in refused(plugin, "channel/send", outgoing("d-1")).message
    connect(tmp_path, "http://127.0.0.1:1/", token="two\nlines")
    assert "channels.json" in refused(plugin, "channel/send", outgoing("d-1")).message


def test_what_came_in_is_there_to_be_read(plugin: Plugin, tmp_path: Path) -> None:
    plugin.call("channel/receive", incoming("m-1", "Hello"))
    with closing(sqlite3.connect(tmp_path / ".animus" / "channel.sqlite3")) as db:
        rows = db.execute("SELECT tenant_id, content ->> 'text' FROM inbound").fetchall()
    assert rows == [("t-1", "Hello")]


@pytest.mark.parametrize(
    ("method", "params", "path"),
    [
        ("send", outgoing(" "), "delivery_id"),
        ("send", outgoing("d-1", peer_id=""), "peer_id"),
        ("send", {**outgoing("d-1"), "schema": "animus.channel.v2"}, "schema"),
        ("send", {**outgoing("d-1"), "actor": None}, ""),
        ("receive", incoming("m-1", occurred_at="noon"), "occurred_at"),
        ("receive", incoming("m-1", scope={**SCOPE, "tenant_id": ""}), "scope.tenant_id"),
    ],
)
def test_what_the_protocol_does_not_allow_is_refused(
    plugin: Plugin, there: Provider, method: str, params: dict[str, Any], path: str
) -> None:
    problem = refused(plugin, f"channel/{method}", params)
    assert (problem.code, problem.data["issues"][0]["path"]) == (-32602, path)
    assert there.seen == []
