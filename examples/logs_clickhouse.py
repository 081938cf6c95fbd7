"""Log entries in ClickHouse: batched, buffered on disk while it is away, queried where they are.

ANIMUS_CLICKHOUSE_URL is the address of its HTTP interface, with ANIMUS_CLICKHOUSE_USER and
ANIMUS_CLICKHOUSE_PASSWORD where it wants them. The table `animus_logs` (ANIMUS_CLICKHOUSE_TABLE) in the
database `default` (ANIMUS_CLICKHOUSE_DATABASE) is made when it is missing; with
ANIMUS_CLICKHOUSE_KEEP_DAYS, with a time to live.

A store is answered once its entries are in a file in the plugin's folder of the project, and they are
in ClickHouse a second later, or once it can be reached again; a query waits for that. What ClickHouse
does not take for its content is beside it in `refused.jsonl`. When a gigabyte waits
(ANIMUS_CLICKHOUSE_BUFFER_MIB), stores are refused, and the daemon keeps what it logs by itself.
Entries with one id and time count once.
"""

import fcntl
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from typing import Annotated, Any, Final, NamedTuple, get_args

from animus_routes import App, Context, Depends, Env, InvalidRequest, QuotaExceeded, Unavailable
from animus_routes.batteries.api import NETWORK
from animus_routes.batteries.lines import Appender, parts, reading, whole_lines
from animus_routes.batteries.places import make_folder
from animus_routes.batteries.upstream import failure, reason, retry_after_s, upstream
from animus_routes.errors import NamedError, PermissionDenied
from animus_routes.structs import log_storage as wire

import msgspec
from msgspec import Meta, Struct

MIB: Final = 1024 * 1024
MAX_PAGE: Final = 1000
LONGEST_ENTRY: Final = 4 * MIB
PAGE_BYTES: Final = 2 * MIB  # and one more entry: a host drops a plugin whose frame passes 8 MiB
PART_BYTES: Final = 16 * MIB
BATCH_S: Final = 1.0
BATCH_ROWS: Final = 1000
FLUSH_S: Final = 4.0  # hosts give a query 10 s
POLL_S: Final = 0.5
LATE_S: Final = 5  # how much later than others an insert may be seen
REPEATED: Final = 20_000
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
LEVELS: Final[tuple[wire.LogLevel, ...]] = get_args(wire.LogLevel)
EARLIEST: Final = "1900-01-01 00:00:00.000000000"
LATEST: Final = "2262-04-11 00:00:00.000000000"  # of times to the nanosecond
TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)
CURSOR: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9})~(.*)", re.DOTALL)
NAME: Final = r"^[A-Za-z_][A-Za-z0-9_]*$"
ESCAPES: Final = str.maketrans({"\\": r"\\", "\n": r"\n", "\t": r"\t", "\r": r"\r", "\0": r"\0"})
UNKNOWN_TABLE: Final = 60
KINDS: Final = {
    **dict.fromkeys((192, 194, 497, 516), PermissionDenied),
    **dict.fromkeys((202, 241, 252), QuotaExceeded),
}
# What is wrong with a row; asking again would not help.
OF_CONTENT: Final = frozenset({6, 26, 27, 38, 41, 53, 72, 117, 321, 349, 407, 441, 457, 636})
TOO_WIDE: Final = "partitions for single INSERT"  # rows of too many months, which is 252, too
EXCEPTION: Final = re.compile(r"^Code: (\d+)\. DB::Exception", re.MULTILINE)

