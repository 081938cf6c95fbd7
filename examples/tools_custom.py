"""Tools for agents over the files of a project: search, read, compare, count, look up, export.

Every path is taken from the project's root and may not leave it. A host that bridges MCP shows the
tools to agents itself; `animus.plugin.call` reaches all of them, including the stream.

Python's `re` may take for ever, and nothing in its process can stop it. So a search runs in a process
of its own, which is killed if it is cancelled, takes too long, or the plugin ends.
"""

import difflib
import fcntl
import json
import marshal
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, Final

from animus_routes import App, Context, InvalidRequest, NotFound, Timeout, Unavailable

from msgspec import Meta, Struct
from pydantic import BaseModel, Field

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
# A search is sent on in batches. It may take so long at first, and for each batch so much longer.
BATCH_FILES: Final = 64
BATCH_BYTES: Final = 1024 * 1024
SEARCH_S: Final = 5.0
BATCH_S: Final = 0.25
SKIPPED: Final = frozenset({".git", ".hg", ".venv", "node_modules", "__pycache__", ".animus"})


class Hit(Struct):
    """One line that matched; lines and columns start at 1."""

    path: str
    line: int
    column: int
    text: str


class Hits(Struct):
    """What a search found."""

    hits: list[Hit]
    files_searched: int
    truncated: bool


class Counts(BaseModel):
    """The size of a text."""

    lines: int = Field(ge=0)
    words: int = Field(ge=0)
    characters: int = Field(ge=0)
    longest_line: int = Field(ge=0, description="In characters")


class Comparison(BaseModel):
    """A unified diff and how large it is."""

    same: bool
    added: int
    removed: int
    diff: str


def inside(root: str, path: str) -> Path:
    """The file that a caller means.

    Raises:
        InvalidRequest: It would be outside the project.
        NotFound: There is no such file.
    """
    top = Path(root).resolve()
    file = (top / path).resolve()
    if not file.is_relative_to(top):
        raise InvalidRequest(f"path: '{path}' leaves the project")
    if not file.is_file():
        raise NotFound(f"file '{path}'")
    return file


def readable(path: str) -> str:
    """A path that may not be UTF-8, as text that any host can read."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def text_of(file: Path) -> str:
    if file.stat().st_size > MAX_FILE_BYTES:
        raise InvalidRequest(f"path: '{file.name}' is larger than {MAX_FILE_BYTES} bytes")
    return file.read_text("utf-8", errors="replace")


def files_below(root: str, pattern: str) -> Iterator[tuple[str, Path]]:
    """Every matching file that is not too large, in a stable order, as (path from the root, file)."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - SKIPPED)
        for name in sorted(names):
            file = Path(folder, name)
            shown = file.relative_to(root).as_posix()
            wanted = Path(shown).match(pattern) and file.is_file() and not file.is_symlink()
            if wanted and file.stat().st_size <= MAX_FILE_BYTES:
                yield shown, file


def index(key: str) -> int:
    """A list index as RFC 6901 defines it: no sign, no leading zero.

    Raises:
        KeyError: It is not an index.
    """
    if not re.fullmatch(r"0|[1-9][0-9]{0,9}", key):
        raise KeyError(key)
    return int(key)


# ---- matching -----------------------------------------------------------------------------------


def hits_in(
    files: list[tuple[str, str]], pattern: re.Pattern[str], room: int
) -> tuple[None, int, list[tuple[str, int, int, str]]]:
    """No problem, how many files were searched, and the hits: one more than there is room for."""
    hits: list[tuple[str, int, int, str]] = []
    searched = 0
    for shown, file in files:
        try:
            with open(file, encoding="utf-8", errors="replace") as opened:  # noqa: PTH123
                lines = opened.read().splitlines()
        except OSError:  # it has gone meanwhile, or may not be read
            continue
        searched += 1
        for number, line in enumerate(lines, 1):
            if found := pattern.search(line):
                hits.append((shown, number, found.start() + 1, line.strip()[:400]))
                if len(hits) > room:
                    return None, searched, hits
    return None, searched, hits


