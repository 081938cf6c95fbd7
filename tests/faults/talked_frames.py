"""Conversations with one process for each way to serve, each held against the model of the wire."""

import fcntl
import os
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Condition
from typing import Any, Final

from faulty_hosts import INSTALLED, PLUGINS, WAIT_S, Figures, Scenario
from hypothesis import HealthCheck, given, seed, settings
from made_frames import Talk, talks
from wire_model import (
    CANCELLED,
    INVALID,
    NULL,
    Expected,
    Frame,
    cancelled,
    expected,
    key_of,
    plain,
    read,
)

from animus_routes.host import Plugin

WAYS: Final = ("plain", "pool", "async")
FAMILIES: Final = ("structs", "types")
EXAMPLES: Final = 20
SHRINKING_S: Final = 2.0  # once it has failed, the smallest conversation that fails is looked for


class Answering:
    """A process, and everything that it has written since it was last asked."""

    def __init__(self, way: str, family: str) -> None:
        self.lines: list[bytes] = []
        self.changed = Condition()
        command = [sys.executable, str(PLUGINS / f"answering_{family}.py")]
        self.plugin = Plugin.start(command, env={**INSTALLED, "WAY": way}, on_frame=self.heard)
        self.stdin = self.plugin._stdin.fileno()
        self.plugin.initialize()
        self.lines.clear()
        self.asked = 0

    def heard(self, line: bytes) -> None:
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    def send(self, talk: Talk) -> None:
        data = b"".join(talk.lines)
        start = 0
        for cut in [*talk.cuts, len(data)]:
            self.plugin.send_raw(data[start : abs(cut)], timeout_s=WAIT_S)
            start = max(start, abs(cut))
            if cut < 0:
                self.wait_until_read()

    def wait_until_read(self) -> None:
        deadline = time.monotonic() + WAIT_S
        while unread(self.stdin):
            assert time.monotonic() < deadline, "the plugin has stopped reading"
            os.sched_yield()

    def answers(self, wanted: list[Expected], patience_s: float) -> list[Frame]:
        """What was written until nothing was due any more, and a ping after that."""
        deadline = time.monotonic() + patience_s

        def frames() -> list[Frame]:
            return [read(line.decode()) for line in self.lines]

        with self.changed:
            while waited_for(wanted, frames()):
                left = deadline - time.monotonic()
                if left <= 0:
                    break  # what is missing is told by whoever asked
                self.changed.wait(left)
        self.ping()
        with self.changed:
            found, self.lines[:] = frames(), []
        return found

    def ping(self) -> None:
        """A ping of its own, whose answer is not kept."""
        self.asked += 1
        own = f"ping {self.asked}"
        self.plugin.send_raw(b'{"id":"%s","method":"$/ping"}\n' % own.encode(), timeout_s=WAIT_S)
        assert self.plugin.reply(own, WAIT_S) == {}
        with self.changed:
            self.lines[:] = [line for line in self.lines if own.encode() not in line]


def unread(pipe: int) -> int:
    """How many bytes wait in a pipe."""
    (count,) = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))
    return int(count)


def numbers(ids: set[str]) -> set[str]:
    """Ids that are equal as numbers are one id while they are under way."""
    return {"0" if one == "-0" else one for one in ids}


def expectations(talk: Talk) -> list[Expected]:
    """One for each answer that has to come."""
    lines = b"".join(talk.lines).split(b"\n")
    found = [one for one in map(expected, lines) if one is not None]
    stopped = {key for key in map(cancelled, lines) if key is not None}
    for one in found:
        twins = sum(bool(numbers(one.ids) & numbers(other.ids)) for other in found)
        if twins > 1:
            one.codes.add(INVALID)  # an id that is under way is refused
        if one.ids & stopped or NULL in stopped:
            one.codes.add(CANCELLED)
        if twins > 1 or one.ids & stopped:
            one.rows = None
    return sorted(found, key=lambda one: one.may_be_absent)


