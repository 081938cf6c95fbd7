"""Modules, names and signatures of the class-based SDK, and what they do on their own."""

import importlib
import inspect
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from backends import Notes, Ticks, plugin

from animus_routes import compat
from animus_routes.compat import (
    EnvRequirement,
    HealthReport,
    PluginCapabilities,
    PluginIdentity,
    PluginSpec,
    ProviderRunResult,
    RpcRequest,
    RpcResponse,
    Subject,
    SubjectListParams,
    SubjectListResult,
    TriggerEvent,
    Wire,
    build_manifest,
    define_plugin,
    encode_frame,
    ok_response,
    parse_frame,
    run_lines,
)
from animus_routes.compat.types import generated
from animus_routes.compat.types.generated.subject import Subject as Strict

ROLES: dict[str, str] = {
    "subject": """SubjectBackend SubjectCallContext Subject SubjectCreateRequest SubjectListParams
        SubjectListResult SubjectPatch SubjectStatus SubjectFilter SubjectList SubjectId
        SubjectSchema SubjectAttachment SubjectChangedEvent ChangeKind CustomFieldSpec
        CustomFieldKind StatusDispatchHint DeleteSubjectRequest DeleteSubjectResponse
        ensure_wire_subject""",
    "provider": """Provider ProviderCallContext AgentStream AgentRunRequest AgentRunResponse
        AgentCancelRequest AgentNotification TokenUsage ProviderCapabilities ProviderRunParams
        ProviderRunResult""",
    "trigger": "TriggerBackend TriggerEvent TriggerSchema WireTriggerEvent",
    "log_storage": """LogStorageBackend LogEntry LogLevel LogSource LogQuery LogQueryResult
        LogStorageSchema SupportsFiltering""",
    "transport": "TransportBackend TransportConfig TransportInfo TransportSchema",
    "queue": """Queue SubjectDispatch QueueEntry QueueStats QueueMutationResponse
        QueueReleasePendingParams QueueReleasePendingResponse QueueEnqueueRequest
        QueueEnqueueResponse QueueListRequest QueueListResponse QueueLeaseRequest
        QueueLeaseResponse QueueReorderRequest QueueReorderResponse QueueHoldRequest
        QueueReleaseRequest QueueDropRequest QueueMarkAssignedRequest QueueCompletionRequest""",
    "workflow_runner": """WorkflowRunner WorkflowExecuteRequest WorkflowExecuteResult
        WorkflowPhaseRunRequest WorkflowPhaseRunResult PhaseEvent PhaseResultSnapshot""",
    "durable_store": """DurableStore BeginWorkflowRunRequest BeginWorkflowRunResponse
        BeginStepRequest BeginStepResponse CommitStepRequest CommitStepResponse AbandonStepRequest
        AbandonStepResponse RecoverInFlightRequest RecoverInFlightResponse QueryRunRequest
        QueryRunResponse""",
    "memory_store": """MemoryStore PutMemoryRequest PutMemoryResponse GetMemoryRequest
        GetMemoryResponse QueryMemoryRequest QueryMemoryResponse ListScopesRequest
        ListScopesResponse DeleteScopeRequest DeleteScopeResponse""",
    "notifier": """Notifier DaemonEventRecord NotifierNotifyParams NotifierNotifyResult
        NotifierFlushParams NotifierFlushResult NotifierSchema""",
}
MODULES = {
    "roles": """SubjectBackend TriggerBackend Provider LogStorageBackend TransportBackend Queue
        WorkflowRunner DurableStore MemoryStore Notifier CallContext SubjectCallContext
        ProviderCallContext HealthReport AgentStream AgentRunRequest AgentRunResponse
        ProviderRunParams ProviderRunResult Subject SubjectCreateRequest SubjectListParams
        SubjectListResult SubjectPatch SubjectStatus TriggerEvent TriggerSchema""",
    "roles.context": "CallContext HealthReport",
    "types": "RpcRequest RpcError PluginManifest ErrorCode PluginKind Subject SubjectPatch",
    "types.plugin_protocol": "KindCapability EnvRequirement RpcId HealthStatus PluginKindString",
    "types.subject_protocol": """Subject SubjectCreateRequest SubjectListParams SubjectListResult
        SubjectPatch SubjectStatus WireSubject WireSubjectList""",
    "wire": """Wire create_wire encode_frame parse_frame ok_response error_response FrameHandler
        Logger run_lines""",
    "handshake": """PluginIdentity build_manifest build_initialize_result
        validate_initialize_params""",
    "plugin": "PluginHandle PluginSpec define_plugin ensure_wire_subject",
    "types.generated.provider": "ProviderManifest AgentNotificationVariant0 "
    "AgentNotificationVariant4",
    "types.generated.trigger": "TriggerEvent",
    "types.generated.queue": "QueueCapabilities SubjectRef SubjectId",
    "types.generated.workflow_runner": "PhaseEventVariant0 PhaseEventVariant2 SubjectRef "
    "SubjectDispatch WorkflowRunnerCapabilities WorkflowRunnerManifest",
    "types.generated.notifier": "NotifierLifecycleEvent",
    "types.generated.durable_store": "StepError StepRecord InFlightRun DurableStoreCapabilities",
    "types.generated.memory_store": "MemoryScope MemoryQueryResult MemoryStoreCapabilities",
    "types.generated.plugin": "TriggerEvent TriggerWatchParams TriggerAckParams TriggerAckStatus "
    "TriggerActionHint KindCapability",
}
IDENTITY = PluginIdentity("n", "1.0.0", "d", "custom")


