"""A channel to any messaging service with an HTTP interface. Install this file as it is.

    python channel_webhook.py                              a host starts it, or you with `--manifest`
    python channel_webhook.py take t-1 wa-1 +1555          a person answers this peer from now on
    python channel_webhook.py give t-1 wa-1 +1555          and here no longer

Connections are in `.animus/channels.json` under the project's root, or where ANIMUS_CHANNELS says:

    {"connections": [{"tenant_id": "t-1", "connection_id": "wa-1", "token": "...",
                      "url": "https://provider.example/messages"}]}

A message is sent with `POST <url>`, as `{"delivery_id", "to", "text", "reply_to"?}` with the delivery's
id as Idempotency-Key; the answer is `{"id": ...}`. `GET <url>/<id>` says `{"status": ...}`: accepted,
delivered, read or failed. Which tenant a message belongs to is in this file alone, never in what a
provider sends.

What comes in, what goes out and how far it got is in `.animus/channel.sqlite3`, or where
ANIMUS_CHANNEL_DB says, before it is answered. A message that may have been sent is never sent again:
it is `unknown` until the provider tells. A peer who writes "stop" gets nothing more until "start".
"""

import fcntl
import http.client
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import quote, urlsplit

from animus_routes import App, Context, Depends, Env, InvalidRequest, NotFound, Unavailable
from animus_routes.batteries.channels import advanced, content_of, is_duplicate, key_of
from animus_routes.batteries.places import make_folder
from animus_routes.batteries.sql import Database, Layout, Transaction
from animus_routes.structs import channel as wire
from animus_routes.timestamps import now

import msgspec

SENDERS: Final = 4  # messages that are on their way at once, to different peers
HTTP_S: Final = 20.0
ANSWER_S: Final = 10.0  # how long a send waits for what the provider says
POLL_S: Final = 0.05
LOOK_S: Final = 0.25  # how soon a message that another process recorded is seen
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 60.0
ATTEMPTS: Final = 10
STOP_S: Final = 0.15  # after the end of input a process has less than half a second
BODY_BYTES: Final = 64 * 1024
BUSY: Final = frozenset({429, 503})  # the provider says that it did not take the message
OPTED_OUT, TAKEN_OVER = "opted_out", "human_takeover"

TABLES: Final = (
    """CREATE TABLE inbound (
        tenant_id TEXT, connection_id TEXT, message_id TEXT, content TEXT NOT NULL,
        received_at TEXT NOT NULL, PRIMARY KEY (tenant_id, connection_id, message_id))""",
    # `attempt`: 0 nobody is at it, 1 somebody connects, 2 the message may be on its way.
    """CREATE TABLE outbound (
        seq INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, connection_id TEXT NOT NULL,
        delivery_id TEXT NOT NULL, peer_id TEXT NOT NULL, content TEXT NOT NULL,
        state TEXT NOT NULL, provider_message_id TEXT, error_code TEXT,
        attempt INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,
        due REAL NOT NULL DEFAULT 0, UNIQUE (tenant_id, connection_id, delivery_id))""",
    """CREATE INDEX outbound_waiting ON outbound (tenant_id, connection_id, peer_id, seq)
        WHERE state IN ('queued', 'sending')""",
    """CREATE TABLE silenced (
        tenant_id TEXT, connection_id TEXT, peer_id TEXT, reason TEXT,
        PRIMARY KEY (tenant_id, connection_id, peer_id, reason))""",
)
PEER: Final = "tenant_id = ? AND connection_id = ? AND peer_id = ?"
FIELDS: Final = """seq, tenant_id, connection_id, delivery_id, peer_id, content, state,
    provider_message_id, error_code, attempts, due"""
ONE: Final = f"""SELECT {FIELDS} FROM outbound
    WHERE tenant_id = ? AND connection_id = ? AND delivery_id = ?"""
ADD: Final = """INSERT INTO outbound (tenant_id, connection_id, delivery_id, peer_id, content,
    state, error_code) VALUES (?, ?, ?, ?, ?, ?, ?)"""
REACHED: Final = """UPDATE outbound SET state = ?, attempt = 0, error_code = ?,
    provider_message_id = coalesce(?, provider_message_id) WHERE seq = ?"""
# The oldest that waits for each peer, so that messages arrive in their order.
DUE: Final = f"""SELECT {FIELDS} FROM outbound AS this
    WHERE state IN ('queued', 'sending') AND attempt = 0 AND due <= ? AND NOT EXISTS (
        SELECT 1 FROM outbound AS other WHERE other.state IN ('queued', 'sending')
        AND other.tenant_id = this.tenant_id AND other.connection_id = this.connection_id
        AND other.peer_id = this.peer_id AND other.seq < this.seq)
    ORDER BY due, seq LIMIT 1"""


