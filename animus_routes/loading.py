"""Where an app is: `module:attr`, `file.py:attr`, `file.py`, or what pyproject.toml says."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

from animus_routes.app import App
from animus_routes.engine.program import working_directory
from animus_routes.engine.stderr import say
from animus_routes.serving.launch import importing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType, ModuleType

PYPROJECT: Final = "pyproject.toml"
LOOKING_UP: Final = ("os", "collections.abc", __name__)
WITHOUT: Final = "hosts ask for the manifest without"
KEYS: Final = ("app",)  # of [tool.animus-routes]


class NotAnApp(Exception):  # noqa: N818 - the message is for a person at the command line
    """There is no app where the command line says it is."""


def load(target: str | None, fails: Callable[[str, str], NoReturn] | None = None) -> App:
    """The app; ends the process with a readable message if there is none.

    An error inside the author's file is shown as the author's traceback, without ours.

    Args:
        target: Where it is; None for what pyproject.toml says.
        fails: Called with that message, and with one sentence, instead of `fail`.
    """
    try:
        return find(*(named(target) if target else configured()))
    except NotAnApp as error:
        text = reason = str(error)
    except SystemExit:
        for line in missed(()):
            say(line)
        raise
    except Exception as error:  # noqa: BLE001 - whatever the author's module raises
        text, reason = told(error), in_short(error)
    return fail(text) if fails is None else fails(text, reason)


def fail(text: str) -> NoReturn:
    """Say why, and exit with 1."""
    say(text)
    sys.exit(1)


class Target(NamedTuple):
    """Where an app is.

    Attributes:
        place: A module, or the path of a file.
        attribute: The app's name in it; "" for the only one.
        folder: Where modules are looked for; "" for the working directory.
    """

    place: str
    attribute: str = ""
    folder: str = ""

    @property
    def is_file(self) -> bool:
        """Is it a file, and not a module?"""
        return self.place.endswith(".py") or os.sep in self.place

    def file(self) -> str | None:
        """Its file, as far as it is found without an import."""
        stem = self.place if self.is_file else self.place.replace(".", os.sep)
        ends = ("",) if self.is_file else (".py", f"{os.sep}__init__.py", f"{os.sep}__main__.py")
        for end in ends:
            path = os.path.join(self.folder or working_directory(), stem + end)  # noqa: PTH118 - as below
            if os.path.isfile(path):  # noqa: PTH113 - as below
                return path
        return None

    def source(self) -> str | None:
        """The text of that file."""
        path = self.file()
        if path is None:
            return None
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123 - as below
            return file.read()


def named(target: str, folder: str = "") -> Target:
    """What a command line or pyproject.toml calls it."""
    place, _, attribute = target.rpartition(":")
    if not place or attribute.endswith(".py") or os.sep in attribute:
        place, attribute = target, ""
    if folder and (place.endswith(".py") or os.sep in place):
        place = os.path.join(folder, place)  # noqa: PTH118 - pathlib costs 5 ms
    return Target(place, attribute, folder)


def configured() -> Target:
    """The `app` of `[tool.animus-routes]` in the nearest pyproject.toml that has that table.

    Raises:
        NotAnApp: There is no such entry.
    """
    for folder in _upwards(working_directory()):
        found = _table(os.path.join(folder, PYPROJECT))  # noqa: PTH118 - as above
        for key in found or ():
            if key not in KEYS:
                from animus_routes.errors import unknown

                where = os.path.relpath(os.path.join(folder, PYPROJECT))  # noqa: PTH118 - as above
                raise NotAnApp(f"{where}: {unknown('key', key, KEYS)} in [tool.animus-routes]")
        app = (found or {}).get("app")
        if isinstance(app, str):
            return named(app, folder)
    raise NotAnApp(
        "which app? Name it (module:attr or file.py), or add it to pyproject.toml:\n"
        '[tool.animus-routes]\napp = "tasks:app"'
    )


def _upwards(folder: str) -> Iterator[str]:
    while folder:
        yield folder
        above = os.path.dirname(folder)  # noqa: PTH120 - as above
        if above == folder:
            return
        folder = above


def _table(path: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = (_toml(path) or {}).get("tool", {}).get("animus-routes")
    return found


def _toml(path: str) -> dict[str, Any] | None:
    import tomllib

    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            return tomllib.load(file)
    except OSError:
        return None
    except tomllib.TOMLDecodeError as error:
        raise NotAnApp(f"{os.path.relpath(path)} cannot be read: {error}") from None


def find(place: str, attribute: str = "", folder: str = "") -> App:
    """Import the author's module and return the app in it.

    Raises:
        NotAnApp: There is no such file, module or attribute, or it is not an App.
        Exception: Whatever the author's module raises.
    """
    is_file = Target(place).is_file
    with importing():
        module = import_file(place) if is_file else _import_module(place, folder)
    return app_of(module, attribute, place)


def warn_if_never_run(target: Target) -> None:
    """A host starts the file itself, so that something in it has to call `run`."""
    from animus_routes.describe.static import runs_of

    source = target.source() if target.is_file else None
    runs = None if source is None else runs_of(source)
    if runs is None or runs.found or _is_a_script(target, runs.functions):
        return
    why_not = runs.why_not or "nothing in it calls run(), such as app.run() at its end"
    say(f"{target.place}: {why_not}: a host that starts this file gets nothing")


def _is_a_script(target: Target, functions: Iterable[str]) -> bool:
    """Does the nearest pyproject.toml make a console script of one of the file's functions?"""
    stem = os.path.basename(target.place).removesuffix(".py")  # noqa: PTH119 - as above
    ends = tuple(f"{stem}:{function}" for function in functions)
    folder = os.path.dirname(os.path.abspath(target.place))  # noqa: PTH100, PTH120 - as above
    for above in _upwards(folder) if ends else ():
        try:
            found = _toml(os.path.join(above, PYPROJECT))  # noqa: PTH118 - as above
        except NotAnApp:
            return False
        if found is not None:
            scripts = found.get("project", {}).get("scripts", {})
            return any(str(script).endswith(ends) for script in scripts.values())
    return False


