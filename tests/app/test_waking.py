"""A watch by polling that is told of changes from outside, and what it tells of statuses."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
import pytest

from animus_routes import App, Context, Env, Unavailable
from animus_routes.structs.subject import (
    StatusDispatchHint,
    Subject,
    SubjectFilter,
    SubjectList,
    SubjectSchema,
)
from animus_routes.testing import TestClient
from animus_routes.waking import Wake

WAIT_S = 20.0
HINTS = [
    StatusDispatchHint(native_status="Todo", maps_to="ready"),
    StatusDispatchHint(native_status="Doing", maps_to="in-progress"),
    StatusDispatchHint(
        native_status="In Review", maps_to="in-progress", dispatch_label="code-review"
    ),
]


class Settings(msgspec.Struct):
    poll_s: Annotated[float, Env("POLL_S")] = 0.01


class Board:
    """Subjects that a test changes, and what was asked for them."""

    def __init__(self) -> None:
        self.subjects: dict[str, Subject] = {}
        self.asked: list[str | None] = []
        self.changed = threading.Condition()

    def put(self, name: str, second: int, **fields: Any) -> None:
        at = f"2026-01-01T00:00:{second:02d}Z"
        self.subjects[name] = Subject(
            id=name, kind="task", title=name, created_at=at, updated_at=at, **fields
        )

    def app(self, **options: Any) -> App:
        app = App(
            kind="subject_backend",
            name="animus-subject-test",
            version="1.0.0",
            description="Under test",
            subject_kinds=["task"],
            settings=Settings,
        )
        app.watch_by_polling(**options)

        @app.method("subject/list")
        def list_them(filter: SubjectFilter) -> list[Subject]:
            with self.changed:
                self.asked.append(filter.updated_since)
                self.changed.notify_all()
            return [s for s in list(self.subjects.values()) if filter.matches(s)]

        @app.method("subject/get")
        def get(id: str) -> Subject | None:
            return self.subjects.get(id)

        @app.method("subject/schema")
        def schema() -> SubjectSchema:
            return SubjectSchema(
                kinds=["task"],
                status_values=["ready", "in-progress"],
                supports_pagination=False,
                supports_watch=True,
                status_dispatch_hints=HINTS,
            )

        return app

    def polled(self, times: int) -> None:
        """Wait until the list was asked for so many times."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.asked) >= times, WAIT_S), self.asked


class Outside:
    """A source of words, which a test speaks."""

    def __init__(self) -> None:
        self.wake: Wake | None = None
        self.opened = 0
        self.is_open, self.closed = threading.Event(), threading.Event()
        self.failing = 0

    @contextmanager
    def __call__(self, ctx: Context[Any], wake: Wake) -> Iterator[None]:
        assert isinstance(ctx.settings, Settings)
        if self.failing:
            self.failing -= 1
            raise OSError("the port is taken")
        self.opened += 1
        self.wake = wake
        self.is_open.set()
        yield
        self.closed.set()

    def says(self, **options: bool) -> None:
        assert self.is_open.wait(WAIT_S)
        assert self.wake is not None
        self.wake(**options)


def test_word_from_outside_is_a_poll_and_a_burst_is_one() -> None:
    board, outside = Board(), Outside()
    app = board.app(every_s=3600, woken_by=outside)
    with TestClient(app, timeout_s=WAIT_S) as client, client.stream("task/watch") as watch:
        board.polled(2)
        board.put("task:1", 1)
        for _ in range(20):
            outside.says()
        assert next(watch)["event"]["change_kind"] == "created"
        assert len(board.asked) == 3
    assert outside.closed.wait(WAIT_S)


def test_word_that_something_is_gone_asks_for_everything() -> None:
    board, outside = Board(), Outside()
    board.put("task:1", 1)
    app = board.app(every_s=3600, woken_by=outside)
    with TestClient(app, timeout_s=WAIT_S) as client, client.stream("task/watch") as watch:
        board.polled(2)
        del board.subjects["task:1"]
        outside.says()
        board.polled(3)
        outside.says(full=True)
        assert next(watch)["event"]["change_kind"] == "deleted"
    assert board.asked == [None, *["2026-01-01T00:00:01Z"] * 2, None]


def test_the_source_is_open_while_somebody_watches() -> None:
    board, outside = Board(), Outside()
    app = board.app(every_s=3600, woken_by=outside)
    with TestClient(app, timeout_s=WAIT_S) as client:
        assert outside.opened == 0
        with client.stream("task/watch"):
            with client.stream("task/watch"):
                board.polled(4)
                assert outside.opened == 1
            assert not outside.closed.is_set()
        assert outside.closed.wait(WAIT_S)
        with client.stream("task/watch"):
            board.polled(6)
            assert outside.opened == 2


