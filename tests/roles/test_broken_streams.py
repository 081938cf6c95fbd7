"""Streams that cannot begin, break, or are ended: what the host sees, and whether the process stays."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from animus_routes import App, Cancelled, Context, RpcError, Unavailable
from animus_routes.host import Plugin
from animus_routes.testing import TestClient

PLUGINS = Path(__file__).parent / "plugins"


@contextmanager
def started(
    name: str, frames: list[bytes] | None = None, arguments: Sequence[str] = ()
) -> Iterator[Plugin]:
    plugin = Plugin.start(
        [sys.executable, str(PLUGINS / name), *arguments],
        on_frame=None if frames is None else frames.append,
    )
    try:
        plugin.initialize()
        yield plugin
    finally:
        plugin.kill()


def test_a_plain_function_that_emits_is_acknowledged_before_its_first_event() -> None:
    frames: list[bytes] = []
    with started("plain_trigger.py", frames) as plugin:
        request = plugin.request("trigger/watch")
        assert plugin.next_notification("trigger/event").params["event_id"] == "one"
        assert plugin.reply(request) == {"watching": True}
    ack = next(i for i, frame in enumerate(frames) if b"watching" in frame)
    event = next(i for i, frame in enumerate(frames) if b"trigger/event" in frame)
    assert ack < event


def test_a_watch_that_cannot_begin_ends_the_process_with_1() -> None:
    """The host ignores the error answer, so only a restart can help (host 7.10)."""
    with started("plain_trigger.py") as plugin:
        with pytest.raises(RpcError) as caught:
            plugin.call("trigger/watch", {"config": {"then": "fail"}})
        assert caught.value.code == -32603
        assert plugin.wait() == 1


def test_a_refused_watch_keeps_the_process() -> None:
    with started("plain_trigger.py") as plugin:
        with pytest.raises(RpcError) as caught:
            plugin.call("trigger/watch", {"config": {"then": "refuse"}})
        assert caught.value.code == -32602
        assert plugin.call("$/ping") == {}
        assert plugin.shutdown() == 0


def first_step(plugin: Plugin, then: str) -> RpcError:
    with pytest.raises(RpcError) as caught:
        plugin.call("trigger/watch", {"triggers": [{"id": "t", "config": {"then": then}}]})
    return caught.value


def test_a_generator_that_fails_in_its_first_step_is_answered_and_ends_the_process() -> None:
    with started("triggers.py") as plugin:
        assert first_step(plugin, "fail").code == -32603
        assert plugin.wait() == 1


def test_a_generator_may_fail_in_its_first_step_and_keep_the_process() -> None:
    with started("triggers.py", arguments=["--stay"]) as plugin:
        assert first_step(plugin, "fail").code == -32603
        assert plugin.shutdown() == 0


@pytest.mark.parametrize(
    ("then", "code"), [("refuse", -32602), ("refuse_too", -32600), ("translated", -32602)]
)
def test_a_generator_that_refuses_in_its_first_step_keeps_the_process(then: str, code: int) -> None:
    """What counts is the code that the host got, also from an exception handler."""
    with started("triggers.py") as plugin:
        assert first_step(plugin, then).code == code
        assert plugin.call("$/ping") == {}
        assert plugin.shutdown() == 0


def test_a_broken_watch_ends_the_process_with_1() -> None:
    with started("triggers.py") as plugin:
        config = {"count": 1, "then": "break"}
        plugin.call("trigger/watch", {"triggers": [{"id": "t", "config": config}]})
        plugin.next_notification("trigger/event")
        assert plugin.wait() == 1


def error_of(plugin: Plugin, request: int) -> dict[str, Any]:
    """What follows a tail's three entries."""
    assert plugin.reply(request) == {"tailing": True}
    entries = [plugin.next_notification("log_storage/event").params for _ in range(3)]
    assert [(e["id"], e["entry"]["id"]) for e in entries] == [(request, n) for n in "012"]
    last = plugin.next_notification("log_storage/event").params
    assert set(last) == {"id", "error"}
    assert last["id"] == request
    error: dict[str, Any] = last["error"]
    return error


@pytest.mark.parametrize(
    ("how", "text"),
    [("unavailable", "the disk is away"), ("translated", "the store is gone: reset")],
)
def test_a_tail_that_breaks_says_why_as_its_last_event(how: str, text: str) -> None:
    with started("tails.py") as plugin:
        error = error_of(plugin, plugin.request("log_storage/tail", {"cursor": how}))
        assert error["code"] == -32603
        assert error["message"].endswith(text)
        assert error["data"] == {"category": "unavailable"}
        assert plugin.call("$/ping") == {}
        assert plugin.shutdown() == 0
        assert text in plugin.stderr_text()


