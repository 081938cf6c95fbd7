"""Hosts that stop reading, read a byte at a time, hang up or die; and signals at any moment."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from typing import IO, Any, Final
from uuid import uuid4

import msgspec
from faulty_hosts import INSTALLED, PLUGINS, WAIT_S, Figures, Scenario
from wire_model import CANCELLED, Frame, expected, key_of, read

from animus_routes.host import host_environment

MARK: Final = "ANIMUS_FAULTS_MARK"
START_S: Final = 0.3  # more than a start takes on a quiet machine
LONGEST_WAIT_S: Final = 0.03  # until something goes wrong
GREETING: Final = {"protocol_version": "1.1.0", "host_info": {"name": "t", "version": "0"}}
HANDSHAKE: Final = (
    msgspec.json.encode({"id": "hello", "method": "initialize", "params": GREETING})
    + b'\n{"method":"initialized"}\n'
)
ROW: Final = b'"method":"x/row"'
SHORT: Final = (
    lambda chance: ("x/add", {"a": chance.randrange(1000), "b": 1}),
    lambda chance: ("x/join", {"words": ["word"] * chance.randrange(4000)}),
    lambda chance: ("x/slow", {"ms": chance.randrange(8)}),
    lambda chance: ("x/rows", {"n": chance.randrange(40)}),
    lambda _: ("x/refuse", {"id": "a"}),
    lambda _: ("x/none", None),
)
LONG: Final = (lambda _: ("x/hang", None), lambda _: ("x/endless", None))


def work(chance: Random, *, long: bool) -> list[bytes]:
    """Requests, each as a line."""
    kinds = SHORT * 3 + LONG if long else SHORT
    made = [chance.choice(kinds)(chance) for _ in range(chance.randrange(3, 40))]
    return [
        msgspec.json.encode({"id": number, "method": method, "params": params}) + b"\n"
        for number, (method, params) in enumerate(made, 1)
    ]


def held(sent: list[bytes], written: bytes, *, whole: bool = True, all_of_it: bool = False) -> int:
    """How many requests were answered: each at most once, and rightly.

    Args:
        sent: The requests.
        written: What came.
        whole: The last line has to be a whole one.
        all_of_it: Each request has to have its answer.
    """
    *lines, rest = written.split(b"\n")
    assert not (whole and rest), f"torn: {rest[-200:]!r}"
    frames: list[Frame] = [read(line.decode()) for line in lines if ROW not in line]
    assert all(msgspec.json.decode(line) for line in lines), "not JSON"
    answers = [frame for frame in frames if frame["id"] != "hello"]
    wanted = {str(number): expected(line) for number, line in enumerate(sent, 1)}
    seen = [key_of(frame["id"]) for frame in answers]
    assert len(set(seen)) == len(seen), f"answered twice: {seen}"
    for key, frame in zip(seen, answers, strict=True):
        one = wanted[key]
        assert one is not None
        is_stopped = "error" in frame and int(frame["error"]["code"]) == CANCELLED
        assert is_stopped or one.accepts(frame), f"{frame} answers {sent[int(key) - 1]!r}"
    missing = set(wanted) - set(seen)
    assert not (all_of_it and missing), f"not answered: {[sent[int(n) - 1] for n in missing]}"
    return len(seen)


class Piped:
    """A plugin whose host decides when its pipes are read and closed."""

    def __init__(self, chance: Random) -> None:
        self.mark = uuid4().hex
        way, family = chance.choice(("plain", "pool", "async")), chance.choice(("structs", "types"))
        self.process = subprocess.Popen(
            [sys.executable, str(PLUGINS / f"answering_{family}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.environment(way),
            bufsize=0,
        )
        self.stdin, self.stdout, self.stderr = map(there, self.streams)

    def environment(self, way: str) -> dict[str, str]:
        return host_environment((), {**INSTALLED, "WAY": way, MARK: self.mark})

    @property
    def streams(self) -> tuple[IO[bytes] | None, ...]:
        return self.process.stdin, self.process.stdout, self.process.stderr

    def greet(self) -> None:
        self.stdin.write(HANDSHAKE)
        assert b'"hello"' in self.line(), self.process.poll()

    def line(self) -> bytes:
        found = b""
        while not found.endswith(b"\n"):
            found += self.some(1)
        return found

    def some(self, size: int = 65_536) -> bytes:
        """What comes next; nothing at the end of the stream."""
        readable, _, _ = select.select([self.stdout], [], [], WAIT_S)
        assert readable, "nothing comes"
        return os.read(self.stdout.fileno(), size)

    def rest(self, size: int = 65_536) -> bytes:
        """All that comes until the end of the stream."""
        return b"".join(iter(lambda: self.some(size), b""))

    def send(self, data: bytes) -> None:
        """As much as the plugin reads in time: it may be gone."""
        os.set_blocking(self.stdin.fileno(), False)
        left = memoryview(data)
        with suppress(BrokenPipeError):
            while left:
                _, writable, _ = select.select([], [self.stdin], [], 0.2)
                if not writable:
                    return
                left = left[os.write(self.stdin.fileno(), left) :]

    def ended(self, figures: Figures, how: str = "", since: float | None = None) -> None:
        """Wait for the end; on a busy machine the last step may be one too many, and force ends it.

        Args:
            figures: Where it is noted.
            how: What ended it, if that is to be timed.
            since: When that was; now if left out.
        """
        start = time.monotonic() if since is None else since
        code = self.process.wait(WAIT_S)
        if how:
            figures.times_s.setdefault(how, []).append(time.monotonic() - start)
        assert code in {0, 1}, code
        figures.counts["ended by force"] += code

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            stream.close()


def there(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None
    return stream


def left_behind(mark: str) -> list[str]:
    """The processes that were started with this mark, and below them."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            with suppress(OSError):
                if mark.encode() in (place / "environ").read_bytes():
                    found.append((place / "cmdline").read_text("utf-8", "replace"))
    return found


