import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from animus_routes import App, Context, RpcError
from animus_routes.errors import (
    ModelNotSupported,
    Other,
    RunFailed,
    SessionStartFailed,
    Unavailable,
)
from animus_routes.host import Plugin
from animus_routes.structs import provider as structs
from animus_routes.testing import TestClient
from animus_routes.types import provider as types

ROOT = Path(__file__).resolve().parents[2]
AGENTS = [sys.executable, str(Path(__file__).parent / "plugins" / "agents.py")]
STYLES = ["generator", "function", "async generator", "coroutine"]
REQUEST = {"prompt": "hello", "cwd": "/"}


def provider(handler: Callable[..., Any], **more: Callable[..., Any]) -> App:
    """An app with `agent/run`, and others by their verbs."""
    app = App(kind="provider", name="p", version="1.0.0", description="A provider under test")
    app.method("agent/run")(handler)
    for verb, function in more.items():
        app.method(f"agent/{verb}")(function)
    return app


def run(handler: Callable[..., Any], **params: Any) -> tuple[dict[str, Any], list[Any]]:
    """A run's response, and its notifications as (method, params)."""
    with TestClient(provider(handler)) as client:
        response = client.call("agent/run", {**REQUEST, "session_id": "s", **params})
        return response, [(n.method, n.params) for n in client.notifications]


def holding(ctx: Context) -> Iterator[str]:
    """Says one word and waits for its end."""
    yield "begun"
    ctx.wait(20)


def yields_text() -> Iterator[str]:
    yield "Hel"
    yield "lo"


def yields_dicts() -> Iterator[dict[str, Any]]:
    yield {"kind": "output", "text": "Hel"}
    yield {"kind": "output", "text": "lo", "session_id": "s"}


def yields_structs() -> Iterator[structs.AgentNotification]:
    yield structs.AgentOutput(session_id="s", text="Hel")
    yield structs.AgentOutput(session_id="", text="lo")


def yields_models() -> Iterator[types.AgentNotification]:
    yield types.AgentOutput(session_id="s", text="Hel")
    yield types.AgentOutput(session_id="", text="lo")


def returns_too() -> Generator[str, None, dict[str, Any]]:
    yield "Hel"
    yield "lo"
    return {"exit_code": 0}


def emits(ctx: Context) -> None:
    ctx.emit("Hel")
    ctx.emit(structs.AgentOutput(session_id="s", text="lo"))


async def yields_async() -> AsyncIterator[str]:
    yield "Hel"
    await asyncio.sleep(0)
    yield "lo"


async def emits_async(ctx: Context) -> dict[str, Any]:
    ctx.emit("Hel")
    await asyncio.sleep(0)
    ctx.emit({"kind": "output", "text": "lo"})
    return {}


@pytest.mark.parametrize(
    "handler",
    [
        yields_text,
        yields_dicts,
        yields_structs,
        yields_models,
        returns_too,
        emits,
        yields_async,
        emits_async,
    ],
)
def test_every_way_to_write_a_run_looks_the_same_on_the_wire(handler: Callable[..., Any]) -> None:
    response, notifications = run(handler)
    assert response.pop("duration_ms") >= 0
    assert response == {"session_id": "s", "exit_code": 0, "output": "Hello", "backend": ""}
    assert notifications == [
        ("agent/output", {"session_id": "s", "text": text, "is_final": False, "final": False})
        for text in ("Hel", "lo")
    ]


# The response -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "output"),
    [
        ([], ""),
        (["a", "b"], "ab"),
        (["a", "b", ("ab",)], "ab"),
        (["a", "b", ("",)], "ab"),
        (["a", ("whole",), "c", ("cd",)], "wholecd"),
        (["a", ("",), "b"], "ab"),
    ],
)
def test_a_final_text_stands_for_the_deltas_of_its_turn(items: list[Any], output: str) -> None:
    def handler() -> Iterator[Any]:
        for item in items:
            final = {"kind": "output", "text": item[0], "is_final": True}
            yield item if isinstance(item, str) else final

    response, notifications = run(handler)
    assert response["output"] == output
    flags = [(params["is_final"], params["final"]) for _, params in notifications]
    assert flags == [(isinstance(item, tuple),) * 2 for item in items]


