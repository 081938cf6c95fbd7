"""`Context`: what a handler can know of its request and say while it runs."""

from __future__ import annotations

import os
from _thread import allocate_lock
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Generic, NotRequired, Protocol, TypedDict, cast

from animus_routes.engine.frames import MAX_OUTBOUND_BYTES, id_key, notification_frame
from animus_routes.values import codecs

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.engine.emitter import Emitter
    from animus_routes.engine.frames import Request
    from animus_routes.engine.server import Server
    from animus_routes.names import Level, PluginNotification
    from animus_routes.serving.session import Session

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    State_co = TypeVar("State_co", covariant=True, default=Any)
else:  # loading typing_extensions would cost every start a few milliseconds
    from typing import TypeVar

    State_co = TypeVar("State_co", covariant=True)

# The wire's levels, least urgent first, and the number that standard `logging` has for each.
LEVELS: Final = {"trace": 5, "debug": 10, "info": 20, "warn": 30, "error": 40}
SAME_LEVEL: Final = {"warning": "warn"}
LONGEST_S: Final = 1e9  # what the platform's clocks take for "no bound"


class Actor(TypedDict):
    """Who stands behind a request, asserted by the transport."""

    user_id: str
    claims: NotRequired[dict[str, Any]]
    tenant_id: NotRequired[str]


class ProjectBinding(TypedDict):
    """The project a process serves for its lifetime.

    `project_root` is an absolute path, `repo_scope` the host's name for the repository.
    """

    project_root: str
    repo_scope: NotRequired[str]


class ServingApp(Protocol):
    """The app behind a request, which is an `App`.

    Attributes:
        dependency_overrides: What stands in for a dependency, in tests.
    """

    name: str
    version: str
    description: str
    kinds: list[str]
    subject_kinds: list[str]
    dependency_overrides: dict[Callable[..., Any], Callable[..., Any]]

    def notify(self, method: PluginNotification | str, params: Any = None) -> None:
        """Send a notification that belongs to no request; see `App.notify`."""


