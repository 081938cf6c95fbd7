"""`animus-routes inspect TARGET`: a page in the browser to look at a plugin and to try it."""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from animus_routes.cli.variables import variables
from animus_routes.engine.stderr import say

NEEDS: Final = ("starlette", "uvicorn", "watchfiles")
PORT: Final = 4723  # the same every time: a browser remembers params by it
WRONG: Final = 2
PATIENCE_S: Final = 3.0
EPILOG: Final = """TARGET is what `animus-routes check` takes: an app (module:attr, a Python file), any
executable, or a command line. The page is served on this machine alone, until Ctrl-C."""


def main(arguments: list[str]) -> int:
    """Serve the page until Ctrl-C; 1 if it cannot be served, 2 for wrong usage."""
    asked = _parser().parse_args(arguments)
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        what = f"animus-routes inspect needs {', '.join(missing)}"
        say(f"{what}: pip install 'animus-routes[inspect]'")
        return 1
    try:
        env = variables(asked.env)
    except ValueError as error:
        say(str(error))
        return WRONG
    if not asked.project.is_dir():
        say(f"no folder {asked.project}")
        return WRONG
    import msgspec

    given = {
        "target": asked.target,
        "project": str(asked.project.absolute()),
        "port": PORT if asked.port is None else asked.port,
        "is_own_port": asked.port is None,
        "env": env,
        "opens": asked.open,
    }
    return _kept(msgspec.json.encode(given))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="animus-routes inspect",
        description="Serve a page that starts a plugin as a host does, and shows what it says.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("target", nargs="?", metavar="TARGET")
    add("--port", type=int, metavar="N", help=f"listen on it (default: {PORT}, or any free one)")
    add("--open", action="store_true", help="show the page in the browser")
    add(
        "--project",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="start the plugin in DIR, not in the working directory",
    )
    add("--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable for it")
    return parser


def _kept(given: bytes) -> int:
    """Run the page's process below a keeper: however this one ends, nothing of it is left.

    What is asked for goes through stdin: everybody on the machine can see a process's arguments.
    """
    from animus_routes.batteries.keepers import Keeper

    command = [sys.executable, "-P", "-m", "animus_routes.inspector"]
    with TemporaryFile() as asked:
        asked.write(given)
        asked.seek(0)
        keeper = Keeper(command, stdin=asked)
    try:
        keeper.wait(lambda: keeper.exit_code is not None)
    except KeyboardInterrupt:
        keeper.end(PATIENCE_S)
        keeper.wait(lambda: False)
        return 0
    keeper.end(0)
    keeper.wait(lambda: False)
    return 1 if keeper.final_code else 0
