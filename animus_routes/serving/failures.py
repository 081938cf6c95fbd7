"""The one boundary between exceptions and the wire: what is sent, and what only operators see."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from animus_routes.engine.exit import Interrupted
from animus_routes.engine.frames import TooLargeError, error_frame, error_object, is_code
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
)
from animus_routes.values import codecs

if TYPE_CHECKING:
    from collections.abc import Callable

    from msgspec import Raw

    from animus_routes.engine.frames import Request
    from animus_routes.handlers.signature import Signature
    from animus_routes.roles import Role
    from animus_routes.routing.declaration import Declaration


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


def _bug(reported: str) -> dict[str, str]:
    """What a host is told about a bug: where the operator finds it."""
    return {"category": "other", "error_id": reported.rpartition(" ")[2]}


def _with_choices(invalid: Invalid, signature: Signature) -> Invalid:
    """The same, with the values the enum accepts if the decoder does not list them."""
    from animus_routes.values.issues import CLOSED

    for issue in invalid.issues:
        if issue["message"] in CLOSED:
            from animus_routes.handlers.choices import choices

            words = ", ".join(f"'{word}'" for word in choices(signature, issue["path"]))
            issue["message"] = f"Expected one of {words}" if words else issue["message"]
    return Invalid(invalid.issues, malformed=invalid.malformed)


def _placed(route: Any, error: BaseException) -> BaseException:
    """The error; a mistake of a handler's with its place in the author's files."""
    signature = getattr(route, "signature", None)
    if isinstance(error, Mistake) and signature is not None:
        from animus_routes.engine.program import working_directory
        from animus_routes.handlers.signature import location, name_of

        here = working_directory().rstrip(os.sep) + os.sep
        where = location(signature.function).removeprefix(here)
        error.at(f"{where}: {name_of(signature.function)}" if where else "")
    return error


class Failures:
    """Turns what is raised into error frames (`engine.ports.Failing`).

    Args:
        app: For its exception handlers and its roles' words for errors.
        context: Makes a context for one request.
        over: Has a shutdown or the end begun?

    Attributes:
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
        return error_frame(request.id, code, f"invalid params: {invalid}", data)

    def rescue(
        self, route: Any, request: Request, error: BaseException, context: Any
    ) -> bytes | Value:
        """What a handler raised: an `RpcError`, an exception with a handler, or a bug."""
        found = self._handled(error, context or self._context(route, request))
        if isinstance(found, Value):
            return found
        error = found
        stopped = type(error).__name__ == "CancelledError" and self._over()
        if stopped or isinstance(error, Interrupted):
            text = "cancelled: the plugin is ending"
            return error_frame(request.id, CANCELLED, text, {"category": "cancelled"})
        return self.misfit(route, request, error)

    def misfit(self, route: Any, request: Request, error: BaseException) -> bytes:
        """What no exception handler is asked about, or not any more."""
        if isinstance(error, RpcError):
            self._remember(request.id, error)
            return error_frame(request.id, *self._told(route, error))
        return self._internal_error(route.name, request.id, _placed(route, error))

    def _told(self, route: Any, error: RpcError) -> tuple[int, str, Any]:
        """What a host is told of an error; of a code that hosts cannot read, the operator is told."""
        code, message, data = wire_error(getattr(route, "role", None), error)
        if not is_code(code):
            from animus_routes.engine.stderr import log

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
                    return raised
                return found if isinstance(found, RpcError) else Value(found)
        return error

    def failed_late(self, route: Any, request: Request, error: BaseException, context: Any) -> None:
        """A call failed after it was cancelled: only the operator is told.

        An exception handler may say it in other words, or that it was the cancellation.
        """
        found = self._handled(error, context or self._context(route, request))
        raised = error if isinstance(found, Value) else found
        if not isinstance(raised, RpcError) or raised.code != CANCELLED:
            self.report(f"{route.name}, after it was cancelled", raised)

    def stream_failed(
        self, route: Any, request: Request, error: BaseException, context: Any
    ) -> bytes:
        """A stream failed after its ack: tell the operator, and return what a host may be told.

        An exception handler may replace the error, but it is too late for a result.
        """
        found = self._handled(error, context)
        raised = error if isinstance(found, Value) else found
        reported = self.report(f"the stream of {route.name}", _placed(route, raised))
        if isinstance(raised, RpcError):
            told = error_object(*self._told(route, raised))
        else:
            told = error_object(INTERNAL_ERROR, "internal error", _bug(reported))
        if self.breaks is not None:
            self.breaks[request.id] = raised, told
        return told

    def unwritable(self, route: Any, request_id: int | Raw, error: BaseException) -> bytes:
        """-32603 for a result that cannot be encoded; for one that is too large, with its size."""
        if isinstance(error, TooLargeError):
            self.report(f"the result of {route.name}", error)
            self._remember(request_id, error)
            return error_frame(request_id, INTERNAL_ERROR, str(error), {"category": "other"})
        return self._internal_error(
            f"the result of {route.name}", request_id, _placed(route, error)
        )

    def not_supported(self, request: Request) -> bytes:
        """-32001 for a method of the role that is not registered."""
        role, _ = self._app.registry.row(request.method)
        error = NotSupported(f"method '{request.method}' is not supported by this plugin")
        return error_frame(request.id, *wire_error(role, error))

    def _internal_error(self, name: str, request_id: int | Raw, error: BaseException) -> bytes:
        self._remember(request_id, error)
        data = _bug(self.report(name, error))
        return error_frame(request_id, INTERNAL_ERROR, "internal error", data)

    def _remember(self, request_id: int | Raw, error: BaseException) -> None:
        """For the test client; what has no id has no answer either."""
        if self.raised is not None and request_id:
            self.raised[request_id] = error

    def report(self, what: str, error: BaseException) -> str:
        """Tell the operator, with the traceback; return what the host is told, with the id."""
        from animus_routes.engine.stderr import log

        if isinstance(error, Interrupted):
            log(f"{what}: cut off, the plugin is ending")
            return "cut off"
        from animus_routes.serving.traces import has_authors_frames, traceback_of

        error_id = os.urandom(4).hex()
        if isinstance(error, Mistake) and not has_authors_frames(error):
            log(f"error {error_id} in {what}: {error}")
        else:
            log(f"error {error_id} in {what}\n{traceback_of(error)}")
        return f"internal error, id {error_id}"
