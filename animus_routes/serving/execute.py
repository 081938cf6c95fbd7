"""`<plugin> execute ...`: the command line by which the daemon starts a workflow runner (host 4.8).

The plugin starts itself a second time as a plugin process and calls its own `workflow/execute`, so
the handler runs under the same conditions either way. The daemon reads

- a line of JSON on stderr at the start and at the end, `runner_start` and `runner_complete`,
- events as they happen, where `ANIMUS_WORKFLOW_EVENT_PIPE` says: a Unix socket, or a FIFO,
- the exit code.

The result goes to stdout. An event names its workflow: a handler that starts a new one announces
its id with `ctx.progress({"workflow_id": ...})` before its first event.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from animus_routes.engine.program import BUILT
from animus_routes.engine.stderr import say
from animus_routes.engine.wire import write_all
from animus_routes.errors import RpcError
from animus_routes.timestamps import now
from animus_routes.values import codecs

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT_PIPE: Final = "ANIMUS_WORKFLOW_EVENT_PIPE"
TIMEOUT_S: Final = 3600.0  # what the host gives the RPC
STALLED_S: Final = 1.0


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ArgumentTypeError(f"not JSON: {error}") from None


def _id(text: str) -> str:
    if not text.strip():
        raise ArgumentTypeError("it is blank")
    return text


def _seconds(text: str) -> int:
    if not text.isdecimal():
        raise ArgumentTypeError("not a number of seconds")
    return int(text)


def _subject(text: str) -> dict[str, str]:
    kind, _, native = text.partition(":")
    if not kind.strip() or not native.strip():
        raise ArgumentTypeError("not <kind>:<id>")
    return {"kind": kind.strip(), "id": native.strip()}


# Option -> field of WorkflowExecuteRequest, and how its text is read.
OPTIONS: Final[dict[str, tuple[str, Callable[[str], Any]]]] = {
    "--workflow-id": ("workflow_id", _id),
    "--new-workflow-id": ("new_workflow_id", _id),
    "--task-id": ("task_id", _id),
    "--requirement-id": ("requirement_id", _id),
    "--subject-id": ("subject_ref", _subject),
    "--title": ("title", str),
    "--description": ("description", str),
    "--workflow-ref": ("workflow_ref", str),
    "--model": ("model", str),
    "--tool": ("tool", str),
    "--phase-timeout-secs": ("phase_timeout_secs", _seconds),
    "--input-json": ("input", _json),
    "--phase-routing-json": ("phase_routing", _json),
    "--mcp-config-json": ("mcp_config", _json),
}
SUBJECT: Final = (
    "workflow_id",
    "task_id",
    "requirement_id",
    "subject_ref",
    "title",
    "new_workflow_id",
)
# Who the run is for, and by what authority: variable -> field, and its wire type.
IDENTITY: Final = {
    "ANIMUS_ACTOR_JSON": ("actor", "actor.Actor"),
    "ANIMUS_EXECUTION_FENCE_JSON": ("execution_fence", "execution.ExecutionFence"),
}

FAILED: Final = "failed"


class EventPipe:
    """Where the daemon listens; what cannot be sent is dropped, and never stops the workflow.

    Args:
        path: A Unix socket or a FIFO; None if nobody is listening.
        workflow_id: The id that events carry, if it is known.
    """

    def __init__(self, path: str | None, workflow_id: str) -> None:
        self.workflow_id = workflow_id
        self._path = (path or "").strip()
        self._write: Callable[[bytes], object] | None = None

    def phase(self, value: dict[str, Any]) -> None:
        """Forward a `PhaseEvent`, or take note of the workflow's id."""
        if "kind" not in value:
            self.workflow_id = str(value.get("workflow_id") or self.workflow_id)
            return
        status = value.get("status")
        payload = {name: item for name, item in value.items() if name != "kind"}
        kind = FAILED if status == FAILED else value["kind"]
        self.send(f"phase_{kind}", {**payload, "phase_status": status})

    def send(self, kind: str, payload: dict[str, Any]) -> None:
        """Send one event; connect for the first one, and again after a failure."""
        if not self._path:
            return
        event = {
            "workflow_id": self.workflow_id,
            "kind": kind,
            "payload": payload,
            "occurred_at": now(),
        }
        try:
            self._write = self._write or _connect(self._path)
            self._write(json.dumps(event).encode() + b"\n")
        except OSError:
            self._write = None


def _connect(path: str) -> Callable[[bytes], object]:
    if stat.S_ISSOCK(Path(path).stat().st_mode):
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(STALLED_S)
        link.connect(path)
        return link.sendall
    # Without a reader this fails at once; a workflow does not wait for a listener.
    fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.set_blocking(fd, True)
    return os.fdopen(fd, "wb", buffering=0).write


