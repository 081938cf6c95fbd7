"""Workflows of shell commands, run in the project.

    python runner_local.py               a host starts it, or you with `--manifest`
    python runner_local.py execute ...   what the daemon runs: see `execute --help`

A workflow is a file `<name>.yaml` (or `.yml`, `.json`) in `.animus/local-workflows`, or in the folder
of the project that ANIMUS_LOCAL_WORKFLOWS names. Its YAML is the host's, 1.2, so `no` is a word:

    phases:
      - id: lint
        run: ruff check .
      - id: test
        run: pytest -q "$TESTS"
        env: {TESTS: tests/unit}
        timeout_secs: 600
        attempts: 2                   # try again once if it fails
      - id: approve
        manual: true                  # stops here; resume the workflow by its id to continue
      - id: publish
        run: ./publish.sh
        allow_failure: true           # if it fails, the workflow continues

A command learns about its run from ANIMUS_WORKFLOW_ID, ANIMUS_WORKFLOW_REF, ANIMUS_SUBJECT_ID,
ANIMUS_SUBJECT_TITLE, ANIMUS_PHASE_ID, ANIMUS_PHASE_ATTEMPT, ANIMUS_INPUT (JSON) and
ANIMUS_REWORK_CONTEXT, and the workflow's variables are ANIMUS_VAR_<NAME>. What it prints goes to a
log in `.animus/local-runs/<workflow id>`, next to the run's state. A run that was cut short, even by
a crash, is resumed by its id after the last completed phase.
"""

import math
import os
import re
from collections.abc import Generator, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, Final, Literal, NamedTuple
from uuid import uuid4

import msgspec

from animus_routes import App, Context, Env, InvalidRequest, RpcError, Timeout
from animus_routes.batteries import children
from animus_routes.structs import workflow_runner as wire
from animus_routes.timestamps import now

TAIL_BYTES: Final = 16 * 1024
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
TERMINAL: Final = frozenset({"completed", "failed"})
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

WORKFLOW_NOT_FOUND: Final = -32101
PHASE_NOT_FOUND: Final = -32102
WORKFLOW_TERMINAL: Final = -32103
MANUAL_PENDING: Final = -32105


class Phase(msgspec.Struct, forbid_unknown_fields=True):
    """One phase as written in a workflow's file."""

    id: str
    run: str | None = None
    env: dict[str, str] = {}
    cwd: str = "."
    timeout_secs: float | None = None
    attempts: int = 1
    allow_failure: bool = False
    manual: bool = False

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.id):
            raise ValueError(f"the id '{self.id}' is not a plain name")
        if (self.run is None) is not self.manual:
            raise ValueError(f"phase '{self.id}' has either `run` or `manual: true`")


class Workflow(msgspec.Struct, forbid_unknown_fields=True):
    """A workflow's file."""

    phases: list[Phase]
    vars: dict[str, str] = {}


class State(msgspec.Struct):
    """What is kept of a run."""

    workflow_id: str
    workflow_ref: str
    subject_id: str
    title: str
    input: Any
    vars: dict[str, str]
    status: str = "running"
    waits_at: str | None = None
    done: dict[str, wire.PhaseResultSnapshot] = {}


class Ended(NamedTuple):
    """How an attempt ended."""

    status: Literal["completed", "failed"]
    outcome: dict[str, Any]


# ---- files --------------------------------------------------------------------------------------


class Settings(msgspec.Struct):
    """What the environment says."""

    workflows: Annotated[
        Path, Env("ANIMUS_LOCAL_WORKFLOWS", description="Where workflows are, in the project")
    ] = Path(".animus/local-workflows")


def find(folder: Path, ref: str) -> Workflow:
    if NAME.fullmatch(ref):
        for suffix in (".yaml", ".yml", ".json"):
            path = folder / f"{ref}{suffix}"
            if path.is_file():
                return read(path)
    raise RpcError(WORKFLOW_NOT_FOUND, f"there is no workflow '{ref}' in {folder}", {"ref": ref})


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


def read(path: Path) -> Workflow:
    text = path.read_bytes()
    try:
        if path.suffix == ".json":
            return msgspec.json.decode(text, type=Workflow)
        return msgspec.convert(read_yaml(text), Workflow)
    except (msgspec.DecodeError, ValueError) as problem:
        raise InvalidRequest(f"{path.name}: {problem}") from None


def folder_of(root: Path, workflow_id: str) -> Path:
    return root / ".animus" / "local-runs" / workflow_id


def load(root: Path, workflow_id: str) -> State:
    path = folder_of(root, workflow_id) / "state.json"
    if not NAME.fullmatch(workflow_id) or not path.is_file():
        text = f"there is no run '{workflow_id}' here"
        raise RpcError(WORKFLOW_NOT_FOUND, text, {"workflow_id": workflow_id})
    return msgspec.json.decode(path.read_bytes(), type=State)


