"""Waiting for a queue or an event of threads, until the request is cancelled."""

from __future__ import annotations

import sys
from queue import Empty
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from animus_routes.errors import Cancelled, Timeout

if TYPE_CHECKING:
    from animus_routes.handlers.scope import Scope

STEP_S: Final = 0.05  # between two looks at `cancelled`, where nothing can end the wait itself


def refuse_on_loop(what: str, instead: str) -> None:
    """What blocks would hold up every other async call.

    Raises:
        RuntimeError: An event loop runs on this thread.
    """
    asyncio: Any = sys.modules.get("asyncio")
    if asyncio is not None and asyncio._get_running_loop() is not None:  # noqa: SLF001 - as asyncio.run does
        raise RuntimeError(f"{what} blocks, and would hold up every other async call: {instead}")


def wait_for(scope: Scope, source: Any, timeout_s: float | None) -> Any:
    """The next item of a queue, or True for an event; see `Context.wait_for`."""
    if type(source).__module__.startswith("asyncio") or not _waits(source):
        raise TypeError(
            f"wait_for takes a queue or an event of threads, not a {type(source).__name__}"
        )
    refuse_on_loop("ctx.wait_for", "await a queue or an event of asyncio")
    until = None if timeout_s is None else monotonic() + timeout_s
    if hasattr(source, "not_empty"):
        return _next_item(scope, source, until)
    while not scope.cancelled:
        left = _left(until)
        step = STEP_S if left is None else min(left, STEP_S)
        if hasattr(source, "wait"):
            if source.wait(step):
                return True
        else:
            try:
                return source.get(timeout=step)
            except Empty:
                pass
        if left == 0:
            raise _late()
    raise Cancelled


def _waits(source: Any) -> bool:
    return callable(getattr(source, "get", None)) or callable(getattr(source, "wait", None))


def _next_item(scope: Scope, queue: Any, until: float | None) -> Any:
    """Without a look now and then: the cancellation wakes whoever waits for the queue."""

    def wake() -> None:
        with queue.not_empty:
            queue.not_empty.notify_all()

    forget = scope.on_cancel(wake)
    try:
        while not scope.cancelled:
            try:
                return queue.get_nowait()
            except Empty:
                pass
            with queue.not_empty:
                left = _left(until)
                if left == 0:
                    raise _late()
                if queue.queue or scope.cancelled:
                    continue
                queue.not_empty.wait(left)
    finally:
        forget()
    raise Cancelled


def _left(until: float | None) -> float | None:
    return None if until is None else max(until - monotonic(), 0)


def _late() -> Timeout:
    return Timeout("nothing came in the time that may be waited")
