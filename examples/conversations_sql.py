"""Chat history in a SQL database, which any number of hosts may share.

    python conversations_sql.py        a host starts it, or you with `--manifest`

The database is `.animus/conversations.sqlite3` under the project's root, or what
ANIMUS_CONVERSATIONS_URL says, such as `postgresql://user@server/animus`. Conversations are kept
apart by tenant and by repository.

If a request has an actor, it speaks for that user in that tenant, which it has to name; otherwise
for `as_user` and `tenant_id`. The owner may do everything, and others may read what is shared. A
conversation without an owner belongs to the administrator, which is anybody who names no user.

The `seq` of a message belongs to the host and is never changed. If two hosts append the same one to
a conversation, one of them is refused: its turn visibly fails, and the history stays intact.

A message that is sent with a key is an operation. One host at a time works on it, under a lease; when
it dies, another goes on with it, and what has ended is told again and never done again.

A host starts this process afresh for every call, so a call costs the same however much is kept. What
is answered in one piece has a bound: see LIST_BYTES and HISTORY_BYTES.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC
from typing import Annotated, Any, Final, NamedTuple

from animus_routes import (
    App,
    Context,
    Depends,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from animus_routes.batteries.sql import Database, Layout, Transaction, marks
from animus_routes.structs import plugin as wire
from animus_routes.timestamps import now, parse

import msgspec
from uuid import uuid4

URL_NAME: Final = "ANIMUS_CONVERSATIONS_URL"
LOCK_S: Final = 10.0
LIST_BYTES: Final = 4 * 1024 * 1024  # a host drops a plugin whose frame passes 8 MiB
HISTORY_BYTES: Final = 7 * 1024 * 1024  # the messages of one conversation, which have no pages
SUMMARY_BYTES: Final = 64  # no summary is shorter
# What is kept of a meta: one summary never takes the place of all others, and each meta can be loaded.
LONGEST: Final = {"summary": LIST_BYTES // 4, "meta": HISTORY_BYTES}
SLICE: Final = 250  # messages of a deleted conversation that go in one transaction
SLICE_BYTES: Final = 1024 * 1024  # unless the last of them is longer
MAX_SEQ: Final = 2**63 - 1  # the widest integer of SQL
LEASE_US: Final = 120_000_000  # of an operation; hosts renew it while an agent is at work


def invalid(path: str, message: str) -> InvalidRequest:
    issue = {"path": path, "message": message, "code": "value"}
    return InvalidRequest(f"{path}: {message}", {"issues": [issue]})


def moment(text: str) -> str:
    """A time as text of fixed width in UTC; anything that is not a time counts as the present."""
    try:
        return parse(text).astimezone(UTC).isoformat(timespec="microseconds")
    except (ValueError, OverflowError):
        return parse(now()).isoformat(timespec="microseconds")


def json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


# ---- the tables ---------------------------------------------------------------------------------

# Messages hang on a conversation's number, which is never used again: whoever makes a conversation
# with the id of a deleted one does not see what is still to be removed.
TABLES: Final = """
CREATE TABLE conversations (number {number}, tenant_id TEXT NOT NULL, scope TEXT NOT NULL,
    id TEXT NOT NULL, owner TEXT, visibility TEXT NOT NULL, updated_at TEXT NOT NULL,
    moment TEXT NOT NULL, meta TEXT NOT NULL, summary TEXT NOT NULL, counted BIGINT NOT NULL,
    messages BIGINT NOT NULL DEFAULT 0, bytes BIGINT NOT NULL DEFAULT 0,
    UNIQUE (tenant_id, scope, id));
CREATE INDEX conversations_by_moment ON conversations (tenant_id, scope, moment DESC, id);
CREATE INDEX conversations_by_owner ON conversations (tenant_id, scope, owner, moment DESC, id);
CREATE INDEX conversations_shared ON conversations (tenant_id, scope, moment DESC, id)
    WHERE visibility = 'shared';
CREATE TABLE conversation_messages (conversation BIGINT NOT NULL, seq BIGINT NOT NULL,
    message TEXT NOT NULL, size BIGINT NOT NULL, PRIMARY KEY (conversation, seq));
