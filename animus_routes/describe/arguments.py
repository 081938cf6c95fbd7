"""What is wrong with the arguments of `App`, and what an app that is included would lose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from animus_routes.errors import unknown
from animus_routes.roles import KINDS, role
from animus_routes.values.hints import is_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from animus_routes.roles import MethodRow
    from animus_routes.routing.declaration import Declaration
    from animus_routes.routing.router import Registration

OPTIONS: Final[dict[str, Any]] = {
    "kinds": [],
    "subject_kinds": [],
    "env_required": [],
    "capabilities": [],
    "kind_capabilities": {},
    "projections": [],
    "settings": None,
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
    yield from app.unlisted.values()
    yield from _of_letters(app)
    for name, fits, wrong in ARGUMENTS:
        value = getattr(app, name)
        if not fits(value):
            yield f"App({name}={'...' if wrong is IS_EMPTY else repr(value)}) {wrong}"
    for name, fits, right in ITEMS:
        for item in getattr(app, name) if name not in app.unlisted else ():
            if not fits(item):
                yield f"App({name}=[{item!r}]): {right}"
            elif isinstance(item, Mapping):
                yield from _of_keys(cast("Mapping[object, object]", item))
    for name, _, _ in ITEMS:
        named = [text for text in map(_named, getattr(app, name)) if _is_text(text)]
        for text in {text: 0 for text in named if named.count(text) > 1}:
            yield f"App({name}={getattr(app, name)!r}) names '{text}' twice"
    if app.kind_capabilities and all(map(_is_kind, app.kinds)):
        yield from _of_kind_capabilities(app.kind_capabilities, app.kinds)


def _of_letters(app: Declaration) -> Iterator[str]:
    """Strings that were added to a list."""
    for name in ("kinds", *(name for name, _, _ in ITEMS)):
        letters = getattr(getattr(app, name), "letters", None)
        if letters is not None:
            yield f"app.{name} += {letters!r} adds letters: write app.{name} += [{letters!r}]"


def _of_keys(variable: Mapping[object, object]) -> Iterator[str]:
    """What a dict says of a variable goes into the manifest as it is."""
    for key, value in variable.items():
        types, right = VARIABLE.get(str(key), ((), ""))
        if not right:
            yield f"App(env_required=[{variable!r}]): {unknown('key', str(key), VARIABLE)}"
        elif not isinstance(value, types):
            yield f"App(env_required=[{variable!r}]): {key!r} has to be {right}"


def _of_kind_capabilities(given: object, kinds: list[str]) -> Iterator[str]:
    if not isinstance(given, Mapping):
        return
    for kind, extra in cast("Mapping[object, object]", given).items():
        if kind in kinds and role(str(kind)).crate_version is None:
            yield (
                f"App(kind_capabilities={{{kind!r}: ...}}): a plugin of this kind has no entry in "
                "kind_capabilities, so hosts would not see it: leave it out"
            )
        elif kind not in kinds:
            found = unknown("kind", str(kind), kinds)
            what = found if "did you mean" in found else f"the app is not of kind {kind!r}"
            yield f"App(kind_capabilities={{{kind!r}: ...}}): {what}"
        elif not (extra is None or isinstance(extra, Mapping) or is_model(type(extra))):
            yield f"App(kind_capabilities={{{kind!r}: {extra!r}}}): write a dict, or the kind's type"


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
    return isinstance(value, int) and value >= 1 and not _is_flag(value)


def _is_size(value: object) -> bool:
    return value is None or (isinstance(value, int) and value >= 0 and not _is_flag(value))


def _is_kind(kind: object) -> bool:
    return isinstance(kind, str) and kind in KINDS


def _is_subject_kind(kind: object) -> bool:
    if not isinstance(kind, str):
        return False
    stem = kind.removesuffix(".*")
    return kind == "*" or _has_none_of(stem, "/*")


def _named(item: object) -> object:
    """The name in a list's item, or the item itself."""
    if isinstance(item, Mapping):
        return cast("Mapping[str, object]", item).get("name")
    return item if isinstance(item, str) else getattr(item, "name", None)


