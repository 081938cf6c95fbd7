"""What is measured, one function per measure; each returns numbers by metric key.

To add a measure, write a function from a `Contender` to such a dict, add it to `MEASURES` with how
often the contenders take turns at it in one round, and name its metrics, and targets if it has any,
in the `METRICS` table of `bench.py`.
"""

import json
import subprocess
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Final

from bench_client import (
    BOUND_S,
    INITIALIZE,
    INITIALIZED,
    MEBIBYTE,
    BenchError,
    Contender,
    Wire,
    environment,
    request,
)

Sample = dict[str, float]
Measure = Callable[[Contender], Sample]

SUBJECTS: Final = 50
EVENTS: Final = 100_000
SPAWNS: Final = 5  # turns at one spawn each
GETS: Final = 1_000  # in one turn
BLOCKS: Final = 4
SIZE_TOLERANCE: Final = 0.1
PINGS: Final = 9
PING_EVERY_S: Final = 0.1
FIRST_PING_S: Final = 0.005
FRAME_SIZES_MIB: Final = (1, 4, 16)
FIRST_BLOCK_ID: Final = 1_000
BUSY_ID: Final = 9


def get_frame(request_id: int) -> bytes:
    return request(request_id, "task/get", {"id": f"task:{request_id % SUBJECTS}"})


def list_frame(request_id: int) -> bytes:
    return request(request_id, "task/list", {"filter": {"kind": ["task"]}})


def start(contender: Contender) -> Sample:
    """A cold start as a host sees it, and the memory after the first answer."""
    wire = contender.spawn()
    wire.ask(INITIALIZE)
    initialized_at = time.perf_counter()
    wire.write(INITIALIZED)
    wire.ask(get_frame(2))
    answered_at = time.perf_counter()
    resident_mib = wire.resident_mib()
    wire.close()
    return {
        "initialize_ms": (initialized_at - wire.started_at) * 1e3,
        "first_get_ms": (answered_at - wire.started_at) * 1e3,
        "resident_mib": resident_mib,
    }


def manifest(contender: Contender) -> Sample:
    """The whole life of `--manifest`."""
    began = time.perf_counter()
    command = [*contender.command, "--manifest"]
    probe = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(),
        check=False,
        timeout=BOUND_S,
    )
    elapsed_ms = (time.perf_counter() - began) * 1e3
    if probe.returncode or json.loads(probe.stdout)["plugin_kind"] != "subject_backend":
        raise BenchError(f"--manifest failed\n{probe.stderr.decode()}")
    return {"manifest_ms": elapsed_ms}


