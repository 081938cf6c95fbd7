"""`animus-routes shell TARGET`: one process of a plugin, and what is typed at it."""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING, Final

from animus_routes.cli.variables import variables
from animus_routes.engine.stderr import say
from animus_routes.loading import NotAnApp

if TYPE_CHECKING:
    from animus_routes.dev.shell import Shell
    from animus_routes.dev.terminal import Terminal

WRONG: Final = 2
PROMPT: Final = "> "
SCRIPT_TIMEOUT_S: Final = 30.0

EPILOG: Final = """TARGET is an app (module:attr, a Python file) or any executable or command line; if it
is left out, the app that pyproject.toml names. Type METHOD [PARAMS], .help for more. Results go to stdout,
notifications, stderr and times to stderr. Lines may come from a file or a pipe, too: then the exit code is
1 if one of them failed. The history is kept in XDG_STATE_HOME/animus-routes/history."""


def main(arguments: list[str]) -> int:
    """Carry out lines until they end; 0, 1 if one of a script failed, 2 for wrong usage."""
    asked = _parser().parse_args(arguments)
    from animus_routes.dev.completing import completions
    from animus_routes.dev.shell import COMMANDS, Shell
    from animus_routes.dev.targets import chosen
    from animus_routes.dev.terminal import Terminal

    try:
        env = variables(asked.env)
        found = chosen(asked.target)
    except (NotAnApp, ValueError) as error:
        say(str(error))
        return WRONG
    terminal = Terminal(
        PROMPT, lambda line, word: completions(line, word, shell.knowledge, COMMANDS)
    )
    shell = Shell(
        found,
        terminal.show_result,
        terminal.show,
        env=env,
        timeout_s=asked.timeout or (None if terminal.is_one else SCRIPT_TIMEOUT_S),
    )
    if shell.start() or terminal.is_one:
        try:
            _converse(shell, terminal)
        except OSError as error:  # of stdout; nothing else of a person's is written to
            shell.failed += 1
            if not isinstance(error, BrokenPipeError):
                say(f"stdout: {error.strerror}")
        finally:
            terminal.close()
            shell.end()
    return 1 if shell.failed and not terminal.is_one else 0


def _converse(shell: Shell, terminal: Terminal) -> None:
    read = partial(terminal.line)
    while not shell.is_over:
        try:
            line = read()
            if line is None:
                break
            shell.carry_out(line)
        except KeyboardInterrupt:  # what was typed is forgotten
            terminal.show("")
    if not terminal.is_one:
        shell.settle()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="animus-routes shell",
        description="Keep one process of a plugin, and call it by hand.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("target", nargs="?", metavar="TARGET")
    add("--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable for it")
    add(
        "--timeout",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="for an answer (default: none at a terminal, 30 otherwise)",
    )
    return parser
