import os
import sqlite3
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from example_apps import example, example_app
from example_host import EXAMPLES, INSTALLED, ROOT, run, served

from animus_routes import RpcError
from animus_routes.host import Plugin
from animus_routes.structs import plugin as wire
from animus_routes.testing import TestClient

pytest_plugins = ["database_fixtures"]

CHATS = [sys.executable, str(EXAMPLES / "conversations_sql.py")]
DATABASE = Path(".animus") / "conversations.sqlite3"
HOSTS = 4
TURNS = 6
Caller = Plugin | TestClient


@pytest.fixture
def shared(database: str | None) -> Mapping[str, str]:
    """The environment of every host of one store."""
    return {"ANIMUS_CONVERSATIONS_URL": database} if database else {}


@pytest.fixture
def chats(
    tmp_path: Path, shared: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[TestClient]:
    monkeypatch.chdir(tmp_path)
    for name, value in shared.items():
        monkeypatch.setenv(name, value)
    with TestClient(example_app("conversations_sql")) as client:
        yield client


@pytest.fixture
def scope(tmp_path: Path) -> dict[str, Any]:
    """What a host says with every call, here for nobody; a repository of the test's own."""
    return {"project_root": str(tmp_path), "repo_scope": str(uuid4()), "tenant_id": "acme"}


def database_of() -> str | Path:
    return os.environ.get("ANIMUS_CONVERSATIONS_URL") or Path.cwd() / DATABASE


def create(chats: Caller, scope: Any, **fields: Any) -> dict[str, Any]:
    meta: dict[str, Any] = chats.call("conversation/create", {**scope, **fields})["meta"]
    return meta


def append(chats: Caller, scope: Any, name: str, seq: int, **fields: Any) -> dict[str, Any]:
    message = {
        "seq": seq,
        "role": "user",
        "content": f"turn {seq}",
        "recorded_at": "2026-01-31T09:30:00Z",
        **fields,
    }
    params = {**scope, "id": name, "message": message}
    assert chats.call("conversation/append_message", params) == {}
    return message


def history(chats: Caller, scope: Any, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]]
    found = chats.call("conversation/load_messages", {**scope, "id": name})["messages"]
    return found


def meta_of(chats: Caller, scope: Any, name: str) -> Any:
    return chats.call("conversation/load_meta", {**scope, "id": name}).get("meta")


def listed(chats: Caller, scope: Any) -> list[str]:
    found = chats.call("conversation/list", scope)["conversations"]
    return [summary["id"] for summary in found]


def refusal(chats: Caller, method: str, params: Any) -> RpcError:
    with pytest.raises(RpcError) as refused:
        chats.call(f"conversation/{method}", params)
    return refused.value


def test_a_turn_of_the_host_is_answered_as_it_decodes_it(chats: TestClient, scope: Any) -> None:
    meta = create(chats, scope, owner="kim")
    assert meta.items() >= {"owner": "kim", "visibility": "private", "message_count": 0}.items()
    assert meta_of(chats, scope, meta["id"]) == meta
    first = append(chats, scope, meta["id"], 0)
    second = append(
        chats,
        scope,
        meta["id"],
        1,
        role="assistant",
        tool="claude",
        usage={"input_tokens": 2**70, "cached": None},
        cost_usd=0.1,
        blocks=[{"type": "text", "text": "a\0b"}, None],
        from_a_newer_host={"kept": True},
    )
    saved = {**meta, "message_count": 2, "session_id": "s", "title": "Hi", "colour": "blue"}
    assert chats.call("conversation/save_meta", {**scope, "meta": saved}) == {}
    assert history(chats, scope, meta["id"]) == [first, second]
    assert meta_of(chats, scope, meta["id"]) == {**saved, "revision": 1}
    (summary,) = chats.call("conversation/list", scope)["conversations"]
    assert summary == {
        "id": meta["id"],
        "title": "Hi",
        "owner": "kim",
        "message_count": 2,
        "updated_at": meta["updated_at"],
        "visibility": "private",
        "revision": 1,
    }
    assert chats.call("conversation/delete", {**scope, "id": meta["id"]}) == {}
    assert history(chats, scope, meta["id"]) == []
    assert meta_of(chats, scope, meta["id"]) is None


