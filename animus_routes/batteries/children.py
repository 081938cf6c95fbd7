"""A command as the work of a handler: its lines, its time, and an end for everything below it.

    with run(["git", "log", "--oneline"], ctx, cwd=root, timeout_s=60) as child:
        for line in child.lines(): ...
        child.check()

However the block ends, nothing of the command is left running: see `Child`.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
from contextlib import suppress
from threading import Event, Thread
from typing import IO, TYPE_CHECKING, Any, Final, Self

import msgspec

from animus_routes.batteries._keep import END_PATIENCE_S
from animus_routes.batteries.keepers import Keeper
from animus_routes.errors import Cancelled, Other, Timeout, Unavailable
from animus_routes.handlers.context import surroundings_of
from animus_routes.handlers.waiting import refuse_on_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from animus_routes.handlers.context import Context

__all__ = ["Child", "ChildFailed", "ending", "run"]

PATIENCE_S: Final = 2.0  # between SIGTERM and SIGKILL
READ_STEP_MS: Final = 100  # how long a pipe that something else holds outlasts the command
CHUNK: Final = 64 * 1024
PIPE_BYTES: Final = 1024 * 1024
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
    options = {
        "command": [os.fspath(word) for word in command],
        "cwd": cwd,
        "env": env,
        "stdin": subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        "stdout": output or subprocess.PIPE,
        "stderr": subprocess.STDOUT if output else subprocess.PIPE,
        "timeout_s": timeout_s,
        "patience_s": patience_s,
    }
    return Child(ctx, stdin, options)


class Child:
    """A command that runs; made by `run`.

    It is ended, with all that is below it, if the request is cancelled, its time is over, the block is
    left early or by an exception, or serving ends. Everything there is sent SIGTERM, and SIGKILL after
    the patience; once serving ends, after 0.3 s. If it ends by itself, its process group is ended.
    """

    def __init__(
        self, ctx: Context[Any], given: str | bytes | None, options: dict[str, Any]
    ) -> None:
        self._ctx = ctx
        self._given = given.encode() if isinstance(given, str) else given
        self._options = options
        self._command = options["command"][0]
        self._patience_s: float = options["patience_s"]
        self._keeper: Keeper
        self._tail = self._stray = b""
        self._why = ""
        self._is_read = Event()
        self._takes_back: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        refuse_on_loop("a command", "await asyncio.to_thread(...) around the block")
        self._keeper = Keeper(**self._options)
        _widen(self._keeper.process.stdout)
        try:
            self._keeper.confirm()
            if self._keeper.process.stderr is not None:
                Thread(target=self._keep_tail, daemon=True).start()
            if self._given is not None:
                Thread(target=self._feed, daemon=True).start()
        except (
            BaseException
        ):  # it does not start, there are no more threads, or this is interrupted
            self._keeper.end(patience_s=0)
            raise
        link = surroundings_of(self._ctx).link
        self._takes_back += [
            self._ctx.on_cancel(lambda: self._end("cancelled", self._patience_s)),
            link.when_over(lambda: self._end("ending", END_PATIENCE_S)),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._leave()
        finally:
            for take_back in self._takes_back:
                take_back()
            for pipe in (self._keeper.process.stdout, self._keeper.process.stdin):
                if pipe is not None:
                    pipe.close()

    # What it says ---------------------------------------------------------------------------------

    @property
    def pid(self) -> int:
        """Its process number, which is also that of its group and session."""
        return self._keeper.pid

    @property
    def exit_code(self) -> int | None:
        """Negative for a signal; None while it runs."""
        self._keeper.look()
        return self._keeper.exit_code

    @property
    def timed_out(self) -> bool:
        """Was it ended because its time was over?"""
        return self._keeper.is_late

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

    def json_lines(
        self,
        *,
        line_bytes: int | None = None,
        skipped: Callable[[bytes], object] | None = None,
    ) -> Iterator[Any]:
        """Each line of its stdout that is JSON, decoded; others are kept for the message of `check`.

        Half of a character, which programs leave that cut their texts, becomes a question mark.

        Args:
            line_bytes: The longest line that is read whole, 8 MiB if None; a longer one is not JSON.
            skipped: Told of each line that is not JSON, or of its beginning; not of empty ones.

        Raises:
            Cancelled: The request was cancelled, or serving ended.
            Timeout: Its time was over.
        """
        for line in self._lines(line_bytes):
            try:
                yield _decoded(line)
            except (ValueError, RecursionError):
                if line.strip():
                    self._stray = line.strip()
                    if skipped is not None:
                        skipped(line)
        self.wait()

    def wait(self) -> int:
        """Wait for its end; what it still writes is dropped. Returns the exit code.

        Raises:
            Cancelled: The request was cancelled, or serving ended.
            Timeout: Its time was over.
        """
        for _ in self._chunks():
            pass
        if self._keeper.process.stderr is not None:
            self._is_read.wait(READ_STEP_MS / 1000)
        if self.timed_out:
            raise Timeout(f"'{self._command}' ran for longer than {self._options['timeout_s']:g} s")
        if self._why in {"cancelled", "ending"}:
            raise Cancelled
        return self._code()

    def check(self) -> None:
        """Wait for its end, as `wait` does, and be sure that it went well.

        Raises:
            ChildFailed: Its exit code is not 0; the message has what it last wrote to stderr.
        """
        code = self.wait()
        if code:
            how = ending(code)
            said = (self.stderr.strip() or self._stray.decode("utf-8", "replace"))[-SHOWN:]
            text = f"'{self._command}' {how}{': ' if said else ''}{said}"
            raise ChildFailed(text, code, self.stderr)

    def end(self) -> int:
        """End it now, as leaving the block does. Returns the exit code."""
        self._leave()
        return self._code()

    def _code(self) -> int:
        if self._keeper.exit_code is None:
            raise Unavailable(f"what kept '{self._command}' was killed")
        return self._keeper.exit_code

    def _chunks(self) -> Iterator[bytes]:
        keeper, pipe = self._keeper, self._keeper.process.stdout
        if pipe is None or pipe.closed:
            keeper.wait(lambda: keeper.exit_code is not None)
            return
        poller = select.poll()
        poller.register(pipe, select.POLLIN)
        while True:
            keeper.look()
            has_ended = keeper.is_over or keeper.exit_code is not None
            if poller.poll(0 if has_ended else READ_STEP_MS):
                chunk = os.read(pipe.fileno(), CHUNK)
                if not chunk:
                    keeper.wait(lambda: keeper.exit_code is not None)
                    return
                yield chunk
            elif has_ended:  # something below it still holds the pipe
                return

    def _lines(self, line_bytes: int | None = None) -> Iterator[bytes]:
        most = LINE_BYTES if line_bytes is None else line_bytes
        held: list[bytes] = []
        size = 0
        for chunk in self._chunks():
            first, *rest = chunk.split(b"\n")
            held.append(first[: max(most - size, 0)])
            size += len(first)
            for piece in rest:
                yield b"".join(held)
                held, size = [piece], len(piece)
        if any(held):
            yield b"".join(held)

    # Its end --------------------------------------------------------------------------------------

    def _end(self, why: str, patience_s: float) -> None:
        """The first reason stays. Safe in a signal's handler."""
        self._why = self._why or why
        self._keeper.end(patience_s)

    def _leave(self) -> None:
        """End what runs: all that is below it, or its group alone if it has ended by itself."""
        keeper = self._keeper
        if self.exit_code is None or self._why or keeper.is_late:
            self._end("left", self._patience_s)
        else:
            keeper.end_group(self._patience_s)
            keeper.wait(lambda: keeper.is_alone)
            keeper.release()
        keeper.wait(lambda: False)

    def _keep_tail(self) -> None:
        assert self._keeper.process.stderr is not None
        with self._keeper.process.stderr as pipe:
            while chunk := pipe.read(CHUNK):
                self._tail = (self._tail + chunk)[-TAIL_BYTES:]
        self._is_read.set()

    def _feed(self) -> None:
        assert self._keeper.process.stdin is not None
        with (
            suppress(OSError, ValueError),
            self._keeper.process.stdin as pipe,
        ):  # it need not read all
            pipe.write(self._given or b"")


def _widen(pipe: IO[bytes] | None) -> None:
    """Node.js loses what does not fit into its stdout when it exits, and says nothing of it."""
    size = getattr(fcntl, "F_SETPIPE_SZ", None)  # only Linux has it
    if pipe is not None and size is not None:
        with suppress(OSError):  # too many of this user's pipes are wide
            fcntl.fcntl(pipe, size, PIPE_BYTES)


def _decoded(line: bytes) -> Any:
    """A line's value. JavaScript writes half of a surrogate pair as JSON, which msgspec refuses.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return msgspec.json.decode(line)
    except ValueError:  # what msgspec raises is one, too
        import json

        found = json.loads(line.decode("utf-8", "replace"))
        whole = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
        return msgspec.json.decode(whole)


def ending(exit_code: int) -> str:
    """How a command ended, as the rest of a sentence about it; the exit code is as of `Child`."""
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        return f"was ended by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was ended by signal {-exit_code}"
