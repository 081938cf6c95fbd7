"""`animus-routes record -o FILE -- CMD`: what passes between a host and a plugin, in a file."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import time
from pathlib import Path
from typing import Final

from animus_routes.engine.stderr import log, say

WRONG: Final = 2
CANNOT: Final = 1
# What a host or a person asks a plugin without a conversation: behind all else, so that the options of
# what starts it (`python -m tasks`) are none of these.
ASKED: Final = frozenset({"--manifest", "-m", "--help", "-h"})

EPILOG: Final = """CMD is what a host starts: an executable, or a command line, in any language. A host
can be given this command in its place: the conversation passes through unchanged, and so do signals,
the exit code and --manifest. The values of variables that the manifest declares as sensitive are
masked in FILE. Nothing is overwritten: if there is a FILE, this is FILE-2."""


def main(arguments: list[str]) -> int:
    """Record one conversation; the plugin's exit code, 1 if it cannot begin, 2 for wrong usage."""
    asked = _parser().parse_args(arguments)
    words: list[str] = asked.command[1:] if asked.command[:1] == ["--"] else asked.command
    if not words:
        say("record what? animus-routes record -o FILE -- CMD")
        return WRONG
    command = _command(words)
    if not command:
        return WRONG
    try:
        if words[1:] and words[-1] in ASKED:
            os.execvp(command[0], command)  # noqa: S606 - it takes the place of this process
        return _record(asked, command)
    except ValueError as error:
        say(f"--mask: {error}")
        return WRONG
    except OSError as error:
        say(f"{error.filename or command[0]}: {error.strerror}")
        return CANNOT


def _record(asked: argparse.Namespace, command: list[str]) -> int:
    from animus_routes.dev.keeping import Keeper
    from animus_routes.dev.paths import Paths
    from animus_routes.dev.relay import end_as, relay
    from animus_routes.dev.sides import new_file
    from animus_routes.errors import Unavailable

    Paths(asked.mask)  # a place that is none is told before anything starts
    fd, path = new_file(asked.output or Path(time.strftime("recording-%Y%m%d-%H%M%S.jsonl")))
    log(f"recording {shlex.join(command)} into {path}")
    keeper = Keeper(fd, command, asked.mask)
    try:
        code = relay(command, keeper.take, keeper.start)
    except Unavailable as error:
        os.close(fd)
        path.unlink()
        say(error.message)
        return CANNOT
    keeper.finish(code)
    return end_as(code)


def _command(words: list[str]) -> list[str]:
    """What starts the plugin; of one word, whatever `animus-routes check` takes. Empty if nothing."""
    program = shutil.which(words[0])
    if program is not None:
        return [program, *words[1:]]
    from animus_routes.conformance.candidate import candidate
    from animus_routes.loading import NotAnApp

    try:
        return [*candidate(words[0]).command, *words[1:]]
    except NotAnApp as error:
        say(str(error))
        return []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="animus-routes record",
        description="Record every frame between a host and a plugin, with its time.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("-o", "--output", type=Path, metavar="FILE", help="where (default: recording-TIME.jsonl)")
    add(
        "--mask",
        action="append",
        default=[],
        metavar="PLACE",
        help="mask what stands there in frames, such as params.api_key or **.password",
    )
    add("command", nargs=argparse.REMAINDER, metavar="-- CMD", help="what starts the plugin")
    return parser
