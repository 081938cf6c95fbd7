"""What is said of a handler that gives what cannot go out: handler, place, and what to write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from mistaken import APP, IMPORTS, custom, loaded, subjects

from animus_routes import ConfigurationError, RpcError
from animus_routes.testing import TestClient

if TYPE_CHECKING:
    from pathlib import Path

GET = "m.py:5: get_task: returned a {}"
LIST = "m.py:5: list_tasks: returned a {}"
WRITTEN = "m.py:5: do: {}"


def get(lines: str) -> str:
    return subjects(f'@app.method("subject/get")\ndef get_task(id):\n    {lines}\n', without="get")


def listing(lines: str) -> str:
    text = f'@app.method("subject/list")\ndef list_tasks():\n    {lines}\n'
    return subjects(text, without="list")


def do(lines: str, head: str = "def do():") -> str:
    return custom(f'@app.method("x/do")\n{head}\n    {lines}\n')


TASK = 'Subject(id="task:1", kind="task", title="t")'
AWAIT = "is a call of the async function '{}' without `await`: write `await {}(...)`"


@pytest.fixture(autouse=True)
def _in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RUST_BACKTRACE", raising=False)


@pytest.mark.parametrize(
    ("source", "method", "said"),
    [
        pytest.param(
            get('return "x"'),
            "task/get",
            GET.format("str where a Subject belongs: 'x'"),
            id="05-a-str-for-a-subject",
        ),
        pytest.param(
            get("return [id]"),
            "task/get",
            GET.format("list where a Subject belongs: ['task:1']"),
            id="05-a-list-for-a-subject",
        ),
        pytest.param(
            listing('return ["task:1"]'),
            "task/list",
            LIST.format("str where a Subject belongs: 'task:1'"),
            id="05-a-list-of-ids",
        ),
        pytest.param(
            subjects('@app.method("subject/watch")\ndef watch():\n    return [1, 2]\n'),
            "subject/watch",
            "m.py:5: watch: returned a list: a stream yields its items, or sends them with ctx.emit",
            id="32-a-watch-that-returns-a-list",
        ),
        pytest.param(
            listing(f'return {{"task:1": {TASK}}}'),
            "task/list",
            LIST.format(
                "dict without `subjects`, with 'task:1': `subjects` is a list: "
                "return list(found.values())"
            ),
            id="34-a-dict-of-subjects",
        ),
        pytest.param(
            listing('return {"items": 3}'),
            "task/list",
            LIST.format("dict without `subjects`, with 'items': return a list"),
            id="34-a-dict-without-the-list",
        ),
        pytest.param(
            listing(f"return [{TASK}], 'cursor'"),
            "task/list",
            LIST.format(
                "tuple of 2, the first a list: return the list alone, or the method's result "
                "type with everything in its fields"
            ),
            id="35-a-list-and-its-cursor",
        ),
        pytest.param(
            do("return fetch()\nasync def fetch(): ...", "async def do():"),
            "x/do",
            WRITTEN.format("the result " + AWAIT.format("fetch", "fetch")),
            id="44-a-missing-await",
        ),
        pytest.param(
            do("return {'d': [fetch()]}\nasync def fetch(): ..."),
            "x/do",
            WRITTEN.format("`$.d[0]` " + AWAIT.format("fetch", "fetch")),
            id="44-a-missing-await-inside",
        ),
        pytest.param(
            get("return fetch()\nasync def fetch(): ..."),
            "task/get",
            "m.py:5: get_task: the result " + AWAIT.format("fetch", "fetch"),
            id="44-a-missing-await-for-a-subject",
        ),
        pytest.param(
            do("return {'d': [1, {'e': Foo()}]}\nclass Foo: ..."),
            "x/do",
            WRITTEN.format("`$.d[1].e` is a Foo, which cannot be written as JSON"),
            id="45-an-object-deep-inside",
        ),
        pytest.param(
            do("return Subject(id='1', kind='task', title='t', custom={'a b': object()})"),
            "x/do",
            WRITTEN.format("`$.custom['a b']` is an object, which cannot be written as JSON"),
            id="45-an-object-in-a-wire-type",
        ),
        pytest.param(
            do("return [KeyError('x')]"),
            "x/do",
            WRITTEN.format(
                "`$[0]` is a KeyError, which is not given but raised: write `raise KeyError(...)`"
            ),
            id="45-an-exception",
        ),
        pytest.param(
            do("return {'f': do}"),
            "x/do",
            WRITTEN.format("`$.f` is the function 'do', not what it gives: call it"),
            id="45-a-function",
        ),
        pytest.param(
            do("return {'f': (n for n in [1])}"),
            "x/do",
            WRITTEN.format("`$.f` is a generator, not what it gives: collect it in a list"),
            id="45-a-generator",
        ),
        pytest.param(
            do("return [dict]"),
            "x/do",
            WRITTEN.format("`$[0]` is the class dict, not an object of it"),
            id="45-a-class",
        ),
        pytest.param(
            do("return {'d': {(1, 2): 3}}"),
            "x/do",
            WRITTEN.format("`$.d` has the key (1, 2), a tuple: a key in JSON is text"),
            id="45-a-key-that-is-no-text",
        ),
        pytest.param(
            do("found = {}; found['me'] = found; return found"),
            "x/do",
            WRITTEN.format("`$.me` is nested too deeply, or holds itself"),
            id="45-a-circle",
        ),
    ],
)
def test_what_cannot_go_out_is_told_in_one_line(
    source: str, method: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app = loaded(tmp_path, source)
    with TestClient(app) as client, pytest.raises(RpcError) as caught:
        client.call(method, {"id": "task:1"} if method == "task/get" else None)
    assert caught.value.code == -32603
    assert str(caught.value.__cause__) == said
    (line,) = capfd.readouterr().err.splitlines()
    assert re.fullmatch(r"animus-routes: error [0-9a-f]{8} in (the result of )?\S+: .*", line)
    assert line.endswith(f": {said}")


def test_an_item_that_cannot_be_written_is_told_where_it_was_sent(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = '@app.method("subject/watch")\ndef watch(ctx: Context):\n    ctx.emit({"d": object()})\n'
    with TestClient(loaded(tmp_path, subjects(text))) as client, pytest.raises(RpcError):
        list(client.stream("subject/watch"))
    told = capfd.readouterr().err
    assert 'ctx.emit({"d": object()})' in told
    assert "m.py:5: watch: `$.d` is an object, which cannot be written as JSON" in told
    assert "animus_routes/" not in told


def test_an_item_that_the_role_cannot_read_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = custom(
        '@app.method("agent/run")\ndef run(prompt: str):\n    yield {"kind": "outptu"}\n'
    )
    source = source.replace('"custom"', '"provider"')
    with TestClient(loaded(tmp_path, source)) as client, pytest.raises(RpcError):
        list(client.stream("agent/run", {"prompt": "p"}))
    (line,) = capfd.readouterr().err.splitlines()
    assert (
        "m.py:5: run: yielded a dict, {'kind': 'outptu'}: an item of a run has to be text" in line
    )


RAISES = """
@app.method("x/do")
def do(a: int):
    return helper(a)

