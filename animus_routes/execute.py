"""`<plugin> execute ...`: the command line that the daemon starts a workflow runner with (host 4.8).

The plugin starts itself once more as a plugin process and calls its own `workflow/execute`, so
the handler runs under the same conditions either way. Phase events go to the pipe that
`ANIMUS_WORKFLOW_EVENT_PIPE` names, one JSON object per line; the result goes to stdout.
"""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from animus_routes.errors import RpcError
from animus_routes.launch import say

if TYPE_CHECKING:
    from collections.abc import Callable

EVENT_PIPE = "ANIMUS_WORKFLOW_EVENT_PIPE"
TIMEOUT_S = 3600.0  # what the host gives the RPC

# Option -> field of WorkflowExecuteRequest, and whether it is JSON.
OPTIONS = {
    "--task-id": ("task_id", False),
    "--requirement-id": ("requirement_id", False),
    "--title": ("title", False),
    "--description": ("description", False),
    "--workflow-ref": ("workflow_ref", False),
    "--input-json": ("input", True),
    "--phase-routing-json": ("phase_routing", True),
    "--mcp-config-json": ("mcp_config", True),
}


def main(arguments: list[str]) -> int:
    """Execute one workflow: 0 if it succeeded, 1 if it did not, 2 for wrong usage."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    project_root = given.pop("project_root")
    params = {name: value for name, value in given.items() if value is not None}
    if not params.keys() & {"task_id", "requirement_id", "title"}:
        parser.error("one of --task-id, --requirement-id, --title says what to run")
    try:
        result = _call(params, str(Path(project_root).resolve()))
    except RpcError as error:
        say(f"workflow/execute: {error}")
        return 1
    os.write(1, json.dumps(result).encode() + b"\n")
    return 0 if result.get("success") else 1


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog=f"{Path(sys.argv[0]).name} execute")
    for option, (name, is_json) in OPTIONS.items():
        required = option == "--workflow-ref"
        parser.add_argument(option, dest=name, type=_json if is_json else str, required=required)
    parser.add_argument("--project-root", required=True)
    return parser


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ArgumentTypeError(f"not JSON: {error}") from None


def _call(params: dict[str, Any], project_root: str) -> dict[str, Any]:
    from animus_routes.host import Notification, Plugin

    with ExitStack() as stack:
        write = _event_writer(stack)

        def forward(found: Notification) -> None:
            if found.method == "$/progress":
                write(found.params["value"])

        plugin = stack.enter_context(
            Plugin.start(
                [sys.executable, sys.argv[0]],
                cwd=project_root,
                env=os.environ,
                stderr=None,
                on_notification=forward,
            )
        )
        plugin.initialize(init_extensions={"project_binding": {"project_root": project_root}})
        result: dict[str, Any] = plugin.call("workflow/execute", params, timeout_s=TIMEOUT_S)
        return result


def _event_writer(stack: ExitStack) -> Callable[[Any], None]:
    """Write events to the host's pipe; nowhere if it named none."""
    path = os.environ.get(EVENT_PIPE)
    if not path:
        return lambda _event: None
    pipe = stack.enter_context(open(path, "ab", buffering=0))  # noqa: PTH123, SIM115 - a FIFO
    return lambda event: _ignore_closed(lambda: pipe.write(json.dumps(event).encode() + b"\n"))


def _ignore_closed(write: Callable[[], object]) -> None:
    """A host that stopped listening does not stop the workflow."""
    with suppress(BrokenPipeError):
        write()
