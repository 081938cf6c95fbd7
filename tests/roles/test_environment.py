"""The wire rules of `environment`, in process; a real one is tested in tests/examples."""

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from animus_routes import App, ConfigurationError, Context, RpcError
from animus_routes.structs import environment as wire
from animus_routes.testing import TestClient

HANDLE = {"id": "h1", "workspace_root": "/srv"}
EXEC = {"handle": HANDLE, "command": {"program": "true"}}
REQUIRED = {
    "prepare": ({"spec": {"kind": "local"}}, {"handle": HANDLE}),
    "exec": (EXEC, {"exit_code": 0}),
    "teardown": ({"handle": HANDLE}, {}),
}


def environment_app(*verbs: str) -> App:
    app = App(kind="environment", name="e", version="1.0.0", description="d")
    for verb in verbs:
        serve(app, verb)
    return app


def serve(app: App, verb: str) -> None:
    @app.method(f"environment/{verb}")
    def handler(params: dict[str, Any]) -> Any:
        return REQUIRED[verb][1]


def refusal(client: TestClient, method: str, params: Any = None) -> RpcError:
    with pytest.raises(RpcError) as raised:
        client.call(method, params)
    return raised.value


def outputs(client: TestClient) -> list[tuple[str, str, str]]:
    return [
        (n.params["handle_id"], n.params["stream"], n.params["text"])
        for n in client.notifications
        if n.method == "environment/output"
    ]


