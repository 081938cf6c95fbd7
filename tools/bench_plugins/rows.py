"""The work that every contender does: rows of plain values, as a database would hand them out."""

import time
from typing import Final, Literal, NamedTuple

NAME_PREFIX: Final = "animus-subject-bench"
EVENT_COUNT: Final = 100_000
BUSY_S: Final = 1.0
FETCHED_AT: Final = "2026-03-02T08:00:00Z"


class Row(NamedTuple):
    """One subject of about 400 bytes of JSON."""

    id: str
    title: str
    description: str
    status: Literal["ready", "in-progress", "blocked", "done", "cancelled"]
    priority: int
    labels: tuple[str, ...]
    assignee: str
    native_status: str
    url: str
    created_at: str
    updated_at: str


def _row(number: int) -> Row:
    return Row(
        id=f"task:{number}",
        title=f"Number {number}: keep the index of open tasks in step",
        description="The index is rebuilt on start; a change that arrives meanwhile is lost.",
        status="ready",
        priority=2,
        labels=("index", "start-up"),
        assignee="agent:indexer",
        native_status="Next up",
        url=f"https://tasks.example/{number}",
        created_at="2026-02-11T09:30:00Z",
        updated_at="2026-03-01T17:45:12.250Z",
    )


ROWS: Final = {row.id: row for row in map(_row, range(50))}
FIRST: Final = ROWS["task:0"]


def be_busy(how: str) -> None:
    """Hold the calling thread for a second: asleep, or computing in Python."""
    if how == "sleep":
        time.sleep(BUSY_S)
        return
    end = time.monotonic() + BUSY_S
    while time.monotonic() < end:
        pass
