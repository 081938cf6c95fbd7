"""What the last word of a command line could be: commands, options, kinds, apps, methods, types."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from animus_routes.cli import COMMANDS
from animus_routes.roles import KINDS

if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Callable, Iterable, Iterator, Mapping

OPTION: Final = re.compile(r"(?<![\w-])(--?[a-z][a-z-]*)(?: ([A-Z]+))?")
APP: Final = re.compile(r"^(\w+)\s*(?::[^=\n]*)?=\s*(?:\w+\.)?App\(", re.MULTILINE)
MOST_BYTES: Final = 200_000  # of a file in which an app is looked for
ANSWERS: Final = ("--help", "--version")


class Candidate(NamedTuple):
    """A word, and what it is."""

    word: str
    text: str = ""


class Option(NamedTuple):
    """What an option's value is called, "" if it takes none, and what it means."""

    value: str = ""
    text: str = ""


class Takes(NamedTuple):
    """What a command takes.

    Attributes:
        options: By their names.
        places: What its other words are called, in order; the last one stands for the rest, too.
    """

    options: Mapping[str, Option]
    places: tuple[str, ...]


# What commands without a parser take besides their options, which their usage has.
PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "call": ("APP|METHOD", "METHOD", "PARAMS"),
    "completion": ("bash|zsh|fish", ""),
    "explain": ("EXPLAINED", ""),
}


def candidates(line: str) -> list[Candidate]:
    """What the last word of a line could be, sorted; a line that ends with a space has an empty one.

    Args:
        line: From the program's name to the cursor.
    """
    words = _words(line)[1:] or [""]
    *before, word = words
    if not before:
        found: Iterable[Candidate] = [Candidate(*one) for one in COMMANDS.items()]
        found = [*found, *map(Candidate, ANSWERS)]
    elif before[0] in COMMANDS:
        found = _of_command(before[0], before[1:], word)
    else:
        found = ()
    known = {one.word: one for one in found if one.word.startswith(word) and one.word.isprintable()}
    return [known[name] for name in sorted(known)]


def _words(line: str) -> list[str]:
    """The words of a line, the last one unfinished."""
    try:
        words = shlex.split(line)
    except ValueError:  # a quote that is still open
        words = [word.lstrip("'\"") for word in line.split()]
    return [*words, ""] if not line or line[-1].isspace() else words


def _of_command(command: str, before: list[str], word: str) -> Iterator[Candidate]:
    """What a word could be behind others of the same command."""
    takes = taken(command)
    if "--" in before:
        return
    places = 0
    expects = ""
    for one in before:  # which are values of options, and which stand for themselves?
        value = "" if expects else takes.options.get(one, Option()).value
        places += not expects and not one.startswith("-")
        expects = value
    if expects:
        yield from _called(expects, word, before)
        return
    if word.startswith("-"):
        yield from (Candidate(name, option.text) for name, option in takes.options.items())
    if takes.places and not word.startswith("--"):
        yield from _called(takes.places[min(places, len(takes.places) - 1)], word, before)


def taken(command: str) -> Takes:
    """What a command takes: as its parser says, or else its usage."""
    module = __import__(f"animus_routes.cli.{command}", fromlist=["main"])
    make = getattr(module, "parser", None) or getattr(module, "_parser", None)
    if make is not None:
        return _parsed(make(command) if make.__code__.co_argcount else make())
    usage: str = getattr(module, "USAGE", "")
    options = {name: Option(value) for name, value in OPTION.findall(usage)}
    return Takes({"--help": Option(), **options}, PLACES.get(command, ("APP", "")))


def _parsed(parser: ArgumentParser) -> Takes:
    options: dict[str, Option] = {}
    places: list[str] = []
    for action in parser._actions:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        called = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        if action.option_strings:
            text = " ".join((action.help or "").split())  # a line for each candidate
            option = Option("" if action.nargs == 0 else called, text)
            options |= dict.fromkeys(action.option_strings, option)
        else:
            places.append(called)
    return Takes(options, tuple(places))


