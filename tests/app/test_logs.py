"""What the operator reads: `ctx.log` and standard `logging`, as lines, as JSON, as `log/entry`."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from animus_routes import App, Context
from animus_routes.serving.logs import Sink
from animus_routes.serving.stdlib_logging import StderrHandler, take_over
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def bare_root() -> Iterator[logging.Logger]:
    """The root logger as a program has it that never configured logging."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()
    yield root
    root.handlers[:] = handlers
    root.setLevel(level)


def logging_app(**options: Any) -> App:
    app = App(kind="custom", name="x", version="1.0.0", description="d", **options)

    @app.method("say")
    def say(ctx: Context) -> None:
        ctx.log("info", "hello", n=1, odd=object)

    return app


def test_a_log_line_names_time_level_method_and_fields(capfd: pytest.CaptureFixture[str]) -> None:
    with TestClient(logging_app()) as client:
        client.call("say")
    (line,) = capfd.readouterr().err.splitlines()
    assert line.partition("Z ")[2].startswith("INFO  say: hello n='1'")


def test_json_lines_are_the_shape_of_a_log_entry(capfd: pytest.CaptureFixture[str]) -> None:
    with TestClient(logging_app(log_format="json")) as client:
        client.call("say")
        assert client.notifications == []
    entry = json.loads(capfd.readouterr().err)
    assert entry["ts"].endswith("Z")
    assert {**entry, "ts": ""} == {
        "level": "info",
        "target": "say",
        "message": "hello",
        "fields": {"n": "1", "odd": "<class 'object'>"},
        "ts": "",
    }


def test_entries_go_to_the_host_where_they_are_asked_for() -> None:
    with TestClient(logging_app(log_entries=True)) as client:
        client.call("say")
        (found,) = client.notifications
    assert (found.method, found.params["message"]) == ("log/entry", "hello")


def test_no_entry_goes_out_beside_an_agents_run() -> None:
    """A host that has forwarded a notification does not retry the run (host section 5)."""
    app = App(kind="provider", name="p", version="1.0.0", description="d", log_entries=True)

    @app.method("agent/run")
    def run(prompt: str, ctx: Context) -> str:
        ctx.log("info", "running")
        return prompt

    with TestClient(app) as client:
        assert client.call("agent/run", {"prompt": "p", "cwd": "/"})["output"] == "p"
        assert client.notifications == []


def test_standard_logging_is_taken_over_with_its_traceback(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with bare_root():
        take_over(Sink("text", None))
        try:
            int("bad")
        except ValueError:
            logging.getLogger("my.module").exception("it failed", extra={"task": "task:1"})
    text = capfd.readouterr().err
    assert "ERROR my.module: it failed\nTraceback" in text
    assert "'bad' task='task:1'" in text


def test_logging_that_the_program_configured_is_left_alone() -> None:
    own = logging.NullHandler()
    with bare_root() as root:
        root.addHandler(own)
        take_over(Sink("text", None))
        assert root.handlers == [own]


@pytest.mark.parametrize(
    ("rust_log", "level"),
    [("debug", logging.DEBUG), ("warn", logging.WARNING), ("a=b", logging.INFO)],
)
def test_the_level_is_the_hosts_rust_log(
    monkeypatch: pytest.MonkeyPatch, rust_log: str, level: int
) -> None:
    monkeypatch.setenv("RUST_LOG", rust_log)
    with bare_root() as root:
        take_over(Sink("text", None))
        assert root.level == level
        assert isinstance(root.handlers[0], StderrHandler)


def test_a_background_notification_goes_out_only_while_a_host_listens() -> None:
    app = logging_app()
    app.notify("config/changed", {"version": "0"})
    with TestClient(app) as client:
        app.notify("config/changed", {"version": "1"})
        assert [found.params for found in client.notifications] == [{"version": "1"}]


def test_a_line_with_text_that_is_not_utf8_is_readable(capfd: pytest.CaptureFixture[str]) -> None:
    Sink("text", None).write("info", "here", "found bad\udcff.md")
    assert "found bad\ufffd.md\n" in capfd.readouterr().err
    Sink("json", None).write("info", "here", "found bad\udcff.md", {"name": "bad\udcff"})
    told = json.loads(capfd.readouterr().err)
    assert (told["message"], told["fields"]) == ("found bad\ufffd.md", {"name": "bad\ufffd"})
