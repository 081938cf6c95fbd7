"""What kind of program is this: one that will serve, or one that imports `App` for another purpose?

The wire is claimed where `App` is first asked for, so that what a plugin imports cannot print on
it, if two things hold: the process was started as a host starts it, and the text of the program
shows a call of `run`. The text is the program's own file; a function of a module on the way from
there to the import, if a file above names it; or the function that the program is in.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.exit import leave
from animus_routes.engine.stderr import say
from animus_routes.engine.wire import claim, is_claimed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

SERVED_BY_FLAG: Final = frozenset({"--manifest", "-m"})
MODULE: Final = "<module>"
MACHINERY: Final = ("importlib.", "_frozen_importlib", "runpy")
RUN: Final = ".run("
DEFINITIONS: Final = ("def ", "async def ")
TAKEN: Final = r"\bimport\b[^\n(]*(?:\([^)]*)?\b{name}\b|\b{module}\.{name}\("

NEVER_RUN: Final = "was never run: its file has to call run()"

HELD: Final = (
    1_000_000_007  # a threshold of the collector's that no start comes to, and nobody else sets
)
BUILT: Final[list[str]] = []  # the built file that started this program, if one did

_USED: Final = ("", "")
_expected: list[tuple[str, str]] = []  # the apps that were made, until one is used
_thresholds: list[tuple[int, int, int]] = []  # the collector's, while it is held


def claim_for_program(frame: FrameType | None) -> None:
    """Claim the wire early if the program is a plugin that a host has started.

    Args:
        frame: Where `App` is imported.
    """
    if is_claimed() or not _started_by_a_host():
        return
    frames = [found for found in _stack(frame) if not _is_machinery(found)]
    if frames and _is_program(frames[-1]) and _comes_to_run(frames):
        hold_collector()
        claim()


def hold_collector() -> None:
    """Nothing that a start makes is garbage: until serving begins, the collector would only look.

    Its switch is left to the author, who may turn it at any time.
    """
    found = gc.get_threshold()
    if found[0] and not _thresholds:
        _thresholds.append(found)
        gc.set_threshold(HELD, *found[1:])


def release_collector() -> None:
    """Serving begins: the collector is as it was found, or as the author has set it since.

    What is there by now counts as old. As new it would all be looked at in the first request.
    """
    while _thresholds:
        found = _thresholds.pop()
        if not gc.get_freeze_count():  # what the author has frozen stays so
            gc.freeze()
            gc.unfreeze()
        if gc.get_threshold()[0] == HELD:
            gc.set_threshold(*found)


def expect_run(name: str, where: str) -> None:
    """An app was made: if a host started the program, something has to come of it."""
    if not _expected:
        atexit.register(_never_run)
    if _USED not in _expected:
        _expected.append((name, where))


def is_used() -> None:
    """An app is served, checked or described: the program knows what it does."""
    _expected[:] = [_USED]


def was_used() -> bool:
    """Has an app been served, checked or described?"""
    return _USED in _expected


def _never_run() -> None:
    """Say so at the end of a program whose apps were made for nothing, as far as a host can see."""
    if _USED in _expected or not _started_by_a_host() or getattr(sys, "last_value", None):
        return
    name, where = _expected[-1]
    say(f"{where}: {name} {NEVER_RUN}, such as app.run(), at its end")
    if sys.argv[1:2] == ["--manifest"]:  # hosts show stderr only of what failed
        atexit.unregister(_never_run)
        leave(1)


def when_imported(name: str, then: Callable[[], object]) -> Callable[[], None]:
    """Call a function once, right after the first import of a module.

    Returns:
        What withdraws it.
    """
    found = _Finder(name, then)
    sys.meta_path.insert(0, found)
    return found.withdraw


class _Finder:
    """Has the module found by the others, and stands in for its loader until it is executed."""

    def __init__(self, name: str, then: Callable[[], object]) -> None:
        self._name = name
        self._then = then
        self._loader: Any = None

    def withdraw(self) -> None:
        with suppress(ValueError):
            sys.meta_path.remove(self)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != self._name:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        specs = (finder.find_spec(name, path, target) for finder in others)
        spec: Any = next((spec for spec in specs if spec is not None), None)
        if spec is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)  # for who asks for the spec alone

    def exec_module(self, module: Any) -> None:
        self.withdraw()
        module.__loader__ = module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._then()


def working_directory() -> str:
    """Where the process is; "" if that folder is gone, or closed to it."""
    try:
        return os.getcwd()  # noqa: PTH109 - pathlib costs 5 ms
    except OSError:
        return ""


def calling_place(made: object = None) -> str:
    """`file:line` of the author's line that called into the package.

    Args:
        made: An object under construction: its classes' own `__init__` are passed over.
    """
    # `inspect` costs more at start than the rest of this module.
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith("animus_routes.") and not _makes(frame, made):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


def _makes(frame: FrameType, made: object) -> bool:
    code = frame.f_code
    if made is None or code.co_name != "__init__" or not code.co_argcount:
        return False
    return frame.f_locals.get(code.co_varnames[0]) is made


def _started_by_a_host() -> bool:
    """No arguments and something to read on stdin, or the manifest flag."""
    arguments = sys.argv[1:]
    return not SERVED_BY_FLAG.isdisjoint(arguments[:1]) or (not arguments and _fed())


def _fed() -> bool:
    """Is stdin something that a host writes to: a pipe, a socket, a file?"""
    from stat import S_ISFIFO, S_ISREG, S_ISSOCK

    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    return S_ISFIFO(mode) or S_ISSOCK(mode) or S_ISREG(mode)


def _stack(frame: FrameType | None) -> Iterator[FrameType]:
    """The frames up to the program's; below it are those of whatever runs it, such as a profiler."""
    while frame is not None:
        yield frame
        if _is_program(frame):
            return
        frame = frame.f_back


