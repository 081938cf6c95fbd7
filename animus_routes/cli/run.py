"""`animus-routes run APP`."""

from __future__ import annotations

from typing import Final, NoReturn

from animus_routes.engine.program import hold_collector
from animus_routes.engine.stderr import say
from animus_routes.engine.wire import claim
from animus_routes.loading import load, only_target
from animus_routes.serving.launch import (
    MANIFEST_FLAGS,
    cannot_serve,
    on_terminal,
    print_manifest,
    serve,
)

USAGE: Final = "run [APP] [--manifest]"


def main(arguments: list[str]) -> NoReturn:
    """Serve an app; its module is imported once the wire is out of its reach.

    `--manifest` prints the manifest instead, so a launcher that passes its arguments on to this
    command is all that a host needs. A host is told why an app cannot be imported.
    """
    targets = [argument for argument in arguments if argument not in MANIFEST_FLAGS]
    target = only_target(targets, USAGE)
    if len(targets) < len(arguments):
        claim()
        print_manifest(load(target))
    if on_terminal():
        say("a host starts this and talks to it on stdin; try `animus-routes call`")
        raise SystemExit(2)
    hold_collector()
    claim()
    serve(load(target, cannot_serve), told=True)