CREATE TABLE conversations_deleted (number BIGINT PRIMARY KEY)
"""
ON_SQLITE: Final = "INTEGER PRIMARY KEY AUTOINCREMENT"
ON_POSTGRESQL: Final = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
# Processes of 0.1.0 may still run: each of their calls begins with a column that is not there now.
SET_ASIDE: Final = """
DROP INDEX conversations_by_moment;
ALTER TABLE conversations RENAME TO conversations_0_1_0;
ALTER TABLE conversation_messages RENAME TO conversation_messages_0_1_0
"""
MESSAGES_OF_0_1_0: Final = """
INSERT INTO conversation_messages (conversation, seq, message, size)
    SELECT c.number, m.seq, m.message, {size} FROM conversation_messages_0_1_0 m
    JOIN conversations c ON c.tenant_id = m.tenant AND c.scope = m.scope AND c.id = m.id;
UPDATE conversations SET
    messages = (SELECT count(*) FROM conversation_messages WHERE conversation = number),
    bytes = (SELECT coalesce(sum(size + 1), 0) FROM conversation_messages
        WHERE conversation = number);
DROP TABLE conversations_0_1_0;
DROP TABLE conversation_messages_0_1_0
"""


# A conversation is reserved by the operation whose user's message it has taken.
OPERATIONS: Final = """
ALTER TABLE conversations ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN reserved_by TEXT;
CREATE TABLE conversation_operations (conversation BIGINT NOT NULL, actor TEXT NOT NULL,
    caller_key TEXT NOT NULL, request_hash TEXT NOT NULL, operation_id TEXT NOT NULL,
    user_message_id TEXT NOT NULL, assistant_message_id TEXT NOT NULL, status TEXT NOT NULL,
    execution_hash TEXT, user_seq BIGINT, assistant_seq BIGINT, error_code TEXT,
    error_message TEXT, lease_token TEXT, leased_until_us BIGINT NOT NULL DEFAULT 0,
    recovered INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (conversation, actor, caller_key));
CREATE UNIQUE INDEX conversation_operations_by_id
    ON conversation_operations (conversation, operation_id)
