"""The end: shutdown, exit, end of input, SIGTERM, each in time, with nothing left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from animus_routes.conformance.checks import Check
from animus_routes.conformance.outcomes import Skipped, expect, fail
from animus_routes.conformance.overlay import stream
from animus_routes.conformance.processes import PROCESSES, end_all, marked
from animus_routes.conformance.start import HANDSHAKE
from animus_routes.host.process import PluginExitedError, PluginTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable

    from animus_routes.conformance.bench import Bench
    from animus_routes.conformance.wire import Wire

STEP_S: Final = 2.0
TESTKIT_S: Final = 0.75
POLL_S: Final = 0.02


def _shutdown(bench: Bench) -> None:
    with bench.serving() as wire:
        begun = time.monotonic()
        try:
            answer = wire.ask("shutdown", timeout_s=STEP_S)
        except (PluginTimeoutError, PluginExitedError) as error:
            fail(f"shutdown is not answered within {STEP_S:g} s, and hosts kill it: {error}")
        expect(answer.error is None, f"shutdown is answered with {answer}")
        if (taken := time.monotonic() - begun) > STEP_S / 2:
            bench.warnings.append(f"shutdown took {taken:.1f} s of the {STEP_S:g} s that it has")
        wire.notify("exit")
        _ends(bench, wire, "exit")


def _before_handshake(bench: Bench) -> None:
    with bench.started() as wire:
        answer = wire.ask("shutdown", timeout_s=bench.options.timeout_s)
        expect(answer.error is None, f"shutdown before initialize is answered with {answer}")
        wire.notify("exit")
        _ends(bench, wire, "exit")


def _exit(bench: Bench) -> None:
    _ended_by(bench, lambda wire: wire.notify("exit"), "exit without shutdown")


def _end_of_input(bench: Bench) -> None:
    _ended_by(bench, lambda wire: wire.close_stdin(), "the end of its input")


def _sigterm(bench: Bench) -> None:
    _ended_by(bench, lambda wire: os.kill(wire.pid, signal.SIGTERM), "SIGTERM")


def _ended_by(bench: Bench, end: Callable[[Wire], Any], what: str) -> None:
    with bench.serving() as wire:
        bench.trace.note(what)
        end(wire)
        _ends(bench, wire, what)


def _ends(bench: Bench, wire: Wire, after: str) -> None:
    begun = time.monotonic()
    try:
        wire.wait(STEP_S)
    except PluginTimeoutError:
        fail(f"it is still running {STEP_S:g} s after {after}")
    taken = time.monotonic() - begun
    if taken > TESTKIT_S:
        bench.warnings.append(
            f"it ended {taken:.1f} s after {after}; the test kit kills after 0.75 s"
        )


def _busy(bench: Bench) -> None:
    """With a stream open."""
    found = stream(bench)
    if found is None:
        raise Skipped("it has no stream that only reads")

    def end(wire: Wire) -> None:
        wire.answer(wire.request(*found))
        wire.close_stdin()

    _ended_by(bench, end, "the end of its input, with a stream open")


def _nothing_left(bench: Bench) -> None:
    """After SIGKILL, which is how hosts that are dropped end their plugins."""
    if not PROCESSES.is_dir():
        raise Skipped(f"whose children are left is not known on {sys.platform}")
    bench.end_shared()
    with bench.serving() as wire:
        if found := stream(bench):
            wire.answer(wire.request(*found))
        bench.trace.note("SIGKILL")
        wire.kill()
    deadline = time.monotonic() + STEP_S
    while (left := marked(bench.mark)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    end_all(bench.mark)
    expect(
        not left, f"{len(left)} processes of it are left {STEP_S:g} s after it was ended: {left}"
    )


def _check(name: str, title: str, source: str, run: Any, after: str = HANDSHAKE) -> Check:
    return Check(f"end.{name}", title, source, run, after=(after,))


CHECKS: Final = (
    _check(
        "shutdown",
        "shutdown is answered, and exit ends it",
        "host 3: 2 s for each, then SIGKILL",
        _shutdown,
    ),
    _check(
        "before-handshake",
        "shutdown is answered before initialize, too",
        "facts 2: every source answers it",
        _before_handshake,
    ),
    _check("exit", "exit alone ends it", "spec 3; host 8.17", _exit),
    _check(
        "end-of-input",
        "The end of its input ends it",
        "facts 2: an implicit exit; host 7: the test kit waits 0.75 s",
        _end_of_input,
    ),
    _check("sigterm", "SIGTERM ends it", "design 3; host 3", _sigterm),
    _check(
        "busy",
        "It ends with a stream open",
        "host 2.3: a host that is dropped says nothing",
        _busy,
        "end.end-of-input",
    ),
    _check(
        "nothing-left",
        "No process of it is left",
        "host 3: kill_on_drop; installing 2",
        _nothing_left,
    ),
)
