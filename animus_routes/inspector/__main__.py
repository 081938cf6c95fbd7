"""The page's process, as `animus-routes inspect` starts it."""

from __future__ import annotations

import errno
import os
import secrets
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import uvicorn

from animus_routes.conformance.candidate import candidate
from animus_routes.dev.watching import of_command, of_python
from animus_routes.engine.stderr import say
from animus_routes.inspector.desk import Desk
from animus_routes.inspector.guard import Guard
from animus_routes.inspector.plugin import Target
from animus_routes.inspector.web import web
from animus_routes.loading import NotAnApp, configured, named

if TYPE_CHECKING:
    from types import FrameType

LOOPBACK: Final = "127.0.0.1"
TOKEN_BYTES: Final = 24
GRACE_S: Final = 2


class Asked(msgspec.Struct):
    """What the command line asks for; it comes as JSON through stdin.

    Attributes:
        target: As it was named; None for the app that pyproject.toml names.
        project: Where the plugin is started.
        port: To listen on.
        is_own_port: Nobody asked for that port, so that another one does as well.
        env: Variables besides those that a host passes on.
        opens: Show the page in the browser.
    """

    target: str | None
    project: str
    port: int
    is_own_port: bool = True
    env: dict[str, str] = {}
    opens: bool = False


class Server(uvicorn.Server):
    """Ends at a signal although pages are open.

    Attributes:
        desk: Whose followers end then.
    """

    desk: Desk

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """At SIGINT and SIGTERM."""
        self.desk.feed.close()
        super().handle_exit(sig, frame)


def main() -> int:
    """Serve until a signal; 1 if there is no such target, or the port is taken."""
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    os.environ.update(asked.env)  # so that a recording masks what is secret of it
    try:
        desk = _desk(asked)
        listening = _listen(asked)
    except (NotAnApp, OSError) as error:
        say(str(error))
        return 1
    port = listening.getsockname()[1]
    token = secrets.token_urlsafe(TOKEN_BYTES)
    config = uvicorn.Config(
        Guard(web(desk), token, port),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=GRACE_S,
    )
    server = Server(config)
    server.desk = desk
    address = f"http://{LOOPBACK}:{port}/{token}/"
    say(f"{desk.snapshot()['target']}: {address}")
    say("Whoever has this address can run the plugin. Ctrl-C ends it.")
    if asked.opens:
        import webbrowser

        webbrowser.open(address)
    server.run(sockets=[listening])
    return 0


def _desk(asked: Asked) -> Desk:
    """What is looked at, and what that is made of.

    Raises:
        NotAnApp: There is no such target.
    """
    found = candidate(asked.target)
    words = shlex.split(asked.target or "")
    is_app = found.file is None and len(words) < 2
    watched = of_command(found.command)
    if is_app:
        app = named(asked.target) if asked.target is not None else configured()
        watched = of_python(Path(app.file() or app.place))
    project = Path(asked.project)
    target = Target(asked.target, found.target, found.command, is_app, project, asked.env)
    return Desk(target, watched)


def _listen(asked: Asked) -> socket.socket:
    """The port that was asked for; another one if nobody asked for it.

    Raises:
        OSError: It is taken.
    """
    try:
        return _bound(asked.port)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not asked.is_own_port:
            raise OSError(f"port {asked.port}: {error.strerror}") from None
    return _bound(0)


def _bound(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((LOOPBACK, port))
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening


if __name__ == "__main__":
    sys.exit(main())
