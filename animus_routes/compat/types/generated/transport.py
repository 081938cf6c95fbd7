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
    """Configuration handed to a transport plugin on `TRANSPORT_METHOD_START`.

    The daemon owns the control socket and the project root; the transport owns translation of
    its protocol (HTTP, GraphQL, gRPC, ...) into control RPCs against that socket. `bind_addr`
    is optional so the daemon can let the transport pick its own default (e.g. `127.0.0.1:8080`
    for HTTP, `127.0.0.1:8090` for GraphQL); operators that want a specific port set it
    explicitly in workflow YAML.

    `config` is a free-form JSON blob carrying transport-specific knobs that the daemon does not
    parse. Examples:

    - HTTP transport: `{ "cors": {"allowed_origins": ["*"]}, "auth_token": "..." }`
    - GraphQL transport: `{ "introspection": false, "subscriptions": true }`
    - gRPC transport: `{ "tls": {"cert": "...", "key": "..."} }`
    """

    bind_addr: str | None = None
    config: Any = None
    control_socket_path: str
    project_root: str


class TransportInfo(GeneratedModel):
    """Reply returned by `TransportBackend.start` once the listener is bound.

    `bound_addr` is the *actual* address the listener accepted on (after any `0` port
    resolution) and is what the daemon advertises to operators. `started_at` lets dashboards
    display "transport up for N minutes" without the daemon tracking it separately.
    """

    bound_addr: str
    started_at: str


class TransportSchema(GeneratedModel):
    """Capability declaration returned by `TRANSPORT_METHOD_SCHEMA`.

    The daemon uses this to adapt behavior without runtime guessing — for example, to skip
    WebSocket-bound features for transports that don't support them, or to pick a default port
    when the operator omits one.
    """

    default_port: UInt16 | None = None
    kinds: list[str]
    supports_streaming: bool
    supports_websocket: bool
