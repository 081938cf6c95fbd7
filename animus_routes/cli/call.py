"""`animus-routes call APP METHOD [PARAMS]`: a plugin under the host's own conditions."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn, cast

from animus_routes.engine.stderr import say
from animus_routes.engine.wire import write_all
from animus_routes.errors import RpcError
from animus_routes.loading import NotAnApp, configured, fail

if TYPE_CHECKING:
    from animus_routes.host import PluginProcess

USAGE = """usage: animus-routes call [APP] METHOD [PARAMS] [--timeout SECONDS] [--follow SECONDS]

Starts the plugin as a host does (cleared environment, handshake), calls one method, prints the
result as JSON on stdout and notifications on stderr, and shuts the plugin down.

  PARAMS            a JSON object; - reads it from stdin
  --timeout SECONDS how long to wait for the answer (default: 30)
  --follow SECONDS  keep showing notifications for this long after the answer (watch, tail)"""


def main(arguments: list[str]) -> int:
    """Call one method; 0 for a result, 1 for an error, 2 for wrong usage."""
    if arguments[:1] in (["-h"], ["--help"]):
        say(USAGE)
        return 0
    timeout_s = _option(arguments, "--timeout", 30.0)
    follow_s = _option(arguments, "--follow", 0.0)
    target, method, params = _positional(arguments)
    command = [sys.executable, "-m", "animus_routes", "run", target]
    from animus_routes.host import (
        HostError,
        ManifestError,
        PluginProcess,
        ProtocolError,
        read_manifest,
    )
    from animus_routes.host.running import DEVELOPER

    try:
        manifest = read_manifest(command, timeout_s=timeout_s)
        needed = manifest.get("env_required", [])
        names = [item["name"] for item in needed]
        unset = [
            item["name"] for item in needed if item["required"] and not os.environ.get(item["name"])
        ]
        if unset:
            say(f"not set, though the manifest requires it: {', '.join(unset)}")
        with PluginProcess.start(
            command,
            env_required=names,
            stderr=None,
            on_notification=lambda found: _show(found.method, found.params),
        ) as plugin:
            plugin.initialize(host_info=DEVELOPER)
            print_json(plugin.call(method, params, timeout_s=timeout_s))
            if follow_s:
                _follow(plugin, follow_s)
    except RpcError as error:
        details = "" if error.data is None else f"\n{_pretty(error.data)}"
        say(f"error {error.code}: {error.message}{details}")
        return 1
    except ManifestError as error:
        # The app's report or the author's traceback says it all.
        fail(str(error).removeprefix("--manifest: exit code 1: "))
    except (HostError, ProtocolError) as error:
        fail(str(error))
    return 0


def _follow(plugin: PluginProcess, seconds: float) -> None:
    """Wait, while the reader shows the notifications as they arrive."""
    from animus_routes.host import PluginTimeoutError

    with suppress(PluginTimeoutError, KeyboardInterrupt):
        plugin.wait(seconds)


def _positional(arguments: list[str]) -> tuple[str, str, Any]:
    """App, method and params; pyproject.toml may name the app."""
    if len(arguments) == 1 and ":" in arguments[0] + (":" if arguments[0].endswith(".py") else ""):
        _wrong(f"which method of {arguments[0]}?\n\n{USAGE}")
    unknown = [a for a in arguments if a.startswith("-") and a != "-"]
    if unknown or not 1 <= len(arguments) <= 3:
        _wrong(f"unknown option {unknown[0]}\n\n{USAGE}" if unknown else USAGE)
    names_app = len(arguments) > 1 and not arguments[1].lstrip().startswith(("{", "-"))
    target = arguments.pop(0) if names_app else ""
    try:
        target = target or configured()
    except NotAnApp as error:
        fail(str(error))
    method, text = arguments[0], arguments[1] if arguments[1:] else ""
    return target, method, _params(sys.stdin.read() if text == "-" else text)


def _params(text: str) -> Any:
    import json

    if not text.strip():
        return None
    try:
        params = json.loads(text)
    except ValueError as error:
        _wrong(f"the params are not JSON: {error}")
    if not isinstance(params, dict):
        _wrong(f"the params have to be a JSON object, not {text[:40]}")
    return cast("dict[str, Any]", params)


def _option(arguments: list[str], name: str, default: float) -> float:
    if name not in arguments:
        return default
    place = arguments.index(name)
    try:
        value = float(arguments[place + 1])
    except (IndexError, ValueError):
        _wrong(f"{name} needs a number of seconds")
    del arguments[place : place + 2]
    return value


def _wrong(text: str) -> NoReturn:
    say(text)
    raise SystemExit(2)


def _show(method: str, params: Any) -> None:
    say(f"{method} {_pretty(params)}")


def _pretty(value: Any) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False)


def print_json(value: Any) -> None:
    """One result on stdout."""
    write_all(1, f"{_pretty(value)}\n".encode())
