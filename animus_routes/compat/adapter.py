"""Methods written `(self, params, ctx)` as handlers: what they receive and how they are called."""

from __future__ import annotations

import inspect
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import structs

from animus_routes.compat import results
from animus_routes.compat.methods import METHODS, WITHOUT_PARAMS, Way, meant_kind
from animus_routes.compat.roles.context import CallContext
from animus_routes.handlers.context import Context
from animus_routes.handlers.signature import STANDS_FOR, name_of
from animus_routes.values.hints import wire_type

if TYPE_CHECKING:
    from animus_routes.roles import MethodRow
    from animus_routes.routing.router import Registration

__all__ = ["Params", "adapted", "adapted_health", "second_name"]

Handler = Callable[..., Any]
CONTEXT_NAMES: Final = frozenset({"ctx", "context", "_ctx", "_context"})
SUBJECT_GROUP: Final = "subject"


class Params(dict[str, Any]):
    """Params as a dict whose keys can also be read as attributes, at every depth.

    `params["id"]` and `params.id` are the same. An attribute that the host left out is the wire
    type's default (None, an empty list); a key that was left out is a KeyError, as in any dict. A
    field with the name of a dict method, such as `values`, can only be read as a key.
    """

    _wire: Any

    def __init__(self, fields: dict[str, Any], wire: Any = None) -> None:
        super().__init__({name: _view(value) for name, value in fields.items()})
        # Not a public attribute: `params.wire` has to be the host's field of that name.
        object.__setattr__(self, "_wire", wire)

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        if name in getattr(self._wire, "__struct_fields__", ()):
            return _default(self._wire, name)
        raise AttributeError(
            f"the params have no field '{name}'; they have {', '.join(self) or 'none'}"
        )


def _view(value: Any) -> Any:
    if isinstance(value, dict):
        return Params(cast("dict[str, Any]", value))
    if isinstance(value, list):
        return [_view(item) for item in cast("Iterable[Any]", value)]
    return value


def _default(wire: Any, name: str) -> Any:
    """The default of a wire Struct's field; None if it has no default."""
    from msgspec import NODEFAULT
    from msgspec.structs import fields

    field = next(f for f in fields(wire) if f.name == name)
    if field.default_factory is not NODEFAULT:
        return field.default_factory()
    return None if field.default is NODEFAULT else field.default


def adapted(found: Registration, row: MethodRow) -> Registration:
    """A class's method as a handler that the framework calls as the class-based SDK did.

    Args:
        found: The bound method, which takes `(params, ctx)`, or fewer of them.
        row: The table's row for the wire method that it serves.
    """
    way = METHODS.get(found.name, Way())
    own_row = structs.replace(
        row, params=None, adapt_params=way.shape, strict=False, actor="", like=None
    )
    streams = row.stream is not None and row.stream.ack is not None
    offer = _offer(found.function, row.verb)
    wire = wire_type(row.params) if row.params is not None else None

    def arguments(params: Any, ctx: Context) -> list[Any]:
        given: Any = params
        if way.dumped:
            given = params.model_dump(by_alias=True)
        elif not way.model:
            given = Params(params, wire)
        context = _context(ctx)
        return [given if what == "params" else context for what in offer]

    handler = _called_as_written(found.function, way, arguments, streams=streams)
    _describe(handler, found.function, _model(way.model) if way.model else None)
    return structs.replace(found, function=handler, row=own_row)


def adapted_health(method: Handler) -> Handler:
    """As `adapted`, for the health check, which has no params."""
    offer = _offer(method, "health")

    def arguments(_params: Any, ctx: Context) -> list[Any]:
        return [_context(ctx) for what in offer if what == "ctx"]

    inner = _called_as_written(method, Way(result=results.health), arguments, streams=False)
    check = _check_async(inner) if inspect.iscoroutinefunction(inner) else _check(inner)
    _describe(check, method, None)
    del check.__annotations__["params"]
    return check


def _check(inner: Handler) -> Handler:
    def check(ctx: Context) -> Any:
        return inner({}, ctx)

    return check


def _check_async(inner: Handler) -> Handler:
    async def check(ctx: Context) -> Any:
        return await inner({}, ctx)

    return check


