"""Schema, flags, advertised methods and manifest tokens of a subject backend agree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from making import full_app, refused, subject, subject_app

from animus_routes import (
    ConfigurationError,
)
from animus_routes.roles import role
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from collections.abc import Iterator


def nothing() -> list[Any]:
    return []


class OnlyWatches:
    subject_kinds = ["task"]  # noqa: RUF012 - as an app has it

    def has(self, name: str) -> bool:
        return name == "subject/watch"

    def serves(self, subject_kind: str) -> bool:
        return subject_kind == "task"

    def figure(self, kind: str, name: str) -> None: ...


def test_a_role_adapts_for_anything_that_says_what_it_serves() -> None:
    row = role("subject_backend").method("subject/schema")
    assert row is not None
    assert row.adapt_result is not None
    assert row.adapt_result({"supports_create": True}, {}, OnlyWatches()) == {
        "kinds": ["task"],
        "status_values": ["ready", "in-progress", "blocked", "done", "cancelled"],
        "supports_pagination": False,
        "supports_watch": True,
        "supports_create": False,
        "supports_delete": False,
    }


@pytest.mark.parametrize("author", [False, True])
@pytest.mark.parametrize("verbs", [(), ("create",), ("delete", "watch"), ("create", "watch")])
def test_flags_methods_and_tokens_always_agree(verbs: tuple[str, ...], author: bool) -> None:
    app = full_app(subject_kinds=["task", "bug.*"])

    def watch() -> Iterator[Any]:
        yield from ()

    handlers: dict[str, Any] = {
        "create": lambda title: subject("1"),
        "delete": lambda id: None,
        "watch": watch,
    }
    for verb in verbs:
        app.method(f"subject/{verb}")(handlers[verb])
    if author:

        @app.method("subject/schema")
        def schema() -> dict[str, Any]:
            return {"supports_create": True, "supports_delete": True, "supports_pagination": True}

    with TestClient(app) as client:
        found = client.call("task/schema")
        assert client.call("subject/schema") == found
        capabilities = client.initialize_result["capabilities"]
    advertised = capabilities["methods"]
    for verb in handlers:
        for prefix in ("subject", "task", "bug.*"):
            assert (f"{prefix}/{verb}" in advertised) is (verb in verbs)
        assert found[f"supports_{verb}"] is (verb in verbs)
    assert found["supports_pagination"] is author
    assert found["kinds"] == ["task", "bug.*"]
    assert found["status_values"] == ["ready", "in-progress", "blocked", "done", "cancelled"]
    assert capabilities["subject_kinds"] == ["task", "bug.*"]
    tokens = app.manifest()["capabilities"]
    assert tokens == [*advertised, "subject_kind:task", "subject_kind:bug.*"]
    assert "subject/schema" in advertised


def test_a_handler_of_one_kinds_verb_is_no_other_kinds() -> None:
    app = full_app(subject_kinds=["task", "bug"])
    app.method("task/create")(lambda title: subject("1"))
    with TestClient(app) as client:
        advertised = client.initialize_result["capabilities"]["methods"]
        assert "task/create" in advertised
        assert "bug/create" not in advertised
        assert "subject/create" not in advertised
        assert client.call("task/create", {"title": "t"})["id"] == "1"
        assert refused(client, "bug/create", {"title": "t"}).code == -32001


def test_a_handler_of_the_only_kinds_verb_is_the_verbs() -> None:
    app = subject_app()
    app.method("task/list")(nothing)
    app.method("task/get")(lambda id: subject(id))  # noqa: PLW0108 - **fields have no place
    with TestClient(app) as client:
        assert client.call("subject/get", {"id": "a"})["id"] == "a"
        assert "subject/get" in client.initialize_result["capabilities"]["methods"]


def test_a_required_verb_that_one_kind_lacks_is_reported() -> None:
    app = subject_app(subject_kinds=["task", "bug"])
    app.method("task/list")(nothing)
    app.method("subject/get")(lambda id: None)
    with pytest.raises(ConfigurationError, match="'bug/list' is required"):
        TestClient(app)


def test_unserved_and_unknown_methods_differ() -> None:
    with TestClient(full_app(subject_kinds=["task", "x.*"])) as client:
        for method in ("task/create", "subject/create", "x.y/create"):
            error = refused(client, method, {"title": "t"})
            assert error.code == -32001
            assert error.data == {"category": "unsupported"}
        for method in ("task/frobnicate", "other/create", "subject/", "x"):
            assert refused(client, method).code == -32601