@pytest.mark.parametrize("name", ROLES)
def test_a_role_s_module_has_its_names_and_gen(name: str) -> None:
    module = importlib.import_module(f"animus_routes.compat.{name}")
    assert set(module.__all__) == {*ROLES[name].split(), "HealthReport", "gen"}
    assert module.gen is importlib.import_module(f"animus_routes.compat.types.generated.{name}")
    inner = importlib.import_module(f"animus_routes.compat.roles.{name}")
    assert set(inner.__all__) == set(module.__all__) - {"gen", "ensure_wire_subject"}
    for one in module.__all__:
        assert getattr(module, one) is not None
        assert getattr(compat, one, module) is not None


@pytest.mark.parametrize("name", MODULES)
def test_other_modules_have_theirs(name: str) -> None:
    module = importlib.import_module(f"animus_routes.compat.{name}")
    for one in MODULES[name].split():
        assert getattr(module, one) is not None


def test_the_top_level_has_the_sdk_s_61_names_and_says_so_of_others() -> None:
    assert len(compat.__all__) == 61
    for name in compat.__all__:
        assert getattr(compat, name) is not None
    assert compat.__version__ == "0.2.0"
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = compat.Nothing


def test_types_that_are_not_the_sdk_s_stay_for_one_release() -> None:
    with pytest.warns(DeprecationWarning, match=r"from animus_routes\.types\.workflow_runner"):
        assert isinstance(compat.PhaseStarted, type)


