"""Envelopes, the handshake's documents, and a bare wire, for plugins that speak by hand."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence
from typing import IO, Any, Final

import msgspec
from msgspec import Struct

from animus_routes.engine.wire import claim
from animus_routes.roles import PROTOCOL_VERSION
from animus_routes.types import plugin as wire
from animus_routes.values.codecs import encode, to_builtins

__all__ = [
    "ErrorCode",
    "Frame",
    "FrameHandler",
    "HealthReport",
    "Logger",
    "PluginIdentity",
    "RpcId",
    "RpcNotification",
    "RpcRequest",
    "RpcResponse",
    "Wire",
    "build_initialize_result",
    "build_manifest",
    "create_wire",
    "encode_frame",
    "ensure_wire_subject",
    "error_response",
    "ok_response",
    "parse_frame",
    "validate_initialize_params",
]


class ErrorCode:
    """The protocol's error codes (spec section 4)."""

    PARSE_ERROR: Final = -32700
    INVALID_REQUEST: Final = -32600
    METHOD_NOT_FOUND: Final = -32601
    INVALID_PARAMS: Final = -32602
    INTERNAL_ERROR: Final = -32603
    PLUGIN_NOT_INITIALIZED: Final = -32000
    METHOD_NOT_SUPPORTED: Final = -32001
    REQUEST_CANCELLED: Final = -32002
    TIMEOUT: Final = -32003
    SERVER_SHUTDOWN: Final = -32099


RpcId = str | int | None


class RpcRequest(wire.RpcRequest):
    """A request, or a notification if `id` was never set."""

    jsonrpc: str = "2.0"


class RpcNotification(wire.RpcNotification):
    """A notification."""

    jsonrpc: str = "2.0"


class RpcResponse(wire.RpcResponse):
    """An answer: exactly one of `result` and `error`."""

    jsonrpc: str = "2.0"


class HealthReport(wire.HealthCheckResult):
    """What a backend's `health(ctx)` returns; healthy unless it says otherwise."""

    status: wire.HealthStatus = "healthy"


class PluginIdentity(Struct):
    """Who a plugin is."""

    name: str
    version: str
    description: str
    plugin_kind: str


Frame = RpcRequest | RpcNotification | RpcResponse
FrameHandler = Callable[[RpcRequest], RpcResponse | None]
Logger = Callable[[str, BaseException | None], None]


def ok_response(request_id: RpcId, result: Any) -> RpcResponse:
    """An answer with a result."""
    return RpcResponse(id=request_id, result=result)


def error_response(request_id: RpcId, code: int, message: str, data: Any = None) -> RpcResponse:
    """An answer with an error."""
    return RpcResponse(id=request_id, error=wire.RpcError(code=code, message=message, data=data))


def encode_frame(frame: Frame) -> str:
    """A frame as a line of JSON, newline included. An answer always has its id."""
    fields = to_builtins(frame)
    if isinstance(frame, RpcResponse):
        fields.setdefault("id", None)
        if frame.error is None:
            fields.setdefault("result", None)
    elif isinstance(frame, RpcRequest) and "id" in frame.model_fields_set:
        fields.setdefault("id", None)
    return encode(fields).decode() + "\n"


def parse_frame(line: str) -> RpcRequest:
    """A line as a request.

    Raises:
        ValueError: It is not JSON, or not a JSON-RPC 2.0 request.
    """
    try:
        frame = RpcRequest.model_validate(msgspec.json.decode(line))
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    if frame.jsonrpc != "2.0" or not frame.method:
        raise ValueError("not a JSON-RPC 2.0 request")
    return frame


