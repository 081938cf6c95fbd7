"""The plugin process from its command line: serve, `--manifest`, `--help`."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from animus_routes.engine.exit import leave
from animus_routes.engine.program import BUILT, is_used
from animus_routes.engine.stderr import say
from animus_routes.engine.wire import claim, write_all
from animus_routes.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from animus_routes.roles import Role
    from animus_routes.serving.session import Session

MANIFEST_FLAGS: Final = frozenset({"--manifest", "-m"})
HELP_FLAGS: Final = frozenset({"--help", "-h"})

_importing: list[bool] = []


class Launched(Protocol):
    """An app, as its command line uses it."""

    name: str
    version: str
    description: str

    @property
    def roles(self) -> list[Role]:
        """The roles of its kinds."""
        ...

    def manifest(self) -> dict[str, Any]:
        """Its manifest."""
        ...

    def session(self) -> Session:
        """One host's connection."""
        ...


@contextmanager
def importing() -> Generator[None, None, None]:
    """While a command imports an author's module, `app.run()` in it is a mistake."""
    _importing.append(True)
    try:
        yield
    finally:
        _importing.pop()


def launch(app: Launched, arguments: list[str]) -> NoReturn:
    """Do what the host wants when it starts the process in this way."""
    is_used()
    if _importing:
        say(
            "app.run() was called while the module was being imported; write\n"
            '    if __name__ == "__main__":\n        app.run()'
        )
        leave(1)
    if arguments[:1] and arguments[0] in HELP_FLAGS:
        say(usage(app))
        leave(0)
    if arguments[:1] and arguments[0] in MANIFEST_FLAGS:
        print_manifest(app)
    if arguments and arguments[0] in [role.command for role in app.roles]:
        from animus_routes.serving.execute import main

        leave(main(arguments[1:]))
    if arguments:
        say(f"unknown argument '{arguments[0]}'\n{usage(app)}")
        leave(2)
    if on_terminal():
        say(
            f"{app.name} is an Animus plugin: a host starts it and talks to it on stdin. Try "
            "--manifest, or `animus-routes call`."
        )
        leave(2)
    serve(app, told=bool(BUILT))


def serve(app: Launched, *, told: bool) -> NoReturn:
    """Serve until the host is done.

    Args:
        app: Whose.
        told: The host is told why it cannot be served. An author's own program ends as every
            Python program does, with the reason on stderr.
    """
    from animus_routes.engine.process import Process

    pair = claim()
    try:
        session = app.session()
    except ConfigurationError as error:
        if told:
            cannot_serve(str(error), f"{app.name} cannot be served: {_short(error)}")
        say(str(error))
        leave(1)
    Process(session, *pair).serve()


def cannot_serve(text: str, reason: str) -> NoReturn:
    """Nothing can be served: tell the host as long as it asks, and exit with 1.

    Args:
        text: What is said on stderr.
        reason: One sentence, which the host shows.
    """
    from animus_routes.serving.unserved import refuse

    say(text)
    refuse(reason, *claim())
    leave(1)


def _short(error: ConfigurationError) -> str:
    """The first of its problems, and how many there are."""
    more = len(error.problems) - 1
    return error.problems[0] + (f" (and {more} more: see its stderr)" if more else "")


def print_manifest(app: Launched, warn: Callable[[], None] | None = None) -> NoReturn:
    """Print one JSON document and nothing else.

    Args:
        app: Whose.
        warn: Called if there is one, to say on stderr what else a host would meet.
    """
    from animus_routes.values.codecs import encode

    _, out = claim()
    try:
        document = encode(app.manifest())
    except ConfigurationError as error:
        say(str(error))
        leave(1)
    if warn is not None:
        warn()
    write_all(out, document + b"\n")
    leave(0)


def on_terminal() -> bool:
    try:
        return os.isatty(0)
    except OSError:
        return False


def usage(app: Launched) -> str:
    """A short help text for a person who starts the plugin by hand."""
    return (
        f"{app.name} {app.version}: {app.description}\n\n"
        "  (no argument)     serve the Animus plugin protocol on stdin and stdout\n"
        "  --manifest, -m    print the plugin's manifest as one JSON document\n"
        "  --help, -h        this text"
    )