def test_a_conversation_that_nobody_knows(chats: TestClient, scope: Any) -> None:
    assert chats.call("conversation/load_meta", {**scope, "id": "x"}) == {}
    assert chats.call("conversation/load_messages", {**scope, "id": "x"}) == {"messages": []}
    for _ in range(2):
        assert chats.call("conversation/delete", {**scope, "id": "x"}) == {}
    message = {"seq": 0, "role": "user", "content": "", "recorded_at": ""}
    unknown = refusal(chats, "append_message", {**scope, "id": "x", "message": message})
    assert (unknown.code, unknown.data["category"]) == (-32602, "not_found")
    meta = {"id": "x", "created_at": "", "updated_at": ""}
    assert refusal(chats, "save_meta", {**scope, "meta": meta}).data["category"] == "not_found"
    assert listed(chats, scope) == []


def test_an_id_is_used_once(chats: TestClient, scope: Any) -> None:
    assert create(chats, scope, id="mine")["id"] == "mine"
    taken = refusal(chats, "create", {**scope, "id": "mine"})
    assert (taken.code, "'mine'" in taken.message) == (-32602, True)
    assert refusal(chats, "create", {**scope, "id": ""}).code == -32602
    assert create(chats, scope)["id"] != create(chats, scope)["id"]


def test_a_seq_that_is_taken_is_refused_and_never_renumbered(chats: TestClient, scope: Any) -> None:
    name = create(chats, scope)["id"]
    kept = [append(chats, scope, name, seq) for seq in (5, 0)]
    again = {**kept[0], "content": "other"}
    taken = refusal(chats, "append_message", {**scope, "id": name, "message": again})
    assert (taken.code, taken.data["issues"][0]["path"]) == (-32602, "message.seq")
    assert "already has a message 5" in taken.message
    assert history(chats, scope, name) == [kept[1], kept[0]]
    late = refusal(
        chats, "append_message", {**scope, "id": name, "message": {**kept[0], "seq": 2**64 - 1}}
    )
    assert late.data["issues"][0]["path"] == "message.seq"


def test_the_count_is_never_below_the_turns_that_are_kept(chats: TestClient, scope: Any) -> None:
    meta = create(chats, scope)
    append(chats, scope, meta["id"], 0)
    append(chats, scope, meta["id"], 1, recorded_at="2026-01-31T10:30:00+01:00")
    chats.call("conversation/save_meta", {**scope, "meta": {**meta, "message_count": 1}})
    assert meta_of(chats, scope, meta["id"])["message_count"] == 2
    chats.call("conversation/save_meta", {**scope, "meta": {**meta, "message_count": 7}})
    assert meta_of(chats, scope, meta["id"])["message_count"] == 7
    append(chats, scope, meta["id"], 2, recorded_at="soon")
    assert meta_of(chats, scope, meta["id"])["updated_at"] == "soon"


def test_the_newest_turn_comes_first_whatever_its_zone(chats: TestClient, scope: Any) -> None:
    times = {
        "b": "2026-01-31T09:30:00Z",
        "c": "2026-01-31T11:00:00+02:00",
        "a": "2026-01-31T00:30:00.5-09:00",
    }
    for name, at in times.items():
        create(chats, scope, id=name)
        append(chats, scope, name, 0, recorded_at=at)
    assert listed(chats, scope) == ["a", "b", "c"]


