"""Start workflows by the clock: cron expressions in any time zone, to the second.

    triggers:
      - id: nightly
        type: plugin
        config: {cron: "0 3 * * mon-fri", timezone: Europe/Berlin}

A trigger's `config` has `cron` (five fields, or six with the seconds first, or `@daily` and the
like), `timezone` (UTC if left out) and `missed`: what to do about ticks that passed while nothing
was running. `last` sends only the latest, `all` sends each once (the newest thousand at most), and
`none` sends none. If a host does not tell the plugin its triggers, they come from the variable
CRON_TRIGGERS: `{"nightly": {"cron": "0 3 * * *"}}`.

A time that a clock change skips ticks right after the change; one that it repeats ticks once. The
last tick of each trigger, and those that the host has not accepted yet, are kept in the project's
`.animus/trigger-cron.sqlite3`, or where CRON_STATE says; a `.json` of that name, which 0.1.0 wrote,
is read once. What was not acknowledged is sent again after a restart, with the same event id, unless
the host says with a cursor where to go on.
"""

import json
import os
from collections.abc import Container, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import heapify, heapreplace
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from animus_routes import App, Context, InvalidRequest, Unavailable
from animus_routes.batteries.outbox import Outbox
from animus_routes.batteries.sql import Database, Layout, Transaction
from animus_routes.structs.plugin import TriggerEvent, TriggerWatchParams
from animus_routes.structs.trigger import TriggerSchema

import msgspec
from croniter import croniter
from msgspec import Struct, ValidationError

LATE: Final = timedelta(seconds=5)  # a tick older than this was missed
AGAIN_S: Final = 1.0  # how soon a file that could not be written is tried again; later ever rarer
LOOK_S: Final = 30.0  # how often the wall clock is read again: it may be set, or have stood still
CAUGHT_UP: Final = {"last": 1, "none": 1, "all": 1000}
FIELDS: Final = 6
FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"
LATER: Final = "UPDATE cron_ticks SET until = max(until, ?) WHERE trigger_id = ?"


class Plan(Struct, forbid_unknown_fields=True, frozen=True):
    """One trigger's `config`."""

    cron: str
    timezone: str = "UTC"
    missed: Literal["last", "all", "none"] = "last"

    def __post_init__(self) -> None:
        if len(self.cron.split()) > FIELDS:  # a seventh, the year, comes to an end
            raise ValueError("cron: five fields, or six with the seconds first")


class Kept:
    """The ticks that the host has not accepted, and the last one of each trigger, in one file."""

    def __init__(self, file: Path) -> None:
        self.file = file.with_suffix(".sqlite3") if file.suffix == ".json" else file
        layout = Layout("trigger_cron", 1, "cron_ticks", self._build)
        self.database = Database(self.file, layout, wal=True)
        self.outbox = Outbox(self.file)

    def _build(self, db: Transaction, _found: int) -> None:
        before = self.file.with_suffix(".json")
        db.run("CREATE TABLE cron_ticks (trigger_id TEXT PRIMARY KEY, until TEXT NOT NULL)")
        text = before.read_bytes() if before.exists() else b"{}"
        known = msgspec.json.decode(text, type=dict[str, str])
        db.run_each("INSERT INTO cron_ticks VALUES (?, ?)", known.items())

    def until(self, triggers: Iterable[str], otherwise: datetime) -> dict[str, datetime]:
        """The last tick of each trigger; a new one starts with `otherwise`."""
        find = "SELECT until FROM cron_ticks WHERE trigger_id = ?"
        with self.database.read() as db:
            known = {trigger: db.value(find, trigger) for trigger in triggers}
        return {one: datetime.fromisoformat(at) if at else otherwise for one, at in known.items()}

    def begin(self, triggers: Iterable[str], now: datetime) -> None:
        """Remember when those that are new started."""
        start = now.strftime(FORMAT)
        with self.database.write() as db:
            new = ((trigger, start) for trigger in triggers)
            db.run_each("INSERT INTO cron_ticks VALUES (?, ?) ON CONFLICT DO NOTHING", new)

    def add(self, events: list[TriggerEvent], until: dict[str, datetime]) -> None:
        """Keep ticks until they are accepted, and how far they take their triggers."""
        last = [(tick.strftime(FORMAT), trigger) for trigger, tick in until.items()]
        rows = ((event.event_id, event) for event in events)
        self.outbox.add_all(rows, also=lambda db: db.run_each(LATER, last))

    def waiting(self, triggers: Container[str]) -> Iterator[TriggerEvent]:
        for _, event in self.outbox.waiting():
            if event["trigger_id"] in triggers:
                yield TriggerEvent(**event)