class Context(Generic[State_co]):
    """One request. Take it by annotation, under any name: `def run(ctx: Context)`.

    `Context[Store]` says what the lifespan yields, and so what `ctx.state` is; nothing checks it at
    run time. A bare `Context` leaves `ctx.state` untyped.

    Attributes:
        app: The app that serves the request.
        method: The wire method as the host called it.
        kind: The subject kind the host called, for `<kind>/<verb>`; else None.
        cancelled: The host does not want the answer any more, or serving is ending.
    """

    def __init__(
        self, session: Session, server: Server, request: Request, kind: str | None
    ) -> None:
        self.app: ServingApp = session.app
        self.method = request.method
        self.kind = kind
        self.cancelled = False
        self.emitter: Emitter | None = None
        self.opening: Callable[[], object] | None = None
        self.made: dict[Callable[..., Any], Any] = {}
        self.cleanups: list[Any] = []
        self._session = session
        self._server = server
        self._request = request
        self._waiting: list[Any] = []

    # The request ----------------------------------------------------------------------------------

    @property
    def id(self) -> int | float | str | None:
        """The request's id; None for a notification and for `id: null`."""
        value: int | float | str | None = id_key(self._request.id)[1] if self._request.id else None
        return value

    @property
    def params(self) -> dict[str, Any]:
        """The params as a plain dict, with keys that the hints do not name."""
        return codecs.plain(self._request.params)

    @property
    def actor(self) -> Actor | None:
        """Who asks, as the transport asserts it (v0.7); None for a malformed one too."""
        actor = _object(self.params.get("actor"))
        return cast("Actor", actor) if isinstance(actor.get("user_id"), str) else None

    # The session ----------------------------------------------------------------------------------

    @property
    def state(self) -> State_co:
        """What the lifespan yielded; None without one, and while it is entered."""
        state: State_co = self._session.state
        return state

    @property
    def host(self) -> dict[str, Any]:
        """The host's `{name, version}` from initialize; empty before it."""
        info: dict[str, Any] = self._session.greeting.get("host_info") or {}
        return info

    @property
    def init_extensions(self) -> dict[str, Any]:
        """The open map of initialize (protocol 1.1.0); empty if the host sent none."""
        extensions: dict[str, Any] = self._session.greeting.get("init_extensions") or {}
        return extensions

    @property
    def project_binding(self) -> ProjectBinding | None:
        """The project this process is bound to, where the host said it in initialize."""
        binding = _object(self.init_extensions.get("project_binding"))
        return cast("ProjectBinding", binding) if binding.get("project_root") else None

    @property
    def memory_mcp_command(self) -> str | None:
        """The program that serves the host's memory over MCP on stdio, where the host named one.

        The extension `memory_mcp_stdio_command` is a string, or an object with `command` or `path`.
        """
        given = self.init_extensions.get("memory_mcp_stdio_command")
        if isinstance(given, dict):
            named = _object(given)
            given = named.get("command") or named.get("path")
        return given if isinstance(given, str) and given else None

    @property
    def project_root(self) -> str:
        """The project this process is bound to; the working directory if the host did not say."""
        root = _object(self.init_extensions.get("project_binding")).get("project_root")
        return str(root) if root else os.getcwd()  # noqa: PTH109 - pathlib costs 5 ms

    @property
    def repo_scope(self) -> str | None:
        """The repository scope of the project binding, if the host said it."""
        return _object(self.init_extensions.get("project_binding")).get("repo_scope")

    # While it runs --------------------------------------------------------------------------------

    def wait(self, seconds: float) -> bool:
        """Sleep, but no longer than the request lives. For plain handlers: async ones are cancelled.

        Returns:
            True as soon as the request is cancelled.
        """
        if not self.cancelled:
            gate = allocate_lock()
            gate.acquire()
            self._waiting.append(gate)
            if not self.cancelled:
                gate.acquire(timeout=min(max(seconds, 0), LONGEST_S))
            self._waiting.remove(gate)
        return self.cancelled

    def emit(self, item: Any) -> None:
        """Send one item of this call's stream, as a generator's `yield` does.

        Raises:
            RuntimeError: The method has no stream.
        """
        if self.emitter is None:
            raise RuntimeError(f"{self.method} has no stream to emit to")
        if self.opening is not None:
            self.opening()  # the ack goes out before the first item
        self.emitter.emit(item)

    def notify(self, method: PluginNotification | str, params: Any = None) -> None:
        """Send a notification now; dropped once the request is cancelled.

        Raises:
            TypeError: The params cannot be written as JSON.
            ValueError: They are larger than what hosts take.
        """
        frame = notification_frame(method, codecs.encode({} if params is None else params))
        if len(frame) > MAX_OUTBOUND_BYTES:
            raise ValueError(
                f"the notification has {len(frame)} bytes, hosts end the link above "
                f"{MAX_OUTBOUND_BYTES}"
            )
        if self.emitter is not None:
            self.emitter.flush()
        wire = self._server.wire
        with wire.lock:
            if not self.cancelled:
                wire.write_locked(frame)

    def progress(self, value: Any) -> None:
        """Send `$/progress {id, value}` if the host accepts it (spec section 6.4)."""
        capabilities = _object(self._session.greeting.get("capabilities"))
        if capabilities.get("progress") and self._request.id:
            self.notify("$/progress", {"id": self.id, "value": value})

    def log(self, level: Level, message: str, **fields: Any) -> None:
        """One line for the operator, on stderr.

        Args:
            level: trace, debug, info, warn (or warning), or error.
            message: What happened.
            fields: Appended as `key=value`.

        Raises:
            ValueError: There is no such level.
        """
        word = SAME_LEVEL.get(level, level)
        if word not in LEVELS:
            raise ValueError(f"level is one of {', '.join(LEVELS)}, not '{level}'")
        self._session.sink.write(word, self.method, message, fields or None)

    # For the engine -------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Trip `cancelled` and wake `wait`."""
        self.cancelled = True
        for gate in tuple(self._waiting):
            with suppress(RuntimeError):  # it timed out at this moment
                gate.release()

    def close(self, failure: BaseException | None) -> None:
        """After the reply: run the rest of generator dependencies, the last one made first."""
        while self.cleanups:
            generator = self.cleanups.pop()
            try:
                if failure is None:
                    next(generator)
                else:
                    generator.throw(failure)
                generator.close()
                self._session.report(f"after {self.method}", RuntimeError(YIELDED_TWICE))
            except StopIteration:
                pass
            except BaseException as error:  # noqa: BLE001 - the reply is out; tell the operator
                self._cleanup_failed(error, failure)

    async def aclose(self, failure: BaseException | None) -> None:
        """As `close`, for async and plain generator dependencies alike."""
        while self.cleanups:
            generator = self.cleanups.pop()
            if not hasattr(generator, "__anext__"):
                rest, self.cleanups = self.cleanups, [generator]
                self.close(failure)
                self.cleanups = rest
                continue
            try:
                if failure is None:
                    await anext(generator)
                else:
                    await generator.athrow(failure)
                await generator.aclose()
                self._session.report(f"after {self.method}", RuntimeError(YIELDED_TWICE))
            except StopAsyncIteration:
                pass
            except BaseException as error:  # noqa: BLE001 - as above
                self._cleanup_failed(error, failure)

    def _cleanup_failed(self, error: BaseException, failure: BaseException | None) -> None:
        if error is not failure:
            self._session.report(f"a dependency's clean-up failed after {self.method}", error)


YIELDED_TWICE: Final = "a dependency yielded a second time: the part after its `yield` is clean-up"


def _object(value: Any) -> dict[str, Any]:
    """An object from the host; empty if it is anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
