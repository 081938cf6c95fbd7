"""Agent memory in one SQLite file: a complete memory store with full-text ranking.

    python memory_sqlite.py                        a host starts it, or you with `--manifest`

The database is `.animus/memory.sqlite3` under the project's root, or where ANIMUS_MEMORY_DB says;
several projects may share one file. A query finds values by any of its words, in their keys, texts
and numbers; rare words count more, and words match by their English stem. Chinese, Japanese and Korean
words are found wherever their characters stand next to each other.

A host that binds the process to a project (`project_binding` at initialize) sees only that project's
memory. The first `put` decides which `project_id` belongs to the project. From then on, another
project's id is answered with -32407, and so is this id from another project's root.
"""

import math
import os
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from heapq import merge
from itertools import groupby, islice
from pathlib import Path
from typing import Annotated, Any, Final
from unicodedata import normalize
from zlib import crc32

from animus_routes import App, Context, Depends, InvalidRequest, RpcError, Unavailable
from animus_routes.batteries.sql import Database, Layout, Transaction
from animus_routes.batteries.sqlite import turn
from animus_routes.structs import memory_store as wire

import msgspec

MAX_TOP_K: Final = 100
MAX_PAGE: Final = 1000
DEFAULT_PAGE: Final = 100
VALUE_BYTES: Final = 1024 * 1024
RESULT_BYTES: Final = 4 * 1024 * 1024  # a host drops a plugin whose frame passes 8 MiB
BUSY_S: Final = 5.0
SLICE: Final = 200  # rows of a deleted scope that go in one transaction
MAX_SWEPT: Final = 1000  # rows whose time is over, a put
SLICE_BYTES: Final = 128 * 1024  # of either, unless the last of them is longer: each word costs
PROBED: Final = 100  # scopes whose values' time is over that are passed one by one, or more of them
READ: Final = 30  # if there are more values alive for each than can be read in the same time
PAUSE_S: Final = 0.005  # so that whoever waits is next
# Characters of scripts that put no spaces between words: Han, kana, bopomofo and Hangul.
UNSPACED: Final = (
    "\u1100-\u11ff\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u318e"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7fb\uf900-\ufaff"
    "\uff66-\uffdc\U00020000-\U0003ffff"
)
ONE: Final = re.compile(f"[{UNSPACED}]")
WORD: Final = re.compile(rf"[{UNSPACED}]+|[^\W{UNSPACED}]+")
TOKEN: Final = re.compile(r"[^\W_]+|\ue000")  # a word, or what stands between two sentences
GAP: Final = re.compile(rf"(?<=[{UNSPACED}])[\W_]+(?=[{UNSPACED}])")

# The protocol's own codes (-32400..-32499); hosts take them as more than an ordinary failure.
BACKEND_UNAVAILABLE: Final = -32404
BINDING_MISMATCH: Final = -32407

INDEXED: Final = """(rowid, key, text)
    SELECT {0}.seq, placed({0}.scope, {0}.key), placed({0}.scope, {0}.text)"""
REMOVED: Final = """(placed_words, rowid, key, text)
    SELECT 'delete', old.seq, placed(old.scope, old.key), placed(old.scope, old.text)"""
