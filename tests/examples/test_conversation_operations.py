"""Messages with a key in the conversations example, on both databases (newer 3.4)."""

import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest
from example_host import EXAMPLES, served
from keyed_messages import (
    CHATS,
    KIM,
    Told,
    acquired,
    append,
    begin,
    did,
    do,
    expire,
    history,
    load,
    meta_of,
    refusal,
)

from animus_routes import RpcError
from animus_routes.host import read_manifest
from animus_routes.testing import TestClient

pytest_plugins = ["keyed_fixtures"]

ENDS: list[tuple[str, Told]] = [
    ("completed", {"assistant_seq": 1}),
    ("assistant_failed", {"error_code": "provider", "error_message": "no answer"}),
    ("assistant_interrupted", {}),
]


# What hosts are told ------------------------------------------------------------------------------


def test_hosts_are_told_that_the_store_is_shared() -> None:
    manifest = read_manifest(CHATS, cwd=EXAMPLES.parent)
    verbs = ("begin", "load", "renew", "bind_execution", "release", "accept_user", "terminalize")
    assert set(manifest["capabilities"]) >= {
        "conversation_operations_shared_v1",
        "conversation_operation_fenced_append_v1",
        *(f"conversation/operation_{verb}" for verb in verbs),
    }


def test_the_probe_of_hosts_passes_on_a_store_with_nothing_in_it(
    tmp_path: Path, chats_env: Mapping[str, str]
) -> None:
    probe = "__animus_readiness_probe__"
    missing = "__animus_readiness_probe_missing__"
    actor = {"user_id": probe, "claims": [], "tenant_id": probe}
    asked = {"actor": actor, "tenant_id": probe, "as_user": probe, "repo_scope": str(uuid4())}
    with served(CHATS, tmp_path, env=chats_env) as plugin:
        methods = (plugin.initialize_result or {})["capabilities"]["methods"]
        assert "conversation/operation_terminalize" in methods
        assert plugin.call("conversation/load_meta", {**asked, "id": missing}) == {}
        key = {"conversation_id": missing, "caller_key": probe}
        assert plugin.call("conversation/operation_load", {**asked, **key}) == {}


# Whose the conversations are ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "claimed", [{"tenant_id": "umbrella"}, {"as_user": "lee"}], ids=["tenant", "user"]
)
def test_a_request_speaks_for_its_actor_alone(
    keyed_chats: TestClient, key: Told, claimed: Told
) -> None:
    for method, params in (
        ("load_meta", {"id": "c-1"}),
        ("list", {}),
        ("operation_load", {}),
        ("operation_begin", {"request_hash": "x"}),
    ):
        refused = refusal(keyed_chats, method, {**key, **params, **claimed})
        assert (refused.code, next(iter(claimed)) in refused.message) == (-32600, True)


def test_an_actor_owns_what_it_creates_and_sees_its_tenant(
    keyed_chats: TestClient, own_scope: Told
) -> None:
    names = ("project_root", "repo_scope", "tenant_id", "actor")
    plain = {name: own_scope[name] for name in names}
    meta = keyed_chats.call("conversation/create", {**plain, "id": "x", "agent_id": "coder"})[
        "meta"
    ]
    assert (meta["owner"], meta["agent_id"], meta["revision"]) == ("kim", "coder", 0)
    found = keyed_chats.call("conversation/list", own_scope)["conversations"]
    assert [(one["id"], one["owner"], one["agent_id"]) for one in found] == [("x", "kim", "coder")]
    lee = {**plain, "actor": {**KIM, "user_id": "lee"}}
    assert keyed_chats.call("conversation/list", lee) == {"conversations": []}
    other = {**plain, "actor": {**KIM, "tenant_id": "umbrella"}, "tenant_id": "umbrella"}
    assert keyed_chats.call("conversation/load_meta", {**other, "id": "x"}) == {}
    assert refusal(keyed_chats, "create", {**own_scope, "owner": "lee"}).code == -32600


