"""Steps of workflow phases in a SQL database, each committed exactly once.

    python durable_sql.py      a host starts it, or you with `--manifest`

The database is `.animus/durable.sqlite3` under the project's root, or what ANIMUS_DURABLE_URL says,
such as `postgresql://user@server/animus`; hosts with the same URL and the same ANIMUS_DURABLE_NAME
(the name of the project's folder if unset) share one store. Whoever gets `new` for an idempotency
key is the only one until the reservation ends, and the first commit of a step is the only one.

A reservation ends with its commit, with `abandon_step`, or when its time is over. Then the key is
free for whoever asks next, and a late commit of the former holder is refused. Reserve for longer
than a step takes.

What is changed of a run, its steps included, holds that run's lock on PostgreSQL, and then the
key's; SQLite has one lock for everything.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import accumulate, groupby
from typing import Annotated, Any, Final, NamedTuple

from animus_routes import App, Context, Depends, InvalidRequest, RpcError, Unavailable
from animus_routes.batteries.sql import Database, Layout, Transaction, marks
from animus_routes.structs import durable_store as wire
from animus_routes.timestamps import now, rfc3339

import msgspec
from uuid import uuid4

DEFAULT_TTL_S: Final = 300
MAX_TTL_S: Final = 10 * 365 * 24 * 3600
MAX_PAYLOAD_BYTES: Final = 1024 * 1024
ANSWER_BYTES: Final = 7 * 1024 * 1024  # of runs; a host ends the link above 8 MiB
LOCK_S: Final = 10.0
RESERVED, ABANDONED, LAPSED = "reserved", "abandoned", "lapsed"
OUTCOMES: Final = ("success", "error")
ALIVE: Final = "state IN ('reserved', 'success', 'error')"

RUN_NOT_FOUND: Final = -32301
STEP_NOT_FOUND: Final = -32302
RESERVATION_EXPIRED: Final = -32303
BACKEND_UNAVAILABLE: Final = -32304
BINDING_MISMATCH: Final = -32305
NONDETERMINISM: Final = -32306
BAD_OUTCOME: Final = -32307


# ---- the tables ---------------------------------------------------------------------------------

TABLES: Final = """
CREATE TABLE durable_stores (store_name TEXT PRIMARY KEY, epoch BIGINT NOT NULL,
    commits BIGINT NOT NULL);
CREATE TABLE durable_runs (store_name TEXT NOT NULL, run_id TEXT NOT NULL, phase_id TEXT NOT NULL,
    epoch BIGINT NOT NULL, inputs TEXT NOT NULL, PRIMARY KEY (store_name, run_id, phase_id));
CREATE TABLE durable_steps (step_id TEXT PRIMARY KEY, store_name TEXT NOT NULL,
    run_id TEXT NOT NULL, phase_id TEXT NOT NULL, step_name TEXT NOT NULL,
    idempotency_key TEXT NOT NULL, state TEXT NOT NULL, expires_us BIGINT NOT NULL,
    payload TEXT NOT NULL, number BIGINT, committed_at TEXT, output TEXT, error TEXT)
"""
# Processes of 0.1.0 may still run: each of their statements reads a column that has another name now.
FROM_0_1_0: Final = """
ALTER TABLE durable_stores RENAME COLUMN name TO store_name;
ALTER TABLE durable_runs RENAME COLUMN store TO store_name;
ALTER TABLE durable_steps RENAME COLUMN store TO store_name;
DROP INDEX durable_steps_by_key;
DROP INDEX durable_steps_of_run
"""
LOCK_0_1_0: Final = """
LOCK TABLE durable_stores, durable_runs, durable_steps IN ACCESS EXCLUSIVE MODE;
ALTER TABLE durable_runs DROP CONSTRAINT IF EXISTS durable_runs_store_fkey;
ALTER TABLE durable_steps DROP CONSTRAINT IF EXISTS durable_steps_store_fkey
"""
# A run knows how many reservations it has and what was committed last, and so whether it is at rest.
# The transactions already ensure that a key is unique; its index turns a mistake into an error.
SUMS: Final = f"""
ALTER TABLE durable_runs ADD COLUMN reserved BIGINT NOT NULL DEFAULT 0;
ALTER TABLE durable_runs ADD COLUMN outcome TEXT;
ALTER TABLE durable_runs ADD COLUMN last_step TEXT;
ALTER TABLE durable_runs ADD COLUMN in_flight BIGINT NOT NULL DEFAULT 1;
CREATE UNIQUE INDEX durable_steps_by_key ON durable_steps (store_name, idempotency_key)
    WHERE {ALIVE};
