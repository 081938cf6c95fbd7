import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from chat_endpoint import Endpoint, Exchange, chat_endpoint
from example_host import EXAMPLES, INSTALLED, run, served

from animus_routes import RpcError
from animus_routes.host import Plugin, PluginTimeoutError

OPENAI = [sys.executable, str(EXAMPLES / "provider_openai.py")]
RUNS = 100


@pytest.fixture(scope="module")
def listening() -> Iterator[Endpoint]:
    with chat_endpoint() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def environment(listening: Endpoint) -> dict[str, str]:
    return {
        "OPENAI_BASE_URL": listening.base,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_MODEL": "fallback-model",
    }


@pytest.fixture(scope="module")
def process(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> Iterator[Plugin]:
    with served(OPENAI, tmp_path_factory.mktemp("cwd"), env=environment) as plugin:
        yield plugin


@pytest.fixture
def endpoint(listening: Endpoint) -> Iterator[Endpoint]:
    yield listening
    listening.respond = None


@pytest.fixture
def plugin(process: Plugin) -> Plugin:
    """One process for the tests that leave it as it was; what the last one did not read is gone."""
    process.call("$/ping")
    with suppress(PluginTimeoutError):
        while True:
            process.next_notification(timeout_s=0)
    process.notifications.clear()
    return process


def start(plugin: Plugin, tmp_path: Path, method: str = "agent/run", **params: Any) -> int:
    """What the host sends, over it what the test says."""
    sent = {
        "prompt": "hello",
        "cwd": str(tmp_path),
        "project_root": str(tmp_path),
        "env": {},
        "control_session_id": "control-1",
    }
    return plugin.request(method, {**sent, **params})


def text(plugin: Plugin, method: str = "agent/output") -> str:
    found: str = plugin.next_notification(method, 10).params["text"]
    return found


def failure(plugin: Plugin, request: int) -> RpcError:
    with pytest.raises(RpcError) as refusal:
        plugin.reply(request)
    return refusal.value


def test_each_delta_arrives_before_the_next_one_is_sent(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path
) -> None:
    request = start(plugin, tmp_path, model="gpt-x", system_prompt="Be brief.")
    exchange = endpoint.next()
    for part in ("Hel", "lo", ", world"):
        exchange.say(part)
        assert text(plugin) == part
    exchange.end(
        usage={
            "prompt_tokens": 7,
            "completion_tokens": 3,
            "prompt_tokens_details": {"cached_tokens": 2},
        }
    )
    response = plugin.reply(request)
    assert response.pop("duration_ms") >= 0
    assert response == {
        "session_id": "control-1",
        "exit_code": 0,
        "output": "Hello, world",
        "backend": "openai:gpt-x",
        "tokens_used": {"input": 7, "output": 3, "cached": 2},
        "metadata": [{"finish_reason": "stop", "unused_keys": []}],
    }
    assert exchange.path == "/v1/chat/completions"
    assert exchange.headers["authorization"] == "Bearer sk-test"
    assert exchange.body == {
        "model": "gpt-x",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "hello"},
        ],
    }


def test_keys_that_the_protocol_does_not_know_reach_the_endpoint_or_are_named(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path
) -> None:
    schema = {"type": "object"}
    extra: dict[str, Any] = {"approvals": True, "reasoning_effort": "high", "claude_profile": "x"}
    request = start(plugin, tmp_path, response_schema=schema, **extra)
    exchange = endpoint.next()
    exchange.end()
    assert exchange.body["reasoning_effort"] == "high"
    assert exchange.body["model"] == "fallback-model"
    assert exchange.body["response_format"]["json_schema"]["schema"] == schema
    assert plugin.reply(request)["metadata"][0]["unused_keys"] == ["approvals", "claude_profile"]


def test_the_environment_of_a_run_is_over_that_of_the_process(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path
) -> None:
    request = start(plugin, tmp_path, env={"OPENAI_API_KEY": "sk-run", "OPENAI_MODEL": "m"})
    exchange = endpoint.next()
    exchange.end()
    plugin.reply(request)
    assert (exchange.headers["authorization"], exchange.body["model"]) == ("Bearer sk-run", "m")


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_is_told_apart_from_output(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path, key: str
) -> None:
    request = start(plugin, tmp_path)
    exchange = endpoint.next()
    for part in ("Hm", "m."):
        exchange.delta(**{key: part})
        assert text(plugin, "agent/thinking") == part
    exchange.say("42")
    exchange.end()
    response = plugin.reply(request)
    assert (response["thinking"], response["output"]) == (["Hmm."], "42")


