"""Conversation operations: a message with a key is sent once (newer 3.4)."""

from __future__ import annotations

from typing import Any

import pytest

from animus_routes import App, RpcError
from animus_routes.structs import plugin as structs
from animus_routes.testing import TestClient
from animus_routes.types import plugin as types

V1 = ("create", "load_meta", "save_meta", "append_message", "load_messages", "list", "delete")
OPERATIONS = ("begin", "load", "renew", "bind_execution", "release", "accept_user", "terminalize")
TOKENS = {"conversation_operations_shared_v1", "conversation_operation_fenced_append_v1"}
PROBE = "__animus_readiness_probe_missing__"
PROBER = "__animus_readiness_probe__"
ACTOR = {"user_id": "u-1", "claims": [], "tenant_id": "t-1"}
KEY = {
    "tenant_id": "t-1",
    "repo_scope": "r",
    "conversation_id": "c-1",
    "caller_key": "send-1",
    "as_user": "u-1",
}
LEASE = {"operation_id": "op-1", "lease_token": "tok"}
OPERATION = {
    "operation_id": "op-1",
    "conversation_id": "c-1",
    "caller_key": "send-1",
    "user_message_id": "m-1",
    "assistant_message_id": "m-2",
    "status": "pending",
}
CLAIM = OPERATION | {"lease_token": "tok", "lease_expires_at": 1780000000}
ENDED = OPERATION | {"status": "completed"}
PARAMS: dict[str, Any] = {
    "begin": KEY | {"request_hash": "sha256:aa"},
    "load": KEY,
    "renew": KEY | LEASE,
    "bind_execution": KEY | LEASE | {"execution_hash": "sha256:bb"},
    "release": KEY | LEASE,
    "accept_user": KEY | LEASE | {"user_seq": 1},
    "terminalize": KEY | LEASE | {"status": "completed", "assistant_seq": 2},
}


def served(*operations: str, gives: Any = None) -> App:
    """A store with nothing in it, and some operations that all give the same."""
    app = App(kind="conversation_store", name="n", version="1.0.0", description="d")

    def nothing(params: dict[str, Any]) -> None: ...

    def same(params: dict[str, Any]) -> Any:
        return gives

    for verb in V1:
        app.method(f"conversation/{verb}")(nothing)
    for verb in operations:
        app.method(f"conversation/operation_{verb}")(same)
    return app


def answer(verb: str, gives: Any) -> Any:
    with TestClient(served(verb, gives=gives)) as client:
        return client.call(f"conversation/operation_{verb}", PARAMS[verb])


def refused(verb: str, **changes: Any) -> list[str]:
    with TestClient(served(*OPERATIONS)) as client, pytest.raises(RpcError) as caught:
        client.call(f"conversation/operation_{verb}", PARAMS[verb] | changes)
    assert caught.value.code == -32602
    return [issue["path"] for issue in caught.value.data["issues"]]


# What hosts are told ------------------------------------------------------------------------------


def test_the_tokens_are_there_when_all_seven_are() -> None:
    app = served(*OPERATIONS)
    capabilities = app.manifest()["capabilities"]
    assert {*capabilities} >= TOKENS | {f"conversation/operation_{verb}" for verb in OPERATIONS}
    with TestClient(app) as client:
        methods = client.initialize_result["capabilities"]["methods"]
        told = client.initialize_result["kind_capabilities"]["conversation_store"]
    assert {f"conversation/operation_{verb}" for verb in OPERATIONS} <= {*methods}
    assert told == {"crate_version": "0.1.18"}


@pytest.mark.parametrize("missing", OPERATIONS)
def test_without_one_of_the_seven_there_is_no_token(missing: str) -> None:
    app = served(*(verb for verb in OPERATIONS if verb != missing))
    app.check()
    assert TOKENS.isdisjoint(app.manifest()["capabilities"])


def test_the_hosts_probe_passes_on_a_store_with_nothing_in_it() -> None:
    actor = {"user_id": PROBER, "claims": [], "tenant_id": PROBER}
    scope = {"actor": actor, "tenant_id": PROBER, "repo_scope": "r", "as_user": PROBER}
    with TestClient(served(*OPERATIONS)) as client:
        assert client.call("conversation/load_meta", scope | {"id": PROBE}) == {}
        key = scope | {"conversation_id": PROBE, "caller_key": PROBER}
        assert client.call("conversation/operation_load", key) == {}


