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
      - id: tell
        run: ./tell.sh
        allow_failure: true           # if it fails, the workflow continues
    publication: {required: true, owner: {kind: runner}, cleanup: after_remote_verified}

A command learns about its run from ANIMUS_WORKFLOW_ID, ANIMUS_WORKFLOW_REF, ANIMUS_SUBJECT_ID,
ANIMUS_SUBJECT_TITLE, ANIMUS_PHASE_ID, ANIMUS_PHASE_ATTEMPT, ANIMUS_INPUT (JSON) and
ANIMUS_REWORK_CONTEXT, and the workflow's variables are ANIMUS_VAR_<NAME>. What it prints goes to a
log in `.animus/local-runs/<workflow id>`, next to the run's state. A run that was cut short, even by
a crash, is resumed by its id after the last completed phase.

A run with an execution fence runs under the fence's workflow id, and for nobody with an older fence.
If the fence reserves a ref of the project's `origin`, commands run in a worktree of their own, at that
ref or else at the base; when all phases are done, what they changed is committed and pushed there, in
one step with a recovery ref, and the result has the receipt of it. Nothing is pushed once a newer
fence has been seen, or once the ref is no longer where this run found it.

If `publication` says that a phase is the owner, that phase publishes by itself, opens a pull request
perhaps, and writes its receipt to the file that ANIMUS_RECEIPT names: it has failed unless the
receipt is of this execution and its commit is at the remote. Where publication is required, a run
without a receipt has failed. The worktree is kept, or removed once the commit is at the remote.
"""

import fcntl
import math
import os
import re
import shutil
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar

from animus_routes import App, Context, Env, InvalidRequest, RpcError, Timeout, Unavailable
from animus_routes.batteries import children
from animus_routes.batteries.places import unwritable
from animus_routes.errors import Invalid
from animus_routes.fences import check_receipt, collision_key, same_execution_generation
from animus_routes.rules import PUBLICATION_RECEIPT, VERSION
from animus_routes.structs import workflow_runner as wire
from animus_routes.structs.config import PhaseOwner, WorkflowPublicationConfig
from animus_routes.timestamps import now

import msgspec
from uuid import uuid4

T = TypeVar("T")
TAIL_BYTES: Final = 16 * 1024
# Of a file, and of a part of a ref.
NAME: Final = re.compile(r"(?!.{201})[A-Za-z0-9]([A-Za-z0-9_-]|\.(?!\.|lock$|$))*")
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
GIT_S: Final = 180.0
RECEIPT: Final = "receipt.json"
# git must not wait for an answer that nobody can give.
GIT: Final = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}
NOBODY: Final = {  # who commits where git has not been told
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "animus"), ("EMAIL", "animus@localhost"))
}

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
    publication: WorkflowPublicationConfig = msgspec.field(
        default_factory=WorkflowPublicationConfig
    )

    def __post_init__(self) -> None:
        try:
            self.publication.check()
        except Invalid as problem:
            raise ValueError(f"publication.{problem}") from None
        if self.publisher and [phase.id for phase in self.phases].count(self.publisher) != 1:
            raise ValueError(f"there is no phase '{self.publisher}' to publish")

    @property
    def publisher(self) -> str | None:
        """The phase that publishes; None = the runner."""
        owner = self.publication.owner
        return owner.phase_id if isinstance(owner, PhaseOwner) else None


class Tree(msgspec.Struct):
    """The worktree of a run with a reserved ref.

    Attributes:
        found: Where the ref was at the start; "" for nowhere.
        start: The commit that the run began with.
        ready: It has been checked out.
    """

    found: str
    start: str
    ready: bool = False


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
    fence: wire.ExecutionFence | None = None
    tree: Tree | None = None


class Ended(NamedTuple):
    """How an attempt ended."""

    status: Literal["completed", "failed"]
    outcome: dict[str, Any]


# ---- files --------------------------------------------------------------------------------------


class Settings(msgspec.Struct):
    """What the environment says."""

    workflows: Annotated[Path, Env("ANIMUS_LOCAL_WORKFLOWS")] = Path(".animus/local-workflows")


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
    return decoded(path, State)


def decoded(path: Path, kind: type[T]) -> T:
    """What was kept in a file.

    Raises:
        Unavailable: It is damaged.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise Unavailable(f"{path}: {problem}") from problem


def is_known(root: Path, workflow_id: str) -> bool:
    return (
        bool(NAME.fullmatch(workflow_id))
        and (folder_of(root, workflow_id) / "state.json").is_file()
    )


