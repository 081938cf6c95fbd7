"""The wire rules of `workflow_runner`, in process; a real one is tested in tests/examples."""

from collections.abc import Generator
from typing import Any

import pytest

from animus_routes import App, ConfigurationError, Context, RpcError
from animus_routes.structs import workflow_runner as structs
from animus_routes.testing import TestClient
from animus_routes.types import workflow_runner as types

TS = "2026-01-01T00:00:00Z"
EXECUTED: dict[str, Any] = {
    "workflow_id": "w",
    "workflow_ref": "r",
    "workflow_status": "completed",
    "subject_id": "T1",
    "execution_cwd": "/srv",
    "phases_requested": [],
    "phase_results": [],
    "phases_completed": 0,
    "phases_total": 0,
    "total_duration_secs": 0,
    "post_success": None,
    "success": True,
}
PHASE_RUN: dict[str, Any] = {
    "phase_status": "completed",
    "duration_secs": 0,
    "outcome": None,
    "metadata": None,
}
PHASE: dict[str, Any] = {
    "execution_cwd": "/srv",
    "workflow_id": "w",
    "workflow_ref": "r",
    "subject_id": "T1",
    "subject_title": "t",
    "subject_description": "d",
    "phase_id": "p",
    "phase_attempt": 0,
}


def runner_app(*, execute: bool = True, run_phase: bool = True, **options: Any) -> App:
    app = App(kind="workflow_runner", name="r", version="1.0.0", description="d", **options)
    if execute:

        @app.method("workflow/execute")
        def run(request: structs.WorkflowExecuteRequest) -> structs.WorkflowExecuteResult:
            return structs.WorkflowExecuteResult(**EXECUTED)

    if run_phase:

        @app.method("workflow/run_phase")
        def phase(request: structs.WorkflowPhaseRunRequest) -> structs.WorkflowPhaseRunResult:
            return structs.WorkflowPhaseRunResult(**PHASE_RUN)

    return app


def refusal(client: TestClient, method: str, params: Any = None) -> RpcError:
    with pytest.raises(RpcError) as raised:
        client.call(method, params)
    return raised.value


