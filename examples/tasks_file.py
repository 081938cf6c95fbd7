"""Tasks in one JSON file, which you, your editor and other programs may change as well.

    python tasks_file.py      a host starts it, or you with `--manifest`

The file is `.animus/data/animus-subject-tasks-file/tasks.json` in the project, or where TASKS_FILE
says: `{"task:1": {"id": "task:1", "kind": "task", "title": "Say hello", ...}}`. It is made by the first
task. Nobody tells this plugin of a change, so it looks once a second while a host watches. Write
the file in one step, as this plugin does: under another name, then renamed.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Final

from animus_routes import App, Context, Depends, Env, NotFound, Unavailable
from animus_routes.batteries.paging import paginate
from animus_routes.batteries.places import make_folder, unwritable
from animus_routes.structs import subject as wire
from animus_routes.timestamps import now

import msgspec
from uuid import uuid4

Tasks = dict[str, wire.Subject]
WAIT_S: Final = 10.0  # for another process that changes the file
PAUSE_S: Final = 0.005


class Settings(msgspec.Struct):
    """What the environment says."""

    file: Annotated[Path | None, Env("TASKS_FILE", "Where the tasks are")] = None


def lifespan(ctx: Context, settings: Settings) -> Iterator[Path]:
    yield settings.file or ctx.data_dir / "tasks.json"


def the_file(ctx: Context[Path]) -> Path:
    return ctx.state


File = Annotated[Path, Depends(the_file)]

app = App(
    kind="subject_backend",
    name="animus-subject-tasks-file",
    version="0.1.0",
    description="Tasks in one JSON file",
    subject_kinds=["task"],
    settings=Settings,
    lifespan=lifespan,
)
app.watch_by_polling(every_s=1)


def read(file: Path) -> Tasks:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Tasks)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError, msgspec.DecodeError) as problem:
        raise Unavailable(f"{file}: {problem}") from problem


def take(lock: IO[str]) -> None:
    """Wait until no other process changes the file."""
    until = time.monotonic() + WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise Unavailable(f"{lock.name} was not free within {WAIT_S:g} s") from None
        else:
            return
        time.sleep(PAUSE_S)


@contextmanager
def changing(file: Path) -> Iterator[Tasks]:
    """The tasks, which are written at the end; one process of this plugin after the other."""
    make_folder(file)
    with file.with_suffix(".lock").open("a") as lock:
        take(lock)
        tasks = read(file)
        yield tasks
        written = file.with_suffix(".new")
        written.write_bytes(msgspec.json.format(msgspec.json.encode(tasks)))
        written.replace(file)


@app.method("subject/list")
def list_tasks(filter: wire.SubjectFilter, file: File) -> wire.SubjectList:
    found = sorted((t for t in read(file).values() if filter.matches(t)), key=lambda t: t.id)
    page = paginate(found, filter, key=lambda task: task.id)
    return wire.SubjectList(subjects=page.items, next_cursor=page.next_cursor)


@app.method("subject/get")
def get_task(id: str, file: File) -> wire.Subject | None:
    return read(file).get(id)


@app.method("subject/create")
def create_task(task: wire.SubjectCreateRequest, file: File) -> wire.Subject:
    given = {
        name: value for name, value in msgspec.structs.asdict(task).items() if value is not None
    }
    moment = now()
    new = wire.Subject(id=f"task:{uuid4().hex}", created_at=moment, updated_at=moment, **given)
    with changing(file) as tasks:
        tasks[new.id] = new
    return new


@app.method("subject/update")
def update_task(id: str, patch: wire.SubjectPatch, file: File) -> wire.Subject:
    with changing(file) as tasks:
        if id not in tasks:
            raise NotFound(f"task '{id}'")
        tasks[id] = patch.apply(tasks[id])
        return tasks[id]


@app.method("subject/delete")
def delete_task(id: str, file: File) -> None:
    with changing(file) as tasks:
        if tasks.pop(id, None) is None:
            raise NotFound(f"task '{id}'")


@app.health
def health(ctx: Context[Path | None]) -> str | None:
    if ctx.state is None:
        return None
    read(ctx.state)
    return unwritable(ctx.state)


@app.exception_handler(OSError)
def refuse(_ctx: Context, problem: OSError) -> Unavailable:
    return Unavailable(str(problem))


if __name__ == "__main__":
    app.run()
