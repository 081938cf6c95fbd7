"""Steps of workflow phases in a SQL database, each committed exactly once.

    python durable_sql.py      a host starts it, or you with `--manifest`

The database is `.animus/durable.sqlite3` under the project's root, or what ANIMUS_DURABLE_URL says,
such as `postgresql://user@server/animus`; hosts with the same URL and the same ANIMUS_DURABLE_NAME
(the name of the project's folder if unset) share one store. Every call is one transaction that
holds the store's lock: whoever gets `new` for an idempotency key is the only one until the
reservation ends, and the first commit of a step is the only one.

A reservation ends with its commit, with `abandon_step`, or when its time is over. Then the key is
free for whoever asks next, and a late commit of the former holder is refused. Reserve for longer
than a step takes.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from uuid import uuid4

import msgspec

from animus_routes import App, Context, Depends, InvalidRequest, RpcError
from animus_routes.structs import durable_store as wire
from animus_routes.timestamps import now, rfc3339

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Row, Table

DEFAULT_TTL_S: Final = 300
MAX_TTL_S: Final = 10 * 365 * 24 * 3600
MAX_PAYLOAD_BYTES: Final = 1024 * 1024
LOCK_S: Final = 10.0
LAYOUT_LOCK: Final = 0x616E_6975  # one of PostgreSQL's advisory locks, taken to create the tables
RESERVED, ABANDONED, LAPSED = "reserved", "abandoned", "lapsed"
OUTCOMES: Final = ("success", "error")

RUN_NOT_FOUND: Final = -32301
STEP_NOT_FOUND: Final = -32302
RESERVATION_EXPIRED: Final = -32303
BACKEND_UNAVAILABLE: Final = -32304
BINDING_MISMATCH: Final = -32305
NONDETERMINISM: Final = -32306
BAD_OUTCOME: Final = -32307


def layout() -> "tuple[Table, Table, Table]":
    """The tables: a store with its epoch, the runs of a store, the steps of a run."""
    from sqlalchemy import BigInteger, Column, ForeignKey, Index, MetaData, Table, Text

    stores = Table(
        "durable_stores",
        MetaData(),
        Column("name", Text, primary_key=True),
        Column("epoch", BigInteger, nullable=False),
        Column("commits", BigInteger, nullable=False),
    )
    runs = Table(
        "durable_runs",
        stores.metadata,
        Column("store", ForeignKey(stores.c.name), primary_key=True),
        Column("run_id", Text, primary_key=True),
        Column("phase_id", Text, primary_key=True),
        Column("epoch", BigInteger, nullable=False),
        Column("inputs", Text, nullable=False),
    )
    steps = Table(
        "durable_steps",
        stores.metadata,
        Column("step_id", Text, primary_key=True),
        Column("store", ForeignKey(stores.c.name), nullable=False),
        Column("run_id", Text, nullable=False),
        Column("phase_id", Text, nullable=False),
        Column("step_name", Text, nullable=False),
        Column("idempotency_key", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("expires_us", BigInteger, nullable=False),
        Column("payload", Text, nullable=False),
        Column("number", BigInteger),
        Column("committed_at", Text),
        Column("output", Text),
        Column("error", Text),
    )
    alive = steps.c.state.in_([RESERVED, *OUTCOMES])
    key = steps.c.store, steps.c.idempotency_key
    # The transactions already ensure this; the index turns a mistake in them into an error.
    Index("durable_steps_by_key", *key, unique=True, sqlite_where=alive, postgresql_where=alive)
    Index("durable_steps_of_run", steps.c.store, steps.c.run_id, steps.c.phase_id)
    return stores, runs, steps


def connect(url: str) -> "Engine":
    """An engine whose transactions are exclusive from the first statement on, or that wait."""
    from sqlalchemy import create_engine, event, make_url

    place = make_url(url)
    if place.get_backend_name() in {"postgres", "postgresql"}:
        options = f"-c lock_timeout={int(LOCK_S * 1000)}"
        place = place.set(drivername="postgresql+psycopg")
        return create_engine(place, connect_args={"options": options})
    if place.get_backend_name() != "sqlite":
        text = f"ANIMUS_DURABLE_URL: {place.get_backend_name()} is not supported"
        raise RpcError(BACKEND_UNAVAILABLE, text)
    engine = create_engine(place, connect_args={"timeout": LOCK_S, "isolation_level": None})

    @event.listens_for(engine, "begin")
    def begin(db: "Connection") -> None:
        db.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


class Store:
    """One store of a database, which is opened when it is first used."""

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name

    @cached_property
    def engine(self) -> "Engine":
        return connect(self.url)

    @cached_property
    def tables(self) -> "tuple[Table, Table, Table]":
        from sqlalchemy import func, inspect

        stores, runs, steps = layout()
        if not inspect(self.engine).has_table(steps.name):
            with self.engine.begin() as db:
                if db.dialect.name == "postgresql":
                    db.execute(func.pg_advisory_xact_lock(LAYOUT_LOCK).select())
                stores.metadata.create_all(db)
        return stores, runs, steps

    def close(self) -> None:
        if "engine" in self.__dict__:
            self.engine.dispose()

    @contextmanager
    def turn(self) -> Iterator["Turn"]:
        """A transaction that no other one of this store overlaps."""
        from sqlalchemy.exc import DBAPIError

        try:
            stores, runs, steps = self.tables
            with self.engine.begin() as db:
                own = stores.select().where(stores.c.name == self.name).with_for_update()
                if db.execute(own).first() is None:
                    self._register(db, stores)
                    db.execute(own)
                yield Turn(db, stores, runs, steps, self.name)
        except DBAPIError as problem:
            raise RpcError(BACKEND_UNAVAILABLE, f"the database: {problem.orig}") from problem

    def _register(self, db: "Connection", stores: "Table") -> None:
        from sqlalchemy.dialects import postgresql, sqlite

        dialect = postgresql if db.dialect.name == "postgresql" else sqlite
        first = dialect.insert(stores).values(name=self.name, epoch=0, commits=0)
        db.execute(first.on_conflict_do_nothing())


class Turn:
    """What is done to a store while we hold its lock."""

    def __init__(
        self, db: "Connection", stores: "Table", runs: "Table", steps: "Table", name: str
    ) -> None:
        self.db = db
        self.stores = stores
        self.runs = runs
        self.steps = steps
        self.name = name
        self.now_us = time.time_ns() // 1000

    def count(self, counter: str) -> int:
        """The next number of a counter, which no restart sets back."""
        column = self.stores.c[counter]
        own = self.stores.update().where(self.stores.c.name == self.name)
        number = self.db.execute(own.values({counter: column + 1}).returning(column)).scalar_one()
        return int(number)

    def run(self, run_id: str, phase_id: str) -> "Row[Any]":
        runs = self.runs.c
        own = (runs.store == self.name) & (runs.run_id == run_id) & (runs.phase_id == phase_id)
        found = self.db.execute(self.runs.select().where(own)).first()
        if found is None:
            text = f"run '{run_id}' has not begun phase '{phase_id}'"
            raise RpcError(RUN_NOT_FOUND, text, {"run_id": run_id, "phase_id": phase_id})
        return found

    def begin_run(self, request: wire.BeginWorkflowRunRequest) -> int:
        epoch = self.count("epoch")
        values = {"epoch": epoch, "inputs": json(request.inputs)}
        key = {"store": self.name, "run_id": request.run_id, "phase_id": request.phase_id}
        runs = self.runs.c
        own = self.runs.update().where(*(runs[name] == value for name, value in key.items()))
        if self.db.execute(own.values(values)).rowcount == 0:
            self.db.execute(self.runs.insert().values(key | values))
        return epoch

    def step(self, step_id: str) -> "Row[Any] | None":
        steps = self.steps.c
        own = (steps.store == self.name) & (steps.step_id == step_id)
        return self.db.execute(self.steps.select().where(own)).first()

    def holder(self, key: str) -> "Row[Any] | None":
        """The step that has the key: reserved, or committed."""
        steps = self.steps.c
        alive = (steps.idempotency_key == key) & steps.state.in_([RESERVED, *OUTCOMES])
        return self.db.execute(self.steps.select().where(steps.store == self.name, alive)).first()

    def set(self, step_id: str, **values: Any) -> None:
        own = self.steps.update().where(self.steps.c.step_id == step_id)
        self.db.execute(own.values(**values))

    def reserve(self, request: wire.BeginStepRequest) -> str:
        ttl_s = request.reservation_ttl_secs
        step_id = uuid4().hex
        row = self.steps.insert().values(
            step_id=step_id,
            store=self.name,
            run_id=request.run_id,
            phase_id=request.phase_id,
            step_name=request.step_name,
            idempotency_key=request.idempotency_key,
            state=RESERVED,
            expires_us=self.now_us
            + min(DEFAULT_TTL_S if ttl_s is None else ttl_s, MAX_TTL_S) * 1_000_000,
            payload=json(request.payload),
        )
        self.db.execute(row)
        return step_id

    def steps_of(self, run: "Row[Any]") -> "list[Row[Any]]":
        """What counts in a run: its reservations, then what is committed, in order."""
        steps = self.steps.c
        own = (steps.store == self.name) & (steps.run_id == run.run_id)
        alive = (steps.phase_id == run.phase_id) & steps.state.in_([RESERVED, *OUTCOMES])
        found = self.steps.select().where(own & alive).order_by(steps.number.nulls_first())
        return list(self.db.execute(found))


def json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def payload(value: Any) -> str:
    text = json(value)
    if len(text.encode()) > MAX_PAYLOAD_BYTES:
        raise InvalidRequest(f"a payload has more than {MAX_PAYLOAD_BYTES} bytes")
    return text


def instant(us: int) -> str:
    return rfc3339(datetime.fromtimestamp(us / 1_000_000, UTC))


def error_of(row: "Row[Any]") -> wire.StepError | None:
    return msgspec.json.decode(row.error or b"null", type=wire.StepError | None)


def output_of(row: "Row[Any]") -> Any:
    return msgspec.json.decode(row.output or b"null")


def status_of(steps: "list[Row[Any]]") -> str:
    """A run is never declared over, so its last committed step speaks for it."""
    if not steps or any(step.state == RESERVED for step in steps):
        return "pending"
    return str(steps[-1].state)


# ---- the plugin ---------------------------------------------------------------------------------


def lifespan(ctx: Context) -> Iterator[Store]:
    root = Path(ctx.project_root)
    url = os.environ.get("ANIMUS_DURABLE_URL")
    # The file is the project's own: its store keeps its name when the folder is renamed.
    name = os.environ.get("ANIMUS_DURABLE_NAME") or (root.name if url else "")
    if not root.is_dir():
        raise RpcError(BINDING_MISMATCH, f"the project root '{root}' is not a directory here")
    if not url:
        (root / ".animus").mkdir(exist_ok=True)
        url = f"sqlite:///{root / '.animus' / 'durable.sqlite3'}"
    store = Store(url, name)
    yield store
    store.close()


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
        turn.run(request.run_id, request.phase_id)
        row = turn.holder(request.idempotency_key)
        if row is not None:
            for name in ("run_id", "phase_id", "step_name"):
                if getattr(row, name) != getattr(request, name):
                    text = f"the idempotency key belongs to {name} '{getattr(row, name)}'"
                    raise RpcError(NONDETERMINISM, text, {name: getattr(row, name)})
            if row.state != RESERVED or row.expires_us > turn.now_us:
                return answer(row)
            turn.set(row.step_id, state=LAPSED)
        step_id = turn.reserve(request)
    return wire.BeginStepResponse(step_id=step_id, status="new")


def answer(row: "Row[Any]") -> wire.BeginStepResponse:
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
        row = turn.step(request.step_id)
        if row is None:
            text = f"there is no step '{request.step_id}'"
            raise RpcError(STEP_NOT_FOUND, text, {"step_id": request.step_id})
        if row.state in OUTCOMES:
            same = (row.state, row.output, row.error) == (request.outcome, output, error)
            return wire.CommitStepResponse(ack=same)
        if row.state != RESERVED or row.expires_us <= turn.now_us:
            text = f"the reservation of step '{row.step_name}' is over"
            data = {"step_id": row.step_id, "expired_at": instant(row.expires_us)}
            raise RpcError(RESERVATION_EXPIRED, text, data)
        turn.set(
            row.step_id,
            state=request.outcome,
            number=turn.count("commits"),
            committed_at=now(),
            output=output,
            error=error,
        )
    return wire.CommitStepResponse(ack=True)


@app.method("durable/abandon_step")
def abandon_step(step_id: str, store: Shared) -> wire.AbandonStepResponse:
    with store.turn() as turn:
        row = turn.step(step_id)
        held = row is not None and row.state == RESERVED
        if held:
            turn.set(step_id, state=ABANDONED)
    return wire.AbandonStepResponse(ack=held)


@app.method("durable/recover_in_flight")
def recover_in_flight(since_epoch: int, store: Shared) -> wire.RecoverInFlightResponse:
    """Runs begun after an epoch and not at rest, with the reservations that they hold or held."""
    with store.turn() as turn:
        runs = turn.runs.c
        epoch = min(since_epoch, 2**63 - 1)
        later = (runs.store == turn.name) & (runs.epoch > epoch)
        found = turn.db.execute(turn.runs.select().where(later).order_by(runs.epoch))
        pending = [(run, turn.steps_of(run)) for run in list(found)]
    return wire.RecoverInFlightResponse(
        in_flight=[in_flight(run, steps) for run, steps in pending if status_of(steps) == "pending"]
    )


def in_flight(run: "Row[Any]", steps: "list[Row[Any]]") -> wire.InFlightRun:
    committed = [step.step_name for step in steps if step.state != RESERVED]
    reserved = [
        {
            "step_id": step.step_id,
            "step_name": step.step_name,
            "idempotency_key": step.idempotency_key,
            "reservation_expires_at": instant(step.expires_us),
        }
        for step in steps
        if step.state == RESERVED
    ]
    return wire.InFlightRun(
        run_id=run.run_id,
        phase_id=run.phase_id,
        last_committed_step=committed[-1] if committed else None,
        replay_state={"epoch": run.epoch, "reservations": reserved},
    )


@app.method("durable/query_run")
def query_run(run_id: str, phase_id: str, store: Shared) -> wire.QueryRunResponse:
    with store.turn() as turn:
        steps = turn.steps_of(turn.run(run_id, phase_id))
    records = [
        wire.StepRecord(
            step_id=step.step_id,
            step_name=step.step_name,
            idempotency_key=step.idempotency_key,
            committed_at=step.committed_at,
            outcome=step.state,
            output=output_of(step),
            error=error_of(step),
        )
        for step in steps
        if step.state != RESERVED
    ]
    return wire.QueryRunResponse(
        run_id=run_id, phase_id=phase_id, status=status_of(steps), steps=records
    )


if __name__ == "__main__":
    app.run()
