"""Which files a plugin is made of, and when one of them has changed."""

from __future__ import annotations

import os
import time
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from animus_routes.engine.stderr import log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

State = tuple[int, int, int]  # of a file: when it was modified, its size, its inode
Snapshot = dict[str, State]

EXTRA: Final = (
    "animus-routes dev needs watchfiles: pip install watchfiles, or animus-routes with its extra "
    "`watch`"
)
# Beside hidden folders and virtual environments, what holds no sources of an author's.
NOT_SOURCES: Final = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist"})
# What plugins and editors write.
WRITTEN: Final = (
    ".db",
    ".sqlite",
    ".sqlite3",
    "-wal",
    "-shm",
    "-journal",
    ".log",
    ".pyc",
    ".swp",
    "~",
)
ALL: Final = ("",)
VENV: Final = "pyvenv.cfg"
GROUP_MS: Final = 400  # an editor, or a checkout of another branch, writes several files
QUIET_MS: Final = 50
LOOK_MS: Final = 1000  # where a file system tells nothing, changes are found this late
MOST_OF_A_CPU: Final = 0.02  # that looking takes; with many files, it is done less often


class Watched(Struct, frozen=True):
    """Files that make a plugin start again when they change.

    Attributes:
        folders: Each with suffixes, such as `.py`: files in it, and below, whose names end so.
        files: Single files.
    """

    folders: tuple[tuple[Path, tuple[str, ...]], ...] = ()
    files: tuple[Path, ...] = ()

    def also(self, paths: list[Path]) -> Watched:
        """These, and files, or all files of folders, beside them."""
        whole = [(path, ALL) for path in paths if path.is_dir()]
        single = [path for path in paths if not path.is_dir()]
        return Watched((*self.folders, *whole), (*self.files, *single))

    def snapshot(self) -> Snapshot:
        """The state of every such file that there is."""
        return {name: state for name in self._names() if (state := _state(name)) is not None}

    def _names(self) -> Iterator[str]:
        yield from map(str, self.files)
        for folder, suffixes in self.folders:
            for place, names in _walk(folder):
                for name in names:
                    if name.endswith(suffixes) and not name.endswith(WRITTEN):
                        yield os.path.join(place, name)  # noqa: PTH118 - thousands of them

    def counts(self, name: str) -> bool:
        """May a file be one of these?"""
        suffixes = tuple(suffix for _, several in self.folders for suffix in several)
        return Path(name) in self.files or (name.endswith(suffixes) and not name.endswith(WRITTEN))

    def watch(self, changed: Callable[[], object]) -> None:
        """Call something, on a thread, when something may have changed, and now and then."""
        Thread(target=self._watch, args=(changed,), name="watcher", daemon=True).start()

    def _watch(self, changed: Callable[[], object]) -> None:
        import watchfiles

        alone = {file.parent for file in self.files}
        begun = time.perf_counter()
        self.snapshot()
        look_ms = max(LOOK_MS, int((time.perf_counter() - begun) * 1000 / MOST_OF_A_CPU))
        looked = time.perf_counter()

        def wanted(_: object, name: str) -> bool:
            # What a plugin writes without a pause must not keep it from being looked at now and then.
            return self.counts(name) or time.perf_counter() - looked > look_ms / 1000

        try:
            for _ in watchfiles.watch(
                *(folder for folder, _ in self.folders),
                *(folder for folder in alone if folder.is_dir()),
                watch_filter=wanted,
                debounce=GROUP_MS,
                step=QUIET_MS,
                rust_timeout=look_ms,
                yield_on_timeout=True,
                raise_interrupt=False,
                recursive=bool(self.folders),
            ):
                changed()
                looked = time.perf_counter()
        except (OSError, RuntimeError) as error:
            log(f"files are looked at now and then, because they cannot be watched: {error}")
            while True:
                time.sleep(look_ms / 1000)
                changed()


def _walk(folder: Path) -> Iterator[tuple[str, list[str]]]:
    for place, folders, names in os.walk(folder):
        folders[:] = [
            name
            for name in folders
            if name not in NOT_SOURCES
            and not name.startswith(".")
            and not Path(place, name, VENV).exists()
        ]
        yield place, names


def _state(name: str) -> State | None:
    try:
        found = os.stat(name)  # noqa: PTH116 - as above
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def changes(before: Snapshot, after: Snapshot) -> list[str]:
    """The names of the files that differ, seen from the working directory."""
    names = sorted(n for n in {*before, *after} if before.get(n) != after.get(n))
    return [_short(name) for name in names]


def _short(name: str) -> str:
    short: Any = os.path.relpath(name)
    return name if short.startswith("..") else str(short)


def of_python(file: Path) -> Watched:
    """The sources of an app: beside its file, or in its whole package."""
    folder = file.absolute().parent
    while (folder.parent / "__init__.py").exists() and (folder / "__init__.py").exists():
        folder = folder.parent
    return Watched(((folder, (".py",)),))


def of_command(words: list[str]) -> Watched:
    """Of a command line, the files that it names, and those beside them of the same kind."""
    files = [Path(word).absolute() for word in words if Path(word).is_file()]
    named = files[1:] if len(words) > 1 and files[:1] == [Path(words[0]).absolute()] else files
    beside = {(file.parent, (file.suffix,)) for file in named if file.suffix}
    return Watched((*beside,), (*named,))
