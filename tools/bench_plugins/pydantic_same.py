"""The bare loop doing the framework's work with its pydantic models, called by keyword."""

from typing import Any, Final

import msgspec
import work_pydantic
from bare import FLUSH_BYTES, Handler, acknowledge, flush
from bare import main as serve

from animus_routes.types.subject import SubjectFilter, SubjectStatus


class GetParams(msgspec.Struct, gc=False):
    id: str


class ListParams(msgspec.Struct, gc=False):
    filter: msgspec.Raw


class CreateParams(msgspec.Struct, gc=False):
    title: str
    description: str = ""


class StatusParams(msgspec.Struct, gc=False):
    id: str
    status: SubjectStatus


decode_get: Final = msgspec.json.Decoder(GetParams).decode
decode_list: Final = msgspec.json.Decoder(ListParams).decode
decode_create: Final = msgspec.json.Decoder(CreateParams).decode
decode_status: Final = msgspec.json.Decoder(StatusParams).decode


def get(params: msgspec.Raw) -> Any:
    return work_pydantic.get(id=decode_get(params).id)


def list_subjects(params: msgspec.Raw) -> Any:
    raw = bytes(decode_list(params).filter)
    found = SubjectFilter.__pydantic_validator__.validate_json(raw)
    return work_pydantic.list_subjects(filter=found)


def create(params: msgspec.Raw) -> Any:
    given = decode_create(params)
    return work_pydantic.create(title=given.title, description=given.description)


def status(params: msgspec.Raw) -> Any:
    given = decode_status(params)
    return work_pydantic.status(id=given.id, status=given.status)


def answer(request_id: int | None, result: Any, out: bytearray) -> None:
    body = result.__pydantic_serializer__.to_json(result)
    out += b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (msgspec.json.encode(request_id), body)


def watch(request_id: int | None, out: bytearray) -> None:
    acknowledge(request_id, out)
    prefix = b'{"jsonrpc":"2.0","method":"subject/changed","params":{"id":'
    prefix += msgspec.json.encode(request_id) + b',"event":'
    for event in work_pydantic.watch():
        out += prefix
        out += event.__pydantic_serializer__.to_json(event)
        out += b"}}\n"
        if len(out) > FLUSH_BYTES:
            flush(out)


HANDLERS: Final[dict[str, Handler]] = {
    "task/get": get,
    "task/list": list_subjects,
    "task/create": create,
    "task/status": status,
}


def main() -> None:
    serve(HANDLERS, watch, answer)