def build(transaction: Transaction, _found: int) -> None:
    for table in TABLES:
        transaction.run(table)


class Outgoing(NamedTuple):
    """A message on its way out: a row of `outbound`."""

    seq: int
    tenant_id: str
    connection_id: str
    delivery_id: str
    peer_id: str
    content: str
    state: wire.ChannelDeliveryState
    provider_message_id: str | None
    error_code: str | None
    attempts: int
    due: float

    @property
    def moves(self) -> bool:
        """Is it about to get further? What failed waits for its next attempt."""
        return self.state in {"queued", "sending"} and self.due <= time.time()

    @property
    def delivery(self) -> wire.ChannelDelivery:
        return wire.ChannelDelivery(
            scope=wire.ChannelScope(tenant_id=self.tenant_id, connection_id=self.connection_id),
            delivery_id=self.delivery_id,
            state=self.state,
            provider_message_id=self.provider_message_id,
            error_code=self.error_code,
        )


class Outcome(NamedTuple):
    """What came of an attempt, or what the provider says of a message."""

    state: wire.ChannelDeliveryState
    provider_message_id: str | None = None
    error_code: str | None = None
    again: bool = False  # it was certainly not taken, so it may be sent once more


class Sender:
    """Messages on their way out, each recorded before it is sent, and never sent twice.

    One process sends, the one that holds the lock on a file beside the database; the system gives
    it to another when that process dies, however it does.

    Args:
        db: Where they are recorded.
        lock: The file of the lock.
        connect: Called with a message; connects, and returns what sends it. If that raises an
            OSError, nothing was sent.
    """

    def __init__(
        self, db: Database, lock: Path, connect: Callable[[Outgoing], Callable[[], Outcome]]
    ) -> None:
        self._db = db
        self._lock = lock
        self._connect = connect
        self._held: int | None = None
        self._taking = Lock()
        self._woken, self._stopped = Event(), Event()
        self._threads: list[Thread] = []

    def add(self, request: wire.ChannelSendParams) -> Outgoing:
        """Record a message that is to be sent; one that is known already is left as it is.

        Raises:
            InvalidRequest: The delivery's id belongs to another message.
        """
        key = key_of(request)
        peer = (*key[:2], request.peer_id)
        with self._db.write() as transaction:
            row = transaction.row(ONE, *key)
            if row is None:
                reason = transaction.value(f"SELECT reason FROM silenced WHERE {PEER}", *peer)
                values = (content_of(request), "failed" if reason else "queued", reason)
                transaction.run(ADD, *key, request.peer_id, *values)
                row = transaction.row(ONE, *key)
        found = Outgoing(*row or ())
        is_duplicate(request, found.content)
        self.wake()
        return found

    def get(self, request: wire.ChannelSendParams | wire.ChannelStatusParams) -> Outgoing:
        with self._db.read() as transaction:
            row = transaction.row(ONE, *key_of(request))
        if row is None:
            raise NotFound(f"delivery '{request.delivery_id}'")
        return Outgoing(*row)

    def settle(self, message: Outgoing, outcome: Outcome) -> None:
        """Record how far a message got, unless it is known to have got further."""
        with self._db.write() as transaction:
            self._settle(transaction, message.seq, outcome)

    def _settle(self, transaction: Transaction, seq: int, outcome: Outcome) -> bool:
        state = transaction.value("SELECT state FROM outbound WHERE seq = ?", seq)
        if advanced(state, outcome.state) != outcome.state:
            return False  # it is known to have got further
        values = (outcome.error_code, outcome.provider_message_id)
        return bool(transaction.run(REACHED, outcome.state, *values, seq))

    # Sending --------------------------------------------------------------------------------------

    def wake(self) -> None:
        """There may be something to send."""
        self._woken.set()
        with self._taking:
            if not self._threads and not self._stopped.is_set():
                self._threads = [Thread(target=self._serve, daemon=True) for _ in range(SENDERS)]
                for thread in self._threads:
                    thread.start()

    def stop(self) -> None:
        """Begin nothing more; an attempt that is under way is `unknown` to whoever sends next."""
        self._stopped.set()
        self._woken.set()
        until = time.monotonic() + STOP_S
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))
        if self._held is not None and not any(thread.is_alive() for thread in self._threads):
            os.close(self._held)

    def _serve(self) -> None:
        while not self._stopped.is_set():
            try:
                message = self._take()
                if message is not None:
                    self._send(message)
                    continue
            except Unavailable as problem:  # the database; it is tried again
                print(f"the sender waits: {problem}", file=sys.stderr)
            self._woken.wait(LOOK_S)
            self._woken.clear()

    def _take(self) -> Outgoing | None:
        """The next message that is due, if this is the process that sends."""
        with self._taking:
            if self._held is None and not self._locked():
                return None
            with self._db.read() as transaction:
                if transaction.row(DUE, time.time()) is None:
                    return None
            with self._db.write() as transaction:
                row = transaction.row(DUE, time.time())
                if row is not None:
                    sql = "UPDATE outbound SET attempt = 1, attempts = attempts + 1 WHERE seq = ?"
                    transaction.run(sql, row[0])
                return None if row is None else Outgoing(*row)

    def _locked(self) -> bool:
        """Take the lock if it is free, and find out what its last holder left."""
        file = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with self._db.write() as transaction:
                transaction.run(
                    """UPDATE outbound SET state = 'unknown', error_code = 'interrupted', attempt = 0
                        WHERE state = 'sending' AND attempt = 2"""
                )
                transaction.run("UPDATE outbound SET attempt = 0 WHERE attempt != 0")
        except BaseException as problem:
            os.close(file)
            if isinstance(problem, BlockingIOError):
                return False
            raise
        self._held = file
        return True

    def _send(self, message: Outgoing) -> None:
        try:
            send = self._connect(message)
            is_begun = self._begin(message)
        except (OSError, Unavailable):
            self._finish(message, Outcome("failed", error_code="unreachable", again=True))
        except InvalidRequest:
            self._finish(message, Outcome("failed", error_code="no_connection"))
        else:
            if is_begun:
                self._finish(message, send())

    def _begin(self, message: Outgoing) -> bool:
        """May it be sent, still? Not if its peer has opted out, or a person has taken over."""
        with self._db.write() as transaction:
            is_begun = self._settle(transaction, message.seq, Outcome("sending"))
            if is_begun:
                sql = "UPDATE outbound SET attempt = 2 WHERE seq = ?"
                transaction.run(sql, message.seq)
            return is_begun

    def _finish(self, message: Outgoing, outcome: Outcome) -> None:
        """Record what came of an attempt, as soon as the database can be written."""
        record = self._postpone if outcome.again else self.settle
        while True:
            try:
                return record(message, outcome)
            except Unavailable:
                if self._stopped.wait(LOOK_S):
                    raise

    def _postpone(self, message: Outgoing, outcome: Outcome) -> None:
        """Try again after a pause, in the state that was reached, or give up."""
        if message.attempts + 1 >= ATTEMPTS:
            self.settle(message, outcome)
            return
        pause = min(FIRST_PAUSE_S * 2**message.attempts, LONGEST_PAUSE_S)
        with self._db.write() as transaction:
            sql = "UPDATE outbound SET attempt = 0, due = ? WHERE seq = ?"
            transaction.run(sql, time.time() + pause, message.seq)


