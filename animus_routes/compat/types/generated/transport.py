"""The wire types of animus-transport-protocol, as the class-based SDK's models.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-transport-protocol/_all.json sha256
  3fbe7af038361516b68e78e582130c2db837ff0c4e53344e00316ad86510b3c0
"""

from typing import Any

from animus_routes.compat.types._model import GeneratedModel, UInt16

__all__ = [
    "TransportConfig",
    "TransportInfo",
    "TransportSchema",
]


class TransportConfig(GeneratedModel):
    """What `transport/start` is given. The daemon owns the control socket and the project; the
    transport translates its own protocol (HTTP, GraphQL, gRPC) into calls on that socket.
    `config` is the transport's own, such as `{"cors": {"allowed_origins": ["*"]}}`.
    """

    bind_addr: str | None = None
    config: Any = None
    control_socket_path: str
    project_root: str


class TransportInfo(GeneratedModel):
    """Reply returned by `transport/start` once the listener is bound.

    `bound_addr` is the *actual* address the listener accepted on (after any `0` port
    resolution) and is what the daemon advertises to operators. `started_at` lets dashboards
    display "transport up for N minutes" without the daemon tracking it separately.
    """

    bound_addr: str
    started_at: str


class TransportSchema(GeneratedModel):
    """What a transport can do, so that the daemon need not guess."""

    default_port: UInt16 | None = None
    kinds: list[str]
    supports_streaming: bool
    supports_websocket: bool
