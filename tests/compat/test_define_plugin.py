from collections.abc import AsyncIterator
from typing import Any

import pytest
from backends import TIME, Echo, Events, Everything, Http, Logs, Notes, Ticks, plugin

from animus_routes import RpcError
from animus_routes.compat import CallContext, DefinitionError, EnvRequirement, Params, PluginKind
from animus_routes.roles import role
from animus_routes.structs.subject import SubjectFilter
from animus_routes.testing import TestClient


def notes() -> TestClient:
    return TestClient(plugin("subject_backend", Notes(), subject_kinds=["note"]).app)


def test_a_subject_backend_is_served_under_both_names_with_its_blanks_filled() -> None:
    with notes() as client:
        page = client.call("note/list", {"filter": {"status": ["ready"]}})
        (note,) = page["subjects"]
        assert (note["kind"], note["status"]) == ("note", "ready")
        assert min(note["created_at"], note["updated_at"], page["fetched_at"]) > "2026"
        assert client.call("subject/list", {"status": ["done"]})["subjects"] == []
        assert client.call("subject/get", {"id": "note:1"})["kind"] == "note"


def test_none_from_get_is_not_found() -> None:
    with notes() as client, pytest.raises(RpcError, match="not found: subject 'note:9'") as error:
        client.call("note/get", {"id": "note:9"})
    assert error.value.data["category"] == "not_found"


def test_an_async_method_and_one_without_hints_serve_as_well() -> None:
    with notes() as client:
        created = client.call("note/create", {"title": "bread"})
        assert created["id"] == "note:2"
        patch = {"id": "note:2", "patch": {"title": "rye"}}
        assert client.call("note/update", patch)["title"] == "rye"


def test_a_verb_that_the_class_lacks_is_not_supported() -> None:
    with notes() as client, pytest.raises(RpcError) as error:
        client.call("note/delete", {"id": "note:1"})
    assert error.value.code == -32001


def test_health_is_the_class_s_own() -> None:
    with notes() as client:
        health = client.call("health/check")
    assert (health["status"], health["last_error"]) == ("degraded", "asked as True")


def test_a_provider_s_stream_becomes_notifications_and_its_result_is_complete() -> None:
    with TestClient(plugin("provider", Echo()).app) as client:
        run = {"prompt": "two words", "cwd": "/", "session_id": "s1"}
        answer = client.call("agent/run", run)
        said = [(n.method, n.params) for n in client.notifications]
    assert [method for method, _ in said] == [
        "agent/thinking",
        "agent/toolCall",
        "agent/toolResult",
        *["agent/output"] * 3,
    ]
    assert {params["session_id"] for _, params in said} == {"s1"}
    assert said[1][1]["arguments"] == {"at": "two words"}
    assert (answer["output"], answer["backend"]) == ("two words", "echo")


def test_a_provider_s_run_sees_its_cancellation() -> None:
    with TestClient(plugin("provider", Echo()).app) as client:
        request = client.request("agent/run", {"prompt": "wait", "cwd": "/", "session_id": "s1"})
        client.next_notification("agent/output")
        assert client.call("agent/cancel", {"session_id": "s1"})["cancelled"] is True
        with pytest.raises(RpcError) as error:
            client.reply(request)
    assert error.value.code == -32002


def test_a_trigger_s_iterable_is_a_stream_and_acks_reach_the_class() -> None:
    ticks = Ticks()
    with TestClient(plugin("trigger_backend", ticks).app) as client:
        stream = client.stream("trigger/watch", {"cursor": "c"})
        assert stream.ack == {"watching": True}
        first, second = next(stream), next(stream)
        client.call("trigger/ack", {"event_id": "1", "status": "queued"})
    assert first["event_id"] == "1"
    assert (second["event_id"], second["payload"]) == ("2", "c")
    assert ticks.acked == [("1", "queued")]


def test_a_log_storage_s_tail_is_a_stream_and_its_schema_agrees_with_the_class() -> None:
    with TestClient(plugin("log_storage_backend", Logs()).app) as client:
        stream = client.stream("log_storage/tail", {"limit": 3})
        assert stream.ack == {"tailing": True}
        assert [next(stream)["entry"]["id"] for _ in range(3)] == ["0", "1", "2"]
        schema = client.call("log_storage/schema")
        assert client.call("log_storage/store", {"entries": []}) == {"stored": 0}
    assert (schema["supports_tail"], schema["supports_query"]) == (True, False)
    assert schema["supports_dedup"] is True


def test_a_transport_starts_and_its_shutdown_may_take_no_arguments() -> None:
    with TestClient(plugin("transport_backend", Http()).app) as client:
        config = {"control_socket_path": "c", "project_root": "p", "bind_addr": "127.0.0.1:7"}
        info = client.call("transport/start", config)
        assert info == {"bound_addr": "127.0.0.1:7", "started_at": TIME}
        assert client.call("transport/shutdown") == {"shutdown": True}


def test_a_notifier_s_unhinted_params_are_the_model() -> None:
    event = {"schema": "s", "id": "1", "timestamp": TIME, "event_type": "a"}
    params = {"event": {**event, "data": {"list": [{"x": 1}]}}}
    with TestClient(plugin("notifier", Events()).app) as client:
        assert client.call("notifier/notify", params)["accepted"] is True
        assert client.call("notifier/flush") == {"lifecycle_events": []}


