"""Who may talk to the page: the browser of whoever has its address, and nobody else.

The page runs commands, so that a web site of a stranger must not reach it. The server is bound to the
loopback, its address has a random token in it, `Host` has to be the loopback's (a name that a stranger
resolves to it is none), and what acts has to come from the page itself, as `Origin` says.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

# With trusted types, no text becomes markup, whatever is written later.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
READING: Final = frozenset({"GET", "HEAD"})


class Guard:
    """Refuses what is not from the page.

    Args:
        app: What is behind it; it sees paths without the token.
        token: The first part of every path.
        port: On which the server listens.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app = app
        self._token = token.encode()
        names = ("127.0.0.1", "localhost")
        self._hosts = {f"{name}:{port}".encode() for name in names}
        self._origins = {b"http://" + host for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One connection."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, *refusal)
            return
        path = "/" + scope["path"].split("/", 2)[2]
        inner = {**scope, "path": path, "raw_path": path.encode()}

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *HEADERS]}
            await send(message)

        await self._app(inner, receive, sent)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        found: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            found.setdefault(name.lower(), []).append(value)
        hosts, origins = found.get(b"host", []), found.get(b"origin", [])
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            return 421, "this server is only for its own address"
        if origins and (len(origins) != 1 or origins[0] not in self._origins):
            return 403, "only the page itself may ask"
        if scope["method"] not in READING and not origins:
            return 403, "only the page itself may ask"
        first, slash, _ = scope["path"].removeprefix("/").partition("/")
        given = first.encode("utf-8", "surrogateescape")
        if not secrets.compare_digest(given, self._token) or not slash:
            return 404, "there is nothing here: open the whole address that was printed"
        return None


async def _refuse(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), *HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": f"{text}\n".encode()})
