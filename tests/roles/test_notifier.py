from typing import Any

import pytest

from animus_routes import App, InvalidRequest, NotSupported, RpcError, Unavailable
from animus_routes.structs.notifier import DaemonEventRecord, NotifierNotifyResult
from animus_routes.testing import TestClient
from animus_routes.types.notifier import NotifierFlushResult, NotifierLifecycleEvent

EVENT: dict[str, Any] = {
    "schema": "animus.daemon-event.v1",
    "id": "e1",
    "seq": 7,
    "timestamp": "2026-11-21T09:00:00Z",
    "event_type": "workflow_completed",
    "data": None,
}


def notifier(notify: Any, flush: Any = None) -> App:
    app = App(kind="notifier", name="animus-notifier-x", version="1.0.0", description="x")
    app.method("notifier/notify")(notify)
    if flush is not None:
        app.method("notifier/flush")(flush)
    return app


def take(event: DaemonEventRecord) -> NotifierNotifyResult:
    return NotifierNotifyResult(accepted=event.seq == 7 and event.schema_.endswith("v1"))


def test_an_event_arrives_typed_with_null_data() -> None:
    with TestClient(notifier(take)) as client:
        result = client.call("notifier/notify", {"event": EVENT})
    assert result == {"accepted": True, "delivered": 0, "lifecycle_events": []}


@pytest.mark.parametrize(("returned", "accepted"), [(None, True), (True, True), (False, False)])
def test_a_bare_answer_says_whether_the_event_was_taken(returned: Any, accepted: bool) -> None:
    with TestClient(notifier(lambda: returned)) as client:
        assert client.call("notifier/notify", {"event": EVENT})["accepted"] is accepted


def test_an_event_that_is_none_is_refused() -> None:
    with TestClient(notifier(take)) as client, pytest.raises(RpcError) as error:
        client.call("notifier/notify", {"event": {"id": 1}})
    assert error.value.code == -32602
    assert error.value.data["issues"][0]["path"].startswith("event")


def test_flush_is_always_answered_but_advertised_only_if_it_is_there() -> None:
    with TestClient(notifier(take)) as client:
        assert "notifier/flush" not in client.initialize_result["capabilities"]["methods"]
        assert client.call("notifier/flush", {}) == {"lifecycle_events": []}
        assert client.call("notifier/schema")["supports_flush"] is False

    def flush(project_root: str | None) -> NotifierFlushResult:
        event = NotifierLifecycleEvent(event_type="notification-delivery-sent", data=project_root)
        return NotifierFlushResult(lifecycle_events=[event])

    with TestClient(notifier(take, flush)) as client:
        assert "notifier/flush" in client.initialize_result["capabilities"]["methods"]
        (event,) = client.call("notifier/flush", {})["lifecycle_events"]
        assert event == {"event_type": "notification-delivery-sent", "data": None}
        assert client.call("notifier/schema")["supports_flush"] is True


def test_a_flush_may_return_its_events_bare() -> None:
    event = {"event_type": "sent", "data": {}}
    with TestClient(notifier(take, lambda: [event])) as client:
        assert client.call("notifier/flush")["lifecycle_events"] == [event]
    with TestClient(notifier(take, lambda: None)) as client:
        assert client.call("notifier/flush") == {"lifecycle_events": []}


def test_the_schema_an_author_writes_never_contradicts_the_registry() -> None:
    app = notifier(take)

    @app.method("notifier/schema")
    def schema() -> dict[str, Any]:
        return {"connector_kinds": ["webhook"], "supports_flush": True}

    with TestClient(app) as client:
        found = client.call("notifier/schema")
    assert found == {"connector_kinds": ["webhook"], "supports_flush": False}


@pytest.mark.parametrize(
    ("error", "code", "category"),
    [
        (InvalidRequest("x"), -32602, "invalid_request"),
        (NotSupported("x"), -32001, "not_supported"),
        (Unavailable("x"), -32603, "unavailable"),
    ],
)
def test_errors_are_the_notifier_crate_s(error: RpcError, code: int, category: str) -> None:
    def fail() -> None:
        raise error

    with TestClient(notifier(fail)) as client, pytest.raises(RpcError) as raised:
        client.call("notifier/notify", {"event": EVENT})
    assert (raised.value.code, raised.value.data["category"]) == (code, category)


def test_the_kind_s_crate_version_is_told() -> None:
    with TestClient(notifier(take)) as client:
        assert client.initialize_result["kind_capabilities"] == {
            "notifier": {"crate_version": "0.1.0"}
        }
