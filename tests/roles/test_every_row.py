"""Every row of the protocol's role tables, each in an app of its own.

`rows.json` holds the rows as the protocol's sources give them, apart from the tables in the
package: kind -> method -> required, and the notifications a plugin may send.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import NODEFAULT

from animus_routes import App, ConfigurationError, NotFound, RpcError
from animus_routes.roles import MethodRow, role
from animus_routes.testing import TestClient
from animus_routes.values.hints import wire_type

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "types"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from rule_cases import CASES
from wire_payloads import payload

ROWS: dict[str, Any] = json.loads((Path(__file__).parent / "rows.json").read_text("utf-8"))
METHODS = [(kind, method) for kind, rows in ROWS.items() for method in rows["methods"]]
ACKED = {"subject/watch", "trigger/watch", "log_storage/tail"}
# Their conveniences are the answers of their own tests; None is one that fits each.
DERIVED = {"subject/schema", "trigger/schema", "log_storage/schema", "transport/schema"}
DERIVED |= {"notifier/schema", "journal/schema", "channel/schema"}


def row_of(kind: str, method: str) -> MethodRow:
    row = role(kind).method(method)
    assert row is not None
    return row


def example(wire: str | None) -> Any:
    """A full payload of a wire type; an empty object where the protocol has no type."""
    if wire is None:
        return {}
    module, _, name = wire.partition(".")
    if wire in CASES:
        return payload(module, name, full=False) | CASES[wire][0]
    return payload(module, name, full=True)


def without_proof(value: Any) -> Any:
    """Without what would have to be that of the call: fences, receipts, a delivery's name."""
    if isinstance(value, dict):
        proof = {"execution_fence", "publication_receipt"}
        proof |= {"scope", "delivery_id"} if "delivery_id" in value else set()
        return {name: without_proof(item) for name, item in value.items() if name not in proof}
    return [without_proof(item) for item in value] if isinstance(value, list) else value


def app_with(kind: Any, *methods: str, raising: Exception | None = None) -> App:
    """An app with these methods and the required ones; each takes and gives plain JSON."""
    subjects = ["task"] if role(kind).subjects else []
    app = App(kind=kind, name="n", version="1.0.0", description="d", subject_kinds=subjects)
    sets = [{*one.methods} for one in role(kind).together if one.whole]
    besides = set[str]().union(*(one for one in sets if one.intersection(methods)))
    for row in role(kind).methods:
        needed = (row.required and row.default is None) or row.name in besides
        if row.name in methods or needed:
            app.method(row.name)(handler_of(row, raising if row.name in methods else None))
    return app


def handler_of(row: MethodRow, raising: Exception | None) -> Any:
    def handle(params: dict[str, Any]) -> Any:
        if raising is not None:
            raise raising
        return None if row.name in ACKED else without_proof(example(row.result))

    return handle


@pytest.mark.parametrize("kind", ROWS)
def test_the_table_has_every_row_and_no_other(kind: str) -> None:
    table = {row.name: row.required for row in role(kind).methods}
    assert table == ROWS[kind]["methods"]
    sent = {*role(kind).notifications}
    sent |= {row.stream.notification for row in role(kind).methods if row.stream is not None}
    assert set(ROWS[kind]["notifications"]) <= sent


@pytest.mark.parametrize("kind", ROWS)
def test_a_row_says_whether_its_method_reads_or_acts(kind: str) -> None:
    """What is not known to read is taken to act: `check` calls it only if its author allows that."""
    assert {row.name for row in role(kind).methods if row.reads} == set(ROWS[kind]["reads"])


@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_a_method_is_advertised_exactly_when_it_is_served(kind: str, method: str) -> None:
    row = row_of(kind, method)
    registered = app_with(kind, method)
    if row.stops is None or row.served_with is not None:
        assert method in registered.manifest()["capabilities"]
    bare = app_with(kind)
    always = row.required or row.served_with is not None or (row.default and row.advertised)
    assert (method in bare.manifest()["capabilities"]) is bool(always)
    with TestClient(bare) as client:
        assert client.initialize_result["capabilities"]["methods"] == [
            name for name in bare.manifest()["capabilities"] if not name.startswith("subject_kind:")
        ]