CREATE INDEX durable_steps_of_run ON durable_steps (store_name, run_id, phase_id, number)
    WHERE {ALIVE};
CREATE INDEX durable_steps_reserved ON durable_steps (store_name, run_id, phase_id)
    WHERE state = 'reserved'
"""
OF_RUN: Final = """durable_steps s WHERE s.store_name = durable_runs.store_name
    AND s.run_id = durable_runs.run_id AND s.phase_id = durable_runs.phase_id"""
LAST: Final = f"FROM {OF_RUN} AND state IN ('success', 'error') ORDER BY number DESC LIMIT 1"
# Last: indexes of what has just been counted.
COUNTED: Final = f"""
UPDATE durable_runs SET outcome = (SELECT state {LAST}), last_step = (SELECT step_name {LAST}),
    reserved = (SELECT count(*) FROM {OF_RUN} AND state = 'reserved');
UPDATE durable_runs SET in_flight = 0 WHERE reserved = 0 AND outcome IS NOT NULL;
CREATE INDEX durable_runs_in_flight ON durable_runs (store_name, epoch) WHERE in_flight = 1
"""


def build(db: Transaction, found: int) -> None:
    first = [LOCK_0_1_0] if found and db.postgresql else []
    scripts = [*first, FROM_0_1_0 if found else TABLES, SUMS, COUNTED]
    for statement in ";".join(scripts).split(";"):
        db.run(statement)
    if db.postgresql:
        db.run("CREATE SEQUENCE durable_commits")
        last = "SELECT coalesce(max(commits), 0) + 1 FROM durable_stores"
        db.row(f"SELECT setval('durable_commits', ({last}))")


LAYOUT: Final = Layout("durable", 2, "durable_steps", build, lock=0x616E_6975)


class Run(NamedTuple):
    """A row of the runs."""

    run_id: str
    phase_id: str
    epoch: int
    reserved: int
    outcome: str | None
    last_step: str | None

    @property
    def status(self) -> str:
        """A run is never declared over, so its last committed step speaks for it."""
        return "pending" if self.reserved or self.outcome is None else self.outcome


class Step(NamedTuple):
    """A row of the steps."""

    step_id: str
    run_id: str
    phase_id: str
    step_name: str
    idempotency_key: str
    state: str
    expires_us: int
    committed_at: str | None
    output: str | None
    error: str | None


# By which reservations end: hosts of one server may have clocks of their own.
CLOCK: Final = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS BIGINT)"
STEPS: Final = f"SELECT {', '.join(f's.{name}' for name in Step._fields)}"
RUNS: Final = f"SELECT {', '.join(f'r.{name}' for name in Run._fields)}"


class Store(NamedTuple):
    """One store of a database."""

    database: Database
    name: str

    @contextmanager
    def view(self) -> Iterator["Turn"]:
        with self.database.read() as db:
            yield Turn(db, self.name)

    @contextmanager
    def turn(self) -> Iterator["Turn"]:
        with self.database.write() as db:
            yield Turn(db, self.name)


class Turn(NamedTuple):
    """What is done to a store in one transaction."""

    db: Transaction
    name: str

    def begin_run(self, request: wire.BeginWorkflowRunRequest) -> int:
        """The run's epoch, which no restart sets back."""
        epoch: int = self.db.value(
            "INSERT INTO durable_stores (store_name, epoch, commits) VALUES (?, 1, 0)"
            " ON CONFLICT (store_name) DO UPDATE SET epoch = durable_stores.epoch + 1"
            " RETURNING epoch",
            self.name,
        )
        self.db.run(
            "INSERT INTO durable_runs (store_name, run_id, phase_id, epoch, inputs)"
            " VALUES (?, ?, ?, ?, ?) ON CONFLICT (store_name, run_id, phase_id)"
            " DO UPDATE SET epoch = excluded.epoch, inputs = excluded.inputs",
            self.name,
            request.run_id,
            request.phase_id,
            epoch,
            json(request.inputs),
        )
        return epoch

    def lock(self, tables: str) -> str:
        return f"FOR UPDATE OF {tables}" if self.db.postgresql else ""

    def run(self, run_id: str, phase_id: str, *, change: bool = False) -> Run:
        found = self.db.row(
            f"{RUNS} FROM durable_runs r WHERE store_name = ? AND run_id = ? AND phase_id = ?"
            f" {self.lock('r') if change else ''}",
            self.name,
            run_id,
            phase_id,
        )
        if found is None:
            text = f"run '{run_id}' has not begun phase '{phase_id}'"
            raise RpcError(RUN_NOT_FOUND, text, {"run_id": run_id, "phase_id": phase_id})
        return Run(*found)

    def step(self, step_id: str) -> tuple[Step, Run, int] | None:
        """A step and its run, locked, and the time."""
        names = ", ".join(f"r.{name}" for name in Run._fields)
        clock = CLOCK if self.db.postgresql else time.time_ns() // 1000
        found = self.db.row(
            f"{STEPS}, {names}, {clock} FROM durable_runs r JOIN durable_steps s"
            " ON s.store_name = r.store_name AND s.run_id = r.run_id AND s.phase_id = r.phase_id"
            f" WHERE s.step_id = ? AND s.store_name = ? {self.lock('r, s')}",
            step_id,
            self.name,
        )
        size = len(Step._fields)
        return found and (Step(*found[:size]), Run(*found[size:-1]), found[-1])

    def holder(self, key: str) -> tuple[Step | None, int]:
        """The step that has the key, reserved or committed, which nobody else takes, and the time."""
        now_us = time.time_ns() // 1000
        if self.db.postgresql:
            both = f"SELECT pg_advisory_xact_lock(hashtext(?), hashtext(?)), {CLOCK}"
            ((_, now_us),) = self.db.rows(both, self.name, key)
        own = f"FROM durable_steps s WHERE store_name = ? AND idempotency_key = ? AND {ALIVE}"
        found = self.db.row(f"{STEPS} {own}", self.name, key)
        return None if found is None else Step(*found), now_us

    def number(self) -> int:
        """What a commit is ordered by."""
        if self.db.postgresql:
            return int(self.db.value("SELECT nextval('durable_commits')"))
        own = "WHERE store_name = ? RETURNING commits"
        add = f"UPDATE durable_stores SET commits = commits + 1 {own}"
        return int(self.db.value(add, self.name))

    def set(self, step_id: str, **values: Any) -> None:
        assigned = ", ".join(f"{name} = ?" for name in values)
        statement = f"UPDATE durable_steps SET {assigned} WHERE step_id = ?"
        self.db.run(statement, *values.values(), step_id)

    def sum_up(self, run: Run) -> None:
        """Write what a run knows of its steps."""
        self.db.run(
            "UPDATE durable_runs SET reserved = ?, outcome = ?, last_step = ?, in_flight = ?"
            " WHERE store_name = ? AND run_id = ? AND phase_id = ?",
            run.reserved,
            run.outcome,
            run.last_step,
            int(run.status == "pending"),
            self.name,
            run.run_id,
            run.phase_id,
        )

    def reserve(self, request: wire.BeginStepRequest, now_us: int) -> str:
        ttl_s = request.reservation_ttl_secs
        ttl_s = min(DEFAULT_TTL_S if ttl_s is None else ttl_s, MAX_TTL_S)
        step_id = uuid4().hex
        self.db.run(
            "INSERT INTO durable_steps (step_id, store_name, run_id, phase_id, step_name,"
            f" idempotency_key, state, expires_us, payload) VALUES ({marks(9)})",
            step_id,
            self.name,
            request.run_id,
            request.phase_id,
            request.step_name,
            request.idempotency_key,
            RESERVED,
            now_us + ttl_s * 1_000_000,
            json(request.payload),
        )
        return step_id

    def committed(self, run: Run) -> list[Step]:
        """What is committed of a run, in order."""
        rows = self.db.rows(
            f"{STEPS} FROM durable_steps s WHERE store_name = ? AND run_id = ? AND phase_id = ?"
            f" AND {ALIVE} AND number IS NOT NULL ORDER BY number",
            self.name,
            run.run_id,
            run.phase_id,
        )
        return [Step(*row) for row in rows]

    def in_flight(self, epoch: int) -> list[tuple[Any, ...]]:
        """The runs that are not at rest, begun after an epoch, once for each of their reservations."""
        return self.db.rows(
            f"{RUNS}, s.step_id, s.step_name, s.idempotency_key, s.expires_us FROM durable_runs r"
            " LEFT JOIN durable_steps s ON s.store_name = r.store_name AND s.run_id = r.run_id"
            " AND s.phase_id = r.phase_id AND s.state = 'reserved'"
            " WHERE r.store_name = ? AND r.epoch > ? AND r.in_flight = 1 ORDER BY r.epoch",
            self.name,
            min(epoch, 2**63 - 1),
        )


