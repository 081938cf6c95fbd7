"""A client that is never the bottleneck: bytes made beforehand, answers counted and not parsed."""

import json
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

PLUGINS: Final = Path(__file__).with_name("bench_plugins")
KEPT_VARIABLES: Final = ("PATH", "HOME", "USER", "SHELL", "TERM", "TMPDIR", "LANG", "LC_ALL", "TZ")
READ_BYTES: Final = 1 << 16
BOUND_S: Final = 60.0
MEBIBYTE: Final = 1 << 20

HANDSHAKE: Final = {
    "protocol_version": "1.1.0",
    "host_info": {"name": "animus", "version": "0.7.0"},
    "capabilities": {"streaming": True, "progress": True, "cancellation": True},
}


class BenchError(Exception):
    """A contender did not do what is measured."""


def request(request_id: int, method: str, params: Any = None) -> bytes:
    """One request frame with its newline."""
    frame = {"jsonrpc": "2.0", "id": request_id, "method": method}
    if params is not None:
        frame["params"] = params
    return json.dumps(frame, separators=(",", ":")).encode() + b"\n"


INITIALIZE: Final = request(1, "initialize", HANDSHAKE)
INITIALIZED: Final = b'{"jsonrpc":"2.0","method":"initialized"}\n'


def environment() -> dict[str, str]:
    """What the host leaves of an environment; nothing of Python's own is in it."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {**kept, "TOKIO_WORKER_THREADS": "2"}


class Wire:
    """A contender's process with its pipes; any read fails once the process is gone."""

    def __init__(self, command: Sequence[str]) -> None:
        self.stderr = tempfile.TemporaryFile()  # noqa: SIM115  # closed by close()
        self.started_at = time.perf_counter()
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.stderr,
            env=environment(),
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self._write_fd, self._read_fd = self._in.fileno(), self._out.fileno()
        self._buffer = bytearray(READ_BYTES)
        self._rest = b""
        self._poller = select.poll()
        self._poller.register(self._read_fd, select.POLLIN)

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._write_fd, rest) :]
        except BrokenPipeError:
            raise self.failure("the process no longer reads") from None

    def line(self) -> bytes:
        """The next line, whole."""
        while b"\n" not in self._rest:
            self._rest += self._read()
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def ask(self, frame: bytes) -> bytes:
        """The one line that comes back for one frame."""
        self.write(frame)
        answer = self._read()
        while not answer.endswith(b"\n"):
            answer += self._read()
        return answer

    def call(self, method: str, params: Any = None) -> Any:
        """The result of a request, parsed."""
        answer = json.loads(self.ask(request(2, method, params)))
        if "result" not in answer:
            raise self.failure(f"{method}: {answer}")
        return answer["result"]

    def handshake(self) -> None:
        """`initialize` and `initialized`."""
        if b'"result"' not in self.ask(INITIALIZE):
            raise self.failure("initialize was refused")
        self.write(INITIALIZED)

    def ready(self, timeout_s: float) -> bool:
        """Whether `line` would find something within the time."""
        return b"\n" in self._rest or bool(self._poller.poll(max(timeout_s, 0.0) * 1e3))

    def find(self, texts: Sequence[bytes], lines: int) -> float:
        """Read so many lines; return when the one with any of these texts had come."""
        seen, found_at, rest = 0, 0.0, b""
        while seen < lines:
            chunk = rest + self._read()
            if not found_at and any(text in chunk for text in texts):
                found_at = time.perf_counter()
            seen += chunk.count(b"\n")
            rest = chunk[chunk.rfind(b"\n") + 1 :]
        return found_at

    def drain(self, lines: int, mark: int) -> tuple[float, int]:
        """Read so many lines; return when line number `mark` had come, and how many bytes came."""
        size = seen = 0
        marked_at = 0.0
        buffer, views = self._buffer, [self._buffer]
        while seen < lines:
            length = os.readv(self._read_fd, views)
            if not length:
                raise self.failure("the process ended")
            size += length
            seen += buffer.count(b"\n", 0, length)
            if not marked_at and seen >= mark:
                marked_at = time.perf_counter()
        return marked_at, size

    def pipeline(self, blocks: Sequence[bytes], per_block: int, rounds: int) -> int:
        """Keep two blocks of requests outstanding and return the number of answered bytes."""
        sent = answered = size = 0
        total = per_block * rounds
        buffer, views = self._buffer, [self._buffer]
        while answered < total:
            while sent < rounds and sent * per_block - answered <= per_block:
                os.write(self._write_fd, blocks[sent % len(blocks)])
                sent += 1
            length = os.readv(self._read_fd, views)
            if not length:
                raise self.failure("the process ended")
            size += length
            answered += buffer.count(b"\n", 0, length)
        return size

    def kill(self) -> None:
        self._process.kill()

    def cpu_s(self) -> float | None:
        """The processor time of all its threads so far; None where no /proc tells it."""
        tasks = Path(f"/proc/{self._process.pid}/task")
        if not (tasks / str(self._process.pid) / "schedstat").exists():
            return None
        spent = [(task / "schedstat").read_text().split()[0] for task in tasks.iterdir()]
        return sum(map(int, spent)) / 1e9

    def resident_mib(self) -> float:
        """The resident memory now."""
        pid = str(self._process.pid)
        try:
            pages = int(Path("/proc", pid, "statm").read_text().split()[1])
        except FileNotFoundError:
            shown = subprocess.run(["ps", "-o", "rss=", "-p", pid], capture_output=True, check=True)
            return int(shown.stdout) / 1024
        return pages * os.sysconf("SC_PAGE_SIZE") / MEBIBYTE

    def failure(self, what: str) -> BenchError:
        """A BenchError that ends with what the process wrote to stderr."""
        self.stderr.seek(0)
        tail = self.stderr.read()[-2000:].decode("utf-8", "replace").strip()
        return BenchError(f"{what}\n{tail}" if tail else what)

    def close(self) -> None:
        """Kill the process and release what belongs to it."""
        self._process.kill()
        self._process.wait()
        for stream in (self._in, self._out, self.stderr):
            stream.close()

    def _read(self) -> bytes:
        if chunk := os.read(self._read_fd, READ_BYTES):
            return chunk
        raise self.failure("the process ended")