"""

NEXT_SUMMARIES: Final = (
    "SELECT number, summary FROM conversations WHERE number > ? ORDER BY number LIMIT ?"
)


def build(db: Transaction, found: int) -> None:
    if found < 2:
        build_without_operations(db, found)
    run_script(db, OPERATIONS)
    last = 0
    while rows := db.rows(NEXT_SUMMARIES, last, SLICE):
        for number, summary in rows:
            kept = msgspec.json.decode(summary)
            if kept.pop("revision", None) is not None:
                db.run("UPDATE conversations SET summary = ? WHERE number = ?", json(kept), number)
        last = rows[-1][0]


def run_script(db: Transaction, script: str) -> None:
    for statement in script.split(";"):
        db.run(statement)


def build_without_operations(db: Transaction, found: int) -> None:
    if found and db.postgresql:
        db.run("LOCK TABLE conversations, conversation_messages IN ACCESS EXCLUSIVE MODE")
    if found:
        run_script(db, SET_ASIDE)
    run_script(db, TABLES.format(number=ON_POSTGRESQL if db.postgresql else ON_SQLITE))
    if found:
        rows = db.rows("SELECT tenant, scope, updated_at, moment, meta FROM conversations_0_1_0")
        for tenant, scope, updated_at, at, meta in rows:
            kept = columns_of(msgspec.json.decode(meta)) | {"updated_at": updated_at, "moment": at}
            insert(db, (tenant, scope), kept)
        size = "octet_length(m.message)" if db.postgresql else "length(CAST(m.message AS BLOB))"
        run_script(db, MESSAGES_OF_0_1_0.format(size=size))


LAYOUT: Final = Layout("conversations", 3, "conversations", build, lock=0x616E_6963)


class Conversation(NamedTuple):
    """A row of the table."""

    number: int
    owner: str | None
    visibility: str
    updated_at: str
    meta: str
    messages: int
    bytes: int
    revision: int
    reserved_by: str | None

    def meta_now(self) -> dict[str, Any]:
        """The meta as it was saved, updated with the turns that have been appended since.

        The host numbers its next turn by `message_count`. After a crash between the two, a count
        that is too low would cause every turn to be refused forever.
        """
        meta: dict[str, Any] = {"visibility": "private"} | msgspec.json.decode(self.meta)
        meta.pop("active_operation_id", None)
        count = max(meta.get("message_count", 0), self.messages)
        meta |= {"updated_at": self.updated_at, "message_count": count, "revision": self.revision}
        if self.reserved_by is not None:
            meta["active_operation_id"] = self.reserved_by
        return meta


class Operation(NamedTuple):
    """A row of the operations."""

    operation_id: str
    caller_key: str
    request_hash: str
    user_message_id: str
    assistant_message_id: str
    status: str = "pending"
    execution_hash: str | None = None
    user_seq: int | None = None
    assistant_seq: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    lease_token: str | None = None
    leased_until_us: int = 0
    recovered: int = 0  # 1 until whoever has taken it over binds it anew

    def receipt(self, conversation_id: str) -> dict[str, Any]:
        """What everybody may know."""
        plain = {name: getattr(self, name) for name in RECEIPT}
        told = {name: value for name, value in plain.items() if value is not None}
        return {"conversation_id": conversation_id, **told}

    def claim(self, conversation_id: str) -> dict[str, Any]:
        """What only the holder of the lease may know."""
        return self.receipt(conversation_id) | {
            "lease_token": self.lease_token,
            "lease_expires_at": self.leased_until_us // 1_000_000,
            "recovered": bool(self.recovered),
        }


SECRET: Final = {"request_hash", "lease_token", "leased_until_us", "recovered"}
RECEIPT: Final = [name for name in Operation._fields if name not in SECRET]
OPERATION: Final = f"SELECT {', '.join(Operation._fields)} FROM conversation_operations"
TERMINAL: Final = {"completed", "assistant_failed", "assistant_interrupted"}
Lease = (
    wire.ConversationOperationRenewRequest
    | wire.ConversationOperationBindExecutionRequest
    | wire.ConversationOperationReleaseRequest
    | wire.ConversationOperationAcceptUserRequest
    | wire.ConversationOperationTerminalizeRequest
    | wire.ConversationOperationAppendFence
)


def columns_of(meta: dict[str, Any]) -> dict[str, Any]:
    """A conversation's columns, from its meta as it was given."""
    meta = {"visibility": "private"} | meta
    summary = msgspec.to_builtins(msgspec.convert(meta, wire.ConversationSummary))
    del summary["message_count"], summary["updated_at"], summary["revision"]
    meta = {name: meta[name] for name in meta if name not in {"revision", "active_operation_id"}}
    return {
        "id": meta["id"],
        "owner": meta.get("owner"),
        "visibility": meta["visibility"],
        "updated_at": meta["updated_at"],
        "moment": moment(meta["updated_at"]),
        "meta": json(meta),
        "summary": json(summary),
        "counted": min(meta["message_count"], MAX_SEQ),
    }


def fitting(columns: dict[str, Any]) -> dict[str, Any]:
    """A conversation's columns, if they can be listed and loaded."""
    for name, most in LONGEST.items():
        if (size := len(columns[name].encode())) > most:
            raise invalid("meta", f"its {name} would have {size} bytes, and {most} can be kept")
    return columns


def insert(db: Transaction, place: tuple[str, ...], columns: dict[str, Any]) -> bool:
    """Keep a new conversation; False if there already is one with its id."""
    names = ["tenant_id", "scope", *columns]
    statement = f"INSERT INTO conversations ({', '.join(names)}) VALUES ({marks(len(names))})"
    return db.run(f"{statement} ON CONFLICT DO NOTHING", *place, *columns.values()) > 0


# The first messages of a conversation, one after the other, so that no long one is read in vain.
FIRST_MESSAGES: Final = """
WITH RECURSIVE few (seq, bytes, messages) AS (
    SELECT CAST(-1 AS BIGINT), CAST(0 AS BIGINT), 0
    UNION ALL SELECT m.seq, bytes + size, messages + 1 FROM few JOIN conversation_messages m
        ON m.conversation = ? AND m.seq =
            (SELECT min(seq) FROM conversation_messages WHERE conversation = ? AND seq > few.seq)
        WHERE bytes < ? AND messages < ?)
SELECT seq, bytes < ? AND messages < ? FROM few ORDER BY messages DESC LIMIT 1
"""