def match() -> None:
    """Answer batch after batch, in a process of its own.

    Whoever is stuck in `re` hears nothing, so it is the system that ends it: by SIGIO when nobody is
    left at the other end of stdin, by SIGALRM where pipes give no such signal.
    """
    sink = os.fdopen(1, "wb")
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for fatal in (signal.SIGIO, signal.SIGALRM):
        signal.signal(fatal, signal.SIG_DFL)
    fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
    quiet = fcntl.fcntl(0, fcntl.F_GETFL)
    while True:
        try:
            pattern, flags, room, seconds, files = marshal.load(sys.stdin.buffer)  # noqa: S302
        except EOFError:
            return
        fcntl.fcntl(0, fcntl.F_SETFL, quiet | os.O_ASYNC)
        if select.select([0], [], [], 0)[0]:
            return
        signal.alarm(seconds)
        answer: Any
        try:
            answer = hits_in(files, re.compile(pattern, flags), room)
        except (re.error, RecursionError, OverflowError) as problem:
            answer = str(problem), 0, []
        signal.alarm(0)
        fcntl.fcntl(0, fcntl.F_SETFL, quiet)
        marshal.dump(answer, sink)
        sink.flush()


# This file imports far more than matching needs: the process starts with these two functions alone.
MATCHING: Final = (
    "import fcntl, marshal, os, re, select, signal, sys, types\n"
    "for code in marshal.load(sys.stdin.buffer):\n"
    "    globals()[code.co_name] = types.FunctionType(code, globals())\n"
    "match()"
)


class Matcher:
    """A process that matches, which can be killed at any time."""

    def __init__(self) -> None:
        command = [sys.executable, "-I", "-S", "-W", "ignore", "-c", MATCHING]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        self.send((hits_in.__code__, match.__code__))

    def send(self, value: Any) -> None:
        assert self.process.stdin is not None
        marshal.dump(value, self.process.stdin)
        self.process.stdin.flush()

    def answer(self, until: float) -> Any:
        """What comes back.

        Raises:
            Timeout: It takes too long.
            EOFError: The process has ended.
        """
        assert self.process.stdout is not None
        if not select.select([self.process.stdout], [], [], max(until - monotonic(), 0))[0]:
            raise Timeout("the search was given up: the pattern takes too long on some line")
        return marshal.load(self.process.stdout)  # noqa: S302 - ours

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


class Matchers:
    """The processes that have nothing to do, to save starting one for each search."""

    def __init__(self) -> None:
        self.idle: list[Matcher] = []

    @contextmanager
    def one(self, ctx: Context[Any]) -> Iterator[Matcher]:
        matcher = self._take()
        spare_it = ctx.on_cancel(matcher.process.kill)
        try:
            yield matcher
        except BaseException:
            matcher.kill()
            raise
        finally:
            spare_it()
        self.idle.append(matcher)

    def _take(self) -> Matcher:
        with suppress(IndexError):
            while True:
                matcher = self.idle.pop()
                if matcher.process.poll() is None:
                    return matcher
                matcher.kill()
        return Matcher()


def lifespan() -> Iterator[Matchers]:
    matchers = Matchers()
    yield matchers
    for matcher in matchers.idle:
        matcher.kill()


app = App(
    kind="custom",
    name="animus-custom-project-tools",
    version="0.1.0",
    description="Search, compare, count and export the files of a project",
    lifespan=lifespan,
    concurrency=4,  # so that other tools answer while a search takes its time
)


def batches(root: str, pattern: str) -> Iterator[list[tuple[str, str]]]:
    """The files to search, at least one batch so that a bad pattern is always found out."""
    batch: list[tuple[str, str]] = []
    size = 0
    for shown, file in files_below(root, pattern):
        batch.append((shown, str(file)))
        size += file.stat().st_size
        if len(batch) == BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    yield batch


# ---- the tools ----------------------------------------------------------------------------------


