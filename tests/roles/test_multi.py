"""Several kinds in one App, and the kinds that are refused."""

from collections.abc import Iterator
from typing import Any

import pytest

from animus_routes import App, ConfigurationError, RpcError
from animus_routes.roles import KINDS, role
from animus_routes.structs import config, subject, trigger
from animus_routes.structs.plugin import TriggerEvent
from animus_routes.structs.queue import QueueCapabilities
from animus_routes.testing import TestClient

TASK: dict[str, Any] = {"id": "task:1", "kind": "task", "title": "x"}


def several(*kinds: Any, **options: Any) -> App:
    return App(kinds=kinds, name="animus-several", version="1.0.0", description="x", **options)


def two_kinds() -> App:
    """A subject backend that is a config source too."""
    app = several("subject_backend", "config_source", subject_kinds=["task", "issue"])

    @app.method("subject/list")
    def list_tasks(filter: subject.SubjectFilter) -> list[dict[str, Any]]:
        return [{**TASK, "kind": kind} for kind in filter.kind]

    @app.method("subject/get")
    def get_task(id: str) -> dict[str, Any] | None:
        return TASK if id == "task:1" else None

    @app.method("subject/update")
    def update_task(id: str, patch: subject.SubjectPatch) -> dict[str, Any]:
        return {**TASK, "id": id, "description": patch.description}

    @app.method("subject/watch")
    def watch() -> Iterator[subject.SubjectChangedEvent]:
        task = subject.Subject(**TASK)
        yield subject.SubjectChangedEvent(id="task:1", change_kind="updated", subject=task)

    @app.method("config/load")
    def load(project_root: str) -> config.ConfigLoadResponse:
        model = config.ConfigModel(schema_="s", version=1, config={"root": project_root})
        return config.ConfigLoadResponse(config=model, cache_token=config.CacheToken(version="1"))

    return app


def test_the_first_kind_is_the_primary_and_the_manifest_merges_the_tables() -> None:
    manifest = two_kinds().manifest()
    assert manifest["plugin_kind"] == "subject_backend"
    assert manifest["plugin_kinds"] == ["config_source"]
    tokens = manifest["capabilities"]
    assert {"task/list", "issue/list", "subject/list", "config/load", "health/check"} <= set(tokens)
    assert {"subject_kind:task", "subject_kind:issue"} <= set(tokens)
    assert "config_write" not in tokens
    assert len(tokens) == len(set(tokens))


def test_initialize_tells_of_every_kind() -> None:
    with TestClient(two_kinds()) as client:
        found = client.initialize_result
    assert found["plugin_info"]["plugin_kinds"] == ["config_source"]
    assert found["kind_capabilities"] == {"config_source": {"crate_version": "0.2.0"}}
    assert found["capabilities"]["subject_kinds"] == ["task", "issue"]
    assert found["capabilities"]["streaming"] is True


def test_aliases_and_adaptations_of_one_kind_hold_beside_another() -> None:
    with TestClient(two_kinds()) as client:
        (issue,) = client.call("issue/list", {"filter": {"kind": ["other"]}})["subjects"]
        assert (issue["kind"], issue["status"]) == ("issue", "ready")
        patch = {"id": "task:1", "patch": {"body": "text"}}
        assert client.call("task/update", patch)["description"] == "text"
        root = client.call("config/load", {"project_root": "/p"})["config"]["config"]["root"]
    assert root == "/p"


def test_errors_are_those_of_the_kind_that_answers() -> None:
    with TestClient(two_kinds()) as client:
        with pytest.raises(RpcError) as missing:
            client.call("task/get", {"id": "task:9"})
        with pytest.raises(RpcError) as of_subjects:
            client.call("task/delete", {"id": "task:1"})
        with pytest.raises(RpcError) as of_config:
            client.call("config/write", {})
        with pytest.raises(RpcError) as unknown:
            client.call("queue/list", {})
    assert missing.value.data["category"] == "not_found"
    assert (of_subjects.value.code, of_subjects.value.data["category"]) == (-32001, "unsupported")
    assert (of_config.value.code, of_config.value.data["category"]) == (-32001, "not_supported")
    assert unknown.value.code == -32601


def test_a_stream_of_one_kind_runs_beside_another() -> None:
    with TestClient(two_kinds()) as client:
        stream = client.stream("task/watch", {})
        assert stream.ack == {"watching": True}
        assert next(stream)["event"]["id"] == "task:1"
        assert client.call("config/load", {"project_root": "/"})["cache_token"]["version"] == "1"