@pytest.mark.parametrize("missing", ["execute", "run_phase"])
def test_each_method_is_required(missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'workflow/{missing}' is required"):
        runner_app(**{missing: False}).check()


def test_results_keep_their_nulls_and_always_list_events_and_signals() -> None:
    with TestClient(runner_app()) as client:
        executed = client.call("workflow/execute", {"task_id": "T1"})
        assert executed == {**EXECUTED, "phase_events": []}
        assert client.call("workflow/run_phase", PHASE) == {**PHASE_RUN, "signals": []}
        assert refusal(client, "workflow/pause").code == -32601


def test_capabilities_name_the_crates_version_and_every_flag() -> None:
    told = types.WorkflowRunnerCapabilities(crash_recovery=True)
    with TestClient(runner_app(kind_capabilities={"workflow_runner": told})) as client:
        assert client.initialize_result["kind_capabilities"]["workflow_runner"] == {
            "crate_version": "0.4.0",
            "extra": {
                "crash_recovery": True,
                "execution_fence_v1": False,
                "manual_pause_support": False,
                "phase_decision_parsing": False,
                "post_success_actions": False,
                "publication_receipt_v1": False,
                "rework_context_support": False,
            },
        }


@pytest.mark.parametrize("family", [structs, types])
def test_yielded_events_are_progress_at_once_and_stand_in_the_result(family: Any) -> None:
    app = runner_app(execute=False)

    @app.method("workflow/execute")
    def execute(request: structs.WorkflowExecuteRequest) -> Generator[Any, None, dict[str, Any]]:
        yield family.PhaseStarted(phase_id="p", attempt=0, ts=TS)
        yield {"kind": "decision", "phase_id": "p", "verdict": "advance", "ts": TS}
        return dict(EXECUTED)

    started = {"kind": "started", "phase_id": "p", "attempt": 0, "ts": TS}
    with TestClient(app) as client:
        request = client.request("workflow/execute", {"task_id": "T1"})
        result = client.reply(request)
        first, second = client.notifications
    assert (first.method, first.params) == ("$/progress", {"id": request, "value": started})
    assert [started, second.params["value"]] == result["phase_events"]


def test_events_that_the_handler_lists_itself_are_left_alone() -> None:
    app = runner_app(execute=False)
    listed = {"kind": "completed", "phase_id": "q", "status": "completed", "ts": TS}

    @app.method("workflow/execute")
    def execute(request: structs.WorkflowExecuteRequest, ctx: Context) -> dict[str, Any]:
        ctx.emit(structs.PhaseStarted(phase_id="p", attempt=0, ts=TS))
        return {**EXECUTED, "phase_events": [listed]}

    with TestClient(app) as client:
        assert client.call("workflow/execute", {"task_id": "T1"})["phase_events"] == [listed]
        assert len(client.notifications) == 1


def test_a_run_that_is_cancelled_ends_with_its_finally() -> None:
    app = runner_app(execute=False)
    ended: list[str] = []

    @app.method("workflow/execute")
    def execute(
        request: structs.WorkflowExecuteRequest, ctx: Context
    ) -> Generator[Any, None, dict[str, Any]]:
        try:
            yield structs.PhaseStarted(phase_id="p", attempt=0, ts=TS)
            ctx.wait(5)
        finally:
            ended.append("finally")
        return EXECUTED

    with TestClient(app) as client:
        request = client.request("workflow/execute", {"task_id": "T1"})
        client.next_notification("$/progress")
        client.cancel(request)
        with pytest.raises(RpcError) as raised:
            client.reply(request)
        assert raised.value.code == -32002
    assert ended == ["finally"]


def test_a_long_run_does_not_hold_up_a_phase() -> None:
    app = runner_app(execute=False)

    @app.method("workflow/execute")
    def execute(request: structs.WorkflowExecuteRequest, ctx: Context) -> dict[str, Any]:
        ctx.wait(5)
        return EXECUTED

    with TestClient(app) as client:
        request = client.request("workflow/execute", {"task_id": "T1"})
        assert client.call("workflow/run_phase", PHASE)["phase_status"] == "completed"
        client.cancel(request)
        with pytest.raises(RpcError):
            client.reply(request)


@pytest.mark.parametrize("code", [-32101, -32102, -32103, -32104, -32105, -32106])
def test_the_roles_own_codes_go_out_as_they_are_raised(code: int) -> None:
    app = runner_app(run_phase=False)

    @app.method("workflow/run_phase")
    def phase(request: structs.WorkflowPhaseRunRequest) -> structs.WorkflowPhaseRunResult:
        raise RpcError(code, request.phase_id)

    with TestClient(app) as client:
        error = refusal(client, "workflow/run_phase", PHASE)
        assert (error.code, error.message) == (code, "p")


def test_params_that_do_not_decode_are_refused_with_their_field() -> None:
    with TestClient(runner_app()) as client:
        error = refusal(client, "workflow/run_phase", {**PHASE, "phase_attempt": -1})
        assert (error.code, error.data["issues"][0]["path"]) == (-32602, "phase_attempt")


def test_the_answer_of_a_long_run_keeps_its_last_events() -> None:
    app = runner_app(execute=False)

    @app.method("workflow/execute")
    def run(request: structs.WorkflowExecuteRequest) -> Generator[Any, None, dict[str, Any]]:
        for number in range(100):
            yield structs.PhaseStarted(phase_id="x" * 100_000, attempt=number, ts=TS)
        return dict(EXECUTED)

    with TestClient(app) as client:
        events = client.call("workflow/execute", {"task_id": "T1"})["phase_events"]
    assert 1 < len(events) < 100
    assert events[-1]["attempt"] == 99


# Fences and receipts (newer 3.6) ------------------------------------------------------------------

FENCE: dict[str, Any] = {
    "schema": "animus.execution-fence.v1",
    "version": 1,
    "workflow_id": "w",
    "workflow_generation": 1,
    "subject": {"qualified_id": "task:T1", "generation": 2},
    "repository": {
        "repository": "acme/app",
        "base_ref": "refs/heads/main",
        "head_ref": "refs/heads/animus/T1",
    },
}
SHA = "0123456789abcdef0123456789abcdef01234567"
RECEIPT: dict[str, Any] = {
    "schema": "animus.publication-receipt.v1",
    "version": 1,
    "workflow_id": "w",
    "workflow_generation": 1,
    "subject": {"qualified_id": "task:T1", "generation": 2},
    "commit_sha": SHA,
    "tree_sha": SHA,
    "observed_remote_sha": SHA,
    "remote": "https://example.org/acme/app",
    "remote_ref": "refs/heads/animus/T1",
    "recovery_ref": "refs/animus/w",
    "issuer": {"kind": "runner", "component": "r", "version": "1.0.0"},
    "issued_at": TS,
}


def giving(**result: Any) -> App:
    """A runner whose two methods give the same besides what they need."""
    app = runner_app(execute=False, run_phase=False)

    @app.method("workflow/execute")
    def run(params: dict[str, Any]) -> dict[str, Any]:
        return EXECUTED | result

    @app.method("workflow/run_phase")
    def phase(params: dict[str, Any]) -> dict[str, Any]:
        return PHASE_RUN | result

    return app


METHODS = [("workflow/execute", {"workflow_id": "w"}), ("workflow/run_phase", PHASE)]
each_method = pytest.mark.parametrize(("method", "params"), METHODS)


@each_method
def test_a_fence_is_handed_back_and_a_receipt_that_fits_it_goes_out(
    method: str, params: dict[str, Any]
) -> None:
    with TestClient(giving(publication_receipt=RECEIPT)) as client:
        found = client.call(method, params | {"execution_fence": FENCE})
        assert (found["execution_fence"], found["publication_receipt"]) == (FENCE, RECEIPT)
        assert "execution_fence" not in client.call(method, params)


@each_method
@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("execution_fence.version", {"version": 2}),
        ("execution_fence.workflow_generation", {"workflow_generation": 0}),
        ("workflow_id", {"workflow_id": "other"}),
    ],
)
def test_a_fence_that_does_not_hold_is_refused_before_anything_runs(
    method: str, params: dict[str, Any], path: str, change: dict[str, Any]
) -> None:
    with TestClient(giving()) as client:
        refused = refusal(client, method, params | {"execution_fence": FENCE | change})
    assert refused.code == -32602
    assert [issue["path"] for issue in refused.data["issues"]] == [path]


