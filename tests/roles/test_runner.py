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
