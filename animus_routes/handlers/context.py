"""`Context`: what a handler can know about its request, and what it can send while it runs."""

from __future__ import annotations

from _thread import allocate_lock
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, Generic, NotRequired, Protocol, TypedDict, cast

from animus_routes.engine.frames import id_key, notification_frame
from animus_routes.engine.program import working_directory
from animus_routes.handlers.scope import Scope
from animus_routes.values import codecs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from animus_routes.engine.frames import Request
    from animus_routes.engine.ports import Link
    from animus_routes.names import Level, PluginNotification

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
    """Who is behind a request, as asserted by the transport."""

    user_id: str
    claims: NotRequired[list[str]]
    tenant_id: NotRequired[str | None]


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


class Surroundings:
    """What all contexts of one session share; the session fills it in as the handshake goes.

    Args:
        app: The app that serves.
        log: Writes one line for the operator: level, target, message, fields.
        report: Tells the operator of an error: where, and the error.
        subject_kind: The subject kind of a request whose method does not name it.
        actor: Who is behind a request.

    Attributes:
        link: The connection; set once there is one, before the first request.
        greeting: The params of `initialize`; empty before that.
        state: What the lifespan yielded.
        settings: The app's settings, as read at the handshake.
        unusable: Why there are none, though the app has some; else "".
    """

    __slots__ = (
        "actor",
        "app",
        "greeting",
        "link",
        "log",
        "report",
        "settings",
        "state",
        "subject_kind",
        "unusable",
    )

    def __init__(
        self,
        app: ServingApp,
        log: Callable[[str, str, str, Any], object],
        report: Callable[[str, BaseException], object],
        subject_kind: Callable[[Request], str | None],
        actor: Callable[[Request], Actor | None],
    ) -> None:
        self.actor = actor
        self.subject_kind = subject_kind
        self.app = app
        self.link: Link
        self.log = log
        self.report = report
        self.greeting: dict[str, Any] = {}
        self.state: Any = None
        self.settings: Any = None
        self.unusable = ""

    def read_settings(self, cls: type[Any] | None) -> str:
        """Have the app's settings ready, unless a test has given some; why they cannot be used, or ""."""
        if cls is not None and self.settings is None:
            from animus_routes.handlers.settings import Unusable, read

            try:
                self.settings, self.unusable = read(cls), ""
            except Unusable as error:
                self.unusable = error.message
        return self.unusable