# What makes each layout from the one before.
STEPS: Final = (
    (
        """CREATE TABLE IF NOT EXISTS projects
            (root TEXT PRIMARY KEY, project_id TEXT NOT NULL UNIQUE)""",
        """CREATE TABLE IF NOT EXISTS memories (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, project_id TEXT NOT NULL, scope TEXT NOT NULL,
            key TEXT NOT NULL, value TEXT NOT NULL, text TEXT NOT NULL, expires_at REAL,
            UNIQUE (scope, key))""",
        """CREATE INDEX IF NOT EXISTS memories_by_expiry ON memories (expires_at)
            WHERE expires_at IS NOT NULL""",
        """CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
            key, text, content = 'memories', content_rowid = 'seq',
            tokenize = 'porter unicode61')""",
    ),
    (
        "DROP TRIGGER IF EXISTS memory_put",
        "DROP TRIGGER IF EXISTS memory_gone",
        "DROP TRIGGER IF EXISTS memory_changed",
        """INSERT INTO words (words, rowid, key, text) SELECT 'delete', seq, key, text
            FROM memories WHERE spaced(key) <> key OR spaced(text) <> text""",
        """INSERT INTO words (rowid, key, text) SELECT seq, spaced(key), spaced(text)
            FROM memories WHERE spaced(key) <> key OR spaced(text) <> text""",
        """CREATE TRIGGER memory_put AFTER INSERT ON memories BEGIN
            INSERT INTO words (rowid, key, text)
                VALUES (new.seq, spaced(new.key), spaced(new.text)); END""",
        """CREATE TRIGGER memory_gone AFTER DELETE ON memories BEGIN
            INSERT INTO words (words, rowid, key, text)
                VALUES ('delete', old.seq, spaced(old.key), spaced(old.text)); END""",
        """CREATE TRIGGER memory_changed AFTER UPDATE ON memories BEGIN
            INSERT INTO words (words, rowid, key, text)
                VALUES ('delete', old.seq, spaced(old.key), spaced(old.text));
            INSERT INTO words (rowid, key, text)
                VALUES (new.seq, spaced(new.key), spaced(new.text)); END""",
    ),
    (
        "DROP TRIGGER memory_put",
        "DROP TRIGGER memory_gone",
        "DROP TRIGGER memory_changed",
        "DROP TABLE words",
        "CREATE INDEX memories_by_project ON memories (project_id, scope)",
        # Of a scope that was deleted, rows up to a number are still to be removed.
        "CREATE TABLE dropped (scope TEXT PRIMARY KEY, until INTEGER NOT NULL)",
        # Each word begins with its scope: one that is common is counted in its scope alone.
        """CREATE VIRTUAL TABLE placed_words USING fts5 (
            key, text, content = 'memories', content_rowid = 'seq',
            tokenize = 'porter unicode61')""",
        f"INSERT INTO placed_words {INDEXED.format('memories')} FROM memories",
        f"""CREATE TRIGGER memory_put AFTER INSERT ON memories BEGIN
            INSERT INTO placed_words {INDEXED.format("new")}; END""",
        f"""CREATE TRIGGER memory_gone AFTER DELETE ON memories BEGIN
            INSERT INTO placed_words {REMOVED}; END""",
        f"""CREATE TRIGGER memory_changed AFTER UPDATE ON memories BEGIN
            INSERT INTO placed_words {REMOVED}; INSERT INTO placed_words {INDEXED.format("new")}; END""",
    ),
    # Processes of 0.1.0 may still run: each of their calls reads a column that has another name now.
    ("ALTER TABLE memories RENAME COLUMN scope TO scope_id",),
    # What has expired or was deleted, and is still there, stands in no reader's way.
    (
        "DROP INDEX IF EXISTS memories_by_project",
        "DROP INDEX IF EXISTS memories_by_expiry",
        "CREATE INDEX memories_lasting ON memories (scope_id) WHERE expires_at IS NULL",
        """CREATE INDEX memories_expiring ON memories (scope_id, expires_at)
            WHERE expires_at IS NOT NULL""",
        """CREATE INDEX memories_by_expiry ON memories (expires_at, scope_id)
            WHERE expires_at IS NOT NULL""",
    ),
)


def build(db: Transaction, found: int) -> None:
    for step in STEPS[found:]:
        for statement in step:
            db.run(statement)
    db.run(f"PRAGMA user_version = {len(STEPS)}")  # programs of 0.1.0 that start now refuse it


LAYOUT: Final = Layout("memory", len(STEPS), "memories", build)

PUT: Final = """INSERT INTO memories (project_id, scope_id, key, value, text, expires_at)
    VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (scope_id, key) DO UPDATE
    SET value = excluded.value, text = excluded.text, expires_at = excluded.expires_at
    RETURNING seq"""
