"""The lifecycle: handshake, gate, ping, health, unknown names, notifications, cancellation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from animus_routes.conformance.bench import HANDSHAKE_S
from animus_routes.conformance.checks import Check
from animus_routes.conformance.codes import UNAVAILABLE
from animus_routes.conformance.outcomes import Skipped, expect, fail
from animus_routes.conformance.overlay import reader, stream
from animus_routes.conformance.shapes import object_of
from animus_routes.conformance.start import HANDSHAKE
from animus_routes.conformance.wire import PING_S, QUIET_S
from animus_routes.describe.decoding import check_result
from animus_routes.errors import CANCELLED, METHOD_NOT_FOUND, NOT_INITIALIZED
from animus_routes.host.process import PluginTimeoutError

if TYPE_CHECKING:
    from animus_routes.conformance.bench import Bench
    from animus_routes.conformance.wire import Answer, Wire

BURST: Final = 200
CALLED_BESIDE: Final = 40
HOST: Final = {"name": "animus", "version": "0.7.0-rc.52"}
ALL: Final = {"streaming": True, "progress": True, "cancellation": True}


def variants(project: str) -> dict[str, dict[str, Any]]:
    """What hosts of every age say; each is a whole set of params."""
    return {
        "of protocol 1.0.0": {"protocol_version": "1.0.0", "host_info": HOST, "capabilities": ALL},
        "without init_extensions": {
            "protocol_version": "1.1.0",
            "host_info": HOST,
            "capabilities": ALL,
        },
        "with capabilities all false, and keys of tomorrow": {
            "protocol_version": "1.9.0",
            "host_info": {**HOST, "x_build": 7},
            "capabilities": dict.fromkeys(ALL, False),
            "init_extensions": {
                "project_binding": {"project_root": project, "repo_scope": "x"},
                "memory_mcp_stdio_command": {"command": "/bin/animus"},
                "x_tomorrow": [1, None],
            },
            "x_tomorrow": {"a": []},
        },
    }


def _handshakes(bench: Bench) -> None:
    for number, (what, params) in enumerate(variants(str(bench.project)).items()):
        with bench.started() as wire:
            found = wire.ask("initialize", params, timeout_s=HANDSHAKE_S)
            expect(found.error is None, f"a handshake {what} is answered with {found}")
            wire.notify("initialized", {} if number % 2 else None)
            wire.is_alive()
            _serves(bench, wire, f"after a handshake {what}")


def _serves(bench: Bench, wire: Wire, when: str) -> None:
    """Its gate is open: something that only reads is answered as usual."""
    if found := reader(bench):
        answer = wire.ask(*found)
        expect(answer.code != NOT_INITIALIZED, f"{when}, {found[0]} is answered with {answer}")


def _major(bench: Bench) -> None:
    params = {"protocol_version": "2.0.0", "host_info": HOST, "capabilities": ALL}
    with bench.started() as wire:
        found = wire.ask("initialize", params, timeout_s=HANDSHAKE_S)
        if found.error is None:
            spoken = str(object_of(found.result).get("protocol_version"))
            expect(spoken.startswith("1."), f"to protocol 2.0.0 it says {spoken}")


def _gate(bench: Bench) -> None:
    found = reader(bench)
    with bench.started() as wire:
        for method in ("$/ping", "health/check"):
            answer = wire.ask(method, timeout_s=HANDSHAKE_S)
            expect(answer.error is None, f"{method} before initialize is answered with {answer}")
        if found is None:
            return
        wire.notify("initialized")  # out of order: it opens nothing
        for when in ("initialize", "initialized"):
            answer = wire.ask(*found)
            expect(
                answer.code == NOT_INITIALIZED,
                f"{found[0]} before {when} is answered with {answer}, and not with -32000",
            )
            if when == "initialize":
                params = {"protocol_version": "1.1.0", "host_info": HOST, "capabilities": ALL}
                wire.result("initialize", params, timeout_s=HANDSHAKE_S)


def _ping(bench: Bench) -> None:
    found = bench.shared.ask("$/ping", timeout_s=PING_S)
    expect(
        found == ({}, None), f"$/ping is answered with {found.result if not found.error else found}"
    )


def _health(bench: Bench) -> None:
    answer = bench.shared.ask("health/check", timeout_s=PING_S)
    expect(answer.error is None, f"health/check is answered with {answer}")
    try:
        check_result(None, "health/check", answer.result)
    except TypeError as error:
        fail(str(error))
    status = answer.result["status"]
    if status != "healthy":
        said = answer.result.get("last_error") or "no reason"
        bench.warnings.append(f"its health is {status}: {said}")


def _burst(bench: Bench) -> None:
    found = reader(bench)
    wire = bench.shared
    ids = [
        wire.request(*found) if found and number < CALLED_BESIDE else wire.request("$/ping")
        for number in range(BURST)
    ]
    last = wire.request("$/ping")
    answers = [wire.answer(one) for one in [*ids, last]]
    wire.settled()
    expect(not wire.unclaimed_ids, f"requests are answered twice: ids {wire.unclaimed_ids[:5]}")
    refused = [str(a) for a in answers if a.error is not None and a.category != UNAVAILABLE]
    expect(not refused, f"of {BURST} requests at once, one is answered with {refused[:1]}")


def _busy(bench: Bench) -> None:
    """While something is under way, a ping is answered."""
    found = stream(bench)
    if found is None:
        raise Skipped("it has no stream that only reads")
    with bench.serving() as wire:
        begun = time.monotonic()
        opened = wire.request(*found)
        answer = wire.ask("$/ping", timeout_s=PING_S)
        taken = time.monotonic() - begun
        expect(answer.error is None, f"while {found[0]} is open, $/ping gives {answer}")
        expect(taken < PING_S, f"while {found[0]} is open, $/ping takes {taken:.1f} s")
        wire.answer(opened)
        health = wire.ask("health/check", timeout_s=PING_S)
        expect(health.error is None, f"while {found[0]} is open, health/check gives {health}")


def _unknown(bench: Bench) -> None:
    for method in ("no/such", "no_such", "$/noSuch"):
        answer = bench.shared.ask(method, {})
        expect(
            answer.code == METHOD_NOT_FOUND, f"{method} is answered with {answer}, and not -32601"
        )


def _notifications(bench: Bench) -> None:
    wire = bench.shared
    wire.settled()
    before = len(wire.protocol_errors)
    for method in ("no/such", "$/noSuch", "$/ping", "health/check", *_called(bench)):
        wire.notify(method, {})
    wire.settled()
    said = "a notification is answered: hosts take what has an id, or an error, for a bad frame"
    expect(not wire.unclaimed_ids, f"{said} ({wire.unclaimed_ids[:3]})")
    stray = [e.text for e in wire.protocol_errors[before:] if '"error"' in e.text]
    expect(not stray, f"{said} ({stray[:1]})")


def _called(bench: Bench) -> list[str]:
    found = reader(bench)
    return [found[0]] if found else []


def _no_params(bench: Bench) -> None:
    methods = ["$/ping", "health/check", *_called(bench)]
    found = reader(bench)
    if found and found[1]:
        methods.pop()  # it needs some
    wire = bench.shared
    for method in methods:
        for text in (b"", b',"params":null', b',"params":{}'):
            frame = b'{"jsonrpc":"2.0","id":"p","method":%s%s}\n' % (_json(method), text)
            wire.send_raw(frame)
            answer = wire.answer("p")
            expect(
                answer.error is None, f"{method} with {text.decode() or 'no params'} gives {answer}"
            )


def _json(text: str) -> bytes:
    return b'"%s"' % text.encode()


def _cancel(bench: Bench) -> None:
    """Of an id that is not under way, nothing comes; of a stream, its end."""
    wire = bench.shared
    ping = wire.request("$/ping")
    wire.answer(ping)
    for gone in (ping, 987654, "no such"):
        wire.notify("$/cancelRequest", {"id": gone})
    wire.settled()
    expect(not wire.unclaimed_ids, "$/cancelRequest of an id that is answered gets an answer")
    if (found := stream(bench)) and bench.capabilities.get("cancellation"):
        _cancelled_stream(bench, found)


def _cancelled_stream(bench: Bench, found: tuple[str, Any]) -> None:
    with bench.serving() as wire:
        opened = wire.request(*found)
        answer: Answer | None = None
        try:
            answer = wire.answer(opened, QUIET_S)
        except PluginTimeoutError:
            wire.notify("$/cancelRequest", {"id": opened})
            answer = wire.answer(opened)
            expect(answer.code == CANCELLED, f"a cancelled {found[0]} is answered with {answer}")
        else:
            wire.notify("$/cancelRequest", {"id": opened})
        wire.settled()
        expect(not wire.unclaimed_ids, f"a cancelled {found[0]} is answered twice")


CHECKS: Final = (
    Check(
        "lifecycle.handshakes",
        "Handshakes of hosts of every age succeed, and open the gate",
        "spec 3; facts 2 and 6; host 2.4: 1.0.0 to 1.2.0, with and without init_extensions",
        _handshakes,
        after=(HANDSHAKE,),
    ),
    Check(
        "lifecycle.other-major",
        "A host of another major version gets an answer",
        "facts 2: an error that names both versions, or the plugin's own version",
        _major,
        after=(HANDSHAKE,),
    ),
    Check(
        "lifecycle.gate",
        "Before initialized, pings are answered and methods are not",
        "spec 3.2; facts 2: -32000",
        _gate,
        after=(HANDSHAKE,),
    ),
    Check(
        "lifecycle.ping",
        "$/ping is answered with {}",
        "host 3: within 2 s",
        _ping,
        after=(HANDSHAKE,),
    ),
    Check(
        "lifecycle.health",
        "health/check is answered with what hosts decode",
        "host 4.14: status, within 2 s",
        _health,
        after=("lifecycle.ping",),
    ),
    Check(
        "lifecycle.burst",
        "Many requests at once are each answered once",
        "host 3: requests may be concurrent on one process",
        _burst,
        after=("lifecycle.ping",),
    ),
    Check(
        "lifecycle.busy",
        "While something is under way, $/ping and health/check are answered",
        "host 8.13: at once, also during a long run",
        _busy,
        after=("lifecycle.ping", "lifecycle.health"),
    ),
    Check(
        "lifecycle.unknown-methods",
        "Unknown methods are not found",
        "spec 4; facts 2: -32601",
        _unknown,
        after=("lifecycle.ping",),
    ),
    Check(
        "lifecycle.notifications",
        "Notifications are never answered",
        "host 8.12: not with an error either",
        _notifications,
        after=("lifecycle.ping",),
    ),
    Check(
        "lifecycle.no-params",
        "Params that are absent, null or empty are the same",
        "host 8.16: accept missing params anywhere",
        _no_params,
        after=("lifecycle.ping", "lifecycle.health"),
    ),
    Check(
        "lifecycle.cancel",
        "A cancelled request is answered once, one that is over is not",
        "spec 6; facts 2: -32002",
        _cancel,
        after=("lifecycle.ping",),
    ),
)
