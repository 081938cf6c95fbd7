"""Frames, and a bare wire over text streams, for plugins that speak by hand."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import IO, Any, TypeAlias

from animus_routes.compat.types.plugin_protocol import (
    ErrorCode,
    RpcError,
    RpcId,
    RpcNotification,
    RpcRequest,
    RpcResponse,
)
from animus_routes.engine.wire import claim

__all__ = [
    "FrameHandler",
    "Logger",
    "Wire",
    "create_wire",
    "encode_frame",
    "error_response",
    "ok_response",
    "parse_frame",
    "run_lines",
]

Frame: TypeAlias = RpcRequest | RpcNotification | RpcResponse
FrameHandler: TypeAlias = Callable[[RpcRequest], RpcResponse | None]
Logger: TypeAlias = Callable[[str, BaseException | None], None]


def ok_response(request_id: RpcId, result: Any) -> RpcResponse:
    """An answer with a result."""
    return RpcResponse(id=request_id, result=result)


def error_response(request_id: RpcId, code: int, message: str, data: Any = None) -> RpcResponse:
    """An answer with an error."""
    return RpcResponse(id=request_id, error=RpcError(code=code, message=message, data=data))


def encode_frame(frame: Frame) -> str:
    """A frame as a line of JSON in ASCII, newline included.

    An answer always has its id, and one of `result` and `error`; other options are left out where
    they are None.
    """
    fields: dict[str, Any] = frame.model_dump(mode="json", by_alias=True)
    if isinstance(frame, RpcResponse):
        if fields["error"] is None:
            del fields["error"]
        else:
            del fields["result"]
            if fields["error"].get("data") is None:
                fields["error"].pop("data", None)
    else:
        if fields.get("params") is None:
            fields.pop("params", None)
        if isinstance(frame, RpcRequest) and "id" not in frame.model_fields_set:
            del fields["id"]
    return json.dumps(fields, separators=(",", ":")) + "\n"


def parse_frame(line: str) -> RpcRequest:
    """A line as a request; it is a notification if its `id` was never set.

    Raises:
        ValueError: It is not JSON, or not a JSON-RPC 2.0 request.
    """
    try:
        found: Any = json.loads(line)
    except RecursionError as error:
        raise ValueError("not JSON: it is nested too deep") from error
    frame = RpcRequest.model_validate(found)
    if frame.jsonrpc != "2.0" or "jsonrpc" not in frame.model_fields_set or not frame.method:
        raise ValueError("not a JSON-RPC 2.0 request")
    return frame


def _log(message: str, error: BaseException | None = None) -> None:
    sys.stderr.write(f"{message}: {error}\n" if error is not None else f"{message}\n")


@dataclass
class Wire:
    """Frames over a pair of text streams.

    For a plugin that wants nothing but frames. The lifecycle, cancellation and streams are left to
    `define_plugin`.
    """

    input: IO[str]
    output: IO[str]
    logger: Logger = _log
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _workers: list[threading.Thread] = field(
        default_factory=list[threading.Thread], repr=False, compare=False
    )

    def send_response(self, response: RpcResponse) -> None:
        """Write an answer."""
        self._send(response)

    def send_notification(self, notification: RpcNotification) -> None:
        """Write a notification."""
        self._send(notification)

    def notify(self, method: str, params: Any = None) -> None:
        """Write a notification, from its parts."""
        self._send(RpcNotification(method=method, params=params))

    def track_worker(self, thread: threading.Thread) -> None:
        """Have `run` wait for a thread before it returns."""
        self._workers.append(thread)

    def run(self, handler: FrameHandler) -> None:
        """Pass every frame to `handler` and write what it returns, until the input ends.

        A line that cannot be read is logged and skipped; an exception is answered with -32603.
        """
        for line in self.input:
            if line.strip():
                self._line(line, handler)
        for thread in self._workers:
            thread.join()

    def _line(self, line: str, handler: FrameHandler) -> None:
        try:
            frame = parse_frame(line)
        except ValueError as error:
            self.logger("skipped a line that is not a frame", error)
            return
        response = self._handle(frame, handler)
        if response is not None:
            self.send_response(response)

    def _handle(self, frame: RpcRequest, handler: FrameHandler) -> RpcResponse | None:
        try:
            return handler(frame)
        except Exception as error:  # noqa: BLE001 - a handler cannot end the loop
            from animus_routes.serving.failures import LOOK
            from animus_routes.serving.traces import traceback_of

            error_id = os.urandom(4).hex()
            self.logger(f"error {error_id}: the handler of '{frame.method}' failed", error)
            if self.logger is _log:  # somebody else's has the error itself
                sys.stderr.write(f"{traceback_of(error)}\n")
            if "id" not in frame.model_fields_set:
                return None
            said = f"internal error {error_id}; {LOOK}"
            data = {"category": "other", "error_id": error_id}
            return error_response(frame.id, ErrorCode.INTERNAL_ERROR, said, data)

    def _send(self, frame: Frame) -> None:
        with self._lock:
            self.output.write(encode_frame(frame))
            self.output.flush()


def create_wire(
    input: IO[str] | None = None,  # noqa: A002 - the published name
    output: IO[str] | None = None,
    logger: Logger | None = None,
) -> Wire:
    """A wire on the given streams, or on the process's own.

    If it uses the process's own, it claims stdin and stdout: whatever is printed afterwards goes
    to stderr and cannot break a frame.
    """
    if input is None or output is None:
        fd_in, fd_out = claim()
        input = input or os.fdopen(fd_in, encoding="utf-8")  # noqa: A001
        output = output or os.fdopen(fd_out, "w", encoding="utf-8")
    return Wire(input, output, logger or _log)


def run_lines(lines: Iterable[str], handler: FrameHandler, output: IO[str]) -> None:
    """Pass each line's frame to `handler` and write what it returns to `output`."""
    wire = Wire(iter(lines), output)  # type: ignore[arg-type]  # of the input, lines are read alone
    wire.run(handler)
