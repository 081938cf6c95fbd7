"""Between one host and many processes of a plugin, one after the other: who is owed what.

It reads no pipe and starts no process: lines go in, lines come out.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from msgspec import Raw, Struct

from animus_routes.engine.frames import (
    NULL_ID,
    OVERSIZED,
    UNREADABLE,
    encode,
    error_frame,
    id_key,
    is_id,
    notification_frame,
    refusal,
    result_frame,
)
from animus_routes.errors import CANCELLED, INTERNAL_ERROR

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.dev.streams import Streams

ABSENT: Final = Raw()
OWN_ID: Final = b'"animus-routes dev"'
SHUT_DOWN: Final = b'{"jsonrpc":"2.0","id":%s,"method":"shutdown"}\n' % OWN_ID
EXIT: Final = b'{"jsonrpc":"2.0","method":"exit"}\n'
SHOWN_BYTES: Final = 200
KEPT_BYTES: Final = 1024 * 1024  # of notifications while there is no process
AGAIN: Final = frozenset({"initialize"})  # what a new process is asked instead of the old one


class Line(Struct):
    """As much of a frame as says where it goes."""

    method: str | None = None
    id: Raw = ABSENT
    params: Raw = ABSENT
    result: Raw = ABSENT
    error: Raw = ABSENT


class Asked(Struct):
    """A request that is not answered.

    Attributes:
        id: As it came.
        method: What it asks for.
        line: All of it.
    """

    id: Raw
    method: str
    line: bytes


class State(StrEnum):
    """Whom the host talks to."""

    DOWN = "down"  # nobody: this answers, with the reason
    GREETING = "greeting"  # a new process that has not answered `initialize`; the rest waits
    UP = "up"  # the plugin
    LEAVING = "leaving"  # a process that has been asked to end; the rest waits


Key = tuple[type, Any]
_decode: Final = msgspec.json.Decoder(Line).decode


def line_of(line: bytes) -> Line | None:
    """A line as a frame, if it is one."""
    try:
        found = _decode(line)
        return found if found.id == ABSENT or is_id(found.id) else None
    except UNREADABLE:
        return None


class Exchange:
    """Passes lines on, and answers what no process can.

    Args:
        to_host: Takes what goes to the host.
        to_plugin: Takes what goes to the process that there is.
        say: Takes what its author should know.
        streams: What becomes of open streams.

    Attributes:
        state: Whom the host talks to.
        reason: Why it is not the plugin.
        shut_down_asked: The host has sent `shutdown`.
        shut_down_owed: It has no answer to it yet.
        exit_asked: The host has sent `exit`.
        left: The process has answered that it has shut down.
        refused: Why the process refused the host's greeting, if it did.
        waiting_bytes: How much waits for the next process.
    """

    def __init__(
        self,
        to_host: Callable[[bytes], object],
        to_plugin: Callable[[bytes], object],
        say: Callable[[str], object],
        streams: Streams,
    ) -> None:
        self.state = State.DOWN
        self.reason = ""
        self.shut_down_asked = self.shut_down_owed = False
        self.exit_asked = False
        self.left = False
        self.refused = ""
        self.waiting_bytes = 0
        self._to_host = to_host
        self._to_plugin = to_plugin
        self._say = say
        self._streams = streams
        self._greeting: Asked | None = None
        self._greeted: Any = None  # what the host knows of the plugin
        self._initialized = b""
        self._asked: dict[Key, deque[Asked]] = {}
        self._open: dict[Key, Asked] = {}
        self._begun_again: dict[Key, Asked] = {}
        self._waiting: deque[bytes] = deque()

    # What the host writes --------------------------------------------------------------------------

    def from_host(self, line: bytes) -> None:
        """A line of the host's, without its newline."""
        found = line_of(line)
        if line is OVERSIZED:
            self._refuse(line, None)
            return
        if found is not None:
            if found.method == "shutdown" and found.id != ABSENT:
                self.shut_down_asked = self.shut_down_owed = True
            self.exit_asked |= found.method == "exit"
        if self.state is State.UP:
            self._forward(line, found)
        elif self.state is State.DOWN:
            self._refuse(line, found)
        elif found is None or not self._answered_here(found):
            self._wait(line)

    def _wait(self, line: bytes) -> None:
        self._waiting.append(line)
        self.waiting_bytes += len(line)

    def _forward(self, line: bytes, found: Line | None) -> None:
        if found is not None and found.method is not None:
            if found.id != ABSENT:
                asked = Asked(found.id, found.method, line)
                self._asked.setdefault(id_key(found.id), deque()).append(asked)
            else:
                self._note(line, found)
        self._to_plugin(line + b"\n")

    def _note(self, line: bytes, found: Line) -> bool:
        """A notification of the host's; was it one of what is kept here?"""
        if found.method == "initialized":
            self._initialized = line
            return True
        params = _value(found.params)
        name = self._streams.stopped(found.method or "", params)
        if name is None:
            return False
        for key, asked in list(self._open.items()):
            if name == _value(asked.id) or name == bytes(asked.id).decode():
                del self._open[key]
                return True
        return False

    def _answered_here(self, found: Line) -> bool:
        """Hosts ask for signs of life, and wait no longer than 2 s for them."""
        unwell = "unhealthy" if self.state is State.DOWN else "degraded"
        results: dict[str | None, dict[str, str]] = {
            "$/ping": {},
            "exit": {},
            "health/check": {"status": unwell, "last_error": self.reason},
        }
        if self.state is State.DOWN:
            results["shutdown"] = {}
        if found.id == ABSENT or found.method not in results:
            return False
        self._to_host(result_frame(found.id, encode(results[found.method])))
        self.shut_down_owed &= found.method != "shutdown"
        return True

    def _refuse(self, line: bytes, found: Line | None) -> None:
        if found is None or found.method is None:
            refused = refusal(line)
            if refused is not None:
                self._to_host(refused[0])
        elif found.id == ABSENT:
            if not self._note(line, found):
                self._wait(line)  # such as an acknowledgement: the next process wants it
                while self.waiting_bytes > KEPT_BYTES:
                    self.waiting_bytes -= len(self._waiting.popleft())
        elif not self._answered_here(found):
            self._to_host(_unavailable(found.id, self.reason))

    # What the plugin writes ------------------------------------------------------------------------

    def from_plugin(self, line: bytes) -> None:
        """A line of the plugin's, without its newline."""
        found = line_of(line) if _is_text(line) else None
        if found is None or (found.method is None and found.id == ABSENT):
            if line.strip():
                shown = line[:SHOWN_BYTES].decode("utf-8", "backslashreplace")
                self._say(f"on stdout, and no frame: {shown}")
        elif found.method is not None:
            if found.id == ABSENT:
                self._to_host(line + b"\n")
            else:
                self._say(f"a plugin may not send requests: {found.method} is not passed on")
        elif bytes(found.id) == OWN_ID:
            self.left = True
        else:
            self._answer(line, found)

    def _answer(self, line: bytes, found: Line) -> None:
        key = id_key(found.id)
        greeting = self._greeting
        if self.state is State.GREETING and greeting is not None and key == id_key(greeting.id):
            self._meet(found)
            return
        again = self._begun_again.pop(key, None)
        if again is not None:
            if found.error != ABSENT:
                self._tell_end(again, f"it could not begin again: {_message(found.error)}")
                self._open.pop(key, None)
            return
        many = self._asked.get(key)
        if not many:
            if found.id == NULL_ID:  # to a frame that could not be read
                self._to_host(line + b"\n")
            else:
                self._say(f"an answer to {bytes(found.id).decode()}, which nobody waits for")
            return
        asked = many.popleft()
        if not many:
            del self._asked[key]
        self._settle(line, found, asked, key)

    def _settle(self, line: bytes, found: Line, asked: Asked, key: Key) -> None:
        if found.error != ABSENT:
            if self.state is State.LEAVING and _code(found.error) == CANCELLED:
                # By the restart, not by the host, which would take that code for a dying process.
                line = _unavailable(asked.id, self._unfinished(asked)).rstrip(b"\n")
        elif asked.method == "initialize":
            self._greeting, self._greeted = asked, _value(found.result)
        elif self._streams.stream(asked.method) is not None:
            self._open[key] = asked
        self.shut_down_owed &= asked.method != "shutdown"
        self._to_host(line + b"\n")

    def _unfinished(self, asked: Asked) -> str:
        return f"{asked.method} was not finished: {self.reason}"

    # Processes come and go -------------------------------------------------------------------------

    def started(self) -> None:
        """There is a new process. It is greeted as the host has greeted the first one."""
        self.left, self.refused = False, ""
        if self._greeting is None:
            self._go_on()
        else:
            self.state = State.GREETING
            self._to_plugin(self._greeting.line + b"\n")

    def _meet(self, found: Line) -> None:
        """The new process has answered the greeting."""
        if found.error != ABSENT:
            self.refused = _message(found.error)
            return
        self._compare(_value(found.result))
        if self._initialized:
            self._to_plugin(self._initialized + b"\n")
        for key, asked in self._open.items():
            self._begun_again[key] = asked
            self._to_plugin(asked.line + b"\n")
        self._go_on()

    def _go_on(self) -> None:
        self.state, self.reason = State.UP, ""
        waiting, self._waiting, self.waiting_bytes = self._waiting, deque(), 0
        for line in waiting:
            self._forward(line, line_of(line))

    def _compare(self, greeted: Any) -> None:
        """Hosts ask once, so its author has to know what they do not."""
        from animus_routes.dev.differences import differences
        from animus_routes.dev.paths import Paths

        lines = [
            line for one in differences(self._greeted, greeted, Paths([])) for line in one.lines()
        ]
        if lines:
            self._greeted = greeted
            told = "\n".join(lines)
            self._say(f"the host learns this only when it starts the plugin anew:\n{told}")

    def leave(self, reason: str) -> None:
        """Ask the process to end, and let it finish what it can."""
        self.state, self.reason = State.LEAVING, reason
        self._to_plugin(SHUT_DOWN)

    def gone(self, reason: str) -> None:
        """The process has ended: whatever it owes is answered, or asked again.

        Args:
            reason: Why, in words for the host's user.
        """
        self.state, self.reason = State.DOWN, reason
        self._begun_again.clear()
        again: list[bytes] = []
        for many in self._asked.values():
            for asked in many:
                if asked.method in AGAIN or self._streams.stream(asked.method) is not None:
                    again.append(asked.line)
                    if asked.method in AGAIN and self._greeting is None and self._initialized:
                        again.append(self._initialized)  # the host did not wait for the answer
                        self._initialized = b""
                elif asked.method == "shutdown":
                    self._to_host(result_frame(asked.id, b"{}"))
                    self.shut_down_owed = False
                else:
                    self._to_host(_unavailable(asked.id, self._unfinished(asked)))
        self._asked.clear()
        for line in reversed(again):
            self._waiting.appendleft(line)
        for key, asked in list(self._open.items()):
            if self._tell_end(asked, self.reason):
                del self._open[key]

    def _tell_end(self, asked: Asked, reason: str) -> bool:
        """Tell the host that a stream is over, if there is a way."""
        way = self._streams.failure(asked.method)
        if way is None:
            return False
        notification, key = way
        params = {"id": asked.id, key: f"{asked.method} has ended: {reason}"}
        self._to_host(notification_frame(notification, encode(params)))
        return True

    def stay_down(self) -> None:
        """There is no process, and for now none will be: what waits is answered with the reason."""
        waiting, self._waiting, self.waiting_bytes = self._waiting, deque(), 0
        for line in waiting:
            self._refuse(line, line_of(line))


def _value(raw: Raw) -> Any:
    try:
        return msgspec.json.decode(raw) if raw != ABSENT else None
    except UNREADABLE:
        return None


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _message(error: Raw) -> str:
    return str(_object(error).get("message"))


def _code(error: Raw) -> Any:
    return _object(error).get("code")


def _object(raw: Raw) -> dict[str, Any]:
    found = _value(raw)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _unavailable(request_id: Raw, reason: str) -> bytes:
    return error_frame(request_id, INTERNAL_ERROR, reason, {"category": "unavailable"})
