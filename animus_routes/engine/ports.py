"""The border between frames and routes: what the engine asks of the app, and the app of the engine.

Protocols alone: neither side knows a class of the other's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from _contextvars import Context
    from collections.abc import Coroutine, Mapping, Sequence

    from msgspec import Raw

    from animus_routes.engine.exit import End
    from animus_routes.engine.frames import Request

Encode = Callable[[Any], bytes]


Mode = Literal["inline", "thread", "pool", "async"]


class Route(Protocol):
    """One wire method, ready to run.

    Attributes:
        owner: The role it belongs to, if it does to one; a stream is only ended by a method of its own role.
        mode: Where the handler runs: at once on the main thread, on a thread of its own, in the
            pool, on the loop.
        contextual: `call` takes the request's context as a second argument.
        bare: There is no handler: the engine itself does what the method says.
        one_way: Hosts may send it without an id.
        stops: The params field that names the stream which this method ends.
        stopped: The answer of a bare method that ends a stream, from its name and whether there was one.
        refuse: Raises if the params of a method that ends a stream may not do that.
        stream: What a generator's items become; None for request and reply.
        adapt: Makes the wire's result of what a handler may return in its place.
        adapts: Is a result of this class for `adapt`?
        ready: The class of results that are written as they are; None if there is no such.
        timeout_s: How long a call may take; None = as long as it likes.
    """

    name: str
    owner: str | None
    mode: Mode
    contextual: bool
    bare: bool
    one_way: bool
    stops: str | None
    stream: Stream | None
    stopped: Callable[[Any, bool], Any] | None
    refuse: Callable[[Raw], object] | None
    adapt: Callable[[Any, Raw], Any] | None
    adapts: Mapping[type, bool]
    ready: type | None
    timeout_s: float | None

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


class Stream(Protocol):
    """How the items of one stream are written.

    Attributes:
        ack: The encoded answer that goes out before the first item; None = the handler's result.
    """

    ack: bytes | None

    def open(self, request_id: int | Raw, params: Raw) -> StreamCall:
        """One call of the stream's method."""
        ...


class StreamCall(Protocol):
    """One call of a stream's method.

    Attributes:
        names: What another method may end this call by: its request id as text, a session's id.
        around: What stands before and after an encoded item in its frame, alike for all of a call.
        ready: The class of items that `write` gives the bytes of; None if there is no such.
    """

    names: set[str]
    around: tuple[bytes, bytes]
    ready: type | None

    @property
    def write(self) -> Encode:
        """The bytes of a `ready` item, or any error: `encode` mends it, or says what is wrong."""
        ...

    @property
    def encode(self) -> Encode:
        """The bytes of one item."""
        ...

    def complete(self, result: Any) -> Any:
        """The answer, from what the handler returned."""
        ...

    def farewell(self) -> bytes:
        """What is sent before the answer of a cancelled call; b"" for nothing."""
        ...

    def failure_frame(self, error: bytes, /) -> bytes:
        """What is sent if the call fails after its ack, around an encoded error object."""
        ...


class Items(Protocol):
    """The way out of a stream's items."""

    def emit(self, item: Any) -> None:
        """Send one item."""
        ...

    def flush(self) -> None:
        """Write what is held back."""
        ...


class Scope(Protocol):
    """What the engine keeps for one request, behind the context that the author sees.

    Attributes:
        cancelled: Nobody wants what comes from this request any more.
        cleanups: What has to be closed after the reply.
        emitter: Where the items of its stream go; None without a stream.
        opening: Sends the stream's ack; None once it is out.
    """

    cancelled: bool
    cleanups: list[Any]
    emitter: Items | None
    opening: Callable[[], object] | None

    def cancel(self) -> None:
        """Trip `cancelled`, and wake whoever waits for that."""

    def close(self, failure: BaseException | None) -> None:
        """After the reply: run what `cleanups` holds; never raises an author's exception."""

    async def aclose(self, failure: BaseException | None) -> None:
        """As `close`, on the event loop."""


class Outcome(Protocol):
    """A result that an author's exception handler returned instead of the handler."""

    value: Any


