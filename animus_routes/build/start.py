"""What a built file runs: it finds the app that it was made from, and serves it.

What cannot be imported does not end the process: the host's `initialize` is answered with the reason.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypedDict

from animus_routes.engine.program import BUILT, hold_collector, was_used

hold_collector()  # before the rest is imported

from animus_routes.engine.exit import leave  # noqa: E402 - see above
from animus_routes.engine.stderr import say  # noqa: E402
from animus_routes.engine.wire import claim  # noqa: E402
from animus_routes.loading import NotAnApp, app_of, import_file, in_short, told  # noqa: E402
from animus_routes.serving.launch import (  # noqa: E402
    MANIFEST_FLAGS,
    cannot_serve,
    importing,
    launch,
    on_terminal,
)

if TYPE_CHECKING:
    from types import ModuleType

    from animus_routes.app import App

MAIN: Final = "__main__"
SEED: Final = 14  # of the hash by which a source is known: any number, the same at each end


class Made(TypedDict):
    """What a built file knows of the app that it was made from.

    Attributes:
        name: The app's.
        place: Its file, absolute; or its module.
        attribute: Its name there; "" for the only one.
        folder: What is put on `sys.path` for it; "" for nothing.
        is_program: The file runs its app itself, as `python file.py` does.
        secrets: The variables that are sensitive.
        python: The version of the interpreter.
        sources: The author's files, each with its size and hash.
        installed: What has to be there of the environment: a folder for each distribution's version.
        is_bundle: It brings its own copy of all that; where the originals are gone, nothing is stale.
        again: The command that makes it anew.
    """

    name: str
    place: str
    attribute: str
    folder: str
    is_program: bool
    secrets: list[str]
    python: str
    sources: dict[str, tuple[int, str]]
    installed: list[str]
    is_bundle: bool
    again: str


def start(made: Made, damaged: Any = None) -> NoReturn:
    """Be the plugin process that a built file is.

    Args:
        made: What it was made from.
        damaged: Called when something could not be imported; None where that leads to nothing.
    """
    sys.argv[0] = os.path.abspath(sys.argv[0])  # noqa: PTH100 - pathlib costs 5 ms
    BUILT[:] = [sys.argv[0]]
    arguments = sys.argv[1:]
    asked = not arguments and not on_terminal()
    if asked or (arguments[:1] and arguments[0] in MANIFEST_FLAGS):
        claim()
    changed = stale(made)
    if changed:
        shown = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
        say(f"{made['name']}: older than {shown}; build it again: {made['again']}")
    try:
        app = _import(made)
    except BaseException as error:
        if was_used() or isinstance(error, KeyboardInterrupt):
            raise
        if isinstance(error, SystemExit) and not asked:
            raise
        if damaged is not None:
            damaged()
        _tell(made, error, asked=asked)
    if app is None:
        if asked:
            reason = f"{made['name']}: {made['place']} ended without running its app"
            cannot_serve(reason, reason)
        leave(0)
    launch(app, arguments)


def _import(made: Made) -> App | None:
    """The app; None if its file is a program that has not come to run it."""
    place, folder = made["place"], made["folder"]
    if folder and folder not in sys.path:
        sys.path.insert(0, folder)
    if made["is_program"]:
        _run(place)
        return None
    with importing():
        if os.sep in place:
            module = import_file(place)
        else:
            __import__(place)
            module = sys.modules[place]
    return app_of(module, made["attribute"], place)


def _run(path: str) -> None:
    """Run a file as `python file.py` does; compiled once, which Python does not do itself."""
    from _frozen_importlib_external import SourceFileLoader

    module: ModuleType = type(sys)(MAIN)
    sys.modules[MAIN] = module
    module.__file__ = path
    code = SourceFileLoader(MAIN, path).get_code(MAIN)
    assert code is not None
    exec(code, vars(module))  # noqa: S102 - it is the author's program


def _tell(made: Made, error: BaseException, *, asked: bool) -> NoReturn:
    from animus_routes.serving.masks import Masks

    masked = Masks(made["secrets"]).masked
    if isinstance(error, NotAnApp):
        text = reason = str(error)
    elif isinstance(error, SystemExit):
        said = "" if error.code is None or isinstance(error.code, int) else f": {error.code}"
        text = reason = f"its program ended before it served{said}"
    else:
        text, reason = told(error), in_short(error)
    if asked:
        cannot_serve(masked(text), f"{made['name']}: {masked(reason)}")
    say(masked(text))
    leave(1)


def stale(made: Made) -> list[str]:
    """What is no longer as it was when the file was built, each by its name."""
    version = ".".join(map(str, sys.version_info[:3]))
    found = [] if version == made["python"] or made["is_bundle"] else [f"Python {version}"]
    found += [path for path, known in made["sources"].items() if _differs(made, path, known)]
    if not made["is_bundle"]:
        found += [
            f"the installed {os.path.basename(path).partition('-')[0]}"  # noqa: PTH119 - as above
            for path in made["installed"]
            if not os.path.isdir(path)  # noqa: PTH112 - as above
        ]
    return found


def _differs(made: Made, path: str, known: tuple[int, str]) -> bool:
    try:
        return described(path) != known
    except OSError:
        return not made["is_bundle"]


def described(path: str) -> tuple[int, str]:
    """The size of a source, and the hash of what is in it.

    Raises:
        OSError: It cannot be read.
    """
    from _imp import source_hash

    with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 5 ms
        data = file.read()
    return len(data), source_hash(SEED, data).hex()
