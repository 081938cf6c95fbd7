"""`animus-routes call APP METHOD [PARAMS]`: a plugin under the host's own conditions."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from animus_routes.describe.static import runs_of
from animus_routes.dev.params import NotParamsError, is_params, read_params
from animus_routes.engine.program import NEVER_RUN
from animus_routes.engine.stderr import say
from animus_routes.engine.wire import write_all
from animus_routes.errors import METHOD_NOT_FOUND, RpcError
from animus_routes.loading import NotAnApp, Target, configured, fail, named, warn_if_never_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.host import Notification, PluginProcess

USAGE = """usage: animus-routes call [APP] METHOD [PARAMS] [--timeout SECONDS] [--follow SECONDS] [--no-check]

Starts the plugin as a host does (cleared environment, handshake), calls one method, prints the
result as JSON on stdout and notifications on stderr, and shuts the plugin down. What a host could
not decode is told, and the exit code is 1.

  PARAMS            a JSON object (- reads it from stdin), or key=text and key:=json
  --timeout SECONDS how long to wait for the handshake, and for the answer (default: 30)
  --follow SECONDS  keep showing notifications for this long after the answer (watch, tail)
  --no-check        print whatever comes, without decoding it as a host does"""


class Asked(NamedTuple):
    """What the command line asks for.

    Attributes:
        app: As it was written, for another command; empty if pyproject.toml names it.
    """

    target: Target
    app: tuple[str, ...]
    method: str
    params: dict[str, Any] | None
    timeout_s: float
    follow_s: float
    checks: bool

    def is_built(self) -> bool:
        """Is it no source, but what `build` or somebody else made of one?"""
        place = self.target.place
        is_named = self.target.is_file and not self.target.attribute
        return is_named and not place.endswith(".py") and os.access(place, os.X_OK)

    def by_name(self) -> list[str]:
        """Starts an app that its file does not run."""
        return [sys.executable, "-m", "animus_routes", "run", *self.app]

    def command(self) -> list[str]:
        """What starts it: the file itself, as hosts do, if it is a built one or its text runs the app."""
        found = self.target
        if self.is_built():
            return [found.place]
        if found.is_file and not found.attribute and runs_of(found.source() or "").found:
            return [sys.executable, found.place]
        return self.by_name()


def main(arguments: list[str]) -> int:
    """Call one method; 0 for a result, 1 for an error, 2 for wrong usage."""
    if arguments[:1] in (["-h"], ["--help"]):
        say(USAGE)
        return 0
    asked = _asked(arguments)
    from animus_routes.host import HostError, ManifestError, ProtocolError, read_manifest

    manifest: dict[str, Any] = {}
    command = asked.command()
    try:
        try:
            manifest = read_manifest(command, timeout_s=asked.timeout_s)
        except ManifestError as error:
            if NEVER_RUN not in str(error):
                raise
            say(_report(error))
            command = asked.by_name()
            manifest = read_manifest(command, timeout_s=asked.timeout_s)
        warn_if_never_run(asked.target)
        return _call(asked, command, manifest)
    except RpcError as error:
        details = "" if error.data is None else f"\n{_pretty(error.data)}"
        say(f"error {error.code}: {error.message}{_advice(asked, manifest, error)}{details}")
        return 1
    except ManifestError as error:
        from animus_routes.cli.advice import on_import

        report = _report(error)
        fail(f"{report}\n{on_import(report, asked.app)}".rstrip())
    except (HostError, ProtocolError) as error:
        fail(str(error))


def _report(error: Exception) -> str:
    """What the plugin wrote: the app's report, or the author's traceback."""
    return str(error).removeprefix("--manifest: exit code 1: ")


def _call(asked: Asked, command: list[str], manifest: dict[str, Any]) -> int:
    """Start it, call it, show what comes; 1 if a host could not decode that."""
    from animus_routes.host import PluginProcess
    from animus_routes.host.running import DEVELOPER

    needed = manifest.get("env_required", [])
    names = [item["name"] for item in needed]
    unset = [i["name"] for i in needed if i["required"] and not os.environ.get(i["name"])]
    if unset:
        say(f"not set, though the manifest requires it: {', '.join(unset)}")
    _say_undeclared(asked, names)
    problems: list[str] = []
    check = _checker(asked, manifest, problems) if asked.checks else None

    def take(found: Notification) -> None:
        say(f"{found.method} {_pretty(found.params)}")
        if check is not None:
            check(found.method, found.params)

    with PluginProcess.start(
        command, env_required=names, stderr=None, on_notification=take
    ) as plugin:
        _shake_hands(plugin, asked, DEVELOPER)
        result = plugin.call(asked.method, asked.params, timeout_s=asked.timeout_s)
        print_json(result)
        if check is not None:
            check("", result)
        if asked.follow_s:
            _follow(plugin, asked.follow_s)
        # A stream that fails later tells why on stderr, and hosts hear nothing of it.
        code = plugin.shutdown()
        failed = code > 0 and asked.checks
    if failed:
        say(f"the plugin answered, and then ended with exit code {code}")
    if problems:
        from animus_routes.cli.advice import place_of

        place = place_of(asked.method, asked.app)
        for problem in dict.fromkeys(problems):
            say(f"{place}{problem}")
    return 1 if problems or failed else 0


def _shake_hands(plugin: PluginProcess, asked: Asked, host_info: Any) -> None:
    from animus_routes.host import PluginTimeoutError

    try:
        plugin.initialize(host_info=host_info, timeout_s=asked.timeout_s)
    except PluginTimeoutError as error:
        raise PluginTimeoutError(f"{error}: the lifespan and on_initialize run in it") from None


def _say_undeclared(asked: Asked, declared: list[str]) -> None:
    """What works in this shell, and not at a host."""
    source = None if asked.is_built() else asked.target.source()
    if source is None or ("environ" not in source and "getenv" not in source):
        return
    from animus_routes.cli.advice import undeclared

    for name in undeclared(source, declared):
        say(f"{name} is set here, but not named in env_required: hosts do not pass it on")


def _advice(asked: Asked, manifest: dict[str, Any], error: RpcError) -> str:
    if error.code != METHOD_NOT_FOUND:
        return ""
    from animus_routes.cli.advice import on_method

    return f"; {on_method(asked.method, manifest.get('capabilities', []))}"


def _checker(
    asked: Asked, manifest: dict[str, Any], problems: list[str]
) -> Callable[[str, Any], None]:
    """Decodes what comes as a host does: a result, or a notification's params, by its name."""
    from animus_routes.describe.decoding import check_item, check_result
    from animus_routes.roles import KINDS, role
    from animus_routes.routing.registry import Registry

    kinds = [manifest["plugin_kind"], *manifest.get("plugin_kinds", [])]
    token = "subject_kind:"  # noqa: S105 - a word of the manifest's
    tokens = [word for word in manifest.get("capabilities", []) if word.startswith(token)]
    roles = [role(kind) for kind in kinds if kind in KINDS]
    subject_kinds = [word.removeprefix(token) for word in tokens]
    row = Registry(roles, [], subject_kinds, 1, [], {}).row(asked.method)[1] if roles else None

    def check(notification: str, given: Any) -> None:
        try:
            if notification:
                check_item(row, asked.method, notification, given)
            else:
                check_result(row, asked.method, given)
        except TypeError as error:
            problems.append(str(error))

    return check


