"""The bare loop doing the framework's work: its Structs, the same functions called by keyword."""

from typing import Any, Final

import msgspec
import work_structs
from bare import FLUSH_BYTES, Handler, Notification, acknowledge, encode_into, flush
from bare import main as serve

from animus_routes.structs.subject import SubjectChangedEvent, SubjectFilter, SubjectStatus


class GetParams(msgspec.Struct, gc=False):
    id: str


class ListParams(msgspec.Struct, gc=False):
    filter: SubjectFilter


class CreateParams(msgspec.Struct, gc=False):
    title: str
    description: str = ""


class StatusParams(msgspec.Struct, gc=False):
    id: str
    status: SubjectStatus


class Changed(msgspec.Struct, gc=False):
    id: int | None
    event: SubjectChangedEvent


decode_get: Final = msgspec.json.Decoder(GetParams).decode
decode_list: Final = msgspec.json.Decoder(ListParams).decode
decode_create: Final = msgspec.json.Decoder(CreateParams).decode
decode_status: Final = msgspec.json.Decoder(StatusParams).decode


def get(params: msgspec.Raw) -> Any:
    return work_structs.get(id=decode_get(params).id)


def list_subjects(params: msgspec.Raw) -> Any:
    return work_structs.list_subjects(filter=decode_list(params).filter)


def create(params: msgspec.Raw) -> Any:
    given = decode_create(params)
    return work_structs.create(title=given.title, description=given.description)


def status(params: msgspec.Raw) -> Any:
    given = decode_status(params)
    return work_structs.status(id=given.id, status=given.status)


def watch(request_id: int | None, out: bytearray) -> None:
    acknowledge(request_id, out)
    for event in work_structs.watch():
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