def test_what_happened_is_kept_for_the_response() -> None:
    def handler() -> Iterator[dict[str, Any]]:
        yield {"kind": "thinking", "text": "hm"}
        yield {"kind": "toolCall", "name": "grep", "arguments": {"q": 1}, "server": "files"}
        yield {"kind": "toolResult", "name": "grep", "output": ["x"]}
        yield {"kind": "error", "message": "a hiccup", "recoverable": True}

    response, notifications = run(handler)
    assert response["thinking"] == ["hm"]
    assert response["tool_calls"] == [{"name": "grep", "arguments": {"q": 1}, "server": "files"}]
    assert response["tool_results"] == [{"name": "grep", "output": ["x"], "success": True}]
    assert response["errors"] == ["a hiccup"]
    assert [method for method, _ in notifications] == [
        "agent/thinking",
        "agent/toolCall",
        "agent/toolResult",
        "agent/error",
    ]
    assert not any("kind" in params for _, params in notifications)


@pytest.mark.parametrize(
    "returned",
    [
        "said",
        {"output": "said"},
        structs.AgentRunResponse(
            session_id="s", exit_code=0, output="said", duration_ms=1, backend="b"
        ),
        types.AgentRunResponse(
            session_id="s", exit_code=0, output="said", duration_ms=1, backend="b"
        ),
    ],
)
def test_what_the_handler_returns_is_over_what_it_yielded(returned: Any) -> None:
    def handler(ctx: Context) -> Any:
        ctx.emit("streamed")
        return returned

    response, _ = run(handler)
    assert (response["output"], response["session_id"]) == ("said", "s")


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"kind": "error", "message": "m"}, {"message": "m", "recoverable": False}),
        (
            {"kind": "error", "message": "m", "recoverable": True},
            {"message": "m", "recoverable": True},
        ),
        ({"kind": "toolCall", "name": "n"}, {"name": "n", "arguments": None, "server": None}),
        (
            {"kind": "toolResult", "name": "n", "output": 1},
            {"name": "n", "output": 1, "success": True},
        ),
        (
            structs.AgentToolResult(session_id="s", name="n", output=1, success=False),
            {"name": "n", "output": 1, "success": False},
        ),
        (types.AgentThinking(session_id="s", text="t"), {"text": "t"}),
    ],
)
def test_a_notification_always_says_what_hosts_would_guess(
    item: Any, expected: dict[str, Any]
) -> None:
    def handler() -> Iterator[Any]:
        yield item

    _, ((_, params),) = run(handler)
    assert params == {"session_id": "s", **expected}


@pytest.mark.parametrize("typed", [structs.InteractionRequestedParams, None])
def test_a_request_for_interaction_keeps_its_own_kind(typed: Any) -> None:
    asked: dict[str, Any] = {
        "interaction_id": "i",
        "session_id": "s",
        "kind": "approval",
        "payload": {"tool_name": "rm"},
    }

    def handler() -> Iterator[Any]:
        if typed is None:
            yield {name: value for name, value in asked.items() if name != "session_id"}
        else:
            payload = structs.InteractionRequestPayload(tool_name="rm")
            yield typed(**{**asked, "payload": payload})

    _, notifications = run(handler)
    assert notifications == [("agent/interactionRequested", asked)]


@pytest.mark.parametrize("item", [{"kind": "song"}, {"text": "no kind"}])
def test_an_item_of_no_known_kind_is_a_bug_of_the_handler(item: dict[str, Any]) -> None:
    def handler() -> Iterator[Any]:
        yield item

    with pytest.raises(RpcError) as refusal:
        run(handler)
    assert refusal.value.code == -32603
    assert "kind" in str(refusal.value.__cause__)
    assert "an item of a run has to be text or have a kind: output, " in refusal.value.message


# Names and cancel ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "session"),
    [
        ({"session_id": "s"}, "s"),
        ({"control_session_id": "c"}, "c"),
        ({"session_id": "s", "control_session_id": "c"}, "s"),
    ],
)
def test_a_run_is_named_as_the_host_asked(params: dict[str, Any], session: str) -> None:
    response, notifications = run(yields_text, **{"session_id": None, **params})
    assert response["session_id"] == session
    assert {params["session_id"] for _, params in notifications} == {session}


def test_a_run_that_nobody_named_gets_a_name_it_can_be_cancelled_by() -> None:
    with TestClient(provider(holding)) as client:
        request = client.request("agent/run", REQUEST)
        session = client.next_notification("agent/output").params["session_id"]
        assert session
        assert client.call("agent/cancel", {"session_id": session})["cancelled"] is True
        assert code_of(client, request) == -32002


def code_of(client: TestClient, request: int) -> int:
    with pytest.raises(RpcError) as refusal:
        client.reply(request)
    return refusal.value.code


