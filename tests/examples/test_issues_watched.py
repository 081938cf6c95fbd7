"""Watches of issues_linear and issues_jira: by asking, by their own writes, and by webhooks."""

import http.client
import json
import random
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import jira_server
import linear_server
import pytest
from example_host import EXAMPLES, served
from tracker_faults import written

from animus_routes.batteries.signatures import SCHEMES, signature
from animus_routes.host import Plugin

SECRET = "whs-0123456789abcdef"
PATIENCE_S = 30.0


class Watched(NamedTuple):
    """A system, a plugin that is told of its webhook, and a watch on it."""

    kind: str
    system: Any
    plugin: Plugin
    port: int
    watch: int

    def event(self) -> dict[str, Any]:
        """The next one of this watch."""
        found = self.plugin.next_notification("subject/changed", PATIENCE_S).params
        assert found["id"] == self.watch
        event: dict[str, Any] = found["event"]
        return event

    def deliver(self, body: dict[str, Any], *, secret: str = SECRET, name: str = "1") -> int:
        """Send what the system would; the status of the answer."""
        text = json.dumps(body).encode()
        scheme = SCHEMES[self.kind]
        headers = {scheme.header: signature(scheme, secret, text), scheme.id: name}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            connection.request("POST", "/", text, headers)
            return connection.getresponse().status
        finally:
            connection.close()


def free_port() -> int:
    """One that the system gives to nobody who asks for any."""
    while True:
        port = random.randrange(20_000, 32_000)
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


@contextmanager
def connected(kind: str, **more: str) -> Iterator[tuple[Any, Plugin, int]]:
    server: Any = linear_server.linear if kind == "linear" else jira_server.jira
    port, upper = free_port(), kind.upper()
    with server() as system:
        if kind == "linear":
            system.team("ENG")
            env = {"LINEAR_API_URL": system.url, "LINEAR_API_TOKEN": linear_server.TOKEN}
        else:
            env = {"JIRA_URL": system.url, "JIRA_API_TOKEN": jira_server.TOKEN}
            env |= {"JIRA_EMAIL": jira_server.EMAIL, "JIRA_PROJECTS": "ENG"}
        hook = {f"{upper}_WEBHOOK_SECRET": SECRET, f"{upper}_WEBHOOK_PORT": str(port)}
        env |= {**hook, f"{upper}_POLL_S": "3600", **more}
        command = [sys.executable, str(EXAMPLES / f"issues_{kind}.py")]
        with served(command, Path(), env=env) as plugin:
            yield system, plugin, port
            assert SECRET not in written(plugin)


@pytest.fixture(params=["linear", "jira"])
def watched(request: pytest.FixtureRequest) -> Iterator[Watched]:
    """Nothing is asked for an hour, unless somebody says so."""
    kind = str(request.param)
    with connected(kind) as (system, plugin, port):
        old(kind, add(kind, system, "there"))
        watch = plugin.request("subject/watch", {})
        assert plugin.reply(watch) == {"watching": True}
        until(lambda: listens(port))
        yield Watched(kind, system, plugin, port, watch)


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end
        time.sleep(0.02)


def listens(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def add(kind: str, system: Any, title: str) -> Any:
    return system.issue(system.teams[0] if kind == "linear" else "ENG", title)


def old(kind: str, issue: Any) -> None:
    """It was there long before anybody watched."""
    if kind == "linear":
        issue.update(createdAt="2026-01-01T00:00:00.000Z", updatedAt="2026-01-01T00:00:00.000Z")
    else:
        moment = "2026-01-01T00:00:00.000+0000"
        issue["fields"].update(created=moment, updated=moment)


def retitle(kind: str, system: Any, issue: Any, title: str) -> None:
    if kind == "linear":
        system.change(issue, title=title)
    else:
        system.change(issue["key"], summary=title)


def delivery(kind: str, *, removed: bool = False) -> dict[str, Any]:
    now_ms = int(time.time() * 1000)
    if kind == "linear":
        action = "remove" if removed else "update"
        return {"action": action, "type": "Issue", "webhookTimestamp": now_ms}
    event = f"jira:issue_{'deleted' if removed else 'updated'}"
    return {"timestamp": now_ms, "webhookEvent": event}


def test_a_watch_hears_of_what_is_done_here_and_of_the_webhook(watched: Watched) -> None:
    kind, system, plugin = watched.kind, watched.system, watched.plugin
    made = plugin.call(f"{kind}/create", {"title": "made here"})
    event = watched.event()
    assert (event["change_kind"], event["id"]) == ("created", made["id"])

    plugin.call(f"{kind}/status", {"id": made["id"], "status": "In Progress"})
    event = watched.event()
    assert event["change_kind"] == "status-changed"
    assert event["previous_native_status"] in {"Todo", "To Do", "Backlog"}
    plugin.call(f"{kind}/status", {"id": made["id"], "status": "In Review"})
    event = watched.event()
    assert event["change_kind"] == "dispatch-label-changed"
    assert event["subject"]["native_status"] == "In Review"

    other = add(kind, system, "made there")
    assert watched.deliver(delivery(kind), secret="wrong") == 401
    assert watched.deliver(delivery(kind), name="2") == 200
    event = watched.event()
    assert (event["change_kind"], event["subject"]["title"]) == ("created", "made there")

    retitle(kind, system, other, "changed there")
    assert watched.deliver(delivery(kind), name="2") == 200  # it was here before
    assert watched.deliver(delivery(kind), name="3") == 200
    event = watched.event()
    assert (event["change_kind"], event["subject"]["title"]) == ("updated", "changed there")

    if kind == "linear":
        other["trashed"] = True
    else:
        system.issues.pop(other["key"])
        system.index()
    assert watched.deliver(delivery(kind, removed=True), name="4") == 200
    event = watched.event()
    assert (event["change_kind"], event["subject"]["title"]) == ("deleted", "changed there")

    plugin.notify("subject/unwatch", {"watch_id": str(watched.watch)})
    until(lambda: not listens(watched.port))


@pytest.mark.parametrize("kind", ["linear", "jira"])
def test_a_watch_asks_again_and_again_where_there_is_no_webhook(kind: str) -> None:
    upper = kind.upper()
    quick = {f"{upper}_POLL_S": "0.2", f"{upper}_WEBHOOK_SECRET": ""}
    with connected(kind, **quick) as (system, plugin, port):
        issue = add(kind, system, "there")
        old(kind, issue)
        watch = plugin.request("subject/watch", {"filter": {"status": ["ready"]}})
        plugin.reply(watch)
        found = Watched(kind, system, plugin, port, watch)
        until(lambda: len(system.asked) >= 4)
        assert not listens(port)
        retitle(kind, system, issue, "changed")
        event = found.event()
        assert (event["change_kind"], event["subject"]["title"]) == ("updated", "changed")
