"""What runs below a process: by parentage, and by the groups and sessions that began there."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class Seen(NamedTuple):
    """A process as the system lists it.

    Attributes:
        parent: The process that has to wait for it; 1 or a reaper's once its own is gone.
        group: Of processes, by its leader.
        session: Of groups, by its leader.
        started: Tells it from an earlier process with the same number.
        ended: It only waits to be waited for.
    """

    parent: int
    group: int
    session: int
    started: str
    ended: bool


def processes() -> dict[int, Seen]:
    """All processes, by number."""
    if not os.path.exists("/proc/self/stat"):  # noqa: PTH110 - asked again and again
        return _listed_by_ps()
    found: dict[int, Seen] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 - as above
        if not name.isdecimal():
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123 - for each process there is
                words = stat.read().rpartition(b") ")[2].split()
        except OSError:
            continue  # it has ended
        state, parent, group, session = words[0], *map(int, words[1:4])
        found[int(name)] = Seen(parent, group, session, words[19].decode(), state in b"ZX")
    return found


def _listed_by_ps() -> dict[int, Seen]:
    """Where there is no /proc; the start of a process has whole seconds there."""
    columns = "pid=,ppid=,pgid=,state=,lstart="
    done = subprocess.run(
        ["/bin/ps", "-A", "-o", columns], capture_output=True, text=True, check=False, timeout=5
    )
    found: dict[int, Seen] = {}
    for line in done.stdout.splitlines():
        pid, parent, group, state, started = line.split(None, 4)
        found[int(pid)] = Seen(int(parent), int(group), int(group), started, state[0] == "Z")
    return found


class Tree:
    """A process and all that is below it.

    What has lost its parent is no longer seen to be below: so look early, and from time to time.

    Args:
        root: The process; it leads a session of its own.
    """

    def __init__(self, root: int) -> None:
        self.root = root
        self._known: dict[int, str] = {}

    def look(self) -> dict[int, Seen]:
        """Those that run now, parents first; they stay known, whatever becomes of their parents."""
        table = processes()
        known = self._known
        if self.root in table:
            known.setdefault(self.root, table[self.root].started)
        # Of a number that is in use again, nothing is ours.
        again = {p for p, started in known.items() if p in table and table[p].started != started}
        inside = known.keys() - again | {self.root} - again
        more = True
        while more:
            found = {
                pid
                for pid, seen in table.items()
                if pid not in inside
                and pid not in again
                and not inside.isdisjoint((seen.parent, seen.group, seen.session))
            }
            inside |= found
            more = bool(found)
        inside &= table.keys()
        inside.discard(os.getpid())
        known.update((pid, table[pid].started) for pid in inside)
        # A number is kept while a group or session has it; what is alone and gone may be forgotten.
        used = {number for seen in table.values() for number in (seen.group, seen.session)}
        for pid in known.keys() - inside - used:
            del known[pid]
        run = {pid: table[pid] for pid in inside if not table[pid].ended}
        return {pid: run[pid] for pid in sorted(run, key=lambda pid: _depth(pid, run))}


def _depth(pid: int, table: dict[int, Seen]) -> int:
    """How many of these are above a process."""
    above: set[int] = set()
    while (seen := table.get(pid)) and seen.parent not in above:
        above.add(pid := seen.parent)
    return len(above)


def send(number: int, pids: Iterable[int]) -> None:
    """A signal to each of them that is still there."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)
