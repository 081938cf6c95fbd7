"""The wire rules of the roles that keep things: logs, memory, conversations, journals."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from animus_routes import (
    App,
    ConfigurationError,
    Context,
    InvalidRequest,
    NotFound,
    NotSupported,
    PermissionDenied,
    QuotaExceeded,
    RpcError,
    Unavailable,
)
from animus_routes.describe.manifest import manifest
from animus_routes.roles import role
from animus_routes.structs import log_storage, memory_store, plugin, workflow_journal
from animus_routes.testing import TestClient
from animus_routes.types import log_storage as pydantic_log_storage

KINDS = ("log_storage_backend", "memory_store", "conversation_store", "workflow_journal")
REQUIRED = {
    "log_storage_backend": {"log_storage/store"},
    "memory_store": {
        f"memory/{verb}" for verb in ("put", "get", "query", "list_scopes", "delete_scope")
    },
    "conversation_store": {
        f"conversation/{verb}"
        for verb in (
            *("create", "load_meta", "save_meta", "append_message", "load_messages"),
            *("list", "delete"),
        )
    },
    "workflow_journal": {
        f"journal/{verb}" for verb in ("save", "load", "list", "query_ids", "delete")
    },
}
OPTIONAL = {
    "log_storage_backend": {"log_storage/query", "log_storage/tail"},
    "memory_store": set[str](),
    "conversation_store": {
        f"conversation/operation_{verb}"
        for verb in (
            *("begin", "load", "renew", "bind_execution"),
            *("release", "accept_user", "terminalize"),
        )
    },
    "workflow_journal": {
        f"journal/{verb}"
        for verb in (
            *("checkpoint_save", "checkpoint_load", "checkpoint_list", "checkpoint_prune"),
            *("record", "events"),
        )
    },
}
DERIVED = {"log_storage_backend": {"log_storage/schema"}, "workflow_journal": {"journal/schema"}}
ENTRY: dict[str, Any] = {
    "id": "1",
    "ts": "2026-01-31T09:30:00.123456789+01:00",
    "level": "info",
    "source": "daemon",
    "target": "daemon",
    "message": "hello",
}
RUN: dict[str, Any] = {"workflow_id": "w", "status": "running", "blob": None}
EVENT: dict[str, Any] = {"run_id": "w", "kind": "run_started", "ts": "2026-01-31T09:30:00Z"}
SCOPE: dict[str, Any] = {"project_id": "p"}
META: dict[str, Any] = {
    "id": "c",
    "created_at": "",
    "updated_at": "",
    "message_count": 0,
    "visibility": "private",
}
MESSAGE: dict[str, Any] = {
    "seq": 0,
    "role": "user",
    "content": "hi",
    "recorded_at": "",
    "usage": {"a": None},
}
PARAMS: dict[str, Any] = {
    "log_storage/store": {"entries": [ENTRY, {**ENTRY, "id": "2"}]},
    "memory/put": {"scope": SCOPE, "key": "k", "value": None},
    "memory/get": {"scope": SCOPE, "key": "k"},
    "memory/query": {"scope": SCOPE, "query": "q", "top_k": 3},
    "memory/delete_scope": {"scope": SCOPE},
    "conversation/load_meta": {"id": "c"},
    "conversation/save_meta": {"meta": META},
    "conversation/append_message": {"id": "c", "message": MESSAGE},
    "conversation/load_messages": {"id": "c"},
    "conversation/delete": {"id": "c"},
    "journal/save": {"run": RUN},
    "journal/load": {"workflow_id": "w"},
    "journal/delete": {"workflow_id": "w"},
    "journal/checkpoint_save": {"workflow_id": "w", "checkpoint_num": 1, "blob": None},
    "journal/checkpoint_load": {"workflow_id": "w", "checkpoint_num": 1},
    "journal/checkpoint_list": {"workflow_id": "w"},
    "journal/checkpoint_prune": {"workflow_id": "w", "keep": 1},
    "journal/record": {"event": EVENT},
}


def app_of(kind: Any, handlers: dict[str, Callable[..., Any]] | None = None, **more: Any) -> App:
    """An app with every required method of its kind, and some of the test's own."""
    app = App(kind=kind, name="store", version="1.0.0", description="A store", **more)
    given = handlers or {}
    for name in sorted(REQUIRED[kind] - given.keys()):
        app.method(name)(lambda params: None)
    for name, handler in given.items():
        app.method(name)(handler)
    return app