def _is_program(frame: FrameType) -> bool:
    return frame.f_code.co_name == MODULE and frame.f_globals.get("__name__") == "__main__"


def _is_machinery(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith(MACHINERY)


def _comes_to_run(frames: list[FrameType]) -> bool:
    """Do these frames, from the import of `App` up to the program, show a call of `run`?"""
    program = frames[-1]
    above = [frame for frame in frames if frame.f_code.co_name == MODULE]
    if len(above) < len(frames):
        # A function has imported the rest: the program's own main function, or somebody else's.
        names = frames[-2].f_code.co_names
        return len(above) == len(frames) - 1 and above[-1] is program and "run" in names
    if next(_runs(_text(program)), None) is not None:
        return True
    import re

    texts = [_text(frame) for frame in above]
    for i, frame in enumerate(above[:-1]):
        module = str(frame.f_globals.get("__name__", "")).rpartition(".")[2]
        for name in filter(None, _runs(texts[i])):
            taken = re.compile(TAKEN.format(name=name, module=re.escape(module)))
            if any(taken.search(text) for text in texts[i + 1 :]):
                return True
    return False


def _text(frame: FrameType) -> str:
    """A module's source; of a program that has none (`-c`, stdin), the names that it uses."""
    try:
        with open(frame.f_code.co_filename, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - pathlib costs 5 ms
            return file.read()
    except OSError:
        names = frame.f_code.co_names
        runs = "app.run(" if "run" in names else ""
        return f"from . import {', '.join(names)}\n{runs}"


# Without regular expressions: to compile them costs every start more than all of this.


def _runs(text: str) -> Iterator[str]:
    """The functions that call `run` on something that is not a module; "" for the module itself."""
    lines = text.splitlines()
    calls = [(i, name) for i, line in enumerate(lines) if RUN in line and (name := _run_by(line))]
    if not calls:
        return
    modules = set(_imported(lines))
    for number, name in calls:
        if name not in modules:
            yield _function_around(lines[:number], _indent(lines[number]))


def _run_by(line: str) -> str:
    """The name before `.run(` in a line of code; "" if there is none."""
    code = line.partition("#")[0]
    end = code.find(RUN)
    while end >= 0:
        start = end
        while start and (code[start - 1].isalnum() or code[start - 1] == "_"):
            start -= 1
        if start < end:
            return code[start:end]
        end = code.find(RUN, end + 1)
    return ""


def _imported(lines: list[str]) -> Iterator[str]:
    """The names that lines such as `import a, b.c as d` bind."""
    for line in lines:
        first, _, names = line.strip().partition(" ")
        if first == "import":
            for name in names.partition("#")[0].split(","):
                yield name.strip().rpartition(" ")[2].partition(".")[0]


def _function_around(before: list[str], indent: int) -> str:
    for line in reversed(before):
        if _indent(line) < indent and (code := line.lstrip()).startswith(DEFINITIONS):
            return code.partition("def ")[2].partition("(")[0].strip()
    return ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
