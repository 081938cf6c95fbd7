"""A handler's signature -> what to decode, what to inject, how to call. Decided once.

Read from the code object and the hints alone: `inspect` costs more at start than all of this.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_origin, get_type_hints

from msgspec import Struct

from animus_routes.codecs import is_model
from animus_routes.depends import Depends

if TYPE_CHECKING:
    from animus_routes.depends import Dependency

VARARGS, VARKEYWORDS, GENERATOR, COROUTINE, ASYNC_GENERATOR = 0x04, 0x08, 0x20, 0x80, 0x200


class _Nothing:
    """No hint, no default: what `None` cannot say, being both."""

    def __repr__(self) -> str:
        return "nothing"


NOTHING: Final = _Nothing()


class Parameter(Struct):
    """One parameter of a handler, as written."""

    name: str
    hint: Any = NOTHING
    default: Any = NOTHING
    keyword_only: bool = False
    positional_only: bool = False

    @property
    def has_default(self) -> bool:
        """May it be left out?"""
        return self.default is not NOTHING


class Signature(Struct):
    """A handler as the framework sees it.

    Attributes:
        fields: Parameters that come out of `params`.
        whole: The one parameter takes the whole params object.
        contexts: Names of parameters that get the `Context`.
        dependencies: Parameters that get what a dependency gives, by name.
        returns: The result hint; `NOTHING` if there is none.
        problems: Why this handler cannot be used, in words.
    """

    function: Callable[..., Any]
    parameters: list[Parameter]
    is_async: bool
    is_generator: bool
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
    """`file:line` of a handler, "" if it has no code of its own."""
    code = getattr(_function(handler), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else ""


def _function(handler: Any) -> Any:
    """The plain function behind a method, a partial, a decorator or a callable object."""
    while True:
        inner = getattr(handler, "__wrapped__", None) or getattr(handler, "func", None)
        if inner is not None:
            handler = inner
        elif isinstance(handler, MethodType):
            handler = handler.__func__
        elif not isinstance(handler, FunctionType) and not isinstance(handler, type):
            call = getattr(type(handler), "__call__", None)  # noqa: B004 - the function is wanted
            return call if isinstance(call, FunctionType) else handler
        else:
            return handler


def analyse(
    handler: Callable[..., Any],
    wire_fields: dict[str, str] | None = None,
    *,
    context_names: frozenset[str] = frozenset(),
) -> Signature:
    """Read a handler.

    Args:
        handler: Function, method, callable object; wrapped ones are read through `__wrapped__`.
        wire_fields: The fields of the method's wire params; None where they are open.
        context_names: Bare parameter names that mean the context (objects given to `include`).
    """
    function = _function(handler)
    code = getattr(function, "__code__", None)
    if code is None:
        return Signature(handler, [], False, False, problems=["it is not a Python function"])
    problems: list[str] = []
    hints = _hints(function, problems)
    parameters = _parameters(handler, function, hints)
    flags = code.co_flags
    if flags & (VARARGS | VARKEYWORDS) and getattr(handler, "__wrapped__", None) is None:
        problems.append("*args and **kwargs have no place in params: name the fields")
    signature = Signature(
        handler,
        parameters,
        is_async=bool(flags & (COROUTINE | ASYNC_GENERATOR)),
        is_generator=bool(flags & (GENERATOR | ASYNC_GENERATOR)),
        returns=hints.get("return", NOTHING),
        problems=problems,
    )
    _sort_parameters(signature, context_names)
    signature.whole = _takes_whole(signature.fields, wire_fields)
    return signature


def _hints(function: Any, problems: list[str]) -> dict[str, Any]:
    """The hints, resolved in the handler's own globals; the ones that fail are named."""
    raw = getattr(function, "__annotations__", {})
    if not raw:
        return {}
    try:
        return get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - an annotation is code of the author's
        return _hints_one_by_one(function, raw, problems)


