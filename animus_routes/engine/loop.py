"""The event loop for async handlers, on its own thread; imported when the first one runs."""

from __future__ import annotations

import asyncio
from _thread import allocate_lock, get_ident
from contextlib import suppress
from time import sleep
from typing import TYPE_CHECKING, Any, Final

from animus_routes.engine.call import Refused
from animus_routes.engine.exit import FORKED, LOOP_CLOSE_S, STEP_S, Strikes, end_child, start_thread
from animus_routes.engine.stderr import log
from animus_routes.engine.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from animus_routes.engine.call import Call


KEPT: Final = "animus-routes: waits to leave the lifespan"  # the task that does nothing else


class Loop:
    """One running asyncio loop and the calls on it.

    Attributes:
        watch: Looks whether it is blocked.
    """

    watch: Watch

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False
        self._closed = allocate_lock()
        self._closed.acquire()
        started = allocate_lock()
        started.acquire()
        try:
            start_thread(self._serve, started.release)
        except RuntimeError:  # there are no more threads
            self._loop.close()
            raise
        started.acquire()

    def _serve(self, started: Callable[[], None]) -> None:
        asyncio.set_event_loop(self._loop)
        self.watch = Watch(self._loop, get_ident(), self._at_work)
        self._loop.call_soon(started)
        strikes = Strikes()
        while not self._closing:
            try:
                self._loop.run_forever()
            except BaseException as error:  # noqa: BLE001 - an author's own task raised SystemExit
                log(f"a task raised {type(error).__name__}, which is ignored here")
                if strikes.out():
                    sleep(STEP_S)
        with suppress(BaseException):
            self._loop.run_until_complete(self._wind_up())
        self.watch.close()
        self._loop.close()
        self._closed.release()

    async def _wind_up(self) -> None:
        """Cancel what authors left running, as `asyncio.run` does."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._loop.shutdown_asyncgens()

    def close(self, bound_s: float = LOOP_CLOSE_S) -> None:
        """End the loop and its thread; what still runs on it is cancelled."""
        self._closing = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._closed.acquire(timeout=max(bound_s, 0.0))

    def forked(self) -> None:
        """In a child that was forked on the loop's thread: nothing but the step that runs goes on.

        What follows in the loop's queue is the parent's, and so is what it waits for.
        """
        ready = getattr(self._loop, "_ready", None)  # asyncio's own loops have it
        if ready is not None:
            ready.clear()
        self._loop.call_soon(end_child)

    def start(self, call: Call, finished: Callable[[Call], None]) -> None:
        """Run a call as a task."""
        watch = self.watch
        watch.stirred = True
        if watch.parked:
            watch.wake()
        self._loop.call_soon_threadsafe(self._begin, call, finished)

    def _begin(self, call: Call, finished: Callable[[Call], None]) -> None:
        task = self._loop.create_task(_run(call), context=call.variables)
        self._tasks.add(task)
        call.abort = lambda: self._loop.call_soon_threadsafe(task.cancel)

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            try:
                _settle(call, task)
            finally:
                finished(call)

        task.add_done_callback(done, context=call.variables)
        if not call.wanted():
            task.cancel()

    def run(self, work: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> Any:
        """Run a coroutine on the loop and wait for it, from another thread.

        If the wait is given up, the coroutine is cancelled.

        Raises:
            TimeoutError: It did not end within `timeout_s`.
        """
        self.watch.stir()
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(timeout_s)
        except BaseException:
            future.cancel()
            raise

    def _at_work(self) -> bool:
        """Is there a task, one that an author has started included?"""
        if self._tasks:
            return True
        return any(task.get_name() != KEPT for task in asyncio.all_tasks(self._loop))


def _settle(call: Call, task: asyncio.Task[None]) -> None:
    """A task that was cancelled before its first step ran nothing of its call, not even that."""
    if task.cancelled():
        call.fail(asyncio.CancelledError())
    elif (error := task.exception()) is not None:
        call.give_up(error)


async def _run(call: Call) -> None:
    failure: BaseException | None = None
    limit, clock = call.route.timeout_s, None
    if limit is not None:
        clock = asyncio.get_running_loop().call_later(limit, call.time_out)
    try:
        await _serve(call)
    except Refused:
        pass
    except BaseException as error:  # noqa: BLE001 - the boundary: an author's code ran
        if FORKED:
            end_child(error)
        failure = error
        call.fail(error)
    finally:
        if clock is not None:
            clock.cancel()
        call.end_first_step()
        await call.scope.aclose(failure)


async def _serve(call: Call) -> None:
    arguments = call.decode()
    if not call.wanted():
        return
    result = call.route.call(*arguments)
    if hasattr(result, "__await__"):
        result = await result
    if FORKED:
        end_child()
    if hasattr(result, "__anext__"):
        await _drain(call, result)
        result = None
    call.complete(result)


async def _drain(call: Call, items: Any) -> None:
    """Send an async generator's items to its end."""
    emitter, begun = call.begin_stream(), False
    try:
        async for item in items:
            if FORKED:
                end_child()
            if not call.wanted():
                break
            if not begun:
                call.open_stream()
                begun = True
            emitter.emit(item)
    except BaseException as error:
        if FORKED:
            end_child(error)
        raise
    finally:
        if FORKED:
            end_child()
        await items.aclose()
    call.open_stream()  # it had no items