@each_method
@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"execution_fence": FENCE | {"workflow_generation": 2}}, "another `execution_fence`"),
        ({"publication_receipt": RECEIPT | {"workflow_generation": 2}}, "workflow_generation"),
        ({"publication_receipt": RECEIPT | {"remote_ref": "refs/heads/main"}}, "remote_ref"),
        ({"publication_receipt": RECEIPT | {"observed_remote_sha": "f" * 40}}, "observed_remote"),
        ({"publication_receipt": RECEIPT | {"x": 1}}, "x"),
        ({"publication_receipt": {}}, "schema"),
    ],
)
def test_a_result_that_proves_something_else_is_the_authors_mistake(
    method: str, params: dict[str, Any], result: dict[str, Any], said: str
) -> None:
    with TestClient(giving(**result)) as client:
        refused = refusal(client, method, params | {"execution_fence": FENCE})
    assert refused.code == -32603
    assert said in str(refused.__cause__)


def test_the_receipt_of_a_phase_has_to_fit_too() -> None:
    wrong = RECEIPT | {"workflow_id": "other"}
    phase = {
        "phase_id": "p",
        "phase_status": "completed",
        "duration_secs": 0,
        "outcome": None,
        "metadata": None,
        "publication_receipt": wrong,
    }
    with TestClient(giving(phase_results=[phase])) as client:
        refused = refusal(client, "workflow/execute", {"execution_fence": FENCE})
    assert "publication_receipt" in str(refused.__cause__)


@pytest.mark.parametrize("family", [structs, types])
def test_typed_results_are_held_too(family: Any) -> None:
    app = runner_app(run_phase=False)

    def phase(request: Any) -> Any:
        assert request.execution_fence.workflow_id == "w"
        assert request.actor.user_id == "kim"
        receipt = family.PublicationReceipt(**{**typed(family, RECEIPT), "workflow_id": "other"})
        return family.WorkflowPhaseRunResult(**PHASE_RUN, publication_receipt=receipt)

    phase.__annotations__["request"] = family.WorkflowPhaseRunRequest
    app.method("workflow/run_phase")(phase)
    with TestClient(app) as client:
        params = PHASE | {"execution_fence": FENCE, "actor": {"user_id": "kim"}}
        assert "workflow_id" in str(refusal(client, "workflow/run_phase", params).__cause__)


def typed(family: Any, receipt: dict[str, Any]) -> dict[str, Any]:
    issuer = {name: value for name, value in receipt["issuer"].items() if name != "kind"}
    return {
        **{name: value for name, value in receipt.items() if name != "schema"},
        "schema_": receipt["schema"],
        "subject": family.PublicationSubjectGeneration(**receipt["subject"]),
        "issuer": family.RunnerIssuer(**issuer),
    }