@pytest.mark.parametrize("tenant", [None, "umbrella"])
@pytest.mark.parametrize("method", ["create", "load_meta", "list", "operation_load"])
def test_an_actor_who_does_not_name_its_own_tenant_is_refused(
    keyed_chats: TestClient, own_scope: Told, method: str, tenant: str | None
) -> None:
    params = {**own_scope, "tenant_id": tenant, "id": "x"}
    params |= {"conversation_id": "x", "caller_key": "k"}
    if tenant is None:
        del params["tenant_id"]
    assert refusal(keyed_chats, method, params).code == -32600
    nobody = {**own_scope, "id": "x", "actor": {**KIM, "user_id": " "}, "as_user": None}
    assert refusal(keyed_chats, method, {**params, **nobody}).code == -32600
    for blank in ({}, {"tenant_id": None}):  # nor is an actor without one let in
        nobodys = {**params, "actor": {"user_id": "kim", **blank}}
        assert refusal(keyed_chats, method, nobodys).code == -32600


def test_a_save_is_counted_and_may_ask_for_a_revision(keyed_chats: TestClient, key: Told) -> None:
    meta = meta_of(keyed_chats, key)
    for revision in (0, 1):
        asked = {**key, "meta": {**meta, "title": f"{revision}"}, "expected_revision": revision}
        assert keyed_chats.call("conversation/save_meta", asked) == {}
        assert meta_of(keyed_chats, key)["revision"] == revision + 1
    late = refusal(keyed_chats, "save_meta", asked)
    assert (late.code, late.data["issues"][0]["path"]) == (-32602, "expected_revision")
    (summary,) = keyed_chats.call("conversation/list", key)["conversations"]
    assert (summary["revision"], summary["title"]) == (2, "1")


@pytest.mark.parametrize("name", ["owner", "agent_id"])
@pytest.mark.parametrize("value", ["other", None])
def test_a_save_changes_neither_the_owner_nor_the_agent(
    keyed_chats: TestClient, own_scope: Told, name: str, value: str | None
) -> None:
    created = {**own_scope, "id": "x", "agent_id": "coder"}
    meta = keyed_chats.call("conversation/create", created)["meta"]
    refused = refusal(keyed_chats, "save_meta", {**own_scope, "meta": {**meta, name: value}})
    assert (refused.code, refused.data["issues"][0]["path"]) == (-32602, f"meta.{name}")
    assert keyed_chats.call("conversation/load_meta", {**own_scope, "id": "x"})["meta"] == meta


def test_an_agent_is_bound_once(keyed_chats: TestClient, key: Told) -> None:
    meta = meta_of(keyed_chats, key)
    keyed_chats.call("conversation/save_meta", {**key, "meta": {**meta, "agent_id": "coder"}})
    assert meta_of(keyed_chats, key)["agent_id"] == "coder"


# Beginning ----------------------------------------------------------------------------------------


def test_a_new_key_is_acquired_as_the_protocol_shows_it(keyed_chats: TestClient, key: Told) -> None:
    answer = begin(keyed_chats, key)
    claim = answer["claim"]
    ids = {claim.pop(name) for name in ("operation_id", "user_message_id", "assistant_message_id")}
    token, until = claim.pop("lease_token"), claim.pop("lease_expires_at")
    assert (len({*ids, token}), 0 < until - time.time() < 600) == (4, True)
    plain = {"conversation_id": "c-1", "caller_key": "send-1"}
    assert claim == {**plain, "status": "pending", "recovered": False}
    assert answer["outcome"] == "acquired"


def test_a_key_that_is_being_worked_on_is_in_progress(keyed_chats: TestClient, key: Told) -> None:
    acquired(keyed_chats, key)
    assert begin(keyed_chats, key) == {"outcome": "in_progress"}


@pytest.mark.parametrize("state", ["leased", "expired", "ended"])
def test_a_key_belongs_to_one_request(keyed_chats: TestClient, key: Told, state: str) -> None:
    claim = acquired(keyed_chats, key)
    if state == "expired":
        expire(key)
    if state == "ended":
        do(keyed_chats, "terminalize", key, claim, status="assistant_failed")
    assert begin(keyed_chats, key, "sha256:bb") == {"outcome": "conflict"}


@pytest.mark.parametrize(("status", "told"), ENDS, ids=[status for status, _ in ENDS])
def test_what_has_ended_is_told_again_and_never_changes(
    keyed_chats: TestClient, key: Told, status: str, told: Told
) -> None:
    claim = acquired(keyed_chats, key)
    assert did(keyed_chats, "accept_user", key, claim, user_seq=0)
    ended = do(keyed_chats, "terminalize", key, claim, status=status, **told)
    operation = ended["operation"]
    assert operation.items() >= {"status": status, "user_seq": 0, **told}.items()
    for verb, params in CHANGES.items():
        assert not did(keyed_chats, verb, key, claim, **params)
    replay = begin(keyed_chats, key)
    assert replay == {"outcome": "replay", "operation": operation}
    assert load(keyed_chats, key) == operation


