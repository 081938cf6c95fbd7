"""The items of a stream go out whole and in order, whoever emits them and whoever flushes."""

import json
import math
import os
import threading
from types import SimpleNamespace
from typing import Any

import pytest

import animus_routes.engine.emitter as emitter_module
from animus_routes.engine.emitter import FLUSH_BYTES, Emitter
from animus_routes.engine.frames import MAX_OUTBOUND_BYTES, TooLargeError
from animus_routes.engine.wire import Wire

WAIT_S = 30.0
HEAD, TAIL = b'{"item":', b"}\n"


def encode(item: Any) -> bytes:
    if isinstance(item, Exception):
        raise item
    return json.dumps(item).encode()


class Ready(str):
    """An item that is written without another look at it, if it can be."""

    __slots__ = ()


def write(item: Ready) -> bytes:
    if "bad" in item:
        raise ValueError("cannot write that")
    return json.dumps(f"written {item}").encode()


class Stream:
    """An emitter over a real pipe, with everything that arrives at the other end."""

    def __init__(self) -> None:
        fd_in, self._null = os.pipe()
        self._read_fd, fd_out = os.pipe()
        self.fds = [fd_in, self._null, self._read_fd]
        self._fd_out = fd_out
        self.expected: list[Emitter] = []
        self.scope: Any = SimpleNamespace(cancelled=False)
        run: Any = SimpleNamespace(encode=encode, write=write, ready=Ready, around=(HEAD, TAIL))
        self.emitter = Emitter(Wire(fd_in, fd_out), self.scope, run, self.expected.append)
        self._came: list[bytes] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        while chunk := os.read(self._read_fd, 65_536):
            self._came.append(chunk)

    def close(self) -> list[Any]:
        """Close the pipe; the items that came through it."""
        os.close(self._fd_out)
        self._reader.join(WAIT_S)
        for fd in self.fds:
            os.close(fd)
        return [json.loads(line)["item"] for line in b"".join(self._came).splitlines()]


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, no item comes late."""
    monkeypatch.setattr(emitter_module, "TOGETHER_S", math.inf)


def test_nothing_is_lost_doubled_or_reordered_when_threads_emit_and_another_flushes() -> None:
    stream, count, names = Stream(), 5_000, "abc"
    over = threading.Event()

    def emit(name: str) -> None:
        for number in range(count):
            stream.emitter.emit([name, number])

    def flush() -> None:
        while not over.is_set():
            stream.emitter.flush()

    emitting = [threading.Thread(target=emit, args=(name,)) for name in names]
    flushing = threading.Thread(target=flush)
    for thread in (*emitting, flushing):
        thread.start()
    for thread in emitting:
        thread.join(WAIT_S)
    over.set()
    flushing.join(WAIT_S)
    stream.emitter.flush()
    came = stream.close()
    assert len(came) == count * len(names)
    for name in names:
        assert [number for by, number in came if by == name] == list(range(count))


def test_an_item_that_comes_late_leaves_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emitter_module, "TOGETHER_S", 0.0)
    stream = Stream()
    for item in range(3):
        stream.emitter.emit(item)
    assert stream.expected == []
    assert stream.close() == [0, 1, 2]


@pytest.mark.usefixtures("fast")
def test_what_waits_is_announced_once_and_again_after_it_was_fetched() -> None:
    stream = Stream()
    for item in range(3):
        stream.emitter.emit(item)
    assert stream.expected == [stream.emitter]
    stream.emitter.flush()
    stream.emitter.emit(3)
    assert stream.expected == [stream.emitter] * 2
    stream.emitter.flush()
    assert stream.close() == [0, 1, 2, 3]


@pytest.mark.usefixtures("fast")
def test_what_waits_leaves_when_it_is_large() -> None:
    stream = Stream()
    for item in ("first", "x" * FLUSH_BYTES):
        stream.emitter.emit(item)
    assert stream.close() == ["first", "x" * FLUSH_BYTES]


@pytest.mark.parametrize("bad", [ValueError("no JSON"), "x" * MAX_OUTBOUND_BYTES])
def test_an_item_that_cannot_go_out_leaves_the_others_alone(bad: object) -> None:
    stream = Stream()
    stream.emitter.emit("before")
    with pytest.raises((ValueError, TooLargeError)):
        stream.emitter.emit(bad)
    stream.emitter.emit("after")
    stream.emitter.flush()
    assert stream.close() == ["before", "after"]


@pytest.mark.parametrize("bad", [ValueError("no JSON"), "x" * MAX_OUTBOUND_BYTES])
def test_a_drained_item_that_cannot_go_out_ends_the_stream(bad: object) -> None:
    stream = Stream()
    with pytest.raises((ValueError, TooLargeError)):
        stream.emitter.drain(iter(["first", "before", bad, "after"]), list)
    stream.emitter.flush()
    assert stream.close() == ["first", "before"]


def test_drained_items_are_written_as_they_are_and_mended_where_that_fails() -> None:
    stream = Stream()
    items = [Ready("first"), Ready("next"), "other", Ready("bad"), Ready("last")]
    assert stream.emitter.drain(iter(items), list) is None
    stream.emitter.flush()
    assert stream.close() == ["first", "written next", "other", "bad", "written last"]


@pytest.mark.usefixtures("fast")
def test_nothing_leaves_once_the_stream_is_cancelled() -> None:
    stream = Stream()
    stream.emitter.emit("before")
    stream.emitter.flush()
    stream.emitter.emit("waits")
    stream.scope.cancelled = True
    stream.emitter.flush()
    assert stream.close() == ["before"]
