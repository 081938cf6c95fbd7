"""A watch over a real HTTP server that can only be asked, and that fails half of the time."""

import http.server
import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from animus_routes import App, Context, NotFound, Unavailable
from animus_routes.batteries.upstream import upstream
from animus_routes.structs.subject import Subject, SubjectFilter
from animus_routes.testing import OpenStream, TestClient
from animus_routes.timestamps import now

WAIT_S = 20.0


class Tracker(http.server.ThreadingHTTPServer):
    """Keeps subjects; `failing` tells of the number of a request whether it fails."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.tasks: dict[str, dict[str, Any]] = {}
        self.lock = threading.Lock()
        self.asked: list[str | None] = []
        self.failing: Any = lambda _number: False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def put(self, name: str, **fields: Any) -> None:
        with self.lock:
            old = self.tasks.get(name, {"id": name, "kind": "task", "title": name})
            self.tasks[name] = {**old, "updated_at": now(), **fields}

    def remove(self, name: str) -> None:
        with self.lock:
            del self.tasks[name]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Tracker  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        tracker = self.server
        with tracker.lock:
            since = self.headers.get("since")
            tracker.asked.append(since)
            body = json.dumps(list(tracker.tasks.values())).encode()
        fails = tracker.failing(len(tracker.asked))
        self.send_response(503 if fails else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def tracker() -> Iterator[Tracker]:
    with Tracker() as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield found
        finally:
            found.shutdown()
            thread.join(WAIT_S)


def subject_app() -> App:
    """A subject backend for tasks, with nothing registered."""
    return App(
        kind="subject_backend",
        name="animus-subject-test",
        version="1.0.0",
        description="Under test",
        subject_kinds=["task"],
    )


@pytest.mark.parametrize("name", ["every_s", "longest_s", "full_every"])
def test_a_watch_that_would_never_rest_is_refused(name: str) -> None:
    options: dict[str, Any] = {name: 0}
    with pytest.raises(ValueError, match="longer than 0 s"):
        subject_app().watch_by_polling(**options)


def app_over(tracker: Tracker, *, is_async: bool = False, **options: Any) -> App:
    app = subject_app()
    app.watch_by_polling(**{"every_s": 0.01, "longest_s": 0.05, "full_every": 3, **options})

    def fetched(since: str | None = None) -> list[Subject]:
        request = urllib.request.Request(tracker.url, headers={"since": since} if since else {})
        with upstream("the tracker"), urllib.request.urlopen(request, timeout=WAIT_S) as answer:
            return [Subject(**fields) for fields in json.load(answer)]

    if is_async:

        @app.method("subject/list")
        async def list_async(filter: SubjectFilter) -> list[Subject]:
            return [s for s in fetched(filter.updated_since) if filter.matches(s)]

    else:

        @app.method("subject/list")
        def list_plain(filter: SubjectFilter, ctx: Context) -> list[Subject]:
            assert ctx.kind == "task"
            return [s for s in fetched(filter.updated_since) if filter.matches(s)]

    @app.method("subject/get")
    def get(id: str) -> Subject:
        found = next((s for s in fetched() if s.id == id), None)
        if found is None:
            raise NotFound(f"subject '{id}'")
        return found

    @app.method("subject/update")
    def update(id: str) -> None:
        raise NotFound(id)

    return app


@contextmanager
def watching(app: App, tracker: Tracker, params: Any = None) -> Iterator[OpenStream]:
    """A watch that has seen what there is."""
    with (
        TestClient(app, timeout_s=WAIT_S) as client,
        client.stream("task/watch", params) as stream,
    ):
        assert stream.ack == {"watching": True}
        until = time.monotonic() + WAIT_S
        fine = 0
        while fine < 2:  # the second poll has begun, so that the first one is done
            fine = sum(not tracker.failing(n + 1) for n in range(len(tracker.asked)))
            assert time.monotonic() < until
        yield stream


def told(stream: OpenStream) -> tuple[str, str, str]:
    event = next(stream)["event"]
    return event["id"], event["change_kind"], event["subject"]["status"]


@pytest.mark.parametrize("is_async", [False, True], ids=["plain", "async"])
@pytest.mark.parametrize("half", [False, True], ids=["sound", "failing half of the time"])
def test_every_change_is_told_once_and_in_order(
    tracker: Tracker, is_async: bool, half: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    tracker.put("task:1")
    tracker.put("task:2")
    if half:
        tracker.failing = lambda number: number % 4 in {1, 2}
    with watching(app_over(tracker, is_async=is_async), tracker) as stream:
        tracker.put("task:3")
        assert told(stream) == ("task:3", "created", "ready")
        tracker.put("task:1", title="Another")
        assert told(stream) == ("task:1", "updated", "ready")
        tracker.put("task:1", status="done")
        assert told(stream) == ("task:1", "status-changed", "done")
        tracker.remove("task:2")
        assert told(stream) == ("task:2", "deleted", "ready")
        tracker.put("task:2")
        assert told(stream) == ("task:2", "created", "ready")
    lines = [line for line in capfd.readouterr().err.splitlines() if "a poll failed" in line]
    assert bool(lines) is half


def test_it_asks_for_what_is_new_and_from_time_to_time_for_everything(tracker: Tracker) -> None:
    tracker.put("task:1", updated_at="2026-01-31T10:00:00Z")
    with watching(app_over(tracker), tracker) as stream:
        tracker.put("task:2", updated_at="2026-01-31T12:00:00+01:00")
        told(stream)
        seen = len(tracker.asked)
        until = time.monotonic() + WAIT_S
        while len(tracker.asked) < seen + 6:
            assert time.monotonic() < until
        asked = tracker.asked[seen : seen + 6]
    assert None in asked
    assert set(asked) - {None} <= {"2026-01-31T10:00:00Z", "2026-01-31T12:00:00+01:00"}
    assert "2026-01-31T12:00:00+01:00" in asked


def test_a_subject_that_leaves_the_filter_is_not_said_to_be_deleted(tracker: Tracker) -> None:
    tracker.put("task:1")
    params = {"filter": {"status": ["ready"], "limit": 1}}
    with watching(app_over(tracker), tracker, params) as stream:
        tracker.put("task:1", status="blocked")
        assert told(stream) == ("task:1", "status-changed", "blocked")
        tracker.put("task:1", status="ready")
        assert told(stream) == ("task:1", "created", "ready")


def test_pages_are_followed() -> None:
    app = subject_app()
    app.watch_by_polling(every_s=0.01)
    names = ["a", "b", "c"]
    listed = threading.Event()

    @app.method("subject/list")
    def list_pages(filter: SubjectFilter) -> dict[str, Any]:
        place = int(filter.cursor or 0)
        more = {"next_cursor": str(place + 1)} if place + 1 < len(names) else {}
        if not more:
            listed.set()
        name = names[place]
        subject = {"id": name, "kind": "task", "title": name, "updated_at": "2026-01-31T10:00:00Z"}
        return {"subjects": [{**subject, "created_at": "2026-01-31T10:00:00Z"}], **more}

    @app.method("subject/get")
    def get(id: str) -> None:
        raise NotFound(id)

    @app.method("subject/update")
    def update(id: str) -> None:
        raise NotFound(id)

    with TestClient(app, timeout_s=WAIT_S) as client, client.stream("task/watch") as stream:
        assert listed.wait(WAIT_S)
        names.append("d")
        event = next(stream)["event"]
        assert (event["id"], event["change_kind"]) == ("d", "created")


@pytest.mark.parametrize("data", [{"retry_after_s": 3600}, None])
def test_failures_are_asked_about_less_and_less_often(
    data: dict[str, Any] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    enough = threading.Event()

    def wait(ctx: Context, seconds: float) -> bool:
        pauses.append(seconds)
        if len(pauses) == 8:
            enough.set()
        return len(pauses) >= 8

    monkeypatch.setattr(Context, "wait", wait)
    app = subject_app()
    app.watch_by_polling(every_s=1, longest_s=20)

    @app.method("subject/list")
    def fail() -> list[Subject]:
        raise Unavailable("gone", data)

    @app.method("subject/get")
    def get(id: str) -> None:
        raise NotFound(id)

    @app.method("subject/update")
    def update(id: str) -> None:
        raise NotFound(id)

    with TestClient(app, timeout_s=WAIT_S) as client, client.stream("task/watch"):
        assert enough.wait(WAIT_S)
    wanted = [2, 4, 8, 16, 20, 20, 20, 20] if data is None else [3600] * 8
    assert [round(p / w, 0) for p, w in zip(pauses, wanted, strict=True)] == [1] * 8
    assert all(0.9 <= p / w <= 1.1 for p, w in zip(pauses, wanted, strict=True))
    assert len(set(pauses)) > 1
