"""The wire rules of `queue`, in process; what a real queue does is told in tests/examples."""

from typing import Any

import pytest
from msgspec import Struct

from animus_routes import App, ConfigurationError, NotFound, RpcError
from animus_routes.structs import queue as structs
from animus_routes.testing import TestClient
from animus_routes.types import queue as types

REQUIRED = [
    *("enqueue", "list", "lease", "stats", "hold"),
    *("release", "drop", "mark_assigned", "completion", "reorder"),
]
OPTIONAL = ["release_pending", "next_deadline"]
STATS = {"total": 0, "pending": 0, "assigned": 0, "held": 0}
RESULTS: dict[str, Any] = {
    "enqueue": {"enqueued": True, "entry_id": "e1", "subject_id": "T1"},
    "list": {"entries": [], "total": 0, "stats": STATS},
    "lease": {"leased": []},
    "stats": STATS,
    "reorder": {"reordered_count": 0},
    "release_pending": {"entry_id": "e1", "status": "pending"},
    "next_deadline": {"next_run_at": "2026-01-01T00:00:00Z"},
}
DISPATCH = {
    "subject": {"kind": "linear.issue", "id": "L1"},
    "workflow_ref": "standard",
    "trigger_source": "ready-queue",
    "requested_at": "2026-01-01T00:00:00Z",
}
PARAMS: dict[str, Any] = {
    "enqueue": {"subject_dispatch": DISPATCH},
    "lease": {"max": 1},
    "completion": {"entry_id": "e1", "status": "completed"},
    "reorder": {"entry_ids": []},
    "release_pending": {"entry_id": "e1", "reason": "r"},
}


def result_of(verb: str) -> Any:
    return RESULTS.get(verb, {"changed": True, "not_found": False})


def queue_app(*verbs: str, **options: Any) -> App:
    app = App(kind="queue", name="q", version="1.0.0", description="d", **options)
    for verb in verbs:
        serve(app, verb)
    return app


def serve(app: App, verb: str) -> None:
    @app.method(f"queue/{verb}")
    def handler(params: dict[str, Any]) -> Any:
        return result_of(verb)


def refusal(client: TestClient, method: str, params: Any = None) -> RpcError:
    with pytest.raises(RpcError) as raised:
        client.call(method, params)
    return raised.value


@pytest.mark.parametrize("missing", REQUIRED)
def test_each_required_method_is_asked_for(missing: str) -> None:
    app = queue_app(*(verb for verb in REQUIRED if verb != missing))
    with pytest.raises(ConfigurationError) as raised:
        app.check()
    (problem,) = raised.value.problems
    assert f"'queue/{missing}' is required for kind 'queue'" in problem


@pytest.mark.parametrize("verb", [*REQUIRED, *OPTIONAL])
def test_every_method_of_the_table_can_be_called(verb: str) -> None:
    with TestClient(queue_app(*REQUIRED, *OPTIONAL)) as client:
        params = PARAMS.get(verb, {"entry_id": "e1"})
        assert client.call(f"queue/{verb}", params) == result_of(verb)


@pytest.mark.parametrize("verb", OPTIONAL)
def test_an_optional_method_is_advertised_exactly_when_it_is_registered(verb: str) -> None:
    for app, there in ((queue_app(*REQUIRED), False), (queue_app(*REQUIRED, verb), True)):
        with TestClient(app) as client:
            methods = client.initialize_result["capabilities"]["methods"]
            assert (f"queue/{verb}" in methods) is there
            assert (f"queue/{verb}" in app.manifest()["capabilities"]) is there
            if not there:
                error = refusal(client, f"queue/{verb}", PARAMS.get(verb))
                assert (error.code, error.data["category"]) == (-32001, "not_supported")


def test_a_method_that_is_not_in_the_table_is_unknown() -> None:
    with TestClient(queue_app(*REQUIRED)) as client:
        assert refusal(client, "queue/peek").code == -32601
        assert refusal(client, "queue/v2/lease").code == -32001


@pytest.mark.parametrize("params", [None, {}])
def test_methods_without_params_take_what_every_host_sends(params: Any) -> None:
    with TestClient(queue_app(*REQUIRED, *OPTIONAL)) as client:
        assert client.call("queue/stats", params) == STATS


def test_capabilities_name_the_crates_version_and_every_flag() -> None:
    with TestClient(queue_app(*REQUIRED)) as client:
        assert client.initialize_result["kind_capabilities"] == {
            "queue": {
                "crate_version": "0.3.2",
                "extra": {
                    "generation_fenced_leases_v1": False,
                    "max_lease_batch": 0,
                    "priority_weighted": False,
                },
            }
        }
        capabilities = client.initialize_result["capabilities"]
        assert capabilities["streaming"] is False