def clear(db: Transaction, *only: int) -> bool:
    """Remove some messages of a deleted conversation, any or one alone; whether there may be more."""
    lock = "FOR UPDATE SKIP LOCKED" if db.postgresql else ""
    deleted = f"FROM conversations_deleted {'WHERE number = ?' if only else ''}"
    number = db.value(f"SELECT number {deleted} ORDER BY number LIMIT 1 {lock}", *only)
    if number is None:
        # Somebody may be at it this moment, and may be killed.
        return db.value(f"SELECT 1 {deleted} LIMIT 1", *only) is not None
    bounds = (SLICE_BYTES, SLICE)
    last, is_rest = db.row(FIRST_MESSAGES, number, number, *bounds, *bounds) or (-1, True)
    db.run("DELETE FROM conversation_messages WHERE conversation = ? AND seq <= ?", number, last)
    if is_rest:
        own = "FROM conversation_operations WHERE conversation = ?"
        first = f"SELECT operation_id {own} ORDER BY operation_id LIMIT ?"
        if db.run(f"DELETE {own} AND operation_id IN ({first})", number, number, SLICE) < SLICE:
            db.run("DELETE FROM conversations_deleted WHERE number = ?", number)
    return True


class Archive(NamedTuple):
    """The conversations of one tenant and one repository, for a user; None is the administrator."""

    database: Database
    tenant: str
    scope: str
    user: str | None

    @contextmanager
    def read(self) -> Iterator["Shelf"]:
        """A transaction with what the user may see."""
        with self.database.read() as db:
            yield Shelf(db, (self.tenant, self.scope), self.user)

    @contextmanager
    def write(self) -> Iterator["Shelf"]:
        """A transaction with what the user may see and do, which also goes on with what was deleted."""
        with self.database.write() as db:
            yield Shelf(db, (self.tenant, self.scope), self.user)
            clear(db)