def test_two_kinds_of_streams_and_two_schemas_do_not_mix() -> None:
    app = several("trigger_backend", "log_storage_backend", "notifier")

    @app.method("trigger/watch")
    def watch() -> Iterator[TriggerEvent]:
        yield TriggerEvent(event_id="e1")

    @app.method("trigger/schema")
    def schema() -> trigger.TriggerSchema:
        return trigger.TriggerSchema(
            kinds=["t"], supports_resume=True, supports_dedup=False, supports_ack=True
        )

    @app.method("log_storage/store")
    def store(entries: list[Any]) -> int:
        return len(entries)

    @app.method("log_storage/tail")
    def tail() -> Iterator[dict[str, Any]]:
        yield {"id": "l1"}

    @app.method("notifier/notify")
    def notify(event: dict[str, Any]) -> bool:
        return bool(event)

    with TestClient(app) as client:
        triggered = client.stream("trigger/watch", {})
        assert (triggered.ack, next(triggered)["event_id"]) == ({"watching": True}, "e1")
        tailed = client.stream("log_storage/tail", {})
        assert tailed.ack == {"tailing": True}
        event = client.next_notification("log_storage/event").params
        assert event == {"id": tailed.request_id, "entry": {"id": "l1"}}
        flags = client.call("trigger/schema")
        assert (flags["kinds"], flags["supports_ack"]) == (["t"], False)
        assert client.call("log_storage/schema")["supports_tail"] is True
        assert client.call("notifier/flush", {}) == {"lifecycle_events": []}


def test_what_is_required_is_required_of_each_kind() -> None:
    app = several("subject_backend", "notifier", "config_source", subject_kinds=["task"])
    with pytest.raises(ConfigurationError) as error:
        app.check()
    text = "\n".join(error.value.problems)
    for name in ("subject/list", "subject/get", "notifier/notify", "config/load"):
        assert f'add @app.method("{name}")' in text


def test_capabilities_of_a_kind_go_to_that_kind() -> None:
    def nothing() -> dict[str, Any]:
        return {}

    app = several("notifier", "queue", kind_capabilities={"queue": QueueCapabilities()})
    app.method("notifier/notify")(lambda: True)
    for row in role("queue").methods:
        app.method(row.name)(nothing)
    with TestClient(app) as client:
        kinds = client.initialize_result["kind_capabilities"]
    assert set(kinds) == {"notifier", "queue"}
    assert kinds["queue"]["crate_version"] == "0.4.0"


def test_two_handlers_of_one_name_are_reported_with_both_places() -> None:
    app = two_kinds()

    @app.method("config/load")
    def again() -> None: ...

    with pytest.raises(ConfigurationError) as error:
        app.check()
    (problem,) = error.value.problems
    assert "'config/load' is registered twice" in problem
    assert problem.count("test_multi.py:") == 2


def test_a_clash_of_names_between_kinds_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    from msgspec.structs import replace

    import animus_routes.roles.notifier as second

    clashing = replace(
        second.ROLE, methods=(*second.ROLE.methods, role("config_source").methods[0])
    )
    monkeypatch.setattr(second, "ROLE", clashing)
    with pytest.raises(
        ConfigurationError, match=r"two of the kinds .* have the method 'config/load'"
    ):
        several("config_source", "notifier").check()


def test_no_two_kinds_of_the_protocol_clash() -> None:
    names = [row.name for kind in KINDS for row in role(kind).methods]
    assert len(names) == len(set(names))


def test_a_kind_that_is_named_twice_is_reported() -> None:
    with pytest.raises(ConfigurationError, match="names a kind twice"):
        several("notifier", "notifier").check()


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("task_backend", r"kind='subject_backend' with subject_kinds=\['task'\]"),
        ("agent_runner", "write kind='provider'"),
        ("chat_provider", "unknown plugin kind 'chat_provider'"),
        ("notifyer", "did you mean 'notifier'"),
    ],
)
def test_kinds_that_are_gone_or_unknown_are_refused_with_advice(kind: Any, advice: str) -> None:
    for app in (
        App(kind=kind, name="n", version="1.0.0", description="x"),
        several("notifier", kind),
    ):
        with pytest.raises(ConfigurationError, match=advice):
            app.check()


def test_a_web_ui_has_the_lifecycle_and_nothing_else() -> None:
    with TestClient(several("web_ui")) as client:
        assert client.initialize_result["capabilities"]["methods"] == ["health/check"]
        assert client.call("health/check")["status"] == "healthy"
        with pytest.raises(RpcError) as error:
            client.call("transport/start", {})
    assert error.value.code == -32601


def test_a_transport_may_be_a_web_ui_too() -> None:
    app = several("transport_backend", "web_ui", capabilities=["$ui/web"])
    app.method("transport/start")(lambda: "127.0.0.1:1")
    manifest = app.manifest()
    assert (manifest["plugin_kind"], manifest["plugin_kinds"]) == ("transport_backend", ["web_ui"])
    assert "$ui/web" in manifest["capabilities"]
