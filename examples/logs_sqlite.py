"""Log entries in one SQLite file: a complete log storage backend with full-text search.

    python logs_sqlite.py                          a host starts it, or you with `--manifest`

The database is `.animus/logs.sqlite3` under the project's root, or where ANIMUS_LOGS_DB says. With
ANIMUS_LOGS_KEEP_DAYS set, entries older than that are dropped as new ones come in. In addition
to the protocol's filters, `log_storage/query` and `log_storage/tail` take `text`: words that all
occur in an entry's message, target or fields. Chinese, Japanese and Korean words are found wherever
their characters stand next to each other.

A pattern of targets is found by what stands before its wildcards and by its whole words. Where all
of these are common and the matches are not, each distinct target is compared with the pattern.
"""

import math
import operator
import os
import re
import sqlite3
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import merge
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple, get_args
from unicodedata import normalize

from animus_routes import App, Context, Depends, InvalidRequest, QuotaExceeded, Unavailable
from animus_routes.batteries.sql import Database, Layout, Transaction
from animus_routes.batteries.sqlite import turn
from animus_routes.structs import log_storage as wire

import msgspec

MAX_PAGE: Final = 1000
PAGE_BYTES: Final = 4 * 1024 * 1024  # a host drops a plugin whose frame passes 8 MiB
EVICT_AT_ONCE: Final = 1000
LONGEST_DAYS: Final = 36_500
POLL_S: Final = 0.05
BUSY_S: Final = 4.0  # the host gives a store 5 s
PROBED: Final = 512  # matches that are counted to find the rarest condition
AT_ONCE: Final = 16  # entries that are looked through for words together
ENOUGH: Final = 8  # one match in so many entries is enough to look on
BLOCK: Final = 256  # entries, by the order in which they came, whose times are kept together
MOST_LEADS: Final = 50  # targets of a pattern that are looked up one by one
# Characters of scripts that put no spaces between words: Han, kana, bopomofo and Hangul.
UNSPACED: Final = (
    "\u1100-\u11ff\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u318e"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97c\uac00-\ud7fb\uf900-\ufaff"
    "\uff66-\uffdc\U00020000-\U0003ffff"
)
ONE: Final = re.compile(f"[{UNSPACED}]")
GAP: Final = re.compile(rf"(?<=[{UNSPACED}])[\W_]+(?=[{UNSPACED}])")

LEVELS: Final[tuple[wire.LogLevel, ...]] = get_args(wire.LogLevel)
TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)
TIME_EXPECTED: Final = "expected an RFC 3339 time with a zone"
# A wildcard, and the words of which it is a part.
WILD: Final = re.compile("[a-zA-Z0-9]*[*?]+[a-zA-Z0-9]*")
CURSOR: Final = re.compile(r"before-([-0-9:.T]{0,29})-(\d{1,18})", re.ASCII)

