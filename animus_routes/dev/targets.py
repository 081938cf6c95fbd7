"""What `animus-routes dev` and `shell` start: an app by its name, or any program."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from animus_routes.conformance.candidate import by_name, candidate
from animus_routes.loading import configured, named

if TYPE_CHECKING:
    from animus_routes.loading import Target


class Chosen(NamedTuple):
    """What is started.

    Attributes:
        command: What serves it, from any folder.
        app: Where it is, if it is an app of this framework.
        installed: What a host would start, and with arguments of its own.
    """

    command: list[str]
    app: Target | None
    installed: list[str]

    @property
    def file(self) -> Path | None:
        """The file of an app."""
        found = self.app.file() if self.app is not None else None
        return None if found is None else Path(found)


def chosen(target: str | None) -> Chosen:
    """What a target means, as for `animus-routes check`.

    Args:
        target: `module:attr`, a Python file, an executable, or a command line; None for the app
            that pyproject.toml names.

    Raises:
        NotAnApp: It is none of these.
    """
    found = candidate(target)
    if found.file is not None or (target is not None and shlex.split(target)[1:]):
        return Chosen(found.command, None, found.command)
    app = named(target) if target is not None else configured()
    return Chosen(by_name(app), app, found.command)
