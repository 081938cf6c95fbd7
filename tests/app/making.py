"""Apps under test, and what is asked of them again and again."""

from __future__ import annotations

from typing import Any

import pytest

from animus_routes import App, RpcError
from animus_routes.testing import TestClient


def subject_app(**options: Any) -> App:
    """A subject backend for tasks, with nothing registered."""
    given: dict[str, Any] = {
        "kind": "subject_backend",
        "name": "animus-subject-test",
        "version": "1.2.3",
        "description": "Under test",
        "subject_kinds": ["task"],
    }
    return App(**{**given, **options})


def full_app(**options: Any) -> App:
    """A subject backend with its required methods, which answer with next to nothing."""
    app = subject_app(**options)

    @app.method("subject/list")
    def list_subjects() -> list[dict[str, Any]]:
        return []

    @app.method("subject/get")
    def get_subject(id: str) -> dict[str, Any]:
        return subject(id)

    @app.method("subject/update")
    def update_subject(id: str) -> dict[str, Any]:
        return subject(id)

    return app


def custom_app(**options: Any) -> App:
    return App(
        kind="custom",
        name="animus-custom-test",
        version="1.0.0",
        description="Under test",
        **options,
    )


def subject(id: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "kind": "task", "title": f"Title of {id}", **fields}


def refused(client: TestClient, method: str, params: Any = None) -> RpcError:
    """The error that a call is answered with."""
    with pytest.raises(RpcError) as caught:
        client.call(method, params)
    return caught.value


def issues(error: RpcError) -> list[tuple[str, str]]:
    """Path and code of every issue of refused params."""
    assert error.code == -32602
    assert error.data["category"] == "invalid_request"
    return [(issue["path"], issue["code"]) for issue in error.data["issues"]]
