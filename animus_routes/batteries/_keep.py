"""A program of its own, above one command: it adopts whatever loses its parent below, and ends all of it.

`batteries.keepers` starts it without the packages of the plugin, so it imports the least that it can.
What it is told and what it tells are lines, over one socket. The end of that socket is the end of the
plugin, however that came, so nothing of the command outlives the plugin by more than the patience.
"""

from __future__ import annotations

import os
import select
from time import monotonic

TYPE_CHECKING = False  # of `typing`, which would take longer than all of the rest
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Collection, Iterator, Mapping

    from animus_routes.batteries._processes import Tree
else:
    import _signal as signal  # the other one makes enums, which takes longer than all of this

END_PATIENCE_S = 0.3  # between SIGTERM and SIGKILL once the plugin has gone
KILLED_S = 2.0  # until what was sent SIGKILL is gone
LOOK_S = 0.02
SPIN_S = 0.001
DEATH_SIGNAL, SUBREAPER = 1, 36  # PR_SET_PDEATHSIG and PR_SET_CHILD_SUBREAPER of <linux/prctl.h>
BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)  # ignored by Python, but not by commands
BY_US = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def listed(known: Collection[int] = ()) -> Iterator[tuple[int, int, int]]:
    """Each process but these: its number, its parent and its group."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - asked again and again
        if not name.isdecimal() or int(name) in known:
            continue
        try:
            file = os.open(f"/proc/{name}/stat", os.O_RDONLY)
        except OSError:  # it has gone
            continue
        try:
            words = os.read(file, 1024).rpartition(b")")[2].split()
        except OSError:  # the same
            continue
        finally:
            os.close(file)
        yield int(name), int(words[1]), int(words[2])


def send(number: int, pid: int) -> None:
    """A signal to a process, or to a group as a negative number."""
    try:  # noqa: SIM105 - contextlib is not there
        os.kill(pid, number)
    except OSError:  # it has gone, or runs as another user
        pass


def woken_up(_number: int, _frame: object) -> None:
    """The wake-up descriptor has it."""


class Adopted:
    """All that is below this process, on Linux: whatever loses its parent becomes its child."""

    leader = 0

    def __init__(self) -> None:
        import ctypes

        self._prctl = ctypes.CDLL(None).prctl
        self._prctl(SUBREAPER, 1, 0, 0, 0)

    def mark(self) -> None:
        """Have the calling process killed with its parent: only the command itself, alas."""
        self._prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)

    def look(self) -> dict[int, int]:
        """The group of each, parents first."""
        table = {pid: (parent, group) for pid, parent, group in listed()}
        parents, inside = {os.getpid()}, dict[int, int]()
        while parents:
            found = {pid for pid in table.keys() - inside if table[pid][0] in parents}
            inside |= {pid: table[pid][1] for pid in found}
            parents = found
        return inside

    def kill(self, until: float) -> None:
        """Freeze, then kill.

        What forks before it is stopped leaves a child, which the next look finds, and what is stopped
        forks no more. Looks must be faster than forks for that: they read nothing of a process twice.
        """
        ours, others, more = {os.getpid()}, set[int](), True
        while more and monotonic() < until:
            before = len(ours)
            for pid, parent, _ in listed(ours | others):
                if parent in ours:
                    send(signal.SIGSTOP, pid)
                (ours if parent in ours else others).add(pid)
            more = len(ours) > before
        for pid in ours - {os.getpid()}:
            send(signal.SIGKILL, pid)


class Traced:
    """Elsewhere nobody adopts: what runs below a command is known by having been looked at in time."""

    leader = 0
    _tree: Tree | None = None

    def mark(self) -> None:
        """There is no such thing."""

    def look(self) -> dict[int, int]:
        if self._tree is None:
            from animus_routes.batteries._processes import Tree

            self._tree = Tree(self.leader)
        return {pid: seen.group for pid, seen in self._tree.look().items()}

    def kill(self, _until: float) -> None:
        for pid in self.look():
            send(signal.SIGKILL, pid)


def launch(
    command: list[str], cwd: str | None, env: Mapping[str, str], mark: Callable[[], None]
) -> int | str:
    """The command's process, or why there is none."""
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        where = f": {cwd}"
        try:
            os.setsid()
            mark()
            if cwd is not None:
                os.chdir(cwd)
            where = ""
            for number in BY_PYTHON:
                signal.signal(number, signal.SIG_DFL)
            os.execvpe(command[0], command, env)  # noqa: S606 - what was asked for
        except OSError as error:
            os.write(tell, f"{error.strerror}{where}".encode("utf-8", "replace")[:4096])
        except ValueError as error:  # a null byte
            os.write(tell, f"{error}{where}".encode())
        finally:
            os._exit(127)
    os.close(tell)
    problem = os.read(told, 4096)
    os.close(told)
    return problem.decode("utf-8", "replace").replace("\n", " ") or pid