@app.tool()
def search(
    ctx: Context[Matchers],
    pattern: Annotated[str, Meta(min_length=1, max_length=1000)],
    *,
    files: str = "*",
    ignore_case: bool = False,
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100,
) -> Hits:
    """Search the project's files for a regular expression.

    Args:
        pattern: A regular expression in Python's syntax, applied to each line.
        files: Which files to search, as a glob such as *.py or docs/*.md.
        ignore_case: Treat upper and lower case as the same.
        limit: The most hits to return.
    """
    flags = int(re.IGNORECASE) if ignore_case else 0
    found: list[tuple[str, int, int, str]] = []
    searched, problem = 0, None
    until = monotonic() + SEARCH_S
    try:
        with ctx.state.one(ctx) as matcher:
            for batch in batches(ctx.project_root, files):
                until += BATCH_S
                seconds = ceil(max(until - monotonic(), 0)) + 1
                matcher.send((pattern, flags, limit - len(found), seconds, batch))
                problem, count, more = matcher.answer(until)
                searched += count
                found += more
                if problem or len(found) > limit:
                    break
    except (EOFError, BrokenPipeError):
        raise Unavailable("the process that searches has ended") from None
    if problem:
        raise InvalidRequest(f"pattern: {problem}")
    hits = [Hit(readable(path), line, column, text) for path, line, column, text in found[:limit]]
    return Hits(hits, searched, truncated=len(found) > limit)


@app.tool()
def compare(
    before: str,
    after: str,
    name: str = "text",
    context_lines: Annotated[int, Field(ge=0, le=100)] = 3,
) -> Comparison:
    """Compare two texts line by line.

    Parameters
    ----------
    before : str
        The old text.
    after : str
        The new text.
    name : str
        What the diff calls it.
    context_lines : int
        Unchanged lines around each change.

    Returns
    -------
    Comparison
        A unified diff; empty if the texts are the same.
    """
    old, new = before.splitlines(), after.splitlines()
    names = (f"a/{name}", f"b/{name}")
    lines = list(difflib.unified_diff(old, new, *names, n=context_lines, lineterm=""))
    changes = lines[2:]
    return Comparison(
        same=before == after,
        added=sum(line.startswith("+") for line in changes),
        removed=sum(line.startswith("-") for line in changes),
        diff="\n".join(lines),
    )


@app.tool()
def look_up(ctx: Context, path: str, pointer: Annotated[str, Meta(pattern="^(/.*)?$")] = "") -> Any:
    """Look a value up in a JSON file of the project by its JSON Pointer (RFC 6901).

    :param path: The JSON file, from the project's root.
    :param pointer: Such as /scripts/test or /items/0; empty for the whole document.
    :returns: The value, as JSON.
    """
    try:
        value = json.loads(text_of(inside(ctx.project_root, path)))
    except ValueError as problem:
        raise InvalidRequest(f"path: '{path}' is not JSON: {problem}") from None
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        try:
            value = value[index(key)] if isinstance(value, list) else value[key]
        except (KeyError, IndexError, TypeError):
            raise NotFound(f"'{key}' of {pointer} in '{path}'") from None
    return value


@app.tool()
def count(text: str | None = None, path: str | None = None, *, ctx: Context) -> Counts:
    """Count the lines, words and characters of a text or of a file.

    Args:
        text: The text itself; give this or a path.
        path: A file, from the project's root.
    """
    if (text is None) == (path is None):
        raise InvalidRequest("text: give a text or a path, not both")
    if text is None:
        text = text_of(inside(ctx.project_root, path or ""))
    lines = text.splitlines()
    return Counts(
        lines=len(lines),
        words=len(text.split()),
        characters=len(text),
        longest_line=max(map(len, lines), default=0),
    )


@app.method("files/export", notification="files/chunk")
def export(
    ctx: Context,
    files: str = "*",
    chunk_characters: Annotated[int, Meta(ge=1, le=262_144)] = 65_536,
) -> Generator[dict[str, Any], None, dict[str, int]]:
    """Stream the text of matching files in chunks, with progress; the reply says what was sent."""
    found = list(files_below(ctx.project_root, files))
    sent = 0
    for number, (shown, file) in enumerate(found, 1):
        text = text_of(file)
        for start in range(0, max(len(text), 1), chunk_characters):
            chunk = text[start : start + chunk_characters]
            sent += len(chunk)
            yield {"path": readable(shown), "offset": start, "text": chunk}
        ctx.progress({"files": number, "of": len(found)})
    return {"files": len(found), "characters": sent}


if __name__ == "__main__":
    app.run()
