"""Environments on this machine: a folder with the repositories in it, where commands run.

    python environment_local.py      a host starts it, or you with `--manifest`

Each environment has its own folder under `.animus/local-environments` in the home directory, or
where ANIMUS_LOCAL_ENVIRONMENTS says. It holds the workspace and the request for it, so a handle is
good for as long as the folder exists, whichever process serves it. Nothing is isolated: commands
run as this user, with this user's environment.

A session runs a whole workflow there, by the workflow runner whose command ANIMUS_LOCAL_RUNNER is:
`animus-workflow-runner-local`, say. Without a workflow_ref it is the one called like the subject's
kind. An environment that was prepared for somebody runs sessions for nobody else.

A plugin process locks the environments that it uses, so those of a process that has died, however it
did, are seen to be orphans: `environment/reap` removes them.

A command runs below a process that keeps it, and that inherits whatever the command leaves behind.
After a timeout or a cancellation everything that it started gets SIGTERM, and two seconds later
nothing of it is alive, in whichever group or session it is. When a command ends by itself, its
process group is killed; what has left the group, a server for the next commands perhaps, lives until
the teardown or the end of this plugin. What runs as another user cannot be killed. A command is run
once, and never retried.
"""

import asyncio
import codecs
import fcntl
import os
import re
import shlex
import shutil
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, Final, TypeVar

from animus_routes import (
    App,
    Context,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    RpcError,
    Unavailable,
)
from animus_routes.batteries.keepers import Keeper
from animus_routes.batteries.places import unwritable
from animus_routes.structs import environment as wire
from animus_routes.timestamps import now, parse

import msgspec
from msgspec.structs import replace
from uuid import uuid4

READ_BYTES: Final = 65536
KEPT_CHARS: Final = 512 * 1024  # of each stream; however JSON writes them, two fit into a frame
AFTERMATH_S: Final = 1.0  # how long a command's children may go on writing after its end
DRAIN_S: Final = 0.5  # then they are killed, and what they wrote is read
ERROR_CHARS: Final = 500
HANDLE: Final = re.compile(r"local-[0-9a-f]{32}")
RECORD: Final = "environment.json"
IN_USE: Final = "in-use"
LOOK_S: Final = 0.005
SHORT: Final = len("local-") + 8  # of a name that people type
LONGEST_S: Final = 10 * 365 * 86400
FRAME_BYTES: Final = 16 * 1024 * 1024
# git must not wait for an answer that nobody can give.
GIT: Final = {"GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "ssh -o BatchMode=yes"}

Output = Callable[[wire.ExecStream, str], None]
Left = dict[Keeper, asyncio.Task[None]]  # each is done when nothing is left
Result = TypeVar("Result")


class Record(msgspec.Struct):
    """What is stored for an environment.

    Attributes:
        env: What its commands start with, and `home` where.
        owner: The user and tenant that it was prepared for.
        run_id: The workflow of its last session.
    """

    env: dict[str, str]
    home: str
    created_at: str | None = None
    owner: tuple[str, str | None] | None = None
    run_id: str | None = None


class Tail:
    """The end of a text that may be too long to keep."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.kept = self.dropped = 0

    def add(self, text: str) -> None:
        self.parts.append(text)
        self.kept += len(text)
        if self.kept > 2 * KEPT_CHARS:
            self._cut()

    def text(self) -> str:
        self._cut()
        lead = f"[{self.dropped} characters before this were not kept]\n" if self.dropped else ""
        return lead + "".join(self.parts)

    def _cut(self) -> None:
        whole = "".join(self.parts)
        kept = whole[-KEPT_CHARS:]
        self.dropped += len(whole) - len(kept)
        self.parts, self.kept = [kept], len(kept)


# ---- processes ----------------------------------------------------------------------------------


async def pump(reader: asyncio.StreamReader, stream: wire.ExecStream, output: Output) -> None:
    """Pass text on as it arrives; a character that arrives in two pieces is sent in one."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while data := await reader.read(READ_BYTES):
        if text := decoder.decode(data):
            output(stream, text)
    if rest := decoder.decode(b"", final=True):
        output(stream, rest)


@asynccontextmanager
async def pipe() -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """A reader for us, and the descriptor that a command writes to.

    With asyncio's own pipes, a command does not count as ended for as long as one of its children,
    left in the background, has them open.
    """
    source, sink = os.pipe()
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(source, "rb", buffering=0)
    )
    try:
        yield reader, sink
    finally:
        transport.close()


