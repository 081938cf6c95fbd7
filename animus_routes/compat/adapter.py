"""Methods written `(self, params, ctx)` as handlers: what they receive and how they are called."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, cast, get_type_hints

from animus_routes.handlers.context import Context
from animus_routes.values.hints import bare, is_model, wire_type

if TYPE_CHECKING:
    from animus_routes.roles import MethodRow

__all__ = ["AgentStream", "CallContext", "Cancellation", "Params"]

Handler = Callable[..., Any]
CONTEXT_NAMES = frozenset({"ctx", "context", "_ctx", "_context"})


class Params(dict[str, Any]):
    """Params as a dict whose keys can also be read as attributes, at every depth.

    `params["id"]` and `params.id` are the same. An attribute that the host left out is the wire
    type's default (None, an empty list), as in the published SDK's models; a key that was left out
    is a KeyError, as in any dict. A field with the name of a dict method, such as `values`, can
    only be read as a key.
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


class Cancellation:
    """Whether the call is cancelled: can be used like a `threading.Event`, or as a bool."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def __bool__(self) -> bool:
        return self._ctx.cancelled

    def is_set(self) -> bool:
        """As `threading.Event.is_set`."""
        return self._ctx.cancelled

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the cancellation, as `threading.Event.wait`."""
        return self._ctx.wait(float("inf") if timeout is None else timeout)


class AgentStream:
    """What a provider reports during a run; each call sends one `agent/*` notification."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    def output(self, *, text: str, session_id: str | None = None, final: bool = False) -> None:
        """Text from the agent; `final` text is that of the whole turn."""
        self._emit("output", session_id, text=text, is_final=final)

    def thinking(self, *, text: str, session_id: str | None = None) -> None:
        """What the agent is thinking."""
        self._emit("thinking", session_id, text=text)

    def tool_call(
        self,
        *,
        name: str,
        arguments: Any = None,
        server: str | None = None,
        session_id: str | None = None,
    ) -> None:
        """The agent calls a tool."""
        given: Any = arguments if arguments is not None else {}
        self._emit("toolCall", session_id, name=name, arguments=given, server=server)

    def tool_result(
        self, *, name: str, output: Any = "", success: bool = True, session_id: str | None = None
    ) -> None:
        """What the tool answered."""
        self._emit("toolResult", session_id, name=name, output=output, success=success)

    def error(
        self, *, message: str, recoverable: bool = False, session_id: str | None = None
    ) -> None:
        """Something went wrong; an error that is not recoverable ends the run."""
        self._emit("error", session_id, message=message, recoverable=recoverable)

    def _emit(self, kind: str, session_id: str | None, **fields: Any) -> None:
        named = {"session_id": session_id} if session_id is not None else {}
        self._ctx.emit({"kind": kind, **fields, **named})


class CallContext:
    """The published SDK's context of one call.

    Attributes:
        context: The framework's own context, for everything that this one lacks.
        request_id: The request's id.
        kind: The subject kind that the host called, or else the plugin's only one, or else "".
        cancelled: Like an event; in a condition, true once the call is cancelled.
        stream: For a provider's `run` and `resume`: reports what happens meanwhile.
    """

    def __init__(self, ctx: Context) -> None:
        self.context = ctx
        self.request_id = ctx.id
        self.cancelled = Cancellation(ctx)
        self.stream = AgentStream(ctx)
        only = ctx.app.subject_kinds
        self.kind = ctx.kind or (only[0] if len(only) == 1 else "")


def adapted(method: Handler, row: MethodRow | None) -> Handler:
    """Turn a class's method into a handler for the framework.

    Args:
        method: A bound method that takes `(params, ctx)`, `(params)`, `(ctx)` or nothing.
        row: The table's row for the wire method that it serves; None for the health check.
    """
    takes_params, takes_context, hint = _read(method)
    wire = _wire(row)

    def arguments(params: Any, ctx: Context) -> tuple[Any, ...]:
        given: Any = params
        if type(params) is dict:
            given = Params(cast("dict[str, Any]", params), wire)
        return (*([given] if takes_params else []), *([CallContext(ctx)] if takes_context else []))

    handler = _called_as_written(method, row, arguments)
    handler.__annotations__ = {"ctx": Context, **({} if hint is None else {"params": hint})}
    return handler


def adapted_health(method: Handler) -> Handler:
    """As `adapted`, for the health check, which has no params."""
    inner = adapted(method, None)
    if inspect.iscoroutinefunction(inner):

        async def check_async(ctx: Context) -> Any:
            return await inner({}, ctx)

        check_async.__annotations__ = {"ctx": Context}
        return check_async

    def check(ctx: Context) -> Any:
        return inner({}, ctx)

    check.__annotations__ = {"ctx": Context}
    return check


def _called_as_written(
    method: Handler, row: MethodRow | None, arguments: Callable[[Any, Context], tuple[Any, ...]]
) -> Handler:
    """A function of the same sort as the method: plain, async, a stream, an async stream."""
    streams = row is not None and row.stream is not None and row.stream.ack is not None
    if inspect.isasyncgenfunction(method) or (streams and inspect.iscoroutinefunction(method)):

        async def stream_async(params: Any, ctx: Context) -> AsyncIterator[Any]:
            found = method(*arguments(params, ctx))
            async for item in await found if inspect.isawaitable(found) else found:
                yield item

        return stream_async
    if inspect.iscoroutinefunction(method):

        async def call_async(params: Any, ctx: Context) -> Any:
            return await method(*arguments(params, ctx))

        return call_async
    if inspect.isgeneratorfunction(method) or streams:

        def stream(params: Any, ctx: Context) -> Generator[Any, None, Any]:
            items: Generator[Any, None, Any] = method(*arguments(params, ctx)) or _nothing()
            return (yield from items)

        return stream

    def call(params: Any, ctx: Context) -> Any:
        return method(*arguments(params, ctx))

    return call


def _nothing() -> Generator[Any, None, None]:
    yield from ()


def _read(method: Handler) -> tuple[bool, bool, Any]:
    """Does it take params, does it take the context, and which model does it want for params?"""
    names = [
        parameter.name
        for parameter in inspect.signature(method).parameters.values()
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
    ]
    takes_context = len(names) > 1 or names[:1] == [n for n in names[:1] if n in CONTEXT_NAMES]
    takes_context = takes_context and bool(names)
    takes_params = len(names) > 1 or (bool(names) and not takes_context)
    if not takes_params:
        return False, takes_context, None
    try:
        hint = get_type_hints(method).get(names[0])
    except Exception:  # noqa: BLE001 - the published SDK never evaluated hints
        hint = None
    return True, takes_context, hint if is_model(bare(hint)) else None


def _wire(row: MethodRow | None) -> Any:
    if row is None or row.params is None:
        return None
    return wire_type(row.params)
