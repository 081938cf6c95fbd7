"""Stores that cannot be used for a while: locked, on a full disk, damaged.

A full disk is a limit on the size of the plugin's files, which needs no right to mount anything and
can be lifted while it runs; where a mount is permitted, `make faults` fills a small one as well.
"""

import fcntl
import os
import resource
import shutil
import sqlite3
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from random import Random
from typing import Any, Final

from faulty_hosts import WAIT_S, Figures
from kept_stores import Call, Store, Tokens
from killed_writes import intact, verified

from animus_routes import RpcError
from animus_routes.host import HostError, Plugin

BEFORE: Final = 12  # things that are stored before the fault
MOST: Final = 60  # writes until a full disk has to be noticed
BLOCK: Final = 4096
MOUNT_BYTES: Final = 2 * 1024 * 1024
LOCKABLE: Final = {"tasks_file"}  # beside the databases


def named(plugin: Plugin, problem: RpcError) -> RpcError:
    """An error has to say what is wrong: it is no bug of the plugin's."""
    if isinstance(problem.data, dict) and "error_id" in problem.data:
        plugin.kill()  # then all of stderr has been read
        raise AssertionError(f"no named error: {problem}\n{plugin.stderr_text()}")
    return problem


def answered(plugin: Plugin, request: int) -> RpcError | None:
    """How a request ended; None for a result."""
    try:
        plugin.reply(request, WAIT_S)
    except RpcError as problem:
        return named(plugin, problem)
    return None


def asked(plugin: Plugin, call: Call) -> RpcError | None:
    return answered(plugin, plugin.request(*call))


def alive(plugin: Plugin) -> None:
    assert plugin.call("$/ping", timeout_s=WAIT_S) == {}
    assert plugin.call("health/check", timeout_s=WAIT_S)["status"] in {
        "healthy",
        "degraded",
        "unhealthy",
    }
    assert "Traceback" not in plugin.stderr_text(), plugin.stderr_text()


def found(store: Store, plugin: Plugin, project: Path, tokens: Tokens) -> Counter[int]:
    return Counter(store.read(plugin, project, tokens))


# Locked ---------------------------------------------------------------------------------------------


