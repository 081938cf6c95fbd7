"""`animus-routes run APP`."""

from __future__ import annotations

from typing import NoReturn

from animus_routes.cli.find import load, only_target
from animus_routes.engine.wire import claim
from animus_routes.launch import on_terminal, say, serve


def main(arguments: list[str]) -> NoReturn:
    """Serve an app; its module is imported after the wire is out of its reach."""
    target = only_target(arguments, "run [APP]")
    if on_terminal():
        say("a host starts this and talks to it on stdin; try `animus-routes call`")
        raise SystemExit(2)
    claim()
    serve(load(target))