def helper(a):
    return {}[a]
"""


@pytest.mark.parametrize(("shown", "frames"), [("0", 2), ("", 2), ("1", 4), ("full", 4)])
def test_a_traceback_has_the_authors_frames_alone_unless_all_are_asked_for(
    shown: str,
    frames: int,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RUST_BACKTRACE", shown)
    with TestClient(loaded(tmp_path, custom(RAISES))) as client, pytest.raises(RpcError):
        client.call("x/do", {"a": 1})
    told = capfd.readouterr().err
    assert told.count('  File "') == frames
    assert told.count('m.py", line') == 2
    assert told.rstrip().endswith("KeyError: 1")


CHAINED = """
@app.method("x/do")
def do(ctx: Context):
    try:
        ctx.emit(1)
    except RuntimeError as error:
        raise LookupError("none") from error
"""


def test_every_traceback_of_a_chain_is_the_authors(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with TestClient(loaded(tmp_path, custom(CHAINED))) as client, pytest.raises(RpcError):
        client.call("x/do")
    told = capfd.readouterr().err
    assert "x/do has no stream to emit to" in told
    assert "direct cause" in told
    assert "animus_routes/" not in told


WATCH = '@app.method("subject/watch")\ndef watch():\n    {}\n'
NO_SUBJECT = "m.py:5: get_task: a host cannot decode the result of task/get as subject.Subject: "


@pytest.mark.parametrize(
    ("source", "method", "said"),
    [
        pytest.param(
            get('return {"id": id, "kind": "task", "titel": "x"}'),
            "task/get",
            NO_SUBJECT + "Object missing required field `title`; 'titel' is no key of it: did you "
            "mean 'title'?",
            id="06-a-typing-error-in-a-key",
        ),
        pytest.param(
            get('return {"id": id, "title": "x"}'),
            "task/get",
            NO_SUBJECT + "Object missing required field `kind`",
            id="06-a-missing-key",
        ),
        pytest.param(
            get('return Subject(id=id, kind="task", title="t", status="open")'),
            "task/get",
            NO_SUBJECT + "Invalid enum value 'open' - at `$.status`",
            id="36-a-status-that-hosts-do-not-know",
        ),
        pytest.param(
            custom('@app.health\ndef well():\n    return {"uptime_ms": "long"}\n'),
            "health/check",
            "a host cannot decode the result of health/check as plugin.HealthCheckResult: ",
            id="58-a-health-that-is-none",
        ),
    ],
)
def test_a_result_that_no_host_decodes_is_told_with_its_handler(
    source: str, method: str, said: str, tmp_path: Path
) -> None:
    params = {"id": "task:1"} if method == "task/get" else None
    with TestClient(loaded(tmp_path, source)) as client:
        with pytest.raises(TypeError) as caught:
            client.call(method, params)
        assert str(caught.value).startswith(said)
    with TestClient(loaded(tmp_path, source), check_results=False) as client:
        client.call(method, params)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            'yield {"id": "task:1", "change": "created"}',
            (
                "Object missing required field `change_kind`; 'change' is no key of it: did you mean "
                "'change_kind'?"
            ),
        ),
        ("yield 3", "Expected `object`, got `int`"),
        (f"yield {TASK}", "Object missing required field `change_kind`"),
    ],
)
def test_33_an_item_that_no_host_decodes_is_told_with_its_handler(
    line: str, said: str, tmp_path: Path
) -> None:
    app = loaded(tmp_path, subjects(WATCH.format(line)))
    with TestClient(app) as client, pytest.raises(TypeError) as caught:
        next(client.stream("subject/watch"))
    expected = "m.py:5: watch: a host cannot decode an item of subject/watch as subject.SubjectChangedEvent: "
    assert str(caught.value).startswith(expected + said)


def test_32_an_acknowledgement_that_no_host_decodes_is_told(tmp_path: Path) -> None:
    source = subjects(WATCH.format("return Odd()") + "class Odd(dict): pass\n")
    with TestClient(loaded(tmp_path, source)) as client:
        assert client.stream("subject/watch").ack == {}
    listed = "import msgspec\nclass Odd(msgspec.Struct, array_like=True):\n    a: int = 1\n"
    source = subjects(WATCH.format("return Odd()") + listed)
    with TestClient(loaded(tmp_path, source)) as client, pytest.raises(RpcError) as caught:
        _ = client.stream("subject/watch").ack
    assert "returned a Odd: a stream yields its items" in str(caught.value.__cause__)


@pytest.mark.parametrize("family", ["structs", "types"])
def test_the_trigger_crates_own_event_reaches_the_host_with_an_event_id(
    family: str, tmp_path: Path
) -> None:
    text = f"""
