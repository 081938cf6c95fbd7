"""What is wrong with the arguments of `App`, and what an app that is included would lose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from animus_routes.routing.declaration import Declaration

OPTIONS: Final[dict[str, Any]] = {
    "kinds": [],
    "subject_kinds": [],
    "env_required": [],
    "capabilities": [],
    "kind_capabilities": {},
    "projections": [],
    "lifespan": None,
    "concurrency": 1,
    "notification_buffer_size": None,
    "supports_mcp": None,
    "log_format": "text",
    "log_entries": False,
    "exit_on_broken_stream": True,
    "dependency_overrides": {},
}


def of_arguments(app: Declaration) -> Iterator[str]:
    """What each argument should be and is not; without the place, which is the same for all."""
    for name, fits, wrong in ARGUMENTS:
        value = getattr(app, name)
        if not fits(value):
            yield f"App({name}={_shown(value)}) {wrong}"
    for name, fits, right in ITEMS:
        for item in getattr(app, name):
            if not fits(item):
                yield f"App({name}=[{item!r}]): {right}"


def of_included(app: Declaration) -> Iterator[str]:
    """Only the handlers of an app that is included get here."""
    for other, where in app.included:
        lost = [name for name in OPTIONS if _loses(name, other, app)]
        if lost:
            yield (
                f"{where}: include(...) of the App '{getattr(other, 'name', '')}' takes its "
                f"handlers alone and would lose its {', '.join(lost)}: write them in the App that "
                "includes it, or collect the handlers in a Router"
            )


def _loses(name: str, other: object, app: Declaration) -> bool:
    given: Any = getattr(other, name, OPTIONS[name])
    own: Any = getattr(app, name)
    if isinstance(OPTIONS[name], list):
        return any(item not in own for item in given)
    return given not in (OPTIONS[name], own)


def _shown(value: object) -> str:
    return repr(value) if value or type(value) is int else "..."


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_semver(value: object) -> bool:
    """By hand: a regular expression for it takes longer to compile than the whole check."""
    if not isinstance(value, str):
        return False
    rest, plus, build = value.partition("+")
    core, dash, pre = rest.partition("-")
    numbers = core.split(".")
    return (
        len(numbers) == 3
        and all(_is_number(part) for part in numbers)
        and (not plus or all(map(_is_word, build.split("."))))
        and (
            not dash
            or all(_is_word(p) and (not p.isdigit() or _is_number(p)) for p in pre.split("."))
        )
    )


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdigit() and (part == "0" or part[0] != "0")


def _is_word(part: str) -> bool:
    return part.isascii() and part.replace("-", "0").isalnum()


def _is_count(value: object) -> bool:
    return isinstance(value, int) and value >= 1


def _is_subject_kind(kind: object) -> bool:
    if not isinstance(kind, str):
        return False
    stem = kind.removesuffix(".*")
    return kind == "*" or bool(stem and "/" not in stem and "*" not in stem)


def _is_variable(item: object) -> bool:
    """A name, or what `EnvRequirement` says of one."""
    if isinstance(item, Mapping):
        return _is_text(cast("Mapping[str, object]", item).get("name"))
    return _is_text(item) or _is_text(getattr(item, "name", None))


EMPTY: Final = "is empty: hosts refuse a manifest without it"
ARGUMENTS: Final[tuple[tuple[str, Callable[[Any], bool], str], ...]] = (
    ("name", bool, EMPTY),
    ("name", lambda given: not given or isinstance(given, str), "is not a string"),
    ("version", bool, EMPTY),
    ("version", lambda given: not given or _is_semver(given), "is not semver, such as '1.0.0'"),
    ("description", bool, EMPTY),
    ("description", lambda given: not given or isinstance(given, str), "is not a string"),
    ("lifespan", lambda given: given is None or callable(given), "is not a function"),
    ("concurrency", _is_count, "is not a number of handlers: at least one handler has to run"),
    ("log_format", lambda given: given in ("text", "json"), "is neither 'text' nor 'json'"),
)
ITEMS: Final[tuple[tuple[str, Callable[[Any], bool], str], ...]] = (
    ("subject_kinds", _is_subject_kind, "a kind is exact, such as 'task', 'x.*' or '*'"),
    ("env_required", _is_variable, "write a variable's name, or {'name': ..., 'required': ...}"),
    ("capabilities", _is_text, "write a token, such as '$vendor/...'"),
    ("projections", _is_text, "write a projection's name"),
)
