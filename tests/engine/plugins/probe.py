"""A plugin that does everything that hurts an engine, on request."""

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Annotated, Any

from animus_routes import App, Context, Depends, RpcError
from animus_routes.engine.stderr import log

LIBC = ctypes.CDLL(None)
SEEN: list[str] = []
LOCK = threading.Lock()
LOCK.acquire()


def note(text: str) -> None:
    SEEN.append(text)
    os.write(2, f"noted: {text}\n".encode())


@contextlib.contextmanager
def lifespan() -> Iterator[None]:
    yield
    note("lifespan left")
    if "SLOW_LIFESPAN" in os.environ:
        time.sleep(20)


app = App(
    kind="custom",
    name="animus-custom-probe",
    version="0.1.0",
    description="Everything that hurts an engine",
    lifespan=lifespan,
    env_required=[{"name": name} for name in ("SLOW_LIFESPAN", "SLOW_HEALTH", "REFUSE")],
)


@app.on_initialize
def refuse() -> None:
    if "REFUSE" in os.environ:
        raise RpcError(-32603, "not today")


if "SLOW_HEALTH" in os.environ:

    @app.health
    def slow_health() -> None:
        time.sleep(20)


# Plain handlers, inline -----------------------------------------------------------------------------


@app.method("x/echo")
def echo(params: dict[str, Any]) -> dict[str, Any]:
    return params


@app.method("x/sized")
def sized(size: int) -> str:
    return "y" * size


@app.method("x/ident")
def ident() -> dict[str, Any]:
    return {"main": threading.current_thread() is threading.main_thread()}


@app.method("x/seen")
def seen() -> list[str]:
    return list(SEEN)


@app.method("x/sleep")
def sleep(s: float) -> str:
    time.sleep(s)
    note(f"slept {s}")
    return "slept"


@app.method("x/spin")
def spin(s: float) -> str:
    end = time.monotonic() + s
    while time.monotonic() < end:
        pass
    return "spun"


@app.method("x/hang")
def hang() -> None:
    with LOCK:
        pass


@app.method("x/usleep")
def usleep(s: float) -> str:
    end = time.monotonic() + s
    while time.monotonic() < end:  # EINTR or not, it goes on
        LIBC.usleep(900_000)
    return "slept in C"


@app.method("x/deaf")
def deaf() -> None:
    """A C call that signals do not interrupt."""
    LIBC.sigfillset.argtypes = [ctypes.c_void_p]
    signals = ctypes.create_string_buffer(256)
    LIBC.sigfillset(signals)
    LIBC.pthread_sigmask(0, signals, None)
    LIBC.sleep(30)


@app.method("x/stubborn")
def stubborn() -> None:
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(20)


@app.method("x/wait")
def wait(ctx: Context, s: float = 20) -> str:
    note(f"waited {ctx.wait(s)} {ctx.cancelled}")
    ctx.notify("x/late", {})
    return "waited"


@app.method("x/notify_sleep")
def notify_sleep(ctx: Context, s: float) -> str:
    ctx.notify("x/first", {"id": ctx.id})
    time.sleep(s)
    ctx.notify("x/second", {"id": ctx.id})
    return "done"


def slow_clean_up() -> Iterator[str]:
    yield "value"
    time.sleep(20)


@app.method("x/slow_clean_up")
def with_slow_clean_up(value: Annotated[str, Depends(slow_clean_up)]) -> str:
    return value


@app.method("x/alarm")
def late_alarm() -> str:
    """A timeout of the author's own that fires when the handler is over."""

    def ring(*_: object) -> None:
        raise TimeoutError("late")

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    return "set"


@app.method("x/slow_alarm")
def quiet_alarm(s: float) -> str:
    signal.signal(signal.SIGALRM, lambda *_: note("rang"))
    signal.setitimer(signal.ITIMER_REAL, 0.02)
    time.sleep(s)
    return "slept"