def _is_variable(item: object) -> bool:
    """A name, or what `EnvRequirement` says of one."""
    name = _named(item)
    return isinstance(name, str) and _has_none_of(name, "=$")


def _has_none_of(text: str, letters: str) -> bool:
    """Is it one word that has none of these letters?"""
    return text.split() == [text] and not any(letter in text for letter in letters)


def _is_name(name: object) -> bool:
    return not isinstance(name, str) or not name or name.translate(JOINTS).isalnum()


def _is_made(given: object) -> bool:
    """Is it what a call of a lifespan gives, rather than the lifespan?"""
    names = ("__next__", "__anext__", "__await__", "__enter__", "__aenter__")
    return not callable(given) and any(hasattr(given, name) for name in names)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


JOINTS: Final = dict.fromkeys(map(ord, "-_./@"))
IS_MADE: Final = "is what a call of the function gave: write lifespan=f, not lifespan=f()"
IS_EMPTY: Final = "is empty: hosts refuse a manifest without it"
ARGUMENTS: Final[tuple[tuple[str, Callable[[Any], bool], str], ...]] = (
    ("name", bool, IS_EMPTY),
    ("name", lambda given: not given or isinstance(given, str), "is not a string"),
    ("name", _is_name, "has to be one word of letters, digits and -, such as 'animus-queue-sql'"),
    ("version", bool, IS_EMPTY),
    ("version", lambda given: not given or _is_semver(given), "is not semver, such as '1.0.0'"),
    ("description", bool, IS_EMPTY),
    ("description", lambda given: not given or isinstance(given, str), "is not a string"),
    ("lifespan", lambda given: callable(given) or _is_made(given), "is not a function"),
    ("lifespan", lambda given: not _is_made(given), IS_MADE),
    ("concurrency", _is_count, "has to be a number, at least 1: that many handlers run at once"),
    ("notification_buffer_size", _is_size, "has to be a number, at least 0"),
    ("log_format", lambda given: given in ("text", "json"), "is neither 'text' nor 'json'"),
    ("log_entries", _is_flag, "is neither True nor False"),
    ("exit_on_broken_stream", _is_flag, "is neither True nor False"),
    ("supports_mcp", lambda given: given is None or _is_flag(given), "is not True, False or None"),
    (
        "kind_capabilities",
        lambda given: isinstance(given, Mapping),
        "is not a dict by kind, such as {'queue': QueueCapabilities(...)}",
    ),
)
VARIABLE: Final[dict[str, tuple[Any, str]]] = {
    "name": (str, "a string"),
    "description": (str | None, "a string"),
    "sensitive": (bool, "True or False"),
    "required": (bool, "True or False"),
}
ITEMS: Final[tuple[tuple[str, Callable[[Any], bool], str], ...]] = (
    ("subject_kinds", _is_subject_kind, "a kind is exact, such as 'task', 'x.*' or '*'"),
    ("env_required", _is_variable, "write a variable's name, or {'name': ..., 'required': ...}"),
    ("capabilities", _is_text, "write a token, such as '$vendor/...'"),
    ("projections", _is_text, "write a projection's name"),
)


def of_options(registration: Registration, row: MethodRow | None) -> Iterator[str]:
    """What a method's decorator was given beside its name."""
    for option in ("concurrent", "extra"):
        value: object = getattr(registration, option)
        if not isinstance(value, bool):
            yield f"{option}={value!r} is neither True nor False"
    limit: object = registration.timeout_s
    if limit is not None and not (type(limit) in (int, float) and registration.timeout_s > 0):  # type: ignore[operator]
        yield f"timeout_s={limit!r} is not a number of seconds above 0"
    elif limit is not None and row is not None and row.stream is not None and row.stream.ack:
        yield (
            f"timeout_s={limit!r} would end the stream without a word: it is answered at its "
            "beginning, and lasts as long as the host wants it; leave timeout_s out"
        )
    items = registration.items_as
    if items is not None and str(items).split() != [items]:
        yield f"notification={items!r} is not a name, such as 'group/verb'"
