"""Log entries as JSON lines in a file that `grep`, `jq` and log shippers can read.

    jq -c 'select(.level == "error")' .animus/data/animus-log-storage-jsonl/logs*.jsonl

The file is `logs.jsonl` in the plugin's folder of the project, or where ANIMUS_LOGS_JSONL says. At 16
MiB (ANIMUS_LOGS_JSONL_MIB) it becomes `logs.000001.jsonl`, the next one `logs.000002.jsonl`, and so
on, so that names sort as times do; the newest 20 of them are kept (ANIMUS_LOGS_JSONL_KEEP). What was
answered survives a kill of the process; with ANIMUS_LOGS_JSONL_FSYNC=1 also a power cut.

The daemon's own `events.jsonl` is never written, but may be read as well, and so may any other
file of entries: ANIMUS_LOGS_JSONL_READ names them, with commas. Several processes may write one file.
A line that is no entry is passed over: a torn one, say, of a process that was killed.
"""

import errno
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from hashlib import sha256
from heapq import merge
from itertools import groupby, islice
from os import pread
from pathlib import Path
from sys import maxsize
from threading import Lock
from typing import Annotated, Final, NamedTuple

from animus_routes import App, Context, Depends, Env, InvalidRequest, QuotaExceeded, Unavailable
from animus_routes.batteries.lines import Appender, Follower, Part, parts, reading, whole_lines
from animus_routes.matching import entry_matches, instant
from animus_routes.structs import log_storage as wire

import msgspec
from msgspec import Meta, Struct

MIB: Final = 1024 * 1024
MAX_PAGE: Final = 1000
PAGE_BYTES: Final = 4 * MIB  # a host drops a plugin whose frame passes 8 MiB
PIECE_BYTES: Final = 256 * 1024
POLL_S: Final = 0.1
REPEATED: Final = 4096  # entries among which a tail looks for one that was stored twice
DAEMONS: Final = "events.jsonl"
NOTHING: Final = msgspec.Raw(b"null")
DAEMONS_KEYS: Final = ("ts", "level", "cat", "msg")
USUAL: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)", re.ASCII)
CURSOR: Final = re.compile(r"([-0-9:.T]{19,60})~(\d{1,9})~(-?\d{1,9})~(\d{1,18})", re.ASCII)


class Settings(Struct):
    """What the environment says."""

    path: Annotated[
        Path | None,
        Env("ANIMUS_LOGS_JSONL", "The file; logs.jsonl in the plugin's folder if unset"),
    ] = None
    read: Annotated[
        list[Path], Env("ANIMUS_LOGS_JSONL_READ", "Other files to read, such as the daemon's own")
    ] = []
    mib: Annotated[
        float, Meta(gt=0), Env("ANIMUS_LOGS_JSONL_MIB", "How large a file grows; 16 if unset")
    ] = 16.0
    keep: Annotated[
        int, Meta(ge=0), Env("ANIMUS_LOGS_JSONL_KEEP", "How many are kept beside it; 20 if unset")
    ] = 20
    fsync: Annotated[
        bool, Env("ANIMUS_LOGS_JSONL_FSYNC", "Wait for the disk before a store is answered")
    ] = False


# ---- lines --------------------------------------------------------------------------------------


class Line(Struct):
    """A line of a file: an entry as the protocol has it, or one of the daemon's own file."""

    ts: str
    level: wire.LogLevel
    id: str | None = None
    source: wire.LogSource = "daemon"
    source_name: str | None = None
    target: str = ""
    message: str | None = None
    fields: msgspec.Raw = NOTHING
    cat: str | None = None
    msg: str | None = None
    workflow_id: str | None = None

    def read(self) -> bool:
        """Take what the daemon says as an entry says it; False if the line is neither."""
        if self.id is None or self.message is None:
            if self.cat is None or self.msg is None:
                return False
            self.id, self.message, self.target = None, self.msg, self.cat
            if self.workflow_id is not None:
                self.source, self.source_name = "workflow", self.workflow_id
        return True


class Stamp(Struct):
    """As much of a line as tells when it was."""

    ts: str


READ_STAMP: Final = msgspec.json.Decoder(Stamp)
READ_LINE: Final = msgspec.json.Decoder(Line)
NO_LINE: Final = Line(ts="", level="info", id="", message="")


class Place(NamedTuple):
    """Where an entry is in the order of all: by its time, then by file and offset."""

    moment: str
    source: int = 0
    number: int = 0
    offset: int = 0


FIRST: Final = Place("")
LAST: Final = Place("~")