def test_a_stream_may_be_cut_anywhere_and_hold_any_text(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path
) -> None:
    said = "a\u2028b\x85c\U0001f600\x0bd"
    request = start(plugin, tmp_path)
    exchange = endpoint.next()
    value = {"choices": [{"delta": {"content": said}}]}
    data = (
        b": keep-alive\r\n\r\ndata:" + json.dumps(value, ensure_ascii=False).encode() + b"\r\n\r\n"
    )
    for position in range(len(data)):
        exchange.raw(data[position : position + 1])
    assert text(plugin) == said
    exchange.end()
    assert plugin.reply(request)["output"] == said


def call_delta(exchange: Exchange, index: int, **function: str) -> None:
    exchange.delta(tool_calls=[{"index": index, "id": f"call-{index}", "function": function}])


def test_tool_calls_are_put_together_run_and_given_back(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("remember the milk")
    (tmp_path / "no\udcffutf8").mkdir()  # a name that is not UTF-8
    request = start(plugin, tmp_path, tools=["*"])
    first = endpoint.next()
    assert [tool["function"]["name"] for tool in first.body["tools"]] == ["list_files", "read_file"]
    first.say("Let me look.")
    call_delta(first, 0, name="read_file", arguments='{"pa')
    call_delta(first, 1, name="list_files", arguments='{"path": "."}')
    call_delta(first, 0, arguments='th": "notes.txt"}')
    first.end("tool_calls", {"prompt_tokens": 5, "completion_tokens": 5})
    second = endpoint.next()
    assistant, *results = second.body["messages"][1:]
    assert assistant["tool_calls"][0] == {
        "id": "call-0",
        "type": "function",
        "function": {"name": "read_file", "arguments": '{"path": "notes.txt"}'},
    }
    assert results[0] == {
        "role": "tool",
        "tool_call_id": "call-0",
        "content": "remember the milk",
    }
    assert {"notes.txt", "no\ufffdutf8/"} <= set(results[1]["content"].splitlines())
    second.say("Milk.")
    second.end(usage={"prompt_tokens": 9, "completion_tokens": 1})
    response = plugin.reply(request)
    assert response["output"] == "Let me look.\n\nMilk."
    assert response["tokens_used"] == {"input": 14, "output": 6}
    methods = [n.method for n in plugin.notifications]
    told = ["output", "toolCall", "toolCall", "toolResult", "toolResult", "output"]
    assert methods == [f"agent/{name}" for name in told]
    called = plugin.next_notification("agent/toolCall").params
    assert (called["name"], called["arguments"]) == ("read_file", {"path": "notes.txt"})
    result = plugin.next_notification("agent/toolResult").params
    assert (result["output"], result["success"]) == ("remember the milk", True)


READ_A, READ_B = '{"path": "a.txt"}', '{"path": "b.txt"}'


def part(
    index: int | None, call: str | None, arguments: str | None, name: str = "read_file"
) -> Any:
    function = {"name": name, "arguments": arguments}
    return {"index": index, "id": call, "function": function}


A, A1, A2 = (partial(part, arguments=text) for text in (READ_A, READ_A[:5], READ_A[5:]))
B, B1, B2 = (partial(part, arguments=text) for text in (READ_B, READ_B[:5], READ_B[5:]))
STREAMS = {
    "no index": [[A(None, "c1")], [B(None, "c2")]],
    "no index, in one chunk": [[A(None, "c1"), B(None, "c2")]],
    "one index": [[A(0, "c1")], [B(0, "c2")]],
    "one index, in turns": [[A1(0, "c1"), B1(0, "c2")], [A2(0, "c1"), B2(0, "c2")]],
    "one id": [[A(0, "c1")], [B(1, "c1")]],
    "no id": [[A(0, None)], [B(1, "")]],
    "a repeated name": [[A1(0, "c1"), A2(0, "c1")], [B(1, "c2")]],
    "pieces without either": [[A1(None, "c1"), A2(None, None)], [B1(None, "c2"), B2(None, "")]],
    "pieces of a name": [[part(0, "c1", None, "read"), A(0, None, name="_file")], [B(1, "c2")]],
}


@pytest.mark.parametrize("deltas", STREAMS.values(), ids=STREAMS)
def test_tool_calls_are_told_apart_by_whatever_the_endpoint_gives(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path, deltas: list[list[Any]]
) -> None:
    (tmp_path / "a.txt").write_text("text of a")
    (tmp_path / "b.txt").write_text("text of b")
    request = start(plugin, tmp_path, tools=["*"])
    first = endpoint.next()
    for parts in deltas:
        first.delta(tool_calls=parts)
    first.end("tool_calls")
    second = endpoint.next()
    assistant, *results = second.body["messages"][1:]
    asked = [tuple(call["function"].values()) for call in assistant["tool_calls"]]
    assert asked == [("read_file", READ_A), ("read_file", READ_B)]
    assert [result["content"] for result in results] == ["text of a", "text of b"]
    second.end()
    plugin.reply(request)


@pytest.mark.parametrize(
    ("tools", "arguments", "said"),
    [
        (["read_file"], '{"path": "../secret.txt"}', "outside the working directory"),
        (["read_file"], '{"path": "/etc/hostname"}', "outside the working directory"),
        (["read_file"], '{"path": "link"}', "outside the working directory"),
        (["read_file"], '{"path": "missing"}', "no file"),
        (["read_file"], '{"path": 1}', "arguments"),
        (["read_file"], "not json", "arguments"),
        (["read_file"], r'{"path": "a\u0000"}', "null"),
        (["list_files"], '{"path": "notes.txt"}', "there is no tool"),
        ({"allow": ["*"], "deny": ["read_file"]}, '{"path": "notes.txt"}', "there is no tool"),
        (None, '{"path": "notes.txt"}', "there is no tool"),
    ],
)
def test_a_tool_that_fails_or_is_not_allowed_tells_the_model_so(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path, tools: Any, arguments: str, said: str
) -> None:
    (inside := tmp_path / "inside").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (inside / "notes.txt").write_text("notes")
    (inside / "link").symlink_to(tmp_path / "secret.txt")
    request = start(plugin, inside, tools=tools)
    first = endpoint.next()
    call_delta(first, 0, name="read_file", arguments=arguments)
    first.end("tool_calls")
    second = endpoint.next()
    assert said in second.body["messages"][-1]["content"]
    second.end()
    result = plugin.next_notification("agent/toolResult").params
    assert (result["success"], said in result["output"]) == (False, True)
    assert plugin.reply(request)["exit_code"] == 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"decision": "allow"}, "the notes"),
        ({"decision": "deny", "message": "not today"}, "not today"),
        ({}, "the answer is no"),
    ],
)
def test_a_run_may_ask_a_person_before_it_uses_a_tool(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path, answer: Any, said: str
) -> None:
    (tmp_path / "notes.txt").write_text("the notes")
    request = start(plugin, tmp_path, tools=["*"], interactions=True)
    first = endpoint.next()
    call_delta(first, 0, name="read_file", arguments='{"path": "notes.txt"}')
    first.end("tool_calls")
    asked = plugin.next_notification("agent/interactionRequested").params
    assert (asked["kind"], asked["payload"]["tool_name"]) == ("approval", "read_file")
    reply = {key: asked[key] for key in ("interaction_id", "session_id")} | {"response": answer}
    assert plugin.call("agent/respond", reply) == {"accepted": True}
    second = endpoint.next()
    assert said in second.body["messages"][-1]["content"]
    second.end()
    assert plugin.reply(request)["exit_code"] == 0
    assert plugin.call("agent/respond", reply) == {"accepted": False}


