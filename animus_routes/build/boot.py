"""The part of a built file that Python runs: it sets the paths, and hands over to `start`.

It is compiled at every start, so that it is short; what is seldom needed stands in it as text.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from animus_routes.serving import unserved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from animus_routes.build.start import Made

OPENING: Final = """import gc, sys
gc.disable()
sys.argv = sys.argv[1:]
made = {made}
damaged = None
try:
"""

# What the module `site` would do, which costs more than the framework's own import of itself.
WITHOUT_SITE: Final = """    import _sitebuiltins, builtins
    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
    builtins.help = _sitebuiltins._Helper()
    sys.prefix = sys.exec_prefix = {prefix}
    sys.path += [path for path in {path} if path not in sys.path]
"""

CLOSING: Final = """    from animus_routes.build.start import start
except BaseException as error:
    reason = f"{{made['name']}}: {what} by {{sys.executable}}: {{error}}"
    print(reason, file=sys.stderr, flush=True)
    if sys.argv[1:]:
        sys.exit(1)
    exec({unserved})
    refuse(reason)
    sys.exit(1)
gc.enable()
start(made, damaged)
"""


def boot(made: Made, *, path: Sequence[str] | None, prefix: str) -> bytes:
    """The text for a launcher into an environment.

    Args:
        made: What `start` gets.
        path: The environment's `sys.path`, if the module `site` is left out.
        prefix: The environment's `sys.prefix`.
    """
    paths = WITHOUT_SITE.format(prefix=ascii(prefix), path=ascii(list(path))) if path else ""
    what = "animus-routes cannot be imported"
    closing = CLOSING.format(what=what, unserved=ascii(text_of(unserved.__file__)))
    return (OPENING.format(made=ascii(made)) + paths + closing).encode()


def text_of(file: str | None) -> str:
    """The source of a module of ours."""
    assert file is not None
    return Path(file).read_text("utf-8")