TABLE: Final = """CREATE TABLE IF NOT EXISTS {table} (
    ts DateTime64(9, 'UTC'), id String, ts_text String, level LowCardinality(String),
    source LowCardinality(String), source_name Nullable(String), target String, message String,
    fields Nullable(String), size UInt64, inserted_at DateTime64(6, 'UTC') DEFAULT now64(6)
) ENGINE = ReplacingMergeTree ORDER BY (ts, id) PARTITION BY toYYYYMM(ts)"""
KEEP: Final = " TTL toDateTime(ts) + INTERVAL {days} DAY"
INSERT: Final = "INSERT INTO {table} FORMAT JSONEachRow"
# One condition for each field of a query.
CONDITIONS: Final = {
    "since": "ts >= {since:DateTime64(9, 'UTC')}",
    "until": "ts < {until:DateTime64(9, 'UTC')}",
    "levels": "has({levels:Array(String)}, level)",
    "source": "source = {source:String}",
    "source_name": "source_name = {source_name:String}",
    "target": "match(target, {target:String})",
    "before": "(ts, id) < ({before:DateTime64(9, 'UTC')}, {before_id:String})",
    "after": "(ts, id) > ({after:DateTime64(9, 'UTC')}, {after_id:String})",
    "from_insert": "inserted_at >= {from_insert:DateTime64(6, 'UTC')}",
}
# So many rows, and no more of them than a page may have bytes; `total` is what those before one have, and it.
SELECT: Final = """SELECT toString(ts) AS at, id, ts_text, level, source, source_name, target, message,
    fields, toString(inserted_at) AS seen_at, total FROM (
    SELECT *, sum(size) OVER (ORDER BY ts {way}, id {way}) AS total FROM (
        SELECT * FROM {table} FINAL WHERE {where} ORDER BY ts {way}, id {way} LIMIT {{limit:UInt64}}))
    WHERE total - size < {{bytes:UInt64}} ORDER BY at {way}, id {way} FORMAT JSONEachRow"""
NOW: Final = "SELECT toString(now64(6)) AS seen_at FORMAT JSONEachRow"


class Settings(Struct):
    """What the environment says."""

    url: Annotated[
        str, Env("ANIMUS_CLICKHOUSE_URL", "Such as http://127.0.0.1:8123", sensitive=True)
    ]  # somebody may put the password here
    user: Annotated[str, Env("ANIMUS_CLICKHOUSE_USER")] = ""
    password: Annotated[str, Env("ANIMUS_CLICKHOUSE_PASSWORD", sensitive=True)] = ""
    database: Annotated[str, Env("ANIMUS_CLICKHOUSE_DATABASE")] = "default"
    table: Annotated[str, Meta(pattern=NAME), Env("ANIMUS_CLICKHOUSE_TABLE")] = "animus_logs"
    keep_days: Annotated[
        Annotated[int, Meta(gt=0)] | None,
        Env("ANIMUS_CLICKHOUSE_KEEP_DAYS", "Used when the table is made"),
    ] = None
    buffer_mib: Annotated[float, Meta(gt=0), Env("ANIMUS_CLICKHOUSE_BUFFER_MIB")] = 1024.0


# ---- ClickHouse ---------------------------------------------------------------------------------


class ContentError(InvalidRequest):
    """ClickHouse does not take rows for what is in them."""


