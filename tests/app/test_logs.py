"""What the operator reads: `ctx.log` and standard `logging`, as lines, as JSON, as `log/entry`."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from animus_routes import App, Context, RpcError
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


@pytest.mark.parametrize("rust_log", ["", "debug"])
def test_requests_are_no_lines_of_the_log_unless_somebody_wants_them(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, rust_log: str
) -> None:
    monkeypatch.setenv("RUST_LOG", rust_log)
    names = ("httpx", "httpcore.http11", "httpxyz")
    with bare_root():
        take_over(Sink("text", None))
        for wanted in (False, True):
            for name in names:
                logging.getLogger(name).setLevel(logging.INFO if wanted else logging.NOTSET)
                logging.getLogger(name).info("asked: %s", wanted)
                logging.getLogger(name).warning("refused: %s", wanted)
        for name in names:
            logging.getLogger(name).setLevel(logging.NOTSET)
    lines = capfd.readouterr().err.splitlines()
    told = [line.partition("Z ")[2].split(maxsplit=1)[1] for line in lines]
    assert [line for line in told if line.endswith("False")] == [
        "httpx: refused: False",
        "httpcore.http11: refused: False",
        "httpxyz: asked: False",
        "httpxyz: refused: False",
    ]
    assert [line for line in told if line.endswith("True")] == [
        f"{name}: {word}: True" for name in names for word in ("asked", "refused")
    ]


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


def named_app(name: str, **options: Any) -> App:
    app = App(
        kind="custom", name=name, version="1.0.0", description="d", log_entries=True, **options
    )

    @app.method("say")
    def say() -> None:
        logging.getLogger("acme").warning("from %s", name)

    return app


def entries(client: TestClient) -> list[str]:
    client.call("say")
    return [told.params["message"] for told in client.notifications if told.method == "log/entry"]


def test_logging_belongs_to_the_app_that_is_served(capfd: pytest.CaptureFixture[str]) -> None:
    with bare_root() as root:
        root.setLevel(logging.ERROR)
        for number in range(3):
            with TestClient(named_app(f"app-{number}", log_format="json")) as client:
                assert entries(client) == [f"from app-{number}"]
            assert (root.handlers, root.level) == ([], logging.ERROR)
    lines = [json.loads(line)["message"] for line in capfd.readouterr().err.splitlines()]
    assert lines == ["from app-0", "from app-1", "from app-2"]


def test_of_two_clients_the_newest_has_it_and_the_last_gives_it_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with bare_root() as root:
        root.setLevel(logging.ERROR)
        monkeypatch.setenv("RUST_LOG", "warn")
        first = TestClient(named_app("first")).__enter__()
        monkeypatch.setenv("RUST_LOG", "debug")
        with TestClient(named_app("second")) as second:
            assert (entries(second), entries(first)) == (["from second"], [])
            assert root.level == logging.DEBUG
        assert entries(first) == ["from first"]
        assert root.level == logging.WARNING
        third = TestClient(named_app("third")).__enter__()
        first.__exit__(None, None, None)
        assert entries(third) == ["from third"]
        third.__exit__(None, None, None)
        assert (root.handlers, root.level) == ([], logging.ERROR)


def test_a_client_that_could_not_be_opened_gives_it_back_too() -> None:
    app = named_app("app")

    @app.on_initialize
    def refuse() -> None:
        raise ValueError("no")

    with bare_root() as root:
        client = TestClient(app)
        with pytest.raises(RpcError):
            client.__enter__()
        assert root.handlers == []
        with pytest.raises(RuntimeError, match="open the client first"):
            client.call("say")


def test_what_the_author_set_while_it_was_served_stays() -> None:
    own = logging.NullHandler()
    with bare_root() as root:
        with TestClient(named_app("app")):
            logging.basicConfig(handlers=[own], level=logging.CRITICAL, force=True)
        assert (root.handlers, root.level) == ([own], logging.CRITICAL)
        with TestClient(named_app("app")) as client:
            assert entries(client) == []
        assert (root.handlers, root.level) == ([own], logging.CRITICAL)
