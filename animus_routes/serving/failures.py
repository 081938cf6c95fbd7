"""The one boundary between exceptions and the wire: what is sent, and what only operators see."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from animus_routes.engine.exit import FORKED, Interrupted, end_child
from animus_routes.engine.frames import TooLargeError, error_frame, error_object, is_code
from animus_routes.engine.stderr import log
from animus_routes.errors import (
    CANCELLED,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    PARSE_ERROR,
    Invalid,
    Mistake,
    NamedError,
    NotSupported,
    RpcError,
    not_set,
)
from animus_routes.values import codecs

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Raw

    from animus_routes.engine.frames import Request
    from animus_routes.handlers.signature import Signature
    from animus_routes.roles import Role
    from animus_routes.routing.declaration import Declaration
    from animus_routes.serving.masks import Masks


LOOK: Final = "the traceback is on the plugin's stderr, which the daemon has in its events"
LONGEST_TEXT: Final = 500
TOLD: Final = (OSError, SystemExit)  # what these say at the start is meant for the operator


class Value(Struct):
    """A result that an exception handler gave."""

    value: Any


def wire_error(role: Role | None, error: RpcError) -> tuple[int, str, Any]:
    """Code, message and data of an error; for a named error, as its role writes them."""
    if not isinstance(error, NamedError):
        return error.code, error.message, error.data
    row = role.errors.get(error.name) if role is not None else None
    code, category, prefix = error.code, error.name, error.prefix
    if row is not None:
        code = code if row.code is None else row.code
        category = row.category or category
        prefix = prefix if row.prefix is None else row.prefix
    return code, prefix + error.message, {**error.data, "category": category}


class NotStartedError(Exception):
    """A step of the handshake failed, because of its cause.

    Args:
        step: Which, in a few words.
    """

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


def _with_choices(invalid: Invalid, signature: Signature) -> Invalid:
    """The same, with the values the enum accepts if the decoder does not list them."""
    from animus_routes.values.issues import CLOSED

    for issue in invalid.issues:
        if issue["message"] in CLOSED:
            from animus_routes.handlers.choices import choices

            words = ", ".join(f"'{word}'" for word in choices(signature, issue["path"]))
            issue["message"] = f"Expected one of {words}" if words else issue["message"]
    return Invalid(invalid.issues, malformed=invalid.malformed)


def _place(route: Any) -> str:
    """Where a route's handler is in the author's files; "" if it has none."""
    signature = getattr(route, "signature", None)
    if signature is None:
        return ""
    from animus_routes.serving.traces import shown_place

    return shown_place(signature.function)


def _placed(route: Any, error: BaseException) -> BaseException:
    """The error; a mistake of a handler's with its place in the author's files."""
    if not isinstance(error, Mistake):
        return error
    around = getattr(route, "middlewares", ())
    if around and str(error).startswith("returned None"):
        from animus_routes.handlers.middleware import forgetful

        error.at(forgetful(around))
    return error.at(_place(route))


def _cause(error: BaseException) -> BaseException:
    """What a step of the handshake failed with; any other error itself."""
    return (error.__cause__ or error) if isinstance(error, NotStartedError) else error


def _text(error: BaseException) -> str:
    """An error in one line; an author's class may fail to say it."""
    try:
        said = " ".join(str(error).split())
    except Exception:  # noqa: BLE001 - whatever an author's objects do to it
        said = ""
    if isinstance(error, Mistake):
        return said
    name = type(error).__name__
    return f"{name}: {said[:LONGEST_TEXT]}" if said else name