class Shelf(NamedTuple):
    """An archive within one transaction."""

    db: Transaction
    place: tuple[str, str]
    user: str | None

    @property
    def now_us(self) -> int:
        """By the database's clock: hosts may have clocks of their own."""
        if not self.db.postgresql:
            return time.time_ns() // 1000
        epoch = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
        return int(self.db.value(epoch))

    def find(self, conversation_id: str, *, change: bool = False) -> Conversation | None:
        """A conversation that the user may read; with `change`, may change, and its lock."""
        lock = "FOR UPDATE" if change and self.db.postgresql else ""
        found = self.db.row(
            f"SELECT {', '.join(Conversation._fields)} FROM conversations"
            f" WHERE tenant_id = ? AND scope = ? AND id = ? {lock}",
            *self.place,
            conversation_id,
        )
        row = None if found is None else Conversation(*found)
        if row is None or self.user in {None, row.owner}:
            return row
        if change or row.visibility != "shared":
            raise PermissionDenied(f"conversation '{conversation_id}' is not {self.user}'s")
        return row

    def own(self, conversation_id: str) -> Conversation:
        row = self.find(conversation_id, change=True)
        if row is None:
            raise NotFound(f"conversation '{conversation_id}'")
        return row

    def update(self, row: Conversation, **columns: Any) -> None:
        assigned = ", ".join(f"{name} = ?" for name in columns)
        statement = f"UPDATE conversations SET {assigned} WHERE number = ?"
        self.db.run(statement, *columns.values(), row.number)

    def append(self, row: Conversation, message: dict[str, Any]) -> int | None:
        """Keep a message; its size, or None if there already is one with its `seq`."""
        document = msgspec.json.encode(message)
        kept = self.db.run(
            "INSERT INTO conversation_messages VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            row.number,
            message["seq"],
            document.decode(),
            len(document),
        )
        return len(document) if kept else None

    def history(self, row: Conversation) -> list[msgspec.Raw]:
        """The messages, or the newest that fit into an answer; one that fits into none hides no other."""
        first, fit = 0, "FROM conversation_messages WHERE conversation = ? AND size < ?"
        if row.bytes > HISTORY_BYTES:
            first = self.db.value(
                "SELECT min(seq) FROM (SELECT seq, sum(size + 1) OVER (ORDER BY seq DESC) AS bytes"
                f" {fit}) AS newest WHERE bytes <= ?",
                row.number,
                HISTORY_BYTES,
                HISTORY_BYTES,
            )
        rows = self.db.rows(
            f"SELECT message {fit} AND seq >= ? ORDER BY seq",
            row.number,
            HISTORY_BYTES,
            MAX_SEQ if first is None else first,
        )
        return [msgspec.Raw(message.encode()) for (message,) in rows]

    def summaries(self) -> Iterator[bytes]:
        """What the user may read, newest first."""
        seen, values = self._seen("summary, counted, messages, updated_at, revision, moment, id")
        most = LIST_BYTES // SUMMARY_BYTES
        rows = self.db.rows(f"{seen} ORDER BY moment DESC, id LIMIT ?", *values, most)
        for summary, counted, messages, updated_at, revision, _, _ in rows:
            now = f'"message_count":{max(counted, messages)},"updated_at":{json(updated_at)}'
            now += f',"revision":{revision}'
            yield f"{summary[:-1]},{now}}}".encode()

    def total(self) -> int:
        seen, values = self._seen("id")
        return int(self.db.value(f"SELECT count(*) FROM ({seen}) AS seen", *values))

    def _seen(self, columns: str) -> tuple[str, list[str]]:
        """A query of what the user may read: the own, and what others share."""
        all_of_them = f"SELECT {columns} FROM conversations WHERE tenant_id = ? AND scope = ?"
        if self.user is None:
            return all_of_them, [*self.place]
        others = "visibility = 'shared' AND (owner IS NULL OR owner <> ?)"
        both = f"{all_of_them} AND owner = ? UNION ALL {all_of_them} AND {others}"
        return f"SELECT {columns} FROM ({both}) AS seen", [*self.place, self.user] * 2

    def operation(self, row: Conversation, caller_key: str) -> "Operation | None":
        """The user's operation with this key."""
        found = self.db.row(
            f"{OPERATION} WHERE conversation = ? AND actor = ? AND caller_key = ?",
            row.number,
            self.user or "",
            caller_key,
        )
        return None if found is None else Operation(*found)

    def held(self, row: Conversation, lease: "Lease") -> "Operation | None":
        """An operation whose lease this is; what has ended has none."""
        found = self.operation(row, lease.caller_key)
        if found is None or found.leased_until_us <= self.now_us:
            return None
        own = (found.operation_id, found.lease_token) == (lease.operation_id, lease.lease_token)
        return found if own else None

    def change(self, row: Conversation, operation: "Operation", **columns: Any) -> "Operation":
        assigned = ", ".join(f"{name} = ?" for name in columns)
        own = "WHERE conversation = ? AND operation_id = ?"
        statement = f"UPDATE conversation_operations SET {assigned} {own}"
        self.db.run(statement, *columns.values(), row.number, operation.operation_id)
        return operation._replace(**columns)

    def reserved(self, row: Conversation, operation_id: str | None = None) -> bool:
        """Is the conversation another operation's, whose host is still at work?"""
        if row.reserved_by in {None, operation_id}:
            return False
        other = "WHERE conversation = ? AND operation_id = ? AND leased_until_us > ?"
        count = f"SELECT count(*) FROM conversation_operations {other}"
        return bool(self.db.value(count, row.number, row.reserved_by, self.now_us))

    def delete(self, row: Conversation) -> None:
        """Nobody sees it any more; its messages are removed by and by."""
        self.db.run("DELETE FROM conversations WHERE number = ?", row.number)
        self.db.run("INSERT INTO conversations_deleted VALUES (?)", row.number)


# ---- the plugin ---------------------------------------------------------------------------------


def lifespan(ctx: Context) -> Iterator[Database]:
    file = os.path.join(ctx.project_root, ".animus", "conversations.sqlite3")
    database = Database(
        os.environ.get(URL_NAME), LAYOUT, file=file, variable=URL_NAME, wait_s=LOCK_S
    )
    yield database
    database.close()


