"""The wire types of animus-transport-protocol, as msgspec Structs.

Written by `python tools/codegen.py`: do not edit. Read from
- schemas/animus-transport-protocol/_all.json sha256
  3fbe7af038361516b68e78e582130c2db837ff0c4e53344e00316ad86510b3c0
"""

from typing import Any

from animus_routes.structs._struct import Timestamp, UInt16, WireStruct, mend, timestamp

__all__ = [
    "TransportConfig",
    "TransportInfo",
    "TransportSchema",
]


class TransportConfig(WireStruct, kw_only=True):
    """What `transport/start` is given. The daemon owns the control socket and the project; the
    transport translates its own protocol (HTTP, GraphQL, gRPC) into calls on that socket.
    `config` is the transport's own, such as `{"cors": {"allowed_origins": ["*"]}}`.
    """

    control_socket_path: str
    """Absolute path to the daemon's control Unix socket. The transport connects to this socket to
    issue control RPCs on behalf of inbound requests. POSIX hosts only; Windows named-pipe
    naming is reserved for a future revision.
    """

    project_root: str
    """Absolute path to the project root the daemon is serving. Transports surface this in metadata
    responses (e.g. HTTP `/healthz`) and use it to scope filesystem access if they expose
    static-file routes.
    """

    bind_addr: str | None = None
    """The address and port to listen on, such as `"127.0.0.1:8080"` or `"[::1]:8080"`. `None`: the
    transport chooses, usually its `default_port` on `localhost`.
    """

    config: Any = None
    """Transport-specific configuration. Defaults to `null` (omitted on the wire) when the operator
    did not supply any.
    """


class TransportInfo(WireStruct, kw_only=True):
    """Reply returned by `transport/start` once the listener is bound.

    `bound_addr` is the *actual* address the listener accepted on (after any `0` port
    resolution) and is what the daemon advertises to operators. `started_at` lets dashboards
    display "transport up for N minutes" without the daemon tracking it separately.
    """

    bound_addr: str
    """Address the listener actually bound to. For TCP transports this is `host:port`. For
    Unix-socket transports (future) this is the socket path. Daemons may surface this verbatim
    in `daemon/status` output.
    """

    started_at: Timestamp
    """When the listener became ready to accept connections. UTC, RFC 3339."""

    def __post_init__(self) -> None:
        try:
            if self.started_at > "":
                return
        except TypeError:
            pass
        mend(self, started_at=timestamp)


class TransportSchema(WireStruct, kw_only=True):
    """What a transport can do, so that the daemon need not guess."""

    kinds: list[str]
    """Protocol kinds this transport exposes. Convention is a single lowercase token per kind, e.g.
    `["http", "rest"]` for an HTTP/REST transport, `["graphql"]` for a GraphQL transport,
    `["grpc"]`, `["mqtt"]`, `["websocket"]`. Multi-protocol transports (e.g. one process that
    serves HTTP and gRPC) list every kind they expose.
    """

    supports_streaming: bool
    """Whether the transport supports server-streaming responses (HTTP/2 server push, gRPC server
    streaming, GraphQL subscriptions over SSE, ...). Hosts use this to decide whether to route
    streaming control methods (`daemon/events`, `daemon/logs`, `subject/watch`) through this
    transport.
    """

    supports_websocket: bool
    """Whether the transport accepts WebSocket upgrades. Distinct from `supports_streaming` because
    HTTP transports may stream without supporting WebSocket and vice versa.
    """

    default_port: UInt16 | None = None
    """Default port the transport binds to when `TransportConfig.bind_addr` is `None`. Hosts
    surface this to operators so they know where to point clients. `None` means the transport
    refuses to start without an explicit `bind_addr`.
    """