def test_a_model_that_never_stops_asking_for_tools_ends_the_run(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path
) -> None:
    def respond(exchange: Exchange) -> None:
        call_delta(exchange, 0, name="list_files", arguments='{"path": "."}')
        exchange.end("tool_calls")

    endpoint.respond = respond
    error = failure(plugin, start(plugin, tmp_path, tools=["*"]))
    assert (error.code, error.data["category"]) == (-32603, "run_failed")


def test_another_process_resumes_a_session(
    endpoint: Endpoint, environment: dict[str, str], tmp_path: Path
) -> None:
    with served(OPENAI, tmp_path, env=environment) as plugin:
        request = start(plugin, tmp_path, prompt="My name is Kim.")
        exchange = endpoint.next()
        exchange.say("Hi Kim.")
        exchange.end()
        session = plugin.reply(request)["session_id"]
    with served(OPENAI, tmp_path, env=environment) as plugin:
        params = {"prompt": "Who am I?", "session_id": session, "control_session_id": "control-2"}
        request = start(plugin, tmp_path, "agent/resume", **params)
        exchange = endpoint.next()
        assert [message["content"] for message in exchange.body["messages"]] == [
            "My name is Kim.",
            "Hi Kim.",
            "Who am I?",
        ]
        exchange.say("Kim.")
        exchange.end()
        assert plugin.reply(request)["session_id"] == session
    (file,) = (tmp_path / ".animus" / "sessions").iterdir()
    assert file.stat().st_mode & 0o077 == 0
    assert len(json.loads(file.read_text())) == 4