def save(root: Path, state: State) -> None:
    """Keep the state, unless a newer fence has taken the run over meanwhile."""
    path = folder_of(root, state.workflow_id) / "state.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    if state.fence is not None and path.exists():
        admit(load(root, state.workflow_id), state.fence)
    replace(path, state)


def replace(path: Path, content: msgspec.Struct) -> None:
    """Write a file in one step: a crash leaves what was there, or what is there now."""
    written = path.with_suffix(".new")
    written.write_bytes(msgspec.json.encode(content))
    written.replace(path)


def tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(log.stat().st_size - TAIL_BYTES, 0))
        return file.read().decode(errors="replace")


# ---- fences -------------------------------------------------------------------------------------


def stale(message: str) -> InvalidRequest:
    issue = {"path": "execution_fence", "message": message, "code": "stale"}
    return InvalidRequest(f"execution_fence: {message}", {"issues": [issue]})


def age(fence: wire.ExecutionFence) -> tuple[int, int, int]:
    """What only grows: of two fences of one workflow, the greater is the newer."""
    subject, lease = fence.subject, fence.queue_lease
    return (
        fence.workflow_generation,
        subject.generation if subject else 0,
        lease.generation if lease else 0,
    )


def recovery_ref(fence: wire.ExecutionFence) -> str:
    return f"refs/animus/recovery/{fence.workflow_id}/{fence.workflow_generation}"


@contextmanager
def claimed(root: Path, fence: wire.ExecutionFence | None) -> Iterator[None]:
    """The reserved ref is the fence's, and while this lasts nobody else claims it.

    Raises:
        InvalidRequest: Somebody with a newer fence, or another run that goes on, has claimed it.
    """
    if fence is None or fence.repository is None:
        yield
        return
    folder = root / ".animus" / "local-runs" / ".claims"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / sha256(collision_key(fence.repository).encode()).hexdigest()[:32]
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others have it for as long as a push takes, no longer
        if path.exists():
            last = decoded(path, wire.ExecutionFence)
            if not may_follow(root, fence, last):
                ref = fence.repository.head_ref
                raise stale(f"'{ref}' is reserved by a newer execution, or by one that goes on")
        replace(path, fence)
        yield


def may_follow(root: Path, new: wire.ExecutionFence, old: wire.ExecutionFence) -> bool:
    if new.workflow_id == old.workflow_id:
        return age(new) >= age(old)
    one, other = new.subject, old.subject
    if one and other and one.qualified_id == other.qualified_id:
        return one.generation > other.generation
    if is_known(root, old.workflow_id):
        return load(root, old.workflow_id).status in TERMINAL
    return True  # nothing is left of that run


@contextmanager
def alone(root: Path, state: State) -> Iterator[None]:
    """While this lasts, the run is executed by nobody else, but for one who takes it over.

    Raises:
        InvalidRequest: Somebody with the same fence is at it.
    """
    name = "-".join(map(str, age(state.fence))) if state.fence else "unfenced"
    path = folder_of(root, state.workflow_id) / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise stale(f"the run '{state.workflow_id}' is being executed already") from None
        yield


def admit(state: State, fence: wire.ExecutionFence | None) -> None:
    """A run goes on with the fence that it began with, or a newer one of the same generation."""
    held = state.fence
    if held is None and fence is None:
        return
    if held is None or fence is None:
        raise stale("the run has a fence" if held else "the run has none")
    if not same_execution_generation(held, fence) or age(fence) < age(held):
        raise stale("the run has another one, or a newer one")
    state.fence = fence


# ---- publication --------------------------------------------------------------------------------


def git(ctx: Context, cwd: Path, *args: str, env: Mapping[str, str] = GIT) -> str:
    """What git says.

    Raises:
        ChildFailed: It refused.
    """
    with children.run(
        ["git", *args], ctx, cwd=cwd, env={**os.environ, **GIT, **env}, timeout_s=GIT_S
    ) as child:
        said = list(child.lines())
        child.check()
    return "\n".join(said)


def named(remote: str) -> str:
    """A repository's name in its URL, such as `github.com/acme/app`."""
    bare = re.sub(r"^[a-z+]+://", "", remote.strip().lower())
    host, slash, path = bare.rpartition("@")[2].partition("/")
    return f"{host.replace(':', '/')}{slash}{path}".rstrip("/").removesuffix(".git")


