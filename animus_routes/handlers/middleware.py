"""What wraps calls: an app's middleware. Imported only by apps that have some."""

from __future__ import annotations

from _thread import start_new_thread
from typing import TYPE_CHECKING, Any

from animus_routes.handlers.signature import is_coroutine_function

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from animus_routes.handlers.context import Context

    Call = Callable[[Any, Context], Any]


def wrapped(call: Call, middlewares: Sequence[Callable[..., Any]], *, is_async: bool) -> Call:
    """A call with every middleware around it, the first one outermost."""
    wrap = _wrap_async if is_async else _wrap
    for middleware in reversed(middlewares):
        call = wrap(middleware, call)
    return call


def _wrap(middleware: Callable[..., Any], call: Call) -> Call:
    """A plain middleware around a plain handler."""

    def inside(values: Any, ctx: Context) -> Any:
        def call_next(inner: Context = ctx) -> Any:
            return call(values, inner)

        return middleware(ctx, call_next)

    return inside


def _wrap_async(middleware: Callable[..., Any], call: Call) -> Call:
    """Any middleware around an async handler."""
    if not is_coroutine_function(middleware):
        return _wrap_beside(middleware, call)

    async def inside(values: Any, ctx: Context) -> Any:
        def call_next(inner: Context = ctx) -> Any:
            return call(values, inner)

        return await middleware(ctx, call_next)

    return inside


def _wrap_beside(middleware: Callable[..., Any], call: Call) -> Call:
    """A plain middleware around an async handler: on its own thread, alongside the loop."""

    async def inside(values: Any, ctx: Context) -> Any:
        import asyncio

        loop = asyncio.get_running_loop()
        running: list[asyncio.Task[Any]] = []
        over = False  # it and `running` are used only on the loop; the thread is never in step

        async def run(inner: Context) -> Any:
            task = asyncio.current_task()
            assert task is not None
            if over:
                raise asyncio.CancelledError
            running.append(task)
            return await call(values, inner)

        def call_next(inner: Context = ctx) -> Any:
            if over:
                raise asyncio.CancelledError
            return asyncio.run_coroutine_threadsafe(run(inner), loop).result()

        try:
            return await on_thread(lambda: middleware(ctx, call_next))
        except asyncio.CancelledError:
            over = True
            for task in running:
                task.cancel()
            if running:
                await asyncio.wait(running)  # its `finally` comes before any clean-up
            raise

    return inside


async def on_thread(work: Callable[[], Any]) -> Any:
    """As `asyncio.to_thread`, but on its own thread: long runs would fill any pool."""
    import asyncio
    from contextlib import suppress
    from contextvars import copy_context

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
        with suppress(RuntimeError):  # the loop is closed: the call was cancelled long ago
            loop.call_soon_threadsafe(settle, result, failure)

    start_new_thread(run, ())
    result, error = await ended
    if error is not None:
        raise error
    return result
