"""Does a plugin, in any language, work with the real host? The checks, for use in code.

`check` tries one; `animus-routes check` and `pytest --animus-app` show what it finds. Each name is
loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.conformance.bench import Options
    from animus_routes.conformance.report import Report, Result, Verdict

__all__ = ["Options", "Report", "Result", "Verdict", "check"]

_HOMES = {"Options": "bench", "Report": "report", "Result": "report", "Verdict": "report"}


def check(
    target: str | None = None,
    options: Options | None = None,
    *,
    word: str = "",
    kind: str = "",
    progress: Callable[[int, int, str], object] | None = None,
) -> Report:
    """Check a plugin as `animus-routes check` does.

    Args:
        target: `module:attr`, a Python file, an executable or a command line; None for the app that
            pyproject.toml names.
        options: Whether what acts may be tried, where, and with what.
        word: Only checks that have this in their id or title.
        kind: Only checks of methods of this plugin kind.
        progress: Called before each check with its number, how many there are, and its id.

    Returns:
        What was found, one result for each check.

    Raises:
        NotAnApp: There is no such target.
    """
    from animus_routes.conformance.bench import Options
    from animus_routes.conformance.candidate import candidate
    from animus_routes.conformance.running import Chosen, run

    return run(candidate(target), options or Options(), Chosen(word, kind), progress)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = __import__(f"{__name__}.{_HOMES[name]}", fromlist=[name])
    found = globals()[name] = getattr(module, name)
    return found