# What a place or a value may hold, by what it is called ------------------------------------------


def _called(name: str, word: str, before: list[str]) -> Iterator[Candidate]:
    for one in name.split("|"):
        complete = CALLED.get(one)
        if complete is not None:
            yield from complete(word, before)
        elif one.islower():  # the word itself, as in structs|types
            yield Candidate(one)


def _kinds(word: str, _before: list[str]) -> Iterator[Candidate]:
    """Kinds, also behind others and a comma."""
    head = word[: word.rfind(",") + 1]
    taken_already = head.split(",")
    yield from (Candidate(f"{head}{kind}") for kind in KINDS if kind not in taken_already)


def _apps(word: str, _before: list[str]) -> Iterator[Candidate]:
    """Python files with an app in them, the apps of a file or module, and folders on the way."""
    file, colon, _ = word.rpartition(":")
    if colon:
        yield from (Candidate(f"{file}:{name}") for name in APP.findall(_source(file)))
        return
    above, _, start = word.rpartition(os.sep)
    folder = Path(above + os.sep if os.sep in word else ".").expanduser()
    head = word[: len(word) - len(start)]
    for path in _listed(folder):
        if path.name.startswith(".") and not start.startswith("."):
            continue
        if path.is_dir() and not path.name.startswith("__"):
            yield Candidate(f"{head}{path.name}{os.sep}")
        elif path.suffix == ".py" and "App(" in _text(path):
            yield Candidate(f"{head}{path.name}")


def _targets(word: str, before: list[str]) -> Iterator[Candidate]:
    """Apps, and any executable."""
    yield from _apps(word, before)
    above, _, start = word.rpartition(os.sep)
    head = word[: len(word) - len(start)]
    for path in _listed(Path(above + os.sep if os.sep in word else ".").expanduser()):
        if path.is_file() and os.access(path, os.X_OK):
            yield Candidate(f"{head}{path.name}")


def _listed(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _source(place: str) -> str:
    """The text of a file or, as it stands before a colon, of a module."""
    from animus_routes.loading import Target

    return _text(Path(Target(place).file() or place))


def _text(path: Path) -> str:
    try:
        with path.expanduser().open("rb") as file:
            return file.read(MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""


def _methods(_word: str, before: list[str]) -> Iterator[Candidate]:
    """The methods of the app that stands before, or that pyproject.toml names; none of it is run."""
    from animus_routes.describe.static_manifest import static_manifest
    from animus_routes.errors import ConfigurationError
    from animus_routes.loading import NotAnApp, configured, named

    named_before = next((one for one in before if ".py" in one or ":" in one), None)
    try:
        target = named(named_before) if named_before else configured()
        manifest = static_manifest(Path(target.file() or target.place), target.attribute)
    except (NotAnApp, OSError, SyntaxError, UnicodeDecodeError, ConfigurationError):
        return
    names: list[str] = manifest["capabilities"]
    yield from (Candidate(name) for name in names if "/" in name)


def _explained(word: str, _before: list[str]) -> Iterator[Candidate]:
    """Kinds, methods, errors and types of the protocol."""
    from animus_routes.describe.explaining import crates, methods
    from animus_routes.describe.named_errors import codes, named_errors

    yield from (Candidate(kind, "kind") for kind in KINDS)
    for found, row in methods():
        yield Candidate(row.name, found.kind)
    yield from (Candidate(one.name, one.text) for one in named_errors())
    yield from (Candidate(str(code), text) for code, text in codes().items())
    if word[:1].isupper() or not word:
        for crate in crates():
            module: Any = __import__(f"animus_routes.structs.{crate}", fromlist=["__all__"])
            yield from (Candidate(name, f"type of {crate}") for name in module.__all__)


CALLED: Final[Mapping[str, Callable[[str, list[str]], Iterator[Candidate]]]] = {
    "APP": _apps,
    "EXPLAINED": _explained,
    "KIND": _kinds,
    "METHOD": _methods,
    "TARGET": _targets,
}