@asynccontextmanager
async def kept(
    command: wire.HarnessCommand, cwd: Path, left: Left | None, stdin: int, *outputs: int
) -> AsyncIterator[Keeper]:
    """A command that is run, of which nothing is alive if it does not end by itself.

    Args:
        command: What to run.
        cwd: Where.
        left: Takes its keeper if what has left the group may live on; else that is ended as well.
        stdin: A descriptor.
        outputs: Those of its stdout and stderr, which are closed here.
    """
    words = [command.program, *command.args]
    stdout, stderr = outputs
    try:
        keeper = Keeper(words, cwd=cwd, env=command.env, stdin=stdin, stdout=stdout, stderr=stderr)
    finally:
        for file in outputs:
            os.close(file)
    try:
        await keeper.until(lambda: keeper.pid)
        try:
            keeper.confirm()
        except Unavailable as problem:
            raise InvalidRequest(problem.message) from problem
        yield keeper
    except BaseException:
        await ended(keeper)
        raise
    if left is None:
        await ended(keeper)
    else:
        keeper.end_group(patience_s=0)
        left[keeper] = asyncio.create_task(keeper.until(lambda: keeper.is_over))
        left[keeper].add_done_callback(lambda _: left.pop(keeper, None))


async def ended(keeper: Keeper) -> None:
    """End everything below, and come back when it has ended."""
    keeper.end()
    await keeper.until(lambda: keeper.is_over)


async def run(
    command: wire.HarnessCommand,
    cwd: Path,
    output: Output,
    typed: str | None = None,
    left: Left | None = None,
) -> int:
    """Wait for a command's end and its output, but not forever for that of its children.

    Returns:
        The exit code; negative for a signal.
    """
    with TemporaryFile() as stdin:
        stdin.write((typed or "").encode())
        stdin.seek(0)
        async with pipe() as (out, out_fd), pipe() as (err, err_fd):
            pumps = [
                asyncio.create_task(pump(out, "stdout", output)),
                asyncio.create_task(pump(err, "stderr", output)),
            ]
            try:
                files = (stdin.fileno(), out_fd, err_fd)
                async with kept(command, cwd, left, *files) as keeper:
                    await keeper.until(lambda: keeper.exit_code is not None)
                    await asyncio.wait(pumps, timeout=AFTERMATH_S)
            finally:
                await asyncio.wait(pumps, timeout=DRAIN_S)
                for task in pumps:
                    task.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
    if keeper.exit_code is None:
        raise Unavailable("the process that keeps the command was killed")
    return keeper.exit_code


async def execute(request: wire.ExecRequest, output: Output) -> wire.ExecResponse:
    place = place_of(request.handle)
    record = await entered(place)
    given = request.command
    cwd = inside(place / "workspace", record.home if given.cwd is None else given.cwd)
    command = replace(given, env={**os.environ, **record.env, **given.env})
    limit_s = None if request.timeout_secs is None else float(request.timeout_secs)
    try:
        async with asyncio.timeout(limit_s):
            left = remaining.setdefault(place.name, {})
            code = await run(command, cwd, output, request.stdin, left)
    except TimeoutError:
        return wire.ExecResponse(timed_out=True)
    return wire.ExecResponse(exit_code=None if code < 0 else code)  # a signal has no exit code


# ---- sessions -----------------------------------------------------------------------------------