def save(root: Path, state: State) -> None:
    """Replace the file in one step: a crash leaves the state before or the state after."""
    folder = folder_of(root, state.workflow_id)
    folder.mkdir(parents=True, exist_ok=True)
    written = folder / "state.json.new"
    written.write_bytes(msgspec.json.encode(state))
    written.replace(folder / "state.json")


def tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - TAIL_BYTES, 0))
        return file.read().decode(errors="replace")


# ---- commands -----------------------------------------------------------------------------------


def variables(state: State, phase: Phase, attempt: int) -> dict[str, str]:
    named = {f"ANIMUS_VAR_{name.upper()}": value for name, value in state.vars.items()}
    return {
        **os.environ,
        **named,
        "ANIMUS_WORKFLOW_ID": state.workflow_id,
        "ANIMUS_WORKFLOW_REF": state.workflow_ref,
        "ANIMUS_SUBJECT_ID": state.subject_id,
        "ANIMUS_SUBJECT_TITLE": state.title,
        "ANIMUS_PHASE_ID": phase.id,
        "ANIMUS_PHASE_ATTEMPT": str(attempt),
        "ANIMUS_INPUT": msgspec.json.encode(state.input).decode(),
        **phase.env,
    }


def attempt(
    ctx: Context, root: Path, phase: Phase, env: Mapping[str, str], timeout_s: float | None
) -> Ended:
    """Run a phase's command once, with nothing below it that outlives it."""
    name = f"{phase.id}.{env['ANIMUS_PHASE_ATTEMPT']}.log"
    path = folder_of(Path(ctx.project_root), env["ANIMUS_WORKFLOW_ID"]) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ["/bin/sh", "-c", phase.run or ""]
    began = monotonic()
    with (
        path.open("wb") as log,
        children.run(
            command, ctx, cwd=root / phase.cwd, env=env, output=log, timeout_s=timeout_s
        ) as sh,
        suppress(Timeout),
    ):
        sh.wait()
    outcome = {
        "exit_code": sh.exit_code,
        "timed_out": sh.timed_out,
        "duration_secs": round(monotonic() - began, 3),
        "log": str(path),
        "output": tail(path),
    }
    ended_well = sh.exit_code == 0 and not sh.timed_out
    return Ended("completed" if ended_well else "failed", outcome)


# ---- the plugin ---------------------------------------------------------------------------------

app = App(
    kind="workflow_runner",
    name="animus-workflow-runner-local",
    version="0.1.0",
    description="Runs workflows of shell commands in the project",
    kind_capabilities={
        "workflow_runner": wire.WorkflowRunnerCapabilities(
            crash_recovery=True, manual_pause_support=True, rework_context_support=True
        )
    },
    settings=Settings,
)


def begin(root: Path, request: wire.WorkflowExecuteRequest) -> State:
    """The state of a new run, or of an earlier one that is resumed."""
    if request.workflow_id is not None:
        state = load(root, request.workflow_id)
        if state.status in TERMINAL:
            text = f"run '{state.workflow_id}' is {state.status}"
            raise RpcError(WORKFLOW_TERMINAL, text, {"status": state.status})
        return state
    dispatch = request.subject_dispatch
    subject = dispatch.subject if dispatch else request.subject_ref
    ids = (request.task_id, request.requirement_id, subject and subject.id, request.title)
    subject_id = next((name for name in ids if name), None)
    ref = request.workflow_ref or (dispatch.workflow_ref if dispatch else None)
    if subject_id is None or ref is None:
        raise InvalidRequest("a run needs a subject and a workflow_ref")
    return State(
        workflow_id=f"run-{uuid4().hex}",
        workflow_ref=ref,
        subject_id=subject_id,
        title=request.title or (subject.title if subject else None) or subject_id,
        input=request.input if dispatch is None or request.input is not None else dispatch.input,
        vars=(dispatch.vars if dispatch else {}) | request.vars,
    )


