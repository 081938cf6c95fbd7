"""The daemon over HTTP: a transport that bridges to its control socket.

    POST /rpc          {"method": "subject/list", "params": {...}}, or a whole JSON-RPC request
    POST /rpc/<method> only the params, such as POST /rpc/daemon/status
    GET  /healthz      what is served, since when, and whether the daemon answers its socket
    GET  /             a page for people, unless `config: {"ui": false}` says no

Answers are the control protocol's own, result or error, as JSON-RPC with the request's id. The port
is 8090 unless `transport/start` says otherwise; 0 lets the system choose. It listens on the loopback
only, unless `config: {"auth_token_env": "NAME"}` names the variable of a secret that callers send as
a bearer token. Without one, each path answers under the loopback's own names alone, so that a page of
another site, whose name points here, reads nothing.
"""

import asyncio
import hmac
import os
import re
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from html import escape
from string import Template
from typing import Annotated, Any, Final

from animus_routes import App, Context, Depends, InvalidRequest, PermissionDenied, Unavailable
from animus_routes.errors import AddressInUse
from animus_routes.structs import transport as wire
from animus_routes.timestamps import now

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

PORT: Final = 8090
CONTROL_S: Final = 30.0
STOP_S: Final = 0.15  # after the end of input a process has less than half a second
MAX_BODY_BYTES: Final = 4 * 1024 * 1024
MAX_ANSWER_BYTES: Final = 16 * 1024 * 1024
LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
OWN_NAME: Final = re.compile(rb"(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]*)?", re.IGNORECASE)
PARSE_ERROR, INVALID, FAILED = -32700, -32600, -32603
# What a caller over HTTP sees of the daemon's own errors.
STATUS: Final = {-32700: 400, -32600: 400, -32601: 404, -32602: 422}

PAGE: Final = Template("""<!doctype html>
<meta charset="utf-8"><title>Animus</title>
<h1>Animus</h1><p>$root</p>
<form id="call"><input id="method" value="daemon/status" aria-label="method">
<input id="token" type="password" placeholder="token, if there is one"><button>Call</button></form>
<pre id="answer"></pre>
<script>
call.onsubmit = async event => {
  event.preventDefault();
  const headers = token.value ? {authorization: "Bearer " + token.value} : {};
  const got = await fetch("rpc/" + method.value, {method: "POST", body: "{}", headers});
  answer.textContent = JSON.stringify(await got.json(), null, 2);
}
</script>
""")


class Knobs(msgspec.Struct, forbid_unknown_fields=True):
    """`config` of `transport/start`."""

    ui: bool = True
    auth_token_env: str | None = None
    timeout_s: float = CONTROL_S


