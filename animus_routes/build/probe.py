"""What a host's probe would find of an app: run in a process of its own, under the host's conditions.

`python -P -m animus_routes.build.probe PLACE ATTRIBUTE FOLDER` prints one `Seen` as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from typing import Any, Final, TypedDict

FOUND: Final = list(sys.path)  # before anything is added for the app
LOADED: Final = frozenset(sys.modules)  # before anything is imported for it

# Files of this kind that only patch what no plugin uses.
HARMLESS: Final = frozenset({"distutils-precedence.pth", "_virtualenv.pth"})
CUSTOM: Final = ("sitecustomize", "usercustomize")


class Seen(TypedDict):
    """What was seen.

    Attributes:
        failed: Why there is no app; "" if there is one.
        problems: What is wrong with it.
        manifest: Its manifest, if nothing is wrong.
        modules: What its import has loaded, by name, each with its file.
        attribute: Its name in its module.
        folder: The entry of `sys.path` that it was found under, if that is there for its sake.
        path: `sys.path` as the interpreter begins.
        prefix: `sys.prefix`.
        needs_site: The files that run code when an interpreter starts; without any, its paths can
            be set instead.
    """

    failed: str
    problems: list[str]
    manifest: dict[str, Any]
    modules: dict[str, str]
    attribute: str
    folder: str
    path: list[str]
    prefix: str
    needs_site: list[str]


def main(place: str, attribute: str, folder: str) -> None:
    """Print what was seen."""
    from animus_routes.engine.wire import claim, write_all

    _, out = claim()
    seen = look(place, attribute, folder)
    write_all(out, json.dumps(seen).encode())


def look(place: str, attribute: str, folder: str) -> Seen:
    """Import the app and describe it."""
    from animus_routes.describe.check import problems
    from animus_routes.describe.manifest import manifest
    from animus_routes.errors import ConfigurationError
    from animus_routes.loading import NotAnApp, find, told

    seen = Seen(
        failed="",
        problems=[],
        manifest={},
        modules={},
        attribute=attribute,
        folder="",
        path=FOUND,
        prefix=sys.prefix,
        needs_site=[*needs_site()],
    )
    try:
        app = find(place, attribute, folder)
        seen["problems"] = problems(app)
        if not seen["problems"]:
            seen["manifest"] = manifest(app)
    except NotAnApp as error:
        seen["failed"] = str(error)
    except ConfigurationError as error:
        seen["problems"] = error.problems
    except Exception as error:  # noqa: BLE001 - whatever the author's module raises
        seen["failed"] = told(error)
    else:
        seen["modules"] = modules()
        seen["folder"] = os.path.dirname(place) if os.sep in place else _folder_of(place)  # noqa: PTH120
    return seen


def modules() -> dict[str, str]:
    """What is loaded, by name, with the file that it comes from."""
    found: dict[str, str] = {}
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and name not in LOADED:
            found[name] = os.path.abspath(file)  # noqa: PTH100
    return found


def _folder_of(name: str) -> str:
    """Where a module's package is; "" if the interpreter looks there by itself."""
    top = sys.modules[name.partition(".")[0]]
    paths = list(getattr(top, "__path__", ()))
    inside = paths[0] if paths else (top.__file__ or "")
    folder = os.path.dirname(os.path.abspath(inside))  # noqa: PTH100, PTH120
    return folder if folder not in FOUND and folder in sys.path else ""


def needs_site() -> list[str]:
    """The files that run code of their own when this interpreter starts."""
    import site

    found: list[str] = [name for name in CUSTOM if name in sys.modules]
    folders = [
        *site.getsitepackages(),
        *([site.getusersitepackages()] if site.ENABLE_USER_SITE else []),
    ]
    for folder in folders:
        with suppress(OSError):
            for name in sorted(os.listdir(folder)):  # noqa: PTH208
                if name.endswith(".pth") and name not in HARMLESS:
                    path = os.path.join(folder, name)  # noqa: PTH118
                    found += [path] if runs_code(path) else []
    return found


def runs_code(path: str) -> bool:
    """Does a .pth file do more than add folders?"""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return any(line.startswith(("import ", "import\t")) for line in file)
    except OSError:
        return False


if __name__ == "__main__":
    main(*sys.argv[1:4])
