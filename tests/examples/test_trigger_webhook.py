import http.client
import json
import socket
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from example_host import EXAMPLES, refused, served

from animus_routes.batteries.outbox import Outbox
from animus_routes.batteries.signatures import SCHEMES, signature
from animus_routes.host import Plugin

WEBHOOK = [sys.executable, str(EXAMPLES / "trigger_webhook.py")]
DELIVERIES = Path(".animus", "data", "animus-trigger-webhook", "deliveries.sqlite3")
SECRET = "It's a Secret to Everybody"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
HOOKS: dict[str, dict[str, Any]] = {
    "pushes": {"scheme": "github", "events": ["push"]},
    "payments": {"scheme": "stripe"},
    "mail": {"scheme": "standard-webhooks"},
    "svix": {"scheme": "svix"},
    "issues": {"scheme": "linear"},
    "jira": {"scheme": "jira"},
    "own": {"scheme": "generic", "header": "X-Own", "prefix": "v1=", "id_header": "X-Id"},
    "bearer": {"scheme": "token"},
    "gitlab": {
        "scheme": "token",
        "header": "X-Gitlab-Token",
        "id_header": "X-Gitlab-Event-UUID",
        "event_header": "X-Gitlab-Event",
        "events": ["Push Hook"],
    },
    "open": {"scheme": "none", "path": "/deep/er/"},
}
SECRETS = {name: ["old", SECRET] for name in HOOKS} | {"mail": WHSEC, "svix": WHSEC, "open": ""}
Headers = dict[str, str]
NUMBERS = count(10_000)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Site:
    """A plugin's project and address."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.port = free_port()
        self.env = {
            "ANIMUS_WEBHOOK_LISTEN_ADDR": f"127.0.0.1:{self.port}",
            "ANIMUS_WEBHOOKS": json.dumps(HOOKS),
            "ANIMUS_WEBHOOK_SECRETS": json.dumps(SECRETS),
        }

    def opened(self, **env: str) -> Any:
        return served(WEBHOOK, self.project, env={**self.env, **env})

    def send(
        self, path: str, body: bytes = b"{}", headers: Headers | None = None, method: str = "POST"
    ) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)) as link:
            link.connect()
            with suppress(BrokenPipeError, ConnectionResetError):  # it has answered before the end
                link.request(method, path, body, headers or {})
            return link.getresponse().status

    def open(self, number: int) -> int:
        return self.send("/deep/er", b'{"n": %d}' % number)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Plugin]]:
    site = Site(tmp_path_factory.mktemp("webhooks"))
    with site.opened() as plugin:
        watch(plugin)
        yield site, plugin


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def watch(plugin: Plugin, **params: Any) -> int:
    request = plugin.request("trigger/watch", params)
    assert plugin.reply(request) == {"watching": True}
    return request


def event(plugin: Plugin, timeout_s: float = 10) -> dict[str, Any]:
    params: dict[str, Any] = plugin.next_notification("trigger/event", timeout_s).params
    return params


def quiet(site: Site, plugin: Plugin) -> bool:
    """Is nothing told before what comes next?"""
    number = next(NUMBERS)
    assert site.open(number) == 202
    found: bool = event(plugin)["payload"]["body"] == {"n": number}
    return found


def ack(plugin: Plugin, name: str, status: str = "queued") -> bool:
    acked: bool = plugin.call("trigger/ack", {"event_id": name, "status": status})["acked"]
    return acked


def signed(sender: str, body: bytes, name: str, at: float, secret: str = SECRET) -> Headers:
    """What a sender puts on a delivery."""
    scheme = SCHEMES[sender]
    headers = {scheme.header: signature(scheme, secret, body, id=name, at=at)}
    if scheme.id:
        headers[scheme.id] = name
    if scheme.time and not scheme.time.endswith("=") and not scheme.time.startswith("$"):
        headers[scheme.time] = str(int(at))
    return headers


def delivery(trigger: str, name: str, at: float | None = None) -> tuple[str, bytes, Headers]:
    """What the sender of a trigger sends: path, body, headers."""
    at = time.time() if at is None else at
    sender = HOOKS[trigger]["scheme"]
    fields = {"id": name, "type": "invoice.paid", "webhookTimestamp": int(at * 1000)}
    body = json.dumps(fields).encode()
    secret = WHSEC if SECRETS[trigger] == WHSEC else SECRET
    if sender in SCHEMES:
        headers = signed(sender, body, name, at, secret)
    elif sender == "generic":
        code = signature(SCHEMES["github"], SECRET, body).removeprefix("sha256=")
        headers = {"x-own": f"v1={code}", "x-id": name}
    else:
        own = trigger == "gitlab"
        headers = {"X-Gitlab-Token": SECRET} if own else {"Authorization": f"Bearer {SECRET}"}
        headers |= {"X-Gitlab-Event-UUID": name, "X-Gitlab-Event": "Push Hook"} if own else {}
    headers |= {"X-GitHub-Event": "push"} if sender == "github" else {}
    return f"/{trigger}", body, headers


def proof(headers: Headers) -> str:
    """The header that says who the sender is."""
    return next(n for n, v in headers.items() if "sign" in n.lower() or n == "x-own" or SECRET in v)


SENDERS = [name for name in HOOKS if name != "open"]


@pytest.mark.parametrize("trigger", SENDERS)
def test_a_signed_delivery_is_told_once(trigger: str, shared: tuple[Site, Plugin]) -> None:
    site, plugin = shared
    path, body, headers = delivery(trigger, "d-1")
    assert site.send(path, body, headers) == 202
    found = event(plugin)
    assert found["trigger_id"] == trigger
    assert found["payload"]["body"] == json.loads(body)
    assert trigger == "bearer" or found["event_id"] == f"webhook:/{trigger}/d-1"
    assert site.send(path, body, headers) == 202
    assert ack(plugin, found["event_id"])
    for spelling in (path, f"{path}/", f"{path}//?again"):
        assert site.send(spelling, body, headers) == 202
    assert quiet(site, plugin)
    told = json.dumps(found)
    assert SECRET not in told
    assert headers[proof(headers)] not in told


@pytest.mark.parametrize("trigger", SENDERS)
def test_what_is_not_signed_as_it_should_be_is_refused(
    trigger: str, shared: tuple[Site, Plugin]
) -> None:
    site, plugin = shared
    path, body, headers = delivery(trigger, "d-2")
    name = proof(headers)
    wrong = [
        "",
        "nonsense",
        "v1,%%%",
        "t=,v1=",
        "sha256=" + "0" * 64,
        headers[name] + "0",
        headers[name][:-2],
        "\xff" * 20,
    ]
    for value in wrong:
        assert (value, site.send(path, body, {**headers, name: value})) == (value, 401)
    assert site.send(path, body, {n: v for n, v in headers.items() if n != name}) == 401
    if HOOKS[trigger]["scheme"] != "token":
        assert site.send(path, body + b" ", headers) == 401
    assert quiet(site, plugin)


@pytest.mark.parametrize("trigger", ["payments", "mail", "svix", "issues"])
@pytest.mark.parametrize("late_s", [320, -320])
def test_a_time_that_is_not_now_is_refused(
    trigger: str, late_s: int, shared: tuple[Site, Plugin]
) -> None:
    site, plugin = shared
    name = f"late{late_s}"
    assert site.send(*delivery(trigger, name, time.time() - late_s)) == 401
    assert site.send(*delivery(trigger, name, time.time() - late_s / 10)) == 202
    assert event(plugin)["event_id"].endswith(f"/{name}")


def test_the_vectors_of_the_senders_themselves(shared: tuple[Site, Plugin]) -> None:
    site, plugin = shared
    code = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"X-Hub-Signature-256": code, "X-GitHub-Event": "push", "X-GitHub-Delivery": "v-1"}
    assert site.send("/pushes", b"Hello, World!", headers) == 202
    assert event(plugin)["payload"]["body"] == {"raw": "Hello, World!"}


def test_a_form_with_a_payload_is_what_that_says(shared: tuple[Site, Plugin]) -> None:
    site, plugin = shared
    form = "application/x-www-form-urlencoded; charset=utf-8"
    for n, (kind, body, told) in enumerate(
        (
            (form, b"payload=%7B%22a%22%3A+%22%C3%BC+%2B%22%7D", {"a": "ü +"}),
            (form, b"payload=no+JSON", {"raw": "payload=no+JSON"}),
            (form, b"payload=1&more=2", {"raw": "payload=1&more=2"}),
            ("text/plain", b"payload=1", {"raw": "payload=1"}),
        )
    ):
        headers = {**signed("github", body, f"f-{n}", time.time()), "Content-Type": kind}
        assert site.send("/pushes", body, {**headers, "X-GitHub-Event": "push"}) == 202
        assert event(plugin)["payload"]["body"] == told


def test_what_is_no_delivery_is_told_so(shared: tuple[Site, Plugin]) -> None:
    site, plugin = shared
    assert site.send("/nowhere") == 404
    assert site.send("/deep/er", method="GET") == 405
    assert site.send("/deep/er", b"\xff\xfe") == 400
    assert site.send("/deep/er", b"x", {"Content-Encoding": "gzip"}) == 415
    assert site.send("/deep/er", b"x" * (6 << 20)) == 413
    assert site.send("/deep/er", b"\x01" * (2 << 20)) == 413  # six times as long in JSON
    assert quiet(site, plugin)
    assert site.send("/deep/er/?a=b", b"[" * 100_000) == 202
    found = event(plugin)["payload"]
    assert (found["query"], found["path"], found["method"]) == ("a=b", "/deep/er/", "POST")
    assert site.send("/deep/er", b"") == 202
    assert event(plugin)["payload"]["body"] == {}


def test_only_the_events_that_are_asked_for_start_anything(shared: tuple[Site, Plugin]) -> None:
    site, plugin = shared
    for trigger, header in (("pushes", "X-GitHub-Event"), ("gitlab", "X-Gitlab-Event")):
        path, body, headers = delivery(trigger, "e-1")
        for name in ("ping", "star", ""):
            assert site.send(path, body, {**headers, header: name}) == 204
        assert quiet(site, plugin)
        assert site.send(path, body, headers) == 202
        assert event(plugin)["payload"]["event"] == headers[header]


def test_who_cannot_sign_may_name_a_subject(shared: tuple[Site, Plugin]) -> None:
    site, plugin = shared
    hints = {"X-Animus-Subject-Id": "task:1", "X-Animus-Action-Hint": "run_workflow"}
    headers = {"Authorization": f"Bearer {SECRET}", "Cookie": "c", **hints}
    assert site.send("/bearer", b'{"a": 1}', headers) == 202
    found = event(plugin)
    assert (found["subject_id"], found["action_hint"]) == ("task:1", "run_workflow")
    assert {"authorization", "cookie"}.isdisjoint(found["payload"]["headers"])
    path, body, headers = delivery("own", "h-1")
    assert site.send(path, body, {**headers, **hints}) == 202
    assert "subject_id" not in event(plugin)


def test_a_sender_that_dawdles_holds_up_nobody(shared: tuple[Site, Plugin]) -> None:
    site, plugin = shared
    with socket.create_connection(("127.0.0.1", site.port)) as slow:
        slow.sendall(b"POST /deep/er HTTP/1.1\r\ncontent-length: 100\r\n\r\n{")
        assert site.open(77) == 202
        assert event(plugin)["payload"]["body"] == {"n": 77}
        assert plugin.call("$/ping") == {}


def test_what_was_answered_is_told_after_a_kill(site: Site) -> None:
    answered: list[int] = []

    def send(first: int) -> None:
        for number in range(first, first + 100):
            try:
                status = site.open(number)
            except (OSError, http.client.HTTPException):
                return
            assert status == 202
            answered.append(number)

    with site.opened() as plugin:
        watch(plugin)
        senders = [threading.Thread(target=send, args=(n * 100,)) for n in range(3)]
        for sender in senders:
            sender.start()
        acked = [event(plugin)["event_id"] for _ in range(20)]
        assert all(ack(plugin, name) for name in acked[:5])
        plugin.kill()
        for sender in senders:
            sender.join(20)
    with site.opened() as plugin:
        watch(plugin)
        known = {number: site.open(number) for number in answered}
        assert set(known.values()) == {202}
        site.open(1000)
        told: list[int] = []
        names: list[str] = []
        while 1000 not in told:
            found = event(plugin)
            told.append(found["payload"]["body"]["n"])
            names.append(found["event_id"])
    assert len(set(told)) == len(told)
    assert set(acked[:5]).isdisjoint(names)
    assert set(acked[5:]) <= set(names)
    assert len(set(answered) - set(told)) <= 5


def test_a_host_that_shuts_down_is_told_again(site: Site) -> None:
    with site.opened() as plugin:
        watch(plugin)
        assert (site.open(1), site.open(2)) == (202, 202)
        names = [event(plugin)["event_id"] for _ in range(2)]
        assert (ack(plugin, names[0], "shutdown"), ack(plugin, names[1], "unmatched")) == (
            False,
            True,
        )
        plugin.close_stdin()
        assert plugin.wait() == 0
    with site.opened() as plugin:  # the port is free at once
        watch(plugin)
        assert event(plugin)["event_id"] == names[0]
        assert quiet(site, plugin)


def test_a_watch_that_ends_closes_the_door_and_the_next_one_opens_it(site: Site) -> None:
    with site.opened() as plugin:
        first = watch(plugin)
        plugin.notify("$/cancelRequest", {"id": first})
        until = time.monotonic() + 10
        while True:
            try:
                site.open(1)
            except OSError:
                break
            assert time.monotonic() < until
        triggers = [{"id": "told", "config": {"scheme": "none"}}]
        watch(plugin, triggers=triggers)
        assert site.send("/told", b'{"n": 5}') == 202
        found = next(one for _ in range(10) if (one := event(plugin))["trigger_id"] == "told")
        assert found["payload"]["body"] == {"n": 5}
        assert site.open(2) == 404


def test_more_than_anybody_takes_is_refused_for_now(site: Site) -> None:
    outbox = Outbox(site.project / DELIVERIES)
    (site.project / DELIVERIES).parent.mkdir(parents=True)
    outbox.add_all((f"e{n}", {"event_id": f"e{n}"}) for n in range(10_000))
    outbox.close()
    with site.opened() as plugin:
        watch(plugin)
        assert site.open(1) == 503
        assert ack(plugin, event(plugin)["event_id"])
        assert site.open(1) == 202


def test_a_database_that_cannot_be_written_is_no_reason_to_say_yes(site: Site) -> None:
    with site.opened() as plugin:
        watch(plugin)
        assert site.open(1) == 202
        with closing(sqlite3.connect(site.project / DELIVERIES)) as db:
            db.execute("DROP TABLE outbox")
            db.commit()
        assert site.open(2) == 503
        assert plugin.call("health/check")["status"] != "healthy"


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({"ANIMUS_WEBHOOKS": "{}"}, "set ANIMUS_WEBHOOKS"),
        ({"ANIMUS_WEBHOOKS": '{"a": {"scheme": "github"}}'}, "no secret"),
        (
            {
                "ANIMUS_WEBHOOKS": '{"mail": {"scheme": "svix"}}',
                "ANIMUS_WEBHOOK_SECRETS": '{"mail": "%"}',
            },
            "whsec_",
        ),
        ({"ANIMUS_WEBHOOKS": '{"a": {"scheme": "md5"}}'}, "config: "),
        ({"ANIMUS_WEBHOOKS": '{"a": {}}'}, "scheme"),
        ({"ANIMUS_WEBHOOKS": '{"a": {"scheme": "none", "events": ["x"]}}'}, "`event_header`"),
        (
            {"ANIMUS_WEBHOOKS": '{"a": {"scheme": "none", "path": "b"}, "b": {"scheme": "none"}}'},
            "one path",
        ),
        ({"ANIMUS_WEBHOOK_LISTEN_ADDR": "7878"}, "LISTEN_ADDR"),
        ({"ANIMUS_WEBHOOK_LISTEN_ADDR": "127.0.0.1:99999"}, "99999"),
        ({"ANIMUS_WEBHOOK_SECRETS": "nonsense"}, "ANIMUS_WEBHOOK_SECRETS"),
    ],
)
def test_a_watch_that_cannot_be_kept_is_refused_in_words(
    site: Site, env: dict[str, str], told: str
) -> None:
    with site.opened(**env) as plugin:
        assert told in refused(plugin, "trigger/watch", {}).message
        assert not (site.project / ".animus").exists()


def test_a_port_that_somebody_has_ends_the_process_so_that_it_is_tried_again(site: Site) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", site.port))
        other.listen()
        with site.opened() as plugin:
            assert str(site.port) in refused(plugin, "trigger/watch", {}).message
            assert plugin.wait() == 1
    with site.opened() as plugin:
        watch(plugin)
        assert site.open(1) == 202