def test_generated_modules_are_the_sdk_s_eleven_each_loaded_when_asked_for() -> None:
    assert len(generated.__all__) == 11
    code = (
        "import sys, animus_routes.compat.subject\n"
        "print(sorted(n for n in sys.modules if 'compat.types.generated.' in n))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).resolve().parents[2],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert done.stdout == "['animus_routes.compat.types.generated.subject']\n"


def test_aliases_are_the_same_class_and_look_alikes_are_not() -> None:
    assert SubjectListParams is compat.SubjectFilter
    assert not issubclass(Subject, Strict)
    wire = Strict(id="a:1", kind="a", title="t", status="ready", created_at="x", updated_at="y")
    with pytest.raises(ValueError, match="Subject"):
        SubjectListResult.model_validate({"subjects": [wire]})
    assert SubjectListResult(subjects=[]).fetched_at is None


def test_signatures_are_the_sdk_s() -> None:
    names = list(inspect.signature(define_plugin).parameters)
    assert names == [
        "kind",
        "impl",
        "name",
        "version",
        "description",
        "subject_kinds",
        "projections",
        "capabilities",
        "env_required",
        "extra_capabilities",
        "notification_buffer_size",
        "input",
        "output",
        "skip_cli_args",
    ]
    assert list(inspect.signature(PluginSpec).parameters) == names
    assert (TriggerEvent("e1").event_id, HealthReport("degraded", "slow").last_error) == (
        "e1",
        "slow",
    )
    assert ProviderRunResult("s", "o", 0, 5).extra == {}
    assert Wire(input=io.StringIO(), output=io.StringIO()).input.read() == ""


def test_models_are_lax_open_and_dump_with_their_nulls() -> None:
    entry = compat.LogEntry(
        id="1", level="info", message="m", source="daemon", target="t", ts="now", fields={"a": 1}
    )
    assert entry.fields_ == {"a": 1}
    assert entry.model_dump()["fields_"] == entry.model_dump(by_alias=True)["fields"]
    assert list(compat.AgentRunRequest.model_fields) == sorted(compat.AgentRunRequest.model_fields)
    run = compat.AgentRunRequest.model_validate(
        {"cwd": "/", "prompt": "p", "timeout_secs": "5", "odd": 1}
    )
    assert (run.timeout_secs, run.model_extra, run.model) == (5, {"odd": 1}, None)


# The wire and the documents ----------------------------------------------------------------------


def test_a_requirement_that_does_not_say_otherwise_is_required() -> None:
    optional = EnvRequirement(name="B", required=False)
    manifest = build_manifest(
        IDENTITY, PluginCapabilities(), env_required=[EnvRequirement(name="A"), optional, "C"]
    )
    assert [(e.name, e.required) for e in manifest.env_required] == [
        ("A", True),
        ("B", False),
        ("C", True),
    ]


def test_frames_are_ascii_and_keep_what_json_rpc_needs() -> None:
    assert encode_frame(ok_response(1, "ö")) == '{"jsonrpc":"2.0","id":1,"result":"\\u00f6"}\n'
    assert json.loads(encode_frame(RpcResponse(id=None))) == {
        "jsonrpc": "2.0",
        "id": None,
        "result": None,
    }
    assert json.loads(encode_frame(RpcRequest.model_validate({"method": "a", "extra": 1}))) == {
        "jsonrpc": "2.0",
        "method": "a",
        "extra": 1,
    }
    for text, found in (("1.0", 1), ("true", 1), ('"x"', "x"), ("null", None)):
        assert parse_frame(f'{{"jsonrpc":"2.0","id":{text},"method":"a"}}').id == found
    for bad in ('{"method":"a"}', '{"jsonrpc":"2.0","method":""}', '{"jsonrpc":"2.0","method":5}'):
        with pytest.raises(ValueError):  # noqa: PT011 - the type is the contract
            parse_frame(bad)


def test_lines_are_answered_in_order() -> None:
    out = io.StringIO()
    lines = [encode_frame(RpcRequest(method=name, id=name)) for name in ("a", "b")]
    run_lines(lines, lambda frame: ok_response(frame.id, frame.method), out)
    assert [json.loads(line)["result"] for line in out.getvalue().splitlines()] == ["a", "b"]


# Serving streams of one's own ---------------------------------------------------------------------

GREETING = {"protocol_version": "1.1.0", "host_info": {"name": "h", "version": "1"}}


def frames(*calls: tuple[str, Any]) -> str:
    requests = [("initialize", {**GREETING, "capabilities": {}}), *calls]
    lines = [
        encode_frame(RpcRequest(method=method, params=params, id=number))
        for number, (method, params) in enumerate(requests)
    ]
    lines.insert(1, '{"jsonrpc":"2.0","method":"initialized"}\n')
    return "".join(lines)


def served(kind: str, impl: object, *calls: tuple[str, Any], **options: Any) -> list[Any]:
    out = io.StringIO()
    handle = plugin(
        kind, impl, input=io.StringIO(frames(*calls)), output=out, skip_cli_args=True, **options
    )
    assert handle.run() is None  # type: ignore[func-returns-value]
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_plugin_runs_on_streams_of_one_s_own_and_returns() -> None:
    _, page, missing = served(
        "subject_backend",
        Notes(),
        ("note/list", {}),
        ("note/get", {"id": "note:9"}),
        subject_kinds=["note"],
    )
    assert page["result"]["subjects"][0]["title"] == "milk"
    assert missing["error"]["code"] == -32602


def test_the_end_of_the_input_waits_for_runs_and_short_streams() -> None:
    class Slow:
        def run(self, params: Any, ctx: Any) -> Any:
            ctx.cancelled.wait(0.3)
            return {"output": "done"}

    assert (
        served("provider", Slow(), ("agent/run", {"cwd": "/", "prompt": "p"}))[1]["result"][
            "output"
        ]
        == "done"
    )
    found = served("trigger_backend", Ticks(), ("trigger/watch", {"cursor": "c"}))
    assert [frame.get("method") for frame in found[2:]] == ["trigger/event"] * 2


def test_a_stream_without_an_end_is_left() -> None:
    class Endless:
        def watch(self, params: Any, ctx: Any) -> Iterator[TriggerEvent]:
            while not ctx.cancelled.wait(0.01):
                yield TriggerEvent("e")

    assert len(served("trigger_backend", Endless(), ("trigger/watch", {}))) > 2


def test_exit_ends_it_and_the_command_line_counts_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = io.StringIO()
    text = frames() + '{"jsonrpc":"2.0","method":"exit"}\n' + frames(("health/check", None))
    plugin("notifier", Notifies(), input=io.StringIO(text), output=out, skip_cli_args=True).run()
    assert len(out.getvalue().splitlines()) == 1
    monkeypatch.setattr(sys, "argv", ["plugin.py", "--manifest", "-x"])
    again = io.StringIO()
    plugin("notifier", Notifies(), input=io.StringIO(text), output=again, skip_cli_args=True).run()
    assert again.getvalue() == out.getvalue()


class Notifies:
    def notify(self, params: Any, ctx: Any) -> dict[str, Any]:
        return {"accepted": True, "delivered": 1}


def test_a_misfit_names_the_class_s_own_method(capfd: pytest.CaptureFixture[str]) -> None:
    class Wrong:
        def notify(self, params: Any, ctx: Any) -> Any:
            return object()

    served(
        "notifier",
        Wrong(),
        (
            "notifier/notify",
            {
                "event": {
                    "id": "1",
                    "event_type": "a",
                    "schema": "s",
                    "timestamp": "t",
                    "data": None,
                }
            },
        ),
    )
    told = capfd.readouterr().err
    assert re.search(r"test_surface\.py:\d+: .*Wrong\.notify", told), told