def test_a_user_reads_the_shared_and_changes_the_own(chats: TestClient, scope: Any) -> None:
    create(chats, scope, id="own", owner="kim")
    create(chats, scope, id="other", owner="lee")
    create(chats, scope, id="shared", owner="lee", visibility="shared")
    create(chats, scope, id="unowned")
    kim = {**scope, "as_user": "kim"}
    assert sorted(listed(chats, scope)) == ["other", "own", "shared", "unowned"]
    assert sorted(listed(chats, kim)) == ["own", "shared"]
    for name in ("own", "shared"):
        assert meta_of(chats, kim, name)["id"] == name
        assert history(chats, kim, name) == []
    append(chats, kim, "own", 0)
    for name in ("other", "unowned"):
        for method in ("load_meta", "load_messages"):
            assert refusal(chats, method, {**kim, "id": name}).data["category"] == (
                "permission_denied"
            )
    message = {"seq": 0, "role": "user", "content": "", "recorded_at": ""}
    meta = meta_of(chats, scope, "shared")
    for method, params in (
        ("append_message", {"id": "shared", "message": message}),
        ("save_meta", {"meta": {**meta, "owner": "kim"}}),
        ("delete", {"id": "shared"}),
    ):
        denied = refusal(chats, method, {**kim, **params})
        assert (denied.code, denied.data["category"]) == (-32600, "permission_denied")
    assert meta_of(chats, scope, "shared") == meta
    lee = {**scope, "as_user": "lee"}
    chats.call("conversation/save_meta", {**lee, "meta": {**meta, "visibility": "private"}})
    assert listed(chats, kim) == ["own"]


def test_tenants_and_repositories_are_kept_apart(chats: TestClient, scope: Any) -> None:
    create(chats, scope, id="same")
    append(chats, scope, "same", 0)
    elsewhere = {**scope, "repo_scope": str(uuid4())}
    assert meta_of(chats, elsewhere, "same") is None
    create(chats, elsewhere, id="same")
    append(chats, elsewhere, "same", 0, content="other")
    tenant = {**scope, "tenant_id": "umbrella"}
    assert listed(chats, tenant) == []
    chats.call("conversation/delete", {**elsewhere, "id": "same"})
    assert [m["content"] for m in history(chats, scope, "same")] == ["turn 0"]


def test_an_id_that_the_database_cannot_take_is_a_plain_refusal(
    chats: TestClient, scope: Any, database: str | None
) -> None:
    if database is None:
        assert create(chats, scope, id="a\0b")["id"] == "a\0b"
    else:
        assert refusal(chats, "create", {**scope, "id": "a\0b"}).code == -32602


def call_once(tmp_path: Path, env: Mapping[str, str], method: str, params: Any) -> Any:
    """One call as the host makes it: a process of its own."""
    with served(CHATS, tmp_path, env=env) as plugin:
        return plugin.call(f"conversation/{method}", params)


def test_hosts_that_append_the_same_seq_have_one_winner_each_time(
    tmp_path: Path, shared: Mapping[str, str], scope: Any
) -> None:
    with ExitStack() as stack:
        hosts = [stack.enter_context(served(CHATS, tmp_path, env=shared)) for _ in range(HOSTS)]
        create(hosts[0], scope, id="race")

        def race(number: int) -> list[tuple[int, str, RpcError | None]]:
            outcomes: list[tuple[int, str, RpcError | None]] = []
            for seq in range(TURNS):
                text, lost = f"{seq} by {number}", None
                try:
                    append(hosts[number], scope, "race", seq, content=text)
                except RpcError as error:
                    lost = error
                outcomes.append((seq, text, lost))
            return outcomes

        with ThreadPoolExecutor(HOSTS) as pool:
            outcomes = [outcome for each in pool.map(race, range(HOSTS)) for outcome in each]
        kept = history(hosts[0], scope, "race")
    won = [(seq, text) for seq, text, lost in outcomes if lost is None]
    refused = [(seq, lost) for seq, _, lost in outcomes if lost is not None]
    assert Counter(seq for seq, _ in won) == dict.fromkeys(range(TURNS), 1)
    assert sorted(won) == [(message["seq"], message["content"]) for message in kept]
    assert len(refused) == TURNS * (HOSTS - 1)
    for seq, lost in refused:
        assert (lost.code, f"already has a message {seq}" in lost.message) == (-32602, True)


