"""Calls of the conversations example that have a key, in this process and in others."""

import os
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from example_apps import example
from example_host import EXAMPLES

from animus_routes import RpcError
from animus_routes.batteries.sql import Database
from animus_routes.host import Plugin
from animus_routes.structs import plugin as wire
from animus_routes.testing import TestClient

CHATS = [sys.executable, str(EXAMPLES / "conversations_sql.py")]
KIM = {"user_id": "kim", "claims": [], "tenant_id": "acme"}
Caller = Plugin | TestClient
Told = dict[str, Any]


def begin(chats: Caller, key: Told, content: str = "sha256:aa", **params: Any) -> Told:
    asked = {**key, "request_hash": content, **params}
    answer: Told = chats.call("conversation/operation_begin", asked)
    msgspec.convert(answer, wire.ConversationOperationBeginResponse)
    return answer


def acquired(chats: Caller, key: Told, **params: Any) -> Told:
    answer = begin(chats, key, **params)
    assert answer["outcome"] == "acquired"
    claim: Told = answer["claim"]
    return claim


def do(chats: Caller, verb: str, key: Told, claim: Told, **params: Any) -> Told:
    lease = {"operation_id": claim["operation_id"], "lease_token": claim["lease_token"]}
    answer: Told = chats.call(f"conversation/operation_{verb}", {**key, **lease, **params})
    decoded = msgspec.convert(answer, wire.ConversationOperationMutationResponse)
    assert "lease_token" not in str(answer)
    assert decoded.changed is answer["changed"]
    return answer


def did(chats: Caller, verb: str, key: Told, claim: Told, **params: Any) -> bool:
    changed: bool = do(chats, verb, key, claim, **params)["changed"]
    return changed


def load(chats: Caller, key: Told) -> Any:
    return chats.call("conversation/operation_load", key).get("operation")


def message_of(key: Told, seq: int, claim: Told | None = None, **fence: Any) -> Told:
    """The params of an append."""
    message = {"seq": seq, "role": "assistant", "content": f"turn {seq}", "recorded_at": ""}
    params = {name: key[name] for name in key if name not in {"conversation_id", "caller_key"}}
    params |= {"id": key["conversation_id"], "message": message}
    if claim is not None:
        known = {name: claim[name] for name in ("operation_id", "lease_token")}
        params["operation_fence"] = {"caller_key": key["caller_key"], **known, **fence}
    return params


def append(chats: Caller, key: Told, seq: int, claim: Told | None = None, **fence: Any) -> None:
    chats.call("conversation/append_message", message_of(key, seq, claim, **fence))


def meta_of(chats: Caller, key: Told) -> Told:
    meta: Told = chats.call("conversation/load_meta", {**key, "id": key["conversation_id"]})["meta"]
    return meta


def history(chats: Caller, key: Told) -> list[int]:
    asked = {**key, "id": key["conversation_id"]}
    found = chats.call("conversation/load_messages", asked)["messages"]
    return [message["seq"] for message in found]


def refusal(chats: Caller, method: str, params: Any) -> RpcError:
    with pytest.raises(RpcError) as refused:
        chats.call(f"conversation/{method}", params)
    return refused.value


def expire(key: Told) -> None:
    """End every lease in the key's repository."""
    place = os.environ.get("ANIMUS_CONVERSATIONS_URL")
    file = Path.cwd() / ".animus" / "conversations.sqlite3"
    layout = example("conversations_sql").LAYOUT
    with closing(Database(place or file, layout)) as database, database.write() as db:
        own = "conversation IN (SELECT number FROM conversations WHERE scope = ?)"
        text = f"UPDATE conversation_operations SET leased_until_us = 1 WHERE {own}"
        db.run(text, key["repo_scope"])