class Wire:
    """Frames over a pair of text streams.

    For a plugin that wants nothing but frames. The lifecycle, cancellation and streams are left to
    `App`.
    """

    def __init__(self, source: IO[str], target: IO[str], logger: Logger) -> None:
        self._input = source
        self._output = target
        self._logger = logger
        self._lock = threading.Lock()

    def send_response(self, response: RpcResponse) -> None:
        """Write an answer."""
        self._send(response)

    def send_notification(self, notification: RpcNotification) -> None:
        """Write a notification."""
        self._send(notification)

    def notify(self, method: str, params: Any = None) -> None:
        """Write a notification, from its parts."""
        self._send(RpcNotification(method=method, params=params))

    def run(self, handler: FrameHandler) -> None:
        """Pass every frame to `handler` and write what it returns, until the input ends.

        A line that cannot be read is logged and skipped; an exception is answered with -32603.
        """
        for line in self._input:
            if not line.strip():
                continue
            try:
                frame = parse_frame(line)
            except ValueError as error:
                self._logger("skipped a line that is not a frame", error)
                continue
            response = self._handle(frame, handler)
            if response is not None:
                self.send_response(response)

    def _handle(self, frame: RpcRequest, handler: FrameHandler) -> RpcResponse | None:
        try:
            return handler(frame)
        except Exception as error:  # noqa: BLE001 - a handler cannot end the loop
            self._logger(f"the handler of '{frame.method}' failed", error)
            if "id" not in frame.model_fields_set:
                return None
            return error_response(frame.id, ErrorCode.INTERNAL_ERROR, "internal error")

    def _send(self, frame: Frame) -> None:
        with self._lock:
            self._output.write(encode_frame(frame))
            self._output.flush()


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


def _log(message: str, error: BaseException | None = None) -> None:
    sys.stderr.write(f"{message}: {error}\n" if error is not None else f"{message}\n")


def build_manifest(
    identity: PluginIdentity,
    capabilities: wire.PluginCapabilities,
    *,
    env_required: Sequence[wire.EnvRequirement] | None = None,
    notification_buffer_size: int | None = None,
    extra_capabilities: Sequence[str] | None = None,
) -> wire.PluginManifest:
    """A manifest from its parts, with the methods and the extra tokens in order, each once."""
    tokens = [*capabilities.methods, *(extra_capabilities or ())]
    return wire.PluginManifest(
        **to_builtins(identity),
        protocol_version=PROTOCOL_VERSION,
        capabilities=list(dict.fromkeys(tokens)),
        env_required=list(env_required or ()),
        notification_buffer_size=notification_buffer_size,
    )


def build_initialize_result(
    identity: PluginIdentity,
    capabilities: wire.PluginCapabilities,
    kind_capabilities: dict[str, Any] | None = None,
) -> wire.InitializeResult:
    """The result of `initialize` from its parts."""
    return wire.InitializeResult(
        protocol_version=PROTOCOL_VERSION,
        plugin_info=wire.PluginInfo(**to_builtins(identity)),
        capabilities=capabilities,
        kind_capabilities={
            kind: wire.KindCapability.model_validate(found)
            for kind, found in (kind_capabilities or {}).items()
        },
    )


def validate_initialize_params(params: wire.InitializeParams | dict[str, Any]) -> str | None:
    """Why the host's version is refused; None if it is not: the major versions must agree."""
    given = params if isinstance(params, dict) else to_builtins(params)
    version = given.get("protocol_version")
    if not isinstance(version, str) or not version:
        return "the host did not send its protocol_version"
    if version.partition(".")[0] != PROTOCOL_VERSION.partition(".")[0]:
        return f"the host speaks protocol {version}, this plugin {PROTOCOL_VERSION}"
    return None


SUBJECT_DEFAULTS: Final = {"status": "ready", "created_at": None, "updated_at": None}


def ensure_wire_subject(subject: Any) -> dict[str, Any]:
    """A subject in the form that the wire needs: an empty or missing status or time is filled in.

    Args:
        subject: A `Subject` of either family, or a dict.
    """
    from animus_routes.timestamps import now

    fields: dict[str, Any] = to_builtins(subject)
    for name, default in SUBJECT_DEFAULTS.items():
        fields[name] = fields.get(name) or default or now()
    return fields