class Row(NamedTuple):
    place: Place
    line: Line
    text: bytes

    @property
    def name(self) -> str:
        return self.line.id or f"line:{sha256(self.text).hexdigest()[:24]}"

    @property
    def entry(self) -> wire.LogEntry:
        line = self.line
        fields = line.fields
        if line.id is None:  # the daemon's: whatever else it says
            said = msgspec.json.decode(self.text, type=dict[str, msgspec.Raw])
            rest = {key: value for key, value in said.items() if key not in DAEMONS_KEYS}
            fields = msgspec.Raw(msgspec.json.encode(rest)) if rest else NOTHING
        return wire.LogEntry(
            id=self.name,
            ts=line.ts,
            level=line.level,
            source=line.source,
            source_name=line.source_name,
            target=line.target,
            message=line.message or "",
            fields=None if bytes(fields) == b"null" else fields,
        )


def moment(ts: str) -> str:
    """A time in UTC whose texts sort as times do.

    Raises:
        ValueError, OverflowError: It is not an RFC 3339 date-time.
    """
    if USUAL.fullmatch(ts) is not None:
        text = ts.removesuffix("Z").removesuffix("+00:00")
        return text.rstrip("0").rstrip(".") if "." in text else text
    seconds, fraction = instant(ts)
    at = time.gmtime(seconds)
    text = f"{at[0]:04}-{at[1]:02}-{at[2]:02}T{at[3]:02}:{at[4]:02}:{at[5]:02}"
    return f"{text}.{fraction}" if fraction else text


def rows_of(
    text: bytes, source: int, number: int, offset: int, wanted: Callable[[Line], bool]
) -> Iterator[Row]:
    """The entries of some lines, split at line feeds alone: texts may hold other breaks."""
    for line in text.split(b"\n"):
        with suppress(
            ValueError, OverflowError, RecursionError
        ):  # no entry, half of one, bad UTF-8
            found = READ_LINE.decode(line)
            if found.read() and wanted(found):
                yield Row(Place(moment(found.ts), source, number, offset), found, line)
        offset += len(line) + 1


def span_of(text: bytes) -> tuple[str, str] | None:
    """Two times that all lines are between; None if none has a time."""
    seconds: set[str] = set()
    for line in text.split(b"\n"):
        with suppress(ValueError, OverflowError, RecursionError):
            ts = READ_STAMP.decode(line).ts
            usual = ts[10:11] == "T" and ts.endswith(("Z", "+00:00"))
            seconds.add((ts if usual else moment(ts))[:19])
    return (min(seconds), f"{max(seconds)}~") if seconds else None


Key = tuple[str, str, str | None]


def unique(rows: Iterable[Row], told: dict[Key, None]) -> Iterator[Row]:
    """Rows, each id once, and one of an entry and the daemon's own line of the same event.

    Args:
        rows: Those of one time after each other.
        told: What was told before.
    """
    for row in rows:
        line, at = row.line, row.place.moment
        by_daemon = (at, "line", line.message)
        own = () if line.id is None else ((at, "id", line.id), (at, "text", line.message))
        if told.keys().isdisjoint({by_daemon, *(own[:1] or [(at, "text", line.message)])}):
            told.update(dict.fromkeys(own or [by_daemon]))
            yield row


# ---- reading ------------------------------------------------------------------------------------


class Span(NamedTuple):
    """A piece of a file, and the times that its entries are between."""

    start: int
    end: int
    low: str
    high: str


class Known(Struct):
    """What is known of a file: the times of what was read so far."""

    end: int = 0
    first: bytes = b""
    spans: list[Span] = []

    def update(self, part: Part, file: int) -> None:
        """Read what was added; a file that was emptied, or is another one by now, from its start."""
        first = pread(file, 128, 0)
        if part.size < self.end or not first.startswith(self.first):
            self.end, self.spans = 0, []
        while text := whole_lines(file, self.end):
            start = self.end
            self.end += len(text)
            span = span_of(text)
            if span is not None:
                low, high = span
                if self.spans and self.end - self.spans[-1].start <= PIECE_BYTES:
                    start, _, lower, higher = self.spans.pop()
                    low, high = min(low, lower), max(high, higher)
                self.spans.append(Span(start, self.end, low, high))
        self.first = first[: min(self.end, 128)]


class Piece(NamedTuple):
    """Where some entries are."""

    source: int
    part: Part
    span: Span

    def rows(self, wanted: Callable[[Line], bool]) -> Iterator[Row]:
        """Nothing if the file is gone."""
        with suppress(FileNotFoundError), reading(self.part) as file:
            text = pread(file, self.span.end - self.span.start, self.span.start)
            yield from rows_of(text, self.source, self.part.number, self.span.start, wanted)