@pytest.mark.parametrize("missing", REQUIRED)
def test_each_required_method_is_asked_for(missing: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'environment/{missing}' is required"):
        environment_app(*(verb for verb in REQUIRED if verb != missing)).check()


@pytest.mark.parametrize("verb", REQUIRED)
def test_every_required_method_can_be_called(verb: str) -> None:
    params, result = REQUIRED[verb]
    with TestClient(environment_app(*REQUIRED)) as client:
        assert client.call(f"environment/{verb}", params) == result


@pytest.mark.parametrize("verb", ["exec_stream", "exec_session"])
def test_a_stream_that_is_not_registered_is_not_supported_and_not_advertised(verb: str) -> None:
    with TestClient(environment_app(*REQUIRED)) as client:
        assert refusal(client, f"environment/{verb}", EXEC).code == -32001
        capabilities = client.initialize_result["capabilities"]
        assert f"environment/{verb}" not in capabilities["methods"]
        assert capabilities["streaming"] is False
        assert client.initialize_result["kind_capabilities"] == {
            "environment": {"crate_version": "0.2.0"}
        }
        assert refusal(client, "environment/pause").code == -32601


def test_a_teardown_that_returns_nothing_is_an_empty_object() -> None:
    app = environment_app("prepare", "exec")

    @app.method("environment/teardown")
    def teardown(handle: wire.EnvironmentHandle) -> None:
        assert handle.id == "h1"

    with TestClient(app) as client:
        assert client.call("environment/teardown", {"handle": HANDLE}) == {}


def test_yielded_output_goes_out_and_comes_back_whole_in_the_answer() -> None:
    app = environment_app(*REQUIRED)

    @app.method("environment/exec_stream")
    def stream(request: wire.ExecRequest) -> Generator[Any, None, int]:
        yield "stdout", "a"
        yield wire.ExecOutput(handle_id=request.handle.id, stream="stderr", text="e")
        yield {"stream": "stdout", "text": "b"}
        return 3

    with TestClient(app) as client:
        answer = client.call("environment/exec_stream", EXEC)
        assert answer == {"exit_code": 3, "stdout": "ab", "stderr": "e"}
        assert outputs(client) == [
            ("h1", *t) for t in (("stdout", "a"), ("stderr", "e"), ("stdout", "b"))
        ]
        assert client.notifications[0].params["kind"] == "output"
        assert client.initialize_result["capabilities"]["streaming"] is True


def test_a_plain_function_emits_and_what_it_returns_wins() -> None:
    app = environment_app(*REQUIRED)

    @app.method("environment/exec_stream")
    def stream(request: wire.ExecRequest, ctx: Context) -> wire.ExecResponse:
        ctx.emit(("stdout", "seen"))
        ctx.emit(("stderr", "e"))
        return wire.ExecResponse(stdout="told", timed_out=True)

    with TestClient(app) as client:
        answer = client.call("environment/exec_stream", EXEC)
    assert answer == {"stdout": "told", "stderr": "e", "timed_out": True}


def test_an_async_function_emits_too() -> None:
    app = environment_app(*REQUIRED)

    @app.method("environment/exec_stream")
    async def stream(request: wire.ExecRequest, ctx: Context) -> None:
        ctx.emit(("stdout", request.command.program))

    with TestClient(app) as client:
        assert client.call("environment/exec_stream", EXEC) == {"stdout": "true"}
        assert outputs(client) == [("h1", "stdout", "true")]


def test_of_more_output_than_a_frame_holds_the_answer_has_the_end() -> None:
    app = environment_app(*REQUIRED)
    piece, pieces = "\x1b" * 65_536, 40

    @app.method("environment/exec_stream")
    def stream(request: wire.ExecRequest) -> Iterator[tuple[str, str]]:
        for _ in range(pieces):
            yield "stdout", piece
            yield "stderr", piece
        yield "stdout", "end"

    with TestClient(app) as client:
        answer = client.call("environment/exec_stream", EXEC, timeout_s=30)
        assert len(outputs(client)) == 2 * pieces + 1
    for name in ("stdout", "stderr"):
        lead, kept = answer[name].split("\n")
        assert len(kept) == 524_288
        dropped = pieces * len(piece) + 3 * (name == "stdout") - len(kept)
        assert lead == f"[{dropped} characters before this are left out]"
    assert answer["stdout"].endswith("\x1bend")


def test_a_stream_that_is_cancelled_ends_with_its_finally() -> None:
    app = environment_app(*REQUIRED)
    ended: list[str] = []

    @app.method("environment/exec_stream")
    def stream(request: wire.ExecRequest, ctx: Context) -> Iterator[tuple[str, str]]:
        try:
            yield "stdout", "on"
            ctx.wait(5)
        finally:
            ended.append("finally")

    with TestClient(app) as client:
        request = client.request("environment/exec_stream", EXEC)
        client.next_notification("environment/output")
        client.cancel(request)
        with pytest.raises(RpcError) as raised:
            client.reply(request)
        assert raised.value.code == -32002
    assert ended == ["finally"]


def test_a_session_sends_its_journal_and_its_output() -> None:
    app = environment_app(*REQUIRED)

    @app.method("environment/exec_session")
    def session(params: dict[str, Any]) -> Generator[Any, None, dict[str, Any]]:
        yield wire.ExecJournal(
            handle_id="h1", event_kind="phase_started", ts="2026-01-01T00:00:00Z", payload=None
        )
        yield "stdout", params["workflow_ref"]
        return {"status": "completed"}

    with TestClient(app) as client:
        params = {"handle": HANDLE, "subject_id": "task:1", "workflow_ref": "standard"}
        answer = client.call("environment/exec_session", params)
        journal, output = client.notifications
    assert answer["status"] == "completed"
    assert (journal.method, journal.params["payload"]) == ("environment/journal", None)
    assert journal.params["event_kind"] == "phase_started"
    assert (output.method, output.params["text"]) == ("environment/output", "standard")


def test_two_commands_run_at_once() -> None:
    app = environment_app("prepare", "teardown")

    @app.method("environment/exec")
    def run(request: wire.ExecRequest, ctx: Context) -> wire.ExecResponse:
        if request.command.program == "slow":
            ctx.wait(5)
        return wire.ExecResponse(exit_code=0)

    with TestClient(app) as client:
        slow = client.request("environment/exec", {**EXEC, "command": {"program": "slow"}})
        assert client.call("environment/exec", EXEC) == {"exit_code": 0}
        client.cancel(slow)
        with pytest.raises(RpcError):
            client.reply(slow)
