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
That is kept in the project's `.animus/trigger-files.json`, or where WATCHED_FILES_STATE says. A change
that the host did not acknowledge is sent again after a restart, with the same event id, and so is
one that happened in between. A folder that disappears ends the process; the host starts it again.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path, PurePath
from stat import S_ISREG
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct, field
from watchfiles import Change, awatch

from animus_routes import App, Context, InvalidRequest, Unavailable
from animus_routes.structs.plugin import TriggerEvent, TriggerWatchParams
from animus_routes.structs.trigger import TriggerSchema
from animus_routes.timestamps import parse

IGNORED: Final = (".git", ".hg", ".animus", ".venv", "node_modules", "__pycache__")
LOOK_MS: Final = 1000  # how often the folders are looked for while nothing changes
GROUPING: Final = 20  # files that never rest are reported after this many debounce times

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


class Kept:
    """What the host knows of each trigger's files. Only the event loop uses it, without locks."""

    def __init__(self, file: Path) -> None:
        self.file = file
        text = file.read_bytes() if file.exists() else b"{}"
        self.known = msgspec.json.decode(text, type=dict[str, Known])
        self.sent: dict[str, tuple[str, str, str | None]] = {}

    def take(self, event_id: str) -> bool:
        """Note that the host accepted an event; False if it was not sent, or accepted before."""
        if event_id not in self.sent:
            return False
        trigger, path, state = self.sent.pop(event_id)
        if state is None:
            self.known[trigger].files.pop(path, None)
        else:
            self.known[trigger].files[path] = state
        self.save()
        return True

    def save(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        beside = self.file.with_suffix(".new")
        beside.write_bytes(msgspec.json.encode(self.known))
        beside.replace(self.file)


def kept(ctx: Context) -> Iterator[Kept]:
    default = Path(ctx.project_root, ".animus", "trigger-files.json")
    yield Kept(Path(os.environ.get("WATCHED_FILES_STATE") or default))


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

    def files(self) -> Files:
        """The files as they are now.

        Raises:
            Unavailable: A place to watch is not there.
        """
        found: Files = {}
        for place in self.places():
            inside = self._below(place) if place.is_dir() else [place]
            for file in inside:
                shown = os.path.relpath(file, self.root)
                state = print_of(file)
                if state is not None and self._wanted(PurePath(shown)):
                    found[key_of(PurePath(shown).as_posix())] = state
        return found

    def _below(self, place: Path) -> Iterator[Path]:
        for folder, folders, names in os.walk(place):
            folders[:] = sorted(set(folders) - self.ignored)
            yield from (Path(folder, name) for name in sorted(names))

    def _wanted(self, path: PurePath) -> bool:
        ignored = path.name in self.ignored
        return not ignored and any(path.match(pattern) for pattern in self.config.patterns)

    def changes(self) -> Iterator[tuple[str, str, str | None]]:
        """How the files differ from those last seen: path, change, new state."""
        before, self.seen = self.seen, self.files()
        for path in sorted(before.keys() | self.seen.keys()):
            old, new = before.get(path), self.seen.get(path)
            if old != new:
                yield (
                    path,
                    "deleted" if new is None else "created" if old is None else "modified",
                    new,
                )

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


def print_of(file: Path) -> str | None:
    """What distinguishes two states of a file; None if it is not a file."""
    try:
        found = file.stat()
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
    known = state.known.get(watcher.trigger)
    if known is None or known.config != watcher.config:
        known = state.known[watcher.trigger] = Known(watcher.config, watcher.files())
        state.save()
    watcher.seen = dict(known.files)
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
    return events(found, ctx.state)


async def events(found: list[Watcher], state: Kept) -> AsyncIterator[TriggerEvent]:
    for event in news(found, state):
        yield event
    quiet = max((watcher.config.debounce_ms for watcher in found), default=LOOK_MS)
    places = {place for watcher in found for place in watcher.places()}
    if not places:
        await asyncio.Event().wait()  # for the end
    first = True  # what happened while the watch was being set up
    try:
        async for changed in looks(places, quiet, Interesting(found)):
            for watcher in found:
                watcher.places()
            if changed or first:
                for event in news(found, state):
                    yield event
            first = False
    except FileNotFoundError as error:
        # It went while the watch was being set up.
        raise Unavailable(f"a folder to watch is not there: {error}") from error


async def looks(places: set[Path], quiet: int, interesting: "Interesting") -> AsyncIterator[bool]:
    """Did something change? Told at once, and regularly while nothing does."""
    while True:
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
                yield bool(changed)
        except (ExceptionGroup, RuntimeError) as problem:
            if not is_odd_name(problem):
                raise
            await asyncio.sleep(quiet / 1000)
            yield True


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


def news(found: list[Watcher], state: Kept) -> Iterator[TriggerEvent]:
    """Everything that changed since the last time, each remembered until the host accepts it."""
    for watcher in found:
        before = dict(watcher.seen)
        for path, change, new in watcher.changes():
            event = watcher.event(path, change, new, before.get(path, ""))
            state.sent[event.event_id] = (watcher.trigger, path, new)
            yield event


@app.method("trigger/ack")
async def acknowledge(event_id: str, status: str | None = None, *, ctx: Context[Kept]) -> bool:
    """A host that is shutting down has not accepted the event, so it is sent again."""
    return status != "shutdown" and ctx.state.take(event_id)


@app.method("trigger/schema")
def schema() -> TriggerSchema:
    return TriggerSchema(kinds=["file_changed"], supports_resume=True, supports_dedup=True)


@app.health
def health(ctx: Context[Kept | None]) -> str | None:
    """Can what the host accepts be remembered? The file is made when there is something."""
    return None if ctx.state is None else unwritable(ctx.state.file)


def unwritable(path: Path) -> str | None:
    """Why nothing could be kept there, which nobody has asked for yet."""
    above = next(found for found in path.absolute().parents if found.exists())
    writable = above.is_dir() and os.access(above, os.W_OK | os.X_OK)
    return None if writable else f"{path} cannot be made: {above} is no folder to write into"


if __name__ == "__main__":
    app.run()