# Results ------------------------------------------------------------------------------------------


def test_a_claim_is_acquired() -> None:
    asked = PARAMS["begin"] | {"actor": ACTOR}
    with TestClient(served("begin", gives=CLAIM)) as client:
        found = client.call("conversation/operation_begin", asked)
    assert found == {"outcome": "acquired", "claim": CLAIM}


@pytest.mark.parametrize("family", [structs, types])
def test_the_frame_of_a_claim_is_what_the_host_decodes(family: Any) -> None:
    claim = family.ConversationOperationClaim(**CLAIM)
    assert answer("begin", claim) == {"outcome": "acquired", "claim": CLAIM | {"recovered": False}}
    ended = family.ConversationOperation(**ENDED)
    assert answer("begin", ended) == {"outcome": "replay", "operation": ENDED}
    whole = family.ConversationOperationBeginResponse(outcome="acquired", claim=claim)
    assert answer("begin", whole)["claim"]["recovered"] is False
    assert answer("load", ended) == {"operation": ENDED}
    assert answer("renew", ended) == {"changed": True, "operation": ENDED}
    given = family.ConversationOperationMutationResponse(changed=False)
    assert answer("release", given) == {"changed": False}


@pytest.mark.parametrize(
    ("verb", "gives", "wire"),
    [
        ("begin", "in_progress", {"outcome": "in_progress"}),
        ("begin", "conflict", {"outcome": "conflict"}),
        ("begin", {"outcome": "conflict"}, {"outcome": "conflict"}),
        ("load", None, {}),
        ("load", {"operation": ENDED}, {"operation": ENDED}),
        ("renew", True, {"changed": True}),
        ("bind_execution", False, {"changed": False}),
        ("release", {"changed": True}, {"changed": True}),
        ("accept_user", OPERATION, {"changed": True, "operation": OPERATION}),
        (
            "terminalize",
            {"changed": False, "operation": ENDED},
            {"changed": False, "operation": ENDED},
        ),
    ],
)
def test_a_result_may_be_as_short_as_what_it_says(verb: str, gives: Any, wire: Any) -> None:
    assert answer(verb, gives) == wire


@pytest.mark.parametrize(("verb", "gives"), [("begin", "acquired"), ("renew", None)])
def test_a_result_that_says_too_little_is_the_authors_mistake(verb: str, gives: Any) -> None:
    with pytest.raises(RpcError) as caught:
        answer(verb, gives)
    assert caught.value.code == -32603


# Params -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", OPERATIONS)
@pytest.mark.parametrize(
    ("field", "value"),
    [("caller_key", ""), ("caller_key", "a b"), ("caller_key", "k" * 129), ("tenant_id", "")],
)
def test_a_key_that_cannot_be_one_is_refused_in_every_operation(
    verb: str, field: str, value: str
) -> None:
    assert refused(verb, **{field: value}) == [field]


@pytest.mark.parametrize("status", ["pending", "user_accepted", "done"])
def test_an_operation_ends_in_one_of_three_ways(status: str) -> None:
    assert refused("terminalize", status=status) == ["status"]


@pytest.mark.parametrize("family", [structs, types])
def test_new_fields_of_the_older_methods_come_in(family: Any) -> None:
    seen: list[Any] = []
    app = served()
    app.registrations[:] = [r for r in app.registrations if not r.name.endswith("append_message")]

    def append(request: Any) -> None:
        seen.append(request)

    append.__annotations__["request"] = family.ConversationAppendMessageRequest
    app.method("conversation/append_message")(append)
    fence = {"caller_key": "send-1", **LEASE}
    message = {"seq": 2, "role": "assistant", "content": "", "recorded_at": ""}
    params = {"id": "c-1", "tenant_id": "t-1", "message": message, "operation_fence": fence}
    with TestClient(app) as client:
        assert client.call("conversation/append_message", params) == {}
        assert client.call("conversation/append_message", params | {"operation_fence": None}) == {}
        with pytest.raises(RpcError, match="operation_fence"):
            client.call("conversation/append_message", params | {"operation_fence": {}})
    assert seen[0].operation_fence.lease_token == "tok"
    assert seen[0].tenant_id == "t-1"
    assert seen[1].operation_fence is None
