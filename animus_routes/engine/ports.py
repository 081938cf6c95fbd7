"""What the engine asks of the app it serves: the border between frames and routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from msgspec import Raw

    from animus_routes.engine.frames import Request
    from animus_routes.engine.server import Server


Mode = Literal["inline", "thread", "pool", "async"]


class Route(Protocol):
    """One wire method, ready to run.

    Attributes:
        owner: The role it belongs to; a stream is only ended by a method of its own role.
        mode: Where the handler runs: at once on the main thread, on a thread of its own, in the
            pool, on the loop.
        contextual: `call` takes the request's context as a second argument.
        bare: Nobody wrote a handler: the engine itself does what the method says.
        one_way: Hosts may send it without an id.
        stops: The params field that names the stream which this method ends.
        stopped: The answer of a bare method that ends a stream, from the name and whether it was.
        stream: What a generator's items become; None for request and reply.
        adapt: Makes the wire's result of what a handler may return in its place.
        adapts: Is a result of this class for `adapt`?
    """

    name: str
    owner: str
    mode: Mode
    contextual: bool
    bare: bool
    one_way: bool
    stops: str | None
    stream: Stream | None
    stopped: Callable[[Any, bool], Any] | None
    adapt: Callable[[Any, Raw], Any] | None
    adapts: Mapping[type, bool]

    @property
    def decode(self) -> Callable[[Raw], Any]:
        """From the bytes of params to what `call` takes."""
        ...

    @property
    def call(self) -> Callable[..., Any]:
        """Runs the handler."""
        ...

    @property
    def answer(self) -> Callable[[int | Raw, Any, bytearray], None]:
        """Appends the whole answer frame of a result."""
        ...


Write = Callable[[Any, bytearray], None]


class Stream(Protocol):
    """How the items of one stream are written.

    Attributes:
        ack: The encoded answer that goes out before the first item; None = the handler's result.
    """

    ack: bytes | None

    def open(self, request_id: int | Raw, params: Raw) -> StreamRun:
        """One call of the stream's method."""
        ...


class StreamRun(Protocol):
    """One call of a stream's method.

    Attributes:
        names: What another method may end this call by: its request id as text, a session's id.
        write: Appends the notification frame of one item.
    """

    names: set[str]
    write: Write

    def complete(self, result: Any) -> Any:
        """The answer, from what the handler returned."""
        ...

    def farewell(self) -> bytes:
        """What goes out before the answer of a cancelled call; b"" for nothing."""
        ...

    def broken(self, error: bytes, /) -> bytes:
        """What goes out when the call fails after its ack, around an encoded error object."""
        ...


class Outcome(Protocol):
    """A result that an author's exception handler gave in place of the handler's."""

    value: Any


class Plugin(Protocol):
    """The served app."""

    @property
    def concurrency(self) -> int:
        """How many sync handlers may run at once in the pool."""
        ...

    def find(self, method: str) -> Route | None:
        """The route of a domain method, aliases and globs included."""
        ...

    def inline(self) -> Mapping[str, Route]:
        """Every route by its exact wire name, if it runs inline and needs nothing special."""
        ...

    def knows(self, method: str) -> bool:
        """Is it a method of the role, though not of this app?"""
        ...

    def internal(self, handler: Callable[[Raw], Any]) -> Route:
        """A route around one of the engine's own lifecycle handlers."""
        ...

    def initialize(self, server: Server, params: Raw) -> Any:
        """Hooks, lifespan, and the initialize result."""
        ...

    def health_route(self) -> Route | None:
        """The author's health check."""
        ...

    def health(self) -> bytes:
        """The default health result, encoded."""
        ...

    def context(self, server: Server, route: Route, request: Request) -> Any:
        """A context for one request."""
        ...

    def stop(self) -> None:
        """Leave the lifespan; once, never raises."""

    def field(self, params: Raw, name: str, *, raw: bool = False) -> Any:
        """One field of params, or None; as raw bytes on request."""
        ...

    def refuse(self, route: Route, request: Request, error: Exception) -> bytes:
        """The error frame for params that do not decode."""
        ...

    def rescue(
        self, server: Server, route: Route, request: Request, error: BaseException, context: Any
    ) -> bytes | Outcome:
        """The error frame for what a handler raised, or the result of an exception handler."""
        ...

    def unwritable(self, route: Route, request_id: int | Raw, error: BaseException) -> bytes:
        """The error frame for a result that cannot be encoded."""
        ...

    def not_supported(self, request: Request) -> bytes:
        """The error frame for a method of the role that this app does not have."""
        ...

    def broken(self, route: Route, error: BaseException) -> None:
        """A call has failed: does the process go on?"""

    def stream_failed(
        self, route: Route, request: Request, error: BaseException, context: Any
    ) -> bytes:
        """A stream broke after its ack: tell the operator; the error object as hosts read it."""
        ...