from collections.abc import Iterator
from animus_routes.{family}.trigger import TriggerEvent

@app.method("trigger/watch")
def watch() -> Iterator[TriggerEvent]:
    yield TriggerEvent(
        id="e-1",
        occurred_at="2026-01-31T09:30:00Z",
        kind="cron_tick",
        payload={{"a": 1}},
        action_hint="create-task",
        subject_id="task:1",
    )
    yield {{"id": "e-2", "kind": "cron_tick", "payload": None, "action_hint": "review"}}
    yield {{"event_id": "e-3", "payload": {{}}}}
"""
    source = custom(text).replace('"custom"', '"trigger_backend"')
    with TestClient(loaded(tmp_path, source)) as client:
        first, second, third = client.stream("trigger/watch")
    assert first == {
        "event_id": "e-1",
        "occurred_at": "2026-01-31T09:30:00Z",
        "kind": "cron_tick",
        "payload": {"a": 1},
        "action_hint": "create_task",
        "subject_id": "task:1",
    }
    assert second["event_id"] == "e-2"
    assert second["action_hint"] == "review"
    assert third == {"event_id": "e-3", "payload": {}}


@pytest.mark.parametrize("item", ["Subject", "SubjectList", "SubjectPatch"])
def test_a_wire_type_that_is_no_item_of_the_stream_is_refused_at_start(
    item: str, tmp_path: Path
) -> None:
    text = (
        "from collections.abc import Iterator\n"
        f'@app.method("subject/watch")\ndef watch() -> Iterator[{item}]: yield\n'
    )
    with pytest.raises(ConfigurationError) as caught:
        loaded(tmp_path, subjects(text)).check()
    assert caught.value.problems == [
        f"m.py:6: 'subject/watch': yields {item}, but the items are SubjectChangedEvent"
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('RpcError("not found", -32602)', "RpcError(-32602, 'not found')"),
        ('RpcError("gone", "E_GONE")', "RpcError(-32602, 'gone')"),
        ("RpcError(-32602, None)", "RpcError(-32602, 'gone')"),
        ('RpcError(1.5, "gone")', "RpcError(-32602, 'gone')"),
    ],
)
def test_51_an_error_that_is_turned_around_is_refused_where_it_is_written(
    given: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app = loaded(tmp_path, do(f"raise {given}"))
    with TestClient(app) as client, pytest.raises(RpcError) as caught:
        client.call("x/do")
    assert caught.value.code == -32603
    told = capfd.readouterr().err
    assert f"raise {given}" in told
    assert told.rstrip().endswith(
        f"TypeError: an RpcError has its code first, and then its text: {said}"
    )


def test_46_a_log_line_fails_no_call(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = """ctx.log("warning", "low")
    ctx.log("loud", "hm")
    ctx.log(None, {1: object}, odd=Odd(), n=1)
    return 1