# What makes each layout from the one before.
STEPS: Final = (
    (
        """CREATE TABLE IF NOT EXISTS entries (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
            moment TEXT NOT NULL, ts TEXT NOT NULL, level INTEGER NOT NULL, source TEXT NOT NULL,
            source_name TEXT, target TEXT NOT NULL, message TEXT NOT NULL, fields TEXT,
            size INTEGER NOT NULL)""",
        "CREATE INDEX IF NOT EXISTS entries_by_moment ON entries (moment, seq)",
        """CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
            message, target, fields, content = 'entries', content_rowid = 'seq')""",
    ),
    (
        "DROP TRIGGER IF EXISTS entry_stored",
        "DROP TRIGGER IF EXISTS entry_dropped",
        """CREATE TEMP TABLE to_space AS SELECT seq FROM entries WHERE spaced(message) <> message
            OR spaced(target) <> target OR spaced(fields) <> fields""",
        """INSERT INTO words (words, rowid, message, target, fields)
            SELECT 'delete', seq, message, target, fields FROM entries
            WHERE seq IN (SELECT seq FROM to_space)""",
        """INSERT INTO words (rowid, message, target, fields)
            SELECT seq, spaced(message), spaced(target), spaced(fields) FROM entries
            WHERE seq IN (SELECT seq FROM to_space)""",
        "DROP TABLE to_space",
        """CREATE TRIGGER entry_stored AFTER INSERT ON entries BEGIN
            INSERT INTO words (rowid, message, target, fields)
                VALUES (new.seq, spaced(new.message), spaced(new.target), spaced(new.fields)); END""",
        """CREATE TRIGGER entry_dropped AFTER DELETE ON entries BEGIN
            INSERT INTO words (words, rowid, message, target, fields) VALUES
                ('delete', old.seq, spaced(old.message), spaced(old.target), spaced(old.fields));
            END""",
    ),
    (
        "CREATE INDEX IF NOT EXISTS entries_by_moment ON entries (moment, seq)",
        "CREATE INDEX entries_by_level ON entries (level, moment, seq)",
        "CREATE INDEX entries_by_source ON entries (source, moment, seq)",
        "CREATE INDEX entries_by_source_name ON entries (source_name, moment, seq)",
        "CREATE INDEX entries_by_target ON entries (target, moment, seq)",
    ),
    # Processes of 0.1.0 may still run: each of their calls reads a column that has another name now.
    ("ALTER TABLE entries RENAME COLUMN moment TO instant",),
    (
        "CREATE TABLE blocks (block INTEGER PRIMARY KEY, first TEXT NOT NULL, last TEXT NOT NULL)",
        f"""INSERT INTO blocks SELECT seq / {BLOCK}, min(instant), max(instant) FROM entries
            GROUP BY seq / {BLOCK}""",
        "CREATE INDEX blocks_by_first ON blocks (first)",
        "CREATE INDEX blocks_by_last ON blocks (last)",
        f"""CREATE TRIGGER entry_placed AFTER INSERT ON entries BEGIN
            INSERT INTO blocks VALUES (new.seq / {BLOCK}, new.instant, new.instant)
                ON CONFLICT (block) DO UPDATE SET
                    first = min(first, excluded.first), last = max(last, excluded.last); END""",
    ),
)


def build(db: Transaction, found: int) -> None:
    for step in STEPS[found:]:
        for statement in step:
            db.run(statement)
    db.run(f"PRAGMA user_version = {len(STEPS)}")  # programs of 0.1.0 that start now refuse it


LAYOUT: Final = Layout("logs", len(STEPS), "entries", build)

# One condition per field of the query.
CONDITIONS: Final = {
    "since": "instant >= :since",
    "until": "instant < :until",
    "min_level": "level >= :min_level",
    "source": "source = :source",
    "source_name": "source_name = :source_name",
    "target": "target REGEXP :target",
}
WORDS: Final = "EXISTS (SELECT 1 FROM words WHERE words MATCH :text AND rowid = entries.seq)"
# A few entries are indexed anew to find out which have some words: to look each of them up in the index
# of all would cost the more, the more entries have the words.
FEW: Final = "CREATE VIRTUAL TABLE words USING fts5 (target, message, fields, content = '')"
ADD_TO_FEW: Final = "INSERT INTO words (rowid, target, message, fields) VALUES (?, ?, ?, ?)"
AMONG_FEW: Final = "SELECT rowid FROM words WHERE words MATCH ? AND rowid >= ?"
COLUMNS: Final = "seq, instant, size, id, ts, level, source, source_name, target, message, fields"
# The parts put together here are constants of this file; values are always bound.
# Hosts ask once, for the newest so many: a page holds those, and the next one what is before them.
SPAN: Final = "(instant, seq) > (:moment, :seq) AND (instant, seq) < (:until_moment, :until_seq) AND seq <= :end"
BY_TIME: Final = f"entries INDEXED BY entries_by_moment WHERE {SPAN}"
BY: Final = f"entries INDEXED BY entries_by_{{0}} WHERE {{0}} = :lead AND {SPAN}"
BY_TARGET: Final = BY.format("target")
BELOW: Final = "entries INDEXED BY entries_by_target WHERE target >= :prefix AND target < :last"
BY_PREFIX: Final = f"{BELOW} AND {SPAN}"
# What else is asked must not lead: the planner thinks that any index has fewer than the words have.
HAVING: Final = """(SELECT rowid AS found FROM words WHERE words MATCH :{}{})
    CROSS JOIN entries NOT INDEXED ON seq = found WHERE """