class Failures:
    """Turns what is raised into error frames (`engine.ports.Failing`).

    Args:
        app: For its exception handlers and its roles' words for errors.
        context: Makes a context for one request.
        over: Has a shutdown or the end begun?

    Attributes:
        developing: The host is an author's: a test, or this package's own command line.
        unseen: Such a host has to be told, by the exit code, that a stream has failed after its ack.
        raised: What made a request fail on the author's side, by request id, for the test client;
            None = only logged.
        breaks: What broke streams after their ack, by request id, and the error as hosts read it;
            for the test client too.
    """

    def __init__(
        self, app: Declaration, context: Callable[[Any, Request], Any], over: Callable[[], bool]
    ) -> None:
        self.raised: dict[int | Raw, BaseException] | None = None
        self.breaks: dict[int | Raw, tuple[BaseException, bytes]] | None = None
        self.developing = False
        self.unseen = False
        self._masks: Masks | None = None
        self._app = app
        self._context = context
        self._over = over

    def refuse(self, route: Any, request: Request, error: Exception) -> bytes:
        """-32602 with every issue for params that do not decode; -32603 for a bug in a validator."""
        invalid = codecs.explain(error)
        if invalid is None:
            return self._internal_error(route.name, request.id, error)
        signature = getattr(route, "signature", None)
        if signature is not None:
            invalid = _with_choices(invalid, signature)
        code = PARSE_ERROR if invalid.malformed else INVALID_PARAMS
        data = {"category": "invalid_request", "issues": invalid.issues}
        return self._frame(request, code, f"invalid params: {invalid}", data)

    def _frame(self, request: Request, code: int, message: str, data: Any) -> bytes:
        """An error frame; a notification gets none, so that its error is a line on stderr."""
        if not request.id:
            log(f"{request.method}: {message}")
        return self._written(request.id, code, message, data)

    def _written(self, request_id: int | Raw, code: int, message: str, data: Any) -> bytes:
        return error_frame(request_id, code, self.masked(message), self.masked(data))

    def missing(self) -> str:
        """Which variables the app requires and does not have, as a sentence; "" if none."""
        # Of settings, whoever reads them knows.
        listed = self._app.env_required and self._declared("required", settings=False)
        names = [name for name in listed if not os.environ.get(name)]
        return f"the required {not_set(names)}" if names else ""

    def _wanted_by(self, error: BaseException) -> str:
        """The variable that an error is about, `os.environ[name]` of one that is not set; or ""."""
        name = error.args[0] if isinstance(error, KeyError) and error.args else None
        if not isinstance(name, str) or name not in self._declared("name") or name in os.environ:
            return ""
        return self.missing() or f"the {not_set([name])}"

    def _declared(self, flag: str, *, settings: bool = True) -> list[str]:
        """The variables that are declared with this."""
        if not self._app.env_required and self._app.settings is None:
            return []
        from animus_routes.describe.manifest import requirements

        declared = requirements(self._app, settings=settings)
        return [found["name"] for found in declared if found[flag]]

    def masked(self, value: Any) -> Any:
        """A text, or what may hold texts, without the values of variables that are secret."""
        if self._masks is None:
            secret = self._declared("sensitive")
            if not secret:
                return value
            from animus_routes.serving.masks import Masks

            self._masks = Masks(secret)
        return self._masks.masked(value)

    def rescue(
        self, route: Any, request: Request, error: BaseException, context: Any
    ) -> bytes | Value:
        """What a handler raised: an `RpcError`, an exception with a handler, or a bug."""
        if isinstance(error, NotStartedError):
            return self._internal_error(route.name, request.id, error)
        found = self._handled(error, context or self._context(route, request))
        if isinstance(found, Value):
            return found
        error = found
        if self.is_end(error):
            text = "cancelled: the plugin is ending"
            return error_frame(request.id, CANCELLED, text, {"category": "cancelled"})
        return self.misfit(route, request, error)

    def is_end(self, error: BaseException) -> bool:
        """Was it raised because the plugin ends, and not by the author's code?"""
        if isinstance(error, Interrupted):
            return True
        return type(error).__name__ == "CancelledError" and self._over()

    def misfit(self, route: Any, request: Request, error: BaseException) -> bytes:
        """What no exception handler is asked about, or not any more."""
        if isinstance(error, RpcError):
            self._remember(request.id, error)
            return self._frame(request, *self._told(route, error))
        return self._internal_error(route.name, request.id, _placed(route, error))

    def _told(self, route: Any, error: RpcError) -> tuple[int, str, Any]:
        """What a host is told of an error; of a code that hosts cannot read, the operator is told."""
        code, message, data = wire_error(getattr(route, "role", None), error)
        if not is_code(code):
            log(
                f"{route.name}: the code of an error is a 32-bit integer, not {code!r:.60}: "
                f"{message!r:.200} is answered with {INTERNAL_ERROR}"
            )
            code = INTERNAL_ERROR
        return code, message, data

    def _handled(self, error: BaseException, context: Any) -> BaseException | Value:
        """What the author's exception handlers turn an error into; the error itself without one."""
        for kind in type(error).__mro__:
            handler = self._app.exception_handlers.get(kind)
            if handler is not None:
                try:
                    found = handler(context, error)
                except BaseException as raised:  # noqa: BLE001 - it may raise the answer
                    if FORKED:
                        end_child(raised)
                    return raised
                if FORKED:
                    end_child()
                return found if isinstance(found, RpcError) else Value(found)
        return error

    def translated(self, error: BaseException, context: Any) -> BaseException:
        """The same, where it is too late for a result."""
        found = self._handled(error, context)
        return error if isinstance(found, Value) else found

    def failed_late(self, route: Any, request: Request, error: BaseException, context: Any) -> None:
        """A call failed after it was cancelled: only the operator is told.

        An exception handler may say it in other words, or that it was the cancellation. An error
        that a host would have been told is a line, a bug a traceback.
        """
        raised = _placed(route, self.translated(error, context or self._context(route, request)))
        if isinstance(raised, RpcError) and raised.code == CANCELLED:
            return
        late = f"{route.name}, after it was cancelled"
        if isinstance(raised, RpcError):
            code, message, _ = self._told(route, raised)
            log(f"{late}: {message} ({code})")
        else:
            self.report(late, raised)
        self.unseen = self.developing

    def stream_failed(
        self, route: Any, request: Request, error: BaseException, context: Any
    ) -> bytes:
        """A stream failed after its ack: tell the operator, and return what a host may be told.

        An exception handler may replace the error, but it is too late for a result.
        """
        self.unseen = self.developing
        raised = _placed(route, self.translated(error, context))
        name = f"the stream of {route.name}"
        if isinstance(raised, RpcError):
            self.report(name, raised)
            code, message, data = self._told(route, raised)
        else:
            code, (message, data) = INTERNAL_ERROR, self._bug(name, raised)
        told = error_object(code, self.masked(message), self.masked(data))
        if self.breaks is not None:
            self.breaks[request.id] = raised, told
        return told

    def unwritable(self, route: Any, request_id: int | Raw, error: BaseException) -> bytes:
        """-32603 for a result that cannot be encoded; for one that is too large, with its size."""
        if isinstance(error, TooLargeError):
            self.report(
                ": ".join(filter(None, (f"the result of {route.name}", _place(route)))), error
            )
            self._remember(request_id, error)
            return self._written(request_id, INTERNAL_ERROR, str(error), {"category": "other"})
        return self._internal_error(
            f"the result of {route.name}", request_id, _placed(route, error)
        )

    def timed_out(self, route: Any, request: Request) -> bytes:
        """A `Timeout`, as the role writes it."""
        from animus_routes.handlers.timing import too_long

        error = too_long(route.name, route.timeout_s)
        return self._frame(request, *wire_error(route.role, error))

    def not_supported(self, request: Request) -> bytes:
        """-32001 for a method of the role that is not registered."""
        role, _ = self._app.registry.row(request.method)
        error = NotSupported(f"method '{request.method}' is not supported by this plugin")
        return error_frame(request.id, *wire_error(role, error))

    def _internal_error(self, name: str, request_id: int | Raw, error: BaseException) -> bytes:
        message, data = self._bug(name, error)
        self._remember(request_id, _cause(error))
        return self._written(request_id, INTERNAL_ERROR, message, data)

    def bug(self, name: str, error: BaseException) -> str:
        """Report a bug; what a host is told about it, as a sentence."""
        said: str = self.masked(self._bug(name, error)[0])
        return said

    def _bug(self, name: str, error: BaseException) -> tuple[str, dict[str, str]]:
        """Report a bug; message and data for hosts, which show the message alone."""
        said, told = "internal error", ""
        if isinstance(error, NotStartedError):
            name, said = error.step, f"the plugin cannot start, {error.step} failed: error"
            error = _cause(error)
            told = _text(error) if isinstance(error, TOLD) else type(error).__name__
        error_id = self.report(name, error)
        if not error_id:
            return f"{said}: the plugin is ending", {"category": "other"}
        told = _text(error) if self.developing else self._wanted_by(error) or told
        facts = [f"{said} {error_id}: {told}" if told else f"{said} {error_id}"]
        if not self.developing:
            facts.append(LOOK)
        missing = self.missing()
        if missing != told:
            facts.append(missing)
        return "; ".join(filter(None, facts)), {"category": "other", "error_id": error_id}

    def _remember(self, request_id: int | Raw, error: BaseException) -> None:
        """For the test client; what has no id has no answer either."""
        if self.raised is not None and request_id:
            self.raised[request_id] = error

    def report(self, what: str, error: BaseException) -> str:
        """Tell the operator, with the traceback; return its id, "" if it is only the end."""
        if isinstance(error, Interrupted):
            log(f"{what}: cut off, the plugin is ending")
            return ""
        error_id = os.urandom(4).hex()
        try:
            from animus_routes.serving.traces import has_authors_frames, traceback_of
        except OSError:  # there are no more descriptors
            log(f"error {error_id} in {what}: {type(error).__qualname__}")
            return error_id
        if isinstance(error, Mistake | TooLargeError) and not has_authors_frames(error):
            log(f"error {error_id} in {what}: {error}")
        else:
            log(f"error {error_id} in {what}\n{traceback_of(error)}")
        return error_id
