"""`animus-routes check TARGET`: does a plugin, in any language, work with the real host?"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from animus_routes.cli.variables import variables
from animus_routes.engine.stderr import say
from animus_routes.engine.wire import write_all
from animus_routes.loading import NotAnApp

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.conformance import Options

WRONG: Final = 2
EXAMPLES: Final = 10
TIMEOUT_S: Final = 10.0

EPILOG: Final = """TARGET is an app (module:attr, a Python file) or any executable or command line, in
any language; if it is left out, the app that pyproject.toml names. What acts on the system behind the
plugin (runs, stores, deletes, notifications) is skipped unless --allow-writes or --copy is given.
Exit codes: 0 for success, 1 if a check failed, 2 for wrong usage."""


def main(arguments: list[str]) -> int:
    """Check a plugin; 0 if every check passes or is skipped, 1 if one fails, 2 for wrong usage."""
    asked = _parser().parse_args(arguments)
    from animus_routes.conformance.candidate import candidate
    from animus_routes.conformance.running import Chosen, run
    from animus_routes.roles import KINDS

    if asked.kind and asked.kind not in KINDS:
        from animus_routes.errors import unknown

        say(unknown("plugin kind", asked.kind, KINDS))
        return WRONG
    try:
        options = _options(asked)
        if asked.list and asked.target is None:
            _print(_table())
            return 0
        found = candidate(asked.target)
    except (NotAnApp, ValueError, OSError) as error:
        say(str(error))
        return WRONG
    chosen = Chosen(asked.k, asked.kind)
    if asked.list:
        return _listed(found, options, chosen)
    shown = _progress() if not asked.quiet else None
    report = run(found, options, chosen, shown)
    if shown is not None:
        shown(0, 0, "")
    if not report.results:
        say(f"no check of {report.target} has {asked.k or asked.kind!r}: see --list")
        return WRONG
    return _written(asked, report)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="animus-routes check",
        description="Start a plugin as a host does, and try whether it works with one.",
        epilog=EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("target", nargs="?", metavar="TARGET")
    add("-k", default="", metavar="WORD", help="only checks that have WORD in their id or title")
    add("--kind", default="", metavar="KIND", help="only checks of methods of this plugin kind")
    add("--list", action="store_true", help="show the checks, and try none")
    add("--json", action="store_true", help="print the report as JSON")
    add("--junit", type=Path, metavar="FILE", help="write the report as JUnit XML, too")
    add("--frames", action="store_true", help="show the last frames of every check")
    add("--quiet", action="store_true", help="show no progress")
    add("--allow-writes", action="store_true", help="try what acts on the system behind the plugin")
    add("--copy", type=Path, metavar="DIR", help="try what acts in a throw-away copy of DIR")
    add(
        "--project",
        type=Path,
        metavar="DIR",
        help="start the plugin in DIR, not in an empty folder",
    )
    add("--env", action="append", default=[], metavar="NAME=VALUE", help="set a variable for it")
    add("--values", type=Path, metavar="FILE", help="JSON: params by method that it has to accept")
    add("--seed", type=int, default=0, metavar="N", help="make other params (default: 0)")
    add(
        "--examples", type=int, default=EXAMPLES, metavar="N", help="params to make for each method"
    )
    add("--timeout", type=float, default=TIMEOUT_S, metavar="SECONDS", help="for an answer")
    return parser


def _options(asked: argparse.Namespace) -> Options:
    """What was asked for.

    Raises:
        ValueError: It cannot be meant.
        OSError: A file cannot be read.
    """
    from animus_routes.conformance import Options

    return Options(
        **folders_and_variables(asked),
        allow_writes=asked.allow_writes,
        values=_values(asked.values),
        seed=asked.seed,
        examples=asked.examples,
        timeout_s=asked.timeout,
    )


def folders_and_variables(asked: argparse.Namespace) -> dict[str, Any]:
    """Where a plugin is started, and with which variables.

    Raises:
        ValueError: It cannot be meant.
    """
    for folder in (asked.copy, asked.project):
        if folder is not None and not folder.is_dir():
            raise ValueError(f"there is no folder {folder}")
    if asked.copy is not None and asked.project is not None:
        raise ValueError("--copy and --project name two folders: the plugin is started in one")
    return {
        "copy": asked.copy and asked.copy.absolute(),
        "project": asked.project and asked.project.absolute(),
        "env": variables(asked.env),
    }


def _values(file: Path | None) -> dict[str, list[Any]]:
    if file is None:
        return {}
    import msgspec

    try:
        found = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ValueError(f"{file}: {error}") from None
    return {name: given if isinstance(given, list) else [given] for name, given in found.items()}


def _table() -> str:
    from animus_routes.conformance.catalogue import CHECKS

    width = max(len(check.id) for check in CHECKS)
    return "".join(f"{check.id:<{width}}  {check.title}\n" for check in CHECKS)


def _listed(found: Any, options: Options, chosen: Any) -> int:
    from animus_routes.conformance.bench import Bench
    from animus_routes.conformance.catalogue import cases

    with Bench(found, options) as bench:
        shown = [case for case in cases(bench) if chosen.has(bench, case)]
    _print("".join(f"{case.id}  {case.check.title}\n" for case in shown))
    return 0


def _progress() -> Callable[[int, int, str], object] | None:
    """One line on a terminal, that the next one replaces; nothing anywhere else."""
    if not os.isatty(2):
        return None

    def show(number: int, count: int, name: str) -> None:
        line = f"{number}/{count} {name}"[:78] if count else ""
        write_all(2, f"\r\x1b[K{line}".encode())

    return show


def _written(asked: argparse.Namespace, report: Any) -> int:
    from animus_routes.conformance.writers import WRITERS, text

    if asked.junit is not None:
        asked.junit.write_text(WRITERS["junit"](report), "utf-8")
    _print(WRITERS["json"](report) if asked.json else text(report, frames=asked.frames))
    code: int = report.exit_code
    return code


def _print(said: str) -> None:
    write_all(1, said.encode("utf-8", "replace"))
