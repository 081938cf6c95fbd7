"""Daemon events to chat, mail, phones and webhooks: a notifier over apprise.

Routes are in `.animus/notifier.yaml` under the project's root, or where ANIMUS_APPRISE_CONFIG says:

    routes:
      - name: ops
        events: ["workflow_failed", "task-*"]   # patterns of event_type; all if left out
        url_env: OPS_SLACK_URL                  # or `url:`; a secret stays in the environment
        type: failure                           # info, success, warning, failure
        title: "$event_type in $project_root"   # and `body:`; $name is a field of the event or of
                                                # its data, ${data} all of that
    retry: {attempts: 8, first_s: 5}

Without a file, ANIMUS_APPRISE_URL gets every event. Each event is in the outbox, a SQLite file, before
it is accepted, so nothing that was accepted is lost: `notifier/flush`, which a host calls on every
tick, delivers what is due at least once, and retries with growing pauses.
"""

import logging
import math
import os
import re
import sqlite3
import string
from collections.abc import Iterator
from contextlib import closing
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Lock
from time import monotonic, time
from typing import Annotated, Any, Final, Literal, NamedTuple, Self

from animus_routes import App, Context, Depends, Env, Unavailable
from animus_routes.batteries.sql import Database, Layout, Transaction
from animus_routes.batteries.sqlite import turn
from animus_routes.structs import notifier as wire

import msgspec
from msgspec import Meta, Struct, field

