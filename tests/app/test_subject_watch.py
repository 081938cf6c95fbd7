"""Watches and named errors of a subject backend, as hosts see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from making import full_app, refused, subject

from animus_routes import (
    Context,
    NotFound,
    NotSupported,
    PermissionDenied,
    QuotaExceeded,
    RpcError,
    Unavailable,
)
from animus_routes.structs import subject as structs
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from animus_routes import App


def watching_app(events: int | None) -> App:
    app = full_app()

    @app.method("subject/watch")
    def watch(filter: structs.SubjectFilter, kind: str | None, ctx: Context) -> Iterator[Any]:
        number = 0
        while events is None or number < events:
            number += 1
            yield {
                "id": f"task:{number}",
                "change_kind": "created",
                "subject": subject(f"task:{number}", custom={"kind": kind, "limit": filter.limit}),
            }
            if events is None and ctx.wait(0.01):
                return

    return app


@pytest.mark.parametrize("method", ["subject/watch", "task/watch"])
def test_a_watch_is_acknowledged_and_then_says_what_changed(method: str) -> None:
    with TestClient(watching_app(2)) as client:
        stream = client.stream(method)
        assert stream.ack == {"watching": True}
        changes = list(stream)
        assert [change["id"] for change in changes] == [stream.request_id] * 2
        assert [change["event"]["id"] for change in changes] == ["task:1", "task:2"]
        assert {found.method for found in client.notifications} == {"subject/changed"}


def test_a_watch_reads_its_filter() -> None:
    with TestClient(watching_app(1)) as client:
        stream = client.stream("subject/watch", {"kind": "bug", "filter": {"limit": 3}})
        assert next(stream)["event"]["subject"]["custom"] == {"kind": "bug", "limit": 3}
        forced = client.stream("task/watch", {"kind": "bug"})
        assert next(forced)["event"]["subject"]["custom"] == {"kind": "task", "limit": None}


def test_a_watch_with_a_filter_alone_may_be_opened_without_one() -> None:
    app = full_app()

    @app.method("subject/watch")
    def watch(filter: structs.SubjectFilter) -> Iterator[Any]:
        yield {
            "id": "1",
            "change_kind": "created",
            "subject": subject("1", custom={"l": filter.limit}),
        }

    with TestClient(app) as client:
        assert next(client.stream("subject/watch"))["event"]["subject"]["custom"] == {"l": None}
        opened = client.stream("subject/watch", {"filter": {"limit": 4}})
        assert next(opened)["event"]["subject"]["custom"] == {"l": 4}


@pytest.mark.parametrize("as_request", [False, True])
def test_unwatch_ends_a_watch_by_its_id_as_text(as_request: bool) -> None:
    with TestClient(watching_app(None)) as client:
        stream = client.stream("subject/watch")
        next(stream)
        params = {"watch_id": str(stream.request_id)}
        if as_request:
            assert client.call("subject/unwatch", params) == {"ok": True}
            assert client.call("subject/unwatch", {"watch_id": "999"}) == {"ok": False}
        else:
            client.notify("subject/unwatch", params)
        list(stream)  # what was on its way, and then an end
        assert next(stream, None) is None


def test_an_unwatch_by_a_malformed_actor_ends_nothing() -> None:
    with TestClient(watching_app(None)) as client:
        stream = client.stream("subject/watch")
        next(stream)
        params = {"watch_id": str(stream.request_id), "actor": "kim"}
        client.notify("subject/unwatch", params)
        with pytest.raises(RpcError, match="actor") as caught:
            client.call("subject/unwatch", params)
        assert caught.value.code == -32602
        next(stream)
        assert client.call("subject/unwatch", {**params, "actor": None}) == {"ok": True}


def test_an_async_watch_streams() -> None:
    app = full_app()

    @app.method("subject/watch")
    async def watch() -> Any:
        for number in range(3):
            yield {"id": str(number), "change_kind": "created", "subject": subject(str(number))}

    with TestClient(app) as client:
        changes = list(client.stream("task/watch"))
    assert [change["event"]["id"] for change in changes] == ["0", "1", "2"]


def test_a_plain_function_may_hand_over_the_stream() -> None:
    app = full_app()

    @app.method("subject/watch")
    def watch() -> Iterator[Any]:
        return iter([{"id": "1", "change_kind": "deleted", "subject": subject("1")}])

    with TestClient(app) as client:
        assert [change["event"]["id"] for change in client.stream("task/watch")] == ["1"]


@pytest.mark.parametrize(
    ("error", "code", "category", "message"),
    [
        (NotFound("it"), -32602, "not_found", "not found: it"),
        (PermissionDenied("no"), -32600, "permission_denied", "permission denied: no"),
        (Unavailable("down"), -32603, "unavailable", "backend unavailable: down"),
        (NotSupported("never"), -32001, "unsupported", "never"),
        (QuotaExceeded("full"), -32603, "quota_exceeded", "quota exceeded: full"),
    ],
)
def test_named_errors_go_out_as_the_subject_crate_writes_them(
    error: Exception, code: int, category: str, message: str
) -> None:
    app = full_app()

    @app.method("subject/next")
    def fail() -> None:
        raise error

    with TestClient(app) as client:
        found = refused(client, "task/next")
    assert (found.code, found.data, found.message) == (code, {"category": category}, message)