def json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def payload(value: Any) -> str:
    text = json(value)
    if len(text.encode()) > MAX_PAYLOAD_BYTES:
        raise InvalidRequest(f"a payload has more than {MAX_PAYLOAD_BYTES} bytes")
    return text


def instant(us: int) -> str:
    return rfc3339(datetime.fromtimestamp(us / 1_000_000, UTC))


def error_of(step: Step) -> wire.StepError | None:
    return msgspec.json.decode(step.error or b"null", type=wire.StepError | None)


def output_of(step: Step) -> Any:
    return msgspec.json.decode(step.output or b"null")


# ---- the plugin ---------------------------------------------------------------------------------


def lifespan(ctx: Context) -> Iterator[Store]:
    root = ctx.project_root
    url = os.environ.get("ANIMUS_DURABLE_URL")
    # The file is the project's own: its store keeps its name when the folder is renamed.
    name = os.environ.get("ANIMUS_DURABLE_NAME") or (
        os.path.basename(os.path.abspath(root)) if url else ""
    )
    if not os.path.isdir(root):
        raise RpcError(BINDING_MISMATCH, f"the project root '{root}' is not a directory here")
    file = os.path.join(root, ".animus", "durable.sqlite3")
    database = Database(url, LAYOUT, file=file, variable="ANIMUS_DURABLE_URL", wait_s=LOCK_S)
    yield Store(database, name)
    database.close()


