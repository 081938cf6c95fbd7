"""The wire itself: ids of every sort, bad frames, large ones, and nothing but frames on stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from animus_routes.conformance.checks import Check
from animus_routes.conformance.outcomes import expect, fail
from animus_routes.conformance.overlay import reader
from animus_routes.conformance.start import HANDSHAKE
from animus_routes.errors import NOT_INITIALIZED
from animus_routes.host.process import PluginTimeoutError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from animus_routes.conformance.bench import Bench
    from animus_routes.conformance.wire import Wire

# Hosts count from 1, and go on for a long time; other sources have text as well.
IDS: Final = (1, 2**31, 2**53 - 1, "text", "ä ☃ \u2028", 'with \\ and "', 0)
LARGE_BYTES: Final = (70_000, 1_000_000, 4_000_000)
DEEP: Final = 20_000

# A line, and whether somebody waits for an answer to it: the id, if it can be read.
BAD: Final[Mapping[str, bytes]] = {
    "text": b"hello there",
    "half of a frame": b'{"jsonrpc":"2.0","id":1,"method":"$/pi',
    "bytes that are not UTF-8": b'{"jsonrpc":"2.0","method":"x","params":{"a":"\xff\xfe"}}',
    "a number": b"7",
    "null": b"null",
    "an empty batch": b"[]",
    "a batch": b'[{"jsonrpc":"2.0","method":"no/such"}]',
    "an empty object": b"{}",
    "an answer that nobody asked for": b'{"jsonrpc":"2.0","id":7777,"result":{}}',
    "a frame that is nested deeply": b'{"jsonrpc":"2.0","method":"x","params":'
    + b"[" * DEEP
    + b"]" * DEEP
    + b"}",
    "a frame with NaN": b'{"jsonrpc":"2.0","method":"x","params":{"a":NaN}}',
    "two frames on one line": b'{"jsonrpc":"2.0","method":"x"} {"jsonrpc":"2.0","method":"y"}',
    "a method that is no text": b'{"jsonrpc":"2.0","method":7}',
    "a blank line": b"   ",
}
ODD_PARAMS: Final = (b"5", b'"text"', b"[1,2]", b"true")


def _ids(bench: Bench) -> None:
    import msgspec

    wire = bench.shared
    for given in IDS:
        text = msgspec.json.encode(given)
        wire.send_raw(b'{"jsonrpc":"2.0","id":%s,"method":"$/ping"}\n' % text)
        _echoed(wire, given, text)


def _echoed(wire: Wire, given: object, text: bytes) -> None:
    """It comes back as the value it was; text may be escaped in another way."""
    import msgspec

    wire.settled()
    same = [key for key in wire.unclaimed_ids if msgspec.json.decode(key) == given]
    if isinstance(given, str) and same:
        text = same[0]
    try:
        wire.answer(text)
    except PluginTimeoutError as error:
        came = b", ".join(wire.unclaimed_ids).decode() or "nothing"
        fail(f"the id {text.decode()} is not given back: {came} came ({error})")


def _two_at_once(bench: Bench) -> None:
    wire = bench.shared
    wire.send_raw(
        b'{"jsonrpc":"2.0","id":7,"method":"$/ping"}\n{"jsonrpc":"2.0","id":"7","method":"no/such"}\n'
    )
    text, number = wire.answer(b'"7"'), wire.answer(b"7")
    expect(number.error is None, f'7 and "7" are mixed up: 7 is answered with {number}')
    expect(text.error is not None, f'7 and "7" are mixed up: "7" is answered with {text}')


def _bad_frames(bench: Bench) -> None:
    for what, line in BAD.items():
        wire = bench.shared
        wire.settled()
        wire.send_raw(line + b"\n")
        try:
            wire.settled()
        except PluginTimeoutError as error:
            fail(f"after {what}, {error}")
        for key in wire.unclaimed_ids:
            answer = wire.answer(key)
            expect(answer.error is not None, f"{what} is answered with {answer}, id {key.decode()}")


def _odd_params(bench: Bench) -> None:
    """Params that are neither an object nor absent get an answer, and kill nothing."""
    found = reader(bench)
    for method in ["$/ping", *([found[0]] if found else [])]:
        for params in ODD_PARAMS:
            wire = bench.shared
            wire.send_raw(
                b'{"jsonrpc":"2.0","id":"odd","method":"%s","params":%s}\n'
                % (method.encode(), params)
            )
            answer = wire.answer("odd")
            expect(
                answer.code != NOT_INITIALIZED, f"{method} with {params.decode()} gives {answer}"
            )


def _large(bench: Bench) -> None:
    for size in LARGE_BYTES:
        answer = bench.shared.ask("$/ping", {"pad": "x" * size})
        expect(answer.error is None, f"a frame of {size:,} bytes is answered with {answer}")
    bench.shared.is_alive()


def _pieces(bench: Bench) -> None:
    """A frame that comes in pieces, and several that come in one."""
    wire = bench.shared
    frame = '{"jsonrpc":"2.0","id":"ä","method":"$/ping"}\n'.encode()
    cut = frame.index("ä".encode()) + 1
    wire.send_raw(frame[:cut])
    wire.send_raw(frame[cut:] + b"\n\r\n" + frame.replace("ä".encode(), b"b"))
    _echoed(wire, "ä", '"ä"'.encode())
    wire.answer("b")
    wire.settled()
    expect(not wire.unclaimed_ids, "a blank line is answered")


def _only_frames(bench: Bench) -> None:
    """Of all that was written so far, and in a conversation of its own."""
    with bench.serving() as wire:
        wire.ask("no/such", {})
        if found := reader(bench):
            wire.ask(*found)
        wire.ask("health/check")
        wire.end()
    bench.collect()
    if bench.stray:
        first = bench.stray[0]
        fail(
            f"{len(bench.stray)} lines on stdout are no frames, the first is {first[:200]!r}: hosts "
            "drop such a line, and a frame on it"
        )


def _null_id(bench: Bench) -> None:
    """Sources disagree about what it is; nobody may die of it."""
    wire = bench.shared
    wire.send_raw(b'{"jsonrpc":"2.0","id":null,"method":"$/ping"}\n')
    wire.settled()
    for key in wire.unclaimed_ids:
        expect(key == b"null", f"a request with id null is answered with id {key.decode()}")
        wire.answer(key)


def _check(name: str, title: str, source: str, run: Any) -> Check:
    return Check(f"frames.{name}", title, source, run, after=("lifecycle.ping",))


CHECKS: Final = (
    _check("ids", "Ids come back unchanged", "spec 1.1; facts 1: numbers and strings", _ids),
    _check(
        "ids-apart",
        '1 and "1" are different ids',
        "facts 1: both registries tell them apart",
        _two_at_once,
    ),
    _check("null-id", "A null id is answered with null, or not at all", "facts 11.49", _null_id),
    _check(
        "bad",
        "A frame that cannot be read costs an error at most",
        "spec 1.1; facts 1: the connection stays open",
        _bad_frames,
    ),
    _check(
        "odd-params",
        "Params that are no object are answered, and kill nothing",
        "design 3: a readable id always gets an answer",
        _odd_params,
    ),
    _check("large", "Large frames are read", "spec 1.1: up to 16 MiB; host 3", _large),
    _check(
        "pieces", "Frames are split where their lines end", "host 3: a stream of bytes", _pieces
    ),
    Check(
        "frames.only",
        "Nothing but frames comes on stdout",
        "host 3: stray text in front of a frame loses that frame; the test kit ends at one",
        _only_frames,
        after=(HANDSHAKE,),
    ),
)
