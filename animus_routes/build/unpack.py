"""Unpacks a bundle into a folder of its user's: once, however many start at the same time.

A bundle carries this text, and runs it where it finds nothing whole; so it needs the standard
library alone. A folder is filled file by file, each written beside its place and moved there: whoever
is killed half way leaves something that the next start completes, and what a cleaner has removed
comes back under a plugin that runs. Only then the mark is written by which later starts know it
(`boot`): every folder with its time, which changes whenever something in it is made or removed.

Locks on bytes of one file beside it tell who is there: byte 0 is held while it is filled, and each
process that runs from it holds the byte of its process id. A process that dies lets go of both.
"""

from __future__ import annotations

import atexit
import io
import os
import shutil
import sys
import tempfile
import time
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

WAIT_S: Final = 20.0  # for another one that unpacks; a host waits 30 s for the handshake
STEP_S: Final = 0.02
UNUSED_S: Final = 30 * 24 * 3600.0  # then another version's folder is removed
PRIVATE: Final = "animus-routes-"
GONE: Final = ".gone-"
NOEXEC: Final = getattr(os, "ST_NOEXEC", 0)  # Linux


def unpack(data: bytes, name: str, places: Iterable[str], is_whole: Callable[[str], bool]) -> str:
    """The folder with the whole bundle in it.

    Args:
        data: The archive.
        name: The folder's name, which has the archive's hash.
        places: Folders that are this user's, to be tried in turn.
        is_whole: Does the mark of a folder say that it is whole?

    Raises:
        RuntimeError: There is no folder that can be written, and that programs may be loaded from.
    """
    archive = zipfile.ZipFile(io.BytesIO(data))
    said: list[str] = []
    for place in places:
        try:
            _prepare(Path(place))
            root = Path(place, name)
            _fill_once(root, archive, is_whole)
        except OSError as error:
            said.append(f"{place}: {error.strerror or error}")
        else:
            _sweep(Path(place), UNUSED_S)
            return str(root)
    return _private(archive, said)


def _prepare(place: Path) -> None:
    """A folder that nobody else can write, and that libraries can be loaded from."""
    if not place.parent.parent.is_dir():
        raise FileNotFoundError(2, f"there is no {place.parent.parent}")
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = place.stat()
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(1, "others can write it")
    _executable(place)


def _executable(place: Path) -> None:
    if os.statvfs(place).f_flag & NOEXEC:
        raise PermissionError(1, "no program can be loaded from it (noexec)")


def _fill_once(root: Path, archive: zipfile.ZipFile, is_whole: Callable[[str], bool]) -> None:
    lock = _hold(root)
    end = time.monotonic() + WAIT_S
    while not _try_lock(lock, 0) and time.monotonic() < end:
        time.sleep(STEP_S)
    try:
        if not is_whole(str(root)):
            _fill(root, archive)
            _mark(root)
    finally:
        with suppress(OSError):
            os.lseek(lock, 0, os.SEEK_SET)
            os.lockf(lock, os.F_ULOCK, 1)


def _hold(root: Path) -> int:
    """The lock file, open for as long as this process lives, with its own byte held."""
    lock = os.open(f"{root}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    _try_lock(lock, os.getpid())
    return lock


def _try_lock(lock: int, byte: int) -> bool:
    """Where locks do not work, nobody is kept waiting: every file is moved into its place anyway."""
    try:
        os.lseek(lock, byte, os.SEEK_SET)
        os.lockf(lock, os.F_TLOCK, 1)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def _fill(root: Path, archive: zipfile.ZipFile) -> None:
    """Write what is missing or not as it should be."""
    part = Path(f"{root}.part-{os.getpid()}")
    made: set[Path] = set()
    for info in archive.infolist():
        target = root / info.filename
        if target.parent not in made:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            made.add(target.parent)
        if _is_there(target, info):
            continue
        part.write_bytes(archive.read(info))
        part.chmod(0o700 if info.external_attr >> 16 & 0o100 else 0o600)
        part.replace(target)


def _is_there(target: Path, info: zipfile.ZipInfo) -> bool:
    try:
        data = target.read_bytes()
    except OSError:
        return False
    return len(data) == info.file_size and zlib.crc32(data) == info.CRC


def _mark(root: Path) -> None:
    folders = [folder for folder, _, _ in os.walk(root)]
    lines = [f"{os.stat(f).st_mtime_ns} {f[len(str(root)) :]}\n" for f in folders]  # noqa: PTH116
    part = Path(f"{root}.part-{os.getpid()}")
    part.write_text("".join(lines), "utf-8", errors="surrogateescape")
    part.replace(f"{root}.whole")


def _sweep(place: Path, unused_s: float) -> None:
    """Remove what was unpacked for another version, or half, and is not in use any more."""
    for root in place.iterdir():
        with suppress(OSError):
            if root.name.startswith(GONE):
                shutil.rmtree(root)
            elif ".part-" in root.name:
                if time.time() - root.stat().st_mtime > unused_s:
                    root.unlink()
            elif root.is_dir() and _is_unused(root, unused_s):
                gone = root.with_name(f"{GONE}{root.name}-{os.getpid()}")
                Path(f"{root}.whole").unlink(missing_ok=True)
                root.rename(gone)
                shutil.rmtree(gone)
                Path(f"{root}.lock").unlink(missing_ok=True)


def _is_unused(root: Path, unused_s: float) -> bool:
    """Nobody runs from it, and nobody has for some time."""
    marks = [Path(f"{root}.whole"), Path(f"{root}.lock"), root]
    used = max((mark.stat().st_mtime for mark in marks if mark.exists()), default=0.0)
    return time.time() - used > unused_s and not _is_held(Path(f"{root}.lock"))


def _is_held(path: Path) -> bool:
    try:
        lock = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        os.lockf(lock, os.F_TEST, 0)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


def _private(archive: zipfile.ZipFile, said: list[str]) -> str:
    """A folder for this process alone, under a name that nobody can guess; it goes with it."""
    for parent in (tempfile.gettempdir(), "/dev/shm"):  # noqa: S108 - its own folder in it is made safely
        try:
            _executable(Path(parent))
            root = Path(tempfile.mkdtemp(prefix=f"{PRIVATE}{os.geteuid()}-", dir=parent))
        except OSError as error:
            said.append(f"{parent}: {error.strerror or error}")
            continue
        atexit.register(shutil.rmtree, root, ignore_errors=True)
        try:
            _hold(root / "process")
            _sweep_private(Path(parent), root)
            _fill(root, archive)
        except OSError as error:
            shutil.rmtree(root, ignore_errors=True)
            said.append(f"{parent}: {error.strerror or error}")
            continue
        shown = f"unpacked for this process alone, which takes longer: {'; '.join(said)}"
        print(shown, file=sys.stderr, flush=True)  # noqa: T201 - there is no framework yet
        return str(root)
    raise RuntimeError(f"there is no folder to unpack it into: {'; '.join(said)}")


def _sweep_private(parent: Path, own: Path) -> None:
    """Those of processes that were killed."""
    for root in parent.glob(f"{PRIVATE}{os.geteuid()}-*"):
        with suppress(OSError):
            if root != own and root.stat().st_uid == os.geteuid():
                lock = root / "process.lock"
                if lock.exists() and not _is_held(lock):
                    shutil.rmtree(root, ignore_errors=True)