def the_store(ctx: Context[Store]) -> Store:
    return ctx.state


Shared = Annotated[Store, Depends(the_store)]

app = App(
    kind="durable_store",
    name="animus-durable-sql",
    version="0.1.0",
    description="Durable steps in SQLite or PostgreSQL",
    lifespan=lifespan,
    kind_capabilities={
        "durable_store": wire.DurableStoreCapabilities(
            default_reservation_ttl_secs=DEFAULT_TTL_S,
            max_payload_bytes=MAX_PAYLOAD_BYTES,
            supports_recovery=True,
        )
    },
    env_required=[
        {
            "name": "ANIMUS_DURABLE_URL",
            "description": "The database; .animus/durable.sqlite3 under the project if unset",
            "sensitive": True,
        },
        {
            "name": "ANIMUS_DURABLE_NAME",
            "description": "The store in a shared database; the project folder's name if unset",
        },
    ],
)


@app.exception_handler(Unavailable)
def unavailable(_ctx: Context, problem: Unavailable) -> RpcError:
    return RpcError(BACKEND_UNAVAILABLE, f"the database: {problem.message}")


@app.exception_handler(msgspec.DecodeError)
def damaged(_ctx: Context, problem: msgspec.DecodeError) -> RpcError:
    return RpcError(BACKEND_UNAVAILABLE, f"what is stored is damaged: {problem}")


@app.method("durable/begin_workflow_run")
def begin_workflow_run(
    request: wire.BeginWorkflowRunRequest, store: Shared
) -> wire.BeginWorkflowRunResponse:
    with store.turn() as turn:
        epoch = turn.begin_run(request)
    return wire.BeginWorkflowRunResponse(epoch=epoch)


@app.method("durable/begin_step")
def begin_step(request: wire.BeginStepRequest, store: Shared) -> wire.BeginStepResponse:
    """Reserve the step, or report that it is in progress, or what was committed."""
    with store.turn() as turn:
        run = turn.run(request.run_id, request.phase_id, change=True)
        held, now_us = turn.holder(request.idempotency_key)
        if held is not None:
            for name in ("run_id", "phase_id", "step_name"):
                if getattr(held, name) != getattr(request, name):
                    text = f"the idempotency key belongs to {name} '{getattr(held, name)}'"
                    raise RpcError(NONDETERMINISM, text, {name: getattr(held, name)})
            if held.state != RESERVED or held.expires_us > now_us:
                return answer(held)
            turn.set(held.step_id, state=LAPSED)
        step_id = turn.reserve(request, now_us)
        turn.sum_up(run._replace(reserved=run.reserved + (held is None)))
    return wire.BeginStepResponse(step_id=step_id, status="new")


def answer(row: Step) -> wire.BeginStepResponse:
    if row.state == RESERVED:
        until = instant(row.expires_us)
        return wire.BeginStepResponse(
            step_id=row.step_id, status="in_progress", reservation_expires_at=until
        )
    if row.state == "error":
        return wire.BeginStepResponse(
            step_id=row.step_id, status="prior_error", prior_error=error_of(row)
        )
    return wire.BeginStepResponse(
        step_id=row.step_id, status="already_committed", prior_output=output_of(row)
    )