def the_archive(ctx: Context[Database]) -> Archive:
    """What the actor may use; a request that speaks for anybody else is refused."""
    params, actor = ctx.params, ctx.actor
    for name in ("project_root", "repo_scope", "tenant_id", "as_user"):
        if not isinstance(params.get(name), str | None):
            raise invalid(name, "expected some text")
    scope = params.get("repo_scope") or params.get("project_root") or ""
    tenant, user = params.get("tenant_id"), params.get("as_user")
    if actor is not None:
        if tenant is None or tenant != actor.get("tenant_id"):
            raise PermissionDenied("tenant_id is not the actor's")
        if user not in {None, actor["user_id"]}:
            raise PermissionDenied("as_user is not the actor's")
        user = actor["user_id"]
        if not user.strip():
            raise PermissionDenied("the actor is nobody: its user_id is blank")
    return Archive(ctx.state, tenant or "", scope, user)


Chats = Annotated[Archive, Depends(the_archive)]

app = App(
    kind="conversation_store",
    name="animus-conversations-sql",
    version="0.1.0",
    description="Chat history in a SQL database, shared by many hosts",
    lifespan=lifespan,
    env_required=[
        {
            "name": URL_NAME,
            "description": "The database; .animus/conversations.sqlite3 under the project if unset",
            "sensitive": True,
        }
    ],
)


@app.method("conversation/create")
def create(request: wire.ConversationCreateRequest, chats: Chats) -> dict[str, Any]:
    if request.id == "":
        raise invalid("id", "expected some text, or nothing to let the store choose an id")
    created_at = now()
    meta = {
        "id": request.id or str(uuid4()),
        "created_at": created_at,
        "updated_at": created_at,
        "message_count": 0,
        "visibility": request.visibility,
        "revision": 0,
    }
    if chats.user is not None and request.owner not in {None, chats.user}:
        raise PermissionDenied("owner is another user")
    known = {"owner": chats.user or request.owner, "agent_id": request.agent_id}
    meta |= {name: value for name, value in known.items() if value is not None}
    with chats.write() as shelf:
        if not insert(shelf.db, shelf.place, fitting(columns_of(meta))):
            raise invalid("id", f"there already is a conversation '{request.id}'")
    return {"meta": meta}


@app.method("conversation/load_meta")
def load_meta(request: wire.ConversationLoadMetaRequest, chats: Chats) -> dict[str, Any]:
    with chats.read() as shelf:
        row = shelf.find(request.id)
    return {} if row is None else {"meta": row.meta_now()}


@app.method("conversation/save_meta")
def save_meta(request: wire.ConversationSaveMetaRequest, ctx: Context, chats: Chats) -> None:
    """Keep the meta, including unknown keys; a deleted conversation stays deleted."""
    meta, expected = ctx.params["meta"], request.expected_revision
    with chats.write() as shelf:
        row = shelf.own(request.meta.id)
        if expected not in {None, row.revision}:
            text = f"conversation '{request.meta.id}' has the revision {row.revision} now"
            raise invalid("expected_revision", f"{text}; load it again")
        for name in ("owner", "agent_id"):
            stored = msgspec.json.decode(row.meta).get(name)
            if stored is not None and meta.get(name) != stored:
                raise invalid(f"meta.{name}", f"expected '{stored}', which stays")
        # Only its own end frees a conversation that is being worked on.
        by = row.reserved_by if shelf.reserved(row) else request.meta.active_operation_id
        columns = fitting(columns_of(meta))
        shelf.update(row, **columns, revision=row.revision + 1, reserved_by=by)


