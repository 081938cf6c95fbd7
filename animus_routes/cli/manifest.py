"""`animus-routes manifest APP`."""

from __future__ import annotations

from typing import NoReturn

from animus_routes.engine.stderr import say
from animus_routes.engine.wire import claim
from animus_routes.errors import ConfigurationError
from animus_routes.loading import (
    fail,
    import_as_probed,
    load,
    missed,
    named,
    only_target,
    warn_if_never_run,
)
from animus_routes.serving.launch import print_manifest


def main(arguments: list[str]) -> NoReturn:
    """Print the manifest; whatever the module prints during its import goes to stderr.

    The app is imported in this process, with the variables that a host gives its probe.
    """
    target = only_target(arguments, "manifest [APP]")
    claim()
    import_as_probed()
    app = load(target)

    try:
        declared = [found["name"] for found in app.manifest().get("env_required", [])]
    except ConfigurationError as error:
        fail("\n".join([str(error), *missed(())]))

    def warn() -> None:
        warn_if_never_run(named(target or ""))
        for line in missed(declared):
            say(line)

    print_manifest(app, warn)