def import_file(path: str) -> ModuleType:
    """Import a file as a module of its folder."""
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
    spec.loader.exec_module(module)
    return module


def _import_module(name: str, folder: str) -> ModuleType:
    if here := folder or working_directory():
        sys.path.insert(0, here)
    return _import(name, name)


def _import(name: str, shown: str) -> ModuleType:
    try:
        __import__(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise NotAnApp(f"there is no module {shown}") from None
        raise
    return sys.modules[name]


def told(error: BaseException) -> str:
    """What an author's module raised: the traceback without our frames, and what can be done."""
    from animus_routes.serving.traces import traceback_of

    return "\n".join([traceback_of(error), *advice(error)])


def in_short(error: BaseException) -> str:
    """The same as one sentence, for the user of a host."""
    from traceback import extract_tb

    from animus_routes.serving.traces import OURS

    if isinstance(error, SyntaxError):
        place = f"{error.filename}:{error.lineno}"
        what = f"{type(error).__name__}: {error.msg}"
    else:
        frames = [f for f in extract_tb(error.__traceback__) if not f.filename.startswith(OURS)]
        place = f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""
        what = " ".join(f"{type(error).__name__}: {error}".split()).removesuffix(":")
    shown = f"its app cannot be imported: {what}" + (f" ({place})" if place else "")
    return "; ".join([shown, *advice(error)])


def advice(error: BaseException) -> Iterator[str]:
    """What can be done about it."""
    name = str(error.args[0]) if error.args else ""
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        if error.name.partition(".")[0] not in sys.modules:
            yield on_module(error.name)
    elif isinstance(error, KeyError) and _is_of_the_environment(error):
        yield on_variable(name, is_set=name in _withheld)
    else:
        # Read with a default, which is None if the author gave none.
        for looked_for, place in _missed.items():
            if looked_for in _withheld or "None" in str(error):
                yield f"{place}: {on_variable(looked_for, is_set=looked_for in _withheld)}"


def _is_of_the_environment(error: KeyError) -> bool:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and trace.tb_frame.f_globals.get("__name__") == "os"


def on_module(name: str) -> str:
    """What to do about a module that is not there."""
    return f"{name} has to be installed for {sys.executable}, which runs this"


def on_variable(name: str, *, is_set: bool) -> str:
    """What to do about a variable that is read during the import."""
    here = f"{name} is set here, but " if is_set else ""
    return (
        f"{here}{WITHOUT} {'it' if is_set else name}: read it in a handler or the lifespan, and "
        "name it in env_required"
    )


_withheld: set[str] = set()
_missed: dict[str, str] = {}  # what an author's code has looked for in vain: where, first


class _Variables(dict[Any, Any]):
    """What `os.environ` keeps its variables in; it notes which are not there."""

    def __missing__(self, key: Any) -> NoReturn:
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        default = None
        while frame is not None and frame.f_globals.get("__name__") in LOOKING_UP:
            default = default or frame.f_locals.get("default")
            frame = frame.f_back
        wanted = default is None or os.fsdecode(key) in _withheld
        if wanted and frame is not None and not _is_installed(frame.f_code.co_filename):
            here = working_directory().rstrip(os.sep) + os.sep
            place = f"{frame.f_code.co_filename.removeprefix(here)}:{frame.f_lineno}"
            _missed.setdefault(os.fsdecode(key), place)
        raise KeyError(key)


def _is_installed(file: str) -> bool:
    """Is it Python's own, or of a package, rather than of the author's?"""
    folders = (os.path.dirname(os.__file__), os.path.dirname(__file__), "<")  # noqa: PTH120 - as above
    return file.startswith(folders) or "site-packages" in file


def import_as_probed() -> None:
    """From here on there are only the variables that a host's probe for the manifest has."""
    from animus_routes.host.variables import BASE_VARIABLES

    for name in [*os.environ]:
        if name not in BASE_VARIABLES:
            _withheld.add(name)
            del os.environ[name]
    kept: Any = os.environ
    if hasattr(kept, "_data"):
        kept._data = _Variables(kept._data)  # noqa: SLF001


def missed(declared: Iterable[str]) -> Iterator[str]:
    """What is said of variables that are set here, that the import has looked for, and hosts lack."""
    known = [*declared]
    for name, place in _missed.items():
        if name in _withheld and name not in known:
            yield f"{place}: {on_variable(name, is_set=True)}"


def app_of(module: ModuleType, attribute: str, place: str) -> App:
    """The app in a module.

    Raises:
        NotAnApp: There is none, or not one alone.
    """
    apps = _apps(module)
    if attribute:
        found = getattr(module, attribute, None)
        if found is None:
            from animus_routes.errors import unknown

            raise NotAnApp(f"{place}: {unknown('attribute', attribute, apps or vars(module))}")
        if not isinstance(found, App):
            advice = f": write `app = {attribute}()` in it" if _makes_apps(found) else ""
            raise NotAnApp(f"{place}:{attribute} is a {type(found).__name__}, not an App{advice}")
        return found
    if not apps:
        made = next((name for name, value in vars(module).items() if _makes_apps(value)), None)
        line = "app = App(...)" if made is None else f"app = {made}()"
        raise NotAnApp(f"{place} has no App: it needs a line such as `{line}`")
    if len(apps) > 1:
        names = ", ".join(f"{place}:{name}" for name in apps)
        raise NotAnApp(f"{place} has several apps, name one: {names}")
    return next(iter(apps.values()))


def _makes_apps(value: Any) -> bool:
    """Is it a function without parameters that calls `App`?"""
    code = getattr(value, "__code__", None)
    return code is not None and "App" in code.co_names and code.co_argcount == 0


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
