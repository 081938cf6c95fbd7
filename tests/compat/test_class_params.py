"""What a method gets depends on the wire method alone, and misfits never reach the class."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
from backends import Everything, plugin

from animus_routes import RpcError
from animus_routes.compat import (
    AgentRunRequest,
    Params,
    ProviderCallContext,
    SubjectCallContext,
    SubjectCreateRequest,
)
from animus_routes.compat.types import generated
from animus_routes.compat.types.generated.subject import SubjectPatch
from animus_routes.roles import role
from animus_routes.testing import TestClient

TIME = "2026-01-01T00:00:00Z"
SUBJECT = {"id": "task:1", "kind": "task"}
DISPATCH = {
    "subject": SUBJECT,
    "requested_at": TIME,
    "trigger_source": "manual",
    "workflow_ref": "standard",
}
PHASE_NAMES = (
    "execution_cwd phase_id subject_description subject_id subject_title workflow_id workflow_ref"
)
PHASE = {**dict.fromkeys(PHASE_NAMES.split(), "x"), "phase_attempt": 1}
ENTRY = {"id": "1", "level": "info", "message": "m", "source": "daemon", "target": "t", "ts": TIME}
EVENT = {"id": "1", "event_type": "a", "schema": "s", "timestamp": TIME, "data": None}
STEP = {"run_id": "r", "phase_id": "p"}
SCOPE = {"project_id": "p"}

# Params that are well formed, by method: all that the SDK demands, and nothing else.
DEMANDED: dict[str, dict[str, Any]] = {
    "agent/run": {"cwd": "/", "prompt": "p"},
    "agent/resume": {"cwd": "/", "prompt": "p"},
    "agent/cancel": {"session_id": "s"},
    "transport/start": {"control_socket_path": "c", "project_root": "p"},
    "queue/enqueue": {"subject_dispatch": DISPATCH},
    "queue/lease": {"max": 0},
    "queue/hold": {"entry_id": "e"},
    "queue/release": {"entry_id": "e"},
    "queue/drop": {"entry_id": "e"},
    "queue/mark_assigned": {"entry_id": "e"},
    "queue/completion": {"entry_id": "e", "status": "completed"},
    "queue/reorder": {"entry_ids": []},
    "queue/release_pending": {"entry_id": "e", "reason": "r"},
    "workflow/run_phase": PHASE,
    "durable/begin_workflow_run": STEP,
    "durable/begin_step": {**STEP, "step_name": "s", "idempotency_key": "k"},
    "durable/commit_step": {"step_id": "s", "outcome": "success"},
    "durable/abandon_step": {"step_id": "s"},
    "durable/recover_in_flight": {"since_epoch": 0},
    "durable/query_run": STEP,
    "memory/put": {"scope": SCOPE, "key": "k", "value": None},
    "memory/get": {"scope": SCOPE, "key": "k"},
    "memory/query": {"scope": SCOPE, "query": "q", "top_k": 1},
    "memory/delete_scope": {"scope": SCOPE},
    "notifier/notify": {"event": EVENT},
    "subject/get": {"id": "note:1"},
    "subject/delete": {"id": "note:1"},
    "trigger/ack": {"event_id": "e"},
}
# What else is refused: params, and the path that is named.
MISFITS: list[tuple[str, dict[str, Any], str]] = [
    *(
        (name, {k: v for k, v in params.items() if k != key}, key)
        for name, params in DEMANDED.items()
        for key in params
    ),
    ("subject/get", {"id": ""}, "id"),
    ("subject/get", {"id": 7}, "id"),
    ("subject/list", {"limit": "many"}, "limit"),
    ("subject/list", {"filter": {"status": "ready"}}, "status"),
    ("subject/list", {"kind": "note"}, "kind"),
    ("log_storage/store", {"entries": [{**ENTRY, "level": "loud"}]}, "entries.0.level"),
    ("log_storage/store", {"entries": [{"id": "1"}]}, "entries.0.level"),
    ("log_storage/query", {"limit": -1}, "limit"),
    ("log_storage/tail", {"limit": -1}, "limit"),
    ("queue/lease", {"max": -1}, "max"),
    ("queue/enqueue", {"subject_dispatch": {**DISPATCH, "subject": {}}}, "subject_dispatch.subject.id"),
    ("queue/list", {"limit": []}, "limit"),
    ("workflow/execute", {"vars": None}, "vars"),
    ("memory/put", {"scope": {}, "key": "k", "value": 1}, "scope.project_id"),
    ("agent/run", {"cwd": "/", "prompt": 5}, "prompt"),
]  # fmt: skip
GROUPS = {
    "subject": "subject_backend",
    "trigger": "trigger_backend",
    "agent": "provider",
    "log_storage": "log_storage_backend",
    "transport": "transport_backend",
    "workflow": "workflow_runner",
    "durable": "durable_store",
    "memory": "memory_store",
}


class Seen:
    """Keeps what each method was called with, whatever that is."""

    def __init__(self, kind: str) -> None:
        self.calls: list[tuple[Any, ...]] = []
        for row in role(kind).methods:
            if not row.attribute.startswith("v2"):
                setattr(self, row.attribute, self._keep)

    def _keep(self, *args: Any) -> Any:
        self.calls.append(args)
        return {"results": [], "entries": [], "scopes": []}


def client_of(seen: Any, kind: str) -> TestClient:
    kinds = ["note", "memo"] if kind == "subject_backend" else None
    return TestClient(plugin(kind, seen, subject_kinds=kinds).app, check_results=False)


def kind_of(method: str) -> str:
    group = method.partition("/")[0]
    return GROUPS.get(group, group)


@pytest.mark.parametrize(("method", "params", "path"), MISFITS)
def test_a_misfit_is_refused_and_never_reaches_the_class(
    method: str, params: dict[str, Any], path: str
) -> None:
    seen = Seen(kind_of(method))
    with client_of(seen, kind_of(method)) as client, pytest.raises(RpcError) as error:
        client.call(method, params)
    assert error.value.code == -32602
    assert error.value.data["category"] == "invalid_request"
    assert path in [issue["path"] for issue in error.value.data["issues"]]
    assert seen.calls == []


@pytest.mark.parametrize("method", DEMANDED)
def test_what_the_sdk_demands_is_enough(method: str) -> None:
    seen = Seen(kind_of(method))
    with client_of(seen, kind_of(method)) as client:
        client.call(method, {**DEMANDED[method], "odd_key": [1]})
    (params, ctx) = seen.calls[0]
    if kind_of(method) in {"subject_backend", "trigger_backend"}:
        assert isinstance(params, dict)
    else:
        assert params.model_extra == {"odd_key": [1]}
        module = type(params).__module__
        assert module.startswith(generated.__name__)
    assert isinstance(ctx.request_id, int)


def test_numbers_in_text_are_read_and_text_in_numbers_is_not() -> None:
    seen = Seen("queue")
    with client_of(seen, "queue") as client:
        client.call("queue/lease", {"max": "5"})
        with pytest.raises(RpcError):
            client.call("queue/hold", {"entry_id": 5})
    assert seen.calls[0][0].max == 5


def test_a_hint_changes_nothing_about_a_dict() -> None:
    class Hinted(Seen):
        def create(self, params: SubjectCreateRequest, ctx: SubjectCallContext) -> Any:
            return self._keep(params, ctx)

        def next(self, params: SubjectPatch, ctx: SubjectCallContext) -> Any:
            return self._keep(params, ctx)

    seen = Hinted("subject_backend")
    del seen.create, seen.next
    raw = {"id": 7, "patch": "odd", "priority": "urgent", "status": "in_progress"}
    with client_of(seen, "subject_backend") as client:
        for verb in ("update", "status", "next"):
            client.call(f"note/{verb}", raw)
        client.call("note/create", {**raw, "body": "b", "kind": "other"})
    assert [type(params) for params, _ in seen.calls] == [Params] * 4
    *came, created = [params for params, _ in seen.calls]
    assert came == [raw] * 3
    assert created == {**raw, "kind": "note", "description": "b"}
    assert created.title is None


def test_the_dict_of_a_log_store_has_what_its_entries_leave_out() -> None:
    seen = Seen("log_storage_backend")
    with client_of(seen, "log_storage_backend") as client:
        client.call("log_storage/store", {"entries": [ENTRY]})
        client.call("log_storage/store", {})
    (entry,) = seen.calls[0][0]["entries"]
    assert type(entry) is dict
    assert (entry["fields"], entry["level"]) == (None, "info")
    assert seen.calls[1][0] == {"entries": []}


def test_stats_get_nothing_and_delete_gets_the_id_alone() -> None:
    queue, subjects = Seen("queue"), Seen("subject_backend")
    with client_of(queue, "queue") as client:
        client.call("queue/stats", {"odd": 1})
    with client_of(subjects, "subject_backend") as client:
        client.call("note/delete", {"id": "note:1", "odd": 1})
    assert (queue.calls[0][0], subjects.calls[0][0]) == ({}, {"id": "note:1"})


def test_a_field_of_a_model_as_a_key_still_works_and_warns() -> None:
    params = AgentRunRequest(cwd="/", prompt="p")
    with pytest.warns(DeprecationWarning, match=r"write params\.prompt"):
        assert params["prompt"] == "p"


# Kinds --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "params", "kind"),
    [
        ("memo/list", {"kind": ["note"]}, "memo"),
        ("subject/list", {"kind": ["memo", "x"]}, "memo"),
        ("subject/list", {"filter": {"kind": ["memo"]}}, "memo"),
        ("subject/list", {}, "note"),
        ("subject/list", {"kind": ["x"]}, "note"),
        ("subject/get", {"id": "memo:1"}, "memo"),
        ("subject/get", {"id": "x:1"}, "note"),
        ("subject/get", {"id": "x:1", "kind": "memo"}, "memo"),
        ("subject/next", {"kind": "memo"}, "memo"),
        ("subject/create", {"title": "t"}, "note"),
    ],
)
def test_a_call_is_of_a_declared_kind(method: str, params: dict[str, Any], kind: str) -> None:
    seen = Seen("subject_backend")
    with client_of(seen, "subject_backend") as client:
        client.call(method, params)
    given, ctx = seen.calls[0]
    assert isinstance(ctx, SubjectCallContext)
    assert ctx.kind == kind
    if method.endswith("list"):
        assert given.kind == [kind]


def test_a_filter_is_clamped_to_the_kinds_that_are_served() -> None:
    seen = Seen("subject_backend")
    with client_of(seen, "subject_backend") as client:
        client.call("subject/list", {"kind": ["memo", "x", "note"]})
    assert seen.calls[0][0].kind == ["memo", "note"]


# Arguments ----------------------------------------------------------------------------------------


def logged(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return method(*args, **kwargs)

    return wrapper


@pytest.mark.filterwarnings("ignore:functools.partial will be a method:FutureWarning")
def test_arguments_are_positional_whatever_a_method_calls_them() -> None:
    class Odd(Everything):
        def query(self, *args: Any) -> dict[str, Any]:
            return {"results": [], "seen": [type(one).__name__ for one in args]}

        @logged
        def get(self, ctx: Any, params: Any) -> dict[str, Any]:
            return {"found": hasattr(ctx, "key") and params.request_id is not None}

        @logged
        def list_scopes(self) -> dict[str, Any]:
            return {"scopes": []}

        delete_scope = functools.partial(lambda first, second: {"ack": first.scope is not None})

    odd = Odd(["put"])
    with client_of(odd, "memory_store") as client:
        query = client.call("memory/query", DEMANDED["memory/query"])
        assert query["seen"] == ["QueryMemoryRequest", "CallContext"]
        assert client.call("memory/get", DEMANDED["memory/get"]) == {"found": True}
        assert client.call("memory/list_scopes", {}) == {"scopes": []}
        assert client.call("memory/delete_scope", {"scope": SCOPE}) == {"ack": True}


def test_a_run_has_an_event_that_is_true_before_it_is_set() -> None:
    class Loop(Everything):
        def run(self, params: AgentRunRequest, ctx: ProviderCallContext) -> Any:
            assert ctx.stream is not None
            ctx.stream.output(text="begun")
            rounds = 0
            while ctx.cancelled and not ctx.cancelled.wait(0.01):
                rounds += 1
            done.append(rounds)

    done: list[int] = []
    with client_of(Loop([]), "provider") as client:
        request = client.request("agent/run", {"prompt": "p", "cwd": "/", "session_id": "s"})
        client.next_notification("agent/output")
        client.call("agent/cancel", {"session_id": "s"})
        with pytest.raises(RpcError):
            client.reply(request)
        client.wait(lambda: done, "end of the run")


def test_contexts_and_dataclasses_are_made_by_hand_in_an_author_s_own_tests() -> None:
    ctx = SubjectCallContext(request_id=1)
    assert (ctx.request_id, ctx.cancelled, ctx.kind) == (1, None, "")
    assert ProviderCallContext(1).stream is None
    with pytest.raises(RuntimeError, match="made by hand"):
        _ = ctx.context


def test_a_stream_that_fails_before_its_first_item_is_an_error_answer() -> None:
    class Late:
        def watch(self, params: Any, ctx: Any) -> Any:
            raise OSError("cannot begin")

    class LaterStill:
        def watch(self, params: Any, ctx: Any) -> Any:
            if params == {}:
                raise OSError("cannot begin")
            yield

    class Nothing:
        def watch(self, params: Any, ctx: Any) -> Any:
            return 7

    for backend in (Late(), LaterStill(), Nothing()):
        with client_of(backend, "trigger_backend") as client:
            with pytest.raises(RpcError) as error:
                client.call("trigger/watch", {})
            assert error.value.code == -32603


def test_a_tail_that_cannot_begin_is_an_error_answer_and_one_that_breaks_says_so() -> None:
    class Broken(Everything):
        def tail(self, params: Any, ctx: Any) -> Any:
            if params.limit:
                yield ENTRY
            raise OSError("cannot go on")

    with client_of(Broken(["store"]), "log_storage_backend") as client:
        with pytest.raises(RpcError) as error:
            client.call("log_storage/tail", {})
        assert error.value.code == -32603
        assert client.call("log_storage/tail", {"limit": 1}) == {"tailing": True}
        first = client.next_notification("log_storage/event")
        last = client.next_notification("log_storage/event", after=1)
    assert first.params["entry"]["id"] == "1"
    assert last.params["error"]["code"] == -32603


def test_errors_of_this_project_s_may_be_raised() -> None:
    class Refuses(Everything):
        def put(self, params: Any, ctx: Any) -> Any:
            raise RpcError(-32603, "full", {"category": "unavailable"})

    with client_of(Refuses(["get", "query", "list_scopes", "delete_scope"]), "memory_store") as c:
        with pytest.raises(RpcError, match="full") as error:
            c.call("memory/put", DEMANDED["memory/put"])
        assert error.value.data == {"category": "unavailable"}