@dataclass
class Contender:
    """A plugin under measurement; `name` is its module in `tools/bench_plugins`.

    Attributes:
        answer_bytes: How long its answers are, per method, as seen when it was verified.
        scale: The share of the full number of requests to send.
    """

    name: str
    scale: float = 1.0
    answer_bytes: dict[str, int] = field(default_factory=dict)
    _wire: Wire | None = None
    _spawned: list[Wire] = field(default_factory=list)

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(PLUGINS / "start.py"), self.name]

    def spawn(self) -> Wire:
        """A new process; `bounded` kills it, too."""
        wire = Wire(self.command)
        self._spawned.append(wire)
        return wire

    @property
    def wire(self) -> Wire:
        """A warm process after its handshake, the same for all measures of one round."""
        if self._wire is None:
            self._wire = self.spawn()
            self._wire.handshake()
            self._wire.call("task/get", {"id": "task:0"})
        return self._wire

    def times(self, full: int) -> int:
        """How many of `full` repetitions this run makes."""
        return max(1, round(full * self.scale))

    @contextmanager
    def bounded(self, bound_s: float = BOUND_S) -> Iterator[None]:
        """Kill its processes, which ends every read from them, if the block takes longer."""
        watchdog = threading.Timer(bound_s, self._kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def close(self) -> None:
        """End all its processes."""
        for wire in self._spawned:
            wire.close()
        self._spawned.clear()
        self._wire = None

    def _kill(self) -> None:
        for wire in self._spawned:
            wire.kill()