def heads(ctx: Context, root: Path, *refs: str) -> dict[str, str]:
    """Where refs of the remote are now."""
    lines = git(ctx, root, "ls-remote", "origin", *refs).splitlines()
    found = {ref: sha for sha, _, ref in (line.partition("\t") for line in lines)}
    return {ref: found.get(ref, "") for ref in refs}


def check_out(ctx: Context, root: Path, state: State) -> Path:
    """Where the commands of a run with a reserved ref run: a worktree of its own."""
    reserved = state.fence.repository if state.fence else None
    if state.fence is None or reserved is None:
        return root
    if state.fence.subject is None:
        raise stale("a receipt needs a subject")
    remote = git(ctx, root, "config", "--get", "remote.origin.url")
    if named(remote) != named(reserved.repository):
        raise stale(f"the project's origin is not '{reserved.repository}'")
    at = heads(ctx, root, reserved.base_ref, reserved.head_ref)
    if not at[reserved.base_ref]:
        raise stale(f"origin has no '{reserved.base_ref}'")
    place = folder_of(root, state.workflow_id) / "tree"
    if state.tree is None:
        found = at[reserved.head_ref]
        git(
            ctx,
            root,
            "fetch",
            "--quiet",
            "origin",
            reserved.head_ref if found else reserved.base_ref,
        )
        state.tree = Tree(found, git(ctx, root, "rev-parse", "FETCH_HEAD"))
        save(root, state)
    if not state.tree.ready:
        shutil.rmtree(place, ignore_errors=True)  # what a crash has left of it
        git(ctx, root, "worktree", "prune")
        git(ctx, root, "worktree", "add", "--detach", str(place), state.tree.start)
        state.tree.ready = True
        save(root, state)
    return place / git(ctx, root, "rev-parse", "--show-prefix")


def committed(ctx: Context, cwd: Path, message: str) -> str:
    """The commit with all that the phases have left, committed or not."""
    git(ctx, cwd, "add", "--all", ":/")
    if git(ctx, cwd, "status", "--porcelain"):
        with children.run(["git", "config", "user.email"], ctx, cwd=cwd) as asked:
            is_known = asked.wait() == 0
        git(ctx, cwd, "commit", "--quiet", "-m", message, env={} if is_known else NOBODY)
    return git(ctx, cwd, "rev-parse", "HEAD")


def publish(ctx: Context, root: Path, state: State, cwd: Path) -> wire.PublicationReceipt | None:
    """Commit what the phases left, push it to the reserved ref, and see it there.

    Raises:
        InvalidRequest: The ref is no longer this run's.
        ChildFailed: git could not do it; the run may be resumed.
    """
    fence, tree = state.fence, state.tree
    if fence is None or fence.repository is None or fence.subject is None or tree is None:
        return None
    ref, recovery = fence.repository.head_ref, recovery_ref(fence)
    commit = committed(ctx, cwd, f"{state.title}\n\n{fence.subject.qualified_id}")
    if commit == tree.start:
        return None  # there is nothing new
    with claimed(root, fence):
        at = heads(ctx, root, ref)[ref]
        if at not in {tree.found, commit}:
            raise stale(f"'{ref}' was moved by somebody else")
        if at != commit:
            lease = f"--force-with-lease={ref}:{tree.found}"
            refs = (f"{commit}:{ref}", f"+{commit}:{recovery}")
            git(ctx, cwd, "push", "--quiet", "--atomic", lease, "origin", *refs)
        observed = heads(ctx, root, ref)[ref]
    receipt = wire.PublicationReceipt(
        schema_=PUBLICATION_RECEIPT,
        version=VERSION,
        workflow_id=fence.workflow_id,
        workflow_generation=fence.workflow_generation,
        subject=wire.PublicationSubjectGeneration(
            qualified_id=fence.subject.qualified_id, generation=fence.subject.generation
        ),
        commit_sha=commit,
        tree_sha=git(ctx, cwd, "rev-parse", f"{commit}^{{tree}}"),
        remote=re.sub("://[^/@]*@", "://", git(ctx, root, "config", "--get", "remote.origin.url")),
        remote_ref=ref,
        observed_remote_sha=observed,
        recovery_ref=recovery,
        issuer=wire.RunnerIssuer(component=app.name, version=app.version),
        issued_at=now(),
    )
    check_receipt(receipt, fence)
    return receipt


