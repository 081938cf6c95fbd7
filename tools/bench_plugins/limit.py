"""What is there to reach: the bare loop with types of its own that hold and check the least."""

from typing import Final

import msgspec
from bare import FLUSH_BYTES, Handler, Notification, acknowledge, encode_into, flush
from bare import main as serve
from rows import EVENT_COUNT, FETCHED_AT, FIRST, ROWS, Row, be_busy


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


def watch(request_id: int | None, out: bytearray) -> None:
    acknowledge(request_id, out)
    changed = subject(FIRST)
    for _ in range(EVENT_COUNT):
        event = Event(changed.id, "updated", changed)
        encode_into(Notification("subject/changed", Changed(request_id, event)), out, -1)
        out += b"\n"
        if len(out) > FLUSH_BYTES:
            flush(out)


HANDLERS: Final[dict[str, Handler]] = {
    "task/get": get,
    "task/list": list_subjects,
    "task/create": create,
    "task/status": status,
}


def main() -> None:
    serve(HANDLERS, watch)
