"""Conversations that are large, or deleted beside large ones, on both databases."""

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from example_apps import example
from keyed_messages import Told, refusal

from animus_routes import Unavailable
from animus_routes.batteries.sql import Database
from animus_routes.testing import TestClient

pytest_plugins = ["keyed_fixtures"]

STORE = example("conversations_sql")
MIB = 1024 * 1024
AT = "2026-01-31T09:30:0{}Z"


@pytest.fixture
def database(keyed_chats: TestClient, own_scope: Told) -> Iterator[Database]:
    """The store itself, in which nothing of earlier tests is still to be removed."""
    keyed_chats.call("conversation/list", own_scope)
    place = os.environ.get("ANIMUS_CONVERSATIONS_URL") or Path(".animus", "conversations.sqlite3")
    with closing(Database(place, STORE.LAYOUT)) as database:
        database.write_in_slices(STORE.clear)
        yield database
        database.write_in_slices(STORE.clear)


@pytest.fixture
def killed(keyed_chats: TestClient, own_scope: Told) -> Any:
    """Deletes a conversation and is killed in front of its messages."""

    def delete(name: str) -> None:
        def interrupted(_database: Any, _work: Any) -> None:
            raise InterruptedError

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(STORE.Database, "write_in_slices", interrupted)
            refusal(keyed_chats, "delete", {**own_scope, "id": name})

    return delete


def create(chats: TestClient, scope: Told, name: str, contents: list[str]) -> None:
    chats.call("conversation/create", {**scope, "id": name})
    for seq, content in enumerate(contents):
        message = {"seq": seq, "role": "user", "content": content, "recorded_at": AT.format(seq)}
        chats.call("conversation/append_message", {**scope, "id": name, "message": message})


def left(database: Database) -> int:
    """The messages of deleted conversations."""
    gone = "NOT EXISTS (SELECT 1 FROM conversations WHERE number = conversation)"
    with database.read() as db:
        return int(db.value(f"SELECT count(*) FROM conversation_messages WHERE {gone}"))


def titled(chats: TestClient, scope: Told, name: str, title: str) -> Told:
    """The params of a save."""
    meta = chats.call("conversation/load_meta", {**scope, "id": name})["meta"]
    return {**scope, "meta": {**meta, "title": title}}


def test_a_summary_that_fits_into_no_list_hides_no_other(
    keyed_chats: TestClient, own_scope: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        create(keyed_chats, own_scope, str(number), ["x"] * number)
    with monkeypatch.context() as before:  # as 0.1.0 took it
        before.setattr(STORE, "LONGEST", {})
        params = titled(keyed_chats, own_scope, "4", "t" * 5 * MIB)
        keyed_chats.call("conversation/save_meta", params)
    answer = keyed_chats.call("conversation/list", own_scope)
    assert [summary["id"] for summary in answer["conversations"]] == ["0", "3", "2", "1"]
    assert (answer["truncated"], answer["total"]) == (True, 5)


def test_a_meta_that_cannot_be_listed_or_loaded_is_refused(
    keyed_chats: TestClient, own_scope: Told
) -> None:
    create(keyed_chats, own_scope, "x", [])
    long_title = titled(keyed_chats, own_scope, "x", "t" * 2 * MIB)
    error = refusal(keyed_chats, "save_meta", long_title)
    assert (error.code, error.data["issues"][0]["path"]) == (-32602, "meta")
    assert f"{MIB} can be kept" in error.message
    unknown = titled(keyed_chats, own_scope, "x", "t")
    unknown["meta"]["unknown"] = "u" * 6 * MIB
    keyed_chats.call("conversation/save_meta", unknown)
    unknown["meta"]["unknown"] = "u" * 7 * MIB
    assert refusal(keyed_chats, "save_meta", unknown).code == -32602
    long_agent = {**own_scope, "agent_id": "a" * 2 * MIB}
    assert refusal(keyed_chats, "create", long_agent).code == -32602
    (listed,) = keyed_chats.call("conversation/list", own_scope)["conversations"]
    assert listed["title"] == "t"


def test_a_message_that_fits_into_no_answer_hides_no_other(
    keyed_chats: TestClient, own_scope: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:  # as 0.1.0 took it
        before.setattr(STORE, "HISTORY_BYTES", 2**30)
        create(keyed_chats, own_scope, "x", ["first", "long" * 2 * MIB, "last"])
    answer = keyed_chats.call("conversation/load_messages", {**own_scope, "id": "x"})
    assert [message["content"] for message in answer["messages"]] == ["first", "last"]
    assert (answer["truncated"], answer["total"]) == (True, 3)


def test_a_small_delete_does_not_wait_for_the_end_of_a_large_one(
    keyed_chats: TestClient,
    own_scope: Told,
    database: Database,
    killed: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(STORE, "SLICE", 2)
    create(keyed_chats, own_scope, "large", ["x"] * 20)
    create(keyed_chats, own_scope, "small", ["x"] * 5)
    killed("large")
    before = left(database)
    keyed_chats.call("conversation/delete", {**own_scope, "id": "unknown"})
    keyed_chats.call("conversation/delete", {**own_scope, "id": "small"})
    assert left(database) == before - 2 * STORE.SLICE  # what each write does for others
    keyed_chats.call("conversation/create", {**own_scope, "id": "small"})
    with database.read() as db:
        assert db.value("SELECT count(*) FROM conversations_deleted") == 1


def test_a_slice_of_long_messages_has_few_of_them(
    keyed_chats: TestClient,
    own_scope: Told,
    database: Database,
    killed: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(STORE, "SLICE_BYTES", 1000)
    create(keyed_chats, own_scope, "x", ["short", "short", *["long" * 500] * 3, *["short"] * 7])
    killed("x")
    found = [left(database)]
    while found[-1]:
        keyed_chats.call("conversation/delete", {**own_scope, "id": "unknown"})
        found.append(left(database))
    assert found == [9, 8, 7, 0]


def test_a_delete_is_made_although_the_rows_behind_it_cannot_be_removed_now(
    keyed_chats: TestClient,
    own_scope: Told,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    create(keyed_chats, own_scope, "x", ["a", "b", "c"])
    monkeypatch.setattr(STORE, "SLICE", 1)

    def full(_database: Any, _work: Any) -> None:
        raise Unavailable("disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(STORE.Database, "write_in_slices", full)
        assert keyed_chats.call("conversation/delete", {**own_scope, "id": "x"}) == {}
    assert "disk is full" in capfd.readouterr().err
    assert left(database) == 2