def handed_in(ctx: Context, cwd: Path, state: State, phase: Phase) -> wire.PublicationReceipt:
    """The receipt of a phase that publishes by itself.

    Raises:
        ValueError: There is none, or it does not hold; it says why.
        ChildFailed: The remote cannot be asked.
    """
    if state.fence is None:
        raise ValueError("a receipt needs an execution fence")
    path = folder_of(Path(ctx.project_root), state.workflow_id) / RECEIPT
    try:
        receipt = msgspec.json.decode(path.read_bytes(), type=wire.PublicationReceipt)
        check_receipt(receipt, state.fence)
    except FileNotFoundError:
        raise ValueError("the phase has written no receipt") from None
    except (Invalid, msgspec.DecodeError) as problem:
        raise ValueError(f"the receipt does not hold: {problem}") from None
    issuer = receipt.issuer
    if not isinstance(issuer, wire.PhaseIssuer) or issuer.phase_id != phase.id:
        raise ValueError("the receipt was issued by somebody else")
    if heads(ctx, cwd, receipt.remote_ref)[receipt.remote_ref] != receipt.commit_sha:
        raise ValueError(
            f"'{receipt.remote_ref}' of origin is at another commit than the receipt's"
        )
    return receipt


def clean_up(ctx: Context, root: Path, state: State) -> None:
    """Remove the worktree of a run whose commit is at the remote."""
    place = folder_of(root, state.workflow_id) / "tree"
    if state.tree is not None:
        git(ctx, root, "worktree", "remove", "--force", str(place))


# ---- commands -----------------------------------------------------------------------------------


def variables(root: Path, state: State, phase: Phase, attempt: int) -> dict[str, str]:
    given = {**state.vars, **reserved(state.fence)}
    found = {
        **os.environ,
        **{f"ANIMUS_VAR_{name.upper()}": value for name, value in given.items()},
        "ANIMUS_WORKFLOW_ID": state.workflow_id,
        "ANIMUS_WORKFLOW_REF": state.workflow_ref,
        "ANIMUS_SUBJECT_ID": state.subject_id,
        "ANIMUS_SUBJECT_TITLE": state.title,
        "ANIMUS_PHASE_ID": phase.id,
        "ANIMUS_PHASE_ATTEMPT": str(attempt),
        "ANIMUS_RECEIPT": str(folder_of(root, state.workflow_id) / RECEIPT),
        "ANIMUS_INPUT": msgspec.json.encode(state.input).decode(),
        **phase.env,
    }
    for name, value in found.items():
        if "\0" in name + value:
            raise InvalidRequest(f"{name!r} cannot be told to a command: it has a NUL in it")
    return found


def reserved(fence: wire.ExecutionFence | None) -> dict[str, str]:
    """The variables that no workflow may set."""
    if fence is None:
        return {}
    subject, lease, repository = fence.subject, fence.queue_lease, fence.repository
    found = {
        "workflow_generation": fence.workflow_generation,
        "subject_generation": subject and subject.generation,
        "queue_lease_generation": lease and lease.generation,
        "repository_base_ref": repository and repository.base_ref,
        "repository_head_ref": repository and repository.head_ref,
        "recovery_ref": recovery_ref(fence) if repository else None,
    }
    return {f"execution_{name}": str(value) for name, value in found.items() if value is not None}


def attempt(
    ctx: Context, cwd: Path, phase: Phase, env: Mapping[str, str], timeout_s: float | None
) -> Ended:
    """Run a phase's command once, with nothing below it that outlives it."""
    name = f"{phase.id}.{env['ANIMUS_PHASE_ATTEMPT']}.log"
    path = folder_of(Path(ctx.project_root), env["ANIMUS_WORKFLOW_ID"]) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_name(RECEIPT).unlink(missing_ok=True)
    command = ["/bin/sh", "-c", phase.run or ""]
    began = monotonic()
    with (
        path.open("wb") as log,
        children.run(
            command, ctx, cwd=cwd / phase.cwd, env=env, output=log, timeout_s=timeout_s
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
            crash_recovery=True,
            manual_pause_support=True,
            rework_context_support=True,
            execution_fence_v1=True,
            publication_receipt_v1=True,
        )
    },
    settings=Settings,
)


class Execution(wire.WorkflowExecuteRequest, kw_only=True):
    """The protocol's request, and the id that a command line gives to a new run."""

    new_workflow_id: str | None = None