class ClickHouse:
    """Its HTTP interface, and one table."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._client: Any = None
        self._lock = Lock()

    def ask(self, sql: str, body: bytes = b"", **values: Any) -> list[dict[str, Any]]:
        """Rows; the table is made if it is missing.

        Args:
            sql: A statement, with `{name:Type}` for values.
            body: Rows to insert.
            values: What those stand for; a list is an array of texts.

        Raises:
            NamedError: ClickHouse refuses, or cannot be reached.
        """
        told = {f"param_{name}": written(value) for name, value in values.items()}
        code, error, answer = self._post(sql, body, told)
        if code == UNKNOWN_TABLE:
            self._make()
            code, error, answer = self._post(sql, body, told)
        if error is not None:
            raise error
        return [msgspec.json.decode(line) for line in answer.split(b"\n") if line]

    def _make(self) -> None:
        settings = self.settings
        sql = TABLE.format(table=settings.table)
        if settings.keep_days is not None:
            sql += KEEP.format(days=settings.keep_days)
        _, error, _ = self._post(sql, b"", {})
        if error is not None:
            raise error

    def _post(
        self, sql: str, body: bytes, told: dict[str, str]
    ) -> tuple[int, NamedError | None, bytes]:
        """The code of what is wrong, that as an error, and the answer."""
        params = {
            "query": sql,
            "database": self.settings.database,
            "wait_end_of_query": "1",  # or an error could come in the middle of the answer
            "date_time_input_format": "best_effort",
            "input_format_skip_unknown_fields": "1",
            **told,
        }
        with upstream("ClickHouse"):
            response = self._opened().post("/", params=params, content=body)
        code, error = refusal(response)
        return code, error, response.content

    def _opened(self) -> Any:
        import httpx

        with self._lock:
            if self._client is None:
                url, user, key = self.settings.url, self.settings.user, self.settings.password
                own = {"X-ClickHouse-User": user, "X-ClickHouse-Key": key}
                headers = {name: value for name, value in own.items() if value}
                self._client = httpx.Client(base_url=url, headers=headers, timeout=8.0)
            return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()


def refusal(response: Any) -> tuple[int, NamedError | None]:
    """The code of what is wrong, and that as an error; it may come at the end of a good answer."""
    status, headers = response.status_code, response.headers
    given = headers.get("x-clickhouse-exception-code", "")
    end = response.text[-4096:]
    found = EXCEPTION.search(end)
    code = int(given) if given.isdigit() else int(found[1]) if found else 0
    if code == 0 and response.is_success:
        return 0, None
    said = reason(end[found.start() :] if found else response.text)
    if code in OF_CONTENT or TOO_WIDE in said:
        kind: type[NamedError] = ContentError
    else:
        other = type(failure("ClickHouse", status, headers))
        kind = KINDS.get(code, other if other in {PermissionDenied, QuotaExceeded} else Unavailable)
    message, data = f"ClickHouse answered {status}: {said}".rstrip(": "), {"status": status}
    if issubclass(kind, QuotaExceeded | Unavailable):
        return code, kind(message, data, retry_after_s=retry_after_s(headers))
    return code, kind(message, data)


def written(value: Any) -> str:
    """A value as its place in a statement takes it."""
    if isinstance(value, list):
        return "[" + ",".join(f"'{written(item)}'" for item in value) + "]"
    return str(value).translate(ESCAPES)


# ---- what waits ---------------------------------------------------------------------------------


class Position(NamedTuple):
    """How far what waits has been sent: a part of the file, and where in it."""

    number: int = 0
    offset: int = 0


class Buffer:
    """Rows on their way, in a file that several processes add to; one of them sends."""

    def __init__(self, folder: Path, most_bytes: float, clickhouse: ClickHouse) -> None:
        self.path = folder / "waiting.jsonl"
        self.problem: NamedError | None = None
        self._most_bytes = most_bytes
        self._clickhouse = clickhouse
        self._insert = INSERT.format(table=clickhouse.settings.table)
        self._appender = Appender(self.path, most_bytes=PART_BYTES)
        self._refused = Appender(folder / "refused.jsonl", most_bytes=PART_BYTES)
        self._sent = folder / "sent.json"
        self._held: int | None = None
        self._rows = 0
        self._hurried, self._stopped = Event(), Event()
        self._thread: Thread | None = None

    def add(self, rows: list[bytes]) -> None:
        """Keep rows, and have them sent.

        Raises:
            QuotaExceeded: Too much waits already.
        """
        if self.waiting() > self._most_bytes:
            why = f": {self.problem.message}" if self.problem else ""
            raise QuotaExceeded(f"{self.waiting() / MIB:.1f} MiB wait for ClickHouse{why}")
        self._appender.append(b"".join(rows))
        self._rows += len(rows)
        if self._rows >= BATCH_ROWS:
            self._hurried.set()
        self.start()

    def waiting(self) -> int:
        """In bytes."""
        sent = self.sent()
        there = (part for part in parts(self.path) if part.number >= sent.number)
        return sum(p.size - sent.offset * (p.number == sent.number) for p in there)

    def sent(self) -> Position:
        with suppress(OSError, msgspec.DecodeError):
            return msgspec.json.decode(self._sent.read_bytes(), type=Position)
        return Position()

    def flush(self, ctx: Context[Any]) -> None:
        """Wait until what is there now has been sent, for a while."""
        there = parts(self.path)
        if not there:
            return
        target, until = Position(there[-1].number, there[-1].size), monotonic() + FLUSH_S
        self.start()
        while self.sent() < target and monotonic() < until and self.problem is None:
            self._hurried.set()
            if ctx.wait(0.01):
                return

    def start(self) -> None:
        """Send what waits, from now on."""
        if self._thread is None:
            self._thread = Thread(target=self._serve, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """What is not sent by then is sent by the next process."""
        self._stopped.set()
        self._hurried.set()
        if self._thread is not None:
            self._thread.join(0.15)
        self._appender.close()

    def _serve(self) -> None:
        pause_s = 0.0
        while not self._stopped.wait(pause_s):
            self._hurried.wait(BATCH_S)  # what other processes have added is found by looking
            self._hurried.clear()
            self._rows = 0
            try:
                while self._has_lock() and self._send() and not self._stopped.is_set():
                    pass
            except (NamedError, OSError) as problem:
                named = isinstance(problem, NamedError)
                self.problem = problem if named else Unavailable(f"{self.path}: {problem}")  # type: ignore[assignment]
                pause_s = min(max(pause_s * 2, FIRST_PAUSE_S), LONGEST_PAUSE_S)
            else:
                self.problem, pause_s = None, 0.0

    def _has_lock(self) -> bool:
        """Is this the process that sends? The system gives the lock on when it dies."""
        if self._held is None:
            make_folder(self.path)
            file = os.open(
                self.path.with_name("sender.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
            )
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(file)
                return False
            self._held = file
        return True

    def _send(self) -> bool:
        """Send some of what waits; False if nothing does."""
        there, sent = parts(self.path), self.sent()
        if there and sent > Position(there[-1].number, there[-1].size):
            sent = Position()  # somebody has deleted files
        for part in there:
            if part.number < sent.number:
                if part.number < there[-1].number - 1:  # the newest one keeps the count
                    part.path.unlink(missing_ok=True)
                continue
            offset = sent.offset if part.number == sent.number else 0
            with reading(part) as file:
                text = whole_lines(file, offset)
            if text:
                self._deliver(text)
                self._remember(Position(part.number, offset + len(text)))
                return True
        return False

    def _deliver(self, text: bytes) -> None:
        """Insert rows; those that are not taken are put aside, one by one."""
        try:
            self._clickhouse.ask(self._insert, text)
        except ContentError as problem:
            lines = text.splitlines(keepends=True)
            if len(lines) > 1:
                middle = len(lines) // 2
                self._deliver(b"".join(lines[:middle]))
                self._deliver(b"".join(lines[middle:]))
            else:
                self._refused.append(text)
                print(f"an entry is in refused.jsonl: {problem.message}", file=sys.stderr)

    def _remember(self, position: Position) -> None:
        part = self._sent.with_suffix(".part")
        part.write_bytes(msgspec.json.encode(position))
        part.replace(self._sent)


# ---- entries ------------------------------------------------------------------------------------


def invalid(path: str, message: str) -> InvalidRequest:
    issue = {"path": path, "message": message, "code": "value"}
    return InvalidRequest(f"{path}: {message}", {"issues": [issue]})


def moment(text: str, path: str) -> str:
    """An RFC 3339 time as ClickHouse has it, in UTC and to the nanosecond."""
    found = TIME.fullmatch(text.upper())
    try:
        minute = datetime.fromisoformat(f"{found[1]}{found[4]}" if found else "").astimezone(UTC)
    except OverflowError:
        return EARLIEST if text < "2" else LATEST
    except ValueError:
        raise invalid(path, "expected an RFC 3339 time with a zone") from None
    assert found is not None
    second = min(found[2], "59")  # a leap second is none to ClickHouse
    fraction = (found[3] or "")[:9] if found[2] == second else "9" * 9
    whole = f"{minute.isoformat(' ')[:16]}:{second}.{fraction:0<9}"
    return min(max(whole, EARLIEST), LATEST)


def row_of(path: str, entry: wire.LogEntry) -> bytes:
    """An entry as a row; its time and fields as texts, so that they come back as they were."""
    size = len(msgspec.json.encode(entry))
    if size > LONGEST_ENTRY:
        raise invalid(path, f"longer than {LONGEST_ENTRY} bytes")
    row = {
        "ts": moment(entry.ts, f"{path}.ts"),
        "id": entry.id,
        "ts_text": entry.ts,
        "level": entry.level,
        "source": entry.source,
        "source_name": entry.source_name,
        "target": entry.target,
        "message": entry.message,
        "fields": None if entry.fields is None else msgspec.json.encode(entry.fields).decode(),
        "size": size,
    }
    return msgspec.json.encode(row) + b"\n"


def entry_of(row: dict[str, Any]) -> wire.LogEntry:
    fields = row["fields"]
    return wire.LogEntry(
        id=row["id"],
        ts=row["ts_text"],
        level=row["level"],
        source=row["source"],
        source_name=row["source_name"],
        target=row["target"],
        message=row["message"],
        fields=None if fields is None else msgspec.Raw(fields.encode()),
    )


def pattern(glob: str) -> str:
    """`*` runs up to a dot, `**` over dots, `?` is one character."""
    meaning = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    pieces = re.split(r"(\*\*|\*|\?)", glob)
    return "(?s)^" + "".join(meaning.get(piece, re.escape(piece)) for piece in pieces) + "$"


def bounds(cursor: str | None, way: str) -> dict[str, Any]:
    """What a page begins behind."""
    found = None if cursor is None else CURSOR.fullmatch(cursor)
    if cursor is None:
        return {}
    if found is None:
        raise invalid("cursor", "not a cursor from query")
    return {way: found[1], f"{way}_id": found[2]}


def asked(query: wire.LogQuery) -> dict[str, Any]:
    """The values that a query names."""
    found: dict[str, Any] = {
        "since": moment(query.since, "since") if query.since else None,
        "until": moment(query.until, "until") if query.until else None,
        "levels": [*LEVELS[LEVELS.index(query.min_level) :]] if query.min_level else None,
        "source": query.source,
        "source_name": query.source_name,
        "target": None if query.target_glob is None else pattern(query.target_glob),
    }
    if query.since and query.until and found["since"] > found["until"]:
        raise invalid("until", "earlier than `since`")
    return {name: value for name, value in found.items() if value is not None}


class Store:
    """The table, and what waits for it."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.settings = settings
        self.clickhouse = ClickHouse(settings)
        self.buffer = Buffer(folder, settings.buffer_mib * MIB, self.clickhouse)

    def rows(
        self, values: dict[str, Any], limit: int, *, newest_first: bool
    ) -> list[dict[str, Any]]:
        """At most so many, and no more than fit into a page."""
        where = " AND ".join(sql for name, sql in CONDITIONS.items() if name in values) or "1"
        way = "DESC" if newest_first else "ASC"
        sql = SELECT.format(table=self.settings.table, where=where, way=way)
        return self.clickhouse.ask(sql, limit=limit, bytes=PAGE_BYTES, **values)

    def since(self, values: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """All of them, oldest first, a page at a time."""
        while rows := self.rows(values, MAX_PAGE, newest_first=False):
            yield from rows
            values = values | {"after": rows[-1]["at"], "after_id": rows[-1]["id"]}


# ---- the plugin ---------------------------------------------------------------------------------


def lifespan(ctx: Context, settings: Settings) -> Iterator[Store]:
    store = Store(Path(ctx.data_dir), settings)
    if store.buffer.path.exists():
        store.buffer.start()
    yield store
    store.buffer.stop()
    store.clickhouse.close()


def the_store(ctx: Context[Store]) -> Store:
    return ctx.state


Logs = Annotated[Store, Depends(the_store)]

app = App(
    kind="log_storage_backend",
    name="animus-log-storage-clickhouse",
    version="0.1.0",
    description="Log entries in ClickHouse, buffered on disk while it is away",
    lifespan=lifespan,
    settings=Settings,
    env_required=NETWORK,
)


@app.method("log_storage/store")
def store_entries(entries: list[wire.LogEntry], store: Logs) -> int:
    rows = [row_of(f"entries.{n}", entry) for n, entry in enumerate(entries)]
    if rows:
        store.buffer.add(rows)
    return len(rows)


@app.method("log_storage/query", concurrent=True)
def query_entries(query: wire.LogQuery, ctx: Context[Store], store: Logs) -> wire.LogQueryResult:
    """The newest that match, oldest first; the cursor leads to those before them."""
    values = asked(query) | bounds(query.cursor, "before")
    limit = MAX_PAGE if query.limit is None else min(query.limit, MAX_PAGE)
    store.buffer.flush(ctx)
    rows = store.rows(values, limit + 1, newest_first=True) if limit else []
    page = rows[:limit]
    more = len(rows) > limit or (bool(rows) and int(rows[-1]["total"]) >= PAGE_BYTES)
    return wire.LogQueryResult(
        entries=[entry_of(row) for row in reversed(page)],
        next_cursor=f"{page[-1]['at']}~{page[-1]['id']}" if more else None,
    )


class Feed(NamedTuple):
    """What a tail reads by, made before it is acknowledged: what makes no sense is refused, and what
    is stored afterwards is followed.
    """

    values: dict[str, Any]
    begins: dict[str, Any]
    latest: str
    told: dict[str, None]


def open_feed(ctx: Context[Store]) -> Feed:
    query = msgspec.convert(ctx.params, wire.LogQuery)
    values, begins = asked(query), bounds(query.cursor, "after")
    ctx.state.buffer.flush(ctx)
    latest = ctx.state.clickhouse.ask(NOW)[0]["seen_at"]
    recent = ctx.state.since(values | {"from_insert": before(latest)}) if query.follow else ()
    return Feed(values, begins, latest, {row["id"]: None for row in recent})


@app.method("log_storage/tail")
def tail(
    ctx: Context[Store],
    feed: Annotated[Feed, Depends(open_feed)],
    query: wire.LogQuery,
    store: Logs,
) -> Iterator[wire.LogEntry]:
    """Replay what matches, oldest first, then follow what anybody inserts.

    A `limit` replays that many of the newest entries and does not bound what is followed.
    """
    begins, told, latest = feed.begins, feed.told, feed.latest
    if query.limit is not None:
        limit = min(query.limit, MAX_PAGE) + 1
        newest = store.rows(feed.values | begins, limit, newest_first=True)
        if len(newest) == limit:
            begins = {"after": newest[-1]["at"], "after_id": newest[-1]["id"]}
    for row in store.since(feed.values | begins):
        yield entry_of(row)
        told[row["id"]] = None
    while query.follow and not ctx.wait(POLL_S):
        store.buffer.flush(ctx)
        for row in store.since(feed.values | {"from_insert": before(latest)}):
            if row["id"] not in told:
                yield entry_of(row)
                told[row["id"]] = None
            latest = max(latest, row["seen_at"])
        for name in [*told][: max(len(told) - REPEATED, 0)]:
            del told[name]


def before(seen_at: str) -> str:
    """A little earlier: an insert is seen when it has ended, and has the time at which it began."""
    seconds = datetime.fromisoformat(seen_at[:19]).replace(tzinfo=UTC).timestamp() - LATE_S
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S.000000")


@app.method("log_storage/schema")
def schema(store: Logs) -> wire.LogStorageSchema:
    """What this backend can do; the framework keeps the first two in line with its methods."""
    days = store.settings.keep_days
    return wire.LogStorageSchema(
        supports_query=True,
        supports_tail=True,
        supports_dedup=True,
        supports_filtering=wire.SupportsFiltering(
            by_glob=True, by_level=True, by_source=True, by_target=True, by_time_range=True
        ),
        retention_hint=None if days is None else days * 86_400_000,
    )


@app.health
def health(ctx: Context[Store | None]) -> str | None:
    """Does anything wait that does not get through?"""
    buffer = None if ctx.state is None else ctx.state.buffer
    if buffer is None or buffer.problem is None:
        return None
    return f"{buffer.waiting() / MIB:.1f} MiB wait on disk: {buffer.problem.message}"


if __name__ == "__main__":
    app.run()