@app.method("workflow/execute")
def execute(
    request: wire.WorkflowExecuteRequest, ctx: Context, settings: Settings
) -> Generator[wire.PhaseEvent, None, wire.WorkflowExecuteResult]:
    began = monotonic()
    root = Path(ctx.project_root)
    state = begin(root, request)
    workflow = find(root / settings.workflows, state.workflow_ref)
    state.vars = workflow.vars | state.vars
    chosen = [p for p in workflow.phases if request.phase_filter in {None, p.id}]
    if not chosen:
        text = f"'{state.workflow_ref}' has no phase '{request.phase_filter}'"
        raise RpcError(PHASE_NOT_FOUND, text, {"phase_id": request.phase_filter})
    ctx.progress({"workflow_id": state.workflow_id})
    results: list[wire.PhaseResultSnapshot] = []
    for phase in chosen:
        if phase.id in state.done:
            continue
        result = yield from run(ctx, root, state, phase, request.phase_timeout_secs)
        results.append(result)
        if result.status != "completed":
            break
        state.done[phase.id] = result
        save(root, state)
    left = [phase for phase in workflow.phases if phase.id not in state.done]
    if results and results[-1].status == "failed":
        state.status = "failed"
    elif not left:
        state.status = "completed"
    else:  # a manual gate, or the one phase that was asked for is done
        state.status = "paused" if results and results[-1].status != "completed" else "running"
    save(root, state)
    return wire.WorkflowExecuteResult(
        workflow_id=state.workflow_id,
        workflow_ref=state.workflow_ref,
        workflow_status=state.status,
        subject_id=state.subject_id,
        execution_cwd=str(root),
        phases_requested=[phase.id for phase in chosen],
        phases_completed=len(state.done),
        phases_total=len(workflow.phases),
        total_duration_secs=round(monotonic() - began),
        phase_results=results,
        post_success=None,
        success=state.status == "completed",
    )


def run(
    ctx: Context, root: Path, state: State, phase: Phase, timeout_s: float | None
) -> Generator[wire.PhaseEvent, None, wire.PhaseResultSnapshot]:
    """One phase with all its attempts; resuming the run passes a manual one."""
    save(root, state)
    began = monotonic()
    ended, number = Ended("completed", {}), 0
    if phase.manual and state.waits_at != phase.id:
        state.waits_at = phase.id
        return snapshot(phase, "manual_pending", 0, {})
    while not phase.manual:
        yield wire.PhaseStarted(phase_id=phase.id, attempt=number, ts=now())
        limit_s = timeout_s if phase.timeout_secs is None else phase.timeout_secs
        ended = attempt(ctx, root, phase, variables(state, phase, number), limit_s)
        number += 1
        again = ended.status == "failed" and number < phase.attempts
        verdict = "rework" if again else verdict_of(phase, ended)
        yield wire.PhaseDecision(phase_id=phase.id, verdict=verdict, ts=now())
        if not again:
            break
    status = "completed" if phase.allow_failure else ended.status
    yield wire.PhaseCompleted(phase_id=phase.id, status=status, ts=now())
    return snapshot(
        phase, status, round(monotonic() - began), {**ended.outcome, "attempts": number}
    )


def verdict_of(phase: Phase, ended: Ended) -> str:
    if ended.status == "completed":
        return "advance"
    return "skip" if phase.allow_failure else "fail"


def snapshot(
    phase: Phase, status: str, duration_s: int, outcome: dict[str, Any]
) -> wire.PhaseResultSnapshot:
    return wire.PhaseResultSnapshot(
        phase_id=phase.id, status=status, duration_secs=duration_s, outcome=outcome, metadata={}
    )


@app.method("workflow/run_phase")
def run_phase(
    request: wire.WorkflowPhaseRunRequest, ctx: Context, settings: Settings
) -> wire.WorkflowPhaseRunResult:
    """One attempt of one phase, for a host that leads the workflow itself."""
    if not NAME.fullmatch(request.workflow_id):
        raise InvalidRequest(f"workflow_id: '{request.workflow_id}' is not a plain name")
    workflow = find(Path(ctx.project_root) / settings.workflows, request.workflow_ref)
    phase = next((p for p in workflow.phases if p.id == request.phase_id), None)
    if phase is None:
        text = f"'{request.workflow_ref}' has no phase '{request.phase_id}'"
        raise RpcError(PHASE_NOT_FOUND, text, {"phase_id": request.phase_id})
    if phase.manual:
        raise RpcError(MANUAL_PENDING, f"phase '{phase.id}' waits for a person")
    given = msgspec.json.decode(request.dispatch_input) if request.dispatch_input else None
    state = State(
        workflow_id=request.workflow_id,
        workflow_ref=request.workflow_ref,
        subject_id=request.subject_id,
        title=request.subject_title,
        input=given,
        vars=workflow.vars | request.pipeline_vars,
    )
    env = variables(state, phase, request.phase_attempt)
    env["ANIMUS_REWORK_CONTEXT"] = request.rework_context or ""
    limit_s = request.phase_timeout_secs or phase.timeout_secs
    ended = attempt(ctx, Path(request.execution_cwd), phase, env, limit_s)
    return wire.WorkflowPhaseRunResult(
        phase_status=ended.status,
        duration_secs=round(ended.outcome["duration_secs"]),
        outcome=ended.outcome,
        metadata={},
    )


if __name__ == "__main__":
    app.run()