@pytest.mark.parametrize("name", ["control", "requested", "learned"])
def test_every_name_of_a_run_finds_it(name: str) -> None:
    def handler(ctx: Context) -> Iterator[Any]:
        yield {"kind": "output", "text": "x", "session_id": "learned"}
        ctx.wait(20)

    with TestClient(provider(handler)) as client:
        params = {**REQUEST, "control_session_id": "control", "session_id": "requested"}
        request = client.request("agent/run", params)
        client.next_notification("agent/output")
        answer = client.call("agent/cancel", {"session_id": name})
        assert answer == {"session_id": name, "cancelled": True}
        assert code_of(client, request) == -32002
        told = client.notifications[-1]
        assert told.method == "agent/error"
        assert told.params["recoverable"] is False
        assert told.params["session_id"] == "learned"


def test_a_second_cancel_finds_nothing_more_to_say() -> None:
    with TestClient(provider(holding)) as client:
        request = client.request("agent/run", {**REQUEST, "session_id": "s"})
        client.next_notification("agent/output")
        for _ in range(2):
            assert client.call("agent/cancel", {"session_id": "s"})["session_id"] == "s"
        assert code_of(client, request) == -32002
        assert [n.method for n in client.notifications] == ["agent/output", "agent/error"]


def test_a_cancel_of_an_unknown_or_finished_run_says_so() -> None:
    with TestClient(provider(yields_text)) as client:
        unknown = {"session_id": "s", "cancelled": False}
        assert client.call("agent/cancel", {"session_id": "s"}) == unknown
        client.call("agent/run", {**REQUEST, "session_id": "s"})
        assert client.call("agent/cancel", {"session_id": "s"}) == unknown


def test_a_cancel_ends_its_own_run_only() -> None:
    with TestClient(provider(holding)) as client:
        requests = [client.request("agent/run", {**REQUEST, "session_id": s}) for s in "abc"]
        client.call("agent/cancel", {"session_id": "b"})
        assert code_of(client, requests[1]) == -32002
        errors = [n.params["session_id"] for n in client.notifications if n.method == "agent/error"]
        assert errors == ["b"]
        for session, request in (("a", requests[0]), ("c", requests[2])):
            client.call("agent/cancel", {"session_id": session})
            assert code_of(client, request) == -32002


@pytest.mark.parametrize("is_handled", [False, True])
def test_a_cancel_by_a_malformed_actor_ends_nothing(is_handled: bool) -> None:
    told: list[str] = []

    def cancelling(session_id: str) -> None:
        told.append(session_id)

    cancel: dict[str, Any] = {"cancel": cancelling} if is_handled else {}
    with TestClient(provider(holding, **cancel)) as client:
        request = client.request("agent/run", {**REQUEST, "session_id": "s"})
        client.next_notification("agent/output")
        with pytest.raises(RpcError, match="actor") as caught:
            client.call("agent/cancel", {"session_id": "s", "actor": {"user_id": 7}})
        assert (caught.value.code, told) == (-32602, [])
        for actor in (None, {"user_id": "kim"}):
            client.call("agent/cancel", {"session_id": "s", "actor": actor})
        assert code_of(client, request) == -32002
        assert told == ["s", "s"] * is_handled


def test_a_cancel_handler_of_the_authors_is_called_too() -> None:
    told: list[str] = []

    def cancel(session_id: str) -> dict[str, Any]:
        told.append(session_id)
        return {"session_id": session_id, "cancelled": True}

    with TestClient(provider(holding, cancel=cancel)) as client:
        request = client.request("agent/run", {**REQUEST, "session_id": "s"})
        client.next_notification("agent/output")
        assert client.call("agent/cancel", {"session_id": "s"})["cancelled"] is True
        assert code_of(client, request) == -32002
    assert told == ["s"]


# Registered and advertised ------------------------------------------------------------------------


def responding(result: Any) -> Callable[..., Any]:
    def respond(interaction_id: str, response: structs.InteractionResponse) -> Any:
        return result if (interaction_id, response.decision) == ("i", "allow") else "wrong params"

    return respond


@pytest.mark.parametrize(
    ("result", "accepted"),
    [(None, True), (True, True), (False, False), ({"accepted": False}, False)],
)
def test_a_response_to_an_interaction_is_answered(result: Any, *, accepted: bool) -> None:
    with TestClient(provider(yields_text, respond=responding(result))) as client:
        params = {"interaction_id": "i", "session_id": "s", "response": {"decision": "allow"}}
        assert client.call("agent/respond", params) == {"accepted": accepted}