class Keep:
    """One command.

    Args:
        control: The socket.
        below: The command, and what runs below it.
        over_at: When its time is over.
        patience_s: Between SIGTERM and SIGKILL then.
    """

    def __init__(
        self, control: int, below: Adopted | Traced, over_at: float, patience_s: float
    ) -> None:
        self.control = control
        self.leader = below.leader
        self.below = below
        self.over_at = over_at
        self.patience_s = patience_s
        self.kill_at = self.group_at = float("inf")
        self.has_ended = self.is_released = self.is_ending = False
        self.held = b""

    def serve(self, woken: int) -> None:
        """Until nothing is left, or nothing can be done."""
        watched = [self.control, woken]
        while self.is_left() and not self.is_released and monotonic() < self.kill_at + KILLED_S:
            ready = select.select(watched, [], [], self.pause_s())[0]
            if woken in ready:
                os.read(woken, 4096)
            if self.control in ready and not self.hear():
                watched.remove(self.control)
            self.act(monotonic())

    def is_left(self) -> bool:
        """Reap what has ended. Is there anything below?"""
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self.leader:
                    self.has_ended, self.over_at = True, float("inf")
                    self.tell(f"ended {os.waitstatus_to_exitcode(ended[1])}")
        except ChildProcessError:
            return isinstance(self.below, Traced) and bool(self.below.look())
        return True

    def pause_s(self) -> float | None:
        moment = monotonic()
        if moment >= self.kill_at:
            return SPIN_S
        if isinstance(self.below, Traced) or self.group_at < float("inf"):
            return LOOK_S
        until = min(self.over_at, self.kill_at)
        return max(until - moment, 0.0) if until < float("inf") else None

    def hear(self) -> bool:
        """What the plugin says; False once it has gone."""
        try:
            heard = os.read(self.control, 4096)
        except OSError:
            heard = b""
        if not heard:
            self.end(END_PATIENCE_S)
            return False
        *lines, self.held = (self.held + heard).split(b"\n")
        for line in lines:
            word, _, patience_s = line.partition(b" ")
            if word == b"release":
                self.is_released = True
            elif word == b"end":
                self.end(float(patience_s))
            elif word == b"group":
                self.end_group(float(patience_s))
        return True

    def tell(self, line: str) -> None:
        try:
            os.write(self.control, line.encode() + b"\n")
        except OSError:  # nobody listens any more, and everything is about to be ended
            self.end(END_PATIENCE_S)

    def end(self, patience_s: float) -> None:
        """End everything: at once, or SIGTERM and some patience first."""
        if not self.is_ending and patience_s:
            # A parent first: a shell whose command ends before it was told goes on to the next one.
            for pid in self.below.look():
                send(signal.SIGTERM, pid)
        self.is_ending = True
        self.kill_at = min(self.kill_at, monotonic() + patience_s)

    def end_group(self, patience_s: float) -> None:
        """End what has not left the command's group."""
        if patience_s and self.has_group():
            send(signal.SIGTERM, -self.leader)
        self.group_at = monotonic() + patience_s

    def has_group(self) -> bool:
        # Its number may be somebody else's once nothing below has it.
        return self.leader in self.below.look().values()

    def act(self, moment: float) -> None:
        """What is due."""
        if moment >= self.over_at:
            self.over_at = float("inf")
            self.tell("late")
            self.end(self.patience_s)
        if self.group_at < float("inf"):
            if not self.has_group():
                self.group_at = float("inf")
                self.tell("alone")
            elif moment >= self.group_at:
                send(signal.SIGKILL, -self.leader)
        if moment >= self.kill_at:
            self.below.kill(self.kill_at + KILLED_S)


def keep(
    control: int,
    command: list[str],
    cwd: str | None,
    env: Mapping[str, str],
    timeout_s: float,
    patience_s: float,
    adopts: bool,  # noqa: FBT001
) -> None:
    """Run a command, until nothing of it is left or the plugin lets go of the rest."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, woken_up)
    below = Adopted() if adopts else Traced()
    leader = launch(command, cwd, env, below.mark)
    for ours in BY_US:
        signal.signal(ours, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for file in range(3):  # those are the command's, and their end is waited for
        os.dup2(null, file)
    if isinstance(leader, str):
        os.write(control, f"failed {leader}\n".encode())
        return
    os.write(control, f"started {leader}\n".encode())
    over_at = monotonic() + timeout_s
    below.leader = leader
    Keep(control, below, over_at, patience_s).serve(woken)