@pytest.mark.parametrize(
    ("session", "category"),
    [(None, "invalid_request"), ("gone", "not_found"), ("../escape", "invalid_request")],
)
def test_a_session_that_cannot_be_resumed_is_refused(
    plugin: Plugin, tmp_path: Path, session: str | None, category: str
) -> None:
    error = failure(plugin, start(plugin, tmp_path, "agent/resume", session_id=session))
    assert (error.code, error.data["category"]) == (-32602, category)


@pytest.mark.parametrize(
    ("status", "code", "category"),
    [
        (400, -32602, "invalid_request"),
        (401, -32600, "permission_denied"),
        (404, -32602, "model_not_supported"),
        (418, -32602, "invalid_request"),
        (429, -32603, "unavailable"),
        (500, -32603, "unavailable"),
        (503, -32603, "unavailable"),
    ],
)
def test_a_refusal_of_the_endpoint_is_told_and_answered(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path, status: int, code: int, category: str
) -> None:
    request = start(plugin, tmp_path)
    body = json.dumps({"error": {"message": "because"}}).encode()
    endpoint.next().refuse(status, body, **{"retry-after": "7"})
    error = failure(plugin, request)
    assert error.code == code
    retry = {"retry_after_s": 7} if category == "unavailable" else {}
    assert {"status": status, "category": category, **retry}.items() <= error.data.items()
    assert error.message.endswith("; retry in 7 s") is bool(retry)
    assert f"the endpoint answered {status}" in error.message
    told = plugin.next_notification("agent/error").params
    assert (told["recoverable"], "because" in told["message"]) == (False, True)
    assert "kind" not in told


@pytest.mark.parametrize(
    ("data", "category"),
    [
        (b'data: {"choices": [{"delta": {"content": "half\n\n', "run_failed"),
        (b'data: {"choices": [{"delta": {"content": 1}}]}\n\n', "run_failed"),
        (b'data: {"choices": [{"delta": {"tool_calls": "none"}}]}\n\n', "run_failed"),
        (b"data: {broken\n\ndata: [DONE]\n\n", "run_failed"),
        (b'data: {"error": {"message": "overloaded"}}\n\n', "run_failed"),
        (b"data: [DONE]\n\n", "unavailable"),
    ],
)
def test_a_stream_that_makes_no_sense_is_an_error(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path, data: bytes, category: str
) -> None:
    request = start(plugin, tmp_path)
    exchange = endpoint.next()
    exchange.say("so far so good")
    exchange.raw(data)
    error = failure(plugin, request)
    assert (error.code, error.data["category"]) == (-32603, category)
    assert plugin.next_notification("agent/error").params["recoverable"] is False
    assert exchange.wait_closed() or b"data: [DONE]" in data


def test_a_stream_that_breaks_off_is_unavailable(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path
) -> None:
    request = start(plugin, tmp_path)
    exchange = endpoint.next()
    exchange.say("so far")
    assert text(plugin) == "so far"
    exchange.break_off()
    error = failure(plugin, request)
    assert (error.code, error.data["category"]) == (-32603, "unavailable")
    assert error.message.startswith("provider unavailable: ")