@contextmanager
def piped(chance: Random) -> Iterator[Piped]:
    """A plugin after its handshake, of which nothing is left at the end."""
    plugin = Piped(chance)
    try:
        plugin.greet()
        yield plugin
        said = plugin.stderr.read()
        assert b"Traceback" not in said, said.decode()
        assert not left_behind(plugin.mark)
    finally:
        plugin.close()


def pause(chance: Random) -> None:
    """Until some moment soon."""
    until = time.monotonic() + chance.random() * LONGEST_WAIT_S
    while time.monotonic() < until:
        os.sched_yield()


# Hosts ----------------------------------------------------------------------------------------------


def stops_reading(chance: Random, figures: Figures) -> None:
    """Asks for more than the pipe holds, reads nothing, and goes away."""
    with piped(chance) as plugin:
        flood = msgspec.json.encode({"id": 1, "method": "x/endless"}) + b"\n"
        plugin.send(flood + b"".join(work(chance, long=True)))
        pause(chance)
        chance.choice((plugin.stdin.close, plugin.process.terminate))()
        plugin.ended(figures, "host stopped reading")


def reads_a_byte_at_a_time(chance: Random, figures: Figures) -> None:
    sent = work(chance, long=False)
    with piped(chance) as plugin:
        plugin.send(b"".join(sent))
        plugin.stdin.close()
        figures.counts["answers"] += held(sent, plugin.rest(1), all_of_it=True)
        plugin.ended(figures)


def closes_its_end(chance: Random, figures: Figures) -> None:
    """Anywhere in the stream of requests, and goes on to read."""
    sent = work(chance, long=False)
    with piped(chance) as plugin:
        cut = chance.randrange(len(sent) + 1)
        half = sent[cut][: chance.randrange(1, len(sent[cut]) - 1)] if cut < len(sent) else b""
        plugin.send(b"".join(sent[:cut]) + half)
        plugin.stdin.close()
        written = plugin.rest()
        plugin.ended(figures)
        garbled = [line for line in written.splitlines(keepends=True) if b'"id":null' in line]
        assert len(garbled) == bool(half), garbled  # half a frame is one that cannot be read
        answers = b"".join(set_without(written, garbled))
        figures.counts["answers"] += held(sent[:cut], answers, all_of_it=True)


def set_without(written: bytes, lines: list[bytes]) -> list[bytes]:
    return [line for line in written.splitlines(keepends=True) if line not in lines]


def closes_while_handlers_hang(chance: Random, figures: Figures) -> None:
    sent = work(chance, long=True)
    with piped(chance) as plugin:
        plugin.send(b"".join(sent))
        pause(chance)
        plugin.stdin.close()
        start = time.monotonic()
        written = plugin.rest()
        plugin.ended(figures, "end of input", start)
        figures.counts["answers"] += held(sent, written)


def closes_what_it_reads(chance: Random, figures: Figures) -> None:
    with piped(chance) as plugin:
        plugin.send(b"".join(work(chance, long=True)))
        pause(chance)
        plugin.stdout.close()
        plugin.send(b'{"id":"last","method":"$/ping"}\n' * 3)
        plugin.ended(figures, "stdout closed")


