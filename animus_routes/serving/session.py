"""The app as the engine serves it: its routes, contexts and error frames.

Implements `engine.ports.ServedApp`. One session is one connection of one host.
"""

from __future__ import annotations

import os
import sys
from _contextvars import ContextVar, copy_context
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from animus_routes.engine.exit import FORKED, End, end_child
from animus_routes.engine.frames import Request, notification_frame
from animus_routes.engine.program import when_imported
from animus_routes.engine.stderr import MASKS, log
from animus_routes.errors import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, RpcError, Unavailable
from animus_routes.handlers.context import Context, Surroundings
from animus_routes.handlers.scope import scope_of
from animus_routes.roles import PROTOCOL_VERSION
from animus_routes.routing.registry import covers
from animus_routes.routing.route import internal, refusing
from animus_routes.serving.failures import Failures, NotStartedError
from animus_routes.serving.health import Health
from animus_routes.values import codecs

if TYPE_CHECKING:
    from _contextvars import Context as Variables
    from collections.abc import Callable, Coroutine, Mapping

    from animus_routes.engine.ports import Link
    from animus_routes.engine.ports import Route as EngineRoute
    from animus_routes.handlers.context import Actor
    from animus_routes.routing.declaration import Declaration
    from animus_routes.routing.route import Route
    from animus_routes.serving.logs import Sink
    from animus_routes.serving.tasks import OneTask

KEPT_NAMES: Final = 256  # of methods of kinds below a glob: hosts may name as many as they like
DEVELOPING: Final = "animus-routes"  # how the hosts of this package are named
HOOK: Final = "a hook of its handshake"
LIFESPAN: Final = "its lifespan"
# Set by a handshake, so that what runs after it notices that it needs the new variables.
RENEWED: Final[ContextVar[Variables]] = ContextVar("animus_routes.renewed")
REFUSALS: Final = (INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR)