class Matches(NamedTuple):
    """What is asked for; times are compared apart from the rest, as texts of `moment`."""

    wanted: Callable[[Line], bool]
    since: str
    until: str

    @classmethod
    def of(cls, query: wire.LogQuery) -> "Matches":
        rest = msgspec.structs.replace(query, since=None, until=None)
        since, until = asked(query.since, "since", ""), asked(query.until, "until", "~")
        if since > until:
            raise invalid("until", "earlier than `since`")
        return cls(partial(entry_matches, rest), since, until)

    def within(self, row: Row) -> bool:
        return self.since <= row.place.moment < self.until

    def rows(
        self, pieces: list[Piece], low: Place = FIRST, high: Place = LAST, *, newest_first: bool
    ) -> Iterator[Row]:
        """What matches between two places, themselves left out, in the order of its times.

        Of files that are almost sorted, only the pieces are read that have what is asked for.
        """
        since, until = max(self.since, low.moment), min(self.until, high.moment)
        near = [p for p in pieces if p.span.high >= since and p.span.low <= until]
        each = (self._lazily(piece, n, newest_first) for n, piece in enumerate(near))
        merged = (row for row in merge(*each, reverse=newest_first) if row.text)
        for _, group in groupby(merged, lambda row: row.place.moment):
            rows = [row for row in unique(sorted(group), {}) if low < row.place < high]
            yield from reversed(rows) if newest_first else rows

    def _lazily(self, piece: Piece, n: int, newest_first: bool) -> Iterator[Row]:  # noqa: FBT001
        """A row that is none, in front of the others; a piece is read when that one is behind."""
        at = Place(piece.span.high, maxsize, n) if newest_first else Place(piece.span.low, -1, n)
        yield Row(at, NO_LINE, b"")
        yield from sorted(filter(self.within, piece.rows(self.wanted)), reverse=newest_first)


def asked(text: str | None, path: str, otherwise: str) -> str:
    """A time of a query."""
    try:
        if text is not None:
            instant(text)  # a day that there is
        return otherwise if text is None else moment(text)
    except (ValueError, OverflowError):
        raise invalid(path, "expected an RFC 3339 time with a zone") from None


def invalid(path: str, message: str) -> InvalidRequest:
    issue = {"path": path, "message": message, "code": "value"}
    return InvalidRequest(f"{path}: {message}", {"issues": [issue]})


def place_of(cursor: str | None, otherwise: Place) -> Place:
    found = None if cursor is None else CURSOR.fullmatch(cursor)
    if found is not None:
        return Place(found[1], int(found[2]), int(found[3]), int(found[4]))
    if cursor is None:
        return otherwise
    raise invalid("cursor", "not a cursor from query")


def take(rows: Iterator[Row], limit: int) -> tuple[list[Row], bool]:
    """Rows, at most `limit` and no more than fit into a frame, and whether there are more."""
    found: list[Row] = []
    size = 0
    for row in rows:
        size += len(row.text)
        if len(found) == limit or (found and size > PAGE_BYTES):
            return found, True
        found.append(row)
    return found, False


# ---- the plugin ---------------------------------------------------------------------------------


class Store:
    """The file that is written, and all that are read."""

    def __init__(self, path: Path, settings: Settings) -> None:
        if path.name == DAEMONS:
            raise InvalidRequest(
                f"ANIMUS_LOGS_JSONL: {DAEMONS} is the daemon's own: name another file, and that one"
                " in ANIMUS_LOGS_JSONL_READ"
            )
        self.path = path
        self.keep = settings.keep
        most = int(settings.mib * MIB)
        self.appender = Appender(path, most_bytes=most, keep=self.keep, fsync=settings.fsync)
        others = [other for other in settings.read if other.absolute() != path.absolute()]
        self.sources = [path, *others]
        self._known: dict[tuple[int, int], Known] = {}
        self._lock = Lock()

    def pieces(self) -> tuple[list[Piece], list[Follower]]:
        """All there is now, and what tells of the rest; close each of those."""
        found: list[Piece] = []
        followers: list[Follower] = []
        with self._lock:
            before, self._known = self._known, {}
            for source, path in enumerate(self.sources):
                here = parts(path)
                for part in here:
                    known = self._known[part.ident] = before.get(part.ident, Known())
                    with suppress(FileNotFoundError), reading(part) as file:
                        known.update(part, file)
                    found += [Piece(source, part, span) for span in known.spans]
                last = here[-1] if here and here[-1].path == path else None
                end = 0 if last is None else self._known[last.ident].end
                followers.append(Follower(path, last, end))
        return found, followers

    def now(self) -> list[Piece]:
        found, followers = self.pieces()
        for follower in followers:
            follower.close()
        return found


def lifespan(ctx: Context, settings: Settings) -> Iterator[Store]:
    store = Store(settings.path or ctx.data_dir / "logs.jsonl", settings)
    yield store
    store.appender.close()