BY_WORDS: Final = HAVING.format("words", "") + SPAN
# The conditions that an index knows, by what is bound to them.
LEADS: Final = {
    "source": BY.format("source"),
    "source_name": BY.format("source_name"),
    "min_level": BY.format("level"),
    "exact": BY_TARGET,
    "prefix": BY_PREFIX,
    "words": BY_WORDS,
}
# Those that are in no order of time: all that there are at any time are counted.
COUNTED: Final = {BY_WORDS: "words WHERE words MATCH :words", BY_PREFIX: BELOW}
AT: Final = operator.itemgetter(1, 0)  # what rows are in the order of
ENTRY: Final = f"SELECT {COLUMNS} FROM entries WHERE seq = ?"
NEWS: Final = f"""SELECT {COLUMNS} FROM entries NOT INDEXED
    WHERE seq > :seq AND seq <= :end AND {{}} ORDER BY seq"""
TARGETS: Final = """WITH RECURSIVE every (one) AS (
    SELECT min(target) FROM entries WHERE target >= :prefix AND target < :last UNION ALL
    SELECT (SELECT min(target) FROM entries WHERE target > one AND target < :last) FROM every WHERE one NOTNULL)
    SELECT one FROM every WHERE CASE WHEN one NOTNULL THEN one REGEXP :target END LIMIT :most"""
BLOCKS: Final = f"""SELECT block, {{0}} FROM blocks INDEXED BY blocks_by_{{0}}
    WHERE last >= :moment AND first <= :until_moment
    AND block {{2}} (SELECT rowid / {BLOCK} FROM words WHERE words MATCH :all_words ORDER BY rowid {{1}} LIMIT 1)
    ORDER BY {{0}} {{1}}, block {{1}}"""
END: Final = "SELECT coalesce(max(seq), 0) FROM entries"
STORE: Final = """INSERT INTO entries
    (id, instant, ts, level, source, source_name, target, message, fields, size)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING"""
EVICT: Final = """DELETE FROM entries WHERE seq IN
    (SELECT seq FROM entries WHERE instant < ? ORDER BY instant, seq LIMIT ?)"""
EVICT_BLOCKS: Final = "DELETE FROM blocks WHERE last < (SELECT min(instant) FROM entries)"


class Query(wire.LogQuery, kw_only=True):
    """The protocol's query, and words to look for."""

    text: str | None = None


class Place(NamedTuple):
    """The entry at which to continue."""

    moment: str = ""
    seq: int = 0


BEGINNING: Final = Place()
END_OF_TIME: Final = Place("~")


def invalid(path: str, message: str) -> InvalidRequest:
    issue = {"path": path, "message": message, "code": "value"}
    return InvalidRequest(f"{path}: {message}", {"issues": [issue]})