CHANGES: dict[str, Told] = {
    "renew": {},
    "bind_execution": {"execution_hash": "h", "allow_rebind": True},
    "release": {},
    "accept_user": {"user_seq": 7},
    "terminalize": {"status": "completed", "assistant_seq": 8},
}


def test_an_operation_whose_lease_expired_is_taken_over(keyed_chats: TestClient, key: Told) -> None:
    first = acquired(keyed_chats, key)
    do(keyed_chats, "bind_execution", key, first, execution_hash="h")
    expire(key)
    second = acquired(keyed_chats, key)
    assert second["recovered"] is True
    assert second["lease_token"] != first["lease_token"]
    same = ("operation_id", "user_message_id", "assistant_message_id")
    assert [second[name] for name in same] == [first[name] for name in same]
    assert second["execution_hash"] == "h"
    for verb, params in CHANGES.items():
        assert not did(keyed_chats, verb, key, first, **params)
    assert did(keyed_chats, "renew", key, second)


def test_keys_are_apart_by_user_conversation_repository_and_tenant(
    keyed_chats: TestClient, key: Told
) -> None:
    first = acquired(keyed_chats, key)
    keyed_chats.call("conversation/create", {**key, "id": "c-2"})
    found = [acquired(keyed_chats, {**key, "conversation_id": "c-2"})]
    for other in (
        {"repo_scope": str(uuid4())},
        {"actor": {**KIM, "tenant_id": "umbrella"}, "tenant_id": "umbrella"},
    ):
        keyed_chats.call("conversation/create", {**key, **other, "id": "c-1"})
        found.append(acquired(keyed_chats, {**key, **other}))
    admin = {name: key[name] for name in key if name not in {"actor", "as_user"}}
    found.append(acquired(keyed_chats, admin))
    assert len({claim["operation_id"] for claim in (first, *found)}) == 5


def test_an_operation_needs_a_conversation_that_its_user_may_change(
    keyed_chats: TestClient, key: Told
) -> None:
    missing = {**key, "conversation_id": "c-0", "request_hash": "x"}
    refused = refusal(keyed_chats, "operation_begin", missing)
    assert (refused.code, "c-0" in refused.message) == (-32602, True)
    lee = {**key, "actor": {**KIM, "user_id": "lee"}, "as_user": "lee", "request_hash": "x"}
    assert refusal(keyed_chats, "operation_begin", lee).code == -32600


def test_a_conversation_that_is_made_anew_knows_no_keys(keyed_chats: TestClient, key: Told) -> None:
    acquired(keyed_chats, key)
    keyed_chats.call("conversation/delete", {**key, "id": "c-1"})
    assert load(keyed_chats, key) is None
    keyed_chats.call("conversation/create", {**key, "id": "c-1"})
    assert load(keyed_chats, key) is None
    assert acquired(keyed_chats, key)["recovered"] is False


@pytest.mark.parametrize("bad", ["", "a b", "k" * 129])
def test_a_key_that_the_protocol_does_not_know_is_invalid(
    keyed_chats: TestClient, key: Told, bad: str
) -> None:
    asked = {**key, "caller_key": bad, "request_hash": "x"}
    assert refusal(keyed_chats, "operation_begin", asked).code == -32602


# What the holder does -----------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["operation_id", "lease_token"])
def test_only_the_leases_holder_changes_an_operation(
    keyed_chats: TestClient, key: Told, field: str
) -> None:
    claim = acquired(keyed_chats, key)
    before = load(keyed_chats, key)
    for verb, params in CHANGES.items():
        answer = do(keyed_chats, verb, key, {**claim, field: "another"}, **params)
        assert answer == {"changed": False, "operation": before}


def test_a_lease_that_expired_changes_nothing(keyed_chats: TestClient, key: Told) -> None:
    claim = acquired(keyed_chats, key)
    before = load(keyed_chats, key)
    expire(key)
    for verb, params in CHANGES.items():
        assert not did(keyed_chats, verb, key, claim, **params)
    assert load(keyed_chats, key) == before