class Dialog:
    """A plugin that is spoken to as hosts do, a frame a line."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.asked = 0

    def tell(self, method: str, params: Any = None, **rest: Any) -> None:
        given = {} if params is None else {"params": params}
        frame = {"jsonrpc": "2.0", **rest, "method": method, **given}
        self.writer.write(msgspec.json.encode(frame) + b"\n")

    async def line(self) -> bytes:
        with suppress(OSError):  # it may have ended without reading
            await self.writer.drain()
            return await self.reader.readline()
        return b""

    async def ask(self, method: str, params: Any, heard: Callable[[Any], None]) -> Any:
        """The result, once all that is said before it was heard.

        Raises:
            RpcError: As it was answered.
            Unavailable: There is no answer.
        """
        self.asked += 1
        self.tell(method, params, id=self.asked)
        while line := await self.line():
            try:
                frame = msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            if "id" not in frame:
                heard(frame.get("params"))
            elif frame["id"] == self.asked and "error" in frame:
                error = frame["error"]
                raise RpcError(error["code"], error["message"], error.get("data"))
            elif frame["id"] == self.asked:
                return frame.get("result")
        raise Unavailable(f"the runner ended before it answered {method}")


@asynccontextmanager
async def runner_in(cwd: Path, env: dict[str, str]) -> AsyncIterator[Dialog]:
    """A workflow runner, initialized for a folder; nothing that it started outlives it."""
    program, *args = shlex.split(os.environ.get("ANIMUS_LOCAL_RUNNER", "")) or [""]
    if not program:
        raise Unavailable("ANIMUS_LOCAL_RUNNER is not set: it is the command of a workflow runner")
    command = wire.HarnessCommand(program=program, args=args, env=env)
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_connection(sock=ours, limit=FRAME_BYTES)
    with closing(writer), theirs:
        stdout, stderr = os.dup(theirs.fileno()), os.dup(2)  # its words are for the operator
        async with kept(command, cwd, None, theirs.fileno(), stdout, stderr):
            theirs.close()
            dialog = Dialog(reader, writer)
            await dialog.ask("initialize", introduction(cwd), lambda _: None)
            dialog.tell("initialized")
            yield dialog


def introduction(cwd: Path) -> dict[str, Any]:
    return {
        "protocol_version": "1.2.0",
        "host_info": {"name": app.name, "version": app.version},
        "capabilities": {"streaming": True, "progress": True, "cancellation": True},
        "init_extensions": {"project_binding": {"project_root": str(cwd)}},
    }


def execution_of(request: wire.ExecSessionRequest, ctx: Context) -> dict[str, Any]:
    """What the runner is asked for: the subject's workflow, under the ids that were given."""
    kind, _, native = request.subject_id.partition(":")
    if not kind or not native:
        raise InvalidRequest(f"subject_id: '{request.subject_id}' is not `<kind>:<id>`")
    given: Any = request.dispatch_input
    with suppress(msgspec.DecodeError, RecursionError):
        given = None if given is None else msgspec.json.decode(given)
    dispatch = {
        "subject": {"kind": kind, "id": native},
        "workflow_ref": request.workflow_ref or kind,
        "trigger_source": "environment",
        "requested_at": now(),
        "input": given,
    }
    whole = {
        "subject_dispatch": dispatch,
        "workflow_id": request.workflow_id,
        "execution_fence": request.execution_fence,
        "actor": ctx.actor,
    }
    return {name: value for name, value in whole.items() if value is not None}


class Session:
    """The events of one session, on their way from its runner to the host."""

    def __init__(self, request: wire.ExecSessionRequest, emit: Callable[[Any], object]) -> None:
        self.handle_id = request.handle.id
        self.workflow_id = request.workflow_id
        self.emit = emit

    def heard(self, params: Any) -> None:
        """A runner's progress: its workflow's id, or an event of a phase."""
        value = params.get("value") if isinstance(params, dict) else None
        if not isinstance(value, dict):
            return
        if "kind" not in value:
            self.workflow_id = value.get("workflow_id") or self.workflow_id
            return
        kind, status = value["kind"], value.get("status")
        name = {"completed": "failed"}.get(kind, kind) if status == "failed" else kind
        self.tell(f"phase_{name}", value, status)

    def tell(self, kind: str, payload: dict[str, Any], status: str | None, **rest: Any) -> None:
        self.emit(
            wire.ExecJournal(
                handle_id=self.handle_id,
                workflow_id=self.workflow_id,
                event_kind=kind,
                phase_id=payload.get("phase_id"),
                status=status,
                ts=payload.get("ts") or now(),
                payload={**payload, "run_id": self.workflow_id},
                **rest,
            )
        )

    def ended(self, result: dict[str, Any]) -> wire.ExecSessionResponse:
        """The last event, and the answer."""
        self.workflow_id = result.get("workflow_id") or self.workflow_id
        status = str(result.get("workflow_status"))
        receipt = {n: v for n, v in result.items() if n == "publication_receipt" and v}
        self.tell("workflow_completed", receipt, status, terminal=True)
        return wire.ExecSessionResponse(status=status, workflow_id=self.workflow_id)