FLUSH_S: Final = 8.0  # a host gives a flush 15 s; the last delivery may take its own time-outs
LONGEST_PAUSE_S: Final = 3600.0
KEPT_S: Final = 7 * 86400.0  # how long a delivered event is remembered, should a host send it again
BUSY_S: Final = 5.0
MANY: Final = 1000  # rows that are counted, or removed at once
TAG: Final = "tag:yaml.org,2002:"
KINDS: Final = {type(None): "null", bool: "bool", int: "int", float: "float", str: "str"}
# A plain word or number as hosts read it, whose YAML is 1.2.
WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
WHOLE: Final = re.compile(r"[-+]?(0|[1-9][0-9]*|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)")
DECIMAL: Final = re.compile(r"(?![-+]?0[0-9]+$)[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
SPECIAL: Final = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
LONGEST: Final = 131  # "-0b" and 128 digits

TABLES: Final = (
    """CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL, route TEXT NOT NULL,
        event TEXT NOT NULL, state TEXT NOT NULL DEFAULT 'pending',
        attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL, error TEXT,
        UNIQUE (event_id, route))""",
    "CREATE INDEX outbox_due ON outbox (state, due)",
)


def build(db: Transaction, _found: int) -> None:
    for statement in TABLES:
        db.run(statement)


LAYOUT: Final = Layout("notifier", 1, "outbox", build)  # 0.1.0's as well
ENQUEUE: Final = "INSERT OR IGNORE INTO outbox (event_id, route, event, due) VALUES (?, ?, ?, ?)"
# A delivery that is taken is out of everybody's reach until its lease ends, in case we die with it.
TAKE: Final = """UPDATE outbox SET attempts = attempts + 1, due = :lease WHERE id =
    (SELECT id FROM outbox WHERE state = 'pending' AND due <= :now ORDER BY due, id LIMIT 1)
    RETURNING id, route, event, attempts"""
FORGET: Final = """DELETE FROM outbox WHERE id IN
    (SELECT id FROM outbox WHERE state = 'sent' AND due < ? ORDER BY due LIMIT ?)"""
DEAD: Final = "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE state = 'dead' LIMIT ?)"
SETTLE: Final = "UPDATE outbox SET state = ?, due = ?, error = ? WHERE id = ?"


class Route(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which events go where."""

    name: str
    events: list[str] = field(default_factory=lambda: ["*"])
    url: str | None = None
    url_env: str | None = None
    type: Literal["info", "success", "warning", "failure"] = "info"
    title: str = "$event_type"
    body: str = "${data}"

    def takes(self, event: wire.DaemonEventRecord) -> bool:
        return any(fnmatchcase(event.event_type, pattern) for pattern in self.events)

    def target(self) -> str:
        return self.url or os.environ.get(self.url_env or "", "")


class Retry(Struct, forbid_unknown_fields=True):
    """How often to retry, and how soon: the pause doubles from `first_s` on."""

    attempts: Annotated[int, Meta(ge=1)] = 8
    first_s: Annotated[float, Meta(ge=0)] = 5.0
    lease_s: Annotated[float, Meta(gt=0)] = 60.0

    def pause(self, attempts: int) -> float:
        return min(self.first_s * 2.0 ** (attempts - 1), LONGEST_PAUSE_S)


class Config(Struct, forbid_unknown_fields=True):
    """The YAML file."""

    routes: list[Route] = []
    retry: Retry = field(default_factory=Retry)


class Settings(Struct):
    """What the environment says."""

    config: Annotated[Path | None, Env("ANIMUS_APPRISE_CONFIG", "The YAML file of routes")] = None
    url: Annotated[str, Env("ANIMUS_APPRISE_URL", "Without a file: for all", sensitive=True)] = ""
    outbox: Annotated[Path | None, Env("ANIMUS_NOTIFIER_DB", "The outbox, in SQLite")] = None


class Delivery(NamedTuple):
    """One event for one route, taken from the outbox."""

    id: int
    route: str
    event: wire.DaemonEventRecord
    attempts: int


def scalar(text: str) -> float | str | None:
    """What a plain scalar stands for: `no`, `22:30`, `1_000` and `010` are text, `0o17` is 15."""
    if text in WORDS:
        return WORDS[text]
    if WHOLE.fullmatch(text) and len(text) <= LONGEST:
        number = int(text, 0)
        if -(2**127) <= number < 2**128:
            return number
    if SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    found = float(text) if DECIMAL.fullmatch(text) else math.inf
    return found if math.isfinite(found) else text


def read_yaml(text: bytes) -> Any:
    """A document in the YAML of hosts, which is 1.2.

    Raises:
        ValueError: It is no YAML.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> str:
            if kind is yaml.ScalarNode and implicit[0] and value != "<<":
                return f"{TAG}{KINDS[type(scalar(value))]}"
            inherited: Any = super().resolve
            return str(inherited(kind, value, implicit))

    Loader.add_constructor(f"{TAG}merge", lambda _, node: node.value)
    try:
        return yaml.load(text, Loader)  # noqa: S506 - it is a safe loader
    except (yaml.YAMLError, RecursionError) as problem:
        raise ValueError(str(problem)) from None


def read_config(root: Path, settings: Settings) -> Config:
    """The routes; a file that cannot be read refuses the handshake, with the reason."""
    path = settings.config or root / ".animus" / "notifier.yaml"
    if not settings.config and not path.exists():
        return Config([Route(name="default", url=settings.url)] if settings.url else [])
    try:
        config = msgspec.convert(read_yaml(path.read_bytes()) or {}, Config)
    except (OSError, ValueError, msgspec.ValidationError) as problem:
        raise Unavailable(f"{path}: {problem}") from problem
    names = [route.name for route in config.routes]
    for name in names:
        if names.count(name) > 1:
            raise Unavailable(f"{path}: two routes are named '{name}'")
    return config


def prepare(db: sqlite3.Connection) -> None:
    # FULL: what was accepted is on disk, whatever happens to this process or the machine.
    db.execute("PRAGMA synchronous = FULL")


class Outbox:
    """What was accepted, and what happened to it, in one SQLite file."""

    def __init__(self, path: Path, config: Config) -> None:
        self.path = path
        self.config = config
        self.flushing = Lock()
        self.database = Database(path, LAYOUT, wait_s=BUSY_S, wal=True, prepare=prepare)

    def connect(self) -> sqlite3.Connection:
        """A connection; the first one makes the file, so that a ping leaves nothing behind."""
        return self.database.connection()

    def route(self, name: str) -> Route | None:
        return next((route for route in self.config.routes if route.name == name), None)


def enqueue(
    box: Outbox, db: sqlite3.Connection, event: wire.DaemonEventRecord
) -> wire.NotifierNotifyResult:
    """Keep an event for every route that takes it; an event that is already known is ignored."""
    routes = [route for route in box.config.routes if route.takes(event)]
    document = msgspec.json.encode(event).decode()
    lifecycle: list[wire.NotifierLifecycleEvent] = []
    with turn(db, BUSY_S):
        db.execute(FORGET, [time() - KEPT_S, MANY])
        for route in routes:
            row = db.execute(ENQUEUE, [event.id, route.name, document, time()])
            if row.rowcount:
                delivery = Delivery(row.lastrowid or 0, route.name, event, 0)
                lifecycle.append(told("enqueued", delivery))
    return wire.NotifierNotifyResult(accepted=bool(routes), lifecycle_events=lifecycle)


def take(box: Outbox, db: sqlite3.Connection) -> Delivery | None:
    """The next delivery that is due, leased to this process."""
    now = time()
    with turn(db, BUSY_S):
        row = db.execute(TAKE, {"now": now, "lease": now + box.config.retry.lease_s}).fetchone()
    if row is None:
        return None
    number, route, document, attempts = row
    return Delivery(
        number, route, msgspec.json.decode(document, type=wire.DaemonEventRecord), attempts
    )


def settled(db: sqlite3.Connection, values: list[Any]) -> None:
    with turn(db, BUSY_S):
        db.execute(SETTLE, values)


def settle(
    box: Outbox, db: sqlite3.Connection, delivery: Delivery, error: str | None
) -> wire.NotifierLifecycleEvent:
    """Record how a delivery went; a failed one is retried after a pause, or given up."""
    retry = box.config.retry
    if error is None:
        settled(db, ["sent", time(), None, delivery.id])
        return told("sent", delivery)
    if delivery.attempts >= retry.attempts:
        settled(db, ["dead", time(), error, delivery.id])
        return told("dead-lettered", delivery, error=error)
    pause = retry.pause(delivery.attempts)
    settled(db, ["pending", time() + pause, error, delivery.id])
    return told("failed", delivery, error=error, retry_in_s=pause)


def told(what: str, delivery: Delivery, **more: Any) -> wire.NotifierLifecycleEvent:
    """What the daemon writes into its own log about a delivery."""
    event = delivery.event
    return wire.NotifierLifecycleEvent(
        event_type=f"notification-delivery-{what}",
        project_root=event.project_root,
        data={
            "delivery_id": delivery.id,
            "connector": delivery.route,
            "event_id": event.id,
            "event_type": event.event_type,
            "attempts": delivery.attempts,
            **more,
        },
    )


class Reasons(logging.Handler):
    """Why a delivery failed: apprise logs the reason, and returns only that it failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = "the service refused it"

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()

    def __enter__(self) -> Self:
        logging.getLogger("apprise").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("apprise").removeHandler(self)


class Sender:
    """apprise with one service per route, so that a service's own rate limit holds."""

    def __init__(self, box: Outbox) -> None:
        self.box = box
        self.services: dict[str, Any] = {}

    def send(self, delivery: Delivery) -> str | None:
        """Deliver; returns the reason if that fails, never with the URL, which may be a secret."""
        import apprise

        route = self.box.route(delivery.route)
        if route is None:
            return f"there is no longer a route '{delivery.route}'"
        if route.name not in self.services:
            service = apprise.Apprise()
            if not service.add(route.target()):
                where = route.url_env or "url"
                return f"'{where}' of route '{route.name}' is not a URL that apprise knows"
            self.services[route.name] = service
        values = texts(delivery.event)
        with Reasons() as reasons:
            done = self.services[route.name].notify(
                title=string.Template(route.title).safe_substitute(values),
                body=string.Template(route.body).safe_substitute(values) or " ",
                notify_type=route.type,
            )
        return None if done else reasons.last


def texts(event: wire.DaemonEventRecord) -> dict[str, str]:
    """An event's fields, and those of its data, for templates."""
    fields: dict[str, Any] = msgspec.to_builtins(event)
    inner = event.data if isinstance(event.data, dict) else {}
    found = {**inner, **fields}
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in found.items()
    }


# ---- the plugin ---------------------------------------------------------------------------------


def lifespan(ctx: Context, settings: Settings) -> Iterator[Outbox]:
    root = Path(ctx.project_root)
    path = settings.outbox or root / ".animus" / "notifier.sqlite3"
    yield Outbox(path, read_config(root, settings))


def the_outbox(ctx: Context[Outbox]) -> Outbox:
    return ctx.state


Box = Annotated[Outbox, Depends(the_outbox)]

app = App(
    kind="notifier",
    name="animus-notifier-apprise",
    version="0.1.0",
    description="Daemon events to any service apprise knows, with an outbox",
    settings=Settings,
    lifespan=lifespan,
)


@app.method("notifier/notify")
def notify(event: wire.DaemonEventRecord, box: Box) -> wire.NotifierNotifyResult:
    with closing(box.connect()) as db:
        return enqueue(box, db, event)


@app.method("notifier/flush", concurrent=True)
def flush(ctx: Context, box: Box) -> wire.NotifierFlushResult:
    """Deliver what is due, one by one, for as long as a host waits for a flush."""
    told_of: list[wire.NotifierLifecycleEvent] = []
    if not box.path.exists():
        return wire.NotifierFlushResult()  # nothing was ever accepted
    if not box.flushing.acquire(blocking=False):
        return wire.NotifierFlushResult()  # the flush in progress reports it
    end = monotonic() + FLUSH_S
    sender = Sender(box)
    try:
        with closing(box.connect()) as db:
            while not ctx.cancelled and monotonic() < end:
                delivery = take(box, db)
                if delivery is None:
                    break
                told_of.append(settle(box, db, delivery, sender.send(delivery)))
    finally:
        box.flushing.release()
    return wire.NotifierFlushResult(lifecycle_events=told_of)


@app.method("notifier/schema")
def schema(box: Box) -> wire.NotifierSchema:
    kinds = {route.target().partition(":")[0] for route in box.config.routes}
    return wire.NotifierSchema(connector_kinds=sorted(kinds - {""}))


@app.health
def health(ctx: Context[Outbox | None]) -> str | None:
    if ctx.state is None:
        return "the outbox is opened at its first use"
    box = ctx.state
    unset = [route.url_env for route in box.config.routes if route.url_env and not route.target()]
    if unset:
        return f"not set: {', '.join(unset)}"
    reason = box.database.check()
    if reason or not box.path.exists():
        return reason
    with closing(box.connect()) as db:
        (dead,) = db.execute(DEAD, [MANY]).fetchone()
    number = f"{MANY} or more" if dead == MANY else dead
    return f"{number} deliveries were given up" if dead else None


@app.exception_handler(sqlite3.Error)
@app.exception_handler(OSError)
def refuse(ctx: Context[Outbox | None], problem: sqlite3.Error | OSError) -> Unavailable:
    return Unavailable(f"{ctx.state.path}: {problem}" if ctx.state else str(problem))


@app.exception_handler(msgspec.DecodeError)
def damaged(_ctx: Context, problem: msgspec.DecodeError) -> Unavailable:
    return Unavailable(f"what is stored is damaged: {problem}")


if __name__ == "__main__":
    app.run()
