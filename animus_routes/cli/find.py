"""Where an app is: `module:attr`, `file.py:attr`, `file.py`, or what pyproject.toml says."""

from __future__ import annotations

import os
import sys
from types import ModuleType
from typing import NoReturn

from animus_routes.app import App
from animus_routes.errors import ConfigurationError
from animus_routes.launch import say


class NotAnApp(Exception):  # noqa: N818 - the message is for a person at the command line
    """There is no app where the command line says."""


def load(target: str | None) -> App:
    """The app; ends the process with a readable message if there is none.

    An error inside the author's file is shown as the author's traceback, without ours.
    """
    try:
        return find(target or configured())
    except NotAnApp as error:
        fail(str(error))


def fail(text: str) -> NoReturn:
    """Say why and end with 1."""
    say(text)
    sys.exit(1)


def configured() -> str:
    """The `app` of `[tool.animus-routes]` in this folder's pyproject.toml.

    Raises:
        NotAnApp: There is none.
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
            "which app? Name it (module:attr or file.py), or write it into pyproject.toml:\n"
            '[tool.animus-routes]\napp = "tasks:app"'
        )
    return found


def find(target: str) -> App:
    """Import the author's module and take the app out of it.

    Raises:
        NotAnApp: No such file, module or attribute, or it is not an App.
    """
    place, _, attribute = target.rpartition(":")
    if not place or attribute.endswith(".py") or os.sep in attribute:
        place, attribute = target, ""
    is_file = place.endswith(".py") or os.sep in place
    module = _import_file(place) if is_file else _import_module(place)
    return _app_of(module, attribute, place)


def _import_file(path: str) -> ModuleType:
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib costs 5 ms
        raise NotAnApp(f"there is no file {path}")
    folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100 - as above
    sys.path.insert(0, folder)
    return _import(name.removesuffix(".py"), path)


def _import_module(name: str) -> ModuleType:
    sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as above
    return _import(name, name)


def _import(name: str, shown: str) -> ModuleType:
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise NotAnApp(f"there is no module {shown}") from None
        _show_authors_error(error)
    except SystemExit:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever the author's module raises
        _show_authors_error(error)
    return sys.modules[name]


def _show_authors_error(error: BaseException) -> NoReturn:
    """The traceback from the author's first line on."""
    from traceback import format_exception

    own = os.path.dirname(os.path.dirname(__file__))  # noqa: PTH120 - as above
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith((own, "<frozen importlib")):
            break
        trace = trace.tb_next
    fail("".join(format_exception(type(error), error, trace)).rstrip())


def _app_of(module: ModuleType, attribute: str, place: str) -> App:
    if attribute:
        found = getattr(module, attribute, None)
        if found is None:
            from animus_routes.roles import unknown

            apps = _apps(module)
            raise NotAnApp(f"{place}: {unknown('attribute', attribute, apps or vars(module))}")
        if not isinstance(found, App):
            raise NotAnApp(f"{place}:{attribute} is a {type(found).__name__}, not an App")
        return found
    apps = _apps(module)
    if len(apps) != 1:
        names = ", ".join(f"{place}:{name}" for name in apps)
        raise NotAnApp(f"{place} has several apps: {names}" if apps else f"{place} has no App")
    return next(iter(apps.values()))


def _apps(module: ModuleType) -> dict[str, App]:
    found = {name: value for name, value in vars(module).items() if isinstance(value, App)}
    return {
        name: app
        for i, (name, app) in enumerate(found.items())
        if app not in list(found.values())[:i]
    }


def checked(app: App) -> App:
    """The app, if it has no problems; else the report and the end."""
    try:
        app.check()
    except ConfigurationError as error:
        fail(str(error))
    return app


def only_target(arguments: list[str], usage: str) -> str | None:
    """The one optional argument of a command that takes an app and nothing else."""
    if len(arguments) > 1 or arguments[:1] in (["-h"], ["--help"]):
        say(f"usage: animus-routes {usage}")
        sys.exit(0 if arguments[:1] in (["-h"], ["--help"]) else 2)
    return arguments[0] if arguments else None