async def dispatch(request: wire.ExecSessionRequest, ctx: Context) -> wire.ExecSessionResponse:
    place = place_of(request.handle)
    record = await entered(place)
    if record.owner not in {None, owner_of(ctx)}:
        raise PermissionDenied(f"environment '{place.name}' was prepared for somebody else")
    cwd = inside(place / "workspace", record.home)
    session = Session(request, ctx.emit)
    async with runner_in(cwd, {**os.environ, **record.env}) as runner:
        execution = execution_of(request, ctx)
        record.run_id = request.workflow_id
        store(place, record)
        result = await runner.ask("workflow/execute", execution, session.heard)
    fence = request.execution_fence
    echoed = msgspec.convert(result.get("execution_fence"), wire.ExecutionFence | None)
    if fence is not None and echoed != fence:
        raise Unavailable("the runner did not return the execution fence as it was given")
    response = session.ended(result)
    response.execution_fence = fence
    record.run_id = response.workflow_id
    store(place, record)
    return response


# ---- folders ------------------------------------------------------------------------------------


def base() -> Path:
    given = os.environ.get("ANIMUS_LOCAL_ENVIRONMENTS")
    return Path(given) if given else Path.home() / ".animus" / "local-environments"


def place_of(handle: wire.EnvironmentHandle) -> Path:
    if not HANDLE.fullmatch(handle.id):
        raise InvalidRequest(f"'{handle.id}' is not a handle of this plugin")
    return base() / handle.id