@pytest.mark.parametrize("base", ["http://127.0.0.1:{port}/v1", "nonsense", "http://[/"])
def test_an_endpoint_that_is_not_there_is_unavailable(
    plugin: Plugin, tmp_path: Path, base: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens, and nobody else gets the port
        url = base.format(port=taken.getsockname()[1])
        error = failure(plugin, start(plugin, tmp_path, env={"OPENAI_BASE_URL": url}))
    assert (error.code, error.data["category"]) == (-32603, "unavailable")


def test_a_run_that_takes_too_long_is_ended(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path
) -> None:
    request = start(plugin, tmp_path, timeout_secs=1)
    exchange = endpoint.next()
    exchange.say("slow")
    error = failure(plugin, request)
    assert (error.code, error.data["category"]) == (-32603, "timeout")
    assert exchange.wait_closed()


def test_an_answer_that_is_cut_short_says_so_and_is_still_an_answer(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path
) -> None:
    request = start(plugin, tmp_path)
    exchange = endpoint.next()
    exchange.say("a long st")
    exchange.end("length")
    response = plugin.reply(request)
    assert (response["output"], response["errors"]) == (
        "a long st",
        ["the model stopped early: length"],
    )
    assert plugin.next_notification("agent/error").params["recoverable"] is True


@pytest.mark.parametrize("method", ["agent/cancel", "$/cancelRequest"])
def test_a_cancel_closes_the_connection_at_once(
    plugin: Plugin, endpoint: Endpoint, tmp_path: Path, method: str
) -> None:
    request = start(plugin, tmp_path)
    exchange = endpoint.next()
    exchange.say("one")
    assert text(plugin) == "one"
    if method == "agent/cancel":
        answer = plugin.call(method, {"session_id": "control-1"})
        assert answer == {"session_id": "control-1", "cancelled": True}
    else:
        plugin.notify(method, {"id": request})
    assert exchange.wait_closed()
    error = failure(plugin, request)
    assert error.code == -32002
    last = plugin.notifications[-1]
    assert (last.method, last.params["recoverable"]) == ("agent/error", False)
    assert plugin.call("$/ping") == {}
    assert plugin.unclaimed_ids == []


def test_a_shutdown_waits_for_no_endpoint(
    endpoint: Endpoint, environment: dict[str, str], tmp_path: Path
) -> None:
    with served(OPENAI, tmp_path, env=environment) as plugin:
        request = start(plugin, tmp_path)
        exchange = endpoint.next()
        exchange.say("one")
        assert text(plugin) == "one"
        assert plugin.shutdown() == 0
        assert failure(plugin, request).code == -32002
    assert exchange.wait_closed()


def outcome(plugin: Plugin, request: int) -> str | int:
    """A run's output, or the code of the error that it ended in."""
    try:
        output: str = plugin.reply(request)["output"]
    except RpcError as error:
        return error.code
    return output


@pytest.mark.parametrize("seed", [5, 71])
def test_a_hundred_runs_with_cancels_at_random_are_each_answered_once(
    endpoint: Endpoint, environment: dict[str, str], tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    parts = {n: chance.randrange(2, 20) for n in range(RUNS)}
    fates = {n: chance.choice(["finish", "finish", "cancel", "race"]) for n in range(RUNS)}
    together = threading.Barrier(RUNS + 1, timeout=30)
    closed: Counter[bool] = Counter()

    def respond(exchange: Exchange) -> None:
        number = int(exchange.body["messages"][-1]["content"])
        together.wait()
        with suppress(OSError):  # the client of a race may be gone
            for part in range(parts[number]):
                exchange.say(f"{number}.{part} ")
            if fates[number] != "cancel":
                exchange.end()
                return
        closed[exchange.wait_closed()] += 1

    endpoint.respond = respond
    answers: Counter[int] = Counter()

    def count(line: bytes) -> None:
        frame = json.loads(line)
        if "id" in frame:
            answers[frame["id"]] += 1

    env = {**INSTALLED, **environment}
    with Plugin.start(OPENAI, cwd=tmp_path, env=env, on_frame=count) as plugin:
        plugin.initialize()
        requests = {
            n: start(plugin, tmp_path, prompt=str(n), control_session_id=f"c{n}")
            for n in range(RUNS)
        }
        together.wait()
        cancels = [n for n in chance.sample(range(RUNS), RUNS) if fates[n] != "finish"]
        sent = [plugin.request("agent/cancel", {"session_id": f"c{n}"}) for n in cancels]
        before = time.monotonic()
        assert plugin.call("$/ping", timeout_s=5) == {}
        assert time.monotonic() - before < 2
        for number, request in zip(cancels, sent, strict=True):
            found = plugin.reply(request)["cancelled"]
            assert found or fates[number] == "race"
        for number, request in requests.items():
            whole = "".join(f"{number}.{part} " for part in range(parts[number]))
            expected: dict[str, list[str | int]] = {
                "finish": [whole],
                "cancel": [-32002],
                "race": [whole, -32002],
            }
            assert outcome(plugin, request) in expected[fates[number]]
    assert max(answers.values()) == 1
    assert set(requests.values()) <= answers.keys()
    assert closed[False] == 0
    assert closed[True] >= sum(fate == "cancel" for fate in fates.values())


def test_the_manifest_needs_no_endpoint_and_says_what_the_plugin_can(tmp_path: Path) -> None:
    code, output, errors = run([*OPENAI, "--manifest"], tmp_path)
    manifest = json.loads(output)
    assert (code, errors) == (0, "")
    assert manifest["capabilities"] == [
        "agent/run",
        "agent/resume",
        "agent/cancel",
        "agent/respond",
        "health/check",
    ]
    needs = {need["name"]: need for need in manifest["env_required"]}
    assert [need["required"] for need in needs.values()] == [False] * 3
    assert needs["OPENAI_API_KEY"]["sensitive"] is True
