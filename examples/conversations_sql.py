"""Chat history in a SQL database, which any number of hosts may share.

    python conversations_sql.py        a host starts it, or you with `--manifest`

The database is `.animus/conversations.sqlite3` under the project's root, or what
ANIMUS_CONVERSATIONS_URL says, such as `postgresql://user@server/animus`. Conversations are kept
apart by tenant and by repository.

If a request has `as_user`, the owner may do everything, and others may read what is shared. A
conversation without an owner belongs to the administrator, which is anybody who names no user.

The `seq` of a message belongs to the host and is never changed. If two hosts append the same one to
a conversation, one of them is refused: its turn visibly fails, and the history stays intact.

A host starts this process afresh for every call. Importing SQLAlchemy is by far the longest part of
the start, so it waits for a call that needs the database: the manifest and the handshake do not.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple
from uuid import uuid4

import msgspec

from animus_routes import (
    App,
    Context,
    Depends,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from animus_routes.structs import plugin as wire
from animus_routes.timestamps import now, parse

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine, Row, Table
    from sqlalchemy.exc import DBAPIError

URL_NAME: Final = "ANIMUS_CONVERSATIONS_URL"
LOCK_S: Final = 10.0
HEALTH_LOCK_S: Final = 0.5  # the host gives a health check 2 s, a locked database included
LAYOUT_LOCK: Final = 0x616E_6963  # one of PostgreSQL's advisory locks, taken to create the tables
LIST_BYTES: Final = 4 * 1024 * 1024  # a host drops a plugin whose frame passes 8 MiB
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


def layout() -> "tuple[Table, Table]":
    """The tables: documents as they were given, and the columns by which they are queried."""
    from sqlalchemy import BigInteger, Column, Index, MetaData, Table, Text

    def place() -> "list[Column[Any]]":
        return [Column(name, Text, primary_key=True) for name in ("tenant", "scope", "id")]

    conversations = Table(
        "conversations",
        MetaData(),
        *place(),
        Column("owner", Text),
        Column("visibility", Text, nullable=False),
        Column("updated_at", Text, nullable=False),
        Column("moment", Text, nullable=False),
        Column("meta", Text, nullable=False),
    )
    columns = conversations.c
    Index("conversations_by_moment", columns.tenant, columns.scope, columns.moment)
    messages = Table(
        "conversation_messages",
        conversations.metadata,
        *place(),
        Column("seq", BigInteger, primary_key=True, autoincrement=False),
        Column("message", Text, nullable=False),
    )
    return conversations, messages


def connect(url: str | None, file: Path, lock_s: float) -> "Engine":
    """An engine whose writing transactions lock the database on SQLite, and rows elsewhere."""
    from sqlalchemy import URL, create_engine, event, make_url

    place = make_url(url) if url else URL.create("sqlite", database=str(file))
    if place.get_backend_name() in {"postgres", "postgresql"}:
        wait = {"options": f"-c lock_timeout={int(lock_s * 1000)}", "connect_timeout": "2"}
        return create_engine(place.set(drivername="postgresql+psycopg"), connect_args=wait)
    if place.get_backend_name() != "sqlite":
        raise Unavailable(f"{URL_NAME}: {place.get_backend_name()} is not supported")
    Path(place.database or "").parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(place, connect_args={"timeout": lock_s, "isolation_level": None})

    @event.listens_for(engine, "begin")
    def begin(db: "Connection") -> None:
        reads = db.get_execution_options().get("reads", False)
        db.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def refusal(problem: "DBAPIError") -> InvalidRequest | Unavailable:
    from sqlalchemy.exc import DataError

    # Such as a NUL in an id, which PostgreSQL does not take.
    return (InvalidRequest if isinstance(problem, DataError) else Unavailable)(str(problem.orig))


class Store:
    """The database, opened when it is first used."""

    def __init__(self, url: str | None, file: Path) -> None:
        self.url = url
        self.file = file

    @cached_property
    def engine(self) -> "Engine":
        return self.connect(LOCK_S)

    def connect(self, lock_s: float) -> "Engine":
        from sqlalchemy.exc import ArgumentError

        try:
            return connect(self.url, self.file, lock_s)
        except (ArgumentError, ImportError) as problem:
            raise Unavailable(f"{URL_NAME}: {problem}") from problem

    @cached_property
    def tables(self) -> "tuple[Table, Table]":
        from sqlalchemy import func, inspect

        conversations, messages = layout()
        if not inspect(self.engine).has_table(messages.name):
            with self.engine.begin() as db:
                if db.dialect.name == "postgresql":
                    db.execute(func.pg_advisory_xact_lock(LAYOUT_LOCK).select())
                conversations.metadata.create_all(db)
        return conversations, messages

    def close(self) -> None:
        if "engine" in self.__dict__:
            self.engine.dispose()


class Archive(NamedTuple):
    """The conversations of one tenant and one repository."""

    store: Store
    tenant: str
    scope: str

    @contextmanager
    def open(self, user: str | None = None, *, reads: bool = False) -> Iterator["Shelf"]:
        """A transaction with what a user may see and do; None is the administrator."""
        from sqlalchemy.exc import DBAPIError

        try:
            tables = self.store.tables
            with self.store.engine.execution_options(reads=reads).begin() as db:
                yield Shelf(db, tables, {"tenant": self.tenant, "scope": self.scope}, user)
        except DBAPIError as problem:
            raise refusal(problem) from problem


class Shelf:
    """An archive within one transaction."""

    def __init__(
        self,
        db: "Connection",
        tables: "tuple[Table, Table]",
        place: dict[str, str],
        user: str | None,
    ) -> None:
        self.db = db
        self.conversations, self.messages = tables
        self.place = place
        self.user = user

    def here(self, table: "Table", conversation_id: str | None = None) -> "ColumnElement[bool]":
        from sqlalchemy import and_

        given = {**self.place, "id": conversation_id}
        return and_(*(table.c[name] == v for name, v in given.items() if v is not None))

    def find(self, conversation_id: str, *, change: bool = False) -> "Row[Any] | None":
        """A conversation that the user may read; with `change`, may change, and its lock."""
        statement = self.conversations.select().where(
            self.here(self.conversations, conversation_id)
        )
        row = self.db.execute(statement.with_for_update() if change else statement).first()
        if row is None or self.user in {None, row.owner}:
            return row
        if change or row.visibility != "shared":
            raise PermissionDenied(f"conversation '{conversation_id}' is not {self.user}'s")
        return row

    def own(self, conversation_id: str) -> "Row[Any]":
        row = self.find(conversation_id, change=True)
        if row is None:
            raise NotFound(f"conversation '{conversation_id}'")
        return row

    def add(self, meta: dict[str, Any]) -> bool:
        """Keep a new conversation; False if there already is one with its id."""
        return self._insert(self.conversations, id=meta["id"], **columns_of(meta))

    def update(self, conversation_id: str, **columns: Any) -> None:
        here = self.here(self.conversations, conversation_id)
        self.db.execute(self.conversations.update().where(here).values(**columns))

    def append(self, conversation_id: str, message: dict[str, Any]) -> bool:
        """Keep a message; False if there already is one with its `seq`."""
        document = msgspec.json.encode(message).decode()
        return self._insert(self.messages, id=conversation_id, seq=message["seq"], message=document)

    def _insert(self, table: "Table", **columns: Any) -> bool:
        from sqlalchemy.dialects import postgresql, sqlite

        dialect = postgresql if self.db.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(table).values(**self.place, **columns)
        kept = statement.on_conflict_do_nothing().returning(table.c.id)
        return self.db.execute(kept).first() is not None

    def history(self, conversation_id: str) -> list[dict[str, Any]]:
        columns = self.messages.c
        here = self.here(self.messages, conversation_id)
        rows = self.db.execute(self.messages.select().where(here).order_by(columns.seq))
        return [msgspec.json.decode(row.message) for row in rows]

    def metas(self) -> Iterator[dict[str, Any]]:
        """What the user may read, newest first."""
        from sqlalchemy import or_

        columns = self.conversations.c
        seen = self.here(self.conversations)
        if self.user is not None:
            seen &= or_(columns.owner == self.user, columns.visibility == "shared")
        order = (columns.moment.desc(), columns.id)
        rows = self.db.execute(self.conversations.select().where(seen).order_by(*order)).all()
        turns = self.turns()
        return (meta_of(row, turns.get(row.id, 0)) for row in rows)

    def turns(self, conversation_id: str | None = None) -> dict[str, int]:
        from sqlalchemy import func, select

        columns = self.messages.c
        here = self.here(self.messages, conversation_id)
        counted = select(columns.id, func.count()).where(here).group_by(columns.id)
        return {row[0]: row[1] for row in self.db.execute(counted)}

    def delete(self, conversation_id: str) -> None:
        for table in (self.conversations, self.messages):
            self.db.execute(table.delete().where(self.here(table, conversation_id)))


def columns_of(meta: dict[str, Any]) -> dict[str, Any]:
    """A conversation's meta as it was given, and the other columns."""
    return {
        "owner": meta.get("owner"),
        "visibility": meta.get("visibility", "private"),
        "updated_at": meta["updated_at"],
        "moment": moment(meta["updated_at"]),
        "meta": msgspec.json.encode(meta).decode(),
    }