@app.method("durable/commit_step")
def commit_step(request: wire.CommitStepRequest, store: Shared) -> wire.CommitStepResponse:
    """The first commit stays: repeating it is acknowledged, a different one is refused."""
    if request.outcome not in OUTCOMES:
        text = f"outcome has to be one of {', '.join(OUTCOMES)}, not '{request.outcome}'"
        raise RpcError(BAD_OUTCOME, text, {"outcome": request.outcome})
    output, error = payload(request.output), payload(request.error)
    with store.turn() as turn:
        found = turn.step(request.step_id)
        if found is None:
            text = f"there is no step '{request.step_id}'"
            raise RpcError(STEP_NOT_FOUND, text, {"step_id": request.step_id})
        step, run, now_us = found
        if step.state in OUTCOMES:
            same = (step.state, step.output, step.error) == (request.outcome, output, error)
            return wire.CommitStepResponse(ack=same)
        if step.state != RESERVED or step.expires_us <= now_us:
            text = f"the reservation of step '{step.step_name}' is over"
            data = {"step_id": step.step_id, "expired_at": instant(step.expires_us)}
            raise RpcError(RESERVATION_EXPIRED, text, data)
        state, number = request.outcome, turn.number()
        document = {"output": output, "error": error, "committed_at": now()}
        turn.set(step.step_id, state=state, number=number, **document)
        left = run.reserved - 1
        turn.sum_up(run._replace(reserved=left, outcome=state, last_step=step.step_name))
    return wire.CommitStepResponse(ack=True)


@app.method("durable/abandon_step")
def abandon_step(step_id: str, store: Shared) -> wire.AbandonStepResponse:
    with store.turn() as turn:
        found = turn.step(step_id)
        held = found is not None and found[0].state == RESERVED
        if found is not None and held:
            turn.set(step_id, state=ABANDONED)
            turn.sum_up(found[1]._replace(reserved=found[1].reserved - 1))
    return wire.AbandonStepResponse(ack=held)


@app.method("durable/recover_in_flight")
def recover_in_flight(since_epoch: int, store: Shared, ctx: Context[Store]) -> dict[str, Any]:
    """Runs begun after an epoch and not at rest, with the reservations that they hold or held.

    If an answer cannot hold all, it has those that began first, and says that there are more: they
    begin after the last one's epoch.
    """
    with store.view() as view:
        rows = view.in_flight(since_epoch)
    size = len(Run._fields)
    by_run = groupby(rows, key=lambda row: Run(*row[:size]))
    runs = [in_flight(run, [row[size:] for row in of_run]) for run, of_run in by_run]
    sizes = accumulate(len(msgspec.json.encode(run)) for run in runs)
    found = [run for run, so_far in zip(runs, sizes, strict=True) if so_far <= ANSWER_BYTES]
    if len(found) == len(runs):
        return {"in_flight": found}
    ctx.log("warn", f"{ctx.method} answers the first {len(found)} of {len(runs)} runs in flight")
    return {"in_flight": found or runs[:1], "truncated": True, "total": len(runs)}


def in_flight(run: Run, reservations: list[tuple[Any, ...]]) -> wire.InFlightRun:
    reserved = [
        {
            "step_id": step_id,
            "step_name": step_name,
            "idempotency_key": key,
            "reservation_expires_at": instant(expires_us),
        }
        for step_id, step_name, key, expires_us in reservations
        if step_id is not None
    ]
    return wire.InFlightRun(
        run_id=run.run_id,
        phase_id=run.phase_id,
        last_committed_step=run.last_step,
        replay_state={"epoch": run.epoch, "reservations": reserved},
    )


@app.method("durable/query_run")
def query_run(run_id: str, phase_id: str, store: Shared) -> wire.QueryRunResponse:
    with store.view() as view:
        run = view.run(run_id, phase_id)
        steps = view.committed(run)
    records = [
        wire.StepRecord(
            step_id=step.step_id,
            step_name=step.step_name,
            idempotency_key=step.idempotency_key,
            committed_at=step.committed_at or "",
            outcome=step.state,
            output=output_of(step),
            error=error_of(step),
        )
        for step in steps
    ]
    return wire.QueryRunResponse(run_id=run_id, phase_id=phase_id, status=run.status, steps=records)


@app.health
def health(ctx: Context[Store | None]) -> str | None:
    """Can the database be used, or be made once it is needed?"""
    return None if ctx.state is None else ctx.state.database.check()


if __name__ == "__main__":
    app.run()