class Odd:
    def __repr__(self): raise ValueError("no")
"""
    with TestClient(loaded(tmp_path, do(lines, "def do(ctx: Context):"))) as client:
        assert client.call("x/do") == 1
    told = [line.partition(" ")[2] for line in capfd.readouterr().err.splitlines()]
    assert told[0] == "WARN  x/do: low"
    assert told[1].startswith("WARN  x/do: ctx.log: the level is one of trace, debug, info, warn,")
    assert told[2] == "INFO  x/do: hm"
    assert told[3].endswith("warn, error, warning, not None")
    assert told[4].startswith("INFO  x/do: {1: <class 'object'>} odd=")


MIDDLEWARE = """@app.middleware
{a}def timed(ctx, call_next):
    {b}call_next(ctx)

@app.method("x/do")
{c}def do(): return 1
"""


@pytest.mark.parametrize(
    ("a", "b", "c"), [("", "", ""), ("", "", "async "), ("async ", "await ", "async ")]
)
def test_56_middleware_that_returns_nothing_is_told_once(
    a: str, b: str, c: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app = loaded(tmp_path, custom(MIDDLEWARE.format(a=a, b=b, c=c)))
    with TestClient(app) as client:
        assert [client.call("x/do"), client.call("x/do")] == [None, None]
    assert capfd.readouterr().err == (
        "animus-routes: m.py:5: the middleware 'timed' returned None, though call_next gave "
        f"something: write `return {b}call_next(ctx)`\n"
    )


UNAWAITED = "m.py:5: the middleware 'timed' called call_next(ctx) without `await`: write `return await call_next(ctx)`"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("return call_next(ctx)", UNAWAITED),
        ("call_next(ctx)", UNAWAITED),
        ("found = call_next(ctx)\n    return found", UNAWAITED),
        (
            "return other()",
            UNAWAITED.partition(" called")[0]
            + " returned a call of the async function 'other' without `await`",
        ),
    ],
)  # fmt: skip
def test_56_async_middleware_without_await_is_told_of_and_not_its_handler(
    line: str, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = (
        f"@app.middleware\nasync def timed(ctx, call_next):\n    {line}\nasync def other(): ...\n"
        '@app.method("x/do")\nasync def do(): return 1\n'
    )
    with TestClient(loaded(tmp_path, custom(text))) as client, pytest.raises(RpcError) as caught:
        client.call("x/do")
    told = capfd.readouterr().err
    assert caught.value.message.endswith(f": {said}")
    assert told.rstrip().endswith(f": {said}")
    assert len(told.splitlines()) == 1
    assert "<locals>" not in told


@pytest.mark.parametrize(
    "line",
    [
        "return await asyncio.wait_for(call_next(ctx), 5)",
        "return await asyncio.create_task(call_next(ctx))",
        "return (await asyncio.gather(call_next(ctx)))[0]",
        "return 1",
    ],
)
def test_async_middleware_may_await_in_any_way_or_not_at_all(line: str, tmp_path: Path) -> None:
    text = (
        f"import asyncio\n@app.middleware\nasync def timed(ctx, call_next):\n    {line}\n"
        '@app.method("x/do")\nasync def do(): return 1\n'
    )
    with TestClient(loaded(tmp_path, custom(text))) as client:
        assert client.call("x/do") == 1


@pytest.mark.parametrize(("a", "b"), [("", ""), ("async ", "await ")])
def test_56_what_middleware_does_not_return_is_not_its_handlers_fault(
    a: str, b: str, tmp_path: Path
) -> None:
    text = (
        f"@app.middleware\n{a}def timed(ctx, call_next):\n    {b}call_next(ctx)\n"
        f'@app.method("subject/create")\n{a}def create(title: str):\n    return {{}}\n'
    )
    source = subjects(text)
    for handler in ("list_tasks", "get_task", "update_task"):
        source = source.replace(f"def {handler}", f"{a}def {handler}")
    with TestClient(loaded(tmp_path, source)) as client, pytest.raises(RpcError) as caught:
        client.call("task/create", {"title": "t"})
    assert "m.py:5: timed: returned None" in caught.value.message


SEVERAL = {
    "values": "{{'a': {0}}}.values()",
    "ordered": "OrderedDict(a={0}).values()",
    "deque": "deque([{0}])",
    "tuple": "({0},)",
}


@pytest.mark.parametrize("given", SEVERAL.values(), ids=SEVERAL)
def test_what_several_items_come_in_stands_for_a_list(given: str, tmp_path: Path) -> None:
    one = given.format("{'id': 'task:1', 'kind': 'task', 'title': 't'}")
    text = (
        "from collections import OrderedDict, deque\n"
        f'@app.method("subject/list")\ndef list_tasks(filter: SubjectFilter):\n    return {one}\n'
    )
    with TestClient(loaded(tmp_path, subjects(text, without="list"))) as client:
        (found,) = client.call("task/list")["subjects"]
    assert (found["id"], found["status"]) == ("task:1", "ready")


@pytest.mark.parametrize("given", ["{'w-1'}", "frozenset(['w-1'])", "{'w-1': 0}.keys()"])
def test_a_set_of_ids_stands_for_a_list(given: str, tmp_path: Path) -> None:
    made = APP.format(kind="workflow_journal", more="")
    text = f'@app.method("journal/query_ids")\ndef ids(params): return {given}\n'
    for verb in ("save", "load", "list", "delete"):
        text += f'@app.method("journal/{verb}")\ndef {verb}(params): ...\n'
    with TestClient(loaded(tmp_path, IMPORTS + made + text)) as client:
        assert client.call("journal/query_ids", {})["ids"] == ["w-1"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('{"status": "ok"}', "status 'ok'"),
        ('{"uptime_ms": 1}', "{'uptime_ms': 1} without a status"),
        ("[]", "[] without a status"),
    ],
)
def test_58_a_status_that_the_protocol_has_not_is_degraded_for_that_reason(
    given: str, said: str, tmp_path: Path
) -> None:
    source = custom(f"@app.health\ndef well():\n    return {given}\n")
    with TestClient(loaded(tmp_path, source)) as client:
        found = client.call("health/check")
    assert found["status"] == "degraded"
    known = "healthy, degraded, unhealthy"
    assert found["last_error"] == f"the health check returned {said}: it is one of {known}"


def test_57_a_path_is_read_and_written_as_text(tmp_path: Path) -> None:
    lines = "return {'parent': p.parent, 'd': [{'p': p}]}"
    source = do(lines, "def do(p: Path):").replace(
        "from typing", "from pathlib import Path\nfrom typing", 1
    )
    with TestClient(loaded(tmp_path, source)) as client:
        found = client.call("x/do", {"p": "/srv/x"})
    assert found == {"parent": "/srv", "d": [{"p": "/srv/x"}]}
