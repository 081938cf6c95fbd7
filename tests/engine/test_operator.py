"""What an operator sees: `error.message` at the command line, and lines on stderr."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from engine_host import INSTALLED, PLUGINS, error_of, stderr_with

from animus_routes import RpcError
from animus_routes.host import Notification, Plugin

OPERATED = [sys.executable, str(PLUGINS / "operated.py")]
LOOK = "the traceback is on the plugin's stderr, which the daemon has in its events"
MISSING = "the required variable TOKEN is not set"
TOKEN = 'se"cret\ttoken/ä b'
AUTHORS = {"protocol_version": "1.1.0", "host_info": {"name": "animus-routes", "version": "1"}}


@contextmanager
def operated(*flags: str, **env: str) -> Iterator[Plugin]:
    with Plugin.start([*OPERATED, *flags], env={**INSTALLED, **env}) as plugin:
        plugin.initialize()
        yield plugin


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    with operated(TOKEN="t0ken") as plugin:
        yield plugin


def test_an_internal_error_names_its_id_and_where_to_look(plugin: Plugin) -> None:
    error = error_of(plugin, "task/get", {"id": "task:1"})
    error_id = error.data["error_id"]
    assert (error.code, error.message) == (-32603, f"internal error {error_id}; {LOOK}")
    assert f"error {error_id} in task/get\nTraceback" in stderr_with(plugin, error_id)


def test_a_bug_has_its_text_in_the_message_for_the_authors_own_host() -> None:
    with Plugin.start(OPERATED, env={**INSTALLED, "TOKEN": "t0ken"}) as plugin:
        plugin.call("initialize", AUTHORS)
        plugin.notify("initialized")
        error = error_of(plugin, "task/get", {"id": "task:1"})
        said = f"internal error {error.data['error_id']}: ZeroDivisionError: s3cret inside"
        assert error.message == said


def test_a_required_variable_that_is_not_set_is_named_everywhere() -> None:
    with operated() as plugin:
        assert f"animus-routes: operated: {MISSING}\n" in stderr_with(plugin, "TOKEN")
        found = plugin.call("health/check")
        assert (found["status"], found["last_error"]) == ("degraded", MISSING)
        reads = error_of(plugin, "task/list")
        assert reads.message == f"internal error {reads.data['error_id']}: {MISSING}; {LOOK}"
        another = error_of(plugin, "task/get", {"id": "task:1"})
        assert another.message.endswith(f"; {LOOK}; {MISSING}")


def test_any_declared_variable_that_is_read_and_not_set_is_named(plugin: Plugin) -> None:
    error = error_of(plugin, "task/list", {"labels_any": ["optional"]})
    said = f"internal error {error.data['error_id']}: the variable OPTIONAL is not set; {LOOK}"
    assert error.message == said


def test_a_lifespan_that_needs_a_missing_variable_does_not_fail_the_handshake() -> None:
    with operated(HOW="token") as plugin:
        found = plugin.call("health/check")
        message = error_of(plugin, "task/list").message
        prefix = "the plugin cannot start, its lifespan failed: error "
        assert re.fullmatch(
            f"backend unavailable: {prefix}[0-9a-f]{{8}}: {MISSING}; {LOOK}", message
        )
        assert found["status"] == "unhealthy"
        assert f"backend unavailable: {found['last_error']}" == message
        for method in ("subject/list", "task/get", "trigger/watch", "subject/watch"):
            assert error_of(plugin, method, {"id": "task:1"}).message == message
        plugin.notify("trigger/ack", {"event_id": "1"})
        assert plugin.call("$/ping") == {}
        assert f"operated serves nothing: {found['last_error']}\n" in plugin.stderr_text()
    with operated(HOW="refuse") as plugin:
        message = error_of(plugin, "task/list").message
        assert message == "backend unavailable: the store says no to None"


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("bug", "LookupError"),
        ("os", "PermissionError: ["),
        ("exit", "SystemExit: no store for ***"),
        ("interrupt", "KeyboardInterrupt"),
    ],
)
def test_a_lifespan_that_fails_is_a_sentence(how: str, told: str) -> None:
    with Plugin.start(OPERATED, env={**INSTALLED, "HOW": how, "TOKEN": "t0ken"}) as plugin:
        with pytest.raises(RpcError) as caught:
            plugin.initialize()
        message = caught.value.message
        error_id = caught.value.data["error_id"]
        assert message.startswith(
            f"the plugin cannot start, its lifespan failed: error {error_id}: {told}"
        )
        assert message.endswith(f"; {LOOK}")
        assert "s3cret" not in message
        assert ("/var/lib/store" in message) == (how == "os")
        assert f"error {error_id} in its lifespan\nTraceback" in stderr_with(plugin, error_id)


def test_a_lifespan_that_exits_for_want_of_a_variable_does_not_fail_the_handshake() -> None:
    with operated(HOW="exit") as plugin:
        message = error_of(plugin, "task/list").message
        assert ": SystemExit: no store for anybody; " in message
        assert message.endswith(f"; {MISSING}")
        assert plugin.call("health/check")["status"] == "unhealthy"


def test_a_health_check_that_exits_is_unhealthy() -> None:
    with operated(HOW="unwell", TOKEN="t0ken") as plugin:
        found = plugin.call("health/check")
        assert found["status"] == "unhealthy"
        assert "SystemExit: 3" in stderr_with(plugin, "in health/check")
        assert plugin.call("task/list")["subjects"] == []


def test_a_lifespan_that_says_why_itself_is_taken_at_its_word() -> None:
    with Plugin.start(OPERATED, env={**INSTALLED, "HOW": "refuse", "TOKEN": "t0ken"}) as plugin:
        with pytest.raises(RpcError) as caught:
            plugin.initialize()
        assert caught.value.message == "backend unavailable: the store says no to ***"


def test_a_stream_that_is_refused_is_a_line_on_stderr(plugin: Plugin) -> None:
    for method, params, told in (
        ("trigger/watch", {"refuse": True}, "no such branch"),
        ("subject/watch", {}, "backend unavailable: the tracker is away"),
    ):
        error = error_of(plugin, method, params)
        assert error.message == told
        line = f"animus-routes: {method} is refused: {told}\n"
        assert stderr_with(plugin, line).count(line) == 1


def test_a_notification_that_does_not_fit_is_a_line_on_stderr(plugin: Plugin) -> None:
    for params, told in (
        ({"event_id": 5}, "invalid params: event_id: Expected `str`, got `int`"),
        ({}, "invalid params: event_id: Field required"),
        ({"event_id": "unknown"}, "no such event"),
    ):
        plugin.notify("trigger/ack", params)
        stderr_with(plugin, f"animus-routes: trigger/ack: {told}\n")
    plugin.notify("subject/unwatch", {})
    told = "animus-routes: subject/unwatch: invalid params: watch_id: Field required\n"
    stderr_with(plugin, told)


@pytest.mark.parametrize("params", [{"id": {}}, {"id": []}, {"id": True}, {}, {"request": 1}, None])
def test_a_cancellation_that_names_no_request_is_a_line_on_stderr(params: Any) -> None:
    with operated(TOKEN="t0ken") as plugin:
        plugin.notify("$/cancelRequest", params)
        told = "Expected the id of a request" if params and "id" in params else "Field required"
        stderr_with(plugin, f"animus-routes: $/cancelRequest: invalid params: id: {told}\n")
        plugin.notify("$/cancelRequest", {"id": 99})
        assert plugin.call("$/ping") == {}
        assert plugin.stderr_text().count("$/cancelRequest") == 1


@pytest.mark.parametrize("method", ["task/get", "subject/list", "trigger/watch", "shutdown"])
def test_a_request_without_an_id_is_a_line_on_stderr(plugin: Plugin, method: str) -> None:
    plugin.notify(method, {"id": 5})
    told = f"animus-routes: {method}: it is a request, and nothing comes of it without an id\n"
    stderr_with(plugin, told)
    assert plugin.call("task/list")["subjects"] == []


def test_a_notification_before_the_handshake_is_a_line_on_stderr() -> None:
    with Plugin.start(OPERATED, env={**INSTALLED, "TOKEN": "t0ken"}) as plugin:
        plugin.notify("trigger/ack", {"event_id": "1"})
        stderr_with(plugin, "'trigger/ack' was called before `initialized`, and is dropped\n")


def test_notifications_that_nobody_here_knows_are_dropped(plugin: Plugin) -> None:
    before = plugin.stderr_text()
    for method in ("x/none", "$/setTrace", "$/progress"):
        plugin.notify(method, {"id": {}})
    assert plugin.call("$/ping") == {}
    assert plugin.stderr_text() == before


@pytest.mark.parametrize("method", ["$/cancelRequest", "initialized", "$/progress"])
def test_a_control_notification_with_an_id_is_an_unknown_method(
    plugin: Plugin, method: str
) -> None:
    error = error_of(plugin, method, {"id": 1})
    assert error.code == -32601
    assert error.message == f"'{method}' is a notification, and sent without an id"


def test_initialized_with_an_id_opens_nothing() -> None:
    with Plugin.start(OPERATED, env={**INSTALLED, "TOKEN": "t0ken"}) as plugin:
        plugin.call("initialize", AUTHORS)
        assert error_of(plugin, "initialized").code == -32601
        assert error_of(plugin, "task/list").code == -32000
        plugin.notify("initialized")
        assert plugin.call("task/list")["subjects"] == []


def test_the_end_of_a_stream_has_to_name_one(plugin: Plugin) -> None:
    for params, code in (
        ({}, "missing"),
        ({"watch_id": None}, "missing"),
        ({"watch_id": []}, "type"),
    ):
        error = error_of(plugin, "subject/unwatch", params)
        assert error.code == -32602
        assert [(i["path"], i["code"]) for i in error.data["issues"]] == [("watch_id", code)]
    assert plugin.call("subject/unwatch", {"watch_id": "99"}) == {"ok": False}


FAILED_WITH_A_SECRET = """
import os
from collections.abc import Iterator

