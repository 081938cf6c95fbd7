"""Bytes in: every id comes back as it came, every bad frame is answered or dropped, none ends it."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from engine_host import (
    GREETING,
    HANDSHAKE,
    INSTALLED,
    PROBE,
    WAIT_S,
    conversation,
    error_of,
    frame,
    ping_s,
    probe,
    reply_error,
)
from hypothesis import given
from hypothesis import strategies as st

from animus_routes import RpcError
from animus_routes.engine.frames import MAX_INBOUND_BYTES, OVERSIZED, Splitter
from animus_routes.host import Plugin

PARSE, INVALID, MISSING, PARAMS, EARLY = -32700, -32600, -32601, -32602, -32000
IDS = [
    b"1", b"0", b"-1", b"-0", b"1.0", b"1e3", b"1E+3", b"0.1", b"9007199254740993",
    b"9223372036854775807", b"9223372036854775808", b"18446744073709551616",
    b"123456789012345678901234567890", b'"1"', b'""', b'"a\\u0062\\n\\/"', b'"\xc3\xa9"',
    b'"\\ud83d\\ude00"', b"null",
]  # fmt: skip


@pytest.fixture(scope="module")
def plugin() -> Iterator[Plugin]:
    with probe() as started:
        yield started


def refused(plugin: Plugin, line: bytes, request_id: object = None) -> int:
    plugin.send_raw(line + b"\n")
    return reply_error(plugin, request_id).code


@pytest.mark.parametrize("method", ["x/echo", "x/async", "x/pool", "$/ping", "x/none"])
@pytest.mark.parametrize("request_id", IDS)
def test_an_id_comes_back_byte_for_byte(plugin: Plugin, method: str, request_id: bytes) -> None:
    plugin.send_raw(frame(request_id, method, {"s": 0}))
    if method == "x/none":
        assert reply_error(plugin, request_id).code == MISSING
    else:
        assert plugin.reply(request_id, WAIT_S) is not None


@pytest.mark.parametrize("request_id", [b"true", b"false", b"[]", b"[1]", b"{}", b'{"a":1}'])
def test_an_id_that_is_none_is_refused_with_null(plugin: Plugin, request_id: bytes) -> None:
    assert refused(plugin, frame(request_id, "x/echo", {})) == INVALID


@pytest.mark.parametrize("request_id", [b"1e400", b'"\xff"', b'"\\ud800"'])
def test_an_id_that_cannot_go_back_is_refused_with_null(plugin: Plugin, request_id: bytes) -> None:
    assert refused(plugin, b'{"id":' + request_id + b',"method":"x/echo"}') == PARSE


@pytest.mark.parametrize(
    "line",
    [b"{", b"garbage", b"{}{}", b'{"id":5,"method":"x/echo"} x', b"NaN", b"\xff", b"\x00",
     b'{"id":NaN,"method":"x/echo"}', b"'", b'{"id":5,"method":"x/echo",}', b"(a line over the cap)",
     b'{"id":01,"method":"x/echo"}', b'{"id":5,"a":"\xff" x', b'{"id":5\xff}'],
)  # fmt: skip
def test_what_is_not_json_is_a_parse_error_with_null(plugin: Plugin, line: bytes) -> None:
    assert refused(plugin, line) == PARSE


@pytest.mark.parametrize(
    ("line", "request_id"),
    [(b"1", None), (b'"x"', None), (b"null", None), (b"[]", None), (b"{}", None),
     (b'[{"id":1,"method":"$/ping"}]', None), (b'{"id":71}', 71), (b'{"id":72,"method":5}', 72),
     (b'{"id":"a","method":null}', "a"), (b'{"jsonrpc":"2.0","params":{}}', None)],
)  # fmt: skip
def test_what_is_no_request_is_refused_with_its_id(
    plugin: Plugin, line: bytes, request_id: object
) -> None:
    assert refused(plugin, line, request_id) == INVALID


def test_a_frame_too_deep_or_not_utf_8_is_refused_with_the_id_it_shows(plugin: Plugin) -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    assert refused(plugin, b'{"id":81,"method":"x/echo","params":' + deep + b"}", 81) == PARSE
    deeper = b"[" * 10_000 + b"]" * 10_000
    assert refused(plugin, b'{"x":{"id":7},"y":' + deeper + b',"id":"82"}', "82") == PARSE
    assert refused(plugin, deep) == PARSE
    assert refused(plugin, b'{"id":83,"method":"\xff"}', 83) == PARSE


def test_params_that_are_not_utf_8_or_hold_a_lone_surrogate_are_refused(plugin: Plugin) -> None:
    assert refused(plugin, b'{"id":84,"method":"x/echo","params":{"a":"\xff"}}', 84) == PARSE
    for method in ("x/async", "x/pool", "x/rows"):
        line = b'{"id":85,"method":"' + method.encode() + b'","params":{"s":"\xff"}}'
        assert refused(plugin, line, 85) in {PARSE, PARAMS}
    ping_s(plugin)


def test_half_a_surrogate_pair_is_refused_with_the_id_of_its_frame(plugin: Plugin) -> None:
    for text in (b"\\ud800", b"\\udc00 \\n", b"\\ud83d\\ud83d\\ude00"):
        line = b'{"method":"x/echo","params":{"s":["' + text + b'"]},"id":"a-87"}'
        assert refused(plugin, line, "a-87") == PARSE
        assert refused(plugin, line + b"x") == PARSE


@pytest.mark.parametrize("bad", [b'"' + b'\\"' * 32_000, b'"' * 64_000, b'"a\\' * 20_000])
@pytest.mark.parametrize("wrong", [b"[" * 2_000, b'{"":"\xff",'])
def test_refusing_a_frame_costs_what_its_size_costs(wrong: bytes, bad: bytes) -> None:
    # A cost that grows with the square of the size takes over a minute here.
    with probe() as plugin:
        for _ in range(4):
            plugin.send_raw(b'{"id":88,"a":' + wrong + bad + b"\n")
            assert ping_s(plugin) < WAIT_S


@pytest.mark.parametrize("digit", [b"a", b"7"])
@pytest.mark.parametrize("method", ["x/echo", "x/async", "x/pool", "$/ping", "x/none", "x/sleep"])
def test_an_id_that_would_end_the_link_is_refused_with_null(
    plugin: Plugin, method: str, digit: bytes
) -> None:
    line = frame(b'"' + digit * 9_000_000 + b'"', method, {"s": 0})
    assert refused(plugin, line) == INVALID


def test_deep_params_that_the_envelope_can_skip_are_answered(plugin: Plugin) -> None:
    for depth in (50, 300, 900, 1000, 1100, 3000):
        params = b'{"a":' + b"[" * depth + b"]" * depth + b"}"
        plugin.send_raw(b'{"id":86,"method":"x/echo","params":' + params + b"}\n")
        assert answer_or_code(plugin, 86) in {params, PARSE, PARAMS}
    ping_s(plugin)


def answer_or_code(plugin: Plugin, request_id: int) -> bytes | int:
    try:
        return msgspec.json.encode(plugin.reply(request_id, WAIT_S))
    except RpcError as error:
        return error.code


@pytest.mark.parametrize("params", [b"null", b"{}", b""])
def test_absent_and_null_params_are_none(plugin: Plugin, params: bytes) -> None:
    given_params = b',"params":' + params if params else b""
    for method in (b"x/echo", b"x/seen", b"x/async_exit"):
        plugin.send_raw(b'{"id":91,"method":"' + method + b'"' + given_params + b"}\n")
        assert plugin.reply(91, WAIT_S) is not None


@pytest.mark.parametrize("params", [b"[]", b"[1]", b"5", b'"x"', b"true"])
def test_params_that_are_no_object_are_refused(plugin: Plugin, params: bytes) -> None:
    for method in (b"x/echo", b"x/sleep", b"x/async"):
        line = b'{"id":92,"method":"' + method + b'","params":' + params + b"}"
        assert refused(plugin, line, 92) == PARAMS


def test_the_last_of_two_equal_keys_counts(plugin: Plugin) -> None:
    plugin.send_raw(b'{"id":1,"method":"x/none","id":93,"method":"x/echo","params":{"a":1}}\n')
    assert plugin.reply(93, WAIT_S) == {"a": 1}


def test_blank_lines_crlf_and_a_byte_order_mark_are_nothing(plugin: Plugin) -> None:
    mark = b"\xef\xbb\xbf"
    one, two = frame(94, "x/echo", {"a": 1}), frame(95, "x/echo", {"a": 2})
    plugin.send_raw(b"\n\r\n  \n" + mark + one.replace(b"\n", b"\r\n") + mark + b"\n" + two)
    assert plugin.reply(94, WAIT_S) == {"a": 1}
    assert plugin.reply(95, WAIT_S) == {"a": 2}
    assert plugin.unclaimed_ids == []


def test_notifications_and_answers_are_never_answered(plugin: Plugin) -> None:
    for line in (
        frame(None, "x/none"),
        frame(None, "x/echo", {"a": 1}),
        frame(None, "initialize", GREETING),
        frame(None, "shutdown"),
        frame(None, "health/check"),
        frame(None, "$/ping"),
        frame(None, "$/unknown"),
        b'{"jsonrpc":"2.0","id":1,"result":{}}\n',
        b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}\n',
    ):
        plugin.send_raw(line)
    ping_s(plugin)
    assert plugin.unclaimed_ids == []


def test_many_frames_in_one_chunk_and_a_frame_split_at_every_byte(plugin: Plugin) -> None:
    line = frame(b'"k\xc3\xa9"', "x/echo", {"text": 'é\n"x"'})
    for cut in range(len(line) + 1):
        plugin.send_raw(line[:cut])
        plugin.send_raw(line[cut:])
    plugin.send_raw(line * 500)
    for _ in range(len(line) + 1 + 500):
        assert plugin.reply(b'"k\xc3\xa9"', WAIT_S) == {"text": 'é\n"x"'}


def test_a_frame_of_sixteen_mib_is_answered_and_one_more_byte_is_refused(plugin: Plugin) -> None:
    head, tail = b'{"id":96,"method":"x/ident","params":{"a":"', b'"}}'
    body = b"y" * (MAX_INBOUND_BYTES - len(head) - len(tail))
    plugin.send_raw(head + body + tail + b"\n")
    assert plugin.reply(96, WAIT_S) == {"main": True}
    assert refused(plugin, head + body + b"y" + tail) == PARSE
    ping_s(plugin)


def test_the_splitter_touches_each_byte_of_a_large_frame_a_fixed_number_of_times() -> None:
    class Counted(bytes):
        joined = 0

    splitter, size = Splitter(), 4 * 1024 * 1024
    for _ in range(size // 65_536):
        assert splitter.feed(Counted(b"y" * 65_536)) == []
    assert splitter.feed(b"\nz") == [b"y" * size]
    assert splitter.rest() == [b"z"]


def test_a_line_over_the_cap_is_not_kept_while_it_arrives() -> None:
    splitter = Splitter()
    chunk = b"y" * 65_536
    for _ in range(2 * MAX_INBOUND_BYTES // len(chunk)):
        splitter.feed(chunk)
    assert sum(map(len, splitter._parts)) <= MAX_INBOUND_BYTES
    lines = splitter.feed(b"y\nnext\n")
    assert lines[0] is OVERSIZED
    assert lines[1] == b"next"


@given(st.lists(st.binary(max_size=12)), st.lists(st.integers(0, 200)))
def test_the_splitter_gives_the_same_lines_however_the_bytes_are_cut(
    parts: list[bytes], cuts: list[int]
) -> None:
    data = b"\n".join(parts)
    splitter, found, start = Splitter(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        if data[start:cut]:
            found += splitter.feed(data[start:cut])
        start = max(start, cut)
    found += splitter.rest()
    expected = data.split(b"\n")
    assert found == (expected if expected[-1] else expected[:-1])


def test_garbage_between_pings_costs_no_ping() -> None:
    seeded = random.Random(20_261_121)
    pieces = [b'{"id":', b'"method"', b"[", b"]", b"{", b"}", b"\\", b'"', b"\xff", b"\x00", b"1e9"]
    with probe() as plugin:
        for number in range(1, 301):
            garbage = b"".join(seeded.choices(pieces, k=seeded.randrange(12)))
            garbage += seeded.randbytes(seeded.randrange(60))
            plugin.send_raw(b"%s\n%s" % (garbage, frame(10_000_000 + number, "$/ping")))
            assert plugin.reply(10_000_000 + number, WAIT_S) == {}
        assert ping_s(plugin) < 1.0


# The gate -------------------------------------------------------------------------------------------


def raw_plugin(**env: str) -> Plugin:
    return Plugin.start(PROBE, env={**INSTALLED, **env})


def test_before_initialized_a_method_is_refused_and_an_unknown_one_is_unknown() -> None:
    plugin = raw_plugin()
    try:
        assert error_of(plugin, "x/echo", {}).code == EARLY
        assert error_of(plugin, "x/none", {}).code == MISSING
        assert ping_s(plugin) < WAIT_S
        assert plugin.call("health/check", timeout_s=WAIT_S)["status"] == "healthy"
        plugin.call("initialize", GREETING, timeout_s=WAIT_S)
        assert error_of(plugin, "x/echo", {}).code == EARLY
        plugin.notify("initialized")
        assert plugin.call("x/echo", {"a": 1}, timeout_s=WAIT_S) == {"a": 1}
    finally:
        plugin.kill()


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({**GREETING, "protocol_version": "2.0.0"}, ("2.0.0", "1.")),
        (None, ("protocol_version",)),
        ({}, ("protocol_version",)),
        ({"protocol_version": 1}, ("protocol_version",)),
        ([], ("object",)),
    ],
)
def test_an_initialize_that_fails_keeps_the_gate_shut(params: Any, words: tuple[str, ...]) -> None:
    plugin = raw_plugin()
    try:
        error = error_of(plugin, "initialize", params)
        assert error.code == PARAMS
        assert all(word in error.message for word in words)
        plugin.notify("initialized")
        assert error_of(plugin, "x/echo", {}).code == EARLY
        plugin.initialize()
        assert plugin.call("x/echo", {"a": 1}, timeout_s=WAIT_S) == {"a": 1}
    finally:
        plugin.kill()


def test_a_refusing_hook_keeps_the_gate_shut() -> None:
    plugin = raw_plugin(REFUSE="1")
    try:
        assert error_of(plugin, "initialize", GREETING).message == "not today"
        plugin.notify("initialized")
        assert error_of(plugin, "x/echo", {}).code == EARLY
    finally:
        plugin.kill()


def test_a_second_initialize_is_refused_and_changes_nothing(plugin: Plugin) -> None:
    assert error_of(plugin, "initialize", GREETING).code == INVALID
    assert plugin.call("x/echo", {"a": 1}, timeout_s=WAIT_S) == {"a": 1}


def test_a_last_line_without_a_newline_is_a_line() -> None:
    code, frames, _ = conversation(HANDSHAKE + frame(1, "x/echo", {"a": 1}).rstrip(b"\n"))
    assert (code, frames[-1]["result"]) == (0, {"a": 1})