def test_a_source_that_cannot_be_opened_is_tried_again(capfd: pytest.CaptureFixture[str]) -> None:
    board, outside = Board(), Outside()
    outside.failing = 3
    app = board.app(every_s=lambda settings: settings.poll_s, woken_by=outside)
    with TestClient(app, timeout_s=WAIT_S) as client, client.stream("task/watch") as watch:
        board.polled(6)
        assert outside.opened == 1
        board.put("task:1", 1)
        assert next(watch)["event"]["id"] == "task:1"
    told = "changes are found by asking alone: the port is taken"
    assert capfd.readouterr().err.count(told) == 1


def test_word_does_not_shorten_the_pause_of_a_failure() -> None:
    outside = Outside()
    asked: list[int] = []
    app = Board().app(every_s=0.01, woken_by=outside)

    @app.middleware
    def fail(ctx: Context[Any], call_next: Any) -> Any:
        if ctx.method.endswith("/list"):
            asked.append(1)
            raise Unavailable("down", retry_after_s=3600)
        return call_next()

    with TestClient(app, timeout_s=WAIT_S) as client, client.stream("task/watch"):
        for _ in range(5):
            outside.says(full=True)
            client.call("task/schema")
        assert len(asked) == 1


@pytest.mark.parametrize(
    ("before", "after", "wanted"),
    [
        (
            ("ready", "Todo"),
            ("in-progress", "In Review"),
            {"change_kind": "status-changed", "previous_native_status": "Todo"},
        ),
        (
            ("in-progress", "In Review"),
            ("in-progress", "Doing"),
            {
                "change_kind": "dispatch-label-changed",
                "previous_native_status": "In Review",
                "previous_dispatch_label": "code-review",
            },
        ),
        (
            ("in-progress", "Doing"),
            ("in-progress", "Started"),
            {"change_kind": "updated", "previous_native_status": "Doing"},
        ),
    ],
)
def test_a_change_of_the_native_status_is_told_with_what_it_was(
    before: tuple[Any, str], after: tuple[Any, str], wanted: dict[str, str]
) -> None:
    board = Board()
    board.put("task:1", 1, status=before[0], native_status=before[1])
    app = board.app(every_s=0.01)
    with TestClient(app, timeout_s=WAIT_S) as client, client.stream("task/watch") as watch:
        board.polled(1)
        board.put("task:1", 2, status=after[0], native_status=after[1])
        event = next(watch)["event"]
    told = ("change_kind", "previous_native_status", "previous_dispatch_label")
    assert {name: event[name] for name in told if name in event} == wanted


def test_what_changes_after_the_acknowledgement_is_told() -> None:
    board = Board()
    app = board.app(every_s=0.01)
    with TestClient(app, timeout_s=WAIT_S) as client, client.stream("task/watch") as watch:
        assert watch.ack == {"watching": True}
        assert board.asked
        board.put("task:1", 1)
        assert next(watch)["event"]["change_kind"] == "created"


def test_what_changes_while_pages_are_read_is_asked_for_again() -> None:
    """A page that was read says nothing of a change that came after it, though a later page does."""
    board = Board()
    board.put("task:1", 1)
    board.put("task:2", 2)
    app = App(
        kind="subject_backend",
        name="animus-subject-test",
        version="1.0.0",
        description="Under test",
        subject_kinds=["task"],
    )
    app.watch_by_polling(every_s=0.01)
    since: list[str | None] = []

    @app.method("subject/list")
    def list_them(filter: SubjectFilter) -> SubjectList:
        if filter.cursor is not None:
            board.put("task:1", 4)  # behind the reader's back
            board.put("task:2", 5)
            return SubjectList(subjects=[board.subjects["task:2"]])
        since.append(filter.updated_since)
        at = "2026-01-01T00:00:03Z"
        first = board.subjects["task:1"]
        if len(since) > 1:
            found = [s for s in list(board.subjects.values()) if filter.matches(s)]
            return SubjectList(subjects=found, fetched_at=at)
        return SubjectList(subjects=[first], next_cursor="2", fetched_at=at)

    @app.method("subject/get")
    def get(id: str) -> Subject | None:
        return board.subjects.get(id)

    with TestClient(app, timeout_s=WAIT_S) as client, client.stream("task/watch") as watch:
        assert next(watch)["event"]["id"] == "task:1"
    assert since[:2] == [None, "2026-01-01T00:00:03Z"]
