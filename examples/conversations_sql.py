"""Chat history in a SQL database, which any number of hosts may share.

    python conversations_sql.py        a host starts it, or you with `--manifest`

The database is `.animus/conversations.sqlite3` under the project's root, or what
ANIMUS_CONVERSATIONS_URL says, such as `postgresql://user@server/animus`. Conversations are kept
apart by tenant and by repository.

If a request has `as_user`, the owner may do everything, and others may read what is shared. A
conversation without an owner belongs to the administrator, which is anybody who names no user.

The `seq` of a message belongs to the host and is never changed. If two hosts append the same one to
a conversation, one of them is refused: its turn visibly fails, and the history stays intact.

A host starts this process afresh for every call, so a call costs the same however much is kept. What
is answered in one piece has a bound: see LIST_BYTES and HISTORY_BYTES.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple
from uuid import uuid4

import msgspec

from animus_routes import App, Context, Depends, InvalidRequest, NotFound, PermissionDenied
from animus_routes.batteries.sql import Busy, Database, Layout, Transaction, Unreachable, marks
from animus_routes.structs import plugin as wire
from animus_routes.timestamps import now, parse

URL_NAME: Final = "ANIMUS_CONVERSATIONS_URL"
LOCK_S: Final = 10.0
HEALTH_LOCK_S: Final = 0.5  # the host gives a health check 2 s, a locked database included
LIST_BYTES: Final = 4 * 1024 * 1024  # a host drops a plugin whose frame passes 8 MiB
HISTORY_BYTES: Final = 7 * 1024 * 1024  # the messages of one conversation, which have no pages
SUMMARY_BYTES: Final = 64  # no summary is shorter
SLICE: Final = 250  # messages of a deleted conversation that go in one transaction
MAX_SEQ: Final = 2**63 - 1  # the widest integer of SQL


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


def build(db: Transaction, found: int) -> None:
    def run(script: str) -> None:
        for statement in script.split(";"):
            db.run(statement)

    if found and db.postgresql:
        run("LOCK TABLE conversations, conversation_messages IN ACCESS EXCLUSIVE MODE")
    if found:
        run(SET_ASIDE)
    run(TABLES.format(number=ON_POSTGRESQL if db.postgresql else ON_SQLITE))
    if found:
        rows = db.rows("SELECT tenant, scope, updated_at, moment, meta FROM conversations_0_1_0")
        for tenant, scope, updated_at, at, meta in rows:
            kept = columns_of(msgspec.json.decode(meta)) | {"updated_at": updated_at, "moment": at}
            insert(db, (tenant, scope), kept)
        size = "octet_length(m.message)" if db.postgresql else "length(CAST(m.message AS BLOB))"
        run(MESSAGES_OF_0_1_0.format(size=size))


LAYOUT: Final = Layout("conversations", 2, "conversations", build, lock=0x616E_6963)


class Conversation(NamedTuple):
    """A row of the table."""

    number: int
    owner: str | None
    visibility: str
    updated_at: str
    meta: str
    messages: int
    bytes: int

    def meta_now(self) -> dict[str, Any]:
        """The meta as it was saved, updated with the turns that have been appended since.

        The host numbers its next turn by `message_count`. After a crash between the two, a count
        that is too low would cause every turn to be refused forever.
        """
        meta: dict[str, Any] = {"visibility": "private"} | msgspec.json.decode(self.meta)
        count = max(meta.get("message_count", 0), self.messages)
        return meta | {"updated_at": self.updated_at, "message_count": count}


def columns_of(meta: dict[str, Any]) -> dict[str, Any]:
    """A conversation's columns, from its meta as it was given."""
    meta = {"visibility": "private"} | meta
    summary = msgspec.to_builtins(msgspec.convert(meta, wire.ConversationSummary))
    del summary["message_count"], summary["updated_at"]
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


def insert(db: Transaction, place: tuple[str, ...], columns: dict[str, Any]) -> bool:
    """Keep a new conversation; False if there already is one with its id."""
    names = ["tenant_id", "scope", *columns]
    statement = f"INSERT INTO conversations ({', '.join(names)}) VALUES ({marks(len(names))})"
    return db.run(f"{statement} ON CONFLICT DO NOTHING", *place, *columns.values()) > 0