def test_hosts_that_start_together_make_one_database(
    tmp_path: Path, shared: Mapping[str, str], scope: Any
) -> None:
    def first_call(number: int) -> Any:
        return call_once(tmp_path, shared, "create", {**scope, "id": str(number)})

    with ThreadPoolExecutor(HOSTS) as pool:
        made = {result["meta"]["id"] for result in pool.map(first_call, range(HOSTS))}
    found = call_once(tmp_path, shared, "list", scope)["conversations"]
    assert {summary["id"] for summary in found} == made == {str(n) for n in range(HOSTS)}


def test_a_delete_and_an_append_at_once_leave_no_orphans(
    tmp_path: Path, shared: Mapping[str, str], scope: Any
) -> None:
    with (
        served(CHATS, tmp_path, env=shared) as one,
        served(CHATS, tmp_path, env=shared) as two,
    ):
        orphans: list[Any] = []
        for name in map(str, range(10)):
            create(one, scope, id=name)
            message = {"seq": 0, "role": "user", "content": "", "recorded_at": ""}
            appending = one.request(
                "conversation/append_message", {**scope, "id": name, "message": message}
            )
            deleting = two.request("conversation/delete", {**scope, "id": name})
            assert two.reply(deleting) == {}
            with suppress(RpcError):
                one.reply(appending)
            create(one, scope, id=name)
            orphans += history(one, scope, name)
        assert orphans == []


def test_a_kill_loses_nothing_that_was_answered(
    tmp_path: Path, shared: Mapping[str, str], scope: Any
) -> None:
    with served(CHATS, tmp_path, env=shared) as plugin:
        create(plugin, scope, id="x")
        requests = [
            plugin.request(
                "conversation/append_message",
                {
                    **scope,
                    "id": "x",
                    "message": {"seq": n, "role": "user", "content": "", "recorded_at": ""},
                },
            )
            for n in range(60)
        ]
        for request in requests[:25]:
            assert plugin.reply(request) == {}
        plugin.kill()
    kept = call_once(tmp_path, shared, "load_messages", {**scope, "id": "x"})["messages"]
    assert [message["seq"] for message in kept] == list(range(len(kept)))
    assert len(kept) >= 25


