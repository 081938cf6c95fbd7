"""The wire of an app under test: frames are kept in memory."""

from __future__ import annotations

from _thread import allocate_lock
from threading import Condition
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Struct

from animus_routes.engine.wire import Wire
from animus_routes.host.inbox import Notification

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_STEP_S: Final = 0.01


class Frame(Struct):
    """Anything that a plugin sends."""

    id: int | None = None
    method: str | None = None
    params: Any = None
    result: Any = None
    error: dict[str, Any] | None = None


class MemoryWire(Wire):
    """Takes whole frames as a host would, and keeps them.

    Attributes:
        arrived: Told of every frame.
        replies: The answers that nobody has asked for yet, by request id.
        notifications: All of them, in order.
    """

    def __init__(self) -> None:
        self.lock = allocate_lock()
        self.fd = -1
        self.closed = False
        self.arrived = Condition()
        self.replies: dict[int, Frame] = {}
        self.notifications: list[Notification] = []

    def write_locked(self, data: bytes | bytearray | memoryview) -> None:
        """Keep what the plugin sends."""
        with self.arrived:
            for line in bytes(data).splitlines():
                frame = msgspec.json.decode(line, type=Frame)
                if frame.method is not None:
                    self.notifications.append(Notification(frame.method, frame.params))
                elif frame.id is not None:
                    self.replies[frame.id] = frame
            self.arrived.notify_all()

    def wait(self, ready: Callable[[], Any], timeout_s: float, what: str) -> None:
        """Wait until `ready()` is true; see `TestClient.wait`."""
        deadline = monotonic() + timeout_s
        with self.arrived:
            while not ready():
                # In steps, because nothing is written when a handler ends.
                if not self.arrived.wait(WAIT_STEP_S) and monotonic() > deadline and not ready():
                    seen = [found.method for found in self.notifications[-5:]]
                    raise TimeoutError(
                        f"no {what} within {timeout_s:g} s; last notifications: {seen}"
                    )
