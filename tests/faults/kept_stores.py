"""The examples that store something, as data: what writes a numbered thing, and what finds it again."""

import json
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from faulty_hosts import EXAMPLES, INSTALLED

from animus_routes.host import Plugin

AT: Final = "2026-01-31T09:30:00Z"
SCOPE: Final = {"repo_scope": "scope"}
OWN: Final = {"project_id": "p"}
RUN: Final = {"run_id": "r", "phase_id": "p"}
CHANNEL: Final = {"tenant_id": "t-1", "connection_id": "wa-1"}
NOBODY: Final = "http://127.0.0.1:1/"
MANY: Final = 200  # things that a store of triggers has events for
PAGE: Final = 1000

Call = tuple[str, Any]
Tokens = dict[int, str]  # what a thing is called, where the plugin names it


def text(number: int) -> str:
    """What is stored of a thing: half of it, or another one's, is told from the whole."""
    return f"{number} " + f"word {number} é " * 20


def number_of(found: str) -> int:
    number = int(found.split(" ", 1)[0])
    assert found == text(number), f"torn: {found!r}"
    return number


class Store(NamedTuple):
    """An example that stores.

    Attributes:
        example: Its file's name.
        file: What it keeps things in, below the project.
        write: The call that stores the thing with a number.
        read: The numbers that are found, each as often as it is there.
        prepare: Makes a project before the first start.
        begin: What a host does first with each process.
        sql: Is it an SQLite file?
        only_last: A write replaces the one before.
    """

    example: str
    file: str
    write: Callable[[int, Path, Tokens], Call]
    read: Callable[[Plugin, Path, Tokens], Iterable[int]]
    prepare: Callable[[Path], object] = lambda _: None
    begin: Callable[[Plugin, Path, Tokens], object] = lambda *_: None
    sql: bool = True
    only_last: bool = False

    @property
    def command(self) -> list[str]:
        return [sys.executable, str(EXAMPLES / f"{self.example}.py")]

    def make(self, folder: Path) -> Path:
        """A project in which this plugin has not been yet."""
        project = folder / "project"
        (project / ".animus").mkdir(parents=True)
        self.prepare(project)
        return project

    def start(self, project: Path, lines: list[bytes] | None = None) -> Plugin:
        """A process after its handshake; what it writes is added to `lines`."""
        env = {
            **INSTALLED,
            "ANIMUS_APPRISE_URL": NOBODY.replace("http", "json"),
            # Where no file may grow, Python would leave half of a module's code for all who come later.
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        heard = None if lines is None else lines.append
        plugin = Plugin.start(self.command, cwd=project, env=env, on_frame=heard)
        try:
            bound = {"project_root": str(project), "repo_scope": "scope"}
            plugin.initialize({"project_binding": bound})
        except BaseException:
            plugin.kill()
            raise
        return plugin

    @contextmanager
    def served(self, project: Path, tokens: Tokens) -> Iterator[Plugin]:
        """A process that has begun; killed at the end, whatever it does then."""
        plugin = self.start(project)
        try:
            self.begin(plugin, project, tokens)
            yield plugin
        finally:
            plugin.kill()


def plain(method: str, params: Callable[[int], Any]) -> Callable[[int, Path, Tokens], Call]:
    return lambda number, _project, _tokens: (method, params(number))


def listed(
    method: str, query: dict[str, Any], items: str, one: Callable[[Any], str], after: str = "cursor"
) -> Callable[[Plugin, Path, Tokens], Iterable[int]]:
    """Reads every page of a list."""

    def read(plugin: Plugin, _project: Path, _tokens: Tokens) -> Iterator[int]:
        asked = dict(query)
        while True:
            page = plugin.call(method, asked)
            yield from (number_of(one(item)) for item in page[items])
            if not page.get(f"next_{after}"):
                return
            asked[after] = page[f"next_{after}"]

    return read


def rows(file: str, sql: str) -> Callable[[Plugin, Path, Tokens], Iterable[int]]:
    """Reads with SQLite itself what no method of the plugin lists."""

    def read(_plugin: Plugin, project: Path, tokens: Tokens) -> list[int]:
        numbers = {name: number for number, name in tokens.items()}
        with closing(sqlite3.connect(project / file)) as db:
            found = [name for (name,) in db.execute(sql)]
        return [numbers[name] if numbers else int(name) for name in found]

    return read


def dispatch(number: int) -> dict[str, Any]:
    task = {"kind": "animus.task", "id": text(number)}
    return {"subject": task, "workflow_ref": "w", "trigger_source": "t", "requested_at": AT}


def entry(number: int) -> dict[str, Any]:
    own = {"id": str(number), "ts": AT, "level": "info", "source": "daemon", "target": "t"}
    return {**own, "message": text(number)}


def event(number: int) -> dict[str, Any]:
    own = {"schema": "animus.daemon.event.v1", "id": str(number), "seq": number, "data": {}}
    return {"event": {**own, "timestamp": AT, "event_type": "task-done"}}


def incoming(number: int) -> dict[str, Any]:
    own = {"schema": "animus.channel.v1", "scope": CHANNEL, "message_id": str(number)}
    return {**own, "peer_id": "+1555", "text": text(number), "occurred_at": AT}


def connections(project: Path) -> None:
    connection = {**CHANNEL, "url": NOBODY, "token": "secret"}
    file = project / ".animus" / "channels.json"
    file.write_text(json.dumps({"connections": [connection]}), "utf-8")


def conversation(plugin: Plugin, _project: Path, _tokens: Tokens) -> None:
    plugin.request("conversation/create", {**SCOPE, "id": "c"})  # it may be there


def remembered(plugin: Plugin, _project: Path, _tokens: Tokens) -> Iterator[int]:
    """What is found by the keys that there may be: nothing lists them."""
    asked = {n: plugin.request("memory/get", {"scope": OWN, "key": str(n)}) for n in range(MANY)}
    for number, request in asked.items():
        answer = plugin.reply(request)
        if answer["found"]:
            assert number_of(answer["value"]) == number
            yield number


def reserved(plugin: Plugin, _project: Path, _tokens: Tokens) -> list[int]:
    runs = plugin.call("durable/recover_in_flight", {"since_epoch": 0})["in_flight"]
    steps = [step for run in runs for step in run["replay_state"]["reservations"]]
    return [number_of(step["step_name"]) for step in steps]


def step(number: int) -> dict[str, Any]:
    return {**RUN, "step_name": text(number), "idempotency_key": str(number)}


def configured(number: int, project: Path, _tokens: Tokens) -> Call:
    own = {"schema": "animus.workflow-config.v2", "version": 2, "config": {"note": text(number)}}
    return "config/write", {"project_root": str(project), "config": own}


def configuration(plugin: Plugin, project: Path, _tokens: Tokens) -> list[int]:
    found = plugin.call("config/load", {"project_root": str(project)})["config"]["config"]
    return [number_of(found["note"])] if found else []


def acknowledged(number: int, _project: Path, tokens: Tokens) -> Call:
    return "trigger/ack", {"event_id": tokens[number], "status": "queued"}


ACKNOWLEDGED: Final = "SELECT id FROM outbox WHERE done IS NOT NULL"
TICK: Final = "tick@"
FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


def ticking(plugin: Plugin, _project: Path, tokens: Tokens) -> None:
    """A watch; the first one is told of every second of the last minutes."""
    config = {"cron": "* * * * * *", "missed": "all"}
    watch: dict[str, Any] = {"triggers": [{"id": "tick", "config": config}]}
    if tokens:
        plugin.call("trigger/watch", watch)
        return
    start = datetime.now(UTC) - timedelta(seconds=MANY + 5)
    plugin.call("trigger/watch", {**watch, "cursor": start.strftime(FORMAT)})
    for number in range(MANY):
        tokens[number] = plugin.next_notification("trigger/event", 30).params["event_id"]


def changing(plugin: Plugin, project: Path, tokens: Tokens) -> None:
    """A watch; during the first one, files are made."""
    config = {"paths": ["docs"], "debounce_ms": 50}
    plugin.call("trigger/watch", {"triggers": [{"id": "docs", "config": config}]})
    if tokens:
        return
    for number in range(MANY):
        (project / "docs" / str(number)).touch()
    while len(tokens) < MANY:
        told = plugin.next_notification("trigger/event", 30).params
        tokens[int(Path(told["payload"]["path"]).name)] = told["event_id"]


def counted(plugin: Plugin, project: Path, tokens: Tokens) -> list[int]:
    """Acknowledged ticks; those of while this ran have no number."""
    with closing(sqlite3.connect(project / ".animus" / "trigger-cron.sqlite3")) as db:
        found = {name for (name,) in db.execute(ACKNOWLEDGED)}
    return [number for number, name in tokens.items() if name in found]


STORES: Final = (
    Store(
        "queue_sql",
        ".animus/queue.sqlite3",
        plain("queue/enqueue", lambda n: {"subject_dispatch": dispatch(n)}),
        listed(
            "queue/list",
            {"limit": PAGE},
            "entries",
            lambda one: str(one["subject_dispatch"]["subject"]["id"]),
        ),
    ),
    Store(
        "durable_sql",
        ".animus/durable.sqlite3",
        plain("durable/begin_step", step),
        reserved,
        begin=lambda plugin, *_: plugin.request(
            "durable/begin_workflow_run", {**RUN, "inputs": {}}
        ),
    ),
    Store(
        "conversations_sql",
        ".animus/conversations.sqlite3",
        plain(
            "conversation/append_message",
            lambda n: {
                **SCOPE,
                "id": "c",
                "message": {"seq": n, "role": "user", "content": text(n), "recorded_at": AT},
            },
        ),
        listed(
            "conversation/load_messages",
            {**SCOPE, "id": "c"},
            "messages",
            lambda one: str(one["content"]),
        ),
        begin=conversation,
    ),
    Store(
        "tasks_sqlite",
        ".animus/tasks.sqlite3",
        plain("task/create", lambda n: {"title": text(n)}),
        listed("task/list", {"limit": PAGE}, "subjects", lambda one: str(one["title"])),
    ),
    Store(
        "logs_sqlite",
        ".animus/logs.sqlite3",
        plain("log_storage/store", lambda n: {"entries": [entry(n)]}),
        listed("log_storage/query", {"limit": PAGE}, "entries", lambda one: str(one["message"])),
    ),
    Store(
        "logs_jsonl",
        ".animus/data/animus-log-storage-jsonl/logs.jsonl",
        plain("log_storage/store", lambda n: {"entries": [entry(n)]}),
        listed("log_storage/query", {"limit": PAGE}, "entries", lambda one: str(one["message"])),
        sql=False,
    ),
    Store(
        "memory_sqlite",
        ".animus/memory.sqlite3",
        plain("memory/put", lambda n: {"scope": OWN, "key": str(n), "value": text(n)}),
        remembered,
    ),
    Store(
        "journal_sqlite",
        ".animus/journal.sqlite3",
        plain(
            "journal/record",
            lambda n: {
                "event": {"run_id": "w", "kind": "phase_started", "ts": AT, "said": text(n)}
            },
        ),
        listed(
            "journal/events",
            {"run_id": "w", "limit": PAGE},
            "events",
            lambda one: str(one["said"]),
        ),
    ),
    Store(
        "notifier_apprise",
        ".animus/notifier.sqlite3",
        plain("notifier/notify", event),
        rows(".animus/notifier.sqlite3", "SELECT event_id FROM outbox"),
    ),
    Store(
        "channel_webhook",
        ".animus/channel.sqlite3",
        plain("channel/receive", incoming),
        rows(".animus/channel.sqlite3", "SELECT message_id FROM inbound"),
        prepare=connections,
    ),
    Store(
        "trigger_cron",
        ".animus/trigger-cron.sqlite3",
        acknowledged,
        counted,
        begin=ticking,
    ),
    Store(
        "trigger_files",
        ".animus/trigger-files.sqlite3",
        acknowledged,
        rows(".animus/trigger-files.sqlite3", ACKNOWLEDGED),
        prepare=lambda project: (project / "docs").mkdir(),
        begin=changing,
    ),
    Store(
        "tasks_file",
        ".animus/data/animus-subject-tasks-file/tasks.json",
        plain("task/create", lambda n: {"title": text(n)}),
        listed("task/list", {"limit": PAGE}, "subjects", lambda one: str(one["title"])),
        sql=False,
    ),
    Store(
        "config_yaml",
        ".animus/config.yaml",
        configured,
        configuration,
        sql=False,
        only_last=True,
    ),
)
BY_NAME: Final = {store.example: store for store in STORES}