@pytest.mark.parametrize("method", ["agent/respond", "agent/resume"])
def test_an_optional_method_that_is_not_registered_is_not_supported(method: str) -> None:
    with TestClient(provider(yields_text)) as client, pytest.raises(RpcError) as refusal:
        client.call(method, {"session_id": "s", **REQUEST})
    assert refusal.value.code == -32001
    assert refusal.value.data == {"category": "not_supported"}


@pytest.mark.parametrize("verbs", [(), ("resume",), ("respond",), ("cancel",)])
def test_methods_are_advertised_exactly_when_they_are_served(verbs: tuple[str, ...]) -> None:
    def handler(params: dict[str, Any]) -> None:
        """Anything."""

    app = provider(yields_text, **dict.fromkeys(verbs, handler))
    methods = {"agent/run", "agent/cancel", "health/check", *(f"agent/{verb}" for verb in verbs)}
    with TestClient(app) as client:
        capabilities = client.initialize_result["capabilities"]
    assert set(capabilities["methods"]) == set(app.manifest()["capabilities"]) == methods
    assert capabilities["cancellation"] is True
    assert capabilities["streaming"] is True
    assert "kind_capabilities" not in client.initialize_result


# Params and errors --------------------------------------------------------------------------------


def takes_struct(request: structs.AgentRunRequest) -> dict[str, Any]:
    return {"metadata": [request.extra]}


def takes_model(request: types.AgentRunRequest) -> dict[str, Any]:
    return {"metadata": [request.model_extra]}


