"""The bare loop: one read, typed envelopes, one kept buffer, one write; no framework."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec
from rows import NAME_PREFIX

FLUSH_BYTES: Final = 60_000


class Envelope(msgspec.Struct, gc=False):
    method: str
    id: int | None = None
    params: msgspec.Raw = msgspec.Raw(b"{}")


class Response(msgspec.Struct, gc=False, tag_field="jsonrpc", tag="2.0"):
    id: int | None
    result: Any


class Notification(msgspec.Struct, gc=False, tag_field="jsonrpc", tag="2.0"):
    method: str
    params: Any


Handler = Callable[[msgspec.Raw], object]
Watch = Callable[[int | None, bytearray], None]

METHODS: Final = [f"task/{verb}" for verb in ("list", "get", "create", "status", "watch")]
MANIFEST: Final = {
    "name": f"{NAME_PREFIX}-limit",
    "version": "1.0.0",
    "plugin_kind": "subject_backend",
    "description": "The bare loop",
    "protocol_version": "1.1.0",
    "capabilities": ["subject_kind:task", *METHODS],
}
INITIALIZE_RESULT: Final = {
    "protocol_version": "1.1.0",
    "plugin_info": {key: MANIFEST[key] for key in ("name", "version", "plugin_kind")},
    "capabilities": {"methods": METHODS, "subject_kinds": ["task"], "streaming": True},
}
FIXED: Final = {"initialize": INITIALIZE_RESULT, "$/ping": {}, "shutdown": {}}

encode_into: Final = msgspec.json.Encoder().encode_into
decode_envelope: Final = msgspec.json.Decoder(Envelope).decode


def flush(out: bytearray) -> None:
    with memoryview(out) as rest:
        written = os.write(1, rest)
        while written < len(rest):
            written += os.write(1, rest[written:])
    out.clear()


def acknowledge(request_id: int | None, out: bytearray) -> None:
    """A watch has begun."""
    encode_into(Response(request_id, {}), out, -1)
    out += b"\n"
    flush(out)


def msgspec_answer(request_id: int | None, result: object, out: bytearray) -> None:
    encode_into(Response(request_id, result), out, -1)
    out += b"\n"


Answer = Callable[[int | None, object, bytearray], None]


def main(handlers: Mapping[str, Handler], watch: Watch, answer: Answer = msgspec_answer) -> None:
    """Serve, or print the manifest."""
    if "--manifest" in sys.argv:
        out = bytearray()
        encode_into(MANIFEST, out)
        flush(out)
    else:
        _serve(handlers, watch, answer)
    os._exit(0)


def _serve(handlers: Mapping[str, Handler], watch: Watch, answer: Answer) -> None:
    out = bytearray()
    parts: list[bytes] = []
    while chunk := os.read(0, 65536):
        lines = chunk.split(b"\n")
        if len(lines) == 1:
            parts.append(chunk)
            continue
        if parts:
            parts.append(lines[0])
            lines[0] = b"".join(parts)
            parts.clear()
        if rest := lines.pop():
            parts.append(rest)
        for line in lines:
            frame = decode_envelope(line)
            handler = handlers.get(frame.method)
            if handler is not None:
                answer(frame.id, handler(frame.params), out)
            elif frame.method == "subject/watch":
                watch(frame.id, out)
            else:
                _other(frame, out)
        if out:
            flush(out)


def _other(frame: Envelope, out: bytearray) -> None:
    if frame.method == "exit":
        os._exit(0)
    if frame.method in FIXED:
        msgspec_answer(frame.id, FIXED[frame.method], out)