def test_an_unknown_key_is_not_changed(keyed_chats: TestClient, key: Told) -> None:
    claim = acquired(keyed_chats, key)
    assert do(keyed_chats, "renew", {**key, "caller_key": "send-2"}, claim) == {"changed": False}


def test_a_renewed_lease_stays_its_holders(keyed_chats: TestClient, key: Told) -> None:
    claim = acquired(keyed_chats, key)
    assert do(keyed_chats, "renew", key, claim) == {
        "changed": True,
        "operation": load(keyed_chats, key),
    }
    assert begin(keyed_chats, key) == {"outcome": "in_progress"}


def test_a_lease_that_is_released_can_be_acquired_at_once(
    keyed_chats: TestClient, key: Told
) -> None:
    claim = acquired(keyed_chats, key)
    assert did(keyed_chats, "release", key, claim)
    assert not did(keyed_chats, "renew", key, claim)
    assert acquired(keyed_chats, key)["recovered"] is True


def test_an_execution_is_bound_once(keyed_chats: TestClient, key: Told) -> None:
    claim = acquired(keyed_chats, key)
    bound = do(keyed_chats, "bind_execution", key, claim, execution_hash="h1")
    assert (bound["changed"], bound["operation"]["execution_hash"]) == (True, "h1")
    for allow in (False, True):
        assert not did(
            keyed_chats, "bind_execution", key, claim, execution_hash="h2", allow_rebind=allow
        )
    assert load(keyed_chats, key)["execution_hash"] == "h1"


def test_an_execution_is_bound_anew_by_who_took_over_what_is_pending(
    keyed_chats: TestClient, key: Told
) -> None:
    do(keyed_chats, "bind_execution", key, acquired(keyed_chats, key), execution_hash="h1")
    expire(key)
    claim = acquired(keyed_chats, key)
    assert not did(keyed_chats, "bind_execution", key, claim, execution_hash="h2")
    assert did(keyed_chats, "bind_execution", key, claim, execution_hash="h2", allow_rebind=True)
    assert not did(  # once a claim
        keyed_chats, "bind_execution", key, claim, execution_hash="h4", allow_rebind=True
    )
    expire(key)
    claim = acquired(keyed_chats, key)
    assert claim["recovered"] is True
    assert did(keyed_chats, "bind_execution", key, claim, execution_hash="h2", allow_rebind=True)
    do(keyed_chats, "accept_user", key, claim, user_seq=0)
    assert not did(
        keyed_chats, "bind_execution", key, claim, execution_hash="h3", allow_rebind=True
    )
    assert load(keyed_chats, key)["execution_hash"] == "h2"


def test_the_users_message_is_accepted_once_and_reserves_the_conversation(
    keyed_chats: TestClient, key: Told
) -> None:
    claim = acquired(keyed_chats, key)
    assert "active_operation_id" not in meta_of(keyed_chats, key)
    assert did(keyed_chats, "accept_user", key, claim, user_seq=4)
    assert not did(keyed_chats, "accept_user", key, claim, user_seq=5)
    operation = load(keyed_chats, key)
    assert (operation["status"], operation["user_seq"]) == ("user_accepted", 4)
    assert meta_of(keyed_chats, key)["active_operation_id"] == claim["operation_id"]


def test_one_operation_at_a_time_has_a_conversation(keyed_chats: TestClient, key: Told) -> None:
    second = {**key, "caller_key": "send-2"}
    one, other = acquired(keyed_chats, key), acquired(keyed_chats, second)
    assert did(keyed_chats, "accept_user", key, one, user_seq=0)
    assert not did(keyed_chats, "accept_user", second, other, user_seq=1)
    assert did(keyed_chats, "terminalize", key, one, status="assistant_failed")
    assert "active_operation_id" not in meta_of(keyed_chats, key)
    assert did(keyed_chats, "accept_user", second, other, user_seq=1)


def test_a_dead_hosts_operation_does_not_keep_a_conversation(
    keyed_chats: TestClient, key: Told
) -> None:
    second = {**key, "caller_key": "send-2"}
    do(keyed_chats, "accept_user", key, acquired(keyed_chats, key), user_seq=0)
    expire(key)
    claim = acquired(keyed_chats, second)
    assert did(keyed_chats, "accept_user", second, claim, user_seq=1)
    assert meta_of(keyed_chats, key)["active_operation_id"] == claim["operation_id"]