def meta_of(row: "Row[Any]", turns: int) -> dict[str, Any]:
    """The meta as it was saved, updated with the turns that have been appended since.

    The host numbers its next turn by `message_count`. After a crash between the two, a count that
    is too low would cause every turn to be refused forever.
    """
    meta: dict[str, Any] = msgspec.json.decode(row.meta)
    count = max(meta.get("message_count", 0), turns)
    private = {"visibility": "private"}
    return private | meta | {"updated_at": row.updated_at, "message_count": count}


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
    with chats.open() as shelf:
        if not shelf.add(meta):
            raise invalid("id", f"there already is a conversation '{request.id}'")
    return {"meta": meta}


@app.method("conversation/load_meta")
def load_meta(request: wire.ConversationLoadMetaRequest, chats: Chats) -> dict[str, Any]:
    with chats.open(request.as_user, reads=True) as shelf:
        row = shelf.find(request.id)
        turns = shelf.turns(request.id)
    return {"meta": meta_of(row, turns.get(request.id, 0))} if row is not None else {}


@app.method("conversation/save_meta")
def save_meta(request: wire.ConversationSaveMetaRequest, ctx: Context, chats: Chats) -> None:
    """Keep the meta, including unknown keys; a deleted conversation stays deleted."""
    with chats.open(request.as_user) as shelf:
        shelf.own(request.meta.id)
        shelf.update(request.meta.id, **columns_of(ctx.params["meta"]))


