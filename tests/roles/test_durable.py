"""The wire rules of `durable_store`, in process; a real store is tested in tests/examples."""

from typing import Any

import pytest

from animus_routes import App, ConfigurationError, RpcError
from animus_routes.structs import durable_store as structs
from animus_routes.testing import TestClient
from animus_routes.types import durable_store as types

STEP = {"run_id": "r", "phase_id": "p", "step_name": "s", "idempotency_key": "k"}
RUN = {"run_id": "r", "phase_id": "p"}
RECORD = {
    "step_id": "s1",
    "step_name": "s",
    "idempotency_key": "k",
    "committed_at": "2026-01-01T00:00:00Z",
    "outcome": "success",
}
CALLS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "begin_workflow_run": (RUN, {"epoch": 2**64 - 1}),
    "begin_step": (STEP, {"step_id": "s1", "status": "new"}),
    "commit_step": ({"step_id": "s1", "outcome": "success"}, {"ack": True}),
    "abandon_step": ({"step_id": "s1", "reason": "r"}, {"ack": False}),
    "recover_in_flight": ({"since_epoch": 0}, {"in_flight": [{"run_id": "r", "phase_id": "p"}]}),
    "query_run": (RUN, {**RUN, "status": "success", "steps": [RECORD]}),
}


def durable_app(*verbs: str, **options: Any) -> App:
    app = App(kind="durable_store", name="s", version="1.0.0", description="d", **options)
    for verb in verbs:
        serve(app, verb)
    return app


def serve(app: App, verb: str) -> None:
    @app.method(f"durable/{verb}")
    def handler(params: dict[str, Any]) -> Any:
        return CALLS[verb][1]


def refusal(client: TestClient, method: str, params: Any = None) -> RpcError:
    with pytest.raises(RpcError) as raised:
        client.call(method, params)
    return raised.value


@pytest.mark.parametrize("missing", CALLS)
def test_each_method_is_required(missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'durable/{missing}' is required"):
        durable_app(*(verb for verb in CALLS if verb != missing)).check()


@pytest.mark.parametrize("verb", CALLS)
def test_every_method_of_the_table_can_be_called(verb: str) -> None:
    params, result = CALLS[verb]
    with TestClient(durable_app(*CALLS)) as client:
        assert client.call(f"durable/{verb}", params) == result
        assert f"durable/{verb}" in client.initialize_result["capabilities"]["methods"]


def test_a_method_that_is_not_in_the_table_is_unknown() -> None:
    with TestClient(durable_app(*CALLS)) as client:
        assert refusal(client, "durable/forget").code == -32601


def test_capabilities_name_the_crates_version_and_every_flag() -> None:
    told = structs.DurableStoreCapabilities(supports_recovery=True)
    with TestClient(durable_app(*CALLS, kind_capabilities={"durable_store": told})) as client:
        assert client.initialize_result["kind_capabilities"]["durable_store"] == {
            "crate_version": "0.1.0",
            "extra": {
                "default_reservation_ttl_secs": 0,
                "max_payload_bytes": 0,
                "supports_recovery": True,
            },
        }


@pytest.mark.parametrize("family", [structs, types])
def test_a_begun_step_is_answered_with_status_and_without_unset_fields(family: Any) -> None:
    app = durable_app(*(verb for verb in CALLS if verb != "begin_step"))

    def begin_step(request: Any) -> Any:
        assert request.reservation_ttl_secs is None
        if request.step_name == "failed":
            error = family.StepError(code="E", message="m")
            return family.BeginStepResponse(step_id="1", status="prior_error", prior_error=error)
        return family.BeginStepResponse(step_id="1", status="new")

    begin_step.__annotations__["request"] = family.BeginStepRequest
    app.method("durable/begin_step")(begin_step)
    with TestClient(app) as client:
        new = {"step_id": "1", "status": "new"}
        assert client.call("durable/begin_step", STEP) == new
        failed = client.call("durable/begin_step", {**STEP, "step_name": "failed"})
        assert failed["prior_error"] == {"code": "E", "message": "m"}


@pytest.mark.parametrize("code", [-32301, -32302, -32303, -32304, -32305, -32306, -32307])
def test_the_roles_own_codes_go_out_as_they_are_raised(code: int) -> None:
    app = durable_app(*(verb for verb in CALLS if verb != "query_run"))

    @app.method("durable/query_run")
    def query_run(run_id: str, phase_id: str) -> structs.QueryRunResponse:
        raise RpcError(code, f"{run_id} {phase_id}")

    with TestClient(app) as client:
        error = refusal(client, "durable/query_run", RUN)
        assert (error.code, error.message, error.data) == (code, "r p", None)


def test_an_epoch_that_is_no_64_bit_number_is_refused() -> None:
    app = durable_app(*(verb for verb in CALLS if verb != "recover_in_flight"))

    @app.method("durable/recover_in_flight")
    def recover(request: structs.RecoverInFlightRequest) -> structs.RecoverInFlightResponse:
        return structs.RecoverInFlightResponse(in_flight=[])

    with TestClient(app) as client:
        assert client.call("durable/recover_in_flight", {"since_epoch": 2**64 - 1})
        for epoch in (2**64, -1, "0"):
            error = refusal(client, "durable/recover_in_flight", {"since_epoch": epoch})
            assert error.code == -32602