@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_params_come_in_whole_and_the_result_is_one_a_host_decodes(kind: str, method: str) -> None:
    row = row_of(kind, method)
    with TestClient(app_with(kind, method)) as client:
        result = client.call(method, example(row.params))
    if row.result is not None and result is not None:
        msgspec.convert(result, wire_type(row.result), strict=True)
    else:
        assert result is None or isinstance(result, dict)


@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_a_method_without_a_handler_is_derived_refused_or_a_startup_problem(
    kind: Any, method: str
) -> None:
    row = row_of(kind, method)
    if row.required and row.default is None:
        app = App(
            kind=kind,
            name="n",
            version="1.0.0",
            description="d",
            subject_kinds=["task"] if role(kind).subjects else [],
        )
        with pytest.raises(ConfigurationError, match=f"'{method}' is required"):
            app.check()
        return
    with TestClient(app_with(kind)) as client:
        if row.default is not None or row.served_with is not None:
            assert isinstance(client.call(method, {"session_id": "s"}), dict)
            return
        with pytest.raises(RpcError) as caught:
            client.call(method, example(row.params))
    assert caught.value.code == -32001
    unsupported = "unsupported" if kind == "subject_backend" else "not_supported"
    assert caught.value.data["category"] == unsupported


# Hosts decode the results of newer methods field by field, with or without room for more.
DECODED = [(kind, method) for kind, method in METHODS if row_of(kind, method).decoded]


def test_hosts_decode_the_results_of_all_newer_methods() -> None:
    newer = {name for _, name in METHODS if name.split("/")[1] == "v2" or "operation_" in name}
    newer |= {f"environment/{verb}" for verb in ("list", "get", "teardown_node", "reap")}
    newer |= {"environment/exec_session", *(f"channel/{v}" for v in ("receive", "send", "status"))}
    assert {name for _, name in DECODED} == newer


def defaults(wire: Any) -> list[Any]:
    """A wire type's defaults, one for each of its fields."""
    given = wire.__struct_defaults__
    return [NODEFAULT] * (len(wire.__struct_fields__) - len(given)) + [*given]


def giving(app: App, method: str, result: Any) -> App:
    app.registrations[:] = [one for one in app.registrations if one.name != method]
    app.method(method)(lambda params: result)
    return app


# What has no required field can be wrong all the same.
WRONG: list[tuple[str, Any, str]] = [
    ("environment/list", {"nodes": [{"id": "n-1"}]}, "name"),
    ("environment/get", {"node": {"id": "n-1", "orphan": False}}, "name"),
    ("environment/teardown_node", {"deleted": [7]}, "deleted"),
    ("environment/reap", {"deleted": [7]}, "deleted"),
    ("conversation/operation_load", {"operation": {"operation_id": "op-1"}}, "conversation_id"),
    ("queue/v2/lease", {"leased": [], "x-unknown": 1}, "x-unknown"),
    ("queue/v2/lease", {"leased": [{"entry": {}}]}, "leased[0].entry"),
    ("queue/v2/completion", {"outcome": "done"}, "outcome"),
    ("channel/receive", {"duplicate": False, "x-unknown": 1}, "x-unknown"),
    ("channel/send", {"state": "sent"}, "state"),
    ("subject/v2/get", {"id": "task:9", "kind": "task", "title": "t", "status": "open"}, "status"),
    ("subject/v2/list", {"subjects": [{"id": "task:9", "kind": "task"}]}, "subjects[0]"),
    ("subject/v2/delete", {"deleted": True}, "ok"),
]
for wire_kind, wire_method in DECODED:
    known = wire_type(row_of(wire_kind, wire_method).result or "")
    whole = without_proof(example(row_of(wire_kind, wire_method).result))
    WRONG += [
        (wire_method, {n: v for n, v in whole.items() if n != name}, name)
        for name, default in zip(known.__struct_encode_fields__, defaults(known), strict=True)
        if default is NODEFAULT and name in whole and name not in {"scope", "delivery_id"}
    ]


@pytest.mark.parametrize(
    ("method", "result", "field"), WRONG, ids=[f"{method}-{field}" for method, _, field in WRONG]
)
def test_a_plain_result_that_no_host_decodes_is_an_error_that_names_the_field(
    method: str, result: Any, field: str
) -> None:
    (kind,) = {one for one, name in METHODS if name == method}
    app = giving(app_with(kind, method), method, result)
    with TestClient(app, check_results=False) as client, pytest.raises(RpcError) as caught:
        client.call(method, example(row_of(kind, method).params))
    assert caught.value.code == -32603
    assert field in str(caught.value.__cause__)