def sequential_get(contender: Contender) -> Sample:
    """One request at a time: what a caller waits, and what one in a hundred waits longer than."""
    wire = contender.wire
    frames = [get_frame(number) for number in range(2, contender.times(GETS) + 2)]
    times_ns: list[int] = []
    for frame in frames:
        began = time.perf_counter_ns()
        wire.ask(frame)
        times_ns.append(time.perf_counter_ns() - began)
    times_ns.sort()
    late = times_ns[len(times_ns) * 99 // 100]
    return {"get_p50_us": median(times_ns) / 1e3, "get_p99_us": late / 1e3}


def pipelined(
    contender: Contender, *, method: str, frame: Callable[[int], bytes], per_block: int, blocks: int
) -> Sample:
    """Two blocks of requests always outstanding: what a plugin gets done."""
    wire = contender.wire
    rounds = contender.times(blocks)
    first_ids = range(FIRST_BLOCK_ID, FIRST_BLOCK_ID + BLOCKS * per_block, per_block)
    made = [b"".join(map(frame, range(first, first + per_block))) for first in first_ids]
    cpu_before_s = wire.cpu_s()
    began = time.perf_counter()
    size = wire.pipeline(made, per_block, rounds)
    elapsed_s = time.perf_counter() - began
    total = rounds * per_block
    cpu_s = wire.cpu_s()
    _check_size(size, contender.answer_bytes[f"task/{method}"] * total, f"task/{method}")
    sample = {f"{method}_per_s": total / elapsed_s}
    if cpu_s is not None and cpu_before_s is not None:
        sample[f"{method}_cpu_us"] = (cpu_s - cpu_before_s) / total * 1e6
    return sample


def stream(contender: Contender) -> Sample:
    """All events of one watch, and how soon the first one is there."""
    wire = contender.wire
    began = time.perf_counter()
    wire.write(request(3, "subject/watch", {"kind": "task"}))
    first_at, size = wire.drain(EVENTS + 1, mark=2)
    elapsed_s = time.perf_counter() - began
    _check_size(size, contender.answer_bytes["subject/changed"] * EVENTS, "subject/watch")
    return {
        "events_per_s": EVENTS / elapsed_s,
        "first_event_ms": (first_at - began) * 1e3,
    }


# As msgspec and as the standard library write it.
ANSWERED: Final = (b'"id":%d,"result"' % BUSY_ID, b'"id": %d, "result"' % BUSY_ID)


def ping_beside_stream(contender: Contender) -> Sample:
    """One ping while the events of a watch are on their way, as while an agent runs."""
    wire = contender.wire
    wire.write(request(3, "subject/watch", {"kind": "task"}))
    began = time.perf_counter()
    wire.write(request(BUSY_ID, "$/ping"))
    answered_at = wire.find(ANSWERED, EVENTS + 2)
    if not answered_at:
        raise BenchError("$/ping beside a stream was not answered")
    return {"ping_stream_ms": (answered_at - began) * 1e3}


def _check_size(size: int, expected: int, method: str) -> None:
    """Answers are not parsed while the clock runs, but their size would betray an error."""
    if abs(size - expected) > expected * SIZE_TOLERANCE:
        raise BenchError(f"{method}: {size} bytes came where {expected} were expected")


def ping(contender: Contender, *, how: str) -> Sample:
    """Pings spread over the second that a sync handler holds its thread."""
    wire = contender.wire
    sent_at: dict[int, float] = {}
    delays_ms: list[float] = []
    wire.write(request(BUSY_ID, "task/status", {"id": how, "status": "ready"}))
    began = time.perf_counter()
    due_at = [began + FIRST_PING_S + number * PING_EVERY_S for number in range(PINGS)]
    busy = True
    while busy or len(delays_ms) < PINGS:
        now = time.perf_counter()
        unsent = due_at[len(sent_at) :]
        if unsent and now >= unsent[0]:
            ping_id = FIRST_BLOCK_ID + len(sent_at)
            sent_at[ping_id] = now
            wire.write(request(ping_id, "$/ping"))
        elif wire.ready(unsent[0] - now if unsent else BOUND_S):
            answered_id = json.loads(wire.line())["id"]
            if answered_id == BUSY_ID:
                busy = False
            else:
                delays_ms.append((time.perf_counter() - sent_at[answered_id]) * 1e3)
    return {f"ping_{how}_ms": median(delays_ms), f"ping_{how}_max_ms": max(delays_ms)}


def frames(contender: Contender) -> Sample:
    """One frame of growing size: an engine that searches its buffer anew is quadratic here."""
    took = {size: _frame_ms(contender.wire, size) for size in FRAME_SIZES_MIB}
    sample = {f"frame_{size}_mib_ms": elapsed_ms for size, elapsed_ms in took.items()}
    return {**sample, "frame_growth": took[16] / took[4]}


def _frame_ms(wire: Wire, size_mib: int) -> float:
    empty = request(5, "task/create", {"title": "big", "description": ""})
    text = "x" * (size_mib * MEBIBYTE - len(empty))
    frame = request(5, "task/create", {"title": "big", "description": text})
    began = time.perf_counter()
    wire.ask(frame)
    return (time.perf_counter() - began) * 1e3


def verify(contender: Contender) -> dict[str, object]:
    """What a contender answers, and, on the way, how long its answers are and a warm cache."""
    wire = contender.wire
    events = request(3, "subject/watch", {"kind": "task"})
    answers: dict[str, object] = {}
    for method, frame in (("task/get", get_frame(7)), ("task/list", list_frame(8))):
        line = wire.ask(frame)
        contender.answer_bytes[method] = len(line)
        answers[method] = json.loads(line)
    answers["task/create"] = wire.call("task/create", {"title": "small", "description": "x"})
    wire.write(events)
    answers["subject/watch"] = json.loads(wire.line())["id"]
    line = wire.line()
    contender.answer_bytes["subject/changed"] = len(line) + 1
    answers["subject/changed"] = json.loads(line)
    for _ in range(EVENTS - 1):
        wire.line()
    return answers


MEASURES: Final[dict[str, tuple[Measure, int]]] = {
    "start": (start, SPAWNS),
    "manifest": (manifest, SPAWNS),
    "sequential_get": (sequential_get, 5),
    "pipelined_get": (
        partial(pipelined, method="get", frame=get_frame, per_block=256, blocks=40),
        2,
    ),
    "pipelined_list": (
        partial(pipelined, method="list", frame=list_frame, per_block=32, blocks=20),
        2,
    ),
    "stream": (stream, 2),
    "ping_stream": (ping_beside_stream, 1),
    "ping_sleep": (partial(ping, how="sleep"), 1),
    "ping_spin": (partial(ping, how="spin"), 1),
    "frames": (frames, 1),
}
