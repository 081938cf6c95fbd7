"""`animus-routes schema [APP]`: the app as an OpenRPC document."""

from __future__ import annotations

from animus_routes.describe.check import problems
from animus_routes.engine.wire import claim, write_all
from animus_routes.errors import ConfigurationError
from animus_routes.loading import fail, import_as_probed, load, only_target

USAGE = "schema [APP]"


def main(arguments: list[str]) -> int:
    """Print the document; 1 if the app has problems."""
    target = only_target(arguments, USAGE)
    _, out = claim()  # what the author's module prints is not our output
    import_as_probed()
    app = load(target)
    found = problems(app)
    if found:
        fail(str(ConfigurationError(found)))
    from animus_routes.describe.openrpc import document, written

    write_all(out, written(document(app)))
    return 0