UNTIL: Final = "coalesce((SELECT until FROM dropped WHERE scope = {}), 0)"
ALIVE: Final = "(m.expires_at IS NULL OR m.expires_at > :moment)"
HERE: Final = f"{ALIVE} AND m.seq > {UNTIL.format(':scope')}"
GET: Final = f"SELECT value FROM memories m WHERE scope_id = :scope AND key = :key AND {HERE}"
RANKED: Final = f"""SELECT m.key, m.value, -bm25(placed_words, 2.0, 1.0) AS score
    FROM placed_words w JOIN memories m ON m.seq = w.rowid
    WHERE placed_words MATCH :words AND w.rowid > {UNTIL.format(":scope")}
        AND m.scope_id = :scope AND {HERE}
    ORDER BY score DESC, m.seq DESC LIMIT :limit"""
# The next scope, up to which row it was deleted, and whether it had anything if it was not.
NEXT: Final = """SELECT scope_id, until, {0} FROM (SELECT min(scope_id) AS scope_id FROM memories
        INDEXED BY {1} WHERE expires_at {2} AND scope_id > :after AND scope_id < :before) AS next
    LEFT JOIN dropped ON scope = scope_id"""
NEXT_LASTING: Final = NEXT.format("TRUE", "memories_lasting", "IS NULL")
LATEST: Final = """(SELECT max(expires_at) FROM memories m INDEXED BY memories_expiring
    WHERE m.scope_id = next.scope_id AND expires_at IS NOT NULL)"""
NEXT_EXPIRING: Final = NEXT.format(f"{LATEST} > :moment", "memories_expiring", "IS NOT NULL")
# Each put removes some rows of a deleted scope: while any are left, few have been put since.
ANEW: Final = f"""SELECT 1 FROM memories m NOT INDEXED
    WHERE m.seq > :until AND scope_id = :scope AND {ALIVE} LIMIT 1"""
SCOPES_ALIVE: Final = f"""SELECT DISTINCT scope_id FROM memories m INDEXED BY memories_by_expiry
    WHERE expires_at > :moment AND scope_id > :after AND scope_id < :before
        AND seq > {UNTIL.format("m.scope_id")} ORDER BY scope_id"""
MORE_ALIVE: Final = """SELECT 1 FROM memories INDEXED BY memories_by_expiry
    WHERE expires_at > :moment LIMIT 1 OFFSET :most"""
SIZED: Final = """SELECT seq, length(CAST(value AS BLOB)) + length(CAST(text AS BLOB)) FROM memories
    WHERE """
EXPIRED: Final = f"{SIZED} expires_at <= ? ORDER BY expires_at"
DEAD: Final = f"{SIZED} scope_id = ? AND seq <= ?"
# In one statement: the full-text index writes what it has after each.
REMOVE: Final = "DELETE FROM memories WHERE seq IN (SELECT value FROM json_each(?))"
DROP: Final = """INSERT INTO dropped (scope, until) SELECT ?1, (SELECT max(seq) FROM memories)
    WHERE EXISTS (SELECT 1 FROM memories WHERE scope_id = ?1)
    ON CONFLICT (scope) DO UPDATE SET until = excluded.until"""
# A row of before the scope was deleted is in the way of a new one.
CLEAR_KEY: Final = """DELETE FROM memories WHERE scope_id = ? AND key = ?
    AND seq <= (SELECT until FROM dropped WHERE scope = memories.scope_id)"""
BIND: Final = "INSERT INTO projects (root, project_id) VALUES (?, ?) ON CONFLICT DO NOTHING"


def invalid(path: str, message: str) -> InvalidRequest:
    issue = {"path": path, "message": message, "code": "value"}
    return InvalidRequest(f"{path}: {message}", {"issues": [issue]})


def scope_id(scope: wire.MemoryScope) -> str:
    """A scope as a text, a different one for each scope."""
    if not scope.project_id:
        raise invalid("scope.project_id", "expected some text")
    if scope.task_id is not None and scope.agent_id is None:
        raise invalid("scope.agent_id", "a task's scope is below an agent's")
    return msgspec.json.encode([scope.project_id, scope.agent_id, scope.task_id]).decode()


def bounds(project_id: str) -> tuple[str, str]:
    """Between which texts those of a project's scopes are."""
    start = msgspec.json.encode([project_id]).decode().removesuffix("]")
    return f"{start},", f"{start}-"  # which comes after a comma


def scope_of(text: str) -> wire.MemoryScope:
    project_id, agent_id, task_id = msgspec.json.decode(text)
    return wire.MemoryScope(project_id=project_id, agent_id=agent_id, task_id=task_id)