def begin(root: Path, request: Execution) -> State:
    """The state of a new run, or of an earlier one that is resumed.

    An id that is not known yet is a new run's where a dispatch or a fence comes with it.
    """
    fence, dispatch = request.execution_fence, request.subject_dispatch
    given = request.workflow_id or request.new_workflow_id
    workflow_id = fence.workflow_id if fence else given
    if given not in {None, workflow_id}:
        raise stale(f"it is one of '{workflow_id}', not of '{given}'")
    may_begin = fence or dispatch or request.new_workflow_id
    if workflow_id is not None and (is_known(root, workflow_id) or not may_begin):
        state = load(root, workflow_id)
        admit(state, fence)
        if state.status in TERMINAL:
            text = f"run '{state.workflow_id}' is {state.status}"
            raise RpcError(WORKFLOW_TERMINAL, text, {"status": state.status})
        return state
    if workflow_id is not None and not NAME.fullmatch(workflow_id):
        raise InvalidRequest(f"workflow_id: '{workflow_id}' is not a plain name")
    subject = dispatch.subject if dispatch else request.subject_ref
    own = fence.subject.qualified_id if fence and fence.subject else None
    ids = (request.task_id, request.requirement_id, subject and subject.id, own, request.title)
    may_have_none = dispatch or request.new_workflow_id
    subject_id = next((name for name in ids if name), "" if may_have_none else None)
    ref = request.workflow_ref or (dispatch.workflow_ref if dispatch else None)
    if subject_id is None or ref is None:
        raise InvalidRequest("a run needs a subject and a workflow_ref")
    if own is not None and not f":{own}".endswith(f":{subject_id}"):
        raise stale(f"it is one of '{own}', not of '{subject_id}'")
    return State(
        workflow_id=workflow_id or f"run-{uuid4().hex}",
        workflow_ref=ref,
        subject_id=subject_id,
        title=request.title or (subject.title if subject else None) or subject_id or ref,
        input=request.input if dispatch is None or request.input is not None else dispatch.input,
        vars=(dispatch.vars if dispatch else {}) | request.vars,
        fence=fence,
    )


@app.method("workflow/execute")
def execute(
    request: Execution, ctx: Context, settings: Settings
) -> Generator[wire.PhaseEvent, None, wire.WorkflowExecuteResult]:
    root = Path(ctx.project_root)
    state = begin(root, request)
    workflow = find(root / settings.workflows, state.workflow_ref)
    chosen = [p for p in workflow.phases if request.phase_filter in {None, p.id}]
    if not chosen:
        text = f"'{state.workflow_ref}' has no phase '{request.phase_filter}'"
        raise RpcError(PHASE_NOT_FOUND, text, {"phase_id": request.phase_filter})
    with alone(root, state):
        if is_known(root, state.workflow_id):  # as whoever was at it until now has left it
            state = begin(root, request)
        return (yield from executed(request, ctx, state, workflow, chosen))


def executed(
    request: Execution, ctx: Context, state: State, workflow: Workflow, chosen: list[Phase]
) -> Generator[wire.PhaseEvent, None, wire.WorkflowExecuteResult]:
    """The run of some phases, with nobody else at it."""
    began = monotonic()
    root = Path(ctx.project_root)
    state.vars = workflow.vars | state.vars
    with claimed(root, state.fence):
        save(root, state)
    cwd = check_out(ctx, root, state)
    ctx.progress({"workflow_id": state.workflow_id})
    results = yield from run_all(ctx, cwd, state, workflow, chosen, request.phase_timeout_secs)
    is_done = all(phase.id in state.done for phase in workflow.phases)
    receipt, refusal = published(ctx, root, state, cwd, workflow) if is_done else (None, None)
    last = results[-1].status if results else "completed"
    if refusal or last == "failed":
        state.status = "failed"
    elif is_done:
        state.status = "completed"
    else:  # a manual gate, or the one phase that was asked for is done
        state.status = "running" if last == "completed" else "paused"
    save(root, state)
    if receipt is not None and workflow.publication.cleanup == "after_remote_verified":
        clean_up(ctx, root, state)
    return wire.WorkflowExecuteResult(
        workflow_id=state.workflow_id,
        workflow_ref=state.workflow_ref,
        workflow_status=state.status,
        subject_id=state.subject_id,
        execution_cwd=str(cwd),
        phases_requested=[phase.id for phase in chosen],
        phases_completed=len(state.done),
        phases_total=len(workflow.phases),
        total_duration_secs=round(monotonic() - began),
        phase_results=results,
        post_success=refusal and {"publication": {"error": refusal}},
        publication_receipt=receipt,
        execution_fence=request.execution_fence,
        success=state.status == "completed",
    )