def _hints_one_by_one(function: Any, raw: dict[str, Any], problems: list[str]) -> dict[str, Any]:
    hints: dict[str, Any] = {}
    for name, annotation in raw.items():
        holder = FunctionType(function.__code__, function.__globals__)
        holder.__annotations__ = {name: annotation}
        try:
            hints.update(get_type_hints(holder, include_extras=True))
        except Exception as error:  # noqa: BLE001 - as above
            what = "result" if name == "return" else f"parameter '{name}'"
            problems.append(
                f"the hint {annotation!r} of {what} cannot be resolved: {error} "
                "(is it imported only under TYPE_CHECKING, or defined inside a function?)"
            )
    return hints


def _parameters(handler: Any, function: Any, hints: dict[str, Any]) -> list[Parameter]:
    code = function.__code__
    positional = code.co_argcount
    names = code.co_varnames[: positional + code.co_kwonlyargcount]
    defaults: dict[str, Any] = dict(function.__kwdefaults__ or {})
    given = function.__defaults__ or ()
    defaults.update(zip(names[positional - len(given) : positional], given, strict=True))
    bound: set[str] = set()
    if isinstance(handler, MethodType) or not isinstance(handler, FunctionType):
        bound.update(_bound_names(handler, names))
    return [
        Parameter(
            name,
            hints.get(name, NOTHING),
            defaults.get(name, NOTHING),
            keyword_only=i >= positional,
            positional_only=i < code.co_posonlyargcount,
        )
        for i, name in enumerate(names)
        if name not in bound
    ]


def _bound_names(handler: Any, names: tuple[str, ...]) -> set[str]:
    """Parameters that are filled already: `self`, and what a partial carries."""
    bound: set[str] = set()
    while not isinstance(handler, FunctionType):
        if hasattr(handler, "func"):
            bound.update(handler.keywords)
            bound.update([name for name in names if name not in bound][: len(handler.args)])
            handler = handler.func
        elif getattr(handler, "__wrapped__", None) is not None:
            handler = handler.__wrapped__
        else:
            bound.update(names[:1])
            break
    return bound


def _sort_parameters(signature: Signature, context_names: frozenset[str]) -> None:
    from animus_routes.context import Context
    from animus_routes.depends import resolve

    fields: list[Parameter] = []
    for parameter in signature.parameters:
        marker = _marker(parameter)
        bare_context = parameter.hint is NOTHING and parameter.name in context_names
        if bare_context or _strip(parameter.hint) is Context:
            signature.contexts = [*signature.contexts, parameter.name]
        elif marker is not None:
            dependency = resolve(marker, signature.problems)
            signature.dependencies = {**signature.dependencies, parameter.name: dependency}
            if dependency.is_async and not signature.is_async:
                signature.problems.append(
                    f"parameter '{parameter.name}' depends on the async function "
                    f"'{dependency.name}': make the handler async too"
                )
        else:
            fields.append(parameter)
    signature.fields = fields


def _strip(hint: Any) -> Any:
    """`Context` out of `Context | None` and `Annotated[Context, ...]`."""
    if get_origin(hint) is Annotated:
        return _strip(get_args(hint)[0])
    parts = [part for part in get_args(hint) if part is not type(None)]
    if len(parts) == 1 and type(None) in get_args(hint):
        return _strip(parts[0])
    return hint


def _marker(parameter: Parameter) -> Depends | None:
    """The `Depends` of a parameter: in `Annotated[...]`, or as its default."""
    if isinstance(parameter.default, Depends):
        return parameter.default
    extras = getattr(parameter.hint, "__metadata__", ())
    return next((extra for extra in extras if isinstance(extra, Depends)), None)


def _takes_whole(fields: list[Parameter], wire_fields: dict[str, str] | None) -> bool:
    """One ordinary parameter takes the whole params if it is a model, a dict or has no hint.

    A parameter named like a field of the wire params and typed like it is that field.
    """
    if len(fields) != 1 or fields[0].keyword_only:
        return False
    (field,) = fields
    wire = (wire_fields or {}).get(field.name)
    hint = field.hint
    base = get_origin(hint) or hint
    if hint is NOTHING or base is dict or hint is Any:
        return wire is None or base is dict and "dict" not in wire and "Any" not in wire
    if not is_model(base):
        return False
    return wire is None or base.__name__ not in wire
