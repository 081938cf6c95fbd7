"""Tasks and bugs that say in `custom` what their handler was given."""

import sys
from typing import Any

from animus_routes import App, Context
from animus_routes.structs import subject as structs
from animus_routes.types import subject as types

wire: Any = types if "--pydantic" in sys.argv else structs
KINDS = ["task", "bug"] if "--two" in sys.argv else ["task"]

app = App(
    kind="subject_backend",
    name="subjects",
    version="1.0.0",
    description="Says what it was given",
    subject_kinds=KINDS,
)


def told(ctx: Context, **given: Any) -> dict[str, Any]:
    return {
        "id": str(given.get("id", "x:1")),
        "kind": ctx.kind or "",
        "title": ctx.method,
        "custom": {"kind": ctx.kind, **given},
    }


def list_subjects(filter: Any, ctx: Context) -> list[dict[str, Any]]:
    return [told(ctx, kinds=filter.kind, status=filter.status)]


list_subjects.__annotations__["filter"] = wire.SubjectFilter
app.method("subject/list")(list_subjects)


@app.method("subject/get")
def get(id: str, ctx: Context) -> dict[str, Any]:
    return told(ctx, id=id)


def create(new: Any, ctx: Context) -> dict[str, Any]:
    return told(ctx, new_kind=new.kind, status=new.status, priority=new.priority)


create.__annotations__["new"] = wire.SubjectCreateRequest
app.method("subject/create")(create)


def update(id: str, patch: Any, ctx: Context) -> dict[str, Any]:
    return told(ctx, id=id, status=patch.status, priority=patch.priority)


update.__annotations__["patch"] = wire.SubjectPatch
app.method("subject/update")(update)


@app.method("subject/status")
def status(id: str, status: structs.SubjectStatus, ctx: Context) -> dict[str, Any]:
    return told(ctx, id=id, status=status)


@app.method("subject/next")
def next_subject(ctx: Context, kind: str | None = None) -> dict[str, Any]:
    return told(ctx, next_kind=kind)


def watch(ctx: Context, filter: Any = None, kind: str | None = None) -> Any:
    given = filter and {"kinds": filter.kind, "status": filter.status}
    subject = told(ctx, filter=given, watch_kind=kind)
    yield {"id": "x:1", "change_kind": "updated", "subject": subject}
    ctx.wait(60)


watch.__annotations__["filter"] = wire.SubjectFilter | None
app.method("subject/watch")(watch)

if __name__ == "__main__":
    sys.argv[1:] = []
    app.run()