def kept(ctx: Context) -> Iterator[Kept]:
    default = Path(ctx.project_root, ".animus", "trigger-cron.sqlite3")
    state = Kept(Path(os.environ.get("CRON_STATE") or default))
    yield state
    state.outbox.close()
    state.database.close()


app = App(
    kind="trigger_backend",
    name="animus-trigger-cron",
    version="0.1.0",
    description="Starts workflows by cron expressions in any time zone",
    env_required=[
        {"name": "CRON_TRIGGERS", "description": "JSON: each trigger's id with its config"},
        {"name": "CRON_STATE", "description": "The file that remembers what the host has accepted"},
    ],
    lifespan=kept,
)


def ticks(plan: Plan, start: datetime, *, backwards: bool = False) -> Iterator[datetime]:
    """All ticks of a plan after a moment, or before it."""
    zone = ZoneInfo(plan.timezone)
    hours = plan.cron.split()[-4:-3]
    every_hour = not hours or hours[0].startswith("*")
    found = croniter(plan.cron, start.astimezone(zone), second_at_beginning=True)
    while True:
        tick = (found.get_prev if backwards else found.get_next)(datetime).astimezone(UTC)
        if every_hour or not tick.astimezone(zone).fold:
            yield tick


@lru_cache(maxsize=4096)
def next_tick(plan: Plan, start: datetime) -> datetime:
    """The first tick after a moment; many triggers have one plan."""
    return next(ticks(plan, start))


class Schedule:
    """One trigger's ticks after `until`."""

    def __init__(self, trigger: str, plan: Plan, until: datetime) -> None:
        self.trigger = trigger
        self.plan = plan
        self.until = until
        self.next = next_tick(plan, until)

    def due(self, now: datetime) -> list[datetime]:
        """What to send now, oldest first; it is not due again."""
        newest: list[datetime] = []
        # The tick of this very moment is one of them.
        for tick in ticks(self.plan, now + timedelta(milliseconds=1), backwards=True):
            if tick <= self.until or len(newest) == CAUGHT_UP[self.plan.missed]:
                break
            newest.append(tick)
        self.until = max([self.until, *newest])
        self.next = next_tick(self.plan, self.until)
        if self.plan.missed == "none":
            return [tick for tick in newest if now - tick < LATE]
        return newest[::-1]

    def event(self, tick: datetime, now: datetime) -> TriggerEvent:
        at = tick.strftime(FORMAT)
        payload = {
            "kind": "cron_tick",
            "scheduled_at": at,
            "local_time": tick.astimezone(ZoneInfo(self.plan.timezone)).isoformat(),
            "cron": self.plan.cron,
            "timezone": self.plan.timezone,
            "late": now - tick >= LATE,
        }
        return TriggerEvent(
            event_id=f"{self.trigger}@{at}", trigger_id=self.trigger, payload=payload
        )


def moment(text: Any) -> datetime:
    """A time of FORMAT.

    Raises:
        InvalidRequest: It is not a time of FORMAT.
    """
    try:
        return datetime.strptime(text, FORMAT).replace(tzinfo=UTC)
    except (TypeError, ValueError):
        raise InvalidRequest("cursor: a time such as 2026-01-31T09:30:00Z") from None