# ---- the provider -------------------------------------------------------------------------------


class Connection(msgspec.Struct, forbid_unknown_fields=True):
    """An account with a provider, and the tenant whose it is."""

    tenant_id: str
    connection_id: str
    url: str
    token: str = ""
    stop_words: tuple[str, ...] = ("stop", "unsubscribe")
    start_words: tuple[str, ...] = ("start",)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            raise ValueError(f"`url` of '{self.connection_id}' is no http URL")
        if not (self.token.isascii() and (self.token.isprintable())):
            raise ValueError(f"`token` of '{self.connection_id}' cannot stand in a header")

    def opened(self) -> http.client.HTTPConnection:
        """Raises OSError, before anything was sent."""
        parts = urlsplit(self.url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        link: http.client.HTTPConnection = kind(parts.hostname or "", parts.port, timeout=HTTP_S)
        link.connect()
        return link

    def call(
        self, link: http.client.HTTPConnection, below: str = "", body: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        """A status, and the object that came with it.

        Raises:
            OSError, http.client.HTTPException: There is no answer, or half of one.
        """
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if body is not None:
            key = quote(body["delivery_id"], safe=":")
            headers |= {"Content-Type": "application/json", "Idempotency-Key": key}
        parts = urlsplit(self.url)
        path = parts.path.rstrip("/") + below or "/"
        target = f"{path}?{parts.query}" if parts.query else path
        content = None if body is None else msgspec.json.encode(body)
        link.request("GET" if body is None else "POST", target, content, headers)
        answer = link.getresponse()
        text = answer.read(BODY_BYTES)
        try:
            return answer.status, msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return answer.status, {}


class Channels(msgspec.Struct, forbid_unknown_fields=True):
    """The file of connections."""

    connections: list[Connection] = []


def read_connections(path: Path) -> list[Connection]:
    """Read at each use, so that a change counts at once; without a file there are none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Channels).connections
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) else problem
        raise Unavailable(f"{path}: {reason}") from problem


def connection_of(path: Path, tenant_id: str, connection_id: str) -> Connection:
    for connection in read_connections(path):
        if (connection.tenant_id, connection.connection_id) == (tenant_id, connection_id):
            return connection
    issue = {"path": "scope", "message": f"not in {path.name}", "code": "value"}
    raise InvalidRequest(
        f"scope: no connection '{connection_id}' of '{tenant_id}' in {path}", {"issues": [issue]}
    )


def connect(path: Path, message: Outgoing) -> Callable[[], Outcome]:
    """Connect to the provider; what is returned sends the message and says what came of it."""
    connection = connection_of(path, message.tenant_id, message.connection_id)
    link = connection.opened()
    asked = msgspec.json.decode(message.content, type=wire.ChannelSendParams)
    body = {"delivery_id": asked.delivery_id, "to": asked.peer_id, "text": asked.text}
    if asked.reply_to is not None:
        body["reply_to"] = asked.reply_to

    def send() -> Outcome:
        try:
            with closing(link):
                status, answer = connection.call(link, body=body)
        except (OSError, http.client.HTTPException):
            return Outcome("unknown", error_code="no_answer")
        if 200 <= status < 300:
            given = answer.get("id")
            return Outcome("accepted", None if given is None else str(given))
        if status >= 500 and status not in BUSY:
            return Outcome("unknown", error_code=f"http_{status}")
        # The provider's own words may hold anything, and stay here.
        return Outcome("failed", error_code=f"http_{status}", again=status in BUSY)

    return send


def looked_up(path: Path, message: Outgoing) -> Outcome | None:
    """What the provider says of a message that it has taken."""
    connection = connection_of(path, message.tenant_id, message.connection_id)
    below = f"/{quote(message.provider_message_id or '', safe='')}"
    try:
        with closing(connection.opened()) as link:
            status, answer = connection.call(link, below)
    except (OSError, http.client.HTTPException):
        return None
    said = str(answer.get("status"))
    for state in ("accepted", "delivered", "read", "failed"):
        if status == 200 and said == state:
            code = "provider_failed" if state == "failed" else None
            return Outcome(state, error_code=code)
    return None


# ---- the plugin ---------------------------------------------------------------------------------


class Settings(msgspec.Struct):
    """What the environment says."""

    connections: Annotated[
        Path | None, Env("ANIMUS_CHANNELS", description="The file of connections")
    ] = None
    database: Annotated[
        Path | None, Env("ANIMUS_CHANNEL_DB", description="What came in and goes out, in SQLite")
    ] = None


class Channel:
    """What one project's channel stands on; nothing is made before it is used."""

    def __init__(self, root: Path, settings: Settings) -> None:
        self.connections = settings.connections or root / ".animus" / "channels.json"
        self.path = settings.database or root / ".animus" / "channel.sqlite3"
        self.db = Database(self.path, Layout("channel", 1, "inbound", build), wal=True)
        lock = self.path.with_name(f"{self.path.name}.sender")
        self.sender = Sender(self.db, lock, lambda message: connect(self.connections, message))

    def known(self, scope: wire.ChannelScope) -> Connection:
        """The connection that is meant; only where there is one, there is a database."""
        found = connection_of(self.connections, scope.tenant_id, scope.connection_id)
        make_folder(self.path)
        return found

    def silence(self, transaction: Transaction, peer: tuple[str, str, str], reason: str) -> None:
        """Send nothing more to a peer; what is not on its way yet is not sent either."""
        transaction.run("INSERT OR IGNORE INTO silenced VALUES (?, ?, ?, ?)", *peer, reason)
        sql = f"""UPDATE outbound SET state = 'failed', error_code = ?, attempt = 0
            WHERE {PEER} AND state IN ('queued', 'sending') AND attempt < 2"""
        transaction.run(sql, reason, *peer)

    def unsilence(self, transaction: Transaction, peer: tuple[str, str, str], reason: str) -> None:
        transaction.run(f"DELETE FROM silenced WHERE {PEER} AND reason = ?", *peer, reason)


def lifespan(ctx: Context, settings: Settings) -> Iterator[Channel]:
    channel = Channel(Path(ctx.project_root), settings)
    if channel.path.exists():  # something may have been left to send
        channel.sender.wake()
    yield channel
    channel.sender.stop()
    channel.db.close()


def the_channel(ctx: Context[Channel]) -> Channel:
    return ctx.state


Here = Annotated[Channel, Depends(the_channel)]

app = App(
    kind="channel_backend",
    name="animus-channel-webhook",
    version="0.1.0",
    description="Messages over any HTTP provider, each sent at most once",
    lifespan=lifespan,
    settings=Settings,
)


@app.method("channel/schema")
def schema() -> wire.ChannelSchema:
    return wire.ChannelSchema(
        providers=["webhook"],
        supports_text=True,
        supports_media=False,
        supports_templates=False,
        supports_delivery_status=True,
        supports_durable_receive=True,
    )


@app.method("channel/receive")
def receive(message: wire.ChannelMessage, channel: Here) -> wire.ChannelReceiveResult:
    """Keep a message, once; words that stop and start answers are heard here."""
    connection = channel.known(message.scope)
    key, word = key_of(message), message.text.strip().lower()
    select = """SELECT content FROM inbound
        WHERE tenant_id = ? AND connection_id = ? AND message_id = ?"""
    with channel.db.write() as transaction:
        if is_duplicate(message, transaction.value(select, *key)):
            return wire.ChannelReceiveResult(duplicate=True)
        values = (*key, content_of(message), now())
        transaction.run("INSERT INTO inbound VALUES (?, ?, ?, ?, ?)", *values)
        peer = (*key[:2], message.peer_id)
        if word in connection.stop_words:
            channel.silence(transaction, peer, OPTED_OUT)
        elif word in connection.start_words:
            channel.unsilence(transaction, peer, OPTED_OUT)
    return wire.ChannelReceiveResult(duplicate=False)


@app.method("channel/send", concurrent=True)
def send(request: wire.ChannelSendParams, ctx: Context, channel: Here) -> wire.ChannelDelivery:
    """Record the message, have it sent, and say how far it got within the time that hosts wait."""
    channel.known(request.scope)
    message = channel.sender.add(request)
    until = time.monotonic() + ANSWER_S
    while message.moves and time.monotonic() < until:
        if ctx.wait(POLL_S):
            break
        message = channel.sender.get(request)
    return message.delivery


@app.method("channel/status", concurrent=True)
def status(request: wire.ChannelStatusParams, channel: Here) -> wire.ChannelDelivery:
    """How far a message got, as the provider tells it now."""
    channel.known(request.scope)
    message = channel.sender.get(request)
    if message.state in {"accepted", "delivered"} and message.provider_message_id:
        outcome = looked_up(channel.connections, message)
        if outcome is not None:
            channel.sender.settle(message, outcome)
            message = channel.sender.get(request)
    return message.delivery


@app.health
def health(ctx: Context[Channel | None]) -> str | None:
    """Can the database be used, or be made once it is needed? Is the file of connections one?"""
    if ctx.state is None:
        return "the channel is opened at initialize"
    read_connections(ctx.state.connections)
    return ctx.state.db.check()


def main(action: str, *peer: str) -> int:
    """`take` or `give`, by the person who answers a peer."""
    if len(peer) != 3 or action not in {"take", "give"}:
        print("usage: take|give TENANT CONNECTION PEER", file=sys.stderr)
        return 2
    given = {"connections": "ANIMUS_CHANNELS", "database": "ANIMUS_CHANNEL_DB"}
    paths = {field: Path(os.environ[name]) for field, name in given.items() if name in os.environ}
    channel = Channel(Path.cwd(), Settings(**paths))
    channel.known(wire.ChannelScope(tenant_id=peer[0], connection_id=peer[1]))
    with channel.db.write() as transaction:
        change = channel.silence if action == "take" else channel.unsilence
        change(transaction, peer, TAKEN_OVER)
    return 0


@app.exception_handler(msgspec.DecodeError)
def damaged(_ctx: Context, problem: msgspec.DecodeError) -> Unavailable:
    return Unavailable(f"what is stored is damaged: {problem}")


if __name__ == "__main__":
    if sys.argv[1:2] in (["take"], ["give"]):
        try:
            raise SystemExit(main(*sys.argv[1:]))
        except (InvalidRequest, Unavailable) as problem:
            raise SystemExit(problem.message) from None
    app.run()