def _follow(plugin: PluginProcess, seconds: float) -> None:
    """Wait, while the reader shows the notifications as they arrive."""
    from animus_routes.host import PluginTimeoutError

    with suppress(PluginTimeoutError, KeyboardInterrupt):
        plugin.wait(seconds)


def _asked(arguments: list[str]) -> Asked:
    """Options, app, method and params; pyproject.toml may name the app."""
    timeout_s = _option(arguments, "--timeout", 30.0)
    follow_s = _option(arguments, "--follow", 0.0)
    checks = "--no-check" not in arguments
    rest = [argument for argument in arguments if argument != "--no-check"]
    count = next((i for i, argument in enumerate(rest) if is_params(argument)), len(rest))
    words, params = rest[:count], rest[count:]
    unknown = [word for word in words if word.startswith("-")]
    if unknown:
        _wrong(f"unknown option {unknown[0]}\n\n{USAGE}")
    if not words or (len(words) == 1 and _is_app(words[0])):
        _wrong(f"which method{f' of {words[0]}' if words else ''}?\n\n{USAGE}")
    if len(words) > 2:
        _wrong(f"{words[2]!r} is none of: a JSON object, key=text, key:=json\n\n{USAGE}")
    app = tuple(words[:-1])
    try:
        target = named(app[0]) if app else configured()
        return Asked(target, app, words[-1], read_params(params), timeout_s, follow_s, checks)
    except NotAnApp as error:
        fail(str(error))
    except NotParamsError as error:
        _wrong(str(error))


def _is_app(word: str) -> bool:
    return ":" in word or word.endswith(".py")


def _option(arguments: list[str], name: str, default: float) -> float:
    if name not in arguments:
        return default
    place = arguments.index(name)
    try:
        value = float(arguments[place + 1])
    except (IndexError, ValueError):
        value = -1.0
    if not value >= 0:
        _wrong(f"{name} needs a number of seconds")
    del arguments[place : place + 2]
    return value


def _wrong(text: str) -> NoReturn:
    say(text)
    raise SystemExit(2)


def _pretty(value: Any) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False)


def print_json(value: Any) -> None:
    """One result on stdout."""
    write_all(1, f"{_pretty(value)}\n".encode())
