"""The wire to a plugin under test: every frame is kept as evidence, and stray text ends nothing."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from animus_routes.conformance.outcomes import Failed
from animus_routes.conformance.shapes import object_of
from animus_routes.errors import RpcError
from animus_routes.host.inbox import ProtocolError
from animus_routes.host.process import HostError, PluginTimeoutError
from animus_routes.host.running import PluginProcess

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.host import Notification

Waited = TypeVar("Waited")

KEPT_FRAMES: Final = 16
SHOWN_CHARS: Final = 600
SETTLE_S: Final = 0.02  # for what is answered beside the pings around it
QUIET_S: Final = 0.25
PING_S: Final = 2.0  # hosts wait no longer


class Trace:
    """The last frames of a check's conversations."""

    def __init__(self) -> None:
        self._frames: deque[str] = deque(maxlen=KEPT_FRAMES)

    def sent(self, data: bytes) -> None:
        """What the host wrote."""
        self._add("->", data)

    def came(self, line: bytes) -> None:
        """What the plugin wrote."""
        self._add("<-", line)

    def note(self, text: str) -> None:
        """What is no frame, such as a start or a signal."""
        self._frames.append(f"-- {text}")

    def frames(self) -> list[str]:
        """What is kept, oldest first."""
        return list(self._frames)

    def clear(self) -> None:
        """For the next check."""
        self._frames.clear()

    def _add(self, arrow: str, data: bytes) -> None:
        for line in data[: 4 * SHOWN_CHARS].splitlines() or [b""]:
            text = line.decode("utf-8", "backslashreplace")
            cut = f"{text[:SHOWN_CHARS]}... ({len(data)} bytes)"
            self._frames.append(f"{arrow} {text if len(text) <= SHOWN_CHARS else cut}")


class Answer(NamedTuple):
    """What a plugin answered.

    Attributes:
        result: The result; None as well if it is an error.
        error: The error, if it is one.
    """

    result: Any = None
    error: RpcError | None = None

    def __str__(self) -> str:
        if self.error is None:
            return "a result"
        return f"error {self.error.code} ({self.error.message})"

    @property
    def code(self) -> int:
        """The error's code; 0 for a result."""
        return 0 if self.error is None else self.error.code

    @property
    def category(self) -> str:
        """What the error says of itself in `data.category`."""
        return "" if self.error is None else str(object_of(self.error.data).get("category", ""))


class Wire(PluginProcess):
    """A plugin process whose conversation is recorded.

    Attributes:
        trace: Where it is recorded.
        timeout_s: How long an answer may take, in seconds.
    """

    trace: Trace
    timeout_s: float

    @property
    def is_running(self) -> bool:
        """Has the process not ended yet?"""
        return self._process.poll() is None

    def send_raw(self, data: bytes, *, timeout_s: float = 30.0) -> None:
        """Write bytes, and record them."""
        self.trace.sent(data)
        super().send_raw(data, timeout_s=timeout_s)

    def reply(self, request_id: object, timeout_s: float = 30.0) -> Any:
        """Wait for an answer; stray lines are another check's, unless the answer is one of them.

        Raises:
            Failed: What came with that id is no answer.
        """
        return self._past_stray(partial(super().reply, request_id), timeout_s)

    def next_notification(self, method: str | None = None, timeout_s: float = 5.0) -> Notification:
        """Wait for a notification; stray lines are another check's."""
        return self._past_stray(partial(super().next_notification, method), timeout_s)

    def _past_stray(self, wait: Callable[[float], Waited], timeout_s: float) -> Waited:
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return wait(max(deadline - time.monotonic(), 0.0))
            except ProtocolError as error:
                if error.text.startswith("{") and '"id"' in error.text:
                    raise Failed(str(error)) from error

    def ask(self, method: str, params: Any = None, *, timeout_s: float | None = None) -> Answer:
        """Send a request and wait for its answer, a result or an error."""
        return self.answer(self.request(method, params), timeout_s)

    def answer(self, request_id: object, timeout_s: float | None = None) -> Answer:
        """Wait for the answer to a request, a result or an error."""
        try:
            return Answer(self.reply(request_id, timeout_s or self.timeout_s))
        except RpcError as error:
            return Answer(error=error)

    def result(self, method: str, params: Any = None, *, timeout_s: float | None = None) -> Any:
        """The result of a request.

        Raises:
            Failed: It is an error.
        """
        found = self.ask(method, params, timeout_s=timeout_s)
        if found.error is not None:
            raise Failed(f"{method} is answered with {found}")
        return found.result

    def is_alive(self) -> Answer:
        """Ask whether it still answers: what was sent before has been read by then.

        Raises:
            Failed: It does not answer in time.
        """
        try:
            return self.ask("$/ping", timeout_s=max(PING_S, self.timeout_s))
        except PluginTimeoutError as error:
            raise Failed(f"after that, {error}") from error

    def settled(self) -> None:
        """Whatever answers what was sent has come, or does not come."""
        self.is_alive()
        with contextlib.suppress(PluginTimeoutError):
            self.next_notification("no/such/notification", SETTLE_S)
        self.is_alive()

    def forget(self) -> None:
        """Answers that nobody took are no longer waited for."""
        for key in self.unclaimed_ids:
            with contextlib.suppress(HostError):
                self._inbox.reply(key, 0.0, "")

    def end(self) -> None:
        """End it as the host does; stray lines are another check's."""
        with contextlib.suppress(ProtocolError):
            self.shutdown()