def record_of(place: Path) -> Record | None:
    try:
        return msgspec.json.decode((place / RECORD).read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise Unavailable(f"{place / RECORD}: {problem}") from problem


def store(place: Path, record: Record) -> None:
    """Replace the record in one step; a folder without one was never fully prepared."""
    written = place / f"{RECORD}.new"
    written.write_bytes(msgspec.json.encode(record))
    written.replace(place / RECORD)


async def entered(place: Path) -> Record:
    """The record of an environment that this process uses from now on."""
    record = record_of(place)
    while record is not None and not hold(place):  # somebody looks at it, or removes it
        await asyncio.sleep(LOOK_S)
        record = record_of(place)
    if record is None:
        let_go(place)
        raise NotFound(f"environment '{place.name}'")
    return record


def hold(place: Path) -> bool:
    """Lock an environment as used, which the end of this process ends, however it comes."""
    if place.name in held:
        return True
    with suppress(FileNotFoundError):
        file = os.open(place / IN_USE, os.O_RDWR | os.O_CREAT, 0o600)
        if locked(file, fcntl.LOCK_SH):
            held[place.name] = file
            return True
        os.close(file)
    return False


def let_go(place: Path) -> None:
    if place.name in held:
        os.close(held.pop(place.name))


def locked(file: int, how: int) -> bool:
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def unused(place: Path) -> Iterator[bool]:
    """Does no process use this environment? While this lasts, none begins to."""
    try:
        file = os.open(place / IN_USE, os.O_RDWR)
    except FileNotFoundError:  # made by a version of this plugin that may still use it
        yield False
        return
    try:
        yield locked(file, fcntl.LOCK_EX)
    finally:
        os.close(file)


def node_of(place: Path, *, orphan: bool) -> wire.EnvironmentNode:
    made = datetime.fromtimestamp(place.stat().st_mtime, UTC).isoformat().replace("+00:00", "Z")
    node = wire.EnvironmentNode(
        id=place.name,
        name=place.name[:SHORT],
        state="incomplete" if orphan else "preparing",
        orphan=orphan,
        created_at=made,
    )
    record = record_of(place)
    if record is not None:
        node.state = "running" if running.get(place.name) else "ready"
        node.run_id, node.created_at = record.run_id, record.created_at or made
    return node


def nodes() -> Iterator[tuple[Path, wire.EnvironmentNode]]:
    """The environments that there are."""
    found = sorted(base().iterdir()) if base().is_dir() else []
    for place in found:
        if HANDLE.fullmatch(place.name):
            with suppress(FileNotFoundError), unused(place) as orphan:
                yield place, node_of(place, orphan=orphan)


def node_named(given: str) -> tuple[Path, wire.EnvironmentNode] | None:
    return next((found for found in nodes() if given in {found[1].id, found[1].name}), None)


def owner_of(ctx: Context) -> tuple[str, str | None] | None:
    return None if ctx.actor is None else (ctx.actor["user_id"], ctx.actor.get("tenant_id"))


def inside(workspace: Path, path: str) -> Path:
    """A folder in the workspace, by its path from there."""
    found = (workspace / path).resolve()
    if not found.is_relative_to(workspace.resolve()):
        raise InvalidRequest(f"cwd: '{path}' is outside the workspace")
    if not found.is_dir():
        raise InvalidRequest(f"cwd: '{path}' is not a directory of the workspace")
    return found


def folder_of(repo: wire.RepoRef) -> str:
    name = repo.name or re.split(r"[/:]", repo.url.rstrip("/"))[-1].removesuffix(".git")
    if name in {"", ".", ".."} or "/" in name or "\0" in name:
        raise InvalidRequest(f"'{name}' cannot be the folder of a repository")
    return name


def folders_of(repos: list[wire.RepoRef]) -> dict[str, wire.RepoRef]:
    found = {folder_of(repo): repo for repo in repos}
    if len(found) < len(repos):
        raise InvalidRequest("two repositories have the same folder: give them names")
    if any((repo.git_ref or "").startswith("-") for repo in repos):
        raise InvalidRequest("git_ref: a ref does not start with '-'")
    return found


async def git(*args: str, cwd: Path, what: str) -> None:
    said = Tail()
    command = wire.HarnessCommand(program="git", args=[*args], env={**os.environ, **GIT})
    if await run(command, cwd, lambda _stream, text: said.add(text)) != 0:
        raise Unavailable(f"{what}: {said.text().strip()[-ERROR_CHARS:]}")


def repos_of(spec: wire.EnvironmentSpec) -> list[wire.RepoRef]:
    """Those that are named, or the one that a workflow runner means."""
    named = spec.metadata.get("github_repo") if isinstance(spec.metadata, dict) else None
    if spec.repos or not isinstance(named, str):
        return spec.repos
    return [wire.RepoRef(url=f"https://github.com/{named.removesuffix('.git')}.git")]


async def check_out(workspace: Path, folder: str, repo: wire.RepoRef) -> None:
    what = f"git could not check out '{folder}'"
    await git("clone", "--quiet", "--", repo.url, folder, cwd=workspace, what=what)
    if repo.git_ref:
        await git("checkout", "--quiet", repo.git_ref, "--", cwd=workspace / folder, what=what)


# ---- the plugin ---------------------------------------------------------------------------------

app = App(
    kind="environment",
    name="animus-environment-local",
    version="0.1.0",
    description="Runs commands in folders of this machine",
    env_required=[
        {
            "name": "ANIMUS_LOCAL_ENVIRONMENTS",
            "description": "Where environments are; ~/.animus/local-environments if unset",
        },
        {
            "name": "ANIMUS_LOCAL_RUNNER",
            "description": "The command of the workflow runner of sessions; none if unset",
        },
    ],
)
running: dict[str, set[asyncio.Task[Any]]] = {}
held: dict[str, int] = {}  # the locks of the environments that this process uses
remaining: dict[str, Left] = {}  # above what has left its command's group


@app.method("environment/prepare")
async def prepare(spec: wire.EnvironmentSpec, ctx: Context) -> wire.PrepareResponse:
    folders = folders_of(repos_of(spec))
    primary = [name for name, repo in folders.items() if repo.primary] or [*folders, "."]
    place = base() / f"local-{uuid4().hex}"
    staged, workspace = place.with_name(f".{place.name}"), place / "workspace"
    try:
        (staged / "workspace").mkdir(parents=True)
        hold(staged)
        staged.rename(place)  # where others see it, it is in use
        held[place.name] = held.pop(staged.name)
        for folder, repo in folders.items():
            await check_out(workspace, folder, repo)
        owner = owner_of(ctx)
        store(place, Record(env=spec.env, home=primary[0], created_at=now(), owner=owner))
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        let_go(place)
        raise
    handle = wire.EnvironmentHandle(
        id=place.name, workspace_root=str(workspace), metadata={"primary": primary[0]}
    )
    return wire.PrepareResponse(handle=handle)


async def tracked(handle: wire.EnvironmentHandle, work: Coroutine[Any, Any, Result]) -> Result:
    """Work in an environment, which a teardown ends."""
    task = asyncio.create_task(work)
    tasks = running.setdefault(handle.id, set())
    tasks.add(task)
    try:
        return await task
    except asyncio.CancelledError:
        if task.cancelled() and not current_task_cancelled():
            raise NotFound(f"environment '{handle.id}' was torn down") from None
        task.cancel()
        await asyncio.wait([task])
        raise
    finally:
        tasks.discard(task)
        if not tasks:
            running.pop(handle.id, None)


def current_task_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@app.method("environment/exec")
async def exec_whole(request: wire.ExecRequest) -> wire.ExecResponse:
    tails: dict[wire.ExecStream, Tail] = {"stdout": Tail(), "stderr": Tail()}
    work = execute(request, lambda stream, text: tails[stream].add(text))
    response = await tracked(request.handle, work)
    response.stdout, response.stderr = tails["stdout"].text(), tails["stderr"].text()
    return response


@app.method("environment/exec_stream")
async def exec_stream(request: wire.ExecRequest, ctx: Context) -> wire.ExecResponse:
    """Text is sent as it arrives; the framework puts it together for the response."""
    work = execute(request, lambda stream, text: ctx.emit((stream, text)))
    return await tracked(request.handle, work)


@app.method("environment/exec_session")
async def exec_session(request: wire.ExecSessionRequest, ctx: Context) -> wire.ExecSessionResponse:
    """A workflow by a runner of its own; its events are sent as they happen."""
    return await tracked(request.handle, dispatch(request, ctx))


@app.method("environment/teardown")
async def teardown(handle: wire.EnvironmentHandle) -> None:
    """End what is running there and remove the folder; doing so again does no harm."""
    await remove(place_of(handle))


async def remove(place: Path) -> None:
    tasks = [*running.get(place.name, ())]
    for task in tasks:
        task.cancel()
    if tasks:
        await asyncio.wait(tasks)
    (place / RECORD).unlink(missing_ok=True)
    left = remaining.pop(place.name, {})
    for keeper in left:
        keeper.end()
    await asyncio.gather(*left.values())
    await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)
    let_go(place)