def answer(kind: str, method: str, result: Any) -> Any:
    """What goes out for a handler's result."""
    with TestClient(app_of(kind, {method: lambda params: result})) as client:
        return client.call(method, PARAMS.get(method))


def error_of(kind: str, method: str, error: Exception) -> RpcError:
    def failing(params: dict[str, Any]) -> None:
        raise error

    with (
        TestClient(app_of(kind, {method: failing})) as client,
        pytest.raises(RpcError) as raised,
    ):
        client.call(method, PARAMS.get(method))
    return raised.value


def kind_of(method: str) -> str:
    return next(kind for kind in KINDS if role(kind).method(method) is not None)


@pytest.mark.parametrize("kind", KINDS)
def test_the_table_has_the_methods_of_the_protocol(kind: str) -> None:
    rows = role(kind).methods
    derived = DERIVED.get(kind, set())
    assert {row.name for row in rows if row.default is not None} == derived
    assert {row.name for row in rows if row.required} - derived == REQUIRED[kind]
    assert {row.name for row in rows if not row.required} - derived == OPTIONAL[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_a_required_method_that_is_missing_is_a_start_up_problem(kind: Any) -> None:
    app = App(kind=kind, name="store", version="1.0.0", description="A store")
    with pytest.raises(ConfigurationError) as refused:
        TestClient(app)
    for name in REQUIRED[kind]:
        assert any(name in problem for problem in refused.value.problems)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_registered_is_advertised_and_the_rest_is_told_apart(kind: str) -> None:
    some = sorted(OPTIONAL[kind])[:1]
    app = app_of(kind, {name: lambda params: None for name in some})
    listed = {*REQUIRED[kind], *DERIVED.get(kind, ()), *some, "health/check"}
    with TestClient(app) as client:
        assert set(client.initialize_result["capabilities"]["methods"]) == listed
        assert set(manifest(app)["capabilities"]) == listed
        for name in OPTIONAL[kind] - {*some}:
            with pytest.raises(RpcError) as unsupported:
                client.call(name)
            assert (unsupported.value.code, unsupported.value.data) == (
                -32001,
                {"category": "not_supported"},
            )
        group = min(REQUIRED[kind]).partition("/")[0]
        for name in (f"{group}/nothing", "subject/list"):
            with pytest.raises(RpcError) as unknown:
                client.call(name)
            assert unknown.value.code == -32601


@pytest.mark.parametrize(
    ("kind", "crate_version", "extra"),
    [
        (
            "memory_store",
            "0.1.0",
            {
                "max_query_top_k": 0,
                "native_key_get": False,
                "native_ttl": False,
                "strong_consistency": False,
            },
        ),
        ("conversation_store", "0.1.18", None),
        ("workflow_journal", "0.1.15", None),
    ],
)
def test_kind_capabilities_say_the_crates_real_version(
    kind: str, crate_version: str, extra: Any
) -> None:
    with TestClient(app_of(kind)) as client:
        found = client.initialize_result["kind_capabilities"][kind]
    assert (found["crate_version"], found.get("extra")) == (crate_version, extra)


@pytest.mark.parametrize(
    "given",
    [{"native_ttl": True}, memory_store.MemoryStoreCapabilities(native_ttl=True)],
)
def test_an_author_says_what_a_memory_store_can_do(given: Any) -> None:
    with TestClient(app_of("memory_store", kind_capabilities={"memory_store": given})) as client:
        extra = client.initialize_result["kind_capabilities"]["memory_store"]["extra"]
    assert (extra["native_ttl"], extra["native_key_get"]) == (True, False)


def test_log_storage_has_no_kind_capabilities() -> None:
    with TestClient(app_of("log_storage_backend")) as client:
        assert "kind_capabilities" not in client.initialize_result


@pytest.mark.parametrize(
    ("method", "result", "wire"),
    [
        ("log_storage/store", None, {"stored": 2}),
        ("log_storage/store", True, {"stored": 2}),
        ("log_storage/store", 1, {"stored": 1}),
        ("log_storage/store", 0, {"stored": 0}),
        ("log_storage/store", {"stored": 5}, {"stored": 5}),
        ("log_storage/store", log_storage.LogStoreResult(stored=3), {"stored": 3}),
        ("log_storage/store", pydantic_log_storage.LogStoreResult(stored=4), {"stored": 4}),
        ("log_storage/query", None, {"entries": []}),
        ("log_storage/query", [ENTRY], {"entries": [ENTRY]}),
        ("log_storage/query", [log_storage.LogEntry(**ENTRY)], {"entries": [ENTRY]}),
        ("log_storage/query", [pydantic_log_storage.LogEntry(**ENTRY)], {"entries": [ENTRY]}),
        (
            "log_storage/query",
            log_storage.LogQueryResult(entries=[], next_cursor="x"),
            {"entries": [], "next_cursor": "x"},
        ),
        ("memory/get", None, {"found": False}),
        ("memory/get", {"found": True}, {"found": True}),
        (
            "memory/get",
            memory_store.GetMemoryResponse(found=True, value=0),
            {"found": True, "value": 0},
        ),
        ("memory/query", None, {"results": []}),
        (
            "memory/query",
            [memory_store.MemoryQueryResult(key="k", value=None, score=1)],
            {"results": [{"key": "k", "value": None, "score": 1.0}]},
        ),
        ("memory/list_scopes", [SCOPE], {"scopes": [SCOPE]}),
        ("memory/delete_scope", None, {"ack": True}),
        ("memory/delete_scope", False, {"ack": False}),
        ("memory/delete_scope", {"ack": True, "note": "kept"}, {"ack": True, "note": "kept"}),
        (
            "memory/put",
            memory_store.PutMemoryResponse(ack=True, indexed_immediately=False),
            {"ack": True, "indexed_immediately": False},
        ),
        ("conversation/create", {"meta": META}, {"meta": META}),
        ("conversation/load_meta", None, {}),
        (
            "conversation/load_meta",
            plugin.ConversationLoadMetaResponse(meta=plugin.ConversationMeta(**META)),
            {"meta": META | {"revision": 0}},
        ),
        ("conversation/save_meta", None, {}),
        ("conversation/append_message", True, {}),
        ("conversation/delete", plugin.ConversationDeleteResponse(), {}),
        ("conversation/load_messages", None, {"messages": []}),
        ("conversation/load_messages", [MESSAGE], {"messages": [MESSAGE]}),
        ("conversation/load_messages", plugin.ConversationLoadMessagesResponse(), {"messages": []}),
        ("conversation/list", [], {"conversations": []}),
        ("journal/save", None, None),
        ("journal/load", None, {"run": None}),
        ("journal/load", workflow_journal.LoadResult(), {"run": None}),
        ("journal/load", {"run": RUN}, {"run": RUN}),
        ("journal/list", [RUN], {"runs": [RUN], "truncated": False}),
        (
            "journal/list",
            workflow_journal.ListResult(runs=[workflow_journal.JournalRun(**RUN)], truncated=True),
            {"runs": [RUN], "truncated": True},
        ),
        ("journal/query_ids", ["w"], {"ids": ["w"], "truncated": False}),
        ("journal/delete", None, None),
        ("journal/checkpoint_load", None, {"blob": None}),
        ("journal/checkpoint_load", {"blob": [1]}, {"blob": [1]}),
        ("journal/checkpoint_list", [1, 2], {"checkpoint_nums": [1, 2]}),
        ("journal/events", None, {"events": [], "truncated": False}),
        ("journal/events", [EVENT], {"events": [EVENT], "truncated": False}),
    ],
)
def test_a_result_goes_out_as_the_host_decodes_it(method: str, result: Any, wire: Any) -> None:
    assert answer(kind_of(method), method, result) == wire


def test_a_handler_that_declares_to_return_nothing_is_answered_as_its_role_says() -> None:
    app = app_of("conversation_store", {})

    def save(params: dict[str, Any]) -> None: ...

    app.registrations[:] = [r for r in app.registrations if r.name != "conversation/save_meta"]
    app.method("conversation/save_meta")(save)
    with TestClient(app) as client:
        assert client.call("conversation/save_meta", {"meta": META}) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_params_reach_a_typed_handler_as_they_were_sent(kind: str) -> None:
    seen: list[Any] = []

    def keep(params: dict[str, Any]) -> None:
        seen.append(params)

    names = sorted((REQUIRED[kind] | OPTIONAL[kind]) & PARAMS.keys())
    with TestClient(app_of(kind, dict.fromkeys(names, keep)), check_results=False) as client:
        for name in names:
            client.call(name, PARAMS[name])
    assert seen == [PARAMS[name] for name in names]


def test_params_are_decoded_into_either_family() -> None:
    seen: list[Any] = []

    def struct(request: log_storage.LogStoreRequest) -> None:
        seen.append(request)

    def model(request: pydantic_log_storage.LogStoreRequest) -> None:
        seen.append(request)

    def fields(entries: list[log_storage.LogEntry]) -> None:
        seen.append(entries)

    for handler in (struct, model, fields):
        with TestClient(app_of("log_storage_backend", {"log_storage/store": handler})) as client:
            assert client.call("log_storage/store", PARAMS["log_storage/store"]) == {"stored": 2}
    assert [type(found).__name__ for found in seen] == ["LogStoreRequest"] * 2 + ["list"]
    assert seen[0].entries[0].ts == seen[1].entries[0].ts == seen[2][0].ts == ENTRY["ts"]


def test_params_that_do_not_decode_are_named() -> None:
    def store(request: log_storage.LogStoreRequest) -> int:
        return len(request.entries)

    with TestClient(app_of("log_storage_backend", {"log_storage/store": store})) as client:
        with pytest.raises(RpcError) as refused:
            client.call("log_storage/store", {"entries": [ENTRY, {**ENTRY, "level": "loud"}]})
        assert client.call("log_storage/store", {"entries": []}) == {"stored": 0}
    assert refused.value.code == -32602
    assert refused.value.data["category"] == "invalid_request"
    assert refused.value.data["issues"][0]["path"] == "entries.1.level"


@pytest.mark.parametrize("params", [None, {}])
def test_a_query_without_params_is_the_default_query(params: Any) -> None:
    seen: list[log_storage.LogQuery] = []

    def query(query: log_storage.LogQuery) -> None:
        seen.append(query)

    with TestClient(app_of("log_storage_backend", {"log_storage/query": query})) as client:
        assert client.call("log_storage/query", params) == {"entries": []}
    assert seen == [log_storage.LogQuery()]


@pytest.mark.parametrize(
    ("error", "code", "category", "message"),
    [
        (NotFound("x"), -32602, "not_found", "not found: x"),
        (InvalidRequest("x"), -32602, "invalid_request", "x"),
        (NotSupported("x"), -32001, "not_supported", "x"),
        (Unavailable("x"), -32603, "unavailable", "backend unavailable: x"),
        (QuotaExceeded("x"), -32603, "quota_exceeded", "quota exceeded: x"),
    ],
)
def test_errors_map_as_the_log_storage_crate_maps_them(
    error: Exception, code: int, category: str, message: str
) -> None:
    found = error_of("log_storage_backend", "log_storage/store", error)
    assert (found.code, found.data["category"], found.message) == (code, category, message)


def test_a_bug_of_a_log_storage_is_an_internal_error() -> None:
    found = error_of("log_storage_backend", "log_storage/store", ValueError("wrong"))
    assert (found.code, found.data["category"]) == (-32603, "other")
    assert found.message.startswith("internal error ")


@pytest.mark.parametrize(
    ("method", "error", "code"),
    [
        ("journal/load", NotFound("x"), -32602),
        ("journal/record", NotSupported("x"), -32001),
        ("journal/save", Unavailable("x"), -32603),
        ("conversation/append_message", InvalidRequest("seq"), -32602),
        ("conversation/load_meta", PermissionDenied("x"), -32600),
        ("memory/put", RpcError(-32407, "project binding mismatch"), -32407),
        ("memory/get", RpcError(-32402, "no such key"), -32402),
    ],
)
def test_a_role_without_categories_of_its_own_keeps_the_codes(
    method: str, error: Exception, code: int
) -> None:
    assert error_of(kind_of(method), method, error).code == code


@pytest.mark.parametrize("names", [[], ["query"], ["tail"], ["query", "tail"]])
def test_the_log_schema_agrees_with_what_is_registered(names: list[str]) -> None:
    def tail(query: log_storage.LogQuery) -> Iterator[log_storage.LogEntry]:
        yield from ()

    def query(query: log_storage.LogQuery) -> None:
        return None

    known = {"query": query, "tail": tail}
    handlers = {f"log_storage/{name}": known[name] for name in names}
    with TestClient(app_of("log_storage_backend", handlers)) as client:
        capabilities = client.initialize_result["capabilities"]
        schema = client.call("log_storage/schema")
    assert schema["supports_query"] is ("query" in names)
    assert schema["supports_tail"] is ("tail" in names)
    assert capabilities["streaming"] is ("tail" in names)
    assert (schema["supports_dedup"], set(schema["supports_filtering"].values())) == (
        False,
        {False},
    )


def test_an_authors_log_schema_cannot_contradict_the_registry() -> None:
    def schema() -> log_storage.LogStorageSchema:
        return log_storage.LogStorageSchema(
            supports_query=True,
            supports_tail=True,
            supports_dedup=True,
            supports_filtering=log_storage.SupportsFiltering(by_glob=True),
            retention_hint=-5,
        )

    with TestClient(app_of("log_storage_backend", {"log_storage/schema": schema})) as client:
        found = client.call("log_storage/schema", {})
    assert (found["supports_query"], found["supports_tail"]) == (False, False)
    assert (found["supports_dedup"], found["retention_hint"]) == (True, -5)
    assert found["supports_filtering"]["by_glob"] is True


@pytest.mark.parametrize("names", [[], ["checkpoint_save"], ["record", "events"]])
def test_the_journal_schema_is_derived(names: list[str]) -> None:
    handlers = {f"journal/{name}": lambda params: None for name in names}
    with TestClient(app_of("workflow_journal", handlers)) as client:
        assert client.call("journal/schema") == {
            "supports_checkpoints": "checkpoint_save" in names,
            "supports_events": "events" in names,
            "supports_filtering": False,
        }


def test_a_tail_is_acknowledged_before_its_entries_and_without_empty_keys() -> None:
    def tail(query: log_storage.LogQuery) -> Iterator[Any]:
        yield log_storage.LogEntry(**ENTRY)
        yield pydantic_log_storage.LogEntry(**ENTRY)
        yield {**ENTRY, "fields": {"a": None}}

    with TestClient(app_of("log_storage_backend", {"log_storage/tail": tail})) as client:
        stream = client.stream("log_storage/tail")
        assert stream.ack == {"tailing": True}
        events = [next(stream) for _ in range(3)]
        assert {n.method for n in client.notifications} == {"log_storage/event"}
    assert events == [
        {"id": stream.request_id, "entry": entry}
        for entry in (ENTRY, ENTRY, {**ENTRY, "fields": {"a": None}})
    ]


def test_a_tail_ends_when_the_host_cancels_it() -> None:
    ended: list[bool] = []

    def tail(ctx: Context, query: log_storage.LogQuery) -> Iterator[log_storage.LogEntry]:
        try:
            yield log_storage.LogEntry(**ENTRY)
            ctx.wait(5)
            yield log_storage.LogEntry(**ENTRY)
        finally:
            ended.append(ctx.cancelled)

    app = app_of("log_storage_backend", {"log_storage/tail": tail})
    with TestClient(app) as client, client.stream("log_storage/tail", {"follow": True}) as stream:
        assert stream.ack == {"tailing": True}
        assert next(stream)["entry"] == ENTRY
    assert ended == [True]
    assert len(client.notifications) == 1
