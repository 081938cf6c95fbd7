from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest

from animus_routes import App, RpcError
from animus_routes.structs import config as wire
from animus_routes.testing import TestClient

MODEL = wire.ConfigModel(schema_="animus.workflow-config.v2", version=2, config={"workflows": []})


def load(project_root: str, actor: wire.Actor | None = None) -> wire.ConfigLoadResponse:
    who = actor.user_id if actor else "nobody"
    token = wire.CacheToken(version=f"{project_root} {who}")
    return wire.ConfigLoadResponse(config=MODEL, cache_token=token)


def source(**handlers: Any) -> App:
    lifespan = handlers.pop("lifespan", None)
    app = App(
        kind="config_source",
        name="animus-config-x",
        version="1.0.0",
        description="x",
        lifespan=lifespan,
    )
    for verb, handler in {"load": load, **handlers}.items():
        app.method(f"config/{verb}")(handler)
    return app


def test_load_has_the_wrapper_that_hosts_decode() -> None:
    with TestClient(source()) as client:
        actor = {"user_id": "kim", "claims": ["admin"]}
        found = client.call(
            "config/load", {"project_root": "/p", "repo_scope": "r", "actor": actor}
        )
        nobody = client.call("config/load", {"project_root": "/p", "actor": None})
    assert found["config"] == {
        "schema": "animus.workflow-config.v2",
        "version": 2,
        "config": {"workflows": []},
    }
    assert found["cache_token"] == {"version": "/p kim", "external_inputs": False}
    assert nobody["cache_token"]["version"] == "/p nobody"


def test_a_config_that_is_null_is_written_all_the_same() -> None:
    def empty() -> wire.ConfigLoadResponse:
        model = wire.ConfigModel(schema_="s", version=1, config=None)
        return wire.ConfigLoadResponse(config=model, cache_token=wire.CacheToken(version="1"))

    app = App(kind="config_source", name="n", version="1.0.0", description="x")
    app.method("config/load")(empty)
    with TestClient(app) as client:
        assert client.call("config/load", {"project_root": "/"})["config"]["config"] is None


def test_the_write_token_is_there_exactly_if_writing_works() -> None:
    def write(project_root: str, config: wire.ConfigModel) -> wire.ConfigWriteResponse:
        assert config.config == {"a": 1}
        return wire.ConfigWriteResponse(cache_token=wire.CacheToken(version=project_root))

    plain, writing = source(), source(write=write)
    assert "config_write" not in plain.manifest()["capabilities"]
    assert {"config_write", "config/write"} <= set(writing.manifest()["capabilities"])
    model = {"schema": "animus.workflow-config.v2", "version": 2, "config": {"a": 1}}
    with TestClient(writing) as client:
        assert "config_write" in client.initialize_result["capabilities"]["methods"]
        found = client.call("config/write", {"project_root": "/p", "config": model})
    assert found["cache_token"]["version"] == "/p"


@pytest.mark.parametrize("verb", ["validate", "write"])
def test_an_optional_method_that_is_missing_is_not_supported(verb: str) -> None:
    with TestClient(source()) as client, pytest.raises(RpcError) as error:
        client.call(f"config/{verb}", {"project_root": "/p"})
    assert error.value.code == -32001


def test_a_method_that_no_config_source_has_is_unknown() -> None:
    with TestClient(source()) as client, pytest.raises(RpcError) as error:
        client.call("config/delete")
    assert error.value.code == -32601


def test_diagnostics_carry_their_place() -> None:
    def validate() -> wire.ConfigValidateResponse:
        found = wire.ConfigDiagnostic(severity="warning", message="m", file="f", line=3)
        return wire.ConfigValidateResponse(diagnostics=[found])

    with TestClient(source(validate=validate)) as client:
        found = client.call("config/validate", {"project_root": "/p"})
    assert found["diagnostics"] == [{"severity": "warning", "message": "m", "file": "f", "line": 3}]


def test_a_thread_of_the_lifespan_tells_the_host_of_a_change() -> None:
    changed = Event()

    def lifespan() -> Iterator[None]:
        def watch() -> None:
            if changed.wait(5):
                app.notify("config/changed", wire.ConfigChangedEvent(version="2"))

        thread = Thread(target=watch)
        thread.start()
        yield
        changed.set()
        thread.join(5)

    app = source(lifespan=lifespan)
    with TestClient(app) as client:
        changed.set()
        event = client.next_notification("config/changed")
    assert event.params == {"version": "2"}


def test_the_kind_s_crate_version_is_told() -> None:
    with TestClient(source()) as client:
        kinds = client.initialize_result["kind_capabilities"]
    assert kinds == {"config_source": {"crate_version": "0.2.0"}}
