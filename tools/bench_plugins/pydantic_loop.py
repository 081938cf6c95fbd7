"""A plugin as a person writes it by hand: lines from stdin, json, pydantic models, print."""

import json
import sys
from collections.abc import Callable
from typing import Any, Final, Literal

from pydantic import BaseModel
from rows import EVENT_COUNT, FETCHED_AT, FIRST, NAME_PREFIX, ROWS, Row, be_busy

Status = Literal["ready", "in-progress", "blocked", "done", "cancelled"]


class GetParams(BaseModel):
    id: str


class ListParams(BaseModel):
    status: list[Status] = []
    limit: int | None = None


class CreateParams(BaseModel):
    title: str
    description: str = ""


class StatusParams(BaseModel):
    id: str
    status: Status


class Subject(BaseModel):
    id: str
    kind: str
    title: str
    description: str | None = None
    status: Status
    priority: int | None = None
    labels: list[str] = []
    assignee: str | None = None
    native_status: str | None = None
    url: str | None = None
    created_at: str
    updated_at: str


class SubjectList(BaseModel):
    subjects: list[Subject]
    next_cursor: str | None = None
    fetched_at: str


class SubjectChangedEvent(BaseModel):
    id: str
    change_kind: str
    subject: Subject


class Changed(BaseModel):
    id: int
    event: SubjectChangedEvent


class PluginInfo(BaseModel):
    name: str
    version: str
    plugin_kind: str
    description: str


class Manifest(PluginInfo):
    protocol_version: str
    capabilities: list[str]


class Capabilities(BaseModel):
    methods: list[str]
    subject_kinds: list[str]
    streaming: bool = True


class InitializeResult(BaseModel):
    protocol_version: str
    plugin_info: PluginInfo
    capabilities: Capabilities


METHODS: Final = [f"task/{verb}" for verb in ("list", "get", "create", "status", "watch")]
INFO: Final = PluginInfo(
    name=f"{NAME_PREFIX}-by-hand",
    version="1.0.0",
    plugin_kind="subject_backend",
    description="A loop by hand",
)


def to_subject(row: Row) -> Subject:
    return Subject(
        id=row.id,
        kind="task",
        title=row.title,
        description=row.description,
        status=row.status,
        priority=row.priority,
        labels=list(row.labels),
        assignee=row.assignee,
        native_status=row.native_status,
        url=row.url,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def initialize(_: dict[str, Any]) -> BaseModel:
    capabilities = Capabilities(methods=METHODS, subject_kinds=["task"])
    return InitializeResult(protocol_version="1.1.0", plugin_info=INFO, capabilities=capabilities)


def get(params: dict[str, Any]) -> BaseModel:
    return to_subject(ROWS[GetParams.model_validate(params).id])


def list_subjects(params: dict[str, Any]) -> BaseModel:
    rows = list(ROWS.values())[: ListParams.model_validate(params).limit]
    subjects = [to_subject(row) for row in rows]
    return SubjectList(subjects=subjects, fetched_at=FETCHED_AT)


def create(params: dict[str, Any]) -> BaseModel:
    request = CreateParams.model_validate(params)
    created = to_subject(FIRST)
    created.title = request.title
    created.description = request.description[:80]
    return created


def status(params: dict[str, Any]) -> BaseModel:
    request = StatusParams.model_validate(params)
    be_busy(request.id)
    changed = to_subject(FIRST)
    changed.status = request.status
    return changed


HANDLERS: Final[dict[str, Callable[[dict[str, Any]], BaseModel]]] = {
    "initialize": initialize,
    "task/get": get,
    "task/list": list_subjects,
    "task/create": create,
    "task/status": status,
}


def dump(model: BaseModel) -> dict[str, Any]:
    return model.model_dump(mode="json", exclude_none=True)


def send(frame: dict[str, Any]) -> None:
    print(json.dumps({"jsonrpc": "2.0", **frame}), flush=True)


def watch(request_id: int) -> None:
    send({"id": request_id, "result": {}})
    changed = to_subject(FIRST)
    for _ in range(EVENT_COUNT):
        event = SubjectChangedEvent(id=changed.id, change_kind="updated", subject=changed)
        params = dump(Changed(id=request_id, event=event))
        send({"method": "subject/changed", "params": params})


def main() -> None:
    if "--manifest" in sys.argv:
        capabilities = ["subject_kind:task", *METHODS]
        manifest = Manifest(**dump(INFO), protocol_version="1.1.0", capabilities=capabilities)
        print(manifest.model_dump_json())
        return
    for line in sys.stdin:
        frame = json.loads(line)
        method = frame["method"]
        if method in HANDLERS:
            result = HANDLERS[method](frame.get("params") or {})
            send({"id": frame["id"], "result": dump(result)})
        elif method == "subject/watch":
            watch(frame["id"])
        elif method in {"$/ping", "shutdown"}:
            send({"id": frame["id"], "result": {}})
        elif method == "exit":
            return