def test_a_list_that_is_cut_says_so(
    chats: TestClient, scope: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(6):
        meta = create(chats, scope, id=str(number))
        at = f"2026-01-31T09:30:0{number}Z"
        meta |= {"title": "t" * 1_000_000, "updated_at": at}
        chats.call("conversation/save_meta", {**scope, "meta": meta})
    answer = chats.call("conversation/list", scope)
    assert [summary["id"] for summary in answer["conversations"]] == ["5", "4", "3", "2"]
    assert (answer["truncated"], answer["total"]) == (True, 6)
    assert "answers the newest 4 of 6 conversations" in capfd.readouterr().err
    decoded = msgspec.convert(answer, wire.ConversationListResponse, strict=True)
    assert len(decoded.conversations) == 4
    for name in "345":
        chats.call("conversation/delete", {**scope, "id": name})
    assert chats.call("conversation/list", scope).keys() == {"conversations"}


def test_a_conversation_takes_as_much_as_can_be_loaded(chats: TestClient, scope: Any) -> None:
    create(chats, scope, id="x")
    for seq in range(7):
        append(chats, scope, "x", seq, content="c" * 1_000_000)
    message = {"seq": 7, "role": "user", "content": "c" * 500_000, "recorded_at": ""}
    error = refusal(chats, "append_message", {**scope, "id": "x", "message": message})
    assert (error.code, "conversation 'x' is full" in error.message) == (-32602, True)
    assert len(history(chats, scope, "x")) == meta_of(chats, scope, "x")["message_count"] == 7
    append(chats, scope, "x", 7)


def test_a_conversation_that_is_too_large_already_answers_with_the_newest(
    chats: TestClient, scope: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(chats, scope, id="x")
    monkeypatch.setattr(example("conversations_sql"), "HISTORY_BYTES", 2**30)
    for seq in range(10):
        append(chats, scope, "x", seq, content="c" * 1_000_000)
    monkeypatch.undo()
    answer = chats.call("conversation/load_messages", {**scope, "id": "x"})
    assert [message["seq"] for message in answer["messages"]] == [3, 4, 5, 6, 7, 8, 9]
    assert (answer["truncated"], answer["total"]) == (True, 10)
    decoded = msgspec.convert(answer, wire.ConversationLoadMessagesResponse, strict=True)
    assert len(decoded.messages) == 7


def test_what_is_deleted_is_gone_at_once_and_its_rows_by_and_by(
    chats: TestClient, scope: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = example("conversations_sql")
    monkeypatch.setattr(module, "SLICE", 3)
    create(chats, scope, id="x")
    create(chats, scope, id="other")
    for seq in range(10):
        append(chats, scope, "x", seq)

    def interrupted(_database: Any, _work: Any) -> None:
        raise InterruptedError

    with monkeypatch.context() as killed:
        killed.setattr(module.Database, "write_in_slices", interrupted)
        refusal(chats, "delete", {**scope, "id": "x"})
    assert listed(chats, scope) == ["other"]
    create(chats, scope, id="x")
    assert (history(chats, scope, "x"), meta_of(chats, scope, "x")["message_count"]) == ([], 0)
    for seq in range(5):
        append(chats, scope, "other", seq)
    with closing(module.Database(database_of(), module.LAYOUT)) as database, database.read() as db:
        left = "SELECT count(*) FROM conversation_messages m WHERE NOT EXISTS"
        owners = "(SELECT 1 FROM conversations WHERE number = m.conversation)"
        assert db.value(f"{left} {owners}") == 0
        assert db.value("SELECT count(*) FROM conversations_deleted") == 0


def test_health_asks_the_database(chats: TestClient, tmp_path: Path, database: str | None) -> None:
    assert chats.call("health/check")["status"] == "healthy"
    if database is not None:
        return
    assert not (tmp_path / DATABASE).parent.exists()
    chats.call("conversation/list", {})
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        held = chats.call("health/check")
        db.execute("ROLLBACK")
    late = f"{tmp_path / DATABASE}: the database was not free within 0.5 s"
    assert (held["status"], held["last_error"]) == ("degraded", late)
    (tmp_path / DATABASE).write_text("no database " * 100)
    assert chats.call("health/check")["status"] == "unhealthy"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://nobody@/x?host=/nowhere", "nowhere"),
        ("mysql://server/x", "not supported"),
        ("nonsense", "ANIMUS_CONVERSATIONS_URL"),
    ],
)
def test_a_database_out_of_reach_is_unavailable_but_the_process_lives(
    tmp_path: Path, url: str, reason: str
) -> None:
    with served(CHATS, tmp_path, env={"ANIMUS_CONVERSATIONS_URL": url}) as plugin:
        away = refusal(plugin, "list", {})
        assert (away.code, away.data["category"]) == (-32603, "unavailable")
        assert reason in away.message
        assert plugin.call("health/check")["status"] == "unhealthy"


def test_the_handshake_imports_no_driver(tmp_path: Path) -> None:
    probe = "import sys, conversations_sql; print(bool({'sqlite3', 'psycopg2'} & {*sys.modules}))"
    path = {"PYTHONPATH": f"{ROOT}:{EXAMPLES}"}
    assert run([sys.executable, "-c", probe], tmp_path, path)[:2] == (0, "False\n")


def test_the_table_of_routes_is_complete(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "animus_routes", "routes", CHATS[1]]
    code, table, _ = run(command, tmp_path, INSTALLED)
    assert (code, "missing" in table) == (0, False)
    assert table.count("conversation/") == 14  # served or not
