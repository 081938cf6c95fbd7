"""`animus-routes manifest APP`."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

from animus_routes.engine.exit import leave
from animus_routes.engine.stderr import say
from animus_routes.engine.wire import claim, write_all
from animus_routes.errors import ConfigurationError
from animus_routes.loading import (
    NotAnApp,
    configured,
    fail,
    import_as_probed,
    load,
    missed,
    named,
    only_target,
    warn_if_never_run,
)
from animus_routes.serving.launch import print_manifest

STATIC = "--static"
USAGE = f"manifest [{STATIC}] [APP]"


def main(arguments: list[str]) -> NoReturn:
    """Print the manifest; whatever the module prints during its import goes to stderr.

    The app is imported in this process, with the variables that a host gives its probe; with
    `--static` it is only read.
    """
    rest = [argument for argument in arguments if argument != STATIC]
    target = only_target(rest, USAGE)
    if rest != arguments:
        _print_static(target)
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


def _print_static(target: str | None) -> NoReturn:
    """Nothing of the app is imported or run."""
    from animus_routes.describe.static_manifest import static_manifest
    from animus_routes.values.codecs import encode

    try:
        found = named(target) if target else configured()
        path = Path(found.file() or found.place)
        document = encode(static_manifest(path, found.attribute))
    except (NotAnApp, OSError, SyntaxError, UnicodeDecodeError) as error:
        fail(f"{target or 'the app'}: {error}")
    except ConfigurationError as error:
        fail("\n".join(["it cannot be told without running it:", *error.problems]))
    write_all(1, document + b"\n")
    leave(0)