class SilentError(Exception):
    """The daemon gave no answer; `status` is the HTTP status for that."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Control:
    """The daemon's control socket: newline-delimited JSON-RPC, one connection per request."""

    def __init__(self, path: str, timeout_s: float) -> None:
        self.path = path
        self.timeout_s = timeout_s

    async def call(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The daemon's answer, result or error, under the caller's own id.

        Raises:
            SilentError: There is none.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._exchange(request)
        except TimeoutError:
            raise SilentError(504, "the daemon did not answer in time") from None
        except (OSError, EOFError, asyncio.LimitOverrunError, msgspec.DecodeError) as problem:
            reason = f"the daemon cannot be reached: {type(problem).__name__}"
            raise SilentError(502, reason) from problem

    async def _exchange(self, request: Mapping[str, Any]) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(self.path, limit=MAX_ANSWER_BYTES)
        try:
            # A caller's id may be anything, or missing; on the socket it is ours.
            writer.write(msgspec.json.encode({**request, "id": 1}) + b"\n")
            await writer.drain()
            while True:
                frame = msgspec.json.decode(await reader.readuntil(b"\n"), type=dict[str, Any])
                if frame.get("id") == 1 and "method" not in frame:
                    return {**frame, "jsonrpc": "2.0", "id": request.get("id")}
        finally:
            writer.close()

    async def answers(self) -> bool:
        """Is anybody listening?"""
        try:
            _, writer = await asyncio.open_unix_connection(self.path)
        except OSError:
            return False
        writer.close()
        return True


def refusal(status: int, code: int, message: str, request_id: Any = None) -> Response:
    """An error of the transport's own."""
    error = {"code": code, "message": message, "data": {"category": "transport"}}
    return JSONResponse({"jsonrpc": "2.0", "id": request_id, "error": error}, status)


class OwnNames:
    """Refuses every request under a foreign name, before anything is looked up for it.

    The header itself is judged: a URL made from one that makes no sense has the listener's own name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        names = [value for name, value in scope["headers"] if name == b"host"]
        served: ASGIApp = self.app
        if not all(map(OWN_NAME.fullmatch, names)):
            served = refusal(403, INVALID, "only names of the loopback are served")
        await served(scope, receive, send)


class Server(uvicorn.Server):
    """uvicorn's server, which reports when it has started."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class Service:
    """One listener: from `transport/start` to `transport/shutdown`."""

    def __init__(self, config: wire.TransportConfig, knobs: Knobs, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        self.info = wire.TransportInfo(
            bound_addr=f"[{host}]:{port}" if ":" in host else f"{host}:{port}", started_at=now()
        )
        self.config = config
        self.knobs = knobs
        self.token = os.environ.get(knobs.auth_token_env or "", "")
        self.control = Control(config.control_socket_path, knobs.timeout_s)
        self.listener = listener
        self.server = Server(
            uvicorn.Config(
                self._routes(),
                log_level="warning",
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=1,
            )
        )
        self.task: asyncio.Task[None] | None = None

    def _routes(self) -> Starlette:
        routes = [
            Route("/rpc", self.rpc, methods=["POST"]),
            Route("/rpc/{method:path}", self.rpc, methods=["POST"]),
            Route("/healthz", self.healthz),
        ]
        if self.knobs.ui:
            routes.append(Route("/", self.page))
        # A listener with a token may be reached by any name; the token guards it.
        return Starlette(routes=routes, middleware=[] if self.token else [Middleware(OwnNames)])

    async def start(self) -> None:
        """Serve; connections are answered when this returns."""
        self.task = asyncio.create_task(self.server.serve([self.listener]))
        ready = asyncio.create_task(self.server.ready.wait())
        done, _ = await asyncio.wait([self.task, ready], return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self.task in done:
            await self.task

    async def stop(self) -> None:
        """Accept no more connections, give requests a moment to finish, and end."""
        task, self.task = self.task, None
        if task is not None:
            self.server.should_exit = True
            await asyncio.wait([task], timeout=STOP_S)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self.listener.close()

    def refused(self, request: Request) -> Response | None:
        """Callers without the token, and what a browser sends for a page of another site."""
        if self.token:
            given = request.headers.get("authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self.token.encode()):
                return refusal(401, INVALID, "a bearer token is needed")
        origin = request.headers.get("origin")
        if origin and origin.partition("://")[2] != request.headers.get("host"):
            return refusal(403, INVALID, "another site may not call this")
        return None

    async def rpc(self, request: Request) -> Response:
        refused = self.refused(request)
        if refused is not None:
            return refused
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                return refusal(413, INVALID, "the body is too large")
        try:
            given = msgspec.json.decode(body or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return refusal(400, PARSE_ERROR, "the body is not JSON")
        named = request.path_params.get("method")
        frame = {"method": named, "params": given} if named else given
        if not isinstance(frame, dict) or not isinstance(frame.get("method"), str):
            return refusal(400, INVALID, "the body has to be an object with a `method`")
        return await self.bridge(frame)

    async def bridge(self, frame: dict[str, Any]) -> Response:
        asked = {
            "jsonrpc": "2.0",
            "id": frame.get("id"),
            "method": frame["method"],
            "params": frame.get("params") or {},
        }
        try:
            found = await self.control.call(asked)
        except SilentError as silence:
            return refusal(silence.status, FAILED, str(silence), asked["id"])
        error = found.get("error")
        return JSONResponse(found, STATUS.get(error.get("code"), 500) if error else 200)

    async def healthz(self, _request: Request) -> Response:
        reachable = await self.control.answers()
        found = {**msgspec.to_builtins(self.info), "daemon": reachable}
        return JSONResponse(found, 200 if reachable else 503)

    async def page(self, _request: Request) -> Response:
        return HTMLResponse(PAGE.substitute(root=escape(self.config.project_root)))


def bind(address: str, *, secret: bool) -> socket.socket:
    """A listening socket; from then on connections are accepted by the system.

    Raises:
        InvalidRequest: It is no `host:port`.
        PermissionDenied: It can be reached from outside, and nothing guards it.
        AddressInUse: Somebody else has it.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise InvalidRequest(f"bind_addr '{address}' is not host:port")
    if host not in LOOPBACK and not secret:
        raise PermissionDenied(f"'{host}' is not the loopback: set config.auth_token_env")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, int(port)), family=family, backlog=256)
    except PermissionError as problem:
        raise PermissionDenied(f"{address}: {problem.strerror}") from problem
    except OSError as problem:
        raise AddressInUse(f"{address}: {problem.strerror}") from problem


# ---- the plugin ---------------------------------------------------------------------------------


class Transport:
    """What the process is serving; one change at a time."""

    def __init__(self) -> None:
        self.service: Service | None = None
        self.turn = asyncio.Lock()

    async def start(self, config: wire.TransportConfig) -> wire.TransportInfo:
        async with self.turn:
            if self.service is None:
                self.service = await serve(config)
            elif self.service.config != config:
                raise InvalidRequest("already started with another configuration: shut down first")
            return self.service.info

    async def stop(self) -> None:
        async with self.turn:
            service, self.service = self.service, None
            if service is not None:
                await service.stop()


async def serve(config: wire.TransportConfig) -> Service:
    try:
        knobs = msgspec.convert(config.config or {}, Knobs)
    except msgspec.ValidationError as problem:
        raise InvalidRequest(f"config: {problem}") from None
    if knobs.auth_token_env and not os.environ.get(knobs.auth_token_env):
        raise Unavailable(f"{knobs.auth_token_env} is not set")
    listener = bind(config.bind_addr or f"127.0.0.1:{PORT}", secret=bool(knobs.auth_token_env))
    service = Service(config, knobs, listener)
    await service.start()
    return service


@asynccontextmanager
async def lifespan() -> AsyncIterator[Transport]:
    transport = Transport()
    yield transport
    await transport.stop()


def the_transport(ctx: Context[Transport]) -> Transport:
    return ctx.state


Serving = Annotated[Transport, Depends(the_transport)]

app = App(
    kinds=["transport_backend", "web_ui"],
    name="animus-transport-http",
    version="0.1.0",
    description="The daemon's control protocol over HTTP",
    lifespan=lifespan,
    capabilities=["web_ui", "$ui/web"],
    env_required=[
        {
            "name": "ANIMUS_HTTP_TOKEN",
            "description": "A bearer token, for config {auth_token_env: ANIMUS_HTTP_TOKEN}",
            "sensitive": True,
        }
    ],
)


@app.method("transport/start")
async def start(config: wire.TransportConfig, transport: Serving) -> wire.TransportInfo:
    """Bind, serve, answer. A host that asks twice gets the same answer twice."""
    return await transport.start(config)


@app.method("transport/shutdown")
async def shutdown(transport: Serving) -> None:
    await transport.stop()


@app.method("transport/schema")
def schema() -> wire.TransportSchema:
    return wire.TransportSchema(
        kinds=["http", "json-rpc"],
        supports_streaming=False,
        supports_websocket=False,
        default_port=PORT,
    )


if __name__ == "__main__":
    app.run()
