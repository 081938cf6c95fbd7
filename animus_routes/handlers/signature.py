"""A handler's signature -> what to decode, what to inject, how to call. Decided once.

Read from the code object and the hints, because importing `inspect` costs more than all of this.
"""

from __future__ import annotations

from functools import partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, get_origin, get_type_hints

from msgspec import Struct

from animus_routes.handlers.context import Context
from animus_routes.handlers.depends import Dependency, Depends, misplaced, taken, unfilled
from animus_routes.values.hints import bare, expanded, extras, is_object, wire_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType

VARARGS, VARKEYWORDS, GENERATOR, COROUTINE, ASYNC_GENERATOR = 0x04, 0x08, 0x20, 0x80, 0x200
LATER: Final = GENERATOR | COROUTINE | ASYNC_GENERATOR


class _Nothing:
    """No hint, or no default. `None` will not do, because it can be either."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Final = _Nothing()
NOT_PYTHON: Final = "it is not a Python function"
STANDS_FOR: Final = "__stands_for__"  # of an adapter: what the author wrote


class Parameter(Struct):
    """One parameter of a handler, as written.

    Attributes:
        by_keyword: It has to be passed by name: it is keyword-only, or follows a partial's keyword.
        aliases: Its names on the wire, the first one that is sent counts; empty = its own name.
    """

    name: str
    hint: Any = NOTHING
    default: Any = NOTHING
    keyword_only: bool = False
    positional_only: bool = False
    by_keyword: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def wire_name(self) -> str:
        """What the other side calls it."""
        return self.aliases[0] if self.aliases else self.name

    @property
    def has_default(self) -> bool:
        """May it be left out?"""
        return self.default is not NOTHING


class Signature(Struct):
    """What the framework needs to know about a handler.

    Attributes:
        fields: Parameters that are filled from `params`.
        whole: The only field receives the whole params object.
        contexts: Names of parameters that receive the `Context`.
        dependencies: Parameters that receive a dependency's value, by name.
        certain: False behind a plain decorator: only a call tells what it gives.
        returns: The result hint; `NOTHING` if there is none.
        problems: Why this handler cannot be used, as messages.
    """

    function: Callable[..., Any]
    parameters: list[Parameter]
    is_async: bool = False
    is_generator: bool = False
    certain: bool = True
    returns: Any = NOTHING
    fields: list[Parameter] = []
    whole: bool = False
    contexts: list[str] = []
    dependencies: dict[str, Dependency] = {}
    problems: list[str] = []

    @property
    def contextual(self) -> bool:
        """Does a call need a context object?"""
        return bool(self.contexts or self.dependencies)


def location(handler: Any) -> str:
    """`file:line` of a handler, or of what it stands for; "" if it has no Python code."""
    code = getattr(_layers(getattr(handler, STANDS_FOR, handler))[-1], "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""


def name_of(handler: Any) -> str:
    """A handler's name, for people."""
    named = next((layer for layer in _layers(handler) if hasattr(layer, "__qualname__")), handler)
    return str(getattr(named, "__qualname__", type(handler).__qualname__))


def is_coroutine_function(handler: Any) -> bool:
    """Does calling it return something to await? Looks inside decorators."""
    return bool(_flags(_layers(handler))[0] & COROUTINE)


def outer_code(handler: Any) -> CodeType | None:
    """The code whose result a call returns: a decorator's, not that of what it wraps.

    None for a class, and for what C wrote.
    """
    layers = _layers(handler)
    if any(isinstance(layer, type) for layer in layers):
        return None
    return next((layer.__code__ for layer in layers if hasattr(layer, "__code__")), None)


def parameters_of(handler: Any) -> tuple[list[Parameter], bool] | None:
    """What a call has to fill, hints aside, and whether `*args` takes more; None if C wrote it."""
    layers = _layers(handler)
    function = layers[-1]
    if not isinstance(function, FunctionType):
        return None
    return _parameters(layers, function, {}), bool(function.__code__.co_flags & VARARGS)


def _layers(handler: Any) -> list[Any]:
    """A handler and what is inside it: method, partial, decorator, callable object, class."""
    layers = [handler]
    while True:
        handler = layers[-1]
        if isinstance(handler, MethodType):
            layers.append(handler.__func__)
        elif _is_partial(handler):
            layers.append(handler.func)
        elif getattr(handler, "__wrapped__", None) is not None:
            layers.append(handler.__wrapped__)
        elif isinstance(handler, FunctionType):
            return layers
        else:
            name = "__init__" if isinstance(handler, type) else "__call__"
            owner = handler if isinstance(handler, type) else type(handler)
            code = getattr(owner, name, None)
            return [*layers, code] if isinstance(code, FunctionType) else layers