def words_in(value: Any) -> Iterator[str]:
    """The words by which a value can be found: all its texts, numbers and field names."""
    rest = [value]
    while rest:
        found = rest.pop()
        if isinstance(found, dict):
            for name, inner in found.items():
                yield name
                rest.append(inner)
        elif isinstance(found, list):
            rest += reversed(found)
        elif found is not None and not isinstance(found, bool):
            yield str(found)


def spaced(text: str | None) -> str | None:
    """A text as it is indexed: each character of a script without spaces is a word of its own.

    A word in such a script is found as a phrase of its characters. What stands between two of them is
    a word as well, one that nobody asks for, so that no phrase runs from one sentence into the next.
    """
    if text is None or text.isascii():
        return text
    text = normalize("NFC", text)
    if not ONE.search(text):
        return text
    return ONE.sub(r" \g<0> ", GAP.sub(" \ue000 ", text))


def placed(scope: str, text: str | None) -> str:
    """The words of a text as they are indexed: each with a mark of its scope in front.

    Two scopes may have the same mark, so what is found is compared with the scope itself.
    """
    mark = f"{crc32(scope.encode()):08x}z"
    return f" {mark}".join(["", *TOKEN.findall(spaced(text) or "")])[1:]


def any_word(scope: str, query: str) -> str:
    """A full-text expression that matches any word of a question, or nothing if it has none."""
    words = dict.fromkeys(WORD.findall(normalize("NFC", query.lower())))
    return " OR ".join(f'"{placed(scope, word)}"' for word in words) or '""'


def prepare(db: sqlite3.Connection) -> None:
    # FULL: what was answered is on disk, whatever happens to this process or the machine.
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA trusted_schema = ON")  # its triggers use a function of ours
    db.create_function("spaced", 1, spaced, deterministic=True)
    db.create_function("placed", 2, placed, deterministic=True)


def remove(db: sqlite3.Connection, find: str, values: Sequence[object], most: int) -> bool:
    """Remove rows that are found, up to a number and a size of all; whether there may be more."""
    found: list[int] = []
    size = 0
    with closing(db.execute(find, values)) as rows:
        for seq, length in islice(rows, most):
            found.append(seq)
            size += length
            if size >= SLICE_BYTES:
                break
    db.execute(REMOVE, [msgspec.json.encode(found).decode()])
    return len(found) == most or size >= SLICE_BYTES


