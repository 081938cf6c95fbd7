"""One path from a value or an exception to the bytes of one answer, wherever the handler ran.

A result is adapted (`adapt`), then written (`Answers.write`). An exception is judged
(`Answers.judge`): it becomes an error frame, or a value that an author's exception handler gave,
which is adapted and written like any other. Nothing here raises what an author's code raised but
`adapt`, whose exceptions are the handler's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from animus_routes.engine.frames import MAX_OUTBOUND_BYTES, NO_PARAMS, TooLargeError

if TYPE_CHECKING:
    from msgspec import Raw

    from animus_routes.engine.frames import Request
    from animus_routes.engine.ports import Failing, Outcome, Route, StreamCall


def decode_again(route: Route, request: Request, error: Exception) -> Any:
    """Hosts also write absent params as null; checked only after decoding has failed."""
    if bytes(request.params) != b"null":
        raise error
    request.params = NO_PARAMS
    return route.decode(NO_PARAMS)


def adapt(route: Route, request: Request, result: Any, run: StreamCall | None) -> Any:
    """A result as the wire has it."""
    if run is not None:
        result = run.complete(result)
    if route.adapt is not None and route.adapts[result.__class__]:
        result = route.adapt(result, request.params)
    return result


class Answers:
    """Writes answers.

    Args:
        failures: What becomes of exceptions.
    """

    def __init__(self, failures: Failing) -> None:
        self._failures = failures

    def write(self, route: Route, request_id: int | Raw, result: Any, out: bytearray) -> None:
        """Append the answer; a result that cannot be written becomes a -32603."""
        mark = len(out)
        try:
            route.answer(request_id, result, out)
        except BaseException as error:  # noqa: BLE001 - whatever an author's object does
            self.take_back(route, request_id, error, mark, out)
        self.cap(route, request_id, mark, out)

    def take_back(
        self, route: Route, request_id: int | Raw, error: BaseException, mark: int, out: bytearray
    ) -> None:
        """Replace what was written from `mark` on: it cannot go out."""
        del out[mark:]
        out += self._failures.unwritable(route, request_id, error)

    def cap(self, route: Route, request_id: int | Raw, mark: int, out: bytearray) -> None:
        """No answer may be so large that hosts end the link for it."""
        size = len(out) - mark
        if size > MAX_OUTBOUND_BYTES:
            self.take_back(route, request_id, TooLargeError("the result", size), mark, out)

    def refuse(self, route: Route, request: Request, error: Exception) -> bytes:
        """The error frame for params that do not decode."""
        try:
            return self._failures.refuse(route, request, error)
        except BaseException as another:  # noqa: BLE001 - the host waits for an answer
            return self._failures.unwritable(route, request.id, another)

    def judge(
        self,
        route: Route,
        request: Request,
        error: BaseException,
        context: Any,
        run: StreamCall | None = None,
    ) -> bytes | Outcome:
        """What a handler's exception becomes; whatever goes wrong with that is a plain -32603."""
        try:
            found = self._failures.rescue(route, request, error, context)
            if isinstance(found, bytes):
                return found
            try:
                found.value = adapt(route, request, found.value, run)
            except Exception as misfit:  # noqa: BLE001 - as above
                return self._failures.misfit(route, request, misfit)
        except BaseException as another:  # noqa: BLE001 - as above
            return self._failures.unwritable(route, request.id, another)
        return found