@pytest.mark.parametrize("family", [structs, types])
def test_what_the_author_says_of_the_queue_reaches_the_host(family: Any) -> None:
    told = family.QueueCapabilities(max_lease_batch=5, priority_weighted=True)
    with TestClient(queue_app(*REQUIRED, kind_capabilities={"queue": told})) as client:
        extra = client.initialize_result["kind_capabilities"]["queue"]["extra"]
    assert extra == {
        "generation_fenced_leases_v1": False,
        "max_lease_batch": 5,
        "priority_weighted": True,
    }


@pytest.mark.parametrize("family", [structs, types])
def test_params_and_results_are_typed_in_both_families(family: Any) -> None:
    app = queue_app(*(verb for verb in REQUIRED if verb != "enqueue"))

    def enqueue(request: Any) -> Any:
        subject = request.subject_dispatch.subject
        assert type(request) is family.QueueEnqueueRequest
        return family.QueueEnqueueResponse(enqueued=True, entry_id="e1", subject_id=subject.id)

    enqueue.__annotations__["request"] = family.QueueEnqueueRequest
    app.method("queue/enqueue")(enqueue)
    with TestClient(app) as client:
        for subject in ({"kind": "animus.task", "id": "T1"}, {"Task": {"id": "T1"}}):
            params = {"subject_dispatch": {**DISPATCH, "subject": subject}}
            assert client.call("queue/enqueue", params) == result_of("enqueue")


def test_a_dispatch_that_does_not_decode_names_the_field() -> None:
    app = queue_app(*(verb for verb in REQUIRED if verb != "enqueue"))

    @app.method("queue/enqueue")
    def enqueue(request: structs.QueueEnqueueRequest) -> structs.QueueEnqueueResponse:
        raise NotImplementedError

    with TestClient(app) as client:
        error = refusal(client, "queue/enqueue", {"subject_dispatch": {**DISPATCH, "subject": {}}})
        assert (error.code, error.data["category"]) == (-32602, "invalid_request")
        assert error.data["issues"][0]["path"].startswith("subject_dispatch")


@pytest.mark.parametrize("code", [-32201, -32202, -32203, -32204, -32205, -32206, -32207, -32208])
def test_the_roles_own_codes_go_out_as_they_are_raised(code: int) -> None:
    app = queue_app(*(verb for verb in REQUIRED if verb != "hold"))

    @app.method("queue/hold")
    def hold(entry_id: str) -> structs.QueueMutationResponse:
        raise RpcError(code, "no", {"status": entry_id})

    with TestClient(app) as client:
        error = refusal(client, "queue/hold", {"entry_id": "assigned"})
        assert (error.code, error.message, error.data) == (code, "no", {"status": "assigned"})


def test_a_named_error_keeps_its_general_code() -> None:
    app = queue_app(*(verb for verb in REQUIRED if verb != "hold"))

    @app.method("queue/hold")
    def hold(entry_id: str) -> structs.QueueMutationResponse:
        raise NotFound(entry_id)

    with TestClient(app) as client:
        error = refusal(client, "queue/hold", {"entry_id": "e1"})
        assert (error.code, error.data) == (-32602, {"category": "not_found"})


class Peek(Struct, forbid_unknown_fields=True):
    """Params of a method that the table does not have: the author's own type."""

    max: int
    generation: int


def test_methods_beyond_the_table_are_registered_with_a_word() -> None:
    app = queue_app(*REQUIRED, kind_capabilities={"queue": {"peeks": True}})

    @app.method("queue/peek", extra=True)
    def lease(request: Peek) -> dict[str, Any]:
        return {"leased": [], "generation": request.generation}

    with TestClient(app) as client:
        assert client.call("queue/peek", {"max": 1, "generation": 7}) == {
            "leased": [],
            "generation": 7,
        }
        assert refusal(client, "queue/peek", {"max": 1, "generation": 7, "x": 1}).code == -32602
        assert "queue/peek" in client.initialize_result["capabilities"]["methods"]
        extra = client.initialize_result["kind_capabilities"]["queue"]["extra"]
    assert extra["peeks"] is True
    assert "queue/peek" in app.manifest()["capabilities"]


def test_without_the_word_a_name_beyond_the_table_is_a_slip() -> None:
    app = queue_app(*REQUIRED)

    @app.method("queue/leese")
    def lease(request: Peek) -> dict[str, Any]:
        return {}

    with pytest.raises(ConfigurationError, match="did you mean 'queue/lease'"):
        app.check()