class Store:
    """The memories of one database file, as one project or, if unbound, anybody sees them."""

    def __init__(self, path: Path, root: str | None) -> None:
        self.path = path
        self.root = root
        self.database = Database(path, LAYOUT, wait_s=BUSY_S, wal=True, prepare=prepare)

    @property
    def db(self) -> sqlite3.Connection:
        """Opened, and made if need be, when it is first used: a ping leaves nothing behind."""
        return self.database.own

    def check_binding(self, project_id: str, db: sqlite3.Connection | None = None) -> None:
        """Refuse another project's id; before the first put, any id may be this project's."""
        if self.root is None:
            return
        find = "SELECT root, project_id FROM projects WHERE root = ? OR project_id = ?"
        for root, known in (db or self.db).execute(find, [self.root, project_id]):
            if (root, known) != (self.root, project_id):
                text = f"project binding mismatch: this process is not bound to '{project_id}'"
                raise RpcError(BINDING_MISMATCH, text, {"project_id": project_id})

    def put(self, request: wire.PutMemoryRequest) -> int:
        scope = scope_id(request.scope)
        value = msgspec.json.encode(request.value)
        if len(value) > VALUE_BYTES:
            raise invalid("value", f"longer than {VALUE_BYTES} bytes")
        moment = time.time()
        expires_at = None if request.ttl_secs is None else moment + request.ttl_secs
        words = " ".join(words_in(request.value))
        project_id = request.scope.project_id
        with turn(self.db, BUSY_S):
            self.check_binding(project_id)
            if self.root is not None:
                self.db.execute(BIND, [self.root, project_id])
            remove(self.db, EXPIRED, [moment], MAX_SWEPT)
            self.clear(self.db)
            self.db.execute(CLEAR_KEY, [scope, request.key])
            values = [project_id, scope, request.key, value.decode(), words, expires_at]
            ((seq,),) = self.db.execute(PUT, values).fetchall()
        return int(seq)

    def get(self, scope: wire.MemoryScope, key: str) -> wire.GetMemoryResponse:
        self.check_binding(scope.project_id)
        terms = {"scope": scope_id(scope), "key": key, "moment": time.time()}
        row = self.db.execute(GET, terms).fetchone()
        if row is None:
            return wire.GetMemoryResponse(found=False)
        return wire.GetMemoryResponse(found=True, value=msgspec.json.decode(row[0]))

    def query(self, request: wire.QueryMemoryRequest) -> list[wire.MemoryQueryResult]:
        self.check_binding(request.scope.project_id)
        limit = min(request.top_k, MAX_TOP_K)
        scope = scope_id(request.scope)
        words = any_word(scope, request.query)
        terms = {"words": words, "scope": scope, "moment": time.time(), "limit": limit}
        found: list[wire.MemoryQueryResult] = []
        size = 0
        with closing(self.db.execute(RANKED, terms)) as rows:
            for key, value, score in rows:
                size += len(msgspec.json.encode([key])) + len(value.encode())
                if found and size > RESULT_BYTES:
                    break
                decoded = msgspec.json.decode(value)
                found.append(wire.MemoryQueryResult(key=key, value=decoded, score=score))
        return found

    def scopes(self, request: wire.ListScopesRequest) -> wire.ListScopesResponse:
        project_id = request.project_id
        if project_id is not None:
            self.check_binding(project_id)
        elif self.root is not None:
            bound = self.db.execute("SELECT project_id FROM projects WHERE root = ?", [self.root])
            project_id = next((known for (known,) in bound), "")
        given = DEFAULT_PAGE if request.page_size is None else request.page_size
        most = min(max(given, 1), MAX_PAGE)
        first, last = ("", "~") if project_id is None else bounds(project_id)
        found: list[str] = []
        size = 0
        more = False
        for scope, _ in groupby(self.scopes_between(max(first, request.cursor or ""), last)):
            size += len(scope.encode())
            more = len(found) == most or (size > RESULT_BYTES and found != [])
            if more:
                break
            found.append(scope)
        return wire.ListScopesResponse(
            scopes=[scope_of(scope) for scope in found], next_cursor=found[-1] if more else None
        )

    def scopes_between(self, after: str, before: str) -> Iterator[str]:
        """The scopes that have a value, in order; some of them twice."""
        place = {"after": after, "before": before, "moment": time.time()}
        lasting = self.walk(NEXT_LASTING, place, math.inf)
        return merge(lasting, self.walk(NEXT_EXPIRING, place, PROBED))

    def walk(self, find: str, place: dict[str, Any], most: float) -> Iterator[str]:
        """Scopes, each found after the one before; after many in vain, by what is still alive.

        How many that is depends on how much is alive, so that a page costs what the fewer cost.
        """
        passed = 0
        while (
            passed < most or self.db.execute(MORE_ALIVE, {**place, "most": most * READ}).fetchone()
        ):
            most = most if passed < most else most * 2
            scope, until, inhabited = self.db.execute(find, place).fetchone()
            if scope is None:
                return
            place = {**place, "after": scope, "scope": scope, "until": until}
            if until is not None:
                inhabited = self.db.execute(ANEW, place).fetchone()
            if inhabited:
                yield scope
            else:
                passed += 1
        yield from (scope for (scope,) in self.db.execute(SCOPES_ALIVE, place))

    def delete(self, scope: wire.MemoryScope, ctx: Context) -> None:
        """Nobody sees its rows any more; they are removed by and by, beside what else is called."""
        name = scope_id(scope)
        with closing(self.database.connection()) as db:
            with turn(db, BUSY_S):
                self.check_binding(scope.project_id, db)
                db.execute(DROP, [name])
            more = True
            try:
                while more and not ctx.wait(PAUSE_S):
                    with turn(db, BUSY_S):
                        more = self.clear(db, name)
            except sqlite3.Error as problem:  # the scope is forgotten all the same
                ctx.log("warn", f"rows of a deleted scope are left to later puts: {problem}")

    def clear(self, db: sqlite3.Connection, *only: str) -> bool:
        """Remove some rows of a deleted scope, any or one alone; whether there may be more."""
        find = f"SELECT scope, until FROM dropped {'WHERE scope = ?' if only else ''} LIMIT 1"
        row = db.execute(find, only).fetchone()
        if row is None:
            return False
        more = remove(db, DEAD, row, SLICE)
        if not more:
            db.execute("DELETE FROM dropped WHERE scope = ?", row[:1])
        return more