def takes_dict(params: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": [{key: params[key] for key in params if key not in REQUEST}]}


@pytest.mark.parametrize("handler", [takes_struct, takes_model, takes_dict])
def test_keys_beyond_the_protocol_reach_the_author(handler: Callable[..., Any]) -> None:
    extra = {"approvals": True, "reasoning_effort": "high", "nested": {"a": [1]}}
    with TestClient(provider(handler)) as client:
        assert client.call("agent/run", {**REQUEST, **extra})["metadata"] == [extra]


@pytest.mark.parametrize("params", [[1], "prompt", {"prompt": 1}, {}])
def test_params_that_are_no_request_are_refused(params: Any) -> None:
    with TestClient(provider(takes_struct)) as client:
        with pytest.raises(RpcError) as caught:
            client.call("agent/run", params)
        assert caught.value.code == -32602
        assert client.notifications == []


def test_a_handler_may_take_single_fields() -> None:
    def handler(prompt: str, model: str | None, *, approvals: bool = False) -> str:
        return f"{prompt} {model} {approvals}"

    assert run(handler, approvals=True)[0]["output"] == "hello None True"


@pytest.mark.parametrize(
    ("error", "code", "message", "category"),
    [
        (ModelNotSupported("x"), -32602, "model not supported: x", "model_not_supported"),
        (SessionStartFailed("x"), -32603, "session start failed: x", "session_start_failed"),
        (RunFailed("x"), -32603, "agent run failed: x", "run_failed"),
        (Unavailable("x"), -32603, "provider unavailable: x", "unavailable"),
        (Other("x"), -32603, "x", "other"),
    ],
)
def test_an_error_has_the_roles_code_prefix_and_category(
    error: RpcError, code: int, message: str, category: str
) -> None:
    def handler() -> Iterator[str]:
        yield "so far"
        raise error

    with pytest.raises(RpcError) as refusal:
        run(handler)
    assert (refusal.value.code, refusal.value.message) == (code, message)
    assert refusal.value.data == {"category": category}


# Over a process -----------------------------------------------------------------------------------


@contextmanager
def agents(style: str, frames: list[dict[str, Any]]) -> Iterator[Plugin]:
    env = {"PYTHONPATH": str(ROOT), "STYLE": style}
    with Plugin.start(
        AGENTS, env=env, on_frame=lambda line: frames.append(json.loads(line))
    ) as plugin:
        plugin.initialize()
        yield plugin


def start(plugin: Plugin, count: int, session: str, **extra: Any) -> int:
    params = {"prompt": str(count), "cwd": "/", "control_session_id": session, **extra}
    return plugin.request("agent/run", params)


@pytest.mark.parametrize("style", STYLES)
def test_a_cancelled_run_says_a_fatal_error_first_and_is_answered_once(style: str) -> None:
    frames: list[dict[str, Any]] = []
    with agents(style, frames) as plugin:
        request = start(plugin, 1, "c", hold=True)
        assert plugin.next_notification("agent/output").params["text"] == "0 "
        assert plugin.call("agent/cancel", {"session_id": "c"})["cancelled"] is True
        with pytest.raises(RpcError) as refusal:
            plugin.reply(request)
        assert refusal.value.code == -32002
        assert plugin.call("$/ping") == {}
    about = [
        f for f in frames if f.get("id") == request or f.get("method", "").startswith("agent/")
    ]
    assert [f.get("method", "answer") for f in about] == ["agent/output", "agent/error", "answer"]
    assert about[1]["params"]["recoverable"] is False
    assert "closed c" in plugin.stderr_text()


def test_a_cancel_that_names_nothing_is_refused() -> None:
    with agents(STYLES[0], []) as plugin:
        for params, code in (({}, "missing"), (None, "missing"), ({"session_id": []}, "type")):
            with pytest.raises(RpcError) as refusal:
                plugin.call("agent/cancel", params)
            assert refusal.value.code == -32602
            assert [issue["path"] for issue in refusal.value.data["issues"]] == ["session_id"]
            assert refusal.value.data["issues"][0]["code"] == code


@pytest.mark.parametrize("style", STYLES)
def test_many_runs_with_cancels_at_random_are_each_answered_once(style: str) -> None:
    chance = random.Random(7)
    frames: list[dict[str, Any]] = []
    with agents(style, frames) as plugin:
        requests = {n: start(plugin, n, f"c{n}", hold=n % 2 == 0) for n in range(100)}
        for n in chance.sample(range(100), 100):
            plugin.request("agent/cancel", {"session_id": f"c{n}"})
        assert plugin.call("$/ping", timeout_s=5) == {}
        for n, request in requests.items():
            try:
                output = plugin.reply(request)["output"]
            except RpcError as error:
                output = error.code
            whole = "".join(f"{k} " for k in range(n))
            assert output == -32002 or (n % 2, output) == (1, whole)
    answers = Counter(frame["id"] for frame in frames if "id" in frame)
    assert {answers[request] for request in requests.values()} == {1}


@pytest.mark.parametrize("style", STYLES)
def test_every_item_comes_before_the_answer_and_none_is_lost(style: str) -> None:
    frames: list[dict[str, Any]] = []
    with agents(style, frames) as plugin:
        response = plugin.reply(start(plugin, 5000, "c"))
    texts = [frame["params"]["text"] for frame in frames if frame.get("method") == "agent/output"]
    assert texts == [f"{n} " for n in range(5000)]
    assert response["output"] == "".join(texts)
    order = [frame.get("method") or frame["id"] for frame in frames]
    assert order.index(2) > len(order) - 3  # only the answer to shutdown comes after it


@pytest.mark.parametrize("style", STYLES)
def test_shutdown_ends_a_run_within_its_bound(style: str) -> None:
    frames: list[dict[str, Any]] = []
    with agents(style, frames) as plugin:
        request = start(plugin, 1, "c", hold=True)
        plugin.next_notification("agent/output")
        assert plugin.shutdown() == 0
        with pytest.raises(RpcError) as refusal:
            plugin.reply(request)
        assert refusal.value.code == -32002
    assert "closed c" in plugin.stderr_text()


# Long runs --------------------------------------------------------------------------------------------


def test_the_answer_of_a_long_run_keeps_the_end_of_what_was_said() -> None:
    word = "\u00e9" * 99_999 + "x"

    def says_much() -> Iterator[Any]:
        for _ in range(60):
            yield word
            yield {"kind": "thinking", "text": word}
            yield {"kind": "toolCall", "tool_name": "t", "arguments": {"text": word}}
        yield "the end"

    response, notifications = run(says_much)
    assert len(notifications) == 181
    assert response["output"].startswith("[")
    assert response["output"].endswith("xthe end")
    assert 1 < len(response["thinking"]) < 60
    assert response["thinking"][-1] == word
    assert 1 < len(response["tool_calls"]) < 60
    assert 4_000_000 < len(json.dumps(response, ensure_ascii=False).encode()) < 8 * 1024 * 1024


def test_a_long_text_that_fits_beside_the_rest_is_whole() -> None:
    def says_much() -> Iterator[Any]:
        yield "x" * 3_000_000
        yield {"kind": "thinking", "text": "y" * 3_000_000}

    response, _ = run(says_much)
    assert len(response["output"]) == 3_000_000
    assert len(response["thinking"][0]) == 3_000_000


def test_a_returned_output_that_is_too_long_is_cut_too() -> None:
    response, _ = run(lambda: "x" * 9_000_000 + "the end")
    assert response["output"].endswith("xthe end")