def due(wanted: list[Expected]) -> list[Expected]:
    return [one for one in wanted if not one.may_be_absent]


def waited_for(wanted: list[Expected], frames: list[Frame]) -> bool:
    """Is an answer still due? Where there are as many as there may be, none is."""
    answers = [frame for frame in frames if "id" in frame]
    return len(answers) < len(wanted) and bool(
        len(answers) < len(due(wanted)) or due(unmatched(wanted, answers))
    )


def unmatched(wanted: list[Expected], answers: list[Frame]) -> list[Expected]:
    """Those for which no answer is left, however answers are given to them."""
    taken: dict[int, Expected] = {}

    def place(one: Expected, tried: set[int]) -> bool:
        for number, answer in enumerate(answers):
            if number not in tried and one.accepts(answer):
                tried.add(number)
                if number not in taken or place(taken[number], tried):
                    taken[number] = one
                    return True
        return False

    return [one for one in wanted if not place(one, set())]


def rows_fit(one: Expected, frames: list[Frame]) -> bool:
    """Do a stream's items come in order, all of them, and before its answer?"""
    (own,) = one.ids
    items: list[Any] = []
    for frame in frames:
        if frame.get("method") == "x/row" and key_of(frame["params"]["id"]) == own:
            items.append(plain(frame["params"]["event"]))
        elif "id" in frame and key_of(frame["id"]) == own:
            break
    return items == list(range(one.rows or 0))


def hold(talk: Talk, frames: list[Frame]) -> None:
    wanted = expectations(talk)
    answers = [frame for frame in frames if "id" in frame]
    odd = [frame for frame in frames if "id" not in frame and frame.get("method") != "x/row"]
    assert not odd, f"nobody expects {odd}"
    left = unmatched(wanted, answers)
    assert not due(left), f"no answer fits {due(left)}: {answers}"
    given = len(wanted) - len(left)
    assert len(answers) == given, f"{given} answers are due, and these came: {answers}"
    for one in wanted:
        if one.rows is not None and len(one.ids) == 1:
            assert rows_fit(one, frames), f"not the items of {one}: {frames}"


class Fleet:
    """The process that is talked to; another one after it has failed."""

    def __init__(self, way: str, family: str) -> None:
        self.start: Callable[[], Answering] = lambda: Answering(way, family)
        self.running: Answering | None = None
        self.patience_s = WAIT_S

    @contextmanager
    def ready(self) -> Iterator[Answering]:
        self.running = self.running or self.start()
        try:
            yield self.running
        except BaseException:
            self.end()
            self.patience_s = SHRINKING_S
            raise

    def end(self) -> None:
        if self.running is not None:
            self.running.plugin.kill()
            self.running = None


def talked(way: str, family: str, examples: int = EXAMPLES) -> Scenario:
    """Conversations with one app: every request is answered once and rightly, the process stays."""

    def scenario(chance: Random, _folder: Path) -> Figures:
        figures, fleet = Figures(), Fleet(way, family)

        @seed(chance.getrandbits(32))
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            print_blob=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(talks())
        def conversation(talk: Talk) -> None:
            with fleet.ready() as answering:
                answering.send(talk)
                wanted = expectations(talk)
                frames = answering.answers(wanted, fleet.patience_s)
                hold(talk, frames)
            figures.counts["conversations"] += 1
            figures.counts["lines"] += sum(line.count(b"\n") for line in talk.lines)
            for frame in frames:
                kind = "items" if "id" not in frame else "errors" if "error" in frame else "results"
                figures.counts[kind] += 1

        try:
            conversation()
            with fleet.ready() as answering:
                assert answering.plugin.shutdown() in {0, 1}  # 1: ended by force, on a busy machine
                assert "Fatal" not in answering.plugin.stderr_text()
        finally:
            fleet.end()
        return figures

    return scenario
