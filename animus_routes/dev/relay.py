"""Between a host and a plugin: bytes pass through unchanged, and a copy of them is handed over."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from io import FileIO
from threading import Event, Thread
from typing import TYPE_CHECKING, Final, cast

from animus_routes.batteries.keepers import Keeper
from animus_routes.dev.sides import HOST, PLUGIN
from animus_routes.engine.wire import write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

    from animus_routes.dev.sides import Sender

    Take = Callable[[float, Sender, bytes], object]

CHUNK_BYTES: Final = 65_536
QUIET_S: Final = 0.2  # what a plugin has left in its pipe is read until then, whoever holds it
LOOK_S: Final = 0.02
PASSED_ON: Final = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
SWITCH_S: Final = 0.0005  # whoever keeps the copy does not hold up the bytes


class Direction:
    """Passes the bytes of one side on to the other.

    Args:
        sender: Whose bytes.
        source: Where they come from.
        sink: Where they go.
        take: Gets the moment, the sender and the bytes before they are passed on, so that the
            copies of both sides are in an order that can have happened; b"" at the end.
    """

    def __init__(self, sender: Sender, source: FileIO, sink: FileIO, take: Take) -> None:
        self.moved = time.monotonic()
        self.is_writing = False
        self.ended = Event()
        self._sender: Sender = sender
        self._source = source
        self._sink = sink
        self._take = take
        Thread(target=self._run, name=f"relay-{sender}", daemon=True).start()

    def _run(self) -> None:
        while chunk := self._read():
            self.moved = time.monotonic()
            self._take(self.moved, self._sender, chunk)
            self.is_writing = True
            try:
                write_all(self._sink.fileno(), chunk)
            except OSError:  # nobody reads: whoever writes has to find out as well
                break
            finally:
                self.is_writing = False
                self.moved = time.monotonic()
        else:
            self._take(time.monotonic(), self._sender, b"")
        for end in (self._source, self._sink):
            end.close()
        self.ended.set()

    def _read(self) -> bytes:
        """The next bytes; b"" at the end, and when nobody reads any longer what is passed on."""
        poller = select.poll()
        poller.register(self._source.fileno(), select.POLLIN)
        poller.register(self._sink.fileno(), 0)  # it only tells that
        while True:
            found = dict(poller.poll())
            if self._sink.fileno() in found:
                return b""
            try:
                return os.read(self._source.fileno(), CHUNK_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                return b""

    def finish(self) -> None:
        """Pass on what is still in the pipe of a process that has ended."""
        begun = time.monotonic()
        while not self.ended.wait(LOOK_S):
            quiet_s = time.monotonic() - max(self.moved, begun)
            if not self.is_writing and quiet_s > QUIET_S:
                return


def relay(command: Sequence[str], take: Take, begun: Callable[[], object]) -> int:
    """Run a plugin between this process's stdin and stdout; its stderr is this one's.

    Signals are passed on to it. However this process ends before it, nothing of it is left.

    Args:
        command: What starts it.
        take: Gets a copy of the bytes, on a thread for each side.
        begun: Called when it has been started.

    Returns:
        Its exit code; negative for the signal that ended it.

    Raises:
        Unavailable: It cannot be started.
    """
    sys.setswitchinterval(SWITCH_S)
    early: list[int] = []
    started: list[Keeper] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        if started:
            _send(started[0], number)
        else:
            early.append(number)

    for number in PASSED_ON:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, pass_on)
    # In a group of its own: what a terminal sends to all is passed on, and comes once.
    keeper = Keeper(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    keeper.confirm()
    started.append(keeper)
    while early:
        _send(keeper, early.pop())
    process = keeper.process
    stdin, stdout = cast("tuple[FileIO, FileIO]", (process.stdin, process.stdout))
    Direction(HOST, _own(0), stdin, take)
    answers = Direction(PLUGIN, stdout, _own(1), take)
    begun()
    keeper.wait(lambda: keeper.final_code is not None)
    answers.finish()
    keeper.release()  # what a plugin leaves behind goes on without a recorder, too
    return cast("int", keeper.final_code)


def _send(keeper: Keeper, number: int) -> None:
    if keeper.exit_code is None:
        with suppress(ProcessLookupError):
            os.kill(keeper.pid, number)


def _own(fd: int) -> FileIO:
    """A descriptor of the process as one that can be closed: its number is never another file's."""
    own = FileIO(os.dup(fd), "r+b", closefd=True)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, fd)
    os.close(null)
    return own


def end_as(code: int) -> int:
    """The exit code of a process that ended so; a signal ends this one, too."""
    if code >= 0:
        return code
    with suppress(OSError, ValueError):  # SIGKILL has no handler
        signal.signal(-code, signal.SIG_DFL)
    with suppress(OSError):
        os.kill(os.getpid(), -code)
    return 128 - code
