from collections.abc import Iterator
from typing import Any

import pytest

from animus_routes import App, Context, InvalidRequest, PermissionDenied, RpcError, Unavailable
from animus_routes.errors import AddressInUse
from animus_routes.structs.transport import TransportConfig, TransportInfo, TransportSchema
from animus_routes.testing import TestClient
from animus_routes.timestamps import parse

CONFIG = {"control_socket_path": "/run/c.sock", "project_root": "/p", "bind_addr": "127.0.0.1:0"}


def transport(start: Any, **options: Any) -> App:
    app = App(
        kind="transport_backend", name="animus-t-x", version="1.0.0", description="x", **options
    )
    app.method("transport/start")(start)
    return app


def begin(config: TransportConfig) -> TransportInfo:
    return TransportInfo(bound_addr=config.bind_addr or "", started_at="2026-11-21T09:00:00Z")


def test_start_takes_the_typed_config_and_answers_with_the_bound_address() -> None:
    with TestClient(transport(begin)) as client:
        info = client.call("transport/start", {**CONFIG, "config": {"any": [1]}})
    assert info == {"bound_addr": "127.0.0.1:0", "started_at": "2026-11-21T09:00:00Z"}


def test_an_address_alone_started_now() -> None:
    with TestClient(transport(lambda: "127.0.0.1:7")) as client:
        info = client.call("transport/start", CONFIG)
    assert info["bound_addr"] == "127.0.0.1:7"
    assert parse(info["started_at"]).tzinfo is not None


def test_a_start_without_params_is_refused() -> None:
    with TestClient(transport(begin)) as client, pytest.raises(RpcError) as error:
        client.call("transport/start")
    assert error.value.code == -32602


def test_shutdown_is_answered_any_number_of_times_with_or_without_a_handler() -> None:
    with TestClient(transport(begin)) as client:
        assert [client.call("transport/shutdown") for _ in range(2)] == [{"shutdown": True}] * 2
    stopped: list[int] = []
    app = transport(begin)

    @app.method("transport/shutdown")
    def stop() -> None:
        stopped.append(1)

    with TestClient(app) as client:
        assert [client.call("transport/shutdown") for _ in range(2)] == [{"shutdown": True}] * 2
    assert stopped == [1, 1]


def test_every_method_is_advertised_because_every_method_is_answered() -> None:
    app = transport(begin)
    assert {"transport/start", "transport/shutdown", "transport/schema", "health/check"} == set(
        app.manifest()["capabilities"]
    )


def test_a_schema_is_derived_or_the_author_s() -> None:
    with TestClient(transport(begin)) as client:
        assert client.call("transport/schema")["kinds"] == []
    app = transport(begin)

    @app.method("transport/schema")
    def schema() -> TransportSchema:
        return TransportSchema(
            kinds=["http"], supports_streaming=True, supports_websocket=False, default_port=8080
        )

    with TestClient(app) as client:
        found = client.call("transport/schema")
    assert (found["kinds"], found["supports_streaming"]) == (["http"], True)


def test_the_listener_belongs_to_the_lifespan() -> None:
    told: list[str] = []

    def lifespan() -> Iterator[list[str]]:
        told.append("entered")
        yield told
        told.append("left")

    def start(config: TransportConfig, ctx: Context) -> str:
        ctx.state.append(config.bind_addr)
        return "127.0.0.1:1"

    with TestClient(transport(start, lifespan=lifespan)) as client:
        client.call("transport/start", CONFIG)
    assert told == ["entered", "127.0.0.1:0", "left"]


@pytest.mark.parametrize(
    ("error", "code", "category"),
    [
        (InvalidRequest("x"), -32602, "invalid_request"),
        (AddressInUse("x"), -32603, "address_in_use"),
        (PermissionDenied("x"), -32603, "permission_denied"),
        (Unavailable("x"), -32603, "unavailable"),
        (ValueError("x"), -32603, "other"),
    ],
)
def test_errors_are_the_transport_crate_s(error: Exception, code: int, category: str) -> None:
    def fail() -> None:
        raise error

    with TestClient(transport(fail)) as client, pytest.raises(RpcError) as raised:
        client.call("transport/start", CONFIG)
    assert (raised.value.code, raised.value.data["category"]) == (code, category)


def test_the_kind_says_nothing_of_a_crate_version() -> None:
    with TestClient(transport(begin)) as client:
        assert "kind_capabilities" not in client.initialize_result