def hangs_up(chance: Random, figures: Figures) -> None:
    """Both ends, and stderr."""
    plugin = Piped(chance)
    try:
        plugin.greet()
        plugin.send(b"".join(work(chance, long=True)))
        pause(chance)
        streams = [plugin.stdin, plugin.stdout, plugin.stderr]
        chance.shuffle(streams)
        for stream in streams:
            stream.close()
        plugin.ended(figures, "host hung up")
        assert not left_behind(plugin.mark)
    finally:
        plugin.close()


HOST: Final = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdin.write(sys.stdin.buffer.read())
child.stdin.flush()
print(child.pid, child.stdout.readline() and "", flush=True)
child.wait()
"""


def dies(chance: Random, figures: Figures) -> None:
    """SIGKILL of the host's process: nobody tells the plugin anything."""
    mark, way = uuid4().hex, chance.choice(("plain", "pool", "async"))
    command = [sys.executable, str(PLUGINS / "answering_structs.py")]
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=host_environment((), {**INSTALLED, "WAY": way, MARK: mark}),
    )
    try:
        there(host.stdin).write(HANDSHAKE + b"".join(work(chance, long=True)))
        there(host.stdin).close()
        plugin = os.pidfd_open(int(there(host.stdout).readline()))
        pause(chance)
        host.kill()
        start = time.monotonic()
        poller = select.poll()
        poller.register(plugin, select.POLLIN)
        assert poller.poll(WAIT_S * 1000), "the plugin outlives its host"
        figures.times_s.setdefault("host died", []).append(time.monotonic() - start)
        os.close(plugin)
        host.wait()
        assert not left_behind(mark)
    finally:
        host.kill()
        host.wait()
        there(host.stdout).close()
        there(host.stderr).close()


# Signals --------------------------------------------------------------------------------------------


def is_signalled(number: signal.Signals) -> Callable[[Random, Figures], None]:
    def signalled(chance: Random, figures: Figures) -> None:
        """In the middle of work; what is written is whole, and nothing is left."""
        sent = work(chance, long=True)
        with piped(chance) as plugin:
            plugin.send(b"".join(sent))
            pause(chance)
            plugin.process.send_signal(number)
            start = time.monotonic()
            written = plugin.rest()
            if number == signal.SIGKILL:
                assert plugin.process.wait(WAIT_S) == -number
            else:
                plugin.ended(figures, number.name, start)
            whole = number != signal.SIGKILL
            figures.counts["answers"] += held(sent, written, whole=whole)

    return signalled


def stands_still(chance: Random, figures: Figures) -> None:
    """SIGSTOP and SIGCONT, several times: everything is answered."""
    sent = work(chance, long=False)
    with piped(chance) as plugin:
        for line in sent:
            plugin.send(line)
            if chance.random() < 0.3:
                plugin.process.send_signal(signal.SIGSTOP)
                pause(chance)
                plugin.process.send_signal(signal.SIGCONT)
        plugin.stdin.close()
        figures.counts["answers"] += held(sent, plugin.rest(), all_of_it=True)
        plugin.ended(figures)


def ends_while_it_starts(chance: Random, figures: Figures) -> None:
    """A signal before the handshake, at any moment of the interpreter's start."""
    number = chance.choice((signal.SIGTERM, signal.SIGINT, signal.SIGKILL))
    plugin = Piped(chance)
    try:
        plugin.send(HANDSHAKE)
        until = time.monotonic() + chance.random() * START_S
        while time.monotonic() < until:
            os.sched_yield()
        plugin.process.send_signal(number)
        start = time.monotonic()
        assert plugin.process.wait(WAIT_S) in {0, 1, -number}
        figures.times_s.setdefault("signal while it starts", []).append(time.monotonic() - start)
        held([], plugin.rest(), whole=number != signal.SIGKILL)
        assert not left_behind(plugin.mark)
    finally:
        plugin.close()


Fault = Callable[[Random, Figures], Any]
HOSTS: Final[dict[str, Fault]] = {
    "stops reading": stops_reading,
    "reads a byte at a time": reads_a_byte_at_a_time,
    "closes stdin": closes_its_end,
    "closes stdin while handlers hang": closes_while_handlers_hang,
    "closes stdout": closes_what_it_reads,
    "hangs up": hangs_up,
    "dies": dies,
}
ENDS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)
SIGNALS: Final[dict[str, Fault]] = {
    **{number.name: is_signalled(number) for number in ENDS},
    "SIGSTOP and SIGCONT": stands_still,
    "while it starts": ends_while_it_starts,
}


def repeated(fault: Fault, rounds: int) -> Scenario:
    def scenario(chance: Random, _folder: Path) -> Figures:
        figures = Figures()
        for _ in range(rounds):
            fault(chance, figures)
            figures.counts["processes"] += 1
        return figures

    return scenario