def test_a_save_reserves_and_frees_but_not_what_is_being_worked_on(
    keyed_chats: TestClient, key: Told
) -> None:
    meta = meta_of(keyed_chats, key)
    claim = acquired(keyed_chats, key)
    mine = {**meta, "active_operation_id": claim["operation_id"]}
    keyed_chats.call("conversation/save_meta", {**key, "meta": mine})
    assert meta_of(keyed_chats, key)["active_operation_id"] == claim["operation_id"]
    keyed_chats.call("conversation/save_meta", {**key, "meta": meta})
    assert meta_of(keyed_chats, key)["active_operation_id"] == claim["operation_id"]
    expire(key)
    keyed_chats.call("conversation/save_meta", {**key, "meta": meta})
    assert "active_operation_id" not in meta_of(keyed_chats, key)


@pytest.mark.parametrize("status", ["pending", "user_accepted", "done"])
def test_an_operation_ends_in_one_of_three_ways(
    keyed_chats: TestClient, key: Told, status: str
) -> None:
    claim = acquired(keyed_chats, key)
    lease = {name: claim[name] for name in ("operation_id", "lease_token")}
    asked = {**key, **lease, "status": status}
    assert refusal(keyed_chats, "operation_terminalize", asked).code == -32602
    assert load(keyed_chats, key)["status"] == "pending"


def test_numbers_that_no_database_holds_are_invalid(keyed_chats: TestClient, key: Told) -> None:
    claim = acquired(keyed_chats, key)
    lease = {name: claim[name] for name in ("operation_id", "lease_token")}
    late = {**key, **lease, "user_seq": 2**64 - 1}
    assert (
        refusal(keyed_chats, "operation_accept_user", late).data["issues"][0]["path"] == "user_seq"
    )
    late = {**key, **lease, "status": "completed", "assistant_seq": 2**64 - 1}
    path = refusal(keyed_chats, "operation_terminalize", late).data["issues"][0]["path"]
    assert path == "assistant_seq"


# Fenced appends -----------------------------------------------------------------------------------


def test_the_answer_of_an_operation_is_appended_with_its_fence(
    keyed_chats: TestClient, key: Told
) -> None:
    claim = acquired(keyed_chats, key)
    append(keyed_chats, key, 0)
    do(keyed_chats, "accept_user", key, claim, user_seq=0)
    append(keyed_chats, key, 1, claim)
    assert history(keyed_chats, key) == [0, 1]


@pytest.mark.parametrize(
    "fault",
    [
        *("not accepted", "another key", "another operation", "another token", "expired"),
        *("ended", "taken over", "another reservation"),
    ],
)
def test_a_stale_fence_appends_nothing_and_changes_no_meta(
    keyed_chats: TestClient, key: Told, fault: str
) -> None:
    claim = acquired(keyed_chats, key)
    fence: Told = {}
    if fault != "not accepted":
        do(keyed_chats, "accept_user", key, claim, user_seq=0)
    if fault == "ended":
        do(keyed_chats, "terminalize", key, claim, status="assistant_interrupted")
    if fault in {"expired", "taken over", "another reservation"}:
        expire(key)
    if fault == "taken over":
        acquired(keyed_chats, key)
    if fault == "another reservation":
        second = {**key, "caller_key": "send-2"}
        do(keyed_chats, "accept_user", second, acquired(keyed_chats, second), user_seq=1)
        claim = acquired(keyed_chats, key)
    if fault.startswith("another ") and fault != "another reservation":
        name = {"key": "caller_key", "operation": "operation_id", "token": "lease_token"}
        fence = {name[fault.removeprefix("another ")]: "another"}
    before = meta_of(keyed_chats, key)
    with pytest.raises(RpcError) as refused:
        append(keyed_chats, key, 1, claim, **fence)
    assert (refused.value.code, "stale" in refused.value.message) == (-32602, True)
    assert (history(keyed_chats, key), meta_of(keyed_chats, key)) == ([], before)


def test_a_number_that_is_taken_is_refused_with_a_fence_too(
    keyed_chats: TestClient, key: Told
) -> None:
    claim = acquired(keyed_chats, key)
    append(keyed_chats, key, 0)
    do(keyed_chats, "accept_user", key, claim, user_seq=0)
    with pytest.raises(RpcError, match="already has a message 0"):
        append(keyed_chats, key, 0, claim)
