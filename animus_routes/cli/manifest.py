"""`animus-routes manifest APP`."""

from __future__ import annotations

from typing import NoReturn

from animus_routes.engine.wire import claim
from animus_routes.loading import load, only_target
from animus_routes.serving.launch import print_manifest


def main(arguments: list[str]) -> NoReturn:
    """Print the manifest; whatever the module prints during its import goes to stderr."""
    target = only_target(arguments, "manifest [APP]")
    claim()
    print_manifest(load(target))
