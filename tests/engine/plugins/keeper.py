"""A plugin that keeps things open, for which the end of the process has to be a normal one."""

import asyncio
import atexit
import contextlib
import csv
import gzip
import logging.handlers
import re
import resource
import signal
import tempfile
import threading
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from animus_routes import App, Context

app = App(kind="custom", name="animus-custom-keeper", version="0.1.0", description="Keeps files")

FILE = open("rows.csv", "a", newline="")  # noqa: SIM115, PTH123 - nobody closes it
ROWS = csv.writer(FILE)
PACKED = gzip.open("packed.gz", "at")  # noqa: SIM115
SCRATCH = tempfile.NamedTemporaryFile(prefix="scratch-", dir=".")  # noqa: SIM115
LATER = logging.handlers.MemoryHandler(1000, target=logging.FileHandler("log.txt", delay=True))
logging.getLogger("kept").addHandler(LATER)
POOL = ThreadPoolExecutor(2)


class Thing:
    pass


def leave(name: str) -> None:
    Path(name).write_text("ran")


THING = Thing()
weakref.finalize(THING, leave, "finalized")
atexit.register(leave, "hook")


@app.method("x/keep")
def keep(row: str) -> str:
    ROWS.writerow([row])
    PACKED.write(row)
    logging.getLogger("kept").warning(row)
    return "kept"


@app.method("x/async")
async def keep_async(row: str) -> str:
    await asyncio.to_thread(time.sleep, 0)
    return keep(row)


@app.method("x/pool", concurrent=True)
def keep_pool(row: str) -> str:
    POOL.submit(time.sleep, 0).result()
    return keep(row)


@app.method("x/stream", notification="x/item")
def keep_stream(row: str) -> Iterator[str]:
    yield keep(row)


@app.method("x/astream", notification="x/item")
async def keep_astream(row: str) -> AsyncIterator[str]:
    yield keep(row)


@app.method("x/background")
async def background(row: str) -> str:
    """A task that nobody awaits, and that runs until the end."""

    async def run() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ROWS.writerow([row])

    asyncio.get_running_loop().keeper = asyncio.create_task(run())  # type: ignore[attr-defined]
    await asyncio.sleep(0)
    return "begun"


@app.method("x/thread")
def thread(seconds: float) -> str:
    """A thread that Python waits for at its end."""

    def work() -> None:
        time.sleep(seconds)
        ROWS.writerow(["from a thread"])

    threading.Thread(target=work).start()
    return "begun"


@app.method("x/hang_at_exit")
def hang_at_exit() -> str:
    atexit.register(time.sleep, 60)
    return "registered"


def too_late(_number: int, _frame: object) -> None:
    raise TimeoutError("too late")


@app.method("x/alarm")
def alarm() -> str:
    signal.signal(signal.SIGALRM, too_late)
    return "set"


@app.method("x/later_alarm")
def later_alarm() -> str:
    """Set and taken back, as a bound around one call does it."""
    before = signal.signal(signal.SIGALRM, too_late)
    signal.signal(signal.SIGALRM, before)
    return "set"


class Stuck:
    def __del__(self) -> None:
        self.sleep(60)

    sleep = staticmethod(time.sleep)


@app.method("x/hang_in_destructor")
def hang_in_destructor() -> str:
    STUCK.append(Stuck())
    return "kept"


STUCK: list[Stuck] = []


@app.method("x/hold_in_pool", concurrent=True)
def hold_in_pool(ctx: Context) -> int:
    """Once the end has begun: a C call that lets no other thread run."""
    ctx.notify("x/begun")
    ctx.wait(60)
    return sum(range(10**12))


@app.method("x/hold_when_interrupted")
def hold_when_interrupted(ctx: Context) -> int:
    ctx.notify("x/begun")
    try:
        time.sleep(60)
    finally:
        total = sum(range(10**12))
    return total


@app.method("x/match")
def match() -> bool:
    """Holds the interpreter, but looks for signals."""
    return bool(re.fullmatch("(a+)+b", "a" * 60))


@app.method("x/no_room")
def no_room(spare_mib: int) -> str:
    """From now on there is only little memory, too little for the stack of a thread."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmSize:\s+(\d+)", status)
    assert found
    limit = int(found[1]) * 1024 + spare_mib * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    return "limited"


@app.method("x/no_files")
def no_files() -> str:
    """From now on no descriptor can be opened, not even for a module to be imported."""
    limit = len(list(Path("/proc/self/fd").iterdir())) - 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    return "limited"


@app.method("x/use_all")
def use_all() -> str:
    """Take all memory there is, and keep it."""
    for size in (1_000_000, 10_000, 100, 40):
        with contextlib.suppress(MemoryError):
            while True:
                KEPT.append(bytearray(size))
    return "used"


KEPT: list[bytearray] = []


@app.method("x/hang")
def hang() -> None:
    time.sleep(60)


@app.method("x/hang_in_pool", concurrent=True)
def hang_in_pool() -> None:
    time.sleep(60)


@app.method("x/hang_async")
async def hang_async() -> None:
    await asyncio.sleep(60)


if __name__ == "__main__":
    try:
        app.run()
    finally:
        leave("after")
