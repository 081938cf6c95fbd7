"""The command line: one module per command, loaded when it is asked for.

Exit codes: 0 for success, 1 for failure (the app has problems, the call returned an error), 2 for
wrong usage. Output for machines is JSON on stdout and nothing else; text for people goes to stderr.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from animus_routes.engine.stderr import say

COMMANDS = {
    "new": "make a project of one plugin, with tests, README and CI: animus-routes new KIND NAME",
    "run": "serve an app on stdin and stdout",
    "manifest": "print an app's manifest",
    "routes": "show every method: handler, params, result, what is missing",
    "call": "start an app as a host does, call one method, show what comes back",
    "check": "try whether a plugin, in any language, works with the real host",
    "shell": "keep one process of a plugin, and call it by hand",
    "dev": "serve a host, and start the plugin anew whenever one of its files changes",
    "record": "pass a conversation between a host and a plugin through, into a file",
    "replay": "play a recorded conversation to a plugin, and tell what differs",
    "build": "make the one file that a host installs",
    "install": "build that file, and have the host install it",
    "schema": "print an app's methods, params, results and errors as an OpenRPC document",
    "inspect": "a page in the browser to look at a plugin and to try it",
    "explain": "what the protocol says of a method, a type or a kind: animus-routes explain NAME",
    "completion": "print a script with which bash, zsh or fish completes this command line",
}
ANSWERS = frozenset({"-h", "--help"})


def main() -> NoReturn:
    """Run the command that the first argument names."""
    arguments = sys.argv[1:]
    name = arguments[0] if arguments else ""
    if name in ANSWERS:
        say(usage())
        sys.exit(0)
    if name == "--version":
        from animus_routes import __version__

        say(__version__)
        sys.exit(0)
    if name not in COMMANDS:
        from animus_routes.errors import unknown

        say((unknown("command", name, COMMANDS) + "\n\n" if name else "") + usage())
        sys.exit(2)
    command = __import__(f"animus_routes.cli.{name}", fromlist=["main"])
    sys.exit(command.main(arguments[1:]))


def usage() -> str:
    """One screen."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: animus-routes COMMAND [APP] ...",
            "",
            *lines,
            "",
            "APP is module:attr, path/to/file.py:attr or path/to/file.py (if it holds only one App).",
            'It can be left out if pyproject.toml has app = "..." under [tool.animus-routes].',
        ]
    )