@pytest.mark.parametrize("kind", ["queue", "workflow_runner", "durable_store", "memory_store"])
def test_every_method_of_the_role_s_table_is_advertised_if_the_class_has_it(kind: str) -> None:
    rows = role(kind).methods
    required = plugin(kind, Everything(row.attribute for row in rows if row.required))
    complete = plugin(kind, Everything(row.attribute for row in rows))
    assert {row.name for row in rows if row.required} <= set(required.manifest().capabilities)
    assert {row.name for row in rows} <= set(complete.manifest().capabilities)
    optional = {row.name for row in rows if not row.required}
    assert optional.isdisjoint(required.manifest().capabilities)


def test_the_manifest_holds_what_was_given() -> None:
    handle = plugin(
        "subject_backend",
        Notes(),
        subject_kinds=["note"],
        projections=["brief"],
        capabilities=["$vendor/a"],
        extra_capabilities=["$vendor/b"],
        env_required=[
            "TOKEN",
            EnvRequirement(name="OTHER"),
            EnvRequirement(name="C", required=False),
        ],
        notification_buffer_size=512,
    )
    manifest = handle.manifest()
    assert (manifest.name, manifest.version) == ("animus-subject_backend-test", "1.2.3")
    assert {"subject_kind:note", "$vendor/b", "note/list"} <= set(manifest.capabilities)
    assert "$vendor/a" not in manifest.capabilities
    assert [(e.name, e.required) for e in manifest.env_required] == [
        ("TOKEN", True),
        ("OTHER", True),
        ("C", False),
    ]
    assert manifest.notification_buffer_size == 512
    greeting = {"protocol_version": "1.9.0", "host_info": {"name": "h", "version": "1"}}
    answer = handle.initialize({**greeting, "capabilities": {}})
    assert answer.result["capabilities"]["projections"] == ["brief"]
    assert answer.result["plugin_info"]["plugin_kind"] == "subject_backend"


def test_an_incompatible_host_gets_an_error_from_initialize() -> None:
    answer = plugin("notifier", Events()).initialize({"protocol_version": "2.0.0"})
    assert answer.error is not None
    assert answer.error.code == -32600
    assert "2.0.0" in answer.error.message


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("task_backend", r"subject_kinds=\['task'\]"),
        ("custom", r"write App\(kind='custom'\)"),
        ("subject_backed", "did you mean 'subject_backend'"),
        ("subject_backend", "'subject/get' is required"),
    ],
)
def test_what_cannot_be_served_is_refused_with_advice(kind: str, reason: str) -> None:
    class OnlyLists:
        def list(self, params: Any, ctx: Any) -> list[Any]:
            return []

    with pytest.raises(DefinitionError, match=reason) as error:
        plugin(kind, OnlyLists(), subject_kinds=["note"])
    assert isinstance(error.value, TypeError)


def test_every_kind_of_the_sdk_s_has_a_name() -> None:
    assert len(PluginKind.ALL) == 12
    assert sum(role(kind).kind == kind for kind in PluginKind.ALL - {"task_backend"}) == 11


def test_params_are_a_dict_whose_keys_are_attributes() -> None:
    params = Params({"id": "x", "patch": {"labels": ["a"]}}, SubjectFilter)
    assert (params.id, params["id"], params.get("no")) == ("x", "x", None)
    assert params.patch.labels == ["a"]
    assert params == {"id": "x", "patch": {"labels": ["a"]}}
    assert (params.status, params.cursor) == ([], None)
    with pytest.raises(
        AttributeError, match="the params have no field 'nope'; they have id, patch"
    ):
        _ = params.nope
    with pytest.raises(KeyError):
        _ = params["status"]


def test_a_provider_s_own_cancel_answers_after_the_run_has_ended() -> None:
    class Polite(Echo):
        async def cancel(self, params: Any, ctx: CallContext) -> dict[str, Any]:
            return {"session_id": params.session_id, "cancelled": True, "reason": "asked"}

    with TestClient(plugin("provider", Polite()).app) as client:
        request = client.request("agent/run", {"prompt": "wait", "cwd": "/", "session_id": "s1"})
        client.next_notification("agent/output")
        assert client.call("agent/cancel", {"session_id": "s1"})["reason"] == "asked"
        with pytest.raises(RpcError) as error:
            client.reply(request)
    assert error.value.code == -32002


def test_async_streams_of_every_sort_are_streams() -> None:
    class Given:
        async def watch(self, params: Any) -> AsyncIterator[dict[str, str]]:
            yield {"event_id": params.get("cursor", "generated")}

    class Returned:
        async def watch(self, params: Any) -> AsyncIterator[dict[str, str]]:
            return Given().watch(params)

    for backend in (Given(), Returned()):
        with TestClient(plugin("trigger_backend", backend).app) as client:
            assert next(client.stream("trigger/watch", {"cursor": "c"}))["event_id"] == "c"


def test_hints_that_cannot_be_resolved_are_as_good_as_none() -> None:
    class Old:
        def notify(self, params: "NoSuchType", ctx: "NorThis") -> "OrThat":  # type: ignore[name-defined]  # noqa: F821
            return {"accepted": params.event.id == "1", "delivered": 0}

    event = {"schema": "s", "id": "1", "timestamp": TIME, "event_type": "a", "data": None}
    with TestClient(plugin("notifier", Old()).app) as client:
        assert client.call("notifier/notify", {"event": event})["accepted"] is True