def the_store(ctx: Context[Store]) -> Store:
    return ctx.state


Logs = Annotated[Store, Depends(the_store)]

app = App(
    kind="log_storage_backend",
    name="animus-log-storage-jsonl",
    version="0.1.0",
    description="Log entries as JSON lines in files that are rotated",
    lifespan=lifespan,
    settings=Settings,
)


@app.method("log_storage/store")
def store_entries(entries: list[wire.LogEntry], store: Logs) -> int:
    """Append the whole batch; a second entry with the same time and id is passed over by readers."""
    lines: list[bytes] = []
    for n, entry in enumerate(entries):
        asked(entry.ts, f"entries.{n}.ts", "")
        lines.append(msgspec.json.encode(entry) + b"\n")
        if len(lines[-1]) > PAGE_BYTES:
            raise invalid(f"entries.{n}", f"longer than {PAGE_BYTES} bytes")
    if lines:
        store.appender.append(b"".join(lines))
    return len(lines)


@app.method("log_storage/query", concurrent=True)
def query_entries(query: wire.LogQuery, store: Logs) -> wire.LogQueryResult:
    """The newest that match, oldest first; the cursor leads to those before them."""
    limit = MAX_PAGE if query.limit is None else min(query.limit, MAX_PAGE)
    high = place_of(query.cursor, LAST)
    matches = Matches.of(query)
    rows, more = take(matches.rows(store.now(), high=high, newest_first=True), limit)
    return wire.LogQueryResult(
        entries=[row.entry for row in reversed(rows)],
        next_cursor="~".join(map(str, rows[-1].place)) if more and rows else None,
    )


class Feed(NamedTuple):
    """What a tail reads by, made before it is acknowledged: what makes no sense is refused, and what
    is stored afterwards is followed.
    """

    matches: Matches
    low: Place
    pieces: list[Piece]
    followers: list[Follower]


def open_feed(ctx: Context[Store]) -> Iterator[Feed]:
    query = msgspec.convert(ctx.params, wire.LogQuery)
    matches, low = Matches.of(query), place_of(query.cursor, FIRST)
    pieces, followers = ctx.state.pieces()
    yield Feed(matches, low, pieces, followers)
    for follower in followers:
        follower.close()


@app.method("log_storage/tail")
def tail(
    ctx: Context, feed: Annotated[Feed, Depends(open_feed)], query: wire.LogQuery
) -> Iterator[wire.LogEntry]:
    """Replay what matches, oldest first, then follow what anybody adds as it arrives.

    A `limit` replays that many of the newest entries and does not bound what is followed.
    """
    low = feed.low
    if query.limit is not None:
        newest = feed.matches.rows(feed.pieces, low, newest_first=True)
        limit = min(query.limit, maxsize - 1)
        before = next(islice(newest, limit, limit + 1), None)
        low = before.place if before else low
    for row in feed.matches.rows(feed.pieces, low, newest_first=False):
        if ctx.cancelled:
            return
        yield row.entry
    told: dict[Key, None] = {}
    while query.follow and not ctx.cancelled:
        for source, follower in enumerate(feed.followers):
            for offset, text in follower.new():
                rows = rows_of(text, source, 0, offset, feed.matches.wanted)
                yield from (r.entry for r in unique(filter(feed.matches.within, rows), told))
        for key in [*islice(told, max(len(told) - REPEATED, 0))]:
            del told[key]
        ctx.wait(POLL_S)


@app.method("log_storage/schema")
def schema() -> wire.LogStorageSchema:
    """What this backend can do; the framework keeps the first two in line with its methods."""
    return wire.LogStorageSchema(
        supports_query=True,
        supports_tail=True,
        supports_dedup=True,
        supports_filtering=wire.SupportsFiltering(
            by_glob=True, by_level=True, by_source=True, by_target=True, by_time_range=True
        ),
    )


@app.health
def health(ctx: Context[Store | None]) -> str | None:
    """Can the file be written, or be made once there is something? Can the others be read?"""
    if ctx.state is None:
        return "the file is opened at its first use"
    missing = [str(path) for path in ctx.state.sources[1:] if not parts(path)]
    if missing:
        return f"ANIMUS_LOGS_JSONL_READ: {', '.join(missing)}: no such file"
    return ctx.state.appender.check()


@app.exception_handler(OSError)
def refuse(ctx: Context[Store], problem: OSError) -> Unavailable | QuotaExceeded:
    is_full = problem.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
    return (QuotaExceeded if is_full else Unavailable)(f"{ctx.state.path}: {problem.strerror}")


if __name__ == "__main__":
    app.run()