@contextmanager
def held(store: Store, project: Path) -> Iterator[None]:
    """This process, which is not the plugin's, has the store to itself."""
    file = project / store.file
    if not store.sql:
        with file.with_suffix(".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        return
    with closing(sqlite3.connect(file, isolation_level=None, timeout=WAIT_S)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


def locked(store: Store, _chance: Random, folder: Path) -> Figures:
    """One write waits until the lock is free; another one is refused because it stays."""
    figures, tokens = Figures(), Tokens()
    project = store.make(folder)

    def write(number: int) -> int:
        return plugin.request(*store.write(number, project, tokens))

    with store.served(project, tokens) as plugin:
        assert answered(plugin, write(0)) is None
        with held(store, project):
            waiting = write(1)
            assert plugin.call("$/ping", timeout_s=WAIT_S) == {}
        assert answered(plugin, waiting) is None
        with held(store, project):
            refusal = answered(plugin, write(2))
            assert refusal is not None
            assert "not free" in refusal.message or "locked" in refusal.message, refusal
            alive(plugin)
        assert answered(plugin, write(3)) is None
        verified(store, found(store, plugin, project, tokens), {0, 1, 3}, {0, 1, 3})
        alive(plugin)
    intact(store, project)
    figures.counts["writes that waited for the lock"] += 1
    figures.counts["writes refused while locked"] += 1
    return figures


# A full disk ----------------------------------------------------------------------------------------


@contextmanager
def no_larger_files(plugin: Plugin, store: Store, project: Path, chance: Random) -> Iterator[None]:
    """No file of the plugin may grow, or hardly."""
    _, hard = before = resource.prlimit(plugin.pid, resource.RLIMIT_FSIZE)
    sizes = [one.stat().st_size for one in (project / store.file).parent.iterdir()]
    spare = chance.choice((-max(sizes), -1, 0, 1, BLOCK, BLOCK + 24))
    limit = max(max(sizes) + spare, 0) if store.sql else chance.randrange(min(sizes[-1:]) or 1)
    resource.prlimit(plugin.pid, resource.RLIMIT_FSIZE, (limit, hard))
    yield
    resource.prlimit(plugin.pid, resource.RLIMIT_FSIZE, before)


@contextmanager
def filled_up(_plugin: Plugin, store: Store, project: Path, chance: Random) -> Iterator[None]:
    """The file system of the project has no room left, or hardly."""
    filler = project / "filler"
    with filler.open("wb", buffering=0) as out, suppress(OSError):
        while True:
            out.write(bytes(BLOCK))
    spare = chance.randrange(3) if store.sql else 0
    os.truncate(filler, filler.stat().st_size - BLOCK * spare)
    yield
    filler.unlink()


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """A file system of a few megabytes; None where that may not be made."""
    place = Path(tempfile.mkdtemp(prefix="animus-disk-"))
    size = f"size={MOUNT_BYTES}"
    command = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
    mounted = (
        shutil.which("mount")
        and not subprocess.run(command, capture_output=True, check=False).returncode
    )
    try:
        yield place if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def full(store: Store, chance: Random, folder: Path, disk: Any = no_larger_files) -> Figures:
    """Writes until there is no room, and goes on once there is some again."""
    figures, tokens = Figures(), Tokens()
    project = store.make(folder)
    kept: set[int] = set()
    refused: list[RpcError] = []

    def write(number: int) -> bool:
        problem = asked(plugin, store.write(number, project, tokens))
        if problem is None:
            kept.add(number)
        else:
            refused.append(problem)
        return problem is None

    def as_answered() -> None:
        now = found(store, plugin, project, tokens)
        verified(store, now, {max(kept)} if store.only_last else kept, kept)

    with store.served(project, tokens) as plugin:
        assert all(write(number) for number in range(BEFORE))
        with disk(plugin, store, project, chance):
            number = BEFORE
            while write(number):
                number += 1
                assert number < BEFORE + MOST, "a full disk is not noticed"
            write(number + 1)
            alive(plugin)
            with suppress(RpcError, sqlite3.Error):
                as_answered()
        assert write(number + 2), refused
        alive(plugin)
        as_answered()
    with store.served(project, tokens) as plugin:
        as_answered()
        assert write(number + 3)
    intact(store, project)
    figures.counts["writes answered on a full disk"] += len(kept) - BEFORE - 2
    figures.counts["writes refused on a full disk"] += len(refused)
    return figures


# Damage ---------------------------------------------------------------------------------------------


def flipped(good: bytes, chance: Random) -> bytes:
    damaged = bytearray(good)
    for _ in range(chance.randrange(1, 40)):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def head_flipped(good: bytes, chance: Random) -> bytes:
    """The first page, which says what the rest is."""
    return flipped(good[:200], chance) + good[200:]


def truncated(good: bytes, chance: Random) -> bytes:
    return good[: chance.randrange(1, len(good))]


def noise(good: bytes, chance: Random) -> bytes:
    return chance.randbytes(len(good))


def words(_good: bytes, _chance: Random) -> bytes:
    return b"this is a letter to somebody else\n" * 200


DAMAGES: Final = (flipped, head_flipped, truncated, noise, words)


def is_open(plugin: Plugin, file: Path) -> bool:
    return any(one.resolve() == file for one in Path(f"/proc/{plugin.pid}/fd").iterdir())


def filled(store: Store, project: Path, tokens: Tokens) -> None:
    with store.served(project, tokens) as plugin:
        for number in range(BEFORE):
            assert asked(plugin, store.write(number, project, tokens)) is None
        plugin.shutdown()


def damaged(store: Store, chance: Random, folder: Path) -> Figures:
    """A store that was damaged while nothing ran, and is put back while the plugin runs."""
    figures, tokens = Figures(), Tokens()
    project = store.make(folder)
    filled(store, project, tokens)
    file = (project / store.file).resolve()
    good = {one: one.read_bytes() for one in file.parent.glob(f"{file.name}*")}
    damage = chance.choice(DAMAGES)
    file.write_bytes(damage(good[file], chance))
    plugin = store.start(project)
    try:
        for number in range(BEFORE, BEFORE + 3):
            outcome = "refused" if asked(plugin, store.write(number, project, tokens)) else "made"
            figures.counts[f"calls {outcome} on damaged stores"] += 1
            looked_into(store, plugin, project, tokens)
            alive(plugin)
        went_on = not is_open(plugin, file)
        figures.counts["plugins that went on without a restart"] += went_on
        if not went_on:
            plugin.kill()
        for beside in file.parent.glob(f"{file.name}-*"):
            beside.unlink()
        for one, content in good.items():
            one.write_bytes(content)
        if not went_on:
            plugin = store.start(project)
        store.begin(plugin, project, tokens)
        last = BEFORE + 3
        assert asked(plugin, store.write(last, project, tokens)) is None
        whole = {last} if store.only_last else {*range(BEFORE), last}
        verified(store, found(store, plugin, project, tokens), whole, whole)
        alive(plugin)
    finally:
        plugin.kill()
    figures.counts[f"stores {damage.__name__.replace('_', ' ')}"] += 1
    return figures


def looked_into(store: Store, plugin: Plugin, project: Path, tokens: Tokens) -> None:
    """Whatever is read of a damaged store, it is an answer or a named error."""
    try:
        list(store.read(plugin, project, tokens))
    except RpcError as problem:
        named(plugin, problem)
    except HostError:
        raise
    except (AssertionError, LookupError, ValueError, sqlite3.Error):
        pass  # what nothing can tell from the truth