def test_a_bug_in_a_tail_is_told_with_the_id_that_the_operator_finds() -> None:
    with started("tails.py") as plugin:
        error = error_of(plugin, plugin.request("log_storage/tail", {"cursor": "bug"}))
        assert error["code"] == -32603
        assert error["message"].startswith(f"internal error {error['data']['error_id']}; ")
        found = f"error {error['data']['error_id']} in the stream of log_storage/tail"
        assert plugin.shutdown() == 0
        assert found in plugin.stderr_text()
        assert "ZeroDivisionError" in plugin.stderr_text()


def test_a_tail_that_was_cancelled_says_nothing_more() -> None:
    frames: list[bytes] = []
    with started("tails.py", frames) as plugin:
        request = plugin.request("log_storage/tail", {"cursor": "late"})
        for _ in range(3):
            plugin.next_notification("log_storage/event")
        plugin.notify("$/cancelRequest", {"id": request})
        assert plugin.shutdown() == 0
    assert not [frame for frame in frames if b'"error"' in frame]


def test_what_a_stream_sent_is_out_before_its_clean_up_runs() -> None:
    """Items that leave together wait for nothing once the generator is through."""
    with started("tails.py") as plugin:
        plugin.request("log_storage/tail", {"cursor": "exit"})
        ids = [plugin.next_notification("log_storage/event").params["entry"]["id"] for _ in "012"]
        assert ids == ["0", "1", "2"]
        assert plugin.wait() == 3


def test_the_test_client_raises_what_broke_a_stream_after_its_ack() -> None:
    app = App(kind="trigger_backend", name="t", version="1.0.0", description="Breaks")

    @app.method("trigger/watch")
    def watch() -> Iterator[dict[str, Any]]:
        yield {"event_id": "1", "trigger_id": "t"}
        raise OSError("the upstream is gone")

    with TestClient(app) as client:
        events = client.stream("trigger/watch")
        assert events.ack == {"watching": True}
        assert next(events)["event_id"] == "1"
        with pytest.raises(RpcError, match="internal error") as caught:
            next(events)
    assert repr(caught.value.__cause__) == "OSError('the upstream is gone')"


def test_the_test_client_raises_the_error_of_a_tail_and_not_its_frame() -> None:
    app = App(kind="log_storage_backend", name="t", version="1.0.0", description="Breaks")

    @app.method("log_storage/store")
    def store(entries: list[Any]) -> None:
        """Nothing is kept."""

    @app.method("log_storage/tail")
    def tail() -> Iterator[dict[str, Any]]:
        yield from ()
        raise Unavailable("away")

    with TestClient(app) as client, pytest.raises(Unavailable, match="away"):
        next(client.stream("log_storage/tail"))


def provider(handler: Any) -> App:
    app = App(kind="provider", name="animus-provider-x", version="1.0.0", description="x")
    app.method("agent/run")(handler)
    return app


def test_a_run_that_cancels_itself_says_a_fatal_error_first() -> None:
    """Or the host may run the prompt again (host 7.19)."""

    def run(prompt: str, ctx: Context) -> None:
        raise Cancelled

    with TestClient(provider(run)) as client:
        with pytest.raises(Cancelled) as caught:
            client.call("agent/run", {"prompt": "p", "cwd": "/"})
        assert caught.value.code == -32002
        (said,) = client.notifications
    assert said.method == "agent/error"
    assert said.params["recoverable"] is False


def test_a_method_ends_only_streams_of_its_own_role() -> None:
    app = App(
        kinds=["provider", "subject_backend"],
        name="both",
        version="1.0.0",
        description="Two roles",
        subject_kinds=["task"],
    )

    @app.method("agent/run")
    def run(prompt: str) -> str:
        return prompt

    @app.method("subject/list")
    def list_subjects() -> list[Any]:
        return []

    @app.method("subject/get")
    def get(id: str) -> None:
        return None

    @app.method("subject/watch")
    def watch(ctx: Context) -> Iterator[dict[str, Any]]:
        yield {
            "id": "task:1",
            "change_kind": "updated",
            "subject": {"id": "task:1", "kind": "task", "title": "t"},
        }
        ctx.wait(5)

    with TestClient(app) as client, client.stream("subject/watch") as events:
        next(events)
        stranger = client.call("agent/cancel", {"session_id": str(events.request_id)})
        assert stranger["cancelled"] is False
        assert client.call("subject/unwatch", {"watch_id": str(events.request_id)}) == {"ok": True}
