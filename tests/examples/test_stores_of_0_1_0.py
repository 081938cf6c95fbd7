"""Stores that 0.1.0 wrote, and its processes that still run beside newer ones.

`stores_0_1_0.json` holds the statements of 0.1.0's examples as they were sent to each database: those
that make the tables, those that fill them, and those of further calls.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from example_apps import example, example_app
from sql_databases import postgres

from animus_routes.batteries.sql import Database, Transaction
from animus_routes.testing import TestClient

Statement = tuple[str, Any, bool]
RECORDED: Final = json.loads((Path(__file__).parent / "stores_0_1_0.json").read_text("utf-8"))
FILES: Final = {
    "queue_sql": "queue",
    "durable_sql": "durable",
    "conversations_sql": "conversations",
    "tasks_sqlite": "tasks",
    "logs_sqlite": "logs",
    "journal_sqlite": "journal",
    "memory_sqlite": "memory",
}
VARIABLES: Final = {name: f"ANIMUS_{file.upper()}" for name, file in FILES.items()}
STORES: Final = [(name, kind) for name in FILES for kind in RECORDED[name]]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


class Old:
    """A process of 0.1.0, with a connection of its own."""

    def __init__(self, kind: str, place: str) -> None:
        self.kind = kind
        self.db: Any
        if kind == "sqlite":
            self.db = sqlite3.connect(place, isolation_level=None, timeout=10)
            self.db.create_function("regexp", 2, lambda _pattern, _text: True)
        else:
            import psycopg

            self.db = psycopg.connect(place, autocommit=True)

    def run(self, statements: list[Statement]) -> None:
        """One call's transaction."""
        self.db.execute("BEGIN IMMEDIATE" if self.kind == "sqlite" else "BEGIN")
        try:
            for sql, values, many in statements:
                cursor = self.db.cursor()
                (cursor.executemany if many else cursor.execute)(sql, values)
                if cursor.description is not None:
                    cursor.fetchall()
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        self.db.execute("COMMIT")

    def dump(self) -> dict[str, list[Any]]:
        """Every row of every table."""
        tables = (
            "SELECT name FROM sqlite_schema WHERE type = 'table'"
            if self.kind == "sqlite"
            else "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        )
        names = [name for (name,) in self.db.execute(tables).fetchall()]
        return {
            n: sorted(map(repr, self.db.execute(f"SELECT * FROM {n}").fetchall())) for n in names
        }


@contextmanager
def old_process(example: str, kind: str, root: Path, server: str) -> Iterator[Old]:
    place = server if kind == "postgresql" else str(file_of(example, root))
    Path(root, ".animus").mkdir(exist_ok=True)
    old = Old(kind, place)
    with closing(old.db):
        yield old


def file_of(example: str, root: Path) -> Path:
    return root / ".animus" / f"{FILES[example]}.sqlite3"


@pytest.fixture(params=STORES, ids="-".join)
def stored(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


def only(example: str) -> pytest.MarkDecorator:
    """The stores of one example, on each of its databases."""
    own = [found for found in STORES if found[0] == example]
    return pytest.mark.parametrize("stored", own, ids="-".join, indirect=True)


@pytest.fixture
def name(stored: tuple[str, str]) -> str:
    return stored[0]


@pytest.fixture
def kind(stored: tuple[str, str]) -> str:
    return stored[1]


@pytest.fixture
def old(name: str, kind: str, tmp_path: Path, server: str) -> Iterator[Old]:
    """A process of 0.1.0 on an empty database."""
    with old_process(name, kind, tmp_path, server) as process:
        if kind == "postgresql":
            process.db.execute("DROP SCHEMA public CASCADE")
            process.db.execute("CREATE SCHEMA public")
        yield process


Opener = Callable[[], TestClient]


@pytest.fixture
def newer(
    name: str, kind: str, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> Opener:
    """Opens the store with today's example."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(f"{VARIABLES[name]}_NAME", "shop")
    if kind == "postgresql":
        monkeypatch.setenv(f"{VARIABLES[name]}_URL", server)
    bound = {"project_binding": {"project_root": str(tmp_path), "repo_scope": "scope"}}
    return lambda: TestClient(example_app(name), init_extensions=bound)


def read_queue(client: TestClient) -> Any:
    entries = client.call("queue/list")["entries"]
    found = [(e["subject_id"], e["status"], e.get("workflow_id")) for e in entries]
    return found, client.call("queue/stats"), client.call("queue/next_deadline")


QUEUE: Final = (
    [
        ("b", "assigned", "w1"),
        ("c", "held", None),
        ("d", "pending", None),
        ("later", "pending", None),
        ("a", "pending", None),
    ],
    {"pending": 3, "assigned": 1, "held": 1, "total": 5, "deferred": 1},
    {"next_run_at": "2999-01-01T00:00:00Z"},
)
SCOPE: Final = {"repo_scope": "scope", "tenant_id": "acme"}


def read_conversations(client: TestClient) -> Any:
    found = []
    for summary in client.call("conversation/list", SCOPE)["conversations"]:
        one = {**SCOPE, "id": summary["id"]}
        meta = client.call("conversation/load_meta", one)["meta"]
        messages = client.call("conversation/load_messages", one)["messages"]
        counts = summary["message_count"], meta["message_count"]
        said = [(message["seq"], message["content"]) for message in messages]
        found.append((meta.get("owner"), meta.get("title"), summary["visibility"], *counts, said))
    return sorted(found, key=str)


TURNS: Final = [(seq, f"turn {seq}") for seq in range(3)]
CONVERSATIONS: Final = [
    ("kim", None, "private", 3, 3, TURNS),
    ("sam", "Hi", "shared", 3, 3, TURNS),
    (None, None, "private", 3, 3, TURNS),
]


def read_durable(client: TestClient) -> Any:
    found = {}
    for run in ("r1", "r2", "r3"):
        asked = client.call("durable/query_run", {"run_id": run, "phase_id": "p"})
        steps = [(step["step_name"], step["outcome"]) for step in asked["steps"]]
        found[run] = (asked["status"], steps)
    flying = []
    for run in client.call("durable/recover_in_flight", {"since_epoch": 0})["in_flight"]:
        keys = {held["idempotency_key"] for held in run["replay_state"]["reservations"]}
        flying.append((run["run_id"], run.get("last_committed_step"), sorted(keys)))
    return found, flying


DURABLE: Final = (
    {
        "r1": ("error", [("k1", "success"), ("k2", "error")]),
        "r2": ("pending", []),
        "r3": ("pending", []),
    },
    [("r2", None, ["k3", "k4"]), ("r3", None, [])],
)


def read_tasks(client: TestClient) -> Any:
    found = client.call("task/list")["subjects"]
    tasks = [(t["id"], t["title"], t["status"], t.get("parent"), t.get("labels")) for t in found]
    kims = client.call("task/list", {"assignee": ["kim"]})["subjects"]
    thread = client.call("task/get", {"id": "task:1"})["attachments"][0]["metadata"]["comments"]
    owned = client.call("task/v2/list", {"context": {"actor": {"user_id": "u"}}, "filter": {}})
    said = [comment["text"] for comment in thread]
    return tasks, [task["id"] for task in kims], said, owned["subjects"]


TASKS: Final[Any] = (
    [
        ("task:1", "First", "ready", None, ["a"]),
        ("task:2", "Second", "ready", "task:1", None),
        ("task:3", "Third", "in-progress", None, None),
    ],
    ["task:1"],
    ["hello"],
    [],
)


def read_logs(client: TestClient) -> Any:
    asked: tuple[Any, ...] = (
        {},
        {"text": "needle"},
        {"text": "数据"},
        {"min_level": "error"},
        {"source_name": "x"},
    )
    answers = [client.call("log_storage/query", query)["entries"] for query in asked]
    return [[(entry["id"], entry["message"]) for entry in entries] for entries in answers]


A, B, C = ("a", "one needle"), ("b", "two"), ("c", "three 数据库")
LOGS: Final = [[A, B, C], [A], [C], [B], [C]]


def read_journal(client: TestClient) -> Any:
    run = {"workflow_id": "w1"}
    numbers = client.call("journal/checkpoint_list", run)["checkpoint_nums"]
    blobs = [
        client.call("journal/checkpoint_load", {**run, "checkpoint_num": number})["blob"]
        for number in numbers
    ]
    events = client.call("journal/events", {"run_id": "w1"})["events"]
    done = client.call("journal/query_ids", {"status": ["done"]})["ids"]
    loaded = client.call("journal/load", run)["run"]["blob"]
    every = client.call("journal/query_ids", {})["ids"]
    return every, done, loaded, numbers, blobs, [event["n"] for event in events]


JOURNAL: Final = (["w1", "w2"], ["w2"], {"x": 1}, [1, 2], [{"c": 1}, {"c": 2}], [1, 2])


def read_memory(client: TestClient) -> Any:
    own = {"scope": {"project_id": "p"}}
    values = [client.call("memory/get", {**own, "key": key}).get("value") for key in ("k1", "k2")]
    keys = [
        [one["key"] for one in client.call("memory/query", {**own, **asked})["results"]]
        for asked in ({"query": "words", "top_k": 5}, {"query": "数据", "top_k": 5})
    ]
    return values, keys


MEMORY: Final = (["some words", {"a": "数据库"}], [["k1"], ["k2"]])
CONTENTS: Final[dict[str, tuple[Callable[[TestClient], Any], Any]]] = {
    "queue_sql": (read_queue, QUEUE),
    "conversations_sql": (read_conversations, CONVERSATIONS),
    "durable_sql": (read_durable, DURABLE),
    "tasks_sqlite": (read_tasks, TASKS),
    "logs_sqlite": (read_logs, LOGS),
    "journal_sqlite": (read_journal, JOURNAL),
    "memory_sqlite": (read_memory, MEMORY),
}


def test_a_store_of_0_1_0_opens_with_all_that_is_in_it(
    name: str, kind: str, old: Old, newer: Opener
) -> None:
    recorded = RECORDED[name][kind]
    old.run([*recorded["make"], *recorded["fill"]])
    read, contents = CONTENTS[name]
    for _ in range(2):
        with newer() as client:
            assert read(client) == contents


@pytest.mark.parametrize("made_by", ["0.1.0", "today"])
def test_processes_of_0_1_0_fail_after_a_migration_and_write_nothing(
    name: str, kind: str, old: Old, newer: Opener, made_by: str
) -> None:
    recorded = RECORDED[name][kind]
    if made_by == "0.1.0":
        old.run([*recorded["make"], *recorded["fill"]])
    with newer() as client:
        client.call(*OPENING[name])
        before = old.dump()
        for call, statements in recorded["calls"].items():
            with pytest.raises(
                old.db.Error if kind == "sqlite" else Exception,
                match=r"no such|not exist|no column",
            ) as raised:
                old.run(statements)
            assert raised.value, call
        assert old.dump() == before
        if name.endswith("_sqlite"):  # one that starts only now reads this first
            assert old.db.execute("PRAGMA user_version").fetchone() > (1,)


def test_a_migration_waits_for_what_0_1_0_has_under_way(
    name: str, kind: str, old: Old, newer: Opener
) -> None:
    recorded = RECORDED[name][kind]
    old.run([*recorded["make"], *recorded["fill"]])
    call = next(statements for m, statements in recorded["calls"].items() if WRITES[name] in m)
    old.db.execute("BEGIN IMMEDIATE" if kind == "sqlite" else "BEGIN")
    for sql, values, many in call[:-1]:
        cursor = old.db.cursor()
        (cursor.executemany if many else cursor.execute)(sql, values)
        if cursor.description is not None:
            cursor.fetchall()
    answered = threading.Event()
    found: list[Any] = []

    def open_newer() -> None:
        with newer() as client:
            found.append(CONTENTS[name][0](client))
        answered.set()

    thread = threading.Thread(target=open_newer)
    thread.start()
    try:
        assert not answered.wait(0.3)  # not a wait for something: it must not come
        sql, values, many = call[-1]
        (old.db.cursor().executemany if many else old.db.cursor().execute)(sql, values)
        old.db.execute("COMMIT")
        assert answered.wait(30)
    finally:
        thread.join(30)
    assert found != [CONTENTS[name][1]]


QUALIFIED = """CREATE INDEX queue_entries_by_qualified_subject
    ON queue_entries (queue_name, subject_id, subject_generation DESC, rank DESC, position)"""


@only("queue_sql")
@pytest.mark.parametrize("layout", ["0.1.0", "2, the one without fences", "3"])
def test_entries_from_before_fences_are_leased_with_them(
    name: str, kind: str, old: Old, newer: Opener, tmp_path: Path, server: str, layout: str
) -> None:
    recorded = RECORDED[name][kind]
    old.run([*recorded["make"], *recorded["fill"]])
    if layout != "0.1.0":
        module = example(name)

        def build(db: Transaction, found: int) -> None:
            module.build_without_fences(db, found)
            if layout == "3":
                module.build_fences(db)
                db.run(QUALIFIED)

        earlier = module.LAYOUT._replace(version=int(layout[0]), build=build)
        place = server if kind == "postgresql" else file_of(name, tmp_path)
        with closing(Database(place, earlier)) as database, database.write() as db:
            assert db.value("SELECT count(*) FROM queue_entries") == 5
    with newer() as client:
        assert read_queue(client) == QUEUE
        running = client.call("queue/list", {"status": ["assigned"]})["entries"][0]
        # Nobody knows whether its lease had named a workflow.
        done = {"entry_id": running["entry_id"], "status": "completed", "workflow_id": "another"}
        # It does not stand for its subject: whoever runs it knows no fences.
        envelope = running["subject_dispatch"]
        added = client.call("queue/v2/enqueue", {"subject_dispatch": envelope})
        assert (added["enqueued"], added["subject"]["qualified_id"]) == (True, "task:b")
        asked = {"max": 5, "owner_id": "daemon-a", "workflow_ids": [*"12345"]}
        found = client.call("queue/v2/lease", asked)["leased"]
        subjects = [one["execution"]["subject"] for one in found]
        assert subjects == [
            {"qualified_id": f"task:{subject}", "generation": 1} for subject in LEASED
        ]
        assert client.call("queue/completion", done) == {"changed": True, "not_found": False}
    with newer() as client:
        statuses = [status for _, status, _ in read_queue(client)[0]]
        assert sorted(statuses) == ["assigned", "assigned", "assigned", "held", "pending"]


@only("conversations_sql")
@pytest.mark.parametrize("layout", ["0.1.0", "2, the one without operations"])
def test_conversations_from_before_operations_take_them(
    name: str, kind: str, old: Old, newer: Opener, tmp_path: Path, server: str, layout: str
) -> None:
    recorded = RECORDED[name][kind]
    old.run([*recorded["make"], *recorded["fill"]])
    place = server if kind == "postgresql" else file_of(name, tmp_path)
    module = example(name)
    if layout != "0.1.0":
        earlier = module.LAYOUT._replace(version=2, build=module.build_without_operations)
        with closing(Database(place, earlier)) as database, database.write() as db:
            # It wrote what its requests had said of revisions.
            db.run("""UPDATE conversations SET summary = replace(summary, '{', '{"revision":7,')""")
    with newer() as client:
        assert read_conversations(client) == CONVERSATIONS
        listed = client.call("conversation/list", {**SCOPE, "as_user": "kim"})["conversations"]
        (own,) = [summary for summary in listed if summary["owner"] == "kim"]
        assert own["revision"] == 0
        key = {**SCOPE, "conversation_id": own["id"], "caller_key": "k", "as_user": "kim"}
        begun = client.call("conversation/operation_begin", {**key, "request_hash": "h"})
        assert begun["outcome"] == "acquired"
    with closing(Database(place, module.LAYOUT)) as database, database.read() as db:
        summaries = [text for (text,) in db.rows("SELECT summary FROM conversations")]
    assert [text for text in summaries if "revision" in text] == []


LEASED: Final = ("b", "d", "a")
OPENING: Final[dict[str, tuple[str, Any]]] = {
    "queue_sql": ("queue/stats", {}),
    "durable_sql": ("durable/recover_in_flight", {"since_epoch": 0}),
    "conversations_sql": ("conversation/list", {}),
    "tasks_sqlite": ("task/list", {}),
    "logs_sqlite": ("log_storage/query", {}),
    "journal_sqlite": ("journal/list", {}),
    "memory_sqlite": ("memory/list_scopes", {}),
}
WRITES: Final = {
    "queue_sql": "0 queue/enqueue",
    "durable_sql": "5 durable/commit_step",
    "conversations_sql": "5 conversation/append_message",
    "tasks_sqlite": "4 task/create",
    "logs_sqlite": "0 log_storage/store",
    "journal_sqlite": "10 journal/record",
    "memory_sqlite": "1 memory/put",
}