def _is_partial(handler: object) -> bool:
    return isinstance(handler, partial)


def _flags(layers: list[Any]) -> tuple[int, bool]:
    """The code flags that count, and whether they are certain.

    What runs when it is called decides; what is below a plain decorator may be passed on or not.
    """
    codes: list[Any] = []
    for layer in layers:
        if not isinstance(layer, FunctionType | MethodType | partial | type):
            layer = type(layer).__call__  # noqa: PLW2901
        if isinstance(layer, FunctionType):
            codes.append(layer.__code__)
    flags = [code.co_flags & LATER for code in codes]
    certain = len(codes) < 2 or bool(flags[0])
    together = 0
    for found in flags:
        together |= found
    return (flags[0] if flags and flags[0] else together), certain


def analyse(
    handler: Callable[..., Any],
    wire: Any = None,
    beside: Sequence[str] = (),
    *,
    context_names: frozenset[str] = frozenset(),
    chain: tuple[object, ...] = (),
) -> Signature:
    """Read a handler.

    Args:
        handler: Function, method, callable object; wrapped ones are read through `__wrapped__`.
        wire: The Struct of the method's wire params; None where they are open.
        beside: Fields that hosts send beside those of that type.
        context_names: Names that mean the context if unhinted (objects passed to `include`).
        chain: For a dependency: the functions on the way to it, itself the last.
    """
    layers = _layers(handler)
    function = layers[-1]
    if not isinstance(function, FunctionType):
        problem = NOT_PYTHON if callable(handler) else f"{handler!r} is not a function"
        return Signature(handler, [], problems=[problem])
    problems: list[str] = []
    hints = _hints(function, problems)
    if function.__code__.co_flags & (VARARGS | VARKEYWORDS):
        problems.append("*args and **kwargs cannot be filled from params: name the fields")
    flags, certain = _flags(layers)
    signature = Signature(
        handler,
        _parameters(layers, function, hints),
        is_async=bool(flags & (COROUTINE | ASYNC_GENERATOR)),
        is_generator=bool(flags & (GENERATOR | ASYNC_GENERATOR)),
        certain=certain,
        returns=hints.get("return", NOTHING),
        problems=problems,
    )
    _sort_parameters(signature, context_names, chain)
    signature.whole = _takes_whole(signature.fields, wire, beside)
    return signature


def _hints(function: FunctionType, problems: list[str]) -> dict[str, Any]:
    """The hints, resolved in the handler's own globals; those that fail are reported."""
    raw = function.__annotations__
    if not raw:
        return {}
    try:
        found = get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - an annotation is code of the author's
        from animus_routes.handlers.unresolved import hints_one_by_one

        found = hints_one_by_one(function, raw, problems)
    return _without_aliases(found, problems)