def clear(db: Transaction) -> bool:
    """Remove some messages of a deleted conversation; whether there may be more."""
    lock = "FOR UPDATE SKIP LOCKED" if db.postgresql else ""
    number = db.value(f"SELECT number FROM conversations_deleted ORDER BY number LIMIT 1 {lock}")
    if number is None:
        # Somebody may be at it this moment, and may be killed.
        return db.value("SELECT 1 FROM conversations_deleted LIMIT 1") is not None
    some = "SELECT seq FROM conversation_messages WHERE conversation = ? ORDER BY seq LIMIT ?"
    delete = f"DELETE FROM conversation_messages WHERE conversation = ? AND seq IN ({some})"
    if db.run(delete, number, number, SLICE) < SLICE:
        db.run("DELETE FROM conversations_deleted WHERE number = ?", number)
    return True


class Store:
    """The database, opened when it is first used."""

    def __init__(self, url: str | None, file: Path) -> None:
        self.url = url
        self.file = file

    @cached_property
    def database(self) -> Database:
        return self.connect(LOCK_S)

    def connect(self, lock_s: float) -> Database:
        if not self.url:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        try:
            return Database(self.url or self.file, LAYOUT, wait_s=lock_s)
        except Unreachable as problem:
            raise Unreachable(f"{URL_NAME}: {problem.message}") from problem

    def close(self) -> None:
        if "database" in self.__dict__:
            self.database.close()


class Archive(NamedTuple):
    """The conversations of one tenant and one repository."""

    store: Store
    tenant: str
    scope: str

    @contextmanager
    def read(self, user: str | None = None) -> Iterator["Shelf"]:
        """A transaction with what a user may see; None is the administrator."""
        with self.store.database.read() as db:
            yield Shelf(db, (self.tenant, self.scope), user)

    @contextmanager
    def write(self, user: str | None = None) -> Iterator["Shelf"]:
        """A transaction with what a user may see and do, which also goes on with what was deleted."""
        with self.store.database.write() as db:
            yield Shelf(db, (self.tenant, self.scope), user)
            clear(db)


class Shelf(NamedTuple):
    """An archive within one transaction."""

    db: Transaction
    place: tuple[str, str]
    user: str | None

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
        """The messages, or the newest that fit into an answer."""
        first = 0
        if row.bytes > HISTORY_BYTES:
            first = self.db.value(
                "SELECT min(seq) FROM (SELECT seq, sum(size + 1) OVER (ORDER BY seq DESC) AS bytes"
                " FROM conversation_messages WHERE conversation = ?) AS newest WHERE bytes <= ?",
                row.number,
                HISTORY_BYTES,
            )
        rows = self.db.rows(
            "SELECT message FROM conversation_messages WHERE conversation = ? AND seq >= ?"
            " ORDER BY seq",
            row.number,
            MAX_SEQ if first is None else first,
        )
        return [msgspec.Raw(message.encode()) for (message,) in rows]

    def summaries(self) -> Iterator[bytes]:
        """What the user may read, newest first."""
        seen, values = self._seen("summary, counted, messages, updated_at, moment, id")
        most = LIST_BYTES // SUMMARY_BYTES
        rows = self.db.rows(f"{seen} ORDER BY moment DESC, id LIMIT ?", *values, most)
        for summary, counted, messages, updated_at, _, _ in rows:
            now = f'"message_count":{max(counted, messages)},"updated_at":{json(updated_at)}'
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

    def delete(self, row: Conversation) -> None:
        """Nobody sees it any more; its messages are removed by and by."""
        self.db.run("DELETE FROM conversations WHERE number = ?", row.number)
        self.db.run("INSERT INTO conversations_deleted VALUES (?)", row.number)


# ---- the plugin ---------------------------------------------------------------------------------


def lifespan(ctx: Context) -> Iterator[Store]:
    file = Path(ctx.project_root, ".animus", "conversations.sqlite3")
    store = Store(os.environ.get(URL_NAME), file)
    yield store
    store.close()


