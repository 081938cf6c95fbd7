"""Start workflows when files change: created, modified, deleted, also while nothing was running.

    triggers:
      - id: docs
        type: plugin
        config: {paths: [docs], patterns: ["*.md"]}

A trigger's `config` has `paths` (from the project's root, which is the default), `patterns` (globs,
matched from the right: `*.md`, `docs/*.md`), `ignore` (names of files and folders) and
`debounce_ms` (how long the files must be quiet; the longest of all triggers counts). If a host does
not tell the plugin its triggers, they come from the variable WATCHED_FILES:
`{"docs": {"paths": ["docs"]}}`.

watchfiles reports that something changed; a comparison with what the host already knows tells what.
That is kept in the project's `.animus/trigger-files.sqlite3`, or where WATCHED_FILES_STATE says; a
`.json` of that name, which 0.1.0 wrote, is read once. A change that the host did not acknowledge is
sent again after a restart, with the same event id, and so is one that happened in between. A folder
that disappears ends the process; the host starts it again.
"""

import asyncio
import fnmatch
import json
import os
import re
from collections.abc import AsyncIterator, Container, Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path, PurePath
from stat import S_ISREG
from typing import Annotated, Any, Final

from animus_routes import App, Context, InvalidRequest, Unavailable
from animus_routes.batteries.outbox import Outbox
from animus_routes.batteries.sql import Database, Layout, Transaction
from animus_routes.structs.plugin import TriggerEvent, TriggerWatchParams
from animus_routes.structs.trigger import TriggerSchema
from animus_routes.timestamps import parse

import msgspec
from msgspec import Meta, Struct, field
from watchfiles import Change, awatch

IGNORED: Final = (".git", ".hg", ".animus", ".venv", "node_modules", "__pycache__")
AGAIN_S: Final = 1.0  # how soon a file that could not be written is tried again; later ever rarer
LONGEST_PAUSE_S: Final = 30.0
LOOK_MS: Final = 1000  # how often the folders are looked for while nothing changes
MANY: Final = 1000  # paths that are looked at one by one
GROUPING: Final = 20  # files that never rest are reported after this many debounce times

Changed = tuple[str, str, str | None, str]  # path, change, new state, old one
Files = dict[str, str]  # path from the project's root, as `key_of` writes it -> print of its state


class Watched(Struct, forbid_unknown_fields=True):
    """One trigger's `config`."""

    paths: Annotated[list[str], Meta(min_length=1)] = field(default_factory=lambda: ["."])
    patterns: Annotated[list[str], Meta(min_length=1)] = field(default_factory=lambda: ["*"])
    ignore: list[str] = field(default_factory=lambda: [*IGNORED])
    debounce_ms: Annotated[int, Meta(ge=50, le=60_000)] = 200


class Known(Struct):
    """A trigger's files as the host knows them, and its configuration at that time."""

    config: Watched
    files: Files


TABLES: Final = """
CREATE TABLE watched_triggers (trigger_id TEXT PRIMARY KEY, config TEXT NOT NULL);
CREATE TABLE watched_files (trigger_id TEXT NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (trigger_id, path))
"""
KNOW: Final = """INSERT INTO watched_files VALUES (?, ?, ?)
    ON CONFLICT (trigger_id, path) DO UPDATE SET state = excluded.state"""
FORGET: Final = "DELETE FROM watched_files WHERE trigger_id = ? AND path = ?"


def replace(db: Transaction, trigger: str, known: Known) -> None:
    config = msgspec.json.encode(known.config).decode()
    db.run("DELETE FROM watched_triggers WHERE trigger_id = ?", trigger)
    db.run("DELETE FROM watched_files WHERE trigger_id = ?", trigger)
    db.run("INSERT INTO watched_triggers VALUES (?, ?)", trigger, config)
    db.run_each(KNOW, ((trigger, path, state) for path, state in known.files.items()))


