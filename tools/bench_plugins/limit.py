"""What is there to reach: one read, typed decoding, one kept buffer, one write; no framework."""

import os
import sys
from collections.abc import Callable
from typing import Any, Final

import msgspec
from rows import EVENT_COUNT, FETCHED_AT, FIRST, NAME_PREFIX, ROWS, Row, be_busy

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


class IdParams(msgspec.Struct, gc=False):
    id: str


class ListParams(msgspec.Struct, gc=False):
    status: list[str] | None = None
    limit: int | None = None


class CreateParams(msgspec.Struct, gc=False):
    title: str
    description: str = ""


class StatusParams(msgspec.Struct, gc=False):
    id: str
    status: str


class Subject(msgspec.Struct, omit_defaults=True, gc=False):
    id: str
    kind: str
    title: str
    status: str
    created_at: str
    updated_at: str
    description: str | None = None
    priority: int | None = None
    labels: list[str] = []
    assignee: str | None = None
    native_status: str | None = None
    url: str | None = None


class SubjectList(msgspec.Struct, gc=False):
    subjects: list[Subject]
    fetched_at: str


class Event(msgspec.Struct, gc=False):
    id: str
    change_kind: str
    subject: Subject


class Changed(msgspec.Struct, gc=False):
    id: int | None
    event: Event


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

encode_into: Final = msgspec.json.Encoder().encode_into
decode_envelope: Final = msgspec.json.Decoder(Envelope).decode
decode_id: Final = msgspec.json.Decoder(IdParams).decode
decode_list: Final = msgspec.json.Decoder(ListParams).decode
decode_status: Final = msgspec.json.Decoder(StatusParams).decode
decode_create: Final = msgspec.json.Decoder(CreateParams).decode


def subject(row: Row) -> Subject:
    return Subject(
        id=row.id,
        kind="task",
        title=row.title,
        status=row.status,
        created_at=row.created_at,
        updated_at=row.updated_at,
        description=row.description,
        priority=row.priority,
        labels=list(row.labels),
        assignee=row.assignee,
        native_status=row.native_status,
        url=row.url,
    )


def initialize(_: msgspec.Raw) -> object:
    return INITIALIZE_RESULT


def ping(_: msgspec.Raw) -> object:
    return {}


def get(params: msgspec.Raw) -> object:
    return subject(ROWS[decode_id(params).id])


def list_subjects(params: msgspec.Raw) -> object:
    rows = list(ROWS.values())[: decode_list(params).limit]
    return SubjectList([subject(row) for row in rows], FETCHED_AT)


def create(params: msgspec.Raw) -> object:
    request = decode_create(params)
    created = subject(FIRST)
    created.title = request.title
    created.description = request.description[:80]
    return created


def status(params: msgspec.Raw) -> object:
    request = decode_status(params)
    be_busy(request.id)
    changed = subject(FIRST)
    changed.status = request.status
    return changed


HANDLERS: Final[dict[str, Callable[[msgspec.Raw], object]]] = {
    "initialize": initialize,
    "$/ping": ping,
    "shutdown": ping,
    "task/get": get,
    "task/list": list_subjects,
    "task/create": create,
    "task/status": status,
}


def flush(out: bytearray) -> None:
    with memoryview(out) as rest:
        written = os.write(1, rest)
        while written < len(rest):
            written += os.write(1, rest[written:])
    out.clear()


def watch(request_id: int | None, out: bytearray) -> None:
    encode_into(Response(request_id, {}), out, -1)
    out += b"\n"
    flush(out)
    changed = subject(FIRST)
    for _ in range(EVENT_COUNT):
        event = Event(changed.id, "updated", changed)
        encode_into(Notification("subject/changed", Changed(request_id, event)), out, -1)
        out += b"\n"
        if len(out) > FLUSH_BYTES:
            flush(out)


def take(line: bytes, out: bytearray) -> None:
    frame = decode_envelope(line)
    handler = HANDLERS.get(frame.method)
    if handler is not None:
        encode_into(Response(frame.id, handler(frame.params)), out, -1)
        out += b"\n"
    elif frame.method == "subject/watch":
        watch(frame.id, out)
    elif frame.method == "exit":
        os._exit(0)


def serve() -> None:
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
            take(line, out)
        if out:
            flush(out)


def main() -> None:
    if "--manifest" in sys.argv:
        out = bytearray()
        encode_into(MANIFEST, out)
        flush(out)
    else:
        serve()
    os._exit(0)
