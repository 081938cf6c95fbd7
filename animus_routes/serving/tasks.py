"""One task for what an app does for as long as it is served; imported by async apps alone."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from animus_routes.engine.exit import ASYNC_EXIT_S, FORKED, end_child
from animus_routes.engine.loop import KEPT

if TYPE_CHECKING:
    from _contextvars import Context
    from collections.abc import Callable, Coroutine

    Done = asyncio.Future[tuple[Any, BaseException | None]]


class OneTask:
    """Runs one thing after the other in the same task of the event loop.

    Cancel scopes and task groups have to be left by the task that entered them, and that is the
    task of a lifespan from its beginning to its end; so it is for hooks and what they depend on.

    Args:
        run: Runs a coroutine on the event loop and waits, as `engine.ports.Link` does.
        variables: The context that the task runs in.
    """

    def __init__(self, run: Callable[..., Any], variables: Context) -> None:
        self._on_loop = run
        self._variables = variables
        self._task: asyncio.Task[None] | None = None
        self._todo: asyncio.Queue[tuple[Coroutine[Any, Any, Any], Done] | None]

    def run(self, work: Coroutine[Any, Any, Any], timeout_s: float | None = None) -> Any:
        """Run a coroutine in the task and wait for it; if that is given up, it is cancelled.

        Raises:
            TimeoutError: It did not end within `timeout_s`.
        """
        result, failure = self._on_loop(self._hand_over(work), timeout_s)
        if failure is not None:
            raise failure
        return result

    def close(self) -> None:
        """End the task; it has nothing to do any more."""
        if self._task is not None:
            with suppress(TimeoutError):
                self._on_loop(self._end(self._task), ASYNC_EXIT_S)

    async def _hand_over(self, work: Coroutine[Any, Any, Any]) -> tuple[Any, BaseException | None]:
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._todo = asyncio.Queue()
            self._task = loop.create_task(self._serve(), name=KEPT, context=self._variables)
        done: Done = loop.create_future()
        self._todo.put_nowait((work, done))
        try:
            # As a value: an exit that is raised in a task ends its loop.
            return await done
        except asyncio.CancelledError:
            if done.cancelled():  # nobody waits any more
                self._task.cancel()
            raise

    async def _end(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self._todo.put_nowait(None)
        await asyncio.wait({task})

    async def _serve(self) -> None:
        while True:
            try:
                next_one = await self._todo.get()
            except asyncio.CancelledError:
                # Somebody cancels every task that there is; what this one holds is still in use.
                if self._task is None:
                    raise
                continue
            if next_one is None:
                return
            await _do(*next_one)


async def _do(work: Coroutine[Any, Any, Any], done: Done) -> None:
    result = failure = None
    try:
        result = await work
    except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
        failure = error
    if FORKED:
        end_child(failure)
    if not done.done():
        done.set_result((result, failure))