class Failing(Protocol):
    """Failures as frames."""

    unseen: bool
    """A stream has failed after its ack, and the exit code has to say so."""

    def refuse(self, route: Route, request: Request, error: Exception) -> bytes:
        """The error frame for params that do not decode."""
        ...

    def rescue(
        self, route: Route, request: Request, error: BaseException, context: Any
    ) -> bytes | Outcome:
        """The error frame for what a handler raised, or the result of an exception handler."""
        ...

    def misfit(self, route: Route, request: Request, error: BaseException) -> bytes:
        """The error frame for the result of an exception handler that cannot be adapted."""
        ...

    def unwritable(self, route: Route, request_id: int | Raw, error: BaseException) -> bytes:
        """The error frame for a result that cannot be encoded."""
        ...

    def timed_out(self, route: Route, request: Request) -> bytes:
        """The error frame for a call that takes longer than it may."""
        ...

    def not_supported(self, request: Request) -> bytes:
        """The error frame for a method of the role that this app does not have."""
        ...

    def failed_late(
        self, route: Route, request: Request, error: BaseException, context: Any
    ) -> None:
        """A call was cancelled, and what it did then failed: tell the operator."""

    def stream_failed(
        self, route: Route, request: Request, error: BaseException, context: Any
    ) -> bytes:
        """A stream broke after its ack: tell the operator; the error object as hosts read it."""
        ...


class ServedApp(Protocol):
    """The app as the engine serves it."""

    @property
    def failures(self) -> Failing:
        """What becomes of exceptions."""
        ...

    @property
    def variables(self) -> Context:
        """The context variables that each request begins with: as the lifespan has left them."""
        ...

    @property
    def concurrency(self) -> int:
        """How many sync handlers may run at once in the pool."""
        ...

    def connect(self, link: Link) -> None:
        """What the app may ask of the engine; called once, before anything else."""

    def find(self, method: str) -> Route | None:
        """The route of a domain method, aliases and globs included."""
        ...

    def inline(self) -> Mapping[str, Route]:
        """Every route by its exact wire name, if it runs inline and needs nothing special."""
        ...

    def knows(self, method: str) -> bool:
        """Does the role have this method, even if the app does not serve it?"""
        ...

    def internal(self, handler: Callable[[Raw], Any]) -> Route:
        """A route around one of the engine's own lifecycle handlers."""
        ...

    def initialize(self, params: Raw) -> Any:
        """Hooks, lifespan, and the initialize result."""
        ...

    def health_route(self) -> Route | None:
        """The author's health check."""
        ...

    def health(self) -> bytes:
        """The default health result, encoded."""
        ...

    def context(self, route: Route, request: Request) -> Any:
        """A context for one request, as handlers take it."""
        ...

    def scope(self, context: Any, /) -> Scope:
        """The engine's side of a context."""
        ...

    def field(self, params: Raw, name: str, *, raw: bool = False) -> Any:
        """One field of params, or None; as raw bytes on request."""
        ...

    def call_failed(self, route: Route, sent: bytes) -> None:
        """A call has failed, with this error frame or error object: does the process go on?"""

    def stop(self) -> None:
        """Leave the lifespan; once, never raises."""


class Cancellable(Protocol):
    """Whose frames these are: a request, or its stream."""

    @property
    def cancelled(self) -> bool:
        """May nothing more of it go out?"""
        ...


class Outlet(Protocol):
    """Where frames go."""

    def write(self, data: bytes | bytearray) -> None:
        """Write whole frames."""

    def write_for(self, sender: Cancellable, data: bytes | bytearray) -> None:
        """Write whole frames of a request, unless it is cancelled."""


class Link(Protocol):
    """What the app may ask of the engine that serves it."""

    @property
    def wire(self) -> Outlet:
        """Where frames go."""
        ...

    @property
    def opened(self) -> bool:
        """Is the handshake done?"""
        ...

    @property
    def over(self) -> bool:
        """Has a shutdown or the end begun?"""
        ...

    def streams(self) -> Sequence[StreamCall]:
        """The calls of streams that are under way."""
        ...

    def run(self, work: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> Any:
        """Run a coroutine on the event loop and wait for it; never on the loop's own thread.

        Raises:
            TimeoutError: It did not end within `timeout_s`.
        """
        ...

    def when_over(self, act: Callable[[], object], /) -> Callable[[], None]:
        """Have a function called as soon as a shutdown or the end begins; it takes it back.

        It may be called twice, and in a signal's handler: it may only set something off.
        """
        ...

    def end(self, reason: End) -> None:
        """Stop serving."""
