"""Streams that cannot begin, break, or are ended: what the host sees, and whether the process stays."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from animus_routes import App, Cancelled, Context, RpcError
from animus_routes.host import Plugin
from animus_routes.testing import TestClient

PLUGINS = Path(__file__).parent / "plugins"


@contextmanager
def started(name: str, frames: list[bytes] | None = None) -> Iterator[Plugin]:
    plugin = Plugin.start(
        [sys.executable, str(PLUGINS / name)],
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


def test_a_broken_watch_ends_the_process_with_1() -> None:
    with started("triggers.py") as plugin:
        config = {"count": 1, "then": "break"}
        plugin.call("trigger/watch", {"triggers": [{"id": "t", "config": config}]})
        plugin.next_notification("trigger/event")
        assert plugin.wait() == 1


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
        yield {"id": "task:1", "change_kind": "updated", "subject": {}}
        ctx.wait(5)

    with TestClient(app) as client, client.stream("subject/watch") as events:
        next(events)
        stranger = client.call("agent/cancel", {"session_id": str(events.request_id)})
        assert stranger["cancelled"] is False
        assert client.call("subject/unwatch", {"watch_id": str(events.request_id)}) == {"ok": True}