def the_archive(ctx: Context[Store]) -> Archive:
    """Newer hosts also name the tenant, at the top or with the actor."""
    params = ctx.params
    tenant = params.get("tenant_id") or (ctx.actor and ctx.actor.get("tenant_id")) or ""
    scope = params.get("repo_scope") or params.get("project_root") or ""
    return Archive(ctx.state, str(tenant), scope)


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
    }
    if request.owner is not None:
        meta["owner"] = request.owner
    with chats.write() as shelf:
        if not insert(shelf.db, shelf.place, columns_of(meta)):
            raise invalid("id", f"there already is a conversation '{request.id}'")
    return {"meta": meta}


@app.method("conversation/load_meta")
def load_meta(request: wire.ConversationLoadMetaRequest, chats: Chats) -> dict[str, Any]:
    with chats.read(request.as_user) as shelf:
        row = shelf.find(request.id)
    return {} if row is None else {"meta": row.meta_now()}


@app.method("conversation/save_meta")
def save_meta(request: wire.ConversationSaveMetaRequest, ctx: Context, chats: Chats) -> None:
    """Keep the meta, including unknown keys; a deleted conversation stays deleted."""
    with chats.write(request.as_user) as shelf:
        shelf.update(shelf.own(request.meta.id), **columns_of(ctx.params["meta"]))


@app.method("conversation/append_message")
def append_message(
    request: wire.ConversationAppendMessageRequest, ctx: Context, chats: Chats
) -> None:
    """Keep one turn exactly as given, at its own `seq`; a `seq` that is taken is refused."""
    seq, at = request.message.seq, request.message.recorded_at
    if seq > MAX_SEQ:
        raise invalid("message.seq", f"expected no more than {MAX_SEQ}")
    with chats.write(request.as_user) as shelf:
        row = shelf.own(request.id)
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
    with chats.read(request.as_user) as shelf:
        row = shelf.find(request.id)
        messages = [] if row is None else shelf.history(row)
    if row is None or len(messages) == row.messages:
        return {"messages": messages}
    return cut(ctx, "messages", messages, row.messages)


@app.method("conversation/list")
def list_conversations(
    request: wire.ConversationListRequest, ctx: Context, chats: Chats
) -> dict[str, Any]:
    """The user's own and the shared ones, newest first, as many as fit into a frame."""
    found: list[msgspec.Raw] = []
    size = 0
    with chats.read(request.as_user) as shelf:
        for summary in shelf.summaries():
            size += len(summary) + 1
            if size > LIST_BYTES:
                return cut(ctx, "conversations", found, shelf.total())
            found.append(msgspec.Raw(summary))
    return {"conversations": found}


def cut(ctx: Context, name: str, found: list[msgspec.Raw], total: int) -> dict[str, Any]:
    """An answer with the newest, which says that there are more; hosts skip keys they do not know."""
    ctx.log("warn", f"{ctx.method} answers the newest {len(found)} of {total} {name}")
    return {name: found, "truncated": True, "total": total}


@app.method("conversation/delete", concurrent=True)
def delete(request: wire.ConversationDeleteRequest, ctx: Context, chats: Chats) -> None:
    """Forget a conversation; an unknown one counts as forgotten."""
    with chats.write(request.as_user) as shelf:
        row = shelf.find(request.id, change=True)
        if row is not None:
            shelf.delete(row)
    chats.store.database.write_in_slices(lambda db: clear(db) and not ctx.cancelled)


@app.health
def health(ctx: Context[Store | None]) -> str | None:
    """Ask the database itself: can it be read, may it be written now?

    Returning a reason means degraded, raising one means unhealthy.
    """
    if ctx.state is None:
        return "the database is opened at the first call"
    database = ctx.state.connect(HEALTH_LOCK_S)
    try:
        with database.write() as db:
            locked = db.postgresql and db.value("SHOW transaction_read_only") == "on"
            return "the server is read-only now" if locked else None
    except Busy as problem:
        return problem.message
    finally:
        database.close()


if __name__ == "__main__":
    app.run()