@app.method("x/flag", concurrent=True)
def flag(name: str) -> bool:
    return name in SEEN


# What is written beside the wire --------------------------------------------------------------------


@app.method("x/write")
def write(how: str) -> str:
    WRITERS[how]()
    return "written"


def _child_reads() -> None:
    read = subprocess.run([sys.executable, "-c", "print(repr(input()))"], check=False)
    note(f"child {read.returncode}")


def _fork() -> None:
    pid = os.fork()
    if pid == 0:
        print("from the fork")
        with contextlib.suppress(OSError):
            for fd in range(3, 30):
                with contextlib.suppress(OSError):
                    os.write(fd, b"fork garbage\n")
        os._exit(0)
    os.waitpid(pid, 0)


def _buffer() -> None:
    stream = sys.__dict__["stdout"]
    stream.buffer.write(b"from buffer\n")
    stream.flush()


def _c_level() -> None:
    LIBC.puts(b"from C")
    LIBC.fflush(None)


def _input() -> None:
    with contextlib.suppress(EOFError):
        note(f"input {input()}")
    note(f"read {os.read(0, 10)!r}")


def _inherited() -> None:
    listing = "import os;print('fds', sorted(os.listdir('/proc/self/fd')))"
    subprocess.run([sys.executable, "-c", listing], check=True, close_fds=False)


WRITERS = {
    "print": lambda: print("from print"),
    "sys": lambda: sys.__dict__["stdout"].write("from sys\n"),
    "buffer": _buffer,
    "fd": lambda: os.write(1, b"from fd\n"),
    "child": lambda: subprocess.run(["echo", "from child"], check=True),
    "c": _c_level,
    "input": _input,
    "child_reads": _child_reads,
    "fork": _fork,
    "inherited": _inherited,
}


@app.method("x/end_a_fork")
def end_a_fork() -> int:
    """What a SIGTERM does to a forked child, as `multiprocessing` forks them."""
    pid = os.fork()
    if pid == 0:
        time.sleep(20)
        os._exit(0)
    os.kill(pid, signal.SIGTERM)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@app.method("x/standard_files")
def standard_files() -> list[str]:
    return [str(Path(f"/proc/self/fd/{fd}").readlink()) for fd in range(3)]


@app.method("x/flood_stderr")
def flood_stderr(lines: int) -> str:
    for _ in range(lines):
        log("y" * 200)
    return "flooded"


# Bugs -----------------------------------------------------------------------------------------------


