"""Check plugins for the tests of this folder, several at once."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from animus_routes.conformance import Options, Report, check

PLUGINS = Path(__file__).parent / "plugins"
PLAIN = PLUGINS / "plain.py"
ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
AT_ONCE = 4
PROVES = bool(os.environ.get("ANIMUS_PROVE"))
"""All that `make prove` tries: every mutation, and of a broken story every other story, too."""
INSTALLED = {"PYTHONPATH": str(ROOT)}


class Edit(NamedTuple):
    """One line, or part of one, of a plugin, and what stands there instead."""

    old: str
    new: str


class Broken(NamedTuple):
    """A plugin that breaks one behaviour.

    Attributes:
        name: What is broken.
        check: The one check that has to fail.
        reason: Part of what it says.
        edits: To the plugin that is correct.
        base: That plugin's file.
    """

    name: str
    check: str
    reason: str
    edits: tuple[Edit, ...]
    base: Path = PLAIN


def edited(text: str, edits: Iterable[Edit]) -> str:
    """A text with edits, each of which has to fit once."""
    for old, new in edits:
        assert text.count(old) == 1, f"{text.count(old)} times: {old}"
        text = text.replace(old, new)
    return text


def python(file: Path) -> str:
    """A command line that runs a file with this Python."""
    return f"{sys.executable} '{file}'"


def checked(target: Path | str, **options: Any) -> Report:
    """A plugin's report; writes are allowed, the time for an answer is short."""
    word = options.pop("word", "")
    given = {"allow_writes": True, "timeout_s": 5.0, "examples": 6, **options}
    return check(
        python(target) if isinstance(target, Path) else target, Options(**given), word=word
    )


def failed(report: Report) -> dict[str, str]:
    """The checks that failed, and why."""
    return {result.id: result.reason for result in report.failed}


def at_once(calls: Mapping[str, Callable[[], Report]]) -> dict[str, Report]:
    """Reports of several plugins, made side by side: most of their time is spent waiting."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        futures = {name: pool.submit(call) for name, call in calls.items()}
        return {name: future.result() for name, future in futures.items()}


@cache
def programs() -> tuple[str, ...]:
    """The examples that are plugins."""
    found = sorted(EXAMPLES.glob("*.py"))
    return tuple(path.stem for path in found if "app.run()" in path.read_text("utf-8"))


def executable(path: Path, text: str | bytes, mode: int = 0o755) -> Path:
    """A file that may be executed."""
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path