from animus_routes import App, Unavailable

def life() -> Iterator[None]:
    raise Unavailable("no database at " + os.environ["TOKEN"])
    yield

app = App(
    lifespan=life,
    kind="custom",
    name="animus-custom-x",
    version="1.0.0",
    description="x",
    env_required=[
        {"name": "NEED", "description": "needed", "required": True},
        {"name": "TOKEN", "description": "secret", "required": True, "sensitive": True},
    ],
)

@app.method("x/none")
def none() -> None: ...

app.run()
"""
CHECKED = """
from animus_routes import App

app = App(
    kind="custom",
    name="animus-custom-x",
    version="1.0.0",
    description="x",
    env_required=[{{"name": "NEED", "description": "needed", "required": True}}],
)

@app.health
def health() -> object:
    return {given}

@app.method("x/none")
def none() -> None: ...

app.run()
"""


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_values_of_sensitive_variables_are_masked_in_whatever_is_written(flags: list[str]) -> None:
    seen: list[Notification] = []
    env = {**INSTALLED, "TOKEN": TOKEN, "HOW": "ill"}
    with Plugin.start([*OPERATED, *flags], env=env, on_notification=seen.append) as plugin:
        plugin.initialize()
        assert plugin.call("health/check")["last_error"] == "***"
        bug = error_of(plugin, "task/list", {"labels_any": ["raise"]})
        told = error_of(plugin, "task/list", {"labels_any": ["error"]})
        assert (told.message, told.data) == ("401 for ***", {"asked": {"with": "***"}})
    text = plugin.stderr_text()
    assert bug.data["error_id"] in text
    assert "ValueError: 401 for '***'" in text
    for form in (TOKEN, repr(TOKEN)[1:-1], json.dumps(TOKEN)[1:-1], "cret"):
        assert form not in text
    entry: Any = seen[0].params
    assert (entry["message"], entry["fields"]["header"]) == ("with ***", "Bearer ***")
    assert entry["fields"]["nested"] == {"***": ["***"]}
    if flags:
        logged = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        assert [line["message"] for line in logged] == ["with ***"] * 2


def test_a_failed_lifespan_keeps_secrets_from_the_health_check(tmp_path: Path) -> None:
    (tmp_path / "p.py").write_text(FAILED_WITH_A_SECRET)
    with Plugin.start(
        [sys.executable, "p.py"], cwd=tmp_path, env={**INSTALLED, "TOKEN": TOKEN}
    ) as plugin:
        plugin.initialize()
        health = plugin.call("health/check")
        assert (health["status"], TOKEN in str(health), "***" in health["last_error"]) == (
            "unhealthy",
            False,
            True,
        )
        assert TOKEN not in error_of(plugin, "x/none", {}).message


@pytest.mark.parametrize(
    ("given", "status", "said"),
    [
        ("None", "degraded", ""),
        ("False", "unhealthy", ""),
        ("'a long queue'", "degraded", "a long queue; "),
        ("{'status': 'unhealthy', 'last_error': 'ill'}", "unhealthy", "ill; "),
    ],
)
def test_what_is_missing_is_named_beside_what_a_check_says(
    tmp_path: Path, given: str, status: str, said: str
) -> None:
    (tmp_path / "p.py").write_text(CHECKED.format(given=given))
    with Plugin.start([sys.executable, "p.py"], cwd=tmp_path, env=INSTALLED) as plugin:
        plugin.initialize()
        health = plugin.call("health/check")
        assert health["status"] == status
        assert health["last_error"].startswith(said)
        assert "NEED" in health["last_error"]


def test_masking_leaves_ids_codes_and_times_alone() -> None:
    with operated("--json", TOKEN="32603") as plugin:
        error = error_of(plugin, "task/list", {"labels_any": ["error"]})
        assert (error.code, error.message) == (-32603, "401 for ***")
    with operated(TOKEN="abc") as plugin:  # too short to be one
        error = error_of(plugin, "task/list", {"labels_any": ["error"]})
        assert error.message == "401 for abc"


LATE = [sys.executable, str(PLUGINS / "logs_late.py")]


@pytest.mark.parametrize("where", ["lifespan", "here", "thread", "async"])
def test_what_logging_writes_is_masked_however_late_it_is_imported(where: str) -> None:
    env = {**INSTALLED, "TOKEN": "t0psecret", "WHERE": where}
    with Plugin.start(LATE, env=env) as plugin:
        plugin.initialize()
        if where != "lifespan":
            assert plugin.call(f"log/{where}") in {None, True}
        text = stderr_with(plugin, "with")
    (line,) = text.splitlines()
    assert line.partition("Z ")[2] == f"WARN  {where}: with *** key='value'"
