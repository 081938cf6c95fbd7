"""A command as the work of a handler: its lines, its time, and an end for everything below it.

    with run(["git", "log", "--oneline"], ctx, cwd=root, timeout_s=60) as child:
        for line in child.lines(): ...
        child.check()

However the block ends, nothing of the command is left running: see `Child`.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import subprocess
from _thread import allocate_lock
from contextlib import suppress
from threading import Event, Thread
from time import monotonic
from typing import IO, TYPE_CHECKING, Any, ClassVar, Final, Self

import msgspec

from animus_routes.batteries._processes import Tree, send
from animus_routes.errors import Cancelled, Other, Timeout, Unavailable
from animus_routes.handlers.context import surroundings_of
from animus_routes.handlers.waiting import refuse_on_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from animus_routes.handlers.context import Context

__all__ = ["Child", "ChildFailed", "run"]

PATIENCE_S: Final = 2.0  # between SIGTERM and SIGKILL
END_PATIENCE_S: Final = 0.3  # the same once serving is ending, counted from there
KILLED_S: Final = 1.0  # until what was sent SIGKILL is gone
STEP_S: Final = 0.02  # between two looks at what is being ended
READ_STEP_MS: Final = 100  # how long a pipe that something else holds outlasts the command
LOOK_S: Final = (0.05, 2.0)  # the first and the longest pause between two looks at what runs
CHUNK: Final = 64 * 1024
TAIL_BYTES: Final = 64 * 1024
LINE_BYTES: Final = 8 * 1024 * 1024
SHOWN: Final = 500  # characters of what was last said, in a message


class ChildFailed(Other):
    """A command ended with another exit code than 0.

    Attributes:
        exit_code: As of `Child`.
        stderr: The end of what it wrote there.
    """

    def __init__(self, message: str, exit_code: int, stderr: str) -> None:
        super().__init__(message, {"exit_code": exit_code})
        self.exit_code = exit_code
        self.stderr = stderr


def run(
    command: Sequence[str | Path],
    ctx: Context[Any],
    *,
    cwd: str | Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | bytes | None = None,
    output: IO[bytes] | None = None,
    timeout_s: float | None = None,
    patience_s: float = PATIENCE_S,
) -> Child:
    """A command, started where its `with` block begins and ended with it.

    Args:
        command: The program and its arguments.
        ctx: The request that it works for.
        cwd: Its working directory.
        env: Its environment; the plugin's own if None.
        stdin: What it reads there; nothing if None.
        output: A file for all that it writes; then there are no `lines`, and `stderr` is empty.
        timeout_s: How long it may run, in seconds.
        patience_s: How long it may take to end on SIGTERM, in seconds.

    Raises:
        Unavailable: Where the block begins: it cannot be started.
    """
    options = {"cwd": cwd, "env": env, "stdout": output or subprocess.PIPE}
    words = [os.fspath(word) for word in command]
    return Child(words, ctx, options, stdin, timeout_s, patience_s)


class Child:
    """A command that runs; made by `run`.

    It is ended, with all that is below it, if the request is cancelled, its time is over, the block is
    left early or by an exception, or serving ends. Everything there is sent SIGTERM, and SIGKILL after
    the patience; once serving ends, after 0.3 s. If it ends by itself, its process group is ended.

    Attributes:
        exit_code: Negative for a signal; None while it runs.
    """

    _live: ClassVar[set[Child]] = set()

    def __init__(
        self,
        command: list[str],
        ctx: Context[Any],
        options: dict[str, Any],
        given: str | bytes | None,
        timeout_s: float | None,
        patience_s: float,
    ) -> None:
        self._command = command
        self._ctx = ctx
        self._options = options
        self._pipes = options["stdout"] == subprocess.PIPE
        self._given = given.encode() if isinstance(given, str) else given
        self._timeout_s = timeout_s
        self._patience_s = patience_s
        self._process: subprocess.Popen[bytes]
        self._tail = self._stray = b""
        self._why = ""
        self._over_at = 0.0
        self._gate = allocate_lock()  # released by whoever has news for the watch
        self._gate.acquire()
        # Events: a thread's `join` that is interrupted takes the thread for ended.
        self._is_over, self._is_read = Event(), Event()
        self._takes_back: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        refuse_on_loop("a command", "await asyncio.to_thread(...) around the block")
        try:
            self._process = subprocess.Popen[bytes](
                self._command,
                stdin=subprocess.DEVNULL if self._given is None else subprocess.PIPE,
                stderr=subprocess.PIPE if self._pipes else subprocess.STDOUT,
                start_new_session=True,
                bufsize=0,
                **self._options,
            )
        except OSError as error:
            text = f"cannot start '{self._command[0]}': {error.strerror}"
            where = "" if error.filename in {None, self._command[0]} else f": {error.filename}"
            raise Unavailable(text + where) from error
        self._tree = Tree(self.pid)
        self._live.add(self)
        try:
            self._start(self._watch)
            if self._pipes:
                self._start(self._keep_tail)
            if self._given is not None:
                self._start(self._feed)
        except BaseException:  # there are no more threads
            send(signal.SIGKILL, self._tree.look())
            raise
        link = surroundings_of(self._ctx).link
        self._takes_back += [
            self._ctx.on_cancel(lambda: self._ask("cancelled")),
            link.when_over(self._end_with_the_plugin),
        ]
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self._ask("left")
        self._is_over.wait()
        for take_back in self._takes_back:
            take_back()
        for pipe in (self._process.stdout, self._process.stdin):
            if pipe is not None:
                pipe.close()

    # What it says ---------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Its process number, which is also that of its group and session."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    @property
    def timed_out(self) -> bool:
        """Was it ended because its time was over?"""
        return self._why == "late"

    @property
    def stderr(self) -> str:
        """The end of what it has written to stderr, up to 64 KiB."""
        return self._tail.decode("utf-8", "replace")

    def lines(self) -> Iterator[str]:
        """Each line of its stdout, without its end; of one above 8 MiB the beginning.

        They end with the command, even if something that it has started still holds its stdout.

        Raises:
            Cancelled: The request was cancelled, or serving ended.
            Timeout: Its time was over.
        """
        for line in self._lines():
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
        self.wait()

    def json_lines(self) -> Iterator[Any]:
        """Each line of its stdout that is JSON, decoded; others are kept for the message of `check`.

        Raises:
            Cancelled: The request was cancelled, or serving ended.
            Timeout: Its time was over.
        """
        for line in self._lines():
            try:
                yield msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._stray = line.strip() or self._stray
        self.wait()

    def wait(self) -> int:
        """Wait for its end; what it still writes is dropped. Returns the exit code.

        Raises:
            Cancelled: The request was cancelled, or serving ended.
            Timeout: Its time was over.
        """
        for _ in self._chunks():
            pass
        code = self._process.wait()
        if self._pipes:
            self._is_read.wait(READ_STEP_MS / 1000)
        if self.timed_out:
            raise Timeout(f"'{self._command[0]}' ran for longer than {self._timeout_s:g} s")
        if self._why in {"cancelled", "ending"}:
            raise Cancelled
        return code

    def check(self) -> None:
        """Wait for its end, as `wait` does, and be sure that it went well.

        Raises:
            ChildFailed: Its exit code is not 0; the message has what it last wrote to stderr.
        """
        code = self.wait()
        if code:
            how = f"ended with exit code {code}" if code > 0 else f"was ended by {_name(-code)}"
            said = (self.stderr.strip() or self._stray.decode("utf-8", "replace"))[-SHOWN:]
            text = f"'{self._command[0]}' {how}{': ' if said else ''}{said}"
            raise ChildFailed(text, code, self.stderr)

    def end(self) -> int:
        """End it now, as leaving the block does. Returns the exit code."""
        self._ask("left")
        self._is_over.wait()
        return self._process.wait()

    @classmethod
    def end_the_rest(cls) -> None:
        """The process ends, before a patience does perhaps: see to it that nothing is left."""
        left = tuple(cls._live)
        for child in left:
            child._end_with_the_plugin()  # noqa: SLF001 - its own class
        for child in left:
            child._is_over.wait(END_PATIENCE_S + STEP_S)  # noqa: SLF001

    def _chunks(self) -> Iterator[bytes]:
        if self._process.stdout is None:
            self._process.wait()
            return
        if self._process.stdout.closed:
            return
        fd = self._process.stdout.fileno()
        poller = select.poll()
        poller.register(fd, select.POLLIN)
        while True:
            has_ended = self._process.poll() is not None
            if poller.poll(0 if has_ended else READ_STEP_MS):
                chunk = os.read(fd, CHUNK)
                if not chunk:
                    return
                yield chunk
            elif has_ended:  # something below it still holds the pipe
                return

    def _lines(self) -> Iterator[bytes]:
        held: list[bytes] = []
        size = 0
        for chunk in self._chunks():
            first, *rest = chunk.split(b"\n")
            held.append(first[: max(LINE_BYTES - size, 0)])
            size += len(first)
            for piece in rest:
                yield b"".join(held)
                held, size = [piece], len(piece)
        if any(held):
            yield b"".join(held)

    # Its end --------------------------------------------------------------------------------------

    def _ask(self, why: str) -> None:
        """Have the watch end it; the first reason stays. Safe in a signal's handler."""
        self._why = self._why or why
        with suppress(RuntimeError):  # somebody else has news, too
            self._gate.release()

    def _end_with_the_plugin(self) -> None:
        self._over_at = self._over_at or monotonic()
        self._ask("ending")

    def _start(self, work: Callable[[], None]) -> None:
        Thread(target=work, daemon=True).start()

    def _keep_tail(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as pipe:
            while chunk := pipe.read(CHUNK):
                self._tail = (self._tail + chunk)[-TAIL_BYTES:]
        self._is_read.set()

    def _feed(self) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError), self._process.stdin as pipe:  # it need not read all
            pipe.write(self._given or b"")

    def _watch(self) -> None:
        until = monotonic() + (1e9 if self._timeout_s is None else self._timeout_s)
        pause, longest = LOOK_S
        try:
            while not self._why:
                self._tree.look()
                self._gate.acquire(timeout=max(0.0, min(pause, until - monotonic())))
                pause = min(2 * pause, longest)
                if self._process.poll() is None and monotonic() >= until:
                    self._ask("late")
            self._end_all()
        finally:
            self._process.poll()  # it may have died just after the last look
            self._live.discard(self)
            self._is_over.set()

    def _end_all(self) -> None:
        """End what runs: all that is below it, or its group alone if it has ended by itself."""
        is_alone = self._process.poll() is not None and self._why == "left"
        began, killed_at = monotonic(), 0.0
        send(signal.SIGTERM, self._left(is_alone))
        while left := self._left(is_alone):
            over = self._over_at and self._over_at + END_PATIENCE_S
            moment = monotonic()
            if moment >= (over or began + self._patience_s):
                killed_at = killed_at or moment
                send(signal.SIGKILL, left)
                if moment - killed_at > KILLED_S:
                    return
            # News that serving is ending shorten the patience.
            self._gate.acquire(timeout=STEP_S)

    def _left(self, is_alone: bool) -> list[int]:  # noqa: FBT001
        self._process.poll()
        found = self._tree.look()
        return [pid for pid, seen in found.items() if not is_alone or seen.group == self.pid]


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


atexit.register(Child.end_the_rest)