@app.method("conversation/append_message")
def append_message(
    request: wire.ConversationAppendMessageRequest, ctx: Context, chats: Chats
) -> None:
    """Keep one turn exactly as given, at its own `seq`; a `seq` that is taken is refused."""
    seq, at = request.message.seq, request.message.recorded_at
    if seq > MAX_SEQ:
        raise invalid("message.seq", f"expected no more than {MAX_SEQ}")
    fence = request.operation_fence
    with chats.write() as shelf:
        row = shelf.own(request.id)
        if fence is not None:
            held = shelf.held(row, fence)
            state = held and (held.status, row.reserved_by)
            if state != ("user_accepted", fence.operation_id):
                raise invalid("operation_fence", "it is stale: nothing was changed")
        size = shelf.append(row, ctx.params["message"])
        if size is None:
            text = f"conversation '{request.id}' already has a message {seq}; load it again"
            raise invalid("message.seq", text)
        total = row.bytes + size + 1
        if total > HISTORY_BYTES:
            text = f"conversation '{request.id}' is full: its messages would have {total} bytes"
            raise invalid("message", f"{text}, and {HISTORY_BYTES} can be loaded; begin another")
        grown = {"messages": row.messages + 1, "bytes": total}
        shelf.update(row, updated_at=at, moment=moment(at), **grown)


@app.method("conversation/load_messages")
def load_messages(
    request: wire.ConversationLoadMessagesRequest, ctx: Context, chats: Chats
) -> dict[str, Any]:
    with chats.read() as shelf:
        row = shelf.find(request.id)
        messages = [] if row is None else shelf.history(row)
    if row is None or len(messages) == row.messages:
        return {"messages": messages}
    return cut(ctx, "messages", messages, row.messages)


@app.method("conversation/list")
def list_conversations(ctx: Context, chats: Chats) -> dict[str, Any]:
    """The user's own and the shared ones, newest first, as many as fit into a frame.

    0.1.0 kept summaries that fit into none: they are left out, and hide nothing.
    """
    found: list[msgspec.Raw] = []
    size, whole = 0, True
    with chats.read() as shelf:
        for summary in shelf.summaries():
            length = len(summary) + 1
            if size + length <= LIST_BYTES:
                size += length
                found.append(msgspec.Raw(summary))
                continue
            whole = False
            if length <= LIST_BYTES:
                break
        total = len(found) if whole else shelf.total()
    return {"conversations": found} if whole else cut(ctx, "conversations", found, total)


def cut(ctx: Context, name: str, found: list[msgspec.Raw], total: int) -> dict[str, Any]:
    """An answer with the newest, which says that there are more; hosts skip keys they do not know."""
    ctx.log("warn", f"{ctx.method} answers the newest {len(found)} of {total} {name}")
    return {name: found, "truncated": True, "total": total}


@app.method("conversation/delete", concurrent=True)
def delete(request: wire.ConversationDeleteRequest, ctx: Context, chats: Chats) -> None:
    """Forget a conversation; an unknown one counts as forgotten.

    It is forgotten at once. What this call cannot remove behind it is left to others' writes.
    """
    with chats.write() as shelf:
        row = shelf.find(request.id, change=True)
        if row is not None:
            shelf.delete(row)
    if row is None:
        return
    number = row.number
    try:
        chats.database.write_in_slices(lambda db: clear(db, number) and not ctx.cancelled)
    except Unavailable as problem:
        ctx.log("warn", f"rows of a deleted conversation are left: {problem.message}")


# ---- messages with a key ------------------------------------------------------------------------

Answer = dict[str, Any]


@app.method("conversation/operation_begin")
def begin(request: wire.ConversationOperationBeginRequest, chats: Chats) -> Answer | str:
    name = request.conversation_id
    with chats.write() as shelf:
        row, now_us = shelf.own(name), shelf.now_us
        found = shelf.operation(row, request.caller_key)
        token, until_us = uuid4().hex, now_us + LEASE_US
        if found is None:
            new = Operation(
                operation_id=uuid4().hex,
                caller_key=request.caller_key,
                request_hash=request.request_hash,
                user_message_id=uuid4().hex,
                assistant_message_id=uuid4().hex,
                lease_token=token,
                leased_until_us=until_us,
            )
            columns = ("conversation", "actor", *new._fields)
            into = f"INSERT INTO conversation_operations ({', '.join(columns)})"
            values = (row.number, shelf.user or "", *new)
            shelf.db.run(f"{into} VALUES ({marks(len(columns))})", *values)
            return new.claim(name)
        if found.request_hash != request.request_hash:
            return "conflict"
        if found.status in TERMINAL:
            return {"outcome": "replay", "operation": found.receipt(name)}
        if found.leased_until_us > now_us:
            return "in_progress"
        lease = {"lease_token": token, "leased_until_us": until_us, "recovered": 1}
        return shelf.change(row, found, **lease).claim(name)


