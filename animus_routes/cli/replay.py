"""`animus-routes replay FILE TARGET`: does a plugin still answer as it did when it was recorded?"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Final

from animus_routes.engine.stderr import say
from animus_routes.engine.wire import write_all
from animus_routes.loading import NotAnApp

if TYPE_CHECKING:
    from animus_routes.conformance.bench import Bench
    from animus_routes.dev.recording import Recording
    from animus_routes.dev.replaying import Played

FAILED: Final = 1
WRONG: Final = 2
TIMEOUT_S: Final = 10.0
STDERR_LINES: Final = 20

EPILOG: Final = """FILE is made by `animus-routes record`. TARGET is an app (module:attr, a Python file)
or any executable or command line; if it is left out, the app that pyproject.toml names. It is started
in an empty folder, which takes the place of the one of the recording in what the host sends; give it
what it had then with --copy. PLACE is such as result.created_at, result.subjects.*.id or
**.fetched_at. Exit codes: 0 if nothing differs, 1 if something does, 2 for wrong usage."""


def main(arguments: list[str]) -> int:
    """Replay a recording; 0 if nothing differs, 1 if something does, 2 for wrong usage."""
    asked = _parser().parse_args(arguments)
    from animus_routes.cli.check import folders_and_variables
    from animus_routes.conformance.bench import Bench
    from animus_routes.conformance.bench import Options as BenchOptions
    from animus_routes.conformance.candidate import candidate
    from animus_routes.dev.recording import BadRecordingError, read
    from animus_routes.host.process import HostError

    try:
        recording = read(asked.file)
        options = BenchOptions(**folders_and_variables(asked))
        with Bench(candidate(asked.target), options) as bench:
            played = _played(asked, recording, bench)
    except (NotAnApp, BadRecordingError, ValueError) as error:
        say(str(error))
        return WRONG
    except OSError as error:
        say(f"{error.filename}: {error.strerror}")
        return WRONG
    except HostError as error:
        say(str(error))
        return FAILED
    write_all(1, _told(played).encode("utf-8", "replace"))
    if played.differences and played.stderr:
        tail = played.stderr.splitlines()[-STDERR_LINES:]
        say("\n".join(["the plugin's stderr ends with:", *tail]))
    return FAILED if played.differences else 0


def _played(asked: argparse.Namespace, recording: Recording, bench: Bench) -> Played:
    from animus_routes.dev.replaying import Options, replay

    return replay(
        recording,
        bench.candidate.command,
        Options(ignored=asked.ignore, anew=asked.anew, timeout_s=asked.timeout),
        cwd=bench.project,
        env=bench.environment(),
        env_required=bench.variables,
    )


def _told(played: Played) -> str:
    lines = [*played.differences]
    if lines:
        lines.append("")
    count = len(played.differences)
    differs = "nothing differs" if not count else f"{count} differ{'s' if count == 1 else ''}"
    what = f"{played.answers} answers, {played.notifications} notifications"
    return "\n".join([*lines, f"{what}: {differs}"]) + "\n"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="animus-routes replay",
        description="Play the host's side of a recording to a plugin, and tell what differs.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("file", type=Path, metavar="FILE")
    add("target", nargs="?", metavar="TARGET")
    add(
        "--ignore",
        action="append",
        default=[],
        metavar="PLACE",
        help="do not compare what stands there, or notifications of that name",
    )
    add(
        "--anew",
        action="append",
        default=[],
        metavar="PLACE",
        help="a text that is made anew on each run, such as an id: it may differ, and later frames "
        "have the new one in its place",
    )
    add("--copy", type=Path, metavar="DIR", help="start it in a throw-away copy of DIR")
    add("--project", type=Path, metavar="DIR", help="start it in DIR")
    add("--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable for it")
    add("--timeout", type=float, default=TIMEOUT_S, metavar="SECONDS", help="for each answer")
    return parser
