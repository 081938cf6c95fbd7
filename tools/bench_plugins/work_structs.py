"""An author's functions, typed by the framework's msgspec Structs: the plugin and the bare loop run them."""

from collections.abc import Iterator

from rows import EVENT_COUNT, FETCHED_AT, FIRST, ROWS, Row, be_busy

from animus_routes.structs.subject import (
    Subject,
    SubjectChangedEvent,
    SubjectFilter,
    SubjectList,
    SubjectStatus,
)


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


def get(id: str) -> Subject:
    return subject(ROWS[id])


def list_subjects(filter: SubjectFilter) -> SubjectList:
    rows = list(ROWS.values())[: filter.limit]
    return SubjectList(subjects=[subject(row) for row in rows], fetched_at=FETCHED_AT)


def create(title: str, description: str = "") -> Subject:
    created = subject(FIRST)
    created.title = title
    created.description = description[:80]
    return created


def status(id: str, status: SubjectStatus) -> Subject:
    be_busy(id)
    changed = subject(FIRST)
    changed.status = status
    return changed


def watch() -> Iterator[SubjectChangedEvent]:
    changed = subject(FIRST)
    for _ in range(EVENT_COUNT):
        yield SubjectChangedEvent(id=changed.id, change_kind="updated", subject=changed)
