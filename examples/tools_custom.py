"""Tools for agents over the files of a project: search, read, compare, count, look up, export.

Every path is taken from the project's root and may not leave it. A host that bridges MCP shows the
tools to agents itself; `animus.plugin.call` reaches all of them, including the stream.
"""

import difflib
import json
import os
import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Annotated, Any, Final

from msgspec import Meta, Struct
from pydantic import BaseModel, Field

from animus_routes import App, Context, InvalidRequest, NotFound

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
SKIPPED: Final = frozenset({".git", ".hg", ".venv", "node_modules", "__pycache__", ".animus"})

app = App(
    kind="custom",
    name="animus-custom-project-tools",
    version="0.1.0",
    description="Search, compare, count and export the files of a project",
)


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


def compiled(pattern: str, *, ignore_case: bool) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE if ignore_case else 0)
    except re.error as problem:
        raise InvalidRequest(f"pattern: {problem}") from None


@app.tool()
def search(
    ctx: Context,
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
    wanted = compiled(pattern, ignore_case=ignore_case)
    hits: list[Hit] = []
    searched = 0
    for shown, file in files_below(ctx.project_root, files):
        if ctx.cancelled:
            break
        searched += 1
        for number, line in enumerate(text_of(file).splitlines(), 1):
            if found := wanted.search(line):
                if len(hits) == limit:
                    return Hits(hits, searched, truncated=True)
                hits.append(Hit(shown, number, found.start() + 1, line.strip()[:400]))
    return Hits(hits, searched, truncated=False)


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
            yield {"path": shown, "offset": start, "text": chunk}
        ctx.progress({"files": number, "of": len(found)})
    return {"files": len(found), "characters": sent}


if __name__ == "__main__":
    app.run()
