"""Where an app is: `module:attr`, `file.py:attr`, `file.py`, or what pyproject.toml says."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn

from animus_routes.app import App
from animus_routes.engine.program import working_directory
from animus_routes.engine.stderr import say
from animus_routes.serving.launch import importing

if TYPE_CHECKING:
    from types import ModuleType


class NotAnApp(Exception):  # noqa: N818 - the message is for a person at the command line
    """There is no app where the command line says it is."""


def load(target: str | None) -> App:
    """The app; ends the process with a readable message if there is none.

    An error inside the author's file is shown as the author's traceback, without ours.
    """
    try:
        return find(target or configured())
    except NotAnApp as error:
        fail(str(error))


def fail(text: str) -> NoReturn:
    """Say why, and exit with 1."""
    say(text)
    sys.exit(1)


def configured() -> str:
    """The `app` of `[tool.animus-routes]` in this folder's pyproject.toml.

    Raises:
        NotAnApp: There is no such entry.
    """
    import tomllib

    try:
        with open("pyproject.toml", "rb") as file:  # noqa: PTH123 - pathlib costs 5 ms
            found = tomllib.load(file).get("tool", {}).get("animus-routes", {}).get("app")
    except FileNotFoundError:
        found = None
    except tomllib.TOMLDecodeError as error:
        raise NotAnApp(f"pyproject.toml cannot be read: {error}") from None
    if not isinstance(found, str):
        raise NotAnApp(
            "which app? Name it (module:attr or file.py), or add it to pyproject.toml:\n"
            '[tool.animus-routes]\napp = "tasks:app"'
        )
    return found


def find(target: str) -> App:
    """Import the author's module and return the app in it.

    Raises:
        NotAnApp: There is no such file, module or attribute, or it is not an App.
    """
    place, _, attribute = target.rpartition(":")
    if not place or attribute.endswith(".py") or os.sep in attribute:
        place, attribute = target, ""
    is_file = place.endswith(".py") or os.sep in place
    with importing():
        module = _import_file(place) if is_file else _import_module(place)
    return _app_of(module, attribute, place)


def _import_file(path: str) -> ModuleType:
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib costs 5 ms
        raise NotAnApp(f"there is no file {path}")
    full = os.path.abspath(path)  # noqa: PTH100 - as above
    folder, file = os.path.split(full)
    sys.path.insert(0, folder)
    name = file.removesuffix(".py")
    if "." in name or name in sys.modules or name in sys.stdlib_module_names:
        return _import_as(full, f"_animus_app_{name.replace('.', '_')}")
    return _import(name, path)


def _import_as(path: str, name: str) -> ModuleType:
    """Import a file whose own name is taken, or is not a module name."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NotAnApp(f"{path} is not a Python file")
    module = module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # noqa: BLE001 - whatever the author's module raises
        _show_authors_error(error)
    return module


def _import_module(name: str) -> ModuleType:
    if here := working_directory():
        sys.path.insert(0, here)
    return _import(name, name)


def _import(name: str, shown: str) -> ModuleType:
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise NotAnApp(f"there is no module {shown}") from None
        _show_authors_error(error)
    except Exception as error:  # noqa: BLE001 - whatever the author's module raises
        _show_authors_error(error)
    return sys.modules[name]


def _show_authors_error(error: BaseException) -> NoReturn:
    """The traceback without our frames."""
    from animus_routes.serving.traces import traceback_of

    fail(traceback_of(error))


def _app_of(module: ModuleType, attribute: str, place: str) -> App:
    apps = _apps(module)
    if attribute:
        found = getattr(module, attribute, None)
        if found is None:
            from animus_routes.errors import unknown

            raise NotAnApp(f"{place}: {unknown('attribute', attribute, apps or vars(module))}")
        if not isinstance(found, App):
            raise NotAnApp(f"{place}:{attribute} is a {type(found).__name__}, not an App")
        return found
    if not apps:
        raise NotAnApp(f"{place} has no App: it needs a line such as `app = App(...)`")
    if len(apps) > 1:
        names = ", ".join(f"{place}:{name}" for name in apps)
        raise NotAnApp(f"{place} has several apps, name one: {names}")
    return next(iter(apps.values()))


def _apps(module: ModuleType) -> dict[str, App]:
    """The apps of a module, each under its first name."""
    found: dict[int, tuple[str, App]] = {}
    for name, value in vars(module).items():
        if isinstance(value, App):
            found.setdefault(id(value), (name, value))
    return dict(found.values())


def only_target(arguments: list[str], usage: str) -> str | None:
    """The one optional argument of a command that takes an app and nothing else."""
    if len(arguments) > 1 or arguments[:1] in (["-h"], ["--help"]):
        say(f"usage: animus-routes {usage}")
        sys.exit(0 if arguments[:1] in (["-h"], ["--help"]) else 2)
    return arguments[0] if arguments else None