def test_what_is_at_its_default_is_left_out_of_a_strict_result() -> None:
    found: dict[str, Any] = {"leased": [], "blocked": []}
    app = giving(app_with("queue", "queue/v2/lease"), "queue/v2/lease", found)
    with TestClient(app) as client:
        assert client.call("queue/v2/lease", example("queue.QueueLeaseV2Request")) == {"leased": []}


def by_fields(names: list[str]) -> Any:
    """A handler with a parameter for each of the names."""
    scope: dict[str, Any] = {}
    named = ", ".join(["*", *(f"{name}=None" for name in names)] if names else [])
    exec(f"def handle({named}): raise NotFound('it')", {"NotFound": NotFound}, scope)
    return scope["handle"]


@pytest.mark.parametrize("family", ["structs", "types"])
@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_every_field_that_hosts_send_may_be_a_parameter(
    kind: str, method: str, family: str
) -> None:
    row = row_of(kind, method)
    names = [*dict.fromkeys((*fields_sent(row.params), *row.sent_beside))]
    if row.stops is not None:
        return
    if row.params is not None:
        import_module(f"animus_routes.{family}.{row.params.partition('.')[0]}")
    app = app_with(kind, method)
    app.registrations[:] = [one for one in app.registrations if one.name != method]
    app.method(method)(by_fields([name for name in names if not iskeyword(name)]))
    with TestClient(app) as client, pytest.raises(NotFound):
        client.call(method, {**example(row.params), **actor_beside(row)})


def actor_beside(row: MethodRow) -> dict[str, Any]:
    return {"actor": {"user_id": "kim"}} if row.actor == "actor" else {}


def fields_sent(wire: str | None) -> list[str]:
    found = wire_type(wire).__struct_encode_fields__ if wire is not None else ()
    return [name for name in found if name]


def with_actor(row: MethodRow, actor: Any) -> dict[str, Any]:
    """A row's example, from somebody: where the row has it, or at the top where it has nothing."""
    params: dict[str, Any] = example(row.params)
    if row.actor == "context.actor":
        return params | {"context": {"actor": actor}}
    return params | {"actor": actor}


@pytest.mark.parametrize("actor", ["kim", 7, True, [], {}, {"user_id": 7}, {"user_id": None}])
@pytest.mark.parametrize(("kind", "method"), METHODS)
def test_no_method_takes_a_malformed_actor_for_none(kind: Any, method: str, actor: Any) -> None:
    row = row_of(kind, method)
    apps = [app_with(kind, method, raising=NotFound("the handler was called"))]
    if row.default is not None or row.stops is not None:  # the framework's own answers
        apps.append(app_with(kind, *(one.name for one in role(kind).methods if one.stream)))
    for app in apps:
        assert_refused(app, [method, *app.registry.aliases(method)], row, actor)


def assert_refused(app: App, names: list[str], row: MethodRow, actor: Any) -> None:
    with TestClient(app) as client:
        # One at the top counts as well where it is not the one that is meant.
        top = [example(row.params) | {"actor": actor}] if row.actor else []
        for name, params in [(n, p) for n in names for p in (with_actor(row, actor), *top)]:
            with pytest.raises(RpcError) as caught:
                client.call(name, params)
            assert caught.value.code == -32602
            (issue,) = caught.value.data["issues"]
            assert "actor" in (issue["path"] if row.actor else issue["message"])


@pytest.mark.parametrize("kind", ROWS)
def test_an_unknown_method_is_not_found(kind: str) -> None:
    with TestClient(app_with(kind)) as client, pytest.raises(RpcError) as caught:
        client.call("no/such")
    assert caught.value.code == -32601


# All but the one that the framework itself answers.
@pytest.mark.parametrize(
    ("kind", "method"), [one for one in METHODS if one[1] != "subject/unwatch"]
)
def test_a_named_error_has_the_roles_code_and_category(kind: str, method: str) -> None:
    row = row_of(kind, method)
    app = app_with(kind, method, raising=NotFound("it"))
    with TestClient(app) as client, pytest.raises(NotFound) as caught:
        client.call(method, example(row.params))
    assert caught.value.code == -32602
    assert caught.value.message == "not found: it"
