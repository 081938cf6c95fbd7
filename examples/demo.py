"""Show the SQLite example at work: fill it, serve it as a host does, and kill it halfway.

    python examples/demo.py

Everything happens in a temporary directory. The exit code is 0 only if all of it came out right.
"""

import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from animus_routes.host import Plugin

HERE: Final = Path(__file__).resolve().parent
PLUGIN: Final = [sys.executable, str(HERE / "tasks_sqlite.py")]
REQUIREMENTS: Final = HERE / "data" / "protocol-requirements.csv"
BEFORE_KILL: Final = 50


def say(text: str = "") -> None:
    print(text, flush=True)


def show(method: str, answer: Mapping[str, Any]) -> None:
    say(f"  {method:<14} {answer['id']:<13} {answer['native_status']:<12} {answer['title'][:60]}")


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        raise SystemExit(f"demo: {what}: expected {wanted!r}, found {found!r}")


@contextmanager
def served(project: Path) -> Iterator[Plugin]:
    """The plugin after the handshake, started as the host starts it."""
    # PYTHONPATH is for a clone that is not installed. A host forwards it only if it is declared.
    with Plugin.start(PLUGIN, cwd=project, env_required=["PYTHONPATH"]) as plugin:
        plugin.initialize()
        yield plugin


def every_task(plugin: Plugin, **query: Any) -> Iterator[dict[str, Any]]:
    """All pages of a list, one after the other."""
    cursor = None
    while True:
        page = plugin.call("task/list", {"filter": {**query, "limit": 50, "cursor": cursor}})
        yield from page["subjects"]
        cursor = page.get("next_cursor")
        if cursor is None:
            return


def seed(project: Path) -> int:
    command = [*PLUGIN, "import", str(REQUIREMENTS)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    expect("import", done.returncode, 0)
    say(f"$ python tasks_sqlite.py import {REQUIREMENTS.name}")
    say(f"  {done.stdout.strip().replace(str(project) + os.sep, '')}")
    return len(REQUIREMENTS.read_text("utf-8").splitlines()) - 1


def read(plugin: Plugin, seeded: int) -> None:
    say("\nA host lists and reads")
    tasks = list(every_task(plugin))
    expect("tasks listed, page by page", len({task["id"] for task in tasks}), seeded)
    statuses = Counter(task["native_status"] for task in tasks)
    say(f"  task/list      {seeded} tasks: {', '.join(f'{n} {s}' for s, n in statuses.items())}")
    critical = plugin.call("task/list", {"labels_any": ["manifest"], "status": ["ready"]})
    for task in critical["subjects"][:3]:
        show("task/list", task)
    following = plugin.call("task/next")
    expect("next is critical", following["priority"], 4)
    show("task/next", following)


def change(plugin: Plugin) -> str:
    say("\nIt watches, and changes something")
    watch = plugin.request("subject/watch", {"filter": {"labels_any": ["demo"]}})
    expect("the watch is acknowledged", plugin.reply(watch), {"watching": True})
    task = plugin.call("task/create", {"title": "Try animus-routes", "labels": ["demo"]})
    show("task/create", task)
    patch = {"assignee": "kim", "native_status": "In Review", "comment": "Works here."}
    task = plugin.call("task/update", {"id": task["id"], "patch": patch})
    show("task/update", task)
    show("task/status", plugin.call("task/status", {"id": task["id"], "status": "done"}))
    seen: list[str] = []
    while seen.count("status-changed") < 2:
        params = plugin.next_notification("subject/changed").params
        expect("the event names its watch", params["id"], watch)
        event = params["event"]
        seen.append(event["change_kind"])
        was = event.get("previous_native_status", "")
        say(
            f"  subject/changed {event['change_kind']:<18} {was:<10} -> {event['subject']['native_status']}"
        )
    plugin.notify("subject/unwatch", {"watch_id": str(watch)})
    expect("what the watch saw first", seen[0], "created")
    return str(task["id"])


def kill_and_count(project: Path) -> None:
    say("\nkill -9 in the middle of the work")
    with served(project) as plugin:
        requests = [
            plugin.request("task/create", {"title": f"Task {n}", "labels": ["kept"]})
            for n in range(BEFORE_KILL * 2)
        ]
        answered = [plugin.reply(request)["id"] for request in requests[:BEFORE_KILL]]
        plugin.kill()
    with served(project) as plugin:
        kept = {task["id"] for task in every_task(plugin, labels_any=["kept"])}
        expect("answered tasks that were lost", set(answered) - kept, set())
        expect("its health", plugin.call("health/check")["status"], "healthy")
        expect("its exit code", plugin.shutdown(), 0)
    say(
        f"  {len(answered)} creates were answered before the kill, and all are there; health: healthy"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder).resolve()
        seeded = seed(project)
        with served(project) as plugin:
            read(plugin, seeded)
            created = change(plugin)
            expect("its exit code", plugin.shutdown(), 0)
        with served(project) as plugin:
            expect("after a restart", plugin.call("task/get", {"id": created})["status"], "done")
        kill_and_count(project)
    say("\nAll of it came out right.")


if __name__ == "__main__":
    main()
