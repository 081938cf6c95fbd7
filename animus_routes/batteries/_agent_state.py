"""Is an agent there, new enough, and logged in?"""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, Any, Final

import msgspec

from animus_routes.errors import Cancelled, RpcError, Unavailable

if TYPE_CHECKING:
    from animus_routes.batteries._agent_table import Agent, AgentSettings
    from animus_routes.handlers.context import Context

__all__ = ["check_agent", "packaged", "program_of", "refuse_old"]

NO: Final = frozenset({"", "0", "false", "no", "off"})
FILE_CHARACTERS: Final = 1024 * 1024
VERSION_S: Final = 0.7  # after a second, health is told to be degraded


def check_agent(agent: Agent, ctx: Context[Any], settings: AgentSettings) -> str | None:
    """For `@app.health`: is it installed, new enough, and is there a login?

    Raises:
        Unavailable: It is not installed, or too old.
    """
    program = program_of(agent, settings, None)
    refuse_old(agent, program, ctx)
    if sys.platform == "darwin":
        return None  # it may be in the keychain
    if any(map(os.environ.get, agent.keys)):
        return None
    if any(os.environ.get(name, "").lower() not in NO for name in agent.elsewhere):
        return None
    variable, folder = agent.home
    home = os.environ.get(variable) or os.path.expanduser(f"~/{folder}")  # noqa: PTH111
    if any(_says(f"{home}/{name}", pattern) for name, pattern in agent.logins.items()):
        return None
    return f"{agent.title} does not seem to be logged in. {agent.login}"


def _says(path: str, pattern: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return re.search(pattern, file.read(FILE_CHARACTERS), re.MULTILINE) is not None
    except OSError:
        return False


def program_of(agent: Agent, settings: AgentSettings, path: str | None) -> str:
    """The path of an agent's program.

    Raises:
        Unavailable: There is none.
    """
    from shutil import which

    found = which(settings.program, path=path)
    if found is None:
        where = "" if os.sep in settings.program else " on the PATH"
        raise Unavailable(
            f"{agent.title} is not installed: there is no '{settings.program}'{where}."
            f" Install it: {agent.install}"
        )
    return os.path.abspath(found)  # noqa: PTH100 - not to resolve links


def refuse_old(agent: Agent, program: str, ctx: Context[Any]) -> None:
    """Be sure that a program is new enough, if it says its version.

    Raises:
        Unavailable: It is not.
    """
    version = packaged(program, agent.package) or _asked_version(program, ctx)
    if version and _numbers(version) < _numbers(agent.oldest):
        raise Unavailable(
            f"{agent.title} {version} is too old: {agent.oldest} or newer is needed."
            f" Update it: {agent.install}"
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def packaged(program: str, package: str) -> str:
    """The version of what npm has installed; its `--version` may take seconds."""
    folder = os.path.dirname(os.path.realpath(program))  # noqa: PTH120
    for _ in range(3):
        try:
            with open(f"{folder}/package.json", "rb") as file:  # noqa: PTH123
                found = msgspec.json.decode(file.read())
                if found.get("name") == package:
                    return _version(str(found.get("version")))
        except (OSError, ValueError, AttributeError):
            pass
        folder = os.path.dirname(folder)  # noqa: PTH120
    return ""


def _asked_version(program: str, ctx: Context[Any]) -> str:
    from animus_routes.batteries import children

    try:
        with children.run(
            [program, "--version"], ctx, timeout_s=VERSION_S, patience_s=0.1
        ) as asked:
            return _version("\n".join(asked.lines()))
    except Cancelled:
        raise
    except RpcError:  # it does not say; a run will
        return ""


def _version(text: str) -> str:
    found = re.search(r"\d+\.\d+\.\d+", text)
    return found.group() if found else ""