def _describe(handler: Handler, method: Handler, model: Any) -> None:
    handler.__qualname__ = name_of(method)
    handler.__dict__[STANDS_FOR] = method
    handler.__annotations__ = {"ctx": Context, "params": dict if model is None else model}


def _model(name: str) -> Any:
    module, _, cls = name.partition(".")
    found = __import__(f"animus_routes.compat.types.generated.{module}", fromlist=[cls])
    return getattr(found, cls)


def _context(ctx: Context) -> CallContext:
    """The SDK's context of one call, of the role's own class."""
    cancelled = threading.Event()
    ctx.on_cancel(cancelled.set)
    made: CallContext
    group = ctx.method.partition("/")[0]
    kinds = ctx.app.subject_kinds
    if kinds and group != "health":
        from animus_routes.compat.roles.subject import SubjectCallContext

        kind = meant_kind(ctx.params, kinds) if group == SUBJECT_GROUP else group
        made = SubjectCallContext(ctx.id, cancelled, kind)  # type: ignore[arg-type]
    elif group == "agent":
        from animus_routes.compat.roles.provider import AgentStream, ProviderCallContext

        made = ProviderCallContext(ctx.id, cancelled, AgentStream(ctx))  # type: ignore[arg-type]
    else:
        made = CallContext(ctx.id, cancelled)  # type: ignore[arg-type]
    made.__dict__["_context"] = ctx
    return made


def _called_as_written(
    method: Handler, way: Way, arguments: Callable[[Any, Context], list[Any]], *, streams: bool
) -> Handler:
    """A function of the same sort as the method: plain, async, a stream, an async stream."""
    result, item = way.result, way.item
    if inspect.isasyncgenfunction(method) or (streams and inspect.iscoroutinefunction(method)):

        async def stream_async(params: Any, ctx: Context) -> AsyncIterator[Any]:
            found = method(*arguments(params, ctx))
            async for one in await found if inspect.isawaitable(found) else found:
                yield item(one)

        return stream_async
    if inspect.iscoroutinefunction(method):

        async def call_async(params: Any, ctx: Context) -> Any:
            return result(await method(*arguments(params, ctx)))

        return call_async
    if inspect.isgeneratorfunction(method) or streams:

        def stream(params: Any, ctx: Context) -> Generator[Any, None, Any]:
            returned = yield from _items(method(*arguments(params, ctx)), item)
            return result(returned)

        return stream

    def call(params: Any, ctx: Context) -> Any:
        return result(method(*arguments(params, ctx)))

    return call


def _items(items: Any, item: Callable[[Any], Any]) -> Generator[Any, None, Any]:
    """The items of whatever can be iterated, each as it goes out; closed when this is."""
    iterator = iter(() if items is None else items)
    try:
        while True:
            try:
                one = next(iterator)
            except StopIteration as end:
                return end.value
            yield item(one)
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


def _offer(method: Handler, verb: str) -> tuple[str, ...]:
    """What the method is called with: what the SDK passes, or as much of it as it takes.

    Names and hints are not looked at, but by a method that takes one argument where there are two.
    """
    whole = ("ctx",) if verb in WITHOUT_PARAMS else ("params", "ctx")
    if verb in WITHOUT_PARAMS:
        offers = [whole, (), ("params", "ctx")]
    else:
        alone = "ctx" if ([*_names(method), ""])[0] in CONTEXT_NAMES else "params"
        offers = [whole, (alone,), ()]
    return next((offer for offer in offers if _takes(method, len(offer))), whole)


def _names(method: Handler) -> list[str]:
    try:
        return [*inspect.signature(method).parameters]
    except (TypeError, ValueError):
        return []


def second_name(method: Handler) -> str:
    """What a method calls its second parameter, where the SDK's methods have the context."""
    return ([*_names(method), "", ""])[1]


def _takes(method: Handler, count: int) -> bool:
    """Can it be called with so many arguments, and what a decorator has wrapped, too?"""
    for inner in (False, True):
        try:
            inspect.signature(method, follow_wrapped=inner).bind(*[None] * count)
        except TypeError:
            return False
        except ValueError:  # written in C
            continue
    return True
