"""The part of a built file that Python runs: it sets the paths, and hands over to `start`.

It is compiled at every start, so that it is short; what is seldom needed stands in it as text.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from animus_routes.build import unpack
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
"""

INTO_ENVIRONMENT: Final = """    sys.prefix = sys.exec_prefix = {prefix}
    sys.path += [path for path in {path} if path not in sys.path]
"""

# Which place is whole: its folders are as they were when the last file was in its place.
FROM_CACHE: Final = """    import os, time
    if sys.version_info[:2] != {version} or sys.implementation.name != {implementation}:
        raise ImportError("it was built for {wanted}")
    name = {name}
    user = os.geteuid()
    places = [os.path.expanduser("~/.cache/animus-routes"), f"/run/user/{{user}}/.cache/animus-routes"]
    def is_whole(root):
        global lock
        try:
            lock = os.open(f"{{root}}.lock", os.O_RDWR)
            os.lseek(lock, os.getpid(), 0)
            os.lockf(lock, os.F_TLOCK, 1)
        except OSError:
            pass
        try:
            found = os.stat(os.path.dirname(root))
            if found.st_uid != user or found.st_mode & 0o022:
                return False
            with open(f"{{root}}.whole", errors="surrogateescape") as mark:
                for line in mark:
                    when, _, folder = line.partition(" ")
                    if os.stat(root + folder[:-1]).st_mtime_ns != int(when):
                        return False
            if {day} < time.time() - os.stat(f"{{root}}.whole").st_mtime:
                os.utime(f"{{root}}.whole")
        except (OSError, ValueError):
            return False
        return True
    root = next((r for p in places if is_whole(r := f"{{p}}/{{name}}")), None)
    if root is None:
        with open(sys.argv[0], "rb") as file:
            file.seek(-{size}, 2)
            data = file.read()
        unpacking = {{"__name__": "unpacking"}}
        exec({unpack}, unpacking)
        root = unpacking["unpack"](data, name, places, is_whole)
    def damaged():
        try:
            os.unlink(f"{{root}}.whole")
        except OSError:
            pass
    made["folder"] = made["folder"] and f"{{root}}/app"
    made["place"] = made["place"].replace({inside}, f"{{root}}/app/")
    sys.path.append(f"{{root}}/lib")
"""

CLOSING: Final = """    from animus_routes.build.start import start
except BaseException as error:
    if damaged:
        damaged()
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

DAY_S: Final = 24 * 3600  # a mark is touched once a day: unused ones are removed one day


INSIDE: Final = "\0"  # stands for the folder of the app's files, wherever that is unpacked


class Bundle(NamedTuple):
    """The archive that follows the text.

    Attributes:
        name: Of the folder that it is unpacked into; it has the archive's hash.
        size: In bytes; it is the file's end.
    """

    name: str
    size: int


def boot(made: Made, *, path: Sequence[str] | None, prefix: str) -> bytes:
    """The text for a launcher into an environment.

    Args:
        made: What `start` gets.
        path: The environment's `sys.path`, if the module `site` is left out.
        prefix: The environment's `sys.prefix`.
    """
    paths = ""
    if path:
        into = INTO_ENVIRONMENT.format(prefix=ascii(prefix), path=ascii(list(path)))
        paths = WITHOUT_SITE + into
    return _text(made, paths, "animus-routes cannot be imported")


def boot_of(made: Made, bundle: Bundle) -> bytes:
    """The text for a bundle; the app's file is `INSIDE` it."""
    version = sys.version_info[:2]
    unpacks = FROM_CACHE.format(
        version=version,
        implementation=ascii(sys.implementation.name),
        wanted=f"{sys.implementation.name} {version[0]}.{version[1]}",
        name=ascii(bundle.name),
        inside=ascii(INSIDE),
        day=DAY_S,
        size=bundle.size,
        unpack=ascii(text_of(unpack.__file__)),
    )
    return _text(made, WITHOUT_SITE + unpacks, "it cannot be started")


def _text(made: Made, paths: str, what: str) -> bytes:
    closing = CLOSING.format(what=what, unserved=ascii(text_of(unserved.__file__)))
    return (OPENING.format(made=ascii(made)) + paths + closing).encode()


def text_of(file: str | None) -> str:
    """The source of a module of ours."""
    assert file is not None
    return Path(file).read_text("utf-8")