# ---- the plugin ---------------------------------------------------------------------------------


def lifespan(ctx: Context) -> Iterator[Store]:
    root = Path(ctx.project_root)
    shared = os.environ.get("ANIMUS_MEMORY_DB")
    path = Path(shared) if shared else root / ".animus" / "memory.sqlite3"
    bound = bool(ctx.init_extensions.get("project_binding"))
    # A file inside the project may move with it; in a shared file, projects differ by their root.
    store = Store(path, (str(root.resolve()) if shared else ".") if bound else None)
    yield store
    store.database.close()


def the_store(ctx: Context[Store]) -> Store:
    return ctx.state


Memory = Annotated[Store, Depends(the_store)]

app = App(
    kind="memory_store",
    name="animus-memory-sqlite",
    version="0.1.0",
    description="Agent memory in a SQLite file under the project root",
    lifespan=lifespan,
    kind_capabilities={
        "memory_store": wire.MemoryStoreCapabilities(
            native_ttl=True, native_key_get=True, strong_consistency=True, max_query_top_k=MAX_TOP_K
        )
    },
    env_required=[
        {
            "name": "ANIMUS_MEMORY_DB",
            "description": "The database file; .animus/memory.sqlite3 under the project if unset",
        }
    ],
)


@app.method("memory/put")
def put(request: wire.PutMemoryRequest, store: Memory) -> wire.PutMemoryResponse:
    """Keep a value, null included; a second put replaces the value and its time to live."""
    seq = store.put(request)
    return wire.PutMemoryResponse(ack=True, indexed_immediately=True, record_id=f"memory:{seq}")


@app.method("memory/get")
def get(scope: wire.MemoryScope, key: str, store: Memory) -> wire.GetMemoryResponse:
    return store.get(scope, key)


@app.method("memory/query")
def query_memory(request: wire.QueryMemoryRequest, store: Memory) -> wire.QueryMemoryResponse:
    """The best matches first, at most MAX_TOP_K and no more than fit into a frame."""
    return wire.QueryMemoryResponse(results=store.query(request))


@app.method("memory/list_scopes")
def list_scopes(request: wire.ListScopesRequest, store: Memory) -> wire.ListScopesResponse:
    return store.scopes(request)


@app.method("memory/delete_scope", concurrent=True)
def delete_scope(scope: wire.MemoryScope, ctx: Context, store: Memory) -> wire.DeleteScopeResponse:
    """Forget a scope; an unknown one counts as forgotten."""
    store.delete(scope, ctx)
    return wire.DeleteScopeResponse(ack=True)


@app.health
def health(ctx: Context[Store | None]) -> str | None:
    """Ask the database itself: is the file still ours, can it be read, may it be written now?

    Returning a reason means degraded, raising one means unhealthy.
    """
    if ctx.state is None:
        return "the database is opened at its first use"
    return ctx.state.database.check()


@app.exception_handler(sqlite3.Error)
@app.exception_handler(OSError)
def refuse(ctx: Context[Store], problem: sqlite3.Error | OSError) -> RpcError:
    return RpcError(BACKEND_UNAVAILABLE, f"backend unavailable: {ctx.state.path}: {problem}")


@app.exception_handler(Unavailable)
def not_there(_ctx: Context, problem: Unavailable) -> RpcError:
    return RpcError(BACKEND_UNAVAILABLE, problem.message)


@app.exception_handler(msgspec.DecodeError)
def damaged(_ctx: Context, problem: msgspec.DecodeError) -> RpcError:
    return RpcError(BACKEND_UNAVAILABLE, f"what is stored is damaged: {problem}")


if __name__ == "__main__":
    app.run()