def moment(text: str, path: str) -> str:
    """An RFC 3339 time in UTC with nine fraction digits, so that texts sort as times do."""
    found = TIME.fullmatch(text.upper())
    if found is None:
        raise invalid(path, TIME_EXPECTED)
    try:
        # Zones shift minutes only, so that seconds may be 60 and fractions keep their digits.
        minute = datetime.fromisoformat(f"{found[1]}{found[4]}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(path, TIME_EXPECTED) from None
    return f"{minute.isoformat()[:16]}:{found[2]}.{(found[3] or '')[:9]:0<9}"


@lru_cache
def glob(pattern: str) -> re.Pattern[str]:
    """`*` runs up to a dot, `**` over dots, `?` is one character."""
    parts = re.split(r"(\*+|\?)", pattern)
    meaning = {"*": "[^.]*", "?": "[^.]", "": ""}
    return re.compile(
        "".join(
            meaning[part] if part in meaning else ".*" if part[0] == "*" else re.escape(part)
            for part in parts
        ),
        re.DOTALL,
    )


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


def quoted(words: str) -> str:
    return '"' + words.replace('"', '""').replace("\0", " ") + '"'


def phrase(part: str) -> str:
    """What an index of words is asked, to find targets that have a part."""
    words = part.isascii() and re.search("[a-zA-Z0-9]", part)
    return f"target : {quoted(part)}" if words else ""


Row = tuple[Any, ...]


class Matches(NamedTuple):
    """What a query asks for: its conditions as SQL, but for its words, with what they are bound to."""

    where: str
    binds: dict[str, Any]

    @classmethod
    def of(cls, query: Query) -> "Matches":
        given = (query.text or "").replace("\0", " ").split()
        text = " ".join(quoted(spaced(word) or "") for word in given)
        pattern = query.target_glob or ""
        prefix = re.split("[*?]", pattern, maxsplit=1)[0]
        first, *later = map(phrase, WILD.sub("*", pattern).split("*"))
        binds = {
            "since": moment(query.since, "since") if query.since else None,
            "until": moment(query.until, "until") if query.until else None,
            "min_level": LEVELS.index(query.min_level or "trace") or None,
            "source": query.source,
            "source_name": query.source_name,
            "target": query.target_glob,
            "exact": query.target_glob if prefix == pattern else None,
            "prefix": prefix if prefix != pattern else None,
            "last": prefix + "\U0010ffff",  # after whatever begins so
            "text": text or None,
            "words": " AND ".join(filter(None, [text, *later])) or None,
            "all_words": " AND ".join(filter(None, [text, first, *later])) or None,
        }
        given_ones = [sql for name, sql in CONDITIONS.items() if binds[name] is not None]
        return cls(" AND ".join(given_ones) or "TRUE", binds)

    @property
    def whole(self) -> str:
        return self.where if self.binds["text"] is None else f"{self.where} AND {WORDS}"

    def rows(
        self,
        db: sqlite3.Connection,
        place: Place = BEGINNING,
        end: int = sys.maxsize,
        *,
        before: Place = END_OF_TIME,
        newest_first: bool = False,
    ) -> Iterator[Row]:
        """What matches between two places, in order."""
        start = max(place, Place(self.binds["since"] or "", -1))
        last = min(before, Place(self.binds["until"] or END_OF_TIME.moment, -1))
        binds = {**self.binds, **start._asdict(), "end": end}
        binds |= {"until_moment": last.moment, "until_seq": last.seq}
        return Search(db, self.where, binds, newest_first).rows()


class Search(NamedTuple):
    """How matches between two places are found, whichever of the conditions are rare."""

    db: sqlite3.Connection
    where: str
    binds: dict[str, Any]
    newest_first: bool

    def rows(self) -> Iterator[Row]:
        """What matches, in order, found by the rarest of the conditions."""
        text, prefix = self.binds["text"], self.binds["prefix"]
        lead, values, few = self.rarest()
        if lead == BY_WORDS or (text is None and prefix is None):
            yield from self.ordered(lead, values, self.where)
            return
        if few or lead != BY_TIME or prefix is not None:
            # Common matches are soon met among what is asked for in the first place ...
            found = self.ordered(lead, values, self.where.replace(CONDITIONS["target"], "TRUE"))
            left = yield from self.matching(found, PROBED if few else AT_ONCE)
            if left is None:
                return
            # ... or they are looked for.
            edge = ("until_moment", "until_seq") if self.newest_first else ("moment", "seq")
            self.binds.update(zip(edge, (left[1], left[0]), strict=True))
        every = () if prefix is None else self.db.execute(TARGETS, {**self.binds, "most": PROBED})
        targets = [target for (target,) in every]
        few = len(targets) < PROBED and self.probe(BY_TARGET, targets, PROBED) < PROBED
        if prefix is not None and (few or (text is None and len(targets) <= MOST_LEADS)):
            found = self.ordered(BY_TARGET, targets, self.where)
            yield from found if text is None else self.matching(found, PROBED)
        elif self.binds["all_words"] is not None:
            yield from self.by_words()
        else:
            yield from self.ordered(lead, values, self.where)

    def ordered(self, lead: str, values: list[Any], where: str) -> Iterator[Row]:
        """What is found by one condition and fulfils the others, its words left aside."""
        way = "DESC" if self.newest_first else "ASC"
        sql = f"SELECT {COLUMNS} FROM {lead} AND {where} ORDER BY instant {way}, seq {way}"
        found = (self.db.execute(sql, {**self.binds, "lead": value}) for value in values)
        if len(values) > MOST_LEADS:  # and few entries: so many statements at a time are dear
            return iter(sorted(chain.from_iterable(found), key=AT, reverse=self.newest_first))
        return merge(*found, key=AT, reverse=self.newest_first)

    def matching(self, rows: Iterator[Row], most: int) -> Generator[Row, None, Row | None]:
        """Those of some rows that match; the last one looked at, if few of so many do."""
        text, pattern = self.binds["text"], self.binds["target"]
        seen = met = 0
        with closing(sqlite3.connect(":memory:", check_same_thread=False)) as db:
            if text is not None:
                db.execute(FEW)
            while some := [*islice(rows, AT_ONCE)]:
                found = [row for row in some if pattern is None or glob(pattern).fullmatch(row[8])]
                if text is not None:
                    texts = ((n, *map(spaced, row[-3:])) for n, row in enumerate(found, seen))
                    db.executemany(ADD_TO_FEW, texts)
                    found = [found[n - seen] for (n,) in db.execute(AMONG_FEW, [text, seen])]
                yield from found
                seen, met = seen + len(some), met + len(found)
                if seen >= most + met * ENOUGH:
                    return some[-1]
        return None

    def by_words(self) -> Iterator[Row]:
        """What has common words. Their index is in the order of `seq`, so they are read by blocks.

        What was read is next in time when no block that is left reaches as far.
        """
        way, edge, side = ("DESC", "last", "<=") if self.newest_first else ("ASC", "first", ">=")
        beyond = operator.gt if self.newest_first else operator.lt
        found = HAVING.format("all_words", f" AND rowid {side} :near") + f"{SPAN} AND {self.where}"
        sql = f"SELECT instant, seq FROM {found} ORDER BY found {way}"
        nothing = ("", -1 if self.newest_first else sys.maxsize)
        waiting: list[Any] = []
        rows, ahead, reached = iter(()), nothing, nothing[1]
        for block, time in self.db.execute(BLOCKS.format(edge, way, side), self.binds):
            ends = (block * BLOCK, block * BLOCK + BLOCK - 1)
            far, near = ends if self.newest_first else ends[::-1]
            while waiting and beyond(waiting[-1], (time, near)):
                yield from self.db.execute(ENTRY, waiting.pop()[1:])
            # Mostly one block follows another, and those that have none of the words are passed by.
            if beyond(ahead[1], near) or beyond(near, reached):
                rows = self.db.execute(sql, {**self.binds, "near": near})
                ahead = next(rows, nothing)
            reached = far
            while not beyond(far, ahead[1]):
                waiting.append(ahead)
                ahead = next(rows, nothing)
            waiting.sort(reverse=not self.newest_first)
        for row in reversed(waiting):
            yield from self.db.execute(ENTRY, row[1:])

    def rarest(self) -> tuple[str, list[Any], bool]:
        """Entries by the condition that the fewest fulfil, and whether these are few.

        Each is counted as far as the one before it. Of common ones it is the first that has an order.
        """
        lead, values, most = BY_TIME, [None], PROBED
        known = [
            (some, [*range(of, len(LEVELS))] if name == "min_level" else [of])
            for name, some in LEADS.items()
            if (of := self.binds[name]) is not None
        ]
        if len(known) == 1 and known[0][0] not in COUNTED:
            return *known[0], False
        bound = self.binds["moment"] or self.binds["until_moment"] != END_OF_TIME.moment
        if bound and any(some in COUNTED for some, _ in known):
            known.append((BY_TIME, [None]))  # the others may have many more at other times
        for some, its in known:
            number = self.probe(some, its, most)
            if number < most or (lead == BY_TIME and some not in COUNTED):
                lead, values, most = some, its, number
        return lead, values, most < PROBED

    def probe(self, lead: str, values: list[Any], most: int) -> int:
        """How many entries are found by a condition, as far as `most`."""
        sql = f"SELECT count(*) FROM (SELECT 1 FROM {COUNTED.get(lead, lead)} LIMIT :most)"
        number = 0
        for value in values:
            here = {**self.binds, "lead": value, "most": most - number}
            number += int(self.db.execute(sql, here).fetchone()[0])
        return number


def place_of(cursor: str | None) -> Place:
    found = CURSOR.fullmatch("before--0" if cursor is None else cursor)
    if found is None:
        raise invalid("cursor", "not a cursor from query")
    return Place(found[1], int(found[2]))


def row_of(path: str, entry: wire.LogEntry) -> tuple[Any, ...]:
    fields = None if entry.fields is None else msgspec.json.encode(entry.fields).decode()
    size = len(msgspec.json.encode(entry))
    if size > PAGE_BYTES:
        raise invalid(path, f"longer than {PAGE_BYTES} bytes")
    at = moment(entry.ts, f"{path}.ts")
    first = (entry.id, at, entry.ts, LEVELS.index(entry.level), entry.source, entry.source_name)
    return *first, entry.target, entry.message, fields, size


def entry_of(row: tuple[Any, ...]) -> wire.LogEntry:
    entry_id, ts, level, source, source_name, target, message, fields = row[3:]
    return wire.LogEntry(
        id=entry_id,
        ts=ts,
        level=LEVELS[level],
        source=source,
        source_name=source_name,
        target=target,
        message=message,
        fields=None if fields is None else msgspec.Raw(fields.encode()),
    )


def prepare(db: sqlite3.Connection) -> None:
    # FULL: what was answered is on disk, whatever happens to this process or the machine.
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA trusted_schema = ON")  # its triggers use a function of ours
    db.create_function("spaced", 1, spaced, deterministic=True)
    db.create_function(
        "regexp", 2, lambda p, text: glob(p).fullmatch(text) is not None, deterministic=True
    )


def take(found: Iterable[Row], limit: int) -> tuple[list[Row], bool]:
    """Rows, at most `limit` and no more than fit into a frame, and whether there are more."""
    rows, size = list[Row](), 0
    for row in found:
        size += row[2]
        if len(rows) == limit or (rows and size > PAGE_BYTES):
            return rows, True
        rows.append(row)
    return rows, False


class Store:
    """The entries of one database file."""

    def __init__(self, path: Path, keep_days: float | None) -> None:
        self.path = path
        self.keep_days = keep_days
        self.database = Database(path, LAYOUT, wait_s=BUSY_S, wal=True, prepare=prepare)

    @property
    def db(self) -> sqlite3.Connection:
        """Opened, and made if need be, when it is first used: a ping leaves nothing behind."""
        return self.database.own

    def store(self, entries: list[wire.LogEntry]) -> int:
        rows = [row_of(f"entries.{n}", entry) for n, entry in enumerate(entries)]
        with turn(self.db, BUSY_S):
            self.db.executemany(STORE, rows)
            if self.keep_days is not None:
                oldest = datetime.now(UTC) - timedelta(days=self.keep_days)
                self.db.execute(EVICT, [moment(oldest.isoformat(), ""), EVICT_AT_ONCE])
                self.db.execute(EVICT_BLOCKS)
        return len(rows)

    def query(self, query: Query) -> wire.LogQueryResult:
        limit = MAX_PAGE if query.limit is None else min(query.limit, MAX_PAGE)
        place = END_OF_TIME if query.cursor is None else place_of(query.cursor)
        found = Matches.of(query).rows(self.db, before=place, newest_first=True)
        rows, more = take(found, limit)
        return wire.LogQueryResult(
            entries=[entry_of(row) for row in reversed(rows)],
            next_cursor=f"before-{rows[-1][1]}-{rows[-1][0]}" if more and rows else None,
        )


# ---- the plugin ---------------------------------------------------------------------------------


def kept_days() -> float | None:
    text = os.environ.get("ANIMUS_LOGS_KEEP_DAYS")
    if not text:
        return None
    try:
        days = float(text)
    except ValueError:
        days = math.nan
    if not 0 < days <= LONGEST_DAYS:
        raise InvalidRequest(f"ANIMUS_LOGS_KEEP_DAYS is {text!r}, not a number of days")
    return days


def lifespan(ctx: Context) -> Iterator[Store]:
    given = os.environ.get("ANIMUS_LOGS_DB") or f"{ctx.project_root}/.animus/logs.sqlite3"
    store = Store(Path(given), kept_days())
    yield store
    store.database.close()


def the_store(ctx: Context[Store]) -> Store:
    return ctx.state


Logs = Annotated[Store, Depends(the_store)]

app = App(
    kind="log_storage_backend",
    name="animus-log-storage-sqlite",
    version="0.1.0",
    description="Log entries in a SQLite file under the project root",
    lifespan=lifespan,
    env_required=[
        {
            "name": "ANIMUS_LOGS_DB",
            "description": "The database file; .animus/logs.sqlite3 under the project if unset",
        },
        {
            "name": "ANIMUS_LOGS_KEEP_DAYS",
            "description": "How many days an entry is kept, by its own time; forever if unset",
        },
    ],
)


@app.method("log_storage/store")
def store_entries(entries: list[wire.LogEntry], store: Logs) -> int:
    """Keep the whole batch or nothing of it; the first entry with an id is the one that stays."""
    return store.store(entries)


@app.method("log_storage/query")
def query_entries(query: Query, store: Logs) -> wire.LogQueryResult:
    return store.query(query)


class Feed(NamedTuple):
    """What a tail reads by, with a connection of its own.

    It is made before the tail is acknowledged: a query that makes no sense is refused, and what is
    stored after the acknowledgement is followed.
    """

    db: sqlite3.Connection
    matches: Matches
    place: Place
    end: int


def open_feed(ctx: Context[Store]) -> Iterator[Feed]:
    query = msgspec.convert(ctx.params, Query)
    matches, place = Matches.of(query), place_of(query.cursor)
    with closing(ctx.state.database.connection()) as db:
        (end,) = db.execute(END).fetchone()
        yield Feed(db, matches, place, end)


@app.method("log_storage/tail")
def tail(
    ctx: Context, feed: Annotated[Feed, Depends(open_feed)], query: Query
) -> Iterator[wire.LogEntry]:
    """Replay what matches, oldest first, then follow what anybody stores as it arrives.

    A `limit` replays that many of the newest entries and does not bound what is followed.
    """
    place = feed.place
    if query.limit is not None:
        newest = feed.matches.rows(feed.db, place, feed.end, newest_first=True)
        limit = min(query.limit, sys.maxsize - 1)
        before = next(islice(newest, limit, limit + 1), None)
        place = Place(before[1], before[0]) if before else place
    more = True
    while more and not ctx.cancelled:
        rows, more = take(feed.matches.rows(feed.db, place, feed.end), MAX_PAGE)
        yield from map(entry_of, rows)
        place = Place(rows[-1][1], rows[-1][0]) if rows else place
    if query.follow:
        yield from follow(ctx, feed)


def follow(ctx: Context, feed: Feed) -> Iterator[wire.LogEntry]:
    after, seen, more = feed.end, None, False
    while not ctx.cancelled:
        (version,) = feed.db.execute("PRAGMA data_version").fetchone()
        if more or version != seen:
            (end,) = feed.db.execute(END).fetchone()
            span = {**feed.matches.binds, "seq": after, "end": end}
            rows, more = take(feed.db.execute(NEWS.format(feed.matches.whole), span), MAX_PAGE)
            yield from map(entry_of, rows)
            after = rows[-1][0] if more else max(after, end)
        seen = version
        if not more:
            ctx.wait(POLL_S)


@app.method("log_storage/schema")
def schema(store: Logs) -> wire.LogStorageSchema:
    """What this backend can do; the framework keeps the first two in line with its methods."""
    days = store.keep_days
    return wire.LogStorageSchema(
        supports_query=True,
        supports_tail=True,
        supports_dedup=True,
        supports_filtering=wire.SupportsFiltering(
            by_glob=True, by_level=True, by_source=True, by_target=True, by_time_range=True
        ),
        retention_hint=None if days is None else int(days * 86_400_000),
    )


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
def refuse(ctx: Context[Store], problem: sqlite3.Error | OSError) -> Unavailable | QuotaExceeded:
    full = getattr(problem, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return (QuotaExceeded if full else Unavailable)(f"{ctx.state.path}: {problem}")


if __name__ == "__main__":
    app.run()
