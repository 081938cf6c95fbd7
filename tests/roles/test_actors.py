"""Who is behind a call: given to handlers that ask, and refused where it is malformed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec import Raw

from animus_routes import App, Context, RpcError
from animus_routes.handlers.context import Actor
from animus_routes.structs import transport as structs
from animus_routes.testing import TestClient
from animus_routes.types import transport as types
from animus_routes.values.codecs import explain

KIM = {"user_id": "kim", "claims": ["admin"], "tenant_id": "acme"}
MALFORMED: list[tuple[Any, str]] = [
    ("kim", "actor"),
    (1, "actor"),
    ([], "actor"),
    (False, "actor"),
    ({}, "actor.user_id"),
    ({"user_id": None}, "actor.user_id"),
    ({"user_id": "kim", "claims": {}}, "actor.claims"),
    ({"user_id": "kim", "claims": [1]}, "actor.claims.0"),
    ({"user_id": "kim", "tenant_id": 1}, "actor.tenant_id"),
]


SOCKET = {"control_socket_path": "/s", "project_root": "/p"}


def no_params() -> str:
    return "bound"


def by_field(project_root: str) -> str:
    return project_root


def by_field_and_actor(project_root: str, actor: dict[str, Any] | None = None) -> str:
    return f"{project_root} {actor}"


def by_field_and_asked_for(project_root: str, actor: Actor | None) -> str:
    return f"{project_root} {actor}"


def by_actor(actor: Any) -> str:
    assert actor is None or actor["user_id"] == "kim"
    return "bound"


def plain(params: dict[str, Any]) -> str:
    return str(params["project_root"])


def struct(request: structs.TransportConfig) -> str:
    return request.project_root


def model(request: types.TransportConfig) -> str:
    return request.project_root


async def later(project_root: str) -> str:
    return project_root


FORMS: list[Callable[..., Any]] = [
    no_params,
    by_field,
    by_field_and_actor,
    by_field_and_asked_for,
    by_actor,
    plain,
    struct,
    model,
    later,
]
form = pytest.mark.parametrize("handler", FORMS, ids=lambda handler: str(handler.__name__))


def served(handler: Callable[..., Any]) -> App:
    app = App(kind="transport_backend", name="n", version="1.0.0", description="d")
    app.method("transport/start")(handler)
    return app


def refusal(client: TestClient, method: str, params: Any) -> RpcError:
    with pytest.raises(RpcError) as caught:
        client.call(method, params)
    return caught.value


@form
@pytest.mark.parametrize(("actor", "path"), MALFORMED, ids=str)
def test_a_malformed_actor_is_refused_whatever_the_handler_takes(
    handler: Callable[..., Any], actor: Any, path: str
) -> None:
    with TestClient(served(handler)) as client:
        refused = refusal(client, "transport/start", {**SOCKET, "actor": actor})
    assert refused.code == -32602
    assert [issue["path"] for issue in refused.data["issues"]] == [path]


@form
@pytest.mark.parametrize("actor", [None, {"user_id": "kim"}, KIM, KIM | {"tenant_id": None}])
def test_an_actor_and_none_are_taken(handler: Callable[..., Any], actor: Any) -> None:
    with TestClient(served(handler)) as client:
        assert client.call("transport/start", {**SOCKET, "actor": actor})["bound_addr"]
        assert client.call("transport/start", SOCKET)["bound_addr"]


@form
def test_escapes_hide_no_actor(handler: Callable[..., Any]) -> None:
    (route,) = (one for one in served(handler).registry.routes() if one.name == "transport/start")
    with pytest.raises(ValueError, match=r"(?i)expected") as caught:
        route.decode(
            Raw(rb'{"project_root": "/p", "control_socket_path": "/s", "\u0061ctor": "kim"}')
        )
    invalid = explain(caught.value)
    assert invalid is not None
    assert [issue["path"] for issue in invalid.issues] == ["actor"]


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ({}, None),
        ({"actor": None}, None),
        ({"actor": {"user_id": "kim"}}, {"user_id": "kim"}),
        ({"actor": KIM}, KIM),
        ({"actor": KIM | {"tenant_id": None}}, KIM | {"tenant_id": None}),
    ],
)
def test_a_handler_that_asks_is_told(sent: dict[str, Any], seen: Any) -> None:
    told: list[Any] = []

    def start(ctx: Context) -> str:
        told.append(ctx.actor)
        return "bound"

    with TestClient(served(start)) as client:
        client.call("transport/start", {**SOCKET, **sent})
    assert told == [seen]


def test_a_stream_is_refused_before_its_ack() -> None:
    app = App(kind="trigger_backend", name="n", version="1.0.0", description="d")

    @app.method("trigger/watch")
    def watch() -> Iterator[dict[str, Any]]:
        yield {"event_id": "1"}

    with TestClient(app) as client:
        assert refusal(client, "trigger/watch", {"actor": "kim"}).code == -32602


def test_what_has_no_handler_refuses_it_too() -> None:
    app = App(kind="trigger_backend", name="n", version="1.0.0", description="d")

    @app.method("trigger/watch")
    def watch() -> Iterator[dict[str, Any]]:
        yield {"event_id": "1"}

    with TestClient(app) as client:
        assert refusal(client, "trigger/schema", {"actor": "kim"}).code == -32602


@pytest.mark.parametrize("actor", ["kim", 7, {"name": "kim"}, {"user_id": "kim", "claims": {}}])
def test_the_params_of_your_own_methods_are_yours(actor: Any) -> None:
    app = App(kind="custom", name="n", version="1.0.0", description="d")
    told: list[Any] = []

    @app.method("film/cast")
    def cast(actor: Any, ctx: Context) -> Any:
        told.append(ctx.actor)
        return actor

    with TestClient(app) as client:
        assert client.call("film/cast", {"actor": actor}) == actor
    assert told == [None]