def main(arguments: list[str]) -> int:
    """Execute one workflow: 0 if it succeeded, 1 if it did not, 2 for wrong usage."""
    from animus_routes.host import HostError

    parser = _parser()
    given = vars(parser.parse_args(arguments))
    project_root = _absolute(parser, given.pop("project_root"))
    del given["config_path"]  # for the daemon's own runner; a plugin finds its workflows itself
    params = {name: value for name, value in given.items() if value is not None}
    if {"workflow_id", "new_workflow_id"} <= params.keys():
        parser.error("--workflow-id resumes a workflow, --new-workflow-id begins one: not both")
    params |= _identity(parser)
    subject = _subject_of(parser, params)
    workflow_id = _workflow_id(params)
    pipe = EventPipe(os.environ.get(EVENT_PIPE), workflow_id or "")
    asked = {"workflow_id": workflow_id, "workflow_ref": params.get("workflow_ref")}
    asked = {name: value for name, value in asked.items() if value is not None}
    _tell("runner_start", subject, **asked)
    result: dict[str, Any] = {"workflow_status": FAILED, **asked}
    try:
        result |= _call(params, project_root, pipe)
        write_all(1, json.dumps(result).encode() + b"\n")
    except (RpcError, HostError) as error:
        say(f"workflow/execute: {error}")
    code = 0 if result.get("success") else 1
    pipe.workflow_id = result.get("workflow_id") or pipe.workflow_id
    ended = {name: result.get(name) for name in ("workflow_ref", "workflow_status")}
    if result["workflow_status"] in {"completed", FAILED}:
        pipe.send(f"workflow_{result['workflow_status']}", ended)
    _tell(
        "runner_complete", subject, workflow_id=result.get("workflow_id"), exit_code=code, **ended
    )
    return code


def _identity(parser: ArgumentParser) -> dict[str, Any]:
    """What the environment says of the actor and the fence; what is malformed ends the run.

    To run without them instead would be to run for somebody else, or without any authority.
    """
    from msgspec import Raw

    from animus_routes.values.hints import wire_type

    found: dict[str, Any] = {}
    for variable, (field, wire) in IDENTITY.items():
        text = os.environ.get(variable)
        if text is None:
            continue
        try:
            value = codecs.decoder(wire_type(wire))(Raw(text.encode()))
            if hasattr(value, "check"):
                value.check()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with it
            invalid = codecs.explain(error)
            reason = str(invalid) if invalid is not None else "it is not UTF-8"
            parser.error(f"{variable} is malformed, so nothing is run: {reason}")
        found[field] = json.loads(text)
    return found


def _subject_of(parser: ArgumentParser, params: dict[str, Any]) -> str:
    """What the run is about, for the daemon's log; a workflow may have no subject at all."""
    named = next((params[name] for name in SUBJECT if name in params), None)
    if isinstance(named, dict):
        return ":".join(cast("dict[str, str]", named).values())
    if named is None:
        parser.error(
            "say what to run: --task-id, --requirement-id, --subject-id, --title, --workflow-id "
            "or --new-workflow-id"
        )
    return str(named)


def _workflow_id(params: dict[str, Any]) -> str | None:
    """The run's id, if it has one already: resumed, new, or that of its fence."""
    fence: dict[str, Any] = params.get("execution_fence") or {}
    own = params.get("workflow_id") or params.get("new_workflow_id")
    return own or fence.get("workflow_id")


def _absolute(parser: ArgumentParser, folder: str) -> str:
    try:
        return str(Path(folder).resolve())
    except FileNotFoundError:
        parser.error("the working directory is gone: --project-root has to be an absolute path")


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog=f"{Path(sys.argv[0]).name} execute", allow_abbrev=False)
    for option, (name, read) in OPTIONS.items():
        parser.add_argument(option, dest=name, type=read)
    parser.add_argument("--project-root", required=True)
    parser.add_argument("--config-path")
    return parser


def _call(params: dict[str, Any], project_root: str, pipe: EventPipe) -> dict[str, Any]:
    from animus_routes.host import Notification, PluginProcess

    def forward(found: Notification) -> None:
        value = found.params.get("value") if found.method == "$/progress" else None
        if isinstance(value, dict):
            pipe.phase(cast("dict[str, Any]", value))

    with PluginProcess.start(
        _itself(),
        cwd=project_root,
        env=os.environ,
        stderr=None,
        on_notification=forward,
    ) as plugin:
        plugin.initialize({"project_binding": {"project_root": project_root}})
        result: dict[str, Any] = plugin.call("workflow/execute", params, timeout_s=TIMEOUT_S)
        return result


def _itself() -> list[str]:
    """The command that starts this program once more."""
    if BUILT:
        return [*BUILT]
    is_frozen: bool = getattr(sys, "frozen", False)  # then the program is the executable
    return [sys.executable, *([] if is_frozen else [str(Path(sys.argv[0]).resolve())])]


def _tell(event: str, subject: str, **fields: Any) -> None:
    known = {name: value for name, value in fields.items() if value is not None}
    say(json.dumps({"event": event, "task_id": subject, **known}))