def configs(params: TriggerWatchParams) -> dict[str, dict[str, Any]]:
    """Each trigger's `config`, from the host or else from the environment.

    Raises:
        InvalidRequest: The environment's are none.
    """
    given: Any = {trigger.id: trigger.config for trigger in params.triggers} or params.config
    try:
        given = given or json.loads(os.environ.get("CRON_TRIGGERS") or "{}")
        return msgspec.convert(given, dict[str, dict[str, Any]])
    except (ValueError, ValidationError) as problem:
        raise InvalidRequest(f"{problem}") from None


def schedule(trigger: str, config: dict[str, Any], until: datetime) -> Schedule:
    """A trigger's schedule.

    Raises:
        InvalidRequest: Its plan cannot be followed.
    """
    try:
        return Schedule(trigger, msgspec.convert(config, Plan), until)
    except (ArithmeticError, LookupError, OSError, ValueError, ValidationError) as problem:
        raise InvalidRequest(f"trigger '{trigger}': {problem}") from None


@app.method("trigger/watch")
def watch(params: TriggerWatchParams, ctx: Context[Kept]) -> Iterator[TriggerEvent]:
    """Refuses the watch if a plan cannot be followed, so this is not itself a generator."""
    now = datetime.now(UTC).replace(microsecond=0)
    resumed = None if params.cursor is None else moment(params.cursor)
    given = configs(params)
    until = dict.fromkeys(given, resumed) if resumed else ctx.state.until(given, now)
    schedules = [schedule(trigger, config, until[trigger]) for trigger, config in given.items()]
    ctx.state.begin(given, now)
    if not schedules:
        ctx.log("warn", "there are no triggers to watch")
    return events([] if resumed else ctx.state.waiting(given), schedules, ctx)


def events(
    due: Iterable[TriggerEvent], schedules: list[Schedule], ctx: Context[Kept]
) -> Iterator[TriggerEvent]:
    """Wait for the earliest of the next ticks, whatever the number of triggers."""
    ahead = [(schedule.next, number) for number, schedule in enumerate(schedules)]
    heapify(ahead)
    while True:
        yield from due
        now, due, until = datetime.now(UTC), list[TriggerEvent](), dict[str, datetime]()
        while ahead and ahead[0][0] <= now:
            schedule = schedules[ahead[0][1]]
            due += [schedule.event(tick, now) for tick in schedule.due(now)]
            until[schedule.trigger] = schedule.until
            heapreplace(ahead, (schedule.next, ahead[0][1]))
        if until:
            if not keep(due, until, ctx):
                return
            continue
        wait = (ahead[0][0] - datetime.now(UTC)).total_seconds() if ahead else LOOK_S
        if ctx.wait(min(max(wait, 0), LOOK_S)):
            return


def keep(due: list[TriggerEvent], until: dict[str, datetime], ctx: Context[Kept]) -> bool:
    """Keep ticks as soon as the file can be written, unless the watch ends before.

    A watch that broke would end the process.
    """
    pause_s = AGAIN_S
    while True:
        try:
            ctx.state.add(due, until)
        except Unavailable as problem:
            ctx.log("warn", f"{len(due)} ticks wait until they can be kept: {problem.message}")
            if ctx.wait(pause_s):
                return False
            pause_s = min(2 * pause_s, LOOK_S)
        else:
            return True


@app.method("trigger/ack")
def acknowledge(event_id: str, status: str | None = None, *, ctx: Context[Kept]) -> bool:
    """A host that is shutting down has not accepted the event, so it is sent again."""
    return status != "shutdown" and ctx.state.outbox.acknowledge(event_id)


@app.method("trigger/schema")
def schema() -> TriggerSchema:
    return TriggerSchema(kinds=["cron_tick"], supports_resume=True, supports_dedup=True)


@app.health
def health(ctx: Context[Kept | None]) -> str | None:
    """Can what the host accepts be remembered? The file is made when there is something."""
    return None if ctx.state is None else ctx.state.database.check()


@app.exception_handler(msgspec.DecodeError)
def damaged(_ctx: Context, problem: msgspec.DecodeError) -> Unavailable:
    return Unavailable(f"what is stored is damaged: {problem}")


if __name__ == "__main__":
    app.run()