class NastyError(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")


class OwnError(NameError):
    issues = "not ours"


ERRORS: dict[str, Any] = {
    "exit": lambda: SystemExit(3),
    "keyboard": KeyboardInterrupt,
    "generator": GeneratorExit,
    "memory": MemoryError,
    "recursion": RecursionError,
    "stop": StopIteration,
    "base": BaseException,
    "cancelled": asyncio.CancelledError,
    "type": lambda: TypeError("missing 1 required positional argument: 'x'"),
    "nasty": NastyError,
    "own": OwnError,
}


@app.method("x/raise")
def raises(what: str) -> None:
    error = ERRORS[what]()
    raise error


@app.method("x/raise_thread", concurrent=True)
def raises_in_pool(what: str) -> None:
    error = ERRORS[what]()
    raise error


@app.method("x/raise_async")
async def raises_async(what: str) -> None:
    error = ERRORS[what]()
    raise error


@app.method("x/recurse")
def recurse() -> None:
    recurse()


@app.method("x/rpc")
def rpc(what: str) -> None:
    error = RPC_ERRORS[what]()
    raise error


RPC_ERRORS: dict[str, Any] = {
    "plain": lambda: RpcError(-32603, "plain", {"a": 1}),
    "object": lambda: RpcError(-32603, "an object", {"a": object()}),
    "surrogate": lambda: RpcError(-32603, "\ud800", "\ud800"),
    "huge": lambda: RpcError(-32603, "huge", "y" * 9_000_000),
    "message": lambda: RpcError(-32603, 5, None),  # type: ignore[arg-type]
}


@app.method("x/result")
def result(what: str) -> Any:
    return RESULTS[what]()


@app.method("x/result_thread", concurrent=True)
def result_thread(what: str) -> Any:
    return RESULTS[what]()


@app.method("x/result_async")
async def result_async(what: str) -> Any:
    return RESULTS[what]()


def _endless() -> Any:
    loop: list[Any] = []
    loop.append(loop)
    return loop


RESULTS: dict[str, Any] = {
    "object": object,
    "surrogate": lambda: "\ud800",
    "generator": lambda: iter([1]).__iter__(),
    "function": lambda: len,
    "endless": _endless,
    "big": lambda: "y" * (8 * 1024 * 1024 + 1),
    "key": lambda: {(1, 2): 3},
    "nan": lambda: float("nan"),
    "set": lambda: {1},
    "bytes": lambda: b"abc",
    "int": lambda: 2**200,
    "fits": lambda: "y" * (8 * 1024 * 1024 - 100),
}


# Beside the reading thread --------------------------------------------------------------------------

RUNNING: list[int] = []
MOST: list[int] = [0]


@app.method("x/pool", concurrent=True)
def pool(s: float) -> int:
    RUNNING.append(1)
    MOST[0] = max(MOST[0], len(RUNNING))
    time.sleep(s)
    RUNNING.pop()
    return MOST[0]


@app.method("x/pool_wait", concurrent=True)
def pool_wait(ctx: Context) -> str:
    note(f"pool waited {ctx.wait(20)}")
    return "waited"


@app.method("x/pool_hang", concurrent=True)
def pool_hang() -> None:
    with LOCK:
        pass


@app.method("x/async")
async def asynchronous(s: float) -> str:
    try:
        await asyncio.sleep(s)
    finally:
        note("async finally")
    return "slept"


@app.method("x/async_clean_up")
async def async_clean_up() -> None:
    try:
        await asyncio.sleep(20)
    finally:
        note("async clean-up")
        await asyncio.sleep(0.05)
        note("async cleaned up")


@app.method("x/async_exit")
async def async_exit() -> str:
    async def leave() -> None:
        raise SystemExit(4)

    task = asyncio.ensure_future(leave())
    await asyncio.sleep(0.01)
    return f"done {task.done()}"


@app.method("x/rows", notification="x/row")
def rows(n: int, s: float = 0) -> Iterator[int]:
    try:
        for i in range(n):
            yield i
            if s:
                time.sleep(s)
    finally:
        note("rows finally")


@app.method("x/mixed", notification="x/row")
def mixed(ctx: Context) -> str:
    """Items, which may wait for one another, between notifications, which do not."""
    for number in range(3):
        ctx.emit(number)
        ctx.emit(number)
        ctx.notify("x/note")
        ctx.progress(number)
    return "mixed"


@app.method("x/endless", notification="x/row")
def endless(ctx: Context) -> Iterator[int]:
    try:
        n = 0
        while not ctx.wait(0.005):
            yield n
            n += 1
    finally:
        note("endless finally")


@app.method("x/flood", notification="x/row")
def flood() -> Iterator[str]:
    while True:
        yield "y" * 1000


@app.method("x/burst", notification="x/row")
def burst() -> Iterator[int]:
    """Three at once, then silence: the last must not wait for a fourth."""
    yield 1
    yield 2
    yield 3
    time.sleep(20)


@app.method("x/async_rows", notification="x/row")
async def async_rows(n: int) -> AsyncIterator[int]:
    try:
        for i in range(n):
            yield i
            await asyncio.sleep(0.001)
    finally:
        note("async rows finally")


@app.method("x/broken_rows", notification="x/row")
def broken_rows() -> Iterator[Any]:
    yield 1
    yield object()


if __name__ == "__main__":
    app.run()