class Context(Generic[State_co]):
    """One request. Annotate a parameter with it, under any name: `def run(ctx: Context)`.

    `Context[Store]` says what the lifespan yields, and so what `ctx.state` is; nothing checks it at
    run time. A bare `Context` leaves `ctx.state` untyped.

    What it tells:

    - of the request: `method`, `kind`, `id`, `params`, `actor`, `cancelled`
    - of the session: `app`, `state`, `settings`, `host`, `init_extensions`, `project_binding`,
      `project_root`, `data_dir`, `repo_scope`, `memory_mcp_command`

    What it does: `wait`, `wait_for`, `on_cancel`, `emit`, `notify`, `progress`, `log`.
    """

    __slots__ = ("__dict__", "__weakref__", "_around", "_kind", "_request", "_scope")

    def __init__(self, surroundings: Surroundings, request: Request, kind: str | None) -> None:
        self._kind = kind
        self._request = request
        self._around = surroundings
        self._scope = Scope(request.method, surroundings.report)

    # The request ----------------------------------------------------------------------------------

    @property
    def method(self) -> str:
        """The wire method as the host called it."""
        return self._request.method

    @property
    def kind(self) -> str | None:
        """The subject kind that was called: of `<kind>/<verb>`; of `subject/<verb>` what it means.

        That is `params.kind`, the filter's one kind, the prefix of the id, or the only kind that is
        served. None where nothing says it.
        """
        if self._kind is None:
            self._kind = self._around.subject_kind(self._request)
        return self._kind

    @property
    def cancelled(self) -> bool:
        """The host does not want the answer any more, or serving is ending."""
        return self._scope.cancelled

    @property
    def id(self) -> int | float | str | None:
        """The request's id; None for a notification and for `id: null`."""
        value: int | float | str | None = id_key(self._request.id)[1] if self._request.id else None
        return value

    @property
    def params(self) -> dict[str, Any]:
        """The params as a plain dict, including keys that the hints do not name."""
        return codecs.plain(self._request.params)

    @property
    def actor(self) -> Actor | None:
        """Who is asking, as the transport asserts it; None if nobody does.

        It is the params' `actor`, and the `context.actor` of `<kind>/v2/<verb>`. A malformed one
        does not get here: such a call is answered with -32602. Only in methods of your own, whose
        params are yours, it is None.
        """
        return self._around.actor(self._request)

    # The session ----------------------------------------------------------------------------------

    @property
    def app(self) -> ServingApp:
        """The app that serves the request."""
        return self._around.app

    @property
    def state(self) -> State_co:
        """What the lifespan yielded; None without one, and while it is entered."""
        state: State_co = self._around.state
        return state

    @property
    def settings(self) -> Any:
        """The app's settings; a parameter with their class as its hint gets them typed.

        Raises:
            Unavailable: A variable is missing or malformed; the message names all of them.
        """
        if self._around.unusable:
            from animus_routes.errors import Unavailable

            raise Unavailable(self._around.unusable)
        return self._around.settings

    @property
    def host(self) -> dict[str, Any]:
        """The host's `{name, version}` from `initialize`; empty before that."""
        info: dict[str, Any] = self._around.greeting.get("host_info") or {}
        return info

    @property
    def init_extensions(self) -> dict[str, Any]:
        """The open map in `initialize` (protocol 1.1.0); empty if the host sent none."""
        extensions: dict[str, Any] = self._around.greeting.get("init_extensions") or {}
        return extensions

    @property
    def project_binding(self) -> ProjectBinding | None:
        """The project that this process is bound to, if the host named one in `initialize`."""
        binding = _object(self.init_extensions.get("project_binding"))
        return cast("ProjectBinding", binding) if binding.get("project_root") else None

    @property
    def memory_mcp_command(self) -> str | None:
        """The program that serves the host's memory over MCP on stdio, if the host named one.

        The extension `memory_mcp_stdio_command` is a string, or an object with `command` or `path`.
        """
        given = self.init_extensions.get("memory_mcp_stdio_command")
        if isinstance(given, dict):
            named = _object(given)
            given = named.get("command") or named.get("path")
        return given if isinstance(given, str) and given else None

    @property
    def project_root(self) -> str:
        """The project this process is bound to; the working directory if the host named none.

        "." where that directory is gone.
        """
        root = _object(self.init_extensions.get("project_binding")).get("project_root")
        return str(root) if root else working_directory() or "."

    @property
    def data_dir(self) -> Path:
        """A folder for what the plugin keeps, one for each plugin and project.

        It is `.animus/data/<the plugin's name>` below the project's root. The first write below it
        makes it: `open` for writing, `write_text`, `mkdir`, an `Outbox` in it. What opens a file by itself, such as
        a `Database`, is given the folder by `path.make_folder()`.
        """
        from animus_routes.handlers.folder import DataPath

        name = self.app.name.replace("/", "-").strip(".")
        return DataPath(self.project_root, ".animus", "data", name)

    @property
    def repo_scope(self) -> str | None:
        """The repository scope of the project binding, if the host named one."""
        return _object(self.init_extensions.get("project_binding")).get("repo_scope")

    # While it runs --------------------------------------------------------------------------------

    def wait(self, seconds: float) -> bool:
        """Sleep, or return early if the request is cancelled. Async handlers are cancelled instead.

        Returns:
            True as soon as the request is cancelled.
        """
        scope = self._scope
        if not scope.cancelled:
            gate = allocate_lock()
            gate.acquire()
            forget = scope.on_cancel(gate.release)
            gate.acquire(timeout=min(max(seconds, 0), LONGEST_S))
            forget()
        return scope.cancelled

    def wait_for(self, source: Any, timeout_s: float | None = None) -> Any:
        """Wait for the next item of a queue, or for an event, or until the request is cancelled.

        Args:
            source: A `queue.Queue`, a `SimpleQueue` or a `threading.Event`; those of asyncio are awaited
                instead, and async handlers are cancelled as tasks.
            timeout_s: The longest to wait, in seconds.

        Returns:
            The item of a queue; True for an event.

        Raises:
            Cancelled: The request is cancelled.
            Timeout: Nothing came within `timeout_s`.
            TypeError: It is neither a queue nor an event of threads.
        """
        from animus_routes.handlers.waiting import wait_for

        return wait_for(self._scope, source, timeout_s)

    def on_cancel(self, act: Callable[[], object]) -> Callable[[], None]:
        """Have a function called, once, when the request is cancelled or serving ends.

        It is for what blocks elsewhere: close the socket, stop the query. It is called on another
        thread than the handler's, which also reads the wire: keep it short. If the request is
        cancelled already, it is called now.

        Returns:
            A function that takes it back.
        """
        return self._scope.on_cancel(act)

    def emit(self, item: Any) -> None:
        """Send one item of this call's stream, as `yield` does in a generator.

        Raises:
            RuntimeError: The method has no stream.
        """
        scope = self._scope
        if scope.emitter is None:
            raise RuntimeError(f"{self.method} has no stream to emit to")
        opening = scope.opening
        if opening is not None:  # another thread may just have sent it
            opening()  # the ack goes out before the first item
        scope.emitter.emit(item)

    def notify(self, method: PluginNotification | str, params: Any = None) -> None:
        """Send a notification now; dropped once the request is cancelled.

        Raises:
            TypeError: The params cannot be written as JSON.
            ValueError: They are larger than hosts accept.
        """
        frame = notification_frame(method, codecs.encode({} if params is None else params))
        scope = self._scope
        if scope.emitter is not None:
            scope.emitter.flush()
        self._around.link.wire.write_for(scope, frame)

    def progress(self, value: Any) -> None:
        """Send `$/progress {id, value}` if the host accepts it (spec section 6.4)."""
        capabilities = _object(self._around.greeting.get("capabilities"))
        if capabilities.get("progress") and self._request.id:
            self.notify("$/progress", {"id": self.id, "value": value})

    def log(self, level: Level, message: str, **fields: Any) -> None:
        """Write one line for the operator, on stderr.

        Args:
            level: trace, debug, info, warn (or warning), or error.
            message: What happened.
            fields: Appended as `key=value`.

        It never raises: a level that there is not is written as info, with a line that says so.
        """
        word = SAME_LEVEL.get(str(level), str(level))
        if word not in LEVELS:
            known = ", ".join([*LEVELS, *SAME_LEVEL])
            told = f"ctx.log: the level is one of {known}, not {level!r:.40}"
            self._around.log("warn", self.method, told, None)
            word = "info"
        self._around.log(word, self.method, message, fields or None)


def _object(value: Any) -> dict[str, Any]:
    """An object from the host; empty if it is anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


surroundings_of: Final[Callable[[Context[Any]], Surroundings]] = attrgetter("_around")