class Session:
    """One host's connection to the app.

    Attributes:
        failures: What becomes of exceptions.
        enters: The lifespan is entered at the handshake; not if there is none, or a test has its state.
        surroundings: What the contexts have in common.
        variables: The context variables that each request begins with: as the lifespan has left
            them, which runs in that context itself.
    """

    scope = staticmethod(scope_of)

    def __init__(self, app: Declaration) -> None:
        self.app = app
        self.failures = Failures(app, self.context, self._over)
        self._registry = app.registry
        self._routes: dict[str, Route] = {}
        for route in self._registry.routes():
            self._routes.setdefault(route.name, route)
        self._called: dict[str, Route] = {}
        self.enters = bool(app.lifespan)
        self._lifespan: Callable[[], object] | None = None
        self._found = copy_context()
        self.variables = self._found
        self._task: OneTask | None = None
        self._health = Health(self.failures)
        self._health_route: EngineRoute | None = None
        self._link: Link | None = None
        self.surroundings = Surroundings(
            app, self._write_log, self.failures.report, self._subject_kind, self._actor
        )
        self._give_logging_back: Callable[[], None] = _nothing

    def connect(self, link: Link) -> None:
        """What the app may ask of the engine; called once, before anything else."""
        self._link = link
        self.surroundings.link = link
        if self.app.env_required or self.app.settings is not None:
            MASKS.append(self.failures.masked)

    def _over(self) -> bool:
        return self._link is not None and self._link.over

    @property
    def concurrency(self) -> int:
        """Sync handlers at once in the pool; `concurrent=True` alone gets the machine's cores."""
        return self.app.concurrency if self.app.concurrency > 1 else (os.cpu_count() or 2) + 2

    # Routes ---------------------------------------------------------------------------------------

    def find(self, method: str) -> Route | None:
        """The route of a method; the longest `x.*` of the subject kinds, then `*`."""
        route = self._routes.get(method) or self._called.get(method)
        if route is not None:
            return route
        kind, _, verb = method.partition("/")
        for glob in sorted(self._registry.subject_kinds, key=len, reverse=True):
            if covers(glob, kind):
                known = self._routes.get(f"{glob}/{verb}")
                if known is not None:
                    if len(self._called) >= KEPT_NAMES:
                        self._called.clear()
                    found = self._called[method] = known.called(method, kind)
                    return found
        return None

    def inline(self) -> Mapping[str, Route]:
        """The routes of the fast path."""
        return {
            name: route
            for name, route in self._routes.items()
            if route.mode == "inline" and not route.bare and route.stops is None
        }

    def knows(self, method: str) -> bool:
        """Is it a method of the role that is not registered here?"""
        return self._registry.row(method)[1] is not None

    def internal(self, handler: Callable[[Raw], Any]) -> EngineRoute:
        """A route around a lifecycle handler."""
        return internal("lifecycle", handler)

    def context(self, route: Any, request: Request) -> Context:
        return Context(self.surroundings, request, route.subject_kind)

    def _subject_kind(self, request: Request) -> str | None:
        """The subject kind of a call whose name does not say it, if its role has one."""
        role, row = self._registry.row(request.method)
        if row is None or not row.aliases or role.subject_kind is None:
            return None
        return role.subject_kind(codecs.lenient(request.params), self._registry)

    def _actor(self, request: Request) -> Actor | None:
        """Who is behind a call, where its method's params say that."""
        from animus_routes.handlers.actors import actor_of

        return actor_of(request.params, self._registry.row(request.method)[1])

    def field(self, params: Raw, name: str, *, raw: bool = False) -> Any:
        """One field of params of any form; None if it is missing."""
        try:
            value = msgspec.json.decode(params, type=dict[str, Raw]).get(name)
            return value if value is None or raw else msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None

    # Lifecycle ------------------------------------------------------------------------------------

    def initialize(self, params: Raw) -> dict[str, Any]:
        """Check the version, run the hooks, enter the lifespan, describe the plugin."""
        from animus_routes.describe.manifest import initialize_result

        greeting = _decoded(codecs.plain, params)
        _check_version(greeting.get("protocol_version"))
        surroundings = self.surroundings
        surroundings.greeting = greeting
        self._set_up_logging()
        failures = self.failures
        unusable = self._health.broken = surroundings.read_settings(self.app.settings)
        missing = unusable or failures.missing()
        if missing:
            log(f"{self.app.name}: {missing}")
        ctx = Context(surroundings, Request("initialize", 0, params), None)
        failures.developing = str(ctx.host.get("name")).startswith(DEVELOPING)
        # What an attempt that was refused has set does not stay.
        self.variables = self._found.copy()
        RENEWED.set(self.variables)
        failed = self._started(params, ctx)
        if failed is not None and not missing:
            raise failed
        if failed is not None:
            # One plugin that refuses the handshake stops the commands of all others of its role.
            self._refuse_all(failed)
        return initialize_result(self.app)

    def _started(self, params: Raw, ctx: Context) -> Exception | None:
        """Run the hooks and enter the lifespan; return what failed.

        Raises:
            RpcError: A hook refuses this host.
        """
        step, surroundings = HOOK, self.surroundings
        try:
            self._run_hooks(params, ctx)
            step = LIFESPAN
            if self.enters and self._lifespan is None:
                from animus_routes.serving.lifespan import enter

                surroundings.state, self._lifespan = enter(
                    self.app, ctx, self._run_in_task, self.variables
                )
        except BaseException as error:
            if FORKED:
                end_child(error)
            self._end_task()
            refused = step is HOOK and isinstance(error, RpcError) and not surroundings.unusable
            if refused or self.failures.is_end(error):
                raise
            found = self.failures.translated(error, ctx)
            if isinstance(found, RpcError):
                return found
            failed = NotStartedError(step)
            failed.__cause__ = error
            return failed
        if FORKED:
            end_child()
        return None

    def _refuse_all(self, failed: Exception) -> None:
        """Answer every call with why nothing can be served."""
        bug = self.failures.bug
        reason = failed.message if isinstance(failed, RpcError) else bug("the handshake", failed)
        log(f"{self.app.name} serves nothing: {reason}")

        def refuse(*_: Any) -> None:
            raise Unavailable(reason)

        self._health.broken = reason
        self._routes = {name: refusing(route, refuse) for name, route in self._routes.items()}

    def _run_in_task(self, work: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> Any:
        """Run a coroutine in the one task of the hooks and the lifespan, and wait for it."""
        if self._task is None:
            from animus_routes.serving.tasks import OneTask

            assert self._link is not None
            self._task = OneTask(self._link.run, self.variables)
        return self._task.run(work, timeout_s)

    def _end_task(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.close()

    def _run_hooks(self, params: Raw, ctx: Context) -> None:
        """Run every hook in order; close what their dependencies opened after the last one."""
        failure: BaseException | None = None
        try:
            for hook in self.app.initialize_hooks:
                self._run_hook(hook, params, ctx)
        except BaseException as error:
            if FORKED:
                end_child(error)
            failure = error
            raise
        finally:
            scope = scope_of(ctx)
            if any(hasattr(opened, "__anext__") for opened in scope.cleanups):
                self._run_in_task(scope.aclose(failure))
            else:
                self.variables.run(scope.close, failure)

    def _run_hook(self, hook: Callable[..., Any], params: Raw, ctx: Context) -> None:
        from animus_routes.describe.hooks import INITIALIZE, read_hook
        from animus_routes.handlers.plan import caller, decoder

        signature = read_hook(hook)
        values = _decoded(decoder(signature, INITIALIZE), params)
        call = caller(signature, [])
        arguments = (values, ctx) if signature.contextual else (values,)
        result = self.variables.run(call, *arguments)
        if FORKED:
            end_child()
        if signature.is_async:
            self._run_in_task(result)

    def _set_up_logging(self) -> None:
        """Take standard `logging` over as soon as the program uses it."""
        self._give_logging_back()
        if "logging" in sys.modules:
            from animus_routes.serving.stdlib_logging import take_over

            self._give_logging_back = take_over(self.sink)
        else:
            self._give_logging_back = when_imported("logging", self._set_up_logging)

    def close(self) -> None:
        """Give back what belongs to the process, for one that lives on."""
        self._give_logging_back()
        self._give_logging_back = _nothing
        if self.failures.masked in MASKS:
            MASKS.remove(self.failures.masked)

    @cached_property
    def sink(self) -> Sink:
        """Where log lines go."""
        from animus_routes.serving.logs import Sink

        notify = self._log_entry if self.app.log_entries else None
        return Sink(self.app.log_format, notify, self.failures.masked)

    def _write_log(self, level: str, target: str, message: str, fields: Any) -> None:
        self.sink.write(level, target, message, fields)

    def _log_entry(self, entry: dict[str, Any]) -> None:
        """A `log/entry`, but none during a run: a host that has seen one does not retry a run."""
        from animus_routes.routing.streaming import AdaptedStreamCall

        streams = () if self._link is None else self._link.streams()
        if not any(isinstance(stream, AdaptedStreamCall) for stream in streams):
            try:
                self.notify("log/entry", entry)
            except Exception as error:  # noqa: BLE001 - what is logged is a line on stderr already
                log(f"a log entry was not sent to the host: {error}")

    def notify(self, method: str, params: Any) -> None:
        """Send a notification that belongs to no request; nothing before the handshake is done."""
        link = self._link
        if link is not None and link.opened:
            link.wire.write(notification_frame(method, codecs.encode(params)))

    def stop(self) -> None:
        """Leave the lifespan, once."""
        leave, self._lifespan = self._lifespan, None
        if leave is not None:
            try:
                leave()
            except BaseException as error:  # noqa: BLE001 - the end goes on
                if FORKED:
                    end_child(error)
                self.failures.report("the lifespan's exit failed", error)
            if FORKED:
                end_child()
        self._end_task()

    # Health ---------------------------------------------------------------------------------------

    def health_route(self) -> EngineRoute | None:
        """The author's check as a route."""
        if self._health.broken:
            return None
        if self._health_route is None and self.app.health_check is not None:
            self._health_route = self._health.route(self.app.health_check)
        return self._health_route

    def health(self) -> bytes:
        """The default answer: alive."""
        return codecs.encode(self._health.result(None))

    def call_failed(self, route: Any, sent: bytes) -> None:
        """Say on stderr that a stream is refused; end the process if it has failed and hosts ignore that.

        Hosts do not read the answer of a stream that they expect to be acknowledged. One that has
        failed is restarted with the process; refusing the params would happen again next time.
        """
        if route.stream is None:
            return
        found = msgspec.json.decode(sent)
        error = found.get("error", found)
        if error is not found and route.stream.ack is not None and "error_id" not in error["data"]:
            log(f"{route.name} is refused: {error['message']}")
        refused = error["code"] in REFUSALS
        fatal = route.stream.fatal and self.app.exit_on_broken_stream
        if fatal and not refused and self._link is not None:
            self._link.end(End.BROKEN_STREAM)


def _nothing() -> None:
    pass


def _decoded(decode: Callable[[Raw], Any], params: Raw) -> Any:
    """The decoded params of the handshake; if they are wrong, that is the host's fault, not a bug.

    Raises:
        RpcError: They do not decode.
    """
    try:
        return decode(params)
    except Exception as error:
        invalid = codecs.explain(error)
        if invalid is None:
            raise
        data = {"category": "invalid_request", "issues": invalid.issues}
        raise RpcError(INVALID_PARAMS, f"invalid params: {invalid}", data) from error


def _check_version(version: Any) -> None:
    """The major versions must agree (spec section 8)."""
    if not isinstance(version, str) or not version.partition(".")[0].isdecimal():
        text = f"initialize needs `protocol_version`, such as '{PROTOCOL_VERSION}'"
        issue = {"path": "protocol_version", "message": text, "code": "missing"}
        raise RpcError(INVALID_PARAMS, text, {"category": "invalid_request", "issues": [issue]})
    if version.partition(".")[0] != PROTOCOL_VERSION.partition(".")[0]:
        text = f"the host speaks protocol {version}, this plugin {PROTOCOL_VERSION}"
        raise RpcError(INVALID_PARAMS, text, {"category": "invalid_request"})
