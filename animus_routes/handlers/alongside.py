"""Plain functions of an author's beside the event loop, each on a thread of its own."""

from __future__ import annotations

import asyncio
from _contextvars import copy_context
from _thread import allocate_lock
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.exit import FORKED, end_child, start_thread
from animus_routes.handlers.variables import adopt

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.handlers.context import Context

    Call = Callable[[Any, Context], Any]


CLOSED_STEP_S: Final = 0.1


async def on_thread(work: Callable[[], Any]) -> Any:
    """As `asyncio.to_thread`, but on its own thread: long runs would fill any pool.

    What the work sets in context variables is seen afterwards, too.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
    variables = copy_context()

    def settle(result: Any, error: BaseException | None) -> None:
        if not ended.done():
            ended.set_result((result, error))

    def run() -> None:
        result = failure = None
        try:
            result = variables.run(work)
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
            failure = error
        if FORKED:
            end_child(failure)
        with suppress(RuntimeError):  # the loop is closed: the call was cancelled long ago
            loop.call_soon_threadsafe(settle, result, failure)

    start_thread(run)
    result, error = await ended
    adopt(variables)
    if error is not None:
        raise error
    return result


def wrap_beside(middleware: Callable[..., Any], call: Call) -> Call:
    """A plain middleware around an async handler.

    The handler itself stays in the call's own task, as what it depends on does: that is the task
    that cleans up after it.
    """

    async def inside(values: Any, ctx: Context) -> Any:
        return await _Beside(middleware, call, values, ctx).run()

    return inside


class _Step:
    """What a middleware's thread asks of the call's task: to go on with the handler, or to end.

    Attributes:
        inner: The context for the handler; None at the end of the middleware.
        variables: The context variables of the thread, then of the task.
        ended: Held until there is a result or a failure.
    """

    __slots__ = ("ended", "failure", "inner", "result", "variables")

    def __init__(self, inner: Context | None) -> None:
        self.inner = inner
        self.variables = copy_context()
        self.result: Any = None
        self.failure: BaseException | None = None
        self.ended = allocate_lock()
        self.ended.acquire()

    def outcome(self) -> Any:
        """The result, or what was raised."""
        adopt(self.variables)
        if self.failure is not None:
            raise self.failure
        return self.result

    def settle(self, failure: BaseException | None) -> None:
        """It has a result, or failed."""
        self.failure = failure
        self.variables = copy_context()
        self.ended.release()


class _Beside:
    """One call of a middleware on its thread, and of the handler in the call's task."""

    def __init__(
        self, middleware: Callable[..., Any], call: Call, values: Any, ctx: Context
    ) -> None:
        self._middleware = middleware
        self._call = call
        self._values = values
        self._ctx = ctx
        self._loop = asyncio.get_running_loop()
        self._steps: asyncio.Queue[_Step] = asyncio.Queue()
        self._over = False  # used only on the loop; the thread is never in step

    async def run(self) -> Any:
        """Call the middleware, and the handler whenever it asks for that."""
        start_thread(copy_context().run, self._on_thread)
        try:
            while (step := await self._steps.get()).inner is not None:
                adopt(step.variables)
                await self._go_on(step, step.inner)
            return step.outcome()
        finally:
            self._over = True
            while not self._steps.empty():
                self._take(self._steps.get_nowait())

    async def _go_on(self, step: _Step, inner: Context) -> None:
        try:
            step.result = await self._call(self._values, inner)
        except BaseException as error:
            if FORKED:
                end_child(error)
            step.settle(error)  # the middleware may handle it
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        else:
            if FORKED:
                end_child()
            step.settle(None)

    def _take(self, step: _Step) -> None:
        if self._over and step.inner is not None:
            step.settle(asyncio.CancelledError())
        elif not self._over:
            self._steps.put_nowait(step)

    # On the thread ----------------------------------------------------------------------------------

    def _on_thread(self) -> None:
        result = failure = None
        try:
            result = self._middleware(self._ctx, self._call_next)
        except BaseException as error:  # noqa: BLE001 - raised again in the task
            failure = error
        if FORKED:
            end_child(failure)
        last = _Step(None)
        last.result, last.failure = result, failure
        with suppress(RuntimeError):  # the loop is closed: the call was cancelled long ago
            self._loop.call_soon_threadsafe(self._take, last)

    def _call_next(self, inner: Context | None = None) -> Any:
        if FORKED:
            end_child()
        step = _Step(inner or self._ctx)
        try:
            self._loop.call_soon_threadsafe(self._take, step)
        except RuntimeError:  # as above
            raise asyncio.CancelledError from None
        while not step.ended.acquire(timeout=CLOSED_STEP_S):
            if self._loop.is_closed():  # it took the step, and ended before it looked at it
                raise asyncio.CancelledError
        return step.outcome()