class Kept:
    """What the host was told of each trigger's files, and what of that it has not accepted."""

    def __init__(self, file: Path) -> None:
        self.file = file.with_suffix(".sqlite3") if file.suffix == ".json" else file
        layout = Layout("trigger_files", 1, "watched_files", self._build)
        self.database = Database(self.file, layout, wal=True)
        self.outbox = Outbox(self.file)

    def _build(self, db: Transaction, _found: int) -> None:
        before = self.file.with_suffix(".json")
        for statement in TABLES.split(";"):
            db.run(statement)
        text = before.read_bytes() if before.exists() else b"{}"
        for trigger, known in msgspec.json.decode(text, type=dict[str, Known]).items():
            replace(db, trigger, known)

    def known(self, trigger: str, config: Watched) -> Files | None:
        """The files that the host knows, if the trigger watched the same then."""
        find = "SELECT config FROM watched_triggers WHERE trigger_id = ?"
        files = "SELECT path, state FROM watched_files WHERE trigger_id = ?"
        with self.database.read() as db:
            text = db.value(find, trigger)
            if text is None or msgspec.json.decode(text, type=Watched) != config:
                return None
            return dict(db.rows(files, trigger))

    def begin(self, trigger: str, config: Watched, files: Files) -> None:
        """Note what there is when a trigger starts afresh."""
        with self.database.write() as db:
            replace(db, trigger, Known(config, files))
        for event in self.waiting({trigger}):
            self.outbox.acknowledge(event.event_id)

    def add(self, trigger: str, changes: list[Changed], events: list[TriggerEvent]) -> None:
        """Keep events until they are accepted, and what they say of the files."""

        def know(db: Transaction) -> None:
            for path, _, state, _ in changes:
                db.run(FORGET, trigger, path) if state is None else db.run(
                    KNOW, trigger, path, state
                )

        self.outbox.add_all(((event.event_id, event) for event in events), also=know)

    def waiting(self, triggers: Container[str]) -> Iterator[TriggerEvent]:
        for _, event in self.outbox.waiting():
            if event["trigger_id"] in triggers:
                yield TriggerEvent(**event)


def kept(ctx: Context) -> Iterator[Kept]:
    default = Path(ctx.project_root, ".animus", "trigger-files.sqlite3")
    state = Kept(Path(os.environ.get("WATCHED_FILES_STATE") or default))
    yield state
    state.outbox.close()
    state.database.close()


app = App(
    kind="trigger_backend",
    name="animus-trigger-files",
    version="0.1.0",
    description="Starts workflows when files are created, modified or deleted",
    env_required=[
        {"name": "WATCHED_FILES", "description": "JSON: each trigger's id with its config"},
        {
            "name": "WATCHED_FILES_STATE",
            "description": "The file that remembers what the host has accepted",
        },
    ],
    lifespan=kept,
)


class Watcher:
    """One trigger's files below the project's root."""

    def __init__(self, trigger: str, config: Watched, root: Path) -> None:
        self.trigger = trigger
        self.config = config
        self.seen: Files = {}
        self.root = root
        self.ignored = frozenset(config.ignore)
        self._start = f"{root}{os.sep}"
        # A pattern of one part speaks of the name alone, which is quickly compared.
        names = [p for p in config.patterns if "/" not in p]
        self._names = [re.compile(fnmatch.translate(pattern)).match for pattern in names]
        self._longer = [pattern for pattern in config.patterns if pattern not in names]

    def places(self) -> list[Path]:
        """The folders and files to watch.

        Raises:
            Unavailable: One of them is not there.
        """
        found = [self.root / path for path in self.config.paths]
        for place in found:
            if not place.exists():
                raise Unavailable(f"trigger '{self.trigger}': '{place}' is not there")
        return found

    def files(self, places: Iterable[Path]) -> Files:
        """The files in these places as they are now."""
        found: Files = {}
        for place in places:
            inside = self._below(place) if place.is_dir() else [str(place)]
            for file in inside:
                if self._named(file) and (state := print_of(file)) is not None:
                    found[self._key(file)] = state
        return found

    def _key(self, path: str) -> str:
        """A path from the project's root, as text that can be kept."""
        below = path.startswith(self._start) and os.pardir not in path
        return key_of(path[len(self._start) :] if below else os.path.relpath(path, self.root))

    def _below(self, place: Path) -> Iterator[str]:
        for folder, folders, names in os.walk(place):
            folders[:] = sorted(set(folders) - self.ignored)
            yield from (f"{folder}{os.sep}{name}" for name in sorted(names))

    def _named(self, path: str) -> bool:
        """Whether one of the patterns matches, and the name is not to be ignored."""
        name = path.rpartition(os.sep)[2]
        if name in self.ignored:
            return False
        return any(match(name) for match in self._names) or (
            bool(self._longer) and any(map(PurePath(self._key(path)).match, self._longer))
        )

    def _watches(self, path: Path) -> bool:
        """Whether a path is in one of the places, and in no folder that is ignored there."""
        for place in self.places():
            if path == place:
                return True
            if place in path.parents:
                return self.ignored.isdisjoint(path.relative_to(place).parts[:-1])
        return False

    def changes(self, named: set[Path] | None) -> Iterator[Changed]:
        """How the files differ from those last seen: path, change, new state, old one.

        Args:
            named: What to look at, with everything below it; None for all there is.
        """
        if named is None:
            before, now = self.seen, self.files(self.places())
        else:
            looked = [path for path in named if self._watches(path)]
            now = self.files(looked)
            before = self._seen_at(looked)
        for path in sorted(before.keys() | now.keys()):
            old, new = before.get(path), now.get(path)
            if old != new:
                change = "deleted" if new is None else "created" if old is None else "modified"
                yield path, change, new, old or ""
        self.seen = now if named is None else self._updated(before, now)

    def _seen_at(self, paths: list[Path]) -> Files:
        """What was seen at these paths or below them."""
        found: Files = {}
        for path in paths:
            key = self._key(str(path))
            if key in self.seen:
                found[key] = self.seen[key]
            elif not path.is_file():  # a folder, there or gone
                below = "" if key == "." else f"{key}/"
                found |= {p: state for p, state in self.seen.items() if p.startswith(below)}
        return found

    def _updated(self, before: Files, now: Files) -> Files:
        for path in before.keys() - now.keys():
            del self.seen[path]
        self.seen.update(now)
        return self.seen

    def event(self, path: str, change: str, state: str | None, before: str) -> TriggerEvent:
        """An event whose id depends only on what happened to which file."""
        named = "\0".join((self.trigger, path, state or f"deleted {before}"))
        root = readable(key_of(str(self.root)))
        payload = {"kind": "file_changed", "path": readable(path), "change": change, "root": root}
        return TriggerEvent(
            event_id=f"{self.trigger}:{sha256(named.encode()).hexdigest()[:24]}",
            trigger_id=self.trigger,
            payload=payload,
        )