def _without_aliases(hints: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    """What the hints stand for; a result may be an alias that refers to itself."""
    found: dict[str, Any] = {}
    for name, hint in hints.items():
        try:
            found[name] = expanded(hint)
        except Exception as error:  # noqa: BLE001 - an alias is code of the author's
            found[name] = Any
            if name != "return":
                problems.append(f"the hint of parameter '{name}' cannot be used: {error}")
    return found


def _parameters(
    layers: list[Any], function: FunctionType, hints: dict[str, Any]
) -> list[Parameter]:
    code = function.__code__
    positional = code.co_argcount
    names = code.co_varnames[: positional + code.co_kwonlyargcount]
    defaults: dict[str, Any] = dict(function.__kwdefaults__ or {})
    given = function.__defaults__ or ()
    defaults.update(zip(names[positional - len(given) : positional], given, strict=True))
    bound, keywords = _bound_names(layers, names)
    first_keyword = min((names.index(name) for name in keywords), default=len(names))
    return [
        Parameter(
            name,
            hints.get(name, NOTHING),
            defaults.get(name, NOTHING),
            keyword_only=i >= positional,
            positional_only=i < code.co_posonlyargcount,
            by_keyword=i >= positional or i > first_keyword,
        )
        for i, name in enumerate(names)
        if name not in bound
    ]


def _bound_names(layers: list[Any], names: tuple[str, ...]) -> tuple[set[str], set[str]]:
    """Parameters that are already filled: `self` and what partials carry; the latter by keyword."""
    bound: set[str] = set()
    keywords: set[str] = set()
    for layer in reversed(layers):
        if _is_partial(layer):
            keywords |= layer.keywords.keys() & set(names)
            bound |= keywords
            bound.update([name for name in names if name not in bound][: len(layer.args)])
        elif isinstance(layer, MethodType) or _calls_on_self(layer, layers):
            bound.update(names[:1])
    return bound, keywords


def _calls_on_self(layer: Any, layers: list[Any]) -> bool:
    """A callable object or a class: its code takes `self`."""
    return (
        len(layers) > 1
        and layer is layers[-2]
        and not isinstance(layer, FunctionType | MethodType | partial)
        and getattr(layer, "__wrapped__", None) is None
    )


def _sort_parameters(
    signature: Signature, context_names: frozenset[str], chain: tuple[object, ...]
) -> None:
    fields: list[Parameter] = []
    for parameter in signature.parameters:
        marker = _marker(parameter)
        unnamed = parameter.hint is NOTHING and parameter.name in context_names
        if unnamed or _origin(parameter.hint) is Context:
            signature.contexts = [*signature.contexts, parameter.name]
        elif (known := taken(parameter.hint)) is not None:
            signature.dependencies = {**signature.dependencies, parameter.name: known}
        elif marker is not None:
            if (misused := marker.misused(extras(parameter.hint))) is not None:
                signature.problems.append(f"parameter '{parameter.name}': {misused}")
                continue
            dependency = resolve(marker.function, signature.problems, chain)
            signature.dependencies = {**signature.dependencies, parameter.name: dependency}
            if dependency.is_async and not signature.is_async:
                signature.problems.append(
                    f"parameter '{parameter.name}' depends on the async function "
                    f"'{dependency.name}': make the handler async too"
                )
        else:
            given = parameter.name, parameter.default, parameter.hint
            signature.problems.extend(misplaced(*given))
            signature.problems.extend(_names(parameter))
            fields.append(parameter)
    signature.fields = fields
    names = [name for field in fields for name in field.aliases or (field.name,)]
    signature.problems.extend(
        f"two parameters have the name '{name}' in params"
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    )


def _names(parameter: Parameter) -> list[str]:
    """Read the names that a pydantic `Field` in the hint gives; why that is impossible."""
    metadata = getattr(parameter.hint, "__metadata__", ())
    if not any(type(extra).__module__ == "pydantic.fields" for extra in metadata):
        return []
    from animus_routes.handlers.naming import named

    parameter.aliases, parameter.hint, problems = named(parameter.name, parameter.hint)
    return problems


def _origin(hint: Any) -> Any:
    """`Context` of `Context[Store]`."""
    hint = bare(hint)
    return get_origin(hint) or hint


def resolve(
    function: Callable[..., Any], problems: list[str], chain: tuple[object, ...] = ()
) -> Dependency:
    """Read a dependency and everything it depends on; add what is wrong to `problems`."""
    name = name_of(function)
    if any(other is function for other in chain):
        problems.append(f"dependency '{name}' depends on itself")
        return Dependency(function, name)
    read = analyse(function, chain=(*chain, function))
    problems.extend(
        f"dependency '{name}': {problem}" for problem in read.problems if problem != NOT_PYTHON
    )
    problems.extend(
        f"dependency '{name}': {unfilled(field.name, hinted=field.hint is not NOTHING)}"
        for field in read.fields
        if not field.has_default
    )
    passed_on = read.certain or read.is_generator
    is_async = (read.is_async and passed_on) or any(d.is_async for d in read.dependencies.values())
    given = read.contexts, read.dependencies
    return Dependency(function, name, is_async, read.is_generator, *given, read.certain)


def _marker(parameter: Parameter) -> Depends | None:
    return next((extra for extra in extras(parameter.hint) if isinstance(extra, Depends)), None)


def _takes_whole(fields: list[Parameter], wire: Any, beside: Sequence[str]) -> bool:
    """A single ordinary parameter receives the whole params if its JSON is an object or it is unhinted.

    One with an alias is a field, and so is one named like a field of the wire params, unless its
    hint says that it is the params themselves.
    """
    if len(fields) != 1 or fields[0].keyword_only or fields[0].aliases:
        return False
    hint = bare(fields[0].hint)
    if fields[0].name in beside:
        return False
    if wire is not None and fields[0].name in wire_fields(wire):
        return wire.__name__ in [base.__name__ for base in getattr(hint, "__mro__", ())]
    return hint is NOTHING or is_object(hint)
