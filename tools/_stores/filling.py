"""Fill a store of each example with so many rows, quickly: by its own tables, in one transaction."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from animus_routes.batteries.sql import Database, Transaction, marks
from animus_routes.batteries.sqlite import turn

EXAMPLES: Final = Path(__file__).resolve().parents[2] / "examples"
AT: Final = "2026-01-31T09:30:00Z"
FAR_US: Final = 4_102_444_800_000_000  # the year 2100
IN_FLIGHT: Final = 200
NAME: Final = "shop"
SQL: Final = {
    "queue_sql": "ANIMUS_QUEUE",
    "durable_sql": "ANIMUS_DURABLE",
    "conversations_sql": "ANIMUS_CONVERSATIONS",
}
FEW: Final = 20  # rows of whatever few rows have
OWN: Final = 80  # log entries of few that have a target each
PARENT, TOLD = 280, 290  # the tasks that have many children and many comments
CHAIN: Final = 451  # where those begin that stand one below the other, after those that are deleted


def file_of(example: str) -> str:
    return f"{example.partition('_')[0]}.sqlite3"


def module(name: str) -> Any:
    if str(EXAMPLES) not in sys.path:
        sys.path.insert(0, str(EXAMPLES))
    return import_module(name)


def insert(db: Transaction, table: str, columns: str, rows: Iterator[tuple[Any, ...]]) -> None:
    number = len(columns.split(","))
    db.run_each(f"INSERT INTO {table} ({columns}) VALUES ({marks(number)})", rows)


def queue(db: Transaction, rows: int) -> None:
    """One large queue and many small ones; a quarter is deferred, and stands in front.

    Beside them, v1 has leased a tenth as many, all of one subject.
    """
    store = module("queue_sql")

    def entry(number: int) -> tuple[Any, ...]:
        deferred = number % 4 == 0
        of_v1 = number >= rows
        few = 1 if of_v1 else number // FEW if number < 3 * FEW else -1
        state = {0: "held", 1: "assigned"}.get(few, "deferred" if deferred else "pending")
        subject = f"S-{number}" if number % 10 or not deferred else "S-many"
        subject = "S-leased" if of_v1 else subject
        task = f'{{"kind":"animus.task","id":"{subject}"}}'
        dispatch = (
            f'{{"subject":{task},"workflow_ref":"w","trigger_source":"t","requested_at":"{AT}"}}'
        )
        row = store.Entry(
            entry_id=f"e{number:06}",
            dispatch=dispatch,
            enqueued_at=AT,
            run_at="2116-01-01T00:00:00Z" if state == "deferred" else None,
            due_us=FAR_US if state == "deferred" else 0,
            expire_after_secs=None,
            deadline_us=None,
            subject_id=f"task:{subject}",
            repository=None,
            repository_key=None,
            rank=3 if deferred else 1,
            position=number,
            state=state,
            expires_us=None,
            workflow_id=f"w{number}" if state == "assigned" else None,
            named=1 if state == "assigned" else 0,
        )
        return (*row, NAME if number % 10 != 1 else f"small-{number // 100}", subject)

    db.run_each(store.INSERT, map(entry, range(rows + rows // 10)))
    names = ", ".join(store.STATES)
    sums = ", ".join(f"sum(CASE state WHEN '{state}' THEN 1 ELSE 0 END)" for state in store.STATES)
    db.run(
        f"INSERT INTO queue_counts (queue_name, position, {names}) SELECT queue_name, max(position),"
        f" {sums} FROM queue_entries GROUP BY queue_name"
    )
    if db.postgresql:
        db.value("SELECT setval('queue_positions', ?)", rows + rows // 10)


def durable(db: Transaction, rows: int) -> None:
    """Half of the steps in one run, a run for each of the others; few are in flight."""
    insert(db, "durable_stores", "store_name, epoch, commits", iter([(NAME, rows + 1, rows)]))

    def run(number: int) -> tuple[Any, ...]:
        flies = number < IN_FLIGHT
        outcome = None if flies else "success"
        return NAME, f"r{number}", "p", number + 1, "{}", int(flies), outcome, "s", int(flies)

    def step(number: int) -> tuple[Any, ...]:
        flies = number < IN_FLIGHT
        state = "reserved" if flies else "success"
        owner = f"r{number}" if flies or number % 2 else "big"
        own = (f"s{number}", NAME, owner, "p", f"n{number}", f"k{number}", state)
        return *own, FAR_US, "null", None if flies else number, None if flies else AT

    columns = "store_name, run_id, phase_id, epoch, inputs, reserved, outcome, last_step, in_flight"
    insert(db, "durable_runs", columns, map(run, range(rows)))
    big = (NAME, "big", "p", rows + 1, "{}", 0, "success", "s", 0)
    insert(db, "durable_runs", columns, iter([big]))
    columns = "step_id, store_name, run_id, phase_id, step_name, idempotency_key, state, expires_us"
    insert(db, "durable_steps", f"{columns}, payload, number, committed_at", map(step, range(rows)))
    if db.postgresql:
        db.value("SELECT setval('durable_commits', ?)", rows)


def conversations(db: Transaction, rows: int) -> None:
    """As many conversations as messages, which are all in one of them; one user has few."""
    store = module("conversations_sql")

    def meta(number: int) -> dict[str, Any]:
        owner = "few" if number < FEW else f"u{number % 10}"
        shared = number % max(rows // FEW, 1) == 0
        at = {"created_at": AT, "updated_at": AT, "message_count": 0}
        visibility = "shared" if shared else "private"
        return {"id": f"c{number}", "owner": owner, "visibility": visibility, **at}

    for number in range(rows):
        store.insert(db, ("", ""), store.columns_of(meta(number)))
    text = f'{{"seq":0,"role":"user","content":"","recorded_at":"{AT}"}}'
    big = db.value("SELECT number FROM conversations WHERE id = 'c0'")
    messages = ((big, seq, text, len(text)) for seq in range(rows))
    insert(db, "conversation_messages", "conversation, seq, message, size", messages)
    size = min(rows * (len(text) + 1), store.HISTORY_BYTES // 2)
    db.run("UPDATE conversations SET messages = ?, bytes = ? WHERE number = ?", rows, size, big)


def is_rare(number: int, rows: int) -> bool:
    return number % max(rows // FEW, 1) == 0


def parent(number: int, rows: int) -> str | None:
    """The even ones are below one of them, the odd ones one below the other."""
    above = PARENT if number % 2 == 0 else max(number + 2, CHAIN)
    above += 2 * is_rare(above, rows)
    left_out = number == PARENT or (1 < number < CHAIN and number % 2) or above >= rows
    return None if left_out else f"task:{above + 1}"


def tasks(path: Path, rows: int) -> None:
    """One assignee, label, status, owner and attachment that few tasks have, and others that many have.

    The newest 50th have a status and a time of their own. Of the others half are one task's children,
    half are a chain, whose end is the second task; and one task has as many comments.
    """

    def subject(number: int) -> str:
        few, late = is_rare(number, rows), number >= rows * 49 // 50
        at = "10:30" if few else "09:45" if late else "09:30"
        native, status = ("Blocked", "blocked") if late else ("Todo", "ready")
        if few:
            native, status = "In Review", "in-progress"
        return json.dumps(
            {
                "id": f"task:{number + 1}",
                "kind": "task",
                "title": f"Task {number}",
                "status": status,
                "native_status": native,
                "priority": number % 5,
                "assignee": "few" if few else f"u{number % 3}",
                "labels": ["rare"] if few else ["common"],
                **({} if few else {"parent": parent(number, rows)}),
                "attachments": [],
                "custom": {},
                "created_at": AT,
                "updated_at": f"2026-01-31T{at}:00.000000Z",
            }
        )

    def owner(number: int) -> str:
        return json.dumps(["few" if is_rare(number, rows) else "many", "t"], separators=(",", ":"))

    made = module("tasks_sqlite").Store(path)
    with closing(made.db) as db, turn(db, 10):
        insert = "INSERT INTO tasks (document, owner) VALUES (?, ?)"
        db.executemany(insert, ((subject(number), owner(number)) for number in range(rows)))
        said = f"INSERT INTO comments (task, at, text) VALUES ('task:{TOLD + 1}', ?, '')"
        db.executemany(said, ((AT,) for _ in range(rows)))


def logs(path: Path, rows: int) -> None:
    """One source, target, level and word that few entries have, and others that many have.

    Few entries have targets of their own, and of many others each has one. A word went out of use.
    """
    store = module("logs_sqlite")
    log_storage = store.wire

    def entry(number: int) -> Any:
        few = number % max(rows // FEW, 1) == 0
        own = number % max(rows // OWN, 1) == 1
        kind = "few" if few else "own" if own else "wide" if number % 10 == 7 else "many"
        last = number if kind in ("own", "wide") else number % 5
        return log_storage.LogEntry(
            id=f"l{number}",
            ts=f"2026-01-{1 + number * 28 // rows:02}T{number % 24:02}:30:00Z",
            level="error" if few else "info",
            source="daemon",
            source_name="few" if few else "many",
            target=f"app.{kind}.x{last}.info",
            message=f"common {'old' if number < rows / 2 else ''} {'rare' if few else ''} {number}",
        )

    made = store.Store(path, None)
    with closing(made.db), turn(made.db, 10):
        made.db.executemany(store.STORE, (store.row_of("e", entry(n)) for n in range(rows)))


def memory(path: Path, rows: int) -> None:
    """Half in one scope, the others in many of another project; a common word in all of them."""
    store = module("memory_sqlite")

    def put(number: int) -> tuple[Any, ...]:
        project, agent = (
            ("big", "null") if number % 2 else (f"p{number % 50}", f'"a{number // 50}"')
        )
        scope = f'["{project}",{agent},null]'
        few = "rare" if number % max(rows // FEW, 1) == 0 else ""
        return project, scope, f"k{number}", f'"v{number}"', f"common {few} w{number}", None

    made = store.Store(path, None)
    with closing(made.db), turn(made.db, 10):
        insert = store.PUT.replace("RETURNING seq", "")
        made.db.executemany(insert, map(put, range(rows)))


def journal(path: Path, rows: int) -> None:
    """As many runs as events and checkpoints, half of which are one run's; few runs are failed."""
    store = module("journal_sqlite")

    def owner(number: int) -> str:
        return f"r{number}" if number % 2 else "big"

    def run(number: int) -> tuple[Any, ...]:
        few = number % max(rows // FEW, 1) == 0
        status, at = "failed" if few else "done", f"2026-01-31T09:30:00.{number:09}"
        document = {"workflow_id": f"r{number}", "status": status, "blob": {}, "updated_at": AT}
        text = json.dumps(document)
        return f"r{number}", status, "few" if few else "many", AT, at, text

    def event(number: int) -> str:
        return json.dumps({"run_id": owner(number), "kind": "phase_started", "ts": AT, "n": number})

    made = store.Store(path)
    with closing(made.db), turn(made.db, 10):
        made.db.executemany(store.SAVE, map(run, range(rows)))
        events = ((owner(n), f"2026-01-31T09:30:00.{n:09}", event(n)) for n in range(rows))
        made.db.executemany(store.RECORD, events)
        made.db.executemany(store.CHECKPOINT, ((owner(n), n, "{}") for n in range(rows)))


def notifier(path: Path, rows: int) -> None:
    """Half is delivered, the rest waits for a time far away; some were given up."""
    store = module("notifier_apprise")

    def delivery(number: int) -> tuple[Any, ...]:
        given_up = number % max(rows // FEW, 1) == 0
        state = "dead" if given_up else "sent" if number % 2 else "pending"
        return f"e{number}", "default", "{}", state, FAR_US

    with closing(store.Outbox(path, store.Config()).connect()) as db, turn(db, 10):
        insert = "INSERT INTO outbox (event_id, route, event, state, due) VALUES (?, ?, ?, ?, ?)"
        db.executemany(insert, map(delivery, range(rows)))


FILES: Final[dict[str, Callable[[Path, int], None]]] = {
    "tasks_sqlite": tasks,
    "logs_sqlite": logs,
    "memory_sqlite": memory,
    "journal_sqlite": journal,
    "notifier_apprise": notifier,
}
FILLINGS: Final[dict[str, tuple[str, Callable[[Transaction, int], None]]]] = {
    "queue_sql": ("queue_sql", queue),
    "durable_sql": ("durable_sql", durable),
    "conversations_sql": ("conversations_sql", conversations),
}


def fill(example: str, place: str | Path, rows: int) -> None:
    """Make a store of an example, at rest, with so many rows."""
    if example in FILES:
        FILES[example](Path(place), rows)
        return
    name, filling = FILLINGS[example]
    with closing(Database(place, module(name).LAYOUT)) as database:
        with database.write() as db:
            filling(db, rows)
        if isinstance(place, str):
            import psycopg

            with psycopg.connect(place, autocommit=True) as server:
                server.execute("VACUUM ANALYZE")
