"""In which task, and with which context variables, an author's code runs."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import pytest
from engine_host import INSTALLED, PLUGINS, WAIT_S, frame, ping_s

from animus_routes import App, RpcError
from animus_routes.host import Plugin
from animus_routes.testing import TestClient

CONTEXTS = [sys.executable, str(PLUGINS / "contexts.py")]
ENDS: dict[str, Callable[[Plugin], object]] = {
    "shutdown": lambda plugin: plugin.shutdown(),
    "exit": lambda plugin: plugin.notify("exit"),
    "the end of input": lambda plugin: plugin.close_stdin(),
    "SIGTERM": lambda plugin: os.kill(plugin.pid, signal.SIGTERM),
}
ASYNC_FORMS = ("generator", "manager", "object", "task group")
ASYNC_METHODS = ("x/async", "x/wrapped", "x/passed", "x/items")
PLAIN_METHODS = ("x/plain", "x/bare", "x/pool", "x/stream")
# A place that a method does not have; what the author's own `asyncio.run` ran in was a copy.
NOT_AT = {"dependency": ("x/bare",), "exception": ("x/items", "x/wrapped")}
METHODS = (*PLAIN_METHODS, *ASYNC_METHODS)


@contextmanager
def contexts(folder: Path, **env: str) -> Iterator[Plugin]:
    plugin = Plugin.start(CONTEXTS, cwd=folder, env={**INSTALLED, **env})
    try:
        plugin.initialize()
        yield plugin
    finally:
        plugin.kill()


def noted(folder: Path) -> list[str]:
    file = folder / "noted"
    return file.read_text().splitlines() if file.exists() else []


# One task --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("form", ASYNC_FORMS)
def test_an_async_lifespan_is_left_by_the_task_that_entered_it(
    tmp_path: Path, form: str, end: str
) -> None:
    with contexts(tmp_path, LIFESPAN=form) as plugin:
        ENDS[end](plugin)
        assert plugin.wait(WAIT_S) == 0
        assert "lifespan" not in plugin.stderr_text()
    assert noted(tmp_path)[-1] == "left in the same task"


def test_a_lifespan_outlives_the_cancellation_of_every_task(tmp_path: Path) -> None:
    with contexts(tmp_path, LIFESPAN="task group") as plugin:
        for _ in range(3):
            assert plugin.call("x/clear", timeout_s=WAIT_S) == "cleared"
        assert noted(tmp_path)[2:] == []
        plugin.close_stdin()
        plugin.wait(WAIT_S)
    assert "left in the same task" in noted(tmp_path)


def test_a_lifespan_that_hangs_on_its_way_in_is_given_up_in_its_own_task(tmp_path: Path) -> None:
    plugin = Plugin.start(CONTEXTS, cwd=tmp_path, env={**INSTALLED, "LIFESPAN": "hanging"})
    try:
        params = {"protocol_version": "1.1.0", "host_info": {"name": "t", "version": "0"}}
        plugin.request("initialize", params)
        ping_s(plugin)
        plugin.close_stdin()
        assert plugin.wait(WAIT_S) == 0
    finally:
        plugin.kill()
    assert noted(tmp_path)[-1] == "given up in the same task"


def test_a_handshake_may_be_tried_again_after_its_lifespan_failed(tmp_path: Path) -> None:
    plugin = Plugin.start(CONTEXTS, cwd=tmp_path, env={**INSTALLED, "LIFESPAN": "failing"})
    try:
        for _ in range(2):
            with pytest.raises(RpcError):
                plugin.initialize()
        plugin.close_stdin()
        assert plugin.wait(WAIT_S) == 0
    finally:
        plugin.kill()


@pytest.mark.parametrize("middleware", ["", "plain", "async"])
@pytest.mark.parametrize("method", ["x/async", "x/raises", "x/hangs", "x/items"])
def test_what_a_call_depends_on_is_left_by_the_task_that_entered_it(
    tmp_path: Path, method: str, middleware: str
) -> None:
    with contexts(tmp_path, MIDDLEWARE=middleware) as plugin:
        asked = plugin.request(method)
        if method == "x/hangs":
            plugin.next_notification("x/begun", timeout_s=WAIT_S)
            plugin.notify("$/cancelRequest", {"id": asked})
            with pytest.raises(RpcError):
                plugin.reply(asked, WAIT_S)
        else:
            plugin.reply(asked, WAIT_S)
        plugin.shutdown()
    found = [line for line in noted(tmp_path) if line.startswith("left in")]
    assert found == ["left in the same task"] * 2


def test_a_hook_and_what_it_depends_on_are_in_one_task(tmp_path: Path) -> None:
    with contexts(tmp_path):
        pass
    assert noted(tmp_path)[:2] == [
        "hook in the same task",
        "hook's dependency left in the same task",
    ]


@pytest.mark.parametrize("fails", [False, True])
def test_the_test_client_leaves_a_lifespan_in_the_task_that_entered_it(fails: bool) -> None:
    import asyncio

    tasks: list[object] = []

    async def life():  # type: ignore[no-untyped-def]  # noqa: ANN202
        tasks.append(asyncio.current_task())
        try:
            if fails:
                raise ValueError("no")
            yield {}
        finally:
            tasks.append(asyncio.current_task())

    app = App(kind="custom", name="x", version="0.1.0", description="x", lifespan=life)

    @app.method("x/hi")
    def hi() -> str:
        return "hi"

    if fails:
        with pytest.raises(RpcError), TestClient(app):
            pass
    else:
        with TestClient(app) as client:
            client.call("x/hi")
    assert len(tasks) == 2
    assert tasks[0] is tasks[1]


# Context variables -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["generator", "manager", "object", "plain", "plain manager"])
def test_each_request_begins_with_what_the_lifespan_has_set(tmp_path: Path, form: str) -> None:
    with contexts(tmp_path, LIFESPAN=form) as plugin:
        for method in PLAIN_METHODS + ASYNC_METHODS[:3]:
            assert plugin.call(method, timeout_s=WAIT_S) == ["nobody", "acme"], method
        plugin.request("x/items")
        found = plugin.next_notification("x/item", timeout_s=WAIT_S)
        assert found.params["event"] == ["nobody", "acme"]
        plugin.shutdown()
        assert "error" not in plugin.stderr_text()
    assert noted(tmp_path)[-1] == "left in the same task"


def ask(plugin: Plugin, method: str, params: dict[str, str]) -> list[str]:
    """What a method sees, in its answer or its item."""
    result = plugin.call(method, params, timeout_s=WAIT_S)
    if method == "x/items":
        return list(plugin.next_notification("x/item", timeout_s=WAIT_S).params["event"])
    return list(result)


@pytest.mark.parametrize("at", ["handler", "dependency", "exception"])
def test_what_a_request_sets_is_seen_in_it_and_in_no_other(tmp_path: Path, at: str) -> None:
    with contexts(tmp_path) as plugin:
        for method in METHODS:
            if method in NOT_AT.get(at, ()):
                continue
            assert ask(plugin, method, {"at": at, "user": "ada"}) == ["ada", "acme"], method
            for other in METHODS:
                assert ask(plugin, other, {}) == ["nobody", "acme"], (method, other)
        assert "error" not in plugin.stderr_text()
    # A failure is thrown into a dependency: what follows its `yield` does not run.
    assert ("clean-up sees ada" in noted(tmp_path)) is (at != "exception")


@pytest.mark.parametrize("middleware", ["plain", "async"])
def test_a_middleware_and_what_it_wraps_share_their_variables(
    tmp_path: Path, middleware: str
) -> None:
    with contexts(tmp_path, MIDDLEWARE=middleware) as plugin:
        methods = METHODS if middleware == "plain" else ASYNC_METHODS
        for method in methods:
            assert ask(plugin, method, {"at": "middleware", "user": "ada"})[0] == "ada", method
            assert noted(tmp_path).count("middleware sees ada") >= 1
            (tmp_path / "noted").unlink()
            # Within `asyncio.run` of the author's own, variables are a copy.
            if method in {"x/stream", "x/items", "x/wrapped"}:
                continue
            assert ask(plugin, method, {"at": "handler", "user": "bob"})[0] == "bob", method
            assert "middleware sees bob" in noted(tmp_path), method
            assert ask(plugin, method, {})[0] == "nobody", method
        assert "error" not in plugin.stderr_text()


def test_a_plain_decorator_of_an_async_handler_shares_them_too(tmp_path: Path) -> None:
    with contexts(tmp_path) as plugin:
        for _ in range(2):
            found = plugin.call("x/passed", {"at": "decorator", "user": "ada"}, timeout_s=WAIT_S)
            assert found[0] == "ada"
            assert plugin.call("x/passed", timeout_s=WAIT_S)[0] == "nobody"


def test_validators_and_serializers_belong_to_the_request(tmp_path: Path) -> None:
    with contexts(tmp_path) as plugin:
        found = plugin.call("x/model", {"user": "validated"}, timeout_s=WAIT_S)
        assert found == {"what": ["validated", "acme", "validated"]}
        assert plugin.call("x/model", {"user": "a"}, timeout_s=WAIT_S)["what"][0] == "nobody"
        with pytest.raises(RpcError):
            plugin.call("x/model", {"user": "validated", "at": 1}, timeout_s=WAIT_S)
        assert plugin.call("x/bare", timeout_s=WAIT_S)[0] == "nobody"


def test_requests_of_one_read_are_as_separate_as_any(tmp_path: Path) -> None:
    with contexts(tmp_path) as plugin:
        sent = b""
        for n in range(200):
            params = {"at": "handler", "user": f"user {n}"} if n % 2 else {}
            sent += frame(n + 1000, ("x/bare", "x/plain", "x/pool")[n % 3], params)
        plugin.send_raw(sent)
        for n in range(200):
            wanted = f"user {n}" if n % 2 else "nobody"
            assert plugin.reply(n + 1000, WAIT_S) == [wanted, "acme"]


def test_what_follows_a_request_that_sets_something_is_answered_before_the_next_read(
    tmp_path: Path,
) -> None:
    with contexts(tmp_path) as plugin:
        asked = frame(1000, "x/bare", {"at": "handler", "user": "ada"})
        plugin.send_raw(asked + frame(1001, "x/bare", {}) + frame(1002, "x/bare", {}))
        for n, user in ((1000, "ada"), (1001, "nobody"), (1002, "nobody")):
            assert plugin.reply(n, WAIT_S)[0] == user


def test_notifications_and_health_checks_leave_nothing_behind(tmp_path: Path) -> None:
    with contexts(tmp_path) as plugin:
        plugin.notify("x/told", {"user": "told"})
        plugin.notify("x/told_plain", {"user": "told"})
        plugin.call("health/check", timeout_s=WAIT_S)
        for method in METHODS:
            assert ask(plugin, method, {})[0] == "nobody"


def test_decimals_precision_is_that_of_the_request(tmp_path: Path) -> None:
    """Its context is a context variable that C code sets."""
    with contexts(tmp_path) as plugin:
        assert plugin.call("x/precision", {"digits": 5}, timeout_s=WAIT_S) == 5
        assert plugin.call("x/precision", timeout_s=WAIT_S) == 28


def test_values_that_cannot_be_compared_do_no_harm(tmp_path: Path) -> None:
    with contexts(tmp_path) as plugin:
        for _ in range(3):
            assert plugin.call("x/odd", timeout_s=WAIT_S) == "odd"
            assert plugin.call("x/bare", timeout_s=WAIT_S) == ["nobody", "acme"]
        assert plugin.stderr_text() == ""


def test_what_a_module_has_set_is_seen_and_a_client_changes_nothing_outside() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    app = App(kind="custom", name="x", version="0.1.0", description="x")

    @app.method("x/set")
    def set_it(value: str | None = None) -> str:
        if value:
            variable.set(value)
        return variable.get()

    variable.set("outside")
    with TestClient(app) as client:
        assert client.call("x/set", {"value": "inside"}) == "inside"
        assert client.call("x/set") == "outside"
    assert variable.get() == "outside"