@app.method("environment/list")
def list_nodes() -> wire.ListNodesResponse:
    return wire.ListNodesResponse(nodes=[node for _, node in nodes()])


@app.method("environment/get")
def get_node(id: str) -> wire.GetNodeResponse:
    found = node_named(id)
    return wire.GetNodeResponse(node=found and found[1])


@app.method("environment/teardown_node")
async def teardown_node(id: str) -> wire.TeardownNodeResponse:
    """Remove an environment by its id or name; one that is not there has been removed."""
    found = node_named(id)
    if found is None:
        return wire.TeardownNodeResponse()
    await remove(found[0])
    return wire.TeardownNodeResponse(deleted=[found[1].id])


@app.method("environment/reap")
async def reap_nodes(request: wire.ReapRequest) -> wire.ReapResponse:
    """Remove what no process uses; with `all` and `force`, what is in use as well."""
    response = wire.ReapResponse(dry_run=request.dry_run)
    until = datetime.now(UTC) - timedelta(seconds=min(request.older_than_secs or 0, LONGEST_S))
    for place, node in [*nodes()]:
        is_old = request.older_than_secs is None or parse(node.created_at or now()) <= until
        with unused(place) as is_free:
            if not is_old or not (is_free or (request.all and request.force)):
                response.kept.append(node)
                continue
            response.deleted.append(node.id)
            if not request.dry_run:
                await remove(place)
    return response


@app.health
def health() -> str | None:
    """Can an environment be made, where there is none yet?"""
    place = base()
    return unwritable(place / "environment" if place.exists() else place)


@app.exception_handler(OSError)
def refuse(_ctx: Context, problem: OSError) -> Unavailable:
    return Unavailable(str(problem))


if __name__ == "__main__":
    app.run()