def run_all(
    ctx: Context,
    cwd: Path,
    state: State,
    workflow: Workflow,
    chosen: list[Phase],
    timeout_s: float | None,
) -> Generator[wire.PhaseEvent, None, list[wire.PhaseResultSnapshot]]:
    """The phases that are not done yet, up to one that is not completed."""
    results: list[wire.PhaseResultSnapshot] = []
    for phase in chosen:
        if phase.id in state.done:
            continue
        result = yield from run(
            ctx, cwd, state, phase, timeout_s, publishes=phase.id == workflow.publisher
        )
        results.append(result)
        if result.status != "completed":
            break
        state.done[phase.id] = result
        save(Path(ctx.project_root), state)
    return results


def published(
    ctx: Context, root: Path, state: State, cwd: Path, workflow: Workflow
) -> tuple[wire.PublicationReceipt | None, str | None]:
    """The receipt, or why the run has failed although all of its phases are done."""
    if workflow.publisher is not None:
        receipt = state.done[workflow.publisher].publication_receipt
    else:
        try:
            receipt = publish(ctx, root, state, cwd)
        except InvalidRequest as refusal:
            return None, refusal.message
    if receipt is None and workflow.publication.required:
        return None, "the workflow has to be published, and there was nothing to publish"
    return receipt, None


def run(
    ctx: Context,
    cwd: Path,
    state: State,
    phase: Phase,
    timeout_s: float | None,
    *,
    publishes: bool,
) -> Generator[wire.PhaseEvent, None, wire.PhaseResultSnapshot]:
    """One phase with all its attempts; resuming the run passes a manual one."""
    save(Path(ctx.project_root), state)
    began = monotonic()
    ended, number = Ended("completed", {}), 0
    if phase.manual and state.waits_at != phase.id:
        state.waits_at = phase.id
        return snapshot(phase, "manual_pending", 0, {})
    while not phase.manual:
        yield wire.PhaseStarted(phase_id=phase.id, attempt=number, ts=now())
        limit_s = timeout_s if phase.timeout_secs is None else phase.timeout_secs
        env = variables(Path(ctx.project_root), state, phase, number)
        ended = attempt(ctx, cwd, phase, env, limit_s)
        number += 1
        again = ended.status == "failed" and number < phase.attempts
        verdict = "rework" if again else verdict_of(phase, ended)
        yield wire.PhaseDecision(phase_id=phase.id, verdict=verdict, ts=now())
        if not again:
            break
    status = "completed" if phase.allow_failure else ended.status
    outcome, receipt = {**ended.outcome, "attempts": number}, None
    if publishes and status == "completed":
        try:
            receipt = handed_in(ctx, cwd, state, phase)
        except ValueError as problem:
            status, outcome["publication"] = "failed", {"error": str(problem)}
    yield wire.PhaseCompleted(phase_id=phase.id, status=status, ts=now())
    result = snapshot(phase, status, round(monotonic() - began), outcome)
    result.publication_receipt = receipt
    return result


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
    cwd, given = Path(request.execution_cwd), request.dispatch_input or None
    with suppress(msgspec.DecodeError, RecursionError):  # what is not JSON is text
        given = given and msgspec.json.decode(given)
    is_there = False
    with suppress(OSError):  # a name may be too long to look for
        is_there = cwd.is_dir()
    if not is_there:
        raise InvalidRequest(f"execution_cwd: there is no folder {str(cwd)!r}")
    state = State(
        workflow_id=request.workflow_id,
        workflow_ref=request.workflow_ref,
        subject_id=request.subject_id,
        title=request.subject_title,
        input=given,
        vars=workflow.vars | request.pipeline_vars,
        fence=request.execution_fence,
    )
    with claimed(Path(ctx.project_root), state.fence):
        pass
    env = variables(Path(ctx.project_root), state, phase, request.phase_attempt)
    env["ANIMUS_REWORK_CONTEXT"] = (request.rework_context or "").replace("\0", "")
    limit_s = request.phase_timeout_secs or phase.timeout_secs
    ended = attempt(ctx, cwd, phase, env, limit_s)
    return wire.WorkflowPhaseRunResult(
        phase_status=ended.status,
        duration_secs=round(ended.outcome["duration_secs"]),
        outcome=ended.outcome,
        metadata={},
        execution_fence=request.execution_fence,
    )


@app.health
def health(ctx: Context) -> str | None:
    """Can the state of a run be kept?"""
    return unwritable(folder_of(Path(ctx.project_root), "run"))


@app.exception_handler(OSError)
def refuse(_ctx: Context, problem: OSError) -> Unavailable:
    return Unavailable(str(problem))


if __name__ == "__main__":
    app.run()