def key_of(path: str) -> str:
    """A path as text that can be kept; one that is not UTF-8 stays different from all others."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return "\0" + os.fsencode(path).decode("latin-1")
    return path


def readable(key: str) -> str:
    return key[1:].encode("latin-1").decode("utf-8", "replace") if key[:1] == "\0" else key


def print_of(file: str) -> str | None:
    """What distinguishes two states of a file; None if it is not a file."""
    try:
        found = os.stat(file)  # noqa: PTH116 - of very many files
    except OSError:
        return None  # deleted meanwhile, or a link to nothing
    if not S_ISREG(found.st_mode):
        return None
    return f"{found.st_mtime_ns}-{found.st_ctime_ns}-{found.st_size}-{found.st_ino}"


def watchers(params: TriggerWatchParams, project_root: str) -> list[Watcher]:
    """Each trigger as the host describes it, or else the environment.

    Raises:
        InvalidRequest: One of them cannot be understood.
    """
    given: Any = {trigger.id: trigger.config or {} for trigger in params.triggers} or params.config
    try:
        given = given or json.loads(os.environ.get("WATCHED_FILES") or "{}")
        found = msgspec.convert(given, dict[str, Watched])
    except (ValueError, msgspec.ValidationError) as problem:
        raise InvalidRequest(f"config: {problem}") from None
    root = Path(project_root).resolve()
    return [Watcher(trigger, config, root) for trigger, config in found.items()]


def start(watcher: Watcher, state: Kept, cursor: datetime | None) -> None:
    """Compare with what the host knows; a trigger that is new or watches other files starts afresh.

    Args:
        watcher: Where to look.
        state: What the host knows.
        cursor: Files changed after this are news, whatever is known of them.
    """
    known = state.known(watcher.trigger, watcher.config)
    if known is None:
        known = watcher.files(watcher.places())
        state.begin(watcher.trigger, watcher.config, known)
    watcher.seen = known
    if cursor is not None:
        since = cursor.timestamp() * 1e9
        for path, was in tuple(watcher.seen.items()):
            if int(was.partition("-")[0]) > since:
                watcher.seen[path] = ""


@app.method("trigger/watch")
async def watch(params: TriggerWatchParams, ctx: Context[Kept]) -> AsyncIterator[TriggerEvent]:
    """Refuses the watch if its config is not understood, so this is not itself a generator."""
    found = watchers(params, ctx.project_root)
    try:
        cursor = None if params.cursor is None else parse(params.cursor).astimezone(UTC)
    except (TypeError, ValueError, AttributeError):
        raise InvalidRequest("cursor: a time such as 2026-01-31T09:30:00Z") from None
    if not found:
        ctx.log("warn", "there are no triggers to watch")
    for watcher in found:
        start(watcher, ctx.state, cursor)
    return events(found, ctx)


async def events(found: list[Watcher], ctx: Context[Kept]) -> AsyncIterator[TriggerEvent]:
    for event in ctx.state.waiting({watcher.trigger for watcher in found}):
        yield event
    async for event in news(found, ctx, None):
        yield event
    quiet = max((watcher.config.debounce_ms for watcher in found), default=LOOK_MS)
    places = {place for watcher in found for place in watcher.places()}
    if not places:
        await asyncio.Event().wait()  # for the end
    folders: set[Path] = set()
    try:
        async for changed in looks(places, quiet, Interesting(found)):
            for watcher in found:
                watcher.places()
            # Files may come into a new folder before it is watched: it is looked at once more.
            named = None if changed is None else changed | folders
            if named is None or named:
                async for event in news(found, ctx, named):
                    yield event
            folders = {path for path in changed or () if path.is_dir()}
    except FileNotFoundError as error:
        # It went while the watch was being set up.
        raise Unavailable(f"a folder to watch is not there: {error}") from error


async def looks(
    places: set[Path], quiet: int, interesting: "Interesting"
) -> AsyncIterator[set[Path] | None]:
    """What changed, None for anything; told at once, and regularly while nothing does."""
    while True:
        is_begun = False  # before that, nobody has seen what happened
        changes = awatch(
            *places,
            watch_filter=interesting,
            debounce=quiet * GROUPING,
            step=quiet,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
        )
        try:
            async for changed in changes:
                paths = {Path(path) for _, path in changed}
                # Of so many, the system may have left some out.
                yield paths if is_begun and len(paths) <= MANY else None
                is_begun = True
        except (ExceptionGroup, RuntimeError) as problem:
            if not is_odd_name(problem):
                raise
            await asyncio.sleep(quiet / 1000)
            yield None


def is_odd_name(problem: BaseException) -> bool:
    """watchfiles gives up at a name that is not UTF-8; comparing tells what it was."""
    if isinstance(problem, BaseExceptionGroup):
        return all(map(is_odd_name, problem.exceptions))
    return isinstance(problem, RuntimeError) and "Unable to decode path" in str(problem)


class Interesting:
    """Makes watchfiles skip the folders that every trigger ignores."""

    def __init__(self, found: list[Watcher]) -> None:
        self._root = found[0].root
        self._ignored = frozenset.intersection(*(watcher.ignored for watcher in found))

    def __call__(self, _change: Change, path: str) -> bool:
        return self._ignored.isdisjoint(PurePath(os.path.relpath(path, self._root)).parts)


async def news(
    found: list[Watcher], ctx: Context[Kept], named: set[Path] | None
) -> AsyncIterator[TriggerEvent]:
    """Everything that changed since the last time, each remembered until the host accepts it."""
    for watcher in found:
        if changes := [*watcher.changes(named)]:
            events = [watcher.event(*change) for change in changes]
            await keep(watcher.trigger, changes, events, ctx)
            for event in events:
                yield event


async def keep(
    trigger: str, changes: list[Changed], events: list[TriggerEvent], ctx: Context[Kept]
) -> None:
    """Keep events as soon as the file can be written: a watch that broke would end the process."""
    pause_s = AGAIN_S
    while True:
        try:
            ctx.state.add(trigger, changes, events)
        except Unavailable as problem:
            ctx.log("warn", f"{len(events)} events wait until they can be kept: {problem.message}")
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        else:
            return


@app.method("trigger/ack")
async def acknowledge(event_id: str, status: str | None = None, *, ctx: Context[Kept]) -> bool:
    """A host that is shutting down has not accepted the event, so it is sent again."""
    return status != "shutdown" and ctx.state.outbox.acknowledge(event_id)


@app.method("trigger/schema")
def schema() -> TriggerSchema:
    return TriggerSchema(kinds=["file_changed"], supports_resume=True, supports_dedup=True)


@app.health
def health(ctx: Context[Kept | None]) -> str | None:
    """Can what the host accepts be remembered? The file is made when there is something."""
    return None if ctx.state is None else ctx.state.database.check()


@app.exception_handler(msgspec.DecodeError)
def damaged(_ctx: Context, problem: msgspec.DecodeError) -> Unavailable:
    return Unavailable(f"what is stored is damaged: {problem}")


if __name__ == "__main__":
    app.run()