@app.method("conversation/operation_load")
def load(request: wire.ConversationOperationLoadRequest, chats: Chats) -> Answer | None:
    with chats.read() as shelf:
        row = shelf.find(request.conversation_id)
        found = None if row is None else shelf.operation(row, request.caller_key)
    return None if found is None else found.receipt(request.conversation_id)


def change(
    chats: Archive,
    lease: Any,
    decide: Callable[[Shelf, Conversation, Operation], dict[str, Any] | None],
) -> Answer:
    """What the lease's holder does to its operation; None is what may not be done now."""
    name = lease.conversation_id
    with chats.write() as shelf:
        row = shelf.own(name)
        held = shelf.held(row, lease)
        columns = None if held is None else decide(shelf, row, held)
        if held is not None and columns is not None:
            held = shelf.change(row, held, **columns)
        now = held or shelf.operation(row, lease.caller_key)
    known = {} if now is None else {"operation": now.receipt(name)}
    return {"changed": columns is not None, **known}


@app.method("conversation/operation_renew")
def renew(request: wire.ConversationOperationRenewRequest, chats: Chats) -> Answer:
    return change(chats, request, lambda shelf, *_: {"leased_until_us": shelf.now_us + LEASE_US})


@app.method("conversation/operation_bind_execution")
def bind(request: wire.ConversationOperationBindExecutionRequest, chats: Chats) -> Answer:
    """Once a claim; anew only by whoever has taken over an operation that is still pending."""

    def decide(_shelf: Shelf, _row: Conversation, held: Operation) -> dict[str, Any] | None:
        again = held.execution_hash is not None and not (request.allow_rebind and held.recovered)
        if held.status != "pending" or again:
            return None
        return {"execution_hash": request.execution_hash, "recovered": 0}

    return change(chats, request, decide)


@app.method("conversation/operation_release")
def release(request: wire.ConversationOperationReleaseRequest, chats: Chats) -> Answer:
    """The lease ends, and the operation can be begun again."""
    return change(chats, request, lambda *_: {"lease_token": None, "leased_until_us": 0})


@app.method("conversation/operation_accept_user")
def accept_user(request: wire.ConversationOperationAcceptUserRequest, chats: Chats) -> Answer:
    """The user's message is there, and the conversation is this operation's."""
    if request.user_seq > MAX_SEQ:
        raise invalid("user_seq", f"expected no more than {MAX_SEQ}")

    def decide(shelf: Shelf, row: Conversation, held: Operation) -> dict[str, Any] | None:
        if held.status != "pending" or shelf.reserved(row, held.operation_id):
            return None
        shelf.update(row, reserved_by=held.operation_id)
        return {"status": "user_accepted", "user_seq": request.user_seq}

    return change(chats, request, decide)


@app.method("conversation/operation_terminalize")
def terminalize(request: wire.ConversationOperationTerminalizeRequest, chats: Chats) -> Answer:
    """The end, which is told from then on; the conversation is free again."""
    if (request.assistant_seq or 0) > MAX_SEQ:
        raise invalid("assistant_seq", f"expected no more than {MAX_SEQ}")

    def decide(shelf: Shelf, row: Conversation, held: Operation) -> dict[str, Any] | None:
        if row.reserved_by == held.operation_id:
            shelf.update(row, reserved_by=None)
        told = ("status", "assistant_seq", "error_code", "error_message")
        end = {name: getattr(request, name) for name in told}
        return end | {"lease_token": None, "leased_until_us": 0}

    return change(chats, request, decide)


@app.health
def health(ctx: Context[Database | None]) -> str | None:
    """Can the database be used, or be made once it is needed?"""
    return None if ctx.state is None else ctx.state.check()


@app.exception_handler(msgspec.DecodeError)
def damaged(_ctx: Context, problem: msgspec.DecodeError) -> Unavailable:
    return Unavailable(f"what is stored is damaged: {problem}")


if __name__ == "__main__":
    app.run()