@app.method("conversation/append_message")
def append_message(
    request: wire.ConversationAppendMessageRequest, ctx: Context, chats: Chats
) -> None:
    """Keep one turn exactly as given, at its own `seq`; a `seq` that is taken is refused."""
    seq = request.message.seq
    if seq > MAX_SEQ:
        raise invalid("message.seq", f"expected no more than {MAX_SEQ}")
    with chats.open(request.as_user) as shelf:
        shelf.own(request.id)
        if not shelf.append(request.id, ctx.params["message"]):
            text = f"conversation '{request.id}' already has a message {seq}; load it again"
            raise invalid("message.seq", text)
        at = request.message.recorded_at
        shelf.update(request.id, updated_at=at, moment=moment(at))


@app.method("conversation/load_messages")
def load_messages(request: wire.ConversationLoadMessagesRequest, chats: Chats) -> dict[str, Any]:
    with chats.open(request.as_user, reads=True) as shelf:
        return {"messages": [] if shelf.find(request.id) is None else shelf.history(request.id)}


@app.method("conversation/list")
def list_conversations(
    request: wire.ConversationListRequest, chats: Chats
) -> wire.ConversationListResponse:
    """The user's own and the shared ones, newest first, as many as fit into a frame."""
    found: list[wire.ConversationSummary] = []
    size = 0
    with chats.open(request.as_user, reads=True) as shelf:
        for meta in shelf.metas():
            summary = msgspec.convert(meta, wire.ConversationSummary)
            size += len(msgspec.json.encode(summary))
            if size > LIST_BYTES:
                break
            found.append(summary)
    return wire.ConversationListResponse(conversations=found)


@app.method("conversation/delete")
def delete(request: wire.ConversationDeleteRequest, chats: Chats) -> None:
    """Forget a conversation; an unknown one counts as forgotten."""
    with chats.open(request.as_user) as shelf:
        shelf.find(request.id, change=True)
        shelf.delete(request.id)


@app.health
def health(ctx: Context[Store | None]) -> str | None:
    """Ask the database itself: can it be read, may it be written now?

    Returning a reason means degraded, raising one means unhealthy.
    """
    from sqlalchemy.exc import DBAPIError

    if ctx.state is None:
        return "the database is opened at the first call"
    engine = ctx.state.connect(HEALTH_LOCK_S)
    try:
        with engine.begin() as db:
            if db.dialect.name == "postgresql":
                locked = db.exec_driver_sql("SHOW transaction_read_only").scalar() == "on"
                return "the server is read-only now" if locked else None
    except DBAPIError as problem:
        if getattr(problem.orig, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            return str(problem.orig)
        raise refusal(problem) from problem
    finally:
        engine.dispose()
    return None


if __name__ == "__main__":
    app.run()
