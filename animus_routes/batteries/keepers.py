"""A command below a process that adopts all that it leaves behind, so that nothing of it gets away.

`batteries.children` is made of this. An async handler, or one that copies output as it comes, uses it itself:

    keeper = Keeper(["make"], stdout=log)
    await keeper.until(lambda: keeper.exit_code is not None)
    keeper.end(patience_s=0)
    await keeper.until(lambda: keeper.is_over)
"""

from __future__ import annotations

import marshal
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from importlib.machinery import PathFinder
from tempfile import TemporaryFile
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from animus_routes import batteries
from animus_routes.batteries import _keep
from animus_routes.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from types import CodeType

__all__ = ["Keeper"]

ADOPTS: Final = sys.platform.startswith("linux")
NEVER_S: Final = 1e9
IS_FROZEN: Final = bool(getattr(sys, "frozen", False))
MOST_FILES: Final = 4096
STEP_S: Final = 0.1  # how late a waiting thread learns what another one has heard
PARTS: Final = ("animus_routes.batteries._processes", "animus_routes.batteries._keep")
# The packages of the plugin are not there, and take no time: the process starts with the code alone.
PROGRAM: Final = """import marshal, os, sys
file, control = map(int, sys.argv[1:])
os.set_inheritable(control, False)
with os.fdopen(file, "rb") as source:
    parts, given = marshal.load(source)
for name, code in parts:
    sys.modules[name] = module = type(sys)(name)
    exec(code, module.__dict__)
module.keep(control, *given)
"""


class Keeper:
    """A command that runs, and the process above it.

    All that is below it is ended when this process or this object has gone, however that came: SIGTERM at once,
    and SIGKILL 0.3 s later. Any thread may ask and look; nothing here needs a lock.

    Args:
        command: The program and its arguments.
        cwd: Its working directory.
        env: Its environment; this process's own if None.
        stdin: What it reads from, as for `subprocess.Popen`; the same for `stdout` and `stderr`.
        stdout: What it writes to.
        stderr: What its errors go to.
        timeout_s: How long it may run, in seconds.
        patience_s: How long everything may take to end on SIGTERM once that time is over, in seconds.

    Attributes:
        process: The process above the command. With its pipes you talk to the command.
        pid: The command's process number, which is also that of its group and session; 0 before it runs.
        exit_code: Of the command, negative for a signal; None while it runs.
        is_late: Its time was over.
        is_alone: After `end_group`: nothing is left in its group.
        is_over: Nothing is left, or the rest has been released.

    Raises:
        Unavailable: There can be no more processes.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: Any = subprocess.DEVNULL,
        stdout: Any = None,
        stderr: Any = None,
        timeout_s: float | None = None,
        patience_s: float = 2.0,
    ) -> None:
        self.pid = 0
        self.exit_code: int | None = None
        self.is_late = self.is_alone = self.is_over = False
        self._program = command[0]
        self._problem = "what keeps it was killed"
        self._held = b""
        self._lock = Lock()
        self._ours, control = socket.socketpair()
        self._ours.setblocking(False)
        given = (
            [*command],
            None if cwd is None else os.fspath(cwd),
            dict(os.environ if env is None else env),
            NEVER_S if timeout_s is None else timeout_s,
            patience_s,
            ADOPTS,
        )
        files = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
        try:
            with control:
                self.process = _started(control, given, files)
        except OSError as error:
            self._ours.close()
            raise Unavailable(f"cannot start '{command[0]}': {error.strerror}") from error

    def confirm(self) -> None:
        """Wait until the command runs.

        Raises:
            Unavailable: It cannot be started.
        """
        self.wait(lambda: self.pid)
        if not self.pid:
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                if pipe is not None:
                    pipe.close()
            raise Unavailable(f"cannot start '{self._program}': {self._problem}")

    def fileno(self) -> int:
        """Readable when there is news, for a selector or an event loop; then `look`."""
        return self._ours.fileno()

    @property
    def final_code(self) -> int | None:
        """As `exit_code`; that of SIGKILL if somebody has killed what kept the command, and so it."""
        return -signal.SIGKILL if self.exit_code is None and self.is_over else self.exit_code

    def look(self) -> None:
        """Take in what is new, without waiting."""
        with self._lock:
            while not self.is_over:
                try:
                    heard = self._ours.recv(4096)
                except BlockingIOError:
                    return
                except OSError:
                    heard = b""
                *lines, self._held = (self._held + heard).split(b"\n")
                for line in lines:
                    self._take(*line.decode().split(" ", 1))
                if not heard:
                    self.process.wait()
                    self._ours.close()
                    self.is_over = True

    def _take(self, word: str, rest: str = "") -> None:
        if word == "started":
            self.pid = int(rest)
        elif word == "failed":
            self._problem = rest
        elif word == "ended":
            self.exit_code = int(rest)
        elif word == "late":
            self.is_late = True
        else:
            self.is_alone = True

    def wait(self, done: Callable[[], object], timeout_s: float = NEVER_S) -> None:
        """Wait until something has come about, nothing is left, or the time is over."""
        until = monotonic() + timeout_s
        self.look()
        while not done() and not self.is_over and (left := until - monotonic()) > 0:
            with suppress(OSError, ValueError):  # another thread has heard the end
                poller = select.poll()
                poller.register(self._ours, select.POLLIN)
                poller.poll(1000 * min(left, STEP_S))
            self.look()

    async def until(self, done: Callable[[], object]) -> None:
        """`wait` for async code; one at a time."""
        import asyncio

        loop = asyncio.get_running_loop()
        self.look()
        while not done() and not self.is_over:
            news, file = asyncio.Event(), self.fileno()
            loop.add_reader(file, news.set)
            try:
                await news.wait()
            finally:
                loop.remove_reader(file)
            self.look()

    def end(self, patience_s: float = 2.0) -> None:
        """Have everything ended, and do not wait; safe in a signal's handler. A shorter patience counts."""
        self._ask(f"end {patience_s}")

    def end_group(self, patience_s: float = 2.0) -> None:
        """The same for what is still in the command's group."""
        self._ask(f"group {patience_s}")

    def release(self) -> None:
        """Let what is left go on, with nobody above it."""
        self._ask("release")

    def _ask(self, line: str) -> None:
        with suppress(OSError):  # it is over
            self._ours.send(line.encode() + b"\n")


def _started(
    control: socket.socket, given: tuple[Any, ...], files: dict[str, Any]
) -> subprocess.Popen[bytes]:
    options: dict[str, Any] = {"start_new_session": True, "bufsize": 0, **files}
    if IS_FROZEN:  # there is no interpreter to start

        def keep() -> None:
            os.closerange(3, control.fileno())
            os.closerange(control.fileno() + 1, MOST_FILES)
            _keep.keep(control.fileno(), *given)
            os._exit(0)

        return subprocess.Popen[bytes](["keeper"], preexec_fn=keep, **options)
    with TemporaryFile() as request:
        marshal.dump(([(name, _code_of(name)) for name in PARTS[ADOPTS:]], given), request)
        request.seek(0)
        numbers = (request.fileno(), control.fileno())
        program = [sys.executable, "-I", "-S", "-c", PROGRAM, *map(str, numbers)]
        return subprocess.Popen[bytes](program, pass_fds=numbers, **options)


def _code_of(name: str) -> CodeType:
    """Of a module of this package, wherever that was imported from."""
    spec: Any = PathFinder.find_spec(name, batteries.__path__)
    code: CodeType = spec.loader.get_code(name)
    return code
